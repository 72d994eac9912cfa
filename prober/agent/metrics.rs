//! What the process says of itself, beside the fold of events.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dashboard::ReloadState;
use export::prometheus::{
    Around, Chunks, ClockNumbers, DoubtNumbers, Format, Metrics, OwnHealth, Process, StoreNumbers,
};
use model::outcome::Reason;
use model::time::Timestamp;
use schedule::distrust::clock::KernelClock;
use schedule::distrust::suspend::Suspension;
use schedule::distrust::{Doubts, Standing};
use schedule::runner::Gauges;
use store::Store;
use tokio::sync::watch;

use super::alerts::Board;
use super::fleet::shown::{self, Shown};
use super::machine::{kernel_clock, open_files, open_files_max};
use super::pumps::Sinks;
use super::slo::Standings;

/// Everything on the metrics page.
#[derive(Clone, Debug)]
pub(crate) struct MetricsPage {
    pub(crate) metrics: Metrics,
    pub(crate) store: Store,
    pub(crate) sinks: watch::Receiver<Sinks>,
    pub(crate) started: Timestamp,
    pub(crate) doubts: Arc<Doubts>,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) standings: watch::Receiver<Standings>,
    pub(crate) board: Board,
    pub(crate) fleet: watch::Receiver<Shown>,
    pub(crate) reload_state: watch::Receiver<ReloadState>,
}

impl MetricsPage {
    /// The exposition; reads `/proc`, so not on a thread that measures.
    pub(crate) fn chunks(&self, format: Format) -> Chunks {
        self.metrics.chunks(format, &self.around())
    }

    /// What is exposed of no stream, for exporters that push it; reads `/proc` as well.
    pub(crate) fn without_streams(&self) -> String {
        self.metrics.without_streams(&self.around())
    }

    fn around(&self) -> Around {
        let (held, settled) = self.doubts.held();
        Around {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sinks: self.sinks.borrow().to_vec(),
            store: Some(StoreNumbers::of(self.store.stats(), &self.store.health().borrow())),
            process: process(self.started),
            is_current: Some(matches!(*self.reload_state.borrow(), ReloadState::Loaded { .. })),
            alerts: self.board.numbers(),
            health: Some(OwnHealth {
                doubts: self.doubts.standing().into_iter().map(doubt).collect(),
                correlated: (held, settled.to_vec()),
                tests: self.doubts.suspensions().tests().map(|(one, count)| (one.as_str(), count)).to_vec(),
                suspensions: self.doubts.suspensions().all().iter().map(suspension).collect(),
                held: self.gauges.held.load(Ordering::Relaxed) as u64,
                clock: kernel_clock().map(clock),
            }),
            slos: Arc::clone(&self.standings.borrow()),
            fleet: self.fleet.borrow().as_ref().map(|view| shown::families(view)).unwrap_or_default(),
        }
    }
}

fn doubt(standing: Standing) -> DoubtNumbers {
    let Standing { signal, region, doubted, looks, failed, .. } = standing;
    DoubtNumbers { signal, region, doubted, looks, failed }
}

fn suspension(one: &Suspension) -> (Reason, bool, u64) {
    (one.cause.reason(), one.why.is_some(), one.times)
}

fn clock(clock: KernelClock) -> ClockNumbers {
    ClockNumbers {
        kept: clock.is_kept(),
        estimated_seconds: clock.estimated.as_secs_f64(),
        possible_seconds: clock.possible.as_secs_f64(),
    }
}

/// The process' own resources; `None` where there is no `/proc`.
pub(crate) fn process(started: Timestamp) -> Option<Process> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let resident_pages: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the command's name in parentheses, which may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Process {
        open_fds: open_files()?,
        max_fds: open_files_max(),
        resident_bytes: resident_pages * rustix::param::page_size() as u64,
        cpu_seconds: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
        start_seconds: started.as_seconds_f64(),
    })
}
