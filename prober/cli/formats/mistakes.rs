//! What is known about mistakes in files when they are shown.

use std::collections::BTreeMap;

use scenario::diagnostic::{Diagnostic, Severity};
use scenario::render::{Position, locate};
use scenario::source::{Source, Span};

/// All mistakes of all files.
#[derive(Debug)]
pub(crate) struct Mistakes<'a> {
    pub(crate) diagnostics: &'a [Diagnostic],
    pub(crate) sources: &'a [Source],
    /// Whether warnings are errors.
    pub(crate) strict: bool,
    /// What was looked at: `2 scenarios in 1 region, 3 files`.
    pub(crate) counted: &'a str,
    /// Whether the human format has colours.
    pub(crate) colour: bool,
    /// From the repository's root to the folder that paths count from; ends in `/` unless empty.
    pub(crate) prefix: &'a str,
}

impl<'a> Mistakes<'a> {
    /// Whether the mistake is an error here.
    pub(crate) fn is_error(&self, diagnostic: &Diagnostic) -> bool {
        diagnostic.severity == Severity::Error || self.strict
    }

    /// Whether anything is an error here.
    pub(crate) fn any_error(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| self.is_error(diagnostic))
    }

    /// The file of a mistake from the repository's root, and the place in it.
    pub(crate) fn place(&self, span: Span) -> (String, Position) {
        let (path, at) = locate(span, self.sources);
        (self.path(path), at)
    }

    /// Where the wrong token ends.
    pub(crate) fn end(&self, span: Span) -> Position {
        locate(Span { start: span.end.max(span.start), ..span }, self.sources).1
    }

    /// The path from the repository's root.
    pub(crate) fn path(&self, path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { format!("{}{path}", self.prefix) }
    }

    /// Every file with its mistakes, in the files' order.
    pub(crate) fn by_file(&self) -> Vec<(&'a Source, Vec<&'a Diagnostic>)> {
        let mut of: BTreeMap<usize, Vec<&Diagnostic>> = BTreeMap::new();
        for diagnostic in self.diagnostics {
            of.entry(diagnostic.span.file as usize).or_default().push(diagnostic);
        }
        let sources = self.sources.iter().enumerate();
        sources.map(|(index, source)| (source, of.remove(&index).unwrap_or_default())).collect()
    }

    /// `E102: unknown key`, for formats whose lines are short.
    pub(crate) fn sentence(diagnostic: &Diagnostic) -> String {
        let label = if diagnostic.label.is_empty() { "" } else { ": " };
        let mut text = format!("{}{label}{}", diagnostic.message, diagnostic.label);
        for help in &diagnostic.help {
            text += "\nhelp: ";
            text += help;
        }
        text
    }
}
