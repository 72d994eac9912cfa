//! What a request becomes: a step for each of its URLs.

use serde_json::{Map, Value, json};

use super::super::draft::{Draft, Imported, STEPS_MAX, host_of};
use super::super::expect::Expect;
use super::super::secrets::decoded;
use super::super::words::literal;
use super::request::{Request, with_scheme};
use super::shell::Word;
use super::{json_of, lose_all};

impl Request {
    /// Adds a step for each URL.
    pub(super) fn steps(mut self, number: usize, imported: &mut Imported, draft: &mut Draft) {
        let hint = draft.name.clone();
        let open = |word: &Word| word.is_open;
        if self.urls.is_empty() {
            draft.lose("a part of the command without a URL");
        }
        let variables = self
            .urls
            .iter()
            .chain(self.headers.iter().map(|(_, word)| word))
            .filter(|word| open(word))
            .count();
        if variables > 0 || self.data_is_open {
            draft.note("variables of the shell are secrets from the environment here");
        }
        if !self.fails {
            draft.note("curl without -f takes every status for good; what is below 400 is good here");
        }
        let urls = std::mem::take(&mut self.urls);
        lose_all(draft, std::mem::take(&mut self.lost));
        if self.keys.contains_key("file") && !(self.data.is_empty() && self.form.is_empty()) {
            draft.lose("-d beside a file: the body is the file alone here");
            self.data.clear();
            self.form.clear();
        }
        for (at, url) in urls.iter().enumerate() {
            if draft.steps.len() == STEPS_MAX {
                let more = urls.len() - at;
                draft.lose(format!("{more} more URLs: a scenario has at most {STEPS_MAX} steps"));
                break;
            }
            let url = self.plain(url, draft);
            let url = &url;
            let mut step = Map::new();
            let name =
                if number + at == 0 { "request".to_owned() } else { format!("request-{}", number + at + 1) };
            step.insert("name".to_owned(), name.into());
            step.insert("http".to_owned(), Value::Object(self.keys_of(url, &hint, imported, draft)));
            let mut expect = Expect::default();
            let _first = expect.add("status", json!({ "lt": 400 }));
            expect.into_step(&mut step);
            if let Some(retries) = self.retries.filter(|retries| *retries > 0) {
                draft.note("what is answered is not asked for again, also with a status of 500 and more");
                step.insert(
                    "retry".to_owned(),
                    json!({ "attempts": retries.saturating_add(1).min(5), "on": ["connect", "timeout"] }),
                );
            }
            draft.steps.push(step);
        }
    }

    /// The URL as curl asks it if it is a pattern for no other: `\[` is `[`.
    fn plain(&self, url: &Word, draft: &mut Draft) -> Word {
        if self.is_plain {
            return url.clone();
        }
        let start = url.text.find("://").map_or(0, |at| at + 3);
        let rest = url.text[start..].find('/').map_or("", |at| &url.text[start + at..]);
        let bare = rest.replace("\\[", "").replace("\\{", "").replace("${", "");
        if bare.contains(['[', '{']) {
            draft.lose(
                "a pattern in the URL: curl asks a URL for each of its values, here it stands as it is",
            );
        }
        let text = ["[", "]", "{", "}"]
            .iter()
            .fold(url.text.clone(), |text, one| text.replace(&format!("\\{one}"), one));
        Word { text, ..url.clone() }
    }

    fn keys_of(
        &mut self,
        url: &Word,
        hint: &str,
        imported: &mut Imported,
        draft: &mut Draft,
    ) -> Map<String, Value> {
        let mut text = with_scheme(&url.text);
        if self.as_query && !self.data.is_empty() {
            let glue = if text.contains('?') { '&' } else { '?' };
            text = format!("{text}{glue}{}", self.data.join("&"));
        }
        imported.target(host_of(&text));
        let is_open = url.is_open || (self.as_query && self.data_is_open);
        let (shown, user) =
            if is_open { (opened(&text, imported), None) } else { imported.secrets.url(hint, &text) };
        let mut keys = Map::new();
        let has_body = !self.as_query
            && (!self.data.is_empty() || !self.form.is_empty() || self.keys.contains_key("file"));
        let method = self
            .method
            .clone()
            .or_else(|| self.head.then(|| "HEAD".to_owned()))
            .or_else(|| has_body.then(|| "POST".to_owned()));
        if let Some(method) = method.filter(|method| method != "GET") {
            keys.insert("method".to_owned(), method.to_ascii_uppercase().into());
        }
        keys.insert("url".to_owned(), shown.into());
        keys.extend(self.keys.iter().map(|(key, value)| (key.clone(), value.clone())));
        if let Some(proxy) = keys.get("proxy").and_then(Value::as_str).map(str::to_owned) {
            let (proxy, user) = imported.secrets.url(hint, &proxy);
            keys.insert("proxy".to_owned(), proxy.into());
            if user.is_some() {
                draft.lose("-x: who signs in at the proxy");
            }
        }
        self.headers_into(&mut keys, hint, imported);
        if has_body {
            self.body_into(&mut keys, hint, imported, draft);
        }
        self.auth_into(&mut keys, user, hint, (imported, draft));
        let follow = if self.follows { self.follow_max.unwrap_or(20).min(20) } else { 0 };
        keys.insert("follow".to_owned(), follow.into());
        if !self.packed {
            keys.insert("compression".to_owned(), false.into());
        }
        match &self.certificate {
            (Some(cert), Some(key)) => {
                let shown = json!({ "cert": literal(cert), "key": literal(key) });
                keys.insert("client_certificate".to_owned(), shown);
            }
            (None, None) => {}
            _ => draft.lose("--cert, --key: both are needed, each in a file of its own"),
        }
        keys
    }

    fn headers_into(&self, keys: &mut Map<String, Value>, hint: &str, imported: &mut Imported) {
        let mut headers = Map::new();
        for (name, word) in &self.headers {
            let lower = name.to_ascii_lowercase();
            if lower == "host" {
                keys.insert("host".to_owned(), literal(&word.text).into());
            } else if lower != "content-length" && !(lower == "accept-encoding" && self.packed) {
                let value = if word.is_open {
                    opened(&word.text, imported)
                } else {
                    imported.secrets.header(hint, name, &word.text)
                };
                headers.insert(name.clone(), value.into());
            }
        }
        if self.is_json && !headers.keys().any(|name| name.eq_ignore_ascii_case("accept")) {
            headers.insert("Accept".to_owned(), "application/json".into());
        }
        if !headers.is_empty() {
            keys.insert("headers".to_owned(), Value::Object(headers));
        }
    }

    fn body_into(
        &self,
        keys: &mut Map<String, Value>,
        hint: &str,
        imported: &mut Imported,
        draft: &mut Draft,
    ) {
        if !self.form.is_empty() {
            let parts: Vec<Value> =
                self.form.iter().filter_map(|part| form_part(part, hint, imported, draft)).collect();
            if !parts.is_empty() {
                keys.insert("multipart".to_owned(), parts.into());
            }
            return;
        }
        if self.data.is_empty() {
            return;
        }
        let text = self.data.join(if self.is_json { "" } else { "&" });
        let kind = keys.get("headers").and_then(Value::as_object).and_then(|headers| {
            headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
                .and_then(|(_, value)| value.as_str())
                .map(str::to_ascii_lowercase)
        });
        let says_json = self.is_json || kind.as_deref().is_some_and(|kind| kind.contains("json"));
        if self.data_is_open {
            keys.insert("body".to_owned(), opened(&text, imported).into());
        } else if let Some(value) = json_of(&text).filter(|_| says_json) {
            keys.insert("json".to_owned(), imported.secrets.json(hint, "", &value));
        } else if let Some(form) =
            form_of(&text).filter(|_| kind.as_deref().is_none_or(|kind| kind.contains("urlencoded")))
        {
            let form: Map<String, Value> = form
                .into_iter()
                .map(|(name, value)| {
                    let value = imported.secrets.value(hint, &name, &value);
                    (literal(&name), value.into())
                })
                .collect();
            keys.insert("form".to_owned(), Value::Object(form));
        } else {
            keys.insert("body".to_owned(), imported.secrets.body(hint, &text).into());
        }
        let ours = ["json", "form"].iter().any(|key| keys.contains_key(*key));
        if !ours && kind.is_none() {
            let kind = if self.is_json { "application/json" } else { "application/x-www-form-urlencoded" };
            keys.insert("content_type".to_owned(), kind.into());
        }
    }

    fn auth_into(
        &self,
        keys: &mut Map<String, Value>,
        in_url: Option<(String, Option<String>)>,
        hint: &str,
        (imported, draft): (&mut Imported, &mut Draft),
    ) {
        if let Some(word) = &self.bearer {
            let token = if word.is_open {
                opened(&word.text, imported)
            } else {
                imported.secrets.keep(&format!("{hint}_token"), &word.text)
            };
            keys.insert("auth".to_owned(), json!({ "bearer": token }));
        }
        let given = self.user.as_ref().map(|word| match word.text.split_once(':') {
            Some((user, password)) => (user.to_owned(), Some(password.to_owned()), word.is_open),
            None => (word.text.clone(), None, word.is_open),
        });
        let Some((user, password, is_open)) =
            given.or(in_url.map(|(user, password)| (user, password, false)))
        else {
            return;
        };
        if let Some(way) = &self.other_way {
            return draft.lose(format!("{way}: who signs in, as there is no such way here"));
        }
        let Some(password) = password else {
            return draft.lose("-u: curl would ask for the password of the user");
        };
        if password.is_empty() && !is_open {
            if !user.is_empty() {
                let value = imported.secrets.keep(&format!("{hint}_authorization"), &user);
                let headers = keys.entry("headers").or_insert_with(|| json!({}));
                headers["Authorization"] = format!("Basic {value}").into();
                draft.note(
                    "the secret of the header Authorization is the user with a colon behind, in Base64",
                );
            }
            return;
        }
        let user = if is_open && user.contains('$') {
            opened(&user, imported)
        } else {
            imported.secrets.user(hint, &user, &password)
        };
        let password = if is_open && password.contains('$') {
            opened(&password, imported)
        } else {
            imported.secrets.keep(&format!("{hint}_password"), &password)
        };
        let way = if self.digest { "digest" } else { "basic" };
        keys.insert("auth".to_owned(), json!({ way: { "user": user, "password": password } }));
    }
}

/// A word with variables of a shell: each is a secret from the environment.
fn opened(text: &str, imported: &mut Imported) -> String {
    let (mut written, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        written += &rest[..at];
        rest = &rest[at + 1..];
        let inner = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let plain =
            rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let (name, after) = inner.unwrap_or_else(|| rest.split_at(plain));
        let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if is_name {
            written += &imported.secrets.of_env(name);
            rest = after;
        } else {
            written.push('$');
        }
    }
    written + rest
}

/// The fields of a form, if the text is one without a field twice.
fn form_of(text: &str) -> Option<Vec<(String, String)>> {
    let plain = |text: &str| decoded(&text.replace('+', " "));
    let mut fields: Vec<(String, String)> = Vec::new();
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=')?;
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-._~%+[]*".contains(letter);
        if name.is_empty() || !name.chars().all(fits) || fields.iter().any(|(known, _)| *known == plain(name))
        {
            return None;
        }
        fields.push((plain(name), plain(value)));
    }
    Some(fields)
}

/// `name=value`, `name=@file;type=image/png;filename=scan.png`.
fn form_part(
    (text, has_signs): &(String, bool),
    hint: &str,
    imported: &mut Imported,
    draft: &mut Draft,
) -> Option<Value> {
    let Some((name, value)) = text.split_once('=') else {
        draft.lose("-F: it has no name and no value");
        return None;
    };
    if !has_signs {
        return Some(json!({ "name": literal(name), "value": imported.secrets.value(hint, name, value) }));
    }
    let (value, more) = value.split_once(';').map_or((value, ""), |(value, more)| (value, more));
    let more: Vec<&str> = more.split(';').map(str::trim).filter(|one| !one.is_empty()).collect();
    let of = |key: &str| more.iter().find_map(|one| one.strip_prefix(key)).map(|text| text.trim_matches('"'));
    let (kind, filename) = (of("type="), of("filename="));
    for other in more.iter().filter(|one| !one.starts_with("type=") && !one.starts_with("filename=")) {
        draft.lose(format!("the field {name}: {}", other.split('=').next().unwrap_or_default()));
    }
    let mut part = match value.strip_prefix('@') {
        Some(path) => json!({ "name": literal(name), "file": literal(path) }),
        None if value.starts_with('<') => {
            draft.lose(format!("the field {name}: its text stands in a file"));
            return None;
        }
        None => json!({ "name": literal(name), "value": imported.secrets.value(hint, name, value) }),
    };
    if let Some(filename) = filename {
        part["filename"] = filename.into();
    }
    if let Some(kind) = kind {
        part["content_type"] = kind.into();
    }
    Some(part)
}
