//! The kind `tcp` against small servers that do what each test says.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use model::step::Phase;
use scenario::fields::{Bound, Fields};
use scenario::source::{Span, Spanned};
use scenario::template::{Hole, Part, Secrets, Template};
use scenario::value::{Reading, Value};
use testkit::dns::Reply as Names;
use testkit::hostile::{Fault, Hostile};

use super::KIND;
use crate::trial::relay::Relay;
use crate::trial::{
    LIMITS, PATIENCE, Trial, compile, judge, judge_asking, run, run_with, shared, shared_asking, template,
    text, told, until_in,
};

/// A server for one connection.
fn server(serve: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        serve(stream);
    });
    (addr, thread)
}

/// Waits until the other end has hung up.
fn until_closed(mut stream: &TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _end = stream.read_to_end(&mut rest);
}

async fn talk(addr: SocketAddr, keys: Vec<(&'static str, Bound)>, limit: Duration) -> Trial {
    let keys = [vec![("address", template(addr.to_string()))], keys].concat();
    run(&KIND, keys, &shared(), limit).await
}

#[tokio::test]
async fn a_connection_is_enough() {
    let (addr, thread) = server(|stream| until_closed(&stream));
    let trial = talk(addr, Vec::new(), PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.phases(0), [Phase::Connect]);
    assert_eq!(trial.attribute("network.peer.address"), "127.0.0.1");
    assert!(matches!(trial.read("response"), Reading::Unreadable(why) if why.contains("read_until")));
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn a_banner_is_read_up_to_its_end() {
    let (addr, thread) = server(|mut stream| {
        for part in ["22", "0 mail.test ESM", "TP\r", "\nand more"] {
            stream.write_all(part.as_bytes()).unwrap();
            stream.flush().unwrap();
        }
        until_closed(&stream);
    });
    let trial = talk(addr, vec![("read_until", text("\\r\\n"))], PATIENCE).await;
    assert_eq!(trial.value("response"), Value::Text("220 mail.test ESMTP\r\n".into()));
    assert_eq!(trial.value("size"), Value::Int(21));
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Wait, Phase::Receive]);
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn what_ends_an_answer_is_written_as_encoding_says() {
    let answer = || {
        server(|mut stream| {
            stream.write_all(b"\x20\x02\x00\x05 and more").unwrap();
            until_closed(&stream);
        })
    };
    for (encoding, until, shown) in [("hex", "20 02 00 05", "20020005"), ("base64", "AAU=", "IAIABQ==")] {
        let (addr, thread) = answer();
        let keys = vec![("encoding", Bound::Choice(encoding)), ("read_until", text(until))];
        let trial = talk(addr, keys, PATIENCE).await;
        assert_eq!(trial.value("response"), Value::Text(shown.into()));
        drop(trial);
        thread.join().unwrap();
    }
    let (addr, thread) = answer();
    let keys = vec![("encoding", Bound::Choice("hex")), ("read_until", text("ffff"))];
    let trial = talk(addr, keys, Duration::from_secs(1)).await;
    assert_eq!(trial.failure(), "timeout timeout");
    let said = " for \"ffff\"; so far came \"2002000520616e64206d6f7265\"";
    assert!(trial.message().ends_with(said), "{}", trial.message());
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn what_is_sent_arrives_and_is_answered() {
    let (addr, thread) = server(|mut stream| {
        let mut asked = [0; 6];
        stream.read_exact(&mut asked).unwrap();
        assert_eq!(&asked, b"PING\r\n");
        stream.write_all(b"+PONG\r\n").unwrap();
        until_closed(&stream);
    });
    // Without `read_until` the pause after the answer ends it.
    let trial = talk(addr, vec![("send", template("PING\\r\\n"))], PATIENCE).await;
    assert_eq!(trial.value("response"), Value::Text("+PONG\r\n".into()));
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Send, Phase::Wait, Phase::Receive]);
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn only_the_authors_own_escapes_are_replaced() {
    let (addr, thread) = server(|mut stream| {
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).unwrap();
        assert_eq!(asked, b"AUTH back\\nslash\r\n");
    });
    let parts = [
        Part::Text("AUTH ".into()),
        Part::Hole(Hole::Secret("word".into()), Vec::new()),
        Part::Text("\\r\\n".into()),
    ];
    let keys = vec![
        ("address", template(addr.to_string())),
        ("send", Bound::Template(Template::new(parts))),
        ("read", Bound::Bool(false)),
    ];
    let action = compile(&KIND, keys).unwrap();
    let mut secrets = Secrets::default();
    secrets.set("word", "back\\nslash");
    let trial = run_with(&*action, &shared(), &secrets, PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    thread.join().unwrap();
    // Without the secret it is this prober that lacks something.
    let trial = run_with(&*action, &shared(), &Secrets::default(), PATIENCE).await;
    assert_eq!(trial.failure(), "local local.secret");
}

#[tokio::test]
async fn an_answer_without_its_end_is_wrong() {
    let (addr, thread) = server(|mut stream| {
        stream.write_all(b"220 mail.te").unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
    });
    let trial = talk(addr, vec![("read_until", text("\\n"))], PATIENCE).await;
    assert_eq!(trial.failure(), "incorrect assert.response");
    assert_eq!(
        trial.message(),
        "the server closed the connection before it sent \"\\n\"; it sent \"220 mail.te\""
    );
    thread.join().unwrap();
}

#[tokio::test]
async fn the_limit_bounds_what_is_read() {
    let flood = |mut stream: TcpStream| {
        // The other end hangs up in the middle.
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    };
    let (addr, thread) = server(flood);
    let keys = vec![("read_until", text("\\n")), ("read_limit", Bound::Size(5000))];
    let trial = talk(addr, keys, PATIENCE).await;
    assert_eq!(trial.failure(), "incorrect assert.response");
    assert!(trial.message().contains("within the first 5000 bytes"), "{}", trial.message());
    thread.join().unwrap();
    let (addr, thread) = server(flood);
    let trial =
        talk(addr, vec![("read", Bound::Bool(true)), ("read_limit", Bound::Size(5000))], PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    for subject in ["size", "response", "responses"] {
        let read = trial.read(subject);
        assert!(matches!(read, Reading::Unreadable(why) if why.contains("(5000 bytes) and was truncated")));
    }
    drop(trial);
    thread.join().unwrap();
    // What just fits is whole.
    let (addr, thread) = server(|mut stream| stream.write_all(&[b'x'; 5000]).unwrap());
    let trial =
        talk(addr, vec![("read", Bound::Bool(true)), ("read_limit", Bound::Size(5000))], PATIENCE).await;
    assert_eq!(trial.value("size"), Value::Int(5000));
    thread.join().unwrap();
}

#[tokio::test]
async fn an_end_without_an_answer_is_no_answer() {
    for keys in [vec![("read", Bound::Bool(true))], vec![("send", template("PING"))]] {
        let (addr, thread) = server(|stream| {
            stream.shutdown(Shutdown::Write).unwrap();
            until_closed(&stream);
        });
        let trial = talk(addr, keys, PATIENCE).await;
        assert_eq!(trial.failure(), "incorrect assert.response");
        assert_eq!(trial.message(), "the server closed the connection before it sent anything");
        drop(trial);
        thread.join().unwrap();
    }
}

/// The example of `exchange` against a server that does as mail servers do.
#[tokio::test]
async fn the_example_of_an_exchange_passes() {
    let example = super::file::KEYS.iter().find(|key| key.name == "exchange").unwrap().example;
    let (addr, thread) = server(|mut stream| {
        stream.write_all(b"220 mail.test ESMTP\r\n").unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        stream.write_all(b"250-mail.test\r\n250 SMTPUTF8\r\n").unwrap();
        until_closed(&stream);
    });
    let step = format!("tcp: {{ address: \"{addr}\", exchange: {example} }}");
    assert_eq!(told(&judge(&step).await), "ok");
    thread.join().unwrap();
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let target = Hostile::start(Fault::HalfOpen);
    for (keys, what) in [
        (vec![("read_until", text("\\n"))], " for \"\\n\""),
        (vec![("read", Bound::Bool(true))], ""),
        (vec![("send", template("hello"))], ""),
    ] {
        let trial = until_in(Phase::Wait, async |limit| talk(target.addr(), keys.clone(), limit).await).await;
        assert_eq!(trial.failure(), "timeout timeout");
        assert_eq!(trial.message(), format!("still waiting for the answer after {:?}{what}", trial.limit));
        assert_eq!(trial.last_phase(), Some(Phase::Wait));
        trial.ended_in_time();
    }
}

#[tokio::test]
async fn a_drip_ends_at_the_deadline() {
    let target = Hostile::start(Fault::Drip(Duration::from_millis(20)));
    let send = ("send", template("GET / HTTP/1.1\\r\\n\\r\\n"));
    let keys = vec![send.clone(), ("read_until", text("never"))];
    let trial = until_in(Phase::Receive, async |limit| talk(target.addr(), keys.clone(), limit).await).await;
    assert_eq!(trial.failure(), "timeout timeout");
    assert_eq!(trial.last_phase(), Some(Phase::Receive));
    trial.ended_in_time();
    // Where silence is the end, a machine that keeps the peer waiting for so long makes it the end of this, too.
    let quiet = Duration::from_millis(100);
    for _ in 0..8 {
        let keys = vec![send.clone()];
        let trial =
            until_in(Phase::Receive, async |limit| talk(target.addr(), keys.clone(), limit).await).await;
        if trial.outcome.failure.is_none() && trial.stalled() >= quiet / 2 {
            continue;
        }
        assert_eq!(trial.failure(), "timeout timeout");
        assert_eq!(trial.last_phase(), Some(Phase::Receive));
        trial.ended_in_time();
        return;
    }
    panic!("the machine kept the peer waiting eight times in turn");
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let trial = talk(addr, Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "connect connect.refused");
    assert_eq!(trial.phases(0), [Phase::Connect]);
    assert_eq!(trial.outcome.hops[0].attempts.len(), 1);
}

#[tokio::test]
async fn a_reset_is_the_targets_failure() {
    let target = Hostile::start(Fault::ResetOnAccept);
    let trial = talk(target.addr(), vec![("read_until", text("\\n"))], PATIENCE).await;
    assert_eq!(trial.failure(), "connect connect.reset");
}

#[tokio::test]
async fn bytes_that_are_not_text_are_shown() {
    let (addr, thread) = server(|mut stream| {
        stream.write_all(b"\xff\x00ok\n").unwrap();
        until_closed(&stream);
    });
    let trial = talk(addr, vec![("read_until", text("\\n"))], PATIENCE).await;
    assert_eq!(trial.value("response"), Value::Text("\u{fffd}\0ok\n".into()));
    assert_eq!(trial.value("size"), Value::Int(5));
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn a_scenario_file_says_it_all() {
    for (keys, expected) in [
        ("read_until: \"\\n\" }\nexpect: { response: { starts_with: \"220\" }, size: { lte: 1kB } }", "ok"),
        ("read_until: \\n }\nexpect: { response: { starts_with: \"220\" } }", "ok"),
        (
            "read: true }\nexpect: { response: { starts_with: \"250\" } }",
            "failed incorrect assert.response: response is",
        ),
    ] {
        let (addr, thread) = server(|mut stream| {
            stream.write_all(b"220 mail.test ESMTP\n").unwrap();
            until_closed(&stream);
        });
        let told = told(&judge(&format!("tcp: {{ address: \"{addr}\", {keys}")).await);
        assert!(told.starts_with(expected), "{keys}\n{told}");
        thread.join().unwrap();
    }
}

/// The rounds of a conversation: what is sent and what is expected, either may be empty.
fn rounds(rounds: &[(&str, &str)]) -> (&'static str, Bound) {
    let spanned = |bound| Spanned::new(bound, Span::default());
    let one = |(send, expect): &(&str, &str)| {
        let mut entries = Vec::new();
        if !send.is_empty() {
            entries.push(("send", spanned(template(*send))));
        }
        if !expect.is_empty() {
            entries.push(("expect", spanned(text(*expect))));
        }
        spanned(Bound::Record(Fields::new(Span::default(), entries)))
    };
    ("exchange", Bound::List(rounds.iter().map(one).collect()))
}

/// A mail server as far as the greeting, which answers two commands that come at once in one piece.
fn mail(mut stream: TcpStream) {
    stream.write_all(b"220 mail.test ESMTP\r\n").unwrap();
    let mut asked = [0; 13];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"EHLO probe\r\nN");
    stream.write_all(b"250-mail.test\r\n250 STARTTLS\r\n250 done\r\n").unwrap();
    until_closed(&stream);
}

#[tokio::test]
async fn a_conversation_goes_round_by_round() {
    let (addr, thread) = server(mail);
    let said = [("", "^220 "), ("EHLO probe\\r\\nN", "(?m)^250 .*\r\n"), ("", "^250 done")];
    let trial = talk(addr, vec![rounds(&said)], PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    let texts = ["220 ", "mail.test ESMTP\r\n250-mail.test\r\n250 STARTTLS\r\n", "250 done"];
    assert_eq!(trial.value("responses"), Value::List(texts.map(|text| Value::Text(text.into())).into()));
    assert_eq!(trial.value("response"), Value::Text(texts.concat().into()));
    assert_eq!(trial.outcome.hops.len(), 3);
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.phases(1)[..2], [Phase::Send, Phase::Wait]);
    assert!(trial.outcome.hops[1].reused && trial.outcome.hops[1].label.ends_with("(round 2)"));
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn bytes_are_said_and_heard_in_hexadecimal() {
    let (addr, thread) = server(|mut stream| {
        let mut asked = [0; 3];
        stream.read_exact(&mut asked).unwrap();
        assert_eq!(asked, [5, 1, 0]);
        stream.write_all(&[5, 0]).unwrap();
        until_closed(&stream);
    });
    let keys = vec![("encoding", Bound::Choice("hex")), rounds(&[("05 01 00", "^0500$")])];
    let trial = talk(addr, keys, PATIENCE).await;
    assert_eq!(trial.value("response"), Value::Text("0500".into()));
    drop(trial);
    thread.join().unwrap();
}

#[tokio::test]
async fn a_round_that_is_not_answered_right_says_which() {
    let (addr, thread) = server(|mut stream| {
        stream.write_all(b"220 mail.test\r\n554 no\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        until_closed(&stream);
    });
    let trial = talk(addr, vec![rounds(&[("", "^220 .*\n"), ("", "^250 ")])], PATIENCE).await;
    assert_eq!(trial.failure(), "incorrect assert.response");
    assert_eq!(
        trial.message(),
        "the server closed the connection before it sent what would match `^250 ` (round 2); it sent \"554 no\\r\\n\""
    );
    assert_eq!(trial.outcome.hops.len(), 2);
    drop(trial);
    thread.join().unwrap();
    for fault in [Fault::HalfOpen, Fault::Drip(Duration::from_millis(20))] {
        let target = Hostile::start(fault);
        let said = [("GET / HTTP/1.1\\r\\n\\r\\n", "never comes")];
        let trial = talk(target.addr(), vec![rounds(&said)], LIMITS[0]).await;
        assert_eq!(trial.failure(), "timeout timeout");
        assert!(trial.message().contains("for `never comes`"), "{}", trial.message());
        trial.ended_in_time();
    }
    let target = Hostile::start(Fault::EndlessBody);
    let said = [("GET / HTTP/1.1\\r\\n\\r\\n", "never comes")];
    let trial = talk(target.addr(), vec![rounds(&said)], PATIENCE).await;
    assert!(trial.message().contains("within the first 65536 bytes"), "{}", trial.message());
}

#[test]
fn mistakes_in_the_file() {
    let check = |keys: Vec<(&'static str, Bound)>| compile(&KIND, keys).err().unwrap_or_default();
    assert_eq!(
        check(vec![
            ("address", template("mail.test")),
            ("send", template("a\\qb")),
            ("read_limit", Bound::Size(2 << 20))
        ]),
        [
            "E104: `read_limit` must be between 1 byte and 1 MiB",
            "E134: `mail.test` has no port",
            "E136: `\\q` is not an escape that is known here",
        ]
    );
    assert_eq!(
        check(vec![("address", template("mail.test:25")), ("read_until", text(""))]),
        ["E104: `read_until` is empty"]
    );
    let both = vec![
        ("address", template("mail.test:25")),
        ("read_until", text("\\n")),
        ("read", Bound::Bool(false)),
    ];
    assert_eq!(check(both), ["E135: `read: false` and `read_until` contradict each other"]);
    let address = ("address", template("mail.test:25"));
    assert_eq!(
        check(vec![address.clone(), rounds(&[("", "^220")]), ("send", template("x"))]),
        ["E135: `send` and `exchange` both say what is said and heard"]
    );
    assert_eq!(
        check(vec![address.clone(), rounds(&[("", "(")])]),
        ["E301: this is not a regular expression: unclosed group"]
    );
    assert_eq!(
        check(vec![address.clone(), rounds(&[("", "")])]),
        ["E104: a round says what is sent, what is expected, or both"]
    );
    assert_eq!(
        check(vec![address.clone(), ("encoding", Bound::Choice("hex")), ("send", template("0"))]),
        ["E137: `send` does not stand for bytes: it is not pairs of hexadecimal digits"]
    );
    assert_eq!(
        check(vec![address, ("encoding", Bound::Choice("hex")), ("read_until", text("\\n"))]),
        ["E137: `read_until` does not stand for bytes: it is not pairs of hexadecimal digits"]
    );
}

/// Each machine behind a name is talked to by itself, and the one that says something else is named.
#[tokio::test]
async fn every_address_of_a_name() {
    let say = |line: &str| Hostile::start(Fault::Trickle(line.as_bytes().to_vec(), Duration::ZERO));
    let (good, other) = (say("220 mail\r\n"), say("554 no\r\n"));
    let relay = Relay::start(good.addr(), other.addr());
    let names = testkit::dns::Server::start();
    names.on("mail.test", "A", Names::a(&["127.0.0.1", "127.0.0.2"]));
    names.on("mail.test", "AAAA", Names::empty());
    names.on("part.test", "A", Names::a(&["127.0.0.1", "127.0.0.9"]));
    names.on("part.test", "AAAA", Names::empty());
    let step = |name: &str, keys: &str| {
        format!("tcp: {{ address: \"{name}:{}\", read_until: \"\\n\", addresses: all{keys} }}", relay.port)
    };
    for (step, expected) in [
        (step("mail.test", ""), "ok"),
        (
            step("mail.test", "") + "\nexpect: { response: { starts_with: \"220\" } }",
            "failed incorrect assert.response: at 127.0.0.2:",
        ),
        (step("part.test", ""), "failed connect connect.refused: 1 of 2 addresses bad: 127.0.0.9:"),
        (step("part.test", ", ip: \"6\""), "failed dns dns.no_answer"),
        (step("nowhere.test", ""), "failed dns dns.nxdomain"),
    ] {
        let told = told(&judge_asking(&step, names.addr()).await);
        assert!(told.starts_with(expected), "{step}\n{told}");
    }
    let keys = vec![
        ("address", template(format!("mail.test:{}", relay.port))),
        ("read_until", text("\\n")),
        ("addresses", Bound::Choice("all")),
    ];
    let before = names.udp_packets();
    let trial = run(&KIND, keys, &shared_asking(names.addr()), PATIENCE).await;
    assert_eq!(names.udp_packets(), before + 2, "the name is looked up once");
    assert_eq!(trial.phases(0), [Phase::Dns]);
    assert_eq!(*trial.phases(1).first().unwrap(), Phase::Connect);
    assert_eq!(trial.outcome.hops.len(), 3);
    assert_eq!(trial.value("response"), Value::Text("220 mail\r\n".into()));
}
