//! What HTTP targets answer, and their log of arrivals.

use std::sync::{Arc, Mutex, PoisonError};

use model::time::{Clock as _, SystemClock};

/// The answer of every HTTP target.
pub(super) const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nhello, world";

/// The log of arrivals: number and stamp, 12 bytes each.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn note(&self, number: u32) {
        let at = SystemClock.now().as_nanos();
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(&number.to_le_bytes());
        log.extend_from_slice(&at.to_le_bytes());
    }

    /// Notes the number in a request like `GET /12345 HTTP/1.1`, if there is one.
    pub(super) fn note_request(&self, head: &[u8]) {
        let digits = head.get(5..).unwrap_or_default().split(|byte| *byte == b' ').next().unwrap_or_default();
        if let Some(number) = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
            self.note(number);
        }
    }

    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
