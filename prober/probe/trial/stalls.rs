//! How long this machine kept a test waiting, as a thread sees it that has nothing else to do.
//!
//! A test that measures time bounds itself by that: what a pause of the machine took is not the tested code's, and
//! everything else still is.

use std::collections::VecDeque;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the thread looks.
const TICK: Duration = Duration::from_millis(1);
/// A wake-up that is later than this was kept waiting; timers have a slack of their own.
const LATE: Duration = Duration::from_micros(500);
/// The most pauses that are remembered.
const PAUSES_MAX: usize = 100_000;
/// How long an answer may take: the thread is kept waiting itself.
const ANSWER: Duration = Duration::from_secs(5);

static SEEN: Mutex<Seen> = Mutex::new(Seen { until: None, pauses: VecDeque::new() });
static WATCH: LazyLock<JoinHandle<()>> = LazyLock::new(|| std::thread::spawn(watch));

struct Seen {
    /// The last look; everything before is known.
    until: Option<Instant>,
    pauses: VecDeque<(Instant, Instant)>,
}

impl Seen {
    fn note(&mut self, planned: Instant, woke: Instant) {
        self.until = Some(woke);
        if woke.saturating_duration_since(planned) < LATE {
            return;
        }
        if self.pauses.len() == PAUSES_MAX {
            self.pauses.pop_front();
        }
        self.pauses.push_back((planned, woke));
    }

    /// The pauses between two instants, the latest first, each as offsets from the first.
    fn within(&self, from: Instant, to: Instant) -> Vec<(Duration, Duration)> {
        let since = |at: Instant| at.min(to).saturating_duration_since(from);
        let parts = self.pauses.iter().rev().take_while(|(_, woke)| *woke > from);
        let parts = parts.map(|(planned, woke)| (since(*planned), since(*woke)));
        parts.filter(|(begin, end)| begin < end).collect()
    }
}

/// Begins to look, if nobody did.
pub(crate) fn begin() {
    LazyLock::force(&WATCH);
}

/// When the machine paused between two instants, as offsets from the first; `begin` came before both.
pub(crate) async fn between(from: Instant, to: Instant) -> Vec<(Duration, Duration)> {
    let asked = Instant::now();
    loop {
        {
            let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.until.is_some_and(|until| until >= to) || asked.elapsed() > ANSWER {
                return seen.within(from, to);
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

fn watch() {
    loop {
        let planned = Instant::now() + TICK;
        std::thread::sleep(TICK);
        SEEN.lock().unwrap_or_else(PoisonError::into_inner).note(planned, Instant::now());
    }
}

#[test]
fn pauses_are_cut_to_what_is_asked_about() {
    let begin = Instant::now();
    let at = |ms: u64| begin + Duration::from_millis(ms);
    let mut seen = Seen { until: None, pauses: VecDeque::new() };
    for (planned, woke) in [(10, 10), (20, 50), (60, 61), (100, 400)] {
        seen.note(at(planned), at(woke));
    }
    for (from, to, paused) in [
        (0, 1000, &[(100, 400), (60, 61), (20, 50)][..]),
        (0, 15, &[]),
        (30, 40, &[(0, 10)]),
        (55, 200, &[(45, 145), (5, 6)]),
        (400, 500, &[]),
    ] {
        let offsets = |(begin, end): &(Duration, Duration)| (begin.as_millis(), end.as_millis());
        let found: Vec<_> = seen.within(at(from), at(to)).iter().map(offsets).collect();
        assert_eq!(found, paused, "{from} to {to}");
    }
}
