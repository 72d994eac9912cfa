//! What all requests share: the sources, and the bounds on blocking work.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use model::time::Timestamp;
use store::{Account, Health, ReadError, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::access::Door;
use crate::live::Live;
use crate::packed::packed;
use crate::piecewise::Piecewise;
use crate::sources::{Catalogue, Format, ReloadState, Review, Sources};
use crate::view::public::Days;

/// The state of the server.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) sources: Sources,
    /// Whether it listens on a loopback address only.
    pub(crate) is_loopback: bool,
    /// Ends with the server.
    pub(crate) stop: CancellationToken,
    /// The last hour of every stream.
    pub(crate) live: Arc<Live>,
    /// Recognises who is asking.
    pub(crate) door: Door,
    /// Counts of days for the status page.
    pub(crate) days: Arc<Days>,
    /// The last weekly review, and when it was made.
    pub(crate) review: tokio::sync::Mutex<Option<(Instant, Arc<Review>)>>,
    /// Pages that listen for what is new.
    listeners: Arc<Semaphore>,
    /// Reads of the store at once; a full house is answered with 503.
    reads: Arc<Semaphore>,
    /// Pieces of metrics made at once; apart from the reads, so that no page keeps a scrape waiting.
    scrapes: Arc<Semaphore>,
    /// One reload at a time; a second one is answered with 409.
    reloads: Arc<Semaphore>,
    /// One account of the last hour at a time; others show the one before.
    accounts: Arc<Semaphore>,
    hour: Arc<Mutex<Option<Arc<Account>>>>,
}

/// Why a request got no answer of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Too many others are reading.
    #[error("too many requests are reading the store at once")]
    Busy,
    /// It took too long.
    #[error("the answer took longer than {0:?}")]
    Late(Duration),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Our own code failed.
    #[error("the answer could not be made: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// How long a request waits for its turn to read.
const TURN: Duration = Duration::from_secs(2);
/// Pieces of metrics made at once.
const SCRAPES: usize = 2;
/// Pages that listen at once; the others load themselves now and then.
const LISTENERS: usize = 48;
/// The longest that a reload may take.
pub(crate) const RELOAD_MAX: Duration = Duration::from_secs(30);
/// How long a probe on demand may take; its own limit is shorter.
pub(crate) const PROBE_MAX: Duration = Duration::from_secs(130);
/// The window of the account on pages.
const HOUR: Duration = Duration::from_hours(1);
/// How old the account on pages may be before it is made again …
const HOUR_FRESH: Duration = Duration::from_secs(10);
/// … and how old before it is not shown.
const HOUR_USABLE: Duration = Duration::from_mins(5);
/// How long a page waits for it.
const HOUR_WAIT: Duration = Duration::from_secs(1);
/// How long after its timeout a run's event may still be on its way into the store: a bad one is held until it
/// is known whether the prober was at fault.
const ON_ITS_WAY: Duration = Duration::from_secs(30);

impl App {
    pub(crate) fn new(sources: Sources, is_loopback: bool, stop: CancellationToken) -> Self {
        let reads = sources.settings.reads_max.max(1);
        let door = Door::new(sources.settings.access.clone());
        Self {
            sources,
            is_loopback,
            stop,
            live: Arc::default(),
            door,
            days: Arc::default(),
            review: tokio::sync::Mutex::default(),
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            reads: Arc::new(Semaphore::new(reads)),
            scrapes: Arc::new(Semaphore::new(SCRAPES)),
            reloads: Arc::new(Semaphore::new(1)),
            accounts: Arc::new(Semaphore::new(1)),
            hour: Arc::default(),
        }
    }

    /// Whether browsers reach it by TLS.
    pub(crate) const fn is_secure(&self) -> bool {
        self.sources.settings.tls.is_some()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.sources.clock.now()
    }

    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.sources.catalogue.borrow())
    }

    /// How every promise stands.
    pub(crate) fn standings(&self) -> Arc<[slo::standing::Standing]> {
        Arc::clone(&self.sources.standings.borrow())
    }

    /// A place among the pages that listen.
    ///
    /// # Errors
    /// All are taken.
    pub(crate) fn listeners(&self) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Arc::clone(&self.listeners).try_acquire_owned()
    }

    /// Looks into the store on a thread that may block.
    ///
    /// Dropping the future does not stop the look; it keeps its place until it ends, so the bound holds.
    ///
    /// # Errors
    /// No place came free in time, or the store could not be read.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Store) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let place = Arc::clone(&self.reads).acquire_owned();
        let Ok(Ok(place)) = tokio::time::timeout(TURN, place).await else { return Err(Refusal::Busy) };
        let store = self.sources.store.clone();
        let looked = spawn_blocking(move || {
            let found = look(&store);
            drop(place);
            found
        });
        Ok(looked.await??)
    }

    /// The metrics, to be sent piece by piece; the first ones are made already.
    ///
    /// # Errors
    /// No place came free in time.
    pub(crate) async fn metrics(&self, format: Format, gzipped: bool) -> Result<Piecewise, Refusal> {
        let place = Arc::clone(&self.scrapes).acquire_owned();
        let Ok(Ok(place)) = tokio::time::timeout(TURN, place).await else { return Err(Refusal::Busy) };
        let (begin, places) = (Arc::clone(&self.sources.metrics), Arc::clone(&self.scrapes));
        let begun = spawn_blocking(move || {
            let pieces = begin(format);
            let body = Piecewise::begin(if gzipped { packed(pieces) } else { pieces }, places);
            drop(place);
            body
        });
        Ok(begun.await?)
    }

    /// Reads the files again; `None` if that is already going on.
    ///
    /// # Errors
    /// It took longer than [`RELOAD_MAX`].
    pub(crate) async fn reload(&self) -> Result<Option<ReloadState>, Refusal> {
        let Ok(_place) = Arc::clone(&self.reloads).try_acquire_owned() else { return Ok(None) };
        let reloaded = tokio::time::timeout(RELOAD_MAX, (self.sources.reload)()).await;
        reloaded.map(Some).map_err(|_| Refusal::Late(RELOAD_MAX))
    }

    /// The end of the newest window whose slots all have their events; none has its end while the disk fails.
    pub(crate) fn closed(&self, catalogue: &Catalogue) -> Timestamp {
        let longest = catalogue.cards.iter().map(|card| card.timeout).max().unwrap_or_default();
        durable_until(&self.sources.store.health().borrow(), self.now()).minus(longest).minus(ON_ITS_WAY)
    }

    /// How many records wait for a disk that fails; 0 while it does not.
    pub(crate) fn waiting(&self) -> u64 {
        match &*self.sources.store.health().borrow() {
            Health::Ok => 0,
            Health::Failing { .. } => self.sources.store.stats().queue(),
        }
    }

    /// The account of about the last hour; `None` if it is not to be had quickly.
    pub(crate) async fn hour(&self) -> Option<Arc<Account>> {
        let to = self.closed(&self.catalogue());
        let fresh = self.known_hour().filter(|account| to.since(account.to) < HOUR_FRESH);
        if fresh.is_some() {
            return fresh;
        }
        if let Ok(place) = Arc::clone(&self.accounts).try_acquire_owned() {
            let (store, expected) = (self.sources.store.clone(), Arc::clone(&self.sources.expected));
            let hour = Arc::clone(&self.hour);
            let counted = spawn_blocking(move || {
                match store.account(to.minus(HOUR), to, &*expected) {
                    Ok(account) => *hour.lock().expect("no holder panics") = Some(Arc::new(account)),
                    Err(error) => tracing::warn!(%error, "the account of the last hour could not be made"),
                }
                drop(place);
            });
            // A large store takes longer; then this page goes without, and a later one has it.
            let _in_time = tokio::time::timeout(HOUR_WAIT, counted).await;
        }
        self.known_hour().filter(|account| to.since(account.to) < HOUR_USABLE)
    }

    fn known_hour(&self) -> Option<Arc<Account>> {
        self.hour.lock().expect("no holder panics").clone()
    }
}

/// Until when what was recorded is on disk.
fn durable_until(health: &Health, now: Timestamp) -> Timestamp {
    match health {
        Health::Ok => now,
        Health::Failing { since, .. } => now.min(*since),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_closes_while_the_disk_fails() {
        let at = Timestamp::from_seconds;
        let failing = Health::Failing { since: at(100), error: "no space left".to_owned() };
        assert_eq!(durable_until(&Health::Ok, at(500)), at(500));
        assert_eq!(durable_until(&failing, at(500)), at(100));
    }
}
