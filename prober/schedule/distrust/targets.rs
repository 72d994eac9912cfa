//! The targets as a whole: who turned bad together, and who gives way when there is not enough for all.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use model::outcome::{Outcome, Verdict};
use model::slot::Stream;

use super::judge::Doubt;
use super::mass::{Mass, Target};
use super::second::Second;
use super::{Doubts, Judgement, Ran};

impl Doubts {
    /// Knows these targets from now on, and no others.
    pub fn watch_targets(&self, targets: Vec<Target>) {
        self.lock_mass().watch(targets);
    }

    /// What becomes of a run of a stream: [`Doubts::judge`], and whether it is part of a mass change.
    pub fn judge_of(&self, stream: &Stream, outcome: &Outcome, ran: Ran) -> Judgement {
        let judgement = self.judge(&stream.region, outcome, ran);
        if judgement != Judgement::Stands || outcome.verdict() != Verdict::Bad {
            return judgement;
        }
        let held = self.lock_mass().holds(stream, ran.ended).map(Doubt::correlated);
        held.map_or(Judgement::Stands, Judgement::Doubted)
    }

    /// Whether a run may be held as part of a mass change at all.
    pub fn may_hold(&self) -> bool {
        self.lock_mass().may_hold()
    }

    /// Whether a slot of the stream is not run now, so that those that matter more get open files.
    pub fn sheds(&self, stream: &Stream) -> bool {
        self.files_short.load(Ordering::Relaxed) && self.lock_mass().gives_way(stream)
    }

    /// The names that runs of the region did not find, and that a second resolver is to be asked for.
    pub fn names_wanted(&self, region: &str) -> Vec<Arc<str>> {
        self.lock_second().wanted(region)
    }

    /// Notes what a second resolver said of the name: the `error.type` that it comes to, empty if it is there; `None` if it
    /// said nothing.
    pub fn note_name(&self, region: &str, name: &str, word: Option<&'static str>, at: Instant) {
        self.lock_second().answered(region, name, word, at);
    }

    pub(super) fn lock_second(&self) -> MutexGuard<'_, Second> {
        self.second.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock_mass(&self) -> MutexGuard<'_, Mass> {
        self.mass.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
