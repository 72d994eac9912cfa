//! `dns` against knot, and against a server that truncates, is silent or lies.

use std::fmt::Write as _;
use std::time::Duration;

use testkit::dns::{Reply, Server};
use testkit::pki::{Flaw, Pki};
use testkit::servers::{Doq, Knot, Signed, Signing, Unbound};

use super::{assert_tiled, hops, phases};
use crate::support::{Project, assert_said, event};

const ZONE: &str = "$ORIGIN shop.test.\n$TTL 60\n@ SOA ns1 hostmaster 7 3600 600 86400 60\n@ NS ns1\n\
                    ns1 A 192.0.2.53\nwww A 192.0.2.1\nwww A 192.0.2.2\nempty TXT \"x\"\n";

#[test]
fn knot_answers_and_the_answers_are_looked_at() {
    // 120 addresses do not fit 1,232 bytes; knot cuts the answer off over UDP.
    let mut zone = ZONE.to_owned();
    for number in 0..120 {
        writeln!(zone, "big A 198.51.100.{number}").unwrap();
    }
    let knot = Knot::start("shop.test", &zone);
    let ask = |name: &str, kind: &str, expect: &str| {
        format!(
            "dns: {{ name: {name}, type: {kind}, resolvers: \"{}\", recursion: false }}\n{expect}",
            knot.addr()
        )
    };
    let project = Project::with(
        "",
        &[
            (
                "a",
                ask(
                    "www.shop.test",
                    "A",
                    "expect: { rcode: NOERROR, answers: { equals_set: [192.0.2.2, 192.0.2.1] }, authoritative: true, ttl: 60 }",
                ),
            ),
            ("wrong", ask("www.shop.test", "A", "expect: { answers: { equals_set: [192.0.2.1] } }")),
            ("soa", ask("shop.test", "SOA", "expect: { soa.serial: 7, soa.expire: 86400 }")),
            ("none", ask("missing.shop.test", "A", "")),
            ("wanted", ask("missing.shop.test", "A", "expect: { rcode: NXDOMAIN }")),
            ("nodata", ask("empty.shop.test", "A", "")),
            ("foreign", ask("www.elsewhere.test", "A", "")),
            ("big", ask("big.shop.test", "A", "expect: { answers: { len: 120 } }")),
        ],
    );
    let (events, ran) = project.run();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let check = |name: &str, wanted: &str| assert_said(&events, name, wanted);
    check("a", "good ok");
    check("wrong", "bad failed assert.answer");
    check("soa", "good ok");
    check("none", "bad failed dns.nxdomain");
    check("wanted", "good ok");
    check("nodata", "bad failed dns.no_answer");
    check("foreign", "bad failed dns.refused");
    check("big", "good ok");
    let a = event(&events, "a");
    assert_eq!(a["dns.question.name"], "www.shop.test");
    assert_eq!(a["dns.response_code"], "NOERROR");
    assert_eq!(phases(&hops(a, 0)[0]), "send wait", "{a:#}");
    // Cut off over UDP, asked for again over TCP: a hop of its own.
    let big = event(&events, "big");
    assert_eq!(hops(big, 0).len(), 2, "{big:#}");
    assert!(phases(&hops(big, 0)[1]).starts_with("connect send wait"), "{big:#}");
    events.iter().for_each(assert_tiled);
}

#[test]
fn servers_that_are_silent_or_lie() {
    let server = Server::start();
    server.on("silent.test", "A", Reply::silence());
    server.on("broken.test", "A", Reply::rcode(2));
    server.on("refused.test", "A", Reply::rcode(5));
    server.on("late.test", "A", Reply::a(&["192.0.2.1"]).after(Duration::from_millis(300)));
    let names = ["silent", "broken", "refused", "late"];
    let body =
        |name: &str| format!("dns: {{ name: {name}.test, resolvers: \"{}\" }}\ntimeout: 1s", server.addr());
    let scenarios: Vec<_> = names.iter().map(|name| (*name, body(name))).collect();
    let (events, _) = Project::with("", &scenarios).run();
    let check = |name: &str, wanted: &str| assert_said(&events, name, wanted);
    check("silent", "bad failed dns.timeout");
    check("broken", "bad failed dns.servfail");
    check("refused", "bad failed dns.refused");
    check("late", "good ok");
    // The server may have the query before the system says that it is sent.
    let late = event(&events, "late")["prober.timing.wait"].as_f64().unwrap();
    assert!((0.25..1.0).contains(&late), "{late}");
    assert!(event(&events, "late")["prober.run.duration"].as_f64().unwrap() >= 0.3);
    // Silence is asked once: nothing is repeated behind the author's back.
    let asked = server.queries().iter().filter(|query| query.name.starts_with("silent")).count();
    assert_eq!(asked, 1);
}

#[test]
fn secured_servers_and_signed_zones() {
    let good = Signed::new("shop.test", ZONE, Signing::default());
    let expired = Signed::new("shop.test", ZONE, Signing::expired());
    let (knot, stale) = (Knot::start("shop.test", &good.zone), Knot::start("shop.test", &expired.zone));
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let unbound = Unbound::start("shop.test.", knot.addr(), &good.ds, &identity);
    let doq = Doq::start(knot.addr(), &identity);
    let ask = |server: &str, more: &str, expect: &str| {
        format!("dns: {{ name: www.shop.test, resolvers: \"{server}\"{more} }}\n{expect}")
    };
    let ca = format!(", ca: \"{}\"", pki.root_file().display());
    let validate =
        |signed: &Signed| format!(", validate: true, trust_anchors: \"{}\"", signed.ds.replace('\t', " "));
    let two = "expect: { answers: { equals_set: [192.0.2.1, 192.0.2.2] } }";
    let project = Project::with(
        "",
        &[
            ("tls", ask(&format!("tls://{}", unbound.tls()), &ca, two)),
            ("https", ask(&format!("https://{}/dns-query", unbound.https()), &ca, two)),
            ("quic", ask(&format!("quic://{}", doq.addr()), &ca, two)),
            ("stranger", ask(&format!("tls://{}", unbound.tls()), "", two)),
            ("secure", ask(&knot.addr().to_string(), &validate(&good), "expect: { dnssec.reason: none }")),
            ("expired", ask(&stale.addr().to_string(), &validate(&expired), "")),
            (
                "believed",
                ask(&unbound.plain().to_string(), ", dnssec_ok: true", "expect: { authenticated: true }"),
            ),
        ],
    );
    let (events, ran) = project.run();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for (name, wanted) in [
        ("tls", "good ok"),
        ("https", "good ok"),
        ("quic", "good ok"),
        ("stranger", "bad failed tls.untrusted"),
        ("secure", "good ok"),
        ("expired", "bad failed dns.bogus"),
        ("believed", "good ok"),
    ] {
        assert_said(&events, name, wanted);
    }
    assert_eq!(phases(&hops(event(&events, "tls"), 0)[0]), "connect tls send wait receive");
    assert_eq!(phases(&hops(event(&events, "https"), 0)[0]), "connect tls send wait receive");
    assert_eq!(phases(&hops(event(&events, "quic"), 0)[0]), "handshake send wait receive");
    let expired = event(&events, "expired");
    assert_eq!(expired["prober.dns.dnssec.reason"], "signature_expired");
    let message = expired["prober.failure.message"].as_str().unwrap_or_default();
    assert!(message.contains("expired at"), "{expired:#}");
    // The question and what proves its answer are told apart.
    assert_eq!(hops(expired, 0).len(), 2, "{expired:#}");
    events.iter().for_each(assert_tiled);
}
