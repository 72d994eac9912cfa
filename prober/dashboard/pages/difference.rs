//! What is different from the last good run: often the shortest way to the cause.

use std::borrow::Cow;
use std::time::Duration;

use model::attribute::{AttributeValue, Attributes};
use model::event::SliEvent;
use model::outcome::Outcome;
use model::step::{Phase, StepRecord};

use crate::text::duration;

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// What: an attribute, an assertion, a phase.
    pub(crate) what: String,
    /// In the last good run; empty if it was not there.
    pub(crate) before: String,
    /// In this run; empty if it is not there.
    pub(crate) now: String,
}

/// A phase is different if it takes this many times as long or as short …
const FACTOR: f64 = 2.0;
/// … and this much longer or shorter.
const AT_LEAST: Duration = Duration::from_millis(20);
/// Differences that are shown.
pub(crate) const MAX: usize = 60;

/// Everything that differs: assertions first, then facts, then times.
pub(crate) fn differences(run: &SliEvent, good: &SliEvent) -> Vec<Difference> {
    let mut all = Vec::new();
    note(&mut all, "scenario version", Some(&run.origin.version), Some(&good.origin.version));
    assertions(&mut all, &run.outcome, &good.outcome);
    for step in &run.outcome.steps {
        let Some(before) = good.outcome.steps.iter().find(|other| other.name == step.name) else { continue };
        attributes(&mut all, &prefix(&run.outcome, step), &step.attributes, &before.attributes);
    }
    for step in &run.outcome.steps {
        let Some(before) = good.outcome.steps.iter().find(|other| other.name == step.name) else { continue };
        times(&mut all, &prefix(&run.outcome, step), step, before);
    }
    all.truncate(MAX);
    all
}

/// `login: ` in a flow, nothing where there is one step.
fn prefix(outcome: &Outcome, step: &StepRecord) -> String {
    if outcome.steps.len() > 1 { format!("{}: ", step.name) } else { String::new() }
}

fn note(all: &mut Vec<Difference>, what: &str, now: Option<&str>, before: Option<&str>) {
    if now != before {
        let text = |side: Option<&str>| side.unwrap_or_default().to_owned();
        all.push(Difference { what: what.to_owned(), before: text(before), now: text(now) });
    }
}

fn assertions(all: &mut Vec<Difference>, run: &Outcome, good: &Outcome) {
    for one in &run.assertions {
        let same = |other: &&model::step::AssertionRecord| {
            other.step == one.step
                && other.name == one.name
                && other.part == one.part
                && other.expected == one.expected
        };
        let Some(before) = good.assertions.iter().find(same) else { continue };
        if one.pass != before.pass {
            let step = if run.steps.len() > 1 { format!("{}: ", one.step) } else { String::new() };
            note(all, &format!("{step}{}", one.name), Some(&one.actual), Some(&before.actual));
        }
    }
}

fn attributes(all: &mut Vec<Difference>, prefix: &str, now: &Attributes, before: &Attributes) {
    for (key, value) in now.iter() {
        let (value, old) = (shown(value), before.get(key).map(shown));
        note(all, &format!("{prefix}{key}"), Some(&value), old.as_deref());
    }
    for (key, value) in before.iter().filter(|(key, _)| now.get(key).is_none()) {
        note(all, &format!("{prefix}{key}"), None, Some(&shown(value)));
    }
}

/// The value as people read it.
pub(crate) fn shown(value: &AttributeValue) -> Cow<'_, str> {
    match value {
        AttributeValue::Bool(value) => if *value { "yes" } else { "no" }.into(),
        AttributeValue::Int(value) => value.to_string().into(),
        AttributeValue::Float(value) => value.to_string().into(),
        AttributeValue::Text(value) => (&**value).into(),
        AttributeValue::List(values) => values.join(", ").into(),
    }
}

fn times(all: &mut Vec<Difference>, prefix: &str, now: &StepRecord, before: &StepRecord) {
    for phase in Phase::ALL {
        let (Some(new), Some(old)) = (now.timing(phase), before.timing(phase)) else { continue };
        let (low, high) = (new.min(old), new.max(old));
        if high.saturating_sub(low) >= AT_LEAST && high.as_secs_f64() >= FACTOR * low.as_secs_f64() {
            let what = format!("{prefix}time in {}", phase.as_str());
            note(all, &what, Some(&duration(new)), Some(&duration(old)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn equal_runs_do_not_differ() {
        let run = sample::failed_flow();
        assert_eq!(differences(&run, &run), []);
    }

    #[test]
    fn assertions_come_before_facts_before_times() {
        let (run, good) = (sample::failed_flow(), sample::good_flow());
        let all: Vec<_> = differences(&run, &good);
        let rows: Vec<_> =
            all.iter().map(|one| (one.what.as_str(), one.before.as_str(), one.now.as_str())).collect();
        assert_eq!(
            rows,
            [
                ("create-order: status", "201", "500"),
                ("create-order: http.response.status_code", "201", "500"),
                ("create-order: server.header", "nginx", ""),
                ("create-order: time in wait", "40 ms", "391 ms"),
            ]
        );
    }
}
