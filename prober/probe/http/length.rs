//! Whether a body is as long as its head announced.
//!
//! Over HTTP/1.1 the length is where the body ends. Above streams it is a second word on the same thing, and nobody else
//! holds the two against each other (RFC 9113, section 8.1.1; RFC 9114, section 4.1.2).

use std::cmp::Ordering;

use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use model::outcome::{Failure, cut};

use super::fault;
use super::trail::Answer;

/// Holds a whole body against the length that its head announced.
///
/// # Errors
/// Class `protocol`: it is shorter (`http.truncated`) or longer, or what was announced is no length; there is one where
/// there can be none.
pub(super) fn check_length(method: &Method, answer: &Answer) -> Result<(), Failure> {
    let came = answer.body.wire_size();
    let has_none = matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if method == Method::HEAD || has_none {
        // What a length says here is of another answer (RFC 9110, section 8.6); over HTTP/1.1 the head is the end.
        return if came == 0 { Ok(()) } else { Err(without(method, answer.status, came)) };
    }
    for announced in answer.headers.get_all(CONTENT_LENGTH) {
        let length = announced.to_str().ok().and_then(|text| text.parse::<u64>().ok());
        match length.map(|length| came.cmp(&length)) {
            Some(Ordering::Equal) => {}
            Some(Ordering::Less) => return Err(fault::truncated(true)),
            Some(Ordering::Greater) => {
                return Err(fault::protocol("the body is longer than its head announced".to_owned()));
            }
            None => {
                let told = String::from_utf8_lossy(announced.as_bytes()).into_owned();
                return Err(fault::protocol(format!("{:?} is no length of a body", cut(told, 60))));
            }
        }
    }
    Ok(())
}

/// The failure of an answer that has a body of `came` bytes and may have none (RFC 9110, section 6.4.1).
fn without(method: &Method, status: StatusCode, came: u64) -> Failure {
    let what = if method == Method::HEAD { "to HEAD" } else { &format!("with status {}", status.as_str()) };
    fault::protocol(format!("an answer {what} has no body, and this one came with {came} bytes"))
}
