//! What the fuzz targets do with their bytes, one function a target. A panic is a find.
//!
//! Inputs with several parts have a zero byte between them: project, scenario and template, or scenario and evidence.

use std::borrow::Cow;
use std::time::Duration;

use fleet::batch::{EventBatch, FORMAT, pack};
use fleet::manifest::Manifest;
use fleet::set::ScenarioSet;
use fleet::{Digest, SetVersion};
use model::event::SliEvent;
use model::time::Timestamp;
use probe::{KINDS, Net};
use scenario::assertion::Observed;
use scenario::compile::{Compiled, Options, Sources, compile};
use scenario::fmt::{Refusal, format as formatted};
use scenario::kind::Evidence;
use scenario::render::{self, Style};
use scenario::source::Source;
use scenario::value::{Reading, Selector, Value};
use serde_json::Value as Json;

/// Parses, binds and compiles a project and a scenario, and renders every mistake.
///
/// # Panics
/// On every find.
pub fn scenario(bytes: &[u8]) {
    let Some((project, scenario)) = texts(bytes) else { return };
    let (scenario, template) = scenario.split_once('\0').unwrap_or((scenario, ""));
    let compiled = compiled(project, scenario, template);
    let shown = render::human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
    let clean = |letter: char| letter == '\n' || !letter.is_control();
    assert!(shown.chars().all(clean), "a control character in {shown:?}");
    render::human(&compiled.diagnostics, &compiled.sources, &Style::COLOUR);
    render::json(&compiled.diagnostics, &compiled.sources);
    for diagnostic in &compiled.diagnostics {
        let source = &compiled.sources[diagnostic.span.file as usize];
        assert!(diagnostic.span.end as usize <= source.text.len() + 1, "{diagnostic:?}");
    }
    for plan in &compiled.plans {
        assert!(!plan.steps().is_empty() && plan.timeout() <= plan.interval(), "{plan:?}");
        let _ = (format!("{plan:?}"), plan.targets());
    }
}

/// Formats: the result means the same, has the same comments, and is its own canonical form.
///
/// # Panics
/// On every find.
pub fn format(bytes: &[u8]) {
    let Some((_, text)) = texts(bytes) else { return };
    match formatted(0, text, &KINDS) {
        Ok(once) => {
            let twice = formatted(0, &once, &KINDS);
            assert_eq!(twice.as_ref(), Ok(&once), "formatting is not done after the first time");
            assert_eq!(plans(text), plans(&once), "formatting changes plans");
        }
        Err(Refusal::Mistakes(mistakes)) => assert!(!mistakes.is_empty(), "refused without a reason"),
        // A key longer than YAML allows on one line.
        Err(Refusal::Unsafe) => assert!(text.len() > 1000, "a sound file is not formatted"),
    }
}

/// Looks at any evidence with the assertions and captures of any scenario.
///
/// # Panics
/// On every find.
pub fn judge(bytes: &[u8]) {
    let Some((scenario, evidence)) = texts(bytes) else { return };
    let json = serde_json::from_str(evidence).unwrap_or_else(|_| Json::from(evidence));
    let facts = Facts { text: evidence.to_owned(), json };
    let now = Timestamp::from_millis(1_764_000_000_000);
    let observed = Observed::new(&facts, Duration::from_millis(250), now);
    for plan in compiled("", scenario, "").plans {
        let ineligible = plan.ineligible().iter().flatten();
        let steps = plan.steps().iter().chain(plan.teardown());
        let all = steps.clone().flat_map(|step| {
            let poll = step.poll.iter().flat_map(|poll| poll.until.iter().chain(&poll.stop_if));
            step.expect.iter().chain(&step.warn).chain(poll)
        });
        for assertion in all.chain(plan.good()).chain(ineligible) {
            let checked = assertion.check(&observed);
            assert!(checked.pass || !checked.message.is_empty(), "{assertion:?} {checked:?}");
        }
        for capture in steps.flat_map(|step| &step.captures) {
            let _ = capture.take(&observed);
        }
    }
}

/// Reads an event; what can be read is written and read again without a change.
///
/// # Panics
/// On every find.
pub fn event(bytes: &[u8]) {
    let Ok(event) = serde_json::from_slice::<SliEvent>(bytes) else { return };
    let written = event.to_json();
    let again: SliEvent = serde_json::from_str(&written).expect("an event that was written can be read");
    let rewritten = again.to_json();
    assert_eq!(written, rewritten, "an event changes when it is stored");
}

/// Reads a batch of events as it is, and with a checksum that is right; what can be read is written and read again without
/// a change.
///
/// # Panics
/// On every find.
pub fn batch(bytes: &[u8]) {
    let _ = EventBatch::decode(bytes);
    let Some((_, checked)) = bytes.split_at_checked(9) else { return };
    let mut sealed = b"SLIB".to_vec();
    sealed.push(FORMAT);
    sealed.extend(crc32c::crc32c(checked).to_le_bytes());
    sealed.extend(checked);
    let Ok(batch) = EventBatch::decode(&sealed) else { return };
    let written = pack(&batch.head, &batch.records).expect("a batch that was read can be written");
    let read = written.iter().map(|bytes| EventBatch::decode(bytes).expect("it was just written"));
    let records: Vec<_> = read.flat_map(|batch| batch.records).collect();
    let rewritten = pack(&batch.head, &records).expect("a batch that was read can be written");
    assert_eq!(written, rewritten, "a batch changes when it is sent on");
}

/// Reads bytes as a pack of a scenario set, and as what is in one: nobody signed that, so all of it is read and refused.
///
/// # Panics
/// On every find.
pub fn set(bytes: &[u8]) {
    let manifest = |packs: Vec<Digest>, content, files| Manifest {
        region: "eu".to_owned(),
        version: SetVersion(1),
        published: Timestamp::default(),
        effective: Timestamp::default(),
        author: String::new(),
        restores: None,
        plans: 0,
        files,
        content,
        packs,
        regions: Vec::new(),
    };
    for pack in [bytes.to_vec(), zstd::bulk::compress(bytes, 1).expect("anything can be packed")] {
        let digest = Digest(*blake3::hash(&pack).as_bytes());
        let named = manifest(vec![digest], Digest([0; 32]), 0);
        ScenarioSet::assemble(&named, |_| Some(pack.clone().into())).expect_err("its content is another one");
    }
}

/// The two texts around the first zero byte; the first is empty if there is none.
fn texts(bytes: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(text.split_once('\0').unwrap_or(("", text)))
}

fn compiled(project: &str, scenario: &str, template: &str) -> Compiled<Net> {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources = Sources {
        project: (!project.is_empty()).then(|| source("prober.yaml", project)),
        templates: if template.is_empty() { Vec::new() } else { vec![source("template.yaml", template)] },
        scenarios: vec![source("scenario.yaml", scenario)],
        ..Sources::default()
    };
    let vars = ["shop", "shop_tls", "name_server", "mail", "folder", "shop_password"];
    let vars = vars.map(|name| (name.to_owned(), "https://shop.example:443".to_owned()));
    compile(sources, &KINDS, &Options { vars: vars.into(), prober: "fuzz".to_owned(), ..Options::default() })
}

/// Everything about the plans of a scenario but their places in the file.
fn plans(text: &str) -> Vec<String> {
    let compiled = compiled("", text, "");
    let plan = |plan: &scenario::plan::Plan<Net>| {
        let step = |step: &scenario::plan::StepPlan<Net>| {
            let repeats = (&step.needs, &step.poll, &step.retry, step.timeout);
            format!("{step:?} {repeats:?} {:?} {:?} {:?}", step.expect, step.warn, step.captures)
        };
        let steps: Vec<_> = plan.steps().iter().chain(plan.teardown()).map(step).collect();
        let sli = (plan.good(), plan.ineligible(), plan.continue_on_failure(), plan.secrets_used());
        let rest = (plan.slo(), plan.maintenance(), plan.grace(), plan.retried_is_bad());
        format!("{plan:?} {steps:?} {sli:?} {rest:?}")
    };
    compiled.plans.iter().map(plan).collect()
}

/// Evidence that gives the same text or JSON for every subject.
struct Facts {
    text: String,
    json: Json,
}

impl Evidence for Facts {
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a> {
        match selector {
            Selector::JsonPath(path) => {
                let mut nodes: Vec<_> =
                    path.query(&self.json).all().into_iter().map(Value::of_json).collect();
                match nodes.len() {
                    0 => Reading::Absent,
                    1 => Reading::One(nodes.remove(0)),
                    _ => Reading::Many(nodes),
                }
            }
            Selector::Whole if subject.len().is_multiple_of(2) => Reading::One(Value::of_json(&self.json)),
            Selector::Header(_) => Reading::Many(vec![Value::Text(Cow::Borrowed(&self.text))]),
            _ => Reading::One(Value::Text(Cow::Borrowed(&self.text))),
        }
    }
}
