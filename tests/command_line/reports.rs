//! Formats and report files, and what a pipeline sees by itself.

use std::fs;

use serde_json::Value;

use super::shop;

#[test]
fn every_report_is_written_beside_what_the_terminal_shows() {
    let (_server, project) = shop();
    let reports = ["junit=out.xml", "tap=out.tap", "sarif=out.sarif", "jsonl=out.jsonl", "human=out.txt"];
    let mut args = vec!["run"];
    for report in reports {
        args.extend(["--report", report]);
    }
    let ran = project.prober(&args);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let read = |name: &str| fs::read_to_string(project.path(name)).unwrap();
    let junit = read("out.xml");
    assert!(junit.starts_with("<?xml") && junit.trim_end().ends_with("</testsuites>"), "{junit}");
    assert!(junit.contains("tests=\"2\" failures=\"1\" errors=\"0\""), "{junit}");
    assert!(junit.contains("<property name=\"label.tier\" value=\"1\"/>"), "{junit}");
    assert!(junit.contains("<property name=\"file\" value=\"scenarios/wrong.yaml:1\"/>"), "{junit}");
    assert!(read("out.tap").contains("not ok 2 - wrong (local)"));
    let sarif: Value = serde_json::from_str(&read("out.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "500");
    assert_eq!(read("out.jsonl").lines().count(), 2);
    assert!(read("out.txt").contains("1 good, 1 bad"));
    assert!(ran.out.contains("PASS") && ran.out.contains("FAIL"));
}

#[test]
fn a_report_that_cannot_be_written_costs_no_run() {
    let (server, project) = shop();
    for args in
        [&["run", "--report", "junit=no/such/folder/out.xml"][..], &["validate", "--report", "sarif=."]]
    {
        let ran = project.prober(args);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.err.contains("cannot be written"), "{}", ran.err);
    }
    assert_eq!(server.requests(), 0, "nothing was asked");
    // The report of a wrong file is its mistakes; an old one does not look like a new one.
    project.write("out.xml", "old");
    project.scenario("broken", "htpt: x");
    assert_eq!(project.prober(&["run", "--report", "junit=out.xml"]).code, Some(2));
    let report = fs::read_to_string(project.path("out.xml")).unwrap();
    assert!(report.starts_with("<?xml") && report.contains("did you mean `http`?"), "{report}");
    for (args, word) in
        [("xml=a", "no format `xml`"), ("junit", "FORMAT=FILE"), ("junti=a", "did you mean `junit`?")]
    {
        let ran = project.prober(&["run", "--report", args]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
    let twice = project.prober(&["validate", "--report", "junit=a", "--report", "tap=a"]);
    assert_eq!(twice.code, Some(2), "{twice:?}");
}

#[test]
fn mistakes_come_in_every_format() {
    let (_server, project) = shop();
    project.scenario("broken", "http: https://shop.example/\nexpcet: {}");
    let said = |format: &str| {
        let ran = project.prober(&["validate", "--format", format]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        ran.out
    };
    let sarif: Value = serde_json::from_str(&said("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(result["ruleId"], "E102");
    assert_eq!(place["artifactLocation"]["uri"], "scenarios/broken.yaml");
    assert_eq!(place["region"]["startLine"], 5);
    assert!(said("github").starts_with("::error file=scenarios/broken.yaml,line=5,col=1,title=E102::"));
    assert!(said("junit").contains("failures=\"1\""));
    assert!(said("tap").contains("not ok"));
    assert_eq!(serde_json::from_str::<Value>(said("jsonl").trim()).unwrap()["code"], "E102");
}

#[test]
fn annotations_are_automatic_under_github_actions() {
    let (_server, mut project) = shop();
    assert!(!project.prober(&["run"]).err.contains("::error"));
    project.env("GITHUB_ACTIONS", "true");
    let ran = project.prober(&["run", "--format", "json"]);
    assert!(
        ran.err.contains("::error file=scenarios/wrong.yaml,line=1,col=1,title=wrong (local) failed::"),
        "{}",
        ran.err
    );
    serde_json::from_str::<Value>(&ran.out).unwrap();
    project.scenario("broken", "htpt: x");
    let ran = project.prober(&["validate"]);
    assert!(ran.err.contains("error[E"), "people read it too: {}", ran.err);
    assert!(ran.err.contains("::error file=scenarios/broken.yaml,"), "{}", ran.err);
}

#[test]
fn paths_count_from_the_repository() {
    let (_server, mut project) = shop();
    let above = project.dir().parent().unwrap().to_string_lossy().into_owned();
    let folder = project.dir().file_name().unwrap().to_string_lossy().into_owned();
    project.env("GITHUB_WORKSPACE", &above);
    let ran = project.prober(&["run", "wrong", "--format", "github"]);
    assert!(ran.out.contains(&format!("file={folder}/scenarios/wrong.yaml")), "{}", ran.out);
}
