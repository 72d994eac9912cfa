//! The bytes of a request, pure: rows → protobuf → snappy block.

use std::collections::{BTreeMap, HashMap};

use super::rows::Row;
use crate::prometheus::Kind;
use crate::proto::Message;

/// A version of the protocol.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `prometheus.WriteRequest`.
    One,
    /// `io.prometheus.write.v2.Request`.
    Two,
}

impl Protocol {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::One => "application/x-protobuf",
            Self::Two => "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        }
    }

    pub(super) const fn version(self) -> &'static str {
        match self {
            Self::One => "0.1.0",
            Self::Two => "2.0.0",
        }
    }
}

/// The body of a request: the message, compressed as one block.
pub(super) fn body(protocol: Protocol, rows: &[Row]) -> Vec<u8> {
    let message = match protocol {
        Protocol::One => one(rows),
        Protocol::Two => two(rows),
    };
    snap::raw::Encoder::new().compress_vec(&message).expect("a message has less than 4 GiB")
}

/// The rows of each series in the order of their times.
fn by_series(rows: &[Row]) -> BTreeMap<&[(String, String)], Vec<&Row>> {
    let mut series = BTreeMap::<_, Vec<_>>::new();
    for row in rows {
        series.entry(&*row.labels).or_default().push(row);
    }
    series
}

fn sample(message: &mut Message, row: &Row) {
    message.double(1, row.value);
    message.int(2, row.at.as_millis());
}

/// <https://github.com/prometheus/prometheus/blob/main/prompb/types.proto>
fn one(rows: &[Row]) -> Vec<u8> {
    let mut request = Message::default();
    for (labels, rows) in by_series(rows) {
        request.message(1, |series| {
            for (name, value) in labels {
                series.message(1, |label| {
                    label.text(1, name);
                    label.text(2, value);
                });
            }
            for row in &rows {
                series.message(2, |message| sample(message, row));
            }
        });
    }
    request.into_bytes()
}

/// The texts of a request, each once; the first is empty.
struct Symbols<'a> {
    texts: Vec<&'a str>,
    places: HashMap<&'a str, u64>,
}

impl<'a> Symbols<'a> {
    fn new() -> Self {
        Self { texts: vec![""], places: HashMap::from([("", 0)]) }
    }

    fn place(&mut self, text: &'a str) -> u64 {
        *self.places.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() as u64 - 1
        })
    }
}

/// <https://github.com/prometheus/prometheus/blob/main/prompb/io/prometheus/write/v2/types.proto>
fn two(rows: &[Row]) -> Vec<u8> {
    let mut symbols = Symbols::new();
    let mut all = Message::default();
    for (labels, rows) in by_series(rows) {
        let places: Vec<_> =
            labels.iter().flat_map(|(name, value)| [symbols.place(name), symbols.place(value)]).collect();
        let about = &rows[rows.len() - 1].about;
        let help = symbols.place(&about.help);
        let exemplars: Vec<_> = rows
            .iter()
            .filter_map(|row| {
                let (trace, value) = row.exemplar.as_ref()?;
                Some((symbols.place("trace_id"), symbols.place(trace), *value, row.at.as_millis()))
            })
            .collect();
        all.message(5, |series| {
            series.packed_uints(1, places);
            for row in &rows {
                series.message(2, |message| sample(message, row));
            }
            for (name, trace, value, at) in exemplars {
                series.message(4, |exemplar| {
                    exemplar.packed_uints(1, [name, trace]);
                    exemplar.double(2, value);
                    exemplar.int(3, at);
                });
            }
            series.message(5, |metadata| {
                metadata.uint(1, kind(about.kind));
                metadata.uint(3, help);
            });
            series.int(6, about.born.map_or(0, model::time::Timestamp::as_millis));
        });
    }
    let mut request = Message::default();
    symbols.texts.iter().for_each(|text| request.bytes_always(4, text.as_bytes()));
    let mut bytes = request.into_bytes();
    bytes.extend(all.into_bytes());
    bytes
}

/// `MetricType`
const fn kind(kind: Kind) -> u64 {
    match kind {
        Kind::Counter => 1,
        Kind::Gauge => 2,
        Kind::Histogram => 3,
    }
}
