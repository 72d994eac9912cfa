//! The order of the language's keys.
//!
//! Heads, steps, kinds and records have tables. Everything else keeps the author's order: it may mean something
//! (assertions are looked at in order) or is nobody else's business (names, JSON).

use crate::fields::{Holds, Key, KeyType};
use crate::file::{SCENARIO_KEYS, STEP_KEYS};
use crate::kind::Kind;
use crate::project::{PROJECT_KEYS, REGION_KEYS};
use crate::reuse::PARAM_KEYS;
use crate::slo::SLO_FILE_KEYS;

/// What a list or map is to the language.
#[derive(Copy, Clone, Debug)]
pub(super) enum Role {
    /// Anything.
    Free,
    /// The top of the project file.
    Project,
    /// The top of a scenario file.
    Scenario,
    /// The top of a template.
    Template,
    /// The parameters of a template by name.
    Params,
    /// The envelope of Kubernetes around a scenario or template.
    Envelope,
    /// What is in the envelope.
    Spec,
    /// A list of steps.
    Steps,
    /// One step.
    Step,
    /// `sli`.
    Sli,
    /// Regions by name.
    Regions,
    /// One region.
    Region,
    /// A value with a type of its own.
    Typed(&'static KeyType),
    /// The keys of a kind or record.
    Table(&'static [Key]),
}

/// Keys of the project file that come first, in this order; its tables follow.
const PROJECT_FIRST: &[&str] = &["version", "scenarios", "include", "defaults", "vars", "regions", "secrets"];
/// Keys of a scenario that come after those of its head and before its steps.
const HEAD_LAST: &[&str] = &["vars", "use", "matrix", "with"];
/// Keys of a step that come after its kind.
const STEP_LAST: &[&str] = &["poll", "retry", "expect", "warn", "capture"];
/// Keys of a scenario that come after its steps.
const SCENARIO_LAST: &[&str] = &["steps", "teardown", "sli", "slo", "alerts", "maintenance"];
/// Keys of a step that come after its own and before its kind.
const STEP_SECOND: &[&str] = &["needs", "use", "with"];
/// Keys of the project file that come last.
const PROJECT_LAST: &[&str] = &["routes", "exporters"];
const TEMPLATE: &[&str] = &["template", "version", "params", "body"];
const ENVELOPE: &[&str] = &["apiVersion", "kind", "metadata", "spec"];
const SLI: &[&str] = &["good", "ineligible", "retried"];

/// The order of keys, for the kinds of step that there are.
#[derive(Debug)]
pub(super) struct Order {
    kinds: Vec<(&'static str, &'static [Key])>,
    project: Vec<&'static str>,
    scenario: Vec<&'static str>,
    step: Vec<&'static str>,
}

impl Order {
    pub(super) fn new<N>(kinds: &'static [Kind<N>]) -> Self {
        let names = |keys: &'static [Key], without: &[&[&str]]| -> Vec<&'static str> {
            let all = keys.iter().map(|key| key.name);
            all.filter(|name| !without.iter().any(|list| list.contains(name))).collect()
        };
        let kind_names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        let head = names(SCENARIO_KEYS, &[HEAD_LAST, STEP_LAST, SCENARIO_LAST]);
        let step = names(STEP_KEYS, &[STEP_SECOND, STEP_LAST]);
        Self {
            kinds: kinds.iter().map(|kind| (kind.name, kind.keys)).collect(),
            project: [PROJECT_FIRST, &names(PROJECT_KEYS, &[PROJECT_FIRST, PROJECT_LAST]), PROJECT_LAST]
                .concat(),
            scenario: [&head, HEAD_LAST, &kind_names, STEP_LAST, SCENARIO_LAST].concat(),
            step: [&step, STEP_SECOND, &kind_names, STEP_LAST].concat(),
        }
    }

    /// What a file is, by the keys at its top.
    pub(super) fn root(&self, keys: &[&str]) -> Role {
        if keys.contains(&ENVELOPE[0]) {
            return Role::Envelope;
        }
        if keys.contains(&TEMPLATE[0]) {
            return Role::Template;
        }
        let has = |name: &str| keys.contains(&name);
        if has("slo") && !has("name") && (has("objective") || has("scenarios")) {
            return Role::Table(SLO_FILE_KEYS);
        }
        let known = |role: Role| keys.iter().filter(|key| self.rank(role, key).is_some()).count();
        if known(Role::Project) > known(Role::Scenario) { Role::Project } else { Role::Scenario }
    }

    /// The place of a key in its map; `None` if it has none of its own.
    pub(super) fn rank(&self, role: Role, key: &str) -> Option<usize> {
        let at = |names: &[&str]| names.iter().position(|known| *known == key);
        match role {
            Role::Project => at(&self.project),
            Role::Scenario => at(&self.scenario),
            Role::Step => at(&self.step),
            Role::Template => at(TEMPLATE),
            Role::Envelope => at(ENVELOPE),
            Role::Spec => at(&self.scenario).or_else(|| at(TEMPLATE)),
            Role::Sli => at(SLI),
            Role::Region => REGION_KEYS.iter().position(|known| known.name == key),
            Role::Table(keys) => keys.iter().position(|known| known.name == key),
            Role::Typed(KeyType::OneOrMany(item)) => self.rank(of(item), key),
            Role::Free | Role::Steps | Role::Regions | Role::Params | Role::Typed(_) => None,
        }
    }

    /// What the value under a key is, or the item of a list.
    pub(super) fn child(&self, role: Role, key: Option<&str>) -> Role {
        match (role, key) {
            (Role::Steps, None) => Role::Step,
            (Role::Typed(KeyType::OneOrMany(item)), None) => of(item),
            (Role::Typed(KeyType::Map(value)), Some(_)) => of(value),
            (Role::Regions, Some(_)) => Role::Region,
            (Role::Project, Some("regions")) => Role::Regions,
            (Role::Project, Some(key)) => typed(PROJECT_KEYS, key),
            (Role::Template | Role::Spec, Some("body")) => Role::Scenario,
            (Role::Template | Role::Spec, Some("params")) => Role::Params,
            (Role::Region, Some(key)) => typed(REGION_KEYS, key),
            (Role::Params, Some(_)) => Role::Table(PARAM_KEYS),
            (Role::Envelope, Some("spec")) => Role::Spec,
            (Role::Spec, _) => self.child(Role::Scenario, key),
            (Role::Scenario, Some("steps" | "teardown")) => Role::Steps,
            (Role::Scenario, Some("sli")) => Role::Sli,
            (Role::Scenario, Some(key)) => self.kind(key).unwrap_or_else(|| typed(SCENARIO_KEYS, key)),
            (Role::Step, Some(key)) => self.kind(key).unwrap_or_else(|| typed(STEP_KEYS, key)),
            (Role::Table(keys), Some(key)) => typed(keys, key),
            (Role::Typed(KeyType::OneOrMany(item)), Some(_)) => self.child(of(item), key),
            _ => Role::Free,
        }
    }

    fn kind(&self, name: &str) -> Option<Role> {
        self.kinds.iter().find(|(known, _)| *known == name).map(|(_, keys)| Role::Table(keys))
    }
}

fn typed(keys: &'static [Key], name: &str) -> Role {
    keys.iter().find(|key| key.name == name).map_or(Role::Free, |key| of(&key.value))
}

fn of(value: &'static KeyType) -> Role {
    match value {
        KeyType::Record(keys) => Role::Table(keys),
        KeyType::Held(Holds::Steps) => Role::Steps,
        _ => Role::Typed(value),
    }
}
