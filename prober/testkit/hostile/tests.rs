use super::*;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream as Client;
use std::time::Instant;

use crate::pki::{Flaw, Pki, Speech};
use crate::wait;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn connect(target: &Hostile) -> Client {
    let client = Client::connect(target.addr()).unwrap();
    client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    client
}

/// What a client gets that sends `bytes`: up to `limit` bytes and how the connection ended.
fn exchange(fault: Fault, limit: u64) -> (String, Result<(), ErrorKind>) {
    let target = Hostile::start(fault);
    let mut client = connect(&target);
    // A target that resets at once may do so before the request is written; then the write tells of it.
    let sent = client.write_all(REQUEST);
    let mut bytes = Vec::new();
    let end = sent.and_then(|()| client.take(limit).read_to_end(&mut bytes).map(drop));
    let end = end.map_err(|error| error.kind());
    assert_eq!(target.connections(), 1);
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

#[test]
fn silence_stays_silent_and_holds_the_connection() {
    for fault in [Fault::HalfOpen, Fault::TlsStall] {
        let target = Hostile::start(fault.clone());
        let mut client = connect(&target);
        client.write_all(REQUEST).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let mut bytes = Vec::new();
        let error = client.read_to_end(&mut bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{fault:?}");
        assert!(bytes.len() <= 2 && target.open_connections() == 1, "{fault:?}");
    }
}

#[test]
fn closing_and_resetting_differ() {
    let check = |fault: Fault, end: Result<(), ErrorKind>| {
        let name = format!("{fault:?}");
        assert_eq!(exchange(fault, 100), (String::new(), end), "{name}");
    };
    check(Fault::CloseAfterRequest, Ok(()));
    check(Fault::ResetAfterRequest, Err(ErrorKind::ConnectionReset));
    check(Fault::ResetOnAccept, Err(ErrorKind::ConnectionReset));
    // Nothing is sent here, else the unread bytes would turn the close into a reset.
    let target = Hostile::start(Fault::CloseOnAccept);
    assert_eq!(connect(&target).read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn bodies_are_wrong_in_the_way_they_say() {
    let check = |fault: Fault, ending: &str, end: Result<(), ErrorKind>| {
        let name = format!("{fault:?}");
        let (text, ended) = exchange(fault, 4096);
        assert!(text.ends_with(ending), "{name}: {text}");
        assert_eq!(ended, end, "{name}");
    };
    check(Fault::ShortBody, "Content-Length: 1000\r\n\r\n0123456789", Ok(()));
    check(Fault::LongBody, &"x".repeat(1000), Ok(()));
    check(Fault::MidBodyClose, "20\r\nhalf of thirty-two", Ok(()));
    check(Fault::MidBodyReset, "20\r\nhalf of thirty-two", Err(ErrorKind::ConnectionReset));
    check(Fault::TwoLengths, "Content-Length: 7\r\n\r\nabcdefg", Ok(()));
    check(Fault::Garbage, "not-http\r\n\r\n", Ok(()));
    check(Fault::TlsGarbage, "not TLS\r\n", Ok(()));
    check(Fault::Raw(b"HTTP/9.9 what".to_vec()), "HTTP/9.9 what", Ok(()));
}

#[test]
fn the_endless_ones_go_on() {
    let check = |fault: Fault, piece: &str| {
        let name = format!("{fault:?}");
        let (text, end) = exchange(fault, 1 << 20);
        assert_eq!((text.len(), end), (1 << 20, Ok(())), "{name}");
        assert!(text.contains(piece), "{name}");
    };
    check(Fault::EndlessHeaders, "X-More: and more\r\nX-More: and more\r\n");
    check(Fault::EndlessHeaderLine, "X-Long: aaaa");
    check(Fault::EndlessContinue, "100 Continue\r\n\r\nHTTP/1.1 100");
    check(Fault::EndlessBody, "10\r\n0123456789abcdef\r\n10\r\n");
}

#[test]
fn dripping_takes_its_time() {
    let began = Instant::now();
    let (text, _) = exchange(Fault::Drip(Duration::from_millis(5)), 20);
    assert_eq!(text.len(), 20);
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[test]
fn tls_breaks_after_the_handshake() {
    let pki = Pki::new();
    let config = pki.identity(&["shop.test"], Flaw::None).server_config(&Speech::tls12());
    for (fault, expected) in [
        (Fault::ResetAfterTls(Arc::clone(&config)), ErrorKind::ConnectionReset),
        (Fault::SilentAfterTls(config), ErrorKind::WouldBlock),
    ] {
        let target = Hostile::start(fault);
        let mut client = connect(&target);
        let name = "shop.test".try_into().unwrap();
        let mut tls = rustls::ClientConnection::new(pki.client_config(&Speech::default()), name).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut client).unwrap();
        }
        client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert_eq!(client.read(&mut [0; 1]).unwrap_err().kind(), expected);
    }
}

#[test]
fn nobody_connects_to_a_full_queue() {
    let target = Unconnectable::start();
    let error = Client::connect_timeout(&target.addr(), Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_dropped_target_lets_go() {
    let target = Hostile::start(Fault::HalfOpen);
    let mut client = connect(&target);
    wait::until_blocking("the connection", Duration::from_mins(1), || target.open_connections() == 1);
    drop(target);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
}
