//! The kernel's words on who waits for a processor, and when that makes latencies doubtful.
//!
//! Pure: whoever calls has read the files. Counters only grow, so two samples give the shares between them.

use std::time::Instant;

/// The share of the time that a group's quota kept it off the processors above which latencies are not believed.
pub const THROTTLED_MAX: f64 = 0.05;
/// The same for what the hypervisor gave to others.
pub const STEAL_MAX: f64 = 0.10;
/// The same for what the prober's own threads waited for a processor: more than one of them all the time …
pub const WAITED_MAX: f64 = 1.0;
/// … and for more than this part of the time in which they wanted one. Less costs some milliseconds each time,
/// which explains no verdict; timers that fire late are noticed by themselves.
const WANTED_MAX: f64 = 0.8;
/// Without somebody waiting this share of the last ten seconds, the threads' own waiting is nothing unusual.
pub const PRESSURE_MIN: f64 = 0.20;

/// Counters at one moment; `None` where the kernel does not tell.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Sample {
    /// When they were read.
    pub at: Instant,
    /// How long the control group was kept off the processors by its quota, in ns.
    pub throttled_ns: Option<u64>,
    /// Ticks that the hypervisor gave to others, and all ticks.
    pub steal: Option<(u64, u64)>,
    /// How long the prober's threads ran and how long they waited to, in ns.
    pub waited_ns: Option<(u64, u64)>,
    /// The share of the last ten seconds in which something waited for a processor, from 0 to 1.
    pub pressure: Option<f64>,
}

/// What two samples say of the time between them, as shares from 0.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Shares {
    /// Kept off by the quota.
    pub throttled: Option<f64>,
    /// Given to others by the hypervisor.
    pub steal: Option<f64>,
    /// Waited for a processor: of the time that passed, and of the time in which one was wanted.
    pub waited: Option<(f64, f64)>,
    /// Somebody waited.
    pub pressure: Option<f64>,
}

impl Shares {
    /// The shares between two samples.
    pub fn between(before: &Sample, after: &Sample) -> Self {
        let passed_ns = after.at.saturating_duration_since(before.at).as_nanos() as f64;
        if passed_ns == 0.0 {
            return Self { pressure: after.pressure, ..Self::default() };
        }
        let grown = |before: u64, after: u64| after.saturating_sub(before) as f64;
        let both = |before: Option<u64>, after: Option<u64>| Some(grown(before?, after?));
        let steal = before.steal.zip(after.steal).map(|((stolen, all), (stolen_now, all_now))| {
            grown(stolen, stolen_now) / grown(all, all_now).max(1.0)
        });
        let waited = before.waited_ns.zip(after.waited_ns).map(|((ran, waited), (ran_now, waited_now))| {
            let (ran, waited) = (grown(ran, ran_now), grown(waited, waited_now));
            (waited / passed_ns, waited / (ran + waited).max(1.0))
        });
        Self {
            throttled: both(before.throttled_ns, after.throttled_ns).map(|ns| ns / passed_ns),
            steal,
            waited,
            pressure: after.pressure,
        }
    }

    /// Why latencies of that time are not believed; `None` if they are.
    pub fn busy(&self) -> Option<String> {
        if let Some(share) = self.throttled.filter(|share| *share > THROTTLED_MAX) {
            return Some(format!(
                "its control group's quota kept it off the processors for {} of the time",
                percent(share)
            ));
        }
        if let Some(share) = self.steal.filter(|share| *share > STEAL_MAX) {
            return Some(format!("the hypervisor gave {} of its processors' time to others", percent(share)));
        }
        let (of_time, of_wanted) = self.waited?;
        let unusual = self.pressure.is_none_or(|pressure| pressure > PRESSURE_MIN);
        (unusual && of_time > WAITED_MAX && of_wanted > WANTED_MAX)
            .then(|| format!("its threads waited {} of the time for a processor", percent(of_time)))
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// The share of the last ten seconds in which something waited (psi(7)), from 0 to 1.
pub fn pressure(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let avg10: f64 = some.split(' ').find_map(|field| field.strip_prefix("avg10="))?.parse().ok()?;
    Some(avg10 / 100.0)
}

/// The throttled time in a control group's `cpu.stat`, in ns: version 1 counts ns, version 2 µs.
pub fn throttled_ns(text: &str) -> Option<u64> {
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse::<u64>().ok())
    };
    value("throttled_time").or_else(|| value("throttled_usec").map(|us| us.saturating_mul(1_000)))
}

/// Stolen ticks and all ticks in `/proc/stat` (proc(5)); guests' time is part of the user's.
pub fn steal(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    Some((*ticks.get(7)?, ticks.iter().take(8).sum()))
}

/// How long a thread ran and how long it waited to, in ns (`schedstat`).
pub fn waited_ns(text: &str) -> Option<(u64, u64)> {
    let mut fields = text.split_whitespace().map(str::parse::<u64>);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}

/// The folders of a controller's group that `/proc/self/cgroup` names (cgroups(7)), the likeliest first.
pub fn group_folders(text: &str, wanted: &str) -> Vec<String> {
    let mut folders = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let path = path.trim_end_matches('/');
        if controllers.split(',').any(|controller| controller == wanted) {
            folders.insert(0, format!("/sys/fs/cgroup/{controllers}{path}"));
            folders.insert(1, format!("/sys/fs/cgroup/{wanted}{path}"));
        } else if controllers.is_empty() {
            folders.push(format!("/sys/fs/cgroup{path}"));
            folders.push(format!("/sys/fs/cgroup/unified{path}"));
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_kernel_s_words_are_read() {
        let psi = "some avg10=32.50 avg60=17.50 avg300=1.02 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(pressure(psi), Some(0.325));
        assert_eq!(pressure("some avg10=x"), None);
        assert_eq!(throttled_ns("nr_periods 3\nnr_throttled 1\nthrottled_time 77\n"), Some(77));
        assert_eq!(throttled_ns("usage_usec 5\nnr_throttled 1\nthrottled_usec 77\n"), Some(77_000));
        assert_eq!(throttled_ns("usage_usec 5\n"), None);
        assert_eq!(steal("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n"), Some((8, 36)));
        assert_eq!(steal("cpu 1 2\n"), None);
        assert_eq!(waited_ns("12 34 5\n"), Some((12, 34)));
        assert_eq!(waited_ns("12\n"), None);
        assert_eq!(
            group_folders("9:name=systemd:/\n4:memory:/x\n1:cpu,cpuacct:/a/b\n0::/c\n", "cpu"),
            [
                "/sys/fs/cgroup/cpu,cpuacct/a/b",
                "/sys/fs/cgroup/cpu/a/b",
                "/sys/fs/cgroup/c",
                "/sys/fs/cgroup/unified/c"
            ]
        );
        assert_eq!(group_folders("0::/\n", "memory"), ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]);
        assert_eq!(group_folders("rubbish", "cpu"), [""; 0]);
    }

    #[test]
    fn only_what_is_unusual_is_doubted() {
        let ms = 1_000_000;
        let at = Instant::now();
        let calm = Sample {
            at,
            throttled_ns: Some(5),
            steal: Some((10, 1_000)),
            waited_ns: Some((1_000 * ms, 1_000 * ms)),
            pressure: Some(0.5),
        };
        let later = Sample { at: at + Duration::from_secs(1), ..calm };
        let busy = |sample: Sample| Shares::between(&calm, &sample).busy();
        assert_eq!(busy(later), None);
        assert_eq!(busy(Sample { throttled_ns: Some(49 * ms), ..later }), None);
        assert!(busy(Sample { throttled_ns: Some(60 * ms), ..later }).unwrap().contains("6 % of the time"));
        assert_eq!(busy(Sample { steal: Some((19, 1_100)), ..later }), None);
        assert!(busy(Sample { steal: Some((30, 1_100)), ..later }).unwrap().contains("20 %"));
        // Waiting counts if it is much of the time, much more than was run, and others wait too.
        let waiting = Sample { waited_ns: Some((1_200 * ms, 2_300 * ms)), ..later };
        assert!(busy(waiting).unwrap().contains("130 %"));
        assert_eq!(busy(Sample { waited_ns: Some((1_500 * ms, 2_300 * ms)), ..later }), None);
        assert_eq!(busy(Sample { waited_ns: Some((1_010 * ms, 1_900 * ms)), ..later }), None);
        assert_eq!(busy(Sample { pressure: Some(0.1), ..waiting }), None);
        assert!(busy(Sample { pressure: None, ..waiting }).is_some());
        // A kernel that tells nothing is no reason for doubt.
        let silent = Sample { throttled_ns: None, steal: None, waited_ns: None, pressure: None, ..later };
        assert_eq!(busy(silent), None);
        // Counters that fell, as when a thread has ended, are nothing to go by.
        assert_eq!(busy(Sample { waited_ns: Some((1, 1)), ..later }), None);
    }
}
