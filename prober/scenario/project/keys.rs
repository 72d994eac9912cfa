//! The keys of `prober.yaml`, as tables.

use crate::fields::{Key, KeyType, Need};
use crate::maintenance::MAINTENANCE;

const LABELS: KeyType = KeyType::Map(&KeyType::Text);

/// The keys of a section.
pub(super) const DEFAULTS_KEYS: &[Key] = &[
    Key {
        name: "timeout",
        value: KeyType::Duration,
        need: Need::Default("10s"),
        doc: "The longest a run may take.",
        example: "10s",
    },
    Key {
        name: "every",
        value: KeyType::Duration,
        need: Need::Optional,
        doc: "How often a scenario is due.",
        example: "1m",
    },
    Key {
        name: "owner",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The team.",
        example: "platform-sre",
    },
    Key {
        name: "labels",
        value: LABELS,
        need: Need::Optional,
        doc: "Labels of all scenarios.",
        example: "{ tier: \"1\" }",
    },
];

/// The keys of a section.
pub(super) const STORE_KEYS: &[Key] = &[
    Key {
        name: "max_bytes",
        value: KeyType::Size,
        need: Need::Default("1GiB"),
        doc: "The most bytes on disk.",
        example: "1GiB",
    },
    Key {
        name: "keep",
        value: KeyType::Duration,
        need: Need::Default("30d"),
        doc: "How long events are kept.",
        example: "30d",
    },
];

/// The keys of a section.
pub(super) const SERVE_KEYS: &[Key] = &[Key {
    name: "listen",
    value: KeyType::Text,
    need: Need::Default("127.0.0.1:9899"),
    doc: "Where the server listens, `address:port`.",
    example: "127.0.0.1:9899",
}];

/// The keys of the project file that have a type of their own.
pub const PROJECT_KEYS: &[Key] = &[
    Key {
        name: "version",
        value: KeyType::Int(1, i64::MAX),
        need: Need::Required,
        doc: "The version of the language.",
        example: "1",
    },
    Key {
        name: "scenarios",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Default("scenarios/**/*.yaml"),
        doc: "The scenario files, as globs relative to this file.",
        example: "[\"scenarios/**/*.yaml\"]",
    },
    Key {
        name: "include",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Optional,
        doc: "The template files, as globs relative to this file; they are not scenarios.",
        example: "[\"templates/*.yaml\"]",
    },
    MAINTENANCE,
    Key {
        name: "defaults",
        value: KeyType::Record(DEFAULTS_KEYS),
        need: Need::Optional,
        doc: "What holds for scenarios that say nothing else.",
        example: "{ timeout: 10s }",
    },
    Key {
        name: "store",
        value: KeyType::Record(STORE_KEYS),
        need: Need::Optional,
        doc: "How much is kept.",
        example: "{ max_bytes: 1GiB }",
    },
    Key {
        name: "serve",
        value: KeyType::Record(SERVE_KEYS),
        need: Need::Optional,
        doc: "Where the server listens.",
        example: "{ listen: \"127.0.0.1:9899\" }",
    },
];

/// The keys whose values are maps of the author's own names.
pub(super) const OWN_NAMES: [&str; 5] = ["vars", "secrets", "regions", "exporters", "routes"];
