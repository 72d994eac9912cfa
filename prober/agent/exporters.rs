//! The exporters that a project file names, checked against their table.

use std::path::Path;

use export::settings::{Fault, KeyKind, Settings};
use export::{EXPORTERS, ExporterKind};
use scenario::diagnostic::Diagnostic;
use scenario::project::{ExporterFile, Project};
use scenario::source::Spanned;
use scenario::tree::{Node, ScalarKind};

/// An exporter with its settings, not built yet.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// Its name, also that of its cursor; a second one of a kind is `ndjson-2`.
    pub(crate) sink: String,
    pub(crate) kind: &'static ExporterKind,
    pub(crate) settings: Settings,
}

/// Checks the project's exporters; folders count from `root`.
pub(crate) fn plan(project: &Project, root: &Path) -> (Vec<Planned>, Vec<Diagnostic>) {
    let (mut planned, mut mistakes) = (Vec::<Planned>::new(), Vec::new());
    for file in &project.exporters {
        let name = file.name.value.as_str();
        let Some(kind) = ExporterKind::named(name) else {
            let known = EXPORTERS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
            let mistake = Diagnostic::error("E140", file.name.span, format!("there is no exporter `{name}`"));
            mistakes.push(mistake.help(format!("exporters of this version: {known}")));
            continue;
        };
        match settings(file, kind, root) {
            Ok(settings) => {
                let same = planned.iter().filter(|other| other.kind.name == kind.name).count();
                let sink = if same == 0 { name.to_owned() } else { format!("{name}-{}", same + 1) };
                planned.push(Planned { sink, kind, settings });
            }
            Err(more) => mistakes.extend(more),
        }
    }
    (planned, mistakes)
}

fn settings(
    file: &ExporterFile,
    kind: &'static ExporterKind,
    root: &Path,
) -> Result<Settings, Vec<Diagnostic>> {
    let entries = entries(&file.settings)?;
    let given: Vec<(String, String)> = entries
        .iter()
        .map(|entry| {
            let (key, value) = (&entry.key.value, &entry.value.value);
            let is_path = kind.keys.iter().any(|known| known.name == key && known.kind == KeyKind::Path);
            let value = if is_path && !value.is_empty() {
                root.join(value).to_string_lossy().into_owned()
            } else {
                value.clone()
            };
            (key.clone(), value)
        })
        .collect();
    let pairs = given.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    kind.compile(pairs)
        .map_err(|faults| faults.iter().map(|fault| diagnostic(fault, file, &entries)).collect())
}

/// A setting's name and value as the file has them, and their places.
struct Entry {
    key: Spanned<String>,
    value: Spanned<String>,
}

fn entries(node: &Node) -> Result<Vec<Entry>, Vec<Diagnostic>> {
    let wrong = |span| {
        vec![Diagnostic::error("E141", span, "an exporter's settings are a map of names to plain values")]
    };
    let Some(entries) = node.map() else {
        let nothing = node.scalar().is_some_and(|scalar| scalar.kind == ScalarKind::Null);
        return if nothing { Ok(Vec::new()) } else { Err(wrong(node.span)) };
    };
    let entry = |(key, value): &(Spanned<String>, Node)| match value.scalar() {
        Some(scalar) => {
            Ok(Entry { key: key.clone(), value: Spanned::new(scalar.text.to_string(), value.span) })
        }
        None => Err(wrong(value.span)),
    };
    entries.iter().map(entry).collect()
}

fn diagnostic(fault: &Fault, file: &ExporterFile, entries: &[Entry]) -> Diagnostic {
    let named = |key: &str| entries.iter().find(|entry| entry.key.value == key);
    let found = match fault {
        Fault::Unknown { key, .. } | Fault::Twice { key } => named(key).map(|entry| entry.key.span),
        Fault::Malformed { key, .. } => named(key).map(|entry| entry.value.span),
        Fault::Missing { .. } => None,
    };
    let span = found.unwrap_or(file.name.span);
    Diagnostic::error("E141", span, format!("exporter `{}`: {fault}", file.name.value))
}
