//! The words for verdicts and reasons.

use model::event::SliEvent;
use model::outcome::{Mark, Outcome, Reason, Verdict};

/// The word at the start of a run's line, at most [`BADGE_COLUMNS`] long.
pub(super) const fn badge(reason: Reason) -> &'static str {
    match reason {
        Reason::Slow => "SLOW",
        Reason::Stale | Reason::Stalled => "STALE",
        _ => match reason.verdict() {
            Verdict::Good => "PASS",
            Verdict::Bad => "FAIL",
            Verdict::Ineligible => "SKIP",
            Verdict::Missed => "MISS",
        },
    }
}

/// The columns of the longest badge.
pub(super) const BADGE_COLUMNS: usize = 5;

/// What a reason means, as the end of a sentence; empty if the failure says it better.
pub(super) const fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::Ok | Reason::Failed | Reason::Slow | Reason::Stale => "",
        Reason::Stalled => "the value did not advance",
        Reason::Backwards => "the value went backwards",
        Reason::FutureDated => "the value lies in the future",
        Reason::Maintenance => "inside a planned maintenance",
        Reason::Paused => "the scenario is paused",
        Reason::ProberFault => "the prober was at fault, not the target",
        Reason::ConfigFault => "the prober lacks something that the scenario needs",
        Reason::Declared => "the scenario's sli.ineligible matched",
        Reason::Cancelled => "the run was cancelled",
        Reason::Correlated => "too many unrelated targets failed at once",
        Reason::Late => "no run could start in time",
        Reason::Overlap => "the run before was still going",
        Reason::Overload => "too many runs were in flight",
        Reason::ClockStep => "the wall clock jumped over the slot",
        Reason::Drain => "the prober was shutting down or stopped",
        Reason::Interrupted => "the prober died before the event was stored",
        Reason::NoOwner => "no prober owned the slot",
        Reason::Dark => "nothing was heard of the prober that had it",
        Reason::NoLease => "the owner's lease had run out",
        Reason::Spool => "the store could take no more events",
        Reason::Clock => "the prober's clock was too wrong to choose slots by",
        Reason::SelfTest => "the prober had failed its own test",
    }
}

/// What a mark means.
pub(super) const fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::Flaky => "saved by a retry",
        Mark::Warned => "with a warning",
        Mark::TeardownFailed => "the teardown failed",
        Mark::Lagged => "the prober was too busy to measure well",
        Mark::Unvouched => "other probers could not reach the one that ran it; it starts no alert",
        Mark::Settled => "held at first, as most targets turned bad at once; it counts",
    }
}

/// What there is to say about a run in a few words; the most important first.
pub(super) fn remark(outcome: &Outcome) -> String {
    let mut said = Vec::new();
    match outcome.verdict() {
        Verdict::Good => {}
        Verdict::Bad => said.push(where_it_failed(outcome)),
        Verdict::Ineligible | Verdict::Missed => said.push(reason_and_why(outcome)),
    }
    said.extend(outcome.marks.iter().map(|&known| mark(known).to_owned()));
    said.join("; ")
}

/// The failure's sentence, or the meaning of the reason.
pub(crate) fn why(outcome: &Outcome) -> &str {
    outcome.failure.as_ref().map_or(meaning(outcome.reason), |failure| &failure.message)
}

/// `bad: failed`, `missed: late`.
pub(super) fn verdict_and_reason(event: &SliEvent) -> String {
    format!("{}: {}", event.verdict(), event.outcome.reason)
}

/// `step 3 of 3: pay`, for a flow; else what went wrong.
fn where_it_failed(outcome: &Outcome) -> String {
    let failure = outcome.failure.as_ref();
    let failed =
        failure.and_then(|failure| outcome.steps.iter().position(|step| *step.name == *failure.step));
    let count = outcome.steps.iter().filter(|step| !step.teardown).count();
    match failed {
        Some(index) if count > 1 => {
            format!("step {} of {count}: {}", index + 1, outcome.steps[index].name)
        }
        _ => why(outcome).to_owned(),
    }
}

fn reason_and_why(outcome: &Outcome) -> String {
    match why(outcome) {
        "" => outcome.reason.to_string(),
        why => format!("{}: {why}", outcome.reason),
    }
}
