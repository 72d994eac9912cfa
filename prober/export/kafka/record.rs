//! What is stored of an event, pure: a record with CloudEvents headers, records in a batch, and the partition by key.

use std::sync::Arc;

use model::event::SliEvent;

use super::wire::Writer;
use crate::cloud_event;

/// Who produces, so that a repetition is known again.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Producer {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// The key of an event: what keeps the order of its stream.
pub(super) fn key(event: &SliEvent) -> String {
    let stream = &event.origin.stream;
    format!("{}/{}", stream.scenario, stream.region)
}

/// The partition of a key, as Java's clients choose it.
pub(super) fn partition(key: &str, partitions: usize) -> usize {
    let hash = usize::try_from(murmur2(key.as_bytes()) & 0x7fff_ffff).expect("31 bits fit");
    hash % partitions.max(1)
}

/// The hash Murmur 2 with the seed of Kafka's `Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut part = u32::from_le_bytes(*word).wrapping_mul(M);
        part = (part ^ (part >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ part;
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// A batch of records of format 2 (<https://kafka.apache.org/documentation/#recordbatch>).
pub(super) fn batch(events: &[Arc<SliEvent>], producer: Producer, sequence: i32) -> Vec<u8> {
    let first = events.first().map_or(0, |event| event.recorded.as_millis());
    let newest = events.iter().map(|event| event.recorded.as_millis()).max().unwrap_or(first);
    let mut checked = Writer::default();
    checked.i16(0);
    checked.count(events.len().saturating_sub(1));
    checked.i64(first);
    checked.i64(newest);
    checked.i64(producer.id);
    checked.i16(producer.epoch);
    checked.i32(sequence);
    checked.count(events.len());
    for (place, event) in (0..).zip(events) {
        checked.short(&record(event, event.recorded.as_millis() - first, place));
    }
    let mut batch = Writer::default();
    batch.i64(0);
    // The epoch of the leader, the format and the checksum come before what is checked.
    batch.count(checked.0.len() + 9);
    batch.i32(-1);
    batch.i8(2);
    batch.0.extend(crc32c(&checked.0).to_be_bytes());
    batch.0.extend(checked.0);
    batch.0
}

fn record(event: &SliEvent, after: i64, place: i64) -> Vec<u8> {
    let mut record = Writer::default();
    record.i8(0);
    record.varint(after);
    record.varint(place);
    record.short(key(event).as_bytes());
    record.short(event.to_json().as_bytes());
    let headers = headers(event);
    record.varint(i64::try_from(headers.len()).unwrap_or(0));
    for (name, value) in headers {
        record.short(name.as_bytes());
        record.short(value.as_bytes());
    }
    record.0
}

/// Those of CloudEvents' binary mode
/// (<https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/kafka-protocol-binding.md>).
fn headers(event: &SliEvent) -> Vec<(String, String)> {
    let attributes = cloud_event::attributes(event).into_iter();
    let mut headers: Vec<_> = attributes.map(|(name, value)| (format!("ce_{name}"), value)).collect();
    headers.push(("ce_partitionkey".to_owned(), key(event)));
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    headers
}

/// The Castagnoli checksum (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        let place = (sum ^ u32::from(*byte)) & 0xff;
        TABLE[place as usize] ^ (sum >> 8)
    })
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u32;
    while byte < 256 {
        let (mut sum, mut bit) = (byte, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
            bit += 1;
        }
        table[byte as usize] = sum;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_others() {
        // RFC 3720, B.4; and Kafka's UtilsTest.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        for (text, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), expected, "{text}");
        }
        assert_eq!(partition("abc", 0), 0);
    }
}
