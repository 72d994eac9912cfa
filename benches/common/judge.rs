//! What the target saw against what was planned, and against what the prober says of itself.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use model::event::SliEvent;
use model::outcome::{FailureClass, Reason};
use model::step::Phase;
use model::time::Timestamp;
use schedule::slots::Timetable;
use store::{EventFilter, LIMIT_MAX, Reader};

use super::figures::percentile;
use super::project::{Project, hangs, number};
use super::target::Arrival;

/// What a right run showed.
pub(crate) struct Seen {
    /// Runs whose slot lies in the window.
    pub(crate) runs: usize,
    /// From the slot to the request's arrival: median, 99th percentile, most.
    pub(crate) start_error_ms: [f64; 3],
    /// From the slot to the run's start, as its event says: median, 99th percentile, most.
    pub(crate) own_lag_ms: [f64; 3],
    /// How far the two are apart for the same slot, 99th percentile.
    pub(crate) disagreement_p99_ms: f64,
    /// How long each run waited for its answer, as its event says, in ms.
    pub(crate) waits_ms: Vec<f64>,
    /// How the runs whose target never answers ended, and how many each.
    pub(crate) hanging: BTreeMap<&'static str, usize>,
}

/// A scenario's number and a slot's start in ms.
type Key = (u32, i64);

/// Compares arrivals and events of the slots in `window` with the timetables.
///
/// Panics if a slot was missed, came twice, or was not good: a fast wrong run is no figure.
pub(crate) fn judge(
    project: &Project,
    window: (Timestamp, Timestamp),
    arrivals: &[Arrival],
    data: &Path,
) -> Seen {
    let timetables: Vec<_> = (0..project.scenarios).map(|number| project.timetable(number)).collect();
    let mut errors: HashMap<Key, f64> = HashMap::new();
    for (number, at) in arrivals {
        let (slot, error) = slot_of(&timetables[*number as usize], Timestamp::from_nanos(*at));
        if inside(slot, window) {
            let again = errors.insert((*number, slot.as_millis()), error * 1e3);
            assert!(again.is_none(), "scenario {number} ran twice in its slot {slot}");
        }
    }
    let Told { lags, waits_ms, hanging } = told(window, data);
    let mut planned = 0;
    for (number, timetable) in (0..).zip(&timetables) {
        for slot in timetable.between(window.0, window.1) {
            planned += 1;
            let key = (number, slot.as_millis());
            assert!(errors.contains_key(&key), "scenario {number} did not ask for its page in slot {slot}");
            assert!(lags.contains_key(&key), "scenario {number} has no event for slot {slot}");
        }
    }
    assert_eq!((errors.len(), lags.len()), (planned, planned), "requests and events beside the slots");
    let differences = errors.iter().map(|(key, error)| (error - lags[key]).abs());
    let [_, disagreement_p99_ms, _] = shown(differences);
    Seen {
        runs: planned,
        start_error_ms: shown(errors.values().copied()),
        own_lag_ms: shown(lags.values().copied()),
        disagreement_p99_ms,
        waits_ms,
        hanging,
    }
}

fn inside(slot: Timestamp, (from, to): (Timestamp, Timestamp)) -> bool {
    from <= slot && slot < to
}

/// The slot that a request at `at` is for, and how many seconds after it the request came.
fn slot_of(timetable: &Timetable, at: Timestamp) -> (Timestamp, f64) {
    let step = timetable.step_ms().expect("the bench's scenarios have an interval");
    let next = timetable.next_after(at).expect("an interval has no end");
    let slot = next.minus(std::time::Duration::from_millis(step));
    (slot, at.seconds_since(slot))
}

/// What the stored events of a window say.
#[derive(Default)]
struct Told {
    /// How late each run of a healthy scenario started, in ms.
    lags: HashMap<Key, f64>,
    waits_ms: Vec<f64>,
    hanging: BTreeMap<&'static str, usize>,
}

/// Reads the events; each must be what its scenario is there for.
fn told((from, to): (Timestamp, Timestamp), data: &Path) -> Told {
    let mut reader = Reader::open(data).expect("the prober has stopped in order");
    let mut told = Told::default();
    let mut filter =
        EventFilter { since: Some(from), until: Some(to), limit: LIMIT_MAX, ..EventFilter::default() };
    loop {
        let page = reader.query(&filter).expect("the store can be read");
        let Some(last) = page.last() else { return told };
        filter.after_seq = Some(last.seq);
        for stored in page {
            told.note(&stored.event);
        }
    }
}

impl Told {
    fn note(&mut self, event: &SliEvent) {
        let (name, outcome) = (&event.origin.stream.scenario, &event.outcome);
        if hangs(name) {
            let timed_out = outcome.failure.as_ref().is_some_and(|why| why.class == FailureClass::Timeout);
            let ended = if timed_out { "timed out" } else { outcome.reason.as_str() };
            assert!(
                timed_out || outcome.reason == Reason::Overload,
                "{name} ended {ended}: {:?}",
                outcome.failure
            );
            *self.hanging.entry(ended).or_default() += 1;
            return;
        }
        assert_eq!(outcome.reason, Reason::Ok, "{name}: {:?}", outcome.failure);
        let lag = event.lag().expect("a good event has a run").as_secs_f64() * 1e3;
        let again = self.lags.insert((number(name), event.slot.scheduled.as_millis()), lag);
        assert!(again.is_none(), "{name} has two events for its slot {}", event.slot.scheduled);
        let wait = outcome.main_step().and_then(|step| step.timing(Phase::Wait));
        self.waits_ms.extend(wait.map(|wait| wait.as_secs_f64() * 1e3));
    }
}

/// Median, 99th percentile, most.
pub(crate) fn shown(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [percentile(&values, 0.5), percentile(&values, 0.99), percentile(&values, 1.0)]
}
