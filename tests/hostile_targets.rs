//! Targets that break the rules of TCP, TLS and HTTP: each run ends within its deadline, in the right class.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::Value;
use testkit::hostile::{Fault, Hostile, Unconnectable};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};

use crate::support::{Project, event, said, text};

/// The timeout of every scenario here.
const TIMEOUT: f64 = 1.5;
/// What a run may take beyond its timeout, on a machine that is busy with other tests.
const MARGIN: f64 = 1.0;
/// How often a run is tried again that was late, or came to its timeout.
const TRIES: usize = 4;

/// Name, fault, scheme, and the failure classes that it may have.
type Case = (&'static str, Fault, &'static str, &'static str);

fn cases(tls: &Arc<ServerConfig>) -> Vec<Case> {
    vec![
        ("half-open", Fault::HalfOpen, "http", "timeout"),
        ("close-on-accept", Fault::CloseOnAccept, "http", "protocol connect"),
        ("reset-on-accept", Fault::ResetOnAccept, "http", "connect"),
        ("reset-after-request", Fault::ResetAfterRequest, "http", "connect"),
        ("close-after-request", Fault::CloseAfterRequest, "http", "protocol connect"),
        ("tls-stall", Fault::TlsStall, "https", "timeout"),
        ("tls-garbage", Fault::TlsGarbage, "https", "tls"),
        ("tls-closed", Fault::CloseOnAccept, "https", "tls connect"),
        ("reset-after-tls", Fault::ResetAfterTls(Arc::clone(tls)), "https", "connect"),
        ("silent-after-tls", Fault::SilentAfterTls(Arc::clone(tls)), "https", "timeout"),
        ("drip", Fault::Drip(Duration::from_millis(100)), "http", "timeout"),
        ("endless-headers", Fault::EndlessHeaders, "http", "protocol"),
        ("endless-header-line", Fault::EndlessHeaderLine, "http", "protocol"),
        ("endless-continue", Fault::EndlessContinue, "http", "protocol timeout"),
        ("endless-body", Fault::EndlessBody, "http", "incorrect protocol"),
        ("short-body", Fault::ShortBody, "http", "protocol"),
        ("mid-body-close", Fault::MidBodyClose, "http", "protocol"),
        ("mid-body-reset", Fault::MidBodyReset, "http", "protocol connect"),
        ("two-lengths", Fault::TwoLengths, "http", "protocol"),
        ("garbage", Fault::Garbage, "http", "protocol"),
        ("old", Fault::Raw(b"HTTP/9.9 what\r\n\r\n".to_vec()), "http", "protocol"),
        ("nul", Fault::Raw(b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n".to_vec()), "http", "protocol"),
    ]
}

#[test]
fn every_hostile_answer_ends_in_time_and_in_its_class() {
    let pki = Pki::new();
    let tls = pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h1());
    let root = pki.root_file();
    let cases = cases(&tls);
    let (mut project, mut targets) = (Project::new(""), Vec::new());
    for (name, fault, scheme, _) in &cases {
        let target = Hostile::start(fault.clone());
        let url = format!("{scheme}://{}/", target.addr());
        let ca = if *scheme == "https" { format!(", ca: \"{}\"", root.display()) } else { String::new() };
        // What is expected of the body makes every byte of it matter.
        project.scenario(
            name,
            &format!(
                "timeout: 1500ms\nhttp: {{ url: \"{url}\"{ca}, body_limit: 64KiB }}\nexpect: {{ body: {{ contains: never }} }}"
            ),
        );
        targets.push(target);
    }
    let unconnectable = Unconnectable::start();
    project.scenario("unconnectable", &format!("timeout: 1500ms\nhttp: http://{}/", unconnectable.addr()));
    let server = servers(&mut project);
    let (events, ran) = project.run();
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let others = [
        ("unconnectable", "connect timeout"),
        ("redirect-loop", "protocol"),
        ("to-file", "protocol"),
        ("to-nowhere", "connect"),
        ("big-body", "incorrect protocol"),
        ("bomb-headers", "protocol"),
    ];
    let all: Vec<_> = cases.iter().map(|(name, _, _, classes)| (*name, *classes)).chain(others).collect();
    for (name, classes) in all {
        let mut one = event(&events, name).clone();
        // A busy machine may come to the timeout before it comes to the fault: those are run again by themselves.
        // What a run says before its timeout counts at once.
        for _ in 0..TRIES {
            if wrong(&one, classes).is_none() || took(&one) < TIMEOUT - 0.1 {
                break;
            }
            let ran = project.prober(&["run", name, "--format", "json"]);
            let again: Vec<Value> =
                serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
            one = event(&again, name).clone();
        }
        assert_eq!(wrong(&one, classes), None, "{name} is to be {classes}");
        if name == "redirect-loop" {
            assert_eq!(text(&one, "error.type"), "http.redirect_loop");
        }
    }
    drop(server);
}

/// How long a run took, in seconds.
fn took(event: &Value) -> f64 {
    event["prober.run.duration"].as_f64().unwrap()
}

/// What is wrong about an event that should be bad, in one of these classes and in time.
fn wrong(event: &Value, classes: &str) -> Option<String> {
    let class = text(event, "prober.failure.class");
    let took = took(event);
    let explained =
        !text(event, "prober.failure.message").is_empty() && !text(event, "error.type").is_empty();
    let right = event["prober.verdict"] == "bad"
        && explained
        && classes.split(' ').any(|allowed| allowed == class)
        && took <= TIMEOUT + MARGIN
        && (class != "timeout" || (took >= TIMEOUT - 0.1 && said(event) == "bad failed timeout"));
    (!right).then(|| format!("{event:#}"))
}

/// Targets that keep the protocol and are a nuisance all the same.
fn servers(project: &mut Project) -> Server {
    let server = Server::start();
    server.on("/loop", Reply::redirect(302, "/loop"));
    server.on("/file", Reply::redirect(302, "file:///etc/passwd"));
    server.on("/nowhere", Reply::redirect(302, &format!("http://127.0.0.1:{}/", testkit::wait::free_port())));
    server.on("/big", Reply::status(200).endless(vec![b'x'; 65_536]));
    server.on(
        "/headers",
        (0..2_000).fold(Reply::ok("x"), |reply, number| reply.header(&format!("x-{number}"), "more")),
    );
    let paths = [
        ("redirect-loop", "/loop"),
        ("to-file", "/file"),
        ("to-nowhere", "/nowhere"),
        ("big-body", "/big"),
        ("bomb-headers", "/headers"),
    ];
    for (name, path) in paths {
        project.scenario(
            name,
            &format!(
                "timeout: 1500ms\nhttp: {}\nexpect: {{ body: {{ contains: never }} }}",
                server.url(path)
            ),
        );
    }
    server
}

#[test]
fn texts_of_a_target_do_no_harm_where_they_are_shown() {
    let server = Server::start();
    let nasty = "\u{1b}[31mred\u{7}<script>alert(1)</script>\u{202e}drawkcab\r\nX-Evil: 1";
    server.on("/", Reply::ok(nasty).header("x-note", "<b>bold</b>"));
    let expect = "expect: { body: fine }\ncapture: { note: { header: x-note } }";
    let project = Project::with(
        "",
        &[("nasty", format!("every: 1s\ntimeout: 900ms\nhttp: {}\n{}", server.url("/"), expect))],
    );
    let ran = project.prober(&["run", "-v"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        !ran.out.contains('\u{1b}') && !ran.out.contains('\u{7}'),
        "a target's escape reaches the terminal: {ran:?}"
    );
    let serving = project.serve();
    let api = serving.api();
    let events = api.until_events("verdict=bad", 1);
    let id = text(&events[0], "prober.slot.id");
    for path in ["/".to_owned(), "/scenarios/nasty".to_owned(), format!("/runs/{id}")] {
        let page = api.get(&path);
        assert!(!page.contains("<script>alert") && !page.contains("<b>bold"), "{path}: {page}");
    }
    drop(serving);
    let ran = project.prober(&["explain", id]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
}

/// The most that the program may ever hold while its targets pour out all they can, in KiB: a hundred runs that
/// each took what they are allowed to would be more.
const MEMORY_MAX_KIB: u64 = 160 << 10;

#[test]
fn targets_without_an_end_do_not_fill_the_memory() {
    let alone = crate::support::alone();
    let noise = || Fault::Flood(b"noise without an end ".to_vec());
    // A message of 4 GiB is announced, and more of it comes for ever.
    let huge = || Fault::Flood([&b"R\xff\xff\xff\xff"[..], &[b'x'; 1024]].concat());
    let targets: Vec<_> = [
        ("headers", Fault::EndlessHeaders),
        ("header-line", Fault::EndlessHeaderLine),
        ("continue", Fault::EndlessContinue),
        ("body", Fault::EndlessBody),
        ("noise", noise()),
        ("noise-tls", noise()),
        ("noise-tcp", noise()),
        ("noise-sql", noise()),
        ("huge-sql", huge()),
        ("noise-s3", Fault::EndlessBody),
        ("noise-mysql", noise()),
        ("noise-smtp", Fault::Flood(b"220-and more\r\n".to_vec())),
        ("noise-nats", noise()),
        ("noise-grpc", noise()),
        ("noise-websocket", Fault::WebSocket(Box::new(Fault::Flood(vec![0x89, 0])))),
        ("huge-websocket", Fault::WebSocket(Box::new(Fault::Flood(vec![0x02, 1, b'x', 0x00, 1, b'y'])))),
    ]
    .map(|(name, fault)| (name, Hostile::start(fault)))
    .into();
    let step = |name: &str, addr: &str| match name {
        "noise-tls" => format!("tls: \"{addr}\""),
        "noise-tcp" => format!("tcp: {{ address: \"{addr}\", read_until: never }}"),
        "noise-sql" | "huge-sql" => {
            format!("sql: {{ dsn: \"postgresql://probe@{addr}/shop?sslmode=disable\", query: select 1 }}")
        }
        "noise-s3" => format!("s3: {{ endpoint: \"http://{addr}\", bucket: shop }}"),
        "noise-mysql" => format!("sql: {{ dsn: \"mysql://probe@{addr}/shop\", query: select 1 }}"),
        "noise-smtp" => format!("smtp: \"{addr}\""),
        "noise-nats" => format!("jetstream: {{ address: \"{addr}\", stream: ORDERS }}"),
        "noise-grpc" => format!("grpc: {{ address: \"{addr}\", tls: false }}"),
        "noise-websocket" | "huge-websocket" => {
            format!("websocket: {{ url: \"ws://{addr}/\", messages: 1, message_limit: 1MiB }}")
        }
        _ => format!("http: http://{addr}/\nexpect: {{ json: {{ $.status: UP }} }}"),
    };
    let scenarios: Vec<_> = targets
        .iter()
        .map(|(name, target)| {
            let step = step(name, &target.addr().to_string());
            (*name, format!("every: 1s\ntimeout: 900ms\n{step}"))
        })
        .collect();
    let project = Project::with("", &scenarios);
    let serving = project.serve();
    let api = serving.api();
    for (name, _) in &targets {
        // A slot may be missed where so many pour at once; none may be good.
        api.until_events(&format!("scenario={name}&verdict=bad"), 2);
        let events = api.events(&format!("scenario={name}"));
        assert!(events.iter().all(|event| event["prober.verdict"] != "good"), "{name}: {:#}", events[0]);
    }
    let peak = serving.memory_peak_kib();
    assert!(peak < MEMORY_MAX_KIB, "the program held {peak} KiB");
    drop(serving);
    drop(alone);
}
