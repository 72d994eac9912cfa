//! Chains that are too weak, as every kind that speaks TLS calls them.

use testkit::pki::{WEAK, Weak, weak};
use testkit::servers::{Nats, NatsSetup, OpenSsl};

use crate::trial::{PATIENCE, judge, run, shared, template, text, told};

fn chain(name: &str) -> Weak {
    WEAK.into_iter().find(|how| how.name == name).expect("the table has it")
}

/// Steps of every kind that begins a connection to `port` with TLS.
fn steps(port: u16, ca: &str) -> [(&'static str, String); 7] {
    [
        ("http", format!("http: {{ url: \"https://localhost:{port}/\", ca: {ca} }}")),
        ("grpc", format!("grpc: {{ address: \"localhost:{port}\", ca: {ca} }}")),
        ("websocket", format!("websocket: {{ url: \"wss://localhost:{port}/\", ca: {ca} }}")),
        ("smtp", format!("smtp: {{ address: \"localhost:{port}\", tls: implicit, ca: {ca} }}")),
        (
            "dns over TLS",
            format!(
                "dns: {{ name: shop.test, resolvers: [\"tls://127.0.0.1:{port}\"], server_name: localhost, ca: {ca} }}"
            ),
        ),
        (
            "dns over HTTPS",
            format!(
                "dns: {{ name: shop.test, resolvers: [\"https://localhost:{port}/dns-query\"], ca: {ca} }}"
            ),
        ),
        ("tls", format!("tls: {{ address: \"localhost:{port}\", ca: {ca} }}")),
    ]
}

#[tokio::test]
async fn every_kind_calls_a_weak_key_weak() {
    let (identity, folder) = weak(chain("RSA 1024 leaf"));
    let server = OpenSsl::serve(&identity, &[]);
    let root = folder.path().join("root.pem").display().to_string();
    for (kind, step) in steps(server.addr().port(), &root) {
        let told = told(&judge(&step).await);
        assert!(told.starts_with("failed tls tls.weak: "), "{kind}: {told}");
        assert!(
            kind == "tls" || told.ends_with("could be forged: the key of CN=localhost is RSA 1024"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn https_calls_every_weak_chain_what_a_tls_step_calls_it() {
    for how in WEAK {
        let (identity, folder) = weak(how);
        let server = OpenSsl::serve(&identity, &[]);
        let root = folder.path().join("root.pem").display().to_string();
        let type_of = |told: &str| told.split(": ").next().unwrap_or_default().to_owned();
        let mut found = Vec::new();
        for (kind, step) in steps(server.addr().port(), &root) {
            if kind == "http" || kind == "tls" {
                found.push(type_of(&told(&judge(&step).await)));
            }
        }
        let expected = match how.name {
            sound if sound.starts_with("sound") => "ok",
            // No client can finish a handshake with such a key, and servers do not begin one.
            "P-224 leaf" => "failed tls tls.handshake",
            _ => "failed tls tls.weak",
        };
        assert_eq!(found, [expected, expected], "{}", how.name);
    }
}

#[tokio::test]
async fn a_weak_signature_is_called_weak_after_plaintext_too() {
    let (identity, folder) = weak(chain("SHA-1 leaf"));
    let root = folder.path().join("root.pem").display().to_string();
    // NATS serves what is in the file.
    let identity = identity.served_as(identity.chain.clone());
    let nats = Nats::start(&NatsSetup { identity: Some(&identity), ..NatsSetup::default() });
    let port = nats.addr().port();
    let step = format!("jetstream: {{ address: \"localhost:{port}\", stream: S, tls: true, ca: {root} }}");
    let told = told(&judge(&step).await);
    let expected = "failed tls tls.weak: the certificate could be forged: CN=localhost is signed with sha1WithRSAEncryption";
    assert_eq!(told, expected);
}

#[tokio::test]
async fn another_name_weighs_more_than_a_weak_chain() {
    for name in ["RSA 1024 leaf", "SHA-1 leaf"] {
        let (identity, folder) = weak(chain(name));
        let server = OpenSsl::serve(&identity, &[]);
        let (port, root) = (server.addr().port(), folder.path().join("root.pem"));
        let step = format!("http: {{ url: \"https://127.0.0.1:{port}/\", ca: {} }}", root.display());
        let told = told(&judge(&step).await);
        assert!(told.starts_with("failed tls tls.name_mismatch: "), "{name}: {told}");
    }
}

#[tokio::test]
async fn who_does_not_verify_is_told_what_is_weak() {
    let (identity, folder) = weak(chain("RSA 1024 leaf"));
    let server = OpenSsl::serve(&identity, &[]);
    let port = server.addr().port();
    let keys =
        vec![("url", template(format!("https://localhost:{port}/"))), ("insecure", text("it is a test"))];
    let trial = run(&crate::http::KIND, keys, &shared(), PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    // Nobody who is trusted vouches for it, either, and that weighs more.
    let error = trial.attribute("prober.tls.error");
    assert_eq!(error, "the certificate does not lead to a trusted authority");
    let keys = vec![
        ("url", template(format!("https://localhost:{port}/"))),
        ("insecure", text("it is a test")),
        ("ca", text(folder.path().join("root.pem").display().to_string())),
    ];
    let trial = run(&crate::http::KIND, keys, &shared(), PATIENCE).await;
    let error = trial.attribute("prober.tls.error");
    assert_eq!(error, "the certificate could be forged: the key of CN=localhost is RSA 1024");
}
