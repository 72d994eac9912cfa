//! What went wrong in a run or a step.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The family of a failure: nine words, bounded for metric labels.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureClass {
    /// The name could not be resolved.
    Dns,
    /// No connection to the target.
    Connect,
    /// The TLS handshake or the certificate.
    Tls,
    /// The target broke its protocol, or answered with an error status nobody asked about.
    Protocol,
    /// A deadline passed.
    Timeout,
    /// The answer is not the expected one.
    Incorrect,
    /// Correct but too slow.
    Slow,
    /// Correct but too old.
    Stale,
    /// The prober's own fault.
    Local,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Protocol,
        Self::Timeout,
        Self::Incorrect,
        Self::Slow,
        Self::Stale,
        Self::Local,
    ];

    /// The word used in events and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Timeout => "timeout",
            Self::Incorrect => "incorrect",
            Self::Slow => "slow",
            Self::Stale => "stale",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What went wrong: class, stable error type, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The family; `Local` makes a run ineligible, every other class makes it bad.
    pub class: FailureClass,
    /// The `error.type`, such as `connect.refused` or the status code; low cardinality.
    pub error_type: Cow<'static, str>,
    /// One sentence with the values that matter; cut to [`MESSAGE_MAX`] bytes.
    pub message: String,
    /// The name of the step that failed; empty until the flow fills it in.
    pub step: String,
}

/// The longest failure message, in bytes.
pub const MESSAGE_MAX: usize = 512;

impl Failure {
    /// A failure whose message is cut to [`MESSAGE_MAX`].
    pub fn new(
        class: FailureClass,
        error_type: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            class,
            error_type: error_type.into(),
            message: cut(message.into(), MESSAGE_MAX),
            step: String::new(),
        }
    }
}

/// The text cut to at most `bytes_max` bytes at a character's border, with `…` in the last place if cut.
pub fn cut<T: AsRef<str> + From<String>>(text: T, bytes_max: usize) -> T {
    let all = text.as_ref();
    if all.len() <= bytes_max {
        return text;
    }
    let keep = all.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8()));
    format!("{}…", &all[..keep]).into()
}
