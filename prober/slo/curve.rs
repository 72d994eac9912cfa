//! How a budget came to what it is: the share that was left, at moments of its window.

use std::time::Duration;

use model::objective::Window;
use model::time::Timestamp;

use crate::state::Slo;

/// Moments of one curve at most.
const POINTS: usize = 120;
/// Windows of fewer hours have no curve: bad runs are kept by the hour.
const HOURS_LEAST: usize = 12;
const HOUR: Duration = Duration::from_hours(1);

impl Slo {
    /// The share of the budget that was left at moments of the window, the oldest first and the last one now.
    ///
    /// Counted by whole hours and against what the window allows now; nothing is said of the time before the promise.
    pub(crate) fn curve(&self, now: Timestamp) -> Vec<(Timestamp, f32)> {
        let (Some(budget), Some(objective)) = (self.budget(now), &self.promise.objective) else {
            return Vec::new();
        };
        let (span, is_rolling) = match (&objective.window, self.kept.going) {
            (Window::Rolling(length), _) => (*length, true),
            (Window::Calendar { .. }, Some(going)) => (now.since(going.from), false),
            (Window::Calendar { .. }, None) => return Vec::new(),
        };
        let hours = usize::try_from(span.as_secs().div_ceil(3_600)).unwrap_or(usize::MAX);
        if hours < HOURS_LEAST || budget.allowed <= 0.0 {
            return Vec::new();
        }
        let mut sums = vec![0_u64];
        for bad in self.kept.history.bad_by_hour(hours.saturating_mul(2)) {
            sums.push(sums[sums.len() - 1] + u64::from(bad));
        }
        let newest = sums.len() - 1;
        let step = hours.div_ceil(POINTS);
        let mut points = Vec::with_capacity(POINTS + 1);
        for back in (0..hours).step_by(step).rev().filter(|back| *back > 0 && *back < newest) {
            let at = now.minus(HOUR * u32::try_from(back).unwrap_or(u32::MAX));
            if at < self.begin() {
                continue;
            }
            let (end, first) = (newest - back, newest.saturating_sub(hours));
            let from = if is_rolling { end.saturating_sub(hours) } else { first };
            let bad = sums[end.max(from)] - sums[from];
            points.push((at, share(1.0 - bad as f64 / budget.allowed)));
        }
        points.push((now, share(budget.remaining())));
        points
    }
}

/// A float of half the size: it is for a picture.
#[expect(clippy::cast_possible_truncation, reason = "a picture has some hundred steps")]
fn share(left: f64) -> f32 {
    left.clamp(-10.0, 1.0) as f32
}
