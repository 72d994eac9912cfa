//! Hosts that answer pings wrongly, late, too often or not at all, in a network of their own.

use testkit::netns::Pair;
use testkit::servers::{Pings, ping_host};

use super::*;
use crate::trial::{LIMITS, PATIENCE};

/// What is said of the pings to one host: `ok` and how many came back, or what it failed with.
fn pinged(trial: &Trial) -> String {
    let told = told(trial);
    if told == "ok" { format!("ok {:?}", trial.value("replies")) } else { told }
}

/// The keys of pings to a host, with so long for the last reply.
fn waiting(number: u8, wait: Duration) -> Keys {
    let mut keys = Way::Icmp.keys(&ping_host(number).to_string());
    keys.retain(|(key, _)| *key != "wait");
    keys.push(("wait", Bound::Duration(wait)));
    keys
}

#[test]
fn hosts_that_answer_pings_wrongly() {
    let pair = Pair::new();
    let _hosts = Pings::start(&pair);
    let none = "ok Int(0)";
    let hosts = [
        (1, "as it should", "ok Int(2)"),
        (2, "not at all", none),
        (3, "with another's identifier", none),
        (4, "with another's payload", none),
        (5, "with a part of the payload", none),
        (6, "five times", "ok Int(2)"),
        (7, "from another address", none),
        (8, "too late", none),
        (9, "with a wrong checksum", none),
        // What is sent behind a flood may get lost in it.
        (10, "again and again", "ok Int(1) | ok Int(2)"),
        (11, "with a number that was never sent", none),
        (12, "with another code, and with nothing", none),
        (13, "that it is forbidden", "connect connect.unreachable wait"),
        (14, "that it is refused", "connect connect.refused wait"),
        (15, "that it was lost in a loop", none),
        (16, "that it is forbidden, and answers", "ok Int(2)"),
    ];
    let wrong = pair.near(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shared = trial::shared();
            // Who has no answer to ARP yet keeps the first ping back.
            let first = waiting(1, PATIENCE / 10);
            trial::run(Way::Icmp.kind(), first, &shared, PATIENCE).await;
            let mut wrong = Vec::new();
            for (number, how, expected) in hosts {
                let mut said = String::new();
                let is_expected = |said: &str| expected.split(" | ").any(|known| known == said);
                for limit in LIMITS {
                    let keys = waiting(number, limit * 3 / 10);
                    let trial = trial::run(Way::Icmp.kind(), keys, &shared, limit).await;
                    said = pinged(&trial);
                    if !trial.is_in_time() {
                        said = format!("{said} after {:?}", trial.took);
                    }
                    if is_expected(&said) {
                        break;
                    }
                }
                if !is_expected(&said) {
                    wrong.push(format!("{number} answers {how}: {said}, expected {expected}"));
                }
            }
            // Silence is told by an assertion, and has the phase that any other timeout has.
            let silent = format!("icmp: {{ host: {}, count: 1, wait: 100ms }}", ping_host(2));
            let outcome = trial::judge(&silent).await;
            let phase = outcome.steps.first().and_then(|step| step.attributes.text("timeout.phase"));
            if !trial::told(&outcome).starts_with("failed timeout timeout:") || phase != Some("wait") {
                wrong.push(format!("silence is {} in {phase:?}", trial::told(&outcome)));
            }
            wrong
        })
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
