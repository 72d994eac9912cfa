//! Manifests that are believed, and every kind that is not.

use super::*;

fn manifest(version: u64) -> Manifest {
    Manifest {
        region: "eu".into(),
        version: SetVersion(version),
        published: Timestamp::from_millis(1_764_000_000_000),
        effective: Timestamp::from_millis(1_764_000_010_000),
        author: "ci".into(),
        restores: None,
        plans: 3,
        files: 4,
        content: Digest([7; 32]),
        packs: vec![Digest([1; 32]), Digest([2; 32])],
        regions: Vec::new(),
    }
}

fn keys() -> (SigningKey, Trust) {
    let (key, _) = SigningKey::generate().unwrap();
    let trust = Trust::of([key.public()]);
    (key, trust)
}

#[test]
fn what_is_signed_is_believed() {
    let (key, trust) = keys();
    for manifest in [
        manifest(1),
        Manifest { restores: Some(SetVersion(2)), ..manifest(9) },
        Manifest { regions: vec!["eu".into(), "us-1".into()], ..manifest(3) },
        Manifest { packs: Vec::new(), plans: 0, files: 0, ..manifest(2) },
    ] {
        let bytes = manifest.seal(&key).unwrap();
        assert_eq!(Manifest::open(&bytes, &trust, "eu", None), Ok(manifest));
    }
}

#[test]
fn versions_only_grow() {
    let (key, trust) = keys();
    let bytes = manifest(5).seal(&key).unwrap();
    let check = |version: u64, content: u8, expected: Option<&str>| {
        let applied = Applied { version: SetVersion(version), content: Digest([content; 32]) };
        let opened = Manifest::open(&bytes, &trust, "eu", Some(applied));
        match expected {
            None => assert!(opened.is_ok(), "{opened:?}"),
            Some(words) => {
                let error = opened.unwrap_err().to_string();
                assert!(error.contains(words), "{error}");
            }
        }
    };
    check(4, 1, None);
    check(5, 7, None);
    check(5, 8, Some("version 5 has two contents"));
    check(6, 7, Some("version 5 is older than version 6"));
}

#[test]
fn a_manifest_of_another_region_is_refused() {
    let (key, trust) = keys();
    let bytes = manifest(1).seal(&key).unwrap();
    let error = Manifest::open(&bytes, &trust, "us", None).unwrap_err();
    assert_eq!(error.to_string(), "the manifest is for region eu, and this is us");
}

#[test]
fn nothing_of_it_can_be_changed_or_cut() {
    let (key, trust) = keys();
    let good = manifest(1).seal(&key).unwrap();
    for length in 0..good.len() {
        Manifest::open(&good[..length], &trust, "eu", None).unwrap_err();
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        Manifest::open(&bad, &trust, "eu", None).unwrap_err();
    }
    let mut longer = good;
    longer.push(b' ');
    let error = Manifest::open(&longer, &trust, "eu", None).unwrap_err();
    assert!(matches!(error, ManifestError::Forged(_)), "{error}");
}

#[test]
fn another_key_is_no_ones_word() {
    let ((key, _), (other, trust)) = (keys(), keys());
    let forged = manifest(1).seal(&key).unwrap();
    let error = Manifest::open(&forged, &trust, "eu", None).unwrap_err();
    assert_eq!(error, ManifestError::UnknownKey(key.public().to_string()));
    // With the name of a key that is trusted.
    let mut renamed = forged;
    renamed[5..13].copy_from_slice(&other.public().id());
    let error = Manifest::open(&renamed, &trust, "eu", None).unwrap_err();
    assert_eq!(error, ManifestError::Forged(other.public().to_string()));
}

#[test]
fn a_signature_of_something_else_is_none_of_a_manifest() {
    let (key, trust) = keys();
    let body = manifest(1).to_json().to_string();
    let mut bytes = [MAGIC.as_slice(), &[FORMAT], &key.public().id(), &key.sign(body.as_bytes())].concat();
    bytes.extend_from_slice(body.as_bytes());
    assert!(matches!(Manifest::read(&bytes, &trust), Err(ManifestError::Forged(_))));
}

#[test]
fn signed_nonsense_is_refused_too() {
    let (key, trust) = keys();
    let check = |body: &str, expected: &str| {
        let signature = key.sign(&signed(FORMAT, body.as_bytes()));
        let head = [MAGIC.as_slice(), &[FORMAT], &key.public().id(), &signature].concat();
        let error = Manifest::read(&[head.as_slice(), body.as_bytes()].concat(), &trust).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    let good = manifest(3).to_json();
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        changed[name] = value;
        changed.to_string()
    };
    check("", "the manifest is wrong");
    check("[]", "it is no object");
    check("{}", "`packs` is missing or wrong");
    check(&"[".repeat(100_000), "the manifest is wrong");
    check(&with("version", 0.into()), "versions begin with 1");
    check(&with("version", "3".into()), "`version` is missing or wrong");
    check(&with("restores", 3.into()), "restores a version that is not before it");
    check(&with("effective", "soon".into()), "`effective`");
    check(&with("content", "AB".into()), "`content`");
    check(&with("packs", json!([1])), "`packs`");
    check(&with("packs", json!(["0".repeat(64), "0".repeat(64)])), "stands there twice");
    check(&with("region", "e.u".into()), "a name that no region");
    check(&with("regions", json!([1])), "`regions`");
    check(&with("regions", json!(["e.u"])), "its regions are too many");
    check(&with("author", "x".repeat(300).into()), "author is too long");
    let later = with("labels", json!({ "a": 1 }));
    let signature = key.sign(&signed(FORMAT, later.as_bytes()));
    let head = [MAGIC.as_slice(), &[FORMAT], &key.public().id(), &signature].concat();
    assert_eq!(Manifest::read(&[head.as_slice(), later.as_bytes()].concat(), &trust), Ok(manifest(3)));
}

#[test]
fn other_formats_and_lengths_are_named() {
    let (key, trust) = keys();
    let mut bytes = manifest(1).seal(&key).unwrap();
    bytes[4] = 2;
    assert_eq!(Manifest::read(&bytes, &trust), Err(ManifestError::Format(2)));
    bytes.resize(BYTES_MAX + 1, 0);
    assert_eq!(Manifest::read(&bytes, &trust), Err(ManifestError::Length(BYTES_MAX + 1)));
    assert_eq!(Manifest::read(b"{}", &trust), Err(ManifestError::NotAManifest));
    let too_many = (0..=PACKS_MAX).map(|index| Digest(*blake3::hash(&index.to_le_bytes()).as_bytes()));
    assert!(Manifest { packs: too_many.collect(), ..manifest(1) }.seal(&key).is_err());
    let most = (0..PACKS_MAX).map(|index| Digest(*blake3::hash(&index.to_le_bytes()).as_bytes()));
    let most = Manifest { packs: most.collect(), ..manifest(1) };
    assert_eq!(Manifest::read(&most.seal(&key).unwrap(), &trust), Ok(most));
}

/// Written by the first version of the format; never written anew.
#[test]
fn the_first_form_is_read() {
    let trust = Trust::read(include_str!("manifest-1.keys")).unwrap();
    let bytes = include_bytes!("manifest-1.bin");
    assert_eq!(Manifest::open(bytes, &trust, "eu", None), Ok(manifest(41)));
}

#[test]
fn keys_go_through_their_files() {
    let (key, pem) = SigningKey::generate().unwrap();
    assert_eq!(SigningKey::from_pem(&pem).unwrap().public(), key.public());
    let line = key.public().line("release\nrobot");
    assert!(line.ends_with(" release"), "{line}");
    let (other, _) = SigningKey::generate().unwrap();
    let text = format!("# who may change what we probe\n\n{line}\n  {}\n", other.public().line(""));
    let trust = Trust::read(&text).unwrap();
    assert!(trust.has(&key.public()) && trust.has(&other.public()));
    assert!(!format!("{key:?} {trust:?}").contains(pem.lines().nth(1).unwrap()), "a key is shown");
}

#[test]
fn wrong_keys_are_named_and_never_shown() {
    let check =
        |text: &str, expected: KeyError| assert_eq!(SigningKey::from_pem(text).unwrap_err(), expected);
    check("", KeyError::NotPem);
    check(BEGIN_ONLY, KeyError::NotPem);
    check("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----", KeyError::NotPem);
    check("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", KeyError::NotEd25519);
    let check = |text: &str, expected: KeyError| assert_eq!(Trust::read(text).unwrap_err(), expected);
    check("", KeyError::Nobody);
    check("# none\n", KeyError::Nobody);
    check("\nprober-set-key AAAA\n", KeyError::Line(2));
    check("ssh-ed25519 AAAA", KeyError::Line(1));
    let (key, _) = SigningKey::generate().unwrap();
    check(&format!("{}\n", key.public().line("x")).repeat(17), KeyError::TooMany);
}

const BEGIN_ONLY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA";

/// OpenSSL writes keys without their public half.
#[test]
fn a_key_of_openssl_is_taken() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    // RFC 8410, section 10.3, and its public key of section 10.1.
    let key = SigningKey::from_pem(pem).unwrap();
    assert_eq!(
        key.public().line(""),
        "prober-set-key Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=".to_owned()
    );
}
