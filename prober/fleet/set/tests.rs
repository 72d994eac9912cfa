//! Sets there and back, what a change costs, and packs that are not what they should be.

use model::time::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::SetVersion;

fn file(role: Role, path: &str, text: &str) -> SetFile {
    SetFile { role, path: path.into(), text: text.into() }
}

fn scenario(index: usize, every: &str) -> SetFile {
    let text = format!(
        "name: service-{index}\naim: The service number {index} of the shop answers its customers.\nevery: {every}\nhttp: https://service-{index}.shop.example/health\nexpect: {{ status: 200 }}\nslo: {{ objective: 99.9% }}\n"
    );
    file(Role::Scenario, &format!("scenarios/group-{}/service-{index}.yaml", index % 40), &text)
}

fn set(count: usize) -> ScenarioSet {
    let project = file(Role::Project, "prober.yaml", "version: 1\n");
    ScenarioSet::new((0..count).map(|index| scenario(index, "1m")).chain([project])).unwrap()
}

fn manifest(set: &ScenarioSet, packs: &[Pack]) -> Manifest {
    Manifest {
        region: "eu".into(),
        version: SetVersion(1),
        published: Timestamp::default(),
        effective: Timestamp::default(),
        author: String::new(),
        restores: None,
        plans: set.len() as u64,
        files: set.len() as u64,
        content: set.content(),
        packs: packs.iter().map(|pack| pack.digest).collect(),
        regions: Vec::new(),
    }
}

fn assembled(set: &ScenarioSet, packs: &[Pack]) -> Result<ScenarioSet, SetError> {
    ScenarioSet::assemble(&manifest(set, packs), |digest| {
        packs.iter().find(|pack| pack.digest == digest).map(|pack| pack.bytes.clone())
    })
}

#[test]
fn sets_come_back_as_they_were() {
    for count in [0, 1, 500] {
        let set = set(count);
        assert_eq!(assembled(&set, &set.packs().unwrap()), Ok(set.clone()));
    }
    let none = ScenarioSet::default();
    assert_eq!(assembled(&none, &none.packs().unwrap()), Ok(none.clone()));
}

#[test]
fn order_means_nothing_and_a_role_something() {
    let files = [file(Role::Template, "a", "x"), file(Role::Scenario, "b", "y")];
    let [first, second] = files.clone();
    assert_eq!(
        ScenarioSet::new(files).unwrap().content(),
        ScenarioSet::new([second, first]).unwrap().content()
    );
    let one = |role, path: &str, text: &str| ScenarioSet::new([file(role, path, text)]).unwrap().content();
    assert_ne!(one(Role::Template, "a", "x"), one(Role::Scenario, "a", "x"));
    assert_ne!(one(Role::Template, "a", "bx"), one(Role::Template, "ab", "x"));
}

#[test]
fn ten_thousand_scenarios_are_some_dozen_packs_and_one_change_is_one() {
    let before = set(10_000);
    let packs = before.packs().unwrap();
    let bytes: usize = packs.iter().map(|pack| pack.bytes.len()).sum();
    assert!(packs.len() <= 64, "{} packs", packs.len());
    assert!(bytes < 1 << 20, "{bytes} bytes for 10,000 scenarios");
    let change = scenario(77, "30s");
    let files = before.files().map(|(role, path, text)| file(role, path, text));
    let files = files.map(|one| if one.path == change.path { change.clone() } else { one });
    let after = ScenarioSet::new(files).unwrap().packs().unwrap();
    let new = after.iter().filter(|pack| !packs.contains(pack)).count();
    assert_eq!((new, after.len()), (1, packs.len()));
}

#[test]
fn what_is_no_set_is_refused() {
    let check = |files: Vec<SetFile>, expected: &str| {
        let error = ScenarioSet::new(files).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    for path in ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", "./a", "c:\\x", "a\nb", "a\0"] {
        check(vec![file(Role::Scenario, path, "")], "cannot be the path");
    }
    check(vec![file(Role::Scenario, &"a".repeat(1_025), "")], "cannot be the path");
    check(vec![file(Role::Scenario, "a", ""), file(Role::Scenario, "a", "")], "`a` twice");
    check(vec![file(Role::Project, "a", ""), file(Role::Project, "b", "")], "two project files");
    check(vec![file(Role::Scenario, "a", &"x".repeat(FILE_BYTES_MAX + 1))], "takes files of up to");
    let many = (0..=FILES_MAX).map(|index| file(Role::Scenario, &index.to_string(), "")).collect();
    check(many, "takes 50000 files");
}

#[test]
fn long_files_get_packs_of_their_own_and_what_fits_nowhere_is_named() {
    let noise = |salt: usize, bytes: usize| -> String {
        (0..bytes / 64)
            .map(|part| blake3::hash(&(salt * 100_000 + part).to_le_bytes()).to_hex().to_string())
            .collect()
    };
    let files =
        (0..12).map(|index| file(Role::Beside, &format!("schema-{index}.json"), &noise(index, 300 << 10)));
    let set = ScenarioSet::new(files).unwrap();
    let packs = set.packs().unwrap();
    assert!(packs.iter().all(|pack| pack.bytes.len() <= PACK_BYTES_MAX));
    assert_eq!(assembled(&set, &packs), Ok(set));
    // Every letter of a text like this is news.
    let letters = |index: usize| {
        char::from_u32(
            0x4e00
                + u32::from(blake3::hash(&index.to_le_bytes()).as_bytes()[0]) * 80
                + u32::from(blake3::hash(&index.to_le_bytes()).as_bytes()[1]) % 80,
        )
        .unwrap()
    };
    let dense: String = (0..349_000).map(letters).collect();
    let error = ScenarioSet::new([file(Role::Beside, "dense.json", &dense)]).unwrap().packs();
    assert_eq!(error, Err(SetError::DoesNotFit("dense.json".into())));
}

#[test]
fn a_set_is_whole_or_nothing() {
    let set = set(1_500);
    let packs = set.packs().unwrap();
    assert!(packs.len() > 1);
    assert_eq!(assembled(&set, &packs[1..]), Err(SetError::Content), "the manifest leaves a pack out");
    let manifest = manifest(&set, &packs);
    let missing = ScenarioSet::assemble(&manifest, |digest| {
        packs[1..].iter().find(|pack| pack.digest == digest).map(|pack| pack.bytes.clone())
    });
    assert_eq!(missing, Err(SetError::Missing(packs[0].digest)));
    let changed = ScenarioSet::assemble(&manifest, |_| Some(packs[1].bytes.clone()));
    assert_eq!(changed, Err(SetError::Changed(packs[0].digest)));
    let cut = ScenarioSet::assemble(&manifest, |_| Some(packs[0].bytes.slice(1..)));
    assert_eq!(cut, Err(SetError::Changed(packs[0].digest)));
}

/// A set whose one pack has these bytes, hashed and named as it should be.
fn of_bytes(bytes: Vec<u8>) -> Result<ScenarioSet, SetError> {
    let pack = Pack { digest: Digest(*blake3::hash(&bytes).as_bytes()), bytes: bytes.into() };
    assembled(&ScenarioSet::default(), &[pack])
}

#[test]
fn packs_that_lie_are_refused() {
    let check = |bytes: Vec<u8>, expected: &str| {
        let error = of_bytes(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let packed = |bytes: &[u8]| zstd::bulk::compress(bytes, 1).unwrap();
    check(b"no frame".to_vec(), "cannot be read");
    check(packed(&vec![0; 64 << 20]), "cannot be read");
    check(packed(&[9, 0, 0]), "ends inside a file");
    check(packed(&[2, 255, 255, 255, 255, 255, 255, 255, 255, b'a']), "ends inside a file");
    let mut up = Vec::new();
    write(Role::Scenario, "../../etc/cron.d/x", "y", &mut up);
    check(packed(&up), "cannot be the path");
    let mut good = Vec::new();
    write(Role::Scenario, "a", "y", &mut good);
    check(packed(&good), "not those of its manifest");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the texts are, they come back.
    #[test]
    fn any_texts_come_back(texts in prop::collection::btree_map("[a-z]{1,8}", any::<String>(), 0..20)) {
        let files = texts.iter().map(|(path, text)| file(Role::Scenario, path, text));
        let set = ScenarioSet::new(files).unwrap();
        prop_assert_eq!(assembled(&set, &set.packs().unwrap()), Ok(set));
    }

    /// Whatever a pack has in it, reading it ends without a panic.
    #[test]
    fn any_pack_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = of_bytes(zstd::bulk::compress(&bytes, 1).unwrap());
        let _ = of_bytes(bytes);
    }
}
