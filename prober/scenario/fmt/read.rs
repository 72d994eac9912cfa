//! Parser events to a layout.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Scanner, StrInput, StructureStyle, TokenType};

use super::comments;
use super::layout::{Comment, Entry, Form, Group, Head, Key, Layout, Piece, Spelling};

/// The layout of a text that is known to be sound; `None` if it cannot be followed.
///
/// Line ends must be `\n` only.
pub(super) fn read(text: &str) -> Option<Layout<'_>> {
    let options = granit_parser::options! {
        emit_comments: true,
        emit_anchor_events: true,
        disallow_directives: true,
        max_buffered_comment_events: usize::MAX,
    };
    let mut reader = Reader {
        text,
        lines: Lines::of(text),
        dashes: dashes(text)?,
        layout: Layout::default(),
        open: Vec::new(),
        comments: Vec::new(),
        start: None,
    };
    let mut events = Parser::new_from_str_with_options(text, options).peekable();
    while let Some(event) = events.next() {
        let (event, place) = event.ok()?;
        let range = place.byte_range()?;
        let anchor = match events.peek() {
            Some(Ok((Event::Anchor(..), place))) => place.byte_range(),
            _ => None,
        };
        reader.event(event, &Place { at: range, indent: place.indent, anchor })?;
    }
    Some(reader.finish())
}

/// Where an event stands.
struct Place {
    at: Range<usize>,
    /// The indentation of a block text's content.
    indent: Option<usize>,
    /// The name that its value carries.
    anchor: Option<Range<usize>>,
}

impl Place {
    /// Where its value begins, the name included.
    fn begin(&self) -> usize {
        self.anchor.as_ref().map_or(self.at.start, |anchor| anchor.start.min(self.at.start))
    }
}

struct Reader<'t> {
    text: &'t str,
    lines: Lines,
    dashes: VecDeque<usize>,
    layout: Layout<'t>,
    /// The groups that have not ended.
    open: Vec<usize>,
    comments: Vec<Comment<'t>>,
    /// Where `---` stands, if it is written out.
    start: Option<usize>,
}

impl<'t> Reader<'t> {
    fn event(&mut self, event: Event<'t>, place: &Place) -> Option<()> {
        let at = &place.at;
        match event {
            Event::DocumentStart(true, _) => self.start = Some(at.start),
            Event::Comment(..) => self.comment(at)?,
            Event::Alias(_) => {
                self.layout.has_anchors = true;
                let form = Form::Alias(self.text.get(at.clone())?);
                self.node(Piece { form, anchor: None, start: at.start, end: at.end }, at.start)?;
            }
            Event::Scalar(text, style, ..) => {
                let anchor = self.anchor(place);
                let spelling = self.spelling(text, style, place)?;
                let end = at.start + spelling.source.trim_end().len();
                let piece = Piece { form: Form::Scalar(spelling), anchor, start: at.start, end };
                self.node(piece, place.begin())?;
            }
            Event::SequenceStart(style, ..) => self.group(style, false, place)?,
            Event::MappingStart(style, ..) => self.group(style, true, place)?,
            Event::SequenceEnd | Event::MappingEnd => {
                let group = self.open.pop()?;
                self.layout.groups[group].end = at.end;
            }
            _ => {}
        }
        Some(())
    }

    /// The name that a value carries, with its `&`.
    fn anchor(&mut self, place: &Place) -> Option<&'t str> {
        let anchor = place.anchor.clone()?;
        self.layout.has_anchors = true;
        self.text.get(anchor)
    }

    fn comment(&mut self, at: &Range<usize>) -> Option<()> {
        let line = self.lines.of_byte(at.start);
        let before = self.text.get(self.lines.0[line].start..at.start)?;
        let marker = before.starts_with("...");
        let is_own_line = marker || before.trim_start().is_empty();
        self.comments.push(Comment {
            text: self.text.get(at.clone())?.trim_end(),
            start: at.start,
            column: if marker { 0 } else { before.chars().count() },
            gap: before.len() - before.trim_end().len(),
            is_own_line,
            blank: is_own_line && self.lines.blank_before(line),
        });
        Some(())
    }

    fn group(&mut self, style: StructureStyle, is_map: bool, place: &Place) -> Option<()> {
        let number = self.layout.groups.len();
        let is_flow = style == StructureStyle::Flow;
        let anchor = self.anchor(place);
        let at = &place.at;
        let opened = self.text.get(at.start..)?.strip_prefix(['[', '{']).filter(|_| is_flow);
        let rest = opened.map(|rest| rest.trim_start_matches([' ', '\t']));
        self.layout.groups.push(Group {
            is_map,
            is_flow,
            is_expanded: rest.is_some_and(|rest| rest.starts_with(['\n', '#'])),
            column: 0,
            start: at.start,
            end: at.end,
            entries: Vec::new(),
            owner: None,
            tail: Vec::new(),
        });
        let piece = Piece { form: Form::Group(number), anchor, start: at.start, end: at.end };
        self.node(piece, place.begin())?;
        self.open.push(number);
        Some(())
    }

    /// Puts a value, or the key of one, where it belongs.
    fn node(&mut self, piece: Piece<'t>, begin: usize) -> Option<()> {
        let Some(&group) = self.open.last() else {
            self.layout.root = Some(piece);
            return Some(());
        };
        let waiting = self.layout.groups[group].entries.last().copied();
        let waiting = waiting.filter(|entry| self.layout.entries[*entry].value.is_none());
        if let Some(entry) = waiting {
            self.put(entry, piece);
            return Some(());
        }
        if self.layout.groups[group].is_map {
            let key = key(piece)?;
            return self.entry(group, Some(key), begin).map(|_| ());
        }
        let begin = if self.layout.groups[group].is_flow { begin } else { self.dashes.pop_front()? };
        let entry = self.entry(group, None, begin)?;
        self.put(entry, piece);
        Some(())
    }

    fn put(&mut self, entry: usize, piece: Piece<'t>) {
        if let Some(group) = piece.group() {
            self.layout.groups[group].owner = Some(entry);
        }
        self.layout.entries[entry].value = Some(piece);
    }

    fn entry(&mut self, group: usize, key: Option<Key<'t>>, start: usize) -> Option<usize> {
        // Comments are looked up by place, so entries must come in the order of their places.
        if self.layout.entries.last().is_some_and(|last| last.start > start) {
            return None;
        }
        let line = self.lines.of_byte(start);
        let before = self.text.get(self.lines.0[line].start..start)?;
        let first = before.trim_start().is_empty();
        let number = self.layout.entries.len();
        self.layout.entries.push(Entry {
            group,
            key,
            value: None,
            start,
            blank: first && self.lines.blank_before(line),
            leading: Vec::new(),
            trailing: Vec::new(),
            inner: Vec::new(),
        });
        let group = &mut self.layout.groups[group];
        if group.entries.is_empty() {
            group.column = before.chars().count();
        }
        group.entries.push(number);
        Some(number)
    }

    fn spelling(&mut self, text: Cow<'t, str>, style: ScalarStyle, place: &Place) -> Option<Spelling<'t>> {
        let at = &place.at;
        let source = self.text.get(at.clone())?;
        if !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return Some(Spelling { style, text, source, indent: 0, header: "" });
        }
        let from = place.anchor.as_ref().map_or_else(|| self.after_key_or_dash(), |anchor| anchor.end);
        let begin = block_header(self.text, from)?;
        let header = self.text.get(begin + 1..)?;
        let header = &header[..header.find(|letter: char| letter.is_whitespace()).unwrap_or(header.len())];
        if header.contains('+') {
            // The blank lines at its end are part of the text.
            let (first, last) = (self.lines.of_byte(begin) + 1, self.lines.of_byte(at.end));
            for line in self.lines.0.get_mut(first..last)? {
                line.is_blank = false;
            }
        }
        let line = self.lines.0[self.lines.of_byte(at.start)].start;
        let indent = place.indent.unwrap_or_else(|| self.text[line..at.start].chars().count());
        Some(Spelling { style, text, source, indent, header })
    }

    /// The place after what the next value belongs to.
    fn after_key_or_dash(&self) -> usize {
        let in_list = self.open.last().is_some_and(|group| !self.layout.groups[*group].is_map);
        if in_list {
            return self.dashes.front().map_or(0, |dash| dash + 1);
        }
        let entries = self.open.last().map(|group| &self.layout.groups[*group].entries);
        let Some(last) = entries.and_then(|entries| entries.last()) else { return 0 };
        let last = &self.layout.entries[*last];
        // With its value there, what comes is the next key: a block text after `?`.
        match &last.value {
            Some(value) => value.group().map_or(value.end, |group| self.layout.groups[group].end),
            None => last.key.as_ref().map_or(0, |key| key.end),
        }
    }

    fn finish(mut self) -> Layout<'t> {
        let mut texts: Vec<_> = self.comments.iter().map(|comment| comment.text).collect();
        texts.sort_unstable();
        self.layout.comment_texts = texts;
        if let Some(start) = self.start {
            self.layout.head = Head { is_marked: true, ..Head::default() };
            let before = self.comments.partition_point(|comment| comment.start < start);
            self.layout.head.before = self.comments.drain(..before).collect();
        }
        comments::attach(&mut self.layout, self.comments);
        self.layout
    }
}

fn key(piece: Piece<'_>) -> Option<Key<'_>> {
    let Piece { form, anchor, end, .. } = piece;
    match form {
        Form::Scalar(spelling) => Some(Key { text: spelling.text, anchor, alias: None, end }),
        Form::Alias(alias) => Some(Key { text: "".into(), anchor, alias: Some(alias), end }),
        Form::Group(_) => None,
    }
}

/// The `|` or `>` of a block text, which follows a key, a dash or a name, and maybe comments.
fn block_header(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let letter = text.get(at..)?.chars().next()?;
        match letter {
            '|' | '>' => return Some(at),
            '#' => at += text[at..].find('\n')?,
            ':' | '-' | '?' => at += 1,
            _ if letter.is_whitespace() => at += letter.len_utf8(),
            _ => return None,
        }
    }
}

/// The places of the dashes of all block lists, in order.
fn dashes(text: &str) -> Option<VecDeque<usize>> {
    let mut found = VecDeque::new();
    let mut from = 0;
    let options = granit_parser::options! { emit_comments: false };
    for token in Scanner::with_options(StrInput::new(text), options) {
        let token = token.ok()?;
        if !matches!(token.token_type(), TokenType::BlockEntry) {
            continue;
        }
        // The token's place is after the dash, on the same line.
        let after = token.span().start.byte_offset()?;
        let line = text.get(..after)?.rfind('\n').map_or(0, |at| at + 1);
        let line = if after == line {
            text[..after.checked_sub(1)?].rfind('\n').map_or(0, |at| at + 1)
        } else {
            line
        };
        let dash = from.max(line) + text.get(from.max(line)..after)?.find('-')?;
        found.push_back(dash);
        from = dash + 1;
    }
    Some(found)
}

/// The lines of a text.
struct Lines(Vec<Line>);

struct Line {
    start: usize,
    is_blank: bool,
}

impl Lines {
    fn of(text: &str) -> Self {
        let mut start = 0;
        let line = |part: &str| {
            let line = Line { start, is_blank: part.trim().is_empty() };
            start += part.len();
            line
        };
        let mut lines: Vec<_> = text.split_inclusive('\n').map(line).collect();
        lines.push(Line { start: text.len(), is_blank: true });
        Self(lines)
    }

    fn of_byte(&self, at: usize) -> usize {
        self.0.partition_point(|line| line.start <= at).saturating_sub(1)
    }

    fn blank_before(&self, line: usize) -> bool {
        line > 0 && self.0[line - 1].is_blank
    }
}
