//! Polls: what ends them, what they keep, and that nothing makes them endless.

use super::fake::{fake, message, run_fake};
use super::*;

const HEAD: &str = "timeout: 45s\nsteps:\n  - name: wait\n";

fn poll(script: &str, poll: &str) -> String {
    format!("{HEAD}    fake: {script}\n    poll: {poll}\n")
}

const UNTIL: &str = "{ every: 1s, timeout: 30s, until: { state: confirmed }, stop_if: { state: { in: [rejected, cancelled] } } }";

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_true() {
    let outcome = run_fake(&poll("pending pending confirmed", UNTIL)).await;
    assert_eq!((outcome.reason, message(&outcome)), (Reason::Ok, ""));
    let step = &outcome.steps[0];
    let record = step.poll.as_ref().unwrap();
    assert_eq!((record.count, record.hops_left_out), (3, 0));
    assert_eq!(
        (record.last_status.as_deref(), record.last_duration),
        (Some("200"), Duration::from_millis(10))
    );
    assert_eq!(step.duration, Duration::from_millis(2_010));
    let starts: Vec<_> = step.hops.iter().map(|hop| hop.phases[0].start.as_millis()).collect();
    assert_eq!(starts, [0, 1_000, 2_000]);
    let assertion = &outcome.assertions[0];
    assert_eq!((assertion.part, assertion.pass), (Part::Until, true));
    assert_eq!(assertion.actual, r#""pending" (2×), "confirmed" (1×)"#);
}

#[tokio::test(start_paused = true)]
async fn it_says_what_it_saw_when_it_never_was() {
    let outcome = run_fake(&poll("pending", UNTIL)).await;
    assert_eq!(failure(&outcome), (Reason::Failed, "timeout", "timeout", "wait"));
    assert_eq!(
        message(&outcome),
        r#"still not true after 30s (31 polls): state is "pending" (31×), expected "confirmed"; last answer 200, 10ms"#
    );
    let step = &outcome.steps[0];
    assert_eq!(step.poll.as_ref().unwrap().hops_left_out, 27);
    let labels: Vec<_> = step.hops.iter().map(|hop| hop.label.as_str()).collect();
    assert_eq!(labels, ["run 0", "run 1", "run 29", "run 30"]);
    assert!(!outcome.assertions[0].pass);
}

#[tokio::test(start_paused = true)]
async fn a_state_without_return_ends_it_at_once() {
    let outcome = run_fake(&poll("pending pending rejected", UNTIL)).await;
    assert_eq!(failure(&outcome), (Reason::Failed, "incorrect", "assert.stop_if", "wait"));
    assert!(
        message(&outcome).starts_with(r#"stopped after 3 polls: state is "rejected" (stop_if: "#),
        "{}",
        message(&outcome)
    );
    assert_eq!(outcome.duration, Duration::from_millis(2_010));
    let parts: Vec<_> = outcome.assertions.iter().map(|one| (one.part, one.pass)).collect();
    assert_eq!(parts, [(Part::StopIf, true), (Part::Until, false)]);
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_is_what_is_expected_of_and_captured_from() {
    let yaml = poll("a b", "{ every: 1s, until: { state: { in: [b, c] } } }");
    let outcome = run_fake(&format!("{yaml}    expect: {{ state: c }}\n")).await;
    assert_eq!(failure(&outcome), (Reason::Failed, "incorrect", "assert.state", "wait"));
    // How long an answer took is looked at, not how long the whole poll did.
    let quick = run_fake(&format!("{yaml}    expect: {{ latency: {{ lt: 100ms }} }}\n")).await;
    assert_eq!(quick.reason, Reason::Ok);
    let captured = run_fake(&format!("{yaml}    capture: {{ it: {{ state: true }} }}\n")).await;
    assert_eq!(captured.steps[0].captures, [("it".to_owned(), "b".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn targets_that_make_it_hard() {
    for (script, yaml, says, took) in [
        // One request that hangs is one poll, and cut off when the poll's time is over.
        ("hangs", UNTIL, "still not true after 30s (1 poll): there was no answer, at last: it hangs", 30_000),
        // A pause between the attempts, and no answer that counts.
        (
            "refused",
            UNTIL,
            "still not true after 30s (31 polls): there was no answer, at last: it refused",
            30_010,
        ),
        (
            "a b a b a b a b a",
            "{ every: 1s, timeout: 8s, until: { state: c } }",
            r#"still not true after 8s (9 polls): state is "a" (5×), "b" (4×), at last "a", expected "c"; last answer 200, 10ms"#,
            8_010,
        ),
        // Every answer is another one.
        (
            "count",
            "{ every: 100ms, timeout: 40s, until: { state: done } }",
            r#"still not true after 40s (401 polls): state is 0 (1×), 1 (1×), 2 (1×), 3 (1×), 4 (1×), 5 (1×), 6 (1×), 7 (1×), others (393×), at last 400, expected "done"; last answer 200, 10ms"#,
            40_010,
        ),
        // It is cut off by the run.
        (
            "pending",
            "{ every: 20s, until: { state: done } }",
            r#"still not true after 40s (3 polls): state is "pending" (3×), expected "done"; last answer 200, 10ms"#,
            40_010,
        ),
        (
            "pending hangs",
            "{ every: 20s, until: { state: done } }",
            r#"still not true after 45s (2 polls): state is "pending" (1×), no answer: timeout (1×), expected "done"; no answer at last: it hangs"#,
            45_000,
        ),
    ] {
        let outcome = run_fake(&poll(script, yaml)).await;
        assert_eq!(message(&outcome), says, "{script}");
        assert_eq!(outcome.duration, Duration::from_millis(took), "{script}");
        assert!(outcome.steps[0].hops.len() <= 4, "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_comes_up_late_is_waited_for_and_our_own_faults_are_not() {
    let up = run_fake(&poll("refused refused reset confirmed", UNTIL)).await;
    assert_eq!(up.reason, Reason::Ok);
    assert_eq!(up.steps[0].poll.as_ref().unwrap().count, 4);
    let ours = run_fake(&poll("pending local", UNTIL)).await;
    assert_eq!(failure(&ours), (Reason::ProberFault, "local", "local.fd", "wait"));
    assert_eq!(ours.steps[0].poll.as_ref().unwrap().count, 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_has_its_own_limit() {
    let yaml = poll("hangs pending confirmed", UNTIL).replace("    poll", "    timeout: 2500ms\n    poll");
    let outcome = run_fake(&yaml).await;
    assert_eq!(outcome.reason, Reason::Ok, "{}", message(&outcome));
    // It hangs for 2.5 s; the next polls are at 3 s and 4 s.
    assert_eq!(outcome.duration, Duration::from_millis(4_010));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_poll_between_two_requests() {
    let plan = fake(&poll("pending", UNTIL));
    let stop = teardown::Stop::default();
    let context = RunContext { stop: Arc::new(stop.clone()), ..context(&plan) };
    let scenario = Scenario::new(plan, Arc::new(Shared::new(NetConfig::default())), Arc::default());
    let run = scenario.run(&context);
    let ask = async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        stop.ask();
    };
    let (outcome, ()) = tokio::join!(run, ask);
    assert_eq!(failure(&outcome), (Reason::Cancelled, "local", "local.cancelled", "wait"));
    assert_eq!(outcome.duration, Duration::from_millis(2_500));
    assert_eq!(outcome.steps[0].poll.as_ref().unwrap().count, 3);
    assert_eq!(outcome.steps[0].hops.len(), 3, "what was seen before is kept");
}

#[tokio::test]
async fn polls_share_a_connection() {
    let server = Server::start();
    let asked = std::sync::atomic::AtomicU32::new(0);
    server.on_request("/order", move |_| {
        let number = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::json(if number < 4 { r#"{"status":"pending"}"# } else { r#"{"status":"confirmed"}"# })
    });
    let yaml = "name: a\naim: Up.\nevery: 1m\nhttp: ${vars.shop}/order\npoll: { every: 100ms, until: { json: { $.status: confirmed } } }\n";
    let outcome = run(&server, yaml).await;
    assert_eq!((outcome.reason, message(&outcome)), (Reason::Ok, ""));
    assert_eq!((server.requests(), server.connections()), (5, 1));
    assert_eq!(outcome.steps[0].poll.as_ref().unwrap().count, 5);
    assert!(outcome.steps[0].hops[1].reused);
}
