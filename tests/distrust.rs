//! Is it the target or is it us? Faults of the prober's own network, resolver and processors: nothing that they
//! break is held against a target, and everything is good again afterwards.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use model::time::{Clock as _, SystemClock};
use rustix::process::Signal;
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::netns::{self, Pair};
use testkit::sink::Sink;
use testkit::{dns, wait};

use crate::support::{Project, Serving, alone, text};

/// How long one thing may take until it is seen; rounds come every second, and the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(3);
/// How long a fault goes on once it is seen.
const FAULT: Duration = Duration::from_secs(6);
/// A slot that is older than this has ended, and two rounds of control targets have settled it.
const SETTLED_WITHIN: Duration = Duration::from_secs(4);

/// The far side: three control targets, a shop, and the resolver.
struct World {
    pair: Pair,
    names: dns::Server,
    servers: Vec<Server>,
}

impl World {
    fn new() -> Self {
        let pair = Pair::new();
        let (servers, names) = pair.far(|| {
            let server = |number| {
                let server = Server::start_at((netns::host(number), 80).into());
                server.on("/", Reply::ok("hello"));
                server
            };
            let servers = (1..=4).map(server).collect();
            (servers, dns::Server::start_at(netns::FAR.into(), 53))
        });
        let world = Self { pair, names, servers };
        world.tell_the_truth();
        world
    }

    fn tell_the_truth(&self) {
        self.answer(4, 9);
    }

    /// What the resolver says from now on: the hosts of the shop and of the canary.
    fn answer(&self, shop: u8, canary: u8) {
        for (name, number) in [("shop.test", shop), ("canary.test", canary)] {
            self.names.on(name, "A", dns::Reply::a(&[&netns::host(number).to_string()]));
            self.names.on(name, "AAAA", dns::Reply::empty());
        }
    }

    fn silence(&self) {
        for (name, kind) in
            [("shop.test", "A"), ("shop.test", "AAAA"), ("canary.test", "A"), ("canary.test", "AAAA")]
        {
            self.names.on(name, kind, dns::Reply::silence());
        }
    }

    fn project(&self) -> Project {
        let target = |number| format!("{{ http: http://{}/ }}", netns::host(number));
        let targets = (1..=3).map(target).collect::<Vec<_>>().join(", ");
        let mut project = Project::new(&format!(
            "control:\n  every: 1s\n  timeout: 900ms\n  targets: [{targets}]\n  canary: {{ name: canary.test, answers: [{}] }}\n",
            netns::host(9)
        ));
        let every = "every: 2s\ntimeout: 1500ms\n";
        project.scenario("by-address", &format!("{every}http: http://{}/", netns::host(4)));
        project.scenario("by-name", &format!("{every}http: http://shop.test/"));
        project.run_by(self.pair.command());
        project
    }

    fn events(&self, serving: &Serving, query: &str) -> Vec<Value> {
        let api = serving.api();
        self.pair.near(|| api.events(query))
    }

    /// Waits until one scenario has such an event whose slot is later than `after`.
    fn wait_for(&self, serving: &Serving, (name, verdict): (&str, &str), after: &str) -> Value {
        wait::some_blocking(&format!("{name} to be {verdict}"), PATIENCE, || {
            let events = self.events(serving, &format!("scenario={name}&verdict={verdict}"));
            events.into_iter().find(|event| text(event, "prober.slot.scheduled") > after)
        })
    }
}

/// The slot of the newest event that is stored.
fn newest(events: &[Value]) -> String {
    events.iter().map(|event| text(event, "prober.slot.scheduled").to_owned()).max().unwrap_or_default()
}

/// A fault: its name, how it begins and ends, and which scenarios it breaks.
type Fault = (&'static str, fn(&World), fn(&World), &'static [&'static str]);

const BOTH: &[&str] = &["by-address", "by-name"];

const FAULTS: &[Fault] = &[
    (
        "the wire is cut on the other side",
        |world| world.pair.ip_far(&["link", "set", "wire", "down"]),
        |world| world.pair.ip_far(&["link", "set", "wire", "up"]),
        BOTH,
    ),
    (
        "the own link is down",
        |world| world.pair.ip_near(&["link", "set", "wire", "down"]),
        |world| {
            world.pair.ip_near(&["link", "set", "wire", "up"]);
            world.pair.add_default_route();
        },
        BOTH,
    ),
    (
        "the default route is gone",
        |world| world.pair.ip_near(&["route", "delete", "default"]),
        |world| world.pair.add_default_route(),
        // The resolver is on the wire itself, but the shop is not.
        BOTH,
    ),
    ("the resolver is dead", |world| world.silence(), |world| world.tell_the_truth(), &["by-name"]),
    (
        "the resolver lies",
        // Nobody listens where it says that the shop is.
        |world| world.answer(8, 8),
        |world| world.tell_the_truth(),
        &["by-name"],
    ),
];

#[test]
fn a_lost_network_and_a_broken_resolver_are_never_held_against_a_target() {
    let world = World::new();
    let project = world.project();
    let serving = project.start(&[]);
    let api = serving.api();
    world.pair.near(|| {
        wait::until_blocking("readiness", PATIENCE, || {
            api.try_get("/readyz").is_some_and(|answer| answer.status == 200)
        });
    });
    let mut after = String::new();
    for name in BOTH {
        world.wait_for(&serving, (name, "good"), &after);
    }
    for (fault, begin, end, broken) in FAULTS {
        after = newest(&world.events(&serving, ""));
        begin(&world);
        let began = SystemClock.now().to_string();
        for name in *broken {
            let event = world.wait_for(&serving, (name, "ineligible"), &after);
            assert_eq!(text(&event, "prober.verdict.reason"), "prober_fault", "{fault}: {event:#}");
            assert!(text(&event, "error.type").starts_with("local."), "{fault}: {event:#}");
        }
        let until = Instant::now() + FAULT;
        wait::until_blocking("the fault to go on for a while", PATIENCE, || Instant::now() >= until);
        // Doubt reaches back to the last round that passed: not one run of all that time counts, nor the first.
        let settled = SystemClock.now().minus(SETTLED_WITHIN).to_string();
        for name in *broken {
            let events = world.events(&serving, &format!("scenario={name}"));
            let during = |event: &&Value| {
                let slot = text(event, "prober.slot.scheduled");
                slot > began.as_str() && slot < settled.as_str()
            };
            let during: Vec<_> = events.iter().filter(during).collect();
            assert!(!during.is_empty(), "{fault}: {name} had no slot");
            for event in during {
                let verdict = text(event, "prober.verdict");
                assert!(["ineligible", "missed"].contains(&verdict), "{fault}: {event:#}");
            }
        }
        let shown = world.pair.near(|| api.get("/metrics"));
        assert!(
            shown.lines().any(|line| line.starts_with("prober_distrust_active{") && line.ends_with(" 1")),
            "{fault}"
        );
        end(&world);
        after = newest(&world.events(&serving, ""));
        for name in BOTH {
            world.wait_for(&serving, (name, "good"), &after);
        }
        let bad = world.events(&serving, "verdict=bad");
        assert!(bad.is_empty(), "{fault}: {:#}", bad[0]);
    }
    // What is the target's own fault still counts.
    world.servers[3].on("/", Reply::status(500));
    for name in BOTH {
        let event = world.wait_for(&serving, (name, "bad"), &after);
        assert_eq!(text(&event, "error.type"), "500");
    }
    let metrics = world.pair.near(|| api.get("/metrics"));
    assert!(metrics.contains("prober_run_ineligible_ratio{scenario=\"by-name\""), "{metrics}");
    let violations = metrics.lines().find(|line| line.starts_with("prober_account_violations_total"));
    assert_eq!(violations, Some("prober_account_violations_total 0"));
    assert!(serving.err().contains("the prober doubts itself"), "{}", serving.err());
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
}

/// A control group of version 1 whose processes get little of the processors; removed when dropped.
struct Quota(PathBuf);

impl Quota {
    /// `None` where there is no such controller, or no right to use it.
    fn new() -> Option<Self> {
        let folder = PathBuf::from(format!("/sys/fs/cgroup/cpu/prober-test-{}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        let quota = Self(folder);
        fs::write(quota.0.join("cpu.cfs_period_us"), "100000").ok()?;
        quota.0.join("cpu.cfs_quota_us").exists().then_some(quota)
    }

    /// One fiftieth of one processor: enough to start a run, and too little to measure one.
    fn starve(&self, pid: u32) {
        fs::write(self.0.join("cpu.cfs_quota_us"), "2000").unwrap();
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    fn feed(&self) {
        fs::write(self.0.join("cpu.cfs_quota_us"), "-1").unwrap();
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // Its last process has just ended, and may not have left yet.
        wait::until_blocking("an empty control group", PATIENCE, || fs::remove_dir(&self.0).is_ok());
    }
}

/// Other processes on the same processor, where there is no quota; ended when dropped.
struct Crowd(Vec<std::process::Child>);

impl Crowd {
    fn on_the_processor_of(pid: u32) -> Self {
        let pin = |pid: u32| {
            let done =
                std::process::Command::new("taskset").args(["-a", "-p", "1", &pid.to_string()]).output();
            assert!(done.expect("taskset is missing: apt-get install util-linux").status.success());
        };
        pin(pid);
        let busy = || {
            let mut command = std::process::Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "taskset", "1", "sh", "-c", "while :; do :; done"]);
            command.spawn().expect("setpriv is missing: apt-get install util-linux")
        };
        Self((0..96).map(|_| busy()).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

#[test]
fn a_starved_prober_does_not_judge_time_and_still_judges_answers() {
    let _turn = alone();
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    server.on("/slow", Reply::ok("hello").after(Duration::from_millis(150)));
    let project = Project::new("control: { every: 1s }\n");
    let every = "every: 1s\ntimeout: 900ms\n";
    project.scenario(
        "slow",
        &format!("{every}http: {}\nsli: {{ good: {{ latency: {{ lt: 100ms }} }} }}", server.url("/slow")),
    );
    project.scenario("missing", &format!("{every}http: {}", server.url("/missing")));
    project.scenario("up", &format!("{every}http: {}", server.url("/")));
    project.scenario(
        "quick",
        &format!("{every}http: {}\nsli: {{ good: {{ latency: {{ lt: 500ms }} }} }}", server.url("/")),
    );
    // Dropped after the prober: a group goes when nobody is in it.
    let quota = Quota::new();
    let serving = project.serve();
    // Whoever is starved is not asked: its store is read by another process.
    let stored = |query: &[&str]| -> Vec<Value> {
        let ran = project.prober(&[&["events", "-n", "100000", "--format", "jsonl"], query].concat());
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let wait_for = |name: &str, verdict: &str, after: &str| {
        wait::some_blocking(&format!("{name} to be {verdict}"), PATIENCE, || {
            let events = stored(&[&format!("scenario={name}"), &format!("verdict={verdict}")]);
            events.into_iter().find(|event| text(event, "prober.slot.scheduled") > after)
        })
    };
    assert_eq!(text(&wait_for("slow", "bad", ""), "prober.verdict.reason"), "slow");
    wait_for("missing", "bad", "");
    let crowd = match &quota {
        Some(quota) => {
            quota.starve(serving.pid());
            None
        }
        None => Some(Crowd::on_the_processor_of(serving.pid())),
    };
    let after = newest(&stored(&[]));
    let starved = wait_for("slow", "ineligible", &after);
    assert_eq!(text(&starved, "error.type"), "local.overload", "{starved:#}");
    // An answer is right or wrong however long it took.
    let missing = wait_for("missing", "bad", &after);
    assert_eq!(text(&missing, "error.type"), "404");
    let from = text(&starved, "prober.slot.scheduled").to_owned();
    wait_for("slow", "ineligible", &from);
    // Before it is fed: what runs from then on is judged again, and may be on record before anybody has looked.
    let last = newest(&stored(&["scenario=slow", "verdict=ineligible"]));
    if let Some(quota) = &quota {
        quota.feed();
    }
    drop(crowd);
    let fed = newest(&stored(&[]));
    assert_eq!(text(&wait_for("slow", "bad", &fed), "prober.verdict.reason"), "slow");
    // Between the first and the last slot that was doubted, nothing was bad for a reason of time.
    let timed = |event: &&Value| {
        let reason = (text(event, "prober.verdict.reason"), text(event, "prober.failure.class"));
        matches!(reason, ("slow", _) | (_, "timeout"))
    };
    let during = stored(&["verdict=bad"]);
    let during: Vec<_> = during
        .iter()
        .filter(|event| (from.as_str()..last.as_str()).contains(&text(event, "prober.slot.scheduled")))
        .filter(timed)
        .collect();
    assert!(during.is_empty(), "{:#}", during[0]);
    for name in ["up", "quick"] {
        assert!(stored(&[&format!("scenario={name}"), "verdict=bad"]).is_empty(), "{name}");
    }
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
}

/// The limit on a prober's open files, and scenarios that hold one each: more than there are.
const FILES: usize = 128;
const HOLDERS: usize = 160;

#[test]
fn a_prober_that_runs_out_of_open_files_blames_itself() {
    let _turn = alone();
    let (server, sink) = (Server::start(), Sink::start());
    server.on("/", Reply::ok("hello"));
    let mut project = Project::new("");
    project.run_by(vec!["prlimit".to_owned(), format!("--nofile={FILES}:{FILES}")]);
    let every = "every: 2s\ntimeout: 1900ms\n";
    let refuses = wait::free_port();
    project.scenario("refused", &format!("{every}tcp: \"127.0.0.1:{refuses}\""));
    project.scenario("missing", &format!("{every}http: {}", server.url("/missing")));
    project.scenario("up", &format!("{every}http: {}", server.url("/")));
    let serving = project.start(&["--in-flight", "1000"]);
    serving.until_ready();
    let api = serving.api();
    let wait_for = |name: &str, verdict: &str, after: &str| {
        wait::some_blocking(&format!("{name} to be {verdict}"), PATIENCE, || {
            // While there are no files there is no connection for this question either.
            let answer =
                api.try_get(&format!("/api/v1/events?limit=200&scenario={name}&verdict={verdict}"))?;
            let page: Value = serde_json::from_str(&answer.body).ok()?;
            let events = page["events"].as_array()?.clone();
            events.into_iter().find(|event| text(event, "prober.slot.scheduled") > after)
        })
    };
    for (name, verdict) in [("refused", "bad"), ("missing", "bad"), ("up", "good")] {
        wait_for(name, verdict, "");
    }
    for number in 0..HOLDERS {
        project
            .scenario(&format!("holder-{number}"), &format!("{every}http: http://{}/", sink.target(number)));
    }
    serving.signal(Signal::HUP);
    wait::until_blocking("doubt about open files", PATIENCE, || {
        serving.err().lines().any(|line| line.contains("doubts itself") && line.contains("files"))
    });
    let until = Instant::now() + FAULT;
    wait::until_blocking("the fault to go on for a while", PATIENCE, || Instant::now() >= until);
    for number in 0..HOLDERS {
        project.remove(&format!("scenarios/holder-{number}.yaml"));
    }
    // A reload needs files as well: one that finds none says so, changes nothing, and is made again by itself.
    serving.signal(Signal::HUP);
    wait::until_blocking("the holders to be gone", PATIENCE, || {
        let scenarios = api.try_get("/api/v1/scenarios");
        scenarios.is_some_and(|page| page.status == 200 && !page.body.contains("holder-"))
    });
    // Which run finds no file is chance; that some did is not.
    wait::until_blocking("a run without a file to be on record", PATIENCE, || {
        let page = api.try_get("/api/v1/events?limit=200&verdict=ineligible");
        page.is_some_and(|page| page.status == 200 && page.body.contains("local.fd"))
    });
    let after = newest(&api.events(""));
    for (name, verdict) in [("refused", "bad"), ("missing", "bad"), ("up", "good")] {
        wait_for(name, verdict, &after);
    }
    // Nothing that was there became bad for it.
    assert!(api.events("scenario=up&verdict=bad").is_empty());
    wait::until_blocking("files for a question", PATIENCE, || {
        api.try_get("/api/v1/account?until=3s").is_some_and(|account| account.status == 200)
    });
    let events = api.events("");
    let short: Vec<_> = events.iter().filter(|event| text(event, "error.type") == "local.fd").collect();
    assert!(short.iter().all(|event| text(event, "prober.verdict") == "ineligible"), "{short:#?}");
    let of_holders = short.iter().filter(|event| text(event, "prober.scenario.name").starts_with("holder"));
    assert!(of_holders.count() > 0, "some got no file");
    let account = api.json("/api/v1/account?until=3s");
    assert_eq!(account["violations"], 0, "{account:#}");
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
}

/// What the kernel says of its clock is shown where people and programs look.
#[test]
fn the_kernel_s_clock_is_shown() {
    let project = Project::with("", &[("idle", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:9/".to_owned())]);
    let serving = project.serve();
    let metrics = serving.api().get("/metrics");
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("there is no {name}")).trim().parse().unwrap()
    };
    let (kept, most) = (value("prober_clock_kept "), value("prober_clock_maximum_error_seconds "));
    // The kernel counts up to 16 s and no further.
    assert!((0.0..=16.0).contains(&most), "{most}");
    assert_eq!(kept > 0.0, most < 16.0);
    assert!(value("prober_clock_estimated_error_seconds ") >= 0.0);
    for signal in ["clock", "files", "memory", "processor"] {
        let head = format!("prober_distrust_active{{signal=\"{signal}\",region=\"\"}} ");
        assert!(metrics.lines().any(|line| line.starts_with(&head)), "{signal}: {metrics}");
    }
    // Its own test has ended before the first slot, and nothing keeps slots from being run.
    let tests = ["passed", "undecided"]
        .map(|result| value(&format!("prober_self_tests_total{{result=\"{result}\"}} ")));
    assert!(tests.iter().sum::<f64>() >= 1.0, "{tests:?}");
    for reason in ["self_test", "clock"] {
        let line = format!("prober_suspended{{reason=\"{reason}\"}} 0");
        assert!(metrics.lines().any(|found| found == line), "{reason}: {metrics}");
    }
    assert_eq!(serving.stop().0, Some(0));
    let told = project.prober(&["doctor", "--format", "json"]).out;
    let words = if kept > 0.0 { "wrong by at most" } else { "nothing keeps it" };
    assert!(told.contains(words), "{told}");
}
