//! Adjustments: what they take out, when, and that everybody finds the same.

use std::sync::Arc;

use model::event::SliEvent;
use model::objective::{Period, Window};
use model::outcome::Reason::{self, Failed, Maintenance, Ok, Overlap, ProberFault};

use super::world::{World, at};
use crate::evaluator::{Change, Evaluator};
use crate::promise::{Adjustment, Promise};
use crate::replay::replay;
use crate::standing::Standing;

const END: i64 = 3 * 3_600;

fn adjustment(from: i64, to: i64, added: i64, regions: &[&str]) -> Arc<Adjustment> {
    Arc::new(Adjustment {
        from: at(from),
        to: at(to),
        scenarios: Vec::new(),
        regions: regions.iter().map(|region| Arc::from(*region)).collect(),
        author: "team-shop".into(),
        reason: "the load test was ours".into(),
        added: at(added),
    })
}

fn with(world: &World, adjustments: &[Arc<Adjustment>]) -> Promise {
    Promise { adjustments: adjustments.to_vec(), ..world.promise.clone() }
}

/// Down from 1800 to 3000 in all regions.
fn events(world: &World) -> Vec<SliEvent> {
    world.events(END, |spot| Some(if (1_800..3_000).contains(&spot.second) { Failed } else { Ok }))
}

/// Folds what was recorded up to `until`.
fn fold(
    evaluator: &mut Evaluator,
    events: &[SliEvent],
    (from, until): (i64, i64),
    changes: &mut Vec<Change>,
) {
    for event in events.iter().filter(|event| event.recorded > at(from) && event.recorded <= at(until)) {
        evaluator.fold(event, changes);
    }
    evaluator.finish(at(until), changes);
}

/// Tells again what the evaluator asks for.
fn tell(evaluator: &mut Evaluator, events: &[SliEvent], until: i64) {
    let Some((from, to)) = evaluator.to_recall() else { return };
    for event in events.iter().filter(|event| event.recorded <= at(until)) {
        if (from..to).contains(&event.slot.scheduled) {
            evaluator.recall(event);
        }
    }
    evaluator.recalled();
    assert_eq!(evaluator.to_recall(), None);
}

/// All that is counted; what fires has a history of its own.
fn numbers(standing: &Standing) -> Standing {
    Standing { alerts: Vec::new(), ..standing.clone() }
}

fn counts(standing: &Standing) -> (u64, u64) {
    let budget = standing.budget.unwrap();
    (budget.good, budget.bad)
}

#[test]
fn a_replay_makes_the_step_at_its_moment_and_no_change_before() {
    let world = World::new(2, 60, 999_000);
    let events = events(&world);
    let plain = replay(vec![world.promise.clone()], &events, at(END));
    let adjusted = with(&world, &[adjustment(1_800, 3_000, 7_200, &[])]);
    let until = |end: i64| {
        let known = events.iter().filter(|event| event.recorded <= at(end));
        replay(vec![adjusted.clone()], known, at(end))
    };
    let (before, after) = (until(7_190), until(7_200));
    assert_eq!(counts(&before.standings[0]).1, 40);
    assert_eq!(counts(&after.standings[0]).1, 0);
    assert!(before.standings[0].adjustments.is_empty());
    let shown = &after.standings[0].adjustments[0];
    assert_eq!((shown.taken.good(), shown.taken.bad()), (0, 40));
    assert!(shown.gives_back.unwrap() > 0.1, "{shown:?}");
    // Whoever was woken up was woken up; only the tickets that go on for hours end with the step.
    let early = |changes: &[Change]| {
        let ended = |change: &&Change| change.alert.ends.unwrap_or(change.alert.starts) < at(7_200);
        changes.iter().filter(ended).cloned().collect::<Vec<_>>()
    };
    let whole = until(END);
    assert_eq!(early(&whole.changes), early(&plain.changes));
    assert!(plain.changes.iter().any(|change| change.alert.id.rule == model::alert::Rule::Outage));
    assert_eq!(whole, until(END), "byte for byte");
}

#[test]
fn learnt_later_it_takes_out_the_same_and_undone_it_gives_back_the_same() {
    for window in [None, Some(Window::Calendar { period: Period::Month, timezone: "UTC".into() })] {
        let mut world = World::new(2, 60, 999_000);
        if let Some(window) = window {
            world.promise.objective.as_mut().unwrap().window = window;
        }
        let events = events(&world);
        let one = adjustment(1_800, 2_400, 7_200, &["r1"]);
        let replayed = replay(vec![with(&world, std::slice::from_ref(&one))], &events, at(END));
        let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
        fold(&mut evaluator, &events, (-86_400, 7_230), &mut changes);
        changes.extend(evaluator.set_promises(vec![with(&world, std::slice::from_ref(&one))], at(7_230)));
        assert_eq!(evaluator.to_recall(), Some((at(1_800), at(2_400))));
        tell(&mut evaluator, &events, 7_230);
        // A restart before the step does not lose it.
        let state = evaluator.snapshot();
        let promises = vec![with(&world, std::slice::from_ref(&one))];
        let mut evaluator = Evaluator::restore(&state, promises, at(7_230)).unwrap().evaluator;
        tell(&mut evaluator, &events, 7_230);
        fold(&mut evaluator, &events, (7_230, END), &mut changes);
        let standing = evaluator.standings().remove(0);
        assert_eq!(standing, replayed.standings[0]);
        assert_eq!(standing.adjustments[0].taken.bad(), 10);
        // And one after it neither.
        let read = Evaluator::restore(&evaluator.snapshot(), vec![with(&world, &[one])], at(END)).unwrap();
        assert_eq!(read.evaluator.to_recall(), None);
        assert_eq!(read.evaluator.standings()[0], standing);
        // Taken back, also over a restart, everything counts as before.
        let mut read =
            Evaluator::restore(&evaluator.snapshot(), vec![world.promise.clone()], at(END)).unwrap();
        let early = read.evaluator.snapshot();
        tell(&mut read.evaluator, &events, END);
        read.evaluator.finish(at(END), &mut changes);
        let plain = replay(vec![world.promise.clone()], &events, at(END));
        assert_eq!(numbers(&read.evaluator.standings()[0]), numbers(&plain.standings[0]));
        let mut again = Evaluator::restore(&early, vec![world.promise.clone()], at(END)).unwrap().evaluator;
        tell(&mut again, &events, END);
        assert_eq!(numbers(&again.standings()[0]), numbers(&plain.standings[0]));
    }
}

#[test]
fn only_its_slots_are_taken_out_and_late_ones_too() {
    let world = World::new(2, 60, 999_000);
    let reasons: [Option<Reason>; 6] =
        [Some(Ok), Some(Failed), Some(ProberFault), Some(Overlap), Some(Maintenance), None];
    let mut events = world.events(7_200, |spot| {
        if spot.second < 0 { Some(Ok) } else { reasons[usize::try_from(spot.number % 6).unwrap()] }
    });
    // One of them becomes known after the step.
    let late = events.iter().position(|event| event.slot.scheduled == at(1_860)).unwrap();
    events[late].recorded = at(7_000);
    events.sort_by_key(|event| (event.recorded, event.slot.scheduled));
    let one = adjustment(1_800, 3_600, 5_400, &["r0"]);
    let found =
        replay(vec![with(&world, std::slice::from_ref(&one))], &events, at(7_200)).standings.remove(0);
    let about = |event: &&SliEvent| {
        one.is_about((&event.origin.stream.scenario, &event.origin.stream.region), event.slot.scheduled)
    };
    let count = |reason: Reason| {
        events.iter().filter(about).filter(|event| event.outcome.reason == reason).count() as u64
    };
    let taken = &found.adjustments[0].taken;
    assert_eq!((taken.good(), taken.bad(), taken.missed()), (count(Ok), count(Failed), count(Overlap)));
    assert_eq!(taken.ineligible(), count(ProberFault));
    assert!(taken.good() > 3 && taken.bad() > 3 && taken.planned() == 0, "{taken:?}");
    let plain = replay(vec![world.promise.clone()], &events, at(7_200)).standings.remove(0);
    let (with, without) = (counts(&found), counts(&plain));
    assert_eq!((without.0 - with.0, without.1 - with.1), (taken.good(), taken.bad()));
    // Neither good nor bad, and nobody is missed: the burn rates stay what the rest makes of them.
    let burn = |standing: &Standing| standing.windows().last().unwrap().expected;
    assert!(burn(&found) < burn(&plain), "{} {}", burn(&found), burn(&plain));
}
