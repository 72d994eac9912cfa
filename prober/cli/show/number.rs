//! Numbers as people read them: three digits that matter, and a unit.

use std::time::Duration;

/// A duration such as `0.41 ms`, `182 ms`, `1.31 s`, `32.7 s`, `2m 13s`, `3h 05m`, `12 days`.
pub(crate) fn duration(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 0.995 {
        format!("{ms:.2} ms")
    } else if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else {
        seconds(ms / 1e3, " ")
    }
}

/// A duration of a whole run in few columns: `0.41s`, `32.7s`, `2m13s`.
pub(super) fn brief(duration: Duration) -> String {
    seconds(duration.as_secs_f64(), "")
}

/// The distance to another time: `24 s`, `5 min`, `3 h`, `12 days`; rounded down, for it is read as "at least".
pub(crate) fn distance(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => self::duration(duration),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// An interval as scenario files have it: `500ms`, `30s`, `5m`, `1h`.
pub(super) fn interval(interval_ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let whole = units.iter().find(|(unit, _)| interval_ms > 0 && interval_ms.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{interval_ms}ms"), |(unit, name)| format!("{}{name}", interval_ms / unit))
}

fn seconds(seconds: f64, gap: &str) -> String {
    if seconds < 9.995 {
        return format!("{seconds:.2}{gap}s");
    }
    if seconds < 99.95 {
        return format!("{seconds:.1}{gap}s");
    }
    // Rounded once, so that no part reaches its own bound.
    let whole = Duration::try_from_secs_f64(seconds.round()).unwrap_or(Duration::MAX).as_secs();
    let (minutes, hours, days) = (whole / 60, whole / 3_600, whole / 86_400);
    match whole {
        0..3_600 => format!("{minutes}m{gap}{:02}s", whole % 60),
        3_600..86_400 => format!("{hours}h{gap}{:02}m", minutes % 60),
        _ if days < 10 => format!("{days}d{gap}{:02}h", hours % 24),
        _ if gap.is_empty() => format!("{days}d"),
        _ => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        for (nanos, expected, short) in [
            (0, "0.00 ms", "0.00s"),
            (412_000, "0.41 ms", "0.00s"),
            (999_000, "1.0 ms", "0.00s"),
            (4_120_000, "4.1 ms", "0.00s"),
            (9_960_000, "10 ms", "0.01s"),
            (182_000_000, "182 ms", "0.18s"),
            (999_600_000, "1.00 s", "1.00s"),
            (1_310_000_000, "1.31 s", "1.31s"),
            (9_996_000_000, "10.0 s", "10.0s"),
            (32_700_000_000, "32.7 s", "32.7s"),
            (99_960_000_000, "1m 40s", "1m40s"),
            (133_400_000_000, "2m 13s", "2m13s"),
            (3_599_700_000_000, "1h 00m", "1h00m"),
            (11_100_000_000_000, "3h 05m", "3h05m"),
            (273_600_000_000_000, "3d 04h", "3d04h"),
            (1_036_800_000_000_000, "12 days", "12d"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), expected);
            assert_eq!(brief(Duration::from_nanos(nanos)), short);
        }
        assert!(duration(Duration::MAX).ends_with(" days"));
    }

    #[test]
    fn distances_and_intervals_are_whole() {
        for (seconds, expected) in
            [(24, "24 s"), (119, "119 s"), (300, "5 min"), (10_000, "2 h"), (1_100_000, "12 days")]
        {
            assert_eq!(distance(Duration::from_secs(seconds)), expected);
        }
        for (ms, expected) in
            [(500, "500ms"), (30_000, "30s"), (90_000, "90s"), (300_000, "5m"), (86_400_000, "1d")]
        {
            assert_eq!(interval(ms), expected);
        }
    }
}
