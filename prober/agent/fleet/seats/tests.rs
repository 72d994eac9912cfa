//! What a prober makes of what the engine says, with the engine of one machine.

use fleet::assign::SHARDS;
use fleet::embedded::Embedded;

use super::*;
use crate::agent::fleet::layout;

/// An agent that stood still comes back to work that another one took and has just given back: it sees that in what it
/// reads first, and not as a change.
#[tokio::test]
async fn what_was_given_back_before_it_was_looked_at_begins_where_the_giver_ends() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Embedded::open(&folder.path().join("engine.db")).unwrap();
    let beat = |prober: &str| Beat { prober: prober.to_owned(), boot: 1 };
    let (me, other) = (beat("a-1"), beat("a-2"));
    let seat = Shard { number: SHARDS, replica: 0 };
    let first = engine.claim("eu", seat, None, Some(&me)).await.unwrap();

    let ((turns, mut turned), (_about, about)) = (mpsc::channel(4), watch::channel(json!({})));
    let here = (layout("eu", 1), me.clone(), String::new());
    let mut seats = Seats::new(engine.clone(), here, about, turns, CancellationToken::new());
    assert!(seats.layout.has_effects(seat));
    assert!(seats.renew().await.unwrap());
    let mut world = world(&engine, seat).await;
    seats.compare(&mut world).await.unwrap();
    let slot = SystemClock.now().plus(2 * HANDOVER);
    assert!(turned.recv().await.unwrap().leases[&seat].holds(slot, Instant::now()));

    let taken = engine.claim("eu", seat, Some(first), Some(&other)).await.unwrap();
    let given = engine.claim("eu", seat, Some(taken), Some(&me)).await.unwrap();
    seats.compare(&mut self::world(&engine, seat).await).await.unwrap();
    let lease = Arc::clone(&turned.recv().await.unwrap().leases[&seat]);
    let holds = |slot| lease.holds(slot, Instant::now());
    assert!(!holds(border(given).minus(Duration::from_millis(1))), "the giver runs it");
    assert!(holds(border(given)));
}

/// What is known when the owners were just read.
async fn world(engine: &Embedded, seat: Shard) -> World {
    let mut world = World::new();
    let mut watch = engine.watch_owners("eu").await.unwrap();
    loop {
        match watch.next().await.unwrap() {
            Change::Settled => break,
            Change::Owner(owner) => {
                drop(world.owners.insert(owner.shard, Known { owner, since: Timestamp::default() }));
            }
            _ => {}
        }
    }
    assert!(world.token(seat).is_some());
    world
}
