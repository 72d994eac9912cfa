//! Batches in the stream of NATS, and confirms in their bucket.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use futures_util::{FutureExt as _, StreamExt as _};

use super::{CONFIRMS, Nats, STREAM, away, within};
use crate::events::{Appended, Batch, BatchId, Confirm, Entry, EventLog, EventReader, Position};
use crate::{Beat, Fault, Token, values};

/// The header that the server recognises a batch by.
const ID: &str = "Nats-Msg-Id";
/// The header with the token under which the shard was owned.
const TOKEN: &str = "Prober-Token";

/// How long a reader waits before it says that there is nothing.
const IDLE: Duration = Duration::from_secs(1);

impl EventLog for Nats {
    type Reader = NatsReader;

    async fn append(&self, batch: &Batch) -> Result<Appended, Fault> {
        let subject = format!("sli.{}.{}", batch.region, batch.shard);
        let mut headers = HeaderMap::new();
        headers.insert(ID, batch.id.to_string().as_str());
        headers.insert(TOKEN, batch.token.to_string().as_str());
        let sent = self.context.publish_with_headers(subject, headers, batch.bytes.clone());
        let ack = within(async { sent.await?.await }).await?;
        Ok(Appended { position: Position(ack.sequence), duplicate: ack.duplicate })
    }

    async fn read(&self, after: Position, log: u64) -> Result<NatsReader, Fault> {
        let connects = self.connects();
        let stream = within(self.context.get_stream(STREAM)).await?;
        let info = stream.cached_info();
        let here = u64::try_from(info.created.unix_timestamp_nanos() / 1_000_000).unwrap_or(1).max(1);
        // A stream that was made at another time is another one, as is one that ends before this place: the data was wiped.
        let wiped = (log != 0 && log != here) || info.state.last_sequence < after.0;
        let start_sequence = if wiped { 1 } else { after.0 + 1 };
        let config = OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ..OrderedConfig::default()
        };
        let consumer = within(stream.create_consumer(config)).await?;
        let messages = within(consumer.messages()).await?;
        let messages = Box::new(messages);
        Ok(NatsReader { messages, log: here, connects, engine: self.clone(), behind: u64::MAX })
    }

    async fn confirm(&self, region: &str, confirm: &Confirm) -> Result<(), Fault> {
        let key = format!("{region}.{}", confirm.from.prober);
        within(self.bucket(CONFIRMS).await?.put(key, values::confirm_value(confirm))).await.map(drop)
    }

    async fn confirmed(&self, region: &str, prober: &str) -> Result<Option<Confirm>, Fault> {
        let found = within(self.bucket(CONFIRMS).await?.get(format!("{region}.{prober}"))).await?;
        found.map(|value| values::confirm(prober, &value)).transpose()
    }
}

/// Reads batches in their order.
pub struct NatsReader {
    messages: Box<Ordered>,
    log: u64,
    /// The connection that it was made on.
    connects: u64,
    engine: Nats,
    /// Batches that lay behind the last one when it was given.
    behind: u64,
}

impl NatsReader {
    /// How many batches lay behind the last one that was read, when it was; the greatest number before any was.
    pub const fn behind(&self) -> u64 {
        self.behind
    }
}

impl EventReader for NatsReader {
    fn log(&self) -> u64 {
        self.log
    }

    async fn next(&mut self, max: usize) -> Result<Vec<Entry>, Fault> {
        if self.engine.connects() != self.connects {
            // Behind another connection may be another log, whose places would be taken for this one's.
            return Err(Fault::Away("the connection is another one".to_owned()));
        }
        let Ok(first) = tokio::time::timeout(IDLE, self.messages.next()).await else {
            self.behind = 0;
            return Ok(Vec::new());
        };
        let (first, behind) = entry(first)?;
        self.behind = behind;
        let mut entries = vec![first];
        while entries.len() < max
            && let Some(more) = self.messages.next().now_or_never()
        {
            match entry(more) {
                Ok((more, behind)) => {
                    self.behind = behind;
                    entries.push(more);
                }
                // What has come is given first; a broken reader says so again.
                Err(_) => break,
            }
        }
        Ok(entries)
    }
}

/// What was read, and how many lie behind it.
fn entry<E: std::fmt::Display>(message: Option<Result<Message, E>>) -> Result<(Entry, u64), Fault> {
    let message = message.ok_or_else(|| Fault::Away("the reader has ended".to_owned()))?;
    let message = message.map_err(|error| away(&error))?;
    let info = message.info().map_err(|error| Fault::Unreadable(error.to_string()))?;
    let (place, behind) = (info.stream_sequence, info.pending);
    let batch = batch(&message).ok_or_else(|| format!("a message on `{}`", message.subject));
    Ok((Entry { position: Position(place), batch }, behind))
}

/// The batch in a message; `None` if it was not sent by a prober.
fn batch(message: &Message) -> Option<Batch> {
    let (region, shard) = message.subject.strip_prefix("sli.")?.split_once('.')?;
    let headers = message.headers.as_ref()?;
    let mut id = headers.get(ID)?.as_str().rsplitn(3, '.');
    let (sequence, boot, prober) = (id.next()?.parse().ok()?, id.next()?.parse().ok()?, id.next()?);
    Some(Batch {
        region: region.to_owned(),
        shard: values::shard(shard)?,
        id: BatchId { from: Beat { prober: prober.to_owned(), boot }, sequence },
        token: Token(headers.get(TOKEN)?.as_str().parse().ok()?),
        bytes: message.payload.clone(),
    })
}
