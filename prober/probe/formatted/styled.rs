//! Values written in any style: a list of bytes decides.

use super::written::Tree;

/// Decides, byte by byte and round and round, how values are written.
pub(super) struct Style<'a> {
    choices: &'a [u8],
    at: usize,
    comments: usize,
    out: String,
}

impl<'a> Style<'a> {
    pub(super) fn new(choices: &'a [u8]) -> Self {
        Self { choices, at: 0, comments: 0, out: String::new() }
    }

    /// The first of everything: blocks, double quotes, no comments.
    pub(super) fn plain() -> Style<'static> {
        Style::new(&[0])
    }

    /// The text of a file.
    pub(super) fn write(mut self, tree: &Tree) -> String {
        match self.pick(6) {
            1 => self.out.push_str("---\n"),
            2 => self.comment_line(0),
            3 => self.out.push_str("\n\n"),
            _ => {}
        }
        let Tree::Map(entries) = tree else { panic!("a file is a map") };
        self.map(entries, 0, false);
        if self.pick(4) == 1 {
            self.comment_line(0);
        }
        if self.pick(8) == 1 { self.out.replace('\n', "\r\n") } else { self.out }
    }

    fn pick(&mut self, most: usize) -> usize {
        let choice = self.choices[self.at % self.choices.len()];
        // Another round begins at another place, so that a few bytes give many styles.
        let round = self.at / self.choices.len();
        self.at += 1;
        if choice == 0 { 0 } else { (usize::from(choice) + round) % most }
    }

    fn comment(&mut self) {
        self.comments += 1;
        self.out.push_str("# c ");
        self.out.push_str(&self.comments.to_string());
    }

    fn comment_line(&mut self, indent: usize) {
        self.spaces(indent);
        self.comment();
        self.out.push('\n');
    }

    fn spaces(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
    }

    /// The end of a line that ends a value.
    fn end_line(&mut self) {
        if self.pick(5) == 1 {
            let gap = 1 + self.pick(4);
            self.spaces(gap);
            self.comment();
        }
        self.out.push('\n');
    }

    fn between(&mut self, indent: usize) {
        match self.pick(9) {
            1 => self.out.push('\n'),
            2 => self.out.push_str("\n\n\n"),
            3 => self.comment_line(indent),
            4 => {
                self.out.push('\n');
                self.comment_line(indent);
                self.out.push('\n');
            }
            _ => {}
        }
    }

    fn map(&mut self, entries: &[(String, Tree)], indent: usize, mut is_inline: bool) {
        let shift = self.pick(entries.len().max(1));
        for index in 0..entries.len() {
            let (key, value) = &entries[(index + shift) % entries.len()];
            if !std::mem::take(&mut is_inline) {
                self.between(indent);
                self.spaces(indent);
            }
            let key = self.text(key, true, None);
            self.out.push_str(&key);
            self.out.push(':');
            self.value(value, indent, false);
        }
    }

    fn list(&mut self, items: &[Tree], indent: usize, mut is_inline: bool) {
        for item in items {
            if !std::mem::take(&mut is_inline) {
                self.between(indent);
                self.spaces(indent);
            }
            self.out.push('-');
            self.value(item, indent, true);
        }
    }

    /// A value behind `key:` or `-`, to the end of its last line.
    fn value(&mut self, value: &Tree, indent: usize, is_item: bool) {
        let inner = indent + 1 + self.pick(4);
        match value {
            Tree::Map(entries) if !entries.is_empty() && self.pick(3) != 1 => {
                if is_item && self.pick(2) == 0 {
                    let gap = inner - indent;
                    self.spaces(gap);
                    return self.map(entries, inner + 1, true);
                }
                self.end_line();
                self.map(entries, inner, false);
            }
            Tree::List(items) if !items.is_empty() && self.pick(3) != 1 => {
                self.end_line();
                let same = !is_item && self.pick(3) == 1;
                self.list(items, if same { indent } else { inner }, false);
            }
            Tree::Map(_) | Tree::List(_) => {
                self.out.push(' ');
                self.flow(value, inner);
                self.end_line();
            }
            Tree::Plain(text) => {
                self.out.push(' ');
                self.out.push_str(text);
                self.end_line();
            }
            Tree::Text(text) => {
                self.out.push(' ');
                let text = self.text(text, false, Some(inner));
                self.out.push_str(&text);
                if text.starts_with(['|', '>']) { self.out.push('\n') } else { self.end_line() }
            }
        }
    }

    fn flow(&mut self, value: &Tree, indent: usize) {
        match value {
            Tree::Plain(text) => self.out.push_str(text),
            Tree::Text(text) => {
                let text = self.text(text, true, None);
                self.out.push_str(&text);
            }
            Tree::List(items) => {
                self.out.push('[');
                for item in items {
                    self.flow_gap(indent);
                    self.flow(item, indent);
                    self.out.push(',');
                }
                self.flow_gap(indent);
                self.out.push(']');
            }
            Tree::Map(entries) => {
                self.out.push('{');
                for (key, value) in entries {
                    self.flow_gap(indent);
                    let key = self.text(key, true, None);
                    self.out.push_str(&key);
                    self.out.push_str(": ");
                    self.flow(value, indent);
                    self.out.push(',');
                }
                self.flow_gap(indent);
                self.out.push('}');
            }
        }
    }

    fn flow_gap(&mut self, indent: usize) {
        match self.pick(12) {
            1 => {
                self.out.push(' ');
                self.comment();
                self.out.push('\n');
                self.spaces(indent);
            }
            2 => {
                self.out.push('\n');
                self.comment_line(indent);
                self.spaces(indent);
            }
            3 => {
                self.out.push('\n');
                self.spaces(indent);
            }
            4 => self.out.push_str("  "),
            _ => {}
        }
    }

    /// A text in some quotes; over several lines only where `wraps` gives their indentation.
    fn text(&mut self, text: &str, is_tight: bool, wraps: Option<usize>) -> String {
        let simple = |byte: u8| byte.is_ascii_alphanumeric() || (!is_tight && b"./_-".contains(&byte));
        let is_plain =
            text.starts_with(|letter: char| letter.is_ascii_alphabetic()) && text.bytes().all(simple);
        let is_word = ["true", "false", "null"].contains(&text.to_ascii_lowercase().as_str());
        let is_printable = text.chars().all(|letter| !letter.is_control());
        let is_trim = !text.is_empty() && text.trim() == text && is_printable;
        match (self.pick(6), wraps) {
            (1 | 2, _) if is_plain && !is_word => text.to_owned(),
            (3, _) if is_printable => format!("'{}'", text.replace('\'', "''")),
            (4, Some(indent)) if is_trim => format!("|-\n{:indent$}{text}", ""),
            (5, Some(indent)) if is_trim => format!(">-\n{:indent$}{text}", ""),
            (2, Some(indent)) if is_trim && text.contains(' ') && !text.contains("  ") => {
                let quoted = serde_json::Value::from(text).to_string();
                quoted.replacen(' ', &format!("\n{:indent$}", ""), 1)
            }
            _ => serde_json::Value::from(text).to_string(),
        }
    }
}
