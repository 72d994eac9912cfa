//! What a template and a matrix add to the names: `${params.…}` and `${matrix.…}`.

use super::{Meaning, Names};
use crate::bind::where_set;
use crate::diagnostic::{Diagnostic, Report};
use crate::interpolate::{Resolved, resolve};
use crate::reuse::Param;
use crate::source::Span;
use crate::suggest::nearest;
use crate::tree::Node;

impl Names<'_> {
    /// A value of the matrix; a template sees none, so that it says itself what it needs.
    pub(super) fn matrix(&mut self, name: &str, span: Span) -> Result<Meaning, Diagnostic> {
        if self.own.arguments.is_some_and(|arguments| arguments.is_in_template(span)) {
            let problem = Diagnostic::error("E204", span, "a template does not see the matrix of a scenario");
            return Err(problem.help(format!(
                "declare a parameter, and pass it in the scenario: with: {{ {name}: \"${{matrix.{name}}}\" }}"
            )));
        }
        self.instanced = true;
        if let Some(cell) = self.own.matrix.iter().find(|cell| cell.key == name) {
            return Ok(Meaning::Constant(cell.value.clone()));
        }
        if self.own.matrix_is_wrong {
            return Ok(Meaning::Reported);
        }
        let problem = Diagnostic::error("E204", span, format!("the matrix has no key `{name}`"));
        let keys = || self.own.matrix.iter().map(|cell| cell.key);
        Err(match nearest(name, keys()) {
            Some(near) => problem.label(format!("did you mean `matrix.{near}`?")),
            None if self.own.matrix.is_empty() => {
                problem.help(format!("this scenario has no matrix; add matrix: {{ {name}: [a, b] }}"))
            }
            None => problem.help(format!("its keys are: {}", keys().collect::<Vec<_>>().join(", "))),
        })
    }

    /// A parameter of the template that the text stands in.
    pub(super) fn param(&mut self, name: &str, span: Span) -> Result<Meaning, Diagnostic> {
        self.instanced = true;
        let Some(arguments) = self.own.arguments.filter(|arguments| arguments.is_in_template(span)) else {
            return Err(Diagnostic::error(
                "E204",
                span,
                "parameters are known only in the body of a template",
            )
            .help("write the value here, or use `vars` or `matrix`"));
        };
        if self.in_argument {
            return Ok(Meaning::Reported); // a default cannot use another parameter
        }
        let Some((param, node)) = arguments.value(name) else { return Ok(Meaning::Reported) };
        self.argument(param, node).map_err(|problem| match problem.other {
            None => problem.other(span, "used here"),
            Some(_) => problem,
        })
    }

    /// What a parameter is given, of the parameter's type; of several mistakes the first.
    fn argument(&mut self, param: &Param, node: &Node) -> Result<Meaning, Diagnostic> {
        let mut report = Report::default();
        match self.read_argument(param, node, &mut report) {
            Some(meaning) => Ok(meaning),
            None => report.finish().into_iter().next().map_or(Ok(Meaning::Reported), Err),
        }
    }

    /// The same with all mistakes; `None` after one.
    pub(crate) fn read_argument(
        &mut self,
        param: &Param,
        node: &Node,
        report: &mut Report,
    ) -> Option<Meaning> {
        self.in_argument = true;
        let resolved = resolve(node, self, report);
        self.in_argument = false;
        let fits = match resolved? {
            Resolved::Constant(scalar) => param.check(&scalar, node.span).map(Meaning::Constant),
            Resolved::Runtime(template) => {
                param.check_holes(&template, node.span).map(|()| Meaning::Parts(template))
            }
        };
        fits.map_err(|problem| report.push(where_set(problem, node, &param.name.value))).ok()
    }

    pub(super) fn capture_in_argument(&self, name: &str, span: Span) -> Diagnostic {
        let problem = Diagnostic::error("E204", span, "an argument cannot use what a step captures");
        if self.known_vars().contains(&name) {
            return problem.label(format!("did you mean `vars.{name}`?"));
        }
        problem.help("known here are vars.NAME, secrets.NAME, matrix.NAME, region and run.id")
    }
}
