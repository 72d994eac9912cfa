//! The parts of an agent, and the order in which they end: seats → runner → store → publisher.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dashboard::{Readiness, ReloadState};
use fleet::assign::{SHARDS, shard_of};
use fleet::nats::Nats;
use fleet::{Beat, Shard, StoredManifest, Token};
use model::time::{Clock as _, SystemClock, Timestamp};
use schedule::entry::Entry;
use schedule::runner::Limits;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::kept::{Checked, Kept};
use super::publish::{Numbers, Publisher};
use super::seats::{Seats, Turn};
use super::sets::{Compiler, first_set, hear_sets, not_here, refused};
use super::tenures::Tenures;
use super::{Settings, engine, environment, layout, only_probing};
use crate::agent::alerts;
use crate::agent::load::Loaded;
use crate::agent::parts::{Parts, ReloadRequest};
use crate::agent::serve::{
    GRACE, OpenStore, enter, in_flight_max, listen, open_store, second, start, start_pumping, warm,
};
use crate::agent::shutdown::{Asked, Signals};
use crate::exit::{Exit, Stop};

/// What only an agent is told.
pub(crate) struct AgentSettings {
    pub(crate) region: String,
    /// What fails together with this machine; empty if nobody says.
    pub(crate) zone: String,
    pub(crate) in_flight: Option<usize>,
}

/// How long before a set holds the runner is told of it.
const AHEAD: Duration = Duration::from_secs(1);
/// How long others may take to take what this one gives.
const GIVE_MAX: Duration = Duration::from_secs(15);
/// How often a member's words about itself are brought up to date.
const ABOUT_EVERY: Duration = Duration::from_secs(2);

/// Probes for a region until a signal; the second signal ends at once.
pub(crate) async fn agent(
    settings: Settings,
    agent: AgentSettings,
    started: impl FnOnce(SocketAddr, &Loaded),
) -> Result<Exit, Stop> {
    let mut signals = Signals::new().map_err(|error| Stop::environment(format!("signals: {error}")))?;
    names_fit(&agent.region, &settings.id)?;
    let nats = engine::connect(&settings.engine, &settings.id).await?;
    let folder = settings.data.join("fleet");
    one_name(&folder, &settings.id)?;
    let kept = Kept::open(folder.join("set"), settings.trust.clone(), &agent.region).map_err(environment)?;
    let first = tokio::select! {
        first = first_set(&nats, &kept) => first,
        () = second(&mut signals) => return Ok(Exit::Interrupted),
    };
    let mut member = Member::start(settings, &agent, (nats, kept, first), started).await?;
    member.serve(&mut signals).await?;
    tracing::info!("stopping; a second signal ends at once");
    tokio::select! {
        stopped = member.end() => stopped.map(|()| Exit::Good),
        () = second(&mut signals) => Ok(Exit::Interrupted),
    }
}

fn names_fit(region: &str, id: &str) -> Result<(), Stop> {
    for (what, name) in [("--region", region), ("--id", id)] {
        if !fleet::is_key_part(name) {
            let rule = "in a fleet it is up to 64 of A-Z, a-z, 0-9, - and _";
            return Err(Stop::file(format!("{what} {name}: {rule}")));
        }
    }
    Ok(())
}

/// A data directory belongs to one name: events of another one cannot be sent from it.
fn one_name(folder: &Path, id: &str) -> Result<(), Stop> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Stop::environment(format!("{}: {error}", folder.display())))?;
    let path = folder.join("id");
    match std::fs::read_to_string(&path) {
        Ok(found) if found.trim() != id => {
            let dir = folder.parent().unwrap_or(folder).display();
            Err(Stop::environment(format!(
                "{dir} is the data of `{}`; use --id {} or another directory",
                found.trim(),
                found.trim()
            )))
        }
        Ok(_) => Ok(()),
        Err(_) => super::kept::durable(&path, id.as_bytes()).map_err(environment),
    }
}

/// An agent while it runs.
struct Member {
    nats: Nats,
    parts: Parts,
    reloads: mpsc::Receiver<ReloadRequest>,
    kept: Kept,
    compiler: Compiler,
    probing: Probing,
    /// A set that holds from a time that is still to come.
    pending: Option<Checked>,
    turns: mpsc::Receiver<Turn>,
    manifests: mpsc::Receiver<StoredManifest>,
    tasks: Tasks,
    about: watch::Sender<Value>,
    /// The version of the set that holds.
    version: u64,
    numbers: Arc<Numbers>,
}

/// The tasks of an agent beside the parts, and what ends them.
struct Tasks {
    seats: JoinSet<()>,
    sets: JoinSet<()>,
    publisher: JoinSet<()>,
    /// Gives all work away.
    drain: CancellationToken,
    stop: CancellationToken,
    /// Sends what is left.
    finish: CancellationToken,
}

impl Member {
    async fn start(
        settings: Settings,
        agent: &AgentSettings,
        (nats, mut kept, first): (Nats, Kept, Checked),
        started: impl FnOnce(SocketAddr, &Loaded),
    ) -> Result<Self, Stop> {
        let compiler = Compiler {
            region: Some(agent.region.clone()),
            id: settings.id.clone(),
            vault: Arc::new(settings.vault),
            shared: Arc::new(probe::Shared::new(probe::NetConfig::default())),
        };
        let (loader, loaded) = compiler.compile(&kept, &first).await.map_err(Stop::environment)?;
        let loaded = only_probing(loaded);
        kept.keep(&first).map_err(environment)?;
        warm(&loader).await;
        let listener = listen(settings.listen, &settings.pages, &loaded).await?;
        let address = listener.local_addr().map_err(environment)?;
        let opened = open_store(settings.data.clone(), &loaded).await?;
        let queue = opened.opened.queue.downgrade();
        enter(&loaded)?;
        let client = tokio::task::spawn_blocking(alerts::client).await.map_err(environment)?;
        let client = client.map_err(environment)?;
        let limits = Limits { in_flight_max: in_flight_max(agent.in_flight), grace: GRACE };
        let anchor = probe::Anchor::listen().await.map_err(environment)?;
        let OpenStore { opened, from, counted_from, dir } = opened;
        let pumping = start_pumping((&opened.store, from, counted_from), (&loader, &loaded)).await?;
        let (store, pages) = ((opened, from, pumping), (listener, settings.pages, dir));
        let (mut parts, reloads) = start(store, (loader, &loaded, client), limits, (pages, anchor))?;
        started(address, &loaded);
        let tenures = Tenures::open(&settings.data.join("fleet/tenures"), SystemClock.now());
        let tenures = Arc::new(Mutex::new(tenures.map_err(environment)?));
        let boot = parts.store.boots().map_err(environment)?;
        let me = Beat { prober: settings.id.clone(), boot };
        let owned = watch::Sender::new(Arc::new(BTreeMap::new()));
        let publisher = Publisher {
            engine: nats.clone(),
            store: parts.store.clone(),
            region: agent.region.clone(),
            shards: SHARDS,
            me: me.clone(),
            tenures: Arc::clone(&tenures),
            owned: owned.subscribe(),
            gauges: Arc::clone(&parts.gauges),
            queue,
            numbers: Arc::default(),
        };
        let (about, numbers) = (watch::Sender::new(json!({})), Arc::clone(&publisher.numbers));
        let here = (layout(&agent.region), me, agent.zone.clone());
        let (tasks, turns, manifests) = Tasks::start(&nats, here, about.subscribe(), publisher);
        let entries = loaded.entries.clone();
        let probing = Probing { entries, owned, tenures, last: first.manifest.effective };
        parts.apply_entries(loaded, Some((Vec::new(), None))).await.map_err(Stop::environment)?;
        parts.readiness.send_replace(Readiness::Ready);
        let version = first.manifest.version.0;
        let pending = None;
        Ok(Self {
            nats,
            parts,
            reloads,
            kept,
            compiler,
            probing,
            pending,
            turns,
            manifests,
            tasks,
            about,
            version,
            numbers,
        })
    }

    /// Takes what comes until a signal, or until the store's writer has ended.
    async fn serve(&mut self, signals: &mut Signals) -> Result<(), Stop> {
        let mut look = tokio::time::interval(ABOUT_EVERY);
        while !self.parts.writer.is_finished() {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => return Ok(()),
                    Asked::Reload => tracing::info!("the scenario set comes from the fleet; nothing is read again"),
                },
                Some(turn) = self.turns.recv() => self.probing.turn(&self.parts, turn).await?,
                Some(shown) = self.manifests.recv() => match self.kept.fetch(&self.nats, &shown).await {
                    Ok(set) => self.pending = set.or(self.pending.take()),
                    Err(refusal) => refused(&self.parts, &refusal.to_string()),
                },
                () = holds(self.pending.as_ref()) => self.renew().await,
                Some(request) = self.reloads.recv() => drop(request.send(not_here())),
                _ = look.tick() => self.say(),
            }
        }
        Ok(())
    }

    async fn renew(&mut self) {
        let Some(set) = self.pending.take() else { return };
        match self.probing.renew(&mut self.parts, &self.compiler, &mut self.kept, &set).await {
            Ok(()) => self.version = set.manifest.version.0,
            Err(why) => refused(&self.parts, &why),
        }
    }

    fn say(&self) {
        let number = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        self.about.send_replace(json!({
            "build": env!("CARGO_PKG_VERSION"),
            "set": self.version,
            "behind": number(&self.numbers.behind),
            "waiting": number(&self.numbers.waiting),
            "sent": number(&self.numbers.sent),
            "unsendable": number(&self.numbers.unsendable),
        }));
    }

    /// Gives all work away, drains, and sends what is left.
    async fn end(mut self) -> Result<(), Stop> {
        self.tasks.drain.cancel();
        let given = async {
            loop {
                tokio::select! {
                    Some(turn) = self.turns.recv() => self.probing.turn(&self.parts, turn).await?,
                    ended = self.tasks.seats.join_next() => if ended.is_none() { return Ok::<_, Stop>(()) },
                }
            }
        };
        if let Ok(given) = tokio::time::timeout(GIVE_MAX, given).await {
            given?;
        }
        while let Ok(turn) = self.turns.try_recv() {
            self.probing.turn(&self.parts, turn).await?;
        }
        // What was given is probed from here until the others begin.
        tokio::time::sleep(self.probing.last.since(SystemClock.now())).await;
        self.tasks.stop.cancel();
        drop(self.turns);
        drop(self.manifests);
        while self.tasks.seats.join_next().await.is_some() {}
        while self.tasks.sets.join_next().await.is_some() {}
        let stopped = self.parts.stop().await;
        self.tasks.finish.cancel();
        while self.tasks.publisher.join_next().await.is_some() {}
        stopped
    }
}

/// Ends shortly before the set holds; never if there is none.
async fn holds(set: Option<&Checked>) {
    match set {
        Some(set) => tokio::time::sleep(set.manifest.effective.minus(AHEAD).since(SystemClock.now())).await,
        None => std::future::pending().await,
    }
}

type Running = (Tasks, mpsc::Receiver<Turn>, mpsc::Receiver<StoredManifest>);

impl Tasks {
    fn start(
        nats: &Nats,
        (layout, me, zone): (fleet::assign::Layout, Beat, String),
        about: watch::Receiver<Value>,
        publisher: Publisher<Nats>,
    ) -> Running {
        let mut made = Self {
            seats: JoinSet::new(),
            sets: JoinSet::new(),
            publisher: JoinSet::new(),
            drain: CancellationToken::new(),
            stop: CancellationToken::new(),
            finish: CancellationToken::new(),
        };
        let ((turn, turns), (manifest, manifests)) = (mpsc::channel(16), mpsc::channel(4));
        let region = layout.region.to_string();
        let seats = Seats::new(nats.clone(), (layout, me, zone), about, turn, made.drain.clone());
        made.seats.spawn(seats.run(made.stop.clone()));
        made.sets.spawn(hear_sets(nats.clone(), region, manifest, made.stop.clone()));
        made.publisher.spawn(publisher.run(made.finish.clone()));
        (made, turns, manifests)
    }
}

/// What is probed here.
struct Probing {
    /// Every plan of the region's set.
    entries: Vec<Entry>,
    owned: watch::Sender<Arc<BTreeMap<Shard, Token>>>,
    tenures: Arc<Mutex<Tenures>>,
    /// The last border between what was probed and what is.
    last: Timestamp,
}

impl Probing {
    /// Probes from now on what is owned from now on.
    async fn turn(&mut self, parts: &Parts, turn: Turn) -> Result<(), Stop> {
        // Borders never go back: what was handed over stays so.
        let at = turn.at.max(self.last);
        let begun: Vec<_> = {
            let tenures = self.tenures.lock().expect("no holder panics");
            let is_new = |(shard, token): &(&Shard, &Token)| {
                tenures.newest(**shard).is_none_or(|(_, known)| known != **token)
            };
            turn.owned.iter().filter(is_new).map(|(shard, token)| (*shard, *token)).collect()
        };
        tokio::task::block_in_place(|| {
            self.tenures.lock().expect("no holder panics").note(&begun, at).map_err(environment)
        })?;
        tracing::info!(shards = turn.owned.len(), begun = begun.len(), from = %at, "work has changed hands");
        self.owned.send_replace(Arc::new(turn.owned));
        self.run(parts, at).await.map_err(Stop::environment)
    }

    async fn run(&mut self, parts: &Parts, at: Timestamp) -> Result<(), String> {
        self.last = at;
        parts.run(self.mine(), Some(at)).await.map(drop)
    }

    /// The plans of the shards that are owned.
    fn mine(&self) -> Vec<Entry> {
        let (owned, shards) = (Arc::clone(&self.owned.borrow()), SHARDS);
        let here = |entry: &&Entry| {
            let stream = &entry.origin.stream;
            let number = shard_of(&stream.scenario, shards);
            owned.contains_key(&Shard { number, replica: stream.replica })
        };
        self.entries.iter().filter(here).cloned().collect()
    }

    /// Probes another set from its time on; on an error the one from before goes on.
    async fn renew(
        &mut self,
        parts: &mut Parts,
        compiler: &Compiler,
        kept: &mut Kept,
        set: &Checked,
    ) -> Result<(), String> {
        let (_, loaded) = compiler.compile(kept, set).await?;
        let loaded = only_probing(loaded);
        kept.keep(set).map_err(|refusal| refusal.to_string())?;
        enter(&loaded).map_err(|stop| stop.message)?;
        self.entries.clone_from(&loaded.entries);
        self.last = self.last.max(set.manifest.effective);
        parts.apply_entries(loaded, Some((self.mine(), Some(self.last)))).await?;
        parts.reload_state.send_replace(ReloadState::Loaded { at: SystemClock.now() });
        tracing::info!(version = %set.manifest.version, from = %self.last, "another scenario set holds");
        Ok(())
    }
}
