//! From the texts of MySQL's rows to values, by the types of their columns.

use model::time::Timestamp;
use scenario::decimal;

use super::super::cell::Cell;
use super::packets::Parts;

/// The longest value that is kept, in bytes.
const VALUE_MAX: usize = 64 * 1024;
/// The character set of bytes that are no text.
const BINARY: u64 = 63;

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    kind: u64,
    is_binary: bool,
}

impl Column {
    /// Reads a column's definition; `None` if it is none.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let mut parts = Parts(packet);
        // Catalog, schema, and the table under both of its names.
        for _ in 0..4 {
            parts.bytes()?;
        }
        let name = String::from_utf8_lossy(parts.bytes()?).into_owned();
        parts.bytes()?;
        parts.length()?;
        let charset = parts.number::<2>()?;
        parts.number::<4>()?;
        let kind = parts.number::<1>()?;
        Some(Self { name, kind, is_binary: charset == BINARY })
    }

    /// The value that `text` stands for.
    pub(super) fn cell(&self, text: &[u8]) -> Cell {
        if text.len() > VALUE_MAX {
            return Cell::Unreadable(format!("the value is longer than {VALUE_MAX} bytes"));
        }
        let Ok(text) = std::str::from_utf8(text) else {
            return Cell::Unreadable("the value is not UTF-8".to_owned());
        };
        // The numbers of the types are those of the protocol (`MYSQL_TYPE_…`).
        let parsed = match self.kind {
            0 | 1 | 2 | 3 | 8 | 9 | 13 | 246 => {
                decimal::order(text, text).map(|_| Cell::Decimal(text.to_owned()))
            }
            4 | 5 => text.parse().ok().map(Cell::Float),
            7 | 10 | 12 => time(text),
            16 => {
                Some(Cell::Unreadable("bits cannot be looked at; write `+ 0` behind the column".to_owned()))
            }
            249..=254 if self.is_binary && !text.bytes().all(is_printable) => {
                Some(Cell::Unreadable("the value is bytes; write hex(…) around the column".to_owned()))
            }
            _ => None,
        };
        parsed.unwrap_or_else(|| Cell::Text(text.to_owned()))
    }
}

const fn is_printable(byte: u8) -> bool {
    byte >= b' ' || byte.is_ascii_whitespace()
}

/// A date, or a date and a time in UTC, which the session asks for; `0000-00-00` stays a text.
fn time(text: &str) -> Option<Cell> {
    let (date, clock) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let at: Timestamp = format!("{date}T{clock}Z").parse().ok()?;
    Some(Cell::Time(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: u64, is_binary: bool) -> Column {
        Column { name: "a".to_owned(), kind, is_binary }
    }

    #[test]
    fn texts_become_values() {
        let at = |text: &str| Cell::Time(text.parse().unwrap());
        for (kind, text, cell) in [
            (3, "42", Cell::Decimal("42".to_owned())),
            (8, "18446744073709551615", Cell::Decimal("18446744073709551615".to_owned())),
            (246, "12.50", Cell::Decimal("12.50".to_owned())),
            (246, "??", Cell::Text("??".to_owned())),
            (5, "1e3", Cell::Float(1000.0)),
            (12, "2026-01-31 12:00:00", at("2026-01-31T12:00:00Z")),
            (7, "2026-01-31 12:00:00.250000", at("2026-01-31T12:00:00.25Z")),
            (10, "2026-01-31", at("2026-01-31T00:00:00Z")),
            (12, "0000-00-00 00:00:00", Cell::Text("0000-00-00 00:00:00".to_owned())),
            (253, "tea", Cell::Text("tea".to_owned())),
            (245, "{}", Cell::Text("{}".to_owned())),
        ] {
            assert_eq!(column(kind, false).cell(text.as_bytes()), cell, "{kind} {text}");
        }
        assert!(matches!(column(252, true).cell(b"\x00\x01"), Cell::Unreadable(_)));
        assert!(matches!(column(253, false).cell(b"\xff"), Cell::Unreadable(_)));
        assert!(matches!(column(253, false).cell(&vec![b'x'; VALUE_MAX + 1]), Cell::Unreadable(_)));
    }

    #[test]
    fn definitions_are_read_or_refused() {
        let mut packet = b"\x03def\x00\x00\x00\x04last\x00\x0c".to_vec();
        packet.extend([63, 0, 19, 0, 0, 0, 12, 128, 0, 0, 0, 0]);
        let column = Column::parse(&packet).unwrap();
        assert_eq!((column.name.as_str(), column.kind, column.is_binary), ("last", 12, true));
        for length in 0..packet.len() - 5 {
            assert_eq!(Column::parse(&packet[..length]), None, "{length}");
        }
    }
}
