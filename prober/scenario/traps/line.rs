//! One line of a file that is no YAML, as its author sees it: a key, a value, a comment, and what was left open.

use crate::source::Span;

/// One line of a file.
pub(super) struct Line<'a> {
    pub(super) file: u32,
    /// Where its first byte is in the file.
    pub(super) start: usize,
    pub(super) text: &'a str,
}

impl<'a> Line<'a> {
    /// The line that holds the byte at `offset`; the one before, if nothing stands there.
    pub(super) fn at(file: u32, text: &'a str, offset: usize) -> Self {
        let offset = text.floor_char_boundary(offset.min(text.len()));
        let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
        Self { file, start, text: text[start..end].trim_end_matches('\r') }
    }

    /// Where the quote or bracket stands that is still open at the line's end.
    pub(super) fn open_at_end(&self) -> Option<usize> {
        let mut open: Vec<(usize, char)> = Vec::new();
        for (at, letter) in self.text.char_indices() {
            match (open.last(), letter) {
                (Some((_, quote @ ('"' | '\''))), _) if *quote == letter => {
                    open.pop();
                }
                (_, '"' | '\'' | '[' | '{') => open.push((at, letter)),
                (_, ']' | '}') => {
                    open.pop();
                }
                (_, '#') if self.text[..at].ends_with([' ', '\t']) => break,
                _ => {}
            }
        }
        open.first().map(|(at, _)| *at)
    }

    pub(super) fn span(&self, from: usize, to: usize) -> Span {
        let at = |offset: usize| u32::try_from(self.start + offset).unwrap_or(u32::MAX);
        Span { file: self.file, start: at(from), end: at(to.max(from)) }
    }

    /// From `offset` to the end of the word there.
    pub(super) fn token(&self, offset: usize) -> Span {
        let from = offset.saturating_sub(self.start).min(self.text.len());
        let rest = &self.text[self.text.floor_char_boundary(from)..];
        let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.span(from, from + length.max(1).min(rest.len().max(1)))
    }

    /// The key before the first `: ` (empty for a list's item) and where the value starts.
    pub(super) fn value(&self) -> Option<(&'a str, usize)> {
        let indent = self.text.find(|letter: char| letter != ' ')?;
        let mut from = indent;
        while self.text[from..].starts_with("- ") {
            from += 2;
            from += self.text[from..].find(|letter: char| letter != ' ')?;
        }
        let body = &self.text[from..];
        let key_end = body.find(": ").filter(|end| {
            body[..*end]
                .chars()
                .all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '$'))
        });
        match key_end {
            Some(end) => {
                let gap = body[end + 1..].find(|letter: char| letter != ' ')?;
                Some((&body[..end], from + end + 1 + gap))
            }
            None if from > indent => Some(("", from)),
            None => None,
        }
    }
}

/// The value without the comment after it.
pub(super) fn without_comment(value: &str) -> &str {
    value.find(" #").map_or(value, |comment| &value[..comment]).trim_end()
}
