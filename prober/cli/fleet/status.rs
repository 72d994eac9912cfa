//! `prober fleet status`: who is there, who has which work, how far the account is, and what is wrong.

use std::fmt::Write as _;

use dashboard::{FleetView, LedgerView, MemberView};
use serde_json::json;

use crate::agent::fleet::shown::look;
use crate::cli::args::{FactsFormat, FleetStatus};
use crate::cli::engine;
use crate::cli::out::Out;
use crate::cli::place::runtime;
use crate::cli::show::{MemberRow, distance, members_table};
use crate::exit::{Exit, Stop};

/// Shows the fleet; with `--strict`, exit code 1 if something is wrong with it.
pub(super) fn status(args: &FleetStatus, out: &Out) -> Result<Exit, Stop> {
    let view = runtime(Some(1))?.block_on(seen(args))?;
    let troubles = view.troubles();
    match args.format {
        FactsFormat::Json => {
            let mut shown = json!(view);
            shown["troubles"] = json!(troubles);
            out.json(&shown);
        }
        FactsFormat::Human => human(&view, &troubles, out),
    }
    Ok(if args.strict && !troubles.is_empty() { Exit::Bad } else { Exit::Good })
}

async fn seen(args: &FleetStatus) -> Result<FleetView, Stop> {
    let nats = engine::connect(&args.engine).await?;
    let subject = "$JS.API.CONSUMER.CREATE.KV_members.x.$KV.members.x.x";
    engine::allowed(&nats, subject, "look at the whole fleet", "hub").await?;
    if !engine::is_made(&nats).await? {
        return Err(Stop::environment(
            "there is no fleet at these servers yet: start `prober hub`, or push a set",
        ));
    }
    look(&nats, "status", &[]).await.map_err(|fault| Stop::environment(fault.to_string()))
}

fn human(view: &FleetView, troubles: &[String], out: &Out) {
    for region in &view.regions {
        let agents = if region.members == 1 { "agent" } else { "agents" };
        let set = region.set_version.map_or("no set is published".to_owned(), |set| format!("set {set}"));
        out.line(&format!(
            "region {}: {} {agents}, {} of {} shards owned, {set}",
            region.region, region.members, region.owned_shards, region.shards
        ));
    }
    for hub in &view.members {
        if let Some(ledger) = &hub.ledger {
            out.line(&hub_line(view, hub, ledger));
        }
    }
    let rows: Vec<_> = view.members.iter().map(|member| row(view, member)).collect();
    if rows.is_empty() {
        out.note("nobody is there: start `prober hub` and `prober agent`");
    } else {
        out.line("");
        out.raw(members_table(&rows, out.look()).as_bytes());
    }
    for trouble in troubles {
        out.line(&format!("! {trouble}"));
    }
}

fn hub_line(view: &FleetView, hub: &MemberView, ledger: &LedgerView) -> String {
    let part = if ledger.active { "confirms and alerts" } else { "is ready to take over" };
    let closed = distance(view.at.since(ledger.closed));
    let mut line = format!(
        "hub {} {part}: account closed until {closed} ago, {} batches, {} records",
        hub.prober, ledger.batches, ledger.records
    );
    for (count, what) in [
        (ledger.refused_batches, "batches refused"),
        (ledger.foreign_records, "foreign records"),
        (ledger.superseded_records, "overtaken records"),
        (ledger.unplanned_records, "unplanned records"),
        (ledger.no_owner_slots, "slots without an owner"),
        (ledger.dark_slots, "dark slots"),
    ] {
        if count > 0 {
            write!(line, ", {count} {what}").expect("a text takes more");
        }
    }
    line
}

fn row(view: &FleetView, member: &MemberView) -> MemberRow {
    let newest = view.regions.iter().find(|region| region.region == member.region);
    let is_old = newest.and_then(|region| region.set_version).is_some_and(|set| set > member.set_version);
    let is_agent = member.role == "agent";
    let number = |number: u64| if is_agent { number.to_string() } else { String::new() };
    MemberRow {
        region: if is_agent { member.region.clone() } else { member.role.to_owned() },
        prober: member.prober.clone(),
        state: if member.draining { "draining" } else { "there" }.to_owned(),
        shards: number(member.shards),
        set: member.set_version.to_string(),
        is_old,
        behind: number(member.behind_events),
        waiting: number(member.waiting_batches),
        clock: member.clock_offset_ms.map_or(String::new(), |offset| format!("{offset:+} ms")),
        zone: member.zone.clone(),
        build: member.build.clone(),
    }
}
