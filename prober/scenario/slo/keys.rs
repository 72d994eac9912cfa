//! The keys of `slo` and `alerts`, as tables.

use crate::fields::{Holds, Key, KeyType, Need};
use crate::file::URL;

/// The words for windows of the calendar.
pub(super) const PERIODS: &[&str] = &["week", "month", "quarter"];

const OBJECTIVE: Key = Key {
    name: "objective",
    value: KeyType::Percent,
    need: Need::Required,
    doc: "The share of eligible runs that are good.",
    example: "99.9%",
};

const WINDOW: Key = Key {
    name: "window",
    value: KeyType::DurationOr(PERIODS),
    need: Need::Default("30d"),
    doc: "What it holds for: the last so long, or a calendar week, month or quarter.",
    example: "28d",
};

const TIMEZONE: Key = Key {
    name: "timezone",
    value: KeyType::Text,
    need: Need::Default("UTC"),
    doc: "The zone in which a calendar window begins.",
    example: "Europe/Berlin",
};

/// The keys under `slo`.
pub const SLO_KEYS: &[Key] = &[
    OBJECTIVE,
    WINDOW,
    TIMEZONE,
    Key {
        name: "name",
        value: KeyType::Text,
        need: Need::Otherwise("the scenario's name"),
        doc: "What metrics and alerts call it.",
        example: "checkout-availability",
    },
];

/// The keys under `alerts`.
pub const ALERT_KEYS: &[Key] = &[
    Key {
        name: "page",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Optional,
        doc: "The routes for what must be looked at now: each gets every alert, and hears what another one did not take.",
        example: "shop-oncall",
    },
    Key {
        name: "ticket",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Optional,
        doc: "The routes for what must be looked at within days: each gets every alert.",
        example: "shop-tickets",
    },
];

/// The keys of an SLO file.
pub const SLO_FILE_KEYS: &[Key] = &[
    Key {
        name: "slo",
        value: KeyType::Text,
        need: Need::Required,
        doc: "What metrics and alerts call it; unique in the project.",
        example: "shop-journey",
    },
    Key {
        name: "version",
        value: KeyType::Int(1, i64::MAX),
        need: Need::Otherwise("the project's"),
        doc: "The version of the language.",
        example: "1",
    },
    Key {
        name: "aim",
        value: KeyType::Text,
        need: Need::Optional,
        doc: "What the scenarios are for, all together.",
        example: "Anyone can buy tea at any hour.",
    },
    Key {
        name: "owner",
        value: KeyType::Text,
        need: Need::Otherwise("the project's"),
        doc: "The team.",
        example: "team-shop",
    },
    Key {
        name: "runbook",
        value: KeyType::Formed(&KeyType::Text, &URL),
        need: Need::Optional,
        doc: "Where to read what to do.",
        example: "https://wiki.example/runbooks/shop",
    },
    Key {
        name: "scenarios",
        value: KeyType::OneOrMany(&KeyType::Text),
        need: Need::Otherwise("those with the labels"),
        doc: "The scenarios whose runs count, by name; that of a matrix stands for all its instances.",
        example: "[shop-home, checkout]",
    },
    Key {
        name: "labels",
        value: KeyType::Held(Holds::Labels),
        need: Need::Otherwise("those that `scenarios` names"),
        doc: "Labels that a scenario has if its runs count, all of them.",
        example: "{ journey: purchase }",
    },
    OBJECTIVE,
    WINDOW,
    TIMEZONE,
    Key {
        name: "good",
        value: KeyType::Held(Holds::Assertions),
        need: Need::Otherwise("what the scenarios' own `sli.good` says"),
        doc: "What makes a correct run good for this objective, in place of the scenarios' own `sli.good`; a run that failed is bad whatever stands here.",
        example: "{ latency: { lt: 800ms } }",
    },
    Key {
        name: "quorum",
        value: KeyType::Int(1, i64::MAX),
        need: Need::Otherwise("half of the regions, at least 2 of several"),
        doc: "In how many regions runs must be bad for it to count as an outage.",
        example: "2",
    },
    Key {
        name: "blind_after",
        value: KeyType::Duration,
        need: Need::Otherwise("three intervals and a minute"),
        doc: "How long there may be no run that counts before somebody is told.",
        example: "1h",
    },
    Key {
        name: "alerts",
        value: KeyType::Record(ALERT_KEYS),
        need: Need::Optional,
        doc: "Whom it tells, by the names of routes in prober.yaml.",
        example: "{ page: shop-oncall, ticket: shop-tickets }",
    },
];
