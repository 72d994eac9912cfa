//! `network` of the project file and of its regions: where probes may connect to.

use std::sync::Arc;

use super::text;
use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Fields, Form, Key, KeyType, Need};
use crate::network::{Policy, Rule, RuleError};

const RULE: Form = Form {
    pattern: r"^[^/\s]",
    words: "an address, a block like 10.0.0.0/8, a host, or *.corp.example, perhaps with :port",
};
const RULES: KeyType = KeyType::OneOrMany(&KeyType::Formed(&KeyType::Text, &RULE));
const WORDS: KeyType = KeyType::Choice(&["allow", "deny"]);

/// The keys under `network`.
pub(super) const NETWORK_KEYS: &[Key] = &[
    Key {
        name: "private",
        value: WORDS,
        need: Need::Default("deny"),
        doc: "Whether addresses that are not public may be probed: loopback, private, link-local and the like.",
        example: "allow",
    },
    Key {
        name: "public",
        value: WORDS,
        need: Need::Default("allow"),
        doc: "Whether public addresses may be probed; with deny, only what `allow` names.",
        example: "deny",
    },
    Key {
        name: "allow",
        value: RULES,
        need: Need::Optional,
        doc: "What may be probed all the same, perhaps with `:port` or `:from-to`; cloud metadata only by its own address or name.",
        example: "[10.20.0.0/16, \"db.corp.example:5432\", \"*.shop.example\"]",
    },
    Key {
        name: "deny",
        value: RULES,
        need: Need::Optional,
        doc: "What may never be probed; stronger than everything else.",
        example: "[10.20.9.0/24, \"*:25\"]",
    },
];

/// The key of the project file, and of a region.
pub(super) const NETWORK: Key = Key {
    name: "network",
    value: KeyType::Record(NETWORK_KEYS),
    need: Need::Otherwise("public addresses only"),
    doc: "Where probes may connect to, looked at for every address of every connection, redirects included.",
    example: "{ private: allow }",
};

/// The policy that the bound keys say; wrong rules are reported and left out.
pub(super) fn policy(mut fields: Fields, report: &mut Report) -> Arc<Policy> {
    let says = |fields: &mut Fields, key: &str, default: bool| {
        fields.choice(key).map_or(default, |word| word.value == "allow")
    };
    let private = says(&mut fields, "private", false);
    let public = says(&mut fields, "public", true);
    let mut rules = |key: &str| {
        let items = fields.list(key).map(|list| list.value).unwrap_or_default();
        let texts = items.into_iter().filter_map(text);
        let parsed = texts.filter_map(|item| match Rule::parse(&item.value) {
            Ok(rule) => Some(rule),
            Err(error) => {
                report.push(mistake(&error, item.span));
                None
            }
        });
        parsed.collect()
    };
    Arc::new(Policy { private, public, allow: rules("allow"), deny: rules("deny") })
}

fn mistake(error: &RuleError, span: crate::source::Span) -> Diagnostic {
    let problem = Diagnostic::error("E124", span, error.to_string());
    problem.help(match error {
        RuleError::HostBits(block) => format!("write {block}, or the address alone"),
        RuleError::Ports(_) => "write it like shop.example:443 or \"10.0.0.0/8:8000-8999\"".to_owned(),
        RuleError::Url(_) => "write the host and perhaps its port: shop.example:443".to_owned(),
        RuleError::Mapped => "like 10.0.0.0/8".to_owned(),
        RuleError::Who(_) | RuleError::Length(_) => {
            "write 10.0.0.5, 10.0.0.0/8, \"[fd00::/8]:443\", db.example:5432 or \"*.corp.example\"".to_owned()
        }
    })
}
