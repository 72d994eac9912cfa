//! The records of a batch: a line each, packed as one Zstandard frame.

use std::io::Write as _;
use std::sync::Arc;

use model::event::SliEvent;
use model::missed::{COUNT_MAX, MissedSlots};
use model::outcome::{Reason, Verdict};

use super::{DecodeError, EncodeError, Head, RECORDS_MAX, UNPACKED_BYTES_MAX, Whose};

/// The level of Zstandard that is its default: more packs a tenth better and takes three times as long.
const LEVEL: i32 = 3;

/// What a batch carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// One slot's event.
    Event(Arc<SliEvent>),
    /// Slots that nobody ran.
    Missed(MissedSlots),
}

impl Record {
    fn whose(&self) -> Whose<'_> {
        let origin = match self {
            Self::Event(event) => &event.origin,
            Self::Missed(run) => &run.origin,
        };
        Whose { prober: &origin.prober, region: &origin.stream.region, replica: origin.stream.replica }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Event(event) => {
                out.extend_from_slice(b"E ");
                event.write_json(out);
            }
            Self::Missed(run) => {
                let first = run.events().next().expect("a run of missed slots has one at least");
                write!(out, "M {} {} ", run.step_ms, run.count).expect("memory takes bytes");
                first.write_json(out);
            }
        }
        out.push(b'\n');
    }

    fn read(line: &str) -> Result<Self, String> {
        let wrong = || "it is neither an event nor missed slots".to_owned();
        if let Some(json) = line.strip_prefix("E ") {
            return event(json).map(|event| Self::Event(Arc::new(event)));
        }
        let mut parts = line.strip_prefix("M ").ok_or_else(wrong)?.splitn(3, ' ');
        let (Some(step), Some(count), Some(json)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is no number"));
        let (step_ms, count) = (number(step)?, number(count)?);
        let count = u32::try_from(count).ok().filter(|count| (1..=COUNT_MAX).contains(count));
        let count = count.ok_or_else(|| format!("missed slots come in runs of 1 to {COUNT_MAX}"))?;
        let SliEvent { origin, slot, started, recorded, outcome, .. } = event(json)?;
        let reason = outcome.reason;
        if started.is_some() || !(reason.verdict() == Verdict::Missed || reason == Reason::Paused) {
            return Err(format!("a slot that ended as `{}` was not missed", reason.as_str()));
        }
        if count > 1 && step_ms == 0 {
            return Err("one slot cannot be missed twice".to_owned());
        }
        let maybe_sent = outcome.maybe_sent == Some(true);
        let first = slot.scheduled;
        Ok(Self::Missed(MissedSlots { origin, reason, first, step_ms, count, recorded, maybe_sent }))
    }
}

/// An event whose slot has the id that its stream and its start give.
fn event(json: &str) -> Result<SliEvent, String> {
    let event = SliEvent::from_json(json).map_err(|error| error.to_string())?;
    // The ledger knows slots by their ids: a false one would stand for somebody else's slot.
    if event.slot != event.origin.stream.slot(event.slot.scheduled) {
        return Err("its slot has an id that is not its own".to_owned());
    }
    Ok(event)
}

/// The records as a frame, and how long they are unpacked.
pub(super) fn pack(head: &Head, records: &[Record]) -> Result<(Vec<u8>, usize), EncodeError> {
    let too_large = |bytes| EncodeError::TooLarge { records: records.len(), bytes };
    if records.len() > RECORDS_MAX {
        return Err(too_large(0));
    }
    let mut lines = Vec::with_capacity(records.len() * 1_024);
    for (index, record) in records.iter().enumerate() {
        if record.whose() != head.whose() {
            let (of, batch) = (record.whose().to_string(), head.whose().to_string());
            return Err(EncodeError::Foreign { index, of, batch });
        }
        record.write(&mut lines);
        if lines.len() > UNPACKED_BYTES_MAX {
            return Err(too_large(lines.len()));
        }
    }
    let packed = zstd::bulk::compress(&lines, LEVEL).map_err(|error| EncodeError::Pack(error.to_string()))?;
    Ok((packed, lines.len()))
}

/// Reads `count` records out of a frame that unpacks to `bytes` bytes, no more than [`UNPACKED_BYTES_MAX`].
pub(super) fn unpack(
    frame: &[u8],
    bytes: usize,
    count: usize,
    head: &Head,
) -> Result<Vec<Record>, DecodeError> {
    let lines =
        zstd::bulk::decompress(frame, bytes).map_err(|error| DecodeError::Unpack(error.to_string()))?;
    if lines.len() != bytes {
        return Err(DecodeError::Unpack(format!("they have {} bytes and not {bytes}", lines.len())));
    }
    let text = String::from_utf8(lines).map_err(|_| DecodeError::Wrong("its records are no text"))?;
    let mut origins = Vec::new();
    let mut records = Vec::with_capacity(count);
    for (index, line) in text.split_terminator('\n').enumerate() {
        if index == count {
            return Err(DecodeError::Wrong("it has more records than it says"));
        }
        let mut record = Record::read(line).map_err(|message| DecodeError::Record { index, message })?;
        if record.whose() != head.whose() {
            let (of, batch) = (record.whose().to_string(), head.whose().to_string());
            return Err(DecodeError::Foreign { index, of, batch });
        }
        record.share(&mut origins);
        records.push(record);
    }
    if records.len() != count {
        return Err(DecodeError::Wrong("it has fewer records than it says"));
    }
    Ok(records)
}

impl Record {
    /// Lets records of one plan have one origin, as they had where they were made.
    fn share(&mut self, origins: &mut Vec<Arc<model::event::Origin>>) {
        let origin = match self {
            Self::Event(event) => &mut Arc::make_mut(event).origin,
            Self::Missed(run) => &mut run.origin,
        };
        match origins.iter().find(|known| ***known == **origin) {
            Some(known) => *origin = Arc::clone(known),
            None => origins.push(Arc::clone(origin)),
        }
    }
}
