//! What is promised, judged by a serving prober; stories told to the evaluator; stored events judged again.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::{Project, Serving, alone};

/// A tick, the settling, the prober's own doubts, and a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// A shop in two regions, asked every second; whoever is told is not there.
fn project(server: &Server) -> Project {
    let project = Project::new("");
    project.write(
        "prober.yaml",
        "version: 1\nnetwork: { private: allow }\nregions: { eu: {}, us: {} }\nroutes:\n  oncall: { alertmanager: \
         \"http://127.0.0.1:9\" }\n",
    );
    project.write(
        "scenarios/shop.yaml",
        &format!(
            "name: shop\naim: The shop answers.\nowner: team-shop\nrunbook: https://wiki.example/shop\nevery: 1s\ntimeout: \
             900ms\nslo: {{ name: shop-answers, objective: 99.9% }}\nalerts: {{ page: oncall, ticket: oncall }}\nhttp: {}\n",
            server.url("/")
        ),
    );
    project
}

fn firing(serving: &Serving) -> Vec<Value> {
    serving.api().json("/api/v1/alerts")["alerts"].as_array().unwrap().clone()
}

fn is_outage(alert: &Value) -> bool {
    alert["labels"]["alertname"] == "SLOOutage" && alert["labels"]["severity"] == "page"
}

/// Rows of the outbox about outages: their keys.
fn queued(project: &Project) -> Vec<String> {
    let meta = Connection::open(project.path("prober-data/meta.db")).unwrap();
    let mut select = meta.prepare("SELECT key FROM outbox WHERE key LIKE 'SLOOutage%' ORDER BY id").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn an_outage_is_one_page_over_kills_and_stops() {
    let _turn = alone();
    let server = Server::start();
    server.on("/", Reply::status(503));
    let project = project(&server);
    let serving = project.serve();
    serving.until_ready();
    let outage = wait::some_blocking("an outage", PATIENCE, || firing(&serving).into_iter().find(is_outage));
    assert_eq!(outage["labels"]["slo"], "shop-answers");
    assert_eq!(outage["annotations"]["error_type"], "503");
    assert_eq!(outage["annotations"]["owner"], "team-shop");
    let sum = outage["annotations"]["sum"].as_str().unwrap();
    assert!(sum.contains("2 of 2 regions (eu, us)"), "{sum}");
    wait::until_blocking("the page in the outbox", PATIENCE, || queued(&project).len() == 1);
    // Killed and started again it is the same outage; nobody is told twice.
    serving.kill();
    let serving = project.serve();
    serving.until_ready();
    let again =
        wait::some_blocking("the same outage", PATIENCE, || firing(&serving).into_iter().find(is_outage));
    assert_eq!((&again["startsAt"], &again["episode"]), (&outage["startsAt"], &outage["episode"]));
    // It is over once the target is good again, in order, and once.
    server.on("/", Reply::ok("x"));
    wait::until_blocking("its end", PATIENCE, || !firing(&serving).iter().any(is_outage));
    let (code, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");
    let keys = queued(&project);
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys[0].ends_with("/firing") && keys[1].ends_with("/resolved"), "{keys:?}");
    assert_eq!(keys[0].trim_end_matches("/firing"), keys[1].trim_end_matches("/resolved"));
    assert!(log.contains("SLOOutage is over"), "{log}");
}

#[test]
fn what_is_promised_is_shown_from_the_first_tick() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let project = project(&server);
    let serving = project.serve();
    serving.until_ready();
    let shown = wait::some_blocking("the promise", PATIENCE, || {
        let answer = serving.api().json("/api/v1/slos");
        answer["slos"].as_array().filter(|slos| !slos.is_empty()).map(|slos| slos[0].clone())
    });
    assert_eq!((&shown["name"], &shown["window"]), (&"shop-answers".into(), &"30d".into()));
    let metrics = serving.api().get("/metrics");
    for series in [
        "prober_sli_events_total{slo=\"shop-answers\",service=\"shop\",region=\"eu\"}",
        "prober_sli_bad_events_total{slo=\"shop-answers\",service=\"shop\",region=\"us\"} 0",
        "prober_sli_expected_events_total{slo=\"shop-answers\",service=\"shop\",region=\"us\"}",
        "prober_slo_objective_ratio{slo=\"shop-answers\",service=\"shop\"} 0.999",
        "prober_slo_window_seconds{slo=\"shop-answers\",service=\"shop\"} 2592000",
        "prober_slo_error_budget_remaining_ratio{slo=\"shop-answers\",service=\"shop\"} 1",
        "prober_slo_burn_rate_ratio{slo=\"shop-answers\",window=\"5m\"} 0",
        "prober_maintenance_active{slo=\"shop-answers\"} 0",
    ] {
        assert!(metrics.contains(series), "{series} is not in\n{metrics}");
    }
    let full = serving.api().json("/api/v1/slos/shop-answers");
    assert_eq!(
        (&full["aim"], full["regions"].as_array().map(Vec::len)),
        (&"The shop answers.".into(), Some(2))
    );
    let gate = serving.api().json("/api/v1/slos/shop-answers/gate");
    assert_eq!((&gate["open"], &gate["state"]), (&true.into(), &"open".into()));
    assert_eq!(serving.api().json("/api/v1/alerts")["alerts"], Value::Array(vec![]));
    let missing = serving.api().try_get("/api/v1/slos/nothing/gate").unwrap();
    assert_eq!(missing.status, 404, "{missing:?}");
    let (code, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("page yet"), "{log}");
}

/// A project whose files are enough: nothing of it is run.
fn written() -> Project {
    let server = Server::start();
    let project = project(&server);
    let file = project.path("scenarios/shop.yaml");
    let text = std::fs::read_to_string(&file).unwrap().replace("every: 1s", "every: 1m");
    std::fs::write(file, text).unwrap();
    project
}

#[test]
fn stories_pass_differ_or_are_wrong() {
    let project = written();
    let story = |expect: &str| {
        format!(
            "scenario: shop\nevents:\n  - {{ at: 0m..60m, every: 1m, outcome: good }}\n  - {{ at: 60m..70m, every: 1m, outcome: \
             bad }}\n  - {{ at: 70m..90m, outcome: good }}\nexpect:\n{expect}"
        )
    };
    let expect = "  - { at: 61m, firing: [] }\n  - { at: 62m, firing: [page SLOOutage, page SLOBudgetBurn] }\n  - { at: \
                  72m, firing: [page SLOBudgetBurn, ticket SLOBudgetBurn] }\n";
    project.write("tests/good.alerts.yaml", &story(expect));
    let ran = project.prober(&["alerts", "test", "tests/good.alerts.yaml"]);
    assert_eq!((ran.code, ran.out.starts_with("PASS")), (Some(0), true), "{ran:?}");

    project.write(
        "tests/wrong.alerts.yaml",
        &story("  - { at: 61m, firing: [page] }\n  - { at: 66m, firing: [] }\n"),
    );
    let ran = project.prober(&["alerts", "test", "tests/wrong.alerts.yaml", "tests/good.alerts.yaml"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for part in [
        "FAIL",
        "- expected page",
        "fires    nothing",
        "+ fires    page SLOOutage since",
        "regions",
        "PASS",
        "line 7",
    ] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }

    project.write(
        "tests/slip.alerts.yaml",
        &story("  - { at: 61, firing: [pgae] }\n").replace("outcome: bad", "outcom: bad"),
    );
    let ran = project.prober(&["alerts", "test", "tests/slip.alerts.yaml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    for part in ["did you mean 61s?", "did you mean `page`?", "outcom", "tests/slip.alerts.yaml:4"] {
        assert!(ran.err.contains(part), "{part} is not in\n{}", ran.err);
    }
    project.write("tests/name.alerts.yaml", &story(expect).replace("scenario: shop", "scenario: shp"));
    let ran = project.prober(&["alerts", "test", "tests/name.alerts.yaml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("did you mean `shop`?"), "{ran:?}");
    project.write(
        "tests/region.alerts.yaml",
        &story(expect).replace("outcome: bad", "region: mars, outcome: bad"),
    );
    let ran = project.prober(&["alerts", "test", "tests/region.alerts.yaml"]);
    assert!(ran.code == Some(2) && ran.err.contains("known are eu, us"), "{ran:?}");
    assert_eq!(project.prober(&["alerts", "test", "tests/none.alerts.yaml"]).code, Some(2));
}

/// Three hours of both regions; ten minutes of them are bad in one run of three.
fn events() -> String {
    use std::sync::Arc;

    use model::event::{Origin, SliEvent, Trigger};
    use model::outcome::{Outcome, Reason};
    use model::slot::Stream;
    use model::time::Timestamp;

    let origin = |region: &str| {
        Arc::new(Origin {
            stream: Stream::new("shop", region),
            version: "0123456789ab".into(),
            kind: "http".into(),
            owner: "team-shop".into(),
            service: "shop".into(),
            labels: vec![],
            prober: "p1".into(),
            side_effects: false,
        })
    };
    let origins = [origin("eu"), origin("us")];
    let mut text = Vec::new();
    for minute in 0..180_i64 {
        for origin in &origins {
            let at = Timestamp::from_seconds(1_772_323_200 + minute * 60);
            let bad = (100..130).contains(&minute) && minute % 3 == 0;
            let event = SliEvent {
                origin: Arc::clone(origin),
                slot: origin.stream.slot(at),
                attempt: 0,
                trigger: Trigger::Schedule,
                started: Some(at),
                finished: Some(at.plus(Duration::from_millis(300))),
                recorded: at.plus(Duration::from_millis(300)),
                outcome: Outcome::empty(if bad { Reason::Slow } else { Reason::Ok }),
            };
            event.write_json(&mut text);
            text.push(b'\n');
        }
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn stored_events_are_judged_again() {
    let project = written();
    let text = events();
    project.write("events.ndjson", &text);
    let ran = project.prober(&["replay", "events.ndjson"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in ["shop-answers page SLOBudgetBurn", "burn", "budget left of shop-answers: ", "alerts\n"] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    assert_eq!(project.prober(&["replay", "events.ndjson"]).out, ran.out, "the same events, the same alerts");
    // Half of all runs may be bad: nothing is left of it.
    let ran = project.prober(&["replay", "events.ndjson", "--objective", "50%"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("\n- ") || ran.out.starts_with("- "), "{}", ran.out);
    assert!(ran.out.contains(" vanish, 0 are new"), "{}", ran.out);
    let json = project.prober(&["replay", "events.ndjson", "--objective", "50", "--format", "json"]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert!(
        json["now"].as_array().is_some_and(|list| !list.is_empty())
            && json["changed"] == Value::Array(vec![]),
        "{json}"
    );
    // A writer that was killed leaves half a line; anything else that is no event is said with its line.
    project.write("torn.ndjson", &text[..text.len() - 40]);
    assert_eq!(project.prober(&["replay", "torn.ndjson"]).code, Some(0));
    project.write("wrong.ndjson", &format!("{{}}\n{text}"));
    let ran = project.prober(&["replay", "wrong.ndjson"]);
    assert!(ran.code == Some(2) && ran.err.contains("wrong.ndjson:1"), "{ran:?}");
    for args in [&["--objective", "nothing"][..], &["--window", "1y"], &["--slo", "other"]] {
        let args: Vec<_> = ["replay", "events.ndjson"].iter().chain(args).copied().collect();
        assert_eq!(project.prober(&args).code, Some(2), "{args:?}");
    }
    project.write("empty.ndjson", "\n");
    assert_eq!(project.prober(&["replay", "empty.ndjson"]).code, Some(2));
}
