//! The fleet: what is wrong with it, its regions, its members.

use maud::{Markup, html};
use model::time::Timestamp;

use crate::fleet::{FleetView, LedgerView, MemberView, RegionView};
use crate::text::{NAME_MAX, SENTENCE_MAX, time, user};

/// A clock whose error, with what is not known of it, is more than so many milliseconds is marked (`fleet.md`).
const CLOCK_MAX_MS: u64 = 250;

/// Regions and members, worst first.
pub(super) fn show(view: &FleetView, now: Timestamp) -> Markup {
    let troubles = view.troubles();
    let hubs: Vec<_> = view.members.iter().filter_map(|one| Some((one, one.ledger.as_ref()?))).collect();
    let mut agents: Vec<&MemberView> = view.members.iter().filter(|one| one.ledger.is_none()).collect();
    agents.sort_by_key(|one| (one.region.as_str(), one.prober.as_str()));
    html! {
        h2 #fleet { "The fleet" }
        @if troubles.is_empty() { p { "Nothing is wrong with it, as " (user(&view.id, NAME_MAX)) " sees it." } } @else {
            ul.troubles { @for trouble in &troubles { li { strong.bad { "✕ " (user(trouble, SENTENCE_MAX)) } } } }
        }
        @if !view.regions.is_empty() { (regions(&view.regions, now)) }
        @if !agents.is_empty() { (members(&agents, &view.regions)) }
        @if !hubs.is_empty() { (ledgers(&hubs, now)) }
    }
}

fn regions(regions: &[RegionView], now: Timestamp) -> Markup {
    html! {
        table.rows {
            caption { "Regions" }
            thead { tr {
                th scope="col" { "Region" } th.number scope="col" { "Agents" }
                th.number scope="col" { "Shards owned" } th.number scope="col" { "Set" }
                th scope="col" { "Accounted until (UTC)" }
            } }
            tbody { @for one in regions {
                tr.broken[one.owned_shards < one.shards || one.dark_since.is_some()] {
                    td { (user(&one.region, NAME_MAX)) }
                    td.number data-label="agents" { (one.members) }
                    td.number data-label="shards owned" {
                        @if one.owned_shards < one.shards { strong.bad { "✕ " (one.owned_shards) " of " (one.shards) } }
                        @else { (one.owned_shards) " of " (one.shards) }
                    }
                    td.number data-label="set" { @match one.set_version { Some(version) => { (version) } None => { "–" } } }
                    td data-label="accounted until" {
                        @match one.closed { Some(closed) => { (time(closed, now)) } None => { "–" } }
                        @if let Some(since) = one.dark_since { " " strong.bad { "✕ dark since " (time(since, now)) } }
                    }
                }
            } }
        }
    }
}

fn members(agents: &[&MemberView], regions: &[RegionView]) -> Markup {
    let newest = |name: &str| regions.iter().find(|one| one.region == name).and_then(|one| one.set_version);
    html! {
        table.rows {
            caption { "Agents" }
            thead { tr {
                th scope="col" { "Prober" } th scope="col" { "Region" } th scope="col" { "Zone" } th scope="col" { "Version" }
                th.number scope="col" { "Set" } th.number scope="col" { "Shards" } th.number scope="col" { "Events to send" }
                th.number scope="col" { "Batches waiting" } th.number scope="col" { "Clock" } th.number scope="col" { "Boots" }
            } }
            tbody { @for one in agents {
                @let is_old = newest(&one.region).is_some_and(|newest| newest > one.set_version);
                tr {
                    td { (user(&one.prober, NAME_MAX)) @if one.draining { " " span.tag { "ends" } } }
                    td data-label="region" { (user(&one.region, NAME_MAX)) }
                    td data-label="zone" { (user(&one.zone, NAME_MAX)) }
                    td data-label="version" { (user(&one.build, NAME_MAX)) }
                    td.number data-label="set" {
                        @if is_old { strong.bad { "✕ " (one.set_version) } } @else { (one.set_version) }
                        @if one.sets_refused > 0 { " " strong.bad { "✕ refused " (one.sets_refused) } }
                    }
                    td.number data-label="shards" { (one.shards) }
                    td.number data-label="events to send" {
                        (one.behind_events)
                        @if one.unsendable_events > 0 { " " strong.bad { "✕ " (one.unsendable_events) " cannot be sent" } }
                    }
                    td.number data-label="batches waiting" { (one.waiting_batches) }
                    td.number data-label="clock" { (clock(one)) }
                    td.number data-label="boots" { (one.boot) }
                }
            } }
        }
    }
}

/// How far its clock is from the servers', and how wrong that may be.
fn clock(one: &MemberView) -> Markup {
    let Some(offset) = one.clock_offset_ms else { return html! { "not compared" } };
    let error = one.clock_error_ms.unwrap_or_default();
    let shown = format!("{offset:+} ± {error} ms");
    html! {
        @if offset.unsigned_abs().saturating_add(error) > CLOCK_MAX_MS { strong.bad { "✕ " (shown) } } @else { (shown) }
    }
}

fn ledgers(hubs: &[(&MemberView, &LedgerView)], now: Timestamp) -> Markup {
    html! {
        table.rows {
            caption { "Hubs" }
            thead { tr {
                th scope="col" { "Hub" } th scope="col" { "Does" } th scope="col" { "Accounted until (UTC)" }
                th.number scope="col" { "Batches" } th.number scope="col" { "Records" } th.number scope="col" { "Came again" }
                th.number scope="col" { "Refused" } th.number scope="col" { "Superseded" } th.number scope="col" { "Without an owner" }
                th.number scope="col" { "Dark" }
            } }
            tbody { @for (hub, ledger) in hubs {
                tr {
                    td { (user(&hub.prober, NAME_MAX)) }
                    td data-label="does" { @if ledger.active { "confirms and alerts" } @else { "is ready to" } }
                    td data-label="accounted until" { (time(ledger.closed, now)) }
                    td.number data-label="batches" { (ledger.batches) }
                    td.number data-label="records" { (ledger.records) }
                    td.number data-label="came again" { (ledger.duplicate_batches) }
                    td.number data-label="refused" { (marked(ledger.refused_batches + ledger.foreign_records + ledger.unplanned_records)) }
                    td.number data-label="superseded" { (ledger.superseded_records) }
                    td.number data-label="without an owner" { (marked(ledger.no_owner_slots)) }
                    td.number data-label="dark" { (marked(ledger.dark_slots)) }
                }
            } }
        }
    }
}

/// A number that should be 0.
fn marked(number: u64) -> Markup {
    html! { @if number > 0 { strong.bad { "✕ " (number) } } @else { "0" } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_fleet_with_a_shard_that_nobody_has() {
        let now = Timestamp::from_seconds(1_790_000_060);
        let mut view = sample::fleet();
        view.members.push(MemberView {
            role: "agent",
            region: "eu".to_owned(),
            prober: "<eu-2>".to_owned(),
            set_version: 3,
            clock_offset_ms: Some(240),
            clock_error_ms: Some(20),
            unsendable_events: 2,
            ..MemberView::default()
        });
        let text = show(&view, now).into_string();
        for part in [
            "nobody probes 1 of 64 shards",
            "✕ 63 of 64",
            "confirms and alerts",
            "-3 ± 1 ms",
            "✕ +240 ± 20 ms",
            "✕ 3",
            "✕ 2 cannot be sent",
            "&lt;eu-2&gt;",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
