//! From the prober's store to the engine, until the ledger confirms: at least once, and nothing is passed before.
//!
//! Events are read in the order of the store and sent in batches, one shard each. The stored cursor moves only when the
//! ledger has every batch up to some sequence; after a crash the next life sends the rest again, and the ledger knows its
//! slots. Bounded: so many batches wait for their confirm, and no event is read while they do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fleet::batch::{Head, Record, pack};
use fleet::{Batch, BatchId, Beat, DUPLICATE_WINDOW, EventLog, Fault, Shard, Token};
use model::event::SliEvent;
use model::missed::MissedSlots;
use model::outcome::Verdict;
use model::time::Timestamp;
use schedule::runner::Gauges;
use store::{Cursor, ReadError, Store};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::seat_of;
use super::tenures::Tenures;

/// The name of the place in the store up to which the ledger has everything.
pub(crate) const CURSOR: &str = "fleet";

/// How often events are sent.
const SEND_EVERY: Duration = Duration::from_secs(1);
/// In how many turns one says up to where a shard is complete.
const CHECKPOINT_TURNS: u64 = 3;
/// Of shards without a plan that is said one time in so many: a plan that was in them may have ended.
const IDLE_SHARE: u64 = 10;
/// The most batches that wait for their confirm.
const WINDOW: usize = 256;
/// The most events of one turn.
const TURN_EVENTS: usize = 4_000;
const TURN_BYTES: usize = 4 << 20;
/// A batch that nobody confirmed is sent again when the engine has forgotten that it had it.
const RESEND_AFTER: Duration = DUPLICATE_WINDOW.saturating_add(Duration::from_secs(30));
/// How long the store may take to write what it has.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// How long a stopping prober waits for the ledger.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// What is told of the way to the ledger.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Batches that the engine took.
    pub(super) sent: AtomicU64,
    /// Batches that wait for their confirm.
    pub(super) waiting: AtomicU64,
    /// Events that the ledger may not have yet.
    pub(super) behind: AtomicU64,
    /// Events that fit into no batch.
    pub(super) unsendable: AtomicU64,
}

/// The shards that are owned: their tokens, and whether a plan is in them.
pub(super) type Owned = Arc<BTreeMap<Shard, (Token, bool)>>;

/// Who sends, and what.
pub(super) struct Publisher<E> {
    pub(super) engine: E,
    pub(super) store: Store,
    pub(super) region: String,
    pub(super) shards: u16,
    pub(super) me: Beat,
    pub(super) tenures: Arc<Mutex<Tenures>>,
    /// What is owned now.
    pub(super) owned: watch::Receiver<Owned>,
    pub(super) gauges: Arc<Gauges>,
    /// The way into the store, as long as the runner has it: to know that all before is written.
    pub(super) queue: mpsc::WeakSender<store::Record>,
    pub(super) numbers: Arc<Numbers>,
}

/// That it is to be said up to where shards are complete.
#[derive(Copy, Clone)]
struct Complete {
    /// Also of those without a plan.
    of_all: bool,
}

struct Waiting {
    batch: Batch,
    /// The store's place that is passed once this batch is confirmed.
    end: Option<u64>,
    sent: Option<Instant>,
}

/// Places in the store, and what is between them.
struct Window {
    confirmed: Cursor,
    ahead: Cursor,
    waiting: VecDeque<Waiting>,
    next_sequence: u64,
}

impl<E: EventLog> Publisher<E> {
    /// Sends until `finish`, and then what is left, for a while.
    pub(super) async fn run(self, finish: CancellationToken) {
        let confirmed = match tokio::task::block_in_place(|| self.store.cursor(CURSOR)) {
            Ok(cursor) => cursor,
            Err(error) => return tracing::error!("nothing can be sent: {error}"),
        };
        let ahead = confirmed.ahead();
        let mut window = Window { confirmed, ahead, waiting: VecDeque::new(), next_sequence: 1 };
        let (mut turns, mut last, mut told) = (0_u64, None::<Instant>, false);
        loop {
            let ending = finish.is_cancelled();
            let checkpoint = (!ending && turns.is_multiple_of(CHECKPOINT_TURNS))
                .then_some(Complete { of_all: turns.is_multiple_of(CHECKPOINT_TURNS * IDLE_SHARE) });
            let turn = self.turn(&mut window, checkpoint).await;
            turns += 1;
            match turn {
                Ok(()) => told = false,
                Err(Trouble::Fault(fault)) if !std::mem::replace(&mut told, true) => {
                    tracing::warn!("events wait in the store: {fault}");
                }
                Err(Trouble::Fault(_)) => {}
                Err(Trouble::Read(error)) => tracing::error!("events wait in the store: {error}"),
            }
            self.count(&window);
            if ending {
                let since = *last.get_or_insert_with(Instant::now);
                let all = window.waiting.is_empty() && window.ahead.behind() == 0;
                if all || since.elapsed() >= LAST_WAIT {
                    return;
                }
                tokio::time::sleep(SEND_EVERY / 10).await;
            } else {
                let _ended = tokio::time::timeout(SEND_EVERY, finish.cancelled()).await;
            }
        }
    }

    async fn turn(&self, window: &mut Window, checkpoint: Option<Complete>) -> Result<(), Trouble> {
        let complete = match checkpoint {
            Some(checkpoint) => self.complete_until().await.map(|at| (at, checkpoint.of_all)),
            None => None,
        };
        let durable = *self.store.durable().borrow();
        while window.waiting.len() < WINDOW && window.ahead.position() <= durable {
            tokio::task::block_in_place(|| self.read(window))?;
        }
        if let Some(complete) = complete.filter(|_| window.ahead.position() > durable) {
            self.say_complete(window, complete);
        }
        self.send(window).await?;
        self.hear(window).await
    }

    /// Up to where every slot is durable in the store; `None` if that is not known now.
    async fn complete_until(&self) -> Option<Timestamp> {
        let at = Timestamp::from_millis(self.gauges.checkpoint_ms.load(Ordering::Relaxed));
        let queue = self.queue.upgrade()?;
        let (reply, answer) = oneshot::channel();
        let flushed = async {
            queue.send(store::Record::Flush(reply)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(FLUSH_MAX, flushed).await.ok()??;
        Some(at)
    }

    /// Reads what comes next and makes batches of it.
    fn read(&self, window: &mut Window) -> Result<(), ReadError> {
        let read = window.ahead.next_batch(TURN_EVENTS, TURN_BYTES)?;
        let mut groups: BTreeMap<(Shard, Token), Vec<Record>> = BTreeMap::new();
        {
            let tenures = self.tenures.lock().expect("no holder panics");
            for event in &read.events {
                let shard = seat_of(&event.origin, self.shards);
                let token = tenures.token(shard, event.slot.scheduled);
                groups.entry((shard, token)).or_default().push(record(event));
            }
        }
        for ((shard, token), records) in groups {
            self.pack(window, (shard, token, None), &records);
        }
        match window.waiting.back_mut() {
            Some(last) => last.end = Some(read.end),
            // Nothing of it is to be sent, and nothing before it waits.
            None => window.confirmed.advance(&read)?,
        }
        window.ahead.advance(&read)
    }

    fn pack(
        &self,
        window: &mut Window,
        (shard, token, checkpoint): (Shard, Token, Option<Timestamp>),
        records: &[Record],
    ) {
        let id = BatchId { from: self.me.clone(), sequence: window.next_sequence };
        let head = Head { region: self.region.clone(), shard, id, token, checkpoint };
        let packed = pack(&head, records).unwrap_or_else(|error| {
            tracing::error!(%shard, records = records.len(), "events cannot be sent: {error}");
            self.numbers.unsendable.fetch_add(records.len() as u64, Ordering::Relaxed);
            Vec::new()
        });
        for bytes in packed {
            let id = BatchId { from: self.me.clone(), sequence: window.next_sequence };
            let batch = Batch { region: self.region.clone(), shard, id, token, bytes: bytes.into() };
            window.waiting.push_back(Waiting { batch, end: None, sent: None });
            window.next_sequence += 1;
        }
    }

    /// Says of the shards that are owned up to where they are complete: of those that have plans, or of all.
    fn say_complete(&self, window: &mut Window, (at, of_all): (Timestamp, bool)) {
        let owned = Arc::clone(&self.owned.borrow());
        for (shard, (token, _)) in owned.iter().filter(|(_, (_, is_used))| of_all || *is_used) {
            let newest = self.tenures.lock().expect("no holder panics").newest(*shard);
            // A tenure that begins later says nothing about the time before it.
            if newest.is_some_and(|(from, newest)| newest == *token && from <= at) {
                self.pack(window, (*shard, *token, Some(at)), &[]);
            }
        }
    }

    async fn send(&self, window: &mut Window) -> Result<(), Trouble> {
        for waiting in &mut window.waiting {
            if waiting.sent.is_none_or(|sent| sent.elapsed() >= RESEND_AFTER) {
                self.engine.append(&waiting.batch).await?;
                waiting.sent = Some(Instant::now());
                self.numbers.sent.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Hears up to where the ledger has everything, and what it lacks.
    async fn hear(&self, window: &mut Window) -> Result<(), Trouble> {
        if window.waiting.is_empty() {
            return Ok(());
        }
        let told = self.engine.confirmed(&self.region, &self.me.prober).await?;
        let Some(told) = told.filter(|told| told.from == self.me) else { return Ok(()) };
        let mut end = None;
        while window.waiting.front().is_some_and(|first| first.batch.id.sequence <= told.through) {
            let confirmed = window.waiting.pop_front().expect("it was looked at");
            end = confirmed.end.or(end);
        }
        for waiting in window.waiting.iter_mut().filter(|waiting| waiting.batch.id.sequence <= told.again) {
            // Not more often than it is asked.
            if waiting.sent.is_some_and(|sent| sent.elapsed() >= LAST_WAIT) {
                waiting.sent = None;
            }
        }
        if let Some(end) = end {
            let passed = store::Batch { end, ..store::Batch::default() };
            tokio::task::block_in_place(|| window.confirmed.advance(&passed))?;
        }
        Ok(())
    }

    fn count(&self, window: &Window) {
        self.numbers.waiting.store(window.waiting.len() as u64, Ordering::Relaxed);
        self.numbers.behind.store(window.confirmed.behind(), Ordering::Relaxed);
    }
}

enum Trouble {
    Fault(Fault),
    Read(ReadError),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

fn record(event: &Arc<SliEvent>) -> Record {
    // What may have been sent takes the place of a miss that the ledger declared, as an event does.
    if event.verdict() == Verdict::Missed && event.outcome.maybe_sent != Some(true) {
        let reason = event.outcome.reason;
        let (origin, at) = (Arc::clone(&event.origin), event.slot.scheduled);
        return Record::Missed(MissedSlots::one(origin, reason, at, event.recorded));
    }
    Record::Event(Arc::clone(event))
}
