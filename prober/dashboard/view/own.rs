//! The prober's own health: how late runs began, and what became of its slots.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::time::Timestamp;
use store::{Account, EventFilter, ReadError, Reader};

use crate::sources::{Catalogue, OwnFact};

/// Runs that are looked at.
const RUNS: usize = 1_000;
/// A prober that was silent for longer is dead, or has nothing to do.
const SILENT: Duration = Duration::from_mins(15);

/// Everything on the page but the banners.
#[derive(Clone, Debug)]
pub(crate) struct OwnView {
    pub(crate) now: Timestamp,
    pub(crate) project: String,
    pub(crate) lag: Vec<Lag>,
    /// Each region with its slots.
    pub(crate) regions: BTreeMap<Arc<str>, Slots>,
    pub(crate) facts: Vec<OwnFact>,
}

/// How late the runs of a prober in a region began.
#[derive(Clone, Debug)]
pub(crate) struct Lag {
    pub(crate) prober: Arc<str>,
    pub(crate) region: Arc<str>,
    pub(crate) runs: usize,
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
    pub(crate) most: Duration,
    pub(crate) last: Timestamp,
    pub(crate) now: Timestamp,
    /// It has been silent for too long.
    pub(crate) is_silent: bool,
}

/// A prober and its region.
type Place = (Arc<str>, Arc<str>);

/// Slots of a region.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    pub(crate) expected: u64,
    pub(crate) good: u64,
    pub(crate) bad: u64,
    pub(crate) ineligible: u64,
    pub(crate) missed: u64,
    pub(crate) violations: u64,
}

/// Reads the newest runs of each region.
///
/// # Errors
/// The store could not be read.
pub(crate) fn gather(
    reader: &mut Reader,
    catalogue: &Catalogue,
    (account, facts): (Option<&Account>, Vec<OwnFact>),
    now: Timestamp,
) -> Result<OwnView, ReadError> {
    let mut all: BTreeMap<Place, (Vec<Duration>, Timestamp)> = BTreeMap::new();
    let regions: std::collections::BTreeSet<_> =
        catalogue.cards.iter().map(|card| &card.stream.region).collect();
    let each = (RUNS / regions.len().max(1)).max(20);
    for region in regions.into_iter().take(50) {
        let filter = EventFilter {
            region: Some(region.to_string()),
            limit: each,
            newest_first: true,
            ..EventFilter::default()
        };
        for stored in reader.query(&filter)? {
            let origin = &stored.event.origin;
            let key = (Arc::clone(&origin.prober), Arc::clone(&origin.stream.region));
            let (lags, last) = all.entry(key).or_insert_with(|| (Vec::new(), stored.event.recorded));
            lags.extend(stored.event.lag());
            *last = (*last).max(stored.event.recorded);
        }
    }
    let lag = all.into_iter().map(|((prober, region), (mut lags, last))| {
        lags.sort_unstable();
        let at = |part: usize| lags.get((lags.len() * part / 100).min(lags.len().saturating_sub(1))).copied();
        Lag {
            prober,
            region,
            runs: lags.len(),
            p50: at(50).unwrap_or_default(),
            p95: at(95).unwrap_or_default(),
            most: lags.last().copied().unwrap_or_default(),
            last,
            now,
            is_silent: now.since(last) > SILENT,
        }
    });
    Ok(OwnView {
        now,
        project: catalogue.project.clone(),
        lag: lag.collect(),
        regions: account.map(by_region).unwrap_or_default(),
        facts,
    })
}

fn by_region(account: &Account) -> BTreeMap<Arc<str>, Slots> {
    let mut regions: BTreeMap<Arc<str>, Slots> = BTreeMap::new();
    for stream in &account.streams {
        let slots = regions.entry(Arc::clone(&stream.stream.region)).or_default();
        slots.expected += stream.expected;
        slots.good += stream.good;
        slots.bad += stream.bad;
        slots.ineligible += stream.ineligible;
        slots.missed += stream.missed;
        slots.violations += stream.violations();
    }
    regions
}
