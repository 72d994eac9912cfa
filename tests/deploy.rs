//! What is shipped under `deploy/`: boards and rules, run by a real Prometheus on what a real prober exposes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use testkit::servers::{Prometheus, promtool};
use testkit::wait;

use crate::support::{Project, Serving, alone};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every board, by its file's name.
fn boards() -> Vec<(String, Value)> {
    let files = fs::read_dir(root().join("deploy/grafana")).unwrap().map(|entry| entry.unwrap().path());
    let boards = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
    boards
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
        })
        .collect()
}

/// Every query of a board with its panel's title, and the boards' variables filled in.
fn queries(board: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap_or_default();
        for target in panel["targets"].as_array().into_iter().flatten() {
            found.push((title.to_owned(), filled(target["expr"].as_str().unwrap())));
        }
    }
    found
}

fn filled(expr: &str) -> String {
    let values = [
        ("$__rate_interval", "1m"),
        ("$service", ".*"),
        ("$instance", ".*"),
        ("$region", ".*"),
        ("$scenario", "search"),
        ("$slo", "search"),
    ];
    values.iter().fold(expr.to_owned(), |expr, (name, value)| expr.replace(name, value))
}

/// How many results there are; an error panics.
fn results(prometheus: &Prometheus, query: &str) -> usize {
    let answer: Value = serde_json::from_str(&prometheus.query(query)).unwrap_or_default();
    assert_eq!(answer["status"], "success", "{query}: {answer}");
    answer["data"]["result"].as_array().map_or(0, Vec::len)
}

#[test]
fn boards_are_whole() {
    let boards = boards();
    let names: BTreeSet<_> = boards.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["fleet-health", "scenario", "slo-detail", "slo-overview"]));
    let mut uids = BTreeSet::new();
    for (name, board) in &boards {
        assert!(uids.insert(board["uid"].as_str().unwrap().to_owned()), "{name} has a uid of its own");
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {panel}");
            assert!(
                panel["type"] == "row" || !panel["description"].as_str().unwrap().is_empty(),
                "{name}: {panel}"
            );
        }
        for (title, query) in queries(board) {
            assert!(!query.contains('$'), "{name}, {title}: a variable has no value in {query}");
        }
    }
}

#[test]
fn every_query_and_rule_has_data_from_the_demo() {
    let _turn = alone();
    let place = tempfile::tempdir().unwrap();
    let demo = Serving::start(place.path(), &["demo", "--listen", "127.0.0.1:0"], &[]);
    demo.until_ready();
    let project = Project::new("");
    let exported = project.prober_in(place.path(), &["-C", "demo", "slo", "export", "prometheus"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let checked = promtool(&["check", "rules", "rules.yaml"], &[("rules.yaml", &exported.out)]);
    assert!(checked.is_ok(), "{checked:?}");
    let prometheus = Prometheus::with_rules(demo.api().0, &exported.out);

    let within = Duration::from_mins(3);
    let has_data = |query: &str| results(&prometheus, query) > 0;
    let mut asked = 0;
    for (name, board) in boards() {
        for (title, query) in queries(&board) {
            wait::until_blocking(&format!("data for {name}, {title}: {query}"), within, || has_data(&query));
            asked += 1;
        }
        // What the lists of the board's variables are made of.
        for variable in board["templating"]["list"].as_array().unwrap() {
            let Some(query) = variable["query"]["query"].as_str() else { continue };
            let inside = query.trim_start_matches("label_values(").rsplit_once(',').unwrap().0;
            wait::until_blocking(query, within, || has_data(&filled(inside)));
        }
    }
    assert!(asked > 50, "{asked} queries");
    rules_are_healthy(&prometheus, within);
    let (code, err) = demo.stop();
    assert_eq!(code, Some(0), "{err}");
}

/// Every rule was evaluated without an error, and every recording rule has data.
fn rules_are_healthy(prometheus: &Prometheus, within: Duration) {
    let rules = || -> Vec<Value> {
        let answer: Value = serde_json::from_str(&prometheus.get("/api/v1/rules")).unwrap_or_default();
        let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect()
    };
    wait::until_blocking("every rule is evaluated", within, || {
        let rules = rules();
        rules.len() > 40 && rules.iter().all(|rule| rule["health"] == "ok")
    });
    for rule in rules() {
        let (name, query) = (rule["name"].as_str().unwrap(), rule["query"].as_str().unwrap());
        assert!(rule["lastError"].as_str().unwrap_or_default().is_empty(), "{rule}");
        let is_count = name.starts_with("slo:sli_bad_regions");
        let lasts = name == "slo:error_budget_lasts:seconds";
        if rule["type"] == "recording" && !is_count && !lasts {
            wait::until_blocking(&format!("data for {name}: {query}"), within, || {
                results(prometheus, query) > 0
            });
        } else {
            results(prometheus, query);
        }
    }
}

#[test]
fn the_shipped_rules_and_settings_are_taken() {
    let folder = root().join("deploy/prometheus");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (rules, settings) = (read("demo.rules.yml"), read("prometheus.yml"));
    let said = promtool(
        &["check", "config", "prometheus.yml"],
        &[("prometheus.yml", &settings), ("demo.rules.yml", &rules)],
    );
    assert!(said.as_ref().is_ok_and(|said| said.contains("SUCCESS")), "{said:?}");
    // They are what the demo's files give today.
    let place = tempfile::tempdir().unwrap();
    let at = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let addresses =
        demo::Addresses { http: at(1), https: at(2), soon: at(3), expired: at(4), dns: at(5), mail: at(6) };
    for (path, text) in demo::project::files(&addresses, "shop") {
        let path = place.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let exported = Project::new("").prober_in(place.path(), &["slo", "export", "prometheus"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    if exported.out != rules {
        fs::write(folder.join("demo.rules.yml"), &exported.out).unwrap();
        panic!(
            "deploy/prometheus/demo.rules.yml was out of date and has been written anew: look at it and commit it"
        );
    }
}
