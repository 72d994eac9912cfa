//! Flows: captures, cookies, reuse of connections, redirects as hops, and what a failure leaves undone.

use testkit::http::{Reply, Seen, Server};
use testkit::pki::{Flaw, Pki, Speech};

use super::{assert_tiled, hops, phases};
use crate::support::{Project, event, said};

const SHOP: &str = r#"
steps:
  - name: login
    http: { method: POST, url: "${vars.shop}/login", json: { user: probe, password: "${secrets.password}" } }
    expect: { status: 200 }
    capture: { token: { json: $.token, secret: true } }
  - name: order
    http: { method: POST, url: "${vars.shop}/orders", headers: { Authorization: "Bearer ${token}" }, json: { note: "synthetic ${run.id}" } }
    expect: { status: 201 }
    capture: { id: { json: $.id } }
  - name: look
    http: { url: "${vars.shop}/old/${id}" }
    expect: { json: { $.status: confirmed } }
  - name: after
    http: ${vars.shop}/orders/${id}
"#;

/// A shop that wants a cookie, a token and the order's number.
fn shop(server: &Server, confirmed: &'static str) {
    server.on("/login", Reply::json(r#"{"token":"s3cr3t-t0ken"}"#).cookie("session=abc; Path=/; HttpOnly"));
    server.on_request("/orders", |seen| match seen.header("authorization") {
        Some("Bearer s3cr3t-t0ken") => Reply::status(201).body(r#"{"id":"42"}"#),
        _ => Reply::status(401),
    });
    server.on("/old/42", Reply::redirect(302, "/orders/42"));
    server.on_request("/orders/42", move |seen| match seen.header("cookie") {
        Some("session=abc") => Reply::json(&format!(r#"{{"status":"{confirmed}"}}"#)),
        _ => Reply::status(403),
    });
}

fn asked(server: &Server, path: &str) -> Vec<Seen> {
    server.seen().into_iter().filter(|seen| seen.path == path).collect()
}

fn project(server: &Server, ca: &str) -> Project {
    let vars = format!(
        "vars: {{ shop: \"{}\" }}\nsecrets: {{ password: {{ env: SHOP_PASSWORD }} }}\n",
        server.url("")
    );
    let mut project = Project::new(&vars);
    project.scenario(
        "shop",
        &SHOP.replace("http: { ", &format!("http: {{ {ca}")).replace(
            "http: ${vars.shop}/orders/${id}",
            &format!("http: {{ {ca}url: \"${{vars.shop}}/orders/${{id}}\" }}"),
        ),
    );
    project.env("SHOP_PASSWORD", "hunter2-hunter2");
    project
}

#[test]
fn captures_cookies_reuse_and_redirects() {
    let server = Server::start();
    shop(&server, "confirmed");
    let (events, ran) = project(&server, "").run();
    let event = event(&events, "shop");
    assert_eq!(said(event), "good ok", "{event:#}");
    assert_eq!((ran.code, server.connections()), (Some(0), 1), "a flow shares its connection");
    assert_eq!(phases(&hops(event, 0)[0]), "connect send wait receive");
    for index in 1..4 {
        assert_eq!(hops(event, index)[0]["reused"], true, "{event:#}");
        assert_eq!(phases(&hops(event, index)[0]), "send wait receive", "no made-up connect");
    }
    assert_eq!(hops(event, 2).len(), 2, "a redirect is a hop: {event:#}");
    assert_tiled(event);
    // The captured token and the password are masked wherever they show.
    for secret in ["s3cr3t-t0ken", "hunter2-hunter2"] {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{event:#}");
    }
    assert!(ran.out.contains("•••"), "{event:#}");
    let order = asked(&server, "/orders");
    let note = String::from_utf8_lossy(&order[0].body).into_owned();
    assert!(note.contains(event["prober.slot.id"].as_str().unwrap()), "{note}");
    assert!(order[0].header("user-agent").unwrap().contains("prober/"), "{:?}", order[0].headers);
    assert!(order[0].header("traceparent").unwrap().contains(event["trace_id"].as_str().unwrap()));
}

#[test]
fn reuse_over_http_2_and_tls() {
    let pki = Pki::new();
    let server = Server::start_tls(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h2()));
    shop(&server, "confirmed");
    let ca = format!("ca: \"{}\", ", pki.root_file().display());
    let (events, _) = project(&server, &ca).run();
    let event = event(&events, "shop");
    assert_eq!(said(event), "good ok", "{event:#}");
    assert_eq!(server.connections(), 1);
    assert_eq!(phases(&hops(event, 0)[0]), "connect tls send wait receive");
    assert_eq!(event["network.protocol.version"], "2");
    assert_tiled(event);
}

#[test]
fn a_failed_step_ends_the_flow_and_names_itself() {
    let server = Server::start();
    shop(&server, "pending");
    let (events, _) = project(&server, "").run();
    let event = event(&events, "shop");
    assert_eq!(said(event), "bad failed assert.json", "{event:#}");
    assert_eq!(event["prober.failure.step"], "look");
    let states: Vec<_> = event["prober.steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["passed", "passed", "failed", "skipped"]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_run_starts_with_a_fresh_connection() {
    let server = Server::start();
    server.on("/", Reply::ok("x").cookie("seen=1"));
    let project =
        Project::with("", &[("one", format!("every: 1s\ntimeout: 900ms\nhttp: {}", server.url("/")))]);
    let serving = project.serve();
    serving.api().until_events("verdict=good", 3);
    let seen = asked(&server, "/");
    let connections: std::collections::BTreeSet<_> = seen.iter().map(|seen| seen.connection).collect();
    assert_eq!(connections.len(), seen.len(), "one connection a run");
    assert!(seen.iter().all(|seen| seen.header("cookie").is_none()), "no cookie of an earlier run");
}
