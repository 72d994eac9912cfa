use super::*;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use rustls::{ClientConnection, ServerConnection, StreamOwned};

/// Shakes hands over a real socket; the client's error or the negotiated protocol.
fn handshake(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Result<String, String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = Arc::clone(server);
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(server).unwrap(), stream);
        // A client that refuses the chain makes this fail, which is what some cases are about.
        let _sent = stream.write_all(b"hello").and_then(|()| stream.flush());
        stream.conn.send_close_notify();
        let _sent = stream.flush();
    });
    let name = "shop.test".try_into().unwrap();
    let connection = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(addr).unwrap());
    let mut greeting = [0; 5];
    let outcome = stream.read_exact(&mut greeting).map_err(|error| error.to_string());
    let version = stream.conn.protocol_version();
    let alpn = stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    drop(stream);
    serving.join().unwrap();
    outcome.map(|()| format!("{:?} {}", version.unwrap(), alpn.unwrap_or_default()))
}

#[test]
fn each_flaw_is_refused_for_its_own_reason() {
    let pki = Pki::new();
    let client = pki.client_config(&Speech::default());
    for flaw in Flaw::ALL {
        let identity = pki.identity(&["shop.test", "127.0.0.1"], flaw);
        let shown = handshake(&identity.server_config(&Speech::default()), &client);
        let expected = match flaw {
            Flaw::None => {
                assert_eq!(shown.unwrap(), "TLSv1_3 h2");
                continue;
            }
            Flaw::Expired => "expired",
            Flaw::NotYetValid => "not valid yet",
            Flaw::WrongName => "not valid for name",
            Flaw::SelfSigned | Flaw::MissingIntermediate | Flaw::UntrustedRoot => "UnknownIssuer",
        };
        let error = shown.unwrap_err();
        assert!(error.contains(expected), "{flaw:?}: {error}");
    }
}

#[test]
fn versions_and_protocols_are_as_asked() {
    let pki = Pki::new();
    let identity = pki.identity(&["shop.test"], Flaw::None);
    let client = pki.client_config(&Speech::default());
    let check = |speech: &Speech, expected: &str| {
        assert_eq!(handshake(&identity.server_config(speech), &client).unwrap(), expected);
    };
    check(&Speech::tls12(), "TLSv1_2 h2");
    check(&Speech::tls13(), "TLSv1_3 h2");
    check(&Speech::h1(), "TLSv1_3 http/1.1");
    check(&Speech::h2(), "TLSv1_3 h2");
}

#[test]
fn files_hold_what_is_served_and_the_key_is_private() {
    let pki = Pki::new();
    let identity = pki.identity_ending_in(&["shop.test"], DAY * 10);
    let pem = std::fs::read_to_string(&identity.cert_file).unwrap();
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), identity.chain.len());
    assert_eq!(std::fs::metadata(&identity.key_file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(pki.root_file()).unwrap().contains("BEGIN CERTIFICATE"));
    assert_ne!(std::fs::read(pki.root_file()).unwrap(), std::fs::read(pki.stranger_file()).unwrap());
    assert!(identity.not_after.since(identity.not_before) > DAY * 99);
}
