//! The exporters that a project file names, checked against their table.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use export::settings::{Fault, KeyKind, Settings};
use export::{BuildError, Delivery, EXPORTERS, Exporter, ExporterKind, Surroundings};
use model::event::SliEvent;
use model::probe::BoxFuture;
use scenario::diagnostic::Diagnostic;
use scenario::project::{ExporterFile, Project};
use scenario::redact::Redactor;
use scenario::source::Spanned;
use scenario::template::Secrets;
use scenario::tree::{Node, ScalarKind};

use super::secrets::{MissingSecrets, Vault};

/// An exporter with its settings, not built yet; equal to another one if both would do the same.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// Its name, also that of its cursor; a second one of a kind is `ndjson-2`.
    pub(crate) sink: String,
    /// Which of the project's exporters it is.
    pub(crate) place: usize,
    pub(crate) kind: &'static ExporterKind,
    pub(crate) settings: Settings,
    /// What is kept out of everything that people see of it.
    secrets: Secrets,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        // Settings that secrets were put into have their values.
        self.sink == other.sink && self.kind.name == other.kind.name && self.settings == other.settings
    }
}

impl Planned {
    /// Makes the exporter. What its destination says may be what it was told, so secrets are left out of that.
    pub(crate) fn build(&self, around: &Surroundings) -> Result<Box<dyn Exporter>, BuildError> {
        let inner = (self.kind.build)(&self.settings, around)?;
        let redactor = Redactor::new(&self.secrets, &[]);
        Ok(if redactor.is_empty() { inner } else { Box::new(Discreet { inner, redactor }) })
    }
}

/// An exporter whose troubles are told without secrets.
struct Discreet {
    inner: Box<dyn Exporter>,
    redactor: Redactor,
}

impl Exporter for Discreet {
    fn deliver<'a>(&'a mut self, batch: &'a [Arc<SliEvent>]) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            let mut delivery = self.inner.deliver(batch).await;
            if let Delivery::Retry { why, .. } | Delivery::Part { why, .. } | Delivery::Reject { why } =
                &mut delivery
            {
                *why = self.redactor.redact(why).into_owned();
            }
            delivery
        })
    }

    fn linger(&self) -> Duration {
        self.inner.linger()
    }

    fn idle(&mut self) -> BoxFuture<'_, ()> {
        self.inner.idle()
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
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
        match settings(file, kind, (project, root)) {
            Ok(settings) => {
                let same = planned.iter().filter(|other| other.kind.name == kind.name).count();
                let sink = if same == 0 { name.to_owned() } else { format!("{name}-{}", same + 1) };
                let place = planned.len();
                mistakes.extend(shared_folder(&settings, (file, kind), &planned));
                planned.push(Planned { sink, place, kind, settings, secrets: Secrets::default() });
            }
            Err(more) => mistakes.extend(more),
        }
    }
    (planned, mistakes)
}

/// The mistake of writing into a folder that another exporter has for itself: each would count and remove files of the
/// other.
fn shared_folder(
    settings: &Settings,
    (file, kind): (&ExporterFile, &ExporterKind),
    planned: &[Planned],
) -> Option<Diagnostic> {
    let folders = |kind: &ExporterKind, settings: &Settings| -> Vec<(&'static str, PathBuf)> {
        let keys = kind.keys.iter().filter(|key| key.kind == KeyKind::Folder);
        // By its components, so that `out/` and `./out` are the same as `out`.
        keys.map(|key| (key.name, settings.path(key.name).components().collect())).collect()
    };
    let taken: Vec<_> = planned
        .iter()
        .flat_map(|other| {
            folders(other.kind, &other.settings).into_iter().map(|(_, folder)| (&other.sink, folder))
        })
        .collect();
    folders(kind, settings).into_iter().find_map(|(key, folder)| {
        let (sink, _) = taken.iter().find(|(_, other)| *other == folder)?;
        let span = file.settings.get(key).map_or(file.name.span, |value| value.span);
        let message =
            format!("exporter `{}`: the exporter `{sink}` writes into this folder", file.name.value);
        Some(Diagnostic::error("E141", span, message).help("give each a folder of its own, or leave one out"))
    })
}

fn settings(
    file: &ExporterFile,
    kind: &'static ExporterKind,
    (project, root): (&Project, &Path),
) -> Result<Settings, Vec<Diagnostic>> {
    let entries = entries(&file.settings, kind)?;
    let given: Vec<(String, String)> = entries
        .iter()
        .map(|entry| {
            let (key, value) = (&entry.key.value, &entry.value.value);
            let is_path = kind
                .keys
                .iter()
                .any(|known| known.name == key && matches!(known.kind, KeyKind::Path | KeyKind::Folder));
            let value = if is_path && !value.is_empty() {
                root.join(value).to_string_lossy().into_owned()
            } else {
                value.clone()
            };
            (key.clone(), value)
        })
        .collect();
    let pairs = given.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let settings = kind
        .compile(pairs)
        .map_err(|faults| faults.iter().map(|fault| diagnostic(fault, file, &entries)).collect::<Vec<_>>())?;
    let undefined: Vec<_> =
        settings.secrets().filter(|name| project.secret_source(NO_REGION, name).is_none()).collect();
    if undefined.is_empty() { Ok(settings) } else { Err(undefined_secrets(&undefined, file, &entries)) }
}

/// Exporters belong to no region: their secrets are those of the project.
const NO_REGION: &str = "";

fn undefined_secrets(names: &[&str], file: &ExporterFile, entries: &[Entry]) -> Vec<Diagnostic> {
    let problem = |name: &&str| {
        let used = entries.iter().find(|entry| entry.value.value.contains(&format!("secrets.{name}")));
        let span = used.map_or(file.name.span, |entry| entry.value.span);
        let message = format!("the secret `{name}` is not defined for the project");
        let source = name.to_uppercase().replace('-', "_");
        Diagnostic::error("E203", span, message)
            .help(format!("name its source under `secrets` in prober.yaml: {name}: {{ env: {source} }}"))
    };
    names.iter().map(problem).collect()
}

/// Puts in what the files leave open: secrets, and what the environment says where nothing is given.
///
/// # Errors
/// A secret without a value, or a value that a setting cannot have; never the value itself.
pub(crate) fn fill(planned: &mut [Planned], project: &Project, vault: &Vault) -> Result<(), MissingSecrets> {
    let mut missing = Vec::new();
    for one in planned {
        let names: Vec<Arc<str>> = one.settings.secrets().map(Arc::from).collect();
        let filled = vault.open(project, NO_REGION, &names).and_then(|secrets| {
            let settings = one.settings.clone().with_secrets(|name| secrets.get(name));
            let settings = settings.and_then(|settings| settings.with_env(one.kind.keys, &*vault.env));
            let settings =
                settings.map_err(|why| MissingSecrets(vec![format!("exporter `{}`: {why}", one.sink)]));
            Ok((settings?, secrets))
        });
        match filled {
            Ok(filled) => (one.settings, one.secrets) = filled,
            Err(MissingSecrets(more)) => missing.extend(more),
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(MissingSecrets(missing)) }
}

/// A setting's name and value as the file has them, and their places.
struct Entry {
    key: Spanned<String>,
    value: Spanned<String>,
}

fn entries(node: &Node, kind: &ExporterKind) -> Result<Vec<Entry>, Vec<Diagnostic>> {
    let wrong = |span| {
        let message = "an exporter's settings are a map of names to plain values";
        vec![Diagnostic::error("E141", span, message)]
    };
    let Some(entries) = node.map() else {
        let nothing = node.scalar().is_some_and(|scalar| scalar.kind == ScalarKind::Null);
        return if nothing { Ok(Vec::new()) } else { Err(wrong(node.span)) };
    };
    let entry = |(key, value): &(Spanned<String>, Node)| {
        let wanted = kind.keys.iter().find(|known| known.name == key.value).map(|known| known.kind);
        let text = plain(value, wanted).ok_or_else(|| wrong(value.span))?;
        Ok(Entry { key: key.clone(), value: Spanned::new(text, value.span) })
    };
    entries.iter().map(entry).collect()
}

/// The text of a value as settings have it: a map is a line for each entry, a list has commas.
fn plain(value: &Node, kind: Option<KeyKind>) -> Option<String> {
    let scalar = |node: &Node| node.scalar().map(|scalar| scalar.text.to_string());
    let one_line = |text: &String| !text.contains(['\n', '\r']);
    match kind {
        Some(KeyKind::Map) => {
            let line = |(name, value): &(Spanned<String>, Node)| {
                let value = scalar(value).filter(one_line)?;
                (one_line(&name.value) && !name.value.contains(':'))
                    .then(|| format!("{}: {value}", name.value))
            };
            value.map()?.iter().map(line).collect::<Option<Vec<_>>>().map(|lines| lines.join("\n"))
        }
        Some(KeyKind::Words(_)) if value.list().is_some() => {
            let items = value.list()?.iter().map(|item| scalar(item).filter(|text| !text.contains(',')));
            items.collect::<Option<Vec<_>>>().map(|items| items.join(","))
        }
        _ => scalar(value),
    }
}

fn diagnostic(fault: &Fault, file: &ExporterFile, entries: &[Entry]) -> Diagnostic {
    let named = entries.iter().find(|entry| entry.key.value == fault.key());
    let at_key = matches!(fault, Fault::Unknown { .. } | Fault::Twice { .. });
    let span = named.map(|entry| if at_key { entry.key.span } else { entry.value.span });
    let span = span.unwrap_or(file.name.span);
    let code = match fault {
        Fault::WrittenDown { .. } => "E180",
        Fault::Hole { .. } => "E205",
        _ => "E141",
    };
    let problem = Diagnostic::error(code, span, format!("exporter `{}`: {fault}", file.name.value));
    match fault {
        Fault::WrittenDown { .. } => problem.masked().help("keep it as a secret and write ${secrets.NAME}"),
        _ => problem,
    }
}
