//! Endpoints of Gatus: one scenario each.

mod condition;

use serde_json::{Map, Value, json};

use super::Given;
use super::draft::{Draft, Imported, host_of};
use super::expect::Expect;
use super::load::document;
use super::words::{at, duration, list, literal, millis, name, pairs, said, text, truth, variable};
use crate::exit::Stop;
use condition::Said;

/// How often Gatus looks if nothing is said.
const EVERY_MS: u64 = 60_000;
/// How long Gatus waits if nothing is said.
const TIMEOUT_MS: u64 = 10_000;
/// Keys of an endpoint that mean something here.
const KNOWN: [&str; 13] = [
    "name",
    "group",
    "url",
    "method",
    "body",
    "headers",
    "graphql",
    "interval",
    "conditions",
    "dns",
    "client",
    "enabled",
    "ui",
];

/// Settings of its client that mean something here.
const CLIENT: [&str; 6] = ["insecure", "ignore-redirect", "timeout", "proxy-url", "oauth2", "tls"];

/// Reads the configuration.
pub(super) fn read(given: &Given) -> Result<Imported, Stop> {
    let root = document(&given.path, &given.text)?;
    let endpoints = if at(&root, &["endpoints"]).is_some() { "endpoints" } else { "services" };
    if list(&root, &[endpoints]).is_empty() {
        return Err(Stop::file(format!("{} has no `endpoints`", given.path)));
    }
    let mut imported = Imported::default();
    for (key, value) in pairs(&root, &[]).into_iter().filter(|(key, _)| *key != endpoints) {
        let more = value.as_array().map_or(String::new(), |items| format!(" ({} of them)", items.len()));
        imported.lose(format!("{key}{more}: {}", elsewhere(key)));
    }
    for endpoint in list(&root, &[endpoints]) {
        one(endpoint, &mut imported);
    }
    Ok(imported)
}

fn elsewhere(key: &str) -> &'static str {
    match key {
        "alerting" => "routes in prober.yaml say who is told, and `slo` of a scenario when",
        "storage" => "events are stored by themselves; `store` in prober.yaml says how long",
        "external-endpoints" => "what others push is not looked at",
        "suites" => "a flow is a scenario with `steps`",
        "maintenance" => "`maintenance` in prober.yaml says when runs do not count",
        "metrics" => "there are metrics anyhow, at /metrics",
        "security" => "`prober serve --help` says who may look at the pages",
        "web" => "`serve: { listen: … }` in prober.yaml says where the pages are",
        "concurrency" | "disable-monitoring-lock" => {
            "`--in-flight` of `prober serve` says how many run at once"
        }
        _ => "there is no such setting here",
    }
}

fn one(endpoint: &Value, imported: &mut Imported) {
    let shown = text(endpoint, &["name"]).unwrap_or_default();
    let group = text(endpoint, &["group"]).unwrap_or_default();
    let Some(url) = text(endpoint, &["url"]) else {
        return imported.lose(format!("the endpoint {shown}: it has no url"));
    };
    if truth(endpoint, &["enabled"]) == Some(false) {
        return imported.lose(format!("the endpoint {shown}: it is not enabled"));
    }
    let whole = if group.is_empty() { shown.clone() } else { format!("{group} {shown}") };
    let Some(mut draft) = imported.scenario(&whole, host_of(&url)) else { return };
    draft.keys.remove("title");
    if shown != draft.name {
        draft.key("title", literal(&shown));
    }
    let target = url.split(['?', '#']).next().unwrap_or_default();
    draft.key("aim", format!("{} holds what Gatus asks of it.", literal(host_of(target))));
    if !group.is_empty() {
        draft.key("labels", json!({ "group": literal(&group) }));
    }
    let every = text(endpoint, &["interval"]).and_then(|text| millis(&text, None)).unwrap_or(EVERY_MS);
    let asked = text(endpoint, &["client", "timeout"]).and_then(|text| millis(&text, None));
    draft.timing(Some(every), asked.or_else(|| (every > TIMEOUT_MS).then_some(TIMEOUT_MS)));
    imported.target(host_of(&url));
    let mut of = Endpoint { settings: endpoint, imported, draft: &mut draft, hint: whole };
    match of.step(&url) {
        Ok(step) => {
            of.rest();
            draft.steps.push(step);
            imported.drafts.push(draft);
        }
        Err(why) => imported.lose(format!("the endpoint {shown}: {why}")),
    }
}

struct Endpoint<'a> {
    settings: &'a Value,
    imported: &'a mut Imported,
    draft: &'a mut Draft,
    hint: String,
}

impl Endpoint<'_> {
    fn step(&mut self, url: &str) -> Result<Map<String, Value>, String> {
        let conditions = list(self.settings, &["conditions"]);
        if conditions.into_iter().filter_map(said).any(|text| condition::wants_nobody(&text)) {
            return Err("what must not be reachable is not looked at here".to_owned());
        }
        if at(self.settings, &["dns"]).is_some() {
            return Ok(self.dns(url));
        }
        let (scheme, rest) = url.split_once("://").ok_or("its url has no scheme")?;
        let address = literal(rest.trim_end_matches('/'));
        Ok(match scheme {
            "http" | "https" => self.http(url),
            "tcp" => self.plain("tcp", json!({ "address": address })),
            "icmp" => self.plain("icmp", json!({ "host": literal(host_of(url)), "count": 1 })),
            "tls" => self.plain("tls", json!({ "address": address })),
            "starttls" => self.plain("tls", json!({ "address": address, "starttls": "smtp" })),
            "ws" | "wss" => self.websocket(url),
            "grpc" | "grpcs" => self.plain("grpc", json!({ "address": address, "tls": scheme == "grpcs" })),
            other => return Err(format!("{other}:// is not spoken here")),
        })
    }

    /// A text of the file: `${NAME}` in it is a variable of the environment.
    fn own(&mut self, name: &str, value: &str) -> String {
        if !value.contains('$') {
            return self.imported.secrets.header(&self.hint, name, value);
        }
        let mut written = String::new();
        let mut rest = value;
        while let Some(at) = rest.find('$') {
            written += &rest[..at];
            rest = &rest[at + 1..];
            let (word, after) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
                Some((word, after)) => (word, after),
                None => rest.split_at(
                    rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                        .unwrap_or(rest.len()),
                ),
            };
            let is_name = word.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
            if is_name {
                written += &self.imported.secrets.of_env(word);
                rest = after;
            } else {
                written.push('$');
            }
        }
        written + rest
    }

    fn http(&mut self, url: &str) -> Map<String, Value> {
        let (asked, user) = if url.contains('$') {
            (self.own("url", url), None)
        } else {
            self.imported.secrets.url(&self.hint, url)
        };
        let mut keys = Map::from_iter([("url".to_owned(), asked.into())]);
        if let Some(method) = text(self.settings, &["method"]) {
            keys.insert("method".to_owned(), method.to_ascii_uppercase().into());
        }
        if let Some((user, Some(password))) = user {
            let user = self.imported.secrets.user(&self.hint, &user, &password);
            let password = self.imported.secrets.keep(&format!("{}_password", self.hint), &password);
            keys.insert("auth".to_owned(), json!({ "basic": { "user": user, "password": password } }));
        }
        let mut headers = Map::new();
        for (name, value) in pairs(self.settings, &["headers"]) {
            let Some(value) = said(value) else { continue };
            if name.eq_ignore_ascii_case("host") {
                keys.insert("host".to_owned(), literal(&value).into());
            } else {
                headers.insert(name.clone(), self.own(name, &value).into());
            }
        }
        self.body(&mut keys, &mut headers);
        if !headers.is_empty() {
            keys.insert("headers".to_owned(), Value::Object(headers));
        }
        let stays = truth(self.settings, &["client", "ignore-redirect"]) == Some(true);
        keys.insert("follow".to_owned(), if stays { 0 } else { 10 }.into());
        self.client(&mut keys);
        let mut step = Map::from_iter([("http".to_owned(), Value::Object(keys))]);
        let mut expect = self.conditions("http");
        // Gatus looks at the status only where a condition says so.
        if !expect.has("status") && expect.add("status", json!({ "gte": 100 })) {
            self.draft.note("no condition asks for a status, so every status is right");
        }
        expect.into_step(&mut step);
        step
    }

    fn body(&mut self, keys: &mut Map<String, Value>, headers: &mut Map<String, Value>) {
        let Some(body) = text(self.settings, &["body"]) else { return };
        if truth(self.settings, &["graphql"]) == Some(true) {
            keys.insert("json".to_owned(), json!({ "query": literal(&body) }));
            headers.retain(|name, _| !name.eq_ignore_ascii_case("content-type"));
            return;
        }
        match serde_json::from_str::<Value>(&body)
            .ok()
            .filter(|value| value.is_object() && !body.contains('$'))
        {
            Some(value) => {
                let value = self.imported.secrets.json(&self.hint, "", &value);
                keys.insert("json".to_owned(), value);
            }
            None if body.contains('$') => {
                drop(keys.insert("body".to_owned(), self.own("body", &body).into()));
            }
            None => {
                let body = self.imported.secrets.body(&self.hint, &body);
                keys.insert("body".to_owned(), body.into());
            }
        }
    }

    fn client(&mut self, keys: &mut Map<String, Value>) {
        if truth(self.settings, &["client", "insecure"]) == Some(true) {
            keys.insert("insecure".to_owned(), "client.insecure in Gatus".into());
        }
        if let Some(proxy) = text(self.settings, &["client", "proxy-url"]) {
            let (proxy, user) = self.imported.secrets.url(&self.hint, &proxy);
            if user.is_some() {
                self.draft.lose("client.proxy-url: who signs in at the proxy");
            }
            keys.insert("proxy".to_owned(), proxy.into());
        }
        let of_tls = |key: &str| text(self.settings, &["client", "tls", key]);
        match (of_tls("certificate-file"), of_tls("private-key-file")) {
            (Some(cert), Some(key)) => {
                let shown = json!({ "cert": literal(&cert), "key": literal(&key) });
                keys.insert("client_certificate".to_owned(), shown);
            }
            (None, None) => {}
            _ => self.draft.lose("client.tls: it lacks the certificate or its key"),
        }
        for (key, _) in pairs(self.settings, &["client", "tls"]) {
            if !matches!(&**key, "certificate-file" | "private-key-file") {
                self.draft.lose(format!("client.tls.{key}"));
            }
        }
        if at(self.settings, &["client", "oauth2"]).is_some() {
            if keys.contains_key("auth") {
                self.draft.lose("the user in the url: it signs in by client.oauth2");
            }
            let of = |key: &str| text(self.settings, &["client", "oauth2", key]);
            match (of("token-url"), of("client-id"), of("client-secret")) {
                (Some(url), Some(id), Some(secret)) => {
                    let secret = if secret.contains('$') {
                        self.own("client_secret", &secret)
                    } else {
                        self.imported
                            .secrets
                            .keep(&format!("{}_client_secret", variable(&self.hint)), &secret)
                    };
                    let mut oauth2 = json!({ "token_url": literal(&url), "client_id": literal(&id), "client_secret": secret });
                    let scopes: Vec<_> = list(self.settings, &["client", "oauth2", "scopes"])
                        .into_iter()
                        .filter_map(said)
                        .collect();
                    if !scopes.is_empty() {
                        oauth2["scope"] = literal(&scopes.join(" ")).into();
                    }
                    keys.insert("auth".to_owned(), json!({ "oauth2": oauth2 }));
                }
                _ => self.draft.lose("client.oauth2: it lacks a url, an id or a secret"),
            }
        }
    }

    fn plain(&mut self, kind: &str, keys: Value) -> Map<String, Value> {
        let mut step = Map::from_iter([(kind.to_owned(), keys)]);
        self.not_of(kind);
        self.conditions(kind).into_step(&mut step);
        step
    }

    /// Says which settings are given that mean nothing to a step of this kind.
    fn not_of(&mut self, kind: &str) {
        for key in ["method", "headers", "body", "graphql"] {
            if at(self.settings, &[key]).is_some() && !(kind == "websocket" && key == "body") {
                self.draft.lose(format!("{key}: there is none for {kind}"));
            }
        }
        if truth(self.settings, &["client", "insecure"]) == Some(true) {
            self.draft.lose("client.insecure: the certificate is looked at here");
        }
        for key in ["proxy-url", "oauth2", "tls"] {
            if at(self.settings, &["client", key]).is_some() {
                self.draft.lose(format!("client.{key}: there is none for {kind}"));
            }
        }
    }

    fn websocket(&mut self, url: &str) -> Map<String, Value> {
        let (url, _) = self.imported.secrets.url(&self.hint, url);
        let mut keys = json!({ "url": url });
        self.not_of("websocket");
        if let Some(body) = text(self.settings, &["body"]) {
            keys["send"] = self.imported.secrets.body(&self.hint, &body).into();
        }
        let mut step = Map::from_iter([("websocket".to_owned(), keys)]);
        self.conditions("websocket").into_step(&mut step);
        step
    }

    fn dns(&mut self, url: &str) -> Map<String, Value> {
        let name = text(self.settings, &["dns", "query-name"]).unwrap_or_default();
        let kind = text(self.settings, &["dns", "query-type"]).unwrap_or_else(|| "A".to_owned());
        let server = url.split_once("://").map_or(url, |(_, rest)| rest);
        let keys = json!({ "name": literal(name.trim_end_matches('.')), "type": kind, "resolvers": [literal(server)] });
        let mut step = Map::from_iter([("dns".to_owned(), keys)]);
        self.not_of("dns");
        let mut expect = self.conditions("dns");
        if !expect.has("rcode") {
            let codes = ["NOERROR", "NODATA", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"];
            let _first = expect.add("rcode", json!({ "in": codes }));
        }
        expect.into_step(&mut step);
        step
    }

    fn conditions(&mut self, kind: &str) -> Expect {
        let mut expect = Expect::default();
        let mut slow: Map<String, Value> = Map::new();
        for condition in list(self.settings, &["conditions"]).into_iter().filter_map(said) {
            let told = match condition::read(&condition, kind).and_then(|told| self.of_type(told)) {
                Ok(Said::Nothing) => true,
                Ok(Said::Expect(subject, wanted)) => expect.add(subject, wanted),
                Ok(Said::Under(subject, part, wanted)) => expect.add_under(subject, &part, wanted),
                Ok(Said::Latency(operator, ms)) => {
                    slow.insert(operator.to_owned(), duration(ms).into()).is_none()
                }
                Err(why) => {
                    self.draft.lose(format!("the condition {condition}: {why}"));
                    continue;
                }
            };
            if !told {
                self.draft.lose(format!("the condition {condition}: another one says something of the same"));
            }
        }
        if !slow.is_empty() {
            self.draft.key("sli", json!({ "good": { "latency": slow } }));
        }
        expect
    }

    /// What is said of lists and records, by what they are: Gatus compares parts of some.
    fn of_type(&mut self, told: Said) -> Result<Said, String> {
        if let Said::Under("json", path, wanted) = &told
            && path == "$"
            && wanted.get("len").is_some()
        {
            let mut others = list(self.settings, &["conditions"]).into_iter().filter_map(said);
            if others.any(|text| text.contains("[BODY] ==") || text.contains("[BODY] !=")) {
                return Err("the length of a text; `size` looks at that".to_owned());
            }
            self.draft.note("len([BODY]) is taken for the length of a JSON list");
        }
        let Said::Expect("answers", wanted) = told else { return Ok(told) };
        let kind = text(self.settings, &["dns", "query-type"]).unwrap_or_else(|| "A".to_owned());
        let is_part = ["contains", "ends_with"].iter().any(|key| wanted["any"].get(key).is_some());
        match (kind.as_str(), wanted.get("contains").and_then(Value::as_str)) {
            ("A" | "AAAA" | "CNAME" | "NS" | "PTR", _) => Ok(Said::Expect("answers", wanted)),
            // The preference stands before the name.
            ("MX", Some(name)) => {
                Ok(Said::Expect("answers", json!({ "any": { "ends_with": format!(" {name}") } })))
            }
            ("MX", None) if is_part => Ok(Said::Expect("answers", wanted)),
            _ => Err(format!("records of the type {kind} are written in another way here")),
        }
    }

    /// What there is beside that.
    fn rest(&mut self) {
        for (key, value) in pairs(self.settings, &[]) {
            match key.as_str() {
                "alerts" => self.draft.lose(format!(
                    "alerts ({}): say whom under `alerts` and what is promised under `slo`",
                    value.as_array().map_or(1, Vec::len)
                )),
                "ui" => self.draft.lose("ui: how Gatus shows it"),
                known if KNOWN.contains(&known) => {}
                other => self.draft.lose(format!("{}: there is no such setting here", name(other, "a key"))),
            }
        }
        for (key, _) in pairs(self.settings, &["client"]) {
            if !CLIENT.contains(&key.as_str()) {
                self.draft.lose(format!("client.{key}"));
            }
        }
    }
}
