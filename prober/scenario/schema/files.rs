//! Whole files as schemas.

use serde_json::{Value, json};

use super::held::{Of, depends_on_kind};
use super::types::{choice, record};
use super::{Builder, Object, notes, object};
use crate::fields::{Holds, Key, KeyType, Need};
use crate::file::{DEPENDENT, EXCLUSIVE, SCENARIO_KEYS, STEP_KEYS, STEP_PARTS};
use crate::kind::Kind;
use crate::project::PROJECT_KEYS;
use crate::reuse::{ENVELOPE_KEYS, SCENARIO_ONLY, TEMPLATE_KEYS, USE_KEY};
use crate::slo::SLO_FILE_KEYS;
use crate::suggest::one_of;

impl<N> Builder<'_, N> {
    /// A scenario file, with or without the envelope.
    pub(super) fn scenario(&mut self) -> Object {
        let inside = self.definition("scenario", |builder| {
            let keys: Vec<_> = SCENARIO_KEYS.iter().chain(STEP_PARTS).collect();
            let mut scenario = builder.with_kinds(&keys, SCENARIO_KEYS);
            scenario.insert("anyOf".to_owned(), builder.sources(SCENARIO_KEYS));
            scenario.insert("defaultSnippets".to_owned(), notes::scenario_snippets(builder.kinds));
            scenario
        });
        let spec = self.value(&KeyType::Held(Holds::Body), Of::Nothing);
        self.enveloped("Scenario", &inside, spec)
    }

    /// A template file, with or without the envelope.
    pub(super) fn template(&mut self) -> Object {
        let inside = self.definition("template", |builder| builder.record(TEMPLATE_KEYS, Of::Nothing));
        let mut spec = self.record(TEMPLATE_KEYS, Of::Nothing);
        spec.remove("required");
        self.enveloped("Template", &inside, spec)
    }

    /// A file, or the same in the envelope of Kubernetes.
    fn enveloped(&mut self, kind: &str, inside: &Object, spec: Object) -> Object {
        let mut envelope = self.record(ENVELOPE_KEYS, Of::Nothing);
        if let Some(properties) = envelope.get_mut("properties").and_then(Value::as_object_mut) {
            for (name, wanted) in [("kind", choice(&[kind], &format!("expected `{kind}`"))), ("spec", spec)] {
                let key = ENVELOPE_KEYS.iter().find(|key| key.name == name);
                let noted = key.map_or_else(Object::new, |key| notes::of_key(key, wanted));
                properties.insert(name.to_owned(), noted.into());
            }
        }
        let marks = json!([{ "required": ["apiVersion"] }, { "required": ["spec"] }]);
        object(json!({ "type": "object", "if": { "anyOf": marks }, "then": envelope, "else": inside }))
    }

    /// What a template's body holds: a scenario without what makes it one of its own.
    pub(super) fn body(&mut self) -> Object {
        let shared = SCENARIO_KEYS.iter().filter(|key| !SCENARIO_ONLY.contains(&key.name));
        let keys: Vec<_> = shared.chain(STEP_PARTS).collect();
        self.with_kinds(&keys, SCENARIO_KEYS)
    }

    /// A step of a list.
    pub(super) fn step(&mut self) -> Object {
        let keys: Vec<_> = STEP_KEYS.iter().chain(STEP_PARTS).collect();
        let mut step = self.with_kinds(&keys, STEP_KEYS);
        step.insert("anyOf".to_owned(), self.sources(STEP_KEYS));
        step
    }

    /// An SLO file: its scenarios are named or have labels, not both.
    pub(super) fn slo(&mut self) -> Object {
        let mut slo = self.record(SLO_FILE_KEYS, Of::Flow);
        let ways = ["scenarios", "labels"].map(|way| {
            json!({ "required": [way], "errorMessage": "say which scenarios are meant: `scenarios` or `labels`" })
        });
        slo.insert("oneOf".to_owned(), ways.to_vec().into());
        slo
    }

    /// `prober.yaml`.
    pub(super) fn project(&mut self) -> Object {
        self.record(PROJECT_KEYS, Of::Nothing)
    }

    /// A map with these keys and one kind of step; what may stand behind some depends on the kind.
    fn with_kinds(&mut self, keys: &[&'static Key], head: &'static [Key]) -> Object {
        let mut properties = Object::new();
        for key in keys {
            let value = match &key.value {
                value if depends_on_kind(value) => open(value),
                value => self.value(value, Of::Nothing),
            };
            properties.insert(key.name.to_owned(), notes::of_key(key, value).into());
        }
        for kind in self.kinds {
            properties.insert(kind.name.to_owned(), self.kind(kind).into());
        }
        let needed = keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name);
        let mut whole = record(&properties, &needed.collect::<Vec<_>>());
        whole.insert("allOf".to_owned(), self.rules(keys, head).into());
        whole
    }

    /// What follows from the keys that are there.
    fn rules(&mut self, keys: &[&'static Key], head: &'static [Key]) -> Vec<Value> {
        let dependent: Vec<_> = keys.iter().copied().filter(|key| depends_on_kind(&key.value)).collect();
        let mut rules = Vec::new();
        for kind in self.kinds {
            rules.push(self.rule_of_kind(kind, &dependent));
        }
        for steps in head.iter().filter(|key| is_steps(key)) {
            rules.extend(self.rules_of_steps(steps, head));
        }
        let allowed = |name: &str| keys.iter().any(|key| key.name == name);
        for (first, second, message) in
            EXCLUSIVE.iter().filter(|(first, second, _)| allowed(first) && allowed(second))
        {
            rules.push(json!({
                "if": { "required": [first] },
                "then": { "properties": { (*second): false }, "errorMessage": message },
            }));
        }
        for (key, other, message) in DEPENDENT.iter().filter(|(key, ..)| allowed(key)) {
            rules.push(json!({
                "if": { "required": [key], "not": { "required": [other] } },
                "then": { "properties": { (*key): false }, "errorMessage": message },
            }));
        }
        rules
    }

    /// One kind of step must be there, or a list of steps.
    fn sources(&self, head: &'static [Key]) -> Value {
        let names = || {
            // A template may bring what is probed.
            let elsewhere = head.iter().filter(|key| is_steps(key) || key.name == USE_KEY.name);
            let steps = elsewhere.map(|key| key.name);
            self.kinds.iter().map(|kind| kind.name).chain(steps)
        };
        let needed = format!("expected something to probe: {}", one_of(names()));
        names().map(|name| json!({ "required": [name], "errorMessage": needed })).collect()
    }

    /// A kind's own key: its short form or its map form.
    fn kind(&mut self, kind: &'static Kind<N>) -> Object {
        let body = self.definition(kind.name, |builder| builder.record(kind.keys, Of::Kind(kind)));
        let mut noted = notes::of_kind(kind);
        let wanted = "expected a map of keys";
        let other = match kind.short {
            Some(_) => {
                json!({ "type": ["string", "integer"], "errorMessage": "expected a text or a map of keys" })
            }
            None => json!({ "type": "object", "errorMessage": wanted }),
        };
        noted.extend(object(json!({ "if": { "type": "object" }, "then": body, "else": other })));
        noted
    }

    /// What follows from a step's being of this kind.
    fn rule_of_kind(&mut self, kind: &'static Kind<N>, dependent: &[&'static Key]) -> Value {
        let mut properties = Object::new();
        for key in dependent {
            properties.insert(key.name.to_owned(), self.value(&key.value, Of::Kind(kind)).into());
        }
        for other in self.kinds.iter().filter(|other| other.name != kind.name) {
            properties.insert(other.name.to_owned(), false.into());
        }
        json!({
            "if": { "required": [kind.name] },
            "then": {
                "properties": properties,
                "errorMessage": "a step is of one kind; put each into a step of its own under `steps`",
            },
        })
    }

    /// What follows from a scenario's having a list of steps; a list of one is like the step alone.
    fn rules_of_steps(&mut self, steps: &'static Key, head: &'static [Key]) -> [Value; 2] {
        let inside = self.kinds.iter().map(|kind| kind.name).chain(STEP_PARTS.iter().map(|part| part.name));
        let inside: Object = inside.map(|name| (name.to_owned(), Value::from(false))).collect();
        let mut whole = Object::new();
        for key in head.iter().filter(|key| depends_on_kind(&key.value)) {
            whole.insert(key.name.to_owned(), self.value(&key.value, Of::Flow).into());
        }
        [
            json!({
                "if": { "required": [steps.name] },
                "then": {
                    "properties": inside,
                    "errorMessage": format!("this stands beside `{}`: move it into a step", steps.name),
                },
            }),
            json!({
                "if": { "required": [steps.name], "properties": { (steps.name): { "minItems": 2 } } },
                "then": { "properties": whole },
            }),
        ]
    }
}

/// Whether the key holds the steps of a scenario.
fn is_steps(key: &Key) -> bool {
    matches!(key.value, KeyType::Held(Holds::Steps))
}

/// A value whose inside depends on the kind, before the kind is known.
fn open(value: &KeyType) -> Object {
    match value {
        KeyType::OneOrMany(_) | KeyType::Held(Holds::Clauses) => {
            object(json!({ "type": ["object", "array"] }))
        }
        _ => object(json!({ "type": "object" })),
    }
}
