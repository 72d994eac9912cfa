//! SLO files: one promise of several scenarios together, named or chosen by their labels.
//!
//! A file that begins with `slo: NAME` is one; it stands beside the scenarios. Deliberately absent: what is correct,
//! which the scenarios say.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use model::policy::Policy;
use model::slot::Cadence;

use super::good::{self, GoodRuns};
use super::keys::{ALERT_KEYS, SLO_FILE_KEYS};
use super::{Slo, arithmetic, check_quorum, objective, routes, says_enough};
use crate::bind::{Binder, Elsewhere, Place};
use crate::cadence::mean_interval;
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields};
use crate::file::{check_version, line, runbook};
use crate::name;
use crate::names::{NOTHING, Names};
use crate::project::{Project, first_key};
use crate::reuse::base_name;
use crate::source::{Source, Span, Spanned};
use crate::suggest::nearest;
use crate::tree::Node;
use crate::units::{show_duration, spell_duration};

/// What is promised of several scenarios together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointSlo {
    /// What metrics and alerts call it; unique among all promises of the project.
    pub name: Arc<str>,
    /// The monitored service: the scenarios' own if they have one in common, else the SLO's name.
    pub service: Arc<str>,
    /// What the system is for; empty if not given.
    pub aim: Arc<str>,
    /// The team; empty if not given.
    pub owner: Arc<str>,
    /// Where to read what to do, a URL; empty if not given.
    pub runbook: Arc<str>,
    /// Objective, routes and quorum; regions and interval are those of all its scenarios together.
    pub slo: Slo,
    /// The longest distance of two runs of any of its scenarios in one region.
    pub gap: Duration,
    /// How long there may be no eligible event, if longer than the policy says.
    pub blind_after: Option<Duration>,
    /// What makes a correct run good, if not what its scenario says.
    pub good: Option<GoodRuns>,
    /// The scenarios in their regions, by name; at least one.
    pub feeds: Vec<JointFeed>,
    /// The file, as people should see it.
    pub path: Arc<str>,
    /// The line of its name, counted from 1.
    pub line: u32,
}

/// One scenario in one region, whose runs count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointFeed {
    /// The scenario.
    pub scenario: Arc<str>,
    /// The region.
    pub region: Arc<str>,
    /// The mean distance of two runs.
    pub interval: Duration,
    /// The longest that a run may take.
    pub timeout: Duration,
}

/// A scenario as promises over several see it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: Arc<str>,
    pub(crate) service: Arc<str>,
    pub(crate) labels: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) regions: Vec<Arc<str>>,
    pub(crate) cadence: Cadence,
    pub(crate) timeout: Duration,
}

/// Whether the tree is that of an SLO file: it has a name under `slo`, and none under `name`.
pub(crate) fn is_slo_file(root: &Node) -> bool {
    root.get("name").is_none() && root.get("slo").is_some_and(|node| node.scalar().is_some())
}

/// Whether the text is probably that of an SLO file, by the keys at its top.
pub fn looks_like_slo_file(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("slo:")) && !text.lines().any(|line| line.starts_with("name:"))
}

/// What SLO files are read against.
pub(crate) struct Around<'a> {
    pub(crate) project: &'a Project,
    pub(crate) members: &'a [Member],
    /// Whether these are all scenarios of the project: only then is it known what is missing.
    pub(crate) is_whole: bool,
}

/// Reads one SLO file; `None` after a mistake, or if none of its scenarios is there.
pub(crate) fn read(
    (root, source): (&Node, &Source),
    around: &Around<'_>,
    names: &mut HashMap<Arc<str>, Span>,
    report: &mut Report,
) -> Option<JointSlo> {
    let mut own = Report::default();
    let made = read_into(root, source, around, names, &mut own);
    let sound = !own.has_errors();
    report.append(own);
    made.filter(|_| sound)
}

fn read_into(
    root: &Node,
    source: &Source,
    around: &Around<'_>,
    names: &mut HashMap<Arc<str>, Span>,
    report: &mut Report,
) -> Option<JointSlo> {
    let (mut fields, mut alerts, labels) = bind(root, around.project, report);
    check_version(&mut fields, report);
    let target_at = fields.span_of("objective");
    let name = fields.text("slo");
    if let Some(name) = &name {
        if let Err(problem) = name::public("objective", &name.value, name.span) {
            report.push(problem);
        }
        take_name(name, names, report);
    }
    let members = chosen(&mut fields, (root, &labels), around, report);
    let feeds = feeds(&members);
    let (regions, interval) = rhythm(&feeds);
    let mut slo = Slo { regions, interval, ..Slo::default() };
    let wanted = name.as_ref().map_or("", |name| &name.value);
    slo.objective = objective(&mut fields, wanted, report);
    slo.page = routes(&mut alerts, "page", around.project, report);
    slo.ticket = routes(&mut alerts, "ticket", around.project, report);
    let aim = line(&mut fields, "aim", 2_000, report).unwrap_or_default();
    let owner = line(&mut fields, "owner", 100, report);
    let owner = owner.map(Arc::from).or_else(|| around.project.defaults.owner.clone());
    let runbook = runbook(&mut fields, report);
    says_enough(root, &slo, [!aim.is_empty(), owner.is_some(), !runbook.is_empty()], report);
    let (quorum, blind_after) = (fields.int("quorum"), fields.duration("blind_after"));
    let good = good::read(root, &members, around.project, report);
    if feeds.is_empty() {
        return None;
    }
    slo.quorum = quorum.and_then(|quorum| check_quorum(&quorum, regions, report));
    if let Some(at) = target_at {
        arithmetic::check(&slo, at, !slo.page.is_empty(), report);
    }
    let gap = members.iter().map(|member| longest(&member.cadence)).max().unwrap_or_default();
    let blind_after = blind_after.and_then(|given| check_blind(&given, (&slo, gap), report));
    let name = name?;
    let before = source.text.get(..name.span.start as usize).unwrap_or_default();
    Some(JointSlo {
        service: common_service(&members).unwrap_or_else(|| name.value.as_str().into()),
        name: name.value.into(),
        aim: aim.into(),
        owner: owner.unwrap_or_default(),
        runbook: runbook.into(),
        slo,
        gap,
        blind_after,
        good,
        feeds,
        path: source.path.as_str().into(),
        line: u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX),
    })
}

type Labels = Vec<(Arc<str>, Arc<str>)>;

/// The file's keys, those of `alerts`, and the labels.
fn bind(root: &Node, project: &Project, report: &mut Report) -> (Fields, Fields, Labels) {
    let mut names = Names::new(&project.shared, &NOTHING, None);
    let mut binder = Binder { report, names: &mut names };
    let elsewhere = |typed: &str| match typed {
        "page" | "ticket" => Some(Elsewhere::Under("alerts".to_owned())),
        "name" => Some(Elsewhere::Hint("the name of an SLO stands under `slo`".to_owned())),
        "scenario" => Some(Elsewhere::Hint("did you mean `scenarios`?".to_owned())),
        "sli" => {
            Some(Elsewhere::Hint("`good` stands alone here: good: { latency: { lt: 800ms } }".to_owned()))
        }
        "latency" => Some(Elsewhere::Under("good".to_owned())),
        "every" | "cron" | "regions" | "steps" | "expect" | "maintenance" => {
            Some(Elsewhere::Hint(format!("`{typed}` belongs in the scenarios")))
        }
        _ => None,
    };
    let place = Place { words: "in an SLO file".to_owned(), other: Vec::new(), elsewhere: &elsewhere };
    let (fields, _) = binder.entries(root, first_key(root), SLO_FILE_KEYS, &place);
    let alerts = root.get("alerts").filter(|node| node.map().is_some());
    let alerts = alerts.map(|node| binder.entries(node, node.span, ALERT_KEYS, &Place::under("alerts")).0);
    let labels = root.get("labels").map(|node| binder.labels(node)).unwrap_or_default();
    (fields, alerts.unwrap_or_default(), labels)
}

/// Every promise of a project has a name of its own: metrics and alerts know it by nothing else.
pub(crate) fn take_name(name: &Spanned<String>, names: &mut HashMap<Arc<str>, Span>, report: &mut Report) {
    if let Some(first) = names.get(name.value.as_str()) {
        let message = format!("two objectives are named `{}`", name.value);
        let problem = Diagnostic::error("E108", name.span, message).label("the second one");
        report.push(
            problem
                .other(*first, "the first one")
                .help("metrics and alerts know an objective by its name: give each its own"),
        );
        return;
    }
    names.insert(name.value.as_str().into(), name.span);
}

/// The scenarios that are named, or that have the labels.
fn chosen<'m>(
    fields: &mut Fields,
    (root, labels): (&Node, &Labels),
    around: &Around<'m>,
    report: &mut Report,
) -> Vec<&'m Member> {
    let named = fields.list("scenarios");
    match (root.get("scenarios"), root.get("labels")) {
        (Some(scenarios), Some(by_label)) => {
            let message = "`scenarios` and `labels` exclude each other";
            let problem = Diagnostic::error("E166", by_label.span, message);
            report.push(problem.other(scenarios.span, "`scenarios` is here").help("keep one of them"));
            Vec::new()
        }
        (None, None) => {
            let problem =
                Diagnostic::error("E166", first_key(root), "nothing says which scenarios are meant");
            report.push(problem.help("add scenarios: [NAME, …], or labels: { NAME: value }"));
            Vec::new()
        }
        (Some(_), None) => by_name(named.map(|list| list.value).unwrap_or_default(), around, report),
        (None, Some(node)) => by_labels(labels, node, around, report),
    }
}

fn by_name<'m>(named: Vec<Spanned<Bound>>, around: &Around<'m>, report: &mut Report) -> Vec<&'m Member> {
    let mut found: Vec<&Member> = Vec::new();
    for item in named {
        let Bound::Text(text) = item.value else { continue };
        // The name that the instances of a matrix share stands for all of them.
        let is_named = |member: &&Member| *member.name == *text || *base_name(&member.name) == *text;
        let before = found.len();
        let mut twice = false;
        for member in around.members.iter().filter(is_named) {
            twice |= found.iter().any(|known| known.name == member.name);
            if !twice {
                found.push(member);
            }
        }
        if twice {
            let message = format!("the scenario `{text}` is there twice");
            report.push(Diagnostic::error("E166", item.span, message).help("leave one of them out"));
        } else if found.len() == before && around.is_whole {
            report.push(unknown(&text, item.span, around.members));
        }
    }
    found
}

fn unknown(text: &str, span: Span, members: &[Member]) -> Diagnostic {
    let shown = model::outcome::cut(text.to_owned(), 60);
    let problem = Diagnostic::error("E166", span, format!("there is no scenario `{shown}`"));
    let known = members.iter().flat_map(|member| [&*member.name, base_name(&member.name)]);
    match nearest(text, known) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.help("`prober list` shows all scenarios"),
    }
}

fn by_labels<'m>(labels: &Labels, node: &Node, around: &Around<'m>, report: &mut Report) -> Vec<&'m Member> {
    if labels.is_empty() {
        if node.map().is_some_and(<[_]>::is_empty) {
            let problem = Diagnostic::error("E166", node.span, "no label says which scenarios are meant");
            report.push(problem.help("write labels: { NAME: value }"));
        }
        return Vec::new();
    }
    let has = |member: &&Member| labels.iter().all(|label| member.labels.contains(label));
    let found: Vec<_> = around.members.iter().filter(has).collect();
    if found.is_empty() && around.is_whole {
        report.push(no_label(labels, node, around.members));
    }
    found
}

/// No scenario has all of the labels: says which one nobody has, and what comes near.
fn no_label(labels: &Labels, node: &Node, members: &[Member]) -> Diagnostic {
    let alone = |label: &&(Arc<str>, Arc<str>)| members.iter().all(|member| !member.labels.contains(label));
    let Some((name, value)) = labels.iter().find(alone) else {
        let problem = Diagnostic::error("E166", node.span, "no scenario has all of these labels");
        return problem.help("each of them is there, but never together");
    };
    let entries = node.map().unwrap_or_default();
    let span = entries.iter().find(|(key, _)| *key.value == **name).map_or(node.span, |(_, node)| node.span);
    let problem = Diagnostic::error("E166", span, format!("no scenario has the label {name}: {value}"));
    let all = || members.iter().flat_map(|member| &member.labels);
    let mut values: Vec<&str> = all().filter(|(known, _)| known == name).map(|(_, value)| &**value).collect();
    values.sort_unstable();
    values.dedup();
    match nearest(value, values.iter().copied()) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None if values.is_empty() => match nearest(name, all().map(|(known, _)| &**known)) {
            Some(near) => problem.help(format!("no scenario has a label `{name}`; did you mean `{near}`?")),
            None => {
                problem.help(format!("no scenario has a label `{name}`: give it to those that are meant"))
            }
        },
        None => {
            problem.help(format!("scenarios have {name}: {}", model::outcome::cut(values.join(", "), 100)))
        }
    }
}

fn feeds(members: &[&Member]) -> Vec<JointFeed> {
    let of = |member: &&Member| -> Vec<JointFeed> {
        let interval = mean_interval(&member.cadence);
        let feed = |region: &Arc<str>| JointFeed {
            scenario: Arc::clone(&member.name),
            region: Arc::clone(region),
            interval,
            timeout: member.timeout,
        };
        member.regions.iter().map(feed).collect()
    };
    let mut feeds: Vec<_> = members.iter().flat_map(of).collect();
    feeds.sort_by(|one, other| (&one.scenario, &one.region).cmp(&(&other.scenario, &other.region)));
    feeds
}

/// In how many regions runs take place, and their mean distance in one of them, all scenarios together.
fn rhythm(feeds: &[JointFeed]) -> (u32, Duration) {
    let regions: BTreeSet<_> = feeds.iter().map(|feed| &feed.region).collect();
    let count = regions.len().max(1);
    let a_second: f64 = feeds.iter().map(|feed| 1.0 / feed.interval.as_secs_f64().max(0.001)).sum();
    let seconds = if a_second > 0.0 { count as f64 / a_second } else { 60.0 };
    // Whole milliseconds, as schedules have them.
    let millis = (seconds * 1_000.0).round().max(1.0);
    (u32::try_from(count).unwrap_or(u32::MAX), Duration::from_secs_f64(millis / 1_000.0))
}

/// The longest distance of two runs; of cron the mean one, if nothing tells.
fn longest(cadence: &Cadence) -> Duration {
    crate::cadence::longest_interval(cadence)
}

fn common_service(members: &[&Member]) -> Option<Arc<str>> {
    let first = &members.first()?.service;
    members.iter().all(|member| member.service == *first).then(|| Arc::clone(first))
}

/// Blindness cannot be told sooner than the policy can.
fn check_blind(
    given: &Spanned<Duration>,
    (slo, gap): (&Slo, Duration),
    report: &mut Report,
) -> Option<Duration> {
    let target = model::objective::Share::of_millionths(model::objective::Share::WHOLE)?;
    let policy = Policy { interval: slo.interval, regions: slo.regions, target };
    let least = policy.blind_after(gap);
    let window = slo.objective.as_ref().map(|objective| objective.window.length());
    if let Some(window) = window.filter(|window| given.value > *window) {
        let window = show_duration(window);
        let message = format!("silence would be told only after more than the window of {window}");
        let problem = Diagnostic::error("E104", given.span, message);
        report.push(
            problem.help(format!("write {} or a little longer, or leave it out", spell_duration(least))),
        );
        return None;
    }
    if given.value >= least {
        return Some(given.value);
    }
    let shown = show_duration(least);
    let message = format!("silence can be told after {shown} at the soonest: three intervals and a minute");
    let problem = Diagnostic::error("E104", given.span, message);
    report.push(problem.help(format!("write {} or longer, or leave it out", spell_duration(least))));
    None
}
