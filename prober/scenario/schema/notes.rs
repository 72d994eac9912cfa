//! What editors show and offer: descriptions, defaults, examples and snippets.

use serde_json::{Value, json};

use super::{Object, example, object};
use crate::fields::{Key, KeyType, Need};
use crate::kind::Kind;

/// A key's schema with everything there is to say of the key.
pub(super) fn of_key(key: &Key, schema: Object) -> Object {
    let default = match key.need {
        Need::Default(value) => format!("\n\nDefault: `{value}`"),
        Need::Otherwise(words) => format!("\n\nDefault: {words}"),
        Need::Required | Need::Optional => String::new(),
    };
    let mut noted = described(key.doc, &default, key.name, key.example);
    if let Need::Default(value) = key.need
        && let Some(value) = default_value(&key.value, value)
    {
        noted.insert("default".to_owned(), value);
    }
    put(&mut noted, schema);
    noted
}

/// Adds what may stand there to what is said of it.
///
/// Draft 7 has nothing beside a `$ref`; of what editors look at there, snippets are lost.
pub(super) fn put(noted: &mut Object, schema: Object) {
    if schema.contains_key("$ref") && noted.contains_key("defaultSnippets") {
        noted.insert("allOf".to_owned(), json!([schema]));
    } else {
        noted.extend(schema);
    }
}

/// Description and example of something called `name`.
///
/// An example that is a map is a snippet: editors would offer it as `[object Object]` otherwise.
pub(super) fn described(doc: &str, more: &str, name: &str, yaml: &str) -> Object {
    let mut noted = object(json!({ "description": doc, "markdownDescription": format!("{doc}{more}") }));
    match example::json(yaml) {
        Some(map @ Value::Object(_)) => {
            let shown = format!("{doc}{more}\n\nExample:\n\n```yaml\n{name}: {yaml}\n```");
            noted.insert("markdownDescription".to_owned(), shown.into());
            noted.insert("defaultSnippets".to_owned(), json!([snippet(yaml, doc, &map)]));
        }
        Some(value) => drop(noted.insert("examples".to_owned(), json!([value]))),
        None => {}
    }
    noted
}

/// The value of a default, which is a text where the key wants one: `1.1` is no number there.
fn default_value(wanted: &KeyType, yaml: &str) -> Option<Value> {
    match wanted {
        KeyType::Text
        | KeyType::Template
        | KeyType::Duration
        | KeyType::DurationOr(_)
        | KeyType::Percent
        | KeyType::Choice(_) => Some(yaml.into()),
        KeyType::OneOrMany(item) | KeyType::Formed(item, _) => default_value(item, yaml),
        _ => example::json(yaml),
    }
}

/// One entry of `defaultSnippets`.
fn snippet(label: &str, doc: &str, body: &Value) -> Value {
    json!({ "label": label, "description": doc, "body": literal(body) })
}

/// A value in which an editor sees no placeholders: `${vars.x}` is ours, not the editor's.
fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) => text.replace('$', "\\$").into(),
        Value::Array(items) => items.iter().map(literal).collect(),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| (key.replace('$', "\\$"), literal(value))).collect()
        }
        other => other.clone(),
    }
}

/// Ways to begin a scenario file: one a kind, and a flow.
pub(super) fn scenario_snippets<N>(kinds: &'static [Kind<N>]) -> Value {
    let head = |name: &str| {
        object(json!({
            "name": format!("${{1:{name}}}"),
            "aim": "${2:What the system is for.}",
            "every": "${3:1m}",
        }))
    };
    let mut snippets: Vec<Value> = Vec::with_capacity(kinds.len() + 1);
    for kind in kinds {
        let mut body = head(&format!("my-{}", kind.name));
        body.insert(kind.name.to_owned(), first_step(kind));
        snippets.push(json!({
            "label": format!("scenario: {}", kind.name),
            "description": format!("A scenario of one {} step. {}", kind.name, sentence(kind.summary)),
            "body": body,
        }));
    }
    let mut body = head("my-flow");
    let steps = kinds.iter().take(2).enumerate().map(|(index, kind)| {
        let mut step = object(json!({ "name": format!("${{{}:step-{}}}", index + 4, index + 1) }));
        step.insert(kind.name.to_owned(), first_step(kind));
        Value::from(step)
    });
    body.insert("steps".to_owned(), steps.collect());
    let flow = json!({
        "label": "scenario: several steps",
        "description": "A scenario of several steps, which run in order and share what they capture.",
        "body": body,
    });
    snippets.insert(snippets.len().min(1), flow);
    snippets.into()
}

/// What there is to say of a kind: its summary, its short form as an example, its map form as a snippet.
pub(super) fn of_kind<N>(kind: &'static Kind<N>) -> Object {
    let doc = sentence(kind.summary);
    let label = format!("{} with keys", kind.name);
    let mut noted = object(json!({
        "description": doc,
        "markdownDescription": format!("{doc}\n\n`prober explain {}` says more.", kind.name),
        "defaultSnippets": [{ "label": label, "description": doc, "body": required(kind) }],
    }));
    let first = kind.keys.iter().find(|key| key.need == Need::Required);
    if let Some(short) = first.filter(|_| kind.short.is_some()).and_then(|key| example::json(key.example)) {
        noted.insert("examples".to_owned(), json!([short]));
    }
    noted
}

/// Offers each of these words.
pub(super) fn offer_words(noted: &mut Object, words: &[&str], doc: &str) {
    let offers = words.iter().map(|word| snippet(word, doc, &Value::from(*word)));
    noted.insert("defaultSnippets".to_owned(), offers.collect());
}

/// The shortest way to write a step of this kind.
fn first_step<N>(kind: &'static Kind<N>) -> Value {
    let first = kind.keys.iter().find(|key| key.need == Need::Required);
    match first {
        Some(key) if kind.short.is_some() => {
            example::json(key.example).map_or(Value::Null, |it| literal(&it))
        }
        _ => required(kind),
    }
}

/// The keys of a kind that must be there, with their examples.
fn required<N>(kind: &'static Kind<N>) -> Value {
    let needed = kind.keys.iter().filter(|key| key.need == Need::Required);
    needed.filter_map(|key| Some((key.name.to_owned(), literal(&example::json(key.example)?)))).collect()
}

/// A summary as a sentence: some begin in lower case and have no full stop.
fn sentence(summary: &str) -> String {
    let mut letters = summary.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    let stop = if summary.ends_with('.') { "" } else { "." };
    first.chain(letters).chain(stop.chars()).collect()
}
