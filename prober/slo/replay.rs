//! The past again: which changes events make under these promises.

use std::borrow::Borrow;

use model::event::SliEvent;
use model::time::Timestamp;

use crate::evaluator::{Change, Evaluator};
use crate::promise::Promise;
use crate::standing::Standing;

/// What a replay gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// Every change, in order.
    pub changes: Vec<Change>,
    /// How the promises stand at the end.
    pub standings: Vec<Standing>,
}

/// Replays events in the order in which they were stored, up to `end` (the last `recorded` stamp if that is later).
pub fn replay<E: Borrow<SliEvent>>(
    promises: Vec<Promise>,
    events: impl IntoIterator<Item = E>,
    end: Timestamp,
) -> Replayed {
    let begin = promises.iter().map(|promise| promise.begin).min().unwrap_or(end);
    let mut evaluator = Evaluator::new(promises, begin);
    let mut changes = Vec::new();
    for event in events {
        evaluator.fold(event.borrow(), &mut changes);
    }
    evaluator.finish(end, &mut changes);
    Replayed { changes, standings: evaluator.standings() }
}
