use std::sync::Arc;
use std::time::Duration;

use super::read::duration;
use crate::attribute::Attributes;
use crate::event::{Origin, SliEvent, Trigger};
use crate::high_mark::{HighMark, MarkValue};
use crate::outcome::{Failure, FailureClass, Mark, Outcome, Reason};
use crate::slot::Stream;
use crate::step::{
    AddressAttempt, AssertionRecord, AttemptRecord, Exchange, Hop, Message, Part, Phase, PhaseSpan,
    PollRecord, StepRecord, StepState,
};
use crate::time::Timestamp;

/// An event that has a value in every field.
pub(crate) fn full() -> SliEvent {
    let mut event = first();
    let outcome = &mut event.outcome;
    let waiting = &mut outcome.steps[0];
    waiting.poll = Some(PollRecord {
        count: 31,
        hops_left_out: 27,
        last_status: Some("200".into()),
        last_duration: Duration::from_millis(212),
    });
    let pay = &mut outcome.steps[1];
    pay.attempts = vec![AttemptRecord {
        start: Duration::ZERO,
        duration: Duration::from_millis(5),
        failure: Failure {
            class: FailureClass::Connect,
            error_type: "connect.refused".into(),
            message: "127.0.0.1:80 refused the connection".into(),
            step: "pay".into(),
        },
        hops: pay.hops.clone(),
    }];
    let cleaning =
        StepRecord { teardown: true, ..StepRecord::new("delete".into(), "http", StepState::Passed) };
    outcome.steps.push(cleaning);
    outcome.assertions.push(AssertionRecord { part: Part::Until, ..outcome.assertions[0].clone() });
    let value = MarkValue::Int(7);
    let mark = HighMark { step: "pay".into(), name: "json $.id".into(), value, since: event.recorded };
    let later = HighMark { value: MarkValue::Time(event.recorded), name: "json $.at".into(), ..mark.clone() };
    let share = HighMark { value: MarkValue::Float(0.5), name: "json $.share".into(), ..mark.clone() };
    outcome.high_marks = vec![mark, later, share];
    event
}

/// An event that has a value in every field of the first format.
#[expect(clippy::too_many_lines, reason = "a table of all fields")]
fn first() -> SliEvent {
    let origin = Origin {
        stream: Stream { scenario: "checkout".into(), region: "eu".into(), replica: 2 },
        version: "0123456789ab".into(),
        kind: "flow".into(),
        owner: "team-checkout".into(),
        service: "shop".into(),
        labels: vec![("tier".into(), "1".into())],
        prober: "host-1".into(),
        side_effects: false,
    };
    let scheduled: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let started = scheduled.plus(Duration::from_millis(2));
    let failure = Failure {
        class: FailureClass::Incorrect,
        error_type: "assert.status".into(),
        message: "status is 500, expected 200".into(),
        step: "pay".into(),
    };
    let mut attributes = Attributes::new();
    attributes.set("http.response.status_code", 500);
    attributes.set("url.full", "https://shop.example/pay");
    attributes.set("dns.answers", vec!["192.0.2.1".to_owned()]);
    attributes.set("tls.resumed", false);
    let login = StepRecord {
        duration: Duration::from_millis(20),
        attributes: attributes.clone(),
        captures: vec![("token".into(), "•••".into())],
        ..StepRecord::new("login".into(), "http", StepState::Passed)
    };
    let hop = Hop {
        label: "GET https://shop.example/pay".into(),
        reused: true,
        phases: vec![PhaseSpan {
            phase: Phase::Wait,
            start: Duration::from_millis(1),
            duration: Duration::from_millis(9),
        }],
        status: Some("500".into()),
        peer: Some(([127, 0, 0, 1], 80).into()),
        attempts: vec![AddressAttempt {
            peer: ([127, 0, 0, 2], 80).into(),
            start: Duration::ZERO,
            duration: Duration::from_millis(1),
            error_type: "connect.refused".into(),
        }],
        exchange: None,
    };
    let pay = StepRecord {
        name: "pay".into(),
        state: StepState::Failed,
        start: Duration::from_millis(20),
        failure: Some(failure.clone()),
        note: Some("a remark".into()),
        hops: vec![hop],
        captures: vec![],
        ..login.clone()
    };
    let assertion = AssertionRecord {
        step: "pay".into(),
        name: "status".into(),
        part: Part::Expect,
        pass: false,
        expected: "200".into(),
        actual: "500".into(),
    };
    let outcome = Outcome {
        reason: Reason::Failed,
        failure: Some(failure),
        marks: vec![Mark::Flaky, Mark::TeardownFailed],
        duration: Duration::from_millis(40),
        freshness_age: Some(-3.5),
        steps: vec![login, pay],
        main: Some(1),
        assertions: vec![assertion],
        maintenance: None,
        high_marks: vec![],
        maybe_sent: None,
    };
    SliEvent {
        slot: origin.stream.slot(scheduled),
        origin: Arc::new(origin),
        attempt: 1,
        trigger: Trigger::Manual,
        started: Some(started),
        finished: Some(started.plus(Duration::from_millis(40))),
        recorded: started.plus(Duration::from_millis(41)),
        outcome,
    }
}

#[test]
fn a_full_event_round_trips() {
    let event = full();
    let text = event.to_json();
    assert_eq!(SliEvent::from_json(&text).unwrap(), event);
    assert!(text.contains(r#""http.response.status_code":500"#), "{text}");
    assert!(!text.contains('\n'));
}

#[test]
fn a_slot_that_may_have_been_sent_says_so() {
    let origin = Origin { side_effects: true, ..(*full().origin).clone() };
    let at = Timestamp::from_millis(1_767_225_600_000);
    let said = |origin: Origin, reason, maybe_sent| {
        let missed = crate::missed::MissedSlots::one(Arc::new(origin), reason, at, at);
        let missed = crate::missed::MissedSlots { maybe_sent, ..missed };
        let event = missed.events().next().unwrap();
        assert_eq!(SliEvent::from_json(&event.to_json()).unwrap(), event);
        event.outcome.maybe_sent
    };
    assert_eq!(said(origin.clone(), Reason::Interrupted, true), Some(true));
    assert_eq!(said(origin.clone(), Reason::NoLease, false), Some(false));
    // Whoever declares this knows nothing of what a dead owner did.
    assert_eq!(said(origin, Reason::NoOwner, false), None);
    let read_only = (*full().origin).clone();
    let text = full().to_json();
    assert!(
        !text.contains("side_effects") && !text.contains("maybe_sent"),
        "the old form is the same: {text}"
    );
    assert_eq!(said(read_only, Reason::Interrupted, false), None);
}

#[test]
fn what_was_sent_and_received_round_trips() {
    let mut event = full();
    let request = Message { head: vec!["GET / HTTP/1.1".into()], body: None };
    let answer = Message { head: vec!["HTTP/1.1 200 OK".into()], body: Some("hello".into()) };
    event.outcome.steps[1].hops[0].exchange = Some(Box::new(Exchange { request, answer: Some(answer) }));
    event.trigger = Trigger::Ci;
    assert_eq!(SliEvent::from_json(&event.to_json()).unwrap(), event);
}

#[test]
fn a_maintenance_round_trips() {
    let mut event = full();
    event.outcome.maintenance = Some("weekly database window".into());
    let text = event.to_json();
    assert!(text.contains(r#""prober.maintenance.id":"weekly database window""#), "{text}");
    assert_eq!(SliEvent::from_json(&text).unwrap(), event);
}

#[test]
fn a_trigger_of_a_later_version_is_never_counted() {
    let text = full().to_json().replace(r#""manual""#, r#""webhook""#);
    assert_eq!(SliEvent::from_json(&text).unwrap().trigger, Trigger::Manual);
}

#[test]
fn a_missed_event_round_trips() {
    let origin = Arc::clone(&full().origin);
    let at: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let missed = crate::missed::MissedSlots {
        step_ms: 10_000,
        count: 3,
        ..crate::missed::MissedSlots::one(origin, Reason::Interrupted, at, at)
    };
    let events: Vec<_> = missed.events().collect();
    assert_eq!(events.len(), 3);
    assert_eq!(events[2].slot.scheduled, at.plus(Duration::from_secs(20)));
    assert_eq!(missed.last(), events[2].slot.scheduled);
    for event in events {
        assert_eq!(SliEvent::from_json(&event.to_json()).unwrap(), event);
    }
}

#[test]
fn the_first_formats_file_is_still_read() {
    let old = include_str!("event-1.json").trim();
    assert_eq!(SliEvent::from_json(old).unwrap(), first());
}

#[test]
fn every_part_of_a_file_round_trips() {
    for part in Part::ALL {
        let mut event = first();
        event.outcome.assertions[0].part = part;
        assert_eq!(SliEvent::from_json(&event.to_json()).unwrap(), event);
    }
    let odd = full().to_json().replace("\"until\"", "\"hope\"");
    assert!(SliEvent::from_json(&odd).unwrap_err().to_string().contains("`hope` is not a known part"));
}

#[test]
fn what_is_not_an_event_is_refused_with_a_reason() {
    let check = |text: &str, says: &str| {
        let error = SliEvent::from_json(text).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    check("{}", "`schema` is missing");
    check(r#"{"schema":"prober.run/9"}"#, "event format `prober.run/9`");
    check("[]", "map");
    check(&full().to_json().replace("reason\":\"failed", "reason\":\"fine"), "fine");
    check(&full().to_json().replace("duration\":0.04", "duration\":-1.0"), "prober.run.duration");
}

proptest::proptest! {
    #[test]
    fn durations_come_back_to_the_nanosecond(nanos in 0_u64..86_400_000_000_000) {
        let exact = Duration::from_nanos(nanos);
        let back = duration(exact.as_secs_f64()).unwrap();
        proptest::prop_assert!(back.abs_diff(exact) <= Duration::from_nanos(16));
    }
}
