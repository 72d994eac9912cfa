//! How soon a total outage is seen, and how often somebody is woken up for nothing: trials by chance, with a seed.
//!
//! The trials use the policy's own numbers on exact counts: streaks, quorum, windows, floors and regions. A run counts
//! when it begins; its own duration and the next tick of the evaluator come on top. The same seed gives the same answer.
//! Deliberately absent: maintenance, late events, and everything that is no page by outage or burn.

mod chance;
mod judge;

use std::time::Duration;

use model::policy::Policy;

use chance::Chance;
use judge::{Bad, Judge};

/// Runs of one scenario in one region.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Beat {
    /// Which region, counted from 0.
    pub region: usize,
    /// The distance of two runs.
    pub interval: Duration,
    /// When the first run of each interval is, from its start on.
    pub phase: Duration,
}

/// What is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The policy.
    pub policy: Policy,
    /// In how many regions it must be bad for an outage.
    pub quorum: u32,
    /// Whether there is an objective, and so a budget that burns.
    pub burns: bool,
    /// What runs; at least one.
    pub beats: Vec<Beat>,
    /// The share of runs that fail by chance while all is well.
    pub background: f64,
}

/// How long a total outage goes on before it pages.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Detection {
    /// The mean.
    pub mean: Duration,
    /// Within this in 95 of 100 cases.
    pub most: Duration,
    /// The share of outages that the quorum saw first; the others were seen by the burn.
    pub by_quorum: f64,
}

/// How often somebody is woken up for nothing.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct FalsePages {
    /// Pages in 30 days, in the mean.
    pub a_month: f64,
    /// The months that were simulated.
    pub months: u32,
    /// Failed runs in 30 days, in the mean.
    pub failures_a_month: f64,
}

/// The failure rate that the design's figures are for: 1 run of 2000.
pub const BACKGROUND: f64 = 0.000_5;
/// What chance begins with; any number would do.
pub const SEED: u64 = 0x5eed;
/// Failed runs that a simulation of months is cut off at.
const FAILURES_MAX: f64 = 300_000.0;
const MONTH: f64 = 30.0 * 86_400.0;

impl Setting {
    /// One scenario in all regions of the policy, evenly spread over the interval.
    pub fn even(policy: Policy, background: f64) -> Self {
        let beat = |region: u32| Beat {
            region: region as usize,
            interval: policy.interval,
            phase: policy.interval.mul_f64(f64::from(region) / f64::from(policy.regions.max(1))),
        };
        let beats = (0..policy.regions.max(1)).map(beat).collect();
        Self { policy, quorum: policy.quorum(), burns: true, beats, background }
    }

    /// The longest window that pages.
    fn longest(&self) -> f64 {
        self.policy.fast().long.max(self.policy.slow().long).as_secs_f64()
    }

    /// How soon a total outage pages, over so many trials; `None` if it never does within three days.
    pub fn detection(&self, trials: u32, seed: u64) -> Option<Detection> {
        let mut chance = Chance::new(seed);
        let mut seen: Vec<(f64, bool)> = Vec::with_capacity(trials as usize);
        for _ in 0..trials.max(1) {
            seen.push(self.one_outage(&mut chance)?);
        }
        seen.sort_by(|one, other| one.0.total_cmp(&other.0));
        let count = seen.len();
        let mean = seen.iter().map(|(after, _)| after).sum::<f64>() / count as f64;
        let most = seen[(count * 95 / 100).min(count - 1)].0;
        let by_quorum = seen.iter().filter(|(_, quorum)| *quorum).count() as f64 / count as f64;
        let duration = Duration::from_secs_f64;
        Some(Detection { mean: duration(mean), most: duration(most), by_quorum })
    }

    /// Seconds from the start of one total outage to its page, and whether the quorum saw it.
    fn one_outage(&self, chance: &mut Chance) -> Option<(f64, bool)> {
        let slowest = self.beats.iter().map(|beat| beat.interval.as_secs_f64()).fold(1.0, f64::max);
        // Any moment of any interval.
        let start = self.longest() + slowest * (2.0 + 1_000.0 * chance.share());
        let mut judge = Judge::new(self);
        for bad in self.failures(start - self.longest(), start, chance) {
            judge.take(bad);
        }
        let mut next: Vec<f64> = self.beats.iter().map(|beat| first_from(beat, start)).collect();
        let last = start + (3.0 * 86_400.0_f64).max(slowest * 20.0);
        loop {
            let (index, at) =
                next.iter().copied().enumerate().min_by(|one, other| one.1.total_cmp(&other.1))?;
            if at > last {
                return None;
            }
            next[index] = at + self.beats[index].interval.as_secs_f64();
            judge.take(Bad { at, beat: index });
            if let Some(by_quorum) = judge.pages(at) {
                return Some((at - start, by_quorum));
            }
        }
    }

    /// How often chance alone pages, over as many months as `months_max` and patience allow.
    pub fn false_pages(&self, months_max: u32, seed: u64) -> FalsePages {
        let runs: f64 = self.beats.iter().map(|beat| MONTH / beat.interval.as_secs_f64()).sum();
        let failures = runs * self.background;
        let patient = if failures > 0.0 { FAILURES_MAX / failures } else { f64::from(months_max) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to a u32")]
        let months = patient.clamp(1.0, f64::from(months_max.max(1))) as u32;
        let mut chance = Chance::new(seed);
        let end = MONTH * f64::from(months);
        let mut judge = Judge::new(self);
        let (mut pages, mut firing_until, mut failed) = (0_u32, f64::NEG_INFINITY, 0_u32);
        // A page ends with its short window; what comes later is another one.
        let ends = self.policy.slow().short.as_secs_f64();
        for bad in self.failures(0.0, end, &mut chance) {
            failed += 1;
            judge.take(bad);
            if judge.pages(bad.at).is_some() {
                pages += u32::from(bad.at > firing_until);
                firing_until = bad.at + ends;
            }
        }
        let months_counted = f64::from(months);
        FalsePages {
            a_month: f64::from(pages) / months_counted,
            months,
            failures_a_month: f64::from(failed) / months_counted,
        }
    }

    /// The runs of `[from, to)` that fail by chance, in order.
    fn failures(&self, from: f64, to: f64, chance: &mut Chance) -> Vec<Bad> {
        let mut all = Vec::new();
        for (index, beat) in self.beats.iter().enumerate() {
            let interval = beat.interval.as_secs_f64();
            let mut at = first_from(beat, from);
            loop {
                // How many runs pass before the next one fails.
                at += chance.until(self.background) * interval;
                if at >= to || !at.is_finite() {
                    break;
                }
                all.push(Bad { at, beat: index });
                at += interval;
            }
        }
        all.sort_by(|one, other| one.at.total_cmp(&other.at));
        all
    }
}

/// The first run at or after `from`.
fn first_from(beat: &Beat, from: f64) -> f64 {
    let (interval, phase) = (beat.interval.as_secs_f64(), beat.phase.as_secs_f64());
    let whole = ((from - phase) / interval).ceil();
    phase + whole * interval
}

#[cfg(test)]
mod tests {
    use model::objective::Share;

    use super::*;

    fn policy(seconds: u64, millionths: u32, regions: u32) -> Policy {
        let target = Share::of_millionths(millionths).expect("a share");
        Policy { interval: Duration::from_secs(seconds), regions, target }
    }

    /// The table of the design: mean detection with 4 regions at 99.9 %, and 1 of 2000 runs failing anyway.
    #[test]
    fn detection_is_what_the_design_says() {
        for (seconds, expected) in [(10, 14.0), (30, 41.0), (60, 66.0), (300, 5.3 * 60.0)] {
            let setting = Setting::even(policy(seconds, 999_000, 4), BACKGROUND);
            let found = setting.detection(4_000, SEED).expect("it is seen");
            let mean = found.mean.as_secs_f64();
            assert!((mean - expected).abs() < expected * 0.025, "{seconds} s: {mean}");
            assert!(found.most >= found.mean && found.most.as_secs_f64() < expected * 1.6, "{found:?}");
            assert_eq!(
                setting.detection(50, SEED),
                setting.detection(50, SEED),
                "the same seed, the same answer"
            );
        }
        // The quorum is what sees it where runs are many, and the burn where they are few.
        let by_quorum = |seconds| {
            Setting::even(policy(seconds, 999_000, 4), 0.0).detection(200, SEED).map(|found| found.by_quorum)
        };
        assert_eq!((by_quorum(10), by_quorum(300)), (Some(1.0), Some(0.0)));
        // One region: three runs in a row, and nothing sooner.
        let one = Setting::even(policy(60, 999_000, 1), 0.0).detection(2_000, SEED).expect("it is seen");
        assert!((one.mean.as_secs_f64() - 150.0).abs() < 3.0, "{one:?}");
    }

    /// At most 0.13 false pages a month at 4 regions, whatever interval and objective.
    #[test]
    fn false_pages_are_as_rare_as_the_design_says() {
        for seconds in [10, 30, 60, 300] {
            for millionths in [990_000, 995_000, 999_000, 999_500] {
                let setting = Setting::even(policy(seconds, millionths, 4), BACKGROUND);
                let found = setting.false_pages(100, SEED);
                assert!(found.a_month <= 0.13, "{seconds} s, {millionths}: {found:?}");
                let expected = 4.0 * MONTH / seconds as f64 * BACKGROUND;
                assert!((found.failures_a_month / expected - 1.0).abs() < 0.05, "{found:?} for {expected}");
            }
        }
        // The simulation can see one: a target that fails one run of ten pages, once and for ever.
        let noisy = Setting::even(policy(60, 999_000, 4), 0.1).false_pages(1, SEED);
        assert!(noisy.a_month >= 1.0, "{noisy:?}");
    }

    #[test]
    fn what_never_fails_never_pages() {
        let setting = Setting::even(policy(60, 999_000, 4), 0.0);
        let found = setting.false_pages(12, SEED);
        assert_eq!((found.months, found.failures_a_month), (12, 0.0));
        let beat = Beat { region: 0, interval: Duration::from_mins(1), phase: Duration::from_secs(7) };
        for (from, first) in [(0.0, 7.0), (7.0, 7.0), (7.5, 67.0), (67.0, 67.0)] {
            assert!((first_from(&beat, from) - first).abs() < 1e-9, "{from}");
        }
    }
}
