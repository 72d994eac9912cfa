//! Bytes as authors write them and people see them: text with escapes, hexadecimal digits, or Base64.
//!
//! Kinds that say and hear what no protocol of ours gives a meaning to share it, so that one key, `encoding`,
//! means the same in all of them.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::outcome::{Failure, cut};
use model::probe::Detail;
use model::step::{BODY_SHOWN_MAX, Exchange, Message};
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::form::{Extent, Form};
use scenario::source::{Span, Spanned};
use scenario::template::{Part, Scope, Template};

use crate::net::fault;

/// The longest part of an answer that a message shows, in bytes.
const SHOWN: usize = 200;

/// How bytes are written in a file, and shown.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As text; `\r`, `\n`, `\t`, `\0` and `\\` stand for the characters.
    #[default]
    Text,
    /// Two hexadecimal digits a byte; blanks between them are allowed.
    Hex,
    /// The standard alphabet.
    Base64,
}

/// The key that chooses it.
pub(crate) const KEY: Key = Key {
    name: "encoding",
    value: KeyType::Choice(&["text", "hex", "base64"]),
    need: Need::Default("text"),
    doc: "How bytes are written here and looked at: as text with escapes, as hexadecimal digits (small letters), or in Base64.",
    example: "base64",
};

impl Encoding {
    /// What the author chose.
    pub(crate) fn take(fields: &mut Fields) -> Self {
        match fields.choice(KEY.name).map(|given| given.value) {
            Some("hex") => Self::Hex,
            Some("base64") => Self::Base64,
            _ => Self::Text,
        }
    }

    /// The bytes as assertions and people see them.
    pub(crate) fn show(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Text => String::from_utf8_lossy(bytes),
            Self::Hex => hex(bytes).into(),
            Self::Base64 => STANDARD.encode(bytes).into(),
        }
    }

    /// The bytes for a message: quoted, and cut.
    pub(crate) fn quote(self, bytes: &[u8]) -> String {
        // Cut before it is encoded: an answer may be long.
        let part = &bytes[..bytes.len().min(SHOWN + 1)];
        format!("{:?}", cut(self.show(part).into_owned(), SHOWN))
    }

    /// How many bytes the first `shown` bytes of what [`Encoding::show`] gave stand for, of `all` bytes.
    pub(crate) const fn bytes_of(self, shown: usize, all: usize) -> usize {
        match self {
            Self::Text => shown,
            Self::Hex => shown.div_ceil(2),
            // A group of four is not cut apart.
            Self::Base64 => {
                let bytes = shown.div_ceil(4) * 3;
                if bytes > all { all } else { bytes }
            }
        }
    }

    /// Whether bytes are ever shown as `text`, or have it inside.
    pub(crate) fn form(self, text: &str, extent: Extent) -> Form {
        let is_part = extent == Extent::Part;
        match self {
            Self::Text => Form::Fits,
            Self::Hex => {
                let digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                let whole = |text: &str| is_part || text.len().is_multiple_of(2);
                if digits(text) && whole(text) {
                    return Form::Fits;
                }
                let written = text.to_ascii_lowercase().replace("0x", "").replace("\\x", "");
                let written = written.replace([' ', ':', '-', ','], "");
                if !written.is_empty() && digits(&written) && whole(&written) {
                    return Form::Written(format!("\"{written}\""));
                }
                Form::Never("bytes are shown as pairs of hexadecimal digits in small letters: 00ff".into())
            }
            Self::Base64 => {
                let letters = |text: &str| {
                    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
                };
                match is_part {
                    true if letters(text) => Form::Fits,
                    false if STANDARD.decode(text).is_ok() => Form::Fits,
                    _ => Form::Never("bytes are shown in Base64, with + and / and its padding: /w==".into()),
                }
            }
        }
    }

    /// The bytes that the author wrote under `key`; `None` if the report says why it stands for none.
    pub(crate) fn bytes(self, given: &Spanned<String>, key: &str, report: &mut Report) -> Option<Vec<u8>> {
        match self {
            Self::Text => unescape(&given.value, given.span, report).map(String::into_bytes),
            _ => self.read_or_report(&given.value, (key, given.span), report),
        }
    }

    fn read_or_report(self, text: &str, (key, span): (&str, Span), report: &mut Report) -> Option<Vec<u8>> {
        let why = match self.read(text) {
            Ok(bytes) => return Some(bytes),
            Err(why) => why,
        };
        let message = format!("`{key}` does not stand for bytes: {why}");
        let help = match self {
            Self::Hex => "write two digits a byte, like \"0d0a\"; `encoding` says how bytes are written",
            _ => "write it like \"DQo=\"; `encoding` says how bytes are written",
        };
        report.push(Diagnostic::error("E137", span, message).help(help));
        None
    }

    /// The bytes that `text` stands for; escapes are replaced before.
    fn read(self, text: &str) -> Result<Vec<u8>, &'static str> {
        match self {
            Self::Text => Ok(text.as_bytes().to_vec()),
            Self::Hex => unhex(text).ok_or("it is not pairs of hexadecimal digits"),
            Self::Base64 => STANDARD.decode(text.trim()).map_err(|_| "it is not Base64"),
        }
    }
}

/// Two small digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing into a String cannot fail");
    }
    text
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|letter| !letter.is_ascii_whitespace())
        .map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.as_chunks::<2>();
    pairs.1.is_empty().then(|| pairs.0.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Bytes to be sent, with holes.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    template: Template,
    encoding: Encoding,
}

impl Payload {
    /// What the author wrote under `key`; `None` if the report says why it stands for no bytes.
    pub(crate) fn new(
        given: &Spanned<Template>,
        encoding: Encoding,
        key: &str,
        report: &mut Report,
    ) -> Option<Self> {
        let template = match encoding {
            Encoding::Text => unescaped(given, report)?,
            _ => given.value.clone(),
        };
        if let Some(text) = template.constant() {
            encoding.read_or_report(text, (key, given.span), report)?;
        }
        Some(Self { template, encoding })
    }

    /// The bytes of this run.
    ///
    /// # Errors
    /// A hole cannot be filled, or what filled it stands for no bytes.
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<Vec<u8>, Failure> {
        let text = self.template.render(scope).map_err(|error| fault::unresolved(&error))?;
        self.encoding
            .read(&text)
            .map_err(|why| fault::unusable(&self.template, &format!("what is to be sent: {why}")))
    }
}

/// The template with its escapes replaced; what fills its holes is sent as it is.
fn unescaped(given: &Spanned<Template>, report: &mut Report) -> Option<Template> {
    let parts = given.value.parts().iter().map(|part| match part {
        Part::Text(text) => Some(Part::Text(unescape(text, given.span, report)?.into())),
        hole @ Part::Hole(..) => Some(hole.clone()),
    });
    parts.collect::<Option<Vec<_>>>().map(Template::new)
}

/// The text with its escapes replaced; `None` if the report says which is none.
fn unescape(text: &str, span: Span, report: &mut Report) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        out.push(match letters.next() {
            Some('r') => '\r',
            Some('n') => '\n',
            Some('t') => '\t',
            Some('0') => '\0',
            Some('\\') => '\\',
            other => {
                let shown = other.map_or_else(|| "\\".to_owned(), |letter| format!("\\{letter}"));
                let message = format!("`{shown}` is not an escape that is known here");
                let help = "known are \\r \\n \\t \\0, and \\\\ for a backslash";
                report.push(Diagnostic::error("E136", span, message).help(help));
                return None;
            }
        });
    }
    Some(out)
}

/// What was said and heard on a hop, for people who asked for it; secrets are masked at the run's end.
pub(crate) fn kept(detail: Detail, encoding: Encoding, said: &[u8], heard: &[u8]) -> Option<Box<Exchange>> {
    let message = |what: &str, bytes: &[u8]| {
        let part = &bytes[..bytes.len().min(BODY_SHOWN_MAX + 1)];
        let body = detail == Detail::Bodies && !bytes.is_empty();
        Message {
            head: vec![format!("{what} {} bytes", bytes.len())],
            body: body.then(|| cut(encoding.show(part).into_owned(), BODY_SHOWN_MAX)),
        }
    };
    (detail > Detail::Facts).then(|| {
        let answer = (!heard.is_empty()).then(|| message("heard", heard));
        Box::new(Exchange { request: message("said", said), answer })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_and_read_alike() {
        for (encoding, text, bytes) in [
            (Encoding::Text, "a\r\n", &b"a\r\n"[..]),
            (Encoding::Hex, "00ff0d0a", b"\x00\xff\r\n"),
            (Encoding::Base64, "AP8NCg==", b"\x00\xff\r\n"),
            (Encoding::Hex, "", b""),
        ] {
            assert_eq!(encoding.read(text).unwrap(), bytes, "{text}");
            assert_eq!(encoding.show(bytes), text);
        }
        assert_eq!(Encoding::Hex.read("DE AD\nbe ef").unwrap(), [0xde, 0xad, 0xbe, 0xef]);
        for (encoding, text) in [(Encoding::Hex, "abc"), (Encoding::Hex, "zz"), (Encoding::Base64, "a")] {
            assert!(encoding.read(text).is_err(), "{text}");
        }
        assert_eq!(Encoding::Text.show(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn what_was_matched_is_counted_in_bytes() {
        assert_eq!(Encoding::Text.bytes_of(5, 9), 5);
        assert_eq!(Encoding::Hex.bytes_of(5, 9), 3);
        assert_eq!(Encoding::Base64.bytes_of(5, 9), 6);
        assert_eq!(Encoding::Base64.bytes_of(8, 4), 4);
    }

    #[test]
    fn what_is_kept_is_what_was_asked_for() {
        assert_eq!(kept(Detail::Facts, Encoding::Text, b"a", b"b"), None);
        let heads = kept(Detail::Heads, Encoding::Text, b"ab", b"").unwrap();
        assert_eq!((heads.request.head, heads.request.body), (vec!["said 2 bytes".to_owned()], None));
        assert_eq!(heads.answer, None);
        let bodies = kept(Detail::Bodies, Encoding::Hex, b"\x01", &[0xff; BODY_SHOWN_MAX]).unwrap();
        assert_eq!(bodies.request.body.as_deref(), Some("01"));
        let answer = bodies.answer.unwrap().body.unwrap();
        assert!(answer.ends_with('…') && answer.len() <= BODY_SHOWN_MAX);
    }
}
