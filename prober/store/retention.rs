//! What goes when there is too much or it is too old: whole parts, the oldest first.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::time::Timestamp;

use crate::files;
use crate::part::PartInfo;
use crate::shared::Shared;
use crate::stats::DropCause;

const DAY: Duration = Duration::from_hours(24);

impl Shared {
    /// Drops what is over the bounds at `now`; says whether the oldest part is, too, and holds what its reader has not had.
    pub(crate) fn retain(&self, now: Timestamp) -> bool {
        loop {
            let parts = self.part_list();
            let sizes = parts.iter().map(|part| files::bytes_with_wal(&part.path));
            let bytes: u64 = sizes.sum();
            self.stats.bytes.store(bytes, Ordering::Relaxed);
            let cause = match parts.as_slice() {
                [_, next, ..] if bytes > self.config.bytes_max && self.is_held(next.first_seq) => {
                    return true;
                }
                [_, _, ..] if bytes > self.config.bytes_max => DropCause::Bytes,
                [oldest, next, ..] if self.is_old(oldest, now) && self.is_read(next.first_seq) => {
                    DropCause::Age
                }
                _ => return false,
            };
            if !self.drop_oldest(cause) {
                return false;
            }
        }
    }

    fn is_old(&self, part: &PartInfo, now: Timestamp) -> bool {
        let start = format!("{}T00:00:00Z", part.name.day).parse::<Timestamp>();
        start.is_ok_and(|start| start.plus(DAY) < now.minus(self.config.age_max))
    }

    /// Whether every named cursor has passed all events before `seq`; no if the cursors cannot be read.
    fn is_read(&self, seq: i64) -> bool {
        self.meta.cursors().is_ok_and(|cursors| cursors.iter().all(|(_, next)| *next >= seq))
    }

    /// Removes the oldest part unless it is the only one; gives whether it went.
    pub(crate) fn drop_oldest(&self, cause: DropCause) -> bool {
        let parts = self.part_list();
        let [oldest, next, ..] = parts.as_slice() else { return false };
        let events = next.first_seq - oldest.first_seq;
        let file = oldest.name.file();
        if let Err(error) = self.forget(oldest, cause, events) {
            tracing::error!(file, %error, "part could not be removed");
            return false;
        }
        for (cursor, position) in self.meta.cursors().unwrap_or_default() {
            let unread = next.first_seq - position.max(oldest.first_seq);
            if unread > 0 {
                tracing::warn!(
                    cursor,
                    unread,
                    cause = cause.as_str(),
                    "part dropped before a cursor had read it"
                );
            }
        }
        tracing::info!(file, events, cause = cause.as_str(), "part dropped");
        true
    }

    fn forget(&self, part: &PartInfo, cause: DropCause, events: i64) -> io::Result<()> {
        let until_ms = part.last_ms.saturating_add(1);
        // On a full disk the note may have to wait for the space that the part gives back.
        let noted = self.meta.note_dropped(cause, events, until_ms).is_ok();
        files::remove_database(&part.path)?;
        files::sync_dir(&self.files.events())?;
        if !noted && let Err(error) = self.meta.note_dropped(cause, events, until_ms) {
            tracing::warn!(%error, "a dropped part could not be noted");
        }
        self.dropped_until_ms.fetch_max(until_ms, Ordering::Relaxed);
        self.stats.add_dropped(cause, events.cast_unsigned());
        self.parts.write().expect("no holder panics").retain(|known| known.name != part.name);
        Ok(())
    }
}
