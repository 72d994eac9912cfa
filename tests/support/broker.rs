//! A fleet's server on free ports, with the configuration and the logins that `prober fleet init` makes.

use std::fs;

use testkit::servers::ConfiguredNats;
use testkit::wait;

use super::Project;

/// A project, and the one server of its fleet.
pub(crate) struct Broker {
    pub(crate) project: Project,
    pub(crate) server: ConfiguredNats,
    /// The server's page for `doctor --fleet`.
    pub(crate) monitor: String,
}

impl Broker {
    /// Makes the project and what its fleet needs, and starts the server. Another process may take a free port: then all is
    /// made again.
    pub(crate) fn start(project: impl Fn() -> Project) -> Self {
        Self::start_with(project, &[])
    }

    /// The same, with more arguments for `prober fleet init`.
    pub(crate) fn start_with(project: impl Fn() -> Project, more: &[&str]) -> Self {
        let mut last = String::new();
        for _ in 0..5 {
            let project = project();
            let [port, monitor, door] = [(); 3].map(|()| wait::free_port());
            let host = format!("127.0.0.1:{port}");
            let ran = project.prober(&[&["fleet", "init", "--host", &host], more].concat());
            assert_eq!(ran.code, Some(0), "{ran:?}");
            move_ports(&project, "fleet/nats/n1.conf", &[(8222, monitor), (7422, door)]);
            if let Some(leaf) = more.iter().find_map(|word| word.strip_prefix("eu=")) {
                assert!(leaf.starts_with("127.0.0.1:"), "{leaf}");
                move_ports(&project, "fleet/leaf-eu/leaf.conf", &[(7422, door)]);
            }
            let nats = project.path("fleet/nats");
            match ConfiguredNats::start(&nats, "n1.conf", ([127, 0, 0, 1], port).into()) {
                Ok(server) => {
                    return Self { project, server, monitor: format!("http://127.0.0.1:{monitor}") };
                }
                Err(error) => last = error,
            }
        }
        panic!("{last}");
    }

    /// The URLs of a login.
    pub(crate) fn login(&self, user: &str) -> String {
        let text = fs::read_to_string(self.project.path("fleet/login").join(user)).unwrap();
        text.trim().to_owned()
    }
}

/// Puts other ports where a written configuration has its usual ones.
pub(crate) fn move_ports(project: &Project, file: &str, ports: &[(u16, u16)]) {
    let mut text = fs::read_to_string(project.path(file)).unwrap();
    for (usual, free) in ports {
        text = text.replace(&format!(":{usual}\""), &format!(":{free}\""));
    }
    project.write(file, &text);
}
