//! Runs by chance, with a seed: what happens to a target and to its probers, and what both judges are told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use export::prometheus::{Around, Format, Metrics, StreamInfo};
use model::event::{Origin, SliEvent, Trigger};
use model::objective::{Objective, Share, Window};
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use slo::evaluator::{Evaluator, SETTLE};
use slo::promise::{Feed, Maintained, Promise};
use slo::standing::Standing;
use store::{Account, StreamAccount};

/// When stories begin: a multiple of everything that has a grid.
const ZERO: i64 = 1_772_323_200;
/// The grid of whoever looks: scrapes and ticks lie on it.
const STEP: u64 = 5;
/// How often closed windows are counted as expected, and how long before that they were closed at the latest.
const ACCOUNT_EVERY: u64 = 30;

/// Seconds since the begin of a story.
pub(super) type Second = u64;

pub(super) fn at(second: Second) -> Timestamp {
    Timestamp::from_seconds(ZERO).plus(Duration::from_secs(second))
}

/// Chance with a seed: `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// What may happen.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Every run is bad.
    Outage,
    /// Every run of one region is bad.
    Region(usize),
    /// One run is bad.
    Blip(usize),
    /// One run of every region is bad.
    Round,
    /// So many of a hundred runs are bad.
    Flaky(u64),
    /// Every run is ineligible: the prober was at fault.
    Ineligible,
    /// So many of a hundred runs are ineligible.
    Doubtful(u64),
    /// Nobody runs what is due.
    Missed,
    /// Planned maintenance: its slots do not count.
    Maintenance,
    /// Planned maintenance that is bad, counts, and alerts nobody.
    Muted,
}

/// It happens in `[from, to)`.
#[derive(Copy, Clone, Debug)]
pub(super) struct Episode {
    pub(super) from: Second,
    pub(super) to: Second,
    pub(super) what: What,
}

/// What runs, and what happens to it.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) regions: usize,
    pub(super) interval: u64,
    pub(super) millionths: u32,
    pub(super) length: Second,
    pub(super) episodes: Vec<Episode>,
    pub(super) seed: u64,
    /// When the prober is killed, and when it is there again.
    pub(super) down: Option<(Second, Second)>,
}

impl Story {
    /// A story by chance: ten quiet minutes, then one thing after another with pauses between them.
    pub(super) fn by_chance((regions, interval): (usize, u64), seed: u64) -> Self {
        let mut chance = Chance(seed ^ (interval << 8) ^ ((regions as u64) << 16));
        let millionths = [990_000, 995_000, 999_000, 999_500][usize::try_from(chance.below(4)).unwrap()];
        let (length, mut from, mut episodes) = (9_000, 600, Vec::new());
        while from < length {
            let region = usize::try_from(chance.below(regions as u64)).unwrap();
            let minutes = 60 * chance.below(25) + chance.below(60);
            let (what, takes) = match chance.below(12) {
                0 | 1 => (What::Outage, interval + minutes / 2),
                2 | 3 => (What::Region(region), 4 * interval + minutes),
                4 => (What::Blip(region), interval),
                5 => (What::Round, interval),
                6 => (What::Flaky(1 + chance.below(40)), 900 + minutes),
                7 => (What::Ineligible, 120 + 2 * minutes),
                8 => (What::Missed, 120 + minutes),
                9 => (What::Doubtful(20 + chance.below(60)), 900 + minutes),
                10 => (What::Maintenance, 300 + minutes),
                _ => (What::Muted, 300 + minutes),
            };
            episodes.push(Episode { from, to: from + takes, what });
            from += takes + 60 + 60 * chance.below(12) + chance.below(60);
        }
        Self { regions, interval, millionths, length, episodes, seed, down: None }
    }

    fn now(&self, second: Second) -> Option<&Episode> {
        self.episodes.iter().find(|episode| (episode.from..episode.to).contains(&second))
    }

    /// What the slot at `second` comes to.
    fn reason(&self, region: usize, second: Second) -> Reason {
        let mut chance = Chance(self.seed ^ (second << 8) ^ region as u64);
        let mut share = |percent| chance.below(100) < percent;
        match self.now(second).map(|episode| episode.what) {
            Some(What::Outage | What::Round | What::Muted) => Reason::Failed,
            Some(What::Region(bad) | What::Blip(bad)) if bad == region => Reason::Failed,
            Some(What::Flaky(percent)) if share(percent) => Reason::Failed,
            Some(What::Ineligible) => Reason::ProberFault,
            Some(What::Doubtful(percent)) if share(percent) => Reason::ProberFault,
            Some(What::Missed) => Reason::Overload,
            Some(What::Maintenance) => Reason::Maintenance,
            _ => Reason::Ok,
        }
    }

    fn region(index: usize) -> Arc<str> {
        format!("r{index}").into()
    }

    fn origin(region: usize) -> Arc<Origin> {
        Arc::new(Origin {
            stream: Stream::new("checkout", Self::region(region)),
            version: "0123456789ab".into(),
            kind: "http".into(),
            owner: "team-shop".into(),
            service: "shop".into(),
            labels: vec![],
            prober: "p1".into(),
            side_effects: false,
        })
    }

    /// What is promised.
    pub(super) fn promise(&self) -> Promise {
        let interval = Duration::from_secs(self.interval);
        let feed = |region| Feed {
            scenario: "checkout".into(),
            region: Self::region(region),
            interval,
            replicas: 1,
            timeout: Duration::from_secs(self.interval.min(10)),
        };
        let target = Share::of_millionths(self.millionths).unwrap();
        let window = Window::Rolling(Duration::from_hours(720));
        let quiet = |episode: &&Episode| matches!(episode.what, What::Maintenance | What::Muted);
        let windows = self.episodes.iter().filter(quiet).map(|one| (at(one.from), at(one.to))).collect();
        Promise {
            name: "checkout".into(),
            service: "shop".into(),
            owner: "team-shop".into(),
            aim: "A customer can buy.".into(),
            runbook: "https://wiki.example/checkout".into(),
            objective: Some(Objective { name: "checkout".into(), target, window }),
            interval,
            gap: interval,
            quorum: None,
            blind_after: None,
            critical: BTreeSet::new(),
            feeds: (0..self.regions).map(feed).collect(),
            page: vec!["oncall".into()],
            ticket: vec!["tracker".into()],
            begin: at(0),
            maintenance: Arc::new(Windows(windows)),
            good: None,
            budget_policy: slo::budget::BudgetPolicy::default(),
            adjustments: Vec::new(),
        }
    }

    /// Every slot's event, in the order in which they become known.
    fn events(&self) -> Vec<SliEvent> {
        let mut events = Vec::new();
        for region in 0..self.regions {
            let origin = Self::origin(region);
            let phase = 1_000 * self.interval * region as u64 / self.regions as u64;
            for number in 0.. {
                let scheduled = at(0).plus(Duration::from_millis(phase + number * self.interval * 1_000));
                if scheduled >= at(self.length) {
                    break;
                }
                let second = second(scheduled);
                let mut event = event(&origin, scheduled, self.reason(region, second));
                if let Some((_, up)) = self.down.filter(|(from, up)| (*from..*up).contains(&second)) {
                    // What was due meanwhile is known once a prober is there again.
                    event.outcome = Outcome::empty(Reason::Interrupted);
                    (event.started, event.finished, event.recorded) = (None, None, at(up));
                }
                events.push(event);
            }
        }
        events.sort_by_key(|event| (event.recorded, event.slot.scheduled));
        events
    }
}

fn second(at: Timestamp) -> Second {
    u64::try_from(at.as_millis() / 1_000 - ZERO).unwrap()
}

fn event(origin: &Arc<Origin>, scheduled: Timestamp, reason: Reason) -> SliEvent {
    let mut outcome = Outcome::empty(reason);
    if reason == Reason::Failed {
        outcome.failure = Some(Failure::new(FailureClass::Protocol, "500", "status is 500, expected 200"));
    }
    let ends = scheduled.plus(Duration::from_millis(300));
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

/// Windows of planned maintenance, in their order.
#[derive(Debug)]
struct Windows(Vec<(Timestamp, Timestamp)>);

impl Maintained for Windows {
    fn look(&self, now: Timestamp) -> (Option<Arc<str>>, Timestamp) {
        for (from, to) in &self.0 {
            if now < *from {
                return (None, *from);
            }
            if now < *to {
                return (Some("planned".into()), *to);
            }
        }
        (None, Timestamp::from_nanos(i64::MAX))
    }
}

/// An alert, by what receivers know it by: name, severity, region.
pub(super) type Key = (String, String, String);

/// What the evaluator said and what a scraper saw.
pub(super) struct Told {
    /// The seconds at which each alert fired by the evaluator.
    pub(super) fired: BTreeMap<Key, BTreeSet<Second>>,
    /// How the promise stood at each tick.
    pub(super) standings: BTreeMap<Second, Standing>,
    /// The scraped values of each series, with the scrape's number.
    pub(super) series: BTreeMap<String, Vec<(usize, f64)>>,
    /// How many scrapes there were.
    pub(super) scrapes: usize,
    /// The scrapes that found nobody.
    pub(super) missing: BTreeSet<usize>,
}

/// Tells the story to an evaluator, and to a metrics page that is scraped every `scrape` seconds, from `offset` on.
pub(super) fn tell(story: &Story, (scrape, offset): (u64, u64)) -> Told {
    let mut evaluator = Evaluator::new(vec![story.promise()], at(0));
    let mut page = Page::new(story, 0);
    let mut told = Told {
        fired: BTreeMap::new(),
        standings: BTreeMap::new(),
        series: BTreeMap::new(),
        scrapes: 0,
        missing: BTreeSet::new(),
    };
    let mut events = story.events().into_iter().peekable();
    let mut changes = Vec::new();
    for now in (0..=story.length).step_by(usize::try_from(STEP).unwrap()) {
        let is_down = story.down.is_some_and(|(from, to)| (from..to).contains(&now));
        if story.down.is_some_and(|(_, up)| up == now) {
            page = Page::new(story, now);
        }
        while let Some(event) = events.next_if(|event| event.recorded <= at(now)) {
            evaluator.fold(&event, &mut changes);
            page.apply(&event);
        }
        if now % 10 == 0 && !is_down {
            evaluator.advance(at(now).plus(SETTLE), &mut changes);
            for alert in evaluator.firing() {
                let text = |text: &str| text.to_owned();
                let region = alert.id.region.as_deref().unwrap_or_default();
                let key = (text(alert.id.rule.as_str()), text(alert.id.severity.as_str()), text(region));
                told.fired.entry(key).or_default().insert(now);
            }
            told.standings.extend(evaluator.standings().into_iter().map(|standing| (now, standing)));
        }
        if now % ACCOUNT_EVERY == 0 {
            page.account(now);
        }
        if now >= offset && (now - offset).is_multiple_of(scrape) {
            if is_down {
                told.missing.insert(told.scrapes);
            } else {
                page.scrape(&evaluator.standings(), &mut told);
            }
            told.scrapes += 1;
        }
    }
    told
}

/// The metrics of one process, and what it still has to account for.
struct Page {
    metrics: Metrics,
    /// Slots that are not counted as expected yet: when, and of which stream.
    open: Vec<(Timestamp, Stream)>,
    closed: Second,
}

impl Page {
    fn new(story: &Story, now: Second) -> Self {
        let metrics = Metrics::default();
        let info = |region| StreamInfo {
            origin: Story::origin(region),
            cadence: Cadence::Every { interval_ms: story.interval * 1_000 },
            slo: "checkout".into(),
        };
        metrics.set_streams(&(0..story.regions).map(info).collect::<Vec<_>>());
        metrics.account_from(at(now));
        Self { metrics, open: Vec::new(), closed: now }
    }

    fn apply(&mut self, event: &SliEvent) {
        self.metrics.apply(event);
        if !event.outcome.reason.is_planned() && event.slot.scheduled >= at(self.closed) {
            self.open.push((event.slot.scheduled, event.origin.stream.clone()));
        }
    }

    /// Counts the slots of the window that was closed a turn ago.
    fn account(&mut self, now: Second) {
        let to = now.saturating_sub(ACCOUNT_EVERY).max(self.closed);
        let (closed, open) =
            std::mem::take(&mut self.open).into_iter().partition::<Vec<_>, _>(|(slot, _)| *slot < at(to));
        self.open = open;
        let mut streams: BTreeMap<Stream, u64> = BTreeMap::new();
        for (_, stream) in closed {
            *streams.entry(stream).or_default() += 1;
        }
        let one = |(stream, expected)| StreamAccount {
            stream,
            expected,
            good: expected,
            bad: 0,
            ineligible: 0,
            missed: 0,
            planned: 0,
            upgraded: 0,
            settled: 0,
        };
        let streams = streams.into_iter().map(one).collect();
        self.metrics.add_account(&Account { from: at(self.closed), to: at(to), streams, violations: 0 });
        self.closed = to;
    }

    /// Notes every series that rules look at.
    fn scrape(&self, standings: &[Standing], told: &mut Told) {
        let around = Around { slos: standings.to_vec().into(), ..Around::default() };
        let page = self.metrics.render(Format::OpenMetrics, &around);
        let wanted =
            ["prober_sli_", "prober_maintenance_active{", "prober_slo_error_budget_remaining_ratio{"];
        for line in page.lines().filter(|line| wanted.iter().any(|prefix| line.starts_with(prefix))) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let mut value: f64 = value.parse().unwrap();
            if series.contains("_timestamp_seconds") {
                // The engine's time begins with the story.
                value -= Timestamp::from_seconds(ZERO).as_seconds_f64();
            }
            told.series.entry(series.to_owned()).or_default().push((told.scrapes, value));
        }
    }
}
