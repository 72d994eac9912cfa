//! The API, the endpoints of machines, and the bounds of the server.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::outcome::Reason;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::desk::{Desk, PATIENCE, Server, end};
use crate::sample::{self, T0, card};
use crate::{Readiness, ReloadState, Settings};

const NOW: i64 = T0 + 3_617;

/// One scenario with the last hour's slots, one of them bad.
async fn desk(settings: Settings) -> (Desk, Server) {
    let made = tokio::task::spawn_blocking(move || {
        let mut desk = Desk::open(NOW, vec![card("checkout", "eu")]);
        desk.sources.settings = settings;
        let origin = sample::origin("checkout", "eu");
        for slot in 0..=120 {
            let reason = if slot == 100 { Reason::Slow } else { Reason::Ok };
            let mut outcome = model::outcome::Outcome::empty(reason);
            outcome.duration = sample::ms(10);
            desk.event(sample::event(&origin, T0 + 30 * slot, outcome));
        }
        desk.flush();
        desk
    });
    let desk = made.await.unwrap();
    let server = desk.serve().await;
    (desk, server)
}

async fn json(server: &Server, path: &str, status: u16) -> Value {
    let answer = server.get(path).await;
    assert_eq!(answer.status, status, "{path}: {}", answer.body);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_by_pages_as_json_and_as_lines() {
    let (desk, server) = desk(Settings::default()).await;
    let mut path = "/api/v1/events?scenario=checkout&limit=50".to_owned();
    let mut starts = Vec::new();
    loop {
        let page = json(&server, &path, 200).await;
        let events = page["events"].as_array().unwrap();
        starts.extend(events.iter().map(|event| event["prober.slot.scheduled"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_u64() else { break };
        path = format!("/api/v1/events?scenario=checkout&limit=50&before={next}");
    }
    assert_eq!(starts.len(), 121);
    assert!(starts.is_sorted_by(|newer, older| newer > older));

    let bad = json(&server, "/api/v1/events?verdict=bad&reason=slow&since=2h&region=eu", 200).await;
    assert_eq!(bad["events"].as_array().unwrap().len(), 1);
    let ask = format!(
        "GET /api/v1/events?limit=3 HTTP/1.0\r\nHost: {}\r\nAccept: application/x-ndjson\r\n\r\n",
        server.address
    );
    let lines = server.ask(&ask).await;
    assert!(
        lines.head.contains("content-type: application/x-ndjson") && lines.head.contains("prober-next: ")
    );
    assert_eq!(lines.body.lines().count(), 3);
    assert!(lines.body.lines().all(|line| model::event::SliEvent::from_json(line).is_ok()), "{}", lines.body);
    assert!(server.get("/api/v1/events?limit=1&format=ndjson").await.head.contains("ndjson"));

    let error = json(&server, "/api/v1/events?verdcit=bad", 400).await;
    assert_eq!(error["error"]["parameter"], "verdcit");
    assert_eq!(error["error"]["help"], "did you mean `verdict`?");
    assert_eq!(json(&server, "/api/v2", 404).await["error"]["message"], "there is nothing at /api/v2");
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scenarios_and_accounts_agree_with_the_store() {
    let (desk, server) = desk(Settings::default()).await;
    let all = json(&server, "/api/v1/scenarios", 200).await;
    let one = &all["scenarios"][0];
    assert_eq!(one["name"], "checkout");
    assert_eq!(one["state"], "good");
    assert_eq!(one["last"]["scheduled"], "2026-03-01T01:00:00.000000000Z");
    assert_eq!(one["next_slot"], "2026-03-01T01:00:30.000000000Z");
    assert_eq!(one["labels"]["tier"], "1");
    let none = json(&server, "/api/v1/scenarios?region=us", 200).await;
    assert_eq!(none["scenarios"], Value::Array(vec![]));

    // The last slots may still be on their way, so the window ends before them.
    let account = json(&server, "/api/v1/account", 200).await;
    assert_eq!((&account["closed"], &account["violations"]), (&true.into(), &0.into()));
    assert_eq!(account["until"], "2026-03-01T00:59:37.000000000Z");
    let stream = &account["streams"][0];
    for (count, expected) in [("expected", 120), ("good", 119), ("bad", 1), ("ineligible", 0), ("missed", 0)]
    {
        assert_eq!(stream[count], expected, "{count}");
    }
    let open = json(&server, "/api/v1/account?until=2026-03-01T02:00:00Z&scenario=checkout", 200).await;
    // An hour of which one slot has its event so far: nothing is wrong, but nobody may call it closed.
    assert_eq!((&open["closed"], &open["violations"]), (&false.into(), &119.into()));
    assert_eq!(json(&server, "/api/v1/account?since=9d", 400).await["error"]["parameter"], "since");
    assert_eq!(
        json(&server, "/api/v1/account?since=0s&until=1h", 200).await["streams"],
        Value::Array(vec![])
    );
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_told_the_truth() {
    let (desk, server) = desk(Settings::default()).await;
    assert_eq!(server.get("/healthz").await.body, "ok\n");
    assert_eq!(server.get("/readyz").await.body, "ready\n");
    desk.readiness.send_replace(Readiness::Starting("no files".to_owned()));
    let starting = server.get("/readyz").await;
    assert_eq!((starting.status, starting.body.as_str()), (503, "starting: no files\n"));
    desk.readiness.send_replace(Readiness::Draining);
    assert_eq!(server.get("/readyz").await.status, 503);

    let text = server.get("/metrics").await;
    assert!(text.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", text.head);
    assert_eq!(text.body, "up 1\n");
    let ask = |method: &str, accept: &str| {
        format!(
            "{method} /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        )
    };
    let open = server.ask(&ask("GET", "application/openmetrics-text;version=1.0.0")).await;
    assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(open.body.ends_with("# EOF\n"));
    let head = server.ask(&ask("HEAD", "*/*")).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains("content-length: 5"), "{}", head.head);
    let wrong = server.ask(&ask("POST", "*/*")).await;
    assert_eq!(wrong.status, 405);
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_others_are_not_answered() {
    let (desk, server) =
        desk(Settings { hosts: vec!["prober.example".to_owned()], ..Settings::default() }).await;
    let ask = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    for (host, status) in
        [("localhost", 200), ("prober.example:80", 200), ("[::1]:1", 200), ("evil.example", 421), ("", 421)]
    {
        assert_eq!(server.ask(&ask(host)).await.status, status, "{host}");
    }
    let twice = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(server.ask(twice).await.status, 421);
    let absolute = "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(server.ask(absolute).await.status, 421);
    assert_eq!(server.ask("GET / HTTP/1.0\r\n\r\n").await.status, 200);
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_are_asked_for_on_purpose_and_one_at_a_time() {
    let (desk, server) = desk(Settings::default()).await;
    let post = |headers: &str| {
        let length = "Content-Length: 0\r\nConnection: close";
        format!("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n{length}\r\n{headers}\r\n")
    };
    assert_eq!(server.ask(&post("")).await.status, 403);
    assert_eq!(server.ask(&post("X-Prober: 1\r\nOrigin: http://evil.example\r\n")).await.status, 403);
    let done = server.ask(&post("X-Prober: 1\r\n")).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert!(done.body.contains("\"state\":\"loaded\""));

    desk.reload_hangs.store(true, Ordering::SeqCst);
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(post("X-Prober: 1\r\n").as_bytes()).await.unwrap();
    let mut begun = desk.reloads_begun.subscribe();
    tokio::time::timeout(PATIENCE, begun.wait_for(|count| *count == 2)).await.unwrap().unwrap();
    assert_eq!(server.ask(&post("Content-Type: application/json\r\n")).await.status, 409);
    desk.reload_hangs.store(false, Ordering::SeqCst);
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let at = model::time::Timestamp::from_seconds(NOW);
    desk.reload_state.send_replace(ReloadState::Failed { at, diagnostics: "line 1\nline 2".to_owned() });
    let state = json(&server, "/api/v1/reload-state", 200).await;
    assert_eq!(
        (state["state"].as_str(), state["diagnostics"].as_str()),
        (Some("failed"), Some("line 1\nline 2"))
    );
    end(desk, server).await;
}

/// Half a head, and answers that nobody reads: neither keeps others out.
#[tokio::test(flavor = "multi_thread")]
async fn who_keeps_the_server_waiting_gives_way_to_others() {
    let (desk, server) = desk(Settings { connections_max: 1, ..Settings::default() }).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    silent.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").await.unwrap();
    assert_eq!(server.get("/healthz").await.body, "ok\n");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await.unwrap();
    assert!(closed.is_err() || rest.is_empty(), "it was answered");

    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    let ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // More answers than the buffers of both sides hold.
    let stuffed = async { while deaf.write_all(ask).await.is_ok() {} };
    let (answer, ()) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(server.get("/healthz"), stuffed) })
            .await
            .unwrap();
    assert_eq!(answer.body, "ok\n");
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_waits_and_a_stop_ends_what_is_open() {
    let grace = Duration::from_millis(50);
    let (desk, server) = desk(Settings { connections_max: 2, grace, ..Settings::default() }).await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
        idle.push(stream);
    }
    {
        let waiting = server.get("/healthz");
        tokio::pin!(waiting);
        let early = tokio::time::timeout(Duration::from_millis(100), &mut waiting).await;
        assert!(early.is_err(), "a third connection was served");
        drop(idle.pop());
        assert_eq!(waiting.await.body, "ok\n");
    }

    // A request that never ends its head is cut off when the grace is over.
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost: loc").await.unwrap();
    let served = server.end().await;
    assert!(served.connections >= 3 && served.aborted <= 2, "{served:?}");
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, half.read_to_end(&mut rest)).await;
    assert!(closed.is_ok());
    tokio::task::spawn_blocking(|| drop(desk)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_bounded_in_number_and_in_time() {
    let request_timeout = Duration::from_secs(5);
    let (mut desk, server) = desk(Settings { reads_max: 1, request_timeout, ..Settings::default() }).await;
    server.end().await;
    let (release, held) = std::sync::mpsc::sync_channel::<()>(1);
    let (held, begun) = (Mutex::new(held), Arc::new(Semaphore::new(0)));
    let note = Arc::clone(&begun);
    desk.sources.expected = Arc::new(move |_, _, _, _| {
        note.add_permits(1);
        // Ends when the test lets go of the other end.
        let _closed = held.lock().expect("no holder panics").recv();
        Vec::new()
    });
    let server = desk.serve().await;
    let late = async { server.get("/api/v1/account").await };
    let busy = async {
        let _begun = tokio::time::timeout(PATIENCE, begun.acquire()).await.unwrap().unwrap();
        let page = server.get("/").await;
        // What does not read the store is not held up.
        assert_eq!(server.get("/metrics").await.status, 200);
        assert_eq!(server.get("/healthz").await.status, 200);
        page
    };
    let (late, busy) = tokio::join!(late, busy);
    assert_eq!((busy.status, late.status), (503, 503));
    assert!(busy.head.contains("retry-after: 2") && late.head.contains("retry-after: 2"), "{}", late.head);
    assert!(busy.body.contains("too many requests are reading the store"), "{}", busy.body);
    assert!(late.body.contains("longer than 5s"), "{}", late.body);
    drop(release);
    let freed = async { while server.get("/").await.status != 200 {} };
    tokio::time::timeout(PATIENCE, freed).await.expect("the place comes free");
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_are_refused_and_end() {
    let (desk, server) = desk(Settings::default()).await;
    let huge = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-A: b\r\n".repeat(100));
    for text in [huge.as_str(), &many, "\u{0}\u{1}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The server may close before all of it is written.
        let _cut = stream.write_all(text.as_bytes()).await;
        let mut bytes = Vec::new();
        let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
        assert!(end.is_ok(), "the connection stays open");
        assert!(!bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(server.get("/scenarios/%ff%fe").await.status, 400);
    assert_eq!(server.get("/scenarios/..%2f..%2fetc%2fpasswd").await.status, 404);
    assert_eq!(server.get("/runs/%00").await.status, 400);
    end(desk, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_their_gates_and_their_alerts_are_told() {
    let (desk, server) = desk(Settings::default()).await;
    assert_eq!(json(&server, "/api/v1/slos", 200).await["slos"], Value::Array(vec![]));
    json(&server, "/api/v1/slos/checkout", 404).await;
    for (bad, gate) in [(0, 200), (10, 200), (50, 409)] {
        desk.standings.send_replace([sample::standing(bad)].into());
        let listed = json(&server, "/api/v1/slos", 200).await;
        assert_eq!(listed["slos"][0]["budget"]["bad"], bad);
        assert_eq!(json(&server, "/api/v1/slos/checkout", 200).await["name"], "checkout");
        let answer = json(&server, "/api/v1/slos/checkout/gate", gate).await;
        assert_eq!(answer["open"], gate == 200);
        let fires = json(&server, "/api/v1/alerts", 200).await["alerts"].as_array().unwrap().len();
        assert_eq!(fires > 0, bad > 0);
    }
    let mut outage = sample::standing(10);
    (outage.objective, outage.budget) = (None, None);
    desk.standings.send_replace([outage].into());
    json(&server, "/api/v1/slos/checkout/gate", 404).await;
    json(&server, "/api/v1/slos/%3Cscript%3E/gate", 404).await;
    json(&server, "/api/v1/slos?all=1", 400).await;
    end(desk, server).await;
}
