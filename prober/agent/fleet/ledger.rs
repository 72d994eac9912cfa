//! From batches to the account: duplicates, fencing, misses.
//!
//! # Rules
//!
//! 1. The first durable event of a slot wins; an event after a miss takes the miss's place for [`OPEN`] after the slot.
//! 2. An event under a token that was overtaken before its slot began is superseded: it is counted as such and in no account.
//! 3. An event of a slot that no scenario set planned is refused.
//! 4. A slot that a newer checkpoint of its shard passes, and that nobody reported, is missed: `no_owner`.
//! 5. A shard whose checkpoint does not come is dark: a slot of it is missed, `dark`, when it is [`DARK_AFTER`] and its interval
//!    old. No other shard waits for it. While batches are not read to the end of their log, nobody is dark: what is
//!    missing may lie there.
//! 6. A prober hears that a batch is here only when it is durable here.

mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use fleet::assign::place_of;
use fleet::batch::{EventBatch, Record};
use fleet::{Batch, Beat, Confirm, Entry, Position, Shard, Token};
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use schedule::slots::Timetable;

use super::refusals::Refused;
use super::seats::border;
use super::{HANDOVER, seat_of};

/// How long a late event still takes the place of a miss.
pub(super) const OPEN: Duration = Duration::from_hours(24);
/// How long after a checkpoint its shard's last slots may still arrive from the owner before.
const GRACE: Duration = Duration::from_secs(10);
/// How long after the end of a slot, and after batches are read again, its shard is dark.
const DARK_AFTER: Duration = Duration::from_mins(1);
/// The longest interval that is waited for: a run may take as long, and one that takes longer counts when it comes.
const INTERVAL_MAX: Duration = Duration::from_mins(10);
/// Tokens remembered of a shard.
const TOKENS: usize = 64;
/// Sequences remembered of one prober that came before one that is missing.
const AHEAD: usize = 4_096;

/// Which slots there are: what was planned when, by the scenario sets that held.
#[derive(Debug, Default)]
pub(super) struct Planned {
    streams: HashMap<Stream, Vec<(Timestamp, Option<Timestamp>, Timetable)>>,
    /// Every shard that has, or had, a stream; and the longest of their intervals, as far as it is waited for.
    pub(super) shards: BTreeMap<(String, Shard), Duration>,
}

impl Planned {
    /// What the ledger's store has noted.
    pub(super) fn of(spans: &[store::Span], shards: u16) -> Self {
        let mut made = Self::default();
        for span in spans {
            let stream = &span.stream;
            let number = place_of(&stream.scenario, span.side_effects, shards);
            let seat = Shard { number, replica: stream.replica };
            let longest = made.shards.entry((stream.region.to_string(), seat)).or_default();
            *longest = interval(&span.cadence).max(*longest);
            // A cadence that no longer names times is expected to do nothing.
            if let Ok(timetable) = Timetable::new(&span.cadence, stream) {
                let known = made.streams.entry(stream.clone()).or_default();
                known.push((span.from, span.to, timetable));
            }
        }
        made
    }

    fn has(&self, stream: &Stream, at: Timestamp) -> bool {
        let spans = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let mut spans = spans.iter().filter(|(from, to, _)| *from <= at && to.is_none_or(|to| at < to));
        spans.any(|(_, _, table)| table.first_from(at) == Some(at))
    }
}

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

/// Slots of a shard that can be declared missed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: Timestamp,
    /// Up to here its owner has said that all is reported; behind it the shard is dark.
    reported: Timestamp,
    pub(super) to: Timestamp,
}

/// The windows of all shards that have one.
pub(super) type Due = BTreeMap<(String, Shard), Window>;

/// A time of each region.
pub(super) type Closed = BTreeMap<String, Timestamp>;

/// How far apart the slots are.
fn interval(cadence: &Cadence) -> Duration {
    match cadence {
        Cadence::Every { interval_ms } => Duration::from_millis(*interval_ms).min(INTERVAL_MAX),
        Cadence::Cron { .. } => INTERVAL_MAX,
    }
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

    /// The shards whose slots up to some time can be declared missed.
    pub(super) fn due(&mut self, now: Timestamp) -> Due {
        let planned = Arc::clone(&self.planned.read().expect("no holder panics"));
        let is_listening = self.listening.is_some_and(|since| now.since(since) >= DARK_AFTER);
        let mut due = BTreeMap::new();
        for (key, interval) in &planned.shards {
            let progress = self.progress.entry(key.clone()).or_default();
            let reported = Timestamp::from_millis(progress.checkpoint_ms).minus(GRACE + HANDOVER);
            let dark = if is_listening { now.minus(DARK_AFTER + *interval) } else { now.minus(OPEN) };
            let from = Timestamp::from_millis(progress.declared_ms);
            let to = Timestamp::from_millis(reported.max(dark).as_millis());
            if to > from {
                due.insert(key.clone(), Window { from, reported, to });
            }
        }
        due
    }

    /// The misses among slots that nobody reported, in windows that [`Ledger::due`] gave.
    pub(super) fn misses(
        &self,
        due: &Due,
        unrecorded: &[store::Unrecorded],
        now: Timestamp,
    ) -> Vec<MissedSlots> {
        let mut misses = Vec::new();
        for plan in unrecorded {
            let stream = &plan.origin.stream;
            let seat = seat_of(&plan.origin, self.shards);
            let Some(window) = due.get(&(stream.region.to_string(), seat)) else { continue };
            let border = window.reported.clamp(window.from, window.to);
            misses.extend(plan.missed(Reason::NoOwner, (window.from, border), now));
            misses.extend(plan.missed(Reason::Dark, (border, window.to), now));
        }
        for run in &misses {
            let is_dark = run.reason == Reason::Dark;
            let counter = if is_dark { &self.numbers.dark } else { &self.numbers.no_owner };
            bump(counter, u64::from(run.count));
        }
        misses
    }

    /// Notes that the misses of these windows are durable.
    pub(super) fn declared(&mut self, due: &Due) {
        for (key, window) in due {
            self.progress.entry(key.clone()).or_default().declared_ms = window.to.as_millis();
        }
    }

    /// Region by region, the time before which every slot has its record here: that of its shard that is the furthest behind.
    pub(super) fn closed(&self) -> Closed {
        let planned = Arc::clone(&self.planned.read().expect("no holder panics"));
        let mut closed = Closed::new();
        for key in planned.shards.keys() {
            let declared = self.progress.get(key).map_or(0, |progress| progress.declared_ms);
            let declared = Timestamp::from_millis(declared);
            let known = closed.entry(key.0.clone()).or_insert(declared);
            *known = declared.min(*known);
        }
        closed
    }

    /// The regions that are dark: the time from which on nothing was heard of one of their shards.
    pub(super) fn dark(&self, now: Timestamp) -> Closed {
        let planned = Arc::clone(&self.planned.read().expect("no holder panics"));
        let mut dark = Closed::new();
        if self.listening.is_none_or(|since| now.since(since) < DARK_AFTER) {
            return dark;
        }
        for (key, interval) in &planned.shards {
            let reported = self.progress.get(key).map_or(0, |progress| progress.checkpoint_ms);
            let reported = Timestamp::from_millis(reported);
            if reported < now.minus(DARK_AFTER + *interval) {
                let known = dark.entry(key.0.clone()).or_insert(reported);
                *known = reported.min(*known);
            }
        }
        dark
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
