//! What does our own code cost, without the kernel?
//!
//! Instructions for each piece of pure code on the path of a run, counted by callgrind: they do not depend on the
//! machine's mood, so two commits can be compared. Without valgrind it shows times, and says so.
//!
//! Beside them the time that `prober validate` takes over a project of ten thousand scenarios.
//!
//! `cargo bench --bench cost` takes a minute; `-- --quick` runs each piece once without counting.

#[path = "../common/mod.rs"]
mod common;

mod pieces;
mod validate;

use std::process::{Command, Stdio};
use std::time::Instant;

use common::say;
use pieces::PIECES;

/// Turns of a counted run; the costs of getting ready are in both and cancel out.
const FEW: u64 = 100;
const MANY: u64 = 1_100;

fn main() {
    let arguments = common::arguments();
    if arguments.first().is_some_and(|first| first == "role") {
        let turns = arguments[2].parse().expect("a number of turns");
        return pieces::run(&arguments[1], turns);
    }
    if arguments.iter().any(|argument| argument == "--quick") {
        for (name, _) in PIECES {
            pieces::run(name, 1);
        }
        validate::took(validate::FEW, 1);
        say(&format!("{} pieces and a project of {} scenarios ran", PIECES.len(), validate::FEW));
        return;
    }
    let counted = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    let has_valgrind = counted.is_ok_and(|status| status.success());
    say(if has_valgrind {
        "| piece | instructions |"
    } else {
        "| piece | ns (no valgrind: times, not counts) |"
    });
    say("|---|---|");
    for (name, what) in PIECES {
        let cost = if has_valgrind { instructions(name) } else { nanoseconds(name) };
        say(&format!("| {what} | {cost} |"));
    }
    say("");
    say(&validate::report());
}

/// Instructions a turn.
fn instructions(name: &str) -> u64 {
    let [few, many] = [FEW, MANY].map(|turns| count(name, turns));
    many.saturating_sub(few) / (MANY - FEW)
}

/// Instructions of a whole run.
fn count(name: &str, turns: u64) -> u64 {
    let itself = std::env::current_exe().expect("the bench knows its own file");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(itself);
    let output = command.args(["role", name, &turns.to_string()]).output().expect("valgrind can be run");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {text}");
    let line = text.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind counts");
    line.1.trim().parse().expect("one number: instructions")
}

/// Nanoseconds a turn.
fn nanoseconds(name: &str) -> u64 {
    let time = |turns| {
        let began = Instant::now();
        pieces::run(name, turns);
        began.elapsed()
    };
    let took = time(100 * MANY).saturating_sub(time(100 * FEW));
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX) / (100 * (MANY - FEW))
}
