use super::*;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use model::time::{SystemClock, Timestamp};
use testkit::client::{self, Answer};

/// A clock that stands where a test puts it.
struct Hand(Mutex<Timestamp>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

struct Demo {
    shop: Shop,
    hand: Arc<Hand>,
    started: Timestamp,
    folder: tempfile::TempDir,
}

impl Demo {
    async fn start() -> Self {
        // The certificates are judged by the machine's clock.
        let started = Timestamp::from_seconds(SystemClock.now().as_millis() / 1000);
        let hand = Arc::new(Hand(Mutex::new(started)));
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = hand.clone();
        let config = Config { clock, ports: Ports::default(), folder: folder.path().join("data") };
        Self { shop: Shop::start(config).await.unwrap(), hand, started, folder }
    }

    /// Puts the clock to `second` after the start.
    fn at(&self, second: u64) {
        *self.hand.0.lock().unwrap() = self.started.plus(Duration::from_secs(second));
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.0\r\n\r\n")).await
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        self.ask(&format!("POST {path} HTTP/1.0\r\n{headers}Content-Length: {length}\r\n\r\n{body}")).await
    }

    async fn ask(&self, text: &str) -> Answer {
        let (addr, text) = (self.shop.addresses().http, text.to_owned());
        tokio::task::spawn_blocking(move || client::request(addr, &text)).await.unwrap().expect("an answer")
    }
}

#[tokio::test]
async fn a_customer_places_an_order() {
    let demo = Demo::start().await;
    assert_eq!(demo.post("/login", "", r#"{"user":"demo","password":"x"}"#).await.status, 401);
    let login = demo.post("/login", "", r#"{"user":"demo","password":"tea-for-two"}"#).await;
    assert_eq!(login.status, 200);
    let cookie = login.header("set-cookie").unwrap().split(';').next().unwrap();
    let token = cookie.strip_prefix("session=").unwrap();
    assert!(login.body.contains(token));

    assert_eq!(demo.post("/cart", "", r#"{"sku":"TEA-GREEN"}"#).await.status, 401);
    let cart = demo.post("/cart", &format!("Cookie: a=b; {cookie}\r\n"), r#"{"sku":"TEA-GREEN"}"#).await;
    assert_eq!((cart.status, cart.body.as_str()), (201, r#"{"items":["TEA-GREEN"]}"#));

    assert_eq!(demo.post("/orders", "", r#"{"sku":"TEA-GREEN"}"#).await.status, 401);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let order = demo.post("/orders", &bearer, r#"{"sku":"TEA-GREEN"}"#).await;
    assert_eq!(order.status, 201);
    let path = order.header("location").unwrap();
    let show = format!("GET {path} HTTP/1.0\r\n{bearer}\r\n");
    assert!(demo.ask(&show).await.body.contains("pending"));
    demo.at(2);
    assert!(demo.ask(&show).await.body.contains("confirmed"));

    let pay = format!(r#"{{"order_id":"{}"}}"#, path.strip_prefix("/orders/").unwrap());
    assert_eq!(demo.post("/checkout/pay", &bearer, &pay).await.status, 200);
    demo.at(20);
    let failed = demo.post("/checkout/pay", &bearer, &pay).await;
    assert_eq!(failed.status, 500);
    assert!(failed.body.contains("payment provider timed out"), "{}", failed.body);

    assert_eq!(demo.ask(&format!("DELETE {path} HTTP/1.0\r\n{bearer}\r\n")).await.status, 204);
    assert_eq!(demo.ask(&show).await.status, 404);
    demo.shop.stop().await;
}

#[tokio::test]
async fn pages_follow_the_schedule() {
    let demo = Demo::start().await;
    assert!(demo.get("/").await.body.contains("The demo shop"));
    assert_eq!(demo.get("/old-home").await.header("location"), Some("/"));
    assert_eq!(demo.get("/api/cart/health").await.body, r#"{"status":"UP"}"#);
    demo.at(95);
    let down = demo.get("/api/cart/health").await;
    assert_eq!((down.status, down.header("x-maintenance").is_some()), (503, true));
    assert_eq!(demo.get("/flaky").await.status, 503);

    // Second 95 lies in the feed's fault, which began at 60, so the last good one is that of second 55.
    let feed = demo.get("/feed.json").await;
    let stale = demo.started.plus(Duration::from_secs(55));
    assert!(feed.body.contains(&stale.to_string()), "{}", feed.body);
    demo.at(96);
    let export = demo.ask("HEAD /orders/latest.csv HTTP/1.0\r\n\r\n").await;
    let written = httpdate::parse_http_date(export.header("last-modified").unwrap()).unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert_eq!(written, u128::try_from(demo.started.as_millis()).unwrap() + 95_000);
    let schedule = demo.get("/schedule").await.body;
    assert!(schedule.contains("<strong>broken</strong>") && schedule.contains("96 s ago"));
    demo.shop.stop().await;
}

#[tokio::test]
async fn bad_requests_are_answered_in_words() {
    let demo = Demo::start().await;
    for (text, status) in [
        ("GET /nowhere HTTP/1.0\r\n\r\n", 404),
        ("GET /../../etc/passwd HTTP/1.0\r\n\r\n", 404),
        ("GET /login HTTP/1.0\r\n\r\n", 405),
        ("POST /login HTTP/1.0\r\nContent-Length: 1\r\n\r\n{", 400),
        ("POST /login HTTP/1.0\r\nContent-Length: 2\r\n\r\n[]", 400),
        ("POST / HTTP/1.0\r\nContent-Length: 99999999\r\n\r\n", 413),
        ("nonsense\r\n\r\n", 400),
    ] {
        assert_eq!(demo.ask(text).await.status, status, "{text}");
    }
    let long = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n11000\r\n{}",
        "x".repeat(0x11000)
    );
    assert_eq!(demo.ask(&long).await.status, 413);
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(demo.post("/login", "", &deep).await.status, 400);
    demo.shop.stop().await;
}

#[tokio::test]
async fn one_connection_carries_many_http_2_requests() {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let demo = Demo::start().await;
    let stream = tokio::net::TcpStream::connect(demo.shop.addresses().http).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    for path in ["/", "/feed.json", "/search?q=tea"] {
        let url = format!("http://shop.demo.test{path}");
        let request = ::http::Request::get(url).body(Empty::<bytes::Bytes>::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, ::http::Version::HTTP_2), "{path}");
        assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
    demo.shop.stop().await;
    let ended = tokio::time::timeout(Duration::from_secs(5), tasks.join_next()).await;
    assert!(ended.is_ok(), "stopping closes open connections");
}

#[tokio::test]
async fn certificates_are_good_ending_and_ended() {
    use rustls::pki_types::pem::PemObject;
    let demo = Demo::start().await;
    let pem = demo.folder.path().join("data").join(project::ROOT_FILE);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let addresses = *demo.shop.addresses();
    for (address, good) in [(addresses.https, true), (addresses.soon, true), (addresses.expired, false)] {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let shaken = connector.connect("shop.demo.test".try_into().unwrap(), stream).await;
        match shaken {
            Ok(stream) => {
                let (_, connection) = stream.get_ref();
                assert!(good);
                assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
                assert_eq!(connection.peer_certificates().unwrap().len(), 2);
            }
            Err(error) => assert!(!good && error.to_string().contains("expired"), "{error}"),
        }
    }
    demo.shop.stop().await;
}

#[tokio::test]
async fn the_mail_server_greets_or_refuses() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let demo = Demo::start().await;
    let talk = async |said: &str| {
        let mut stream = tokio::net::TcpStream::connect(demo.shop.addresses().mail).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut heard = String::new();
        // A server that ends while the client still speaks may reset; what it said counts.
        let _end = stream.read_to_string(&mut heard).await;
        heard
    };
    assert_eq!(
        talk("EHLO x\r\nquit\r\n").await,
        "220 mail.demo.test ESMTP demo shop\r\n250-mail.demo.test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n221 mail.demo.test closing\r\n"
    );
    assert!(talk(&"x".repeat(512)).await.ends_with("500 line too long\r\n"));
    demo.at(45);
    assert!(talk("").await.starts_with("421 "));
    demo.shop.stop().await;
}

#[tokio::test]
async fn the_name_server_answers_on_both_sockets() {
    use hickory_proto::op::{Message, Query};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let demo = Demo::start().await;
    let mut query = Message::query();
    let name = hickory_proto::rr::Name::from_ascii("big.demo.test.").unwrap();
    query.add_query(Query::query(name, hickory_proto::rr::RecordType::TXT));
    let packet = query.to_vec().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&packet, demo.shop.addresses().dns).await.unwrap();
    let mut buffer = [0; 4096];
    let length =
        tokio::time::timeout(Duration::from_secs(5), socket.recv(&mut buffer)).await.unwrap().unwrap();
    assert!(Message::from_vec(&buffer[..length]).unwrap().metadata.truncation);
    let mut stream = tokio::net::TcpStream::connect(demo.shop.addresses().dns).await.unwrap();
    stream.write_u16(u16::try_from(packet.len()).unwrap()).await.unwrap();
    stream.write_all(&packet).await.unwrap();
    let mut answer = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(Message::from_vec(&answer).unwrap().answers.len(), 20);
    demo.shop.stop().await;
}

#[tokio::test]
async fn ports_are_kept_or_replaced_and_freed() {
    let demo = Demo::start().await;
    let addresses = *demo.shop.addresses();
    let ports = Ports {
        http: addresses.http.port(),
        https: addresses.https.port(),
        soon: addresses.soon.port(),
        expired: addresses.expired.port(),
        dns: addresses.dns.port(),
        mail: addresses.mail.port(),
    };
    let folder = demo.folder.path().join("second");
    let config = Config { clock: Arc::new(SystemClock), ports, folder };
    let second = Shop::start(config.clone()).await.unwrap();
    assert_ne!(second.addresses().http, addresses.http);
    second.stop().await;
    demo.shop.stop().await;
    assert!(tokio::net::TcpStream::connect(addresses.http).await.is_err());
    let third = Shop::start(config).await.unwrap();
    assert_eq!(*third.addresses(), addresses);
    third.stop().await;
}

#[tokio::test]
async fn the_stock_file_is_there_and_a_bad_folder_is_named() {
    let demo = Demo::start().await;
    let data = demo.folder.path().join("data");
    let stock = std::fs::read_to_string(data.join(project::STOCK_FILE)).unwrap();
    assert!(stock.starts_with("sku,in_stock,as_of\nTEA-GREEN,"));
    let folder = data.join(project::STOCK_FILE).join("below-a-file");
    let config = Config { clock: Arc::new(SystemClock), ports: Ports::default(), folder };
    let error = Shop::start(config).await.err().expect("a file is no folder");
    assert!(error.to_string().contains("stock.csv/below-a-file"), "{error}");
    demo.shop.stop().await;
}
