//! What is exposed beside the events: the numbers of this process, and the families that they are.
//!
//! Whoever asks for a page gathers them; nothing here reads anything by itself.

use std::sync::Arc;

use model::outcome::Reason;
use store::{DropCause, Health, Stats};

use super::alerts::{self, AlertNumbers};
use super::slos;
use super::text::{Kind, Writer, escape};
use crate::pump::SinkStats;

/// What is exposed beside the events: numbers of this process at this moment.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The prober's version.
    pub version: String,
    /// Counters of each sink by its name.
    pub sinks: Vec<(String, Arc<SinkStats>)>,
    /// The store's numbers.
    pub store: Option<StoreNumbers>,
    /// The process' numbers.
    pub process: Option<Process>,
    /// Whether the files or the set that were read last are those that run; `None` if none are read.
    pub is_current: Option<bool>,
    /// What the prober knows of its own health.
    pub health: Option<OwnHealth>,
    /// How every promise stands.
    pub slos: Arc<[slo::standing::Standing]>,
    /// Each route that alerts go to.
    pub alerts: Vec<AlertNumbers>,
    /// What is known of the fleet; empty for a prober that is in none.
    pub fleet: Vec<FleetFamily>,
}

/// One number of a fleet, of each member or region that has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetFamily {
    /// The metric's name; that of a counter ends in `_total`.
    pub name: &'static str,
    /// What it counts, as a sentence.
    pub help: &'static str,
    /// Labels and value of each series.
    pub series: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// What the prober knows of its own health.
#[derive(Clone, Debug, Default)]
pub struct OwnHealth {
    /// Each signal that is looked at.
    pub doubts: Vec<DoubtNumbers>,
    /// Each reason for which no slot is run at all, whether it holds now, and how often it has begun to.
    pub suspensions: Vec<(Reason, bool, u64)>,
    /// Slots that are held as correlated, and how many others became what.
    pub correlated: (u64, Vec<(&'static str, u64)>),
    /// How many of the prober's own tests ended how.
    pub tests: Vec<(&'static str, u64)>,
    /// Runs that wait until it is known whether the prober was at fault.
    pub held: u64,
    /// What the kernel says of its clock; `None` if it does not tell.
    pub clock: Option<ClockNumbers>,
}

/// What the kernel says of its clock.
#[derive(Copy, Clone, Debug)]
pub struct ClockNumbers {
    /// Whether something keeps it.
    pub kept: bool,
    /// How wrong it is, as its keeper estimates, in seconds.
    pub estimated_seconds: f64,
    /// How wrong it can be at most, in seconds.
    pub possible_seconds: f64,
}

/// One signal of the prober's own health.
#[derive(Clone, Debug)]
pub struct DoubtNumbers {
    /// `network`, `resolver`, `processor`, `clock`, `files` or `memory`.
    pub signal: &'static str,
    /// The region; empty if it is about the whole machine.
    pub region: Arc<str>,
    /// Whether it is doubted now.
    pub doubted: bool,
    /// How often it was looked at.
    pub looks: u64,
    /// How often that did not go well.
    pub failed: u64,
}

/// Numbers of the store.
#[derive(Clone, Debug, Default)]
pub struct StoreNumbers {
    events: u64,
    duplicates: u64,
    lost: u64,
    given_up: u64,
    dropped: [u64; 3],
    bytes: u64,
    queue: u64,
    commit: f64,
    groups: u64,
    failed_commits: u64,
    healthy: bool,
}

impl StoreNumbers {
    /// The numbers at this moment.
    pub fn of(stats: &Stats, health: &Health) -> Self {
        Self {
            events: stats.events(),
            duplicates: stats.duplicates(),
            lost: stats.lost(),
            given_up: stats.given_up(),
            dropped: DropCause::ALL.map(|cause| stats.dropped(cause)),
            bytes: stats.bytes(),
            queue: stats.queue(),
            commit: stats.last_commit().as_secs_f64(),
            groups: stats.groups(),
            failed_commits: stats.failed_commits(),
            healthy: *health == Health::Ok,
        }
    }
}

/// Numbers of the process, as Prometheus' client libraries name them; the caller reads them.
#[derive(Copy, Clone, Debug, Default)]
pub struct Process {
    /// Open file descriptors.
    pub open_fds: u64,
    /// The bound on them.
    pub max_fds: u64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// User and system time.
    pub cpu_seconds: f64,
    /// When the process started, in seconds since the epoch.
    pub start_seconds: f64,
}

/// Families of this process.
pub(super) fn families(out: &mut Writer, around: &Around) {
    out.header("prober_build_info", Kind::Gauge, "The prober's version; always 1.");
    out.name("prober_build_info", "", &[("version", &escape(&around.version))]);
    out.count(1);
    if let Some(is_current) = around.is_current {
        let help =
            "Whether the scenarios that were read last are those that run: 1, or 0 after a mistake in them.";
        one(out, ("prober_config_last_reload_successful", Kind::Gauge, help), u64::from(is_current));
    }
    sinks(out, &around.sinks);
    slos::families(out, &around.slos);
    alerts::families(out, &around.alerts);
    if let Some(store) = &around.store {
        store_families(out, store);
    }
    if let Some(process) = &around.process {
        process_families(out, process);
    }
    if let Some(health) = &around.health {
        health_families(out, health);
    }
    for family in &around.fleet {
        let kind = if family.name.ends_with("_total") { Kind::Counter } else { Kind::Gauge };
        out.header(family.name, kind, family.help);
        for (labels, value) in &family.series {
            let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, escape(value))).collect();
            let labels: Vec<_> = labels.iter().map(|(name, value)| (*name, value.as_ref())).collect();
            out.name(family.name, "", &labels);
            out.number(*value);
        }
    }
}

pub(super) type Head = (&'static str, Kind, &'static str);

pub(super) fn one(out: &mut Writer, (name, kind, help): Head, value: u64) {
    out.header(name, kind, help);
    out.name(name, "", &[]);
    out.count(value);
}

fn float(out: &mut Writer, (name, kind, help): Head, value: f64) {
    out.header(name, kind, help);
    out.name(name, "", &[]);
    out.number(value);
}

/// Takes one number from a sink's counters.
type SinkValue = fn(&SinkStats) -> Option<f64>;

fn sinks(out: &mut Writer, sinks: &[(String, Arc<SinkStats>)]) {
    let families: [(Head, SinkValue); 6] = [
        (("prober_export_sent_events_total", Kind::Counter, "Events delivered."), |sink| {
            Some(sink.sent() as f64)
        }),
        (
            (
                "prober_export_failed_events_total",
                Kind::Counter,
                "Events in deliveries that failed and were tried again.",
            ),
            |sink| Some(sink.failed() as f64),
        ),
        (
            ("prober_export_dropped_events_total", Kind::Counter, "Events that will never be delivered."),
            |sink| Some(sink.dropped() as f64),
        ),
        (
            (
                "prober_export_refused_items_total",
                Kind::Counter,
                "Samples, points, records or spans that a destination refused while it took the rest.",
            ),
            |sink| Some(sink.refused() as f64),
        ),
        (("prober_export_queue_length", Kind::Gauge, "Durable events that are not delivered yet."), |sink| {
            Some(sink.queue_length() as f64)
        }),
        (
            (
                "prober_export_last_success_timestamp_seconds",
                Kind::Gauge,
                "When the last delivery succeeded.",
            ),
            |sink| sink.last_success().map(model::time::Timestamp::as_seconds_f64),
        ),
    ];
    for ((name, kind, help), value) in families {
        out.header(name, kind, help);
        for (sink, stats) in sinks {
            if let Some(value) = value(stats) {
                out.name(name, "", &[("sink", &escape(sink))]);
                out.number(value);
            }
        }
    }
}

fn store_families(out: &mut Writer, store: &StoreNumbers) {
    one(out, ("prober_store_events_total", Kind::Counter, "Events made durable."), store.events);
    let help = "Events whose slot was stored before.";
    one(out, ("prober_store_duplicate_events_total", Kind::Counter, help), store.duplicates);
    let help = "Events that a reader wanted and that were dropped before.";
    one(out, ("prober_store_lost_events_total", Kind::Counter, help), store.lost);
    let help =
        "Slots whose events went for want of room before the fleet's hub had them; they are missed, spool.";
    one(out, ("prober_store_given_up_slots_total", Kind::Counter, help), store.given_up);
    let name = "prober_store_dropped_events_total";
    out.header(name, Kind::Counter, "Events removed with their part file, read or not, by cause.");
    for (cause, count) in DropCause::ALL.iter().zip(store.dropped) {
        out.name(name, "", &[("cause", cause.as_str())]);
        out.count(count);
    }
    one(out, ("prober_store_groups_total", Kind::Counter, "Groups of events committed."), store.groups);
    let help = "Commits that failed and were tried again.";
    one(out, ("prober_store_failed_commits_total", Kind::Counter, help), store.failed_commits);
    one(out, ("prober_store_bytes", Kind::Gauge, "Bytes of the event files."), store.bytes);
    one(out, ("prober_store_queue_length", Kind::Gauge, "Records waiting for the writer."), store.queue);
    let help = "How long the last commit took.";
    float(out, ("prober_store_commit_duration_seconds", Kind::Gauge, help), store.commit);
    let help = "Whether the store can write: 1 or 0.";
    one(out, ("prober_store_healthy", Kind::Gauge, help), u64::from(store.healthy));
}

/// Takes one number from a signal's.
type DoubtValue = fn(&DoubtNumbers) -> u64;

fn health_families(out: &mut Writer, health: &OwnHealth) {
    let families: [(Head, DoubtValue); 3] = [
        (
            (
                "prober_distrust_active",
                Kind::Gauge,
                "Whether the prober doubts itself: what is bad for that reason is not counted; 1 or 0.",
            ),
            |doubt| u64::from(doubt.doubted),
        ),
        (("prober_distrust_looks_total", Kind::Counter, "Looks at the prober's own health."), |doubt| {
            doubt.looks
        }),
        (
            ("prober_distrust_failed_looks_total", Kind::Counter, "Looks that found something wrong."),
            |doubt| doubt.failed,
        ),
    ];
    for ((name, kind, help), value) in families {
        out.header(name, kind, help);
        for doubt in &health.doubts {
            out.name(name, "", &[("signal", doubt.signal), ("region", &escape(&doubt.region))]);
            out.count(value(doubt));
        }
    }
    let help = "Whether no slot is run for this reason; those that come due are missed for it: 1 or 0.";
    out.header("prober_suspended", Kind::Gauge, help);
    for (reason, holds, _) in &health.suspensions {
        out.name("prober_suspended", "", &[("reason", reason.as_str())]);
        out.count(u64::from(*holds));
    }
    let help = "How often the prober has stopped to run slots for this reason.";
    out.header("prober_suspensions_total", Kind::Counter, help);
    for (reason, _, times) in &health.suspensions {
        out.name("prober_suspensions_total", "", &[("reason", reason.as_str())]);
        out.count(*times);
    }
    let help = "Slots that are held as correlated until other regions have told.";
    one(out, ("prober_correlated_slots_held", Kind::Gauge, help), health.correlated.0);
    let help = "Slots that were held as correlated, by what became of them.";
    out.header("prober_correlated_slots_settled_total", Kind::Counter, help);
    for (verdict, count) in &health.correlated.1 {
        out.name("prober_correlated_slots_settled_total", "", &[("verdict", *verdict)]);
        out.count(*count);
    }
    let help = "The prober's own tests against targets of its own, by how they ended.";
    out.header("prober_self_tests_total", Kind::Counter, help);
    for (result, count) in &health.tests {
        out.name("prober_self_tests_total", "", &[("result", *result)]);
        out.count(*count);
    }
    let help = "Runs that wait until it is known whether the prober was at fault.";
    one(out, ("prober_runs_held", Kind::Gauge, help), health.held);
    let Some(clock) = health.clock else { return };
    let help = "Whether the kernel says that something keeps its clock: 1 or 0.";
    one(out, ("prober_clock_kept", Kind::Gauge, help), u64::from(clock.kept));
    let help = "How wrong the keeper of the kernel's clock estimates that it is.";
    float(out, ("prober_clock_estimated_error_seconds", Kind::Gauge, help), clock.estimated_seconds);
    let help = "How wrong the kernel's clock can be at most; 16 if nothing keeps it.";
    float(out, ("prober_clock_maximum_error_seconds", Kind::Gauge, help), clock.possible_seconds);
}

fn process_families(out: &mut Writer, process: &Process) {
    one(out, ("process_open_fds", Kind::Gauge, "Open file descriptors."), process.open_fds);
    one(out, ("process_max_fds", Kind::Gauge, "The bound on open file descriptors."), process.max_fds);
    one(out, ("process_resident_memory_bytes", Kind::Gauge, "Resident memory."), process.resident_bytes);
    float(out, ("process_cpu_seconds_total", Kind::Counter, "User and system time."), process.cpu_seconds);
    let help = "When the process started.";
    float(out, ("process_start_time_seconds", Kind::Gauge, help), process.start_seconds);
}
