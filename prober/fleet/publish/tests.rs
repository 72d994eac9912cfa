//! Versions of all regions: published, brought back, half written, forged.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::set::{Role, SetFile};
use crate::{Digest, ManifestWatch};

/// The simplest engine: what was published, in memory; it goes away after so many writes.
#[derive(Default)]
struct Memory {
    manifests: Mutex<BTreeMap<(String, u64), StoredManifest>>,
    objects: Mutex<BTreeMap<(String, Digest), Bytes>>,
    writes_left: Mutex<Option<usize>>,
}

struct NoWatch;

impl ManifestWatch for NoWatch {
    async fn next(&mut self) -> Result<StoredManifest, Fault> {
        Err(Fault::Refused("nobody watches here".to_owned()))
    }
}

impl Memory {
    fn write(&self) -> Result<(), Fault> {
        let mut left = self.writes_left.lock().unwrap();
        match left.as_mut() {
            Some(0) => return Err(Fault::Away("the test says so".to_owned())),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    fn newest(&self, region: &str) -> Option<StoredManifest> {
        let manifests = self.manifests.lock().unwrap();
        let of_region = manifests.iter().filter(|((one, _), _)| one == region);
        of_region.map(|(_, stored)| stored.clone()).last()
    }
}

impl ConfigSource for Memory {
    type Watch = NoWatch;

    async fn manifest(&self, region: &str) -> Result<Option<StoredManifest>, Fault> {
        Ok(self.newest(region))
    }

    async fn manifest_at(&self, region: &str, version: SetVersion) -> Result<Option<StoredManifest>, Fault> {
        Ok(self.manifests.lock().unwrap().get(&(region.to_owned(), version.0)).cloned())
    }

    async fn versions(&self, region: &str) -> Result<Vec<SetVersion>, Fault> {
        let manifests = self.manifests.lock().unwrap();
        Ok(manifests
            .keys()
            .filter(|(one, _)| one == region)
            .map(|(_, version)| SetVersion(*version))
            .collect())
    }

    async fn object(&self, region: &str, digest: Digest) -> Result<Option<Bytes>, Fault> {
        Ok(self.objects.lock().unwrap().get(&(region.to_owned(), digest)).cloned())
    }

    async fn put_object(&self, region: &str, digest: Digest, bytes: Bytes) -> Result<(), Fault> {
        self.write()?;
        self.objects.lock().unwrap().insert((region.to_owned(), digest), bytes);
        Ok(())
    }

    async fn publish(
        &self,
        region: &str,
        after: Option<SetVersion>,
        manifest: StoredManifest,
    ) -> Result<(), Fault> {
        self.write()?;
        if self.newest(region).map(|newest| newest.version) != after {
            return Err(Fault::Conflict);
        }
        self.manifests.lock().unwrap().insert((region.to_owned(), manifest.version.0), manifest);
        Ok(())
    }

    async fn watch(&self, _: &str) -> Result<NoWatch, Fault> {
        Ok(NoWatch)
    }
}

/// A fleet and who may publish to it.
struct Desk {
    engine: Memory,
    key: SigningKey,
    trust: Trust,
}

impl Desk {
    fn new() -> Self {
        let (key, _) = SigningKey::generate().unwrap();
        Self { engine: Memory::default(), trust: Trust::of([key.public()]), key }
    }

    fn publisher(&self) -> Publisher<'_> {
        let now = Timestamp::from_millis(1_764_000_000_000);
        let author = "ci".to_owned();
        Publisher { key: &self.key, trust: &self.trust, now, author, applied: SetVersion(0) }
    }

    fn push(&self, regions: &[(&str, &str)]) -> Result<Outcome, PublishError> {
        now(publish(&self.engine, &self.publisher(), editions(regions), false))
    }

    /// The text that a region has now.
    fn text(&self, region: &str) -> String {
        let stored = self.engine.newest(region).unwrap();
        let (manifest, set) = now(fetch(&self.engine, &self.trust, region, &stored, None)).unwrap();
        assert_eq!(manifest.version, stored.version);
        set.of(Role::Scenario).map(|(_, text)| text.to_owned()).collect()
    }
}

fn editions(regions: &[(&str, &str)]) -> Vec<Edition> {
    let edition = |region: &str, text: &str| {
        let file = SetFile { role: Role::Scenario, path: "a.yaml".into(), text: text.into() };
        Edition { region: region.into(), set: ScenarioSet::new([file]).unwrap(), plans: 1 }
    };
    let all: Vec<_> = regions.iter().map(|(region, text)| format!("{region}: {text}")).collect();
    let all = all.join("\n");
    let own = regions.iter().map(|(region, text)| edition(region, text));
    own.chain([edition(ALL_REGIONS, &all)]).collect()
}

/// Nothing here waits, so the first look at a future is the last.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the memory waits"),
    }
}

#[test]
fn all_regions_get_one_version() {
    let desk = Desk::new();
    let outcome = desk.push(&[("eu", "one"), ("us", "two")]).unwrap();
    assert_eq!(outcome.version, SetVersion(1));
    let names: Vec<_> = outcome.regions.iter().map(|one| one.region.as_str()).collect();
    assert_eq!(names, [ALL_REGIONS, "eu", "us"]);
    let outcome = desk.push(&[("eu", "one"), ("us", "three")]).unwrap();
    assert_eq!(outcome.version, SetVersion(2));
    assert_eq!(
        outcome.regions.iter().map(|one| one.packs).collect::<Vec<_>>(),
        [1, 0, 1],
        "what is there is not sent"
    );
    assert_eq!((desk.text("eu"), desk.text("us")), ("one".into(), "three".into()));
    let same = desk.push(&[("eu", "one"), ("us", "three")]).unwrap();
    assert_eq!(
        same,
        Outcome { version: SetVersion(2), continues: None, regions: Vec::new() },
        "nothing has changed"
    );
}

#[test]
fn a_region_that_is_no_more_gets_an_empty_set() {
    let desk = Desk::new();
    desk.push(&[("eu", "one"), ("us", "two")]).unwrap();
    desk.push(&[("eu", "one")]).unwrap();
    assert_eq!((desk.text("eu"), desk.text("us")), ("one".into(), String::new()));
    let again = desk.push(&[("eu", "one")]).unwrap();
    assert!(again.regions.is_empty(), "{again:?}");
}

#[test]
fn any_earlier_version_comes_back_under_a_new_one() {
    let desk = Desk::new();
    desk.push(&[("eu", "one"), ("us", "two")]).unwrap();
    desk.push(&[("eu", "four"), ("ap", "five")]).unwrap();
    let outcome = now(restore(&desk.engine, &desk.publisher(), SetVersion(1), false)).unwrap();
    assert_eq!(outcome.version, SetVersion(3));
    assert_eq!(
        (desk.text("eu"), desk.text("us"), desk.text("ap")),
        ("one".into(), "two".into(), String::new())
    );
    let all = now(current(&desk.engine, &desk.trust, ALL_REGIONS)).unwrap().unwrap();
    assert_eq!((all.restores, all.regions), (Some(SetVersion(1)), vec!["eu".to_owned(), "us".to_owned()]));
    now(restore(&desk.engine, &desk.publisher(), SetVersion(2), false)).unwrap();
    assert_eq!(
        (desk.text("eu"), desk.text("us"), desk.text("ap")),
        ("four".into(), String::new(), "five".into())
    );
    let error = now(restore(&desk.engine, &desk.publisher(), SetVersion(9), false)).unwrap_err();
    assert_eq!(error.to_string(), "there is no version 9; there are 1 to 4");
}

#[test]
fn a_dry_run_says_what_would_be_and_writes_nothing() {
    let desk = Desk::new();
    let outcome = now(publish(&desk.engine, &desk.publisher(), editions(&[("eu", "one")]), true)).unwrap();
    assert_eq!((outcome.version, outcome.regions.len()), (SetVersion(1), 2));
    assert!(desk.engine.newest("eu").is_none() && desk.engine.objects.lock().unwrap().is_empty());
    desk.push(&[("eu", "one")]).unwrap();
    now(restore(&desk.engine, &desk.publisher(), SetVersion(1), true)).unwrap();
    assert_eq!(desk.engine.newest("eu").unwrap().version, SetVersion(1));
}

/// Whenever the engine goes away: every region has a whole set, the old one or the new one, and publishing again completes it.
#[test]
fn what_was_published_half_is_whole_everywhere_and_completed() {
    for writes in 0..6 {
        let desk = Desk::new();
        desk.push(&[("eu", "one"), ("us", "two")]).unwrap();
        *desk.engine.writes_left.lock().unwrap() = Some(writes);
        let error = desk.push(&[("eu", "three"), ("us", "four")]).unwrap_err();
        assert!(matches!(error, PublishError::Fault(Fault::Away(_))), "{error}");
        let (eu, us) = (desk.text("eu"), desk.text("us"));
        assert!(
            ["one", "three"].contains(&eu.as_str()) && ["two", "four"].contains(&us.as_str()),
            "{eu} {us}"
        );
        *desk.engine.writes_left.lock().unwrap() = None;
        desk.push(&[("eu", "three"), ("us", "four")]).unwrap();
        assert_eq!((desk.text("eu"), desk.text("us")), ("three".into(), "four".into()));
        let versions: Vec<_> =
            ["eu", "us", ALL_REGIONS].map(|region| desk.engine.newest(region).unwrap().version).into();
        assert!(versions.windows(2).all(|pair| pair[0] == pair[1]), "{versions:?}");
    }
}

#[test]
fn of_two_that_publish_one_is_told() {
    let desk = Desk::new();
    desk.push(&[("eu", "one")]).unwrap();
    let before = now(current(&desk.engine, &desk.trust, ALL_REGIONS)).unwrap();
    let late =
        draft(&desk.publisher(), SetVersion(2), &editions(&[("eu", "late")])[1], before, &["eu".to_owned()])
            .unwrap();
    desk.push(&[("eu", "two")]).unwrap();
    let error = now(write(&desk.engine, &desk.publisher(), &[late])).unwrap_err();
    assert!(matches!(error, PublishError::Conflict), "{error}");
    assert_eq!(desk.text("eu"), "two");
}

#[test]
fn what_somebody_else_signed_stops_everything() {
    let (desk, other) = (Desk::new(), Desk::new());
    desk.push(&[("eu", "one")]).unwrap();
    other.push(&[("eu", "evil")]).unwrap();
    let forged = other.engine.newest("eu").unwrap();
    let error = now(fetch(&other.engine, &desk.trust, "eu", &forged, None)).unwrap_err();
    assert!(error.to_string().contains("which is not trusted here"), "{error}");
    let stored = StoredManifest { version: SetVersion(2), ..forged };
    now(desk.engine.publish("eu", Some(SetVersion(1)), stored)).unwrap();
    let error = desk.push(&[("eu", "two")]).unwrap_err();
    assert!(error.to_string().contains("region eu: the manifest is signed by the key"), "{error}");
}

/// Whoever owns the engine can put old bytes under a new number, or another region's in ours; and is not believed.
#[test]
fn an_engine_that_lies_is_found_out() {
    let desk = Desk::new();
    desk.push(&[("eu", "one"), ("us", "two")]).unwrap();
    desk.push(&[("eu", "three"), ("us", "four")]).unwrap();
    let newest = desk.engine.newest("eu").unwrap();
    let (manifest, _) = now(fetch(&desk.engine, &desk.trust, "eu", &newest, None)).unwrap();
    let applied = Some(Applied { version: manifest.version, content: manifest.content });
    let old = now(desk.engine.manifest_at("eu", SetVersion(1))).unwrap().unwrap();
    let replayed = StoredManifest { version: SetVersion(3), ..old.clone() };
    let error = now(fetch(&desk.engine, &desk.trust, "eu", &replayed, applied)).unwrap_err();
    assert!(error.to_string().contains("older than version 2"), "{error}");
    let foreign = desk.engine.newest("us").unwrap();
    let error = now(fetch(&desk.engine, &desk.trust, "eu", &foreign, applied)).unwrap_err();
    assert!(error.to_string().contains("is for region us"), "{error}");
    desk.engine.manifests.lock().unwrap().insert(("eu".to_owned(), 2), old);
    let error = now(earlier(&desk.engine, &desk.trust, "eu", SetVersion(2))).unwrap_err();
    assert!(error.to_string().contains("version 1 lies where version 2 should"), "{error}");
    desk.engine.objects.lock().unwrap().values_mut().for_each(|bytes| *bytes = Bytes::from_static(b"other"));
    let error = now(fetch(&desk.engine, &desk.trust, "eu", &newest, None)).unwrap_err();
    assert!(error.to_string().contains("is not what its hash says"), "{error}");
    desk.engine.objects.lock().unwrap().clear();
    let error = now(fetch(&desk.engine, &desk.trust, "eu", &newest, None)).unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");
}

#[test]
fn versions_go_on_from_what_members_apply() {
    let desk = Desk::new();
    let publisher = Publisher { applied: SetVersion(7), ..desk.publisher() };
    let push = |text: &str| {
        let outcome = now(publish(&desk.engine, &publisher, editions(&[("eu", text)]), false)).unwrap();
        (outcome.version.0, outcome.continues.map(|version| version.0), outcome.regions.len())
    };
    // The engine lost everything, and members are at 7.
    assert_eq!(first(&publisher, &editions(&[("eu", "one")])).unwrap().version, SetVersion(8));
    assert_eq!(push("one"), (8, Some(7), 2));
    assert_eq!(push("one"), (8, None, 0), "nothing has changed");
    assert_eq!(push("two"), (9, None, 2));
    // An engine that was brought back from before, whose content would be the same: members refuse its version.
    let publisher = Publisher { applied: SetVersion(20), ..desk.publisher() };
    let outcome = now(publish(&desk.engine, &publisher, editions(&[("eu", "two")]), false)).unwrap();
    assert_eq!((outcome.version, outcome.continues), (SetVersion(21), Some(SetVersion(20))));
    let publisher = Publisher { applied: SetVersion(30), ..desk.publisher() };
    let outcome = now(restore(&desk.engine, &publisher, SetVersion(8), false)).unwrap();
    assert_eq!((outcome.version, outcome.continues), (SetVersion(31), Some(SetVersion(30))));
    assert_eq!(desk.text("eu"), "one");
}
