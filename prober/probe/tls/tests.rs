//! The kind `tls` against servers with chains of every flaw.

mod every;
mod peers;
mod side_by_side;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::step::Phase;
use rustls::ServerConfig;
use scenario::fields::Bound;
use scenario::showing::Shows;
use scenario::value::{Reading, Value};
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Extra, Flaw, Identity, Pki, Speech, Staple};

use super::KIND;
use super::file::classify;
use crate::trial::{PATIENCE, Trial, compile, judge, run, shared, template, text, texts, told, until_in};

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
        Some(model::attribute::AttributeValue::List(words)) => {
            words.iter().map(ToString::to_string).collect()
        }
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
async fn versions_are_chosen_by_the_file() {
    let pki = Pki::new();
    let server = server(pki.identity(&["localhost"], Flaw::None).server_config(&Speech::default()));
    for (key, version) in [("min_version", "TLS1.3"), ("max_version", "TLS1.2")] {
        let trial = look(&pki, server.addr(), vec![(key, Bound::Choice(version))]).await;
        assert_eq!(trial.value("protocol"), Value::Text(version.into()));
    }
    let old = self::server(pki.identity(&["localhost"], Flaw::None).server_config(&Speech::tls12()));
    let trial = look(&pki, old.addr(), vec![("min_version", Bound::Choice("TLS1.3"))]).await;
    assert_eq!(trial.failure(), "tls tls.handshake");
}

#[tokio::test]
async fn what_is_stapled_is_evidence() {
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    for (says, word, told_part) in [
        (Staple::Good, "good", "ok"),
        (
            Staple::Revoked,
            "revoked",
            "failed tls tls.revoked: chain is revoked, expected trusted: the stapled OCSP answer says so: since ",
        ),
    ] {
        let staple = pki.staple(&identity, says, 3);
        let server = server(identity.server_config_stapling(&Speech::default(), staple));
        let trial = look(&pki, server.addr(), Vec::new()).await;
        assert_eq!(trial.value("ocsp"), Value::Text(word.into()));
        let Value::Duration(age) = trial.value("ocsp_age") else { panic!("an age") };
        assert!(age < Duration::from_mins(1), "{age:?}");
        let Value::Duration(left) = trial.value("ocsp_expires_in") else { panic!("a duration") };
        assert!(left > 2 * DAY, "{left:?}");
        assert_eq!(trial.attribute("prober.tls.ocsp"), word);
        let (port, root) = (server.addr().port(), pki.root_file());
        let step = format!("tls: {{ address: \"localhost:{port}\", ca: {} }}\n", root.display());
        let outcome = told(&judge(&step).await);
        assert!(outcome.starts_with(told_part), "{outcome}");
    }
    let other = pki.staple(&pki.identity(&["localhost"], Flaw::None), Staple::Good, 3);
    let confused = server(identity.server_config_stapling(&Speech::default(), other));
    let (port, root) = (confused.addr().port(), pki.root_file());
    let step =
        format!("tls: {{ address: \"localhost:{port}\", ca: {} }}\nexpect: {{ ocsp: good }}", root.display());
    let outcome = told(&judge(&step).await);
    let said = "assert.ocsp: ocsp is invalid, expected good: the answer is about another certificate";
    assert!(outcome.contains(said), "{outcome}");
    let trial = look_at(&pki, &identity).await;
    assert_eq!(trial.value("ocsp"), Value::Text("none".into()));
    assert_eq!(trial.read("ocsp_age"), Reading::Absent);
    assert_eq!(trial.value("scts"), Value::Int(0));
    let logged = look_at(&pki, &pki.identity_with(&["localhost"], Extra::Timestamps(3))).await;
    assert_eq!(logged.value("scts"), Value::Int(3));
}

#[tokio::test]
async fn a_list_of_revoked_certificates_is_read_where_the_prober_runs() {
    let pki = Pki::new();
    let (good, bad) = (pki.identity(&["localhost"], Flaw::None), pki.identity(&["localhost"], Flaw::None));
    let (list, old) = (pki.crl_file(&[&bad], 5), pki.crl_file(&[], -1));
    for (identity, list, expected) in [
        (&good, list.to_str().unwrap(), "ok"),
        (
            &bad,
            list.to_str().unwrap(),
            "failed tls tls.revoked: chain is revoked, expected trusted: the list of revoked",
        ),
        (
            &good,
            old.to_str().unwrap(),
            "config_fault local local.config: the CRL of CN=prober test intermediate was to",
        ),
        (
            &good,
            "/nonexistent.crl",
            "config_fault local local.config: the CRL file /nonexistent.crl cannot be used",
        ),
    ] {
        let server = server(identity.server_config(&Speech::default()));
        let (port, root) = (server.addr().port(), pki.root_file());
        let step = format!(
            "tls: {{ address: \"localhost:{port}\", ca: {}, crl: {list} }}\nexpect: {{ expires_in: {{ gte: 1d }} }}",
            root.display()
        );
        let told = told(&judge(&step).await);
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn the_worst_defect_names_the_failure_and_all_are_shown() {
    let (pki, other) = (Pki::new(), Pki::new());
    let server = server(other.identity(&["elsewhere.test"], Flaw::Expired).server_config(&Speech::default()));
    let step = |keys: &str, expect: &str| {
        let (port, root) = (server.addr().port(), pki.root_file());
        format!("tls: {{ address: \"localhost:{port}\", ca: {}{keys} }}\n{expect}", root.display())
    };
    for (expect, expected) in [
        ("", "failed tls tls.untrusted: chain is untrusted, expected trusted"),
        (
            "expect: { chain: untrusted, hostname: mismatch, defects: { len: 0 } }",
            "failed tls tls.untrusted: defects is [untrusted, expired, name_mismatch]",
        ),
        (
            "expect: { chain: untrusted, hostname: mismatch, defects: { not_contains: [expired, weak_key] } }",
            "failed tls tls.untrusted: defects is",
        ),
        ("expect: { chain: untrusted, hostname: mismatch, defects: { not_contains: weak_key } }", "ok"),
        (
            "expect: { chain: untrusted }",
            "failed tls tls.name_mismatch: hostname is mismatch, expected match: the certificate is for elsewhere.test",
        ),
    ] {
        let outcome = judge(&step("", expect)).await;
        let told = told(&outcome);
        assert!(told.starts_with(expected), "{expect}: {told}");
        let details = outcome.steps[0].attributes.get("prober.tls.defects.detail");
        let Some(model::attribute::AttributeValue::List(details)) = details else { panic!("a list") };
        assert_eq!(details.len(), 3, "{details:?}");
        assert_eq!(details[2], "name_mismatch: the certificate is for elsewhere.test, not for localhost");
    }
}

#[tokio::test]
async fn versions_are_asked_for_only_if_something_looks_at_them() {
    let pki = Pki::new();
    let root = pki.root_file();
    for (speech, expect, hops, expected) in [
        (Speech::default(), "", 1, "ok"),
        (Speech::default(), "expect: { accepts: { equals_set: [TLS1.2, TLS1.3] } }", 5, "ok"),
        (Speech::tls12(), "expect: { accepts: { equals_set: [TLS1.2] } }", 5, "ok"),
        (Speech::tls13(), "warn: { accepts: { contains: TLS1.2 } }", 5, "ok"),
        (Speech::tls13(), "sli: { good: { accepts: { contains: TLS1.3 } } }", 5, "ok"),
        (
            Speech::tls13(),
            "expect: { accepts: { contains: TLS1.2 } }",
            5,
            "failed incorrect assert.accepts: accepts is [TLS1.3], expected containing TLS1.2",
        ),
    ] {
        let server = server(pki.identity(&["localhost"], Flaw::None).server_config(&speech));
        let port = server.addr().port();
        let step = format!("tls: {{ address: \"localhost:{port}\", ca: {} }}\n{expect}", root.display());
        let outcome = judge(&step).await;
        assert!(told(&outcome).starts_with(expected), "{expect}: {}", told(&outcome));
        assert_eq!((outcome.steps[0].hops.len(), server.connections()), (hops, hops), "{expect}");
    }
}

#[tokio::test]
async fn versions_that_cannot_be_told_are_never_green() {
    // It stalls at every hello, so nobody knows what it would accept.
    let target = Hostile::start(Fault::TlsStall);
    let step =
        format!("tls: \"{}\"\ntimeout: 1s\nexpect: {{ accepts: {{ not_contains: TLS1.0 }} }}", target.addr());
    assert_eq!(told(&judge(&step).await), "failed timeout timeout: still in the TLS handshake after 1s");
    // It speaks no TLS at all: the handshake says so, and every hello too.
    let target = Hostile::start(Fault::TlsGarbage);
    let step = format!("tls: \"{}\"\nexpect: {{ accepts: {{ not_contains: TLS1.0 }} }}", target.addr());
    let told = told(&judge(&step).await);
    assert!(
        told.starts_with("failed tls tls.handshake: ") && told.ends_with("; it accepts no version"),
        "{told}"
    );
}

#[tokio::test]
async fn mozillas_authorities_do_not_know_the_test_root() {
    let pki = Pki::new();
    let server = server(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::default()));
    let keys = vec![("address", template(server.addr().to_string())), ("trust", Bound::Choice("bundled"))];
    let trial = run(&KIND, keys, &shared(), PATIENCE).await;
    assert_eq!(trial.value("chain"), Value::Text("untrusted".into()));
}

#[tokio::test]
async fn a_subject_without_its_file_is_a_mistake() {
    let keys = vec![("address", template("shop.test:443"))];
    let action = compile(&KIND, keys.clone()).unwrap();
    assert!(matches!(action.shows("crl"), Shows::Nothing(_)) && action.shows("ocsp") == Shows::Anything);
    assert!(
        compile(&KIND, [keys, vec![("crl", text("a.crl"))]].concat()).unwrap().shows("crl")
            == Shows::Anything
    );
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
        let trial =
            until_in(Phase::Tls, async |limit| run(&KIND, keys.clone(), &shared(), limit).await).await;
        assert_eq!(trial.failure(), "timeout timeout");
        assert_eq!(trial.message(), format!("still in the TLS handshake after {:?}", trial.limit));
        trial.ended_in_time();
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
        ("chain", "weak", Some("tls tls.weak")),
        ("chain", "revoked", Some("tls tls.revoked")),
        ("ocsp", "revoked", Some("tls tls.revoked")),
        ("crl", "revoked", Some("tls tls.revoked")),
        ("ocsp", "expired", None),
        ("defects", "[wrong_order, name_mismatch]", Some("tls tls.name_mismatch")),
        ("defects", "[wrong_order]", Some("tls tls.chain_order")),
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
        ("trust", Bound::Choice("bundled")),
        ("ca", text("root.pem")),
        ("min_version", Bound::Choice("TLS1.3")),
        ("max_version", Bound::Choice("TLS1.2")),
    ];
    let mistakes = compile(&KIND, keys).err().unwrap_or_default();
    assert_eq!(mistakes.len(), 5, "{mistakes:?}");
    assert!(mistakes.iter().any(|mistake| mistake.contains("`trust` and `ca` both")), "{mistakes:?}");
    assert!(mistakes.iter().any(|mistake| mistake.contains("older than `min_version`")), "{mistakes:?}");
    assert!(mistakes.iter().any(|mistake| mistake.starts_with("E178: `shop.test:443`")), "{mistakes:?}");
}
