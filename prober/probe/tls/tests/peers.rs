//! Real servers: OpenSSL with versions of long ago, and those that come to TLS by way of plaintext.

use std::sync::Arc;

use model::step::Phase;
use scenario::fields::Bound;
use scenario::value::Value;
use testkit::pki::{Flaw, Pki, Speech, Staple};
use testkit::scripted::{Move, Scripted, say};
use testkit::servers::{Dovecot, Nginx, OpenSsl, Plaintext, Postgres, s_client};

use super::{defects, look};
use crate::trial::{judge, told};

/// What a client of OpenSSL finds, version by version.
fn accepted_by_openssl(server: &OpenSsl) -> Vec<&'static str> {
    let versions = [("-tls1", "TLS1.0"), ("-tls1_1", "TLS1.1"), ("-tls1_2", "TLS1.2"), ("-tls1_3", "TLS1.3")];
    let accepts = |flag: &str| {
        let said = s_client(server.addr(), &[flag, "-cipher", "ALL:@SECLEVEL=0"]);
        !said.contains("Cipher is (NONE)") && said.contains("Cipher is")
    };
    versions.into_iter().filter(|(flag, _)| accepts(flag)).map(|(_, word)| word).collect()
}

#[tokio::test]
async fn old_versions_are_found_as_openssl_finds_them() {
    let pki = Pki::new();
    let (identity, root) = (pki.identity(&["localhost"], Flaw::None), pki.root_file());
    for (args, expected) in [
        (&[][..], "TLS1.0, TLS1.1, TLS1.2, TLS1.3"),
        (&["-no_tls1"], "TLS1.1, TLS1.2, TLS1.3"),
        (&["-no_tls1", "-no_tls1_1"], "TLS1.2, TLS1.3"),
        (&["-no_tls1_3"], "TLS1.0, TLS1.1, TLS1.2"),
        (&["-tls1_3"], "TLS1.3"),
        (&["-cipher", "DEFAULT:@SECLEVEL=2"], "TLS1.2, TLS1.3"),
    ] {
        let server = OpenSsl::serve(&identity, args);
        assert_eq!(accepted_by_openssl(&server).join(", "), expected, "{args:?}: what OpenSSL finds");
        let port = server.addr().port();
        let step = format!(
            "tls: {{ address: \"localhost:{port}\", ca: {} }}\nexpect: {{ accepts: {{ equals_set: [{expected}] }} }}",
            root.display()
        );
        assert_eq!(told(&judge(&step).await), "ok", "{args:?}");
    }
}

#[tokio::test]
async fn a_server_that_stopped_learning_is_told_what_it_accepts() {
    let pki = Pki::new();
    let (identity, root) = (pki.identity(&["localhost"], Flaw::None), pki.root_file());
    let server = OpenSsl::serve(&identity, &["-tls1_1"]);
    let port = server.addr().port();
    let step =
        |expect: &str| format!("tls: {{ address: \"localhost:{port}\", ca: {} }}\n{expect}", root.display());
    let alone = told(&judge(&step("")).await);
    assert!(alone.starts_with("failed tls tls.handshake: ") && !alone.contains("accepts"), "{alone}");
    let asked = told(&judge(&step("expect: { accepts: { not_contains: TLS1.1 } }")).await);
    assert!(
        asked.starts_with("failed tls tls.handshake: ") && asked.ends_with("; it accepts TLS1.1"),
        "{asked}"
    );
}

#[tokio::test]
async fn openssl_staples_what_its_responder_said() {
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    for (says, word, expected) in
        [(Staple::Good, "good", &[][..]), (Staple::Revoked, "revoked", &["revoked"])]
    {
        let file = pki.root_file().with_file_name(format!("{word}.der"));
        std::fs::write(&file, pki.staple(&identity, says, 3)).unwrap();
        let server = OpenSsl::serve(&identity, &["-status_file", file.to_str().unwrap()]);
        let trial = look(&pki, server.addr(), Vec::new()).await;
        assert_eq!(trial.value("ocsp"), Value::Text(word.into()));
        assert_eq!(defects(&trial), expected);
    }
}

#[tokio::test]
async fn nginx_is_looked_at() {
    let pki = Pki::new();
    let nginx = Nginx::start(&pki.identity(&["localhost"], Flaw::None));
    let trial = look(&pki, nginx.https(), Vec::new()).await;
    assert_eq!(trial.value("chain"), Value::Text("trusted".into()));
    assert!(defects(&trial).is_empty());
}

/// Comes to TLS with a real server, twice: with the right name, and asking for the versions it accepts.
async fn comes_to_tls(pki: &Pki, protocol: &'static str, addr: std::net::SocketAddr) {
    let trial = look(pki, addr, vec![("starttls", Bound::Choice(protocol))]).await;
    assert_eq!(trial.outcome.failure, None, "{protocol}");
    assert_eq!(trial.value("chain"), Value::Text("trusted".into()), "{protocol}");
    assert_eq!(trial.value("hostname"), Value::Text("match".into()), "{protocol}");
    assert_eq!(trial.value("chain_length"), Value::Int(2), "{protocol}");
    assert_eq!(trial.phases(0), [Phase::Dns, Phase::Connect, Phase::Wait, Phase::Tls], "{protocol}");
    assert_eq!(trial.attribute("prober.tls.starttls"), protocol);
    let (port, root) = (addr.port(), pki.root_file());
    // GnuTLS, which slapd is built with, still speaks the first versions if nobody forbids it.
    let never = if protocol == "ldap" { "SSL3.0" } else { "[SSL3.0, TLS1.0]" };
    let step = format!(
        "tls: {{ address: \"localhost:{port}\", ca: {}, starttls: {protocol} }}\n\
         expect: {{ accepts: {{ contains: TLS1.3, not_contains: {never} }} }}",
        root.display()
    );
    assert_eq!(told(&judge(&step).await), "ok", "{protocol}");
}

#[tokio::test]
async fn mail_servers_come_to_tls() {
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    comes_to_tls(&pki, "smtp", Plaintext::smtp(&identity).addr()).await;
    let dovecot = Dovecot::start(&identity);
    comes_to_tls(&pki, "imap", dovecot.imap()).await;
    comes_to_tls(&pki, "pop3", dovecot.pop3()).await;
}

#[tokio::test]
async fn databases_come_to_tls() {
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    comes_to_tls(&pki, "postgres", Postgres::start_secured(&identity).addr()).await;
    comes_to_tls(&pki, "mysql", Plaintext::mysql(&identity).addr()).await;
    let open = Postgres::start();
    let told = told(&judge(&format!("tls: {{ address: \"{}\", starttls: postgres }}", open.addr())).await);
    assert!(told.ends_with("over postgres: it does not offer TLS"), "{told}");
}

#[tokio::test]
async fn directories_and_chats_come_to_tls() {
    let pki = Pki::new();
    let identity = pki.identity(&["localhost"], Flaw::None);
    comes_to_tls(&pki, "ldap", Plaintext::ldap(&identity).addr()).await;
    comes_to_tls(&pki, "xmpp", Plaintext::xmpp(&identity).addr()).await;
}

#[tokio::test]
async fn an_expired_certificate_behind_starttls_is_found() {
    let pki = Pki::new();
    let server = Plaintext::smtp(&pki.identity(&["localhost"], Flaw::Expired));
    let (port, root) = (server.addr().port(), pki.root_file());
    let step = format!("tls: {{ address: \"localhost:{port}\", ca: {}, starttls: smtp }}", root.display());
    let told = told(&judge(&step).await);
    let expected = "failed tls tls.expired: chain is expired, expected trusted: CN=localhost ended ";
    assert!(told.starts_with(expected), "{told}");
}

#[tokio::test]
async fn what_is_injected_before_the_handshake_never_passes() {
    let pki = Pki::new();
    let config = pki.identity(&["localhost"], Flaw::None).server_config(&Speech::default());
    let root = pki.root_file();
    let until_yes = vec![say("+OK\r\n"), Move::Hear("STLS\r\n")];
    // In the same packet as the yes, and in one that may come later.
    for after in
        [vec![say("+OK go on\r\n+OK injected\r\n")], vec![say("+OK go on\r\n"), say("+OK injected\r\n")]]
    {
        let moves = [until_yes.clone(), after, vec![Move::Tls(Arc::clone(&config))]].concat();
        let server = Scripted::start(moves);
        let port = server.addr().port();
        let step =
            format!("tls: {{ address: \"localhost:{port}\", ca: {}, starttls: pop3 }}", root.display());
        let told = told(&judge(&step).await);
        assert!(told.starts_with("failed tls tls."), "{told}");
        assert!(told.contains("plaintext") || told.contains("does not speak TLS"), "{told}");
    }
}
