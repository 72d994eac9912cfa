//! The prober's own test: whether it tells good from bad, on targets of its own whose answers are known.
//!
//! Scenarios as they stand in files are compiled and run against servers in this process on loopback, by the code that runs
//! every scenario. What comes out must be what each target was made for: verdict, reason, phase, and a delay at least
//! as long as the target waited. A build that fails it again and again runs no slots, so that nobody hears of verdicts that
//! mean nothing. A machine that is too busy, or lacks something, decides nothing: it is tested again.

mod cases;
mod targets;

use std::sync::Arc;
use std::time::{Duration, Instant};

use schedule::distrust::Doubts;
use schedule::distrust::suspend::{Cause, Tested};
use tokio_util::sync::CancellationToken;

use super::parts::Parts;
use cases::{Case, Mismatch};
use targets::Targets;

/// How often it is tested while all is well.
const EVERY: Duration = Duration::from_hours(1);
/// The same while it is not, or is not known.
const AGAIN: Duration = Duration::from_mins(1);
/// How often in a row it must go wrong before that is believed.
const FAILS: u32 = 3;
/// How often it is tried at most until it is known.
const TRIES: u32 = 4;
/// The pause between two tries, and between two looks at what the machine says of the last one.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the machine's own words about a try are waited for: it is looked at once a second.
const WORD_MAX: Duration = Duration::from_secs(3);
/// How often a timer of the runtime is looked at meanwhile.
const TICK: Duration = Duration::from_millis(20);
/// How late one may be before what was measured meanwhile says nothing: half of what the shortest case may take.
const LATE_MAX: Duration = Duration::from_millis(50);

/// What is tested: the cases, and the targets that they are made for.
type Suite = fn(&Targets) -> Vec<Case>;

/// Tests now, before anything is run, and again and again from then on.
pub(crate) async fn begin(parts: &mut Parts) {
    let last = tested(&parts.doubts, cases::all).await;
    let (doubts, stop) = (Arc::clone(&parts.doubts), parts.rest_stop.clone());
    parts.rest.spawn(watch(doubts, last, stop));
}

/// Tests until `stop`; the first test has just ended so.
async fn watch(doubts: Arc<Doubts>, mut last: Tested, stop: CancellationToken) {
    let testing = async {
        loop {
            tokio::time::sleep(if last == Tested::Passed { EVERY } else { AGAIN }).await;
            last = tested(&doubts, cases::all).await;
        }
    };
    let _stopped = Box::pin(stop.run_until_cancelled(testing)).await;
}

/// Tests, and notes what came of it.
async fn tested(doubts: &Doubts, suite: Suite) -> Tested {
    let (tested, why) = tries(doubts, suite).await;
    let suspensions = doubts.suspensions();
    suspensions.count_test(tested);
    match tested {
        Tested::Passed => suspensions.set(Cause::SelfTest, None),
        Tested::Failed => suspensions.set(Cause::SelfTest, Some(&why)),
        Tested::Undecided => tracing::warn!(why, "the prober could not test itself; it tries again"),
    }
    tested
}

/// Tries until it is known; what went wrong last, if something did.
async fn tries(doubts: &Doubts, suite: Suite) -> (Tested, String) {
    let (mut failed, mut why) = (0, String::new());
    for number in 0..TRIES {
        if number > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let began = Instant::now();
        let mismatch = match once(suite).await {
            Ok(None) => return (Tested::Passed, String::new()),
            Ok(Some(mismatch)) => mismatch,
            Err(error) => Mismatch { what: format!("its own targets: {error}"), is_ours: true },
        };
        let is_in_doubt = mismatch.is_ours || was_short(doubts, (began, Instant::now())).await;
        tracing::debug!(mismatch.what, is_in_doubt, "a try of the prober's own test went wrong");
        why = mismatch.what;
        failed = if is_in_doubt { 0 } else { failed + 1 };
        if failed == FAILS {
            return (Tested::Failed, why);
        }
    }
    (Tested::Undecided, why)
}

/// Runs every case once; gives the first that did not end as it should.
async fn once(suite: Suite) -> Result<Option<Mismatch>, String> {
    let targets = Targets::start().await?;
    let cases = suite(&targets);
    let scenarios = {
        let root = targets.root.clone();
        // Compiling, and reading the system's authorities: not on a thread that measures.
        tokio::task::spawn_blocking(move || cases::compiled(cases, root)).await
    };
    let scenarios = scenarios.map_err(|error| error.to_string())??;
    let mut late = Duration::ZERO;
    let mismatch = tokio::select! {
        mismatch = cases::run(scenarios) => mismatch,
        () = ticks(&mut late) => None,
    };
    // A timer that fired late says that whoever measured waited as well; half of the shortest deadline is too much.
    let mark = |mismatch: Mismatch| Mismatch { is_ours: mismatch.is_ours || late > LATE_MAX, ..mismatch };
    Ok(mismatch.map(mark))
}

/// Notes how late timers fire; never ends.
async fn ticks(late: &mut Duration) {
    loop {
        let planned = Instant::now() + TICK;
        tokio::time::sleep_until(planned.into()).await;
        *late = (*late).max(planned.elapsed());
    }
}

/// Whether the machine was short of something meanwhile, or does not say.
async fn was_short(doubts: &Doubts, (from, to): (Instant, Instant)) -> bool {
    let end = Instant::now() + WORD_MAX;
    loop {
        match doubts.was_short(from, to) {
            Some(short) => return short,
            None if Instant::now() >= end => return true,
            None => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests;
