//! The control targets of each region, compiled as every scenario is: the same path, the same measurement.

use std::sync::Arc;
use std::time::Duration;

use super::parts::{Made, declared};
use super::{Compiler, reach};
use crate::bind::Binder;
use crate::diagnostic::Report;
use crate::file::read;
use crate::names::{NOTHING, Names};
use crate::network::Policy;
use crate::plan::Plan;
use crate::source::{Source, Span, Spanned};
use crate::step::SharedAssertions;
use crate::tree::{Node, NodeValue, Scalar, ScalarKind};

impl<N> Compiler<'_, N> {
    /// One plan a control target and region, in the file's order.
    pub(super) fn controls(&mut self, report: &mut Report) -> Vec<Plan<N>> {
        let project = self.around.project;
        let mut plans = Vec::new();
        for region in project.regions() {
            if !self.is_known(region) {
                continue;
            }
            let Some(control) = project.control(region) else { continue };
            for (index, target) in control.targets.iter().enumerate() {
                let root = scenario(&format!("control-{}", index + 1), control.timeout, target);
                plans.extend(self.control(region, &root, report).filter(|_| self.is_wanted(region)));
            }
        }
        plans
    }

    fn control(&mut self, region: &Arc<str>, root: &Node, report: &mut Report) -> Option<Plan<N>> {
        let scenario = read(root, &mut self.around, &NOTHING, report)?;
        let nowhere = Source { path: "prober.yaml".to_owned(), text: String::new() };
        let shared = self.shared_parts(&scenario, &nowhere);
        let mut names = Names::new(&self.around.project.shared, &NOTHING, Some(Arc::clone(region)));
        names.declare(declared(scenario.steps.iter(), report));
        let mut assertions = SharedAssertions::default();
        let parts = self.plan(&scenario, &mut assertions, &mut Binder { report, names: &mut names })?;
        // Whoever may write the project file chooses the network; only metadata needs more than that.
        let open = Policy { private: true, ..Policy::default() };
        reach::check(&scenario, &parts, &open, report);
        let made = Made {
            parts,
            version: String::new(),
            secrets: names.secrets_used().iter().cloned().collect(),
            unnamed_secrets: names.unnamed_secrets().clone(),
            chains: names.chains().into(),
            region: Arc::clone(region),
        };
        let plan = self.finish(&scenario, &shared, made);
        Some(Plan { network: Arc::new(open), ..plan })
    }
}

/// The scenario that a step would be if it had a file of its own.
fn scenario(name: &str, timeout: Duration, step: &Node) -> Node {
    let at = Span { end: step.span.start, ..step.span };
    let key = |name: &str| Spanned::new(name.to_owned(), at);
    let text = |text: String| {
        let scalar = Scalar { text: text.into(), kind: ScalarKind::Text, verbatim: None, is_block: false };
        Node { value: NodeValue::Scalar(scalar), span: at }
    };
    let entries = vec![
        (key("name"), text(name.to_owned())),
        (key("aim"), text("The prober's own network is in order.".to_owned())),
        (key("every"), text("1h".to_owned())),
        (key("timeout"), text(format!("{}ms", timeout.as_millis().max(1)))),
        (key("steps"), Node { value: NodeValue::List(vec![step.clone()]), span: step.span }),
    ];
    Node { value: NodeValue::Map(entries), span: step.span }
}
