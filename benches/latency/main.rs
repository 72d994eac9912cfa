//! Is the latency that is recorded the target's?
//!
//! The real binary, `prober serve`, with 500 HTTP scenarios every 5 s (100 a second, a light load) against a target
//! that answers after 50 ms: how far the recorded wait for the answer is from that. The target logs how late it sends;
//! a run in which that is more than 1 ms at the 99th percentile says nothing and is not shown.
//!
//! `cargo bench --bench latency` takes half a minute; `-- --scenarios N --seconds N` changes it, and `-- --quick` looks
//! only whether everything is right.

#[path = "../common/mod.rs"]
mod common;

use std::time::Duration;

use common::cpu::{Look, NOISE_MAX};
use common::delay::DELAY;
use common::figures::held;
use common::judge::{self, Seen};
use common::prober::Prober;
use common::project::{Project, data};
use common::say;
use common::target::{self, Target};
use model::time::{Clock as _, SystemClock};

/// What `performance.md` asks under a light load.
const ERROR_P99_MAX_MS: f64 = 1.0;
/// A target that is later than this says nothing.
const LATENESS_P99_MAX_MS: f64 = 1.0;

fn main() {
    let arguments = common::arguments();
    if arguments.first().is_some_and(|first| first == "role") {
        assert_eq!(arguments[1], "target", "the only role here");
        return target::serve(&arguments[2..]);
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let scenarios = if quick { 50 } else { common::number(&arguments, "--scenarios").unwrap_or(500) };
    let scenarios = u32::try_from(scenarios).expect("a number of scenarios");
    let seconds = if quick { 3 } else { common::number(&arguments, "--seconds").unwrap_or(20) };
    let project = Project { scenarios, every: Duration::from_secs(5), hanging: 0 };
    let (seen, lateness, others) = measure(&project, Duration::from_secs(seconds));
    assert_eq!(seen.waits_ms.len(), seen.runs, "every run waited for its answer");
    let delay_ms = DELAY.as_secs_f64() * 1e3;
    let least = seen.waits_ms.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(least > delay_ms / 2.0, "an answer was there after {least} ms");
    // Too short is as wrong as too long: a stamp taken late shortens what follows it.
    let errors = seen.waits_ms.iter().map(|wait| (wait - delay_ms).abs());
    if quick {
        return say(&format!("{} runs, each in its slot, none answered before its time", seen.runs));
    }
    if lateness > LATENESS_P99_MAX_MS {
        return say(&format!("discarded: the target itself was {lateness:.2} ms late at p99"));
    }
    let [p50, p99, most] = judge::shown(errors);
    let (holds, noisy) = (held(p99 <= ERROR_P99_MAX_MS), if others > NOISE_MAX { ", NOISY" } else { "" });
    say(&format!(
        "{} runs against a target that answers after {DELAY:?}, its own lateness {lateness:.2} ms p99",
        seen.runs
    ));
    say(&format!(
        "  error of the latency {p50:.2} ms p50, {p99:.2} ms p99, {most:.1} ms most (goal p99 ≤ {ERROR_P99_MAX_MS} ms: {holds}); others {others:.2} of a core{noisy}"
    ));
}

/// Runs a prober over the project; gives what was seen, how late the target was at p99, and other work.
fn measure(project: &Project, window: Duration) -> (Seen, f64, f64) {
    let folder = tempfile::tempdir().expect("the temporary folder takes a folder");
    let mut target = Target::start("delay", None);
    project.write(folder.path(), &target.addresses);
    let mut prober = Prober::start(folder.path());
    let pids = [prober.pid(), target.role.pid(), std::process::id()];
    std::thread::sleep(Duration::from_secs(1));
    target.role.ask("lateness");
    let (from, look) = (SystemClock.now(), Look::now(&pids));
    std::thread::sleep(window);
    let (to, others) = (SystemClock.now(), look.others_since(&pids));
    let lateness = target.role.ask("lateness").parse().expect("a number of milliseconds");
    prober.account_is_even(from, to, project);
    prober.stop();
    let arrivals = target.arrivals(&folder.path().join("arrivals"));
    (judge::judge(project, (from, to), &arrivals, &data(folder.path())), lateness, others)
}
