//! What the pages of a listing say, added up.

use model::outcome::{Failure, FailureClass, cut};
use model::time::Timestamp;
use percent_encoding::percent_decode_str;
use scenario::kind::Evidence;
use scenario::value::{Reading, Selector, Value};

use crate::xml::Element;

/// The longest message of a server that is passed on.
const SAID_MAX: usize = 200;

/// The objects listed so far.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) objects: u64,
    pub(super) bytes: u64,
    newest: Option<Object>,
    oldest: Option<Timestamp>,
    /// Why the listing was not read to its end.
    pub(super) cut: Option<String>,
}

/// One object of a listing.
#[derive(Clone, Debug)]
struct Object {
    key: String,
    bytes: u64,
    modified: Timestamp,
}

/// What an answer says beside its objects.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There are no more pages.
    End,
    /// The next page is had with this token.
    Page(String),
}

impl Listing {
    /// Adds the objects of one page, whose keys begin with `prefix`, and says how to go on.
    ///
    /// # Errors
    /// Class `protocol`, `s3.protocol`: the page is not what a listing has to be.
    pub(super) fn add(&mut self, page: &[u8], prefix: &str) -> Result<Next, Failure> {
        let root = Element::parse(page).map_err(|error| wrong(&format!("not XML: {error}")))?;
        if &*root.name != "ListBucketResult" {
            let name = cut(root.name.to_string(), 40);
            // Some servers find out only after the status.
            let said = error_in(&root).map(|(code, message)| format!(" ({})", shown(&code, &message)));
            return Err(wrong(&format!("`{name}` and not `ListBucketResult`{}", said.unwrap_or_default())));
        }
        let encoded = root.text_of("EncodingType") == Some("url");
        for element in root.children.iter().filter(|child| &*child.name == "Contents") {
            let object = Object::of(element, encoded)?;
            // What a server lists without regard to the prefix says nothing of the objects that were asked for.
            if !object.key.starts_with(prefix) {
                let key = cut(object.key, 80);
                return Err(wrong(&format!("it has `{key}`, which does not begin with the prefix")));
            }
            self.note(object);
        }
        match (root.text_of("IsTruncated"), root.text_of("NextContinuationToken")) {
            (Some("true"), Some(token)) if !token.is_empty() => Ok(Next::Page(token.to_owned())),
            (Some("true"), _) => Err(wrong("cut off without saying how to go on")),
            _ => Ok(Next::End),
        }
    }

    fn note(&mut self, object: Object) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(object.bytes);
        let at = object.modified;
        self.oldest = Some(self.oldest.map_or(at, |known| known.min(at)));
        if self.newest.as_ref().is_none_or(|known| known.modified < at) {
            self.newest = Some(object);
        }
    }
}

impl Object {
    fn of(element: &Element, encoded: bool) -> Result<Self, Failure> {
        let part = |name: &str| {
            element.text_of(name).ok_or_else(|| wrong(&format!("without the `{name}` of an object")))
        };
        let key = element
            .child("Key")
            .map(|key| key.text.as_str())
            .ok_or_else(|| wrong("without an object's `Key`"))?;
        let key = if encoded {
            percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
        } else {
            key.to_owned()
        };
        let bytes = part("Size")?.parse().map_err(|_| wrong("an object's `Size` is no number of bytes"))?;
        let modified =
            part("LastModified")?.parse().map_err(|_| wrong("an object's `LastModified` is no time"))?;
        Ok(Self { key, bytes, modified })
    }
}

impl Evidence for Listing {
    fn read<'a>(&'a self, subject: &str, _: &Selector) -> Reading<'a> {
        if let Some(why) = &self.cut {
            return match (subject, i64::try_from(self.objects)) {
                ("objects", Ok(seen)) => Reading::AtLeast(seen, why.clone()),
                _ => Reading::Unreadable(why.clone()),
            };
        }
        let number = |number: u64| Reading::One(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)));
        match (subject, &self.newest) {
            ("objects", _) => number(self.objects),
            ("size", _) => number(self.bytes),
            ("oldest", _) => self.oldest.map_or(Reading::Absent, |at| Reading::One(Value::Time(at))),
            ("newest", Some(newest)) => Reading::One(Value::Time(newest.modified)),
            ("newest_key", Some(newest)) => Reading::One(Value::Text(newest.key.as_str().into())),
            ("newest_size", Some(newest)) => number(newest.bytes),
            _ => Reading::Absent,
        }
    }
}

/// What a server says went wrong: a code that is one word, and its message.
pub(super) fn error_of(body: &[u8]) -> Option<(String, String)> {
    error_in(&Element::parse(body).ok()?)
}

fn error_in(root: &Element) -> Option<(String, String)> {
    if &*root.name != "Error" {
        return None;
    }
    let code = root.text_of("Code")?;
    let word = !code.is_empty() && code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let message = root.text_of("Message").unwrap_or_default();
    word.then(|| (code.to_owned(), cut(message.to_owned(), SAID_MAX)))
}

/// A code and its message for people.
pub(super) fn shown(code: &str, message: &str) -> String {
    if message.is_empty() { code.to_owned() } else { format!("{code}: {message}") }
}

/// The failure of an answer that is no listing.
pub(super) fn wrong(what: &str) -> Failure {
    let message = format!("the server's answer is no listing of a bucket: {what}");
    Failure::new(FailureClass::Protocol, "s3.protocol", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: &str = "<Contents><Key>a+b%2F%C3%BC</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
                          <ETag>&quot;x&quot;</ETag><Size>7</Size></Contents>";

    fn page(inner: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}</ListBucketResult>"
        )
    }

    #[test]
    fn pages_add_up() {
        let mut listing = Listing::default();
        let first = page(&format!(
            "<EncodingType>url</EncodingType>{OBJECT}<IsTruncated>true</IsTruncated><NextContinuationToken>t1</NextContinuationToken>"
        ));
        assert_eq!(listing.add(first.as_bytes(), "").unwrap(), Next::Page("t1".into()));
        let older = OBJECT.replace("2026", "2025").replace("a+b%2F%C3%BC", "plain+key");
        assert_eq!(
            listing.add(page(&format!("{older}<IsTruncated>false</IsTruncated>")).as_bytes(), "").unwrap(),
            Next::End
        );
        let read = |subject| listing.read(subject, &Selector::Whole);
        assert_eq!(read("objects"), Reading::One(Value::Int(2)));
        assert_eq!(read("size"), Reading::One(Value::Int(14)));
        assert_eq!(read("newest"), Reading::One(Value::Time("2026-01-02T03:04:05Z".parse().unwrap())));
        assert_eq!(read("oldest"), Reading::One(Value::Time("2025-01-02T03:04:05Z".parse().unwrap())));
        assert_eq!(read("newest_key"), Reading::One(Value::Text("a b/ü".into())));
        assert_eq!(read("newest_size"), Reading::One(Value::Int(7)));
        let empty = Listing::default();
        assert_eq!(empty.read("newest", &Selector::Whole), Reading::Absent);
        assert_eq!(empty.read("objects", &Selector::Whole), Reading::One(Value::Int(0)));
    }

    #[test]
    fn what_is_no_listing_says_so() {
        let truncated = "<IsTruncated>true</IsTruncated>";
        for (page, what) in [
            ("{}".to_owned(), "not XML: it does not have one element at the top"),
            ("<html/>".to_owned(), "`html` and not `ListBucketResult`"),
            (page(truncated), "cut off without saying how to go on"),
            (page(&OBJECT.replace("<Size>7</Size>", "")), "without the `Size` of an object"),
            (page(&OBJECT.replace(">7<", ">-7<")), "an object's `Size` is no number of bytes"),
            (page(&OBJECT.replace("2026-01-02T03", "yesterday")), "an object's `LastModified` is no time"),
            (
                page(OBJECT).replace("</ListBucketResult>", ""),
                "not XML: it ends inside of the element `ListBucketResult`",
            ),
        ] {
            let failure = Listing::default().add(page.as_bytes(), "").unwrap_err();
            assert_eq!(failure.message, format!("the server's answer is no listing of a bucket: {what}"));
            assert_eq!(failure.error_type, "s3.protocol");
        }
    }

    #[test]
    fn a_server_s_error_is_a_word_and_a_sentence() {
        let error = |code: &str| {
            error_of(format!("<Error><Code>{code}</Code><Message>No.</Message></Error>").as_bytes())
        };
        assert_eq!(error("NoSuchBucket"), Some(("NoSuchBucket".into(), "No.".into())));
        assert_eq!(error("two words"), None);
        assert_eq!(error(&"x".repeat(65)), None);
        assert_eq!(error_of(b"<Error>"), None);
    }
}
