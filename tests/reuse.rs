//! Templates, matrices, former names and maintenance through the whole program.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::{Project, event, said, text};

const PATIENCE: Duration = Duration::from_mins(3);

const TEMPLATE: &str = "\
template: rest-health
params:
  url: { type: url }
  status: { type: text, default: UP }
body:
  every: 1s
  timeout: 900ms
  http: ${params.url}
  expect: { status: 200, json: { $.status: \"${params.status}\" } }
";

/// A project of one template, and a server with a good and a bad service.
fn services() -> (Server, Project) {
    let server = Server::start();
    server.on("/cart/health", Reply::json(r#"{ "status": "UP" }"#));
    server.on("/search/health", Reply::json(r#"{ "status": "DOWN" }"#));
    let project = Project::new("include: [templates/*.yaml]\n");
    project.write("templates/rest-health.yaml", TEMPLATE);
    (server, project)
}

fn matrix(server: &Server, name: &str) -> String {
    format!(
        "name: {name}\naim: \"${{matrix.service}} is up.\"\nuse: rest-health\nmatrix: {{ service: [cart, search], tier: [1] }}\nwith: {{ url: \"{}/${{matrix.service}}/health\" }}\n",
        server.url("")
    )
}

fn names(events: &[Value]) -> Vec<&str> {
    let mut names: Vec<_> = events.iter().map(|event| text(event, "prober.scenario.name")).collect();
    names.sort_unstable();
    names
}

#[test]
fn instances_are_scenarios_of_their_own() {
    let (server, project) = services();
    project.write("scenarios/services.yaml", &matrix(&server, "service-health"));
    project.scenario("other", &format!("http: {}", server.url("/cart/health")));
    let cart = "service-health[service=cart,tier=1]";
    let search = "service-health[service=search,tier=1]";
    let run = |args: &[&str]| {
        let ran = project.prober(&[&["run", "--format", "json"], args].concat());
        let events: Vec<Value> =
            serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        (events, ran.code)
    };
    let (all, code) = run(&["service-health"]);
    assert_eq!((names(&all), code), (vec![cart, search], Some(1)));
    assert_eq!(
        (said(event(&all, cart)), said(event(&all, search))),
        ("good ok".into(), "bad failed assert.json".into())
    );
    assert_eq!(event(&all, cart)["labels.service"], "cart");
    assert_eq!(
        (text(event(&all, cart), "service.name"), &event(&all, cart)["labels.tier"]),
        ("cart", &"1".into())
    );
    let (one, code) = run(&[cart]);
    assert_eq!((names(&one), code), (vec![cart], Some(0)));
    let (labelled, _) = run(&["--label", "service=search"]);
    assert_eq!(names(&labelled), [search]);
    let unknown = project.prober(&["run", "service-helth"]);
    assert!(unknown.code == Some(2) && unknown.err.contains("did you mean `service-health`"), "{unknown:?}");
    let list = project.prober(&["list", "--format", "json"]);
    let rows: Vec<Value> =
        serde_json::from_str(&list.out).unwrap_or_else(|error| panic!("{error}: {list:?}"));
    let listed: Vec<_> = rows.iter().map(|row| text(row, "name")).collect();
    assert_eq!(listed, ["other", cart, search]);
    let typo = project.prober(&["validate", "--var", "shpo=x"]);
    assert!(typo.code == Some(2) && typo.err.contains("no file uses `vars.shpo`"), "{typo:?}");
}

#[test]
fn every_variable_says_where_it_comes_from() {
    let (server, project) = services();
    project.write(
        "prober.yaml",
        "version: 1\nscenarios: [scenarios/*.yaml]\ninclude: [templates/*.yaml]\nvars: { shop: http://a.example }\nregions:\n  eu: { vars: { shop: http://eu.example } }\nsecrets: { token: { env: TOKEN } }\n",
    );
    project.write("scenarios/services.yaml", &matrix(&server, "service-health"));
    let ran = project.prober(&[
        "explain",
        "vars",
        "service-health[service=search,tier=1]",
        "--var",
        "shop=http://p.example",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for line in [
        "service-health[service=search,tier=1] in eu",
        "hides",
        "params.status",
        "templates/rest-health.yaml:4",
        "scenarios/services.yaml:5",
        "matrix.service",
        "env TOKEN",
        "prober.yaml:7",
    ] {
        assert!(ran.out.contains(line), "{line} in {}", ran.out);
    }
    let shop: Vec<_> = ran.out.lines().skip_while(|line| !line.contains("vars.shop")).take(3).collect();
    assert!(shop[0].contains("http://p.example") && shop[0].contains("--var"), "{shop:?}");
    assert!(shop[1].contains("http://eu.example") && shop[1].contains("prober.yaml:6"), "{shop:?}");
    assert!(shop[2].contains("http://a.example") && shop[2].contains("prober.yaml:4"), "{shop:?}");
    let all = project.prober(&["explain", "vars", "service-health"]);
    assert!(all.err.contains("1 more instances"), "{all:?}");
    assert_eq!(project.prober(&["explain", "vars", "nothing"]).code, Some(2));
}

#[test]
fn a_history_goes_on_under_a_new_name_and_stays_when_its_file_goes() {
    let (server, project) = services();
    project.write("scenarios/services.yaml", &matrix(&server, "old-health"));
    project.scenario("leaves", &format!("every: 1s\nhttp: {}", server.url("/cart/health")));
    let serving = project.serve();
    let api = serving.api();
    let (old, new) = ("old-health[service=cart,tier=1]", "service-health[service=cart,tier=1]");
    api.until_events("scenario=old-health", 4);
    api.until_events("scenario=leaves", 1);
    // The file is renamed, the template is changed with it, and another file goes.
    let renamed = matrix(&server, "service-health") + "was: old-health\n";
    project.write("scenarios/services.yaml", &renamed);
    project.write("templates/rest-health.yaml", &TEMPLATE.replace("every: 1s", "every: 2s"));
    project.remove("scenarios/leaves.yaml");
    let before = api.json("/api/v1/reload-state")["at"].clone();
    serving.signal(Signal::HUP);
    let state = wait::some_blocking("the reload", PATIENCE, || {
        let state = api.json("/api/v1/reload-state");
        (state["at"] != before).then_some(state)
    });
    assert_eq!(state["state"], "loaded", "{state:#}");
    let both = wait::some_blocking("events under both names", PATIENCE, || {
        let events = api.events("scenario=service-health%5Bservice%3Dcart%2Ctier%3D1%5D");
        let has = |name: &str| events.iter().any(|event| event["prober.scenario.name"] == name);
        (has(old) && has(new)).then_some(events)
    });
    assert!(both.iter().all(|event| event["labels.service"] == "cart"), "of this instance alone");
    let cards = api.json("/api/v1/scenarios?scenario=service-health");
    let card = cards["scenarios"].as_array().unwrap().iter().find(|card| card["name"] == new).unwrap();
    assert_eq!(
        (&card["was"][0], &card["cadence"]),
        (&old.into(), &"every 2s".into()),
        "the template was read again"
    );
    // The old address leads to the new page; what has gone is archived and not erased.
    let page = api.get("/scenarios/old-health%5Bservice%3Dcart%2Ctier%3D1%5D");
    assert!(page.contains("service-health[service=cart,tier=1]") && !page.contains("Archived"), "{page}");
    let page = api.get("/scenarios/leaves");
    assert!(page.contains("Archived") && page.contains("/runs/"), "{page}");
    let explained = project.prober(&["explain", new]);
    assert_eq!(explained.code, Some(0), "{explained:?}");
    let listed = project.prober(&["events", &format!("scenario={new}"), "-n", "500"]);
    assert!(listed.out.contains(old), "{listed:?}");
    serving.stop();
}

#[test]
fn slots_inside_a_maintenance_are_marked_and_leave_the_account() {
    let (server, project) = services();
    let body = |effect: &str| {
        format!(
            "every: 1s\ntimeout: 900ms\nhttp: {}\nmaintenance:\n  - {{ name: the move, cron: \"* * * * *\", duration: 1m, effect: {effect} }}",
            server.url("/nothing")
        )
    };
    for effect in ["ineligible", "pause", "mute"] {
        project.scenario(effect, &body(effect));
    }
    let validated = project.prober(&["validate"]);
    assert!(validated.err.contains("W355") && validated.code == Some(0), "{validated:?}");
    let serving = project.serve();
    let api = serving.api();
    let last = |scenario: &str| {
        api.until_events(&format!("scenario={scenario}"), 2);
        api.events(&format!("scenario={scenario}")).remove(0)
    };
    let runs = last("ineligible");
    assert_eq!(
        (said(&runs), text(&runs, "prober.maintenance.id")),
        ("ineligible maintenance 404".into(), "the move")
    );
    assert!(!text(&runs, "prober.run.started").is_empty(), "it ran all the same");
    let rests = last("pause");
    assert_eq!((said(&rests), text(&rests, "prober.run.started")), ("ineligible paused".into(), ""));
    let quiet = last("mute");
    assert_eq!((said(&quiet), text(&quiet, "prober.maintenance.id")), ("bad failed 404".into(), "the move"));
    // The account closes half a minute behind now, for the runs that are held.
    let account = wait::some_blocking("planned slots in the account", PATIENCE, || {
        let account = api.json("/api/v1/account?since=1m");
        let count = |name: &str, field: &str| {
            let streams = account["streams"].as_array()?;
            streams.iter().find(|one| one["scenario"] == name)?[field].as_u64()
        };
        let is_counted = count("ineligible", "planned")? > 0
            && count("pause", "planned")? > 0
            && count("mute", "bad")? > 0;
        is_counted.then_some(account)
    });
    let streams = account["streams"].as_array().unwrap();
    let quiet = streams.iter().find(|one| one["scenario"] == "mute").unwrap();
    assert_eq!((&quiet["planned"], quiet["bad"].as_u64() > Some(0)), (&0.into(), true), "{quiet:#}");
    serving.stop();
}

#[test]
fn an_envelope_runs_and_a_broken_template_keeps_the_old_plans() {
    let (server, project) = services();
    project.write(
        "scenarios/wrapped.yaml",
        &format!(
            "apiVersion: prober.io/v1\nkind: Scenario\nmetadata: {{ name: wrapped, labels: {{ tier: \"1\" }} }}\nspec:\n  aim: It works.\n  use: rest-health\n  with: {{ url: \"{}\" }}\n",
            server.url("/cart/health")
        ),
    );
    let (events, ran) = project.run();
    assert_eq!((said(event(&events, "wrapped")), ran.code), ("good ok".into(), Some(0)), "{ran:?}");
    project.write("templates/rest-health.yaml", &TEMPLATE.replace("expect:", "expct:"));
    let ran = project.prober(&["validate"]);
    let (at, used) = ("templates/rest-health.yaml:9:3", "scenarios/wrapped.yaml:6:8");
    assert!(ran.code == Some(2) && ran.err.contains(at) && ran.err.contains(used), "{ran:?}");
}
