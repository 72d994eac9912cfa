//! Which address gives what, and how answers and refusals are dressed.

mod access;
mod alerts;
mod api;
mod events;
mod explore;
mod fleet;
mod form;
mod live;
mod ops;
mod own;
mod public;
mod series;
mod site;
mod slos;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;

pub(crate) use access::LOGIN;
pub(crate) use form::Form;
pub(crate) use public::{BADGES, STATUS};

use crate::app::{App, Refusal};
use crate::guard;
use crate::pages;
use crate::params::BadParameter;

/// Where a reload is asked for; it may take longer than other requests.
pub(crate) const RELOAD: &str = "/api/v1/reload";

/// Where a probe is asked for; it may take as long as its own limit.
pub(crate) const PROBE: &str = "/probe";

/// Who is asking.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// All routes behind the guard.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/", get(site::overview))
        .route("/scenarios/{name}", get(site::scenario))
        .route("/runs/{id}", get(site::run))
        .route("/assets/style.css", get(site::style))
        .route("/assets/icon.svg", get(site::icon))
        .route("/assets/app.js", get(site::script))
        .route("/assets/uplot.js", get(site::charts))
        .route("/assets/uplot.css", get(site::charts_style))
        .route("/slos/{name}", get(site::slo))
        .route("/live", get(live::live))
        .route("/alerts", get(alerts::page).post(alerts::say))
        .route("/events", get(explore::page))
        .route("/review", get(own::review))
        .route("/review.md", get(own::review_markdown))
        .route("/prober", get(own::prober))
        .route("/config", get(own::config).post(own::reload))
        .route("/config/{name}", get(own::schema))
        .route(LOGIN, get(access::ask).post(access::login))
        .route("/logout", post(access::logout))
        .route(STATUS, get(public::status))
        .route("/badge/{name}/{which}", get(public::badge))
        .route("/metrics", get(ops::metrics))
        .route(PROBE, get(ops::probe))
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/api/v1/events", get(events::list))
        .route("/api/v1/scenarios", get(api::scenarios))
        .route("/api/v1/account", get(api::account))
        .route("/api/v1/series", get(series::series))
        .route("/api/v1/slos", get(slos::list))
        .route("/api/v1/slos/{name}", get(slos::one))
        .route("/api/v1/slos/{name}/gate", get(slos::gate))
        .route("/api/v1/explore", get(explore::json))
        .route("/api/v1/alerts", get(slos::alerts))
        .route("/api/v1/outbox", get(slos::outbox))
        .route("/api/v1/alerts/notes", post(alerts::say_json))
        .route("/api/v1/audit", get(alerts::audit))
        .route("/api/v1/fleet", get(fleet::fleet))
        .route("/api/v1/openapi.json", get(api::openapi))
        .route("/api/v1/reload-state", get(api::reload_state))
        .route(RELOAD, post(api::reload))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(app), guard::guard))
        .with_state(Arc::clone(app))
}

/// A page.
fn html(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

/// A JSON answer.
fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("our own values have string keys");
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}

/// `{"error": {"message", "parameter", "help"}}`.
fn json_error(status: StatusCode, message: &str, help: &str) -> Response {
    let error = BadParameter { message: message.to_owned(), parameter: String::new(), help: help.to_owned() };
    bad_parameter(status, &error)
}

fn bad_parameter(status: StatusCode, error: &BadParameter) -> Response {
    let mut answer = serde_json::json!({ "error": { "message": error.message } });
    for (name, text) in [("parameter", &error.parameter), ("help", &error.help)] {
        if !text.is_empty() {
            answer["error"][name] = text.as_str().into();
        }
    }
    json(status, &answer)
}

/// The answer to a request that was refused, as a page or as JSON.
pub(crate) fn refused(app: &App, path: &str, refusal: &Refusal) -> Response {
    let (status, help) = match refusal {
        Refusal::Busy | Refusal::Late(_) => (StatusCode::SERVICE_UNAVAILABLE, "try again in a few seconds"),
        Refusal::Read(_) | Refusal::Broken(_) => {
            tracing::error!(path, error = %refusal, "a request could not be answered");
            (StatusCode::INTERNAL_SERVER_ERROR, "the prober's log says more")
        }
    };
    let mut response = said(app, path, (status, &refusal.to_string(), help));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

/// A sentence as a page, as JSON below `/api/`, or as plain text for probes and scrapers.
pub(crate) fn said(app: &App, path: &str, (status, what, help): (StatusCode, &str, &str)) -> Response {
    if path.starts_with("/api/") {
        return json_error(status, what, help);
    }
    if matches!(path, "/metrics" | "/live" | PROBE | "/healthz" | "/readyz") {
        return (status, format!("{what}\n")).into_response();
    }
    let title = status.canonical_reason().unwrap_or("Refused");
    let project = &app.catalogue().project;
    html(status, pages::message(project, app.now(), (title, what, help)))
}

async fn not_found(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let what = format!("there is nothing at {}", crate::text::clean(uri.path(), 200));
    said(&app, uri.path(), (StatusCode::NOT_FOUND, &what, ""))
}

async fn wrong_method(State(app): State<Arc<App>>, uri: Uri) -> Response {
    said(&app, uri.path(), (StatusCode::METHOD_NOT_ALLOWED, "this address is not used with this method", ""))
}
