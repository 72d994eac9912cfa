//! One scenario file: its head, and where its steps stand.

mod keys;
mod naming;
mod repeat;
mod sli;
mod steps;

pub(crate) use keys::{DEPENDENT, EXCLUSIVE, URL};
pub use keys::{POLL_KEYS, RETRY_KEYS, SCENARIO_KEYS, STEP_KEYS, STEP_PARTS};
pub(crate) use repeat::{PollNode, RetryNode};
pub use sli::RETRIED;

use std::sync::Arc;
use std::time::Duration;

use model::maintenance::Maintenance;
use model::slot::Cadence;
use model::time::Timestamp;

use crate::another_tool;
use crate::bind::foreign::is_every;
use crate::bind::{Binder, Elsewhere, Place};
use crate::blackout;
use crate::cadence::{CronCache, EVERY_MIN, Given, exclusive, mean_interval, read as read_cadence};
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields};
use crate::kind::Kind;
use crate::maintenance;
use crate::names::{Names, Own};
use crate::project::{Project, first_key};
use crate::slo::{self, Head, Rhythm, Slo};
use crate::source::{Span, Spanned};
use crate::suggest::nearest;
use crate::tree::Node;
use crate::units::{show_duration, spell_duration};
use naming::{former_names, own_labels, scenario_name, with_defaults};

/// The limit of a run where neither the scenario nor the project sets one.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// An interval shorter than this is a load that the target's owner should know of.
const OFTEN: Duration = Duration::from_secs(5);
/// How long a teardown may take where the scenario does not say.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(15);
/// The longest that a teardown may take: a stop of the prober waits for it.
pub const GRACE_MAX: Duration = Duration::from_mins(2);
/// The most steps of a scenario.
pub const STEPS_MAX: usize = 50;

/// Names and values of labels.
type Labels = Vec<(Arc<str>, Arc<str>)>;

/// The head of a scenario file, and its steps still as trees.
pub(crate) struct ScenarioFile<'t, N: 'static> {
    pub(crate) name: Spanned<String>,
    pub(crate) title: Option<String>,
    pub(crate) aim: String,
    pub(crate) owner: Option<String>,
    pub(crate) runbook: String,
    pub(crate) labels: Labels,
    pub(crate) cadence: Cadence,
    /// `None` after a mistake in the schedule.
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) regions: Vec<Arc<str>>,
    /// Names that its history is under from before.
    pub(crate) was: Vec<Spanned<String>>,
    pub(crate) public: bool,
    pub(crate) maintenance: Vec<Arc<Maintenance>>,
    pub(crate) continue_on_failure: bool,
    pub(crate) steps: Vec<StepNode<'t, N>>,
    pub(crate) teardown: Vec<StepNode<'t, N>>,
    /// How long the teardown may take.
    pub(crate) grace: Duration,
    pub(crate) good: Option<&'t Node>,
    pub(crate) ineligible: Vec<&'t Node>,
    pub(crate) slo: Slo,
    /// Whether a run that only a retry saved is bad.
    pub(crate) retried_is_bad: bool,
    /// Where it says that a run changes something at its target, if it does.
    pub(crate) side_effects: Option<Span>,
}

/// One step, still as trees.
pub(crate) struct StepNode<'t, N: 'static> {
    pub(crate) name: Arc<str>,
    pub(crate) kind: &'static Kind<N>,
    /// The kind's key.
    pub(crate) at: Span,
    pub(crate) body: &'t Node,
    pub(crate) timeout: Option<Duration>,
    /// Captures without which it is skipped.
    pub(crate) needs: Vec<Spanned<String>>,
    pub(crate) poll: Option<PollNode<'t>>,
    pub(crate) retry: Option<RetryNode>,
    pub(crate) expect: Option<&'t Node>,
    pub(crate) warn: Option<&'t Node>,
    pub(crate) capture: Option<&'t Node>,
    /// Where the scenario says that it has side effects, if it does.
    pub(crate) once: Option<Span>,
}

/// What files are read against.
pub(crate) struct Surroundings<'a, N: 'static> {
    pub(crate) project: &'a Project,
    pub(crate) kinds: &'static [Kind<N>],
    pub(crate) cron: CronCache,
    /// The day, for warnings about what is over; a file is right or wrong whatever the day.
    pub(crate) now: Option<Timestamp>,
}

/// Reads a scenario file; wrong parts are reported and left out, so that the rest is still checked.
pub(crate) fn read<'t, N>(
    root: &'t Node,
    around: &mut Surroundings<'_, N>,
    own: &Own<'_>,
    report: &mut Report,
) -> Option<ScenarioFile<'t, N>> {
    let foreign = root.map().is_none().then(|| no_scenario(root)).or_else(|| another_tool::told(root));
    if let Some(problem) = foreign {
        report.push(problem);
        return None;
    }
    let at = first_key(root);
    let project = around.project;
    let mut names = Names::new(&project.shared, own, None);
    let mut binder = Binder { report, names: &mut names };
    let (mut fields, labels) = head_fields(root, at, around.kinds, &mut binder);
    // What its template would add is not known; that it is missing here is no mistake of its own.
    let is_whole = own.arguments.is_some() || root.get("use").is_none();
    let (cadence, interval) = schedule(&mut fields, (root, is_whole), around, report);
    let timeout = timeout(&mut fields, interval, around.project, report);
    check_version(&mut fields, report);
    let grace = grace(&mut fields, root, report);
    let steps::Steps { main: mut steps, mut teardown } = steps::read(
        root,
        (at, is_whole),
        around.kinds,
        (timeout, grace),
        &mut Binder { report, names: &mut names },
    );
    let once = fields.bool("side_effects").filter(|once| once.value).map(|once| once.span);
    steps.iter_mut().chain(&mut teardown).for_each(|step| step.once = once);
    let name = scenario_name(&mut fields, (root, at), own, report);
    let known = interval.is_some().then_some(&cadence);
    let maintenance = maintenances(root, known, around, &mut Binder { report, names: &mut names });
    let (good, ineligible, retried) = sli::read(root, &mut Binder { report, names: &mut names });
    sli::is_ever_retried(retried.as_ref(), steps.iter().any(|step| step.retry.is_some()), report);
    let regions = regions(&mut fields, around.project, report);
    let rhythm = rhythm(root, interval.map(|_| &cadence), &regions);
    let head = Head { root, scenario: &name.value, quorum: fields.int("quorum"), rhythm };
    let slo = slo::read(head, around.project, own, report);
    let aim = line(&mut fields, "aim", 2_000, report).unwrap_or_default();
    let owner = line(&mut fields, "owner", 100, report);
    let runbook = runbook(&mut fields, report);
    let owned = owner.is_some() || around.project.defaults.owner.is_some();
    slo::says_enough(root, &slo, [!aim.is_empty(), owned, !runbook.is_empty()], report);
    Some(ScenarioFile {
        name,
        title: line(&mut fields, "title", 200, report),
        aim,
        owner,
        runbook,
        labels: with_defaults(own_labels(labels, root, own, report), around.project),
        cadence,
        interval,
        timeout,
        regions,
        continue_on_failure: fields.choice("on_failure").is_some_and(|choice| choice.value == "continue"),
        was: former_names(&mut fields, root, own, report),
        public: fields.bool("public").is_some_and(|public| public.value),
        maintenance,
        steps,
        teardown,
        grace,
        good,
        ineligible,
        slo,
        retried_is_bad: retried.is_some_and(|retried| retried.value == "bad"),
        side_effects: once,
    })
}

/// The scenario's own maintenances; together with the project's they leave some slots of `cadence`, if that is known.
fn maintenances<N>(
    root: &Node,
    cadence: Option<&Cadence>,
    around: &mut Surroundings<'_, N>,
    binder: &mut Binder<'_, '_>,
) -> Vec<Arc<Maintenance>> {
    let context = maintenance::Context { cron: &mut around.cron, now: around.now };
    let own = maintenance::read(root.get("maintenance"), context, binder);
    if let Some(cadence) = cadence {
        let all: Vec<_> = own.iter().chain(&around.project.maintenance).collect();
        blackout::check(root, cadence, &all, binder.report);
    }
    own
}

/// How often it runs, for the objective if it has one; the mean of a cadence costs something.
fn rhythm(root: &Node, cadence: Option<&Cadence>, regions: &[Arc<str>]) -> Rhythm {
    Rhythm {
        interval: cadence.filter(|_| root.get("slo").is_some()).map(mean_interval),
        regions: u32::try_from(regions.len()).unwrap_or(u32::MAX),
    }
}

fn no_scenario(root: &Node) -> Diagnostic {
    let message = format!("expected a scenario, a map of keys, found {}", root.describe());
    Diagnostic::error("E103", root.span, message).help("begin with name: my-scenario")
}

/// The keys of the head, and the labels.
fn head_fields<N>(
    root: &Node,
    at: Span,
    kinds: &'static [Kind<N>],
    binder: &mut Binder<'_, '_>,
) -> (Fields, Labels) {
    let elsewhere = |typed: &str| match typed {
        "good" | "ineligible" => Some(Elsewhere::Under("sli".to_owned())),
        "objective" | "window" if root.get("name").is_none() => Some(Elsewhere::Hint(
            "an SLO over several scenarios begins with slo: NAME; in a scenario this stands under `slo`"
                .to_owned(),
        )),
        "objective" | "window" => Some(Elsewhere::Under("slo".to_owned())),
        "page" | "ticket" => Some(Elsewhere::Under("alerts".to_owned())),
        "defaults" | "secrets" | "scenarios" | "store" | "exporters" | "serve" | "routes" | "include" => {
            Some(Elsewhere::Hint(format!("`{typed}` belongs in prober.yaml")))
        }
        "template" | "params" | "body" => Some(Elsewhere::Hint(
            "this looks like a template: name its file under `include` in prober.yaml".to_owned(),
        )),
        _ => step_elsewhere(typed, kinds, root),
    };
    let mut other: Vec<&str> = STEP_PARTS.iter().map(|part| part.name).collect();
    other.extend(kinds.iter().map(|kind| kind.name));
    let place = Place { words: "in a scenario".to_owned(), other, elsewhere: &elsewhere };
    let (fields, _) = binder.entries(root, at, SCENARIO_KEYS, &place);
    let labels = root.get("labels").map(|node| binder.labels(node)).unwrap_or_default();
    (fields, labels)
}

/// Reports a version that this program does not know.
pub(crate) fn check_version(fields: &mut Fields, report: &mut Report) {
    if let Some(version) = fields.int("version").filter(|version| version.value != 1) {
        let message = format!("version {} of the language is newer than this program", version.value);
        report.push(Diagnostic::error("E120", version.span, message).help("this program reads version 1"));
    }
}

/// Where a key of a step would be right: under its kind, or under `expect`.
fn step_elsewhere<N>(typed: &str, kinds: &'static [Kind<N>], step: &Node) -> Option<Elsewhere> {
    let kind = kinds.iter().find(|kind| step.get(kind.name).is_some())?;
    let is_shown =
        typed == crate::assertion::LATENCY || kind.subjects.iter().any(|subject| subject.name == typed);
    let is_sent = kind.keys.iter().any(|key| key.name == typed);
    match (is_shown, is_sent) {
        (true, true) => Some(Elsewhere::Hint(format!(
            "what is sent belongs under `{}`, as a map with its other keys; what must come back under `expect`",
            kind.name
        ))),
        (true, false) => Some(Elsewhere::Under("expect".to_owned())),
        (false, true) => Some(Elsewhere::Under(kind.name.to_owned())),
        (false, false) => None,
    }
}

fn schedule<N>(
    fields: &mut Fields,
    (root, is_whole): (&Node, bool),
    around: &mut Surroundings<'_, N>,
    report: &mut Report,
) -> (Cadence, Option<Duration>) {
    let given = Given {
        every: fields.duration("every"),
        cron: fields.text("cron"),
        timezone: fields.text("timezone"),
        fallback: around.project.defaults.every,
        at: first_key(root),
    };
    // What is there and wrong is already reported; that it is then missing is no second mistake.
    if let Some(often) = given.every.as_ref().filter(|every| (EVERY_MIN..OFTEN).contains(&every.value)) {
        let runs = Duration::from_hours(24).as_millis() / often.value.as_millis().max(1);
        let message = format!("every {}: {runs} runs a day, in every region", show_duration(often.value));
        let problem = Diagnostic::warning("W341", often.span, message);
        report
            .push(problem.help("write every: 10s or longer, unless its owner knows what the target carries"));
    }
    let broken = |key: &str, given: bool| root.get(key).is_some() && !given;
    let is_misnamed = (given.every.is_none() && given.cron.is_none())
        && root.map().unwrap_or_default().iter().any(|(key, _)| is_every(&key.value));
    if broken("every", given.every.is_some())
        || broken("cron", given.cron.is_some())
        || is_misnamed
        || !is_whole
    {
        if let (Some(every), Some(cron)) = (root.get("every"), root.get("cron")) {
            report.push(exclusive(every.span, cron.span));
        }
        if given.every.is_some() || given.cron.is_some() {
            read_cadence(&given, &mut around.cron, report);
        }
        return (Cadence::Every { interval_ms: 60_000 }, None);
    }
    match read_cadence(&given, &mut around.cron, report) {
        Some(due) => (due.cadence, Some(due.interval)),
        None => (Cadence::Every { interval_ms: 60_000 }, None),
    }
}

fn timeout(
    fields: &mut Fields,
    interval: Option<Duration>,
    project: &Project,
    report: &mut Report,
) -> Duration {
    let interval = interval.unwrap_or(Duration::MAX);
    let Some(given) = fields.duration("timeout") else {
        return project.defaults.timeout.unwrap_or(TIMEOUT_DEFAULT).min(interval);
    };
    if given.value.is_zero() {
        report.push(Diagnostic::error("E104", given.span, "a timeout of zero lets nothing finish"));
    }
    if given.value > interval {
        let shown = show_duration(interval);
        let message = format!("the timeout is longer than the interval of {shown}");
        let problem = Diagnostic::error("E112", given.span, message)
            .label("a run would still be going when the next is due");
        report.push(
            problem
                .help(format!("write timeout: {} or less, or a longer interval", spell_duration(interval))),
        );
    }
    // At the interval or just below it, the next run is missed whenever one takes its time.
    if given.value <= interval && given.value.saturating_mul(10) >= interval.saturating_mul(9) {
        let shown = show_duration(interval);
        let problem = Diagnostic::warning(
            "W340",
            given.span,
            format!("the timeout is as good as the interval of {shown}"),
        )
        .label("a run that takes its time makes the next one be missed");
        let enough = spell_duration(interval / 2);
        report.push(problem.help(format!("write timeout: {enough}, or a longer interval")));
    }
    given.value
}

/// The limit of the teardown.
fn grace(fields: &mut Fields, root: &Node, report: &mut Report) -> Duration {
    let Some(given) = fields.duration("grace") else { return GRACE_DEFAULT };
    if root.get("teardown").is_none() {
        let problem = Diagnostic::error("E101", given.span, "the key `teardown` is missing");
        report
            .push(problem.label("this is its limit").help("add teardown: with steps, or leave out `grace`"));
    }
    if given.value.is_zero() || given.value > GRACE_MAX {
        let most = spell_duration(GRACE_MAX);
        let message = "the grace must be more than nothing, and a stop of the prober waits for it";
        report.push(Diagnostic::error("E104", given.span, message).help(format!("{most} is the most")));
        return GRACE_DEFAULT;
    }
    given.value
}

/// A text on a page or in a notification: no control characters, not endless.
pub(crate) fn line(fields: &mut Fields, key: &str, bytes_max: usize, report: &mut Report) -> Option<String> {
    let text = fields.text(key)?;
    let value = text.value.trim().to_owned();
    if value.len() > bytes_max {
        let message = format!("`{key}` has {} bytes, and {bytes_max} are the most", value.len());
        report.push(Diagnostic::error("E104", text.span, message));
    }
    if value.chars().any(|letter| letter.is_control() && letter != '\n') {
        report.push(Diagnostic::error("E104", text.span, format!("`{key}` has a control character in it")));
    }
    Some(value)
}

pub(crate) fn runbook(fields: &mut Fields, report: &mut Report) -> String {
    let Some(given) = fields.text("runbook") else { return String::new() };
    let sound = url::Url::parse(&given.value)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !sound {
        let problem = Diagnostic::error("E122", given.span, "this is not a URL");
        report.push(problem.help("write runbook: https://wiki.example/runbooks/shop"));
    }
    given.value
}

fn regions(fields: &mut Fields, project: &Project, report: &mut Report) -> Vec<Arc<str>> {
    let Some(given) = fields.list("regions") else { return project.regions().to_vec() };
    let mut regions: Vec<Arc<str>> = Vec::with_capacity(given.value.len());
    for item in given.value {
        let Bound::Text(text) = item.value else { continue };
        match project.regions().iter().find(|region| ***region == *text) {
            Some(region) if regions.contains(region) => {
                report.push(Diagnostic::error(
                    "E114",
                    item.span,
                    format!("the region `{text}` is there twice"),
                ));
            }
            Some(region) => regions.push(Arc::clone(region)),
            None => {
                let problem = Diagnostic::error("E114", item.span, format!("there is no region `{text}`"));
                let known = || project.regions().iter().map(|region| &**region);
                report.push(match nearest(&text, known()) {
                    Some(near) => problem.label(format!("did you mean `{near}`?")),
                    None => problem
                        .help(format!("regions of this project: {}", known().collect::<Vec<_>>().join(", "))),
                });
            }
        }
    }
    if regions.is_empty() { project.regions().to_vec() } else { regions }
}
