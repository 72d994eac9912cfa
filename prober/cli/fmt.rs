//! `prober fmt`: files in their canonical form.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use probe::KINDS;
use scenario::diagnostic::Diagnostic;
use scenario::fmt::{Refusal, VERSION, format, upgrade};
use scenario::render::{self, Style};
use scenario::source::Source;
use scenario::tree::FILE_BYTES_MAX;
use similar::TextDiff;

use super::args::{Fmt, Global};
use super::out::Out;
use super::place::place;
use super::replace::replace;
use crate::agent::load::{LoadError, patterns};
use crate::exit::{Exit, Stop};

/// How long a difference is made as short as it can be.
const DIFF_WITHIN: Duration = Duration::from_secs(1);

/// Formats what was named. Exit code 2 if a file cannot be formatted, or with `--check` would change.
pub(crate) fn fmt(global: &Global, args: &Fmt, out: &Out) -> Result<Exit, Stop> {
    let is_stdin = args.paths.iter().any(|path| path == Path::new("-"));
    if is_stdin && args.paths.len() > 1 {
        return Err(Stop::file("`-` is standard input, and cannot be named with other files"));
    }
    let place = if is_stdin { None } else { Some(place(global, &args.paths)?) };
    let found = match &place {
        None => vec![(stdin()?, None)],
        Some(place) => place.each(patterns).map_err(LoadError::from)?,
    };
    let base = place.as_ref().map(|place| &*place.base);
    let mut work = Work { args, out, base, changed: 0, kept: 0, refused: 0, mistakes: Vec::new() };
    for (index, (source, fault)) in found.iter().enumerate() {
        match fault {
            Some(fault) => work.refuse(source, Refusal::Mistakes(vec![fault.diagnostic(number(index))])),
            None => work.file(index, source)?,
        }
    }
    if !work.mistakes.is_empty() {
        let sources: Vec<_> = found.into_iter().map(|(source, _)| source).collect();
        let style = if out.colour { Style::COLOUR } else { Style::PLAIN };
        out.complain(render::human(&work.mistakes, &sources, &style).trim_end());
    }
    if base.is_some() {
        out.note(&work.summary());
    }
    let wrong = work.refused > 0 || (args.check && work.changed > 0);
    Ok(if wrong { Exit::File } else { Exit::Good })
}

/// What is done, and what has come of it so far.
struct Work<'a> {
    args: &'a Fmt,
    out: &'a Out,
    /// The folder that paths are shown from; `None` for standard input.
    base: Option<&'a Path>,
    changed: usize,
    kept: usize,
    refused: usize,
    mistakes: Vec<Diagnostic>,
}

impl Work<'_> {
    fn file(&mut self, index: usize, source: &Source) -> Result<(), Stop> {
        let text = match canonical(index, source, self.args.upgrade) {
            Ok(text) => text,
            Err(refusal) => {
                self.refuse(source, refusal);
                return Ok(());
            }
        };
        let changes = text != source.text;
        *(if changes { &mut self.changed } else { &mut self.kept }) += 1;
        match self.base {
            _ if self.args.diff => self.out.raw(difference(source, &text).as_bytes()),
            None if !self.args.check => self.out.raw(text.as_bytes()),
            _ if !changes => {}
            Some(base) if !self.args.check => {
                replace(&base.join(&source.path), &source.text, &text).map_err(|error| {
                    Stop::environment(format!("{} could not be written: {error}", source.path))
                })?;
                self.out.line(&source.path);
            }
            _ => self.out.line(&source.path),
        }
        Ok(())
    }

    fn refuse(&mut self, source: &Source, refusal: Refusal) {
        self.refused += 1;
        match refusal {
            Refusal::Mistakes(mistakes) => self.mistakes.extend(mistakes),
            Refusal::Unsafe => self.out.complain(&format!("{}: {refusal}; it is left as it is", source.path)),
        }
    }

    fn summary(&self) -> String {
        let files = |count: usize| format!("{count} file{}", if count == 1 { "" } else { "s" });
        let verb = if self.args.check || self.args.diff { "would change" } else { "changed" };
        let refused = match self.refused {
            0 => String::new(),
            refused => format!(", {refused} cannot be formatted"),
        };
        let upgraded = if self.args.upgrade {
            format!("; version {VERSION} of the language is the newest, nothing to upgrade")
        } else {
            String::new()
        };
        format!("{} {verb}, {} as they are{refused}{upgraded}", files(self.changed), self.kept)
    }
}

fn canonical(index: usize, source: &Source, upgraded: bool) -> Result<String, Refusal> {
    let file = number(index);
    if !upgraded {
        return format(file, &source.text, &KINDS);
    }
    format(file, &upgrade(file, &source.text)?.text, &KINDS)
}

/// The number of a file in the places of mistakes.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// What changes, as a unified difference; empty if nothing does.
fn difference(source: &Source, text: &str) -> String {
    if source.text == text {
        return String::new();
    }
    let diff = TextDiff::configure().timeout(DIFF_WITHIN).diff_lines(&*source.text, text);
    diff.unified_diff().header(&source.path, &format!("{} (formatted)", source.path)).to_string()
}

fn stdin() -> Result<Source, Stop> {
    let mut bytes = Vec::new();
    let most = FILE_BYTES_MAX as u64 + 1;
    std::io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| Stop::environment(format!("standard input could not be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        Stop::file(format!("standard input is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()))
    })?;
    Ok(Source { path: "standard input".to_owned(), text })
}
