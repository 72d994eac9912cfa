//! `prober import FROM FILE`: scenarios from the files of other tools.
//!
//! [`SOURCES`] is the one table. What has no place here becomes a comment `# not imported: …` where it would stand,
//! and is counted at the end; secrets become references, and their values are not written anywhere.

mod blackbox;
#[cfg(test)]
mod corpus;
mod curl;
mod draft;
mod expect;
mod gatus;
mod har;
mod heartbeat;
mod hurl;
mod k8s_probe;
mod load;
mod openapi;
mod secrets;
mod settle;
mod words;
mod yaml;

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use probe::KINDS;
use serde_json::Value;

use super::args::{Import, ImportFrom};
use super::out::Out;
use super::place::pairs;
use crate::exit::{Exit, Stop};
use draft::Imported;
use load::{BYTES_MAX, document};

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
    From { which: ImportFrom::Blackbox, bytes_max: BYTES_MAX, read: blackbox::read },
    From { which: ImportFrom::Gatus, bytes_max: BYTES_MAX, read: gatus::read },
    From { which: ImportFrom::Curl, bytes_max: BYTES_MAX, read: curl::read },
    From { which: ImportFrom::Hurl, bytes_max: BYTES_MAX, read: hurl::read },
    From { which: ImportFrom::Openapi, bytes_max: BYTES_MAX, read: openapi::read },
    From { which: ImportFrom::Har, bytes_max: RECORDING_BYTES_MAX, read: har::read },
    From { which: ImportFrom::K8sProbe, bytes_max: BYTES_MAX, read: k8s_probe::read },
    From { which: ImportFrom::Heartbeat, bytes_max: BYTES_MAX, read: heartbeat::read },
];

/// Reads the file, and prints or writes what comes of it.
pub(crate) fn import(args: &Import, out: &Out) -> Result<Exit, Stop> {
    let from = SOURCES.iter().find(|from| from.which == args.from).expect("the table has every one");
    let text = read(&args.file, from.bytes_max)?;
    let prometheus = args.prometheus.as_deref().map(|path| {
        let text = read(path, BYTES_MAX)?;
        document(&path.display().to_string(), &text)
    });
    let path = if is_stdin(&args.file) { "standard input".into() } else { args.file.display().to_string() };
    // A pipe has a number, which is no name.
    let named = args.file.file_stem().filter(|_| !is_stdin(&args.file) && args.file.is_file());
    let stem = named.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let given =
        Given { path, stem, text, vars: pairs("var", &args.vars)?, prometheus: prometheus.transpose()? };
    let imported = take(from, &given)?;
    let files = written(&imported, args.from);
    if let Some(folder) = &args.into {
        write(folder, &files, out)?;
    } else {
        out.raw(printed(&files).as_bytes());
        out.note("each part between lines of dashes is a file of its own; --into DIR writes them");
    }
    for line in told(&imported) {
        out.note(&line);
    }
    Ok(Exit::Good)
}

/// All that comes of a file.
fn take(from: &From, given: &Given) -> Result<Imported, Stop> {
    let mut imported = (from.read)(given)?;
    settle::settle(&mut imported);
    if !imported.drafts.is_empty() {
        return Ok(imported);
    }
    let why = imported.lost.iter().map(|lost| {
        let lost = words::line(&imported.secrets.masked(lost));
        format!("\n  not imported: {lost}")
    });
    let why: String = why.take(20).collect();
    Err(Stop::file(format!("nothing in {} can be imported{why}", given.path)))
}

/// Every file with its path and its text.
fn written(imported: &Imported, from: ImportFrom) -> Vec<(String, String)> {
    let files = imported.files(from.shown());
    files.into_iter().map(|(path, text)| (path, canonical(text))).collect()
}

/// The text in the form that `prober fmt` gives it.
fn canonical(text: String) -> String {
    scenario::fmt::format(0, &text, &KINDS).unwrap_or(text)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn read(path: &Path, most: usize) -> Result<String, Stop> {
    let shown = path.display();
    let cannot = |error: std::io::Error| Stop::file(format!("{shown} could not be read: {error}"));
    let mut bytes = Vec::new();
    let limit = most as u64 + 1;
    if is_stdin(path) {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        // A pipe is read like standard input, as `<(…)` of a shell is one; what is asked of the others never ends, or is no text.
        let kind = fs::metadata(path).map_err(cannot)?.file_type();
        if kind.is_dir() || kind.is_block_device() || kind.is_socket() {
            return Err(Stop::file(format!("{shown} is no file and no pipe")));
        }
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(cannot)?;
    }
    if bytes.len() > most {
        return Err(Stop::file(format!("{shown} is longer than {} KiB", most >> 10)));
    }
    let text = decoded(bytes).map_err(|at| Stop::file(format!("{shown} is not UTF-8 text (byte {at})")))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// The text of a file: UTF-8, or UTF-16 with its mark, as PowerShell writes files.
fn decoded(bytes: Vec<u8>) -> Result<String, usize> {
    let units = |read: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let wide = match bytes.get(..2) {
        Some([0xff, 0xfe]) => units(u16::from_le_bytes),
        Some([0xfe, 0xff]) => units(u16::from_be_bytes),
        _ => None,
    };
    match wide {
        Some(text) => Ok(text),
        None => String::from_utf8(bytes).map_err(|error| error.utf8_error().valid_up_to()),
    }
}

/// Every file below a line with its path.
fn printed(files: &[(String, String)]) -> String {
    let parts = files.iter().map(|(path, text)| format!("# file: {path}\n{text}"));
    parts.collect::<Vec<_>>().join("---\n")
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
fn told(imported: &Imported) -> Vec<String> {
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
    let mut told = Vec::new();
    if !wanted.is_empty() {
        told.push(format!("secrets are not written; give them before it runs: {}", wanted.join(", ")));
    }
    told.push(format!(
        "{}{templates} imported, {} not imported{}",
        count(scenarios, "scenario"),
        count(imported.left_out(), "thing"),
        if imported.left_out() == 0 { "" } else { "; each is a comment `# not imported: …`" }
    ));
    told
}
