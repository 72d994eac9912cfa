//! The options of an entry: those of a request, and how often it is tried.

use serde_json::{Map, Value, json};

use super::super::words::{duration, literal, millis, variable};
use super::{EVERY_MS, Flow};

/// The longest time that one step asks again.
const ASKING_MS_MAX: u64 = 120_000;
/// How long hurl waits between two tries if nothing is said.
const RETRY_INTERVAL_MS: u64 = 1_000;
/// The most time that all steps together have.
const WHOLE_MS_MAX: u64 = EVERY_MS - EVERY_MS / 10;

impl Flow<'_> {
    /// Gives the run the time that its steps may ask again.
    pub(super) fn whole_time(&mut self) {
        if self.asking_ms == 0 {
            return;
        }
        let wanted = self.asking_ms + 30_000;
        if wanted > WHOLE_MS_MAX {
            let whole = duration(WHOLE_MS_MAX);
            self.draft.lose(format!(
                "retry: all entries together may take {} there, and {whole} here",
                duration(wanted)
            ));
        }
        self.draft.timing(Some(EVERY_MS), Some(wanted.min(WHOLE_MS_MAX)));
    }

    /// `retry` of hurl asks until everything holds that is said of the answer: that is a poll.
    pub(super) fn again(&mut self, options: &[(String, String)], step: &mut Map<String, Value>) {
        let of =
            |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let Some(retries) = of("retry") else { return };
        let interval = match of("retry-interval") {
            Some(text) => millis(text, Some(1.0)),
            None => Some(RETRY_INTERVAL_MS),
        };
        let (Ok(retries), Some(interval)) = (retries.parse::<u64>(), interval) else {
            return self.draft.lose(format!("retry: {retries}; ask again with `poll`, which ends"));
        };
        if retries == 0 {
            return;
        }
        let every = interval.clamp(100, ASKING_MS_MAX / 2);
        let wanted = retries.saturating_mul(every).saturating_add(every);
        let timeout = wanted.min(ASKING_MS_MAX);
        if every != interval || timeout != wanted {
            let shown = (duration(every), duration(timeout));
            self.draft.lose(format!("retry: {retries}; it asks every {} for {} here", shown.0, shown.1));
        }
        self.asking_ms += timeout;
        let until = step.get("expect").cloned().unwrap_or_default();
        let poll = json!({ "every": duration(every), "timeout": duration(timeout), "until": until });
        step.insert("poll".to_owned(), poll);
        if step.shift_remove("timeout").is_some() {
            self.draft.lose("max-time: beside retry, the poll as a whole has a time here");
        }
    }

    pub(super) fn option(
        &mut self,
        option: &str,
        value: &str,
        keys: &mut Map<String, Value>,
        step: &mut Map<String, Value>,
    ) {
        let is_true = value == "true";
        match option {
            "user" => match value.split_once(':') {
                Some((user, password)) => self.basic(user, password, keys),
                None => self.draft.lose("the option user: it has no password"),
            },
            "insecure" if is_true => {
                drop(keys.insert("insecure".to_owned(), "insecure in the hurl file".into()));
            }
            "compressed" if !is_true => drop(keys.insert("compression".to_owned(), false.into())),
            // What says how many redirects are followed is looked at together.
            "location" | "location-trusted" | "max-redirs" | "skip" | "compressed" | "verbose"
            | "very-verbose" | "insecure" | "retry" | "retry-interval" => {}
            "http1.1" if is_true => drop(keys.insert("http_version".to_owned(), "1.1".into())),
            "http2" if is_true => drop(keys.insert("http_version".to_owned(), "2".into())),
            "ipv4" if is_true => drop(keys.insert("ip".to_owned(), "4".into())),
            "ipv6" if is_true => drop(keys.insert("ip".to_owned(), "6".into())),
            "cacert" => drop(keys.insert("ca".to_owned(), literal(value).into())),
            "proxy" => {
                let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
                let url = self.own(&url);
                keys.insert("proxy".to_owned(), url.into());
            }
            "max-time" => match millis(value, Some(1000.0)) {
                Some(ms) => drop(step.insert("timeout".to_owned(), duration(ms).into())),
                None => self.draft.lose(format!("max-time: {value}")),
            },
            "http3" if is_true => drop(keys.insert("http_version".to_owned(), "3".into())),
            "header" => self.header(value, keys),
            "user-agent" => {
                let value = self.own(value);
                keys.entry("headers").or_insert_with(|| json!({}))["User-Agent"] = value.into();
            }
            "connect-to" => self.connect_to(value, keys),
            // Behind a colon stands a password.
            "cert" | "key" if value.contains([':', '{']) => {
                self.draft.lose(format!(
                    "the option {option}: a file whose name is a variable or that has a password"
                ));
            }
            "cert" => of_certificate(keys, "cert", "key", value),
            "key" => of_certificate(keys, "key", "cert", value),
            "variable" => {
                if let Some((name, value)) = value.split_once('=') {
                    self.imported
                        .vars
                        .entry(variable(name))
                        .or_insert_with(|| literal(value.trim_matches('"')).into());
                }
            }
            other => self.draft.lose(format!("the option {other}")),
        }
    }

    fn header(&mut self, value: &str, keys: &mut Map<String, Value>) {
        let Some((name, value)) = value.split_once(':') else {
            return self.draft.lose("the option header: it has no value");
        };
        let (name, value) = (name.trim(), value.trim());
        let value = self.value(name, value);
        keys.entry("headers").or_insert_with(|| json!({}))[name] = value.into();
    }

    /// `HOST:PORT:TO:TO_PORT`
    fn connect_to(&mut self, value: &str, keys: &mut Map<String, Value>) {
        match value.rsplitn(3, ':').collect::<Vec<_>>().as_slice() {
            [port, host, _] if !host.is_empty() && !port.is_empty() => {
                self.imported.target(host);
                keys.insert("connect_to".to_owned(), literal(&format!("{host}:{port}")).into());
            }
            _ => self.draft.lose("the option connect-to: it names no host and port to connect to"),
        }
    }
}

/// One of the two files that are shown to a server that asks who the client is; it is the other one as well if that is not named.
fn of_certificate(keys: &mut Map<String, Value>, name: &str, other: &str, path: &str) {
    let files = keys.entry("client_certificate").or_insert_with(|| json!({}));
    files[name] = literal(path).into();
    if files.get(other).is_none() {
        files[other] = literal(path).into();
    }
}
