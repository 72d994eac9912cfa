//! What the machine says of itself, once a second: who waits for a processor or for memory, how many files are open,
//! and what the clocks show.
//!
//! Reads `/proc`, the control group and the kernel's clock; what is not there is not known, and is no reason for doubt.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::time::{Clock as _, SystemClock};
use rtime_clock::adjtime::{Timex, adjtimex};
use schedule::distrust::clock::{KernelClock, Look, Measured, WallClock};
use schedule::distrust::pressure::{self, Sample, Shares};
use schedule::distrust::room::{self, Files, Room};
use schedule::distrust::suspend::Cause;
use schedule::distrust::{Doubts, Own};
use schedule::lag::{self, Lateness};
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

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Reads files of the process's control group for `controller`.
fn of_group(controller: &str) -> impl Fn(&str) -> Option<String> {
    let group = read("/proc/self/cgroup").unwrap_or_default();
    let folders = pressure::group_folders(&group, controller);
    move |file| folders.iter().find_map(|folder| read(&format!("{folder}/{file}")))
}

/// What the kernel says of its clock; asking changes nothing.
pub(crate) fn kernel_clock() -> Option<KernelClock> {
    let mut asked = Timex::default();
    adjtimex(&mut asked).ok()?;
    let micros = |micros| u64::try_from(micros).ok().map(Duration::from_micros);
    Some(KernelClock { estimated: micros(asked.0.esterror)?, possible: micros(asked.0.maxerror)? })
}

/// How many files are open, and what is known of memory.
pub(crate) fn room() -> Room {
    let of_group = of_group("memory");
    let psi = of_group("memory.pressure").or_else(|| read("/proc/pressure/memory"));
    Room {
        at: Instant::now(),
        own_files: open_files().map(|open| Files { open, limit: open_files_max() }),
        all_files: read("/proc/sys/fs/file-nr").as_deref().and_then(room::all_files),
        stalled: psi.as_deref().and_then(room::stalled),
        limited: of_group("memory.events").as_deref().and_then(room::limited),
    }
}

/// How many files this process has open.
pub(crate) fn open_files() -> Option<u64> {
    const OPEN: &str = "/proc/self/fd";
    // Since Linux 6.2 the folder's size says so; before, it is empty, and looking takes a descriptor itself.
    let size = fs::metadata(OPEN).ok()?.len();
    if size > 0 { Some(size) } else { Some(fs::read_dir(OPEN).ok()?.count() as u64) }
}

/// The kernel's counters now.
pub(crate) fn sample() -> Sample {
    let of_group = of_group("cpu");
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
    let Some((mut before, mut room_before)) = blocking(|| (sample(), room())).await else { return };
    let mut clock = WallClock::new(SystemClock.now(), SystemClock.monotonic());
    let mut lateness = Lateness::new(before.at);
    loop {
        if !pause((&doubts, &mut lateness), before.at + EVERY, &stop).await {
            return;
        }
        let looked = blocking(|| (sample(), room(), kernel_clock(), keeper().is_some())).await;
        let Some((now, room_now, kernel, has_keeper)) = looked else { return };
        let note = |own, why: Option<String>| doubts.note(own, before.at, now.at, why.as_deref());
        note(Own::Processor, Shares::between(&before, &now).busy());
        note(Own::Files, room_now.short_of_files());
        note(Own::Memory, room_now.short_of_memory(&room_before));
        // A step makes the kernel forget that its clock was kept, until its keeper says so again.
        let kept = kernel.map_or(has_keeper, KernelClock::is_kept);
        let stepped = clock.compare(SystemClock.now(), SystemClock.monotonic(), kept);
        if stepped.is_new {
            // What was measured before says nothing of the clock that it is now.
            doubts.note_measured(None);
        }
        let measured = doubts.measured().map_or_else(Look::default, Measured::look);
        let Look { dates, slots } = clock.look(kernel).or(measured);
        note(Own::Clock, stepped.why.or(dates));
        doubts.suspensions().set(Cause::Clock, slots.as_deref());
        (before, room_before) = (now, room_now);
    }
}

/// Waits until `end`, and notes timers that fire too late meanwhile; `false` once stopped.
async fn pause((doubts, lateness): (&Doubts, &mut Lateness), end: Instant, stop: &CancellationToken) -> bool {
    loop {
        let planned = Instant::now() + TICK;
        tokio::select! {
            () = stop.cancelled() => return false,
            () = tokio::time::sleep_until(planned.into()) => {}
        }
        let woke = Instant::now();
        let late = woke.saturating_duration_since(planned);
        if let Some(most) = lateness.note(late, woke) {
            tracing::warn!(
                most_seconds = most.as_secs_f64(),
                "more than one timer of a hundred fired over 50 ms late in the last minute: give the prober more processors, or less to do"
            );
        }
        if late > lag::LIMIT {
            doubts.note_seen(Own::Processor, planned, woke, &format!("a timer fired {late:.1?} late"));
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

/// The soft limit on open files.
pub(crate) fn open_files_max() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}
