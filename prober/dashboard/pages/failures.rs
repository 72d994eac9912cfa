//! The failures of a scenario by step and reason.

use maud::{Markup, html};

use super::asked::address;
use crate::text::{NAME_MAX, brief_age, clean, time, user};
use crate::view::{LOOKED_AT_MAX, ScenarioView};

/// A row for each group; each leads to its newest run.
pub(super) fn show(view: &ScenarioView) -> Markup {
    let failures = &view.failures;
    let (now, from) = (view.now, view.series.from);
    html! {
        section.failures {
            h2 { "What failed" }
            @if failures.groups.is_empty() {
                p.empty { "No run was bad since " (time(from, now)) "." }
            } @else {
                table.rows {
                    thead { tr {
                        th scope="col" { "Reason" } th scope="col" { "Step" } th.number scope="col" { "Runs" }
                        th scope="col" { "Regions" } th scope="col" { "First (UTC)" } th scope="col" { "Last (UTC)" }
                        th scope="col" { "What the newest said" }
                    } }
                    tbody { @for group in &failures.groups {
                        tr {
                            td { code { (user(&group.error_type, 80)) } }
                            td data-label="step" { (user(&group.step, NAME_MAX)) }
                            td.number data-label="runs" { (group.count) }
                            td data-label="regions" {
                                (group.regions.iter().take(8).map(|region| clean(region, 60)).collect::<Vec<_>>().join(", "))
                            }
                            td data-label="first" { (time(group.first, now)) }
                            td data-label="last" { (time(group.last, now)) " (" (brief_age(now.since(group.last))) " ago)" }
                            td.said {
                                (user(&group.message, 300)) " "
                                a href=(format!("{}#run", address(&view.asked, |asked| asked.run = Some((&group.sample).into())))) { "show it" }
                            }
                        }
                    } }
                }
                @if failures.looked_at >= LOOKED_AT_MAX { p.note { "Of the newest " (LOOKED_AT_MAX) " bad runs." } }
            }
        }
    }
}
