//! What is promised and how it stands, and what fires: for machines.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use slo::standing::Standing;

use crate::answer::{bad_parameter, json as json_answer, json_error, refused};
use crate::app::App;
use crate::params;
use crate::view::slo as view;

type Pairs = Query<Vec<(String, String)>>;

pub(super) async fn list(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Response {
    if let Err(error) = params::none(&pairs) {
        return bad_parameter(StatusCode::BAD_REQUEST, &error);
    }
    let standings = app.standings();
    let slos: Vec<_> = standings.iter().map(view::listed).collect();
    json_answer(StatusCode::OK, &json!({ "slos": slos }))
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(pairs): Pairs,
) -> Response {
    answer(&app, &name, &pairs, |standing| json_answer(StatusCode::OK, &view::full(standing)))
}

/// What `of` says of the promise `name`.
fn answer(
    app: &App,
    name: &str,
    pairs: &[(String, String)],
    of: impl FnOnce(&Standing) -> Response,
) -> Response {
    if let Err(error) = params::none(pairs) {
        return bad_parameter(StatusCode::BAD_REQUEST, &error);
    }
    app.standings().iter().find(|standing| *standing.name == *name).map_or_else(|| unknown(name), of)
}

/// Whether a release may go on: 200 if it may, 409 if it may not, so that `curl --fail` is enough in a pipeline.
pub(super) async fn gate(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(pairs): Pairs,
) -> Response {
    answer(&app, &name, &pairs, |standing| match view::gate(standing) {
        Some((true, answer)) => json_answer(StatusCode::OK, &answer),
        Some((false, answer)) => json_answer(StatusCode::CONFLICT, &answer),
        None => {
            let help = "write slo: { objective: 99.9% } in its file";
            json_error(StatusCode::NOT_FOUND, "there is no objective, so there is no budget", help)
        }
    })
}

pub(super) async fn alerts(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Response {
    if let Err(error) = params::none(&pairs) {
        return bad_parameter(StatusCode::BAD_REQUEST, &error);
    }
    let standings = app.standings();
    let alerts: Vec<_> = standings.iter().flat_map(|standing| &standing.alerts).map(view::alert).collect();
    json_answer(StatusCode::OK, &json!({ "alerts": alerts }))
}

/// What of the outbox waits or was given up, by route.
pub(super) async fn outbox(State(app): State<Arc<App>>, Query(pairs): Pairs) -> Response {
    let filter = match params::outbox(&pairs, app.now()) {
        Ok(filter) => filter,
        Err(error) => return bad_parameter(StatusCode::BAD_REQUEST, &error),
    };
    match app.read(move |store| store.outbox_of(&filter)).await {
        Ok(found) => json_answer(StatusCode::OK, &crate::view::outbox::outbox(&found)),
        Err(refusal) => refused(&app, "/api/v1/outbox", &refusal),
    }
}

fn unknown(name: &str) -> Response {
    let message = format!("there is no SLO `{}`", crate::text::clean(name, 80));
    json_error(StatusCode::NOT_FOUND, &message, "/api/v1/slos lists them")
}
