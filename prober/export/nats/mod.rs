//! NATS: each event as a CloudEvent, stored by JetStream and acknowledged.
//!
//! The subject is `prober.runs.v1.REGION.SCENARIO`; the headers are those of CloudEvents' binary mode
//! (<https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/nats-protocol-binding.md>), and `Nats-Msg-Id`
//! is the event's id, by which a server leaves out what it has got within its window (2 minutes by default).
//!
//! The client is a page of the text protocol (<https://docs.nats.io/reference/reference-protocols/nats-protocol>):
//! the well-known library would bring 138 packages for it. Deliberately absent: keys and JWTs, clusters that are found
//! by themselves, and making the stream, which is its owner's to shape.

use std::sync::Arc;

use url::Url;

use crate::settings::{Key, KeyKind, Settings};
use crate::{BuildError, Exporter, ExporterKind, Surroundings, receiver, socket};

mod connection;
mod deliver;
mod message;

#[cfg(test)]
mod tests;

/// The line in the table of exporters.
pub const KIND: ExporterKind = ExporterKind {
    name: "nats",
    summary: "events as CloudEvents for NATS, acknowledged by JetStream",
    keys: &[
        Key::required(
            "url",
            KeyKind::Url(&["nats", "tls"]),
            "the server, such as nats://nats.example:4222; tls:// insists on TLS",
        ),
        Key::or(
            "subject",
            KeyKind::Text,
            "prober.runs.v1",
            "what subjects begin with; region and scenario follow",
        ),
        Key::or(
            "jetstream",
            KeyKind::Bool,
            "true",
            "whether a stream has to store each event before it counts as sent",
        ),
        Key::or("linger", KeyKind::Duration, "1s", "how long events are gathered before they are published"),
        Key::optional("token", KeyKind::Secret, "a token that signs in"),
        receiver::LOGIN,
        receiver::PASSWORD,
        receiver::CA,
        receiver::TIMEOUT,
    ],
    build,
};

fn build(settings: &Settings, around: &Surroundings) -> Result<Box<dyn Exporter>, BuildError> {
    let unusable = |why: String| BuildError::Unusable { exporter: KIND.name, why };
    let url: Url = settings.url("url");
    if url.password().is_some() || !url.username().is_empty() {
        return Err(unusable("who signs in stands under `user` and `password`, not in `url`".to_owned()));
    }
    let subject = settings.text("subject").unwrap_or_default();
    if !message::is_subject(subject) {
        return Err(unusable(format!(
            "`subject`: `{subject}` is no subject; words with dots between them are"
        )));
    }
    let sign_in = match (settings.text("token"), settings.text("user"), settings.text("password")) {
        (None, None, None) => Vec::new(),
        (Some(token), None, None) => vec![("auth_token", token.to_owned())],
        (None, Some(user), Some(password)) => vec![("user", user.to_owned()), ("pass", password.to_owned())],
        _ => {
            let why = "`user` and `password` belong together, and `token` stands alone";
            return Err(unusable(why.to_owned()));
        }
    };
    let more = settings.text("ca").map(receiver::authorities).transpose().map_err(unusable)?;
    let place = connection::Place {
        host: url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(4222),
        tls_only: url.scheme() == "tls",
        tls: socket::tls(more.unwrap_or_default()).map_err(unusable)?,
        sign_in,
        name: format!("prober {}", around.prober),
        version: Arc::clone(&around.version),
    };
    Ok(Box::new(deliver::Nats::new(settings, place)))
}
