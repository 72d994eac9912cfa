//! Servers whose only key or ciphers are beyond this program, and those that refuse for any other reason.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use model::outcome::Outcome;
use model::step::Phase;
use rustls::AlertDescription;
use testkit::pki::{Flaw, Identity, Pki, WEAK, Weak, weak};
use testkit::scripted::{Move, Scripted, say};
use testkit::servers::{
    Doq, Dovecot, MySql, Nats, NatsSetup, OpenSsl, PassOn, Plaintext, Postgres, Python, Quic,
};

use crate::net::banner::Banner;
use crate::net::tls::Handshake;
use crate::net::tls::again::may_be_the_key;
use crate::trial::{judge, judge_with, told};

const P_521: Weak = Weak { name: "P-521 leaf", leaf: "secp521r1", ..WEAK[0] };
const BEYOND: &str = "prober_fault local local.unsupported: this version of prober cannot ";
const OURS: &str = "prober_fault local local.unsupported: this version of prober cannot check signatures by the only key that the server has: ";

/// An identity for `localhost` with such a key, the file of its authority, and what both live in.
fn identity(leaf: &'static str) -> (Identity, String, impl Sized) {
    let (identity, folder) = weak(Weak { leaf, ..P_521 });
    let root = folder.path().join("root.pem").display().to_string();
    (identity, root, folder)
}

/// A step of each kind that begins with TLS on `port` of `localhost`.
fn steps(port: u16, ca: &str) -> Vec<String> {
    let to = format!("127.0.0.1:{port}");
    vec![
        format!("http: {{ url: \"https://localhost/\", connect_to: \"{to}\", ca: {ca} }}"),
        format!(
            "http: {{ url: \"https://localhost/\", connect_to: \"{to}\", ca: {ca}, http_version: \"2\" }}"
        ),
        format!("tls: {{ address: \"{to}\", server_name: localhost, ca: {ca} }}"),
        format!("websocket: {{ url: \"wss://localhost:{port}/\", ca: {ca} }}"),
        format!("grpc: {{ address: \"localhost:{port}\", ca: {ca} }}"),
        format!("smtp: {{ address: \"localhost:{port}\", tls: implicit, ca: {ca} }}"),
        format!("dns: {{ name: shop.test, resolvers: [\"tls://{to}\"], server_name: localhost, ca: {ca} }}"),
        format!(
            "dns: {{ name: shop.test, resolvers: [\"https://{to}/dns-query\"], server_name: localhost, ca: {ca} }}"
        ),
        format!("s3: {{ endpoint: \"https://localhost:{port}\", bucket: exports, ca: {ca} }}"),
    ]
}

#[tokio::test]
async fn a_key_that_cannot_be_checked_is_no_word_against_the_server() {
    for (leaf, key, more) in [
        ("secp521r1", "one of P-521", &[][..]),
        ("secp521r1", "one of P-521", &["-no_tls1_3"]),
        ("secp521r1", "one of P-521", &["-tls1_3"]),
        ("ed448", "one of Ed448", &[]),
        ("rsa-pss:2048", "one of RSA for PSS only", &[]),
    ] {
        let (identity, ca, _folder) = identity(leaf);
        let server = OpenSsl::serve(&identity, more);
        let all = steps(server.addr().port(), &ca);
        // The versions are the library's business; one kind is as good as another.
        let some = if more.is_empty() && leaf == "secp521r1" { all.len() } else { 1 };
        for step in &all[..some] {
            let told = told(&judge(step).await);
            assert_eq!(told, format!("{OURS}{key}"), "{leaf} {more:?} {step}");
        }
    }
}

#[tokio::test]
async fn neither_is_an_exchange_of_keys_that_cannot_be_made() {
    let pki = Pki::new();
    let (identity, root) = (pki.identity(&["localhost"], Flaw::None), pki.root_file().display().to_string());
    for (groups, versions, expected) in [
        ("P-521", "-no_tls1_3", "exchange keys in the only way that the server knows: P-521"),
        ("P-521", "-tls1_3", "exchange keys in the only way that the server knows: P-521"),
        ("X448", "-no_tls1_3", "exchange keys in the only way that the server knows: X448"),
        ("X448:P-521", "-tls1_3", "exchange keys in the only way that the server knows: "),
        ("P-521:P-384", "-tls1_3", "ok"),
        (
            "ffdhe2048",
            "-tls1_3",
            "exchange keys in the only way that the server knows: in finite fields (DHE)",
        ),
    ] {
        let server = OpenSsl::serve(&identity, &["-groups", groups, versions]);
        for step in [0, 2].map(|kind| steps(server.addr().port(), &root).remove(kind)) {
            let told = told(&judge(&step).await);
            let is_ours =
                told.starts_with("prober_fault local local.unsupported: this version of prober cannot ");
            assert_eq!(is_ours, expected.starts_with("exchange"), "{groups} {versions}: {told}");
            assert!(told.contains(expected), "{groups} {versions}: {told}");
        }
    }
}

#[tokio::test]
async fn nor_are_ciphers_of_old() {
    let (identity, ca, _folder) = identity("rsa:2048");
    let other = Pki::new();
    let stranger = other.root_file().display().to_string();
    let by_rsa = format!("{BEYOND}exchange keys in the only way that the server knows: by RSA alone");
    let in_fields =
        format!("{BEYOND}exchange keys in the only way that the server knows: in finite fields (DHE)");
    let with_cbc = format!("{BEYOND}use the only ciphers that the server knows: with CBC or CCM");
    for (cipher, expected) in [
        ("ECDHE-RSA-AES128-SHA", &with_cbc),
        ("ECDHE-RSA-AES256-SHA384", &with_cbc),
        ("DHE-RSA-AES128-GCM-SHA256", &in_fields),
        ("DHE-RSA-AES256-SHA", &in_fields),
        ("AES128-GCM-SHA256", &by_rsa),
        ("AES256-SHA", &by_rsa),
    ] {
        let server = OpenSsl::serve(&identity, &["-no_tls1_3", "-cipher", cipher]);
        for step in [0, 2].map(|kind| steps(server.addr().port(), &ca).remove(kind)) {
            assert_eq!(told(&judge(&step).await), *expected, "{cipher} {step}");
        }
    }
    // Whom nobody trusts is worse than that.
    let server = OpenSsl::serve(&identity, &["-no_tls1_3", "-cipher", "ECDHE-RSA-AES128-SHA"]);
    let told = told(&judge(&steps(server.addr().port(), &stranger)[0]).await);
    assert!(told.starts_with("failed tls tls.untrusted: "), "{told}");
}

#[tokio::test]
async fn its_certificate_is_judged_all_the_same() {
    let (identity, ca, _folder) = identity("secp521r1");
    let server = OpenSsl::serve(&identity, &[]);
    let other = Pki::new();
    let stranger = other.root_file().display().to_string();
    for (name, more, expected) in [
        ("else.test", format!(", ca: {ca}"), "failed tls tls.name_mismatch: "),
        ("localhost", format!(", ca: {stranger}"), "failed tls tls.untrusted: "),
        ("localhost", ", insecure: it is a test".to_owned(), OURS),
    ] {
        let port = server.addr().port();
        let step = format!("http: {{ url: \"https://{name}/\", connect_to: \"127.0.0.1:{port}\"{more} }}");
        let told = told(&judge(&step).await);
        assert!(told.starts_with(expected), "{name} {more}: {told}");
        let besides = told.contains("one of P-521; besides, the certificate ");
        assert_eq!(besides, expected == OURS, "{told}");
    }
}

#[tokio::test]
async fn the_way_to_it_is_gone_twice() {
    let (identity, ca, _folder) = identity("secp521r1");
    let server = OpenSsl::serve(&identity, &[]);
    let (http, socks) = (PassOn::http(None), PassOn::socks(None));
    let port = server.addr().port();
    for proxy in [format!("http://{}", http.addr()), format!("socks5h://{}", socks.addr())] {
        let step = format!("http: {{ url: \"https://localhost:{port}/\", proxy: \"{proxy}\", ca: {ca} }}");
        assert_eq!(told(&judge(&step).await), format!("{OURS}one of P-521"), "{proxy}");
    }
    let whole = identity.served_as(identity.chain.clone());
    let (mail, boxes) = (Plaintext::smtp(&whole), Dovecot::start(&whole));
    let (postgres, mysql) = (Postgres::start_secured(&whole), MySql::start_mariadb(Some(&whole)));
    let tls = |addr: SocketAddr, protocol: &str| {
        let port = addr.port();
        format!("tls: {{ address: \"localhost:{port}\", ca: {ca}, starttls: {protocol} }}")
    };
    for step in [
        format!("smtp: {{ address: \"localhost:{}\", tls: starttls, ca: {ca} }}", mail.addr().port()),
        tls(mail.addr(), "smtp"),
        tls(boxes.imap(), "imap"),
        tls(boxes.pop3(), "pop3"),
        tls(postgres.addr(), "postgres"),
        tls(mysql.addr(), "mysql"),
    ] {
        assert_eq!(told(&judge(&step).await), format!("{OURS}one of P-521"), "{step}");
    }
    for dsn in [
        format!("postgres://me:it@localhost:{}/shop?sslmode=require", postgres.addr().port()),
        format!("mysql://me:it@localhost:{}/shop?ssl-mode=required", mysql.addr().port()),
    ] {
        let step = format!("sql: {{ dsn: \"${{secrets.dsn}}\", query: \"SELECT 1\", ca: {ca} }}");
        let told = told(&judge_with(&step, &[("dsn", &dsn)]).await);
        assert!(told.starts_with(OURS), "{dsn}: {told}");
    }
}

#[tokio::test]
async fn servers_that_hang_up_without_a_word_are_asked_a_second_time_too() {
    let (identity, ca, _folder) = identity("secp521r1");
    let identity = identity.served_as(identity.chain.clone());
    let (boxes, socket) = (Dovecot::start(&identity), Python::websocket(Some(&identity)));
    for step in [
        format!("tls: {{ address: \"localhost:{}\", ca: {ca} }}", boxes.imaps().port()),
        format!("websocket: {{ url: \"wss://localhost:{}/echo\", ca: {ca} }}", socket.addr().port()),
    ] {
        assert_eq!(told(&judge(&step).await), format!("{OURS}one of P-521"), "{step}");
    }
}

/// Another key is another matter: who hangs up twice, or has nothing that is beyond us, has refused.
#[tokio::test]
async fn silence_that_is_repeated_stands() {
    let (addr, serving) = peer(|_| (), |_| ());
    let outcome = judge(&steps(addr.port(), "roots.pem").remove(0).replace(", ca: roots.pem", "")).await;
    let said = told(&outcome);
    assert!(said.starts_with("failed tls tls.handshake: "), "{said}");
    assert!(said.contains("closed the connection"), "{said}");
    let heard = serving.join().unwrap();
    assert!(heard.iter().all(|count| *count > 100), "two hellos: {heard:?}");
}

#[tokio::test]
async fn servers_that_others_wrote_in_go_refuse_the_same_way() {
    let (identity, ca, _folder) = identity("secp521r1");
    let identity = identity.served_as(identity.chain.clone());
    let nats = Nats::start(&NatsSetup { identity: Some(&identity), ..NatsSetup::default() });
    let port = nats.addr().port();
    let step = format!("jetstream: {{ address: \"localhost:{port}\", stream: ORDERS, tls: true, ca: {ca} }}");
    assert_eq!(told(&judge(&step).await), format!("{OURS}one of P-521"));
}

#[cfg(feature = "http3")]
#[tokio::test]
async fn pages_over_quic_are_asked_for_a_second_time_too() {
    let (identity, ca, _folder) = identity("ed448");
    let server = Python::http3(&identity.served_as(identity.chain.clone()), &Quic::default());
    let port = server.addr().port();
    let step = format!("http: {{ url: \"https://localhost:{port}/\", http_version: \"3\", ca: {ca} }}");
    assert_eq!(told(&judge(&step).await), format!("{OURS}one of Ed448"));
}

#[cfg(feature = "doq")]
#[tokio::test]
async fn quic_is_asked_a_second_time_too() {
    // The server's own library has no P-521 either.
    let (identity, ca, _folder) = identity("ed448");
    let doq = Doq::start(([127, 0, 0, 1], 1).into(), &identity.served_as(identity.chain.clone()));
    let step = format!(
        "dns: {{ name: shop.test, resolvers: [\"quic://{}\"], server_name: localhost, ca: {ca} }}",
        doq.addr()
    );
    assert_eq!(told(&judge(&step).await), format!("{OURS}one of Ed448"));
}

#[tokio::test]
async fn who_refuses_for_another_reason_is_bad() {
    let pki = Pki::new();
    let (good, root) = (pki.identity(&["localhost"], Flaw::None), pki.root_file().display().to_string());
    let (beyond, ca, _folder) = identity("secp521r1");
    for (what, identity, ca, more) in [
        ("ciphers", &good, &root, &["-no_tls1_3", "-cipher", "ECDHE-ECDSA-ARIA128-GCM-SHA256"][..]),
        ("client's certificate", &good, &root, &["-no_tls1_3", "-Verify", "1"]),
        ("client's certificate", &good, &root, &["-tls1_3", "-Verify", "1"]),
        ("versions", &good, &root, &["-tls1_1"]),
        ("ciphers", &beyond, &ca, &["-no_tls1_3", "-cipher", "ECDHE-ECDSA-CAMELLIA128-SHA256"]),
    ] {
        let server = OpenSsl::serve(identity, more);
        let told = told(&judge(&steps(server.addr().port(), ca)[0]).await);
        assert!(told.starts_with("failed tls tls.handshake: "), "{what} {more:?}: {told}");
    }
}

#[test]
fn only_some_refusals_may_be_for_the_key() {
    use std::io::{Error, ErrorKind};

    let alert = |alert| Error::new(ErrorKind::InvalidData, rustls::Error::AlertReceived(alert));
    let refused = || alert(AlertDescription::HandshakeFailure);
    let (nothing, mut some) = (Banner::new(), Banner::new());
    some.keep(b"x");
    let shown = |met, client_unknown| Handshake { met, client_unknown, ..Handshake::default() };
    let gone = |kind: ErrorKind| Error::from(kind);
    for (what, error, shown, said, expected) in [
        ("refused", refused(), shown(false, false), (false, &some), true),
        ("refused after its certificate", refused(), shown(true, false), (false, &some), false),
        ("refused for the client's", refused(), shown(false, true), (false, &some), false),
        ("another alert", alert(AlertDescription::InternalError), shown(false, false), (true, &some), false),
        ("closed", gone(ErrorKind::UnexpectedEof), shown(false, false), (true, &nothing), true),
        ("reset", gone(ErrorKind::ConnectionReset), shown(false, false), (true, &nothing), true),
        ("closed after a hello", gone(ErrorKind::UnexpectedEof), shown(false, false), (true, &some), false),
        ("closed at once", gone(ErrorKind::UnexpectedEof), shown(false, false), (false, &nothing), true),
        ("closed in its hello", gone(ErrorKind::UnexpectedEof), shown(false, false), (false, &some), false),
        ("reset at once", gone(ErrorKind::ConnectionReset), shown(false, false), (false, &nothing), false),
        ("no way", gone(ErrorKind::HostUnreachable), shown(false, false), (true, &nothing), false),
    ] {
        assert_eq!(may_be_the_key(&error, &shown, said), expected, "{what}");
    }
}

/// A peer that answers the first hello with the alert `handshake_failure`, and the second with `again`; it counts.
fn refusing(again: impl Fn(&mut TcpStream) + Send + 'static) -> (SocketAddr, thread::JoinHandle<Vec<usize>>) {
    peer(alert, again)
}

/// A peer that answers the first hello with `first` and the second with `again`; it counts what it reads of each.
fn peer(
    first: impl Fn(&mut TcpStream) + Send + 'static,
    again: impl Fn(&mut TcpStream) + Send + 'static,
) -> (SocketAddr, thread::JoinHandle<Vec<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let mut heard = Vec::new();
        for place in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            heard.push(stream.read(&mut [0; 4096]).unwrap());
            if place == 0 { first(&mut stream) } else { again(&mut stream) }
        }
        heard
    });
    (addr, serving)
}

/// `fatal`, `handshake_failure` (RFC 8446, section 6).
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

fn alert(stream: &mut TcpStream) {
    stream.write_all(&ALERT).unwrap();
}

/// Checks what is true of every handshake that was refused: the verdict, the one phase, and that all of it tiles.
fn is_refused(outcome: &Outcome) {
    let said = told(outcome);
    assert!(said.starts_with("failed tls tls.handshake: ") && said.contains("handshake_failure"), "{said}");
    let hop = outcome.steps[0].hops.last().unwrap();
    let names: Vec<_> = hop.phases.iter().map(|span| span.phase).collect();
    assert_eq!(names, [Phase::Connect, Phase::Tls]);
    let end = hop.phases.iter().map(|span| span.duration).sum::<Duration>() + hop.phases[0].start;
    assert!(end <= outcome.steps[0].duration, "{end:?} of {:?}", outcome.steps[0].duration);
    assert_eq!(hop.phases[0].start + hop.phases[0].duration, hop.phases[1].start);
}

#[tokio::test]
async fn a_refusal_that_is_repeated_stands() {
    let (addr, serving) = refusing(alert);
    is_refused(&judge(&steps(addr.port(), "roots.pem").remove(0).replace(", ca: roots.pem", "")).await);
    let heard = serving.join().unwrap();
    assert!(heard.iter().all(|count| *count > 100), "two hellos: {heard:?}");
}

#[tokio::test]
async fn mail_is_spoken_before_each_hello() {
    for (step, greeted) in [
        ("smtp: { address: \"127.0.0.1:PORT\", tls: starttls }", "EHLO"),
        ("tls: { address: \"127.0.0.1:PORT\", starttls: smtp }", "EHLO"),
    ] {
        let server = Scripted::start(vec![
            say("220 mail.test\r\n"),
            Move::Hear("EHLO"),
            say("250-mail.test\r\n250 STARTTLS\r\n"),
            Move::Hear("STARTTLS\r\n"),
            say("220 go\r\n"),
            Move::HearBytes(100),
            Move::Say(ALERT.to_vec()),
        ]);
        let outcome = judge(&step.replace("PORT", &server.addr().port().to_string())).await;
        assert!(told(&outcome).starts_with("failed tls tls.handshake: "), "{}", told(&outcome));
        let heard = String::from_utf8_lossy(&server.heard()).into_owned();
        let counts = [greeted, "STARTTLS\r\n"].map(|text| heard.matches(text).count());
        assert_eq!((server.connections(), counts), (2, [2, 2]), "{step}");
    }
}

#[tokio::test]
async fn a_second_look_that_hangs_ends_with_the_step_and_changes_nothing() {
    let (addr, serving) = refusing(|stream| {
        let _until_it_hangs_up = stream.read(&mut [0; 16]);
    });
    let limit = Duration::from_millis(500);
    let step = format!("http: {{ url: \"https://{addr}/\" }}\ntimeout: 500ms");
    let outcome = judge(&step).await;
    is_refused(&outcome);
    // The limit is the run's, which begins a little before its step.
    let took = outcome.steps[0].start + outcome.steps[0].duration;
    assert!(took >= limit && took < limit * 4, "{took:?}");
    assert_eq!(outcome.steps[0].attributes.text("timeout.phase"), None);
    serving.join().unwrap();
}
