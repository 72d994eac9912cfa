//! Protocol buffers on the wire, as far as exporters need them: fields are written as they come, and answers read.
//!
//! The messages that are sent are a dozen and change once in years, so their fields are written by number
//! (<https://protobuf.dev/programming-guides/encoding/>) and no compiler or generated code is needed. What comes
//! out is judged by independent decoders in the tests.

/// A message that grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    bytes: Vec<u8>,
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn tag(&mut self, field: u32, wire: u64) {
        self.raw_varint(u64::from(field) << 3 | wire);
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(low_seven(value) | 0x80);
            value >>= 7;
        }
        self.bytes.push(low_seven(value));
    }

    /// A number; 0 is what a missing field means, and is left out.
    pub(crate) fn uint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.tag(field, VARINT);
            self.raw_varint(value);
        }
    }

    /// A number with a sign (`int32`, `int64`); 0 is left out.
    pub(crate) fn int(&mut self, field: u32, value: i64) {
        self.uint(field, value.cast_unsigned());
    }

    /// A number that is there even if it is 0: a member of a `oneof`.
    pub(crate) fn int_always(&mut self, field: u32, value: i64) {
        self.tag(field, VARINT);
        self.raw_varint(value.cast_unsigned());
    }

    /// Eight bytes; 0 is left out.
    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.fixed64_always(field, value);
        }
    }

    /// Eight bytes that are there even if they are 0: a member of a `oneof`.
    pub(crate) fn fixed64_always(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Four bytes; 0 is left out.
    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.tag(field, FIXED32);
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A measured number; positive 0 is left out.
    pub(crate) fn double(&mut self, field: u32, value: f64) {
        if value.to_bits() != 0 {
            self.double_always(field, value);
        }
    }

    /// A measured number that is there even if it is 0: a member of a `oneof`, or an optional one.
    pub(crate) fn double_always(&mut self, field: u32, value: f64) {
        self.fixed64_always(field, value.to_bits());
    }

    /// Bytes or a text; nothing is left out.
    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.bytes_always(field, value);
        }
    }

    /// Bytes that are there even if they are empty: an item of a list, or a member of a `oneof`.
    pub(crate) fn bytes_always(&mut self, field: u32, value: &[u8]) {
        self.tag(field, LENGTH);
        self.raw_varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// A text; an empty one is left out.
    pub(crate) fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// Numbers in one field without a tag each.
    pub(crate) fn packed_uints(&mut self, field: u32, values: impl IntoIterator<Item = u64>) {
        let mut packed = Self::default();
        values.into_iter().for_each(|value| packed.raw_varint(value));
        self.bytes(field, &packed.bytes);
    }

    /// Eight bytes each in one field without a tag each.
    pub(crate) fn packed_fixed64(&mut self, field: u32, values: impl IntoIterator<Item = u64>) {
        let packed: Vec<u8> = values.into_iter().flat_map(u64::to_le_bytes).collect();
        self.bytes(field, &packed);
    }

    /// A message within, filled by `fill`; an empty one is there as well.
    pub(crate) fn message(&mut self, field: u32, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes_always(field, &inner.bytes);
    }
}

fn low_seven(value: u64) -> u8 {
    u8::try_from(value & 0x7f).expect("seven bits fit")
}

/// One field of a message that was received.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    /// A number, or a truth.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// Bytes, a text, or a message within.
    Bytes(&'a [u8]),
}

/// The fields of a message in the order they came; ends at the first byte that is none, so that hostile bytes
/// cost no more than their length.
pub(crate) fn fields(bytes: &[u8]) -> impl Iterator<Item = (u32, Field<'_>)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let tag = take_varint(&mut rest)?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0)?;
        let field = match tag & 7 {
            VARINT => Field::Varint(take_varint(&mut rest)?),
            FIXED64 => Field::Fixed64(u64::from_le_bytes(*rest.split_off(..8)?.first_chunk()?)),
            FIXED32 => Field::Fixed32(u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?)),
            LENGTH => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                Field::Bytes(rest.split_off(..length)?)
            }
            _ => return None,
        };
        Some((number, field))
    })
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = *rest.split_off_first()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The text of the first field `number`, and what is no UTF-8 in it replaced.
pub(crate) fn text_of(bytes: &[u8], number: u32) -> Option<String> {
    let found = fields(bytes).find_map(|(known, field)| match field {
        Field::Bytes(text) if known == number => Some(text),
        _ => None,
    });
    found.map(|text| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_round_trip() {
        let mut message = Message::default();
        message.uint(1, 300);
        message.int(2, -1);
        message.fixed64(3, 7);
        message.double(4, -0.0);
        message.text(5, "é");
        message.message(6, |_| {});
        message.packed_uints(16, [0, 1, 1 << 40]);
        message.fixed32(17, 1);
        // What is 0 by itself is left out.
        message.uint(7, 0);
        message.double(8, 0.0);
        message.text(9, "");
        let bytes = message.into_bytes();
        assert_eq!(bytes[..3], [0x08, 0xac, 0x02], "the example of the specification");
        let read: Vec<_> = fields(&bytes).collect();
        let expected = [
            (1, Field::Varint(300)),
            (2, Field::Varint(u64::MAX)),
            (3, Field::Fixed64(7)),
            (4, Field::Fixed64((-0.0_f64).to_bits())),
            (5, Field::Bytes("é".as_bytes())),
            (6, Field::Bytes(b"")),
            (16, Field::Bytes(&[0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20])),
            (17, Field::Fixed32(1)),
        ];
        assert_eq!(read, expected);
        assert_eq!(text_of(&bytes, 5).as_deref(), Some("é"));
    }

    #[test]
    fn hostile_bytes_end_the_message() {
        for bytes in
            [&[0xff; 40][..], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], &[0x00, 0x01], &[0x0b], &[0x09, 1]]
        {
            assert_eq!(fields(bytes).count(), 0, "{bytes:?}");
        }
        assert_eq!(text_of(&[0x0a, 0x02, 0xff, b'x'], 1).as_deref(), Some("\u{fffd}x"));
    }
}
