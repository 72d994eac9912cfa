//! How long is nobody probing, how fast is a new set everywhere, and how much does one hub take?
//!
//! Real processes: NATS servers from `target/peers`, agents and a hub of the binary under test, a target in the bench.
//!
//! 1. An agent is killed: until others own all it had, and until they have run all of it; what only reads, and what has side
//!    effects, each by itself.
//! 2. An agent is asked to stop: until it has given all its work away, and by how much any scenario's longest gap between two
//!    runs is longer than its interval.
//! 3. 10,000 scenarios are pushed to 8 agents: how long the push takes, and when each agent runs the new set, counted from its
//!    publication and from the instant at which it holds.
//! 4. Events through a hub, as fast as they can be sent and at rates below that: until it has confirmed all of them.
//!
//! `cargo bench --bench fleet` takes some minutes; `-- --quick` looks only whether all of it works, `-- --only takeover`
//! (`handover`, `push`, `hub`) measures a part.

#[path = "../common/mod.rs"]
mod common;
mod handing;
mod hub;
mod push;
mod setup;

use common::say;

fn main() {
    let arguments = common::arguments();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let only =
        arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let number = |name: &str, usual: u64| common::number(&arguments, name).unwrap_or(usual);
    if wanted("takeover") || wanted("handover") {
        let rounds = number("--rounds", if quick { 1 } else { 5 });
        handing::measure(rounds, (wanted("takeover"), wanted("handover")));
    }
    if wanted("push") {
        let (scenarios, agents) =
            if quick { (40, 2) } else { (number("--scenarios", 10_000), number("--agents", 8)) };
        push::measure(scenarios, agents);
    }
    if wanted("hub") {
        hub::measure(if quick { 2_000 } else { number("--events", 400_000) }, quick);
    }
    say("done");
}
