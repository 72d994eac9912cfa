use super::*;

use http_body_util::{Empty, Full};
use hyper_util::rt::TokioExecutor;

use crate::client;
use crate::pki::{Flaw, Pki, Speech};
use crate::wait;

const SHORT: Duration = Duration::from_mins(1);

#[test]
fn it_answers_as_scripted_and_remembers() {
    let server = Server::start();
    server.on("/ok", Reply::ok("fine").header("x-tag", "1").cookie("session=abc"));
    server.on("/old", Reply::redirect(301, "/ok"));
    server.on_request("/echo", |seen| Reply::ok(seen.body.clone()));
    let ok = client::get(server.addr(), "/ok?x=1").unwrap();
    assert_eq!((ok.status, ok.body.as_str(), ok.header("x-tag")), (200, "fine", Some("1")));
    assert_eq!(ok.header("set-cookie"), Some("session=abc"));
    assert_eq!(client::get(server.addr(), "/old").unwrap().header("location"), Some("/ok"));
    assert_eq!(client::get(server.addr(), "/nowhere").unwrap().status, 404);
    assert_eq!(client::post_json(server.addr(), "/echo", r#"{"a":1}"#).unwrap().body, r#"{"a":1}"#);
    server.on("*", Reply::status(204));
    assert_eq!(client::get(server.addr(), "/nowhere").unwrap().status, 204);
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), seen[0].query.as_deref()), ("/ok", Some("x=1")));
    assert_eq!(seen.iter().map(|seen| seen.connection).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!((server.requests(), server.connections()), (5, 5));
    wait::until_blocking("the connections to close", SHORT, || server.open_connections() == 0);
}

#[test]
fn time_passes_where_the_script_says() {
    let server = Server::start();
    let late = Duration::from_millis(80);
    let timed = |path: &str| {
        let began = Instant::now();
        let answer = client::get(server.addr(), path).unwrap();
        (began.elapsed(), answer.body)
    };
    server.on("/head", Reply::ok("x").after(late));
    server.on("/body", Reply::ok("a").pause(late).body("b"));
    server.on("/fast", Reply::ok("x"));
    assert!(timed("/head").0 >= late);
    let (took, body) = timed("/body");
    assert!(took >= late);
    // The client spoke HTTP/1.0, so the body is not chunked.
    assert_eq!(body, "ab");
    server.delay_accept(late);
    assert!(timed("/fast").0 >= late);
}

#[test]
fn a_broken_body_is_not_whole() {
    let server = Server::start();
    server.on("/broken", Reply::ok("half").broken());
    let text = format!("GET /broken HTTP/1.1\r\nHost: {}\r\n\r\n", server.addr());
    let answer = client::request(server.addr(), &text).unwrap();
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert!(answer.body.contains("half") && !answer.body.ends_with("0\r\n\r\n"), "{:?}", answer.body);
}

#[tokio::test]
async fn http_2_with_prior_knowledge_reuses_its_connection() {
    let server = Server::start();
    server.on("/a", Reply::ok("a"));
    let stream = TcpStream::connect(server.addr()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    for _ in 0..2 {
        let request = Request::get(server.url("/a")).body(Full::<Bytes>::default()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "a");
    }
    assert_eq!((server.connections(), server.requests()), (1, 2));
    assert_eq!(server.open_connections(), 1);
}

#[tokio::test]
async fn tls_tells_the_name_and_can_be_slow() {
    let pki = Pki::new();
    let identity = pki.identity(&["shop.test"], Flaw::None);
    let server = Server::start_tls(identity.server_config(&Speech::h1()));
    server.on("/", Reply::ok("secret"));
    let late = Duration::from_millis(80);
    server.delay_tls(late);
    let began = Instant::now();
    let stream = TcpStream::connect(server.addr()).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(pki.client_config(&Speech::default()));
    let stream = connector.connect("shop.test".try_into().unwrap(), stream).await.unwrap();
    assert!(began.elapsed() >= late);
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    let request = Request::get("/").header("host", "shop.test").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
    assert_eq!(server.seen()[0].sni.as_deref(), Some("shop.test"));
    assert_eq!(server.url("/x"), format!("https://{}/x", server.addr()));
}

#[test]
fn a_dropped_server_is_gone() {
    let server = Server::start();
    let addr = server.addr();
    let open = std::net::TcpStream::connect(addr).unwrap();
    wait::until_blocking("the connection", SHORT, || server.open_connections() == 1);
    drop(server);
    assert!(std::net::TcpStream::connect(addr).is_err());
    drop(open);
}
