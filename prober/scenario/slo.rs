//! What is promised of scenarios: `slo`, `alerts` and `quorum`, SLO files, and whether so few runs can show it.
//!
//! Deliberately absent: budgets and alerts themselves; this is what they are computed from.

mod arithmetic;
pub(crate) mod good;
mod joint;
mod keys;

pub use arithmetic::Sums;
pub use good::GoodRuns;
pub(crate) use joint::{Around, Member, is_slo_file, read as read_joint, take_name};
pub use joint::{JointFeed, JointSlo, looks_like_slo_file};
pub use keys::{ALERT_KEYS, SLO_FILE_KEYS, SLO_KEYS};

use std::sync::Arc;
use std::time::Duration;

use model::objective::{Objective, Period, Share, Window};
use model::policy::Policy;

use crate::bind::{Binder, Place};
use crate::cadence::check_zone_name;
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields, Key};
use crate::name;
use crate::names::{Names, Own};
use crate::project::Project;
use crate::project::routes::undefined;
use crate::source::Spanned;
use crate::tree::Node;

/// The window if the author gives none.
pub const WINDOW_DEFAULT: Duration = Duration::from_hours(30 * 24);
/// The shortest rolling window.
pub const WINDOW_MIN: Duration = Duration::from_hours(1);
/// The longest rolling window: what the evaluator keeps its hourly counts for.
pub const WINDOW_MAX: Duration = Duration::from_hours(90 * 24);
/// An objective below this is taken for a slip.
const TARGET_LEAST: Share = match Share::of_millionths(500_000) {
    Some(share) => share,
    None => unreachable!(),
};

/// What is promised of a scenario, and whom a broken promise tells; the same in all its regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slo {
    /// The objective; without one there is no budget, and only outages can alert.
    pub objective: Option<Objective>,
    /// The routes for what must be looked at now, by name.
    pub page: Vec<Arc<str>>,
    /// The routes for what must be looked at within days, by name.
    pub ticket: Vec<Arc<str>>,
    /// In how many regions a run must be bad for the scenario to count as down; `None` for the policy's number.
    pub quorum: Option<u32>,
    /// In how many regions the scenario runs.
    pub regions: u32,
    /// The mean distance between two runs in one region.
    pub interval: Duration,
}

impl Slo {
    /// The alert policy; `None` without an objective.
    pub fn policy(&self) -> Option<Policy> {
        let target = self.objective.as_ref()?.target;
        Some(Policy { interval: self.interval, regions: self.regions, target })
    }

    /// Whether a broken promise tells anybody.
    pub fn alerts(&self) -> bool {
        !(self.page.is_empty() && self.ticket.is_empty())
    }
}

/// How often and where the scenario runs.
pub(crate) struct Rhythm {
    /// The mean distance of two runs; `None` after a mistake in the schedule.
    pub(crate) interval: Option<Duration>,
    pub(crate) regions: u32,
}

/// What is read where: the file, its scenario's name, and how much of its head.
pub(crate) struct Head<'a> {
    pub(crate) root: &'a Node,
    pub(crate) scenario: &'a str,
    pub(crate) quorum: Option<Spanned<i64>>,
    pub(crate) rhythm: Rhythm,
}

/// Reads `slo`, `alerts` and `quorum`; a mistake in one key hides none in the others.
pub(crate) fn read(head: Head<'_>, project: &Project, own: &Own<'_>, report: &mut Report) -> Slo {
    let Head { root, scenario, quorum, rhythm } = head;
    let mut names = Names::new(&project.shared, own, None);
    let mut binder = Binder { report, names: &mut names };
    // What the head has reported already is found again, and reported once.
    let mut section = |key: &str, keys: &'static [Key]| {
        let node = root.get(key).filter(|node| node.map().is_some())?;
        Some((node, binder.entries(node, node.span, keys, &Place::under(key)).0))
    };
    let (promised, alerts) = (section("slo", SLO_KEYS), section("alerts", ALERT_KEYS));
    let mut slo = Slo {
        regions: rhythm.regions,
        interval: rhythm.interval.unwrap_or(Duration::from_mins(1)),
        ..Slo::default()
    };
    if let Some((_, mut fields)) = promised {
        let target_at = fields.span_of("objective");
        slo.objective = objective(&mut fields, scenario, report);
        if let (Some(at), Some(_)) = (target_at, rhythm.interval) {
            arithmetic::check(
                &slo,
                at,
                root.get("alerts").and_then(|node| node.get("page")).is_some(),
                report,
            );
        }
    }
    if let Some((node, mut fields)) = alerts {
        if node.map().is_some_and(<[_]>::is_empty) {
            let problem = Diagnostic::error("E104", node.span, "`alerts` is empty");
            report.push(
                problem.help("write alerts: { page: ROUTE, ticket: ROUTE }, with routes of prober.yaml"),
            );
        }
        slo.page = routes(&mut fields, "page", project, report);
        slo.ticket = routes(&mut fields, "ticket", project, report);
    }
    slo.quorum = quorum.and_then(|quorum| check_quorum(&quorum, rhythm.regions, report));
    slo
}

/// Whoever is paged must be told what the system is for, whose it is, and what to do.
pub(crate) fn says_enough(root: &Node, slo: &Slo, told: [bool; 3], report: &mut Report) {
    if slo.page.is_empty() {
        return;
    }
    let Some(at) = root.get("alerts").and_then(|alerts| alerts.get("page")).map(|page| page.span) else {
        return;
    };
    let missing: Vec<_> = ["aim", "owner", "runbook"]
        .into_iter()
        .zip(told)
        .filter(|(_, told)| !told)
        .map(|(key, _)| key)
        .collect();
    if missing.is_empty() {
        return;
    }
    let names = missing.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ");
    let are = if missing.len() == 1 { "is" } else { "are" };
    let message = format!("whoever this pages is not told everything: {names} {are} missing");
    let problem = Diagnostic::warning("W348", at, message);
    report.push(problem.help("aim says what it is for, owner whose it is, runbook where to read what to do"));
}

fn objective(fields: &mut Fields, scenario: &str, report: &mut Report) -> Option<Objective> {
    let name = fields.text("name");
    if let Some(Err(problem)) = name.as_ref().map(|name| name::public("objective", &name.value, name.span)) {
        report.push(problem);
    }
    let window = window(fields, report);
    let target = fields.percent("objective")?;
    let whole = match target.value.millionths() {
        0 => Some("an objective of 0% holds whatever happens"),
        Share::WHOLE => {
            Some("an objective of 100% leaves no budget: the first bad run breaks it for the whole window")
        }
        _ => None,
    };
    if let Some(message) = whole {
        let problem = Diagnostic::error("E161", target.span, message);
        report
            .push(problem.help("write the share of good runs that is good enough, such as objective: 99.9%"));
        return None;
    }
    if target.value < TARGET_LEAST {
        let message = format!("an objective of {} lets more than half of all runs be bad", target.value);
        let problem = Diagnostic::warning("W312", target.span, message);
        report.push(problem.help("the objective is the share of good runs, such as objective: 99.9%"));
    }
    let name = name.map_or_else(|| scenario.into(), |name| name.value.into());
    Some(Objective { name, target: target.value, window: window? })
}

fn window(fields: &mut Fields, report: &mut Report) -> Option<Window> {
    let timezone = fields.text("timezone");
    let given = fields.take("window");
    let period = match given.as_ref().map(|given| &given.value) {
        Some(Bound::Choice("week")) => Some(Period::Week),
        Some(Bound::Choice("month")) => Some(Period::Month),
        Some(Bound::Choice(_)) => Some(Period::Quarter),
        _ => None,
    };
    if let Some(period) = period {
        let zone = timezone.map(|zone| check_zone_name(&zone));
        let zone =
            zone.unwrap_or_else(|| Ok("UTC".to_owned())).map_err(|problem| report.push(problem)).ok()?;
        return Some(Window::Calendar { period, timezone: zone.into() });
    }
    if let Some(zone) = timezone {
        let problem = Diagnostic::error("E111", zone.span, "`timezone` belongs to a window of the calendar");
        report.push(problem.help("leave it out, or write window: month"));
    }
    let Some(Spanned { value: Bound::Duration(length), span }) = given else {
        return Some(Window::Rolling(WINDOW_DEFAULT));
    };
    if (WINDOW_MIN..=WINDOW_MAX).contains(&length) {
        return Some(Window::Rolling(length));
    }
    let problem = Diagnostic::error("E104", span, "a window lasts from 1h to 90d");
    report.push(problem.help("write window: 30d, or month or quarter for the calendar's"));
    None
}

fn routes(fields: &mut Fields, key: &str, project: &Project, report: &mut Report) -> Vec<Arc<str>> {
    let mut named: Vec<Arc<str>> = Vec::new();
    for item in fields.list(key).map(|list| list.value).unwrap_or_default() {
        let Bound::Text(text) = item.value else { continue };
        if named.iter().any(|known| **known == *text) {
            let message = format!("the route `{text}` is there twice");
            report.push(Diagnostic::error("E162", item.span, message).help("leave one of them out"));
        } else if project.routes.iter().any(|route| route.name.value == text) {
            named.push(text.into());
        } else {
            report.push(undefined(&text, item.span, &project.routes));
        }
    }
    named
}

fn check_quorum(quorum: &Spanned<i64>, regions: u32, report: &mut Report) -> Option<u32> {
    let wanted = u32::try_from(quorum.value).ok()?;
    if wanted <= regions {
        return Some(wanted);
    }
    let place = if regions == 1 { "a single region".to_owned() } else { format!("{regions} regions") };
    let message = format!("a quorum of {wanted}, and the scenario runs in {place}");
    let problem = Diagnostic::error("E164", quorum.span, message).label("it could never count as down");
    report.push(problem.help(if regions == 1 {
        "leave it out, or name more regions in prober.yaml".to_owned()
    } else {
        format!("write quorum: {regions} or less, or leave it out for the policy's number")
    }));
    None
}
