//! Members and owners in the buckets of NATS, and beats beside them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use async_nats::Subscriber;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::kv::Operation;
use futures_util::StreamExt as _;

use super::config::{create, update};
use super::keys::{Changed, Keys};
use super::{LOOK_EVERY, MEMBERS, Nats, OWNERS, within};
use crate::ownership::{Beat, Change, Member, Owner, Ownership, OwnershipWatch, Shard, Token};
use crate::{Fault, MEMBER_LIFE, values};

impl Ownership for Nats {
    type Watch = NatsWatch;

    async fn renew(&self, region: &str, member: &Member) -> Result<(), Fault> {
        let key = format!("{region}.{}", member.who.prober);
        within(self.bucket(MEMBERS).await?.put(key, values::member_value(member))).await.map(drop)
    }

    async fn leave(&self, region: &str, prober: &str) -> Result<(), Fault> {
        within(self.bucket(MEMBERS).await?.delete(format!("{region}.{prober}"))).await
    }

    async fn members(&self, region: &str) -> Result<Vec<Member>, Fault> {
        let entries = self.entries(MEMBERS, &format!("{region}.*")).await?;
        entries.iter().map(|(key, value)| values::member(last_part(key), value)).collect()
    }

    async fn beat(&self, region: &str, who: &Beat) -> Result<(), Fault> {
        let payload = format!("{} {}", who.prober, who.boot);
        within(self.client.publish(format!("beat.{region}"), payload.into())).await
    }

    async fn claim(
        &self,
        region: &str,
        shard: Shard,
        held: Option<Token>,
        holder: Option<&Beat>,
    ) -> Result<Token, Fault> {
        let bucket = self.bucket(OWNERS).await?;
        let key = format!("{region}.{shard}");
        let token = values::next_token(held);
        let value = values::owner_value(token, holder);
        match held {
            None => create(bucket.create(&key, value)).await?,
            Some(held) => {
                let found = within(bucket.entry(&key)).await?;
                let entry = found.filter(|entry| entry.operation == Operation::Put).ok_or(Fault::Conflict)?;
                if values::owner(shard, &entry.value)?.token != held {
                    return Err(Fault::Conflict);
                }
                update(bucket.update(&key, value, entry.revision)).await?
            }
        };
        Ok(token)
    }

    async fn owners(&self, region: &str) -> Result<Vec<Owner>, Fault> {
        let entries = self.entries(OWNERS, &format!("{region}.>")).await?;
        entries.iter().map(|(key, value)| owner(key, value)).collect()
    }

    async fn watch_owners(&self, region: &str) -> Result<NatsWatch, Fault> {
        let connects = self.connects();
        let beats = within(self.client.subscribe(format!("beat.{region}"))).await?;
        // First the watches, then what is there: a change between them is told twice rather than never.
        let owners = self.watch_keys(OWNERS, &format!("{region}.>"), DeliverPolicy::New).await?;
        let members = self.watch_keys(MEMBERS, &format!("{region}.*"), DeliverPolicy::New).await?;
        let mut watch = NatsWatch {
            engine: self.clone(),
            connects,
            owners,
            members,
            beats,
            lives: BTreeMap::new(),
            looked: Instant::now(),
            tokens: BTreeMap::new(),
            waiting: VecDeque::new(),
        };
        for owner in self.owners(region).await? {
            watch.note_owner(owner);
        }
        for member in self.members(region).await? {
            watch.note_member(member);
        }
        watch.waiting.push_back(Change::Settled);
        Ok(watch)
    }
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn owner(key: &str, value: &[u8]) -> Result<Owner, Fault> {
    let shard = key.split_once('.').and_then(|(_, shard)| values::shard(shard));
    let shard = shard.ok_or_else(|| Fault::Unreadable(format!("the shard `{key}`")))?;
    values::owner(shard, value)
}

/// Tells of a region's members and owners.
pub struct NatsWatch {
    engine: Nats,
    /// The connection that it was made on.
    connects: u64,
    owners: Keys,
    members: Keys,
    beats: Subscriber,
    /// Until when the members live that were told.
    lives: BTreeMap<String, Instant>,
    /// When the lives and the connection were last looked at; whoever waits may stop waiting more often than that.
    looked: Instant,
    /// The newest token of each shard that was told.
    tokens: BTreeMap<Shard, Token>,
    waiting: VecDeque<Change>,
}

impl NatsWatch {
    fn note_owner(&mut self, owner: Owner) {
        let known = self.tokens.insert(owner.shard, owner.token);
        match known.filter(|known| *known >= owner.token) {
            // Told before, or an older state than one that was told.
            Some(known) => drop(self.tokens.insert(owner.shard, known)),
            None => self.waiting.push_back(Change::Owner(owner)),
        }
    }

    fn note_member(&mut self, member: Member) {
        self.lives.insert(member.who.prober.clone(), Instant::now() + MEMBER_LIFE);
        self.waiting.push_back(Change::Member(member));
    }

    fn note_changed(&mut self, Changed { key, value }: &Changed) -> Result<(), Fault> {
        let prober = last_part(key);
        if let Some(value) = value {
            self.note_member(values::member(prober, value)?);
        } else if self.lives.remove(prober).is_some() {
            self.waiting.push_back(Change::Gone(prober.to_owned()));
        }
        Ok(())
    }

    /// Whoever did not renew is gone; without a connection nobody can be seen to be.
    fn look(&mut self) -> Result<(), Fault> {
        if !self.engine.is_connected() {
            return Err(Fault::Away("no connection".to_owned()));
        }
        if self.engine.connects() != self.connects {
            // Servers that lost their data count from 1 again: a watch of before would wait for what it has had.
            return Err(Fault::Away("the connection is another one".to_owned()));
        }
        let now = Instant::now();
        let ended: Vec<_> =
            self.lives.iter().filter(|(_, until)| **until <= now).map(|(prober, _)| prober.clone()).collect();
        for prober in ended {
            self.lives.remove(&prober);
            self.waiting.push_back(Change::Gone(prober));
        }
        Ok(())
    }
}

impl OwnershipWatch for NatsWatch {
    async fn next(&mut self) -> Result<Change, Fault> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                return Ok(change);
            }
            if self.looked.elapsed() >= LOOK_EVERY {
                self.looked = Instant::now();
                self.look()?;
                continue;
            }
            tokio::select! {
                changed = self.owners.next() => {
                    let Changed { key, value } = changed?;
                    if let Some(value) = value {
                        self.note_owner(owner(&key, &value)?);
                    }
                }
                changed = self.members.next() => self.note_changed(&changed?)?,
                beat = self.beats.next() => {
                    let beat = beat.ok_or_else(|| Fault::Away("the subscription has ended".to_owned()))?;
                    let text = std::str::from_utf8(&beat.payload).unwrap_or_default();
                    // Whoever may send here may also send rubbish.
                    let who = text.split_once(' ').and_then(|(prober, boot)| {
                        Some(Beat { prober: prober.to_owned(), boot: boot.parse().ok()? })
                    });
                    self.waiting.extend(who.map(Change::Beat));
                }
                () = tokio::time::sleep_until((self.looked + LOOK_EVERY).into()) => {}
            }
        }
    }
}
