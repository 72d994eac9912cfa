//! A large set on its way to many agents.

use std::time::Instant;

use super::common::figures::held;
use super::common::say;
use super::setup::{Fleet, Member, PATIENCE};

/// What the design asks: seconds from the publication to the last agent that has it.
const APPLIED_MAX: f64 = 5.0;

pub(crate) fn measure(scenarios: u64, agents: u64) {
    let fleet = Fleet::start();
    fleet.push();
    let members: Vec<_> = (0..agents).map(|number| fleet.agent(&format!("a-{number}"))).collect();
    members.iter().for_each(Member::until_ready);
    for number in 0..scenarios {
        fleet.scenario(&format!("s{number}"), "every: 1h\ntimeout: 5s\nhttp: URL\nexpect: { status: 200 }");
    }
    let began = Instant::now();
    fleet.push();
    let pushed = began.elapsed();
    let published = Instant::now();
    let until_all = |what: &str, sentence: &str| {
        testkit::wait::until_blocking(what, PATIENCE, || {
            members.iter().all(|member| member.said().contains(sentence))
        });
        published.elapsed().as_secs_f64()
    };
    let ready = until_all("the set on all agents", "is ready to hold");
    let holds = until_all("the set in force", "another scenario set holds");
    say(&format!(
        "push: {scenarios} scenarios checked, signed and published in {:.1} s; ready on {agents} agents {ready:.1} s later (goal ≤ {APPLIED_MAX} s: {}), in force on all after {holds:.1} s",
        pushed.as_secs_f64(),
        held(ready <= APPLIED_MAX)
    ));
}
