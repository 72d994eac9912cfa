//! What assertions and captures look at.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use http::StatusCode;
use model::time::Timestamp;
use scenario::document::Document;
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};
use scenario::xml_path::XmlPath;

use super::body::Body;
use super::clock::Offset;
use super::page::{Choice, Page};
use super::shape::Shape;
use super::target::Target;
use super::trail::Answer;
use super::{cache, charset, facts, given};
use crate::json;
use crate::xml::Element;

/// What nginx, Apache and servers in Go say to plain text on a port where they speak TLS.
const PLAIN_TO_TLS: [&str; 3] = [
    "plain HTTP request was sent to HTTPS port",
    "plain HTTP to an SSL-enabled server port",
    "HTTP request to an HTTPS server",
];

/// The answer to the last request.
pub(super) struct HttpEvidence {
    pub(super) answer: Answer,
    pub(super) target: Arc<Target>,
    pub(super) redirects: usize,
    /// When the server's certificate ends, and the time now; `None` without TLS.
    pub(super) certificate: Option<(Timestamp, Timestamp)>,
    /// Whether a certificate of the client was there to be shown, and the server did not ask for one.
    pub(super) client_unasked: bool,
    /// By how much the target's clock differs, if the answer shows it.
    pub(super) clock: Option<Offset>,
    /// The body as JSON; parsed when somebody first asks.
    pub(super) json: OnceCell<Result<Document, String>>,
    /// The body as XML; parsed when somebody first asks.
    pub(super) xml: OnceCell<Result<Element, String>>,
    /// The body as HTML; parsed when somebody first asks.
    pub(super) page: OnceCell<Result<Page, String>>,
}

impl Evidence for HttpEvidence {
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a> {
        match (subject, selector) {
            ("status", _) => Reading::One(Value::Int(self.answer.status.as_u16().into())),
            ("headers", Selector::Header(name)) => given::reading(&self.answer.headers, name),
            ("json", Selector::JsonPath(path)) => self.json(path),
            ("xml", Selector::Xml(path)) => self.xml(path),
            ("css", Selector::Own(chosen)) => {
                chosen.made().map_or(Reading::Absent, |choice| self.css(choice))
            }
            ("json_schema", Selector::Rule(chosen)) => {
                chosen.made().map_or(Reading::Absent, |shape| self.fits(shape))
            }
            ("cache", _) => Reading::One(Value::Text(Cow::Borrowed(cache::word(&self.answer.headers)))),
            ("age", _) => match cache::age(&self.answer.headers) {
                Some(age) => Reading::One(Value::Duration(age)),
                None => Reading::Absent,
            },
            ("regex", Selector::Pattern(pattern)) => match self.text() {
                Ok(text) => Reading::matched(pattern, text),
                Err(why) => Reading::Unreadable(why),
            },
            ("body", _) => match self.text() {
                Ok(text) => Reading::One(Value::Text(text)),
                Err(why) => Reading::Unreadable(why),
            },
            ("size", _) => {
                whole(&self.answer.body, |bytes| Value::Int(i64::try_from(bytes.len()).unwrap_or(i64::MAX)))
            }
            ("http_version", _) => {
                Reading::One(Value::Text(Cow::Borrowed(facts::version(self.answer.version))))
            }
            ("clock_offset", _) => {
                self.clock.map_or(Reading::Absent, |offset| Reading::One(Value::Duration(offset.by)))
            }
            ("redirects", _) => Reading::One(Value::Int(i64::try_from(self.redirects).unwrap_or(i64::MAX))),
            ("url", _) => Reading::One(Value::Text(Cow::Borrowed(self.target.url.as_str()))),
            ("expires_in", _) => match self.certificate {
                Some((not_after, now)) => Reading::One(Value::Duration(not_after.since(now))),
                None => Reading::Absent,
            },
            _ => Reading::Absent,
        }
    }

    fn explain(&self, subject: &str) -> Option<String> {
        let why = match self.answer.status {
            _ if subject != "status" => return None,
            // It may also ask only once it knows the path, and refuses who cannot answer then (RFC 8446, section 4.6.2).
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.client_unasked => {
                "the server did not ask for the client's certificate in the handshake; to be asked for it later \
                 (post-handshake authentication) is beyond this version of prober"
            }
            StatusCode::BAD_REQUEST if self.wants_tls() => "the server speaks TLS on this port: use https:",
            _ => return None,
        };
        Some(why.to_owned())
    }
}

impl HttpEvidence {
    /// Whether the server says that it was asked in plain text where it speaks TLS.
    fn wants_tls(&self) -> bool {
        let says = |text: Cow<'_, str>| PLAIN_TO_TLS.iter().any(|words| text.contains(words));
        self.target.scheme() == "http" && self.text().is_ok_and(says)
    }

    /// The body as text, or why it is none.
    fn text(&self) -> Result<Cow<'_, str>, String> {
        match self.answer.body.trouble() {
            Some(why) => Err(why.to_owned()),
            None => charset::text(self.answer.body.bytes(), &self.answer.headers),
        }
    }

    fn json(&self, path: &serde_json_path::JsonPath) -> Reading<'_> {
        let parsed = self.json.get_or_init(|| parse(&self.answer));
        match parsed {
            Ok(json) => json.at(path),
            Err(why) => Reading::Unreadable(why.clone()),
        }
    }
}

impl HttpEvidence {
    fn fits(&self, shape: &Shape) -> Reading<'_> {
        match self.json.get_or_init(|| parse(&self.answer)) {
            Ok(json) => Reading::One(shape.look(json.tree(), self.answer.body.bytes().len())),
            Err(why) => Reading::Unreadable(why.clone()),
        }
    }

    fn css(&self, choice: &Choice) -> Reading<'_> {
        let page = self.page.get_or_init(|| Page::read(&self.text()?));
        match page {
            Ok(page) => page.take(choice),
            Err(why) => Reading::Unreadable(why.clone()),
        }
    }

    fn xml(&self, path: &XmlPath) -> Reading<'_> {
        let parsed = self.xml.get_or_init(|| {
            Element::parse(self.text()?.as_bytes()).map_err(|error| {
                let what = if error.is_ours() { "no XML that is read here" } else { "not well-formed XML" };
                format!("the body is {what}: {error}")
            })
        });
        let root = match parsed {
            Ok(root) => root,
            Err(why) => return Reading::Unreadable(why.clone()),
        };
        Reading::of(root.find(path).into_iter().map(|text| Value::Text(Cow::Borrowed(text))).collect())
    }
}

fn parse(answer: &Answer) -> Result<Document, String> {
    let body = &answer.body;
    if let Some(why) = body.trouble() {
        return Err(why.to_owned());
    }
    let bytes = body.bytes();
    if bytes.is_empty() {
        return Err("the body is empty".to_owned());
    }
    let bytes = charset::in_utf8(bytes, &answer.headers);
    Document::parse(&bytes).map_err(|error| json::unreadable("body", &error))
}

fn whole<'a>(body: &'a Body, value: impl FnOnce(Cow<'a, [u8]>) -> Value<'a>) -> Reading<'a> {
    match body.trouble() {
        Some(why) => Reading::Unreadable(why.to_owned()),
        None => Reading::One(value(body.bytes())),
    }
}
