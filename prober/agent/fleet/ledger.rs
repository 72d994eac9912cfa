//! From batches to the account: duplicates, fencing, misses.
//!
//! # Rules
//!
//! 1. The first durable event of a slot wins; an event after a miss takes the miss's place for [`OPEN`] after the slot.
//! 2. An event under a token that was overtaken before its slot began is superseded: it is counted as such and in no account.
//! 3. An event of a slot that no scenario set planned is refused.
//! 4. A slot that a newer checkpoint of its shard passes, and that nobody reported, is missed: `no_owner`.
//! 5. A shard whose checkpoint does not come is dark: a slot of it is missed, `dark`, when it is
//!    [`silence::DARK_AFTER`] and its interval old. No other shard waits for it. While batches are not read to the end of their log, nobody is dark: what is
//!    missing may lie there.
//! 6. Of a region that has fewer probers than its scenarios have replicas, some replicas have nobody: what would be dark is `no_owner`. A
//!    region is dark only where nothing is heard of any replica of a shard.
//! 7. A prober hears that a batch is here only when it is durable here.

mod planned;
mod silence;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use fleet::batch::{EventBatch, Record};
use fleet::{Batch, Beat, Confirm, Entry, Position, Shard, Token};
use model::time::Timestamp;

pub(super) use planned::Planned;
pub(super) use silence::Closed;

use super::refusals::Refused;
use super::seat_of;
use super::seats::border;

/// How long a late event still takes the place of a miss.
pub(super) const OPEN: Duration = Duration::from_hours(24);
/// Tokens remembered of a shard.
const TOKENS: usize = 64;
/// Sequences remembered of one prober that came before one that is missing.
const AHEAD: usize = 4_096;

/// What is told of the ledger.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Batches that were read.
    pub(super) batches: AtomicU64,
    /// Bytes of those batches.
    pub(super) bytes: AtomicU64,
    /// Records in those batches.
    pub(super) records: AtomicU64,
    /// Batches that came again.
    pub(super) again: AtomicU64,
    /// Batches that were refused: unreadable, or not what their envelope says.
    pub(super) refused: AtomicU64,
    /// Records of another region or shard than their batch.
    pub(super) foreign: AtomicU64,
    /// Records under an overtaken token.
    pub(super) superseded: AtomicU64,
    /// Records of slots that nobody planned.
    pub(super) unplanned: AtomicU64,
    /// Slots declared missed because nobody owned them.
    pub(super) no_owner: AtomicU64,
    /// Slots declared missed because nothing was heard of their owner.
    pub(super) dark: AtomicU64,
}

fn bump(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// One prober's batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Heard {
    boot: u64,
    /// Every batch up to it is here.
    through: u64,
    /// Batches after the first that is missing.
    ahead: BTreeSet<u64>,
    /// Checkpoints by the batch that said so; true once all before it is here.
    checkpoints: BTreeMap<u64, (Shard, Token, i64)>,
}

/// One shard's owners, and how far its account goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Progress {
    /// Whose each token is.
    tokens: BTreeMap<Token, String>,
    /// Every slot before it was reported by its owner, or has none.
    checkpoint_ms: i64,
    /// Every slot before it has its record here.
    declared_ms: i64,
}

/// Judges batches. Nothing here reads a clock or writes a file.
#[derive(Debug)]
pub(super) struct Ledger {
    planned: Arc<RwLock<Arc<Planned>>>,
    shards: u16,
    numbers: Arc<Numbers>,
    pub(super) position: Position,
    /// The log that the position is in; 0 if it is not known.
    pub(super) log: u64,
    probers: BTreeMap<(String, String), Heard>,
    progress: BTreeMap<(String, Shard), Progress>,
    /// Whose confirm changed.
    news: BTreeSet<(String, String)>,
    /// Since when batches are read as they come; `None` while older ones may lie there unread.
    listening: Option<Timestamp>,
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// What is to be stored, in order.
    pub(super) records: Vec<store::Record>,
    /// What is not.
    pub(super) refused: Vec<Refused>,
}

impl Ledger {
    pub(super) fn new(planned: Arc<RwLock<Arc<Planned>>>, shards: u16, numbers: Arc<Numbers>) -> Self {
        Self {
            planned,
            shards,
            numbers,
            position: Position(0),
            log: 0,
            probers: BTreeMap::new(),
            progress: BTreeMap::new(),
            news: BTreeSet::new(),
            listening: None,
        }
    }

    /// Notes whether all batches that lie in the log have been read.
    pub(super) fn listen(&mut self, is_at_end: bool, now: Timestamp) {
        self.listening = is_at_end.then(|| self.listening.unwrap_or(now));
    }

    /// Notes which log is read: places in another one mean nothing.
    pub(super) fn follow(&mut self, log: u64) {
        if self.log != log {
            (self.position, self.log) = (Position(0), log);
            // Whoever lost the log lost what was told of it.
            self.news.extend(self.probers.keys().cloned());
        }
    }

    /// Notes that a shard is owned under `token`.
    pub(super) fn note_token(&mut self, region: &str, shard: Shard, (token, prober): (Token, &str)) {
        let tokens = &mut self.progress.entry((region.to_owned(), shard)).or_default().tokens;
        tokens.entry(token).or_insert_with(|| prober.to_owned());
        while tokens.len() > TOKENS {
            tokens.pop_first();
        }
    }

    /// Judges what was read; a batch that is refused is not confirmed.
    pub(super) fn judge(&mut self, entry: &Entry, now: Timestamp) -> Judged {
        self.position = entry.position;
        let read = match &entry.batch {
            Ok(batch) => opened(batch).map(|opened| (batch.clone(), opened)),
            Err(why) => Err(why.clone()),
        };
        let (batch, opened) = match read {
            Ok(read) => read,
            Err(why) => {
                bump(&self.numbers.refused, 1);
                tracing::warn!("a batch is refused: {why}");
                let of = |batch: &Batch| whose(&batch.id.from.prober, &batch.region);
                let whose = entry.batch.as_ref().map_or("somebody".to_owned(), of);
                let refused = vec![Refused { what: "batch", whose, why }];
                return Judged { refused, ..Judged::default() };
            }
        };
        bump(&self.numbers.batches, 1);
        bump(&self.numbers.bytes, batch.bytes.len() as u64);
        self.note_token(&batch.region, batch.shard, (batch.token, &batch.id.from.prober));
        let checkpoint = opened.head.checkpoint.map(Timestamp::as_millis);
        if !self.hear(&batch, checkpoint) {
            bump(&self.numbers.again, 1);
        }
        let planned = Arc::clone(&self.planned.read().expect("no holder panics"));
        let mut judged = Judged::default();
        for record in opened.records {
            match self.record(&planned, &batch, record, now) {
                Ok(record) => judged.records.push(record),
                Err(refused) => judged.refused.push(refused),
            }
        }
        judged
    }

    /// Notes the batch's sequence; says whether it is new.
    fn hear(&mut self, batch: &Batch, checkpoint: Option<i64>) -> bool {
        let key = (batch.region.clone(), batch.id.from.prober.clone());
        let (boot, sequence) = (batch.id.from.boot, batch.id.sequence);
        let heard = self.probers.entry(key.clone()).or_default();
        if boot < heard.boot {
            // An earlier life: whatever it did not send, the later one sends under its own sequence.
            return true;
        }
        if boot > heard.boot {
            *heard = Heard { boot, ..Heard::default() };
        }
        self.news.insert(key);
        if sequence <= heard.through || heard.ahead.contains(&sequence) {
            return false;
        }
        if heard.ahead.len() >= AHEAD {
            // Asked for again once the hole is filled.
            return true;
        }
        heard.ahead.insert(sequence);
        if let Some(at) = checkpoint {
            heard.checkpoints.insert(sequence, (batch.shard, batch.token, at));
        }
        while heard.ahead.first() == Some(&(heard.through + 1)) {
            heard.through += 1;
            heard.ahead.pop_first();
        }
        let later = heard.checkpoints.split_off(&(heard.through + 1));
        let reached = std::mem::replace(&mut heard.checkpoints, later);
        for (shard, token, at) in reached.into_values() {
            let progress = self.progress.entry((batch.region.clone(), shard)).or_default();
            // Whoever was overtaken does not speak for the shard.
            if progress.tokens.keys().next_back() == Some(&token) {
                progress.checkpoint_ms = progress.checkpoint_ms.max(at);
            }
        }
        true
    }

    fn record(
        &self,
        planned: &Planned,
        batch: &Batch,
        record: Record,
        now: Timestamp,
    ) -> Result<store::Record, Refused> {
        let (origin, at, scheduled) = match &record {
            Record::Event(event) => (&event.origin, event.slot.scheduled, event.trigger.is_scheduled()),
            Record::Missed(run) => (&run.origin, run.first, true),
        };
        let stream = &origin.stream;
        bump(&self.numbers.records, 1);
        let foreign = *stream.region != *batch.region || seat_of(origin, self.shards) != batch.shard;
        let (why, counter) = if foreign {
            ("another shard's", &self.numbers.foreign)
        } else if scheduled && !planned.has(stream, at) {
            ("of a slot that nobody planned", &self.numbers.unplanned)
        } else if self.is_superseded(batch, at) {
            ("of an owner that was overtaken", &self.numbers.superseded)
        } else {
            return Ok(accepted(record, at, now));
        };
        bump(counter, 1);
        tracing::warn!(batch = %batch.id, token = %batch.token, %stream, %at, "a record is refused: it is {why}");
        let why = format!("{stream} at {at}, token {}, is {why}", batch.token);
        Err(Refused { what: "record", whose: whose(&batch.id.from.prober, &batch.region), why })
    }

    /// Whether somebody else owned the shard before the slot began.
    fn is_superseded(&self, batch: &Batch, slot: Timestamp) -> bool {
        let progress = self.progress.get(&(batch.region.clone(), batch.shard));
        let others =
            |(newer, prober): (&Token, &String)| *prober != batch.id.from.prober && border(*newer) <= slot;
        progress.is_some_and(|progress| progress.tokens.range(Token(batch.token.0 + 1)..).any(others))
    }

    /// What probers are to be told: their regions, and how far the ledger has their batches.
    pub(super) fn confirms(&mut self) -> Vec<(String, Confirm)> {
        let news = std::mem::take(&mut self.news);
        let confirm = |key: (String, String)| {
            let heard = self.probers.get(&key)?;
            let again = heard.ahead.first().map_or(0, |first| first - 1);
            let from = Beat { prober: key.1, boot: heard.boot };
            Some((key.0, Confirm { from, through: heard.through, again }))
        };
        news.into_iter().filter_map(confirm).collect()
    }

    /// Whether the prober has been heard.
    pub(super) fn knows(&self, region: &str, prober: &str) -> bool {
        self.probers.contains_key(&(region.to_owned(), prober.to_owned()))
    }

    /// Takes over what another hub told a prober that is new here.
    pub(super) fn meet(&mut self, region: &str, confirm: &Confirm) {
        let heard = Heard { boot: confirm.from.boot, through: confirm.through, ..Heard::default() };
        self.probers.insert((region.to_owned(), confirm.from.prober.clone()), heard);
    }

    /// Tells the prober again, because it could not be told.
    pub(super) fn tell_again(&mut self, region: &str, confirm: &Confirm) {
        self.news.insert((region.to_owned(), confirm.from.prober.clone()));
    }
}

/// What the store is told of a record that counts.
fn accepted(record: Record, at: Timestamp, now: Timestamp) -> store::Record {
    match record {
        Record::Missed(run) => store::Record::Missed(run),
        Record::Event(event) if at >= now.minus(OPEN) => store::Record::Late(event),
        Record::Event(event) => store::Record::Event(event),
    }
}

/// A sender, as it calls itself.
fn whose(prober: &str, region: &str) -> String {
    format!("{prober} in {region}")
}

/// The records of a batch whose head says what its envelope does.
fn opened(batch: &Batch) -> Result<EventBatch, String> {
    let opened = EventBatch::decode(&batch.bytes).map_err(|error| format!("{}: {error}", batch.id))?;
    let head = &opened.head;
    let same = head.region == batch.region
        && head.shard == batch.shard
        && head.id == batch.id
        && head.token == batch.token;
    if same {
        return Ok(opened);
    }
    Err(format!(
        "{} came as one of region {}, shard {}, and says otherwise",
        batch.id, batch.region, batch.shard
    ))
}

#[cfg(test)]
mod tests;
