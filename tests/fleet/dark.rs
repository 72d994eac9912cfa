//! A region that is cut off for a while: it alone waits, and what it did meanwhile counts when it is back.

use std::collections::BTreeSet;
use std::time::Duration;

use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;
use testkit::proxy::{Fault, Proxy};
use testkit::wait;

use super::{Fleet, PATIENCE, SCENARIOS, account, faults, lost, no_slot_twice, until_events};
use crate::support::{Serving, text};

const HERE: &str = "us";
const AWAY: &str = "eu";

/// How long the region is cut off: long enough to be dark, or the ten minutes.
fn cut() -> Duration {
    Duration::from_secs(if faults() < 100 { 90 } else { 600 })
}

/// What the hub says of a region.
fn region(hub: &Serving, name: &str) -> Value {
    let answer = hub.api().try_get("/api/v1/fleet").filter(|answer| answer.status == 200);
    let view: Value = answer.map(|answer| serde_json::from_str(&answer.body).unwrap()).unwrap_or_default();
    let found = view["regions"].as_array().into_iter().flatten().find(|one| one["region"] == name);
    found.cloned().unwrap_or_default()
}

fn closed(hub: &Serving, name: &str) -> Timestamp {
    region(hub, name)["closed"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn scheduled(event: &Value) -> Timestamp {
    text(event, "prober.slot.scheduled").parse().unwrap()
}

#[test]
fn a_region_that_is_cut_off_delays_only_itself_and_nothing_of_it_is_missing_after() {
    let fleet = Fleet::of(1, &[AWAY, HERE]);
    let server = fleet.cluster.urls().trim_start_matches("nats://").parse().unwrap();
    let line = Proxy::start(server);
    let through = format!("nats://{}", line.addr());
    let agents = [
        fleet.start_at(&through, &["agent", "--region", AWAY], "away-1"),
        fleet.start_at(&through, &["agent", "--region", AWAY], "away-2"),
        fleet.start(&["agent", "--region", HERE], "here-1"),
    ];
    let hub = fleet.hub("hub");
    for name in [AWAY, HERE] {
        until_events(&hub, &format!("verdict=good&region={name}"), 2 * SCENARIOS);
        wait::until_blocking("an account of both", PATIENCE, || closed(&hub, name) > fleet.effective);
    }
    // As when a cable is pulled: nobody is told.
    line.set(Fault::HalfOpen);
    let gone = SystemClock.now();
    let dark = || region(&hub, AWAY)["dark_since"].is_string();
    wait::until_blocking("a dark region", PATIENCE, dark);
    // The others' account goes on, and so does what is expected of them.
    let meanwhile = SystemClock.now();
    wait::until_blocking("an account without it", PATIENCE, || closed(&hub, HERE) > meanwhile);
    assert!(region(&hub, HERE)["dark_since"].is_null());
    wait::until_blocking("slots that are declared dark", PATIENCE, || {
        hub.api().events("verdict=missed").iter().any(|event| {
            text(event, "prober.verdict.reason") == "dark" && text(event, "prober.region") == AWAY
        })
    });
    wait::until_blocking("the cut's end", cut() + PATIENCE, || SystemClock.now().since(gone) >= cut());
    line.set(Fault::None);
    let back = SystemClock.now();
    wait::until_blocking("the account of that time", PATIENCE, || fleet.closed_in("hub", AWAY) >= back);
    wait::until_blocking("a region that is heard", PATIENCE, || !dark());
    // Whatever was said to be dark was probed, and says so. Of two that come back one may speak for both first.
    wait::until_blocking("all that it did meanwhile", PATIENCE, || {
        lost(&hub.api().events(&format!("region={AWAY}")), gone, back).is_empty()
    });
    let events = hub.api().events("");
    no_slot_twice(&events);
    let here = events.iter().filter(|event| text(event, "prober.region") == HERE);
    let reasons: BTreeSet<_> = here.map(|event| text(event, "prober.verdict.reason")).collect();
    assert!(!reasons.contains("dark"), "{reasons:?}");
    let seen = events.iter().filter(|event| {
        let (at, verdict) = (scheduled(event), text(event, "prober.verdict"));
        text(event, "prober.region") == AWAY && verdict != "missed" && gone <= at && at < back
    });
    let enough = usize::try_from(cut().as_secs()).unwrap() * SCENARIOS / 2;
    assert!(seen.count() >= enough, "fewer than {enough}");
    let closed_at = fleet.closed_in("hub", AWAY).min(fleet.closed_in("hub", HERE));
    let (code, err) = hub.stop();
    assert_eq!(code, Some(0), "{err}");
    let all = account(&fleet.path("hub"), fleet.effective, closed_at);
    assert_eq!(all.violations, 0, "{all:#?}");
    let upgraded = |name: &str| {
        let streams = all.streams.iter().filter(|stream| &*stream.stream.region == name);
        streams.map(|stream| stream.upgraded).sum::<u64>()
    };
    assert!(upgraded(AWAY) > 0, "{all:#?}");
    drop(agents);
}
