//! What does one probe cost, all included?
//!
//! CPU time per probe of fresh HTTP, fresh HTTPS (TLS 1.3, ECDSA, chain verified), DNS over UDP, and a flow of five
//! requests on one fresh connection, eight in flight: ours (slot, run, assertions, event durable in the store) beside
//! the floor (a bare loop over the same target that keeps nothing) and beside `prometheus-blackbox-exporter` alone,
//! asked over open connections; it knows no flows.
//!
//! `cargo bench --bench closed_loop` takes three minutes; `-- --quick` looks only whether everything is right.

#[path = "../common/mod.rs"]
mod common;

mod blackbox;
mod floor;
mod ours;
mod rounds;

use std::path::Path;
use std::time::Duration;

use common::figures::held;
use common::say;
use common::target::{self, Target, listed};
use rounds::{Row, Size, Subject};

/// Probes in flight.
const IN_FLIGHT: usize = 8;
/// The requests of a flow.
const FLOW_STEPS: usize = 5;

/// What is measured: a kind, and what `performance.md` asks of it.
struct Goal {
    kind: &'static str,
    /// The most that ours may cost, in costs of the floor; `None` if nothing is asked.
    floor_max: Option<f64>,
    /// How many times cheaper than blackbox ours must be; `None` if blackbox cannot do it.
    cheaper_min: Option<f64>,
}

const GOALS: [Goal; 4] = [
    Goal { kind: "http", floor_max: Some(1.4), cheaper_min: Some(4.5) },
    Goal { kind: "https", floor_max: Some(1.5), cheaper_min: Some(4.0) },
    Goal { kind: "dns", floor_max: Some(2.0), cheaper_min: Some(10.0) },
    Goal { kind: "flow", floor_max: None, cheaper_min: None },
];

fn main() {
    let arguments = common::arguments();
    if arguments.first().is_some_and(|first| first == "role") {
        return play(&arguments[1..]);
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let only = arguments.iter().find(|argument| GOALS.iter().any(|goal| goal.kind == **argument));
    let size = if quick {
        Size { rounds: 1, window: Duration::ZERO, probes_min: 200 }
    } else {
        let rounds = common::number(&arguments, "--rounds").unwrap_or(5);
        Size { rounds, window: Duration::from_secs(2), probes_min: 500 }
    };
    let mut rows = Vec::new();
    for goal in GOALS.iter().filter(|goal| only.is_none_or(|only| goal.kind == only)) {
        rows.push((goal, measure(goal, &size)));
    }
    if quick {
        say("every probe was right: 200 each of ours, the floor and blackbox, for each kind they know");
    } else {
        report(&rows);
    }
}

/// Plays the role that `arguments` name.
fn play(arguments: &[String]) {
    let rest = &arguments[1..];
    match arguments[0].as_str() {
        "target" => target::serve(rest),
        "floor" => floor::play(rest),
        "ours" => ours::play(rest),
        "driver" => blackbox::play(rest),
        other => panic!("there is no role {other}"),
    }
}

/// Starts target and subjects of one kind, and measures them round after round.
fn measure(goal: &Goal, size: &Size) -> Vec<Row> {
    let kind = goal.kind;
    let folder = tempfile::tempdir().expect("the temporary folder takes a folder");
    let (pki, identity) = target::identity();
    let target = Target::start(kind, (kind == "https").then_some(&identity));
    let addresses = listed(&target.addresses);
    let root = pki.root_file();
    let root = path(&root);
    let data = folder.path().join("data");
    let mut subjects = vec![
        Subject::of("ours", &["ours", kind, &addresses, root, path(&data)]),
        Subject::of("floor", &["floor", kind, &addresses, "-"]),
    ];
    if kind == "https" {
        subjects.push(Subject::of("floor, verifying", &["floor", kind, &addresses, root]));
    }
    let exporter = goal.cheaper_min.map(|_| blackbox::Exporter::start(folder.path(), root));
    subjects.extend(exporter.as_ref().map(|exporter| exporter.subject(kind, &addresses)));
    rounds::run(kind, &mut subjects, &[target.role.pid(), std::process::id()], size)
}

fn at_most(goal: Option<f64>, found: f64) -> String {
    goal.map_or_else(|| "–".to_owned(), |goal| format!("≤ {goal} {}", held(found <= goal)))
}

fn at_least(goal: Option<f64>, found: f64) -> String {
    goal.map_or_else(|| "–".to_owned(), |goal| format!("≥ {goal} {}", held(found >= goal)))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

fn report(rows: &[(&Goal, Vec<Row>)]) {
    say("");
    say("| kind | subject | µs CPU a probe | ours, in costs of it | goal |");
    say("|---|---|---|---|---|");
    let mut noisy = 0;
    for (goal, rows) in rows {
        for row in rows {
            let (ratio, verdict) = match row.name {
                "ours" => (String::new(), String::new()),
                "floor" => (row.ours_over_it.to_string(), at_most(goal.floor_max, row.ours_over_it.median)),
                "blackbox" => {
                    let text = format!("{} × cheaper", row.it_over_ours);
                    (text, at_least(goal.cheaper_min, row.it_over_ours.median))
                }
                _ => (row.ours_over_it.to_string(), "–".to_owned()),
            };
            say(&format!("| {} | {} | {} | {ratio} | {verdict} |", goal.kind, row.name, row.micros));
            noisy += row.noisy;
        }
    }
    say("");
    say(
        "Median of the rounds, least and most in brackets; each ratio is the median of the rounds' own ratios.",
    );
    say(&format!("Windows in which other work used more than a fifth of a core: {noisy}."));
}
