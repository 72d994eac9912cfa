//! The greatest values that a scenario has seen: what `advances` compares with.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::time::Timestamp;

/// The greatest value that one `advances` assertion has seen in one stream, and since when.
///
/// State between runs: handed into a run, and back out with its outcome. It never goes down, so a value that
/// shrank stays wrong until it has passed the mark again.
#[derive(Clone, Debug, PartialEq)]
pub struct HighMark {
    /// The step's name.
    pub step: Arc<str>,
    /// What was looked at: `json $.generated_at`, `rows [0].last`.
    pub name: Arc<str>,
    /// The greatest value so far.
    pub value: MarkValue,
    /// When a run first saw that value.
    pub since: Timestamp,
}

/// A value that can grow.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum MarkValue {
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A point in time.
    Time(Timestamp),
}

impl MarkValue {
    /// How the value stands to `other`; `None` between a number and a time.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(&right)),
            (Self::Time(left), Self::Time(right)) => Some(left.cmp(&right)),
            (Self::Time(_), _) | (_, Self::Time(_)) => None,
            (left, right) => left.as_f64().partial_cmp(&right.as_f64()),
        }
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
            Self::Time(at) => at.as_seconds_f64(),
        }
    }
}

impl std::fmt::Display for MarkValue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(number) => write!(out, "{number}"),
            Self::Float(number) => write!(out, "{number}"),
            Self::Time(at) => write!(out, "{}", at.jiff()),
        }
    }
}

/// The marks `known`, moved on by those of `newer`.
pub fn merged(known: &[HighMark], newer: &[HighMark]) -> Vec<HighMark> {
    let mut all = known.to_vec();
    for mark in newer {
        match all.iter_mut().find(|known| known.step == mark.step && known.name == mark.name) {
            Some(known) => *known = mark.clone(),
            None => all.push(mark.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_kind_compare() {
        let at = |seconds| MarkValue::Time(Timestamp::from_seconds(seconds));
        for (left, right, expected) in [
            (MarkValue::Int(1), MarkValue::Int(2), Some(Ordering::Less)),
            (MarkValue::Int(2), MarkValue::Float(1.5), Some(Ordering::Greater)),
            (MarkValue::Float(f64::NAN), MarkValue::Float(1.5), None),
            (at(5), at(5), Some(Ordering::Equal)),
            (at(5), MarkValue::Int(5), None),
        ] {
            assert_eq!(left.compare(right), expected, "{left} {right}");
        }
    }

    #[test]
    fn newer_marks_replace_older_ones_of_the_same_name() {
        let mark = |name: &str, value| HighMark {
            step: "http".into(),
            name: name.into(),
            value: MarkValue::Int(value),
            since: Timestamp::default(),
        };
        let all = merged(&[mark("a", 1), mark("b", 2)], &[mark("b", 3), mark("c", 4)]);
        assert_eq!(all, [mark("a", 1), mark("b", 3), mark("c", 4)]);
    }
}
