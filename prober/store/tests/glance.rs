//! What pages ask: many events without their bodies, one stream's history, and notes.

use std::sync::Arc;
use std::time::Duration;

use model::missed::MissedSlots;
use model::outcome::Reason;

use super::sample::{Desk, at, event, origin};
use crate::{EventSummary, NewNote, Record};

const NOON: &str = "2026-03-01T12:00:00Z";

fn second(number: u64) -> model::time::Timestamp {
    at(NOON).plus(Duration::from_secs(number))
}

#[test]
fn a_glance_sees_every_slot_of_a_span_once_and_no_run_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at(NOON));
    let (shop, mail) = (origin("shop"), origin("mail"));
    for number in 0..10 {
        desk.event(&shop, second(number * 60), if number == 4 { Reason::Slow } else { Reason::Ok });
    }
    let mut manual = event(&shop, second(90), Reason::Failed);
    Arc::make_mut(&mut manual).trigger = model::event::Trigger::Manual;
    desk.write(vec![Record::Event(manual)]);
    let run = MissedSlots::one(mail, Reason::Late, second(120), second(120));
    desk.write(vec![Record::Missed(MissedSlots { step_ms: 60_000, count: 5, ..run })]);

    let mut seen: Vec<(String, u64, Reason)> = Vec::new();
    let mut reader = desk.store.reader();
    reader
        .scan(second(120), second(300), |stream, summary| {
            let at = summary.slot.scheduled.since(at(NOON)).as_secs();
            seen.push((stream.scenario.to_string(), at, summary.reason));
            assert_eq!(stream.slot(summary.slot.scheduled).id, summary.slot.id);
        })
        .unwrap();
    let of = |name: &str| -> Vec<_> {
        seen.iter().filter(|(scenario, ..)| scenario == name).map(|(_, at, reason)| (*at, *reason)).collect()
    };
    assert_eq!(of("shop"), [(120, Reason::Ok), (180, Reason::Ok), (240, Reason::Slow)]);
    assert_eq!(of("mail"), [120, 180, 240].map(|at| (at, Reason::Late)));

    let mut back: Vec<EventSummary> = Vec::new();
    reader
        .history(&origin("shop").stream, |summary| {
            back.push(summary);
            back.len() < 3
        })
        .unwrap();
    let times: Vec<_> = back.iter().map(|summary| summary.slot.scheduled.since(at(NOON)).as_secs()).collect();
    assert_eq!(times, [540, 480, 420]);
    assert!(reader.event(back[0].seq).unwrap().is_some());
    reader.history(&origin("none").stream, |_| panic!("it has no events")).unwrap();
}

#[test]
fn notes_are_kept_in_order_and_once_where_that_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let note = |action, subject: &str, once| NewNote {
        who: "ada".to_owned(),
        action,
        subject: subject.to_owned(),
        detail: "{}".to_owned(),
        once,
    };
    let desk = Desk::open(dir.path(), at(NOON));
    for _ in 0..2 {
        let notes = [note("fired", "a", true), note("useful", "a", false)];
        desk.store.note(&notes, second(1)).unwrap();
    }
    drop(desk.end());
    // They outlive the process.
    let desk = Desk::open(dir.path(), at(NOON));
    desk.store.note(&[note("fired", "a", true), note("ended", "a", true)], second(2)).unwrap();
    let all = desk.store.notes(None, 10).unwrap();
    let actions: Vec<_> = all.iter().map(|note| note.action.as_str()).collect();
    assert_eq!(actions, ["ended", "useful", "useful", "fired"]);
    assert_eq!((all[0].at, all[3].at, all[0].who.as_str()), (second(2), second(1), "ada"));
    let page = desk.store.notes(Some(all[1].id), 1).unwrap();
    assert_eq!(page, [all[2].clone()]);
}
