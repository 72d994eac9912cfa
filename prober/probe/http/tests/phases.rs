//! Each delay is billed to its phase, also when the run fails.

use model::step::Phase::{Connect, Dns, Receive, Send, Tls, Wait};
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;

/// How much more than a delay a phase may take on a busy machine, beside its pauses.
const NOISE: Duration = Duration::from_millis(150);
/// How often it is tried: what a busy machine adds, it does not add every time.
const TRIES: u64 = 5;

async fn slow_everywhere(speech: Speech, definition: &str) {
    let pki = Pki::new();
    let server = Server::start_tls(pki.identity(&["shop.test"], Flaw::None).server_config(&speech));
    server.delay_tls(MS(200));
    let reply = Reply::status(200).after(MS(300)).body("a").pause(MS(200)).body("b").pause(MS(200)).body("c");
    server.on("/", reply);
    let names = testkit::dns::Server::start();
    names.on("shop.test", "A", testkit::dns::Reply::a(&["127.0.0.1"]).after(MS(250)));
    names.on("shop.test", "AAAA", testkit::dns::Reply::empty().after(MS(250)));
    let mut keys = get(server.url_as("shop.test", "/"));
    keys.push(("ca", text(pki.root_file().display().to_string())));
    let delays = [(Dns, 250), (Connect, 0), (Tls, 200), (Send, 0), (Wait, 300), (Receive, 400)];
    let (shared, mut runs) = (shared_asking(names.addr()), 0);
    let trial = loop {
        let trial = trial::run(&KIND, keys.clone(), &shared, trial::PATIENCE).await;
        runs += 1;
        assert_eq!(trial.outcome.failure, None);
        assert_eq!(trial.phases(0), delays.map(|(phase, _)| phase));
        match delays.iter().find_map(|(phase, ms)| trial.misbilled((0, *phase), (MS(*ms), NOISE))) {
            None => break trial,
            Some(wrong) => assert!(runs < TRIES, "{wrong}"),
        }
    };
    assert_eq!(names.udp_packets(), 2 * runs, "one question for each family, never repeated");
    assert_eq!(trial.attribute("prober.ttfb.definition"), definition);
    assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
    assert_eq!(trial.attribute("server.address"), "shop.test");
    assert_eq!(trial.attribute("network.peer.address"), "127.0.0.1");
    assert_eq!(trial.attribute("tls.server.hash.sha256").len(), 64);
    assert_eq!(trial.value("body"), scenario::value::Value::Text("abc".into()));
}

#[tokio::test]
async fn each_delay_is_billed_to_its_phase_over_http_1() {
    slow_everywhere(Speech::h1(), "first_byte").await;
}

#[tokio::test]
async fn each_delay_is_billed_to_its_phase_over_http_2() {
    slow_everywhere(Speech::h2(), "response_headers").await;
}

#[tokio::test]
async fn an_address_needs_no_dns_phase_and_plain_http_no_tls_phase() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let trial = trial::run(&KIND, get(server.url("/")), &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.phases(0), [Connect, Send, Wait, Receive]);
    let begin = trial.outcome.hops[0].phases[0].start;
    assert!(begin < MS(100), "the first phase begins with the step: {begin:?}");
}

#[tokio::test]
async fn a_deadline_names_the_phase_and_keeps_those_before() {
    let pki = Pki::new();
    let tls = pki.identity(&["localhost"], Flaw::None).server_config(&Speech::h1());
    for (fault, scheme, phases) in [
        (Fault::HalfOpen, "http", &[Connect, Send, Wait][..]),
        (Fault::TlsStall, "https", &[Connect, Tls]),
        (Fault::SilentAfterTls(tls), "https", &[Connect, Tls, Send, Wait]),
        (Fault::Drip(MS(100)), "http", &[Connect, Send, Wait, Receive]),
    ] {
        let hostile = Hostile::start(fault.clone());
        // A literal address: the certificate is not looked at before the deadline.
        let mut keys = get(format!("{scheme}://localhost:{}/", hostile.addr().port()));
        keys.push(("ca", text(pki.root_file().display().to_string())));
        keys.push(("ip", Bound::Choice("4")));
        let last = *phases.last().unwrap();
        let visit = async |limit| trial::run(&KIND, keys.clone(), &trial::shared(), limit).await;
        let trial = trial::until_in(last, visit).await;
        trial.ended_in_time();
        assert_eq!(trial.failure(), "timeout timeout", "{fault:?}");
        let measured: Vec<_> = trial.phases(0).into_iter().filter(|phase| *phase != Dns).collect();
        assert_eq!(measured, phases, "{fault:?}");
        assert_eq!(trial.attribute("timeout.phase"), last.as_str());
        let end = trial.outcome.hops[0].phases.last().map(|span| span.start + span.duration).unwrap();
        assert!(end >= trial.limit, "the phase in progress lasts until the deadline: {end:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_keeps_its_attempt() {
    let port = testkit::wait::free_port();
    let trial =
        trial::run(&KIND, get(format!("http://127.0.0.1:{port}/")), &trial::shared(), trial::PATIENCE).await;
    assert_eq!(trial.failure(), "connect connect.refused");
    assert_eq!(trial.phases(0), [Connect]);
    let attempts = &trial.outcome.hops[0].attempts;
    assert_eq!(attempts.len(), 1);
    assert_eq!(&*attempts[0].error_type, "connect.refused");
    assert_eq!(attempts[0].peer.port(), port);
}

#[tokio::test]
async fn the_first_of_several_addresses_that_answers_is_used() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let names = testkit::dns::Server::start();
    // Nobody listens at the first two.
    names.on("shop.test", "AAAA", testkit::dns::Reply::aaaa(&["::1"]));
    names.on("shop.test", "A", testkit::dns::Reply::a(&["127.0.0.9", "127.0.0.1"]));
    let url = server.url_as("shop.test", "/");
    let trial = trial::run(&KIND, get(url), &shared_asking(names.addr()), trial::PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    let hop = &trial.outcome.hops[0];
    assert_eq!(hop.peer, Some(server.addr()));
    let tried: Vec<_> = hop.attempts.iter().map(|attempt| attempt.peer.ip().to_string()).collect();
    assert_eq!(tried, ["::1", "127.0.0.9"]);
}

#[tokio::test]
async fn names_that_do_not_resolve_are_told_apart() {
    use testkit::dns::Reply as Names;
    let names = testkit::dns::Server::start();
    for (name, reply) in [
        ("nowhere.test", Names::rcode(3)),
        ("broken.test", Names::rcode(2)),
        ("closed.test", Names::rcode(5)),
        ("empty.test", Names::empty()),
    ] {
        names.on(name, "A", reply.clone());
        names.on(name, "AAAA", reply);
    }
    names.on("silent.test", "A", Names::silence());
    names.on("silent.test", "AAAA", Names::silence());
    let shared = shared_asking(names.addr());
    for (name, failure) in [
        ("nowhere.test", "dns dns.nxdomain"),
        ("broken.test", "dns dns.servfail"),
        ("closed.test", "dns dns.refused"),
        ("empty.test", "dns dns.no_answer"),
        // The step's own deadline comes before the resolver's patience ends.
        ("silent.test", "timeout timeout"),
    ] {
        let limit = if failure.starts_with("timeout") { MS(600) } else { trial::PATIENCE };
        let trial = trial::run(&KIND, get(format!("http://{name}/")), &shared, limit).await;
        assert_eq!(trial.failure(), failure);
        assert_eq!(trial.phases(0), [Dns], "{name}");
        trial.ended_in_time();
    }
    names.on("foreign.test", "A", Names::a(&["127.0.0.1"]).owned_by("other.test"));
    names.on("foreign.test", "AAAA", Names::empty());
    names.on("old.test", "A", Names::a(&["127.0.0.1"]).without_edns());
    names.on("old.test", "AAAA", Names::empty().without_edns());
    let foreign = trial::run(&KIND, get("http://foreign.test/"), &shared, trial::PATIENCE).await;
    assert_eq!(foreign.message(), "foreign.test has no address");
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let old = trial::run(&KIND, get(server.url_as("old.test", "/")), &shared, trial::PATIENCE).await;
    assert_eq!(old.outcome.failure, None, "a server that knows no EDNS is asked without it");
    let none = crate::net::resolve::Servers::These(Vec::new());
    let none = crate::net::shared::NetConfig { servers: none, ..Default::default() };
    let none = Arc::new(crate::net::shared::Shared::new(none));
    let unasked = trial::run(&KIND, get("http://a.test/"), &none, trial::PATIENCE).await;
    assert_eq!(unasked.message(), "this machine has no resolver to ask for a.test");
    assert_eq!(unasked.failure(), "local local.config");
    let nowhere = shared_asking(([127, 0, 0, 1], 1).into());
    let nobody = trial::run(&KIND, get("http://a.test/"), &nowhere, trial::PATIENCE).await;
    assert_eq!(nobody.failure(), "dns dns.unreachable");
}
