//! Snapshots, changed promises, and bytes that are none of ours.

use std::sync::Arc;
use std::time::Duration;

use model::objective::{Period, Share, Window};
use model::outcome::Reason::{Failed, Ok};

use super::world::{World, at, told};
use crate::evaluator::Evaluator;
use crate::snapshot::SnapshotError;

#[expect(clippy::unnecessary_wraps, reason = "the world asks for a slot's reason, if it has an event")]
fn bad_from(second: i64, from: i64) -> Option<model::outcome::Reason> {
    Some(if second >= from { Failed } else { Ok })
}

#[test]
fn an_outage_goes_on_over_a_restart_without_a_second_page() {
    let world = World::new(4, 60, 999_000);
    let (changes, evaluator) = world.run(600, |spot| bad_from(spot.second, 0));
    assert!(!changes.is_empty());
    let (mut read, more) =
        Evaluator::restore(&evaluator.snapshot(), vec![world.promise.clone()], at(600)).unwrap();
    assert!(more.is_empty());
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
    let (_, changes) = Evaluator::restore(&evaluator.snapshot(), vec![moved.clone()], at(610)).unwrap();
    assert_eq!(changes.len(), firing, "labels are constant for an alert's life");
    let (_, changes) = Evaluator::restore(&evaluator.snapshot(), vec![], at(610)).unwrap();
    assert_eq!(changes.len(), firing);
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
    let bytes = evaluator.snapshot();
    let restore = |bytes: &[u8]| Evaluator::restore(bytes, vec![world.promise.clone()], at(300)).map(|_| ());
    assert_eq!(restore(&bytes), Result::Ok(()));
    assert_eq!(restore(b""), Err(SnapshotError::Damaged));
    assert_eq!(restore(b"something else entirely"), Err(SnapshotError::Damaged));
    let mut newer = bytes.clone();
    newer[10] = 9;
    assert_eq!(restore(&newer), Err(SnapshotError::TooNew { found: 9 }));
    for cut in (0..bytes.len()).step_by(7) {
        assert_eq!(restore(&bytes[..cut]), Err(SnapshotError::Damaged), "cut at {cut}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(restore(&longer), Err(SnapshotError::Damaged));
    // A flipped bit may be a plausible state; it is never a panic, nor without end.
    for place in (11..bytes.len()).step_by(5) {
        let mut broken = bytes.clone();
        broken[place] ^= 0x55;
        if let Result::Ok((mut evaluator, _)) =
            Evaluator::restore(&broken, vec![world.promise.clone()], at(300))
        {
            evaluator.standings();
            evaluator.resume(at(300));
            evaluator.advance(at(400), &mut Vec::new());
        }
    }
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
