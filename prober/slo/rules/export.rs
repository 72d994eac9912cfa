//! The formats that objectives are exported in, as a table.

use super::exported::Exported;
use super::{Subject, openslo, prometheus, pyrra, sloth};

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
