//! Rules for Prometheus: all of the policy.

use super::exported::Exported;
use super::yaml::{line, rule, text};
use super::{Subject, alerting, recording};

/// Two groups an objective: what is recorded, then what alerts on it.
pub(super) fn write(subjects: &[Subject]) -> Exported {
    let mut out = String::from(
        "# Written by `prober slo export prometheus`: what prober's own evaluator does, as rules.\n\
         # An inhibition for Alertmanager belongs to them: a page silences the ticket of the same `slo`, and\n\
         # SLOBlind silences SLOEligibilityLow.\n",
    );
    line(&mut out, 0, if subjects.is_empty() { "groups: []" } else { "groups:" });
    for subject in subjects {
        for (what, rules) in [("budget", recording::rules(subject)), ("alerts", alerting::rules(subject))] {
            if rules.is_empty() {
                continue;
            }
            line(&mut out, 2, &format!("- name: {}", text(&format!("prober-slo-{what}-{}", subject.name))));
            line(&mut out, 4, "rules:");
            for one in &rules {
                rule(&mut out, one);
            }
        }
    }
    Exported { text: out, lost: Vec::new() }
}
