//! The kind `tls` against servers with chains of every flaw.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::step::Phase;
use rustls::ServerConfig;
use scenario::fields::Bound;
use scenario::value::{Reading, Value};
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Flaw, Identity, Pki, Speech};

use super::KIND;
use super::file::classify;
use crate::trial::{PATIENCE, Trial, compile, judge, run, shared, template, text, texts, told};

/// Short enough for a test, long enough for a loopback handshake on a busy machine.
const LIMIT: Duration = Duration::from_millis(700);
const DAY: Duration = Duration::from_hours(24);

/// A server that completes handshakes and then says nothing.
fn server(config: Arc<ServerConfig>) -> Hostile {
    Hostile::start(Fault::SilentAfterTls(config))
}

async fn look(pki: &Pki, addr: SocketAddr, keys: Vec<(&'static str, Bound)>) -> Trial {
    let ours = vec![
        ("address", template(format!("localhost:{}", addr.port()))),
        ("ca", text(pki.root_file().to_str().unwrap())),
    ];
    run(&KIND, [ours, keys].concat(), &shared(), PATIENCE).await
}

async fn look_at(pki: &Pki, identity: &Identity) -> Trial {
    let server = server(identity.server_config(&Speech::default()));
    look(pki, server.addr(), Vec::new()).await
}

fn defects(trial: &Trial) -> Vec<String> {
    match trial.outcome.attributes.get("prober.tls.defects") {
        Some(model::attribute::AttributeValue::List(words)) => words.clone(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_good_chain_is_evidence() {
    let pki = Pki::new();
    let identity = pki.identity(&["localhost", "127.0.0.1"], Flaw::None);
    let server = server(identity.server_config(&Speech::default()));
    let trial = look(&pki, server.addr(), vec![("alpn", texts(["h2", "http/1.1"]))]).await;
    assert_eq!(trial.value("chain"), Value::Text("trusted".into()));
    assert_eq!(trial.value("hostname"), Value::Text("match".into()));
    assert_eq!(trial.value("protocol"), Value::Text("TLS1.3".into()));
    assert_eq!(trial.value("alpn"), Value::Text("h2".into()));
    assert_eq!(trial.value("chain_length"), Value::Int(2));
    assert_eq!(trial.value("self_signed"), Value::Bool(false));
    assert_eq!(trial.value("key_type"), Value::Text("EC 256".into()));
    assert_eq!(trial.value("signature"), Value::Text("ecdsa-with-SHA256".into()));
    assert_eq!(
        trial.value("sans"),
        Value::List(vec![Value::Text("localhost".into()), Value::Text("127.0.0.1".into())])
    );
    let Value::Text(cipher) = trial.value("cipher") else { panic!("the cipher is a text") };
    assert!(cipher.starts_with("TLS_"), "{cipher}");
    let Value::Duration(left) = trial.value("expires_in") else { panic!("a duration") };
    assert!(left > 89 * DAY && left <= 90 * DAY, "{left:?}");
    assert_eq!(trial.value("chain_expires_in"), trial.value("expires_in"));
    assert_eq!(trial.phases(0), [Phase::Dns, Phase::Connect, Phase::Tls]);
    assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
    assert!(trial.attribute("tls.server.issuer").contains("prober test intermediate"));
    let not_after: model::time::Timestamp = trial.attribute("tls.server.not_after").parse().unwrap();
    assert!(identity.not_after.since(not_after) < Duration::from_secs(1));
    assert_eq!(trial.attribute("tls.server.hash.sha256").len(), 64);
    assert!(defects(&trial).is_empty());
}

#[tokio::test]
async fn each_flaw_has_its_word() {
    let pki = Pki::new();
    for (flaw, word, hostname) in [
        (Flaw::None, "trusted", "match"),
        (Flaw::Expired, "expired", "match"),
        (Flaw::NotYetValid, "not_yet_valid", "match"),
        (Flaw::WrongName, "trusted", "mismatch"),
        (Flaw::SelfSigned, "self_signed", "match"),
        (Flaw::MissingIntermediate, "missing_intermediate", "match"),
    ] {
        let trial = look_at(&pki, &pki.identity(&["localhost"], flaw)).await;
        assert_eq!(trial.outcome.failure, None, "{flaw:?}");
        assert_eq!(trial.value("chain"), Value::Text(word.into()), "{flaw:?}");
        assert_eq!(trial.value("hostname"), Value::Text(hostname.into()), "{flaw:?}");
        // The chain and its dates are there whatever is wrong.
        assert!(matches!(trial.value("chain_length"), Value::Int(1..=2)));
        assert!(matches!(trial.value("expires_in"), Value::Duration(_)));
    }
    let expired = look_at(&pki, &pki.identity(&["localhost"], Flaw::Expired)).await;
    assert_eq!(expired.value("expires_in"), Value::Duration(Duration::ZERO));
    assert_eq!(defects(&expired), ["expired"]);
}

#[tokio::test]
async fn a_complete_chain_of_a_stranger_is_untrusted() {
    let (pki, other) = (Pki::new(), Pki::new());
    let trial = look_at(&pki, &other.identity(&["localhost"], Flaw::None)).await;
    assert_eq!(trial.value("chain"), Value::Text("untrusted".into()));
}

#[tokio::test]
async fn several_defects_are_all_named() {
    let (pki, other) = (Pki::new(), Pki::new());
    let trial = look_at(&pki, &other.identity(&["elsewhere.test"], Flaw::Expired)).await;
    assert_eq!(trial.value("chain"), Value::Text("untrusted".into()));
    assert_eq!(defects(&trial), ["untrusted", "expired", "name_mismatch"]);
}

#[tokio::test]
async fn the_name_that_is_asked_for_may_differ_from_the_host() {
    let pki = Pki::new();
    let server = server(pki.identity(&["shop.test"], Flaw::None).server_config(&Speech::default()));
    let trial = look(&pki, server.addr(), vec![("server_name", text("shop.test"))]).await;
    assert_eq!(trial.value("hostname"), Value::Text("match".into()));
    let trial = look(&pki, server.addr(), Vec::new()).await;
    assert_eq!(trial.value("hostname"), Value::Text("mismatch".into()));
}

#[tokio::test]
async fn versions_and_protocols_are_what_was_agreed_on() {
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    for (speech, version) in [(Speech::tls12(), "TLS1.2"), (Speech::tls13(), "TLS1.3")] {
        let server = server(identity.server_config(&speech));
        let trial = look(&pki, server.addr(), Vec::new()).await;
        assert_eq!(trial.value("protocol"), Value::Text(version.into()));
        assert_eq!(trial.read("alpn"), Reading::Absent);
    }
}

#[tokio::test]
async fn the_systems_authorities_do_not_know_the_test_root() {
    let pki = Pki::new();
    let server = server(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::default()));
    let keys = vec![("address", template(server.addr().to_string()))];
    let trial = run(&KIND, keys, &shared(), PATIENCE).await;
    assert_eq!(trial.value("chain"), Value::Text("untrusted".into()));
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls]);
}

#[tokio::test]
async fn a_ca_file_that_is_missing_is_our_fault() {
    let keys = vec![("address", template("127.0.0.1:1")), ("ca", text("/nonexistent/root.pem"))];
    let trial = run(&KIND, keys, &shared(), PATIENCE).await;
    assert_eq!(trial.failure(), "local local.config");
}

#[tokio::test]
async fn no_handshake_is_a_failure() {
    for fault in [Fault::TlsGarbage, Fault::CloseOnAccept] {
        let target = Hostile::start(fault.clone());
        let keys = vec![("address", template(target.addr().to_string()))];
        let trial = run(&KIND, keys, &shared(), PATIENCE).await;
        assert_eq!(trial.failure(), "tls tls.handshake", "{fault:?}");
        assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls]);
    }
}

#[tokio::test]
async fn a_reset_is_the_targets_failure() {
    let target = Hostile::start(Fault::ResetOnAccept);
    let keys = vec![("address", template(target.addr().to_string()))];
    let trial = run(&KIND, keys, &shared(), PATIENCE).await;
    // It may arrive before the connection is seen to stand.
    let failure = trial.failure();
    assert!(["tls tls.handshake", "connect connect.reset"].contains(&&*failure), "{failure}");
}

#[tokio::test]
async fn a_handshake_that_never_ends_ends_at_the_deadline() {
    for fault in [Fault::TlsStall, Fault::HalfOpen] {
        let target = Hostile::start(fault);
        let keys = vec![("address", template(target.addr().to_string()))];
        let trial = run(&KIND, keys, &shared(), LIMIT).await;
        assert_eq!(trial.failure(), "timeout timeout");
        assert_eq!(trial.message(), "still in the TLS handshake after 700ms");
        trial.ended_within(LIMIT);
    }
}

#[tokio::test]
async fn a_scenario_file_says_it_all() {
    let pki = Pki::new();
    let root = pki.root_file();
    for (flaw, expect, expected) in [
        (Flaw::None, "", "ok"),
        (Flaw::None, "expect: { protocol: { gte: TLS1.2 }, expires_in: { gte: 21d } }", "ok"),
        (
            Flaw::None,
            "expect: { expires_in: { gte: 91d } }",
            "failed incorrect assert.expires_in: expires_in is",
        ),
        (Flaw::Expired, "", "failed tls tls.expired: chain is expired, expected trusted"),
        (Flaw::Expired, "expect: { chain: expired }", "ok"),
        (Flaw::NotYetValid, "", "failed tls tls.not_yet_valid: "),
        (Flaw::WrongName, "", "failed tls tls.name_mismatch: hostname is mismatch, expected match"),
        (Flaw::SelfSigned, "", "failed tls tls.untrusted: chain is self_signed"),
        (Flaw::MissingIntermediate, "", "failed tls tls.untrusted: chain is missing_intermediate"),
        (Flaw::None, "expect: { chain: expired }", "failed incorrect assert.chain: "),
    ] {
        let server = server(pki.identity(&["localhost"], flaw).server_config(&Speech::default()));
        let (port, root) = (server.addr().port(), root.display());
        let step = format!("tls: {{ address: \"localhost:{port}\", ca: {root} }}\n{expect}");
        let told = told(&judge(&step).await);
        assert!(told.starts_with(expected), "{flaw:?} {expect}\n{told}");
    }
}

#[test]
fn broken_expectations_have_their_failure() {
    for (subject, actual, expected) in [
        ("chain", "expired", Some("tls tls.expired")),
        ("chain", "not_yet_valid", Some("tls tls.not_yet_valid")),
        ("chain", "self_signed", Some("tls tls.untrusted")),
        ("chain", "missing_intermediate", Some("tls tls.untrusted")),
        ("chain", "trusted", None),
        ("hostname", "mismatch", Some("tls tls.name_mismatch")),
        ("expires_in", "3d", None),
    ] {
        let found = classify(subject, actual, true).map(|(class, kind)| format!("{class} {kind}"));
        assert_eq!(found.as_deref(), expected, "{subject} {actual}");
    }
}

#[test]
fn mistakes_in_the_file() {
    let keys = vec![
        ("address", template("https://shop.test")),
        ("server_name", text("shop.test:443")),
        ("alpn", texts([""])),
    ];
    let mistakes = compile(&KIND, keys).err().unwrap_or_default();
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    assert!(mistakes.iter().any(|mistake| mistake.starts_with("E134: `shop.test:443`")), "{mistakes:?}");
}
