//! What becomes of slots that are held as `correlated`: bad once another region sees the target so, too, or if none
//! disagrees in time; else they stay held.
//!
//! It follows the store, so that one process with several regions and a hub of many settle alike, and what was held before a
//! restart is settled after it. What was settled is a record of its own in the store, whose event takes the held one's
//! place: whoever reads the store again sees the same. Bounded: more than [`HELD_MAX`] held slots are bad at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::outcome::Reason;
use model::slot::{SlotId, Stream};
use model::time::{Clock as _, SystemClock, Timestamp};
use schedule::distrust::Doubts;
use schedule::distrust::mass::{REACH_MAX, Seen, Settled, reach, settle};
use schedule::slots::Timetable;
use store::{Cursor, ReadError, Reader, Record, Span, Store};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The most slots that are held; an event is some kilobytes.
const HELD_MAX: usize = 10_000;
/// How long after the last target that may be held is gone what was sent of it may still come.
const TAIL: Duration = Duration::from_mins(10);
/// Events of one batch, and its bytes.
const BATCH: (usize, usize) = (500, 1 << 20);

/// Settles what is held in a store.
pub(crate) struct Settling {
    pub(crate) store: Store,
    /// A way into the store that does not keep its writer.
    pub(crate) queue: mpsc::WeakSender<Record>,
    /// Told how many are held, and what became of others.
    pub(crate) doubts: Arc<Doubts>,
    /// Whether others hold what is in this store: then it cannot be told from here whether anything may be.
    pub(crate) of_others: bool,
}

/// What is held, by its slot.
type Held = BTreeMap<(Timestamp, SlotId), Arc<SliEvent>>;

impl Settling {
    /// Runs until `stop`, or until the store's writer is gone.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut work = Work {
            cursor: self.store.cursor_at_end(),
            reader: self.store.reader(),
            settling: self,
            held: None,
            possible: None,
        };
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let turned = spawn_blocking(move || {
                let more = work.turn(SystemClock.now());
                (work, more)
            });
            // It ends by itself alone: nobody aborts it, and a panic ends the process.
            let Ok((kept, more)) = turned.await else { return };
            work = kept;
            match more {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "held slots cannot be settled now; it is tried again"),
            }
        }
    }
}

struct Work {
    settling: Settling,
    cursor: Cursor,
    reader: Reader,
    /// `None` until what was held before the start is known.
    held: Option<Held>,
    /// When something could last be held.
    possible: Option<Timestamp>,
}

impl Work {
    /// One turn; says whether there is still somebody to tell.
    fn turn(&mut self, now: Timestamp) -> Result<bool, ReadError> {
        let mut held = match self.held.take() {
            Some(held) => held,
            None => self.before(now)?,
        };
        let done = if self.is_quiet(&held, now) {
            self.cursor = self.settling.store.cursor_at_end();
            Ok(true)
        } else {
            self.hear(&mut held).and_then(|()| self.settle(&mut held, now))
        };
        self.settling.doubts.note_held(held.len());
        self.held = Some(held);
        done
    }

    /// Whether nothing is held, and nothing can be: with one region there is nothing to read for.
    fn is_quiet(&mut self, held: &Held, now: Timestamp) -> bool {
        if self.settling.of_others || self.settling.doubts.may_hold() {
            self.possible = Some(now);
        }
        held.is_empty() && self.possible.is_none_or(|at| now.since(at) > TAIL)
    }

    /// What was held before the start and may still be settled.
    fn before(&mut self, now: Timestamp) -> Result<Held, ReadError> {
        let mut found = Vec::new();
        self.reader.scan(now.minus(2 * REACH_MAX), now, |_, summary| {
            if summary.reason == Reason::Correlated && found.len() < HELD_MAX {
                found.push(summary.seq);
            }
        })?;
        let mut held = Held::new();
        for seq in found {
            if let Some(stored) = self.reader.event(seq)? {
                held.insert((stored.event.slot.scheduled, stored.event.slot.id), stored.event);
            }
        }
        Ok(held)
    }

    /// Takes in what is new in the store.
    fn hear(&mut self, held: &mut Held) -> Result<(), ReadError> {
        loop {
            let batch = self.cursor.next_batch(BATCH.0, BATCH.1)?;
            if batch.end == self.cursor.position() {
                return Ok(());
            }
            self.cursor.advance(&batch)?;
            for event in batch.events {
                if event.outcome.reason == Reason::Correlated && event.trigger.is_scheduled() {
                    held.insert((event.slot.scheduled, event.slot.id), event);
                }
            }
        }
    }

    fn settle(&mut self, held: &mut Held, now: Timestamp) -> Result<bool, ReadError> {
        if held.is_empty() {
            return Ok(true);
        }
        let Some(queue) = self.settling.queue.upgrade() else { return Ok(false) };
        let spans = self.settling.store.spans();
        let mut of_scenario: HashMap<&str, Vec<&Span>> = HashMap::new();
        for span in &spans {
            of_scenario.entry(&span.stream.scenario).or_default().push(span);
        }
        let mut seen = Others::default();
        let mut decided = Vec::new();
        let surplus = held.len().saturating_sub(HELD_MAX);
        for (number, (key, event)) in held.iter().enumerate() {
            let stream = &event.origin.stream;
            let spans = of_scenario.get(&*stream.scenario).map_or(&[][..], Vec::as_slice);
            let reach = gap(spans, stream, key.0).and_then(reach).filter(|_| number >= surplus);
            let settled = match reach {
                // It cannot wait: what is not known is not hidden.
                None => Settled::Bad,
                Some(reach) => {
                    let others = seen.of(&mut self.reader, spans, stream, key.0.minus(reach))?;
                    settle(key.0, &others, reach, now)
                }
            };
            if settled != Settled::Waits {
                decided.push((*key, settled == Settled::Bad));
            }
        }
        for (key, is_bad) in decided {
            let Some(event) = held.remove(&key) else { continue };
            self.settling.doubts.count_settled(is_bad);
            if is_bad {
                let outcome = event.outcome.clone().settled();
                let event = SliEvent { outcome, recorded: SystemClock.now(), ..(*event).clone() };
                if queue.blocking_send(Record::Settled(Arc::new(event))).is_err() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// What other regions' streams of a scenario said, read once a turn.
#[derive(Default)]
struct Others(HashMap<Stream, Vec<Seen>>);

impl Others {
    /// The slots since some time of each region but the stream's own, a region's replicas together; `spans` are the
    /// scenario's. Asked for the oldest held slot of a scenario first.
    fn of(
        &mut self,
        reader: &mut Reader,
        spans: &[&Span],
        stream: &Stream,
        since: Timestamp,
    ) -> Result<Vec<Vec<Seen>>, ReadError> {
        let is_other =
            |span: &&&Span| span.stream.region != stream.region && span.to.is_none_or(|to| to > since);
        let mut regions: BTreeMap<&str, Vec<Seen>> = BTreeMap::new();
        // A stream whose cadence changed has several spans.
        let others: BTreeSet<_> = spans.iter().filter(is_other).map(|span| &span.stream).collect();
        for other in others {
            if !self.0.contains_key(other) {
                let mut seen = Vec::new();
                reader.history(other, |summary| {
                    let scheduled = summary.slot.scheduled;
                    seen.push(Seen { scheduled, reason: summary.reason });
                    scheduled >= since
                })?;
                self.0.insert(other.clone(), seen);
            }
            regions.entry(&other.region).or_default().extend(&self.0[other]);
        }
        Ok(regions.into_values().collect())
    }
}

/// How far apart the stream's slots are at `at`; `None` if it has no plan then.
fn gap(spans: &[&Span], stream: &Stream, at: Timestamp) -> Option<Duration> {
    let holds = |span: &&&Span| span.stream == *stream && span.from <= at && span.to.is_none_or(|to| at < to);
    let span = spans.iter().find(holds)?;
    distance(&Timetable::new(&span.cadence, stream).ok()?, at)
}

/// How far apart the slots of a timetable are at `at`.
pub(crate) fn distance(table: &Timetable, at: Timestamp) -> Option<Duration> {
    let first = table.first_from(at)?;
    Some(table.next_after(first)?.since(first))
}

#[cfg(test)]
mod tests;
