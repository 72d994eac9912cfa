//! The keys of template files, and those of a scenario that puts itself together from others.

use super::params::TYPES;
use crate::fields::{Holds, Key, KeyType, Need};

/// The keys of a template file.
pub const TEMPLATE_KEYS: &[Key] = &[
    Key {
        name: "template",
        value: KeyType::Text,
        need: Need::Required,
        doc: "The template's name, which scenarios say in `use`; unique in the project.",
        example: "rest-health",
    },
    Key {
        name: "version",
        value: KeyType::Int(1, i64::MAX),
        need: Need::Otherwise("the project's"),
        doc: "The version of the language.",
        example: "1",
    },
    Key {
        name: "params",
        value: KeyType::Held(Holds::Params(PARAM_KEYS)),
        need: Need::Optional,
        doc: "What differs between the scenarios that use it: `${params.NAME}` in the body.",
        example: "{ url: { type: url }, limit: { type: duration, default: 300ms } }",
    },
    Key {
        name: "body",
        value: KeyType::Held(Holds::Body),
        need: Need::Required,
        doc: "The keys that its scenarios share, as they stand in a scenario.",
        example: "{ every: 1m, http: \"${params.url}\" }",
    },
];

/// The keys of one parameter.
pub const PARAM_KEYS: &[Key] = &[
    Key {
        name: "type",
        value: KeyType::Choice(TYPES),
        need: Need::Required,
        doc: "What an argument must be.",
        example: "duration",
    },
    Key {
        name: "values",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Optional,
        doc: "The words of a `choice`.",
        example: "[fast, slow]",
    },
    Key {
        name: "doc",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "What it is for, in one sentence; shown where it is missing.",
        example: "Where the service answers.",
    },
    Key {
        name: DEFAULT,
        value: KeyType::Held(Holds::Constant),
        need: Need::Optional,
        doc: "What holds where no argument is given; without it the argument must be there.",
        example: "300ms",
    },
];

/// The key of a parameter whose type the parameter itself says: what holds where no argument is given.
pub(super) const DEFAULT: &str = "default";

/// The key of a scenario that uses a template.
pub const USE_KEY: Key = Key {
    name: "use",
    value: KeyType::Held(Holds::Template),
    need: Need::Optional,
    doc: "The template that this scenario is made from; its own keys replace those of the template's body.",
    example: "rest-health",
};

/// The key beside it: values for the template's parameters.
pub const WITH_KEY: Key = Key {
    name: "with",
    value: KeyType::Held(Holds::Arguments),
    need: Need::Optional,
    doc: "Values for the template's parameters.",
    example: "{ url: https://shop.example/health }",
};

/// The key of a scenario that stands for many.
pub const MATRIX_KEY: Key = Key {
    name: "matrix",
    value: KeyType::Held(Holds::Matrix),
    need: Need::Optional,
    doc: "One instance for every combination of these values, as `${matrix.KEY}` and as labels.",
    example: "{ service: [cart, search] }",
};

/// What `apiVersion` must say.
pub(super) const API_VERSION: &str = "prober.io/v1";

/// The keys of the envelope of Kubernetes.
pub const ENVELOPE_KEYS: &[Key] = &[
    Key {
        name: "apiVersion",
        value: KeyType::Choice(&[API_VERSION]),
        need: Need::Required,
        doc: "The version of the envelope.",
        example: API_VERSION,
    },
    Key {
        name: "kind",
        value: KeyType::Choice(&["Scenario", "Template"]),
        need: Need::Required,
        doc: "What is in it.",
        example: "Scenario",
    },
    Key {
        name: "metadata",
        value: KeyType::Record(METADATA_KEYS),
        need: Need::Required,
        doc: "Its name and its labels.",
        example: "{ name: my-scenario }",
    },
    Key {
        name: "spec",
        value: KeyType::Held(Holds::Body),
        need: Need::Required,
        doc: "The other keys, as they stand without the envelope.",
        example: "{ every: 1m, http: https://shop.example/ }",
    },
];

/// The keys of `metadata`; `annotations` and `namespace` belong to Kubernetes and mean nothing here.
pub const METADATA_KEYS: &[Key] = &[
    Key {
        name: "name",
        value: KeyType::Text,
        need: Need::Required,
        doc: "The name of the scenario or template.",
        example: "my-scenario",
    },
    Key {
        name: "labels",
        value: KeyType::Held(Holds::Labels),
        need: Need::Optional,
        doc: "Labels for grouping.",
        example: "{ tier: \"1\" }",
    },
    Key {
        name: "annotations",
        value: KeyType::Json,
        need: Need::Optional,
        doc: "For Kubernetes; means nothing here.",
        example: "{ note: none }",
    },
    Key {
        name: "namespace",
        value: KeyType::Json,
        need: Need::Optional,
        doc: "For Kubernetes; means nothing here.",
        example: "monitoring",
    },
];
