//! The kind `jetstream` against nats-server, and against servers that are none.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use model::step::Phase;
use model::time::{Clock as _, SystemClock};
use scenario::fields::Bound;
use scenario::template::{Hole, Part, Secrets, Template};
use scenario::value::{Reading, Value};
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Flaw, Pki};
use testkit::servers::{Nats, NatsSetup};

use super::KIND;
use crate::trial::{PATIENCE, Trial, compile, judge, run, run_with, shared, template, text, told, until_in};

/// Long enough for what comes before the silence of a server that serves one connection.
const LIMIT: Duration = Duration::from_secs(2);

async fn look(addr: SocketAddr, keys: Vec<(&'static str, Bound)>, limit: Duration) -> Trial {
    let stream = ("stream", template("ORDERS"));
    let keys = [vec![("address", template(addr.to_string())), stream], keys].concat();
    run(&KIND, keys, &shared(), limit).await
}

fn subject(name: &str) -> (&'static str, Bound) {
    ("subject", template(name))
}

fn age(trial: &Trial) -> f64 {
    match trial.value("last") {
        Value::Time(at) => SystemClock.now().seconds_since(at),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_real_stream_says_how_old_its_last_message_is() {
    let nats = Nats::start(&NatsSetup::default());
    nats.stream("ORDERS", "[\"orders.>\"]");
    let trial = look(nats.addr(), Vec::new(), PATIENCE).await;
    assert_eq!((trial.read("last"), trial.value("count")), (Reading::Absent, Value::Int(0)));
    for (to, payload) in [("orders.new", "a"), ("orders.new", "b"), ("orders.paid", "c")] {
        nats.publish(to, payload);
    }
    let trial = look(nats.addr(), Vec::new(), PATIENCE).await;
    assert_eq!((trial.value("sequence"), trial.value("count")), (Value::Int(3), Value::Int(3)));
    assert!((-1.0..60.0).contains(&age(&trial)), "{}", age(&trial));
    assert_eq!(trial.outcome.hops.len(), 2);
    assert_eq!(trial.phases(1), [Phase::Send, Phase::Wait, Phase::Receive]);
    let trial = look(nats.addr(), vec![subject("orders.new")], PATIENCE).await;
    assert_eq!((trial.value("sequence"), trial.value("count")), (Value::Int(2), Value::Int(2)));
    assert_eq!(trial.value("message_subject"), Value::Text("orders.new".into()));
    assert!((-1.0..60.0).contains(&age(&trial)));
    assert_eq!(trial.outcome.hops.len(), 3);
    let trial = look(nats.addr(), vec![subject("orders.*")], PATIENCE).await;
    assert_eq!((trial.value("sequence"), trial.value("count")), (Value::Int(3), Value::Int(3)));
    let trial = look(nats.addr(), vec![subject("orders.lost")], PATIENCE).await;
    assert_eq!((trial.read("last"), trial.value("count")), (Reading::Absent, Value::Int(0)));
}

#[tokio::test]
async fn what_a_real_server_refuses() {
    let nats = Nats::start(&NatsSetup::default());
    let trial = look(nats.addr(), Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol jetstream.404");
    assert_eq!(trial.message(), "JetStream refused: stream not found (404)");
    let trial = look(nats.addr(), vec![("tls", Bound::Bool(true))], PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.handshake");
    let trial = look(nats.addr(), vec![("domain", text("hub"))], PATIENCE).await;
    assert_eq!(trial.failure(), "protocol jetstream.503");
    assert!(trial.message().ends_with(", or no domain `hub` is known here"), "{}", trial.message());
    let without = Nats::start(&NatsSetup { without_jetstream: true, ..NatsSetup::default() });
    let trial = look(without.addr(), Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol jetstream.503");
}

#[tokio::test]
async fn a_password_signs_in_and_shows_nowhere() {
    let nats = Nats::start(&NatsSetup { login: Some(("probe", "let-me-in")), ..NatsSetup::default() });
    nats.stream("ORDERS", "[\"orders.>\"]");
    let trial = look(nats.addr(), Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol jetstream.authorization");
    let secret = Template::new([Part::Hole(Hole::Secret("password".into()), Vec::new())]);
    let keys = vec![
        ("address", template(nats.addr().to_string())),
        ("stream", template("ORDERS")),
        ("user", template("probe")),
        ("password", Bound::Template(secret)),
    ];
    let action = compile(&KIND, keys).unwrap();
    let mut secrets = Secrets::default();
    secrets.set("password", "let-me-in");
    let trial = run_with(&*action, &shared(), &secrets, PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    assert!(!format!("{:?} {:?}", trial.outcome.hops, trial.outcome.attributes).contains("let-me-in"));
    secrets.set("password", "wrong");
    let trial = run_with(&*action, &shared(), &secrets, PATIENCE).await;
    assert_eq!(trial.failure(), "protocol jetstream.authorization");
    let trial = run_with(&*action, &shared(), &Secrets::default(), PATIENCE).await;
    assert_eq!(trial.failure(), "local local.secret");
}

#[tokio::test]
async fn a_real_server_in_tls() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let nats = Nats::start(&NatsSetup { identity: Some(&identity), ..NatsSetup::default() });
    let secure = ("tls", Bound::Bool(true));
    let ca = ("ca", text(pki.root_file().to_str().unwrap()));
    let trial = look(nats.addr(), vec![secure.clone(), ca], PATIENCE).await;
    assert_eq!(trial.failure(), "protocol jetstream.404");
    assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
    assert_eq!(look(nats.addr(), vec![secure], PATIENCE).await.failure(), "tls tls.untrusted");
    let trial = look(nats.addr(), Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.handshake");
    assert!(trial.message().contains("write tls: true"), "{}", trial.message());
}

const INFO: &str = "INFO {\"version\":\"2\"}\r\n";

/// A server for one connection that says the next of `answers` to each line, the first one unasked.
fn server(answers: &'static [&'static str]) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        for answer in answers {
            if stream.write_all(answer.as_bytes()).is_err()
                || lines.read_line(&mut String::new()).unwrap_or(0) == 0
            {
                return;
            }
        }
        drop(lines.read_line(&mut String::new()));
    });
    (addr, thread)
}

#[tokio::test]
async fn servers_that_are_none() {
    for (answers, error_type) in [
        (&["220 mail.test\r\n"][..], "jetstream.protocol"),
        (&["INFO nonsense\r\n"], "jetstream.protocol"),
        (&["INFO [1]\r\n"], "jetstream.protocol"),
        (&[INFO, "HELLO\r\n"], "jetstream.protocol"),
        (&[INFO, "-ERR 'Authorization Violation'\r\n"], "jetstream.authorization"),
        (&[INFO, "PONG\r\nMSG x 1 99999999999\r\n"], "jetstream.protocol"),
        (&[INFO, "PONG\r\nMSG\r\n"], "jetstream.protocol"),
        (&[INFO, "PONG\r\n-ERR 'Permissions Violation for Publish'\r\n"], "jetstream.permission"),
    ] {
        let (addr, thread) = server(answers);
        let trial = look(addr, Vec::new(), PATIENCE).await;
        assert_eq!(trial.failure(), format!("protocol {error_type}"), "{answers:?}");
        drop(trial);
        thread.join().unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        for line in ["INFO aaaaaaaaaaaaaaaa", "PING\r\n"] {
            let (mut stream, _) = listener.accept().unwrap();
            if line.ends_with('\n') {
                stream.write_all(INFO.as_bytes()).unwrap();
            }
            while stream.write_all(line.repeat(64).as_bytes()).is_ok() {}
        }
    });
    let trial = look(addr, Vec::new(), PATIENCE).await;
    assert_eq!(trial.failure(), "protocol jetstream.too_long");
    let trial = look(addr, Vec::new(), PATIENCE).await;
    assert!(["protocol jetstream.protocol", "connect connect.reset"].contains(&trial.failure().as_str()));
    thread.join().unwrap();
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    for fault in [Fault::HalfOpen, Fault::TlsStall] {
        let target = Hostile::start(fault);
        let trial = until_in(Phase::Wait, async |limit| look(target.addr(), Vec::new(), limit).await).await;
        assert_eq!(trial.failure(), "timeout timeout");
        assert_eq!(trial.phases(0), [Phase::Connect, Phase::Wait]);
        trial.ended_in_time();
    }
    let (addr, thread) = server(&[INFO, "PONG\r\n", "", "", "", ""]);
    let trial = look(addr, Vec::new(), LIMIT).await;
    assert_eq!(trial.failure(), "timeout timeout");
    assert_eq!((trial.outcome.hops.len(), trial.phases(1)), (2, vec![Phase::Send, Phase::Wait]));
    trial.ended_in_time();
    drop(trial);
    thread.join().unwrap();
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(look(addr, Vec::new(), PATIENCE).await.failure(), "connect connect.refused");
}

#[tokio::test]
async fn verdicts_of_scenarios() {
    let nats = Nats::start(&NatsSetup::default());
    nats.stream("ORDERS", "[\"orders.>\"]");
    nats.publish("orders.new", "x");
    for (keys, expected) in [
        ("subject: orders.new }\nexpect: { last: { newer_than: 1h }, count: { gte: 1 } }", "ok"),
        ("subject: orders.new }\nexpect: { sequence: 1, size: { lt: 1MiB } }", "ok"),
        ("subject: orders.old }\nexpect: { last: { newer_than: 1h } }", "failed incorrect assert.last"),
        ("subject: orders.new }\nexpect: { last: { older_than: 1h } }", "failed incorrect assert.last"),
    ] {
        let step = format!("jetstream: {{ address: \"{}\", stream: ORDERS, {keys}", nats.addr());
        let told = told(&judge(&step).await);
        assert!(told.starts_with(expected), "{keys}\n{told}");
    }
}

#[test]
fn mistakes_in_the_file() {
    let check = |keys: Vec<(&'static str, Bound)>| {
        let keys = [vec![("address", template("nats.test")), ("stream", template("ORDERS"))], keys].concat();
        compile(&KIND, keys).err().unwrap_or_default()
    };
    assert!(check(Vec::new()).is_empty(), "the port is known");
    assert_eq!(check(vec![subject("a..b")]), ["E104: this is not a subject"]);
    assert_eq!(check(vec![("domain", text("a.b"))]), ["E104: this is not the name of a domain"]);
    assert_eq!(check(vec![("token", template("abc"))]), ["E180: credentials stand in this file"]);
    assert_eq!(
        check(vec![("user", template("probe"))]),
        ["E183: `user` and `password` belong together, and `token` stands alone"]
    );
    assert_eq!(
        check(vec![("ca", text("ca.pem"))]),
        ["E135: `ca` says something about TLS, and there is none"]
    );
}
