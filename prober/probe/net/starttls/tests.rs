//! Every protocol against servers that agree, refuse, talk nonsense, or never end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use testkit::pki::{Flaw, Pki, Speech};
use testkit::scripted::{Move, Scripted, say};

use super::*;
use crate::net::fault::within;

const LIMIT: Duration = Duration::from_secs(10);

/// What coming to TLS gives: `ok`, or class, type and message.
async fn come(protocol: Protocol, addr: SocketAddr, limit: Duration) -> String {
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    match within(Instant::now() + limit, upgrade(protocol, &mut stream, &name)).await {
        None => "too late".to_owned(),
        Some(Ok(())) => "ok".to_owned(),
        Some(Err(failure)) => format!("{} {}: {}", failure.class, failure.error_type, failure.message),
    }
}

fn config() -> Arc<ServerConfig> {
    Pki::new().identity(&["localhost"], Flaw::None).server_config(&Speech::default())
}

fn mysql_greeting(capabilities: u16) -> Vec<u8> {
    let mut body = b"\x0a10.11-test\0".to_vec();
    body.extend([1, 0, 0, 0]);
    body.extend([7; 8]);
    body.push(0);
    body.extend(capabilities.to_le_bytes());
    body.extend([45, 2, 0, 0xff, 0xc1]);
    [&[u8::try_from(body.len()).unwrap(), 0, 0, 0][..], &body].concat()
}

fn ldap_answer(code: u8, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    let inner = [&[0x0a, 1, code, 4, 0, 4, length][..], text.as_bytes()].concat();
    let response = [&[0x78, u8::try_from(inner.len()).unwrap()][..], &inner].concat();
    // Every length in four bytes, as Active Directory writes it.
    let length = u8::try_from(response.len() + 3).unwrap();
    [&[0x30, 0x84, 0, 0, 0, length, 2, 1, 1][..], &response].concat()
}

/// What servers say until they agree, protocol by protocol.
fn agreeing() -> Vec<(Protocol, Vec<Move>)> {
    let features = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' id='1' version='1.0'>\
        <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";
    vec![
        (
            Protocol::Smtp,
            vec![
                say("220-mail.test\r\n220 ready\r\n"),
                Move::Hear("EHLO [127.0.0.1]\r\n"),
                say("250-mail.test\r\n250-SIZE 1000\r\n250-starttls\r\n250 HELP\r\n"),
                Move::Hear("STARTTLS\r\n"),
                say("220 go on\r\n"),
            ],
        ),
        (
            Protocol::Imap,
            vec![
                say("* OK [CAPABILITY IMAP4rev1] ready\r\n"),
                Move::Hear("p1 STARTTLS\r\n"),
                say("* 1 EXISTS\r\np1 ok begin\r\n"),
            ],
        ),
        (Protocol::Pop3, vec![say("+OK ready\n"), Move::Hear("STLS\r\n"), say("+OK\r\n")]),
        (
            Protocol::Xmpp,
            vec![
                Move::Hear("to='localhost'>"),
                say(features),
                Move::Hear("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
                say("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'></proceed>"),
            ],
        ),
        (Protocol::Postgres, vec![Move::HearBytes(8), say("S")]),
        (Protocol::Mysql, vec![Move::Say(mysql_greeting(0xffff)), Move::HearExactly(36)]),
        (Protocol::Ldap, vec![Move::Hear("1.3.6.1.4.1.1466.20037"), Move::Say(ldap_answer(0, ""))]),
    ]
}

#[tokio::test]
async fn every_protocol_comes_to_tls() {
    let config = config();
    for (protocol, mut moves) in agreeing() {
        moves.push(Move::Tls(Arc::clone(&config)));
        let server = Scripted::start(moves);
        assert_eq!(come(protocol, server.addr(), LIMIT).await, "ok", "{protocol:?}");
        assert_eq!(Protocol::of(protocol.word()), Some(protocol));
    }
    assert_eq!(agreeing().len(), WORDS.len());
}

#[tokio::test]
async fn what_comes_in_plaintext_after_the_yes_ends_it() {
    for (protocol, mut moves) in agreeing() {
        let injected = "250 injected\r\n* injected\r\n<stream:stream>";
        match (protocol, moves.last_mut()) {
            // The client speaks last here, so whatever follows the greeting was put there.
            (Protocol::Mysql, _) => moves[0] = Move::Say([mysql_greeting(0xffff), injected.into()].concat()),
            (_, Some(Move::Say(last))) => last.extend(injected.bytes()),
            _ => panic!("the server speaks last"),
        }
        moves.push(Move::Hang);
        let server = Scripted::start(moves);
        let told = come(protocol, server.addr(), LIMIT).await;
        let expected = format!(
            "tls tls.starttls: the server did not come to TLS over {}: more came in plaintext after it had agreed \
             to TLS: \"250 injected",
            protocol.word()
        );
        assert!(told.starts_with(&expected), "{told}");
    }
}

/// Servers that do not come to TLS, and what is told of each.
async fn check_refusals(cases: Vec<(Protocol, Vec<Move>, &str)>) {
    for (protocol, moves, part) in cases {
        let server = Scripted::start([moves, vec![Move::Hang]].concat());
        let told = come(protocol, server.addr(), LIMIT).await;
        let start = format!("tls tls.starttls: the server did not come to TLS over {}: ", protocol.word());
        assert!(told.starts_with(&start) && told.contains(part), "{protocol:?}: {told}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_server_s_words() {
    let xmpp = |answer: &str| vec![Move::Hear("to='localhost'>"), say(answer)];
    let stream = "<stream:stream id='1'>";
    let offers = format!(
        "{stream}<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
    );
    check_refusals(vec![
        (Protocol::Smtp, vec![say("554 no mail here\r\n")], "it refused: \"554 no mail here\""),
        (
            Protocol::Smtp,
            vec![say("220 x\r\n"), Move::Hear("EHLO"), say("250-x\r\n250 SIZE\r\n")],
            "it does not offer STARTTLS",
        ),
        (
            Protocol::Smtp,
            vec![
                say("220 x\r\n"),
                Move::Hear("EHLO"),
                say("250-x\r\n250 STARTTLS\r\n"),
                Move::Hear("STARTTLS\r\n"),
                say("454 TLS not available\r\n"),
            ],
            "it refused: \"454 TLS not available\"",
        ),
        (Protocol::Imap, vec![say("* BYE too many\r\n")], "it refused: \"* BYE too many\""),
        (Protocol::Imap, vec![say("* PREAUTH hello root\r\n")], "it refused: \"* PREAUTH"),
        (
            Protocol::Imap,
            vec![say("* OK\r\n"), Move::Hear("STARTTLS"), say("p1 BAD what\r\n")],
            "it refused: \"p1 BAD what\"",
        ),
        (Protocol::Pop3, vec![say("-ERR busy\r\n")], "it refused: \"-ERR busy\""),
        (
            Protocol::Pop3,
            vec![say("+OK\r\n"), Move::Hear("STLS"), say("-ERR never\r\n")],
            "it refused: \"-ERR never\"",
        ),
        (Protocol::Xmpp, xmpp(&format!("{stream}<stream:features/>")), "it does not offer STARTTLS"),
        (Protocol::Xmpp, xmpp("220 mx.test ESMTP\r\n"), "it sent \"220 mx.test ESMTP"),
        (
            Protocol::Xmpp,
            xmpp(&format!("{stream}<stream:error><host-unknown/></stream:error>")),
            "it refused: \"<stream:error><host-unknown/>",
        ),
        (
            Protocol::Xmpp,
            [xmpp(&offers), vec![Move::Hear("<starttls"), say("<failure xmlns='x'/></stream:stream>")]]
                .concat(),
            "it refused: \"<failure",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_refusal_in_packets_is_told_in_words() {
    check_refusals(vec![
        (Protocol::Postgres, vec![Move::HearBytes(8), say("N")], "it does not offer TLS"),
        (Protocol::Postgres, vec![Move::HearBytes(8), say("EFATAL")], "it answered with an error"),
        (
            Protocol::Postgres,
            vec![Move::HearBytes(8), say("E\0\0\0\x1fSFATAL\0C53300\0Mtoo many clients\0\0")],
            "it answered with an error: \"too many clients\"",
        ),
        (
            Protocol::Postgres,
            vec![Move::HearBytes(8), say("EFATAL:  unsupported\n\0")],
            "it answered with an error: \"FATAL:  unsupported\"",
        ),
        (Protocol::Mysql, vec![Move::Say(mysql_greeting(0xf7ff))], "it does not offer TLS"),
        (
            Protocol::Mysql,
            vec![Move::Say(b"\x17\0\0\0\xff\x6a\x04Host is not allowed!!".to_vec())],
            "it refused: \"1130 Host is not allowed",
        ),
        (
            Protocol::Mysql,
            vec![Move::Say(b"\x0d\0\0\0\xff\x10\x04#08004busy".to_vec())],
            "it refused: \"1040 busy\"",
        ),
        (
            Protocol::Ldap,
            vec![Move::HearBytes(31), Move::Say(ldap_answer(52, "no TLS"))],
            "it refused: \"result 52 unavailable no TLS\"",
        ),
    ])
    .await;
}

#[tokio::test]
async fn nonsense_is_told_and_never_followed() {
    let http = "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n";
    for protocol in Protocol::ALL {
        for nonsense in [http.as_bytes(), b"\r\n\r\n", b"\x16\x03\x01\0\x05\r\n", b"\xff\xfe\xff\xff\r\n>\0"]
        {
            let server = Scripted::start(vec![Move::Say(nonsense.to_vec()), Move::Hang]);
            let told = come(protocol, server.addr(), Duration::from_secs(1)).await;
            assert!(told.starts_with("tls tls.starttls: ") || told == "too late", "{protocol:?}: {told}");
        }
        let server = Scripted::start(Vec::new());
        let told = come(protocol, server.addr(), LIMIT).await;
        assert!(told.starts_with("connect connect.reset: "), "{protocol:?}: {told}");
    }
}

#[tokio::test]
async fn what_never_ends_is_cut() {
    for (protocol, endless, expected) in [
        (Protocol::Smtp, "220-x\r\n", "its answer has more than 100 lines"),
        (Protocol::Smtp, "aaaaaaaa", "its answer is longer than it may be"),
        (Protocol::Imap, "* OK x\r\n", "its answer has more than 100 lines"),
        (Protocol::Pop3, "+OK ", "it sent a line of more than 16384 bytes"),
        (Protocol::Xmpp, "<stream:stream> and more ", "it sent 16384 bytes without an end"),
        (Protocol::Mysql, "\u{1}\u{7f}\u{7f}\0", "it announced a packet of "),
        (Protocol::Ldap, "0\u{7f}", "it sent a message that is no answer"),
    ] {
        let server = Scripted::start(vec![Move::Endlessly(endless)]);
        let told = come(protocol, server.addr(), LIMIT).await;
        assert!(told.contains(expected), "{protocol:?}: {told}");
    }
    let long = Scripted::start(vec![
        Move::HearBytes(31),
        Move::Say(vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]),
        Move::Hang,
    ]);
    assert!(
        come(Protocol::Ldap, long.addr(), LIMIT).await.contains("it announced a packet of 2147483647 bytes")
    );
    for protocol in Protocol::ALL {
        let server = Scripted::start(vec![Move::Hang]);
        assert_eq!(
            come(protocol, server.addr(), Duration::from_millis(100)).await,
            "too late",
            "{protocol:?}"
        );
    }
}
