//! The parts of an agent, and the order in which they end: seats → runner → store → publisher.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dashboard::{FleetView, Readiness};
use fleet::assign::SHARDS;
use fleet::nats::Nats;
use fleet::{Beat, Shard, StoredManifest, Token};
use model::time::{Clock as _, SystemClock};
use probe::Anchor;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::begin::{Begun, begin, client};
use super::kept::{Checked, Kept};
use super::peers::Peers;
use super::probing::Probing;
use super::publish::{Numbers, Publisher};
use super::seats::{Seats, Turn};
use super::sets::{Compiler, first_set, hear_sets, not_here, refused};
use super::shown::{Offset, compare_clocks, member_view, words};
use super::tenures::Tenures;
use super::{Settings, engine, environment, layout, only_probing};
use crate::agent::load::Loaded;
use crate::agent::parts::{Parts, ReloadRequest};
use crate::agent::self_test;
use crate::agent::serve::{audit, in_flight_max, open_store, second};
use crate::agent::shutdown::{Asked, Signals};
use crate::exit::{Exit, Stop};

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
    offset: watch::Receiver<Offset>,
    /// What it says of its peers.
    peers: watch::Receiver<Value>,
    me: Beat,
    sets_refused: u64,
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
        let mut loaded = only_probing(loaded);
        // The hub has them: they stay here as long as they might be asked for again.
        let keep = loaded.project.store.keep.map_or(STORED, |keep| keep.min(STORED));
        loaded.project.store.keep = Some(keep);
        kept.keep(&first).map_err(environment)?;
        let opened = open_store(settings.data.clone(), &loaded).await?;
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
        let publisher = Publisher {
            engine: nats.clone(),
            store: parts.store.clone(),
            region: agent.region.clone(),
            shards: SHARDS,
            me: me.clone(),
            tenures: Arc::clone(&tenures),
            owned: owned.subscribe(),
            gauges: Arc::clone(&parts.gauges),
            queue: queue.downgrade(),
            numbers: Arc::default(),
        };
        // The runner's is the last way into the store: the writer ends with it.
        drop(queue);
        let (about, numbers) = (watch::Sender::new(json!({})), Arc::clone(&publisher.numbers));
        let before = tenures.lock().expect("no holder panics").owned();
        let here = (layout(&agent.region), me.clone(), agent.zone.clone(), before);
        let (mut tasks, turns, manifests) = Tasks::start(&nats, here, about.subscribe(), publisher);
        let offset = start_comparing(&mut tasks, (&nats, &parts), &me, agent);
        let peers = start_peers(&mut tasks, (&nats, &parts), &me, agent).await?;
        self_test::begin(&mut parts).await;
        let entries = loaded.entries.clone();
        let mine = BTreeMap::new();
        let probing = Probing { entries, mine, owned, tenures, last: first.manifest.effective };
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
            offset,
            peers,
            me,
            sets_refused: 0,
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
                    Err(refusal) => self.refuse(&refusal.to_string()),
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
            Err(why) => self.refuse(&why),
        }
    }

    fn refuse(&mut self, why: &str) {
        self.sets_refused += 1;
        refused(&self.parts, why);
    }

    fn say(&self) {
        let number = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let mut about = words(self.version, self.sets_refused, *self.offset.borrow());
        for (name, counter) in [
            ("behind_events", &self.numbers.behind),
            ("waiting_batches", &self.numbers.waiting),
            ("sent_batches", &self.numbers.sent),
            ("unsendable_events", &self.numbers.unsendable),
        ] {
            about[name] = number(counter).into();
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
        self.tasks.finish.cancel();
        while self.tasks.publisher.join_next().await.is_some() {}
        stopped
    }
}

/// Starts what compares the clock with the servers'.
fn start_comparing(
    tasks: &mut Tasks,
    (nats, parts): (&Nats, &Parts),
    me: &Beat,
    agent: &AgentSettings,
) -> watch::Receiver<Offset> {
    let clock = watch::Sender::new(None);
    let offset = clock.subscribe();
    let who = (nats.clone(), agent.region.clone(), me.prober.clone());
    tasks.sets.spawn(compare_clocks(who, clock, Arc::clone(&parts.doubts), tasks.stop.clone()));
    offset
}

/// Starts what looks at other agents, and answers them if it is told where.
async fn start_peers(
    tasks: &mut Tasks,
    (nats, parts): (&Nats, &Parts),
    me: &Beat,
    agent: &AgentSettings,
) -> Result<watch::Receiver<Value>, Stop> {
    let anchor = match agent.peer_listen {
        Some(at) => {
            let anchor = Anchor::listen_at(at).await;
            Some(anchor.map_err(|error| Stop::environment(format!("cannot listen on {at}: {error}")))?)
        }
        None => None,
    };
    let out = watch::Sender::new(json!({ "answers_at": anchor.as_ref().map(Anchor::at) }));
    let said = out.subscribe();
    let peers = Peers {
        engine: nats.clone(),
        region: agent.region.clone(),
        me: (me.prober.clone(), agent.zone.clone()),
        shared: Arc::clone(&parts.loader.shared),
        anchor,
        out,
    };
    tasks.sets.spawn(peers.run(tasks.stop.clone()));
    Ok(said)
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
        (layout, me, zone, before): (fleet::assign::Layout, Beat, String, BTreeMap<Shard, Token>),
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
        let seats = seats.of_last_life(before);
        made.seats.spawn(seats.run(made.stop.clone()));
        made.sets.spawn(hear_sets(nats.clone(), region, manifest, made.stop.clone()));
        made.publisher.spawn(publisher.run(made.finish.clone()));
        (made, turns, manifests)
    }
}
