//! The task that reads batches into the ledger, declares what nobody reported, and tells the probers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use export::prometheus::Metrics;
use fleet::nats::Nats;
use fleet::{Entry, EventLog as _, EventReader as _, Fault};
use model::outcome::Mark;
use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;
use store::{Record, Store};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::kept::durable;
use super::ledger::{Closed, Judged, Ledger};
use super::peers::Unvouched;
use super::refusals::Refusals;
use crate::agent::account::{Audit, Horizon, expected};
use crate::exit::Stop;

/// How often slots that nobody reported are looked for.
const DECLARE_EVERY: Duration = Duration::from_secs(2);
/// A log that says nothing for so long is opened again: its data may have been wiped.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Batches of one turn.
const TURN_BATCHES: usize = 256;
/// How long after a fault the engine is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Makes what the engine needs; with a set on disk once, else until it works.
pub(super) async fn prepare(nats: &Nats, replicas: usize, once: bool) {
    let mut told = None;
    while let Err(fault) = nats.prepare(replicas).await {
        if told.as_ref() != Some(&fault) {
            tracing::warn!("the engine is not ready: {fault}");
            told = Some(fault);
        }
        if once {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Reads batches into the ledger.
pub(super) struct Ingest {
    pub(super) nats: Nats,
    pub(super) replicas: usize,
    pub(super) store: Store,
    pub(super) queue: mpsc::Sender<Record>,
    pub(super) ledger: Ledger,
    /// Where the ledger's own state is kept.
    pub(super) path: PathBuf,
    pub(super) active: watch::Receiver<bool>,
    /// The agents whose runs are not counted in the quorum now.
    pub(super) doubted: watch::Receiver<Unvouched>,
    /// Up to where each region's account is closed, and which are dark since when.
    pub(super) closed: watch::Sender<(Closed, Closed)>,
    pub(super) refusals: Refusals,
}

impl Ingest {
    /// Goes on where the state on disk says.
    pub(super) fn take_up(mut self) -> Result<Self, Stop> {
        let Ok(text) = std::fs::read_to_string(&self.path) else { return Ok(self) };
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let damaged = || {
            let path = self.path.display();
            Stop::environment(format!("{path} is damaged; move it away, and all batches are read again"))
        };
        self.ledger.take_up(&value).ok_or_else(damaged)?;
        self.tell_closed();
        Ok(self)
    }

    /// What looks at the account as far as it is closed, region by region.
    pub(super) fn audit(&self, metrics: &Metrics) -> Audit {
        let closed = self.closed.subscribe();
        let closed = move || -> Vec<(String, Timestamp)> {
            closed.borrow().0.iter().map(|(region, at)| (region.clone(), *at)).collect()
        };
        let horizon = Horizon::Regions(Box::new(closed));
        Audit::new((self.store.clone(), metrics.clone()), horizon, SystemClock.now())
    }

    fn tell_closed(&self) {
        self.closed.send_replace((self.ledger.closed(), self.ledger.dark(SystemClock.now())));
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut told = false;
        while !stop.is_cancelled() {
            match Box::pin(stop.run_until_cancelled(self.attend())).await {
                None => break,
                Some(Ok(())) => told = false,
                Some(Err(fault)) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!("no batches can be read: {fault}");
                    }
                    // What agents send meanwhile is not seen: nobody is dark for that.
                    self.ledger.listen(false, SystemClock.now());
                }
            }
            // Whoever wiped the engine's data took its buckets as well.
            if self.nats.is_connected() {
                prepare(&self.nats, self.replicas, true).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Reads as long as the engine is there and says something.
    async fn attend(&mut self) -> Result<(), Fault> {
        let mut reader = self.nats.read(self.ledger.position, self.ledger.log).await?;
        self.ledger.follow(reader.log());
        let (mut heard, mut declared) = (Instant::now(), Instant::now());
        loop {
            let entries = reader.next(TURN_BATCHES).await?;
            if entries.is_empty() && heard.elapsed() >= SILENCE_MAX {
                self.settle().await?;
                return Ok(());
            }
            if !entries.is_empty() {
                heard = Instant::now();
            }
            for entry in &entries {
                self.take(entry).await?;
            }
            self.ledger.listen(reader.behind() < TURN_BATCHES as u64, SystemClock.now());
            let declare = declared.elapsed() >= DECLARE_EVERY;
            if declare {
                declared = Instant::now();
                self.flush().await?;
                self.declare().await?;
                self.refusals.note(&self.store);
            }
            if declare || !entries.is_empty() {
                self.settle().await?;
            }
        }
    }

    async fn take(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.meet(entry).await?;
        let Judged { records, refused } = self.ledger.judge(entry, SystemClock.now());
        for refused in refused {
            self.refusals.add(refused, Instant::now());
        }
        let doubted = Arc::clone(&self.doubted.borrow());
        for mut record in records {
            mark(&mut record, &doubted);
            self.queue.send(record).await.map_err(|_| gone())?;
        }
        Ok(())
    }

    /// Of a prober that is new here it may be known how far another hub had its batches.
    async fn meet(&mut self, entry: &Entry) -> Result<(), Fault> {
        let Ok(batch) = &entry.batch else { return Ok(()) };
        if self.ledger.knows(&batch.region, &batch.id.from.prober) {
            return Ok(());
        }
        if let Some(confirm) = self.nats.confirmed(&batch.region, &batch.id.from.prober).await? {
            self.ledger.meet(&batch.region, &confirm);
        }
        Ok(())
    }

    async fn flush(&self) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Record::Flush(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Declares what nobody reported.
    async fn declare(&mut self) -> Result<(), Fault> {
        let now = SystemClock.now();
        let due = self.ledger.due(now);
        self.tell_closed();
        let Some(from) = due.values().map(|window| window.from).min() else { return Ok(()) };
        let to = due.values().map(|window| window.to).max().unwrap_or(from);
        let store = self.store.clone();
        let found = tokio::task::spawn_blocking(move || store.unrecorded(from, to, &expected)).await;
        let found = match found.map_err(|error| Fault::Away(error.to_string()))? {
            Ok(found) => found,
            Err(error) => {
                tracing::error!("the ledger cannot be read: {error}");
                return Ok(());
            }
        };
        for missed in self.ledger.misses(&due, &found, now) {
            self.queue.send(Record::Missed(missed)).await.map_err(|_| gone())?;
        }
        self.flush().await?;
        self.ledger.declared(&due);
        self.tell_closed();
        Ok(())
    }

    /// Writes down what is durable, and only then tells the probers.
    async fn settle(&mut self) -> Result<(), Fault> {
        self.flush().await?;
        let text = self.ledger.to_json().to_string();
        let written = tokio::task::block_in_place(|| durable(&self.path, text.as_bytes()));
        if let Err(error) = written {
            tracing::error!("{}: {error}; nothing is confirmed", self.path.display());
            return Ok(());
        }
        if !*self.active.borrow() {
            return Ok(());
        }
        let confirms = self.ledger.confirms();
        for (index, (region, confirm)) in confirms.iter().enumerate() {
            if let Err(fault) = self.nats.confirm(region, confirm).await {
                confirms[index..]
                    .iter()
                    .for_each(|(region, confirm)| self.ledger.tell_again(region, confirm));
                return Err(fault);
            }
        }
        Ok(())
    }
}

/// Marks a run of an agent that most of its peers do not reach.
fn mark(record: &mut Record, doubted: &Unvouched) {
    let (Record::Event(event) | Record::Late(event)) = record else { return };
    if doubted.is_empty() || !event.verdict().is_eligible() {
        return;
    }
    let by = (event.origin.stream.region.to_string(), event.origin.prober.to_string());
    if doubted.contains(&by) {
        Arc::make_mut(event).outcome.marks.push(Mark::Unvouched);
    }
}

fn gone() -> Fault {
    Fault::Away("the store's writer has ended".to_owned())
}

#[cfg(test)]
mod tests {
    use model::outcome::{Outcome, Reason};
    use model::time::Timestamp;

    use super::*;
    use crate::agent::sample;

    fn of(prober: &str, reason: Reason) -> Record {
        let origin = sample::origin("shop", "eu", prober);
        Record::Late(Arc::new(sample::event(&origin, Timestamp::default(), Outcome::empty(reason))))
    }

    #[test]
    fn only_what_counts_and_nobody_vouches_for_is_marked() {
        let doubted: Unvouched = Arc::new([("eu".to_owned(), "eu-1".to_owned())].into());
        for (prober, reason, expected) in [
            ("eu-1", Reason::Failed, true),
            ("eu-1", Reason::Ok, true),
            ("eu-1", Reason::ProberFault, false),
            ("eu-2", Reason::Failed, false),
        ] {
            let mut record = of(prober, reason);
            mark(&mut record, &doubted);
            let Record::Late(event) = record else { unreachable!("it was one") };
            assert_eq!(event.outcome.marks.contains(&Mark::Unvouched), expected, "{prober} {reason}");
        }
    }
}
