//! Delivery: what is to be stored waits here, in batches with their numbers, until the leaders have it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::probe::BoxFuture;
use model::slot::SlotId;
use tokio::time::timeout;

use super::cluster::{Layout, error, producer};
use super::connection::{Access, Connection, PRODUCE, broken, not_kafka};
use super::record::{Producer, batch, key, partition};
use super::wire::{Reader, Writer};
use crate::settings::Settings;
use crate::{Delivery, Exporter};

/// About the most bytes of a batch: brokers take 1 MB by default.
const BATCH_BYTES: usize = 512 << 10;
/// All replicas that are in step have it.
const ACKS_ALL: i16 = -1;

const MESSAGE_TOO_LARGE: i16 = 10;
const DUPLICATE_SEQUENCE: i16 = 46;
/// The broker does not know our number, or not that far: `OUT_OF_ORDER_SEQUENCE_NUMBER`, `INVALID_PRODUCER_EPOCH`,
/// `INVALID_PRODUCER_ID_MAPPING`, `UNKNOWN_PRODUCER_ID`.
const FORGOTTEN: [i16; 4] = [45, 47, 49, 59];

/// The exporter.
pub(super) struct Kafka {
    seeds: Vec<(String, u16)>,
    topic: String,
    access: Access,
    linger: Duration,
    timeout: Duration,
    layout: Option<Layout>,
    /// Taken out by whoever uses it: a use that is given up closes it.
    connections: HashMap<i32, Connection>,
    producer: Option<Producer>,
    /// The next number of each partition.
    sequences: HashMap<usize, i32>,
    waiting: VecDeque<Waiting>,
    /// Events that wait or were stored, and whose batch may come again.
    taken: HashSet<(SlotId, u32)>,
    dropped: u64,
    why: Option<String>,
}

/// Events for one partition, under the numbers that they keep at every repetition.
struct Waiting {
    partition: usize,
    sequence: i32,
    events: Vec<Arc<SliEvent>>,
}

impl Kafka {
    pub(super) fn new(settings: &Settings, seeds: Vec<(String, u16)>, access: Access) -> Self {
        Self {
            seeds,
            topic: settings.text("topic").unwrap_or_default().to_owned(),
            access,
            linger: settings.duration("linger"),
            timeout: settings.duration("timeout"),
            layout: None,
            connections: HashMap::new(),
            producer: None,
            sequences: HashMap::new(),
            waiting: VecDeque::new(),
            taken: HashSet::new(),
            dropped: 0,
            why: None,
        }
    }

    async fn take(&mut self, batch: &[Arc<SliEvent>]) -> Delivery {
        let limit = self.timeout;
        let done = timeout(limit, self.store(batch)).await;
        if let Err(error) = done.unwrap_or_else(|_| Err(broken(format!("no answer within {limit:?}")))) {
            // Whatever was known may be why.
            self.layout = None;
            self.connections.clear();
            return Delivery::Retry { after: None, why: error.to_string() };
        }
        for event in batch {
            self.taken.remove(&(event.slot.id, event.attempt));
        }
        match self.why.take() {
            Some(why) => Delivery::Part { dropped: std::mem::take(&mut self.dropped), refused: 0, why },
            None => Delivery::Done,
        }
    }

    async fn store(&mut self, batch: &[Arc<SliEvent>]) -> io::Result<()> {
        if self.layout.is_none() {
            let (layout, mut connection) = Layout::ask(&self.seeds, &self.topic, &self.access).await?;
            if self.producer.is_none() {
                self.producer = Some(producer(&mut connection).await?);
                self.renumber();
            }
            self.layout = Some(layout);
        }
        let partitions = self.layout.as_ref().map_or(0, |layout| layout.leaders.len());
        self.queue(batch, partitions);
        while let Some(first) = self.waiting.front() {
            let partition = first.partition;
            let code = self.produce().await?;
            match code {
                0 | DUPLICATE_SEQUENCE => drop(self.waiting.pop_front()),
                MESSAGE_TOO_LARGE => self.split(),
                code if FORGOTTEN.contains(&code) => {
                    self.producer = None;
                    return Err(broken(format!(
                        "partition {partition}: the broker has forgotten us ({code})"
                    )));
                }
                code => return Err(broken(format!("{}/{partition}: {}", self.topic, error(code)))),
            }
        }
        Ok(())
    }

    /// Numbers what is not waiting yet.
    fn queue(&mut self, batch: &[Arc<SliEvent>], partitions: usize) {
        let mut by_partition = BTreeMap::<usize, Vec<Arc<SliEvent>>>::new();
        for event in batch {
            if self.taken.insert((event.slot.id, event.attempt)) {
                by_partition.entry(partition(&key(event), partitions)).or_default().push(Arc::clone(event));
            }
        }
        for (partition, events) in by_partition {
            let mut part = Vec::new();
            let mut size = 0;
            for event in events {
                let bytes = event.to_json().len() + 512;
                if size + bytes > BATCH_BYTES && !part.is_empty() {
                    self.push(partition, std::mem::take(&mut part));
                    size = 0;
                }
                size += bytes;
                part.push(event);
            }
            self.push(partition, part);
        }
    }

    fn push(&mut self, partition: usize, events: Vec<Arc<SliEvent>>) {
        let sequence = self.sequence(partition, events.len());
        self.waiting.push_back(Waiting { partition, sequence, events });
    }

    /// The numbers for `count` more events of a partition: the first of them.
    fn sequence(&mut self, partition: usize, count: usize) -> i32 {
        let next = self.sequences.entry(partition).or_default();
        let first = *next;
        // After the greatest number comes 0, as brokers have it.
        let after = (i64::from(first) + i64::try_from(count).unwrap_or(0)) % (i64::from(i32::MAX) + 1);
        *next = i32::try_from(after).unwrap_or(0);
        first
    }

    /// Numbers everything that waits anew, for a new producer.
    fn renumber(&mut self) {
        self.sequences.clear();
        for mut one in std::mem::take(&mut self.waiting) {
            one.sequence = self.sequence(one.partition, one.events.len());
            self.waiting.push_back(one);
        }
    }

    /// Halves the first batch, or gives up its only event.
    fn split(&mut self) {
        let Some(mut first) = self.waiting.pop_front() else { return };
        if first.events.len() > 1 {
            let half = first.events.len() / 2;
            let events = first.events.split_off(half);
            let sequence = first.sequence.wrapping_add(i32::try_from(half).unwrap_or(0)) & i32::MAX;
            self.waiting.push_front(Waiting { partition: first.partition, sequence, events });
            self.waiting.push_front(first);
        } else {
            self.dropped += 1;
            self.why = Some("an event is larger than the broker takes".to_owned());
            // Its number will never be stored, and those after it would wait for it: a new producer numbers anew.
            (self.producer, self.layout) = (None, None);
        }
    }

    /// Sends the first batch to its leader; gives the error of its partition, 0 for none.
    async fn produce(&mut self) -> io::Result<i16> {
        let (Some(first), Some(layout), Some(producer)) = (self.waiting.front(), &self.layout, self.producer)
        else {
            return Err(broken("an event was too large; the producer begins anew"));
        };
        let place = i32::try_from(first.partition).unwrap_or(0);
        let leader = layout.leaders.get(first.partition).copied().unwrap_or(-1);
        let Some((host, port)) = layout.brokers.get(&leader).cloned() else {
            return Err(broken(format!("{}/{place}: {}", self.topic, error(5))));
        };
        let mut request = Writer::default();
        request.no_text();
        request.i16(ACKS_ALL);
        request.i32(i32::try_from(self.timeout.as_millis()).unwrap_or(i32::MAX));
        request.count(1);
        request.text(&self.topic);
        request.count(1);
        request.i32(place);
        request.bytes(&batch(&first.events, producer, first.sequence));
        let mut connection = match self.connections.remove(&leader) {
            Some(open) => open,
            None => Connection::open((&host, port), &self.access).await?,
        };
        let answer = connection.call(PRODUCE, &request.0).await?;
        self.connections.insert(leader, connection);
        read_code(&answer).ok_or_else(not_kafka)
    }
}

/// The error of the only partition in an answer to `PRODUCE`.
fn read_code(answer: &[u8]) -> Option<i16> {
    let mut answer = Reader(answer);
    let topics = answer.list(|answer| {
        let _name = answer.text()?;
        answer.list(|answer| {
            let (_place, code) = (answer.i32()?, answer.i16()?);
            let (_offset, _at) = (answer.i64()?, answer.i64()?);
            Some(code)
        })
    })?;
    topics.into_iter().flatten().next()
}

impl Exporter for Kafka {
    fn deliver<'a>(&'a mut self, batch: &'a [Arc<SliEvent>]) -> BoxFuture<'a, Delivery> {
        Box::pin(self.take(batch))
    }

    fn linger(&self) -> Duration {
        self.linger
    }
}
