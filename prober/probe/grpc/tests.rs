//! The kind `grpc` against grpcio's server, and against peers that are none.

use std::io::Read as _;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::time::Duration;

use model::step::Phase;
use rustls::{ServerConnection, StreamOwned};
use scenario::fields::Bound;
use scenario::source::{Span, Spanned};
use scenario::value::{Reading, Selector, Value};
use testkit::hostile::http2::{END_HEADERS, END_STREAM, Kind as Frame, STATUS_200, frame, speech};
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};
use testkit::servers::Python;

use super::KIND;
use crate::trial::{PATIENCE, Trial, compile, judge, run, shared, template, text, told, until_in};

const PLAIN: (&str, Bound) = ("tls", Bound::Bool(false));

async fn check(addr: SocketAddr, keys: Vec<(&'static str, Bound)>, limit: Duration) -> Trial {
    let keys = [vec![("address", template(addr.to_string()))], keys].concat();
    run(&KIND, keys, &shared(), limit).await
}

fn metadata(name: &str, value: &str) -> (&'static str, Bound) {
    let name = Spanned::new(name.to_owned(), Span::default());
    ("metadata", Bound::Map(vec![(name, Spanned::new(template(value), Span::default()))]))
}

fn word(trial: &Trial, subject: &str) -> String {
    match trial.value(subject) {
        Value::Text(text) => text.into_owned(),
        other => panic!("{subject} is {other:?}"),
    }
}

#[tokio::test]
async fn a_real_server_says_how_its_services_are() {
    let server = Python::grpc(None);
    for (service, status, code) in [
        ("", "SERVING", "OK"),
        ("shop.Orders", "SERVING", "OK"),
        ("shop.Search", "NOT_SERVING", "OK"),
        ("shop.Nothing", "SERVICE_UNKNOWN", "NOT_FOUND"),
    ] {
        let trial = check(server.addr(), vec![PLAIN, ("service", template(service))], PATIENCE).await;
        assert_eq!((word(&trial, "status"), word(&trial, "grpc_status")), (status.into(), code.into()));
        assert_eq!(trial.phases(0), [Phase::Connect, Phase::Send, Phase::Wait, Phase::Receive]);
        assert_eq!(trial.outcome.hops[0].status.as_deref(), Some(code));
        assert_eq!(trial.attribute("rpc.service"), "grpc.health.v1.Health");
    }
    let trial = check(server.addr(), vec![PLAIN, metadata("X-Tenant", "test")], PATIENCE).await;
    let heard = trial.outcome.evidence.read("metadata", &Selector::Header("x-heard".into()));
    assert_eq!(heard, Reading::One(Value::Text("test".into())));
    let trial = check(server.addr(), vec![PLAIN, metadata("x-deny", "yes")], PATIENCE).await;
    assert_eq!(word(&trial, "grpc_status"), "PERMISSION_DENIED");
    assert_eq!(word(&trial, "message"), "not for you: caf\u{e9} closed");
    assert_eq!(trial.read("status"), Reading::Absent);
}

#[tokio::test]
async fn a_real_server_in_tls() {
    let pki = Pki::new();
    let identity = pki.identity(&["orders.test"], Flaw::None);
    let server = Python::grpc(Some(&identity));
    let ca = ("ca", text(pki.root_file().to_str().unwrap()));
    let name = ("server_name", text("orders.test"));
    let trial = check(server.addr(), vec![ca.clone(), name.clone()], PATIENCE).await;
    assert_eq!(word(&trial, "status"), "SERVING");
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls, Phase::Send, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
    let trial = check(server.addr(), vec![name], PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.untrusted");
    let trial = check(server.addr(), vec![ca], PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.name_mismatch");
    let insecure = ("insecure", text("a test"));
    let trial = check(server.addr(), vec![insecure], PATIENCE).await;
    assert_eq!(word(&trial, "status"), "SERVING");
    assert_eq!(trial.attribute("prober.tls.insecure"), "a test");
    // In the clear to a server that wants TLS.
    let trial = check(server.addr(), vec![PLAIN], PATIENCE).await;
    assert!(["protocol grpc.protocol", "connect connect.reset"].contains(&trial.failure().as_str()));
}

/// A head or trailers with these, packed without a table (RFC 7541, section 6.2.2).
fn packed(status: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    let mut packed = status.to_vec();
    for (name, value) in fields {
        packed.push(0);
        for text in [name, value] {
            packed.push(u8::try_from(text.len()).unwrap());
            packed.extend_from_slice(text.as_bytes());
        }
    }
    packed
}

#[tokio::test]
async fn the_status_behind_the_message_is_the_calls() {
    let kind = ("content-type", "application/grpc");
    let head =
        |flags, fields: &[_]| frame(Frame::Headers, END_HEADERS | flags, 1, &packed(STATUS_200, fields));
    let trailers = |fields: &[_]| frame(Frame::Headers, END_HEADERS | END_STREAM, 1, &packed(&[], fields));
    let serving = |flags| frame(Frame::Data, flags, 1, &[0, 0, 0, 0, 2, 8, 1]);
    let (ok, lost) = (("grpc-status", "0"), ("grpc-status", "14"));
    for (frames, expected) in [
        (vec![head(0, &[kind]), serving(0), trailers(&[ok])], "ok"),
        (vec![head(0, &[kind, ok]), serving(0), trailers(&[lost])], "failed protocol grpc.unavailable"),
        (vec![head(0, &[kind, lost]), serving(0), trailers(&[ok])], "ok"),
        (vec![head(END_STREAM, &[kind, lost])], "failed protocol grpc.unavailable"),
        (vec![head(0, &[kind, ok]), serving(END_STREAM)], "failed protocol grpc.protocol"),
        (
            vec![head(0, &[kind]), serving(0), trailers(&[ok, lost])],
            "failed protocol grpc.protocol: the call ended with two statuses, 0 and 14",
        ),
        (
            vec![head(END_STREAM, &[kind, ("grpc-status", "99"), ("grpc-message", "odd")])],
            "failed protocol grpc.unknown: grpc_status is UNKNOWN, expected OK: the server's code is `99`: odd",
        ),
        (
            vec![head(0, &[("content-type", "application/grpc-web+proto")]), serving(END_STREAM)],
            "failed protocol grpc.protocol: what answers speaks gRPC-Web",
        ),
    ] {
        let hostile = Hostile::start(Fault::Http2(speech(&frames), Vec::new()));
        let told = told(&judge(&format!("grpc: {{ address: \"{}\", tls: false }}", hostile.addr())).await);
        assert!(told.starts_with(expected), "{expected}\n{told}");
    }
}

#[tokio::test]
async fn a_failure_that_is_expected_has_no_health() {
    let kind = ("content-type", "application/grpc");
    let fields = packed(STATUS_200, &[kind, ("grpc-status", "7")]);
    let denied = [frame(Frame::Headers, END_HEADERS | END_STREAM, 1, &fields)];
    for (expect, expected) in [
        ("{ grpc_status: PERMISSION_DENIED }", "ok"),
        ("{ grpc_status: UNAVAILABLE }", "failed incorrect assert.grpc_status"),
        ("{ grpc_status: PERMISSION_DENIED, status: SERVING }", "failed incorrect assert.status"),
        ("{ message: \"\" }", "failed protocol grpc.permission_denied"),
    ] {
        let hostile = Hostile::start(Fault::Http2(speech(&denied), Vec::new()));
        let step = format!("grpc: {{ address: \"{}\", tls: false }}\nexpect: {expect}", hostile.addr());
        let told = told(&judge(&step).await);
        assert!(told.starts_with(expected), "{expect}\n{told}");
    }
}

#[tokio::test]
async fn verdicts_of_scenarios() {
    let server = Python::grpc(None);
    for (keys, expected) in [
        ("tls: false }", "ok"),
        ("tls: false, service: shop.Orders }\nexpect: { status: SERVING, message: \"\" }", "ok"),
        ("tls: false, service: shop.Search }", "failed protocol grpc.not_serving: status is NOT_SERVING"),
        ("tls: false, service: shop.Search }\nexpect: { status: NOT_SERVING }", "ok"),
        ("tls: false, service: shop.None }", "failed protocol grpc.not_found: grpc_status is NOT_FOUND"),
        (
            "tls: false, service: shop.None }\nexpect: { status: SERVICE_UNKNOWN, grpc_status: NOT_FOUND }",
            "ok",
        ),
        ("tls: false, service: shop.Search }\nexpect: { status: SERVING }", "failed incorrect assert.status"),
    ] {
        let told = told(&judge(&format!("grpc: {{ address: \"{}\", {keys}", server.addr())).await);
        assert!(told.starts_with(expected), "{keys}\n{told}");
    }
}

/// As gRPC's servers in C do without a certificate of the client.
#[tokio::test]
async fn who_asks_for_a_certificate_and_hangs_up_is_told() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    for (config, is_told) in [
        (identity.server_config_hoping(&Speech::h2(), &pki), true),
        (identity.server_config(&Speech::h2()), false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            tls.read_exact(&mut [0; 24]).unwrap();
            tls.sock.shutdown(Shutdown::Write).unwrap();
            drop(tls.sock.read_to_end(&mut Vec::new()));
        });
        let ca = ("ca", text(pki.root_file().to_str().unwrap()));
        let trial = check(addr, vec![ca], PATIENCE).await;
        assert_eq!(trial.failure(), "protocol grpc.protocol");
        let said = "; it had asked for a certificate of the client and got none";
        assert_eq!(trial.message().ends_with(said), is_told, "{}", trial.message());
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn peers_that_do_not_answer() {
    let pki = Pki::new();
    let config = pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h2());
    let insecure = || vec![("insecure", text("a test"))];
    for (fault, keys, last) in [
        (Fault::HalfOpen, vec![PLAIN], Phase::Wait),
        (Fault::HalfOpen, insecure(), Phase::Tls),
        (Fault::TlsStall, insecure(), Phase::Tls),
        (Fault::SilentAfterTls(config), insecure(), Phase::Wait),
    ] {
        let target = Hostile::start(fault);
        let trial = until_in(last, async |limit| check(target.addr(), keys.clone(), limit).await).await;
        assert_eq!(trial.failure(), "timeout timeout");
        assert_eq!(trial.last_phase(), Some(last));
        trial.ended_in_time();
    }
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(check(addr, vec![PLAIN], PATIENCE).await.failure(), "connect connect.refused");
}

#[tokio::test]
async fn peers_that_are_no_grpc_server() {
    for fault in [
        Fault::Garbage,
        Fault::EndlessBody,
        Fault::CloseOnAccept,
        Fault::CloseAfterRequest,
        Fault::ResetOnAccept,
    ] {
        let target = Hostile::start(fault.clone());
        let trial = check(target.addr(), vec![PLAIN], PATIENCE).await;
        let failure = trial.failure();
        assert!(
            ["protocol grpc.protocol", "connect connect.reset"].contains(&failure.as_str()),
            "{fault:?}: {failure}"
        );
    }
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let server = Server::start_tls(identity.server_config(&Speech::h2()));
    let ca = || vec![("ca", text(pki.root_file().to_str().unwrap()))];
    server.on("/grpc.health.v1.Health/Check", Reply::ok("hello").header("content-type", "text/html"));
    let trial = check(server.addr(), ca(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol grpc.protocol");
    assert_eq!(trial.message(), "what answers is no gRPC server: it sent text/html");
    server.on("/grpc.health.v1.Health/Check", Reply::status(503));
    let trial = check(server.addr(), ca(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol 503");
    // A status in the head, with a body that is no message.
    for (body, error) in [("", "the answer has no message"), ("junk!", "bytes where")] {
        let reply = Reply::ok(body).header("content-type", "application/grpc").header("grpc-status", "0");
        server.on("/grpc.health.v1.Health/Check", reply);
        let trial = check(server.addr(), ca(), PATIENCE).await;
        assert_eq!(trial.failure(), "protocol grpc.protocol");
        assert!(trial.message().contains(error) || body.len() == 5, "{}", trial.message());
    }
    let h1 = Server::start_tls(identity.server_config(&Speech::h1()));
    let trial = check(h1.addr(), ca(), PATIENCE).await;
    assert!(["protocol grpc.protocol", "tls tls.handshake"].contains(&trial.failure().as_str()));
}

#[test]
fn mistakes_in_the_file() {
    let check = |keys: Vec<(&'static str, Bound)>| compile(&KIND, keys).err().unwrap_or_default();
    let address = ("address", template("orders.test:443"));
    assert_eq!(
        check(vec![("address", template("orders.test")), metadata("grpc-timeout", "1S")]),
        [
            "E134: `orders.test` has no port",
            "E173: the header grpc-timeout belongs to the call and cannot be set"
        ]
    );
    assert_eq!(
        check(vec![address.clone(), PLAIN, ("ca", text("ca.pem"))]),
        ["E135: `ca` says something about TLS, and `tls: false` wants none"]
    );
    assert_eq!(
        check(vec![address.clone(), ("server_name", text("https://x/"))]),
        ["E178: `https://x/` is not a host name or an IP address"]
    );
    assert_eq!(
        check(vec![address, ("service", template("x".repeat(2000)))]),
        ["E104: the name of the service is longer than 1024 bytes"]
    );
}
