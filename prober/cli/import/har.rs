//! A recording of a browser (HTTP archive): one scenario for each page, a step for each request that matters.
//!
//! Pages, forms and calls of the recorded site matter; images, styles, scripts and other sites do not, and are told.

use model::time::Timestamp;
use serde_json::{Map, Value, json};

use super::Given;
use super::draft::{Draft, Imported, STEPS_MAX, host_of};
use super::expect::Expect;
use super::load::bare;
use super::words::{at, list, literal, name, status, text, unreferenced};
use crate::exit::Stop;

/// The most requests that are looked at.
const ENTRIES_MAX: usize = 20_000;
/// Methods that a step can have.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Headers that a browser adds by itself, and what begins like them.
const BROWSERS: [&str; 22] = [
    "host",
    "connection",
    "content-length",
    "accept-encoding",
    "upgrade-insecure-requests",
    "cache-control",
    "pragma",
    "if-none-match",
    "if-modified-since",
    "dnt",
    "te",
    "priority",
    "user-agent",
    "accept-language",
    "referer",
    "origin",
    "x-requested-with",
    "save-data",
    "range",
    "sec-",
    ":",
    "purpose",
];

/// Reads the recording.
pub(super) fn read(given: &Given) -> Result<Imported, Stop> {
    let root: Value = serde_json::from_str(&given.text).map_err(|error| {
        Stop::file(format!("{}:{}:{}: {}", given.path, error.line(), error.column(), bare(&error)))
    })?;
    let mut entries = list(&root, &["log", "entries"]);
    in_time(&mut entries);
    if entries.is_empty() {
        return Err(Stop::file(format!("{} has no `log.entries`", given.path)));
    }
    if entries.len() > ENTRIES_MAX {
        return Err(Stop::file(format!("{} has more than {ENTRIES_MAX} requests", given.path)));
    }
    let mut imported = Imported::default();
    let first = entries.iter().find(|entry| kind(entry) == "document").or(entries.first());
    let site = first
        .and_then(|entry| text(entry, &["request", "url"]))
        .map(|url| host_of(&url).to_owned())
        .unwrap_or_default();
    let mut pages: Vec<(String, Vec<&Value>)> = Vec::new();
    for entry in entries {
        let page = text(entry, &["pageref"]).unwrap_or_default();
        match pages.iter_mut().find(|(known, _)| *known == page) {
            Some((_, of)) => of.push(entry),
            None => pages.push((page, vec![entry])),
        }
    }
    for (page, entries) in pages {
        let titles = list(&root, &["log", "pages"]);
        let title = titles
            .into_iter()
            .find(|one| text(one, &["id"]).as_deref() == Some(&page))
            .and_then(|one| text(one, &["title"]));
        // Chrome gives the address for a title.
        let title = title.filter(|title| !title.contains("://")).unwrap_or_else(|| given.stem.clone());
        of_page(&title, &site, &entries, &mut imported);
    }
    Ok(imported)
}

/// Puts the requests in the order in which they were sent, as a recording need not have them in that order.
fn in_time(entries: &mut [&Value]) {
    let time = |entry: &&Value| text(entry, &["startedDateTime"])?.parse::<Timestamp>().ok();
    if entries.iter().all(|entry| time(entry).is_some()) {
        entries.sort_by_key(time);
    }
}

/// What a request is for, in Chrome's words; found out if the recording does not say it.
fn kind(entry: &Value) -> String {
    if let Some(kind) = text(entry, &["_resourceType"]) {
        return kind;
    }
    let mime = text(entry, &["response", "content", "mimeType"]).unwrap_or_default().to_ascii_lowercase();
    let method = text(entry, &["request", "method"]).unwrap_or_default();
    let url = text(entry, &["request", "url"]).unwrap_or_default();
    let found = match &*mime {
        _ if url.starts_with("ws") => "websocket",
        mime if mime.contains("html") => "document",
        mime if mime.contains("json") || mime.contains("xml") && !mime.contains("svg") => "xhr",
        mime if mime.starts_with("image/") => "image",
        mime if mime.starts_with("font/") || mime.contains("font") => "font",
        mime if mime.contains("css") => "stylesheet",
        mime if mime.contains("javascript") || mime.contains("ecmascript") => "script",
        _ if method != "GET" => "xhr",
        _ if text(entry, &["response", "redirectURL"]).is_some_and(|to| !to.is_empty()) => "document",
        _ => "other",
    };
    found.to_owned()
}

fn of_page(title: &str, site: &str, entries: &[&Value], imported: &mut Imported) {
    let Some(mut draft) = imported.scenario(title, "recording") else { return };
    draft.key("aim", format!("What was recorded at {} works.", literal(site)));
    draft.timing(Some(300_000), Some(60_000));
    let mut page = Page {
        site,
        imported,
        draft: &mut draft,
        browsers: Vec::new(),
        cookies: Vec::new(),
        assets: Vec::new(),
    };
    for entry in entries {
        page.entry(entry);
    }
    page.told();
    if draft.steps.is_empty() {
        imported.lost.append(&mut draft.lost);
        return imported.lose(format!("the page {title}: no request of it matters"));
    }
    imported.drafts.push(draft);
}

struct Page<'a> {
    site: &'a str,
    imported: &'a mut Imported,
    draft: &'a mut Draft,
    /// Headers that were left to whoever asks.
    browsers: Vec<String>,
    /// Names of cookies that answers set: a flow keeps them by itself.
    cookies: Vec<String>,
    /// Kinds of requests that do not matter, with their number.
    assets: Vec<(String, usize)>,
}

impl Page<'_> {
    fn entry(&mut self, entry: &Value) {
        let (Some(url), Some(method)) =
            (text(entry, &["request", "url"]), text(entry, &["request", "method"]))
        else {
            return self.draft.lose("a request without a URL or a method");
        };
        let kind = kind(entry);
        let shown = format!("{method} {}", url.split(['?', '#']).next().unwrap_or_default());
        let host = host_of(&url);
        if !url.starts_with("http") {
            return self.asset(if url.starts_with("ws") { "websocket" } else { "inner" });
        }
        if !is_of(host, self.site) {
            return self.asset(&format!("to {host}"));
        }
        if method == "CONNECT" {
            return self.asset("tunnel");
        }
        if !METHODS.contains(&&*method) {
            return self.draft.lose(format!("{shown}: there is no such method here"));
        }
        if !matches!(&*kind, "document" | "xhr" | "fetch" | "other")
            || (kind == "other" && method == "GET")
            || method == "OPTIONS"
        {
            return self.asset(if method == "OPTIONS" { "preflight" } else { &kind });
        }
        let Some(code) = text(entry, &["response", "status"]).and_then(|text| status(&text)) else {
            return self.draft.lose(format!("{shown}: it had no answer"));
        };
        if code >= 500 {
            return self.draft.lose(format!("{shown}: it failed when it was recorded ({code})"));
        }
        if text(entry, &["request", "postData", "mimeType"]).is_some_and(|mime| mime.contains("multipart")) {
            return self.draft.lose(format!("{shown}: a form with files; write it under `multipart`"));
        }
        if self.draft.steps.len() >= STEPS_MAX {
            return self.draft.lose(format!("{shown}: a scenario has at most {STEPS_MAX} steps"));
        }
        self.step(entry, (&url, &method), code);
        for header in list(entry, &["response", "headers"]) {
            if text(header, &["name"]).is_some_and(|name| name.eq_ignore_ascii_case("set-cookie")) {
                let value = text(header, &["value"]).unwrap_or_default();
                self.cookies
                    .extend(value.lines().filter_map(|line| Some(line.split_once('=')?.0.trim().to_owned())));
            }
        }
    }

    fn asset(&mut self, kind: &str) {
        match self.assets.iter_mut().find(|(known, _)| known == kind) {
            Some((_, count)) => *count += 1,
            None => self.assets.push((kind.to_owned(), 1)),
        }
    }

    fn step(&mut self, entry: &Value, (url, method): (&str, &str), code: u16) {
        let hint = self.draft.name.clone();
        self.imported.target(host_of(url));
        let (asked, user) = self.imported.secrets.url(&hint, url.split('#').next().unwrap_or(url));
        let path = asked.split('?').next().unwrap_or_default().trim_end_matches('/');
        let last = unreferenced(path.rsplit('/').next().unwrap_or_default());
        let number = self.draft.steps.len() + 1;
        let called = name(&format!("{number}-{}-{last}", method.to_ascii_lowercase()), "step");
        let mut keys = Map::from_iter([("url".to_owned(), asked.into())]);
        if method != "GET" {
            keys.insert("method".to_owned(), method.into());
        }
        keys.insert("follow".to_owned(), 0.into());
        self.headers(entry, &mut keys);
        self.body(entry, &mut keys);
        if let Some((user, Some(password))) = user {
            let user = self.imported.secrets.user(&hint, &user, &password);
            let password = self.imported.secrets.keep(&format!("{hint}_password"), &password);
            keys.insert("auth".to_owned(), json!({ "basic": { "user": user, "password": password } }));
        }
        let mut step =
            Map::from_iter([("name".to_owned(), called.into()), ("http".to_owned(), Value::Object(keys))]);
        let mut expect = Expect::default();
        // What a browser had already, a prober asks for whole.
        let _first = expect.add("status", if code == 304 { json!(200) } else { json!(code) });
        expect.into_step(&mut step);
        self.draft.steps.push(step);
    }

    fn headers(&mut self, entry: &Value, keys: &mut Map<String, Value>) {
        let mut headers = Map::new();
        for header in list(entry, &["request", "headers"]) {
            let (Some(name), Some(value)) = (text(header, &["name"]), text(header, &["value"])) else {
                continue;
            };
            let lower = name.to_ascii_lowercase();
            let is_browsers = BROWSERS
                .iter()
                .any(|known| lower == *known || (known.ends_with(['-', ':']) && lower.starts_with(known)));
            if is_browsers {
                if !self.browsers.contains(&lower) && !lower.starts_with(':') {
                    self.browsers.push(lower);
                }
            } else if lower == "cookie" {
                self.cookie(&value, &mut headers);
            } else {
                let hint = self.draft.name.clone();
                headers.insert(name.clone(), self.imported.secrets.header(&hint, &name, &value).into());
            }
        }
        if !headers.is_empty() {
            keys.insert("headers".to_owned(), Value::Object(headers));
        }
    }

    /// Cookies that no answer set before are a secret; the others the flow keeps itself.
    fn cookie(&mut self, value: &str, headers: &mut Map<String, Value>) {
        let is_new = |pair: &&str| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name).trim();
            !self.cookies.iter().any(|known| known == name)
        };
        let left: Vec<&str> =
            value.split(';').map(str::trim).filter(|pair| !pair.is_empty()).filter(is_new).collect();
        if !left.is_empty() {
            let hint = format!("{}_cookie", self.draft.name);
            headers.insert("Cookie".to_owned(), self.imported.secrets.keep(&hint, &left.join("; ")).into());
        }
    }

    fn body(&mut self, entry: &Value, keys: &mut Map<String, Value>) {
        let Some(post) = at(entry, &["request", "postData"]) else { return };
        let hint = self.draft.name.clone();
        let mime = text(post, &["mimeType"]).unwrap_or_default();
        let body = text(post, &["text"]).unwrap_or_default();
        let params = list(post, &["params"]);
        let pairs: Vec<(String, String)> = params
            .iter()
            .filter_map(|one| Some((text(one, &["name"])?, text(one, &["value"]).unwrap_or_default())))
            .map(|(name, value)| {
                (
                    super::secrets::decoded(&name.replace('+', " ")),
                    super::secrets::decoded(&value.replace('+', " ")),
                )
            })
            .collect();
        let once = pairs
            .iter()
            .enumerate()
            .all(|(at, (name, _))| pairs[..at].iter().all(|(other, _)| other != name));
        if mime.contains("json")
            && let Ok(value) = serde_json::from_str::<Value>(&body)
        {
            keys.insert("json".to_owned(), self.imported.secrets.json(&hint, "", &value));
        } else if mime.contains("urlencoded") && !pairs.is_empty() && once {
            let mut form = Map::new();
            for (name, value) in pairs {
                let value = self.imported.secrets.value(&hint, &name, &value);
                form.insert(literal(&name), value.into());
            }
            keys.insert("form".to_owned(), Value::Object(form));
        } else if !body.is_empty() {
            keys.insert("body".to_owned(), self.imported.secrets.body(&hint, &body).into());
            let says = keys
                .get("headers")
                .and_then(Value::as_object)
                .is_some_and(|all| all.keys().any(|name| name.eq_ignore_ascii_case("content-type")));
            if !says && !mime.is_empty() {
                keys.insert("content_type".to_owned(), literal(&mime).into());
            }
            return;
        }
        // It is set by what is sent.
        if let Some(headers) = keys.get_mut("headers").and_then(Value::as_object_mut) {
            headers.retain(|name, _| !name.eq_ignore_ascii_case("content-type"));
            if headers.is_empty() {
                keys.shift_remove("headers");
            }
        }
    }

    fn told(&mut self) {
        let sent: Vec<&str> =
            self.draft.steps.iter().filter_map(|step| step["http"]["method"].as_str()).collect();
        if sent.iter().any(|method| !matches!(*method, "GET" | "HEAD" | "OPTIONS")) {
            self.draft.note("each run sends again what was recorded; see that it may, and that it is cleaned up (`teardown`)");
        }
        for (kind, count) in std::mem::take(&mut self.assets) {
            let requests = if count == 1 { "1 request".to_owned() } else { format!("{count} requests") };
            let what = if kind.starts_with("to ") { kind } else { format!("of the kind {kind}") };
            self.draft.lose(format!("{requests} {what}"));
        }
        if !self.browsers.is_empty() {
            let all = std::mem::take(&mut self.browsers).join(", ");
            self.draft.lose(format!("headers that a browser adds: {all}"));
        }
    }
}

/// Whether the host is the recorded site's, or one beside it.
fn is_of(host: &str, site: &str) -> bool {
    let part = |host: &str| {
        // `shop.co.uk` and `bank.co.uk` are not beside one another.
        let mut ends = host.rsplit('.');
        let is_two =
            ends.next().is_some_and(|last| last.len() == 2) && ends.next().is_some_and(|end| end.len() <= 3);
        let mut labels: Vec<&str> = host.rsplit('.').take(if is_two { 3 } else { 2 }).collect();
        labels.reverse();
        labels.join(".")
    };
    let is_address = site.parse::<std::net::IpAddr>().is_ok();
    host == site || (!is_address && site.contains('.') && part(host) == part(site))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_beside_the_site_are_of_it() {
        for (host, site, wanted) in [
            ("shop.example", "shop.example", true),
            ("api.shop.example", "www.shop.example", true),
            ("cdn.example", "shop.example", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("10.0.0.1", "9.0.0.1", false),
            ("bank.co.uk", "shop.co.uk", false),
            ("api.shop.co.uk", "www.shop.co.uk", true),
        ] {
            assert_eq!(is_of(host, site), wanted, "{host} {site}");
        }
    }
}
