//! Does a probe cost the same however many scenarios there are?
//!
//! The runner of the real prober with scenarios that do nothing and a store that only counts, so that what is left is
//! choosing slots, starting runs, and recording: CPU time per run at 5,000 runs a second, from 1,000 scenarios that
//! are due every 0.2 s to 100,000 that are due every 20 s. Every slot must have had its run, on time and once.
//!
//! `cargo bench --bench growth` takes three minutes; `-- --quick` looks only whether everything is right.

#[path = "../common/mod.rs"]
mod common;

mod runner;

use std::time::{Duration, Instant};

use common::cpu::{self, Look, NOISE_MAX};
use common::figures::{Spread, held};
use common::process::Role;
use common::say;

/// The numbers of scenarios; each is compared with the first.
const SCENARIOS: [u32; 3] = [1_000, 10_000, 100_000];
/// Runs a second, whatever the number of scenarios.
const RATE: u32 = 5_000;
/// How far the cost of a run may be from that of the first, as `performance.md` asks.
const APART_MAX: f64 = 0.1;

/// What one window showed.
struct Window {
    /// CPU time of one run, in µs.
    micros: f64,
    /// The share of a core that other work had.
    others: f64,
}

fn main() {
    let arguments = common::arguments();
    if arguments.first().is_some_and(|first| first == "role") {
        return runner::play(&arguments[1..]);
    }
    if arguments.iter().any(|argument| argument == "--quick") {
        for (scenarios, rate) in [(100, 50), (1_000, 500)] {
            window(scenarios, rate, Duration::from_secs(3));
        }
        return say("100 and 1,000 scenarios: every slot had its run, none twice");
    }
    let rounds = common::number(&arguments, "--rounds").unwrap_or(3);
    let mut costs = vec![Vec::new(); SCENARIOS.len()];
    for round in 1..=rounds {
        for (scenarios, costs) in SCENARIOS.into_iter().zip(&mut costs) {
            // The longest interval is 20 s: everything is due at least once.
            let Window { micros, others } = window(scenarios, RATE, Duration::from_secs(20));
            let mark = if others > NOISE_MAX { "  NOISY" } else { "" };
            say(&format!(
                "round {round}: {scenarios:>6} scenarios, {micros:.2} µs a run, others {others:.2} of a core{mark}"
            ));
            costs.push(micros);
        }
    }
    say("");
    say("| scenarios | µs CPU a run | in costs of 1,000 scenarios | goal |");
    say("|---|---|---|---|");
    for (scenarios, of_it) in SCENARIOS.into_iter().zip(&costs) {
        let ratio = Spread::of(of_it.iter().zip(&costs[0]).map(|(micros, first)| micros / first));
        let holds = held((ratio.median - 1.0).abs() <= APART_MAX);
        let goal =
            if scenarios == SCENARIOS[0] { "–".to_owned() } else { format!("± {APART_MAX} {holds}") };
        let micros = Spread::of(of_it.iter().copied());
        say(&format!("| {scenarios} | {micros} | {ratio} | {goal} |"));
    }
}

/// Runs so many scenarios at `rate` a second in a process of their own.
fn window(scenarios: u32, rate: u32, length: Duration) -> Window {
    let interval_ms = u64::from(scenarios) * 1_000 / u64::from(rate);
    let mut role = Role::start(&["runner", &scenarios.to_string(), &interval_ms.to_string()]);
    let pids = [role.pid(), std::process::id()];
    assert_eq!(role.ask("begin"), "begun");
    let (look, before, began) = (Look::now(&pids), cpu::of_process(role.pid()), Instant::now());
    std::thread::sleep(length.saturating_sub(began.elapsed()));
    let cpu = cpu::of_process(role.pid()).saturating_sub(before);
    let others = look.others_since(&pids);
    let runs: u64 = role.ask("end").parse().expect("the number of runs in the window");
    Window { micros: cpu.as_secs_f64() * 1e6 / runs.max(1) as f64, others }
}
