//! Every kind on a machine that has no free descriptor, or too few of them: that is never the target's fault.
//!
//! Both are facts of a whole process, so each test runs in one of its own.

use testkit::dns::{Reply, Server};

use super::*;
use crate::trial::{PATIENCE, alone, shared_asking, take_descriptors, texts};

/// The most free descriptors that a lookup is given; with more it has all that it wants.
const FEW: usize = 8;

#[test]
fn without_descriptors_no_kind_blames_its_target() {
    alone("sweep::descriptors::inside_no_kind_blames_its_target");
}

#[tokio::test]
#[ignore = "takes all files of the whole process: run by without_descriptors_no_kind_blames_its_target"]
async fn inside_no_kind_blames_its_target() {
    let (target, names) = (Hostile::start(Fault::HalfOpen), Server::start());
    names.on("shop.test", "A", Reply::a(&["127.0.0.1"]));
    names.on("shop.test", "AAAA", Reply::empty());
    let shared = shared_asking(names.addr());
    shared.warm();
    let port = target.addr().port();
    let mut wrong = Vec::new();
    let taken = take_descriptors();
    for way in Way::OVER_TCP.into_iter().chain([Way::Dns, Way::DnsTcp, Way::Udp, Way::Icmp]) {
        for host in ["127.0.0.1", "shop.test"] {
            if host == "shop.test" && matches!(way, Way::Dns | Way::DnsTcp) {
                continue;
            }
            let keys = way.keys(&format!("{host}:{port}"));
            let trial = trial::run(way.kind(), keys, &shared, PATIENCE).await;
            // The system may say first that this process may not ping at all.
            let may_not = way == Way::Icmp && told(&trial).starts_with("local local.denied");
            if !may_not && told(&trial).split(' ').take(2).ne(["local", "local.fd"]) {
                wrong.push(format!("{way:?} at {host}: {} ({:?})", told(&trial), trial.outcome.failure));
            }
        }
    }
    drop(taken);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_systems_resolver_with_few_descriptors_says_nothing_of_a_name() {
    alone("sweep::descriptors::inside_the_systems_resolver_with_few_descriptors");
}

#[tokio::test]
#[ignore = "takes all files of the whole process: run by the_systems_resolver_with_few_descriptors_says_nothing_of_a_name"]
async fn inside_the_systems_resolver_with_few_descriptors() {
    let shared = trial::shared();
    let ask = async |name: &str| {
        let keys = vec![("name", template(name)), ("resolvers", texts(["system"]))];
        trial::run(&crate::dns::KIND, keys, &shared, PATIENCE).await
    };
    let code = |trial: &Trial| match &trial.outcome.failure {
        None => format!("{:?}", trial.value("rcode")),
        Some(failure) => failure.error_type.to_string(),
    };
    let mut wrong = Vec::new();
    let mut without = Vec::new();
    let mut taken = take_descriptors();
    for free in 0..=FEW {
        without.push(code(&ask("localhost").await));
        if !matches!(without[free].as_str(), "local.fd" | "Text(\"NOERROR\")") {
            wrong.push(format!("with {free} free descriptors: {}", without[free]));
        }
        drop(taken.pop());
    }
    drop(taken);
    // What the library keeps of its files must not come from a time when it could not read them.
    let with = code(&ask("localhost").await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(without[0], "local.fd");
    assert_eq!(with, "Text(\"NOERROR\")");
}
