//! Each kind of step, through the program, against a real server.

mod datagrams;
mod dns;
mod files;
mod flow;
mod freshness;
mod http;
mod peers;
mod sql;
mod tls;

use serde_json::Value;

use crate::support::text;

/// The hops of step `index`, each with at least one phase.
fn hops(event: &Value, index: usize) -> &[Value] {
    event["prober.steps"][index]["hops"].as_array().map_or(&[], Vec::as_slice)
}

/// The names of a hop's phases, one after the other.
fn phases(hop: &Value) -> String {
    let names: Vec<_> =
        hop["phases"].as_array().unwrap().iter().map(|span| span[0].as_str().unwrap()).collect();
    names.join(" ")
}

/// The phases of every hop of every step tile: each begins where the one before ended, and no step is longer
/// than the run.
fn assert_tiled(event: &Value) {
    let duration = event["prober.run.duration"].as_f64().unwrap();
    for step in event["prober.steps"].as_array().unwrap() {
        let took = step["duration"].as_f64().unwrap();
        assert!(step["start"].as_f64().unwrap() + took <= duration + 1e-6, "{event:#}");
        for hop in step["hops"].as_array().into_iter().flatten() {
            let spans: Vec<(f64, f64)> = hop["phases"]
                .as_array()
                .unwrap()
                .iter()
                .map(|span| (span[1].as_f64().unwrap(), span[2].as_f64().unwrap()))
                .collect();
            assert!(!spans.is_empty(), "{event:#}");
            for pair in spans.windows(2) {
                assert!((pair[0].0 + pair[0].1 - pair[1].0).abs() < 1e-6, "a gap between phases: {event:#}");
            }
            let (start, last) = spans.last().unwrap();
            assert!(start + last <= took + 1e-6, "a phase ends after its step: {event:#}");
        }
    }
}

/// The assertion `name` of an event, as `expected|actual|pass`.
fn assertion(event: &Value, name: &str) -> String {
    let all = event["prober.assertions"].as_array().unwrap();
    let found = all
        .iter()
        .find(|one| one["name"] == name)
        .unwrap_or_else(|| panic!("no assertion {name}: {event:#}"));
    format!("{}|{}|{}", text(found, "expected"), text(found, "actual"), found["pass"])
}
