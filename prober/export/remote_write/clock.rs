//! Whether a time may be sent: one sample from the future makes a Prometheus refuse everyone's present.
//!
//! The receiver's own clock decides, as its answers tell it (`Date`). Until one is heard, and for receivers that
//! tell none, it is the wall clock as it was at the start, gone on by the monotonic clock: a jump ahead shows.

use std::time::{Duration, Instant, SystemTime};

use model::time::{Clock, Timestamp};

/// How far ahead a sample may lie.
pub(super) const AHEAD_MAX: Duration = Duration::from_secs(5);
/// `Date` has whole seconds, cut off.
const DATE_STEP: Duration = Duration::from_secs(1);

/// A wall time and the monotonic instant that it was true at.
#[derive(Copy, Clone, Debug)]
pub(super) struct Checked {
    wall: Timestamp,
    at: Instant,
    /// Whose clock it is.
    receivers: bool,
}

/// A time that may not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    by: Duration,
    receivers: bool,
}

impl std::fmt::Display for Ahead {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whose = if self.receivers { "the receiver's clock" } else { "what it was at the start, gone on" };
        let seconds = self.by.as_secs_f64();
        write!(
            out,
            "this machine's clock is {seconds:.1} s ahead of {whose}; samples from the future are not sent"
        )
    }
}

impl Checked {
    /// As the clock is now, for want of a better one.
    pub(super) fn start(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), at: clock.monotonic(), receivers: false }
    }

    /// Takes over the receiver's clock as an answer that came now tells it.
    pub(super) fn hear(&mut self, date: Option<&str>, clock: &dyn Clock) {
        let Some(date) = date.and_then(|text| httpdate::parse_http_date(text).ok()) else { return };
        let since = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp::from_nanos(0).plus(since).plus(DATE_STEP);
        *self = Self { wall, at: clock.monotonic(), receivers: true };
    }

    /// Whether the receiver's clock was heard.
    pub(super) const fn heard(&self) -> bool {
        self.receivers
    }

    /// Whether a sample of the time `newest` may be sent now.
    pub(super) fn allows(&self, newest: Timestamp, clock: &dyn Clock) -> Result<(), Ahead> {
        let now = self.wall.plus(clock.monotonic().saturating_duration_since(self.at));
        let by = newest.since(now);
        if by > AHEAD_MAX { Err(Ahead { by, receivers: self.receivers }) } else { Ok(()) }
    }
}
