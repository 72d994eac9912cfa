//! Several values where one is asked for: the nodes of a path, the headers of one name, the answers of several servers.

use super::{Checked, Inner, NOTHING};
use crate::history::Look;
use crate::matcher::{Finding, Matcher};
use crate::shown::{show_each, show_many, show_value};
use crate::value::{Selector, Value};

impl Inner {
    /// Whether `found`, alone where there might have been several, is a list of one.
    ///
    /// What holds must not depend on how many there happen to be: of one product, `len` would count the letters. A
    /// list that a JSON path finds alone is looked into all the same, as `$.items[?@.id == 5].tags` means it.
    pub(super) fn is_list_of_one(&self, found: &Value<'_>) -> bool {
        let as_list = match &self.selector {
            Selector::Header(_) => Matcher::looks_at_items,
            _ if self.several => Matcher::looks_at_lists,
            Selector::Xml(_) | Selector::Own(_) => Matcher::looks_at_items,
            _ => return false,
        };
        !matches!(found, Value::List(_)) && self.matchers.iter().any(as_list)
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
        if values.len() > 1 && self.matchers.iter().any(|matcher| matches!(matcher, Matcher::Advances(..))) {
            finding = finding.and(|| Finding::several(values.len()));
        }
        let list = Value::List(values.to_vec());
        for matcher in whole {
            finding = finding.and(|| counted(matcher, values.len(), matcher.find(&list, look)));
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
                    if found.pass || values.len() == 1 { found } else { found.placed(place) }
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

/// What was found of a list of `count` matches; where their number is what is wrong, that is said.
fn counted(matcher: &Matcher, count: usize, found: Finding) -> Finding {
    if !matches!(matcher, Matcher::Len(_)) {
        return found;
    }
    let matches =
        if count == 1 { "there is one match".to_owned() } else { format!("there are {count} matches") };
    Finding { note: (!found.pass).then_some(matches), ..found }
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
