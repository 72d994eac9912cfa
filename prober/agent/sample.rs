//! Events for tests.

use std::sync::Arc;

use model::event::{Origin, SliEvent, Trigger};
use model::outcome::Outcome;
use model::slot::Stream;
use model::time::Timestamp;

/// Whose events they are: a scenario in a region, run by a prober.
pub(super) fn origin(scenario: &str, region: &str, prober: &str) -> Arc<Origin> {
    let empty: Arc<str> = "".into();
    Arc::new(Origin {
        stream: Stream::new(scenario, region),
        version: "0123456789ab".into(),
        kind: "http".into(),
        owner: Arc::clone(&empty),
        service: empty,
        labels: vec![],
        side_effects: false,
        prober: prober.into(),
    })
}

/// The slot at `at`, which ended at once.
pub(super) fn event(origin: &Arc<Origin>, at: Timestamp, outcome: Outcome) -> SliEvent {
    SliEvent {
        slot: origin.stream.slot(at),
        origin: Arc::clone(origin),
        attempt: 0,
        trigger: Trigger::Schedule,
        started: Some(at),
        finished: Some(at),
        recorded: at,
        outcome,
    }
}
