//! Whether the servers are as a fleet needs them, looked at while it runs: their version, and how what they store is set up.
//!
//! Deliberately absent: what only the servers' own pages tell, such as whether they write through; `prober doctor --fleet`
//! asks for that.

use std::time::Duration;

use fleet::nats::Nats;
use fleet::{DUPLICATE_WINDOW, Fault, MEMBER_LIFE};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::engine::too_old;

/// How often the servers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How soon again while they do not answer.
const AGAIN: Duration = Duration::from_secs(2);

/// What each stream must be like: its name, how long it keeps what it has, and how long it recognises what comes again.
const STREAMS: [(&str, Option<Duration>, Option<Duration>); 5] = [
    ("SLI", None, Some(DUPLICATE_WINDOW)),
    ("KV_cfg", Some(Duration::ZERO), None),
    ("KV_own", Some(Duration::ZERO), None),
    ("KV_conf", Some(Duration::ZERO), None),
    ("KV_members", Some(MEMBER_LIFE), None),
];

/// Looks at the servers until `stop`, and says what is wrong with them, in a sentence each.
pub(super) async fn watch_servers(nats: Nats, out: watch::Sender<Vec<String>>, stop: CancellationToken) {
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
