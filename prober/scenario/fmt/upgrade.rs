//! Older versions of the language.

use super::Refusal;
use crate::diagnostic::{Diagnostic, Report};
use crate::tree::{self, ScalarKind};

/// The newest version of the language, which this program writes.
pub const VERSION: i64 = 1;

/// A text in the newest version of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// The text, with all comments.
    pub text: String,
    /// The version that it was in; `None` if it names none, as most scenario files do.
    pub from: Option<i64>,
}

/// What leads from one version to the next.
struct Step {
    from: i64,
    rewrite: fn(&str) -> String,
}

/// The steps in order. There is only one version so far, and no spelling that has been given up.
const STEPS: &[Step] = &[];

/// Brings a text to the newest version of the language; a file that names no version is of the newest.
///
/// # Errors
/// The text cannot be read, or is of a version that this program does not know.
pub fn upgrade(file: u32, text: &str) -> Result<Upgraded, Refusal> {
    let mut report = Report::default();
    let root = tree::parse(file, text, &mut report);
    let Some(root) = root.filter(|_| !report.has_errors()) else {
        return Err(Refusal::Mistakes(report.finish()));
    };
    let Some(node) = root.get("version") else {
        return Ok(Upgraded { text: text.to_owned(), from: None });
    };
    let found = node.scalar().map(|scalar| scalar.kind);
    let Some(ScalarKind::Int(from @ 1..=VERSION)) = found else {
        let message = format!("there is no version of the language that is {}", node.describe());
        let problem = Diagnostic::error("E120", node.span, message);
        let help = format!("this program knows version {VERSION}");
        return Err(Refusal::Mistakes(vec![problem.help(help)]));
    };
    let mut text = text.to_owned();
    for step in STEPS.iter().filter(|step| step.from >= from) {
        text = (step.rewrite)(&text);
    }
    Ok(Upgraded { text, from: Some(from) })
}
