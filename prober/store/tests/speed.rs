//! What things cost; run by hand in release: `cargo test --release -p prober-store -- --ignored --nocapture speed`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::event::SliEvent;
use model::outcome::Reason;
use model::slot::Cadence;
use model::step::{AssertionRecord, Hop, Part, Phase, PhaseSpan, StepRecord, StepState};

use super::sample::{Desk, at, copy, event, expected, origin};
use crate::Record;

/// An event as an HTTP scenario makes it.
fn typical(origin: &Arc<model::event::Origin>, scheduled: model::time::Timestamp) -> Box<SliEvent> {
    let mut event = event(origin, scheduled, Reason::Ok);
    let phases = [Phase::Dns, Phase::Connect, Phase::Send, Phase::Wait, Phase::Receive];
    let span =
        |phase| PhaseSpan { phase, start: Duration::from_micros(10), duration: Duration::from_micros(345) };
    let mut attributes = model::attribute::Attributes::new();
    attributes.set("http.request.method", "GET");
    attributes.set("url.full", "http://127.0.0.1:8080/health");
    attributes.set("http.response.status_code", 200_i64);
    event.outcome.main = Some(0);
    event.outcome.steps = vec![StepRecord {
        name: "http".into(),
        kind: "http".into(),
        state: StepState::Passed,
        start: Duration::ZERO,
        duration: Duration::from_millis(2),
        failure: None,
        note: None,
        hops: vec![Hop {
            label: "GET http://127.0.0.1:8080/health".into(),
            phases: phases.map(span).into(),
            status: Some("200".into()),
            ..Hop::default()
        }],
        attributes,
        captures: Vec::new(),
    }];
    event.outcome.assertions = vec![AssertionRecord {
        step: "http".into(),
        name: "status".into(),
        part: Part::Expect,
        pass: true,
        expected: "200".into(),
        actual: "200".into(),
    }];
    event
}

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

#[test]
#[ignore = "a measurement"]
fn speed_of_the_writer() {
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let start = at("2026-03-01T00:00:00Z");
    let mut desk = Desk::open(dir.path(), start);
    let origins: Vec<_> = (0..10_000).map(|index| origin(&format!("scenario-{index}"))).collect();
    let bytes = typical(&origins[0], start).to_json().len();
    let (mut cost, mut wall, mut written) = (Duration::ZERO, Duration::ZERO, 0_u32);
    for second in 0..40_u64 {
        for tenth in 0..10_u64 {
            let scheduled = start.plus(Duration::from_millis(second * 1_000 + tenth * 100));
            let first = usize::try_from((second * 10 + tenth) * 100 % 10_000).unwrap();
            let records: Vec<_> = origins[first..first + 100]
                .iter()
                .map(|origin| Record::Event(typical(origin, scheduled)))
                .collect();
            let (before, began) = (cpu(), Instant::now());
            desk.write(records);
            cost += cpu().saturating_sub(before);
            wall += began.elapsed();
            written += 100;
        }
    }
    let stored = desk.store.stats().bytes();
    report(&format!(
        "{written} events of {bytes} B in groups of 100: {:?} CPU and {:?} wall an event, {stored} B stored",
        cost / written,
        wall / written
    ));
    let began = Instant::now();
    let streams: Vec<_> = origins.iter().map(|origin| origin.stream.clone()).take(2_000).collect();
    let last = desk.store.reader().last_events(&streams, 4).unwrap();
    report(&format!("last 4 events of 2,000 streams: {:?}", began.elapsed()));
    assert!(last.iter().all(|events| events.len() == 4));
    let plans: Vec<_> =
        origins.iter().map(|origin| (Arc::clone(origin), Cadence::Every { interval_ms: 10_000 })).collect();
    let began = Instant::now();
    desk.store.set_plans(&plans, start).unwrap();
    report(&format!("10,000 plans set: {:?}", began.elapsed()));
    let began = Instant::now();
    desk.store.set_plans(&plans, start).unwrap();
    report(&format!("10,000 plans set again: {:?}", began.elapsed()));
    let (before, began) = (cpu(), Instant::now());
    let account = desk.store.account(start, start.plus(Duration::from_secs(40)), &expected).unwrap();
    report(&format!(
        "account of {} streams, 40,000 rows: {:?} CPU {:?}",
        account.streams.len(),
        began.elapsed(),
        cpu().saturating_sub(before)
    ));
    desk.write(vec![Record::Checkpoint(start.plus(Duration::from_secs(30)))]);
    let crashed = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    copy(dir.path(), crashed.path());
    let began = Instant::now();
    let mut after = Desk::open(crashed.path(), start.plus(Duration::from_mins(1)));
    report(&format!("opened after a crash: {:?}", began.elapsed()));
    for seconds in [60, 3_600] {
        let began = Instant::now();
        let recovered = after.writer.recover(start.plus(Duration::from_secs(seconds)), &expected).unwrap();
        report(&format!("recovery of 10,000 streams to {seconds} s: {recovered:?} in {:?}", began.elapsed()));
    }
    let began = Instant::now();
    let mut cursor = after.store.cursor("all").unwrap();
    let mut read = 0_u32;
    while read < 40_000 {
        let batch = cursor.next_batch(500, 1 << 20).unwrap();
        read += u32::try_from(batch.events.len()).unwrap();
        cursor.advance(&batch).unwrap();
    }
    report(&format!("reading from the files: {:?} an event", began.elapsed() / read));
}

#[expect(clippy::disallowed_macros, reason = "a measurement is for the person who runs it")]
fn report(line: &str) {
    eprintln!("{line}");
}
