//! Values that YAML reads, and reads otherwise than their author: cut off, with odd quotes, with a lost name.

use granit_parser::Placement;

use super::{Node, NodeValue, Scalar, ScalarKind, core_schema};
use crate::diagnostic::{Diagnostic, Report};
use crate::source::{Span, Spanned};

/// Spaces that look like one and are none to YAML, and letters that nobody sees.
const UNSEEN: [char; 7] = ['\u{a0}', '\u{2007}', '\u{202f}', '\u{200b}', '\u{2060}', '\u{feff}', '\u{3000}'];

/// `colour: #fff` and `aim: We are #1`: what follows ` #` is a comment.
pub(super) fn cut_off(text: &str, span: Span, comment: &str, placement: Placement, report: &mut Report) {
    let word_like = comment.starts_with(|first: char| first.is_alphanumeric());
    if placement != Placement::Right || !word_like {
        return;
    }
    let start = span.start as usize;
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let before = text[line..start].trim_end();
    // After a quote or bracket the value has ended anyway; `|` and `>` begin a block.
    if before.ends_with(['"', '\'', '}', ']', ',', '|', '>', '{', '[']) || before.is_empty() {
        return;
    }
    let word = comment.split_whitespace().next().unwrap_or_default();
    let problem = Diagnostic::warning(
        "W320",
        span.part(0, 1 + word.len()),
        "the value ends before this `#`: to YAML, a comment begins here",
    );
    let problem = match before.split_once(": ").or_else(|| before.strip_suffix(':').map(|key| (key, ""))) {
        Some((key, value)) => {
            let key = key.trim_start_matches([' ', '-']);
            // What would be put together is part of a URL that is never sent.
            if value.contains("://") {
                let help =
                    "put the comment on a line of its own; what stands behind `#` in a URL is never sent";
                report.push(problem.help(help));
                return;
            }
            let quoted = format!("{} #{}", value.trim(), comment.trim_end());
            let quoted = quoted.trim_start().replace('\\', "\\\\").replace('"', "\\\"");
            problem.help(format!("write {key}: \"{}\"", model::outcome::cut(quoted, 100)))
        }
        None => problem.help("put the value in quotes"),
    };
    report.push(problem.help("if it is a comment, write a space after the #"));
}

/// A plain text in quotes that are none, or with a space that is none.
pub(super) fn plain(text: &str, span: Span, is_key: bool, report: &mut Report) {
    let (first, last) = (text.chars().next(), text.chars().last());
    let curly = |letter: Option<char>| letter.is_some_and(|letter| "“”„‟‘’‚‛«»".contains(letter));
    if curly(first) && curly(last) && text.chars().count() > 1 {
        let message = "these quotes are letters to YAML, and part of the text";
        let inner: String = text.chars().filter(|letter| !"“”„‟‘’‚‛".contains(*letter)).collect();
        let problem = Diagnostic::warning("W321", span, message);
        report.push(problem.help(format!("type straight ones: \"{}\"", model::outcome::cut(inner, 100))));
    }
    let at = text.char_indices().find(|(at, letter)| {
        let after_sign = text[..*at].ends_with([':', '-']);
        let outside = *at == 0 || at + letter.len_utf8() == text.len();
        UNSEEN.contains(letter) && (is_key || after_sign || outside)
    });
    if let Some((at, letter)) = at {
        report.push(unseen(span.part(at, at + letter.len_utf8()), letter));
    }
}

/// A space that is none, or a letter that nobody sees.
pub(crate) fn unseen(span: Span, letter: char) -> Diagnostic {
    let what = match letter {
        '\u{200b}' | '\u{2060}' | '\u{feff}' => "an invisible character",
        _ => "a space that YAML does not take for one",
    };
    Diagnostic::error("E019", span, format!("here stands {what} (U+{:04X})", letter as u32))
        .help("it often comes along when text is copied: type the line again")
}

/// The first such letter in the indentation of a line, or after the first `:` or `-` of it.
pub(crate) fn unseen_in(line: &str) -> Option<(usize, char)> {
    line.char_indices().find(|(at, letter)| {
        let before = &line[..*at];
        UNSEEN.contains(letter) && (before.trim().is_empty() || before.ends_with([':', '-']))
    })
}

/// The `&name` before the byte at `start`, which names the value there.
pub(super) fn anchor(text: &str, span: Span) -> Option<(Span, &str)> {
    let before = text.get(..span.start as usize)?.trim_end();
    let start = before.rfind([' ', '\n', '\t', '[', '{', ',', ':']).map_or(0, |at| at + 1);
    let word = before.get(start..).filter(|word| word.starts_with('&'))?;
    let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Some((Span { file: span.file, start: at(start), end: at(start + word.len()) }, word))
}

/// `&name` with no value: the text was probably meant as it stands.
pub(super) fn nameless(span: Span, word: &str) -> Diagnostic {
    Diagnostic::error(
        "E018",
        span,
        format!("`{}` names a value, and none follows", model::outcome::cut(word.to_owned(), 60)),
    )
    .label("in YAML, `&` at the start of a value begins a name for it")
    .help("put it in quotes if it is a text")
}

/// `&name value` that no alias asks for: the text has lost its first word.
pub(super) fn unused(span: Span, word: &str) -> Diagnostic {
    let shown = model::outcome::cut(word.to_owned(), 60);
    Diagnostic::warning("W324", span, format!("nothing asks for the value named `{shown}`"))
        .label("to YAML, this word is a name for the value and no part of it")
        .help("put the value in quotes if it is a text, or leave the name out")
}

/// A key and its value.
type Entry = (Spanned<String>, Node);

/// `{ objective: 99,9% }`: to YAML, the number 99 and a key without a value. Mended, so that it is one mistake.
pub(super) fn decimal_comma(text: &str, entries: &mut Vec<Entry>, report: &mut Report) {
    let found = entries.windows(2).position(|pair| is_cut(text, &pair[0], &pair[1]));
    let Some(index) = found.map(|before| before + 1) else { return };
    let (rest, _) = entries.remove(index);
    let (_, node) = &mut entries[index - 1];
    let meant = format!("{}.{}", node.scalar().map_or("", |whole| &whole.text), rest.value);
    node.span = Span { end: rest.span.end, ..node.span };
    let problem = Diagnostic::error("E021", node.span, "inside of braces a comma ends the value");
    report.push(problem.help(format!("numbers have a point: write {meant}")));
    let kind = core_schema(&meant);
    node.value = NodeValue::Scalar(Scalar { text: meant.into(), kind, verbatim: None, is_block: false });
}

/// Whether `after` is what a comma has cut off from the number of `before`.
fn is_cut(text: &str, before: &Entry, after: &Entry) -> bool {
    let kind = |entry: &Entry| entry.1.scalar().map(|scalar| scalar.kind);
    let left_out = after.1.span.start == after.1.span.end && kind(after) == Some(ScalarKind::Null);
    left_out
        && matches!(kind(before), Some(ScalarKind::Int(_)))
        && after.0.value.starts_with(|first: char| first.is_ascii_digit())
        && text.get(before.1.span.end as usize..after.0.span.start as usize) == Some(",")
}
