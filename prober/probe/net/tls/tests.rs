//! What a memory of chains must not hide.

mod again;
mod beyond;
mod weak;

use std::time::Duration;

use model::time::{Clock as _, SystemClock, Timestamp};
use rustls::RootCertStore;
use rustls_pki_types::UnixTime;
use rustls_pki_types::pem::PemObject as _;
use testkit::pki::{Extra, Flaw, Identity, Pki};
use testkit::servers::OpenSsl;

use super::*;
use crate::trial::{judge, told};

const NAME: &str = "shop.test";

fn setup(root: CertificateDer<'static>) -> TlsSetup {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    TlsSetup::new(&provider, Arc::new(Trusted::new(roots, &[])), &TlsChoice::default()).unwrap()
}

/// The `error.type` of one look at the chain, in a connection of its own.
fn look(setup: &TlsSetup, identity: &Identity, name: &str, now: Timestamp) -> String {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = Duration::from_secs((now.as_millis() / 1_000).unsigned_abs());
    let (leaf, intermediates) = identity.chain.split_first().unwrap();
    let recorder = setup.recorder();
    let found = recorder.verify_server_cert(leaf, intermediates, &name, &[], UnixTime::since_unix_epoch(now));
    let seen = recorder.lock();
    assert_eq!(found.is_ok(), seen.flaw.is_none());
    seen.defect().map_or_else(|| "holds".to_owned(), |failure| failure.error_type.into_owned())
}

/// What a memory of chains must not hide: each look is made twice, after the chain has held before.
#[test]
fn a_chain_that_held_before_is_refused_as_soon_as_it_does_not() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let identity = pki.identity(&[NAME], Flaw::None);
    let second = Duration::from_secs(1);
    let stranger = CertificateDer::from_pem_file(pki.stranger_file()).unwrap();
    let trusting = setup(pki.root());
    for _ in 0..2 {
        assert_eq!(look(&trusting, &identity, NAME, now), "holds");
        assert_eq!(look(&trusting, &identity, NAME, identity.not_after), "holds");
        assert_eq!(look(&trusting, &identity, NAME, identity.not_after.plus(second)), "tls.expired");
        assert_eq!(look(&trusting, &identity, NAME, identity.not_before.minus(second)), "tls.not_yet_valid");
        assert_eq!(look(&trusting, &identity, "elsewhere.test", now), "tls.name_mismatch");
        assert_eq!(look(&setup(stranger.clone()), &identity, NAME, now), "tls.untrusted");
    }
    for (flaw, error_type) in [
        (Flaw::Expired, "tls.expired"),
        (Flaw::NotYetValid, "tls.not_yet_valid"),
        (Flaw::WrongName, "tls.name_mismatch"),
        (Flaw::SelfSigned, "tls.untrusted"),
        (Flaw::MissingIntermediate, "tls.untrusted"),
        (Flaw::UntrustedRoot, "tls.untrusted"),
    ] {
        let flawed = pki.identity(&[NAME], flaw);
        for _ in 0..2 {
            assert_eq!(look(&trusting, &flawed, NAME, now), error_type, "{flaw:?}");
        }
    }
    assert_eq!(look(&trusting, &identity, NAME, now), "holds");
}

#[test]
fn keys_are_used_only_as_their_certificates_allow() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let trusting = setup(pki.root());
    let odd = pki.identity_with(&[NAME], Extra::IssuedWithoutCertSign);
    let good = pki.identity(&[NAME], Flaw::None);
    // What may not sign and stands beside the path does no harm.
    let beside = good.served_as([good.chain.clone(), odd.chain[1..].to_vec()].concat());
    for _ in 0..2 {
        assert_eq!(look(&trusting, &odd, NAME, now), "tls.untrusted");
        assert_eq!(look(&trusting, &beside, NAME, now), "holds");
    }
}

/// In TLS 1.2 that is an alert which usually means something else.
#[tokio::test]
async fn a_server_that_wants_to_know_the_client_is_said_to() {
    let pki = Pki::new();
    let server = OpenSsl::serve(&pki.identity(&["localhost"], Flaw::None), &["-tls1_2", "-Verify", "1"]);
    let (port, root) = (server.addr().port(), pki.root_file().display().to_string());
    for step in [
        format!("http: {{ url: \"https://localhost:{port}/\", ca: {root} }}"),
        format!("tls: {{ address: \"localhost:{port}\", ca: {root} }}"),
    ] {
        let told = told(&judge(&step).await);
        assert!(told.ends_with("alert handshake_failure: it wants a certificate of the client"), "{told}");
    }
}
