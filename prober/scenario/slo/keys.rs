//! The keys of `slo` and `alerts`, as tables.

use crate::fields::{Key, KeyType, Need};

/// The words for windows of the calendar.
pub(super) const PERIODS: &[&str] = &["week", "month", "quarter"];

/// The keys under `slo`.
pub const SLO_KEYS: &[Key] = &[
    Key {
        name: "objective",
        value: KeyType::Percent,
        need: Need::Required,
        doc: "The share of eligible runs that are good.",
        example: "99.9%",
    },
    Key {
        name: "window",
        value: KeyType::DurationOr(PERIODS),
        need: Need::Default("30d"),
        doc: "What it holds for: the last so long, or a calendar week, month or quarter.",
        example: "28d",
    },
    Key {
        name: "timezone",
        value: KeyType::Text,
        need: Need::Default("UTC"),
        doc: "The zone in which a calendar window begins.",
        example: "Europe/Berlin",
    },
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
