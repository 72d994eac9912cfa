//! From PostgreSQL's binary values to ours.
//!
//! Types are known by their names in `pg_catalog`. A type that is not known here can still be asserted on
//! after `::text` in the query, and the reading says so.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use model::time::Timestamp;
use scenario::value::{Reading, Value};
use tokio_postgres::types::{FromSql, Kind, Type};

/// The longest value that is kept, in bytes.
const VALUE_MAX: usize = 64 * 1024;
/// 2000-01-01T00:00:00Z, PostgreSQL's zero, in seconds since the Unix epoch.
const EPOCH_SECONDS: i64 = 946_684_800;
const DAY_SECONDS: i64 = 86_400;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// SQL's null.
    Null,
    /// `boolean`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number, also what is none or infinite.
    Float(f64),
    /// A `numeric` or `decimal`, in decimal digits.
    Decimal(String),
    /// Texts and everything that has a text form.
    Text(String),
    /// An `interval` that is not negative.
    Duration(Duration),
    /// A time stamp or a date (its first instant), UTC if the type has no zone.
    Time(Timestamp),
    /// An array.
    List(Vec<Cell>),
    /// A value that cannot be looked at, and why.
    Unreadable(String),
}

impl Cell {
    /// The value as assertions see it.
    pub(super) fn read(&self) -> Reading<'_> {
        match self {
            Self::Unreadable(why) => Reading::Unreadable(why.clone()),
            cell => Reading::One(cell.value()),
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Decimal(digits) => Value::of_decimal(digits),
            Self::Text(text) | Self::Unreadable(text) => Value::Text(text.as_str().into()),
            Self::Duration(value) => Value::Duration(*value),
            Self::Time(at) => Value::Time(*at),
            Self::List(cells) => Value::List(cells.iter().map(Self::value).collect()),
        }
    }
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        if raw.len() > VALUE_MAX {
            return Ok(Self::Unreadable(format!("the value is longer than {VALUE_MAX} bytes")));
        }
        let parsed = match kind.kind() {
            Kind::Domain(inner) => Self::from_sql(inner, raw),
            Kind::Enum(_) => Ok(text(raw)),
            Kind::Array(_) => Vec::from_sql(kind, raw).map(list),
            _ if kind.schema() == "pg_catalog" => builtin(kind.name(), raw),
            _ => Ok(not_known(kind.name())),
        };
        // One malformed value does not spoil the others.
        Ok(parsed.unwrap_or_else(|error| Self::Unreadable(error.to_string())))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The list, or the first of its values that cannot be looked at.
fn list(items: Vec<Cell>) -> Cell {
    let unreadable = items.iter().find(|item| matches!(item, Cell::Unreadable(_)));
    unreadable.cloned().unwrap_or(Cell::List(items))
}

type Parsed = Result<Cell, Box<dyn Error + Sync + Send>>;

fn builtin(name: &str, raw: &[u8]) -> Parsed {
    Ok(match name {
        "bool" => Cell::Bool(fixed::<1>(raw)?[0] != 0),
        "int2" => Cell::Int(i16::from_be_bytes(fixed(raw)?).into()),
        "int4" => Cell::Int(i32::from_be_bytes(fixed(raw)?).into()),
        "int8" => Cell::Int(i64::from_be_bytes(fixed(raw)?)),
        "oid" => Cell::Int(u32::from_be_bytes(fixed(raw)?).into()),
        "float4" => Cell::Float(f32::from_be_bytes(fixed(raw)?).into()),
        "float8" => Cell::Float(f64::from_be_bytes(fixed(raw)?)),
        "numeric" => numeric(raw)?,
        "text" | "varchar" | "bpchar" | "name" | "json" | "xml" | "unknown" | "char" => text(raw),
        "jsonb" => text(raw.get(1..).ok_or("a jsonb value is empty")?),
        "uuid" => Cell::Text(uuid(fixed(raw)?)),
        "bytea" => Cell::Text(format!("\\x{}", hex(raw))),
        "timestamptz" | "timestamp" => timestamp(i64::from_be_bytes(fixed(raw)?)),
        "date" => date(i32::from_be_bytes(fixed(raw)?)),
        "time" => time_of_day(i64::from_be_bytes(fixed(raw)?)),
        "interval" => interval(fixed(raw)?),
        "void" => Cell::Null,
        other => not_known(other),
    })
}

fn not_known(name: &str) -> Cell {
    Cell::Unreadable(format!("values of type {name} cannot be looked at; write `::text` behind the column"))
}

fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N], Box<dyn Error + Sync + Send>> {
    raw.try_into().map_err(|_| format!("the server sent {} bytes where {N} were due", raw.len()).into())
}

fn text(raw: &[u8]) -> Cell {
    match std::str::from_utf8(raw) {
        Ok(text) => Cell::Text(text.to_owned()),
        Err(_) => Cell::Unreadable("the value is not UTF-8".to_owned()),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing into a String cannot fail");
    }
    text
}

fn uuid(bytes: [u8; 16]) -> String {
    let all = hex(&bytes);
    [&all[..8], &all[8..12], &all[12..16], &all[16..20], &all[20..]].join("-")
}

/// Microseconds since 2000; the ends of the range are PostgreSQL's infinities.
fn timestamp(micros: i64) -> Cell {
    if let Some(word) = infinity(micros == i64::MAX, micros == i64::MIN) {
        return word;
    }
    let seconds = micros.div_euclid(MICROS_PER_SECOND).saturating_add(EPOCH_SECONDS);
    let nanos = micros.rem_euclid(MICROS_PER_SECOND) * 1000;
    at(seconds.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(nanos)))
}

/// Days since 2000.
fn date(days: i32) -> Cell {
    if let Some(word) = infinity(days == i32::MAX, days == i32::MIN) {
        return word;
    }
    let seconds = i64::from(days) * DAY_SECONDS + EPOCH_SECONDS;
    at(seconds.checked_mul(1_000_000_000))
}

fn at(nanos: Option<i64>) -> Cell {
    nanos.map_or_else(
        || Cell::Unreadable("the time lies outside of 1677 to 2262".to_owned()),
        |nanos| Cell::Time(Timestamp::from_nanos(nanos)),
    )
}

fn infinity(positive: bool, negative: bool) -> Option<Cell> {
    match (positive, negative) {
        (true, _) => Some(Cell::Text("infinity".to_owned())),
        (_, true) => Some(Cell::Text("-infinity".to_owned())),
        _ => None,
    }
}

fn time_of_day(micros: i64) -> Cell {
    let (seconds, rest) = (micros.div_euclid(MICROS_PER_SECOND), micros.rem_euclid(MICROS_PER_SECOND));
    Cell::Text(format!("{:02}:{:02}:{:02}.{rest:06}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

/// Microseconds, days and months; a month counts 30 days, as PostgreSQL compares intervals.
fn interval(raw: [u8; 16]) -> Cell {
    let (micros, rest) = raw.split_first_chunk::<8>().expect("16 bytes start with 8");
    let (days, months) = rest.split_first_chunk::<4>().expect("8 bytes start with 4");
    let months: [u8; 4] = months.try_into().expect("4 bytes are left");
    let days = i64::from(i32::from_be_bytes(*days)) + 30 * i64::from(i32::from_be_bytes(months));
    let micros = i128::from(days) * i128::from(DAY_SECONDS * MICROS_PER_SECOND)
        + i128::from(i64::from_be_bytes(*micros));
    let size = Duration::from_micros(u64::try_from(micros.unsigned_abs()).unwrap_or(u64::MAX));
    if micros < 0 { Cell::Text(format!("-{size:?}")) } else { Cell::Duration(size) }
}

/// Digits to the base of 10,000, the first one standing for 10,000 to the power of `weight`.
fn numeric(raw: &[u8]) -> Parsed {
    let (head, digits) = raw.split_first_chunk::<8>().ok_or("a numeric value is too short")?;
    let word = |index: usize| i16::from_be_bytes([head[index], head[index + 1]]);
    let (weight, sign, scale) = (word(2), word(4).cast_unsigned(), usize::from(word(6).cast_unsigned()));
    let digits: Vec<u16> =
        digits.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let sign = match sign {
        0x0000 => "",
        0x4000 => "-",
        0xC000 => return Ok(Cell::Float(f64::NAN)),
        0xD000 => return Ok(Cell::Float(f64::INFINITY)),
        0xF000 => return Ok(Cell::Float(f64::NEG_INFINITY)),
        _ => return Err("a numeric value has no sign".into()),
    };
    let digit = |power: i32| {
        let index = usize::try_from(i32::from(weight) - power).ok()?;
        digits.get(index).copied()
    };
    let written = |powers: &mut dyn Iterator<Item = i32>| {
        powers.fold(String::new(), |mut text, power| {
            write!(text, "{:04}", digit(power).unwrap_or(0)).expect("writing into a String cannot fail");
            text
        })
    };
    let whole = written(&mut (0..=i32::from(weight).max(0)).rev());
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    if scale == 0 {
        return Ok(Cell::Decimal(format!("{sign}{whole}")));
    }
    let groups = i32::try_from(scale.div_ceil(4)).expect("a scale has 16 bits");
    let mut fraction = written(&mut (1..=groups).map(|power| -power));
    fraction.truncate(scale);
    Ok(Cell::Decimal(format!("{sign}{whole}.{fraction}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric_of(weight: i16, sign: u16, scale: u16, digits: &[u16]) -> Vec<u8> {
        let count = u16::try_from(digits.len()).unwrap();
        let head = [count, weight.cast_unsigned(), sign, scale];
        head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numerics() {
        for (weight, sign, scale, digits, text) in [
            (0, 0, 0, &[42][..], "42"),
            (-1, 0, 0, &[], "0"),
            (1, 0x4000, 0, &[1, 2], "-10002"),
            (1, 0, 0, &[3], "30000"),
            (0, 0, 2, &[12, 5000], "12.50"),
            (-1, 0, 4, &[25], "0.0025"),
            (-2, 0x4000, 6, &[1200], "-0.000012"),
            (5, 0, 0, &[1], "100000000000000000000"),
            (4, 0, 2, &[1, 2345, 6789, 123, 4567, 8900], "12345678901234567.89"),
        ] {
            let cell = builtin("numeric", &numeric_of(weight, sign, scale, digits)).unwrap();
            assert_eq!(cell, Cell::Decimal(text.to_owned()));
        }
        let infinite = builtin("numeric", &numeric_of(0, 0xD000, 0, &[])).unwrap();
        assert_eq!(infinite, Cell::Float(f64::INFINITY));
        assert!(builtin("numeric", &[0; 7]).is_err());
        assert!(builtin("numeric", &numeric_of(0, 0x1234, 0, &[])).is_err());
        // The greatest header there is ends at once and without a great allocation.
        assert!(matches!(
            builtin("numeric", &numeric_of(i16::MAX, 0, u16::MAX, &[1])).unwrap(),
            Cell::Decimal(_)
        ));
    }

    #[test]
    fn times() {
        let day = |text: &str| Cell::Time(text.parse().unwrap());
        assert_eq!(builtin("timestamptz", &0i64.to_be_bytes()).unwrap(), day("2000-01-01T00:00:00Z"));
        assert_eq!(builtin("timestamp", &(-1i64).to_be_bytes()).unwrap(), day("1999-12-31T23:59:59.999999Z"));
        assert_eq!(builtin("date", &31i32.to_be_bytes()).unwrap(), day("2000-02-01T00:00:00Z"));
        assert_eq!(builtin("timestamp", &i64::MAX.to_be_bytes()).unwrap(), Cell::Text("infinity".into()));
        assert!(matches!(builtin("timestamp", &(i64::MAX - 1).to_be_bytes()).unwrap(), Cell::Unreadable(_)));
        assert!(matches!(builtin("date", &(i32::MAX - 1).to_be_bytes()).unwrap(), Cell::Unreadable(_)));
        assert!(builtin("date", &[1, 2]).is_err());
    }

    #[test]
    fn intervals() {
        let raw = |micros: i64, days: i32, months: i32| {
            [&micros.to_be_bytes()[..], &days.to_be_bytes(), &months.to_be_bytes()].concat()
        };
        let hours = |hours: u64| Cell::Duration(Duration::from_secs(hours * 3600));
        assert_eq!(builtin("interval", &raw(3_600_000_000, 0, 0)).unwrap(), hours(1));
        assert_eq!(builtin("interval", &raw(-3_600_000_000, 1, 1)).unwrap(), hours(31 * 24 - 1));
        assert_eq!(builtin("interval", &raw(-1_000_000, 0, 0)).unwrap(), Cell::Text("-1s".into()));
        assert!(matches!(builtin("interval", &raw(i64::MIN, i32::MIN, i32::MIN)).unwrap(), Cell::Text(_)));
    }
}
