//! How long this machine kept a test waiting: as a thread sees it that has nothing else to do, and as the kernel
//! counts it for those who take part.
//!
//! A test that measures time bounds itself by that: what a pause of the machine took is not the tested code's, and
//! everything else still is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
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
/// How often it is looked for who has come to take part.
const LOOK_EVERY: u32 = 50;
/// How the threads of runtimes are named: those of the peers, and those of tests that have several.
const RUNTIMES: [&str; 2] = ["testkit", "tokio"];

static SEEN: Mutex<Seen> = Mutex::new(Seen { until: None, pauses: VecDeque::new() });
/// The threads in which runs are made.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
static WATCH: LazyLock<JoinHandle<()>> = LazyLock::new(|| std::thread::spawn(watch));

struct Seen {
    /// The last look; everything before is known.
    until: Option<Instant>,
    pauses: VecDeque<(Instant, Instant)>,
}

impl Seen {
    fn note(&mut self, planned: Instant, woke: Instant) {
        self.until = Some(woke);
        self.add(woke.saturating_duration_since(planned), woke);
    }

    /// Somebody waited so long for a processor, up to `end`.
    fn add(&mut self, waited: Duration, end: Instant) {
        if waited < LATE {
            return;
        }
        if self.pauses.len() == PAUSES_MAX {
            self.pauses.pop_front();
        }
        self.pauses.push_back((end.checked_sub(waited).unwrap_or(end), end));
    }

    /// The pauses between two instants, the latest first, each as offsets from the first.
    fn within(&self, from: Instant, to: Instant) -> Vec<(Duration, Duration)> {
        let since = |at: Instant| at.min(to).saturating_duration_since(from);
        let parts = self.pauses.iter().rev().take_while(|(_, woke)| *woke > from);
        let parts = parts.map(|(planned, woke)| (since(*planned), since(*woke)));
        parts.filter(|(begin, end)| begin < end).collect()
    }
}

/// Begins to look, if nobody did; the calling thread takes part from now on.
pub(crate) fn begin() {
    if let Some(thread) = this_thread() {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(thread);
    }
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
    let mut threads = BTreeMap::new();
    for look in (0..LOOK_EVERY).cycle() {
        let planned = Instant::now() + TICK;
        std::thread::sleep(TICK);
        if look == 0 {
            find(&mut threads);
        }
        let waited: Vec<Duration> = threads.values_mut().filter_map(Thread::waited).collect();
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for waited in waited {
            seen.add(waited, now);
        }
        seen.note(planned, now);
    }
}

/// One who takes part.
struct Thread {
    /// Its times as the kernel counts them.
    counts: File,
    /// How long it had waited for a processor when that was last told.
    told: Duration,
}

impl Thread {
    fn open(id: u32) -> Option<Self> {
        let counts = File::open(format!("/proc/self/task/{id}/schedstat")).ok()?;
        let mut thread = Self { counts, told: Duration::ZERO };
        thread.told = thread.total()?;
        Some(thread)
    }

    /// How long it waited for a processor in all its life: the second of three numbers, in nanoseconds.
    fn total(&self) -> Option<Duration> {
        let mut buffer = [0; 64];
        let length = self.counts.read_at(&mut buffer, 0).ok()?;
        let text = std::str::from_utf8(&buffer[..length]).ok()?;
        text.split(' ').nth(1)?.parse().ok().map(Duration::from_nanos)
    }

    /// How long it waited since it was last told, once that is worth telling; nothing of one that has ended.
    fn waited(&mut self) -> Option<Duration> {
        let total = self.total()?;
        let waited = total.saturating_sub(self.told);
        (waited >= LATE).then(|| {
            self.told = total;
            waited
        })
    }
}

/// Adds those who have come, and drops those who have ended.
fn find(threads: &mut BTreeMap<u32, Thread>) {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let entries = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let here: BTreeSet<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    threads.retain(|id, _| here.contains(id));
    for id in here {
        let takes_part = || {
            running.contains(&id)
                || fs::read_to_string(format!("/proc/self/task/{id}/comm"))
                    .is_ok_and(|name| RUNTIMES.iter().any(|runtime| name.starts_with(runtime)))
        };
        if !threads.contains_key(&id)
            && takes_part()
            && let Some(thread) = Thread::open(id)
        {
            threads.insert(id, thread);
        }
    }
}

/// The number of the calling thread.
fn this_thread() -> Option<u32> {
    fs::read_link("/proc/thread-self").ok()?.file_name()?.to_str()?.parse().ok()
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

#[test]
fn a_thread_knows_what_it_waited() {
    let id = this_thread().expect("/proc says who we are");
    let mut thread = Thread::open(id).expect("the kernel counts the times of threads");
    thread.told = Duration::ZERO;
    let total = thread.total().expect("three numbers");
    assert_eq!(thread.waited().is_some(), total >= LATE);
    assert!(thread.total().is_some_and(|later| later >= total));
}
