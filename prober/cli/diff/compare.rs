//! What differs between two sides; pure.

use std::collections::{BTreeMap, BTreeSet};

use scenario::reuse::base_name;

use super::keys::{self, KeyChange};
use super::side::{Facts, Files, Side};

/// Everything that differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// What people call the side before.
    pub(super) against: String,
    pub(super) added: Vec<Placed>,
    pub(super) removed: Vec<Removed>,
    pub(super) renamed: Vec<Renamed>,
    pub(super) changed: Vec<Changed>,
    /// The project file and templates that differ.
    pub(super) shared: Vec<FileChange>,
    /// SLO files' promises that differ.
    pub(super) joint: Vec<FactChange>,
    /// Objectives whose history ends.
    pub(super) losses: Vec<Loss>,
}

/// A scenario and where it runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) name: String,
    pub(super) regions: Vec<String>,
}

/// A scenario that is there no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) scenario: Placed,
    /// A new scenario that does the same: probably the same one under another name.
    pub(super) perhaps: Option<String>,
}

/// A scenario whose new name keeps its history.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Renamed {
    pub(super) before: String,
    pub(super) after: String,
}

/// A scenario that does something else, and others of its matrix that change in the same way.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) names: Vec<String>,
    /// What it does, in words that people know, by region; the region is empty where it is the same in all.
    pub(super) facts: Vec<FactChange>,
    /// What its file says.
    pub(super) keys: Vec<KeyChange>,
    /// Regions in which it runs now and did not.
    pub(super) more: Vec<String>,
    /// Regions in which it ran and does no more.
    pub(super) fewer: Vec<String>,
}

/// One thing that is known on both sides and differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FactChange {
    pub(super) what: String,
    pub(super) region: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// A file that differs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileChange {
    pub(super) path: String,
    pub(super) keys: Vec<KeyChange>,
}

/// An objective whose history ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) name: String,
    pub(super) why: String,
    /// What to type if that is not meant; empty if nothing helps.
    pub(super) remedy: String,
}

impl Difference {
    /// Whether both sides do the same. Files may differ in what does nothing, such as comments.
    pub(super) fn is_none(&self) -> bool {
        let none = [
            self.added.is_empty(),
            self.removed.is_empty(),
            self.renamed.is_empty(),
            self.changed.is_empty(),
        ];
        none.iter().all(|none| *none) && self.joint.is_empty() && self.shared.is_empty()
    }
}

/// What `after` would change of `before`.
pub(super) fn difference(before: &Side, after: &Side) -> Difference {
    let (old, new) = (by_name(before), by_name(after));
    let renamed = renamed(&old, &new);
    let is_renamed = |name: &str| renamed.iter().any(|one| one.before == name || one.after == name);
    let placed = |name: &str, regions: &Regions<'_>| Placed {
        name: name.to_owned(),
        regions: regions.keys().map(|region| (*region).to_owned()).collect(),
    };
    let only = |these: &Scenarios<'_>, others: &Scenarios<'_>| -> Vec<Placed> {
        let only = these.iter().filter(|(name, _)| !others.contains_key(*name) && !is_renamed(name));
        only.map(|(name, regions)| placed(name, regions)).collect()
    };
    let added = only(&new, &old);
    let removed = only(&old, &new).into_iter().map(|scenario| {
        let twin =
            added.iter().find(|one| does_the_same(&old[scenario.name.as_str()], &new[one.name.as_str()]));
        Removed { perhaps: twin.map(|twin| twin.name.clone()), scenario }
    });
    let removed: Vec<_> = removed.collect();
    let pairs = old.keys().filter(|name| new.contains_key(*name)).map(|name| (*name, *name));
    let pairs = pairs.chain(renamed.iter().map(|one| (one.before.as_str(), one.after.as_str())));
    let changed: Vec<_> =
        pairs.filter_map(|(was, is)| change(before, after, (was, &old[was]), (is, &new[is]))).collect();
    let losses = losses(before, &removed, &changed, &old);
    Difference {
        against: before.label.clone(),
        changed: together(changed),
        shared: shared(before, after),
        joint: joint(before, after),
        added,
        removed,
        renamed,
        losses,
    }
}

type Regions<'a> = BTreeMap<&'a str, &'a Facts>;
type Scenarios<'a> = BTreeMap<&'a str, Regions<'a>>;

fn by_name(side: &Side) -> Scenarios<'_> {
    let mut scenarios = Scenarios::new();
    for ((name, region), facts) in &side.streams {
        scenarios.entry(name).or_default().insert(region, facts);
    }
    scenarios
}

fn renamed(old: &Scenarios<'_>, new: &Scenarios<'_>) -> Vec<Renamed> {
    let mut renamed = Vec::new();
    for (name, regions) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        let mut was = regions.values().flat_map(|facts| &facts.was);
        let before = was.find(|was| old.contains_key(was.as_str()) && !new.contains_key(was.as_str()));
        if let Some(before) = before {
            renamed.push(Renamed { before: before.clone(), after: (*name).to_owned() });
        }
    }
    renamed
}

/// Whether two scenarios look at the same, equally often, in a region they share.
fn does_the_same(old: &Regions<'_>, new: &Regions<'_>) -> bool {
    let same = |old: &Facts, new: &Facts| {
        ["targets", "schedule"]
            .iter()
            .all(|fact| old.value(fact).is_some() && old.value(fact) == new.value(fact))
    };
    old.iter().any(|(region, old)| new.get(region).is_some_and(|new| same(old, new)))
}

fn change(
    before: &Side,
    after: &Side,
    was: (&str, &Regions<'_>),
    is: (&str, &Regions<'_>),
) -> Option<Changed> {
    let ((old_name, old), (new_name, new)) = (was, is);
    let names = |these: &Regions<'_>, others: &Regions<'_>| -> Vec<String> {
        these
            .keys()
            .filter(|region| !others.contains_key(*region))
            .map(|region| (*region).to_owned())
            .collect()
    };
    let (more, fewer) = (names(new, old), names(old, new));
    let both: Vec<_> =
        old.iter().filter_map(|(region, old)| Some((*region, *old, *new.get(region)?))).collect();
    let mut facts = facts(&both);
    // That it has another name is told by itself.
    let is_renamed = old_name != new_name;
    facts.retain(|fact| {
        !(is_renamed && fact.what == "title" && fact.before == old_name && fact.after == new_name)
    });
    let versions = both.iter().any(|(_, old, new)| old.version != new.version);
    if !versions && facts.is_empty() && more.is_empty() && fewer.is_empty() {
        return None;
    }
    let mut keys = match (&before.files, &after.files) {
        (Some(old), Some(new)) => {
            let text = |files: &Files, name: &str| files.texts.get(files.of.get(name)?).cloned();
            let texts = text(old, old_name).zip(text(new, new_name));
            texts.map(|(old, new)| keys::changes(&old, &new)).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    keys.retain(|key| !(is_renamed && ["name", "was"].contains(&key.path.as_str())));
    if is_renamed && facts.is_empty() && keys.is_empty() && more.is_empty() && fewer.is_empty() {
        return None;
    }
    Some(Changed { names: vec![new_name.to_owned()], facts, keys, more, fewer })
}

/// What differs of the facts that both sides know; said once if it is the same in all regions.
fn facts(both: &[(&str, &Facts, &Facts)]) -> Vec<FactChange> {
    let mut found: Vec<FactChange> = Vec::new();
    for (region, old, new) in both {
        for (what, after) in &new.values {
            let Some(before) = old.value(what).filter(|before| before != after) else { continue };
            let change = |region: &str| FactChange {
                what: (*what).to_owned(),
                region: region.to_owned(),
                before: before.to_owned(),
                after: after.clone(),
            };
            found.push(change(region));
        }
    }
    let same = |one: &FactChange| {
        let alike = |other: &&FactChange| {
            (&other.what, &other.before, &other.after) == (&one.what, &one.before, &one.after)
        };
        found.iter().filter(alike).count() == both.len()
    };
    let mut told = BTreeSet::new();
    let mut facts = Vec::new();
    for one in &found {
        if same(one) {
            let everywhere = FactChange { region: String::new(), ..one.clone() };
            if told.insert(everywhere.clone()) {
                facts.push(everywhere);
            }
        } else {
            facts.push(one.clone());
        }
    }
    facts
}

/// Instances of one matrix that change in the same way are told of together.
fn together(changed: Vec<Changed>) -> Vec<Changed> {
    let mut groups: Vec<Changed> = Vec::new();
    for one in changed {
        let base = base_name(&one.names[0]).to_owned();
        let is_matrix = base != one.names[0];
        let fits = |group: &&mut Changed| {
            let alike = (&group.facts, &group.keys, &group.more, &group.fewer)
                == (&one.facts, &one.keys, &one.more, &one.fewer);
            is_matrix && alike && *base_name(&group.names[0]) == *base
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.names.extend(one.names),
            None => groups.push(one),
        }
    }
    groups
}

fn shared(before: &Side, after: &Side) -> Vec<FileChange> {
    let (Some(old), Some(new)) = (&before.files, &after.files) else { return Vec::new() };
    let paths: BTreeSet<_> = old.shared.union(&new.shared).collect();
    let change = |path: &&String| {
        let text = |files: &Files| files.texts.get(path.as_str()).cloned();
        let keys = match (text(old), text(new)) {
            (Some(old), Some(new)) => keys::changes(&old, &new),
            (None, Some(_)) => vec![whole(None, Some("new"))],
            (Some(_), None) => vec![whole(Some("gone"), None)],
            (None, None) => Vec::new(),
        };
        (!keys.is_empty()).then(|| FileChange { path: (*path).clone(), keys })
    };
    paths.iter().filter_map(change).collect()
}

fn whole(before: Option<&str>, after: Option<&str>) -> KeyChange {
    KeyChange { path: String::new(), before: before.map(str::to_owned), after: after.map(str::to_owned) }
}

fn joint(before: &Side, after: &Side) -> Vec<FactChange> {
    let (Some(old), Some(new)) = (&before.joint, &after.joint) else { return Vec::new() };
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let value = |side: &BTreeMap<String, String>, name: &str| side.get(name).cloned().unwrap_or_default();
    let change = |name: &String| FactChange {
        what: name.clone(),
        region: String::new(),
        before: value(old, name),
        after: value(new, name),
    };
    names.into_iter().map(change).filter(|one| one.before != one.after).collect()
}

/// Whose history ends, and what keeps it.
fn losses(before: &Side, removed: &[Removed], changed: &[Changed], old: &Scenarios<'_>) -> Vec<Loss> {
    let objective = |regions: &Regions<'_>| {
        regions.values().find_map(|facts| facts.value("objective")).unwrap_or_default().to_owned()
    };
    let promised =
        |objective: &str| if objective.is_empty() { String::new() } else { format!(" ({objective})") };
    let mut losses = Vec::new();
    for Removed { scenario, perhaps } in removed {
        let objective = objective(&old[scenario.name.as_str()]);
        if objective.is_empty() && before.files.is_some() && perhaps.is_none() {
            continue;
        }
        let remedy = perhaps.as_ref().map_or_else(String::new, |name| {
            format!("`{name}` looks like it: write was: [{}] in its file to keep the history", scenario.name)
        });
        let why = format!("the scenario is gone{}", promised(&objective));
        losses.push(Loss { name: scenario.name.clone(), why, remedy });
    }
    for one in changed.iter().filter(|one| !one.fewer.is_empty()) {
        let name = &one.names[0];
        let objective = old.get(name.as_str()).map(objective).unwrap_or_default();
        if objective.is_empty() && before.files.is_some() {
            continue;
        }
        let why = format!("it no longer runs in {}{}", one.fewer.join(", "), promised(&objective));
        losses.push(Loss { name: name.clone(), why, remedy: String::new() });
    }
    losses
}
