//! Modules with the prober `http`.

use serde_json::{Map, Value, json};

use super::super::expect::Expect;
use super::super::words::{at, list, literal, pairs, said, text, truth};
use super::{Module, add};

const KNOWN: [&str; 28] = [
    "valid_status_codes",
    "valid_http_versions",
    "method",
    "headers",
    "body_size_limit",
    "compression",
    "follow_redirects",
    "no_follow_redirects",
    "fail_if_ssl",
    "fail_if_not_ssl",
    "fail_if_body_matches_regexp",
    "fail_if_body_not_matches_regexp",
    "fail_if_header_matches",
    "fail_if_header_not_matches",
    "tls_config",
    "basic_auth",
    "bearer_token",
    "bearer_token_file",
    "authorization",
    "oauth2",
    "proxy_url",
    "preferred_ip_protocol",
    "ip_protocol_fallback",
    "body",
    "body_file",
    "enable_http2",
    "fail_if_body_json_matches_cel",
    "fail_if_body_json_not_matches_cel",
];

/// The step of a module.
pub(super) fn step(of: &mut Module) -> Map<String, Value> {
    let mut keys = Map::from_iter([("url".to_owned(), "${params.target}".into())]);
    if let Some(method) = of.text(&["method"]) {
        keys.insert("method".to_owned(), method.to_ascii_uppercase().into());
    }
    let follows =
        of.is(&["follow_redirects"]) != Some(false) && of.is(&["no_follow_redirects"]) != Some(true);
    // The exporter stops after ten, as Go's client does.
    keys.insert("follow".to_owned(), if follows { 10 } else { 0 }.into());
    headers(of, &mut keys);
    body(of, &mut keys);
    sign_in(of, &mut keys);
    if let Some(proxy) = of.text(&["proxy_url"]) {
        keys.insert("proxy".to_owned(), proxy_of(of, &proxy).into());
    }
    if let Some(limit) = of.text(&["body_size_limit"]) {
        keys.insert("body_limit".to_owned(), limit.into());
    }
    if of.text(&["compression"]).is_some() {
        of.draft.note("compression: any packing that the target chooses is unpacked");
    }
    if of.is(&["enable_http2"]) == Some(false) {
        keys.insert("http_version".to_owned(), "1.1".into());
    }
    of.ip(&mut keys);
    of.tls(&mut keys, &["sni", "ca", "insecure", "client_certificate"]);
    let expect = expectations(of);
    of.rest(&KNOWN);
    let mut step = Map::from_iter([("http".to_owned(), Value::Object(keys))]);
    expect.into_step(&mut step);
    step
}

fn headers(of: &mut Module, keys: &mut Map<String, Value>) {
    let mut headers = Map::new();
    for (name, value) in pairs(of.settings, &["headers"]) {
        let Some(value) = said(value) else { continue };
        if name.eq_ignore_ascii_case("host") {
            keys.insert("host".to_owned(), literal(&value).into());
        } else {
            headers.insert(name.clone(), of.imported.secrets.header(of.name, name, &value).into());
        }
    }
    if !headers.is_empty() {
        keys.insert("headers".to_owned(), Value::Object(headers));
    }
}

fn body(of: &mut Module, keys: &mut Map<String, Value>) {
    if let Some(body) = of.text(&["body"]) {
        keys.insert("body".to_owned(), of.imported.secrets.body(of.name, &body).into());
    }
    if let Some(path) = of.text(&["body_file"]) {
        keys.insert("file".to_owned(), literal(&path).into());
    }
}

fn proxy_of(of: &mut Module, proxy: &str) -> String {
    let (url, user) = of.imported.secrets.url(of.name, proxy);
    if user.is_some() {
        of.draft.lose("proxy_url: who signs in at the proxy");
    }
    url
}

fn sign_in(of: &mut Module, keys: &mut Map<String, Value>) {
    let (settings, name) = (of.settings, of.name);
    let secret =
        |of: &mut Module, what: &str, value: Option<String>, file: Option<String>| match (value, file) {
            (Some(value), _) => Some(of.imported.secrets.keep(&format!("{name}_{what}"), &value)),
            (None, Some(path)) => Some(of.imported.secrets.of_file(&format!("{name}_{what}"), &path)),
            _ => None,
        };
    let of_keys = |keys: &[&str]| text(settings, keys);
    let mut auth = None;
    if at(settings, &["basic_auth"]).is_some() {
        let password = (of_keys(&["basic_auth", "password"]), of_keys(&["basic_auth", "password_file"]));
        if let Some(password) = secret(of, "password", password.0, password.1) {
            let user = literal(&of_keys(&["basic_auth", "username"]).unwrap_or_default());
            auth = Some(json!({ "basic": { "user": user, "password": password } }));
        } else {
            of.draft.lose("basic_auth: it has no password");
        }
    }
    let bearer = (of_keys(&["bearer_token"]), of_keys(&["bearer_token_file"]));
    if let Some(token) = secret(of, "token", bearer.0, bearer.1) {
        auth = Some(json!({ "bearer": token }));
    }
    let given = (of_keys(&["authorization", "credentials"]), of_keys(&["authorization", "credentials_file"]));
    if let Some(token) = secret(of, "token", given.0, given.1) {
        let scheme = of_keys(&["authorization", "type"]).unwrap_or_else(|| "Bearer".to_owned());
        if scheme.eq_ignore_ascii_case("bearer") {
            auth = Some(json!({ "bearer": token }));
        } else {
            let headers = keys.entry("headers").or_insert_with(|| json!({}));
            headers["Authorization"] = format!("{scheme} {token}").into();
        }
    }
    if at(settings, &["oauth2"]).is_some() {
        let given = (of_keys(&["oauth2", "client_secret"]), of_keys(&["oauth2", "client_secret_file"]));
        let token = secret(of, "client_secret", given.0, given.1);
        match (of_keys(&["oauth2", "token_url"]), of_keys(&["oauth2", "client_id"]), token) {
            (Some(url), Some(id), Some(secret)) => {
                auth = Some(
                    json!({ "oauth2": { "token_url": literal(&url), "client_id": literal(&id), "client_secret": secret } }),
                );
            }
            _ => of.draft.lose("oauth2: it lacks token_url, client_id or client_secret"),
        }
        for key in ["scopes", "endpoint_params", "tls_config", "proxy_url"] {
            if at(settings, &["oauth2", key]).is_some() {
                of.draft.lose(format!("oauth2.{key}"));
            }
        }
    }
    if let Some(auth) = auth {
        keys.insert("auth".to_owned(), auth);
    }
}

fn expectations(of: &mut Module) -> Expect {
    let mut expect = Expect::default();
    let codes: Vec<Value> = list(of.settings, &["valid_status_codes"]).into_iter().cloned().collect();
    match codes.as_slice() {
        [] => {}
        [one] => drop(expect.add("status", one.clone())),
        _ => drop(expect.add("status", Value::Array(codes))),
    }
    let versions = list(of.settings, &["valid_http_versions"]);
    let versions: Vec<Value> = versions
        .into_iter()
        .filter_map(said)
        .map(|text| text.trim_start_matches("HTTP/").trim_end_matches(".0").to_owned())
        .map(|text| if text == "1" { "1.0".into() } else { text.into() })
        .collect();
    if !versions.is_empty() {
        let _first = expect.add("http_version", json!({ "in": versions }));
    }
    for (key, wanted) in [("fail_if_body_matches_regexp", false), ("fail_if_body_not_matches_regexp", true)] {
        for pattern in list(of.settings, &[key]).into_iter().filter_map(said) {
            // The first group is what is looked at: all of it.
            let pattern = format!("({pattern})");
            add(&mut expect, of.draft, ("regex", Some(&pattern)), json!({ "exists": wanted }), key);
        }
    }
    for (key, wanted) in [("fail_if_ssl", "http://"), ("fail_if_not_ssl", "https://")] {
        if of.is(&[key]) == Some(true) {
            add(&mut expect, of.draft, ("url", None), json!({ "starts_with": wanted }), key);
        }
    }
    headers_of_answer(of, &mut expect);
    for key in ["fail_if_body_json_matches_cel", "fail_if_body_json_not_matches_cel"] {
        if at(of.settings, &[key]).is_some() {
            of.draft.lose(format!("{key}: write it under `json` in `expect`"));
        }
    }
    expect
}

fn headers_of_answer(of: &mut Module, expect: &mut Expect) {
    for (key, wanted) in [("fail_if_header_matches", false), ("fail_if_header_not_matches", true)] {
        for rule in list(of.settings, &[key]) {
            let (Some(header), Some(pattern)) = (text(rule, &["header"]), text(rule, &["regexp"])) else {
                of.draft.lose(format!("{key}: it lacks a header or a regexp"));
                continue;
            };
            if truth(rule, &["allow_missing"]) == Some(true) {
                of.draft.lose(format!(
                    "{key} of {header}: with allow_missing, a header that is not there is right too"
                ));
                continue;
            }
            let pattern = literal(&pattern);
            let holds =
                if wanted { json!({ "matches": pattern }) } else { json!({ "not": { "matches": pattern } }) };
            add(expect, of.draft, ("headers", Some(&header)), holds, key);
        }
    }
}
