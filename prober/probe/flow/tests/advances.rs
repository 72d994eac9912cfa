//! `advances`: marks go in with the context and come out with the outcome.

use model::high_mark::{HighMark, MarkValue};

use super::fake::{fake, message, run_fake};
use super::*;

const YAML: &str =
    "steps:\n  - name: seq\n    fake: count\n    expect: { state: { advances: { within: 1h } } }\n";

/// Runs `yaml` once with one mark, if any.
async fn run_after(yaml: &str, mark: Option<(i64, Duration)>) -> Outcome {
    let plan = fake(yaml);
    let marks = mark.map(|(value, ago)| HighMark {
        step: "seq".into(),
        name: "state".into(),
        value: MarkValue::Int(value),
        since: SystemClock.now().minus(ago),
    });
    let context = RunContext { high_marks: Some(marks.into_iter().collect()), ..context(&plan) };
    Scenario::new(plan, Arc::new(Shared::new(NetConfig::default())), Arc::default()).run(&context).await
}

#[tokio::test(start_paused = true)]
async fn values_that_grow_stand_still_and_shrink() {
    let hours = |hours| Duration::from_hours(hours);
    // The fake's first count is 0.
    for (mark, reason, says, now) in [
        (None, Reason::Ok, "", Some(0)),
        (Some((-1, hours(9))), Reason::Ok, "", Some(0)),
        (Some((0, Duration::from_mins(59))), Reason::Ok, "", Some(0)),
        (
            Some((0, hours(3))),
            Reason::Stalled,
            "state has stood still for 3h (0), expected advancing within 1h",
            None,
        ),
        (
            Some((5, hours(0))),
            Reason::Backwards,
            "state went back to 0, expected advancing within 1h (it was 5 before)",
            None,
        ),
    ] {
        let outcome = run_after(YAML, mark).await;
        assert_eq!((outcome.reason, message(&outcome)), (reason, says), "{mark:?}");
        let error = outcome.failure.as_ref().map_or("", |failure| &failure.error_type);
        assert_eq!(error, if says.is_empty() { "" } else { reason.as_str() });
        let seen = outcome.high_marks.first().map(|mark| mark.value);
        assert_eq!(seen, now.map(MarkValue::Int), "a mark moves with a step that passed: {mark:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_without_a_store_has_nothing_to_compare_with() {
    let outcome = run_fake(YAML).await;
    assert_eq!((outcome.reason, outcome.high_marks.is_empty()), (Reason::Ok, true));
    let note = outcome.steps[0].note.as_deref().unwrap();
    assert!(note.starts_with("state: there was nothing to compare with"), "{note}");
}

#[tokio::test(start_paused = true)]
async fn a_value_of_a_broken_answer_moves_no_mark() {
    let broken = YAML.replace("expect: {", "expect: { latency: { lt: 1ms },");
    let outcome = run_after(&broken, Some((-1, Duration::from_hours(9)))).await;
    assert_eq!((outcome.reason, outcome.high_marks.as_slice()), (Reason::Failed, [].as_slice()));
    let declared = format!("{YAML}sli: {{ ineligible: [{{ state: {{ exists: true }} }}] }}\n");
    let outcome = run_after(&declared, None).await;
    assert_eq!((outcome.reason, outcome.high_marks.as_slice()), (Reason::Declared, [].as_slice()));
}
