//! What is not ours, or no longer holds, is refused, said and counted.

use fleet::batch::{Head, Record, pack};
use fleet::manifest::{Manifest, SigningKey};
use fleet::nats::Nats;
use fleet::set::{ALL_REGIONS, ScenarioSet};
use fleet::{
    Batch, BatchId, Beat, ConfigSource as _, EventLog as _, SetVersion, Shard, StoredManifest, Token,
};
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::slot::Stream;
use model::time::{Clock as _, SystemClock};
use serde_json::Value;
use std::sync::Arc;
use testkit::wait;

use super::{Fleet, PATIENCE, REGION, SCENARIOS, on_runtime, until_events};
use crate::support::{Serving, text};

/// What the hub says of itself.
fn ledger(hub: &Serving) -> Value {
    let answer = hub.api().try_get("/api/v1/fleet").filter(|answer| answer.status == 200);
    let view: Value = answer.map(|answer| serde_json::from_str(&answer.body).unwrap()).unwrap_or_default();
    let own = view["members"].as_array().into_iter().flatten().find(|one| one["role"] == "hub");
    own.map(|own| own["ledger"].clone()).unwrap_or_default()
}

fn until_counted(hub: &Serving, counter: &str, count: u64) {
    let counted = || ledger(hub)[counter].as_u64().unwrap_or(0) >= count;
    wait::until_blocking(&format!("{count} in {counter}"), PATIENCE, counted);
}

#[test]
fn batches_that_are_not_what_they_say_are_refused_and_counted() {
    let fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let _agent = fleet.agent("a-1");
    // The newest of some seconds: a slot well after its owner took the work.
    let events = until_events(&hub, "verdict=good", 4 * SCENARIOS);
    let known = events.iter().max_by_key(|event| text(event, "prober.slot.scheduled").to_owned()).unwrap();
    let (name, at) = (text(known, "prober.scenario.name"), text(known, "prober.slot.scheduled"));
    let missed = |region: &str, token: u64, sequence: u64| {
        let origin = model::event::Origin {
            stream: Stream::new(name, region),
            version: "0123456789ab".into(),
            kind: "http".into(),
            owner: "".into(),
            service: "".into(),
            labels: vec![],
            prober: "x-1".into(),
            side_effects: false,
        };
        // A slot that the real owner probed long after it was his.
        let run = MissedSlots::one(Arc::new(origin), Reason::Late, at.parse().unwrap(), SystemClock.now());
        let number = fleet::assign::shard_of(name, fleet::assign::SHARDS);
        let id = BatchId { from: Beat { prober: "x-1".to_owned(), boot: 1 }, sequence };
        let (shard, token) = (Shard { number, replica: 0 }, Token(token));
        let head = Head { region: region.to_owned(), shard, id: id.clone(), token, checkpoint: None };
        let bytes = pack(&head, &[Record::Missed(run)]).unwrap().remove(0).into();
        Batch { region: region.to_owned(), shard, id, token, bytes }
    };
    // Under the name of this region, and of that region: and one that was the owner in 1970.
    let foreign = Batch { region: REGION.to_owned(), ..missed("us", 1, 1) };
    let (other, old) = (missed("us", 1, 2), missed(REGION, 1, 3));
    let settings = fleet.nats();
    on_runtime(async {
        let nats = Nats::connect(settings).await.unwrap();
        for batch in [foreign, other, old] {
            nats.append(&batch).await.unwrap();
        }
    });
    for counter in ["refused_batches", "unplanned_records", "superseded_records"] {
        until_counted(&hub, counter, 1);
    }
    let said = hub.err();
    for sentence in ["and says otherwise", "of a slot that nobody planned", "of an owner that was overtaken"]
    {
        assert!(said.contains(sentence), "{sentence} is not in {said}");
    }
    // And in the audit, which pages and API show: who, what and why.
    for sentence in [
        "batch of x-1 in eu: x-1.1.1 came as one of region eu",
        "record of x-1 in us: ",
        "record of x-1 in eu: ",
        "is of a slot that nobody planned",
        "token 1, is of an owner that was overtaken",
    ] {
        let noted = || hub.api().get("/api/v1/audit").contains(sentence);
        wait::until_blocking(&format!("a note of {sentence}"), PATIENCE, noted);
    }
    assert!(hub.api().get("/alerts").contains("came as one of region eu"));
    let metrics = hub.api().get("/metrics");
    for line in ["prober_fleet_refused_batches_total 1", "prober_fleet_superseded_records_total 1"] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(hub.api().events("").iter().all(|event| text(event, "prober.id") != "x-1"));
}

#[test]
fn a_set_that_is_not_ours_is_refused_and_the_one_from_before_goes_on() {
    let mut fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let agent = fleet.agent("a-1");
    until_events(&hub, "verdict=good", SCENARIOS);
    let (stranger, _) = SigningKey::generate().unwrap();
    let settings = fleet.nats();
    // The owner of the servers can write into them, but signs with a key that nobody trusts.
    let forged = forged(&stranger, &fleet);
    let old = on_runtime(async {
        let nats = Nats::connect(settings).await.unwrap();
        for region in [REGION, ALL_REGIONS] {
            let now = nats.manifest(region).await.unwrap().unwrap();
            let bytes = forged.clone();
            let next = StoredManifest { version: SetVersion(now.version.0 + 1), bytes: bytes.into() };
            nats.publish(region, Some(now.version), next).await.unwrap();
        }
        nats.manifest_at(REGION, SetVersion(1)).await.unwrap().unwrap()
    });
    for serving in [&hub, &agent] {
        wait::until_blocking("a refusal", PATIENCE, || serving.err().contains("not trusted here"));
        let noted = || {
            let audit = serving.api().get("/api/v1/audit");
            audit.contains("scenario set of the servers: ") && audit.contains("which is not trusted here")
        };
        wait::until_blocking("a note of it", PATIENCE, noted);
    }
    // A later set by the right key, and then the first one again: what was signed once does not hold for ever.
    let rolled_back = |version: u64| {
        let settings = fleet.nats();
        let manifest = StoredManifest { version: SetVersion(version), bytes: old.bytes.clone() };
        on_runtime(async {
            let nats = Nats::connect(settings).await.unwrap();
            let now = nats.manifest(REGION).await.unwrap().unwrap();
            nats.publish(REGION, Some(now.version), manifest).await.unwrap();
        });
    };
    let newer = resigned(&fleet, 5);
    let settings = fleet.nats();
    on_runtime(async {
        let nats = Nats::connect(settings).await.unwrap();
        let now = nats.manifest(REGION).await.unwrap().unwrap();
        let next = StoredManifest { version: SetVersion(5), bytes: newer.into() };
        nats.publish(REGION, Some(now.version), next).await.unwrap();
    });
    wait::until_blocking("the newer set", PATIENCE, || own(&agent)["set_version"] == 5);
    rolled_back(6);
    wait::until_blocking("a second refusal", PATIENCE, || own(&agent)["sets_refused"] == 2);
    assert!(agent.err().contains("version 1"), "{}", agent.err());
    // The second within a minute is noted when that is over.
    wait::until_blocking("a note of it", PATIENCE, || {
        agent.api().get("/api/v1/audit").contains("version 1 is older than version 5, which is applied")
    });
    let metrics = agent.api().get("/metrics");
    let line = "prober_fleet_refused_sets_total{role=\"agent\",region=\"eu\",prober=\"a-1\"} 2";
    assert!(metrics.contains(line), "{line} is not in {metrics}");
    let before = fleet.target.requests();
    wait::until_blocking("probes after it", PATIENCE, || fleet.target.requests() > before + SCENARIOS as u64);
    fleet.cluster.node(0).kill();
    // Also after a restart, and without servers.
    agent.kill();
    let before = fleet.target.requests();
    let agent = fleet.agent("a-1");
    agent.until_ready();
    let enough = before + 2 * SCENARIOS as u64;
    wait::until_blocking("probes without servers", PATIENCE, || fleet.target.requests() >= enough);
}

/// A manifest like the published one, by somebody else.
fn forged(key: &SigningKey, fleet: &Fleet) -> Vec<u8> {
    manifest(fleet, 9).seal(key).unwrap()
}

/// The published set under another version, by the right key.
fn resigned(fleet: &Fleet, version: u64) -> Vec<u8> {
    manifest(fleet, version).seal(&fleet.key).unwrap()
}

/// What an agent says of itself.
fn own(agent: &Serving) -> Value {
    let answer = agent.api().try_get("/api/v1/fleet").filter(|answer| answer.status == 200);
    let view: Value = answer.map(|answer| serde_json::from_str(&answer.body).unwrap()).unwrap_or_default();
    view["members"][0].clone()
}

fn manifest(fleet: &Fleet, version: u64) -> Manifest {
    let set = ScenarioSet::new(fleet.files()).unwrap();
    Manifest {
        region: REGION.to_owned(),
        version: SetVersion(version),
        published: SystemClock.now(),
        effective: SystemClock.now(),
        author: "somebody".to_owned(),
        restores: None,
        plans: 1,
        files: set.len() as u64,
        content: set.content(),
        packs: set.packs().unwrap().iter().map(|pack| pack.digest).collect(),
        regions: Vec::new(),
    }
}
