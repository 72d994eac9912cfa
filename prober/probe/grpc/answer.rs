//! What a gRPC server says of its health, as assertions and people see it.

use http::{HeaderMap, HeaderValue};
use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass, cut};
use model::step::SHOWN_MAX;
use percent_encoding::percent_decode_str;
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};

use super::message::{self, CODES, SERVING};
use crate::http::given;
use crate::http::trail::Answer;

/// How a call ended, and what it said.
#[derive(Debug)]
pub(super) struct Health {
    /// The number of the status code; one that nobody knows is `UNKNOWN`.
    code: usize,
    /// What stands there in place of a number of gRPC.
    unknown: Option<String>,
    /// What the server says about it.
    message: String,
    /// Whether the service works; `None` if the call did not get that far.
    serving: Option<&'static str>,
    /// What stood before and behind the message.
    metadata: HeaderMap,
}

impl Health {
    /// What `answer` says.
    ///
    /// # Errors
    /// Class `protocol`: it is not gRPC, or not the answer to a health check.
    pub(super) fn of(answer: &Answer) -> Result<Self, Failure> {
        let mut metadata = answer.headers.clone();
        if let Some(trailers) = answer.body.trailers() {
            for (name, value) in trailers {
                metadata.append(name, value.clone());
            }
        }
        let Some(ended) = end(answer) else { return Err(no_grpc(answer)) };
        let mut codes = ended.get_all("grpc-status").iter();
        let Some(code) = codes.next() else { return Err(no_grpc(answer)) };
        if let Some(other) = codes.find(|other| *other != code) {
            let shown = |code: &HeaderValue| cut(String::from_utf8_lossy(code.as_bytes()).into_owned(), 20);
            let why = format!("the call ended with two statuses, {} and {}", shown(code), shown(other));
            return Err(wrong(&why));
        }
        let number = code.to_str().ok().and_then(|text| text.parse::<usize>().ok());
        let number = number.filter(|number| *number < CODES.len());
        let unknown =
            number.is_none().then(|| cut(String::from_utf8_lossy(code.as_bytes()).into_owned(), 20));
        let code = number.unwrap_or(2);
        let message = ended.get("grpc-message").map(HeaderValue::as_bytes).unwrap_or_default();
        let message = percent_decode_str(&String::from_utf8_lossy(message)).decode_utf8_lossy().into_owned();
        let serving = match code {
            0 if answer.body.cut_at().is_some() => return Err(wrong("the answer is too long")),
            0 => Some(message::serving(&answer.body.bytes()).map_err(|why| wrong(&why))?),
            message::NOT_FOUND => Some(SERVING[3]),
            _ => None,
        };
        Ok(Self { code, unknown, message, serving, metadata })
    }

    /// The name of the status code.
    pub(super) fn code(&self) -> &'static str {
        CODES[self.code]
    }

    /// Says it in attributes.
    pub(super) fn describe(&self, attributes: &mut Attributes) {
        attributes.set("rpc.grpc.status_code", i64::try_from(self.code).unwrap_or(2));
        if let Some(serving) = self.serving {
            attributes.set("prober.grpc.health", serving);
        }
        if !self.message.is_empty() {
            attributes.set("prober.grpc.message", cut(self.message.clone(), SHOWN_MAX));
        }
    }
}

impl Evidence for Health {
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a> {
        match (subject, selector) {
            ("grpc_status", _) => Reading::One(Value::Text(self.code().into())),
            ("status", _) => {
                self.serving.map_or(Reading::Absent, |word| Reading::One(Value::Text(word.into())))
            }
            ("message", _) => Reading::One(Value::Text(self.message.as_str().into())),
            ("metadata", Selector::Header(name)) => given::reading(&self.metadata, name),
            _ => Reading::Absent,
        }
    }

    /// Of a call that did not come to an answer there is no status, and `grpc_status` is judged by itself.
    fn is_moot(&self, subject: &str) -> bool {
        subject == "status" && self.serving.is_none()
    }

    /// What the server says about the status code, and the code itself if gRPC has no name for it.
    fn explain(&self, subject: &str) -> Option<String> {
        if !matches!(subject, "grpc_status" | "status") {
            return None;
        }
        let said = (!self.message.is_empty()).then(|| cut(self.message.clone(), 120));
        let unknown = self.unknown.as_ref().map(|code| format!("the server's code is `{code}`"));
        let all: Vec<_> = unknown.into_iter().chain(said).collect();
        (!all.is_empty()).then(|| all.join(": "))
    }
}

/// Where the status stands: behind the message, and in the head only where nothing came behind it ("Trailers-Only").
///
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses>
fn end(answer: &Answer) -> Option<&HeaderMap> {
    answer.body.trailers().or_else(|| (answer.body.wire_size() == 0).then_some(&answer.headers))
}

/// The failure of an answer without a status of gRPC.
fn no_grpc(answer: &Answer) -> Failure {
    let status = answer.status.as_str();
    if !answer.status.is_success() {
        let message = format!("the call was answered with the HTTP status {status} and none of gRPC");
        return Failure::new(FailureClass::Protocol, status.to_owned(), message);
    }
    let kind = answer.headers.get("content-type").map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    match kind {
        Some(kind) if kind.starts_with("application/grpc-web") => {
            wrong("what answers speaks gRPC-Web, which is for browsers, and no gRPC")
        }
        Some(kind) if !kind.starts_with("application/grpc") => {
            wrong(&format!("what answers is no gRPC server: it sent {}", cut(kind.into_owned(), 60)))
        }
        _ => wrong("the call ended without a status"),
    }
}

fn wrong(why: &str) -> Failure {
    Failure::new(FailureClass::Protocol, "grpc.protocol", why)
}
