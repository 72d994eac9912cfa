//! SARIF 2.1.0, for code scanning (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use scenario::codes;
use scenario::render::Position;
use serde_json::{Value, json};

use super::escape::uri;
use super::{Format, Mistakes, Runs, Standing};

pub(super) const FORMAT: Format =
    Format { name: "sarif", summary: "SARIF 2.1.0, for code scanning", each: None, end, mistakes };

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

fn end(runs: &Runs<'_>) -> String {
    let mut rules = Vec::<Value>::new();
    let mut results = Vec::new();
    for ran in runs.all {
        let level = match ran.standing(runs.sheet) {
            Standing::Good | Standing::SetAside => continue,
            Standing::Bad => "error",
            Standing::NotJudged | Standing::Slow => "warning",
        };
        let outcome = &ran.event.outcome;
        let rule = outcome.failure.as_ref().map_or(outcome.reason.as_str(), |failure| &failure.error_type);
        let index = rule_index(&mut rules, rule, || json!({ "id": rule, "name": rule }));
        let name = ran.name(runs.sheet);
        let at = Position { line: ran.told.line.max(1) as usize, column: 1 };
        results.push(json!({
            "ruleId": rule,
            "ruleIndex": index,
            "level": level,
            "message": { "text": format!("{name}: {}", ran.why()) },
            "locations": [location(&runs.sheet.path(&ran.told.path), at, None)],
            "partialFingerprints": { "scenario/v1": format!("{}/{rule}", ran.event.origin.stream) },
        }));
    }
    let fine = runs.all.iter().all(|ran| ran.standing(runs.sheet).is_fine());
    document(&rules, &results, fine)
}

fn mistakes(of: &Mistakes<'_>) -> String {
    let mut rules = Vec::<Value>::new();
    let mut results = Vec::new();
    for diagnostic in of.diagnostics {
        let code = diagnostic.code;
        let index = rule_index(&mut rules, code, || rule(code));
        let (path, at) = of.place(diagnostic.span);
        let end = Some(of.end(diagnostic.span));
        let mut result = json!({
            "ruleId": code,
            "ruleIndex": index,
            "level": if of.is_error(diagnostic) { "error" } else { "warning" },
            "message": { "text": Mistakes::sentence(diagnostic) },
            "locations": [location(&path, at, end)],
        });
        if let Some((span, label)) = diagnostic.other.as_deref() {
            let (path, at) = of.place(*span);
            let mut other = location(&path, at, None);
            other["message"] = json!({ "text": label });
            result["relatedLocations"] = json!([other]);
        }
        results.push(result);
    }
    document(&rules, &results, !of.any_error())
}

fn rule(code: &str) -> Value {
    match codes::explain(code) {
        Some(known) => json!({
            "id": code,
            "shortDescription": { "text": known.title },
            "fullDescription": { "text": known.explanation },
            "help": { "text": format!("{} `prober explain {code}` says this too.", known.explanation) },
        }),
        None => json!({ "id": code }),
    }
}

/// The index of the rule `id`, added if it is not there yet.
fn rule_index(rules: &mut Vec<Value>, id: &str, make: impl FnOnce() -> Value) -> usize {
    rules.iter().position(|rule| rule["id"] == id).unwrap_or_else(|| {
        rules.push(make());
        rules.len() - 1
    })
}

fn location(path: &str, at: Position, end: Option<Position>) -> Value {
    let mut region = json!({ "startLine": at.line, "startColumn": at.column });
    if let Some(end) = end.filter(|end| (end.line, end.column) > (at.line, at.column)) {
        region["endLine"] = end.line.into();
        region["endColumn"] = end.column.into();
    }
    let mut artifact = json!({ "uri": if path.is_empty() { ".".to_owned() } else { uri(path) } });
    if path.starts_with('/') {
        artifact["uri"] = format!("file://{}", uri(path)).into();
    } else {
        artifact["uriBaseId"] = "%SRCROOT%".into();
    }
    json!({ "physicalLocation": { "artifactLocation": artifact, "region": region } })
}

fn document(rules: &[Value], results: &[Value], fine: bool) -> String {
    let value = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "prober",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": fine }],
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}
