//! `prober import FROM FILE`: scenarios from the files of other tools.
//!
//! [`SOURCES`] is the one table. What has no place here becomes a comment `# not imported: …` where it would stand,
//! and is counted at the end; secrets become references, and their values are not written anywhere.

mod blackbox;
mod curl;
mod draft;
mod expect;
mod gatus;
mod har;
mod heartbeat;
mod hurl;
mod k8s_probe;
mod openapi;
mod secrets;
mod settle;
mod words;
mod yaml;

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use probe::KINDS;
use scenario::diagnostic::Report;
use scenario::source::Source;
use scenario::tree::{FILE_BYTES_MAX, parse};
use serde_json::Value;

use super::args::{Import, ImportFrom};
use super::out::Out;
use super::place::pairs;
use crate::exit::{Exit, Stop};
use draft::Imported;

/// Recordings of browsers hold the answers too, and are long.
const RECORDING_BYTES_MAX: usize = 64 << 20;

/// What is read.
struct Given {
    /// The file as it is shown.
    path: String,
    /// Its name without the end, for what has no name itself.
    stem: String,
    text: String,
    /// Values of variables that the file leaves open.
    vars: Vec<(String, String)>,
    /// The settings of the Prometheus that asks, if they are named.
    prometheus: Option<Value>,
}

/// A kind of file that can be imported.
struct From {
    which: ImportFrom,
    bytes_max: usize,
    read: fn(&Given) -> Result<Imported, Stop>,
}

const SOURCES: [From; 8] = [
    From { which: ImportFrom::Blackbox, bytes_max: FILE_BYTES_MAX, read: blackbox::read },
    From { which: ImportFrom::Gatus, bytes_max: FILE_BYTES_MAX, read: gatus::read },
    From { which: ImportFrom::Curl, bytes_max: FILE_BYTES_MAX, read: curl::read },
    From { which: ImportFrom::Hurl, bytes_max: FILE_BYTES_MAX, read: hurl::read },
    From { which: ImportFrom::Openapi, bytes_max: FILE_BYTES_MAX, read: openapi::read },
    From { which: ImportFrom::Har, bytes_max: RECORDING_BYTES_MAX, read: har::read },
    From { which: ImportFrom::K8sProbe, bytes_max: FILE_BYTES_MAX, read: k8s_probe::read },
    From { which: ImportFrom::Heartbeat, bytes_max: FILE_BYTES_MAX, read: heartbeat::read },
];

/// Reads the file, and prints or writes what comes of it.
pub(crate) fn import(args: &Import, out: &Out) -> Result<Exit, Stop> {
    let from = SOURCES.iter().find(|from| from.which == args.from).expect("the table has every one");
    let text = read(&args.file, from.bytes_max)?;
    let prometheus = args.prometheus.as_deref().map(|path| {
        let text = read(path, FILE_BYTES_MAX)?;
        document(&path.display().to_string(), &text)
    });
    let path =
        if args.file == Path::new("-") { "standard input".into() } else { args.file.display().to_string() };
    let stem = args.file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let given =
        Given { path, stem, text, vars: pairs("var", &args.vars)?, prometheus: prometheus.transpose()? };
    let mut imported = (from.read)(&given)?;
    settle::settle(&mut imported);
    if imported.drafts.is_empty() {
        let why =
            imported.lost.iter().map(|lost| format!("\n  not imported: {}", imported.secrets.masked(lost)));
        return Err(Stop::file(format!(
            "nothing in {} can be imported{}",
            given.path,
            why.take(20).collect::<String>()
        )));
    }
    let files = imported.files(args.from.shown());
    let files: Vec<_> = files.into_iter().map(|(path, text)| (path, canonical(text))).collect();
    match &args.into {
        Some(folder) => write(folder, &files, out)?,
        None => print(&files, out),
    }
    tell(&imported, out);
    Ok(Exit::Good)
}

/// The text in the form that `prober fmt` gives it.
fn canonical(text: String) -> String {
    scenario::fmt::format(0, &text, &KINDS).unwrap_or(text)
}

fn read(path: &Path, most: usize) -> Result<String, Stop> {
    let shown = path.display();
    let cannot = |error: std::io::Error| Stop::file(format!("{shown} could not be read: {error}"));
    let mut bytes = Vec::new();
    let limit = most as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        // Asked before it is opened: opening a pipe waits for somebody to write.
        if !fs::metadata(path).map_err(cannot)?.is_file() {
            return Err(Stop::file(format!("{shown} is no file")));
        }
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(cannot)?;
    }
    if bytes.len() > most {
        return Err(Stop::file(format!("{shown} is longer than {} KiB", most >> 10)));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Stop::file(format!("{shown} is not UTF-8 text (byte {at})"))
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// The only document of a YAML or JSON file, within the limits that scenario files have.
fn document(path: &str, text: &str) -> Result<Value, Stop> {
    let mut report = Report::default();
    let root = parse(0, text, &mut report).filter(|_| !report.has_errors());
    root.map(|root| root.json()).ok_or_else(|| {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        Stop::file(scenario::render::human(&report.finish(), &[source], &scenario::render::Style::PLAIN))
    })
}

/// The documents of a YAML file, one after the other: a document ends with a line of three dashes.
fn documents(path: &str, text: &str) -> Result<Vec<Value>, Stop> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            documents.push(String::new());
        } else if let Some(last) = documents.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    let has_content = |text: &&String| {
        text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    };
    documents.iter().filter(has_content).map(|text| document(path, text)).collect()
}

/// Prints every file below a line with its path.
fn print(files: &[(String, String)], out: &Out) {
    let parts = files.iter().map(|(path, text)| format!("# file: {path}\n{text}"));
    out.raw(parts.collect::<Vec<_>>().join("---\n").as_bytes());
    out.note("each part between lines of dashes is a file of its own; --into DIR writes them");
}

/// Writes every file below the folder; nothing if one of them is there already.
fn write(folder: &Path, files: &[(String, String)], out: &Out) -> Result<(), Stop> {
    if let Some((path, _)) = files.iter().find(|(path, _)| folder.join(path).exists()) {
        let path = folder.join(path);
        return Err(Stop::environment(format!("{} is there already; choose another folder", path.display())));
    }
    for (path, text) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        let written = fs::create_dir_all(parent)
            .and_then(|()| OpenOptions::new().write(true).create_new(true).open(&path))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            Stop::environment(format!("{} could not be written: {error}", path.display()))
        })?;
        out.line(&path.display().to_string());
    }
    Ok(())
}

/// What was imported, what was not, and which secrets must be there before it runs.
fn tell(imported: &Imported, out: &Out) {
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let scenarios = imported.drafts.iter().filter(|draft| draft.shape == draft::Shape::Scenario).count();
    let templates = imported.drafts.len() - scenarios;
    let templates =
        if templates == 0 { String::new() } else { format!(" and {}", count(templates, "template")) };
    let wanted: Vec<String> = {
        let all: String = imported.drafts.iter().map(|draft| imported.text(draft)).collect();
        let declared = imported.secrets.declared(&all);
        declared
            .values()
            .filter_map(|from| from.get("env").or(from.get("file")))
            .filter_map(words::said)
            .collect()
    };
    if !wanted.is_empty() {
        out.note(&format!("secrets are not written; give them before it runs: {}", wanted.join(", ")));
    }
    out.note(&format!(
        "{}{templates} imported, {} not imported{}",
        count(scenarios, "scenario"),
        count(imported.left_out(), "thing"),
        if imported.left_out() == 0 { "" } else { "; each is a comment `# not imported: …`" }
    ));
}
