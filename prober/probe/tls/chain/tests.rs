//! Chains with every defect, without a connection.

use std::time::Duration;

use model::time::{Clock as _, SystemClock};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject as _;
use testkit::pki::{Extra, Flaw, Identity, Pki, Staple, WEAK, weak};

use super::*;
use crate::net::certificate::CertificateCache;
use crate::net::{crl, roots};

const NAME: &str = "localhost";
const DAY: Duration = Duration::from_hours(24);

fn trusting(ders: &[CertificateDer<'static>]) -> Trusted {
    let mut store = RootCertStore::empty();
    for der in ders {
        store.add(der.clone()).unwrap();
    }
    Trusted::new(store, ders)
}

/// Looks at `identity` as a client of `trusted` does at `now`.
fn look(identity: &Identity, trusted: &Trusted, staple: &[u8], now: Timestamp) -> Judged {
    held(identity, trusted, staple, None, now).unwrap()
}

fn held(
    identity: &Identity,
    trusted: &Trusted,
    staple: &[u8],
    crls: Option<&Crls>,
    now: Timestamp,
) -> Result<Judged, Failure> {
    let cache = CertificateCache::default();
    let facts: Facts = identity.chain.iter().map(|der| cache.facts(der)).collect();
    let name = ServerName::try_from(NAME).unwrap();
    judge(&Served { chain: &identity.chain, facts: &facts, staple, trusted, crls, name: &name, now })
}

fn words(judged: &Judged) -> Vec<&'static str> {
    judged.defects.iter().map(|found| found.defect.word()).collect()
}

#[test]
fn what_has_ended_has_although_the_rest_cannot_be_judged() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let (root, long) = (trusting(&[pki.root()]), pki.identity_with(&[NAME], Extra::Far(9)));
    let failure = held(&long, &root, &[], None, now).err().unwrap();
    assert_eq!(failure.error_type, "local.unsupported");
    let judged = look(&long, &root, &[], long.not_after.plus(DAY));
    assert_eq!((judged.word, words(&judged)[0]), ("expired", "expired"));
}

#[test]
fn each_defect_is_found_and_named() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let root = trusting(&[pki.root()]);
    let good = pki.identity(&[NAME], Flaw::None);
    let (leaf, between) = (good.chain[0].clone(), pki.intermediate());
    let other = Pki::new();
    let strange = other.identity(&[NAME], Flaw::None);
    let strange_leaf = other.identity(&["elsewhere.test"], Flaw::Expired);
    let reordered = |chain: Vec<CertificateDer<'static>>| good.served_as(chain);
    for (what, identity, word, expected) in [
        ("good", good.served_as(good.chain.clone()), "trusted", &[][..]),
        ("expired", pki.identity(&[NAME], Flaw::Expired), "expired", &["expired"]),
        ("early", pki.identity(&[NAME], Flaw::NotYetValid), "not_yet_valid", &["not_yet_valid"]),
        ("name", pki.identity(&[NAME], Flaw::WrongName), "trusted", &["name_mismatch"]),
        ("self", pki.identity(&[NAME], Flaw::SelfSigned), "self_signed", &["self_signed"]),
        (
            "missing",
            pki.identity(&[NAME], Flaw::MissingIntermediate),
            "missing_intermediate",
            &["missing_intermediate"],
        ),
        (
            "stranger, with its root",
            strange.served_as([strange.chain.clone(), vec![other.root()]].concat()),
            "untrusted",
            &["untrusted"],
        ),
        ("stranger, whose root has our name", strange, "untrusted", &["untrusted"]),
        (
            "stranger, expired, other name",
            strange_leaf,
            "untrusted",
            &["untrusted", "expired", "name_mismatch"],
        ),
        (
            "root between",
            reordered(vec![leaf.clone(), pki.root(), between.clone()]),
            "trusted",
            &["wrong_order"],
        ),
        ("root behind", reordered(vec![leaf.clone(), between.clone(), pki.root()]), "trusted", &[]),
        (
            "someone else behind",
            reordered(vec![leaf.clone(), between.clone(), pki.stranger()]),
            "trusted",
            &[],
        ),
        ("leaf twice", reordered(vec![leaf.clone(), leaf, between]), "trusted", &["wrong_order"]),
        ("clients only", pki.identity_with(&[NAME], Extra::ClientOnly), "untrusted", &["wrong_purpose"]),
        (
            "issued by a leaf",
            pki.identity_with(&[NAME], Extra::IssuedByALeaf),
            "untrusted",
            &["constraint_violated"],
        ),
        ("an authority", pki.identity_with(&[NAME], Extra::Authority), "self_signed", &["self_signed"]),
        ("must staple", pki.identity_with(&[NAME], Extra::MustStaple), "trusted", &["staple_missing"]),
    ] {
        let judged = look(&identity, &root, &[], now);
        assert_eq!((judged.word, words(&judged)), (word, expected.to_vec()), "{what}: {:?}", judged.defects);
        assert!(judged.defects.iter().all(|found| !found.about.is_empty()), "{what}");
        let has_path = !["self_signed", "missing_intermediate", "untrusted"].contains(&word);
        assert_eq!(judged.path_end.is_some(), has_path, "{what}");
    }
}

#[test]
fn keys_are_used_only_as_their_certificates_allow() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let root = trusting(&[pki.root()]);
    for (extra, defect, about) in [
        (Extra::OtherKeyUsage, "wrong_purpose", "its keyUsage lacks digitalSignature"),
        (Extra::IssuedWithoutCertSign, "constraint_violated", "its keyUsage lacks keyCertSign"),
    ] {
        let judged = look(&pki.identity_with(&[NAME], extra), &root, &[], now);
        assert_eq!((judged.word, words(&judged)), ("untrusted", vec![defect]));
        assert!(judged.defects[0].about.ends_with(about), "{:?}", judged.defects);
    }
    // What may not sign and stands beside the path does no harm.
    let odd = pki.identity_with(&[NAME], Extra::IssuedWithoutCertSign);
    let good = pki.identity(&[NAME], Flaw::None);
    let beside = good.served_as([good.chain.clone(), odd.chain[1..].to_vec()].concat());
    assert_eq!(look(&beside, &root, &[], now).word, "trusted");
}

#[test]
fn a_forged_link_is_not_only_untrusted() {
    let (pki, other, now) = (Pki::new(), Pki::new(), SystemClock.now());
    let good = pki.identity(&[NAME], Flaw::None);
    // The intermediate has the name that the leaf wants, and another key.
    let forged = good.served_as(vec![good.chain[0].clone(), other.intermediate()]);
    let judged = look(&forged, &trusting(&[pki.root(), other.root()]), &[], now);
    assert_eq!((judged.word, words(&judged)), ("untrusted", vec!["bad_signature"]));
    // The trusted authority has the name that the intermediate, or the leaf itself, wants, and another key.
    for (chain, whose) in [
        (good.chain.clone(), "CN=prober test intermediate is not signed by the key of the trusted authority"),
        (good.chain[..1].to_vec(), "CN=localhost is not signed by the key of the trusted authority"),
    ] {
        let served = good.served_as(chain);
        let judged = look(&served, &trusting(&[other.root(), other.intermediate()]), &[], now);
        assert_eq!((judged.word, words(&judged)), ("untrusted", vec!["untrusted"]));
        assert!(judged.defects[0].about.starts_with(whose), "{:?}", judged.defects);
    }
    // One that is trusted itself, and an authority's, as `openssl req -x509` makes it.
    let odd = pki.identity_with(&[NAME], Extra::Authority);
    let judged = look(&odd, &trusting(&odd.chain), &[], now);
    assert_eq!((judged.word, words(&judged)), ("trusted", vec![]));
    let over = look(&odd, &trusting(&odd.chain), &[], odd.not_after.plus(Duration::from_secs(1)));
    assert_eq!(over.word, "expired", "{:?}", over.defects);
    let early = look(&odd, &trusting(&odd.chain), &[], odd.not_before.minus(Duration::from_secs(1)));
    assert_eq!(early.word, "not_yet_valid", "{:?}", early.defects);
    // Another one of the same name and nobody's is as untrusted as ever.
    let other = pki.identity_with(&[NAME], Extra::Authority);
    assert_eq!(look(&other, &trusting(&odd.chain), &[], now).word, "self_signed");
    // And one that is trusted itself, as small installations do.
    let own = pki.identity(&[NAME], Flaw::SelfSigned);
    assert_eq!(look(&own, &trusting(&own.chain), &[], now).word, "trusted");
}

#[test]
fn dates_of_issuers_are_told_from_the_leaf_s() {
    let now = SystemClock.now();
    for (root, between, flaw, word, expected) in [
        ((-100, 100), (-90, -1), Flaw::None, "expired", &["intermediate_expired"][..]),
        ((-100, 100), (1, 90), Flaw::None, "not_yet_valid", &["intermediate_not_yet_valid"]),
        ((-100, -1), (-90, 90), Flaw::None, "expired", &["root_expired"]),
        ((-100, -1), (-90, -1), Flaw::None, "expired", &["intermediate_expired", "root_expired"]),
        ((-200, 100), (-190, -1), Flaw::Expired, "expired", &["expired", "intermediate_expired"]),
        // The intermediate had ended before the leaf began: at no moment did all of it hold.
        ((-200, 100), (-190, -150), Flaw::None, "expired", &["intermediate_expired"]),
    ] {
        let pki = Pki::dated(root, between);
        let judged = look(&pki.identity(&[NAME], flaw), &trusting(&[pki.root()]), &[], now);
        assert_eq!((judged.word, words(&judged)), (word, expected.to_vec()), "{root:?} {between:?}");
    }
}

#[test]
fn three_ends_are_told_apart() {
    let pki = Pki::dated((-100, 40), (-90, 60));
    let now = SystemClock.now();
    let days = |judged: &Judged| judged.path_end.map(|end| (end.since(now).as_secs_f64() / 86_400.0).round());
    let good = pki.identity(&[NAME], Flaw::None);
    // The leaf has 90 days, the intermediate 60, the root 40.
    assert_eq!(days(&look(&good, &trusting(&[pki.root()]), &[], now)), Some(40.0));
    // A store without the root's date knows of the others.
    let mut store = RootCertStore::empty();
    store.add(pki.root()).unwrap();
    assert_eq!(days(&look(&good, &Trusted::new(store, &[]), &[], now)), Some(60.0));
    // What nobody needs does not count.
    let old = Pki::dated((-100, 100), (-90, -1)).intermediate();
    let more = good.served_as([good.chain.clone(), vec![old]].concat());
    let judged = look(&more, &trusting(&[pki.root()]), &[], now);
    assert_eq!((days(&judged), words(&judged)), (Some(40.0), vec![]));
}

#[test]
fn weak_keys_and_hashes_are_found_beside_trust() {
    for how in WEAK {
        let (identity, folder) = weak(how);
        let now = SystemClock.now();
        let root = CertificateDer::from_pem_file(folder.path().join("root.pem")).unwrap();
        let judged = look(&identity, &trusting(&[root]), &[], now);
        let expected: &[&str] = match how.name {
            "sound RSA" | "sound P-384" => &[],
            "SHA-1 and RSA 1024" => &["weak_signature", "weak_key"],
            name if name.contains("SHA-1") || name.contains("MD5") => &["weak_signature"],
            _ => &["weak_key"],
        };
        assert_eq!(words(&judged), expected, "{}: {:?}", how.name, judged.defects);
        assert_eq!(judged.word, if expected.is_empty() { "trusted" } else { "weak" }, "{}", how.name);
        // Someone else's weak chain is untrusted too; MD5 alone cannot be followed.
        let elsewhere = look(&identity, &trusting(&[Pki::new().root()]), &[], now);
        let all = [&["untrusted"][..], expected].concat();
        assert_eq!(words(&elsewhere), all, "{}", how.name);
    }
}

#[test]
fn a_stapled_answer_counts_if_the_authority_gave_it() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let root = trusting(&[pki.root()]);
    let (one, other) = (pki.identity(&[NAME], Flaw::None), pki.identity(&[NAME], Flaw::None));
    for (says, word, expected) in [
        (Staple::Good, "good", &[][..]),
        (Staple::Delegated, "good", &[]),
        (Staple::Revoked, "revoked", &["revoked"]),
        (Staple::Unknown, "unknown", &[]),
        (Staple::Forged, "invalid", &[]),
    ] {
        let staple = pki.staple(&one, says, 3);
        let judged = look(&one, &root, &staple, now);
        assert_eq!((judged.stapled.word, words(&judged)), (word, expected.to_vec()), "{says:?}");
        if says != Staple::Forged {
            assert!(now.since(judged.stapled.this_update.unwrap()) < Duration::from_mins(1), "{says:?}");
        }
        let left = judged.stapled.next_update.unwrap().since(now);
        assert!(left > 2 * DAY && left < 3 * DAY + Duration::from_mins(1), "{says:?}: {left:?}");
        // Five days later a good answer is too old, and what was revoked stays so.
        let late = look(&one, &root, &staple, now.plus(DAY * 5)).stapled.word;
        let expected = if ["good", "unknown"].contains(&word) { "expired" } else { word };
        assert_eq!(late, expected, "{says:?}");
        assert_eq!(look(&other, &root, &staple, now).stapled.word, "invalid", "{says:?}: about another one");
    }
}

#[test]
fn an_answer_without_a_known_issuer_is_unchecked() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let alone = pki.identity(&[NAME], Flaw::MissingIntermediate);
    let staple = pki.staple(&alone, Staple::Revoked, 3);
    let judged = look(&alone, &trusting(&[pki.root()]), &staple, now);
    assert_eq!((judged.stapled.word, words(&judged)), ("unchecked", vec!["missing_intermediate"]));
    // The issuer is the authority itself.
    let judged = look(&alone, &trusting(&[pki.intermediate()]), &staple, now);
    assert_eq!((judged.stapled.word, words(&judged)), ("revoked", vec!["revoked"]));
}

#[test]
fn a_broken_answer_is_invalid_and_nothing_worse() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let root = trusting(&[pki.root()]);
    let identity = pki.identity(&[NAME], Flaw::None);
    let staple = pki.staple(&identity, Staple::Revoked, 3);
    for length in 0..staple.len() {
        let word = look(&identity, &root, &staple[..length], now).stapled.word;
        // What is cut off behind the signature is no part of the answer.
        assert_eq!(word, if length == 0 { "none" } else { "invalid" }, "{length} of {} bytes", staple.len());
    }
    for place in 0..staple.len() {
        let mut bent = staple.clone();
        bent[place] ^= 0x55;
        let word = look(&identity, &root, &bent, now).stapled.word;
        assert!(word != "good" && word != "unknown", "byte {place} bent: {word}");
    }
    // What a responder says when it cannot say anything.
    for (bytes, about) in [
        (&[0x30, 0x03, 0x0a, 0x01, 0x03][..], "tryLater"),
        (&[0x30, 0x03, 0x0a, 0x01, 0x77], "unknown error"),
    ] {
        let stapled = look(&identity, &root, bytes, now).stapled;
        assert!(stapled.word == "invalid" && stapled.about.contains(about), "{stapled:?}");
    }
    assert_eq!(look(&identity, &root, &vec![0x30; 100_000], now).stapled.word, "invalid");
}

#[test]
fn a_list_of_revoked_certificates_decides() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let root = trusting(&[pki.root()]);
    let (good, bad) = (pki.identity(&[NAME], Flaw::None), pki.identity(&[NAME], Flaw::None));
    let file = pki.crl_file(&[&bad], 5);
    let list = crl::of_file(file.to_str().unwrap()).unwrap();
    let look = |identity: &Identity, list: &Crls, now| held(identity, &root, &[], Some(list), now);
    let judged = look(&good, &list, now).unwrap();
    assert_eq!((judged.crl, judged.word), ("good", "trusted"));
    let judged = look(&bad, &list, now).unwrap();
    assert_eq!((judged.crl, judged.word, words(&judged)), ("revoked", "revoked", vec!["revoked"]));
    // Expired and revoked: both are said.
    let late =
        look(&bad, &crl::of_file(pki.crl_file(&[&bad], 200).to_str().unwrap()).unwrap(), now.plus(DAY * 100));
    assert_eq!(words(&late.unwrap()), ["revoked", "expired"]);
    // A list that does not serve is our fault: nobody keeps it up to date, it is someone else's, or forged.
    for (list, now, part) in [
        (&list, now.plus(DAY * 6), "was to be renewed by"),
        (&crl::of_file(Pki::new().crl_file(&[], 5).to_str().unwrap()).unwrap(), now, "cannot be used"),
    ] {
        let failure = look(&good, list, now).unwrap_err();
        assert_eq!(&*failure.error_type, "local.config");
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    let stranger = pki.identity(&[NAME], Flaw::UntrustedRoot);
    assert_eq!(held(&stranger, &root, &[], Some(&list), now).unwrap().crl, "unknown");
    let failure = held(&stranger, &trusting(&[pki.stranger()]), &[], Some(&list), now).unwrap_err();
    assert!(failure.message.contains("no list of"), "{}", failure.message);
}

#[test]
fn a_file_that_is_no_list_is_our_fault() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.crl");
    std::fs::write(&file, [0x30, 0x03, 1, 2, 3]).unwrap();
    for path in [file.to_str().unwrap(), pki.root_file().to_str().unwrap(), "/nonexistent.crl", "/dev/zero"] {
        let failure = crl::of_file(path).unwrap_err();
        assert_eq!(&*failure.error_type, "local.config", "{path}");
        assert!(
            failure.message.starts_with(&format!("the CRL file {path} cannot be used: ")),
            "{}",
            failure.message
        );
    }
    // A single list may come as it is encoded.
    let text = std::fs::read(pki.crl_file(&[], 5)).unwrap();
    let der = rustls_pki_types::CertificateRevocationListDer::from_pem_slice(&text).unwrap();
    std::fs::write(&file, &der).unwrap();
    assert!(crl::of_file(file.to_str().unwrap()).is_ok());
}

#[test]
fn a_maze_of_certificates_is_left_soon() {
    let (pki, now) = (Pki::dated((-100, 100), (-90, -1)), SystemClock.now());
    let leaf = pki.identity(&[NAME], Flaw::Expired).chain[0].clone();
    // Eight roots of one name and other keys, each of which may have issued the others.
    let roots = std::iter::repeat_with(|| Pki::new().root()).take(8);
    let chain = [leaf, pki.intermediate()].into_iter().chain(roots).collect();
    let maze = pki.identity(&[NAME], Flaw::None).served_as(chain);
    // And as many as fit into a handshake, of two names that have issued each other.
    let crossed = [vec![pki.identity(&[NAME], Flaw::None).chain[0].clone()], pki.maze(9)].concat();
    let crossed = pki.identity(&[NAME], Flaw::None).served_as(crossed);
    for maze in [maze, crossed] {
        let began = std::time::Instant::now();
        let judged = look(&maze, &trusting(&[Pki::new().stranger()]), &[], now);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(judged.word, "untrusted");
    }
}

#[test]
fn any_bytes_for_a_certificate_are_malformed() {
    let (pki, now) = (Pki::new(), SystemClock.now());
    let root = trusting(&[pki.root()]);
    let good = pki.identity(&[NAME], Flaw::None);
    for der in [vec![], vec![0x30], b"not a certificate".to_vec(), good.chain[0][..100].to_vec()] {
        let judged = look(&good.served_as(vec![der.into()]), &root, &[], now);
        assert_eq!((judged.word, words(&judged)), ("malformed", vec!["malformed"]));
    }
    let behind = good.served_as([good.chain.clone(), vec![b"garbage".to_vec().into()]].concat());
    assert_eq!(look(&behind, &root, &[], now).word, "trusted");
    assert!(roots::of_file("/nonexistent").is_err());
}
