//! Whether the servers are as a fleet needs them, looked at while it runs: their version, how what they store is set up, and
//! how far this clock is from theirs.
//!
//! Deliberately absent: what only the servers' own pages tell, such as whether they write through; `prober doctor --fleet`
//! asks for that.

use std::sync::Arc;
use std::time::Duration;

use fleet::nats::Nats;
use fleet::{DUPLICATE_WINDOW, Fault, MEMBER_LIFE, Ownership as _};
use schedule::distrust::Doubts;
use schedule::distrust::clock::Measured;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::engine::too_old;

/// How often the servers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How soon again while they do not answer.
const AGAIN: Duration = Duration::from_secs(2);
/// How often a clock is compared with the servers'.
const CLOCK_EVERY: Duration = Duration::from_secs(10);
/// After so many looks without an answer what was measured before says nothing any more: nobody stays suspended for the
/// word of servers that are away.
const SILENT_MAX: u32 = 6;

/// A clock that differs by more than this is told of, in milliseconds.
const CLOCK_WARN_MS: u64 = 250;

/// A clock minus the servers', and how wrong that may be, in milliseconds.
pub(super) type Offset = Option<(i64, u64)>;

/// How its clock is, and what is wrong with the servers, as somebody sees it.
pub(super) type Looks = (watch::Receiver<Offset>, watch::Receiver<Vec<String>>);

/// What each stream must be like: its name, how long it keeps what it has, and how long it recognises what comes again.
const STREAMS: [(&str, Option<Duration>, Option<Duration>); 5] = [
    ("SLI", None, Some(DUPLICATE_WINDOW)),
    ("KV_cfg", Some(Duration::ZERO), None),
    ("KV_own", Some(Duration::ZERO), None),
    ("KV_conf", Some(Duration::ZERO), None),
    ("KV_members", Some(MEMBER_LIFE), None),
];

/// Starts what looks at the servers, and compares the clock with theirs for whoever doubts it; `who` is the engine, the
/// region whose members are asked about their clocks, and this one's name.
pub(super) fn start_looking(
    tasks: &mut JoinSet<()>,
    (nats, region, id): (&Nats, &str, &str),
    doubts: &Arc<Doubts>,
    stop: &CancellationToken,
) -> Looks {
    let (clock, servers) = (watch::Sender::new(None), watch::Sender::default());
    let looks = (clock.subscribe(), servers.subscribe());
    let who = (nats.clone(), region.to_owned(), id.to_owned());
    tasks.spawn(compare_clocks(who, clock, Arc::clone(doubts), stop.clone()));
    tasks.spawn(watch_servers(nats.clone(), servers, stop.clone()));
    looks
}

/// Looks at the servers until `stop`, and says what is wrong with them, in a sentence each.
async fn watch_servers(nats: Nats, out: watch::Sender<Vec<String>>, stop: CancellationToken) {
    let watching = async {
        loop {
            let found = look(&nats).await;
            let wait = if found.is_ok() { LOOK_EVERY } else { AGAIN };
            if let Ok(troubles) = found {
                out.send_if_modified(|known| {
                    let is_new = *known != troubles;
                    if is_new {
                        for trouble in &troubles {
                            tracing::error!("the fleet's servers: {trouble}");
                        }
                        *known = troubles;
                    }
                    is_new
                });
            }
            tokio::time::sleep(wait).await;
        }
    };
    let _stopped = Box::pin(stop.run_until_cancelled(watching)).await;
}

/// Compares the clock with the servers' until `stop`, and tells whoever doubts it.
async fn compare_clocks(
    (nats, region, id): (Nats, String, String),
    out: watch::Sender<Offset>,
    doubts: Arc<Doubts>,
    stop: CancellationToken,
) {
    let comparing = async {
        let mut silent = 0;
        loop {
            let offset = nats.clock_offset().await.ok();
            silent = if offset.is_some() { 0 } else { silent + 1 };
            if silent >= SILENT_MAX {
                doubts.note_measured(None);
            }
            if let Some((offset, error)) = offset {
                let is_off = offset.unsigned_abs().saturating_sub(error) > CLOCK_WARN_MS;
                // Asked only when it matters: whether it is this clock or the servers'.
                let mut others = if is_off { offsets(&nats, &region, &id).await } else { Vec::new() };
                if is_off {
                    tracing::warn!(offset_ms = offset, "this clock is not that of the fleet's servers");
                }
                doubts.note_measured(Some(Measured::against(offset, error, &mut others)));
            }
            out.send_replace(offset);
            tokio::time::sleep(CLOCK_EVERY).await;
        }
    };
    let _stopped = stop.run_until_cancelled(comparing).await;
}

/// What the other members measured of their clocks against the servers', in milliseconds.
async fn offsets(nats: &Nats, region: &str, id: &str) -> Vec<i64> {
    let members = nats.members(region).await.unwrap_or_default();
    let others = members.iter().filter(|member| member.who.prober != id);
    others.filter_map(|member| about(member)["clock_offset_ms"].as_i64()).collect()
}

async fn look(nats: &Nats) -> Result<Vec<String>, Fault> {
    let mut troubles = Vec::new();
    for (stream, kept, recognised) in STREAMS {
        let answer = nats.ask(&format!("$JS.API.STREAM.INFO.{stream}")).await?;
        troubles.extend(wrong(stream, &answer, kept, recognised));
    }
    // Known once somebody has answered.
    troubles.extend(too_old(nats));
    Ok(troubles)
}

/// What is wrong with a stream.
fn wrong(
    stream: &str,
    answer: &Value,
    kept: Option<Duration>,
    recognised: Option<Duration>,
) -> Option<String> {
    const REMEDY: &str = "`prober hub` sets it right when it starts";
    if answer["error"].is_object() {
        let why = answer["error"]["description"].as_str().unwrap_or("it cannot be looked at");
        return Some(format!("{stream}: {why}; `prober hub` makes what is missing"));
    }
    let config = &answer["config"];
    let time = |name: &str| Duration::from_nanos(config[name].as_u64().unwrap_or(0));
    if config["storage"] != "file" {
        return Some(format!("{stream} is only in memory; remove it, and let `prober hub` make it again"));
    }
    if recognised.is_some_and(|wanted| time("duplicate_window") < wanted) {
        let seconds = time("duplicate_window").as_secs();
        return Some(format!("{stream} recognises what comes again for {seconds} s only; {REMEDY}"));
    }
    if kept.is_some_and(|wanted| time("max_age") != wanted) {
        let seconds = time("max_age").as_secs();
        return Some(format!("{stream} forgets what it has after {seconds} s; {REMEDY}"));
    }
    None
}

/// What a member says of itself.
pub(super) fn about(member: &fleet::Member) -> Value {
    serde_json::from_slice(&member.about).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_that_a_fleet_cannot_use_are_named() {
        let config = |storage: &str, duplicates: u64, age: u64| {
            json!({ "config": {
                "storage": storage, "duplicate_window": duplicates * 1_000_000_000, "max_age": age * 1_000_000_000,
            } })
        };
        let missing = json!({ "error": { "code": 404, "description": "stream not found" } });
        for (stream, answer, expected) in [
            ("SLI", config("file", 120, 7), None),
            ("SLI", config("file", 119, 7), Some("recognises what comes again for 119 s only")),
            ("SLI", config("memory", 120, 7), Some("only in memory")),
            ("KV_own", config("file", 0, 0), None),
            ("KV_own", config("file", 0, 3), Some("forgets what it has after 3 s")),
            ("KV_members", config("file", 0, 15), None),
            ("KV_members", config("file", 0, 3), Some("forgets what it has after 3 s")),
            ("KV_cfg", missing, Some("stream not found")),
        ] {
            let (_, kept, recognised) = STREAMS.into_iter().find(|(name, ..)| *name == stream).unwrap();
            let found = wrong(stream, &answer, kept, recognised);
            assert_eq!(found.is_some(), expected.is_some(), "{stream}: {found:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{stream}");
        }
    }
}
