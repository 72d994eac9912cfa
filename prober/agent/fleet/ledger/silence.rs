//! Silence: slots that nobody reported, shards and regions that nothing is heard of; the rules 4 to 6.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fleet::Shard;
use model::missed::MissedSlots;
use model::outcome::Reason;
use model::time::Timestamp;

use super::{Ledger, OPEN, Planned, bump};
use crate::agent::fleet::{HANDOVER, seat_of};

/// How long after a checkpoint its shard's last slots may still arrive from the owner before.
const GRACE: Duration = Duration::from_secs(10);
/// How long after the end of a slot, and after batches are read again, its shard is dark.
pub(super) const DARK_AFTER: Duration = Duration::from_mins(1);
/// Whoever spoke within this time is there: shards without a plan are spoken of every 30 seconds, and what is dark is older.
const HEARD_WITHIN: Duration = Duration::from_secs(45);

/// Slots of a shard that can be declared missed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(in crate::agent::fleet) struct Window {
    pub(in crate::agent::fleet) from: Timestamp,
    /// Up to here its owner has said that all is reported; behind it the shard is dark.
    reported: Timestamp,
    pub(in crate::agent::fleet) to: Timestamp,
    /// Whether its region has too few probers for all of its replicas.
    is_short: bool,
}

/// The windows of all shards that have one.
pub(in crate::agent::fleet) type Due = BTreeMap<(String, Shard), Window>;

/// A time of each region.
pub(in crate::agent::fleet) type Closed = BTreeMap<String, Timestamp>;

impl Ledger {
    /// The shards whose slots up to some time can be declared missed.
    pub(in crate::agent::fleet) fn due(&mut self, now: Timestamp) -> Due {
        let planned = Arc::clone(&self.planned.read().expect("no holder panics"));
        let is_listening = self.listening.is_some_and(|since| now.since(since) >= DARK_AFTER);
        let short = self.short_of_probers(&planned, now);
        let mut due = BTreeMap::new();
        for (key, interval) in &planned.shards {
            let progress = self.progress.entry(key.clone()).or_default();
            let reported = Timestamp::from_millis(progress.checkpoint_ms).minus(GRACE + HANDOVER);
            let dark = if is_listening { now.minus(DARK_AFTER + *interval) } else { now.minus(OPEN) };
            let from = Timestamp::from_millis(progress.declared_ms);
            let to = Timestamp::from_millis(reported.max(dark).as_millis());
            if to > from {
                let is_short = short.contains(&key.0);
                due.insert(key.clone(), Window { from, reported, to, is_short });
            }
        }
        due
    }

    /// The regions of which fewer probers are heard than their scenarios have replicas, but some.
    fn short_of_probers(&self, planned: &Planned, now: Timestamp) -> BTreeSet<String> {
        let mut heard: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for ((region, _), progress) in &self.progress {
            let is_heard = progress.checkpoint_ms >= now.minus(HEARD_WITHIN).as_millis();
            if let Some((_, prober)) = progress.tokens.last_key_value().filter(|_| is_heard) {
                heard.entry(region).or_default().insert(prober);
            }
        }
        let is_short = |(region, replicas): (&String, &u16)| {
            let probers = heard.get(region.as_str()).map_or(0, BTreeSet::len);
            (1..usize::from(*replicas)).contains(&probers).then(|| region.clone())
        };
        planned.replicas.iter().filter_map(is_short).collect()
    }

    /// The misses among slots that nobody reported, in windows that [`Ledger::due`] gave.
    pub(in crate::agent::fleet) fn misses(
        &self,
        due: &Due,
        unrecorded: &[store::Unrecorded],
        now: Timestamp,
    ) -> Vec<MissedSlots> {
        let mut misses = Vec::new();
        for plan in unrecorded {
            let stream = &plan.origin.stream;
            let seat = seat_of(&plan.origin, self.shards);
            let Some(window) = due.get(&(stream.region.to_string(), seat)) else { continue };
            let border = window.reported.clamp(window.from, window.to);
            misses.extend(plan.missed(Reason::NoOwner, (window.from, border), now));
            let silent = if window.is_short { Reason::NoOwner } else { Reason::Dark };
            misses.extend(plan.missed(silent, (border, window.to), now));
        }
        for run in &misses {
            let is_dark = run.reason == Reason::Dark;
            let counter = if is_dark { &self.numbers.dark } else { &self.numbers.no_owner };
            bump(counter, u64::from(run.count));
        }
        misses
    }

    /// Notes that the misses of these windows are durable.
    pub(in crate::agent::fleet) fn declared(&mut self, due: &Due) {
        for (key, window) in due {
            self.progress.entry(key.clone()).or_default().declared_ms = window.to.as_millis();
        }
    }

    /// Region by region, the time before which every slot has its record here: that of its shard that is the furthest behind.
    pub(in crate::agent::fleet) fn closed(&self) -> Closed {
        let planned = Arc::clone(&self.planned.read().expect("no holder panics"));
        let mut closed = Closed::new();
        for key in planned.shards.keys() {
            let declared = self.progress.get(key).map_or(0, |progress| progress.declared_ms);
            let declared = Timestamp::from_millis(declared);
            let known = closed.entry(key.0.clone()).or_insert(declared);
            *known = declared.min(*known);
        }
        closed
    }

    /// The regions that are dark: the time from which on nothing was heard of one of their shards, from no replica of it.
    pub(in crate::agent::fleet) fn dark(&self, now: Timestamp) -> Closed {
        let planned = Arc::clone(&self.planned.read().expect("no holder panics"));
        let mut dark = Closed::new();
        if self.listening.is_none_or(|since| now.since(since) < DARK_AFTER) {
            return dark;
        }
        let mut shards: BTreeMap<(&str, u16), (i64, Duration)> = BTreeMap::new();
        for (key, interval) in &planned.shards {
            let reported = self.progress.get(key).map_or(0, |progress| progress.checkpoint_ms);
            let known = shards.entry((&key.0, key.1.number)).or_default();
            *known = (reported.max(known.0), (*interval).max(known.1));
        }
        for ((region, _), (reported, interval)) in shards {
            let reported = Timestamp::from_millis(reported);
            if reported < now.minus(DARK_AFTER + interval) {
                let known = dark.entry(region.to_owned()).or_insert(reported);
                *known = reported.min(*known);
            }
        }
        dark
    }
}
