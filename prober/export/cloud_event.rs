//! What events are called as CloudEvents 1.0 (<https://cloudevents.io>), whatever carries them.

use model::event::SliEvent;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a path of a URI may have as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The id of an event; with its source it is the same whichever prober took the slot.
pub(crate) fn id(event: &SliEvent) -> String {
    format!("{}.{}", event.slot.id, event.attempt)
}

/// The attributes of an event by their names, in the binary mode's order.
pub(crate) fn attributes(event: &SliEvent) -> [(&'static str, String); 5] {
    let stream = &event.origin.stream;
    let source = [&stream.scenario, &stream.region].map(|part| utf8_percent_encode(part, PATH).to_string());
    [
        ("specversion", "1.0".to_owned()),
        ("type", "io.prober.run.v1".to_owned()),
        ("id", id(event)),
        ("source", format!("/{}/{}", source[0], source[1])),
        ("time", event.finished.unwrap_or(event.recorded).to_string()),
    ]
}
