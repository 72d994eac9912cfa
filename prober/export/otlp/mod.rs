//! OpenTelemetry: a log record for each run, its trace, and the metrics, over HTTP or gRPC.
//!
//! * Logs: one record a slot, `prober.run`, with all fields of the event as attributes.
//! * Traces: a root span a run and one a step. The root is the parent that targets were told of.
//! * Metrics: those of the metrics page, under names from which Prometheus' translation makes the page's again.
//!
//! What the protocol demands (<https://opentelemetry.io/docs/specs/otlp/>): what is partly taken is never sent again,
//! only counted; over HTTP 429, 502, 503 and 504 are tried again and nothing else is; over gRPC the statuses that it
//! lists. The variables `OTEL_EXPORTER_OTLP_…` stand in for settings that are not given.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;

use crate::settings::{HTTP, Key, KeyKind, Settings, Variable};
use crate::{BuildError, Exporter, ExporterKind, Surroundings, receiver};

mod deliver;
mod encode;
mod grpc;
mod names;
mod signal;
mod spans;

#[cfg(test)]
mod tests;

/// The monitored service; `service.name` would be the prober.
const TARGET_SERVICE: &str = "prober.target.service";

/// The line in the table of exporters.
pub const KIND: ExporterKind = ExporterKind {
    name: "otlp",
    summary: "logs, traces and metrics for OpenTelemetry collectors, over HTTP or gRPC",
    keys: &[
        Key::optional(
            "url",
            HTTP,
            "the collector; over HTTP v1/logs, v1/traces and v1/metrics are below it; http://localhost:4318 or, for gRPC, :4317 if none is given",
        )
        .or_env(&[as_is("OTEL_EXPORTER_OTLP_ENDPOINT")]),
        Key::optional("logs_url", HTTP, "where logs are sent instead, as it stands")
            .or_env(&[as_is("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")]),
        Key::optional("traces_url", HTTP, "where traces are sent instead, as it stands")
            .or_env(&[as_is("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]),
        Key::optional("metrics_url", HTTP, "where metrics are sent instead, as it stands")
            .or_env(&[as_is("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")]),
        Key::or("protocol", KeyKind::Word(&["http", "grpc"]), "http", "how the collector is spoken to")
            .or_env(&[Variable { name: "OTEL_EXPORTER_OTLP_PROTOCOL", read: protocol }]),
        Key::or(
            "signals",
            KeyKind::Words(&["logs", "traces", "metrics"]),
            "logs,traces,metrics",
            "what is sent",
        ),
        Key::optional("resource", KeyKind::Map, "attributes of the prober itself, such as deployment.environment.name")
            .or_env(&[Variable { name: "OTEL_RESOURCE_ATTRIBUTES", read: pairs }]),
        Key::or("gzip", KeyKind::Bool, "true", "whether requests are compressed")
            .or_env(&[Variable { name: "OTEL_EXPORTER_OTLP_COMPRESSION", read: compression }]),
        Key::or("linger", KeyKind::Duration, "5s", "how long events are gathered for one request"),
        receiver::BEARER,
        receiver::USER,
        receiver::PASSWORD,
        receiver::HEADERS.or_env(&[Variable { name: "OTEL_EXPORTER_OTLP_HEADERS", read: pairs }]),
        receiver::CA.or_env(&[as_is("OTEL_EXPORTER_OTLP_CERTIFICATE")]),
        receiver::TIMEOUT.or_env(&[Variable { name: "OTEL_EXPORTER_OTLP_TIMEOUT", read: milliseconds }]),
    ],
    build,
};

const fn as_is(name: &'static str) -> Variable {
    Variable { name, read: |text| Some(text.trim().to_owned()) }
}

fn protocol(text: &str) -> Option<String> {
    match text.trim() {
        "grpc" => Some("grpc".to_owned()),
        "http/protobuf" => Some("http".to_owned()),
        _ => None,
    }
}

fn compression(text: &str) -> Option<String> {
    match text.trim() {
        "gzip" => Some("true".to_owned()),
        "none" => Some("false".to_owned()),
        _ => None,
    }
}

fn milliseconds(text: &str) -> Option<String> {
    Some(format!("{}ms", text.trim().parse::<u32>().ok()?))
}

/// `a=b,c=d`, percent-encoded, as lines.
fn pairs(text: &str) -> Option<String> {
    let mut lines = String::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let decoded = |text: &str| {
            let text = percent_decode_str(text.trim()).decode_utf8().ok()?.into_owned();
            (!text.contains(['\n', '\r'])).then_some(text)
        };
        writeln!(lines, "{}: {}", decoded(name)?, decoded(value)?).ok()?;
    }
    Some(lines)
}

fn build(settings: &Settings, around: &Surroundings) -> Result<Box<dyn Exporter>, BuildError> {
    let grpc = settings.text("protocol") == Some("grpc");
    let receiver = if grpc {
        receiver::Receiver::http2(KIND.name, settings, around)?
    } else {
        receiver::Receiver::new(KIND.name, settings, around)?
    };
    Ok(Box::new(deliver::Otlp::new(settings, around, (receiver, grpc))))
}
