//! Items of a list in the form that a step shows them in: a name without its final dot, say, equals no answer.

use crate::bind::Binder;
use crate::diagnostic::{Diagnostic, Report};
use crate::interpolate::{Resolved, resolve};
use crate::kind::{Action, Kind, Shape};
use crate::tree::{Node, NodeValue};
use crate::value::SubjectType;

impl Binder<'_, '_> {
    /// Reports items that no list can have, because the step writes them otherwise.
    pub(crate) fn item_forms<N>(&mut self, expected: &Node, kind: &Kind<N>, action: &dyn Action<N>) {
        for (name, node) in expected.map().unwrap_or_default() {
            let subject = kind.subjects.iter().find(|subject| subject.name == name.value);
            if let Some(subject) = subject.filter(|one| one.shape == Shape::One(SubjectType::Texts)) {
                self.operands(node, false, &|item| action.item_form(subject.name, item));
            }
        }
    }

    /// Looks at what is compared with whole items; inside of `any` and `all` that is an item's own text.
    fn operands(&mut self, node: &Node, is_item: bool, form: &dyn Fn(&str) -> Option<String>) {
        for (operator, operand) in node.map().unwrap_or_default() {
            match operator.value.as_str() {
                "any" | "all" | "not" if operand.map().is_some() => {
                    self.operands(operand, is_item || operator.value != "not", form);
                }
                "contains" | "not_contains" if is_item => {}
                "any" | "all" | "not" | "equals" | "equals_set" | "in" | "not_in" | "contains"
                | "not_contains" => {
                    self.items(operand, form);
                }
                _ => {}
            }
        }
    }

    fn items(&mut self, node: &Node, form: &dyn Fn(&str) -> Option<String>) {
        if let NodeValue::List(items) = &node.value {
            for item in items {
                self.items(item, form);
            }
            return;
        }
        // What cannot be resolved is reported where it is read.
        let Some(Resolved::Constant(scalar)) = resolve(node, self.names, &mut Report::default()) else {
            return;
        };
        if let Some(written) = form(&scalar.text) {
            let shown = model::outcome::cut(scalar.text.to_string(), 60);
            let problem = Diagnostic::error("E305", node.span, format!("`{shown}` is never in this list"));
            self.report.push(problem.help(format!("write {written}, the form that answers have")));
        }
    }
}
