//! The project: many small scenarios, each with a path of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::slot::{Cadence, Stream};
use schedule::slots::Timetable;

/// How many scenarios there are and how often each is due.
pub(crate) struct Project {
    pub(crate) scenarios: u32,
    pub(crate) every: Duration,
    /// Scenarios beside them whose target never answers; each is due every [`HANGING_EVERY`].
    pub(crate) hanging: u32,
}

/// How often a scenario whose target never answers is due, in seconds.
const HANGING_EVERY: u32 = 20;
/// How long such a scenario waits for its answer, in seconds.
const HANGING_TIMEOUT: u32 = 10;
/// What the names of such scenarios begin with.
const HANGING: &str = "hang-";

/// Whether the scenario `name` is one whose target never answers.
pub(crate) fn hangs(name: &str) -> bool {
    name.starts_with(HANGING)
}

/// The data directory of the prober in `folder`.
pub(crate) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// The region that scenarios of a project without regions run in.
const REGION: &str = "local";

impl Project {
    /// Writes `prober.yaml` and a file a scenario into `folder`.
    pub(crate) fn write(&self, folder: &Path, addresses: &[SocketAddr]) {
        let scenarios = folder.join("scenarios");
        std::fs::create_dir(&scenarios).expect("the bench's folder takes a folder");
        let project = "version: 1\nscenarios: [\"scenarios/*.yaml\"]\nnetwork: { private: allow }\n";
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

    /// Writes the files of the scenarios whose target, at `addresses`, never answers.
    pub(crate) fn write_hanging(&self, folder: &Path, addresses: &[SocketAddr]) {
        for number in 0..self.hanging {
            let address = addresses[number as usize % addresses.len()];
            let name = format!("{HANGING}{number:05}");
            let text = format!(
                "name: {name}\naim: Page {number} is never seen.\nevery: {HANGING_EVERY}s\ntimeout: {HANGING_TIMEOUT}s\nhttp: http://{address}/{number}\n"
            );
            let file = folder.join("scenarios").join(format!("{name}.yaml"));
            std::fs::write(file, text).expect("the folder takes a file");
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
