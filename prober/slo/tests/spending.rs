//! Incidents that want a post-mortem.

use model::objective::{Period, Window};
use model::outcome::Reason::{Failed, Ok};

use super::world::{Spot, World, at, second};
use crate::standing::Standing;

fn standing(world: &World, bad: impl Fn(i64) -> bool) -> Standing {
    let reason = |spot: Spot| Some(if bad(spot.second) { Failed } else { Ok });
    world.run(0, reason).1.standings().remove(0)
}

/// Whether it is one of the first minutes of the hour.
fn at_hour(second: i64, hour: i64, minutes: i64) -> bool {
    (hour * 3_600..hour * 3_600 + minutes * 60).contains(&second)
}

/// The hours from and to of each, counted from the end.
fn incidents(standing: &Standing) -> Vec<(i64, i64, u64)> {
    let hour = |at| second(at).div_euclid(3_600);
    standing.post_mortems.iter().map(|one| (hour(one.from), hour(one.to), one.bad)).collect()
}

#[test]
fn one_that_costs_more_than_a_fifth_of_the_budget_is_named() {
    // Ten days of a run a minute: 43.2 may be bad in thirty.
    let world = World::new(1, 60, 999_000).since(-10 * 86_400);
    for (bad, expected) in [
        // Eight runs are less than a fifth, nine are more.
        ((|second| at_hour(second, -50, 8)) as fn(i64) -> bool, vec![]),
        (|second| at_hour(second, -50, 9), vec![(-50, -49, 9)]),
        // Over the border of an hour it is one.
        (|second| (-50 * 3_600 - 300..-50 * 3_600 + 300).contains(&second), vec![(-51, -49, 10)]),
        // Two of five runs, far apart, are two small ones.
        (|second| at_hour(second, -50, 5) || at_hour(second, -40, 5), vec![]),
        // Until now.
        (|second| second >= -1_200, vec![(-1, 0, 20)]),
        // A steady background is none, though it uses up more.
        (|second| second % 28_800 == 0, vec![]),
    ] {
        assert_eq!(incidents(&standing(&world, bad)), expected);
    }
}

#[test]
fn the_calendar_s_window_and_the_policy_decide_what_is_looked_at() {
    let mut world = World::new(1, 60, 999_000).since(-10 * 86_400);
    let bad = |second: i64| (-50 * 3_600..-50 * 3_600 + 20 * 60).contains(&second);
    assert_eq!(incidents(&standing(&world, bad)).len(), 1);
    world.promise.budget_policy.incident = 0.5;
    assert_eq!(incidents(&standing(&world, bad)).len(), 0);
    world.promise.budget_policy.incident = 0.2;
    // The month has just begun.
    let window = Window::Calendar { period: Period::Month, timezone: "UTC".into() };
    world.promise.objective.as_mut().unwrap().window = window;
    assert_eq!(incidents(&standing(&world, bad)).len(), 0);
    assert!(at(0).to_string().starts_with("2026-03-01"));
}

#[test]
fn weeks_have_their_runs_whenever_they_are_asked_for() {
    let world = World::new(1, 3_600, 990_000).since(-20 * 86_400);
    let bad = |spot: Spot| Some(if (-8 * 86_400..-7 * 86_400).contains(&spot.second) { Failed } else { Ok });
    let (_, evaluator) = world.run(0, bad);
    let weeks = |until: i64| evaluator.by_week(at(until), 4).remove(0).1;
    assert_eq!(weeks(0), [(0, 0), (6 * 24, 0), (6 * 24, 24), (7 * 24, 0)]);
    assert_eq!(weeks(-7 * 86_400), [(0, 0), (0, 0), (6 * 24, 0), (6 * 24, 24)]);
}
