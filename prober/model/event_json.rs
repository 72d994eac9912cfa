//! The event's JSON form: flat dotted keys, written and read here and nowhere else.
//!
//! The main step's attributes stand at the top of the event, where filters look for them; the other steps
//! carry their own. Reading puts them back, so a round trip loses nothing.

mod json;
mod read;
#[cfg(test)]
pub(crate) mod tests;
mod write;

pub(crate) use write::event as write;

use crate::step::Phase;

/// The key of a phase's time in the main step.
const fn timing_key(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => "prober.timing.dns",
        Phase::Connect => "prober.timing.connect",
        Phase::Tls => "prober.timing.tls",
        Phase::Handshake => "prober.timing.handshake",
        Phase::Send => "prober.timing.send",
        Phase::Wait => "prober.timing.wait",
        Phase::Receive => "prober.timing.receive",
    }
}
