//! The stored events, judged again from the first one that matters.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::objective::Objective;
use model::time::Timestamp;
use slo::evaluator::Evaluator;
use slo::promise::Promise;
use slo::standing::Standing;
use store::{EventFilter, LIMIT_MAX, Reader};

use crate::exit::Stop;

/// What is judged at least, whatever the objectives' windows: that of the slowest rule.
const LEAST: Duration = Duration::from_hours(72);

/// How the promises stand at `now` by the events in `dir`; `None` if nothing is stored there.
pub(crate) fn standings(
    dir: &Path,
    promises: &[Promise],
    now: Timestamp,
) -> Result<Option<Vec<Standing>>, Stop> {
    if !dir.exists() || promises.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::open(dir).map_err(|error| Stop::environment(error.to_string()))?;
    let longest = promises.iter().filter_map(|promise| promise.objective.as_ref()).map(reach).max();
    let from = now.minus(longest.unwrap_or_default().max(LEAST));
    let mut evaluator: Option<Evaluator> = None;
    // What changes is not asked for, only how it stands in the end.
    let mut changes = Vec::new();
    each(&mut reader, from, now, |event| {
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
        evaluator.standings()
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
    mut take: impl FnMut(&Arc<SliEvent>),
) -> Result<(), Stop> {
    let mut filter =
        EventFilter { since: Some(from), until: Some(until), limit: LIMIT_MAX, ..EventFilter::default() };
    loop {
        let page = reader.query(&filter).map_err(|error| Stop::environment(error.to_string()))?;
        for stored in &page {
            take(&stored.event);
        }
        let Some(last) = page.last().filter(|_| page.len() == filter.limit) else { return Ok(()) };
        filter.after_seq = Some(last.seq);
    }
}
