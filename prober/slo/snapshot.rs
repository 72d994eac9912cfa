//! The evaluator's state as bytes, so that a restart goes on where it was.
//!
//! What all promises share is the head; each promise has a piece of its own, so that only those that changed have to be
//! written. A format number stands first in each; a newer one is refused, and then the evaluator, or the promise,
//! begins anew. What is in the files is not in here: promises are matched by their names. Format 1 was everything in
//! one; it is still read.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use model::slot::SlotId;
use model::time::Timestamp;

use crate::adjusted::Adjusted;
use crate::bytes::{Broken, In, Out};
use crate::change::{Change, Transition};
use crate::count::Count;
use crate::evaluator::{Evaluator, Turn, Waiting, sorted};
use crate::evidence::{Evidence, slot_id};
use crate::expected::Rates;
use crate::good::Took;
use crate::history::History;
use crate::period::Going;
use crate::promise::Promise;
use crate::region::Region;
use crate::slot::Slot;
use crate::state::{Kept, Slo};
use crate::watch::{self, Watch};

/// The format that this version writes.
pub const FORMAT: u8 = 2;
/// Beside the number of a count: nobody vouches for the run. States of versions that did not know it have smaller numbers.
const UNVOUCHED: u64 = 64;
/// The format that had everything in one.
const WHOLE: u8 = 1;
const MAGIC: &[u8] = b"prober.slo";
/// The most bytes of a piece once it is unpacked; more is damage.
const PIECE_MAX: u64 = 16 << 20;

/// Bytes that are no state of this version.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Something else, or damaged.
    #[error("the evaluator's state is damaged")]
    Damaged,
    /// From a later version.
    #[error("the evaluator's state is from format {found}, newest known is {FORMAT}")]
    TooNew {
        /// The format found.
        found: u8,
    },
}

impl From<Broken> for SnapshotError {
    fn from(_: Broken) -> Self {
        Self::Damaged
    }
}

/// The state as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What all promises share; from before format 2 also the promises themselves.
    pub head: Vec<u8>,
    /// A piece for each promise, by its name.
    pub pieces: BTreeMap<Arc<str>, Vec<u8>>,
}

/// What of the state has to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsaved {
    /// What all promises share.
    pub head: Vec<u8>,
    /// The pieces that changed, by the promise's name.
    pub pieces: Vec<(Arc<str>, Vec<u8>)>,
    /// Promises whose pieces have no use any more.
    pub gone: Vec<Arc<str>>,
}

/// An evaluator made of its state.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The evaluator.
    pub evaluator: Evaluator,
    /// The changes of alerts of promises that are gone or were renamed.
    pub changes: Vec<Change>,
    /// Promises that begin anew because their pieces could not be read.
    pub damaged: Vec<Arc<str>>,
    /// Promises that counted something else before: other streams, or by another `good`.
    pub recounted: Vec<Arc<str>>,
}

const COUNTS: [Count; 10] = [
    Count::Good,
    Count::Bad,
    Count::Missed,
    Count::Maintenance,
    Count::Paused,
    Count::ProberFault,
    Count::ConfigFault,
    Count::Declared,
    Count::Cancelled,
    Count::Correlated,
];

impl Evaluator {
    /// The whole state.
    pub fn snapshot(&self) -> Snapshot {
        let piece = |slo: &Slo| (Arc::clone(&slo.promise.name), slo.piece());
        Snapshot { head: self.head(), pieces: self.slos.iter().map(piece).collect() }
    }

    /// What changed since [`Evaluator::saved`]: all of it in the beginning.
    ///
    /// A piece that is not written again is made whole by later events and ticks.
    pub fn unsaved(&self) -> Unsaved {
        let changed = self.slos.iter().filter(|slo| slo.unsaved);
        let pieces = changed.map(|slo| (Arc::clone(&slo.promise.name), slo.piece())).collect();
        Unsaved { head: self.head(), pieces, gone: self.gone.clone() }
    }

    /// What [`Evaluator::unsaved`] gave is written.
    pub fn saved(&mut self) {
        self.slos.iter_mut().for_each(|slo| slo.unsaved = false);
        self.gone.clear();
    }

    fn head(&self) -> Vec<u8> {
        let mut out = Out::default();
        out.raw(MAGIC);
        out.raw(&[FORMAT]);
        out.some(self.next_tick, |out, at| out.signed(at.as_nanos()));
        out.signed(self.newest.as_nanos());
        out.signed(self.awake.as_nanos());
        out.number(self.waiting.len() as u64);
        for ((recorded, _, id), waiting) in &self.waiting {
            write_waiting((*recorded, *id), waiting, &mut out);
        }
        out.bytes()
    }

    /// An evaluator of these promises that goes on where the state ends.
    ///
    /// A promise that the state does not know, or whose piece is damaged, begins at `now`.
    ///
    /// # Errors
    /// The head is damaged, or from a later version.
    pub fn restore(
        state: &Snapshot,
        promises: Vec<Promise>,
        now: Timestamp,
    ) -> Result<Restored, SnapshotError> {
        let mut from = In::new(&state.head);
        let (evaluator, format) = Self::read_head(&mut from, now)?;
        let mut made =
            Restored { evaluator, changes: Vec::new(), damaged: Vec::new(), recounted: Vec::new() };
        let mut promises = sorted(promises);
        if format == WHOLE {
            for _ in 0..from.count()? {
                made.take(Stored::read(&mut from, format)?, &mut promises, now);
            }
        }
        if !from.is_empty() {
            return Err(SnapshotError::Damaged);
        }
        for (name, piece) in &state.pieces {
            match Stored::unpack(piece) {
                Ok(stored) if stored.name == *name => made.take(stored, &mut promises, now),
                _ => made.damaged.push(Arc::clone(name)),
            }
        }
        let slos = &mut made.evaluator.slos;
        slos.extend(promises.into_iter().map(|promise| Slo::new(promise, now)));
        slos.sort_by(|one, other| one.promise.name.cmp(&other.promise.name));
        made.evaluator.connect();
        Ok(made)
    }

    fn read_head(from: &mut In<'_>, now: Timestamp) -> Result<(Self, u8), SnapshotError> {
        if from.raw(MAGIC.len())? != MAGIC {
            return Err(SnapshotError::Damaged);
        }
        let format = from.byte()?;
        if format > FORMAT {
            return Err(SnapshotError::TooNew { found: format });
        }
        let mut made = Self::empty(now);
        made.next_tick = from.some(In::signed)?.map(Timestamp::from_nanos);
        made.newest = Timestamp::from_nanos(from.signed()?);
        made.awake = Timestamp::from_nanos(from.signed()?);
        for _ in 0..from.count()? {
            let (key, waiting) = read_waiting(from, format)?;
            made.waiting.insert(key, waiting);
        }
        Ok((made, format))
    }
}

impl Restored {
    fn take(&mut self, stored: Stored, promises: &mut Vec<Promise>, now: Timestamp) {
        let Some(index) = promises.iter().position(|promise| promise.name == stored.name) else {
            self.evaluator.gone.push(Arc::clone(&stored.name));
            return stored.end(now, &mut self.changes);
        };
        let promise = promises.remove(index);
        if stored.counted != Some(promise.counted()) {
            self.recounted.push(Arc::clone(&promise.name));
        }
        self.evaluator.slos.push(stored.adopt(promise, now, &mut self.changes));
    }
}

impl Slo {
    /// The state of one promise, packed: most of it are the same few numbers again and again.
    fn piece(&self) -> Vec<u8> {
        let mut out = Out::default();
        self.write(&mut out);
        let mut packed = DeflateEncoder::new(vec![FORMAT], Compression::fast());
        packed.write_all(&out.bytes()).and_then(|()| packed.finish()).expect("memory takes every byte")
    }

    fn write(&self, out: &mut Out) {
        out.text(&self.promise.name);
        self.kept.rates.write(out);
        self.kept.history.write(out);
        out.some(self.kept.going, |out, going| going.write(out));
        out.some(self.quiet_until, |out, at| out.signed(at.as_nanos()));
        out.number(self.regions.len() as u64);
        self.regions.iter().for_each(|region| region.write(out));
        watch::write(&self.watches, out);
        out.raw(&self.promise.counted());
        out.number(self.adjusted.len() as u64);
        self.adjusted.iter().for_each(|one| one.write(out));
    }
}

/// What is stored of one promise.
struct Stored {
    name: Arc<str>,
    kept: Kept,
    quiet_until: Option<Timestamp>,
    regions: Vec<Region>,
    watches: BTreeMap<watch::Key, Watch>,
    /// What was counted; not known of old forms.
    counted: Option<[u8; 8]>,
    adjusted: Vec<Adjusted>,
}

impl Stored {
    fn unpack(piece: &[u8]) -> Result<Self, Broken> {
        let (format, packed) = piece.split_first().ok_or(Broken)?;
        if *format != FORMAT {
            return Err(Broken);
        }
        let mut bytes = Vec::new();
        let read = DeflateDecoder::new(packed).take(PIECE_MAX).read_to_end(&mut bytes);
        read.map_err(|_| Broken)?;
        let mut from = In::new(&bytes);
        let stored = Self::read(&mut from, *format)?;
        if from.is_empty() { Ok(stored) } else { Err(Broken) }
    }

    fn read(from: &mut In<'_>, format: u8) -> Result<Self, Broken> {
        let name = from.text()?;
        let rates = Rates::read(from)?;
        let mut history = History::new(&[]);
        history.read(from)?;
        let going = from.some(Going::read)?;
        let quiet_until = from.some(In::signed)?.map(Timestamp::from_nanos);
        let count = from.count()?;
        // As many runs as were kept; the promise's own bound comes with the promise.
        let regions = (0..count).map(|_| Region::read(u32::MAX, from)).collect::<Result<_, _>>()?;
        let watches = watch::read(from)?;
        let kept = Kept { history, rates, going };
        let mut stored =
            Self { name, kept, quiet_until, regions, watches, counted: None, adjusted: Vec::new() };
        if format > WHOLE {
            stored.counted = Some(from.raw(8)?.try_into().map_err(|_| Broken)?);
            let count = from.count()?;
            stored.adjusted = (0..count).map(|_| Adjusted::read(from)).collect::<Result<_, _>>()?;
        }
        Ok(stored)
    }

    fn adopt(self, promise: Promise, now: Timestamp, changes: &mut Vec<Change>) -> Slo {
        let mut slo = Slo::of(promise, self.kept);
        slo.adopt_adjustments(self.adjusted);
        slo.kept.rates.change(now.as_millis(), slo.promise.slots_an_hour());
        slo.quiet_until = self.quiet_until;
        slo.adopt(self.regions);
        slo.watches = self.watches;
        slo.begin_period(now);
        slo.disown(now, changes);
        slo
    }

    fn end(self, now: Timestamp, changes: &mut Vec<Change>) {
        for watch in self.watches.into_values() {
            if let Watch::Firing(mut alert) = watch {
                alert.ends = Some(now.max(alert.starts));
                changes.push(Change { alert: *alert, transition: Transition::Gone });
            }
        }
    }
}

fn write_waiting((recorded, id): (Timestamp, SlotId), waiting: &Waiting, out: &mut Out) {
    out.signed(recorded.as_nanos());
    out.raw(id.as_bytes());
    out.text(&waiting.scenario);
    out.text(&waiting.region);
    let slot = &waiting.slot;
    out.signed(slot.scheduled.as_nanos());
    out.signed(slot.finished.as_nanos());
    let count = COUNTS.iter().position(|count| *count == slot.count).unwrap_or(0) as u64;
    out.number(if slot.unvouched { count + UNVOUCHED } else { count });
    out.some(slot.took, |out, took| took.write(out));
    out.some(slot.evidence.as_ref(), |out, evidence| evidence.write(out));
}

fn read_waiting(from: &mut In<'_>, format: u8) -> Result<(Turn, Waiting), Broken> {
    let (recorded, id) = (Timestamp::from_nanos(from.signed()?), slot_id(from)?);
    let (scenario, region) = (from.text()?, from.text()?);
    let scheduled = Timestamp::from_nanos(from.signed()?);
    let finished = Timestamp::from_nanos(from.signed()?);
    let number = from.number()?;
    let (unvouched, number) = number.checked_sub(UNVOUCHED).map_or((false, number), |number| (true, number));
    let count = *COUNTS.get(usize::try_from(number).map_err(|_| Broken)?).ok_or(Broken)?;
    let took = if format == WHOLE {
        // A part of the id, which is there already.
        from.raw(8)?;
        None
    } else {
        from.some(Took::read)?
    };
    let evidence = from.some(Evidence::read)?;
    let slot = Slot { scheduled, finished, count, id, took, evidence, unvouched };
    Ok(((recorded, scheduled, id), Waiting { scenario, region, slot }))
}
