//! Who probes what: joins the region, and claims, gives and takes shards as the assignment says.
//!
//! Without the engine nothing changes: nobody can take what is owned here, so it goes on. What has side effects does not: see
//! [`effects`].

mod effects;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::assign::{Layout, Move, View};
use fleet::{Beat, Change, Fault, Member, Owner, Ownership, OwnershipWatch as _, Shard, Token};
use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::HANDOVER;
use effects::Effects;
use world::{Known, World};

pub(super) use effects::Leases;

/// How often a member says that it is alive.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How often a membership is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often the assignment is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a newcomer listens who is there before it acts.
const LISTEN: Duration = Duration::from_millis(1_500);
/// Changes that come within this time are one turn.
const TOGETHER: Duration = Duration::from_millis(50);
/// How long a prober that starts waits for the engine before it goes on with what its last life owned.
const ALONE_AFTER: Duration = Duration::from_secs(3);
/// How long after a fault the engine is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What is owned from some time on.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// Every shard that is owned then.
    pub(super) owned: BTreeMap<Shard, Token>,
    /// Until when work with side effects may begin: one for each of those shards.
    pub(super) leases: Leases,
    /// The first slot of it.
    pub(super) at: Timestamp,
}

/// Claims, gives and takes.
pub(super) struct Seats<E> {
    pub(super) engine: E,
    pub(super) layout: Layout,
    pub(super) me: Beat,
    pub(super) zone: String,
    /// What else the member says of itself.
    pub(super) about: watch::Receiver<Value>,
    /// Told of every change; full = this waits.
    pub(super) turns: mpsc::Sender<Turn>,
    /// Gives everything away, and ends when nothing is left or nobody is there to take it.
    pub(super) drain: CancellationToken,
    /// How many replicas the set that holds asks for; `None` where that never changes.
    replicas: Option<watch::Receiver<u16>>,
    mine: BTreeMap<Shard, Token>,
    effects: Effects,
    /// Whether the engine was there since the start.
    was_there: bool,
}

impl<E: Ownership> Seats<E> {
    pub(super) fn new(
        engine: E,
        (layout, me, zone): (Layout, Beat, String),
        about: watch::Receiver<Value>,
        turns: mpsc::Sender<Turn>,
        drain: CancellationToken,
    ) -> Self {
        let (mine, effects, was_there) = (BTreeMap::new(), Effects::new(), false);
        Self { engine, layout, me, zone, about, turns, drain, replicas: None, mine, effects, was_there }
    }

    /// The same, with as many replicas as are told from now on: another set may ask for more or fewer.
    pub(super) fn with_replicas(self, replicas: watch::Receiver<u16>) -> Self {
        Self { replicas: Some(replicas), ..self }
    }

    /// The same, with what this prober's last life owned: as long as the engine is away it goes on with that.
    pub(super) fn of_last_life(self, mine: BTreeMap<Shard, Token>) -> Self {
        Self { mine, ..self }
    }

    /// Takes part until `stop`, or until it has given everything away.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let (mut told, began, mut alone) = (false, Instant::now(), false);
        loop {
            match stop.run_until_cancelled(self.attend()).await {
                None | Some(Ok(())) => break,
                Some(Err(fault)) if !std::mem::replace(&mut told, true) => {
                    tracing::warn!("the fleet cannot be reached; what is owned goes on: {fault}");
                }
                Some(Err(fault)) => tracing::debug!("the fleet cannot be reached: {fault}"),
            }
            if self.drain.is_cancelled() {
                break;
            }
            if !self.was_there && !self.mine.is_empty() && began.elapsed() >= ALONE_AFTER && !alone {
                alone = true;
                tracing::warn!(
                    shards = self.mine.len(),
                    "nobody can be asked: the work from before the restart goes on"
                );
                self.turn(SystemClock.now()).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
        // As long as nothing says that it is gone, nobody takes what has side effects and may still be going here.
        if self.mine.keys().any(|seat| self.layout.has_effects(*seat)) {
            return;
        }
        let left = self.engine.leave(&self.layout.region, &self.me.prober);
        if let Ok(Err(fault)) = tokio::time::timeout(RENEW_EVERY, left).await {
            tracing::debug!("the fleet was not told of the end: {fault}");
        }
    }

    fn member(&self) -> Member {
        let mut about = self.about.borrow().clone();
        if !about.is_object() {
            about = json!({});
        }
        about["region"] = (*self.layout.region).into();
        about["zone"] = self.zone.as_str().into();
        about["draining"] = self.drain.is_cancelled().into();
        about["shards"] = self.mine.len().into();
        Member { who: self.me.clone(), about: about.to_string().into() }
    }

    /// Takes part as long as the engine is there.
    async fn attend(&mut self) -> Result<(), Fault> {
        let region = Arc::clone(&self.layout.region);
        self.renew().await?;
        let mut watch = self.engine.watch_owners(&region).await?;
        let mut world = World::new();
        loop {
            match watch.next().await? {
                Change::Settled => break,
                Change::Owner(owner) => {
                    drop(world.owners.insert(owner.shard, Known { owner, since: Timestamp::default() }));
                }
                Change::Member(member) => world.note_member(&member),
                Change::Gone(prober) => drop(world.members.remove(&prober)),
                Change::Beat(who) => world.note_beat(&who),
            }
        }
        self.compare(&mut world).await?;
        let settled = Instant::now();
        let (mut renewed, mut beaten, mut draining) = (Instant::now(), None::<Instant>, false);
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                change = watch.next() => self.hear(&mut world, &mut watch, change?).await?,
                _ = look.tick() => {
                    let drain_now = self.drain.is_cancelled() && !std::mem::replace(&mut draining, self.drain.is_cancelled());
                    if drain_now || renewed.elapsed() >= RENEW_EVERY {
                        renewed = Instant::now();
                        if self.renew().await? {
                            // Others may own what was owned here: all of it is looked at anew.
                            return Err(Fault::Away("the membership was renewed too late".to_owned()));
                        }
                        world.note_member(&self.member());
                    }
                    if beaten.is_none_or(|at| at.elapsed() >= BEAT_EVERY) {
                        beaten = Some(Instant::now());
                        self.engine.beat(&region, &self.me).await?;
                        world.note_beat(&self.me.clone());
                    }
                    if settled.elapsed() >= LISTEN {
                        self.act(&mut world).await?;
                    }
                    if draining && self.is_done(&world) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Renews the membership, and with it the term; says whether that began anew, because the last one had ended.
    async fn renew(&mut self) -> Result<bool, Fault> {
        let (sent, region) = (Instant::now(), Arc::clone(&self.layout.region));
        self.engine.renew(&region, &self.member()).await?;
        Ok(self.effects.renewed(sent))
    }

    /// Whether nothing is left to give, or nobody is there to take it.
    fn is_done(&self, world: &World) -> bool {
        let others = world.candidates();
        self.mine.is_empty() || others.iter().all(|member| member.draining || *member.name == *self.me.prober)
    }

    /// Compares what is owned here with what the engine says, after a time without it.
    async fn compare(&mut self, world: &mut World) -> Result<(), Fault> {
        let region = Arc::clone(&self.layout.region);
        let before = self.mine.clone();
        // What was given away without an answer may be owned here after all: under a new lease.
        self.effects.forget_given();
        for seat in before.keys() {
            if world.owners.contains_key(seat) {
                continue;
            }
            // The engine lost its data. Nobody else owns this, so it is claimed again and goes on.
            match self.engine.claim(&region, *seat, None, Some(&self.me)).await {
                Ok(token) => self.won(world, *seat, token),
                Err(Fault::Conflict) => drop(self.mine.remove(seat)),
                Err(fault) => return Err(fault),
            }
        }
        self.reclaim(world).await?;
        self.was_there = true;
        for (seat, known) in &world.owners {
            // A claim whose answer was lost is ours as well; what may still be another's is not.
            let token = known.owner.token;
            if known.owner.holder.as_ref() == Some(&self.me) && !self.effects.is_unsure(*seat) {
                // Given before this was looked at: until the border it is the giver's.
                if self.mine.insert(*seat, token) != Some(token) {
                    self.effects.gained(*seat, border(token));
                }
            } else {
                self.mine.remove(seat);
            }
        }
        if self.mine != before || (self.effects.is_new() && !self.mine.is_empty()) {
            self.turn(SystemClock.now()).await;
        }
        Ok(())
    }

    /// Claims what this prober's earlier lives still own: nobody took it, so nobody has to be waited for.
    async fn reclaim(&mut self, world: &mut World) -> Result<(), Fault> {
        let earlier = |known: &&Known| {
            let holder = known.owner.holder.as_ref();
            holder.is_some_and(|holder| holder.prober == self.me.prober && holder.boot < self.me.boot)
        };
        let ours: Vec<_> = world.owners.values().filter(earlier).map(|known| known.owner.clone()).collect();
        for Owner { shard, token, .. } in ours {
            match self.engine.claim(&self.layout.region, shard, Some(token), Some(&self.me)).await {
                Ok(token) => self.won(world, shard, token),
                Err(Fault::Conflict) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn won(&mut self, world: &mut World, seat: Shard, token: Token) {
        self.mine.insert(seat, token);
        let owner = Owner { shard: seat, token, holder: Some(self.me.clone()) };
        world.owners.insert(seat, Known { owner, since: SystemClock.now() });
    }

    /// Notes a change and those that come with it: work comes shard by shard, and is begun together.
    async fn hear(&mut self, world: &mut World, watch: &mut E::Watch, first: Change) -> Result<(), Fault> {
        let mut at = self.note(world, first);
        let end = tokio::time::Instant::now() + TOGETHER;
        let mut broken = Ok(());
        while at.is_some() && broken.is_ok() {
            match tokio::time::timeout_at(end, watch.next()).await {
                Err(_) => break,
                // What begins too soon runs twice, which the ledger knows; what begins too late is missed.
                Ok(Ok(change)) => at = at.into_iter().chain(self.note(world, change)).min(),
                Ok(Err(fault)) => broken = Err(fault),
            }
        }
        if let Some(at) = at {
            self.turn(at).await;
        }
        broken
    }

    /// Notes a change; gives from when something else is owned here, if it is.
    fn note(&mut self, world: &mut World, change: Change) -> Option<Timestamp> {
        match change {
            Change::Member(member) => world.note_member(&member),
            Change::Gone(prober) => drop(world.members.remove(&prober)),
            Change::Beat(who) => world.note_beat(&who),
            Change::Settled => {}
            Change::Owner(owner) => {
                if world.token(owner.shard).is_some_and(|known| known >= owner.token) {
                    return None;
                }
                let (seat, token) = (owner.shard, owner.token);
                let ours = owner.holder.as_ref() == Some(&self.me);
                if ours && self.layout.has_effects(seat) {
                    self.effects.hear_own(seat, world);
                }
                world.owners.insert(seat, Known { owner, since: SystemClock.now() });
                if ours && self.effects.is_unsure(seat) {
                    return None;
                }
                if ours {
                    // Others that come with it may begin sooner.
                    self.effects.gained(seat, border(token));
                    self.mine.insert(seat, token);
                    return Some(border(token));
                }
                if self.mine.remove(&seat).is_some() {
                    tracing::warn!(shard = %seat, "somebody else took a shard from here");
                    return Some(SystemClock.now());
                }
            }
        }
        None
    }

    /// Does what the assignment says now.
    async fn act(&mut self, world: &mut World) -> Result<(), Fault> {
        if let Some(replicas) = &self.replicas {
            self.layout.replicas = *replicas.borrow();
        }
        let (members, held) = (world.candidates(), world.held());
        let view = View { layout: &self.layout, members: &members, held: &held, now: SystemClock.now() };
        let mut moves = view.moves(&self.me.prober);
        self.leave_what_may_go_on(world, &mut moves).await?;
        let (mut taken, mut given) = (false, None::<Token>);
        let mut kept = self.mine.clone();
        for step in moves {
            let (seat, known) = (step.seat(), world.token(step.seat()));
            let holder = match &step {
                Move::Take(_) => Some(self.me.clone()),
                Move::Give { to, .. } => {
                    world.members.get(&**to).map(|seen| Beat { prober: to.to_string(), boot: seen.boot })
                }
                Move::Release(_) => None,
            };
            let region = Arc::clone(&self.layout.region);
            self.before_claim(&step, world);
            let token = match self.engine.claim(&region, seat, known, holder.as_ref()).await {
                Ok(token) => token,
                // Somebody was quicker, and the watch says who.
                Err(Fault::Conflict) => {
                    self.effects.lost(seat);
                    continue;
                }
                Err(fault) => {
                    self.settle(taken, given, kept).await;
                    self.drop_given(&step).await;
                    return Err(fault);
                }
            };
            if !matches!(step, Move::Take(_)) {
                self.mine.remove(&seat);
                self.effects.given(seat, border(token));
                given = given.max(Some(token));
            } else if !self.layout.has_effects(seat) {
                self.mine.insert(seat, token);
                kept.insert(seat, token);
                taken = true;
            }
            let owner = Owner { shard: seat, token, holder };
            world.owners.insert(seat, Known { owner, since: SystemClock.now() });
        }
        let sure = self.make_sure(world).await;
        if let Ok(sure) = &sure {
            taken |= !sure.is_empty();
            kept.extend(sure);
        }
        self.settle(taken, given, kept).await;
        sure.map(drop)
    }

    /// Tells of what was taken at once, and of what was given when the new owners begin.
    async fn settle(&mut self, taken: bool, given: Option<Token>, with_given: BTreeMap<Shard, Token>) {
        if taken {
            self.tell(with_given, SystemClock.now()).await;
        }
        if let Some(token) = given {
            self.turn(border(token)).await;
        }
    }

    async fn turn(&mut self, at: Timestamp) {
        self.tell(self.mine.clone(), at).await;
    }

    async fn tell(&mut self, owned: BTreeMap<Shard, Token>, at: Timestamp) {
        let with_effects = owned.keys().copied().filter(|seat| self.layout.has_effects(*seat));
        let leases = self.effects.leases(with_effects);
        // Whoever listens has gone only when the process is ending.
        let _gone = self.turns.send(Turn { owned, leases, at }).await;
    }
}

/// The first instant of a tenure that was given: a token is also the time of its claim.
pub(super) fn border(token: Token) -> Timestamp {
    Timestamp::from_millis(i64::try_from(token.0).unwrap_or(i64::MAX)).plus(HANDOVER)
}

#[cfg(test)]
mod tests;
