//! Modules with the prober `dns`: the target is the server that is asked.

use serde_json::{Map, Value, json};

use super::super::expect::Expect;
use super::super::words::{list, literal, said};
use super::{Module, add};

const KNOWN: [&str; 14] = [
    "preferred_ip_protocol",
    "ip_protocol_fallback",
    "dns_over_tls",
    "tls_config",
    "transport_protocol",
    "query_class",
    "query_name",
    "query_type",
    "recursion_desired",
    "valid_rcodes",
    "validate_answer_rrs",
    "validate_authority_rrs",
    "validate_additional_rrs",
    "source_ip_address",
];

/// The step of a module.
pub(super) fn step(of: &mut Module) -> Map<String, Value> {
    let name = of.text(&["query_name"]).unwrap_or_default();
    let over_tls = of.is(&["dns_over_tls"]) == Some(true);
    let server = if over_tls { "tls://${params.target}" } else { "${params.target}" };
    let mut keys = Map::from_iter([("name".to_owned(), literal(name.trim_end_matches('.')).into())]);
    // Without a type the exporter asks for all records.
    let kind = of.text(&["query_type"]).unwrap_or_else(|| "ANY".to_owned());
    keys.insert("type".to_owned(), if kind == "ANY" { "TYPE255".to_owned() } else { kind }.into());
    keys.insert("resolvers".to_owned(), json!([server]));
    if !over_tls && of.text(&["transport_protocol"]).as_deref() == Some("tcp") {
        keys.insert("transport".to_owned(), "tcp".into());
    }
    if of.is(&["recursion_desired"]) == Some(false) {
        keys.insert("recursion".to_owned(), false.into());
    }
    if of.text(&["source_ip_address"]).is_some() {
        of.draft.lose("source_ip_address");
    }
    of.ip(&mut keys);
    if over_tls {
        of.tls(&mut keys, &["server_name", "ca"]);
    }
    let expect = expectations(of);
    of.rest(&KNOWN);
    let mut step = Map::from_iter([("dns".to_owned(), Value::Object(keys))]);
    expect.into_step(&mut step);
    step
}

fn expectations(of: &mut Module) -> Expect {
    let mut expect = Expect::default();
    let mut codes: Vec<String> = list(of.settings, &["valid_rcodes"]).into_iter().filter_map(said).collect();
    if codes.is_empty() {
        codes.push("NOERROR".to_owned());
    }
    // An answer without a record is right for the exporter unless a rule wants one; it has a name of its own here.
    if let Some(at) = codes.iter().position(|code| code == "NOERROR") {
        codes.insert(at + 1, "NODATA".to_owned());
    }
    let wanted = match codes.as_slice() {
        [one] => json!(one),
        _ => json!({ "in": codes }),
    };
    let _first = expect.add("rcode", wanted);
    for (key, section) in [
        ("validate_answer_rrs", "answer_section"),
        ("validate_authority_rrs", "authority_section"),
        ("validate_additional_rrs", "additional_section"),
    ] {
        if !list(of.settings, &[key, "fail_if_all_match_regexp"]).is_empty() {
            of.draft.lose(format!(
                "{key}.fail_if_all_match_regexp: the exporter fails unless all match, which is not what it is called; write under `{section}` what is meant"
            ));
        }
        for rule in ["fail_if_matches_regexp", "fail_if_not_matches_regexp", "fail_if_none_matches_regexp"] {
            for pattern in list(of.settings, &[key, rule]).into_iter().filter_map(said) {
                let what = format!("{key}.{rule}");
                // Theirs are matched with a line of a zone file: TTL, class and tabs, which are not in ours.
                if ["\\t", "\\s", "IN", "\t"].iter().any(|part| pattern.contains(part)) {
                    of.draft
                        .lose(format!("{what}: its records have a TTL and a class, those here have none"));
                    continue;
                }
                let matches = json!({ "matches": literal(&pattern) });
                let wanted = match rule {
                    "fail_if_matches_regexp" => json!({ "all": { "not": matches } }),
                    // It wants a record, too.
                    "fail_if_not_matches_regexp" => json!({ "all": matches, "len": { "gte": 1 } }),
                    _ => json!({ "any": matches }),
                };
                add(&mut expect, of.draft, (section, None), wanted, &what);
            }
        }
    }
    expect
}
