//! The greatest values that each stream's runs have seen, written in the transaction of the event that moved
//! them and carried from part to part.

use std::collections::HashMap;

use model::high_mark::{HighMark, MarkValue, merged};
use model::slot::Stream;
use model::time::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, params};

/// The table; not in parts that an older version made, and added when such a part is written to.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS marks(
  scenario TEXT NOT NULL, region TEXT NOT NULL, replica INTEGER NOT NULL, step TEXT NOT NULL, name TEXT NOT NULL,
  kind TEXT NOT NULL, value TEXT NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY(scenario, region, replica, step, name)) STRICT, WITHOUT ROWID;
";

/// The marks of all streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(HashMap<Stream, Vec<HighMark>>);

impl Marks {
    /// The stream's marks.
    pub(crate) fn get(&self, stream: &Stream) -> &[HighMark] {
        self.0.get(stream).map(Vec::as_slice).unwrap_or_default()
    }

    /// Moves the stream's marks on.
    pub(crate) fn add(&mut self, stream: &Stream, newer: &[HighMark]) {
        match self.0.get_mut(stream) {
            Some(known) => *known = merged(known, newer),
            None => drop(self.0.insert(stream.clone(), newer.to_vec())),
        }
    }

    /// Moves on what `newer` has.
    pub(crate) fn add_all(&mut self, newer: &Self) {
        newer.0.iter().for_each(|(stream, marks)| self.add(stream, marks));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Writes them into a part's table.
    pub(crate) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        let mut insert =
            conn.prepare_cached("INSERT OR REPLACE INTO marks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        for (stream, marks) in &self.0 {
            let Stream { scenario, region, replica } = stream;
            for mark in marks {
                let (kind, value) = text(mark.value);
                insert.execute(params![
                    &**scenario,
                    &**region,
                    replica,
                    &*mark.step,
                    &*mark.name,
                    kind,
                    value,
                    mark.since.as_nanos()
                ])?;
            }
        }
        Ok(())
    }

    /// Reads them from a part's table.
    pub(crate) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut marks = Self::default();
        let sql = "SELECT scenario, region, replica, step, name, kind, value, since FROM marks";
        let mut select = conn.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let stream = Stream {
                scenario: row.get::<_, String>(0)?.into(),
                region: row.get::<_, String>(1)?.into(),
                replica: row.get(2)?,
            };
            let (kind, value): (String, String) = (row.get(5)?, row.get(6)?);
            let mark = HighMark {
                step: row.get::<_, String>(3)?.into(),
                name: row.get::<_, String>(4)?.into(),
                value: value_of(&kind, &value).ok_or_else(|| {
                    let what = format!("`{kind} {value}` is not a mark");
                    rusqlite::Error::FromSqlConversionFailure(6, Type::Text, what.into())
                })?,
                since: Timestamp::from_nanos(row.get(7)?),
            };
            marks.0.entry(stream).or_default().push(mark);
        }
        Ok(marks)
    }
}

/// A mark's value as it is stored.
fn text(value: MarkValue) -> (&'static str, String) {
    match value {
        MarkValue::Int(number) => ("int", number.to_string()),
        MarkValue::Float(number) => ("float", format!("{number:e}")),
        MarkValue::Time(at) => ("time", at.to_string()),
    }
}

fn value_of(kind: &str, text: &str) -> Option<MarkValue> {
    match kind {
        "int" => text.parse().ok().map(MarkValue::Int),
        "float" => text.parse().ok().map(MarkValue::Float),
        "time" => text.parse().ok().map(MarkValue::Time),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_kind_and_size() {
        for value in [
            MarkValue::Int(i64::MAX),
            MarkValue::Int(-1),
            MarkValue::Float(0.1 + 0.2),
            MarkValue::Float(1e300),
            MarkValue::Time(Timestamp::from_nanos(1_767_225_600_000_000_001)),
        ] {
            let (kind, stored) = text(value);
            assert_eq!(value_of(kind, &stored), Some(value), "{stored}");
        }
        assert_eq!(value_of("text", "x"), None);
        assert_eq!(value_of("int", "x"), None);
    }
}
