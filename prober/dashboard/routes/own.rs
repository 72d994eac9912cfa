//! The pages about the prober itself: its health, its files, the weekly review.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use store::NewNote;

use super::Form;
use super::site::banners;
use crate::access::Who;
use crate::answer::{html, refused, said};
use crate::app::{App, Refusal};
use crate::pages::{self, Asker};
use crate::sources::Review;
use crate::state::Losses;
use crate::view;
use crate::view::review::{Owners, Teams, cut};

/// How old a review may be before it is made again.
const REVIEW_FRESH: Duration = Duration::from_mins(5);

pub(super) async fn prober(
    State(app): State<Arc<App>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let refreshes = !pairs.iter().any(|(name, value)| name == "refresh" && value == "off");
    let (catalogue, now, hour) = (app.catalogue(), app.now(), app.hour().await);
    let own = Arc::clone(&app.sources.own);
    let read = app
        .read(move |store| view::own::gather(&mut store.reader(), &catalogue, (hour.as_deref(), own()), now));
    match read.await {
        Ok(shown) => {
            let fleet = app.sources.fleet.borrow().clone();
            let banners = banners(&app, &Losses::default());
            html(StatusCode::OK, pages::own((&shown, fleet.as_deref()), &banners, refreshes))
        }
        Err(refusal) => refused(&app, "/prober", &refusal),
    }
}

pub(super) async fn config(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Response {
    let state = app.sources.reload_state.borrow().clone();
    let asker = Asker { form_token: app.door.form_token(&who), who };
    let names: Vec<&str> = app.sources.schemas.iter().map(|(name, _)| name.as_str()).collect();
    html(StatusCode::OK, pages::config((&app.catalogue(), &state), &asker, &names, app.now()))
}

/// Loads the files again, by the page's form.
pub(super) async fn reload(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    form: Form,
) -> Response {
    if let Err((what, help)) = app.door.may_change(&who, &headers, Some(form.text("form"))) {
        return said(&app, "/config", (StatusCode::FORBIDDEN, what, help));
    }
    note_reload(&app, &who).await;
    match app.reload().await {
        Ok(_) => (StatusCode::SEE_OTHER, [(LOCATION, "/config")]).into_response(),
        Err(refusal) => refused(&app, "/config", &refusal),
    }
}

/// Notes who asked for a reload; one that cannot be noted is made all the same.
pub(super) async fn note_reload(app: &Arc<App>, who: &Who) {
    tracing::info!(who = who.name, "asked to load the files again");
    let note = NewNote {
        who: who.name.clone(),
        action: "reload",
        subject: "files".to_owned(),
        detail: String::new(),
        once: false,
    };
    let now = app.now();
    if let Err(error) = app.read(move |store| store.note(&[note], now)).await {
        tracing::warn!(%error, "a reload could not be noted");
    }
}

pub(super) async fn schema(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    match app.sources.schemas.iter().find(|(known, _)| *known == name) {
        Some((_, make)) => {
            let file = (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""));
            ([(CONTENT_TYPE, "application/schema+json".to_owned()), file], make()).into_response()
        }
        None => said(&app, "/config", (StatusCode::NOT_FOUND, "there is no such schema", "")),
    }
}

pub(super) async fn review(
    State(app): State<Arc<App>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let now = app.now();
    let made = match made(&app).await {
        Ok(made) => made,
        Err(refusal) => return refused(&app, "/review", &refusal),
    };
    let (catalogue, standings) = (app.catalogue(), app.standings());
    let owners = Owners::of(&catalogue.cards, &standings);
    let answer = match made {
        Ok(review) => match app.read(move |store| view::review::gather(store, now)).await {
            Ok(useful) => {
                let shown = cut(&review, &useful, &owners, teams(&pairs));
                Ok((review, shown))
            }
            Err(refusal) => return refused(&app, "/review", &refusal),
        },
        Err(why) => Err(why),
    };
    html(StatusCode::OK, pages::review(&answer, &catalogue.project, now))
}

/// Whose review the address asks for.
fn teams(pairs: &[(String, String)]) -> Teams {
    let value = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    match (value("team"), value("teams").map(String::as_str)) {
        (Some(team), _) => Teams::One(team.clone()),
        (None, Some("each")) => Teams::Each,
        _ => Teams::All,
    }
}

pub(super) async fn review_markdown(State(app): State<Arc<App>>) -> Response {
    match made(&app).await {
        Ok(Ok(review)) => ([(CONTENT_TYPE, "text/markdown; charset=utf-8")], pages::review_markdown(&review))
            .into_response(),
        Ok(Err(why)) => said(&app, "/review", (StatusCode::INTERNAL_SERVER_ERROR, &why, "")),
        Err(refusal) => refused(&app, "/review", &refusal),
    }
}

/// The review of some minutes ago, or a new one; one is made at a time.
async fn made(app: &Arc<App>) -> Result<Result<Arc<Review>, String>, Refusal> {
    let mut kept = app.review.lock().await;
    if let Some((_, review)) = kept.as_ref().filter(|(at, _)| at.elapsed() < REVIEW_FRESH) {
        return Ok(Ok(Arc::clone(review)));
    }
    let make = Arc::clone(&app.sources.review);
    let review = app.read(move |_| Ok(make())).await?;
    Ok(review.map(|review| {
        let review = Arc::new(review);
        *kept = Some((Instant::now(), Arc::clone(&review)));
        review
    }))
}
