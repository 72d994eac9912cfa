//! A scenario file with its template, its matrix and its variables, before its keys are read.

use std::borrow::Cow;

use super::arguments::Arguments;
use super::matrix::{Cell, Matrix};
use super::merge::merged;
use super::template_file::Templates;
use crate::diagnostic::{Diagnostic, Report};
use crate::names::{NO_VARS, Own, Shared, Vars};
use crate::project::read_vars;
use crate::source::Spanned;
use crate::tree::Node;

/// What a scenario file is made of.
pub(crate) struct Assembled<'a> {
    pub(crate) arguments: Option<Arguments<'a>>,
    /// The file's tree, or that tree over the template's body.
    pub(crate) whole: Cow<'a, Node>,
    pub(crate) vars: Vars,
    matrix: Option<Matrix>,
    /// There is a matrix, and it cannot be used.
    matrix_is_wrong: bool,
}

impl<'a> Assembled<'a> {
    pub(crate) fn read(root: &'a Node, templates: &'a Templates, report: &mut Report) -> Self {
        let arguments = Arguments::read(root, templates, report);
        let whole = match &arguments {
            Some(arguments) if root.map().is_some() => Cow::Owned(merged(root, &arguments.template.body)),
            _ => Cow::Borrowed(root),
        };
        let matrix = Matrix::read(root, report);
        let matrix_is_wrong = matrix.is_none() && root.get("matrix").is_some();
        let vars = root.get("vars").map(|node| read_vars(node, report)).unwrap_or_default();
        Self { arguments, whole, vars, matrix, matrix_is_wrong }
    }

    /// Each instance's values; a single empty one without a matrix.
    pub(crate) fn instances(&self) -> Box<dyn Iterator<Item = Vec<Cell<'_>>> + '_> {
        match &self.matrix {
            Some(matrix) => Box::new(matrix.instances()),
            None => Box::new(std::iter::once(Vec::new())),
        }
    }

    pub(crate) const fn has_matrix(&self) -> bool {
        self.matrix.is_some()
    }

    /// What belongs to the instance with these values.
    pub(crate) fn own<'s>(&'s self, cells: Vec<Cell<'s>>) -> Own<'s> {
        Own {
            vars: &self.vars,
            template_vars: self.arguments.as_ref().map_or(&NO_VARS, |arguments| &arguments.template.vars),
            matrix: cells,
            matrix_is_wrong: self.matrix_is_wrong,
            arguments: self.arguments.as_ref(),
        }
    }

    /// Warns of values that hide others in a way that is seldom meant.
    pub(crate) fn shadowing(&self, shared: &Shared, report: &mut Report) {
        let regional = |name: &str| {
            shared.regions.iter().find_map(|(region, names)| Some((region, names.vars.get(name)?.span?)))
        };
        for (name, var) in &self.vars {
            if let (Some((region, place)), Some(span)) = (regional(name), var.span) {
                let message =
                    format!("`{name}` differs between regions, and here it is the same in all of them");
                let problem = Diagnostic::warning("W351", span, message);
                report.push(
                    problem
                        .other(place, format!("the region `{region}` has its own"))
                        .help("give one of them another name; the scenario's value is the one that is used"),
                );
            }
        }
        let keys = self.matrix.iter().flat_map(Matrix::keys);
        for key in keys {
            let name = key.value.as_str();
            let own = self.vars.get(name).or_else(|| self.arguments.as_ref()?.template.vars.get(name));
            let below = own.and_then(|var| var.span).or_else(|| regional(name).map(|(_, place)| place));
            let below = below.or_else(|| shared.project.vars.get(name)?.span);
            if let Some(place) = below {
                report.push(hidden_by_matrix(key, place));
            }
        }
    }
}

fn hidden_by_matrix(key: &Spanned<String>, place: crate::source::Span) -> Diagnostic {
    let message = format!("the key `{0}` of the matrix hides the variable `{0}`", key.value);
    Diagnostic::warning("W351", key.span, message).other(place, "the variable is here").help(format!(
        "`${{vars.{}}}` is the matrix's value in this scenario; give one of them another name",
        key.value
    ))
}
