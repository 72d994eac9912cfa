//! Doubts as a whole: which run is touched by which signal, and how held runs are settled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::event::{Origin, SliEvent, Trigger};
use model::outcome::{Failure, FailureClass, Outcome, Reason, Verdict};
use model::slot::Stream;
use model::step::{Hop, Phase, PhaseSpan, StepRecord, StepState};
use model::time::Timestamp;

use super::hold::{HELD_MAX, Held, Hold};
use super::watch::Round;
use super::*;

const WAIT: Duration = Duration::from_secs(30);

struct Times(Instant);

impl Times {
    fn at(&self, second: u64) -> Instant {
        self.0 + Duration::from_secs(second)
    }

    fn ran(&self, from: u64, to: u64) -> Ran {
        Ran { began: self.at(from), ended: self.at(to) }
    }

    fn round(&self, from: u64, passed: bool) -> Round {
        Round { began: self.at(from), ended: self.at(from + 1), passed }
    }
}

fn bad(class: FailureClass, error_type: &'static str, phase: Phase) -> Outcome {
    let mut step = StepRecord::new("home".into(), "any", StepState::Failed);
    let span = |phase| PhaseSpan { phase, start: Duration::ZERO, duration: Duration::ZERO };
    step.hops.push(Hop { phases: vec![span(Phase::Dns), span(phase)], ..Hop::default() });
    let failure = Failure { step: "home".to_owned(), ..Failure::new(class, error_type, "it broke") };
    Outcome { failure: Some(failure), steps: vec![step], main: Some(0), ..Outcome::empty(Reason::Failed) }
}

fn refused() -> Outcome {
    bad(FailureClass::Connect, "connect.refused", Phase::Connect)
}

/// The error type of a doubt, `stands` or `waits`.
fn said(judgement: &Judgement) -> &str {
    match judgement {
        Judgement::Stands => "stands",
        Judgement::Doubted(doubt) => doubt.error_type,
        Judgement::Wait(_) => "waits",
    }
}

#[test]
fn each_signal_touches_what_rests_on_it() {
    let times = Times(Instant::now());
    let fresh = || {
        let doubts = Doubts::default();
        doubts.watch(&"eu".into(), true, WAIT);
        doubts
    };
    let fine = |doubts: &Doubts| {
        doubts.note_controls("eu", times.round(100, true), "");
        doubts.note_canary("eu", times.round(100, true), false, "");
    };
    let outcomes = [
        ("refused", refused()),
        ("dns", bad(FailureClass::Dns, "dns.servfail", Phase::Dns)),
        ("wrong", bad(FailureClass::Incorrect, "assert.body", Phase::Wait)),
        ("timeout", bad(FailureClass::Timeout, "timeout", Phase::Wait)),
        ("expired", bad(FailureClass::Tls, "tls.expired", Phase::Tls)),
        ("slow", Outcome::empty(Reason::Slow)),
        ("stale", Outcome::empty(Reason::Stale)),
        ("good", Outcome::empty(Reason::Ok)),
        ("declared", Outcome::empty(Reason::Declared)),
    ];
    let doubted = |signal: &str, doubts: &Doubts| {
        fine(doubts);
        let touched = outcomes.iter().filter(|(_, outcome)| {
            let judgement = doubts.judge("eu", outcome, times.ran(15, 16));
            assert!(!matches!(judgement, Judgement::Wait(_)), "{signal}");
            judgement != Judgement::Stands
        });
        touched.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let doubts = fresh();
    assert_eq!(doubted("none", &doubts), [""; 0]);

    let doubts = fresh();
    for (second, passed) in [(10, true), (20, false), (30, false)] {
        doubts.note_controls("eu", times.round(second, passed), "a.example refused");
    }
    assert!(doubts.standing().iter().any(|one| one.signal == "network" && one.doubted));
    assert_eq!(
        doubted("network", &doubts),
        ["refused", "dns", "wrong", "timeout", "expired", "slow", "stale"]
    );

    for (lies, touched) in [(false, &["dns"][..]), (true, &["refused", "dns", "wrong", "timeout", "expired"])]
    {
        let doubts = fresh();
        for (second, passed) in [(10, true), (20, false), (30, false)] {
            doubts.note_canary("eu", times.round(second, passed), lies, "no answer");
        }
        assert_eq!(doubted("resolver", &doubts), touched);
    }

    for (own, touched) in [
        (Own::Processor, &["timeout", "slow"][..]),
        (Own::Clock, &["expired", "stale"]),
        (Own::Files, &["refused", "dns", "timeout"]),
        (Own::Memory, &["timeout", "slow"]),
    ] {
        let doubts = fresh();
        doubts.note(own, times.at(10), times.at(20), Some("it is short"));
        assert_eq!(doubted("machine", &doubts), touched, "{own:?}");
        let standing = doubts.standing();
        let doubted: Vec<_> = standing.iter().filter(|one| one.doubted).map(|one| one.signal).collect();
        assert_eq!(doubted, [own.signal()]);
    }
}

#[test]
fn a_broken_name_server_of_several_touches_only_who_asks_each_of_them() {
    let times = Times(Instant::now());
    let doubts = Doubts::default();
    doubts.watch(&"eu".into(), true, WAIT);
    doubts.note_controls("eu", times.round(100, true), "");
    for (second, passed) in [(10, true), (20, false), (30, false)] {
        doubts.note_name_servers("eu", times.round(second, passed), "192.0.2.53 is silent");
        doubts.note_canary("eu", times.round(second, true), false, "");
    }
    let looked_up = bad(FailureClass::Dns, "dns.refused", Phase::Dns);
    let mut asked_each = looked_up.clone();
    asked_each.steps[0].attributes.set(judge::SYSTEM_RESOLVER, true);
    let mut wrong = bad(FailureClass::Incorrect, "assert.answer", Phase::Wait);
    wrong.steps[0].attributes.set(judge::SYSTEM_RESOLVER, true);
    let judged = |outcome| said(&doubts.judge("eu", outcome, times.ran(15, 16))).to_owned();
    assert_eq!(judged(&looked_up), "stands", "the next one answered");
    assert_eq!(judged(&wrong), "stands", "it was answered, and wrongly");
    assert_eq!(judged(&asked_each), "local.resolver");
}

#[test]
fn a_run_waits_until_it_is_known() {
    let times = Times(Instant::now());
    let doubts = Doubts::default();
    let judged = |doubts: &Doubts| said(&doubts.judge("eu", &refused(), times.ran(15, 16))).to_owned();
    assert_eq!(judged(&doubts), "stands", "nobody watches this region");
    doubts.watch(&"eu".into(), false, WAIT);
    assert_eq!(judged(&doubts), "waits");
    doubts.note_controls("eu", times.round(10, true), "");
    assert_eq!(judged(&doubts), "waits");
    doubts.note_controls("eu", times.round(20, false), "lost");
    assert_eq!(judged(&doubts), "waits", "one round that fails says nothing yet");
    let mut twice = doubts.changes();
    twice.mark_unchanged();
    doubts.note_controls("eu", times.round(30, true), "");
    assert!(twice.has_changed().unwrap());
    assert_eq!(judged(&doubts), "stands");
    assert_eq!(said(&doubts.judge("us", &refused(), times.ran(15, 16))), "stands");
    // A region that is watched no more holds nothing up.
    assert_eq!(said(&doubts.judge("eu", &refused(), times.ran(90, 91))), "waits");
    doubts.keep(&[]);
    assert_eq!(said(&doubts.judge("eu", &refused(), times.ran(90, 91))), "stands");
}

fn event(name: &str, second: i64, outcome: Outcome) -> SliEvent {
    let empty: Arc<str> = "".into();
    let stream = Stream::new(name, "eu");
    let scheduled = Timestamp::from_seconds(second);
    SliEvent {
        slot: stream.slot(scheduled),
        origin: Arc::new(Origin {
            stream,
            version: Arc::clone(&empty),
            kind: Arc::clone(&empty),
            owner: Arc::clone(&empty),
            service: Arc::clone(&empty),
            labels: vec![],
            prober: empty,
            side_effects: false,
        }),
        attempt: 0,
        trigger: Trigger::Schedule,
        started: Some(scheduled),
        finished: Some(scheduled),
        recorded: scheduled,
        outcome,
    }
}

fn drain(hold: &mut Hold) -> Vec<(String, i64, Verdict)> {
    let mut all = Vec::new();
    while let Some(event) = hold.oldest_settled() {
        let slot = event.slot.scheduled.as_millis() / 1_000;
        all.push((event.origin.stream.scenario.to_string(), slot, event.verdict()));
        hold.sent();
    }
    all
}

#[test]
fn held_runs_keep_their_stream_s_order_and_each_waits_for_a_bounded_time() {
    let times = Times(Instant::now());
    let doubts = Doubts::default();
    doubts.watch(&"eu".into(), false, WAIT);
    let mut hold = Hold::default();
    let push = |hold: &mut Hold, stream, name: &str, second: u64, outcome| {
        let event = event(name, i64::try_from(second).unwrap(), outcome);
        hold.push(Held { stream, event, ran: times.ran(second, second + 1), wait: WAIT });
    };
    push(&mut hold, 0, "a", 15, refused());
    push(&mut hold, 0, "a", 17, Outcome::empty(Reason::Ok));
    push(&mut hold, 1, "b", 18, Outcome::empty(Reason::Ok));
    assert!(hold.has(0) && hold.has(1) && !hold.has(2));
    hold.settle(&doubts, times.at(19));
    let good = |name: &str, second| (name.to_owned(), second, Verdict::Good);
    assert_eq!(drain(&mut hold), [good("b", 18)], "only what is behind an unsettled run waits");
    assert!(hold.has(0) && !hold.has(1));
    assert_eq!(hold.earliest(), Some(Timestamp::from_seconds(15)));
    doubts.note_controls("eu", times.round(20, true), "");
    hold.settle(&doubts, times.at(21));
    assert_eq!(drain(&mut hold), [("a".to_owned(), 15, Verdict::Bad), good("a", 17)]);
    assert!(hold.is_empty() && !hold.has(0));

    // Nobody looks any more: after its time a run says nothing about its target.
    push(&mut hold, 0, "a", 30, refused());
    hold.settle(&doubts, times.at(60));
    assert_eq!(hold.waiting(), 1);
    hold.settle(&doubts, times.at(61));
    assert_eq!(drain(&mut hold), [("a".to_owned(), 30, Verdict::Ineligible)]);

    push(&mut hold, 0, "a", 70, refused());
    hold.settle_all(&doubts);
    assert_eq!(drain(&mut hold), [("a".to_owned(), 70, Verdict::Ineligible)]);
}

#[test]
fn a_full_hold_gives_up_on_the_oldest() {
    let times = Times(Instant::now());
    let doubts = Doubts::default();
    doubts.watch(&"eu".into(), false, WAIT);
    let mut hold = Hold::default();
    for number in 0..=HELD_MAX {
        let second = i64::try_from(number).unwrap();
        hold.push(Held {
            stream: number,
            event: event("a", second, refused()),
            ran: times.ran(0, 1),
            wait: WAIT,
        });
    }
    assert_eq!((hold.waiting(), hold.len()), (HELD_MAX, HELD_MAX + 1));
    assert_eq!(drain(&mut hold), [("a".to_owned(), 0, Verdict::Ineligible)]);
    assert_eq!(hold.earliest(), Some(Timestamp::from_seconds(1)));
}

#[test]
fn a_run_that_got_no_file_speaks_for_those_beside_it() {
    let times = Times(Instant::now());
    let doubts = Doubts::default();
    let judged = |from, to| said(&doubts.judge("eu", &refused(), times.ran(from, to))).to_owned();
    assert_eq!(judged(10, 11), "stands");
    let mut ours = bad(FailureClass::Local, "local.fd", Phase::Connect);
    ours.reason = Reason::ProberFault;
    doubts.hear(&Stream::new("a", "eu"), &ours, times.ran(10, 12));
    assert_eq!(judged(11, 13), "local.fd");
    // Nobody waits for the next look at files, and what is answered needs none.
    assert_eq!(judged(12, 13), "stands");
    let answered = bad(FailureClass::Incorrect, "assert.body", Phase::Wait);
    assert_eq!(said(&doubts.judge("eu", &answered, times.ran(11, 12))), "stands");
    // What a target says about itself is no evidence.
    let doubts = Doubts::default();
    doubts.hear(&Stream::new("a", "eu"), &refused(), times.ran(10, 12));
    assert_eq!(said(&doubts.judge("eu", &refused(), times.ran(10, 12))), "stands");
}
