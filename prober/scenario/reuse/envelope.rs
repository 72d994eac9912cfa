//! The envelope of Kubernetes: `apiVersion`, `kind`, `metadata` and `spec` around a scenario or template.
//!
//! It is taken off before anything else looks at the tree, so one binder reads both forms and every place
//! stays right.

use super::keys::{API_VERSION, ENVELOPE_KEYS, METADATA_KEYS};
use crate::another_tool::is_manifest;
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::Key;
use crate::source::{Span, Spanned};
use crate::suggest::nearest;
use crate::tree::{Node, NodeValue};

/// What `kind` may say, and the key that `metadata.name` stands for.
const KINDS: [(&str, &str); 2] = [("Scenario", "name"), ("Template", "template")];

type Entry = (Spanned<String>, Node);

/// The tree without its envelope; a tree without one as it is.
pub(crate) fn unwrap(root: Node, report: &mut Report) -> Node {
    if root.get("apiVersion").is_none() && root.get("spec").is_none() || is_manifest(&root) {
        return root;
    }
    let span = root.span;
    let NodeValue::Map(entries) = root.value else { return root };
    let at = entries.first().map_or(span, |(first, _)| first.span);
    let (mut name_key, mut metadata, mut spec) = (None, None, None);
    let mut version = false;
    for (key, node) in entries {
        match key.value.as_str() {
            "apiVersion" => {
                version = true;
                check_version(&node, report);
            }
            "kind" => name_key = Some(kind(&node, report)),
            "metadata" => metadata = Some(node),
            "spec" => spec = Some(node),
            _ => unknown(&key, ENVELOPE_KEYS, "beside `spec`", report),
        }
    }
    let missing = |key: &str, value: &str, report: &mut Report| {
        let problem = Diagnostic::error("E155", at, format!("the envelope has no `{key}`"));
        report.push(problem.help(format!("add {key}: {value}")));
    };
    if !version {
        missing("apiVersion", API_VERSION, report);
    }
    if name_key.is_none() {
        missing("kind", "Scenario", report);
    }
    if metadata.is_none() {
        missing("metadata", "{ name: my-scenario }", report);
    }
    if spec.is_none() {
        missing("spec", "with the scenario's other keys under it", report);
    }
    let mut inner: Vec<Entry> = Vec::new();
    if let Some(metadata) = metadata {
        inner = from_metadata(metadata, name_key.unwrap_or("name"), report);
    }
    if let Some(spec) = spec {
        add_spec(spec, &mut inner, report);
    }
    Node { value: NodeValue::Map(inner), span }
}

fn check_version(node: &Node, report: &mut Report) {
    let text = node.scalar().map_or("", |scalar| &*scalar.text);
    if text != API_VERSION {
        let message = format!("expected the apiVersion `{API_VERSION}`, found {}", node.describe());
        report.push(
            Diagnostic::error("E155", node.span, message).help(format!("write apiVersion: {API_VERSION}")),
        );
    }
}

fn kind(node: &Node, report: &mut Report) -> &'static str {
    let text = node.scalar().map_or("", |scalar| &*scalar.text);
    if let Some((_, key)) = KINDS.iter().find(|(kind, _)| *kind == text) {
        return key;
    }
    let problem = Diagnostic::error("E155", node.span, "the kind is `Scenario` or `Template`");
    let near = nearest(text, KINDS.iter().map(|(kind, _)| *kind));
    report.push(match near {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None => problem.help("write kind: Scenario"),
    });
    KINDS.iter().find(|(kind, _)| near == Some(*kind)).map_or("name", |(_, key)| *key)
}

fn from_metadata(metadata: Node, name_key: &str, report: &mut Report) -> Vec<Entry> {
    let mut inner = Vec::new();
    let NodeValue::Map(entries) = metadata.value else {
        let message = format!("expected a map under `metadata`, found {}", metadata.describe());
        report.push(
            Diagnostic::error("E103", metadata.span, message).help("write metadata: { name: my-scenario }"),
        );
        return inner;
    };
    for (key, node) in entries {
        match key.value.as_str() {
            "name" => inner.push((Spanned::new(name_key.to_owned(), key.span), node)),
            "labels" => inner.push((key, node)),
            known if METADATA_KEYS.iter().any(|key| key.name == known) => {}
            _ => unknown(&key, METADATA_KEYS, "under `metadata`", report),
        }
    }
    inner
}

fn add_spec(spec: Node, inner: &mut Vec<Entry>, report: &mut Report) {
    let NodeValue::Map(entries) = spec.value else {
        let message = format!("expected the scenario's other keys under `spec`, found {}", spec.describe());
        report.push(Diagnostic::error("E103", spec.span, message));
        return;
    };
    for (key, node) in entries {
        let known: Option<Span> =
            inner.iter().find(|(name, _)| name.value == key.value).map(|(name, _)| name.span);
        match known {
            Some(first) => report.push(
                Diagnostic::error("E155", key.span, format!("`{}` is in `metadata` already", key.value))
                    .other(first, "the first one")
                    .help("leave it out under `spec`"),
            ),
            None => inner.push((key, node)),
        }
    }
}

fn unknown(key: &Spanned<String>, known: &'static [Key], words: &str, report: &mut Report) {
    let shown = model::outcome::cut(key.value.clone(), 60);
    let problem = Diagnostic::error("E102", key.span, format!("unknown key `{shown}` {words}"));
    let known: Vec<&str> = known.iter().map(|key| key.name).collect();
    let problem = match nearest(&key.value, known.iter().copied()) {
        Some(near) => problem.label(format!("did you mean `{near}`?")),
        None if words.starts_with("beside") => problem.label("inside the envelope it belongs under `spec`"),
        None => problem,
    };
    report.push(problem.help(format!("keys allowed {words}: {}", known.join(", "))));
}
