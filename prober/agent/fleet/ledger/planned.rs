//! Which slots there are.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fleet::Shard;
use fleet::assign::place_of;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use schedule::slots::Timetable;

/// The longest interval that is waited for: a run may take as long, and one that takes longer counts when it comes.
const INTERVAL_MAX: Duration = Duration::from_mins(10);

/// Which slots there are: what was planned when, by the scenario sets that held.
#[derive(Debug, Default)]
pub(in crate::agent::fleet) struct Planned {
    streams: HashMap<Stream, Vec<(Timestamp, Option<Timestamp>, Timetable)>>,
    /// Every shard that has, or had, a stream; and the longest of their intervals, as far as it is waited for.
    pub(super) shards: BTreeMap<(String, Shard), Duration>,
    /// How many replicas the scenarios of a region have now, at most.
    pub(super) replicas: BTreeMap<String, u16>,
}

impl Planned {
    /// What the ledger's store has noted.
    pub(in crate::agent::fleet) fn of(spans: &[store::Span], shards: u16) -> Self {
        let mut made = Self::default();
        for span in spans {
            let stream = &span.stream;
            let number = place_of(&stream.scenario, span.side_effects, shards);
            let seat = Shard { number, replica: stream.replica };
            let longest = made.shards.entry((stream.region.to_string(), seat)).or_default();
            *longest = interval(&span.cadence).max(*longest);
            if span.to.is_none() {
                let most = made.replicas.entry(stream.region.to_string()).or_default();
                *most = (stream.replica + 1).max(*most);
            }
            // A cadence that no longer names times is expected to do nothing.
            if let Ok(timetable) = Timetable::new(&span.cadence, stream) {
                let known = made.streams.entry(stream.clone()).or_default();
                known.push((span.from, span.to, timetable));
            }
        }
        made
    }

    pub(super) fn has(&self, stream: &Stream, at: Timestamp) -> bool {
        let spans = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let mut spans = spans.iter().filter(|(from, to, _)| *from <= at && to.is_none_or(|to| at < to));
        spans.any(|(_, _, table)| table.first_from(at) == Some(at))
    }
}

/// How far apart the slots are.
fn interval(cadence: &Cadence) -> Duration {
    match cadence {
        Cadence::Every { interval_ms } => Duration::from_millis(*interval_ms).min(INTERVAL_MAX),
        Cadence::Cron { .. } => INTERVAL_MAX,
    }
}
