//! Protocols in which both sides take turns, each broken at every turn, and where TLS begins in the middle.

use std::fmt::Write as _;

use testkit::pki::{Flaw, Pki, Speech};
use testkit::scripted::say;

use super::*;

const PAUSE: Duration = Duration::from_millis(60);

/// What goes wrong when it is the server's turn, with what is then said of it; `noise` is what has no end.
fn turns(noise: &[u8], endless: &'static str, reset: &'static str) -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::HalfOpen, "timeout timeout wait"),
        (Fault::CloseOnAccept, reset),
        (Fault::ResetOnAccept, reset),
        (Fault::Flood(noise.to_vec()), endless),
    ]
}

/// All of them after these moves.
fn after(
    cases: &mut Vec<Case>,
    (way, moves): (Way, &[Move]),
    faults: impl IntoIterator<Item = (Fault, &'static str)>,
) {
    for (fault, expected) in faults {
        let moves = [moves, &[Move::Misbehave(fault)]].concat();
        cases.push(Case::after(moves, way, expected));
    }
}

/// What goes wrong in a handshake that both sides have agreed to.
fn handshakes() -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::HalfOpen, "timeout timeout tls"),
        (Fault::TlsStall, "timeout timeout tls"),
        (Fault::TlsGarbage, "tls tls.handshake tls"),
    ]
}

const RESET: &str = "connect connect.reset wait";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_servers_that_break_off() {
    let greeted = [say("220 mail.test\r\n"), Move::Hear("EHLO")];
    let can =
        [&greeted[..], &[say("250-mail.test\r\n250 STARTTLS\r\n"), Move::Hear("STARTTLS\r\n")]].concat();
    let agreed = [&can[..], &[say("220 go on\r\n")]].concat();
    let endless = "protocol smtp.too_long receive";
    let mut cases = Vec::new();
    for way in [Way::Smtp, Way::SmtpStartTls] {
        after(&mut cases, (way, &greeted), turns(b"250-and more\r\n", endless, RESET));
        after(&mut cases, (way, &greeted), turns(b"noise without an end ", endless, RESET));
        after(
            &mut cases,
            (way, &greeted),
            [(Fault::Trickle(b"250-mail.test".repeat(30), PAUSE), "timeout timeout receive")],
        );
        let other = [&greeted[..], &[say("HTTP/1.1 400 Bad Request\r\n\r\n"), Move::Hang]].concat();
        cases.push(Case::after(other, way, "protocol smtp.protocol receive"));
    }
    after(&mut cases, (Way::SmtpStartTls, &can), turns(b"220-go on\r\n", endless, RESET));
    after(&mut cases, (Way::SmtpStartTls, &agreed), handshakes());
    // Behind what the server agreed with may not be a byte in the clear.
    let forged = [&can[..], &[say("220 go on\r\n250 FORGED\r\n"), Move::Hang]].concat();
    cases.push(Case::after(forged, Way::SmtpStartTls, "tls tls.starttls receive"));
    let refused = [&greeted[..], &[say("250 mail.test\r\n"), Move::Hang]].concat();
    cases.push(Case::after(refused, Way::SmtpStartTls, "tls tls.starttls receive"));
    sweep(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_come_to_tls_and_no_further() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let config = identity.server_config(&Speech::default());
    let ca = || vec![("ca", text(pki.root_file().display().to_string()))];
    let after_tls = [
        (Fault::SilentAfterTls(Arc::clone(&config)), "timeout timeout wait"),
        (
            Fault::ResetAfterTls(config),
            "connect connect.reset wait | connect connect.reset send | connect connect.reset tls | tls tls.handshake tls",
        ),
    ];
    let secure = MYSQL_TLS;
    let mut cases = Vec::new();
    for (way, moves) in [
        (
            Way::SmtpStartTls,
            vec![
                say("220 mail.test\r\n"),
                Move::Hear("EHLO"),
                say("250-mail.test\r\n250 STARTTLS\r\n"),
                Move::Hear("STARTTLS\r\n"),
                say("220 go\r\n"),
            ],
        ),
        (Way::JetStreamTls, vec![say("INFO {\"tls_required\":true}\r\n")]),
        (Way::SqlTls, vec![Move::HearBytes(8), say("S")]),
        (Way::MySqlTls, vec![Move::Say(greeting(secure)), Move::HearBytes(36)]),
    ] {
        after(&mut cases, (way, &moves), handshakes());
        for (fault, expected) in after_tls.clone() {
            let moves = [&moves[..], &[Move::Misbehave(fault)]].concat();
            cases.push(Case::after(moves, way, expected).with(ca()));
        }
    }
    sweep(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_whose_server_breaks_off() {
    let info = say("INFO {\"version\":\"2\"}\r\n");
    let begun = [info.clone(), Move::Hear("PING\r\n")];
    let signed_in = [&begun[..], &[say("PONG\r\n"), Move::Hear("PUB ")]].concat();
    let too_long = "protocol jetstream.too_long receive";
    // What came in one piece with the line before is there without being waited for.
    let protocol = "protocol jetstream.protocol receive | protocol jetstream.protocol wait";
    let mut cases = Vec::new();
    for moves in [&begun[..], &signed_in] {
        after(&mut cases, (Way::JetStream, moves), turns(b"noise without an end ", too_long, RESET));
        after(
            &mut cases,
            (Way::JetStream, moves),
            [
                (Fault::Flood(b"PING\r\n".to_vec()), protocol),
                (Fault::Flood(b"+OK\r\n".to_vec()), protocol),
                (Fault::Trickle(b"INFO {}".repeat(60), PAUSE), "timeout timeout receive"),
            ],
        );
        let refused = [moves, &[say("-ERR 'Authorization Violation'\r\n"), Move::Hang]].concat();
        cases.push(Case::after(refused, Way::JetStream, "protocol jetstream.authorization receive"));
    }
    after(
        &mut cases,
        (Way::JetStream, &signed_in),
        [
            // Messages of others without end, one that is longer than all may be, and one that never comes.
            (Fault::Flood(b"MSG x 1 4\r\nabcd\r\n".to_vec()), protocol),
            (Fault::Flood(b"MSG x 1 900000000\r\n".to_vec()), protocol),
            (
                Fault::Trickle(b"MSG x 1 4000000\r\n".repeat(9), Duration::from_millis(5)),
                "timeout timeout receive",
            ),
        ],
    );
    cases.push(Case::after(vec![info.clone(), Move::Hang], Way::JetStreamTls, "tls tls.handshake receive"));
    let more = vec![say("INFO {\"tls_required\":true}\r\nPING\r\n"), Move::Hang];
    cases.push(Case::after(more, Way::JetStreamTls, "tls tls.handshake receive | timeout timeout tls"));
    let plain = vec![say("INFO {\"tls_required\":true}\r\n"), Move::Hang];
    cases.push(Case::after(plain, Way::JetStream, "tls tls.handshake receive"));
    // INFO names the servers of a cluster, and may be long, but not without end.
    let mut servers = String::from("INFO {\"connect_urls\":[");
    for number in 0..9_000 {
        let _written = write!(servers, "\"10.0.0.1:{number}\",");
    }
    cases.push(Case::after(vec![say(servers), Move::Hang], Way::JetStream, too_long));
    sweep(cases).await;
}

/// The capabilities of a MySQL server, the lower half: with and without TLS.
const MYSQL_TLS: u16 = 0xffff;
const MYSQL_PLAIN: u16 = 0xf7ff;

/// The first packet of a MySQL server.
fn greeting(capabilities: u16) -> Vec<u8> {
    let mut body = b"\x0a8.0.36\0\x01\x00\x00\x0012345678\0".to_vec();
    body.extend(capabilities.to_le_bytes());
    body.extend(b"\x2d\x02\x00\xff\xdf\x15");
    body.extend([0; 10]);
    body.extend(b"abcdefghijkl\0caching_sha2_password\0");
    packet(0, &body)
}

fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a packet of a test is short").to_le_bytes();
    [&[length[0], length[1], length[2], number][..], body].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_servers_that_break_off() {
    let heard = || Move::HearBytes(5);
    let okay = |number| Move::Say(packet(number, &[0, 0, 0, 2, 0, 0, 0]));
    let greeted = [Move::Say(greeting(MYSQL_PLAIN)), heard()];
    // The session's four settings, then the query.
    let mut asked = [&greeted[..], &[okay(2), heard()]].concat();
    for _ in 0..4 {
        asked.extend([okay(1), heard()]);
    }
    let column = [&b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x03\x81\0\0\0\0"[..]].concat();
    let rows = [
        &asked[..],
        &[Move::Say([packet(1, b"\x01"), packet(2, &column), packet(3, b"\xfe\0\0\x02\0")].concat())],
    ]
    .concat();
    let protocol = "protocol sql.protocol receive";
    let too_large = "protocol sql.too_large receive";
    let mut cases = Vec::new();
    for moves in [&greeted[..], &asked] {
        after(&mut cases, (Way::MySql, moves), turns(b"noise without an end ", protocol, RESET));
        after(&mut cases, (Way::MySql, moves), [(Fault::Flood(packet(1, b"\x01\x03")), protocol)]);
    }
    // What follows comes in turn: rows without end, of all sizes, the last of which never comes as a whole.
    let numbered =
        |body: &[u8]| -> Vec<u8> { (4..=255).chain(0..=3).flat_map(|number| packet(number, body)).collect() };
    let wide = [&[0xfd, 0, 0x80, 0][..], &vec![b'x'; 0x8000]].concat();
    after(
        &mut cases,
        (Way::MySql, &rows),
        [
            (Fault::Flood(numbered(b"\x01x")), "ok"),
            (Fault::Flood(numbered(&wide)), "ok | protocol sql.too_large receive"),
            (Fault::Flood(numbered(b"")), protocol),
            (Fault::Flood(vec![0xff, 0xff, 0xff, 4]), too_large),
            (Fault::Trickle(packet(4, &[1; 400]), PAUSE), "timeout timeout receive"),
            (Fault::CloseOnAccept, "connect connect.reset receive"),
            (Fault::ResetOnAccept, "connect connect.reset receive | connect connect.reset wait"),
            (Fault::HalfOpen, "timeout timeout receive"),
        ],
    );
    let plain = vec![Move::Say(greeting(MYSQL_PLAIN)), Move::Hang];
    cases.push(Case::after(plain, Way::MySqlTls, "tls tls.handshake tls"));
    for (letter, expected) in [
        ("N", "tls tls.handshake tls"),
        ("E", "tls tls.handshake tls"),
        ("Sjunk", "tls tls.handshake tls | timeout timeout tls"),
    ] {
        cases.push(Case::after(vec![Move::HearBytes(8), say(letter), Move::Hang], Way::SqlTls, expected));
    }
    sweep(cases).await;
}
