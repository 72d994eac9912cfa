//! The same events make the same changes, however they come in and whoever restarts in between.

use model::event::SliEvent;
use model::outcome::Reason::{Failed, Interrupted, Ok, ProberFault};
use proptest::prelude::*;

use super::world::{World, at, second, times, told};
use crate::evaluator::{Change, Evaluator, SETTLE};
use crate::replay::replay;

/// Three hours with outages, noise and holes, decided by `seed`.
fn story(world: &World, seed: u64) -> Vec<SliEvent> {
    world.events(3 * 3_600, |spot| {
        let mut hash = (spot.number * 31 + spot.region as u64 + 1).wrapping_mul(seed | 1);
        hash ^= hash >> 29;
        let down = (1_800..2_500).contains(&spot.second) || (6_000..6_050).contains(&spot.second);
        match hash % 97 {
            0 => None,
            1..3 => Some(ProberFault),
            3..6 => Some(Failed),
            _ if down => Some(Failed),
            _ => Some(Ok),
        }
    })
}

/// As an agent does it: event by event, with the clock in between, and a restart after each of `cuts`.
fn live(world: &World, events: &[SliEvent], cuts: &[usize]) -> (Vec<Change>, Evaluator) {
    let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
    for (index, event) in events.iter().enumerate() {
        evaluator.advance(event.recorded, &mut changes);
        evaluator.fold(event, &mut changes);
        if cuts.contains(&index) {
            let state = evaluator.snapshot();
            let read = Evaluator::restore(&state, vec![world.promise.clone()], event.recorded).unwrap();
            assert!(read.changes.is_empty() && read.damaged.is_empty() && read.recounted.is_empty());
            assert_eq!(read.evaluator.snapshot(), state, "reading and writing again changes nothing");
            evaluator = read.evaluator;
        }
    }
    evaluator.finish(at(3 * 3_600), &mut changes);
    (changes, evaluator)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn restarts_and_the_clock_change_nothing(seed in any::<u64>(), cuts in proptest::collection::vec(0_usize..900, 0..8)) {
        let world = World::new(4, 60, 999_000);
        let events = story(&world, seed);
        let (changes, evaluator) = live(&world, &events, &cuts);
        let replayed = replay(vec![world.promise.clone()], &events, at(3 * 3_600));
        prop_assert!(!changes.is_empty());
        prop_assert_eq!(told(&changes), told(&replayed.changes));
        prop_assert_eq!(&changes, &replayed.changes, "byte for byte");
        prop_assert_eq!(evaluator.standings(), replayed.standings);
    }

    #[test]
    fn the_order_within_the_settling_time_changes_nothing(seed in any::<u64>(), delays in proptest::collection::vec(0_u64..1_900, 900)) {
        let world = World::new(4, 60, 999_000);
        let events = story(&world, seed);
        let (expected, _) = live(&world, &events, &[]);
        // Each event arrives a little later than it was recorded, and so in another order.
        let mut arrivals: Vec<_> = events
            .iter()
            .enumerate()
            .map(|(index, event)| (event.recorded.plus(std::time::Duration::from_millis(delays[index % 900])), event))
            .collect();
        arrivals.sort_by_key(|(arrival, event)| (*arrival, event.slot.id));
        let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
        for (arrival, event) in arrivals {
            evaluator.advance(arrival, &mut changes);
            evaluator.fold(event, &mut changes);
        }
        evaluator.finish(at(3 * 3_600), &mut changes);
        prop_assert_eq!(changes, expected);
    }
}

#[test]
fn what_arrives_later_than_it_may_is_still_counted() {
    let world = World::new(4, 60, 999_000);
    let events = story(&world, 7);
    let (_, in_time) = live(&world, &events, &[]);
    let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
    let (held, rest): (Vec<_>, Vec<_>) =
        events.iter().partition(|event| second(event.slot.scheduled) % 7 == 3);
    for event in rest.into_iter().chain(held) {
        evaluator.fold(event, &mut changes);
    }
    evaluator.finish(at(3 * 3_600), &mut changes);
    let (all, found) = (in_time.standings()[0].budget.unwrap(), evaluator.standings()[0].budget.unwrap());
    assert_eq!((found.good, found.bad), (all.good, all.bad));
}

#[test]
fn a_stop_of_an_hour_pages_nobody_and_forgets_nothing() {
    let world = World::new(4, 60, 999_000);
    // Down from 0 on; no prober from 600 to 4200, which is noticed at 4200; up again at 4300.
    let mut events = world.events(4_500, |spot| {
        Some(match spot.second {
            600..4_200 => Interrupted,
            0..4_300 => Failed,
            _ => Ok,
        })
    });
    for event in &mut events {
        if event.outcome.reason == Interrupted {
            event.recorded = at(4_200);
        }
    }
    events.sort_by_key(|event| event.recorded);
    let replayed = replay(vec![world.promise.clone()], &events, at(4_500));
    let found = told(&replayed.changes);
    assert_eq!(times(&replayed.changes, "page", "SLOBlind"), [], "{found:#?}");
    let outages = times(&replayed.changes, "page", "SLOOutage");
    assert_eq!(outages.len(), 1, "it goes on over the stop: {found:#?}");
    assert!(outages[0].0 < 200 && outages[0].1.is_some_and(|ends| ends > 4_300), "{outages:?}");
    // A restart in the gap makes no difference.
    let cut = events.iter().position(|event| event.recorded >= at(4_200)).unwrap();
    let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
    for event in &events[..cut] {
        evaluator.fold(event, &mut changes);
    }
    evaluator.advance(at(600).plus(SETTLE), &mut changes);
    let state = evaluator.snapshot();
    let read = Evaluator::restore(&state, vec![world.promise.clone()], at(4_200)).unwrap();
    let mut evaluator = read.evaluator;
    for event in &events[cut..] {
        evaluator.fold(event, &mut changes);
    }
    evaluator.finish(at(4_500), &mut changes);
    assert_eq!(told(&changes), found);
}
