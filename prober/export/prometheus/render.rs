//! The exposition, made in pieces so that half a million series never lie in memory at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Metrics;
use super::around::{self, Around, Head, one};
use super::blackbox;
use super::counts::LAG_EDGES;
use super::families::{FAMILIES, histogram};
use super::fold::{Cell, State};
use super::joint::Joint;
use super::text::{Format, Kind, Writer};

/// The pieces of one exposition, each about [`PIECE_BYTES`].
///
/// The streams are those of the moment it began; a reload meanwhile changes nothing in it.
pub struct Chunks {
    metrics: Metrics,
    order: Arc<[Arc<Cell>]>,
    joints: Arc<[Joint]>,
    slos: Arc<[slo::standing::Standing]>,
    format: Format,
    /// What is written first.
    around: Option<String>,
    family: usize,
    stream: usize,
    ended: bool,
}

/// When a piece is full.
const PIECE_BYTES: usize = 128 << 10;

impl Chunks {
    pub(super) fn new(
        metrics: Metrics,
        (order, joints): (Arc<[Arc<Cell>]>, Arc<[Joint]>),
        format: Format,
        around: &Around,
    ) -> Self {
        let mut out = Writer { text: String::with_capacity(8 << 10), format };
        around::families(&mut out, around);
        let slos = Arc::clone(&around.slos);
        let around = Some(out.text);
        Self { metrics, order, joints, slos, format, around, family: 0, stream: 0, ended: false }
    }
}

impl Chunks {
    /// The family that is written now: ours first, then those of another exporter if they are asked for.
    fn family(&self) -> Option<Head> {
        if let Some(family) = FAMILIES.get(self.family) {
            return Some((family.name, family.kind, family.help));
        }
        let others = if self.metrics.is_blackbox() { blackbox::FAMILIES } else { &[] };
        let (name, help) = others.get(self.family - FAMILIES.len())?;
        Some((name, Kind::Gauge, help))
    }
}

/// Writes the series that one stream has under another exporter's name.
fn compat(out: &mut Writer, name: &'static str, cell: &Cell, state: &State) {
    for (labels, value) in state.compat().map_or(&[][..], |compat| compat.series(name)) {
        let comma = if labels.is_empty() { "" } else { "," };
        out.name(name, &format!("{}{comma}{labels}", cell.labels()), &[]);
        out.number(*value);
    }
}

impl Iterator for Chunks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        let mut text = self.around.take().unwrap_or_default();
        text.reserve(PIECE_BYTES + (8 << 10));
        let mut out = Writer { text, format: self.format };
        while let Some((name, kind, help)) = self.family() {
            if self.stream == 0 {
                out.header(name, kind, help);
            }
            for cell in &self.order[self.stream..] {
                if out.text.len() >= PIECE_BYTES {
                    return Some(out.text.into_bytes());
                }
                match FAMILIES.get(self.family) {
                    Some(family) => (family.write)(&mut out, name, cell, &cell.state()),
                    None => compat(&mut out, name, cell, &cell.state()),
                }
                self.stream += 1;
            }
            for joint in self.joints.iter() {
                joint.write(&mut out, name, &self.slos);
            }
            (self.family, self.stream) = (self.family + 1, 0);
        }
        self.ended = true;
        shared(&mut out, &self.metrics);
        if self.format == Format::OpenMetrics {
            out.text.push_str("# EOF\n");
        }
        Some(out.text.into_bytes())
    }
}

/// All families that are no stream's.
pub(super) fn without_streams(metrics: &Metrics, joints: &[Joint], around: &Around) -> String {
    let mut out = Writer { text: String::with_capacity(8 << 10), format: Format::OpenMetrics };
    around::families(&mut out, around);
    // Promises over several streams have series in the streams' families.
    for family in FAMILIES.iter().filter(|_| !joints.is_empty()) {
        out.header(family.name, family.kind, family.help);
        for joint in joints {
            joint.write(&mut out, family.name, &around.slos);
        }
    }
    shared(&mut out, metrics);
    out.text
}

/// All families of one stream.
pub(super) fn stream(cell: &Cell) -> String {
    let mut out = Writer { text: String::with_capacity(8 << 10), format: Format::OpenMetrics };
    for family in FAMILIES {
        out.header(family.name, family.kind, family.help);
        (family.write)(&mut out, family.name, cell, &cell.state());
    }
    out.text
}

/// Families of all streams together.
fn shared(out: &mut Writer, metrics: &Metrics) {
    let shared = &metrics.shared;
    let name = "prober_run_schedule_lag_seconds";
    out.header(name, Kind::Histogram, "How late runs started after their slot.");
    let lag = shared.lag.lock().expect("no holder panics").clone();
    histogram(out, name, "", (&LAG_EDGES, &lag.buckets, lag.sum), |out, _, count| out.count(count));
    let violations = shared.violations.load(Ordering::Relaxed);
    let help = "Slots of closed windows without exactly one record; must stay 0.";
    one(out, ("prober_account_violations_total", Kind::Counter, help), violations);
    let dropped = shared.series_dropped.load(Ordering::Relaxed);
    one(
        out,
        ("prober_series_dropped_total", Kind::Counter, "Series left out for the cap on series."),
        dropped,
    );
}
