//! Binding a tree to tables of keys: every mistake is reported, none hides another.

pub(crate) mod foreign;
mod keys;
mod scalar;

pub(crate) use keys::{Elsewhere, Place};
pub(crate) use scalar::{bind as scalar, duration as scalar_duration, wanted_words, where_set};

use crate::diagnostic::{Diagnostic, Report};
use crate::fields::{Bound, Fields, JsonTemplate, Key, KeyType, Need};
use crate::interpolate::{Resolved, resolve};
use crate::names::Names;
use crate::source::{Span, Spanned};
use crate::template::Template;
use crate::tree::{Node, NodeValue, Scalar};

/// What reading one part of a file needs: where mistakes go, and what `${…}` may name.
pub(crate) struct Binder<'a, 'n> {
    pub(crate) report: &'a mut Report,
    pub(crate) names: &'a mut Names<'n>,
}

impl Binder<'_, '_> {
    /// The fields of a map; `None` after a mistake in any of them.
    ///
    /// The place's other keys are left to the caller; `at` is where a missing key is reported.
    pub(crate) fn record(
        &mut self,
        node: &Node,
        at: Span,
        keys: &'static [Key],
        place: &Place<'_>,
    ) -> Option<Fields> {
        let (fields, sound) = self.entries(node, at, keys, place);
        sound.then_some(fields)
    }

    /// The same, with what is sound even after a mistake.
    pub(crate) fn entries(
        &mut self,
        node: &Node,
        at: Span,
        keys: &'static [Key],
        place: &Place<'_>,
    ) -> (Fields, bool) {
        let NodeValue::Map(entries) = &node.value else {
            let message = format!("expected a map of keys, found {}", node.describe());
            self.report.push(Diagnostic::error("E103", node.span, message).help(place.allowed(keys)));
            return (Fields::default(), false);
        };
        let mut bound = Vec::with_capacity(entries.len());
        let mut sound = true;
        for (name, value) in entries {
            if let Some(key) = keys.iter().find(|key| key.name == name.value) {
                if matches!(key.value, KeyType::Held(_)) {
                    continue; // its reader says what is wrong with it
                }
                match self.value(value, &key.value, key.name) {
                    Some(value_bound) => bound.push((key.name, Spanned::new(value_bound, value.span))),
                    None => sound = false,
                }
            } else if !place.other.contains(&name.value.as_str()) {
                self.report.push(place.unknown_key(name, keys));
                sound = false;
            }
        }
        let given = |key: &Key| entries.iter().any(|(name, _)| name.value == key.name);
        let held = |key: &Key| matches!(key.value, KeyType::Held(_)); // its reader says that it is missing
        for key in keys.iter().filter(|key| key.need == Need::Required && !held(key) && !given(key)) {
            self.report.push(place.missing(key, at));
            sound = false;
        }
        (Fields::new(at, bound), sound)
    }

    /// A value of the wanted type; `key` is what it stands under, for messages.
    pub(crate) fn value(&mut self, node: &Node, wanted: &'static KeyType, key: &str) -> Option<Bound> {
        match wanted {
            KeyType::Template => self.template(node, key).map(Bound::Template),
            KeyType::Json => {
                crate::lint::json_values(node, self.report);
                self.json(node).map(Bound::Json)
            }
            KeyType::OneOrMany(item) => self.list(node, item, key).map(Bound::List),
            KeyType::Map(value) => self.map(node, value, key).map(Bound::Map),
            KeyType::Record(keys) => {
                let place = Place::under(key);
                if node.scalar().is_some() {
                    self.report.push(not_a_map(node, key, keys));
                    return None;
                }
                self.record(node, node.span, keys, &place).map(Bound::Record)
            }
            KeyType::Formed(wanted, _) => self.value(node, wanted, key),
            // Left to its reader.
            KeyType::Held(_) => None,
            KeyType::Text
            | KeyType::Duration
            | KeyType::Bool
            | KeyType::Int(..)
            | KeyType::Size
            | KeyType::Percent
            | KeyType::DurationOr(_)
            | KeyType::Choice(_) => {
                let scalar = self.constant(node, wanted, key)?;
                self.fitted(node, key, scalar::bind(&scalar, wanted, key, node.span))
            }
        }
    }

    /// Reports a mistake and gives `None`.
    pub(crate) fn report_err<T>(&mut self, found: Result<T, Diagnostic>) -> Option<T> {
        found.map_err(|problem| self.report.push(problem)).ok()
    }

    /// What the node's value was found to be under `key`; a mistake of it is reported.
    pub(crate) fn fitted<T>(&mut self, node: &Node, key: &str, found: Result<T, Diagnostic>) -> Option<T> {
        self.report_err(found.map_err(|problem| where_set(problem, node, key)))
    }

    /// A scalar whose value is known now.
    pub(crate) fn constant(&mut self, node: &Node, wanted: &KeyType, key: &str) -> Option<Scalar> {
        if node.scalar().is_none() {
            self.report.push(scalar::wrong_type(wanted, node.span, &node.describe()));
            return None;
        }
        match resolve(node, self.names, self.report)? {
            Resolved::Constant(scalar) => Some(scalar.into_owned()),
            Resolved::Runtime(template) => {
                self.report.push(not_known_yet(&template, node.span, key));
                None
            }
        }
    }

    /// A text that may have holes.
    pub(crate) fn template(&mut self, node: &Node, key: &str) -> Option<Template> {
        if node.scalar().is_none() {
            self.report.push(scalar::wrong_type(&KeyType::Template, node.span, &node.describe()));
            return None;
        }
        let typed = node.scalar().is_some_and(|scalar| !scalar.text.contains("${"));
        match resolve(node, self.names, self.report)? {
            Resolved::Runtime(template) => Some(template),
            // What a variable holds is taken as it is; what stands in the file must look like a text.
            Resolved::Constant(scalar) if typed => {
                let text = self.report_err(scalar::text(&scalar, key, node.span))?;
                Some(Template::text(text))
            }
            Resolved::Constant(scalar) => Some(Template::text(scalar.text.clone())),
        }
    }

    fn list(&mut self, node: &Node, item: &'static KeyType, key: &str) -> Option<Vec<Spanned<Bound>>> {
        let NodeValue::List(items) = &node.value else {
            let bound = self.value(node, item, key)?;
            return Some(vec![Spanned::new(bound, node.span)]);
        };
        if items.is_empty() {
            self.report.push(Diagnostic::error("E104", node.span, format!("the list `{key}` is empty")));
            return None;
        }
        let bound: Vec<_> =
            items.iter().map(|node| Some(Spanned::new(self.value(node, item, key)?, node.span))).collect();
        bound.into_iter().collect()
    }

    fn map(
        &mut self,
        node: &Node,
        value: &'static KeyType,
        key: &str,
    ) -> Option<Vec<(Spanned<String>, Spanned<Bound>)>> {
        let NodeValue::Map(entries) = &node.value else {
            let message = format!("expected a map of names and values, found {}", node.describe());
            self.report.push(
                Diagnostic::error("E103", node.span, message).help(format!("write {key}: {{ name: value }}")),
            );
            return None;
        };
        let mut bound = Vec::with_capacity(entries.len());
        let mut sound = true;
        for (name, node) in entries {
            self.plain_key(name);
            match self.value(node, value, &name.value) {
                Some(value) => bound.push((name.clone(), Spanned::new(value, node.span))),
                None => sound = false,
            }
        }
        if key == "headers" {
            self.header_once(entries);
            sound &= self.clean_headers(&bound);
        }
        sound.then_some(bound)
    }

    /// The names of headers, which are the same in capital and small letters.
    pub(crate) fn header_once<T>(&mut self, headers: &[(Spanned<String>, T)]) {
        let mut seen = std::collections::HashMap::with_capacity(headers.len());
        for (name, _) in headers {
            if let Some(first) = seen.insert(name.value.to_ascii_lowercase(), name.span) {
                self.report.push(
                    crate::tree::duplicate(name, first).help("case does not matter in the name of a header"),
                );
            }
        }
    }

    /// Header values that would end the header and begin another one.
    fn clean_headers(&mut self, headers: &[(Spanned<String>, Spanned<Bound>)]) -> bool {
        let mut clean = true;
        for (name, value) in headers {
            let Bound::Template(template) = &value.value else { continue };
            let texts = template.parts().iter().filter_map(|part| match part {
                crate::template::Part::Text(text) => Some(&**text),
                crate::template::Part::Hole(..) => None,
            });
            let dirty = |text: &str| text.chars().any(|letter| letter.is_control() && letter != '\t');
            if texts.into_iter().any(dirty) {
                let message =
                    format!("the header `{}` has a line break or control character in it", name.value);
                self.report.push(
                    Diagnostic::error("E209", value.span, message)
                        .help("a header is a single line; `>-` joins lines without one at the end"),
                );
                clean = false;
            }
        }
        clean
    }

    fn plain_key(&mut self, name: &Spanned<String>) {
        if name.value.contains("${") {
            let problem =
                Diagnostic::error("E205", name.span, "`${…}` is not filled in keys, only in values");
            self.report.push(problem);
        }
    }

    /// Any YAML value as JSON, with holes in its texts.
    pub(crate) fn json(&mut self, node: &Node) -> Option<JsonTemplate> {
        match &node.value {
            NodeValue::Scalar(_) => match resolve(node, self.names, self.report)? {
                Resolved::Runtime(template) => Some(JsonTemplate::Text(template)),
                Resolved::Constant(scalar) => {
                    self.report_err(scalar::json(&scalar, node.span)).map(JsonTemplate::Constant)
                }
            },
            NodeValue::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.json(item)).collect();
                Some(folded_list(items.into_iter().collect::<Option<Vec<_>>>()?))
            }
            NodeValue::Map(entries) => {
                let mut bound = Vec::with_capacity(entries.len());
                for (name, node) in entries {
                    self.plain_key(name);
                    bound.push(self.json(node).map(|value| (name.value.clone(), value)));
                }
                Some(folded_object(bound.into_iter().collect::<Option<Vec<_>>>()?))
            }
        }
    }

    /// Any YAML value as JSON that is known now.
    pub(crate) fn constant_json(&mut self, node: &Node, key: &str) -> Option<serde_json::Value> {
        if !matches!(key, "gt" | "gte" | "lt" | "lte") {
            crate::lint::json_values(node, self.report);
        }
        match self.json(node)? {
            JsonTemplate::Constant(value) => Some(value),
            JsonTemplate::Text(template) => {
                self.report.push(not_known_yet(&template, node.span, key));
                None
            }
            JsonTemplate::List(_) | JsonTemplate::Object(_) => {
                let message = format!("`{key}` cannot use captures, secrets or facts of the run");
                self.report.push(Diagnostic::error("E207", node.span, message));
                None
            }
        }
    }
}

fn folded_list(items: Vec<JsonTemplate>) -> JsonTemplate {
    if items.iter().all(|item| matches!(item, JsonTemplate::Constant(_))) {
        JsonTemplate::Constant(items.into_iter().filter_map(constant_of).collect())
    } else {
        JsonTemplate::List(items)
    }
}

fn folded_object(entries: Vec<(String, JsonTemplate)>) -> JsonTemplate {
    if entries.iter().all(|(_, value)| matches!(value, JsonTemplate::Constant(_))) {
        let constants = entries.into_iter().filter_map(|(key, value)| Some((key, constant_of(value)?)));
        JsonTemplate::Constant(serde_json::Value::Object(constants.collect()))
    } else {
        JsonTemplate::Object(entries)
    }
}

fn constant_of(template: JsonTemplate) -> Option<serde_json::Value> {
    match template {
        JsonTemplate::Constant(value) => Some(value),
        _ => None,
    }
}

/// A plain value where a map of keys must stand, with the first key as an example.
fn not_a_map(node: &Node, key: &str, keys: &[Key]) -> Diagnostic {
    let message = format!("expected a map of keys, found {}", node.describe());
    let problem = Diagnostic::error("E103", node.span, message);
    let needed: Vec<_> = keys.iter().filter(|key| key.need == Need::Required).collect();
    let shown = if needed.is_empty() { keys.iter().take(1).collect() } else { needed };
    // In braces, those of `${…}` would begin a map.
    let example = |key: &&Key| match key.example {
        example if example.starts_with("${") => format!("{}: \"{example}\"", key.name),
        example => format!("{}: {example}", key.name),
    };
    let shown = shown.iter().map(example).collect::<Vec<_>>().join(", ");
    let problem =
        if shown.is_empty() { problem } else { problem.help(format!("write {key}: {{ {shown} }}")) };
    problem.help(Place::under(key).allowed(keys))
}

fn not_known_yet(template: &Template, span: Span, key: &str) -> Diagnostic {
    let message = format!("`{key}` is needed before a run, and `{template}` is known only in the run");
    Diagnostic::error("E207", span, message)
        .help("only `${vars.…}`, `${matrix.…}`, `${params.…}` and `${region}` can be used here")
}
