//! The parts of a hub: reads batches into the ledger, and judges, alerts and shows what is in it as a single prober does.
//!
//! Of several hubs each keeps a whole ledger of its own; one, by compare-and-set, confirms and alerts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use dashboard::{Readiness, ReloadState};
use fleet::assign::{Layout, SHARDS};
use fleet::nats::Nats;
use fleet::set::ALL_REGIONS;
use fleet::{Beat, StoredManifest};
use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use store::{Opened, Store};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::begin::{Begun, begin, client, manager, nothing_to_reload, until_begun};
use super::ingest::{Ingest, prepare};
use super::kept::{Checked, Kept};
use super::ledger::{Closed, Ledger, Numbers, Planned};
use super::peers::Unvouched;
use super::refusals::Refusals;
use super::seats::{Seats, Turn};
use super::seeds::Seeds;
use super::servers::{Looks, start_looking};
use super::sets::{Compiler, first_set, hear_sets, not_here, refused};
use super::shown::{watch_fleet, words};
use super::{HUBS, Settings, engine, environment};
use crate::agent::alerts;
use crate::agent::load::Loaded;
use crate::agent::parts::{Parts, ReloadRequest};
use crate::agent::serve::{OpenStore, enter, second, settle};
use crate::agent::shutdown::{Asked, Signals};
use crate::exit::{Exit, Stop};

/// What the service manager is told of a hub.
const WORK: &str = "keeps the account of its fleet";
/// How often it is looked at whether the store still writes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Regions whose account a hub tells others of.
const REGIONS_TOLD: usize = 40;

/// Keeps the account until a signal; the second signal ends at once.
pub(crate) async fn hub(
    settings: Settings,
    replicas: usize,
    started: impl FnOnce(SocketAddr, &Loaded),
) -> Result<Exit, Stop> {
    let mut signals = Signals::new().map_err(|error| Stop::environment(format!("signals: {error}")))?;
    let notify = manager(&settings.systemd)?;
    let nats = engine::connect(&settings.engine, &settings.id).await?;
    engine::refuse_old(&nats).await?;
    let folder = settings.data.join("fleet/set");
    let kept = Kept::open(folder, settings.trust.clone(), ALL_REGIONS).map_err(environment)?;
    let prepared = async {
        prepare(&nats, replicas, kept.load().is_ok_and(|found| found.is_some())).await;
        first_set(&nats, &kept).await
    };
    let first = until_begun(&notify, &mut signals, Box::pin(prepared)).await;
    let Some(first) = first else { return Ok(Exit::Good) };
    let starting = Box::pin(Hub::start(settings, replicas, (nats, kept, first), started));
    let mut hub = notify.beating(starting).await?;
    notify.ready_to(WORK);
    notify.beating(Box::pin(hub.serve(&mut signals, || nothing_to_reload(&notify, WORK)))).await;
    tracing::info!("stopping; a second signal ends at once");
    notify.stopping();
    tokio::select! {
        stopped = notify.beating(hub.end()) => stopped.map(|()| Exit::Good),
        () = second(&mut signals) => Ok(Exit::Interrupted),
    }
}

/// A hub while it runs.
struct Hub {
    nats: Nats,
    parts: Parts,
    reloads: mpsc::Receiver<ReloadRequest>,
    kept: Kept,
    compiler: Compiler,
    book: Book,
    turns: mpsc::Receiver<Turn>,
    manifests: mpsc::Receiver<StoredManifest>,
    active: watch::Sender<bool>,
    told: Told,
    ingesting: JoinSet<()>,
    /// Seats and sets.
    rest: JoinSet<()>,
    stop: CancellationToken,
}

impl Hub {
    async fn start(
        settings: Settings,
        replicas: usize,
        (nats, mut kept, first): (Nats, Kept, Checked),
        started: impl FnOnce(SocketAddr, &Loaded),
    ) -> Result<Self, Stop> {
        let compiler = Compiler::new(None, &settings.id, settings.vault);
        let client = client().await?;
        let (loader, mut loaded) = compiler.compile(&kept, &first).await.map_err(Stop::environment)?;
        loader.equip(&mut loaded, &client)?;
        kept.keep(&first).map_err(environment)?;
        let opened = open_ledger(settings.data.clone(), &loaded).await?;
        let pages = (settings.listen, settings.pages);
        let Begun { mut parts, reloads, queue, address, .. } =
            begin(pages, opened, (loader, &loaded, client), 1).await?;
        started(address, &loaded);
        let mut book = Book::default();
        book.apply(&mut parts, loaded, &first).await.map_err(Stop::environment)?;
        let (stop, active) = (CancellationToken::new(), watch::Sender::new(false));
        let (numbers, doubted) = (Arc::<Numbers>::default(), watch::Sender::new(Unvouched::default()));
        settle(&mut parts, queue.downgrade(), true);
        let ingest = Ingest {
            nats: nats.clone(),
            doubted: doubted.subscribe(),
            replicas,
            store: parts.store.clone(),
            queue,
            ledger: Ledger::new(Arc::clone(&book.planned), SHARDS, Arc::clone(&numbers)),
            path: settings.data.join("fleet/ledger.json"),
            active: active.subscribe(),
            closed: watch::Sender::default(),
            refusals: Refusals::new(&settings.id),
        };
        let ingest = ingest.take_up()?;
        let (mut ingesting, mut rest) = (JoinSet::new(), JoinSet::new());
        let who = (&nats, "*", settings.id.as_str());
        let looks = start_looking(&mut rest, who, &parts.doubts, &stop);
        let told = Told::new(&book, (numbers, ingest.closed.subscribe()), looks, &settings.id);
        parts.rest.spawn(ingest.audit(&parts.metrics).run(parts.rest_stop.clone()));
        ingesting.spawn(ingest.run(stop.clone()));
        let ((turn, turns), (manifest, manifests)) = (mpsc::channel(16), mpsc::channel(4));
        let held = (settings.data.join("fleet/seeds"), settings.trust);
        let seeds = Seeds::new(nats.clone(), held, parts.store.clone(), settings.id.clone());
        rest.spawn(seeds.run(told.regions.subscribe(), stop.clone()));
        let me = Beat { prober: settings.id, boot: parts.store.boots().map_err(environment)? };
        let (id, regions, shown) =
            (me.prober.clone(), told.regions.subscribe(), (parts.fleet.clone(), doubted));
        rest.spawn(watch_fleet(nats.clone(), id, regions, shown, stop.clone()));
        rest.spawn(seat(&nats, me, told.about.subscribe(), turn, &stop).run(stop.clone()));
        rest.spawn(hear_sets(nats.clone(), ALL_REGIONS.to_owned(), manifest, stop.clone()));
        parts.readiness.send_replace(Readiness::Ready);
        Ok(Self {
            nats,
            parts,
            reloads,
            kept,
            compiler,
            book,
            turns,
            manifests,
            active,
            told,
            ingesting,
            rest,
            stop,
        })
    }

    /// Takes what comes until a signal, or until the store's writer has ended.
    async fn serve(&mut self, signals: &mut Signals, reload: impl Fn()) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        while !self.parts.writer.is_finished() {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => return,
                    Asked::Reload => reload(),
                },
                Some(turn) = self.turns.recv() => self.activate(!turn.owned.is_empty()),
                Some(shown) = self.manifests.recv() => self.renew(&shown).await,
                Some(request) = self.reloads.recv() => drop(request.send(not_here())),
                _ = look.tick() => self.say(),
            }
        }
    }

    fn say(&mut self) {
        self.told.refusals.note(&self.parts.store);
        let told = &self.told;
        let mut about = words(self.book.version, told.sets_refused, &told.looks);
        about["regions"] = told.regions.borrow().as_slice().into();
        // Until a set holds, what agents say of the one before is right.
        if !self.book.replicas.is_empty() && self.book.from <= SystemClock.now() {
            about["replicas"] = json!(self.book.replicas);
        }
        about["ledger"] = told.ledger(*self.active.borrow());
        told.about.send_replace(about);
    }

    fn activate(&mut self, active: bool) {
        tracing::info!(active, "this hub's part");
        self.book.activate(&self.parts, active);
        self.active.send_replace(active);
    }

    async fn renew(&mut self, shown: &StoredManifest) {
        let renewed = match self.kept.fetch(&self.nats, shown).await {
            Ok(None) => return,
            Ok(Some(set)) => self.book.renew(&mut self.parts, &self.compiler, &mut self.kept, &set).await,
            Err(refusal) => Err(refusal.to_string()),
        };
        match renewed {
            Ok(()) => drop(self.told.regions.send_replace(self.book.regions.clone())),
            Err(why) => {
                self.told.sets_refused += 1;
                self.told.refusals.add(refused(&self.parts, &why), Instant::now());
            }
        }
    }

    async fn end(mut self) -> Result<(), Stop> {
        self.stop.cancel();
        // The ledger's way into the store ends with it.
        while self.ingesting.join_next().await.is_some() {}
        drop((self.turns, self.manifests));
        while self.rest.join_next().await.is_some() {}
        self.parts.stop().await
    }
}

/// What takes part in choosing the active hub.
fn seat(
    nats: &Nats,
    me: Beat,
    about: watch::Receiver<Value>,
    turns: mpsc::Sender<Turn>,
    stop: &CancellationToken,
) -> Seats<Nats> {
    let one = Layout { region: HUBS.into(), shards: 1, effects: 0, replicas: 1 };
    Seats::new(nats.clone(), (one, me, String::new()), about, turns, stop.clone())
}

/// Opens the ledger. What is missing in it is not declared here: whoever owned it may still report it.
async fn open_ledger(dir: PathBuf, loaded: &Loaded) -> Result<OpenStore, Stop> {
    let dir = std::path::absolute(&dir).map_err(environment)?;
    let mut config = store::Config::new(dir.clone());
    config.bytes_max = loaded.project.store.bytes_max.unwrap_or(config.bytes_max);
    config.age_max = loaded.project.store.keep.unwrap_or(config.age_max);
    let opened = tokio::task::spawn_blocking(move || Store::open(config, Arc::new(SystemClock))).await;
    let opened: Opened = opened.map_err(environment)?.map_err(environment)?;
    let counted_from = opened.store.cursor_at_end();
    Ok(OpenStore { opened, from: SystemClock.now(), counted_from, dir })
}

/// What a hub says of itself, and from what.
struct Told {
    about: watch::Sender<Value>,
    regions: watch::Sender<Vec<String>>,
    numbers: Arc<Numbers>,
    closed: watch::Receiver<(Closed, Closed)>,
    looks: Looks,
    sets_refused: u64,
    refusals: Refusals,
}

impl Told {
    fn new(
        book: &Book,
        (numbers, closed): (Arc<Numbers>, watch::Receiver<(Closed, Closed)>),
        looks: Looks,
        id: &str,
    ) -> Self {
        let (about, regions) = (watch::Sender::new(json!({})), watch::Sender::new(book.regions.clone()));
        Self { about, regions, numbers, closed, looks, sets_refused: 0, refusals: Refusals::new(id) }
    }

    fn ledger(&self, active: bool) -> Value {
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let numbers = &self.numbers;
        let closed = self.closed.borrow();
        // A member's words are few: of many regions those that are the furthest behind.
        let mut regions: Vec<_> = closed.0.iter().collect();
        regions.sort_by_key(|(_, at)| **at);
        let regions = regions.into_iter().take(REGIONS_TOLD).map(|(region, at)| {
            json!([region, at.as_millis(), closed.1.get(region).map(|since| since.as_millis())])
        });
        json!({
            "active": active,
            "closed_ms": closed.0.values().min().copied().unwrap_or_default().as_millis(),
            "regions": regions.collect::<Vec<_>>(),
            "batches": number(&numbers.batches),
            "batch_bytes": number(&numbers.bytes),
            "records": number(&numbers.records),
            "duplicate_batches": number(&numbers.again),
            "refused_batches": number(&numbers.refused),
            "foreign_records": number(&numbers.foreign),
            "superseded_records": number(&numbers.superseded),
            "unplanned_records": number(&numbers.unplanned),
            "no_owner_slots": number(&numbers.no_owner),
            "dark_slots": number(&numbers.dark),
        })
    }
}

/// The set that is judged.
#[derive(Default)]
struct Book {
    planned: Arc<RwLock<Arc<Planned>>>,
    /// The routes of the set; used by the active hub only.
    routes: alerts::Routes,
    active: bool,
    /// The set's regions.
    regions: Vec<String>,
    /// How many replicas those of them have that have several.
    replicas: BTreeMap<String, u16>,
    /// From when the set holds.
    from: Timestamp,
    /// The set's version.
    version: u64,
}

impl Book {
    async fn renew(
        &mut self,
        parts: &mut Parts,
        compiler: &Compiler,
        kept: &mut Kept,
        set: &Checked,
    ) -> Result<(), String> {
        let (loader, mut loaded) = compiler.compile(kept, set).await?;
        loader.equip(&mut loaded, &parts.client).map_err(|error| error.to_string())?;
        kept.keep(set).map_err(|refusal| refusal.to_string())?;
        enter(&loaded).map_err(|stop| stop.message)?;
        self.apply(parts, loaded, set).await?;
        parts.reload_state.send_replace(ReloadState::Loaded { at: SystemClock.now() });
        tracing::info!(version = %set.manifest.version, from = %set.manifest.effective, "another scenario set holds");
        Ok(())
    }

    /// Expects the set's slots from its time on, and judges by its promises.
    async fn apply(&mut self, parts: &mut Parts, mut loaded: Loaded, set: &Checked) -> Result<(), String> {
        let plans: Vec<_> =
            loaded.entries.iter().map(|entry| (Arc::clone(&entry.origin), entry.cadence.clone())).collect();
        let (store, at) = (parts.store.clone(), set.manifest.effective);
        let written = tokio::task::spawn_blocking(move || store.set_plans(&plans, at)).await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let made = Planned::of(&parts.store.spans(), SHARDS);
        *self.planned.write().expect("no holder panics") = Arc::new(made);
        self.routes = std::mem::take(&mut loaded.routes);
        self.regions = loaded.project.regions().iter().map(ToString::to_string).collect();
        let replicas = self.regions.iter().map(|region| (region.clone(), loaded.project.replicas(region)));
        self.replicas = replicas.filter(|(_, replicas)| *replicas > 1).take(REGIONS_TOLD).collect();
        (self.version, self.from) = (set.manifest.version.0, set.manifest.effective);
        // Targets are reached from the regions, not from here.
        loaded.controls = Arc::default();
        if self.active {
            loaded.routes = Arc::clone(&self.routes);
        }
        parts.apply_entries(loaded, None).await.map(drop)
    }

    /// Alerts, or leaves it to another hub.
    fn activate(&mut self, parts: &Parts, active: bool) {
        self.active = active;
        let routes = if active { Arc::clone(&self.routes) } else { alerts::Routes::default() };
        parts.routes.send_replace(routes);
    }
}
