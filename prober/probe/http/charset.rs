//! A body as text, in the letters that its sender wrote it in.
//!
//! A text that is looked at in the wrong letters misses words that are there, and `not_contains` would hold. So what
//! cannot be read is said to be that. The names are those that browsers know (<https://encoding.spec.whatwg.org/#names-and-labels>).
//! Deliberately absent: guesses.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

mod prescan;

/// How far into a page its own word on its letters is looked for
/// (<https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding>).
const LOOK_BYTES: usize = 1024;
/// By which ISO-2022-JP, alone of what browsers know, has other letters in bytes of ASCII.
const ESCAPE: u8 = 0x1B;

/// The text in `bytes`: as their mark says, or else the answer's `Content-Type`, or else the page itself, or else UTF-8.
///
/// # Errors
/// The letters are not known here, or the bytes are none of them; in words for people.
pub(super) fn text<'a>(bytes: Cow<'a, [u8]>, headers: &HeaderMap) -> Result<Cow<'a, str>, String> {
    let (encoding, mark) = match Encoding::for_bom(&bytes) {
        Some(marked) => marked,
        None => (told(headers, &bytes)?, 0),
    };
    if encoding == UTF_8 {
        return utf8(bytes, mark);
    }
    let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
    let name = encoding.name();
    text.map(|text| Cow::Owned(text.into_owned())).ok_or_else(|| not_text(&format!("it is not {name}")))
}

/// The bytes for readers of JSON, without a mark: as they are if they are UTF-8 (RFC 8259, section 8.1), else the text that
/// the mark or the answer's `Content-Type` makes of them, as clients read what older servers send.
pub(super) fn in_utf8<'a>(bytes: Cow<'a, [u8]>, headers: &HeaderMap) -> Cow<'a, [u8]> {
    if std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains('\0')) {
        return unmarked(bytes);
    }
    match text(Cow::Borrowed(&bytes), headers) {
        Ok(text) => Cow::Owned(text.into_owned().into_bytes()),
        Err(_) => unmarked(bytes),
    }
}

fn unmarked(bytes: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let mark: &[u8] = b"\xEF\xBB\xBF";
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.strip_prefix(mark).unwrap_or(bytes)),
        Cow::Owned(mut bytes) => {
            if bytes.starts_with(mark) {
                bytes.drain(..mark.len());
            }
            Cow::Owned(bytes)
        }
    }
}

fn told(headers: &HeaderMap, bytes: &[u8]) -> Result<&'static Encoding, String> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let mut parameters = kind.unwrap_or_default().split(';').skip(1).filter_map(|one| one.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let label = charset.map(|(_, label)| label.trim().trim_matches('"').trim());
    // What a page says of itself is worth a look only if it is not what it is taken for anyway.
    let label = match label {
        Some(label) if !label.is_empty() => Some(label),
        _ if bytes.is_ascii() && !bytes.contains(&ESCAPE) => None,
        _ => own(&bytes[..bytes.len().min(LOOK_BYTES)]),
    };
    label.map_or(Ok(UTF_8), named)
}

/// The label in `<?xml … encoding="…">` or, in HTML, in a `<meta>`.
fn own(start: &[u8]) -> Option<&str> {
    let beginning = start.trim_ascii_start();
    let label = match beginning {
        [b'<', b'?', b'x', b'm', b'l', declared @ ..] => declared_label(declared),
        [b'<', ..] => prescan::label(beginning),
        _ => None,
    };
    let label = std::str::from_utf8(label?).ok()?.trim();
    // UTF-16 would not have let the word be found.
    Some(label).filter(|label| !label.is_empty() && !label.to_ascii_lowercase().starts_with("utf-16"))
}

/// The value of `encoding = "…"` in an XML declaration (<https://www.w3.org/TR/xml/#NT-EncodingDecl>).
fn declared_label(declared: &[u8]) -> Option<&[u8]> {
    let end = declared.windows(2).position(|window| window == b"?>").unwrap_or(declared.len());
    let word: &[u8] = b"encoding";
    let at = declared[..end].windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))?;
    let rest = declared[at + word.len()..end].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, rest) = rest.split_first().filter(|(quote, _)| b"\"'".contains(quote))?;
    rest.split(|byte| byte == quote).next()
}

fn named(label: &str) -> Result<&'static Encoding, String> {
    let found = Encoding::for_label_no_replacement(label.as_bytes());
    found.ok_or_else(|| {
        let label = model::outcome::cut(label.to_ascii_lowercase(), 40);
        not_text(&format!("its charset is {label:?}, which is not known here"))
    })
}

fn utf8(bytes: Cow<'_, [u8]>, mark: usize) -> Result<Cow<'_, str>, String> {
    let wrong = |error: std::str::Utf8Error| {
        not_text(&format!("it is not UTF-8 from byte {} on", mark + error.valid_up_to()))
    };
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(&bytes[mark..]).map(Cow::Borrowed).map_err(wrong),
        Cow::Owned(mut bytes) => {
            bytes.drain(..mark);
            String::from_utf8(bytes).map(Cow::Owned).map_err(|error| wrong(error.utf8_error()))
        }
    }
}

fn not_text(why: &str) -> String {
    format!("the body cannot be looked at as text: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &'static str, bytes: &[u8], expected: Result<&str, &str>) {
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        }
        for bytes in [Cow::Borrowed(bytes), Cow::Owned(bytes.to_vec())] {
            let found = text(bytes, &headers);
            let found = found.as_deref().map_err(|why| why.split_once(": ").unwrap().1);
            assert_eq!(found, expected, "{kind}");
        }
    }

    #[test]
    fn letters_are_those_of_the_mark_the_head_and_the_page() {
        let greeting = Ok("Grüße");
        check("", "Grüße".as_bytes(), greeting);
        check("text/plain", b"\xEF\xBB\xBFGr\xC3\xBC\xC3\x9Fe", greeting);
        check("text/plain; charset=\"ISO-8859-1\"", b"Gr\xFC\xDFe", greeting);
        check("text/plain;a=b; Charset=latin1", b"Gr\xFC\xDFe", greeting);
        check("text/plain; charset=windows-1252", b"\x80 5", Ok("€ 5"));
        check("text/plain; charset=utf-16be", b"\0G\0r\0\xFC\0\xDF\0e", greeting);
        check("text/plain; charset=utf-16", b"G\0r\0\xFC\0\xDF\0e\0", greeting);
        check("text/plain; charset=latin1", b"\xFE\xFF\0G\0r\0\xFC\0\xDF\0e", greeting);
        check("text/html", b"<meta charset=latin1>\xFC", Ok("<meta charset=latin1>ü"));
        for xml in [
            "<?xml version='1.0' encoding='ISO-8859-1'?><a>",
            "<?xml version = \"1.0\" encoding = \"ISO-8859-1\" ?><a>",
        ] {
            check("", &[xml.as_bytes(), b"\xFC"].concat(), Ok(&format!("{xml}ü")));
        }
    }

    #[test]
    fn letters_of_all_lands_are_read() {
        for (label, bytes, expected) in [
            ("Shift_JIS", &b"\x93\xFA\x96{"[..], "日本"),
            ("euc-jp", b"\xC6\xFC\xCB\xDC", "日本"),
            ("iso-2022-jp", b"\x1B$BF|K\\\x1B(B", "日本"),
            ("gbk", b"\xD6\xD0\xCE\xC4", "中文"),
            ("gb2312", b"\xD6\xD0\xCE\xC4", "中文"),
            ("gb18030", b"\xD6\xD0\x81\x30\x84\x36", "中¥"),
            ("big5", b"\xA4\xA4\xA4\xE5", "中文"),
            ("euc-kr", b"\xC7\xD1\xB1\xDB", "한글"),
            ("windows-1251", b"\xCF\xF0\xE8\xE2\xE5\xF2", "Привет"),
            ("koi8-r", b"\xF0\xD2\xC9\xD7\xC5\xD4", "Привет"),
            ("iso-8859-5", b"\xBF\xE0\xD8\xD2\xD5\xE2", "Привет"),
            ("windows-1250", b"\x8Elu\x9Dou\xE8k\xFD", "Žluťoučký"),
            ("iso-8859-2", b"\xAElu\xBBou\xE8k\xFD", "Žluťoučký"),
            ("windows-1253", b"\xE1\xE2", "αβ"),
            ("iso-8859-15", b"\xA4", "€"),
        ] {
            check(format!("text/plain; charset={label}").leak(), bytes, Ok(expected));
            let page = format!("<meta charset=\"{label}\">");
            check("text/html", &[page.as_bytes(), bytes].concat(), Ok(&format!("{page}{expected}")));
        }
    }

    #[test]
    fn only_what_a_page_says_of_itself_counts() {
        let western = "<!DOCTYPE html><!-- <meta charset=utf-8> --><html lang='>'><head>";
        for meta in [
            "<meta charset=latin1>",
            "<META CharSet = 'latin1' />",
            "<script src=x charset=utf-8></script><meta charset=\"latin1\">",
            "<meta name=a content='charset=utf-8'><meta charset=latin1>",
            "<meta http-equiv=Content-Type content='text/html; charset=latin1'>",
            "<meta content=\"text/html;charset = 'latin1'\" http-equiv=\"content-type\">",
        ] {
            let page = format!("{western}{meta}");
            check("", &[page.as_bytes(), b"\xFC"].concat(), Ok(&format!("{page}ü")));
        }
        for other in [
            "<script charset=latin1>",
            "<link rel=x charset=latin1>",
            "<!-- <meta charset=latin1> -->",
            "<meta name=a content='charset=latin1'>",
            "<p title='<meta charset=latin1>'>",
            "<metal charset=latin1>",
            "<?xml version='1.0'?><a encoding='latin1'>",
            "<meta charset=",
        ] {
            let page = format!("{other}ü");
            check("", page.as_bytes(), Ok(&page));
        }
    }

    #[test]
    fn what_is_no_text_says_so() {
        check("", b"ab\xFC", Err("it is not UTF-8 from byte 2 on"));
        check("text/plain; charset=utf-8", b"\xEF\xBB\xBF\xFC", Err("it is not UTF-8 from byte 3 on"));
        check("text/plain; charset=utf-16le", b"a\0b", Err("it is not UTF-16LE"));
        check("text/plain; charset=utf-16le", b"\0\xD8", Err("it is not UTF-16LE"));
        check("text/plain; charset=shift_jis", b"\x83", Err("it is not Shift_JIS"));
        check("text/plain; charset=gbk", b"\xC4\xFF", Err("it is not GBK"));
        for label in ["ebcdic-us", "utf-7", "utf-32", "hz-gb-2312", "iso-2022-kr", "none"] {
            let why = format!("its charset is {label:?}, which is not known here");
            let kind: &'static str = format!("text/plain; charset={label}").leak();
            check(kind, b"ab", Err(&why));
        }
    }
}
