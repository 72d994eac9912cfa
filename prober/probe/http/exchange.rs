//! One request and its answer, phase by phase.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use model::step::Phase;

use super::session::Connection;
use super::speaker::HEAD_BYTES_MAX;
use super::wire::Marks;
use crate::net::phases::Phases;

/// The most that is read until the head of an answer is complete: twice the head, as the body may follow it
/// in the same read, and some interim answers.
pub(crate) const HEAD_READ_MAX: u64 = 4 * HEAD_BYTES_MAX as u64;

/// Sends `request` on `connection` and waits for the answer's head.
///
/// Takes the phases `send` and `wait` and opens `receive`. `send` ends with the last byte written; `wait`
/// ends with the first byte read in HTTP/1.1, and with the answer's head in HTTP/2, whose first bytes are
/// settings and not the answer.
///
/// # Errors
/// The connection broke, or the answer is not HTTP.
pub(super) async fn exchange(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    phases: &mut Phases,
) -> hyper::Result<Response<Incoming>> {
    let marks = &connection.marks;
    marks.reset();
    phases.enter(Phase::Send);
    let h2 = connection.speaker.is_h2();
    // HTTP/2 has limits of its own for what comes before an answer.
    marks.limit(if h2 { u64::MAX } else { HEAD_READ_MAX });
    let answer = connection.speaker.send(request, || advance(phases, marks, h2)).await?;
    marks.limit(u64::MAX);
    advance(phases, marks, h2);
    if phases.current() != Some(Phase::Receive) {
        phases.enter(Phase::Receive);
    }
    Ok(answer)
}

/// Moves to the phase that the bytes gone by stand for, so that a failure names the right one.
pub(crate) fn advance(phases: &mut Phases, marks: &Marks, h2: bool) {
    let answered = if h2 { None } else { marks.first_read() };
    // A server may answer before it has read everything.
    if phases.current() == Some(Phase::Send)
        && let Some(at) = marks.sent().or(answered)
    {
        phases.enter_at(Phase::Wait, at);
    }
    if phases.current() == Some(Phase::Wait)
        && let Some(at) = answered
    {
        phases.enter_at(Phase::Receive, at);
    }
}
