//! `prober init`: a project file, a first scenario, the schemas for editors and an example for a pipeline, ready to
//! be run.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::args::SchemaOf;
use super::out::Out;
use super::schema;
use crate::exit::{Exit, Stop};

const PROJECT: &str = "\
# The project file: what all scenarios share.
version: 1
scenarios: [\"scenarios/**/*.yaml\"]

vars:
  site: https://example.com      # scenarios say ${vars.site}

# Probes reach public addresses only. For others:
# network: { allow: [10.20.0.0/16, \"db.corp.example:5432\"] }      # or private: allow

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

/// The commands are the same in every pipeline; the frame is GitHub's.
const PIPELINE: &str = "\
# An example: copy it to .github/workflows/prober.yaml of the repository that holds these files, or take its `run`
# lines into a pipeline of another kind. It wants `prober` on the PATH of the machine.
name: prober
on: [push, workflow_dispatch]
jobs:
  files:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      # Every mistake becomes an annotation at its line; a warning is one too.
      - run: prober validate --strict
      - run: prober fmt --check
  after-deploy:
    needs: files
    runs-on: ubuntu-latest
    env:
      SITE: ${{ vars.SITE }} # what was deployed, such as https://preview.example.com
    steps:
      - uses: actions/checkout@v4
      # The same scenarios as in production, against what was just deployed; exit code 1 stops the pipeline.
      - run: prober run --var site=$SITE --wait-for 60s --report junit=prober.xml
      - uses: actions/upload-artifact@v4
        if: always()
        with: { name: prober, path: prober.xml }
";

/// Writes the files that are not there yet. Never overwrites one, but for the schemas, which are the program's own.
pub(crate) fn init(dir: &Path, out: &Out) -> Result<Exit, Stop> {
    let mut files = vec![
        ("prober.yaml".to_owned(), schema::modeline(SchemaOf::Project, "") + PROJECT),
        ("scenarios/home.yaml".to_owned(), schema::modeline(SchemaOf::Scenario, "../") + SCENARIO),
        ("ci/github-workflow.yaml".to_owned(), PIPELINE.to_owned()),
    ];
    files.extend(schema::files());
    for (path, text) in files {
        let path = dir.join(path);
        let word = put(&path, &text).map_err(|error| {
            Stop::environment(format!("{} could not be written: {error}", path.display()))
        })?;
        out.line(&format!("  {word}", word = word.replace("{}", &path.display().to_string())));
    }
    let enter = if dir == Path::new(".") { String::new() } else { format!(" -C {}", dir.display()) };
    out.line("");
    out.line(&format!("Edit prober.yaml so that `site` is yours, then:\n\n  prober run{enter}        once, now\n  prober serve{enter}      on schedule, with a page on http://127.0.0.1:9899/"));
    Ok(Exit::Good)
}

/// Writes one file, and says what became of it; `{}` stands for its path.
fn put(path: &Path, text: &str) -> std::io::Result<&'static str> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    match file.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Ok("wrote  {}"),
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Err(_) if !schema::is_generated(path) => Ok("kept   {} (it was there already)"),
        Err(_) if fs::read(path)? == text.as_bytes() => Ok("kept   {} (it is current)"),
        Err(_) => fs::write(path, text).map(|()| "wrote  {} (it was of another version)"),
    }
}
