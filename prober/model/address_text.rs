//! Addresses as texts, on the path of every run: what `Display` writes, without the formatter's machinery.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::attribute::Text;
use crate::decimal;

/// Room for the longest text of an IPv4 address with its port, and for the digits that are copied beyond a short octet.
const V4_ROOM: usize = "255.255.255.255:65535".len() + 3;

/// The digits of 0 to 255, and how many of the three places they take.
const OCTETS: [([u8; 3], u8); 256] = {
    let mut octets = [([0; 3], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let ([tens, ones], [_, hundreds]) = (decimal::pair(octet), decimal::pair(octet / 100));
        octets[octet as usize] = match octet {
            0..10 => ([ones, 0, 0], 1),
            10..100 => ([tens, ones, 0], 2),
            _ => ([hundreds, tens, ones], 3),
        };
        octet += 1;
    }
    octets
};

/// The text of an address, as `Display` writes it.
pub fn ip_text(address: IpAddr) -> Text {
    match address {
        IpAddr::V4(address) => v4_text(address, None),
        IpAddr::V6(address) => address.to_string().into(),
    }
}

/// The text of an address and its port, as `Display` writes them.
pub fn socket_text(address: SocketAddr) -> Text {
    match address {
        SocketAddr::V4(address) => v4_text(*address.ip(), Some(address.port())),
        SocketAddr::V6(address) => address.to_string().into(),
    }
}

/// Appends the text of an address and its port; all of it is ASCII.
pub(crate) fn write_socket(address: SocketAddr, out: &mut Vec<u8>) {
    match address {
        SocketAddr::V4(address) => {
            let (text, end) = v4(*address.ip(), Some(address.port()));
            out.extend_from_slice(&text[..end]);
        }
        SocketAddr::V6(address) => out.extend_from_slice(address.to_string().as_bytes()),
    }
}

fn v4_text(address: Ipv4Addr, port: Option<u16>) -> Text {
    let (text, end) = v4(address, port);
    Text::from_utf8(&text[..end]).expect("digits, dots and colons are ASCII")
}

/// The text, and where in it the room behind it begins.
fn v4(address: Ipv4Addr, port: Option<u16>) -> ([u8; V4_ROOM], usize) {
    let (mut text, mut end) = ([0; V4_ROOM], 0);
    for octet in address.octets() {
        let (digits, length) = &OCTETS[usize::from(octet)];
        text[end..end + 3].copy_from_slice(digits);
        end += usize::from(*length);
        text[end] = b'.';
        end += 1;
    }
    let Some(port) = port else { return (text, end - 1) };
    text[end - 1] = b':';
    let mut digits = [0; 5];
    decimal::write(&mut digits, port.into());
    let zeros = digits[..4].iter().take_while(|digit| **digit == b'0').count();
    text[end..end + 5 - zeros].copy_from_slice(&digits[zeros..]);
    (text, end + 5 - zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_library() {
        let every_octet = (0..=255).map(|octet| Ipv4Addr::new(octet, 0, 255 - octet, octet));
        for address in
            every_octet.map(IpAddr::V4).chain(["::1".parse().unwrap(), "fe80::a:1".parse().unwrap()])
        {
            assert_eq!(ip_text(address), address.to_string());
            for port in [0, 1, 9, 10, 53, 99, 100, 999, 1_000, 8_080, 9_999, 10_000, 65_535] {
                let whole = SocketAddr::new(address, port);
                assert_eq!(socket_text(whole), whole.to_string());
                let mut bytes = Vec::new();
                write_socket(whole, &mut bytes);
                assert_eq!(bytes, whole.to_string().into_bytes());
            }
        }
    }
}
