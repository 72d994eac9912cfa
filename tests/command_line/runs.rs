//! `prober run` as a smoke test.

use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::http::{Reply, Server};

use super::shop;
use crate::support::{Project, text};

#[test]
fn many_rounds_become_a_small_table_and_the_worst_decides() {
    let (_server, project) = shop();
    let ran = project.prober(&["run", "good", "--repeat", "5"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for word in ["p50", "p95", "max", "good", "connect", "5 runs: 5 good"] {
        assert!(ran.out.contains(word), "{word} is not in {}", ran.out);
    }
    let ran = project.prober(&["run", "--repeat", "3", "--format", "jsonl"]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(1), 6), "{ran:?}");
}

#[test]
fn a_deploy_that_comes_up_is_waited_for_and_that_is_said() {
    let (server, project) = shop();
    let waiting = std::thread::scope(|scope| {
        let ran = scope.spawn(|| project.prober(&["run", "wrong", "--wait-for", "30s"]));
        testkit::wait::until_blocking("two rounds", Duration::from_mins(2), || server.requests() >= 2);
        server.on("/bad", Reply::ok("up"));
        ran.join().unwrap()
    });
    assert_eq!(waiting.code, Some(0), "{waiting:?}");
    assert!(waiting.err.contains("waiting: 1 of 1 not good yet: wrong (local) 500"), "{}", waiting.err);
    assert!(waiting.out.contains("1 good, 0 bad") && waiting.out.contains("in vain"), "{}", waiting.out);
    assert!(!waiting.out.contains("FAIL"), "only the last round is the result: {}", waiting.out);
}

#[test]
fn what_never_comes_up_fails_when_the_time_is_over() {
    let (server, project) = shop();
    let began = Instant::now();
    let ran = project.prober(&["run", "wrong", "--wait-for", "2s"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert!((2..=4).contains(&server.requests()), "{} requests", server.requests());
}

#[test]
fn the_whole_command_has_a_limit() {
    let server = Server::start();
    server.on("/", Reply::ok("late").after(Duration::from_secs(100)));
    let project =
        Project::with("", &[("slow", format!("every: 5m\ntimeout: 2m\nhttp: {}", server.url("/")))]);
    let began = Instant::now();
    let ran = project.prober(&["run", "--timeout", "1s", "--format", "json"]);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(ran.code, Some(4), "our limit says nothing about the target: {ran:?}");
    let events: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(text(&events[0], "prober.verdict.reason"), "cancelled");
    assert!(text(&events[0], "prober.failure.message").contains("--timeout"), "{events:?}");
}

#[test]
fn nothing_more_starts_after_the_first_failure_if_asked() {
    let (_server, project) = shop();
    project.scenario("again", "http: http://127.0.0.1:9/");
    let ran = project.prober(&["run", "--fail-fast", "--in-flight", "1", "--format", "json"]);
    let events: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, events.len()), (Some(1), 1), "{ran:?}");
}

#[test]
fn runs_say_who_started_them_and_never_count() {
    let (_server, mut project) = shop();
    let trigger = |project: &Project, args: &[&str]| {
        let ran = project.prober(&[&["run", "good", "--format", "jsonl"], args].concat());
        let event: Value = serde_json::from_str(&ran.out).unwrap();
        text(&event, "prober.run.trigger").to_owned()
    };
    assert_eq!(trigger(&project, &[]), "manual");
    assert_eq!(trigger(&project, &["--trigger", "ci"]), "ci");
    project.env("CI", "true");
    assert_eq!(trigger(&project, &[]), "ci");
    assert_eq!(trigger(&project, &["--trigger", "manual"]), "manual");
}

#[test]
fn what_was_sent_is_shown_when_asked_and_secrets_never() {
    let server = Server::start();
    server.on(
        "/",
        Reply::ok("{\"echo\":\"tok-31337-secret\",\"status\":\"UP\"}")
            .header("set-cookie", "sid=cookie-31337; Path=/"),
    );
    let mut project = Project::with(
        "secrets: { token: { env: SHOP_TOKEN } }\n",
        &[(
            "keyed",
            format!(
                "http: {{ url: {}, method: POST, body: \"pay ${{secrets.token}}\", headers: {{ Authorization: \"Bearer ${{secrets.token}}\", X-Key: \"${{secrets.token}}\" }} }}",
                server.url("/")
            ),
        )],
    );
    project.env("SHOP_TOKEN", "tok-31337-secret");
    let plain = project.prober(&["run"]);
    assert!(!plain.out.contains("x-key"), "nothing is kept unless asked for: {}", plain.out);
    let heads = project.prober(&["run", "-v"]);
    for word in [
        "> POST / HTTP/1.1",
        "> x-key: •••(token)",
        "< HTTP/1.1 200 OK",
        "authorization: Bearer •••",
        "sid=•••",
    ] {
        assert!(heads.out.contains(word), "{word} is not in {}", heads.out);
    }
    assert!(!heads.out.contains("\"UP\""), "bodies come with the second v: {}", heads.out);
    let bodies = project.prober(&["run", "-vv"]);
    assert!(
        bodies.out.contains("pay •••(token)") && bodies.out.contains("{\"echo\":\"•••(token)\""),
        "{}",
        bodies.out
    );
    for format in ["human", "json", "jsonl", "junit", "sarif", "github", "tap"] {
        let ran = project.prober(&["run", "-vv", "--format", format]);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(!all.contains("31337"), "{format}: {all}");
    }
}

#[test]
fn a_run_by_hand_can_be_explained_afterwards() {
    let (_server, mut project) = shop();
    let cache = project.path("cache").to_string_lossy().into_owned();
    project.env("XDG_CACHE_HOME", &cache);
    let ran = project.prober(&["run", "wrong"]);
    let id = ran.out.split("prober explain ").nth(1).unwrap().lines().next().unwrap().trim().to_owned();
    let explained = project.prober(&["explain", &id]);
    assert_eq!(explained.code, Some(0), "{explained:?}");
    assert!(explained.out.contains("status is 500"), "{}", explained.out);
    let curl = project.prober(&["explain", &id[..8], "--curl"]);
    assert!(curl.out.starts_with("curl -v") && curl.out.trim_end().ends_with("/bad'"), "{}", curl.out);
    assert!(curl.err.contains("left out"), "{}", curl.err);
}
