//! A world of slots: regions, an interval, and what each run comes to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::event::{Origin, SliEvent, Trigger};
use model::objective::{Objective, Share, Window};
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::slot::Stream;
use model::time::Timestamp;

use crate::budget::BudgetPolicy;
use crate::evaluator::{Change, Evaluator, Transition};
use crate::good::GoodRun;
use crate::promise::{Feed, Maintained, Never, Promise};

/// The moment at which cases begin: 2026-03-01T00:00:00Z, a Sunday.
pub(crate) const ZERO: Timestamp = Timestamp::from_seconds(1_772_323_200);

pub(crate) fn at(seconds: i64) -> Timestamp {
    if seconds < 0 {
        ZERO.minus(Duration::from_secs(seconds.unsigned_abs()))
    } else {
        ZERO.plus(Duration::from_secs(seconds.unsigned_abs()))
    }
}

/// The second of a moment.
pub(crate) fn second(at: Timestamp) -> i64 {
    (at.as_millis() - ZERO.as_millis()).div_euclid(1_000)
}

/// One scenario in so many regions.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) promise: Promise,
    /// When the first slot is.
    pub(crate) from: i64,
    /// How long after its slot a run is recorded, in milliseconds.
    pub(crate) takes: u64,
    origins: Vec<Arc<Origin>>,
    /// Where in the interval a region's slots lie, in milliseconds.
    pub(crate) phases: Vec<u64>,
}

/// One slot of a world.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) region: usize,
    pub(crate) second: i64,
    /// Which slot of its region, counted from the first.
    pub(crate) number: u64,
}

impl World {
    /// Six hours old, `regions` evenly spread over an interval of `interval` seconds, `millionths` promised.
    pub(crate) fn new(regions: usize, interval: u64, millionths: u32) -> Self {
        let name = |index: usize| Arc::<str>::from(format!("r{index}"));
        let from = -6 * 3_600;
        let feed = |index| Feed {
            scenario: "checkout".into(),
            region: name(index),
            interval: Duration::from_secs(interval),
            timeout: Duration::from_secs(interval.min(10)),
        };
        let window = Window::Rolling(Duration::from_hours(720));
        let target = Share::of_millionths(millionths).unwrap();
        let promise = Promise {
            name: "checkout".into(),
            service: "shop".into(),
            owner: "team-shop".into(),
            aim: "a customer can buy".into(),
            runbook: "https://wiki.example/checkout".into(),
            objective: Some(Objective { name: "checkout".into(), target, window }),
            interval: Duration::from_secs(interval),
            gap: Duration::from_secs(interval),
            quorum: None,
            blind_after: None,
            good: None,
            budget_policy: BudgetPolicy::default(),
            adjustments: Vec::new(),
            critical: BTreeSet::new(),
            feeds: (0..regions).map(feed).collect(),
            page: vec!["oncall".into()],
            ticket: vec!["tracker".into()],
            begin: at(from),
            maintenance: Arc::new(Never),
        };
        let origin = |index| {
            Arc::new(Origin {
                stream: Stream::new("checkout", name(index)),
                version: "0123456789ab".into(),
                kind: "http".into(),
                owner: "team-shop".into(),
                service: "shop".into(),
                labels: vec![],
                prober: "p1".into(),
                side_effects: false,
            })
        };
        let count = regions as u64;
        Self {
            promise,
            from,
            takes: 300,
            origins: (0..regions).map(origin).collect(),
            phases: (0..count).map(|index| interval * 1_000 * index / count).collect(),
        }
    }

    pub(crate) fn since(mut self, from: i64) -> Self {
        (self.from, self.promise.begin) = (from, at(from));
        self
    }

    /// Its runs are good if they take less than so many milliseconds.
    pub(crate) fn within(mut self, millis: u64) -> Self {
        self.promise.good = Some(Arc::new(Within(millis)));
        self
    }

    pub(crate) fn evaluator(&self) -> Evaluator {
        Evaluator::new(vec![self.promise.clone()], at(self.from))
    }

    /// Every slot up to `to`, in the order of their recording.
    pub(crate) fn events(&self, to: i64, reason: impl Fn(Spot) -> Option<Reason>) -> Vec<SliEvent> {
        let interval = u64::try_from(self.promise.interval.as_millis()).unwrap();
        let mut events = Vec::new();
        for (region, origin) in self.origins.iter().enumerate() {
            for number in 0.. {
                let scheduled =
                    at(self.from).plus(Duration::from_millis(self.phases[region] + number * interval));
                if scheduled >= at(to) {
                    break;
                }
                let spot = Spot { region, second: second(scheduled), number };
                events.extend(reason(spot).map(|reason| self.event(origin, scheduled, reason)));
            }
        }
        events.sort_by_key(|event| (event.recorded, event.slot.scheduled));
        events
    }

    fn event(&self, origin: &Arc<Origin>, scheduled: Timestamp, reason: Reason) -> SliEvent {
        let mut outcome = Outcome::empty(reason);
        if reason == Reason::Failed {
            let mut failure = Failure::new(FailureClass::Protocol, "500", "status is 500, expected 200");
            failure.step = "pay".to_owned();
            outcome.failure = Some(failure);
        }
        let ends = scheduled.plus(Duration::from_millis(self.takes));
        SliEvent {
            origin: Arc::clone(origin),
            slot: origin.stream.slot(scheduled),
            attempt: 0,
            trigger: Trigger::Schedule,
            started: Some(scheduled),
            finished: Some(ends),
            recorded: ends,
            outcome,
        }
    }

    /// Everything that changes up to `to`, with the evaluator as it is then.
    pub(crate) fn run(&self, to: i64, reason: impl Fn(Spot) -> Option<Reason>) -> (Vec<Change>, Evaluator) {
        let (mut evaluator, mut changes) = (self.evaluator(), Vec::new());
        for event in self.events(to, reason) {
            evaluator.fold(&event, &mut changes);
        }
        evaluator.finish(at(to), &mut changes);
        (changes, evaluator)
    }

    pub(crate) fn region(&self, index: usize) -> &str {
        &self.promise.feeds[index].region
    }
}

/// `60 fired page SLOOutage`, a line a change.
pub(crate) fn told(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| {
        let Change { alert, transition } = change;
        let (word, moment) = match (transition, alert.ends) {
            (Transition::Fired, _) => ("fired", alert.starts),
            (Transition::Cleared, Some(ends)) => ("cleared", ends),
            (Transition::Muted(_), Some(ends)) => ("muted", ends),
            (Transition::Gone, Some(ends)) => ("gone", ends),
            (_, None) => ("?", alert.starts),
        };
        let region = alert.id.region.as_ref().map(|region| format!(" {region}")).unwrap_or_default();
        let (severity, rule) = (alert.id.severity.as_str(), alert.id.rule.as_str());
        format!("{} {word} {severity} {rule}{region}", second(moment))
    };
    changes.iter().map(line).collect()
}

/// The seconds at which an alert fired and ended.
pub(crate) fn times(changes: &[Change], severity: &str, rule: &str) -> Vec<(i64, Option<i64>)> {
    let mut times: Vec<(i64, Option<i64>)> = Vec::new();
    for Change { alert, .. } in changes {
        if alert.id.severity.as_str() != severity || alert.id.rule.as_str() != rule {
            continue;
        }
        match alert.ends {
            None => times.push((second(alert.starts), None)),
            Some(ends) => {
                let open =
                    times.iter_mut().find(|(starts, ends)| *starts == second(alert.starts) && ends.is_none());
                open.expect("it fired before").1 = Some(second(ends));
            }
        }
    }
    times
}

/// Good if it takes less than so many milliseconds.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Within(u64);

impl GoodRun for Within {
    fn broken(&self, took: Duration) -> Option<String> {
        let limit = Duration::from_millis(self.0);
        (took >= limit).then(|| format!("latency is {took:?}, expected less than {limit:?}"))
    }

    fn words(&self) -> String {
        format!("latency less than {}ms", self.0)
    }
}

/// Maintenance from one second to another.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Once(pub(crate) i64, pub(crate) i64);

impl Maintained for Once {
    fn look(&self, now: Timestamp) -> (Option<Arc<str>>, Timestamp) {
        match second(now) {
            before if before < self.0 => (None, at(self.0)),
            inside if inside < self.1 => (Some("weekly database window".into()), at(self.1)),
            _ => (None, Timestamp::from_nanos(i64::MAX)),
        }
    }
}
