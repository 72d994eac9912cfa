//! The evaluator's state as bytes, so that a restart goes on where it was.
//!
//! A format number stands first; a newer one is refused, and then the evaluator begins anew. What is in the files is
//! not in here: promises are matched by their names.

use std::sync::Arc;

use model::slot::SlotId;
use model::time::Timestamp;

use crate::bytes::{Broken, In, Out};
use crate::count::Count;
use crate::evaluator::{Change, Evaluator, Transition, Turn, Waiting, sorted};
use crate::evidence::{Evidence, slot_id};
use crate::expected::Rates;
use crate::history::History;
use crate::period::Going;
use crate::promise::Promise;
use crate::region::Region;
use crate::state::{Kept, Slo, Slot};
use crate::watch::{self, Watch};

/// The format that this version writes.
pub const FORMAT: u8 = 1;
const MAGIC: &[u8] = b"prober.slo";

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
    /// The state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
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
        out.number(self.slos.len() as u64);
        self.slos.iter().for_each(|slo| slo.write(&mut out));
        out.bytes()
    }

    /// The state in `bytes` for these promises, and the changes of alerts of promises that are gone or were renamed.
    ///
    /// A promise that the bytes do not know begins at `now`.
    ///
    /// # Errors
    /// The bytes are damaged, or from a later version.
    pub fn restore(
        bytes: &[u8],
        promises: Vec<Promise>,
        now: Timestamp,
    ) -> Result<(Self, Vec<Change>), SnapshotError> {
        let mut from = In::new(bytes);
        if from.raw(MAGIC.len())? != MAGIC {
            return Err(SnapshotError::Damaged);
        }
        let found = from.byte()?;
        if found > FORMAT {
            return Err(SnapshotError::TooNew { found });
        }
        let mut made = Self::empty(now);
        made.next_tick = from.some(In::signed)?.map(Timestamp::from_nanos);
        made.newest = Timestamp::from_nanos(from.signed()?);
        made.awake = Timestamp::from_nanos(from.signed()?);
        for _ in 0..from.count()? {
            let (key, waiting) = read_waiting(&mut from)?;
            made.waiting.insert(key, waiting);
        }
        let mut changes = Vec::new();
        let mut promises = sorted(promises);
        for _ in 0..from.count()? {
            let stored = Stored::read(&mut from)?;
            match promises.iter().position(|promise| promise.name == stored.name) {
                Some(index) => {
                    let promise = promises.remove(index);
                    made.slos.push(stored.adopt(promise, now, &mut changes));
                }
                None => stored.end(now, &mut changes),
            }
        }
        if !from.is_empty() {
            return Err(SnapshotError::Damaged);
        }
        made.slos.extend(promises.into_iter().map(|promise| Slo::new(promise, now)));
        made.slos.sort_by(|one, other| one.promise.name.cmp(&other.promise.name));
        made.connect();
        Ok((made, changes))
    }
}

impl Slo {
    fn write(&self, out: &mut Out) {
        out.text(&self.promise.name);
        self.kept.rates.write(out);
        self.kept.history.write(out);
        out.some(self.kept.going, |out, going| going.write(out));
        out.some(self.quiet_until, |out, at| out.signed(at.as_nanos()));
        out.number(self.regions.len() as u64);
        self.regions.iter().for_each(|region| region.write(out));
        watch::write(&self.watches, out);
    }
}

/// What is stored of one promise.
struct Stored {
    name: Arc<str>,
    kept: Kept,
    quiet_until: Option<Timestamp>,
    regions: Vec<Region>,
    watches: std::collections::BTreeMap<watch::Key, Watch>,
}

impl Stored {
    fn read(from: &mut In<'_>) -> Result<Self, Broken> {
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
        Ok(Self { name, kept: Kept { history, rates, going }, quiet_until, regions, watches })
    }

    fn adopt(self, promise: Promise, now: Timestamp, changes: &mut Vec<Change>) -> Slo {
        let mut slo = Slo::of(promise, self.kept);
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
    out.number(COUNTS.iter().position(|count| *count == slot.count).unwrap_or(0) as u64);
    out.raw(&slot.tie.to_le_bytes());
    out.some(slot.evidence.as_ref(), |out, evidence| evidence.write(out));
}

fn read_waiting(from: &mut In<'_>) -> Result<(Turn, Waiting), Broken> {
    let (recorded, id) = (Timestamp::from_nanos(from.signed()?), slot_id(from)?);
    let (scenario, region) = (from.text()?, from.text()?);
    let slot = Slot {
        scheduled: Timestamp::from_nanos(from.signed()?),
        finished: Timestamp::from_nanos(from.signed()?),
        count: *COUNTS.get(usize::try_from(from.number()?).map_err(|_| Broken)?).ok_or(Broken)?,
        tie: u64::from_le_bytes(from.raw(8)?.try_into().map_err(|_| Broken)?),
        evidence: from.some(Evidence::read)?,
    };
    Ok(((recorded, slot.scheduled, id), Waiting { scenario, region, slot }))
}
