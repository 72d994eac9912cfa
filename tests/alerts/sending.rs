//! `prober alerts send`, what `doctor` sees of routes, routes that change while changes wait, and what is refused.

use std::time::Duration;

use model::alert::Severity;
use rustix::process::Signal;
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};
use testkit::wait;

use super::{PATIENCE, alert, project, queue};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn body(server: &Server, number: usize) -> Value {
    serde_json::from_slice(&server.seen()[number].body).unwrap()
}

#[test]
fn a_test_alert_says_that_it_is_one_and_ends() {
    let server = Server::start();
    server.on("/hook", Reply::status(204));
    server.on("/v2/enqueue", Reply::status(202));
    server.on("/services/hush-hush", Reply::ok("ok"));
    let mut project = project(&format!(
        "  tickets: {{ webhook: {{ url: \"{}\", secret: \"${{secrets.hook_key}}\" }} }}\n\
         \x20 oncall: {{ pagerduty: {{ routing_key: \"${{secrets.pd_key}}\", url: \"{}\" }} }}\n\
         \x20 chat: {{ slack: \"${{secrets.slack_hook}}\" }}\n\
         secrets: {{ hook_key: {{ env: HOOK_KEY }}, pd_key: {{ env: PD_KEY }}, slack_hook: {{ env: SLACK }} }}\n",
        server.url("/hook"),
        server.url("/v2/enqueue"),
    ));
    project.env("HOOK_KEY", SECRET);
    project.env("PD_KEY", "0123456789abcdef0123456789abcdef");
    project.env("SLACK", &server.url("/services/hush-hush"));
    let send = |route: &str, more: &[&str]| {
        project.prober(&[&["alerts", "send", "--route", route, "--hold", "10ms"], more].concat())
    };
    let ran = send("tickets", &[]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 2), "{ran:?}");
    let fired = body(&server, 0);
    assert_eq!((&fired["type"], &fired["data"]["severity"]), (&"slo.alert.firing".into(), &"ticket".into()));
    assert!(fired["data"]["summary"].as_str().unwrap().starts_with("TEST: "), "{fired:#}");
    assert_eq!(fired["data"]["labels"]["slo"], "prober-test");
    assert!(server.seen()[0].header("webhook-signature").unwrap().starts_with("v1,"));
    assert_eq!(body(&server, 1)["type"], "slo.alert.resolved");

    assert_eq!(send("oncall", &["--severity", "page"]).code, Some(0));
    assert_eq!(body(&server, 2)["payload"]["severity"], "critical");
    assert_eq!(
        (&body(&server, 3)["event_action"], &body(&server, 3)["dedup_key"]),
        (&"resolve".into(), &body(&server, 2)["dedup_key"])
    );
    assert_eq!(send("chat", &[]).code, Some(0));
    assert!(body(&server, 4).to_string().contains("Ticket: TEST: "));

    // What fails is said, and no secret with it.
    server.on("/services/hush-hush", Reply::status(404).body("no_service at /services/hush-hush"));
    let ran = send("chat", &[]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("answered 404: no_service at") && !ran.err.contains("hush"), "{ran:?}");
    let ran = send("ticket", &[]);
    assert!(ran.code == Some(2) && ran.err.contains("did you mean `tickets`?"), "{ran:?}");
}

#[test]
fn a_doctor_looks_at_every_route_and_alerts_nobody() {
    let server = Server::start();
    let pki = Pki::new();
    let untrusted =
        Server::start_tls(pki.identity(&["localhost", "127.0.0.1"], Flaw::None).server_config(&Speech::h1()));
    let mut project = project(&format!(
        "  tickets: {{ webhook: \"{}\" }}\n  tls: {{ slack: \"${{secrets.slack_hook}}\" }}\nsecrets: {{ slack_hook: {{ env: SLACK }} }}\n",
        server.url("/hook")
    ));
    let finding = |project: &crate::support::Project| {
        let ran = project.prober(&["doctor", "--format", "json"]);
        let all: Vec<Value> =
            serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        all.into_iter().find(|finding| finding["check"] == "routes").unwrap()
    };
    let missing = finding(&project);
    assert!(missing["state"] == "fail" && missing["seen"].as_str().unwrap().contains("SLACK"), "{missing}");
    project.env("SLACK", &untrusted.url("/services/hush"));
    let wrong = finding(&project);
    let seen = wrong["seen"].as_str().unwrap();
    assert!(
        wrong["state"] == "fail" && seen.contains("tls: https://127.0.0.1") && !seen.contains("hush"),
        "{wrong}"
    );
    assert!(seen.to_lowercase().contains("certificate") || seen.contains("UnknownIssuer"), "{seen}");
    project.env("SSL_CERT_FILE", pki.root_file().to_str().unwrap());
    let sound = finding(&project);
    assert_eq!(sound["state"], "ok", "{sound}");
    let asked: Vec<_> = server.seen().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert!(!asked.is_empty() && asked.iter().all(|one| one == "HEAD /"), "{asked:?}");
}

#[test]
fn what_waits_is_delivered_after_a_reload_that_mends_the_route() {
    let server = Server::start();
    server.on("/hook", Reply::status(204));
    let dead = wait::free_port();
    let project = project(&format!("  hook: {{ webhook: \"http://127.0.0.1:{dead}/hook\" }}\n"));
    queue(&project, &[alert("a", Severity::Page), alert("b", Severity::Ticket)], &["hook"], Duration::ZERO);
    let serving = project.serve();
    wait::until_blocking("the failure is shown", PATIENCE, || {
        serving.api().get("/").contains("Alerts do not get through route")
    });
    let file = std::fs::read_to_string(project.path("prober.yaml")).unwrap();
    project
        .write("prober.yaml", &file.replace(&format!("http://127.0.0.1:{dead}/hook"), &server.url("/hook")));
    serving.signal(Signal::HUP);
    wait::until_blocking("both are delivered", PATIENCE, || server.requests() == 2);
    wait::until_blocking("the failure is no longer shown", PATIENCE, || {
        !serving.api().get("/").contains("Alerts do not get through route")
    });
    assert_eq!(serving.stop().0, Some(0));
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_route_that_cannot_be_used_is_refused_before_anything_runs() {
    let mut project =
        project("  chat: { slack: \"${secrets.slack_hook}\" }\nsecrets: { slack_hook: { env: SLACK } }\n");
    // Nobody needs the route: its secret may be missing.
    assert_eq!(project.serve().stop().0, Some(0));
    let promise = "owner: shop\nrunbook: https://wiki.example/shop\nevery: 1m\nhttp: http://127.0.0.1:9/\nslo: { objective: 99% }\nalerts: { page: chat }";
    project.scenario("promised", promise);
    let ran = project.refused(&[]);
    assert!(ran.code == Some(3) && ran.err.contains("route `chat`") && ran.err.contains("SLACK"), "{ran:?}");
    project.env("SLACK", "no-url-but-hush");
    let ran = project.refused(&[]);
    assert!(
        ran.code == Some(3) && ran.err.contains("route `chat`: `url` is not an http or https URL"),
        "{ran:?}"
    );
    assert!(!ran.err.contains("hush"), "{ran:?}");
}
