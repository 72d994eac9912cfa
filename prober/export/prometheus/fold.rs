//! What is counted of each stream: fixed arrays of about 300 bytes, and more once something goes wrong.

use std::sync::{Arc, Mutex};

use model::attribute::AttributeValue;
use model::event::{Origin, SliEvent};
use model::outcome::{FailureClass, Mark, Reason, Verdict};
use model::slot::Cadence;
use model::step::Phase;
use model::time::Timestamp;

use super::StreamInfo;
use super::blackbox;
use super::counts::{
    BORN_INELIGIBLE, BORN_MISSED, BORN_SERIES, DURATION_EDGES, EXTRA_FRESHNESS, EXTRA_INELIGIBLE, EXTRA_LAST,
    EXTRA_MISSED, EXTRA_NOT_AFTER, EXTRA_PHASE, EXTRA_SHARE, Exemplar, Extras, Histogram, INELIGIBLE, MISSED,
    SLOW_BUCKET, Seen, Troubles, bit,
};
use super::hour::Hour;
use super::text::escape;

/// The counts of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) runs: u64,
    pub(super) good: u64,
    pub(super) bad: u64,
    pub(super) expected: u64,
    pub(super) duration: Histogram<{ DURATION_EDGES.len() + 1 }>,
    pub(super) streak: u32,
    extras: Extras,
    /// What of the last hour's runs counts.
    pub(super) hour: Hour,
    pub(super) last: Seen,
    pub(super) freshness: Seen,
    pub(super) not_after: Seen,
    pub(super) phases: [Seen; Phase::ALL.len()],
    /// `None` while all of it is 0, as it is for most streams most of the time.
    troubles: Option<Box<Troubles>>,
    /// The last run under another exporter's names; `None` unless that is asked for.
    compat: Option<Box<Compat>>,
}

/// What the blackbox exporter would say of the last run.
#[derive(Clone, Debug, Default)]
pub(super) struct Compat {
    families: Vec<blackbox::Family>,
    /// For how many series there is room.
    room: u64,
}

impl Compat {
    /// Takes over a run; one that says nothing of the target leaves nothing behind, so that nothing old looks good.
    fn take(&mut self, event: &SliEvent, room: &mut impl FnMut(u64) -> bool) {
        self.families.clear();
        if !event.verdict().is_eligible() {
            return;
        }
        let families = blackbox::families(&event.outcome);
        let series = families.iter().map(|(_, series)| series.len() as u64).sum::<u64>();
        let more = series.saturating_sub(self.room);
        if more == 0 || room(more) {
            self.room = self.room.max(series);
            self.families = families;
        }
    }

    /// Labels and value of each series of a family.
    pub(super) fn series(&self, name: &str) -> &[(String, f64)] {
        let found = self.families.iter().find(|(known, _)| *known == name);
        found.map_or(&[], |(_, series)| series)
    }
}

/// One stream: what it is, and its counts.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) origin: Arc<Origin>,
    cadence: Cadence,
    /// The name of its objective.
    slo: Arc<str>,
    /// Shared with the cell of before a reload, so that no event falls between the two.
    state: Arc<Mutex<State>>,
}

impl Cell {
    pub(super) fn new(info: &StreamInfo) -> Self {
        Self::of(info, Arc::default())
    }

    /// The same counts for what `info` says now.
    pub(super) fn with(&self, info: &StreamInfo) -> Self {
        Self::of(info, Arc::clone(&self.state))
    }

    fn of(info: &StreamInfo, state: Arc<Mutex<State>>) -> Self {
        let (origin, slo) = (Arc::clone(&info.origin), Arc::clone(&info.slo));
        Self { origin, cadence: info.cadence.clone(), slo, state }
    }

    /// `scenario="…",region="…"`.
    ///
    /// Labels are written when they are asked for: kept, they would be the largest part of a stream.
    pub(super) fn labels(&self) -> String {
        let stream = &self.origin.stream;
        format!("scenario=\"{}\",region=\"{}\"", escape(&stream.scenario), escape(&stream.region))
    }

    /// `slo="…",service="…",region="…"`.
    pub(super) fn sli_labels(&self) -> String {
        let stream = &self.origin.stream;
        format!(
            "slo=\"{}\",service=\"{}\",region=\"{}\"",
            escape(&self.slo),
            escape(&self.origin.service),
            escape(&stream.region)
        )
    }

    /// `slo="…",region="…"`.
    pub(super) fn slo_labels(&self) -> String {
        let stream = &self.origin.stream;
        format!("slo=\"{}\",region=\"{}\"", escape(&self.slo), escape(&stream.region))
    }

    /// The labels of the info metric.
    pub(super) fn info(&self) -> String {
        let origin = &self.origin;
        let interval = match &self.cadence {
            Cadence::Every { interval_ms } if interval_ms % 1_000 == 0 => format!("{}s", interval_ms / 1_000),
            Cadence::Every { interval_ms } => format!("{interval_ms}ms"),
            Cadence::Cron { expression, timezone } => format!("{expression} {timezone}"),
        };
        format!(
            "scenario=\"{}\",version=\"{}\",kind=\"{}\",interval=\"{}\",owner=\"{}\",region=\"{}\"",
            escape(&origin.stream.scenario),
            escape(&origin.version),
            escape(&origin.kind),
            escape(&interval),
            escape(&origin.owner),
            escape(&origin.stream.region)
        )
    }

    /// How many series it has.
    pub(super) fn series(&self) -> u64 {
        let state = self.state();
        let compat = state.compat.as_ref().map_or(0, |compat| compat.room);
        BORN_SERIES + u64::from(state.extras.shown.count_ones()) + compat
    }

    /// Whether the last run is also told under another exporter's names.
    pub(super) fn set_compat(&self, wanted: bool) {
        let mut state = self.state();
        match (wanted, state.compat.is_some()) {
            (true, false) => state.compat = Some(Box::default()),
            (false, true) => state.compat = None,
            _ => {}
        }
    }

    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    pub(super) fn add_expected(&self, slots: u64) {
        self.state().expected += slots;
    }

    pub(super) fn apply(&self, event: &SliEvent, mut room: impl FnMut(u64) -> bool) {
        let mut state = self.state();
        if event.started.is_some() {
            state.runs += 1;
        }
        for mark in &event.outcome.marks {
            match mark {
                Mark::Flaky => state.troubles_mut().flaky += 1,
                Mark::TeardownFailed => state.troubles_mut().teardown_failures += 1,
                _ => {}
            }
        }
        let reason = event.outcome.reason;
        if let Some(share) = state.hour.add(reason, event.recorded) {
            let stream = &event.origin.stream;
            tracing::warn!(
                %stream,
                "{:.0} % of the last hour's runs say nothing about the target; the last one: {reason}",
                share * 100.0
            );
        }
        match reason.verdict() {
            Verdict::Good | Verdict::Bad => state.eligible(event, &mut room),
            Verdict::Ineligible => {
                state.extras.admit(EXTRA_SHARE, &mut room);
                let born = BORN_INELIGIBLE.contains(&reason);
                if let Some(index) = INELIGIBLE.iter().position(|known| *known == reason)
                    && (born || state.extras.admit(EXTRA_INELIGIBLE + bit(index), &mut room))
                {
                    state.troubles_mut().ineligible[index] += 1;
                }
            }
            Verdict::Missed => {
                if let Some(index) = MISSED.iter().position(|known| *known == reason)
                    && (BORN_MISSED.contains(&reason)
                        || state.extras.admit(EXTRA_MISSED + bit(index), &mut room))
                {
                    state.troubles_mut().missed[index] += 1;
                }
            }
        }
        state.observations(event, &mut room);
        if let Some(compat) = &mut state.compat {
            compat.take(event, &mut room);
        }
    }
}

impl State {
    /// What should not have happened, all 0 if nothing has.
    pub(super) fn troubles(&self) -> &Troubles {
        static NONE: Troubles = Troubles::NONE;
        self.troubles.as_deref().unwrap_or(&NONE)
    }

    fn troubles_mut(&mut self) -> &mut Troubles {
        self.troubles.get_or_insert_with(|| Box::new(Troubles::NONE))
    }

    fn eligible(&mut self, event: &SliEvent, room: &mut impl FnMut(u64) -> bool) {
        let outcome = &event.outcome;
        let trace = event.slot.id;
        let seconds = outcome.duration.as_secs_f64();
        let bucket = self.duration.add(&DURATION_EDGES, seconds);
        if bucket >= SLOW_BUCKET || outcome.reason == Reason::Slow {
            self.troubles_mut().slow = Some(Exemplar { place: bucket, trace, value: seconds });
        }
        if self.extras.admit(EXTRA_LAST, room) {
            let at = event.finished.unwrap_or(event.recorded).as_seconds_f64();
            self.last = Some(self.last.value().map_or(at, |last| last.max(at))).into();
        }
        if event.verdict() == Verdict::Good {
            self.good += 1;
            self.streak = 0;
        } else {
            self.bad += 1;
            self.streak = self.streak.saturating_add(1);
            let place = class_of(event) as usize;
            let troubles = self.troubles_mut();
            troubles.failures[place] += 1;
            troubles.failure = Some(Exemplar { place, trace, value: 1.0 });
        }
        let Some(main) = outcome.main_step() else { return };
        for (index, phase) in Phase::ALL.into_iter().enumerate() {
            let time = main.timing(phase);
            let shown = time.filter(|_| self.extras.admit(EXTRA_PHASE + bit(index), room));
            self.phases[index] = shown.map(|time| time.as_secs_f64()).into();
        }
    }

    /// Values that a run saw, whatever its verdict.
    fn observations(&mut self, event: &SliEvent, room: &mut impl FnMut(u64) -> bool) {
        if let Some(age) = event.outcome.freshness_age
            && age.is_finite()
            && self.extras.admit(EXTRA_FRESHNESS, room)
        {
            self.freshness = Some(age).into();
        }
        let not_after =
            event.outcome.main_step().and_then(|main| main.attributes.get("tls.server.not_after"));
        if let Some(AttributeValue::Text(text)) = not_after
            && let Ok(at) = text.parse::<Timestamp>()
            && self.extras.admit(EXTRA_NOT_AFTER, room)
        {
            self.not_after = Some(at.as_seconds_f64()).into();
        }
    }

    /// The last run under another exporter's names, if that is asked for.
    pub(super) fn compat(&self) -> Option<&Compat> {
        self.compat.as_deref()
    }

    /// Whether the counter of the reason at `index` of [`INELIGIBLE`] is exposed.
    pub(super) fn shows_ineligible(&self, index: usize) -> bool {
        index < BORN_INELIGIBLE.len() || self.extras.shown & (1 << (EXTRA_INELIGIBLE + bit(index))) != 0
    }

    /// Whether the share of ineligible runs is exposed: from the first one on.
    pub(super) fn shows_share(&self) -> bool {
        self.extras.shown & (1 << EXTRA_SHARE) != 0
    }

    /// Whether the counter of the reason at `index` of [`MISSED`] is exposed.
    pub(super) fn shows_missed(&self, index: usize) -> bool {
        index < BORN_MISSED.len() || self.extras.shown & (1 << (EXTRA_MISSED + bit(index))) != 0
    }
}

/// The class of a bad run.
fn class_of(event: &SliEvent) -> FailureClass {
    match (&event.outcome.failure, event.outcome.reason) {
        (Some(failure), _) => failure.class,
        (None, Reason::Slow) => FailureClass::Slow,
        (None, Reason::Stale | Reason::Stalled | Reason::Backwards | Reason::FutureDated) => {
            FailureClass::Stale
        }
        (None, _) => FailureClass::Incorrect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_takes_little() {
        assert!(size_of::<State>() <= 320, "{}", size_of::<State>());
    }
}
