//! The kind `websocket` against the library websockets, and against servers that break its rules.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use model::step::Phase;
use scenario::fields::{Bound, Fields};
use scenario::source::{Span, Spanned};
use scenario::value::{Reading, Selector, Value};
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Flaw, Pki, Speech};
use testkit::servers::Python;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::KIND;
use crate::trial::{PATIENCE, Trial, compile, judge, run, shared, template, text, texts, told, until_in};

/// Long enough for what comes before the silence of a server that serves one connection.
const LIMIT: Duration = Duration::from_millis(1500);

async fn open(url: String, keys: Vec<(&'static str, Bound)>, limit: Duration) -> Trial {
    let keys = [vec![("url", template(url))], keys].concat();
    run(&KIND, keys, &shared(), limit).await
}

fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(value, Span::default())
}

fn send(messages: &[&str]) -> (&'static str, Bound) {
    ("send", Bound::List(messages.iter().map(|text| spanned(template(*text))).collect()))
}

fn rounds(rounds: &[(&str, &str)]) -> (&'static str, Bound) {
    let one = |(send, expect): &(&str, &str)| {
        let entries = vec![("send", spanned(template(*send))), ("expect", spanned(text(*expect)))];
        spanned(Bound::Record(Fields::new(Span::default(), entries)))
    };
    ("exchange", Bound::List(rounds.iter().map(one).collect()))
}

fn list(messages: &[&str]) -> Value<'static> {
    Value::List(messages.iter().map(|text| Value::Text((*text).to_owned().into())).collect())
}

#[tokio::test]
async fn a_real_server_echoes() {
    let server = Python::websocket(None);
    let url = |path: &str| format!("ws://{}{path}", server.addr());
    let trial = open(url("/echo"), vec![send(&["one", "two"])], PATIENCE).await;
    assert_eq!(trial.value("messages"), list(&["one", "two"]));
    assert_eq!(trial.value("message"), Value::Text("two".into()));
    assert_eq!((trial.value("size"), trial.value("close_code")), (Value::Int(6), Value::Int(1000)));
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Send, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.phases(1), [Phase::Send, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.outcome.hops[0].status.as_deref(), Some("101"));
    let header = trial.outcome.evidence.read("headers", &Selector::Header("upgrade".into()));
    assert_eq!(header, Reading::One(Value::Text("websocket".into())));

    let keys = vec![send(&["00ff"]), ("encoding", Bound::Choice("hex"))];
    let trial = open(url("/echo"), keys, PATIENCE).await;
    assert_eq!(trial.value("message"), Value::Text("00ff".into()));

    let said = [("{\"n\": 1}", "\"n\": 1"), ("x", "^x$")];
    let trial = open(url("/echo"), vec![rounds(&said)], PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.outcome.hops.len(), 3);

    let trial = open(url("/count"), vec![("messages", Bound::Int(3))], PATIENCE).await;
    assert_eq!(trial.value("messages"), list(&["1", "2", "3"]));
    // Nothing but the handshake.
    let trial = open(url("/echo"), Vec::new(), PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!((trial.outcome.hops.len(), trial.read("message")), (1, Reading::Absent));
}

#[tokio::test]
async fn a_real_server_closes_or_refuses() {
    let server = Python::websocket(None);
    let url = |path: &str| format!("ws://{}{path}", server.addr());
    let close = ("wait_close", Bound::Bool(true));
    let trial = open(url("/hello"), vec![("messages", Bound::Int(1)), close.clone()], PATIENCE).await;
    assert_eq!(trial.value("message"), Value::Text("hello".into()));
    assert_eq!(
        (trial.value("close_code"), trial.value("close_reason")),
        (Value::Int(1001), Value::Text("bye".into()))
    );
    let trial = open(url("/closed"), vec![close], PATIENCE).await;
    assert_eq!(trial.value("close_code"), Value::Int(1008));
    let trial = open(url("/closed"), vec![("messages", Bound::Int(1))], PATIENCE).await;
    assert_eq!(trial.failure(), "protocol websocket.closed");
    assert!(trial.message().contains("1008 (not for you)"), "{}", trial.message());
    let trial = open(url("/forbidden"), Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol 403");
    let trial = open(url("/abort"), vec![("messages", Bound::Int(1))], PATIENCE).await;
    assert_eq!(trial.failure(), "protocol websocket.closed");
}

#[tokio::test]
async fn subprotocols_and_tls() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let server = Python::websocket(Some(&identity));
    let url = || format!("wss://{}/echo", server.addr());
    let ca = ("ca", text(pki.root_file().to_str().unwrap()));
    let offer = ("subprotocols", texts(["prices.v1", "prices.v2"]));
    let trial = open(url(), vec![ca.clone(), offer, send(&["x"])], PATIENCE).await;
    assert_eq!(trial.value("subprotocol"), Value::Text("prices.v2".into()));
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls, Phase::Send, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
    let trial = open(url(), vec![ca], PATIENCE).await;
    assert_eq!((&trial.outcome.failure, trial.read("subprotocol")), (&None, Reading::Absent));
    assert_eq!(open(url(), Vec::new(), PATIENCE).await.failure(), "tls tls.untrusted");
}

/// A server for one connection that opens the WebSocket and then does as it likes.
fn opened(serve: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    answering("", serve)
}

/// The same with more headers in its answer.
fn answering(
    more: &'static str,
    serve: impl FnOnce(TcpStream) + Send + 'static,
) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let lower = |line: &str| line.to_ascii_lowercase().starts_with("sec-websocket-key:");
        let key = head.lines().find(|line| lower(line)).unwrap().split(": ").nth(1).unwrap();
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{more}Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).unwrap();
        serve(stream);
    });
    (addr, thread)
}

fn url(addr: SocketAddr) -> String {
    format!("ws://{addr}/")
}

#[tokio::test]
async fn handshakes_that_prove_nothing() {
    let raw = |head: &str| Fault::Raw(format!("HTTP/1.1 {head}\r\n\r\n").into_bytes());
    let switching = "101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
    for (fault, failure, message) in [
        (raw(&format!("{switching}\r\nSec-WebSocket-Accept: bm9uc2Vuc2U=")), "websocket.handshake", "Accept"),
        (raw(switching), "websocket.handshake", "Accept"),
        (
            raw("101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade"),
            "websocket.handshake",
            "another protocol",
        ),
        (raw("200 OK\r\nContent-Length: 0"), "200", "opens no WebSocket"),
        (raw("302 Found\r\nLocation: /\r\nContent-Length: 0"), "302", "302 Found"),
        (Fault::Garbage, "http.protocol", "not HTTP"),
        (Fault::EndlessHeaders, "http.protocol", "longer than"),
        (Fault::EndlessContinue, "http.protocol", "interim"),
        (Fault::CloseAfterRequest, "http.truncated", "without an answer"),
    ] {
        let target = Hostile::start(fault.clone());
        let trial = open(url(target.addr()), Vec::new(), PATIENCE).await;
        assert_eq!(trial.failure(), format!("protocol {failure}"), "{fault:?}");
        assert!(trial.message().contains(message), "{}", trial.message());
        assert_eq!(trial.outcome.hops.len(), 1);
    }
    for (more, message) in [
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", "extension"),
        ("Sec-WebSocket-Protocol: other\r\n", "\"other\""),
    ] {
        let (addr, thread) = answering(more, |mut stream| drop(stream.read(&mut [0])));
        let trial = open(url(addr), Vec::new(), PATIENCE).await;
        assert_eq!(trial.failure(), "protocol websocket.handshake");
        assert!(trial.message().contains(message), "{}", trial.message());
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let pki = Pki::new();
    let config = pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h1());
    let insecure = vec![("insecure", text("a test"))];
    for (fault, scheme, keys, last) in [
        (Fault::HalfOpen, "ws", vec![], Phase::Wait),
        (Fault::Drip(Duration::from_millis(20)), "ws", vec![], Phase::Receive),
        (Fault::TlsStall, "wss", insecure.clone(), Phase::Tls),
        (Fault::SilentAfterTls(config), "wss", insecure, Phase::Wait),
    ] {
        let target = Hostile::start(fault);
        let url = format!("{scheme}://{}/", target.addr());
        let trial = until_in(last, async |limit| open(url.clone(), keys.clone(), limit).await).await;
        assert_eq!(trial.failure(), "timeout timeout");
        assert_eq!(trial.last_phase(), Some(last));
        trial.ended_in_time();
    }
    // An open WebSocket on which nothing comes.
    let (addr, thread) = opened(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let trial = open(url(addr), vec![("messages", Bound::Int(1))], LIMIT).await;
    assert_eq!(trial.failure(), "timeout timeout");
    assert_eq!((trial.outcome.hops.len(), trial.phases(1)), (2, vec![Phase::Wait]));
    assert!(trial.message().ends_with(" for message 1 of 1"), "{}", trial.message());
    trial.ended_in_time();
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn who_waits_in_vain_says_for_what_and_what_came() {
    let close = ("wait_close", Bound::Bool(true));
    for (keys, said) in [
        (vec![rounds(&[("a", "hi"), ("b", "^yes$")])], " for a message that matches `^yes$` (round 2)"),
        (
            vec![rounds(&[("a", "^yes$")])],
            " for a message that matches `^yes$`; the last that came is \"hi\"",
        ),
        (vec![("messages", Bound::Int(2))], " for message 2 of 2"),
        (vec![("messages", Bound::Int(1)), close], " for the server's close"),
    ] {
        let (addr, thread) = opened(|mut stream| {
            stream.write_all(b"\x81\x02hi").unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let trial = open(url(addr), keys, LIMIT).await;
        assert_eq!(trial.failure(), "timeout timeout");
        assert!(trial.message().ends_with(said), "{}", trial.message());
        drop(trial);
        thread.join().unwrap();
    }
}

/// A ping with 256 bytes in it, of which a control frame has 125 at most.
const LONG_PING: [u8; 260] = {
    let mut frame = [0; 260];
    (frame[0], frame[1], frame[2]) = (0x89, 126, 1);
    frame
};

/// Writes `frame` without end, until the prober hangs up.
fn flood(frame: &'static [u8]) -> impl FnOnce(TcpStream) + Send + 'static {
    move |mut stream| {
        let block = frame.repeat(1 + 4096 / frame.len());
        while stream.write_all(&block).is_ok() {}
    }
}

#[tokio::test]
async fn frames_that_are_too_much() {
    type Serve = Box<dyn FnOnce(TcpStream) + Send>;
    let then = |bytes: &'static [u8]| -> Serve {
        Box::new(move |mut stream| {
            stream.write_all(bytes).unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        })
    };
    for (name, serve, failure) in [
        // A frame of 2^62 bytes is announced.
        ("giant", then(&[0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0]), "websocket.too_large"),
        // Fragments without end: with something in them, and with nothing.
        (
            "fragments",
            Box::new(|mut stream: TcpStream| {
                stream.write_all(&[0x02, 1, b'x']).unwrap();
                flood(&[0x00, 1, b'x'])(stream);
            }),
            "websocket.too_large",
        ),
        (
            "empty fragments",
            Box::new(|mut stream: TcpStream| {
                stream.write_all(&[0x02, 0]).unwrap();
                flood(&[0x00, 0])(stream);
            }),
            "websocket.too_much",
        ),
        ("pings", Box::new(flood(&[0x89, 0])), "websocket.too_much"),
        ("pongs", Box::new(flood(&[0x8a, 0])), "websocket.too_much"),
        ("masked", then(&[0x81, 0x81, 0, 0, 0, 0, b'x']), "websocket.protocol"),
        ("reserved", then(&[0xf1, 1, b'x']), "websocket.protocol"),
        ("no text", then(&[0x81, 2, 0xff, 0xff]), "websocket.protocol"),
        ("long ping", then(&LONG_PING), "websocket.protocol"),
        ("continuation of nothing", then(&[0x80, 1, b'x']), "websocket.protocol"),
        ("padded length", then(&[0x81, 126, 0, 1, b'x']), "websocket.protocol"),
        ("padded close", then(&[0x88, 127, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0xe8]), "websocket.protocol"),
    ] as [(&str, Serve, &str); 12]
    {
        let (addr, thread) = opened(serve);
        let trial = open(url(addr), vec![("messages", Bound::Int(1))], PATIENCE).await;
        assert_eq!(trial.failure(), format!("protocol {failure}"), "{name}: {}", trial.message());
        drop(trial);
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn closes_are_told_with_the_code_that_came() {
    let close = |code: u16| [&[0x88, 2][..], &code.to_be_bytes()].concat();
    for (bytes, failure, message) in [
        (close(1005), "websocket.protocol", "with 1005, a code that may not be sent"),
        (close(1006), "websocket.protocol", "with 1006, a code"),
        (close(1015), "websocket.protocol", "with 1015, a code"),
        (close(999), "websocket.protocol", "with 999, a code"),
        (close(5000), "websocket.protocol", "with 5000, a code"),
        (vec![0x88, 1, 3], "websocket.protocol", "half a code, one byte"),
        (vec![0x88, 4, 3, 0xe8, 0xff, 0xfe], "websocket.protocol", "rules of WebSocket"),
        // What may be sent, no code at all, and the complaint that the library would put in the place of others.
        (close(1002), "websocket.closed", "with 1002 when 0 of 1"),
        (close(4999), "websocket.closed", "with 4999 when"),
        (vec![0x88, 0], "websocket.closed", "without a code when"),
    ] {
        let (addr, thread) = opened(move |mut stream| {
            stream.write_all(&bytes).unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let trial = open(url(addr), vec![("messages", Bound::Int(1))], PATIENCE).await;
        assert_eq!(trial.failure(), format!("protocol {failure}"), "{message}: {}", trial.message());
        assert!(trial.message().contains(message), "{}", trial.message());
        drop(trial);
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_padded_length_behind_what_is_waited_for_is_met_only_by_who_reads_on() {
    let frames = &[0x81, 1, b'x', 0x81, 126, 0, 1, b'y', 0x88, 2, 3, 0xe8];
    for (messages, expected) in [(1, ""), (2, "protocol websocket.protocol")] {
        let (addr, thread) = opened(move |mut stream| {
            stream.write_all(frames).unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let trial = open(url(addr), vec![("messages", Bound::Int(messages))], PATIENCE).await;
        let failure = trial.outcome.failure.as_ref();
        let found = failure.map(|failure| format!("{} {}", failure.class.as_str(), failure.error_type));
        assert_eq!(found.as_deref().unwrap_or_default(), expected);
        if let Some(failure) = failure {
            let told = "the length 1 of a frame is written in 2 bytes and not in as few as it takes";
            assert!(failure.message.ends_with(told), "{}", failure.message);
        }
        drop(trial);
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_no_reset() {
    for (resets, expected, message) in [
        (false, "protocol websocket.closed", "the server closed the connection without a close frame"),
        (true, "connect connect.reset", "reset"),
    ] {
        for keys in [("wait_close", Bound::Bool(true)), ("messages", Bound::Int(1))] {
            let (addr, thread) = opened(move |stream| {
                if resets {
                    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                }
            });
            let trial = open(url(addr), vec![keys], PATIENCE).await;
            assert_eq!(trial.failure(), expected);
            assert!(trial.message().contains(message), "{}", trial.message());
            drop(trial);
            thread.join().unwrap();
        }
    }
}

#[tokio::test]
async fn frames_that_trickle_end_at_the_deadline() {
    let (addr, thread) = opened(|mut stream| {
        let frame = [&[0x81, 100][..], &[b'x'; 100]].concat();
        for byte in frame {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let trial = open(url(addr), vec![("messages", Bound::Int(1))], LIMIT).await;
    assert_eq!(trial.failure(), "timeout timeout");
    trial.ended_in_time();
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn verdicts_of_scenarios() {
    let server = Python::websocket(None);
    for (keys, expected) in [
        ("/echo\", send: hi }\nexpect: { message: hi, close_code: 1000 }", "ok"),
        ("/echo\", send: '{\"type\":\"ack\"}' }\nexpect: { json: { $.type: ack } }", "ok"),
        ("/count\", messages: 2 }\nexpect: { messages: { len: 2 } }", "ok"),
        ("/echo\", send: hi }\nexpect: { message: ho }", "failed incorrect assert.message: message is"),
    ] {
        let told = told(&judge(&format!("websocket: {{ url: \"ws://{}{keys}", server.addr())).await);
        assert!(told.starts_with(expected), "{keys}\n{told}");
    }
}

#[tokio::test]
async fn a_goodbye_that_nobody_answers_is_not_the_targets_time() {
    let mut least = Duration::MAX;
    // A machine that pauses just there only adds, and does not do so every time.
    for _ in 0..8 {
        let (addr, thread) = opened(|mut stream| {
            let mut rest = Vec::new();
            // Until the prober has waited long enough for a word.
            let _gone = stream.read_to_end(&mut rest);
        });
        let outcome = judge(&format!("websocket: {{ url: \"ws://{addr}/\" }}")).await;
        assert_eq!(told(&outcome), "ok");
        let step = &outcome.steps[0];
        let last = step.hops.last().and_then(|hop| hop.phases.last()).unwrap();
        assert_eq!(outcome.duration, step.start + step.duration, "{outcome:?}");
        thread.join().unwrap();
        let ours = step.duration.checked_sub(last.start + last.duration);
        least = least.min(ours.expect("no phase ends after the step"));
        if least < Duration::from_millis(1) {
            break;
        }
    }
    assert!(least < Duration::from_millis(1), "{least:?}");
}

#[test]
fn mistakes_in_the_file() {
    let check = |keys: Vec<(&'static str, Bound)>| compile(&KIND, keys).err().unwrap_or_default();
    let right = ("url", template("wss://live.test/"));
    assert_eq!(
        check(vec![("url", template("https://live.test/")), ("message_limit", Bound::Size(0))]),
        [
            "E104: `message_limit` must be between 1 byte and 1 MiB",
            "E171: the URL of a WebSocket begins with ws:// or wss://",
        ]
    );
    assert_eq!(
        check(vec![right.clone(), ("subprotocols", texts(["a b"]))]),
        ["E104: the name of a subprotocol has letters, digits, dots and dashes"]
    );
    assert_eq!(
        check(vec![right.clone(), rounds(&[("a", "b")]), ("messages", Bound::Int(1))]),
        ["E135: `messages` and `exchange` both say what is said and heard"]
    );
    let name = spanned("Sec-WebSocket-Key".to_owned());
    let headers = ("headers", Bound::Map(vec![(name, spanned(template("x")))]));
    assert_eq!(
        check(vec![right, headers]),
        ["E173: the header sec-websocket-key belongs to the handshake and cannot be set"]
    );
}
