//! Delivery: a batch is published in one go, then its acknowledgements are awaited.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::probe::BoxFuture;
use serde_json::Value;
use tokio::time::timeout;

use super::connection::{Connection, Place, Said};
use super::message::{publication, subject};
use crate::settings::Settings;
use crate::{Delivery, Exporter};

/// The exporter.
pub(super) struct Nats {
    place: Place,
    /// With whoever uses it at the moment if `None`: a use that is given up closes it.
    connection: Option<Connection>,
    subject: String,
    jetstream: bool,
    linger: Duration,
    timeout: Duration,
    /// Where acknowledgements are sent; the number of the message follows.
    inbox: String,
    /// Messages of earlier batches, so that a late acknowledgement is not taken for another's.
    batches: u64,
}

/// Bytes that are written at once.
const WRITE_BYTES: usize = 64 << 10;

impl Nats {
    pub(super) fn new(settings: &Settings, place: Place) -> Self {
        let own = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &place.name);
        Self {
            inbox: format!("_INBOX.prober{own:016x}"),
            subject: settings.text("subject").unwrap_or_default().to_owned(),
            jetstream: settings.bool("jetstream"),
            linger: settings.duration("linger"),
            timeout: settings.duration("timeout"),
            place,
            connection: None,
            batches: 0,
        }
    }

    async fn take(&mut self, batch: &[Arc<SliEvent>]) -> Delivery {
        let limit = self.timeout;
        let done = timeout(limit, self.publish(batch)).await;
        let done = done.unwrap_or_else(|_| Err(io::Error::other(format!("no answer within {limit:?}"))));
        match done {
            Ok(delivery) => delivery,
            Err(error) => {
                let place = format!("{}:{}", self.place.host, self.place.port);
                Delivery::Retry { after: None, why: format!("{place}: {error}") }
            }
        }
    }

    async fn publish(&mut self, batch: &[Arc<SliEvent>]) -> io::Result<Delivery> {
        let mut connection = match self.connection.take() {
            Some(open) => open,
            None => self.open().await?,
        };
        self.batches += 1;
        let inbox = format!("{}.{}", self.inbox, self.batches);
        let (mut bytes, mut waiting, mut dropped) = (Vec::new(), BTreeSet::new(), 0);
        for (index, event) in batch.iter().enumerate() {
            let reply = if self.jetstream { format!("{inbox}.{index}") } else { String::new() };
            let publication = publication(&self.subject, event, &reply);
            if publication.len() > connection.payload_max {
                dropped += 1;
                continue;
            }
            waiting.insert(index);
            bytes.extend(publication);
            if bytes.len() >= WRITE_BYTES {
                connection.send(&std::mem::take(&mut bytes)).await?;
            }
        }
        bytes.extend_from_slice(b"PING\r\n");
        connection.send(&bytes).await?;
        let answered = if self.jetstream {
            self.acknowledged(&mut connection, (batch, &inbox), waiting).await?
        } else {
            while connection.hear().await? != Said::Pong {}
            Ok(())
        };
        self.connection = Some(connection);
        Ok(match answered {
            Err(why) => Delivery::Retry { after: None, why },
            Ok(()) if dropped == 0 => Delivery::Done,
            Ok(()) => Delivery::Part {
                dropped,
                refused: 0,
                why: "an event is larger than the server takes".to_owned(),
            },
        })
    }

    async fn open(&self) -> io::Result<Connection> {
        let mut connection = Connection::open(&self.place).await?;
        connection.send(format!("SUB {}.*.* 1\r\n", self.inbox).as_bytes()).await?;
        Ok(connection)
    }

    /// Waits until each of `waiting` is stored, or says why one is not.
    async fn acknowledged(
        &self,
        connection: &mut Connection,
        (batch, inbox): (&[Arc<SliEvent>], &str),
        mut waiting: BTreeSet<usize>,
    ) -> io::Result<Result<(), String>> {
        let mut why = None;
        while !waiting.is_empty() {
            let (to, answer) = match connection.hear().await? {
                Said::Pong => continue,
                Said::Message(to, payload) => (to, stored(&payload)),
                Said::NoResponders(to) => (to, Err("no stream takes it".to_owned())),
            };
            let index = to.strip_prefix(inbox).and_then(|rest| rest.strip_prefix('.')?.parse().ok());
            let Some(index) = index.filter(|index| waiting.remove(index)) else { continue };
            if let Err(problem) = answer {
                why = Some(format!("{}: {problem}", subject(&self.subject, &batch[index])));
            }
        }
        Ok(why.map_or(Ok(()), Err))
    }

    /// Answers the server's questions while there is nothing to publish, so that it keeps the connection.
    async fn keep_alive(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let alive = async {
            connection.send(b"PING\r\n").await?;
            while connection.hear().await? != Said::Pong {}
            Ok::<_, io::Error>(connection)
        };
        self.connection = timeout(self.timeout, alive).await.ok().and_then(Result::ok);
    }
}

/// What JetStream answers to a publication: where it is stored, or why it is not.
fn stored(payload: &[u8]) -> Result<(), String> {
    let answer: Value =
        serde_json::from_slice(payload).map_err(|_| "an answer that is none of JetStream's")?;
    if answer["seq"].is_u64() && answer["stream"].is_string() {
        return Ok(());
    }
    let why = answer["error"]["description"].as_str().unwrap_or("an answer that is none of JetStream's");
    Err(why.chars().filter(|letter| !letter.is_control()).take(200).collect())
}

impl Exporter for Nats {
    fn deliver<'a>(&'a mut self, batch: &'a [Arc<SliEvent>]) -> BoxFuture<'a, Delivery> {
        Box::pin(self.take(batch))
    }

    fn linger(&self) -> Duration {
        self.linger
    }

    fn idle(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(self.keep_alive())
    }
}
