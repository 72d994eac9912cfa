//! When a run is due: streams of slots and their identity.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Timestamp;

/// One scenario in one region: the unit that has a schedule, an account and a history.
///
/// Replicas (several probers that share a region) number from 0; a single prober is replica 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// The scenario's `name`, the key of its history.
    pub scenario: Arc<str>,
    /// The region's name.
    pub region: Arc<str>,
    /// Which replica inside the region.
    pub replica: u16,
}

impl Stream {
    /// The stream of `scenario` in `region`, replica 0.
    pub fn new(scenario: impl Into<Arc<str>>, region: impl Into<Arc<str>>) -> Self {
        Self { scenario: scenario.into(), region: region.into(), replica: 0 }
    }

    /// The slot of this stream that starts at `scheduled`.
    pub fn slot(&self, scheduled: Timestamp) -> Slot {
        Slot { id: SlotId::of(self, scheduled), scheduled }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.scenario, self.region)?;
        if self.replica > 0 {
            write!(out, "/{}", self.replica)?;
        }
        Ok(())
    }
}

/// One planned start of one stream: *logical* time, a pure function of the plan.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// What makes a second delivery of the same slot recognisable.
    pub id: SlotId,
    /// The planned start; SLO windows use this time.
    pub scheduled: Timestamp,
}

/// The identity of a slot: 128 bits of a BLAKE3 hash over stream and start.
///
/// Not over the scenario's version: a reload in the middle of a slot must not count it twice.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId([u8; 16]);

/// A text that is not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run id of 32 hexadecimal digits")]
pub struct NotASlotId(String);

impl SlotId {
    /// The id of the slot of `stream` that starts at `scheduled` (milliseconds count, finer parts do not).
    pub fn of(stream: &Stream, scheduled: Timestamp) -> Self {
        let (scenario, region) = (stream.scenario.as_bytes(), stream.region.as_bytes());
        let mut bytes = Vec::with_capacity(scenario.len() + region.len() + 8 + 8 + 2 + 8);
        for part in [scenario, region] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes.extend_from_slice(&stream.replica.to_le_bytes());
        bytes.extend_from_slice(&scheduled.as_millis().to_le_bytes());
        let mut id = [0; 16];
        // In one piece: a hasher that waits for more costs as much again.
        id.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
        Self(id)
    }

    /// The id made of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes; also the W3C trace id of the slot's first run.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The W3C span id of the run's root span: half of the id, never all zero.
    pub fn root_span(&self) -> [u8; 8] {
        let mut span = [0; 8];
        span.copy_from_slice(&self.0[8..]);
        span[7] |= 1;
        span
    }
}

impl SlotId {
    /// The 32 hexadecimal digits.
    pub(crate) fn digits(&self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(std::str::from_utf8(&self.digits()).expect("digits are ASCII"))
    }
}

impl fmt::Debug for SlotId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for SlotId {
    type Err = NotASlotId;

    fn from_str(text: &str) -> Result<Self, NotASlotId> {
        let fits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = if fits { u128::from_str_radix(text, 16).ok() } else { None };
        bits.map(|bits| Self(bits.to_be_bytes())).ok_or_else(|| NotASlotId(text.chars().take(64).collect()))
    }
}

impl Serialize for SlotId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(std::str::from_utf8(&self.digits()).expect("digits are ASCII"))
    }
}

impl<'de> Deserialize<'de> for SlotId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How often a plan is due; what the account recomputes expected slots from.
///
/// Its text (`every 60000ms`, `cron Europe/Berlin */30 6-20 * * MON-FRI`) is a stored format.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cadence {
    /// A fixed interval in milliseconds, at least 1; the phase comes from a hash of the stream.
    Every {
        /// The interval.
        interval_ms: u64,
    },
    /// A five-field cron expression read in an IANA time zone.
    Cron {
        /// The expression, as the author wrote it.
        expression: String,
        /// The zone's IANA name.
        timezone: String,
    },
}

/// A stored cadence that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stored cadence")]
pub struct NotACadence(String);

impl fmt::Display for Cadence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every { interval_ms } => write!(out, "every {interval_ms}ms"),
            Self::Cron { expression, timezone } => write!(out, "cron {timezone} {expression}"),
        }
    }
}

impl FromStr for Cadence {
    type Err = NotACadence;

    fn from_str(text: &str) -> Result<Self, NotACadence> {
        let wrong = || NotACadence(text.to_owned());
        let (word, rest) = text.split_once(' ').ok_or_else(wrong)?;
        match word {
            "every" => {
                let interval_ms = rest.strip_suffix("ms").and_then(|ms| ms.parse().ok()).ok_or_else(wrong)?;
                if interval_ms == 0 { Err(wrong()) } else { Ok(Self::Every { interval_ms }) }
            }
            "cron" => {
                let (timezone, expression) = rest.split_once(' ').ok_or_else(wrong)?;
                Ok(Self::Cron { expression: expression.to_owned(), timezone: timezone.to_owned() })
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_stream_and_start_only() {
        let at = Timestamp::from_millis(1_767_225_600_000);
        let stream = Stream::new("checkout", "eu");
        let id = stream.slot(at).id;
        // Golden values: the id is a public, stored format, and the first replica's is that from before there were others.
        let of = |replica: u16| Stream { replica, ..stream.clone() }.slot(at).id.to_string();
        assert_eq!([of(0), of(1)], ["5e5d15163140252ed6f95cf004117255", "ec7c061d4f32af0460ee51e2ee101de6"]);
        assert_ne!(id, Stream::new("checkout", "us").slot(at).id);
        assert_ne!(id, Stream::new("checkoute", "u").slot(at).id);
        assert_ne!(id, stream.slot(Timestamp::from_millis(at.as_millis() + 1)).id);
        assert_eq!(id, stream.slot(Timestamp::from_nanos(at.as_nanos() + 1)).id);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("+0000000000000000000000000000001".parse::<SlotId>().is_err());
    }

    #[test]
    fn cadences_round_trip() {
        for text in ["every 60000ms", "cron Europe/Berlin */30 6-20 * * MON-FRI"] {
            assert_eq!(text.parse::<Cadence>().unwrap().to_string(), text);
        }
        for text in ["", "every", "every 0ms", "every 5", "hourly 1", "cron UTC"] {
            assert!(text.parse::<Cadence>().is_err(), "{text}");
        }
    }
}
