//! What a map of expectations decides: under `sli.ineligible` and `poll.stop_if` one that always holds takes
//! every run.

use model::step::Part;

use super::sense::always_holds;
use super::{Subjects, ValueType};
use crate::assertion::Assertion;
use crate::bind::Binder;
use crate::diagnostic::{Diagnostic, Report};
use crate::kind::{Shape, Subject};
use crate::tree::Node;

/// The parts in which a match ends something, and what one that always matches would do.
const TAKING: [(Part, &str, &str); 2] = [
    (
        Part::Ineligible,
        "this holds for every answer, so that no run could ever be bad",
        "write what only runs have that must not count, such as { status: 503 }",
    ),
    (
        Part::StopIf,
        "this holds for every answer, so that the poll always ends with the first one",
        "write what says that it cannot come any more, such as { json: { $.status: rejected } }",
    ),
];

impl Binder<'_, '_> {
    /// The assertions of an `expect` and its kin; mistakes are reported and leave theirs out.
    ///
    /// No part is the `good` of an objective over several scenarios, which no run looks at.
    pub(crate) fn assertions(
        &mut self,
        node: &Node,
        subjects: &Subjects,
        part: Option<Part>,
    ) -> Vec<Assertion> {
        let Some((_, message, help)) = TAKING.iter().find(|(taking, ..)| Some(*taking) == part) else {
            return self.each_assertion(node, subjects, part);
        };
        let mut report = Report::default();
        let assertions =
            Binder { report: &mut report, names: self.names }.each_assertion(node, subjects, part);
        let takes_all = !assertions.is_empty()
            && !report.has_errors()
            && assertions.iter().all(|assertion| is_certain(assertion, subjects));
        if takes_all {
            self.report.push(Diagnostic::error("E310", node.span, *message).help(*help));
        }
        for mut problem in report.finish() {
            if problem.code == "W343" {
                if takes_all {
                    continue;
                }
                // What would be wrong has no place here.
                problem.help = vec!["leave it out: the others decide".to_owned()];
            }
            self.report.push(problem);
        }
        if takes_all { Vec::new() } else { assertions }
    }
}

/// Whether it holds whatever the target does.
fn is_certain(assertion: &Assertion, subjects: &Subjects) -> bool {
    let Some(&Subject { name, shape: Shape::One(kind), .. }) = subjects.find(assertion.subject()) else {
        return false;
    };
    assertion.matchers().iter().all(|matcher| always_holds(matcher, ValueType::One(kind), name))
}
