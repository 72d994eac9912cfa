//! `${…}` in a value: found, looked up, and resolved as far as the file allows.

use std::borrow::Cow;

use crate::diagnostic::{Diagnostic, Report};
use crate::names::{Meaning, Names};
use crate::suggest::nearest;
use crate::template::{Filter, Part, Template};
use crate::tree::{Node, Scalar, ScalarKind};

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
            (meaning, filters) => Some(joined([part(meaning, filters)])),
        };
    }
    let parts: Vec<_> =
        pieces.iter().map(|piece| piece_part(node, &scalar.text, *piece, names, report)).collect();
    Some(joined(parts.into_iter().collect::<Option<Vec<_>>>()?))
}

fn joined(parts: impl IntoIterator<Item = Part>) -> Resolved<'static> {
    let template = Template::new(parts);
    match template.constant() {
        Some(text) => Resolved::Constant(Cow::Owned(Scalar {
            text: text.into(),
            kind: ScalarKind::Quoted,
            verbatim: None,
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
) -> Option<Part> {
    match piece {
        Piece::Text { from, to } => Some(Part::Text(text[from..to].into())),
        Piece::Escape => Some(Part::Text("${".into())),
        Piece::Hole { from, to } => {
            hole(node, from, to, names, report).map(|(meaning, filters)| part(meaning, filters))
        }
        Piece::Unclosed { from } => {
            let problem = Diagnostic::error("E205", node.part(from, from + 2), "this `${` is never closed")
                .help("add the `}`, or write `$${` for a plain `${`");
            report.push(problem);
            None
        }
    }
}

fn part(meaning: Meaning, filters: Vec<Filter>) -> Part {
    match meaning {
        Meaning::Constant(value) => {
            let text = filters.iter().fold(value.text.to_string(), |text, filter| filter.apply(&text));
            Part::Text(text.into())
        }
        Meaning::Hole(hole) => Part::Hole(hole, filters),
    }
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
        Ok(meaning) if sound => Some((meaning, filters)),
        Ok(_) => None,
        Err(problem) => {
            report.push(problem);
            None
        }
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

fn filter(word: &str) -> Option<Filter> {
    match word {
        "urlencode" => Some(Filter::UrlEncode),
        "base64" => Some(Filter::Base64),
        "json" => Some(Filter::Json),
        _ => None,
    }
}

/// The text with its variables resolved and everything else left as written, for the version's hash.
pub(crate) fn canonical(text: &str, names: &mut Names<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in split(text) {
        match piece {
            Piece::Text { from, to } => out.push_str(&text[from..to]),
            Piece::Escape => out.push_str("$${"),
            Piece::Unclosed { from } => out.push_str(&text[from..]),
            Piece::Hole { from, to } => {
                let expression = &text[from..to];
                let path = expression.split('|').next().unwrap_or_default().trim();
                let constant = path == "region" || path.starts_with("vars.");
                if let Some(Ok(Meaning::Constant(value))) =
                    constant.then(|| names.look_up(path, crate::source::Span::default()))
                {
                    out.push_str(&value.text);
                    out.push_str(&expression[expression.find('|').unwrap_or(expression.len())..]);
                } else {
                    out.push_str("${");
                    out.push_str(expression);
                    out.push('}');
                }
            }
        }
    }
    out
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
