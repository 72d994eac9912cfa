//! The keys of a scenario file, as tables.

use crate::fields::{Key, KeyType, Need};
use crate::maintenance::MAINTENANCE;
use crate::repeat::ATTEMPTS_MAX;
use crate::slo::{ALERT_KEYS, SLO_KEYS};

/// The keys of a scenario's head that have a type of their own.
pub const SCENARIO_KEYS: &[Key] = &[
    Key {
        name: "name",
        value: KeyType::Text,
        need: Need::Required,
        doc: "The key of its history; unique in the project.",
        example: "shop-home",
    },
    Key {
        name: "title",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The name for people.",
        example: "The front page",
    },
    Key {
        name: "aim",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "What the system is for.",
        example: "Anyone can open the shop's front page.",
    },
    Key {
        name: "owner",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "The team.",
        example: "team-checkout",
    },
    Key {
        name: "runbook",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "Where to read what to do.",
        example: "https://wiki.example/runbooks/shop",
    },
    Key {
        name: "labels",
        value: KeyType::Map(&KeyType::Text),
        need: Need::Optional,
        doc: "Labels for grouping, at most ten.",
        example: "{ tier: \"1\" }",
    },
    Key {
        name: "every",
        value: KeyType::Duration,
        need: Need::Optional,
        doc: "How often it is due.",
        example: "1m",
    },
    Key {
        name: "cron",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "When it is due: minute hour day month weekday.",
        example: "\"*/30 6-20 * * MON-FRI\"",
    },
    Key {
        name: "timezone",
        value: KeyType::Text,
        need: Need::Default("UTC"),
        doc: "The zone that `cron` is read in.",
        example: "Europe/Berlin",
    },
    Key {
        name: "timeout",
        value: KeyType::Duration,
        need: Need::Default("10s, or the interval if that is shorter"),
        doc: "The longest a run may take.",
        example: "30s",
    },
    Key {
        name: "grace",
        value: KeyType::Duration,
        need: Need::Default("15s"),
        doc: "The longest the teardown may take, after the run itself.",
        example: "15s",
    },
    Key {
        name: "regions",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Default("all"),
        doc: "Where it runs.",
        example: "[eu, us]",
    },
    Key {
        name: "version",
        value: KeyType::Int(1, i64::MAX),
        need: Need::Default("the project's"),
        doc: "The version of the language.",
        example: "1",
    },
    Key {
        name: "on_failure",
        value: KeyType::Choice(&["stop", "continue"]),
        need: Need::Default("stop"),
        doc: "Whether later steps run after one has failed.",
        example: "continue",
    },
    Key {
        name: "slo",
        value: KeyType::Record(SLO_KEYS),
        need: Need::Optional,
        doc: "The share of good runs that is promised.",
        example: "{ objective: 99.9%, window: 30d }",
    },
    Key {
        name: "alerts",
        value: KeyType::Record(ALERT_KEYS),
        need: Need::Optional,
        doc: "Whom it tells, by the names of routes in prober.yaml.",
        example: "{ page: shop-oncall, ticket: shop-tickets }",
    },
    Key {
        name: "quorum",
        value: KeyType::Int(1, i64::MAX),
        need: Need::Default("half of the regions, at least 2 of several"),
        doc: "In how many regions a run must be bad for the scenario to count as down.",
        example: "2",
    },
    Key {
        name: "was",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Optional,
        doc: "Names that this scenario had before; its history goes on under the new one.",
        example: "[shop-front]",
    },
    Key {
        name: "public",
        value: KeyType::Bool,
        need: Need::Default("false"),
        doc: "Whether anyone may see on a status page how it goes.",
        example: "true",
    },
    MAINTENANCE,
];

/// The keys of a step that have a type of their own.
pub const STEP_KEYS: &[Key] = &[
    Key {
        name: "name",
        value: KeyType::Text,
        need: Need::Default("the kind"),
        doc: "The step's name; unique in the scenario.",
        example: "login",
    },
    Key {
        name: "timeout",
        value: KeyType::Duration,
        need: Need::Optional,
        doc: "The longest the step may take; of a step that is repeated, one poll or one attempt.",
        example: "5s",
    },
    Key {
        name: "needs",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Optional,
        doc: "Captures without which the step is skipped.",
        example: "[order_id]",
    },
];

/// The keys of `poll` that have a type of their own.
pub const POLL_KEYS: &[Key] = &[
    Key {
        name: "every",
        value: KeyType::Duration,
        need: Need::Default("1s"),
        doc: "From the start of one poll to the start of the next.",
        example: "1s",
    },
    Key {
        name: "timeout",
        value: KeyType::Duration,
        need: Need::Default("the scenario's timeout"),
        doc: "How long it goes on.",
        example: "30s",
    },
];

/// The keys of `retry`.
pub const RETRY_KEYS: &[Key] = &[
    Key {
        name: "attempts",
        value: KeyType::Int(1, ATTEMPTS_MAX),
        need: Need::Default("2"),
        doc: "The most attempts, the first one included; without a `timeout` each has its share of the run's.",
        example: "3",
    },
    Key {
        name: "on",
        value: KeyType::OneOrMany(&KeyType::Choice(&[
            "dns",
            "connect",
            "tls",
            "protocol",
            "timeout",
            "incorrect",
        ])),
        need: Need::Default("[connect, timeout]"),
        doc: "The classes of failures that are tried again.",
        example: "[connect, timeout]",
    },
    Key {
        name: "backoff",
        value: KeyType::Duration,
        need: Need::Default("500ms"),
        doc: "From the end of one attempt to the start of the next.",
        example: "500ms",
    },
];

/// The keys of `poll` that are read as assertions.
pub const POLL_PARTS: [&str; 2] = ["until", "stop_if"];

/// The keys of a step beside its kind that are read by what they hold.
pub(super) const STEP_PARTS: [&str; 5] = ["expect", "warn", "capture", "poll", "retry"];
/// The keys of a scenario that are read by what they hold.
pub(super) const SCENARIO_PARTS: [&str; 7] = ["steps", "teardown", "sli", "vars", "use", "with", "matrix"];
