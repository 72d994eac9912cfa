//! The arithmetic of few events: the tables of the design, through the evaluator's own counts.

use model::outcome::Reason::{Failed, Ok};
use model::policy::Policy;

use super::world::World;

const TARGETS: [u32; 4] = [990_000, 995_000, 999_000, 999_500];

/// How many bad runs, all in the last minutes of the window, exceed a limit over it.
fn least_bad(regions: usize, interval: u64, target: u32, (limit, hours): (f64, i64)) -> u64 {
    let exceeds = |bad: u64| {
        let window = hours * 3_600;
        let world = World::new(regions, interval, target).since(-window - 7_200);
        let per_region = u64::try_from(window + 7_200).unwrap() / interval;
        let bad_of = |region: usize| bad / regions as u64 + u64::from((region as u64) < bad % regions as u64);
        // The last slot before the end may still be under way; all others are counted.
        let (_, evaluator) = world.run(0, |spot| {
            Some(if spot.number + 1 + bad_of(spot.region) > per_region { Failed } else { Ok })
        });
        let standing = &evaluator.standings()[0];
        let wanted = std::time::Duration::from_hours(hours.unsigned_abs());
        let burn =
            standing.windows().into_iter().find(|burn| burn.window == wanted).expect("the window is watched");
        assert_eq!(burn.bad, bad);
        burn.exceeds(limit, crate::burn::Bad::Firm)
    };
    // Halve until the two sides are next to each other.
    let (mut no, mut yes) = (0, 1);
    while !exceeds(yes) {
        (no, yes) = (yes, yes * 2);
    }
    while yes - no > 1 {
        let middle = no.midpoint(yes);
        if exceeds(middle) { yes = middle } else { no = middle }
    }
    yes
}

#[test]
fn failures_that_trip_the_plain_limits() {
    for (regions, interval, expected) in [
        (1, 10, [(52, 130), (26, 65), (6, 13), (3, 7)]),
        (1, 30, [(18, 44), (9, 22), (2, 5), (1, 3)]),
        (1, 60, [(9, 22), (5, 11), (1, 3), (1, 2)]),
        (4, 30, [(70, 173), (35, 87), (7, 18), (4, 9)]),
        (4, 60, [(35, 87), (18, 44), (4, 9), (2, 5)]),
    ] {
        for (target, (fast, slow)) in TARGETS.into_iter().zip(expected) {
            // Every cell of one hour, and of six hours where that is not long to make.
            assert_eq!(
                least_bad(regions, interval, target, (Policy::FAST, 1)),
                fast,
                "{regions} × {interval} s"
            );
            if interval >= 60 {
                assert_eq!(
                    least_bad(regions, interval, target, (Policy::SLOW, 6)),
                    slow,
                    "{regions} × {interval} s"
                );
            }
        }
    }
}

#[test]
fn a_young_promise_has_the_budget_of_a_whole_window() {
    for (interval, runs, expected) in [
        (10, 259_200.0, [2592.0, 1296.0, 259.2, 129.6]),
        (30, 86_400.0, [864.0, 432.0, 86.4, 43.2]),
        (60, 43_200.0, [432.0, 216.0, 43.2, 21.6]),
        (300, 8_640.0, [86.4, 43.2, 8.64, 4.32]),
    ] {
        for (target, allowed) in TARGETS.into_iter().zip(expected) {
            let world = World::new(1, interval, target).since(-3_600);
            let (_, evaluator) = world.run(0, |_| Some(Ok));
            let budget = evaluator.standings()[0].budget.unwrap();
            // A run more or less at the borders.
            let slack = 2.0 * allowed / runs;
            assert!((budget.allowed - allowed).abs() <= slack, "{interval} s {target}: {budget:?}");
            assert!((budget.remaining() - 1.0).abs() < 1e-9);
        }
    }
}
