//! `sli`: which runs are good enough, and which do not count.

use super::keys::SLI_KEYS;
use crate::bind::{Binder, Place};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, KeyType};
use crate::source::Spanned;
use crate::tree::Node;

/// `sli.good`, the clauses of `sli.ineligible`, and the word of `sli.retried`.
pub(super) type Sli<'t> = (Option<&'t Node>, Vec<&'t Node>, Option<Spanned<&'static str>>);

/// What a run counts as that only a retry saved.
pub const RETRIED: KeyType = KeyType::Choice(&["good", "bad"]);

/// Reads `sli`.
pub(super) fn read<'t>(root: &'t Node, binder: &mut Binder<'_, '_>) -> Sli<'t> {
    let Some(node) = root.get("sli") else { return (None, Vec::new(), None) };
    let Some(entries) = node.map() else {
        let message = format!("expected a map with `good` and `ineligible`, found {}", node.describe());
        let problem = Diagnostic::error("E103", node.span, message);
        binder.report.push(problem.help("write sli: { good: { latency: { lt: 300ms } } }"));
        return (None, Vec::new(), None);
    };
    let (mut good, mut ineligible, mut retried) = (None, Vec::new(), None);
    for (key, value) in entries {
        match key.value.as_str() {
            "good" => good = Some(value),
            "ineligible" => match value.list() {
                Some([]) => {
                    binder.report.push(Diagnostic::error(
                        "E104",
                        value.span,
                        "the list `ineligible` is empty",
                    ));
                }
                Some(items) => ineligible.extend(items),
                None => ineligible.push(value),
            },
            "retried" => {
                let bound = binder.value(value, &RETRIED, "retried");
                if let Some(Bound::Choice(word)) = bound {
                    retried = Some(Spanned::new(word, value.span));
                }
            }
            _ => binder.report.push(Place::under("sli").unknown_key(key, SLI_KEYS)),
        }
    }
    (good, ineligible, retried)
}

/// Warns of `sli.retried` where no step has a `retry`.
pub(super) fn is_ever_retried(retried: Option<&Spanned<&'static str>>, retries: bool, report: &mut Report) {
    if let Some(retried) = retried.filter(|_| !retries) {
        let problem = Diagnostic::warning("W307", retried.span, "no step has a `retry`");
        report.push(problem.label("so no run is ever saved by one"));
    }
}
