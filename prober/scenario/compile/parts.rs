//! One scenario put together: what its plans share, and what each region adds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::event::Origin;
use model::maintenance::Maintenance;
use model::slot::Stream;
use model::step::Part;

use super::Compiler;
use crate::assertion::{Assertion, LATENCY};
use crate::bind::Binder;
use crate::diagnostic::{Diagnostic, Report};
use crate::file::{ScenarioFile, StepNode};
use crate::names::Capture;
use crate::operators::{Subjects, exclude_each_other};
use crate::plan::{About, Plan};
use crate::slo::Slo;
use crate::slo::good::look_at_timeout;
use crate::source::Source;
use crate::step::SharedAssertions;
use crate::template::{Filter, Hole, Secrets};
use crate::tree::Node;

impl<N> Compiler<'_, N> {
    /// What is the same in all regions.
    pub(super) fn shared_parts(&mut self, scenario: &ScenarioFile<'_, N>, source: &Source) -> SharedParts {
        let name: Arc<str> = scenario.name.value.as_str().into();
        let owner = match &scenario.owner {
            Some(owner) => self.intern(owner),
            None => self.around.project.defaults.owner.clone().unwrap_or_else(|| self.intern("")),
        };
        let labels: Vec<_> =
            scenario.labels.iter().map(|(name, value)| (self.intern(name), self.intern(value))).collect();
        let kind = match scenario.steps.as_slice() {
            [only] if scenario.teardown.is_empty() => only.kind.name,
            _ => "flow",
        };
        let service =
            labels.iter().find(|(name, _)| &**name == "service").map(|(_, value)| Arc::clone(value));
        let before = source.text.get(..scenario.name.span.start as usize).unwrap_or_default();
        let line = u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX);
        let about = About {
            title: scenario.title.as_deref().map_or_else(|| Arc::clone(&name), Arc::from),
            aim: scenario.aim.as_str().into(),
            owner: Arc::clone(&owner),
            runbook: self.intern(&scenario.runbook),
            path: source.path.as_str().into(),
            line,
            was: scenario.was.iter().map(|name| name.value.as_str().into()).collect(),
            public: scenario.public,
        };
        SharedParts {
            slo: Arc::new(scenario.slo.clone()),
            about: Arc::new(about),
            kind: self.intern(kind),
            service: service.unwrap_or_else(|| Arc::clone(&name)),
            owner,
            name,
            labels,
            prober: self.intern(&self.options.prober),
        }
    }

    /// The steps and the SLI for the binder's region.
    pub(super) fn plan(
        &self,
        scenario: &ScenarioFile<'_, N>,
        shared: &mut SharedAssertions,
        binder: &mut Binder<'_, '_>,
    ) -> Option<PlanParts<N>> {
        let all = scenario.steps.iter().chain(&scenario.teardown).enumerate();
        let mut steps: Vec<_> =
            all.map(|(index, step)| step.bind(index, &self.implied, shared, binder)).collect();
        let teardown = steps.split_off(scenario.steps.len()).into_iter().collect::<Option<Vec<_>>>();
        let after = scenario.steps.len();
        let good = scenario.good.map(|node| {
            let subjects = subjects_of_good(&scenario.steps);
            let good = shared.get((after, Part::Good), node, &subjects, binder);
            look_at_timeout(&good, scenario.timeout, node.span, binder.report);
            good
        });
        let ineligible = scenario.ineligible.iter().enumerate().map(|(index, node)| {
            let subjects = subjects_of_clause(&scenario.steps, node);
            shared.get((after + index, Part::Ineligible), node, &subjects, binder)
        });
        let ineligible: Vec<_> = ineligible.collect();
        if let ([Some(step)], []) = (steps.as_slice(), scenario.teardown.as_slice()) {
            good_runs_count(&scenario.ineligible, &ineligible, &step.expect, binder.report);
            if let (Some(node), Some(good), [only]) = (scenario.good, &good, scenario.steps.as_slice()) {
                runs_can_be_good((node, good), &step.expect, &Subjects::of(only.kind), binder.report);
            }
        }
        let mut steps = steps.into_iter().collect::<Option<Vec<_>>>().filter(|steps| !steps.is_empty())?;
        let (mut teardown, good) = (teardown?, good.unwrap_or_default());
        let limits =
            [(&scenario.steps, &steps, scenario.timeout), (&scenario.teardown, &teardown, scenario.grace)];
        for (nodes, plans, limit) in limits {
            nodes.iter().zip(plans).for_each(|(node, plan)| node.check_time(plan, limit, binder.report));
        }
        for step in steps.iter_mut().chain(&mut teardown) {
            let of_run = good.iter().chain(ineligible.iter().flatten());
            let of_run = of_run.filter(|assertion| assertion.applies_to(step.kind)).map(Assertion::subject);
            let subjects: Vec<_> = step.subjects().chain(of_run).collect();
            step.action.looked_at(&subjects);
        }
        Some(PlanParts { steps, teardown, good, ineligible })
    }

    /// The scenario's maintenances, then the project's.
    fn maintenance(&self, scenario: &ScenarioFile<'_, N>) -> Arc<[Arc<Maintenance>]> {
        scenario.maintenance.iter().chain(&self.around.project.maintenance).cloned().collect()
    }

    pub(super) fn finish(
        &mut self,
        scenario: &ScenarioFile<'_, N>,
        shared: &SharedParts,
        made: Made<N>,
    ) -> Plan<N> {
        let PlanParts { mut steps, mut teardown, mut good, mut ineligible } = made.parts;
        for step in steps.iter_mut().chain(&mut teardown) {
            step.name = self.intern(&step.name);
            self.share(&mut step.expect);
            self.share(&mut step.warn);
        }
        self.share(&mut good);
        for clause in &mut ineligible {
            self.share(clause);
        }
        let origin = Origin {
            stream: Stream::new(Arc::clone(&shared.name), self.intern(&made.region)),
            version: made.version.into(),
            kind: Arc::clone(&shared.kind),
            owner: Arc::clone(&shared.owner),
            service: Arc::clone(&shared.service),
            labels: shared.labels.clone(),
            prober: Arc::clone(&shared.prober),
            side_effects: scenario.side_effects.is_some(),
        };
        let replicas = self.around.project.replicas_of(&made.region, scenario.side_effects.is_some());
        Plan {
            replicas: if self.options.replicas { replicas } else { 1 },
            origin: Arc::new(origin),
            about: Arc::clone(&shared.about),
            cadence: scenario.cadence.clone(),
            interval: scenario.interval.unwrap_or(Duration::from_mins(1)),
            timeout: scenario.timeout,
            steps: steps.into(),
            teardown: teardown.into(),
            grace: scenario.grace,
            // An empty list of this kind takes no memory, a converted one does.
            good: if good.is_empty() { Arc::default() } else { good.into() },
            ineligible: if ineligible.is_empty() { Arc::default() } else { ineligible.into() },
            continue_on_failure: scenario.continue_on_failure,
            retried_is_bad: scenario.retried_is_bad,
            secrets: made.secrets,
            unnamed_secrets: made.unnamed_secrets,
            chains: made.chains,
            slo: Arc::clone(&shared.slo),
            name_at: scenario.name.span,
            maintenance: self.maintenance(scenario),
            network: Arc::clone(self.around.project.network(&made.region)),
        }
    }
}

impl<N> Compiler<'_, N> {
    /// Puts one assertion in place of all that say the same: most scenarios expect what others expect.
    fn share(&mut self, assertions: &mut [Assertion]) {
        for assertion in assertions {
            let own = assertion.clone();
            assertion.clone_from(self.assertions.entry(assertion.spelling()).or_insert(own));
        }
    }
}

pub(super) struct SharedParts {
    pub(super) slo: Arc<Slo>,
    pub(super) about: Arc<About>,
    pub(super) name: Arc<str>,
    pub(super) kind: Arc<str>,
    pub(super) owner: Arc<str>,
    pub(super) service: Arc<str>,
    pub(super) labels: Vec<(Arc<str>, Arc<str>)>,
    pub(super) prober: Arc<str>,
}

/// A plan's own parts in one region.
pub(super) struct Made<N: 'static> {
    pub(super) parts: PlanParts<N>,
    pub(super) version: String,
    pub(super) secrets: Arc<[Arc<str>]>,
    /// Values that are put through more than one filter.
    pub(super) unnamed_secrets: Secrets,
    pub(super) chains: Box<[(Hole, Vec<Filter>)]>,
    pub(super) region: Arc<str>,
}

pub(super) struct PlanParts<N: 'static> {
    pub(super) steps: Vec<crate::plan::StepPlan<N>>,
    pub(super) teardown: Vec<crate::plan::StepPlan<N>>,
    pub(super) good: Vec<Assertion>,
    pub(super) ineligible: Vec<Vec<Assertion>>,
}

impl<N> PlanParts<N> {
    /// The rules that files beside the scenario hold, for its version; empty if there are none.
    pub(super) fn rules(&self) -> String {
        let of_steps = self.steps.iter().chain(&self.teardown).flat_map(|step| {
            let polled = step.poll.iter().flat_map(|poll| poll.until.iter().chain(poll.stop_if.iter()));
            step.expect.iter().chain(step.warn.iter()).chain(polled)
        });
        let of_sli = self.good.iter().chain(self.ineligible.iter().flatten());
        of_steps.chain(of_sli).filter_map(Assertion::rule).collect()
    }
}

/// What defaults decide about a scenario, for its version.
pub(super) fn effective<N>(scenario: &ScenarioFile<'_, N>, shared: &SharedParts) -> String {
    let labels: BTreeMap<_, _> = shared.labels.iter().cloned().collect();
    format!("{} {:?} {} {labels:?}", scenario.cadence, scenario.timeout, shared.owner)
}

/// All captures of a scenario in the order of its steps.
pub(super) fn declared<'s, 't: 's, N: 'static>(
    steps: impl Iterator<Item = &'s StepNode<'t, N>>,
    report: &mut Report,
) -> Vec<Capture> {
    let mut all: Vec<Capture> = Vec::new();
    for (index, step) in steps.enumerate() {
        for (name, _) in step.capture.and_then(Node::map).unwrap_or_default() {
            if let Err(problem) = crate::name::private("capture", &name.value, name.span) {
                report.push(problem);
            }
            if ["region", "run", "vars", "secrets", "params", "matrix"].contains(&name.value.as_str()) {
                let message = format!("`{}` has a meaning of its own in `${{…}}`", name.value);
                report.push(Diagnostic::error("E107", name.span, message).help("choose another name"));
            }
            if let Some(first) = all.iter().find(|known| *known.name == *name.value) {
                let message = format!("`{}` is captured twice", name.value);
                let problem =
                    Diagnostic::warning("W305", name.span, message).other(first.span, "the first one");
                report.push(problem.help("steps after this one see only the later value"));
            }
            all.push(Capture {
                name: name.value.as_str().into(),
                span: name.span,
                step: index,
                step_name: Arc::clone(&step.name),
                used: false,
            });
        }
    }
    all
}

/// `sli.good` looks at the only step, or at the duration of a flow.
/// A rule that holds whenever `expect` does leaves bad runs only.
fn good_runs_count(nodes: &[&Node], clauses: &[Vec<Assertion>], expect: &[Assertion], report: &mut Report) {
    for (node, clause) in nodes.iter().zip(clauses) {
        let covers = |rule: &Assertion| expect.iter().any(|expected| rule.covers(expected));
        if !clause.is_empty() && clause.iter().all(covers) {
            let message =
                "this holds for every run that `expect` is content with, so that none could be good";
            let problem = Diagnostic::error("E310", node.span, message);
            report
                .push(problem.help("write what only runs have that must not count, such as { status: 503 }"));
        }
    }
}

/// `sli.good` is asked of runs with which `expect` is content: what both look at must be able to be right for both.
fn runs_can_be_good(
    (node, good): (&Node, &[Assertion]),
    expect: &[Assertion],
    subjects: &Subjects,
    report: &mut Report,
) {
    for rule in good {
        let Some(expected) = expect.iter().find(|expected| exclude_each_other(rule, expected, subjects))
        else {
            continue;
        };
        let entries = node.map().unwrap_or_default();
        let key = entries.iter().find(|(key, _)| key.value == rule.subject());
        let (name, is, wants) = (rule.name(), expected.expected(), rule.expected());
        let message = format!("no run can be good: `expect` wants {name} {is}, and `good` {wants}");
        let problem = Diagnostic::error("E310", key.map_or(node.span, |(key, _)| key.span), message);
        report.push(
            problem.help("`good` is asked of runs that are correct: write what only the best of them have"),
        );
    }
}

fn subjects_of_good<N>(steps: &[StepNode<'_, N>]) -> Subjects {
    match steps {
        [only] => Subjects::of(only.kind),
        _ => Subjects::flow(),
    }
}

/// A clause of `sli.ineligible` looks at the first kind of step that shows all it asks for.
fn subjects_of_clause<N>(steps: &[StepNode<'_, N>], clause: &Node) -> Subjects {
    let asked: Vec<&str> =
        clause.map().unwrap_or_default().iter().map(|(key, _)| key.value.as_str()).collect();
    let shows = |step: &&StepNode<'_, N>| {
        asked
            .iter()
            .all(|asked| *asked == LATENCY || step.kind.subjects.iter().any(|subject| subject.name == *asked))
    };
    let step = steps.iter().find(shows).or(steps.first());
    step.map_or_else(Subjects::flow, |step| Subjects::of(step.kind))
}
