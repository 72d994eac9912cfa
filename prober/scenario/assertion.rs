//! Assertions, compiled once and looked at in every run.
//!
//! A broken assertion is data about the target: it says what was there and what was expected. Nothing here
//! reads a clock; the moment that freshness is measured against is handed in.

mod several;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use model::attribute::Text;
use model::high_mark::{HighMark, MarkValue};
use model::outcome::{Reason, cut};
use model::step::{AssertionRecord, Part, SHOWN_MAX};
use model::time::Timestamp;

pub use crate::history::Earlier;
use crate::history::Look;
use crate::kind::{Evidence, Kind};
use crate::matcher::{Finding, Matcher};
use crate::shown::show_value;
use crate::units::show_duration;
use crate::value::{Reading, Selector, Value};

/// What is there where nothing is.
const NOTHING: Text = Text::const_new("nothing");

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
    /// What earlier runs saw; `None` where nobody keeps it.
    pub earlier: Option<Earlier<'a>>,
}

impl<'a> Observed<'a> {
    /// What a step showed, without a word of earlier runs.
    pub const fn new(evidence: &'a dyn Evidence, latency: Duration, now: Timestamp) -> Self {
        Self { evidence, latency, now, earlier: None }
    }
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
    /// Whether the selector may find several values.
    pub(crate) several: bool,
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
    pub actual: Text,
    /// Age in seconds of the value, if it was read as a time; negative if it lies in the future.
    pub age: Option<f64>,
    /// `Ok`, `Failed`, `Stale`, `Stalled`, `Backwards` or `FutureDated`.
    pub reason: Reason,
    /// One sentence such as "status is 500, expected 200"; empty if it held.
    pub message: String,
    /// The greatest value so far and since when, if `advances` looked at it.
    pub mark: Option<(MarkValue, Timestamp)>,
    /// Why an assertion that held says less than it seems to.
    pub remark: Option<String>,
}

impl Assertion {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The same as something that the kind expects without being told; `None` if it is shared already.
    pub(crate) fn into_implied(self) -> Option<Self> {
        let inner = Arc::into_inner(self.0)?;
        Some(Self::new(Inner { implied: true, ..inner }))
    }

    /// The rule that a subject is held against, as a text; it may have come from a file of its own.
    pub(crate) fn rule(&self) -> Option<String> {
        match &self.0.selector {
            Selector::Rule(rule) => Some(format!("{rule:?}")),
            _ => None,
        }
    }

    /// Everything that it says, as a text: two assertions of one spelling are the same.
    pub(crate) fn spelling(&self) -> String {
        format!("{:?}", self.0)
    }

    /// Looks at what a step showed.
    pub fn check(&self, observed: &Observed<'_>) -> Checked {
        match observed.evidence.each() {
            Some(each) if self.0.subject != LATENCY => self.check_each(each, observed),
            _ => self.check_one(observed),
        }
    }

    /// It must hold for each source by itself; those for which it does not are named.
    fn check_each(&self, each: &[(String, Box<dyn Evidence>)], observed: &Observed<'_>) -> Checked {
        let looks = each.iter().map(|(source, evidence)| {
            (source.as_str(), self.check_one(&Observed { evidence: &**evidence, ..*observed }))
        });
        let looks: Vec<_> = looks.collect();
        let bad: Vec<&str> =
            looks.iter().filter(|(_, checked)| !checked.pass).map(|(source, _)| *source).collect();
        let same = looks.windows(2).all(|pair| pair[0].1.actual == pair[1].1.actual);
        let actual = || {
            let each: Vec<_> =
                looks.iter().map(|(source, checked)| format!("{} from {source}", checked.actual)).collect();
            Text::from(cut(each.join(", "), SHOWN_MAX))
        };
        let actual = if bad.is_empty() && !same { Some(actual()) } else { None };
        let count = looks.len();
        let at = format!("at {} ({} of {count}): ", bad.join(", "), bad.len());
        let decides = looks.iter().position(|(_, checked)| !checked.pass).unwrap_or(0);
        let Some((_, mut checked)) = looks.into_iter().nth(decides) else {
            return Checked::broken(NOTHING, self.0.absent());
        };
        if !bad.is_empty() {
            checked.message = cut(at + &checked.message, model::outcome::MESSAGE_MAX);
        }
        checked.actual = actual.unwrap_or(checked.actual);
        checked
    }

    fn check_one(&self, observed: &Observed<'_>) -> Checked {
        let mut checked = self.look(observed);
        let explain = || observed.evidence.explain(self.0.subject);
        if !checked.pass
            && self.0.subject != LATENCY
            && let Some(why) = explain()
        {
            checked.message = cut(format!("{}: {why}", checked.message), model::outcome::MESSAGE_MAX);
        }
        checked
    }

    fn look(&self, observed: &Observed<'_>) -> Checked {
        let inner = &*self.0;
        let look = Look::new(observed.now, observed.earlier, &inner.name);
        match observed.read(inner.subject, &inner.selector) {
            Reading::One(value) if inner.is_list_of_one(&value) => {
                inner.check_many(&[value], look, &inner.sources(observed))
            }
            Reading::One(value) => {
                let finding = Matcher::all(&inner.matchers, &value, look);
                inner.checked(finding, show_value(&value, inner.quoted), || inner.sources(observed))
            }
            Reading::Many(values) => inner.check_many(&values, look, &inner.sources(observed)),
            Reading::Absent => {
                let pass = inner.matchers.iter().any(|matcher| matches!(matcher, Matcher::Exists(false)))
                    || inner.implied && observed.evidence.is_moot(inner.subject);
                let actual = NOTHING;
                if pass {
                    Checked::held(actual, Finding::HOLDS)
                } else {
                    Checked::broken(actual, inner.absent() + &from(&inner.sources(observed)))
                }
            }
            // What holds of the least that it can be holds of all that is more.
            Reading::AtLeast(least, _)
                if inner.matchers.iter().all(Matcher::is_lower_bound)
                    && Matcher::all(&inner.matchers, &Value::Int(least), look).pass =>
            {
                Checked::held(format!("{least} or more").into(), Finding::HOLDS)
            }
            Reading::AtLeast(_, why) | Reading::Unreadable(why) => {
                let message = format!("{} cannot be looked at: {why}", inner.name);
                Checked::broken(cut(why, SHOWN_MAX).into(), message)
            }
        }
    }

    pub(crate) fn matchers(&self) -> &[Matcher] {
        &self.0.matchers
    }

    /// Whether it holds wherever `other` does, as far as that is plain: of statuses, or if both say the same.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let (own, other) = (&*self.0, &*other.0);
        if own.subject != other.subject || own.name != other.name {
            return false;
        }
        let is_status =
            |inner: &Inner| inner.matchers.iter().any(|matcher| matches!(matcher, Matcher::Status(_)));
        if !is_status(other) {
            return own.expected == other.expected;
        }
        let look = Look::new(Timestamp::from_nanos(0), None, "");
        let holds = |inner: &Inner, status| Matcher::all(&inner.matchers, &Value::Int(status), look).pass;
        (100..=599).all(|status| holds(own, status) || !holds(other, status))
    }

    /// The subject's name, such as `status`.
    pub fn subject(&self) -> &'static str {
        self.0.subject
    }

    /// Whether it compares the value with what earlier runs saw.
    pub fn follows_a_value(&self) -> bool {
        self.0.matchers.iter().any(|matcher| matches!(matcher, Matcher::Advances(..)))
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

    /// The mark that a look at it in `step` leaves for later runs.
    pub fn high_mark(&self, step: &Arc<str>, checked: &Checked) -> Option<HighMark> {
        let (value, since) = checked.mark?;
        Some(HighMark { step: Arc::clone(step), name: Arc::clone(&self.0.name), value, since })
    }

    /// The event's record of a look at it; `step` is empty for the run's own `sli.good`.
    pub fn record(&self, step: &Arc<str>, part: Part, checked: Checked) -> AssertionRecord {
        self.noted(step, part, checked.pass, checked.actual)
    }

    /// The event's record of several looks at it, as one.
    pub fn noted(&self, step: &Arc<str>, part: Part, pass: bool, actual: Text) -> AssertionRecord {
        AssertionRecord {
            step: Arc::clone(step),
            name: Arc::clone(&self.0.name),
            part,
            pass,
            expected: self.0.expected.clone(),
            actual,
        }
    }
}

impl Inner {
    /// Who says what the subject is; empty where that goes without saying.
    fn sources(&self, observed: &Observed<'_>) -> Vec<String> {
        if self.subject == LATENCY { Vec::new() } else { observed.evidence.sources() }
    }

    /// What `finding` comes to; `sources` is asked only for a message.
    fn checked(&self, finding: Finding, actual: Text, sources: impl FnOnce() -> Vec<String>) -> Checked {
        if finding.pass {
            return Checked::held(actual, finding);
        }
        let name = &self.name;
        let note = finding.note.as_deref().unwrap_or_default();
        let mut noted = !note.is_empty();
        let mut message = match (finding.reason, finding.age) {
            (Reason::Stale, Some(age)) => format!("{name} is {} old ({actual})", show_age(age)),
            (Reason::FutureDated, Some(age)) => {
                format!("{name} lies {} in the future ({actual})", show_age(-age))
            }
            (Reason::Stalled, _) => {
                noted = false;
                format!("{name} has stood still for {note} ({actual})")
            }
            (Reason::Backwards, _) => format!("{name} went back to {actual}"),
            _ => format!("{name} is {actual}"),
        };
        message.push_str(", expected ");
        message.push_str(&self.expected);
        if noted {
            message.push_str(" (");
            message.push_str(note);
            message.push(')');
        }
        message.push_str(&from(&sources()));
        let message = cut(message, model::outcome::MESSAGE_MAX);
        let Finding { age, reason, mark, .. } = finding;
        Checked { pass: false, actual, age, reason, message, mark, remark: None }
    }

    fn absent(&self) -> String {
        let missing = match self.selector {
            Selector::Whole | Selector::Rule(_) => "is not there",
            Selector::JsonPath(_) | Selector::Xml(_) | Selector::Own(_) | Selector::Pattern(_) => {
                "has no match"
            }
            Selector::Header(_) => "was not sent",
            Selector::Row { .. } => "is not in the answer",
        };
        format!("{} {missing}, expected {}", self.name, self.expected)
    }
}

impl Checked {
    fn broken(actual: Text, message: String) -> Self {
        let message = cut(message, model::outcome::MESSAGE_MAX);
        Self { pass: false, actual, age: None, reason: Reason::Failed, message, mark: None, remark: None }
    }

    fn held(actual: Text, finding: Finding) -> Self {
        let Finding { age, note: remark, mark, .. } = finding;
        Self { pass: true, actual, age, reason: Reason::Ok, message: String::new(), mark, remark }
    }
}

/// ` (from 192.0.2.1:53)`, or nothing.
fn from(sources: &[String]) -> String {
    match sources {
        [] => String::new(),
        [only] => format!(" (from {only})"),
        several => format!(" (from each of {})", several.join(", ")),
    }
}

fn show_age(seconds: f64) -> String {
    show_duration(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests;
