//! Where the time goes: the phases tile the total whatever fails, and each delay is billed to its phase alone.

use std::collections::BTreeMap;

use model::step::Phase;
use proptest::prelude::*;
use testkit::dns as names;
use testkit::hostile::SlowToConnect;
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};
use testkit::proxy;

use super::*;
use crate::trial::{EARLY, PATIENCE, shared_asking};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// How much of a run may be in no phase.
const UNBILLED: Duration = Duration::from_millis(1);
/// How much more than the delay a phase may take on a machine that does other things too, beside its pauses.
const NOISE: Duration = Duration::from_millis(25);
/// Noise only adds, so the best of some runs says what is measured; the first good one is enough.
const TRIES: usize = 8;

/// How a run is made to end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum End {
    Good,
    /// The deadline, so long after the start.
    Deadline(u64),
    /// The name does not exist.
    NoName,
    /// Nobody listens.
    Refused,
    /// The certificate is for another name.
    WrongName,
    /// The connection breaks in the middle of the body.
    Broken,
    /// The connection ends after so many bytes from the server, wherever that is.
    CutAfter(u64),
    /// The server says 500, which is a whole answer.
    Sorry,
}

/// Delays in milliseconds.
#[derive(Copy, Clone, Debug)]
struct Delays {
    dns: u64,
    tls: u64,
    wait: u64,
    receive: u64,
}

/// A shop behind a name, TLS and a proxy, as slow as it is told to be.
struct Shop {
    server: Server,
    proxy: proxy::Proxy,
    _names: names::Server,
    shared: Arc<Shared>,
    port: u16,
    ca: String,
    _pki: Pki,
}

impl Shop {
    fn open(speech: &Speech, delays: Delays, end: End) -> Self {
        let pki = Pki::new();
        let flaw = if end == End::WrongName { Flaw::WrongName } else { Flaw::None };
        let server = Server::start_tls(pki.identity(&["shop.test"], flaw).server_config(speech));
        server.delay_tls(MS(delays.tls));
        let status = if end == End::Sorry { 500 } else { 200 };
        let reply =
            Reply::status(status).after(MS(delays.wait)).body("a").pause(MS(delays.receive)).body("b");
        server.on("/", if end == End::Broken { reply.broken() } else { reply });
        let names = names::Server::start();
        let known = match end {
            End::NoName => names::Reply::rcode(3),
            _ => names::Reply::a(&["127.0.0.1"]),
        };
        let other = if end == End::NoName { names::Reply::rcode(3) } else { names::Reply::empty() };
        names.on("shop.test", "A", known.after(MS(delays.dns)));
        names.on("shop.test", "AAAA", other.after(MS(delays.dns)));
        let proxy = proxy::Proxy::start(server.addr());
        if let End::CutAfter(bytes) = end {
            proxy.set(proxy::Fault::CutAfter(bytes));
        }
        let port = if end == End::Refused { testkit::wait::free_port() } else { proxy.addr().port() };
        let shared = shared_asking(names.addr());
        let ca = pki.root_file().display().to_string();
        Self { server, proxy, _names: names, shared, port, ca, _pki: pki }
    }

    async fn visit(&self, way: Way, limit: Duration) -> Trial {
        let mut keys = way.keys(&format!("shop.test:{}", self.port));
        keys.push(("ca", text(&self.ca)));
        trial::run(way.kind(), keys, &self.shared, limit).await
    }

    /// Visits until a run has only what `wrong` lets pass; panics with what is wrong with the last one.
    async fn visit_until(&self, way: Way, limit: Duration, wrong: impl Fn(&Trial) -> Option<String>) {
        // What is read once is read before anything is measured.
        self.visit(way, limit).await;
        let mut last = None;
        for _ in 0..TRIES {
            let trial = self.visit(way, limit).await;
            last = wrong(&trial);
            if last.is_none() {
                return;
            }
        }
        panic!("{way:?}: {}, {} connections", last.unwrap_or_default(), self.proxy.connections());
    }
}

/// The pauses of the machine while one phase went on, or all of them.
fn stalled(trial: &Trial, phase: Option<Phase>) -> Duration {
    let spans = trial.outcome.hops.iter().flat_map(|hop| &hop.phases);
    let spans = spans.filter(|span| phase.is_none_or(|phase| span.phase == phase));
    spans.map(|span| trial.stalled_in(span.start, span.start + span.duration)).sum()
}

/// The time of each phase over all hops.
fn phases(trial: &Trial) -> BTreeMap<Phase, Duration> {
    let mut phases = BTreeMap::new();
    for span in trial.outcome.hops.iter().flat_map(|hop| &hop.phases) {
        *phases.entry(span.phase).or_default() += span.duration;
    }
    phases
}

/// What of a run is in no phase, if it is too much.
fn untiled(trial: &Trial) -> Option<String> {
    let billed: Duration = phases(trial).values().sum();
    // What an event has as the step's duration; the rest is ours, and not much.
    let total = trial.outcome.took(trial.took);
    let (left, ours) = (total.saturating_sub(billed), trial.took.saturating_sub(total));
    // A pause between two phases is in none of them.
    let between = trial.stalled().saturating_sub(stalled(trial, None));
    let untiled = left > UNBILLED + between || billed > total || ours > NOISE + between;
    untiled.then(|| {
        let hops = &trial.outcome.hops;
        format!("{left:?} of {total:?} are in no phase of {hops:?}, and {ours:?} follow; {between:?} stalled")
    })
}

/// The phase that was billed another time than `delays` say, up to the phase in which the run ended.
fn misbilled(trial: &Trial, way: Way, delays: Delays, end: End) -> Option<String> {
    let delay = |phase| match phase {
        Phase::Dns => MS(delays.dns),
        Phase::Tls => MS(delays.tls),
        Phase::Wait => MS(delays.wait),
        Phase::Receive => MS(delays.receive),
        _ => Duration::ZERO,
    };
    let measured = phases(trial);
    let last = *measured.keys().last()?;
    for (phase, time) in measured {
        let wanted = delay(phase);
        // The phase in which a run ended may have been cut short.
        let short = phase == last && (matches!(end, End::Deadline(_) | End::CutAfter(_)) || way == Way::Tls);
        if time > wanted + NOISE + stalled(trial, Some(phase))
            || (time + EARLY + trial.stalled() < wanted && !short)
        {
            return Some(format!("{phase:?} took {time:?} of {wanted:?}: {:?}", trial.outcome.hops));
        }
    }
    None
}

fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0_u64), Just(50), Just(110)]
}

fn any_end() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Good),
        (20_u64..300).prop_map(End::Deadline),
        Just(End::NoName),
        Just(End::Refused),
        Just(End::WrongName),
        Just(End::Broken),
        // Within the handshake, the head and the body.
        (1_u64..2500).prop_map(End::CutAfter),
        Just(End::Sorry),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn phases_tile_the_total_and_bill_each_delay_to_its_phase(
        (dns, tls, wait, receive) in (delay(), delay(), delay(), delay()),
        end in any_end(),
        number in 0_usize..3,
    ) {
        let delays = Delays { dns, tls, wait, receive };
        let (way, speech) = [
            (Way::Https, Speech::h1()),
            (Way::Https, Speech::h2()),
            (Way::Tls, Speech::tls12()),
        ][number].clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let shop = Shop::open(&speech, delays, end);
        let limit = if let End::Deadline(limit) = end { MS(limit) } else { PATIENCE };
        runtime.block_on(shop.visit_until(way, limit, |trial| {
            untiled(trial).or_else(|| misbilled(trial, way, delays, end))
        }));
        prop_assert!(shop.server.requests() < 100);
    }
}

/// Every way to end, once each, with a delay in every phase before it.
#[tokio::test]
async fn every_end_tiles_the_total() {
    let delays = Delays { dns: 30, tls: 30, wait: 30, receive: 30 };
    for end in [
        End::Good,
        End::Deadline(15),
        End::Deadline(45),
        End::Deadline(75),
        End::Deadline(105),
        End::NoName,
        End::Refused,
        End::WrongName,
        End::Broken,
        End::CutAfter(1),
        End::CutAfter(800),
        End::Sorry,
    ] {
        let limit = if let End::Deadline(limit) = end { MS(limit) } else { PATIENCE };
        for (way, speech) in
            [(Way::Https, Speech::h1()), (Way::Https, Speech::h2()), (Way::Tls, Speech::h1())]
        {
            Shop::open(&speech, delays, end).visit_until(way, limit, untiled).await;
        }
    }
}

/// Kinds with protocols of their own, each with a server that waits before it says something.
#[tokio::test]
async fn every_kind_tiles_the_total() {
    let pause = MS(40);
    let names = names::Server::start();
    names.otherwise(names::Reply::a(&["127.0.0.1"]).after(pause));
    let plain = Server::start();
    let listing = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    plain.on("/shop", Reply::status(200).after(pause).body(&listing[..9]).pause(pause).body(&listing[9..]));
    let banner = Hostile::start(Fault::Trickle(b"\n".to_vec(), pause));
    let sql = Hostile::start(Fault::Trickle(b"R\0\0\0\x08\0\0\0\x09".to_vec(), MS(5)));
    for (way, place, phase, billed) in [
        (Way::S3, plain.addr(), Phase::Wait, pause),
        (Way::S3, plain.addr(), Phase::Receive, pause),
        (Way::Tcp, banner.addr(), Phase::Wait, pause),
        (Way::Dns, names.addr(), Phase::Wait, pause),
        (Way::DnsTcp, names.addr(), Phase::Wait, pause),
        (Way::Sql, sql.addr(), Phase::Wait, pause),
    ] {
        let mut last = None;
        for _ in 0..TRIES {
            let trial =
                trial::run(way.kind(), way.keys(&place.to_string()), &trial::shared(), PATIENCE).await;
            last = untiled(&trial).or_else(|| {
                let time = phases(&trial).get(&phase).copied().unwrap_or_default();
                let most = billed + NOISE + stalled(&trial, Some(phase));
                let wrong = time + EARLY + trial.stalled() < billed || time > most;
                wrong.then(|| format!("{phase:?} took {time:?}: {:?}", trial.outcome.hops))
            });
            if last.is_none() {
                break;
            }
        }
        assert_eq!(last, None, "{way:?}");
    }
}

/// The kernel of a server with a full queue drops what knocks; the client's knocks again after a second.
#[tokio::test]
async fn a_slow_connection_is_billed_to_connect() {
    for way in [Way::Http, Way::Tcp] {
        let mut slow = SlowToConnect::start();
        let place = slow.addr().to_string();
        let shared = trial::shared();
        let mut keys = way.keys(&place);
        // A line never comes without a request; that it connects is enough.
        keys.retain(|(key, _)| *key != "read_until");
        let visit = trial::run(way.kind(), keys, &shared, PATIENCE);
        let release = async {
            tokio::time::sleep(MS(300)).await;
            slow.release(b"HTTP/1.1 204 No Content\r\n\r\n");
        };
        let (trial, ()) = tokio::join!(visit, release);
        assert_eq!(trial.outcome.failure, None, "{way:?}");
        let measured = phases(&trial);
        let connect = measured[&Phase::Connect];
        // The kernel counts its second from when it knocked first.
        assert!(connect >= MS(900), "{measured:?}");
        let others: Duration =
            measured.iter().filter(|(phase, _)| **phase != Phase::Connect).map(|(_, time)| *time).sum();
        assert!(others < MS(300) + trial.stalled(), "{measured:?}");
    }
}

/// A server that does not read holds up whoever writes more than the systems between have room for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_read_is_billed_to_send() {
    let server = Server::start();
    server.on("/", Reply::ok(""));
    server.delay_accept(MS(250));
    let mut keys = Way::Http.keys(&server.addr().to_string());
    keys.push(("method", text("POST")));
    keys.push(("body", template("x".repeat(15 << 20))));
    let trial = trial::run(Way::Http.kind(), keys, &trial::shared(), PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    let measured = phases(&trial);
    // The server sleeps from when it accepts; a pause before the first byte is sent is a part of that.
    let before = stalled(&trial, Some(Phase::Connect));
    assert!(measured[&Phase::Send] + before >= MS(245), "{measured:?}");
    assert!(measured[&Phase::Connect] < MS(100) + before, "{measured:?}");
}
