//! The rules as promtool and Prometheus' own engine see them.
//!
//! A story is what every region's runs show, one after another; from it come the counters that a prober exposes,
//! scraped every 15 seconds. What has fired by then is asked of the series `ALERTS`.

use std::fmt::Write as _;
use std::time::Duration;

use model::objective::{Objective, Period, Share, Window};
use testkit::servers::promtool;

use super::{FORMATS, Subject};

mod matrix;

fn subject(regions: u32, seconds: u64, millionths: u32) -> Subject {
    let target = Share::of_millionths(millionths).expect("a share");
    let window = Window::Rolling(Duration::from_hours(720));
    Subject {
        name: "checkout".into(),
        service: "shop".into(),
        team: "team-checkout".into(),
        aim: "A customer's order is confirmed.".into(),
        runbook: "https://wiki.example/runbooks/checkout".into(),
        objective: Some(Objective { name: "checkout".into(), target, window }),
        interval: Duration::from_secs(seconds),
        regions,
        quorum: None,
        gap: Duration::from_secs(seconds),
        blind_after: None,
        critical: Vec::new(),
    }
}

fn exported(format: &str, subjects: &[Subject]) -> super::Exported {
    let format = FORMATS.iter().find(|known| known.name == format).expect("a format");
    (format.write)(subjects)
}

fn rules(subject: &Subject) -> String {
    exported("prometheus", std::slice::from_ref(subject)).text
}

#[test]
fn promtool_takes_the_rules_of_every_shape() {
    let mut all = Vec::new();
    for regions in [1, 2, 4] {
        for seconds in [10, 30, 60, 300] {
            for millionths in [990_000, 995_000, 999_000, 999_500] {
                let one = subject(regions, seconds, millionths);
                all.push(Subject { name: format!("s{regions}-{seconds}-{millionths}").into(), ..one });
            }
        }
    }
    let critical = vec!["eu.west".into(), "us".into()];
    all.push(Subject { name: "critical".into(), critical, ..subject(3, 60, 999_000) });
    let month = Window::Calendar { period: Period::Month, timezone: "Europe/Berlin".into() };
    let target = Share::of_millionths(999_000).expect("a share");
    let calendar = Some(Objective { name: "month".into(), target, window: month });
    all.push(Subject { name: "month".into(), objective: calendar, ..subject(4, 60, 999_000) });
    all.push(Subject { name: "only-outages".into(), objective: None, ..subject(3, 3_600, 999_000) });
    all.push(Subject {
        name: "odd".into(),
        interval: Duration::from_millis(61_500),
        ..subject(2, 1, 999_000)
    });
    let strange = "a \"b\" \\ {{ $labels.x }} 'c' #d: - é $1\n".into();
    all.push(Subject { name: "service[a=\"$1\\\"]".into(), aim: strange, ..subject(2, 60, 999_000) });
    let text = exported("prometheus", &all).text;
    let said = promtool(&["check", "rules", "rules.yaml"], &[("rules.yaml", &text)]);
    assert!(said.as_ref().is_ok_and(|said| said.contains("SUCCESS")), "{said:?}\n{}", &text[..4_000]);
    // promtool is asked and does say no.
    let broken = text.replacen("unless on (slo)", "unles on (slo)", 1);
    assert!(promtool(&["check", "rules", "rules.yaml"], &[("rules.yaml", &broken)]).is_err());
}

/// What one run shows.
#[derive(Copy, Clone, PartialEq)]
enum Run {
    Good,
    Bad,
    /// It took place and says nothing.
    Ineligible,
    /// The slot is planned not to count.
    Planned,
}

/// What is known when somebody scrapes.
#[derive(Copy, Clone, Default)]
struct Counts {
    good: u64,
    bad: u64,
    expected: u64,
    streak: u64,
    last: Option<u64>,
}

/// How a series reads its value.
type Read = fn(&Counts) -> Option<u64>;

struct Story {
    subject: Subject,
    /// How long it is told, in seconds.
    length: u64,
    /// What the k-th run of a region shows.
    run: fn(region: u32, k: u64) -> Run,
    /// When no prober is there to be scraped any more.
    gone_from: Option<u64>,
    /// When maintenance is announced.
    maintenance: Option<(u64, u64)>,
    /// Seconds between two scrapes.
    every: u64,
}

impl Story {
    fn new(subject: Subject, length: u64, run: fn(u32, u64) -> Run) -> Self {
        Self { subject, length, run, gone_from: None, maintenance: None, every: Self::SCRAPE }
    }

    /// Seconds between two scrapes, if nothing else is said.
    const SCRAPE: u64 = 15;

    /// The input series of promtool.
    fn series(&self) -> String {
        let mut out = String::new();
        let every = self.subject.interval.as_secs();
        for region in 0..self.subject.regions {
            let phase = u64::from(region) * every / u64::from(self.subject.regions);
            let (mut counts, mut k, mut closed, mut seen) = (Counts::default(), 0, 0, Vec::new());
            let mut at = 0;
            while at <= self.length {
                while phase + k * every < at {
                    counts.add((self.run)(region, k), phase + k * every + 1);
                    k += 1;
                }
                // As the account does: each half minute what was closed at the one before.
                while phase + closed * every < (at / 30 * 30).saturating_sub(30) {
                    counts.expected += u64::from((self.run)(region, closed) != Run::Planned);
                    closed += 1;
                }
                seen.push(counts);
                at += self.every;
            }
            self.write(&mut out, region, &seen);
        }
        let active = |at: u64| self.maintenance.is_some_and(|(from, to)| (from..to).contains(&at));
        let values: Vec<_> = (0..=self.length / self.every)
            .map(|step| u8::from(active(step * self.every)).to_string())
            .collect();
        writeln!(
            out,
            "      - series: 'prober_maintenance_active{{slo=\"checkout\"}}'\n        values: '{}'",
            values.join(" ")
        )
        .expect("a String takes every text");
        out
    }

    fn write(&self, out: &mut String, region: u32, seen: &[Counts]) {
        let metrics: [(&str, Read); 6] = [
            ("prober_sli_events_total", |counts| Some(counts.good + counts.bad)),
            ("prober_sli_good_events_total", |counts| Some(counts.good)),
            ("prober_sli_bad_events_total", |counts| Some(counts.bad)),
            ("prober_sli_expected_events_total", |counts| Some(counts.expected)),
            ("prober_sli_consecutive_bad_events", |counts| Some(counts.streak)),
            ("prober_sli_last_event_timestamp_seconds", |counts| counts.last),
        ];
        for (metric, value) in metrics {
            let text = |(step, counts): (usize, &Counts)| {
                let there = self.gone_from.is_none_or(|gone| step as u64 * self.every < gone);
                let value = value(counts).filter(|_| there);
                value.map_or_else(|| "_".to_owned(), |value| value.to_string())
            };
            let values: Vec<_> = seen.iter().enumerate().map(text).collect();
            writeln!(
                out,
                "      - series: '{metric}{{slo=\"checkout\",service=\"shop\",region=\"r{region}\"}}'\n        values: '{}'",
                values.join(" ")
            )
            .expect("a String takes every text");
        }
    }

    /// Asks promtool whether exactly these alerts fire at these times.
    fn fires(&self, expected: &[(u64, &[&str])]) -> Result<String, String> {
        let mut text = format!(
            "rule_files: [rules.yaml]\nevaluation_interval: 15s\ntests:\n  - interval: {}s\n    input_series:\n{}    \
             promql_expr_test:\n",
            Self::SCRAPE,
            self.series()
        );
        for (at, alerts) in expected {
            write!(
                text,
                "      - expr: max by (alertname, severity) (ALERTS{{alertstate=\"firing\"}})\n        eval_time: {at}s\n        exp_samples:"
            )
            .expect("a String takes every text");
            text.push_str(if alerts.is_empty() { " []\n" } else { "\n" });
            for alert in *alerts {
                let (name, severity) = alert.split_once(' ').expect("name and severity");
                writeln!(
                    text,
                    "          - labels: '{{alertname=\"{name}\", severity=\"{severity}\"}}'\n            value: 1"
                )
                .expect("a String takes every text");
            }
        }
        let rules = rules(&self.subject);
        promtool(&["test", "rules", "test.yaml"], &[("rules.yaml", &rules), ("test.yaml", &text)])
    }

    /// Whether nothing ever fired.
    fn silent(&self) -> Result<String, String> {
        let text = format!(
            "rule_files: [rules.yaml]\nevaluation_interval: 30s\ntests:\n  - interval: {}s\n    input_series:\n{}    \
             promql_expr_test:\n      - expr: max by (alertname, severity) (max_over_time(ALERTS{{alertstate=\"firing\"}}[{}s]))\n        \
             eval_time: {}s\n        exp_samples: []\n",
            Self::SCRAPE,
            self.series(),
            self.length,
            self.length
        );
        let rules = rules(&self.subject);
        promtool(&["test", "rules", "test.yaml"], &[("rules.yaml", &rules), ("test.yaml", &text)])
    }
}

impl Counts {
    fn add(&mut self, run: Run, at: u64) {
        match run {
            Run::Good => (self.good, self.streak) = (self.good + 1, 0),
            Run::Bad => (self.bad, self.streak) = (self.bad + 1, self.streak + 1),
            Run::Ineligible | Run::Planned => return,
        }
        self.last = Some(at);
    }
}

fn check(what: &str, said: Result<String, String>) {
    if let Err(said) = said {
        panic!("{what}: {said}");
    }
}

const OUTAGE: &str = "SLOOutage page";
const BURN: &str = "SLOBudgetBurn page";
const BURN_TICKET: &str = "SLOBudgetBurn ticket";
const REGION: &str = "SLORegionDown ticket";
const BLIND: &str = "SLOBlind page";
const ELIGIBILITY: &str = "SLOEligibilityLow ticket";
const HOUR: u64 = 3_600;

/// Good for two hours, then bad.
fn down_after_two_hours(_: u32, k: u64) -> Run {
    if k < 120 { Run::Good } else { Run::Bad }
}

#[test]
fn a_total_outage_pages_soon() {
    // Four regions, one run a minute: the quorum sees it within two rounds, the burn not much later.
    let story = Story::new(subject(4, 60, 999_000), 2 * HOUR + 900, down_after_two_hours);
    check(
        "four regions",
        story.fires(&[
            (2 * HOUR, &[]),
            (2 * HOUR + 45, &[]),
            (2 * HOUR + 105, &[OUTAGE, BURN]),
            (2 * HOUR + 420, &[OUTAGE, BURN, BURN_TICKET, REGION]),
        ]),
    );
    // One region: three in a row.
    let story = Story::new(subject(1, 60, 999_000), 2 * HOUR + 900, down_after_two_hours);
    check(
        "one region",
        story.fires(&[
            (2 * HOUR + 90, &[]),
            (2 * HOUR + 150, &[OUTAGE, BURN]),
            (2 * HOUR + 300, &[OUTAGE, BURN]),
        ]),
    );
    // Without an objective there is still the outage.
    let bare = Subject { objective: None, ..subject(4, 60, 999_000) };
    check(
        "no objective",
        Story::new(bare, 2 * HOUR + 900, down_after_two_hours).fires(&[(2 * HOUR + 105, &[OUTAGE])]),
    );
}

#[test]
fn the_burn_ends_soon_after_the_outage() {
    let run: fn(u32, u64) -> Run = |_, k| if (60..70).contains(&k) { Run::Bad } else { Run::Good };
    let story = Story::new(subject(4, 60, 999_000), 3 * HOUR, run);
    check(
        "ten minutes",
        story.fires(&[
            (HOUR + 10 * 60, &[OUTAGE, BURN, BURN_TICKET, REGION]),
            // The quorum clears within one round of recovery, the page with its short window.
            (HOUR + 11 * 60 + 30, &[BURN, BURN_TICKET]),
            (HOUR + 45 * 60, &[BURN_TICKET]),
        ]),
    );
}

#[test]
fn blips_wake_nobody() {
    let one_run: fn(u32, u64) -> Run = |region, k| if region == 0 && k == 20 { Run::Bad } else { Run::Good };
    let one_round: fn(u32, u64) -> Run = |_, k| if k == 20 { Run::Bad } else { Run::Good };
    let two_apart: fn(u32, u64) -> Run = |_, k| if k == 20 || k == 60 { Run::Bad } else { Run::Good };
    let at_once: fn(u32, u64) -> Run = |region, k| if region == 0 && k == 4 { Run::Bad } else { Run::Good };
    let ineligible: fn(u32, u64) -> Run =
        |_, k| if k.is_multiple_of(6) { Run::Ineligible } else { Run::Good };
    let too_many: fn(u32, u64) -> Run = |_, k| if k.is_multiple_of(4) { Run::Ineligible } else { Run::Good };
    for regions in [1, 4] {
        for (what, run) in [
            ("one failed run", one_run),
            ("one failed round", one_round),
            ("a young objective", at_once),
            ("a sixth ineligible", ineligible),
        ] {
            check(what, Story::new(subject(regions, 60, 999_000), 3_000, run).silent());
        }
        // More than a fifth is a ticket: it may hide something.
        let story = Story::new(subject(regions, 60, 999_000), 3_000, too_many);
        check("a quarter ineligible", story.fires(&[(3_000, &[ELIGIBILITY])]));
    }
    check("two runs 40 minutes apart", Story::new(subject(1, 60, 999_000), HOUR + 1_200, two_apart).silent());
    // Intervals longer than Prometheus looks back are no silence.
    check("every 20 minutes", Story::new(subject(2, 1_200, 990_000), 3 * HOUR, |_, _| Run::Good).silent());
}

#[test]
fn one_region_of_four_is_a_ticket() {
    let run: fn(u32, u64) -> Run = |region, k| if region == 1 && k >= 60 { Run::Bad } else { Run::Good };
    let story = Story::new(subject(4, 60, 999_000), 2 * HOUR, run);
    check(
        "one region",
        story.fires(&[
            (HOUR + 240, &[]),
            (HOUR + 315, &[REGION]),
            (HOUR + 660, &[REGION, BURN_TICKET]),
            (2 * HOUR, &[REGION, BURN_TICKET]),
        ]),
    );
    // Of a region that is declared critical it is a page.
    let critical = Subject { critical: vec!["r1".into()], ..subject(4, 60, 999_000) };
    let story = Story::new(critical, HOUR + 330, run);
    check("a critical one", story.fires(&[(HOUR + 240, &[]), (HOUR + 315, &["SLORegionDown page"])]));
}

#[test]
fn blindness_pages_whether_probers_vanish_or_see_nothing() {
    // Every prober vanishes, without a word: 240 s after the last event, and a minute.
    let mut story = Story::new(subject(4, 60, 999_000), 3 * HOUR, |_, _| Run::Good);
    story.gone_from = Some(HOUR);
    check(
        "vanished",
        story.fires(&[
            (HOUR + 225, &[]),
            (HOUR + 330, &[BLIND]),
            (HOUR + 900, &[BLIND]),
            // Long after Prometheus has forgotten them.
            (3 * HOUR, &[BLIND]),
        ]),
    );
    // They are there, and every run is ineligible.
    let run: fn(u32, u64) -> Run = |_, k| if k >= 60 { Run::Ineligible } else { Run::Good };
    let story = Story::new(subject(4, 60, 999_000), 3 * HOUR, run);
    check(
        "ineligible",
        story.fires(&[(HOUR + 225, &[]), (HOUR + 330, &[BLIND]), (HOUR + 2_600, &[BLIND, ELIGIBILITY])]),
    );
    // Nothing was ever seen: it counts from the objective's start.
    let story = Story::new(subject(4, 60, 999_000), HOUR, |_, _| Run::Ineligible);
    check("never", story.fires(&[(225, &[]), (330, &[BLIND])]));
}

#[test]
fn maintenance_is_silent_and_ends_without_a_word() {
    // Down for 50 minutes inside an announced hour; the slots do not count.
    let run: fn(u32, u64) -> Run = |_, k| if (60..120).contains(&k) { Run::Planned } else { Run::Good };
    let mut story = Story::new(subject(4, 60, 999_000), 3 * HOUR, run);
    story.maintenance = Some((HOUR, 2 * HOUR));
    check("planned", story.silent());
    // With `effect: mute` they count and alert nobody.
    let run: fn(u32, u64) -> Run = |_, k| if (60..75).contains(&k) { Run::Bad } else { Run::Good };
    let mut story = Story::new(subject(4, 60, 999_000), 2 * HOUR, run);
    story.maintenance = Some((HOUR, 2 * HOUR + 900));
    check("muted", story.silent());
    // After its end silence is blindness again.
    let run: fn(u32, u64) -> Run = |_, k| if k >= 60 { Run::Planned } else { Run::Good };
    let mut story = Story::new(subject(4, 60, 999_000), 3 * HOUR, run);
    story.maintenance = Some((HOUR, 2 * HOUR));
    check("blind after it", story.fires(&[(2 * HOUR + 225, &[]), (2 * HOUR + 345, &[BLIND])]));
}

/// A test that cannot fail shows nothing: each of these must be refused.
#[test]
fn wrong_expectations_are_refused() {
    let outage = Story::new(subject(4, 60, 999_000), 2 * HOUR + 900, down_after_two_hours);
    assert!(outage.silent().is_err(), "an outage is not silent");
    assert!(outage.fires(&[(2 * HOUR + 105, &[])]).is_err());
    assert!(outage.fires(&[(2 * HOUR, &[OUTAGE])]).is_err());
    let quiet = Story::new(subject(4, 60, 999_000), HOUR, |_, _| Run::Good);
    assert!(quiet.fires(&[(HOUR, &[BLIND])]).is_err());
    let mut unannounced =
        Story::new(subject(4, 60, 999_000), 2 * HOUR, |_, k| if k >= 60 { Run::Bad } else { Run::Good });
    unannounced.maintenance = Some((0, 60));
    assert!(unannounced.silent().is_err());
}

#[test]
fn other_formats_say_what_they_lose() {
    let all = [
        subject(4, 60, 999_000),
        Subject { name: "bare".into(), objective: None, ..subject(1, 60, 999_000) },
    ];
    for (format, parts) in [
        ("sloth", vec!["service: \"shop\"", "objective: 99.9", "[{{.window}}]", "page_alert:"]),
        (
            "pyrra",
            vec![
                "kind: ServiceLevelObjective",
                "target: \"99.9\"",
                "window: 30d",
                "metric: \"prober_sli_bad_events_total",
            ],
        ),
        (
            "openslo",
            vec![
                "apiVersion: openslo/v1",
                "target: 0.999",
                "isRolling: true",
                "budgetingMethod: Occurrences",
            ],
        ),
    ] {
        let exported = exported(format, &all);
        for part in parts {
            assert!(exported.text.contains(part), "{format}: {part} is not in\n{}", exported.text);
        }
        let lost = exported.lost.join("\n");
        for part in [
            "floors of bad runs (5 and 2)",
            "SLOBlind",
            "a quorum of 2 of 4 regions",
            "bare: it has no objective",
        ] {
            assert!(lost.contains(part), "{format}: {part} is not in\n{lost}");
        }
    }
    assert!(exported("prometheus", &all).lost.is_empty());
}
