//! From events to samples in time: the fold of the metrics page, fed from an exporter's own cursor.
//!
//! A sample bears the time of the event that it follows, so that what waited for a destination that was down is told
//! as it happened. What holds:
//!
//! * Every event is counted once in the life of the exporter, however often its batch comes.
//! * A series is there, at what it was before, a millisecond before its first change: one that were born with its
//!   first failure would lose it.
//! * Times of one stream only ever grow, and counts of it never shrink.
//! * A stream that is not sampled for [`REFRESH`] is sampled again, so that it does not go stale between its events.
//! * A series that is no more is told as gone, once.
//!
//! Counts begin at 0 with the process. Expected slots are counted by their events, one each, as the account has it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::slot::{SlotId, Stream};
use model::time::Timestamp;
use tokio::sync::watch;

use crate::prometheus::read::Family;
use crate::prometheus::{Metrics, SERIES_MAX, StreamInfo};

/// A stream that was not sampled for so long is sampled again; Prometheus takes a series for gone after 5 minutes.
pub(crate) const REFRESH: Duration = Duration::from_mins(1);
/// Events of one stream that lie closer together than this are one sample.
const STEP: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(1);

/// What one stream, or the process, looked like at one time.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) at: Timestamp,
    /// Since when its counters count.
    pub(crate) born: Timestamp,
    pub(crate) families: Vec<Family>,
    /// Series that were there before and are no more, as they were last.
    pub(crate) gone: Vec<Family>,
}

/// The fold with its times.
pub(crate) struct Sampler {
    metrics: Metrics,
    roster: watch::Receiver<Arc<[StreamInfo]>>,
    /// Whether the roster was looked at.
    followed: bool,
    /// The streams that are sampled, replicas joined.
    order: Vec<Stream>,
    known: HashMap<Stream, Known>,
    /// Events that were counted and whose batch may come again.
    counted: HashSet<(SlotId, u32)>,
    /// Where the next refresh goes on.
    next: usize,
}

/// What is known of a stream that was sampled.
struct Known {
    born: Timestamp,
    last: Timestamp,
    /// The gauges of the last sample, which may disappear.
    gauges: Vec<Family>,
    /// The traces of the last sample's exemplars, which are told once.
    traces: Vec<String>,
    /// The first event since the last sample, and the last one.
    changed: Option<(Timestamp, Timestamp)>,
}

impl Sampler {
    pub(crate) fn new(roster: watch::Receiver<Arc<[StreamInfo]>>) -> Self {
        let metrics = Metrics::new(SERIES_MAX);
        // No account is told here: each slot counts as expected with its event.
        metrics.account_from(Timestamp::from_nanos(i64::MAX));
        Self {
            metrics,
            roster,
            followed: false,
            order: Vec::new(),
            known: HashMap::new(),
            counted: HashSet::new(),
            next: 0,
        }
    }

    /// The events of the batch that were not counted before.
    pub(crate) fn fresh<'a>(&self, batch: &'a [Arc<SliEvent>]) -> Vec<&'a Arc<SliEvent>> {
        batch.iter().filter(|event| !self.counted.contains(&(event.slot.id, event.attempt))).collect()
    }

    /// Counts the events that were not counted before; gives what there is to tell.
    pub(crate) fn count(&mut self, events: &[&Arc<SliEvent>]) -> Vec<Snapshot> {
        let first = events.first().map_or(Timestamp::default(), |event| event.recorded);
        let mut told = self.follow_roster(first);
        for event in events {
            if !self.counted.insert((event.slot.id, event.attempt)) {
                continue;
            }
            let stream = joined(&event.origin.stream);
            let at = event.recorded;
            match self.known.get(&stream).map(|known| known.changed) {
                None => told.extend(self.sample(&stream, at.minus(TICK))),
                Some(Some((since, until))) if at.since(since) >= STEP => {
                    told.extend(self.sample(&stream, until));
                }
                Some(_) => {}
            }
            self.metrics.apply(event);
            if let Some(known) = self.known.get_mut(&stream) {
                let since = known.changed.map_or(at, |(since, _)| since);
                known.changed = Some((since, at.max(since)));
            }
        }
        let changed =
            self.known.iter().filter_map(|(stream, known)| Some((stream.clone(), known.changed?.1)));
        let mut changed: Vec<_> = changed.collect();
        changed.sort_unstable();
        told.extend(changed.into_iter().filter_map(|(stream, until)| self.sample(&stream, until)));
        told
    }

    /// Forgets the batch, which will not come again.
    pub(crate) fn acknowledged(&mut self, events: &[Arc<SliEvent>]) {
        for event in events {
            self.counted.remove(&(event.slot.id, event.attempt));
        }
    }

    /// Samples up to `most` of the streams that were not sampled for [`REFRESH`] before `now`, new ones included.
    pub(crate) fn refresh(&mut self, now: Timestamp, most: usize) -> Vec<Snapshot> {
        let mut told = self.follow_roster(now);
        let due = now.minus(REFRESH);
        for _ in 0..self.order.len() {
            if told.len() >= most {
                break;
            }
            self.next = (self.next + 1) % self.order.len();
            let stream = self.order[self.next].clone();
            if self.known.get(&stream).is_none_or(|known| known.last <= due) {
                told.extend(self.sample(&stream, now));
            }
        }
        told
    }

    /// Takes over a change of the streams; tells what is gone as of `now`.
    fn follow_roster(&mut self, now: Timestamp) -> Vec<Snapshot> {
        if std::mem::replace(&mut self.followed, true) && !self.roster.has_changed().unwrap_or(false) {
            return Vec::new();
        }
        let infos = Arc::clone(&self.roster.borrow_and_update());
        let mut seen = HashSet::new();
        self.order = infos
            .iter()
            .map(|info| joined(&info.origin.stream))
            .filter(|stream| seen.insert(stream.clone()))
            .collect();
        let left: Vec<_> = self.known.keys().filter(|stream| !seen.contains(*stream)).cloned().collect();
        let mut told = Vec::new();
        for stream in left {
            let mut gone = self.metrics.families_of(&stream).unwrap_or_default();
            let known = self.known.remove(&stream).expect("it is one of them");
            gone.extend(missing(&known.gauges, &gone));
            let at = now.max(known.last.plus(TICK));
            told.push(Snapshot { at, born: known.born, families: Vec::new(), gone });
        }
        told.sort_by_key(|snapshot| snapshot.at);
        self.metrics.set_streams(&infos);
        told
    }

    /// Samples one stream as of `at`, or the moment after its last sample; `None` if it is not exposed.
    fn sample(&mut self, stream: &Stream, at: Timestamp) -> Option<Snapshot> {
        let mut families = self.metrics.families_of(stream)?;
        let known = self.known.get(stream);
        let at = known.map_or(at, |known| at.max(known.last.plus(TICK)));
        let born = known.map_or(at, |known| known.born);
        let gauges: Vec<_> = families.iter().filter(|family| family.kind.is_gauge()).cloned().collect();
        let gone = known.map_or_else(Vec::new, |known| missing(&known.gauges, &gauges));
        let before = known.map_or(&[][..], |known| &known.traces);
        let mut traces = Vec::new();
        for sample in families.iter_mut().flat_map(|family| &mut family.samples) {
            let Some((trace, _)) = &sample.exemplar else { continue };
            traces.push(trace.clone());
            if before.contains(trace) {
                sample.exemplar = None;
            }
        }
        self.known.insert(stream.clone(), Known { born, last: at, gauges, traces, changed: None });
        Some(Snapshot { at, born, families, gone })
    }
}

/// What of `before` has no series of the same name and labels in `now`.
fn missing(before: &[Family], now: &[Family]) -> Vec<Family> {
    let mut missing = Vec::new();
    for family in before {
        let there =
            now.iter().find(|other| other.name == family.name).map_or(&[][..], |other| &other.samples);
        let mut left = family.clone();
        left.samples.retain(|sample| {
            there.iter().all(|other| (&other.name, &other.labels) != (&sample.name, &sample.labels))
        });
        if !left.samples.is_empty() {
            missing.push(left);
        }
    }
    missing
}

/// The stream whose series a replica shares.
fn joined(stream: &Stream) -> Stream {
    Stream { replica: 0, ..stream.clone() }
}

#[cfg(test)]
mod tests {
    use model::outcome::Reason;

    use super::*;
    use crate::sample::{clock, event, info, origin, start, surroundings};

    fn value(snapshot: &Snapshot, name: &str) -> Option<f64> {
        let samples = snapshot.families.iter().flat_map(|family| &family.samples);
        samples.filter(|sample| sample.name == name).map(|sample| sample.value).next()
    }

    fn batch(seconds: std::ops::Range<u64>) -> Vec<Arc<SliEvent>> {
        let shop = origin("shop");
        seconds.map(|second| Arc::new(event(&shop, second, Reason::Failed))).collect()
    }

    fn count(sampler: &mut Sampler, batch: &[Arc<SliEvent>]) -> Vec<Snapshot> {
        sampler.count(&batch.iter().collect::<Vec<_>>())
    }

    const BAD: &str = "prober_sli_bad_events_total";
    const EXPECTED: &str = "prober_sli_expected_events_total";

    #[test]
    fn a_backlog_is_told_as_it_happened_and_once() {
        let (_tell, around) = surroundings(clock(), &[info("shop"), info("other")]);
        let mut sampler = Sampler::new(around.streams);
        let events = batch(0..35);
        let told = count(&mut sampler, &events);
        let bad: Vec<_> = told.iter().map(|snapshot| value(snapshot, BAD).unwrap()).collect();
        assert_eq!(bad, [0.0, 10.0, 20.0, 30.0, 35.0], "born at 0, then every ten seconds");
        assert_eq!(value(&told[4], EXPECTED), Some(35.0));
        assert!(told.is_sorted_by(|one, next| one.at < next.at));
        assert_eq!(told[0].at, events[0].recorded.minus(TICK));
        assert_eq!(told[4].at, events[34].recorded);
        assert!(told.iter().all(|snapshot| snapshot.born == told[0].at));
        // The same batch again, with more behind it.
        assert!(count(&mut sampler, &events).is_empty());
        let more = count(&mut sampler, &batch(30..36));
        assert_eq!(more.iter().filter_map(|snapshot| value(snapshot, BAD)).collect::<Vec<_>>(), [36.0]);
        assert!(more[0].at > told[4].at);
        let exemplars = |snapshot: &Snapshot| {
            let samples = snapshot.families.iter().flat_map(|family| &family.samples);
            samples.filter(|sample| sample.exemplar.is_some()).count()
        };
        assert_eq!((exemplars(&told[0]), exemplars(&told[1])), (0, 1));
    }

    #[test]
    fn what_is_quiet_is_told_again_and_what_is_gone_is_told_once() {
        let (tell, around) = surroundings(clock(), &[info("shop"), info("other")]);
        let mut sampler = Sampler::new(around.streams);
        count(&mut sampler, &batch(0..1));
        let now = start().plus(Duration::from_secs(30));
        assert_eq!(sampler.refresh(now, 9).len(), 1, "the one that had no event is born");
        let later = now.plus(REFRESH);
        assert_eq!(sampler.refresh(later, 1).len(), 1, "bounded");
        assert_eq!(sampler.refresh(later, 9).len(), 1);
        assert!(sampler.refresh(later, 9).is_empty());
        tell.send_replace(Arc::from([info("other")]));
        let told = sampler.refresh(later, 9);
        assert_eq!(told.len(), 1);
        let gone: usize = told[0].gone.iter().map(|family| family.samples.len()).sum();
        assert!(told[0].families.is_empty() && gone > 40, "{told:?}");
        assert!(told[0].at > later);
        assert!(sampler.refresh(later, 9).is_empty());
    }

    #[test]
    fn a_gauge_that_is_no_more_is_told() {
        let (_tell, around) = surroundings(clock(), &[info("shop")]);
        let mut sampler = Sampler::new(around.streams);
        let shop = origin("shop");
        let ok = Arc::new(event(&shop, 0, Reason::Ok));
        let mut without = event(&shop, 20, Reason::Ok);
        without.outcome.steps[0].hops.clear();
        count(&mut sampler, &[ok]);
        let told = count(&mut sampler, &[Arc::new(without)]);
        let gone: Vec<_> = told[0].gone.iter().flat_map(|family| &family.samples).collect();
        assert_eq!(gone.len(), 3, "{gone:?}");
        assert!(gone.iter().all(|sample| sample.name == "prober_run_phase_seconds"));
    }
}
