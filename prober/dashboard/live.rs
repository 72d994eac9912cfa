//! The last hour in memory: what pages show of every stream without reading it from disk each time.
//!
//! Nobody keeps it up to date while nobody looks: a page that needs it takes in what was stored since the last look.
//! Bounded: some newest events and sixty cells a stream, and the losses of some minutes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::outcome::Reason;
use model::slot::{SlotId, Stream};
use model::time::Timestamp;
use store::{Cursor, EventSummary, ReadError, Reader, Store};

use crate::sources::{Catalogue, ScenarioCard};
use crate::state::{Cell, Losses};
use crate::view;

/// Minutes that are kept of each stream.
pub(crate) const MINUTES: usize = 60;
/// Newest events that are kept of each stream.
pub(crate) const KEPT: usize = 8;
/// A stream with fewer events in the last hour is looked up further back.
const ENOUGH: usize = 4;
/// The span that the prober's own losses are counted in.
pub(crate) const LOSS_SPAN: Duration = Duration::from_mins(10);
/// Events that are taken in one by one; after more of them the last hour is read anew.
const BEHIND_MAX: u64 = 20_000;
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: usize = 4 << 20;
const HOUR: Duration = Duration::from_hours(1);

/// The last hour, made when somebody looks for the first time.
#[derive(Debug, Default)]
pub(crate) struct Live(Mutex<Option<Hour>>);

/// What is known of all streams.
#[derive(Debug)]
pub(crate) struct Hour {
    cursor: Cursor,
    tracks: HashMap<Stream, Track>,
    /// Events that were read with the hour and will come again with the cursor.
    again: HashSet<SlotId>,
    losses: BTreeMap<i64, Lost>,
}

/// What is known of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    /// The newest scheduled events, the newest first.
    pub(crate) newest: Vec<EventSummary>,
    minutes: Minutes,
    /// Whether it was looked up further back already.
    is_complete: bool,
}

/// The worst of each minute.
#[derive(Clone, Debug)]
struct Minutes {
    newest: i64,
    cells: [Cell; MINUTES],
}

/// What became of the slots of one minute.
#[derive(Clone, Debug, Default)]
struct Lost {
    slots: u64,
    reasons: BTreeMap<Reason, u64>,
    scenarios: BTreeSet<Arc<str>>,
}

impl Live {
    /// Takes in what is new and lets `look` see it.
    ///
    /// # Errors
    /// The store could not be read.
    pub(crate) fn look<T>(
        &self,
        store: &Store,
        (catalogue, now): (&Catalogue, Timestamp),
        look: impl FnOnce(&Hour) -> T,
    ) -> Result<T, ReadError> {
        let mut known = self.0.lock().expect("no holder panics");
        let mut hour = match known.take() {
            Some(hour) if hour.cursor.behind() <= BEHIND_MAX => hour,
            _ => Hour::read(store, now)?,
        };
        hour.follow(now)?;
        hour.complete(&mut store.reader(), &catalogue.cards)?;
        let seen = look(&hour);
        *known = Some(hour);
        Ok(seen)
    }
}

impl Hour {
    /// Reads the last hour; later events come by the cursor.
    fn read(store: &Store, now: Timestamp) -> Result<Self, ReadError> {
        let cursor = store.cursor_at_end();
        let from = cursor.position();
        let mut hour =
            Self { cursor, tracks: HashMap::new(), again: HashSet::new(), losses: BTreeMap::new() };
        let until = now.plus(HOUR);
        store.reader().scan(now.minus(HOUR), until, |stream, summary| {
            if summary.seq >= from {
                hour.again.insert(summary.slot.id);
            }
            hour.take(stream, summary, now);
        })?;
        Ok(hour)
    }

    fn follow(&mut self, now: Timestamp) -> Result<(), ReadError> {
        loop {
            let batch = self.cursor.next_batch(BATCH_EVENTS, BATCH_BYTES)?;
            if batch.events.is_empty() && batch.lost + batch.unreadable == 0 {
                break;
            }
            for event in batch.events.iter().filter(|event| event.trigger.is_scheduled()) {
                if self.again.remove(&event.slot.id) {
                    continue;
                }
                let summary = EventSummary {
                    seq: 0,
                    slot: event.slot,
                    reason: event.outcome.reason,
                    manual: false,
                    duration: event.outcome.duration,
                };
                self.take(&event.origin.stream, summary, now);
            }
            self.cursor.advance(&batch)?;
        }
        let oldest = minute(now.minus(LOSS_SPAN));
        self.losses.retain(|minute, _| *minute >= oldest);
        Ok(())
    }

    /// Looks further back for streams that have hardly any event in the last hour; lets go of those that are gone.
    fn complete(&mut self, reader: &mut Reader, cards: &[ScenarioCard]) -> Result<(), ReadError> {
        let is_short = |track: &&Track| track.newest.len() < ENOUGH && !track.is_complete;
        let wanted: Vec<_> =
            cards.iter().filter(|card| self.tracks.get(&card.stream).as_ref().is_none_or(is_short)).collect();
        for (card, newest) in wanted.iter().zip(view::newest(reader, &wanted, KEPT)?) {
            let track = self.tracks.entry(card.stream.clone()).or_default();
            track.is_complete = true;
            for summary in newest {
                track.add(summary);
            }
        }
        if self.tracks.len() > cards.len() * 2 + 100 {
            let known: HashSet<&Stream> = cards.iter().map(|card| &card.stream).collect();
            self.tracks.retain(|stream, _| known.contains(stream));
        }
        Ok(())
    }

    fn take(&mut self, stream: &Stream, summary: EventSummary, now: Timestamp) {
        if let Some(track) = self.tracks.get_mut(stream) {
            track.add(summary);
        } else {
            let mut track = Track::default();
            track.add(summary);
            self.tracks.insert(stream.clone(), track);
        }
        if summary.slot.scheduled >= now.minus(LOSS_SPAN) {
            let lost = self.losses.entry(minute(summary.slot.scheduled)).or_default();
            lost.slots += 1;
            if Losses::is_one(summary.reason) {
                *lost.reasons.entry(summary.reason).or_default() += 1;
                lost.scenarios.insert(Arc::clone(&stream.scenario));
            }
        }
    }

    /// What is known of a card's stream; nothing if it never had an event.
    pub(crate) fn track(&self, card: &ScenarioCard) -> Option<&Track> {
        self.tracks.get(&card.stream)
    }

    /// What became of the slots of the last minutes through the prober's own doing.
    pub(crate) fn losses(&self) -> Losses {
        let mut losses = Losses::default();
        for lost in self.losses.values() {
            losses.slots += lost.slots;
            losses.scenarios.extend(lost.scenarios.iter().cloned());
            for (reason, count) in &lost.reasons {
                losses.add(*reason, *count);
            }
        }
        losses.sort();
        losses
    }
}

impl Track {
    /// Takes in an event; a second delivery of a slot changes nothing.
    fn add(&mut self, summary: EventSummary) {
        let at = self.newest.partition_point(|known| known.slot.scheduled > summary.slot.scheduled);
        if self.newest.get(at).is_some_and(|known| known.slot.id == summary.slot.id) {
            return;
        }
        if at < KEPT {
            self.newest.insert(at, summary);
            self.newest.truncate(KEPT);
        }
        self.minutes.add(minute(summary.slot.scheduled), Cell::of(summary.reason));
    }

    /// Adds the worst of each of the last minutes to `cells`, the oldest first.
    pub(crate) fn worst(&self, cells: &mut [Cell; MINUTES], now: Timestamp) {
        let newest = minute(now);
        for (place, cell) in cells.iter_mut().rev().enumerate() {
            let back = i64::try_from(place).unwrap_or(i64::MAX);
            *cell = (*cell).max(self.minutes.at(newest - back));
        }
    }
}

impl Default for Minutes {
    fn default() -> Self {
        Self { newest: i64::MIN / 2, cells: [Cell::None; MINUTES] }
    }
}

impl Minutes {
    fn add(&mut self, minute: i64, cell: Cell) {
        let kept = i64::try_from(MINUTES).unwrap_or(i64::MAX);
        if minute <= self.newest - kept {
            return;
        }
        while self.newest < minute {
            // A long gap empties everything once.
            self.newest = (self.newest + 1).max(minute - kept + 1);
            self.cells[place(self.newest)] = Cell::None;
        }
        let known = &mut self.cells[place(minute)];
        *known = (*known).max(cell);
    }

    fn at(&self, minute: i64) -> Cell {
        let kept = i64::try_from(MINUTES).unwrap_or(i64::MAX);
        if minute > self.newest || minute <= self.newest - kept {
            Cell::None
        } else {
            self.cells[place(minute)]
        }
    }
}

fn place(minute: i64) -> usize {
    usize::try_from(minute.rem_euclid(60)).unwrap_or(0)
}

fn minute(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(60_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{T0, summary};

    fn shown(track: &Track, now: i64) -> String {
        let mut cells = [Cell::None; MINUTES];
        track.worst(&mut cells, Timestamp::from_seconds(now));
        cells.iter().map(|cell| cell.letter()).collect()
    }

    #[test]
    fn the_worst_of_a_minute_is_shown_and_a_gap_is_a_gap() {
        let mut track = Track::default();
        for (second, reason) in [
            (0, Reason::Ok),
            (30, Reason::Failed),
            (60, Reason::Ok),
            (180, Reason::Late),
            (240, Reason::Slow),
        ] {
            track.add(summary(T0 + second, reason));
        }
        assert!(shown(&track, T0 + 241).ends_with(" bg mw"), "{}", shown(&track, T0 + 241));
        assert_eq!(track.newest.len(), 5);
        // An hour later nothing of it is left; what comes late has its place.
        track.add(summary(T0 + 3_900, Reason::Ok));
        track.add(summary(T0 + 3_780, Reason::Failed));
        assert_eq!(shown(&track, T0 + 3_900).trim(), "b g");
        track.add(summary(T0 + 60, Reason::Failed));
        assert_eq!(shown(&track, T0 + 3_900).trim(), "b g");
    }

    #[test]
    fn a_second_delivery_counts_once_and_few_are_kept() {
        let mut track = Track::default();
        for slot in 0..20 {
            track.add(summary(T0 + 30 * slot, Reason::Ok));
            track.add(summary(T0 + 30 * slot, Reason::Ok));
        }
        assert_eq!(track.newest.len(), KEPT);
        assert!(track.newest.is_sorted_by(|one, other| one.slot.scheduled > other.slot.scheduled));
    }
}
