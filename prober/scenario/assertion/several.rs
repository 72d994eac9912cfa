//! Several values where one is asked for: the nodes of a path, the headers of one name, the answers of several servers.

use super::{Checked, Inner, NOTHING};
use crate::history::Look;
use crate::matcher::{Finding, Matcher};
use crate::shown::{show_each, show_many, show_value};
use crate::value::{Selector, Value};

impl Inner {
    pub(super) fn looks_at_elements(&self) -> bool {
        matches!(self.selector, Selector::Header(_) | Selector::Xml(_) | Selector::Own(_))
            && self.matchers.iter().any(Matcher::looks_at_items)
    }

    /// Whether the operator takes several values as one list: nodes always, headers of one name where it asks for items.
    fn takes_all_at_once(&self, matcher: &Matcher) -> bool {
        match self.selector {
            Selector::JsonPath(_) | Selector::Xml(_) | Selector::Own(_) => matcher.looks_at_lists(),
            Selector::Header(_) => matcher.looks_at_items(),
            _ => false,
        }
    }

    /// Several values: from a JSON path they are a list of nodes, otherwise each is an answer of its own.
    pub(super) fn check_many(&self, values: &[Value<'_>], look: Look<'_>, sources: &[String]) -> Checked {
        let (whole, each): (Vec<_>, Vec<_>) =
            self.matchers.iter().partition(|matcher| self.takes_all_at_once(matcher));
        let named = sources.len() == values.len();
        let mut finding = Finding::HOLDS;
        if self.matchers.iter().any(|matcher| matches!(matcher, Matcher::Agree)) && !agree(values) {
            finding = Finding::of(false);
        }
        if self.matchers.iter().any(|matcher| matches!(matcher, Matcher::Advances(..))) {
            finding = finding.and(|| Finding::several(values.len()));
        }
        let list = Value::List(values.to_vec());
        for matcher in whole {
            finding = finding.and(|| matcher.find(&list, look));
        }
        for (index, value) in values.iter().enumerate() {
            for matcher in &each {
                finding = finding.and(|| {
                    let found = matcher.find(value, look);
                    let place = || match sources.get(index) {
                        Some(source) if named => format!("{source} says {}", show_value(value, true)),
                        _ => {
                            format!("value {} of {} is {}", index + 1, values.len(), show_value(value, true))
                        }
                    };
                    if found.pass { found } else { found.placed(place) }
                });
            }
        }
        if values.is_empty() {
            let wants_some = self.matchers.iter().any(|matcher| !matcher.holds_for_empty());
            if wants_some {
                return Checked::broken(NOTHING, self.absent());
            }
        }
        let actual =
            if named { show_each(sources, values, self.quoted) } else { show_many(values, self.quoted) };
        self.checked(finding, actual, Vec::new)
    }
}

/// Whether all values are the same; lists may differ in their order.
fn agree(values: &[Value<'_>]) -> bool {
    let same = |left: &Value<'_>, right: &Value<'_>| match (left, right) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left.iter().all(|item| right.contains(item))
                && right.iter().all(|item| left.contains(item))
        }
        (left, right) => left == right,
    };
    values.windows(2).all(|pair| same(&pair[0], &pair[1]))
}
