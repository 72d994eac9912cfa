//! A text with its escapes undone, and where each of its bytes comes from.
//!
//! One layer undoes what URLs (`%2F`), JSON and programs' own quoting (`\"`, `\u00e9`, `\u{e9}`, `\xe9`), and pages
//! (`&amp;`, `&#39;`, `&#x27;`) do, and takes out line breaks with the blanks that follow, as foldings put them in.
//! What is no whole escape stays. Of several ways that a text holds each can be undone alone: what looks like an escape of
//! another way may be the value's own.

use std::borrow::Cow;

/// The longest escape that is known, in bytes: a pair of surrogates in JSON.
const ESCAPE_BYTES_MAX: usize = 12;

/// The references that pages need; all others are written as they are or as numbers.
const REFERENCES: [(&[u8], u8); 5] =
    [(b"&amp;", b'&'), (b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&apos;", b'\'')];

/// A way of escaping, known by the byte that begins it. Foldings belong to each.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `%2F`
    Percent = b'%' as isize,
    /// `\"`
    Backslash = b'\\' as isize,
    /// `&amp;`
    Reference = b'&' as isize,
}

impl Way {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Percent, Self::Backslash, Self::Reference];

    /// Whether `byte` may begin an escape in one of `ways`.
    fn any_begins(ways: &[Self], byte: u8) -> bool {
        matches!(byte, b'\n' | b'\r') || ways.iter().any(|way| *way as u8 == byte)
    }
}

/// A set of bytes.
#[derive(Copy, Clone, Default)]
pub(super) struct Bytes([u128; 2]);

impl Bytes {
    fn holds(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 7)] >> (byte & 127) & 1 == 1
    }

    /// Whether it holds what quoting writes as a backslash and a letter.
    fn holds_controls(&self) -> bool {
        self.0[0] & u128::from(u32::MAX) != 0
    }
}

impl FromIterator<u8> for Bytes {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        let mut set = Self::default();
        bytes.into_iter().for_each(|byte| set.0[usize::from(byte >> 7)] |= 1 << (byte & 127));
        set
    }
}

/// A text, or one layer below it.
pub(super) struct View<'t> {
    bytes: Cow<'t, [u8]>,
    /// Where each byte comes from, and where the text ends; `None` for the text itself.
    starts: Option<Vec<usize>>,
}

impl<'t> View<'t> {
    /// The text as it is.
    pub(super) const fn whole(text: &'t str) -> Self {
        Self { bytes: Cow::Borrowed(text.as_bytes()), starts: None }
    }

    /// The ways of which the text may hold escapes, if those are several.
    pub(super) fn several_ways(&self) -> Vec<Way> {
        let held = Way::ALL.into_iter().filter(|way| self.bytes().contains(&(*way as u8)));
        let ways: Vec<_> = held.collect();
        if ways.len() > 1 { ways } else { Vec::new() }
    }

    /// What is searched.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The place in the text of a place in this view.
    pub(super) fn place(&self, start: usize, end: usize) -> (usize, usize) {
        let Some(starts) = &self.starts else { return (start, end) };
        let first = starts[start];
        // The bytes of one escaped character all begin where the escape does.
        let last = starts[end.saturating_sub(1).max(start)];
        let after = starts[end..].iter().copied().find(|next| *next > last);
        (first, if end > start { after.unwrap_or(last) } else { first })
    }

    /// The second byte of each escape in which something may begin that begins with one of `first`.
    ///
    /// Of a row of backslashes that is the second one: beginning there changes which of them belong together.
    pub(super) fn insides(&self, first: &Bytes) -> Vec<usize> {
        let bytes = self.bytes();
        let mut insides = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let known = Way::any_begins(&Way::ALL, bytes[at]).then(|| escape(&bytes[at..])).flatten();
            let Some((length, _)) = known else {
                at += 1;
                continue;
            };
            let end = match bytes[at] {
                b'\\' => at + length.max(row(&bytes[at..])),
                _ => at + length,
            };
            let inside = &bytes[at + 1..bytes.len().min(end + 1)];
            let controls = bytes[at] == b'\\' && first.holds_controls();
            if controls || inside.iter().any(|byte| first.holds(*byte)) {
                insides.push(at + 1);
            }
            at = end;
        }
        insides
    }

    /// The `length` bytes from `start` on, or what there is of them.
    pub(super) fn part(&self, start: usize, length: usize) -> View<'_> {
        let end = self.bytes().len().min(start + length);
        let starts = match &self.starts {
            Some(starts) => starts[start..=end].to_vec(),
            None => (start..=end).collect(),
        };
        View { bytes: Cow::Borrowed(&self.bytes()[start..end]), starts: Some(starts) }
    }

    /// The next layer, with the escapes of `ways` undone; `None` if there is nothing to undo.
    pub(super) fn unescaped(&self, ways: &[Way]) -> Option<View<'static>> {
        let bytes = self.bytes();
        let first = bytes.iter().position(|byte| Way::any_begins(ways, *byte))?;
        let mut out = Vec::with_capacity(bytes.len());
        let mut starts = Vec::with_capacity(bytes.len() + 1);
        let origin = |at: usize| self.starts.as_ref().map_or(at, |starts| starts[at]);
        let (mut at, mut changed) = (first, false);
        out.extend_from_slice(&bytes[..first]);
        starts.extend((0..first).map(origin));
        while at < bytes.len() {
            let begun = Way::any_begins(ways, bytes[at]).then(|| escape(&bytes[at..])).flatten();
            let (length, put) = begun.unwrap_or_else(|| (1, Put::byte(bytes[at])));
            changed |= put.0[..put.1] != bytes[at..at + length];
            out.extend_from_slice(&put.0[..put.1]);
            starts.extend(std::iter::repeat_n(origin(at), put.1));
            at += length;
        }
        starts.push(origin(bytes.len()));
        changed.then_some(View { bytes: Cow::Owned(out), starts: Some(starts) })
    }
}

/// How many of `bytes` are left without the escape at their end that was cut in two.
pub(super) fn without_broken_escape(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(ESCAPE_BYTES_MAX);
    let begun = bytes[from..].iter().rposition(|byte| matches!(byte, b'%' | b'\\' | b'&'));
    let Some(at) = begun.map(|at| from + at) else { return bytes.len() };
    let rest = &bytes[at + 1..];
    let digits = |rest: &[u8], most: usize| rest.len() <= most && rest.iter().all(u8::is_ascii_hexdigit);
    let broken = match bytes[at] {
        b'%' => digits(rest, 1),
        b'\\' => match rest {
            [] => true,
            [b'x', rest @ ..] => digits(rest, 1),
            [b'u', b'{', rest @ ..] => digits(rest, 6),
            [b'u', rest @ ..] => digits(rest, 3),
            _ => false,
        },
        _ => rest.len() <= 8 && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'#'),
    };
    if broken { at } else { bytes.len() }
}

/// What an escape stands for: at most four bytes.
struct Put([u8; 4], usize);

impl Put {
    const NOTHING: Self = Self([0; 4], 0);

    const fn byte(byte: u8) -> Self {
        Self([byte, 0, 0, 0], 1)
    }

    fn letter(code: u32) -> Option<Self> {
        let mut bytes = [0; 4];
        let length = char::from_u32(code)?.encode_utf8(&mut bytes).len();
        Some(Self(bytes, length))
    }
}

/// The escape that `bytes` begin with: its length, and what it stands for.
fn escape(bytes: &[u8]) -> Option<(usize, Put)> {
    match bytes[0] {
        b'%' => Some((3, Put::byte(u8::try_from(number(bytes.get(1..3)?, 16)?).ok()?))),
        b'\\' => backslash(bytes),
        b'&' => reference(bytes),
        b'\n' | b'\r' => {
            let length = bytes.iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | b' ' | b'\t')).count();
            Some((length, Put::NOTHING))
        }
        _ => None,
    }
}

/// How many backslashes `bytes` begin with.
fn row(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == b'\\').count()
}

fn backslash(bytes: &[u8]) -> Option<(usize, Put)> {
    let byte = match bytes.get(1)? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'0' => 0,
        same @ (b'"' | b'\'' | b'\\' | b'/') => *same,
        b'x' => return Some((4, Put::byte(u8::try_from(number(bytes.get(2..4)?, 16)?).ok()?))),
        b'u' if bytes.get(2) == Some(&b'{') => {
            let end = bytes.iter().take(ESCAPE_BYTES_MAX).position(|byte| *byte == b'}')?;
            return Some((end + 1, Put::letter(number(&bytes[3..end], 16)?)?));
        }
        b'u' => return utf_16(bytes),
        _ => return None,
    };
    Some((2, Put::byte(byte)))
}

/// `\u00e9`, or a pair that stands for one character.
fn utf_16(bytes: &[u8]) -> Option<(usize, Put)> {
    let unit = |at: usize| {
        let escape = bytes.get(at..at + 6)?;
        if escape.starts_with(b"\\u") { number(&escape[2..], 16) } else { None }
    };
    let first = unit(0)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((6, Put::letter(first)?));
    }
    let second = unit(6)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    Some((12, Put::letter(0x1_0000 + ((first - 0xd800) << 10) + second)?))
}

fn reference(bytes: &[u8]) -> Option<(usize, Put)> {
    if let Some((name, byte)) = REFERENCES.iter().find(|(name, _)| bytes.starts_with(name)) {
        return Some((name.len(), Put::byte(*byte)));
    }
    let end = bytes.iter().take(ESCAPE_BYTES_MAX).position(|byte| *byte == b';')?;
    let digits = bytes[..end].strip_prefix(b"&#")?;
    let code = match digits.strip_prefix(b"x").or_else(|| digits.strip_prefix(b"X")) {
        Some(digits) => number(digits, 16)?,
        None => number(digits, 10)?,
    };
    Some((end + 1, Put::letter(code)?))
}

/// The number in digits of `base`; signs and blanks are no digits.
fn number(digits: &[u8], base: u32) -> Option<u32> {
    let known = !digits.is_empty() && digits.iter().all(|digit| char::from(*digit).is_digit(base));
    u32::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| known)?, base).ok()
}
