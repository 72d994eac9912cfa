//! Is a full prober punctual and small?
//!
//! The real binary, `prober serve`, with 10,000 HTTP scenarios at 10 s each, against a target that stamps when
//! each scenario's own path is asked for: CPU time per run, peak memory, and how far from its slot each request
//! comes, seen at the target. The slots are computed here; nothing may be missed or come twice, and the
//! lag that the prober records must agree with what the target saw.
//!
//! `cargo bench --bench open_loop` takes about three minutes; `-- --scenarios N --seconds N` changes it, and
//! `-- --quick` looks only whether everything is right.

#[path = "../common/mod.rs"]
mod common;

use std::time::Duration;

use common::cpu::{self, Look, NOISE_MAX};
use common::figures::held;
use common::judge::{self, Seen};
use common::prober::Prober;
use common::project::{Project, data};
use common::say;
use common::target::{self, Target};
use model::time::{Clock as _, SystemClock};

/// What `performance.md` asks.
const MEMORY_MAX_MIB: f64 = 64.0;
const MEMORY_EACH_MAX_KIB: f64 = 4.0;
const START_ERROR_P99_MAX_MS: f64 = 5.0;
const SCHEDULED_WITHIN_MAX: Duration = Duration::from_secs(1);
/// How far our own lag may be from what the target saw, at the 99th percentile.
const AGREES_WITHIN_MS: f64 = 2.0;

/// One measurement.
struct Size {
    scenarios: u32,
    every: Duration,
    window: Duration,
}

/// What came of it.
struct Figures {
    seen: Seen,
    scheduled_within: Duration,
    peak_kib: u64,
    resting_kib: u64,
    cpu: Duration,
    others: f64,
}

fn main() {
    let arguments = common::arguments();
    if arguments.first().is_some_and(|first| first == "role") {
        assert_eq!(arguments[1], "target", "the only role here");
        return target::serve(&arguments[2..]);
    }
    if arguments.iter().any(|argument| argument == "--quick") {
        let size = Size { scenarios: 500, every: Duration::from_secs(2), window: Duration::from_secs(4) };
        let Figures { seen, .. } = measure(&size);
        say(&format!("{} runs, each in its slot, none missed, none twice, every event good", seen.runs));
        return;
    }
    let scenarios = common::number(&arguments, "--scenarios").unwrap_or(10_000);
    let scenarios = u32::try_from(scenarios).expect("a number of scenarios");
    let window = Duration::from_secs(common::number(&arguments, "--seconds").unwrap_or(60));
    let every = Duration::from_secs(10);
    let few = (scenarios / 10).max(1);
    let small = measure(&Size { scenarios: few, every, window: window.min(Duration::from_secs(30)) });
    print(few, &small);
    let full = measure(&Size { scenarios, every, window });
    print(scenarios, &full);
    let each = full.peak_kib.abs_diff(small.peak_kib) as f64 / f64::from(scenarios - few).max(1.0);
    let holds = held(each <= MEMORY_EACH_MAX_KIB);
    say(&format!(
        "a further scenario: {each:.1} KiB at the peak (goal ≤ {MEMORY_EACH_MAX_KIB} KiB: {holds})"
    ));
}

/// Runs a prober over a project of this size, and judges what the target saw.
fn measure(size: &Size) -> Figures {
    let folder = tempfile::tempdir().expect("the temporary folder takes a folder");
    let mut target = Target::start("http", None);
    let project = Project { scenarios: size.scenarios, every: size.every, hanging: 0 };
    project.write(folder.path(), &target.addresses);
    let mut prober = Prober::start(folder.path());
    let pids = [prober.pid(), target.role.pid(), std::process::id()];
    // The first second after the start is not like the others.
    std::thread::sleep(Duration::from_secs(1));
    let from = SystemClock.now();
    let (look, before) = (Look::now(&pids), cpu::of_process(prober.pid()));
    std::thread::sleep(size.window);
    let to = SystemClock.now();
    let cpu = cpu::of_process(prober.pid()).saturating_sub(before);
    let others = look.others_since(&pids);
    let peak_kib = cpu::peak_memory_kib(prober.pid());
    let resting_kib = cpu::memory_kib(prober.pid(), "VmRSS:");
    // Only now: answering a question about 10,000 streams takes memory, too.
    prober.account_is_even(from, to, &project);
    let scheduled_within = prober.ready_after;
    prober.stop();
    let arrivals = target.arrivals(&folder.path().join("arrivals"));
    let seen = judge::judge(&project, (from, to), &arrivals, &data(folder.path()));
    Figures { seen, scheduled_within, peak_kib, resting_kib, cpu, others }
}

fn print(scenarios: u32, figures: &Figures) {
    let Figures { seen, scheduled_within, peak_kib, resting_kib, cpu, others } = figures;
    let micros = cpu.as_secs_f64() * 1e6 / seen.runs as f64;
    let peak = *peak_kib as f64 / 1024.0;
    let resting = *resting_kib as f64 / 1024.0;
    let [p50, p99, most] = seen.start_error_ms;
    let [lag_p50, lag_p99, lag_most] = seen.own_lag_ms;
    let noisy = if *others > NOISE_MAX { ", NOISY" } else { "" };
    say(&format!(
        "{scenarios} scenarios: {} runs, none missed, none twice, all good; others {others:.2} of a core{noisy}",
        seen.runs
    ));
    let holds = held(*scheduled_within <= SCHEDULED_WITHIN_MAX);
    say(&format!(
        "  start to all scheduled   {scheduled_within:.2?} (goal ≤ {SCHEDULED_WITHIN_MAX:?}: {holds})"
    ));
    let holds = held(peak <= MEMORY_MAX_MIB);
    say(&format!(
        "  memory                   {peak:.1} MiB at the peak (goal ≤ {MEMORY_MAX_MIB}: {holds}), {resting:.1} MiB at the end"
    ));
    say(&format!("  CPU                      {micros:.0} µs a run"));
    let holds = held(p99 <= START_ERROR_P99_MAX_MS);
    say(&format!(
        "  start error at the target {p50:.2} ms p50, {p99:.2} ms p99, {most:.1} ms most (goal p99 ≤ {START_ERROR_P99_MAX_MS} ms: {holds})"
    ));
    let holds = held(seen.disagreement_p99_ms <= AGREES_WITHIN_MS);
    say(&format!(
        "  our own lag              {lag_p50:.2} ms p50, {lag_p99:.2} ms p99, {lag_most:.1} ms most; p99 of the difference {:.2} ms (≤ {AGREES_WITHIN_MS}: {holds})",
        seen.disagreement_p99_ms
    ));
}
