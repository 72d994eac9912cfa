//! `adjustments`: runs of the past that do not count for an objective, with whoever says so and why.
//!
//! A maintenance is planned; this is what nobody knew before. Events are never changed: an adjustment is a step in a
//! budget, at the moment at which it was added, and stays in the file for whoever asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::time::Timestamp;

use crate::bind::{Binder, Place};
use crate::compile::Compiled;
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields, Key, KeyType, Need};
use crate::maintenance::instant;
use crate::names::{NOTHING, Names, Shared};
use crate::source::{Span, Spanned};
use crate::suggest::nearest;
use crate::tree::{Node, parse};
use crate::units::show_duration;

/// The most adjustments of a project.
pub const ADJUSTMENTS_MAX: usize = 200;
/// The longest time that one is about: the longest quarter.
const LONGEST: Duration = Duration::from_hours(92 * 24);
/// The longest author and reason, in bytes.
const TEXT_BYTES_MAX: usize = 500;

/// The keys of one adjustment.
pub const ADJUSTMENT_KEYS: &[Key] = &[
    Key {
        name: "slo",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Required,
        doc: "The objectives that it is about, by name.",
        example: "checkout",
    },
    Key {
        name: "from",
        value: KeyType::Text,
        need: Need::Required,
        doc: "The start of the first slot that does not count, with its offset.",
        example: "2026-03-01T22:00:00+01:00",
    },
    Key {
        name: "to",
        value: KeyType::Text,
        need: Need::Required,
        doc: "The end: slots that start then or later count.",
        example: "2026-03-01T22:40:00+01:00",
    },
    Key {
        name: "scenarios",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Otherwise("all scenarios of the objective"),
        doc: "The scenarios whose runs do not count.",
        example: "[checkout]",
    },
    Key {
        name: "regions",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Otherwise("all regions"),
        doc: "The regions whose runs do not count.",
        example: "[eu]",
    },
    Key {
        name: "author",
        value: KeyType::Text,
        need: Need::Required,
        doc: "Whose word it is.",
        example: "team-checkout",
    },
    Key {
        name: "added",
        value: KeyType::Text,
        need: Need::Required,
        doc: "When it was decided, with its offset: from then on the budget is without these runs.",
        example: "2026-03-03T10:00:00+01:00",
    },
    Key {
        name: "reason",
        value: KeyType::Text,
        need: Need::Required,
        doc: "Why these runs do not count; shown wherever the budget is.",
        example: "The load test of that night was ours and had no maintenance.",
    },
];

/// The key in a project; one adjustment or a list.
pub const ADJUSTMENTS: Key = Key {
    name: "adjustments",
    value: KeyType::OneOrMany(&KeyType::Record(ADJUSTMENT_KEYS)),
    need: Need::Optional,
    doc: "Runs of the past that do not count for an objective, with whoever says so and why; `prober slo adjust` writes one.",
    example: "[{ slo: checkout, from: 2026-03-01T22:00:00+01:00, to: 2026-03-01T22:40:00+01:00, author: team-checkout, added: 2026-03-03T10:00:00+01:00, reason: The load test of that night was ours. }]",
};

/// One adjustment, as its author wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct AdjustmentFile {
    /// The objectives, by name; at least one.
    pub slos: Vec<Spanned<String>>,
    /// The first instant of the slots.
    pub from: Timestamp,
    /// The first instant after them.
    pub to: Timestamp,
    /// The scenarios; empty for all.
    pub scenarios: Vec<Spanned<String>>,
    /// The regions; empty for all.
    pub regions: Vec<Spanned<String>>,
    /// Whose word it is.
    pub author: Arc<str>,
    /// Why they do not count.
    pub reason: Arc<str>,
    /// Since when they do not.
    pub added: Timestamp,
    /// Where it stands.
    pub(crate) span: Span,
}

impl AdjustmentFile {
    /// Whether a slot may be taken out by both.
    fn overlaps(&self, other: &Self) -> bool {
        let meet = |one: &[Spanned<String>], other: &[Spanned<String>]| {
            one.is_empty()
                || other.is_empty()
                || one.iter().any(|name| other.iter().any(|known| known.value == name.value))
        };
        self.from < other.to
            && other.from < self.to
            && meet(&self.slos, &other.slos)
            && meet(&self.scenarios, &other.scenarios)
            && meet(&self.regions, &other.regions)
    }
}

/// The adjustments under the key; what is wrong is left out and reported.
///
/// As with maintenances, a second look keeps a mistake in one of them from hiding those of others.
pub(crate) fn read(
    node: Option<&Node>,
    now: Option<Timestamp>,
    binder: &mut Binder<'_, '_>,
) -> Vec<Arc<AdjustmentFile>> {
    let Some(node) = node else { return Vec::new() };
    let items = node.list().unwrap_or(std::slice::from_ref(node));
    if items.len() > ADJUSTMENTS_MAX {
        let message = format!("{} adjustments, and {ADJUSTMENTS_MAX} are the most", items.len());
        let problem = Diagnostic::error("E117", items[ADJUSTMENTS_MAX].span, message);
        binder.report.push(problem.help("those whose time is in no window any more can go"));
    }
    let mut all: Vec<Arc<AdjustmentFile>> = Vec::new();
    for item in items.iter().take(ADJUSTMENTS_MAX).filter(|item| item.map().is_some()) {
        let place = Place::under(ADJUSTMENTS.name);
        let (mut fields, _) = binder.entries(item, item.span, ADJUSTMENT_KEYS, &place);
        let Some(one) = one(&mut fields, (item, now), binder.report) else { continue };
        if let Some(first) = all.iter().find(|known| known.overlaps(&one)) {
            let problem = Diagnostic::error("E167", one.span, "two adjustments are about the same slots");
            binder.report.push(problem.other(first.span, "the first one").help("a slot is taken out once"));
        }
        all.push(Arc::new(one));
    }
    all
}

fn one(
    fields: &mut Fields,
    (item, now): (&Node, Option<Timestamp>),
    report: &mut Report,
) -> Option<AdjustmentFile> {
    let mut names = |key: &str| {
        let list = fields.list(key).map(|list| list.value).unwrap_or_default();
        let text = |item: Spanned<Bound>| match item.value {
            Bound::Text(text) => Some(Spanned::new(text, item.span)),
            _ => None,
        };
        list.into_iter().filter_map(text).collect::<Vec<_>>()
    };
    let (slos, scenarios, regions) = (names("slo"), names("scenarios"), names("regions"));
    let mut time = |key: &str| {
        let text = fields.text(key)?;
        match instant("E167", &text) {
            Ok(at) => Some(Spanned::new(at, text.span)),
            Err(problem) => {
                report.push(problem);
                None
            }
        }
    };
    let (from, to, added) = (time("from"), time("to"), time("added"));
    let mut line = |key: &str| {
        let text = fields.text(key)?;
        let shown = text.value.trim();
        if shown.is_empty() || shown.len() > TEXT_BYTES_MAX || shown.chars().any(char::is_control) {
            let message = format!("`{key}` is one line of 1 to {TEXT_BYTES_MAX} bytes");
            report.push(Diagnostic::error("E104", text.span, message));
            return None;
        }
        Some(Arc::from(shown))
    };
    let (author, reason) = (line("author"), line("reason"));
    let (from, to, added) = (from?, to?, added?);
    check_times([&from, &to, &added], now, report)?;
    if slos.is_empty() {
        return None;
    }
    Some(AdjustmentFile {
        slos,
        from: from.value,
        to: to.value,
        scenarios,
        regions,
        author: author?,
        reason: reason?,
        added: added.value,
        span: item.span,
    })
}

fn check_times(
    [from, to, added]: [&Spanned<Timestamp>; 3],
    now: Option<Timestamp>,
    report: &mut Report,
) -> Option<()> {
    let problem = if to.value <= from.value {
        let problem = Diagnostic::error("E167", to.span, "the adjustment ends before it begins");
        problem.other(from.span, "the begin")
    } else if to.value.since(from.value) > LONGEST {
        let message = format!("an adjustment of {}", show_duration(to.value.since(from.value)));
        let problem = Diagnostic::error("E167", to.span, message);
        problem.help(format!("it is about {} at most", show_duration(LONGEST)))
    } else if to.value > added.value {
        let problem = Diagnostic::error("E167", to.span, "an adjustment is about the past");
        let problem = problem.other(added.span, "it was added before its time was over");
        problem.help("what is planned is a `maintenance`")
    } else if now.is_some_and(|now| added.value > now.plus(Duration::from_hours(24))) {
        let problem = Diagnostic::error("E167", added.span, "this was added in the future");
        problem.help("write when it was decided")
    } else {
        return Some(());
    };
    report.push(problem);
    None
}

/// The one adjustment in `text`, a project file of nothing else, beside those of compiled files.
///
/// # Errors
/// What is wrong with it.
pub fn read_entry<N>(text: &str, compiled: &Compiled<N>) -> Result<Arc<AdjustmentFile>, Vec<Diagnostic>> {
    let mut report = Report::default();
    let shared = Shared::default();
    let mut names = Names::new(&shared, &NOTHING, None);
    let root = parse(0, text, &mut report);
    let node = root.as_ref().and_then(|root| root.get(ADJUSTMENTS.name));
    let found = read(node, None, &mut Binder { report: &mut report, names: &mut names });
    let project = &compiled.project;
    let plans = &compiled.plans;
    let own = plans.iter().filter_map(|plan| plan.slo().objective.as_ref()).map(|one| Arc::clone(&one.name));
    let alerting =
        plans.iter().filter(|plan| plan.slo().alerts()).map(|plan| Arc::clone(&plan.stream().scenario));
    let joint = compiled.joint_slos.iter().map(|one| Arc::clone(&one.name));
    let known = Known {
        objectives: &own.chain(alerting).chain(joint).map(|name| (name, Span::default())).collect(),
        scenarios: plans.iter().map(|plan| Arc::clone(&plan.stream().scenario)).collect(),
        regions: project.regions(),
        is_whole: true,
    };
    check(&found, &known, &mut report);
    if let Some(one) = found.iter().find(|one| project.adjustments.iter().any(|known| known.overlaps(one))) {
        let problem = Diagnostic::error("E167", one.span, "prober.yaml has an adjustment about these slots");
        report.push(problem.help("a slot is taken out once"));
    }
    match found.into_iter().next().filter(|_| !report.has_errors()) {
        Some(one) => Ok(one),
        None => Err(report.finish()),
    }
}

/// What an adjustment may name.
pub(crate) struct Known<'a> {
    pub(crate) objectives: &'a HashMap<Arc<str>, Span>,
    pub(crate) scenarios: Vec<Arc<str>>,
    pub(crate) regions: &'a [Arc<str>],
    /// Whether these are all: only then is it known what is missing.
    pub(crate) is_whole: bool,
}

/// Reports what adjustments name and the project does not have.
pub(crate) fn check(all: &[Arc<AdjustmentFile>], known: &Known<'_>, report: &mut Report) {
    for one in all {
        for (names, kind, there) in [
            (&one.slos, "objective", known.objectives.keys().map(|name| &**name).collect::<Vec<_>>()),
            (&one.scenarios, "scenario", known.scenarios.iter().map(|name| &**name).collect()),
            (&one.regions, "region", known.regions.iter().map(|name| &**name).collect()),
        ] {
            if kind != "region" && !known.is_whole {
                continue;
            }
            for name in names.iter().filter(|name| !there.contains(&name.value.as_str())) {
                let shown = model::outcome::cut(name.value.clone(), 60);
                let problem = Diagnostic::error("E167", name.span, format!("there is no {kind} `{shown}`"));
                report.push(match nearest(&name.value, there.iter().copied()) {
                    Some(near) => problem.label(format!("did you mean `{near}`?")),
                    None => problem.help("`prober slo` shows all objectives, `prober list` all scenarios"),
                });
            }
        }
    }
}
