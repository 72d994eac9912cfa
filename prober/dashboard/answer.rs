//! How answers and refusals are dressed.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::address::PROBE;
use crate::app::{App, Refusal};
use crate::pages;
use crate::params::BadParameter;

/// A page.
pub(crate) fn html(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("our own values have string keys");
    (status, [(CONTENT_TYPE, "application/json")], text).into_response()
}

/// `{"error": {"message", "parameter", "help"}}`.
pub(crate) fn json_error(status: StatusCode, message: &str, help: &str) -> Response {
    let error = BadParameter { message: message.to_owned(), parameter: String::new(), help: help.to_owned() };
    bad_parameter(status, &error)
}

/// What is wrong with a parameter, and what to type instead.
pub(crate) fn bad_parameter(status: StatusCode, error: &BadParameter) -> Response {
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
