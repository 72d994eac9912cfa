//! Swagger 2 in the words of `OpenAPI` 3, as far as they are read.
//!
//! What is referred to (`#/parameters/…`, `#/responses/…`, `#/definitions/…`) stays where it is, so that references
//! find it.

use serde_json::{Map, Value, json};

use super::super::words::{at, list, said, text};
use super::METHODS;

/// What a parameter says of its values, which stands under `schema` in version 3.
const OF_SCHEMA: [&str; 5] = ["type", "format", "enum", "default", "items"];

/// The description as one of version 3.
pub(super) fn lifted(old: &Value) -> Value {
    let mut new = old.clone();
    let kinds: Vec<String> = list(old, &["produces"]).into_iter().filter_map(said).collect();
    let Some(root) = new.as_object_mut() else { return new };
    root.insert("openapi".to_owned(), "3.0.0".into());
    root.insert("servers".to_owned(), servers(old));
    let schemes: Map<String, Value> = old
        .get("securityDefinitions")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, scheme)| (name.clone(), security(scheme)))
        .collect();
    root.insert("components".to_owned(), json!({ "securitySchemes": schemes }));
    each(root.get_mut("parameters"), parameter);
    each(root.get_mut("responses"), |one| response(one, &kinds));
    each(root.get_mut("paths"), |item| {
        parameters(item);
        for method in METHODS {
            let Some(operation) = item.get_mut(method) else { continue };
            parameters(operation);
            let own: Vec<String> = list(operation, &["produces"]).into_iter().filter_map(said).collect();
            let kinds = if own.is_empty() { &kinds } else { &own };
            each(operation.get_mut("responses"), |one| response(one, kinds));
        }
    });
    new
}

/// Changes each value of a map.
fn each(map: Option<&mut Value>, mut change: impl FnMut(&mut Value)) {
    for value in map.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        change(value);
    }
}

fn servers(old: &Value) -> Value {
    let base = text(old, &["basePath"]).unwrap_or_default();
    let Some(host) = text(old, &["host"]) else { return json!([{ "url": base }]) };
    let schemes: Vec<String> = list(old, &["schemes"]).into_iter().filter_map(said).collect();
    let scheme = if schemes.iter().any(|scheme| scheme == "http") && !schemes.iter().any(|one| one == "https")
    {
        "http"
    } else {
        "https"
    };
    json!([{ "url": format!("{scheme}://{host}{base}") }])
}

fn parameters(of: &mut Value) {
    if let Some(all) = of.get_mut("parameters").and_then(Value::as_array_mut) {
        all.iter_mut().for_each(parameter);
    }
}

fn parameter(one: &mut Value) {
    let schema: Map<String, Value> =
        OF_SCHEMA.iter().filter_map(|key| Some(((*key).to_owned(), one.get(key)?.clone()))).collect();
    let example = one.get("x-example").or_else(|| one.get("example")).cloned();
    let Some(map) = one.as_object_mut() else { return };
    if !map.contains_key("$ref") && !map.contains_key("schema") {
        map.insert("schema".to_owned(), Value::Object(schema));
    }
    if let Some(example) = example {
        map.insert("example".to_owned(), example);
    }
}

fn response(one: &mut Value, kinds: &[String]) {
    let Some(schema) = one.get("schema").cloned() else { return };
    let content: Map<String, Value> =
        kinds.iter().map(|kind| (kind.clone(), json!({ "schema": schema }))).collect();
    if let Some(map) = one.as_object_mut() {
        map.insert("content".to_owned(), Value::Object(content));
    }
}

fn security(scheme: &Value) -> Value {
    match text(scheme, &["type"]).as_deref() {
        Some("basic") => json!({ "type": "http", "scheme": "basic" }),
        Some("oauth2") if text(scheme, &["flow"]).as_deref() == Some("application") => {
            let url = at(scheme, &["tokenUrl"]).cloned().unwrap_or_default();
            json!({ "type": "oauth2", "flows": { "clientCredentials": { "tokenUrl": url } } })
        }
        _ => scheme.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_description_says_the_same_in_new_words() {
        let old = json!({
            "swagger": "2.0", "host": "api.shop.example", "basePath": "/v1", "schemes": ["http", "https"],
            "produces": ["application/json"],
            "securityDefinitions": { "who": { "type": "basic" }, "m2m": { "type": "oauth2", "flow": "application", "tokenUrl": "https://id.example/t" } },
            "parameters": { "page": { "name": "page", "in": "query", "type": "integer", "default": 1 } },
            "paths": { "/a/{id}": { "parameters": [{ "$ref": "#/parameters/page" }], "get": {
                "parameters": [{ "name": "id", "in": "path", "required": true, "type": "string", "x-example": "7" }],
                "responses": { "200": { "schema": { "$ref": "#/definitions/A" } }, "404": { "description": "none" } },
            } } },
        });
        let new = lifted(&old);
        assert_eq!(new["servers"], json!([{ "url": "https://api.shop.example/v1" }]));
        assert_eq!(new["parameters"]["page"]["schema"], json!({ "type": "integer", "default": 1 }));
        let get = &new["paths"]["/a/{id}"]["get"];
        assert_eq!(
            (&get["parameters"][0]["example"], &get["parameters"][0]["schema"]),
            (&json!("7"), &json!({ "type": "string" }))
        );
        assert_eq!(
            get["responses"]["200"]["content"],
            json!({ "application/json": { "schema": { "$ref": "#/definitions/A" } } })
        );
        assert!(get["responses"]["404"].get("content").is_none());
        assert_eq!(
            new["components"]["securitySchemes"],
            json!({ "who": { "type": "http", "scheme": "basic" }, "m2m": { "type": "oauth2", "flows": { "clientCredentials": { "tokenUrl": "https://id.example/t" } } } })
        );
        assert_eq!(
            lifted(&json!({ "swagger": "2.0", "basePath": "/v1" }))["servers"],
            json!([{ "url": "/v1" }])
        );
        assert_eq!(
            lifted(&json!({ "host": "a.example", "schemes": ["http"] }))["servers"],
            json!([{ "url": "http://a.example" }])
        );
    }
}
