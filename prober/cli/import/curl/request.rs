//! The options of one request of a curl command.

use serde_json::{Map, Value, json};

use super::super::draft::{Draft, Imported, host_of};
use super::super::expect::Expect;
use super::super::secrets::decoded;
use super::super::words::literal;
use super::shell::Word;
use super::{json_of, lose_all, seconds};

/// One request, as its options say it.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "curl has so many switches")]
pub(super) struct Request {
    urls: Vec<Word>,
    method: Option<String>,
    headers: Vec<(String, Word)>,
    data: Vec<String>,
    data_is_open: bool,
    is_json: bool,
    form: Vec<String>,
    user: Option<Word>,
    digest: bool,
    bearer: Option<Word>,
    keys: Map<String, Value>,
    follows: bool,
    follow_max: Option<u32>,
    fails: bool,
    as_query: bool,
    head: bool,
    packed: bool,
    certificate: (Option<String>, Option<String>),
    timeout_ms: Option<u64>,
    retries: Option<u32>,
    lost: Vec<String>,
}

/// Long options that take a value; the short ones are in [`takes_value`].
const TAKE: [&str; 46] = [
    "--request",
    "--header",
    "--data",
    "--data-raw",
    "--data-ascii",
    "--data-binary",
    "--data-urlencode",
    "--json",
    "--form",
    "--form-string",
    "--user",
    "--user-agent",
    "--referer",
    "--cookie",
    "--cookie-jar",
    "--max-time",
    "--connect-timeout",
    "--proxy",
    "--resolve",
    "--connect-to",
    "--cacert",
    "--cert",
    "--key",
    "--interface",
    "--url",
    "--upload-file",
    "--max-redirs",
    "--retry",
    "--oauth2-bearer",
    "--range",
    "--config",
    "--proxy-user",
    "--capath",
    "--ciphers",
    "--tls-max",
    "--dns-servers",
    "--unix-socket",
    "--limit-rate",
    "--retry-delay",
    "--retry-max-time",
    "--aws-sigv4",
    "--pass",
    "--cert-type",
    "--key-type",
    "--proto",
    "--url-query",
];

/// Whether an option takes the next word as its value.
pub(super) fn takes_value(option: &str) -> bool {
    let short = [
        "-X", "-H", "-d", "-F", "-u", "-A", "-e", "-b", "-c", "-m", "-x", "-E", "-T", "-r", "-K", "-U", "-Y",
        "-y", "-z", "-C", "-t", "-P", "-Q",
    ];
    short.contains(&option) || TAKE.contains(&option)
}

impl Request {
    pub(super) fn url(&mut self, word: &Word) {
        self.urls.push(word.clone());
    }

    pub(super) fn first_url(&self) -> Option<String> {
        self.urls.first().map(|word| with_scheme(&word.text))
    }

    pub(super) fn timeout_ms(&self) -> Option<u64> {
        self.timeout_ms
    }

    /// Takes an option; what means nothing here is told.
    pub(super) fn option(&mut self, name: &str, value: Option<&Word>) {
        let text = value.map(|word| word.text.clone()).unwrap_or_default();
        match name {
            "-X" | "--request" => self.method = Some(text),
            "-H" | "--header" => self.header(&text, value.is_some_and(|word| word.is_open)),
            "-A" | "--user-agent" => self.header_of("User-Agent", value),
            "-e" | "--referer" => self.header_of("Referer", value),
            "-b" | "--cookie" if text.contains('=') => self.header_of("Cookie", value),
            "-I" | "--head" => self.head = true,
            "-L" | "--location" | "--location-trusted" => self.follows = true,
            "--max-redirs" => self.follow_max = text.parse().ok(),
            "-f" | "--fail" | "--fail-with-body" => self.fails = true,
            "-G" | "--get" => self.as_query = true,
            "--compressed" => self.packed = true,
            "-k" | "--insecure" => drop(self.keys.insert("insecure".into(), "-k in the curl command".into())),
            "-m" | "--max-time" => self.timeout_ms = seconds(&text),
            "-4" | "--ipv4" => drop(self.keys.insert("ip".into(), "4".into())),
            "-6" | "--ipv6" => drop(self.keys.insert("ip".into(), "6".into())),
            "-0" | "--http1.0" => self.lose("--http1.0: versions are 1.1, 2 and 3 here"),
            "--http1.1" => drop(self.keys.insert("http_version".into(), "1.1".into())),
            "--http2" | "--http2-prior-knowledge" => {
                drop(self.keys.insert("http_version".into(), "2".into()));
            }
            "--cacert" => drop(self.keys.insert("ca".into(), literal(&text).into())),
            "-E" | "--cert" => self.certificate.0 = Some(text),
            "--key" => self.certificate.1 = Some(text),
            "-u" | "--user" => self.user = value.cloned(),
            "--basic" => {}
            "--digest" => self.digest = true,
            "--oauth2-bearer" => self.bearer = value.cloned(),
            "--retry" => self.retries = text.parse().ok(),
            "--url" => value.into_iter().for_each(|word| self.url(word)),
            _ => self.body_option(name, value, text),
        }
    }

    fn body_option(&mut self, name: &str, value: Option<&Word>, text: String) {
        self.data_is_open |=
            value.is_some_and(|word| word.is_open) && (name.starts_with("--data") || name == "-d");
        match name {
            "-d" | "--data" | "--data-ascii" | "--data-binary" if text.starts_with('@') => {
                self.file(&text[1..]);
            }
            "-d" | "--data" | "--data-ascii" => self.data.push(text.replace(['\r', '\n'], "")),
            "--data-raw" | "--data-binary" => self.data.push(text),
            "--data-urlencode" => self.data.push(encoded_pair(&text)),
            "--url-query" => self.lose("--url-query: write it under `query`"),
            "--json" => {
                self.is_json = true;
                self.data.push(text);
            }
            "-F" | "--form" | "--form-string" => self.form.push(text),
            "-T" | "--upload-file" => {
                self.method.get_or_insert_with(|| "PUT".to_owned());
                self.file(&text);
            }
            "-x" | "--proxy" => {
                let url = if text.contains("://") { text } else { format!("http://{text}") };
                self.keys.insert("proxy".into(), url.into());
            }
            "--interface" => drop(self.keys.insert("source_address".into(), literal(&text).into())),
            "--connect-to" => self.connect_to(&text),
            "--resolve" => self.resolve(&text),
            // A value may be a secret; the name says enough.
            other => self
                .lose(format!("{}: there is no such setting here", other.split('=').next().unwrap_or(other))),
        }
    }

    fn lose(&mut self, what: impl Into<String>) {
        self.lost.push(what.into());
    }

    fn header_of(&mut self, name: &str, value: Option<&Word>) {
        self.headers.extend(value.map(|word| (name.to_owned(), word.clone())));
    }

    fn header(&mut self, text: &str, is_open: bool) {
        match text.split_once(':') {
            Some((name, value)) if !value.trim().is_empty() => {
                let value = Word { text: value.trim().to_owned(), is_open, is_option: false };
                self.headers.push((name.trim().to_owned(), value));
            }
            // `X-Empty;` sends a header without a value, `X-None:` takes one away.
            _ => {
                self.lose(format!("the header {}: it is without a value", text.trim_end_matches([':', ';'])));
            }
        }
    }

    fn file(&mut self, path: &str) {
        if path == "-" {
            return self.lose("a body from standard input");
        }
        self.keys.insert("file".into(), literal(path).into());
    }

    /// `HOST:PORT:TO:TO_PORT`.
    fn connect_to(&mut self, text: &str) {
        let parts: Vec<_> = text.rsplitn(3, ':').collect();
        match parts.as_slice() {
            [port, host, _] if !host.is_empty() && !port.is_empty() => {
                self.keys.insert("connect_to".into(), literal(&format!("{host}:{port}")).into());
            }
            _ => self.lose("--connect-to: it names no host and port to connect to"),
        }
    }

    /// `HOST:PORT:ADDRESS`.
    fn resolve(&mut self, text: &str) {
        let mut parts = text.splitn(3, ':');
        let (port, address) = (parts.nth(1), parts.next().and_then(|all| all.split(',').next()));
        match (port, address) {
            (Some(port), Some(address)) if port.parse::<u16>().is_ok() => {
                self.keys.insert("connect_to".into(), literal(&format!("{address}:{port}")).into());
            }
            _ => self.lose("--resolve: it is not HOST:PORT:ADDRESS"),
        }
    }

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
        for (at, url) in urls.iter().enumerate() {
            let mut step = Map::new();
            let name =
                if number + at == 0 { "request".to_owned() } else { format!("request-{}", number + at + 1) };
            step.insert("name".to_owned(), name.into());
            step.insert("http".to_owned(), Value::Object(self.keys_of(url, &hint, imported, draft)));
            let mut expect = Expect::default();
            let _first = expect.add("status", json!({ "lt": 400 }));
            expect.into_step(&mut step);
            if let Some(retries) = self.retries.filter(|retries| *retries > 0) {
                step.insert(
                    "retry".to_owned(),
                    json!({ "attempts": retries.saturating_add(1).min(5), "on": ["connect", "timeout"] }),
                );
            }
            draft.steps.push(step);
        }
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
        let (shown, user) =
            if url.is_open { (opened(&text, imported), None) } else { imported.secrets.url(hint, &text) };
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
        let Some(password) = password else {
            return draft.lose("-u: curl would ask for the password of the user");
        };
        let password = if is_open && password.contains('$') {
            opened(&password, imported)
        } else {
            imported.secrets.keep(&format!("{hint}_password"), &password)
        };
        let user = if is_open && user.contains('$') { opened(&user, imported) } else { literal(&user) };
        let way = if self.digest { "digest" } else { "basic" };
        keys.insert("auth".to_owned(), json!({ way: { "user": user, "password": password } }));
    }
}

fn with_scheme(url: &str) -> String {
    if url.contains("://") || url.starts_with('$') { url.to_owned() } else { format!("http://{url}") }
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

/// `name=content` with the content encoded for a form.
fn encoded_pair(text: &str) -> String {
    let (name, content) = text.split_once('=').map_or(("", text), |(name, content)| (name, content));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let content: String = content
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if name.is_empty() { content } else { format!("{name}={content}") }
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

/// `name=value`, `name=@file;type=image/png`.
fn form_part(text: &str, hint: &str, imported: &mut Imported, draft: &mut Draft) -> Option<Value> {
    let (name, value) = text.split_once('=')?;
    let (value, more) = value.split_once(';').map_or((value, ""), |(value, more)| (value, more));
    let kind = more.split(';').find_map(|one| one.trim().strip_prefix("type="));
    let mut part = match value.strip_prefix('@') {
        Some(path) => json!({ "name": literal(name), "file": literal(path) }),
        None if value.starts_with('<') => {
            draft.lose(format!("the field {name}: its text stands in a file"));
            return None;
        }
        None => json!({ "name": literal(name), "value": imported.secrets.value(hint, name, value) }),
    };
    if let Some(kind) = kind {
        part["content_type"] = literal(kind).into();
    }
    Some(part)
}
