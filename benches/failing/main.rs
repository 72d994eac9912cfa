//! Do failing targets keep healthy ones waiting?
//!
//! The real binary, `prober serve`, with 1,000 healthy HTTP scenarios every 10 s beside 10,000 every 20 s whose target
//! accepts and never answers, each with a time-out of 10 s: how far from its slot each healthy request comes, seen at
//! the target. Every healthy slot must be good; every other one must have timed out, or be on record as missed.
//!
//! `cargo bench --bench failing` takes a minute and a half; `-- --healthy N --failing N --seconds N` changes it, and
//! `-- --quick` looks only whether everything is right.

#[path = "../common/mod.rs"]
mod common;

use std::time::Duration;

use common::cpu::{Look, NOISE_MAX};
use common::figures::held;
use common::judge::{self, Seen};
use common::prober::Prober;
use common::project::{Project, data};
use common::say;
use common::target::{self, Target};
use model::time::{Clock as _, SystemClock};

/// What `performance.md` asks of the healthy ones.
const START_ERROR_P99_MAX_MS: f64 = 50.0;

fn main() {
    let arguments = common::arguments();
    if arguments.first().is_some_and(|first| first == "role") {
        assert_eq!(arguments[1], "target", "the only role here");
        return target::serve(&arguments[2..]);
    }
    if arguments.iter().any(|argument| argument == "--quick") {
        let project = Project { scenarios: 50, every: Duration::from_secs(5), hanging: 100 };
        // Long enough that some have timed out.
        let (Seen { runs, hanging, .. }, _) = measure(&project, Duration::from_secs(5));
        return say(&format!(
            "{runs} healthy runs, each in its slot, none missed, none twice; the others: {hanging:?}"
        ));
    }
    let number = |name, default: u64| {
        let given = common::number(&arguments, name).unwrap_or(default);
        u32::try_from(given).expect("a number of scenarios")
    };
    let (healthy, failing) = (number("--healthy", 1_000), number("--failing", 10_000));
    let window = Duration::from_secs(common::number(&arguments, "--seconds").unwrap_or(30));
    let every = Duration::from_secs(10);
    let (alone, others) = measure(&Project { scenarios: healthy, every, hanging: 0 }, window);
    print("alone", &alone, others);
    let (beside, others) = measure(&Project { scenarios: healthy, every, hanging: failing }, window);
    print(&format!("beside {failing} that hang"), &beside, others);
    say(&format!("  the others ended: {:?}", beside.hanging));
}

/// Runs a prober over the project, and judges what the target saw.
fn measure(project: &Project, window: Duration) -> (Seen, f64) {
    let folder = tempfile::tempdir().expect("the temporary folder takes a folder");
    let (mut target, silent) = (Target::start("http", None), Target::start("hang", None));
    project.write(folder.path(), &target.addresses);
    project.write_hanging(folder.path(), &silent.addresses);
    let mut prober = Prober::start(folder.path());
    let pids = [prober.pid(), target.role.pid(), silent.role.pid(), std::process::id()];
    // With failing targets it takes a time-out until as many hang as there will be.
    std::thread::sleep(if project.hanging > 0 { Duration::from_secs(12) } else { Duration::from_secs(1) });
    let (from, look) = (SystemClock.now(), Look::now(&pids));
    std::thread::sleep(window);
    let (to, others) = (SystemClock.now(), look.others_since(&pids));
    prober.account_is_even(from, to, project);
    prober.stop();
    let arrivals = target.arrivals(&folder.path().join("arrivals"));
    (judge::judge(project, (from, to), &arrivals, &data(folder.path())), others)
}

fn print(what: &str, seen: &Seen, others: f64) {
    let [p50, p99, most] = seen.start_error_ms;
    let noisy = if others > NOISE_MAX { ", NOISY" } else { "" };
    let holds = held(p99 <= START_ERROR_P99_MAX_MS);
    say(&format!(
        "{} healthy runs {what}: start error at the target {p50:.2} ms p50, {p99:.2} ms p99, {most:.1} ms most (goal p99 ≤ {START_ERROR_P99_MAX_MS} ms: {holds}); others {others:.2} of a core{noisy}",
        seen.runs
    ));
}
