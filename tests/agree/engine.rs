//! The generated rules in Prometheus' own engine: promtool runs it over given samples in a time of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use slo::rules::{FORMATS, Subject};
use testkit::servers::promtool;

use super::world::{Second, Story, Told};
use super::{Fired, Pace};

/// What fires, with the time as its value.
const FIRING: &str = "max by (alertname, severity, region) (ALERTS{alertstate=\"firing\"}) * 0 + time()";

/// The generated rules of a story.
pub(super) fn rules(story: &Story) -> String {
    let format = FORMATS.iter().find(|format| format.name == "prometheus").unwrap();
    (format.write)(&[Subject::from(&story.promise())]).text
}

/// What promtool has to say of `asked`, lines of expressions that are expected to give nothing.
fn said(story: &Story, told: &Told, pace: Pace, rules: &str, asked: &str) -> Option<String> {
    // A sample every 5 s, most of them left out, is how scrapes may lie beside evaluations.
    let mut test = format!(
        "rule_files: [rules.yaml]\nevaluation_interval: {}s\n\
         group_eval_order: [prober-slo-budget-checkout, prober-slo-alerts-checkout]\n\
         tests:\n  - interval: 5s\n    input_series:\n",
        pace.evaluation
    );
    for (series, values) in &told.series {
        let samples = samples(values, told, pace);
        writeln!(test, "      - series: '{series}'\n        values: '{samples}'").unwrap();
    }
    test.push_str("    promql_expr_test:\n");
    test.push_str(asked);
    let said = promtool(&["test", "rules", "test.yaml"], &[("rules.yaml", rules), ("test.yaml", &test)]);
    let said = said.err()?;
    let shown = said.get(..2_000).unwrap_or(&said);
    assert!(said.contains("got: {"), "promtool says something else of {story:?}: {shown}");
    Some(said)
}

/// The seconds at which each alert fires in the engine.
///
/// promtool only compares; it is told to expect nothing, and says what there is instead.
pub(super) fn fired(story: &Story, told: &Told, pace: Pace, rules: &str) -> Fired {
    let mut asked = String::new();
    for now in (0..=story.length).step_by(usize::try_from(pace.evaluation).unwrap()) {
        writeln!(asked, "      - {{ expr: '{FIRING}', eval_time: {now}s, exp_samples: [] }}").unwrap();
    }
    said(story, told, pace, rules, &asked).map(|said| read(&said)).unwrap_or_default()
}

/// The value of an expression that gives one number without labels.
pub(super) fn value(story: &Story, told: &Told, pace: Pace, expression: &str, at: Second) -> f64 {
    let asked = format!("      - {{ expr: '{expression}', eval_time: {at}s, exp_samples: [] }}\n");
    let said = said(story, told, pace, &rules(story), &asked).unwrap();
    said.split("got: {} ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// The values in promtool's notation: `_` where there is none.
fn samples(values: &[(usize, f64)], told: &Told, pace: Pace) -> String {
    let known: BTreeMap<usize, f64> = values.iter().copied().collect();
    let mut text = "_ ".repeat(usize::try_from(pace.offset / 5).unwrap());
    for number in 0..told.scrapes {
        match known.get(&number) {
            Some(value) => write!(text, "{value} ").unwrap(),
            // A scrape that fails ends the series.
            None if told.missing.contains(&number) => text.push_str("stale "),
            None => text.push_str("_ "),
        }
        text.push_str(&"_ ".repeat(usize::try_from(pace.scrape / 5 - 1).unwrap()));
    }
    text
}

/// Reads `{alertname="A", region="r1", severity="page"} 1.9E+02` wherever it stands.
fn read(said: &str) -> Fired {
    let mut fired = Fired::new();
    for part in said.split("{alertname=\"").skip(1) {
        let (labels, value) = part.split_once("} ").unwrap();
        let (name, rest) = labels.split_once('"').unwrap();
        let label = |name: &str| {
            let value = rest.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
            value.map_or_else(String::new, |(value, _)| value.to_owned())
        };
        let number: f64 = value.split([',', ' ', '\n']).next().unwrap_or_default().parse().expect("a time");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds")]
        let second = number.round() as Second;
        let key = (name.to_owned(), label("severity"), label("region"));
        fired.entry(key).or_default().insert(second);
    }
    fired
}
