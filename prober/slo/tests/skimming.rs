//! History that is judged once an hour ends like history that is judged tick by tick.

use model::outcome::Reason::{self, Failed, Ok};

use super::world::{Spot, World, at, told};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Ten days in two regions; nothing is seen of the first nine but what they leave behind.
fn world() -> World {
    World::new(2, 60, 999_000).since(0)
}

#[expect(clippy::unnecessary_wraps, reason = "the world asks for a slot's reason, if it has an event")]
fn reason(spot: Spot) -> Option<Reason> {
    let was_down = (3 * DAY..3 * DAY + 40 * 60).contains(&spot.second);
    let is_down = spot.region == 1 && spot.second >= 8 * DAY + 1_234;
    Some(if was_down || is_down { Failed } else { Ok })
}

#[test]
fn what_is_skimmed_leaves_the_same_counts_and_alerts() {
    let (changes, whole) = world().run(10 * DAY, reason);
    let (mut skimmed, mut fewer) = (world().evaluator(), Vec::new());
    skimmed.skim(at(9 * DAY));
    for event in world().events(10 * DAY, reason) {
        skimmed.fold(&event, &mut fewer);
    }
    skimmed.finish(at(10 * DAY), &mut fewer);
    assert_eq!(skimmed.judged(), whole.judged());
    let firing = |evaluator: &crate::evaluator::Evaluator| -> Vec<_> {
        let mut all: Vec<_> = evaluator.firing().into_iter().map(|alert| alert.id).collect();
        all.sort_by_key(|id| format!("{id:?}"));
        all
    };
    assert!(!firing(&whole).is_empty());
    assert_eq!(firing(&skimmed), firing(&whole));
    let (mut one, mut other) = (skimmed.standings(), whole.standings());
    // Only when they began, to the hour, may differ.
    for standing in one.iter_mut().chain(&mut other) {
        standing.alerts.clear();
    }
    assert_eq!(one, other);
    for (skimmed, whole) in skimmed.firing().iter().zip(whole.firing()) {
        let later = skimmed.starts.seconds_since(whole.starts);
        assert!((0.0..=3_600.0).contains(&later), "{skimmed:?} {whole:?}");
    }
    // An alert of the time between two looks was never seen; nobody would have been told.
    assert!(told(&fewer).len() < told(&changes).len());
}
