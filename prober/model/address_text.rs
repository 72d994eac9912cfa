//! Addresses as texts, on the path of every run: what `Display` writes, without the formatter's machinery.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The longest text of an IPv4 address with its port, in bytes.
const V4_BYTES_MAX: usize = "255.255.255.255:65535".len();

/// The text of an address, as `Display` writes it.
pub fn ip_text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => v4_text(address, None),
        IpAddr::V6(address) => address.to_string(),
    }
}

/// The text of an address and its port, as `Display` writes them.
pub fn socket_text(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => v4_text(*address.ip(), Some(address.port())),
        SocketAddr::V6(address) => address.to_string(),
    }
}

/// Gives the text of an address and its port to `put`, byte after byte; all of them are ASCII.
pub(crate) fn socket_bytes(address: SocketAddr, mut put: impl FnMut(u8)) {
    match address {
        SocketAddr::V4(address) => v4_bytes(*address.ip(), Some(address.port()), put),
        SocketAddr::V6(address) => address.to_string().bytes().for_each(&mut put),
    }
}

fn v4_text(address: Ipv4Addr, port: Option<u16>) -> String {
    let (mut text, mut length) = ([0; V4_BYTES_MAX], 0);
    v4_bytes(address, port, |byte| {
        text[length] = byte;
        length += 1;
    });
    std::str::from_utf8(&text[..length]).expect("digits, dots and colons are ASCII").to_owned()
}

fn v4_bytes(address: Ipv4Addr, port: Option<u16>, mut put: impl FnMut(u8)) {
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            put(b'.');
        }
        decimal(octet.into(), &mut put);
    }
    if let Some(port) = port {
        put(b':');
        decimal(port, &mut put);
    }
}

fn decimal(value: u16, put: &mut impl FnMut(u8)) {
    let digits = match value {
        0..10 => 1,
        10..100 => 2,
        100..1_000 => 3,
        1_000..10_000 => 4,
        _ => 5,
    };
    for scale in &[10_000, 1_000, 100, 10, 1][5 - digits..] {
        // A remainder of ten is one digit.
        put(b'0' + u8::try_from(value / scale % 10).unwrap_or(0));
    }
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
                socket_bytes(whole, |byte| bytes.push(byte));
                assert_eq!(bytes, whole.to_string().into_bytes());
            }
        }
    }
}
