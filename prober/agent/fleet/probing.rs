//! What an agent probes: the plans of the shards that it owns, from the time on that it owns them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use dashboard::ReloadState;
use fleet::assign::SHARDS;
use fleet::{Shard, Token};
use model::time::{Clock as _, SystemClock, Timestamp};
use schedule::entry::Entry;
use tokio::sync::watch;

use super::kept::{Checked, Kept};
use super::publish::Owned;
use super::seats::{Leases, Turn};
use super::tenures::Tenures;
use super::{environment, only_probing, seat_of};
use crate::agent::load::Loaded;
use crate::agent::parts::Parts;
use crate::agent::serve::enter;
use crate::exit::Stop;

/// What is probed here.
pub(super) struct Probing {
    /// Every plan of the region's set.
    pub(super) entries: Vec<Entry>,
    /// Every shard that is owned.
    pub(super) mine: BTreeMap<Shard, Token>,
    /// Until when what is in those with side effects may begin.
    pub(super) leases: Leases,
    /// The same for the publisher, with whether a plan is in it.
    pub(super) owned: watch::Sender<Owned>,
    pub(super) tenures: Arc<Mutex<Tenures>>,
    /// The last border between what was probed and what is.
    pub(super) last: Timestamp,
}

impl Probing {
    /// Owns nothing yet; what was probed before `last` stays so.
    pub(super) fn new(
        entries: Vec<Entry>,
        owned: watch::Sender<Owned>,
        tenures: Arc<Mutex<Tenures>>,
        last: Timestamp,
    ) -> Self {
        Self { entries, mine: BTreeMap::new(), leases: Leases::new(), owned, tenures, last }
    }

    /// Probes from now on what is owned from now on.
    pub(super) async fn turn(&mut self, parts: &Parts, turn: Turn) -> Result<(), Stop> {
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
            let mut tenures = self.tenures.lock().expect("no holder panics");
            tenures.note(&begun, at).and_then(|()| tenures.note_owned(&turn.owned, at)).map_err(environment)
        })?;
        tracing::info!(shards = turn.owned.len(), begun = begun.len(), from = %at, "work has changed hands");
        (self.mine, self.leases) = (turn.owned, turn.leases);
        self.run(parts, at).await.map_err(Stop::environment)
    }

    /// How many shards are owned.
    pub(super) fn shards(&self) -> usize {
        self.mine.len()
    }

    async fn run(&mut self, parts: &Parts, at: Timestamp) -> Result<(), String> {
        self.last = at;
        parts.run(self.plans(), Some(at)).await.map(drop)
    }

    /// The plans of the shards that are owned; tells the publisher which these are.
    fn plans(&self) -> Vec<Entry> {
        let seat = |entry: &Entry| seat_of(&entry.origin, SHARDS);
        let used: BTreeSet<_> = self.entries.iter().map(seat).collect();
        let owned = self.mine.iter().map(|(shard, token)| (*shard, (*token, used.contains(shard))));
        self.owned.send_replace(Arc::new(owned.collect()));
        let here = self.entries.iter().filter(|entry| self.mine.contains_key(&seat(entry)));
        let leased = |entry: &Entry| {
            let lease = self.leases.get(&seat(entry)).cloned();
            Entry { lease, ..entry.clone() }
        };
        here.map(leased).collect()
    }

    /// Probes another set from its time on; on an error the one from before goes on.
    pub(super) async fn renew(
        &mut self,
        parts: &mut Parts,
        loaded: Loaded,
        kept: &mut Kept,
        set: &Checked,
    ) -> Result<(), String> {
        let loaded = only_probing(loaded);
        kept.keep(set).map_err(|refusal| refusal.to_string())?;
        enter(&loaded).map_err(|stop| stop.message)?;
        self.entries.clone_from(&loaded.entries);
        self.last = self.last.max(set.manifest.effective);
        parts.apply_entries(loaded, Some((self.plans(), Some(self.last)))).await?;
        parts.reload_state.send_replace(ReloadState::Loaded { at: SystemClock.now() });
        tracing::info!(version = %set.manifest.version, from = %self.last, "another scenario set holds");
        Ok(())
    }
}
