//! Whole scenarios, from their file to the outcome, against real servers.

use std::sync::Arc;
use std::time::Duration;

use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass, Mark, Outcome, Reason};
use model::probe::{BoxFuture, Probe as _, RunContext};
use model::slot::Stream;
use model::step::{Part, StepState};
use model::time::{Clock as _, SystemClock};
use scenario::compile::{Options, Sources, compile};
use scenario::kind::{Action, Kind, Nothing, StepContext, StepOutcome};
use scenario::plan::Plan;
use scenario::source::Source;
use scenario::template::Secrets;
use testkit::http::{Reply, Server};

use super::Scenario;
use crate::KINDS;
use crate::net::shared::{Net, NetConfig, Shared};

mod advances;
mod fake;
mod families;
mod null;
mod policy;
mod poll;
mod retry;
mod sources;
mod teardown;

const PROJECT: &str = "version: 1\nnetwork: { private: allow }\nsecrets: { password: { env: PASSWORD }, gone: { env: GONE } }\n";

fn plan(yaml: &str, vars: &[(&str, String)], kinds: &'static [Kind<Net>]) -> Arc<Plan<Net>> {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let sources = Sources {
        project: Some(source("prober.yaml", PROJECT)),
        scenarios: vec![source("scenarios/a.yaml", yaml)],
        ..Sources::default()
    };
    let options = Options {
        vars: vars.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        prober: "p1".into(),
        ..Options::default()
    };
    let mut compiled = compile(sources, kinds, &options);
    assert!(!compiled.has_errors(), "{:#?}", compiled.diagnostics);
    Arc::new(compiled.plans.remove(0))
}

/// Runs a scenario once; `shop` is the server that `${vars.shop}` names.
async fn run(server: &Server, yaml: &str) -> Outcome {
    run_plan(plan(yaml, &[("shop", server.url(""))], &KINDS)).await
}

async fn run_plan(plan: Arc<Plan<Net>>) -> Outcome {
    let mut secrets = Secrets::default();
    secrets.set("password", "s3cr3t-pass");
    let scenario = Scenario::new(plan, Arc::new(Shared::new(NetConfig::default())), Arc::new(secrets));
    let context = context(scenario.plan());
    scenario.run(&context).await
}

/// A run of the plan that begins now, on a clock that may be paused.
fn context(plan: &Plan<Net>) -> RunContext {
    let (started, began) = (SystemClock.now(), super::now());
    let slot = Stream::new("a", "local").slot(started);
    RunContext::new(slot, started, (began, began + plan.timeout()))
}

fn failure(outcome: &Outcome) -> (Reason, &str, &str, &str) {
    let failure = outcome.failure.as_ref();
    (
        outcome.reason,
        failure.map_or("", |failure| failure.class.as_str()),
        failure.map_or("", |failure| &failure.error_type),
        failure.map_or("", |failure| &failure.step),
    )
}

#[tokio::test]
async fn four_lines_are_enough() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let outcome = run(&server, "name: home\naim: Up.\nevery: 1m\nhttp: ${vars.shop}/\n").await;
    assert_eq!((outcome.reason, &outcome.failure), (Reason::Ok, &None));
    assert_eq!(outcome.main, Some(0));
    let step = &outcome.steps[0];
    assert_eq!((&*step.name, &*step.kind, step.state), ("http", "http", StepState::Passed));
    assert_eq!(outcome.assertions.len(), 1);
    let assertion = &outcome.assertions[0];
    assert_eq!((&*assertion.name, assertion.part, assertion.pass), ("status", Part::Expect, true));
    assert_eq!((&*assertion.expected, &*assertion.actual), ("2xx", "200"));
    assert!(step.hops[0].duration() <= step.duration && step.duration <= outcome.duration);
}

#[tokio::test]
async fn what_broke_is_classified() {
    let server = Server::start();
    server.on("/500", Reply::status(500));
    server.on(
        "/json",
        Reply::json(r#"{"status":"DOWN","at":"2020-01-01T00:00:00Z","later":"2199-01-01T00:00:00Z"}"#),
    );
    server.on("/text", Reply::ok("plain").header("x-kind", "text"));
    server.on("/late", Reply::ok("plain").after(Duration::from_millis(50)));
    for (step, expected) in [
        ("http: ${vars.shop}/500", (Reason::Failed, "protocol", "500")),
        ("http: ${vars.shop}/500\nexpect: { status: 200 }", (Reason::Failed, "incorrect", "assert.status")),
        ("http: ${vars.shop}/500\nexpect: { status: 5xx }", (Reason::Ok, "", "")),
        (
            "http: ${vars.shop}/json\nexpect: { json: { $.status: UP } }",
            (Reason::Failed, "incorrect", "assert.json"),
        ),
        (
            "http: ${vars.shop}/json\nexpect: { json: { $.at: { newer_than: 24h } } }",
            (Reason::Stale, "stale", "stale"),
        ),
        (
            "http: ${vars.shop}/json\nexpect: { json: { $.later: { newer_than: 24h } } }",
            (Reason::FutureDated, "stale", "future_dated"),
        ),
        (
            "http: ${vars.shop}/text\nexpect: { json: { $.a: 1 } }",
            (Reason::Failed, "incorrect", "assert.json"),
        ),
        (
            "http: ${vars.shop}/text\nexpect: { body: { contains: fancy } }",
            (Reason::Failed, "incorrect", "assert.body"),
        ),
        (
            "http: ${vars.shop}/text\nexpect: { headers: { X-Kind: image } }",
            (Reason::Failed, "incorrect", "assert.header"),
        ),
        ("http: ${vars.shop}/late\nsli: { good: { latency: { lt: 10ms } } }", (Reason::Slow, "slow", "slow")),
        ("http: ${vars.shop}/text\nsli: { good: { latency: { lt: 1m } } }", (Reason::Ok, "", "")),
        (
            "http: ${vars.shop}/500\nsli: { ineligible: [{ status: 500 }] }",
            (Reason::Declared, "protocol", "500"),
        ),
        (
            "http: ${vars.shop}/500\nsli: { ineligible: [{ status: 503 }] }",
            (Reason::Failed, "protocol", "500"),
        ),
        ("http: ${secrets.gone}", (Reason::ConfigFault, "local", "local.secret")),
        (
            "http: { url: \"https://127.0.0.1/\", ca: /nowhere.pem }",
            (Reason::ConfigFault, "local", "local.config"),
        ),
    ] {
        let outcome = run(&server, &format!("name: a\naim: Up.\nevery: 1m\n{step}\n")).await;
        let (reason, class, error_type, _) = failure(&outcome);
        let message = outcome.failure.as_ref().map(|failure| &failure.message);
        assert_eq!((reason, class, error_type), expected, "{step}: {message:?}");
    }
}

#[tokio::test]
async fn freshness_keeps_the_age_and_warnings_their_mark() {
    let server = Server::start();
    let hour_ago = SystemClock.now().minus(Duration::from_hours(1));
    server.on("/", Reply::json(&format!(r#"{{"at":"{hour_ago}"}}"#)));
    let outcome = run(
        &server,
        "name: a\naim: Fresh.\nevery: 1m\nhttp: ${vars.shop}/\nexpect: { json: { $.at: { newer_than: 24h } } }\nwarn: { json: { $.at: { newer_than: 10m } } }\n",
    )
    .await;
    assert_eq!(outcome.reason, Reason::Ok);
    assert_eq!(outcome.marks, [Mark::Warned]);
    let age = outcome.freshness_age.unwrap();
    assert!((3600.0..3700.0).contains(&age), "{age}");
}

const FLOW: &str = "
name: checkout
aim: Orders work.
every: 5m
steps:
  - name: login
    http:
      method: POST
      url: ${vars.shop}/login
      json: { user: probe, password: \"${secrets.password}\" }
    capture:
      token: { json: $.token, secret: true }
  - name: order
    http:
      url: ${vars.shop}/orders
      headers: { Authorization: \"Bearer ${token}\" }
    capture:
      id: { json: $.id }
  - name: look
    http: ${vars.shop}/orders/${id}
";

#[tokio::test]
async fn a_flow_captures_and_hides_what_is_secret() {
    let server = Server::start();
    server.on("/login", Reply::json(r#"{"token":"tok-abcdef","note":"s3cr3t-pass"}"#));
    server.on_request("/orders", |seen| {
        assert_eq!(seen.header("authorization"), Some("Bearer tok-abcdef"));
        Reply::json(r#"{"id":"o-17"}"#)
    });
    server.on("/orders/o-17", Reply::status(404).body("tok-abcdef is gone"));
    let outcome = run(&server, FLOW).await;
    assert_eq!(failure(&outcome), (Reason::Failed, "protocol", "404", "look"));
    assert_eq!(outcome.main, Some(2));
    assert_eq!(&server.seen()[0].body[..], br#"{"user":"probe","password":"s3cr3t-pass"}"#);
    assert_eq!(server.connections(), 1);
    assert_eq!(outcome.steps[0].captures, [("token".to_owned(), "•••(token)".to_owned())]);
    assert_eq!(outcome.steps[1].captures, [("id".to_owned(), "o-17".to_owned())]);
    let shown = format!("{outcome:?}");
    assert!(!shown.contains("tok-abcdef") && !shown.contains("s3cr3t-pass"), "{shown}");
}

#[tokio::test]
async fn a_failure_stops_the_flow_or_skips_what_depends_on_it() {
    let server = Server::start();
    server.on("/login", Reply::json(r#"{"token":"tok-abcdef"}"#));
    server.on("/orders", Reply::status(503));
    let stopped = run(&server, FLOW).await;
    assert_eq!(failure(&stopped), (Reason::Failed, "protocol", "503", "order"));
    let skipped = &stopped.steps[2];
    assert_eq!((skipped.state, skipped.note.as_deref()), (StepState::Skipped, Some("order failed")));

    let independent = "  - name: home\n    http: ${vars.shop}/login\n";
    let outcome = run(&server, &format!("{}{independent}on_failure: continue\n", FLOW.trim_start())).await;
    assert_eq!(failure(&outcome), (Reason::Failed, "protocol", "503", "order"));
    let states: Vec<_> = outcome.steps.iter().map(|step| (step.state, step.note.as_deref())).collect();
    let because = Some("id was not captured (order failed)");
    let expected = [
        (StepState::Passed, None),
        (StepState::Failed, None),
        (StepState::Skipped, because),
        (StepState::Passed, None),
    ];
    assert_eq!(states, expected);
}

#[tokio::test]
async fn a_scenario_and_a_step_end_by_their_timeouts() {
    let server = Server::start();
    server.on("/slow", Reply::ok("late").after(Duration::from_mins(1)));
    for timeouts in [
        "timeout: 300ms\nsteps:\n  - http: ${vars.shop}/slow\n",
        "steps:\n  - timeout: 300ms\n    http: ${vars.shop}/slow\n",
    ] {
        let outcome = run(&server, &format!("name: a\naim: Up.\nevery: 1m\n{timeouts}")).await;
        assert_eq!(failure(&outcome), (Reason::Failed, "timeout", "timeout", "http"));
        assert_eq!(outcome.failure.unwrap().message, "still waiting for the answer after 300ms");
        assert!(outcome.duration < Duration::from_millis(400), "{:?}", outcome.duration);
    }
}

#[tokio::test]
async fn words_that_look_like_numbers_are_words() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    for choice in ["ip: 4", "ip: \"4\"", "http_version: 2", "http_version: 1.1", "http_version: \"1.1\""] {
        let yaml = format!("name: a\naim: Up.\nevery: 1m\nhttp: {{ url: \"${{vars.shop}}/\", {choice} }}\n");
        assert_eq!(run(&server, &yaml).await.reason, Reason::Ok, "{choice}");
    }
}

/// An action that fails as this machine does when it runs out of file descriptors.
#[derive(Debug)]
struct OutOfFiles;

impl Action<Net> for OutOfFiles {
    fn target(&self) -> String {
        "nothing".to_owned()
    }

    fn run<'a>(&'a self, _: &'a mut Net, _: &'a StepContext<'a>) -> BoxFuture<'a, StepOutcome> {
        let error = std::io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
        let failure = crate::net::fault::of_connect(&error, "127.0.0.1:80".parse().unwrap());
        Box::pin(async move {
            StepOutcome {
                hops: Vec::new(),
                attributes: Attributes::new(),
                failure: Some(failure),
                evidence: Box::new(Nothing),
            }
        })
    }
}

static FAULTY: [Kind<Net>; 1] = [Kind {
    name: "faulty",
    summary: "Fails on this machine.",
    keys: &[],
    short: Some(|_| Vec::new()),
    subjects: &[],
    implied: &[],
    classify: |_, _, _| None,
    compile: |_, _| Some(Box::new(OutOfFiles)),
}];

#[tokio::test]
async fn an_error_of_this_machine_is_never_the_targets() {
    let outcome = run_plan(plan("name: a\naim: Up.\nevery: 1m\nfaulty: x\n", &[], &FAULTY)).await;
    assert_eq!(failure(&outcome), (Reason::ProberFault, "local", "local.fd", "faulty"));
    assert!(!outcome.verdict().is_eligible());
    let expected = Failure::new(FailureClass::Local, "local.fd", String::new()).class;
    assert_eq!(outcome.failure.unwrap().class, expected);
}
