//! One mistake in a file: a stable code, a place, a sentence and what to type instead.

use std::collections::HashSet;

use crate::source::Span;

/// How bad it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing runs until it is mended.
    Error,
    /// It runs, but is probably not what was meant; `--strict` makes it an error.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The stable code, such as `E102`; `prober explain E102` tells more.
    pub code: &'static str,
    /// One sentence in the user's words, without a full stop.
    pub message: String,
    /// The token that is wrong.
    pub span: Span,
    /// What stands under the caret; empty for nothing.
    pub label: String,
    /// A second place that matters, with its text.
    pub other: Option<Box<(Span, String)>>,
    /// What to type, one line each.
    pub help: Vec<String>,
    /// Whether the token may be a secret: its place is shown, its text is not.
    pub masked: bool,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span,
            label: String::new(),
            other: None,
            help: Vec::new(),
            masked: false,
        }
    }

    /// A warning at `span`.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// The same with a text under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same with a second place.
    #[must_use]
    pub fn other(mut self, span: Span, text: impl Into<String>) -> Self {
        self.other = Some(Box::new((span, text.into())));
        self
    }

    /// The same without the token's text, which may be a secret.
    #[must_use]
    pub fn masked(mut self) -> Self {
        self.masked = true;
        self
    }

    /// The same with one more line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// Where mistakes are collected; nothing stops at the first one.
#[derive(Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl FromIterator<Diagnostic> for Report {
    fn from_iter<T: IntoIterator<Item = Diagnostic>>(all: T) -> Self {
        Self { diagnostics: all.into_iter().collect() }
    }
}

impl Report {
    /// Adds a mistake.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds all of them.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        self.diagnostics.extend(diagnostics);
    }

    /// Whether any mistake is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Takes over the mistakes of another report.
    pub fn append(&mut self, other: Self) {
        self.diagnostics.extend(other.diagnostics);
    }

    /// Names a second place for all mistakes in a file that have none: where what stands in it is used.
    pub fn point(&mut self, file: u32, used: Span, text: &str) {
        for one in self.diagnostics.iter_mut().filter(|one| one.span.file == file && one.other.is_none()) {
            one.other = Some(Box::new((used, text.to_owned())));
        }
    }

    /// All mistakes, sorted by file and place, without repetitions: what is found again from another place,
    /// such as by a second use of a template, is the same mistake.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|diagnostic| (diagnostic.span, diagnostic.code));
        let mut seen = HashSet::with_capacity(self.diagnostics.len());
        let is_new: Vec<bool> = self
            .diagnostics
            .iter()
            .map(|one| seen.insert((one.span, one.code, one.message.as_str(), one.label.as_str())))
            .collect();
        drop(seen);
        let mut is_new = is_new.into_iter();
        self.diagnostics.retain(|_| is_new.next() == Some(true));
        self.diagnostics
    }
}
