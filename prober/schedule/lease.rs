//! Until when a prober may begin what must never run twice.
//!
//! Where several probers share the work, one may stand still, or be cut off, while another takes over. A [`Term`] ends by
//! this prober's own clock before anybody may take over; a [`Lease`] is one part of the work under it, up to the slot from
//! which on it is somebody else's. What has ended never begins again: the work is looked at anew, and gets new leases.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use model::time::Timestamp;

/// How long after the end what is going may finish and clean up, before it is cut off.
pub const FINISH: Duration = Duration::from_secs(2);

/// How long this prober may count on being alone.
#[derive(Debug)]
pub struct Term(Mutex<Instant>);

impl Term {
    /// One that ends at `end`.
    pub const fn until(end: Instant) -> Self {
        Self(Mutex::new(end))
    }

    /// When it ends, unless it is moved.
    pub fn end(&self) -> Instant {
        *self.0.lock().expect("no holder panics")
    }

    /// Moves the end, never back; says no if it has ended by `now`, and then nothing moves.
    #[must_use]
    pub fn extend(&self, end: Instant, now: Instant) -> bool {
        let mut known = self.0.lock().expect("no holder panics");
        if *known <= now {
            return false;
        }
        *known = end.max(*known);
        true
    }

    /// Comes back when it has ended.
    async fn ended(&self) {
        loop {
            let end = self.end();
            if end <= tokio::time::Instant::now().into_std() {
                return;
            }
            tokio::time::sleep_until(end.into()).await;
        }
    }
}

/// One part of the work under a term.
#[derive(Debug)]
pub struct Lease {
    term: Arc<Term>,
    /// Slots before it are somebody else's.
    from_ms: i64,
    /// Slots from here on are somebody else's.
    until_ms: AtomicI64,
}

impl Lease {
    /// A part of the work that nobody else will get, from the slot `from` on.
    pub fn of(term: &Arc<Term>, from: Timestamp) -> Self {
        let (from_ms, until_ms) = (from.as_millis(), AtomicI64::new(i64::MAX));
        Self { term: Arc::clone(term), from_ms, until_ms }
    }

    /// Says from which slot on the work is somebody else's.
    pub fn give_from(&self, slot: Timestamp) {
        self.until_ms.store(slot.as_millis(), Ordering::SeqCst);
    }

    /// Whether the slot may begin now.
    pub fn holds(&self, slot: Timestamp, now: Instant) -> bool {
        let span = self.from_ms..self.until_ms.load(Ordering::SeqCst);
        span.contains(&slot.as_millis()) && now < self.term.end()
    }

    /// Runs `run` as long as the term lasts: at its end `ask` is called, and after [`FINISH`] the run is cut off, `None`.
    ///
    /// The run is never polled later than that, also if the process stood still meanwhile.
    pub async fn guard<T>(
        &self,
        run: impl Future<Output = T>,
        (now, ask): (impl Fn() -> Instant, impl Fn()),
    ) -> Option<T> {
        let (mut run, mut asked) = (std::pin::pin!(run), false);
        let mut ended = std::pin::pin!(async {
            self.term.ended().await;
            ask();
            tokio::time::sleep(FINISH).await;
        });
        std::future::poll_fn(|context| {
            let cut = ended.as_mut().poll(context).is_ready();
            let (end, now) = (self.term.end(), now());
            if cut || now >= end + FINISH {
                return std::task::Poll::Ready(None);
            }
            if now >= end && !std::mem::replace(&mut asked, true) {
                ask();
            }
            run.as_mut().poll(context).map(Some)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_term_that_ended_never_begins_again() {
        let now = Instant::now();
        let term = Arc::new(Term::until(now + SECOND));
        let lease = Lease::of(&term, Timestamp::default());
        let slot = Timestamp::from_seconds(100);
        assert!(lease.holds(slot, now) && !lease.holds(slot, now + SECOND));
        assert!(term.extend(now + 3 * SECOND, now));
        // What was sent earlier and answered later does not shorten it.
        assert!(term.extend(now + 2 * SECOND, now));
        assert!(lease.holds(slot, now + 2 * SECOND));
        assert!(!term.extend(now + 9 * SECOND, now + 3 * SECOND));
        assert!(!lease.holds(slot, now + 4 * SECOND));
    }

    #[test]
    fn work_that_is_given_away_ends_at_its_slot() {
        let now = Instant::now();
        let lease = Lease::of(&Arc::new(Term::until(now + SECOND)), Timestamp::from_seconds(90));
        lease.give_from(Timestamp::from_seconds(100));
        assert!(lease.holds(Timestamp::from_millis(99_999), now));
        assert!(!lease.holds(Timestamp::from_millis(89_999), now), "the owner before runs these");
        assert!(!lease.holds(Timestamp::from_seconds(100), now));
    }

    #[tokio::test]
    async fn whoever_stood_still_is_cut_off_before_it_goes_on() {
        let now = Instant::now();
        let term = Arc::new(Term::until(now + SECOND));
        let lease = Lease::of(&term, Timestamp::default());
        let polled = std::cell::Cell::new(false);
        let run = async { polled.set(true) };
        // As it is for a process that was stopped for a minute.
        let later = || now + 60 * SECOND;
        assert_eq!(lease.guard(run, (later, || {})).await, None);
        assert!(!polled.get());
        let asked = std::cell::Cell::new(0);
        let run = async { polled.set(true) };
        let just_ended = || now + SECOND;
        assert_eq!(lease.guard(run, (just_ended, || asked.set(asked.get() + 1))).await, Some(()));
        assert_eq!((polled.get(), asked.get()), (true, 1));
    }
}
