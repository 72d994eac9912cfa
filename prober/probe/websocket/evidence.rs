//! What assertions and captures look at.

use std::cell::OnceCell;

use scenario::document::Document;
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};

use super::handshake::Opened;
use super::talk::Heard;
use crate::http::given;
use crate::octets::Encoding;

/// What an open WebSocket showed.
pub(super) struct WebSocketEvidence {
    pub(super) opened: Opened,
    pub(super) heard: Heard,
    pub(super) encoding: Encoding,
    /// The last message as JSON; parsed when somebody first asks.
    pub(super) json: OnceCell<Result<Document, String>>,
}

impl Evidence for WebSocketEvidence {
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a> {
        let text = |bytes: &'a Vec<u8>| Value::Text(self.encoding.show(bytes));
        let one = |value: Option<Value<'a>>| value.map_or(Reading::Absent, Reading::One);
        match (subject, selector) {
            ("message", _) => one(self.heard.messages.last().map(text)),
            ("messages", _) => one(Some(Value::List(self.heard.messages.iter().map(text).collect()))),
            ("json", Selector::JsonPath(path)) => self.json(path),
            ("subprotocol", _) => {
                one(self.opened.subprotocol.as_deref().map(|name| Value::Text(name.into())))
            }
            ("headers", Selector::Header(name)) => given::reading(&self.opened.headers, name),
            ("close_code", _) => one(self.heard.closed.as_ref().map(|(code, _)| Value::Int((*code).into()))),
            ("close_reason", _) => {
                one(self.heard.closed.as_ref().map(|(_, reason)| Value::Text(reason.as_str().into())))
            }
            ("size", _) => {
                let size: usize = self.heard.messages.iter().map(Vec::len).sum();
                one(Some(Value::Int(i64::try_from(size).unwrap_or(i64::MAX))))
            }
            _ => Reading::Absent,
        }
    }
}

impl WebSocketEvidence {
    fn json(&self, path: &serde_json_path::JsonPath) -> Reading<'_> {
        let parsed = self.json.get_or_init(|| {
            let last = self.heard.messages.last().ok_or("no message came")?;
            Document::parse(last).map_err(|error| crate::json::unreadable("message", &error))
        });
        match parsed {
            Ok(json) => json.at(path),
            Err(why) => Reading::Unreadable(why.clone()),
        }
    }
}
