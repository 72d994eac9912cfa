//! Values in the form that a step shows them in: a name without its final dot, say, equals no answer, and an address
//! that is none is in no answer either.
//!
//! What a subject's values look like is known to its kind alone, which is asked for each value that is compared.
//! Deliberately absent: regular expressions, which may match a form in many ways.

use std::borrow::Cow;

use crate::bind::Binder;
use crate::diagnostic::{Diagnostic, Report};
use crate::interpolate::{Resolved, resolve};
use crate::kind::{Action, Kind, Shape};
use crate::tree::{Node, NodeValue};
use crate::value::SubjectType;

/// Whether a step ever shows a value as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// It may.
    Fits,
    /// It writes the same otherwise: like this.
    Written(String),
    /// It shows nothing like that; what it shows, or what to type, in words for people.
    Never(Cow<'static, str>),
}

/// What a value of the file is compared with.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A whole text, or a whole item of a list.
    Whole,
    /// A part of one: its begin, its end, something inside.
    Part,
}

/// The subject that is looked at.
#[derive(Copy, Clone)]
struct Place {
    subject: &'static str,
    /// Whether the subject is a list, and not one of its items.
    is_list: bool,
}

/// What the kind says of a value of a subject.
type Judge<'a> = dyn Fn(&str, &str, Extent) -> Form + 'a;

impl Binder<'_, '_> {
    /// Reports values that nothing can equal or contain, because the step writes them otherwise.
    pub(crate) fn forms<N>(&mut self, expected: &Node, kind: &Kind<N>, action: &dyn Action<N>) {
        let judge = |subject: &str, value: &str, extent| action.form(subject, value, extent);
        for (name, node) in expected.map().unwrap_or_default() {
            let Some(subject) = kind.subjects.iter().find(|subject| subject.name == name.value) else {
                continue;
            };
            match subject.shape {
                Shape::One(SubjectType::Texts) if node.map().is_some() => {
                    self.operands(node, Place { subject: subject.name, is_list: true }, &judge);
                }
                Shape::One(SubjectType::Text | SubjectType::Any) => {
                    self.operands(node, Place { subject: subject.name, is_list: false }, &judge);
                }
                _ => {}
            }
        }
    }

    /// Looks at a bare value, or at what the operators of a map compare.
    fn operands(&mut self, node: &Node, place: Place, judge: &Judge<'_>) {
        let Some(entries) = node.map() else { return self.compared(node, place, Extent::Whole, judge) };
        let item = Place { is_list: false, ..place };
        for (operator, operand) in entries {
            match operator.value.as_str() {
                "any" | "all" => self.operands(operand, item, judge),
                "not" => self.operands(operand, place, judge),
                "equals" | "equals_set" | "in" | "not_in" => {
                    self.compared(operand, place, Extent::Whole, judge);
                }
                "contains" | "not_contains" if place.is_list => {
                    self.compared(operand, place, Extent::Whole, judge);
                }
                "contains" | "not_contains" | "starts_with" | "ends_with" => {
                    self.compared(operand, place, Extent::Part, judge);
                }
                _ => {}
            }
        }
    }

    fn compared(&mut self, node: &Node, place: Place, extent: Extent, judge: &Judge<'_>) {
        if let NodeValue::List(items) = &node.value {
            return items.iter().for_each(|item| self.compared(item, place, extent, judge));
        }
        // What cannot be resolved is reported where it is read.
        let Some(Resolved::Constant(scalar)) = resolve(node, self.names, &mut Report::default()) else {
            return;
        };
        let help = match judge(place.subject, &scalar.text, extent) {
            Form::Fits => return,
            Form::Written(written) => format!("write {written}, the form in which it is shown"),
            Form::Never(help) => help.into_owned(),
        };
        let shown = model::outcome::cut(scalar.text.to_string(), 60);
        let message = match (place.is_list, extent) {
            (true, _) => format!("`{shown}` is never in this list"),
            (false, Extent::Whole) => format!("`{}` is never `{shown}`", place.subject),
            (false, Extent::Part) => format!("`{}` never has `{shown}` in it", place.subject),
        };
        self.report.push(Diagnostic::error("E305", node.span, message).help(help));
    }
}
