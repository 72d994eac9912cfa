//! Polls, retries, teardowns and values that are followed from run to run: mistakes, and what is made of them.

use std::fmt::Write as _;
use std::time::Duration;

use model::outcome::FailureClass;

use crate::testing::{compiled, rendered};

const PROJECT: &str = "version: 1\n";

/// A title and the steps of a scenario that is wrong; the head has four lines.
const CASES: &[(&str, &str)] = &[
    ("a poll without until", "  - http: https://x.example\n    poll: { every: 1s }\n"),
    ("a poll that is no map", "  - http: https://x.example\n    poll: 30s\n"),
    (
        "words under poll",
        "  - http: https://x.example\n    poll: { interval: 1s, expect: {}, untl: {}, until: { status: 200 } }\n",
    ),
    (
        "a poll that outlives its run",
        "  - http: https://x.example\n    poll: { timeout: 60s, until: { status: 200 } }\n",
    ),
    (
        "polls that are too close, too far or without unit",
        "  - name: a\n    http: https://x.example\n    poll: { every: 10ms, until: { status: 200 } }\n  - name: b\n    http: https://x.example\n    poll: { every: 20s, until: { status: 200 } }\n  - name: c\n    http: https://x.example\n    poll: { every: 1, timeout: 5, until: { status: 200 } }\n",
    ),
    (
        "what is looked at in a poll",
        "  - http: https://x.example\n    poll: { until: { statuss: 200, json: { $.a: { advances: { within: 1h } } } }, stop_if: { body: {} } }\n",
    ),
    (
        "poll and retry",
        "  - http: https://x.example\n    poll: { until: { status: 200 } }\n    retry: { attempts: 2 }\n",
    ),
    (
        "words under retry",
        "  - http: https://x.example\n    retry: { times: 3, delay: 1s, timeout: 1s, attempts: 9, on: [connect, sometimes] }\n",
    ),
    ("a retry that is a number", "  - http: https://x.example\n    retry: 3\n"),
    (
        "needs",
        "  - name: a\n    http: https://x.example\n    needs: [id]\n    capture: { id: { json: $.id } }\n  - name: b\n    http: https://x.example\n    needs: [idd]\n  - name: c\n    http: https://x.example\n    needs: [id, vars.x]\n  - name: d\n    http: https://x.example\n    need: id\n",
    ),
    (
        "names over steps and teardown",
        "  - name: a\n    http: https://x.example\nteardown:\n  - name: a\n    http: https://x.example\n    timeout: 20s\n",
    ),
    ("a teardown that is no list", "  - http: https://x.example\nteardown: { http: https://x.example }\n"),
    ("grace without teardown", "  - http: https://x.example\ngrace: 5s\n"),
    (
        "too much grace",
        "  - http: https://x.example\ngrace: 10m\nteardown:\n  - name: b\n    http: https://x.example\n",
    ),
    (
        "a teardown used too early",
        "  - name: a\n    http: https://x.example/${id}\nteardown:\n  - name: b\n    http: https://x.example\n    capture: { id: { json: $.id } }\n",
    ),
    (
        "advances",
        "  - name: a\n    http: https://x.example\n    expect:\n      status: { advances: { within: 1h } }\n      json:\n        $.a: { advances: 1h }\n        $.b: { advances: { in: 1h } }\n        $.c: { not: { advances: { within: 1h } } }\n        $.d: { all: { advances: { within: 1h } } }\n        $.e: { advances: { within: 60 } }\n",
    ),
    (
        "tolerance",
        "  - http: https://x.example\n    expect: { json: { $.a: { future_tolerance: 5m }, $.b: { newer_than: 1h, future_tolerance: 5 }, $.c: { older_than: 1h, future_tolerance: 5m } } }\n",
    ),
    (
        "agree",
        "  - ping: { address: x.example }\n    expect: { agree: [lost, last] }\n  - name: b\n    ping: { address: x.example }\n    expect: { agree: {} }\n    capture: { x: { agree: lost } }\n",
    ),
    ("strictness", "  - http: https://x.example\n    retry: {}\nsli: { retried: sometimes }\n"),
];

fn file(rest: &str) -> String {
    format!("name: a\nevery: 1m\ntimeout: 15s\nsteps:\n{rest}")
}

#[test]
fn mistakes_in_what_is_repeated() {
    let mut out = String::new();
    for (title, rest) in CASES {
        let shown = rendered(PROJECT, &[&file(rest)]);
        assert!(!shown.is_empty(), "{title} is found wrong");
        writeln!(out, "## {title}\n\n{shown}").unwrap();
    }
    insta::assert_snapshot!("repeats", out);
}

#[test]
fn defaults_are_what_the_tables_say() {
    let text = file(
        "  - name: a\n    http: https://x.example\n    retry: {}\n  - name: b\n    http: https://x.example\n    retry: { attempts: 3, on: dns }\n  - name: c\n    http: https://x.example\n    poll: { until: { json: { $.a: 1 } } }\nteardown:\n  - name: d\n    http: https://x.example\n",
    );
    assert_eq!(rendered(PROJECT, &[&text]), "");
    let compiled = compiled(PROJECT, &[&text]);
    let plan = &compiled.plans[0];
    let [a, b, c] = plan.steps() else { panic!("three steps") };
    let retry = a.retry.as_ref().unwrap();
    assert_eq!((retry.attempts, retry.backoff), (2, Duration::from_millis(500)));
    assert_eq!(*retry.on, [FailureClass::Connect, FailureClass::Timeout]);
    // Half of the run's time for each of two attempts; what fails at once needs no share.
    assert_eq!((a.timeout, b.timeout), (Some(Duration::from_millis(7_500)), None));
    let poll = c.poll.as_ref().unwrap();
    assert_eq!((poll.every, poll.timeout), (Duration::from_secs(1), Duration::from_secs(15)));
    assert_eq!((poll.until.len(), poll.stop_if.len()), (1, 0));
    assert_eq!((plan.teardown().len(), plan.grace()), (1, Duration::from_secs(15)));
    assert_eq!(&*plan.origin().kind, "flow");
    assert!(!plan.retried_is_bad());
}

#[test]
fn what_must_happen_once_is_neither_tried_again_nor_polled() {
    let post = "  - http: { method: POST, url: https://x.example, json: { note: \"${run.id}\" } }\n";
    let shown = |effects: &str, rest: &str| rendered(PROJECT, &[&format!("{effects}{}", file(rest))]);
    let once = "side_effects: true\n";
    assert_eq!(shown(once, post), "");
    for sound in ["    retry: { on: [dns, connect, tls] }\n", "    retry: { attempts: 1 }\n"] {
        assert_eq!(shown(once, &format!("{post}{sound}")), "", "{sound}");
    }
    // What only reads may be asked again.
    assert_eq!(shown(once, "  - http: https://x.example\n    retry: {}\n"), "");
    let shown = shown("side_effects: maybe\n", post);
    assert!(shown.contains("E103"), "{shown}");
    let plans =
        compiled(PROJECT, &[&format!("{once}{}", file(post)), &file(post).replace("name: a", "name: b")])
            .plans;
    assert_eq!(plans.iter().map(crate::plan::Plan::side_effects).collect::<Vec<_>>(), [true, false]);
    assert_ne!(plans[0].origin().version, plans[1].origin().version);
}

#[test]
fn a_plan_without_teardown_has_no_grace() {
    let compiled = compiled(PROJECT, &["name: a\nevery: 1m\nhttp: https://x.example\n"]);
    assert_eq!(compiled.plans[0].grace(), Duration::ZERO);
}

#[test]
fn what_decides_a_run_is_in_its_version() {
    let version = |rest: &str| {
        let compiled = compiled(PROJECT, &[&file(rest)]);
        compiled.plans[0].origin().version.clone()
    };
    let plain = "  - http: https://x.example\n";
    let retried = "  - http: https://x.example\n    retry: {}\n";
    assert_ne!(version(plain), version(retried));
}
