//! Kafka: each event as a CloudEvent, in the order of its stream, stored by all replicas that are in step.
//!
//! The key is `SCENARIO/REGION`, which keeps a stream in one partition; the headers are those of CloudEvents' binary
//! mode. The producer is idempotent: a batch whose answer was lost is known again by its number and stored once. After
//! a restart the last batch may be stored twice; `ce_id` tells.
//!
//! The client is the part of the protocol that a producer needs, in versions that brokers know from Kafka 1.0 to 4. The
//! well-known library is a large one in C, whose TLS would be a second stack in this program. Deliberately absent:
//! compression, transactions, other ways to sign in than SASL's PLAIN, and making topics.

use std::sync::Arc;

use crate::settings::{Key, KeyKind, Settings};
use crate::{BuildError, Exporter, ExporterKind, Surroundings, receiver, socket};

mod cluster;
mod connection;
mod deliver;
mod record;
mod wire;

#[cfg(test)]
mod tests;

/// The line in the table of exporters.
pub const KIND: ExporterKind = ExporterKind {
    name: "kafka",
    summary: "events as CloudEvents for a topic of Kafka",
    keys: &[
        Key::required(
            "brokers",
            KeyKind::Text,
            "some brokers of the cluster, such as kafka-1.example:9092, with commas between them",
        ),
        Key::or("topic", KeyKind::Text, "prober.runs.v1", "where events are stored"),
        Key::or("tls", KeyKind::Bool, "false", "whether connections are encrypted"),
        Key::or("linger", KeyKind::Duration, "1s", "how long events are gathered before they are produced"),
        receiver::LOGIN,
        receiver::PASSWORD,
        receiver::CA,
        receiver::TIMEOUT,
    ],
    build,
};

/// The port of Kafka.
const PORT: u16 = 9092;

fn build(settings: &Settings, around: &Surroundings) -> Result<Box<dyn Exporter>, BuildError> {
    let unusable = |why: String| BuildError::Unusable { exporter: KIND.name, why };
    let brokers = settings.text("brokers").unwrap_or_default();
    let seeds = brokers.split(',').map(|text| {
        let text = text.trim();
        seed(text)
            .ok_or_else(|| format!("`brokers`: `{text}` is no host and port such as kafka.example:9092"))
    });
    let seeds = seeds.collect::<Result<Vec<_>, _>>().map_err(unusable)?;
    let topic = settings.text("topic").unwrap_or_default();
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if topic.len() > 249 || !topic.chars().all(fits) || [".", ".."].contains(&topic) {
        return Err(unusable(format!("`topic`: `{topic}` is no name of a topic")));
    }
    let login = match (settings.text("user"), settings.text("password")) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((user.to_owned(), password.to_owned())),
        _ => return Err(unusable("`user` and `password` belong together".to_owned())),
    };
    let tls = settings.bool("tls");
    if login.is_some() && !tls {
        return Err(unusable("a password is sent in TLS only: write tls: true".to_owned()));
    }
    let tls = if tls {
        let more = settings.text("ca").map(receiver::authorities).transpose().map_err(unusable)?;
        Some(socket::tls(more.unwrap_or_default()).map_err(unusable)?)
    } else {
        None
    };
    let access = connection::Access { tls, login, client: format!("prober {}", Arc::clone(&around.prober)) };
    Ok(Box::new(deliver::Kafka::new(settings, seeds, access)))
}

/// A host and its port.
fn seed(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') || host.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, PORT),
    };
    let host = host.trim_matches(['[', ']']);
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
    (!host.is_empty() && host.chars().all(fits)).then(|| (host.to_owned(), port))
}
