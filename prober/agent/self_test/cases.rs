//! What is run against the prober's own targets, and what must come of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::{FailureClass, Outcome, Reason};
use model::probe::{Probe as _, RunContext};
use model::step::Phase;
use model::time::{Clock as _, SystemClock};
use probe::flow::Scenario;
use probe::{KINDS, NetConfig, Shared};
use rustls_pki_types::CertificateDer;
use scenario::compile::{Options, Sources, compile};
use scenario::diagnostic::Severity;
use scenario::source::Source;
use scenario::template::Secrets;
use tokio::task::JoinSet;

use super::targets::{NAME, SLOW, Targets, WORDS};

/// How long a run may take that should end by itself.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long the one may take that ends at its deadline.
const SHORT: Duration = Duration::from_millis(100);

/// One scenario and what must come of it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// The scenario, but for its name, cadence and timeout.
    pub(super) text: String,
    pub(super) timeout: Duration,
    pub(super) expected: Expected,
}

/// What must come of a case.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) reason: Reason,
    /// Of the failure; empty if there is none.
    pub(super) error_type: &'static str,
    /// The last phase of the last exchange.
    pub(super) phase: Phase,
    /// The least that waiting for the answer took.
    pub(super) waited: Duration,
}

/// A case that did not end as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    pub(super) what: String,
    /// Whether the machine lacked something: then it says nothing of this build.
    pub(super) is_ours: bool,
}

/// Every case.
pub(super) fn all(targets: &Targets) -> Vec<Case> {
    let Targets { http, dns, tls, expired, untrusted, .. } = targets;
    let name = |name: &str| {
        format!(
            "dns:\n  name: {name}\n  type: A\n  resolvers: [\"{dns}\"]\nexpect:\n  answers: {{ equals_set: [127.0.0.1] }}\n"
        )
    };
    let page = |path: &str| {
        format!("http: http://{http}/{path}\nexpect:\n  status: 200\n  body: {{ contains: {WORDS} }}\n")
    };
    let certificate = |at| format!("tls: {{ address: \"{at}\", server_name: {NAME} }}\n");
    let failed =
        |error_type, phase| Expected { reason: Reason::Failed, error_type, phase, waited: Duration::ZERO };
    let good = |phase| Expected { reason: Reason::Ok, error_type: "", phase, waited: Duration::ZERO };
    let slow = format!("{}sli: {{ good: {{ latency: {{ lt: 20ms }} }} }}\n", page("slow"));
    let slow_is = Expected { reason: Reason::Slow, error_type: "slow", phase: Phase::Receive, waited: SLOW };
    let silent = Expected { waited: SHORT / 2, ..failed("timeout", Phase::Wait) };
    let case = |name, text, expected| Case { name, text, timeout: TIMEOUT, expected };
    vec![
        case("http-good", page("good"), good(Phase::Receive)),
        case("http-bad", page("bad"), failed("assert.status", Phase::Receive)),
        case("http-wrong", page("wrong"), failed("assert.body", Phase::Receive)),
        case("http-cut", page("cut"), failed("http.truncated", Phase::Receive)),
        case("http-slow", slow, slow_is),
        Case { timeout: SHORT, ..case("http-silent", page("silent"), silent) },
        case("dns-good", name(NAME), good(Phase::Wait)),
        case("dns-nobody", name("nobody.self.test"), failed("dns.nxdomain", Phase::Wait)),
        case("tls-good", certificate(tls), good(Phase::Tls)),
        case("tls-expired", certificate(expired), failed("tls.expired", Phase::Tls)),
        case("tls-stranger", certificate(untrusted), failed("tls.untrusted", Phase::Tls)),
    ]
}

/// Every case as a scenario that can be run.
pub(super) fn compiled(
    cases: Vec<Case>,
    root: CertificateDer<'static>,
) -> Result<Vec<(Case, Scenario)>, String> {
    let shared = Arc::new(Shared::new(NetConfig { extra_roots: vec![root], ..NetConfig::default() }));
    shared.warm();
    let project = Source {
        path: "prober.yaml".to_owned(),
        text: "version: 1\nnetwork: { private: allow }\n".to_owned(),
    };
    let source = |case: &Case| Source {
        path: format!("scenarios/{}.yaml", case.name),
        text: format!(
            "name: {}\nevery: 1h\ntimeout: {}ms\n{}",
            case.name,
            case.timeout.as_millis(),
            case.text
        ),
    };
    let sources = Sources {
        project: Some(project),
        scenarios: cases.iter().map(source).collect(),
        ..Sources::default()
    };
    let compiled = compile(sources, &KINDS, &Options::default());
    let wrong = compiled.diagnostics.iter().find(|one| one.severity == Severity::Error);
    if let Some(wrong) = wrong {
        return Err(format!("{} {}", wrong.code, wrong.message));
    }
    let mut plans = compiled.plans;
    let made = cases.into_iter().filter_map(|case| {
        let at = plans.iter().position(|plan| *plan.stream().scenario == *case.name)?;
        let secrets = Arc::new(Secrets::default());
        let scenario = Scenario::new(Arc::new(plans.swap_remove(at)), Arc::clone(&shared), secrets);
        Some((case, scenario))
    });
    Ok(made.collect())
}

/// Runs all at once; gives the first that did not end as it should.
pub(super) async fn run(scenarios: Vec<(Case, Scenario)>) -> Option<Mismatch> {
    let mut runs = JoinSet::new();
    for (case, scenario) in scenarios {
        runs.spawn(async move {
            let (started, began) = (SystemClock.now(), Instant::now());
            let slot = scenario.plan().stream().slot(started);
            let context = RunContext::new(slot, started, (began, began + case.timeout));
            judge(&case, &scenario.run(&context).await)
        });
    }
    let mut found: Option<Mismatch> = None;
    while let Some(ended) = runs.join_next().await {
        // A panic ends the process; nobody else ends these tasks. What speaks of this build is told first.
        let Some(mismatch) = ended.ok().flatten() else { continue };
        if found.as_ref().is_none_or(|known| known.is_ours && !mismatch.is_ours) {
            found = Some(mismatch);
        }
    }
    found
}

/// What is not as it should be; `None` if all is.
pub(super) fn judge(case: &Case, outcome: &Outcome) -> Option<Mismatch> {
    let failure = outcome.failure.as_ref();
    let span = outcome.main_step().and_then(|step| step.hops.last()?.phases.last());
    let waited = outcome.main_step().and_then(|step| step.timing(Phase::Wait)).unwrap_or_default();
    let (error_type, expected) = (failure.map_or("", |failure| &*failure.error_type), case.expected);
    let fits = outcome.reason == expected.reason
        && error_type == expected.error_type
        && span.is_some_and(|span| span.phase == expected.phase)
        && waited >= expected.waited;
    if fits {
        return None;
    }
    let told = |reason: Reason, error_type: &str, phase: Option<Phase>| {
        let phase = phase.map_or("no phase", Phase::as_str);
        format!("{} {reason} {error_type} in {phase}", reason.verdict()).replace("  ", " ")
    };
    let message = failure.map_or("", |failure| &failure.message);
    let what = format!(
        "{} should be {} and was {}, after {waited:.0?} of waiting; {message}",
        case.name,
        told(expected.reason, expected.error_type, Some(expected.phase)),
        told(outcome.reason, error_type, span.map(|span| span.phase)),
    );
    let is_local = failure
        .is_some_and(|failure| failure.class == FailureClass::Local && failure.error_type != "local.bug");
    Some(Mismatch { what, is_ours: is_local })
}
