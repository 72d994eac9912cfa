//! Cards and events for this crate's tests.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use model::event::{Origin, SliEvent, Trigger};
use model::outcome::{Failure, FailureClass, Mark, Outcome, Reason};
use model::slot::Stream;
use model::step::{
    AddressAttempt, AssertionRecord, AttemptRecord, Hop, Part, Phase, PhaseSpan, PollRecord, StepRecord,
    StepState,
};
use model::time::Timestamp;
use store::EventSummary;

use crate::sources::{Review, ReviewSection, ScenarioCard};

/// The start of a slot, in seconds: 2026-03-01T00:00:00Z.
pub(crate) const T0: i64 = 1_772_323_200;

/// A text that breaks every page which does not mind what it shows.
pub(crate) const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}\u{0}&lt;";

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A card with slots every 30 s at multiples of 30 s.
pub(crate) fn card(name: &str, region: &str) -> ScenarioCard {
    ScenarioCard {
        stream: Stream::new(name, region),
        was: Box::default(),
        title: name.into(),
        aim: "a customer can buy".into(),
        owner: "team-shop".into(),
        runbook: "https://wiki.example/runbooks/checkout".into(),
        labels: vec![("tier".into(), "1".into())],
        cadence: "every 30s".to_owned(),
        timeout: Duration::from_secs(10),
        kind: "http".into(),
        targets: vec!["https://shop.example/".to_owned()],
        version: "0123456789ab".into(),
        path: "scenarios/checkout.yaml".into(),
        line: 1,
        text:
            "scenario: checkout\nsteps:\n  - name: create-order\n    http: { url: https://shop.example/ }\n"
                .into(),
        slo: Some(name.into()),
        public: false,
        next_slot: Arc::new(|from: Timestamp| {
            let up = (from.as_nanos().div_euclid(30_000_000_000)
                + i64::from(from.as_nanos().rem_euclid(30_000_000_000) > 0))
                * 30;
            Some(Timestamp::from_seconds(up))
        }),
    }
}

pub(crate) fn summary(scheduled: i64, reason: Reason) -> EventSummary {
    let slot = Stream::new("checkout", "eu").slot(Timestamp::from_seconds(scheduled));
    EventSummary { seq: 1, slot, reason, manual: false, duration: ms(120) }
}

pub(crate) fn origin(name: &str, region: &str) -> Arc<Origin> {
    Arc::new(Origin {
        stream: Stream::new(name, region),
        version: "0123456789ab".into(),
        kind: "http".into(),
        owner: "team-shop".into(),
        service: "shop".into(),
        labels: vec![],
        prober: "p1".into(),
        side_effects: false,
    })
}

/// An event of the slot at `scheduled` seconds, without steps.
pub(crate) fn event(origin: &Arc<Origin>, scheduled: i64, outcome: Outcome) -> SliEvent {
    let scheduled = Timestamp::from_seconds(scheduled);
    let started = scheduled.plus(ms(2));
    let finished = started.plus(outcome.duration);
    SliEvent {
        slot: origin.stream.slot(scheduled),
        origin: Arc::clone(origin),
        attempt: 0,
        trigger: Trigger::Schedule,
        started: Some(started),
        finished: Some(finished),
        recorded: finished,
        outcome,
    }
}

fn hop(label: &str, status: &str, phases: &[(Phase, u64)]) -> Hop {
    let mut start = Duration::ZERO;
    let mut spans = Vec::new();
    for (phase, millis) in phases {
        spans.push(PhaseSpan { phase: *phase, start, duration: ms(*millis) });
        start += ms(*millis);
    }
    Hop {
        label: label.into(),
        reused: phases.first().is_some_and(|(phase, _)| *phase == Phase::Send),
        phases: spans,
        status: Some(status.to_owned().into()),
        peer: Some(([127, 0, 0, 1], 8443).into()),
        attempts: vec![AddressAttempt {
            peer: ([127, 0, 0, 2], 8443).into(),
            start: Duration::ZERO,
            duration: ms(1),
            error_type: Cow::Borrowed("connect.refused"),
        }],
        exchange: None,
    }
}

fn step(name: &str, state: StepState, start: u64, hops: Vec<Hop>) -> StepRecord {
    StepRecord {
        start: ms(start),
        duration: hops.iter().map(Hop::duration).sum(),
        hops,
        ..StepRecord::new(name.into(), "http", state)
    }
}

/// Three steps; the second one's status, header and waiting time are as given.
fn flow(status: i64, header: Option<&str>, wait: u64, reason: Reason) -> SliEvent {
    use Phase::{Connect, Dns, Receive, Send, Tls, Wait};
    let first = [(Dns, 2), (Connect, 1), (Tls, 12), (Send, 1), (Wait, 160), (Receive, 6)];
    let mut login =
        step("login", StepState::Passed, 0, vec![hop("POST https://shop.example/login", "200", &first)]);
    login.captures.push(("token".to_owned(), "•••".to_owned()));
    let second = hop(
        "POST https://shop.example/orders",
        &status.to_string(),
        &[(Send, 1), (Wait, wait), (Receive, 3)],
    );
    let failed = reason == Reason::Failed;
    let state = if failed { StepState::Failed } else { StepState::Passed };
    let mut create = step("create-order", state, 182, vec![second]);
    create.attributes.set("http.response.status_code", status);
    create.attributes.set("tls.server.not_after", "2026-03-13T00:00:00Z");
    if let Some(header) = header {
        create.attributes.set("server.header", header.to_owned());
    }
    let last = if failed { StepState::Skipped } else { StepState::Passed };
    let mut outcome = Outcome::empty(reason);
    if failed {
        let message = format!("status is {status}, expected 201");
        let mut failure = Failure::new(FailureClass::Incorrect, "assert.status", message);
        "create-order".clone_into(&mut failure.step);
        create.failure = Some(failure.clone());
        outcome.failure = Some(failure);
        outcome.marks = vec![Mark::Flaky];
    }
    outcome.duration = create.start + create.duration;
    outcome.steps = vec![login, create, step("wait-until-confirmed", last, 0, vec![])];
    outcome.main = Some(1);
    outcome.assertions = vec![AssertionRecord {
        step: "create-order".into(),
        name: "status".into(),
        part: Part::Expect,
        pass: !failed,
        expected: "201".into(),
        actual: status.to_string().into(),
    }];
    event(&origin("checkout", "eu"), T0, outcome)
}

pub(crate) fn failed_flow() -> SliEvent {
    flow(500, None, 391, Reason::Failed)
}

/// The failed flow, with a retry, a poll and a teardown that failed.
pub(crate) fn busy_flow() -> SliEvent {
    let mut event = failed_flow();
    let steps = &mut event.outcome.steps;
    let failure = Failure::new(FailureClass::Connect, "connect.refused", "it refused");
    let attempt = AttemptRecord { start: ms(0), duration: ms(20), failure: failure.clone(), hops: vec![] };
    steps[0].attempts = vec![attempt];
    let last_status = Some("200".to_owned());
    steps[1].poll = Some(PollRecord { count: 31, hops_left_out: 27, last_status, last_duration: ms(212) });
    let mut delete = step("delete-order", StepState::Failed, 600, vec![]);
    (delete.teardown, delete.failure) = (true, Some(failure));
    steps.push(delete);
    event.outcome.marks = vec![Mark::TeardownFailed];
    event
}

pub(crate) fn good_flow() -> SliEvent {
    flow(201, Some("nginx"), 40, Reason::Ok)
}

/// What is promised of a scenario in these regions since `begin`.
fn promise(
    name: &str,
    regions: &[Arc<str>],
    (interval, begin): (Duration, Timestamp),
) -> slo::promise::Promise {
    use model::objective::{Objective, Share, Window};
    use slo::promise::{Feed, Never, Promise};

    let feed = |region: &Arc<str>| Feed {
        scenario: name.into(),
        region: Arc::clone(region),
        interval,
        replicas: 1,
        timeout: ms(10_000),
    };
    Promise {
        name: name.into(),
        service: "shop".into(),
        owner: "team-shop".into(),
        aim: "a customer can buy".into(),
        runbook: "https://wiki.example/runbooks/checkout".into(),
        objective: Some(Objective {
            name: name.into(),
            target: Share::of_millionths(999_000).unwrap(),
            window: Window::Rolling(Duration::from_hours(720)),
        }),
        interval,
        gap: interval,
        quorum: None,
        blind_after: None,
        good: None,
        budget_policy: slo::budget::BudgetPolicy::default(),
        adjustments: Vec::new(),
        critical: std::collections::BTreeSet::new(),
        feeds: regions.iter().map(feed).collect(),
        page: vec!["oncall".into()],
        ticket: vec![],
        begin,
        maintenance: Arc::new(Never),
    }
}

/// A promise of `checkout` after an hour whose last `bad` runs were bad.
pub(crate) fn standing(bad: u64) -> slo::standing::Standing {
    let begin = Timestamp::from_seconds(T0);
    let promise = promise("checkout", &["eu".into()], (Duration::from_mins(1), begin));
    let origin = origin("checkout", "eu");
    let events = (0..60_u64).map(|number| {
        let reason = if number < 60 - bad { Reason::Ok } else { Reason::Failed };
        event(&origin, T0 + i64::try_from(number * 60).unwrap(), Outcome::empty(reason))
    });
    let replayed = slo::replay::replay(vec![promise], events, begin.plus(Duration::from_hours(1)));
    replayed.standings.into_iter().next().unwrap()
}

/// How the promises of `cards` stand by what is stored, at `now` seconds.
pub(crate) fn standings(
    store: &store::Store,
    cards: &[ScenarioCard],
    now: i64,
) -> Vec<slo::standing::Standing> {
    let mut scenarios: std::collections::BTreeMap<&str, Vec<Arc<str>>> = std::collections::BTreeMap::new();
    for card in cards {
        scenarios.entry(&card.stream.scenario).or_default().push(Arc::clone(&card.stream.region));
    }
    let every = (Duration::from_secs(30), Timestamp::from_seconds(T0 - 3_600));
    let promises = scenarios.iter().map(|(name, regions)| promise(name, regions, every)).collect();
    let filter = store::EventFilter { limit: store::LIMIT_MAX, ..store::EventFilter::default() };
    let mut events: Vec<SliEvent> =
        store.reader().query(&filter).unwrap().into_iter().map(|stored| (*stored.event).clone()).collect();
    events.sort_by_key(|event| event.recorded);
    slo::replay::replay(promises, events, Timestamp::from_seconds(now)).standings
}

/// A review of two parts.
pub(crate) fn review() -> Review {
    let columns = |names: &[(&str, &str)]| {
        names.iter().map(|(key, title)| ((*key).to_owned(), (*title).to_owned())).collect()
    };
    let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
    let objectives = ReviewSection {
        key: "objectives".to_owned(),
        title: "Objectives".to_owned(),
        note: "What was promised.".to_owned(),
        columns: columns(&[("slo", "SLO"), ("attained", "Attained"), ("budget_left", "Budget left")]),
        rows: vec![row(&["checkout", "94.4444%", "-80.1%"]), row(&["search", "100.0000%", "100.0%"])],
        empty: String::new(),
    };
    let incidents = ReviewSection {
        key: "incidents".to_owned(),
        title: "Incidents".to_owned(),
        columns: columns(&[("scenario", "Scenario"), ("run", "A run")]),
        rows: vec![row(&["checkout", "0123456789abcdef0123456789abcdef"])],
        ..ReviewSection::default()
    };
    Review {
        title: "Weekly review, 2026-02-22 to 2026-03-01".to_owned(),
        about: "Seven objectives.".to_owned(),
        sections: vec![objectives, incidents],
        markdown: "# Weekly review\n".to_owned(),
    }
}

/// A small fleet, one shard of which nobody has, and a region with more replicas than agents.
pub(crate) fn fleet() -> crate::FleetView {
    let at = Timestamp::from_seconds(1_790_000_000);
    let ledger = crate::LedgerView { active: true, closed: at, batches: 7, ..crate::LedgerView::default() };
    let hub = crate::MemberView {
        role: "hub",
        prober: "hub-1".to_owned(),
        ledger: Some(ledger),
        ..crate::MemberView::default()
    };
    let agent = crate::MemberView {
        role: "agent",
        region: "eu".to_owned(),
        prober: "eu-1".to_owned(),
        shards: 63,
        clock_offset_ms: Some(-3),
        clock_error_ms: Some(1),
        ..crate::MemberView::default()
    };
    let replica = |replica: u16, owners: &[(&str, u64)]| crate::ReplicaView {
        replica,
        shards: 64,
        owned_shards: owners.iter().map(|(_, shards)| shards).sum(),
        owners: owners
            .iter()
            .map(|(prober, shards)| crate::OwnerView { prober: (*prober).to_owned(), shards: *shards })
            .collect(),
    };
    let several = crate::RegionView {
        region: "us".to_owned(),
        members: 2,
        shards: 192,
        owned_shards: 128,
        replicas: vec![
            replica(0, &[("us-1", 30), ("<us-2>", 34)]),
            replica(1, &[("us-1", 34), ("<us-2>", 30)]),
            replica(2, &[]),
        ],
        set_version: Some(4),
        closed: Some(at),
        dark_since: None,
    };
    let region = crate::RegionView {
        region: "eu".to_owned(),
        members: 1,
        shards: 64,
        owned_shards: 63,
        replicas: Vec::new(),
        set_version: Some(4),
        closed: Some(at),
        dark_since: None,
    };
    crate::FleetView {
        role: "hub",
        id: "hub-1".to_owned(),
        at,
        members: vec![hub, agent],
        regions: vec![region, several],
    }
}
