//! What the service manager is told (`sd_notify`, systemd 252): ready, reloading, stopping, and that it lives.
//!
//! One datagram a message to the socket that `NOTIFY_SOCKET` names. Without one nothing is said. A message that
//! cannot be delivered is logged and stops nobody: the manager has its own deadlines.

use std::fmt::Write as _;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::{MissedTickBehavior, interval};

/// The way to the service manager.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    socket: Option<UnixDatagram>,
    /// How often the manager is told that the prober lives; half of what it waits.
    beat: Option<Duration>,
}

/// What the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Systemd {
    pub(crate) socket: Option<String>,
    pub(crate) watchdog_usec: Option<String>,
    pub(crate) watchdog_pid: Option<String>,
}

impl Notify {
    /// Connects to the manager's socket.
    ///
    /// # Errors
    /// There is none at that place.
    pub(crate) fn new(systemd: &Systemd) -> io::Result<Self> {
        let Some(place) = systemd.socket.as_deref().filter(|place| !place.is_empty()) else {
            return Ok(Self::default());
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not hold up runs.
        socket.set_nonblocking(true)?;
        match place.strip_prefix('@') {
            Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
            None => socket.connect(place)?,
        }
        let is_ours = systemd.watchdog_pid.as_deref().is_none_or(|pid| pid == std::process::id().to_string());
        let wait = systemd.watchdog_usec.as_deref().and_then(|text| text.parse::<u64>().ok());
        let beat = wait.filter(|wait| is_ours && *wait > 1).map(|wait| Duration::from_micros(wait / 2));
        Ok(Self { socket: Some(socket), beat })
    }

    /// Every plan is scheduled, and the pages answer.
    pub(crate) fn ready(&self, scenarios: usize) {
        self.ready_to(&format!("runs {scenarios} scenarios"));
    }

    /// It does its work, which is this.
    pub(crate) fn ready_to(&self, work: &str) {
        self.say(&format!("READY=1\nSTATUS={work}"));
    }

    /// The files are read again; [`Notify::ready`] ends it, also if they are wrong: the plans from before run.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let mut text = "RELOADING=1\nSTATUS=reads its files again".to_owned();
        // systemd 253 and later match it with the signal that they sent.
        write!(text, "\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)
            .expect("a String takes every text");
        self.say(&text);
    }

    /// A signal was heard: runs in flight end.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=lets runs in flight end");
    }

    /// Waits for `work`, and says meanwhile that the prober lives. Dropping the future drops `work`.
    pub(crate) async fn beating<T>(&self, work: impl Future<Output = T>) -> T {
        let Some(beat) = self.beat else { return work.await };
        let mut ticks = interval(beat);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = ticks.tick() => self.say("WATCHDOG=1"),
            }
        }
    }

    fn say(&self, text: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(text.as_bytes()) {
            tracing::warn!(
                "the service manager was not told {:?}: {error}",
                text.lines().next().unwrap_or_default()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(socket: &str, usec: &str, pid: &str) -> Systemd {
        let some = |text: &str| Some(text.to_owned());
        Systemd { socket: some(socket), watchdog_usec: some(usec), watchdog_pid: some(pid) }
    }

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 512];
        let read = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    #[tokio::test]
    async fn a_manager_hears_what_there_is_to_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let own = std::process::id().to_string();
        let notify = Notify::new(&manager(path.to_str().unwrap(), "2000", &own)).unwrap();
        notify.ready(3);
        assert_eq!(heard(&socket), "READY=1\nSTATUS=runs 3 scenarios");
        notify.reloading();
        let text = heard(&socket);
        assert!(text.starts_with("RELOADING=1\n") && text.contains("\nMONOTONIC_USEC="), "{text}");
        let (done, wait) = tokio::sync::oneshot::channel();
        let beats = tokio::task::spawn_blocking(move || {
            let heard = (heard(&socket), heard(&socket));
            done.send(()).unwrap();
            heard
        });
        notify.beating(wait).await.unwrap();
        assert_eq!(beats.await.unwrap(), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    }

    #[test]
    fn without_a_manager_nothing_is_said_and_a_wrong_one_is_told() {
        let silent = Notify::new(&Systemd::default()).unwrap();
        assert!(silent.socket.is_none() && silent.beat.is_none());
        silent.stopping();
        assert!(Notify::new(&manager("/nowhere/at/all", "2000", "1")).is_err());
        let name = format!("prober-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        // The watchdog is somebody else's.
        let notify = Notify::new(&manager(&format!("@{name}"), "2000", "1")).unwrap();
        assert!(notify.beat.is_none());
        notify.stopping();
        assert_eq!(heard(&socket), "STOPPING=1\nSTATUS=lets runs in flight end");
    }
}
