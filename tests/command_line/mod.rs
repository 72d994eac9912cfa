//! The commands as people and pipelines type them: what they print, where, and with which exit code.

mod facts;
mod reports;
mod runs;

use testkit::http::{Reply, Server};

use crate::support::Project;

/// A server with a good and a bad page, and a project with a scenario for each.
fn shop() -> (Server, Project) {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    server.on("/bad", Reply::status(500));
    let project = Project::with(
        "",
        &[
            ("good", format!("labels: {{ tier: \"1\" }}\nhttp: {}", server.url("/"))),
            ("wrong", format!("http: {}", server.url("/bad"))),
        ],
    );
    (server, project)
}
