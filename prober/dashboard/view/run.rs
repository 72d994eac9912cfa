//! One run: the event, what is known of its scenario, and the last good run before it.

use std::sync::Arc;

use model::event::SliEvent;
use model::outcome::Verdict;
use model::slot::Slot;
use model::time::Timestamp;
use store::{EventFilter, ReadError, Reader};

use crate::sources::{Catalogue, ScenarioCard};

/// Events with one prefix that are offered to choose from.
const CHOICES: usize = 20;

/// Which run is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sought {
    /// Its id or the first digits of it.
    pub(crate) id: String,
    /// When its slot was, if the link says so.
    pub(crate) at: Option<Timestamp>,
}

impl From<&Slot> for Sought {
    fn from(slot: &Slot) -> Self {
        Self { id: slot.id.to_string(), at: Some(slot.scheduled) }
    }
}

/// What an id or the first digits of one lead to.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// No stored event.
    Nothing,
    /// One slot.
    One(Box<RunView>),
    /// Several slots, the newest first.
    Several(Vec<Arc<SliEvent>>),
}

/// One run as the page shows it.
#[derive(Clone, Debug)]
pub(crate) struct RunView {
    pub(crate) now: Timestamp,
    pub(crate) project: String,
    pub(crate) event: Arc<SliEvent>,
    /// The scenario's card, if it is still scheduled.
    pub(crate) card: Option<ScenarioCard>,
    pub(crate) last_good: Option<Arc<SliEvent>>,
}

/// Reads what the page shows.
///
/// # Errors
/// The store could not be read.
pub(crate) fn gather(
    reader: &mut Reader,
    catalogue: &Catalogue,
    sought: &Sought,
    now: Timestamp,
) -> Result<Found, ReadError> {
    // Where the link says when, an index leads there; else, and for a run by hand, every row is looked at.
    let mut stored = sought.at.map_or(Ok(Vec::new()), |at| reader.slots_at(at, &sought.id))?;
    if stored.is_empty() {
        let filter = EventFilter {
            slot_prefix: Some(sought.id.clone()),
            limit: CHOICES,
            newest_first: true,
            ..EventFilter::default()
        };
        stored = reader.query(&filter)?;
    }
    let mut found: Vec<_> = stored.into_iter().map(|stored| stored.event).collect();
    found.dedup_by_key(|event| event.slot.id);
    let event = match found.len() {
        0 => return Ok(Found::Nothing),
        1 => found.remove(0),
        _ => return Ok(Found::Several(found)),
    };
    Ok(Found::One(Box::new(of_event(reader, catalogue, event, now)?)))
}

/// The run of an event with what it is compared with.
///
/// # Errors
/// The store could not be read.
pub(crate) fn of_event(
    reader: &mut Reader,
    catalogue: &Catalogue,
    event: Arc<SliEvent>,
    now: Timestamp,
) -> Result<RunView, ReadError> {
    let stream = &event.origin.stream;
    let card = catalogue.cards.iter().find(|card| card.holds(stream)).cloned();
    let mut last_good = None;
    if event.verdict() != Verdict::Missed {
        // A run under a new name may have its last good one under an old name.
        let former = card.iter().flat_map(ScenarioCard::former).filter(|former| former != stream);
        for stream in std::iter::once(stream.clone()).chain(former) {
            let found = reader.last_good_before(&stream, event.slot.scheduled)?.map(|stored| stored.event);
            let is_newer = |known: &Arc<SliEvent>| {
                found.as_ref().is_some_and(|found| found.slot.scheduled > known.slot.scheduled)
            };
            if last_good.as_ref().is_none_or(is_newer) {
                last_good = found;
            }
        }
    }
    let project = catalogue.project.clone();
    Ok(RunView { now, project, event, card, last_good })
}
