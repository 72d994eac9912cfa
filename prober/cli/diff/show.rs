//! A difference, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::compare::{Changed, Difference, FactChange, Placed};
use super::keys::{CHANGES_MAX, KeyChange};
use crate::cli::show::{Look, plain};

/// The names of a matrix that are written out.
const NAMES_MAX: usize = 3;

/// The difference as text.
pub(super) fn human(difference: &Difference, look: Look) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&plain(&text, look));
        out.push('\n');
    };
    for one in &difference.shared {
        line(format!("~ {}", one.path));
        keys(&one.keys, &mut line);
    }
    for one in &difference.added {
        line(format!("+ {}", placed(one)));
    }
    for one in &difference.removed {
        line(format!("- {}", placed(&one.scenario)));
    }
    for one in &difference.renamed {
        line(format!("> {} is {} now, and keeps its history", one.before, one.after));
    }
    for one in &difference.changed {
        changed(one, difference, &mut line);
    }
    for one in &difference.joint {
        line(format!("~ SLO {}: {}", one.what, arrow(&one.before, &one.after)));
    }
    for one in &difference.losses {
        line(format!("! the history of {} ends: {}", one.name, one.why));
        if !one.remedy.is_empty() {
            line(format!("    {}", one.remedy));
        }
    }
    line(summary(difference));
    out
}

fn changed(one: &Changed, difference: &Difference, line: &mut impl FnMut(String)) {
    let (some, more) = one.names.split_at(one.names.len().min(NAMES_MAX));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    line(format!("~ {}{more}", some.join(", ")));
    for fact in &one.facts {
        let place = if fact.region.is_empty() { String::new() } else { format!(" ({})", fact.region) };
        line(format!("    {}{place}: {}", fact.what, arrow(&fact.before, &fact.after)));
    }
    if !one.more.is_empty() {
        line(format!("    also in {}", one.more.join(", ")));
    }
    if !one.fewer.is_empty() {
        line(format!("    no longer in {}", one.fewer.join(", ")));
    }
    keys(&one.keys, line);
    let silent = one.facts.is_empty() && one.keys.is_empty() && one.more.is_empty() && one.fewer.is_empty();
    if silent && difference.shared.is_empty() {
        line("    its version differs; a running server does not tell more".to_owned());
    } else if silent {
        line("    through the project file or a template".to_owned());
    }
}

fn keys(keys: &[KeyChange], line: &mut impl FnMut(String)) {
    for key in keys {
        let at = if key.path.is_empty() { "the file" } else { &key.path };
        match (&key.before, &key.after) {
            (None, Some(after)) => line(format!("    + {at}: {after}")),
            (Some(before), None) => line(format!("    - {at}: {before}")),
            (before, after) => {
                let text = |value: &Option<String>| value.clone().unwrap_or_default();
                line(format!("    {at}: {}", arrow(&text(before), &text(after))));
            }
        }
    }
    if keys.len() >= CHANGES_MAX {
        line("    … and more".to_owned());
    }
}

fn placed(one: &Placed) -> String {
    format!("{} in {}", one.name, one.regions.join(", "))
}

fn arrow(before: &str, after: &str) -> String {
    let text = |text: &str| if text.is_empty() { "nothing".to_owned() } else { text.to_owned() };
    format!("{} → {}", text(before), text(after))
}

fn summary(difference: &Difference) -> String {
    if difference.is_none() {
        return format!("nothing would change against {}", difference.against);
    }
    let changed: usize = difference.changed.iter().map(|one| one.names.len()).sum();
    let mut text = format!(
        "against {}: {} added, {} removed, {} renamed, {changed} changed",
        difference.against,
        difference.added.len(),
        difference.removed.len(),
        difference.renamed.len(),
    );
    if !difference.losses.is_empty() {
        let count = difference.losses.len();
        write!(text, "; {count} {} history", if count == 1 { "loses its" } else { "lose their" })
            .expect("a text takes more");
    }
    text
}

/// The difference as one JSON value.
pub(super) fn json(difference: &Difference) -> Value {
    let placed = |one: &Placed| json!({ "name": one.name, "regions": one.regions });
    let fact = |one: &FactChange| json!({ "what": one.what, "region": some(&one.region), "before": some(&one.before), "after": some(&one.after) });
    let facts = |list: &[FactChange]| list.iter().map(fact).collect::<Value>();
    let keys = |list: &[KeyChange]| -> Value {
        list.iter().map(|one| json!({ "key": one.path, "before": one.before, "after": one.after })).collect()
    };
    let removed = difference.removed.iter().map(|one| {
        let mut value = placed(&one.scenario);
        value["perhaps"] = one.perhaps.clone().into();
        value
    });
    let changed = difference.changed.iter().map(|one| {
        json!({
            "names": one.names, "facts": facts(&one.facts), "keys": keys(&one.keys),
            "regions_added": one.more, "regions_removed": one.fewer,
        })
    });
    let losses = difference.losses.iter();
    let losses = losses.map(|one| json!({ "name": one.name, "why": one.why, "remedy": some(&one.remedy) }));
    json!({
        "against": difference.against,
        "same": difference.is_none(),
        "added": difference.added.iter().map(placed).collect::<Value>(),
        "removed": removed.collect::<Value>(),
        "renamed": difference.renamed.iter().map(|one| json!({ "before": one.before, "after": one.after })).collect::<Value>(),
        "changed": changed.collect::<Value>(),
        "shared": difference.shared.iter().map(|one| json!({ "file": one.path, "keys": keys(&one.keys) })).collect::<Value>(),
        "slos": facts(&difference.joint),
        "history_ends": losses.collect::<Value>(),
    })
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
