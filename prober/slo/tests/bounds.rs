//! Memory and work that do not grow.

use std::time::Instant;

use model::outcome::Reason::{
    self, Cancelled, ConfigFault, Correlated, Declared, Failed, Late, Maintenance, Ok, Paused, ProberFault,
};

use super::world::{World, at};
use crate::evaluator::WAITING_MAX;

/// Everything that can happen, all the time.
fn everything(number: u64) -> Reason {
    let all = [Failed, Late, Maintenance, Paused, ProberFault, ConfigFault, Declared, Cancelled, Correlated];
    if number.is_multiple_of(3) { all[usize::try_from(number / 3 % 9).unwrap()] } else { Ok }
}

#[test]
fn a_promise_takes_at_most_100_kb_and_its_snapshot_less() {
    // A column has its whole length from its first number on: days show what months take.
    for (regions, interval, days, most) in [(1, 60, 93, 60_000), (4, 10, 2, 100_000), (10, 60, 4, 100_000)] {
        let world = World::new(regions, interval, 999_000).since(-days * 86_400);
        let (_, evaluator) = world.run(0, |spot| Some(everything(spot.number)));
        let bytes = evaluator.bytes_of("checkout").unwrap();
        let snapshot = evaluator.snapshot().pieces["checkout"].len();
        assert!(bytes <= most, "{regions} × {interval} s: {bytes} bytes");
        assert!(snapshot <= bytes / 2, "{regions} × {interval} s: a snapshot of {snapshot} bytes");
    }
}

#[test]
fn thousands_of_promises_are_megabytes_and_not_tens_of_them() {
    // Each as if it changed with every look, which is every five minutes.
    for (regions, interval, most) in [(1, 60, 700), (4, 60, 2_000), (4, 10, 2_000), (10, 60, 4_500)] {
        let world = World::new(regions, interval, 999_000).since(-2 * 86_400);
        let (_, evaluator) = world.run(0, |spot| Some(if spot.number % 997 == 0 { Failed } else { Ok }));
        let unsaved = evaluator.unsaved();
        let bytes = unsaved.pieces[0].1.len();
        assert!(bytes <= most, "{regions} × {interval} s: {bytes} bytes");
    }
}

#[test]
fn events_that_wait_are_bounded() {
    let world = World::new(1, 60, 999_000);
    let template = world.events(60, |spot| (spot.second == 0).then_some(Failed)).remove(0);
    let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
    let origin = &template.origin;
    for millis in 0..u64::try_from(WAITING_MAX).unwrap() + 500 {
        let mut event = template.clone();
        event.slot = origin.stream.slot(at(0).minus(std::time::Duration::from_millis(millis)));
        event.recorded = at(0);
        evaluator.fold(&event, &mut changes);
        assert!(evaluator.waiting.len() <= WAITING_MAX);
    }
    evaluator.finish(at(10), &mut changes);
    assert_eq!(evaluator.standings()[0].budget.unwrap().bad, u64::try_from(WAITING_MAX).unwrap() + 500);
}

#[test]
fn an_event_costs_the_same_after_a_minute_and_after_a_month() {
    let cost = |days: i64| {
        let world = World::new(4, 60, 999_000).since(-days * 86_400);
        let (_, mut evaluator) = world.run(0, |spot| Some(everything(spot.number)));
        let events = world.events(3_600, |spot| (spot.second >= 0).then(|| everything(spot.number)));
        let mut best = f64::MAX;
        for _ in 0..5 {
            let mut evaluator = evaluator.clone();
            let begun = Instant::now();
            for event in &events {
                evaluator.fold(event, &mut Vec::new());
            }
            best = best.min(begun.elapsed().as_secs_f64());
        }
        evaluator.finish(at(0), &mut Vec::new());
        best
    };
    let (young, old) = (cost(1), cost(40));
    assert!(old < young * 4.0, "{young} s against {old} s for the same hour");
}

#[test]
fn a_gap_of_years_is_not_judged_tick_by_tick() {
    let world = World::new(4, 60, 999_000);
    let (_, mut evaluator) = world.run(0, |_| Some(Ok));
    let begun = Instant::now();
    evaluator.advance(at(10 * 365 * 86_400), &mut Vec::new());
    assert!(begun.elapsed().as_secs() < 5);
    assert!(evaluator.judged().unwrap() > at(9 * 365 * 86_400));
}
