//! Objectives through the whole program: `prober slo` and its commands, and the weekly report.

use std::time::Duration;

use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::servers::promtool;
use testkit::wait;

use crate::support::Project;

/// Two scenarios in three regions, one with an objective of its own, and one objective over both.
fn project(server: &Server, every: &str) -> Project {
    let project = Project::new(
        "regions: { eu: {}, us: {}, ap: {} }\nroutes: { oncall: { alertmanager: \"http://127.0.0.1:9\" } }\n",
    );
    for (name, promise) in [("cart", "slo: { objective: 99.9% }"), ("stock", "")] {
        project.scenario(
            name,
            &format!(
                "every: {every}\ntimeout: 500ms\nhttp: {}\nlabels: {{ journey: buy }}\n{promise}",
                server.url("/")
            ),
        );
    }
    project.write(
        "scenarios/buy.yaml",
        "slo: buy\naim: Anyone can buy <tea>.\nrunbook: https://wiki.example/buy\nowner: shop\nlabels: { journey: buy }\nobjective: 99.5%\nwindow: 28d\nalerts: { page: oncall }\n",
    );
    project
}

#[test]
fn objectives_are_shown_checked_and_simulated() {
    let server = Server::start();
    let project = project(&server, "1m");
    let ran = project.prober(&["validate"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = project.prober(&["slo"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in ["cart", "99.9% in 30d", "buy", "99.5% in 28d"] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    let shown: Vec<Value> =
        serde_json::from_str(&project.prober(&["slo", "buy", "--format", "json"]).out).unwrap();
    assert_eq!(shown[0]["scenarios"], serde_json::json!(["cart", "stock"]));
    assert_eq!((shown[0]["interval"].as_f64(), shown[0]["regions"].as_u64()), (Some(30.0), Some(3)));
    let ran = project.prober(&["slo", "byu"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("did you mean `buy`?"), "{ran:?}");
    let text = project.prober(&["slo", "buy"]).out;
    for part in ["every 30s in 3 regions", "of them may be bad", "scenarios", "no stored events"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }

    // 180 runs an hour, and 209 are needed at 99.9 %.
    let ran = project.prober(&["slo", "check"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("cart: 3 × 1m at 99.9%: 129600 runs in 30d"), "{}", ran.out);
    assert!(ran.err.contains("180 runs an hour, and 209 are needed"), "{ran:?}");
    assert!(!ran.err.contains("buy:"), "360 are enough for 99.5 %: {ran:?}");
    assert_eq!(project.prober(&["slo", "check", "--strict"]).code, Some(2));
    assert_eq!(project.prober(&["slo", "check", "buy", "--strict"]).code, Some(0));

    let simulated = ["slo", "simulate", "cart", "--trials", "200", "--months", "20", "--format", "json"];
    let first = project.prober(&simulated);
    let answer: Vec<Value> =
        serde_json::from_str(&first.out).unwrap_or_else(|error| panic!("{error}: {first:?}"));
    let mean = answer[0]["detection_mean"].as_f64().unwrap();
    assert!((40.0..100.0).contains(&mean), "{mean}");
    assert_eq!(first.out, project.prober(&simulated).out, "the same seed, the same answer");
    assert!(
        project
            .prober(&["slo", "simulate", "cart", "--trials", "50", "--months", "1"])
            .out
            .contains("in the mean")
    );
}

#[test]
fn objectives_go_to_other_tools_and_come_from_them() {
    let server = Server::start();
    let project = project(&server, "1m");
    let ran = project.prober(&["slo", "export", "prometheus"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let checked = promtool(&["check", "rules", "rules.yaml"], &[("rules.yaml", &ran.out)]);
    assert!(checked.is_ok(), "{checked:?}");
    assert!(ran.out.contains("slo=\"buy\"") && ran.out.contains("slo=\"cart\""), "{}", ran.out);
    for tool in ["sloth", "pyrra", "openslo"] {
        let ran = project.prober(&["slo", "export", tool]);
        assert_eq!(ran.code, Some(2), "{tool}: {ran:?}");
        assert!(ran.err.contains("floors of bad runs") && ran.err.contains("--lossy"), "{tool}: {ran:?}");
        let lossy = project.prober(&["slo", "export", tool, "buy", "--lossy"]);
        assert_eq!(lossy.code, Some(0), "{tool}: {lossy:?}");
        assert!(lossy.out.contains("buy") && !lossy.out.contains("cart"), "{}", lossy.out);
    }
    // There and back: what OpenSLO can hold comes back, and what it cannot is a comment.
    let exported = project.prober(&["slo", "export", "openslo", "buy", "--lossy"]).out;
    project.write("buy.openslo.yaml", &exported);
    let ran = project.prober(&["slo", "import", "openslo", "buy.openslo.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in [
        "slo: \"buy\"",
        "aim: \"Anyone can buy <tea>.\"",
        "objective: 99.5%",
        "window: 28d",
        "# not imported: spec.indicator",
    ] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    assert!(ran.err.contains("not imported"), "{ran:?}");
    assert_eq!(project.prober(&["slo", "import", "openslo", "prober.yaml"]).code, Some(2));
    // What comes out is a file that validates once its scenarios are said.
    let imported = ran.out.replace("slo: \"buy\"", "slo: again").replace("service: \"buy\"", "journey: buy");
    project.write("scenarios/again.yaml", &imported);
    let ran = project.prober(&["validate"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn a_wrong_slo_file_is_found_wrong_alone_too() {
    let server = Server::start();
    let project = project(&server, "1m");
    project.write("scenarios/wrong.yaml", "slo: wrong\nscenarios: [crat]\nobjective: 99%\n");
    for args in [&["validate"][..], &["validate", "scenarios/wrong.yaml"]] {
        let ran = project.prober(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("did you mean `cart`?"), "{ran:?}");
    }
    assert_eq!(project.prober(&["slo"]).code, Some(2), "a wrong file promises nothing");
}

#[test]
fn stored_events_say_how_it_stands_and_make_the_report() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let project = project(&server, "1s");
    let serving = project.serve();
    let api = serving.api();
    let within = Duration::from_mins(3);
    wait::until_blocking("good runs", within, || api.events("verdict=good").len() >= 12);
    server.on("/", Reply::status(500));
    wait::until_blocking("bad runs", within, || api.events("verdict=bad").len() >= 12);
    let (code, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");

    let shown: Vec<Value> = serde_json::from_str(&project.prober(&["slo", "--format", "json"]).out).unwrap();
    for slo in &shown {
        let standing = &slo["standing"];
        let (good, bad) = (standing["good"].as_u64().unwrap(), standing["bad"].as_u64().unwrap());
        assert!(good >= 3 && bad >= 3, "{slo}");
        let attained = standing["attained"].as_f64().unwrap();
        assert!((attained - good as f64 / (good + bad) as f64).abs() < 1e-9, "{slo}");
        assert!(standing["remaining"].as_f64().unwrap() < 1.0, "{slo}");
    }
    let text = project.prober(&["slo", "cart"]).out;
    for part in ["attained", "left", "burn", "the limit is 14.4"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }

    let ran = project.prober(&["report", "weekly"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in [
        "# Weekly review",
        "## Objectives",
        "| cart |",
        "| buy |",
        "protocol 500",
        "## Incidents",
        "Scenarios without an objective",
    ] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    let report: Value =
        serde_json::from_str(&project.prober(&["report", "weekly", "--format", "json"]).out).unwrap();
    assert_eq!(report["objectives"].as_array().map(Vec::len), Some(2), "{report}");
    let spent: u64 =
        report["spenders"].as_array().unwrap().iter().map(|row| row["bad"].as_u64().unwrap()).sum();
    assert!(spent >= 12, "{report}");
    assert_eq!(report["incidents"].as_array().map(Vec::len), Some(2), "one of each objective: {report}");
    let page = project.prober(&["report", "weekly", "--format", "html"]).out;
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page}");
    // Of a week without events there is a report too.
    let empty = project.prober(&["report", "weekly", "--until", "2020-01-06"]);
    assert_eq!(empty.code, Some(0), "{empty:?}");
    assert!(empty.out.contains("No run was bad."), "{}", empty.out);
    assert_eq!(project.prober(&["report", "weekly", "--until", "soon"]).code, Some(2));
}
