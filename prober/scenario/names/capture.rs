//! Bare names: what an earlier step has taken with `capture`.

use std::sync::Arc;

use super::Names;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::suggest::nearest;
use crate::template::Hole;

/// A capture that some step of the scenario makes.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) name: Arc<str>,
    pub(crate) span: Span,
    pub(crate) step: usize,
    pub(crate) step_name: Arc<str>,
    pub(crate) used: bool,
}

impl Names<'_> {
    pub(crate) fn declare(&mut self, captures: Vec<Capture>) {
        self.captures = captures;
    }

    pub(crate) fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// The capture that a step needs: the name of one that an earlier step makes.
    pub(crate) fn need(&mut self, name: &str, span: Span) -> Result<Arc<str>, Diagnostic> {
        match self.capture(name, span)? {
            Hole::Capture(name) => Ok(name),
            _ => Err(Diagnostic::error("E204", span, format!("no step captures `{name}`"))),
        }
    }

    pub(super) fn capture(&mut self, name: &str, span: Span) -> Result<Hole, Diagnostic> {
        let step = self.step;
        let mut found = None;
        for capture in self.captures.iter_mut().filter(|capture| *capture.name == *name) {
            capture.used = true;
            if capture.step < step {
                found = Some(Arc::clone(&capture.name));
            }
        }
        if let Some(name) = found {
            return Ok(Hole::Capture(name));
        }
        if let Some(later) = self.captures.iter().find(|capture| *capture.name == *name) {
            return Err(self.too_early(later, span));
        }
        Err(self.no_capture(name, span))
    }

    fn too_early(&self, later: &Capture, span: Span) -> Diagnostic {
        let problem =
            Diagnostic::error("E201", span, format!("`{}` is used before it is captured", later.name));
        if later.step == self.step {
            return problem.other(later.span, "captured here, when this step is over");
        }
        problem
            .other(later.span, format!("captured here, by the later step `{}`", later.step_name))
            .help(format!("move `{}` before `{}`", later.step_name, self.step_name))
    }

    fn no_capture(&self, name: &str, span: Span) -> Diagnostic {
        let problem = Diagnostic::error("E204", span, format!("no step captures `{name}`"));
        let known = self.known_vars();
        if known.contains(&name) {
            return problem.label(format!("did you mean `vars.{name}`?"));
        }
        let secrets = self.region_names().map(|names| &names.secrets);
        if self.shared.project.secrets.contains(name) || secrets.is_some_and(|secrets| secrets.contains(name))
        {
            return problem.label(format!("did you mean `secrets.{name}`?"));
        }
        match nearest(name, self.captures.iter().map(|capture| &*capture.name).chain(["region"])) {
            Some(near) => problem.label(format!("did you mean `{near}`?")),
            None => problem.help(
                "a bare name is a value that an earlier step takes with `capture`; variables are `vars.NAME`",
            ),
        }
    }
}
