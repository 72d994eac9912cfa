//! The canonical form of a file: text in, text out, on the same parser that compiles it.
//!
//! A formatted file means the same and looks like every other: the language's keys in the order of its tables,
//! two spaces of indentation, quotes only where a reader of YAML 1.1 or 1.2 could misread the value, long
//! flow maps and lists as blocks, at most one blank line. What its author decided stays: comments, blank lines,
//! block or flow, texts of several lines, and the order of everything whose order means something (steps,
//! assertions, headers, JSON).
//!
//! The result is read again before it is handed out: a file whose values or comments would change is refused.
//! Deliberately absent: files and their names ([`format`] is pure), and opinions about the values themselves.
//!
//! | module | holds |
//! | --- | --- |
//! | `layout` | the file as its author laid it out |
//! | `read` | parser events to a layout |
//! | `comments` | which key a comment belongs to |
//! | `order` | the order of the language's keys |
//! | `quote` | when a text needs quotes |
//! | `scalar` | one value as it is written |
//! | `write` | a layout to lines |
//! | `lines` | lines, blank lines and trailing comments |
//! | `upgrade` | older versions of the language |

mod comments;
mod layout;
mod lines;
mod order;
mod quote;
mod read;
mod scalar;
mod upgrade;
mod write;

#[cfg(test)]
mod tests;

pub use upgrade::{Upgraded, VERSION, upgrade};

use crate::diagnostic::{Diagnostic, Report};
use crate::kind::Kind;
use crate::tree::{self, Node, NodeValue, Scalar, ScalarKind};

/// The longest line, in characters, that a flow map or list may make.
pub const COLUMNS_MAX: usize = 100;
/// How far a level is indented, in spaces.
pub const INDENT: usize = 2;

/// Why a file was not formatted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be read: these are the errors.
    #[error("the file has mistakes")]
    Mistakes(Vec<Diagnostic>),
    /// Its layout is one that the formatter cannot keep.
    #[error("the file is laid out in a way that cannot be formatted without changing what it says")]
    Unsafe,
}

/// The text in its canonical form; `file` is its number in the places of diagnostics.
///
/// Formatting the answer again gives the same text.
///
/// # Errors
/// The text is not sound YAML, or cannot be formatted without a change of meaning.
pub fn format<N>(file: u32, text: &str, kinds: &'static [Kind<N>]) -> Result<String, Refusal> {
    let mut report = Report::default();
    let before = tree::parse(file, text, &mut report);
    let Some(before) = before.filter(|_| !report.has_errors()) else {
        return Err(Refusal::Mistakes(report.finish()));
    };
    if before.scalar().is_some() {
        let message = format!("expected a map of keys, found {}", before.describe());
        let problem = Diagnostic::error("E103", before.span, message);
        return Err(Refusal::Mistakes(vec![problem.help("begin with name: my-scenario")]));
    }
    // Line ends and a byte order mark are no part of any value.
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let layout = read::read(&plain).ok_or(Refusal::Unsafe)?;
    let written = write::write(&layout, &order::Order::new(kinds));
    let mut report = Report::default();
    let after = tree::parse(file, &written, &mut report);
    let same = after.is_some_and(|after| !report.has_errors() && same(&before, &after));
    let kept = read::read(&written).is_some_and(|again| again.comment_texts == layout.comment_texts);
    if same && kept { Ok(written) } else { Err(Refusal::Unsafe) }
}

/// Whether two trees hold the same values, whatever their quotes and the order of their keys.
fn same(left: &Node, right: &Node) -> bool {
    match (&left.value, &right.value) {
        (NodeValue::Scalar(left), NodeValue::Scalar(right)) => same_scalar(left, right),
        (NodeValue::List(left), NodeValue::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (NodeValue::Map(left), NodeValue::Map(right)) => {
            let mut sorted: Vec<_> = left.iter().collect();
            let mut other: Vec<_> = right.iter().collect();
            sorted.sort_by(|one, two| one.0.value.cmp(&two.0.value));
            other.sort_by(|one, two| one.0.value.cmp(&two.0.value));
            sorted.len() == other.len()
                && sorted
                    .iter()
                    .zip(other)
                    .all(|(left, right)| left.0.value == right.0.value && same(&left.1, &right.1))
        }
        _ => false,
    }
}

fn same_scalar(left: &Scalar, right: &Scalar) -> bool {
    let text = |kind: ScalarKind| matches!(kind, ScalarKind::Quoted | ScalarKind::Text);
    let same_kind = match (left.kind, right.kind) {
        (left, right) if text(left) => text(right),
        (ScalarKind::Null, right) => return right == ScalarKind::Null,
        (ScalarKind::Float(_), ScalarKind::Float(_)) => true,
        (left, right) => left == right,
    };
    same_kind && left.text == right.text
}
