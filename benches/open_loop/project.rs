//! The project: many small scenarios, each with a path of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use model::slot::{Cadence, Stream};
use schedule::slots::Timetable;

/// How many scenarios there are and how often each is due.
pub(crate) struct Project {
    pub(crate) scenarios: u32,
    pub(crate) every: Duration,
}

/// The region that scenarios of a project without regions run in.
const REGION: &str = "local";

impl Project {
    /// Writes `prober.yaml` and a file a scenario into `folder`.
    pub(crate) fn write(&self, folder: &Path, addresses: &[SocketAddr]) {
        let scenarios = folder.join("scenarios");
        std::fs::create_dir(&scenarios).expect("the bench's folder takes a folder");
        let project = "version: 1\nscenarios: [\"scenarios/*.yaml\"]\n";
        std::fs::write(folder.join("prober.yaml"), project).expect("the bench's folder takes a file");
        let every = self.every.as_secs();
        for number in 0..self.scenarios {
            let address = addresses[number as usize % addresses.len()];
            let (name, team, service) = (name(number), number % 20, number % 300);
            let mut text = format!("name: {name}\naim: Page {number} of the shop can be read.\n");
            let text = (|| {
                writeln!(text, "owner: team-{team}\nlabels: {{ service: service-{service}, tier: \"1\" }}")?;
                writeln!(text, "every: {every}s\ntimeout: 2s\nhttp: http://{address}/{number}")?;
                writeln!(text, "expect:\n  status: 200\n  body: {{ contains: hello }}").map(|()| text)
            })();
            let text = text.expect("a String takes every text");
            std::fs::write(scenarios.join(format!("{name}.yaml")), text).expect("the folder takes a file");
        }
    }

    /// The times at which the scenario `number` is due.
    pub(crate) fn timetable(&self, number: u32) -> Timetable {
        let interval_ms = u64::try_from(self.every.as_millis()).expect("a short interval");
        let cadence = Cadence::Every { interval_ms };
        Timetable::new(&cadence, &Stream::new(name(number), REGION)).expect("an interval names times")
    }
}

/// The name of the scenario `number`.
fn name(number: u32) -> String {
    format!("page-{number:05}")
}

/// The number in a scenario's name.
pub(crate) fn number(name: &str) -> u32 {
    name.trim_start_matches("page-").parse().expect("the bench named it")
}
