//! What can be set of an exporter, as data: names, kinds and defaults, checked before anything is built.

use std::collections::BTreeMap;
use std::time::Duration;

/// One setting of an exporter.
#[derive(Copy, Clone, Debug)]
pub struct Key {
    /// Its name in the project file.
    pub name: &'static str,
    /// What it means, in one line.
    pub summary: &'static str,
    /// What its value looks like.
    pub kind: KeyKind,
    /// Its value if none is given; `None` if one must be.
    pub default: Option<&'static str>,
}

/// What a value looks like.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A path; relative ones are relative to the project file, the caller joins them.
    Path,
    /// A number of bytes, at least 1: `64MiB`.
    Bytes,
    /// A time, longer than 0: `1h`.
    Duration,
    /// A whole number, at least 1.
    Count,
}

impl KeyKind {
    /// Whether `value` is of this kind.
    ///
    /// # Errors
    /// What the value should look like.
    pub fn check(self, value: &str) -> Result<(), &'static str> {
        match self {
            Self::Path if value.is_empty() => Err("a path"),
            Self::Path => Ok(()),
            Self::Bytes => bytes(value).map(|_| ()).ok_or("a number of bytes like `64MiB`"),
            Self::Duration => duration(value).map(|_| ()).ok_or("a time like `30s` or `1h`"),
            Self::Count => count(value).map(|_| ()).ok_or("a whole number of at least 1"),
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
        expected: &'static str,
    },
}

/// Checked values of an exporter's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    pub(crate) fn compile<'a>(
        keys: &'static [Key],
        given: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<Fault>> {
        let (mut values, mut faults) = (BTreeMap::new(), Vec::new());
        for (name, value) in given {
            let Some(key) = keys.iter().find(|key| key.name == name) else {
                let known = keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
                faults.push(Fault::Unknown { key: name.to_owned(), known });
                continue;
            };
            if let Err(expected) = key.kind.check(value) {
                faults.push(Fault::Malformed { key: key.name, value: value.to_owned(), expected });
            }
            if values.insert(key.name, value.to_owned()).is_some() {
                faults.push(Fault::Twice { key: name.to_owned() });
            }
        }
        for key in keys {
            match key.default {
                Some(default) => {
                    values.entry(key.name).or_insert_with(|| default.to_owned());
                }
                None if !values.contains_key(key.name) => {
                    faults.push(Fault::Missing { key: key.name, summary: key.summary });
                }
                None => {}
            }
        }
        if faults.is_empty() { Ok(Self(values)) } else { Err(faults) }
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

    fn value<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> T {
        self.0
            .get(name)
            .and_then(|value| read(value))
            .expect("settings are compiled with the exporter's own keys")
    }
}

fn split(value: &str) -> Option<(u64, &str)> {
    let end = value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    Some((number.parse().ok().filter(|number| *number > 0)?, unit.trim_start()))
}

fn bytes(value: &str) -> Option<u64> {
    let (number, unit) = split(value)?;
    let factor = match unit {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

fn duration(value: &str) -> Option<Duration> {
    let (number, unit) = split(value)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

fn count(value: &str) -> Option<usize> {
    match split(value)? {
        (number, "") => usize::try_from(number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[Key] = &[
        Key { name: "dir", summary: "where", kind: KeyKind::Path, default: None },
        Key { name: "size", summary: "how large", kind: KeyKind::Bytes, default: Some("2KiB") },
        Key { name: "age", summary: "how long", kind: KeyKind::Duration, default: Some("90s") },
        Key { name: "keep", summary: "how many", kind: KeyKind::Count, default: Some("3") },
    ];

    #[test]
    fn values_and_defaults() {
        let settings = Settings::compile(KEYS, [("dir", "out"), ("age", "2 h")]).unwrap();
        assert_eq!(settings.path("dir"), std::path::Path::new("out"));
        assert_eq!(settings.bytes("size"), 2_048);
        // The units of the scenario language, so that a project file has one way to write a size.
        assert_eq!(
            ["4kB", "1 MB", "2GB", "1TB", "1TiB"].map(|text| bytes(text).unwrap_or(0) / 1_000),
            [4, 1_000, 2_000_000, 1_000_000_000, 1_099_511_627]
        );
        assert_eq!(settings.duration("age"), Duration::from_hours(2));
        assert_eq!(settings.count("keep"), 3);
    }

    #[test]
    fn all_faults_come_at_once() {
        let given = [("size", "9EiB"), ("age", "0s"), ("keep", "-1"), ("colour", "blue"), ("size", "1B")];
        let faults = Settings::compile(KEYS, given).unwrap_err();
        let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "setting `size` is `9EiB`, expected a number of bytes like `64MiB`",
                "setting `age` is `0s`, expected a time like `30s` or `1h`",
                "setting `keep` is `-1`, expected a whole number of at least 1",
                "unknown setting `colour`, expected one of: dir, size, age, keep",
                "setting `size` is given twice",
                "setting `dir` is missing: where",
            ]
        );
        for value in ["", "é", "18446744073709551615GiB", "1e3", "99999999999999999999"] {
            assert!(KeyKind::Bytes.check(value).is_err(), "{value}");
        }
    }
}
