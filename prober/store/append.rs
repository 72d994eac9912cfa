//! From records to rows: sequence numbers, links to the stream's history, and what is a duplicate.

use std::ops::Range;
use std::sync::Arc;

use model::event::SliEvent;
use model::missed::{COUNT_MAX, MissedSlots};
use model::slot::Stream;
use model::time::Timestamp;

use crate::epochs::origin_text;
use crate::error::ReadError;
use crate::heads::Heads;
use crate::marks::Marks;

/// One stored event.
#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) seq: i64,
    pub(crate) prev: i64,
    pub(crate) stream: i64,
    pub(crate) scheduled: i64,
    pub(crate) manual: bool,
    pub(crate) duration_us: i64,
    /// Where the event's JSON lies in the group's bodies.
    pub(crate) body: Range<usize>,
    pub(crate) event: Arc<SliEvent>,
}

/// One stored run of missed slots; slot `n` of it has the number `seq + n`.
#[derive(Debug)]
pub(crate) struct MissedRow {
    pub(crate) seq: i64,
    pub(crate) prev: i64,
    pub(crate) stream: i64,
    pub(crate) run: MissedSlots,
    pub(crate) origin: String,
}

/// A row of either table, in the order of the sequence.
#[derive(Debug)]
pub(crate) enum Row {
    Event(EventRow),
    Missed(MissedRow),
}

impl Row {
    /// The first and the last slot that the row holds for the account; an empty span for a manual run.
    pub(crate) fn span_ms(&self) -> (i64, i64) {
        match self {
            Self::Event(row) if row.manual => (i64::MAX, i64::MIN),
            Self::Event(row) => (row.scheduled, row.scheduled),
            Self::Missed(row) => (row.run.first.as_millis(), row.run.last().as_millis()),
        }
    }

    /// Its first number.
    pub(crate) const fn seq(&self) -> i64 {
        match self {
            Self::Event(row) => row.seq,
            Self::Missed(row) => row.seq,
        }
    }

    pub(crate) fn stream(&self) -> &Stream {
        match self {
            Self::Event(row) => &row.event.origin.stream,
            Self::Missed(row) => &row.run.origin.stream,
        }
    }

    fn holds(&self, stream: i64, at_ms: i64) -> bool {
        match self {
            Self::Event(row) => row.stream == stream && row.scheduled == at_ms && !row.manual,
            Self::Missed(row) => row.stream == stream && index_in(&row.run, at_ms).is_some(),
        }
    }
}

/// Which slot of the run starts at `at_ms`.
pub(crate) fn index_in(run: &MissedSlots, at_ms: i64) -> Option<u32> {
    let offset = u64::try_from(at_ms.checked_sub(run.first.as_millis())?).ok()?;
    let index = match run.step_ms {
        0 if offset == 0 => 0,
        0 => return None,
        step if offset % step == 0 => u32::try_from(offset / step).ok()?,
        _ => return None,
    };
    (index < run.count).then_some(index)
}

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) rows: Vec<Row>,
    pub(crate) bodies: Vec<u8>,
    pub(crate) new_streams: Heads,
    /// Marks that the events in `rows` move on.
    pub(crate) marks: Marks,
    pub(crate) checkpoint: Option<i64>,
    /// Slots (stream number, start in ms) that are on record as missed and have an event in `rows`.
    pub(crate) upgraded: Vec<(i64, i64)>,
    /// Slots whose event is held as correlated and has its place taken by one in `rows`.
    pub(crate) settled: Vec<(i64, i64)>,
    /// Events in `rows`, each slot of a missed run counted.
    pub(crate) events: u64,
    pub(crate) duplicates: u64,
}

impl Group {
    /// Makes it empty and keeps its memory, unless a burst made it large.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.bodies.clear();
        self.bodies.shrink_to(BODIES_KEPT_BYTES);
        self.new_streams.clear();
        self.marks.clear();
        self.upgraded.clear();
        self.settled.clear();
        self.checkpoint = None;
        self.events = 0;
        self.duplicates = 0;
    }
}

impl Group {
    /// Whether it holds the slot (stream number, start in ms), missed or not.
    pub(crate) fn holds(&self, (stream, at_ms): (i64, i64)) -> bool {
        self.rows.iter().any(|row| row.holds(stream, at_ms))
    }

    /// Whether it holds an event, not a miss, of the slot.
    pub(crate) fn holds_event(&self, stream: i64, at_ms: i64) -> bool {
        self.rows.iter().any(|row| matches!(row, Row::Event(_)) && row.holds(stream, at_ms))
    }
}

/// Memory for bodies that is kept from group to group.
const BODIES_KEPT_BYTES: usize = 1 << 20;

/// Looks a slot (stream number, start in ms) up in the files.
pub(crate) type Lookup<'a> = dyn FnMut(i64, i64) -> Result<bool, ReadError> + 'a;

/// The end of the sequence, the next rows' neighbours.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) heads: Heads,
    /// Of every stream, those of the group included.
    pub(crate) marks: Marks,
    pub(crate) next_seq: i64,
}

impl Tail {
    /// Whether the event's slot is stored already, in the files or in `group`.
    pub(crate) fn is_duplicate(
        &self,
        group: &Group,
        event: &SliEvent,
        lookup: &mut Lookup<'_>,
    ) -> Result<bool, ReadError> {
        if !event.trigger.is_scheduled() {
            return Ok(false);
        }
        self.holds(group, &event.origin.stream, event.slot.scheduled.as_millis(), lookup)
    }

    /// The slot of an event whose stream is known: stream number, start in ms.
    pub(crate) fn stream_of(&self, event: &SliEvent) -> (i64, i64) {
        let head = self.heads.get(&event.origin.stream).expect("a duplicate's stream is known");
        (head.id, event.slot.scheduled.as_millis())
    }

    fn holds(
        &self,
        group: &Group,
        stream: &Stream,
        at_ms: i64,
        lookup: &mut Lookup<'_>,
    ) -> Result<bool, ReadError> {
        // Slots come in order but for the odd late one, so this almost always answers.
        match self.heads.get(stream) {
            Some(head) if at_ms <= head.last_ms => {
                Ok(group.rows.iter().any(|row| row.holds(head.id, at_ms)) || lookup(head.id, at_ms)?)
            }
            _ => Ok(false),
        }
    }

    /// The parts of `run` that are not stored yet, as runs.
    pub(crate) fn fresh(
        &self,
        group: &Group,
        run: &MissedSlots,
        lookup: &mut Lookup<'_>,
    ) -> Result<Vec<MissedSlots>, ReadError> {
        let run = bounded(run);
        let stream = &run.origin.stream;
        if self.heads.get(stream).is_none_or(|head| run.first.as_millis() > head.last_ms) {
            return Ok(vec![run]);
        }
        let mut fresh: Vec<MissedSlots> = Vec::new();
        let mut joins = false;
        for index in 0..run.count {
            let start = run.slot(index).scheduled;
            if self.holds(group, stream, start.as_millis(), lookup)? {
                joins = false;
                continue;
            }
            match fresh.last_mut() {
                Some(last) if joins => last.count += 1,
                _ => fresh.push(MissedSlots { first: start, count: 1, ..run.clone() }),
            }
            joins = true;
        }
        Ok(fresh)
    }

    /// Adds an event that is no duplicate.
    pub(crate) fn add_event(&mut self, group: &mut Group, event: Arc<SliEvent>) {
        let manual = !event.trigger.is_scheduled();
        let scheduled = event.slot.scheduled.as_millis();
        let last_ms = if manual { i64::MIN } else { scheduled };
        if !manual && !event.outcome.high_marks.is_empty() {
            group.marks.add(&event.origin.stream, &event.outcome.high_marks);
            self.marks.add(&event.origin.stream, &event.outcome.high_marks);
        }
        let (stream, prev, seq) = self.link(group, &event.origin.stream, last_ms, 1);
        let start = group.bodies.len();
        event.write_json(&mut group.bodies);
        let duration_us = i64::try_from(event.outcome.duration.as_micros()).unwrap_or(i64::MAX);
        let body = start..group.bodies.len();
        group.rows.push(Row::Event(EventRow {
            seq,
            prev,
            stream,
            scheduled,
            manual,
            duration_us,
            body,
            event,
        }));
    }

    /// Adds a run of slots none of which is stored. Those that may have been sent are looked for one by one, and so are
    /// stored like events.
    pub(crate) fn add_missed(&mut self, group: &mut Group, run: MissedSlots) {
        if run.maybe_sent {
            run.events().for_each(|event| self.add_event(group, Arc::new(event)));
            return;
        }
        let (stream, prev, seq) =
            self.link(group, &run.origin.stream, run.last().as_millis(), i64::from(run.count));
        let origin = origin_text(&run.origin);
        group.rows.push(Row::Missed(MissedRow { seq, prev, stream, run, origin }));
    }

    /// Takes `count` numbers for a row of `stream` and makes it the stream's newest.
    fn link(&mut self, group: &mut Group, stream: &Stream, last_ms: i64, count: i64) -> (i64, i64, i64) {
        let seq = self.next_seq;
        self.next_seq += count;
        group.events += count.cast_unsigned();
        let (before, is_new) = self.heads.advance(stream, seq, last_ms);
        if is_new {
            group.new_streams.set(stream, before);
        }
        (before.id, before.last_seq, seq)
    }
}

/// The run with whole milliseconds, at least one slot, no slot twice and none beyond the end of time.
fn bounded(run: &MissedSlots) -> MissedSlots {
    let first = run.first.as_millis();
    let end = Timestamp::from_nanos(i64::MAX).as_millis();
    let room = match run.step_ms {
        0 => 1,
        step => end.abs_diff(first) / step + 1,
    };
    let count = u64::from(run.count.clamp(1, COUNT_MAX)).min(room);
    let count = u32::try_from(count).unwrap_or(COUNT_MAX);
    let step_ms = if count > 1 { run.step_ms } else { 0 };
    MissedSlots { first: Timestamp::from_millis(first), step_ms, count, ..run.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::sample::origin;
    use model::outcome::Reason;

    #[test]
    fn runs_are_made_regular() {
        let run = |first, step_ms, count| MissedSlots {
            origin: origin("a"),
            reason: Reason::Interrupted,
            first: Timestamp::from_millis(first),
            step_ms,
            count,
            recorded: Timestamp::default(),
            maybe_sent: false,
        };
        let shape = |run: &MissedSlots| (run.first.as_millis(), run.step_ms, run.count);
        assert_eq!(shape(&bounded(&run(5, 10, 3))), (5, 10, 3));
        assert_eq!(shape(&bounded(&run(5, 0, 7))), (5, 0, 1));
        assert_eq!(shape(&bounded(&run(5, 10, 0))), (5, 0, 1));
        assert_eq!(shape(&bounded(&run(5, u64::MAX, 9))), (5, 0, 1));
        assert_eq!(bounded(&run(5, 10, u32::MAX)).count, COUNT_MAX);
        assert_eq!(index_in(&run(5, 10, 3), 25), Some(2));
        assert_eq!(index_in(&run(5, 10, 3), 35), None);
        assert_eq!(index_in(&run(5, 10, 3), 6), None);
        assert_eq!(index_in(&run(5, 0, 1), 5), Some(0));
    }
}
