//! A mass change: most targets of one region turn bad at once. What other regions see decides, and nothing real is hidden.

use std::time::Duration;

use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::{Project, Serving, alone, text};

/// How long one thing may take until it is seen, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(3);
/// Targets of a region, each on a host of its own.
const TARGETS: u8 = 12;
/// How often each is looked at.
const EVERY: &str = "every: 2s\ntimeout: 1900ms\n";

/// The targets of two regions: each region sees servers of its own.
struct World {
    eu: Vec<Server>,
    us: Vec<Server>,
    project: Project,
}

impl World {
    fn new() -> Self {
        let server = |number: u8| {
            let server = Server::start_at(([127, 0, 7, number], 0).into());
            server.on("/", Reply::ok("hello"));
            server
        };
        let eu: Vec<_> = (1..=TARGETS).map(server).collect();
        let us: Vec<_> = (101..=100 + TARGETS).map(server).collect();
        let vars = |servers: &[Server]| {
            let each = servers.iter().enumerate();
            each.map(|(number, server)| format!("t{number}: \"{}\"", server.url("/")))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let project = Project::new(&format!(
            "control: {{ every: 1s }}\nvars: {{ {} }}\nregions:\n  eu: {{ vars: {{ {} }} }}\n  us: {{ vars: {{ {} }} }}\n",
            vars(&eu),
            vars(&eu),
            vars(&us),
        ));
        for number in 0..TARGETS {
            project.scenario(&format!("s{number}"), &format!("{EVERY}http: ${{vars.t{number}}}"));
        }
        Self { eu, us, project }
    }

    fn answer(servers: &[Server], status: u16) {
        for server in servers {
            server.on("/", Reply::status(status));
        }
    }
}

fn wait_for(serving: &Serving, what: &str, query: &str, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let api = serving.api();
    wait::some_blocking(what, PATIENCE, || {
        let events = api.events(query);
        fits(&events).then_some(events)
    })
}

#[test]
fn what_one_region_alone_sees_of_most_targets_is_held_until_another_sees_it_too() {
    let _turn = alone();
    let world = World::new();
    let serving = world.project.serve();
    let all_of = |events: &[Value]| {
        (0..TARGETS).all(|number| {
            let name = format!("s{number}");
            events.iter().any(|event| text(event, "prober.scenario.name") == name)
        })
    };
    for region in ["eu", "us"] {
        wait_for(&serving, "all to be good", &format!("region={region}&verdict=good"), all_of);
    }
    // Only eu: its targets are bad, us sees them well.
    World::answer(&world.eu, 500);
    let held =
        wait_for(&serving, "runs to be held", "region=eu&reason=correlated", |events| events.len() > 5);
    for event in &held {
        assert_eq!(text(event, "prober.verdict"), "ineligible", "{event:#}");
        assert_eq!(text(event, "error.type"), "500", "what it said is kept: {event:#}");
    }
    let api = serving.api();
    assert!(api.get("/metrics").contains("prober_distrust_active{signal=\"vantage\",region=\"eu\"} 1"));
    assert!(api.events("region=us&verdict=bad").is_empty());
    assert!(serving.err().contains("a mass change"), "{}", serving.err());
    let some = text(&held[0], "prober.slot.id").to_owned();
    // Killed in the middle of it: what is held is settled by the next process.
    serving.kill();
    let serving = world.project.serve();
    World::answer(&world.us, 500);
    let settled = wait_for(&serving, "runs to become bad", "region=eu&verdict=bad", |events| {
        events.iter().filter(|event| event["prober.marks"].to_string().contains("settled")).count() > 5
    });
    for event in settled.iter().filter(|event| event["prober.marks"].to_string().contains("settled")) {
        assert_eq!(
            (text(event, "prober.verdict.reason"), text(event, "error.type")),
            ("failed", "500"),
            "{event:#}"
        );
    }
    let api = serving.api();
    wait::until_blocking("what was held before the kill to be settled", PATIENCE, || {
        let both = api.events(&format!("id={some}"));
        both.iter().any(|event| text(event, "prober.verdict") == "bad")
    });
    // All good again, and every slot has one end.
    World::answer(&world.eu, 200);
    World::answer(&world.us, 200);
    wait::until_blocking("the change to be over", PATIENCE, || {
        let metrics = api.get("/metrics");
        ["eu", "us"].iter().all(|region| {
            metrics.contains(&format!("prober_distrust_active{{signal=\"vantage\",region=\"{region}\"}} 0"))
        })
    });
    let account = api.json("/api/v1/account?until=3s");
    assert_eq!(account["violations"], 0, "{account:#}");
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn with_one_region_nothing_is_held() {
    let servers: Vec<_> =
        (1..=TARGETS).map(|number| Server::start_at(([127, 0, 8, number], 0).into())).collect();
    World::answer(&servers, 200);
    let project = Project::new("control: { every: 1s }\n");
    for (number, server) in servers.iter().enumerate() {
        project.scenario(&format!("s{number}"), &format!("{EVERY}http: {}", server.url("/")));
    }
    let serving = project.serve();
    let api = serving.api();
    wait::until_blocking("all to be good", PATIENCE, || {
        (0..TARGETS).all(|number| !api.events(&format!("scenario=s{number}&verdict=good")).is_empty())
    });
    World::answer(&servers, 500);
    wait::until_blocking("a mass change", PATIENCE, || serving.err().contains("a mass change"));
    wait::until_blocking("all to be bad", PATIENCE, || {
        (0..TARGETS).all(|number| api.events(&format!("scenario=s{number}&verdict=bad")).len() > 1)
    });
    assert!(api.events("reason=correlated").is_empty());
    assert_eq!(serving.stop().0, Some(0));
}
