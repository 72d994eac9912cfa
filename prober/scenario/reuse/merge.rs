//! A scenario's keys put over a template's body.

use crate::source::Spanned;
use crate::tree::{Node, NodeValue};

type Entries = Vec<(Spanned<String>, Node)>;

/// Maps of the author's own names, which are joined name by name.
const JOINED: [&str; 2] = ["vars", "labels"];
/// The keys of a schedule, which are one thing.
const SCHEDULE: [&str; 3] = ["every", "cron", "timezone"];

/// The scenario that `scenario` makes of `body`; every part keeps its place.
pub(crate) fn merged(scenario: &Node, body: &Node) -> Node {
    let (own, shared) = (scenario.map().unwrap_or_default(), body.map().unwrap_or_default());
    let has = |key: &str| own.iter().any(|(name, _)| name.value == key);
    let reschedules = has("every") || has("cron");
    let mut entries: Entries = Vec::with_capacity(own.len() + shared.len());
    for (name, node) in own {
        let below = JOINED.contains(&name.value.as_str()).then(|| body.get(&name.value)).flatten();
        entries.push((name.clone(), below.map_or_else(|| node.clone(), |below| joined(node, below))));
    }
    let stays = |key: &str| !(has(key) || reschedules && SCHEDULE.contains(&key));
    entries.extend(shared.iter().filter(|(name, _)| stays(&name.value)).cloned());
    Node { value: NodeValue::Map(entries), span: scenario.span }
}

/// The upper map with the names that only the lower one has.
fn joined(upper: &Node, lower: &Node) -> Node {
    let (Some(own), Some(shared)) = (upper.map(), lower.map()) else { return upper.clone() };
    let mut entries = own.to_vec();
    let known = |name: &str| own.iter().any(|(own, _)| own.value == name);
    entries.extend(shared.iter().filter(|(name, _)| !known(&name.value)).cloned());
    Node { value: NodeValue::Map(entries), span: upper.span }
}
