//! The evaluator and the generated rules on the same runs: what one fires the other fires, within one evaluation.
//!
//! The rules run in Prometheus' own engine, over the samples that a scraper of our metrics page gets. Three differences
//! are known and narrow: a prober that starts again counts its streaks anew (it has its test); the first slots of a new
//! objective are expected only a minute and a half later, until when the rules see no burn of them; and slots are expected
//! up to half a minute later than the rule that asks whether too few runs say something thinks, which moves a share that
//! sinks slowly by up to two minutes.

mod engine;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use slo::evaluator::TICK;
use world::{Chance, Episode, Key, Second, Story, Told, What, tell};

/// Where scrapes and evaluations lie: scrapes every so many seconds, from one on, and evaluations.
#[derive(Copy, Clone)]
struct Pace {
    scrape: u64,
    offset: u64,
    evaluation: u64,
}

/// As a real Prometheus is set: scrapes lie beside evaluations, and counts have to be extrapolated.
const REAL: Pace = Pace { scrape: 15, offset: 5, evaluation: 30 };
/// Everything on one grid, and as often as the evaluator looks.
const EXACT: Pace = Pace { scrape: 10, offset: 0, evaluation: 10 };

/// How far apart the two may say that too few runs say something, in seconds.
const SLOWLY: u64 = 120;

/// Alerts with the seconds at which they fire.
type Fired = BTreeMap<Key, BTreeSet<Second>>;

/// The instants at which one of the two has said for an evaluation what the other does not say around it.
fn differences(story: &Story, ours: &Fired, theirs: &Fired, pace: Pace) -> Vec<(Second, Key)> {
    let keys: BTreeSet<&Key> = theirs.keys().chain(ours.keys()).collect();
    let step = |seconds: u64| usize::try_from(seconds).unwrap();
    let none = BTreeSet::new();
    let mut found = Vec::new();
    for key in keys {
        let (ours, theirs) = (ours.get(key).unwrap_or(&none), theirs.get(key).unwrap_or(&none));
        for at in (0..=story.length).step_by(step(pace.evaluation)) {
            let fires = theirs.contains(&at);
            let near = if key.0 == "SLOEligibilityLow" { SLOWLY } else { pace.evaluation };
            let mut around = (at.saturating_sub(near)..=at + near).step_by(step(TICK.as_secs()));
            if around.all(|near| ours.contains(&near) != fires) {
                found.push((at, key.clone()));
            }
        }
    }
    found
}

/// Both agree on the story; gives what was fired.
fn agree(story: &Story, pace: Pace) -> Told {
    let told = tell(story, (pace.scrape, pace.offset));
    let theirs = engine::fired(story, &told, pace, &engine::rules(story));
    let found = differences(story, &told.fired, &theirs, pace);
    // What is expected is counted when its window is closed: until then there is nothing to divide by.
    let is_unexplained = |(at, (name, ..)): &(Second, Key)| name != "SLOBudgetBurn" || *at > 90;
    let unexplained: Vec<_> = found.into_iter().filter(is_unexplained).collect();
    assert!(unexplained.is_empty(), "{story:?}: {unexplained:?}");
    told
}

/// Several seeds of one shape; all alerts that were fired at all are named by `fires`.
fn seeds(regions: usize, interval: u64, seeds: std::ops::Range<u64>, fires: &[&str]) {
    let mut fired = BTreeSet::new();
    for seed in seeds {
        let told = agree(&Story::by_chance((regions, interval), seed), REAL);
        fired.extend(told.fired.into_keys().map(|(name, severity, _)| format!("{name} {severity}")));
    }
    for alert in fires {
        assert!(fired.contains(*alert), "{alert} was never fired, so nothing is shown of it: {fired:?}");
    }
}

const PAGES: [&str; 2] = ["SLOOutage page", "SLOBudgetBurn page"];

#[test]
fn one_region_by_chance() {
    seeds(1, 10, 1..3, &PAGES);
    seeds(1, 60, 1..3, &PAGES);
}

#[test]
fn two_regions_by_chance() {
    seeds(2, 10, 1..3, &["SLORegionDown ticket"]);
    seeds(2, 60, 1..3, &["SLORegionDown ticket"]);
}

#[test]
fn four_regions_by_chance() {
    seeds(4, 10, 1..2, &["SLORegionDown ticket"]);
    seeds(4, 60, 1..3, &["SLORegionDown ticket"]);
}

/// One of each: what the rules can say is said in it.
fn everything(regions: usize) -> Story {
    let list = [
        (900, 1_500, What::Outage),
        (2_400, 3_000, What::Region(0)),
        (3_300, 3_900, What::Muted),
        (4_200, 6_900, What::Ineligible),
        (7_200, 7_800, What::Maintenance),
    ];
    let episodes = list.map(|(from, to, what)| Episode { from, to, what }).into();
    Story { regions, interval: 30, millionths: 999_000, length: 8_100, episodes, seed: 1, down: None }
}

#[test]
fn on_one_grid_and_a_young_objective() {
    let mut story = everything(2);
    story.episodes.insert(0, Episode { from: 0, to: 150, what: What::Outage });
    story.length = 3_600;
    let told = agree(&story, EXACT);
    // Its first outage is one before anything is expected.
    let outage = &told.fired[&("SLOOutage".to_owned(), "page".to_owned(), String::new())];
    assert!(outage.first() < Some(&90), "{outage:?}");
}

/// A comparison that cannot fail shows nothing: each of these rules is a little different, and that is seen.
#[test]
fn a_rule_that_was_altered_disagrees() {
    let story = everything(2);
    let told = tell(&story, (REAL.scrape, REAL.offset));
    let rules = engine::rules(&story);
    let altered = |what: &str, with: &str| {
        let other = rules.replace(what, with);
        assert_ne!(other, rules, "{what} is in the rules");
        let found = differences(&story, &told.fired, &engine::fired(&story, &told, REAL, &other), REAL);
        found.into_iter().map(|(_, (name, ..))| name).collect::<BTreeSet<_>>()
    };
    let only = |name: &str| BTreeSet::from([name.to_owned()]);
    assert_eq!(altered(">= 2) >= 2", ">= 5) >= 2"), only("SLOOutage"));
    assert_eq!(
        altered(
            "by (slo, region) (prober_sli_consecutive_bad_events{slo=\"checkout\"}) >= 5",
            "by (slo, region) (prober_sli_consecutive_bad_events{slo=\"checkout\"}) >= 9"
        ),
        only("SLORegionDown")
    );
    assert_eq!(
        altered(
            "ratio_rate30m{slo=\"checkout\"} > 6 * 0.001",
            "ratio_rate30m{slo=\"checkout\"} > 90 * 0.001"
        ),
        only("SLOBudgetBurn")
    );
    assert_eq!(altered(") > 150)", ") > 300)"), only("SLOBlind"));
    assert_eq!(altered("< 0.8\n", "< 0.3\n"), only("SLOEligibilityLow"));
    assert!(altered("(prober_maintenance_active == 1)", "(prober_maintenance_active == 2)").len() > 1);
    // And what was not altered agrees.
    let theirs = engine::fired(&story, &told, REAL, &rules);
    assert_eq!(differences(&story, &told.fired, &theirs, REAL), []);
    assert!(told.fired.len() >= 6, "{:?}", told.fired.keys());
}

/// A prober that is killed in an outage and is back after 20 s: its counters begin at 0, and no burn is lost by that.
#[test]
fn a_restart_loses_no_burn_and_invents_none() {
    let (from, down, up) = (2_400, 2_700, 2_720);
    let outage = Episode { from, to: 3_300, what: What::Outage };
    let story = Story {
        regions: 2,
        interval: 10,
        millionths: 999_000,
        length: 4_500,
        episodes: vec![outage],
        seed: 1,
        down: Some((down, up)),
    };
    let told = tell(&story, (REAL.scrape, REAL.offset));
    let theirs = engine::fired(&story, &told, REAL, &engine::rules(&story));
    // The evaluator remembers how long the streaks were, and the page begins to count again.
    let anew = up + 5 * story.interval + REAL.scrape + REAL.evaluation;
    let found = differences(&story, &told.fired, &theirs, REAL);
    let explained = |(at, (name, ..)): &(Second, Key)| {
        ["SLOOutage", "SLORegionDown"].contains(&name.as_str()) && (down..=anew).contains(at)
        // While nobody is there the evaluator says nothing.
            || (down..up + REAL.evaluation).contains(at)
    };
    let unexplained: Vec<_> = found.iter().filter(|one| !explained(one)).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
    // The page for the burn goes on over the restart, from the outage on.
    let burn = &theirs[&("SLOBudgetBurn".to_owned(), "page".to_owned(), String::new())];
    let first = *burn.first().unwrap();
    assert!(first < from + 120, "{first}");
    let gap = (first..3_300).step_by(30).find(|at| !burn.contains(at));
    assert_eq!(gap, None, "{burn:?}");
    // All that was bad is counted, but for what a scraper cannot have seen: the last moments before the kill.
    let runs = |seconds: u64| 2 * seconds / story.interval;
    let bad = runs(3_300 - from) - runs(up - down);
    let asked = engine::value(&story, &told, REAL, "sum(increase(prober_sli_bad_events_total[1h]))", 4_500);
    let least = bad.saturating_sub(runs(REAL.scrape) + 2);
    assert!((least as f64..=bad as f64 + 2.0).contains(&asked), "{asked} of {bad}");
}

/// The counters say what the events say, whatever happens.
#[test]
fn counters_add_up() {
    let mut chance = Chance(7);
    for _ in 0..4 {
        let story = Story::by_chance((2, 60), chance.below(1_000));
        let told = tell(&story, (REAL.scrape, REAL.offset));
        let last = |metric: &str| -> f64 {
            let series = told.series.iter().filter(|(name, _)| name.starts_with(metric));
            series.map(|(_, values)| values.last().unwrap().1).sum()
        };
        let (good, bad) = (last("prober_sli_good_events_total"), last("prober_sli_bad_events_total"));
        assert!((good + bad - last("prober_sli_events_total")).abs() < 0.5);
        // Windows are closed a minute later at the most.
        let expected = last("prober_sli_expected_events_total");
        assert!(expected + 4.0 >= good + bad, "{story:?}: {expected} expected, {good} good, {bad} bad");
    }
}
