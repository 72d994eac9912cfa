//! Work that the system does not let end before it is done: a lookup by the C library, a file on a file system that
//! hangs.
//!
//! It is done in a thread that measures nothing, which may outlive whoever waits for it. How many may do so is bounded,
//! for each kind of work by itself, and whoever finds no place by its deadline is told so.

use std::time::Instant;

use model::outcome::{Failure, FailureClass};
use tokio::sync::Semaphore;

use crate::net::fault::{self, within};

/// The most threads of each kind of work.
const PLACES: usize = 32;

/// The most threads of all kinds of work: a runtime needs so many beside those for its own.
pub const THREADS_MAX: usize = 2 * PLACES;

/// Lookups by the C library.
pub(crate) static LOOKUPS: Aside = Aside::new("local.lookups", "lookups of the system's resolver");
/// Files that scenarios name.
pub(crate) static FILES: Aside = Aside::new("local.files", "looks at files");

/// A kind of work, and the threads that it may take.
#[derive(Debug)]
pub(crate) struct Aside {
    places: Semaphore,
    /// The `error.type` of who finds none.
    error_type: &'static str,
    /// What is done, for people.
    what: &'static str,
}

/// Why work was not done.
#[derive(Debug)]
pub(crate) enum Undone {
    /// The deadline passed while it was done; it goes on without anybody.
    Late,
    /// All places were taken until the deadline, or something of ours broke.
    Ours(Failure),
}

impl Aside {
    const fn new(error_type: &'static str, what: &'static str) -> Self {
        Self { places: Semaphore::const_new(PLACES), error_type, what }
    }

    /// Does `work` once there is a place, and waits for it until `deadline`.
    ///
    /// Dropping the future leaves the work to itself; its place is free once it is done.
    ///
    /// # Errors
    /// It was not done in time.
    pub(crate) async fn run<T: Send + 'static>(
        &'static self,
        deadline: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let Some(place) = within(deadline, self.places.acquire()).await else {
            let message = format!("{PLACES} {} are still under way on the prober's machine", self.what);
            return Err(Undone::Ours(Failure::new(FailureClass::Local, self.error_type, message)));
        };
        let place = place.map_err(|error| Undone::Ours(fault::config(error.to_string())))?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        match within(deadline, done).await {
            Some(Ok(done)) => Ok(done),
            Some(Err(error)) => {
                Err(Undone::Ours(Failure::new(FailureClass::Local, fault::BUG, error.to_string())))
            }
            None => Err(Undone::Late),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    use super::*;
    use crate::net::together;

    const LIMIT: Duration = Duration::from_secs(3);

    /// Work that hangs until it is let go.
    #[derive(Default)]
    struct Hung {
        let_go: Mutex<bool>,
        changed: Condvar,
        under_way: AtomicUsize,
        most: AtomicUsize,
    }

    impl Hung {
        fn hang(&self) {
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let guard = self.let_go.lock().unwrap();
            drop(self.changed.wait_while(guard, |let_go| !*let_go).unwrap());
            self.under_way.fetch_sub(1, Ordering::SeqCst);
        }

        fn let_go(&self) {
            *self.let_go.lock().unwrap() = true;
            self.changed.notify_all();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_that_hangs_takes_its_own_places_and_no_more() {
        static HANGING: Aside = Aside::new("local.test", "tests");
        static OTHER: Aside = Aside::new("local.other", "others");
        let hung = Arc::new(Hung::default());
        let run = || {
            let hung = Arc::clone(&hung);
            HANGING.run(Instant::now() + LIMIT, move || hung.hang())
        };
        let ended = together::all((0..3 * PLACES).map(|_| run()).collect()).await;
        let late = ended.iter().filter(|end| matches!(end, Err(Undone::Late))).count();
        let told = |end: &Result<(), Undone>| match end {
            Err(Undone::Ours(failure)) => Some(format!("{}: {}", failure.error_type, failure.message)),
            _ => None,
        };
        let full: Vec<_> = ended.iter().filter_map(told).collect();
        assert_eq!((late, full.len()), (PLACES, 2 * PLACES));
        assert_eq!(full[0], "local.test: 32 tests are still under way on the prober's machine");
        assert_eq!(hung.most.load(Ordering::SeqCst), PLACES, "no thread is behind the others");
        // Another kind of work has places of its own.
        assert_eq!(OTHER.run(Instant::now() + LIMIT * 20, || 7).await.unwrap(), 7);
        // Once the work ends there are places again.
        hung.let_go();
        HANGING.run(Instant::now() + LIMIT * 20, || ()).await.unwrap();
    }
}
