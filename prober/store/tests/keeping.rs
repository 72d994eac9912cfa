//! What is kept, for how long, and how it is found again.

use std::sync::Arc;
use std::time::Duration;

use model::missed::MissedSlots;
use model::outcome::{Reason, Verdict};
use model::slot::Stream;
use model::time::Timestamp;

use super::sample::{Desk, at, event, expected, origin};
use crate::{Config, DropCause, EventFilter, Reader, Record, StoredEvent};

const NOON: &str = "2026-03-01T12:00:00Z";

fn files(dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("events")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.contains(".db-"));
    names.sort();
    names
}

#[test]
fn a_part_a_day_and_the_old_ones_go() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { age_max: Duration::from_hours(48), ..Config::new(dir.path()) };
    let mut desk = Desk::with(config, at(NOON));
    let shop = origin("shop");
    let mut slow = desk.store.cursor("slow").unwrap();
    for day in 1..=6 {
        let noon = at(&format!("2026-03-0{day}T12:00:00Z"));
        desk.clock.set(noon);
        desk.event(&shop, noon, Reason::Ok);
    }
    assert_eq!(files(dir.path()).len(), 6, "a cursor holds them back");
    desk.clock.set(at("2026-03-05T00:00:00Z"));
    desk.event(&shop, at("2026-03-06T13:00:00Z"), Reason::Ok);
    assert_eq!(files(dir.path()).len(), 6, "a clock that steps back writes on in the same part");
    let batch = slow.next_batch(100, 1 << 20).unwrap();
    assert_eq!(batch.events.len(), 7);
    slow.advance(&batch).unwrap();
    desk.clock.set(at("2026-03-07T12:00:00Z"));
    desk.event(&shop, at("2026-03-07T12:00:00Z"), Reason::Ok);
    assert_eq!(files(dir.path()).first().unwrap(), "events-2026-03-05.db");
    assert_eq!(desk.store.stats().dropped(DropCause::Age), 4);
    // History and numbers go on over parts and starts.
    drop(slow);
    drop(desk.end());
    let desk = Desk::open(dir.path(), at("2026-03-07T12:00:00Z"));
    assert_eq!(desk.store.stats().dropped(DropCause::Age), 4);
    assert_eq!(*desk.store.durable().borrow(), 8);
    let last =
        desk.store.reader().last_events(&[Stream::new("shop", "eu"), Stream::new("no", "eu")], 10).unwrap();
    assert_eq!(last[0].iter().map(|event| event.seq).collect::<Vec<_>>(), [8, 7, 6, 5]);
    assert!(last[1].is_empty());
}

#[test]
fn the_byte_bound_is_stronger_than_cursors_and_the_loss_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { bytes_max: 8 << 20, recent_events: 10, ..Config::new(dir.path()) };
    let mut desk = Desk::with(config, at(NOON));
    let origins: Vec<_> = (0..50).map(|index| origin(&format!("shop-{index}"))).collect();
    let mut cursor = desk.store.cursor("slow").unwrap();
    let mut in_memory = desk.store.cursor_at_end();
    let mut written = 0;
    for second in 0..500 {
        let scheduled = at(NOON).plus(Duration::from_secs(second));
        let records = origins.iter().map(|origin| {
            let mut event = event(origin, scheduled, Reason::Failed);
            Arc::make_mut(&mut event).outcome.failure = Some(model::outcome::Failure::new(
                model::outcome::FailureClass::Dns,
                "dns.nxdomain",
                "x".repeat(500),
            ));
            Record::Event(event)
        });
        desk.write(records.collect());
        written += 50;
    }
    let bytes: u64 = files(dir.path())
        .iter()
        .map(|name| dir.path().join("events").join(name).metadata().unwrap().len())
        .sum();
    assert!(bytes <= 10 << 20, "{bytes}");
    let dropped = desk.store.stats().dropped(DropCause::Bytes);
    assert!(dropped > 0);
    for cursor in [&mut cursor, &mut in_memory] {
        let (mut read, mut lost) = (0, 0);
        while cursor.behind() > 0 {
            let batch = cursor.next_batch(333, 1 << 16).unwrap();
            assert!(!batch.events.is_empty());
            read += batch.events.len() as u64;
            lost += batch.lost;
            cursor.advance(&batch).unwrap();
        }
        assert_eq!((lost, read), (dropped, written - dropped));
        assert_eq!(cursor.lost(), dropped);
    }
    assert_eq!(desk.store.stats().lost(), 2 * dropped);
    // Accounts begin after what is gone.
    let plans: Vec<_> = origins
        .iter()
        .map(|origin| (Arc::clone(origin), model::slot::Cadence::Every { interval_ms: 1_000 }))
        .collect();
    desk.store.set_plans(&plans, at("2026-03-01T12:08:20Z")).unwrap();
    let account = desk.store.account(at(NOON), at("2026-03-01T12:08:20Z"), &expected).unwrap();
    assert!(account.from > at(NOON));
}

fn seqs(found: &[StoredEvent]) -> Vec<u64> {
    found.iter().map(|event| event.seq).collect()
}

#[test]
fn questions_of_people() {
    let dir = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(dir.path(), at("2026-03-01T23:59:59Z"));
    let (shop, other) = (origin("shop"), origin("other"));
    let start = at(NOON);
    let second = |second: u64| start.plus(Duration::from_secs(second));
    desk.event(&shop, second(0), Reason::Ok); // 1
    desk.event(&other, second(1), Reason::Failed); // 2
    desk.event(&shop, second(10), Reason::Slow); // 3
    let one = MissedSlots::one(Arc::clone(&shop), Reason::Late, second(20), second(70));
    let run = MissedSlots { step_ms: 10_000, count: 5, ..one };
    desk.write(vec![Record::Missed(run)]); // 4..=8
    desk.clock.set(at("2026-03-02T00:00:01Z"));
    desk.event(&shop, second(70), Reason::Ok); // 9
    desk.event(&other, second(61), Reason::ProberFault); // 10
    let all = EventFilter { limit: 100, ..EventFilter::default() };
    let newest = EventFilter { newest_first: true, ..all.clone() };
    let mut readers = [desk.store.reader(), Reader::open(dir.path()).unwrap()];
    let mut check = |filter: &EventFilter, expected: &[u64]| {
        for reader in &mut readers {
            assert_eq!(seqs(&reader.query(filter).unwrap()), expected, "{filter:?}");
        }
    };
    check(&all, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    check(&newest, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    check(&EventFilter { limit: 4, ..newest.clone() }, &[10, 9, 8, 7]);
    check(&EventFilter { limit: 4, before_seq: Some(7), ..newest.clone() }, &[6, 5, 4, 3]);
    check(&EventFilter { limit: 3, after_seq: Some(5), ..all.clone() }, &[6, 7, 8]);
    check(&EventFilter { limit: 0, ..all.clone() }, &[]);
    check(&EventFilter { scenario: Some("other".into()), ..all.clone() }, &[2, 10]);
    let renamed = EventFilter { scenario: Some("new".into()), former: vec!["other".into()], ..all.clone() };
    check(&renamed, &[2, 10]);
    check(&EventFilter { scenario: Some("' OR 1".into()), ..all.clone() }, &[]);
    check(&EventFilter { region: Some("us".into()), ..all.clone() }, &[]);
    check(&EventFilter { verdicts: vec![Verdict::Bad, Verdict::Ineligible], ..all.clone() }, &[2, 3, 10]);
    check(&EventFilter { reasons: vec![Reason::Late], verdicts: vec![Verdict::Good], ..all.clone() }, &[]);
    check(&EventFilter { since: Some(second(30)), until: Some(second(61)), ..all.clone() }, &[5, 6, 7, 8]);
    check(&EventFilter { since: Some(Timestamp::from_nanos(i64::MAX)), ..all.clone() }, &[]);
    for (seq, stream, scheduled) in [(6, &shop.stream, second(40)), (10, &other.stream, second(61))] {
        let id = stream.slot(scheduled).id.to_string();
        for prefix in [id.clone(), id[..9].to_uppercase()] {
            check(&EventFilter { slot_prefix: Some(prefix), ..all.clone() }, &[seq]);
        }
    }
    for nonsense in ["g", "é", &"0".repeat(33), "-1", "+f"] {
        check(&EventFilter { slot_prefix: Some(nonsense.into()), ..all.clone() }, &[]);
    }
    for reader in &mut readers {
        slots_by_their_time(reader, (&shop.stream, &other.stream), second);
        let last = reader.last_events(&[shop.stream.clone(), other.stream.clone()], 7).unwrap();
        assert_eq!(last[0].iter().map(|event| event.seq).collect::<Vec<_>>(), [9, 8, 7, 6, 5, 4, 3]);
        assert_eq!(last[0][0].slot.scheduled, second(70));
        assert_eq!(last[0][1].slot, shop.stream.slot(second(60)));
        assert_eq!(
            last[1].iter().map(|event| event.reason).collect::<Vec<_>>(),
            [Reason::ProberFault, Reason::Failed]
        );
        let good = |reader: &mut Reader, before| {
            reader.last_good_before(&shop.stream, before).unwrap().map(|event| event.seq)
        };
        assert_eq!(good(reader, second(71)), Some(9));
        assert_eq!(good(reader, second(70)), Some(1));
        assert_eq!(good(reader, second(0)), None);
        assert!(reader.event(11).unwrap().is_none());
    }
}

/// A slot by its number; by its time the one that is wanted, a missed one by its first digits, and not another slot of that time, another time, or no id.
fn slots_by_their_time(
    reader: &mut Reader,
    (shop, other): (&Stream, &Stream),
    second: impl Fn(u64) -> Timestamp,
) {
    assert_eq!(reader.event(6).unwrap().unwrap().event.slot, shop.slot(second(40)));
    let mut found = |at, id: &str| seqs(&reader.slots_at(at, id).unwrap());
    let id = |stream: &Stream, at| stream.slot(at).id.to_string();
    assert_eq!(found(second(61), &id(other, second(61))), [10]);
    assert_eq!(found(second(40), &id(shop, second(40))[..12]), [6]);
    assert_eq!(found(second(61), &id(shop, second(61))), [0; 0]);
    assert_eq!(found(second(60), &id(other, second(61))), [0; 0]);
    assert_eq!(found(second(61), "no"), [0; 0]);
}
