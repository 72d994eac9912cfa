//! `budget_policy` of the project file: what the state of an error budget asks for.

use model::objective::Share;

use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Fields, Key, KeyType, Need};

/// The keys of the section.
pub(super) const BUDGET_POLICY_KEYS: &[Key] = &[
    Key {
        name: "review",
        value: KeyType::Percent,
        need: Need::Default("50%"),
        doc: "With less than this left of a budget, what burns it is to be looked at.",
        example: "50%",
    },
    Key {
        name: "approval",
        value: KeyType::Percent,
        need: Need::Default("25%"),
        doc: "With less than this left, a release needs approval: the gate is closed.",
        example: "25%",
    },
    Key {
        name: "incident",
        value: KeyType::Percent,
        need: Need::Default("20%"),
        doc: "A single incident that costs more of a budget than this wants a post-mortem.",
        example: "20%",
    },
];

/// The key in a project.
pub(super) const BUDGET_POLICY: Key = Key {
    name: "budget_policy",
    value: KeyType::Record(BUDGET_POLICY_KEYS),
    need: Need::Optional,
    doc: "At which share left of an error budget something is asked of the team; with nothing left, only changes for reliability and security are.",
    example: "{ review: 50%, approval: 25%, incident: 20% }",
};

/// What the state of a budget asks for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct BudgetPolicyFile {
    /// With less left, what burns it is to be looked at.
    pub review: Share,
    /// With less left, a release needs approval.
    pub approval: Share,
    /// An incident that costs more wants a post-mortem.
    pub incident: Share,
}

const fn share(millionths: u32) -> Share {
    match Share::of_millionths(millionths) {
        Some(share) => share,
        None => unreachable!(),
    }
}

impl Default for BudgetPolicyFile {
    fn default() -> Self {
        Self { review: share(500_000), approval: share(250_000), incident: share(200_000) }
    }
}

/// The policy in the section's fields.
pub(super) fn read(mut fields: Fields, report: &mut Report) -> BudgetPolicyFile {
    let mut policy = BudgetPolicyFile::default();
    let (review, approval) = (fields.percent("review"), fields.percent("approval"));
    let incident = fields.percent("incident");
    policy.review = review.as_ref().map_or(policy.review, |share| share.value);
    policy.approval = approval.as_ref().map_or(policy.approval, |share| share.value);
    policy.incident = incident.as_ref().map_or(policy.incident, |share| share.value);
    if let Some(zero) = incident.filter(|share| share.value.millionths() == 0) {
        let problem = Diagnostic::error("E104", zero.span, "every bad run costs more than nothing");
        report.push(
            problem.help("write the share of a budget that is worth a post-mortem, such as incident: 20%"),
        );
    }
    if let Some(wrong) = approval.or(review).filter(|_| policy.approval >= policy.review) {
        let message = format!(
            "approval is asked for with less than {} left, and a review with less than {}",
            policy.approval, policy.review
        );
        let problem = Diagnostic::error("E104", wrong.span, message);
        report.push(problem.help("a review comes first: write a larger share for it, such as review: 50%"));
    }
    policy
}
