//! Files with their trees, and who makes those.

use std::fmt;

use crate::diagnostic::Report;
use crate::source::Source;
use crate::tree::{Node, parse};

/// A file's tree, if it has one, and what is wrong with its YAML.
#[derive(Debug, Default)]
pub struct Parsed {
    pub(crate) root: Option<Node>,
    pub(crate) report: Report,
}

impl Parsed {
    /// Parses the file that spans count as `index`.
    pub fn of(index: usize, source: &Source) -> Self {
        let mut report = Report::default();
        let root = parse(u32::try_from(index).unwrap_or(u32::MAX), &source.text, &mut report);
        Self { root, report }
    }
}

/// Takes a file's index, the file, and what [`Parsed::of`] makes of it.
pub type Take<'a> = dyn FnMut(usize, &Source, Parsed) + 'a;

/// Gives the files from the one at an index on, each parsed, in their order and once.
pub type EachParsed = fn(&[Source], usize, &mut Take<'_>);

/// How files are parsed: one after another, or, where the caller has threads, ahead of what is made of them.
///
/// Nothing here has threads: whoever compiles hands in how. The result is the same.
#[derive(Copy, Clone)]
pub struct Ahead(pub EachParsed);

impl Default for Ahead {
    fn default() -> Self {
        Self(one_by_one)
    }
}

impl fmt::Debug for Ahead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Ahead")
    }
}

/// Parses each file when it is taken.
pub fn one_by_one(files: &[Source], from: usize, take: &mut Take<'_>) {
    for (index, source) in files.iter().enumerate().skip(from) {
        take(index, source, Parsed::of(index, source));
    }
}
