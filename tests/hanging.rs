//! A thousand scenarios of which a third hang: the others start in time and none is missed.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::sink::Sink;
use testkit::wait;

use crate::support::{Project, alone, text};

const SCENARIOS: usize = 1_000;
/// How many slots of each healthy scenario are looked at; the first two belong to the start.
const ROUNDS: usize = 3;

#[test]
fn a_third_that_hangs_delays_nobody() {
    let _turn = alone();
    let (server, sink) = (Server::start(), Sink::start());
    server.on("/", Reply::ok("x"));
    let project = Project::new("defaults: { every: 5s, timeout: 4s }\n");
    for number in 0..SCENARIOS {
        let hangs = number % 3 == 0;
        let target = if hangs { format!("http://{}/", sink.target(number)) } else { server.url("/") };
        let name = if hangs { format!("hangs-{number}") } else { format!("fine-{number}") };
        let mut text = String::new();
        writeln!(text, "name: {name}\naim: It works.\nhttp: {target}").unwrap();
        project.write(&format!("scenarios/{name}.yaml"), &text);
    }
    let serving = project.serve();
    let api = serving.api();
    let hanging = SCENARIOS.div_ceil(3);
    let fine = SCENARIOS - hanging;
    // Rounds of all healthy scenarios, while every hanging one has hung at least once.
    wait::until_blocking("four rounds", Duration::from_mins(1), || {
        server.seen().len() >= (ROUNDS + 1) * fine
    });
    wait::until_blocking("every hanging one to hang", Duration::from_secs(30), || {
        sink.connections() >= hanging
    });
    // The pages answer meanwhile.
    for path in ["/", "/metrics", "/api/v1/scenarios", "/readyz"] {
        let began = std::time::Instant::now();
        api.get(path);
        assert!(began.elapsed() < Duration::from_secs(5), "{path} took {:?}", began.elapsed());
    }
    let events = api.events("");
    let named =
        |prefix: &'static str| move |event: &&Value| text(event, "prober.scenario.name").starts_with(prefix);
    let missed: Vec<_> = events.iter().filter(|event| event["prober.verdict"] == "missed").collect();
    assert!(missed.is_empty(), "{} slots were missed, such as {:#}", missed.len(), missed[0]);
    let hung = events.iter().filter(named("hangs")).filter(|event| event["error.type"] == "timeout").count();
    assert!(hung >= hanging, "only {hung} runs have hung");
    let mut lags: Vec<f64> =
        events.iter().filter(named("fine")).map(|event| event["prober.run.lag"].as_f64().unwrap()).collect();
    assert!(lags.len() >= ROUNDS * fine, "{} healthy runs", lags.len());
    lags.sort_by(f64::total_cmp);
    let p99 = lags[lags.len() * 99 / 100];
    // An unoptimised build on two busy cores; what hangs would cost seconds.
    assert!(p99 < 0.25, "start lag p99 is {p99} s, the median {} s", lags[lags.len() / 2]);
    let bad = events.iter().filter(named("fine")).filter(|event| event["prober.verdict"] != "good").count();
    assert_eq!(bad, 0, "healthy scenarios that were not good");
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
}
