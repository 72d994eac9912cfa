//! What each step of a run did: hops, phases and assertions.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::attribute::{Attributes, Text};
use crate::failure::Failure;

/// A part of a hop that is measured by itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Finding the address.
    Dns,
    /// The TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// QUIC's joined transport and TLS handshake.
    Handshake,
    /// Writing the request.
    Send,
    /// Waiting for the first byte of the answer.
    Wait,
    /// Reading the rest of the answer.
    Receive,
}

impl Phase {
    /// Every phase in the order they happen.
    pub const ALL: [Self; 7] =
        [Self::Dns, Self::Connect, Self::Tls, Self::Handshake, Self::Send, Self::Wait, Self::Receive];

    /// The word used in events, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Handshake => "handshake",
            Self::Send => "send",
            Self::Wait => "wait",
            Self::Receive => "receive",
        }
    }
}

impl std::str::FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|phase| phase.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is not a known phase"))
    }
}

/// One phase of one hop, on the monotonic clock.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PhaseSpan {
    /// Which phase.
    pub phase: Phase,
    /// From the step's start to the phase's start.
    pub start: Duration,
    /// How long the phase took, or how long it had been going when the run failed.
    pub duration: Duration,
}

/// One request and its answer inside a step: an HTTP exchange, a DNS query, a handshake.
///
/// The phases tile the hop: each starts where the one before ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hop {
    /// What was asked: the URL, the server; secrets left out.
    pub label: Text,
    /// Whether the connection was already there; then there are no dns, connect and tls phases.
    pub reused: bool,
    /// The phases in order; the one in progress at a failure is the last.
    pub phases: Vec<PhaseSpan>,
    /// The status or response code, if one was received.
    pub status: Option<Text>,
    /// The address that answered.
    pub peer: Option<std::net::SocketAddr>,
    /// Addresses that were tried in vain before.
    pub attempts: Vec<AddressAttempt>,
    /// What was sent and received, if the run was asked to keep it.
    pub exchange: Option<Box<Exchange>>,
}

/// What was sent and what came back, as people may see it: secrets masked, bodies cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The request.
    pub request: Message,
    /// The answer, as far as it came; `None` if nothing did.
    pub answer: Option<Message>,
}

/// One direction of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The head, line by line: `GET / HTTP/1.1`, `host: shop.example`.
    pub head: Vec<String>,
    /// The body as text, at most [`BODY_SHOWN_MAX`] bytes; `None` if it was not asked for or there is none.
    pub body: Option<String>,
}

/// The longest body kept with an exchange, in bytes.
pub const BODY_SHOWN_MAX: usize = 16 << 10;

impl Hop {
    /// From the first phase's start to the last one's end.
    pub fn duration(&self) -> Duration {
        match (self.phases.first(), self.phases.last()) {
            (Some(first), Some(last)) => (last.start + last.duration).saturating_sub(first.start),
            _ => Duration::ZERO,
        }
    }

    /// Makes its offsets count from an instant that lies `by` earlier.
    pub fn shift(&mut self, by: Duration) {
        self.phases.iter_mut().for_each(|span| span.start += by);
        self.attempts.iter_mut().for_each(|attempt| attempt.start += by);
    }
}

/// A connection attempt to one address that did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub struct AddressAttempt {
    /// The address.
    pub peer: std::net::SocketAddr,
    /// From the step's start.
    pub start: Duration,
    /// How long the attempt took.
    pub duration: Duration,
    /// Its `error.type`.
    pub error_type: Cow<'static, str>,
}

/// How a step ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    /// It ran and everything expected held.
    Passed,
    /// It ran and something did not hold.
    Failed,
    /// It did not run.
    Skipped,
}

impl StepState {
    /// The word used in events and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What one step did.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    /// The step's name; a one-step scenario's step is named after its kind.
    pub name: Arc<str>,
    /// The kind's name.
    pub kind: Cow<'static, str>,
    /// How it ended.
    pub state: StepState,
    /// From the run's start to the step's start.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// What went wrong, if the step failed.
    pub failure: Option<Failure>,
    /// Why it was skipped, or another remark for people.
    pub note: Option<String>,
    /// Whether it belongs to the teardown, which never decides the run's verdict.
    pub teardown: bool,
    /// What a step that repeats itself until something holds has seen.
    pub poll: Option<PollRecord>,
    /// The attempts before the last one, each of which failed; empty without a declared `retry`.
    pub attempts: Vec<AttemptRecord>,
    /// The exchanges in order: of the last attempt, and of the first and last few polls.
    pub hops: Vec<Hop>,
    /// Facts in OpenTelemetry's words.
    pub attributes: Attributes,
    /// Captured values by name, as people may see them (secrets masked).
    pub captures: Vec<(String, String)>,
}

/// How a step that polls went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PollRecord {
    /// How often it asked.
    pub count: u32,
    /// Exchanges that are not among the step's hops, between those of the first and of the last polls.
    pub hops_left_out: u32,
    /// The status of the last answer, if there was one.
    pub last_status: Option<String>,
    /// How long the last poll took.
    pub last_duration: Duration,
}

/// An attempt that failed and was followed by another one.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// From the step's start.
    pub start: Duration,
    /// How long the attempt took, without the pause after it.
    pub duration: Duration,
    /// Why it failed.
    pub failure: Failure,
    /// Its exchanges, in order; offsets count from the step's start.
    pub hops: Vec<Hop>,
}

impl StepRecord {
    /// A step of which nothing more is known yet.
    pub fn new(name: Arc<str>, kind: impl Into<Cow<'static, str>>, state: StepState) -> Self {
        Self {
            name,
            kind: kind.into(),
            state,
            start: Duration::ZERO,
            duration: Duration::ZERO,
            failure: None,
            note: None,
            teardown: false,
            poll: None,
            attempts: Vec::new(),
            hops: Vec::new(),
            attributes: Attributes::new(),
            captures: Vec::new(),
        }
    }

    /// The time spent in `phase` over all hops; `None` if the step had no such phase.
    pub fn timing(&self, phase: Phase) -> Option<Duration> {
        let spans = self.hops.iter().flat_map(|hop| &hop.phases).filter(|span| span.phase == phase);
        spans.map(|span| span.duration).reduce(|sum, duration| sum + duration)
    }
}

/// One assertion that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct AssertionRecord {
    /// The step it belongs to; empty for the run's own `sli.good`.
    pub step: Arc<str>,
    /// What was looked at: `status`, `json $.status`.
    pub name: Arc<str>,
    /// Which list of the file it comes from.
    pub part: Part,
    /// Whether it held.
    pub pass: bool,
    /// What was expected, at most [`SHOWN_MAX`] bytes.
    pub expected: Cow<'static, str>,
    /// What was there, at most [`SHOWN_MAX`] bytes.
    pub actual: Text,
}

/// The part of a scenario file that an assertion comes from.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `expect`: is it correct?
    Expect,
    /// `warn`: correct, but worth a look.
    Warn,
    /// `poll.until`: is it there yet?
    Until,
    /// `poll.stop_if`: can it not come any more?
    StopIf,
    /// `sli.good`: good enough to count as good?
    Good,
    /// `sli.ineligible`: does this run count at all?
    Ineligible,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 6] =
        [Self::Expect, Self::Warn, Self::Until, Self::StopIf, Self::Good, Self::Ineligible];

    /// The word used in events and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expect => "expect",
            Self::Warn => "warn",
            Self::Until => "until",
            Self::StopIf => "stop_if",
            Self::Good => "sli.good",
            Self::Ineligible => "sli.ineligible",
        }
    }
}

/// The longest expected or actual text kept with an assertion, in bytes.
pub const SHOWN_MAX: usize = 256;
