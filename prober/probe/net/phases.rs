//! A hop while it happens: its phases, the addresses tried in vain, the peer.
//!
//! Each phase is an await of our own, so a failure keeps what was measured before it, and the phase in
//! progress is known by name.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Instant;

use model::attribute::{Attributes, Text};
use model::outcome::{Failure, FailureClass};
use model::step::{AddressAttempt, Hop, Phase, PhaseSpan};

/// The most phases of one hop; the list is allocated once.
const PHASES_MAX: usize = 6;

/// The attribute that names the phase in which time ran out.
const TIMEOUT_PHASE: &str = "timeout.phase";

/// Notes in which phase time ran out, if `failure` says that it did: the last one of the last of `hops`.
///
/// One that is there already stays: a step of several exchanges knows better which of them it was.
pub(crate) fn note_timeout(attributes: &mut Attributes, failure: &Failure, hops: &[Hop]) {
    let is_late = failure.class == FailureClass::Timeout || failure.error_type.ends_with(".timeout");
    let last = hops.last().and_then(|hop| hop.phases.last());
    if let Some(last) = last.filter(|_| is_late && attributes.get(TIMEOUT_PHASE).is_none()) {
        attributes.set(TIMEOUT_PHASE, last.phase.as_str());
    }
}

/// The phases of one hop, each starting where the one before ended.
#[derive(Debug)]
pub(crate) struct Phases {
    /// Where offsets count from: the step's start.
    origin: Instant,
    spans: Vec<PhaseSpan>,
    open: Option<(Phase, Instant)>,
    attempts: Vec<AddressAttempt>,
    /// Attempts that have not ended yet.
    under_way: Vec<(SocketAddr, Instant)>,
    /// What the hop has failed with, whatever time does: the rest only finds out why.
    settled: Option<Box<Failure>>,
    /// The address that the hop talks to, once connected.
    pub(crate) peer: Option<SocketAddr>,
}

impl Phases {
    /// No phase yet; offsets count from `origin`, the step's start.
    pub(crate) const fn start(origin: Instant) -> Self {
        Self {
            origin,
            spans: Vec::new(),
            open: None,
            attempts: Vec::new(),
            under_way: Vec::new(),
            settled: None,
            peer: None,
        }
    }

    /// Where offsets count from.
    pub(crate) const fn origin(&self) -> Instant {
        self.origin
    }

    /// Ends the phase in progress and starts `phase` at the same instant.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.enter_at(phase, Instant::now());
    }

    /// The same with an instant noted earlier; never before the phase in progress began.
    pub(crate) fn enter_at(&mut self, phase: Phase, at: Instant) {
        let at = self.close(at);
        self.open = Some((phase, at));
    }

    /// Ends the phase in progress; nothing happens if there is none.
    pub(crate) fn finish(&mut self) {
        if self.open.is_some() {
            self.close(Instant::now());
        }
    }

    /// The phase in progress.
    pub(crate) fn current(&self) -> Option<Phase> {
        self.open.map(|(phase, _)| phase)
    }

    /// Whether a phase has begun.
    pub(crate) const fn has_begun(&self) -> bool {
        self.open.is_some() || !self.spans.is_empty()
    }

    /// Says that the hop has failed with `failure`, and that no deadline changes that; or that it may go on.
    pub(crate) fn settle(&mut self, failure: Option<&Failure>) {
        self.settled = failure.cloned().map(Box::new);
    }

    /// What the hop has failed with already, if it has.
    pub(crate) fn settled(&self) -> Option<Failure> {
        self.settled.as_deref().cloned()
    }

    fn close(&mut self, at: Instant) -> Instant {
        let Some((phase, start)) = self.open.take() else { return at };
        let at = at.max(start);
        if self.spans.capacity() == 0 {
            self.spans.reserve_exact(PHASES_MAX);
        }
        self.spans.push(PhaseSpan {
            phase,
            start: start.saturating_duration_since(self.origin),
            duration: at.saturating_duration_since(start),
        });
        at
    }

    /// Notes that `peer` is being tried from now on.
    pub(crate) fn try_peer(&mut self, peer: SocketAddr) {
        self.under_way.push((peer, Instant::now()));
    }

    /// Notes that the attempt at `peer` ended in vain.
    pub(crate) fn tried_in_vain(&mut self, peer: SocketAddr, error_type: impl Into<Cow<'static, str>>) {
        let begun = self.under_way.iter().position(|(known, _)| *known == peer);
        let start = begun.map_or_else(Instant::now, |index| self.under_way.swap_remove(index).1);
        self.attempts.push(AddressAttempt {
            peer,
            start: start.saturating_duration_since(self.origin),
            duration: start.elapsed(),
            error_type: error_type.into(),
        });
    }

    /// Notes that the attempt at `peer` ended well, without making it the hop's peer.
    pub(crate) fn answered(&mut self, peer: SocketAddr) {
        self.under_way.retain(|(known, _)| *known != peer);
    }

    /// Notes that `peer` answered; attempts that are still under way are forgotten.
    pub(crate) fn connected(&mut self, peer: SocketAddr) {
        self.under_way.clear();
        self.peer = Some(peer);
    }

    /// The hop; the phase in progress ends now, and attempts under way ended in a timeout.
    pub(crate) fn into_hop(mut self, label: impl Into<Text>) -> Hop {
        self.finish();
        for (peer, _) in self.under_way.clone() {
            self.tried_in_vain(peer, "timeout");
        }
        Hop {
            label: label.into(),
            reused: false,
            phases: self.spans,
            status: None,
            peer: self.peer,
            attempts: self.attempts,
            exchange: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn phases_tile_even_with_instants_out_of_order() {
        let origin = Instant::now();
        let mut phases = Phases::start(origin);
        let at = |ms| origin + Duration::from_millis(ms);
        phases.enter_at(Phase::Connect, at(5));
        phases.enter_at(Phase::Send, at(9));
        phases.enter_at(Phase::Wait, at(7));
        phases.enter_at(Phase::Receive, at(20));
        let hop = phases.into_hop("GET /");
        assert_eq!(hop.phases.len(), 4);
        assert_eq!(hop.phases[0].start, Duration::from_millis(5));
        for pair in hop.phases.windows(2) {
            assert_eq!(pair[0].start + pair[0].duration, pair[1].start);
        }
        assert_eq!(hop.phases[1].duration, Duration::ZERO);
    }

    #[test]
    fn a_timeout_names_its_phase_once() {
        let mut phases = Phases::start(Instant::now());
        phases.enter(Phase::Connect);
        phases.enter(Phase::Tls);
        let hops = [phases.into_hop("")];
        let check = |class, error_type: &'static str, known: Option<&'static str>, expected: Option<&str>| {
            let mut attributes = Attributes::new();
            if let Some(known) = known {
                attributes.set(TIMEOUT_PHASE, known);
            }
            note_timeout(&mut attributes, &Failure::new(class, error_type, ""), &hops);
            assert_eq!(attributes.text(TIMEOUT_PHASE), expected, "{error_type}");
        };
        check(FailureClass::Timeout, "timeout", None, Some("tls"));
        check(FailureClass::Timeout, "timeout", Some("dns"), Some("dns"));
        check(FailureClass::Dns, "dns.timeout", None, Some("tls"));
        check(FailureClass::Connect, "connect.timeout", None, Some("tls"));
        check(FailureClass::Connect, "connect.refused", None, None);
    }

    #[test]
    fn attempts_under_way_at_the_end_timed_out() {
        let mut phases = Phases::start(Instant::now());
        let first: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let second: SocketAddr = "127.0.0.1:2".parse().unwrap();
        phases.try_peer(first);
        phases.try_peer(second);
        phases.tried_in_vain(first, "connect.refused");
        let hop = phases.into_hop("");
        let seen: Vec<_> = hop.attempts.iter().map(|attempt| (attempt.peer, &*attempt.error_type)).collect();
        assert_eq!(seen, [(first, "connect.refused"), (second, "timeout")]);
    }
}
