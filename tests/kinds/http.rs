//! `http` against nginx: both versions, both schemes, redirects, errors.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Flaw, Pki};
use testkit::servers::Nginx;
use testkit::wait;

use super::{assert_tiled, assertion, hops, phases};
use crate::support::{Project, Serving, assert_said, event, said};

/// Runs all scenarios below against one nginx.
fn run(scenarios: &[(&str, &str)]) -> (Vec<Value>, Nginx) {
    let pki = Pki::new();
    let nginx = Nginx::start(&pki.identity(&["127.0.0.1", "shop.test"], Flaw::None));
    let vars = format!(
        "vars: {{ http: \"http://{}\", https: \"https://{}\", root: \"{}\" }}\n",
        nginx.http(),
        nginx.https(),
        pki.root_file().display()
    );
    let scenarios: Vec<_> = scenarios.iter().map(|(name, body)| (*name, (*body).to_owned())).collect();
    let (events, _) = Project::with(&vars, &scenarios).run();
    (events, nginx)
}

#[test]
fn nginx_over_every_version_and_scheme() {
    let tls = |version: &str| {
        format!("http: {{ url: \"${{vars.https}}/\", ca: \"${{vars.root}}\", http_version: {version} }}")
    };
    let (events, nginx) = run(&[
        (
            "plain",
            "http: ${vars.http}/\nexpect: { status: 200, body: { contains: A page by nginx }, http_version: \"1.1\" }",
        ),
        ("one", &tls("\"1.1\"")),
        ("two", &tls("\"2\"")),
        ("auto", &tls("auto")),
        ("head", "http: HEAD ${vars.http}/"),
    ]);
    let check = |name: &str, version: &str, wanted: &str| {
        let event = event(&events, name);
        assert_eq!(said(event), "good ok", "{event:#}");
        assert_eq!(event["network.protocol.version"], version, "{name}");
        assert_eq!(event["http.response.status_code"], 200);
        assert_eq!(hops(event, 0).len(), 1, "{event:#}");
        assert_eq!(phases(&hops(event, 0)[0]), wanted, "{name}");
        assert_tiled(event);
        // Measured, not made up: every phase that took place is above zero.
        let all = ["connect", "tls", "send", "wait", "receive"];
        for phase in all.iter().filter(|phase| wanted.contains(**phase)) {
            assert!(event[format!("prober.timing.{phase}")].as_f64().unwrap() > 0.0, "{phase}: {event:#}");
        }
    };
    check("plain", "1.1", "connect send wait receive");
    check("one", "1.1", "connect tls send wait receive");
    check("two", "2", "connect tls send wait receive");
    check("auto", "2", "connect tls send wait receive");
    assert_eq!(said(event(&events, "head")), "good ok");
    let two = event(&events, "two");
    // Which version is nginx's choice: older ones speak 1.2 by default.
    assert!(["1.2", "1.3"].contains(&two["tls.protocol.version"].as_str().unwrap()), "{two:#}");
    assert_eq!(two["network.peer.address"], "127.0.0.1");
    assert_eq!(two["server.port"], nginx.https().port());
    assert!(two["tls.server.not_after"].is_string(), "{two:#}");
    assert_eq!(two["tls.server.hash.sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn statuses_redirects_and_bodies() {
    let (events, _nginx) = run(&[
        ("down", "http: ${vars.http}/status/503"),
        ("wanted", "http: ${vars.http}/status/503\nexpect: { status: 503 }"),
        ("gone", "http: ${vars.http}/nothing-here\nexpect: { status: [200, 204] }"),
        ("moved", "http: ${vars.http}/old\nexpect: { status: 200, redirects: 1, url: { ends_with: / } }"),
        (
            "stay",
            "http: { url: \"${vars.http}/old\", follow: 0 }\nexpect: { status: 301, headers: { Location: { exists: true } } }",
        ),
        ("json", "http: ${vars.http}/hello.json\nexpect: { json: { $.status: DOWN } }"),
        ("warned", "http: ${vars.http}/hello.json\nwarn: { json: { $.status: DOWN } }"),
        ("slow", "http: ${vars.http}/\nsli: { good: { latency: { lt: 1ms } } }\nexpect: { status: 404 }"),
        ("declared", "http: ${vars.http}/status/503\nsli: { ineligible: [{ status: 503 }] }"),
    ]);
    let check = |name: &str, wanted: &str| assert_said(&events, name, wanted);
    check("down", "bad failed 503");
    assert_eq!(event(&events, "down")["prober.failure.class"], "protocol");
    check("wanted", "good ok");
    check("gone", "bad failed assert.status");
    assert_eq!(event(&events, "gone")["prober.failure.class"], "incorrect");
    check("moved", "good ok");
    check("stay", "good ok");
    check("json", "bad failed assert.json");
    assert_eq!(assertion(event(&events, "json"), "json $.status"), "\"DOWN\"|\"UP\"|false");
    check("warned", "good ok");
    assert!(
        event(&events, "warned")["prober.marks"].to_string().contains("warn"),
        "{:#}",
        event(&events, "warned")
    );
    // Failed comes before slow, and declared before failed.
    check("slow", "bad failed assert.status");
    assert_eq!(event(&events, "declared")["prober.verdict"], "ineligible");
    assert_eq!(event(&events, "declared")["prober.verdict.reason"], "declared");
    let moved = event(&events, "moved");
    let statuses: Vec<_> = hops(moved, 0).iter().map(|hop| hop["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["301", "200"]);
    assert_tiled(moved);
}

#[test]
fn exit_codes_say_what_is_bad() {
    let pki = Pki::new();
    let nginx = Nginx::start(&pki.identity(&["127.0.0.1"], Flaw::None));
    let check = |args: &[&str], body: &str, code: i32| {
        let body =
            body.replace("HOSTS", &nginx.https().to_string()).replace("HOST", &nginx.http().to_string());
        let project = Project::with("", &[("one", body)]);
        let ran = project.prober(&[&["run"], args].concat());
        assert_eq!(ran.code, Some(code), "{args:?} {ran:?}");
    };
    let slow = "http: http://HOST/\nsli: { good: { size: { lt: 1 } } }";
    let declared = "http: http://HOST/status/503\nsli: { ineligible: [{ status: 503 }] }";
    check(&[], "http: http://HOST/", 0);
    check(&[], "http: http://HOST/\nwarn: { status: 404 }", 0);
    check(&[], declared, 0);
    check(&[], slow, 0);
    check(&["--fail-on", "slow"], slow, 1);
    check(&[], "http: http://HOST/status/503", 1);
    check(&[], "https: http://HOST/", 2);
    check(&["--region", "nowhere"], "http: http://HOST/", 3);
    // What the prober itself lacks is no failure of the target.
    check(&[], "http: { url: https://HOSTS/, ca: missing.pem }", 4);
    check(&[], "tls: { address: \"HOSTS\", ca: missing.pem }", 4);
}

#[test]
fn a_signal_ends_a_run_with_130() {
    let target = Hostile::start(Fault::HalfOpen);
    let project = Project::with("", &[("one", format!("timeout: 20s\nhttp: http://{}/", target.addr()))]);
    for signal in [Signal::INT, Signal::TERM] {
        let before = target.connections();
        let mut run = Serving::start(project.dir(), &["run"], &[]);
        wait::until_blocking("the run", Duration::from_mins(2), || target.connections() > before);
        run.signal(signal);
        assert_eq!(run.end().code(), Some(130), "{}", run.err());
    }
}

#[test]
fn schemas_are_read_with_the_scenarios() {
    let schema =
        r#"{ "type": "object", "required": ["status"], "properties": { "status": { "const": "UP" } } }"#;
    let project = |path: &str, text: &str| {
        let body = format!("http: ${{vars.http}}/hello.json\nexpect: {{ json_schema: {path} }}");
        let project = Project::with("vars: { http: \"http://127.0.0.1:1\" }\n", &[("shape", body)]);
        project.write("schemas/health.json", text);
        project
    };
    let pki = Pki::new();
    let nginx = Nginx::start(&pki.identity(&["127.0.0.1"], Flaw::None));
    let at = format!("http=http://{}", nginx.http());
    let run = |project: &Project| project.prober(&["run", "--var", &at]);
    assert_eq!(run(&project("schemas/health.json", schema)).code, Some(0));
    let down = run(&project("schemas/health.json", &schema.replace("UP", "DOWN")));
    assert_eq!(down.code, Some(1), "{down:?}");
    assert!(down.out.contains("json_schema schemas/health.json is broken at /status: "), "{down:?}");
    // Another schema is another version of the scenario, though its own text is the same.
    let version = |schema: &str| {
        let ran = project("schemas/health.json", schema).prober(&["run", "--format", "json", "--var", &at]);
        let events: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
        event(&events, "shape")["prober.scenario.version"].clone()
    };
    assert_eq!(version(schema), version(&format!(" {schema}")), "how it is written decides nothing");
    assert_ne!(version(schema), version(&schema.replace("UP", "DOWN")));
    // From wherever it is read, and before anything runs.
    for (path, text, said) in [
        ("schemas/nothing.json", schema, "the file `schemas/nothing.json` cannot be used: No such file"),
        ("schemas", schema, "the file `schemas` cannot be used: it is no file"),
        ("schemas/health.json", "{ \"type\": }", "it is not JSON: expected value at line 1 column 11"),
        (
            "schemas/health.json",
            r#"{ "properties": { "a": { "minLenght": 1 } } }"#,
            "schemas/health.json at /properties/a/minLenght: `minLenght` is not a word of JSON Schema",
        ),
        (
            "schemas/health.json",
            r#"{ "$ref": "http://127.0.0.1:1/other.json" }"#,
            "schemas/health.json: this is not a JSON Schema",
        ),
    ] {
        let project = project(path, text);
        let outside = tempfile::tempdir().unwrap();
        let place = project.dir().to_str().unwrap().to_owned();
        let ran = project.prober_in(outside.path(), &["-C", &place, "validate"]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("error[E314]") && ran.err.contains(said), "{said}\n{}", ran.err);
        assert!(ran.err.contains("scenarios/shape.yaml:5:"), "{}", ran.err);
    }
}
