//! `good` of an SLO file: what makes a correct run good for this objective.
//!
//! It is written and judged as a scenario's `sli.good`, by what every stored event has: how long its run took.

use std::time::Duration;

use model::time::Timestamp;

use super::joint::Member;
use crate::assertion::{Assertion, LATENCY, Observed};
use crate::bind::Binder;
use crate::diagnostic::{Diagnostic, Report};
use crate::kind::Nothing;
use crate::names::{NOTHING, Names};
use crate::operators::Subjects;
use crate::project::Project;
use crate::source::Span;
use crate::tree::Node;
use crate::units::show_duration;

/// What a correct run must show to be good for one objective, in place of its scenario's own `sli.good`.
#[derive(Clone, Debug)]
pub struct GoodRuns(Vec<Assertion>);

impl GoodRuns {
    /// What is wrong with a run that took so long, in a sentence; `None` if it is good.
    pub fn broken(&self, took: Duration) -> Option<String> {
        // How long something took has nothing to do with what time it is.
        let observed = Observed::new(&Nothing, took, Timestamp::from_nanos(0));
        self.0.iter().map(|one| one.check(&observed)).find(|one| !one.pass).map(|one| one.message)
    }

    /// What is asked for, for people: `latency < 800ms`.
    pub fn words(&self) -> String {
        let words = self.0.iter().map(|one| format!("{} {}", one.name(), one.expected()));
        words.collect::<Vec<_>>().join(" and ")
    }

    fn spelling(&self) -> String {
        self.0.iter().map(Assertion::spelling).collect()
    }
}

impl PartialEq for GoodRuns {
    fn eq(&self, other: &Self) -> bool {
        self.spelling() == other.spelling()
    }
}

impl Eq for GoodRuns {}

/// Reads `good`; `None` if the file has none, or a wrong one.
pub(super) fn read(
    root: &Node,
    members: &[&Member],
    project: &Project,
    report: &mut Report,
) -> Option<GoodRuns> {
    let node = root.get("good")?;
    let mut names = Names::new(&project.shared, &NOTHING, None);
    let mut binder = Binder { report, names: &mut names };
    let assertions = binder.assertions(node, &Subjects::objective(), None);
    let good = (!assertions.is_empty()).then_some(GoodRuns(assertions))?;
    if let Some(longest) = members.iter().map(|member| member.timeout).max() {
        look_at_timeout(&good.0, longest, node.span, report);
    }
    Some(good)
}

/// Warns of a `good` that asks for no more than a latency that every run has that its timeout, at most `longest`, does not
/// cut off.
pub(crate) fn look_at_timeout(good: &[Assertion], longest: Duration, span: Span, report: &mut Report) {
    let observed = Observed::new(&Nothing, longest, Timestamp::from_nanos(0));
    let holds = |one: &Assertion| one.subject() == LATENCY && one.check(&observed).pass;
    if good.is_empty() || !good.iter().all(holds) {
        return;
    }
    let message = format!("no run takes longer than its timeout, {} at most", show_duration(longest));
    let problem = Diagnostic::warning("W307", span, message);
    let problem = problem.label("so this holds for every run that does not fail");
    report.push(problem.help("write what is still good enough, such as good: { latency: { lt: 800ms } }"));
}
