//! The clock, the limits and the load of this machine.

use std::fs;
use std::time::Duration;

use model::time::{Clock as _, SystemClock, Timestamp};

use super::{Finding, Patient, fail, ok, warn};
use crate::agent::machine::open_files_max;
use crate::agent::machine::{keeper, kernel_clock, room};
use crate::agent::serve::in_flight_max;

/// A clock that shows less was never set: the first day of the year in which this program was begun.
const BEGUN_SECONDS: i64 = 1_735_689_600;

/// How long memory is looked at.
const WATCHED: Duration = Duration::from_millis(200);

/// The share of time in per cent that somebody waited for a processor, above which latencies are not the target's.
const PRESSURE_MAX: f64 = 20.0;

/// Whether the clock is plausible, and whether something keeps it.
pub(super) fn clock(_: &Patient) -> Finding {
    const NAME: &str = "clock";
    let now = SystemClock.now();
    let shown = now.jiff().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    if now < Timestamp::from_seconds(BEGUN_SECONDS) {
        return fail(
            NAME,
            format!("it shows {shown}"),
            "set it: certificates and freshness are judged by it",
        );
    }
    let by = keeper().map_or_else(String::new, |keeper| format!(" by {keeper}"));
    let error = |error: Duration| format!("{:.0} ms", error.as_secs_f64() * 1_000.0);
    match kernel_clock() {
        Some(clock) if clock.is_kept() => {
            let seen = format!("{shown}, kept{by}, wrong by at most {}", error(clock.possible));
            match clock.look().dates {
                Some(why) => {
                    warn(NAME, format!("{seen}: {why}"), "dates do not count meanwhile; look at its keeper")
                }
                None => ok(NAME, seen),
            }
        }
        // Who keeps it elsewhere is not seen by this kernel, and what it keeps may be right.
        kernel => {
            let seen = match kernel {
                Some(_) => format!("{shown}; the kernel says that nothing keeps it"),
                None if !by.is_empty() => return ok(NAME, format!("{shown}, kept{by}")),
                None => format!("{shown}; what keeps it cannot be seen from here"),
            };
            let remedy = "in a container or a small virtual machine the host keeps it; elsewhere run chronyd or \
                          systemd-timesyncd";
            warn(NAME, seen, remedy)
        }
    }
}

/// How many runs the limit on open files allows at once.
pub(super) fn open_files(_: &Patient) -> Finding {
    const NAME: &str = "open files";
    let (limit, runs) = (open_files_max(), in_flight_max(None));
    let limit = if limit == u64::MAX { "no limit".to_owned() } else { limit.to_string() };
    let seen = format!("{limit}: {runs} runs at once");
    if let Some(why) = room().short_of_files() {
        warn(
            NAME,
            format!("{seen}; {why}"),
            "runs that get none do not count; close some, or raise the limit",
        )
    } else if runs < 256 {
        warn(NAME, seen, "ulimit -n 65536, or LimitNOFILE=65536 in the unit")
    } else {
        ok(NAME, seen)
    }
}

/// Whether processes wait for memory.
pub(super) fn memory(_: &Patient) -> Finding {
    const NAME: &str = "memory";
    let before = room();
    std::thread::sleep(WATCHED);
    let now = room();
    match (now.short_of_memory(&before), now.stalled) {
        (Some(why), _) => warn(NAME, why, "latencies do not count meanwhile; give it more"),
        (None, Some(_)) => ok(NAME, "nothing waits for it"),
        (None, None) => ok(NAME, "this kernel does not tell who waits for it"),
    }
}

/// Whether processes wait for a processor.
pub(super) fn cpu(_: &Patient) -> Finding {
    const NAME: &str = "CPU";
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let pressure = fs::read_to_string("/proc/pressure/cpu").ok().and_then(|text| waiting(&text));
    match pressure {
        Some(share) if share > PRESSURE_MAX => {
            let seen = format!("{cores} cores; something waited for one {share:.0} % of the last minute");
            warn(NAME, seen, "give it more: late runs are missed, and latencies are partly this machine's")
        }
        Some(share) => {
            ok(NAME, format!("{cores} cores; something waited for one {share:.0} % of the last minute"))
        }
        None => ok(NAME, format!("{cores} cores; this kernel does not tell who waits for one")),
    }
}

/// The share of the last minute in which something waited (psi(7)).
fn waiting(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split(' ').find_map(|field| field.strip_prefix("avg60="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read_from_the_kernel_s_words() {
        let text = "some avg10=0.22 avg60=17.50 avg300=1.02 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(waiting(text), Some(17.5));
        assert_eq!(waiting("some avg60=x"), None);
        assert_eq!(waiting(""), None);
    }
}
