//! What a server looks at to tell its own faults from its targets', each signal read once.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::{Outcome, Verdict};
use model::probe::{Probe as _, RunContext};
use model::time::{Clock as _, SystemClock};
use probe::flow::Scenario;
use probe::{Anchor, Canary, Net, Sung};
use scenario::network::Policy;
use scenario::plan::Plan;
use scenario::project::Project;
use schedule::distrust::pressure::{Shares, THROTTLED_MAX};

use super::{Finding, Patient, fail, ok, warn};
use crate::agent::machine::sample;

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the processors are looked at.
const WATCHED: Duration = Duration::from_millis(500);
/// So many control targets are needed for two of three to mean something.
const TARGETS_MIN: usize = 3;

/// Where probes may connect to.
pub(super) fn policy(patient: &Patient) -> Finding {
    const NAME: &str = "network policy";
    let Some(project) = patient.project() else { return ok(NAME, "public addresses only") };
    let mut shown: Vec<String> = Vec::new();
    for region in project.regions() {
        let text = told(project.network(region));
        if !shown.iter().any(|known| known.ends_with(&text)) {
            let lead = if project.regions().len() > 1 { format!("{region}: ") } else { String::new() };
            shown.push(lead + &text);
        }
    }
    ok(NAME, shown.join("; "))
}

fn told(policy: &Policy) -> String {
    let addresses = match (policy.public, policy.private) {
        (true, true) => "all addresses but cloud metadata",
        (true, false) => "public addresses only",
        (false, true) => "private addresses only",
        (false, false) => "nothing",
    };
    let rules = |word: &str, rules: &[scenario::network::Rule]| {
        let texts: Vec<_> = rules.iter().map(scenario::network::Rule::text).collect();
        if texts.is_empty() { String::new() } else { format!(", {word} {}", texts.join(" ")) }
    };
    format!("{addresses}{}{}", rules("and", &policy.allow), rules("never", &policy.deny))
}

/// Whether IPv4 has a route; nothing is sent.
pub(super) fn route(_: &Patient) -> Finding {
    const NAME: &str = "IPv4";
    // Any address of the documentation's block takes the default route.
    let far: SocketAddr = (Ipv4Addr::new(192, 0, 2, 1), 9).into();
    let routed = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect(far)?;
        socket.local_addr()
    });
    match routed {
        Ok(from) => ok(NAME, format!("there is a route, from {}", from.ip())),
        Err(error) => warn(NAME, format!("no route: {error}"), "targets are reached over IPv6 only"),
    }
}

/// Whether the own control target on loopback is reached.
pub(super) fn anchor(patient: &Patient) -> Finding {
    const NAME: &str = "loopback";
    let reached = patient.runtime.block_on(async {
        let anchor = Anchor::listen().await.map_err(|error| error.to_string())?;
        let at = anchor.at();
        tokio::select! {
            () = anchor.serve() => Err("the anchor ended".to_owned()),
            reached = patient.shared.reach_anchor(at, PATIENCE) => reached,
        }
    });
    match reached {
        Ok(()) => ok(NAME, "the own control target is reached"),
        Err(why) => {
            fail(NAME, why, "nothing that is bad will count; look at the loopback device and local filters")
        }
    }
}

/// Whether the control targets of the files pass.
pub(super) fn controls(patient: &Patient) -> Finding {
    const NAME: &str = "control targets";
    if patient.controls.is_empty() {
        let remedy = "name three places that have nothing in common under `control` in prober.yaml";
        return warn(NAME, "none: a lost network makes every target bad", remedy);
    }
    let runs = patient.controls.iter().map(|plan| (plan, patient.runtime.block_on(run(patient, plan))));
    let failed: Vec<_> = runs.filter_map(|(plan, outcome)| why(plan, &outcome)).collect();
    let all = patient.controls.len();
    let fewest = patient.project().and_then(|project| fewest(project, &patient.controls)).unwrap_or(all);
    match failed.first() {
        Some(first) => {
            let remedy = "runs will be ineligible while two of three fail";
            warn(NAME, format!("{} of {all} fail; {first}", failed.len()), remedy)
        }
        None if fewest < TARGETS_MIN => {
            warn(NAME, format!("{all} pass"), "with fewer than three, one that fails already decides")
        }
        None => ok(NAME, format!("{all} pass")),
    }
}

/// The fewest control targets of a region that has any.
fn fewest(project: &Project, plans: &[Arc<Plan<Net>>]) -> Option<usize> {
    let of = |region: &Arc<str>| plans.iter().filter(|plan| plan.stream().region == *region).count();
    project.regions().iter().map(of).filter(|count| *count > 0).min()
}

async fn run(patient: &Patient, plan: &Arc<Plan<Net>>) -> Outcome {
    let secrets = patient
        .project()
        .and_then(|project| patient.vault.open(project, &plan.stream().region, plan.secrets_used()).ok());
    let secrets = Arc::new(secrets.unwrap_or_default());
    let scenario = Scenario::new(Arc::clone(plan), Arc::clone(&patient.shared), secrets);
    let (started, began) = (SystemClock.now(), Instant::now());
    let slot = plan.stream().slot(started);
    scenario.run(&RunContext::new(slot, started, (began, began + plan.timeout()))).await
}

fn why(plan: &Plan<Net>, outcome: &Outcome) -> Option<String> {
    if outcome.verdict() == Verdict::Good {
        return None;
    }
    let message = outcome.failure.as_ref().map_or("it was not good", |failure| failure.message.as_str());
    Some(format!("{}: {message}", plan.targets().join(", ")))
}

/// Whether the system's resolver knows the canary's name.
pub(super) fn canary(patient: &Patient) -> Finding {
    const NAME: &str = "DNS canary";
    let project = patient.project();
    let regions = project.map(Project::regions).unwrap_or_default();
    let files = regions.iter().filter_map(|region| project?.control(region)?.canary.as_ref());
    let canaries: Vec<_> = files
        .map(|file| Canary { name: file.name.clone(), second: file.resolver, answers: file.answers.clone() })
        .collect();
    let Some(canary) = canaries.first() else {
        let remedy = "name one under `control` in prober.yaml: canary: { name: canary.shop.example }";
        return warn(NAME, "none: a broken resolver makes every target bad", remedy);
    };
    match patient.runtime.block_on(patient.shared.sing(canary, PATIENCE)) {
        Sung::Right => ok(NAME, format!("{} is answered as it should be", canary.name)),
        Sung::Partly(why) => warn(
            NAME,
            why,
            "dns scenarios that ask each name server of this machine will be ineligible, and lookups may be slow; mend \
             /etc/resolv.conf",
        ),
        Sung::Silent(why) | Sung::Wrong(why) => fail(
            NAME,
            why,
            "runs that look up names will be ineligible; mend /etc/resolv.conf or the network",
        ),
    }
}

/// Who waits for the processors, as a server sees it.
pub(super) fn processor(_: &Patient) -> Finding {
    const NAME: &str = "CPU waits";
    let before = sample();
    std::thread::sleep(WATCHED);
    let shares = Shares::between(&before, &sample());
    let percent = |name: &str, share: Option<f64>| match share {
        Some(share) => format!("{name} {:.0} %", share * 100.0),
        None => format!("{name} not told"),
    };
    let seen = [
        percent("quota", shares.throttled),
        percent("steal", shares.steal),
        percent("own threads", shares.waited.map(|(of_time, _)| of_time)),
        percent("anybody", shares.pressure),
    ];
    let seen = seen.join(", ");
    match shares.busy() {
        Some(why) => warn(NAME, format!("{seen}: {why}"), "latencies do not count meanwhile; give it more"),
        None if shares.throttled.is_some_and(|share| share > THROTTLED_MAX / 2.0) => {
            warn(NAME, seen, "the quota is nearly used up: give the control group more")
        }
        None => ok(NAME, seen),
    }
}
