//! One scenario: its streams with their last events, what was measured over time, and what failed.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use model::event::{Origin, SliEvent};
use model::outcome::Reason;
use model::slot::Slot;
use model::time::Timestamp;
use store::{EventFilter, ReadError, Reader, StreamAccount};

use super::failures::{self, Failures};
use super::overview::{last, newest};
use super::run::{self, RunView, Sought};
use super::series::{self, Series};
use crate::sources::{Catalogue, ScenarioCard};
use crate::state::{self, Since, State};

/// Events listed on the page, shared by its streams.
const EVENTS: usize = 30;
/// The fewest events of a stream that is listed at all.
const EVENTS_MIN: usize = 5;
/// Streams listed with their events; more are counted.
const STREAMS: usize = 10;
/// Events looked at to find the regions of a scenario that is no longer scheduled.
const ARCHIVED: usize = 500;
/// Events looked at to find the start of a streak.
const STREAK: usize = 1_000;

/// One scenario as the page shows it.
#[derive(Clone, Debug)]
pub(crate) struct ScenarioView {
    pub(crate) now: Timestamp,
    pub(crate) project: String,
    pub(crate) name: String,
    /// No file has the scenario any more; its history is still here.
    pub(crate) is_archived: bool,
    /// The streams that are listed, by region.
    pub(crate) streams: Vec<StreamView>,
    /// Further streams that are not.
    pub(crate) more: usize,
    /// The window of the account; `None` if it could not be had.
    pub(crate) window: Option<(Timestamp, Timestamp)>,
    /// What the address asks for.
    pub(crate) asked: Asked,
    /// What was measured.
    pub(crate) series: Series,
    /// What failed in that time.
    pub(crate) failures: Failures,
    /// The run that is shown: the one asked for, else the newest bad one.
    pub(crate) selected: Option<Box<RunView>>,
    /// How its objective stands.
    pub(crate) standing: Option<slo::standing::Standing>,
}

/// What the address asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) name: String,
    /// One region only.
    pub(crate) region: Option<String>,
    /// The span in hours; one of [`series::SPANS`].
    pub(crate) hours: u32,
    /// The run to show below.
    pub(crate) run: Option<Sought>,
    /// Whether the page loads itself again.
    pub(crate) refresh: bool,
}

/// One region of it.
#[derive(Clone, Debug)]
pub(crate) struct StreamView {
    pub(crate) card: ScenarioCard,
    pub(crate) state: State,
    pub(crate) since: Option<Since>,
    pub(crate) next: Option<Timestamp>,
    /// The newest first.
    pub(crate) events: Vec<Listed>,
    pub(crate) account: Option<StreamAccount>,
}

/// An event in the list; slots that nobody ran have no more than their summary.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) slot: Slot,
    pub(crate) reason: Reason,
    pub(crate) event: Option<Arc<SliEvent>>,
}

impl Asked {
    /// The span if the address does not say.
    pub(crate) const HOURS: u32 = 6;
}

/// Reads what the page shows; `None` if no such scenario is scheduled or has events.
///
/// # Errors
/// The store could not be read.
pub(crate) fn gather(
    reader: &mut Reader,
    catalogue: &Catalogue,
    asked: Asked,
    now: Timestamp,
) -> Result<Option<ScenarioView>, ReadError> {
    let (name, region) = (asked.name.as_str(), asked.region.as_deref());
    let cards = cards(catalogue, name);
    let archived = if cards.is_empty() { archived(reader, name)? } else { Vec::new() };
    let is_archived = !archived.is_empty();
    let mut cards: Vec<&ScenarioCard> = if is_archived { archived.iter().collect() } else { cards };
    cards.retain(|card| region.is_none_or(|region| &*card.stream.region == region));
    if cards.is_empty() {
        return Ok(None);
    }
    cards.sort_by(|a, b| a.stream.cmp(&b.stream));
    let more = cards.len().saturating_sub(STREAMS);
    cards.truncate(STREAMS);
    let count = (EVENTS / cards.len()).max(EVENTS_MIN);
    let mut streams = Vec::with_capacity(cards.len());
    for card in &cards {
        streams.push(stream(reader, card, count, now)?);
    }
    let mut ran: Vec<&SliEvent> = streams
        .iter()
        .flat_map(|stream| &stream.events)
        .filter_map(|listed| listed.event.as_deref())
        .collect();
    ran.sort_by_key(|event| Reverse(event.slot.scheduled));
    let series = series::gather(reader, (&cards, &ran), asked.hours, now)?;
    let failures = failures::gather(reader, &series)?;
    let selected = selected(reader, catalogue, (&asked, &failures, cards[0]), now)?;
    let project = catalogue.project.clone();
    let name = streams.first().map_or_else(|| name.to_owned(), |one| one.card.stream.scenario.to_string());
    Ok(Some(ScenarioView {
        now,
        project,
        name,
        is_archived,
        streams,
        more,
        window: None,
        asked,
        series,
        failures,
        selected,
        standing: None,
    }))
}

/// The run that the address asks for if it is one of this scenario's, else the newest bad one.
fn selected(
    reader: &mut Reader,
    catalogue: &Catalogue,
    (asked, failures, card): (&Asked, &Failures, &ScenarioCard),
    now: Timestamp,
) -> Result<Option<Box<RunView>>, ReadError> {
    if let Some(sought) = &asked.run
        && let run::Found::One(found) = run::gather(reader, catalogue, sought, now)?
        && (card.holds(&found.event.origin.stream)
            || found.event.origin.stream.scenario == card.stream.scenario)
    {
        return Ok(Some(found));
    }
    let Some(bad) = &failures.newest else { return Ok(None) };
    run::of_event(reader, catalogue, Arc::clone(bad), now).map(|found| Some(Box::new(found)))
}

/// The cards of the scenario with this name, else of the one that had it before.
fn cards<'c>(catalogue: &'c Catalogue, name: &str) -> Vec<&'c ScenarioCard> {
    let now: Vec<_> = catalogue.cards.iter().filter(|card| &*card.stream.scenario == name).collect();
    if !now.is_empty() {
        return now;
    }
    catalogue.cards.iter().filter(|card| card.was.iter().any(|former| &**former == name)).collect()
}

/// Cards of a scenario that no file has any more, as its last events know it.
fn archived(reader: &mut Reader, name: &str) -> Result<Vec<ScenarioCard>, ReadError> {
    let filter = EventFilter {
        scenario: Some(name.to_owned()),
        limit: ARCHIVED,
        newest_first: true,
        ..EventFilter::default()
    };
    let mut cards: Vec<ScenarioCard> = Vec::new();
    for stored in reader.query(&filter)? {
        let origin = &stored.event.origin;
        if &*origin.stream.scenario == name && cards.iter().all(|card| card.stream != origin.stream) {
            cards.push(archived_card(origin));
        }
    }
    Ok(cards)
}

fn archived_card(origin: &Origin) -> ScenarioCard {
    let nothing: Arc<str> = "".into();
    ScenarioCard {
        stream: origin.stream.clone(),
        was: Box::default(),
        title: Arc::clone(&origin.stream.scenario),
        aim: Arc::clone(&nothing),
        owner: Arc::clone(&origin.owner),
        runbook: Arc::clone(&nothing),
        labels: origin.labels.clone(),
        cadence: "no more".to_owned(),
        timeout: Duration::ZERO,
        kind: Arc::clone(&origin.kind),
        targets: Vec::new(),
        version: Arc::clone(&origin.version),
        path: nothing,
        line: 0,
        text: "".into(),
        slo: None,
        public: false,
        next_slot: Arc::new(|_| None),
    }
}

fn stream(
    reader: &mut Reader,
    card: &ScenarioCard,
    count: usize,
    now: Timestamp,
) -> Result<StreamView, ReadError> {
    let one = &[card];
    let mut last = last(reader, one, count)?.pop().unwrap_or_default();
    last.sort_by_key(|event| Reverse(event.slot.scheduled));
    let mut events = Vec::with_capacity(last.len());
    for summary in &last {
        let has_run = summary.reason.verdict() != model::outcome::Verdict::Missed;
        let event = if has_run { reader.event(summary.seq)?.map(|stored| stored.event) } else { None };
        events.push(Listed { slot: summary.slot, reason: summary.reason, event });
    }
    let scheduled = newest(reader, one, count)?.pop().unwrap_or_default();
    let state = state::state(card, &scheduled, now);
    let since = match (state, state::since(&scheduled, false)) {
        (State::Broken(_), found @ Some(Since::Slot(_))) => found,
        (State::Broken(_), _) => {
            let longer = newest(reader, one, STREAK)?.pop().unwrap_or_default();
            state::since(&longer, longer.len() < STREAK)
        }
        _ => None,
    };
    Ok(StreamView { card: card.clone(), state, since, next: (card.next_slot)(now), events, account: None })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Instant;

    use model::outcome::Outcome;
    use model::time::Clock;
    use store::{Config, Effort, Opened, Record, Store};

    use super::*;
    use crate::sample::{T0, card, event, origin};

    const DAY: i64 = 86_400;
    const REGIONS: [&str; 3] = ["ap", "eu", "us"];

    /// A clock that stands where it is put, so that each day gets its own file.
    #[derive(Debug, Default)]
    struct Moved(AtomicI64);

    impl Clock for Moved {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(self.0.load(Ordering::SeqCst))
        }

        fn monotonic(&self) -> Instant {
            Instant::now()
        }
    }

    /// A day of five scenarios in three regions, every hour a run, one in sixteen of them bad.
    fn a_day(begin: i64) -> Vec<Record> {
        let mut records = Vec::new();
        for hour in 0..24 {
            for number in 0..5 {
                for region in REGIONS {
                    let reason = if records.len() % 16 == 1 { Reason::Failed } else { Reason::Ok };
                    let origin = origin(&format!("s{number}"), region);
                    let event = event(&origin, begin + hour * 3_600, Outcome::empty(reason));
                    records.push(Record::Event(Arc::new(event)));
                }
            }
        }
        records
    }

    /// What the page costs when so many days are stored, and how many runs it lists and looks at.
    fn cost(days: i64, hours: u32) -> (usize, usize, Effort) {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Moved::default());
        clock.0.store(T0 - days * DAY, Ordering::SeqCst);
        let config = Config { age_max: Duration::from_hours(24 * 365), ..Config::new(dir.path()) };
        let Opened { store, queue, writer } = Store::open(config, Arc::clone(&clock) as _).unwrap();
        let writer = std::thread::spawn(|| writer.run());
        for day in (1..=days).rev() {
            clock.0.store(T0 - day * DAY, Ordering::SeqCst);
            for record in a_day(T0 - day * DAY) {
                queue.blocking_send(record).unwrap();
            }
            let (sender, flushed) = tokio::sync::oneshot::channel();
            queue.blocking_send(Record::Flush(sender)).unwrap();
            flushed.blocking_recv().unwrap();
        }
        let cards = REGIONS.iter().map(|region| card("s2", region)).collect();
        let catalogue = Catalogue { cards, ..Catalogue::default() };
        let asked = Asked { name: "s2".to_owned(), region: None, hours, run: None, refresh: false };
        let mut reader = store.reader();
        let view = gather(&mut reader, &catalogue, asked, Timestamp::from_seconds(T0)).unwrap().unwrap();
        let listed = view.streams.iter().map(|stream| stream.events.len()).sum();
        let cost = (listed, view.failures.looked_at, reader.effort());
        drop((reader, store, queue));
        writer.join().unwrap();
        cost
    }

    #[test]
    fn a_page_reads_no_more_however_long_the_history_is() {
        for (hours, files) in [(6, 2), (24, 4), (168, 60)] {
            let (short, long) = (cost(9, hours), cost(20, hours));
            assert_eq!(short, long, "{hours} h");
            let (listed, failures, effort) = long;
            assert!(listed > 0 && failures > 0, "{hours} h: {long:?}");
            assert!(effort.parts_opened <= files, "{hours} h: {effort:?}");
            // A run is a row or two to find and one to show; a file of a day has 360 rows.
            let runs = 3 * u64::from(hours.max(24)) + (listed + failures) as u64;
            assert!(effort.steps <= 100 * runs, "{hours} h: {effort:?} for {runs} runs");
        }
    }
}
