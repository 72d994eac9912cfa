//! Events, streams and stores for the tests of this crate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::event::{Origin, SliEvent, Trigger};
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::slot::{Cadence, Stream};
use model::step::{Hop, Phase, PhaseSpan, StepRecord, StepState};
use model::time::{Clock, SystemClock, Timestamp};
use store::{Config, Opened, Record, Store};

use tokio::sync::watch;

use crate::Surroundings;
use crate::prometheus::StreamInfo;

pub(crate) fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

pub(crate) fn origin(scenario: &str) -> Arc<Origin> {
    Arc::new(Origin {
        stream: Stream::new(scenario, "eu"),
        version: "0123456789ab".into(),
        kind: "http".into(),
        owner: "team".into(),
        service: "shop".into(),
        labels: Vec::new(),
        prober: "p1".into(),
        side_effects: false,
    })
}

pub(crate) fn info(scenario: &str) -> StreamInfo {
    StreamInfo {
        origin: origin(scenario),
        cadence: Cadence::Every { interval_ms: 60_000 },
        slo: scenario.into(),
    }
}

/// What exporters know of a prober with these streams, and where a reload is told.
pub(crate) fn surroundings(
    clock: Arc<dyn Clock>,
    streams: &[StreamInfo],
) -> (watch::Sender<Arc<[StreamInfo]>>, Surroundings) {
    let (tell, streams) = watch::channel(Arc::from(streams));
    let own = "# HELP prober_build_info The version.\n# TYPE prober_build_info gauge\nprober_build_info{version=\"1\"} 1\n";
    let around = Surroundings {
        clock,
        prober: "p1".into(),
        version: "0.1.0".into(),
        streams,
        own: Arc::new(move || own.to_owned()),
    };
    (tell, around)
}

/// The event of the slot that starts `second` seconds after [`start`].
pub(crate) fn event(origin: &Arc<Origin>, second: u64, reason: Reason) -> SliEvent {
    let scheduled = start().plus(Duration::from_secs(second));
    let mut outcome = Outcome::empty(reason);
    outcome.duration = Duration::from_millis(120);
    let began = scheduled.plus(Duration::from_millis(2));
    let ran = reason.verdict() != model::outcome::Verdict::Missed;
    if reason == Reason::Failed {
        outcome.failure = Some(Failure::new(FailureClass::Connect, "connect.refused", "nobody listens"));
    }
    if ran {
        let phase = |phase| PhaseSpan { phase, start: Duration::ZERO, duration: Duration::from_millis(30) };
        let hop =
            Hop { phases: [Phase::Dns, Phase::Connect, Phase::Wait].map(phase).into(), ..Hop::default() };
        outcome.main = Some(0);
        outcome.steps.push(StepRecord {
            duration: outcome.duration,
            hops: vec![hop],
            ..StepRecord::new("http".into(), "http", StepState::Passed)
        });
    }
    SliEvent {
        origin: Arc::clone(origin),
        slot: origin.stream.slot(scheduled),
        attempt: 0,
        trigger: Trigger::Schedule,
        started: ran.then_some(began),
        finished: ran.then(|| began.plus(outcome.duration)),
        recorded: began.plus(outcome.duration),
        outcome,
    }
}

/// A store with `count` events of one stream, all durable; its writer has ended.
pub(crate) fn store_with(dir: &Path, count: u64) -> Store {
    let Opened { store, queue, writer } = Store::open(Config::new(dir), clock()).unwrap();
    let shop = origin("shop");
    std::thread::scope(|scope| {
        scope.spawn(|| writer.run());
        // Blocking sends want a thread without a runtime.
        scope.spawn(move || {
            for second in 0..count {
                queue.blocking_send(Record::Event(Arc::new(event(&shop, second, Reason::Ok)))).unwrap();
            }
        });
    });
    store
}

/// How promises stand after an hour in which the last ten minutes were bad: one of `shop`, one of `shop` and `cart`.
pub(crate) fn standings() -> Vec<slo::standing::Standing> {
    use model::objective::{Objective, Share, Window};
    use slo::promise::{Feed, Never, Promise};

    let feed = |scenario: &str| Feed {
        scenario: scenario.into(),
        region: "eu".into(),
        interval: Duration::from_mins(1),
        replicas: 1,
        timeout: Duration::from_secs(10),
    };
    let promise = |name: &str, feeds: Vec<Feed>| Promise {
        name: name.into(),
        service: "shop".into(),
        owner: "team".into(),
        aim: "".into(),
        runbook: "".into(),
        objective: Some(Objective {
            name: name.into(),
            target: Share::of_millionths(999_000).unwrap(),
            window: Window::Rolling(Duration::from_hours(720)),
        }),
        interval: Duration::from_mins(1),
        gap: Duration::from_mins(1),
        quorum: None,
        blind_after: None,
        good: None,
        budget_policy: slo::budget::BudgetPolicy::default(),
        adjustments: Vec::new(),
        critical: std::collections::BTreeSet::new(),
        feeds,
        page: vec!["oncall".into()],
        ticket: vec![],
        begin: start(),
        maintenance: Arc::new(Never),
    };
    let promises =
        vec![promise("shop-promise", vec![feed("shop")]), promise("both", vec![feed("shop"), feed("cart")])];
    let events = (0..60).flat_map(|minute| {
        let reason = if minute < 50 { Reason::Ok } else { Reason::Failed };
        ["shop", "cart"].map(|scenario| event(&origin(scenario), minute * 60, reason))
    });
    slo::replay::replay(promises, events, start().plus(Duration::from_hours(1))).standings
}
