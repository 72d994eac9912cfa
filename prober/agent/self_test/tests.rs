//! The prober's own test: it passes, notices whatever is not as it should be, and says nothing of a busy machine.

use model::outcome::Reason;
use schedule::distrust::Own;

use super::*;

/// The tries that a busy machine may cost.
const ROUNDS: usize = 10;

/// Tests until the machine lets it be known.
async fn decided(doubts: &Doubts, suite: Suite) -> Tested {
    for _ in 0..ROUNDS {
        let tested = tested(doubts, suite).await;
        if tested != Tested::Undecided {
            return tested;
        }
    }
    Tested::Undecided
}

/// A suite of which one case expects what does not come.
fn wrong(targets: &Targets) -> Vec<Case> {
    let mut cases = cases::all(targets);
    cases[0].expected.reason = Reason::Stale;
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_measures_wrongly_runs_no_slots_until_it_measures_rightly() {
    let doubts = Doubts::default();
    let first = decided(&doubts, cases::all).await;
    assert_eq!((first, doubts.suspensions().all().remove(0).why), (Tested::Passed, None));
    assert_eq!(doubts.suspensions().reason(), None);
    assert_eq!(decided(&doubts, wrong).await, Tested::Failed);
    assert_eq!(doubts.suspensions().reason(), Some(Reason::SelfTest));
    let why = doubts.suspensions().all().remove(0).why.unwrap();
    assert!(why.starts_with("http-good should be bad stale in receive and was good ok in receive"), "{why}");
    assert_eq!(decided(&doubts, cases::all).await, Tested::Passed);
    assert_eq!(doubts.suspensions().reason(), None);
    let counted = doubts.suspensions().tests().map(|(_, count)| count);
    assert!(counted[0] == 2 && counted[1] == 1, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_too_busy_decides_nothing() {
    let doubts = Doubts::default();
    let now = Instant::now();
    doubts.note_seen(Own::Processor, now, now + Duration::from_hours(1), "it is busy");
    assert_eq!(tested(&doubts, wrong).await, Tested::Undecided);
    assert_eq!(doubts.suspensions().reason(), None);
    doubts.suspensions().set(Cause::SelfTest, Some("it was wrong"));
    assert_eq!(tested(&doubts, wrong).await, Tested::Undecided);
    assert_eq!(doubts.suspensions().reason(), Some(Reason::SelfTest), "and takes nothing back");
}

/// Runs one case.
async fn run(targets: &Targets, case: Case) -> Option<Mismatch> {
    let root = targets.root.clone();
    let made = tokio::task::spawn_blocking(move || cases::compiled(vec![case], root)).await;
    cases::run(made.unwrap().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_notices_what_it_is_there_for() {
    let targets = Targets::start().await.unwrap();
    let all = cases::all(&targets);
    let number = all.len();
    for index in 0..number {
        // Alone it is as it should be, as soon as the machine lets it.
        let mut seen = None;
        for _ in 0..ROUNDS {
            seen = run(&targets, all[index].clone()).await;
            if seen.is_none() {
                break;
            }
        }
        assert_eq!(seen, None);
        // Each is given the target of the next one: bad where good should be, another error, another phase.
        let next = all[(index + 1) % number].clone();
        let case = Case { text: next.text, timeout: next.timeout, ..all[index].clone() };
        let name = case.name;
        let mismatch = run(&targets, case).await.expect(name);
        assert!(mismatch.what.starts_with(&format!("{name} should be ")), "{mismatch:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_machine_lacks_says_nothing_of_the_build() {
    let targets = Targets::start().await.unwrap();
    let case = cases::all(&targets).remove(0);
    let mut outcome = model::outcome::Outcome::empty(Reason::ProberFault);
    for (error_type, is_ours) in [("local.fd", true), ("local.memory", true), ("local.bug", false)] {
        let class = model::outcome::FailureClass::Local;
        outcome.failure = Some(model::outcome::Failure::new(class, error_type, "it lacks"));
        assert_eq!(cases::judge(&case, &outcome).unwrap().is_ours, is_ours, "{error_type}");
    }
}
