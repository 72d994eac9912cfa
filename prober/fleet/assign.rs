//! Who probes what: which member of a region should own which seat, and what one member does about it now.
//!
//! A region's scenarios are spread over a fixed number of shards by a hash of their names, and each shard has one
//! seat a replica ([`Shard`] names a seat). Everybody who sees the same members comes to the same answer without talking: the order of the
//! members for a shard is a hash, too (rendezvous hashing), so whoever joins or leaves moves only its own share.
//!
//! Three rules, each a test:
//! 1. no shard has two replicas at one member, and zones are different as long as there are enough of them;
//! 2. a seat whose owner is alive changes hands only by its owner's act, and no more than a tenth of all seats
//!    do so within ten seconds;
//! 3. a seat whose owner is gone is taken at once.
//!
//! Whether the owner of a seat with side effects is surely gone is not known here: whoever acts on [`Move::Take`] finds out.
//!
//! Pure: the members, the seats and the time are handed in. Deliberately absent: how ownership is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use model::time::Timestamp;

use crate::Shard;

/// How many shards a region has unless its layout says otherwise.
pub const SHARDS: u16 = 64;

/// How many more shards there are for scenarios with side effects. They are apart because whoever takes them over waits until
/// their owner has surely stopped, and what only reads need not wait with them.
pub const EFFECT_SHARDS: u16 = 16;

/// The most shards of a region: each has a key in the ownership bucket.
pub const SHARDS_MAX: u16 = 4_096;

/// The most replicas of a shard.
pub const REPLICAS_MAX: u16 = 8;

/// The span in which only a share of the seats changes hands.
pub const MOVES_WITHIN: Duration = Duration::from_secs(10);

/// One of how many seats may change hands within [`MOVES_WITHIN`].
const MOVED_SHARE: usize = 10;

/// Where a region's work is cut; fixed for one generation of a region, as every seat depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The region.
    pub region: Arc<str>,
    /// From 1 to [`SHARDS_MAX`].
    pub shards: u16,
    /// How many more there are behind those, for scenarios with side effects; 0 where nobody has any.
    pub effects: u16,
    /// How many members probe each scenario: from 1 to [`REPLICAS_MAX`].
    pub replicas: u16,
}

/// A member that is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The prober's name, unique in its region.
    pub name: Arc<str>,
    /// What fails together with it; empty if it does not say.
    pub zone: Arc<str>,
    /// Whether it is about to end: it gives everything away and gets nothing.
    pub draining: bool,
}

/// A seat as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which seat.
    pub seat: Shard,
    /// Who owns it, dead or alive.
    pub owner: Arc<str>,
    /// Since when, as far as whoever watches has seen; long ago for what was there before.
    pub taken_at: Timestamp,
}

/// What a member does about one seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Takes a seat that nobody alive owns.
    Take(Shard),
    /// Gives its own seat to `to`.
    Give {
        /// Which seat.
        seat: Shard,
        /// A member that is alive and stays.
        to: Arc<str>,
    },
    /// Lets go of a seat that nobody should own: the layout has fewer than it had.
    Release(Shard),
}

/// The shard of the scenario named `scenario`; `shards` is at least 1.
pub fn shard_of(scenario: &str, shards: u16) -> u16 {
    let hash = first_bytes(&[b"shard", scenario.as_bytes()]);
    let shard = hash % u64::from(shards.max(1));
    u16::try_from(shard).expect("a remainder is below its divisor")
}

/// The shard of a scenario that may have side effects: those lie behind the `shards` of the others.
pub fn place_of(scenario: &str, side_effects: bool, shards: u16) -> u16 {
    if side_effects { shards + shard_of(scenario, EFFECT_SHARDS) } else { shard_of(scenario, shards) }
}

impl Layout {
    /// Every seat, shard by shard.
    pub fn seats(&self) -> impl Iterator<Item = Shard> {
        let replicas = self.replicas;
        (0..self.shards + self.effects)
            .flat_map(move |number| (0..replicas).map(move |replica| Shard { number, replica }))
    }

    /// Whether the layout has this seat.
    pub const fn has(&self, seat: Shard) -> bool {
        seat.number < self.shards + self.effects && seat.replica < self.replicas
    }

    /// Whether the seat is one for scenarios with side effects.
    pub const fn has_effects(&self, seat: Shard) -> bool {
        seat.number >= self.shards && seat.number < self.shards + self.effects
    }

    /// How many seats may change hands within [`MOVES_WITHIN`] while their owners live.
    pub fn moves_max(&self) -> usize {
        let seats = usize::from(self.shards + self.effects) * usize::from(self.replicas);
        (seats / MOVED_SHARE).max(1)
    }

    /// The members that should own `shard`, best first: at most one a replica, none twice.
    pub fn owners<'a>(&self, shard: u16, members: &'a [Candidate]) -> Vec<&'a Candidate> {
        let staying = members.iter().filter(|member| !member.draining);
        let mut order: Vec<_> = staying.map(|member| (self.rank(shard, member), member)).collect();
        // Equal hashes are no accident that happens, but names decide then.
        order.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.name.cmp(&right.1.name)));
        order.dedup_by(|left, right| left.1.name == right.1.name);
        // The best of every zone comes before the second best of any.
        let mut in_zone: BTreeMap<&str, usize> = BTreeMap::new();
        let mut levelled: Vec<_> = order
            .into_iter()
            .map(|(_, member)| {
                let level = in_zone.entry(&member.zone).or_default();
                *level += 1;
                (*level, member)
            })
            .collect();
        levelled.sort_by_key(|(level, _)| *level);
        levelled.into_iter().map(|(_, member)| member).take(usize::from(self.replicas)).collect()
    }

    fn rank(&self, shard: u16, member: &Candidate) -> u64 {
        first_bytes(&[b"seat", self.region.as_bytes(), &shard.to_le_bytes(), member.name.as_bytes()])
    }
}

/// What is known of a region at one moment.
#[derive(Copy, Clone, Debug)]
pub struct View<'a> {
    /// Where its work is cut.
    pub layout: &'a Layout,
    /// The members that are alive, each name once.
    pub members: &'a [Candidate],
    /// The seats that are written down, each once; also those of the dead.
    pub held: &'a [Held],
    /// The time, by the clock that `taken_at` is from.
    pub now: Timestamp,
}

/// A seat that should change hands.
#[derive(Debug)]
struct Wish<'a> {
    seat: Shard,
    /// Its owner, if that one is alive.
    from: Option<&'a Candidate>,
    to: &'a Candidate,
}

impl View<'_> {
    /// Everything that the member `me` does now, in the order of the seats.
    pub fn moves(&self, me: &str) -> Vec<Move> {
        let held: BTreeMap<Shard, &Held> = self.held.iter().map(|held| (held.seat, held)).collect();
        let wishes: Vec<_> = (0..self.layout.shards + self.layout.effects)
            .flat_map(|shard| self.wishes(shard, &held))
            .collect();
        let takes = wishes.iter().filter(|wish| wish.from.is_none() && *wish.to.name == *me);
        let mut moves: Vec<_> = takes.map(|wish| Move::Take(wish.seat)).collect();
        moves.extend(self.gives(me, &wishes));
        let beyond = self.held.iter().filter(|held| *held.owner == *me && !self.layout.has(held.seat));
        moves.extend(beyond.map(|held| Move::Release(held.seat)));
        moves.sort_by_key(Move::seat);
        moves
    }

    /// The seats of `shard` that are not where they should be.
    fn wishes(&self, shard: u16, held: &BTreeMap<Shard, &Held>) -> Vec<Wish<'_>> {
        let mut wanted = self.layout.owners(shard, self.members);
        let seats = (0..self.layout.replicas).map(|replica| Shard { number: shard, replica });
        let mut open: Vec<(Shard, Option<&Candidate>)> = Vec::new();
        for seat in seats {
            let owner = held.get(&seat).and_then(|held| self.alive(&held.owner));
            let settled = owner.and_then(|owner| wanted.iter().position(|one| one.name == owner.name));
            match settled {
                // Whoever should have a seat of this shard keeps the one it has.
                Some(index) => drop(wanted.remove(index)),
                None => open.push((seat, owner)),
            }
        }
        // A seat that nobody probes is filled before one that only lies elsewhere than it should.
        open.sort_by_key(|(seat, owner)| (owner.is_some(), *seat));
        open.into_iter().zip(wanted).map(|((seat, from), to)| Wish { seat, from, to }).collect()
    }

    /// The seats that `me` gives away: of a member that ends all, of others what the limit leaves.
    fn gives(&self, me: &str, wishes: &[Wish<'_>]) -> Vec<Move> {
        let since = self.now.as_millis().saturating_sub(
            i64::try_from(MOVES_WITHIN.as_millis()).expect("ten seconds are few milliseconds"),
        );
        // A time after now is another clock's, and as fresh as can be.
        let fresh = self.held.iter().filter(|held| held.taken_at.as_millis() > since).count();
        let spare = self.layout.moves_max().saturating_sub(fresh);
        let mut waiting: Vec<_> = wishes.iter().filter_map(|wish| Some((wish.from?, wish))).collect();
        // Everybody has the same order, so the few that may go now are the same for all; a hash, so that it is not
        // always one member's turn.
        waiting.sort_by_key(|(from, wish)| {
            let (number, replica) = (wish.seat.number.to_le_bytes(), wish.seat.replica.to_le_bytes());
            (!from.draining, first_bytes(&[b"turn", &number, &replica]))
        });
        let draining = waiting.iter().filter(|(from, _)| from.draining).count();
        let now = waiting.into_iter().take(draining.max(spare)).filter(|(from, _)| *from.name == *me);
        now.map(|(_, wish)| Move::Give { seat: wish.seat, to: Arc::clone(&wish.to.name) }).collect()
    }

    fn alive(&self, name: &str) -> Option<&Candidate> {
        self.members.iter().find(|member| *member.name == *name)
    }

    /// The seats that nobody alive owns.
    pub fn empty(&self) -> BTreeSet<Shard> {
        let owned = self.held.iter().filter(|held| self.alive(&held.owner).is_some());
        let owned: BTreeSet<_> = owned.map(|held| held.seat).collect();
        self.layout.seats().filter(|seat| !owned.contains(seat)).collect()
    }
}

impl Move {
    /// The seat that it is about.
    pub const fn seat(&self) -> Shard {
        match self {
            Self::Take(seat) | Self::Release(seat) | Self::Give { seat, .. } => *seat,
        }
    }
}

/// The first eight bytes of a hash over `parts`, each with its length before it.
fn first_bytes(parts: &[&[u8]]) -> u64 {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    u64::from_le_bytes(*first)
}

#[cfg(test)]
mod tests;
