//! Medians, percentiles and goals.

use std::fmt;

/// Median, least and most of several values.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of `values`; at least one.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (values.first().copied(), values.last().copied()) else {
            panic!("a spread of nothing")
        };
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Self { median, min, max }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.2} ({:.2}–{:.2})", self.median, self.min, self.max)
    }
}

/// The value below which the share `of_one` of `sorted` lies; 0 for an empty list.
pub(crate) fn percentile(sorted: &[f64], of_one: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index inside the list")]
    let index = (sorted.len().saturating_sub(1) as f64 * of_one).round() as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}

/// What a goal came to, in one word.
pub(crate) const fn held(holds: bool) -> &'static str {
    if holds { "holds" } else { "MISSED" }
}
