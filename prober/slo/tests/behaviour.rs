//! How the policy must behave: the cases of the design, with injected time.

use std::sync::Arc;
use std::time::Duration;

use model::outcome::Mark;
use model::outcome::Reason::{self, Failed, Maintenance, Ok, ProberFault};

use crate::evaluator::Evaluator;

use super::world::{Once, Spot, World, at, times, told};

const DAY: i64 = 86_400;
const MINUTE: i64 = 60;

/// One case: who is told, from which second to which at the latest.
struct Case {
    name: &'static str,
    world: World,
    until: i64,
    reason: fn(Spot) -> Option<Reason>,
    /// Severity, alert, latest start, and between what its end lies; alerts that are not named must not fire.
    expected: &'static [(&'static str, &'static str, i64, (i64, i64))],
}

/// It has not ended when the case ends.
const ON: (i64, i64) = (i64::MAX, i64::MAX);

#[expect(clippy::unnecessary_wraps, reason = "the world asks for a slot's reason, if it has an event")]
fn bad_from(second: i64, from: i64, to: i64) -> Option<Reason> {
    Some(if (from..to).contains(&second) { Failed } else { Ok })
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let one = || World::new(1, 60, 999_000);
    let four = || World::new(4, 60, 999_000);
    vec![
        Case {
            name: "1 region, total outage",
            world: one(),
            until: 8 * MINUTE,
            reason: |spot| bad_from(spot.second, 0, DAY),
            expected: &[("page", "SLOOutage", 173, ON), ("page", "SLOBudgetBurn", 203, ON)],
        },
        Case {
            name: "1 region, one failed run",
            world: one(),
            until: 8 * 60 * MINUTE,
            reason: |spot| bad_from(spot.second, 0, 60),
            expected: &[],
        },
        Case {
            name: "1 region, two failed runs 40 min apart",
            world: one(),
            until: 8 * 60 * MINUTE,
            reason: |spot| Some(if matches!(spot.second, 0 | 2_400) { Failed } else { Ok }),
            expected: &[],
        },
        Case {
            name: "4 regions, one failed run",
            world: four(),
            until: 8 * 60 * MINUTE,
            reason: |spot| Some(if spot.region == 2 && (0..60).contains(&spot.second) { Failed } else { Ok }),
            expected: &[],
        },
        Case {
            name: "4 regions, one failed round everywhere",
            world: four(),
            until: 8 * 60 * MINUTE,
            reason: |spot| bad_from(spot.second, 0, 60),
            expected: &[],
        },
        Case {
            name: "1 of 4 regions down for good",
            world: four(),
            until: 60 * MINUTE,
            reason: |spot| Some(if spot.region == 0 && spot.second >= 0 { Failed } else { Ok }),
            expected: &[("ticket", "SLORegionDown", 293, ON), ("ticket", "SLOBudgetBurn", 593, ON)],
        },
        Case {
            name: "brand-new, first failure 4 min in",
            world: one().since(-240),
            until: 8 * 60 * MINUTE,
            reason: |spot| bad_from(spot.second, 0, 60),
            expected: &[],
        },
        Case {
            name: "steady 10 % failures, 1 region",
            world: one(),
            until: 40 * MINUTE,
            reason: |spot| Some(if spot.second >= 0 && spot.number % 10 == 9 { Failed } else { Ok }),
            expected: &[("page", "SLOBudgetBurn", 1_793, ON)],
        },
        Case {
            name: "all probers vanish",
            world: four(),
            until: 8 * MINUTE,
            reason: |spot| (spot.second < 0).then_some(Ok),
            expected: &[("page", "SLOBlind", 263 + 60, ON)],
        },
        Case {
            name: "every run ineligible",
            world: four(),
            until: 60 * MINUTE,
            reason: |spot| Some(if spot.second < 0 { Ok } else { ProberFault }),
            expected: &[("page", "SLOBlind", 263 + 60, ON), ("ticket", "SLOEligibilityLow", 2_423, ON)],
        },
        Case {
            name: "planned maintenance, target down 50 min",
            world: maintained(four(), Once(0, 50 * MINUTE)),
            until: 4 * 60 * MINUTE,
            reason: |spot| Some(if (0..50 * MINUTE).contains(&spot.second) { Maintenance } else { Ok }),
            expected: &[],
        },
        Case {
            name: "the same without a word of it: blind, and a ticket",
            world: four(),
            until: 45 * MINUTE,
            reason: |spot| Some(if (0..50 * MINUTE).contains(&spot.second) { ProberFault } else { Ok }),
            expected: &[("page", "SLOBlind", 263 + 60, ON), ("ticket", "SLOEligibilityLow", 2_423, ON)],
        },
        Case {
            name: "outage of 10 min, then fixed",
            world: four(),
            until: 7 * 60 * MINUTE,
            reason: |spot| bad_from(spot.second, 0, 10 * MINUTE),
            expected: &[
                ("page", "SLOOutage", 130, (600, 653)),
                // Until the short window of the slower pair has left the outage behind: half an hour.
                ("page", "SLOBudgetBurn", 120, (39 * MINUTE, 40 * MINUTE + 10)),
                // And of the slower pair of tickets: six hours.
                ("ticket", "SLOBudgetBurn", 200, (369 * MINUTE, 370 * MINUTE + 10)),
                ("ticket", "SLORegionDown", 330, (600, 665)),
                ("ticket", "SLORegionDown", 330, (600, 665)),
                ("ticket", "SLORegionDown", 330, (600, 665)),
                ("ticket", "SLORegionDown", 330, (600, 665)),
            ],
        },
    ]
}

fn maintained(mut world: World, once: Once) -> World {
    world.promise.maintenance = Arc::new(once);
    world
}

#[test]
fn it_behaves_as_the_table_says() {
    for Case { name, world, until, reason, expected } in cases() {
        let (changes, _) = world.run(until, reason);
        let mut found = told(&changes);
        for alert in ["SLOOutage", "SLOBudgetBurn", "SLORegionDown", "SLOBlind", "SLOEligibilityLow"] {
            for severity in ["page", "ticket"] {
                let wanted: Vec<_> =
                    expected.iter().filter(|(sev, rule, ..)| *sev == severity && *rule == alert).collect();
                let times = times(&changes, severity, alert);
                // A total outage of one region is a burn that opens a ticket too; the table names pages there.
                if wanted.is_empty()
                    && severity == "ticket"
                    && expected.iter().any(|(sev, rule, ..)| (*sev, *rule) == ("page", alert))
                {
                    continue;
                }
                assert_eq!(times.len(), wanted.len(), "{name}: {severity} {alert}: {found:#?}");
                for ((starts, ends), (.., latest, between)) in times.into_iter().zip(wanted) {
                    assert!(
                        (0..=*latest).contains(&starts),
                        "{name}: {severity} {alert} at {starts}: {found:#?}"
                    );
                    let ends = ends.unwrap_or(i64::MAX);
                    assert!(
                        (between.0..=between.1).contains(&ends),
                        "{name}: {severity} {alert} ends {ends}: {found:#?}"
                    );
                }
            }
        }
        found.clear();
    }
}

/// What the table would say if the policy had no floors and no quorum: a test that cannot fail shows nothing.
#[test]
fn a_plain_policy_would_page_for_one_failed_run() {
    let world = World::new(1, 60, 999_000);
    let (changes, evaluator) = world.run(4 * MINUTE, |spot| bad_from(spot.second, 0, 60));
    assert!(changes.is_empty());
    let standing = &evaluator.standings()[0];
    let (rule, [short, long]) = &standing.burns[0];
    assert!(short.rate() > rule.limit && long.rate() > rule.limit, "{short:?} {long:?}");
}

/// The burn pair that pages at once ends five minutes after the outage; only the slower pair goes on.
#[test]
fn the_fast_pair_is_over_five_minutes_after_an_outage() {
    let world = World::new(4, 60, 999_000);
    let fast = |until| {
        let (_, evaluator) = world.run(until, |spot| bad_from(spot.second, 0, 600));
        let standing = &evaluator.standings()[0];
        let (rule, [short, long]) = standing.burns[0];
        short.rate() > rule.limit && long.rate() > rule.limit && short.bad >= 2
    };
    assert!(fast(14 * MINUTE + 30) && !fast(15 * MINUTE + 10));
}

#[test]
fn a_total_outage_is_found_in_time_at_every_interval() {
    // Regions × interval, and the mean that the table promises; a tick and the settling come on top.
    for (interval, mean) in [(10, 14.0), (30, 41.0), (60, 66.0), (300, 318.0)] {
        let world = World::new(4, interval, 999_000);
        let offsets = 20;
        let mut sum = 0.0;
        for offset in 0..offsets {
            let begin = i64::try_from(interval).unwrap() * offset / offsets;
            let (changes, _) = world.run(begin + 3 * i64::try_from(interval).unwrap() + 30, |spot| {
                bad_from(spot.second, begin, DAY)
            });
            let first = changes
                .iter()
                .filter(|change| change.alert.id.severity == model::alert::Severity::Page)
                .map(|change| change.alert.starts)
                .min();
            sum += first.expect("it pages").seconds_since(at(begin));
        }
        let found = sum / f64::from(i32::try_from(offsets).unwrap());
        let most = mean + 10.0 + 0.08 * f64::from(u32::try_from(interval).unwrap());
        assert!(found <= most, "{interval} s: {found} s, at most {most}");
    }
}

#[test]
fn limits_are_strict_and_regions_count() {
    // Two regions: both must be down.
    let two = World::new(2, 60, 999_000);
    let (changes, _) =
        two.run(30 * MINUTE, |spot| Some(if spot.region == 0 && spot.second >= 0 { Failed } else { Ok }));
    assert_eq!(times(&changes, "page", "SLOOutage"), []);
    assert_eq!(times(&changes, "ticket", "SLORegionDown").len(), 1);
    // A file may ask for more, or for less.
    for (quorum, pages) in [(Some(1), 1), (Some(3), 0), (None, 1)] {
        let mut four = World::new(4, 60, 999_000);
        four.promise.quorum = quorum;
        let (changes, _) =
            four.run(10 * MINUTE, |spot| Some(if spot.region < 2 && spot.second >= 0 { Failed } else { Ok }));
        assert_eq!(times(&changes, "page", "SLOOutage").len(), pages, "{quorum:?}");
    }
    // A critical region is a page of its own.
    let mut four = World::new(4, 60, 999_000);
    four.promise.critical.insert(four.region(0).into());
    let (changes, _) =
        four.run(10 * MINUTE, |spot| Some(if spot.region == 0 && spot.second >= 0 { Failed } else { Ok }));
    assert_eq!(
        (times(&changes, "page", "SLORegionDown").len(), times(&changes, "ticket", "SLORegionDown").len()),
        (1, 0)
    );
}

#[test]
fn maintenance_mutes_what_fires_and_what_is_still_bad_fires_again() {
    let world = maintained(World::new(4, 60, 999_000), Once(10 * MINUTE, 20 * MINUTE));
    let (changes, _) = world.run(30 * MINUTE, |spot| bad_from(spot.second, 0, DAY));
    let outages = times(&changes, "page", "SLOOutage");
    assert_eq!(outages.len(), 2, "{:#?}", told(&changes));
    assert_eq!((outages[0].1, outages[1].0), (Some(10 * MINUTE), 20 * MINUTE));
    assert!(told(&changes).contains(&"600 muted page SLOOutage".to_owned()));
}

#[test]
fn blindness_counts_from_the_end_of_a_maintenance_and_never_earlier_than_the_interval_allows() {
    let world = maintained(World::new(4, 60, 999_000), Once(0, 50 * MINUTE));
    let (changes, _) =
        world.run(2 * 60 * MINUTE, |spot| Some(if spot.second < 0 { Ok } else { Maintenance }));
    let blind = times(&changes, "page", "SLOBlind");
    assert_eq!(blind.len(), 1, "{:#?}", told(&changes));
    assert!((3_290..=3_310).contains(&blind[0].0), "50 min + 4 min + 1 min: {blind:?}");
    // An hour between runs: nothing is missing for three hours and a minute.
    let slow = World::new(1, 3_600, 990_000);
    let (changes, _) = slow.run(5 * 3_600, |spot| (spot.second < 0).then_some(Ok));
    let blind = times(&changes, "page", "SLOBlind");
    assert!(blind.iter().all(|(starts, _)| *starts >= 2 * 3_600 + 120), "{blind:?}");
    assert_eq!(blind.len(), 1);
}

#[test]
fn an_overspent_budget_makes_slow_burns_a_ticket_and_keeps_outages_pages() {
    // One round in a hundred is bad: 2.4 runs an hour, so a day and a half for the 86 runs of a month.
    let world = World::new(4, 60, 999_500);
    let (changes, evaluator) = world.run(2 * DAY + 600, |spot| {
        let steady = spot.second >= 0 && spot.number % 100 == 7;
        Some(if steady || spot.second >= 2 * DAY { Failed } else { Ok })
    });
    assert!(evaluator.standings()[0].budget.unwrap().remaining() < 0.0);
    let exhausted = 37 * 3_600;
    let pages = times(&changes, "page", "SLOBudgetBurn");
    assert!(pages.iter().filter(|(starts, _)| *starts < exhausted).count() > 10, "{pages:?}");
    assert!(pages.iter().all(|(starts, _)| !(exhausted..2 * DAY).contains(starts)), "{pages:?}");
    assert_eq!(times(&changes, "page", "SLOOutage").len(), 1);
    let last = pages.last().expect("the outage burns, too");
    assert!(last.0 >= 2 * DAY && last.1.is_none(), "{pages:?}");
    assert!(times(&changes, "ticket", "SLOBudgetBurn").iter().any(|(_, ends)| ends.is_none()));
}

#[test]
fn a_background_at_the_objective_s_rate_is_said_and_not_ticketed() {
    // About 0.05 % of all runs, spread as chance spreads them, against 99.95 %.
    let noise = |spot: Spot| {
        let mut hash = (spot.number * 4 + spot.region as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^= hash >> 32;
        Some(if hash.is_multiple_of(2_000) { Failed } else { Ok })
    };
    let world = World::new(4, 30, 999_500).since(-10 * DAY);
    let (changes, evaluator) = world.run(10 * DAY, noise);
    // A background shows after a day; before that it may be anything.
    let mut tickets = times(&changes, "ticket", "SLOBudgetBurn");
    tickets.retain(|(starts, _)| *starts > -9 * DAY);
    let pages =
        changes.iter().filter(|change| change.alert.id.severity == model::alert::Severity::Page).count();
    assert_eq!((tickets.len(), pages), (0, 0), "{:#?}", told(&changes));
    let said = evaluator.standings()[0].noise.clone();
    assert!(said.is_some_and(|said| said.contains("noise floor")));
    // The same number of bad runs in one go is no background.
    let (changes, evaluator) = World::new(4, 30, 999_500)
        .since(-3 * DAY)
        .run(4 * 3_600, |spot| Some(if (0..180).contains(&spot.second) { Failed } else { Ok }));
    assert!(evaluator.standings()[0].noise.is_none());
    assert!(!times(&changes, "ticket", "SLOBudgetBurn").is_empty());
}

#[test]
fn an_alert_carries_its_sum_and_everything_that_is_asked_first() {
    let world = World::new(4, 60, 999_000);
    let (changes, _) = world.run(10 * MINUTE, |spot| bad_from(spot.second, 0, DAY));
    let burn = changes.iter().find(|change| change.alert.id.rule == model::alert::Rule::BudgetBurn).unwrap();
    let said = |name: &str| burn.alert.annotations.get(name).cloned().unwrap_or_default();
    assert_eq!(
        said("sum"),
        "5 bad of 240 expected in 1h = burn 20.8, limit 14.4; 5 bad of 20 expected in 5m = burn 250.0"
    );
    assert_eq!(said("aim"), "a customer can buy");
    assert_eq!(said("owner"), "team-shop");
    assert_eq!(said("runbook_url"), "https://wiki.example/checkout");
    assert_eq!((said("failing_step"), said("error_type")), ("pay".to_owned(), "500".to_owned()));
    assert_eq!(said("sample_run").len(), 32);
    assert!(said("worst_regions").starts_with("r0 2 of "), "{}", said("worst_regions"));
    assert_eq!((said("budget_left"), said("time_to_exhaustion")), ("97.1 %".to_owned(), "1d 9h".to_owned()));
    assert!(burn.alert.annotations.values().all(|text| !text.is_empty()));
    assert_eq!(burn.key(), format!("{}/firing", burn.alert.episode()));
    let outage = changes.iter().find(|change| change.alert.id.rule == model::alert::Rule::Outage).unwrap();
    assert_eq!(
        outage.alert.annotations["sum"],
        "the last 2 runs are bad in 2 of 4 regions (r0, r1), 2 make an outage"
    );
}

#[test]
fn without_an_objective_only_outages_alert() {
    let mut world = World::new(4, 60, 999_000);
    world.promise.objective = None;
    let (changes, evaluator) = world.run(20 * MINUTE, |spot| bad_from(spot.second, 0, DAY));
    assert_eq!(times(&changes, "page", "SLOOutage").len(), 1);
    assert_eq!(
        (times(&changes, "page", "SLOBudgetBurn"), times(&changes, "ticket", "SLOBudgetBurn")),
        (vec![], vec![])
    );
    let standing = &evaluator.standings()[0];
    assert!(standing.budget.is_none() && standing.burns.is_empty() && standing.noise.is_none());
}

#[test]
fn late_events_only_clear_or_strengthen() {
    let world = World::new(4, 60, 999_000);
    let late = Duration::from_mins(20);
    // An outage that becomes known 20 minutes later starts nothing, but is in the budget.
    let events = world.events(600, |spot| bad_from(spot.second, 0, 600));
    let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
    for mut event in events.clone() {
        if event.slot.scheduled >= at(0) {
            event.recorded = event.recorded.plus(late);
        }
        evaluator.fold(&event, &mut changes);
    }
    evaluator.finish(at(1_810), &mut changes);
    // That nobody knew anything for so long is told, of course.
    let unknown = [model::alert::Rule::Blind, model::alert::Rule::EligibilityLow];
    let wrong: Vec<_> = changes.iter().filter(|change| !unknown.contains(&change.alert.id.rule)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(evaluator.standings()[0].budget.unwrap().bad, 40);
    // The same known in time fires, so that the test can fail.
    assert!(!world.run(600, |spot| bad_from(spot.second, 0, 600)).0.is_empty());
    // A late good run ends the streak that an outage was made of.
    let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
    let withheld = |event: &model::event::SliEvent| event.slot.scheduled >= at(240);
    let (after, before): (Vec<_>, Vec<_>) =
        world.events(300, |spot| bad_from(spot.second, 0, 240)).into_iter().partition(withheld);
    for event in &before {
        evaluator.fold(event, &mut changes);
    }
    evaluator.finish(at(600), &mut changes);
    assert!(told(&changes).iter().any(|line| line.contains("fired page SLOOutage")));
    for mut event in after {
        event.recorded = at(600);
        evaluator.fold(&event, &mut changes);
    }
    evaluator.finish(at(620), &mut changes);
    assert!(
        told(&changes).iter().any(|line| line.contains("cleared page SLOOutage")),
        "{:#?}",
        told(&changes)
    );
}

/// What the prober doubts of itself is bounded: a fifth of an hour may say nothing, and more is told, whatever hides it.
#[test]
fn more_than_a_fifth_that_says_nothing_is_a_ticket_and_ends_with_it() {
    let share = |part: i64, reason: Reason| {
        move |spot: Spot| Some(if spot.second >= 0 && (spot.second / 60) % 60 < part { reason } else { Ok })
    };
    for (part, reason, tickets) in [
        (11, Reason::Correlated, 0),
        (24, Reason::Correlated, 1),
        (24, ProberFault, 1),
        (60, Reason::Correlated, 1),
    ] {
        let (changes, _) = World::new(1, 60, 999_000).run(58 * MINUTE, share(part, reason));
        let found = times(&changes, "ticket", "SLOEligibilityLow");
        assert_eq!(found.len(), tickets, "{part} {reason}: {:?}", told(&changes));
    }
    // A run or two are no pattern, however seldom it runs.
    for (ineligible, tickets) in [(1, 0), (2, 0), (3, 1)] {
        let one = move |spot: Spot| {
            Some(if (0..ineligible * 600).contains(&spot.second) { ProberFault } else { Ok })
        };
        let (changes, _) = World::new(1, 600, 999_000).run(100 * MINUTE, one);
        let found = times(&changes, "ticket", "SLOEligibilityLow");
        assert_eq!(found.len(), tickets, "{ineligible}: {:?}", told(&changes));
        assert!(found.iter().all(|(_, ends)| ends.is_some()), "{ineligible}: {:?}", told(&changes));
    }
}

/// A region whose prober nobody vouches for is not counted in the quorum: its runs are history and budget alone.
#[test]
fn what_nobody_vouches_for_starts_no_alert_and_counts_all_the_same() {
    for (unvouched, pages) in [(&[][..], 1), (&["r0"], 0), (&["r0", "r1"], 0)] {
        let world = World::new(2, 60, 999_000);
        let mut events = world.events(6 * MINUTE, |spot| bad_from(spot.second, 0, DAY));
        for event in &mut events {
            if unvouched.contains(&&*event.origin.stream.region) {
                event.outcome.marks.push(Mark::Unvouched);
            }
        }
        let (mut evaluator, mut changes) = (world.evaluator(), Vec::new());
        for (number, event) in events.iter().enumerate() {
            evaluator.fold(event, &mut changes);
            // A restart in between keeps what was not judged yet.
            if number == events.len() / 2 {
                let promises = vec![world.promise.clone()];
                let restored = Evaluator::restore(&evaluator.snapshot(), promises, event.recorded).unwrap();
                changes.extend(restored.changes);
                evaluator = restored.evaluator;
            }
        }
        evaluator.finish(at(6 * MINUTE), &mut changes);
        assert_eq!(times(&changes, "page", "SLOOutage").len(), pages, "{unvouched:?}: {:?}", told(&changes));
        assert_eq!(evaluator.standings()[0].budget.unwrap().bad, 12, "{unvouched:?}");
    }
}
