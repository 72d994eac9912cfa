//! Which address gives what.

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
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};

pub(crate) use form::Form;

use crate::address::{LOGIN, PROBE, RELOAD, STATUS};
use crate::answer::said;
use crate::app::App;
use crate::guard;

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

async fn not_found(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let what = format!("there is nothing at {}", crate::text::clean(uri.path(), 200));
    said(&app, uri.path(), (StatusCode::NOT_FOUND, &what, ""))
}

async fn wrong_method(State(app): State<Arc<App>>, uri: Uri) -> Response {
    said(&app, uri.path(), (StatusCode::METHOD_NOT_ALLOWED, "this address is not used with this method", ""))
}
