//! All promises together: events in, changes of alerts out, judged at a fixed grid of ticks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use model::alert::Alert;
use model::event::SliEvent;
use model::outcome::Reason;
use model::slot::{SlotId, Stream};
use model::time::Timestamp;

pub use crate::change::{Change, Transition};
use crate::promise::Promise;
use crate::slot::{Slot, late_after};
use crate::standing::Standing;
use crate::state::Slo;

/// The distance of two ticks; they lie on multiples of it since the epoch.
pub const TICK: Duration = Duration::from_secs(10);
/// How long after its `recorded` stamp an event may arrive and still be judged as if it had been there at once.
pub const SETTLE: Duration = Duration::from_secs(2);
/// Events that wait for their time at most; beyond that the oldest are taken in early.
pub const WAITING_MAX: usize = 100_000;
/// The distance of two ticks that are judged while history is skimmed; a multiple of [`TICK`].
const SKIM: Duration = Duration::from_hours(1);
/// Without any event for longer than this, ticks are left out.
const QUIET_MAX: Duration = Duration::from_hours(30 * 24);

/// Less than this is no absence: ticks are judged when it is over.
const ABSENT_LEAST: Duration = Duration::from_secs(30);

const WEEK: Duration = Duration::from_hours(7 * 24);

/// Good and bad runs, week by week.
pub type Weeks = Vec<(u64, u64)>;

/// Folds events into promises and says how their alerts change.
#[derive(Clone, Debug)]
pub struct Evaluator {
    /// By name.
    pub(crate) slos: Vec<Slo>,
    /// Which promises a stream feeds.
    feeds: HashMap<(Arc<str>, Arc<str>), Vec<Fed>>,
    /// Events whose time has not come, in the order in which they count.
    pub(crate) waiting: BTreeMap<Turn, Waiting>,
    /// The next tick, once there is a first event or a first [`Evaluator::advance`].
    pub(crate) next_tick: Option<Timestamp>,
    /// The newest time that is known.
    pub(crate) newest: Timestamp,
    /// From when on nothing was left out.
    pub(crate) awake: Timestamp,
    /// Before this only one tick an hour is judged.
    pub(crate) skim_until: Timestamp,
    /// Promises that are no longer there and whose pieces are still kept.
    pub(crate) gone: Vec<Arc<str>>,
}

#[derive(Copy, Clone, Debug)]
struct Fed {
    slo: usize,
    late_after: Duration,
}

/// When an event counts: by `recorded`, then by its slot.
pub(crate) type Turn = (Timestamp, Timestamp, SlotId);

/// An event that waits, reduced to what promises need.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) scenario: Arc<str>,
    pub(crate) region: Arc<str>,
    pub(crate) slot: Slot,
}

impl Evaluator {
    /// An evaluator that has seen nothing; of promises with one name the first counts.
    pub fn new(promises: Vec<Promise>, now: Timestamp) -> Self {
        let mut made = Self::empty(now);
        made.slos = sorted(promises).into_iter().map(|promise| Slo::new(promise, now)).collect();
        made.connect();
        made
    }

    pub(crate) fn empty(now: Timestamp) -> Self {
        Self {
            slos: Vec::new(),
            feeds: HashMap::new(),
            waiting: BTreeMap::new(),
            next_tick: None,
            newest: now,
            awake: now,
            skim_until: Timestamp::from_nanos(i64::MIN),
            gone: Vec::new(),
        }
    }

    /// Judges the time before `until` once an hour only: for history whose alerts nobody is told.
    ///
    /// Counts, budgets and burn rates are the same; an alert that still fires may have begun up to an hour earlier than
    /// it says.
    pub fn skim(&mut self, until: Timestamp) {
        self.skim_until = until;
    }

    /// Makes `promises` the ones that are judged; what is known of those that stay is kept.
    pub fn set_promises(&mut self, promises: Vec<Promise>, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut known: BTreeMap<Arc<str>, Slo> =
            self.slos.drain(..).map(|slo| (Arc::clone(&slo.promise.name), slo)).collect();
        self.slos = sorted(promises)
            .into_iter()
            .map(|promise| match known.remove(&promise.name) {
                Some(slo) => slo.with(promise, now, &mut changes),
                None => Slo::new(promise, now),
            })
            .collect();
        for (name, mut gone) in known {
            gone.end_all(now, &mut changes);
            self.gone.push(name);
        }
        self.connect();
        changes
    }

    /// Notes which promises each stream feeds.
    pub(crate) fn connect(&mut self) {
        self.feeds.clear();
        for (index, slo) in self.slos.iter().enumerate() {
            for feed in &slo.promise.feeds {
                let late_after = late_after(feed);
                let key = (Arc::clone(&feed.scenario), Arc::clone(&feed.region));
                let fed = self.feeds.entry(key).or_default();
                // Replicas of a region are one feed.
                if fed.last().is_none_or(|last| last.slo != index) {
                    fed.push(Fed { slo: index, late_after });
                }
            }
        }
    }

    /// Takes in an event; runs that no slot asked for are left out.
    pub fn fold(&mut self, event: &SliEvent, changes: &mut Vec<Change>) {
        if !event.trigger.is_scheduled() {
            return;
        }
        let Stream { scenario, region, .. } = &event.origin.stream;
        let nobody = matches!(event.outcome.reason, Reason::Interrupted | Reason::Drain);
        if nobody && self.next_tick.is_some_and(|next| event.recorded.since(next) > ABSENT_LEAST) {
            // From that slot on until now no prober ran, and nobody judged.
            self.settle(self.newest.max(event.slot.scheduled).min(event.recorded), changes);
            self.skip_to(event.recorded);
        }
        self.newest = self.newest.max(event.recorded);
        if self.feeds.contains_key(&(Arc::clone(scenario), Arc::clone(region))) {
            let waiting =
                Waiting { scenario: Arc::clone(scenario), region: Arc::clone(region), slot: Slot::of(event) };
            self.waiting.insert((event.recorded, event.slot.scheduled, event.slot.id), waiting);
        }
        self.settle(self.newest.minus(SETTLE), changes);
        while self.waiting.len() > WAITING_MAX {
            let Some((first, _)) = self.waiting.first_key_value() else { break };
            self.settle(first.0, changes);
        }
    }

    /// Moves on to `now`: judges every tick whose events are all there.
    pub fn advance(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        self.newest = self.newest.max(now);
        self.settle(self.newest.minus(SETTLE), changes);
    }

    /// Takes in whatever still waits and judges every tick up to `end`: nothing more will come.
    pub fn finish(&mut self, end: Timestamp, changes: &mut Vec<Change>) {
        self.newest = self.newest.max(end);
        self.settle(self.newest, changes);
    }

    /// Goes on at `now` after nobody has looked for a while, or the clock was set: ticks in between are left out,
    /// and blindness counts from here. Counts after `now` are forgotten.
    pub fn resume(&mut self, now: Timestamp) {
        if self.next_tick.is_some_and(|next| next > now.plus(TICK)) {
            self.slos.iter_mut().for_each(|slo| slo.rewind(now));
            self.waiting.clear();
            self.newest = now;
        }
        self.newest = self.newest.max(now);
        self.skip_to(now);
    }

    fn skip_to(&mut self, at: Timestamp) {
        self.next_tick = Some(tick_from(at));
        self.awake = at;
    }

    /// Takes in events and judges ticks, in the order of their times, as far as `until`.
    fn settle(&mut self, until: Timestamp, changes: &mut Vec<Change>) {
        while let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= until) {
            let ((recorded, ..), event) = first.remove_entry();
            self.ticks(recorded, false, changes);
            self.take(&event, recorded);
        }
        self.ticks(until, true, changes);
    }

    /// Judges the ticks before `until`, or up to it.
    fn ticks(&mut self, until: Timestamp, inclusive: bool, changes: &mut Vec<Change>) {
        let mut next = self.next_tick.unwrap_or_else(|| tick_from(until));
        if until.since(next) > QUIET_MAX {
            next = tick_from(until);
            self.awake = until;
        }
        while next < until || (inclusive && next == until) {
            if next >= self.skim_until || is_multiple(next, SKIM) {
                for slo in &mut self.slos {
                    slo.tick(next, self.awake, changes);
                }
            }
            next = next.plus(TICK);
        }
        self.next_tick = Some(next);
    }

    fn take(&mut self, event: &Waiting, recorded: Timestamp) {
        let key = (Arc::clone(&event.scenario), Arc::clone(&event.region));
        let Some(fed) = self.feeds.get(&key) else { return };
        let judged = self.next_tick.map_or(recorded, |next| next.minus(TICK));
        for Fed { slo, late_after } in fed {
            let feed = (&*event.scenario, &*event.region);
            self.slos[*slo].fold(feed, &event.slot, *late_after, recorded.max(judged));
        }
    }

    /// The places of the promises that a stream feeds.
    pub(crate) fn fed(&self, stream: &Stream) -> Vec<usize> {
        let key = (Arc::clone(&stream.scenario), Arc::clone(&stream.region));
        self.feeds.get(&key).into_iter().flatten().map(|fed| fed.slo).collect()
    }

    /// The last tick that was judged.
    pub fn judged(&self) -> Option<Timestamp> {
        self.next_tick.map(|next| next.minus(TICK))
    }

    /// How every promise stands, by name.
    pub fn standings(&self) -> Vec<Standing> {
        let at = self.judged().unwrap_or(self.newest);
        self.slos.iter().map(|slo| Standing::of(slo, at)).collect()
    }

    /// Good and bad runs of each promise in each of the last `weeks` before `until`, by name, the oldest week first; what
    /// is no longer kept, after 92 days, counts as nothing.
    pub fn by_week(&self, until: Timestamp, weeks: u32) -> Vec<(Arc<str>, Weeks)> {
        let counts = |slo: &Slo| {
            let week = |age: u32| {
                let to = until.minus(WEEK.saturating_mul(age));
                slo.kept.history.between(to.minus(WEEK), to)
            };
            (Arc::clone(&slo.promise.name), (0..weeks).rev().map(week).collect())
        };
        self.slos.iter().map(counts).collect()
    }

    /// Every alert that fires.
    pub fn firing(&self) -> Vec<Alert> {
        self.slos.iter().flat_map(Slo::firing).collect()
    }

    /// Bytes of memory that the promise `name` takes beside what its files say; `None` if there is none.
    pub fn bytes_of(&self, name: &str) -> Option<usize> {
        self.slos.iter().find(|slo| *slo.promise.name == *name).map(Slo::heap_bytes)
    }
}

/// The promises by name, the first of each.
pub(crate) fn sorted(mut promises: Vec<Promise>) -> Vec<Promise> {
    promises.sort_by(|one, other| one.name.cmp(&other.name));
    promises.dedup_by(|later, first| later.name == first.name);
    promises
}

/// The first tick at or after `at`.
fn tick_from(at: Timestamp) -> Timestamp {
    let tick = i64::try_from(TICK.as_nanos()).unwrap_or(i64::MAX);
    let past = at.as_nanos().rem_euclid(tick);
    if past == 0 { at } else { Timestamp::from_nanos(at.as_nanos().saturating_add(tick - past)) }
}

/// Whether `at` lies on a multiple of `step` since the epoch.
fn is_multiple(at: Timestamp, step: Duration) -> bool {
    i64::try_from(step.as_nanos()).is_ok_and(|step| at.as_nanos().rem_euclid(step) == 0)
}
