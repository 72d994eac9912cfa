//! What an entry says of its answer: implicit checks, captures, asserts.

use serde_json::{Map, Value, json};

use super::super::expect::Expect;
use super::super::secrets::is_secret;
use super::super::words::variable;
use super::entry::{Body, Entry, Section, quoted_variables};
use super::{Flow, said};

impl Flow<'_> {
    pub(super) fn response(&mut self, entry: &Entry, expect: &mut Expect) {
        let Some((version, status)) = &entry.response else { return };
        if let Some(status) = status {
            let _first = expect.add("status", json!(status));
        }
        if let Some(version) = version {
            let _first = expect.add("http_version", json!(version));
        }
        for (name, value) in &entry.answer_headers {
            let value = self.own(value);
            if !expect.add_under("headers", name, value.into()) {
                self.draft.lose(format!("the header {name} of an answer: it is there twice"));
            }
        }
        match &entry.answer_body {
            Body::Nothing => {}
            Body::Json(text) => {
                let wanted = serde_json::from_str::<Value>(&quoted_variables(text)).ok().map(|mut value| {
                    self.fill(&mut value);
                    json!({ "equals": value })
                });
                if !wanted.is_some_and(|wanted| expect.add_under("json", "$", wanted)) {
                    self.draft.lose("the body of an answer: it is compared with `json`");
                }
            }
            Body::Text(text) => {
                let text = self.own(text);
                if !expect.add("body", json!({ "equals": text })) {
                    self.draft.lose("the body of an answer");
                }
            }
            Body::File(_) => self.draft.lose("the body of an answer: it stands in a file"),
            Body::Unknown(what) => self.draft.lose(format!("in an answer: {what}")),
        }
    }

    pub(super) fn captures(&mut self, entry: &Entry) -> Map<String, Value> {
        let mut captures = Map::new();
        // What is captured is written like an assert: its escapes are its own.
        let lines = entry.lines_of(Section::Captures).filter_map(|line| line.split_once(':'));
        for (name, query) in lines.map(|(name, query)| (name.trim(), query.trim())) {
            let own = variable(name);
            match said::capture(query) {
                Ok(mut from) => {
                    if is_secret(name, "") || query.ends_with("redact") {
                        from["secret"] = true.into();
                    }
                    captures.insert(own.clone(), from);
                    self.captured.push(own);
                }
                Err(why) => self.draft.lose(format!("the capture {name}: {why}")),
            }
        }
        captures
    }

    pub(super) fn assert(&mut self, line: &str, expect: &mut Expect) -> Result<(), String> {
        let mut told = said::assert(line)?;
        self.fill(&mut told.wanted);
        let added = match &told.part {
            Some(part) => expect.add_under(told.subject, part, told.wanted),
            None if told.subject == "latency" => {
                if !self.only {
                    return Err("how long one of several steps takes is not judged".to_owned());
                }
                if self.draft.keys.contains_key("sli") {
                    return Err("another one says how long it may take".to_owned());
                }
                self.draft.key("sli", json!({ "good": { "latency": told.wanted } }));
                true
            }
            None => expect.add(told.subject, told.wanted),
        };
        if added { Ok(()) } else { Err("another one says something of the same".to_owned()) }
    }

    /// Variables in what an assert compares with.
    fn fill(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.own(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Object(map) => map.values_mut().for_each(|value| self.fill(value)),
            _ => {}
        }
    }
}
