//! Steps whose file says where they connect to, and that may not.

use super::parts::PlanParts;
use crate::diagnostic::{Diagnostic, Report};
use crate::file::{ScenarioFile, StepNode};
use crate::kind::Endpoint;
use crate::network::Policy;
use crate::source::Span;
use crate::tree::{Node, NodeValue};

/// Reports each place that the policy does not allow; names are looked up, and judged again, in the run.
pub(super) fn check<N>(
    scenario: &ScenarioFile<'_, N>,
    parts: &PlanParts<N>,
    policy: &Policy,
    report: &mut Report,
) {
    let nodes = scenario.steps.iter().chain(&scenario.teardown);
    let plans = parts.steps.iter().chain(&parts.teardown);
    for (node, plan) in nodes.zip(plans) {
        for endpoint in plan.action.endpoints() {
            let ip = endpoint.host.parse().ok();
            if let Err(denied) = policy.judge(&endpoint.host, ip, endpoint.port) {
                let problem = Diagnostic::error("E191", place(node, &endpoint), denied.what);
                report.push(problem.label("the network policy does not allow it").help(denied.remedy));
            }
        }
    }
}

/// Where the host stands; the step's kind, if it came from somewhere else.
fn place<N>(node: &StepNode<'_, N>, endpoint: &Endpoint) -> Span {
    holder(node.body, &endpoint.host).map_or(node.at, |found| found.span)
}

fn holder<'n>(node: &'n Node, host: &str) -> Option<&'n Node> {
    match &node.value {
        NodeValue::Scalar(scalar) => scalar.text.contains(host).then_some(node),
        NodeValue::Map(entries) => entries.iter().find_map(|(_, value)| holder(value, host)),
        NodeValue::List(items) => items.iter().find_map(|item| holder(item, host)),
    }
}
