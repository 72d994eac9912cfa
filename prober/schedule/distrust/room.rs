//! Do open files or memory run out?
//!
//! Pure: whoever calls has read the files. A kernel that does not tell is no reason for doubt.

use std::time::{Duration, Instant};

/// The share of a limit on open files above which runs may get none: between two looks many are opened.
pub const FILES_MAX: f64 = 0.8;
/// The share of the time in which something waited for memory above which latencies are not believed.
pub const STALLED_MAX: f64 = 0.10;

/// How many files are open, and how many may be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// How many there are.
    pub open: u64,
    /// How many there may be.
    pub limit: u64,
}

impl Files {
    /// The part that is in use, from 0.
    pub fn share(self) -> f64 {
        self.open as f64 / self.limit.max(1) as f64
    }

    fn short(self, whose: &str) -> Option<String> {
        let Self { open, limit } = self;
        (self.share() > FILES_MAX).then(|| format!("{open} of {limit} of {whose} are in use"))
    }
}

/// What there is at one moment; `None` where the kernel does not tell.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// When it was looked at.
    pub at: Instant,
    /// This process's open files.
    pub own_files: Option<Files>,
    /// The machine's.
    pub all_files: Option<Files>,
    /// How long something has waited for memory so far.
    pub stalled: Option<Duration>,
    /// How often the control group has hit a limit of its memory so far.
    pub limited: Option<u64>,
}

impl Room {
    /// Why runs may have got no open file; `None` if there are enough.
    pub fn short_of_files(&self) -> Option<String> {
        let own = self.own_files.and_then(|files| files.short("the prober's open files"));
        own.or_else(|| self.all_files?.short("the machine's open files"))
    }

    /// Why latencies since `before` are not believed; `None` if nothing waited long for memory.
    pub fn short_of_memory(&self, before: &Self) -> Option<String> {
        let passed = self.at.saturating_duration_since(before.at).as_secs_f64();
        let stalled = self.stalled?.saturating_sub(before.stalled?).as_secs_f64();
        if passed == 0.0 || stalled / passed <= STALLED_MAX {
            return None;
        }
        let share = (stalled / passed * 100.0).min(100.0);
        let limited = self.limited.zip(before.limited).is_some_and(|(now, before)| now > before);
        let whose = if limited { ", and its control group is at its limit" } else { "" };
        Some(format!("something waited for it {share:.0} % of the time{whose}"))
    }
}

/// How long something has waited so far (psi(7)).
pub fn stalled(text: &str) -> Option<Duration> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some.split_whitespace().find_map(|field| field.strip_prefix("total="))?;
    total.parse().ok().map(Duration::from_micros)
}

/// How often a control group has hit `memory.high` or `memory.max` (`memory.events` of version 2).
pub fn limited(text: &str) -> Option<u64> {
    let count = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse::<u64>().ok())
    };
    Some(count("high")?.saturating_add(count("max")?))
}

/// The machine's open files in `/proc/sys/fs/file-nr` (proc(5)).
pub fn all_files(text: &str) -> Option<Files> {
    let fields: Vec<u64> = text.split_whitespace().map_while(|field| field.parse().ok()).collect();
    let [allocated, free, limit] = fields[..] else { return None };
    Some(Files { open: allocated.saturating_sub(free), limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_words_are_read() {
        let psi = "some avg10=0.00 avg60=0.00 avg300=0.00 total=19709197\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=6\n";
        assert_eq!(stalled(psi), Some(Duration::from_micros(19_709_197)));
        assert_eq!(stalled("some total=x"), None);
        assert_eq!(stalled(""), None);
        assert_eq!(limited("low 0\nhigh 3\nmax 4\noom 0\n"), Some(7));
        assert_eq!(limited("low 0\n"), None);
        assert_eq!(all_files("1504\t4\t9223\n"), Some(Files { open: 1_500, limit: 9_223 }));
        assert_eq!(all_files("1504"), None);
    }

    #[test]
    fn only_what_is_short_is_doubted() {
        let at = Instant::now();
        let files = |open, limit| Some(Files { open, limit });
        let fine = Room {
            at,
            own_files: files(100, 1_024),
            all_files: files(1_000, 1_000_000),
            stalled: Some(Duration::from_secs(7)),
            limited: Some(2),
        };
        for (own_files, all_files, expected) in [
            (files(100, 1_024), files(1_000, 1_000_000), None),
            (files(80, 100), None, None),
            (files(81, 100), None, Some("81 of 100 of the prober's open files are in use")),
            (files(1, 100), files(95, 100), Some("95 of 100 of the machine's open files are in use")),
            (None, None, None),
            (files(0, 0), None, None),
            (files(3, u64::MAX), None, None),
        ] {
            let room = Room { own_files, all_files, ..fine };
            assert_eq!(room.short_of_files().as_deref(), expected, "{own_files:?} {all_files:?}");
        }
        let later = |ms: u64, limited| Room {
            at: at + Duration::from_secs(1),
            stalled: Some(Duration::from_secs(7) + Duration::from_millis(ms)),
            limited: Some(limited),
            ..fine
        };
        for (room, expected) in [
            (later(0, 9), None),
            (later(100, 2), None),
            (later(250, 2), Some("something waited for it 25 % of the time")),
            (
                later(250, 3),
                Some("something waited for it 25 % of the time, and its control group is at its limit"),
            ),
            (Room { stalled: None, ..later(900, 3) }, None),
            // Two looks at the same moment say nothing.
            (Room { at, ..later(900, 3) }, None),
        ] {
            assert_eq!(room.short_of_memory(&fine).as_deref(), expected, "{room:?}");
        }
    }
}
