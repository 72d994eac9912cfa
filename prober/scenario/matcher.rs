//! The operators of `expect` and its kin, compiled, against observed values.
//!
//! Deliberately absent: any coercion. Comparing a text with a number fails and says so.

mod finding;
mod literal;

use std::cmp::Ordering;
use std::time::Duration;

use model::outcome::Reason;
use model::time::Timestamp;
use regex::Regex;

use crate::history::{self, Look};
use crate::moment::{doubtful, moment};
use crate::value::Value;
pub(crate) use finding::Finding;
pub(crate) use literal::Literal;
use literal::{equals, equals_set, order};

/// How far in the future a value may lie before it counts as `future_dated`.
pub(crate) const FUTURE_TOLERANCE: Duration = Duration::from_mins(1);

/// One operator with its operand.
#[derive(Debug)]
pub(crate) enum Matcher {
    Equals(Literal),
    Not(Box<[Matcher]>),
    In(Box<[Literal]>),
    NotIn(Box<[Literal]>),
    Compare(Comparison, Literal),
    /// A word of an ordered list: its rank, and the words from least to most.
    Rank(Comparison, usize, &'static [&'static str]),
    Contains(Box<[Literal]>),
    NotContains(Box<[Literal]>),
    Matches(Regex),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Exists(bool),
    Type(JsonType),
    Len(Box<[Matcher]>),
    Any(Box<[Matcher]>),
    All(Box<[Matcher]>),
    EqualsSet(Box<[Literal]>),
    /// The limit, and how far in the future the value may lie.
    NewerThan(Duration, Duration),
    OlderThan(Duration),
    /// How long it may stand still, and how far in the future a time may lie.
    Advances(Duration, Duration),
    /// All sources say the same; looked at before the values are.
    Agree,
    Status(Box<[StatusRange]>),
    /// The rule that the kind looked at is kept.
    Kept,
}

/// The four orders.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Greater,
    AtLeast,
    Less,
    AtMost,
}

/// Statuses from `first` to `last`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusRange {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

/// The words of `type:`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonType {
    String,
    Number,
    Integer,
    Boolean,
    Null,
    Array,
    Object,
}

impl Matcher {
    /// Whether all of them hold.
    pub(crate) fn all(matchers: &[Self], value: &Value<'_>, look: Look<'_>) -> Finding {
        matchers.iter().fold(Finding::HOLDS, |finding, matcher| finding.and(|| matcher.find(value, look)))
    }

    /// Whether the operator is about a list as a whole, so that several JSON nodes count as one list.
    pub(crate) fn looks_at_lists(&self) -> bool {
        match self {
            Self::Len(_) | Self::Exists(_) => true,
            Self::Not(matchers) => matchers.iter().any(Self::looks_at_lists),
            _ => self.looks_at_items(),
        }
    }

    /// Whether the operator asks for the items of a list.
    pub(crate) fn looks_at_items(&self) -> bool {
        match self {
            Self::Any(_) | Self::All(_) | Self::EqualsSet(_) => true,
            Self::Not(matchers) => matchers.iter().any(Self::looks_at_items),
            _ => false,
        }
    }

    /// Whether what the operator says of a number it says of every greater one.
    pub(crate) fn is_lower_bound(&self) -> bool {
        matches!(self, Self::Compare(Comparison::Greater | Comparison::AtLeast, _) | Self::Exists(true))
    }

    /// Whether the operator can hold where a JSON path has no match.
    pub(crate) fn holds_for_empty(&self) -> bool {
        matches!(self, Self::Len(_) | Self::EqualsSet(_) | Self::Exists(false))
    }

    /// Whether the operator holds for the value.
    pub(crate) fn find(&self, value: &Value<'_>, look: Look<'_>) -> Finding {
        match self {
            Self::Equals(literal) => equals(literal, value),
            Self::Not(matchers) => {
                let inner = Self::all(matchers, value, look);
                // What has no meaning has none with `not` before it either.
                if inner.senseless { inner } else { Finding { age: inner.age, ..Finding::of(!inner.pass) } }
            }
            Self::In(literals) => Finding::of(literals.iter().any(|literal| literal.equals(value))),
            Self::NotIn(literals) => Finding::of(!literals.iter().any(|literal| literal.equals(value))),
            Self::Compare(comparison, literal) => compare(*comparison, literal, value),
            Self::Rank(comparison, rank, words) => find_rank(*comparison, *rank, words, value),
            Self::Contains(literals) => contains(literals, value, true),
            Self::NotContains(literals) => contains(literals, value, false),
            Self::Matches(regex) => on_text(value, |text| regex.is_match(text)),
            Self::StartsWith(prefix) => on_text(value, |text| text.starts_with(&**prefix)),
            Self::EndsWith(suffix) => on_text(value, |text| text.ends_with(&**suffix)),
            Self::Exists(wanted) => Finding::of(*wanted),
            Self::Type(kind) => Finding::of(kind.fits(value)),
            Self::Len(matchers) => match length(value) {
                Some(length) => {
                    Self::all(matchers, &Value::Int(length), look).noted(|| format!("its length is {length}"))
                }
                None => Finding::mismatch(value, "a text, list or object"),
            },
            Self::Any(matchers) => each(value, |items| any(matchers, items, look)),
            Self::All(matchers) => each(value, |items| {
                items.iter().fold(Finding::HOLDS, |found, item| found.and(|| Self::all(matchers, item, look)))
            }),
            Self::EqualsSet(literals) => each(value, |items| equals_set(literals, items)),
            Self::NewerThan(limit, tolerance) => newer_than(*limit, *tolerance, value, look.now),
            Self::OlderThan(limit) => older_than(*limit, value, look.now),
            Self::Advances(within, tolerance) => history::advances(*within, *tolerance, value, look),
            Self::Agree => Finding::HOLDS,
            Self::Kept => Finding::of(*value == Value::Bool(true)),
            Self::Status(ranges) => match value {
                Value::Int(status) => Finding::of(ranges.iter().any(|range| range.holds(*status))),
                _ => Finding::mismatch(value, "a status"),
            },
        }
    }
}

impl StatusRange {
    fn holds(self, status: i64) -> bool {
        (i64::from(self.first)..=i64::from(self.last)).contains(&status)
    }
}

/// Whether the matchers hold for an item; if they hold for none and have no meaning for one, that is said.
///
/// Of items that are times the one nearest to now speaks for all, with its age: the newest entry of a feed.
fn any(matchers: &[Matcher], items: &[Value<'_>], look: Look<'_>) -> Finding {
    let mut senseless = None;
    let mut nearest: Option<Finding> = None;
    for item in items {
        let found = Matcher::all(matchers, item, look);
        if found.pass && found.age.is_none() {
            return Finding::HOLDS;
        }
        if found.senseless {
            senseless = senseless.or(Some(found));
        } else if found.age.is_some() && nearest.as_ref().is_none_or(|known| found.is_nearer(known)) {
            nearest = Some(found);
        }
    }
    match nearest {
        Some(Finding { pass, reason, age, note, .. }) if pass || senseless.is_none() => {
            Finding { pass, reason, age, note, ..Finding::HOLDS }
        }
        _ => senseless.unwrap_or(Finding::BROKEN),
    }
}

fn compare(comparison: Comparison, literal: &Literal, value: &Value<'_>) -> Finding {
    let order = match (literal, value) {
        (Literal::Duration(wanted), Value::Duration(found)) => found.partial_cmp(wanted),
        (Literal::Share(wanted), Value::Share(found)) => found.millionths().partial_cmp(&wanted.millionths()),
        (
            Literal::Json(serde_json::Value::Number(wanted)),
            Value::Int(_) | Value::Large(_) | Value::Float(_) | Value::Decimal(_),
        ) => order(wanted, value),
        _ => return Finding::mismatch(value, literal.family()),
    };
    Finding::of(order.is_some_and(|order| comparison.holds(order)))
}

fn find_rank(comparison: Comparison, rank: usize, words: &[&str], value: &Value<'_>) -> Finding {
    let Value::Text(text) = value else { return Finding::mismatch(value, "a text") };
    match words.iter().position(|word| word == text) {
        Some(found) => Finding::of(comparison.holds(found.cmp(&rank))),
        None => Finding { senseless: true, ..Finding::BROKEN }
            .noted(|| format!("only {} can be compared", words.join(", "))),
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
        }
    }
}

fn contains(literals: &[Literal], value: &Value<'_>, wanted: bool) -> Finding {
    let holds = |literal: &Literal| match value {
        Value::List(items) => Some(items.iter().any(|item| literal.equals(item))),
        Value::Text(text) => match literal {
            Literal::Json(serde_json::Value::String(part)) => Some(text.contains(part.as_str())),
            _ => None,
        },
        Value::Object(map) => match literal {
            Literal::Json(serde_json::Value::String(key)) => Some(map.tree().contains_key(key)),
            _ => None,
        },
        _ => None,
    };
    for literal in literals {
        match holds(literal) {
            Some(found) if found == wanted => {}
            Some(_) => return Finding::BROKEN,
            None => return Finding::mismatch(value, "a text or list that can contain it"),
        }
    }
    Finding::HOLDS
}

fn on_text(value: &Value<'_>, holds: impl FnOnce(&str) -> bool) -> Finding {
    match value {
        Value::Text(text) => Finding::of(holds(text)),
        Value::Time(at) => Finding::of(holds(&at.jiff().to_string())),
        _ => Finding::mismatch(value, "a text"),
    }
}

impl JsonType {
    fn fits(self, value: &Value<'_>) -> bool {
        match value {
            Value::Null => self == Self::Null,
            Value::Bool(_) => self == Self::Boolean,
            Value::Int(_) | Value::Large(_) => matches!(self, Self::Number | Self::Integer),
            Value::Float(number) => {
                self == Self::Number || (self == Self::Integer && number.fract().abs() < f64::EPSILON)
            }
            Value::Decimal(digits) => {
                self == Self::Number || (self == Self::Integer && !digits.contains('.'))
            }
            Value::Text(_) | Value::Time(_) => self == Self::String,
            Value::Duration(_) | Value::Share(_) => self == Self::Number,
            Value::List(_) => self == Self::Array,
            Value::Object(_) => self == Self::Object,
        }
    }
}

fn length(value: &Value<'_>) -> Option<i64> {
    let length = match value {
        Value::Text(text) => text.chars().count(),
        Value::List(items) => items.len(),
        Value::Object(map) => map.tree().len(),
        _ => return None,
    };
    i64::try_from(length).ok()
}

fn each(value: &Value<'_>, find: impl FnOnce(&[Value<'_>]) -> Finding) -> Finding {
    match value {
        Value::List(items) => find(items),
        _ => Finding::mismatch(value, "a list"),
    }
}

fn newer_than(limit: Duration, tolerance: Duration, value: &Value<'_>, now: Timestamp) -> Finding {
    let Some(at) = moment(value) else { return Finding::mismatch(value, "a time").noted_text(value) };
    let age = now.seconds_since(at);
    let reason = if age < -tolerance.as_secs_f64() {
        Reason::FutureDated
    } else if age > limit.as_secs_f64() {
        Reason::Stale
    } else {
        Reason::Ok
    };
    let note = doubtful(value, at).filter(|_| reason != Reason::Ok).map(str::to_owned);
    Finding { pass: reason == Reason::Ok, reason, age: Some(age), note, ..Finding::HOLDS }
}

fn older_than(limit: Duration, value: &Value<'_>, now: Timestamp) -> Finding {
    let Some(at) = moment(value) else { return Finding::mismatch(value, "a time").noted_text(value) };
    let age = now.seconds_since(at);
    Finding { age: Some(age), ..Finding::of(age >= limit.as_secs_f64()) }
}
