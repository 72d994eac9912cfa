//! The table: what each kind says of each fault.

use async_compression::tokio::bufread::GzipEncoder;
use testkit::hostile::http2::{self, END_HEADERS, END_STREAM, Kind as Frame, frame};
use testkit::pki::{Flaw, Pki, Speech};
use tokio::io::AsyncReadExt as _;

use super::*;

/// A pause that is long for a client and short for a test.
const PAUSE: Duration = Duration::from_millis(60);

/// What is said of a peer that is silent, closes, resets, or makes a noise without an end, as soon as it is connected.
type AtOnce = (&'static [Way], [&'static str; 4]);

const AT_ONCE_WRONG: &[AtOnce] = &[
    (
        &[Way::Http, Way::S3, Way::WebSocket],
        [
            "timeout timeout wait",
            "protocol http.truncated wait | protocol http.truncated send | connect connect.reset wait | connect connect.reset send",
            "connect connect.reset wait | connect connect.reset send | connect connect.reset connect",
            "protocol http.protocol receive | protocol http.protocol wait | protocol http.protocol send",
        ],
    ),
    (
        &[Way::H2],
        [
            "timeout timeout wait",
            "protocol http.truncated wait | protocol http.truncated send | connect connect.reset wait | connect connect.reset send",
            "connect connect.reset wait | connect connect.reset send | connect connect.reset connect",
            "protocol http.protocol wait | protocol http.protocol send",
        ],
    ),
    (
        &[Way::Grpc],
        [
            "timeout timeout wait",
            "protocol grpc.protocol wait | protocol grpc.protocol send | connect connect.reset wait | connect connect.reset send",
            "connect connect.reset wait | connect connect.reset send | connect connect.reset connect",
            "protocol grpc.protocol wait | protocol grpc.protocol send",
        ],
    ),
    (
        &[Way::Https, Way::Tls, Way::Grpcs, Way::WebSockets, Way::Smtps],
        [
            "timeout timeout tls",
            "tls tls.handshake tls",
            "tls tls.handshake tls | connect connect.reset connect",
            "tls tls.handshake tls",
        ],
    ),
    (
        &[Way::Tcp],
        [
            "timeout timeout wait",
            "incorrect assert.response wait",
            "connect connect.reset wait | connect connect.reset connect",
            "incorrect assert.response receive",
        ],
    ),
    (
        &[Way::Smtp, Way::SmtpStartTls],
        ["timeout timeout wait", "connect connect.reset wait", RESET, "protocol smtp.too_long receive"],
    ),
    (
        &[Way::JetStream, Way::JetStreamTls],
        ["timeout timeout wait", "connect connect.reset wait", RESET, "protocol jetstream.too_long receive"],
    ),
    (
        &[Way::Sql],
        ["timeout timeout wait", "connect connect.reset wait", RESET, "protocol sql.protocol wait"],
    ),
    (
        &[Way::MySql, Way::MySqlTls],
        ["timeout timeout wait", "connect connect.reset wait", RESET, "protocol sql.protocol receive"],
    ),
    (
        &[Way::SqlTls],
        [
            "timeout timeout tls",
            "connect connect.reset tls",
            "connect connect.reset tls | connect connect.reset connect",
            // The first letter would have to be an S.
            "tls tls.handshake tls",
        ],
    ),
    (
        &[Way::StartTls("smtp"), Way::StartTls("imap"), Way::StartTls("postgres"), Way::StartTls("ldap")],
        ["timeout timeout wait", "connect connect.reset wait", RESET, "tls tls.starttls wait"],
    ),
    (
        &[Way::DnsTcp],
        [
            "dns dns.timeout wait",
            "protocol dns.truncated wait | connect connect.reset wait | connect connect.reset send",
            "connect connect.reset wait | connect connect.reset send | connect connect.reset connect",
            "protocol dns.malformed receive",
        ],
    ),
];

const RESET: &str = "connect connect.reset wait | connect connect.reset connect";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_go_wrong_at_once() {
    let noise = || Fault::Flood(b"noise without an end ".to_vec());
    let mut cases = Vec::new();
    for (ways, expected) in AT_ONCE_WRONG {
        for way in *ways {
            let faults = [Fault::HalfOpen, Fault::CloseOnAccept, Fault::ResetOnAccept, noise()];
            cases.extend(faults.into_iter().zip(expected).map(|(fault, known)| Case::of(fault, *way, known)));
        }
    }
    sweep(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_byte_at_a_time() {
    let drip = || Fault::Drip(PAUSE);
    // The right first bytes of each protocol, and never the rest.
    let trickle = |bytes: &[u8]| Fault::Trickle([bytes, &[0; 400]].concat(), PAUSE);
    let cases = vec![
        Case::of(drip(), Way::Http, "timeout timeout receive"),
        Case::of(drip(), Way::S3, "timeout timeout receive"),
        // One byte a second: the first one comes before the deadline only of a later try.
        Case::of(
            Fault::Drip(Duration::from_secs(1)),
            Way::Http,
            "timeout timeout wait | timeout timeout receive",
        ),
        Case::of(trickle(&http2::settings()), Way::H2, "timeout timeout wait"),
        Case::of(trickle(&[0x16, 3, 3, 0x40, 0]), Way::Tls, "timeout timeout tls"),
        Case::of(trickle(&[0x16, 3, 3, 0x40, 0]), Way::Https, "timeout timeout tls"),
        Case::of(trickle(b"220 mail.test"), Way::Tcp, "timeout timeout receive"),
        Case::of(trickle(b"R\0\0\0\x08\0\0\0\0"), Way::Sql, "timeout timeout wait"),
        Case::of(trickle(&[0x40, 0]), Way::DnsTcp, "dns dns.timeout receive"),
        Case::of(trickle(&http2::settings()), Way::Grpc, "timeout timeout wait"),
        Case::of(drip(), Way::WebSocket, "timeout timeout receive"),
        Case::of(trickle(b"220-mail.test"), Way::Smtp, "timeout timeout receive"),
        Case::of(trickle(b"220-mail.test"), Way::StartTls("smtp"), "timeout timeout wait"),
        Case::of(trickle(b"INFO {\"version"), Way::JetStream, "timeout timeout receive"),
        Case::of(trickle(b"\x4a\0\0\0\x0a8.0.36"), Way::MySql, "timeout timeout receive"),
    ];
    sweep(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_handshake() {
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let ca = || vec![("ca", text(pki.root_file().display().to_string()))];
    let mut cases = Vec::new();
    for speech in [Speech::h1(), Speech::h2(), Speech::tls12()] {
        let config = identity.server_config(&speech);
        let reset = Fault::ResetAfterTls(Arc::clone(&config));
        cases.push(Case::of(reset.clone(), Way::Https, "connect connect.reset wait | connect connect.reset send | connect connect.reset tls | tls tls.handshake tls").with(ca()));
        // The handshake is all that is looked at; a reset may come before its last message is out.
        cases.push(Case::of(reset, Way::Tls, "ok | tls tls.handshake tls").with(ca()));
        let silent = Fault::SilentAfterTls(config);
        cases.push(Case::of(silent.clone(), Way::Https, "timeout timeout wait").with(ca()));
        cases.push(Case::of(silent, Way::Tls, "ok").with(ca()));
    }
    for (way, speech, reset) in [
        (
            Way::Grpcs,
            Speech::h2(),
            "connect connect.reset wait | connect connect.reset send | protocol grpc.protocol wait | protocol grpc.protocol send",
        ),
        (Way::WebSockets, Speech::h1(), "connect connect.reset wait | connect connect.reset send"),
        (Way::Smtps, Speech::default(), "connect connect.reset wait"),
    ] {
        let config = identity.server_config(&speech);
        let early = format!("{reset} | connect connect.reset tls | tls tls.handshake tls");
        cases.push(Case::of(Fault::ResetAfterTls(Arc::clone(&config)), way, early.leak()).with(ca()));
        cases.push(Case::of(Fault::SilentAfterTls(config), way, "timeout timeout wait").with(ca()));
    }
    // As many certificates as fit into a handshake, which may all have issued each other.
    let maze = identity.served_as([vec![identity.chain[0].clone()], pki.maze(90)].concat());
    let config = maze.server_config(&Speech::h1());
    for (way, expected) in
        [(Way::Https, "tls tls.untrusted tls"), (Way::Smtps, "tls tls.untrusted tls"), (Way::Tls, "ok")]
    {
        cases.push(Case::of(Fault::SilentAfterTls(Arc::clone(&config)), way, expected).with(ca()));
    }
    for way in [Way::Https, Way::Tls, Way::Grpcs, Way::WebSockets, Way::Smtps] {
        cases.push(Case::of(Fault::TlsStall, way, "timeout timeout tls"));
        cases.push(Case::of(Fault::TlsGarbage, way, "tls tls.handshake tls"));
        // A record of the largest size, and one that is larger than any may be.
        cases.push(Case::of(
            Fault::Answer(vec![0x16, 3, 3, 0x41, 0]),
            way,
            "timeout timeout tls | tls tls.handshake tls",
        ));
        cases.push(Case::of(Fault::Answer(vec![0x16, 3, 3, 0xff, 0xff]), way, "tls tls.handshake tls"));
        // Handshake messages for ever, each of which is no more than the beginning of the same.
        let endless = [&[0x16, 3, 3, 0, 4][..], &[2, 0xff, 0xff, 0xff]].concat();
        cases.push(Case::of(Fault::Flood(endless), way, "tls tls.handshake tls"));
    }
    sweep(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_no_answers() {
    // A mebibyte of zeros as one member; members may follow each other without an end.
    let mut member = Vec::new();
    GzipEncoder::new(&vec![0; 1 << 20][..]).read_to_end(&mut member).await.unwrap();
    let bomb = |members: usize| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n";
        Fault::Raw([&head[..], &member.repeat(members)].concat())
    };
    let raw = |text: &str| Fault::Raw(text.as_bytes().to_vec());
    let mut cases = Vec::new();
    for way in [Way::Http, Way::S3] {
        for (fault, expected) in [
            (Fault::ResetAfterRequest, "connect connect.reset wait"),
            (Fault::CloseAfterRequest, "protocol http.truncated wait"),
            (Fault::EndlessHeaders, "protocol http.protocol receive"),
            (Fault::EndlessHeaderLine, "protocol http.protocol receive"),
            (Fault::EndlessContinue, "protocol http.protocol receive"),
            (Fault::ShortBody, "protocol http.truncated receive"),
            (Fault::MidBodyClose, "protocol http.truncated receive"),
            (Fault::MidBodyReset, "connect connect.reset receive"),
            (Fault::TwoLengths, "protocol http.protocol receive"),
            (Fault::Garbage, "protocol http.protocol receive"),
            (raw("HTTP/1.1 99999 no\r\n\r\n"), "protocol http.protocol receive"),
            (raw("HTTP/9.9 200 what\r\n\r\n"), "protocol http.protocol receive"),
            (raw("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n"), "protocol http.protocol receive"),
            (
                raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
                "protocol http.protocol receive",
            ),
            (
                raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff0\r\nx"),
                "protocol http.truncated receive",
            ),
            (
                raw("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n"),
                "protocol http.protocol receive | protocol http.truncated receive",
            ),
            (raw("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), "protocol http.protocol receive"),
        ] {
            cases.push(Case::of(fault, way, expected));
        }
    }
    cases.push(Case::of(bomb(5), Way::Http, "protocol http.decompression_bomb receive"));
    // So much takes its time without optimization, and the deadline holds while it is unpacked.
    cases.push(Case::of(
        bomb(40),
        Way::S3,
        "protocol http.decompression_bomb receive | timeout timeout receive",
    ));
    // What comes behind the body is not of the answer, and a body without an end is left at its limit.
    cases.push(Case::of(Fault::LongBody, Way::Http, "ok"));
    let limit = vec![("body_limit", Bound::Size(64 << 10))];
    cases.push(Case::of(Fault::EndlessBody, Way::Http, "ok").with(limit));
    cases.push(Case::of(Fault::LongBody, Way::S3, "protocol s3.protocol receive"));
    cases.push(Case::of(
        Fault::EndlessBody,
        Way::S3,
        "protocol s3.protocol receive | timeout timeout receive",
    ));
    sweep(cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_break_http_2() {
    let speech = http2::speech;
    let head = http2::head(END_HEADERS);
    let data = |stream, flags| frame(Frame::Data, flags, stream, &[b'x'; 1024]);
    let error = 2_u32.to_be_bytes();
    let go_away = [0_u32.to_be_bytes(), error].concat();
    let more = frame(Frame::Continuation, 0, 1, &[b'a'; 1024]);
    let beginning = frame(Frame::Headers, 0, 1, http2::STATUS_200);
    let protocol = "protocol http.protocol wait | protocol http.protocol send";
    let cases = [
        (speech(&[]), Vec::new(), "timeout timeout wait"),
        (speech(&[frame(Frame::GoAway, 0, 0, &go_away)]), Vec::new(), protocol),
        (speech(&[frame(Frame::ResetStream, 0, 1, &error)]), Vec::new(), protocol),
        (speech(std::slice::from_ref(&head)), Vec::new(), "timeout timeout receive"),
        (
            speech(&[head.clone(), data(1, 0), frame(Frame::ResetStream, 0, 1, &error)]),
            Vec::new(),
            "protocol http.protocol receive",
        ),
        (speech(&[head.clone(), data(1, END_STREAM)]), Vec::new(), "ok"),
        (
            speech(&[]),
            frame(Frame::Ping, 0, 0, &[0; 8]),
            "timeout timeout wait | protocol http.protocol wait",
        ),
        (speech(&[]), http2::settings(), "timeout timeout wait | protocol http.protocol wait"),
        (speech(&[beginning]), more, protocol),
        // A body without an end is left at its limit; one beyond the window is a fault.
        (speech(std::slice::from_ref(&head)), data(1, 0), "ok | protocol http.protocol receive"),
        (speech(&[]), data(0, 0), protocol),
        (speech(&[frame(Frame::Headers, END_HEADERS, 1, &[0xff; 64])]), Vec::new(), protocol),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Vec::new(), protocol),
        (vec![0xff; 64], Vec::new(), protocol),
    ];
    let case = |(first, ever, expected)| Case::of(Fault::Http2(first, ever), Way::H2, expected);
    sweep(cases.into_iter().map(case).collect()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_no_database() {
    let long = |kind: u8, length: u32| [&[kind][..], &length.to_be_bytes(), b"and so on"].concat();
    let signed_in = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I".to_vec();
    let cases = vec![
        // A length of gigabytes must not be made room for.
        Case::of(Fault::Answer(long(b'R', u32::MAX)), Way::Sql, "protocol sql.protocol wait"),
        Case::of(
            Fault::Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            Way::Sql,
            "protocol sql.protocol wait",
        ),
        Case::of(Fault::Answer(long(b'R', 3)), Way::Sql, "protocol sql.protocol wait"),
        Case::of(
            Fault::Answer([signed_in.clone(), long(b'D', 1 << 30)].concat()),
            Way::Sql,
            "protocol sql.too_large wait",
        ),
        Case::of(Fault::Answer(signed_in), Way::Sql, "timeout timeout wait"),
        Case::of(
            Fault::Flood(b"N\0\0\0\x08abcd".to_vec()),
            Way::Sql,
            "protocol sql.too_large wait | protocol sql.protocol wait",
        ),
    ];
    sweep(cases).await;
}
