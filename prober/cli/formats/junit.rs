//! The XML of `JUnit` as Jenkins, GitLab and most others read it (the xunit plugin's `junit-10.xsd`).
//!
//! A suite a run, a test case a step; properties are labels and identity; the output is the redacted
//! waterfall. A failure is the target's, an error is ours: a run that could not be judged.

use std::fmt::Write as _;
use std::time::Duration;

use model::step::{StepRecord, StepState};
use scenario::render::{self, Style};

use super::escape::{xml, xml_lines};
use super::runs::PLAIN;
use super::{Format, Mistakes, Ran, Runs, Sheet, Standing};
use crate::cli::show;

pub(super) const FORMAT: Format =
    Format { name: "junit", summary: "JUnit XML, a suite a run", each: None, end, mistakes };

/// What became of one test case.
enum Fate {
    Passed,
    Failed(Told),
    Error(Told),
    Skipped(String),
}

/// Type, message and text of a failure or an error.
struct Told {
    kind: String,
    message: String,
    text: String,
}

struct Case {
    name: String,
    class: String,
    time: Duration,
    fate: Fate,
}

struct Suite {
    name: String,
    time: Duration,
    timestamp: Option<String>,
    hostname: String,
    properties: Vec<(String, String)>,
    cases: Vec<Case>,
    output: String,
}

fn end(runs: &Runs<'_>) -> String {
    let suites: Vec<_> = runs.all.iter().map(|ran| suite(ran, runs)).collect();
    document("prober run", runs.took, &suites)
}

fn suite(ran: &Ran, runs: &Runs<'_>) -> Suite {
    let (event, sheet) = (&ran.event, runs.sheet);
    let stream = &event.origin.stream;
    let class = format!("{}.{}", stream.scenario, stream.region);
    let timestamp = event.started.map(|at| at.jiff().strftime("%Y-%m-%dT%H:%M:%S").to_string());
    Suite {
        name: ran.name(sheet),
        time: event.outcome.duration,
        timestamp,
        hostname: event.origin.prober.to_string(),
        properties: properties(ran, runs),
        cases: cases(ran, sheet, &class),
        output: show::run_report(event, ran.about(), PLAIN),
    }
}

fn properties(ran: &Ran, runs: &Runs<'_>) -> Vec<(String, String)> {
    let (event, origin) = (&ran.event, &ran.event.origin);
    let mut all = vec![
        ("run", event.slot.id.to_string()),
        ("verdict", event.verdict().as_str().to_owned()),
        ("reason", event.outcome.reason.as_str().to_owned()),
        ("region", origin.stream.region.to_string()),
        ("version", origin.version.to_string()),
        ("owner", origin.owner.to_string()),
        ("service", origin.service.to_string()),
        ("trigger", event.trigger.as_str().to_owned()),
    ];
    if !ran.told.path.is_empty() {
        all.push(("file", format!("{}:{}", runs.sheet.path(&ran.told.path), ran.told.line)));
    }
    if let Some(waited) = runs.waited {
        all.push(("waited_seconds", format!("{:.3}", waited.took.as_secs_f64())));
        all.push(("rounds_before", waited.rounds.to_string()));
    }
    all.retain(|(_, value)| !value.is_empty());
    let own = all.into_iter().map(|(name, value)| (name.to_owned(), value));
    own.chain(origin.labels.iter().map(|(name, value)| (format!("label.{name}"), value.to_string())))
        .collect()
}

/// A case a step, and one for the run if no step tells what became of it.
fn cases(ran: &Ran, sheet: &Sheet, class: &str) -> Vec<Case> {
    let outcome = &ran.event.outcome;
    let standing = ran.standing(sheet);
    let mut cases: Vec<_> = outcome
        .steps
        .iter()
        .map(|step| Case {
            name: step.name.to_string(),
            class: class.to_owned(),
            time: step.duration,
            fate: fate(step, ran, standing),
        })
        .collect();
    let told = outcome.steps.iter().any(|step| step.state == StepState::Failed && !step.teardown);
    if cases.is_empty() || (standing != Standing::Good && !told) {
        let fate = match standing {
            Standing::Good => Fate::Passed,
            Standing::Slow | Standing::SetAside => {
                Fate::Skipped(format!("{}: {}", outcome.reason, ran.why()))
            }
            Standing::Bad => Fate::Failed(run_told(ran)),
            Standing::NotJudged => Fate::Error(run_told(ran)),
        };
        let name = format!("verdict: {}", outcome.reason);
        cases.push(Case { name, class: class.to_owned(), time: Duration::ZERO, fate });
    }
    cases
}

fn fate(step: &StepRecord, ran: &Ran, standing: Standing) -> Fate {
    let note = || step.note.clone().unwrap_or_default();
    match (step.state, standing) {
        (StepState::Passed, _) => Fate::Passed,
        (StepState::Skipped, _) => Fate::Skipped(note()),
        // A teardown decides nothing, and is not hidden either.
        (StepState::Failed, _) if step.teardown => {
            let why = step.failure.as_ref().map_or_else(note, |failure| failure.message.clone());
            Fate::Skipped(format!("failed, without deciding the run: {why}"))
        }
        (StepState::Failed, Standing::Bad) => Fate::Failed(step_told(step, ran)),
        (StepState::Failed, Standing::NotJudged) => Fate::Error(step_told(step, ran)),
        (StepState::Failed, _) => {
            let why = step.failure.as_ref().map_or_else(note, |failure| failure.message.clone());
            Fate::Skipped(format!("failed, without deciding the run: {why}"))
        }
    }
}

fn step_told(step: &StepRecord, ran: &Ran) -> Told {
    let Some(failure) = &step.failure else { return run_told(ran) };
    let mut text = failure.message.clone();
    let broken =
        ran.event.outcome.assertions.iter().filter(|record| !record.pass && record.step == step.name);
    for record in broken {
        write!(text, "\n{}: expected {}, actual {}", record.name, record.expected, record.actual)
            .expect("a String takes every text");
    }
    Told { kind: failure.error_type.to_string(), message: failure.message.clone(), text }
}

fn run_told(ran: &Ran) -> Told {
    let outcome = &ran.event.outcome;
    let kind = outcome.failure.as_ref().map_or(outcome.reason.as_str(), |failure| &failure.error_type);
    Told { kind: kind.to_owned(), message: ran.why().to_owned(), text: ran.why().to_owned() }
}

fn mistakes(of: &Mistakes<'_>) -> String {
    let cases = of.by_file().into_iter().map(|(source, mistakes)| {
        let fate = match mistakes.as_slice() {
            [] => Fate::Passed,
            [first, more @ ..] => {
                let owned: Vec<_> = mistakes.iter().copied().cloned().collect();
                let text = render::human(&owned, of.sources, &Style::PLAIN);
                let and = if more.is_empty() { String::new() } else { format!(" (and {} more)", more.len()) };
                let message = format!("{}: {}{and}", first.code, first.message);
                if mistakes.iter().any(|mistake| of.is_error(mistake)) {
                    Fate::Failed(Told { kind: first.code.to_owned(), message, text })
                } else {
                    Fate::Skipped(message)
                }
            }
        };
        let class = "prober.validate".to_owned();
        Case { name: of.path(&source.path), class, time: Duration::ZERO, fate }
    });
    let suite = Suite {
        name: "prober validate".to_owned(),
        time: Duration::ZERO,
        timestamp: None,
        hostname: String::new(),
        properties: Vec::new(),
        cases: cases.collect(),
        output: String::new(),
    };
    document("prober validate", Duration::ZERO, &[suite])
}

fn document(name: &str, took: Duration, suites: &[Suite]) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let counts = counts(suites.iter().flat_map(|suite| &suite.cases));
    let time = took.as_secs_f64();
    line(
        &mut out,
        &format!(
            "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{time:.3}\">",
            xml(name),
            counts.tests,
            counts.failures,
            counts.errors
        ),
    );
    for suite in suites {
        write_suite(&mut out, suite);
    }
    out + "</testsuites>\n"
}

struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> Counts {
    let mut counts = Counts { tests: 0, failures: 0, errors: 0, skipped: 0 };
    for case in cases {
        counts.tests += 1;
        match case.fate {
            Fate::Passed => {}
            Fate::Failed(_) => counts.failures += 1,
            Fate::Error(_) => counts.errors += 1,
            Fate::Skipped(_) => counts.skipped += 1,
        }
    }
    counts
}

fn write_suite(out: &mut String, suite: &Suite) {
    let Counts { tests, failures, errors, skipped } = counts(suite.cases.iter());
    let mut head = format!(
        "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"",
        xml(&suite.name)
    );
    write!(head, " time=\"{:.3}\"", suite.time.as_secs_f64()).expect("a String takes every text");
    if let Some(timestamp) = &suite.timestamp {
        write!(head, " timestamp=\"{timestamp}\"").expect("a String takes every text");
    }
    if !suite.hostname.is_empty() {
        write!(head, " hostname=\"{}\"", xml(&suite.hostname)).expect("a String takes every text");
    }
    line(out, &format!("{head}>"));
    if !suite.properties.is_empty() {
        line(out, "    <properties>");
        for (name, value) in &suite.properties {
            line(out, &format!("      <property name=\"{}\" value=\"{}\"/>", xml(name), xml(value)));
        }
        line(out, "    </properties>");
    }
    for case in &suite.cases {
        write_case(out, case);
    }
    if !suite.output.is_empty() {
        line(out, &format!("    <system-out>{}</system-out>", xml_lines(&suite.output)));
    }
    line(out, "  </testsuite>");
}

fn write_case(out: &mut String, case: &Case) {
    let head = format!(
        "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\"",
        xml(&case.name),
        xml(&case.class),
        case.time.as_secs_f64()
    );
    let told = |word: &str, told: &Told| {
        format!(
            "{head}>\n      <{word} type=\"{}\" message=\"{}\">{}</{word}>\n    </testcase>",
            xml(&told.kind),
            xml(&told.message),
            xml_lines(&told.text)
        )
    };
    let text = match &case.fate {
        Fate::Passed => format!("{head}/>"),
        Fate::Failed(failure) => told("failure", failure),
        Fate::Error(error) => told("error", error),
        Fate::Skipped(why) => format!("{head}>\n      <skipped message=\"{}\"/>\n    </testcase>", xml(why)),
    };
    line(out, &text);
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes every text");
}
