//! Work with side effects: never probed by two at once, and no slot twice.
//!
//! 1. What is owned may begin only within a [`Term`]: [`TERM`] after the last renewal of the membership was *sent*. An agent
//!    that stood still, or was cut off, stops by its own clock before its membership ends at the engine.
//! 2. Work of an owner that is gone is taken only when the engine has no membership of it any more, which is looked at before
//!    the claim and again after it: an owner that came back between the two gets its work back.
//! 3. Work that is given away ends here before the claim is sent, whether the answer comes or not.
//! 4. A term that ended never begins again: what is owned is compared with the engine, and gets new leases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::assign::Move;
use fleet::{Beat, Fault, MEMBER_LIFE, Ownership, Shard, Token};
use model::time::{Clock as _, SystemClock, Timestamp};
use schedule::lease::{FINISH, Lease, Term};

use super::super::HANDOVER;
use super::Seats;
use super::world::World;

/// How long after a renewal was sent work may begin; what is going is cut off [`FINISH`] later.
const TERM: Duration = Duration::from_secs(12);
const _: () = assert!(
    TERM.as_secs() + FINISH.as_secs() < MEMBER_LIFE.as_secs(),
    "the owner stops before it is overtaken"
);

/// The leases of the shards with side effects that are owned.
pub(in crate::agent::fleet) type Leases = BTreeMap<Shard, Arc<Lease>>;

/// What is known of the work with side effects.
pub(super) struct Effects {
    term: Arc<Term>,
    leases: Leases,
    /// The first slot of each shard that is ours; those before are its last owner's.
    begins: BTreeMap<Shard, Timestamp>,
    /// Leases of what was given away; nothing is begun under them.
    given: BTreeSet<Shard>,
    /// What was claimed, with the owner before: not ours as long as that one may still be there.
    unsure: BTreeMap<Shard, Option<Beat>>,
    /// Whether nobody was told of the term yet.
    is_new: bool,
}

impl Effects {
    pub(super) fn new() -> Self {
        Self {
            term: Arc::new(Term::until(Instant::now())),
            leases: Leases::new(),
            begins: BTreeMap::new(),
            given: BTreeSet::new(),
            unsure: BTreeMap::new(),
            is_new: false,
        }
    }

    /// Notes that the membership was renewed, asked for at `sent`; says whether the term is a new one.
    pub(super) fn renewed(&mut self, sent: Instant) -> bool {
        if self.term.extend(sent + TERM, Instant::now()) {
            return false;
        }
        self.term = Arc::new(Term::until(sent + TERM));
        self.leases.clear();
        self.is_new = true;
        true
    }

    pub(super) const fn is_new(&self) -> bool {
        self.is_new
    }

    pub(super) fn is_unsure(&self, seat: Shard) -> bool {
        self.unsure.contains_key(&seat)
    }

    /// The leases of these seats, made where there are none.
    pub(super) fn leases(&mut self, seats: impl Iterator<Item = Shard>) -> Leases {
        self.is_new = false;
        let (term, begins) = (&self.term, &self.begins);
        let lease = |seat| {
            let from = begins.get(&seat).copied().unwrap_or_default();
            let known = self.leases.entry(seat).or_insert_with(|| Arc::new(Lease::of(term, from)));
            (seat, Arc::clone(known))
        };
        seats.map(lease).collect()
    }

    /// The engine says that the seat is ours: given by an owner that is there, or by a claim that came late.
    pub(super) fn hear_own(&mut self, seat: Shard, world: &World) {
        if let Some(before) = world.holder(seat).filter(|before| !world.alive(&before.prober, before.boot)) {
            self.unsure.entry(seat).or_insert_with(|| Some(before.clone()));
        }
    }

    /// The seat is ours from the slot `from` on, and was not before.
    pub(super) fn gained(&mut self, seat: Shard, from: Timestamp) {
        self.given.remove(&seat);
        self.leases.remove(&seat);
        self.begins.insert(seat, from);
    }

    /// Slots from `at` on are another's.
    pub(super) fn given(&mut self, seat: Shard, at: Timestamp) {
        if let Some(lease) = self.leases.get(&seat) {
            self.given.insert(seat);
            lease.give_from(at);
        }
    }

    /// Somebody else has the seat.
    pub(super) fn lost(&mut self, seat: Shard) {
        self.unsure.remove(&seat);
    }

    /// What was given away, and is owned here all the same, begins under new leases.
    pub(super) fn forget_given(&mut self) {
        for seat in std::mem::take(&mut self.given) {
            self.leases.remove(&seat);
        }
    }
}

impl<E: Ownership> Seats<E> {
    /// Takes those steps out that would take work with side effects from whoever may still be at it.
    pub(super) async fn leave_what_may_go_on(
        &self,
        world: &World,
        moves: &mut Vec<Move>,
    ) -> Result<(), Fault> {
        moves.retain(|step| !self.effects.is_unsure(step.seat()));
        let takes_effects = |step: &Move| matches!(step, Move::Take(seat) if self.layout.has_effects(*seat));
        moves.retain(|step| !takes_effects(step) || world.is_over(step.seat()));
        if !moves.iter().any(takes_effects) {
            return Ok(());
        }
        let there = self.there().await?;
        let is_there = |seat| world.holder(seat).is_some_and(|holder| there.contains(holder));
        moves.retain(|step| !takes_effects(step) || !is_there(step.seat()));
        Ok(())
    }

    /// Whose memberships the engine has.
    async fn there(&self) -> Result<BTreeSet<Beat>, Fault> {
        let members = self.engine.members(&self.layout.region).await?;
        Ok(members.into_iter().map(|member| member.who).collect())
    }

    /// What must be so before a claim is sent, because its answer may be lost.
    pub(super) fn before_claim(&mut self, step: &Move, world: &World) {
        let seat = step.seat();
        if !self.layout.has_effects(seat) {
            return;
        }
        if matches!(step, Move::Take(_)) {
            self.effects.unsure.insert(seat, world.holder(seat).cloned());
        } else {
            self.effects.given(seat, SystemClock.now().plus(HANDOVER));
        }
    }

    /// After a claim without an answer: what was to be given away may be another's.
    pub(super) async fn drop_given(&mut self, step: &Move) {
        let seat = step.seat();
        let is_given = self.layout.has_effects(seat) && !matches!(step, Move::Take(_));
        if is_given && self.mine.remove(&seat).is_some() {
            self.turn(SystemClock.now().plus(HANDOVER)).await;
        }
    }

    /// Makes what was claimed ours, or gives it back to an owner that is there again; gives what is ours now.
    pub(super) async fn make_sure(&mut self, world: &mut World) -> Result<BTreeMap<Shard, Token>, Fault> {
        let mut sure = BTreeMap::new();
        if self.effects.unsure.is_empty() {
            return Ok(sure);
        }
        let there = self.there().await?;
        let region = Arc::clone(&self.layout.region);
        for (seat, before) in self.effects.unsure.clone() {
            let token = world.token(seat).filter(|_| world.holder(seat) == Some(&self.me));
            if let (Some(token), Some(owner)) = (token, before.as_ref().filter(|owner| there.contains(owner)))
            {
                tracing::info!(shard = %seat, owner = owner.prober, "its owner is there again and has it back");
                match self.engine.claim(&region, seat, Some(token), Some(owner)).await {
                    Ok(_) | Err(Fault::Conflict) => {}
                    Err(fault) => return Err(fault),
                }
            } else if let Some(token) = token {
                self.effects.gained(seat, SystemClock.now());
                self.mine.insert(seat, token);
                sure.insert(seat, token);
            }
            self.effects.unsure.remove(&seat);
        }
        Ok(sure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(numbers: &[u16]) -> impl Iterator<Item = Shard> {
        numbers.iter().map(|number| Shard { number: *number, replica: 0 })
    }

    fn holds(lease: &Lease, slot: Timestamp) -> bool {
        lease.holds(slot, Instant::now())
    }

    #[test]
    fn a_term_that_was_renewed_too_late_is_a_new_one_and_the_old_leases_stay_dead() {
        let slot = SystemClock.now();
        let mut effects = Effects::new();
        assert!(effects.renewed(Instant::now()) && effects.is_new());
        let first = effects.leases(seats(&[64])).into_values().next().unwrap();
        assert!(holds(&first, slot) && !effects.is_new());
        assert!(!effects.renewed(Instant::now()));
        let same = effects.leases(seats(&[64])).into_values().next().unwrap();
        assert!(Arc::ptr_eq(&first, &same));
        // It stood still: the term has ended when the next renewal is answered.
        effects.term = Arc::new(Term::until(Instant::now()));
        assert!(effects.renewed(Instant::now()) && effects.is_new());
        let next = effects.leases(seats(&[64])).into_values().next().unwrap();
        assert!(!Arc::ptr_eq(&first, &next) && holds(&next, slot));
        // An answer that took longer than a term is worth nothing.
        let long_ago = Instant::now().checked_sub(TERM).unwrap();
        let mut late = Effects::new();
        late.renewed(long_ago);
        assert!(!holds(&late.leases(seats(&[64])).into_values().next().unwrap(), slot));
    }

    #[test]
    fn what_is_given_away_ends_and_what_comes_back_begins_anew() {
        let slot = SystemClock.now();
        let mut effects = Effects::new();
        effects.renewed(Instant::now());
        let seat = Shard { number: 64, replica: 0 };
        let lease = Arc::clone(&effects.leases(seats(&[64]))[&seat]);
        effects.given(seat, slot);
        assert!(!holds(&lease, slot));
        // The answer says from when the other one begins.
        effects.given(seat, slot.plus(Duration::from_secs(1)));
        assert!(holds(&lease, slot) && !holds(&lease, slot.plus(Duration::from_secs(1))));
        effects.forget_given();
        effects.gained(Shard { number: 65, replica: 0 }, slot.plus(Duration::from_secs(1)));
        let next = effects.leases(seats(&[65])).into_values().next().unwrap();
        assert!(!holds(&next, slot) && holds(&next, slot.plus(Duration::from_secs(1))));
        assert!(holds(&effects.leases(seats(&[64]))[&seat], slot.plus(Duration::from_hours(1))));
        assert!(!holds(&lease, slot.plus(Duration::from_hours(1))));
    }
}
