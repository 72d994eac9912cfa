//! What machines ask the prober about itself: metrics, health, readiness.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, ORIGIN, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use store::Health;

use crate::answer::refused;
use crate::app::{App, Refusal};
use crate::sources::{Format, ProbeAnswer, ProbeRequest, Readiness};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let format = negotiate(&joined(&headers, ACCEPT));
    let gzipped = weight_of("gzip", &joined(&headers, ACCEPT_ENCODING)) > 0.0;
    let kind = match format {
        Format::Text => TEXT,
        Format::OpenMetrics => OPEN_METRICS,
    };
    match app.metrics(format, gzipped).await {
        Ok(text) => {
            let head = [(CONTENT_TYPE, kind), (VARY, "accept, accept-encoding")];
            let packed = gzipped.then_some([(CONTENT_ENCODING, "gzip")]);
            (head, packed, Body::new(text)).into_response()
        }
        Err(refusal) => refused(&app, "/metrics", &refusal),
    }
}

/// Probes a target once, for whoever is on this machine.
///
/// A page elsewhere could let a browser here ask for it: what a browser says of such requests refuses them.
pub(super) async fn probe(
    State(app): State<Arc<App>>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let site = headers.get("sec-fetch-site").map(axum::http::HeaderValue::as_bytes);
    let foreign = site.is_some_and(|site| site != b"none" && site != b"same-origin");
    if !app.is_loopback || foreign || headers.contains_key(ORIGIN) {
        let why = "probes on demand are for this machine's own scrapers\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let given =
        |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let seconds = headers.get("x-prometheus-scrape-timeout-seconds").and_then(|text| text.to_str().ok());
    let seconds = seconds.and_then(|text| text.parse().ok());
    let request = ProbeRequest {
        module: given("module").unwrap_or_default(),
        target: given("target").unwrap_or_default(),
        timeout: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    };
    match (app.sources.probe)(request).await {
        ProbeAnswer::Metrics(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        ProbeAnswer::Refused(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
        ProbeAnswer::Busy => refused(&app, "/probe", &Refusal::Busy),
    }
}

/// All values of a header that is a list.
fn joined(headers: &HeaderMap, name: HeaderName) -> String {
    let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

/// The format for an `Accept` header: OpenMetrics only where it is named and not liked less than plain text.
fn negotiate(accept: &str) -> Format {
    let open = weight_of("application/openmetrics-text", accept);
    if open > 0.0 && open >= weight_of("text/plain", accept) { Format::OpenMetrics } else { Format::Text }
}

/// How much `accepted` likes what is called `name`, 0 if it does not name it (RFC 9110, section 12.4.2).
fn weight_of(name: &str, accepted: &str) -> f32 {
    let weights = accepted.split(',').take(50).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().filter(|kind| kind.eq_ignore_ascii_case(name))?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
    });
    weights.fold(0.0, f32::max)
}

/// The process lives and its events reach the disk.
pub(super) async fn healthz(State(app): State<Arc<App>>) -> Response {
    health_answer(&app.sources.store.health().borrow())
}

fn health_answer(health: &Health) -> Response {
    match health {
        Health::Ok => "ok\n".into_response(),
        Health::Failing { since, error } => {
            let why = format!("the store has not been able to write since {since}: {error}\n");
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
    }
}

/// Slots are being run.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let readiness = app.sources.readiness.borrow().clone();
    let suspended = (app.sources.doubts)().suspended;
    match (readiness, suspended.first()) {
        (Readiness::Ready, Some((reason, why))) => {
            let why = format!("suspended: slots are missed ({reason}): {why}\n");
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
        (Readiness::Ready, None) => "ready\n".into_response(),
        (Readiness::Starting(why), _) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("starting: {why}\n")).into_response()
        }
        (Readiness::Draining, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_cannot_write_is_not_healthy() {
        let failing =
            Health::Failing { since: model::time::Timestamp::default(), error: "no space left".to_owned() };
        assert_eq!(health_answer(&failing).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(health_answer(&Health::Ok).status(), StatusCode::OK);
    }

    #[test]
    fn gzip_is_for_those_who_name_it() {
        for (accepted, expected) in
            [("", false), ("*", false), ("br, GZIP;q=0.5", true), ("gzip", true), ("gzip;q=0", false)]
        {
            assert_eq!(weight_of("gzip", accepted) > 0.0, expected, "{accepted}");
        }
    }

    #[test]
    fn open_metrics_is_for_those_who_name_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            (prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; version=1.0.0", Format::OpenMetrics),
            ("application/openmetrics-text;q=0.1,text/plain", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=NaN", Format::Text),
            (",,;;q=,", Format::Text),
        ] {
            assert_eq!(negotiate(accept), expected, "{accept}");
        }
    }
}
