//! A file as its author laid it out: values with their spelling, comments and blank lines.

use std::borrow::Cow;

use granit_parser::ScalarStyle;

use crate::waiver;

/// A whole file. Entries and groups are numbered in the order in which they begin.
#[derive(Debug, Default)]
pub(super) struct Layout<'t> {
    pub(super) entries: Vec<Entry<'t>>,
    pub(super) groups: Vec<Group<'t>>,
    pub(super) root: Option<Piece<'t>>,
    pub(super) head: Head<'t>,
    /// Whether any value has a name or stands for one: then the order of keys means something.
    pub(super) has_anchors: bool,
    /// The texts of all comments, sorted.
    pub(super) comment_texts: Vec<&'t str>,
}

impl<'t> Layout<'t> {
    /// The value of an entry; every entry has one once the file is read.
    pub(super) fn value(&self, entry: usize) -> Option<&Piece<'t>> {
        self.entries[entry].value.as_ref()
    }

    /// The list or map in an entry.
    pub(super) fn group_in(&self, entry: usize) -> Option<usize> {
        self.value(entry).and_then(Piece::group)
    }
}

/// What stands before the first entry.
#[derive(Debug, Default)]
pub(super) struct Head<'t> {
    /// Comments before the document's start, if that is written out.
    pub(super) before: Vec<Comment<'t>>,
    /// Whether `---` is written out.
    pub(super) is_marked: bool,
    /// The comment on the line of `---`.
    pub(super) behind_mark: Option<Comment<'t>>,
    /// Comments about the file.
    pub(super) comments: Vec<Comment<'t>>,
    /// Whether a blank line ends them.
    pub(super) gap: bool,
}

/// A value.
#[derive(Debug)]
pub(super) struct Piece<'t> {
    pub(super) form: Form<'t>,
    pub(super) anchor: Option<&'t str>,
    /// Its first byte and one past its last.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Piece<'_> {
    /// The number of the list or map, if it is one.
    pub(super) fn group(&self) -> Option<usize> {
        match self.form {
            Form::Group(group) => Some(group),
            _ => None,
        }
    }

    /// Whether nothing is written for it.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.form, Form::Scalar(spelling)
            if spelling.style == ScalarStyle::Plain && spelling.source.is_empty())
    }
}

/// The shapes of a value.
#[derive(Debug)]
pub(super) enum Form<'t> {
    /// A single value.
    Scalar(Spelling<'t>),
    /// `*name`, as it is written.
    Alias(&'t str),
    /// A list or map: its number.
    Group(usize),
}

/// A single value as the file spells it.
#[derive(Debug)]
pub(super) struct Spelling<'t> {
    pub(super) style: ScalarStyle,
    /// The value.
    pub(super) text: Cow<'t, str>,
    /// The bytes of the file; of a block text only its content.
    pub(super) source: &'t str,
    /// The indentation of a block text's content.
    pub(super) indent: usize,
    /// What follows the `|` or `>` of a block text.
    pub(super) header: &'t str,
}

/// A list or map.
#[derive(Debug)]
pub(super) struct Group<'t> {
    pub(super) is_map: bool,
    pub(super) is_flow: bool,
    /// Whether a flow form has its first item on a line of its own.
    pub(super) is_expanded: bool,
    /// The indentation of a block form.
    pub(super) column: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) entries: Vec<usize>,
    /// The entry that holds it; `None` for the root.
    pub(super) owner: Option<usize>,
    /// Comments after the last entry.
    pub(super) tail: Vec<Comment<'t>>,
}

/// An item of a list, or a key of a map with its value.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    pub(super) group: usize,
    pub(super) key: Option<Key<'t>>,
    pub(super) value: Option<Piece<'t>>,
    /// Where it begins: the key, the dash, or the item itself.
    pub(super) start: usize,
    /// Whether a blank line is right before it.
    pub(super) blank: bool,
    /// Comments on lines of their own before it.
    pub(super) leading: Vec<Comment<'t>>,
    /// Comments on its own line.
    pub(super) trailing: Vec<Comment<'t>>,
    /// Comments below a key that has no value.
    pub(super) inner: Vec<Comment<'t>>,
}

impl Entry<'_> {
    /// Whether a waiver is for its line, which must then stay one line.
    pub(super) fn is_waived(&self) -> bool {
        self.leading.iter().chain(&self.trailing).any(Comment::is_waiver)
    }
}

/// A key of a map.
#[derive(Debug)]
pub(super) struct Key<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) anchor: Option<&'t str>,
    pub(super) alias: Option<&'t str>,
    /// One past its last byte.
    pub(super) end: usize,
}

impl Comment<'_> {
    /// Whether it waives a warning of a line, or of the whole file if it stands at the head.
    pub(super) fn is_waiver(&self) -> bool {
        waiver::is_waiver(self.text)
    }
}

/// A comment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Comment<'t> {
    /// With its `#`, without white space at the end.
    pub(super) text: &'t str,
    pub(super) start: usize,
    /// Its column.
    pub(super) column: usize,
    /// How many spaces are before it, after a value.
    pub(super) gap: usize,
    /// Whether it has a line of its own.
    pub(super) is_own_line: bool,
    /// Whether a blank line is before it.
    pub(super) blank: bool,
}
