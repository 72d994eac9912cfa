//! Over TLS, HTTPS and QUIC: who proves itself, who does not, and who answers nonsense.

use std::sync::Arc;
use std::time::Duration;

use model::step::Phase;
use scenario::fields::Bound;
use scenario::value::Value;
use testkit::dns::{Liar, Reply, Server};
use testkit::hostile::{Fault, Hostile};
use testkit::http;
use testkit::pki::{Flaw, Pki, Speech};
use testkit::servers::{Doq, Knot, Unbound};
use testkit::wait;

use super::{GOOD, LIMIT, list};
use crate::dns::KIND;
use crate::trial::{PATIENCE, Trial, run, shared, template, text, texts, until_in};

const TYPE: &str = "application/dns-message";

/// Asks `server` for the address of `shop.test`, trusting the authorities in `ca`.
async fn ask(server: &str, pki: &Pki, name: Option<&str>, limit: Duration) -> Trial {
    let mut keys = vec![
        ("name", template("shop.test")),
        ("resolvers", texts([server])),
        ("ca", text(pki.root_file().to_str().unwrap())),
    ];
    keys.extend(name.map(|name| ("server_name", text(name))));
    run(&KIND, keys, &shared(), limit).await
}

fn speech(protocol: &'static str) -> Speech {
    Speech { alpn: vec![protocol], ..Speech::default() }
}

#[tokio::test]
async fn over_tls_each_phase_is_measured() {
    let pki = Pki::new();
    let config = pki.identity(&["127.0.0.1"], Flaw::None).server_config(&speech("dot"));
    let server = Server::start_tls(config);
    server.on("shop.test", "A", Reply::a(&["203.0.113.10"]).after(Duration::from_millis(30)));
    let trial = ask(&format!("tls://{}", server.addr()), &pki, None, PATIENCE).await;
    assert_eq!(trial.value("answers"), list(&["203.0.113.10"]));
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls, Phase::Send, Phase::Wait, Phase::Receive]);
    assert!(trial.phase(0, Phase::Wait) >= Duration::from_millis(25));
    assert_eq!(trial.outcome.hops[0].label, format!("tls://{}", server.addr()));
    assert_eq!(trial.outcome.hops[0].peer, Some(server.addr()));
    assert_eq!(trial.attribute("network.transport"), "tcp");
}

#[tokio::test]
async fn a_server_must_prove_its_name() {
    let pki = Pki::new();
    for (flaw, name, failure) in [
        (Flaw::Expired, None, "tls tls.expired"),
        (Flaw::UntrustedRoot, None, "tls tls.untrusted"),
        (Flaw::None, Some("other.test"), "tls tls.name_mismatch"),
        (Flaw::None, Some("dns.test"), ""),
    ] {
        let identity = pki.identity(&["127.0.0.1", "dns.test"], flaw);
        let dot = Server::start_tls(identity.server_config(&speech("dot")));
        dot.on("shop.test", "A", Reply::a(&["203.0.113.10"]));
        let doh = http::Server::start_tls(identity.server_config(&Speech::default()));
        doh.on_request("/dns-query", |seen| {
            http::Reply::ok(Liar::answered(&seen.body, GOOD)).header("content-type", TYPE)
        });
        for server in [format!("tls://{}", dot.addr()), doh.url("/dns-query")] {
            let trial = ask(&server, &pki, name, PATIENCE).await;
            if failure.is_empty() {
                assert_eq!(trial.value("answers"), list(&["203.0.113.10"]), "{server}");
            } else {
                assert_eq!(trial.failure(), failure, "{server}");
                assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls], "{server}");
            }
        }
    }
}

#[tokio::test]
async fn over_https_by_post_and_by_get() {
    let pki = Pki::new();
    let config = pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::default());
    let server = http::Server::start_tls(config);
    server.on_request("/dns-query", |seen| {
        let question = match &seen.query {
            None => seen.body.to_vec(),
            Some(query) => {
                use base64::Engine as _;
                let text = query.strip_prefix("dns=").unwrap();
                base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
            }
        };
        http::Reply::ok(Liar::answered(&question, GOOD)).header("content-type", TYPE)
    });
    for (url, method) in [("/dns-query", "POST"), ("/dns-query{?dns}", "GET")] {
        let trial = ask(&server.url(url), &pki, None, PATIENCE).await;
        assert_eq!(trial.value("answers"), list(&["203.0.113.10"]));
        assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls, Phase::Send, Phase::Wait, Phase::Receive]);
        let seen = server.seen().pop().unwrap();
        assert_eq!(seen.method.as_str(), method);
        assert_eq!(seen.version, ::http::Version::HTTP_2);
        assert_eq!(seen.header("accept"), Some(TYPE));
        // The same question has the same bytes, so that caches can answer it (RFC 8484, section 4.1).
        assert!(method == "GET" || seen.body[..2] == [0, 0]);
    }
}

#[tokio::test]
async fn https_servers_that_answer_nonsense() {
    let pki = Pki::new();
    let config = pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::default());
    let server = http::Server::start_tls(config);
    let of_type = |body: Vec<u8>| http::Reply::ok(body).header("content-type", TYPE);
    server.on("/status", http::Reply::status(502));
    server.on_request("/type", |seen| http::Reply::ok(Liar::answered(&seen.body, GOOD)));
    server.on_request("/html", |seen| {
        http::Reply::ok(Liar::answered(&seen.body, GOOD)).header("content-type", "text/html; charset=utf-8")
    });
    server.on("/empty", of_type(Vec::new()));
    server.on("/garbage", of_type(vec![0xff; 300]));
    server.on("/huge", of_type(vec![0; 70_000]));
    server.on("/endless", http::Reply::status(200).header("content-type", TYPE).endless(vec![0; 8192]));
    server.on_request("/other", move |seen| {
        let mut reply = Liar::answered(&seen.body, GOOD);
        reply[13] ^= 1;
        of_type(reply)
    });
    server.on("/break", http::Reply::ok(vec![0; 40]).header("content-type", TYPE).broken());
    server.on("/late", http::Reply::ok(vec![0; 40]).after(Duration::from_secs(30)));
    for (path, failure, words) in [
        ("/status", "protocol dns.http_status", "HTTP status 502"),
        ("/missing", "protocol dns.http_status", "HTTP status 404"),
        ("/type", "protocol dns.content_type", "no content type"),
        ("/html", "protocol dns.content_type", "text/html"),
        ("/empty", "protocol dns.malformed", "shorter than the head"),
        ("/garbage", "protocol dns.malformed", "another question"),
        ("/huge", "protocol dns.malformed", "longer than 65535 bytes"),
        ("/endless", "protocol dns.malformed", "longer than 65535 bytes"),
        ("/other", "protocol dns.malformed", "another question"),
        ("/break", "protocol http.protocol", ""),
        ("/late", "dns dns.timeout", "did not answer within 1.5s"),
    ] {
        let limit = if path == "/late" { LIMIT } else { PATIENCE };
        let trial = ask(&server.url(path), &pki, None, limit).await;
        assert_eq!(trial.failure(), failure, "{path} {}", trial.message());
        assert!(trial.message().contains(words), "{path}: {}", trial.message());
        trial.ended_in_time();
    }
}

#[tokio::test]
async fn connections_that_go_wrong_end_in_time() {
    let pki = Pki::new();
    let config = Arc::clone(&pki.identity(&["127.0.0.1"], Flaw::None).server_config(&speech("dot")));
    for (fault, failure, last) in [
        (Fault::HalfOpen, "dns dns.timeout", Phase::Tls),
        (Fault::TlsStall, "dns dns.timeout", Phase::Tls),
        (Fault::TlsGarbage, "tls tls.handshake", Phase::Tls),
        (Fault::SilentAfterTls(Arc::clone(&config)), "dns dns.timeout", Phase::Wait),
    ] {
        let hostile = Hostile::start(fault.clone());
        let url = format!("tls://{}", hostile.addr());
        let trial = until_in(last, async |limit| ask(&url, &pki, None, limit).await).await;
        assert_eq!(trial.failure(), failure, "{fault:?}");
        assert_eq!(trial.last_phase(), Some(last), "{fault:?}");
        trial.ended_in_time();
    }
    let hostile = Hostile::start(Fault::ResetAfterTls(config));
    let trial = ask(&format!("tls://{}", hostile.addr()), &pki, None, PATIENCE).await;
    assert!(["connect connect.reset", "protocol dns.truncated"].contains(&&*trial.failure()));
}

#[cfg(feature = "doq")]
#[tokio::test]
async fn over_quic_against_another_implementation() {
    let knot = Knot::start(
        "shop.test",
        "$ORIGIN shop.test.\n@ 60 SOA ns hostmaster 7 3600 600 86400 60\n@ 60 NS ns\n\
                                         @ 60 A 203.0.113.10\n",
    );
    let pki = Pki::new();
    let doq = Doq::start(knot.addr(), &pki.identity(&["127.0.0.1"], Flaw::None));
    let server = format!("quic://{}", doq.addr());
    let trial = ask(&server, &pki, None, PATIENCE).await;
    assert_eq!(trial.value("answers"), list(&["203.0.113.10"]));
    assert_eq!(trial.phases(0), [Phase::Handshake, Phase::Send, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.attribute("network.transport"), "quic");
    assert_eq!(trial.outcome.hops[0].peer, Some(doq.addr()));
    let trial = ask(&server, &pki, Some("other.test"), PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.name_mismatch");
    assert_eq!(trial.phases(0), [Phase::Handshake]);
    let stranger = Doq::start(knot.addr(), &pki.identity(&["127.0.0.1"], Flaw::UntrustedRoot));
    let trial = ask(&format!("quic://{}", stranger.addr()), &pki, None, PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.untrusted");
    let nobody = format!("quic://127.0.0.1:{}", wait::free_port());
    let trial = ask(&nobody, &pki, None, LIMIT).await;
    assert_eq!(trial.failure(), "connect connect.refused");
    assert_eq!(trial.phases(0), [Phase::Handshake]);
    trial.ended_in_time();
}

#[tokio::test]
async fn a_real_resolver_answers_over_tls_and_https() {
    let zone = "$ORIGIN test.\n$TTL 300\n@ SOA ns hostmaster 7 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n\
                shop A 203.0.113.10\n";
    let knot = Knot::start("test", zone);
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    // No anchor of this zone: nothing is validated.
    let anchor = "elsewhere. DS 1 13 2 00";
    let unbound = Unbound::start("test.", knot.addr(), anchor, &identity);
    for server in [
        format!("tls://{}", unbound.tls()),
        format!("https://{}/dns-query", unbound.https()),
        format!("https://{}/dns-query{{?dns}}", unbound.https()),
        format!("tcp://{}", unbound.plain()),
        format!("udp://{}", unbound.plain()),
    ] {
        let mut keys = vec![
            ("name", template("shop.test")),
            ("resolvers", texts([&server])),
            ("nsid", Bound::Bool(true)),
        ];
        if !server.starts_with("tcp") && !server.starts_with("udp") {
            keys.push(("ca", text(pki.root_file().to_str().unwrap())));
        }
        let trial = run(&KIND, keys, &shared(), PATIENCE).await;
        assert_eq!(trial.value("answers"), list(&["203.0.113.10"]), "{server}");
        assert_eq!(trial.value("nsid"), Value::Text("unbound-1".into()), "{server}");
        assert_eq!(trial.value("recursion_available"), Value::Bool(true), "{server}");
    }
}
