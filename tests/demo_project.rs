//! The demo, as a stranger has it: an empty folder, one command, a failure that explains itself.

use std::time::Duration;

use testkit::wait;

use crate::support::{Project, Serving, alone, text};

#[test]
fn the_demo_runs_fails_and_explains() {
    let _turn = alone();
    let place = tempfile::tempdir().unwrap();
    let demo = Serving::start(place.path(), &["demo", "--listen", "127.0.0.1:0"], &[]);
    demo.until_ready();
    let api = demo.api();
    assert!(place.path().join("demo/prober.yaml").exists());
    for path in ["/", "/metrics", "/api/v1/scenarios", "/healthz"] {
        api.get(path);
    }
    let within = Duration::from_mins(2);
    wait::until_blocking("a good run", within, || !api.events("verdict=good").is_empty());
    wait::until_blocking("a bad run", within, || !api.events("verdict=bad").is_empty());
    let failed = wait::some_blocking("a failed checkout", within, || {
        api.events("verdict=bad&scenario=checkout")
            .into_iter()
            .find(|event| event["prober.failure.step"] == "pay")
    });
    let id = text(&failed, "prober.slot.id");
    assert!(api.get("/").contains("checkout"));
    let page = api.get(&format!("/runs/{id}"));
    assert!(page.contains("payment") && page.contains("pay"), "{page}");
    let project = Project::new("");
    let explained = project.prober_in(place.path(), &["-C", "demo", "explain", id]);
    assert_eq!(explained.code, Some(0), "{explained:?}");
    for words in ["checkout", "pay", "payment", "create-order"] {
        assert!(explained.out.contains(words), "{words} is not in:\n{}", explained.out);
    }
    let listed = project.prober_in(place.path(), &["-C", "demo", "events", "verdict=bad"]);
    assert!(listed.out.contains("checkout"), "{}", listed.out);
    let once = project.prober_in(place.path(), &["-C", "demo", "run", "checkout"]);
    // The shop breaks on a schedule: it may work at this moment.
    assert!(matches!(once.code, Some(0 | 1)), "{once:?}");
    // Every scenario has run, or its slot says why not; kinds of all sorts are among them.
    let scenarios = api.json("/api/v1/scenarios");
    let kinds: std::collections::BTreeSet<_> =
        scenarios["scenarios"].as_array().unwrap().iter().map(|one| text(one, "kind").to_owned()).collect();
    for kind in ["http", "dns", "tls", "tcp", "file", "flow"] {
        assert!(
            kinds.contains(kind) || (kind == "file" && kinds.contains("freshness")),
            "{kind} is not in {kinds:?}"
        );
    }
    let validated = project.prober_in(place.path(), &["-C", "demo", "validate", "--strict"]);
    assert_eq!(validated.code, Some(0), "{validated:?}");
    let (code, err) = demo.stop();
    assert_eq!(code, Some(0), "{err}");
}
