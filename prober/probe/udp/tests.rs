//! The kind `udp` against small servers that do what each test says.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use model::step::Phase;
use scenario::fields::Bound;
use scenario::source::{Span, Spanned};
use scenario::value::{Reading, Value};

use super::KIND;
use crate::trial::{LIMITS, PATIENCE, Trial, compile, judge, run, shared, template, told};

/// The time of a run that is to take all of it.
const LIMIT: Duration = LIMITS[0];

/// A server that does `serve` with each datagram; it ends when it is dropped.
struct Server {
    addr: SocketAddr,
    asked: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(serve: impl Fn(&UdpSocket, &[u8], SocketAddr) + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let addr = socket.local_addr().unwrap();
        let (asked, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stopped) = (Arc::clone(&asked), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while !stopped.load(Ordering::SeqCst) {
                if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    count.fetch_add(1, Ordering::SeqCst);
                    serve(&socket, &buffer[..length], from);
                }
            }
        });
        Self { addr, asked, stop, thread: Some(thread) }
    }

    fn echo() -> Self {
        Self::start(|socket, bytes, from| drop(socket.send_to(bytes, from)))
    }

    fn silent() -> Self {
        Self::start(|_, _, _| {})
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn send(datagrams: &[&str]) -> (&'static str, Bound) {
    let one = |text: &&str| Spanned::new(template(*text), Span::default());
    ("send", Bound::List(datagrams.iter().map(one).collect()))
}

async fn talk(addr: SocketAddr, keys: Vec<(&'static str, Bound)>, limit: Duration) -> Trial {
    let keys = [vec![("address", template(addr.to_string()))], keys].concat();
    run(&KIND, keys, &shared(), limit).await
}

fn wait(ms: u64) -> (&'static str, Bound) {
    ("wait", Bound::Duration(Duration::from_millis(ms)))
}

const OPTIONAL: (&str, Bound) = ("reply", Bound::Choice("optional"));
const NONE: (&str, Bound) = ("reply", Bound::Choice("none"));

#[tokio::test]
async fn a_datagram_comes_back() {
    let server = Server::echo();
    let trial = talk(server.addr, vec![send(&["ping\\n"])], PATIENCE).await;
    assert_eq!(trial.value("response"), Value::Text("ping\n".into()));
    assert_eq!((trial.value("replies"), trial.value("size")), (Value::Int(1), Value::Int(5)));
    assert_eq!(trial.phases(0), [Phase::Send, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.attribute("network.peer.address"), "127.0.0.1");
    assert_eq!(trial.attribute("network.transport"), "udp");
}

#[tokio::test]
async fn several_are_sent_once_each_and_all_answers_are_heard() {
    let server = Server::echo();
    let keys = vec![send(&["00ff", "01"]), ("encoding", Bound::Choice("hex"))];
    let trial = talk(server.addr, keys, PATIENCE).await;
    let texts = ["00ff", "01"].map(|text| Value::Text(text.into()));
    assert_eq!(trial.value("responses"), Value::List(texts.into()));
    assert_eq!(server.asked.load(Ordering::SeqCst), 2);
    let trial = talk(server.addr, vec![send(&["a", "b"]), ("replies", Bound::Int(1))], PATIENCE).await;
    assert_eq!(trial.value("replies"), Value::Int(1));
}

#[tokio::test]
async fn silence_is_a_failure_only_where_a_reply_must_come() {
    let server = Server::silent();
    let trial = talk(server.addr, vec![send(&["x"])], LIMIT).await;
    assert_eq!(trial.failure(), "timeout timeout");
    assert_eq!(trial.message(), "still waiting for the answer after 500ms");
    assert_eq!(trial.phases(0), [Phase::Send, Phase::Wait]);
    trial.ended_in_time();
    let trial = talk(server.addr, vec![send(&["x"]), wait(100)], PATIENCE).await;
    assert_eq!(trial.failure(), "timeout timeout");
    assert_eq!(trial.message(), format!("{} did not reply within 100ms", server.addr));
    for keys in [vec![OPTIONAL, wait(100)], vec![NONE, wait(100)], vec![OPTIONAL]] {
        let trial = talk(server.addr, [keys, vec![send(&["x"])]].concat(), LIMIT).await;
        assert_eq!(trial.outcome.failure, None);
        assert_eq!(trial.value("replies"), Value::Int(0));
        assert_eq!(trial.read("response"), Reading::Absent);
        trial.ended_in_time();
    }
    // Nothing was sent a second time.
    assert_eq!(server.asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn fewer_replies_than_wanted_are_counted() {
    let server = Server::echo();
    let keys = vec![send(&["x"]), ("replies", Bound::Int(3)), wait(1500)];
    let trial = talk(server.addr, keys, PATIENCE).await;
    assert_eq!(trial.message(), format!("{} sent 1 of 3 replies within 1.5s", server.addr));
}

#[tokio::test]
async fn a_closed_port_refuses_whatever_is_wanted() {
    let addr = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for keys in [vec![], vec![OPTIONAL], vec![NONE]] {
        let trial = talk(addr, [keys, vec![send(&["x"])]].concat(), PATIENCE).await;
        assert_eq!(trial.failure(), "connect connect.refused");
        assert!(trial.message().contains("ICMP port unreachable"), "{}", trial.message());
    }
}

#[tokio::test]
async fn a_stranger_is_not_heard() {
    let server = Server::start(|_, _, from| {
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        drop(stranger.send_to(b"me", from));
    });
    let trial = talk(server.addr, vec![send(&["x"]), wait(150)], PATIENCE).await;
    assert_eq!(trial.failure(), "timeout timeout");
}

#[tokio::test]
async fn a_flood_ends_at_the_limits() {
    let flood = || {
        Server::start(|socket, _, from| {
            let datagram = vec![b'x'; 60_000];
            let end = std::time::Instant::now() + Duration::from_secs(1);
            while std::time::Instant::now() < end && socket.send_to(&datagram, from).is_ok() {}
        })
    };
    let server = flood();
    let trial = talk(server.addr, vec![send(&["x"]), ("replies", Bound::Int(100))], PATIENCE).await;
    assert_eq!(trial.failure(), "protocol udp.too_large");
    drop(server);
    let server = flood();
    let trial = talk(server.addr, vec![send(&["x"]), NONE], LIMIT).await;
    assert_eq!(trial.outcome.failure, None);
    trial.ended_in_time();
}

#[tokio::test]
async fn a_datagram_that_is_too_long_is_our_mistake() {
    let server = Server::silent();
    let trial = talk(server.addr, vec![send(&["x".repeat(65_530).as_str()])], PATIENCE).await;
    assert_eq!(trial.failure(), "local local.config");
}

#[tokio::test]
async fn a_scenario_file_says_it_all() {
    let server = Server::echo();
    for (keys, expected) in [
        ("send: hello }\nexpect: { response: hello, replies: 1 }", "ok"),
        ("send: [a, b], wait: 1s }\nexpect: { responses: { equals_set: [a, b] } }", "ok"),
        ("send: aGk=, encoding: base64 }\nexpect: { response: aGk=, size: 2 }", "ok"),
        ("send: hello }\nexpect: { response: pong }", "failed incorrect assert.response: response is"),
    ] {
        let told = told(&judge(&format!("udp: {{ address: \"{}\", {keys}", server.addr)).await);
        assert!(told.starts_with(expected), "{keys}\n{told}");
    }
}

#[test]
fn mistakes_in_the_file() {
    let check = |keys: Vec<(&'static str, Bound)>| compile(&KIND, keys).err().unwrap_or_default();
    let address = ("address", template("echo.test:7"));
    assert_eq!(
        check(vec![("address", template("echo.test")), send(&["a\\q"])]),
        ["E134: `echo.test` has no port", "E136: `\\q` is not an escape that is known here"]
    );
    assert_eq!(
        check(vec![address.clone(), send(&["a"]), NONE, ("replies", Bound::Int(2))]),
        ["E135: `reply: none` and `replies` contradict each other"]
    );
    assert_eq!(check(vec![address.clone(), send(&[])]), ["E104: between 1 and 100 datagrams can be sent"]);
    assert_eq!(check(vec![address, send(&["a"]), wait(0)]), ["E104: `wait` must be more than nothing"]);
}
