//! `prober schema`: the JSON Schemas of the files that people write, and where editors find them.

use std::path::Path;

use export::EXPORTERS;
use export::settings::{Key as Setting, KeyKind};
use probe::KINDS;
use scenario::fields::{Key, KeyType, Need};
use scenario::schema::Section;
use serde_json::Value;

use super::args::SchemaOf;
use super::out::Out;
use crate::exit::Exit;

/// The folder of a project that holds the schemas, and their names there.
pub(crate) const FOLDER: &str = ".prober";

/// Prints a schema.
pub(crate) fn schema(which: SchemaOf, out: &Out) -> Exit {
    out.raw(text(&which.value()).as_bytes());
    Exit::Good
}

/// The schemas with their paths below a project's folder.
pub(crate) fn files() -> impl Iterator<Item = (String, String)> {
    SchemaOf::ALL.into_iter().map(|which| (format!("{FOLDER}/{}", which.file()), text(&which.value())))
}

/// The names of the schemas, and what makes the text of each.
pub(crate) fn makers() -> impl Iterator<Item = (&'static str, impl Fn() -> String + Send + Sync)> {
    SchemaOf::ALL.into_iter().map(|which| (which.file(), move || text(&which.value())))
}

/// The line with which a file names its schema to editors; `folder` leads from the file to the project's.
pub(crate) fn modeline(which: SchemaOf, folder: &str) -> String {
    format!("# yaml-language-server: $schema={folder}{FOLDER}/{}\n", which.file())
}

/// Whether `path` may be written anew: a schema comes from the program, not from its reader.
pub(crate) fn is_generated(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with(FOLDER))
}

impl SchemaOf {
    const ALL: [Self; 4] = [Self::Scenario, Self::Project, Self::Template, Self::Slo];

    fn file(self) -> &'static str {
        match self {
            Self::Scenario => "scenario.schema.json",
            Self::Project => "project.schema.json",
            Self::Template => "template.schema.json",
            Self::Slo => "slo.schema.json",
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Scenario => scenario::schema::scenario(&KINDS),
            Self::Project => scenario::schema::project(&KINDS, &exporters()),
            Self::Template => scenario::schema::template(&KINDS),
            Self::Slo => scenario::schema::slo(&KINDS),
        }
    }
}

fn text(schema: &Value) -> String {
    let mut text = serde_json::to_string_pretty(schema).expect("a JSON value has a text");
    text.push('\n');
    text
}

/// The exporters in the language's words.
fn exporters() -> Vec<Section> {
    let section = |kind: &export::ExporterKind| Section {
        name: kind.name,
        doc: kind.summary,
        keys: kind.keys.iter().map(setting).collect(),
    };
    EXPORTERS.iter().map(section).collect()
}

fn setting(setting: &Setting) -> Key {
    let (value, example) = match setting.kind {
        KeyKind::Path | KeyKind::Folder => (KeyType::Text, "events"),
        KeyKind::Bytes => (KeyType::Size, "64MiB"),
        KeyKind::Duration => (KeyType::Duration, "1h"),
        KeyKind::Count => (KeyType::Int(1, i64::MAX), "10"),
        KeyKind::Url(export::settings::HTTP_SCHEMES) => (KeyType::Template, "https://receiver.example/"),
        KeyKind::Url(_) => (KeyType::Template, "nats://receiver.example:4222"),
        KeyKind::Text => (KeyType::Template, "prober"),
        KeyKind::Secret => (KeyType::Template, "${secrets.receiver_token}"),
        KeyKind::Map => (KeyType::Map(&KeyType::Template), "{ X-Scope-OrgID: shop }"),
        KeyKind::Bool => (KeyType::Bool, "true"),
        KeyKind::Word(words) => (KeyType::Choice(words), words[0]),
        KeyKind::Words(words) => (KeyType::OneOrMany(&KeyType::Text), words[0]),
    };
    let need = match setting.need {
        export::settings::Need::Required => Need::Required,
        export::settings::Need::Default(value) => Need::Default(value),
        export::settings::Need::Optional => Need::Optional,
    };
    Key { name: setting.name, value, need, doc: setting.summary, example }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schemas_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("prober/scenario");
        let mut renewed = Vec::new();
        for which in SchemaOf::ALL {
            let (path, now) = (folder.join(which.file()), text(&which.value()));
            if std::fs::read_to_string(&path).unwrap_or_default() != now {
                std::fs::write(&path, &now).expect("the repository can be written to");
                renewed.push(which.file());
            }
        }
        let words = "were out of date and have been written anew: look at the change and commit it";
        assert!(renewed.is_empty(), "{} {words}", renewed.join(", "));
    }
}
