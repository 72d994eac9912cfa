//! What a scenario is called and labelled by: its name, the names it had before, its labels.

use std::sync::Arc;

use super::Labels;
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields};
use crate::name;
use crate::names::Own;
use crate::project::{LABELS_MAX, Project};
use crate::reuse::{base_name, suffix};
use crate::source::{Span, Spanned};
use crate::tree::Node;

/// The name, that of the instance if there is a matrix.
pub(super) fn scenario_name(
    fields: &mut Fields,
    (root, at): (&Node, Span),
    own: &Own<'_>,
    report: &mut Report,
) -> Spanned<String> {
    let Some(name) = fields.text("name") else { return Spanned::new(String::new(), at) };
    let written = root.get("name").and_then(Node::scalar).map_or("", |scalar| &*scalar.text);
    if written.contains("${matrix.") {
        let problem =
            Diagnostic::error("E157", name.span, "the name is the same for all instances of a matrix");
        report.push(problem.help("write a plain name; instances are told apart as name[service=cart]"));
    } else if let Err(problem) = name::public("scenario", &name.value, name.span) {
        report.push(problem);
    }
    name.map(|name| name + &suffix(&own.matrix))
}

/// The names of `was`; in a matrix a plain one stands for the instance that it had.
pub(super) fn former_names(
    fields: &mut Fields,
    root: &Node,
    own: &Own<'_>,
    report: &mut Report,
) -> Vec<Spanned<String>> {
    let (Some(given), Some(node)) = (fields.list("was"), root.get("was")) else { return Vec::new() };
    let written = node.list().unwrap_or(std::slice::from_ref(node));
    let is_own = |place: Span| {
        let text = written.iter().find(|node| node.span == place).and_then(Node::scalar);
        text.is_some_and(|scalar| scalar.text.contains("${matrix."))
    };
    let mut names: Vec<Spanned<String>> = Vec::with_capacity(given.value.len());
    for item in given.value {
        let Bound::Text(text) = item.value else { continue };
        let base = base_name(&text);
        let is_instance = text.len() > base.len();
        if let Err(problem) = name::public("scenario", base, item.span) {
            report.push(problem);
            continue;
        }
        let plain = !is_instance && !is_own(item.span);
        let name = if plain { text + &suffix(&own.matrix) } else { text };
        names.push(Spanned::new(name, item.span));
    }
    names
}

/// The labels of the file, and those that the matrix gives to the instance.
pub(super) fn own_labels(labels: Labels, root: &Node, own: &Own<'_>, report: &mut Report) -> Labels {
    if own.matrix.is_empty() {
        return labels;
    }
    let mut all: Labels =
        own.matrix.iter().map(|cell| (cell.key.into(), (&*cell.value.text).into())).collect();
    for (name, value) in labels {
        if !own.matrix.iter().any(|cell| *cell.key == *name) {
            all.push((name, value));
            continue;
        }
        let keys = root.get("labels").and_then(Node::map).unwrap_or_default();
        let label = keys.iter().find(|(key, _)| *key.value == *name).map_or(root.span, |(key, _)| key.span);
        let problem =
            Diagnostic::error("E157", label, format!("the label `{name}` is a key of the matrix too"));
        report.push(problem.help("leave it out: each instance has its value of the matrix as this label"));
    }
    if all.len() > LABELS_MAX {
        let most = LABELS_MAX;
        let message = format!("{} labels with those of the matrix, and {most} are the most", all.len());
        report.push(Diagnostic::error(
            "E117",
            root.get("labels").map_or(root.span, |node| node.span),
            message,
        ));
    }
    all
}

/// The labels with those of the project that they do not have.
pub(super) fn with_defaults(mut labels: Labels, project: &Project) -> Labels {
    for (name, value) in &project.defaults.labels {
        if !labels.iter().any(|(known, _)| known == name) {
            labels.push((Arc::clone(name), Arc::clone(value)));
        }
    }
    labels.truncate(LABELS_MAX);
    labels
}
