//! Counters of one route, read at any time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one route since the start.
#[derive(Debug, Default)]
pub struct RouteStats {
    accepted: AtomicU64,
    failed: AtomicU64,
    /// One more than the number, 0 while it is not known.
    waiting: AtomicU64,
    /// By receiver.
    troubles: Mutex<BTreeMap<String, String>>,
}

impl RouteStats {
    /// Notifications that a receiver accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Notifications that no receiver accepted in time, or that were refused; some may be accepted later.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Changes that wait for the route; `None` until somebody has looked.
    pub fn waiting(&self) -> Option<u64> {
        self.waiting.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Forgets why deliveries failed: the receivers are others from now on.
    pub fn begin(&self) {
        self.troubles.lock().expect("no holder panics").clear();
    }

    /// Why deliveries fail at the moment, by receiver.
    pub fn troubles(&self) -> Vec<(String, String)> {
        let troubles = self.troubles.lock().expect("no holder panics");
        troubles.iter().map(|(place, why)| (place.clone(), why.clone())).collect()
    }

    pub(crate) fn add_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_waiting(&self, rows: u64) {
        self.waiting.store(rows.saturating_add(1), Ordering::Relaxed);
    }

    /// Notes why deliveries to `place` fail, or that they do not; gives whether that is news.
    pub(crate) fn set_trouble(&self, place: &str, why: Option<&str>) -> bool {
        let mut troubles = self.troubles.lock().expect("no holder panics");
        let known = match why {
            Some(why) => troubles.insert(place.to_owned(), why.to_owned()),
            None => troubles.remove(place),
        };
        known.is_some() != why.is_some()
    }
}
