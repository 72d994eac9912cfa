//! Every format as literals, and what hostile texts may do in none of them.

use std::time::Duration;

use model::event::SliEvent;
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use scenario::diagnostic::Diagnostic;
use scenario::source::{Source, Span};
use serde_json::Value;

use super::*;
use crate::cli::show::tests::all;
use crate::cli::show::{Look, RunColumns};

const LOOK: Look = Look { colour: false, unicode: true, width: 80 };

fn sheet(rounds: usize) -> Sheet {
    Sheet {
        look: LOOK,
        columns: RunColumns::of(all().iter().map(|event| &event.origin.stream), LOOK),
        slow_fails: false,
        details: false,
        quiet: false,
        rounds,
        prefix: "monitoring/".to_owned(),
    }
}

fn ran(event: SliEvent) -> Ran {
    let scenario = &event.origin.stream.scenario;
    let told = Told {
        title: "Shop".into(),
        aim: "A customer can buy something.".into(),
        runbook: "https://wiki.example/runbooks/shop".into(),
        path: format!("scenarios/{scenario}.yaml").into(),
        line: 3,
    };
    Ran { event, told, round: 1 }
}

/// Good, bad in a flow, refused, stale, missed, ineligible; slow and declared beside them.
fn samples() -> Vec<Ran> {
    let [good, flow, refused, .., stale, missed, ineligible] = all();
    let mut slow = good.clone();
    let failure = Failure::new(FailureClass::Slow, "slow", "latency is 410ms, expected less than 300ms");
    (slow.outcome.reason, slow.outcome.failure) = (Reason::Slow, Some(failure));
    let mut declared = good.clone();
    declared.outcome = Outcome::empty(Reason::Declared);
    [good, flow, refused, stale, missed, ineligible, slow, declared].map(ran).into()
}

fn whole(name: &str, runs: &[Ran]) -> String {
    let sheet = sheet(1);
    let waited = Some(Waited { rounds: 2, took: Duration::from_secs(7) });
    let runs = Runs { sheet: &sheet, all: runs, took: Duration::from_millis(33_100), waited, not_run: 0 };
    Format::named(name).unwrap().whole(&runs)
}

fn mistakes(name: &str, diagnostics: &[Diagnostic]) -> String {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources = [source("a b.yaml", "name: shop\nhttps: x\n"), source("fine.yaml", "name: fine\n")];
    let of = Mistakes {
        diagnostics,
        sources: &sources,
        strict: false,
        counted: "1 scenario in 1 region, 2 files",
        colour: false,
        prefix: "monitoring/",
    };
    (Format::named(name).unwrap().mistakes)(&of)
}

fn two_mistakes() -> [Diagnostic; 2] {
    let wrong = Span { file: 0, start: 11, end: 16 };
    let first = Span { file: 0, start: 6, end: 10 };
    [
        Diagnostic::error("E102", wrong, "unknown key `https`")
            .label("not a key: 100%")
            .help("did you mean `http`?")
            .other(first, "in this scenario"),
        Diagnostic::warning("W301", first, "`x` is captured\nand not used"),
    ]
}

#[test]
fn runs_in_every_format() {
    for format in &FORMATS {
        insta::assert_snapshot!(format!("runs_{}", format.name), whole(format.name, &samples()));
    }
}

#[test]
fn mistakes_in_every_format() {
    for format in &FORMATS {
        insta::assert_snapshot!(format!("mistakes_{}", format.name), mistakes(format.name, &two_mistakes()));
    }
}

#[test]
fn many_rounds_for_people() {
    let sheet = sheet(3);
    let runs: Vec<_> = (1..=3)
        .flat_map(|round| samples().into_iter().take(2).map(move |ran| Ran { round, ..ran }))
        .collect();
    let runs = Runs { sheet: &sheet, all: &runs, took: Duration::from_secs(9), waited: None, not_run: 1 };
    insta::assert_snapshot!("rounds_human", Format::HUMAN.whole(&runs));
}

/// A run whose texts try everything.
fn hostile() -> Vec<Ran> {
    let text = "]]> </system-out><x a=\"'&\u{1b}[31m\u{0}\u{7}\u{fffe}\r\n::error::x%0A\n1..0 # SKIP \\\n--- \u{2028}";
    let [_, mut flow, ..] = all();
    flow.outcome.failure.as_mut().unwrap().message = text.to_owned();
    let step = &mut flow.outcome.steps[2];
    step.name = text.into();
    step.failure.as_mut().unwrap().message = text.to_owned();
    flow.outcome.assertions[3].actual = text.into();
    vec![ran(flow)]
}

#[test]
fn hostile_texts_stay_texts() {
    for format in &FORMATS {
        let text = whole(format.name, &hostile());
        let control = |letter: char| letter.is_control() && letter != '\n';
        assert!(!text.contains(control), "{}: {text:?}", format.name);
    }
    let junit = whole("junit", &hostile());
    assert!(!junit.contains("]]>") && junit.matches("</system-out>").count() == 1, "{junit}");
    let github = whole("github", &hostile());
    assert_eq!(github.lines().count(), 1, "{github}");
    let tap = whole("tap", &hostile());
    let plans = tap.lines().filter(|line| line.trim_start().starts_with("1..")).count();
    assert_eq!(plans, 2, "its own and the subtest's: {tap}");
    for name in ["json", "sarif"] {
        serde_json::from_str::<Value>(&whole(name, &hostile())).unwrap();
    }
}

/// Elements and attributes that Jenkins reads (its xunit plugin's `junit-10.xsd`).
const JUNIT: [(&str, &[&str]); 9] = [
    ("testsuites", &["name", "time", "tests", "failures", "errors"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"],
    ),
    ("properties", &[]),
    ("property", &["name", "value"]),
    ("testcase", &["name", "time", "classname", "group"]),
    ("failure", &["type", "message"]),
    ("error", &["type", "message"]),
    ("skipped", &["type", "message"]),
    ("system-out", &[]),
];

#[test]
fn junit_has_only_what_jenkins_reads() {
    let files = [whole("junit", &samples()), whole("junit", &hostile()), mistakes("junit", &two_mistakes())];
    for text in files {
        let mut open = Vec::new();
        // Texts have no `<`, `>` and `"` of their own, so this finds every tag.
        for tag in text.split('<').skip(2).map(|part| part.split('>').next().unwrap()) {
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{text}");
                continue;
            }
            let (name, rest) = tag.split_once(' ').unwrap_or((tag, ""));
            let known = JUNIT.iter().find(|(known, _)| *known == name);
            let (_, attributes) = known.unwrap_or_else(|| panic!("{name} is no element of JUnit"));
            for attribute in rest.split('"').step_by(2).filter_map(|part| part.trim().strip_suffix('=')) {
                assert!(attributes.contains(&attribute), "{name} has no attribute {attribute}");
            }
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn formats_that_programs_read_are_whole_without_runs() {
    assert!(whole("junit", &[]).contains("tests=\"0\""));
    assert_eq!(whole("tap", &[]), "TAP version 14\n1..0 # SKIP nothing ran\n");
    assert_eq!(whole("json", &[]), "[]\n");
    assert_eq!(whole("jsonl", &[]), "");
    let sarif: Value = serde_json::from_str(&whole("sarif", &[])).unwrap();
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
    assert!(mistakes("human", &[]).starts_with("no mistakes: "));
}

#[test]
fn what_did_not_decide_is_not_red() {
    let slow: Vec<_> = samples().split_off(6);
    let junit = whole("junit", &slow);
    assert!(junit.contains("failures=\"0\" errors=\"0\""), "{junit}");
    assert!(whole("tap", &slow).contains("# TODO latency is 410ms"), "slow is no failure unless asked for");
    let strict = Sheet { slow_fails: true, ..sheet(1) };
    assert_eq!(slow[0].standing(&strict), Standing::Bad);
}
