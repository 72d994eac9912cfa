//! Assertions, compiled once and looked at in every run.
//!
//! A broken assertion is data about the target: it says what was there and what was expected. Nothing here
//! reads a clock; the moment that freshness is measured against is handed in.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use model::outcome::{Reason, cut};
use model::step::{AssertionRecord, Part, SHOWN_MAX};
use model::time::Timestamp;

use crate::kind::{Evidence, Kind};
use crate::matcher::{Finding, Matcher};
use crate::shown::{show_many, show_value};
use crate::units::show_duration;
use crate::value::{Reading, Selector, Value};

/// The subject that every kind has: how long the step, or for `sli.good` the run, took.
pub const LATENCY: &str = "latency";

/// What assertions and captures look at.
#[derive(Copy, Clone)]
pub struct Observed<'a> {
    /// What the step showed.
    pub evidence: &'a dyn Evidence,
    /// How long the step took; for the run's own `sli.good`, how long the run took.
    pub latency: Duration,
    /// The wall clock that ages are measured against.
    pub now: Timestamp,
}

impl Observed<'_> {
    /// The subject's value; `latency` is known here, everything else by the evidence.
    pub(crate) fn read(&self, subject: &str, selector: &Selector) -> Reading<'_> {
        if subject == LATENCY {
            return Reading::One(Value::Duration(self.latency));
        }
        self.evidence.read(subject, selector)
    }
}

/// One subject and everything that must hold for it.
#[derive(Clone, Debug)]
pub struct Assertion(Arc<Inner>);

/// The parts of an assertion.
#[derive(Debug)]
pub(crate) struct Inner {
    /// The subject's name in its kind's table.
    pub(crate) subject: &'static str,
    /// What is chosen from it.
    pub(crate) selector: Selector,
    /// What must hold, all of it.
    pub(crate) matchers: Box<[Matcher]>,
    /// `status`, `json $.status`.
    pub(crate) name: Arc<str>,
    /// What is expected, for people.
    pub(crate) expected: Cow<'static, str>,
    /// Whether the kind expects it without being told.
    pub(crate) implied: bool,
    /// Whether texts are shown in quotes.
    pub(crate) quoted: bool,
}

/// What looking at an assertion gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Whether it held.
    pub pass: bool,
    /// What was there, at most [`SHOWN_MAX`] bytes.
    pub actual: String,
    /// Age in seconds of the value, if it was read as a time; negative if it lies in the future.
    pub age: Option<f64>,
    /// `Ok`, `Failed`, `Stale` or `FutureDated`.
    pub reason: Reason,
    /// One sentence such as "status is 500, expected 200"; empty if it held.
    pub message: String,
}

impl Assertion {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Looks at what a step showed.
    pub fn check(&self, observed: &Observed<'_>) -> Checked {
        let inner = &*self.0;
        match observed.read(inner.subject, &inner.selector) {
            Reading::One(value) => {
                let finding = Matcher::all(&inner.matchers, &value, observed.now);
                inner.checked(finding, show_value(&value, inner.quoted))
            }
            Reading::Many(values) => inner.check_many(&values, observed.now),
            Reading::Absent => {
                let pass = inner.matchers.iter().any(|matcher| matches!(matcher, Matcher::Exists(false)));
                let actual = "nothing".to_owned();
                if pass { Checked::held(actual, None) } else { Checked::broken(actual, inner.absent()) }
            }
            Reading::Unreadable(why) => {
                let message = format!("{} cannot be looked at: {why}", inner.name);
                Checked::broken(cut(why, SHOWN_MAX), message)
            }
        }
    }

    /// The subject's name, such as `status`.
    pub fn subject(&self) -> &'static str {
        self.0.subject
    }

    /// Whether the kind expects it without being told.
    pub fn is_implied(&self) -> bool {
        self.0.implied
    }

    /// What is looked at, for people: `status`, `json $.status`.
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// What is expected, for people: `200`, `newer than 24h`.
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// Whether steps of this kind show the subject at all.
    pub fn applies_to<N>(&self, kind: &Kind<N>) -> bool {
        self.0.subject == LATENCY || kind.subjects.iter().any(|subject| subject.name == self.0.subject)
    }

    /// The event's record of a look at it; `step` is empty for the run's own `sli.good`.
    pub fn record(&self, step: &Arc<str>, part: Part, checked: &Checked) -> AssertionRecord {
        AssertionRecord {
            step: Arc::clone(step),
            name: Arc::clone(&self.0.name),
            part,
            pass: checked.pass,
            expected: self.0.expected.clone(),
            actual: checked.actual.clone(),
        }
    }
}

impl Inner {
    /// Several values: from a JSON path they are a list of nodes, otherwise each is an answer of its own.
    fn check_many(&self, values: &[Value<'_>], now: Timestamp) -> Checked {
        let nodes = matches!(self.selector, Selector::JsonPath(_) | Selector::Xml(_));
        let (whole, each): (Vec<_>, Vec<_>) =
            self.matchers.iter().partition(|matcher| nodes && matcher.looks_at_lists());
        let mut finding = Finding::HOLDS;
        let list = Value::List(values.to_vec());
        for matcher in whole {
            finding = finding.and(|| matcher.find(&list, now));
        }
        for (index, value) in values.iter().enumerate() {
            for matcher in &each {
                finding = finding.and(|| {
                    let found = matcher.find(value, now);
                    let place =
                        || format!("value {} of {} is {}", index + 1, values.len(), show_value(value, true));
                    if found.pass { found } else { found.placed(place) }
                });
            }
        }
        if values.is_empty() {
            let wants_some = self.matchers.iter().any(|matcher| !matcher.holds_for_empty());
            if wants_some {
                return Checked::broken("nothing".to_owned(), self.absent());
            }
        }
        self.checked(finding, show_many(values, self.quoted))
    }

    fn checked(&self, finding: Finding, actual: String) -> Checked {
        if finding.pass {
            return Checked::held(actual, finding.age);
        }
        let mut message = match (finding.reason, finding.age) {
            (Reason::Stale, Some(age)) => format!("{} is {} old ({actual})", self.name, show_age(age)),
            (Reason::FutureDated, Some(age)) => {
                format!("{} lies {} in the future ({actual})", self.name, show_age(-age))
            }
            _ => format!("{} is {actual}", self.name),
        };
        message.push_str(", expected ");
        message.push_str(&self.expected);
        if let Some(note) = finding.note {
            message.push_str(" (");
            message.push_str(&note);
            message.push(')');
        }
        let message = cut(message, model::outcome::MESSAGE_MAX);
        Checked { pass: false, actual, age: finding.age, reason: finding.reason, message }
    }

    fn absent(&self) -> String {
        let missing = match self.selector {
            Selector::Whole => "is not there",
            Selector::JsonPath(_) | Selector::Xml(_) => "has no match",
            Selector::Header(_) => "was not sent",
            Selector::Row { .. } => "is not in the answer",
        };
        format!("{} {missing}, expected {}", self.name, self.expected)
    }
}

impl Checked {
    fn broken(actual: String, message: String) -> Self {
        let message = cut(message, model::outcome::MESSAGE_MAX);
        Self { pass: false, actual, age: None, reason: Reason::Failed, message }
    }

    fn held(actual: String, age: Option<f64>) -> Self {
        Self { pass: true, actual, age, reason: Reason::Ok, message: String::new() }
    }
}

fn show_age(seconds: f64) -> String {
    show_duration(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests;
