//! Report files: opened before anything runs, so that a file that cannot be written costs no run.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use super::formats::Format;
use crate::exit::Stop;

/// One `--report FORMAT=FILE`.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) format: &'static Format,
    pub(crate) path: PathBuf,
}

impl std::str::FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || super::formats::FORMATS.each_ref().map(|format| format.name).join(", ");
        let (name, path) = text.split_once('=').ok_or("write FORMAT=FILE, such as junit=report.xml")?;
        let format = Format::named(name).ok_or_else(|| {
            let near = scenario::suggest::nearest(name, super::formats::FORMATS.iter().map(|one| one.name));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("there is no format `{name}`: {}{near}", known())
        })?;
        if path.is_empty() {
            return Err("the file's name is missing".to_owned());
        }
        Ok(Self { format, path: path.into() })
    }
}

/// Open report files.
#[derive(Debug, Default)]
pub(crate) struct Reports(Vec<Open>);

#[derive(Debug)]
struct Open {
    report: Report,
    file: File,
    written: bool,
}

impl Reports {
    /// Opens every file; what was in it is gone, since an old report must not look like this one.
    ///
    /// # Errors
    /// A file cannot be written, or two reports would go to the same one.
    pub(crate) fn open(reports: &[Report]) -> Result<Self, Stop> {
        let mut all = Self::default();
        for report in reports {
            if all.0.iter().any(|open| open.report.path == report.path) {
                return Err(Stop::file(format!("two reports would go to {}", report.path.display())));
            }
            let file = File::create(&report.path).map_err(|error| {
                Stop::environment(format!(
                    "the report {} cannot be written, so nothing was run: {error}",
                    report.path.display()
                ))
            })?;
            all.0.push(Open { report: report.clone(), file, written: false });
        }
        Ok(all)
    }

    /// Writes every report.
    ///
    /// # Errors
    /// A file could not be written to its end; the others are.
    pub(crate) fn write(mut self, text: impl Fn(&'static Format) -> String) -> Result<(), Stop> {
        let mut wrong = Vec::new();
        for open in &mut self.0 {
            let text = text(open.report.format);
            open.written = true;
            if let Err(error) = open.file.write_all(text.as_bytes()).and_then(|()| open.file.flush()) {
                wrong.push(format!("the report {} is not complete: {error}", open.report.path.display()));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Stop::environment(wrong.join("\n"))) }
    }
}

impl Drop for Reports {
    /// A command that ends before it has anything to report leaves no empty file behind.
    fn drop(&mut self) {
        for open in self.0.iter().filter(|open| !open.written) {
            if open.file.metadata().is_ok_and(|facts| facts.is_file()) {
                drop(fs::remove_file(&open.report.path));
            }
        }
    }
}
