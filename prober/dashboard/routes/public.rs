//! The status page and the badges; as if they were not there unless they are switched on.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::address::STATUS;
use crate::answer::{html, refused, said};
use crate::app::App;
use crate::pages;
use crate::view::public::{PublicScenario, PublicState, gather};

pub(super) async fn status(State(app): State<Arc<App>>) -> Response {
    match found(&app, None).await {
        Ok(all) => html(StatusCode::OK, pages::status(&all, &app.catalogue().project, app.now())),
        Err(answer) => *answer,
    }
}

pub(super) async fn badge(
    State(app): State<Arc<App>>,
    Path((name, which)): Path<(String, String)>,
) -> Response {
    let all = match found(&app, Some(name)).await {
        Ok(all) => all,
        Err(answer) => return *answer,
    };
    let Some(one) = all.first() else { return nothing(&app) };
    let text = match which.as_str() {
        "status.svg" => pages::badge(&one.name, one.state.word(), one.state),
        "slo.svg" => slo_badge(one),
        _ => return nothing(&app),
    };
    ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "max-age=60")], text).into_response()
}

fn slo_badge(one: &PublicScenario) -> String {
    let (word, state) = match one.objective {
        Some((target, Some(attained))) => {
            let state = if attained >= target { PublicState::Works } else { PublicState::Broken };
            (format!("{:.3} % of {} %", (attained * 1e5).floor() / 1e3, target * 100.0), state)
        }
        Some((target, None)) => (format!("no run yet of {} %", target * 100.0), PublicState::Unknown),
        None => ("no objective".to_owned(), PublicState::Unknown),
    };
    pages::badge(&one.name, &word, state)
}

async fn found(app: &Arc<App>, only: Option<String>) -> Result<Vec<PublicScenario>, Box<Response>> {
    if !app.sources.settings.public_status {
        return Err(Box::new(nothing(app)));
    }
    let (catalogue, standings, now) = (app.catalogue(), app.standings(), app.now());
    let days = Arc::clone(&app.days);
    let read =
        app.read(move |store| gather((store, &days), (&catalogue, &standings), (only.as_deref(), now)));
    read.await.map_err(|refusal| Box::new(refused(app, STATUS, &refusal)))
}

fn nothing(app: &App) -> Response {
    said(app, STATUS, (StatusCode::NOT_FOUND, "there is nothing here", ""))
}
