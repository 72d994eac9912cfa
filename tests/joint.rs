//! An objective over several scenarios through the whole program: chosen by labels, judged, told, and over kills and
//! stops not told again; with a `good` of its own, and with runs that do not count.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::{Project, Serving, alone};

/// A tick, the settling, the prober's own doubts, a delivery, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Two scenarios of one journey and one of none, in two regions, asked every second.
fn project(shop: &Server, hooks: &Server, good: &str) -> Project {
    let project = Project::new("");
    project.write(
        "prober.yaml",
        &format!(
            "version: 1\nnetwork: {{ private: allow }}\nregions: {{ eu: {{ critical: true }}, us: {{}} }}\nroutes:\n  oncall: {{ webhook: \
             \"{}\" }}\n",
            hooks.url("/hook")
        ),
    );
    for (name, journey) in [("home", "buy"), ("cart", "buy"), ("blog", "read")] {
        let url = shop.url(&format!("/{name}"));
        project.write(
            &format!("scenarios/{name}.yaml"),
            &format!("name: {name}\naim: It answers.\nevery: 1s\ntimeout: 900ms\nlabels: {{ journey: {journey} }}\nhttp: {url}\n"),
        );
    }
    project.write(
        "scenarios/buy.yaml",
        &format!(
            "slo: buy\naim: Anyone can buy tea.\nowner: team-shop\nrunbook: https://wiki.example/buy\nlabels: {{ journey: buy }}\n\
             objective: 99.9%\nwindow: 1h\n{good}alerts: {{ page: oncall }}\n"
        ),
    );
    project
}

fn all(shop: &Server, reply: &Reply) {
    for path in ["/home", "/cart", "/blog"] {
        shop.on(path, reply.clone());
    }
}

/// What the receiver was told of the outage of `buy`: `firing` or `resolved`, in order.
fn told(hooks: &Server) -> Vec<String> {
    let outage = |seen: &testkit::http::Seen| {
        let body: Value = serde_json::from_slice(&seen.body).ok()?;
        let labels = &body["data"]["labels"];
        let is_it = labels["alertname"] == "SLOOutage" && labels["slo"] == "buy";
        is_it.then(|| body["type"].as_str().unwrap_or_default().replace("slo.alert.", ""))
    };
    hooks.seen().iter().filter_map(outage).collect()
}

fn buy(serving: &Serving) -> Option<Value> {
    let answer = serving.api().try_get("/api/v1/slos/buy").filter(|answer| answer.status == 200)?;
    serde_json::from_str(&answer.body).ok()
}

fn outage(serving: &Serving) -> Option<Value> {
    let firing = buy(serving)?["firing"].as_array()?.clone();
    firing.into_iter().find(|alert| alert["labels"]["alertname"] == "SLOOutage")
}

fn shown(project: &Project) -> Value {
    let ran = project.prober(&["slo", "buy", "--format", "json"]);
    let mut slos: Vec<Value> =
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    slos.remove(0)
}

fn is_judged_as_a_whole(serving: &Serving) {
    // What is counted is the journey, in each region.
    // Of 14400 runs in an hour 14 may be bad.
    let full = wait::some_blocking("a budget that is used up", PATIENCE, || {
        buy(serving).filter(|slo| slo["budget"]["gate"] == "frozen")
    });
    assert!(full["budget"]["bad"].as_u64() > Some(14), "{full}");
    assert_eq!(full["post_mortems"].as_array().map(Vec::is_empty), Some(false), "{full}");
    let metrics = serving.api().get("/metrics");
    for series in [
        "prober_slo_budget_policy_state{slo=\"buy\",service=\"buy\",state=\"frozen\"} 1",
        "prober_slo_budget_policy_state{slo=\"buy\",service=\"buy\",state=\"open\"} 0",
        "prober_slo_post_mortems{slo=\"buy\",service=\"buy\"} ",
        "prober_sli_good_events_total{slo=\"buy\",service=\"buy\",region=\"eu\"} 0",
    ] {
        assert!(metrics.contains(series), "{series} is not in\n{metrics}");
    }
    let gate = serving.api().try_get("/api/v1/slos/buy/gate").unwrap();
    assert_eq!(gate.status, 409, "{gate:?}");
    let answer: Value = serde_json::from_str(&gate.body).unwrap();
    assert!(answer["post_mortems"].is_array() && answer["says"].is_string(), "{answer}");
}

#[test]
fn an_outage_of_a_journey_is_told_once_over_stops_and_kills() {
    let _turn = alone();
    let (shop, hooks) = (Server::start(), Server::start());
    hooks.on("/hook", Reply::status(204));
    all(&shop, &Reply::status(503));
    let project = project(&shop, &hooks, "");
    let serving = project.serve();
    serving.until_ready();
    let first = wait::some_blocking("the outage", PATIENCE, || outage(&serving));
    wait::until_blocking("the page", PATIENCE, || told(&hooks) == ["firing"]);
    // Stopped in order and started again, killed and started again: the same outage, and nobody is told twice.
    let (code, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");
    let serving = project.serve();
    serving.until_ready();
    let again = wait::some_blocking("the same outage", PATIENCE, || outage(&serving));
    assert_eq!((&again["startsAt"], &again["episode"]), (&first["startsAt"], &first["episode"]));
    serving.kill();
    let serving = project.serve();
    serving.until_ready();
    let again = wait::some_blocking("the same outage", PATIENCE, || outage(&serving));
    assert_eq!(again["episode"], first["episode"]);
    is_judged_as_a_whole(&serving);
    // It is over once, and everybody who was told is told so.
    all(&shop, &Reply::ok("x"));
    wait::until_blocking("its end", PATIENCE, || told(&hooks) == ["firing", "resolved"]);
    let outbox = serving.api().json("/api/v1/outbox?all=true&route=oncall");
    let route = &outbox["routes"][0];
    assert!(route["route"] == "oncall" && route["accepted"].as_u64() >= Some(2), "{outbox}");
    let states: Vec<_> =
        outbox["changes"].as_array().unwrap().iter().map(|row| row["state"].clone()).collect();
    assert!(states.contains(&"accepted".into()), "{outbox}");
    let refused = serving.api().try_get("/api/v1/outbox?rout=oncall").unwrap();
    assert!(refused.status == 400 && refused.body.contains("did you mean `route`?"), "{refused:?}");
    let (code, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(told(&hooks), ["firing", "resolved"]);
    let ran = project.prober(&["alerts", "outbox", "--all"]);
    assert!(
        ran.code == Some(0) && ran.out.contains("oncall: nothing waits") && ran.out.contains("taken"),
        "{ran:?}"
    );
    assert_eq!(project.prober(&["alerts", "outbox", "--strict"]).code, Some(0));
    let report = project.prober(&["report", "weekly"]).out;
    for part in
        ["## The last 13 weeks", "## Adjustments", "## Alerts that did not get through", "| Post-mortems |"]
    {
        assert!(report.contains(part), "{part} is not in\n{report}");
    }
    // The evaluator's own state and all events judged again say the same.
    let by_state = shown(&project)["standing"].clone();
    let meta = Connection::open(project.path("prober-data/meta.db")).unwrap();
    assert!(
        meta.query_row("SELECT count(*) FROM folded_pieces", [], |row| row.get::<_, i64>(0)).unwrap() > 0
    );
    meta.execute_batch("DELETE FROM folded; DELETE FROM folded_pieces;").unwrap();
    let by_events = shown(&project)["standing"].clone();
    for field in ["good", "bad", "attained"] {
        assert_eq!(by_state[field], by_events[field], "{field}: {by_state} {by_events}");
    }
}

#[test]
fn what_nobody_took_is_shown_with_why_and_for_how_long() {
    let _turn = alone();
    let (shop, hooks) = (Server::start(), Server::start());
    hooks.on("/hook", Reply::status(503).body("the pager is down"));
    all(&shop, &Reply::status(503));
    let project = project(&shop, &hooks, "");
    let ran = project.prober(&["alerts", "outbox"]);
    assert!(ran.code == Some(0) && ran.err.contains("the outbox is empty"), "{ran:?}");
    let serving = project.serve();
    serving.until_ready();
    let waits = || {
        let outbox = serving.api().json("/api/v1/outbox");
        let changes = outbox["changes"].as_array().cloned().unwrap_or_default();
        changes.into_iter().find(|change| change["attempts"].as_u64() > Some(0))
    };
    let change = wait::some_blocking("a try in vain", PATIENCE, waits);
    assert!(change["error"].as_str().unwrap().contains("503"), "{change}");
    let ran = project.prober(&["alerts", "list", "--route", "oncall"]);
    for part in ["oncall: ", "the oldest for", "waits", "PAGE: buy"] {
        assert!(ran.out.contains(part) || ran.out.contains("1 waits for"), "{part} is not in\n{}", ran.out);
    }
    let json: Value =
        serde_json::from_str(&project.prober(&["alerts", "outbox", "--format", "json"]).out).unwrap();
    assert!(json["routes"][0]["waiting"].as_u64() > Some(0), "{json}");
    drop(serving.stop());
    let report = project.prober(&["report", "weekly"]).out;
    assert!(report.contains("503") && report.contains("oncall"), "{report}");
}

#[test]
fn an_objective_with_a_good_of_its_own_judges_what_its_scenarios_find_good() {
    let (shop, hooks) = (Server::start(), Server::start());
    hooks.on("/hook", Reply::status(204));
    all(&shop, &Reply::ok("x"));
    shop.on("/cart", Reply::ok("x").after(Duration::from_millis(300)));
    let project = project(&shop, &hooks, "good: { latency: { lt: 150ms } }\n");
    let serving = project.serve();
    serving.until_ready();
    let standing = wait::some_blocking("slow runs", PATIENCE, || {
        buy(&serving).filter(|slo| slo["budget"]["bad"].as_u64() >= Some(4))
    });
    assert_eq!(standing["good"], "latency < 150ms");
    assert!(standing["budget"]["good"].as_u64() > Some(0), "the other scenario is fast: {standing}");
    let bad = |slo: &str| {
        let series = format!("prober_sli_bad_events_total{{slo=\"{slo}\",");
        let metrics = serving.api().get("/metrics");
        let lines = metrics.lines().filter(|line| line.starts_with(&series));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    wait::until_blocking("its own counts", PATIENCE, || bad("buy") >= 4.0);
    assert!(serving.api().events("scenario=cart&verdict=good").len() >= 4, "the scenario finds them good");
    let (code, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");
    let text = project.prober(&["slo", "buy"]).out;
    for part in
        ["latency < 150ms; a run that failed is bad anyway", "an outage of eu alone is a page", "bad runs"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let rules = project.prober(&["slo", "export", "prometheus", "buy"]);
    assert!(rules.code == Some(0) && rules.out.contains("region=~"), "{rules:?}");
}

#[test]
fn runs_that_do_not_count_are_a_step_and_stay_in_the_events() {
    let (shop, hooks) = (Server::start(), Server::start());
    hooks.on("/hook", Reply::status(204));
    all(&shop, &Reply::status(503));
    let project = project(&shop, &hooks, "");
    let serving = project.serve();
    serving.until_ready();
    let events = |query: &str| serving.api().events(query).len();
    wait::until_blocking("bad runs", PATIENCE, || events("scenario=cart&region=eu&verdict=bad") >= 5);
    drop(serving.stop());
    let before = shown(&project)["standing"].clone();
    let bad = |standing: &Value| standing["bad"].as_u64().unwrap();
    assert!(bad(&before) >= 10, "{before}");

    let adjust = |args: &[&str]| {
        let always = ["slo", "adjust", "buy", "--author", "team-shop", "--reason", "the \"load\" test: ours"];
        project.prober(&[&always[..], args].concat())
    };
    let ran = adjust(&["--from", "2026-01-01T00:00:00Z", "--to", "2025-01-01T00:00:00Z"]);
    assert!(ran.code == Some(2) && ran.err.contains("ends before it begins"), "{ran:?}");
    let ran = adjust(&["--from", "2026-01-01T00:00:00Z", "--to", "tomorrow"]);
    assert!(ran.code == Some(2) && ran.err.contains("is not a time"), "{ran:?}");
    let now = model::time::Clock::now(&model::time::SystemClock);
    let from = now.minus(Duration::from_hours(1)).to_string();
    // Its end is the last whole second, so that nothing of it is still to come.
    let to = model::time::Timestamp::from_seconds(now.as_millis() / 1_000).to_string();
    let range = ["--from", &from, "--to", &to];
    let ran = adjust(&[&range[..], &["--region", "mars"]].concat());
    assert!(ran.code == Some(2) && ran.err.contains("there is no region `mars`"), "{ran:?}");
    let ran = adjust(&[&range[..], &["--region", "eu"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("bad runs do not count") && ran.err.contains("budget left: "), "{ran:?}");
    let file = project.path("prober.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + &ran.out).unwrap();
    assert_eq!(project.prober(&["validate"]).code, Some(0));

    // The files say it now, so everybody who reads them sees the step, before any server does.
    let check = |standing: &Value| {
        let one = &standing["adjustments"][0];
        assert_eq!((&one["author"], &one["regions"][0]), (&"team-shop".into(), &"eu".into()), "{standing}");
        let taken = one["taken"]["bad"].as_u64().unwrap();
        assert!(taken >= 5, "{standing}");
        taken
    };
    let text = project.prober(&["slo", "buy"]).out;
    assert!(text.contains("adjusted") && text.contains("the \"load\" test: ours"), "{text}");
    let after = shown(&project)["standing"].clone();
    assert_eq!(bad(&before) - bad(&after), check(&after));
    let serving = project.serve();
    serving.until_ready();
    let full = wait::some_blocking("the step", PATIENCE, || {
        buy(&serving).filter(|slo| slo["adjustments"].as_array().is_some_and(|all| !all.is_empty()))
    });
    assert_eq!(check(&full), check(&after), "the server takes out the same runs");
    // Every event is there as before.
    assert!(serving.api().events("scenario=cart&region=eu&verdict=bad").len() >= 5);
    drop(serving.stop());
    let ran = project.prober(&["events", "--format", "jsonl", "--oldest-first", "--limit", "10000"]);
    project.write("events.ndjson", &ran.out);
    let replays = [(); 2].map(|()| project.prober(&["replay", "events.ndjson", "--slo", "buy"]));
    assert_eq!((replays[0].code, &replays[0].out), (Some(0), &replays[1].out), "{:?}", replays[0]);
    let report = project.prober(&["report", "weekly"]).out;
    assert!(report.contains("| team-shop |"), "{report}");
    // Taken back, everything counts again.
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().split("adjustments:").next().unwrap())
        .unwrap();
    let back = shown(&project)["standing"].clone();
    assert!(bad(&back) >= bad(&before) && back["adjustments"] == Value::Array(Vec::new()), "{back}");
}
