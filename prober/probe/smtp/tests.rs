//! The kind `smtp` against aiosmtpd, and against servers that are none.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use model::step::Phase;
use scenario::fields::Bound;
use scenario::value::{Reading, Value};
use testkit::hostile::{Fault, Hostile};
use testkit::pki::{Flaw, Pki};
use testkit::servers::Python;

use super::KIND;
use crate::trial::{PATIENCE, Trial, compile, judge, run, shared, template, text, told, until_in};

/// Long enough for what comes before the silence of a server that serves one connection.
const LIMIT: Duration = Duration::from_secs(2);
const STARTTLS: (&str, Bound) = ("tls", Bound::Choice("starttls"));
const IMPLICIT: (&str, Bound) = ("tls", Bound::Choice("implicit"));

async fn look(addr: SocketAddr, keys: Vec<(&'static str, Bound)>, limit: Duration) -> Trial {
    let keys = [vec![("address", template(addr.to_string()))], keys].concat();
    run(&KIND, keys, &shared(), limit).await
}

fn capabilities(trial: &Trial) -> Vec<String> {
    let Value::List(lines) = trial.value("capabilities") else { panic!("a list") };
    let text = |line| match line {
        Value::Text(text) => text.into_owned(),
        other => panic!("{other:?}"),
    };
    lines.into_iter().map(text).collect()
}

#[tokio::test]
async fn a_real_server_greets() {
    let server = Python::smtp(None);
    let trial = look(server.addr(), Vec::new(), PATIENCE).await;
    assert_eq!(trial.value("code"), Value::Int(220));
    assert_eq!(trial.value("banner"), Value::Text("mail.test ESMTP probe me".into()));
    assert!(capabilities(&trial).iter().any(|line| line.starts_with("SIZE ")));
    assert!(!capabilities(&trial).contains(&"STARTTLS".to_owned()));
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.phases(1), [Phase::Send, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.outcome.hops[1].status.as_deref(), Some("250"));
    let trial = look(server.addr(), vec![STARTTLS], PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.starttls");
    assert!(trial.message().ends_with("does not offer STARTTLS"), "{}", trial.message());
}

#[tokio::test]
async fn a_real_server_goes_on_in_tls() {
    let pki = Pki::new();
    let identity = pki.identity(&["mail.test"], Flaw::None);
    let server = Python::smtp(Some(&identity));
    let ca = ("ca", text(pki.root_file().to_str().unwrap()));
    let name = ("server_name", text("mail.test"));
    let trial = look(server.addr(), vec![STARTTLS, ca.clone(), name.clone()], PATIENCE).await;
    assert_eq!(trial.outcome.failure, None);
    assert_eq!(trial.outcome.hops.len(), 4);
    assert_eq!(trial.phases(2), [Phase::Send, Phase::Wait, Phase::Receive, Phase::Tls]);
    assert_eq!(trial.attribute("tls.protocol.version"), "1.3");
    // What it can do is asked again: in TLS it offers no STARTTLS any more.
    assert!(!capabilities(&trial).contains(&"STARTTLS".to_owned()));
    let trial = look(server.addr(), vec![STARTTLS, ca.clone()], PATIENCE).await;
    assert_eq!(trial.failure(), "tls tls.name_mismatch");
    let trial = look(server.addr(), Vec::new(), PATIENCE).await;
    assert!(capabilities(&trial).contains(&"STARTTLS".to_owned()));
    let server = Python::smtps(&identity);
    let trial = look(server.addr(), vec![IMPLICIT, ca, name], PATIENCE).await;
    assert_eq!(trial.phases(0), [Phase::Connect, Phase::Tls, Phase::Wait, Phase::Receive]);
    assert_eq!(trial.value("code"), Value::Int(220));
}

/// A server for one connection that says the next of `replies` to each line, the first one unasked.
fn server(replies: &'static [&'static str]) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        for reply in replies {
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
            if lines.read_line(&mut String::new()).unwrap_or(0) == 0 {
                return;
            }
        }
    });
    (addr, thread)
}

#[tokio::test]
async fn replies_that_refuse_or_are_none() {
    for (replies, keys, expected) in [
        (&["554 go away\r\n"][..], vec![], "smtp.554"),
        (&["220 mail.test\r\n", "502 what?\r\n"], vec![], "smtp.502"),
        (&["220 mail.test\r\n", "250-mail.test\r\n251 SIZE\r\n"], vec![], "smtp.protocol"),
        (&["+OK POP3 ready\r\n"], vec![], "smtp.protocol"),
        (&["HTTP/1.1 400 Bad Request\r\n"], vec![], "smtp.protocol"),
        (&["220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "454 not now\r\n"], vec![STARTTLS], "smtp.454"),
        (
            // Anybody on the way could have added it.
            &["220 a\r\n", "250-a\r\n250 STARTTLS\r\n", "220 go\r\n250 FORGED\r\n"],
            vec![STARTTLS],
            "tls.starttls",
        ),
    ] {
        let (addr, thread) = server(replies);
        let trial = look(addr, keys, PATIENCE).await;
        if let Some(failure) = &trial.outcome.failure {
            assert_eq!(failure.error_type, expected, "{replies:?}");
        } else {
            // A greeting that is none is for the assertion to judge.
            assert_eq!((expected, trial.value("code")), ("smtp.554", Value::Int(554)));
            assert!(matches!(trial.read("capabilities"), Reading::Unreadable(_)));
        }
        drop(trial);
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn replies_without_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        for line in ["220-and more\r\n", "220 aaaaaaaaaaaaaaaa"] {
            let (mut stream, _) = listener.accept().unwrap();
            let line = if line.ends_with('\n') { line.to_owned() } else { line.repeat(100) };
            while stream.write_all(line.as_bytes()).is_ok() {}
        }
    });
    for _ in 0..2 {
        let trial = look(addr, Vec::new(), PATIENCE).await;
        assert_eq!(trial.failure(), "protocol smtp.too_long");
    }
    thread.join().unwrap();
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    for (fault, keys, last) in [
        (Fault::HalfOpen, vec![], Phase::Wait),
        (Fault::HalfOpen, vec![IMPLICIT], Phase::Tls),
        (Fault::TlsStall, vec![IMPLICIT], Phase::Tls),
    ] {
        let target = Hostile::start(fault);
        let trial = until_in(last, async |limit| look(target.addr(), keys.clone(), limit).await).await;
        assert_eq!(trial.failure(), "timeout timeout");
        assert_eq!(trial.last_phase(), Some(last));
        trial.ended_in_time();
    }
    let (addr, thread) = server(&["220 mail.test\r\n", ""]);
    let trial = look(addr, Vec::new(), LIMIT).await;
    assert_eq!(trial.failure(), "timeout timeout");
    assert_eq!(trial.phases(1), [Phase::Send, Phase::Wait]);
    trial.ended_in_time();
    drop(trial);
    thread.join().unwrap();
    for fault in [Fault::CloseOnAccept, Fault::ResetOnAccept] {
        let target = Hostile::start(fault);
        assert_eq!(look(target.addr(), Vec::new(), PATIENCE).await.failure(), "connect connect.reset");
    }
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(look(addr, Vec::new(), PATIENCE).await.failure(), "connect connect.refused");
}

#[tokio::test]
async fn verdicts_of_scenarios() {
    let mail = Python::smtp(None);
    for (keys, expected) in [
        (" }", "ok"),
        (" }\nexpect: { banner: { contains: ESMTP }, capabilities: { any: { starts_with: SIZE } } }", "ok"),
        (" }\nexpect: { capabilities: { contains: STARTTLS } }", "failed incorrect assert.capabilities"),
    ] {
        let told = told(&judge(&format!("smtp: {{ address: \"{}\"{keys}", mail.addr())).await);
        assert!(told.starts_with(expected), "{keys}\n{told}");
    }
    let (addr, thread) = server(&["554 go away\r\n"]);
    let told = told(&judge(&format!("smtp: \"{addr}\"")).await);
    assert!(told.starts_with("failed protocol smtp.554: code is 554"), "{told}");
    thread.join().unwrap();
}

#[test]
fn mistakes_in_the_file() {
    let check = |keys: Vec<(&'static str, Bound)>| compile(&KIND, keys).err().unwrap_or_default();
    let address = ("address", template("mail.test"));
    assert!(compile(&KIND, vec![address.clone()]).is_ok(), "the port is known");
    assert_eq!(
        check(vec![("address", template("mail.test:x")), ("hello", text("not a name"))]),
        ["E134: `x` is not a port from 1 to 65535", "E178: EHLO takes a name or an address in brackets"]
    );
    assert_eq!(
        check(vec![address, ("ca", text("ca.pem"))]),
        ["E135: `ca` says something about TLS, and there is none"]
    );
}
