//! The kind `dns` against scripted servers, a real one, and hostile ones.

mod authority;
mod dig;
mod expected;
mod secured;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::rdata::{CNAME, NS, SOA, SRV};
use hickory_proto::rr::{Name, RData, Record};
use model::step::Phase;
use proptest::prelude::*;
use scenario::fields::Bound;
use scenario::value::{Reading, Value};
use testkit::dns::{Liar, Over, Reply, Server};
use testkit::servers::Knot;

use super::KIND;
use super::file::{classify, short};
use super::question::{Manner, QUESTION_BYTES_MAX, Question};
use super::types::record_type;
use crate::net::resolve::Servers;
use crate::net::shared::{NetConfig, Shared};
use crate::trial::{PATIENCE, Trial, compile, judge, patiently, run, shared, template, text, texts, told};

/// Short enough for a test, long enough for a loopback answer on a busy machine.
const LIMIT: Duration = Duration::from_millis(1500);

async fn ask(server: SocketAddr, name: &str, kind: &str) -> Trial {
    ask_all(&[server], name, kind, PATIENCE).await
}

async fn ask_all(servers: &[SocketAddr], name: &str, kind: &str, limit: Duration) -> Trial {
    let keys = vec![("name", template(name)), ("type", text(kind)), ("resolvers", texts(servers))];
    run(&KIND, keys, &shared(), limit).await
}

fn list(texts: &[&str]) -> Value<'static> {
    Value::List(texts.iter().map(|text| Value::Text((*text).to_owned().into())).collect())
}

#[tokio::test]
async fn an_answer_is_evidence() {
    let server = Server::start();
    server.on("shop.test", "A", Reply::a(&["203.0.113.11", "203.0.113.10"]).ttl(120));
    let trial = ask(server.addr(), "shop.test", "A").await;
    assert_eq!(trial.value("rcode"), Value::Text("NOERROR".into()));
    assert_eq!(trial.value("answers"), list(&["203.0.113.11", "203.0.113.10"]));
    assert_eq!(trial.value("ttl"), Value::Int(120));
    assert_eq!(trial.value("authoritative"), Value::Bool(true));
    assert_eq!(trial.value("truncated"), Value::Bool(false));
    assert_eq!(trial.value("answer_count"), Value::Int(2));
    assert_eq!(trial.read("soa.serial"), Reading::Absent);
    assert_eq!(trial.phases(0), [Phase::Send, Phase::Wait]);
    assert_eq!(trial.outcome.hops[0].status.as_deref(), Some("NOERROR"));
    assert_eq!(trial.outcome.hops[0].peer, Some(server.addr()));
    assert_eq!(trial.attribute("dns.question.name"), "shop.test");
    assert_eq!(trial.attribute("dns.question.type"), "A");
    assert_eq!(trial.attribute("network.transport"), "udp");
    let query = &server.queries()[0];
    assert!(query.recursion && !query.tcp);
    assert_eq!(query.payload_max, 1232);
    assert_eq!(server.udp_packets(), 1);
}

#[tokio::test]
async fn every_question_has_its_own_port() {
    let server = Server::start();
    for _ in 0..4 {
        ask(server.addr(), "shop.test", "A").await;
    }
    let mut ports: Vec<u16> = server.queries().iter().map(|query| query.from.port()).collect();
    ports.dedup();
    assert_eq!(ports.len(), 4);
}

#[tokio::test]
async fn types_have_their_zone_file_form() {
    let server = Server::start();
    server.on("shop.test", "MX", Reply::mx(10, "mail.shop.test"));
    server.on("shop.test", "TXT", Reply::txt(&["v=spf1 -all"]));
    server.on("shop.test", "NS", Reply::ns(&["ns1.test"]));
    server.on("shop.test", "SOA", Reply::soa(2_026_010_101));
    server.on("shop.test", "AAAA", Reply::aaaa(&["2001:db8::1"]));
    for (kind, shown) in [
        ("MX", "10 mail.shop.test."),
        ("TXT", "v=spf1 -all"),
        ("NS", "ns1.test."),
        ("AAAA", "2001:db8::1"),
        ("SOA", "ns1.test. hostmaster.test. 2026010101 3600 600 86400 60"),
    ] {
        let trial = ask(server.addr(), "shop.test", kind).await;
        assert_eq!(trial.value("answers"), list(&[shown]), "{kind}");
        if kind == "SOA" {
            assert_eq!(trial.value("soa.serial"), Value::Int(2_026_010_101));
            assert_eq!(trial.value("soa.minimum"), Value::Int(60));
        }
    }
}

/// As dig has them: what people read as `münchen.test` is another text than the one in a file.
#[tokio::test]
async fn international_names_are_shown_as_they_are_sent() {
    let (server, host) = (Server::start(), "xn--mnchen-3ya.test");
    let name = || Name::from_ascii("xn--mnchen-3ya.test.").unwrap();
    let srv = RData::SRV(SRV::new(1, 2, 443, name()));
    let soa = RData::SOA(SOA::new(name(), name(), 7, 1, 2, 3, 4));
    for (kind, reply, shown) in [
        ("CNAME", Reply::cname(host), "xn--mnchen-3ya.test."),
        ("MX", Reply::mx(10, host), "10 xn--mnchen-3ya.test."),
        ("SRV", Reply::empty().records([srv]), "1 2 443 xn--mnchen-3ya.test."),
        ("SOA", Reply::empty().records([soa]), "xn--mnchen-3ya.test. xn--mnchen-3ya.test. 7 1 2 3 4"),
    ] {
        server.on(host, kind, reply);
        let trial = ask(server.addr(), host, kind).await;
        assert_eq!(trial.value("answers"), list(&[shown]), "{kind}");
        let line = format!("xn--mnchen-3ya.test. {kind} {shown}");
        assert_eq!(trial.value("answer_section"), list(&[&line]), "{kind}");
    }
}

#[tokio::test]
async fn a_time_to_live_with_the_top_bit_is_none() {
    let server = Server::start();
    for (sent, counted) in [(0x7fff_ffff, 0x7fff_ffff), (0x8000_0000, 0), (u32::MAX, 0)] {
        server.on("shop.test", "A", Reply::a(&["203.0.113.11"]).ttl(sent));
        assert_eq!(ask(server.addr(), "shop.test", "A").await.value("ttl"), Value::Int(counted));
    }
}

#[tokio::test]
async fn an_answer_without_the_asked_type_is_no_good_answer() {
    let server = Server::start();
    server.on("shop.test", "A", Reply::cname("elsewhere.test"));
    let trial = ask(server.addr(), "shop.test", "A").await;
    assert_eq!(trial.value("rcode"), Value::Text("NODATA".into()));
    assert_eq!(trial.value("answers"), list(&[]));
    assert_eq!(trial.attribute("dns.response_code"), "NOERROR");
}

#[tokio::test]
async fn where_an_answer_without_records_leads_is_told() {
    let server = Server::start();
    let servers = RData::NS(NS("ns1.sub.shop.test.".parse().unwrap()));
    let referral = Reply::empty().not_authoritative().authority("sub.shop.test.", servers);
    let gone = RData::CNAME(CNAME("gone.test.".parse().unwrap()));
    for (reply, expected) in [
        (referral, "it refers to the name servers of sub.shop.test."),
        (Reply::cname("elsewhere.test"), "its alias elsewhere.test. has no such record here"),
        (Reply::rcode(3).records([gone]), "its alias gone.test. does not exist"),
    ] {
        server.on("www.sub.shop.test", "A", reply);
        let step = format!("dns: {{ name: www.sub.shop.test, resolvers: \"{}\" }}", server.addr());
        let told = told(&judge(&step).await);
        let code = if expected.ends_with("exist") { "rcode is NXDOMAIN" } else { "rcode is NODATA" };
        assert!(told.contains(code) && told.ends_with(&format!(": {expected}")), "{told}");
    }
}

#[tokio::test]
async fn any_record_answers_who_asks_for_any() {
    let server = Server::start();
    server.on("shop.test", "ANY", Reply::a(&["203.0.113.11"]));
    let trial = ask(server.addr(), "shop.test", "ANY").await;
    assert_eq!(trial.value("rcode"), Value::Text("NOERROR".into()));
    assert_eq!(trial.value("answers"), list(&["203.0.113.11"]));
}

#[tokio::test]
async fn response_codes_are_data() {
    let server = Server::start();
    for (code, word) in [(1, "FORMERR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (11, "RCODE11")] {
        server.on("shop.test", "A", Reply::rcode(code));
        let trial = ask(server.addr(), "shop.test", "A").await;
        assert_eq!(trial.value("rcode"), Value::Text(word.into()));
        assert_eq!(trial.outcome.failure, None);
    }
}

#[tokio::test]
async fn what_a_reply_says_beside_its_records() {
    let server = Server::start();
    let reply = Reply::rcode(5).as_resolver().nsid(b"fra-1").extended_error(18, "not for you");
    server.on("shop.test", "A", reply.of_zone("test", 9));
    let keys = vec![
        ("name", template("shop.test")),
        ("resolvers", texts([server.addr()])),
        ("nsid", Bound::Bool(true)),
        ("dnssec_ok", Bound::Bool(true)),
        ("checking_disabled", Bound::Bool(true)),
        ("udp_size", Bound::Int(4096)),
        ("client_subnet", text("203.0.113.77/24")),
    ];
    let trial = run(&KIND, keys, &shared(), PATIENCE).await;
    assert_eq!(trial.value("nsid"), Value::Text("fra-1".into()));
    assert_eq!(trial.value("extended_errors"), list(&["18 Prohibited: not for you"]));
    assert_eq!(trial.value("flags"), list(&["rd", "ra", "ad", "cd"]));
    assert_eq!(trial.value("authenticated"), Value::Bool(true));
    assert_eq!(trial.value("checking_disabled"), Value::Bool(true));
    assert_eq!(trial.value("recursion_desired"), Value::Bool(true));
    assert_eq!(trial.value("edns"), Value::Bool(true));
    assert_eq!(trial.value("edns.payload"), Value::Int(1232));
    assert_eq!(trial.value("authority_count"), Value::Int(1));
    assert_eq!(trial.value("additional_count"), Value::Int(0));
    assert_eq!(
        trial.value("authority_section"),
        list(&["test. SOA ns1.test. hostmaster.test. 9 3600 600 86400 60"])
    );
    assert_eq!(trial.read("client_subnet"), Reading::Absent);
    assert!(matches!(trial.value("query_time"), Value::Duration(took) if took < trial.took));
    assert_eq!(trial.outcome.evidence.explain("rcode").as_deref(), Some("18 Prohibited: not for you"));
    assert_eq!(trial.attribute("prober.dns.nsid"), "fra-1");
    let asked = &server.queries()[0].message;
    assert!(asked.metadata.checking_disabled);
    let edns = asked.edns.as_ref().unwrap();
    assert!(edns.flags().dnssec_ok && edns.max_payload() == 4096);
    let subnet = format!("{:?}", edns.option(hickory_proto::rr::rdata::opt::EdnsCode::Subnet));
    assert!(subnet.contains("203.0.113.0") && subnet.contains("source_prefix: 24"), "{subnet}");
}

#[tokio::test]
async fn records_of_another_name_are_no_answer() {
    let server = Server::start();
    server.on("shop.test", "A", Reply::a(&["192.0.2.1"]).owned_by("other.test").ttl(7));
    let trial = ask(server.addr(), "shop.test", "A").await;
    assert_eq!(trial.value("rcode"), Value::Text("NODATA".into()));
    assert_eq!(trial.value("answers"), list(&[]));
    assert_eq!(trial.read("ttl"), Reading::Absent);
    assert_eq!(trial.value("answer_count"), Value::Int(1), "the section is shown as it came");
    server.on("shop.test", "A", Reply::a(&["192.0.2.1"]).owned_by("SHOP.test"));
    assert_eq!(ask(server.addr(), "shop.test", "A").await.value("answers"), list(&["192.0.2.1"]));
}

#[tokio::test]
async fn the_systems_resolver_is_asked_as_applications_ask() {
    let keys = |name: &str, kind: &str| {
        vec![("name", template(name)), ("type", text(kind)), ("resolvers", texts(["system"]))]
    };
    // Every machine has this name in its hosts file.
    let trial = run(&KIND, keys("localhost", "A"), &shared(), PATIENCE).await;
    assert_eq!(trial.value("answers"), list(&["127.0.0.1"]));
    assert_eq!(trial.value("rcode"), Value::Text("NOERROR".into()));
    assert_eq!(trial.phases(0), [Phase::Dns]);
    assert_eq!(trial.read("ttl"), Reading::Absent);
    assert_eq!(trial.outcome.hops[0].label, "system");
    // Never looked up by the C library: it is too long for a name.
    let long = format!("{}.test", vec!["x".repeat(60); 4].join("."));
    let trial = run(&KIND, keys(&long, "AAAA"), &shared(), PATIENCE).await;
    assert!(trial.outcome.failure.is_some() || trial.value("rcode") != Value::Text("NOERROR".into()));
}

#[test]
fn broken_expectations_have_their_failure() {
    for (subject, actual, expected) in [
        ("rcode", "NXDOMAIN", Some("dns dns.nxdomain")),
        ("rcode", "NOERROR, SERVFAIL", Some("dns dns.servfail")),
        ("rcode", "REFUSED", Some("dns dns.refused")),
        ("rcode", "NODATA", Some("dns dns.no_answer")),
        ("rcode", "RCODE11", Some("dns dns.rcode11")),
        ("rcode", "NOERROR", None),
        ("answers", "[]", Some("incorrect assert.answer")),
        ("ttl", "5", None),
    ] {
        let found = classify(subject, actual, false).map(|(class, kind)| format!("{class} {kind}"));
        assert_eq!(found.as_deref(), expected, "{subject} {actual}");
    }
}

#[tokio::test]
async fn a_truncated_reply_is_asked_for_again_over_tcp() {
    let server = Server::start();
    let many: Vec<String> = (0..200).map(|n| format!("203.0.113.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    server.on("big.test", "A", Reply::a(&many).truncated());
    let trial = ask(server.addr(), "big.test", "A").await;
    assert_eq!(trial.value("truncated"), Value::Bool(true));
    assert_eq!(trial.value("rcode"), Value::Text("NOERROR".into()));
    assert_eq!(trial.value("answers"), list(&many));
    assert_eq!(trial.outcome.hops.len(), 2);
    assert_eq!(trial.phases(1), [Phase::Connect, Phase::Send, Phase::Wait, Phase::Receive]);
    assert_eq!((server.udp_packets(), server.tcp_queries()), (1, 1));
    assert_eq!(trial.attribute("network.transport"), "tcp");
    let Some(model::attribute::AttributeValue::List(shown)) = trial.outcome.attributes.get("dns.answers")
    else {
        panic!("the answers are noted");
    };
    assert_eq!(shown.len(), 32);
}

#[tokio::test]
async fn a_reply_that_is_cut_off_over_tcp_too_says_so() {
    let server = Server::start();
    server.on("big.test", "A", Reply::a(&["203.0.113.10"]).cut_off());
    for (transport, hops) in [("tcp", 1), ("udp", 2)] {
        let keys = vec![
            ("name", template("big.test")),
            ("transport", Bound::Choice(transport)),
            ("resolvers", texts([server.addr()])),
        ];
        let trial = run(&KIND, keys, &shared(), PATIENCE).await;
        assert_eq!(trial.value("truncated"), Value::Bool(true), "{transport}");
        assert_eq!(trial.outcome.hops.len(), hops, "{transport}");
        assert_eq!(trial.value("rcode"), Value::Text("NOERROR".into()), "there is a record");
        let cut_off = format!("the reply of {} was cut off", server.addr());
        for subject in ["answers", "ttl", "answer_count", "authority_section"] {
            assert_eq!(trial.read(subject), Reading::Unreadable(cut_off.clone()), "{transport} {subject}");
        }
    }
    server.on("none.test", "A", Reply::a(&[]).cut_off());
    let yaml = format!("dns: {{ name: none.test, resolvers: \"{}\" }}", server.addr());
    let told = told(&judge(&yaml).await);
    assert!(told.contains("rcode cannot be looked at: the reply of"), "nobody knows if it is NODATA: {told}");
}

#[tokio::test]
async fn tcp_alone_sends_no_datagram() {
    let server = Server::start();
    server.on("shop.test", "A", Reply::a(&["203.0.113.10"]));
    let keys = vec![
        ("name", template("shop.test")),
        ("transport", Bound::Choice("tcp")),
        ("recursion", Bound::Bool(false)),
        ("resolvers", texts([server.addr()])),
    ];
    let trial = run(&KIND, keys, &shared(), PATIENCE).await;
    assert_eq!(trial.value("truncated"), Value::Bool(false));
    assert_eq!(trial.outcome.hops.len(), 1);
    assert_eq!((server.udp_packets(), server.tcp_queries()), (0, 1));
    assert!(!server.queries()[0].recursion);
}

#[tokio::test]
async fn all_resolvers_are_asked_at_once_and_compared() {
    let (old, new) = (Server::start(), Server::start());
    old.on("shop.test", "SOA", Reply::soa(1).after(Duration::from_millis(150)));
    new.on("shop.test", "SOA", Reply::soa(2).after(Duration::from_millis(150)));
    let trial = ask_all(&[old.addr(), new.addr()], "shop.test", "SOA", PATIENCE).await;
    assert_eq!(trial.read("soa.serial"), Reading::Many(vec![Value::Int(1), Value::Int(2)]));
    assert_eq!(trial.value("rcode"), Value::Text("NOERROR".into()));
    assert_eq!(trial.outcome.hops.len(), 2);
    // Both were waiting at the same time.
    assert!(trial.outcome.hops[1].phases[1].start < trial.phase(0, Phase::Wait));
    let shown = format!("{:?}", trial.outcome.attributes.get("dns.answers"));
    assert!(shown.contains(&format!("1 3600 600 86400 60 @{}", old.addr())), "{shown}");
}

#[tokio::test]
async fn one_silent_resolver_fails_the_step_and_the_others_show() {
    let (silent, good) = (Server::start(), Server::start());
    silent.otherwise(Reply::silence());
    good.on("shop.test", "A", Reply::a(&["203.0.113.10"]));
    let trial = ask_all(&[good.addr(), silent.addr()], "shop.test", "A", LIMIT).await;
    assert_eq!(trial.failure(), "dns dns.timeout");
    assert_eq!(trial.outcome.hops[0].status.as_deref(), Some("NOERROR"));
    assert_eq!(trial.phases(1), [Phase::Send, Phase::Wait]);
    // Nothing was sent twice.
    assert_eq!(silent.udp_packets(), 1);
    assert_eq!(trial.message(), format!("{} did not answer within 1.5s", silent.addr()));
    trial.ended_in_time();
}

#[tokio::test]
async fn replies_to_other_questions_are_ignored_until_the_deadline() {
    for reply in [Reply::a(&["203.0.113.66"]).wrong_id(), Reply::a(&["203.0.113.66"]).wrong_question()] {
        let server = Server::start();
        server.otherwise(reply);
        let trial = ask_all(&[server.addr()], "shop.test", "A", LIMIT).await;
        assert_eq!(trial.failure(), "dns dns.timeout");
        assert!(
            trial.message().contains("did not belong to the question was ignored"),
            "{}",
            trial.message()
        );
        trial.ended_in_time();
        let keys = vec![
            ("name", template("shop.test")),
            ("transport", Bound::Choice("tcp")),
            ("resolvers", texts([server.addr()])),
        ];
        let trial = run(&KIND, keys, &shared(), PATIENCE).await;
        assert_eq!(trial.failure(), "protocol dns.malformed");
    }
}

#[tokio::test]
async fn garbage_does_not_end_the_wait_early_nor_late() {
    let server = Server::start();
    server.otherwise(Reply::garbage(b"\0\0\x80\0garbage"));
    let trial = ask_all(&[server.addr()], "shop.test", "A", LIMIT).await;
    assert_eq!(trial.failure(), "dns dns.timeout");
    trial.ended_in_time();
}

/// One good answer: an address for the name that was asked.
const GOOD: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xcb\0\x71\x0a";

#[tokio::test]
async fn malformed_answers_are_the_targets_failure() {
    for (answer, what) in [
        (&b"\xc0\x1b\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02\x03\x04"[..], "a name that points at itself"),
        (
            b"\xc0\x1d\xc0\x1b\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02\x03\x04",
            "two names that point at each other",
        ),
        (b"\xff\xff\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02\x03\x04", "a pointer behind the end"),
        (b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02", "an address cut short"),
        (b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\xff\xff\x01\x02\x03\x04", "a length beyond the end"),
        (b"", "no answer where one is claimed"),
    ] {
        let liar = Liar::start(move |question, _| vec![Liar::answered(question, answer)]);
        let trial = ask(liar.addr(), "shop.test", "A").await;
        assert_eq!(trial.failure(), "protocol dns.malformed", "{what}");
        assert_eq!(trial.phases(0), [Phase::Send, Phase::Wait]);
    }
}

#[tokio::test]
async fn a_flood_of_strangers_replies_does_not_hide_the_answer() {
    let liar = Liar::start(|question, _| {
        let mut replies = vec![vec![7; 100]; 50];
        replies.push(Liar::answered(question, GOOD));
        replies
    });
    let trial = ask(liar.addr(), "shop.test", "A").await;
    assert_eq!(trial.value("answers"), list(&["203.0.113.10"]));
    assert_eq!(trial.outcome.attributes.int("prober.dns.replies_ignored"), Some(50));
}

#[tokio::test]
async fn an_answer_from_another_port_is_not_heard() {
    let liar = Liar::from_elsewhere(|question, _| vec![Liar::answered(question, GOOD)]);
    let trial = ask_all(&[liar.addr()], "shop.test", "A", LIMIT).await;
    assert_eq!(trial.failure(), "dns dns.timeout");
    trial.ended_in_time();
}

#[tokio::test]
async fn an_oversized_datagram_is_malformed() {
    let liar = Liar::start(|question, _| {
        let mut reply = Liar::answered(question, GOOD);
        reply.resize(9000, 0);
        vec![reply]
    });
    let trial = ask(liar.addr(), "shop.test", "A").await;
    assert_eq!(trial.failure(), "protocol dns.malformed");
    assert!(trial.message().contains("longer than 4096 bytes"), "{}", trial.message());
}

#[tokio::test]
async fn what_follows_a_cut_off_reply_ends_in_time() {
    let cut_off = |question: &[u8]| {
        let mut reply = Liar::answered(question, b"");
        (reply[2], reply[7]) = (reply[2] | 0x02, 0);
        reply
    };
    let framed = |reply: Vec<u8>, length: u16| [&length.to_be_bytes()[..], &reply].concat();
    let check = async |stream: fn(Vec<u8>) -> Vec<u8>, claimed: u16, expected: &str, last: Phase| {
        let liar = Liar::start(move |question, over| match over {
            Over::Udp => vec![cut_off(question)],
            Over::Tcp => vec![framed(stream(Liar::answered(question, GOOD)), claimed)],
        });
        let trial = ask_all(&[liar.addr()], "shop.test", "A", LIMIT).await;
        assert_eq!(trial.failure(), expected);
        assert_eq!(trial.outcome.hops.len(), 2);
        assert_eq!(trial.phases(1).last(), Some(&last), "{expected}");
        trial.ended_in_time();
    };
    // As long as can be, and nothing of it is DNS.
    check(|_| vec![0xff; 65_535], 65_535, "protocol dns.malformed", Phase::Receive).await;
    // More is claimed than comes.
    check(|reply| reply, 65_535, "dns dns.timeout", Phase::Receive).await;
    // Half of the length.
    check(|_| Vec::new(), 0, "protocol dns.malformed", Phase::Receive).await;
    check(
        |mut reply| {
            reply[0] ^= 1;
            reply
        },
        43,
        "protocol dns.malformed",
        Phase::Receive,
    )
    .await;
}

#[tokio::test]
async fn nobody_listening_is_refused_at_once() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let trial = ask(closed, "shop.test", "A").await;
    assert_eq!(trial.failure(), "connect connect.refused");
    assert!(trial.took < PATIENCE / 2);
}

#[tokio::test]
async fn the_systems_resolvers_are_asked_where_none_are_named() {
    let server = Server::start();
    server.on("shop.test", "A", Reply::a(&["203.0.113.10"]));
    let servers = Servers::These(vec![server.addr()]);
    let shared = std::sync::Arc::new(Shared::new(NetConfig { servers, ..NetConfig::default() }));
    let trial = run(&KIND, vec![("name", template("shop.test"))], &shared, PATIENCE).await;
    assert_eq!(trial.value("answers"), list(&["203.0.113.10"]));
    let none = NetConfig { servers: Servers::These(Vec::new()), ..NetConfig::default() };
    let shared = std::sync::Arc::new(Shared::new(none));
    let trial = run(&KIND, vec![("name", template("shop.test"))], &shared, PATIENCE).await;
    assert_eq!(trial.failure(), "local local.config");
}

#[tokio::test]
async fn a_real_server_answers() {
    let zone = "$ORIGIN knot.test.\n$TTL 300\n\
        @ SOA ns1 hostmaster 7 3600 600 86400 60\n@ NS ns1\nns1 A 127.0.0.1\n\
        shop A 203.0.113.10\nshop A 203.0.113.11\nwww CNAME shop\n@ CAA 0 issue \"ca.test\"\n\
        _sip._tcp SRV 1 2 5060 shop\nbig TXT \"x\"\nodd TYPE65534 \\# 3 0a0b0c\n";
    let filler: Vec<String> = (0..20).map(|n| format!("big TXT \"{n}-{}\"\n", "y".repeat(200))).collect();
    let knot = Knot::start("knot.test", &format!("{zone}{}", filler.concat()));
    let trial = ask(knot.addr(), "www.knot.test", "A").await;
    let Value::List(found) = trial.value("answers") else { panic!("answers are a list") };
    assert_eq!(found.len(), 2);
    assert_eq!(trial.value("answer_count"), Value::Int(3));
    assert_eq!(trial.value("authoritative"), Value::Bool(true));
    assert_eq!(trial.value("recursion_available"), Value::Bool(false));
    assert_eq!(trial.value("ttl"), Value::Int(300));
    for (name, kind, answer) in [
        ("knot.test", "CAA", "0 issue \"ca.test\""),
        ("_sip._tcp.knot.test", "SRV", "1 2 5060 shop.knot.test."),
        ("odd.knot.test", "TYPE65534", "\\# 3 0a0b0c"),
        ("SHOP.knot.TEST.", "cname", ""),
    ] {
        let trial = ask(knot.addr(), name, kind).await;
        if answer.is_empty() {
            assert_eq!(trial.value("rcode"), Value::Text("NODATA".into()), "{name}");
            assert_eq!(trial.value("soa.serial"), Value::Int(7));
        } else {
            assert_eq!(trial.value("answers"), list(&[answer]));
        }
    }
    let trial = ask(knot.addr(), "big.knot.test", "TXT").await;
    assert_eq!(trial.value("truncated"), Value::Bool(true));
    assert_eq!(trial.value("answer_count"), Value::Int(21));
    assert_eq!(trial.outcome.hops.len(), 2);
    assert_eq!(ask(knot.addr(), "no.knot.test", "A").await.value("rcode"), Value::Text("NXDOMAIN".into()));
    assert_eq!(ask(knot.addr(), "other.test", "A").await.value("rcode"), Value::Text("REFUSED".into()));
}

#[tokio::test]
async fn a_timeout_names_the_phase_of_the_server_whose_failure_is_told() {
    let silent = testkit::hostile::Hostile::start(testkit::hostile::Fault::HalfOpen);
    let full = testkit::hostile::Unconnectable::start();
    let ask_both = async |servers: [SocketAddr; 2], limit| {
        let mut keys = vec![("name", template("shop.test")), ("transport", Bound::Choice("tcp"))];
        keys.push(("resolvers", texts(servers)));
        run(&KIND, keys, &shared(), limit).await
    };
    for (servers, phase) in
        [([silent.addr(), full.addr()], "wait"), ([full.addr(), silent.addr()], "connect")]
    {
        let is_told = |trial: &Trial| trial.outcome.attributes.text("timeout.phase") == Some(phase);
        let trial = patiently(is_told, async |limit| ask_both(servers, limit).await).await;
        assert_eq!(trial.failure(), "dns dns.timeout");
        assert_eq!(trial.attribute("timeout.phase"), phase);
    }
}

#[tokio::test]
async fn a_scenario_file_says_it_all() {
    let (good, other) = (Server::start(), Server::start());
    good.on("shop.test", "A", Reply::a(&["203.0.113.10"]).ttl(60));
    other.on("shop.test", "A", Reply::a(&["203.0.113.11"]).ttl(600));
    let one = format!("dns: {{ name: shop.test, resolvers: \"{}\" }}", good.addr());
    let two = format!("dns: {{ name: shop.test, resolvers: [\"{}\", \"{}\"] }}", good.addr(), other.addr());
    for (step, expected) in [
        (one.clone(), "ok"),
        (
            format!(
                "{one}\nexpect: {{ answers: {{ contains: 203.0.113.10 }}, ttl: {{ lte: 300 }}, authoritative: true }}"
            ),
            "ok",
        ),
        (
            format!("{one}\nexpect: {{ answers: {{ equals_set: [203.0.113.9] }} }}"),
            "failed incorrect assert.answer: answers is [\"203.0.113.10\"], expected ",
        ),
        (
            one.replace("shop.test", "gone.test"),
            "failed dns dns.nxdomain: rcode is NXDOMAIN, expected NOERROR",
        ),
        (format!("{}\nexpect: {{ rcode: NXDOMAIN }}", one.replace("shop.test", "gone.test")), "ok"),
        (format!("{one}\nexpect: {{ rcode: NXDOMAIN }}"), "failed incorrect assert.rcode: rcode is NOERROR"),
        (two.clone(), "ok"),
        (
            format!("{two}\nexpect: {{ ttl: {{ lte: 300 }} }}"),
            &format!(
                "failed incorrect assert.ttl: ttl is 60 from {0}, 600 from {1}, expected ≤ 300 ({1} says 600)",
                good.addr(),
                other.addr()
            ),
        ),
        (format!("{two}\nexpect: {{ agree: [rcode, authoritative] }}"), "ok"),
        (
            format!("{two}\nexpect: {{ agree: [rcode, ttl] }}"),
            &format!(
                "failed incorrect assert.ttl: agree ttl is 60 from {}, 600 from {}, expected the same from each",
                good.addr(),
                other.addr()
            ),
        ),
        (
            two.replace("shop.test", "gone.test"),
            &format!(
                "failed dns dns.nxdomain: rcode is NXDOMAIN, expected NOERROR (from each of {}, {})",
                good.addr(),
                other.addr()
            ),
        ),
        (
            format!("{one}\nexpect: {{ soa.serial: 7 }}"),
            "failed incorrect assert.soa.serial: soa.serial is not there",
        ),
    ] {
        let told = told(&judge(&step).await);
        assert!(told.starts_with(expected), "{step}\n{told}");
    }
}

#[tokio::test]
async fn an_answer_without_anything_to_prove_is_judged_by_its_code() {
    let server = Server::start();
    server.on("shop.test", "A", Reply::rcode(2));
    let dns = format!("dns: {{ name: shop.test, resolvers: [\"{}\"], validate: true }}", server.addr());
    let servfail = "failed dns dns.servfail: rcode is SERVFAIL, expected NOERROR";
    for (expect, expected) in [
        ("", servfail),
        ("\nexpect: { rcode: NOERROR }", servfail),
        ("\nexpect: { rcode: SERVFAIL }", "ok"),
        (
            "\nexpect: { rcode: SERVFAIL, dnssec: secure }",
            "failed incorrect assert.dnssec: dnssec is not there",
        ),
    ] {
        let told = told(&judge(&format!("{dns}{expect}")).await);
        assert!(told.starts_with(expected), "{expect}: {told}");
    }
}

#[tokio::test]
async fn aliases_without_an_end_are_no_empty_answer() {
    let alias = |owner: String, target: String| {
        let name = |text: &str| Name::from_ascii(text).unwrap();
        Record::from_rdata(name(&owner), 60, RData::CNAME(CNAME(name(&target))))
    };
    let server = |answers: Vec<Record>| {
        Liar::start(move |question, _| {
            let mut message = Message::from_vec(question).unwrap();
            message.metadata.message_type = MessageType::Response;
            message.add_answers(answers.clone());
            vec![message.to_vec().unwrap()]
        })
    };
    let looped = [("shop.test.", "a.test."), ("a.test.", "SHOP.test.")];
    let looped = looped.map(|(owner, target)| alias(owner.to_owned(), target.to_owned())).to_vec();
    let step = |number| if number == 0 { "shop.test.".to_owned() } else { format!("a{number}.test.") };
    let long = (0..20).map(|number| alias(step(number), step(number + 1))).collect();
    for (answers, why) in [
        (looped, "answered with aliases that lead in a circle: shop.test. → a.test. → SHOP.test."),
        (long, "answered with more than 16 aliases, which are not followed: shop.test. → a1.test. → "),
    ] {
        let server = server(answers);
        let trial = ask(server.addr(), "shop.test", "A").await;
        assert_eq!(trial.failure(), "dns dns.no_answer");
        assert!(trial.message().contains(why), "{}", trial.message());
    }
}

#[test]
fn mistakes_in_the_file() {
    let check = |keys: Vec<(&'static str, Bound)>| compile(&KIND, keys).err().unwrap_or_default();
    let resolver = |text: &str| vec![("name", template("shop.test")), ("resolvers", texts([text]))];
    assert_eq!(
        check(vec![("name", template("https://shop.test/")), ("type", text("AXFR"))]),
        ["E105: `AXFR` is not a record type that can be asked for"]
    );
    for name in ["https://shop.test/", "", "a..b", "shop test", &"x".repeat(64), &"a.".repeat(200)] {
        let mistakes = check(vec![("name", template(name))]);
        assert_eq!(mistakes, [format!("E131: `{name}` is not a domain name")]);
    }
    assert_eq!(
        check(vec![("name", template("shop.test")), ("resolvers", texts(["ns1.test", "192.0.2.1:0"]))]),
        [
            "E123: `ns1.test` is not the address of a resolver",
            "E123: `192.0.2.1:0` is not the address of a resolver"
        ]
    );
    for resolver in ["192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53"] {
        assert!(check(vec![("name", template("shop.test")), ("resolvers", texts([resolver]))]).is_empty());
    }
    for server in ["udp://192.0.2.1", "tcp://192.0.2.1:53", "tls://dns.test", "tls://[2001:db8::1]:8853"] {
        assert_eq!(check(resolver(server)), [""; 0], "{server}");
    }
    for server in ["https://dns.test/dns-query", "https://dns.test/q{?dns}", "quic://dns.test", "system"] {
        assert_eq!(check(resolver(server)), [""; 0], "{server}");
    }
    for (server, mistake) in [
        ("http://dns.test/", "`http://` is no way to ask a resolver"),
        ("https://user@dns.test/", "this URL has a user name or password in it"),
        ("tls://", "`` has no host"),
        ("udp://dns.test", "`dns.test` is not the address of a resolver"),
    ] {
        assert_eq!(check(resolver(server)), [format!("E123: {mistake}")], "{server}");
    }
    let with = |server: &str, more: (&'static str, Bound)| {
        let mut keys = resolver(server);
        keys.push(more);
        check(keys).concat()
    };
    assert!(
        with("192.0.2.1", ("ca", text("ca.pem")))
            .starts_with("E135: `trust`, `ca` and `server_name` are for")
    );
    assert!(with("192.0.2.1", ("port", Bound::Int(5353))).starts_with("E135: `port` is that of a zone's"));
    assert!(
        with("system", ("type", text("MX"))).starts_with("E135: the system's resolver looks up addresses")
    );
    assert!(with("system", ("validate", Bound::Bool(true))).starts_with("E135: the system's resolver shows"));
    assert!(
        with("192.0.2.1", ("client_subnet", text("192.0.2.0"))).starts_with("E123: `192.0.2.0` is not a")
    );
    assert!(with("192.0.2.1", ("client_subnet", text("192.0.2.0/33"))).starts_with("E123"));
    assert!(with("192.0.2.1", ("trust_anchors", texts(["shop.test. A 192.0.2.1"]))).starts_with("E123"));
    assert!(
        with("192.0.2.1", ("trust_anchors", texts(["anchors"]))).starts_with("E135: `trust_anchors` are")
    );
    assert_eq!(short("shop.test"), [("name", 0..9)]);
}

#[test]
fn an_address_is_asked_for_by_its_reverse_name() {
    let kind = record_type("PTR").unwrap();
    let question = Question::new("127.0.0.1", kind, &Manner::default()).unwrap();
    let name = b"\x011\x010\x010\x03127\x07in-addr\x04arpa\0";
    let mut room = [0; 2 + QUESTION_BYTES_MAX];
    assert_eq!(&question.ask().write(&mut room)[12..12 + name.len()], name);
}

#[test]
fn a_reply_of_another_operation_answers_no_query() {
    let question = Question::new("shop.test", record_type("A").unwrap(), &Manner::default()).unwrap();
    let asked = question.ask();
    let mut reply = asked.write(&mut [0; 2 + QUESTION_BYTES_MAX]).to_vec();
    for code in 0..16 {
        reply[2] = 0x81 | code << 3;
        assert_eq!(asked.is_answered_by(&reply), code == 0, "{code}");
    }
}

#[test]
fn only_an_error_or_a_cut_may_leave_the_question_out() {
    let question = Question::new("shop.test", record_type("ANY").unwrap(), &Manner::default()).unwrap();
    let asked = question.ask();
    let head = asked.write(&mut [0; 2 + QUESTION_BYTES_MAX])[..12].to_vec();
    // NSD sends the second one to whoever asks for ANY over UDP.
    for (flags, code, expected) in [(0x81, 5, true), (0x82, 0, true), (0x80, 0, false)] {
        let mut reply = head.clone();
        (reply[2], reply[3], reply[5], reply[11]) = (flags, code, 0, 0);
        assert_eq!(asked.is_answered_by(&reply), expected, "{flags:x} {code}");
    }
}

proptest! {
    /// No reply whatever makes the decoder panic, and only a response to the question is taken.
    #[test]
    fn any_bytes_are_survived(head in any::<[u8; 10]>(), tail in proptest::collection::vec(any::<u8>(), 0..600)) {
        let question = Question::new("shop.test", record_type("A").unwrap(), &Manner::default()).unwrap();
        let asked = question.ask();
        let mut reply = asked.write(&mut [0; 2 + QUESTION_BYTES_MAX]).to_vec();
        prop_assert!(!asked.is_answered_by(&reply));
        reply.truncate(reply.len() - 11);
        reply[2..12].copy_from_slice(&head);
        (reply[2], reply[4], reply[5]) = (reply[2] & 0x07 | 0x80, 0, 1);
        reply.extend_from_slice(&tail);
        prop_assert!(asked.is_answered_by(&reply));
        if let Ok(message) = Message::from_vec(&reply) {
            for record in message.answers.iter().chain(&message.authorities).chain(&message.additionals) {
                prop_assert!(!super::types::line(record).is_empty());
            }
            super::edns::errors(&message);
        }
    }
}
