//! The keys of `prober.yaml`, as tables.

use super::control::CONTROL;
use super::network::NETWORK;
use super::policy::BUDGET_POLICY;
use crate::adjustment::ADJUSTMENTS;
use crate::fields::{Form, Holds, Key, KeyType, Need};
use crate::maintenance::MAINTENANCE;

const LABELS: KeyType = KeyType::Held(Holds::Labels);
const ADDRESS: Form =
    Form { pattern: r"^.+:[0-9]+$", words: "an address and a port like \"127.0.0.1:9899\"" };

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
pub(super) const SERVE_KEYS: &[Key] = &[
    Key {
        name: "listen",
        value: KeyType::Formed(&KeyType::Text, &ADDRESS),
        need: Need::Default("127.0.0.1:9899"),
        doc: "Where the server listens, `address:port`.",
        example: "127.0.0.1:9899",
    },
    Key {
        name: "compat",
        value: KeyType::Choice(&["none", "blackbox"]),
        need: Need::Default("none"),
        doc: "Whose names the last run of each scenario also has on the metrics page: `blackbox` adds `probe_success`, \
              `probe_duration_seconds` and the others of the blackbox exporter, with the labels `scenario` and `region`.",
        example: "blackbox",
    },
];

/// The keys of the project file.
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
    ADJUSTMENTS,
    BUDGET_POLICY,
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
        doc: "Where the server listens, and what its metrics page tells.",
        example: "{ listen: \"127.0.0.1:9899\" }",
    },
    Key {
        name: "vars",
        value: VARS,
        need: Need::Optional,
        doc: "Variables of all regions: `${vars.NAME}`.",
        example: "{ shop: https://shop.example }",
    },
    Key {
        name: "secrets",
        value: KeyType::Held(Holds::Secrets),
        need: Need::Optional,
        doc: "Secrets of all regions and where their values come from: `${secrets.NAME}`.",
        example: "{ probe_password: { env: PROBE_PASSWORD } }",
    },
    Key {
        name: "regions",
        value: KeyType::Held(Holds::Regions(REGION_KEYS)),
        need: Need::Otherwise("the single region `local`"),
        doc: "Where scenarios run, each place with variables and secrets of its own.",
        example: "{ eu: { vars: { shop: https://eu.shop.example } } }",
    },
    NETWORK,
    CONTROL,
    Key {
        name: "exporters",
        value: KeyType::Held(Holds::Exporters),
        need: Need::Optional,
        doc: "Where events are sent or written beside the store.",
        example: "[{ ndjson: { directory: events } }]",
    },
    Key {
        name: "routes",
        value: KeyType::Held(Holds::Routes),
        need: Need::Optional,
        doc: "Where alerts go, by the names that scenarios use under `alerts`.",
        example: "{ shop-oncall: { alertmanager: http://127.0.0.1:9093 } }",
    },
];

const VARS: KeyType = KeyType::Held(Holds::Vars);

/// The keys of one region.
pub(crate) const REGION_KEYS: &[Key] = &[
    Key {
        name: "vars",
        value: VARS,
        need: Need::Optional,
        doc: "Variables of this region, stronger than the project's.",
        example: "{ shop: https://eu.shop.example }",
    },
    Key {
        name: "secrets",
        value: KeyType::Held(Holds::Secrets),
        need: Need::Optional,
        doc: "Secrets of this region, stronger than the project's.",
        example: "{ probe_password: { file: probe_eu } }",
    },
    CRITICAL,
    REPLICAS,
    NETWORK,
    CONTROL,
];

/// The key of a region that may not fail alone.
pub(super) const CRITICAL: Key = Key {
    name: "critical",
    value: KeyType::Bool,
    need: Need::Default("false"),
    doc: "Whether its outage alone is a page and not a ticket, in everything that is promised of it.",
    example: "true",
};

/// The most replicas of a region: each is an agent of its own, and load on every target.
pub const REPLICAS_MAX: i64 = 8;

/// The key that says how many agents probe a scenario.
pub(super) const REPLICAS: Key = Key {
    name: "replicas",
    value: KeyType::Int(1, REPLICAS_MAX),
    need: Need::Default("1"),
    doc: "How many agents of a fleet probe each scenario of the region, each at times of its own; what has side effects is probed by one. `serve` on \
          one machine probes once.",
    example: "2",
};

/// Where the value of a secret may come from; one of them.
pub(crate) const SECRET_KEYS: &[Key] = &[
    Key {
        name: "env",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "A variable of the prober's environment.",
        example: "PROBE_PASSWORD",
    },
    Key {
        name: "file",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "A file, relative to the credentials folder.",
        example: "probe_password",
    },
];
