//! `${…}` in a value: found, looked up, and resolved as far as the file allows.

use std::borrow::Cow;

use crate::diagnostic::{Diagnostic, Report};
use crate::names::{Meaning, Names};
use crate::suggest::nearest;
use crate::template::{Filter, Part, Template};
use crate::tree::{Node, NodeValue, Scalar, ScalarKind};

/// The most `${…}` in one value.
const HOLES_MAX: usize = 100;

/// What a scalar is once its `${vars.…}` are resolved.
pub(crate) enum Resolved<'n> {
    /// Known now; a value that is exactly one variable keeps the variable's type.
    Constant(Cow<'n, Scalar>),
    /// It has holes that only a run can fill.
    Runtime(Template),
}

/// A piece of a text: plain bytes, or the expression inside `${…}`, with byte positions in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Text {
        from: usize,
        to: usize,
    },
    /// `$${`, which stands for `${`.
    Escape,
    Hole {
        from: usize,
        to: usize,
    },
    /// `${` without its `}`.
    Unclosed {
        from: usize,
    },
}

/// Resolves a scalar node; `None` after a mistake.
pub(crate) fn resolve<'n>(
    node: &'n Node,
    names: &mut Names<'_>,
    report: &mut Report,
) -> Option<Resolved<'n>> {
    let scalar = node.scalar()?;
    if !scalar.text.contains("${") {
        return Some(Resolved::Constant(Cow::Borrowed(scalar)));
    }
    let pieces = split(&scalar.text);
    if pieces.iter().filter(|piece| matches!(piece, Piece::Hole { .. })).count() > HOLES_MAX {
        let message = format!("more than {HOLES_MAX} `${{…}}` in one value");
        report.push(Diagnostic::error("E205", node.span, message));
        return None;
    }
    if let [Piece::Hole { from, to }] = pieces.as_slice() {
        return match hole(node, *from, *to, names, report)? {
            (Meaning::Constant(value), filters) if filters.is_empty() => {
                Some(Resolved::Constant(Cow::Owned(value)))
            }
            (meaning, filters) => Some(joined(parts(meaning, filters))),
        };
    }
    let parts: Vec<_> =
        pieces.iter().map(|piece| piece_part(node, &scalar.text, *piece, names, report)).collect();
    Some(joined(parts.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten()))
}

fn joined(parts: impl IntoIterator<Item = Part>) -> Resolved<'static> {
    let template = Template::new(parts);
    match template.constant() {
        Some(text) => Resolved::Constant(Cow::Owned(Scalar {
            text: text.into(),
            kind: ScalarKind::Quoted,
            verbatim: None,
            is_block: false,
        })),
        None => Resolved::Runtime(template),
    }
}

fn piece_part(
    node: &Node,
    text: &str,
    piece: Piece,
    names: &mut Names<'_>,
    report: &mut Report,
) -> Option<Vec<Part>> {
    match piece {
        Piece::Text { from, to } => Some(vec![Part::Text(text[from..to].into())]),
        Piece::Escape => Some(vec![Part::Text("${".into())]),
        Piece::Hole { from, to } => {
            hole(node, from, to, names, report).map(|(meaning, filters)| parts(meaning, filters))
        }
        Piece::Unclosed { from } => {
            let problem = Diagnostic::error("E205", node.part(from, from + 2), "this `${` is never closed")
                .help("add the `}`, or write `$${` for a plain `${`");
            report.push(problem);
            None
        }
    }
}

fn parts(meaning: Meaning, filters: Vec<Filter>) -> Vec<Part> {
    let filtered = |text: &str| {
        let text = filters.iter().fold(text.to_owned(), |text, filter| filter.apply(&text));
        Part::Text(text.into())
    };
    match meaning {
        Meaning::Constant(value) => vec![filtered(&value.text)],
        Meaning::Hole(hole) => vec![Part::Hole(hole, filters)],
        Meaning::Parts(template) => {
            let each = template.parts().iter().map(|part| match part {
                Part::Text(text) => filtered(text),
                Part::Hole(hole, own) => Part::Hole(hole.clone(), [own.as_slice(), &filters].concat()),
            });
            each.collect()
        }
        Meaning::Reported => Vec::new(),
    }
}

/// Whether the filters give the same for a whole text as for its parts one by one.
fn goes_by_parts(template: &Template, filters: &[Filter]) -> bool {
    template.parts().len() == 1 || filters.iter().all(|filter| *filter == Filter::UrlEncode)
}

/// The text cut into pieces; `$${` is a literal `${`.
fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        let escaped = text[..start].ends_with('$') && start > from;
        let text_end = if escaped { start - 1 } else { start };
        if text_end > from {
            pieces.push(Piece::Text { from, to: text_end });
        }
        if escaped {
            pieces.push(Piece::Escape);
            (from, at) = (start + 2, start + 2);
            continue;
        }
        let Some(length) = text[start..].find('}') else {
            pieces.push(Piece::Unclosed { from: start });
            return pieces;
        };
        pieces.push(Piece::Hole { from: start + 2, to: start + length });
        (from, at) = (start + length + 1, start + length + 1);
    }
    if from < text.len() {
        pieces.push(Piece::Text { from, to: text.len() });
    }
    pieces
}

/// The expression in the bytes `from..to` of the node's text: a path, then `| filter`s.
fn hole(
    node: &Node,
    from: usize,
    to: usize,
    names: &mut Names<'_>,
    report: &mut Report,
) -> Option<(Meaning, Vec<Filter>)> {
    let text = &*node.scalar()?.text;
    let mut words = Vec::new();
    let mut start = from;
    for word in text[from..to].split('|') {
        let lead = word.len() - word.trim_start().len();
        let trimmed = word.trim();
        words.push((trimmed, node.part(start + lead, start + lead + trimmed.len())));
        start += word.len() + 1;
    }
    let (path, path_span) = words[0];
    if let Err(problem) = check_path(node, path, from, to) {
        report.push(problem);
        return None;
    }
    let mut filters = Vec::new();
    let mut sound = true;
    for (word, span) in &words[1..] {
        if let Some(filter) = filter(word) {
            filters.push(filter);
        } else {
            sound = false;
            let problem = Diagnostic::error("E206", *span, format!("unknown filter `{word}`"));
            let near = nearest(word, ["urlencode", "base64", "json"]);
            report.push(match near {
                Some(near) => problem.label(format!("did you mean `{near}`?")),
                None => problem.help("filters are `urlencode`, `base64` and `json`"),
            });
        }
    }
    match names.look_up(path, path_span) {
        Ok(Meaning::Reported) => None,
        Ok(Meaning::Parts(template)) if !goes_by_parts(&template, &filters) => {
            let message = format!("`{path}` is put together in the run, and cannot be filtered as a whole");
            let problem = Diagnostic::error("E206", path_span, message);
            report.push(problem.help("pass the parts as parameters of their own, or filter the arguments"));
            None
        }
        Ok(meaning) if sound => {
            note(&meaning, &filters, names);
            Some((meaning, filters))
        }
        Ok(_) => None,
        Err(problem) => {
            report.push(problem);
            None
        }
    }
}

/// Remembers what is put through which filters, those of a parameter's own value included.
fn note(meaning: &Meaning, filters: &[Filter], names: &mut Names<'_>) {
    match meaning {
        Meaning::Hole(hole) => names.note_filters(hole, filters),
        Meaning::Parts(template) => {
            for part in template.parts() {
                if let Part::Hole(hole, own) = part {
                    names.note_filters(hole, &[own, filters].concat());
                }
            }
        }
        Meaning::Constant(_) | Meaning::Reported => {}
    }
}

fn check_path(node: &Node, path: &str, from: usize, to: usize) -> Result<(), Diagnostic> {
    let whole = node.part(from.saturating_sub(2), to + 1);
    let wrong = |message: &str| Diagnostic::error("E205", whole, message);
    if path.is_empty() {
        return Err(wrong("`${}` names nothing").help("write a name in it, such as ${vars.shop}"));
    }
    if path.contains("${") {
        return Err(wrong("`${…}` cannot stand inside another"));
    }
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if !path.chars().all(fits) || path.starts_with('.') || path.ends_with('.') {
        return Err(wrong("this is not a name").help(
            "`${…}` holds a name and filters, such as ${vars.shop | urlencode}; there are no expressions",
        ));
    }
    Ok(())
}

const fn word(filter: Filter) -> &'static str {
    match filter {
        Filter::UrlEncode => "urlencode",
        Filter::Base64 => "base64",
        Filter::Json => "json",
    }
}

fn filter(word: &str) -> Option<Filter> {
    match word {
        "urlencode" => Some(Filter::UrlEncode),
        "base64" => Some(Filter::Base64),
        "json" => Some(Filter::Json),
        _ => None,
    }
}

/// The text with everything resolved that is known now, and the rest left as written, for the version's hash.
pub(crate) fn canonical(node: &Node, names: &mut Names<'_>) -> String {
    let text = node.scalar().map_or("", |scalar| &*scalar.text);
    let mut out = String::with_capacity(text.len());
    for piece in split(text) {
        match piece {
            Piece::Text { from, to } => out.push_str(&text[from..to]),
            Piece::Escape => out.push_str("$${"),
            Piece::Unclosed { from } => out.push_str(&text[from..]),
            Piece::Hole { from, to } => {
                let expression = &text[from..to];
                let path = expression.split('|').next().unwrap_or_default().trim();
                let filters = &expression[expression.find('|').unwrap_or(expression.len())..];
                let known = path == "region"
                    || ["vars.", "params.", "matrix."].iter().any(|space| path.starts_with(space));
                match known.then(|| names.look_up(path, node.span)) {
                    Some(Ok(Meaning::Constant(value))) => {
                        out.push_str(&value.text);
                        out.push_str(filters);
                    }
                    Some(Ok(Meaning::Parts(template))) => {
                        out.push_str(&spelled(&template));
                        out.push_str(filters);
                    }
                    _ => {
                        out.push_str("${");
                        out.push_str(expression);
                        out.push('}');
                    }
                }
            }
        }
    }
    out
}

/// The template with its filters: captures and secrets stay names.
pub(crate) fn spelled(template: &Template) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.to_string(),
        Part::Hole(_, filters) => {
            let hole = Template::new([part.clone()]).to_string();
            let words =
                std::iter::once(hole.trim_end_matches('}')).chain(filters.iter().map(|filter| word(*filter)));
            words.collect::<Vec<_>>().join(" | ") + "}"
        }
    };
    template.parts().iter().map(part).collect()
}

/// The names in all `${…}` below the node, such as `vars.shop`.
pub(crate) fn paths<'n>(node: &'n Node, found: &mut impl FnMut(&'n str, &'n Node, std::ops::Range<usize>)) {
    match &node.value {
        NodeValue::List(items) => items.iter().for_each(|item| paths(item, found)),
        NodeValue::Map(entries) => entries.iter().for_each(|(_, value)| paths(value, found)),
        NodeValue::Scalar(scalar) if scalar.text.contains("${") => {
            for piece in split(&scalar.text) {
                let Piece::Hole { from, to } = piece else { continue };
                let expression = &scalar.text[from..to];
                let word = expression.split('|').next().unwrap_or_default();
                let start = from + word.len() - word.trim_start().len();
                let path = word.trim();
                found(path, node, start..start + path.len());
            }
        }
        NodeValue::Scalar(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let piece = |piece: &Piece| match *piece {
            Piece::Text { from, to } => format!("t:{}", &text[from..to]),
            Piece::Escape => "escape".to_owned(),
            Piece::Hole { from, to } => format!("h:{}", &text[from..to]),
            Piece::Unclosed { from } => format!("unclosed:{from}"),
        };
        split(text).iter().map(piece).collect()
    }

    #[test]
    fn texts_are_split_at_holes() {
        assert_eq!(shown("a${b}c${d|json}"), ["t:a", "h:b", "t:c", "h:d|json"]);
        assert_eq!(shown("${a}"), ["h:a"]);
        assert_eq!(shown("x$${a}y"), ["t:x", "escape", "t:a}y"]);
        assert_eq!(shown("$${a}${b}"), ["escape", "t:a}", "h:b"]);
        assert_eq!(shown("é${"), ["t:é", "unclosed:2"]);
        assert_eq!(shown("$5 {x}"), ["t:$5 {x}"]);
        assert_eq!(shown("${a}$${b}"), ["h:a", "escape", "t:b}"]);
        assert_eq!(shown(""), Vec::<String>::new());
    }
}
