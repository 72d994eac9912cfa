//! Members and owners of the engine inside the process.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use tokio::sync::{broadcast, watch};

use super::{Embedded, Present, after, read, write};
use crate::ownership::{Beat, Change, Member, Owner, Ownership, OwnershipWatch, Shard, Token};
use crate::{Fault, MEMBER_LIFE, values};

impl Embedded {
    fn present(&self, region: &str) -> BTreeMap<String, Present> {
        let mut members = self.shared.members.lock().expect("no holder panics");
        let now = Instant::now();
        members.retain(|_, present| present.until > now);
        let here = members.iter().filter(|((of, _), _)| of == region);
        here.map(|((_, prober), present)| (prober.clone(), present.clone())).collect()
    }

    fn tell(&self) {
        self.shared.changed.send_modify(|count| *count += 1);
    }
}

impl Ownership for Embedded {
    type Watch = EmbeddedWatch;

    async fn renew(&self, region: &str, member: &Member) -> Result<(), Fault> {
        let present = Present { member: member.clone(), until: Instant::now() + MEMBER_LIFE };
        let key = (region.to_owned(), member.who.prober.clone());
        self.shared.members.lock().expect("no holder panics").insert(key, present);
        self.tell();
        Ok(())
    }

    async fn leave(&self, region: &str, prober: &str) -> Result<(), Fault> {
        let key = (region.to_owned(), prober.to_owned());
        self.shared.members.lock().expect("no holder panics").remove(&key);
        self.tell();
        Ok(())
    }

    async fn members(&self, region: &str) -> Result<Vec<Member>, Fault> {
        Ok(self.present(region).into_values().map(|present| present.member).collect())
    }

    async fn beat(&self, region: &str, who: &Beat) -> Result<(), Fault> {
        // An error says that nobody watches.
        let _watchers = self.shared.beats.send((region.to_owned(), who.clone()));
        Ok(())
    }

    async fn claim(
        &self,
        region: &str,
        shard: Shard,
        held: Option<Token>,
        holder: Option<&Beat>,
    ) -> Result<Token, Fault> {
        let (key, holder) = (format!("own/{region}/{shard}"), holder.cloned());
        self.durably(move |file| {
            let found = read(file, &key)?.map(|(value, _)| values::owner(shard, &value));
            match found.transpose() {
                Err(fault) => return Ok(Err(fault)),
                Ok(found) if found.as_ref().map(|owner| owner.token) != held => {
                    return Ok(Err(Fault::Conflict));
                }
                Ok(_) => {}
            }
            let token = values::next_token(held);
            write(file, &key, &values::owner_value(token, holder.as_ref())).map(|()| Ok(token))
        })
        .await
    }

    async fn owners(&self, region: &str) -> Result<Vec<Owner>, Fault> {
        let found = self.values(format!("own/{region}/")).await?;
        found.iter().map(|(key, value)| owner(key, value)).collect()
    }

    async fn watch_owners(&self, region: &str) -> Result<EmbeddedWatch, Fault> {
        Ok(EmbeddedWatch {
            engine: self.clone(),
            region: region.to_owned(),
            changed: self.shared.changed.subscribe(),
            beats: self.shared.beats.subscribe(),
            known: BTreeMap::new(),
            revision: 0,
            settled: false,
            waiting: VecDeque::new(),
        })
    }
}

fn owner(key: &str, value: &[u8]) -> Result<Owner, Fault> {
    let shard = values::shard(key).ok_or_else(|| Fault::Unreadable(format!("the shard `{key}`")))?;
    values::owner(shard, value)
}

/// Tells of a region's members and owners.
#[derive(Debug)]
pub struct EmbeddedWatch {
    engine: Embedded,
    region: String,
    changed: watch::Receiver<u64>,
    beats: broadcast::Receiver<(String, Beat)>,
    /// The members that were told, and until when.
    known: BTreeMap<String, Present>,
    /// The newest change that was told.
    revision: u64,
    settled: bool,
    waiting: VecDeque<Change>,
}

impl EmbeddedWatch {
    async fn look(&mut self) -> Result<(), Fault> {
        self.changed.mark_unchanged();
        let present = self.engine.present(&self.region);
        for (prober, now) in &present {
            if self.known.get(prober).is_none_or(|known| known.until != now.until) {
                self.waiting.push_back(Change::Member(now.member.clone()));
            }
        }
        let gone = self.known.keys().filter(|prober| !present.contains_key(*prober));
        self.waiting.extend(gone.cloned().map(Change::Gone));
        self.known = present;
        let (prefix, revision) = (format!("own/{}/", self.region), self.revision);
        let (rows, newest) =
            self.engine.durably_quiet(move |file| after(file, &prefix, revision).map(Ok)).await?;
        for (key, value) in rows {
            self.waiting.push_back(Change::Owner(owner(&key, &value)?));
        }
        self.revision = newest;
        if !std::mem::replace(&mut self.settled, true) {
            self.waiting.push_back(Change::Settled);
        }
        Ok(())
    }
}

impl OwnershipWatch for EmbeddedWatch {
    async fn next(&mut self) -> Result<Change, Fault> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                return Ok(change);
            }
            if !self.settled {
                self.look().await?;
                continue;
            }
            let first = self.known.values().map(|present| present.until).min();
            let expiry = first.unwrap_or_else(|| Instant::now() + MEMBER_LIFE);
            tokio::select! {
                changed = self.changed.changed() => {
                    changed.map_err(|_| Fault::Away("the engine has ended".to_owned()))?;
                    self.look().await?;
                }
                () = tokio::time::sleep_until(expiry.into()) => self.look().await?,
                beat = self.beats.recv() => match beat {
                    Ok((region, who)) if region == self.region => self.waiting.push_back(Change::Beat(who)),
                    // Of another region, or some were lost.
                    _ => {}
                },
            }
        }
    }
}
