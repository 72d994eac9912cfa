//! What holds for every engine: one suite, run on the engine inside the process and on real servers.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{
    Appended, Batch, BatchId, Beat, Change, ConfigSource, Confirm, Digest, EventLog, EventReader as _, Fault,
    MEMBER_LIFE, ManifestWatch as _, Member, Owner, Ownership, OwnershipWatch as _, Position, SetVersion,
    Shard, StoredManifest, Token,
};

/// How long something may take that needs no time of its own.
const SOON: Duration = Duration::from_mins(1);

/// An engine, and a second client of it.
struct Engines<E> {
    one: E,
    other: E,
}

async fn soon<T>(what: &str, future: impl Future<Output = Result<T, Fault>>) -> T {
    let answer = tokio::time::timeout(SOON, future).await;
    answer
        .unwrap_or_else(|_| panic!("waited {SOON:?} in vain for {what}"))
        .unwrap_or_else(|fault| panic!("{what}: {fault}"))
}

fn beat(prober: &str) -> Beat {
    Beat { prober: prober.to_owned(), boot: 3 }
}

fn member(prober: &str, about: &'static str) -> Member {
    Member { who: beat(prober), about: Bytes::from_static(about.as_bytes()) }
}

fn set(version: u64, bytes: &'static str) -> StoredManifest {
    StoredManifest { version: SetVersion(version), bytes: Bytes::from_static(bytes.as_bytes()) }
}

fn batch(sequence: u64) -> Batch {
    Batch {
        region: "eu".to_owned(),
        shard: Shard { number: 7, replica: 0 },
        id: BatchId { from: beat("p-1"), sequence },
        token: Token(41),
        bytes: format!("batch {sequence}").into(),
    }
}

/// Everything but what takes [`MEMBER_LIFE`].
async fn conforms<E: ConfigSource + Ownership + EventLog>(engines: &Engines<E>) {
    sets_are_published_whole(engines).await;
    one_claim_wins(engines).await;
    replicas_are_claimed_apart(engines).await;
    watches_tell_all(engines).await;
    batches_are_stored_once(engines).await;
    a_reader_goes_on_where_it_was(engines).await;
    confirms_are_heard(engines).await;
}

async fn sets_are_published_whole<E: ConfigSource>(Engines { one, other }: &Engines<E>) {
    assert_eq!(one.manifest("eu").await, Ok(None));
    let mut watch = soon("a watch", other.watch("eu")).await;
    let object = Digest([7; 32]);
    one.put_object("eu", object, Bytes::from_static(b"pack")).await.unwrap();
    one.put_object("eu", object, Bytes::from_static(b"pack")).await.unwrap();
    assert_eq!(other.object("eu", object).await, Ok(Some(Bytes::from_static(b"pack"))));
    assert_eq!(other.object("us", object).await, Ok(None));

    one.publish("eu", None, set(1, "first")).await.unwrap();
    assert_eq!(soon("the first set", watch.next()).await, set(1, "first"));
    assert_eq!(other.publish("eu", None, set(1, "too late")).await, Err(Fault::Conflict));
    other.publish("eu", Some(SetVersion(1)), set(2, "second")).await.unwrap();
    assert_eq!(one.publish("eu", Some(SetVersion(1)), set(2, "too late")).await, Err(Fault::Conflict));
    assert_eq!(soon("the second set", watch.next()).await, set(2, "second"));
    assert_eq!(one.manifest("eu").await, Ok(Some(set(2, "second"))));
    assert_eq!(one.manifest_at("eu", SetVersion(1)).await, Ok(Some(set(1, "first"))));
    assert_eq!(one.manifest_at("eu", SetVersion(9)).await, Ok(None));
    assert_eq!(one.versions("eu").await, Ok(vec![SetVersion(1), SetVersion(2)]));
    assert_eq!(one.versions("us").await, Ok(vec![]));

    let mut late = soon("a later watch", one.watch("eu")).await;
    assert_eq!(soon("what is there", late.next()).await, set(2, "second"));
}

async fn one_claim_wins<E: Ownership>(Engines { one, other }: &Engines<E>) {
    let shard = Shard { number: 1, replica: 0 };
    let (a, b) = (beat("a"), beat("b"));
    let first = one.claim("eu", shard, None, Some(&a)).await.unwrap();
    assert_eq!(other.claim("eu", shard, None, Some(&b)).await, Err(Fault::Conflict));
    assert_eq!(other.claim("eu", shard, Some(Token(1)), Some(&b)).await, Err(Fault::Conflict));
    let second = other.claim("eu", shard, Some(first), Some(&b)).await.unwrap();
    assert!(second > first);
    assert_eq!(one.claim("eu", shard, Some(first), Some(&a)).await, Err(Fault::Conflict), "an old token");
    let owner = |token, holder: Option<&Beat>| Owner { shard, token, holder: holder.cloned() };
    assert_eq!(one.owners("eu").await, Ok(vec![owner(second, Some(&b))]));

    // Many at once: one of them wins, and its token is the newest.
    let (x, y) = (beat("x"), beat("y"));
    let (left, right) = tokio::join!(
        one.claim("eu", shard, Some(second), Some(&x)),
        other.claim("eu", shard, Some(second), Some(&y)),
    );
    let (token, holder) = match (left, right) {
        (Ok(token), Err(Fault::Conflict)) => (token, x),
        (Err(Fault::Conflict), Ok(token)) => (token, y),
        other => panic!("{other:?}"),
    };
    assert!(token > second);
    assert_eq!(one.owners("eu").await, Ok(vec![owner(token, Some(&holder))]));
    let free = one.claim("eu", shard, Some(token), None).await.unwrap();
    assert_eq!(other.owners("eu").await, Ok(vec![owner(free, None)]));
    assert_eq!(other.owners("us").await, Ok(vec![]));
}

/// Each replica of a shard has an owner of its own: claims of one say nothing of the other, and neither do their tokens.
async fn replicas_are_claimed_apart<E: Ownership>(Engines { one, other }: &Engines<E>) {
    let seats = [0, 1, 7].map(|replica| Shard { number: 3, replica });
    let holders = ["a", "b", "c"].map(beat);
    let mut tokens = Vec::new();
    for (seat, holder) in seats.iter().zip(&holders) {
        tokens.push(one.claim("africa", *seat, None, Some(holder)).await.unwrap());
        assert_eq!(other.claim("africa", *seat, None, Some(holder)).await, Err(Fault::Conflict), "{seat}");
    }
    let given = other.claim("africa", seats[1], Some(tokens[1]), Some(&holders[0])).await.unwrap();
    assert!(given > tokens[1]);
    // The first one's token is still the newest of its own.
    let free = one.claim("africa", seats[0], Some(tokens[0]), None).await.unwrap();
    let owner = |seat: usize, token, holder: Option<&Beat>| Owner {
        shard: seats[seat],
        token,
        holder: holder.cloned(),
    };
    let wanted =
        [owner(0, free, None), owner(1, given, Some(&holders[0])), owner(2, tokens[2], Some(&holders[2]))];
    let mut found = other.owners("africa").await.unwrap();
    found.sort_by_key(|owner| owner.shard);
    assert_eq!(found, wanted);
}

async fn watches_tell_all<E: Ownership>(Engines { one, other }: &Engines<E>) {
    let shard = Shard { number: 4, replica: 1 };
    let here = member("m-1", "zone a\nlines");
    one.renew("asia", &here).await.unwrap();
    let token = one.claim("asia", shard, None, Some(&here.who)).await.unwrap();
    let mut watch = soon("a watch", other.watch_owners("asia")).await;
    let mut there = Vec::new();
    loop {
        match soon("what is there", watch.next()).await {
            Change::Settled => break,
            change => there.push(change),
        }
    }
    let owner = Owner { shard, token, holder: Some(here.who.clone()) };
    assert!(there.contains(&Change::Member(here.clone())), "{there:?}");
    assert!(there.contains(&Change::Owner(owner)), "{there:?}");
    assert_eq!(other.members("asia").await, Ok(vec![here.clone()]));

    let mut expect = async |what: &str, wanted: &dyn Fn(&Change) -> bool| loop {
        // Others may be told twice.
        let change = soon(what, watch.next()).await;
        if wanted(&change) {
            return;
        }
    };
    let joined = member("m-2", "zone b");
    one.renew("asia", &joined).await.unwrap();
    expect("a join", &|change| *change == Change::Member(joined.clone())).await;
    one.beat("asia", &joined.who).await.unwrap();
    expect("a beat", &|change| *change == Change::Beat(joined.who.clone())).await;
    let newer = one.claim("asia", shard, Some(token), Some(&joined.who)).await.unwrap();
    let moved = Owner { shard, token: newer, holder: Some(joined.who.clone()) };
    expect("a move", &|change| *change == Change::Owner(moved.clone())).await;
    one.leave("asia", "m-1").await.unwrap();
    expect("a farewell", &|change| *change == Change::Gone("m-1".to_owned())).await;
    assert_eq!(other.members("asia").await, Ok(vec![joined]));
}

async fn batches_are_stored_once<E: EventLog>(Engines { one, other }: &Engines<E>) {
    let first = one.append(&batch(1)).await.unwrap();
    assert_eq!(one.append(&batch(1)).await, Ok(Appended { duplicate: true, ..first }));
    assert_eq!(other.append(&batch(1)).await, Ok(Appended { duplicate: true, ..first }));
    let second = other.append(&batch(2)).await.unwrap();
    assert!(second.position > first.position && !second.duplicate);
}

async fn a_reader_goes_on_where_it_was<E: EventLog>(Engines { one, other }: &Engines<E>) {
    let mut reader = soon("a reader", other.read(Position(0), 0)).await;
    let mut read = Vec::new();
    while read.len() < 2 {
        read.extend(soon("batches", reader.next(1)).await);
    }
    assert_eq!(
        read.iter().map(|entry| entry.batch.clone()).collect::<Vec<_>>(),
        [Ok(batch(1)), Ok(batch(2))]
    );
    for sequence in 3..=20 {
        one.append(&batch(sequence)).await.unwrap();
    }
    let mut again = soon("a reader", one.read(read[0].position, reader.log())).await;
    let mut sequences = Vec::new();
    while sequences.last() != Some(&20) {
        let entries = soon("batches", again.next(5)).await;
        assert!(entries.len() <= 5);
        assert!(entries.is_sorted_by(|a, b| a.position < b.position));
        sequences.extend(entries.into_iter().map(|entry| entry.batch.unwrap().id.sequence));
    }
    assert_eq!(sequences, (2..=20).collect::<Vec<_>>());
    assert_eq!(again.log(), reader.log());
    // A place that no log has reached belongs to one that was wiped: everything is new.
    let mut wiped = soon("a reader", one.read(Position(u64::MAX / 2), again.log())).await;
    if let Some(entry) = soon("batches", wiped.next(1)).await.first() {
        assert_eq!(entry.batch, Ok(batch(1)));
    }
}

async fn confirms_are_heard<E: EventLog>(Engines { one, other }: &Engines<E>) {
    assert_eq!(one.confirmed("eu", "p-1").await, Ok(None));
    for through in [0, 20] {
        let confirm = Confirm { from: beat("p-1"), through, again: 0 };
        other.confirm("eu", &confirm).await.unwrap();
        assert_eq!(one.confirmed("eu", "p-1").await, Ok(Some(confirm)));
    }
    assert_eq!(one.confirmed("us", "p-1").await, Ok(None));
    // What is confirmed is still recognised.
    assert!(one.append(&batch(20)).await.unwrap().duplicate);
}

/// Whoever does not renew is gone, is told to be, and not before its time.
async fn memberships_end<E: Ownership>(Engines { one, other }: &Engines<E>) {
    let mut watch = soon("a watch", other.watch_owners("africa")).await;
    let (stays, goes) = (member("stays", ""), member("goes", ""));
    one.renew("africa", &goes).await.unwrap();
    let renewed = Instant::now();
    let gone = async {
        while soon("the end of a membership", watch.next()).await != Change::Gone("goes".to_owned()) {}
    };
    let renewing = async {
        loop {
            one.renew("africa", &stays).await.unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    };
    tokio::select! {
        () = gone => {}
        () = renewing => {}
    }
    assert!(renewed.elapsed() + Duration::from_secs(1) >= MEMBER_LIFE, "{:?}", renewed.elapsed());
    let end = Instant::now() + SOON;
    while one.members("africa").await != Ok(vec![stays.clone()]) {
        one.renew("africa", &stays).await.unwrap();
        assert!(Instant::now() < end, "{:?}", one.members("africa").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

mod embedded {
    use super::*;
    use crate::embedded::Embedded;

    fn engines(folder: &tempfile::TempDir) -> Engines<Embedded> {
        let one = Embedded::open(&folder.path().join("fleet.db")).unwrap();
        Engines { other: one.clone(), one }
    }

    #[tokio::test]
    async fn the_embedded_engine_conforms() {
        let folder = tempfile::tempdir().unwrap();
        conforms(&engines(&folder)).await;
        // What was acknowledged is there for the next process.
        let next = engines(&folder);
        assert_eq!(next.one.manifest("eu").await, Ok(Some(set(2, "second"))));
        assert!(next.one.append(&batch(1)).await.unwrap().duplicate);
        assert_eq!(next.one.owners("asia").await.unwrap().len(), 1);
        assert_eq!(next.one.members("asia").await, Ok(vec![]));
    }

    #[tokio::test]
    async fn embedded_memberships_end() {
        memberships_end(&engines(&tempfile::tempdir().unwrap())).await;
    }

    #[test]
    fn a_file_that_is_no_engine_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.db");
        std::fs::write(&path, "this is a letter to the editor, and long enough to be a header ".repeat(20))
            .unwrap();
        assert!(matches!(Embedded::open(&path), Err(Fault::Away(_))));
    }
}

mod nats {
    use testkit::servers::{NatsCluster, NatsNode};

    use super::*;
    use crate::nats::{Nats, Settings};

    async fn client(cluster: &NatsCluster) -> Nats {
        let servers = cluster.nodes().iter().map(NatsNode::url).collect();
        Nats::connect(Settings { servers, login: None, authorities: vec![], name: "conformance".to_owned() })
            .await
            .unwrap()
    }

    async fn engines(cluster: &NatsCluster) -> Engines<Nats> {
        let engines = Engines { one: client(cluster).await, other: client(cluster).await };
        let end = Instant::now() + SOON;
        // A cluster elects its leader first.
        while let Err(fault) = engines.one.prepare(cluster.nodes().len()).await {
            assert!(Instant::now() < end, "{fault}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        engines
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_node_conforms() {
        let cluster = NatsCluster::start(1);
        let engines = engines(&cluster).await;
        Box::pin(conforms(&engines)).await;
        Box::pin(memberships_end(&engines)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn three_nodes_conform() {
        let cluster = NatsCluster::start(3);
        let engines = engines(&cluster).await;
        Box::pin(conforms(&engines)).await;
        Box::pin(memberships_end(&engines)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_dies_is_away_and_has_all_when_it_is_back() {
        let mut cluster = NatsCluster::start(1);
        let Engines { one, .. } = engines(&cluster).await;
        let acknowledged = one.append(&batch(1)).await.unwrap();
        cluster.node(0).kill();
        let began = Instant::now();
        assert!(matches!(one.append(&batch(2)).await, Err(Fault::Away(_))));
        assert!(matches!(
            one.claim("eu", Shard { number: 0, replica: 0 }, None, None).await,
            Err(Fault::Away(_))
        ));
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        cluster.node(0).start();
        let end = Instant::now() + SOON;
        while one.append(&batch(2)).await.is_err() {
            assert!(Instant::now() < end, "no way back");
        }
        assert_eq!(one.append(&batch(1)).await, Ok(Appended { duplicate: true, ..acknowledged }));
    }
}
