//! A file for another tool, and what several of them lose.

use super::Subject;

/// A file for another tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The whole text.
    pub text: String,
    /// What the other tool cannot hold, a sentence each; empty if it says all that the evaluator does.
    pub lost: Vec<String>,
}

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
