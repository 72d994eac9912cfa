//! `ip` against names that have addresses of both families.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::{dns, wait};

use super::*;
use crate::trial::{PATIENCE, judge_asking};

/// One port at both loopback addresses, which says `200` to whatever it is sent and counts who came.
struct Both {
    port: u16,
    came: [Arc<AtomicUsize>; 2],
}

impl Both {
    fn start() -> Self {
        let both = || {
            let four = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
            let six = TcpListener::bind((Ipv6Addr::LOCALHOST, four.local_addr().ok()?.port())).ok()?;
            Some([four, six])
        };
        let listeners = (0..100).find_map(|_| both()).expect("loopback has both families and a free port");
        let port = listeners[0].local_addr().unwrap().port();
        let came = listeners.map(|listener| {
            let came = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&came);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let Ok(mut stream) = stream else { return };
                    // Whoever came may have left already.
                    let _read = stream.read(&mut [0; 1024]);
                    let _wrote = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                }
            });
            came
        });
        Self { port, came }
    }

    /// How many have come over IPv4 and over IPv6, once there are as many as `expected` in all: a connection is there
    /// before it is counted.
    async fn came(&self, expected: (usize, usize)) -> (usize, usize) {
        let [four, six] = &self.came;
        let came = || (four.load(Ordering::SeqCst), six.load(Ordering::SeqCst));
        let all = |(four, six)| four + six;
        wait::until("all connections to be counted", PATIENCE, || all(came()) >= all(expected)).await;
        came()
    }
}

/// A name server that knows `both.test`, `four.test` and `six.test`.
fn names() -> dns::Server {
    let server = dns::Server::start();
    for (name, four, six) in
        [("both.test", true, true), ("four.test", true, false), ("six.test", false, true)]
    {
        let no = dns::Reply::empty;
        server.on(name, "A", if four { dns::Reply::a(&["127.0.0.1"]) } else { no() });
        server.on(name, "AAAA", if six { dns::Reply::aaaa(&["::1"]) } else { no() });
    }
    server
}

/// The keys of each kind that takes `ip` and connects to `HOST` at `PORT`.
const KINDS_OF_STREAMS: [&str; 6] = [
    "http: { url: \"http://HOST:PORT/\"",
    "http: { url: \"http://HOST:PORT/\", addresses: all",
    "tcp: { address: \"HOST:PORT\"",
    "tls: { address: \"HOST:PORT\"",
    "grpc: { address: \"HOST:PORT\"",
    "websocket: { url: \"ws://HOST:PORT/\", messages: 1",
];

#[tokio::test]
async fn each_kind_goes_to_the_family_that_is_asked_for() {
    let (both, names, mut all) = (Both::start(), names(), (0, 0));
    for kind in KINDS_OF_STREAMS {
        let step = kind.replace("PORT", &both.port.to_string());
        for (host, ip, expected) in [
            ("both.test", ", ip: \"4\"", (1, 0)),
            ("both.test", ", ip: \"6\"", (0, 1)),
            ("four.test", "", (1, 0)),
            ("six.test", "", (0, 1)),
            ("four.test", ", ip: \"6\"", (0, 0)),
            ("six.test", ", ip: \"4\"", (0, 0)),
        ] {
            let step = format!("{}{ip} }}", step.replace("HOST", host));
            let outcome = judge_asking(&step, names.addr()).await;
            all = (all.0 + expected.0, all.1 + expected.1);
            assert_eq!(both.came(all).await, all, "{step}: {outcome:?}");
            let peer = outcome.steps[0].hops.iter().find_map(|hop| hop.peer).map(|peer| peer.ip());
            let wanted: Option<IpAddr> = match expected {
                (1, 0) => Some(Ipv4Addr::LOCALHOST.into()),
                (0, 1) => Some(Ipv6Addr::LOCALHOST.into()),
                _ => None,
            };
            assert_eq!(peer, wanted, "{step}");
            if wanted.is_none() {
                // The name has no such address: the target's word, and not that this machine lacks a family.
                assert_eq!(outcome.failure.unwrap().error_type, "dns.no_answer", "{step}");
            } else if step.starts_with("http") || step.starts_with("tcp") {
                assert_eq!(outcome.reason, Reason::Ok, "{step}: {outcome:?}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_word_ipv6_is_first_and_both_are_looked_at_where_all_are() {
    let (both, names) = (Both::start(), names());
    let step = |keys: &str| format!("http: {{ url: \"http://both.test:{}/\"{keys} }}", both.port);
    let outcome = judge_asking(&step(", addresses: all"), names.addr()).await;
    assert_eq!((outcome.reason, both.came((1, 1)).await), (Reason::Ok, (1, 1)), "{outcome:?}");
    let outcome = judge_asking(&step(""), names.addr()).await;
    assert_eq!((outcome.reason, both.came((1, 2)).await), (Reason::Ok, (1, 2)), "{outcome:?}");
}

#[tokio::test]
async fn whoever_listens_in_one_family_only_is_found_there() {
    let names = names();
    let four = Server::start();
    let six = Server::start_at(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
    for (server, wrong) in [(&four, "6"), (&six, "4")] {
        server.on("*", Reply::ok("hello"));
        let step = |ip: &str| format!("http: {{ url: \"http://both.test:{}/\"{ip} }}", server.addr().port());
        // The other family refuses, and the next address is tried (RFC 8305).
        let outcome = judge_asking(&step(""), names.addr()).await;
        assert_eq!((outcome.reason, server.requests()), (Reason::Ok, 1), "{outcome:?}");
        let outcome = judge_asking(&step(&format!(", ip: \"{wrong}\"")), names.addr()).await;
        assert_eq!(outcome.failure.unwrap().error_type, "connect.refused");
    }
}
