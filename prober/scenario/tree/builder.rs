//! The parser's events, put together to a tree.
//!
//! On events rather than on a deserializer, so that nothing is lost: places, quotes, duplicate keys. What aliases stand
//! for counts as if it were written out.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

use super::doubts;
use super::{DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX, Node, NodeValue, Scalar, ScalarKind, core_schema};
use crate::diagnostic::{Diagnostic, Report};
use crate::source::{Span, Spanned};
use crate::traps;

/// The most bytes of text that aliases of one file may stand for.
const ALIAS_BYTES_MAX: usize = FILE_BYTES_MAX;

/// The tree of a file; `None` if it cannot be read, and the report says why.
pub fn parse(file: u32, text: &str, report: &mut Report) -> Option<Node> {
    if text.len() > FILE_BYTES_MAX {
        let span = Span { file, start: 0, end: 0 };
        // Nobody reads on to see how many bytes there are.
        let message = "this file has more bytes than the limit of 1 MiB";
        report.push(Diagnostic::error("E002", span, message).help("split it into several files"));
        return None;
    }
    let mut builder = Builder {
        file,
        text,
        nodes: 0,
        alias_bytes: 0,
        anchors: HashMap::new(),
        named: HashMap::new(),
        open: Vec::new(),
        root: None,
        report,
    };
    let options = granit_parser::options! {
        emit_comments: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
    };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, place) = match event {
            Ok(event) => event,
            Err(error) => {
                builder.report.push(traps::explain(file, text, &error));
                return None;
            }
        };
        let span = builder.span(place);
        if let Event::DocumentStart(..) = event {
            documents += 1;
            if documents > 1 {
                let problem = Diagnostic::error("E008", span, "a second document begins here")
                    .help("put each scenario into a file of its own");
                builder.report.push(problem);
                return None;
            }
        }
        if let Err(problem) = builder.event(event, span, place.tag_span()) {
            builder.report.push(*problem);
            return None;
        }
    }
    builder.finish()
}

/// A list or map whose end has not been read.
struct Open {
    span: Span,
    anchor: usize,
    form: Form,
}

enum Form {
    List(Vec<Node>),
    Map { entries: Vec<(Spanned<String>, Node)>, places: HashMap<String, Span>, key: Option<Spanned<String>> },
}

impl Form {
    fn map() -> Self {
        Self::Map { entries: Vec::new(), places: HashMap::new(), key: None }
    }
}

struct Builder<'a> {
    file: u32,
    text: &'a str,
    nodes: usize,
    alias_bytes: usize,
    anchors: HashMap<usize, Node>,
    /// Names of values that no alias has asked for yet.
    named: HashMap<usize, (Span, String)>,
    open: Vec<Open>,
    root: Option<Node>,
    report: &'a mut Report,
}

/// A mistake after which the file cannot be read on.
type Fatal = Box<Diagnostic>;

impl Builder<'_> {
    fn span(&self, place: granit_parser::Span) -> Span {
        let at = |marker: &granit_parser::Marker| {
            u32::try_from(marker.byte_offset().unwrap_or(0).min(self.text.len())).unwrap_or(u32::MAX)
        };
        let (start, end) = (at(&place.start), at(&place.end));
        Span { file: self.file, start, end: end.max(start) }
    }

    fn event(&mut self, event: Event<'_>, span: Span, tag: Option<granit_parser::Span>) -> Result<(), Fatal> {
        if let Some(tag) = tag {
            let problem = Diagnostic::error("E006", self.span(tag), "tags like this one are not used here")
                .help("leave it out; put a value in quotes to make it a text");
            return Err(Box::new(problem));
        }
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let span = trim_span(self.text, span);
                if matches!(style, ScalarStyle::Plain) {
                    let is_key =
                        matches!(self.open.last(), Some(Open { form: Form::Map { key: None, .. }, .. }));
                    doubts::plain(&text, span, is_key, self.report);
                }
                let empty = span.start == span.end && matches!(style, ScalarStyle::Plain);
                let mut scalar = self.scalar(&text, style, span);
                if let Some(word) = self.name(anchor, span, empty) {
                    // Taken for the text that it was probably meant to be: one mistake is enough.
                    scalar = Scalar {
                        text: word.into(),
                        kind: ScalarKind::Quoted,
                        verbatim: None,
                        is_block: false,
                    };
                }
                self.add(Node { value: NodeValue::Scalar(scalar), span }, anchor)
            }
            Event::Comment(comment, placement) => {
                doubts::cut_off(self.text, span, &comment, placement, self.report);
                Ok(())
            }
            Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) if anchor != 0 => {
                self.name(anchor, span, false);
                let list = matches!(event, Event::SequenceStart(..));
                self.start(if list { Form::List(Vec::new()) } else { Form::map() }, span, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.start(Form::List(Vec::new()), span, anchor),
            Event::MappingStart(_, anchor, _) => self.start(Form::map(), span, anchor),
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(id) => self.alias(id, span),
            Event::UnresolvedAlias(name) => Err(Box::new(traps::unknown_alias(self.text, span, &name))),
            _ => Ok(()),
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: Span) -> Scalar {
        let source = self.text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let quoted = !matches!(style, ScalarStyle::Plain);
        let verbatim = match style {
            ScalarStyle::Plain => (source == text).then_some(0),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let inner = source.get(1..source.len().saturating_sub(1));
                (inner == Some(text)).then_some(1)
            }
            _ => None,
        };
        let kind = if quoted { ScalarKind::Quoted } else { core_schema(text) };
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        Scalar { text: text.into(), kind, verbatim, is_block }
    }

    fn start(&mut self, form: Form, span: Span, anchor: usize) -> Result<(), Fatal> {
        if let Some(Open { form: Form::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(Box::new(traps::complex_key(self.text, span)));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(Box::new(traps::too_deep(span)));
        }
        self.count(1, span)?;
        self.open.push(Open { span, anchor, form });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Fatal> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.form {
            Form::List(items) => NodeValue::List(items),
            Form::Map { mut entries, .. } => {
                doubts::decimal_comma(self.text, &mut entries, self.report);
                NodeValue::Map(entries)
            }
        };
        let whole = Span { end: span.end.max(open.span.end), ..open.span };
        self.place(Node { value, span: trim_span(self.text, whole) }, open.anchor)
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Fatal> {
        self.nodes += more;
        if self.nodes <= NODES_MAX {
            return Ok(());
        }
        let message = format!("this file stands for more than {NODES_MAX} values");
        Err(Box::new(Diagnostic::error("E005", span, message).help("split it, or use fewer aliases")))
    }

    /// A finished scalar: counted, then put where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        self.count(1, node.span)?;
        self.place(node, anchor)
    }

    /// Notes the name of a value, to see whether anything asks for it; gives back a name without a value.
    fn name(&mut self, anchor: usize, span: Span, empty: bool) -> Option<String> {
        let (at, word) = doubts::anchor(self.text, span).filter(|_| anchor != 0)?;
        if empty {
            self.report.push(doubts::nameless(at, word));
            return Some(word.to_owned());
        }
        self.named.insert(anchor, (at, word.to_owned()));
        None
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Fatal> {
        self.named.remove(&id);
        let Some(node) = self.anchors.get(&id) else {
            let problem = Diagnostic::error("E016", span, "this alias stands inside the value that it names");
            return Err(Box::new(problem));
        };
        let (nodes, bytes) = node.count();
        self.alias_bytes += bytes;
        let depth = depth(node);
        self.count(nodes, span)?;
        if self.alias_bytes > ALIAS_BYTES_MAX {
            self.count(NODES_MAX, span)?;
        }
        if self.open.len() + depth > DEPTH_MAX {
            return Err(Box::new(traps::too_deep(span)));
        }
        let node = self.anchors[&id].clone();
        self.place(node, 0)
    }

    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.form) {
            None => self.root = Some(node),
            Some(Form::List(items)) => items.push(node),
            Some(Form::Map { entries, places, key }) => match key.take() {
                Some(name) => {
                    if let Some(first) = places.get(&name.value) {
                        // The first one stays, so that later mistakes are about what stands there.
                        self.report.push(duplicate(&name, *first));
                    } else {
                        places.insert(name.value.clone(), name.span);
                        entries.push((name, node));
                    }
                }
                None => *key = Some(key_of(self.text, node)?),
            },
        }
        Ok(())
    }

    fn finish(self) -> Option<Node> {
        for (at, word) in self.named.values() {
            self.report.push(doubts::unused(*at, word));
        }
        match self.root {
            Some(root) if !matches!(&root.value, NodeValue::Scalar(scalar) if scalar.kind == ScalarKind::Null) => {
                Some(root)
            }
            _ => {
                let span = Span { file: self.file, start: 0, end: 0 };
                self.report.push(Diagnostic::error("E015", span, "this file is empty"));
                None
            }
        }
    }
}

fn depth(node: &Node) -> usize {
    match &node.value {
        NodeValue::Scalar(_) => 0,
        NodeValue::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        NodeValue::Map(entries) => 1 + entries.iter().map(|(_, node)| depth(node)).max().unwrap_or(0),
    }
}

/// The mistake of a key that is in a map twice.
pub(crate) fn duplicate(name: &Spanned<String>, first: Span) -> Diagnostic {
    Diagnostic::error("E007", name.span, format!("`{}` is there twice", name.value))
        .label("the second one")
        .other(first, "the first one")
        .help("leave one of them out")
}

fn key_of(text: &str, node: Node) -> Result<Spanned<String>, Fatal> {
    let span = node.span;
    match node.value {
        NodeValue::Scalar(scalar) if &*scalar.text == "<<" && scalar.kind != ScalarKind::Quoted => {
            let problem = Diagnostic::error("E014", span, "merge keys (`<<`) are not part of YAML 1.2")
                .help("write the keys out; an alias (`key: *name`) may stand for a whole value");
            Err(Box::new(problem))
        }
        NodeValue::Scalar(scalar) => Ok(Spanned::new(scalar.text.into(), span)),
        _ => Err(Box::new(traps::complex_key(text, span))),
    }
}

/// The span without the white space that a block's end carries along.
fn trim_span(text: &str, span: Span) -> Span {
    let source = text.get(span.start as usize..span.end as usize).unwrap_or_default();
    let end = span.start + u32::try_from(source.trim_end().len()).unwrap_or(0);
    Span { end, ..span }
}
