//! A zone's own name servers: found, all asked, and the one that is not in step named.

use std::net::{IpAddr, Ipv4Addr};

use testkit::dns::{Reply, Server};
use testkit::servers::{Knot, Place};
use testkit::wait;

use super::LIMIT;
use crate::trial::{judge, told};

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

fn zone(serial: u32, address: &str) -> String {
    format!(
        "$ORIGIN shop.test.\n$TTL 60\n@ SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ NS ns1\n@ NS ns2\n\
         ns1 A 127.0.0.1\nns2 A 127.0.0.2\nwww A {address}\nalias CNAME www.elsewhere.test.\n"
    )
}

/// The step that asks for `name` at the servers of its zone, which the one at 127.0.0.1 knows.
fn step(name: &str, port: u16) -> String {
    format!("dns: {{ name: {name}, at: authoritative, resolvers: \"127.0.0.1:{port}\", port: {port} }}")
}

#[tokio::test]
async fn servers_in_step_are_good_and_others_are_named() {
    let (zone_a, zone_b) = (zone(7, "192.0.2.1"), zone(8, "192.0.2.1"));
    let first = Knot::serve(&[("shop.test", &zone_a)], Place::default());
    let port = first.addr().port();
    {
        let place = Place { ip: Some(ip(2)), port: Some(port), ..Place::default() };
        let _second = Knot::serve(&[("shop.test", &zone_a)], place);
        let outcome = judge(&format!(
            "{}\nexpect: {{ answers: {{ equals_set: [192.0.2.1] }}, name_servers: {{ len: 2 }} }}",
            step("www.shop.test", port)
        ))
        .await;
        assert_eq!(told(&outcome), "ok");
        let hops = &outcome.steps[0].hops;
        let labels: Vec<_> = hops.iter().map(|hop| hop.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "name servers for www.shop.test".to_owned(),
                format!("ns1.shop.test (127.0.0.1:{port})"),
                format!("ns1.shop.test (127.0.0.1:{port})"),
                format!("ns2.shop.test (127.0.0.2:{port})"),
                format!("ns2.shop.test (127.0.0.2:{port})"),
            ]
        );
        // Behind an alias the name is still this zone's.
        let outcome = judge(&format!("{}\nexpect: {{ rcode: NODATA }}", step("alias.shop.test", port))).await;
        assert_eq!(told(&outcome), "ok");
        let outcome =
            judge(&format!("{}\nexpect: {{ rcode: NXDOMAIN }}", step("none.shop.test", port))).await;
        assert_eq!(told(&outcome), "ok");
    }
    let place = Place { ip: Some(ip(2)), port: Some(port), ..Place::default() };
    let _second = Knot::serve(&[("shop.test", &zone_b)], place);
    for name in ["www.shop.test", "shop.test"] {
        let kind = if name == "shop.test" { ", type: SOA }" } else { " }" };
        let outcome = judge(&step(name, port).replace(" }", kind)).await;
        let expected = format!(
            "failed dns dns.serials_differ: agree soa.serial is 7 from ns1.shop.test (127.0.0.1:{port}), \
             8 from ns2.shop.test (127.0.0.2:{port}), expected the same from each"
        );
        assert_eq!(told(&outcome), expected);
    }
}

#[tokio::test]
async fn lame_dead_and_missing_servers_are_named() {
    let port = wait::free_port();
    let first = Server::start_at(ip(1), port);
    let lame = Server::start_at(ip(3), port);
    first.on("shop.test", "SOA", Reply::soa(7));
    first.on("www.shop.test", "SOA", Reply::empty().of_zone("shop.test", 7));
    first.on("www.shop.test", "A", Reply::a(&["192.0.2.1"]));
    first.on("ns1.shop.test", "A", Reply::a(&["127.0.0.1"]));
    first.on("ns3.shop.test", "A", Reply::a(&["127.0.0.3"]));
    first.otherwise(Reply::empty().of_zone("shop.test", 7));
    let good = format!("ns1.shop.test (127.0.0.1:{port})");
    let check = async |expected: String| {
        let outcome =
            judge(&format!("{}\ntimeout: {}ms", step("www.shop.test", port), LIMIT.as_millis())).await;
        assert_eq!(told(&outcome), expected);
    };
    first.on("shop.test", "NS", Reply::ns(&["ns1.shop.test"]));
    check("ok".to_owned()).await;
    first.on("shop.test", "NS", Reply::ns(&["ns1.shop.test", "ns3.shop.test"]));
    // It says that it does not serve the zone.
    lame.otherwise(Reply::rcode(5).not_authoritative());
    let other = format!("ns3.shop.test (127.0.0.3:{port})");
    check(format!(
        "failed dns dns.refused: rcode is NOERROR from {good}, REFUSED from {other}, expected NOERROR \
         ({other} says \"REFUSED\")"
    ))
    .await;
    // It answers from a cache.
    lame.on("www.shop.test", "A", Reply::a(&["192.0.2.1"]).not_authoritative());
    lame.on("shop.test", "SOA", Reply::soa(7).not_authoritative());
    check(format!(
        "failed dns dns.lame: authoritative is true from {good}, false from {other}, expected true \
         ({other} says false)"
    ))
    .await;
    lame.otherwise(Reply::silence());
    lame.on("www.shop.test", "A", Reply::silence());
    check(format!("failed dns dns.timeout: {other} did not answer within 1.5s")).await;
    first.on("shop.test", "NS", Reply::ns(&["ns1.shop.test", "ns4.shop.test"]));
    check(format!(
        "failed dns dns.no_address: the name server ns4.shop.test has no address (asked 127.0.0.1:{port})"
    ))
    .await;
    first.on("shop.test", "NS", Reply::rcode(5));
    check(format!(
        "failed dns dns.no_name_servers: 127.0.0.1:{port} answered REFUSED when asked for NS of shop.test"
    ))
    .await;
    first.on("shop.test", "NS", Reply::empty());
    check(format!("failed dns dns.no_name_servers: shop.test. has no name servers (asked 127.0.0.1:{port})"))
        .await;
}
