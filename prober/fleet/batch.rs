//! How the events of one shard lie on the wire: 1 to 200 records, packed, checked, and numbered.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | `SLIB` |
//! | 1 | the format's number |
//! | 4 | CRC32C (Castagnoli) of every byte behind it |
//! | 1 | length of the region's name |
//! | 1 | length of the prober's name |
//! | 1 | 1 if there is a checkpoint, else 0 |
//! | 2 | records |
//! | 2 + 2 | shard: number and replica |
//! | 4 | length of the records, unpacked |
//! | 8 + 8 + 8 | boot, sequence, token |
//! | 8 | checkpoint, milliseconds since the epoch |
//! | … | the region's name, the prober's name |
//! | … | the records: one Zstandard frame, a line each |
//!
//! Numbers are little-endian. A line is `E ` and an event in its JSON form, whose schema has a version of its own; or
//! `M STEP COUNT ` and the event of the first of so many missed slots at equal distances in milliseconds.
//!
//! A reader believes nothing: lengths are checked before anything is reserved, what is unpacked has a limit that
//! does not come from the sender, and a batch whose events are of another region, prober or replica than its head is
//! refused whole. Deliberately absent: who owned the shard, and what the ledger makes of an event.

mod records;

use std::fmt;

use model::time::Timestamp;

use crate::{BatchId, Beat, Shard, Token};

pub use records::Record;

/// The most records of one batch.
pub const RECORDS_MAX: usize = 200;

/// The longest batch: what [`crate::EventLog::append`] carries.
pub const BYTES_MAX: usize = 512 << 10;

/// The most bytes of the records of one batch, unpacked.
pub const UNPACKED_BYTES_MAX: usize = 8 << 20;

/// The format that this version writes.
pub const FORMAT: u8 = 1;

const MAGIC: [u8; 4] = *b"SLIB";

/// Bytes before the names.
const HEAD_BYTES: usize = 54;

/// Where the bytes begin that the checksum covers.
const CHECKED_FROM: usize = 9;

/// The longest name of a region or a prober; see [`crate::is_key_part`].
const NAME_BYTES_MAX: usize = 64;

/// What is said of all records of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The region whose events they are.
    pub region: String,
    /// Whose work.
    pub shard: Shard,
    /// Which batch.
    pub id: BatchId,
    /// The token under which the shard was owned.
    pub token: Token,
    /// Every slot of this shard before this time has its record in this batch or one with a lower sequence.
    pub checkpoint: Option<Timestamp>,
}

/// Records of one shard, as a prober sends them and a ledger reads them.
#[derive(Clone, Debug, PartialEq)]
pub struct EventBatch {
    /// What is said of all of them.
    pub head: Head,
    /// 1 to [`RECORDS_MAX`]; none only if there is a checkpoint.
    pub records: Vec<Record>,
}

/// Why records do not become a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// They are more than a batch may hold; fewer of them fit.
    #[error("{records} records of {bytes} bytes are more than one batch holds")]
    TooLarge {
        /// How many records.
        records: usize,
        /// Their bytes, packed if it came to that.
        bytes: usize,
    },
    /// A batch says something: a record or a checkpoint.
    #[error("a batch without records and checkpoint says nothing")]
    Empty,
    /// A name cannot be part of a key.
    #[error(
        "`{0}` cannot be the name of a region or a prober in a fleet: write up to 64 of A-Z, a-z, 0-9, - and _"
    )]
    Name(String),
    /// A record is of another region, prober or replica than the head says.
    #[error("record {index} is of {of}, but the batch is of {batch}")]
    Foreign {
        /// Which record, from 0.
        index: usize,
        /// Whose record it is.
        of: String,
        /// Whose batch it is.
        batch: String,
    },
    /// Zstandard refuses.
    #[error("the records could not be packed: {0}")]
    Pack(String),
}

/// Why bytes are no batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are not from a prober.
    #[error("these bytes are no batch of events")]
    NotABatch,
    /// A newer prober wrote it.
    #[error(
        "the batch has format {0}, and the newest that is known is {FORMAT}; upgrade whoever reads it first"
    )]
    Format(u8),
    /// They end too soon.
    #[error("the batch ends after {0} bytes")]
    Truncated(usize),
    /// They are more than any batch.
    #[error("{0} bytes are more than a batch may have")]
    TooLong(usize),
    /// What was sent is not what has come.
    #[error("the batch is damaged: its checksum is {found:08x} and not {said:08x}")]
    Checksum {
        /// What its head says.
        said: u32,
        /// What its bytes give.
        found: u32,
    },
    /// A field has a value that no prober writes.
    #[error("the batch is wrong: {0}")]
    Wrong(&'static str),
    /// The records cannot be unpacked, or are more than the head says.
    #[error("the records could not be unpacked: {0}")]
    Unpack(String),
    /// A record cannot be read.
    #[error("record {index} cannot be read: {message}")]
    Record {
        /// Which, from 0.
        index: usize,
        /// Why.
        message: String,
    },
    /// A record is of another region, prober or replica than the head says.
    #[error("record {index} is of {of}, but the batch is of {batch}")]
    Foreign {
        /// Which, from 0.
        index: usize,
        /// Whose record it is.
        of: String,
        /// Whose batch it is.
        batch: String,
    },
}

impl Head {
    /// Whose batch it is, for people.
    fn whose(&self) -> Whose<'_> {
        Whose { prober: &self.id.from.prober, region: &self.region, replica: self.shard.replica }
    }
}

/// Whose records they are.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Whose<'a> {
    prober: &'a str,
    region: &'a str,
    replica: u16,
}

impl fmt::Display for Whose<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, region {}, replica {}", self.prober, self.region, self.replica)
    }
}

impl EventBatch {
    /// The bytes of the batch, at most [`BYTES_MAX`].
    ///
    /// # Errors
    /// The records are too many or too long, nothing is said, or a record is not of this batch.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        encode(&self.head, &self.records)
    }

    /// Reads a batch.
    ///
    /// # Errors
    /// It is no batch, of a newer format, damaged, too long, or says of itself what its records do not.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let fixed = Fixed::read(bytes)?;
        let mut rest = &bytes[HEAD_BYTES..];
        let region = name(&mut rest, fixed.region_bytes)?;
        let prober = name(&mut rest, fixed.prober_bytes)?;
        let head = Head {
            region,
            shard: fixed.shard,
            id: BatchId { from: Beat { prober, boot: fixed.boot }, sequence: fixed.sequence },
            token: fixed.token,
            checkpoint: fixed.checkpoint,
        };
        let records = records::unpack(rest, fixed.unpacked_bytes, fixed.records, &head)?;
        Ok(Self { head, records })
    }
}

/// Packs as many records as there are into batches, each with the next sequence.
///
/// `head` gives the first sequence; its checkpoint stands in the last batch, after which it is true.
///
/// # Errors
/// A single record is too long for a batch, or not of this batch; nothing may be sent then.
pub fn pack(head: &Head, records: &[Record]) -> Result<Vec<Vec<u8>>, EncodeError> {
    let mut batches = Vec::with_capacity(records.len() / RECORDS_MAX + 1);
    let (mut head, checkpoint) = (Head { checkpoint: None, ..head.clone() }, head.checkpoint);
    let mut rest = records;
    loop {
        let mut count = rest.len().min(RECORDS_MAX);
        let bytes = loop {
            head.checkpoint = checkpoint.filter(|_| count == rest.len());
            match encode(&head, &rest[..count]) {
                // Half of what does not fit may.
                Err(EncodeError::TooLarge { .. }) if count > 1 => count = count.div_ceil(2),
                other => break other?,
            }
        };
        batches.push(bytes);
        rest = &rest[count..];
        if rest.is_empty() {
            return Ok(batches);
        }
        head.id.sequence += 1;
    }
}

fn encode(head: &Head, records: &[Record]) -> Result<Vec<u8>, EncodeError> {
    if records.is_empty() && head.checkpoint.is_none() {
        return Err(EncodeError::Empty);
    }
    for name in [&head.region, &head.id.from.prober] {
        if !crate::is_key_part(name) {
            return Err(EncodeError::Name(name.clone()));
        }
    }
    let (packed, unpacked_bytes) = records::pack(head, records)?;
    let too_large = |bytes| EncodeError::TooLarge { records: records.len(), bytes };
    let mut bytes = Vec::with_capacity(HEAD_BYTES + 2 * NAME_BYTES_MAX + packed.len());
    bytes.extend_from_slice(&MAGIC);
    let short = |text: &str| u8::try_from(text.len()).expect("a part of a key has at most 64 bytes");
    let (region, prober) = (head.region.as_str(), head.id.from.prober.as_str());
    bytes.extend_from_slice(&[FORMAT, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[short(region), short(prober), u8::from(head.checkpoint.is_some())]);
    let count = u16::try_from(records.len()).map_err(|_| too_large(unpacked_bytes))?;
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&head.shard.number.to_le_bytes());
    bytes.extend_from_slice(&head.shard.replica.to_le_bytes());
    let unpacked = u32::try_from(unpacked_bytes).map_err(|_| too_large(unpacked_bytes))?;
    bytes.extend_from_slice(&unpacked.to_le_bytes());
    for number in [head.id.from.boot, head.id.sequence, head.token.0] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&head.checkpoint.map_or(0, Timestamp::as_millis).to_le_bytes());
    bytes.extend_from_slice(region.as_bytes());
    bytes.extend_from_slice(prober.as_bytes());
    bytes.extend_from_slice(&packed);
    if bytes.len() > BYTES_MAX {
        return Err(too_large(bytes.len()));
    }
    let checksum = crc32c::crc32c(&bytes[CHECKED_FROM..]);
    bytes[CHECKED_FROM - 4..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// The head's part that has the same length in every batch.
struct Fixed {
    region_bytes: usize,
    prober_bytes: usize,
    records: usize,
    unpacked_bytes: usize,
    shard: Shard,
    boot: u64,
    sequence: u64,
    token: Token,
    checkpoint: Option<Timestamp>,
}

impl Fixed {
    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > BYTES_MAX {
            return Err(DecodeError::TooLong(bytes.len()));
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(DecodeError::NotABatch);
        }
        let mut rest = Rest { bytes: &bytes[MAGIC.len()..], all: bytes.len() };
        let [format] = rest.take()?;
        if format != FORMAT {
            return Err(DecodeError::Format(format));
        }
        let said = u32::from_le_bytes(rest.take()?);
        let found = crc32c::crc32c(rest.bytes);
        if said != found {
            return Err(DecodeError::Checksum { said, found });
        }
        let [region_bytes, prober_bytes, has_checkpoint] = rest.take()?;
        let records = usize::from(u16::from_le_bytes(rest.take()?));
        let number = u16::from_le_bytes(rest.take()?);
        let replica = u16::from_le_bytes(rest.take()?);
        let unpacked_bytes = u32::from_le_bytes(rest.take()?);
        let [boot, sequence, token] = [rest.take()?, rest.take()?, rest.take()?].map(u64::from_le_bytes);
        let checkpoint = Timestamp::from_millis(i64::from_le_bytes(rest.take()?));
        let fixed = Self {
            region_bytes: usize::from(region_bytes),
            prober_bytes: usize::from(prober_bytes),
            records,
            unpacked_bytes: usize::try_from(unpacked_bytes).unwrap_or(usize::MAX),
            shard: Shard { number, replica },
            boot,
            sequence,
            token: Token(token),
            checkpoint: (has_checkpoint == 1).then_some(checkpoint),
        };
        fixed.check(has_checkpoint)?;
        Ok(fixed)
    }

    fn check(&self, has_checkpoint: u8) -> Result<(), DecodeError> {
        let wrong = [
            (has_checkpoint > 1, "a field that says yes or no says neither"),
            (self.sequence == 0, "sequences begin with 1"),
            (self.records > RECORDS_MAX, "it has more records than a batch may have"),
            (self.records == 0 && self.checkpoint.is_none(), "it has neither records nor a checkpoint"),
            (self.unpacked_bytes > UNPACKED_BYTES_MAX, "its records are longer than a batch may have"),
        ];
        wrong.iter().find(|(is_so, _)| *is_so).map_or(Ok(()), |(_, why)| Err(DecodeError::Wrong(why)))
    }
}

/// What is still to be read.
struct Rest<'a> {
    bytes: &'a [u8],
    all: usize,
}

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(DecodeError::Truncated(self.all))?;
        self.bytes = rest;
        Ok(*taken)
    }
}

fn name(rest: &mut &[u8], length: usize) -> Result<String, DecodeError> {
    let (name, after) = rest.split_at_checked(length).ok_or(DecodeError::Wrong("its names end too soon"))?;
    *rest = after;
    let name = std::str::from_utf8(name).ok().filter(|name| crate::is_key_part(name));
    name.map(str::to_owned).ok_or(DecodeError::Wrong("its region or its prober has no name that may be"))
}

#[cfg(test)]
mod tests;
