//! A file of hurl: one scenario, a step for each entry. `{{name}}` is a capture if an earlier entry captured it, else
//! a variable of the project.

mod answer;
mod entry;
mod options;
mod said;

use serde_json::{Map, Value, json};

use super::Given;
use super::draft::{Draft, Imported, STEPS_MAX, host_of};
use super::expect::Expect;
use super::secrets::is_secret;
use super::words::{literal, name, unreferenced, variable};
use crate::exit::Stop;
use entry::{Body, Entry, Section, quoted_variables};

/// Reads the file.
pub(super) fn read(given: &Given) -> Result<Imported, Stop> {
    let entries = entry::read(&given.text).map_err(|why| Stop::file(format!("{}:{why}", given.path)))?;
    let mut imported = Imported::default();
    let Some(mut draft) = imported.scenario(&given.stem, "flow") else { return Ok(imported) };
    draft.keys.remove("title");
    if entries.is_empty() {
        return Err(Stop::file(format!("{} has no request", given.path)));
    }
    draft.key("aim", format!("The requests of {} are answered as it says.", literal(&given.stem)));
    draft.timing(Some(EVERY_MS), None);
    let only = entries.len() == 1;
    let mut flow =
        Flow { given, imported: &mut imported, draft: &mut draft, captured: Vec::new(), only, asking_ms: 0 };
    for (number, entry) in entries.iter().enumerate() {
        if number < STEPS_MAX {
            flow.step(number, entry);
        } else {
            flow.draft.lose(format!(
                "{} {}: a scenario has at most {STEPS_MAX} steps",
                entry.method,
                entry.url.split('?').next().unwrap_or_default()
            ));
        }
    }
    flow.whole_time();
    imported.drafts.push(draft);
    Ok(imported)
}

/// How often a file is run here; hurl runs one when it is told to.
const EVERY_MS: u64 = 300_000;
struct Flow<'a> {
    given: &'a Given,
    imported: &'a mut Imported,
    draft: &'a mut Draft,
    /// The names that earlier entries captured.
    captured: Vec<String>,
    /// Whether there is one entry, so that how long it takes is how long the run takes.
    only: bool,
    /// How long steps may ask again, all together.
    asking_ms: u64,
}

impl Flow<'_> {
    fn step(&mut self, number: usize, entry: &Entry) {
        let options = entry.pairs_of(Section::Options);
        if options.iter().any(|(name, value)| name == "skip" && value == "true") {
            return self.draft.lose(format!("entry {}: it is skipped", number + 1));
        }
        let url = self.url(&entry.url);
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let last = unreferenced(path.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
        let shown = format!("{}-{}-{}", number + 1, entry.method.to_ascii_lowercase(), last);
        let mut step = Map::from_iter([("name".to_owned(), name(&shown, "step").into())]);
        let mut keys = Map::new();
        keys.insert("url".to_owned(), url.into());
        if entry.method != "GET" {
            keys.insert("method".to_owned(), entry.method.clone().into());
        }
        keys.insert("follow".to_owned(), 0.into());
        self.headers(entry, &mut keys);
        self.sections(entry, &mut keys, &mut step);
        self.body(&entry.body, &mut keys);
        step.insert("http".to_owned(), Value::Object(keys));
        let mut expect = Expect::default();
        self.response(entry, &mut expect);
        let captures = self.captures(entry);
        for line in entry.lines_of(Section::Asserts) {
            if let Err(why) = self.assert(line, &mut expect) {
                self.draft.lose(format!("entry {}, the assert {line}: {why}", number + 1));
            }
        }
        // Every status is right where nothing is said of it.
        if !expect.has("status") {
            let _first = expect.add("status", json!({ "gte": 100 }));
        }
        expect.into_step(&mut step);
        self.again(&options, &mut step);
        if !captures.is_empty() {
            step.insert("capture".to_owned(), Value::Object(captures));
        }
        self.draft.steps.push(step);
    }

    fn hint(&self) -> String {
        self.draft.name.clone()
    }

    /// A text of the file with its `{{name}}` in our words.
    fn own(&mut self, text: &str) -> String {
        let (mut written, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            written += &literal(before);
            let Some((inner, after)) = after.split_once("}}") else {
                return written + "{{" + &literal(after);
            };
            written += &self.variable(inner.trim());
            rest = after;
        }
        written + &literal(rest)
    }

    fn variable(&mut self, shown: &str) -> String {
        let own = variable(shown);
        match shown {
            "newUuid" => return "${run.id}".to_owned(),
            "newDate" => return "${run.started_at}".to_owned(),
            _ if self.captured.contains(&own) => return format!("${{{own}}}"),
            _ => {}
        }
        let value = self.given.vars.iter().find(|(name, _)| name == shown).map(|(_, value)| value.clone());
        if is_secret(shown, value.as_deref().unwrap_or_default()) {
            return self.imported.secrets.of_env(&shown.to_ascii_uppercase());
        }
        if !self.imported.vars.contains_key(&own) {
            let value = value.unwrap_or_else(|| {
                self.draft.lose(format!("the value of {{{{{shown}}}}}: write it under `vars` in prober.yaml, or import with --var {shown}=VALUE"));
                format!("{}.invalid", own.replace('_', "-"))
            });
            // hurl takes a value that looks like a number or a truth for one.
            let value = match serde_json::from_str::<Value>(&value) {
                Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
                _ => literal(&value).into(),
            };
            self.imported.vars.insert(own.clone(), value);
        }
        format!("${{vars.{own}}}")
    }

    fn url(&mut self, url: &str) -> String {
        // A variable that begins a URL holds its scheme too.
        if let Some((shown, _)) = url.strip_prefix("{{").and_then(|rest| rest.split_once("}}")) {
            let own = variable(shown.trim());
            let is_given = self.given.vars.iter().any(|(name, _)| name == shown.trim());
            let is_known = self.imported.vars.contains_key(&own) || self.captured.contains(&own);
            if !is_given && !is_known && !is_secret(shown.trim(), "") {
                self.variable(shown.trim());
                self.imported
                    .vars
                    .insert(own.clone(), format!("http://{}.invalid", own.replace('_', "-")).into());
            }
            if let Some(value) = self.imported.vars.get(&own).and_then(Value::as_str).map(str::to_owned) {
                self.imported.target(host_of(&value));
            }
            let given =
                self.given.vars.iter().find(|(name, _)| name == shown.trim()).map(|(_, value)| value.clone());
            if let Some(given) = given {
                self.imported.target(host_of(&given));
            }
        } else if !url.contains("{{") {
            self.imported.target(host_of(url));
            let hint = self.hint();
            let (url, user) = self.imported.secrets.url(&hint, url);
            if user.is_some() {
                self.draft.lose("the user in a URL: sign in with `auth`");
            }
            return url;
        }
        self.own(url)
    }

    /// The value of a header, field or parameter: a secret is a reference, unless it is made of variables.
    fn value(&mut self, name: &str, value: &str) -> String {
        if value.contains("{{") {
            return self.own(value);
        }
        let hint = self.hint();
        self.imported.secrets.header(&hint, name, value)
    }

    fn headers(&mut self, entry: &Entry, keys: &mut Map<String, Value>) {
        let mut headers = Map::new();
        for (name, value) in &entry.headers {
            if name.eq_ignore_ascii_case("host") {
                keys.insert("host".to_owned(), self.own(value).into());
            } else {
                let value = self.value(name, value);
                headers.insert(name.clone(), value.into());
            }
        }
        let cookies: Vec<String> = entry
            .pairs_of(Section::Cookies)
            .into_iter()
            .map(|(name, value)| format!("{name}={}", self.value("cookie", &value)))
            .collect();
        if !cookies.is_empty() {
            headers.insert("Cookie".to_owned(), cookies.join("; ").into());
        }
        if !headers.is_empty() {
            keys.insert("headers".to_owned(), Value::Object(headers));
        }
    }

    fn sections(&mut self, entry: &Entry, keys: &mut Map<String, Value>, step: &mut Map<String, Value>) {
        for (section, key) in [(Section::Query, "query"), (Section::Form, "form")] {
            let pairs = entry.pairs_of(section);
            let mut map = Map::new();
            for (name, value) in pairs {
                if map.contains_key(&name) {
                    self.draft.lose(format!("{key} {name}: it is there twice"));
                    continue;
                }
                let value = self.value(&name, &value);
                map.insert(name, value.into());
            }
            if !map.is_empty() {
                keys.insert(key.to_owned(), Value::Object(map));
            }
        }
        let parts: Vec<Value> = entry
            .pairs_of(Section::Multipart)
            .into_iter()
            .map(|(name, value)| self.part(&name, &value))
            .collect();
        if !parts.is_empty() {
            keys.insert("multipart".to_owned(), parts.into());
        }
        if let Some((user, password)) = entry.pairs_of(Section::BasicAuth).into_iter().next() {
            self.basic(&user, &password, keys);
        }
        let options = entry.pairs_of(Section::Options);
        let of =
            |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let follows = of("location") == Some("true") || of("location-trusted") == Some("true");
        if follows {
            let most = of("max-redirs").and_then(|most| most.parse::<u32>().ok()).unwrap_or(20);
            keys.insert("follow".to_owned(), most.min(20).into());
        }
        for (option, value) in &options {
            self.option(option, value, keys, step);
        }
        for what in &entry.unknown {
            self.draft.lose(what.clone());
        }
    }

    fn basic(&mut self, user: &str, password: &str, keys: &mut Map<String, Value>) {
        let hint = self.hint();
        let user = if user.contains("{{") {
            self.own(user)
        } else {
            self.imported.secrets.user(&hint, user, password)
        };
        let password = if password.contains("{{") {
            self.secret_of(password)
        } else {
            self.imported.secrets.keep(&format!("{hint}_password"), password)
        };
        keys.insert("auth".to_owned(), json!({ "basic": { "user": user, "password": password } }));
    }

    /// A password made of variables: those are secrets whatever they are called.
    fn secret_of(&mut self, text: &str) -> String {
        let inner = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
        match inner.map(str::trim).filter(|inner| !inner.contains("{{")) {
            Some(inner) if !self.captured.contains(&variable(inner)) => {
                self.imported.secrets.of_env(&inner.to_ascii_uppercase())
            }
            _ => self.own(text),
        }
    }

    fn part(&mut self, name: &str, value: &str) -> Value {
        match value.strip_prefix("file,") {
            Some(rest) => {
                let (path, kind) = rest.split_once(';').unwrap_or((rest, ""));
                let mut part = json!({ "name": literal(name), "file": self.own(path.trim()) });
                if !kind.trim().is_empty() {
                    part["content_type"] = literal(kind.trim()).into();
                }
                part
            }
            None => json!({ "name": literal(name), "value": self.value(name, value) }),
        }
    }

    fn body(&mut self, body: &Body, keys: &mut Map<String, Value>) {
        let hint = self.hint();
        match body {
            Body::Nothing => {}
            Body::Json(text) => {
                if let Ok(value) = serde_json::from_str::<Value>(&quoted_variables(text)) {
                    let value = self.json("", &value);
                    keys.insert("json".to_owned(), value);
                } else {
                    let text = self.own(text);
                    keys.insert("body".to_owned(), text.into());
                    keys.insert("content_type".to_owned(), "application/json".into());
                }
            }
            Body::Text(text) if text.contains("{{") => {
                let text = self.own(text);
                keys.insert("body".to_owned(), text.into());
            }
            Body::Text(text) => {
                let text = self.imported.secrets.body(&hint, text);
                keys.insert("body".to_owned(), text.into());
            }
            Body::File(path) => drop(keys.insert("file".to_owned(), literal(path).into())),
            Body::Unknown(what) => self.draft.lose(what.clone()),
        }
    }

    fn json(&mut self, key: &str, value: &Value) -> Value {
        match value {
            Value::String(text) if text.contains("{{") => self.own(text).into(),
            Value::String(text) => self.value(key, text).into(),
            Value::Array(items) => items.iter().map(|item| self.json(key, item)).collect(),
            Value::Object(map) => {
                let mut all = Map::new();
                for (key, value) in map {
                    let value = self.json(key, value);
                    all.insert(literal(key), value);
                }
                Value::Object(all)
            }
            other => other.clone(),
        }
    }
}
