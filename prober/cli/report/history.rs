//! Beside the week: the quarter before it, what adjustments took out of budgets, and whom alerts did not reach.

use std::path::Path;
use std::sync::Arc;

use model::time::Timestamp;
use slo::promise::Promise;
use slo::standing::{AdjustmentStanding, Standing};
use store::{Outbox, QueuedDelivery};

use super::document::{Cell, Section};
use super::sections::{count, exact, percent, time};
use super::week::Week;
use crate::cli::slo::standings::evaluator;
use crate::exit::Stop;

/// How many weeks are shown: a quarter.
const WEEKS: u32 = 13;

/// Good and bad runs of each promise, week by week.
pub(super) type Weeks = Vec<(Arc<str>, Vec<(u64, u64)>)>;

/// The last weeks before `until`, as far as they are kept.
pub(super) fn weeks(dir: &Path, promises: &[Promise], until: Timestamp) -> Result<Weeks, Stop> {
    let found = evaluator(dir, promises, until)?;
    Ok(found.map(|evaluator| evaluator.by_week(until, WEEKS)).unwrap_or_default())
}

/// What each objective attained, week by week.
pub(super) fn section(week: &Week, weeks: &Weeks) -> Section {
    let row = |promise: &Promise| {
        let objective = promise.objective.as_ref()?;
        let (_, counts) = weeks.iter().find(|(name, _)| *name == promise.name)?;
        let attained: Vec<Option<f64>> = counts
            .iter()
            .map(|(good, bad)| (good + bad > 0).then(|| *good as f64 / (good + bad) as f64))
            .collect();
        let target = 1.0 - objective.target.rest();
        let is_below = |share: f64| share < target - 1e-9;
        let below = attained.iter().flatten().filter(|share| is_below(**share)).count();
        let known = attained.iter().flatten().count();
        let cell = |share: &Option<f64>| match share {
            None => Cell::none(),
            // Never colour or a sign alone: the number says it as well.
            Some(share) => {
                let mark = if is_below(*share) { " ✗" } else { "" };
                Cell { shown: format!("{}{mark}", exact(*share).shown), ..exact(*share) }
            }
        };
        let mut cells = vec![
            Cell::text(&*promise.name),
            Cell::text(objective.target.to_string()),
            Cell::shown(below, format!("{below} of {known}")),
        ];
        cells.extend(attained.iter().map(cell));
        Some(cells)
    };
    Section {
        key: "weeks",
        title: "The last 13 weeks",
        note: "What was attained in each week, this one last; ✗ is below the objective's share, whatever its window."
            .to_owned(),
        columns: &[
            ("slo", "SLO"),
            ("objective", "Objective"),
            ("below", "Weeks below"),
            ("week_12", "-12"),
            ("week_11", "-11"),
            ("week_10", "-10"),
            ("week_9", "-9"),
            ("week_8", "-8"),
            ("week_7", "-7"),
            ("week_6", "-6"),
            ("week_5", "-5"),
            ("week_4", "-4"),
            ("week_3", "-3"),
            ("week_2", "-2"),
            ("week_1", "-1"),
            ("week_0", "This"),
        ],
        rows: week.promises.iter().filter_map(row).collect(),
        empty: "Nothing is stored of any objective.",
    }
}

/// What does not count although it ran, who says so, and why.
pub(super) fn adjustments(week: &Week) -> Section {
    let all =
        week.after.iter().flat_map(|standing| standing.adjustments.iter().map(move |one| (standing, one)));
    let row = |(standing, one): (&Standing, &AdjustmentStanding)| {
        let adjustment = &one.adjustment;
        let hours = adjustment.to.since(adjustment.from).as_secs_f64() / 3_600.0;
        vec![
            Cell::text(&*standing.name),
            time(adjustment.from),
            Cell::shown(hours, format!("{hours:.1} h")),
            count(one.taken.good()),
            count(one.taken.bad()),
            one.gives_back.map_or_else(Cell::none, percent),
            Cell::text(&*adjustment.author),
            time(adjustment.added),
            Cell::text(&*adjustment.reason),
        ]
    };
    Section {
        key: "adjustments",
        title: "Adjustments",
        note: "Runs of the past that do not count, because somebody said so; they were seen and are stored all the same."
            .to_owned(),
        columns: &[
            ("slo", "SLO"),
            ("from", "From (UTC)"),
            ("hours", "Hours"),
            ("good", "Good runs"),
            ("bad", "Bad runs"),
            ("gives_back", "Gives back"),
            ("author", "Author"),
            ("added", "Added (UTC)"),
            ("reason", "Reason"),
        ],
        rows: all.map(row).collect(),
        empty: "None.",
    }
}

/// Changes of alerts that no receiver took.
pub(super) fn untold(outbox: &Outbox) -> Section {
    let row = |change: &QueuedDelivery| {
        let state = match (change.done, change.overdue) {
            (Some(_), _) => "given up",
            (None, Some(_)) => "overdue",
            (None, None) => "waits",
        };
        let told = alert::Notice::from_stored(&change.delivery.state);
        vec![
            time(change.created),
            Cell::text(&change.delivery.route),
            Cell::text(
                told.map_or_else(|_| change.delivery.alert.clone(), |notice| alert::headline(&notice)),
            ),
            Cell::text(state),
            count(change.attempts.into()),
            change.error.as_ref().map_or_else(Cell::none, Cell::text),
        ]
    };
    let taken: u64 = outbox.routes.iter().map(|route| route.accepted).sum();
    Section {
        key: "outbox",
        title: "Alerts that did not get through",
        note: format!("Of the changes of alerts of this week receivers took {taken}; these they did not."),
        columns: &[
            ("queued", "Queued (UTC)"),
            ("route", "Route"),
            ("what", "What"),
            ("state", "State"),
            ("tries", "Tries"),
            ("error", "Why not"),
        ],
        rows: outbox.changes.iter().map(row).collect(),
        empty: "None.",
    }
}
