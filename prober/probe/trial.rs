//! One run of one step, for the tests of the kinds: from bound keys to what it showed, or from a scenario
//! file to the verdict.

pub(crate) mod relay;
pub(crate) mod stalls;

use std::fs::File;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::Outcome;
use model::probe::{Probe as _, RunContext};
use model::slot::Stream;
use model::step::Phase;
use model::time::{Clock as _, SystemClock};
use scenario::compile::{Options, Sources, compile as compile_files};
use scenario::diagnostic::Report;
use scenario::fields::{Bound, Fields};
use scenario::kind::{Action, Kind, StepContext, StepOutcome};
use scenario::source::{Source, Span, Spanned};
use scenario::template::{Captures, RunFacts, Scope, Secrets, Template};
use scenario::value::{Reading, Selector, Value};

use crate::KINDS;
use crate::flow::{Scenario, act};
use crate::net::resolve::Servers;
use crate::net::shared::{Net, NetConfig, Shared};

/// How much later than its deadline a step may end.
pub(crate) const SLACK: Duration = Duration::from_millis(100);

/// How much less than it should a timer may take: it has a millisecond.
pub(crate) const EARLY: Duration = Duration::from_millis(2);

/// Long enough for every step that is to succeed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The deadlines of one run's tries: the first one's of a run that is to take all of it.
pub(crate) const LIMITS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(8),
];

/// Longer than any try waits.
pub(crate) const TOO_LATE: Duration = Duration::from_secs(16);

/// The network without anything of its own.
pub(crate) fn shared() -> Arc<Shared> {
    Arc::new(Shared::new(NetConfig::default()))
}

/// The same, asking `server` for addresses.
pub(crate) fn shared_asking(server: SocketAddr) -> Arc<Shared> {
    Arc::new(Shared::new(NetConfig { servers: Servers::These(vec![server]), ..NetConfig::default() }))
}

/// A template without holes.
pub(crate) fn template(text: impl Into<String>) -> Bound {
    Bound::Template(Template::text(text.into()))
}

/// A text.
pub(crate) fn text(text: impl Into<String>) -> Bound {
    Bound::Text(text.into())
}

/// A list of texts.
pub(crate) fn texts<T: ToString>(texts: impl IntoIterator<Item = T>) -> Bound {
    let spanned = texts.into_iter().map(|text| Spanned::new(Bound::Text(text.to_string()), Span::default()));
    Bound::List(spanned.collect())
}

/// A list of templates without holes.
pub(crate) fn templates<T: ToString>(texts: impl IntoIterator<Item = T>) -> Bound {
    let spanned = texts.into_iter().map(|text| Spanned::new(template(text.to_string()), Span::default()));
    Bound::List(spanned.collect())
}

/// What compiling these keys gives: the action, or the codes and messages of the mistakes.
pub(crate) fn compile(
    kind: &Kind<Net>,
    keys: Vec<(&'static str, Bound)>,
) -> Result<Box<dyn Action<Net>>, Vec<String>> {
    let entries = keys.into_iter().map(|(key, bound)| (key, Spanned::new(bound, Span::default())));
    let mut report = Report::default();
    let action = (kind.compile)(Fields::new(Span::default(), entries.collect()), &mut report);
    action.ok_or_else(|| {
        let mistakes = report.finish().into_iter();
        mistakes.map(|mistake| format!("{}: {}", mistake.code, mistake.message)).collect()
    })
}

/// Runs the one-step scenario `step` (its kind's key and what follows) once.
pub(crate) async fn judge(step: &str) -> Outcome {
    judge_with(step, &[]).await
}

/// The same, asking `server` for addresses.
pub(crate) async fn judge_asking(step: &str, server: SocketAddr) -> Outcome {
    judge_on(step, &[], shared_asking(server)).await
}

/// The same with these secrets.
pub(crate) async fn judge_with(step: &str, given: &[(&str, &str)]) -> Outcome {
    judge_on(step, given, shared()).await
}

async fn judge_on(step: &str, given: &[(&str, &str)], shared: Arc<Shared>) -> Outcome {
    let text = format!("name: trial\naim: Up.\nevery: 1m\n{step}\n");
    let named: Vec<_> = given.iter().map(|(name, _)| format!("  {name}: {{ env: NOWHERE }}\n")).collect();
    let secrets = if given.is_empty() { String::new() } else { format!("secrets:\n{}", named.concat()) };
    // The peers are on this machine.
    let project = format!("version: 1\nscenarios: [\"*.yaml\"]\nnetwork: {{ private: allow }}\n{secrets}");
    let sources = Sources {
        project: Some(Source { path: "prober.yaml".into(), text: project }),
        scenarios: vec![Source { path: "trial.yaml".into(), text: text.clone() }],
        ..Sources::default()
    };
    let mut compiled = compile_files(sources, &KINDS, &Options::default());
    assert!(!compiled.has_errors(), "{text}{:#?}", compiled.diagnostics);
    let mut secrets = Secrets::default();
    for (name, value) in given {
        secrets.set(*name, *value);
    }
    let scenario = Scenario::new(Arc::new(compiled.plans.remove(0)), shared, Arc::new(secrets));
    let (started, began) = (SystemClock.now(), Instant::now());
    let slot = Stream::new("trial", "local").slot(started);
    scenario.run(&RunContext::new(slot, started, (began, began + PATIENCE))).await
}

/// Reason, class, type and message of an outcome as one text.
pub(crate) fn told(outcome: &Outcome) -> String {
    match &outcome.failure {
        None => outcome.reason.to_string(),
        Some(failure) => {
            format!("{} {} {}: {}", outcome.reason, failure.class, failure.error_type, failure.message)
        }
    }
}

/// Runs the ignored test `test` alone, in a process that may open 256 files.
pub(crate) fn alone(test: &str) {
    let this = std::env::current_exe().expect("a running test has a file");
    let limited = "ulimit -n 256 && exec \"$0\" --ignored --exact --test-threads=1 \"$1\"";
    let output = Command::new("sh").arg("-c").arg(limited).arg(this).arg(test).output().expect("sh is there");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Every file that this process may still open.
pub(crate) fn take_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// What one run showed, and how long it took.
pub(crate) struct Trial {
    /// The outcome.
    pub(crate) outcome: StepOutcome,
    /// From start to end.
    pub(crate) took: Duration,
    /// How long it had until its deadline.
    pub(crate) limit: Duration,
    /// When the machine kept everybody waiting meanwhile, as offsets from the start.
    pauses: Vec<(Duration, Duration)>,
}

/// Runs with one deadline after the other, each as late as the one before or later, until a run is as `expected` and
/// ends in time; gives the last one if none does.
///
/// On a busy machine a run may end late, or come to its deadline before it comes to what the test is about. Whatever
/// it says before its deadline counts: that is not tried again.
pub(crate) async fn patiently(
    expected: impl Fn(&Trial) -> bool,
    run: impl AsyncFn(Duration) -> Trial,
) -> Trial {
    let mut limits = LIMITS.into_iter();
    let mut trial = run(limits.next().expect("there is a first one")).await;
    for limit in limits {
        let starved = trial.took >= trial.limit && !expected(&trial);
        if trial.is_in_time() && !starved {
            break;
        }
        trial = run(limit).await;
    }
    trial
}

/// The same for runs that are to take all of their time, and to have come to `phase` of their last hop by then.
pub(crate) async fn until_in(phase: Phase, run: impl AsyncFn(Duration) -> Trial) -> Trial {
    patiently(|trial| trial.last_phase() == Some(phase), run).await
}

/// Runs these keys once, with `limit` until the deadline.
pub(crate) async fn run(
    kind: &Kind<Net>,
    keys: Vec<(&'static str, Bound)>,
    shared: &Arc<Shared>,
    limit: Duration,
) -> Trial {
    let action = compile(kind, keys).unwrap_or_else(|mistakes| panic!("the keys are right: {mistakes:?}"));
    run_with(&*action, shared, &Secrets::default(), limit).await
}

/// Runs `action` once, with `limit` until the deadline.
pub(crate) async fn run_with(
    action: &dyn Action<Net>,
    shared: &Arc<Shared>,
    secrets: &Secrets,
    limit: Duration,
) -> Trial {
    let now = SystemClock.now();
    let id = Stream::new("trial", "local").slot(now).id;
    let facts = RunFacts { id, started_at: now, attempt: 0, scenario: "trial".into() };
    let captures = Captures::default();
    let scope = Scope { run: &facts, captures: &captures, secrets };
    stalls::begin();
    let began = Instant::now();
    let context = StepContext { scope: &scope, began, deadline: began + limit };
    let outcome = act(action, &mut Net::new(Arc::clone(shared)), &context).await;
    let took = began.elapsed();
    check_phases(&outcome, took);
    let pauses = stalls::between(began, began + took).await;
    Trial { outcome, took, limit, pauses }
}

/// The phases of each hop tile it, and none lies outside of the run.
fn check_phases(outcome: &StepOutcome, took: Duration) {
    for hop in &outcome.hops {
        for pair in hop.phases.windows(2) {
            assert_eq!(pair[0].start + pair[0].duration, pair[1].start, "{hop:?}");
        }
        let end = hop.phases.last().map(|last| last.start + last.duration);
        assert!(end.is_none_or(|end| end <= took), "{hop:?} ends after {took:?}");
    }
}

impl Trial {
    /// The value of a subject; panics if there is none.
    pub(crate) fn value(&self, subject: &str) -> Value<'_> {
        match self.read(subject) {
            Reading::One(value) => value,
            other => panic!("{subject} is {other:?}; the failure is {:?}", self.outcome.failure),
        }
    }

    /// What looking at a subject gives.
    pub(crate) fn read(&self, subject: &str) -> Reading<'_> {
        self.outcome.evidence.read(subject, &Selector::Whole)
    }

    /// Class and type of the failure, as one text; panics if the step did not fail.
    pub(crate) fn failure(&self) -> String {
        let failure = self.outcome.failure.as_ref().expect("the step fails");
        format!("{} {}", failure.class, failure.error_type)
    }

    /// The failure's message; panics if the step did not fail.
    pub(crate) fn message(&self) -> &str {
        &self.outcome.failure.as_ref().expect("the step fails").message
    }

    /// The phases of one hop in order.
    pub(crate) fn phases(&self, hop: usize) -> Vec<Phase> {
        self.outcome.hops[hop].phases.iter().map(|span| span.phase).collect()
    }

    /// The duration of a phase of one hop.
    pub(crate) fn phase(&self, hop: usize, phase: Phase) -> Duration {
        let span = self.outcome.hops[hop].phases.iter().find(|span| span.phase == phase);
        span.unwrap_or_else(|| panic!("hop {hop} has the phase {phase:?}")).duration
    }

    /// What is wrong with the time that phase `phase` of hop `hop` took, if `injected` was put into it: not less, and
    /// no more than `noise` beyond what the machine paused. A pause at its beginning was billed to the phase before.
    pub(crate) fn misbilled(
        &self,
        (hop, phase): (usize, Phase),
        (injected, noise): (Duration, Duration),
    ) -> Option<String> {
        let span = self.outcome.hops[hop].phases.iter().find(|span| span.phase == phase);
        let Some(span) = span else { return Some(format!("hop {hop} has no phase {phase:?}")) };
        let (from, time) = (span.start, span.duration);
        let before = self.stalled_in(Duration::ZERO, from);
        let most = injected + noise + self.stalled_in(from, from + time);
        let wrong = time + EARLY + before < injected || time > most;
        wrong.then(|| format!("{phase:?} took {time:?} of {injected:?}, stalled {:?}", self.stalled()))
    }

    /// A text among the attributes; panics if there is none.
    pub(crate) fn attribute(&self, key: &str) -> &str {
        self.outcome.attributes.text(key).unwrap_or_else(|| panic!("the attribute {key} is a text"))
    }

    /// The last phase of the last hop.
    pub(crate) fn last_phase(&self) -> Option<Phase> {
        self.outcome.hops.last()?.phases.last().map(|span| span.phase)
    }

    /// Asserts that the step ended by its deadline, give or take the slack.
    pub(crate) fn ended_in_time(&self) {
        let stalled = self.stalled();
        assert!(self.is_in_time(), "took {:?} of {:?}, {stalled:?} of it stalled", self.took, self.limit);
    }

    /// Whether the step ended by its deadline, give or take the slack and the machine's pauses.
    pub(crate) fn is_in_time(&self) -> bool {
        self.took <= self.limit + SLACK + self.stalled()
    }

    /// How long the machine kept everybody waiting meanwhile, which is nobody's time.
    pub(crate) fn stalled(&self) -> Duration {
        self.stalled_in(Duration::ZERO, self.took)
    }

    /// The same between two offsets from the start.
    pub(crate) fn stalled_in(&self, from: Duration, to: Duration) -> Duration {
        self.pauses.iter().map(|(begin, end)| (*end).min(to).saturating_sub((*begin).max(from))).sum()
    }
}
