//! The project file as one region sees it: with nothing of the others but their names.
//!
//! A fleet gives each region its own part, so a prober in one region does not learn what others probe and where their
//! secrets lie. The names stay: scenarios list the regions they run in, and quorums count them.

use std::fmt::Write as _;

use crate::diagnostic::Report;
use crate::tree::{Node, NodeValue, ScalarKind, parse};

/// The text of the project file `text` without what stands in it for other regions than `region`; compiled with
/// [`crate::compile::Options::alone`] it means the same for that region. `None` if it cannot be read.
///
/// The text has no comments and is one line: what people read is their own file.
pub fn region_part(text: &str, region: &str) -> Option<String> {
    let root = parse(0, text, &mut Report::default())?;
    let entries = root.map()?;
    let mut out = String::from("{");
    for (index, (key, node)) in entries.iter().enumerate() {
        separate(index, &mut out);
        quote(&key.value, &mut out);
        out.push_str(": ");
        match node.map().filter(|_| key.value == "regions") {
            Some(regions) => write_regions(regions, region, &mut out),
            None => write_node(node, &mut out),
        }
    }
    out.push_str("}\n");
    Some(out)
}

fn write_regions(regions: &[(crate::source::Spanned<String>, Node)], region: &str, out: &mut String) {
    out.push('{');
    for (index, (name, node)) in regions.iter().enumerate() {
        separate(index, out);
        quote(&name.value, out);
        out.push_str(": ");
        if name.value == region { write_node(node, out) } else { out.push_str("null") }
    }
    out.push('}');
}

/// A node in YAML's flow form, which is JSON but for numbers that JSON cannot spell.
fn write_node(node: &Node, out: &mut String) {
    match &node.value {
        NodeValue::Scalar(scalar) => match scalar.kind {
            ScalarKind::Quoted | ScalarKind::Text => quote(&scalar.text, out),
            ScalarKind::Null => out.push_str("null"),
            ScalarKind::Bool(value) => write!(out, "{value}").expect("a text takes more"),
            ScalarKind::Int(_) | ScalarKind::Float(_) => out.push_str(&scalar.text),
        },
        NodeValue::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                write_node(item, out);
            }
            out.push(']');
        }
        NodeValue::Map(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                separate(index, out);
                quote(&key.value, out);
                out.push_str(": ");
                write_node(value, out);
            }
            out.push('}');
        }
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push_str(", ");
    }
}

/// A text in double quotes: what JSON escapes, YAML reads; and YAML wants more control characters escaped.
fn quote(text: &str, out: &mut String) {
    for letter in serde_json::Value::from(text).to_string().chars() {
        if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}') {
            write!(out, "\\u{:04x}", u32::from(letter)).expect("a text takes more");
        } else {
            out.push(letter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{Compiled, Options, Sources, compile};
    use crate::testing::{KINDS, Net, source};

    const PROJECT: &str = r#"
version: 1
vars: { shop: "https://shop.example", code: "007", share: 0.5, note: "a: \"b\" # c\n\x7f\L" }
defaults: &d { timeout: 5s, owner: team }
regions:
  eu:
    vars: { shop: https://eu.shop.example }
    secrets: { token: { file: token_eu } }
  us: # theirs
    vars: { shop: https://us.shop.example, only_us: x }
    secrets: { token: { env: TOKEN_US } }
    control: { targets: [ { http: "https://${vars.only_us}.example/" } ] }
  ap:
secrets: { other: { env: OTHER } }
routes: { oncall: { webhook: https://hooks.example/x } }
"#;

    const SCENARIO: &str = "
name: a
aim: Works in both regions, all the time.
every: 1m
regions: [eu, us]
quorum: 2
http:
  method: POST
  url: ${vars.shop}/${vars.code}/${vars.share}
  headers: { Authorization: \"${secrets.token}\" }
  json: { note: \"${vars.note}\" }
slo: { objective: 99.9% }
alerts: { page: oncall }
";

    fn compiled(project: &str, alone: bool) -> Compiled<Net> {
        let sources = Sources {
            project: Some(source("prober.yaml", project)),
            scenarios: vec![source("a.yaml", SCENARIO)],
            ..Sources::default()
        };
        let regions = Some(vec!["eu".to_owned()]);
        compile(sources, KINDS, &Options { regions, alone, ..Options::default() })
    }

    fn plans(compiled: &Compiled<Net>) -> Vec<String> {
        compiled
            .plans
            .iter()
            .map(|plan| format!("{plan:?} {:?} {:?}", plan.slo(), plan.secrets_used()))
            .collect()
    }

    #[test]
    fn the_part_means_the_same_for_its_region() {
        let whole = compiled(PROJECT, false);
        assert!(!whole.has_errors(), "{:?}", whole.diagnostics);
        let part = region_part(PROJECT, "eu").unwrap();
        let alone = compiled(&part, true);
        assert!(!alone.has_errors(), "{:?}", alone.diagnostics);
        assert_eq!(plans(&alone), plans(&whole));
        assert_eq!(alone.project.regions(), whole.project.regions());
        let secret = |compiled: &Compiled<Net>| compiled.project.secret_source("eu", "token").cloned();
        assert_eq!(secret(&alone), secret(&whole));
        // And it is a part: what is only said of others is not there, and only a part may lack it.
        assert!(compiled(&part, false).has_errors());
        for word in ["us.shop", "only_us", "TOKEN_US", "theirs"] {
            assert!(!part.contains(word), "{part}");
        }
    }

    #[test]
    fn a_part_of_a_part_is_the_same() {
        let part = region_part(PROJECT, "eu").unwrap();
        assert_eq!(region_part(&part, "eu"), Some(part));
    }

    #[test]
    fn what_cannot_be_read_has_no_parts() {
        for text in ["a: [", "just text", ""] {
            assert_eq!(region_part(text, "eu"), None, "{text}");
        }
    }
}
