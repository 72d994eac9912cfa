//! What the runner knows of entries, streams and slots that wait.

use std::sync::Arc;

use model::time::Timestamp;

use crate::entry::Entry;

/// An entry with its place in time.
pub(super) struct Scheduled {
    pub(super) entry: Arc<Entry>,
    /// The stream's number.
    pub(super) stream: usize,
    /// The next slot that has not been dealt with.
    pub(super) next: Timestamp,
    /// Slots from here on are no longer this entry's.
    pub(super) until: Option<Timestamp>,
}

/// What is known of a stream across entries: a reload does not make two runs of it overlap.
#[derive(Default)]
pub(super) struct StreamState {
    /// The slot in flight and whose it is.
    pub(super) running: Option<(Timestamp, Arc<Entry>)>,
    /// Whether its last run took more than half of its timeout.
    pub(super) slow: bool,
    /// Whether the run in flight counts among the slow ones.
    pub(super) counted_slow: bool,
    /// The entry that is current, in `scheduled`.
    pub(super) current: Option<usize>,
}

/// A due slot without a permit.
pub(super) struct Waiting {
    pub(super) index: usize,
    pub(super) scheduled: Timestamp,
}
