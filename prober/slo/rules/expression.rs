//! `PromQL`, piece by piece.

use std::time::Duration;

use model::objective::{Objective, Share};

/// `{slo="checkout"}`
pub(super) fn selector(slo: &str) -> String {
    format!("{{slo=\"{}\"}}", escaped(slo))
}

/// A text inside the quotes of `PromQL`.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A duration as Prometheus writes it, in its largest whole unit: `5m`, `25m`, `6h`, `3d`, `305s`.
pub(super) fn window(length: Duration) -> String {
    let millis = length.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let (size, unit) = units.into_iter().find(|(size, _)| millis.is_multiple_of(*size)).unwrap_or((1, "ms"));
    format!("{}{unit}", millis / size)
}

/// What may be bad, as a decimal number without a rounding error: `0.001`.
pub(super) fn budget(objective: &Objective) -> String {
    decimal(Share::WHOLE - objective.target.millionths())
}

/// The target as a decimal number: `0.999`.
pub(super) fn target(objective: &Objective) -> String {
    decimal(objective.target.millionths())
}

fn decimal(millionths: u32) -> String {
    let digits = format!("{}.{:06}", millionths / Share::WHOLE, millionths % Share::WHOLE);
    let short = digits.trim_end_matches('0');
    short.strip_suffix('.').unwrap_or(short).to_owned()
}

/// What is compared with `>` for at least so many runs: half a run less, for `increase()` extrapolates.
pub(super) fn floor(runs: u32) -> String {
    format!("{}.5", runs.saturating_sub(1))
}

/// `sum(increase(METRIC{slo="checkout"}[5m]))`
pub(super) fn increase(metric: &str, slo: &str, over: &str) -> String {
    format!("sum(increase({metric}{}[{over}]))", selector(slo))
}

/// `sum(increase(METRIC{slo="checkout"}[1h] offset 30s))`
pub(super) fn increase_before(metric: &str, slo: &str, over: &str, ago: &str) -> String {
    format!("sum(increase({metric}{}[{over}] offset {ago}))", selector(slo))
}

/// `sum(rate(METRIC{slo="checkout"}[5m]))`
pub(super) fn rate(metric: &str, slo: &str, over: &str) -> String {
    format!("sum(rate({metric}{}[{over}]))", selector(slo))
}

/// Whole lines, each `by` spaces further right.
pub(super) fn indented(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    text.lines().map(|line| format!("{pad}{line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_numbers_are_written_exactly() {
        for (seconds, shown) in [(300, "5m"), (1_500, "25m"), (18_000, "5h"), (305, "305s"), (86_400, "1d")] {
            assert_eq!(window(Duration::from_secs(seconds)), shown);
        }
        assert_eq!(window(Duration::from_millis(502_500)), "502500ms");
        let of = |millionths| decimal(millionths);
        assert_eq!(
            [of(1_000), of(500), of(10_000), of(999_500), of(Share::WHOLE)],
            ["0.001", "0.0005", "0.01", "0.9995", "1"]
        );
        assert_eq!([floor(2), floor(5)], ["1.5", "4.5"]);
        assert_eq!(selector("a\"b\\c"), r#"{slo="a\"b\\c"}"#);
    }
}
