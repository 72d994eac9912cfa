//! A body as text, in the letters that its sender wrote it in.
//!
//! A text that is looked at in the wrong letters misses words that are there, and `not_contains` would hold. So what
//! cannot be read is said to be that. Deliberately absent: guesses, and encodings beside the few that servers still send.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::CONTENT_TYPE;

mod prescan;

/// How far into a page its own word on its letters is looked for
/// (<https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding>).
const LOOK_BYTES: usize = 1024;

/// The letters of windows-1252 from 0x80 on; those that it does not have stand for control characters.
/// <https://encoding.spec.whatwg.org/index-windows-1252.txt>
const WESTERN: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

#[derive(Copy, Clone)]
enum Letters {
    Utf8,
    Western,
    Utf16 { big: bool },
}

/// The text in `bytes`: as their mark says, or else the answer's `Content-Type`, or else the page itself, or else UTF-8.
///
/// # Errors
/// The letters are not known here, or the bytes are none of them; in words for people.
pub(super) fn text<'a>(bytes: Cow<'a, [u8]>, headers: &HeaderMap) -> Result<Cow<'a, str>, String> {
    let (letters, mark) = match marked(&bytes) {
        Some(marked) => marked,
        None => (told(headers, &bytes)?, 0),
    };
    match letters {
        Letters::Utf8 => utf8(bytes, mark),
        Letters::Western => Ok(Cow::Owned(bytes.iter().map(|byte| western(*byte)).collect())),
        Letters::Utf16 { big } => utf16(&bytes[mark..], big).map(Cow::Owned),
    }
}

/// The bytes without the mark of UTF-8, which JSON's readers may pass over (RFC 8259, section 8.1).
pub(super) fn unmarked(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// What the mark at the beginning says, and its length.
fn marked(bytes: &[u8]) -> Option<(Letters, usize)> {
    match bytes {
        [0xEF, 0xBB, 0xBF, ..] => Some((Letters::Utf8, 3)),
        [0xFF, 0xFE, ..] => Some((Letters::Utf16 { big: false }, 2)),
        [0xFE, 0xFF, ..] => Some((Letters::Utf16 { big: true }, 2)),
        _ => None,
    }
}

fn told(headers: &HeaderMap, bytes: &[u8]) -> Result<Letters, String> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let mut parameters = kind.unwrap_or_default().split(';').skip(1).filter_map(|one| one.split_once('='));
    let charset = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let label = charset.map(|(_, label)| label.trim().trim_matches('"').trim());
    // What a page says of itself is worth a look only if it is not what it is taken for anyway.
    let label = match label {
        Some(label) if !label.is_empty() => Some(label),
        _ if bytes.is_ascii() => None,
        _ => own(&bytes[..bytes.len().min(LOOK_BYTES)]),
    };
    label.map_or(Ok(Letters::Utf8), named)
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

fn named(label: &str) -> Result<Letters, String> {
    Ok(match label.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Letters::Utf8,
        "iso-8859-1" | "iso8859-1" | "latin1" | "l1" | "windows-1252" | "cp1252" | "us-ascii" | "ascii" => {
            Letters::Western
        }
        // Without a mark browsers take the one for the other.
        "utf-16" | "utf-16le" => Letters::Utf16 { big: false },
        "utf-16be" => Letters::Utf16 { big: true },
        other => {
            return Err(not_text(&format!("its charset is {:?}", model::outcome::cut(other.to_owned(), 40))));
        }
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

fn western(byte: u8) -> char {
    match byte {
        0x80..0xA0 => WESTERN[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

fn utf16(bytes: &[u8], big: bool) -> Result<String, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let unit = |pair: &[u8; 2]| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(unit)).collect();
    text.ok().filter(|_| rest.is_empty()).ok_or_else(|| not_text("it is not UTF-16"))
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
        check("text/plain; charset=koi8-r", b"ab", Err("its charset is \"koi8-r\""));
        check("text/plain; charset=utf-16le", b"a\0b", Err("it is not UTF-16"));
        check("text/plain; charset=utf-16le", b"\0\xD8", Err("it is not UTF-16"));
    }
}
