//! CPU time and memory as the kernel accounts them, by process.

use std::fs::read_to_string;
use std::time::Duration;

/// User and system time that the process has used since it began; in steps of a clock tick (10 ms).
pub(crate) fn of_process(pid: u32) -> Duration {
    let stat = read_to_string(format!("/proc/{pid}/stat")).expect("the process is ours and lives");
    // The name before it may hold spaces; fields 14 and 15 of proc(5) are the 12th and 13th after it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    ticks(fields[11].parse::<u64>().unwrap_or(0) + fields[12].parse::<u64>().unwrap_or(0))
}

/// User, nice and system time of the whole machine since it began, stolen time included.
pub(crate) fn of_machine() -> Duration {
    let stat = read_to_string("/proc/stat").expect("procfs is mounted");
    let first: Vec<u64> =
        stat.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    let at = |index: usize| first.get(index).copied().unwrap_or(0);
    // user, nice, system, irq, softirq, steal
    ticks([0, 1, 2, 5, 6, 7].into_iter().map(at).sum())
}

fn ticks(count: u64) -> Duration {
    Duration::from_secs(count) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100)
}

/// The most memory that the process has had in RAM, in KiB.
pub(crate) fn peak_memory_kib(pid: u32) -> u64 {
    memory_kib(pid, "VmHWM:")
}

/// The line `key` of the process's status, in KiB.
pub(crate) fn memory_kib(pid: u32, key: &str) -> u64 {
    let status = read_to_string(format!("/proc/{pid}/status")).expect("the process is ours and lives");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().expect("the kernel writes kB")
}

/// More of a core than this for work that is not the bench's makes a window noisy.
pub(crate) const NOISE_MAX: f64 = 0.2;

/// A look at the clocks of machine and bench: the difference of two says what other work went on.
pub(crate) struct Look {
    machine: Duration,
    ours: Duration,
    at: std::time::Instant,
}

impl Look {
    /// A look now; `pids` are all processes of the bench.
    pub(crate) fn now(pids: &[u32]) -> Self {
        let ours = pids.iter().map(|pid| of_process(*pid)).sum();
        Self { machine: of_machine(), ours, at: std::time::Instant::now() }
    }

    /// The share of a core that work outside the bench has had since.
    pub(crate) fn others_since(&self, pids: &[u32]) -> f64 {
        let now = Self::now(pids);
        let machine = now.machine.saturating_sub(self.machine);
        let others = machine.saturating_sub(now.ours.saturating_sub(self.ours));
        others.as_secs_f64() / (now.at - self.at).as_secs_f64().max(0.001)
    }
}
