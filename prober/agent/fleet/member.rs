//! The parts of an agent, and the order in which they end: seats → runner → store → publisher.

mod tasks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dashboard::{FleetView, Readiness};
use fleet::manifest::Manifest;
use fleet::nats::Nats;
use fleet::{Beat, Ownership as _, StoredManifest};
use model::time::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::begin::{Begun, begin, client, manager, nothing_to_reload, until_begun};
use super::kept::{Checked, Kept};
use super::probing::Probing;
use super::publish::{CURSOR, Numbers};
use super::refusals::Refusals;
use super::seats::Turn;
use super::servers::{Looks, start_looking};
use super::sets::{Compiler, first_set, not_here, refused};
use super::shown::{member_view, words};
use super::tenures::Tenures;
use super::{Settings, engine, environment, layout, only_probing};
use crate::agent::load::Loaded;
use crate::agent::parts::{Parts, ReloadRequest};
use crate::agent::self_test;
use crate::agent::serve::{audit, in_flight_max, open_store, second};
use crate::agent::shutdown::{Asked, Signals};
use crate::exit::{Exit, Stop};
use tasks::{Tasks, publisher, start_peers};

/// What only an agent is told.
pub(crate) struct AgentSettings {
    pub(crate) region: String,
    /// What fails together with this machine; empty if nobody says.
    pub(crate) zone: String,
    pub(crate) in_flight: Option<usize>,
    /// Where other agents look whether this one answers.
    pub(crate) peer_listen: Option<SocketAddr>,
}

/// How long before a set holds the runner is told of it.
const AHEAD: Duration = Duration::from_secs(1);
/// How long others may take to take what this one gives.
const GIVE_MAX: Duration = Duration::from_secs(15);
/// How long the engine may take to be told of the end.
const LEAVE_MAX: Duration = Duration::from_secs(5);
/// How long an agent keeps events that the ledger has.
const STORED: Duration = Duration::from_hours(48);
/// How often a member's words about itself are brought up to date.
const ABOUT_EVERY: Duration = Duration::from_secs(2);

/// Probes for a region until a signal; the second signal ends at once.
pub(crate) async fn agent(
    settings: Settings,
    agent: AgentSettings,
    started: impl FnOnce(SocketAddr, &Loaded),
) -> Result<Exit, Stop> {
    let mut signals = Signals::new().map_err(|error| Stop::environment(format!("signals: {error}")))?;
    let notify = manager(&settings.systemd)?;
    names_fit(&agent.region, &settings.id)?;
    let nats = engine::connect(&settings.engine, &settings.id).await?;
    engine::refuse_old(&nats).await?;
    let folder = settings.data.join("fleet");
    one_name(&folder, &settings.id)?;
    let kept = Kept::open(folder.join("set"), settings.trust.clone(), &agent.region).map_err(environment)?;
    let first = until_begun(&notify, &mut signals, Box::pin(first_set(&nats, &kept))).await;
    let Some(first) = first else { return Ok(Exit::Good) };
    let starting = Box::pin(Member::start(settings, &agent, (nats, kept, first), started));
    let mut member = notify.beating(starting).await?;
    let work = format!("probes for the region {}", agent.region);
    notify.ready_to(&work);
    notify.beating(Box::pin(member.serve(&mut signals, || nothing_to_reload(&notify, &work)))).await?;
    tracing::info!("stopping; a second signal ends at once");
    notify.stopping();
    tokio::select! {
        stopped = notify.beating(member.end()) => stopped.map(|()| Exit::Good),
        () = second(&mut signals) => Ok(Exit::Interrupted),
    }
}

/// The hub has all events: they stay here as long as they might be asked for again.
fn stored_for_a_while(mut loaded: Loaded) -> Loaded {
    let keep = loaded.project.store.keep.map_or(STORED, |keep| keep.min(STORED));
    loaded.project.store.keep = Some(keep);
    loaded
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
    pending: Option<Ready>,
    turns: mpsc::Receiver<Turn>,
    manifests: mpsc::Receiver<StoredManifest>,
    tasks: Tasks,
    about: watch::Sender<Value>,
    looks: Looks,
    /// What it says of its peers.
    peers: watch::Receiver<Value>,
    me: Beat,
    sets_refused: u64,
    refusals: Refusals,
    /// The version of the set that holds.
    version: u64,
    /// How many replicas it asks for.
    replicas: watch::Sender<u16>,
    numbers: Arc<Numbers>,
}

/// A set that is compiled.
struct Ready {
    set: Checked,
    loaded: Loaded,
}

impl Member {
    async fn start(
        settings: Settings,
        agent: &AgentSettings,
        (nats, mut kept, first): (Nats, Kept, Checked),
        started: impl FnOnce(SocketAddr, &Loaded),
    ) -> Result<Self, Stop> {
        let compiler = Compiler::new(Some(agent.region.clone()), &settings.id, settings.vault);
        let (loader, loaded) = compiler.compile(&kept, &first).await.map_err(Stop::environment)?;
        let loaded = stored_for_a_while(only_probing(loaded));
        kept.keep(&first).map_err(environment)?;
        let opened = open_store(settings.data.clone(), &loaded, Some(CURSOR)).await?;
        let pages = (settings.listen, settings.pages);
        let in_flight = in_flight_max(agent.in_flight);
        let begun = begin(pages, opened, (loader, &loaded, client().await?), in_flight).await?;
        let Begun { mut parts, reloads, queue, address, from } = begun;
        audit(&mut parts, from);
        started(address, &loaded);
        let tenures = Tenures::open(&settings.data.join("fleet/tenures"), SystemClock.now());
        let tenures = Arc::new(Mutex::new(tenures.map_err(environment)?));
        let boot = parts.store.boots().map_err(environment)?;
        let me = Beat { prober: settings.id.clone(), boot };
        let owned = watch::Sender::new(Arc::new(BTreeMap::new()));
        let work = (owned.subscribe(), Arc::clone(&tenures));
        let publisher = publisher(&nats, &parts, (&agent.region, &me), work, &queue);
        // The runner's is the last way into the store: the writer ends with it.
        drop(queue);
        let (about, numbers) = (watch::Sender::new(json!({})), Arc::clone(&publisher.numbers));
        let before = tenures.lock().expect("no holder panics").owned();
        let replicas = watch::Sender::new(loaded.project.replicas(&agent.region));
        let here = (layout(&agent.region, *replicas.borrow()), me.clone(), agent.zone.clone(), before);
        let told = (about.subscribe(), replicas.subscribe());
        let (mut tasks, turns, manifests) = Tasks::start(&nats, here, told, publisher);
        let who = (&nats, agent.region.as_str(), me.prober.as_str());
        let looks = start_looking(&mut tasks.sets, who, &parts.doubts, &tasks.stop);
        let peers = start_peers(&mut tasks, (&nats, &parts), &me, agent).await?;
        self_test::begin(&mut parts).await;
        let probing = Probing::new(loaded.entries.clone(), owned, tenures, first.manifest.effective);
        parts.apply_entries(loaded, Some((Vec::new(), None))).await.map_err(Stop::environment)?;
        parts.readiness.send_replace(Readiness::Ready);
        let version = first.manifest.version.0;
        Ok(Self {
            nats,
            parts,
            reloads,
            kept,
            compiler,
            probing,
            pending: None,
            turns,
            manifests,
            tasks,
            about,
            looks,
            peers,
            refusals: Refusals::new(&me.prober),
            me,
            sets_refused: 0,
            version,
            replicas,
            numbers,
        })
    }

    /// Takes what comes until a signal, or until the store's writer has ended.
    async fn serve(&mut self, signals: &mut Signals, reload: impl Fn()) -> Result<(), Stop> {
        let mut look = tokio::time::interval(ABOUT_EVERY);
        while !self.parts.writer.is_finished() {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop => return Ok(()),
                    Asked::Reload => reload(),
                },
                Some(turn) = self.turns.recv() => self.probing.turn(&self.parts, turn).await?,
                Some(shown) = self.manifests.recv() => self.fetch(&shown).await,
                () = holds(self.pending.as_ref().map(|ready| &ready.set)) => self.renew().await,
                Some(request) = self.reloads.recv() => drop(request.send(not_here())),
                _ = look.tick() => self.say(),
            }
        }
        Ok(())
    }

    /// Fetches a set and compiles it at once: when it holds, nothing is left that takes its time.
    async fn fetch(&mut self, shown: &StoredManifest) {
        let set = match self.kept.fetch(&self.nats, shown).await {
            Ok(Some(set)) => set,
            Ok(None) => return,
            Err(refusal) => return self.refuse(&refusal.to_string()),
        };
        let known = self.pending.as_ref().map(|ready| ready.set.manifest.version);
        if known == Some(set.manifest.version) {
            return;
        }
        match self.compiler.compile(&self.kept, &set).await {
            Ok((_, loaded)) => {
                let Manifest { version, effective, .. } = &set.manifest;
                tracing::info!(%version, from = %effective, "a scenario set is ready to hold");
                self.pending = Some(Ready { set, loaded });
            }
            Err(why) => self.refuse(&why),
        }
    }

    async fn renew(&mut self) {
        let Some(Ready { set, loaded }) = self.pending.take() else { return };
        let replicas = loaded.project.replicas(self.kept.region());
        match self.probing.renew(&mut self.parts, loaded, &mut self.kept, &set).await {
            Ok(()) => {
                self.version = set.manifest.version.0;
                self.replicas.send_replace(replicas);
            }
            Err(why) => self.refuse(&why),
        }
    }

    fn refuse(&mut self, why: &str) {
        self.sets_refused += 1;
        self.refusals.add(refused(&self.parts, why), Instant::now());
    }

    fn say(&mut self) {
        self.refusals.note(&self.parts.store);
        let number = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let mut about = words(self.version, self.sets_refused, &self.looks);
        for (name, counter) in [
            ("behind_events", &self.numbers.behind),
            ("waiting_batches", &self.numbers.waiting),
            ("sent_batches", &self.numbers.sent),
            ("unsendable_events", &self.numbers.unsendable),
        ] {
            about[name] = number(counter).into();
        }
        let replicas = *self.replicas.borrow();
        if replicas > 1 {
            about["replicas"] = replicas.into();
        }
        if let Value::Object(peers) = self.peers.borrow().clone() {
            peers.into_iter().for_each(|(name, value)| about[name] = value);
        }
        self.about.send_replace(about.clone());
        // The pages here tell of this agent alone; the hub's tell of all.
        about["region"] = self.kept.region().into();
        about["shards"] = self.probing.shards().into();
        let itself = member_view(&fleet::Member { who: self.me.clone(), about: about.to_string().into() });
        let (id, at, members) = (self.me.prober.clone(), SystemClock.now(), vec![itself]);
        let view = FleetView { role: "agent", id, at, members, regions: Vec::new() };
        self.parts.fleet.send_replace(Some(Arc::new(view)));
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
        // Nothing runs here any more: what is left may be taken at once.
        let left = self.nats.leave(self.kept.region(), &self.me.prober);
        if let Ok(Err(fault)) = tokio::time::timeout(LEAVE_MAX, left).await {
            tracing::debug!("the fleet was not told of the end: {fault}");
        }
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
