//! What is known of the fleet, as JSON.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::answer::{bad_parameter, json, json_error};
use crate::app::App;
use crate::params;

pub(super) async fn fleet(
    State(app): State<Arc<App>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    if let Err(error) = params::none(&pairs) {
        return bad_parameter(StatusCode::BAD_REQUEST, &error);
    }
    let view = app.sources.fleet.borrow().clone();
    match view {
        Some(view) => json(StatusCode::OK, &*view),
        None => json_error(
            StatusCode::NOT_FOUND,
            "this prober is in no fleet",
            "an agent or a hub answers here, see `prober agent --help`",
        ),
    }
}
