//! A handshake at each address of a name: which of several machines shows the wrong certificate.

use testkit::dns::Reply as Names;

use super::*;
use crate::trial::relay::Relay;
use crate::trial::{judge_asking, shared_asking};

fn every(pki: &Pki, port: u16) -> Vec<(&'static str, Bound)> {
    vec![
        ("address", template(format!("shop.test:{port}"))),
        ("ca", text(pki.root_file().to_str().unwrap())),
        ("addresses", Bound::Choice("all")),
    ]
}

/// A name server that knows `shop.test` at these addresses.
fn names(v4: &[&str]) -> testkit::dns::Server {
    let names = testkit::dns::Server::start();
    names.on("shop.test", "A", Names::a(v4));
    names.on("shop.test", "AAAA", Names::empty());
    names
}

#[tokio::test]
async fn each_machine_s_certificate_is_looked_at() {
    let pki = Pki::new();
    let config = |flaw| pki.identity(&["shop.test"], flaw).server_config(&Speech::default());
    let (good, expired) = (server(config(Flaw::None)), server(config(Flaw::Expired)));
    let relay = Relay::start(good.addr(), expired.addr());
    let names = names(&["127.0.0.1", "127.0.0.2", "127.0.0.9"]);
    let trial = run(&KIND, every(&pki, relay.port), &shared_asking(names.addr()), PATIENCE).await;
    // Nobody listens at the third.
    assert_eq!(trial.failure(), "connect connect.refused");
    assert!(trial.message().starts_with("1 of 3 addresses bad: 127.0.0.9:"), "{}", trial.message());
    let labels: Vec<_> = trial.outcome.hops.iter().map(|hop| hop.label.as_str()).collect();
    let at = |ip: &str| format!("shop.test:{0} at {ip}:{0}", relay.port);
    let at = [at("127.0.0.1"), at("127.0.0.2"), at("127.0.0.9")];
    assert_eq!(labels, ["addresses of shop.test", &at[0], &at[1], &at[2]]);
    assert_eq!(trial.phases(0), [Phase::Dns], "the name is looked up once");
    assert_eq!(trial.phases(1), [Phase::Connect, Phase::Tls]);
    assert_eq!(names.udp_packets(), 2);
}

#[tokio::test]
async fn a_verdict_names_the_machine_whose_certificate_is_wrong() {
    let pki = Pki::new();
    let config = |flaw| pki.identity(&["shop.test"], flaw).server_config(&Speech::default());
    let (good, expired) = (server(config(Flaw::None)), server(config(Flaw::Expired)));
    let names = names(&["127.0.0.1", "127.0.0.2"]);
    let ca = pki.root_file().display().to_string();
    for (first, second, expected) in [
        (&good, &good, "ok"),
        (&good, &expired, "failed tls tls.expired: at 127.0.0.2:"),
        (&expired, &good, "failed tls tls.expired: at 127.0.0.1:"),
    ] {
        let relay = Relay::start(first.addr(), second.addr());
        let step = format!("tls: {{ address: \"shop.test:{}\", ca: {ca}, addresses: all }}", relay.port);
        let told = told(&judge_asking(&step, names.addr()).await);
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn a_name_that_is_nowhere_and_machines_that_are_silent() {
    let pki = Pki::new();
    let nowhere = testkit::dns::Server::start();
    let trial = run(&KIND, every(&pki, 1), &shared_asking(nowhere.addr()), PATIENCE).await;
    assert_eq!(trial.failure(), "dns dns.nxdomain");
    assert_eq!(trial.phases(0), [Phase::Dns]);
    let silent = Hostile::start(Fault::HalfOpen);
    let relay = Relay::start(silent.addr(), silent.addr());
    let names = names(&["127.0.0.1", "127.0.0.2"]);
    let trial =
        run(&KIND, every(&pki, relay.port), &shared_asking(names.addr()), Duration::from_secs(2)).await;
    assert_eq!(trial.failure(), "timeout timeout");
    assert!(trial.message().starts_with("2 of 2 addresses bad: "), "{}", trial.message());
    trial.ended_in_time();
}
