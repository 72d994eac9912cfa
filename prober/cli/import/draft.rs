//! What comes of a file: scenarios and templates in the making, what they share, and what has no place here.

use serde_json::{Map, Value, json};

use super::secrets::Secrets;
use super::words::{duration, line, literal, name};
use super::yaml;

/// The most steps of a scenario.
pub(super) const STEPS_MAX: usize = 50;
/// The longest title.
const TITLE_BYTES_MAX: usize = 200;
/// The most scenarios that one file may become.
pub(super) const SCENARIOS_MAX: usize = 2_000;

/// All that comes of a file.
#[derive(Debug, Default)]
pub(super) struct Imported {
    pub(super) drafts: Vec<Draft>,
    pub(super) secrets: Secrets,
    /// Variables of the project, as they are written.
    pub(super) vars: Map<String, Value>,
    /// What no scenario can hold.
    pub(super) lost: Vec<String>,
    /// Whether some target has a private address.
    pub(super) is_private: bool,
}

/// What a draft becomes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Scenario,
    /// A template with the parameter `target` of this type.
    Template(&'static str),
}

/// A scenario or a template in the making.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) shape: Shape,
    pub(super) name: String,
    /// Keys at the top, in their order.
    pub(super) keys: Map<String, Value>,
    pub(super) steps: Vec<Map<String, Value>>,
    /// What has no place here.
    pub(super) lost: Vec<String>,
    /// What is worth to know and lost nothing.
    pub(super) notes: Vec<String>,
}

impl Imported {
    /// A new scenario; its name is made unique. `None` if there are too many.
    pub(super) fn scenario(&mut self, shown: &str, other: &str) -> Option<Draft> {
        self.draft(Shape::Scenario, shown, other)
    }

    /// A new draft; its name is made unique among those of its shape.
    pub(super) fn draft(&mut self, shape: Shape, shown: &str, other: &str) -> Option<Draft> {
        if self.drafts.len() >= SCENARIOS_MAX {
            return None;
        }
        let wanted = name(shown, &name(other, "imported"));
        let same = |one: &Draft| (one.shape == Shape::Scenario) == (shape == Shape::Scenario);
        let is_free = |name: &str| {
            self.drafts.iter().all(|draft| !(same(draft) && draft.name.eq_ignore_ascii_case(name)))
        };
        let more = (2..).map(|number| format!("{wanted}-{number}"));
        let name = std::iter::once(wanted.clone()).chain(more).find(|name| is_free(name))?;
        let mut keys = Map::new();
        if shape == Shape::Scenario && !shown.trim().is_empty() && name != shown.trim() {
            keys.insert("title".to_owned(), literal(&line(shown)).into());
        }
        Some(Draft { shape, name, keys, steps: Vec::new(), lost: Vec::new(), notes: Vec::new() })
    }

    /// Says what could not be imported.
    pub(super) fn lose(&mut self, what: impl Into<String>) {
        self.lost.push(what.into());
    }

    /// A host that is looked at: whether its address is private decides what prober.yaml allows.
    pub(super) fn target(&mut self, host: &str) {
        self.is_private |= is_private(host);
    }

    /// How many things could not be imported.
    pub(super) fn left_out(&self) -> usize {
        self.lost.len() + self.drafts.iter().map(|draft| draft.lost.len()).sum::<usize>()
    }

    /// Every file with its path, the project's first.
    pub(super) fn files(&self, from: &str) -> Vec<(String, String)> {
        let mut files: Vec<_> = self.drafts.iter().map(|draft| (draft.path(), self.text(draft))).collect();
        let all: String = files.iter().map(|(_, text)| text.as_str()).collect();
        files.insert(0, ("prober.yaml".to_owned(), self.project(from, &all)));
        files
    }

    /// The text of a draft.
    pub(super) fn text(&self, draft: &Draft) -> String {
        let mut keys = draft.whole();
        keys.values_mut().for_each(|value| self.secrets.sweep(value));
        let mut text = comments("", &draft.notes, &self.secrets);
        text += &comments("not imported: ", &draft.lost, &self.secrets);
        yaml::entries(&keys, 0, &mut text);
        text
    }

    fn project(&self, from: &str, used: &str) -> String {
        let mut text = format!("# Made from a file of {from}.\n");
        text += &comments("not imported: ", &self.lost, &self.secrets);
        let mut keys = Map::from_iter([("version".to_owned(), 1.into())]);
        keys.insert("scenarios".to_owned(), json!(["scenarios/*.yaml"]));
        if self.drafts.iter().any(|draft| draft.shape != Shape::Scenario) {
            keys.insert("include".to_owned(), json!(["templates/*.yaml"]));
        }
        let secrets = self.secrets.declared(used);
        if !self.vars.is_empty() {
            keys.insert("vars".to_owned(), Value::Object(self.vars.clone()));
        }
        if !secrets.is_empty() {
            keys.insert("secrets".to_owned(), Value::Object(secrets));
        }
        if self.is_private {
            keys.insert("network".to_owned(), json!({ "private": "allow" }));
        }
        yaml::entries(&keys, 0, &mut text);
        text
    }
}

impl Draft {
    /// Sets a key at the top.
    pub(super) fn key(&mut self, name: &str, value: impl Into<Value>) {
        let mut value = value.into();
        if let (Value::String(text), "title") = (&mut value, name) {
            text.truncate(text.floor_char_boundary(TITLE_BYTES_MAX));
        }
        self.keys.insert(name.to_owned(), value);
    }

    /// Says what could not be imported.
    pub(super) fn lose(&mut self, what: impl Into<String>) {
        self.lost.push(what.into());
    }

    /// Says what is worth to know.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }

    /// How often it is due and how long it may take; what does not fit together is told.
    pub(super) fn timing(&mut self, every_ms: Option<u64>, timeout_ms: Option<u64>) {
        let every = every_ms.unwrap_or(60_000).max(1_000);
        if every_ms.is_some_and(|asked| asked < 1_000) {
            self.lose("an interval below a second; it is 1s here");
        }
        self.key("every", duration(every));
        match timeout_ms {
            Some(timeout) if timeout >= every => {
                self.lose(format!("the timeout of {}: a run ends before the next is due", duration(timeout)));
                self.key("timeout", duration(every - every / 10));
            }
            Some(timeout) => self.key("timeout", duration(timeout)),
            // The default timeout is longer than short intervals.
            None if every <= 10_000 => self.key("timeout", duration(every - every / 10)),
            None => {}
        }
    }

    /// Where its file goes.
    fn path(&self) -> String {
        let folder = if self.shape == Shape::Scenario { "scenarios" } else { "templates" };
        format!("{folder}/{}.yaml", self.name)
    }

    /// Its keys as the file has them.
    fn whole(&self) -> Map<String, Value> {
        let mut rest = self.keys.clone();
        match self.steps.as_slice() {
            [step] => rest.extend(step.iter().filter(|(key, _)| *key != "name").map(own)),
            [] => {}
            steps => {
                let steps = steps.iter().cloned().map(Value::Object).collect();
                rest.insert("steps".to_owned(), steps);
            }
        }
        match self.shape {
            Shape::Scenario => {
                let mut keys = Map::from_iter([("name".to_owned(), self.name.clone().into())]);
                keys.extend(rest);
                keys
            }
            Shape::Template(kind) => {
                let params = json!({ "target": { "type": kind, "doc": "What is looked at." } });
                Map::from_iter([
                    ("template".to_owned(), self.name.clone().into()),
                    ("params".to_owned(), params),
                    ("body".to_owned(), Value::Object(rest)),
                ])
            }
        }
    }
}

fn own((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

fn comments(lead: &str, texts: &[String], secrets: &Secrets) -> String {
    texts.iter().fold(String::new(), |all, text| all + "# " + lead + &line(&secrets.masked(text)) + "\n")
}

/// Whether a host is one that only a private network knows.
fn is_private(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        return address.is_private() || address.is_loopback() || address.is_link_local();
    }
    if let Ok(address) = host.parse::<std::net::Ipv6Addr>() {
        return address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local();
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    !host.is_empty()
        && !host.contains("${")
        && (!host.contains('.')
            || matches!(last, "local" | "internal" | "lan" | "localhost" | "svc" | "home" | "corp"))
}

/// The host of a URL or of `host:port`.
pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(end) = authority.find(']') {
        return &authority[..=end];
    }
    match authority.rsplit_once(':') {
        Some((host, _)) if !host.contains(':') => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_hosts_are_known() {
        for (url, wanted) in [
            ("http://localhost:80/", true),
            ("https://10.0.0.1/x", true),
            ("[::1]:80", true),
            ("api.shop.svc:8080", true),
            ("https://shop.example/", false),
            ("https://203.0.113.9/", false),
            ("db:5432", true),
            ("fd00::1", true),
        ] {
            assert_eq!(is_private(host_of(url)), wanted, "{url}");
        }
    }

    #[test]
    fn names_stay_unique_and_the_shown_name_is_kept() {
        let mut imported = Imported::default();
        for wanted in ["Shop-home", "shop-home-2"] {
            let shown = if wanted == "Shop-home" { "Shop home" } else { "shop-home" };
            let draft = imported.scenario(shown, "").unwrap();
            assert_eq!(draft.name, wanted);
            assert!(draft.keys.contains_key("title"), "{shown}");
            imported.drafts.push(draft);
        }
    }
}
