//! A thousand scenarios of which a third hang: the others start in time and none is missed. And a resolver that hangs
//! in the C library, which nobody can tell to stop.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::dns;
use testkit::http::{Reply, Server};
use testkit::netns::{self, Pair};
use testkit::sink::Sink;
use testkit::wait;

use crate::support::{Project, alone, said, text};

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
    wait::until_blocking("four rounds", Duration::from_mins(5), || {
        server.seen().len() >= (ROUNDS + 1) * fine
    });
    wait::until_blocking("every hanging one to hang", Duration::from_mins(3), || {
        sink.connections() >= hanging
    });
    // The pages answer meanwhile.
    for path in ["/", "/metrics", "/api/v1/scenarios", "/readyz"] {
        let began = Instant::now();
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

/// Lookups that hang at once; the C library's places are fewer.
const LOOKUPS: usize = 80;
/// How long the C library would wait for its name server.
const LIBRARY: &str = "timeout:30 attempts:5";
/// The most threads that a prober has for everything else.
const THREADS_BESIDE: usize = 48;

#[test]
fn lookups_that_hang_in_the_c_library_end_in_time_and_do_not_pile_up() {
    let _turn = alone();
    let pair = Pair::new();
    pair.resolve_with(LIBRARY);
    let (_names, server) = pair.far(|| {
        let names = dns::Server::start_at(netns::FAR.into(), 53);
        names.otherwise(dns::Reply::silence());
        let server = Server::start_at((netns::host(1), 80).into());
        server.on("/", Reply::ok("x"));
        (names, server)
    });
    let mut project = Project::new("defaults: { every: 2s, timeout: 1s }\n");
    project.run_by(pair.command());
    for number in 0..LOOKUPS {
        project
            .scenario(&format!("lookup-{number}"), "every: 2s\ndns: { name: shop.test, resolvers: system }");
    }
    project.scenario("fine", &format!("every: 2s\nhttp: http://{}/", netns::host(1)));
    let serving = project.start(&[]);
    let api = serving.api();
    let events = |query: &str| pair.near(|| api.events(query));
    let hung = |query: &str| {
        let all = events(query).into_iter();
        all.filter(|event| text(event, "prober.scenario.name") != "fine")
    };
    // More rounds than there are places, were they not given back.
    wait::until_blocking("several rounds of lookups", Duration::from_mins(4), || {
        hung("verdict=bad,ineligible").count() >= 4 * LOOKUPS
    });
    for event in hung("verdict=bad,ineligible,good") {
        let said = said(&event);
        assert!(
            ["bad failed dns.timeout", "ineligible prober_fault local.lookups"].contains(&said.as_str())
                || said == "ineligible prober_fault local.overload",
            "{event:#}"
        );
        let took = event["prober.run.duration"].as_f64().unwrap();
        assert!(took < 1.0 + SLACK.as_secs_f64(), "{event:#}");
    }
    // A silent resolver is the target's fault here, unless the machine is too busy to say so.
    let waited = hung("verdict=bad,ineligible").filter(|event| text(event, "error.type") != "local.lookups");
    assert!(waited.count() > 0, "some lookups were under way");
    let full =
        hung("verdict=ineligible").filter(|event| text(event, "error.type") == "local.lookups").count();
    assert!(full > 0, "there were more lookups than places");
    let threads = threads(serving.pid());
    assert!(threads <= 32 + THREADS_BESIDE, "{threads} threads");
    // Files, pages and everything else go on beside them.
    let began = Instant::now();
    pair.near(|| api.get("/metrics"));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    wait::until_blocking("a run of the neighbour", Duration::from_mins(3), || {
        !events("scenario=fine&verdict=good").is_empty()
    });
    assert!(server.requests() > 0);
    // Nobody waits for the library at the end.
    let began = Instant::now();
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// How much later than its timeout a run may end on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// How many threads a process has.
fn threads(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap();
    line.trim().parse().unwrap()
}
