//! The schemas of this crate's own tables; that they agree with the binder on files is shown with the real kinds.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::fields::{KeyType, Need};
use crate::testing::KINDS;

fn exporters() -> Vec<Section> {
    let key = |name, value, need, example| Key { name, value, need, doc: "A setting.", example };
    vec![Section {
        name: "pigeon",
        doc: "Carries events.",
        keys: vec![
            key("loft", KeyType::Text, Need::Required, "north"),
            key("birds", KeyType::Int(1, 9), Need::Default("2"), "3"),
            key("rings", KeyType::Map(&KeyType::Template), Need::Optional, "{ left: red }"),
        ],
    }]
}

fn each<'v>(value: &'v Value, path: &str, look: &mut dyn FnMut(&str, &'v Value)) {
    look(path, value);
    match value {
        Value::Object(entries) => {
            entries.iter().for_each(|(key, value)| each(value, &format!("{path}/{key}"), look));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| each(item, &format!("{path}/{index}"), look));
        }
        _ => {}
    }
}

#[test]
fn every_reference_is_defined_and_every_definition_used() {
    for schema in [scenario(KINDS), project(KINDS, &exporters()), template(KINDS), slo(KINDS)] {
        let mut used = BTreeSet::new();
        each(&schema, "", &mut |_, value| {
            if let Some(name) = value.get("$ref").and_then(Value::as_str) {
                used.insert(name.trim_start_matches("#/definitions/").to_owned());
            }
        });
        let none = Map::new();
        let defined = schema.get("definitions").and_then(Value::as_object).unwrap_or(&none);
        assert_eq!(used.iter().collect::<Vec<_>>(), defined.keys().collect::<Vec<_>>());
        assert!(defined.values().all(Value::is_object), "a definition was never made");
    }
}

#[test]
fn every_key_says_what_it_is_and_shows_an_example() {
    for schema in [scenario(KINDS), project(KINDS, &exporters()), template(KINDS), slo(KINDS)] {
        each(&schema, "", &mut |path, value| {
            // Rules only narrow what is described where the key itself stands.
            let rule = path.contains("/allOf/") || path.contains("/oneOf/") || path.contains("/body/");
            let Some(properties) = value.get("properties").and_then(Value::as_object).filter(|_| !rule)
            else {
                return;
            };
            assert_eq!(value["additionalProperties"], false, "{path} takes unknown keys");
            for (name, property) in properties {
                let doc = property["description"].as_str().unwrap_or_default();
                assert!(!doc.is_empty(), "{path}/{name} says nothing");
                let shown = property.get("examples").or_else(|| property.get("defaultSnippets"));
                let inside = property.get("properties");
                assert!(shown.or(inside).is_some(), "{path}/{name} shows no example");
            }
        });
    }
}

#[test]
fn alternatives_are_told_apart_by_type() {
    // A oneOf's message says only that nothing fits; captures have one, without anything below it.
    each(&scenario(KINDS), "", &mut |path, value| {
        let Some(options) = value.get("oneOf").and_then(Value::as_array) else { return };
        assert!(path.ends_with(".capture"), "{path}");
        assert!(options.iter().all(|option| option.get("properties").is_none()), "{path}");
    });
}

#[test]
fn defaults_and_examples_are_values() {
    let schema = scenario(KINDS);
    let head = &schema["definitions"]["scenario"]["properties"];
    assert_eq!(head["timezone"]["default"], "UTC");
    assert_eq!(head["every"]["examples"][0], "1m");
    assert!(head["timeout"].get("default").is_none(), "words are no value");
    assert_eq!(schema["definitions"]["http"]["properties"]["redirects"]["default"], 5);
    assert_eq!(head["sli"]["defaultSnippets"][0]["body"]["good"]["latency"]["lt"], "300ms");
    let project = project(KINDS, &exporters());
    let settings = &project["properties"]["exporters"]["items"]["properties"]["pigeon"];
    let rings = &settings["properties"]["rings"];
    assert_eq!(
        (&rings["type"], &rings["additionalProperties"]["type"][0]),
        (&"object".into(), &"string".into())
    );
    assert_eq!(
        (&settings["required"][0], &settings["properties"]["birds"]["default"]),
        (&"loft".into(), &2.into())
    );
}

#[test]
fn snippets_begin_a_scenario() {
    let schema = scenario(KINDS);
    let snippets = schema["definitions"]["scenario"]["defaultSnippets"].as_array().unwrap();
    let labels: Vec<_> = snippets.iter().map(|one| one["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["scenario: http", "scenario: several steps", "scenario: ping"]);
    assert_eq!(snippets[0]["body"]["http"], "https://shop.example/");
    assert_eq!(snippets[2]["body"]["ping"]["address"], "shop.example");
}

#[test]
fn templates_share_what_scenarios_have() {
    let schema = template(KINDS);
    let body = schema["definitions"]["body"]["properties"].as_object().unwrap();
    let keys: Vec<&str> = body.keys().map(String::as_str).collect();
    assert!(["every", "sli", "steps", "http", "expect"].iter().all(|key| keys.contains(key)), "{keys:?}");
    assert!(crate::reuse::SCENARIO_ONLY.iter().all(|key| !keys.contains(key)), "{keys:?}");
    assert_eq!(schema["definitions"]["template"]["required"], serde_json::json!(["template", "body"]));
    assert_eq!(schema["then"]["required"], serde_json::json!(["apiVersion", "kind", "metadata", "spec"]));
}
