//! The keys of a scenario file, as tables.

use super::sli::RETRIED;
use crate::fields::{Form, Holds, Key, KeyType, Need};
use crate::maintenance::MAINTENANCE;
use crate::name;
use crate::repeat::ATTEMPTS_MAX;
use crate::reuse::{MATRIX_KEY, USE_KEY, WITH_KEY};
use crate::slo::{ALERT_KEYS, SLO_KEYS};

const NAME: Form = Form { pattern: name::SCENARIO.0, words: "a name of letters, digits, `-`, `_` and `.`" };
const STEP_NAME: Form = Form { pattern: name::PUBLIC.0, ..NAME };
pub(crate) const URL: Form =
    Form { pattern: r"^\s*[hH][tT][tT][pP][sS]?:", words: "a URL like `https://wiki.example/runbooks/shop`" };
const CRON: Form = Form {
    pattern: r"^\s*\S+(\s+\S+){4}\s*$",
    words: "five fields: minute, hour, day, month, weekday, like \"*/30 6-20 * * MON-FRI\"",
};
const ZONE: Form =
    Form { pattern: r"^[0-9A-Za-z_+-]+(/[0-9A-Za-z_+-]+)*$", words: "a time zone like `Europe/Berlin`" };

/// The keys of a scenario's head; those of its only step may stand beside them.
pub const SCENARIO_KEYS: &[Key] = &[
    Key {
        name: "name",
        value: KeyType::Formed(&KeyType::Text, &NAME),
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
        value: KeyType::Formed(&KeyType::Text, &URL),
        need: Need::Optional,
        doc: "Where to read what to do.",
        example: "https://wiki.example/runbooks/shop",
    },
    Key {
        name: "labels",
        value: KeyType::Held(Holds::Labels),
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
        value: KeyType::Formed(&KeyType::Text, &CRON),
        need: Need::Optional,
        doc: "When it is due: minute hour day month weekday.",
        example: "\"*/30 6-20 * * MON-FRI\"",
    },
    Key {
        name: "timezone",
        value: KeyType::Formed(&KeyType::Text, &ZONE),
        need: Need::Default("UTC"),
        doc: "The zone that `cron` is read in.",
        example: "Europe/Berlin",
    },
    Key {
        name: "timeout",
        value: KeyType::Duration,
        need: Need::Otherwise("the project's, else 10s; never longer than the interval"),
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
        need: Need::Otherwise("all regions of the project"),
        doc: "Where it runs.",
        example: "[eu, us]",
    },
    Key {
        name: "version",
        value: KeyType::Int(1, i64::MAX),
        need: Need::Otherwise("the project's"),
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
        name: "side_effects",
        value: KeyType::Bool,
        need: Need::Default("false"),
        doc: "Whether a run changes something at its target, such as an order: no slot is ever run twice then, and no two runs at once, also when a prober dies.",
        example: "true",
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
        need: Need::Otherwise("half of the regions, at least 2 of several"),
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
    Key {
        name: "steps",
        value: KeyType::Held(Holds::Steps),
        need: Need::Optional,
        doc: "What a run does, in order; a scenario with one step may have it at the top of the file.",
        example: "[{ http: https://shop.example/ }]",
    },
    Key {
        name: "teardown",
        value: KeyType::Held(Holds::Teardown),
        need: Need::Optional,
        doc: "Steps that run at the end of every run that began, also of a failed one.",
        example: "[{ http: https://shop.example/ }]",
    },
    Key {
        name: "sli",
        value: KeyType::Held(Holds::Parts(SLI_KEYS)),
        need: Need::Optional,
        doc: "How a run that passed is counted.",
        example: "{ good: { latency: { lt: 300ms } } }",
    },
    Key {
        name: "vars",
        value: KeyType::Held(Holds::Vars),
        need: Need::Optional,
        doc: "Variables of this scenario, stronger than those of the project and its regions: `${vars.NAME}`.",
        example: "{ path: /cart }",
    },
    USE_KEY,
    WITH_KEY,
    MATRIX_KEY,
];

/// The keys of `sli`.
pub(super) const SLI_KEYS: &[Key] = &[
    Key {
        name: "good",
        value: KeyType::Held(Holds::Assertions),
        need: Need::Optional,
        doc: "What must hold beyond `expect` for a run to be good; else it is bad as `slow`. With several steps: `latency`, of the run.",
        example: "{ latency: { lt: 300ms } }",
    },
    Key {
        name: "ineligible",
        value: KeyType::Held(Holds::Clauses),
        need: Need::Optional,
        doc: "What a step shows when the run does not count at all, neither as good nor as bad.",
        example: "[{ status: 503 }]",
    },
    Key {
        name: "retried",
        value: RETRIED,
        need: Need::Default("good"),
        doc: "What a run counts as that only a retry saved.",
        example: "bad",
    },
];

/// The keys of a step beside its kind and [`STEP_PARTS`].
pub const STEP_KEYS: &[Key] = &[
    Key {
        name: "name",
        value: KeyType::Formed(&KeyType::Text, &STEP_NAME),
        need: Need::Otherwise("the kind"),
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
        doc: "Captures without which the step is skipped; one that was JSON null counts as none.",
        example: "[order_id]",
    },
];

/// The keys of `poll`.
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
        need: Need::Otherwise("the scenario's timeout"),
        doc: "How long it goes on.",
        example: "30s",
    },
    Key {
        name: "until",
        value: KeyType::Held(Holds::Assertions),
        need: Need::Required,
        doc: "What must hold for the step to be done.",
        example: "{ latency: { lt: 1s } }",
    },
    Key {
        name: "stop_if",
        value: KeyType::Held(Holds::Assertions),
        need: Need::Optional,
        doc: "What ends the wait as a failure: a state that nothing good follows.",
        example: "{ latency: { gt: 5s } }",
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

/// The keys of a step beside its kind that look at what the kind shows.
pub const STEP_PARTS: &[Key] = &[
    Key {
        name: "expect",
        value: KeyType::Held(Holds::Assertions),
        need: Need::Optional,
        doc: "What must hold; if it does not, the run is bad.",
        example: "{ latency: { lt: 2s } }",
    },
    Key {
        name: "warn",
        value: KeyType::Held(Holds::Assertions),
        need: Need::Optional,
        doc: "What should hold; if it does not, the run is marked and still good.",
        example: "{ latency: { lt: 1s } }",
    },
    Key {
        name: "capture",
        value: KeyType::Held(Holds::Captures),
        need: Need::Optional,
        doc: "Names for values that later steps use as `${NAME}`.",
        example: "{ order_id: { json: $.id } }",
    },
    Key {
        name: "poll",
        value: KeyType::Held(Holds::Parts(POLL_KEYS)),
        need: Need::Optional,
        doc: "Asks again until something holds.",
        example: "{ every: 1s, timeout: 30s, until: { latency: { lt: 1s } } }",
    },
    Key {
        name: "retry",
        value: KeyType::Held(Holds::Parts(RETRY_KEYS)),
        need: Need::Optional,
        doc: "Tries again after some failures; a run that this saves is good and marked.",
        example: "{ attempts: 2, on: [connect, timeout] }",
    },
];

/// Keys that exclude each other, and how to say so.
pub(crate) const EXCLUSIVE: &[(&str, &str, &str)] = &[
    ("every", "cron", "`every` and `cron` exclude each other"),
    ("poll", "retry", "the poll asks again anyway"),
];

/// Keys that mean nothing without another, and how to say so.
pub(crate) const DEPENDENT: &[(&str, &str, &str)] = &[
    ("with", "use", "`with` belongs to `use`, and there is none"),
    ("grace", "teardown", "`grace` is the limit of a `teardown`, and there is none"),
];
