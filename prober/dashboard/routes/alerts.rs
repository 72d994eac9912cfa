//! The page of alerts, and what people say of them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use store::{NewNote, Note};

use super::Form;
use crate::access::Who;
use crate::answer::{bad_parameter, html, json as json_answer, json_error, refused, said};
use crate::app::App;
use crate::pages::{self, Asker};
use crate::params;
use crate::view::alerts::{ACTIONS, gather};

/// The longest name of an episode, in bytes.
const EPISODE_MAX: usize = 1_000;

pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let refreshes = !pairs.iter().any(|(name, value)| name == "refresh" && value == "off");
    let (catalogue, standings, now) = (app.catalogue(), app.standings(), app.now());
    let asker = Asker { form_token: app.door.form_token(&who), who };
    match app.read(move |store| gather(store, (&catalogue, &standings), now)).await {
        Ok(view) => html(StatusCode::OK, pages::alerts(&view, &asker, refreshes)),
        Err(refusal) => refused(&app, "/alerts", &refusal),
    }
}

/// Takes what a person says of an alert, from the page's form.
pub(super) async fn say(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    form: Form,
) -> Response {
    if let Err((what, help)) = app.door.may_change(&who, &headers, Some(form.text("form"))) {
        return said(&app, "/alerts", (StatusCode::FORBIDDEN, what, help));
    }
    match note(&app, &who, (form.text("action"), form.text("episode"))).await {
        Ok(()) => (StatusCode::SEE_OTHER, [(LOCATION, "/alerts")]).into_response(),
        Err(answer) => *answer,
    }
}

/// The same for programs: `{"episode": …, "action": "acknowledge"}` with the header `X-Prober: 1`.
pub(super) async fn say_json(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    body: Result<axum::Json<serde_json::Value>, axum::extract::rejection::JsonRejection>,
) -> Response {
    if let Err((what, help)) = app.door.may_change(&who, &headers, None) {
        return json_error(StatusCode::FORBIDDEN, what, help);
    }
    let Ok(axum::Json(body)) = body else {
        return json_error(
            StatusCode::BAD_REQUEST,
            "that is no JSON",
            r#"{"episode": "…", "action": "useful"}"#,
        );
    };
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    match note(&app, &who, (text("action"), text("episode"))).await {
        Ok(()) => json_answer(StatusCode::OK, &json!({ "noted": text("action"), "by": who.name })),
        Err(answer) => *answer,
    }
}

async fn note(app: &Arc<App>, who: &Who, (action, episode): (&str, &str)) -> Result<(), Box<Response>> {
    let wrong = |what: &str, help: &str| {
        Err(Box::new(said(app, "/api/v1/alerts/notes", (StatusCode::BAD_REQUEST, what, help))))
    };
    let Some(action) = ACTIONS.into_iter().find(|known| *known == action) else {
        return wrong("there is no such action", "one of acknowledge, useful, noise");
    };
    // `RULE/SEVERITY/SLO/REGION/START`, as alerts are named.
    if episode.len() > EPISODE_MAX || episode.matches('/').count() < 4 {
        return wrong("that names no alert", "take `episode` of /api/v1/alerts");
    }
    tracing::info!(who = who.name, action, episode, "said of an alert");
    let new = NewNote {
        who: who.name.clone(),
        action,
        subject: episode.to_owned(),
        detail: String::new(),
        once: false,
    };
    let now = app.now();
    let noted = app.read(move |store| store.note(&[new], now)).await;
    noted.map_err(|refusal| Box::new(refused(app, "/api/v1/alerts/notes", &refusal)))
}

/// What was done, the newest first, one page at a time.
pub(super) async fn audit(
    State(app): State<Arc<App>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let (before, limit) = match params::audit(&pairs) {
        Ok(asked) => asked,
        Err(error) => return bad_parameter(StatusCode::BAD_REQUEST, &error),
    };
    match app.read(move |store| store.notes(before, limit)).await {
        Ok(notes) => {
            let full = u32::try_from(notes.len()).is_ok_and(|count| count == limit);
            let next = notes.last().map(|note| note.id).filter(|_| full);
            let list: Vec<_> = notes.iter().map(shown).collect();
            json_answer(StatusCode::OK, &json!({ "notes": list, "next": next }))
        }
        Err(refusal) => refused(&app, "/api/v1/audit", &refusal),
    }
}

fn shown(note: &Note) -> serde_json::Value {
    json!({
        "id": note.id,
        "at": note.at,
        "who": note.who,
        "action": note.action,
        "subject": note.subject,
    })
}
