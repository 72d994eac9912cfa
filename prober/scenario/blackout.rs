//! Maintenances that together leave no slot: each of them ends, and another one has begun by then.
//!
//! Looked at over more than a year from a fixed day on, so that a file is right or wrong whatever the day.

use std::sync::Arc;
use std::time::Duration;

use croner::Cron;
use croner::parser::CronParser;
use jiff::tz::TimeZone;
use model::maintenance::{Effect, Maintenance, When};
use model::slot::Cadence;
use model::time::Timestamp;

use crate::diagnostic::{Diagnostic, Report};
use crate::maintenance::is_endless;
use crate::tree::Node;

/// Where the look begins: 2026-01-01.
const FROM: Timestamp = Timestamp::from_seconds(1_767_225_600);
/// How far it goes: every day of a year, and of the month after it.
const HORIZON: Duration = Duration::from_hours(400 * 24);
/// The most windows that are gone through; beyond them nothing is said.
const WINDOWS_MAX: usize = 2_000;

/// A cron expression in its zone.
struct Recurrence {
    cron: Cron,
    zone: TimeZone,
}

/// Warns if every slot of the scenario lies in one of the maintenances; one that alone never ends is warned of already.
pub(crate) fn check(root: &Node, cadence: &Cadence, windows: &[&Arc<Maintenance>], report: &mut Report) {
    let mut recurring = Vec::new();
    for window in windows.iter().filter(|window| window.effect != Effect::Mute) {
        let When::Recurring { expression, timezone, duration } = &window.when else { continue };
        if is_endless(expression, timezone, *duration) {
            return;
        }
        recurring.extend(Recurrence::new(expression, timezone).map(|recurrence| (recurrence, *duration)));
    }
    if recurring.is_empty() {
        return;
    }
    let slots = match cadence {
        Cadence::Every { .. } => None,
        Cadence::Cron { expression, timezone } => match Recurrence::new(expression, timezone) {
            Some(slots) => Some(slots),
            None => return,
        },
    };
    if !takes_all(slots.as_ref(), &recurring) {
        return;
    }
    let key = |name: &str| root.map()?.iter().find(|(key, _)| key.value == name).map(|(key, _)| key.span);
    let Some(at) = key("cron").or_else(|| key("every")).or_else(|| key("name")) else { return };
    let problem = Diagnostic::warning("W355", at, "every slot lies in a maintenance, so that none counts");
    let problem = problem.help("leave time between the maintenances, or remove the scenario");
    report.push(match key("maintenance") {
        Some(windows) => problem.other(windows, "these are in turn, or all of its starts are inside"),
        None => problem,
    });
}

/// Whether each slot, or each instant where slots are anywhere, lies in a window.
fn takes_all(slots: Option<&Recurrence>, windows: &[(Recurrence, Duration)]) -> bool {
    let (mut at, end) = (FROM, FROM.plus(HORIZON));
    for _ in 0..WINDOWS_MAX {
        if let Some(slots) = slots {
            // The one at that very instant counts.
            match slots.after(at.minus(Duration::from_secs(1))) {
                Some(next) if next < end => at = next,
                _ => return at > FROM,
            }
        }
        match windows.iter().filter_map(|(begins, duration)| inside(begins, *duration, at)).max() {
            Some(until) if until >= end => return true,
            Some(until) => at = until,
            None => return false,
        }
    }
    false
}

/// When the window that is open at `at` ends; `None` if none is.
fn inside(begins: &Recurrence, duration: Duration, at: Timestamp) -> Option<Timestamp> {
    let begin = begins.after(at.minus(duration))?;
    (begin <= at).then(|| begin.plus(duration))
}

impl Recurrence {
    fn new(expression: &str, timezone: &str) -> Option<Self> {
        let cron = CronParser::new().parse(expression).ok()?;
        Some(Self { cron, zone: TimeZone::get(timezone).ok()? })
    }

    /// The first occurrence after `at`.
    fn after(&self, at: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&at.jiff().to_zoned(self.zone.clone()), false).ok()?;
        Some(next.timestamp().into())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::compiled;

    fn check(cadence: &str, maintenance: &[(&str, &str)], is_told: bool) {
        let windows: Vec<_> = (0..)
            .zip(maintenance)
            .map(|(index, (cron, rest))| format!("  - {{ name: m{index}, cron: \"{cron}\", {rest} }}\n"))
            .collect();
        let windows = windows.concat();
        let file = format!("name: a\naim: A.\n{cadence}\nhttp: https://x.example\nmaintenance:\n{windows}");
        let found: Vec<_> = compiled("", &[&file]).diagnostics.iter().map(|one| one.code).collect();
        let expected: &[&str] = if is_told { &["W355"] } else { &[] };
        assert_eq!(found, expected, "{cadence} {maintenance:?}");
    }

    #[test]
    fn windows_that_leave_no_slot() {
        let halves = |second: &'static str| [("0 0 * * *", "duration: 12h"), ("0 12 * * *", second)];
        check("every: 1m", &halves("duration: 12h"), true);
        check("every: 1m", &halves("duration: 11h"), false);
        check("every: 1m", &halves("duration: 12h, effect: mute"), false);
        check("every: 1m", &halves("duration: 12h, effect: pause"), true);
        check("every: 1m", &halves("duration: 12h, timezone: Europe/Berlin"), false);
        check("cron: \"0 3 * * *\"", &[("0 2 * * *", "duration: 2h")], true);
        check("cron: \"0 3 * * *\"", &[("0 3 * * *", "duration: 1m")], true);
        check("cron: \"0 3 * * *\"", &[("0 2 * * *", "duration: 1h")], false);
        check("cron: \"0 3 * * *\"", &[("0 2 1-28 * *", "duration: 2h")], false);
        check(
            "cron: \"*/5 3 * * *\"",
            &[("0 3 * * *", "duration: 30m"), ("30 3 * * *", "duration: 30m")],
            true,
        );
        check("cron: \"0 3 * * *\"\ntimezone: Europe/Berlin", &[("0 1 * * *", "duration: 30m")], false);
        // One that alone never ends has its own warning.
        check("every: 1m", &[("0 * * * *", "duration: 1h"), ("0 0 * * *", "duration: 12h")], true);
    }
}
