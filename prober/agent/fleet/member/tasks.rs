//! What an agent has running beside its parts: its seats, the sets it hears of, the publisher, its looks at peers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use fleet::assign::{Layout, SHARDS};
use fleet::nats::Nats;
use fleet::{Beat, Shard, StoredManifest, Token};
use probe::Anchor;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::AgentSettings;
use crate::agent::fleet::peers::Peers;
use crate::agent::fleet::publish::{Owned, Publisher};
use crate::agent::fleet::seats::{Seats, Turn};
use crate::agent::fleet::sets::hear_sets;
use crate::agent::fleet::tenures::Tenures;
use crate::agent::parts::Parts;
use crate::exit::Stop;

/// The tasks of an agent beside the parts, and what ends them.
pub(super) struct Tasks {
    pub(super) seats: JoinSet<()>,
    pub(super) sets: JoinSet<()>,
    pub(super) publisher: JoinSet<()>,
    /// Gives all work away.
    pub(super) drain: CancellationToken,
    pub(super) stop: CancellationToken,
    /// Sends what is left.
    pub(super) finish: CancellationToken,
}

pub(super) type Running = (Tasks, mpsc::Receiver<Turn>, mpsc::Receiver<StoredManifest>);

impl Tasks {
    pub(super) fn start(
        nats: &Nats,
        (layout, me, zone, before): (Layout, Beat, String, BTreeMap<Shard, Token>),
        (about, replicas): (watch::Receiver<Value>, watch::Receiver<u16>),
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
        let seats = seats.of_last_life(before).with_replicas(replicas);
        made.seats.spawn(seats.run(made.stop.clone()));
        made.sets.spawn(hear_sets(nats.clone(), region, manifest, made.stop.clone()));
        made.publisher.spawn(publisher.run(made.finish.clone()));
        (made, turns, manifests)
    }
}

/// What sends the events of an agent.
pub(super) fn publisher(
    nats: &Nats,
    parts: &Parts,
    (region, me): (&str, &Beat),
    (owned, tenures): (watch::Receiver<Owned>, Arc<Mutex<Tenures>>),
    queue: &mpsc::Sender<store::Record>,
) -> Publisher<Nats> {
    Publisher {
        engine: nats.clone(),
        store: parts.store.clone(),
        region: region.to_owned(),
        shards: SHARDS,
        me: me.clone(),
        tenures,
        owned,
        gauges: Arc::clone(&parts.gauges),
        queue: queue.downgrade(),
        numbers: Arc::default(),
    }
}

/// Starts what looks at other agents, and answers them if it is told where.
pub(super) async fn start_peers(
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
