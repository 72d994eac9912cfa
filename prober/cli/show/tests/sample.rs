//! Events to be shown.

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

/// The event's slot begins here.
pub(super) fn noon() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(super) fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1e3)
}

/// An event of `scenario` in `eu` whose run began 2 ms after its slot.
pub(super) fn event(scenario: &str, kind: &str, outcome: Outcome) -> SliEvent {
    let stream = Stream::new(scenario, "eu");
    let slot = stream.slot(noon());
    let ran = !outcome.steps.is_empty();
    let started = slot.scheduled.plus(ms(2.0));
    let finished = started.plus(outcome.duration);
    SliEvent {
        origin: Arc::new(Origin {
            stream,
            version: "0123456789ab".into(),
            kind: kind.into(),
            owner: "team-shop".into(),
            service: "shop".into(),
            labels: vec![("tier".into(), "1".into())],
            prober: "host-1".into(),
            side_effects: false,
        }),
        slot,
        attempt: 0,
        trigger: Trigger::Schedule,
        started: ran.then_some(started),
        finished: ran.then_some(finished),
        recorded: finished,
        outcome,
    }
}

/// An outcome with these steps; the last one that did not get skipped stands for the run.
pub(super) fn outcome(reason: Reason, steps: Vec<StepRecord>) -> Outcome {
    let main = steps.iter().position(|step| step.state == StepState::Failed);
    let last = steps.iter().rposition(|step| step.state != StepState::Skipped);
    let duration = steps.iter().map(|step| step.start + step.duration).max().unwrap_or_default();
    let failure = main.and_then(|main| steps[main].failure.clone());
    Outcome { failure, main: main.or(last), duration, steps, ..Outcome::empty(reason) }
}

/// A step that passed, from `start` for `took` milliseconds.
pub(super) fn step(name: &str, kind: &'static str, start: f64, took: f64) -> StepRecord {
    StepRecord {
        start: ms(start),
        duration: ms(took),
        ..StepRecord::new(name.into(), kind, StepState::Passed)
    }
}

/// The step, failed.
pub(super) fn broken(
    mut step: StepRecord,
    class: FailureClass,
    error: &'static str,
    why: &str,
) -> StepRecord {
    let mut failure = Failure::new(class, error, why);
    step.name.as_ref().clone_into(&mut failure.step);
    step.failure = Some(failure);
    step.state = StepState::Failed;
    step
}

/// A hop with phases one behind the other from `start`, in milliseconds.
pub(super) fn hop(label: &str, status: &str, start: f64, phases: &[(Phase, f64)]) -> Hop {
    let mut at = ms(start);
    let spans = phases.iter().map(|&(phase, took)| {
        let span = PhaseSpan { phase, start: at, duration: ms(took) };
        at += span.duration;
        span
    });
    Hop {
        label: label.into(),
        phases: spans.collect(),
        status: (!status.is_empty()).then(|| status.to_owned().into()),
        peer: Some("203.0.113.7:443".parse().unwrap()),
        ..Hop::default()
    }
}

pub(super) fn assertion(
    step: &str,
    name: &str,
    pass: bool,
    expected: &'static str,
    actual: &str,
) -> AssertionRecord {
    AssertionRecord {
        step: step.into(),
        name: name.into(),
        part: Part::Expect,
        pass,
        expected: expected.into(),
        actual: actual.into(),
    }
}

fn https(mut step: StepRecord, method: &str, url: &str, status: i64) -> StepRecord {
    let facts = &mut step.attributes;
    facts.set("server.address", "shop.example");
    facts.set("server.port", 443);
    facts.set("url.full", url.to_owned());
    facts.set("http.request.method", method.to_owned());
    facts.set("network.peer.address", "203.0.113.7");
    facts.set("network.protocol.version", "2");
    facts.set("http.response.status_code", status);
    step
}

/// One HTTPS request that went well.
pub(super) fn good_http() -> SliEvent {
    let phases = [
        (Phase::Dns, 12.0),
        (Phase::Connect, 20.0),
        (Phase::Tls, 41.0),
        (Phase::Send, 0.2),
        (Phase::Wait, 310.0),
        (Phase::Receive, 26.8),
    ];
    let mut step = https(step("http", "http", 0.0, 410.0), "GET", "https://shop.example/", 200);
    step.hops = vec![hop("GET https://shop.example/", "200", 0.0, &phases)];
    let facts = &mut step.attributes;
    facts.set("tls.protocol.version", "1.3");
    facts.set("tls.cipher", "TLS13_AES_256_GCM_SHA384");
    facts.set("tls.server.subject", "CN=shop.example");
    facts.set("tls.server.issuer", "C=XX, O=Example Trust, CN=Example R3");
    facts.set("tls.server.not_after", "2026-05-30T00:00:00Z");
    let mut outcome = outcome(Reason::Ok, vec![step]);
    outcome.assertions = vec![
        assertion("http", "status", true, "200", "200"),
        assertion("http", "body contains", true, "\"Welcome\"", "\"<!doctype html><title>Welcome\""),
    ];
    event("shop-home", "http", outcome)
}

/// A flow of four steps; the third saw `status`.
fn checkout(reason: Reason, confirmed: StepRecord, status: &str) -> SliEvent {
    let mut login = https(step("login", "http", 0.0, 182.0), "POST", "https://shop.example/login", 200);
    let fresh = [
        (Phase::Dns, 10.0),
        (Phase::Connect, 21.0),
        (Phase::Tls, 40.0),
        (Phase::Send, 1.0),
        (Phase::Wait, 80.0),
        (Phase::Receive, 30.0),
    ];
    login.hops = vec![hop("POST https://shop.example/login", "200", 0.0, &fresh)];
    login.captures = vec![("token".into(), "•••(token)".into())];
    let mut order =
        https(step("create-order", "http", 182.0, 391.0), "POST", "https://shop.example/orders", 201);
    let warm = [(Phase::Send, 1.0), (Phase::Wait, 380.0), (Phase::Receive, 10.0)];
    order.hops = vec![Hop { reused: true, ..hop("POST https://shop.example/orders", "201", 0.0, &warm) }];
    order.captures = vec![("order_id".into(), "8f3c".into())];
    let mut delete = step("delete-order", "http", confirmed.duration.as_secs_f64() * 1e3 + 573.0, 95.0);
    delete.state = if reason == Reason::Ok { StepState::Passed } else { StepState::Skipped };
    delete.note = (reason != Reason::Ok).then(|| "wait-until-confirmed failed".to_owned());
    let held = reason == Reason::Ok;
    let mut outcome = outcome(reason, vec![login, order, confirmed, delete]);
    outcome.assertions = vec![
        assertion("login", "status", true, "200", "200"),
        assertion("create-order", "status", true, "201", "201"),
        assertion("wait-until-confirmed", "status", true, "200", "200"),
        assertion("wait-until-confirmed", "json $.status", held, "\"confirmed\"", status),
    ];
    event("checkout", "flow", outcome)
}

/// A flow with everything that steps may do beside being run once.
pub(super) fn busy_flow() -> SliEvent {
    let mut event = failed_flow();
    let outcome = &mut event.outcome;
    let [login, _, waiting, delete] = &mut outcome.steps[..] else { panic!("four steps") };
    let refused =
        Failure::new(FailureClass::Connect, "connect.refused", "203.0.113.7:443 refused the connection");
    login.attempts = vec![AttemptRecord {
        start: Duration::ZERO,
        duration: ms(20.0),
        failure: refused.clone(),
        hops: login.hops.clone(),
    }];
    waiting.poll = Some(PollRecord {
        count: 31,
        hops_left_out: 27,
        last_status: Some("200".to_owned()),
        last_duration: ms(212.0),
    });
    waiting.hops = vec![waiting.hops[0].clone(); 4];
    (delete.teardown, delete.state, delete.note) = (true, StepState::Failed, None);
    delete.failure = Some(refused);
    outcome.marks = vec![Mark::TeardownFailed];
    event
}

/// A flow whose third step failed.
pub(super) fn failed_flow() -> SliEvent {
    let step = https(
        step("wait-until-confirmed", "http", 573.0, 30_012.0),
        "GET",
        "https://shop.example/orders/8f3c?full=REDACTED",
        200,
    );
    let mut step = broken(
        step,
        FailureClass::Incorrect,
        "assert.json",
        "json $.status is \"pending\", expected \"confirmed\"",
    );
    let slow = [(Phase::Send, 1.0), (Phase::Wait, 30_000.0), (Phase::Receive, 11.0)];
    step.hops = vec![Hop {
        reused: true,
        ..hop("GET https://shop.example/orders/8f3c?full=REDACTED", "200", 0.0, &slow)
    }];
    checkout(Reason::Failed, step, "\"pending\"")
}

/// The same flow, 24 s before, when it went well.
pub(super) fn good_flow() -> SliEvent {
    let mut step = https(
        step("wait-until-confirmed", "http", 573.0, 112.0),
        "GET",
        "https://shop.example/orders/8f3c?full=REDACTED",
        200,
    );
    step.attributes.set("network.peer.address", "203.0.113.9");
    let quick = [(Phase::Send, 1.0), (Phase::Wait, 100.0), (Phase::Receive, 11.0)];
    step.hops = vec![Hop {
        reused: true,
        ..hop("GET https://shop.example/orders/8f3c?full=REDACTED", "200", 0.0, &quick)
    }];
    let mut event = checkout(Reason::Ok, step, "\"confirmed\"");
    event.slot = event.origin.stream.slot(noon().minus(Duration::from_secs(24)));
    event
}

pub(super) fn refused() -> SliEvent {
    let step = step("http", "http", 0.0, 3.4);
    let mut step =
        broken(step, FailureClass::Connect, "connect.refused", "127.0.0.1:9 refused the connection");
    let mut hop = hop("GET http://localhost:9/", "", 0.0, &[(Phase::Dns, 3.0), (Phase::Connect, 0.4)]);
    hop.peer = None;
    let tried = |peer: &str, start| AddressAttempt {
        peer: peer.parse().unwrap(),
        start: ms(start),
        duration: ms(0.2),
        error_type: "connect.refused".into(),
    };
    hop.attempts = vec![tried("[::1]:9", 3.0), tried("127.0.0.1:9", 3.2)];
    step.hops = vec![hop];
    event("stock", "http", outcome(Reason::Failed, vec![step]))
}

pub(super) fn tls_timeout() -> SliEvent {
    let step = step("http", "http", 0.0, 5_000.0);
    let mut step = broken(step, FailureClass::Timeout, "timeout", "still in the TLS handshake after 5s");
    step.attributes.set("timeout.phase", "tls");
    step.hops = vec![hop(
        "GET https://shop.example/",
        "",
        0.0,
        &[(Phase::Dns, 12.0), (Phase::Connect, 20.0), (Phase::Tls, 4_968.0)],
    )];
    event("shop-https", "http", outcome(Reason::Failed, vec![step]))
}

pub(super) fn redirects() -> SliEvent {
    let mut step = https(step("http", "http", 0.0, 130.0), "GET", "https://shop.example/new", 200);
    let plain = [
        (Phase::Dns, 5.0),
        (Phase::Connect, 5.0),
        (Phase::Send, 0.1),
        (Phase::Wait, 19.9),
        (Phase::Receive, 0.0),
    ];
    let secure = [
        (Phase::Connect, 10.0),
        (Phase::Tls, 30.0),
        (Phase::Send, 0.5),
        (Phase::Wait, 49.5),
        (Phase::Receive, 10.0),
    ];
    step.hops = vec![
        hop("GET http://shop.example/old", "301", 0.0, &plain),
        hop("GET https://shop.example/new", "200", 30.0, &secure),
    ];
    step.hops[0].peer = Some("203.0.113.7:80".parse().unwrap());
    event("old-address", "http", outcome(Reason::Ok, vec![step]))
}

pub(super) fn dns() -> SliEvent {
    let step = step("dns", "dns", 0.0, 8.0);
    let mut step =
        broken(step, FailureClass::Dns, "dns.nxdomain", "192.0.2.53 says that shop.example does not exist");
    step.attributes.set("dns.question.name", "shop.example");
    step.attributes.set("dns.question.type", "A");
    step.attributes.set("dns.response_code", "NXDOMAIN");
    step.attributes.set("dns.answers", Vec::<String>::new());
    step.hops =
        vec![hop("192.0.2.53:53 over UDP", "NXDOMAIN", 0.0, &[(Phase::Send, 0.1), (Phase::Wait, 7.9)])];
    step.hops[0].peer = Some("192.0.2.53:53".parse().unwrap());
    event("dns-shop", "dns", outcome(Reason::Failed, vec![step]))
}

pub(super) fn expiring() -> SliEvent {
    let step = step("tls", "tls", 0.0, 61.0);
    let why = "expires_in is 12d, expected at least 21d";
    let mut step = broken(step, FailureClass::Incorrect, "assert.expires_in", why);
    step.hops = vec![hop(
        "shop.example:443",
        "",
        0.0,
        &[(Phase::Dns, 10.0), (Phase::Connect, 20.0), (Phase::Tls, 31.0)],
    )];
    step.attributes.set("tls.protocol.version", "1.3");
    step.attributes.set("tls.cipher", "TLS_AES_256_GCM_SHA384");
    step.attributes.set("tls.server.subject", "CN=shop.example");
    step.attributes.set("tls.server.issuer", "CN=Example R3");
    step.attributes.set("tls.server.not_after", "2026-03-13T18:00:00Z");
    let mut outcome = outcome(Reason::Failed, vec![step]);
    outcome.assertions = vec![
        assertion("tls", "chain", true, "valid", "valid"),
        assertion("tls", "expires_in", false, "at least 21d", "12d"),
    ];
    event("tls-soon", "tls", outcome)
}

pub(super) fn stale() -> SliEvent {
    let step = step("file", "file", 0.0, 0.3);
    let mut step =
        broken(step, FailureClass::Stale, "stale", "modified is 2h 5m old, expected newer than 1h");
    step.attributes.set("file.path", "data/stock.csv");
    let mut outcome = outcome(Reason::Stale, vec![step]);
    outcome.freshness_age = Some(7_512.0);
    outcome.assertions = vec![assertion("file", "modified", false, "newer than 1h", "2026-03-01T09:54:48Z")];
    event("stock-file-fresh", "freshness", outcome)
}

pub(super) fn missed() -> SliEvent {
    event("search", "http", outcome(Reason::Late, Vec::new()))
}

pub(super) fn ineligible() -> SliEvent {
    let step = step("http", "http", 0.0, 0.1);
    let step = broken(step, FailureClass::Local, "local.secret", "the secret `shop_token` is not there");
    event("cart-api", "http", outcome(Reason::ConfigFault, vec![step]))
}
