//! The kind `dns` against scripted servers, a real one, and hostile ones.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use model::step::Phase;
use proptest::prelude::*;
use scenario::fields::Bound;
use scenario::value::{Reading, Value};
use testkit::dns::{Reply, Server};
use testkit::servers::Knot;

use super::KIND;
use super::file::{classify, short};
use super::question::Question;
use crate::net::resolve::Servers;
use crate::net::shared::{NetConfig, Shared};
use crate::trial::{PATIENCE, Trial, compile, judge, run, shared, template, text, texts, told};

/// Short enough for a test, long enough for a loopback answer on a busy machine.
const LIMIT: Duration = Duration::from_millis(400);

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
async fn response_codes_are_data() {
    let server = Server::start();
    for (code, word) in [(1, "FORMERR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (11, "RCODE11")] {
        server.on("shop.test", "A", Reply::rcode(code));
        let trial = ask(server.addr(), "shop.test", "A").await;
        assert_eq!(trial.value("rcode"), Value::Text(word.into()));
        assert_eq!(trial.outcome.failure, None);
    }
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
    assert_eq!(trial.message(), format!("{} did not answer within 400ms", silent.addr()));
    trial.ended_within(LIMIT);
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
        trial.ended_within(LIMIT);
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
    trial.ended_within(LIMIT);
}

/// A server that answers each question with what `forge` makes of it.
fn forger(
    forge: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let addr = socket.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        for reply in forge(&buffer[..length]) {
            // The asker may have gone.
            let _sent = socket.send_to(&reply, from);
        }
    });
    (addr, thread)
}

/// The question as a response that claims one answer, followed by `answer`.
fn answered(question: &[u8], answer: &[u8]) -> Vec<u8> {
    let end = question.len() - 11;
    let mut reply = question[..end].to_vec();
    reply[2] |= 0x80;
    reply[7] = 1;
    (reply[10], reply[11]) = (0, 0);
    reply.extend_from_slice(answer);
    reply
}

#[tokio::test]
async fn malformed_answers_are_the_targets_failure() {
    for (answer, what) in [
        (&b"\xc0\x1b\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02\x03\x04"[..], "a name that points at itself"),
        (b"\xff\xff\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02\x03\x04", "a pointer behind the end"),
        (b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02", "an address cut short"),
        (b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\xff\xff\x01\x02\x03\x04", "a length beyond the end"),
        (b"", "no answer where one is claimed"),
    ] {
        let (addr, thread) = forger(move |question| vec![answered(question, answer)]);
        let trial = ask(addr, "shop.test", "A").await;
        assert_eq!(trial.failure(), "protocol dns.malformed", "{what}");
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_flood_of_strangers_replies_does_not_hide_the_answer() {
    let (addr, thread) = forger(|question| {
        let mut replies = vec![vec![7; 100]; 50];
        replies.push(answered(question, b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xcb\0\x71\x0a"));
        replies
    });
    let trial = ask(addr, "shop.test", "A").await;
    assert_eq!(trial.value("answers"), list(&["203.0.113.10"]));
    assert_eq!(trial.outcome.attributes.int("prober.dns.replies_ignored"), Some(50));
    thread.join().unwrap();
}

#[tokio::test]
async fn an_oversized_datagram_is_malformed() {
    let (addr, thread) = forger(|question| {
        let mut reply = answered(question, b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xcb\0\x71\x0a");
        reply.resize(9000, 0);
        vec![reply]
    });
    let trial = ask(addr, "shop.test", "A").await;
    assert_eq!(trial.failure(), "protocol dns.malformed");
    assert!(trial.message().contains("longer than 4096 bytes"), "{}", trial.message());
    thread.join().unwrap();
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

#[test]
fn mistakes_in_the_file() {
    let check = |keys: Vec<(&'static str, Bound)>| compile(&KIND, keys).err().unwrap_or_default();
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
    assert_eq!(short("shop.test"), [("name", 0..9)]);
}

#[test]
fn an_address_is_asked_for_by_its_reverse_name() {
    let kind = super::question::record_type("PTR").unwrap();
    let question = Question::new("127.0.0.1", kind, true).unwrap();
    let asked = question.ask();
    let name = b"\x011\x010\x010\x03127\x07in-addr\x04arpa\0";
    assert_eq!(&asked.bytes()[12..12 + name.len()], name);
}

proptest! {
    /// No reply whatever makes the decoder panic, and only a response to the question is taken.
    #[test]
    fn any_bytes_are_survived(head in any::<[u8; 10]>(), tail in proptest::collection::vec(any::<u8>(), 0..600)) {
        let question = Question::new("shop.test", super::question::record_type("A").unwrap(), true).unwrap();
        let asked = question.ask();
        let mut reply = asked.bytes().to_vec();
        prop_assert!(!asked.is_answered_by(&reply));
        reply.truncate(reply.len() - 11);
        reply[2..12].copy_from_slice(&head);
        (reply[2], reply[4], reply[5]) = (reply[2] | 0x80, 0, 1);
        reply.extend_from_slice(&tail);
        prop_assert!(asked.is_answered_by(&reply));
        let server = "127.0.0.1:53".parse().unwrap();
        if let Ok(message) = hickory_proto::op::Message::from_vec(&reply) {
            let answer = super::answer::Answer::new(server, &message, asked.kind(), false);
            prop_assert!(!answer.rcode.is_empty());
        }
    }
}
