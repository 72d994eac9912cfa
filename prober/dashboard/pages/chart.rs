//! Charts of one scenario: what was measured, and a strip of each region, all on one time axis.
//!
//! The strips are pictures from here. The chart of values is drawn by the browser's script from the numbers in the
//! table below it, which is there without a script too.

use maud::{Markup, PreEscaped, html};
use model::time::Timestamp;
use std::fmt::Write as _;

use super::asked::address;
use super::mark::{self, CELL};
use crate::state::Cell;
use crate::text::{NAME_MAX, clean, duration, encoded, moment, time, user};
use crate::view::ScenarioView;
use crate::view::series::{BUCKETS, Bucket, RegionSeries, Series, What};

/// Names on the time axis.
const TICKS: usize = 6;

/// The chart of what was measured, and its table.
pub(super) fn show(view: &ScenarioView) -> Markup {
    let series = &view.series;
    let mut data = format!("/api/v1/series?scenario={}&hours={}", encoded(&view.name), view.asked.hours);
    if let Some(region) = &view.asked.region {
        write!(data, "&region={}", encoded(region)).expect("a String takes every character");
    }
    html! {
        section.measured {
            h2 { (series.what.title()) @if let Some(limit) = series.threshold { span.since { "limit " (unit(limit, series.what)) } } }
            figure.chart data-series=(data) role="img" aria-label=(spoken(series)) {}
            noscript { p.note { "The chart needs a script; the table has the same numbers." } }
            details.table {
                summary { "The numbers as a table" }
                (table(series, view.now))
            }
        }
    }
}

/// A value with its unit.
fn unit(value: f64, what: What) -> String {
    match what {
        What::DaysLeft => format!("{value:.1} d"),
        What::Latency | What::Age => {
            duration(std::time::Duration::try_from_secs_f64(value.max(0.0)).unwrap_or_default())
        }
    }
}

/// The chart in words.
fn spoken(series: &Series) -> String {
    let mut text = format!("{} over time.", series.what.title());
    for region in series.regions.iter().take(12) {
        let last = region.buckets.iter().rev().find_map(|bucket| bucket.quantile(0.95));
        let most = region.buckets.iter().filter_map(|bucket| bucket.quantile(1.0)).reduce(f64::max);
        let name = clean(&region.name, NAME_MAX);
        match (last, most) {
            (Some(last), Some(most)) => {
                let (last, most) = (unit(last, series.what), unit(most, series.what));
                write!(text, " {name}: newest 95th percentile {last}, greatest {most}.")
            }
            _ => write!(text, " {name}: nothing measured."),
        }
        .expect("a String takes every character");
    }
    text
}

fn table(series: &Series, now: Timestamp) -> Markup {
    html! {
        @for region in &series.regions {
            table.rows.numbers {
                caption { (user(&region.name, NAME_MAX)) }
                thead { tr {
                    th scope="col" { "From (UTC)" } th.number scope="col" { "Slots" } th.number scope="col" { "Bad" }
                    th.number scope="col" { "p50" } th.number scope="col" { "p95" } th.number scope="col" { "Greatest" }
                } }
                tbody { @for (index, bucket) in region.buckets.iter().enumerate().rev().filter(|(_, bucket)| bucket.slots > 0) {
                    tr {
                        td { (time(series.begin(index), now)) }
                        td.number data-label="slots" { (bucket.slots) }
                        td.number data-label="bad" { (bucket.bad) }
                        @for (name, part) in [("p50", 0.5), ("p95", 0.95), ("greatest", 1.0)] {
                            td.number data-label=(name) { (bucket.quantile(part).map_or_else(|| "–".to_owned(), |value| unit(value, series.what))) }
                        }
                    }
                } }
            }
        }
    }
}

/// A strip of each region on one axis; what is not good leads to a run.
pub(super) fn strips(view: &ScenarioView) -> Markup {
    let series = &view.series;
    html! {
        section.strips aria-label="What became of the slots" {
            @for region in &series.regions {
                div.strip-line {
                    span.strip-name { (user(&region.name, NAME_MAX)) }
                    (strip(region, series, view))
                }
            }
            div.strip-line.axis aria-hidden="true" {
                span.strip-name {}
                div.ticks { @for tick in 0..TICKS { span { (moment(series.begin(tick * BUCKETS / TICKS), view.now)) } } }
            }
        }
    }
}

fn strip(region: &RegionSeries, series: &Series, view: &ScenarioView) -> Markup {
    let cells: Vec<Cell> = region.buckets.iter().map(|bucket| bucket.cell).collect();
    let mut shapes = String::new();
    for (place, bucket) in region.buckets.iter().enumerate() {
        shape(&mut shapes, place, bucket, (series, view));
    }
    let label = format!("{}: {}", clean(&region.name, NAME_MAX), mark::spoken(&cells));
    html! {
        svg.strip.long viewBox=(format!("0 0 {} 18", BUCKETS * CELL - 1)) preserveAspectRatio="none" role="group" aria-label=(label) {
            (PreEscaped(shapes))
        }
    }
}

fn shape(out: &mut String, place: usize, bucket: &Bucket, (series, view): (&Series, &ScenarioView)) {
    let (x, letter) = (place * CELL, bucket.cell.letter());
    let at = moment(series.begin(place), view.now);
    let said = match bucket.slots {
        1 => format!("{at} {}", bucket.cell.word()),
        slots => format!("{at} worst of {slots}: {}", bucket.cell.word()),
    };
    match (bucket.cell, bucket.sample) {
        (Cell::None, _) | (_, None) => {}
        (Cell::Good, Some(_)) => {
            write!(out, r##"<g><title>{said}</title><use href="#g" x="{x}"/></g>"##)
                .expect("a String takes every character");
        }
        (_, Some(sample)) => {
            let to = address(&view.asked, |asked| asked.run = Some((&sample).into())).replace('&', "&amp;");
            write!(out, r##"<a href="{to}#run" aria-label="{said}"><title>{said}</title><use href="#{letter}" x="{x}"/></a>"##)
                .expect("a String takes every character");
        }
    }
}
