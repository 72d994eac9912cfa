//! The table of self-distrust, row by row: each signal on both sides of its threshold, what it does to a slot, and that a
//! slot counts again once all is well.
//!
//! How each signal is read from the machine or the network, and how the runner acts on it, is tested where that is done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::slot::Stream;
use model::step::{Hop, Phase, PhaseSpan, StepRecord, StepState};
use model::time::Timestamp;
use schedule::distrust::clock::{KernelClock, Look, Measured, WallClock};
use schedule::distrust::mass::{Seen, Settled, Target, reach, settle};
use schedule::distrust::pressure::Shares;
use schedule::distrust::room::{Files, Room};
use schedule::distrust::suspend::Cause;
use schedule::distrust::watch::{Round, fails};
use schedule::distrust::{Doubts, Judgement, Own, Ran};
use schedule::lag::{Lag, Lateness, discount};

use super::fleet::peers::Tally;

const HOLD: Duration = Duration::from_secs(30);

/// A prober that watches one region, and its time.
struct Prober {
    doubts: Doubts,
    begin: Instant,
}

fn stream(name: &str) -> Stream {
    Stream::new(name, "eu")
}

impl Prober {
    fn new() -> Self {
        let doubts = Doubts::default();
        doubts.watch(&"eu".into(), true, HOLD);
        Self { doubts, begin: Instant::now() }
    }

    fn at(&self, second: u64) -> Instant {
        self.begin + Duration::from_secs(second)
    }

    /// Rounds of control targets, each ten seconds after the one before; all is well at the ends.
    fn controls(&self, failed: &[(usize, usize)]) {
        self.rounds(failed.iter().map(|(failed, all)| !fails(*failed, *all)), |round| {
            self.doubts.note_controls("eu", round, "2 of 3 failed");
        });
        self.rounds(failed.iter().map(|_| true), |round| self.doubts.note_canary("eu", round, false, ""));
    }

    fn canary(&self, passed: &[bool]) {
        self.rounds(passed.iter().copied(), |round| self.doubts.note_canary("eu", round, false, "silent"));
        self.rounds(passed.iter().map(|_| true), |round| self.doubts.note_controls("eu", round, ""));
    }

    fn rounds(&self, passed: impl ExactSizeIterator<Item = bool>, note: impl Fn(Round)) {
        let all = [true].into_iter().chain(passed).chain([true; 3]);
        for (number, passed) in (0..).zip(all) {
            let began = self.at(number * 10);
            note(Round { began, ended: began + Duration::from_secs(1), passed });
        }
    }

    /// What a run in the middle of it comes to.
    fn comes_to(&self, name: &str, outcome: Outcome) -> String {
        self.comes_at(15, name, outcome)
    }

    /// One that begins after two rounds and the next one, in which all was well again, counts as it is.
    fn counts_again(&self, outcome: Outcome) {
        let expected = told(&outcome);
        assert_eq!(self.comes_at(42, "a", outcome), expected);
    }

    /// What a run from that second to the next one comes to.
    fn comes_at(&self, second: u64, name: &str, outcome: Outcome) -> String {
        let ran = Ran { began: self.at(second), ended: self.at(second + 1) };
        let outcome = match self.doubts.judge_of(&stream(name), &outcome, ran) {
            Judgement::Stands => outcome,
            Judgement::Doubted(doubt) => doubt.apply(outcome),
            Judgement::Wait(_) => return "waits".to_owned(),
        };
        told(&outcome)
    }
}

fn told(outcome: &Outcome) -> String {
    let error_type = outcome.failure.as_ref().map_or("", |failure| &*failure.error_type);
    format!("{} {} {error_type}", outcome.verdict(), outcome.reason).trim().to_owned()
}

fn bad(class: FailureClass, error_type: &'static str, phase: Phase) -> Outcome {
    let mut step = StepRecord::new("home".into(), "any", StepState::Failed);
    let span = |phase| PhaseSpan { phase, start: Duration::ZERO, duration: Duration::ZERO };
    step.hops.push(Hop { phases: vec![span(Phase::Dns), span(phase)], ..Hop::default() });
    step.attributes.set("server.address", "shop.example".to_owned());
    let failure = Failure { step: "home".to_owned(), ..Failure::new(class, error_type, "it broke") };
    Outcome { failure: Some(failure), steps: vec![step], main: Some(0), ..Outcome::empty(Reason::Failed) }
}

fn refused() -> Outcome {
    bad(FailureClass::Connect, "connect.refused", Phase::Connect)
}

fn nobody() -> Outcome {
    bad(FailureClass::Dns, "dns.nxdomain", Phase::Dns)
}

fn slow() -> Outcome {
    Outcome { reason: Reason::Slow, ..bad(FailureClass::Slow, "slow", Phase::Receive) }
}

fn expired() -> Outcome {
    bad(FailureClass::Tls, "tls.expired", Phase::Tls)
}

const STANDS: &str = "bad failed connect.refused";

fn control_targets() {
    for (rounds, outcome, expected) in [
        (&[(1, 3), (1, 3)][..], refused(), STANDS),
        (&[(2, 3), (0, 3)], refused(), STANDS),
        (&[(2, 3), (2, 3)], refused(), "ineligible prober_fault local.network"),
        (&[(2, 3), (2, 3)], slow(), "ineligible prober_fault local.network"),
        (&[(2, 3), (2, 3)], Outcome::empty(Reason::Ok), "good ok"),
    ] {
        let prober = Prober::new();
        prober.controls(rounds);
        assert_eq!(prober.comes_to("a", outcome.clone()), expected, "{rounds:?}");
        prober.counts_again(outcome);
    }
}

fn peers() {
    for (voters, failing, expected) in
        [(5, 3, false), (5, 4, true), (10, 7, false), (10, 8, true), (1, 1, false)]
    {
        assert_eq!(
            Tally { voters, failing, is_void: false }.is_unvouched(),
            expected,
            "{failing} of {voters}"
        );
    }
}

fn mass_change() {
    for (turned, elsewhere, expected) in
        [(10, true, STANDS), (11, true, "ineligible correlated connect.refused"), (20, false, STANDS)]
    {
        let prober = Prober::new();
        let target = |number: usize| Target {
            stream: stream(&format!("s{number}")),
            hosts: vec![format!("h{number}").into()],
            elsewhere,
            promised: false,
        };
        prober.doubts.watch_targets((0..20).map(target).collect());
        let hear = |number: usize, outcome: &Outcome, second| {
            let ran = Ran { began: prober.at(second), ended: prober.at(second) };
            prober.doubts.hear(&stream(&format!("s{number}")), outcome, ran);
        };
        (0..20).for_each(|number| hear(number, &Outcome::empty(Reason::Ok), 5));
        (0..turned).for_each(|number| hear(number, &refused(), 14));
        prober.controls(&[(0, 3), (0, 3)]);
        assert_eq!(prober.comes_to("s0", refused()), expected, "{turned}");
        // All are good again, and one is not.
        (0..20).for_each(|number| hear(number, &Outcome::empty(Reason::Ok), 40));
        hear(0, &refused(), 42);
        assert_eq!(prober.comes_at(42, "s0", refused()), STANDS);
    }
    let at = Timestamp::from_seconds(1_000);
    let reach = reach(Duration::from_secs(30)).unwrap();
    let seen = |reason| Seen { scheduled: at, reason };
    let later = at.plus(Duration::from_mins(10));
    for (others, now, expected) in [
        (vec![seen(Reason::Failed)], at, Settled::Waits),
        (vec![seen(Reason::Failed), seen(Reason::Failed)], at, Settled::Bad),
        (vec![seen(Reason::Ok), seen(Reason::Ok)], later, Settled::Stays),
        (vec![], later, Settled::Bad),
    ] {
        assert_eq!(settle(at, std::slice::from_ref(&others), reach, now), expected, "{others:?}");
    }
    assert_eq!(settle(at, &[], reach, at), Settled::Bad, "nobody else will ever tell");
}

fn resolver() {
    for (rounds, outcome, expected) in [
        (&[false, true][..], nobody(), "bad failed dns.nxdomain"),
        (&[false, false], nobody(), "ineligible prober_fault local.resolver"),
        (&[false, false], refused(), STANDS),
    ] {
        let prober = Prober::new();
        prober.canary(rounds);
        assert_eq!(prober.comes_to("a", outcome.clone()), expected, "{rounds:?}");
        prober.counts_again(outcome);
    }
    for (rounds, second, expected) in [
        (&[false, false][..], Some("dns.nxdomain"), "bad failed dns.nxdomain"),
        (&[false, false], Some("dns.servfail"), "ineligible prober_fault local.resolver"),
        (&[false, false], Some(""), "ineligible prober_fault local.resolver"),
        (&[true, true], Some(""), "ineligible prober_fault local.resolver"),
        (&[true, true], None, "bad failed dns.nxdomain"),
        (&[false, false], None, "ineligible prober_fault local.resolver"),
    ] {
        let prober = Prober::new();
        let ran = Ran { began: prober.at(15), ended: prober.at(16) };
        prober.doubts.hear(&stream("a"), &nobody(), ran);
        prober.canary(rounds);
        assert_eq!(prober.comes_to("a", nobody()), "waits", "the second one is asked first");
        assert_eq!(prober.doubts.names_wanted("eu"), [Arc::<str>::from("shop.example")]);
        prober.doubts.note_name("eu", "shop.example", second, prober.at(20));
        assert_eq!(prober.comes_to("a", nobody()), expected, "{rounds:?} {second:?}");
        prober.counts_again(nobody());
    }
}

fn scheduler_lag() {
    let begin = Instant::now();
    let at = |ms| begin + Duration::from_millis(ms);
    for (late, outcome, expected) in [
        (250, slow(), "bad slow slow"),
        (251, slow(), "ineligible prober_fault local.overload"),
        (251, refused(), STANDS),
    ] {
        let mut lag = Lag::default();
        lag.note(at(0), at(late));
        let outcome = if lag.touches(at(0), at(1_000)) { discount(outcome) } else { outcome };
        assert_eq!(told(&outcome), expected, "{late} ms");
    }
    for (late, warns) in [(50, false), (51, true)] {
        let mut lateness = Lateness::new(begin);
        let told = lateness.note(Duration::from_millis(late), at(60_000));
        assert_eq!(told.is_some(), warns, "{late} ms");
    }
}

fn processor() {
    let none = Shares::default();
    for (shares, busy) in [
        (Shares { throttled: Some(0.05), ..none }, false),
        (Shares { throttled: Some(0.051), ..none }, true),
        (Shares { steal: Some(0.10), ..none }, false),
        (Shares { steal: Some(0.101), ..none }, true),
    ] {
        machine(
            Own::Processor,
            shares.busy().as_deref(),
            busy,
            &slow(),
            "ineligible prober_fault local.overload",
        );
        machine(Own::Processor, shares.busy().as_deref(), false, &refused(), "");
    }
}

/// Notes what a look at the machine said, and what a run comes to.
fn machine(own: Own, why: Option<&str>, expected: bool, outcome: &Outcome, comes_to: &str) {
    let prober = Prober::new();
    prober.controls(&[(0, 3), (0, 3)]);
    for other in [Own::Processor, Own::Clock, Own::Files, Own::Memory] {
        prober.doubts.note(other, prober.at(0), prober.at(20), why.filter(|_| other == own));
        prober.doubts.note(other, prober.at(20), prober.at(60), None);
    }
    prober.counts_again(outcome.clone());
    let before = told(outcome);
    let after = prober.comes_to("a", outcome.clone());
    assert_eq!(after, if expected { comes_to } else { before.as_str() }, "{own:?} {why:?}");
}

fn files_and_memory() {
    let room = |open, stalled| Room {
        at: Instant::now(),
        own_files: Some(Files { open, limit: 1_000 }),
        all_files: None,
        stalled: Some(Duration::from_millis(stalled)),
        limited: None,
    };
    for (open, short) in [(800, false), (801, true)] {
        machine(
            Own::Files,
            room(open, 0).short_of_files().as_deref(),
            short,
            &refused(),
            "ineligible prober_fault local.fd",
        );
    }
    let mut later = room(0, 1_000);
    let before = room(0, 0);
    for (passed, short) in [(10_000, false), (9_900, true)] {
        later.at = before.at + Duration::from_millis(passed);
        machine(
            Own::Memory,
            later.short_of_memory(&before).as_deref(),
            short,
            &slow(),
            "ineligible prober_fault local.memory",
        );
    }
    // An error of this class says so by itself, whatever else is known.
    let prober = Prober::new();
    for error_type in ["local.fd", "local.ports", "local.memory", "local.route"] {
        let ours =
            Outcome { reason: Reason::ProberFault, ..bad(FailureClass::Local, error_type, Phase::Connect) };
        assert_eq!(prober.comes_to("a", ours), format!("ineligible prober_fault {error_type}"));
    }
    // What nothing is promised of gives way.
    let target = |name, promised| Target { stream: stream(name), hosts: vec![], elsewhere: false, promised };
    prober.doubts.watch_targets(vec![target("a", true), target("b", false)]);
    assert!(!prober.doubts.sheds(&stream("b")));
    prober.doubts.note(Own::Files, prober.at(0), prober.at(1), Some("900 of 1024"));
    assert!(prober.doubts.sheds(&stream("b")) && !prober.doubts.sheds(&stream("a")));
    prober.doubts.note(Own::Files, prober.at(1), prober.at(2), None);
    assert!(!prober.doubts.sheds(&stream("b")));
}

fn clock() {
    let begin = Instant::now();
    let kernel = |ms| {
        let error = Duration::from_millis(ms);
        let mut clock = WallClock::new(Timestamp::default(), begin);
        clock.look(Some(KernelClock { estimated: error, possible: error }))
    };
    let measured = |ms| Measured::against(ms, 0, &mut []).look();
    for (ms, dates, slots) in
        [(1_000, false, false), (1_001, true, false), (5_000, true, false), (5_001, true, true)]
    {
        for Look { dates: of_dates, slots: of_slots } in [kernel(ms), measured(i64::try_from(ms).unwrap())] {
            assert_eq!(of_slots.is_some(), slots, "{ms} ms");
            machine(
                Own::Clock,
                of_dates.as_deref(),
                dates,
                &expired(),
                "ineligible prober_fault local.clock",
            );
            machine(Own::Clock, of_dates.as_deref(), false, &slow(), "");
            let prober = Prober::new();
            prober.doubts.suspensions().set(Cause::Clock, of_slots.as_deref());
            assert_eq!(prober.doubts.suspensions().reason(), slots.then_some(Reason::Clock), "{ms} ms");
            prober.doubts.suspensions().set(Cause::Clock, None);
            assert_eq!(prober.doubts.suspensions().reason(), None);
        }
    }
}

fn build() {
    let prober = Prober::new();
    prober.doubts.suspensions().set(Cause::SelfTest, Some("http-good should be good"));
    assert_eq!(prober.doubts.suspensions().reason(), Some(Reason::SelfTest));
    prober.doubts.suspensions().set(Cause::SelfTest, None);
    assert_eq!(prober.doubts.suspensions().reason(), None);
}

/// A row's name, and what is checked of it.
type Row = (&'static str, fn());

const TABLE: [Row; 9] = [
    ("control targets", control_targets),
    ("peers", peers),
    ("mass change", mass_change),
    ("resolver", resolver),
    ("scheduler lag", scheduler_lag),
    ("processor", processor),
    ("files, ports, memory, routes", files_and_memory),
    ("clock", clock),
    ("build", build),
];

#[test]
fn every_row_of_the_table_of_self_distrust_holds() {
    let names: std::collections::BTreeSet<_> = TABLE.iter().map(|(row, _)| row).collect();
    assert_eq!(names.len(), TABLE.len());
    for (_, check) in TABLE {
        check();
    }
}
