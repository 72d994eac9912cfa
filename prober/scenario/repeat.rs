//! Steps that are done more than once: polls and retries.

use std::time::Duration;

use model::outcome::FailureClass;

use crate::assertion::Assertion;

/// How often a poll asks where the author does not say.
pub const POLL_EVERY_DEFAULT: Duration = Duration::from_secs(1);
/// The least distance of two polls, so that a scenario never becomes a load test.
pub const POLL_EVERY_MIN: Duration = Duration::from_millis(100);
/// The most attempts at one step.
pub const ATTEMPTS_MAX: i64 = 5;
/// The attempts at a step where `retry` does not say.
pub const ATTEMPTS_DEFAULT: u32 = 2;
/// The pause between two attempts where `retry` does not say.
pub const BACKOFF_DEFAULT: Duration = Duration::from_millis(500);
/// The failures that are tried again where `retry` does not say.
pub const RETRY_ON_DEFAULT: [FailureClass; 2] = [FailureClass::Connect, FailureClass::Timeout];

/// A step that is repeated until something holds.
#[derive(Clone, Debug)]
pub struct PollPlan {
    /// From the start of one poll to the start of the next.
    pub every: Duration,
    /// How long it goes on; never beyond the run's own limit.
    pub timeout: Duration,
    /// What ends it well; all of it must hold.
    pub until: Box<[Assertion]>,
    /// What ends it as a failure; all of it must hold. Empty if nothing does.
    pub stop_if: Box<[Assertion]>,
}

/// A step that is tried again after some failures.
#[derive(Clone, Debug)]
pub struct RetryPlan {
    /// The most attempts, the first one included: 1 to [`ATTEMPTS_MAX`].
    pub attempts: u32,
    /// The failures that are tried again.
    pub on: Box<[FailureClass]>,
    /// From the end of one attempt to the start of the next.
    pub backoff: Duration,
}

impl RetryPlan {
    /// Whether a failure of this class may come when the target has seen the request already.
    pub const fn may_repeat_work(class: FailureClass) -> bool {
        matches!(class, FailureClass::Timeout | FailureClass::Protocol | FailureClass::Incorrect)
    }
}
