//! One step, repeated until something holds, cannot hold any more, or takes too long.

use std::time::{Duration, Instant};

use model::outcome::{Failure, FailureClass};
use model::step::{Part, PollRecord};
use scenario::assertion::{Assertion, Checked};
use scenario::kind::StepOutcome;
use scenario::repeat::PollPlan;
use scenario::units::show_duration;

use super::attempt::{Done, Trying, pause};
use super::now;
use super::tally::{Hops, Sightings};

/// What the polls so far have shown.
struct Seen<'p> {
    plan: &'p PollPlan,
    /// One for each assertion of `until`.
    sightings: Vec<Sightings>,
    /// The last look at each of them; empty if the last poll had no answer.
    last: Vec<Checked>,
    hops: Hops,
    answers: u32,
    count: u32,
    last_status: Option<String>,
    last_duration: Duration,
}

/// What one poll comes to.
enum Verdict {
    /// `until` holds.
    True,
    /// It may come.
    NotYet,
    /// It cannot come any more.
    Never(Failure),
}

impl Trying<'_, '_> {
    /// Asks until `until` holds.
    ///
    /// A poll may begin as long as the poll's time is not over. A request that hangs is cut off then too, but
    /// the last poll has as long as one interval for its answer.
    pub(super) async fn poll(&mut self, plan: &PollPlan) -> Done {
        // A connection that one poll leaves open serves the next one.
        self.net.expect_more(true);
        let over = self.began + plan.timeout;
        let mut seen = Seen::new(plan);
        loop {
            let began = now();
            let end = self.bounds.end.min(over.max(began + plan.every));
            let (mut shown, took) = self.once(end, self.facts.attempt).await;
            let start = began.saturating_duration_since(self.began);
            shown.hops.iter_mut().for_each(|hop| hop.shift(start));
            let verdict = self.verdict(&mut seen, &mut shown, took);
            self.record.poll = Some(seen.record());
            match verdict {
                Verdict::NotYet => {}
                Verdict::True => return self.end(seen, shown, took, None),
                Verdict::Never(failure) => return self.end(seen, shown, took, Some(failure)),
            }
            let next = next_poll(self.began, plan.every, now());
            if next > over || next >= self.bounds.end {
                let passed = now().saturating_duration_since(self.began);
                let after = rounded(passed).min(plan.timeout);
                let failure = seen.too_late(shown.failure.as_ref(), after);
                return self.end(seen, shown, took, Some(failure));
            }
            if pause(next, self.bounds.stop).await {
                (self.record.hops, _) = seen.hops.kept();
                return Done::CutOff;
            }
        }
    }

    /// What one poll comes to; an answer that does not count is left in `shown`.
    fn verdict(&mut self, seen: &mut Seen<'_>, shown: &mut StepOutcome, took: Duration) -> Verdict {
        seen.note(shown, took);
        if let Some(failure) = &shown.failure {
            // This machine's own trouble is no answer of the target; asking again would only hide it.
            seen.no_answer(failure);
            let ours = failure.class == FailureClass::Local;
            return if ours { Verdict::Never(failure.clone()) } else { Verdict::NotYet };
        }
        let observed = self.judge.observed(self.step, shown, took);
        seen.last = seen.plan.until.iter().map(|assertion| assertion.check(&observed)).collect();
        for (sightings, checked) in seen.sightings.iter_mut().zip(&seen.last) {
            sightings.add(checked.actual.to_string());
        }
        if seen.last.iter().all(|checked| checked.pass) {
            return Verdict::True;
        }
        let stops: Vec<_> = seen.plan.stop_if.iter().map(|assertion| assertion.check(&observed)).collect();
        if stops.is_empty() || !stops.iter().all(|checked| checked.pass) {
            return Verdict::NotYet;
        }
        let failure = seen.stopped(&stops);
        for (assertion, checked) in seen.plan.stop_if.iter().zip(stops) {
            self.judge.keep(assertion.record(&self.step.name, Part::StopIf, checked));
        }
        Verdict::Never(failure)
    }

    fn end(
        &mut self,
        seen: Seen<'_>,
        mut shown: StepOutcome,
        took: Duration,
        failure: Option<Failure>,
    ) -> Done {
        for (assertion, record) in seen.plan.until.iter().zip(seen.assertions()) {
            let (pass, actual) = record;
            self.judge.keep(assertion.noted(&self.step.name, Part::Until, pass, actual.into()));
        }
        seen.last.iter().for_each(|checked| self.judge.note_age(checked));
        let (hops, left_out) = seen.hops.kept();
        if let Some(poll) = &mut self.record.poll {
            poll.hops_left_out = left_out;
        }
        shown.hops = hops;
        shown.failure = failure;
        Done::Shown(shown, took)
    }
}

impl<'p> Seen<'p> {
    fn new(plan: &'p PollPlan) -> Self {
        Self {
            plan,
            sightings: plan.until.iter().map(|_| Sightings::default()).collect(),
            last: Vec::new(),
            hops: Hops::default(),
            answers: 0,
            count: 0,
            last_status: None,
            last_duration: Duration::ZERO,
        }
    }

    fn note(&mut self, shown: &mut StepOutcome, took: Duration) {
        self.count = self.count.saturating_add(1);
        self.last_duration = took;
        if shown.failure.is_none() {
            self.answers = self.answers.saturating_add(1);
            self.last_status = shown.hops.last().and_then(|hop| hop.status.clone()).map(String::from);
        }
        self.hops.add(std::mem::take(&mut shown.hops));
    }

    fn no_answer(&mut self, failure: &Failure) {
        self.last.clear();
        for sightings in &mut self.sightings {
            sightings.add(format!("no answer: {}", failure.error_type));
        }
    }

    /// Whether each assertion of `until` held at last, and what was there.
    fn assertions(&self) -> Vec<(bool, String)> {
        let held = |index: usize| self.last.get(index).is_some_and(|checked| checked.pass);
        self.sightings.iter().enumerate().map(|(index, seen)| (held(index), seen.shown())).collect()
    }

    fn record(&self) -> PollRecord {
        PollRecord {
            count: self.count,
            hops_left_out: 0,
            last_status: self.last_status.clone(),
            last_duration: self.last_duration,
        }
    }

    fn polls(&self) -> String {
        format!("{} poll{}", self.count, if self.count == 1 { "" } else { "s" })
    }

    /// `still not true after 30s (31 polls): json $.status is "pending" (31×), expected "confirmed"`.
    fn too_late(&self, last: Option<&Failure>, after: Duration) -> Failure {
        let head = format!("still not true after {} ({})", show_duration(after), self.polls());
        if let (0, Some(last)) = (self.answers, last) {
            let message = format!("{head}: there was no answer, at last: {}", last.message);
            return Failure::new(last.class, last.error_type.clone(), message);
        }
        let broken = self.assertions().into_iter().zip(&self.plan.until).find(|((pass, _), _)| !pass);
        let what = broken.map_or_else(String::new, |((_, actual), assertion)| {
            format!(": {} is {actual}, expected {}", assertion.name(), assertion.expected())
        });
        let answer = match (last, &self.last_status) {
            (Some(last), _) => format!("; no answer at last: {}", last.message),
            (None, Some(status)) => {
                format!("; last answer {status}, {}", show_duration(millis(self.last_duration)))
            }
            (None, None) => format!("; last answer after {}", show_duration(millis(self.last_duration))),
        };
        Failure::new(FailureClass::Timeout, "timeout", format!("{head}{what}{answer}"))
    }

    /// `stopped after 3 polls: json $.status is "rejected" (stop_if: one of "rejected", "cancelled")`.
    fn stopped(&self, stops: &[Checked]) -> Failure {
        let why = |(assertion, checked): (&Assertion, &Checked)| {
            format!("{} is {} (stop_if: {})", assertion.name(), checked.actual, assertion.expected())
        };
        let why: Vec<_> = self.plan.stop_if.iter().zip(stops).map(why).collect();
        let message = format!("stopped after {}: {}", self.polls(), why.join("; "));
        Failure::new(FailureClass::Incorrect, "assert.stop_if", message)
    }
}

/// The start of the next poll: a multiple of `every` after the first; a slow answer skips some.
fn next_poll(began: Instant, every: Duration, now: Instant) -> Instant {
    let passed = now.saturating_duration_since(began).as_nanos();
    let every = every.as_nanos().max(1);
    let next = (passed / every + 1).saturating_mul(every);
    began + Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX))
}

fn millis(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// To whole seconds, as the author writes limits; shorter ones to milliseconds.
fn rounded(duration: Duration) -> Duration {
    if duration < Duration::from_secs(1) { millis(duration) } else { Duration::from_secs(duration.as_secs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_keep_their_rhythm() {
        let began = Instant::now();
        let ms = Duration::from_millis;
        for (passed, next) in [(0, 1_000), (999, 1_000), (1_000, 2_000), (1_300, 2_000), (7_001, 8_000)] {
            assert_eq!(next_poll(began, ms(1_000), began + ms(passed)), began + ms(next), "{passed}");
        }
    }
}
