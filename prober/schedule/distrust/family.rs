//! Address families: a way out that is cut for IPv6 alone, or for IPv4 alone, is ours as well.
//!
//! The control targets of one family speak for it, if there are two of them at least: one may be broken itself. A run is
//! touched if nothing of what it tried lies in a family that is trusted. Targets that are names speak for what they were reached by.

use std::net::SocketAddr;

use model::outcome::Outcome;

use super::judge::Doubt;
use super::watch::{Round, Says as _, Watch, fails};
use super::{Doubts, Judgement, Ran, Region, log};

/// The signals of the families.
pub(super) const SIGNALS: [&str; 2] = ["ipv4", "ipv6"];
/// So many control targets speak for a family.
const TARGETS_MIN: usize = 2;

/// Whether something of IPv4, and of IPv6, was tried.
pub type Tried = [bool; 2];

/// What is watched of one family in one region.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) watch: Watch,
    pub(super) why: String,
}

/// The families of the address that a run talked to last, or of those that it tried in vain.
pub fn tried(outcome: &Outcome) -> Tried {
    let failed = outcome.failure.as_ref();
    let step = failed.and_then(|failure| outcome.steps.iter().find(|step| *step.name == *failure.step));
    let hop = step.or_else(|| outcome.main_step()).and_then(|step| step.hops.last());
    let mut tried = Tried::default();
    let mut note = |peer: &SocketAddr| tried[usize::from(peer.ip().to_canonical().is_ipv6())] = true;
    match hop.map(|hop| (&hop.peer, &hop.attempts)) {
        Some((Some(peer), _)) => note(peer),
        Some((None, attempts)) => attempts.iter().for_each(|attempt| note(&attempt.peer)),
        None => {}
    }
    tried
}

impl Doubts {
    /// Notes a round of a region's control targets, family by family: what each tried, and why it failed if it did.
    pub fn note_families(&self, region: &str, round: Round, targets: &[(Tried, Option<&str>)]) {
        let mut inner = self.lock();
        let Some(known) = inner.regions.get_mut(region) else { return };
        for (family, known) in known.families.iter_mut().enumerate() {
            // One that tried both says nothing of either when it failed.
            let only = |tried: &Tried| tried[family] && !tried[1 - family];
            let of: Vec<_> = targets.iter().filter(|(tried, _)| only(tried)).collect();
            if of.len() < TARGETS_MIN {
                continue;
            }
            let failed: Vec<_> = of.iter().filter_map(|(_, why)| *why).collect();
            let before = known.watch.is_doubted();
            known.watch.note(Round { passed: !fails(failed.len(), of.len()), ..round });
            if let Some(first) = failed.first() {
                known.why = format!(
                    "{} of {} control targets of one address family failed; {first}",
                    failed.len(),
                    of.len()
                );
            }
            log(before, known.watch.is_doubted(), SIGNALS[family], region, &known.why);
        }
    }
}

impl Region {
    /// What the families say of a run: `None` if nothing.
    pub(super) fn of_families(&self, outcome: &Outcome, ran: Ran) -> Option<Judgement> {
        let tried = tried(outcome);
        let mut why = None;
        let mut waits = false;
        for (family, known) in self.families.iter().enumerate().filter(|(family, _)| tried[*family]) {
            if known.watch.looks().0 == 0 {
                return None;
            }
            match known.watch.says(ran.began, ran.ended) {
                Some(false) => return None,
                Some(true) => why = why.or(Some((family, &known.why))),
                None => waits = true,
            }
        }
        match (waits, why) {
            (true, _) => Some(Judgement::Wait(self.hold_max)),
            (false, Some((family, why))) => {
                let why = format!("{why} ({})", SIGNALS[family]);
                Some(Judgement::Doubted(Doubt::network(&why)))
            }
            (false, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use model::outcome::{Failure, FailureClass, Reason};
    use model::step::{AddressAttempt, Hop, StepRecord, StepState};

    use super::*;

    const V4: &str = "192.0.2.1:80";
    const V6: &str = "[2001:db8::1]:80";
    const MAPPED: &str = "[::ffff:192.0.2.1]:80";

    fn bad(peer: Option<&str>, in_vain: &[&str]) -> Outcome {
        let attempt = |peer: &&str| AddressAttempt {
            peer: peer.parse().unwrap(),
            start: Duration::ZERO,
            duration: Duration::ZERO,
            error_type: "connect.timeout".into(),
        };
        let mut step = StepRecord::new("home".into(), "any", StepState::Failed);
        step.hops.push(Hop {
            peer: peer.map(|peer| peer.parse().unwrap()),
            attempts: in_vain.iter().map(attempt).collect(),
            ..Hop::default()
        });
        let failure = Failure::new(FailureClass::Connect, "connect.refused", "it broke");
        let failure = Failure { step: "home".to_owned(), ..failure };
        Outcome { failure: Some(failure), steps: vec![step], main: Some(0), ..Outcome::empty(Reason::Failed) }
    }

    #[test]
    fn the_address_that_was_reached_counts_and_else_those_that_were_tried() {
        for (peer, in_vain, expected) in [
            (None, &[][..], [false, false]),
            (Some(V4), &[V6], [true, false]),
            (Some(MAPPED), &[], [true, false]),
            (Some(V6), &[], [false, true]),
            (None, &[V6], [false, true]),
            (None, &[V6, V4], [true, true]),
        ] {
            assert_eq!(tried(&bad(peer, in_vain)), expected, "{peer:?} {in_vain:?}");
        }
    }

    #[test]
    fn what_one_family_alone_cannot_reach_is_ours_if_two_control_targets_say_so() {
        let (v4, v6, both) = ([true, false], [false, true], [true, true]);
        let (good, down) = (None, Some("it is silent"));
        let one = |tried, why| vec![(tried, good), (v4, good), (v4, good), (v6, why), (v6, why)];
        let cut = one(v4, down);
        for (what, rounds, outcome, expected) in [
            ("cut", [&cut, &cut], bad(None, &[V6]), "doubted"),
            ("cut, over the other", [&cut, &cut], bad(None, &[V4]), "stands"),
            ("cut, over both", [&cut, &cut], bad(None, &[V6, V4]), "stands"),
            ("cut, and it answered", [&cut, &cut], bad(Some(V6), &[]), "doubted"),
            ("once", [&cut, &one(v4, good)], bad(None, &[V6]), "stands"),
            ("never", [&one(v4, good), &one(v4, good)], bad(None, &[V6]), "stands"),
            ("nothing was tried", [&cut, &cut], bad(None, &[]), "stands"),
            ("one is not enough", [&vec![(v6, down), (v4, good)]; 2], bad(None, &[V6]), "stands"),
            ("both say nothing", [&vec![(both, down), (both, down)]; 2], bad(None, &[V6]), "stands"),
        ] {
            let doubts = Doubts::default();
            doubts.watch(&"eu".into(), false, Duration::from_secs(30));
            let begin = Instant::now();
            let at = |second| begin + Duration::from_secs(second);
            let all_well = one(v4, good);
            let rounds = [&all_well, rounds[0], rounds[1], &all_well];
            for (began, targets) in (0..).step_by(10).zip(rounds) {
                let round = Round { began: at(began), ended: at(began + 1), passed: true };
                doubts.note_families("eu", round, targets);
                doubts.note_controls("eu", round, "");
            }
            let ran = Ran { began: at(15), ended: at(16) };
            for own in super::super::Own::ALL {
                doubts.note(own, at(0), at(40), None);
            }
            let found = match doubts.judge("eu", &outcome, ran) {
                Judgement::Stands => "stands",
                Judgement::Doubted(doubt) => {
                    assert_eq!(doubt.error_type, "local.network", "{what}");
                    "doubted"
                }
                Judgement::Wait(_) => "waits",
            };
            assert_eq!(found, expected, "{what}");
            // And back: what runs after it counts.
            let later = Ran { began: at(32), ended: at(33) };
            let round = Round { began: at(40), ended: at(41), passed: true };
            doubts.note_families("eu", round, &all_well);
            doubts.note_controls("eu", round, "");
            doubts.note(super::super::Own::Clock, at(40), at(41), None);
            assert_eq!(doubts.judge("eu", &outcome, later), Judgement::Stands, "{what}, later");
        }
    }
}
