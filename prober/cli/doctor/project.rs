//! The project's files, secrets and exporters, and the folder where events go.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use model::time::{Clock as _, SystemClock};
use scenario::diagnostic::Severity;
use store::{EventFilter, Reader};

use super::{Finding, Patient, fail, ok, said, warn};
use crate::agent::exporters;
use crate::agent::load::count;
use crate::cli::show::distance;

/// Whether there is a project without mistakes.
pub(super) fn files(patient: &Patient) -> Finding {
    const NAME: &str = "project";
    let checked = match &patient.files {
        Ok(checked) => checked,
        Err(error) => return fail(NAME, error.to_string(), "prober init makes a project"),
    };
    let compiled = &checked.compiled;
    let errors = count(&compiled.diagnostics, Severity::Error);
    let warnings = count(&compiled.diagnostics, Severity::Warning);
    let seen = format!("{}: {} runs a round", checked.root.display(), compiled.plans.len());
    match (errors, warnings) {
        (0, 0) => ok(NAME, seen),
        (0, _) => warn(NAME, format!("{seen}, {warnings} warnings"), "prober validate shows them"),
        _ => fail(NAME, format!("{errors} errors in the files"), "prober validate shows them"),
    }
}

/// Whether every secret that a scenario refers to has a value; names only.
pub(super) fn secrets(patient: &Patient) -> Finding {
    const NAME: &str = "secrets";
    let Ok(checked) = &patient.files else { return warn(NAME, "not known without a project", "") };
    let (mut present, mut missing) = (0, Vec::new());
    for plan in &checked.compiled.plans {
        for name in plan.secrets_used() {
            let region = &plan.stream().region;
            match patient.vault.open(&checked.compiled.project, region, &[Arc::clone(name)]) {
                Ok(_) => present += 1,
                Err(error) => missing.push(error.to_string()),
            }
        }
    }
    missing.sort_unstable();
    missing.dedup();
    let folder =
        said("CREDENTIALS_DIRECTORY").map_or_else(String::new, |folder| format!(" (files in {folder})"));
    match (missing.len(), present) {
        (0, 0) => ok(NAME, "none are used"),
        (0, _) => ok(NAME, format!("all that scenarios use are there{folder}")),
        _ => fail(NAME, missing.join("; "), "set the variables, or put the files where prober.yaml says"),
    }
}

/// Which exporters the project has.
pub(super) fn exporters(patient: &Patient) -> Finding {
    const NAME: &str = "exporters";
    let Ok(checked) = &patient.files else { return warn(NAME, "not known without a project", "") };
    let (mut planned, mistakes) = exporters::plan(&checked.compiled.project, &checked.root);
    let filled = exporters::fill(&mut planned, &checked.compiled.project, &patient.vault);
    let names: Vec<_> = planned.iter().map(|planned| planned.sink.as_str()).collect();
    if let Some(first) = mistakes.first() {
        return fail(NAME, first.message.clone(), "prober validate shows where");
    }
    if let Err(missing) = filled {
        let remedy = "set the variables, or put the files where prober.yaml says";
        return fail(NAME, missing.to_string().replace('\n', "; "), remedy);
    }
    ok(NAME, if names.is_empty() { "none; metrics are always there".to_owned() } else { names.join(", ") })
}

/// Whether events could be written, and how much room there is.
pub(super) fn data_folder(patient: &Patient) -> Finding {
    const NAME: &str = "data folder";
    let data = &patient.data;
    let Some(folder) = data.ancestors().find(|folder| folder.is_dir()) else {
        return fail(NAME, format!("{} is in no folder", data.display()), "choose another with --data");
    };
    if data.exists() && !data.is_dir() {
        return fail(NAME, format!("{} is not a folder", data.display()), "choose another with --data");
    }
    if let Err(error) = try_write(folder) {
        let seen = format!("{} cannot be written to: {error}", folder.display());
        return fail(NAME, seen, "let the user of the prober write there, or choose another with --data");
    }
    let wanted = match &patient.files {
        Ok(checked) => checked.compiled.project.store.bytes_max,
        Err(_) => None,
    };
    let wanted = wanted.unwrap_or(store::Config::new("").bytes_max);
    let free =
        rustix::fs::statvfs(folder).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    let seen = format!("{}, {} MiB free", data.display(), free >> 20);
    let room = used(data).saturating_add(free);
    if free < 16 << 20 {
        fail(NAME, seen, "make room: nothing can be stored on a full disk")
    } else if room < wanted {
        let remedy =
            format!("the store may grow to {} MiB: make room, or lower store: {{ max_bytes }}", wanted >> 20);
        warn(NAME, seen, remedy)
    } else {
        ok(NAME, seen)
    }
}

/// Writes, syncs and removes a file of some bytes.
fn try_write(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".prober-doctor-{}", std::process::id()));
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(b"prober doctor\n")?;
        file.sync_all()
    });
    let removed = fs::remove_file(&path);
    written.and(removed)
}

/// Bytes of the events that are stored now.
fn used(data: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(data.join("events")) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|facts| facts.len()).sum()
}

/// Whether what is stored can be read.
pub(super) fn store(patient: &Patient) -> Finding {
    const NAME: &str = "store";
    if !patient.data.join("meta.db").exists() {
        return ok(NAME, "nothing is stored yet");
    }
    let newest = || -> Result<Option<model::time::Timestamp>, String> {
        let mut reader = Reader::open(&patient.data).map_err(|error| error.to_string())?;
        let filter = EventFilter { newest_first: true, limit: 1, ..EventFilter::default() };
        let found = reader.query(&filter).map_err(|error| error.to_string())?;
        Ok(found.first().map(|stored| stored.event.recorded))
    };
    match newest() {
        Ok(None) => ok(NAME, "it opens; no events yet"),
        Ok(Some(at)) => {
            ok(NAME, format!("it opens; the newest event is {} old", distance(SystemClock.now().since(at))))
        }
        Err(error) => fail(
            NAME,
            error,
            "it is left as it is: move the named file away, or choose another folder with --data",
        ),
    }
}
