//! Snapshots, changed promises, and bytes that are none of ours.

use std::sync::Arc;
use std::time::Duration;

use model::objective::{Period, Share, Window};
use model::outcome::Reason::{Failed, Ok};

use super::world::{World, at, told};
use crate::evaluator::Evaluator;
use crate::snapshot::{Snapshot, SnapshotError};

#[expect(clippy::unnecessary_wraps, reason = "the world asks for a slot's reason, if it has an event")]
fn bad_from(second: i64, from: i64) -> Option<model::outcome::Reason> {
    Some(if second >= from { Failed } else { Ok })
}

#[test]
fn an_outage_goes_on_over_a_restart_without_a_second_page() {
    let world = World::new(4, 60, 999_000);
    let (changes, evaluator) = world.run(600, |spot| bad_from(spot.second, 0));
    assert!(!changes.is_empty());
    let restored = Evaluator::restore(&evaluator.snapshot(), vec![world.promise.clone()], at(600)).unwrap();
    assert!(restored.changes.is_empty());
    let mut read = restored.evaluator;
    assert_eq!(read.firing(), evaluator.firing());
    let mut after = Vec::new();
    for event in world.events(900, |spot| bad_from(spot.second, 0)) {
        if event.recorded > at(600) {
            read.fold(&event, &mut after);
        }
    }
    read.finish(at(900), &mut after);
    assert!(after.is_empty(), "{:#?}", told(&after));
}

#[test]
fn a_changed_promise_keeps_what_can_be_kept() {
    let world = World::new(4, 60, 999_000);
    let (_, mut evaluator) = world.run(600, |spot| bad_from(spot.second, 0));
    let before = evaluator.standings()[0].clone();
    // Another objective and a region less: the counts stay, and so do the streaks of the others.
    let mut promise = world.promise.clone();
    let objective = promise.objective.as_mut().unwrap();
    objective.target = Share::of_millionths(990_000).unwrap();
    objective.window = Window::Rolling(Duration::from_hours(7 * 24));
    promise.feeds.remove(0);
    let changes = evaluator.set_promises(vec![promise], at(600));
    assert!(changes.is_empty());
    let after = evaluator.standings()[0].clone();
    assert_eq!((after.budget.unwrap().good, after.budget.unwrap().bad), (before.budget.unwrap().good, 40));
    assert_eq!(after.begin, before.begin);
    let streaks = |standing: &crate::standing::Standing| {
        standing.regions.iter().map(|region| region.streak).collect::<Vec<_>>()
    };
    assert_eq!((streaks(&before), streaks(&after)), (vec![10; 4], vec![10; 3]));
    // The calendar's window begins with what is known of its period.
    let mut promise = world.promise.clone();
    let window = Window::Calendar { period: Period::Month, timezone: "UTC".into() };
    promise.objective.as_mut().unwrap().window = window;
    evaluator.set_promises(vec![promise], at(600));
    let budget = evaluator.standings()[0].budget.unwrap();
    assert_eq!((budget.good, budget.bad), (0, 40), "the month began at 0");
    assert_eq!(budget.window, Duration::from_hours(31 * 24));
}

#[test]
fn alerts_of_promises_that_are_gone_or_were_renamed_end() {
    let world = World::new(4, 60, 999_000);
    let (_, mut evaluator) = world.run(600, |spot| bad_from(spot.second, 0));
    let firing = evaluator.firing().len();
    assert!(firing > 0);
    let mut moved = world.promise.clone();
    moved.owner = "team-payments".into();
    let read = Evaluator::restore(&evaluator.snapshot(), vec![moved.clone()], at(610)).unwrap();
    assert_eq!(read.changes.len(), firing, "labels are constant for an alert's life");
    let read = Evaluator::restore(&evaluator.snapshot(), vec![], at(610)).unwrap();
    assert_eq!(read.changes.len(), firing);
    let gone = read.evaluator.unsaved().gone;
    assert_eq!(gone, std::slice::from_ref(&world.promise.name), "its piece has no use any more");
    let changes = evaluator.set_promises(vec![moved], at(610));
    assert_eq!(changes.len(), firing);
    assert!(told(&changes).iter().all(|line| line.starts_with("610 gone")), "{:#?}", told(&changes));
    // Under the new labels it fires at the next tick.
    let mut after = Vec::new();
    evaluator.finish(at(620), &mut after);
    assert_eq!(after.iter().filter(|change| change.alert.is_firing()).count(), firing);
}

#[test]
fn a_calendar_s_budget_is_new_with_its_period() {
    let mut world = World::new(1, 60, 999_000).since(-20 * 86_400);
    let window = Window::Calendar { period: Period::Month, timezone: "Europe/Berlin".into() };
    world.promise.objective.as_mut().unwrap().window = window;
    // March begins in Berlin an hour before it does in Greenwich.
    let bad = |spot: super::world::Spot| Some(if spot.second % 3_600 == 0 { Failed } else { Ok });
    let (_, before) = world.run(-3_600 - 20, bad);
    let (_, after) = world.run(-3_600 + 180, bad);
    let (before, after) = (before.standings()[0].budget.unwrap(), after.standings()[0].budget.unwrap());
    assert!(before.bad > 400 && before.remaining() < 0.0, "{before:?}");
    assert_eq!((after.good, after.bad), (2, 1));
    // March has an hour less there.
    assert_eq!(after.window, Duration::from_hours(31 * 24 - 1));
    assert!((after.allowed - 44.58).abs() < 0.1, "{after:?}");
}

#[test]
fn bytes_that_are_none_of_ours_are_refused() {
    let world = World::new(2, 60, 999_000);
    let (_, evaluator) = world.run(300, |spot| bad_from(spot.second, 0));
    let bytes = evaluator.snapshot().head;
    let restore = |bytes: &[u8]| {
        let state = Snapshot { head: bytes.to_owned(), ..Snapshot::default() };
        Evaluator::restore(&state, vec![world.promise.clone()], at(300)).map(|_| ())
    };
    assert_eq!(restore(&bytes), Result::Ok(()));
    assert_eq!(restore(b""), Err(SnapshotError::Damaged));
    assert_eq!(restore(b"something else entirely"), Err(SnapshotError::Damaged));
    let mut newer = bytes.clone();
    newer[10] = 9;
    assert_eq!(restore(&newer), Err(SnapshotError::TooNew { found: 9 }));
    for bytes in [&bytes[..], OLD] {
        for cut in (0..bytes.len()).step_by(7) {
            assert_eq!(restore(&bytes[..cut]), Err(SnapshotError::Damaged), "cut at {cut}");
        }
        let longer = [bytes, &[0]].concat();
        assert_eq!(restore(&longer), Err(SnapshotError::Damaged));
        // A flipped bit may be a plausible state; it is never a panic, nor without end.
        for place in (11..bytes.len()).step_by(5) {
            let mut broken = bytes.to_owned();
            broken[place] ^= 0x55;
            let state = Snapshot { head: broken, ..Snapshot::default() };
            let read = Evaluator::restore(&state, vec![world.promise.clone()], at(300));
            if let Result::Ok(read) = read {
                goes_on(read.evaluator);
            }
        }
    }
}

fn goes_on(mut evaluator: Evaluator) {
    evaluator.standings();
    evaluator.resume(at(300));
    evaluator.advance(at(400), &mut Vec::new());
}

#[test]
fn a_damaged_piece_is_one_promise_and_no_other() {
    let world = World::new(2, 60, 999_000);
    let mut other = world.promise.clone();
    other.name = "other".into();
    let promises = vec![world.promise.clone(), other];
    let mut evaluator = Evaluator::new(promises.clone(), at(-3_600));
    for event in world.events(300, |spot| bad_from(spot.second, 0)) {
        evaluator.fold(&event, &mut Vec::new());
    }
    evaluator.finish(at(300), &mut Vec::new());
    let whole = evaluator.snapshot();
    let piece = whole.pieces["checkout"].clone();
    let newer = [&[9], &piece[1..]].concat();
    let bomb = {
        use std::io::Write as _;
        let mut packed = flate2::write::DeflateEncoder::new(vec![2], flate2::Compression::fast());
        packed.write_all(&vec![0; 20 << 20]).and_then(|()| packed.finish()).unwrap()
    };
    let flipped = (0..piece.len()).step_by(3).map(|place| {
        let mut broken = piece.clone();
        broken[place] ^= 0x55;
        broken
    });
    let cuts = (0..piece.len()).step_by(7).map(|cut| piece[..cut].to_owned());
    for broken in [newer, bomb, whole.pieces["other"].clone()].into_iter().chain(cuts).chain(flipped) {
        let mut state = whole.clone();
        state.pieces.insert("checkout".into(), broken);
        let read = Evaluator::restore(&state, promises.clone(), at(300)).unwrap();
        let standings = read.evaluator.standings();
        assert_eq!(standings.len(), 2);
        assert_eq!(standings[1].budget, evaluator.standings()[1].budget, "the other one knows everything");
        if !read.damaged.is_empty() {
            assert_eq!(
                (read.damaged.as_slice(), standings[0].budget.unwrap().good),
                (&["checkout".into()][..], 0)
            );
        }
        goes_on(read.evaluator);
    }
}

/// State and what fires of version 1 of the state, which was all in one.
const OLD: &[u8] = include_bytes!("../fixtures/state-1.bin");

#[test]
fn the_old_form_is_read_and_written_in_pieces() {
    let world = World::new(2, 60, 999_000);
    let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
    for event in world.events(900, |spot| bad_from(spot.second, 300)) {
        evaluator.fold(&event, &mut changes);
    }
    let state = Snapshot { head: OLD.to_owned(), ..Snapshot::default() };
    let mut read = Evaluator::restore(&state, vec![world.promise.clone()], at(900)).unwrap();
    assert!(read.changes.is_empty() && read.damaged.is_empty());
    assert_eq!(read.recounted, ["checkout".into()], "the old form does not say what it counted");
    assert_eq!(read.evaluator.standings(), evaluator.standings());
    assert_eq!(read.evaluator.firing(), evaluator.firing());
    let unsaved = read.evaluator.unsaved();
    assert_eq!((unsaved.pieces.len(), unsaved.head[10]), (1, 2));
    read.evaluator.saved();
    // What waited for its time in the old form is judged like anything else.
    let (mut one, mut other) = (Vec::new(), Vec::new());
    read.evaluator.finish(at(960), &mut one);
    evaluator.finish(at(960), &mut other);
    assert_eq!((one, read.evaluator.standings()), (other, evaluator.standings()));
}

#[test]
fn only_what_changed_is_written_and_that_is_enough() {
    let world = World::new(2, 60, 999_000);
    // One promise of each region: what happens in one leaves the other as it is.
    let of = |region: usize| {
        let mut promise = world.promise.clone();
        promise.name = format!("of-{region}").into();
        promise.feeds = vec![promise.feeds[region].clone()];
        promise
    };
    let promises = vec![of(0), of(1)];
    let (mut evaluator, mut changes) = (Evaluator::new(promises.clone(), at(world.from)), Vec::new());
    let mut kept = Snapshot::default();
    let events = world.events(1_800, |spot| match spot.region {
        0 => bad_from(spot.second, 600),
        _ => (spot.second < 0 || spot.second > 200).then_some(Ok),
    });
    let mut written = 0;
    for (index, event) in events.iter().enumerate() {
        evaluator.advance(event.recorded, &mut changes);
        evaluator.fold(event, &mut changes);
        let unsaved = evaluator.unsaved();
        evaluator.saved();
        kept.head = unsaved.head;
        for (name, piece) in unsaved.pieces {
            written += 1;
            kept.pieces.insert(name, piece);
        }
        assert!(evaluator.unsaved().pieces.is_empty());
        if index % 50 == 0 {
            let read = Evaluator::restore(&kept, promises.clone(), event.recorded).unwrap();
            assert!(read.changes.is_empty() && read.damaged.is_empty() && read.recounted.is_empty());
            evaluator = read.evaluator;
        }
    }
    evaluator.finish(at(1_800), &mut changes);
    let replayed = crate::replay::replay(promises.clone(), &events, at(1_800));
    assert_eq!(changes, replayed.changes);
    assert_eq!(evaluator.standings(), replayed.standings);
    assert!(told(&changes).iter().any(|line| line.contains("SLOOutage")), "{:?}", told(&changes));
    // Each is written for its own events, and after each start.
    assert!(written < events.len() * 5 / 4, "{written} times for {} events", events.len());
    // A promise that is taken out takes its piece along.
    evaluator.set_promises(vec![of(0)], at(1_800));
    assert_eq!(evaluator.unsaved().gone, ["of-1".into()]);
}

#[test]
fn another_good_or_other_streams_are_noticed() {
    let world = World::new(2, 60, 999_000);
    let (_, evaluator) = world.run(300, |_| Some(Ok));
    let state = evaluator.snapshot();
    let recounted = |promise| Evaluator::restore(&state, vec![promise], at(300)).unwrap().recounted.len();
    assert_eq!(recounted(world.promise.clone()), 0);
    assert_eq!(recounted(world.clone().within(800).promise), 1);
    let mut fewer = world.promise.clone();
    fewer.feeds.remove(0);
    assert_eq!(recounted(fewer), 1);
}

#[test]
fn replicas_are_more_runs_of_the_same_promise() {
    let world = World::new(2, 60, 999_000);
    let (_, evaluator) = world.run(300, |_| Some(Ok));
    let state = evaluator.snapshot();
    let (one, mut two) = (world.promise.clone(), world.promise.clone());
    two.feeds.iter_mut().for_each(|feed| feed.replicas = 2);
    assert!((two.slots_an_hour() - 2.0 * one.slots_an_hour()).abs() < 1e-9);
    let judged_by = |promise: &crate::promise::Promise| {
        format!("{:?} {} {:?}", promise.policy(), promise.quorum(), promise.blind_after())
    };
    assert_eq!(judged_by(&one), judged_by(&two));
    // What was counted goes on, and runs of both count.
    let mut restored = Evaluator::restore(&state, vec![two], at(300)).unwrap();
    assert_eq!(restored.recounted.len(), 0);
    let good = |evaluator: &Evaluator| evaluator.by_week(at(3_600), 1)[0].1[0].0;
    let before = good(&restored.evaluator);
    let mut changes = Vec::new();
    let mut count = 0;
    for mut event in world.events(600, |_| Some(Ok)).into_iter().filter(|event| event.recorded > at(300)) {
        let mut origin = model::event::Origin::clone(&event.origin);
        for replica in 0..2 {
            origin.stream.replica = replica;
            event.origin = Arc::new(origin.clone());
            event.slot = origin.stream.slot(event.slot.scheduled);
            restored.evaluator.fold(&event, &mut changes);
            count += 1;
        }
    }
    restored.evaluator.finish(at(600), &mut changes);
    assert!(count > 10 && changes.is_empty());
    assert_eq!(good(&restored.evaluator), before + count);
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_ticks() {
    let world = World::new(4, 60, 999_000);
    let (_, mut evaluator) = world.run(86_400, |_| Some(Ok));
    evaluator.resume(at(600));
    let mut changes = Vec::new();
    for event in world.events(1_200, |spot| bad_from(spot.second, 600)) {
        if event.recorded >= at(600) {
            evaluator.fold(&event, &mut changes);
        }
    }
    evaluator.finish(at(1_200), &mut changes);
    assert!(told(&changes).iter().any(|line| line.contains("fired page SLOOutage")), "{:#?}", told(&changes));
}

#[test]
fn of_two_promises_with_one_name_the_first_counts() {
    let world = World::new(1, 60, 999_000);
    let mut second = world.promise.clone();
    second.service = Arc::from("other");
    let evaluator = Evaluator::new(vec![world.promise.clone(), second], at(0));
    assert_eq!(evaluator.standings().len(), 1);
    assert_eq!(&*evaluator.standings()[0].service, "shop");
}
