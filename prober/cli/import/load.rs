//! Files of other tools as plain values: YAML with all that they use of it (merge keys, tags of the core schema,
//! several documents), or JSON.
//!
//! The language itself is stricter, and for its own files right to be. What is not bounded by the length of the
//! file is bounded here: aliases, nesting, values.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use crate::exit::Stop;

/// The longest file, in bytes: descriptions of large services are some MiB long.
pub(super) const BYTES_MAX: usize = 16 << 20;
/// The most values of a file, those that aliases stand for included.
const VALUES_MAX: usize = 1_000_000;
/// The deepest nesting.
const DEPTH_MAX: usize = 100;

/// The only document of a file.
///
/// # Errors
/// It is empty, has several, or cannot be read; the text says where.
pub(super) fn document(path: &str, text: &str) -> Result<Value, Stop> {
    let mut all = documents(path, text)?;
    match all.len() {
        1 => Ok(all.remove(0)),
        0 => Err(Stop::file(format!("{path} is empty"))),
        many => Err(Stop::file(format!("{path} has {many} documents; import one after the other"))),
    }
}

/// Every document of a file that says something.
///
/// # Errors
/// It cannot be read; the text says where.
pub(super) fn documents(path: &str, text: &str) -> Result<Vec<Value>, Stop> {
    // Flow style of YAML begins like JSON; what is neither was probably meant to be JSON.
    let json = text.trim_start().starts_with(['{', '[']).then(|| serde_json::from_str(text));
    match json {
        Some(Ok(value)) => Ok(vec![value]),
        Some(Err(error)) if is_meant_as_json(text) => {
            Err(Stop::file(format!("{path}:{}:{}: {}", error.line(), error.column(), bare(&error))))
        }
        Some(Err(error)) => yaml(path, text)
            .map_err(|_| Stop::file(format!("{path}:{}:{}: {}", error.line(), error.column(), bare(&error)))),
        None => yaml(path, text),
    }
}

/// Whether the first key is in quotes: nobody writes YAML like that.
fn is_meant_as_json(text: &str) -> bool {
    let inner = text.trim_start().trim_start_matches('{').trim_start();
    text.trim_start().starts_with('{') && inner.starts_with('"')
}

/// What is wrong, without the place that is told before it.
pub(super) fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn yaml(path: &str, text: &str) -> Result<Vec<Value>, Stop> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, place) = event.map_err(|error| wrong(path, error.marker(), &error.kind().to_string()))?;
        reader.event(event).map_err(|why| wrong(path, &place.start, &why))?;
    }
    Ok(reader.documents)
}

fn wrong(path: &str, at: &granit_parser::Marker, why: &str) -> Stop {
    Stop::file(format!("{path}:{}:{}: {why}", at.line(), at.col() + 1))
}

/// A list or map whose end has not been read.
enum Open {
    List { items: Vec<Value>, anchor: usize },
    Map { map: Map<String, Value>, merged: Vec<Value>, key: Option<Key>, anchor: usize },
}

enum Key {
    Name(String),
    /// `<<`: the entries of another map, where this one has none of their names (YAML 1.1, `merge`).
    Merge,
}

/// A value with a name, and how much of the bounds it takes.
struct Named {
    value: Value,
    values: usize,
    depth: usize,
}

#[derive(Default)]
struct Reader {
    documents: Vec<Value>,
    open: Vec<Open>,
    anchors: HashMap<usize, Named>,
    values: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1)?;
                if let Some(Open::Map { key: key @ None, .. }) = self.open.last_mut() {
                    let is_merge = text == "<<" && matches!(style, ScalarStyle::Plain);
                    *key = Some(if is_merge { Key::Merge } else { Key::Name(text.clone().into_owned()) });
                    if anchor != 0 {
                        self.name(anchor, text.into_owned().into());
                    }
                    return Ok(());
                }
                let value = scalar(&text, style, tag.as_deref())?;
                self.place(value, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                known(tag.as_deref())?;
                self.start(Open::List { items: Vec::new(), anchor })
            }
            Event::MappingStart(_, anchor, tag) => {
                known(tag.as_deref())?;
                self.start(Open::Map { map: Map::new(), merged: Vec::new(), key: None, anchor })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(id) => self.alias(id),
            _ => Ok(()),
        }
    }

    fn count(&mut self, more: usize) -> Result<(), String> {
        self.values = self.values.saturating_add(more);
        if self.values > VALUES_MAX {
            return Err(format!("the file stands for more than {VALUES_MAX} values"));
        }
        Ok(())
    }

    fn start(&mut self, open: Open) -> Result<(), String> {
        if matches!(self.open.last(), Some(Open::Map { key: None, .. })) {
            return Err("a list or a map is no key".to_owned());
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} levels deep"));
        }
        self.count(1)?;
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        match self.open.pop() {
            None => Ok(()),
            Some(Open::List { items, anchor }) => self.place(Value::Array(items), anchor),
            Some(Open::Map { mut map, merged, anchor, .. }) => {
                for (name, value) in merged.into_iter().flat_map(entries) {
                    map.entry(name).or_insert(value);
                }
                self.place(Value::Object(map), anchor)
            }
        }
    }

    fn alias(&mut self, id: usize) -> Result<(), String> {
        let Some(named) = self.anchors.get(&id) else {
            return Err("this alias stands inside the value that it names".to_owned());
        };
        if self.open.len() + named.depth > DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} levels deep"));
        }
        let more = named.values;
        self.count(more)?;
        let value = self.anchors[&id].value.clone();
        if let Some(Open::Map { key: key @ None, .. }) = self.open.last_mut() {
            let name = value.as_str().ok_or("a list or a map is no key")?;
            *key = Some(Key::Name(name.to_owned()));
            return Ok(());
        }
        self.place(value, 0)
    }

    fn name(&mut self, anchor: usize, value: Value) {
        let (values, depth) = size(&value);
        self.anchors.insert(anchor, Named { value, values, depth });
    }

    fn place(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        if anchor != 0 {
            // The copy is bounded like an alias.
            self.count(size(&value).0)?;
            self.name(anchor, value.clone());
        }
        match self.open.last_mut() {
            None if value.is_null() => {}
            None => self.documents.push(value),
            Some(Open::List { items, .. }) => items.push(value),
            Some(Open::Map { map, merged, key, .. }) => match key.take() {
                Some(Key::Name(name)) if map.contains_key(&name) => {
                    return Err(format!("`{}` is there twice", super::words::line(&name)));
                }
                Some(Key::Name(name)) => drop(map.insert(name, value)),
                Some(Key::Merge) => match value {
                    Value::Object(_) => merged.push(value),
                    Value::Array(all) if all.iter().all(Value::is_object) => merged.extend(all),
                    _ => return Err("`<<` merges maps".to_owned()),
                },
                None => return Err("a list or a map is no key".to_owned()),
            },
        }
        Ok(())
    }
}

fn entries(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// How many values it is, and how many levels.
fn size(value: &Value) -> (usize, usize) {
    let all = |(values, depth): (usize, usize), value: &Value| {
        let (more, below) = size(value);
        (values + more, depth.max(below + 1))
    };
    match value {
        Value::Array(items) => items.iter().fold((1, 1), all),
        Value::Object(map) => map.values().fold((1, 1), all),
        // A long text weighs as much as many short ones.
        Value::String(text) => (1 + text.len() / 64, 0),
        _ => (1, 0),
    }
}

/// Only what the core schema knows changes nothing that could be missed.
fn known(tag: Option<&Tag>) -> Result<(), String> {
    match tag {
        Some(tag) if core(tag).is_none() => {
            Err(format!("the tag {}{} is not known", tag.original_handle(), tag.suffix()))
        }
        _ => Ok(()),
    }
}

/// The name of a tag of the core schema; `!` alone says that it is a text.
fn core(tag: &Tag) -> Option<&str> {
    let is_core = tag.handle() == "tag:yaml.org,2002:";
    let known = ["bool", "float", "int", "map", "null", "seq", "str", "merge", "binary"];
    if is_core && known.contains(&tag.suffix()) {
        return Some(tag.suffix());
    }
    (tag.handle().is_empty() && tag.suffix() == "!" || tag.handle() == "!" && tag.suffix().is_empty())
        .then_some("str")
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    known(tag)?;
    let is_text = match tag.and_then(core) {
        Some("str") => true,
        Some("binary") => return Err("bytes in base64 are not read".to_owned()),
        Some(_) => false,
        None => !matches!(style, ScalarStyle::Plain),
    };
    Ok(if is_text { text.into() } else { plain(text) })
}

/// What the core schema of YAML 1.2 makes of a plain text. A number that would be written in another way stays the
/// text that it was: a version `1.10` is not 1.1.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return true.into(),
        "false" | "False" | "FALSE" => return false.into(),
        _ => {}
    }
    let number = text.parse::<i64>().map(Number::from).ok();
    let number = number.or_else(|| {
        let is_decimal = text.contains('.') && text.bytes().all(|byte| b"0123456789.-".contains(&byte));
        Number::from_f64(text.parse().ok().filter(|_| is_decimal)?)
    });
    match number.filter(|number| number.to_string() == text) {
        Some(number) => Value::Number(number),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Vec<Value>, String> {
        documents("FILE", text).map_err(|stop| stop.message)
    }

    #[test]
    fn files_are_read_as_their_tools_read_them() {
        for (text, wanted) in [
            (
                "a: &x { b: 1, c: 2 }\nd: { <<: *x, c: 3 }",
                json!({ "a": { "b": 1, "c": 2 }, "d": { "c": 3, "b": 1 } }),
            ),
            (
                "a: &x { b: 1 }\ny: &y { b: 2, c: 3 }\nd:\n  <<: [*x, *y]\n",
                json!({ "a": { "b": 1 }, "y": { "b": 2, "c": 3 }, "d": { "b": 1, "c": 3 } }),
            ),
            ("'<<': 1", json!({ "<<": 1 })),
            ("200: ok\ntrue: x\n1.10: y", json!({ "200": "ok", "true": "x", "1.10": "y" })),
            (
                "- 1.10\n- 0755\n- 1e3\n- yes\n- ~\n- -5\n- 2.5\n- !!str 5\n- \"5\"\n- +5",
                json!(["1.10", "0755", "1e3", "yes", null, -5, 2.5, "5", "5", "+5"]),
            ),
            ("%YAML 1.2\n---\na: 1\n...", json!({ "a": 1 })),
            ("{\"a\": [1, 2.0]}", json!({ "a": [1, 2.0] })),
            ("{a: b}", json!({ "a": "b" })),
            ("a: &n name\nb: { *n : 1 }", json!({ "a": "name", "b": { "name": 1 } })),
        ] {
            assert_eq!(read(text), Ok(vec![wanted]), "{text}");
        }
        let many = read("# nothing\n---\na: 1\n--- {b: 2}\n---\n---\n- 3\n");
        assert_eq!(many, Ok(vec![json!({ "a": 1 }), json!({ "b": 2 }), json!([3])]));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place_and_bounded() {
        let lines =
            (1..12).map(|at| format!("a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 10].join(", ")));
        let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}", lines.collect::<String>());
        let nested: Vec<_> = (1..200).map(|at| format!("a{at}: &a{at} [*a{}]", at - 1)).collect();
        let nested = format!("a0: &a0 [x]\n{}", nested.join("\n"));
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), vec!["*a"; 100_000].join(","));
        for (text, wanted) in [
            ("a: 1\na: 2", "FILE:2:4: `a` is there twice"),
            ("a: &x [*x]", "FILE:1:8: this alias stands inside the value that it names"),
            ("a: !secret x", "FILE:1:12: the tag !secret is not known"),
            ("{ a: [ }", "FILE:1:"),
            ("a: *nothing", "FILE:1:"),
            ("[a]: b", "FILE:1:"),
            ("<<: 3", "FILE:1:5: `<<` merges maps"),
            (&bomb, "more than 1000000 values"),
            (&nested, "nested more than 100 levels deep"),
            (&long, "more than 1000000 values"),
            (&"[".repeat(5000), "FILE:1:"),
            (&format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000)), "FILE:1:"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(wanted), "{}: {said}", &text[..text.len().min(40)]);
        }
    }
}
