//! Webhooks: batches of events, signed as Standard Webhooks say.
//!
//! The body is `{"type": …, "timestamp": …, "data": {"events": […]}}`; the type is `prober.run.recorded`, or
//! `prober.run.failed` where only bad runs are sent. A batch that comes again has the same `webhook-id`, whether after
//! a failure or after a restart, so that a receiver can leave out what it has.
//!
//! Only a 2xx is a success. A receiver that answers 410 is never sent to again until the prober starts anew; what
//! would have been is counted as dropped.

use post::standard_webhooks::Key as SigningKey;

use crate::settings::{HTTP, Key, KeyKind, Settings};
use crate::{BuildError, Exporter, ExporterKind, Surroundings, receiver};

mod deliver;

#[cfg(test)]
mod tests;

/// The line in the table of exporters.
pub const KIND: ExporterKind = ExporterKind {
    name: "webhook",
    summary: "batches of events as JSON, signed as Standard Webhooks say",
    keys: &[
        Key::required("url", HTTP, "where batches are posted"),
        Key::optional(
            "secret",
            KeyKind::Secret,
            "what batches are signed with: whsec_ and Base64, several with spaces between them while they change",
        ),
        Key::or("only", KeyKind::Word(&["all", "bad"]), "all", "which runs are sent"),
        Key::or("events_max", KeyKind::Count, "100", "events in one request"),
        Key::or("linger", KeyKind::Duration, "5s", "how long events are gathered for one request"),
        receiver::BEARER,
        receiver::USER,
        receiver::PASSWORD,
        receiver::HEADERS,
        receiver::CA,
        receiver::TIMEOUT,
    ],
    build,
};

fn build(settings: &Settings, around: &Surroundings) -> Result<Box<dyn Exporter>, BuildError> {
    let keys = settings.text("secret").map(SigningKey::parse_all).transpose();
    let keys = keys.map_err(|error| BuildError::Unusable {
        exporter: KIND.name,
        why: format!("`secret` cannot be used: {error}"),
    })?;
    let receiver = receiver::Receiver::new(KIND.name, settings, around)?;
    Ok(Box::new(deliver::Webhook::new(settings, around, (receiver, keys.unwrap_or_default()))))
}
