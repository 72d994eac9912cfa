use super::*;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream as Client;
use std::time::Instant;

use crate::client;
use crate::http::{Reply, Server};

fn shop() -> (Server, Proxy) {
    let server = Server::start();
    server.on("/", Reply::ok("0123456789"));
    let proxy = Proxy::start(server.addr());
    (server, proxy)
}

fn asking(proxy: &Proxy) -> Client {
    let mut client = Client::connect(proxy.addr()).unwrap();
    client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    client
}

#[test]
fn it_passes_on_and_delays() {
    let (server, proxy) = shop();
    let answer = client::get(proxy.addr(), "/").unwrap();
    assert_eq!(answer.body, "0123456789");
    let delay = Duration::from_millis(60);
    proxy.set(Fault::Delay(delay));
    let began = Instant::now();
    assert_eq!(client::get(proxy.addr(), "/").unwrap().body, "0123456789");
    assert!(began.elapsed() >= 2 * delay, "once in each direction");
    assert_eq!((proxy.connections(), server.connections()), (2, 2));
}

#[test]
fn it_cuts_after_so_many_bytes() {
    let (_server, proxy) = shop();
    proxy.set(Fault::CutAfter(20));
    let mut bytes = Vec::new();
    asking(&proxy).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 20);
    assert_eq!(proxy.answered_bytes(), 20);
}

#[test]
fn half_open_heals_and_reset_resets() {
    let (server, proxy) = shop();
    proxy.set(Fault::HalfOpen);
    let mut client = asking(&proxy);
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(server.connections(), 0);
    proxy.set(Fault::None);
    client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut bytes = [0; 12];
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"HTTP/1.1 200");
    proxy.set(Fault::Reset);
    let mut rest = Vec::new();
    assert_eq!(client.read_to_end(&mut rest).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(client::get(proxy.addr(), "/").is_none());
}
