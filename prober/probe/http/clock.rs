//! How far the target's clock is from ours, by the header `Date` of an answer.
//!
//! `Date` has whole seconds, and the server wrote it somewhere between the last byte of the request and the first one
//! of the answer. So the clocks agree where the two spans of time touch, and otherwise differ by at least the gap
//! between them. An answer out of a cache says when it was made, which is no clock.

use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use http::header::{AGE, DATE};
use model::step::{Hop, Phase};
use model::time::Timestamp;

/// By how much the target's clock differs at least; ahead of ours if `ahead`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    pub(super) by: Duration,
    pub(super) ahead: bool,
}

impl Offset {
    /// In seconds, negative if the target's clock is behind.
    pub(super) fn seconds(self) -> f64 {
        if self.ahead { self.by.as_secs_f64() } else { -self.by.as_secs_f64() }
    }
}

/// The offset that `headers` show; `None` without a `Date`, or with an `Age`.
pub(super) fn offset(headers: &HeaderMap, asked: Timestamp, answered: Timestamp) -> Option<Offset> {
    if headers.contains_key(AGE) {
        return None;
    }
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let seconds = date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let begin = Timestamp::from_seconds(i64::try_from(seconds).ok()?);
    let end = begin.plus(Duration::from_secs(1));
    let (ahead, behind) = (begin.seconds_since(answered), asked.seconds_since(end));
    let by = ahead.max(behind).max(0.0);
    Some(Offset { by: Duration::from_secs_f64(by), ahead: behind <= 0.0 })
}

/// When the last byte of `hop`'s request was written and the first one of its answer came, by the wall clock: offsets
/// count from `began`, and it is `now`.
pub(super) fn moments(hop: &Hop, began: Instant, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let wait = hop.phases.iter().rfind(|span| span.phase == Phase::Wait)?;
    let elapsed = began.elapsed();
    let at = |offset: Duration| now.minus(elapsed.saturating_sub(offset));
    Some((at(wait.start), at(wait.start + wait.duration)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn clocks_differ_only_by_what_is_sure() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (asked, answered) = (at("2026-01-31T12:00:00.2Z"), at("2026-01-31T12:00:00.3Z"));
        for (date, seconds) in [
            ("Sat, 31 Jan 2026 12:00:00 GMT", Some(0.0)),
            ("Sat, 31 Jan 2026 12:00:01 GMT", Some(0.7)),
            ("Sat, 31 Jan 2026 12:00:10 GMT", Some(9.7)),
            ("Sat, 31 Jan 2026 11:59:59 GMT", Some(-0.2)),
            ("Sat, 31 Jan 2026 11:59:00 GMT", Some(-59.2)),
            ("yesterday", None),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(-1_769_860_799.2)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, HeaderValue::from_static(date));
            let found = offset(&headers, asked, answered).map(Offset::seconds);
            // A zero with a minus is written as -0.0, which says that the clock is behind by nothing.
            let near = |found: f64, wanted: f64| {
                (found - wanted).abs() < 1e-3 && found.is_sign_negative() == wanted.is_sign_negative()
            };
            match (found, seconds) {
                (Some(found), Some(wanted)) => assert!(near(found, wanted), "{date}: {found}"),
                (found, wanted) => assert_eq!(found, wanted, "{date}"),
            }
            headers.insert(AGE, HeaderValue::from_static("5"));
            assert_eq!(offset(&headers, asked, answered), None);
        }
        assert_eq!(offset(&HeaderMap::new(), asked, answered), None);
    }
}
