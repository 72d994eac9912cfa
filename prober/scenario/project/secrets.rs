//! The secrets that a project names: where each value comes from, and never the value.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Project, SECRET_KEYS, map_of};
use crate::bind::Place;
use crate::diagnostic::{Diagnostic, Report};
use crate::name;
use crate::source::{Span, Spanned};
use crate::tree::{Node, ScalarKind};

/// Where a secret's value comes from; the value itself is read by the composition root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file, relative to the credentials folder.
    File(String),
}

/// The region that names the secret, `None` for the project, and its name.
pub(super) type SecretKey = (Option<Arc<str>>, Arc<str>);

impl Project {
    /// Where the value of a secret comes from in a region.
    pub fn secret_source(&self, region: &str, name: &str) -> Option<&SecretSource> {
        let key = |region: Option<Arc<str>>| (region, Arc::from(name));
        let found = self.secrets.get(&key(Some(region.into()))).or_else(|| self.secrets.get(&key(None)));
        found.map(|source| &source.value)
    }

    /// The source that a region (the project for `None`) itself names for a secret, and where it does so.
    pub(crate) fn secret(&self, region: Option<&Arc<str>>, name: &Arc<str>) -> Option<(&SecretSource, Span)> {
        let found = self.secrets.get(&(region.cloned(), Arc::clone(name)))?;
        Some((&found.value, found.span))
    }

    pub(super) fn read_secrets(
        &mut self,
        node: &Node,
        region: Option<&Arc<str>>,
        report: &mut Report,
    ) -> BTreeSet<Arc<str>> {
        let mut known = BTreeSet::new();
        for (name, source) in map_of(node, "secrets", report) {
            let checked =
                name::private("secret", &name.value, name.span).and_then(|()| secret_source(name, source));
            let place = name.span;
            let name: Arc<str> = name.value.as_str().into();
            known.insert(Arc::clone(&name));
            match checked {
                Ok(source) => {
                    self.secrets.insert((region.cloned(), name), Spanned::new(source, place));
                }
                Err(problem) => report.push(problem),
            }
        }
        known
    }
}

fn secret_source(name: &Spanned<String>, node: &Node) -> Result<SecretSource, Diagnostic> {
    let help =
        format!("write {0}: {{ env: {1} }} or {0}: {{ file: {0} }}", name.value, name.value.to_uppercase());
    let [(key, value)] = node.map().unwrap_or_default() else {
        // The text itself is not shown: it may be the secret.
        let problem =
            Diagnostic::error("E103", node.span, "a secret is named by its source, never by its value");
        return Err(problem.masked().help(help));
    };
    let text = value
        .scalar()
        .filter(|scalar| {
            matches!(scalar.kind, ScalarKind::Text | ScalarKind::Quoted) && !scalar.text.is_empty()
        })
        .map(|scalar| scalar.text.to_string());
    let Some(text) = text else {
        return Err(Diagnostic::error("E103", value.span, "expected a name").help(help));
    };
    match key.value.as_str() {
        "exec" => Err(Diagnostic::error("E106", key.span, "`exec` is not supported by this version yet")),
        name => match SECRET_SOURCES.iter().find(|(known, _)| *known == name) {
            Some((_, source)) => Ok(source(text)),
            None => Err(Place::under("secrets").unknown_key(key, SECRET_KEYS)),
        },
    }
}

/// A word of the file and the source that it stands for.
type SecretWord = (&'static str, fn(String) -> SecretSource);

const SECRET_SOURCES: [SecretWord; 2] = [("env", SecretSource::Env), ("file", SecretSource::File)];
