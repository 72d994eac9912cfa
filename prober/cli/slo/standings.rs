//! How promises stand by what is stored: the evaluator's own state with the events after it, or, where that does not
//! say it, all events judged again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::objective::Objective;
use model::time::Timestamp;
use slo::evaluator::{Evaluator, TICK};
use slo::promise::Promise;
use slo::snapshot::Snapshot;
use slo::standing::Standing;
use store::{EventFilter, LIMIT_MAX, Reader};

use crate::agent::recall::recall;
use crate::agent::slo::NAME;
use crate::exit::Stop;

/// What is judged at least, whatever the objectives' windows: that of the slowest rule.
const LEAST: Duration = Duration::from_hours(72);

/// How the promises stand at `now` by what is in `dir`; `None` if nothing is stored there.
pub(crate) fn standings(
    dir: &Path,
    promises: &[Promise],
    now: Timestamp,
) -> Result<Option<Vec<Standing>>, Stop> {
    Ok(evaluator(dir, promises, now)?.map(|evaluator| evaluator.standings()))
}

/// An evaluator that knows what is in `dir`, and has judged it up to `now`; `None` if nothing is stored there.
pub(crate) fn evaluator(dir: &Path, promises: &[Promise], now: Timestamp) -> Result<Option<Evaluator>, Stop> {
    if !dir.exists() || promises.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::open(dir).map_err(|error| Stop::environment(error.to_string()))?;
    // Promises are judged at ticks: what is decided by now shows at the first one that is not before it.
    let now = now.plus(TICK);
    match kept(&mut reader, promises, now)? {
        Some(evaluator) => Ok(Some(evaluator)),
        None => judged_again(&mut reader, promises, now),
    }
}

/// By the state that a serving prober keeps, and the events after it; `None` if it does not know all of these
/// promises as they are now.
fn kept(reader: &mut Reader, promises: &[Promise], now: Timestamp) -> Result<Option<Evaluator>, Stop> {
    let wrong = |error: store::ReadError| Stop::environment(error.to_string());
    let Some(state) = reader.folded(NAME).map_err(wrong)? else { return Ok(None) };
    let is_known = |promise: &Promise| state.pieces.contains_key(&promise.name);
    if !promises.iter().all(is_known) {
        return Ok(None);
    }
    let pieces = state.pieces.into_iter().filter(|(name, _)| promises.iter().any(|one| one.name == *name));
    let snapshot = Snapshot { head: state.head, pieces: pieces.collect() };
    let Ok(restored) = Evaluator::restore(&snapshot, promises.to_vec(), now) else { return Ok(None) };
    if !(restored.damaged.is_empty() && restored.recounted.is_empty()) {
        return Ok(None);
    }
    let (mut evaluator, mut changes) = (restored.evaluator, Vec::new());
    recall(&mut evaluator, reader, state.next_seq).map_err(wrong)?;
    let after_seq = Some(state.next_seq.saturating_sub(1));
    pages(reader, EventFilter { after_seq, ..EventFilter::default() }, |event| {
        evaluator.fold(event, &mut changes);
        changes.clear();
    })?;
    evaluator.finish(now, &mut changes);
    Ok(Some(evaluator))
}

/// By all events that are stored.
pub(super) fn judged_again(
    reader: &mut Reader,
    promises: &[Promise],
    now: Timestamp,
) -> Result<Option<Evaluator>, Stop> {
    let longest = promises.iter().filter_map(|promise| promise.objective.as_ref()).map(reach).max();
    let from = now.minus(longest.unwrap_or_default().max(LEAST));
    let mut evaluator: Option<Evaluator> = None;
    // What changes is not asked for, only how it stands in the end.
    let mut changes = Vec::new();
    each(reader, from, now, |event| {
        let evaluator = evaluator.get_or_insert_with(|| {
            let begin = event.slot.scheduled.min(event.recorded);
            let since = |promise: &Promise| Promise { begin, ..promise.clone() };
            Evaluator::new(promises.iter().map(since).collect(), begin)
        });
        evaluator.fold(event, &mut changes);
        changes.clear();
    })?;
    Ok(evaluator.map(|mut evaluator| {
        evaluator.finish(now, &mut changes);
        evaluator
    }))
}

/// How far back a budget looks; a calendar period begins at most its longest length ago.
fn reach(objective: &Objective) -> Duration {
    objective.window.length().saturating_add(Duration::from_hours(72))
}

/// Every event that was scheduled in `[from, until)`, in the order in which they were stored.
pub(crate) fn each(
    reader: &mut Reader,
    from: Timestamp,
    until: Timestamp,
    take: impl FnMut(&Arc<SliEvent>),
) -> Result<(), Stop> {
    pages(reader, EventFilter { since: Some(from), until: Some(until), ..EventFilter::default() }, take)
}

/// Every event that the filter lets through, in the order in which they were stored.
fn pages(reader: &mut Reader, filter: EventFilter, mut take: impl FnMut(&Arc<SliEvent>)) -> Result<(), Stop> {
    let mut filter = EventFilter { limit: LIMIT_MAX, ..filter };
    loop {
        let page = reader.query(&filter).map_err(|error| Stop::environment(error.to_string()))?;
        for stored in &page {
            take(&stored.event);
        }
        let Some(last) = page.last().filter(|_| page.len() == filter.limit) else { return Ok(()) };
        filter.after_seq = Some(last.seq);
    }
}
