//! The curve of a budget.

use model::outcome::Reason::{Failed, Ok};

use super::world::{World, second};

#[test]
fn a_curve_falls_where_runs_are_bad_and_ends_with_what_is_left() {
    let world = World::new(1, 60, 999_000).since(-48 * 3_600);
    // Ten bad runs, 24 hours ago.
    let (_, evaluator) =
        world.run(0, |spot| Some(if (-86_400..-85_800).contains(&spot.second) { Failed } else { Ok }));
    let standing = &evaluator.standings()[0];
    let curve = &standing.curve;
    let left = |at: i64| {
        let point = curve.iter().rev().find(|(moment, _)| second(*moment) <= at);
        point.map(|(_, left)| f64::from(*left))
    };
    let remaining = standing.budget.unwrap().remaining();
    assert!(curve.is_sorted_by_key(|(at, _)| *at));
    assert!(left(-100_000).is_some_and(|left| (left - 1.0).abs() < 1e-6), "{curve:?}");
    for at in [0, -60_000] {
        assert!(left(at).is_some_and(|left| (left - remaining).abs() < 1e-3), "{at} {remaining} {curve:?}");
    }
    assert!(remaining < 0.9);
    // Nothing is said of the time before the promise.
    assert!(curve.first().is_some_and(|(at, _)| second(*at) >= -48 * 3_600 - 60), "{curve:?}");
}
