//! Right files in, plans out.

use std::time::Duration;

use model::slot::Cadence;

use crate::compile::{Compiled, Options, Sources, compile};
use crate::plan::Plan;
use crate::project::SecretSource;
use crate::template::{Captured, Captures, RunFacts, Scope, Secrets};
use crate::testing::{KINDS, Net, compiled, rendered, source};

const PROJECT: &str = "\
version: 1
scenarios: [\"scenarios/**/*.yaml\"]
defaults: { timeout: 8s, owner: platform-sre, labels: { team: web } }
vars: { path: /health, limit: 300ms }
regions:
  eu:
    vars: { shop: https://eu.shop.example }
    secrets: { probe_password: { file: probe_eu } }
  us:
    vars: { shop: https://us.shop.example, path: /healthz }
    secrets: { probe_password: { env: PROBE_PASSWORD_US } }
secrets:
  dsn: { env: DSN }
store: { max_bytes: 1GiB, keep: 30d }
serve: { listen: \"127.0.0.1:9899\" }
exporters: [ndjson: { dir: events }]
";

const HOME: &str = "\
name: shop-home
aim: Anyone can open the shop's front page.
every: 1m
http: ${vars.shop}${vars.path}
";

const CHECKOUT: &str = "\
name: checkout
title: Customer can place an order
owner: team-checkout
runbook: https://wiki.example/runbooks/checkout
labels: { tier: \"1\", service: orders }
cron: \"*/30  6-20 * * MON-FRI\"
timezone: Europe/Berlin
timeout: 45s
regions: [us]
on_failure: continue
steps:
  - name: login
    timeout: 5s
    http:
      method: POST
      url: ${vars.shop}/login
      json: { user: probe, password: \"${secrets.probe_password}\", run: \"${run.id}\" }
    expect: { status: 200 }
    capture:
      token: { json: $.access_token, secret: true }
  - name: order
    http:
      url: ${vars.shop}/orders
      headers: { Authorization: \"Bearer ${token}\" }
    expect: { status: [200, 201], json: { $.status: { in: [pending, confirmed] } } }
    warn: { latency: { lt: \"${vars.limit}\" } }
sli:
  good: { latency: { lt: 30s } }
  ineligible:
    - status: 503
      headers: { X-Maintenance: { exists: true } }
";

fn sound(project: &str, scenarios: &[&str]) -> Compiled<Net> {
    assert_eq!(rendered(project, scenarios), "");
    compiled(project, scenarios)
}

fn plan<'c>(compiled: &'c Compiled<Net>, stream: &str) -> &'c Plan<Net> {
    let found = compiled.plans.iter().find(|plan| plan.stream().to_string() == stream);
    found.unwrap_or_else(|| panic!("there is a plan {stream}"))
}

#[test]
fn four_lines_are_enough() {
    let compiled = sound("", &["name: home\nevery: 1m\nhttp: HEAD https://shop.example/\n"]);
    let plan = plan(&compiled, "home/local");
    assert_eq!(plan.targets(), ["GET https://shop.example/"]);
    assert_eq!(plan.cadence(), &Cadence::Every { interval_ms: 60_000 });
    assert_eq!(plan.timeout(), Duration::from_secs(10));
    assert_eq!(&*plan.origin().kind, "http");
    assert_eq!(&*plan.origin().service, "home");
    let [expect] = &*plan.steps()[0].expect else { panic!("one implied assertion") };
    assert!(expect.is_implied() && expect.subject() == "status" && expect.expected() == "2xx");
    assert!(format!("{:?}", plan.steps()[0].action).contains("Choice(\"HEAD\")"));
}

#[test]
fn a_region_has_its_own_variables_and_secrets() {
    let compiled = sound(PROJECT, &[HOME, CHECKOUT]);
    assert_eq!(compiled.plans.len(), 3);
    assert_eq!(plan(&compiled, "shop-home/eu").targets(), ["GET https://eu.shop.example/health"]);
    assert_eq!(plan(&compiled, "shop-home/us").targets(), ["GET https://us.shop.example/healthz"]);
    let project = &compiled.project;
    assert_eq!(project.secret_source("eu", "probe_password"), Some(&SecretSource::File("probe_eu".into())));
    assert_eq!(project.secret_source("us", "dsn"), Some(&SecretSource::Env("DSN".into())));
    assert_eq!(project.secret_source("us", "nothing"), None);
    assert_eq!(project.scenarios[0].value, "scenarios/**/*.yaml");
    assert_eq!(project.exporters[0].name.value, "ndjson");
    assert_eq!(
        (project.store.bytes_max, project.store.keep),
        (Some(1 << 30), Some(Duration::from_hours(720)))
    );
}

#[test]
fn a_flow_knows_everything_it_needs() {
    let compiled = sound(PROJECT, &[HOME, CHECKOUT]);
    let plan = plan(&compiled, "checkout/us");
    let origin = plan.origin();
    assert_eq!((&*origin.kind, &*origin.owner, &*origin.service), ("flow", "team-checkout", "orders"));
    let labels: Vec<_> = origin.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["tier=1", "service=orders", "team=web"]);
    let cron = Cadence::Cron { expression: "*/30 6-20 * * MON-FRI".into(), timezone: "Europe/Berlin".into() };
    assert_eq!(plan.cadence(), &cron);
    assert_eq!((plan.interval(), plan.timeout()), (Duration::from_mins(30), Duration::from_secs(45)));
    assert!(plan.continue_on_failure());
    assert_eq!(plan.secrets_used().iter().map(|name| &**name).collect::<Vec<_>>(), ["probe_password"]);
    assert_eq!((plan.about().path.as_ref(), plan.about().line), ("scenarios/1.yaml", 1));
    let [login, order] = plan.steps() else { panic!("two steps") };
    assert_eq!((&*login.name, login.timeout, login.expect.len()), ("login", Some(Duration::from_secs(5)), 1));
    assert!(!login.expect[0].is_implied(), "the author said something about the status");
    assert!(login.captures[0].is_secret());
    let names: Vec<_> = order.expect.iter().map(|assertion| assertion.name().to_string()).collect();
    assert_eq!(names, ["status", "json $.status"]);
    assert_eq!(order.warn[0].expected(), "< 300ms");
    assert_eq!(plan.good()[0].expected(), "< 30s");
    assert_eq!(plan.ineligible()[0].len(), 2);
}

#[test]
fn only_the_wanted_regions_get_plans() {
    let sources = Sources {
        project: Some(source("prober.yaml", PROJECT)),
        scenarios: vec![source("a.yaml", HOME)],
        ..Sources::default()
    };
    let options = Options {
        vars: vec![("shop".into(), "https://preview.example".into())],
        regions: Some(vec!["us".into()]),
        ..Options::default()
    };
    let compiled = compile(sources, KINDS, &options);
    assert_eq!(compiled.plans.len(), 1);
    assert_eq!(
        compiled.plans[0].targets(),
        ["GET https://preview.example/healthz"],
        "--var is stronger than a region"
    );
}

#[test]
fn a_file_with_an_error_has_no_plan_and_the_others_have() {
    let compiled = compiled(PROJECT, &["name: broken\nevery: 1m\nhttp: ${vars.nothing}\n", HOME]);
    assert!(compiled.has_errors());
    assert_eq!(compiled.plans.len(), 2);
    assert!(compiled.plans.iter().all(|plan| &*plan.stream().scenario == "shop-home"));
}

fn version(project: &str, scenario: &str) -> String {
    let compiled = compiled(project, &[scenario]);
    compiled.plans[0].origin().version.to_string()
}

#[test]
fn the_version_follows_what_a_run_does() {
    let base = version(PROJECT, HOME);
    assert_eq!(base.len(), 12);
    assert!(base.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let same = [HOME.replace("every: 1m", "\"every\":    1m # often"), format!("# a comment\n{HOME}")];
    for text in &same {
        assert_eq!(version(PROJECT, text), base, "{text}");
    }
    let reordered = "http: ${vars.shop}${vars.path}\nevery: 1m\naim: Anyone can open the shop's front page.\nname: shop-home\n";
    assert_eq!(version(PROJECT, reordered), base, "the order of keys does not matter");
    assert_ne!(version(PROJECT, &HOME.replace("1m", "2m")), base);
    assert_ne!(version(&PROJECT.replace("/health,", "/ready,"), HOME), base, "a variable it uses");
    assert_eq!(
        version(&PROJECT.replace("limit: 300ms", "limit: 500ms"), HOME),
        base,
        "a variable it does not use"
    );
    assert_ne!(version(&PROJECT.replace("timeout: 8s", "timeout: 9s"), HOME), base, "a default it uses");
    assert_eq!(version(&PROJECT.replace("env: DSN", "env: OTHER"), HOME), base, "secrets count by name only");
}

#[test]
fn values_keep_their_type_and_holes_are_filled_in_the_run() {
    let project = "version: 1\nvars: { n: 3, flag: true, text: \"3\" }\nsecrets: { s: { env: S } }\n";
    let scenario = "\
name: a
every: 1m
steps:
  - name: one
    http: https://x.example
    capture: { id: { json: $.id } }
  - name: two
    http:
      url: https://x.example/${id | urlencode}/$${plain}
      redirects: ${vars.n}
      json: { n: \"${vars.n}\", flag: \"${vars.flag}\", text: \"${vars.text}\", both: \"n=${vars.n}\", id: \"${id}\", list: [1, \"${secrets.s | base64}\"] }
";
    let compiled = sound(project, &[scenario]);
    let plan = plan(&compiled, "a/local");
    let shown = format!("{:?}", plan.steps()[1].action);
    for part in
        ["Int(3)", "\"n\", Constant(Number(3))", "Constant(Bool(true))", "Constant(String(\"3\"))", "n=3"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!(plan.targets()[1], "GET https://x.example/${id}/${plain}");
    let mut captures = Captures::default();
    captures.set("id".into(), Captured { value: "a/b ü_1.0-~".into(), secret: false });
    let run = RunFacts {
        id: model::slot::SlotId::from_bytes([0; 16]),
        started_at: model::time::Timestamp::from_seconds(0),
        attempt: 0,
        scenario: "a".into(),
    };
    let scope = Scope { run: &run, captures: &captures, secrets: &Secrets::default() };
    // What the kind was given renders in the run.
    let url = crate::template::Template::new([
        crate::template::Part::Text("https://x.example/".into()),
        crate::template::Part::Hole(
            crate::template::Hole::Capture("id".into()),
            vec![crate::template::Filter::UrlEncode],
        ),
    ]);
    // RFC 3986, section 2.3: what is unreserved is left as it is; some servers and signatures tell the two apart.
    assert_eq!(url.render(&scope).unwrap(), "https://x.example/a%2Fb%20%C3%BC_1.0-~");
}

#[test]
fn aliases_and_quotes_and_core_schema() {
    let scenario = "\
name: \"404\"
owner: NO
every: &often 1m   # prober: allow W340 because one alias stands for both
timeout: *often
labels: { a: 1, b: off, c: '~' }
http: { url: https://x.example, json: { a: NO, b: 0x1F, c: 1e3, d: ~, e: 10, f: '1', g: .5, h: 1.5.5, i: +7 } }
";
    let compiled = sound("", &[scenario]);
    let plan = plan(&compiled, "404/local");
    assert_eq!((&*plan.origin().owner, plan.timeout()), ("NO", Duration::from_mins(1)));
    let shown = format!("{:?}", plan.steps()[0].action).replace('\\', "");
    for part in [
        r#""a": String("NO")"#,
        r#""b": Number(31)"#,
        r#""c": Number(1000.0)"#,
        r#""d": Null"#,
        r#""e": Number(10)"#,
        r#""f": String("1")"#,
        r#""g": Number(0.5)"#,
        r#""h": String("1.5.5")"#,
        r#""i": Number(7)"#,
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn regions_share_what_is_the_same() {
    let compiled = sound(PROJECT, &[HOME]);
    let [eu, us] = compiled.plans.as_slice() else { panic!("two plans") };
    assert!(std::sync::Arc::ptr_eq(eu.about(), us.about()));
    assert!(std::sync::Arc::ptr_eq(eu.steps()[0].expect[0].name(), us.steps()[0].expect[0].name()));
}
