//! What is kept of each region of a promise.

use std::sync::Arc;
use std::time::Duration;

use model::time::Timestamp;

use crate::bytes::{Broken, In, Out};
use crate::count::{Count, Tally};
use crate::evidence::Evidence;
use crate::ring::Ring;
use crate::streak::{Run, Streak};

/// One region of one promise.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) name: Arc<str>,
    pub(crate) streak: Streak,
    /// The start of the newest slot that was bad, in milliseconds: all, and those known in time.
    pub(crate) last_bad: Option<i64>,
    pub(crate) last_firm_bad: Option<i64>,
    /// The end of the newest eligible run, in milliseconds.
    pub(crate) last_eligible: Option<i64>,
    pub(crate) evidence: Option<Evidence>,
    /// Good and bad runs of the last six hours.
    recent: Ring,
}

/// Five minutes for six hours, and one more for the bucket that is not full yet.
const STEP: i64 = 300_000;
const BUCKETS: usize = 73;

/// One slot, as a region sees it.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) run: Run,
    pub(crate) finished: i64,
    pub(crate) evidence: Option<&'a Evidence>,
}

impl Region {
    pub(crate) fn new(name: Arc<str>, longest: u32) -> Self {
        Self {
            name,
            streak: Streak::new(longest),
            last_bad: None,
            last_firm_bad: None,
            last_eligible: None,
            evidence: None,
            recent: Ring::new(STEP, BUCKETS),
        }
    }

    /// Takes in an eligible run.
    pub(crate) fn add(&mut self, seen: &Seen<'_>) {
        let Run { scheduled, bad, late, .. } = seen.run;
        self.streak.add(seen.run);
        self.last_eligible = self.last_eligible.max(Some(seen.finished));
        self.recent.add(scheduled, if bad { Count::Bad } else { Count::Good });
        if !bad {
            return;
        }
        self.last_bad = self.last_bad.max(Some(scheduled));
        if !late {
            self.last_firm_bad = self.last_firm_bad.max(Some(scheduled));
        }
        if let Some(evidence) = seen.evidence.filter(|evidence| evidence.is_newer(self.evidence.as_ref())) {
            self.evidence = Some(evidence.clone());
        }
    }

    /// Good and bad runs of about the last `window`, at most six hours.
    pub(crate) fn last(&self, window: Duration, now: Timestamp) -> Tally {
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        self.recent.tally_from(now.as_millis().saturating_sub(window).div_euclid(STEP) * STEP)
    }

    pub(crate) fn rewind(&mut self, at: Timestamp) {
        let at = at.as_millis();
        self.recent.rewind(at);
        self.streak.rewind(at);
        for time in [&mut self.last_bad, &mut self.last_firm_bad, &mut self.last_eligible] {
            *time = time.map(|time| time.min(at));
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.name.len()
            + self.streak.heap_bytes()
            + self.recent.heap_bytes()
            + self.evidence.as_ref().map_or(0, Evidence::heap_bytes)
    }

    pub(crate) fn write(&self, out: &mut Out) {
        out.text(&self.name);
        self.streak.write(out);
        for time in [self.last_bad, self.last_firm_bad, self.last_eligible] {
            out.some(time, Out::signed);
        }
        out.some(self.evidence.as_ref(), |out, evidence| evidence.write(out));
        self.recent.write(out);
    }

    pub(crate) fn read(longest: u32, from: &mut In<'_>) -> Result<Self, Broken> {
        let name = from.text()?;
        let streak = Streak::read(longest, from)?;
        let mut region = Self { streak, ..Self::new(name, longest) };
        for time in [&mut region.last_bad, &mut region.last_firm_bad, &mut region.last_eligible] {
            *time = from.some(In::signed)?;
        }
        region.evidence = from.some(Evidence::read)?;
        region.recent.read(from)?;
        Ok(region)
    }
}
