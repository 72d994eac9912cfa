//! What the machine says of itself, once a second: who waits for a processor, and what the clocks show.
//!
//! Reads `/proc` and the control group; what is not there is not known, and is no reason for doubt.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::time::{Clock as _, SystemClock};
use schedule::distrust::Doubts;
use schedule::distrust::clock::WallClock;
use schedule::distrust::pressure::{self, Sample, Shares};
use schedule::lag;
use tokio_util::sync::CancellationToken;

/// How often the machine is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How often a timer of the runtime is looked at.
const TICK: Duration = Duration::from_millis(50);

/// What runs when something keeps the clock: who, and a file that is there then.
pub(crate) const KEEPERS: [(&str, &str); 6] = [
    ("systemd-timesyncd", "/run/systemd/timesync/synchronized"),
    ("chronyd", "/run/chrony/chronyd.pid"),
    ("chronyd", "/run/chronyd.pid"),
    ("ntpd", "/run/ntpd.pid"),
    ("ntpsec", "/run/ntpsec/ntpd.pid"),
    ("ntpd-rs", "/run/ntpd-rs/observe"),
];

/// Who keeps the clock, as far as can be seen from here.
pub(crate) fn keeper() -> Option<&'static str> {
    KEEPERS.iter().find(|(_, file)| Path::new(file).exists()).map(|(keeper, _)| *keeper)
}

/// The kernel's counters now.
pub(crate) fn sample() -> Sample {
    let read = |path: &str| fs::read_to_string(path).ok();
    let group = read("/proc/self/cgroup").unwrap_or_default();
    let folders = pressure::group_folders(&group);
    let of_group = |file: &str| folders.iter().find_map(|folder| read(&format!("{folder}/{file}")));
    // Of the group if the kernel tells that, else of the whole machine.
    let psi = of_group("cpu.pressure").or_else(|| read("/proc/pressure/cpu"));
    Sample {
        at: Instant::now(),
        throttled_ns: of_group("cpu.stat").as_deref().and_then(pressure::throttled_ns),
        steal: read("/proc/stat").as_deref().and_then(pressure::steal),
        waited_ns: waited_ns(),
        pressure: psi.as_deref().and_then(pressure::pressure),
    }
}

/// How long all threads of this process ran, and waited to.
fn waited_ns() -> Option<(u64, u64)> {
    let threads = fs::read_dir("/proc/self/task").ok()?;
    let each = threads.filter_map(|thread| {
        pressure::waited_ns(&fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?)
    });
    each.reduce(|(ran, waited), (more_ran, more_waited)| (ran + more_ran, waited + more_waited))
}

/// Looks at the machine until `stop`.
pub(crate) async fn watch(doubts: Arc<Doubts>, stop: CancellationToken) {
    let Some(mut before) = blocking(sample).await else { return };
    let mut clock = WallClock::new(SystemClock.now(), SystemClock.monotonic());
    loop {
        if !pause(&doubts, before.at + EVERY, &stop).await {
            return;
        }
        let Some((now, kept)) = blocking(|| (sample(), keeper().is_some())).await else { return };
        let busy = Shares::between(&before, &now).busy();
        doubts.note_processor(before.at, now.at, busy.as_deref());
        let stepped = clock.compare(SystemClock.now(), SystemClock.monotonic(), kept);
        doubts.note_clock(before.at, now.at, stepped.as_deref());
        before = now;
    }
}

/// Waits until `end`, and notes timers that fire too late meanwhile; `false` once stopped.
async fn pause(doubts: &Doubts, end: Instant, stop: &CancellationToken) -> bool {
    loop {
        let planned = Instant::now() + TICK;
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep_until(planned.into()) => {}
        }
        let woke = Instant::now();
        let late = woke.saturating_duration_since(planned);
        if late > lag::LIMIT {
            doubts.note_late(planned, woke, &format!("a timer fired {late:.1?} late"));
        }
        if woke >= end {
            return true;
        }
    }
}

/// Reads files on a thread that measures nothing; `None` if the runtime ends.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(read).await.ok()
}
