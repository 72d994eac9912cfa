//! An `OpenAPI` 3 or Swagger 2 description: one scenario for each operation that can be asked without changing anything.

mod swagger;

use serde_json::{Map, Value, json};

use super::Given;
use super::draft::{Draft, Imported, host_of};
use super::expect::Expect;
use super::load::document;
use super::words::{at, list, literal, pairs, said, text, truth, variable};
use crate::exit::Stop;

/// References of references are followed so far.
const REFERENCES_MAX: usize = 8;
/// Methods that change nothing (RFC 9110, 9.2.1) and are asked.
const SAFE: [&str; 2] = ["get", "head"];
/// Methods that a description may have.
const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

/// Reads the description.
pub(super) fn read(given: &Given) -> Result<Imported, Stop> {
    let mut root = document(&given.path, &given.text)?;
    match (text(&root, &["openapi"]).unwrap_or_default(), text(&root, &["swagger"])) {
        (new, _) if new.starts_with("3.") => {}
        (_, Some(old)) if old.starts_with('2') => root = swagger::lifted(&root),
        _ => {
            let why = "it has neither `openapi: 3.…` nor `swagger: 2.0`";
            return Err(Stop::file(format!("{}: {why}", given.path)));
        }
    }
    let mut imported = Imported::default();
    let base = server(given, &root, &mut imported);
    for (key, _) in pairs(&root, &[]).into_iter().filter(|(key, _)| matches!(&***key, "webhooks")) {
        imported.lose(format!("{key}: what the service sends by itself"));
    }
    let api = Api { root: &root, base };
    for (path, item) in pairs(&root, &["paths"]) {
        let item = api.resolved(item);
        if item.get("$ref").is_some() {
            imported.lose(format!("{path}: it stands in another file"));
        }
        if !path.starts_with('/') {
            imported.lose(format!("{path}: it is no path"));
            continue;
        }
        // Methods of version 3.2, which are no fields of the versions before.
        let more = pairs(item, &["additionalOperations"]).into_iter().map(|(method, _)| method.as_str());
        for method in more.chain(at(item, &["query"]).map(|_| "QUERY")) {
            imported.lose(format!("{method} {path}: it is asked with another method than GET and HEAD"));
        }
        for method in METHODS {
            let Some(operation) = at(item, &[method]) else { continue };
            let named = format!("{} {path}", method.to_ascii_uppercase());
            if SAFE.contains(&method) {
                if let Err(why) = api.operation((method, path), (item, operation), &mut imported) {
                    imported.lose(format!("{named}: {why}"));
                }
            } else {
                imported.lose(format!(
                    "{named}: it may change something; write it as a step of a flow, with a teardown"
                ));
            }
        }
    }
    Ok(imported)
}

/// The first server as a variable of the project.
fn server(given: &Given, root: &Value, imported: &mut Imported) -> String {
    let servers = list(root, &["servers"]);
    let title = text(root, &["info", "title"]).unwrap_or_else(|| given.stem.clone());
    let asked = given.vars.iter().find(|(name, _)| name == "server").map(|(_, value)| value.clone());
    let first = servers.first().map(|server| url_of(server, &given.vars));
    let mut url = asked.or(first).unwrap_or_default();
    for other in servers.iter().skip(1).filter_map(|server| text(server, &["url"])) {
        imported.lose(format!("the server {other}: it is another value of the variable"));
    }
    if !url.contains("://") {
        imported.lose(format!(
            "where the service is: the description says {url:?}; give it with --var server=https://…"
        ));
        url = format!("https://{}.invalid{url}", variable(&title).replace('_', "-"));
    }
    imported.target(host_of(&url));
    let (url, user) = imported.secrets.url("server", url.trim_end_matches('/'));
    if user.is_some() {
        imported.lose("the user in the server's URL");
    }
    imported.vars.insert("server".to_owned(), url.into());
    "${vars.server}".to_owned()
}

/// The URL of a server, its variables filled in: as they were given, or as they are by default.
fn url_of(server: &Value, given: &[(String, String)]) -> String {
    let url = text(server, &["url"]).unwrap_or_default();
    pairs(server, &["variables"]).into_iter().fold(url, |url, (name, settings)| {
        let value = given.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let value = value.or_else(|| text(settings, &["default"])).unwrap_or_default();
        url.replace(&format!("{{{name}}}"), &value)
    })
}

/// A path, a query and headers.
type Parameters = (String, Map<String, Value>, Map<String, Value>);

/// Where signing in may go: the step's keys, the query, the headers.
type Places<'m> = (&'m mut Map<String, Value>, &'m mut Map<String, Value>, &'m mut Map<String, Value>);

struct Api<'a> {
    root: &'a Value,
    base: String,
}

impl<'a> Api<'a> {
    /// What a reference in the same file stands for.
    fn resolved<'v>(&self, value: &'v Value) -> &'v Value
    where
        'a: 'v,
    {
        let mut value = value;
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            let Some(target) = target else { return value };
            value = target;
        }
        value
    }

    fn operation(
        &self,
        (method, path): (&str, &str),
        (item, operation): (&Value, &Value),
        imported: &mut Imported,
    ) -> Result<(), String> {
        if truth(operation, &["deprecated"]) == Some(true) {
            return Err("it is deprecated".to_owned());
        }
        let shown = text(operation, &["operationId"]).unwrap_or_else(|| format!("{method} {path}"));
        let mut draft = imported.scenario(&shown, "operation").ok_or("there are too many")?;
        draft.keys.remove("title");
        let summary = text(operation, &["summary"]).filter(|summary| !summary.trim().is_empty());
        if let Some(summary) = &summary {
            draft.key("title", literal(summary.trim()));
        }
        draft.key(
            "aim",
            format!("{} {} answers as the API says.", method.to_ascii_uppercase(), literal(path)),
        );
        let tags: Vec<String> = list(operation, &["tags"]).into_iter().filter_map(said).collect();
        if let Some(tag) = tags.first() {
            draft.key("labels", json!({ "tag": literal(tag) }));
        }
        draft.timing(Some(60_000), None);
        let mut keys = Map::new();
        let (url, mut query, mut headers) = self.parameters(path, (item, operation), imported, &draft)?;
        if method != "get" {
            keys.insert("method".to_owned(), method.to_ascii_uppercase().into());
        }
        let base = self.base_of(item, operation, imported, &mut draft);
        keys.insert("url".to_owned(), format!("{base}{url}").into());
        if at(operation, &["requestBody"]).is_some() {
            draft.lose(format!("requestBody: a {} has none here", method.to_ascii_uppercase()));
        }
        self.security(operation, (&mut keys, &mut query, &mut headers), imported, &mut draft);
        let expect = self.responses(method, operation, (&mut keys, &mut headers), &mut draft);
        for (key, map) in [("query", query), ("headers", headers)] {
            if !map.is_empty() {
                keys.insert(key.to_owned(), Value::Object(map));
            }
        }
        let mut step = Map::from_iter([("http".to_owned(), Value::Object(keys))]);
        expect.into_step(&mut step);
        draft.steps.push(step);
        imported.drafts.push(draft);
        Ok(())
    }

    /// Where the operation is: at the server of the description, unless it or its path names another one.
    fn base_of(&self, item: &Value, operation: &Value, imported: &mut Imported, draft: &mut Draft) -> String {
        let own = list(operation, &["servers"]).into_iter().chain(list(item, &["servers"])).next();
        let Some(server) = own else { return self.base.clone() };
        let url = url_of(server, &[]);
        if !url.contains("://") {
            draft.lose(format!("its own server {url:?}: it is no whole URL"));
            return self.base.clone();
        }
        imported.target(host_of(&url));
        imported.secrets.url(&draft.name, url.trim_end_matches('/')).0
    }

    /// The path, the query and the headers that the parameters make.
    fn parameters(
        &self,
        path: &str,
        (item, operation): (&Value, &Value),
        imported: &mut Imported,
        draft: &Draft,
    ) -> Result<Parameters, String> {
        let (mut url, mut query, mut headers) = (literal(path), Map::new(), Map::new());
        let own: Vec<&Value> =
            list(operation, &["parameters"]).into_iter().map(|one| self.resolved(one)).collect();
        let key = |one: &Value| (text(one, &["name"]), text(one, &["in"]));
        let shared = list(item, &["parameters"]).into_iter().map(|one| self.resolved(one));
        let shared: Vec<&Value> =
            shared.filter(|one| own.iter().all(|other| key(other) != key(one))).collect();
        for parameter in shared.into_iter().chain(own) {
            let (Some(name), Some(place)) = key(parameter) else {
                return Err("a parameter of it stands in another file, or is none".to_owned());
            };
            let is_required = truth(parameter, &["required"]) == Some(true) || place == "path";
            let value = self.example(parameter);
            let Some(value) = value else {
                if is_required {
                    return Err(format!("the {place} parameter {name} has no example"));
                }
                continue;
            };
            // What may be left out is left out.
            if !is_required {
                continue;
            }
            let value = imported.secrets.value(&draft.name, &name, &value);
            match &*place {
                "path" => url = url.replace(&format!("{{{name}}}"), &value),
                "query" => drop(query.insert(name, value.into())),
                "header" => drop(headers.insert(name, value.into())),
                other => return Err(format!("the parameter {name} is in the {other}")),
            }
        }
        if url.split("${").next().is_some_and(|start| start.contains('{')) {
            return Err("a part of its path is no parameter".to_owned());
        }
        Ok((url, query, headers))
    }

    /// A value that the description gives for a parameter.
    fn example(&self, parameter: &Value) -> Option<String> {
        let schema = self.resolved(at(parameter, &["schema"]).unwrap_or(&Value::Null));
        let examples = pairs(parameter, &["examples"])
            .into_iter()
            .find_map(|(_, one)| text(self.resolved(one), &["value"]));
        text(parameter, &["example"])
            .or(examples)
            .or_else(|| text(schema, &["example"]))
            .or_else(|| list(schema, &["examples"]).into_iter().find_map(said))
            .or_else(|| text(schema, &["default"]))
            .or_else(|| list(schema, &["enum"]).into_iter().find_map(said))
            .or_else(|| text(schema, &["const"]))
    }

    fn security(
        &self,
        operation: &Value,
        (keys, query, headers): Places<'_>,
        imported: &mut Imported,
        draft: &mut Draft,
    ) {
        let wanted = at(operation, &["security"]).or_else(|| at(self.root, &["security"]));
        let wanted = wanted.and_then(Value::as_array).cloned().unwrap_or_default();
        // Nobody has to sign in where one of the ways is empty.
        let Some(first) =
            wanted.first().filter(|_| !wanted.iter().any(|one| one.as_object().is_some_and(Map::is_empty)))
        else {
            return;
        };
        if wanted.len() > 1 {
            draft.note(format!("{} ways to sign in are described; this is the first", wanted.len()));
        }
        for (name, _) in pairs(first, &[]) {
            let scheme = at(self.root, &["components", "securitySchemes", name]).cloned().unwrap_or_default();
            let scheme = self.resolved(&scheme).clone();
            let env = format!(
                "{}_{}",
                variable(&text(self.root, &["info", "title"]).unwrap_or_default()),
                variable(name)
            )
            .to_ascii_uppercase();
            let of = |key: &str| text(&scheme, &[key]).unwrap_or_default();
            match (&*of("type"), &*of("scheme").to_ascii_lowercase(), &*of("in")) {
                ("http", "bearer", _) => {
                    drop(keys.insert("auth".to_owned(), json!({ "bearer": imported.secrets.of_env(&env) })));
                }
                ("http", "basic", _) => {
                    let password = imported.secrets.of_env(&format!("{env}_PASSWORD"));
                    keys.insert(
                        "auth".to_owned(),
                        json!({ "basic": { "user": "probe", "password": password } }),
                    );
                    draft.lose(format!(
                        "who signs in by {name}: `probe` is written, and wants to be another name"
                    ));
                }
                ("apiKey", _, "header") => {
                    drop(headers.insert(of("name"), imported.secrets.of_env(&env).into()));
                }
                ("apiKey", _, "query") => {
                    drop(query.insert(of("name"), imported.secrets.of_env(&env).into()));
                }
                ("apiKey", _, "cookie") => {
                    let cookie = format!("{}={}", of("name"), imported.secrets.of_env(&env));
                    headers.insert("Cookie".to_owned(), cookie.into());
                }
                ("oauth2", _, _) if at(&scheme, &["flows", "clientCredentials", "tokenUrl"]).is_some() => {
                    let url = text(&scheme, &["flows", "clientCredentials", "tokenUrl"]).unwrap_or_default();
                    let secret = imported.secrets.of_env(&format!("{env}_CLIENT_SECRET"));
                    let id = imported.secrets.of_env(&format!("{env}_CLIENT_ID"));
                    keys.insert("auth".to_owned(), json!({ "oauth2": { "token_url": literal(&url), "client_id": id, "client_secret": secret } }));
                }
                ("mutualTLS", _, _) => {
                    draft.lose(format!("signing in by {name}: `client_certificate` shows one"));
                }
                ("", _, _) => draft.lose(format!("signing in by {name}: it is not described")),
                (kind, _, _) => draft.lose(format!("signing in by {name} ({kind}): a person does that")),
            }
        }
    }

    fn responses(
        &self,
        method: &str,
        operation: &Value,
        (keys, headers): (&mut Map<String, Value>, &mut Map<String, Value>),
        draft: &mut Draft,
    ) -> Expect {
        let mut expect = Expect::default();
        let responses = pairs(operation, &["responses"]);
        let of =
            |first: char| responses.iter().copied().filter(|(code, _)| code.starts_with(first)).collect();
        let mut good: Vec<_> = of('2');
        let moved: Vec<_> = of('3');
        if good.is_empty() && !moved.is_empty() {
            keys.insert("follow".to_owned(), 0.into());
            good = moved;
        }
        let codes: Vec<u16> = good.iter().filter_map(|(code, _)| super::words::status(code)).collect();
        let any = good.iter().find(|(code, _)| code.to_ascii_lowercase().ends_with("xx"));
        let wanted = match codes.as_slice() {
            _ if any.is_some() => json!(any.map(|(code, _)| code.to_ascii_lowercase())),
            [] => json!("2xx"),
            [one] => json!(one),
            all => json!(all),
        };
        let _first = expect.add("status", wanted);
        let Some((code, first)) = good.first() else { return expect };
        let first = self.resolved(first);
        if first.get("$ref").is_some() {
            draft.lose(format!("the answer {code}: it stands in another file"));
        }
        for (name, header) in pairs(first, &["headers"]) {
            // Content-Type is described by the content (OpenAPI 3.1, 4.8.21).
            if truth(self.resolved(header), &["required"]) == Some(true)
                && !name.eq_ignore_ascii_case("content-type")
            {
                let _first = expect.add_under("headers", name, json!({ "exists": true }));
            }
        }
        for (name, _) in pairs(first, &["links"]) {
            draft.lose(format!("the link {name}: what follows is a step of a flow"));
        }
        let kinds = pairs(first, &["content"]);
        if let [(kind, content)] = kinds.as_slice() {
            if !kind.contains('*') {
                headers.entry("Accept").or_insert_with(|| literal(kind).into());
                let bare = kind.split(';').next().unwrap_or(kind).trim();
                let _first =
                    expect.add_under("headers", "Content-Type", json!({ "contains": literal(bare) }));
            }
            let schema = self.resolved(at(content, &["schema"]).unwrap_or(&Value::Null));
            if method == "get" && kind.contains("json") {
                required(schema, &mut expect, draft);
            }
        } else if kinds.len() > 1 {
            draft.lose(format!("which of {} kinds of content is answered", kinds.len()));
        }
        expect
    }
}

/// The fields that an answer must have; the rest of its schema is told.
fn required(schema: &Value, expect: &mut Expect, draft: &mut Draft) {
    match text(schema, &["type"]).as_deref() {
        Some("array") => drop(expect.add_under("json", "$", json!({ "type": "array" }))),
        Some("object") => {
            for field in list(schema, &["required"]).into_iter().filter_map(said).take(30) {
                let simple = field.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
                let path = if simple {
                    format!("$.{field}")
                } else {
                    format!("$['{}']", field.replace('\'', "\\'"))
                };
                let _first = expect.add_under("json", &path, json!({ "exists": true }));
            }
        }
        _ => {}
    }
    if schema.as_object().is_some_and(|schema| {
        schema.keys().any(|key| !matches!(&**key, "type" | "required" | "title" | "description" | "example"))
    }) {
        draft.lose("the rest of the answer's schema: `json_schema` in `expect` takes one");
    }
}
