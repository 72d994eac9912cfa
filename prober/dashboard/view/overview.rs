//! The overview: the state of every promise, and the rows of one page.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::time::Timestamp;
use store::{EventSummary, ReadError, Reader};

use crate::sources::{Catalogue, ScenarioCard};
use crate::state::{self, Losses, Since, State};

/// Rows on one page.
pub(crate) const ROWS_MAX: usize = 100;
/// Events in a row's strip.
pub(crate) const STRIP: usize = 30;
/// The span that the prober's own losses are counted in.
pub(crate) const LOSS_SPAN: Duration = Duration::from_mins(10);
/// Broken promises named in the sentence.
const NAMED: usize = 5;
/// Streams up to which every one is read as far as its strip goes.
const DEEP_STREAMS: usize = 300;
/// Events looked at of each stream beyond that.
const SHALLOW: usize = 4;
/// Events looked at to find the start of a streak.
const STREAK: usize = 1_000;

/// What the address asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Words that must all occur in a card.
    pub(crate) search: String,
    /// One of [`State::WORDS`]; empty for all.
    pub(crate) state: String,
    /// The page, counted from 0.
    pub(crate) page: usize,
    /// Whether the page loads itself again.
    pub(crate) refresh: bool,
}

/// How many streams are in each state.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StateCounts {
    pub(crate) broken: usize,
    pub(crate) unknown: usize,
    pub(crate) waiting: usize,
    pub(crate) good: usize,
}

/// A promise in the sentence.
#[derive(Clone, Debug)]
pub(crate) struct BrokenPromise {
    pub(crate) card: ScenarioCard,
    pub(crate) since: Option<Since>,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) card: ScenarioCard,
    pub(crate) state: State,
    /// Scheduled events, the newest first.
    pub(crate) newest: Vec<EventSummary>,
    /// The newest eligible event of a broken promise.
    pub(crate) failing: Option<Arc<SliEvent>>,
    pub(crate) next: Option<Timestamp>,
}

/// Everything on the page but the banners.
#[derive(Clone, Debug)]
pub(crate) struct Overview {
    pub(crate) now: Timestamp,
    pub(crate) project: String,
    pub(crate) prober: String,
    /// Scenarios, each counted once whatever its regions.
    pub(crate) promises: usize,
    /// Scenarios that are broken in some region.
    pub(crate) broken_promises: usize,
    /// The first broken ones.
    pub(crate) broken: Vec<BrokenPromise>,
    pub(crate) counts: StateCounts,
    pub(crate) has_regions: bool,
    pub(crate) losses: Losses,
    /// Streams that the filter lets through.
    pub(crate) found: usize,
    pub(crate) rows: Vec<Row>,
    pub(crate) filter: Filter,
}

struct Judged<'a> {
    card: &'a ScenarioCard,
    state: State,
    newest: Vec<EventSummary>,
}

/// Reads what the overview shows.
///
/// # Errors
/// The store could not be read.
pub(crate) fn gather(
    reader: &mut Reader,
    catalogue: &Catalogue,
    filter: Filter,
    now: Timestamp,
) -> Result<Overview, ReadError> {
    let mut judged = judge(reader, &catalogue.cards, now)?;
    judged.sort_by(|a, b| (rank(a.state), &a.card.stream).cmp(&(rank(b.state), &b.card.stream)));
    let mut losses = Losses::default();
    let mut counts = StateCounts::default();
    for one in &judged {
        losses.count(&one.card.stream.scenario, &one.newest, now.minus(LOSS_SPAN));
        counts.add(one.state);
    }
    let is_broken = |one: &&Judged<'_>| matches!(one.state, State::Broken(_));
    let names = |list: &mut dyn Iterator<Item = &Judged<'_>>| {
        list.map(|one| &*one.card.stream.scenario).collect::<BTreeSet<_>>().len()
    };
    let promises = names(&mut judged.iter());
    let broken_promises = names(&mut judged.iter().filter(is_broken));
    let mut broken = Vec::new();
    for one in judged.iter().filter(is_broken).take(NAMED) {
        broken.push(BrokenPromise { card: one.card.clone(), since: since(reader, one)? });
    }
    let regions: BTreeSet<_> = catalogue.cards.iter().map(|card| &card.stream.region).collect();
    let chosen: Vec<_> = judged.into_iter().filter(|one| filter.lets_through(one)).collect();
    let found = chosen.len();
    let filter = Filter { page: filter.page.min(found.saturating_sub(1) / ROWS_MAX), ..filter };
    let shown = chosen.into_iter().skip(filter.page * ROWS_MAX).take(ROWS_MAX).collect();
    Ok(Overview {
        now,
        project: catalogue.project.clone(),
        prober: catalogue.prober.clone(),
        promises,
        broken_promises,
        broken,
        counts,
        has_regions: regions.len() > 1,
        losses,
        found,
        rows: rows(reader, shown, now)?,
        filter,
    })
}

/// States in the order of the table; the reason does not matter here.
const fn rank(state: State) -> u8 {
    match state {
        State::Broken(_) => 0,
        State::Unknown(_) => 1,
        State::Waiting => 2,
        State::Holds => 3,
    }
}

impl StateCounts {
    fn add(&mut self, state: State) {
        *match state {
            State::Broken(_) => &mut self.broken,
            State::Unknown(_) => &mut self.unknown,
            State::Waiting => &mut self.waiting,
            State::Holds => &mut self.good,
        } += 1;
    }
}

/// The last events of each card, of manual runs too and of the names that its scenario had before.
///
/// # Errors
/// The store could not be read.
pub(crate) fn last(
    reader: &mut Reader,
    cards: &[&ScenarioCard],
    count: usize,
) -> Result<Vec<Vec<EventSummary>>, ReadError> {
    let streams: Vec<_> = cards.iter().map(|card| card.stream.clone()).collect();
    let mut all = reader.last_events(&streams, count)?;
    for (card, events) in cards.iter().zip(&mut all) {
        if !card.was.is_empty() && events.len() < count {
            let before = reader.last_events(&card.former(), count - events.len())?;
            events.extend(before.into_iter().flatten());
            events.sort_by_key(|event| Reverse(event.slot.scheduled));
            events.truncate(count);
        }
    }
    Ok(all)
}

/// The newest scheduled events of each card, the newest first.
///
/// # Errors
/// The store could not be read.
pub(crate) fn newest(
    reader: &mut Reader,
    cards: &[&ScenarioCard],
    count: usize,
) -> Result<Vec<Vec<EventSummary>>, ReadError> {
    let mut all = last(reader, cards, count)?;
    for events in &mut all {
        events.retain(|event| !event.manual);
        // A late delivery may be stored after a later slot.
        events.sort_by_key(|event| Reverse(event.slot.scheduled));
    }
    Ok(all)
}

fn judge<'a>(
    reader: &mut Reader,
    cards: &'a [ScenarioCard],
    now: Timestamp,
) -> Result<Vec<Judged<'a>>, ReadError> {
    let depth = if cards.len() <= DEEP_STREAMS { STRIP } else { SHALLOW };
    let every: Vec<_> = cards.iter().collect();
    let mut all = newest(reader, &every, depth)?;
    // Streams that need a longer look: their newest events are all manual, ineligible or missed.
    let blind = |events: &[EventSummary]| !events.iter().any(|event| event.reason.verdict().is_eligible());
    let again: Vec<usize> = (0..all.len()).filter(|index| depth < STRIP && blind(&all[*index])).collect();
    let longer: Vec<_> = again.iter().map(|index| &cards[*index]).collect();
    for (index, events) in again.into_iter().zip(newest(reader, &longer, STRIP)?) {
        all[index] = events;
    }
    let judged = cards.iter().zip(all);
    Ok(judged
        .map(|(card, newest)| Judged { card, state: state::state(card, &newest, now), newest })
        .collect())
}

fn since(reader: &mut Reader, one: &Judged<'_>) -> Result<Option<Since>, ReadError> {
    if let found @ Some(Since::Slot(_)) = state::since(&one.newest, false) {
        return Ok(found);
    }
    let longer = newest(reader, &[one.card], STREAK)?;
    Ok(longer.first().and_then(|events| state::since(events, events.len() < STREAK)))
}

fn rows(reader: &mut Reader, shown: Vec<Judged<'_>>, now: Timestamp) -> Result<Vec<Row>, ReadError> {
    let cards: Vec<_> = shown.iter().map(|one| one.card).collect();
    let strips = newest(reader, &cards, STRIP)?;
    let mut rows = Vec::with_capacity(shown.len());
    for (one, newest) in shown.into_iter().zip(strips) {
        let failing = match one.state {
            State::Broken(_) => failing(reader, &newest)?,
            _ => None,
        };
        let next = (one.card.next_slot)(now);
        rows.push(Row { card: one.card.clone(), state: one.state, newest, failing, next });
    }
    Ok(rows)
}

fn failing(reader: &mut Reader, newest: &[EventSummary]) -> Result<Option<Arc<SliEvent>>, ReadError> {
    let Some(bad) = newest.iter().find(|event| event.reason.verdict().is_eligible()) else { return Ok(None) };
    Ok(reader.event(bad.seq)?.map(|stored| stored.event))
}

impl Filter {
    fn lets_through(&self, one: &Judged<'_>) -> bool {
        if !self.state.is_empty() && one.state.word() != self.state {
            return false;
        }
        if self.search.is_empty() {
            return true;
        }
        let card = one.card;
        let mut text = format!(
            "{} {} {} {} {} {}",
            card.stream.scenario, card.stream.region, card.title, card.aim, card.owner, card.kind
        );
        for (name, value) in &card.labels {
            write!(text, " {name}={value}").expect("a String takes every character");
        }
        let text = text.to_lowercase();
        self.search.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}
