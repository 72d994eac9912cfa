//! The teardown: it always runs, it never decides, and it has a time of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use model::probe::StopSignal;
use tokio::sync::Notify;

use super::fake::{fake, message, run_fake};
use super::*;

/// A signal that a test gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    pub(super) fn ask(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }
}

impl StopSignal for Stop {
    fn is_asked(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    fn asked(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let asked = self.0.1.notified();
            if !self.is_asked() {
                asked.await;
            }
        })
    }
}

fn states(outcome: &Outcome) -> Vec<(&str, StepState, bool)> {
    outcome.steps.iter().map(|step| (&*step.name, step.state, step.teardown)).collect()
}

fn flow(first: &str, second: &str, teardown: &str) -> String {
    format!(
        "timeout: 5s\nsteps:\n  - name: one\n    fake: {first}\n    capture: {{ id: {{ state: true }} }}\n  - name: two\n    fake: {second}\nteardown:\n  - name: delete\n    needs: [id]\n    fake: {teardown}\n  - name: log-out\n    fake: bye\n"
    )
}

#[tokio::test(start_paused = true)]
async fn it_runs_whatever_came_of_the_steps() {
    use StepState::{Failed, Passed, Skipped};
    for (first, second, teardown, reason, expected) in [
        ("x", "y", "gone", Reason::Ok, [Passed, Passed, Passed, Passed]),
        ("x", "refused", "gone", Reason::Failed, [Passed, Failed, Passed, Passed]),
        ("x", "hangs", "gone", Reason::Failed, [Passed, Failed, Passed, Passed]),
        ("x", "local", "gone", Reason::ProberFault, [Passed, Failed, Passed, Passed]),
        ("refused", "y", "gone", Reason::Failed, [Failed, Skipped, Skipped, Passed]),
        ("x", "y", "refused", Reason::Ok, [Passed, Passed, Failed, Passed]),
        ("x", "y", "local", Reason::Ok, [Passed, Passed, Failed, Passed]),
        ("x", "y", "hangs", Reason::Ok, [Passed, Passed, Failed, Passed]),
        ("x", "refused", "refused", Reason::Failed, [Passed, Failed, Failed, Passed]),
    ] {
        let outcome = run_fake(&flow(first, second, teardown)).await;
        let found: Vec<_> = outcome.steps.iter().map(|step| step.state).collect();
        assert_eq!((outcome.reason, &found[..]), (reason, &expected[..]), "{first} {second} {teardown}");
        let failed = expected[2] == Failed;
        assert_eq!(outcome.marks.contains(&Mark::TeardownFailed), failed, "{first} {second} {teardown}");
        assert!(outcome.failure.as_ref().is_none_or(|failure| failure.step != "delete"));
        assert!(outcome.main.is_some_and(|main| main < 2), "a teardown never stands for the run");
        // What the teardown takes is no latency.
        assert!(outcome.duration <= Duration::from_millis(5_010), "{:?}", outcome.duration);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_needs_no_cleaning() {
    let outcome = run_fake(&flow("refused", "y", "gone")).await;
    let notes: Vec<_> = outcome.steps.iter().map(|step| step.note.as_deref().unwrap_or("")).collect();
    assert_eq!(notes, ["", "one failed", "id was not captured (one failed)", ""]);
    assert!(outcome.marks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_teardown_step_that_hangs_leaves_time_for_the_others() {
    let plan = fake(&format!("grace: 4s\n{}", flow("x", "y", "hangs")));
    let context = context(&plan);
    let scenario = Scenario::new(plan, Arc::new(Shared::new(NetConfig::default())), Arc::default());
    let outcome = scenario.run(&context).await;
    assert_eq!(outcome.steps[3].state, StepState::Passed);
    assert_eq!(outcome.steps[2].duration, Duration::from_secs(2), "half of the grace");
    assert_eq!(outcome.duration, Duration::from_millis(20));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_steps_and_starts_the_teardown() {
    use StepState::{Failed, Passed, Skipped};
    // The second step hangs; the order of the first one is still deleted.
    for (asked_after, expected, reason, ends) in [
        (1_000, [Passed, Failed, Passed, Passed], Reason::Cancelled, 2_000),
        // It would have ended by itself within the second that a step in progress is given.
        (4_500, [Passed, Failed, Passed, Passed], Reason::Failed, 5_000),
        // Nothing has begun, so there is nothing to clean up.
        (0, [Skipped, Skipped, Skipped, Skipped], Reason::Cancelled, 0),
    ] {
        let plan = fake(&flow("x", "hangs", "gone"));
        let stop = Stop::default();
        let context = RunContext { stop: Arc::new(stop.clone()), ..context(&plan) };
        let scenario = Scenario::new(plan, Arc::new(Shared::new(NetConfig::default())), Arc::default());
        if asked_after == 0 {
            stop.ask();
        }
        let ask = async {
            tokio::time::sleep(Duration::from_millis(asked_after)).await;
            stop.ask();
        };
        let (outcome, ()) = tokio::join!(scenario.run(&context), ask);
        let found: Vec<_> = states(&outcome).into_iter().map(|(_, state, _)| state).collect();
        assert_eq!(outcome.reason, reason, "{asked_after}");
        assert_eq!(found, expected[..found.len()], "{asked_after}");
        assert_eq!(outcome.duration, Duration::from_millis(ends), "{asked_after}");
        if reason == Reason::Cancelled {
            assert!(message(&outcome).starts_with("the run was asked to end "), "{}", message(&outcome));
            assert!(!outcome.verdict().is_eligible());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_failed_step_is_named() {
    let yaml = "on_failure: continue\nsteps:\n  - { name: api, fake: refused }\n  - { name: file, fake: x }\n  - { name: table, fake: reset }\n  - { name: export, fake: old, expect: { state: new } }\nteardown:\n  - { name: tidy, fake: refused }\n";
    let outcome = run_fake(yaml).await;
    assert_eq!(failure(&outcome), (Reason::Failed, "connect", "connect.refused", "api"));
    assert_eq!(
        message(&outcome),
        r#"it refused; also failed: table: it reset; export: state is "old", expected "new""#
    );
    assert_eq!(outcome.marks, [Mark::TeardownFailed]);
    // A failure that is ours outweighs the others and stays alone.
    let ours = run_fake(&yaml.replace("fake: reset", "fake: local")).await;
    assert_eq!(failure(&ours), (Reason::ProberFault, "local", "local.fd", "table"));
    // A flow that goes on to its end cleans up once, with what was captured by then.
    let skips = run_fake("on_failure: continue\nsteps:\n  - { name: api, fake: refused, capture: { id: { state: true } } }\n  - { name: next, needs: id, fake: x }\n").await;
    assert_eq!(skips.steps[1].note.as_deref(), Some("id was not captured (api failed)"));
}

#[tokio::test]
async fn an_order_is_deleted_after_a_timeout() {
    let server = Server::start();
    server.on("/orders", Reply::status(201).body(r#"{"id":"o-17"}"#));
    server.on_request("/orders/o-17", |seen| match seen.method.as_str() {
        "DELETE" => Reply::status(204),
        _ => Reply::ok("late").after(Duration::from_mins(1)),
    });
    let yaml = "name: a\naim: Up.\nevery: 1m\ntimeout: 300ms\nsteps:\n  - name: create\n    http: { method: POST, url: \"${vars.shop}/orders\" }\n    capture: { id: { json: $.id } }\n  - name: look\n    http: ${vars.shop}/orders/${id}\nteardown:\n  - name: delete\n    needs: [id]\n    http: { method: DELETE, url: \"${vars.shop}/orders/${id}\" }\n";
    let outcome = run(&server, yaml).await;
    assert_eq!(failure(&outcome), (Reason::Failed, "timeout", "timeout", "look"));
    assert_eq!(states(&outcome)[2], ("delete", StepState::Passed, true));
    let seen = server.seen();
    assert_eq!((seen[2].method.as_str(), seen[2].path.as_str()), ("DELETE", "/orders/o-17"));
}

/// Whether `DELETE /orders/o-17` was asked for by a run whose create answers 200 and has `create` among its keys.
async fn deletes(create: &str, more: &str) -> (Outcome, bool) {
    let server = Server::start();
    server.on("/orders", Reply::ok(r#"{"id":"o-17","state":"new"}"#));
    server.on("/orders/o-17", Reply::status(204));
    let yaml = format!(
        "name: a\naim: Up.\nevery: 1m\ntimeout: 5s\n{more}steps:\n  - name: create\n    http: {{ method: POST, url: \"${{vars.shop}}/orders\" }}\n{create}  - name: look\n    http: ${{vars.shop}}/orders/${{id}}\nteardown:\n  - name: delete\n    needs: [id]\n    http: {{ method: DELETE, url: \"${{vars.shop}}/orders/${{id}}\" }}\n"
    );
    let outcome = run(&server, &yaml).await;
    let seen = server.seen();
    let looked = seen.iter().any(|seen| seen.method == "GET");
    assert!(!looked, "no step but the teardown may use what a failed one captured");
    (outcome, seen.iter().any(|seen| seen.method == "DELETE" && seen.path == "/orders/o-17"))
}

#[tokio::test]
async fn what_a_failed_step_made_is_cleaned_up() {
    const ID: &str = "    capture: { id: { json: $.id } }\n";
    for (create, more) in [
        (format!("    expect: {{ status: 201 }}\n{ID}"), ""),
        (format!("    expect: {{ status: 201 }}\n{ID}"), "on_failure: continue\n"),
        // The other capture cannot be taken, which hides neither the expectation nor the id.
        (
            "    expect: { status: 201 }\n    capture: { url: { header: Location }, id: { json: $.id } }\n"
                .to_owned(),
            "",
        ),
    ] {
        let (outcome, deleted) = deletes(&create, more).await;
        assert_eq!(failure(&outcome), (Reason::Failed, "incorrect", "assert.status", "create"), "{create}");
        assert!(deleted, "{create} {more}");
        assert_eq!(
            states(&outcome)[1..],
            [("look", StepState::Skipped, false), ("delete", StepState::Passed, true)]
        );
        assert!(outcome.steps[0].captures.contains(&("id".to_owned(), "o-17".to_owned())));
    }
    // What a poll saw when its time was over.
    let poll =
        format!("    poll: {{ every: 100ms, timeout: 200ms, until: {{ json: {{ $.state: paid }} }} }}\n{ID}");
    let (outcome, deleted) = deletes(&poll, "").await;
    assert_eq!((failure(&outcome).2, deleted), ("timeout", true));
    // There is no id.
    let (outcome, deleted) =
        deletes("    expect: { status: 201 }\n    capture: { id: { json: $.number } }\n", "").await;
    assert_eq!((failure(&outcome).2, deleted), ("assert.status", false));
    assert_eq!(outcome.steps[2].note.as_deref(), Some("id was not captured (create failed)"));
}

/// What is deleted where three creates answer with these statuses and bodies, one after the other; whether a step after
/// them ran, and the run's failure.
async fn deleted_after(answers: [(u16, &'static str); 3]) -> (Vec<String>, bool, String) {
    let server = Server::start();
    let next = AtomicUsize::new(0);
    server.on_request("/orders", move |_| {
        let (status, body) = answers[next.fetch_add(1, Ordering::SeqCst)];
        Reply::status(status).body(body)
    });
    for id in ["o-1", "o-2", "o-3"] {
        server.on(&format!("/orders/{id}"), Reply::status(204));
    }
    let yaml = "name: a\naim: Up.\nevery: 1m\ntimeout: 5s\nsteps:\n  - name: create\n    http: { method: POST, url: \"${vars.shop}/orders\" }\n    expect: { status: 201 }\n    retry: { attempts: 3, on: [protocol, incorrect], backoff: 10ms }\n    capture: { id: { json: $.id } }\n  - name: look\n    http: ${vars.shop}/orders/${id}\nteardown:\n  - name: delete\n    needs: [id]\n    http: { method: DELETE, url: \"${vars.shop}/orders/${id}\" }\n";
    let outcome = run(&server, yaml).await;
    let seen = server.seen();
    let deleted = seen.iter().filter(|seen| seen.method == "DELETE").map(|seen| seen.path.clone()).collect();
    let looked = seen.iter().any(|seen| seen.method == "GET");
    (deleted, looked, outcome.failure.map_or_else(String::new, |failure| failure.error_type.into_owned()))
}

#[tokio::test]
async fn what_an_earlier_attempt_made_is_cleaned_up() {
    const ONE: (u16, &str) = (503, r#"{"id":"o-1"}"#);
    const NONE: (u16, &str) = (503, "sorry");
    for (answers, deleted, looked, failure) in [
        // Only the first one says what it made, and no ordinary step goes on with that.
        ([ONE, NONE, NONE], "o-1", false, "assert.status"),
        ([ONE, NONE, (201, "{}")], "o-1", false, "assert.capture"),
        // The last one that says it is the one to remove.
        ([ONE, (503, r#"{"id":"o-2"}"#), NONE], "o-2", false, "assert.status"),
        ([ONE, (503, r#"{"id":"o-2"}"#), (503, r#"{"id":"o-3"}"#)], "o-3", false, "assert.status"),
        ([ONE, (201, r#"{"id":"o-2"}"#), NONE], "o-2", true, ""),
        // Null names nothing: not what a later step asks for, nor what is removed.
        ([ONE, (503, r#"{"id":null}"#), NONE], "o-1", false, "assert.status"),
        ([ONE, (201, r#"{"id":null}"#), NONE], "o-1", false, "assert.capture"),
    ] {
        let expected = (vec![format!("/orders/{deleted}")], looked, failure.to_owned());
        assert_eq!(deleted_after(answers).await, expected, "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_of_the_teardown_serves_the_next_one() {
    let yaml = "steps:\n  - { name: one, fake: x }\nteardown:\n  - { name: find, fake: it, expect: { state: other }, capture: { id: { state: true } } }\n  - { name: delete, needs: [id], fake: gone }\n";
    let outcome = run_fake(yaml).await;
    assert_eq!(outcome.reason, Reason::Ok);
    assert_eq!(
        states(&outcome)[1..],
        [("find", StepState::Failed, true), ("delete", StepState::Passed, true)]
    );
}
