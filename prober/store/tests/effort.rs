//! What an answer costs must not grow with how much else is stored.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::event::Trigger;
use model::outcome::{Reason, Verdict};
use model::time::Timestamp;

use super::sample::{Desk, at, event, origin};
use crate::{Config, Effort, EventFilter, Reader, Record, StoredEvent};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// The end of every history.
const END: &str = "2026-04-01T00:00:00Z";

fn open(dir: &Path, now: Timestamp) -> Desk {
    Desk::with(Config { age_max: DAY * 365, ..Config::new(dir) }, now)
}

/// Ten scenarios every hour for so many days up to [`END`], a file a day; every 37th run of a day is bad.
fn filled(dir: &Path, days: u32) -> Desk {
    let mut desk = open(dir, at(END).minus(DAY * days));
    let origins: Vec<_> = (0..10).map(|number| origin(&format!("s{number}"))).collect();
    for day in (1..=days).rev() {
        let midnight = at(END).minus(DAY * day);
        desk.clock.set(midnight);
        let mut records = Vec::new();
        for hour in 0..24 {
            for origin in &origins {
                let reason = if records.len() % 37 == 1 { Reason::Failed } else { Reason::Ok };
                records.push(Record::Event(event(origin, midnight.plus(HOUR * hour), reason)));
            }
        }
        desk.write(records);
    }
    desk
}

/// A question with its name.
type Question = (&'static str, fn(&mut Reader, u64) -> usize);

fn one_day() -> EventFilter {
    let since = Some(at(END).minus(DAY));
    EventFilter { since, limit: 1_000, newest_first: true, ..EventFilter::default() }
}

const QUESTIONS: [Question; 6] = [
    ("the newest event", |reader, last| usize::from(reader.event(last).unwrap().is_some())),
    ("an event of the day before", |reader, last| usize::from(reader.event(last - 300).unwrap().is_some())),
    ("a day", |reader, _| reader.query(&one_day()).unwrap().len()),
    ("a day's bad runs", |reader, _| {
        reader.query(&EventFilter { verdicts: vec![Verdict::Bad], ..one_day() }).unwrap().len()
    }),
    ("the last events of a stream", |reader, _| {
        reader.last_events(&[origin("s3").stream.clone()], 30).unwrap()[0].len()
    }),
    ("the last good one", |reader, _| {
        usize::from(reader.last_good_before(&origin("s1").stream, at(END)).unwrap().is_some())
    }),
];

#[test]
fn what_an_answer_costs_does_not_grow_with_the_history() {
    let costs = |days: u32| -> Vec<(&str, usize, Effort)> {
        let dir = tempfile::tempdir().unwrap();
        let desk = filled(dir.path(), days);
        let last = *desk.store.durable().borrow();
        let cost = |(name, ask): &Question| {
            let mut reader = desk.store.reader();
            let found = ask(&mut reader, last);
            (*name, found, reader.effort())
        };
        QUESTIONS.iter().map(cost).collect()
    };
    let (short, long) = (costs(3), costs(40));
    assert_eq!(short, long);
    for (name, found, effort) in long {
        assert!(found > 0 && effort.parts_opened <= 2, "{name}: {found} by {effort:?}");
        // Nor with what else there is on that day: some twenty steps a row that is given.
        assert!(effort.steps <= 200 + 60 * found as u64, "{name}: {found} by {effort:?}");
    }
}

#[test]
fn what_has_been_bad_for_long_is_not_followed_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = open(dir.path(), at(END));
    let shop = origin("shop");
    let second = |number: u64| at(END).plus(Duration::from_secs(number));
    let bad = u64::try_from(crate::LIMIT_MAX).unwrap();
    let records = (0..=bad).map(|number| {
        let reason = if number == 0 { Reason::Ok } else { Reason::Failed };
        Record::Event(event(&shop, second(number), reason))
    });
    desk.write(records.collect());
    let mut reader = desk.store.reader();
    assert_eq!(reader.last_good_before(&shop.stream, second(bad + 1)).unwrap(), None);
    assert!(reader.event(1).unwrap().is_some(), "it is there");
}

/// Three days with a run by hand, recorded on the second, whose slot stands before all others.
fn with_a_run_by_hand(dir: &Path) -> Timestamp {
    let mut desk = filled(dir, 2);
    let before = at(END).minus(DAY * 5);
    let mut manual = event(&origin("s1"), before, Reason::Failed);
    Arc::make_mut(&mut manual).trigger = Trigger::Manual;
    desk.write(vec![Record::Event(manual)]);
    desk.clock.set(at(END));
    desk.event(&origin("s1"), at(END), Reason::Ok);
    drop(desk.end());
    before
}

#[test]
fn files_from_before_the_indexes_answer_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let manual = with_a_run_by_hand(dir.path());
    let answers = || -> Vec<Vec<StoredEvent>> {
        let mut reader = Reader::open(dir.path()).unwrap();
        let of_then = EventFilter { since: Some(manual), until: Some(manual.plus(HOUR)), ..one_day() };
        let bad = EventFilter { verdicts: vec![Verdict::Bad], since: None, ..one_day() };
        let not_good = EventFilter { verdicts: vec![Verdict::Bad, Verdict::Missed], ..one_day() };
        let failed = EventFilter { reasons: vec![Reason::Failed, Reason::Ok], ..one_day() };
        [of_then, bad, not_good, failed].iter().map(|filter| reader.query(filter).unwrap()).collect()
    };
    let now = answers();
    let counts: Vec<_> = now.iter().map(Vec::len).collect();
    assert_eq!(counts, [1, 15, 7, 241]);
    let mut files: Vec<_> =
        std::fs::read_dir(dir.path().join("events")).unwrap().map(Result::unwrap).collect();
    files.retain(|file| file.path().extension().is_some_and(|end| end == "db"));
    assert_eq!(files.len(), 3);
    for file in files {
        let conn = rusqlite::Connection::open(file.path()).unwrap();
        conn.execute_batch("DROP INDEX events_not_ok; DROP INDEX events_manual").unwrap();
    }
    assert_eq!(answers(), now);
    // The part that is written gets them, the others stay as they are.
    let desk = open(dir.path(), at(END));
    assert_eq!(answers(), now);
    let mut reader = desk.store.reader();
    let indexed: Vec<_> = reader.parts().unwrap().iter().map(|part| part.is_indexed).collect();
    assert_eq!(indexed, [false, false, true]);
}
