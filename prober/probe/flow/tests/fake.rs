//! A kind without a network, for tests that own the time: what each run shows is written in the file.

use std::sync::atomic::{AtomicUsize, Ordering};

use model::step::{Hop, Phase, PhaseSpan};
use scenario::kind::{Evidence, Nothing, Shape, Subject};
use scenario::value::{Reading, Selector, SubjectType, Value};

use super::*;

/// `fake: pending pending confirmed`: one word a run, the last one for ever after.
///
/// `refused`, `reset` and `local` fail; `hangs` goes on until its deadline; `count` is the number of the run;
/// `500` is an answer that nobody asked for; any other word is what is observed. A first word `once` says
/// that doing it twice is not the same. Each run takes 10 ms.
#[derive(Debug)]
struct Script {
    words: Vec<String>,
    repeatable: bool,
    next: AtomicUsize,
}

struct Saw(String);

impl Evidence for Saw {
    fn read<'a>(&'a self, _: &str, _: &Selector) -> Reading<'a> {
        match self.0.parse() {
            Ok(number) => Reading::One(Value::Int(number)),
            Err(_) => Reading::One(Value::Text(self.0.as_str().into())),
        }
    }
}

impl Action<Net> for Script {
    fn target(&self) -> String {
        self.words.join(" ")
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn run<'a>(&'a self, _: &'a mut Net, context: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        Box::pin(async move {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let word = self.words.get(number).or(self.words.last()).unwrap().as_str();
            tokio::time::sleep(Duration::from_millis(10)).await;
            let failure = match word {
                "refused" => Some((FailureClass::Connect, "connect.refused")),
                "reset" => Some((FailureClass::Connect, "connect.reset")),
                "local" => Some((FailureClass::Local, "local.fd")),
                "hangs" => {
                    tokio::time::sleep_until(context.deadline.into()).await;
                    Some((FailureClass::Timeout, "timeout"))
                }
                _ => None,
            };
            let sent = Phase::Send;
            let phase = if word == "refused" { Phase::Connect } else { sent };
            let span = PhaseSpan { phase, start: Duration::ZERO, duration: Duration::from_millis(10) };
            let seen = if word == "count" { number.to_string() } else { word.to_owned() };
            // What has failed has shown nothing, as of every kind.
            let evidence: Box<dyn Evidence> =
                if failure.is_some() { Box::new(Nothing) } else { Box::new(Saw(seen)) };
            StepOutcome {
                hops: vec![Hop {
                    label: format!("run {number}").into(),
                    phases: vec![span],
                    status: failure.is_none().then(|| "200".into()),
                    ..Hop::default()
                }],
                attributes: Attributes::new(),
                failure: failure
                    .map(|(class, error_type)| Failure::new(class, error_type, format!("it {word}"))),
                evidence,
            }
        })
    }
}

pub(super) static KINDS: [Kind<Net>; 1] = [Kind {
    name: "fake",
    summary: "Does what it is told.",
    keys: &[scenario::fields::Key {
        name: "script",
        value: scenario::fields::KeyType::Text,
        need: scenario::fields::Need::Required,
        doc: "Words.",
        example: "up",
    }],
    short: Some(|text| vec![("script", 0..text.len())]),
    subjects: &[Subject::new("state", Shape::One(SubjectType::Any), "What was seen.", "up")],
    implied: &[],
    classify: |_, actual, _| (actual == "500").then(|| (FailureClass::Protocol, "500".into())),
    compile: |mut fields, _| {
        let script = fields.text("script")?.value;
        let mut words: Vec<_> = script.split(' ').map(str::to_owned).collect();
        let repeatable = words[0] != "once";
        if !repeatable {
            words.remove(0);
        }
        Some(Box::new(Script { words, repeatable, next: AtomicUsize::new(0) }))
    },
}];

/// A scenario of fake steps, with its head before and its steps after.
pub(super) fn fake(yaml: &str) -> Arc<Plan<Net>> {
    plan(&format!("name: a\naim: Up.\nevery: 10m\n{yaml}"), &[], &KINDS)
}

/// Runs it once.
pub(super) async fn run_fake(yaml: &str) -> Outcome {
    run_plan(fake(yaml)).await
}

/// The failure's message; empty if there is none.
pub(super) fn message(outcome: &Outcome) -> &str {
    outcome.failure.as_ref().map_or("", |failure| &failure.message)
}
