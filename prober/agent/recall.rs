//! Stored events for an evaluator that learns of an adjustment after it has counted what that is about.

use slo::evaluator::Evaluator;
use store::{EventFilter, LIMIT_MAX, ReadError, Reader};

/// Tells the evaluator again what it asks for, of the events before number `next_seq`: those that it has folded.
///
/// Nothing may be folded before this has succeeded.
pub(crate) fn recall(evaluator: &mut Evaluator, reader: &mut Reader, next_seq: u64) -> Result<(), ReadError> {
    let Some((from, to)) = evaluator.to_recall() else { return Ok(()) };
    let mut filter = EventFilter {
        since: Some(from),
        until: Some(to),
        before_seq: Some(next_seq),
        limit: LIMIT_MAX,
        ..EventFilter::default()
    };
    let mut events = Vec::new();
    loop {
        let page = reader.query(&filter)?;
        filter.after_seq = page.last().map(|stored| stored.seq);
        let is_full = page.len() == filter.limit;
        events.extend(page.into_iter().map(|stored| stored.event));
        if !is_full {
            break;
        }
    }
    // All or nothing: an event that is told twice would be taken out twice.
    for event in &events {
        evaluator.recall(event);
    }
    evaluator.recalled();
    Ok(())
}
