//! What everybody may see: title, state and the last 90 days of scenarios that say `public: true`.
//!
//! Days that are over are counted once and kept; nothing of addresses, reasons or regions is in here.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::outcome::Verdict;
use model::slot::Stream;
use model::time::Timestamp;
use slo::standing::Standing;
use store::{ReadError, Reader, Store};

use super::overview::newest;
use crate::live::KEPT;
use crate::sources::{Catalogue, ScenarioCard};
use crate::state::{self, State};

/// Days that are shown.
pub(crate) const DAYS: usize = 90;
const DAY_MS: i64 = 86_400_000;
/// Scenarios that are shown.
const SCENARIOS_MAX: usize = 100;

/// Counts of days by stream.
#[derive(Debug, Default)]
pub(crate) struct Days(Mutex<HashMap<Stream, BTreeMap<i64, Day>>>);

/// Good and bad runs of one day.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) good: u32,
    pub(crate) bad: u32,
}

/// A scenario as everybody may see it.
#[derive(Clone, Debug)]
pub(crate) struct PublicScenario {
    pub(crate) name: Arc<str>,
    pub(crate) title: Arc<str>,
    pub(crate) state: PublicState,
    /// The last days, the oldest first; nothing where nothing ran.
    pub(crate) days: Vec<Option<Day>>,
    /// The objective, and what was attained of it.
    pub(crate) objective: Option<(f64, Option<f64>)>,
}

/// Its state in a word.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicState {
    /// It works.
    Works,
    /// It is broken in some region.
    Broken,
    /// Nobody knows.
    Unknown,
}

impl PublicState {
    /// The word for people.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }
}

/// All public scenarios, or the one with this name.
///
/// # Errors
/// The store could not be read.
pub(crate) fn gather(
    (store, days): (&Store, &Days),
    (catalogue, standings): (&Catalogue, &[Standing]),
    (only, now): (Option<&str>, Timestamp),
) -> Result<Vec<PublicScenario>, ReadError> {
    let mut scenarios: BTreeMap<&str, Vec<&ScenarioCard>> = BTreeMap::new();
    let wanted = |card: &&ScenarioCard| card.public && only.is_none_or(|name| *card.stream.scenario == *name);
    for card in catalogue.cards.iter().filter(wanted) {
        scenarios.entry(&card.stream.scenario).or_default().push(card);
    }
    let mut reader = store.reader();
    let mut all = Vec::new();
    for cards in scenarios.into_values().take(SCENARIOS_MAX) {
        all.push(scenario((&mut reader, days), &cards, standings, now)?);
    }
    Ok(all)
}

fn scenario(
    (reader, days): (&mut Reader, &Days),
    cards: &[&ScenarioCard],
    standings: &[Standing],
    now: Timestamp,
) -> Result<PublicScenario, ReadError> {
    let states: Vec<_> = cards
        .iter()
        .zip(newest(reader, cards, KEPT)?)
        .map(|(card, newest)| state::state(card, &newest, now))
        .collect();
    let state = if states.iter().any(|state| matches!(state, State::Broken(_))) {
        PublicState::Broken
    } else if states.iter().any(|state| matches!(state, State::Holds)) {
        PublicState::Works
    } else {
        PublicState::Unknown
    };
    let today = now.as_millis().div_euclid(DAY_MS);
    let mut sums = vec![None; DAYS];
    for card in cards {
        for (day, counts) in days.of(reader, &card.stream, today)? {
            let back = usize::try_from(today - day).unwrap_or(usize::MAX);
            if let Some(place) = DAYS.checked_sub(back + 1) {
                let sum: &mut Day = sums[place].get_or_insert_default();
                (sum.good, sum.bad) = (sum.good + counts.good, sum.bad + counts.bad);
            }
        }
    }
    let standing = cards[0].slo.as_ref().and_then(|slo| standings.iter().find(|one| one.name == *slo));
    let objective = standing.and_then(|standing| {
        let target = f64::from(standing.objective.as_ref()?.target.millionths()) / 1e6;
        Some((target, standing.budget.and_then(|budget| budget.attained())))
    });
    Ok(PublicScenario {
        name: Arc::clone(&cards[0].stream.scenario),
        title: Arc::clone(&cards[0].title),
        state,
        days: sums,
        objective,
    })
}

impl Days {
    /// The counts of a stream's days; only days that are not over are counted again.
    fn of(&self, reader: &mut Reader, stream: &Stream, today: i64) -> Result<BTreeMap<i64, Day>, ReadError> {
        let mut known = self.0.lock().expect("no holder panics");
        let counts = known.entry(stream.clone()).or_default();
        let oldest = today - i64::try_from(DAYS).unwrap_or(0) + 1;
        // What comes late belongs to yesterday at most.
        let from = counts.last_key_value().map_or(oldest, |(newest, _)| (*newest - 1).max(oldest));
        counts.retain(|day, _| (oldest..from).contains(day));
        let earliest = Timestamp::from_millis(from * DAY_MS).minus(Duration::from_hours(1));
        reader.history(stream, |summary| {
            let day = summary.slot.scheduled.as_millis().div_euclid(DAY_MS);
            if day >= from {
                let count = counts.entry(day).or_default();
                match summary.reason.verdict() {
                    Verdict::Good => count.good += 1,
                    Verdict::Bad => count.bad += 1,
                    Verdict::Ineligible | Verdict::Missed => {}
                }
            }
            summary.slot.scheduled >= earliest
        })?;
        Ok(counts.clone())
    }
}
