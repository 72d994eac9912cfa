//! Metrics for Prometheus: the fold of events into counters, and their exposition in two text formats.
//!
//! Every series of a known stream is there from the moment the stream is, at 0: a counter that is born at its first
//! failure loses that failure. A removed stream's series disappear at the next scrape. No sample carries a timestamp.
//!
//! Series by reason are many, so only those that can occur on one machine are born: see [`counts::BORN_INELIGIBLE`] and
//! [`counts::BORN_MISSED`]; any other appears with its first event. Streams of one scenario and region (replicas) share
//! their series. Deliberately absent: HTTP, compression, and reading `/proc`; the caller passes [`Around`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use model::event::{Origin, SliEvent};
use model::probe::BoxFuture;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use store::Account;

use crate::{Delivery, Exporter};
use counts::{Histogram, LAG_EDGES};
use fold::Cell;

mod alerts;
mod around;
pub mod blackbox;
pub mod counts;
mod families;
mod fold;
mod hour;
mod joint;
pub(crate) mod read;
mod render;
mod slos;
mod text;

#[cfg(test)]
mod tests;

pub use alerts::AlertNumbers;
pub use around::{Around, ClockNumbers, DoubtNumbers, FleetFamily, OwnHealth, Process, StoreNumbers};
pub use render::Chunks;
pub use text::Format;
pub(crate) use text::Kind;

/// A stream whose series are exposed.
#[derive(Clone, Debug)]
pub struct StreamInfo {
    /// What its events have in common.
    pub origin: Arc<Origin>,
    /// How often it is due.
    pub cadence: Cadence,
    /// The name of its objective; the scenario's name if it has none.
    pub slo: Arc<str>,
}

/// A promise over several scenarios, which has series of its own.
#[derive(Clone, Debug)]
pub struct JointInfo {
    /// The objective's name.
    pub name: Arc<str>,
    /// The monitored service.
    pub service: Arc<str>,
    /// Scenario and region of each stream that feeds it.
    pub feeds: Vec<(Arc<str>, Arc<str>)>,
    /// What makes a correct run good for it, if not what its scenario says.
    pub good: Option<Arc<dyn slo::good::GoodRun>>,
}

/// The metrics of one prober; clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    streams: RwLock<Streams>,
    lag: Mutex<Histogram<{ LAG_EDGES.len() + 1 }>>,
    violations: AtomicU64,
    /// The account's windows begin here; earlier slots count as expected by themselves.
    accounted_from_ms: AtomicI64,
    /// Series that were refused for the cap.
    series_dropped: AtomicU64,
    series_max: u64,
    /// Whether runs are also told under the blackbox exporter's names.
    blackbox: AtomicBool,
    /// Series of streams that are exposed.
    series: AtomicU64,
}

#[derive(Debug, Default)]
struct Streams {
    /// By scenario and region; under replica 0, whichever replicas there are.
    by_stream: HashMap<Stream, Arc<Cell>>,
    /// The same cells in the order of exposition.
    order: Arc<[Arc<Cell>]>,
    /// Promises over several of them.
    joints: Arc<[joint::Joint]>,
    /// Which of those count a stream's events themselves.
    counting: HashMap<Stream, Vec<Arc<joint::Own>>>,
}

impl Streams {
    fn get(&self, stream: &Stream) -> Option<&Arc<Cell>> {
        if stream.replica == 0 {
            return self.by_stream.get(stream);
        }
        self.by_stream.get(&Stream { replica: 0, ..stream.clone() })
    }
}

/// The most series that are exposed by default.
pub const SERIES_MAX: u64 = 500_000;

impl Default for Metrics {
    fn default() -> Self {
        Self::new(SERIES_MAX)
    }
}

impl Metrics {
    /// No streams yet; at most `series_max` series of streams will be exposed.
    pub fn new(series_max: u64) -> Self {
        let shared = Shared {
            streams: RwLock::default(),
            lag: Mutex::default(),
            violations: AtomicU64::new(0),
            accounted_from_ms: AtomicI64::new(i64::MIN),
            series_dropped: AtomicU64::new(0),
            series_max,
            blackbox: AtomicBool::new(false),
            series: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes `streams` the exposed ones: known ones keep their counts, new ones begin at 0, others disappear.
    ///
    /// Streams that do not fit under the cap are left out and counted.
    pub fn set_streams(&self, streams: &[StreamInfo]) {
        self.set(streams, &[]);
    }

    /// The same, with promises over several of them.
    pub fn set(&self, streams: &[StreamInfo], promises: &[JointInfo]) {
        let mut known = self.shared.streams.write().expect("no holder panics");
        let mut next = Streams::default();
        let (mut order, mut series) = (Vec::with_capacity(streams.len()), 0);
        for info in streams {
            if next.get(&info.origin.stream).is_some() {
                continue;
            }
            let cell = match known.get(&info.origin.stream) {
                Some(cell) => cell.with(info),
                None => Cell::new(info),
            };
            cell.set_compat(self.is_blackbox());
            let born = cell.series();
            if series + born > self.shared.series_max {
                self.shared.series_dropped.fetch_add(born, Ordering::Relaxed);
                continue;
            }
            series += born;
            let cell = Arc::new(cell);
            let stream = Stream { replica: 0, ..info.origin.stream.clone() };
            next.by_stream.insert(stream, Arc::clone(&cell));
            order.push(cell);
        }
        next.order = order.into();
        next.joints = joint::joints(promises, &next, &known.joints).into();
        next.counting = joint::counting(promises, &next.joints);
        self.shared.series.store(series, Ordering::Relaxed);
        *known = next;
    }

    /// Tells the last run of each stream also as the blackbox exporter would: its names with the labels `scenario` and
    /// `region`, on the page only. Holds from the next [`Metrics::set`] on.
    ///
    /// A stream whose last slot says nothing about the target has none of them.
    pub fn tell_as_blackbox(&self, wanted: bool) {
        self.shared.blackbox.store(wanted, Ordering::Relaxed);
    }

    fn is_blackbox(&self) -> bool {
        self.shared.blackbox.load(Ordering::Relaxed)
    }

    /// Counts one event; manual runs and unknown streams are left out.
    pub fn apply(&self, event: &SliEvent) {
        if !event.trigger.is_scheduled() {
            return;
        }
        if let Some(lag) = event.lag() {
            self.shared.lag.lock().expect("no holder panics").add(&LAG_EDGES, lag.as_secs_f64());
        }
        let streams = self.shared.streams.read().expect("no holder panics");
        if let Some(cell) = streams.get(&event.origin.stream) {
            cell.apply(event, |series| self.room_for(series));
            let before =
                event.slot.scheduled.as_millis() < self.shared.accounted_from_ms.load(Ordering::Relaxed);
            if before && !event.outcome.reason.is_planned() {
                cell.add_expected(1);
            }
        }
        if !streams.counting.is_empty() {
            let stream = Stream { replica: 0, ..event.origin.stream.clone() };
            streams.counting.get(&stream).into_iter().flatten().for_each(|own| own.apply(event));
        }
    }

    /// Says where the windows of [`Metrics::add_account`] begin.
    ///
    /// Slots before it that come in all the same (those that a restart found missed) are expected ones too, so
    /// that the counters add up.
    pub fn account_from(&self, at: Timestamp) {
        self.shared.accounted_from_ms.store(at.as_millis(), Ordering::Relaxed);
    }

    /// Counts a closed window's expected slots, and how far the records are from them.
    pub fn add_account(&self, account: &Account) {
        self.shared.violations.fetch_add(account.violations, Ordering::Relaxed);
        let streams = self.shared.streams.read().expect("no holder panics");
        for stream in &account.streams {
            if let Some(cell) = streams.get(&stream.stream) {
                cell.add_expected(stream.expected);
            }
        }
    }

    /// The streams of which too many of the last hour's runs say nothing about the target, and the share of those.
    pub fn over_limit(&self) -> Vec<(Stream, f64)> {
        let order = Arc::clone(&self.shared.streams.read().expect("no holder panics").order);
        let share =
            |cell: &Arc<Cell>| cell.state().hour.over().map(|share| (cell.origin.stream.clone(), share));
        order.iter().filter_map(share).collect()
    }

    /// The exposition, piece by piece; each piece is made when it is asked for.
    pub fn chunks(&self, format: Format, around: &Around) -> Chunks {
        let streams = self.shared.streams.read().expect("no holder panics");
        let (order, joints) = (Arc::clone(&streams.order), Arc::clone(&streams.joints));
        drop(streams);
        Chunks::new(self.clone(), (order, joints), format, around)
    }

    /// The exposition in one piece.
    pub fn render(&self, format: Format, around: &Around) -> String {
        let text: Vec<u8> = self.chunks(format, around).flatten().collect();
        String::from_utf8(text).expect("made of strings")
    }

    /// What is exposed of no stream in particular, in OpenMetrics text without its end mark.
    pub fn without_streams(&self, around: &Around) -> String {
        let joints = Arc::clone(&self.shared.streams.read().expect("no holder panics").joints);
        render::without_streams(self, &joints, around)
    }

    /// What is exposed of one stream now; `None` if it is not.
    pub(crate) fn families_of(&self, stream: &Stream) -> Option<Vec<read::Family>> {
        let cell = self.shared.streams.read().expect("no holder panics").get(stream).map(Arc::clone)?;
        Some(read::families(&render::stream(&cell)))
    }

    /// An exporter that counts the events of a pump whose cursor is in memory.
    pub fn exporter(&self) -> Box<dyn Exporter> {
        Box::new(Fold(self.clone()))
    }

    fn room_for(&self, series: u64) -> bool {
        let max = self.shared.series_max;
        let took = self.shared.series.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            taken.checked_add(series).filter(|sum| *sum <= max)
        });
        if took.is_err() {
            self.shared.series_dropped.fetch_add(series, Ordering::Relaxed);
        }
        took.is_ok()
    }
}

struct Fold(Metrics);

impl Exporter for Fold {
    fn deliver<'a>(&'a mut self, batch: &'a [Arc<SliEvent>]) -> BoxFuture<'a, Delivery> {
        for event in batch {
            self.0.apply(event);
        }
        Box::pin(std::future::ready(Delivery::Done))
    }
}
