//! JSON Schemas that a body must fit.
//!
//! A schema is compiled when files are read, and whatever is wrong with it is said then. What it refers to must
//! stand in itself: nothing is fetched. Its patterns run in linear time, since bodies may be hostile.

use serde_json::Value as Json;

use scenario::own::{Chosen, Rule, Wrong};
use scenario::suggest::nearest;

/// `json_schema: order.schema.json`: the body fits a JSON Schema.
pub(super) static RULE: Rule = Rule {
    words: "a JSON Schema: a map, or the path of a JSON file relative to the project",
    expected: "a body that fits",
    code: "E314",
    compile,
};

/// The deepest schema that is looked through for words that mean nothing.
const DEPTH_MAX: usize = 64;

fn compile(schema: &Json) -> Result<Chosen, Wrong> {
    if matches!(schema, Json::Bool(true)) || schema.as_object().is_some_and(serde_json::Map::is_empty) {
        let message = "this schema says nothing: every body fits".to_owned();
        return Err(wrong("", message, "say at least what it is: type: object"));
    }
    spelled(schema, &mut String::new(), 0)?;
    engine::compile(schema).map(|validator| Chosen::new(schema.to_string(), validator))
}

fn wrong(at: &str, message: String, help: &str) -> Wrong {
    Wrong { message, help: help.to_owned(), at: at.to_owned() }
}

/// The words of all drafts, and those that `OpenAPI` adds.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "$anchor", "$comment", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef",
    "$ref", "$schema", "$vocabulary", "additionalItems", "additionalProperties", "allOf", "anyOf", "const", "contains",
    "contentEncoding", "contentMediaType", "contentSchema", "default", "definitions", "dependencies",
    "dependentRequired", "dependentSchemas", "deprecated", "description", "discriminator", "else", "enum", "example",
    "examples", "exclusiveMaximum", "exclusiveMinimum", "externalDocs", "extends", "format", "id", "if", "items",
    "maxContains", "maxItems", "maxLength", "maxProperties", "maximum", "media", "minContains", "minItems",
    "minLength", "minProperties", "minimum", "multipleOf", "not", "nullable", "oneOf", "pattern",
    "patternProperties", "prefixItems", "properties", "propertyNames", "readOnly", "required", "then", "title",
    "type", "unevaluatedItems", "unevaluatedProperties", "uniqueItems", "writeOnly", "xml", "divisibleBy", "disallow",
    "links", "errorMessage", "markdownDescription", "tsType", "order", "name",
];
/// Words whose value is one schema or a list of them.
#[rustfmt::skip]
const HOLD_SCHEMAS: &[&str] = &[
    "additionalItems", "additionalProperties", "allOf", "anyOf", "contains", "contentSchema", "else", "if", "items",
    "not", "oneOf", "prefixItems", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
    "extends",
];
/// Words whose value is a map from names to schemas.
const HOLD_NAMED: &[&str] = &["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];

/// A word that is nearly one of the language is a mistake: it would be a check that is never made.
fn spelled(schema: &Json, at: &mut String, depth: usize) -> Result<(), Wrong> {
    if depth > DEPTH_MAX {
        return Err(wrong(
            at,
            format!("the schema is nested deeper than {DEPTH_MAX}"),
            "use `$defs` and `$ref`",
        ));
    }
    let Json::Object(words) = schema else { return Ok(()) };
    for (word, value) in words {
        let length = at.len();
        at.push('/');
        at.push_str(&word.replace('~', "~0").replace('/', "~1"));
        if !KEYWORDS.contains(&word.as_str())
            && !word.starts_with("x-")
            && let Some(near) = nearest(word, KEYWORDS.iter().copied())
        {
            let message = format!("`{}` is not a word of JSON Schema", model::outcome::cut(word.clone(), 60));
            return Err(wrong(at, message, &format!("did you mean `{near}`?")));
        }
        let named = HOLD_NAMED.contains(&word.as_str());
        match value {
            Json::Object(schemas) if named => {
                for (name, schema) in schemas {
                    let length = at.len();
                    at.push('/');
                    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    spelled(schema, at, depth + 1)?;
                    at.truncate(length);
                }
            }
            Json::Array(schemas) if HOLD_SCHEMAS.contains(&word.as_str()) => {
                for (index, schema) in schemas.iter().enumerate() {
                    let length = at.len();
                    at.push('/');
                    at.push_str(&index.to_string());
                    spelled(schema, at, depth + 1)?;
                    at.truncate(length);
                }
            }
            value if HOLD_SCHEMAS.contains(&word.as_str()) => spelled(value, at, depth + 1)?,
            _ => {}
        }
        at.truncate(length);
    }
    Ok(())
}

pub(super) use engine::Shape;

#[cfg(feature = "rich")]
mod engine {
    use jsonschema::{PatternOptions, ValidationError};
    use model::outcome::cut;
    use scenario::own::Wrong;
    use scenario::value::Value;
    use serde_json::Value as Json;

    use super::wrong;

    /// How many of the places where a body does not fit are shown.
    const SHOWN: usize = 3;
    /// Of longer bodies only the first such place is looked for: all are kept until the last one is found.
    const WHOLE_BYTES_MAX: usize = 64 << 10;

    /// A schema, compiled.
    pub(in crate::http) struct Shape(jsonschema::Validator);

    pub(super) fn compile(schema: &Json) -> Result<Shape, Wrong> {
        let options = jsonschema::options()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(PatternOptions::regex());
        options.build(schema).map(Shape).map_err(|error| {
            let at = error.instance_path().to_string();
            let help = "schemas follow json-schema.org; what `$ref` names must stand in the schema itself, and patterns \
                        have no look-around";
            wrong(&at, format!("this is not a JSON Schema: {}", cut(error.to_string(), 300)), help)
        })
    }

    impl Shape {
        /// Whether `body`, which was `bytes` long, fits: `true`, or where it does not.
        pub(in crate::http) fn look(&self, body: &Json, bytes: usize) -> Value<'static> {
            if bytes > WHOLE_BYTES_MAX {
                return match self.0.validate(body) {
                    Ok(()) => Value::Bool(true),
                    Err(error) => Value::Text(place(&error).into()),
                };
            }
            let errors: Vec<_> = self.0.iter_errors(body).collect();
            let more = match errors.len() {
                0 => return Value::Bool(true),
                count if count > SHOWN => format!(", and {} more", count - SHOWN),
                _ => String::new(),
            };
            let shown: Vec<_> = errors.iter().take(SHOWN).map(place).collect();
            Value::Text((shown.join("; ") + &more).into())
        }
    }

    fn place(error: &ValidationError<'_>) -> String {
        let at = error.instance_path().to_string();
        let at = if at.is_empty() { "the top".to_owned() } else { cut(at, 80) };
        format!("broken at {at}: {}", cut(error.to_string(), 100))
    }
}

#[cfg(not(feature = "rich"))]
mod engine {
    use scenario::own::Wrong;
    use scenario::value::Value;
    use serde_json::Value as Json;

    use super::wrong;

    /// There are none in this build.
    pub(in crate::http) enum Shape {}

    pub(super) fn compile(_: &Json) -> Result<Shape, Wrong> {
        let message = "this prober was built without JSON Schema".to_owned();
        Err(wrong("", message, "build it with the feature `rich`, which is on by default"))
    }

    impl Shape {
        pub(in crate::http) fn look(&self, _: &Json, _: usize) -> Value<'static> {
            match *self {}
        }
    }
}

#[cfg(all(test, feature = "rich"))]
mod tests {
    use scenario::value::Value;
    use serde_json::json;

    use super::*;

    fn look(schema: &Json, body: &Json) -> String {
        let chosen = compile(schema).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let bytes = body.to_string().len();
        match chosen.made::<Shape>().expect("a schema was compiled").look(body, bytes) {
            Value::Bool(fits) => fits.to_string(),
            Value::Text(text) => text.into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bodies_fit_or_say_where_not() {
        let order = json!({
            "type": "object",
            "required": ["id", "items"],
            "properties": {
                "id": { "type": "string", "pattern": "^[A-Z]+-\\d+$" },
                "placed": { "type": "string", "format": "date-time" },
                "items": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/item" } },
            },
            "$defs": { "item": { "type": "object", "properties": { "price": { "type": "number", "minimum": 0 } } } },
        });
        let good = json!({ "id": "A-1", "placed": "2026-01-01T00:00:00Z", "items": [{ "price": 2 }] });
        assert_eq!(look(&order, &good), "true");
        for (body, said) in [
            (json!({ "id": "A-1" }), "broken at the top: \"items\" is a required property"),
            (json!({ "id": "a", "items": [{}] }), "broken at /id: \"a\" does not match"),
            (
                json!({ "id": "A-1", "items": [{ "price": "2" }] }),
                "broken at /items/0/price: \"2\" is not of type",
            ),
            (json!({ "id": "A-1", "items": [{}], "placed": "soon" }), "broken at /placed: "),
            (json!([]), "broken at the top: [] is not of type \"object\""),
        ] {
            let found = look(&order, &body);
            assert!(found.starts_with(said), "{found}");
        }
        let many = json!({ "items": { "type": "number" }, "type": "array" });
        let found = look(&many, &json!(vec!["x"; 10]));
        assert!(found.ends_with(", and 7 more"), "{found}");
        let long = look(&many, &json!(vec!["x"; 100_000]));
        assert_eq!(
            long, "broken at /0: \"x\" is not of type \"number\"",
            "of a long body the first is enough"
        );
    }

    #[test]
    fn a_wrong_schema_is_found_before_anything_runs() {
        for (schema, at, said) in [
            (json!({ "type": "objekt" }), "/type", "not a JSON Schema"),
            (json!({}), "", "says nothing"),
            (json!(true), "", "says nothing"),
            (json!({ "requird": ["id"] }), "/requird", "`requird` is not a word of JSON Schema"),
            (
                json!({ "properties": { "id": { "minLenght": 1 } } }),
                "/properties/id/minLenght",
                "`minLenght` is not a word",
            ),
            (
                json!({ "allOf": [{}, { "propertys": {} }] }),
                "/allOf/1/propertys",
                "`propertys` is not a word",
            ),
            (
                json!({ "properties": { "id": { "minLength": "1" } } }),
                "/properties/id/minLength",
                "not a JSON Schema",
            ),
            (json!({ "$ref": "https://schemas.example/order.json" }), "", "not a JSON Schema"),
            (json!({ "$ref": "#/$defs/nowhere" }), "", "not a JSON Schema"),
            (json!({ "pattern": "^(?=a)" }), "/pattern", "not a JSON Schema"),
            (json!({ "format": "unheard-of" }), "/format", "not a JSON Schema"),
            (json!({ "$schema": "https://schemas.example/draft" }), "", "not a JSON Schema"),
        ] {
            let wrong = compile(&schema).expect_err(&schema.to_string());
            assert!(wrong.message.contains(said), "{schema}: {}", wrong.message);
            assert!(at.is_empty() || wrong.at == at, "{schema}: {} instead of {at}", wrong.at);
        }
        // A property may be called as it likes, and so may an annotation.
        for schema in [
            json!({ "properties": { "requird": {} } }),
            json!({ "x-order": 1, "example": {} }),
            json!({ "const": { "requird": 1 } }),
        ] {
            assert!(compile(&schema).is_ok(), "{schema}");
        }
    }
}
