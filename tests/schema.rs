//! The schemas and the binder are one language: what a schema refuses, the binder refuses, and what is wrong by its
//! shape, both refuse.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use probe::KINDS;
use scenario::compile::{Options, Sources, compile};
use scenario::diagnostic::{Report, Severity};
use scenario::fields::{Holds, Key, KeyType, Need};
use scenario::file::{SCENARIO_KEYS, STEP_KEYS, STEP_PARTS};
use scenario::kind::Shape;
use scenario::project::PROJECT_KEYS;
use scenario::source::Source;
use scenario::tree::parse;
use serde_json::Value;

use crate::support::Project;

/// Codes of mistakes that a schema can see: a key that is missing or unknown, a value of the wrong type or shape, a
/// word or unit that is none, an operator that does not exist or does not fit.
const VISIBLE: &[&str] = &[
    "E101", "E102", "E103", "E105", "E109", "E110", "E305", "E306", "E307", "E308", "E150", "E153", "E155",
    "E157",
];

/// What may be typed where a value stands: of every type, right somewhere and wrong elsewhere.
const CANDIDATES: &[&str] = &[
    "5",
    "200",
    "\"7\"",
    "1.5",
    "word",
    "\"\"",
    "true",
    "null",
    "300ms",
    "64kB",
    "2xx",
    "20x",
    "60",
    "GET",
    "UP",
    "https://shop.example/",
    "[3]",
    "[a, b]",
    "[]",
    "[200, 2xx]",
    "{ a: b }",
    "{}",
    "{ gte: 3 }",
    "{ lt: 300ms }",
    "{ equals: UP }",
    "{ in: [a] }",
    "{ exists: true }",
    "\"${vars.word}\"",
    "\"${vars.number}\"",
    "\"${vars.time}\"",
];

const PROJECT: &str = "version: 1\nnetwork: { private: allow }\nvars: { word: UP, number: 7, time: 5s }\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema(which: &str) -> Validator {
    let ran = Project::new("").prober(&["schema", which]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let schema: Value = serde_json::from_str(&ran.out).unwrap();
    jsonschema::draft7::meta::validate(&schema).unwrap_or_else(|error| panic!("{which}: {error}"));
    jsonschema::draft7::new(&schema).unwrap()
}

/// What editors see of a file; `None` if it is no YAML.
fn seen(text: &str) -> Option<Value> {
    let mut report = Report::default();
    let tree = parse(0, text, &mut report)?;
    (!report.has_errors()).then(|| tree.json())
}

fn complaints(validator: &Validator, text: &str) -> Vec<String> {
    let seen = seen(text).unwrap_or_else(|| panic!("no YAML: {text}"));
    validator.iter_errors(&seen).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The codes of each scenario's errors, all compiled in one go.
fn refusals(texts: &[String]) -> Vec<Vec<&'static str>> {
    let named = texts.iter().enumerate().map(|(index, text)| Source {
        path: format!("{index}.yaml"),
        text: text.replace("NAME", &format!("s{index}")),
    });
    let project = Source { path: "prober.yaml".to_owned(), text: PROJECT.to_owned() };
    let sources = Sources { project: Some(project), scenarios: named.collect(), ..Sources::default() };
    let mut codes = vec![Vec::new(); texts.len()];
    for one in compile(sources, &KINDS, &Options::default()).diagnostics {
        if one.severity == Severity::Error && one.span.file > 0 {
            codes[one.span.file as usize - 1].push(one.code);
        }
    }
    codes
}

/// Asks both about every text, and collects where they differ in what a schema can see.
fn compare(validator: &Validator, texts: &[String], refusals: &[Vec<&'static str>]) -> Vec<String> {
    let mut differences = Vec::new();
    for (text, codes) in texts.iter().zip(refusals) {
        let complaints = complaints(validator, text);
        // What a variable holds is nothing that an editor sees.
        // Nor how many resolvers there are where the key is left out.
        let visible = !text.contains("${")
            && (!text.contains("agree:") || text.contains("resolvers:"))
            && codes.iter().any(|code| VISIBLE.contains(code));
        if !complaints.is_empty() && codes.is_empty() {
            differences.push(format!("only the schema refuses:\n{text}{}\n", complaints.join("\n")));
        }
        if complaints.is_empty() && visible {
            differences.push(format!("only the binder refuses, {codes:?}:\n{text}"));
        }
    }
    differences
}

fn assert_same(differences: &[String], asked: usize) {
    let some = &differences[..differences.len().min(12)];
    assert!(differences.is_empty(), "{} of {asked} differ:\n{}", differences.len(), some.join("\n"));
}

#[test]
fn files_without_a_mistake_are_valid() {
    let scenario = schema("scenario");
    let mut files = Vec::new();
    for folder in ["scenarios/examples", "prober/demo/project/scenarios"] {
        files.extend(fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    assert!(files.len() > 20, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(complaints(&scenario, &text), [""; 0], "{}", path.display());
    }
    let project = schema("project");
    for path in ["scenarios/prober.yaml", "prober/demo/project/prober.yaml"] {
        let text = fs::read_to_string(root().join(path)).unwrap().replace('@', "");
        assert_eq!(complaints(&project, &text), [""; 0], "{path}");
    }
    let (place, init) = (tempfile::tempdir().unwrap(), Project::new(""));
    assert_eq!(init.prober_in(place.path(), &["init"]).code, Some(0));
    let read = |path: &str| fs::read_to_string(place.path().join(path)).unwrap();
    assert_eq!(complaints(&scenario, &read("scenarios/home.yaml")), [""; 0]);
    assert_eq!(complaints(&project, &read("prober.yaml")), [""; 0]);
    // A schema of an older program is renewed, and everything else is kept.
    fs::write(place.path().join(".prober/scenario.schema.json"), "{}").unwrap();
    assert_eq!(init.prober_in(place.path(), &["init"]).code, Some(0));
    assert_eq!(read(".prober/scenario.schema.json"), init.prober(&["schema"]).out);
}

/// `KIND: { … }` with everything that must be there, and `more` in the braces.
fn body(keys: &[Key], without: &str, more: &str) -> String {
    let needed = keys.iter().filter(|key| key.need == Need::Required && key.name != without);
    let needed = needed.map(|key| format!("{}: {}", key.name, quoted(key.example)));
    let all: Vec<_> = needed.chain((!more.is_empty()).then(|| more.to_owned())).collect();
    format!("{{ {} }}", all.join(", "))
}

/// An example inside braces, where `${…}` needs quotes.
fn quoted(example: &str) -> String {
    if example.contains("${") && !example.contains('"') {
        format!("\"{example}\"")
    } else {
        example.to_owned()
    }
}

/// A scenario whose only step is of the kind, with further lines.
fn scenario_of(kind: &str, body: &str, lines: &str) -> String {
    format!("name: NAME\nevery: 1m\n{kind}: {body}\n{lines}\n")
}

#[test]
fn keys_of_kinds_are_typed_in_both() {
    let (mut texts, mut any_text) = (Vec::new(), Vec::new());
    for kind in &KINDS {
        texts.push(scenario_of(kind.name, "null", ""));
        texts.push(scenario_of(kind.name, "[3]", ""));
        texts.push(scenario_of(kind.name, &body(kind.keys, "", "carrier: pigeon"), ""));
        for key in kind.keys {
            if key.need == Need::Required {
                texts.push(scenario_of(kind.name, &body(kind.keys, key.name, ""), ""));
            }
            for value in CANDIDATES.iter().copied().chain([key.example]) {
                let given = format!("{}: {}", key.name, quoted(value));
                texts.push(scenario_of(kind.name, &body(kind.keys, key.name, &given), ""));
                any_text.resize(texts.len() - 1, false);
                any_text.push(matches!(key.value, KeyType::Text | KeyType::Template));
            }
        }
    }
    // Which texts make sense under a key that takes any, such as a record type, only the kind knows.
    let mut refusals = refusals(&texts);
    for codes in refusals.iter_mut().zip(&any_text).filter_map(|(codes, any_text)| any_text.then_some(codes))
    {
        codes
            .iter_mut()
            .filter(|code| **code == "E105")
            .for_each(|code| *code = "a word that only the kind knows");
    }
    assert_same(&compare(&schema("scenario"), &texts, &refusals), texts.len());
}

#[test]
fn subjects_and_operators_are_typed_in_both() {
    let mut texts = Vec::new();
    let mut shapes = Vec::new();
    for kind in &KINDS {
        let whole = body(kind.keys, "", "");
        let mut look = |part: &str, what: String| {
            texts.push(scenario_of(kind.name, &whole, &format!("{part}: {what}")));
        };
        look("expect", "{ carrier: pigeon }".to_owned());
        look("expect", "5".to_owned());
        look("expect", "{ latency: 5 }".to_owned());
        for subject in kind.subjects {
            look("warn", format!("{{ {}: {} }}", subject.name, subject.example));
            look("expect", format!("{{ {}: {{ carrier: pigeon }} }}", subject.name));
            for value in CANDIDATES {
                look("capture", format!("{{ it: {{ {}: {value} }} }}", subject.name));
            }
            // Subjects of one shape take the same operators.
            if shapes.contains(&subject.shape) {
                continue;
            }
            shapes.push(subject.shape);
            let held = OPERATORS
                .iter()
                .flat_map(|operator| OPERANDS.iter().map(move |value| format!("{{ {operator}: {value} }}")));
            for held in held.chain(CANDIDATES.iter().map(|value| (*value).to_owned())) {
                let held = chosen(subject.shape).map_or(held.clone(), |key| format!("{{ {key}: {held} }}"));
                look("expect", format!("{{ {}: {held} }}", subject.name));
            }
        }
    }
    // In which form answers are shown only the kind knows, and a list is a value of JSON like any other.
    let mut refusals = refusals(&texts);
    for (text, codes) in texts.iter().zip(&mut refusals) {
        if text.contains("answers:") || text.contains("{ not: [") {
            let operands = codes.iter_mut().filter(|code| **code == "E305");
            operands.for_each(|code| *code = "an operand that no schema tells from others");
        }
    }
    assert_same(&compare(&schema("scenario"), &texts, &refusals), texts.len());
}

/// A key under a subject of which one value is chosen.
fn chosen(shape: Shape) -> Option<&'static str> {
    match shape {
        Shape::One(_) | Shape::Agree | Shape::Rule(_) => None,
        Shape::Own(_) => Some("h1"),
        Shape::JsonPath => Some("$.a"),
        Shape::XmlPath => Some("/a"),
        Shape::Pattern => Some("a.c"),
        Shape::Header => Some("X-A"),
        Shape::Row => Some("\"[0].a\""),
    }
}

/// What may be typed behind an operator.
const OPERANDS: &[&str] = &[
    "5",
    "1.5",
    "word",
    "\"\"",
    "true",
    "null",
    "300ms",
    "64kB",
    "2xx",
    "[a, b]",
    "[]",
    "{ a: b }",
    "{ gte: 3 }",
];

/// Every operator, as `prober explain operators` lists them, and one that is none.
const OPERATORS: &[&str] = &[
    "equals",
    "not",
    "in",
    "not_in",
    "gt",
    "gte",
    "lt",
    "lte",
    "contains",
    "not_contains",
    "matches",
    "starts_with",
    "ends_with",
    "exists",
    "type",
    "len",
    "any",
    "all",
    "equals_set",
    "newer_than",
    "older_than",
    "advances",
    "like",
];

#[test]
fn the_list_of_operators_is_whole() {
    let ran = Project::new("").prober(&["explain", "operators"]);
    let listed: Vec<&str> =
        ran.out.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let listed: Vec<&str> = listed.into_iter().take_while(|word| *word != "Beside").collect();
    assert_eq!(listed, OPERATORS[..OPERATORS.len() - 1]);
}

#[test]
fn heads_and_steps_are_typed_in_both() {
    let kind = &KINDS[0];
    let step = format!("{}: {}", kind.name, body(kind.keys, "", ""));
    let mut texts = Vec::new();
    for key in SCENARIO_KEYS.iter().chain(STEP_PARTS) {
        let head: Vec<&str> = ["name: NAME", "every: 1m"]
            .into_iter()
            .filter(|line| {
                let excluded = key.name == "cron" && line.starts_with("every");
                !excluded && !line.starts_with(&format!("{}:", key.name))
            })
            .collect();
        let head = head.join("\n");
        let list = matches!(key.value, KeyType::Held(Holds::Steps));
        let only = if list { "" } else { &step };
        for value in candidates(key) {
            texts.push(format!("{head}\n{only}\n{}: {value}\n", key.name));
        }
    }
    for key in STEP_KEYS.iter().chain(STEP_PARTS) {
        for value in candidates(key) {
            texts.push(format!("name: NAME\nevery: 1m\nsteps:\n  - {step}\n    {}: {value}\n", key.name));
        }
    }
    for tail in [
        "carrier: pigeon",
        "sli: { carrier: pigeon }",
        "sli: { good: { carrier: pigeon } }",
        "sli: { good: { status: 200 } }",
        "sli: { ineligible: [{ status: 503 }, { status: 504 }] }",
        "cron: \"* * * * *\"",
        "steps: [{ file: /x }]",
        "dns: shop.example",
    ] {
        texts.push(format!("name: NAME\nevery: 1m\n{step}\n{tail}\n"));
    }
    texts.push("name: NAME\nevery: 1m\n".to_owned());
    texts.push(format!("every: 1m\n{step}\n"));
    for tail in [
        "sli: { good: { latency: { lt: 5s } } }",
        "sli: { good: { status: 200 } }",
        "expect: { status: 200 }",
    ] {
        texts.push(format!("name: NAME\nevery: 1m\nsteps: [{{ {step} }}]\n{tail}\n"));
    }
    texts.push(format!("name: NAME\nevery: 1m\nsteps: [{{ {step}, dns: shop.example }}]\n"));
    texts.push("name: NAME\nevery: 1m\nsteps: [{ name: nothing }]\n".to_owned());
    assert_same(&compare(&schema("scenario"), &texts, &refusals(&texts)), texts.len());
}

#[test]
fn templates_and_envelopes_are_typed_in_both() {
    let whole = "template: t\nparams:\n  url: { type: url }\nbody:\n  every: 1m\n  http: ${params.url}\n";
    let cases = [
        (whole, true),
        ("template: t\n", false),
        ("body: { every: 1m }\n", false),
        ("template: t\ncarrier: pigeon\nbody: { every: 1m }\n", false),
        ("template: t\nparams: { url: { type: pigeon } }\nbody: { http: \"${params.url}\" }\n", false),
        ("template: t\nparams: { url: url }\nbody: { http: \"${params.url}\" }\n", false),
        (
            "template: t\nparams: { url: { type: url, default: [a] } }\nbody: { http: \"${params.url}\" }\n",
            false,
        ),
        ("template: t\nbody: { name: a, http: https://shop.example/ }\n", false),
        ("template: t\nbody: { carrier: pigeon, http: https://shop.example/ }\n", false),
        ("template: t\nbody: 5\n", false),
        (
            "apiVersion: prober.io/v1\nkind: Template\nmetadata: { name: t }\nspec: { body: { http: https://shop.example/ } }\n",
            true,
        ),
    ];
    let schema = schema("template");
    for (text, right) in cases {
        let complaints = complaints(&schema, text);
        assert_eq!(complaints.is_empty(), right, "{text}{complaints:?}");
        let project = Project::new("include: [t.yaml]\n");
        project.write("t.yaml", text);
        project.scenario("a", "use: t\nwith: { url: https://shop.example/ }");
        if !text.contains("params") {
            project.scenario("a", "use: t");
        }
        let ran = project.prober(&["validate"]);
        assert_eq!(ran.code == Some(0), right, "{text}{}", ran.err);
    }
    let head = "apiVersion: prober.io/v1\nkind: Scenario\nmetadata: { name: NAME }\n";
    let texts: Vec<String> = [
        "spec: { every: 1m, http: https://shop.example/ }\n",
        "spec: { every: 1m, http: https://shop.example/, carrier: pigeon }\n",
        "spec: 5\n",
        "carrier: pigeon\nspec: { every: 1m, http: https://shop.example/ }\n",
        "",
    ]
    .into_iter()
    .map(|rest| format!("{head}{rest}"))
    .chain(["apiVersion: v1\nkind: Pod\nmetadata: { name: NAME }\nspec: {}\n".to_owned()])
    .collect();
    assert_same(&compare(&self::schema("scenario"), &texts, &refusals(&texts)), texts.len());
}

fn candidates(key: &Key) -> impl Iterator<Item = &'static str> {
    CANDIDATES.iter().copied().chain([key.example])
}

#[test]
fn project_files_are_typed_in_both() {
    let mut texts = Vec::new();
    sections(&mut texts, &[], PROJECT_KEYS);
    for settings in [
        "{}",
        "null",
        "{ directory: x }",
        "{ directory: x, keep_files: many }",
        "{ directory: x, carrier: pigeon }",
        "5",
    ] {
        texts.push(format!("version: 1\nexporters: [{{ ndjson: {settings} }}]\n"));
    }
    texts.push("version: 1\nexporters: [{ pigeon: {} }]\n".to_owned());
    texts.push("version: 1\nsecrets: { a: { env: A, file: b } }\n".to_owned());
    texts.push("version: 1\nsecrets: { a: { carrier: pigeon } }\n".to_owned());
    let refusals: Vec<Vec<&'static str>> = texts.iter().map(|text| refused_project(text)).collect();
    assert_same(&compare(&schema("project"), &texts, &refusals), texts.len());
}

/// Every key of a table, and of the tables below it, with every candidate.
fn sections(texts: &mut Vec<String>, above: &[&str], keys: &[Key]) {
    let put = |name: &str, value: &str| {
        let mut text = format!("{name}: {value}");
        for section in above.iter().rev() {
            text = format!("{section}: {{ {text} }}");
        }
        let version = if text.starts_with("version:") { "" } else { "version: 1\n" };
        format!("{version}{text}\n")
    };
    texts.push(put("carrier", "pigeon"));
    for key in keys {
        texts.extend(candidates(key).map(|value| put(key.name, value)));
        match key.value {
            KeyType::Record(below) => sections(texts, &[above, &[key.name]].concat(), below),
            KeyType::Held(Holds::Regions(below)) => {
                sections(texts, &[above, &[key.name, "eu"]].concat(), below);
            }
            _ => {}
        }
    }
}

/// The codes of a project file's errors, from the program, which knows the exporters.
fn refused_project(text: &str) -> Vec<&'static str> {
    let source = Source { path: "prober.yaml".to_owned(), text: text.to_owned() };
    let sources = Sources { project: Some(source), ..Sources::default() };
    let compiled = compile(sources, &KINDS, &Options::default());
    let mut codes: Vec<_> = compiled
        .diagnostics
        .iter()
        .filter(|one| one.severity == Severity::Error)
        .map(|one| one.code)
        .collect();
    if text.contains("ndjson") || text.contains("pigeon: {}") {
        let project = Project::with("", &[("a", "http: https://shop.example/".to_owned())]);
        project.write("prober.yaml", text);
        if project.prober(&["validate"]).code == Some(2) {
            codes.push("E102");
        }
    }
    codes
}

#[test]
fn every_word_of_the_language_is_explained() {
    let project = Project::new("");
    let mut words: BTreeMap<&str, &str> = KINDS.iter().map(|kind| (kind.name, kind.summary)).collect();
    words.extend(SCENARIO_KEYS.iter().chain(STEP_PARTS).map(|key| (key.name, key.doc)));
    for (word, doc) in words {
        let ran = project.prober(&["explain", word]);
        assert_eq!(ran.code, Some(0), "{word}: {ran:?}");
        assert!(ran.out.contains(doc), "{word}: {}", ran.out);
    }
    let ran = project.prober(&["explain", "language"]);
    assert!(ran.out.lines().count() > 60, "{}", ran.out);
    assert_ne!(project.prober(&["explain", "carrier-pigeon"]).code, Some(0));
}
