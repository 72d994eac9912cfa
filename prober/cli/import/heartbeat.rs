//! Monitors of Elastic's Heartbeat: one scenario for each URL or host.

use serde_json::{Map, Value, json};

use super::Given;
use super::draft::{Draft, Imported, host_of};
use super::expect::Expect;
use super::load::documents;
use super::words::{at, list, literal, millis, pairs, said, text, truth};
use crate::exit::Stop;

/// How long Heartbeat waits if nothing is said.
const TIMEOUT_MS: u64 = 16_000;
const KNOWN: [&str; 18] = [
    "type",
    "id",
    "name",
    "schedule",
    "urls",
    "hosts",
    "ports",
    "timeout",
    "check",
    "enabled",
    "tags",
    "service",
    "username",
    "password",
    "max_redirects",
    "ssl",
    "proxy_url",
    "mode",
];

/// Reads `heartbeat.monitors`, or the list of monitors of a file in `monitors.d`.
pub(super) fn read(given: &Given) -> Result<Imported, Stop> {
    let mut imported = Imported::default();
    for root in documents(&given.path, &given.text)? {
        let dotted = root.get("heartbeat.monitors");
        let monitors = match dotted.or_else(|| at(&root, &["heartbeat", "monitors"])) {
            Some(Value::Array(monitors)) => monitors.clone(),
            _ => root.as_array().cloned().unwrap_or_default(),
        };
        for (key, _) in pairs(&root, &[])
            .into_iter()
            .filter(|(key, _)| !matches!(&***key, "heartbeat.monitors" | "heartbeat"))
        {
            imported.lose(format!("{key}: exporters and `store` in prober.yaml say where events go"));
        }
        for monitor in &monitors {
            one(&nested(monitor), &mut imported);
        }
    }
    if imported.drafts.is_empty() && imported.lost.is_empty() {
        return Err(Stop::file(format!("{} has no `heartbeat.monitors`", given.path)));
    }
    Ok(imported)
}

/// `check.response.status` as keys in keys; what a condition or a header is called stays.
fn nested(value: &Value) -> Value {
    let Value::Object(map) = value else { return value.clone() };
    let mut all = Map::new();
    for (key, value) in map {
        let value = if matches!(&**key, "condition" | "headers") { value.clone() } else { nested(value) };
        let mut names = key.split('.').rev();
        let last = names.next().unwrap_or_default().to_owned();
        let whole = names.fold((last, value), |(inner, value), name| {
            (name.to_owned(), Value::Object(Map::from_iter([(inner, value)])))
        });
        put(&mut all, whole);
    }
    Value::Object(all)
}

/// Adds a value; maps of the same name become one.
fn put(all: &mut Map<String, Value>, (key, value): (String, Value)) {
    match (all.get_mut(&key), value) {
        (Some(Value::Object(known)), Value::Object(more)) => {
            more.into_iter().for_each(|entry| put(known, entry));
        }
        (_, value) => drop(all.insert(key, value)),
    }
}

fn one(monitor: &Value, imported: &mut Imported) {
    let kind = text(monitor, &["type"]).unwrap_or_default();
    let shown = text(monitor, &["name"]).or_else(|| text(monitor, &["id"])).unwrap_or_else(|| kind.clone());
    if truth(monitor, &["enabled"]) == Some(false) {
        return imported.lose(format!("the monitor {shown}: it is not enabled"));
    }
    if !matches!(&*kind, "http" | "tcp" | "icmp") {
        return imported.lose(format!("the monitor {shown}: there is no type {kind:?} here"));
    }
    let mut targets: Vec<String> =
        ["urls", "hosts"].iter().flat_map(|key| list(monitor, &[key])).filter_map(said).collect();
    if kind == "tcp" {
        let ports: Vec<String> = list(monitor, &["ports"]).into_iter().filter_map(said).collect();
        let with_ports = |host: String| -> Vec<String> {
            if ports.is_empty() {
                vec![host]
            } else {
                ports.iter().map(|port| format!("{host}:{port}")).collect()
            }
        };
        targets = targets.into_iter().flat_map(with_ports).collect();
    }
    if targets.is_empty() {
        return imported.lose(format!("the monitor {shown}: it has no urls and no hosts"));
    }
    let only = targets.len() == 1;
    for target in &targets {
        let label = if only { shown.clone() } else { format!("{shown} {}", host_of(target)) };
        let Some(mut draft) = imported.scenario(&label, "monitor") else { return };
        draft.key("aim", format!("{} answers.", literal(host_of(target))));
        schedule(monitor, &mut draft);
        labels(monitor, &mut draft);
        imported.target(host_of(target));
        if kind != "http" {
            let keys = ["proxy_url", "username", "password", "max_redirects"];
            for key in keys.iter().filter(|key| at(monitor, &[key]).is_some()) {
                draft.lose(format!("{key}: there is none for {kind}"));
            }
        }
        let step = match &*kind {
            "http" => Ok(http(monitor, target, imported, &mut draft)),
            "tcp" => tcp(monitor, target, imported, &mut draft),
            _ => Ok(Map::from_iter([("icmp".to_owned(), json!({ "host": literal(target), "count": 1 }))])),
        };
        match step {
            Ok(step) => {
                rest(monitor, &mut draft);
                draft.steps.push(step);
                imported.drafts.push(draft);
            }
            Err(why) => imported.lose(format!("the monitor {label}: {why}")),
        }
    }
}

fn schedule(monitor: &Value, draft: &mut Draft) {
    let given = text(monitor, &["schedule"]).unwrap_or_default();
    let timeout = text(monitor, &["timeout"]).and_then(|text| millis(&text, Some(1000.0)));
    let every = given.strip_prefix("@every ").and_then(|text| millis(text, None));
    let wait = |every: u64| timeout.or_else(|| (every > TIMEOUT_MS).then_some(TIMEOUT_MS));
    // Six or seven fields: the first is seconds.
    let fields: Vec<&str> = given.split_whitespace().collect();
    match (every, fields.as_slice()) {
        (Some(every), _) => draft.timing(Some(every), wait(every)),
        (None, ["0", five @ ..]) if five.len() >= 5 && five[5..].iter().all(|year| *year == "*") => {
            draft.key("cron", five[..5].join(" "));
            draft.key("timeout", super::words::duration(timeout.unwrap_or(TIMEOUT_MS).min(50_000)));
        }
        _ => {
            let why =
                if given.is_empty() { "it has no schedule".to_owned() } else { format!("schedule {given}") };
            draft.lose(format!("{why}; it is due every minute here"));
            draft.timing(Some(60_000), wait(60_000));
        }
    }
}

fn labels(monitor: &Value, draft: &mut Draft) {
    let mut labels = Map::new();
    if let Some(service) = text(monitor, &["service", "name"]) {
        labels.insert("service".to_owned(), literal(&service).into());
    }
    for (number, tag) in list(monitor, &["tags"]).into_iter().filter_map(said).take(5).enumerate() {
        labels.insert(format!("tag_{}", number + 1), literal(&tag).into());
    }
    if !labels.is_empty() {
        draft.key("labels", Value::Object(labels));
    }
}

fn check<'v>(monitor: &'v Value, part: &str) -> Option<&'v Value> {
    at(monitor, &["check", part])
}

fn http(monitor: &Value, target: &str, imported: &mut Imported, draft: &mut Draft) -> Map<String, Value> {
    let hint = draft.name.clone();
    let target = if target.contains("://") { target.to_owned() } else { format!("http://{target}") };
    let (url, user) = imported.secrets.url(&hint, &target);
    let mut keys = Map::from_iter([("url".to_owned(), url.into())]);
    let request = check(monitor, "request").cloned().unwrap_or_default();
    if let Some(method) = text(&request, &["method"]) {
        keys.insert("method".to_owned(), method.to_ascii_uppercase().into());
    }
    let headers: Map<String, Value> = pairs(&request, &["headers"])
        .into_iter()
        .filter_map(|(name, value)| {
            Some((name.clone(), imported.secrets.header(&hint, name, &said(value)?).into()))
        })
        .collect();
    if !headers.is_empty() {
        keys.insert("headers".to_owned(), Value::Object(headers));
    }
    if let Some(body) = text(&request, &["body"]) {
        keys.insert("body".to_owned(), imported.secrets.body(&hint, &body).into());
    }
    let user = text(monitor, &["username"]).map(|user| (user, text(monitor, &["password"]))).or(user);
    if let Some((user, Some(password))) = user {
        let user = imported.secrets.user(&hint, &user, &password);
        let password = imported.secrets.keep(&format!("{hint}_password"), &password);
        keys.insert("auth".to_owned(), json!({ "basic": { "user": user, "password": password } }));
    }
    let follow =
        text(monitor, &["max_redirects"]).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0).min(20);
    keys.insert("follow".to_owned(), follow.into());
    if let Some(proxy) = text(monitor, &["proxy_url"]) {
        let (proxy, _) = imported.secrets.url(&hint, &proxy);
        keys.insert("proxy".to_owned(), proxy.into());
    }
    ssl(monitor, &mut keys, draft);
    let expect = response(monitor, draft);
    let mut step = Map::from_iter([("http".to_owned(), Value::Object(keys))]);
    expect.into_step(&mut step);
    step
}

fn ssl(monitor: &Value, keys: &mut Map<String, Value>, draft: &mut Draft) {
    let ssl = ["certificate_authorities", "verification_mode"].map(|key| at(monitor, &["ssl", key]));
    if let Some(authorities) = ssl[0] {
        let all: Vec<String> = match authorities {
            Value::Array(all) => all.iter().filter_map(said).collect(),
            one => said(one).into_iter().collect(),
        };
        if let [one] = all.as_slice() {
            keys.insert("ca".to_owned(), literal(one).into());
        } else {
            draft.lose("ssl.certificate_authorities: one file is read, with all of them");
        }
    }
    if ssl[1].and_then(said).as_deref() == Some("none") {
        keys.insert("insecure".to_owned(), "ssl.verification_mode none in Heartbeat".into());
    }
    for (key, _) in pairs(monitor, &["ssl"])
        .into_iter()
        .filter(|(key, _)| !matches!(&***key, "certificate_authorities" | "verification_mode"))
    {
        draft.lose(format!("ssl.{key}"));
    }
}

fn response(monitor: &Value, draft: &mut Draft) -> Expect {
    let mut expect = Expect::default();
    let response = check(monitor, "response").cloned().unwrap_or_default();
    let codes: Vec<Value> = list(&response, &["status"])
        .into_iter()
        .filter_map(said)
        .filter_map(|text| text.parse::<u16>().ok())
        .map(Value::from)
        .collect();
    // Without a list Heartbeat takes every status below 400.
    let wanted = match codes.as_slice() {
        [] => json!({ "lt": 400 }),
        [one] => one.clone(),
        _ => Value::Array(codes),
    };
    let _first = expect.add("status", wanted);
    for (name, value) in pairs(&response, &["headers"]) {
        let Some(value) = said(value) else { continue };
        if !expect.add_under("headers", name, literal(&value).into()) {
            draft.lose(format!("the header {name} of the answer"));
        }
    }
    let patterns = |keys: &[&str]| list(&response, keys).into_iter().filter_map(said).collect::<Vec<_>>();
    let body = at(&response, &["body"]);
    let (positive, negative) = match body {
        Some(Value::Object(_)) => (patterns(&["body", "positive"]), patterns(&["body", "negative"])),
        _ => (patterns(&["body"]), Vec::new()),
    };
    // One of the positive ones is enough, none of the negative ones may match.
    if !positive.is_empty() {
        let _first = expect.add("body", json!({ "matches": alternatives(&positive) }));
    }
    if !negative.is_empty() && !expect.add("body", json!({ "not": { "matches": alternatives(&negative) } })) {
        draft.lose("the negative patterns of the body");
    }
    for json in list(&response, &["json"]) {
        let what = text(json, &["description"]).unwrap_or_default();
        if !json_condition(json, &mut expect) {
            draft.lose(format!("the JSON condition {what}: write it under `json` in `expect`"));
        }
    }
    expect
}

fn alternatives(patterns: &[String]) -> String {
    match patterns {
        [one] => literal(one),
        all => all.iter().map(|one| format!("(?:{})", literal(one))).collect::<Vec<_>>().join("|"),
    }
}

/// `condition: { equals: { status: ok } }`, with dots for the way.
fn json_condition(json: &Value, expect: &mut Expect) -> bool {
    let condition = pairs(json, &["condition"]);
    let [(operator, fields)] = condition.as_slice() else { return false };
    let Some(fields) = fields.as_object().filter(|_| matches!(&***operator, "equals" | "contains")) else {
        return false;
    };
    fields.iter().all(|(field, value)| {
        let simple =
            field.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.'));
        let value = match value {
            Value::String(text) => Value::from(literal(text)),
            Value::Number(_) | Value::Bool(_) => value.clone(),
            _ => return false,
        };
        let wanted = if *operator == "equals" { value } else { json!({ "contains": value }) };
        simple && expect.add_under("json", &format!("$.{field}"), wanted)
    })
}

fn tcp(
    monitor: &Value,
    target: &str,
    imported: &mut Imported,
    draft: &mut Draft,
) -> Result<Map<String, Value>, String> {
    let target = target.trim_start_matches("tcp://");
    let tls = ["tls://", "ssl://"].iter().find_map(|scheme| target.strip_prefix(scheme));
    let address = tls.unwrap_or(target);
    if address.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
        return Err("it has no port".to_owned());
    }
    if tls.is_some() || at(monitor, &["ssl"]).is_some() {
        let mut keys = Map::from_iter([("address".to_owned(), literal(address).into())]);
        ssl(monitor, &mut keys, draft);
        for part in ["send", "receive"].into_iter().filter(|part| check(monitor, part).is_some()) {
            draft.lose(format!("check.{part}: nothing is said inside TLS"));
        }
        if keys.shift_remove("insecure").is_some() {
            draft.lose("ssl.verification_mode none: the certificate is looked at here");
        }
        return Ok(Map::from_iter([("tls".to_owned(), Value::Object(keys))]));
    }
    let mut keys = Map::from_iter([("address".to_owned(), literal(address).into())]);
    let send = check(monitor, "send").and_then(said);
    let receive = check(monitor, "receive").and_then(said);
    let mut step = Map::new();
    if let Some(send) = send {
        let text = imported.secrets.body(&draft.name, &send);
        let text = text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
        keys.insert("send".to_owned(), text.into());
    }
    if let Some(receive) = receive {
        keys.insert("read".to_owned(), true.into());
        step.insert("expect".to_owned(), json!({ "response": { "contains": literal(&receive) } }));
    }
    step.insert("tcp".to_owned(), Value::Object(keys));
    Ok(step)
}

fn rest(monitor: &Value, draft: &mut Draft) {
    for (key, _) in pairs(monitor, &[]) {
        if !KNOWN.contains(&key.as_str()) {
            draft.lose(format!("{key}: there is no such setting here"));
        }
    }
    if text(monitor, &["mode"]).as_deref() == Some("all") {
        draft.lose("mode all: write `addresses: all` to ask each address of the name");
    }
}
