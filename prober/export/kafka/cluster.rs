//! What is known of the cluster: who leads which partition of the topic.

use std::collections::HashMap;
use std::io;

use super::connection::{Access, Connection, INIT_PRODUCER_ID, METADATA, broken, not_kafka};
use super::record::Producer;
use super::wire::{Reader, Writer};

/// The topic's partitions and the brokers that lead them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Host and port of each broker by its number.
    pub(super) brokers: HashMap<i32, (String, u16)>,
    /// The leader of each partition, in their order.
    pub(super) leaders: Vec<i32>,
}

impl Layout {
    /// Asks the first of `seeds` that answers.
    pub(super) async fn ask(
        seeds: &[(String, u16)],
        topic: &str,
        access: &Access,
    ) -> io::Result<(Self, Connection)> {
        let mut last = broken("no broker is named");
        for (host, port) in seeds {
            match Connection::open((host, *port), access).await {
                Ok(mut connection) => {
                    let layout = Self::of(&mut connection, topic).await?;
                    return Ok((layout, connection));
                }
                Err(error) => last = broken(format!("{host}:{port}: {error}")),
            }
        }
        Err(last)
    }

    async fn of(connection: &mut Connection, topic: &str) -> io::Result<Self> {
        let mut request = Writer::default();
        request.count(1);
        request.text(topic);
        // Whether a topic that is not there is made is the broker's to decide.
        request.i8(1);
        let answer = connection.call(METADATA, &request.0).await?;
        let (code, layout) = Self::read(&answer).ok_or_else(not_kafka)?;
        if code != 0 || layout.leaders.is_empty() {
            return Err(broken(format!("topic {topic}: {}", error(code))));
        }
        Ok(layout)
    }

    /// The topic's error and the layout in an answer of version 4.
    fn read(answer: &[u8]) -> Option<(i16, Self)> {
        let mut answer = Reader(answer);
        let _throttled = answer.i32()?;
        let brokers = answer.list(|answer| {
            let (node, host, port) = (answer.i32()?, answer.text()?.to_owned(), answer.i32()?);
            let _rack = answer.text()?;
            Some((node, (host, u16::try_from(port).ok()?)))
        })?;
        let _cluster = answer.text()?;
        let _controller = answer.i32()?;
        let topics = answer.list(|answer| {
            let code = answer.i16()?;
            let _name = answer.text()?;
            let _internal = answer.i8()?;
            let partitions = answer.list(|answer| {
                let _code = answer.i16()?;
                let (place, leader) = (answer.i32()?, answer.i32()?);
                let _replicas = answer.list(Reader::i32)?;
                let _in_sync = answer.list(Reader::i32)?;
                Some((place, leader))
            })?;
            Some((code, partitions))
        })?;
        let (code, mut partitions) = topics.into_iter().next()?;
        partitions.sort_unstable();
        let leaders = partitions.into_iter().map(|(_, leader)| leader).collect();
        Some((code, Self { brokers: brokers.into_iter().collect(), leaders }))
    }
}

/// Asks for a number by which the brokers know our repetitions again.
pub(super) async fn producer(connection: &mut Connection) -> io::Result<Producer> {
    let mut request = Writer::default();
    request.no_text();
    request.i32(60_000);
    let answer = connection.call(INIT_PRODUCER_ID, &request.0).await?;
    match read_producer(&answer).ok_or_else(not_kafka)? {
        (0, producer) => Ok(producer),
        (code, _) => Err(broken(format!("no number for a producer: {}", error(code)))),
    }
}

/// The error and the number in an answer of version 0.
fn read_producer(answer: &[u8]) -> Option<(i16, Producer)> {
    let mut answer = Reader(answer);
    let _throttled = answer.i32()?;
    let code = answer.i16()?;
    Some((code, Producer { id: answer.i64()?, epoch: answer.i16()? }))
}

/// An error in words (<https://kafka.apache.org/protocol.html#protocol_error_codes>).
pub(super) fn error(code: i16) -> String {
    let word = match code {
        0 => "nobody leads its partitions",
        3 => "there is no such topic or partition",
        5 => "a partition has no leader at the moment",
        6 => "another broker leads the partition",
        7 => "it took too long",
        10 => "the message is too large",
        17 => "this is no name of a topic",
        19 | 20 => "too few replicas are in step",
        29 => "this user may not write to the topic",
        31 => "this user may not do that in the cluster",
        _ => return format!("error {code}"),
    };
    format!("{word} (error {code})")
}
