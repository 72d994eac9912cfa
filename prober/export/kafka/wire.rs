//! Kafka's types on the wire (<https://kafka.apache.org/protocol.html>), in the versions that have no tagged fields.

/// A request or a part of one while it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn i8(&mut self, value: i8) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.0.extend(value.to_be_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend(value.to_be_bytes());
    }

    /// A count or a length.
    pub(super) fn count(&mut self, count: usize) {
        self.i32(i32::try_from(count).expect("a request has less than 2 GiB"));
    }

    pub(super) fn text(&mut self, text: &str) {
        self.i16(i16::try_from(text.len()).expect("names are short"));
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A text that is not there.
    pub(super) fn no_text(&mut self) {
        self.i16(-1);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// A number of few bytes if it is near 0, as records have them.
    pub(super) fn varint(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.0.push(low_seven(rest) | 0x80);
            rest >>= 7;
        }
        self.0.push(low_seven(rest));
    }

    /// Bytes with their length as a [`Writer::varint`].
    pub(super) fn short(&mut self, bytes: &[u8]) {
        self.varint(i64::try_from(bytes.len()).expect("a record has less than 2 GiB"));
        self.0.extend_from_slice(bytes);
    }
}

fn low_seven(value: u64) -> u8 {
    u8::try_from(value & 0x7f).expect("seven bits fit")
}

/// An answer while it is read; every read is `None` once it is at its end.
#[derive(Copy, Clone, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.0.split_off(..N)?.try_into().ok()
    }

    pub(super) fn i8(&mut self) -> Option<i8> {
        self.take().map(i8::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    /// A text; one that is not there is empty.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        match usize::try_from(self.i16()?) {
            Ok(length) => std::str::from_utf8(self.0.split_off(..length)?).ok(),
            Err(_) => Some(""),
        }
    }

    /// What `read` makes of each item; a count beyond the bytes that are there ends it.
    pub(super) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.i32()?).unwrap_or(0);
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(read(self)?);
        }
        Some(items)
    }
}
