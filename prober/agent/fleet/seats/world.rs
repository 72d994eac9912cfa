//! What is known of a region: who is there, and who owns what.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::assign::{Candidate, Held};
use fleet::{Beat, MEMBER_LIFE, Member, Owner, Shard, Token};
use model::time::Timestamp;
use serde_json::Value;

/// After this long without a word a member's shards are taken.
const SUSPECT_AFTER: Duration = Duration::from_secs(3);

/// What is known of the region.
pub(super) struct World {
    pub(super) members: BTreeMap<String, Seen>,
    pub(super) owners: BTreeMap<Shard, Known>,
    /// Since when the region is watched.
    since: Instant,
}

pub(super) struct Seen {
    pub(super) boot: u64,
    zone: Arc<str>,
    draining: bool,
    /// When it last said anything.
    heard: Instant,
    /// When it last renewed its membership.
    renewed: Instant,
}

pub(super) struct Known {
    pub(super) owner: Owner,
    pub(super) since: Timestamp,
}

impl World {
    pub(super) fn new() -> Self {
        Self { members: BTreeMap::new(), owners: BTreeMap::new(), since: Instant::now() }
    }

    pub(super) fn alive(&self, prober: &str, boot: u64) -> bool {
        let member = self.members.get(prober);
        member.is_some_and(|seen| seen.boot == boot && seen.heard.elapsed() < SUSPECT_AFTER)
    }

    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let alive = self.members.iter().filter(|(_, seen)| seen.heard.elapsed() < SUSPECT_AFTER);
        alive
            .map(|(name, seen)| Candidate {
                name: name.as_str().into(),
                zone: Arc::clone(&seen.zone),
                draining: seen.draining,
            })
            .collect()
    }

    pub(super) fn held(&self) -> Vec<Held> {
        let held = self.owners.iter().filter_map(|(seat, known)| {
            let holder = known.owner.holder.as_ref()?;
            // A life that has ended owns as the dead do, whatever the prober's next life is called.
            let owner = if self.alive(&holder.prober, holder.boot) {
                holder.prober.as_str().into()
            } else {
                format!("{} of boot {}", holder.prober, holder.boot).into()
            };
            Some(Held { seat: *seat, owner, taken_at: known.since })
        });
        held.collect()
    }

    pub(super) fn note_member(&mut self, member: &Member) {
        let about: Value = serde_json::from_slice(&member.about).unwrap_or_default();
        let seen = Seen {
            boot: member.who.boot,
            zone: about["zone"].as_str().unwrap_or_default().into(),
            draining: about["draining"].as_bool().unwrap_or(false),
            heard: Instant::now(),
            renewed: Instant::now(),
        };
        self.members.insert(member.who.prober.clone(), seen);
    }

    pub(super) fn note_beat(&mut self, who: &Beat) {
        if let Some(seen) = self.members.get_mut(&who.prober).filter(|seen| seen.boot == who.boot) {
            seen.heard = Instant::now();
        }
    }

    pub(super) fn token(&self, seat: Shard) -> Option<Token> {
        self.owners.get(&seat).map(|known| known.owner.token)
    }

    /// Whether the owner of a seat with side effects has surely stopped, as far as can be seen from here; the engine knows
    /// better, and is asked next.
    pub(super) fn is_over(&self, seat: Shard) -> bool {
        let Some(known) = self.owners.get(&seat) else {
            // Nobody ever had it; or the engine lost its data, and whoever had it goes on for a while.
            return self.since.elapsed() >= MEMBER_LIFE;
        };
        let Some(holder) = &known.owner.holder else { return true };
        let member = self.members.get(&holder.prober).filter(|seen| seen.boot <= holder.boot);
        // A later life of the prober has its data, so the earlier one is over.
        member.is_none_or(|seen| seen.renewed.elapsed() >= MEMBER_LIFE)
    }

    pub(super) fn holder(&self, seat: Shard) -> Option<&Beat> {
        self.owners.get(&seat)?.owner.holder.as_ref()
    }
}
