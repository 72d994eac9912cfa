//! The frame of every page.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::time::Timestamp;

use super::mark;
use crate::text::{NAME_MAX, clean, moment, user};

/// The one style sheet, light and dark.
pub(crate) const STYLE: &str = include_str!("../assets/style.css");
/// What makes pages live: theme, times, keys, charts. Pages work without it.
pub(crate) const SCRIPT: &str = include_str!("../assets/app.js");
/// The charts, by leeoniya/uPlot 1.6.32 (MIT, see `assets/uPlot.LICENSE`).
pub(crate) const CHARTS: &str = include_str!("../assets/uPlot.iife.min.js");
/// Their style sheet.
pub(crate) const CHARTS_STYLE: &str = include_str!("../assets/uPlot.min.css");

/// How often a page loads itself again where there is no script, in seconds.
const REFRESH_SECONDS: u32 = 30;

/// The pages that every page leads to.
const PLACES: [(&str, &str); 6] = [
    ("/", "Overview"),
    ("/alerts", "Alerts"),
    ("/events", "Events"),
    ("/review", "Review"),
    ("/prober", "Prober"),
    ("/config", "Configuration"),
];

/// What the frame says.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// The page's own title; may hold user text.
    pub(crate) title: &'a str,
    /// Which of the places it belongs to: its address.
    pub(crate) place: &'a str,
    pub(crate) project: &'a str,
    pub(crate) now: Timestamp,
    /// Where the page with and without reloading is; `None` for pages that stand still.
    pub(crate) refresh: Option<Refresh<'a>>,
}

/// Whether the page loads itself again.
#[derive(Debug)]
pub(crate) struct Refresh<'a> {
    pub(crate) is_on: bool,
    /// The address of the other choice.
    pub(crate) other: &'a str,
}

/// The whole page around `body`.
pub(crate) fn page(frame: &Frame<'_>, body: &Markup) -> String {
    let title = clean(frame.title, NAME_MAX);
    let reloads = frame.refresh.as_ref().is_some_and(|refresh| refresh.is_on);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if reloads { noscript { meta http-equiv="refresh" content=(REFRESH_SECONDS); } }
                title { (title) " – prober" }
                link rel="stylesheet" href="/assets/style.css";
                link rel="stylesheet" href="/assets/uplot.css";
                link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
                script src="/assets/app.js" {}
                script src="/assets/uplot.js" defer {}
            }
            body data-live[reloads] {
                a.skip href="#main" { "Skip to the content" }
                (PreEscaped(mark::DEFINITIONS))
                (top(frame))
                main #main tabindex="-1" { (body) }
                footer {
                    a href="/metrics" { "metrics" } a href="/api/v1/openapi.json" { "API" }
                    a href="/api/v1/scenarios" { "scenarios (JSON)" } a href="/api/v1/slos" { "objectives (JSON)" }
                    a href="/api/v1/events?limit=50" { "events (JSON)" } a href="/api/v1/account" { "account (JSON)" }
                }
            }
        }
    };
    markup.into_string()
}

fn top(frame: &Frame<'_>) -> Markup {
    html! {
        header.top {
            a.home href="/" { (mark::logo()) span { "prober" } }
            @if !frame.project.is_empty() { span.project { (user(frame.project, NAME_MAX)) } }
            nav.places aria-label="Pages" {
                @for (address, name) in PLACES {
                    a href=(address) aria-current=[(frame.place == address).then_some("page")] { (name) }
                }
            }
            span.now {
                span #stale hidden { "not up to date · " }
                "as of " time datetime=(frame.now.to_string()) { (moment(frame.now, frame.now)) } " UTC"
                @if let Some(refresh) = &frame.refresh {
                    " · " a href=(refresh.other) { @if refresh.is_on { "stop reloading" } @else { "reload by itself" } }
                }
                span #controls hidden {
                    " · " button #zone type="button" { "local time" } " " button #theme type="button" { "theme" }
                }
            }
        }
    }
}
