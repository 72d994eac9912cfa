//! The newest signed set of every region, held by hubs for servers that lost theirs.
//!
//! Who writes a set into the servers says nothing about it: readers believe its signature. So whoever has a copy may put it
//! back, and a version that was applied somewhere is never followed by a lower one. Hubs of a fleet may all do so: the
//! servers take the first one's.
//!
//! Deliberately absent: what the sets mean, and sets that are not to be believed, which stay where they are for people to see.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use fleet::manifest::{ManifestError, Trust};
use fleet::nats::Nats;
use fleet::set::ALL_REGIONS;
use fleet::{ConfigSource as _, Fault, SetVersion};
use model::time::{Clock as _, SystemClock};
use store::{NewNote, Store};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::kept::{Kept, Refusal};

/// How often the servers' sets are compared with those that are held.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Holds sets, and puts them back.
pub(super) struct Seeds {
    pub(super) nats: Nats,
    /// Where they are held.
    pub(super) dir: PathBuf,
    pub(super) trust: Trust,
    /// Where it is noted what was put back.
    pub(super) store: Store,
    /// The name of this hub.
    pub(super) id: String,
    held: BTreeMap<String, Kept>,
    /// Regions whose set was missing at the last look. Whoever publishes right now may be about to write it.
    missing: BTreeSet<String>,
}

impl Seeds {
    pub(super) fn new(nats: Nats, (dir, trust): (PathBuf, Trust), store: Store, id: String) -> Self {
        Self { nats, dir, trust, store, id, held: BTreeMap::new(), missing: BTreeSet::new() }
    }

    /// Holds what is published for `regions` and for all of them, until `stop`.
    pub(super) async fn run(mut self, regions: watch::Receiver<Vec<String>>, stop: CancellationToken) {
        let mut told = String::new();
        let looking = async {
            loop {
                let named = regions.borrow().clone();
                // The manifest of all regions decides between those who publish at the same time.
                for region in std::iter::once(ALL_REGIONS.to_owned()).chain(named) {
                    if let Err(why) = self.look(&region).await {
                        let why = format!("region {region}: {why}");
                        if why != told {
                            tracing::debug!("its set is not held: {why}");
                            told = why;
                        }
                    }
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let _stopped = Box::pin(stop.run_until_cancelled(looking)).await;
    }

    async fn look(&mut self, region: &str) -> Result<(), Refusal> {
        if !self.held.contains_key(region) {
            let mut held = Kept::open(self.dir.join(region), self.trust.clone(), region)?;
            // One that is damaged is fetched again.
            if let Err(why) = held.resume() {
                tracing::warn!(region, "the set that was held cannot be used: {why}");
            }
            self.held.insert(region.to_owned(), held);
        }
        let Some(held) = self.held.get_mut(region) else { return Ok(()) };
        let over = match self.nats.manifest(region).await? {
            Some(shown) => match held.fetch(&self.nats, &shown).await {
                Ok(None) => None,
                Ok(Some(set)) => return held.hold(&set),
                Err(Refusal::Manifest(ManifestError::RolledBack { .. })) => Some(Some(shown.version)),
                Err(why) => return Err(why),
            },
            None => Some(None),
        };
        let Some(over) = over else {
            self.missing.remove(region);
            return Ok(());
        };
        if self.missing.insert(region.to_owned()) {
            return Ok(());
        }
        match held.put_back(&self.nats, over).await {
            Ok(Some(version)) => self.tell(region, version, over),
            // None was ever published, or somebody else was quicker.
            Ok(None) | Err(Refusal::Fault(Fault::Conflict)) => {}
            Err(why) => {
                tracing::warn!(region, "the servers have lost a set that cannot be put back: {why}");
                return Err(why);
            }
        }
        self.missing.remove(region);
        Ok(())
    }

    fn tell(&self, region: &str, version: SetVersion, over: Option<SetVersion>) {
        let had = over.map_or("had lost it".to_owned(), |over| format!("had version {over}"));
        let what = if region == ALL_REGIONS { "all regions".to_owned() } else { format!("region {region}") };
        let subject = format!("the set of {what}, version {version}: the servers {had}");
        tracing::warn!("put back {subject}");
        let note =
            NewNote { who: self.id.clone(), action: "put back", subject, detail: String::new(), once: false };
        let noted = tokio::task::block_in_place(|| self.store.note(&[note], SystemClock.now()));
        if let Err(error) = noted {
            tracing::warn!(%error, "what was put back could not be noted");
        }
    }
}
