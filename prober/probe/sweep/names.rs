//! Resolvers that lie, for whoever looks up a name, and for `dns` itself.

use testkit::dns::{Reply, Server};

use super::*;
use crate::trial::shared_asking;

/// More addresses than any answer over UDP has room for; nobody is there.
fn many() -> Reply {
    let addresses: Vec<String> = (1..=250).map(|number| format!("127.0.3.{number}")).collect();
    Reply::a(&addresses.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_that_looks_up_a_name() {
    let names = Server::start();
    let late = "timeout timeout dns";
    let mut cases = Vec::new();
    for (name, reply, expected) in [
        ("silent.test", Reply::silence(), late),
        ("garbage.test", Reply::garbage(&[0xff; 40]), late),
        ("short.test", Reply::garbage(&[1]), late),
        ("forged.test", Reply::a(&["127.0.0.1"]).wrong_id(), late),
        ("other.test", Reply::a(&["127.0.0.1"]).wrong_question(), late),
        ("slow.test", Reply::a(&["127.0.0.1"]).after(TOO_LATE), late),
        // An answer that is longer than it may be over UDP cannot be read.
        ("oversized.test", many(), late),
        ("nowhere.test", Reply::rcode(3), "dns dns.nxdomain dns"),
        ("broken.test", Reply::rcode(2), "dns dns.servfail dns"),
        ("closed.test", Reply::rcode(5), "dns dns.refused dns"),
        ("empty.test", Reply::empty(), "dns dns.no_answer dns"),
        ("alias.test", Reply::cname("elsewhere.test"), "dns dns.no_answer dns"),
        // What does not fit is asked for over TCP; of so many addresses only some are tried.
        ("truncated.test", many().truncated(), "connect connect.refused connect"),
        ("lying.test", Reply::a(&["127.0.0.9"]), "connect connect.refused connect"),
    ] {
        names.on(name, "A", reply.clone());
        names.on(
            name,
            "AAAA",
            if matches!(expected.split(' ').next(), Some("connect")) { Reply::empty() } else { reply },
        );
        let port = testkit::wait::free_port();
        let shared = shared_asking(names.addr());
        for way in Way::OVER_TCP {
            let case = Case::at(name, way, &format!("{name}:{port}"), expected);
            cases.push(Case { shared: Arc::clone(&shared), ..case });
        }
        // A datagram is sent before anybody can refuse it; a ping finds whoever is there.
        let is_there = expected.starts_with("connect");
        let refused = if is_there { "connect connect.refused wait" } else { expected };
        let case = Case::at(name, Way::Udp, &format!("{name}:{port}"), refused);
        cases.push(Case { shared: Arc::clone(&shared), ..case });
        if !is_there {
            let case = Case::at(name, Way::Icmp, &format!("{name}:{port}"), expected);
            cases.push(Case { shared, ..case });
        }
    }
    sweep(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kind_that_asks_resolvers() {
    let mut cases = Vec::new();
    let mut servers = Vec::new();
    for (what, reply, expected) in [
        ("silence", Reply::silence(), "dns dns.timeout wait"),
        ("garbage", Reply::garbage(&[0xff; 40]), "dns dns.timeout wait"),
        ("one byte", Reply::garbage(&[1]), "dns dns.timeout wait"),
        ("another id", Reply::a(&["127.0.0.1"]).wrong_id(), "dns dns.timeout wait"),
        ("another question", Reply::a(&["127.0.0.1"]).wrong_question(), "dns dns.timeout wait"),
        ("an oversized datagram", many(), "protocol dns.malformed wait"),
        ("a late answer", Reply::a(&["127.0.0.1"]).after(TOO_LATE), "dns dns.timeout wait"),
        ("a truncated answer", many().truncated(), "ok"),
        ("a refusal", Reply::rcode(5), "ok"),
    ] {
        let server = Server::start();
        server.otherwise(reply);
        cases.push(Case::at(what, Way::Dns, &server.addr().to_string(), expected));
        servers.push(server);
    }
    for (bytes, expected) in [
        // A length, and less than that.
        (vec![0xff, 0xff, 1, 2, 3], "dns dns.timeout receive"),
        (vec![0, 0], "protocol dns.malformed receive"),
        (vec![0, 2, 1, 2], "protocol dns.malformed receive"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "dns dns.timeout receive"),
    ] {
        cases.push(Case::of(Fault::Answer(bytes), Way::DnsTcp, expected));
    }
    sweep(cases).await;
}
