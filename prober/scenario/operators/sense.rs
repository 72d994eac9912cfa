//! Whether what is expected can fail, and whether it can hold at all.
//!
//! An assertion that holds whatever the target does looks like a check and is none: a warning. Two that cannot
//! hold together are a mistake.

use model::objective::Share;

use super::ValueType;
use super::clash::{clash, never_holds};
use super::table::is_found;
use crate::assertion::LATENCY;
use crate::bind::Binder;
use crate::diagnostic::Diagnostic;
use crate::matcher::{Comparison, Literal, Matcher, StatusRange};
use crate::source::{Span, Spanned};
use crate::tree::Node;
use crate::value::SubjectType;

/// One end of what a number may be.
#[derive(Copy, Clone)]
struct Bound {
    at: f64,
    /// Whether the number itself is left out.
    open: bool,
    operator: usize,
}

impl Binder<'_, '_> {
    /// Looks at the operators of one map, or at a bare value without entries; `false` after a contradiction.
    pub(super) fn makes_sense(
        &mut self,
        node: &Node,
        entries: &[(Spanned<String>, Node)],
        matchers: &[Matcher],
        (value, key): (ValueType, &str),
    ) -> bool {
        for (index, matcher) in matchers.iter().enumerate() {
            let (operator, operand) = entries
                .get(index)
                .map_or((node.span, node.span), |(operator, operand)| (operator.span, operand.span));
            if always_holds(matcher, value, key) {
                let problem =
                    Diagnostic::warning("W343", operator, "this always holds, whatever the target does");
                self.report.push(problem.help("leave it out, or write what would be wrong"));
            }
            if never_holds(matcher, value, key) {
                let problem =
                    Diagnostic::error("E310", operator, "this can never hold, whatever the target does");
                self.report.push(problem.help("leave it out, or write what would be right"));
                return false;
            }
            let whole = entries.get(index).map_or(node, |(_, operand)| operand);
            self.as_meant(matcher, whole);
            if let Matcher::Matches(regex) = matcher {
                self.pattern(regex, operand, value);
            }
        }
        let found = contradiction(matchers).or_else(|| clash(matchers, value));
        let Some((low, high)) = found else { return true };
        let at = |index: usize| entries.get(index).map_or(node.span, |(operator, _)| operator.span);
        let (first, second) = (at(low.min(high)), at(low.max(high)));
        let problem =
            Diagnostic::error("E310", second, "this can never hold together with the other operator");
        self.report.push(
            problem.other(first, "the other one is here").help("several operators in one map must all hold"),
        );
        false
    }

    fn pattern(&mut self, regex: &regex::Regex, at: Span, value: ValueType) {
        let known = self.names.patterns().find(regex.as_str(), at);
        if known.is_ok_and(|known| known.matches_all) {
            let problem =
                Diagnostic::warning("W342", at, "this pattern matches every text, the empty one too");
            self.report.push(problem.help("write + in place of *, or what the text must have"));
        } else if (value == ValueType::Dynamic || is_found(value)) && looks_whole(regex.as_str()) {
            let problem = Diagnostic::warning("W344", at, "this pattern may match anywhere in the value");
            let fixed =
                format!("for the whole value write '^{}$'; if anywhere is meant, '.*{0}'", regex.as_str());
            self.report.push(problem.label("it has neither `^` nor `$`").help(fixed));
        }
    }
}

/// Whether the pattern describes a format and says nothing of its ends.
fn looks_whole(pattern: &str) -> bool {
    let anchored = ["^", "$", "\\A", "\\z", "\\b"].iter().any(|anchor| pattern.contains(anchor));
    let open = pattern.starts_with(".*") || pattern.ends_with(".*");
    let format = pattern.contains('[') || pattern.contains("\\d") || pattern.contains("\\w");
    format && !anchored && !open
}

/// The least and the most that a number of the type can be; `None` if it has no ends, or is none.
pub(super) fn bounds(value: ValueType, key: &str) -> Option<(f64, f64)> {
    let ValueType::One(subject) = value else { return None };
    match subject {
        SubjectType::Status => Some((100.0, 599.0)),
        SubjectType::Int | SubjectType::Size => Some((0.0, f64::INFINITY)),
        SubjectType::Percent => Some((0.0, f64::from(Share::WHOLE))),
        SubjectType::Duration if key == LATENCY => Some((0.0, f64::INFINITY)),
        _ => None,
    }
}

pub(super) fn always_holds(matcher: &Matcher, value: ValueType, key: &str) -> bool {
    match (matcher, value) {
        (Matcher::Compare(comparison, literal), _) => {
            let (Some((least, most)), Some(limit)) = (bounds(value, key), number(literal)) else {
                return false;
            };
            match comparison {
                Comparison::AtLeast => limit <= least,
                Comparison::Greater => limit < least,
                Comparison::AtMost => limit >= most,
                Comparison::Less => limit > most,
            }
        }
        (Matcher::Status(ranges), _) => all_statuses(ranges),
        (Matcher::Exists(true), ValueType::One(SubjectType::Status)) => true,
        _ => false,
    }
}

fn all_statuses(ranges: &[StatusRange]) -> bool {
    (1..=5)
        .all(|class| ranges.iter().any(|range| range.first <= class * 100 && range.last >= class * 100 + 99))
}

/// Two operators that no number fulfils together.
pub(super) fn contradiction<'m>(matchers: impl IntoIterator<Item = &'m Matcher>) -> Option<(usize, usize)> {
    let (mut lows, mut highs) = (Vec::new(), Vec::new());
    for (operator, matcher) in matchers.into_iter().enumerate() {
        let (comparison, at) = match matcher {
            Matcher::Compare(comparison, literal) => (Some(*comparison), number(literal)?),
            #[expect(clippy::cast_precision_loss, reason = "a list of words is short")]
            Matcher::Rank(comparison, rank, _) => (Some(*comparison), *rank as f64),
            Matcher::Equals(literal) => match number(literal) {
                Some(at) => (None, at),
                None => continue,
            },
            _ => continue,
        };
        let bound = |open| Bound { at, open, operator };
        match comparison {
            Some(Comparison::Greater) => lows.push(bound(true)),
            Some(Comparison::AtLeast) => lows.push(bound(false)),
            Some(Comparison::Less) => highs.push(bound(true)),
            Some(Comparison::AtMost) => highs.push(bound(false)),
            None => {
                lows.push(bound(false));
                highs.push(bound(false));
            }
        }
    }
    lows.iter().find_map(|low| {
        let empty = |high: &&Bound| {
            let order = low.at.total_cmp(&high.at);
            order.is_gt() || (order.is_eq() && (low.open || high.open))
        };
        highs
            .iter()
            .filter(|high| high.operator != low.operator)
            .find(empty)
            .map(|high| (low.operator, high.operator))
    })
}

/// A number, or a duration in seconds.
pub(super) fn number(literal: &Literal) -> Option<f64> {
    match literal {
        Literal::Duration(duration) => Some(duration.as_secs_f64()),
        Literal::Share(share) => Some(share.millionths().into()),
        Literal::Json(value) => value.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check_expect;

    #[test]
    fn what_can_never_fail_or_never_hold() {
        check_expect("latency: { gte: 0s }", &["W343"]);
        check_expect("latency: { gte: 1ms, lt: 300ms }", &[]);
        check_expect("expires_in: { gte: 0s }", &[]);
        check_expect("loss: { lte: 100% }", &["W343"]);
        check_expect("loss: { lte: 5% }", &[]);
        check_expect("loss: { gt: 10%, lt: 5% }", &["E310"]);
        check_expect("loss: 5", &["E160"]);
        check_expect("size: { gte: 0 }", &["W343"]);
        check_expect("size: { gt: 0 }", &[]);
        check_expect("status: { lt: 600 }", &["W343"]);
        check_expect("status: [1xx, 2xx, 3xx, 4xx, 5xx]", &["W343"]);
        check_expect("status: [2xx, 3xx, 4xx, 5xx]", &[]);
        check_expect("json: { $.a: { len: { gte: 0 } } }", &["W343"]);
        check_expect("json: { $.a: { gte: 0 } }", &[]);
        check_expect("count: { gte: 5, lt: 5 }", &["E310"]);
        check_expect("count: { gte: 5, lte: 5 }", &[]);
        check_expect("count: { lt: 3, gt: 7 }", &["E310"]);
        check_expect("count: { equals: 3, gt: 3 }", &["E310"]);
        check_expect("protocol: { gt: TLS1.3, lte: TLS1.2 }", &["E310"]);
        check_expect("latency: { gt: 1s, lt: 300ms }", &["E310"]);
    }

    #[test]
    fn patterns_that_match_too_much() {
        check_expect("body: { matches: '.*' }", &["W342"]);
        check_expect("body: { matches: 'a*' }", &["W342"]);
        check_expect("body: { matches: '^$' }", &[]);
        check_expect("body: { matches: '\\d+' }", &[]);
        check_expect("json: { $.id: { matches: '[0-9a-f]{8}' } }", &["W344"]);
        check_expect("json: { $.id: { matches: '^[0-9a-f]{8}$' } }", &[]);
        check_expect("json: { $.id: { matches: '.*[0-9]' } }", &[]);
        check_expect("headers: { Server: { matches: nginx } }", &[]);
    }
}
