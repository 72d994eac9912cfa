//! Prometheus remote write 1.0 and 2.0: the samples that a scrape would have seen, pushed.
//!
//! The metrics are those of the metrics page; see the sampler for how a backlog is told. Every series has the labels `job`
//! and `instance` (or what `labels` says) beside its own, as a scrape would add them.
//!
//! Observed, and therefore so (Prometheus 2.42 as the receiver):
//!
//! * A batch with one bad sample is refused whole (400): it is halved until the bad one stands alone.
//! * A sample from the future is taken, and then everyone's present is refused: none is sent that lies more than 5 s
//!   ahead of the receiver's clock, or of a clock that was checked against the monotonic one. See [`clock`].
//! * A label twice is answered 500, which would be repeated for ever: labels are checked here. See [`encode`].
//! * A receiver that does not know 2.0 may answer 204 and store nothing: without the headers that say what was
//!   written, the batch is sent again as 1.0.
//!
//! 5xx and 429 are tried again; every other 4xx is not, and is counted.

use crate::settings::{HTTP, Key, KeyKind, Settings};
use crate::{BuildError, Exporter, ExporterKind, Surroundings, receiver};

mod clock;
mod deliver;
mod encode;
mod rows;

#[cfg(test)]
mod tests;

/// The line in the table of exporters.
pub const KIND: ExporterKind = ExporterKind {
    name: "remote_write",
    summary: "samples for Prometheus and what speaks its remote write, 1.0 and 2.0",
    keys: &[
        Key::required(
            "url",
            HTTP,
            "where samples are written, such as https://prometheus.example/api/v1/write",
        ),
        Key::or(
            "protocol",
            KeyKind::Word(&["auto", "1.0", "2.0"]),
            "auto",
            "the version of the protocol; auto begins with 2.0 and goes on with 1.0 if the receiver does not know it",
        ),
        Key::optional("labels", KeyKind::Map, "labels that every series gets, beside job and instance"),
        Key::or("linger", KeyKind::Duration, "5s", "how long events are gathered for one request"),
        Key::or("samples_max", KeyKind::Count, "2000", "samples in one request"),
        Key::or("drop_after", KeyKind::Duration, "1h", "events that waited longer are dropped, and counted"),
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
    let unusable = |why| BuildError::Unusable { exporter: KIND.name, why };
    let given = settings.pairs("labels");
    let named = |name: &str| given.iter().any(|(known, _)| *known == name);
    let mut outer: Vec<(String, String)> =
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for (name, value) in [("job", "prober"), ("instance", &*around.prober)] {
        if !named(name) {
            outer.push((name.to_owned(), value.to_owned()));
        }
    }
    rows::check_outer(&outer).map_err(unusable)?;
    let receiver = receiver::Receiver::new(KIND.name, settings, around)?;
    Ok(Box::new(deliver::RemoteWrite::new(settings, around, (receiver, outer))))
}
