//! What the benches share: processes with a role, CPU time by process, targets, the real prober and its judge, and
//! figures.
//!
//! Every measured subject is a process of its own: the bench starts itself again with a role, so that one
//! subject's CPU time, memory and sockets are never another's.
#![allow(dead_code, reason = "each bench uses its part")]

pub(crate) mod cpu;
pub(crate) mod delay;
pub(crate) mod figures;
pub(crate) mod judge;
mod log;
pub(crate) mod prober;
pub(crate) mod process;
pub(crate) mod project;
pub(crate) mod target;

/// The prober's allocator, for its rivals too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The bench's arguments without what cargo adds.
pub(crate) fn arguments() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| argument != "--bench").collect()
}

/// One line of the report.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the report can be written");
}

/// The value after the flag `name`, if it was given and is a number.
pub(crate) fn number(arguments: &[String], name: &str) -> Option<u64> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1)?.parse().ok()
}
