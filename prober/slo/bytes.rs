//! Writing and reading of plain values: the letters of a snapshot.

use std::sync::Arc;

/// Bytes that are being written.
#[derive(Debug, Default)]
pub(crate) struct Out(Vec<u8>);

impl Out {
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A number, seven bits a byte, the lowest first.
    pub(crate) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }

    /// A number that may be negative.
    pub(crate) fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    pub(crate) fn float(&mut self, value: f64) {
        self.raw(&value.to_bits().to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub(crate) fn some<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// The bytes end too soon, or hold what cannot be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Bytes that are being read.
#[derive(Debug)]
pub(crate) struct In<'a>(&'a [u8]);

/// The most entries of one list; more is damage.
const ENTRIES_MAX: u64 = 1 << 20;

impl<'a> In<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn raw(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Broken> {
        Ok(self.raw(1)?[0])
    }

    pub(crate) fn number(&mut self) -> Result<u64, Broken> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = u64::from(self.byte()?);
            if shift == 63 && byte > 1 {
                return Err(Broken);
            }
            value |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Broken> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    pub(crate) fn count(&mut self) -> Result<usize, Broken> {
        let count = self.number()?;
        // Each entry has at least a byte, so a long list cannot be claimed for nothing.
        let fits = count <= ENTRIES_MAX && count <= self.0.len() as u64;
        usize::try_from(count).ok().filter(|_| fits).ok_or(Broken)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Broken> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Broken),
        }
    }

    pub(crate) fn float(&mut self) -> Result<f64, Broken> {
        let bytes = self.raw(8)?.try_into().map_err(|_| Broken)?;
        let value = f64::from_bits(u64::from_le_bytes(bytes));
        if value.is_finite() { Ok(value) } else { Err(Broken) }
    }

    pub(crate) fn text(&mut self) -> Result<Arc<str>, Broken> {
        let bytes = usize::try_from(self.number()?).map_err(|_| Broken)?;
        std::str::from_utf8(self.raw(bytes)?).map(Into::into).map_err(|_| Broken)
    }

    pub(crate) fn some<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Broken>,
    ) -> Result<Option<T>, Broken> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_round_trip() {
        let mut out = Out::default();
        for value in [0, 1, 127, 128, u64::MAX] {
            out.number(value);
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            out.signed(value);
        }
        out.text("é");
        out.some(Some(1.5), Out::float);
        out.some(None, Out::float);
        let bytes = out.bytes();
        let mut from = In::new(&bytes);
        for value in [0, 1, 127, 128, u64::MAX] {
            assert_eq!(from.number(), Ok(value));
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(from.signed(), Ok(value));
        }
        assert_eq!(from.text().as_deref(), Ok("é"));
        assert_eq!((from.some(In::float), from.some(In::float)), (Ok(Some(1.5)), Ok(None)));
        assert!(from.is_empty());
        assert_eq!(from.byte(), Err(Broken));
        assert_eq!(In::new(&[0xff; 12]).number(), Err(Broken));
        assert!(In::new(&[3, b'a']).text().is_err() && In::new(&[2]).flag().is_err());
    }
}
