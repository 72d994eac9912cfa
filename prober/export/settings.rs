//! What can be set of an exporter, as data: names, kinds and defaults, checked before anything is built.
//!
//! A value may refer to secrets as scenario files do: `${secrets.NAME}`. The references are part of the checked
//! settings; [`Settings::with_secrets`] puts the values in, and from then on nothing here can be printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use url::Url;

use read::{bytes, count, duration, items, pair, pieces, url};

mod read;

/// One setting of an exporter.
#[derive(Copy, Clone, Debug)]
pub struct Key {
    /// Its name in the project file.
    pub name: &'static str,
    /// What it means, in one line.
    pub summary: &'static str,
    /// What its value looks like.
    pub kind: KeyKind,
    /// What comes of it if none is given.
    pub need: Need,
    /// Environment variables that stand in for a value that is not given, the first that is set.
    pub env: &'static [Variable],
}

/// What comes of a setting that is not given.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// That is a mistake.
    Required,
    /// This value is taken.
    Default(&'static str),
    /// There is none.
    Optional,
}

/// An environment variable that stands in for a setting.
#[derive(Copy, Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// From its value to the setting's; `None` if it means nothing.
    pub read: fn(&str) -> Option<String>,
}

/// What a value looks like.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A path; relative ones are relative to the project file, the caller joins them.
    Path,
    /// A folder that an exporter writes into and has for itself: a path as above, the same for no other exporter.
    Folder,
    /// A number of bytes, at least 1: `64MiB`.
    Bytes,
    /// A time, longer than 0: `1h`.
    Duration,
    /// A whole number, at least 1.
    Count,
    /// An address that begins with one of these schemes.
    Url(&'static [&'static str]),
    /// A text.
    Text,
    /// A text that is a secret: named as `${secrets.NAME}`, never written down.
    Secret,
    /// Names and their values, one a line: `name: value`. In a project file it is a map.
    Map,
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words, with commas between them. In a project file it is also a list.
    Words(&'static [&'static str]),
}

/// `http` and `https`, what most receivers speak.
pub const HTTP: KeyKind = KeyKind::Url(HTTP_SCHEMES);
/// The schemes of [`HTTP`].
pub const HTTP_SCHEMES: &[&str] = &["http", "https"];

impl Key {
    /// A setting that has to be given.
    pub const fn required(name: &'static str, kind: KeyKind, summary: &'static str) -> Self {
        Self { name, summary, kind, need: Need::Required, env: &[] }
    }

    /// A setting that is `value` if it is not given.
    pub const fn or(name: &'static str, kind: KeyKind, value: &'static str, summary: &'static str) -> Self {
        Self { name, summary, kind, need: Need::Default(value), env: &[] }
    }

    /// A setting that may be missing.
    pub const fn optional(name: &'static str, kind: KeyKind, summary: &'static str) -> Self {
        Self { name, summary, kind, need: Need::Optional, env: &[] }
    }

    /// The same, with variables that stand in for it.
    #[must_use]
    pub const fn or_env(self, env: &'static [Variable]) -> Self {
        Self { env, ..self }
    }
}

impl KeyKind {
    /// Whether `value` is of this kind; a value that has secrets in it is looked at again once they are known.
    ///
    /// # Errors
    /// What the value should look like.
    pub fn check(self, value: &str) -> Result<(), String> {
        let fits = match self {
            Self::Bytes => bytes(value).is_some(),
            Self::Duration => duration(value).is_some(),
            Self::Count => count(value).is_some(),
            Self::Url(schemes) => url(value, schemes).is_some(),
            Self::Path | Self::Folder | Self::Text | Self::Secret => !value.is_empty(),
            Self::Map => value.lines().all(|line| pair(line).is_some()),
            Self::Bool => ["true", "false"].contains(&value),
            Self::Word(words) => words.contains(&value),
            Self::Words(words) => !value.is_empty() && items(value).all(|item| words.contains(&item)),
        };
        if fits { Ok(()) } else { Err(self.expected()) }
    }

    /// What a value of this kind looks like, in words.
    fn expected(self) -> String {
        match self {
            Self::Path | Self::Folder => "a path".to_owned(),
            Self::Bytes => "a number of bytes like `64MiB`".to_owned(),
            Self::Duration => "a time like `30s` or `1h`".to_owned(),
            Self::Count => "a whole number of at least 1".to_owned(),
            Self::Url(schemes) => format!("an address like `{}://receiver.example`", schemes[0]),
            Self::Text => "a text".to_owned(),
            Self::Secret => "a secret: named under `secrets`, and here `${secrets.NAME}`".to_owned(),
            Self::Map => "a map of names to texts".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Word(words) => format!("one of: {}", words.join(", ")),
            Self::Words(words) => format!("some of: {}", words.join(", ")),
        }
    }
}

/// What is wrong with one given value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No such setting.
    #[error("unknown setting `{key}`, expected one of: {known}")]
    Unknown {
        /// The name that was given.
        key: String,
        /// The names there are.
        known: String,
    },
    /// It was given more than once.
    #[error("setting `{key}` is given twice")]
    Twice {
        /// Its name.
        key: String,
    },
    /// It has no default and was not given.
    #[error("setting `{key}` is missing: {summary}")]
    Missing {
        /// Its name.
        key: &'static str,
        /// What it means.
        summary: &'static str,
    },
    /// The value is of another kind.
    #[error("setting `{key}` is `{value}`, expected {expected}")]
    Malformed {
        /// Its name.
        key: &'static str,
        /// The value that was given.
        value: String,
        /// What the value should look like.
        expected: String,
    },
    /// A `${…}` that is not `${secrets.NAME}`.
    #[error("setting `{key}` has `${{` that is not ${{secrets.NAME}}; a plain `${{` is written `$${{`")]
    Hole {
        /// Its name.
        key: &'static str,
    },
    /// A secret stands in the file.
    #[error("setting `{key}` is a secret and stands in this file")]
    WrittenDown {
        /// Its name.
        key: &'static str,
    },
}

impl Fault {
    /// The name of the setting that it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { key, .. } | Self::Twice { key } => key,
            Self::Missing { key, .. }
            | Self::Malformed { key, .. }
            | Self::Hole { key }
            | Self::WrittenDown { key } => key,
        }
    }
}

/// Checked values of an exporter's settings; what has a secret in it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    keys: BTreeMap<&'static str, (KeyKind, String)>,
    /// The settings that have secrets in them.
    masked: BTreeSet<&'static str>,
    /// The names of secrets that are referred to and not put in yet.
    secrets: BTreeSet<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |name| if self.masked.contains(name) { "(secret)" } else { &*self.keys[name].1 };
        out.debug_map().entries(self.keys.keys().map(|name| (*name, shown(*name)))).finish()
    }
}

impl Settings {
    pub(crate) fn compile<'a>(
        keys: &'static [Key],
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<Fault>> {
        let mut made = Self { keys: BTreeMap::new(), masked: BTreeSet::new(), secrets: BTreeSet::new() };
        let mut faults = Vec::new();
        for (name, value) in given {
            let Some(key) = keys.iter().find(|key| key.name == name) else {
                let known = keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
                faults.push(Fault::Unknown { key: name.to_owned(), known });
                continue;
            };
            if let Err(fault) = made.note(key, value) {
                faults.push(fault);
            }
            if made.keys.insert(key.name, (key.kind, value.to_owned())).is_some() {
                faults.push(Fault::Twice { key: name.to_owned() });
            }
        }
        for key in keys.iter().filter(|key| !made.keys.contains_key(key.name)).collect::<Vec<_>>() {
            match key.need {
                Need::Default(value) => drop(made.keys.insert(key.name, (key.kind, value.to_owned()))),
                Need::Required => faults.push(Fault::Missing { key: key.name, summary: key.summary }),
                Need::Optional => {}
            }
        }
        if faults.is_empty() { Ok(made) } else { Err(faults) }
    }

    /// Checks a given value, and notes the secrets in it.
    fn note(&mut self, key: &Key, value: &str) -> Result<(), Fault> {
        let pieces = pieces(value).ok_or(Fault::Hole { key: key.name })?;
        let secrets: Vec<_> = pieces.iter().filter_map(|piece| piece.err()).collect();
        if secrets.is_empty() {
            if key.kind == KeyKind::Secret {
                return Err(Fault::WrittenDown { key: key.name });
            }
            let plain: String = pieces.into_iter().flatten().collect();
            let malformed = |expected| Fault::Malformed { key: key.name, value: value.to_owned(), expected };
            return key.kind.check(&plain).map_err(malformed);
        }
        self.masked.insert(key.name);
        self.secrets.extend(secrets.into_iter().map(str::to_owned));
        Ok(())
    }

    /// Takes what is not given from the environment, where the key has variables for it.
    ///
    /// # Errors
    /// A variable has a value that the setting cannot have; the value is not told.
    pub fn with_env(
        mut self,
        keys: &'static [Key],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        for key in keys {
            let given = self.keys.get(key.name).map(|(_, value)| value.as_str());
            let default = match key.need {
                Need::Default(value) => Some(value),
                _ => None,
            };
            if given != default {
                continue;
            }
            let said =
                key.env.iter().find_map(|one| Some((one, env(one.name).filter(|text| !text.is_empty())?)));
            let Some((variable, text)) = said else { continue };
            let value = (variable.read)(&text).filter(|value| key.kind.check(value).is_ok());
            let value = value.ok_or_else(|| {
                let (name, key) = (variable.name, key.name);
                format!("environment variable {name} cannot stand for the setting `{key}`")
            })?;
            self.keys.insert(key.name, (key.kind, value));
            // Headers from the environment are how keys are handed over.
            self.masked.insert(key.name);
        }
        Ok(self)
    }

    /// The names of the secrets that are referred to and not put in yet.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    /// The settings with the secrets' values in their places.
    ///
    /// # Errors
    /// A secret has no value, or gives the setting a value that it cannot have; the value is not told.
    pub fn with_secrets<'a>(mut self, value: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        for (name, (kind, text)) in &mut self.keys {
            let pieces = pieces(text).expect("checked when it was compiled");
            let mut filled = String::with_capacity(text.len());
            for piece in pieces {
                match piece {
                    Ok(plain) => filled.push_str(plain),
                    Err(secret) => {
                        let found = value(secret).ok_or_else(|| format!("secret `{secret}` has no value"))?;
                        filled.push_str(found);
                    }
                }
            }
            if self.masked.contains(name) {
                let wrong = |expected| format!("setting `{name}` with its secret is not {expected}");
                kind.check(&filled).map_err(wrong)?;
            }
            *text = filled;
        }
        self.secrets.clear();
        Ok(self)
    }

    /// The value under `name` as a path.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.value(name, |value| Some(value.into()))
    }

    /// The value under `name` in bytes.
    pub fn bytes(&self, name: &str) -> u64 {
        self.value(name, bytes)
    }

    /// The value under `name` as a time.
    pub fn duration(&self, name: &str) -> Duration {
        self.value(name, duration)
    }

    /// The value under `name` as a number.
    pub fn count(&self, name: &str) -> usize {
        self.value(name, count)
    }

    /// The value under `name` as a truth.
    pub fn bool(&self, name: &str) -> bool {
        self.value(name, |value| value.parse().ok())
    }

    /// The value under `name` as an address.
    pub fn url(&self, name: &str) -> Url {
        self.value(name, |value| Url::parse(value).ok())
    }

    /// The text under `name`, if there is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.keys.get(name).map(|(_, value)| value.as_str())
    }

    /// The words under `name`.
    pub fn words(&self, name: &str) -> Vec<&str> {
        self.text(name).map(|value| items(value).collect()).unwrap_or_default()
    }

    /// The names and values under `name`, in their order.
    pub fn pairs(&self, name: &str) -> Vec<(&str, &str)> {
        self.text(name).unwrap_or_default().lines().filter_map(pair).collect()
    }

    fn value<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> T {
        self.text(name).and_then(read).expect("settings are compiled with the exporter's own keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[Key] = &[
        Key::required("dir", KeyKind::Path, "where"),
        Key::or("size", KeyKind::Bytes, "2KiB", "how large"),
        Key::or("age", KeyKind::Duration, "90s", "how long"),
        Key::or("keep", KeyKind::Count, "3", "how many"),
        Key::optional("url", HTTP, "where to").or_env(&[
            Variable { name: "WHERE_FIRST", read: |text| Some(format!("{text}/first")) },
            Variable { name: "WHERE", read: |text| Some(text.to_owned()) },
        ]),
        Key::optional("token", KeyKind::Secret, "who"),
        Key::optional("headers", KeyKind::Map, "more headers"),
        Key::or("signals", KeyKind::Words(&["a", "b"]), "a,b", "which"),
        Key::or("gzip", KeyKind::Bool, "true", "smaller"),
    ];

    #[test]
    fn values_and_defaults() {
        let given =
            [("dir", "out"), ("age", "2 h"), ("headers", "x-a: b: c\nx-d: $e$${f}"), ("signals", "b, a")];
        let settings = Settings::compile(KEYS, given).unwrap().with_secrets(|_| None).unwrap();
        assert_eq!(settings.path("dir"), std::path::Path::new("out"));
        assert_eq!(settings.bytes("size"), 2_048);
        // The units of the scenario language, so that a project file has one way to write a size.
        assert_eq!(
            ["4kB", "1 MB", "2GB", "1TB", "1TiB"].map(|text| bytes(text).unwrap_or(0) / 1_000),
            [4, 1_000, 2_000_000, 1_000_000_000, 1_099_511_627]
        );
        assert_eq!(settings.duration("age"), Duration::from_hours(2));
        assert_eq!(settings.count("keep"), 3);
        assert_eq!(settings.pairs("headers"), [("x-a", "b: c"), ("x-d", "$e${f}")]);
        assert_eq!(settings.words("signals"), ["b", "a"]);
        assert!(settings.bool("gzip") && settings.text("url").is_none());
    }

    #[test]
    fn all_faults_come_at_once() {
        let given = [
            ("size", "9EiB"),
            ("age", "0s"),
            ("keep", "-1"),
            ("colour", "blue"),
            ("size", "1B"),
            ("url", "ftp://x"),
            ("token", "hush"),
            ("headers", "nothing"),
            ("signals", "a,c"),
            ("gzip", "${vars.x}"),
        ];
        let faults = Settings::compile(KEYS, given).unwrap_err();
        let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "setting `size` is `9EiB`, expected a number of bytes like `64MiB`",
                "setting `age` is `0s`, expected a time like `30s` or `1h`",
                "setting `keep` is `-1`, expected a whole number of at least 1",
                "unknown setting `colour`, expected one of: dir, size, age, keep, url, token, headers, signals, gzip",
                "setting `size` is given twice",
                "setting `url` is `ftp://x`, expected an address like `http://receiver.example`",
                "setting `token` is a secret and stands in this file",
                "setting `headers` is `nothing`, expected a map of names to texts",
                "setting `signals` is `a,c`, expected some of: a, b",
                "setting `gzip` has `${` that is not ${secrets.NAME}; a plain `${` is written `$${`",
                "setting `dir` is missing: where",
            ]
        );
        for value in ["", "é", "18446744073709551615GiB", "1e3", "99999999999999999999"] {
            assert!(KeyKind::Bytes.check(value).is_err(), "{value}");
        }
    }

    #[test]
    fn secrets_are_put_in_and_never_shown() {
        let given =
            [("dir", "out"), ("url", "https://x.example/${secrets.path}"), ("token", "a ${secrets.a-b} b")];
        let settings = Settings::compile(KEYS, given).unwrap();
        assert_eq!(settings.secrets().collect::<Vec<_>>(), ["a-b", "path"]);
        let missing = settings.clone().with_secrets(|name| (name == "path").then_some("p")).unwrap_err();
        assert_eq!(missing, "secret `a-b` has no value");
        let settings = settings.with_secrets(|_| Some("$hush${")).unwrap();
        assert_eq!((settings.text("token"), settings.secrets().count()), (Some("a $hush${ b"), 0));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hush") && shown.contains("(secret)") && shown.contains("out"), "{shown}");
        let whole = [("dir", "out"), ("url", "${secrets.url}")];
        let wrong = Settings::compile(KEYS, whole).unwrap().with_secrets(|_| Some("hush")).unwrap_err();
        assert_eq!(wrong, "setting `url` with its secret is not an address like `http://receiver.example`");
    }

    #[test]
    fn the_environment_stands_in_for_what_is_not_given() {
        let compiled = |given: &[(&'static str, &'static str)]| {
            Settings::compile(KEYS, given.iter().copied().chain([("dir", "out")])).unwrap()
        };
        let env = |name: &str| match name {
            "WHERE" => Some("http://second".to_owned()),
            "WHERE_FIRST" => Some("http://first".to_owned()),
            _ => None,
        };
        assert_eq!(compiled(&[]).with_env(KEYS, &env).unwrap().text("url"), Some("http://first/first"));
        let given = compiled(&[("url", "http://given")]).with_env(KEYS, &env).unwrap();
        assert_eq!(given.text("url"), Some("http://given"));
        let wrong = compiled(&[]).with_env(KEYS, &|_| Some("hush".to_owned())).unwrap_err();
        assert_eq!(wrong, "environment variable WHERE_FIRST cannot stand for the setting `url`");
        let none = compiled(&[]).with_env(KEYS, &|_| Some(String::new())).unwrap();
        assert_eq!(none.text("url"), None);
    }
}
