//! Chains that nobody here can judge: never the server's fault, and never a way to hide for one that is not trusted.

use testkit::pki::{Extra, Pki, Weak, weak};
use testkit::servers::OpenSsl;

use crate::trial::{judge, told};

const SOUND: Weak = Weak {
    name: "sound",
    between: "rsa:2048",
    between_hash: "sha256",
    leaf: "rsa:2048",
    leaf_hash: "sha256",
};

/// What a step of HTTPS and one of TLS say of `localhost` or `name` at this port.
async fn said(port: u16, name: &str, ca: &str) -> [String; 2] {
    let target = format!("connect_to: \"127.0.0.1:{port}\"");
    let http = format!("http: {{ url: \"https://{name}/\", {target}, ca: {ca} }}");
    let tls = format!("tls: {{ address: \"127.0.0.1:{port}\", server_name: {name}, ca: {ca} }}");
    [told(&judge(&http).await), told(&judge(&tls).await)]
}

#[tokio::test]
async fn what_cannot_be_judged_is_our_own_limit() {
    let pki = Pki::new();
    let ca = pki.root_file().display().to_string();
    for (extra, name, expected) in [
        (Extra::Far(2), "shop.test", ["ok", "ok"]),
        (Extra::Far(9), "shop.test", ["prober_fault local local.unsupported: "; 2]),
        (Extra::OneOrganisation, "shop.test", ["prober_fault local local.unsupported: "; 2]),
        // These names it may not be issued for, whoever the organisation is.
        (Extra::OneOrganisation, "bank.test", ["failed tls tls.untrusted: "; 2]),
    ] {
        let server = OpenSsl::serve(&pki.identity_with(&[name], extra), &[]);
        for (told, expected) in said(server.addr().port(), name, &ca).await.iter().zip(expected) {
            assert!(told.starts_with(expected), "{extra:?} {name}: {told}");
            let is_ours = expected.contains("unsupported");
            let words = "this version of prober cannot judge the certificate: ";
            assert_eq!(told.contains(words), is_ours, "{extra:?} {name}: {told}");
        }
    }
}

#[tokio::test]
async fn who_is_not_trusted_or_has_another_name_does_not_hide_behind_that() {
    let pki = Pki::new();
    let long = pki.identity_with(&["shop.test"], Extra::Far(9));
    let server = OpenSsl::serve(&long, &[]);
    let port = server.addr().port();
    for told in said(port, "shop.test", &pki.stranger_file().display().to_string()).await {
        assert!(told.starts_with("failed tls tls.untrusted: "), "{told}");
    }
    let [http, _] = said(port, "else.test", &pki.root_file().display().to_string()).await;
    assert!(http.starts_with("failed tls tls.name_mismatch: "), "{http}");
}

#[tokio::test]
async fn an_issuer_of_p_521_is_named() {
    let (identity, folder) = weak(Weak { between: "secp521r1", leaf_hash: "sha512", ..SOUND });
    let server = OpenSsl::serve(&identity, &[]);
    let root = folder.path().join("root.pem").display().to_string();
    for told in said(server.addr().port(), "localhost", &root).await {
        let words = "its chain is signed with ecdsa-with-SHA512, sha256WithRSAEncryption";
        assert!(told.starts_with("prober_fault local local.unsupported: ") && told.contains(words), "{told}");
    }
}
