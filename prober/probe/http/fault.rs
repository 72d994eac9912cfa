//! From hyper's errors to failures.

use std::error::Error as _;
use std::io;

use model::outcome::{Failure, FailureClass};

use super::speaker::HEAD_BYTES_MAX;
use super::wire::NoHead;
use crate::net::fault;

/// The failure of an exchange that broke; `answered` says whether the answer had begun.
pub(crate) fn of_exchange(error: &hyper::Error, answered: bool) -> Failure {
    let doing = if answered { "reading the answer" } else { "waiting for the answer" };
    if let Some(cause) = io_cause(error) {
        if cause.kind() == io::ErrorKind::UnexpectedEof {
            return truncated(answered);
        }
        // TLS wraps its own complaints into I/O errors without an errno.
        if cause.kind() == io::ErrorKind::InvalidData {
            // In TLS 1.3 a server looks at the client's certificate after the handshake. HTTP/2 passes on only
            // the text of an error.
            if let Some(alert) = cause.to_string().strip_prefix("received fatal alert: ") {
                let message = format!("the server ended the TLS connection with the alert {alert}");
                return Failure::new(FailureClass::Tls, "tls.handshake", message);
            }
            return protocol(format!("the answer cannot be decrypted: {cause}"));
        }
        if let Some(inner) = cause.get_ref()
            && inner.is::<NoHead>()
        {
            return protocol("the server sends interim answers without end".to_owned());
        }
        return fault::of_io(cause, doing);
    }
    if error.is_parse_too_large() {
        return protocol(format!("the head of the answer is longer than {} KiB", HEAD_BYTES_MAX / 1024));
    }
    if error.is_parse() {
        return protocol("the server's answer is not HTTP/1.1".to_owned());
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
    protocol(match error.source() {
        Some(cause) => format!("the exchange broke while {doing}: {cause}"),
        None => format!("the exchange broke while {doing}: {error}"),
    })
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

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}
