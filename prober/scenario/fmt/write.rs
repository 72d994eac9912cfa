//! A layout to lines.

use std::borrow::Cow;

use super::layout::{Comment, Form, Key, Layout, Piece};
use super::lines::Lines;
use super::order::{Order, Role};
use super::quote::{self, Place};
use super::scalar::{self, Written};
use super::{COLUMNS_MAX, INDENT};

/// The canonical text of a layout.
pub(super) fn write(layout: &Layout<'_>, order: &Order) -> String {
    let mut writer = Writer { layout, order, lines: Lines::default() };
    writer.file();
    writer.lines.finish()
}

struct Writer<'l, 't> {
    layout: &'l Layout<'t>,
    order: &'l Order,
    lines: Lines,
}

/// A list or map that is written as a block, and what it is to the language.
#[derive(Copy, Clone)]
struct Block {
    group: usize,
    /// Whether a waiver is for the line of the entry that holds it.
    is_waived: bool,
    indent: usize,
    role: Role,
}

impl<'l> Writer<'l, '_> {
    fn file(&mut self) {
        let head = &self.layout.head;
        self.comments(&head.before, 0);
        if head.is_marked {
            self.lines.push("---".to_owned());
            self.lines.behind(head.behind_mark.as_slice());
        }
        self.comments(&head.comments, 0);
        if head.gap {
            self.lines.blank();
        }
        let Some(root) = &self.layout.root else { return };
        let all = Block { group: 0, is_waived: false, indent: 0, role: Role::Free };
        let filled = |group: &usize| !self.layout.groups[*group].entries.is_empty();
        let Some(group) = root.group().filter(filled) else {
            self.value(root, "", &[], all);
            return;
        };
        if let Some(anchor) = root.anchor {
            self.lines.push(anchor.to_owned());
        }
        let entries = &self.layout.groups[group].entries;
        let keys = entries.iter().filter_map(|entry| self.layout.entries[*entry].key.as_ref());
        let role = self.order.root(&keys.map(|key| &*key.text).collect::<Vec<_>>());
        self.block(Block { group, role, ..all }, None);
    }

    /// Comments on lines of their own.
    fn comments(&mut self, comments: &[Comment<'_>], indent: usize) {
        for comment in comments {
            if comment.blank {
                self.lines.blank();
            }
            self.lines.push(format!("{:indent$}{}", "", comment.text));
        }
    }

    /// A list or map, an entry a line; the first stands behind `lead`, if there is one.
    fn block(&mut self, block: Block, mut lead: Option<String>) {
        for (index, number) in self.sorted(block).into_iter().enumerate() {
            let lead = lead.take().unwrap_or_else(|| {
                let is_nested = self.layout.groups[block.group].owner.is_some();
                self.above(number, block, index == 0 && is_nested);
                " ".repeat(block.indent)
            });
            self.entry(number, block, lead);
        }
        self.comments(&self.layout.groups[block.group].tail, block.indent);
    }

    /// The comments and the blank line above an entry.
    fn above(&mut self, number: usize, block: Block, begins_group: bool) {
        let mut comments = Vec::new();
        self.collect_above(number, block, &mut comments);
        for (index, comment) in comments.iter().enumerate() {
            if comment.blank && !(begins_group && index == 0) {
                self.lines.blank();
            }
            self.lines.push(format!("{:indent$}{}", "", comment.text, indent = block.indent));
        }
        if self.layout.entries[number].blank && !(begins_group && comments.is_empty()) {
            self.lines.blank();
        }
    }

    /// The comments above an entry: its own, those that find no place behind it, and, where a list or map begins
    /// behind its dash, those of the first entry there.
    fn collect_above(&self, number: usize, block: Block, found: &mut Vec<&'l Comment<'l>>) {
        let entry = &self.layout.entries[number];
        let behind = self.behind(number, block).len();
        found.extend(&entry.leading);
        found.extend(&entry.trailing[..entry.trailing.len() - behind]);
        if let Some(inner) = self.compact(number, block)
            && let Some(first) = self.sorted(inner).first()
        {
            self.collect_above(*first, inner, found);
        }
    }

    /// The comment that stands behind an entry, on its line.
    fn behind(&self, number: usize, block: Block) -> &'l [Comment<'l>] {
        let trailing = &self.layout.entries[number].trailing;
        // Behind the dash of a list or map there is no place.
        let most = usize::from(self.compact(number, block).is_none());
        &trailing[trailing.len().saturating_sub(most)..]
    }

    /// The list or map that begins behind an item's dash.
    fn compact(&self, number: usize, block: Block) -> Option<Block> {
        let entry = &self.layout.entries[number];
        let value = entry.value.as_ref().filter(|value| entry.key.is_none() && value.anchor.is_none())?;
        let inner = self.inner(value, Block { is_waived: entry.is_waived(), ..block }, None)?;
        self.flow(inner, block.indent + INDENT).is_none().then_some(inner)
    }

    /// The list or map that is the value under `key`, or of an item.
    fn inner(&self, value: &Piece<'_>, block: Block, key: Option<&str>) -> Option<Block> {
        let role = self.order.child(block.role, key);
        let indent = block.indent + INDENT;
        value.group().map(|group| Block { group, is_waived: block.is_waived, indent, role })
    }

    /// An entry behind `lead`, which is its indentation or the dashes before it.
    fn entry(&mut self, number: usize, block: Block, mut lead: String) {
        let entry = &self.layout.entries[number];
        let Some(value) = &entry.value else { return };
        match &entry.key {
            Some(key) => {
                lead += &self.key(key, block.role, false);
                lead.push(' ');
            }
            None => lead += "- ",
        }
        let behind = self.behind(number, block);
        let block = Block { is_waived: entry.is_waived(), ..block };
        let key = entry.key.as_ref().map(|key| &*key.text);
        if let Some(inner) = self.compact(number, block) {
            self.block(inner, Some(lead));
        } else {
            let role = self.order.child(block.role, key);
            self.value(value, &lead, behind, Block { role, ..block });
        }
        self.comments(&entry.inner, block.indent + INDENT);
    }

    /// A value behind its key or dash, in a block; `block` has the value's own role.
    fn value(&mut self, value: &Piece<'_>, lead: &str, behind: &[Comment<'_>], block: Block) {
        let indent = block.indent + INDENT;
        let lead = value.anchor.map_or_else(|| lead.to_owned(), |anchor| format!("{lead}{anchor} "));
        match &value.form {
            Form::Alias(alias) => self.lines.push(lead + alias),
            Form::Scalar(spelling) => match scalar::in_block(spelling) {
                Written::Line(text) => self.lines.push((lead + &text).trim_end().to_owned()),
                Written::Lines(lines) => self.wrapped(lead, &lines, indent),
                Written::Block { header, lines, keeps_blanks } => {
                    self.lines.push(lead + &header);
                    self.lines.behind(behind);
                    return self.block_text(&lines, indent, keeps_blanks);
                }
            },
            Form::Group(group) => {
                let block = Block { group: *group, ..block };
                let Some(flow) = self.flow(block, lead.chars().count()) else {
                    self.lines.push(lead.trim_end().to_owned());
                    self.lines.behind(behind);
                    return self.block(Block { indent, ..block }, None);
                };
                self.lines.push(lead + &flow);
            }
        }
        self.lines.behind(behind);
    }

    fn wrapped(&mut self, lead: String, lines: &[String], indent: usize) {
        let mut lead = Some(lead);
        for line in lines {
            match lead.take() {
                Some(lead) => self.lines.push(lead + line),
                None => self.lines.push(indented(line, indent)),
            }
        }
    }

    fn block_text(&mut self, lines: &[String], indent: usize, keeps_blanks: bool) {
        for line in lines {
            self.lines.push(indented(line, indent));
        }
        if keeps_blanks {
            self.lines.keep_blanks();
        }
    }

    /// A list or map on one line, behind `before` characters; `None` if it must be a block.
    fn flow(&self, block: Block, before: usize) -> Option<String> {
        let mut out = String::new();
        self.flow_group(block, &mut out)?;
        let fits = before + out.chars().count() <= COLUMNS_MAX;
        // There is no block without entries, however long the key.
        let is_empty = self.layout.groups[block.group].entries.is_empty();
        (block.is_waived || is_empty || fits).then_some(out)
    }

    fn flow_group(&self, block: Block, out: &mut String) -> Option<()> {
        let group = &self.layout.groups[block.group];
        let is_empty = group.entries.is_empty();
        // An empty one is no block.
        if !group.is_flow || (group.is_expanded && !is_empty) || !group.tail.is_empty() {
            return None;
        }
        let (open, close) = match (group.is_map, is_empty) {
            (true, true) => ("{", "}"),
            (true, false) => ("{ ", " }"),
            (false, _) => ("[", "]"),
        };
        out.push_str(open);
        for (index, entry) in self.sorted(block).into_iter().enumerate() {
            let entry = &self.layout.entries[entry];
            let commented =
                [&entry.leading, &entry.trailing, &entry.inner].iter().any(|list| !list.is_empty());
            // Four bytes are the longest character.
            if commented || (!block.is_waived && out.len() > 4 * COLUMNS_MAX) {
                return None;
            }
            if index > 0 {
                out.push_str(", ");
            }
            if let Some(key) = &entry.key {
                out.push_str(&self.key(key, block.role, true));
                out.push(' ');
            }
            let role = self.order.child(block.role, entry.key.as_ref().map(|key| &*key.text));
            self.flow_value(entry.value.as_ref()?, Block { role, ..block }, out)?;
        }
        out.push_str(close);
        Some(())
    }

    fn flow_value(&self, value: &Piece<'_>, block: Block, out: &mut String) -> Option<()> {
        if let Some(anchor) = value.anchor {
            out.push_str(anchor);
            out.push(' ');
        }
        match &value.form {
            Form::Alias(alias) => out.push_str(alias),
            Form::Scalar(spelling) => out.push_str(&scalar::in_flow(spelling)),
            Form::Group(group) => self.flow_group(Block { group: *group, ..block }, out)?,
        }
        Some(())
    }

    /// A key with its colon.
    fn key(&self, key: &Key<'_>, role: Role, in_flow: bool) -> String {
        let anchor = key.anchor.map_or_else(String::new, |anchor| format!("{anchor} "));
        if let Some(alias) = key.alias {
            return format!("{anchor}{alias} :");
        }
        let is_ours = self.order.rank(role, &key.text).is_some();
        let text: Cow<'_, str> = if is_ours {
            (&*key.text).into()
        } else {
            quote::text(&key.text, Place { is_key: true, in_flow }).into()
        };
        format!("{anchor}{text}:")
    }

    /// The entries in the order in which they are written.
    fn sorted(&self, block: Block) -> Vec<usize> {
        let group = &self.layout.groups[block.group];
        if !group.is_map || self.layout.has_anchors {
            return group.entries.clone();
        }
        // A key that has no place of its own stays behind the one that it follows.
        let mut last = 0;
        let mut rank = |entry: &usize| {
            let key = self.layout.entries[*entry].key.as_ref();
            let own = key.and_then(|key| self.order.rank(block.role, &key.text));
            last = own.map_or(last, |own| own + 1);
            last
        };
        let mut numbered: Vec<_> = group.entries.iter().map(|entry| (rank(entry), *entry)).collect();
        numbered.sort_by_key(|(rank, _)| *rank);
        let sorted: Vec<_> = numbered.into_iter().map(|(_, entry)| entry).collect();
        // A waiver that came to stand above the first key would be for the whole file.
        let widened = sorted.first().is_some_and(|first| {
            let leading = &self.layout.entries[*first].leading;
            Some(first) != group.entries.first() && leading.iter().any(Comment::is_waiver)
        });
        if widened && group.owner.is_none() { group.entries.clone() } else { sorted }
    }
}

fn indented(line: &str, indent: usize) -> String {
    if line.is_empty() { String::new() } else { format!("{:indent$}{line}", "") }
}
