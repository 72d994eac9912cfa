//! Agents look at each other, and a hub counts: whom most do not reach is told, and that they do again.

use std::io::Write as _;
use std::net::TcpListener;

use fleet::nats::Nats;
use fleet::{Beat, Member, Ownership as _};
use serde_json::{Value, json};
use testkit::wait;

use super::{Fleet, PATIENCE, REGION, until_events};
use crate::support::{Project, Serving};

/// What the hub shows of an agent.
fn shown(hub: &Serving, id: &str) -> Value {
    let answer = hub.api().try_get("/api/v1/fleet").filter(|answer| answer.status == 200);
    let view: Value = answer.map(|answer| serde_json::from_str(&answer.body).unwrap()).unwrap_or_default();
    let own = view["members"].as_array().into_iter().flatten().find(|one| one["prober"] == id);
    own.cloned().unwrap_or_default()
}

/// Who looks at it, who does not reach it, and what follows.
fn votes(of: &Value) -> (u64, u64, bool) {
    let number = |name: &str| of[name].as_u64().unwrap_or(0);
    (number("peers"), number("peers_failing"), of["unvouched"] == true)
}

#[test]
fn whom_its_peers_do_not_reach_is_told_until_they_do() {
    let fleet = Fleet::new(1);
    let hub = fleet.hub("hub");
    let listening = ["agent", "--region", REGION, "--peer-listen", "127.0.0.1:0"];
    let agents = ["a-1", "a-2", "a-3"];
    let _running = agents.map(|id| fleet.start(&listening, id));
    until_events(&hub, "verdict=good", 1);
    wait::until_blocking("three agents that reach each other", PATIENCE, || {
        agents.iter().all(|id| votes(&shown(&hub, id)) == (2, 0, false))
    });
    // One that is there, for the servers, and that nobody reaches.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let nats = runtime.block_on(Nats::connect(fleet.nats())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let renew = || {
        let about = json!({ "region": REGION, "zone": "far", "answers_at": at, "draining": true });
        let who = Beat { prober: "far-1".to_owned(), boot: 1 };
        let member = Member { who, about: about.to_string().into() };
        // A server that is busy takes the next one.
        let _taken = runtime.block_on(nats.renew(REGION, &member));
    };
    wait::until_blocking("one that nobody vouches for", PATIENCE, || {
        renew();
        votes(&shown(&hub, "far-1")) == (3, 3, true)
    });
    let line = "prober_fleet_member_unvouched{role=\"agent\",region=\"eu\",prober=\"far-1\"}";
    wait::until_blocking(line, PATIENCE, || {
        renew();
        hub.api().get("/metrics").contains(&format!("{line} 1"))
    });
    assert!(agents.iter().all(|id| !votes(&shown(&hub, id)).2), "the others are vouched for");
    assert!(hub.err().contains("most of its peers do not reach it"), "{}", hub.err());
    // And it answers.
    let listener = TcpListener::bind(at).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _written = stream.write_all(b"prober");
        }
    });
    wait::until_blocking("one that all reach", PATIENCE, || {
        renew();
        votes(&shown(&hub, "far-1")) == (3, 0, false)
    });
    wait::until_blocking("a word of it", PATIENCE, || hub.err().contains("its runs start alerts again"));
}

#[test]
fn an_address_that_is_nobody_s_is_refused() {
    let args = ["agent", "--region", "eu", "--fleet", "nats://127.0.0.1:9", "--peer-listen", "0.0.0.0:9950"];
    let ran = Project::new("").prober(&args);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("--peer-listen 0.0.0.0:9950: write the address"), "{}", ran.err);
}
