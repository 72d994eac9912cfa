//! The formats that objectives are exported in, as a table.

use super::{Subject, openslo, prometheus, pyrra, sloth};

/// A file for another tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The whole text.
    pub text: String,
    /// What the other tool cannot hold, a sentence each; empty if it says all that the evaluator does.
    pub lost: Vec<String>,
}

/// One format.
#[derive(Debug)]
pub struct RuleFormat {
    /// The word on the command line.
    pub name: &'static str,
    /// What it is for, for people.
    pub summary: &'static str,
    /// Writes the objectives; those without one are left out where only objectives can be written.
    pub write: fn(&[Subject]) -> Exported,
}

/// Every format.
pub const FORMATS: &[RuleFormat] = &[
    RuleFormat {
        name: "prometheus",
        summary: "recording and alerting rules that say what the evaluator does",
        write: prometheus::write,
    },
    RuleFormat { name: "sloth", summary: "a specification for Sloth", write: sloth::write },
    RuleFormat { name: "pyrra", summary: "ServiceLevelObjectives for Pyrra", write: pyrra::write },
    RuleFormat { name: "openslo", summary: "OpenSLO v1", write: openslo::write },
];

/// What every tool loses that knows burn rates of Google's workbook and nothing else.
pub(super) fn lost_policy(tool: &str, subject: &Subject) -> Vec<String> {
    let (policy, name) = (subject.policy(), &subject.name);
    let fast = policy.fast();
    let mut lost = vec![
        format!(
            "{name}: the floors of bad runs ({} and {}); {tool} pages for fewer",
            fast.long_floor, fast.short_floor
        ),
        format!("{name}: SLOOutage, SLORegionDown, SLOBlind and SLOEligibilityLow"),
        format!("{name}: silence during maintenance"),
        format!("{name}: expected slots as the denominator of burn rates; gaps inflate {tool}'s"),
    ];
    if policy.regions > 1 {
        lost.push(format!("{name}: a quorum of {} of {} regions", subject.quorum(), policy.regions));
    }
    lost
}

/// The objectives, and a sentence for each promise without one.
pub(super) fn with_objective<'a>(subjects: &'a [Subject], lost: &mut Vec<String>) -> Vec<&'a Subject> {
    let (with, without): (Vec<_>, Vec<_>) = subjects.iter().partition(|subject| subject.objective.is_some());
    lost.extend(
        without.iter().map(|subject| format!("{}: it has no objective and is left out", subject.name)),
    );
    with
}
