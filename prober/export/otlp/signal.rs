//! The three signals: where each is sent, and what the answers to it mean.

use http::StatusCode;
use post::Answer;
use url::Url;

use super::grpc;
use crate::Delivery;
use crate::proto::{Field, fields, text_of};
use crate::receiver::{Receiver, said};
use crate::settings::Settings;

/// A kind of telemetry.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Logs,
    Traces,
    Metrics,
}

impl Signal {
    pub(super) const ALL: [Self; 3] = [Self::Logs, Self::Traces, Self::Metrics];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }

    const fn service(self) -> &'static str {
        match self {
            Self::Logs => "opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Traces => "opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }

    /// Where it is sent.
    pub(super) fn url(self, settings: &Settings, grpc: bool) -> Url {
        let own = settings.text(&format!("{}_url", self.word())).and_then(|text| Url::parse(text).ok());
        let default = if grpc { "http://localhost:4317" } else { "http://localhost:4318" };
        let base = settings.text("url").unwrap_or(default);
        let base = Url::parse(base).expect("the setting was checked");
        match (own, grpc) {
            (Some(own), false) => own,
            (None, false) => below(base, &format!("v1/{}", self.word())),
            (own, true) => {
                // A collector's address over gRPC has no path of its own.
                let mut url = own.unwrap_or(base);
                url.set_path(self.service());
                url.set_query(None);
                url
            }
        }
    }
}

fn below(mut base: Url, path: &str) -> Url {
    let joined = format!("{}/{path}", base.path().trim_end_matches('/'));
    base.set_path(&joined);
    base
}

/// What an answer means.
pub(super) enum Sent {
    Taken,
    /// Taken but for so many items; never sent again.
    Partly(u64, String),
    /// Not taken, and never will be.
    Never(String),
    Later(Delivery),
}

/// What the answer to a request over HTTP means.
pub(super) fn judge(answer: &Answer, receiver: &Receiver) -> Sent {
    match answer.status {
        status if status.is_success() => partly(&answer.body),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Sent::Later(receiver.later(answer)),
        _ => Sent::Never(reason(answer)),
    }
}

/// What the answer to a call over gRPC means.
pub(super) fn judge_call(answer: &Answer, receiver: &Receiver) -> Sent {
    if answer.status != StatusCode::OK {
        return judge(answer, receiver);
    }
    let status = grpc::Status::of(answer);
    match &status {
        grpc::Status { code: 0, .. } => match grpc::unframed(&answer.body) {
            Some(message) => partly(message),
            None => Sent::Taken,
        },
        status if status.is_for_later() => {
            Sent::Later(Delivery::Retry { after: status.after, why: status.to_string() })
        }
        status => Sent::Never(status.to_string()),
    }
}

/// `Export…ServiceResponse` with its `partial_success`.
fn partly(body: &[u8]) -> Sent {
    let partial = fields(body).find_map(|(number, field)| match field {
        Field::Bytes(inner) if number == 1 => Some(inner),
        _ => None,
    });
    let Some(partial) = partial else { return Sent::Taken };
    let rejected = fields(partial).find_map(|(number, field)| match field {
        Field::Varint(count) if number == 1 => Some(count),
        _ => None,
    });
    let why = text_of(partial, 2).unwrap_or_default();
    let why: String = why.chars().filter(|letter| !letter.is_control()).take(200).collect();
    if let Some(count) = rejected.filter(|count| count.cast_signed() > 0) {
        return Sent::Partly(count, format!("{count} items were not taken: {why}"));
    }
    // A message alone is a warning: all of it was taken.
    Sent::Taken
}

/// Why an answer is no success; a collector says it as `google.rpc.Status`.
fn reason(answer: &Answer) -> String {
    let is_proto = answer.headers.get("content-type").is_some_and(|kind| kind == "application/x-protobuf");
    let message = if is_proto { text_of(&answer.body, 2) } else { None };
    match message {
        Some(message) => {
            let message: String = message.chars().filter(|letter| !letter.is_control()).take(200).collect();
            format!("answered {}: {message}", answer.status)
        }
        None => said(answer),
    }
}
