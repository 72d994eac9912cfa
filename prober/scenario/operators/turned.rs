//! Bounds that are the wrong way round: what is wanted fails, and what is feared passes.
//!
//! `expires_in: { lt: 21d }` is good for every certificate that is about to end. Which way a duration is bounded in
//! most files, its kind's table says.

use crate::assertion::Assertion;
use crate::bind::Binder;
use crate::diagnostic::Diagnostic;
use crate::kind::Wants;
use crate::matcher::{Comparison, Literal, Matcher};
use crate::source::Spanned;
use crate::tree::{Node, NodeValue};

/// A bound of a duration.
struct Bound {
    comparison: Comparison,
    limit: String,
}

impl Bound {
    /// The bound that `matcher` is; `None` for anything else, and for one at zero, which asks whether there is any.
    fn of(matcher: &Matcher) -> Option<Self> {
        match matcher {
            Matcher::Compare(comparison, literal @ Literal::Duration(limit)) if !limit.is_zero() => {
                Some(Self { comparison: *comparison, limit: literal.show() })
            }
            _ => None,
        }
    }

    const fn is_lower(&self) -> bool {
        matches!(self.comparison, Comparison::Greater | Comparison::AtLeast)
    }

    /// The operator for everything that this one leaves out.
    const fn opposite(&self) -> &'static str {
        match self.comparison {
            Comparison::Greater => "lte",
            Comparison::AtLeast => "lt",
            Comparison::Less => "gte",
            Comparison::AtMost => "gt",
        }
    }
}

impl Binder<'_, '_> {
    /// Looks at how `expect`, `warn` or `sli.good` bounds a duration that wants one of the ways.
    pub(super) fn right_way_round(
        &mut self,
        (key, value): &(Spanned<String>, Node),
        assertion: &Assertion,
        wants: Wants,
    ) {
        let (wants_lower, fails, passes) = match wants {
            Wants::AtLeast => (true, "longer", "short"),
            Wants::AtMost => (false, "shorter", "long"),
            Wants::Nothing => return,
        };
        let bounds: Option<Vec<Bound>> = assertion.matchers().iter().map(Bound::of).collect();
        let Some((first, rest)) = bounds.as_deref().and_then(<[Bound]>::split_first) else { return };
        let is_turned = |bound: &Bound| bound.is_lower() != wants_lower;
        if !is_turned(first) || !rest.iter().all(is_turned) {
            return;
        }
        let at = match &value.value {
            NodeValue::Map(entries) => entries.first().map_or(key.span, |(operator, _)| operator.span),
            _ => key.span,
        };
        let subject = assertion.subject();
        let message =
            format!("`{subject}` fails when it is {fails} than this, and may be as {passes} as it likes");
        let help = format!("write {}: {}", first.opposite(), first.limit);
        self.report.push(Diagnostic::warning("W362", at, message).help(help));
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check_expect;

    #[test]
    fn bounds_of_what_is_feared_are_told() {
        check_expect("latency: { gt: 300ms }", &["W362"]);
        check_expect("latency: { gte: 300ms, gt: 200ms }", &["W362"]);
        for fine in ["{ lt: 300ms }", "{ gt: 0s }", "{ gte: 1ms, lt: 300ms }", "{ not: { gt: 300ms } }"] {
            check_expect(&format!("latency: {fine}"), &[]);
        }
    }
}
