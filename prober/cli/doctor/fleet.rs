//! Whether the servers of a fleet are as it needs them, and what the login may do.
//!
//! Everything is read: no value of the fleet is changed, and nothing is published.

use std::collections::BTreeSet;
use std::time::Duration;

use dashboard::FleetView;
use fleet::access::{Part, SERVER_MIN, is_new_enough};
use fleet::nats::Nats;
use model::time::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;

use super::{Finding, fail, ok, warn};
use crate::agent::fleet::shown::look;
use crate::cli::args::Engine;
use crate::cli::engine;
use crate::cli::plain_http;
use crate::cli::show::duration;
use crate::exit::Stop;

/// A clock that is wrong by more is worth a look: slots begin late or early.
const CLOCK_WARN: Duration = Duration::from_millis(250);
/// A clock that is wrong by more makes verdicts about times worthless.
const CLOCK_FAIL: Duration = Duration::from_secs(1);
/// The stream of event batches, and the buckets.
const STREAMS: [&str; 5] = ["SLI", "KV_cfg", "KV_members", "KV_own", "KV_conf"];

/// What was asked of the servers.
struct Asked {
    version: String,
    /// The configuration and state of each of [`STREAMS`], in that order; or why there is none.
    streams: Vec<Result<Value, String>>,
    /// Server's time minus ours, and how wrong that may be, both in milliseconds.
    clock: Option<(i64, u64)>,
    /// What the server says of our login.
    login: Result<Value, String>,
    /// Who is there, and who has which work, or why that is not known; `None` if this login may not see it.
    fleet: Option<Result<FleetView, String>>,
    /// What the server's own page says of its settings; `Err` if it cannot be seen from here.
    settings: Result<Value, String>,
}

/// Looks at the fleet that `named` names.
pub(super) fn findings(
    named: &Engine,
    monitor: &str,
    runtime: &tokio::runtime::Runtime,
) -> Result<Vec<Finding>, Stop> {
    // What the command line says has to be right before anything is looked at.
    engine::place(named)?;
    let asked = runtime.block_on(async {
        let nats = engine::connect_any(named).await?;
        Ok::<_, Stop>(ask(&nats, monitor).await)
    });
    let asked = match asked {
        Ok(asked) => asked,
        Err(stop) => {
            let remedy = "start the servers, or look at the address, the login and the authorities";
            return Ok(vec![fail("fleet server", stop.message, remedy)]);
        }
    };
    let mut findings = vec![
        server(&asked.version),
        streams(&asked.streams),
        replicas(&asked.streams),
        duplicates(&asked.streams),
        fsync(&asked.settings, monitor),
        clock(asked.clock),
        permissions(&asked.login),
    ];
    findings.extend(asked.fleet.as_ref().map(regions));
    Ok(findings)
}

async fn ask(nats: &Nats, monitor: &str) -> Asked {
    let login = nats.ask("$SYS.REQ.USER.INFO").await.map_err(|fault| fault.to_string());
    let version = nats.server_version().unwrap_or_default();
    let mut streams = Vec::with_capacity(STREAMS.len());
    let mut clock = None;
    for stream in STREAMS {
        let before = SystemClock.now();
        let answer =
            nats.ask(&format!("$JS.API.STREAM.INFO.{stream}")).await.map_err(|fault| fault.to_string());
        let round = SystemClock.now().since(before);
        if let Some(at) =
            answer.as_ref().ok().and_then(|answer| answer["ts"].as_str()?.parse::<Timestamp>().ok())
        {
            let middle = before.plus(round / 2).as_millis();
            let error = u64::try_from(round.as_millis() / 2).unwrap_or(u64::MAX);
            // The quickest answer tells most.
            if clock.is_none_or(|(_, known)| error < known) {
                clock = Some((at.as_millis() - middle, error));
            }
        }
        let answer = answer.and_then(|answer| match answer["error"]["description"].as_str() {
            Some(why) => Err(why.to_owned()),
            None => Ok(answer),
        });
        streams.push(answer);
    }
    let page = plain_http::get(monitor, "/jsz?config=true", None);
    let settings = page.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    let fleet = fleet(nats, &streams).await;
    Asked { version, streams, clock, login, fleet, settings }
}

/// Who is there; nobody is asked who cannot be, or who would not answer.
async fn fleet(nats: &Nats, streams: &[Result<Value, String>]) -> Option<Result<FleetView, String>> {
    if streams.iter().any(Result::is_err) || engine::may_look(nats).await.is_err() {
        return None;
    }
    Some(look(nats, "doctor", &[]).await.map_err(|fault| fault.to_string()))
}

/// Whether every region has as many agents as its work has replicas.
fn regions(fleet: &Result<FleetView, String>) -> Finding {
    const NAME: &str = "fleet agents";
    let view = match fleet {
        Ok(view) => view,
        Err(why) => return warn(NAME, format!("who is there cannot be seen: {why}"), "try it again"),
    };
    let short: Vec<_> = view
        .regions
        .iter()
        .filter_map(|region| Some(format!("region {}: {}", region.region, region.too_few()?)))
        .collect();
    if short.is_empty() {
        let agents = view.members.iter().filter(|member| member.role == "agent").count();
        return ok(
            NAME,
            format!("{agents} there, none too few for the replicas of {} regions", view.regions.len()),
        );
    }
    warn(
        NAME,
        short.join("; "),
        "start more agents there, each on a machine of its own, or write fewer `replicas` in prober.yaml",
    )
}

fn server(version: &str) -> Finding {
    const NAME: &str = "fleet server";
    let [major, minor, patch] = SERVER_MIN;
    if is_new_enough(version) {
        return ok(NAME, format!("nats-server {version}"));
    }
    fail(
        NAME,
        format!("nats-server {version}"),
        format!("install nats-server {major}.{minor}.{patch} or newer"),
    )
}

fn streams(streams: &[Result<Value, String>]) -> Finding {
    const NAME: &str = "fleet data";
    let missing = STREAMS
        .iter()
        .zip(streams)
        .filter_map(|(name, answer)| Some(format!("{name}: {}", answer.as_ref().err()?)));
    let missing: Vec<_> = missing.collect();
    let on_disk = |answer: &Result<Value, String>| {
        answer.as_ref().is_ok_and(|answer| answer["config"]["storage"] == "file")
    };
    if !missing.is_empty() {
        return fail(
            NAME,
            missing.join("; "),
            "start `prober hub`, which makes what is missing, or give this login the right to see it",
        );
    }
    if streams.iter().all(on_disk) {
        return ok(NAME, "the stream and the four buckets are there, on disk");
    }
    fail(NAME, "a stream or a bucket is only in memory", "remove it, and let `prober hub` make it again")
}

fn replicas(streams: &[Result<Value, String>]) -> Finding {
    const NAME: &str = "fleet replicas";
    let known: Vec<_> = STREAMS
        .iter()
        .zip(streams)
        .filter_map(|(name, answer)| Some((name, answer.as_ref().ok()?)))
        .collect();
    let offline = |answer: &Value| {
        answer["cluster"]["replicas"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["offline"] == true || one["current"] == false)
            .count()
    };
    let behind: Vec<_> =
        known.iter().filter(|(_, answer)| offline(answer) > 0).map(|(name, _)| **name).collect();
    let count = |answer: &Value| answer["config"]["num_replicas"].as_u64().unwrap_or(1);
    let least = known.iter().map(|(_, answer)| count(answer)).min().unwrap_or(0);
    if !behind.is_empty() {
        return fail(
            NAME,
            format!("a copy of {} is behind or away", behind.join(", ")),
            "look at the servers: `nats-server` must run on every one of them",
        );
    }
    match least {
        0 => fail(NAME, "nothing is known of them", "mend what stands above first"),
        1 => warn(
            NAME,
            "one copy of everything: a lost disk loses what no hub has yet",
            "run three servers: prober fleet init --host A --host B --host C",
        ),
        more => ok(NAME, format!("{more} copies, all of them current")),
    }
}

fn duplicates(streams: &[Result<Value, String>]) -> Finding {
    const NAME: &str = "fleet duplicates";
    let Some(Ok(answer)) = streams.first() else {
        return fail(NAME, "the stream is not there", "mend what stands above first");
    };
    let window = Duration::from_nanos(answer["config"]["duplicate_window"].as_u64().unwrap_or(0));
    let seen = format!("the server recognises a batch that comes again for {}", duration(window));
    if window >= fleet::DUPLICATE_WINDOW {
        return ok(NAME, seen);
    }
    let wanted = duration(fleet::DUPLICATE_WINDOW);
    warn(
        NAME,
        seen,
        format!(
            "the hub recognises them anyway; `prober hub` sets the stream to {wanted} again when it starts"
        ),
    )
}

fn fsync(settings: &Result<Value, String>, monitor: &str) -> Finding {
    const NAME: &str = "fleet fsync";
    match settings {
        Err(why) => warn(
            NAME,
            format!("the server's page at {monitor} cannot be read: {why}"),
            "run this on the server's machine, or name its page with --fleet-monitor http://HOST:8222; it is `http:` in its configuration",
        ),
        Ok(page) if page["config"]["sync_always"] == true => ok(NAME, "what is acknowledged is on the disk"),
        Ok(page) => {
            let every = page["config"]["sync_interval"].as_u64().map(Duration::from_nanos);
            let every =
                every.map_or_else(|| "now and then".to_owned(), |every| format!("every {}", duration(every)));
            let seen = format!(
                "the server writes to the disk {every}: a power cut loses what it acknowledged since"
            );
            fail(
                NAME,
                seen,
                "write sync_interval: always into jetstream { } of its configuration, and restart it",
            )
        }
    }
}

fn clock(clock: Option<(i64, u64)>) -> Finding {
    const NAME: &str = "fleet clock";
    let Some((offset, error)) = clock else { return warn(NAME, "the servers do not tell their time", "") };
    let (ahead, sure) = (offset.unsigned_abs(), offset.unsigned_abs().saturating_sub(error));
    let which = if offset > 0 { "behind" } else { "ahead of" };
    let seen = format!("this clock is {ahead} ms {which} the server's, give or take {error} ms");
    let remedy = "let chrony or systemd-timesyncd set the clocks of both machines";
    match Duration::from_millis(sure) {
        wrong if wrong > CLOCK_FAIL => fail(NAME, seen, remedy),
        wrong if wrong > CLOCK_WARN => warn(NAME, seen, remedy),
        _ => ok(NAME, seen),
    }
}

fn permissions(login: &Result<Value, String>) -> Finding {
    const NAME: &str = "fleet permissions";
    let remedy = "write nats/users.conf anew with `prober fleet init`, and reload the servers: nats-server --signal reload";
    let answer = match login {
        Ok(answer) => &answer["data"],
        Err(why) => {
            return warn(NAME, format!("the server does not tell what this login may do: {why}"), remedy);
        }
    };
    let user = answer["user"].as_str().unwrap_or_default();
    let Some(part) = Part::of_user(user) else {
        return warn(NAME, format!("`{user}` is no login of `prober fleet init`"), remedy);
    };
    let held = |what: &str| -> Option<BTreeSet<String>> {
        let list = answer["permissions"][what]["allow"].as_array()?;
        list.iter().map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let (Some(publishes), Some(hears)) = (held("publish"), held("subscribe")) else {
        return fail(
            NAME,
            format!("`{user}` may do everything: whoever has it can forge events of every region"),
            remedy,
        );
    };
    let wanted: BTreeSet<_> = part.publishes().into_iter().chain(part.hears()).collect();
    let has: BTreeSet<_> = publishes.union(&hears).cloned().collect();
    let list = |subjects: Vec<&String>| subjects.into_iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    let (lacks, more): (Vec<_>, Vec<_>) =
        (wanted.difference(&has).collect(), has.difference(&wanted).collect());
    match (lacks.is_empty(), more.is_empty()) {
        (true, true) => ok(NAME, format!("`{user}` may do its own work and nothing else")),
        (false, _) => fail(NAME, format!("`{user}` may not do what it needs: {}", list(lacks)), remedy),
        (true, false) => fail(NAME, format!("`{user}` may do more than it needs: {}", list(more)), remedy),
    }
}
