//! Keys that two versions of a file do not have in common.

use scenario::diagnostic::Report;
use scenario::tree::{Node, NodeValue, ScalarKind, parse};

/// One key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyChange {
    /// Where: `steps[login].expect.status`.
    pub(super) path: String,
    /// The value before; `None` if there was none.
    pub(super) before: Option<String>,
    /// The value now; `None` if there is none.
    pub(super) after: Option<String>,
}

/// The most changes of one file that are told.
pub(super) const CHANGES_MAX: usize = 50;

/// The longest value that is shown.
const VALUE_BYTES_MAX: usize = 120;

/// What differs between two texts of a file; nothing if one of them cannot be read.
pub(super) fn changes(before: &str, after: &str) -> Vec<KeyChange> {
    let tree = |text: &str| parse(0, text, &mut Report::default());
    let (Some(before), Some(after)) = (tree(before), tree(after)) else { return Vec::new() };
    let mut found = Vec::new();
    walk("", Some(&before), Some(&after), &mut found);
    found
}

fn walk(path: &str, before: Option<&Node>, after: Option<&Node>, found: &mut Vec<KeyChange>) {
    if found.len() >= CHANGES_MAX {
        return;
    }
    if let (Some(before), Some(after)) = (before, after) {
        match (&before.value, &after.value) {
            (NodeValue::Map(old), NodeValue::Map(new)) => {
                let below =
                    |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                let gone = old.iter().filter(|(key, _)| after.get(&key.value).is_none());
                for (key, _) in new.iter().chain(gone) {
                    walk(&below(&key.value), before.get(&key.value), after.get(&key.value), found);
                }
                return;
            }
            (NodeValue::List(old), NodeValue::List(new)) => return walk_lists(path, old, new, found),
            _ => {}
        }
    }
    let (before, after) = (before.map(shown), after.map(shown));
    if before != after {
        found.push(KeyChange { path: path.to_owned(), before, after });
    }
}

/// Items with a name are compared by it, so that one step more does not change all that follow.
fn walk_lists(path: &str, old: &[Node], new: &[Node], found: &mut Vec<KeyChange>) {
    let name = |node: &Node| node.get("name").and_then(Node::scalar).map(|name| name.text.to_string());
    let named = |items: &[Node]| items.iter().map(name).collect::<Option<Vec<_>>>();
    if let (Some(old_names), Some(new_names)) = (named(old), named(new)) {
        let at = |names: &[String], items: &[Node], name: &str| {
            names.iter().position(|one| one == name).map(|index| items[index].clone())
        };
        let gone = old_names.iter().filter(|name| !new_names.contains(name));
        for name in new_names.iter().chain(gone) {
            let (before, after) = (at(&old_names, old, name), at(&new_names, new, name));
            walk(&format!("{path}[{name}]"), before.as_ref(), after.as_ref(), found);
        }
        let kept = |names: &[String], others: &[String]| -> Vec<String> {
            names.iter().filter(|name| others.contains(name)).cloned().collect()
        };
        let (before, after) = (kept(&old_names, &new_names), kept(&new_names, &old_names));
        if before != after {
            let shown = |names: Vec<String>| Some(names.join(", "));
            found.push(KeyChange {
                path: format!("{path} (order)"),
                before: shown(before),
                after: shown(after),
            });
        }
        return;
    }
    for index in 0..old.len().max(new.len()) {
        walk(&format!("{path}[{index}]"), old.get(index), new.get(index), found);
    }
}

/// A value on one line, no longer than people read.
fn shown(node: &Node) -> String {
    let text = match node.scalar() {
        Some(scalar) if scalar.kind == ScalarKind::Null => "nothing".to_owned(),
        Some(scalar) => scalar.text.trim_end().to_owned(),
        None => node.json().to_string(),
    };
    model::outcome::cut(text.replace('\n', " "), VALUE_BYTES_MAX)
}
