//! Every interval, objective and number of regions: what the rules say of the stories that everybody asks about first.
//!
//! The instants come from the policy, not from the rules.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Run, Story, promtool, rules, subject};

/// Good rounds at the start of each story.
const LEAD: u64 = 8;
const TAKES: &str = "a String takes every text";
const OBJECTIVES: [u32; 4] = [990_000, 995_000, 999_000, 999_500];
const REGIONS: [u32; 3] = [1, 2, 4];

fn outage(_: u32, round: u64) -> Run {
    if round < LEAD { Run::Good } else { Run::Bad }
}

fn blip(region: u32, round: u64) -> Run {
    if region == 0 && round == LEAD { Run::Bad } else { Run::Good }
}

fn bad_round(_: u32, round: u64) -> Run {
    if round == LEAD { Run::Bad } else { Run::Good }
}

fn blindness(_: u32, round: u64) -> Run {
    if round < LEAD { Run::Good } else { Run::Ineligible }
}

fn maintenance(_: u32, round: u64) -> Run {
    if (LEAD..LEAD + 8).contains(&round) { Run::Planned } else { Run::Good }
}

/// One story with what is asked of it: at which second which of the alerts that `matcher` names fire.
struct Asked {
    story: Story,
    matcher: &'static str,
    expected: Vec<(u64, &'static str)>,
}

/// All stories of one interval, objective and number of regions, told up to what is asked last.
fn stories(seconds: u64, millionths: u32, regions: u32) -> Vec<Asked> {
    let made = |rounds: u64, run| Story {
        // Long intervals need no more looks than short ones; each costs the engine the same.
        every: match seconds {
            ..60 => 15,
            60..300 => 30,
            _ => 120,
        },
        ..Story::new(subject(regions, seconds, millionths), rounds * seconds, run)
    };
    let policy = subject(regions, seconds, millionths).policy();
    let (begin, count) = (LEAD * seconds, u64::from(regions));
    let streak = u64::from(policy.streak());
    // The last of the regions that make a quorum has its last bad run then; a scrape and an evaluation come on top.
    let last = begin + (streak - 1) * seconds + (u64::from(policy.quorum()) - 1) * seconds / count;
    let down = made(LEAD + streak + 3, outage);
    let (looks, end) = (down.every, down.length);
    let outage = vec![(last - looks, ""), (last + 1 + 2 * looks, "page"), (end, "page")];
    // The last event is that of the last region's last good round; it must be missed for a minute.
    let after = policy.blind_after(Duration::from_secs(seconds)).as_secs();
    let seen = (LEAD - 1) * seconds + (count - 1) * seconds / count + 1;
    let pages = seen + after + 60;
    let blind = made(1 + (pages + 4 * looks).div_ceil(seconds), blindness);
    let mut planned = made(LEAD + 16, maintenance);
    planned.maintenance = Some((begin, begin + 8 * seconds));
    let (quiet, any) = (|story: &Story| vec![(story.length, "")], ".+");
    let [blip, round] = [made(LEAD + 10, blip), made(LEAD + 10, bad_round)];
    vec![
        Asked { story: down, matcher: "SLOOutage", expected: outage },
        Asked { expected: quiet(&blip), story: blip, matcher: any },
        Asked { expected: quiet(&round), story: round, matcher: any },
        Asked {
            story: blind,
            matcher: "SLOBlind",
            expected: vec![(pages - looks, ""), (pages + 3 * looks, "page")],
        },
        Asked { expected: quiet(&planned), story: planned, matcher: any },
    ]
}

/// The stories as one file of promtool; `wrong` asks each for the opposite.
fn file(stories: &[Asked], is_wrong: bool) -> String {
    let every = stories[0].story.every;
    let mut text = format!("rule_files: [rules.yaml]\nevaluation_interval: {every}s\ntests:\n");
    for Asked { story, matcher, expected } in stories {
        let series = story.series();
        write!(text, "  - interval: {every}s\n    input_series:\n{series}    promql_expr_test:\n")
            .expect(TAKES);
        for (at, severity) in expected {
            // Where nothing may fire, nothing may have fired before.
            let over = if severity.is_empty() { *at } else { every };
            let fires = severity.is_empty() == is_wrong;
            let severity = if severity.is_empty() { "page" } else { severity };
            let samples = if fires {
                format!("[{{labels: '{{severity=\"{severity}\"}}', value: 1}}]")
            } else {
                "[]".into()
            };
            write!(
                text,
                "      - expr: max by (severity) (max_over_time(ALERTS{{alertstate=\"firing\", \
                 alertname=~\"{matcher}\"}}[{over}s]))\n        eval_time: {at}s\n        exp_samples: {samples}\n"
            )
            .expect(TAKES);
        }
    }
    text
}

fn interval(seconds: u64) {
    for millionths in OBJECTIVES {
        for regions in REGIONS {
            let stories = stories(seconds, millionths, regions);
            let rules = rules(&stories[0].story.subject);
            let said = promtool(&["check", "rules", "rules.yaml"], &[("rules.yaml", &rules)]);
            assert!(said.is_ok(), "{seconds} s, {millionths}, {regions} regions: {said:?}");
            let ask = |is_wrong| {
                let test = file(&stories, is_wrong);
                promtool(&["test", "rules", "test.yaml"], &[("rules.yaml", &rules), ("test.yaml", &test)])
            };
            let said = ask(false);
            assert!(said.is_ok(), "{seconds} s, {millionths}, {regions} regions: {}", said.unwrap_err());
            if regions == 2 && millionths == 999_000 {
                // Each of the questions can be answered with no.
                let said = ask(true).expect_err("the opposite is wrong");
                let asked: usize = stories.iter().map(|asked| asked.expected.len()).sum();
                assert_eq!(said.matches("got:").count(), asked, "{said}");
            }
        }
    }
}

#[test]
fn every_ten_seconds() {
    interval(10);
}

#[test]
fn every_thirty_seconds() {
    interval(30);
}

#[test]
fn every_minute() {
    interval(60);
}

#[test]
fn every_five_minutes() {
    interval(300);
}
