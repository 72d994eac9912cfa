//! An objective with a `good` of its own: judged on stored events, whatever their scenarios made of them.

use std::time::Duration;

use model::event::SliEvent;
use model::outcome::Mark;
use model::outcome::Reason::{self, Failed, Ok, Slow};

use super::world::{World, at, told};
use crate::evaluator::Evaluator;
use crate::replay::replay;

/// A run a minute that takes `took(second)` milliseconds.
fn events(world: &World, to: i64, reason: Reason, took: impl Fn(i64) -> u64) -> Vec<SliEvent> {
    let mut events = world.events(to, |spot| (spot.second >= 0).then_some(reason));
    for event in &mut events {
        event.outcome.duration = Duration::from_millis(took(super::world::second(event.slot.scheduled)));
    }
    events
}

#[test]
fn a_correct_run_is_judged_by_how_long_it_took() {
    let world = World::new(1, 60, 999_000).within(800);
    for (reason, took, lagged, expected) in [
        (Ok, 799, false, (1, 0, 0)),
        (Ok, 800, false, (0, 1, 0)),
        (Slow, 100, false, (1, 0, 0)),
        (Slow, 900, false, (0, 1, 0)),
        // The prober was too busy to measure time: that is not the target's fault.
        (Ok, 900, true, (0, 0, 1)),
        (Ok, 100, true, (1, 0, 0)),
        (Failed, 100, false, (0, 1, 0)),
        (Reason::Stale, 100, false, (0, 1, 0)),
        (Reason::ProberFault, 900, false, (0, 0, 1)),
        (Reason::Declared, 100, false, (0, 0, 1)),
    ] {
        let mut events = events(&world, 60, reason, |_| took);
        if lagged {
            events[0].outcome.marks.push(Mark::Lagged);
        }
        let replayed = replay(vec![world.promise.clone()], &events, at(60));
        let hour = replayed.standings[0].hour;
        assert_eq!((hour.good(), hour.bad(), hour.ineligible()), expected, "{reason} {took} {lagged}");
        let counted = world.promise.reason_of(&events[0]).verdict();
        assert_eq!(counted.is_eligible(), expected.2 == 0, "what reports count is what the evaluator counts");
        // Without a `good` of its own the scenario's word holds.
        let plain = World::new(1, 60, 999_000).promise;
        assert_eq!(plain.reason_of(&events[0]), reason);
    }
}

#[test]
fn too_slow_for_the_objective_pages_and_says_so_over_restarts() {
    let world = World::new(2, 60, 999_000).within(800);
    // The scenario finds all of it good.
    let events = events(&world, 1_200, Ok, |second| if second < 600 { 200 } else { 1_500 });
    let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
    for event in &events {
        evaluator.fold(event, &mut changes);
        let state = evaluator.snapshot();
        let read = Evaluator::restore(&state, vec![world.promise.clone()], event.recorded).unwrap();
        assert_eq!(read.evaluator.snapshot(), state);
        evaluator = read.evaluator;
    }
    evaluator.finish(at(1_200), &mut changes);
    let replayed = replay(vec![world.promise.clone()], &events, at(1_200));
    assert_eq!(changes, replayed.changes, "byte for byte");
    let outage = changes.iter().find(|change| told(std::slice::from_ref(change))[0].contains("SLOOutage"));
    let annotations = &outage.expect("an outage").alert.annotations;
    assert_eq!(annotations["error_type"], "slow");
    assert_eq!(annotations["failure"], "latency is 1.5s, expected less than 800ms");
    assert_eq!(replayed.standings[0].good.as_deref(), Some("latency less than 800ms"));
    let scenario = World::new(2, 60, 999_000);
    let plain = told(&replay(vec![scenario.promise], &events, at(1_200)).changes);
    assert!(plain.iter().all(|line| !line.contains("Outage") && !line.contains("Burn")), "{plain:?}");
}
