//! What the service manager hears of both roles.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use fleet::manifest::SigningKey;
use rustix::process::Signal;

use super::{Fleet, PATIENCE, REGION, until_events};
use crate::support::Serving;

/// A manager's socket.
struct Manager {
    socket: UnixDatagram,
    env: Vec<(String, String)>,
}

impl Manager {
    fn new(folder: &Path) -> Self {
        let path = folder.join("manager");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let env = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "400000")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { socket, env }
    }

    fn hear(&self) -> String {
        let mut bytes = [0; 1024];
        let read = self.socket.recv(&mut bytes).expect("the service manager hears nothing");
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    /// What is said next that is no sign of life.
    fn next(&self) -> String {
        std::iter::repeat_with(|| self.hear()).find(|said| said != "WATCHDOG=1").unwrap()
    }

    fn is_alive(&self) {
        for _ in 0..3 {
            assert_eq!(self.hear(), "WATCHDOG=1");
        }
    }

    /// From the start of the work to the end in order.
    fn hears_all(&self, mut running: Serving, ready: &str) {
        assert_eq!(self.next(), ready);
        self.is_alive();
        // There is nothing to read again, and the manager must not wait for it.
        running.signal(Signal::HUP);
        assert!(self.next().starts_with("RELOADING=1\n"));
        assert_eq!(self.next(), ready);
        running.signal(Signal::TERM);
        assert!(self.next().starts_with("STOPPING=1\n"));
        assert_eq!(running.end().code(), Some(0));
    }
}

#[test]
fn the_service_manager_hears_of_both_roles() {
    let fleet = Fleet::new(1);
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [agents, hubs] = [0, 1].map(|at| Manager::new(folders[at].path()));
    let hub = fleet.start_with(&["hub", "--replicas", "1"], "hub", &hubs.env);
    let agent = fleet.start_with(&["agent", "--region", REGION], "a-1", &agents.env);
    // Both do their work under a manager.
    until_events(&hub, "verdict=good", 1);
    agents.hears_all(agent, "READY=1\nSTATUS=probes for the region eu");
    hubs.hears_all(hub, "READY=1\nSTATUS=keeps the account of its fleet");
}

/// What the machine starts after an agent does not wait for the fleet, and an end while it waits is one in order.
#[test]
fn a_role_that_waits_for_its_first_set_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let (key, _) = SigningKey::generate().unwrap();
    fs::write(folder.path().join("keys"), key.public().line("tests") + "\n").unwrap();
    let manager = Manager::new(folder.path());
    // Nobody is there.
    let place = ["--fleet", "nats://127.0.0.1:1", "--trust", "keys", "--id", "a-1", "--data", "data"];
    for role in [&["agent", "--region", REGION][..], &["hub"]] {
        let args = [role, &place].concat();
        let mut running = Serving::start(folder.path(), &args, &manager.env);
        assert_eq!(manager.next(), "READY=1\nSTATUS=waits for the first scenario set of its fleet");
        manager.is_alive();
        running.signal(Signal::TERM);
        assert!(manager.next().starts_with("STOPPING=1\n"));
        let err = running.err();
        assert_eq!(running.end().code(), Some(0), "{err}");
    }
    let away = [("NOTIFY_SOCKET".to_owned(), "/nowhere/at/all".to_owned())];
    let mut refused = Serving::start(folder.path(), &[&["hub"], &place[..]].concat(), &away);
    assert_eq!(refused.end().code(), Some(3), "{}", refused.err());
    assert!(refused.err().contains("NOTIFY_SOCKET"), "{}", refused.err());
}
