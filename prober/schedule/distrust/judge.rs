//! What a `bad` verdict rests on, and what a run becomes whose verdict is doubted.

use std::time::Duration;

use model::attribute::AttributeValue;
use model::outcome::{Failure, FailureClass, Outcome, Reason, Verdict};
use model::step::{Phase, StepRecord};

/// A lookup that took this part of a run's time, a quarter, may be why it took too long.
const LOOKUP_PART: u32 = 4;

/// The attribute of a step that asked the system's resolver itself.
pub const SYSTEM_RESOLVER: &str = "prober.dns.system_resolver";

/// What a `bad` verdict rests on, beside the network as a whole.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own, and all may hold at once")]
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Rests {
    /// On how long something took.
    pub time: bool,
    /// On the wall clock: a certificate's dates, a value's age.
    pub dates: bool,
    /// On a lookup that failed, or on a time of which a lookup took much.
    pub lookup: bool,
    /// On what was found under a name that was looked up.
    pub looked_up: bool,
    /// On the system's resolver, which the step asked itself.
    pub own_resolver: bool,
    /// On no answer having come, which may be for want of something to ask with.
    pub opening: bool,
}

impl Rests {
    /// What the verdict of a run rests on; `None` if it is not bad.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        if outcome.verdict() != Verdict::Bad {
            return None;
        }
        let failure = outcome.failure.as_ref();
        let error_type = failure.map_or("", |failure| &failure.error_type);
        let class = failure.map(|failure| failure.class);
        let step = failure.and_then(|failure| outcome.steps.iter().find(|step| *step.name == *failure.step));
        let step = step.or_else(|| outcome.main_step());
        let last = step.and_then(|step| step.hops.last()?.phases.last()).map(|span| span.phase);
        let own_resolver = step.is_some_and(asks_system);
        let unanswered = matches!(class, Some(FailureClass::Dns | FailureClass::Timeout));
        let time = is_of_time(outcome);
        Some(Self {
            time,
            dates: matches!(outcome.reason, Reason::Stale | Reason::Stalled | Reason::FutureDated)
                || is_of_dates(error_type, step),
            lookup: unanswered && (last == Some(Phase::Dns) || own_resolver)
                || time && is_mostly_lookup(&outcome.steps),
            own_resolver,
            opening: unanswered || class == Some(FailureClass::Connect),
            looked_up: own_resolver || step.is_some_and(|step| step.timing(Phase::Dns).is_some()),
        })
    }
}

/// Whether a run is bad because something took too long.
pub fn is_of_time(outcome: &Outcome) -> bool {
    let timed = |failure: &Failure| {
        matches!(failure.class, FailureClass::Timeout | FailureClass::Slow)
            || failure.error_type.ends_with(".timeout")
            || failure.error_type == "assert.latency"
    };
    outcome.verdict() == Verdict::Bad
        && (outcome.reason == Reason::Slow || outcome.failure.as_ref().is_some_and(timed))
}

/// Whether an `error.type` says that a date and the wall clock do not fit.
fn is_of_dates(error_type: &str, step: Option<&StepRecord>) -> bool {
    let says = |key, words: &[&str]| match step.and_then(|step| step.attributes.get(key)) {
        Some(AttributeValue::Text(text)) => words.contains(&&**text),
        _ => false,
    };
    match error_type {
        "tls.expired"
        | "tls.not_yet_valid"
        | "assert.expires_in"
        | "assert.chain_expires_in"
        | "assert.path_expires_in"
        | "assert.ocsp_age"
        | "assert.ocsp_expires_in"
        | "assert.clock_offset" => true,
        "assert.ocsp" => says("prober.tls.ocsp", &["expired"]),
        // Requests that are signed carry the prober's time.
        "403" => says("aws.error_code", &["RequestTimeTooSkewed"]),
        "dns.bogus" | "assert.dnssec" | "assert.dnssec.reason" => {
            says("prober.dns.dnssec.reason", &["signature_expired", "signature_not_yet_valid"])
        }
        _ => false,
    }
}

/// Whether lookups took so much of the steps' time that it says nothing without them.
fn is_mostly_lookup(steps: &[StepRecord]) -> bool {
    let all: Duration = steps.iter().map(|step| step.duration).sum();
    let lookups: Duration = steps.iter().filter_map(|step| step.timing(Phase::Dns)).sum();
    !lookups.is_zero() && lookups >= all / LOOKUP_PART
}

fn asks_system(step: &StepRecord) -> bool {
    step.attributes.get(SYSTEM_RESOLVER) == Some(&AttributeValue::Bool(true))
}

/// The error type of the doubt that holds a run, and changes nothing of what it said.
const CORRELATED: &str = "";

/// Why a run says nothing about its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The `error.type`, of class `local`; empty if what the run said is kept as it is.
    pub error_type: &'static str,
    /// What is wrong with the prober, in words.
    pub why: String,
}

impl Doubt {
    pub(super) fn network(why: &str) -> Self {
        Self { error_type: "local.network", why: format!("the prober's own network is in doubt: {why}") }
    }

    pub(super) fn resolver(why: &str) -> Self {
        Self { error_type: "local.resolver", why: format!("the prober's resolver is in doubt: {why}") }
    }

    pub(super) fn processor(why: &str) -> Self {
        Self { error_type: "local.overload", why: format!("the prober was too busy to measure time: {why}") }
    }

    pub(super) fn memory(why: &str) -> Self {
        Self { error_type: "local.memory", why: format!("the prober waited for memory: {why}") }
    }

    pub(super) fn files(why: &str) -> Self {
        Self { error_type: "local.fd", why: format!("the prober ran out of open files: {why}") }
    }

    pub(super) fn clock(why: &str) -> Self {
        Self { error_type: "local.clock", why: format!("the prober's clock is in doubt: {why}") }
    }

    pub(super) fn correlated(why: &str) -> Self {
        Self { error_type: CORRELATED, why: why.to_owned() }
    }

    /// No look at the prober's own health came in time to settle the run.
    pub fn unsettled() -> Self {
        let why = "no round of control targets ended in time to tell the target's fault from the prober's";
        Self { error_type: "local.unsettled", why: why.to_owned() }
    }

    /// The outcome of a run that is doubted; what it showed is kept, and so is what it said.
    #[must_use]
    pub fn apply(&self, mut outcome: Outcome) -> Outcome {
        outcome.high_marks.clear();
        if self.error_type == CORRELATED {
            outcome.reason = Reason::Correlated;
            return outcome;
        }
        let before = outcome.failure.take();
        let step = before.as_ref().map(|failure| failure.step.clone()).unwrap_or_default();
        let said = before.map_or_else(String::new, |failure| format!("; it said: {}", failure.message));
        let failure = Failure::new(FailureClass::Local, self.error_type, format!("{}{said}", self.why));
        outcome.reason = Reason::ProberFault;
        outcome.failure = Some(Failure { step, ..failure });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use model::step::{Hop, PhaseSpan, StepState};

    use super::*;

    fn bad(class: FailureClass, error_type: &'static str, phases: &[Phase]) -> Outcome {
        let mut step = StepRecord::new("home".into(), "any", StepState::Failed);
        let span =
            |phase: &Phase| PhaseSpan { phase: *phase, start: Duration::ZERO, duration: Duration::ZERO };
        step.hops.push(Hop { phases: phases.iter().map(span).collect(), ..Hop::default() });
        let failure = Failure { step: "home".to_owned(), ..Failure::new(class, error_type, "it broke") };
        Outcome { failure: Some(failure), steps: vec![step], main: Some(0), ..Outcome::empty(Reason::Failed) }
    }

    #[test]
    fn what_a_verdict_rests_on() {
        use FailureClass::{Connect, Dns, Incorrect, Timeout, Tls};
        let none = Rests::default();
        let named = Rests { looked_up: true, ..none };
        let (unheard, unheard_named) = (Rests { opening: true, ..none }, Rests { opening: true, ..named });
        for (class, error_type, phases, rests) in [
            (Connect, "connect.refused", &[Phase::Connect][..], unheard),
            (Connect, "connect.refused", &[Phase::Dns, Phase::Connect], unheard_named),
            (Connect, "connect.timeout", &[Phase::Connect], Rests { time: true, ..unheard }),
            (Dns, "dns.servfail", &[Phase::Dns], Rests { lookup: true, ..unheard_named }),
            (Dns, "dns.timeout", &[Phase::Dns], Rests { time: true, lookup: true, ..unheard_named }),
            (Dns, "dns.timeout", &[Phase::Send, Phase::Wait], Rests { time: true, ..unheard }),
            (Timeout, "timeout", &[Phase::Dns], Rests { time: true, lookup: true, ..unheard_named }),
            (Timeout, "timeout", &[Phase::Dns, Phase::Wait], Rests { time: true, ..unheard_named }),
            (Incorrect, "assert.body", &[Phase::Dns, Phase::Wait], named),
            (Incorrect, "assert.latency", &[Phase::Wait], Rests { time: true, ..none }),
            (Tls, "tls.expired", &[Phase::Tls], Rests { dates: true, ..none }),
            (Tls, "tls.untrusted", &[Phase::Tls], none),
        ] {
            assert_eq!(Rests::of(&bad(class, error_type, phases)), Some(rests), "{error_type} {phases:?}");
        }
        for (reason, dates, time) in [
            (Reason::Slow, false, true),
            (Reason::Stale, true, false),
            (Reason::Stalled, true, false),
            (Reason::FutureDated, true, false),
            (Reason::Backwards, false, false),
        ] {
            assert_eq!(Rests::of(&Outcome::empty(reason)), Some(Rests { time, dates, ..none }), "{reason}");
        }
        for reason in Reason::ALL.iter().filter(|reason| reason.verdict() != Verdict::Bad) {
            assert_eq!(Rests::of(&Outcome::empty(*reason)), None, "{reason}: only what is bad is doubted");
        }
    }

    #[test]
    fn what_asked_the_system_s_resolver_rests_on_it() {
        let mut outcome = bad(FailureClass::Dns, "dns.servfail", &[Phase::Send, Phase::Wait]);
        assert!(!Rests::of(&outcome).unwrap().lookup);
        outcome.steps[0].attributes.set(SYSTEM_RESOLVER, true);
        let rests = Rests::of(&outcome).unwrap();
        assert!(rests.lookup && rests.looked_up && rests.own_resolver);
    }

    #[test]
    fn a_time_of_which_a_lookup_took_much_rests_on_it() {
        let seconds = Duration::from_secs;
        for (lookup, all, rests) in [(0, 8, false), (1, 8, false), (2, 8, true), (8, 8, true)] {
            let timed = bad(FailureClass::Incorrect, "assert.latency", &[Phase::Dns, Phase::Wait]);
            for mut outcome in [timed.clone(), Outcome { failure: None, reason: Reason::Slow, ..timed }] {
                outcome.steps[0].hops[0].phases[0].duration = seconds(lookup);
                outcome.steps[0].duration = seconds(all);
                assert_eq!(Rests::of(&outcome).unwrap().lookup, rests, "{lookup} of {all}");
            }
        }
        let mut wrong = bad(FailureClass::Incorrect, "assert.body", &[Phase::Dns, Phase::Wait]);
        wrong.steps[0].hops[0].phases[0].duration = seconds(8);
        assert!(!Rests::of(&wrong).unwrap().lookup, "however long it took, it is wrong");
    }

    #[test]
    fn what_compares_a_date_with_the_clock_rests_on_it() {
        const DNSSEC: &str = "prober.dns.dnssec.reason";
        const OCSP: &str = "prober.tls.ocsp";
        const AWS: &str = "aws.error_code";
        for (error_type, said, dates) in [
            ("assert.clock_offset", None, true),
            ("assert.path_expires_in", None, true),
            ("assert.ocsp_age", None, true),
            ("assert.ocsp_expires_in", None, true),
            ("assert.ocsp", Some((OCSP, "expired")), true),
            ("assert.ocsp", Some((OCSP, "none")), false),
            ("403", Some((AWS, "RequestTimeTooSkewed")), true),
            ("403", Some((AWS, "AccessDenied")), false),
            ("dns.bogus", Some((DNSSEC, "signature_expired")), true),
            ("dns.bogus", Some((DNSSEC, "signature_not_yet_valid")), true),
            ("dns.bogus", Some((DNSSEC, "no_signature")), false),
            ("dns.bogus", None, false),
            ("assert.age", None, false),
        ] {
            let mut outcome = bad(FailureClass::Incorrect, error_type, &[Phase::Wait]);
            if let Some((key, word)) = said {
                outcome.steps[0].attributes.set(key, word);
            }
            assert_eq!(Rests::of(&outcome).unwrap().dates, dates, "{error_type} {said:?}");
        }
    }

    #[test]
    fn a_doubted_run_keeps_what_it_said() {
        let outcome =
            Doubt::network("a.example:443 refused").apply(bad(FailureClass::Connect, "connect.refused", &[]));
        let failure = outcome.failure.clone().unwrap();
        assert_eq!(
            (outcome.reason, failure.class, &*failure.error_type),
            (Reason::ProberFault, FailureClass::Local, "local.network")
        );
        assert_eq!(failure.step, "home");
        assert_eq!(
            failure.message,
            "the prober's own network is in doubt: a.example:443 refused; it said: it broke"
        );
        assert_eq!(outcome.steps.len(), 1);
    }
}
