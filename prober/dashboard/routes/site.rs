//! The pages' addresses.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use model::time::Timestamp;

use crate::answer::{html, refused, said};
use crate::app::{App, Refusal};
use crate::near;
use crate::pages::{self, Banner};
use crate::params;
use crate::state::{Losses, State as StreamState};
use crate::view::series::SPANS;
use crate::view::{self, Asked, Filter, Found, ScenarioView, Sought};

/// The parameters of a page; unknown ones are ignored, for links may carry them.
type Pairs = Query<Vec<(String, String)>>;

/// The longest search, in bytes.
const SEARCH_MAX: usize = 200;

pub(super) async fn overview(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Response {
    let filter = filter(&pairs);
    let (catalogue, standings, now) = (app.catalogue(), app.standings(), app.now());
    let live = Arc::clone(&app.live);
    let read =
        app.read(move |store| view::overview((store, &live), (&catalogue, &standings), filter, now)).await;
    match read {
        Ok(shown) => html(StatusCode::OK, pages::overview(&shown, &banners(&app, &shown.losses))),
        Err(refusal) => refused(&app, "/", &refusal),
    }
}

fn filter(pairs: &[(String, String)]) -> Filter {
    let text = |name: &str| pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
    let search = text("q").trim();
    let page: usize = text("page").parse().unwrap_or(1);
    let state = StreamState::WORDS.into_iter().find(|word| *word == text("state"));
    Filter {
        search: cut(search),
        owner: cut(text("owner")),
        region: cut(text("region")),
        state: state.unwrap_or_default().to_owned(),
        page: page.saturating_sub(1),
        refresh: text("refresh") != "off",
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(SEARCH_MAX)].to_owned()
}

pub(super) fn banners(app: &App, losses: &Losses) -> Vec<Banner> {
    let sources = &app.sources;
    let health = sources.store.health().borrow().clone();
    let reload = sources.reload_state.borrow().clone();
    let readiness = sources.readiness.borrow().clone();
    let mut all = pages::banners(&health, &reload, &readiness, losses);
    all.extend(pages::doubts((sources.doubts)()));
    all
}

pub(super) async fn scenario(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(pairs): Pairs,
) -> Response {
    let value =
        |wanted: &str| pairs.iter().find(|(known, _)| known == wanted).map(|(_, value)| value.clone());
    let hours = value("hours").and_then(|text| text.parse().ok()).filter(|hours| SPANS.contains(hours));
    let asked = Asked {
        name: name.clone(),
        region: value("region").filter(|region| !region.is_empty()),
        hours: hours.unwrap_or(Asked::HOURS),
        run: value("run").and_then(|id| params::id(&id)).map(|id| Sought { id, at: slot_time(&pairs) }),
        refresh: value("refresh").as_deref() != Some("off"),
    };
    match scenario_view(&app, asked).await {
        Ok(Some(shown)) => html(StatusCode::OK, pages::scenario(&shown, &banners(&app, &Losses::default()))),
        Ok(None) => no_such_scenario(&app, &name),
        Err(refusal) => refused(&app, "/scenarios", &refusal),
    }
}

async fn scenario_view(app: &App, asked: Asked) -> Result<Option<ScenarioView>, Refusal> {
    let (catalogue, now) = (app.catalogue(), app.now());
    let is_known = catalogue.cards.iter().any(|card| *card.stream.scenario == *asked.name);
    let hour = if is_known { app.hour().await } else { None };
    let read = app.read(move |store| view::scenario(&mut store.reader(), &catalogue, asked, now));
    let Some(mut shown) = read.await? else { return Ok(None) };
    if let Some(hour) = hour {
        shown.window = Some((hour.from, hour.to));
        for one in &mut shown.streams {
            one.account = hour.streams.iter().find(|account| account.stream == one.card.stream).cloned();
        }
    }
    let slo = shown.streams.first().and_then(|stream| stream.card.slo.clone());
    shown.standing = slo.and_then(|slo| app.standings().iter().find(|one| one.name == slo).cloned());
    Ok(Some(shown))
}

/// An objective over several scenarios; one of a single scenario is on that one's page.
pub(super) async fn slo(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    let catalogue = app.catalogue();
    let standings = app.standings();
    if let Some(standing) = standings.iter().find(|standing| *standing.name == *name) {
        return html(StatusCode::OK, pages::slo(standing, &catalogue.project, app.now()));
    }
    let what = format!("nothing is promised under the name `{}`", crate::text::clean(&name, 80));
    said(&app, "/slos", (StatusCode::NOT_FOUND, &what, ""))
}

fn no_such_scenario(app: &App, name: &str) -> Response {
    let catalogue = app.catalogue();
    let names: Vec<&str> = catalogue.cards.iter().map(|card| &*card.stream.scenario).collect();
    let what = format!("no scenario `{name}` is scheduled");
    let help = near::nearest(name, &names).map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
    said(app, "/scenarios", (StatusCode::NOT_FOUND, &what, &help))
}

pub(super) async fn run(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(pairs): Pairs,
) -> Response {
    let Some(prefix) = params::id(&id) else {
        let what = format!("`{}` is not a run", crate::text::clean(&id, 80));
        let help = "a run's id is 32 hexadecimal digits; the first few are enough";
        return said(&app, "/runs", (StatusCode::BAD_REQUEST, &what, help));
    };
    let (catalogue, now) = (app.catalogue(), app.now());
    let project = catalogue.project.clone();
    let sought = Sought { id: prefix.clone(), at: slot_time(&pairs) };
    match app.read(move |store| view::run(&mut store.reader(), &catalogue, &sought, now)).await {
        Ok(Found::One(shown)) => html(StatusCode::OK, pages::run(&shown)),
        Ok(Found::Several(events)) => html(StatusCode::OK, pages::choice(&project, now, (&prefix, &events))),
        Ok(Found::Nothing) => {
            let what = format!("no stored run begins with {prefix}");
            said(&app, "/runs", (StatusCode::NOT_FOUND, &what, "runs go when their file's time is over"))
        }
        Err(refusal) => refused(&app, "/runs", &refusal),
    }
}

/// When the slot of the run in a link was; nonsense is as good as nothing.
fn slot_time(pairs: &[(String, String)]) -> Option<Timestamp> {
    let (_, text) = pairs.iter().find(|(name, _)| name == "at")?;
    text.parse().ok().map(Timestamp::from_millis)
}

pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", pages::STYLE)
}

pub(super) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", pages::SCRIPT)
}

pub(super) async fn charts() -> Response {
    asset("text/javascript; charset=utf-8", pages::CHARTS)
}

pub(super) async fn charts_style() -> Response {
    asset("text/css; charset=utf-8", pages::CHARTS_STYLE)
}

pub(super) async fn icon() -> Response {
    asset("image/svg+xml", pages::FAVICON)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=300")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_in_a_filter_is_no_filter() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let nonsense = [pair("state", "<b>"), pair("page", "-3"), pair("x", "y")];
        assert_eq!(filter(&nonsense), Filter { refresh: true, ..Filter::default() });
        let asked = filter(&[
            pair("q", &"é".repeat(500)),
            pair("page", "18446744073709551615"),
            pair("refresh", "off"),
        ]);
        assert!(asked.search.len() <= SEARCH_MAX && !asked.refresh);
    }
}
