//! What was made is compiled, as `validate` would; what the language refuses leaves the file and is told.
//!
//! Other tools take regular expressions, paths and names that the language does not. Here it does not matter which:
//! a file that comes out of an import has no mistake.

use probe::{KINDS, Net};
use scenario::compile::{Options, Sources, compile};
use scenario::diagnostic::Severity;
use scenario::source::Source;
use serde_json::{Map, Value};

use super::draft::{Draft, Imported, Shape};
use super::yaml;

/// So many parts of one draft may be taken out before it is given up.
const REMOVED_MAX: usize = 40;
/// The code of an address that only a private network has.
const NOT_PUBLIC: &str = "E191";
/// So many bytes are compiled to find what has to go, over all drafts: hostile files have thousands of mistakes.
const SOUGHT_BYTES_MAX: usize = 1 << 20;
/// Parts of a step that may go while the rest is still worth to be run.
const REMOVABLE: [&str; 4] = ["expect", "capture", "warn", "headers"];

/// Takes out of every draft what the language refuses. Templates stand before what uses them.
pub(super) fn settle(imported: &mut Imported) {
    let mut left = SOUGHT_BYTES_MAX;
    for mut draft in std::mem::take(&mut imported.drafts) {
        match settled(imported, &mut draft, &mut left) {
            Ok(()) => imported.drafts.push(draft),
            Err(why) => {
                let what = if draft.shape == Shape::Scenario { "scenario" } else { "module" };
                // What it could not hold is part of that.
                imported.lose(format!("the {what} {}: {why}", draft.name));
            }
        }
    }
    // Addresses stand in many places: whether one is not public, the language knows best.
    if !imported.is_private {
        let is_refused = |draft| faults(imported, draft, false).iter().any(|(code, _)| *code == NOT_PUBLIC);
        let mut scenarios = imported.drafts.iter().filter(|draft| draft.shape == Shape::Scenario);
        imported.is_private = scenarios.any(is_refused);
    }
}

/// Makes a draft one without a mistake; `left` is how many bytes may still be compiled for that.
fn settled(imported: &Imported, draft: &mut Draft, left: &mut usize) -> Result<(), String> {
    let mut wrong = mistakes(imported, draft);
    for _ in 0..REMOVED_MAX {
        let Some(first) = wrong.first().cloned() else { return Ok(()) };
        let size = imported.text(draft).len();
        let better = places(draft).into_iter().find_map(|place| {
            *left = left.checked_sub(size)?;
            let mut less = draft.steps.clone();
            remove(&mut less, &place);
            let before = std::mem::replace(&mut draft.steps, less);
            let fewer = mistakes(imported, draft);
            if fewer.len() < wrong.len() {
                return Some((place, fewer));
            }
            draft.steps = before;
            None
        });
        let Some((place, fewer)) = better else { return Err(first) };
        draft.lose(format!("{}: {first}", place[1..].join(".")));
        wrong = fewer;
    }
    wrong.first().map_or(Ok(()), |first| Err(first.clone()))
}

/// The errors of a draft, without places.
fn mistakes(imported: &Imported, draft: &Draft) -> Vec<String> {
    faults(imported, draft, true).into_iter().map(|(_, message)| message).collect()
}

/// The same with their codes; private addresses may be allowed.
fn faults(imported: &Imported, draft: &Draft, allows_private: bool) -> Vec<(&'static str, String)> {
    let text = imported.text(draft);
    let mut project = Map::from_iter([("version".to_owned(), 1.into())]);
    let names = |key: &str| text.match_indices(key).count();
    if names("${secrets.") > 0 {
        project.insert("secrets".to_owned(), Value::Object(imported.secrets.declared(&text)));
    }
    if allows_private {
        project.insert("network".to_owned(), serde_json::json!({ "private": "allow" }));
    }
    if !imported.vars.is_empty() {
        project.insert("vars".to_owned(), Value::Object(imported.vars.clone()));
    }
    let mut file = String::new();
    yaml::entries(&project, 0, &mut file);
    let source = |path: &str, text: String| Source { path: path.to_owned(), text };
    let mut sources = Sources { project: Some(source("prober.yaml", file)), ..Sources::default() };
    match draft.shape {
        Shape::Scenario => {
            let used = draft.keys.get("use").and_then(Value::as_str);
            let template = imported.drafts_named(used);
            sources.templates =
                template.map(|draft| source("template.yaml", imported.text(draft))).into_iter().collect();
            sources.scenarios = vec![source("scenario.yaml", text)];
        }
        Shape::Template(_) => {
            sources.scenarios = vec![source("scenario.yaml", user_of(draft))];
            sources.templates = vec![source("template.yaml", text)];
        }
    }
    let compiled = compile::<Net>(sources, &KINDS, &Options::default());
    let errors = compiled.diagnostics.into_iter().filter(|one| one.severity == Severity::Error);
    errors.map(|one| (one.code, one.message)).collect()
}

/// A scenario that uses a template, so that what comes of its parameters is looked at too.
fn user_of(draft: &Draft) -> String {
    let target = match draft.shape {
        Shape::Template("url") => "https://shop.example/",
        _ if draft.steps.iter().any(|step| step.contains_key("icmp")) => "shop.example",
        _ => "192.0.2.1:53",
    };
    format!("name: user\naim: It works.\nuse: {}\nwith: {{ target: {target:?} }}\n", draft.name)
}

/// Every part that may go, by its path; the first word is the step's number.
fn places(draft: &Draft) -> Vec<Vec<String>> {
    let mut places = Vec::new();
    for (number, step) in draft.steps.iter().enumerate() {
        for (key, value) in step {
            let path = vec![number.to_string(), key.clone()];
            if REMOVABLE.contains(&&**key) {
                leaves(value, &path, &mut places);
            } else if let Some(until) = value.get("until") {
                leaves(until, &[path, vec!["until".to_owned()]].concat(), &mut places);
            } else if let Some(headers) = value.get("headers") {
                leaves(headers, &[path, vec!["headers".to_owned()]].concat(), &mut places);
            }
        }
    }
    places
}

/// The entries of a map, and those of the maps in it that are not operators.
fn leaves(value: &Value, path: &[String], places: &mut Vec<Vec<String>>) {
    for (key, below) in value.as_object().into_iter().flatten() {
        let path = [path, std::slice::from_ref(key)].concat();
        if matches!(&**key, "json" | "headers" | "regex" | "xml" | "css") {
            leaves(below, &path, places);
        }
        places.push(path);
    }
}

fn remove(steps: &mut [Map<String, Value>], place: &[String]) {
    let [number, way @ .., last] = place else { return };
    let Some(step) = number.parse::<usize>().ok().and_then(|number| steps.get_mut(number)) else { return };
    let Some((first, way)) = way.split_first() else { return };
    let mut map = step.get_mut(first);
    for key in way {
        map = map.and_then(|value| value.get_mut(key));
    }
    if let Some(map) = map.and_then(Value::as_object_mut) {
        map.shift_remove(last);
    }
    let is_over = REMOVABLE.contains(&&**first)
        && step.get_mut(first).is_some_and(|value| {
            prune(value);
            value.as_object().is_some_and(Map::is_empty)
        });
    if is_over {
        step.shift_remove(first);
    } else if let Some(keys) = step.get_mut(first).and_then(Value::as_object_mut)
        && keys.get("headers").is_some_and(|headers| headers.as_object().is_some_and(Map::is_empty))
    {
        keys.shift_remove("headers");
    }
}

/// Takes away maps that have nothing in them any more.
fn prune(value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    map.values_mut().for_each(prune);
    map.retain(|_, value| !value.as_object().is_some_and(Map::is_empty));
}

impl Imported {
    /// The template of this name.
    fn drafts_named(&self, name: Option<&str>) -> Option<&Draft> {
        self.drafts.iter().find(|draft| draft.shape != Shape::Scenario && Some(&*draft.name) == name)
    }
}
