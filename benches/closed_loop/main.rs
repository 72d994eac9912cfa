//! What does one probe cost, all included?
//!
//! CPU time per probe of fresh HTTP, fresh HTTPS (TLS 1.3, ECDSA, chain verified) and DNS over UDP, eight in
//! flight: ours (slot, run, assertions, event durable in the store) beside the floor (a bare loop over the same
//! target that keeps nothing) and beside `prometheus-blackbox-exporter` alone, asked over open connections.
//!
//! `cargo bench --bench closed_loop` takes two minutes; `-- --quick` looks only whether everything is right.

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

/// What is measured: a kind, and what `performance.md` asks of it.
struct Goal {
    kind: &'static str,
    /// The most that ours may cost, in costs of the floor.
    floor_max: f64,
    /// How many times cheaper than blackbox ours must be.
    cheaper_min: f64,
}

const GOALS: [Goal; 3] = [
    Goal { kind: "http", floor_max: 1.4, cheaper_min: 4.5 },
    Goal { kind: "https", floor_max: 1.5, cheaper_min: 4.0 },
    Goal { kind: "dns", floor_max: 2.0, cheaper_min: 10.0 },
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
        rows.push((goal, measure(goal.kind, &size)));
    }
    if quick {
        say("every probe was right: 200 each of ours, the floor and blackbox, for each kind");
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
fn measure(kind: &str, size: &Size) -> Vec<Row> {
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
    let exporter = blackbox::Exporter::start(folder.path(), root);
    subjects.push(exporter.subject(kind, &addresses));
    rounds::run(kind, &mut subjects, &[target.role.pid(), std::process::id()], size)
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
                "floor" => {
                    let holds = row.ours_over_it.median <= goal.floor_max;
                    (row.ours_over_it.to_string(), format!("≤ {} {}", goal.floor_max, held(holds)))
                }
                "blackbox" => {
                    let holds = row.it_over_ours.median >= goal.cheaper_min;
                    let text = format!("{} × cheaper", row.it_over_ours);
                    (text, format!("≥ {} {}", goal.cheaper_min, held(holds)))
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
