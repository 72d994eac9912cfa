//! The overview: the state of every promise, and the rows of one page.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use model::event::SliEvent;
use model::time::Timestamp;
use slo::standing::Standing;
use store::{EventSummary, ReadError, Reader, Store};

use crate::live::{Hour, Live, MINUTES};
use crate::sources::{Catalogue, ScenarioCard};
use crate::state::{self, Cell, Losses, Since, State};

/// Rows on one page.
pub(crate) const ROWS_MAX: usize = 100;
/// Broken promises named in the sentence.
const NAMED: usize = 5;
/// Events looked at to find the start of a streak.
const STREAK: usize = 1_000;
/// Owners and regions that are offered to choose from.
const CHOICES_MAX: usize = 100;

/// What the address asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Words that must all occur in a card.
    pub(crate) search: String,
    /// The owner; empty for all.
    pub(crate) owner: String,
    /// The region; empty for all.
    pub(crate) region: String,
    /// One of [`State::WORDS`]; empty for all.
    pub(crate) state: String,
    /// The page, counted from 0.
    pub(crate) page: usize,
    /// Whether the page loads itself again.
    pub(crate) refresh: bool,
}

/// How many promises are in each state.
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
    /// Where it is broken.
    pub(crate) regions: Vec<Arc<str>>,
    pub(crate) since: Option<Since>,
}

/// One line of the table: a scenario in all its regions.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) card: ScenarioCard,
    /// The worst of its regions.
    pub(crate) state: State,
    /// Each region with its state, by name.
    pub(crate) regions: Vec<(Arc<str>, State)>,
    /// The newest event of all regions.
    pub(crate) last: Option<EventSummary>,
    /// The worst of each of the last minutes, the oldest first.
    pub(crate) minutes: [Cell; MINUTES],
    /// The newest eligible event of a broken promise.
    pub(crate) failing: Option<Arc<SliEvent>>,
    pub(crate) next: Option<Timestamp>,
    /// How its objective stands.
    pub(crate) standing: Option<Standing>,
}

/// A promise over several scenarios.
#[derive(Clone, Debug)]
pub(crate) struct JointRow {
    pub(crate) standing: Standing,
}

/// Everything on the page but the banners.
#[derive(Clone, Debug)]
pub(crate) struct Overview {
    pub(crate) now: Timestamp,
    pub(crate) project: String,
    pub(crate) prober: String,
    /// Scenarios, each counted once whatever its regions.
    pub(crate) promises: usize,
    /// The first broken ones.
    pub(crate) broken: Vec<BrokenPromise>,
    pub(crate) counts: StateCounts,
    pub(crate) has_regions: bool,
    /// The owners and regions that there are.
    pub(crate) owners: Vec<Arc<str>>,
    pub(crate) regions: Vec<Arc<str>>,
    pub(crate) losses: Losses,
    /// Alerts that fire.
    pub(crate) firing: usize,
    /// Scenarios that the filter lets through.
    pub(crate) found: usize,
    pub(crate) rows: Vec<Row>,
    /// Objectives over several scenarios.
    pub(crate) joint: Vec<JointRow>,
    pub(crate) filter: Filter,
}

/// A scenario with what the last hour says of it.
struct Judged<'a> {
    cards: Vec<&'a ScenarioCard>,
    /// The states of its cards.
    states: Vec<State>,
    worst: State,
    last: Option<EventSummary>,
    standing: Option<&'a Standing>,
}

/// Reads what the overview shows.
///
/// # Errors
/// The store could not be read.
pub(crate) fn gather(
    (store, live): (&Store, &Live),
    (catalogue, standings): (&Catalogue, &[Standing]),
    filter: Filter,
    now: Timestamp,
) -> Result<Overview, ReadError> {
    let (mut shown, chosen) = live.look(store, (catalogue, now), |hour| {
        let mut judged = judge(hour, (catalogue, standings), now);
        judged.sort_by(order);
        let mut shown = summed(&judged, (catalogue, standings), now);
        shown.losses = hour.losses();
        let chosen: Vec<_> = judged.iter().filter(|one| filter.lets_through(one)).collect();
        shown.found = chosen.len();
        shown.filter = Filter { page: filter.page.min(shown.found.saturating_sub(1) / ROWS_MAX), ..filter };
        let page = chosen.into_iter().skip(shown.filter.page * ROWS_MAX).take(ROWS_MAX);
        let rows: Vec<_> = page.map(|one| row(hour, one, now)).collect();
        (shown, rows)
    })?;
    let mut reader = store.reader();
    for promise in &mut shown.broken {
        promise.since = since(&mut reader, promise)?;
    }
    shown.rows = chosen;
    for row in shown.rows.iter_mut().filter(|row| matches!(row.state, State::Broken(_))) {
        row.failing = failing(&mut reader, &row.card)?;
    }
    Ok(shown)
}

/// What stands above the table.
fn summed(
    judged: &[Judged<'_>],
    (catalogue, standings): (&Catalogue, &[Standing]),
    now: Timestamp,
) -> Overview {
    let mut counts = StateCounts::default();
    for one in judged {
        counts.add(one.worst);
    }
    let broken = judged.iter().filter(|one| matches!(one.worst, State::Broken(_))).take(NAMED);
    let regions: BTreeSet<_> = catalogue.cards.iter().map(|card| &card.stream.region).collect();
    let owners: BTreeSet<_> = catalogue.cards.iter().map(|card| &card.owner).collect();
    let named = |all: BTreeSet<&Arc<str>>| -> Vec<Arc<str>> {
        all.into_iter().filter(|one| !one.is_empty()).take(CHOICES_MAX).cloned().collect()
    };
    let own: BTreeSet<&str> = catalogue.cards.iter().filter_map(|card| card.slo.as_deref()).collect();
    let joint = standings.iter().filter(|standing| !own.contains(&*standing.name));
    Overview {
        now,
        project: catalogue.project.clone(),
        prober: catalogue.prober.clone(),
        promises: judged.len(),
        broken: broken.map(broken_promise).collect(),
        counts,
        has_regions: regions.len() > 1,
        owners: named(owners),
        regions: named(regions),
        losses: Losses::default(),
        firing: standings.iter().map(|standing| standing.alerts.len()).sum(),
        found: 0,
        rows: Vec::new(),
        joint: joint.take(ROWS_MAX).map(|standing| JointRow { standing: standing.clone() }).collect(),
        filter: Filter::default(),
    }
}

fn broken_promise(one: &Judged<'_>) -> BrokenPromise {
    let cards = one.cards.iter().zip(&one.states);
    let mut broken = cards.filter(|(_, state)| matches!(state, State::Broken(_))).map(|(card, _)| *card);
    let first = broken.next().unwrap_or(one.cards[0]);
    let regions = std::iter::once(first).chain(broken).map(|card| Arc::clone(&card.stream.region));
    let mut regions: Vec<_> = regions.collect();
    // Replicas of a region stand next to each other.
    regions.dedup();
    BrokenPromise { card: first.clone(), regions, since: None }
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

/// What is broken first; then by the time until the budget is gone.
fn order(one: &Judged<'_>, other: &Judged<'_>) -> Ordering {
    let is_broken = |judged: &Judged<'_>| !matches!(judged.worst, State::Broken(_));
    let left = |judged: &Judged<'_>| judged.standing.and_then(gone_in).unwrap_or(Duration::MAX);
    is_broken(one)
        .cmp(&is_broken(other))
        .then_with(|| left(one).cmp(&left(other)))
        .then_with(|| rank(one.worst).cmp(&rank(other.worst)))
        .then_with(|| one.cards[0].stream.cmp(&other.cards[0].stream))
}

/// How long the budget lasts at the rate at which it burns: the fastest of the long windows.
pub(crate) fn gone_in(standing: &Standing) -> Option<Duration> {
    let budget = standing.budget?;
    if budget.remaining() <= 0.0 {
        return Some(Duration::ZERO);
    }
    standing.burns.iter().filter_map(|(_, [_, long])| budget.lasts(long.rate())).min()
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
    hour: &Hour,
    (catalogue, standings): (&'a Catalogue, &'a [Standing]),
    now: Timestamp,
) -> Vec<Judged<'a>> {
    let mut scenarios: BTreeMap<&str, Vec<&ScenarioCard>> = BTreeMap::new();
    for card in &catalogue.cards {
        scenarios.entry(&card.stream.scenario).or_default().push(card);
    }
    let by_name: BTreeMap<&str, &Standing> =
        standings.iter().map(|standing| (&*standing.name, standing)).collect();
    let judged = |mut cards: Vec<&'a ScenarioCard>| {
        cards.sort_by(|one, other| one.stream.cmp(&other.stream));
        let newest = |card: &&ScenarioCard| hour.track(card).map_or(&[][..], |track| &track.newest);
        let states = cards.iter().map(|card| state::state(card, newest(card), now)).collect();
        let states = spoken_for(&cards, states);
        let worst = *states.iter().min_by_key(|state| rank(**state)).unwrap_or(&State::Waiting);
        let last = cards.iter().filter_map(|card| newest(card).first().copied());
        let last = last.max_by_key(|event| event.slot.scheduled);
        let standing = cards[0].slo.as_deref().and_then(|name| by_name.get(name).copied());
        Judged { cards, states, worst, last, standing }
    };
    scenarios.into_values().map(judged).collect()
}

/// A replica of which nobody knows is spoken for by another one of its region that holds.
fn spoken_for(cards: &[&ScenarioCard], states: Vec<State>) -> Vec<State> {
    let region = |card: &ScenarioCard| Arc::clone(&card.stream.region);
    let holding: BTreeSet<_> = cards
        .iter()
        .zip(&states)
        .filter(|(_, state)| **state == State::Holds)
        .map(|(card, _)| region(card))
        .collect();
    let spoken = |(card, state): (&&ScenarioCard, State)| match state {
        State::Unknown(_) | State::Waiting if holding.contains(&region(card)) => State::Holds,
        known => known,
    };
    cards.iter().zip(states).map(spoken).collect()
}

/// The regions in their order, each with the worst of its replicas.
fn by_region(one: &Judged<'_>) -> Vec<(Arc<str>, State)> {
    let mut regions: Vec<(Arc<str>, State)> = Vec::with_capacity(one.cards.len());
    for (card, state) in one.cards.iter().zip(&one.states) {
        match regions.last_mut().filter(|(region, _)| *region == card.stream.region) {
            Some((_, worst)) if rank(*state) < rank(*worst) => *worst = *state,
            Some(_) => {}
            None => regions.push((Arc::clone(&card.stream.region), *state)),
        }
    }
    regions
}

fn row(hour: &Hour, one: &Judged<'_>, now: Timestamp) -> Row {
    let mut minutes = [Cell::None; MINUTES];
    for track in one.cards.iter().filter_map(|card| hour.track(card)) {
        track.worst(&mut minutes, now);
    }
    let worst = one.states.iter().position(|state| *state == one.worst).unwrap_or(0);
    Row {
        card: one.cards[worst].clone(),
        state: one.worst,
        regions: by_region(one),
        last: one.last,
        minutes,
        failing: None,
        next: one.cards.iter().filter_map(|card| (card.next_slot)(now)).min(),
        standing: one.standing.cloned(),
    }
}

fn since(reader: &mut Reader, promise: &BrokenPromise) -> Result<Option<Since>, ReadError> {
    let longer = newest(reader, &[&promise.card], STREAK)?;
    Ok(longer.first().and_then(|events| state::since(events, events.len() < STREAK)))
}

fn failing(reader: &mut Reader, card: &ScenarioCard) -> Result<Option<Arc<SliEvent>>, ReadError> {
    let newest = newest(reader, &[card], crate::live::KEPT)?;
    let bad = newest.iter().flatten().find(|event| event.reason.verdict().is_eligible());
    let Some(bad) = bad else { return Ok(None) };
    Ok(reader.event(bad.seq)?.map(|stored| stored.event))
}

impl Filter {
    fn lets_through(&self, one: &Judged<'_>) -> bool {
        if !self.state.is_empty() && one.worst.word() != self.state {
            return false;
        }
        if !self.owner.is_empty() && one.cards.iter().all(|card| *card.owner != *self.owner) {
            return false;
        }
        if !self.region.is_empty() && one.cards.iter().all(|card| *card.stream.region != *self.region) {
            return false;
        }
        self.search.is_empty() || one.cards.iter().any(|card| self.is_found_in(card))
    }

    fn is_found_in(&self, card: &ScenarioCard) -> bool {
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

#[cfg(test)]
mod tests {
    use model::outcome::Reason;

    use super::*;
    use crate::sample;

    const BAD: State = State::Broken(Reason::Failed);
    const NOBODY: State = State::Unknown(state::Silence::Overdue);

    /// The states of `eu`, its second replica, and `us`: as they are judged, and as the overview shows its regions.
    fn check(states: [State; 3], judged: [State; 3], shown: [State; 2]) {
        let streams = [("eu", 0), ("eu", 1), ("us", 0)];
        let cards = streams.map(|(region, replica)| {
            let mut card = sample::card("home", region);
            card.stream.replica = replica;
            card
        });
        let cards: Vec<&ScenarioCard> = cards.iter().collect();
        let found = spoken_for(&cards, states.to_vec());
        assert_eq!(found, judged, "{states:?}");
        let worst = found[0];
        let regions = by_region(&Judged { cards, states: found, worst, last: None, standing: None });
        let found: Vec<_> = regions.iter().map(|(region, state)| (&**region, *state)).collect();
        assert_eq!(found, [("eu", shown[0]), ("us", shown[1])], "{states:?}");
    }

    #[test]
    fn a_replica_that_nobody_has_is_spoken_for_by_the_other_one_and_a_broken_one_is_not() {
        const GOOD: State = State::Holds;
        check([GOOD, GOOD, NOBODY], [GOOD, GOOD, NOBODY], [GOOD, NOBODY]);
        check([NOBODY, GOOD, GOOD], [GOOD; 3], [GOOD; 2]);
        check([GOOD, State::Waiting, BAD], [GOOD, GOOD, BAD], [GOOD, BAD]);
        check([GOOD, BAD, GOOD], [GOOD, BAD, GOOD], [BAD, GOOD]);
        check([NOBODY, BAD, GOOD], [NOBODY, BAD, GOOD], [BAD, GOOD]);
        check([NOBODY, NOBODY, GOOD], [NOBODY, NOBODY, GOOD], [NOBODY, GOOD]);
    }
}
