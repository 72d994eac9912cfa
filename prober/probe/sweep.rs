//! Every kind against every peer that breaks the rules: each run ends by its deadline, in bounded memory, as what
//! it is, and with the phase in which it broke.

mod billing;
mod datagrams;
mod descriptors;
mod dialogues;
mod faults;
mod messages;
mod names;
mod pings;
mod ways;

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use scenario::fields::Bound;
use testkit::hostile::datagrams::Datagrams;
use testkit::hostile::{Fault, Hostile, Unconnectable};
use testkit::scripted::{Move, Scripted};

use crate::net::shared::Shared;
use crate::net::together;
use crate::trial::{self, TOO_LATE, Trial, template, text};
use ways::{Keys, Way};

/// The most that a peer without end gets rid of: what a kind reads, and what fits into the systems between.
const POURED_MAX: u64 = 24 << 20;
/// How many runs go on at once; more of them would wait for each other on a small machine.
const AT_ONCE: usize = 6;

/// The network of all cases: what is read once, such as the system's authorities, is no case's time.
static SHARED: LazyLock<Arc<Shared>> = LazyLock::new(trial::shared);

/// One run that is to end badly, or at least to end.
struct Case {
    what: String,
    way: Way,
    keys: Keys,
    shared: Arc<Shared>,
    /// `CLASS TYPE PHASE`, or `ok`; several with ` | ` between them where the system decides.
    expected: &'static str,
    peer: Option<Peer>,
}

/// Who is hostile.
enum Peer {
    Hostile(Hostile),
    Scripted(Scripted),
    Datagrams(Datagrams),
}

impl Peer {
    const fn addr(&self) -> SocketAddr {
        match self {
            Self::Hostile(peer) => peer.addr(),
            Self::Scripted(peer) => peer.addr(),
            Self::Datagrams(peer) => peer.addr(),
        }
    }

    fn connections(&self) -> usize {
        match self {
            Self::Hostile(peer) => peer.connections(),
            Self::Scripted(peer) => peer.connections(),
            Self::Datagrams(_) => 1,
        }
    }

    /// What of that which has no end was taken; of datagrams nobody knows.
    fn poured(&self) -> u64 {
        match self {
            Self::Hostile(peer) => peer.poured(),
            Self::Scripted(peer) => peer.poured(),
            Self::Datagrams(_) => 0,
        }
    }
}

impl Case {
    /// `way` at `place`.
    fn at(what: impl Into<String>, way: Way, place: &str, expected: &'static str) -> Self {
        Self {
            what: what.into(),
            way,
            keys: way.keys(place),
            shared: Arc::clone(&SHARED),
            expected,
            peer: None,
        }
    }

    /// `way` at a peer with `fault`.
    fn of(fault: Fault, way: Way, expected: &'static str) -> Self {
        let what = shortened(format!("{fault:?}"));
        Self::at_peer(what, way, Peer::Hostile(Hostile::start(fault)), expected)
    }

    /// `way` at a server that makes these moves.
    fn after(moves: Vec<Move>, way: Way, expected: &'static str) -> Self {
        let what = shortened(format!("{:?} after {} moves", moves.last(), moves.len() - 1));
        Self::at_peer(what, way, Peer::Scripted(Scripted::start(moves)), expected)
    }

    fn at_peer(what: String, way: Way, peer: Peer, expected: &'static str) -> Self {
        Self { peer: Some(peer), ..Self::at(what, way, "", expected) }.placed()
    }

    fn placed(mut self) -> Self {
        if let Some(peer) = &self.peer {
            self.keys = self.way.keys(&peer.addr().to_string());
        }
        self
    }

    /// The same with more keys.
    fn with(mut self, more: Keys) -> Self {
        self.keys.extend(more);
        self
    }

    async fn run(&self) -> Result<(), String> {
        let trial = trial::patiently(|trial| self.expects(&told(trial)), |limit| self.once(limit)).await;
        let Self { what, way, expected, .. } = self;
        let told = told(&trial);
        if !self.expects(&told) {
            let message = trial.outcome.failure.map(|failure| failure.message);
            return Err(format!("{way:?} and {what}: {told}, expected {expected} ({message:?})"));
        }
        if !trial.is_in_time() {
            let (took, limit, stalled) = (trial.took, trial.limit, trial.stalled());
            return Err(format!("{way:?} and {what} took {took:?} of {limit:?}, {stalled:?} of it stalled"));
        }
        if named_phase(&trial) != late_in(&told) {
            return Err(format!("{way:?} and {what}: {told} names the phase {:?}", named_phase(&trial)));
        }
        self.is_bounded()
    }

    fn expects(&self, told: &str) -> bool {
        self.expected.split(" | ").any(|known| known == told)
    }

    async fn once(&self, limit: Duration) -> Trial {
        trial::run(self.way.kind(), self.keys.clone(), &self.shared, limit).await
    }

    /// Whether the peer could not get rid of more than one run may take.
    fn is_bounded(&self) -> Result<(), String> {
        let Self { what, way, .. } = self;
        let runs = self.peer.as_ref().map_or(1, Peer::connections) as u64;
        let poured = self.peer.as_ref().map_or(0, Peer::poured);
        if poured > runs * POURED_MAX {
            return Err(format!("{way:?} and {what} took in {poured} bytes"));
        }
        Ok(())
    }
}

fn shortened(mut what: String) -> String {
    what.truncate(what.floor_char_boundary(80));
    what
}

/// Class, type and the phase in which it broke, or `ok`.
fn told(trial: &Trial) -> String {
    let Some(failure) = &trial.outcome.failure else { return "ok".to_owned() };
    let phase = trial.outcome.hops.last().and_then(|hop| hop.phases.last()).map(|span| span.phase.as_str());
    format!("{} {} {}", failure.class, failure.error_type, phase.unwrap_or("nowhere"))
}

/// The phase that a run's event says time ran out in.
fn named_phase(trial: &Trial) -> Option<&str> {
    trial.outcome.attributes.text("timeout.phase")
}

/// The same, as what is [`told`] has it: every timeout has its phase, and nothing else has one.
fn late_in(told: &str) -> Option<&str> {
    let (what, phase) = told.rsplit_once(' ')?;
    what.ends_with("timeout").then_some(phase)
}

/// Runs all cases, some at a time, and says everything that is wrong at once.
async fn sweep(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for some in cases.chunks(AT_ONCE) {
        let ran = together::all(some.iter().map(Case::run).collect()).await;
        wrong.extend(ran.into_iter().filter_map(Result::err));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_told_apart_from_nobody_who_answers() {
    let unconnectable = Unconnectable::start();
    let free = testkit::wait::free_port();
    let mut cases = Vec::new();
    for way in Way::OVER_TCP.into_iter().chain([Way::DnsTcp]) {
        let silent = if way == Way::DnsTcp { "dns dns.timeout connect" } else { "timeout timeout connect" };
        cases.push(Case::at("a full queue", way, &unconnectable.addr().to_string(), silent));
        let place = format!("127.0.0.1:{free}");
        cases.push(Case::at("a closed port", way, &place, "connect connect.refused connect"));
    }
    let place = format!("127.0.0.1:{free}");
    for way in [Way::Dns, Way::Udp] {
        cases.push(Case::at("a closed port", way, &place, "connect connect.refused wait"));
    }
    sweep(cases).await;
}
