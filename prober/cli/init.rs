//! `prober init`: a project file and a first scenario, ready to be run.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::out::Out;
use crate::exit::{Exit, Stop};

const PROJECT: &str = "\
# The project file: what all scenarios share.
version: 1
scenarios: [\"scenarios/**/*.yaml\"]

vars:
  site: https://example.com      # scenarios say ${vars.site}

# Regions have their own variables and secrets; without any, everything runs in the region `local`.
# regions:
#   eu: { vars: { site: https://eu.example.com } }
#   us: { vars: { site: https://us.example.com } }

# Secrets are named here and kept elsewhere; scenarios say ${secrets.probe_password}.
# secrets:
#   probe_password: { env: PROBE_PASSWORD }
";

const SCENARIO: &str = "\
# What the system is supposed to do. These four lines are enough.
name: home
aim: Anyone can open the front page.
every: 1m
http: ${vars.site}/

# More, when you need it:
# expect:
#   status: 200
#   body: { contains: Example }
# sli:
#   good: { latency: { lt: 500ms } }
";

/// Writes the files that are not there yet; never overwrites one.
pub(crate) fn init(dir: &Path, out: &Out) -> Result<Exit, Stop> {
    let cannot = |path: &Path, error: &std::io::Error| {
        Stop::environment(format!("{} could not be written: {error}", path.display()))
    };
    let scenarios = dir.join("scenarios");
    fs::create_dir_all(&scenarios).map_err(|error| cannot(&scenarios, &error))?;
    for (path, text) in [(dir.join("prober.yaml"), PROJECT), (scenarios.join("home.yaml"), SCENARIO)] {
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        match file.and_then(|mut file| file.write_all(text.as_bytes())) {
            Ok(()) => out.line(&format!("  wrote  {}", path.display())),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                out.line(&format!("  kept   {} (it was there already)", path.display()));
            }
            Err(error) => return Err(cannot(&path, &error)),
        }
    }
    let enter = if dir == Path::new(".") { String::new() } else { format!(" -C {}", dir.display()) };
    out.line("");
    out.line(&format!("Edit prober.yaml so that `site` is yours, then:\n\n  prober run{enter}        once, now\n  prober serve{enter}      on schedule, with a page on http://127.0.0.1:9899/"));
    Ok(Exit::Good)
}
