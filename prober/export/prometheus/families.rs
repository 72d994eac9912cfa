//! The families of metrics that each stream has, as a table: name, type, help, and how to write one stream.

use model::outcome::FailureClass;
use model::step::Phase;

use super::counts::{DURATION_EDGES, INELIGIBLE, MISSED, Seen};
use super::fold::{Cell, State};
use super::text::{Kind, Writer, escape};

/// One family with a series or more a stream.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) write: fn(&mut Writer, &'static str, &Cell, &State),
}

/// The families in the order of exposition.
pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "prober_scenario_info",
        kind: Kind::Gauge,
        help: "What each scenario is; always 1.",
        write: |out, name, cell, _| {
            out.name(name, &cell.info(), &[]);
            out.count(1);
        },
    },
    Family {
        name: "prober_sli_events_total",
        kind: Kind::Counter,
        help: "Eligible events: good and bad together.",
        write: |out, name, cell, state| sli(out, name, cell, state.good + state.bad),
    },
    Family {
        name: "prober_sli_good_events_total",
        kind: Kind::Counter,
        help: "Good events.",
        write: |out, name, cell, state| sli(out, name, cell, state.good),
    },
    Family {
        name: "prober_sli_bad_events_total",
        kind: Kind::Counter,
        help: "Bad events.",
        write: |out, name, cell, state| sli(out, name, cell, state.bad),
    },
    Family {
        name: "prober_sli_expected_events_total",
        kind: Kind::Counter,
        help: "Slots of closed windows that should have yielded an event, planned absences left out.",
        write: |out, name, cell, state| sli(out, name, cell, state.expected),
    },
    Family {
        name: "prober_sli_consecutive_bad_events",
        kind: Kind::Gauge,
        help: "Bad events since the last good one.",
        write: |out, name, cell, state| {
            out.name(name, &cell.slo_labels(), &[]);
            out.count(u64::from(state.streak));
        },
    },
    Family {
        name: "prober_sli_last_event_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the last eligible run finished.",
        write: |out, name, cell, state| gauge(out, name, || cell.slo_labels(), state.last),
    },
    Family {
        name: "prober_runs_total",
        kind: Kind::Counter,
        help: "Finished runs, whatever their verdict.",
        write: |out, name, cell, state| {
            out.name(name, &cell.labels(), &[("kind", &escape(&cell.origin.kind))]);
            out.count(state.runs);
        },
    },
    Family {
        name: "prober_run_failures_total",
        kind: Kind::Counter,
        help: "Bad runs by the class of their failure.",
        write: failures,
    },
    Family {
        name: "prober_run_ineligible_total",
        kind: Kind::Counter,
        help: "Runs that say nothing about the target, by reason.",
        write: |out, name, cell, state| {
            let (labels, counts) = (cell.labels(), &state.troubles().ineligible);
            for (index, reason) in
                INELIGIBLE.iter().enumerate().filter(|(index, _)| state.shows_ineligible(*index))
            {
                out.name(name, &labels, &[("reason", reason.as_str())]);
                out.count(counts[index]);
            }
        },
    },
    Family {
        name: "prober_run_ineligible_ratio",
        kind: Kind::Gauge,
        help: "Share of the last hour's runs that say nothing about the target, planned absences left out.",
        write: |out, name, cell, state| {
            if state.shows_share() {
                out.name(name, &cell.labels(), &[]);
                out.number(state.hour.share());
            }
        },
    },
    Family {
        name: "prober_run_missed_slots_total",
        kind: Kind::Counter,
        help: "Slots in which no run took place, by reason.",
        write: |out, name, cell, state| {
            let (labels, counts) = (cell.labels(), &state.troubles().missed);
            for (index, reason) in MISSED.iter().enumerate().filter(|(index, _)| state.shows_missed(*index)) {
                out.name(name, &labels, &[("reason", reason.as_str())]);
                out.count(counts[index]);
            }
        },
    },
    Family {
        name: "prober_run_flaky_total",
        kind: Kind::Counter,
        help: "Runs that a declared retry saved.",
        write: |out, name, cell, state| {
            out.name(name, &cell.labels(), &[]);
            out.count(state.troubles().flaky);
        },
    },
    Family {
        name: "prober_run_teardown_failures_total",
        kind: Kind::Counter,
        help: "Runs whose teardown failed and may have left something behind; no matter for the SLI.",
        write: |out, name, cell, state| {
            out.name(name, &cell.labels(), &[]);
            out.count(state.troubles().teardown_failures);
        },
    },
    Family {
        name: "prober_run_duration_seconds",
        kind: Kind::Histogram,
        help: "How long eligible runs took.",
        write: durations,
    },
    Family {
        name: "prober_run_phase_seconds",
        kind: Kind::Gauge,
        help: "Time of each phase in the last eligible run.",
        write: |out, name, cell, state| {
            let labels = cell.labels();
            for (phase, time) in Phase::ALL.iter().zip(state.phases) {
                if let Some(time) = time.value() {
                    out.name(name, &labels, &[("phase", phase.as_str())]);
                    out.number(time);
                }
            }
        },
    },
    Family {
        name: "prober_freshness_age_seconds",
        kind: Kind::Gauge,
        help: "Age of the value that a freshness assertion last saw.",
        write: |out, name, cell, state| gauge(out, name, || cell.labels(), state.freshness),
    },
    Family {
        name: "prober_tls_certificate_not_after_timestamp_seconds",
        kind: Kind::Gauge,
        help: "When the certificate that was last seen expires.",
        write: |out, name, cell, state| gauge(out, name, || cell.labels(), state.not_after),
    },
];

fn sli(out: &mut Writer, name: &str, cell: &Cell, value: u64) {
    out.name(name, &cell.sli_labels(), &[]);
    out.count(value);
}

fn gauge(out: &mut Writer, name: &str, labels: impl FnOnce() -> String, seen: Seen) {
    if let Some(value) = seen.value() {
        out.name(name, &labels(), &[]);
        out.number(value);
    }
}

fn failures(out: &mut Writer, name: &'static str, cell: &Cell, state: &State) {
    let (labels, troubles) = (cell.labels(), state.troubles());
    for (index, class) in FailureClass::ALL.iter().enumerate() {
        out.name(name, &labels, &[("class", class.as_str())]);
        let exemplar = troubles.failure.as_ref().filter(|exemplar| exemplar.place == index);
        out.count_with(troubles.failures[index], exemplar);
    }
}

fn durations(out: &mut Writer, name: &'static str, cell: &Cell, state: &State) {
    histogram(
        out,
        name,
        &cell.labels(),
        (&DURATION_EDGES, &state.duration.buckets, state.duration.sum),
        |out, bucket, count| {
            out.count_with(count, state.troubles().slow.as_ref().filter(|exemplar| exemplar.place == bucket));
        },
    );
}

/// Cumulative buckets, sum and count.
pub(super) fn histogram(
    out: &mut Writer,
    name: &'static str,
    labels: &str,
    (edges, buckets, sum): (&[f64], &[u64], f64),
    mut value: impl FnMut(&mut Writer, usize, u64),
) {
    let mut below = 0;
    let bucket_name = format!("{name}_bucket");
    for (index, count) in buckets.iter().enumerate() {
        below += count;
        let edge = edges.get(index).map_or_else(|| "+Inf".to_owned(), |edge| out.edge(*edge));
        out.name(&bucket_name, labels, &[("le", &edge)]);
        value(out, index, below);
    }
    out.name(&format!("{name}_sum"), labels, &[]);
    out.number(sum);
    out.name(&format!("{name}_count"), labels, &[]);
    out.count(below);
}
