//! Every text that a run has put into its outcome, in one place.
//!
//! Everything is taken apart field by field, without `..`, so that a field that is added later must be thought of
//! here before anything compiles.
//!
//! Deliberately absent: names, which come from the scenario's file and not from the run.

use crate::attribute::AttributeValue;
use crate::failure::{Failure, MESSAGE_MAX, cut};
use crate::outcome::Outcome;
use crate::step::{
    AddressAttempt, AssertionRecord, AttemptRecord, BODY_SHOWN_MAX, Exchange, Hop, Message, PollRecord,
    SHOWN_MAX, StepRecord,
};

/// Gives what stands in a text's place; `None` if it stays.
type Change<'a> = dyn FnMut(&str) -> Option<String> + 'a;

impl Outcome {
    /// Puts in the place of every text what `change` gives for it, cut to the text's own limit.
    pub fn change_texts(&mut self, change: &mut Change<'_>) {
        let Self {
            reason: _,
            failure,
            marks: _,
            duration: _,
            freshness_age: _,
            steps,
            main: _,
            assertions,
            maintenance: _,
            high_marks: _,
            maybe_sent: _,
        } = self;
        if let Some(failure) = failure {
            of_failure(failure, change);
        }
        for step in steps {
            of_step(step, change);
        }
        for assertion in assertions {
            of_assertion(assertion, change);
        }
    }
}

fn of_failure(failure: &mut Failure, change: &mut Change<'_>) {
    let Failure { class: _, error_type, message, step: _ } = failure;
    of_text(error_type, SHOWN_MAX, change);
    of_text(message, MESSAGE_MAX, change);
}

fn of_step(step: &mut StepRecord, change: &mut Change<'_>) {
    let StepRecord {
        name: _,
        kind: _,
        state: _,
        start: _,
        duration: _,
        failure,
        note,
        teardown: _,
        poll,
        attempts,
        hops,
        attributes,
        captures,
    } = step;
    if let Some(failure) = failure {
        of_failure(failure, change);
    }
    if let Some(note) = note {
        of_text(note, MESSAGE_MAX, change);
    }
    if let Some(poll) = poll {
        let PollRecord { count: _, hops_left_out: _, last_status, last_duration: _ } = poll;
        if let Some(status) = last_status {
            of_text(status, SHOWN_MAX, change);
        }
    }
    for attempt in attempts {
        let AttemptRecord { start: _, duration: _, failure, hops } = attempt;
        of_failure(failure, change);
        for hop in hops {
            of_hop(hop, change);
        }
    }
    for hop in hops {
        of_hop(hop, change);
    }
    for value in attributes.values_mut() {
        match value {
            AttributeValue::Text(text) => of_text(text, usize::MAX, change),
            AttributeValue::List(texts) => of_lines(texts, change),
            AttributeValue::Bool(_) | AttributeValue::Int(_) | AttributeValue::Float(_) => {}
        }
    }
    for (_name, value) in captures {
        of_text(value, usize::MAX, change);
    }
}

fn of_hop(hop: &mut Hop, change: &mut Change<'_>) {
    let Hop { label, reused: _, phases: _, status, peer: _, attempts, exchange } = hop;
    of_text(label, usize::MAX, change);
    if let Some(status) = status {
        of_text(status, SHOWN_MAX, change);
    }
    for attempt in attempts {
        let AddressAttempt { peer: _, start: _, duration: _, error_type } = attempt;
        of_text(error_type, SHOWN_MAX, change);
    }
    if let Some(exchange) = exchange {
        let Exchange { request, answer } = &mut **exchange;
        of_message(request, change);
        if let Some(answer) = answer {
            of_message(answer, change);
        }
    }
}

fn of_message(message: &mut Message, change: &mut Change<'_>) {
    let Message { head, body } = message;
    of_lines(head, change);
    if let Some(body) = body {
        of_text(body, BODY_SHOWN_MAX, change);
    }
}

fn of_assertion(assertion: &mut AssertionRecord, change: &mut Change<'_>) {
    let AssertionRecord { step: _, name, part: _, pass: _, expected, actual } = assertion;
    // The path or header that was looked at is part of the name.
    if let Some(changed) = change(name) {
        *name = changed.into();
    }
    of_text(expected, SHOWN_MAX, change);
    of_text(actual, SHOWN_MAX, change);
}

fn of_lines<T: AsRef<str> + From<String>>(texts: &mut [T], change: &mut Change<'_>) {
    for text in texts {
        of_text(text, usize::MAX, change);
    }
}

fn of_text<T: AsRef<str> + From<String>>(text: &mut T, bytes_max: usize, change: &mut Change<'_>) {
    if let Some(changed) = change(text.as_ref()) {
        *text = cut(changed, bytes_max).into();
    }
}
