//! HTTP/3 against a server of its own, against one that others wrote, and against peers that are none.

use std::net::SocketAddr;

use bytes::{Buf as _, Bytes};
use h3::server::RequestStream;
use http::{Request, Response};
use model::step::Phase::{Dns, Handshake, Receive, Send, Wait};
use quinn::crypto::rustls::QuicServerConfig;
use scenario::value::Value;
use testkit::pki::{Flaw, Identity, Pki, Speech};
use testkit::servers::{Python, Quic};
use tokio::task::JoinSet;

use super::*;

const DELAY: Duration = Duration::from_millis(120);

/// A server that speaks HTTP/3; dropping it ends it.
struct Served {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Served {
    fn start(identity: &Identity) -> Self {
        let speech = Speech { alpn: vec!["h3"], ..Speech::tls13() };
        let tls = QuicServerConfig::try_from(identity.server_config(&speech)).unwrap();
        let config = quinn::ServerConfig::with_crypto(Arc::new(tls));
        let endpoint = quinn::Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = endpoint.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Some(incoming) = endpoint.accept().await {
                connections.spawn(async move {
                    // A client may leave at any time.
                    let _end = serve(incoming).await;
                });
            }
        });
        Self { addr, _tasks: tasks }
    }

    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.addr.port())
    }
}

async fn serve(
    incoming: quinn::Incoming,
) -> Result<(), Box<dyn std::error::Error + std::marker::Send + Sync>> {
    let connection = h3_quinn::Connection::new(incoming.await?);
    let mut connection = h3::server::Connection::<_, Bytes>::new(connection).await?;
    while let Some(resolver) = connection.accept().await? {
        let (request, stream) = resolver.resolve_request().await?;
        answer(request, stream).await?;
    }
    Ok(())
}

async fn answer<S: h3::quic::BidiStream<Bytes>>(
    request: Request<()>,
    mut stream: RequestStream<S, Bytes>,
) -> Result<(), Box<dyn std::error::Error + std::marker::Send + Sync>> {
    let mut body = Vec::new();
    while let Some(mut piece) = stream.recv_data().await? {
        body.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
    }
    let head = Response::builder();
    match request.uri().path() {
        "/slow" => {
            tokio::time::sleep(DELAY).await;
            stream.send_response(head.body(())?).await?;
            stream.send_data(Bytes::from_static(b"he")).await?;
            tokio::time::sleep(DELAY).await;
            stream.send_data(Bytes::from_static(b"llo")).await?;
        }
        "/moved" => stream.send_response(head.status(302).header("location", "/").body(())?).await?,
        "/echo" => {
            stream.send_response(head.header("set-cookie", "a=b").body(())?).await?;
            stream.send_data(body.into()).await?;
        }
        "/endless" => {
            stream.send_response(head.body(())?).await?;
            loop {
                stream.send_data(Bytes::from(vec![b'x'; 16_384])).await?;
            }
        }
        "/hinted" => {
            for _ in 0..2 {
                stream
                    .send_response(Response::builder().status(103).header("link", "</a>").body(())?)
                    .await?;
            }
            stream.send_response(head.status(201).body(())?).await?;
            stream.send_data(Bytes::from_static(b"hello")).await?;
        }
        "/empty" => {
            stream.send_response(head.status(204).body(())?).await?;
            stream.send_data(Bytes::from_static(b"hello")).await?;
        }
        "/hinting" => loop {
            stream.send_response(Response::builder().status(103).body(())?).await?;
        },
        "/silent" => std::future::pending().await,
        "/broken" => {
            stream.send_response(head.body(())?).await?;
            stream.send_data(Bytes::from_static(b"half")).await?;
            // A reset throws away what has not been read.
            tokio::time::sleep(DELAY).await;
            stream.stop_stream(h3::error::Code::H3_INTERNAL_ERROR);
            return Ok(());
        }
        _ => {
            stream.send_response(head.header("x-agent", "h3").body(())?).await?;
            stream.send_data(Bytes::from_static(b"hello")).await?;
        }
    }
    stream.finish().await?;
    Ok(())
}

fn three(url: String, pki: &Pki) -> Keys {
    let more =
        vec![("http_version", Bound::Choice("3")), ("ca", text(pki.root_file().display().to_string()))];
    [get(url), more].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_over_http_3_and_where_its_time_went() {
    let pki = Pki::new();
    let server = Served::start(&pki.identity(&["127.0.0.1"], Flaw::None));
    let delays = [(Wait, DELAY), (Receive, DELAY), (Send, Duration::ZERO)];
    let mut tries = 0;
    let trial = loop {
        let keys = three(server.url("/slow"), &pki);
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.outcome.failure, None);
        assert_eq!(trial.phases(0), [Handshake, Send, Wait, Receive]);
        tries += 1;
        let noise = Duration::from_millis(150);
        match delays.iter().find_map(|(phase, delay)| trial.misbilled((0, *phase), (*delay, noise))) {
            None => break trial,
            // What a busy machine adds, it does not add every time.
            Some(wrong) => assert!(tries < 5, "{wrong}"),
        }
    };
    assert_eq!(trial.value("body"), Value::Text("hello".into()));
    assert_eq!(trial.value("http_version"), Value::Text("3".into()));
    assert_eq!(trial.attribute("network.transport"), "quic");
    assert_eq!(trial.attribute("network.protocol.version"), "3");
    assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
    assert_eq!(trial.attribute("tls.server.hash.sha256").len(), 64);
    assert_eq!(trial.attribute("prober.ttfb.definition"), "response_headers");
    let moved = trial::run(&KIND, three(server.url("/moved"), &pki), &trial::shared(), trial::PATIENCE).await;
    assert_eq!(moved.value("redirects"), Value::Int(1));
    let mut keys = three(server.url("/echo"), &pki);
    keys.extend([("method", text("POST")), ("body", template("order"))]);
    let echo = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
    assert_eq!(echo.value("body"), Value::Text("order".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interim_answer_is_none() {
    let pki = Pki::new();
    let server = Served::start(&pki.identity(&["127.0.0.1"], Flaw::None));
    let keys = three(server.url("/hinted"), &pki);
    let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.value("status"), Value::Int(201));
    assert_eq!(trial.value("body"), Value::Text("hello".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_told_apart() {
    let pki = Pki::new();
    let server = Served::start(&pki.identity(&["127.0.0.1"], Flaw::None));
    let expired = Served::start(&pki.identity(&["127.0.0.1"], Flaw::Expired));
    let elsewhere = Served::start(&pki.identity(&["127.0.0.1"], Flaw::WrongName));
    let nobody = testkit::wait::free_port();
    for (url, failure, last) in [
        (expired.url("/"), "tls tls.expired", Handshake),
        (elsewhere.url("/"), "tls tls.name_mismatch", Handshake),
        (server.url("/silent"), "timeout timeout", Wait),
        (server.url("/broken"), "protocol http.protocol", Receive),
        (server.url("/hinting"), "protocol http.protocol", Wait),
        (server.url("/empty"), "protocol http.protocol", Receive),
        (format!("https://127.0.0.1:{nobody}/"), "connect connect.refused", Handshake),
        // An address that holds for one interface only, and does not say for which.
        ("https://[fe80::1]/".to_owned(), "local local.route", Handshake),
        ("https://nowhere.test/".to_owned(), "dns dns.nxdomain", Dns),
    ] {
        let names = testkit::dns::Server::start();
        let shared = shared_asking(names.addr());
        let visit = async |limit| trial::run(&KIND, three(url.clone(), &pki), &shared, limit).await;
        let trial = trial::patiently(|trial| came_to(trial, failure, last), visit).await;
        assert_eq!(trial.failure(), failure, "{url}: {}", trial.message());
        assert_eq!(trial.phases(0).last(), Some(&last), "{url}");
        trial.ended_in_time();
    }
    let mut keys = three(server.url("/endless"), &pki);
    keys.push(("body_limit", Bound::Size(64 << 10)));
    let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None, "a body beyond its limit is left");
    let plain = three("http://127.0.0.1:1/".into(), &pki);
    let plain = trial::run(&KIND, plain, &trial::shared(), trial::PATIENCE).await;
    assert_eq!(plain.message(), "HTTP/3 is spoken only to https");
}

/// Whether a run failed as `failure` says, and in this phase.
fn came_to(trial: &trial::Trial, failure: &str, last: Phase) -> bool {
    trial.outcome.failure.is_some() && trial.failure() == failure && trial.last_phase() == Some(last)
}

/// Where a server of aioquic has `path`.
fn at(server: &Python, path: &str) -> String {
    format!("https://{}{path}", server.addr())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_a_server_that_others_wrote() {
    let pki = Pki::new();
    let server = Python::http3(&pki.identity(&["127.0.0.1"], Flaw::None), &Quic::default());
    let visit = |path: &str, more: Keys| {
        let keys = [three(at(&server, path), &pki), more].concat();
        async move { trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await }
    };
    let trial = visit("/slow", Vec::new()).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.phases(0), [Handshake, Send, Wait, Receive]);
    for phase in [Wait, Receive] {
        // While the machine keeps us from reading a piece, the phase before it goes on.
        let (time, stalled) = (trial.phase(0, phase), trial.stalled());
        assert!(time + trial::EARLY + stalled >= DELAY, "{phase:?} took {time:?}, stalled {stalled:?}");
    }
    assert_eq!(trial.value("body"), Value::Text("hello".into()));
    assert_eq!(trial.value("http_version"), Value::Text("3".into()));
    assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
    let trial = visit("/moved", Vec::new()).await;
    assert_eq!((trial.value("status"), trial.value("redirects")), (Value::Int(200), Value::Int(1)));
    assert_eq!(visit("/gone", Vec::new()).await.value("status"), Value::Int(410));
    let order = vec![("method", text("POST")), ("body", template("x".repeat(200_000)))];
    let trial = visit("/echo", order).await;
    assert_eq!(trial.value("body"), Value::Text("x".repeat(200_000).into()));
    let trial = visit("/large", vec![("body_limit", Bound::Size(2 << 20))]).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.value("size"), Value::Int(1_500_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_others_wrote_breaks_off() {
    let pki = Pki::new();
    let server = Python::http3(&pki.identity(&["127.0.0.1"], Flaw::None), &Quic::default());
    for (path, failure, last) in [
        ("/silent", "timeout timeout", Wait),
        ("/reset", "protocol http.protocol", Receive),
        ("/close", "protocol http.protocol", Receive),
        ("/stop", "timeout timeout", Receive),
        ("/garbage", "protocol http.protocol", Receive),
        ("/long-head", "protocol http.protocol", Wait),
        ("/endless-length", "protocol http.truncated", Receive),
        ("/short-length", "protocol http.protocol", Receive),
        ("/no-length", "protocol http.protocol", Receive),
    ] {
        let keys = three(at(&server, path), &pki);
        let visit = async |limit| trial::run(&KIND, keys.clone(), &trial::shared(), limit).await;
        let trial = trial::patiently(|trial| came_to(trial, failure, last), visit).await;
        assert!(trial.outcome.failure.is_some(), "{path} is good");
        assert_eq!(trial.failure(), failure, "{path}: {}", trial.message());
        assert_eq!(trial.phases(0).last(), Some(&last), "{path}");
        trial.ended_in_time();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_a_server_that_others_wrote_does_not_come_to() {
    let pki = Pki::new();
    let good = || pki.identity(&["127.0.0.1"], Flaw::None);
    let flawed = |flaw| pki.identity(&["127.0.0.1"], flaw);
    let h3 = Quic::default();
    for (what, identity, speech, failure) in [
        ("expired", flawed(Flaw::Expired), h3, "tls tls.expired"),
        ("another name", flawed(Flaw::WrongName), h3, "tls tls.name_mismatch"),
        ("another protocol", good(), Quic { alpn: "hq-interop", ..h3 }, "tls tls.handshake"),
        ("another version", good(), Quic { version: Quic::V2, ..h3 }, "protocol http.protocol"),
    ] {
        let server = Python::http3(&identity, &speech);
        let keys = three(at(&server, "/"), &pki);
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.failure(), failure, "{what}: {}", trial.message());
        assert_eq!(trial.phases(0), [Handshake], "{what}");
    }
    // An authority that nobody has heard of.
    let other = Pki::new();
    let server = Python::http3(&other.identity(&["127.0.0.1"], Flaw::None), &h3);
    let trial = trial::run(&KIND, three(at(&server, "/"), &pki), &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.untrusted");
}

#[tokio::test]
async fn a_weak_signature_is_called_weak() {
    let how = testkit::pki::WEAK.into_iter().find(|how| how.name == "SHA-1 leaf").unwrap();
    let (identity, folder) = testkit::pki::weak(how);
    let server = Served::start(&identity);
    let mut keys = get(format!("https://localhost:{}/", server.addr.port()));
    keys.push(("http_version", Bound::Choice("3")));
    keys.push(("ca", text(folder.path().join("root.pem").display().to_string())));
    let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.weak", "{}", trial.message());
    assert!(trial.attribute("tls.server.subject").contains("localhost"));
}
