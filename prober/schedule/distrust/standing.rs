//! Every signal and whether it is doubted now, for pages and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::family::SIGNALS;
use super::watch::Watch;
use super::{Doubts, Machine, Own};

/// One doubt that holds now, for pages and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// `network`, `ipv4`, `ipv6`, `resolver`, `processor`, `clock`, `files`, `memory`, `vantage`.
    pub signal: &'static str,
    /// The region; empty if it is about the whole machine.
    pub region: Arc<str>,
    /// Whether it is doubted now.
    pub doubted: bool,
    /// Why, or why it last was.
    pub why: String,
    /// How often it was looked at.
    pub looks: u64,
    /// How often that did not go well.
    pub failed: u64,
}

/// What became of slots that were held as correlated.
#[derive(Debug, Default)]
pub(super) struct SettledCounts {
    waits: AtomicUsize,
    bad: AtomicU64,
    stays: AtomicU64,
}

impl Standing {
    /// What, where and why, if it is doubted now.
    pub fn shown(self) -> Option<(&'static str, Arc<str>, String)> {
        self.doubted.then_some((self.signal, self.region, self.why))
    }
}

impl Doubts {
    /// Every signal and whether it is doubted now.
    pub fn standing(&self) -> Vec<Standing> {
        let inner = self.lock();
        let nowhere: Arc<str> = Arc::default();
        let machine = |own: Own| {
            let Machine { samples, why } = &inner.machine[own as usize];
            Standing {
                signal: own.signal(),
                region: Arc::clone(&nowhere),
                doubted: samples.is_doubted(),
                why: why.clone(),
                looks: samples.looks().0,
                failed: samples.looks().1,
            }
        };
        let mut all: Vec<_> = Own::ALL.into_iter().map(machine).collect();
        let mut regions: Vec<_> = inner.regions.iter().collect();
        regions.sort_by_key(|(name, _)| Arc::clone(name));
        for (name, region) in regions {
            let one = |signal, watch: &Watch, why: &str| Standing {
                signal,
                region: Arc::clone(name),
                doubted: watch.is_doubted(),
                why: why.to_owned(),
                looks: watch.looks().0,
                failed: watch.looks().1,
            };
            all.push(one("network", &region.controls, &region.why_controls));
            let watched = SIGNALS.iter().zip(&region.families).filter(|(_, known)| known.watch.looks().0 > 0);
            all.extend(watched.map(|(signal, known)| one(signal, &known.watch, &known.why)));
            all.extend(region.resolver.as_ref().map(|known| one("resolver", &known.watch, &known.why)));
        }
        drop(inner);
        all.extend(self.lock_mass().changes().into_iter().map(|change| Standing {
            signal: "vantage",
            region: change.region,
            doubted: change.holds,
            why: change.why,
            looks: change.counted.0,
            failed: change.counted.1,
        }));
        all
    }

    /// Notes how many slots are held as correlated.
    pub fn note_held(&self, slots: usize) {
        self.settled.waits.store(slots, Ordering::Relaxed);
    }

    /// Counts a slot that was held: it is bad, or it stays held.
    pub fn count_settled(&self, is_bad: bool) {
        let counter = if is_bad { &self.settled.bad } else { &self.settled.stays };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How many slots are held as correlated, and how many others became bad, or stayed held.
    pub fn held(&self) -> (u64, [(&'static str, u64); 2]) {
        let SettledCounts { waits, bad, stays } = &self.settled;
        let became = [("bad", bad), ("ineligible", stays)];
        (
            waits.load(Ordering::Relaxed) as u64,
            became.map(|(word, count)| (word, count.load(Ordering::Relaxed))),
        )
    }
}
