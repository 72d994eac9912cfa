//! Expectations in the making: operators of several sentences, put under one subject.

use serde_json::{Map, Value, json};

/// What a step must show.
#[derive(Debug, Default)]
pub(super) struct Expect(Map<String, Value>);

impl Expect {
    /// Adds what must hold of a subject; `false` if that cannot be said beside what is there.
    #[must_use]
    pub(super) fn add(&mut self, subject: &str, wanted: Value) -> bool {
        put(&mut self.0, subject, wanted)
    }

    /// Adds what must hold of a part of a subject: of a JSON path, a header, a regular expression.
    #[must_use]
    pub(super) fn add_under(&mut self, subject: &str, part: &str, wanted: Value) -> bool {
        let entry = self.0.entry(subject).or_insert_with(|| json!({}));
        entry.as_object_mut().is_some_and(|parts| put(parts, part, wanted))
    }

    pub(super) fn has(&self, subject: &str) -> bool {
        self.0.contains_key(subject)
    }

    /// Puts it into a step, if there is any.
    pub(super) fn into_step(self, step: &mut Map<String, Value>) {
        if !self.0.is_empty() {
            step.insert("expect".to_owned(), Value::Object(self.0));
        }
    }
}

fn put(map: &mut Map<String, Value>, key: &str, wanted: Value) -> bool {
    let Some(known) = map.get_mut(key) else {
        map.insert(key.to_owned(), wanted);
        return true;
    };
    if *known == wanted {
        return true;
    }
    let (mut all, more) = (operators(known.clone()), operators(wanted));
    for (operator, value) in more {
        match all.get_mut(&operator) {
            None => drop(all.insert(operator, value)),
            // All texts of a list must be there, or none of them may.
            Some(there) if matches!(&*operator, "contains" | "not_contains") => {
                let mut texts = std::mem::take(there).as_array().cloned().unwrap_or_default();
                if texts.is_empty() {
                    texts.push(map_value(map, key, &operator));
                }
                texts.push(value);
                *there = Value::Array(texts);
            }
            Some(_) => return false,
        }
    }
    map.insert(key.to_owned(), Value::Object(all));
    true
}

fn map_value(map: &Map<String, Value>, key: &str, operator: &str) -> Value {
    map.get(key).and_then(|value| value.get(operator)).cloned().unwrap_or_default()
}

/// A bare value is what the subject equals.
fn operators(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        bare => Map::from_iter([("equals".to_owned(), bare)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_about_one_subject_are_put_together() {
        let mut expect = Expect::default();
        assert!(expect.add("body", json!({ "contains": "a" })));
        assert!(expect.add("body", json!({ "contains": "b" })));
        assert!(expect.add("body", json!({ "contains": "c", "not_contains": "d" })));
        assert!(expect.add("status", json!(200)));
        assert!(expect.add("status", json!(200)));
        assert!(!expect.add("status", json!(201)));
        assert!(expect.add("status", json!({ "lt": 300 })));
        assert!(expect.add_under("json", "$.a", json!({ "gt": 1 })));
        assert!(!expect.add_under("json", "$.a", json!({ "gt": 2 })));
        let mut step = Map::new();
        expect.into_step(&mut step);
        let wanted = json!({
            "body": { "contains": ["a", "b", "c"], "not_contains": "d" },
            "status": { "equals": 200, "lt": 300 }, "json": { "$.a": { "gt": 1 } },
        });
        assert_eq!(step["expect"], wanted);
    }
}
