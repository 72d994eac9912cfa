//! Secrets of the files that are imported: they become references, and their values go nowhere.
//!
//! A value is a secret by the name it has there (`password`, `Authorization`, `token=`) or by how it looks. What
//! was seen once as a secret is one wherever it stands.

use scenario::lint::is_secret_variable;
use serde_json::{Map, Value};

use super::words::{literal, variable};

/// Parts of names whose values are secrets.
const WORDS: [&str; 19] = [
    "csrf",
    "xsrf",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api-key",
    "api_key",
    "authorization",
    "cookie",
    "credential",
    "private_key",
    "session",
    "signature",
    "access_key",
    "x-auth",
    "jwt",
];
/// Whole names whose values are secrets.
const NAMES: [&str; 7] = ["key", "sig", "auth", "pwd", "pass", "pin", "otp"];
/// Shorter codes are those of regions and articles.
const CODE_BYTES_MIN: usize = 10;
/// Shorter values are not looked for elsewhere: they may be a part of anything.
const SWEPT_BYTES_MIN: usize = 6;

/// The secrets that were met.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    name: String,
    /// Where its value comes from when it is used.
    from: From,
    /// The value that stood in the file; empty if it did not.
    value: String,
}

#[derive(Debug, PartialEq)]
enum From {
    Env(String),
    File(String),
}

impl Secrets {
    /// Keeps a value of the file, and gives what is written in its place.
    pub(super) fn keep(&mut self, hint: &str, value: &str) -> String {
        let known = self.known.iter().find(|known| !known.value.is_empty() && known.value == value);
        if let Some(known) = known {
            return reference(&known.name);
        }
        let name = self.free(&variable(hint));
        let from = From::Env(name.to_ascii_uppercase());
        self.known.push(Known { name: name.clone(), from, value: value.to_owned() });
        reference(&name)
    }

    /// What is written in place of a variable of the environment.
    pub(super) fn of_env(&mut self, env: &str) -> String {
        self.elsewhere(&variable(env), From::Env(env.to_owned()))
    }

    /// What is written in place of what a file holds.
    pub(super) fn of_file(&mut self, hint: &str, path: &str) -> String {
        self.elsewhere(&variable(hint), From::File(path.to_owned()))
    }

    fn elsewhere(&mut self, name: &str, from: From) -> String {
        if let Some(known) = self.known.iter().find(|known| known.from == from && known.value.is_empty()) {
            return reference(&known.name);
        }
        let name = self.free(name);
        self.known.push(Known { name: name.clone(), from, value: String::new() });
        reference(&name)
    }

    fn free(&self, name: &str) -> String {
        let is_free = |name: &str| self.known.iter().all(|known| known.name != name);
        let more = (2..).map(|number| format!("{name}_{number}"));
        std::iter::once(name.to_owned()).chain(more).find(|name| is_free(name)).unwrap_or_default()
    }

    /// The value of the key `name`: as it is, or the secret that it is.
    pub(super) fn value(&mut self, hint: &str, name: &str, value: &str) -> String {
        // What refers to a variable already shows nothing.
        if !value.is_empty() && !value.contains("${") && is_secret(name, value) {
            self.keep(&format!("{hint}_{name}"), value)
        } else {
            literal(value)
        }
    }

    /// The value of a header; the scheme before a credential stays.
    pub(super) fn header(&mut self, hint: &str, name: &str, value: &str) -> String {
        let scheme = ["Bearer ", "Basic ", "Token ", "ApiKey ", "Digest "]
            .into_iter()
            .find(|scheme| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        match scheme.filter(|_| name.to_ascii_lowercase().ends_with("authorization") && !value.contains("${"))
        {
            Some(scheme) => {
                let (start, rest) = value.split_at(scheme.len());
                format!("{start}{}", self.keep(&format!("{hint}_{}", name.to_ascii_lowercase()), rest.trim()))
            }
            None => self.value(hint, name, value),
        }
    }

    /// A JSON value, its secrets as references.
    pub(super) fn json(&mut self, hint: &str, key: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => self.value(hint, key, text).into(),
            Value::Array(items) => items.iter().map(|item| self.json(hint, key, item)).collect(),
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| (literal(key), self.json(hint, key, value));
                Value::Object(map.iter().map(entry).collect())
            }
            Value::Number(number) if is_secret(key, "") && is_secret_number(key) => {
                self.keep(&format!("{hint}_{key}"), &number.to_string()).into()
            }
            other => other.clone(),
        }
    }

    /// A body that is taken as it is: all of it is a secret if some of it may be.
    pub(super) fn body(&mut self, hint: &str, text: &str) -> String {
        let words = text.to_ascii_lowercase();
        let may_hold = WORDS.iter().any(|word| words.contains(word)) || is_secret_variable("body", text);
        if may_hold && !text.contains("${") {
            self.keep(&format!("{hint}_body"), text)
        } else {
            literal(text)
        }
    }

    /// Who signs in with this password. A key of an API has no password beside it, or looks like what it is.
    pub(super) fn user(&mut self, hint: &str, user: &str, password: &str) -> String {
        let is_key = !user.is_empty() && (password.is_empty() || is_secret_variable("user", user));
        if is_key { self.keep(&format!("{hint}_user"), user) } else { literal(user) }
    }

    /// A URL without the user and the secret parameters that stood in it, and who the user was.
    pub(super) fn url(&mut self, hint: &str, url: &str) -> (String, Option<(String, Option<String>)>) {
        let (url, user) = without_user(url);
        let (before, query) =
            url.split_once('?').map_or((&*url, None), |(before, query)| (before, Some(query)));
        let before: Vec<String> = before.split('/').map(|part| self.segment(hint, part)).collect();
        let before = before.join("/");
        let Some(query) = query else { return (before, user) };
        let (query, fragment) = query.split_once('#').map_or((query, ""), |(query, rest)| (query, rest));
        // A person who signs in elsewhere comes back with a code; `code` and `state` are other words everywhere else.
        let has = |name: &str, least: usize| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.any(|(known, value)| known == name && value.len() >= least)
        };
        let is_sign_in = has("client_id", 1) || (has("code", CODE_BYTES_MIN) && has("state", 1));
        let pair = |pair: &str| match pair.split_once('=') {
            Some((name @ ("code" | "state" | "nonce" | "code_challenge"), value))
                if is_sign_in && !value.is_empty() =>
            {
                format!("{name}={}", self.keep(&format!("{hint}_{name}"), value))
            }
            Some((name, value)) => format!("{}={}", literal(name), self.value(hint, name, value)),
            None => literal(pair),
        };
        let query: Vec<String> = query.split('&').map(pair).collect();
        let fragment = if fragment.is_empty() { String::new() } else { format!("#{}", literal(fragment)) };
        (format!("{before}?{}{fragment}", query.join("&")), user)
    }

    /// A part of a path: the addresses of hooks and bots have their secrets in there.
    fn segment(&mut self, hint: &str, part: &str) -> String {
        let (start, token) = part.rsplit_once(':').map_or(("", part), |(start, token)| (start, token));
        if !is_token(token) {
            return literal(part);
        }
        let glue = if start.is_empty() { "" } else { ":" };
        format!("{}{glue}{}", literal(start), self.keep(&format!("{hint}_path"), token))
    }

    /// Puts references where a known secret still stands as it is.
    pub(super) fn sweep(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                for known in self.swept() {
                    *text = text.replace(&known.value, &reference(&known.name));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.sweep(item)),
            Value::Object(map) => map.values_mut().for_each(|value| self.sweep(value)),
            _ => {}
        }
    }

    /// A text for people, without secrets.
    pub(super) fn masked(&self, text: &str) -> String {
        let known = self.known.iter().filter(|known| known.value.len() >= 3);
        known.fold(text.to_owned(), |text, known| text.replace(&known.value, "•••"))
    }

    fn swept(&self) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(|known| known.value.len() >= SWEPT_BYTES_MIN)
    }

    /// What prober.yaml says under `secrets`; `used` are the texts of all files.
    pub(super) fn declared(&self, used: &str) -> Map<String, Value> {
        let used = self.known.iter().filter(|known| used.contains(&reference(&known.name)));
        used.map(|known| {
            let (word, from) = match &known.from {
                From::Env(name) => ("env", name),
                From::File(path) => ("file", path),
            };
            (known.name.clone(), Value::Object(Map::from_iter([(word.to_owned(), from.clone().into())])))
        })
        .collect()
    }
}

fn reference(name: &str) -> String {
    format!("${{secrets.{name}}}")
}

/// Whether a value of this name, or one that looks like this, is a secret.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let named = NAMES.contains(&&*name) || WORDS.iter().any(|word| name.contains(word));
    named || is_secret_variable(&name, value)
}

/// Whether a text is long, and letters and digits in it are mixed as chance does it.
fn is_token(text: &str) -> bool {
    let has = |test: fn(&u8) -> bool| text.as_bytes().iter().any(test);
    text.len() >= 20
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && text.split(['_', '-']).any(|part| part.len() >= 16)
}

/// Numbers are counts more often than secrets: `max_tokens: 100`.
fn is_secret_number(key: &str) -> bool {
    matches!(&*key.to_ascii_lowercase(), "pin" | "otp" | "password" | "passcode" | "pass" | "pwd")
}

/// The URL without `user:password@`, and both, decoded.
fn without_user(url: &str) -> (String, Option<(String, Option<String>)>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some((user, host)) = rest[..end].rsplit_once('@') else { return (url.to_owned(), None) };
    let (user, password) = match user.split_once(':') {
        Some((user, password)) => (decoded(user), Some(decoded(password))),
        None => (decoded(user), None),
    };
    (format!("{scheme}://{host}{}", &rest[end..]), Some((user, password)))
}

/// `%41` as `A`; what is no such thing stays.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        if let Some(byte) = byte {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_and_looks() {
        for (name, value, wanted) in [
            ("Authorization", "Bearer abc", true),
            ("X-Api-Key", "abc", true),
            ("password", "a", true),
            ("Accept", "application/json", false),
            ("anything", "ghp_0123456789abcdefghij", true),
            ("q", "shoes", false),
            ("key", "v", true),
            ("keyboard", "v", false),
            ("_csrf", "v", true),
            ("code", "v", false),
        ] {
            assert_eq!(is_secret(name, value), wanted, "{name}");
        }
    }

    #[test]
    fn who_signs_in_elsewhere_brings_no_code() {
        let mut secrets = Secrets::default();
        let mut url = |url: &str| secrets.url("a", url).0;
        let back = url("https://a.example/cb?code=abc123def456&state=xyz789");
        assert_eq!(back, "https://a.example/cb?code=${secrets.a_code}&state=${secrets.a_state}");
        let other = "https://a.example/zip?code=10115&state=BE";
        assert_eq!(url(other), other);
    }

    #[test]
    fn a_path_with_a_token_in_it_is_no_place_for_it() {
        let mut secrets = Secrets::default();
        for (url, wanted) in [
            (
                "https://bot.example/bot12:AAEhBOweik6ad9rQXMENQjcrbGqCr4K/x",
                "https://bot.example/bot12:${secrets.a_path}/x",
            ),
            (
                "https://hooks.example/services/T0/B0/XyZ01234567890123456789a",
                "https://hooks.example/services/T0/B0/${secrets.a_path_2}",
            ),
            (
                "https://shop.example/items/4f8e2f0a-0000-4000-8000-000000000000",
                "https://shop.example/items/4f8e2f0a-0000-4000-8000-000000000000",
            ),
            (
                "https://shop.example/The-Long-Title-Of-An-Article-From-2026",
                "https://shop.example/The-Long-Title-Of-An-Article-From-2026",
            ),
        ] {
            assert_eq!(secrets.url("a", url).0, wanted);
        }
    }

    #[test]
    fn values_go_nowhere() {
        let mut secrets = Secrets::default();
        let header = secrets.header("shop", "Authorization", "Bearer s3cr3t-token");
        assert_eq!(header, "Bearer ${secrets.shop_authorization}");
        let (url, user) = secrets.url("shop", "https://ann:p%40ss@shop.example/a?q=1&api_key=s3cr3t-key#x");
        assert_eq!(url, "https://shop.example/a?q=1&api_key=${secrets.shop_api_key}#x");
        assert_eq!(user, Some(("ann".to_owned(), Some("p@ss".to_owned()))));
        let body = secrets.json(
            "shop",
            "",
            &json!({ "user": "a ${x}", "password": "s3cr3t-token", "pin": 1234, "max_tokens": 5 }),
        );
        assert_eq!(
            body,
            json!({ "user": "a $${x}", "password": "${secrets.shop_authorization}", "pin": "${secrets.shop_pin}", "max_tokens": 5 })
        );
        let mut late = json!({ "path": ["/x/s3cr3t-key/y"] });
        secrets.sweep(&mut late);
        assert_eq!(late, json!({ "path": ["/x/${secrets.shop_api_key}/y"] }));
        assert_eq!(secrets.masked("it was s3cr3t-token"), "it was •••");
        let declared = secrets.declared("${secrets.shop_api_key}");
        assert_eq!(Value::Object(declared), json!({ "shop_api_key": { "env": "SHOP_API_KEY" } }));
    }
}
