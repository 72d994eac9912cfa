//! Peers that break the rules: every run ends by its deadline, with the right failure and bounded memory.

use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::pki::{Extra, Flaw, Identity, Pki, Speech};
use testkit::servers::{OpenSsl, Python};

use super::*;
use scenario::value::{Reading, Value};

#[tokio::test]
async fn every_fault_ends_by_the_deadline_as_what_it_is() {
    let pki = Pki::new();
    let tls = pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h1());
    for (fault, scheme, expected) in [
        (Fault::HalfOpen, "http", "timeout timeout"),
        // Closed before or after the request was written: the kernel answers that with a reset.
        (Fault::CloseOnAccept, "http", "protocol http.truncated|connect connect.reset"),
        (Fault::ResetOnAccept, "http", "connect connect.reset"),
        (Fault::ResetAfterRequest, "http", "connect connect.reset"),
        (Fault::CloseAfterRequest, "http", "protocol http.truncated"),
        (Fault::TlsStall, "https", "timeout timeout"),
        (Fault::TlsGarbage, "https", "tls tls.handshake"),
        (Fault::CloseOnAccept, "https", "tls tls.handshake"),
        (Fault::ResetAfterTls(Arc::clone(&tls)), "https", "connect connect.reset"),
        (Fault::SilentAfterTls(tls), "https", "timeout timeout"),
        (Fault::Drip(Duration::from_millis(50)), "http", "timeout timeout"),
        (Fault::EndlessHeaders, "http", "protocol http.protocol"),
        (Fault::EndlessHeaderLine, "http", "protocol http.protocol"),
        (Fault::EndlessContinue, "http", "protocol http.protocol"),
        (Fault::ShortBody, "http", "protocol http.truncated"),
        (Fault::MidBodyClose, "http", "protocol http.truncated"),
        (Fault::MidBodyReset, "http", "connect connect.reset"),
        (Fault::TwoLengths, "http", "protocol http.protocol"),
        (Fault::Garbage, "http", "protocol http.protocol"),
        (chunked("zz\r\nhello\r\n0\r\n\r\n"), "http", "protocol http.protocol"),
        (chunked("ffffffffffffffffff\r\nhello"), "http", "protocol http.protocol"),
        (chunked("5\r\nhelloXX0\r\n\r\n"), "http", "protocol http.protocol"),
        (Fault::Raw(b"HTTP/1.1 99999 no\r\n\r\n".to_vec()), "http", "protocol http.protocol"),
    ] {
        let hostile = Hostile::start(fault.clone());
        let mut keys = get(format!("{scheme}://{}/", hostile.addr()));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        let waits = expected.starts_with("timeout");
        let limit = if waits { Duration::from_secs(1) } else { trial::PATIENCE };
        let trial = trial::run(&KIND, keys, &trial::shared(), limit).await;
        trial.ended_in_time();
        let failure = trial.failure();
        assert!(
            expected.split('|').any(|known| known == failure),
            "{fault:?}: {failure}: {}",
            trial.message()
        );
        // Who hangs up on a hello is asked for a key that is beyond us; whether it counts as that is a race with it here.
        let hangs_up = matches!(fault, Fault::CloseOnAccept) && scheme == "https";
        let most = if hangs_up { 2 } else { 1 };
        assert!((1..=most).contains(&hostile.connections()), "{fault:?}: nothing else is tried twice");
        assert!(!trial.outcome.hops[0].phases.is_empty(), "{fault:?}");
    }
}

/// An answer with this as its chunks.
fn chunked(chunks: &str) -> Fault {
    Fault::Raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}").into())
}

#[tokio::test]
async fn heads_with_many_lines_and_folded_ones() {
    let lines =
        |count: usize| (0..count).fold(String::new(), |lines, line| lines + &format!("X-{line}: y\r\n"));
    let answer = |head: &str| format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 0\r\n\r\n");
    for (head, expected) in [
        (answer(&lines(151)), None),
        (answer(&lines(999)), None),
        (
            answer(&lines(1_000)),
            Some("the head of the answer is longer than 64 KiB or has more than 1000 lines"),
        ),
        (answer("X-Folded: one\r\n two\r\n"), None),
        (answer("X-Spaced : y\r\n"), None),
        (answer("X Y: z\r\n"), Some("the server's answer is not HTTP/1.1: invalid HTTP header parsed")),
        (
            "HTTP/1.2 200 OK\r\n\r\n".to_owned(),
            Some(
                "the server's answer is not HTTP/1.1: invalid HTTP version parsed: it sent `HTTP/1.2 200 OK\\r\\n\\r\\n`",
            ),
        ),
        (
            "HTTQ/1.1 200 OK\r\n\r\n".to_owned(),
            Some(
                "the server's answer is not HTTP/1.1: invalid HTTP version parsed: it sent `HTTQ/1.1 200 OK\\r\\n\\r\\n`",
            ),
        ),
    ] {
        let hostile = Hostile::start(Fault::Raw(head.into_bytes()));
        let keys = get(format!("http://{}/", hostile.addr()));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.outcome.failure.as_ref().map(|failure| &*failure.message), expected);
    }
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_left_and_said_to_be() {
    let server = Server::start();
    server.on("/endless", Reply::status(200).endless("x".repeat(10_000)));
    server.on("/exact", Reply::ok("0123456789"));
    for (path, limit, readable) in [("/endless", 64 << 10, false), ("/exact", 10, true), ("/exact", 9, false)]
    {
        let mut keys = get(server.url(path));
        keys.push(("body_limit", Bound::Size(limit)));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.outcome.failure, None, "a long body is no failure by itself");
        assert_eq!(trial.value("status"), Value::Int(200));
        assert_eq!(matches!(trial.read("body"), Reading::One(_)), readable, "{path} {limit}");
        let read = trial.outcome.attributes.int("http.response.body.size").unwrap();
        assert!(u64::try_from(read).unwrap() <= limit, "{read} bytes were kept");
        if !readable {
            let Reading::Unreadable(why) = trial.read("size") else { panic!("the size is not known") };
            assert!(why.starts_with("the body is longer than the limit of "), "{why}");
        }
    }
    testkit::wait::until("the endless body to be hung up on", trial::PATIENCE, || {
        server.open_connections() == 0
    })
    .await;
}

#[tokio::test]
async fn http_2_peers_that_break_off_end_the_run() {
    let pki = Pki::new();
    let server = Server::start_tls(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h2()));
    server.on("/broken", Reply::ok("some").broken());
    server.on("/silent", Reply::ok("late").after(Duration::from_mins(1)));
    server.on("/huge", Reply::ok("").header("x-huge", &"x".repeat(200_000)));
    for (path, class) in [("/broken", "protocol"), ("/silent", "timeout"), ("/huge", "protocol")] {
        let mut keys = get(server.url(path));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        let limit = if class == "timeout" { Duration::from_secs(1) } else { trial::PATIENCE };
        let trial = trial::run(&KIND, keys, &trial::shared(), limit).await;
        trial.ended_in_time();
        assert_eq!(trial.failure().split(' ').next(), Some(class), "{path}: {}", trial.message());
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_says_why_and_is_kept() {
    let pki = Pki::new();
    for (flaw, expected) in [
        (Flaw::Expired, "tls tls.expired"),
        (Flaw::NotYetValid, "tls tls.not_yet_valid"),
        (Flaw::WrongName, "tls tls.name_mismatch"),
        (Flaw::SelfSigned, "tls tls.untrusted"),
        (Flaw::MissingIntermediate, "tls tls.untrusted"),
        (Flaw::UntrustedRoot, "tls tls.untrusted"),
    ] {
        let server = Server::start_tls(pki.identity(&["127.0.0.1"], flaw).server_config(&Speech::h1()));
        server.on("/", Reply::ok("hello"));
        let mut keys = get(server.url("/"));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        let strict = trial::run(&KIND, keys.clone(), &trial::shared(), trial::PATIENCE).await;
        assert_eq!(strict.failure(), expected, "{flaw:?}: {}", strict.message());
        assert_eq!(strict.attribute("tls.server.hash.sha256").len(), 64, "{flaw:?}");
        assert_eq!(server.requests(), 0, "{flaw:?}: nothing is sent to a server that did not prove its name");
        keys.push(("insecure", text("it is a test")));
        let lax = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        assert_eq!(lax.outcome.failure, None, "{flaw:?}");
        assert_eq!(lax.attribute("prober.tls.insecure"), "it is a test");
        assert!(!lax.attribute("prober.tls.error").is_empty());
    }
}

#[tokio::test]
async fn a_server_that_wants_another_handshake_is_beyond_us() {
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    let stubborn = Python::renegotiating(&identity);
    // OpenSSL's own server asks for it at this path, and answers also who refuses.
    let lenient = OpenSsl::serve(&identity, &["-tls1_2"]);
    for (at, expected) in [(stubborn.addr(), Some("local local.unsupported")), (lenient.addr(), None)] {
        let mut keys = get(format!("https://localhost:{}/reneg", at.port()));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        let found = trial.outcome.failure.as_ref().map(|_| trial.failure());
        assert_eq!(found.as_deref(), expected, "{:?}", trial.outcome.failure);
    }
}

#[tokio::test]
async fn a_self_signed_authority_is_trusted_where_it_is_named_itself() {
    let pki = Pki::new();
    let own = pki.identity_with(&["127.0.0.1"], Extra::Authority);
    let elsewhere = pki.identity_with(&["elsewhere.test"], Extra::Authority);
    let other = pki.identity_with(&["127.0.0.1"], Extra::Authority);
    for (what, served, trusted, failure) in [
        ("itself", &own, &own, None),
        ("another of the same name", &other, &own, Some("tls tls.untrusted")),
        ("itself, for another name", &elsewhere, &elsewhere, Some("tls tls.name_mismatch")),
    ] {
        let server = Server::start_tls(served.server_config(&Speech::h1()));
        server.on("/", Reply::ok("hello"));
        let mut keys = get(server.url("/"));
        keys.push(("ca", text(trusted.cert_file.display().to_string())));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        let found = trial.outcome.failure.as_ref().map(|_| trial.failure());
        assert_eq!(found.as_deref(), failure, "{what}: {:?}", trial.outcome.failure);
    }
}

/// The message of a GET from a server with `identity`, by a client that trusts the root of `pki`.
async fn refused(pki: &Pki, identity: &Identity) -> String {
    let server = Server::start_tls(identity.server_config(&Speech::h1()));
    let mut keys = get(server.url("/"));
    keys.push(("ca", text(pki.root_file().display().to_string())));
    let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
    format!("{}: {}", trial.failure(), trial.message())
}

#[tokio::test]
async fn the_certificate_that_is_to_blame_is_named() {
    for (dates, expected) in [
        (
            (-90, -1),
            "tls tls.expired: the intermediate certificate CN=prober test intermediate (2 of 2 served) expired at 20",
        ),
        (
            (1, 90),
            "tls tls.not_yet_valid: the intermediate certificate CN=prober test intermediate (2 of 2 served) is not valid before 20",
        ),
    ] {
        let pki = Pki::dated((-100, 100), dates);
        let told = refused(&pki, &pki.identity(&["127.0.0.1"], Flaw::None)).await;
        assert!(told.starts_with(expected) && told.ends_with(" UTC"), "{told}");
    }
    let pki = Pki::new();
    let told = refused(&pki, &pki.identity(&["127.0.0.1"], Flaw::Expired)).await;
    assert!(told.starts_with("tls tls.expired: the certificate expired at 20"), "{told}");
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_in_words() {
    let pki = Pki::new();
    for (extra, why) in [
        (Extra::ClientOnly, "it is for clients, not for servers"),
        (Extra::IssuedByALeaf, "it was issued by a certificate that may not issue any"),
        (Extra::OtherKeyUsage, "CN=127.0.0.1 is not for servers: its keyUsage lacks digitalSignature"),
        (
            Extra::IssuedWithoutCertSign,
            "CN=prober test signer of lists may not sign certificates: its keyUsage lacks keyCertSign",
        ),
    ] {
        let told = refused(&pki, &pki.identity_with(&["127.0.0.1"], extra)).await;
        assert_eq!(told, format!("tls tls.untrusted: the certificate cannot be trusted: {why}"));
    }
}

#[tokio::test]
async fn what_came_in_the_place_of_http_is_shown() {
    for (banner, shown) in [
        (
            &b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"[..],
            "it sent `SSH-2.0-OpenSSH_9.2p1 Debian\\r\\n`, which looks like SSH",
        ),
        (
            b"220 mx.test ESMTP\r\n",
            "it sent `220 mx.test ESMTP\\r\\n`, which looks like a mail server (SMTP)",
        ),
        (b"\x15\x03\x01\0\x02\x02\x46", "F`, which looks like TLS: use https:"),
        (b"good morning, nobody speaks HTTP here\n", "it sent `good morning, nobody speaks HTTP here\\n`"),
    ] {
        let server = Hostile::start(Fault::Raw(banner.to_vec()));
        for version in ["1.1", "2"] {
            let keys =
                [get(format!("http://{}/", server.addr())), vec![("http_version", Bound::Choice(version))]]
                    .concat();
            let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
            assert_eq!(trial.failure(), "protocol http.protocol", "{version}: {}", trial.message());
            assert!(trial.message().ends_with(shown), "{version}: {}", trial.message());
        }
    }
}

/// A server may speak before or after the request comes: what it said is shown in either case.
#[tokio::test]
async fn who_speaks_first_is_shown_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let rounds = 30;
    let served = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for _ in 0..rounds {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").unwrap();
            // Until the prober hangs up.
            let _end = stream.read_to_end(&mut Vec::new());
        }
    });
    for _ in 0..rounds {
        let trial = trial::run(&KIND, get(url.clone()), &trial::shared(), trial::PATIENCE).await;
        let message = trial.message();
        assert_eq!(trial.failure(), "protocol http.protocol", "{message}");
        assert!(message.starts_with("the server's answer is not HTTP/1.1: "), "{message}");
        assert!(
            message.ends_with(": it sent `SSH-2.0-OpenSSH_9.2p1\\r\\n`, which looks like SSH"),
            "{message}"
        );
    }
    served.join().unwrap();
}

/// A server for one connection that says `banner` to the first bytes that come.
fn saying(banner: &'static [u8]) -> (std::net::SocketAddr, std::thread::JoinHandle<()>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _hello = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(banner).unwrap();
        // Until the prober hangs up.
        let _end = stream.read_to_end(&mut Vec::new());
    });
    (addr, served)
}

#[tokio::test]
async fn what_came_in_the_place_of_tls_is_shown() {
    for (banner, shown) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            ": it sent `HTTP/1.1 400 Bad Request\\r\\n\\r\\n`, which looks like plain HTTP: use http:",
        ),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", ": it sent `SSH-2.0-OpenSSH_9.2p1\\r\\n`, which looks like SSH"),
        (
            b"220 mx.test ESMTP\r\n",
            ": it sent `220 mx.test ESMTP\\r\\n`, which looks like a mail server (SMTP)",
        ),
    ] {
        let (addr, served) = saying(banner);
        let trial =
            trial::run(&KIND, get(format!("https://{addr}/")), &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.failure(), "tls tls.handshake");
        assert_eq!(trial.message(), format!("the server does not speak TLS on this port{shown}"));
        served.join().unwrap();
    }
}

#[tokio::test]
async fn a_secret_in_what_came_is_never_shown() {
    let secret = "a-very-secret-\"token\"-of-this-test";
    for sent in [
        format!("you sent {secret} and this is no HTTP\r\n"),
        // The limit cuts it.
        format!("you sent something that this server does not like: {secret}\r\n"),
    ] {
        let server = Hostile::start(Fault::Raw(sent.into_bytes()));
        let step = format!(
            "http: {{ url: \"http://{}/\", headers: {{ x-key: \"${{secrets.key}}\" }} }}",
            server.addr()
        );
        let told = trial::told(&trial::judge_with(&step, &[("key", secret)]).await);
        assert!(told.contains("it sent `you sent") && told.contains("•••(key)"), "{told}");
        assert!(!told.contains("a-very") && !told.contains("token"), "{told}");
    }
}

#[tokio::test]
async fn a_missing_ca_file_is_not_the_targets_fault() {
    let pki = Pki::new();
    let server = Server::start_tls(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h1()));
    let folder = pki.root_file().parent().unwrap().to_owned();
    for path in ["/nowhere/ca.pem".to_owned(), folder.display().to_string(), "/dev/zero".to_owned()] {
        let mut keys = get(server.url("/"));
        keys.push(("ca", text(path)));
        let trial = trial::run(&KIND, keys, &trial::shared(), trial::PATIENCE).await;
        assert_eq!(trial.failure(), "local local.config");
        assert_eq!(server.connections(), 0);
    }
}
