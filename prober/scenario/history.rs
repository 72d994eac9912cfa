//! What a look at a value is measured against: the clock, and what earlier runs saw.

use model::high_mark::{HighMark, MarkValue};
use model::outcome::Reason;
use model::time::Timestamp;

use std::cmp::Ordering;
use std::time::Duration;

use crate::matcher::Finding;
use crate::moment::moment;
use crate::units::show_duration;
use crate::value::Value;

/// What earlier runs of the same scenario saw in one of its steps.
#[derive(Copy, Clone, Debug)]
pub struct Earlier<'a> {
    /// The step that is looked at.
    pub step: &'a str,
    /// The marks of all steps.
    pub marks: &'a [HighMark],
}

/// What a matcher may compare with beside its operand.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Look<'a> {
    /// The wall clock that ages are measured against.
    pub(crate) now: Timestamp,
    pub(crate) before: Before<'a>,
}

/// What is known of the value from earlier runs.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Before<'a> {
    /// Nobody keeps marks.
    Unkept,
    /// No earlier run has seen it.
    Unseen,
    /// The greatest value so far.
    Mark(&'a HighMark),
}

impl<'a> Look<'a> {
    /// The look at the value `name`.
    pub(crate) fn new(now: Timestamp, earlier: Option<Earlier<'a>>, name: &str) -> Self {
        let before = earlier.map_or(Before::Unkept, |Earlier { step, marks }| {
            let mark = marks.iter().find(|mark| *mark.step == *step && *mark.name == *name);
            mark.map_or(Before::Unseen, Before::Mark)
        });
        Self { now, before }
    }
}

/// `advances`: the value has grown, or has stood still for no longer than `within`.
pub(crate) fn advances(within: Duration, tolerance: Duration, value: &Value<'_>, look: Look<'_>) -> Finding {
    let Some(found) = growing(value) else { return Finding::mismatch(value, "a number or a time") };
    if let MarkValue::Time(at) = found {
        let age = look.now.seconds_since(at);
        // A mark in the future would call everything after it a step back.
        if age < -tolerance.as_secs_f64() {
            return Finding { pass: false, reason: Reason::FutureDated, age: Some(age), ..Finding::HOLDS };
        }
    }
    let moved = |remark: Option<&str>| Finding {
        mark: Some((found, look.now)),
        note: remark.map(str::to_owned),
        ..Finding::HOLDS
    };
    let mark = match look.before {
        Before::Unkept => {
            let remark = "there was nothing to compare with: only `prober serve` keeps what earlier runs saw";
            return Finding { note: Some(remark.to_owned()), ..Finding::HOLDS };
        }
        Before::Unseen => {
            return moved(Some("seen for the first time, so there was nothing to compare with"));
        }
        Before::Mark(mark) => mark,
    };
    let kept = Some((mark.value, mark.since));
    match found.compare(mark.value) {
        // A number where a time was: the scenario or its source is another one now.
        None => moved(Some("it is of another type than before, so there was nothing to compare with")),
        Some(Ordering::Greater) => moved(None),
        Some(Ordering::Less) => Finding {
            pass: false,
            reason: Reason::Backwards,
            mark: kept,
            note: Some(format!("it was {} before", mark.value)),
            ..Finding::HOLDS
        },
        Some(Ordering::Equal) => {
            let stood = look.now.since(mark.since);
            let holds = Finding { mark: kept, ..Finding::HOLDS };
            if stood <= within {
                return holds;
            }
            let note = Some(show_duration(whole_seconds(stood)));
            Finding { pass: false, reason: Reason::Stalled, note, ..holds }
        }
    }
}

/// The value as one that can grow; texts are times.
fn growing(value: &Value<'_>) -> Option<MarkValue> {
    match value {
        Value::Int(number) => Some(MarkValue::Int(*number)),
        Value::Large(number) => Some(MarkValue::Float(*number as f64)),
        Value::Float(number) if number.is_finite() => Some(MarkValue::Float(*number)),
        Value::Decimal(digits) => {
            digits.parse().ok().filter(|near: &f64| near.is_finite()).map(MarkValue::Float)
        }
        Value::Text(_) | Value::Time(_) => moment(value).map(MarkValue::Time),
        _ => None,
    }
}

/// Without the fractions that come from the clock.
fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_767_225_600 + seconds)
    }

    /// Looks at `value` a thousand seconds after the start, `advances: { within: 10m }`.
    fn check(value: &Value<'_>, known: Option<(MarkValue, i64)>) -> (Reason, Option<(MarkValue, Timestamp)>) {
        let mark = known.map(|(value, since)| HighMark {
            step: "http".into(),
            name: "json $.x".into(),
            value,
            since: at(since),
        });
        let marks: Vec<_> = mark.into_iter().collect();
        let look = Look::new(at(1_000), Some(Earlier { step: "http", marks: &marks }), "json $.x");
        let found = advances(Duration::from_mins(10), Duration::from_mins(1), value, look);
        assert_eq!(found.pass, found.reason == Reason::Ok);
        (found.reason, found.mark)
    }

    #[test]
    fn a_value_grows_stands_still_or_shrinks() {
        let int = MarkValue::Int;
        for (value, known, reason, mark) in [
            (5, None, Reason::Ok, (5, 1_000)),
            (6, Some((5, 0)), Reason::Ok, (6, 1_000)),
            (5, Some((5, 500)), Reason::Ok, (5, 500)),
            (5, Some((5, 400)), Reason::Ok, (5, 400)),
            (5, Some((5, 399)), Reason::Stalled, (5, 399)),
            (4, Some((5, 999)), Reason::Backwards, (5, 999)),
        ] {
            let found = check(&Value::Int(value), known.map(|(value, since)| (int(value), since)));
            assert_eq!(found, (reason, Some((int(mark.0), at(mark.1)))), "{value} after {known:?}");
        }
    }

    #[test]
    fn times_are_compared_as_times_and_never_lie_in_the_future() {
        let text = |text: &'static str| Value::Text(text.into());
        let noon = Some((MarkValue::Time("2026-01-01T00:00:00Z".parse().unwrap()), 999));
        assert_eq!(check(&text("2026-01-01 00:00:01"), noon).0, Reason::Ok);
        assert_eq!(check(&text("2025-12-31T23:59:59Z"), noon).0, Reason::Backwards);
        assert_eq!(check(&text("2099-01-01T00:00:00Z"), noon), (Reason::FutureDated, None));
        assert_eq!(check(&text("soon"), noon), (Reason::Failed, None));
        assert_eq!(check(&Value::Null, noon), (Reason::Failed, None));
        assert_eq!(check(&Value::Float(f64::NAN), noon), (Reason::Failed, None));
        assert_eq!(check(&Value::Int(7), noon).0, Reason::Ok, "another type begins anew");
    }

    #[test]
    fn where_nobody_keeps_marks_it_holds_and_says_so() {
        let look = Look::new(at(0), None, "json $.x");
        let found = advances(Duration::ZERO, Duration::ZERO, &Value::Int(7), look);
        assert!(found.pass && found.mark.is_none(), "{found:?}");
        assert!(found.note.unwrap().starts_with("there was nothing to compare with"));
    }
}
