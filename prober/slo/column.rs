//! Small numbers in a row: no memory while all are 0, and no wider than the largest needs.

use crate::bytes::{Broken, In, Out};

/// A row of counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Column {
    #[default]
    Zero,
    Narrow(Box<[u8]>),
    Middle(Box<[u16]>),
    Wide(Box<[u32]>),
}

impl Column {
    /// The number at `place`.
    pub(crate) fn at(&self, place: usize) -> u32 {
        match self {
            Self::Zero => 0,
            Self::Narrow(row) => u32::from(row[place]),
            Self::Middle(row) => u32::from(row[place]),
            Self::Wide(row) => row[place],
        }
    }

    pub(crate) const fn is_zero(&self) -> bool {
        matches!(self, Self::Zero)
    }

    /// Sets the number at `place` of a row of `len`.
    pub(crate) fn set(&mut self, len: usize, place: usize, value: u32) {
        if value > self.most() {
            self.widen(len, value);
        }
        match self {
            Self::Zero => {}
            Self::Narrow(row) => row[place] = u8::try_from(value).unwrap_or(u8::MAX),
            Self::Middle(row) => row[place] = u16::try_from(value).unwrap_or(u16::MAX),
            Self::Wide(row) => row[place] = value,
        }
    }

    /// The largest number that fits.
    const fn most(&self) -> u32 {
        match self {
            Self::Zero => 0,
            Self::Narrow(_) => u8::MAX as u32,
            Self::Middle(_) => u16::MAX as u32,
            Self::Wide(_) => u32::MAX,
        }
    }

    fn widen(&mut self, len: usize, value: u32) {
        let old = std::mem::take(self);
        let values = (0..len).map(|place| old.at(place));
        *self = if u8::try_from(value).is_ok() {
            Self::Narrow(values.map(|value| u8::try_from(value).unwrap_or(u8::MAX)).collect())
        } else if u16::try_from(value).is_ok() {
            Self::Middle(values.map(|value| u16::try_from(value).unwrap_or(u16::MAX)).collect())
        } else {
            Self::Wide(values.collect())
        };
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Zero => 0,
            Self::Narrow(row) => row.len(),
            Self::Middle(row) => row.len() * 2,
            Self::Wide(row) => row.len() * 4,
        }
    }

    /// Writes the row of `len` as runs of equal numbers.
    pub(crate) fn write(&self, len: usize, out: &mut Out) {
        let mut place = 0;
        while place < len {
            let value = self.at(place);
            let run = (place..len).take_while(|next| self.at(*next) == value).count();
            out.number(run as u64);
            out.number(u64::from(value));
            place += run;
        }
    }

    pub(crate) fn read(len: usize, from: &mut In<'_>) -> Result<Self, Broken> {
        let mut column = Self::Zero;
        let mut place = 0;
        while place < len {
            let run = usize::try_from(from.number()?).ok().filter(|run| (1..=len - place).contains(run));
            let run = run.ok_or(Broken)?;
            let value = u32::try_from(from.number()?).map_err(|_| Broken)?;
            if value > 0 {
                (place..place + run).for_each(|place| column.set(len, place, value));
            }
            place += run;
        }
        Ok(column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_as_wide_as_it_must_be_and_keeps_its_numbers() {
        let mut column = Column::Zero;
        for (value, bytes) in [(0, 0), (200, 10), (255, 10), (256, 20), (70_000, 40)] {
            column.set(10, 3, value);
            assert_eq!((column.at(3), column.heap_bytes()), (value, bytes));
        }
        column.set(10, 9, 7);
        let mut out = Out::default();
        column.write(10, &mut out);
        let read = Column::read(10, &mut In::new(&out.bytes())).unwrap();
        assert_eq!(read, column);
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        for runs in [&[(11, 0)][..], &[(4, 1), (7, 0)], &[(0, 1)], &[(10, u64::MAX)], &[(9, 1)]] {
            let mut out = Out::default();
            for (run, value) in runs {
                out.number(*run);
                out.number(*value);
            }
            assert!(Column::read(10, &mut In::new(&out.bytes())).is_err(), "{runs:?}");
        }
    }
}
