//! Operators that no value fulfils, alone or together.
//!
//! Deliberately absent: a proof. What is found is certain; some contradictions are not found.

use model::time::Timestamp;

use super::sense::{always_holds, bounds, contradiction, number};
use super::{Subjects, ValueType};
use crate::assertion::Assertion;
use crate::history::Look;
use crate::matcher::{Comparison, Literal, Matcher};
use crate::value::{SubjectType, Value};

/// Whether no value of the type fulfils the matcher.
pub(super) fn never_holds(matcher: &Matcher, value: ValueType, key: &str) -> bool {
    match matcher {
        Matcher::Not(inner) => {
            !inner.is_empty() && inner.iter().all(|matcher| always_holds(matcher, value, key))
        }
        _ => bounds(value, key).is_some_and(|ends| is_outside(matcher, ends)),
    }
}

/// Whether no number from 0 to `most` fulfils all of the matchers, as far as each of them tells.
pub(crate) fn is_out_of_reach(matchers: &[Matcher], most: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
    let ends = (0.0, most as f64);
    matchers.iter().any(|matcher| is_outside(matcher, ends))
}

/// Whether no number between the ends, which are themselves among them, fulfils the matcher.
fn is_outside(matcher: &Matcher, (least, most): (f64, f64)) -> bool {
    let misses = |literal: &Literal| number(literal).is_some_and(|wanted| !(least..=most).contains(&wanted));
    match matcher {
        Matcher::Compare(comparison, literal) => number(literal).is_some_and(|limit| match comparison {
            Comparison::Less => limit <= least,
            Comparison::AtMost => limit < least,
            Comparison::Greater => limit >= most,
            Comparison::AtLeast => limit > most,
        }),
        Matcher::Equals(literal) => misses(literal),
        Matcher::In(literals) => literals.iter().all(misses),
        _ => false,
    }
}

/// Whether no value fulfils both assertions, which look at one thing in two places.
///
/// How long something took is not looked at: that of a run is more than that of its step.
pub(crate) fn exclude_each_other(one: &Assertion, other: &Assertion, subjects: &Subjects) -> bool {
    if one.name() != other.name() || one.subject() != other.subject() {
        return false;
    }
    let Some(value) = subjects.type_of(one) else { return false };
    let (one, other) = (one.matchers(), other.matchers());
    let mut pairs = one.iter().flat_map(|first| other.iter().map(move |second| (first, second)));
    contradiction(one.iter().chain(other)).is_some()
        || pairs.any(|(first, second)| excludes(first, second, value) || excludes(second, first, value))
}

/// Two operators of one map that no value fulfils together, beside limits.
pub(super) fn clash(matchers: &[Matcher], value: ValueType) -> Option<(usize, usize)> {
    let pairs =
        (0..matchers.len()).flat_map(|first| (first + 1..matchers.len()).map(move |second| (first, second)));
    pairs.into_iter().find(|(first, second)| {
        let (one, other) = (&matchers[*first], &matchers[*second]);
        excludes(one, other, value) || excludes(other, one, value)
    })
}

/// Whether `one` says of every value that it may be what `other` says it may not be.
fn excludes(one: &Matcher, other: &Matcher, value: ValueType) -> bool {
    if let Some(candidates) = candidates(one, value) {
        return is_decided(other, value)
            && !candidates
                .iter()
                .any(|candidate| Matcher::all(std::slice::from_ref(other), candidate, NOBODY).pass);
    }
    match (one, other) {
        (Matcher::Contains(wanted), Matcher::NotContains(unwanted)) => {
            let texts = !matches!(
                value,
                ValueType::Dynamic | ValueType::One(SubjectType::Texts | SubjectType::Words(_))
            );
            unwanted.iter().any(|unwanted| wanted.iter().any(|wanted| has(wanted, unwanted, texts)))
        }
        (Matcher::StartsWith(text) | Matcher::EndsWith(text), Matcher::NotContains(unwanted)) => {
            unwanted.iter().any(|unwanted| has(&Literal::text(&**text), unwanted, true))
        }
        (Matcher::NewerThan(newer, _), Matcher::OlderThan(older)) => older > newer,
        (Matcher::Not(inner), other) => match &**inner {
            [only] => format!("{only:?}") == format!("{other:?}"),
            _ => false,
        },
        _ => false,
    }
}

/// All values that the matcher lets through, if they can be listed.
fn candidates<'m>(matcher: &'m Matcher, value: ValueType) -> Option<Vec<Value<'m>>> {
    let literals = match matcher {
        Matcher::Equals(literal) => std::slice::from_ref(literal),
        Matcher::In(literals) => literals,
        _ if value == ValueType::One(SubjectType::Status) => {
            let statuses = (100..=599).map(Value::Int);
            return Some(
                statuses
                    .filter(|status| Matcher::all(std::slice::from_ref(matcher), status, NOBODY).pass)
                    .collect(),
            );
        }
        _ => return None,
    };
    let candidate = |literal: &'m Literal| match literal {
        Literal::Json(json) => Value::of_json(json),
        Literal::Duration(duration) => Value::Duration(*duration),
        Literal::Share(share) => Value::Share(*share),
    };
    Some(literals.iter().map(candidate).collect())
}

/// Whether the matcher says the same of a value wherever and whenever that is found.
fn is_decided(matcher: &Matcher, value: ValueType) -> bool {
    let one = matches!(value, ValueType::One(_));
    match matcher {
        Matcher::NewerThan(..)
        | Matcher::OlderThan(_)
        | Matcher::Advances(..)
        | Matcher::Agree
        | Matcher::Kept
        | Matcher::Exists(_) => false,
        // A path that matches several is looked at as a list.
        Matcher::Len(_) | Matcher::Any(_) | Matcher::All(_) | Matcher::EqualsSet(_) => one,
        Matcher::Not(inner) => inner.iter().all(|inner| is_decided(inner, value)),
        _ => true,
    }
}

/// Whether one is the other, or is a text that has it inside.
fn has(whole: &Literal, part: &Literal, texts: bool) -> bool {
    match (whole, part) {
        (Literal::Json(serde_json::Value::String(whole)), Literal::Json(serde_json::Value::String(part)))
            if texts =>
        {
            whole.contains(part.as_str())
        }
        _ => whole == part,
    }
}

/// No clock and no earlier runs: nothing here asks for them.
const NOBODY: Look<'static> = Look { now: Timestamp::from_nanos(0), before: crate::history::Before::Unkept };

#[cfg(test)]
mod tests {
    use crate::testing::{check_expect, compiled};

    #[test]
    fn what_no_value_fulfils() {
        for expect in [
            "count: { equals: 1, not: 1 }",
            "count: { in: [1], not_in: [1] }",
            "count: { equals: 5, in: [6] }",
            "count: { equals: 5, in: [6, 7] }",
            "count: { in: [1, 2], gt: 3 }",
            "count: { lt: 0 }",
            "count: -1",
            "body: { contains: x, not_contains: x }",
            "body: { contains: xy, not_contains: x }",
            "body: { starts_with: ab, not_contains: b }",
            "body: { starts_with: a, equals: b }",
            "body: { starts_with: a, not: { starts_with: a } }",
            "body: { equals: b, matches: '^a' }",
            "json: { $.a: { equals: 1, not: 1 } }",
            "json: { $.a: { equals: a, gt: 1 } }",
            "json: { $.a: { contains: x, not_contains: [y, x] } }",
            "json: { $.a: { newer_than: 1h, older_than: 2h } }",
            "json: { $.a: { equals: a, type: number } }",
            "answers: { contains: a, not_contains: a }",
            "answers: { equals: [a], contains: b }",
            "answers: { equals: [a], len: 2 }",
            "status: { gt: 600 }",
            "status: { lt: 100 }",
            "status: { in: [2xx], not: 2xx }",
            "status: { gt: 299, in: [2xx] }",
            "status: { not: { gte: 100 } }",
            "latency: { lt: 0s }",
            "size: { lt: 0 }",
            "loss: { gt: 100% }",
            "json: { $.a: { len: { lt: 0 } } }",
        ] {
            let codes: &[&str] = if expect.contains("not: { gte") { &["W343", "E310"] } else { &["E310"] };
            let mut codes = codes.to_vec();
            let file = format!("name: a\nevery: 1m\nhttp: https://x.example\nexpect: {{ {expect} }}\n");
            let mut found: Vec<_> = compiled("", &[&file]).diagnostics.iter().map(|one| one.code).collect();
            found.sort_unstable();
            codes.sort_unstable();
            assert_eq!(found, codes, "{expect}");
        }
    }

    #[test]
    fn what_some_value_fulfils() {
        check_expect("count: { equals: 5, in: [5, 6] }", &[]);
        check_expect("count: { equals: 5, not: 6 }", &[]);
        check_expect("body: { contains: x, not_contains: xy }", &[]);
        check_expect("json: { $.a: { contains: xy, not_contains: x } }", &[]);
        check_expect("json: { '$.a[*]': { equals: 1, len: 3 } }", &[]);
        check_expect("json: { $.a: { newer_than: 2h, older_than: 1h } }", &[]);
        check_expect("json: { $.a: { equals: \"2026-01-01T00:00:00Z\", older_than: 1h } }", &[]);
        check_expect("answers: { equals: [a], contains: a, len: 1 }", &[]);
        check_expect("status: { gte: 200, lt: 300, not: 204 }", &[]);
        check_expect("latency: { lte: 0s }", &[]);
        check_expect("expires_in: { lt: 0s }", &[]);
    }
}
