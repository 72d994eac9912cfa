//! From hyper's errors to failures.

use std::error::Error as _;
use std::io;

use h2::Reason;
use model::outcome::{Failure, FailureClass, cut};

use super::speaker::{HEAD_BYTES_MAX, HEADERS_MAX};
use super::wire::{Marks, NoHead};
use crate::net::banner::Expected;
use crate::net::fault;
use crate::net::tls::words;

/// How much of what a server says with the end of a connection is shown, in bytes.
const SAID_BYTES_MAX: usize = 128;

/// The failure of an exchange that broke; `answered` says whether the answer had begun.
pub(crate) fn of_exchange(error: &hyper::Error, answered: bool) -> Failure {
    let doing = if answered { "reading the answer" } else { "waiting for the answer" };
    if let Some(cause) = io_cause(error) {
        if is_end(cause) {
            return truncated(answered);
        }
        if let Some(failure) = fault::alerted(cause) {
            return failure;
        }
        // TLS wraps its own complaints into I/O errors without an errno.
        if cause.kind() == io::ErrorKind::InvalidData && !is_of_body(error) {
            let why = words::plainly(&cause.to_string());
            return protocol(format!("the answer cannot be decrypted: {why}"));
        }
        // hyper wraps its complaints about chunks and trailers the same way.
        if matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) {
            let why = words::plainly(&cause.to_string());
            return protocol(format!("the answer breaks the rules of HTTP: {why}"));
        }
        if let Some(inner) = cause.get_ref()
            && inner.is::<NoHead>()
        {
            return protocol("the server sends interim answers without end".to_owned());
        }
        return fault::of_io(cause, doing);
    }
    if error.is_parse_too_large() {
        return protocol(format!(
            "the head of the answer is longer than {} KiB or has more than {HEADERS_MAX} lines",
            HEAD_BYTES_MAX / 1024
        ));
    }
    if error.is_parse() {
        return protocol(format!("the server's answer is not HTTP/1.1: {error}"));
    }
    if is_unasked(error) {
        return protocol("the server's answer is not HTTP/1.1: it came before the request".to_owned());
    }
    // A request that never got onto the connection is cancelled; why, stands behind it.
    if error.is_canceled()
        && let Some(why) = error.source().and_then(|why| why.downcast_ref())
    {
        return of_exchange(why, answered);
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return truncated(answered);
    }
    protocol(match (h2_cause(error), error.source()) {
        (Some(cause), _) => of_h2(cause, doing),
        (None, Some(cause)) => format!("the exchange broke while {doing}: {cause}"),
        (None, None) => format!("the exchange broke while {doing}: {error}"),
    })
}

/// The failure of an exchange that broke before the head of an answer; says what came in its place.
pub(crate) fn of_head(error: &hyper::Error, answered: bool, marks: &Marks) -> Failure {
    let failure = marks.alerted().unwrap_or_else(|| of_exchange(error, answered));
    // One that is too long is HTTP, and one that breaks off later has a head.
    if !is_no_http(error) {
        return failure;
    }
    let expected = if h2_cause(error).is_some() { Expected::Http2 } else { Expected::Http1 };
    let message = format!("{}{}", failure.message, marks.told(expected));
    Failure::new(failure.class, failure.error_type, message)
}

fn is_no_http(error: &hyper::Error) -> bool {
    let behind = || error.source().and_then(|why| why.downcast_ref::<hyper::Error>());
    error.is_parse() && !error.is_parse_too_large()
        || is_unasked(error)
        || h2_cause(error).is_some_and(h2::Error::is_library)
        || error.is_canceled() && behind().is_some_and(is_no_http)
}

/// Whether the server spoke first, as mail servers do and those of HTTP/2; hyper has a text for that and no name.
fn is_unasked(error: &hyper::Error) -> bool {
    error.to_string() == "received unexpected message from connection"
}

/// Whether the connection ended without a byte of an answer, as one does that the server closed meanwhile.
pub(super) fn is_gone(error: &hyper::Error) -> bool {
    let reset = |cause: &io::Error| {
        matches!(
            cause.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
        )
    };
    io_cause(error).is_some_and(reset)
        || error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed()
}

/// Whether the server said over HTTP/2 that it did nothing with the request: it refused the stream, or goes away and
/// had not begun with it (RFC 9113, section 8.7).
pub(super) fn is_unprocessed(error: &hyper::Error) -> bool {
    h2_cause(error).is_some_and(|cause| {
        let is = |reason| cause.is_remote() && cause.reason() == Some(reason);
        cause.is_reset() && is(Reason::REFUSED_STREAM) || cause.is_go_away() && is(Reason::NO_ERROR)
    })
}

/// Whether the server said over HTTP/2 that it wants to be asked over HTTP/1.1 (RFC 9113, section 7).
pub(super) fn wants_h1(error: &hyper::Error) -> bool {
    h2_cause(error)
        .is_some_and(|cause| cause.is_remote() && cause.reason() == Some(Reason::HTTP_1_1_REQUIRED))
}

/// What ended an exchange over HTTP/2, as a sentence that begins with who ended it.
fn of_h2(cause: &h2::Error, doing: &str) -> String {
    let Some(reason) = cause.reason() else { return format!("the exchange broke while {doing}: {cause}") };
    let code = u32::from(reason);
    // RFC 9113, section 7, has fourteen names.
    let reason = if code <= 0xd { format!("{reason:?}: {reason}") } else { format!("code {code}") };
    let who = match (cause.is_remote(), cause.is_go_away(), cause.is_reset()) {
        (true, true, _) => "the server closed the HTTP/2 connection",
        (true, _, true) => "the server ended the HTTP/2 stream",
        _ => "the server broke the rules of HTTP/2",
    };
    let said = said_in(&cause.to_string());
    format!("{who} while {doing} ({reason}){said}")
}

/// What the server said in a GOAWAY, which h2 shows at the end of its text, escaped, and nowhere else.
fn said_in(text: &str) -> String {
    let said = text.split_once(" (b\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    said.map_or_else(String::new, |said| format!(", and said `{}`", cut(said.to_owned(), SAID_BYTES_MAX)))
}

/// The failure of an answer that breaks HTTP's rules.
pub(super) fn protocol(message: String) -> Failure {
    Failure::new(FailureClass::Protocol, "http.protocol", message)
}

/// The failure of an answer that ends before its end; `answered` if some of it came.
pub(super) fn truncated(answered: bool) -> Failure {
    let message = if answered {
        "the server closed the connection before the end of its answer"
    } else {
        "the server closed the connection without an answer"
    };
    Failure::new(FailureClass::Protocol, "http.truncated", message)
}

/// Whether it is HTTP/1.1's framing of a body that is wrong, and not the bytes below it.
fn is_of_body(error: &hyper::Error) -> bool {
    let inner = io_cause(error).and_then(io::Error::get_ref);
    // hyper has no question for it but its text.
    error.to_string().starts_with("error reading a body from connection")
        && !inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

/// Whether the server ended the connection in good order.
fn is_end(cause: &io::Error) -> bool {
    // What h2 has for the end of what it reads, and nothing but its text tells it from the system's broken pipe.
    let is_end_of_h2 = || cause.to_string().ends_with(" closed because of a broken pipe");
    match cause.kind() {
        io::ErrorKind::UnexpectedEof => true,
        io::ErrorKind::BrokenPipe => is_end_of_h2(),
        _ => false,
    }
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    cause_of(error).or_else(|| h2_cause(error)?.get_io())
}

fn h2_cause(error: &hyper::Error) -> Option<&h2::Error> {
    cause_of(error)
}

/// The first cause of the type `E`.
fn cause_of<E: std::error::Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}
