//! The keys of template files, and those of a scenario that puts itself together from others.

use super::params::TYPES;
use crate::fields::{Key, KeyType, Need};

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
        need: Need::Default("the project's"),
        doc: "The version of the language.",
        example: "1",
    },
];

/// The keys of a template file that are read by what they hold.
pub(super) const TEMPLATE_PARTS: [&str; 2] = ["params", "body"];

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
];

/// The key of a parameter whose type the parameter itself says: what holds where no argument is given.
pub(super) const DEFAULT: &str = "default";

/// The keys of a scenario that uses a template; those of `with` are the template's parameters.
pub const USE_KEYS: &[Key] = &[
    Key {
        name: "use",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The template that this scenario is made from; its own keys replace those of the template's body.",
        example: "rest-health",
    },
    Key {
        name: "with",
        value: KeyType::Map(&KeyType::Json),
        need: Need::Optional,
        doc: "Values for the template's parameters.",
        example: "{ url: https://shop.example/health }",
    },
];

/// The key of a scenario that stands for many.
pub const MATRIX_KEY: Key = Key {
    name: "matrix",
    value: KeyType::Map(&KeyType::OneOrMany(&KeyType::Json)),
    need: Need::Optional,
    doc: "One instance for every combination of these values, as `${matrix.KEY}` and as labels.",
    example: "{ service: [cart, search] }",
};
