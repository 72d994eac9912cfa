//! JSON at the end of a byte string, for events: half a million a minute pass here on a busy prober.
//!
//! Keys are words of ours, so they are copied; texts are copied too, unless they hold something to escape. Whatever is
//! rare is left to `serde_json`. Deliberately absent: any check that a key comes once.

use std::time::Duration;

use serde::Serialize;

use crate::decimal;

/// An object that is being written.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

#[expect(
    clippy::inline_always,
    reason = "keys are constants: where their length is known, to copy one is an instruction or two, not a call"
)]
impl<'a> Object<'a> {
    /// Opens an object at the end of `out`.
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Closes it.
    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    /// Begins the entry of a key that holds nothing to escape; its value is for the caller to write.
    #[inline(always)]
    pub(super) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.out.extend_from_slice(if self.empty { b"\"" } else { b",\"" });
        self.empty = false;
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// An entry with a key from outside.
    pub(super) fn foreign_key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        text(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// A text.
    #[inline(always)]
    pub(super) fn text(&mut self, key: &str, value: &str) {
        text(self.key(key), value);
    }

    /// Digits or a word of ours: nothing to escape.
    #[inline(always)]
    pub(super) fn word(&mut self, key: &str, value: &[u8]) {
        word(self.key(key), value);
    }

    /// A duration in seconds.
    #[inline(always)]
    pub(super) fn seconds(&mut self, key: &str, value: Duration) {
        seconds(self.key(key), value);
    }

    /// A yes.
    #[inline(always)]
    pub(super) fn yes(&mut self, key: &str) {
        self.key(key).extend_from_slice(b"true");
    }

    /// Anything that has a JSON form of its own.
    pub(super) fn value(&mut self, key: &str, value: &impl Serialize) {
        any(self.key(key), value);
    }

    /// An object.
    pub(super) fn object(&mut self, key: &str, entries: impl FnOnce(&mut Object<'_>)) {
        object(self.key(key), entries);
    }

    /// An array.
    pub(super) fn array<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        item: impl FnMut(&mut Vec<u8>, T),
    ) {
        array(self.key(key), items, item);
    }
}

/// An object at the end of `out`.
pub(super) fn object(out: &mut Vec<u8>, entries: impl FnOnce(&mut Object<'_>)) {
    let mut object = Object::begin(out);
    entries(&mut object);
    object.end();
}

/// An array at the end of `out`.
pub(super) fn array<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    let start = out.len();
    for one in items {
        if out.len() > start {
            out.push(b',');
        }
        item(out, one);
    }
    out.push(b']');
}

/// A text in quotes.
pub(super) fn text(out: &mut Vec<u8>, value: &str) {
    if !needs_escapes(value.as_bytes()) {
        word(out, value.as_bytes());
    } else if value.bytes().any(|byte| byte < 0x20) {
        any(out, value);
    } else {
        quoted(out, value.as_bytes());
    }
}

/// A text without control characters: values in quotes are in the record of every assertion about texts.
fn quoted(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    let mut written = 0;
    for (place, byte) in value.iter().enumerate() {
        if matches!(byte, b'"' | b'\\') {
            out.extend_from_slice(&value[written..place]);
            out.push(b'\\');
            written = place;
        }
    }
    out.extend_from_slice(&value[written..]);
    out.push(b'"');
}

/// Whether a text holds what RFC 8259, section 7, wants escaped: control characters, quotes, backslashes.
///
/// Many bytes at a time, for every text of every event passes here; what is looked at twice is looked at faster than
/// one by one.
fn needs_escapes(text: &[u8]) -> bool {
    let (blocks, rest) = text.as_chunks::<16>();
    if let Some(last) = text.last_chunk::<16>() {
        return blocks.iter().any(block_needs_escapes) || (!rest.is_empty() && block_needs_escapes(last));
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
        return word_needs_escapes(first) || word_needs_escapes(last);
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return word_needs_escapes(u64::from(first) << 32 | u64::from(last));
    }
    text.iter().any(|byte| byte_needs_escapes(*byte))
}

const fn byte_needs_escapes(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Without a way out before the end, so that all bytes are looked at in one instruction.
fn block_needs_escapes(block: &[u8; 16]) -> bool {
    block.iter().fold(false, |found, byte| found | byte_needs_escapes(*byte))
}

/// "Bit Twiddling Hacks" (<https://graphics.stanford.edu/~seander/bithacks.html>), "Determine if a word has a byte
/// less than n".
const fn word_needs_escapes(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let found =
        below(word, 0x20) | below(word ^ (ONES * b'"' as u64), 1) | below(word ^ (ONES * b'\\' as u64), 1);
    found & (ONES << 7) != 0
}

/// A word in quotes.
pub(super) fn word(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(value);
    out.push(b'"');
}

/// Seconds with as many of nine decimals as say something, and at least one.
pub(super) fn seconds(out: &mut Vec<u8>, value: Duration) {
    let (whole, nanos) = (value.as_secs(), value.subsec_nanos());
    if whole < 10 {
        // A digit is what most durations have.
        out.push(b'0' + u8::try_from(whole).unwrap_or(0));
    } else {
        out.extend_from_slice(whole.to_string().as_bytes());
    }
    let mut text = *b".000000000";
    decimal::write(&mut text[1..], nanos);
    let zeros = text[2..].iter().rev().take_while(|digit| **digit == b'0').count();
    out.extend_from_slice(&text[..text.len() - zeros]);
}

/// Anything that has a JSON form of its own.
pub(super) fn any(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("our own values have string keys and a Vec takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_escaped_as_the_library_does() {
        let every: String =
            (0_u32..0x250).chain([0x2028, 0xfeff, 0x1f600]).filter_map(char::from_u32).collect();
        for value in ["", "plain", "a \"word\"", "back\\slash", "line\nend", "\u{0}", "\u{7f}é", &every] {
            assert_eq!(written(|out| text(out, value)), serde_json::to_string(value).unwrap());
        }
    }

    #[test]
    fn every_byte_is_found_at_every_place() {
        for (byte, length) in (0..=255).flat_map(|byte| (1..=19).map(move |length| (byte, length))) {
            for place in 0..length {
                // What stands beside it must not matter: subtraction borrows from byte to byte.
                for beside in [b' ', b'a', 0x7f, 0x80, 0xff] {
                    let mut text = vec![beside; length];
                    text[place] = byte;
                    let expected = byte < 0x20 || byte == b'"' || byte == b'\\';
                    assert_eq!(needs_escapes(&text), expected, "{text:x?}");
                }
            }
        }
        assert!(!needs_escapes(b""));
    }

    #[test]
    fn seconds_keep_every_nanosecond() {
        for (nanos, shown) in [
            (0, "0.0"),
            (1, "0.000000001"),
            (1_500_000_000, "1.5"),
            (9_999_999_999, "9.999999999"),
            (10_000_000_000, "10.0"),
            (86_400_000_000_120, "86400.00000012"),
        ] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(written(|out| seconds(out, duration)), shown);
            let read = serde_json::from_str(shown).unwrap();
            assert_eq!(Duration::from_secs_f64(read), duration);
        }
        assert_eq!(written(|out| seconds(out, Duration::MAX)), "18446744073709551615.999999999");
    }

    #[test]
    fn objects_and_arrays_have_their_commas() {
        let shown = written(|out| {
            object(out, |map| {
                map.text("a", "b");
                map.array("list", [1, 2], |out, number| any(out, &number));
                map.array("none", [0; 0], |out, number| any(out, &number));
                map.object("inner", |_| ());
                map.yes("sure");
                map.foreign_key("\"quoted\"").extend_from_slice(b"0");
            });
        });
        assert_eq!(shown, r#"{"a":"b","list":[1,2],"none":[],"inner":{},"sure":true,"\"quoted\"":0}"#);
    }
}
