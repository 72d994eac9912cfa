//! Files, positions and spans.

/// A range of bytes in one of the files that are compiled together.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Index of the file among the sources.
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The part of this span from byte `from` to byte `to`, counted from its start.
    #[must_use]
    pub fn part(self, from: usize, to: usize) -> Self {
        let at = |offset: usize| self.start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        Self { file: self.file, start: at(from).min(self.end), end: at(to).min(self.end) }
    }
}

/// A value and where it stands in its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value with its place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Changes the value and keeps the place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

/// One file handed to the compiler.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as people should see it.
    pub path: String,
    /// The whole text.
    pub text: String,
}
