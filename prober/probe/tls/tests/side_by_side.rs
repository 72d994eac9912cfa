//! The same servers looked at by OpenSSL's client and by us: chain, dates and protocol of each state.
//!
//! Where the two differ, the table says why. OpenSSL names one thing that is wrong, the last one it met; we name
//! all, so its word must be among ours.

use rustls_pki_types::CertificateDer;
use testkit::pki::{Extra, Flaw, Identity, Pki, WEAK, weak};
use testkit::servers::{OpenSsl, s_client};

use super::defects;
use crate::trial::{PATIENCE, run, shared, template, text};
use scenario::value::Value;

/// One state of a server.
struct State {
    what: String,
    identity: Identity,
    /// The file of authorities.
    ca: std::path::PathBuf,
    /// More arguments for the server.
    server: &'static [&'static str],
    /// More arguments for OpenSSL's client.
    client: Vec<String>,
    /// The file of revoked certificates.
    crl: Option<std::path::PathBuf>,
    /// What OpenSSL says: its code, as `openssl verify` numbers them.
    openssl: u32,
    chain: &'static str,
    defects: &'static [&'static str],
    /// Why the two differ; empty if they do not.
    why: &'static str,
}

fn state(what: &str, pki: &Pki, identity: Identity, openssl: u32) -> State {
    State {
        what: what.to_owned(),
        identity,
        ca: pki.root_file(),
        server: &[],
        client: Vec::new(),
        crl: None,
        openssl,
        chain: "trusted",
        defects: &[],
        why: "",
    }
}

impl State {
    fn ours(self, chain: &'static str, defects: &'static [&'static str]) -> Self {
        Self { chain, defects, ..self }
    }

    fn because(self, why: &'static str) -> Self {
        Self { why, ..self }
    }
}

/// Chains of one sound PKI and its stranger.
fn usual(pki: &Pki) -> Vec<State> {
    let flawed = |flaw| pki.identity(&["localhost"], flaw);
    let good = || flawed(Flaw::None);
    let served = |order: &dyn Fn(CertificateDer<'static>) -> Vec<CertificateDer<'static>>| {
        let good = good();
        good.served_as(order(good.chain[0].clone()))
    };
    let between = pki.intermediate();
    let no_order = "OpenSSL, like most clients, puts certificates in order by itself";
    vec![
        state("good", pki, good(), 0),
        state("expired", pki, flawed(Flaw::Expired), 10).ours("expired", &["expired"]),
        state("not yet valid", pki, flawed(Flaw::NotYetValid), 9).ours("not_yet_valid", &["not_yet_valid"]),
        state("another name", pki, flawed(Flaw::WrongName), 62).ours("trusted", &["name_mismatch"]),
        state("self-signed", pki, flawed(Flaw::SelfSigned), 18).ours("self_signed", &["self_signed"]),
        state("no intermediate", pki, flawed(Flaw::MissingIntermediate), 21)
            .ours("missing_intermediate", &["missing_intermediate"])
            .because(
                "OpenSSL cannot verify the first certificate, and does not say that a second one is missing",
            ),
        state("leaf of a stranger", pki, flawed(Flaw::UntrustedRoot), 21)
            .ours("missing_intermediate", &["missing_intermediate"])
            .because("served alone, nothing tells an unknown root from a missing intermediate"),
        state("root served too", pki, served(&|leaf| vec![leaf, between.clone(), pki.root()]), 0),
        state(
            "someone else's root served too",
            pki,
            served(&|leaf| vec![leaf, between.clone(), pki.stranger()]),
            0,
        ),
        state("wrong order", pki, served(&|leaf| vec![leaf, pki.root(), between.clone()]), 0)
            .ours("trusted", &["wrong_order"])
            .because(no_order),
        state("for clients only", pki, pki.identity_with(&["localhost"], Extra::ClientOnly), 26)
            .ours("untrusted", &["wrong_purpose"]),
        state("keyUsage of no server", pki, pki.identity_with(&["localhost"], Extra::OtherKeyUsage), 26)
            .ours("untrusted", &["wrong_purpose"]),
        state(
            "keyUsage of no issuer",
            pki,
            pki.identity_with(&["localhost"], Extra::IssuedWithoutCertSign),
            32,
        )
        .ours("untrusted", &["constraint_violated"]),
        state("issued by a leaf", pki, pki.identity_with(&["localhost"], Extra::IssuedByALeaf), 32)
            .ours("untrusted", &["constraint_violated"]),
        state("an authority, not trusted", pki, pki.identity_with(&["localhost"], Extra::Authority), 18)
            .ours("self_signed", &["self_signed"]),
        state("must staple and does not", pki, pki.identity_with(&["localhost"], Extra::MustStaple), 0)
            .ours("trusted", &["staple_missing"])
            .because("OpenSSL's client does not look at what the certificate promises"),
        State { server: &["-no_tls1_3"], ..state("TLS 1.2 only", pki, good(), 0) },
        State { server: &["-tls1_3"], ..state("TLS 1.3 only", pki, good(), 0) },
    ]
}

/// Authorities of other ages, strangers with all their certificates, and what three things are wrong with; and the
/// PKIs, whose files go with them.
fn others(pki: &Pki) -> (Vec<State>, Vec<Pki>) {
    let dated = |what: &str, root, between, code| {
        let pki = Pki::dated(root, between);
        (state(what, &pki, pki.identity(&["localhost"], Flaw::None), code), pki)
    };
    let (over, over_pki) = dated("intermediate over", (-100, 100), (-90, -1), 10);
    let (early, early_pki) = dated("intermediate early", (-100, 100), (1, 90), 9);
    let (old, old_pki) = dated("root over", (-100, -1), (-90, 90), 10);
    let strange = Pki::new();
    let whole = strange.identity(&["localhost"], Flaw::None);
    let rooted = whole.served_as([whole.chain.clone(), vec![strange.root()]].concat());
    let both = strange.identity(&["elsewhere.test"], Flaw::Expired);
    let ca = |state: State| State { ca: pki.root_file(), ..state };
    let found = vec![
        over.ours("expired", &["intermediate_expired"]),
        early.ours("not_yet_valid", &["intermediate_not_yet_valid"]),
        old.ours("expired", &["root_expired"]),
        ca(state("a stranger's chain", &strange, whole, 20).ours("untrusted", &["untrusted"])),
        ca(state("a stranger's chain with its root", &strange, rooted, 19).ours("untrusted", &["untrusted"])),
        ca(state("a stranger's, over, for another name", &strange, both, 10)
            .ours("untrusted", &["untrusted", "expired", "name_mismatch"])
            .because("OpenSSL keeps the last of three, we name the failure after the worst")),
    ];
    (found, vec![over_pki, early_pki, old_pki, strange])
}

/// What a file decides: an authority that serves itself, and lists of revoked certificates.
fn by_files(pki: &Pki) -> Vec<State> {
    let own = pki.identity_with(&["localhost"], Extra::Authority);
    let (good, bad) = (pki.identity(&["localhost"], Flaw::None), pki.identity(&["localhost"], Flaw::None));
    let list = pki.crl_file(&[&bad], 5);
    let with_list = |state: State| State {
        client: vec!["-crl_check".to_owned(), "-CRL".to_owned(), list.display().to_string()],
        crl: Some(list.clone()),
        ..state
    };
    let ca = own.cert_file.clone();
    vec![
        State { ca, ..state("an authority that is trusted and serves itself", pki, own, 0) },
        with_list(state("not in the list of revoked", pki, good, 0)),
        with_list(state("in the list of revoked", pki, bad, 23)).ours("revoked", &["revoked"]),
    ]
}

/// Chains of keys and hashes that are too weak for OpenSSL's level 2, which is Debian's default.
fn too_weak(pki: &Pki) -> Vec<(State, std::sync::Arc<tempfile::TempDir>)> {
    let sound = WEAK.into_iter().filter(|how| how.name != "P-224 leaf");
    let made = sound.map(|how| {
        let (identity, folder) = weak(how);
        let (code, defects): (u32, &'static [&'static str]) = match how.name {
            "RSA 1024 leaf" => (66, &["weak_key"]),
            "RSA 1024 intermediate" => (67, &["weak_key"]),
            "SHA-1 and RSA 1024" => (68, &["weak_signature", "weak_key"]),
            name if name.contains("SHA-1") || name.contains("MD5") => (68, &["weak_signature"]),
            _ => (0, &[]),
        };
        let ca = folder.path().join("root.pem");
        let chain = if defects.is_empty() { "trusted" } else { "weak" };
        let state = State { ca, ..state(how.name, pki, identity, code) }.ours(chain, defects);
        (state, folder)
    });
    made.collect()
}

/// What OpenSSL's client says: its code, the version, and the leaf's last day.
fn by_openssl(state: &State, server: &OpenSsl) -> (u32, String) {
    let ca = state.ca.display().to_string();
    // Level 2 in certificates; the connection itself is made with anything.
    let mut args = vec!["-CAfile", &ca, "-servername", "localhost", "-verify_hostname", "localhost"];
    args.extend(["-auth_level", "2", "-cipher", "ALL:@SECLEVEL=0", "-no-CApath", "-no-CAstore"]);
    args.extend(state.client.iter().map(String::as_str));
    let said = s_client(server.addr(), &args);
    let after = |label: &str| said.split(label).nth(1).map_or_else(|| panic!("{said}"), str::trim_start);
    let code = after("Verify return code:").split(' ').next().unwrap().parse().unwrap();
    let version = after("New, ").split(',').next().unwrap().replace("TLSv", "TLS");
    (code, version)
}

/// The leaf's last moment as OpenSSL reads it.
fn end_by_openssl(state: &State) -> String {
    let file = state.identity.cert_file.to_str().unwrap();
    let args = ["x509", "-in", file, "-noout", "-enddate", "-dateopt", "iso_8601"];
    let said = testkit::servers::openssl(std::path::Path::new("/"), &args);
    said.trim().trim_start_matches("notAfter=").replace(' ', "T")
}

/// What is not as the table says, for one state.
async fn differences(state: &State) -> Vec<String> {
    let server = OpenSsl::serve(&state.identity, state.server);
    let (code, version) = by_openssl(state, &server);
    let mut keys = vec![
        ("address", template(format!("localhost:{}", server.addr().port()))),
        ("ca", text(state.ca.to_str().unwrap())),
    ];
    keys.extend(state.crl.as_ref().map(|path| ("crl", text(path.to_str().unwrap()))));
    let trial = run(&super::KIND, keys, &shared(), PATIENCE).await;
    if let Some(failure) = &trial.outcome.failure {
        return vec![format!("{}: {}", state.what, failure.message)];
    }
    let word = |subject: &str| format!("{:?}", trial.value(subject));
    let expected = |word: &str| format!("{:?}", Value::Text(word.into()));
    let found = defects(&trial);
    // Both call it right, or both wrong; otherwise the table says why.
    let agree = (code == 0) == found.is_empty();
    let rows = [
        ("OpenSSL's code", code.to_string(), state.openssl.to_string()),
        ("chain", word("chain"), expected(state.chain)),
        ("defects", found.join(", "), state.defects.join(", ")),
        ("protocol", word("protocol"), expected(&version)),
        ("the last moment", trial.attribute("tls.server.not_after").to_owned(), end_by_openssl(state)),
        ("a difference is explained", (agree || !state.why.is_empty()).to_string(), "true".to_owned()),
    ];
    let wrong = rows.into_iter().filter(|(_, found, expected)| found != expected);
    wrong.map(|(row, found, expected)| format!("{}: {row} is {found}, not {expected}", state.what)).collect()
}

#[tokio::test]
async fn openssl_and_we_see_the_same() {
    let pki = Pki::new();
    let (weak, _folders): (Vec<_>, Vec<_>) = too_weak(&pki).into_iter().unzip();
    let (others, _pkis) = others(&pki);
    let states: Vec<State> = [usual(&pki), others, by_files(&pki), weak].into_iter().flatten().collect();
    assert!(states.len() >= 20, "{} states", states.len());
    let mut wrong = Vec::new();
    for state in &states {
        wrong.extend(differences(state).await);
    }
    assert!(wrong.is_empty(), "of {} states:\n{}", states.len(), wrong.join("\n"));
}
