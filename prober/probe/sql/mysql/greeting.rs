//! What the server says first, and what is answered.

use super::packets::Parts;

/// What this client can, as bits (`CLIENT_…` of the protocol): long passwords and flags, the protocol of 4.1,
/// transactions, secure sign-ins, and methods of signing in by name.
const CAPABILITIES: u32 = 0x1 | 0x4 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
/// A database is named when signing in.
const WITH_DATABASE: u32 = 0x8;
/// The connection goes on in TLS.
const TLS: u32 = 0x800;
/// The longest packet that is taken.
const PACKET_MAX: u32 = 4 << 20;
/// `utf8mb4_general_ci`, which all servers know.
const CHARSET: u8 = 45;
/// The bytes of a nonce; servers send a zero behind it.
const NONCE: usize = 20;

/// What the server says first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// The server's version, which names MariaDB.
    pub(super) version: String,
    /// The number that proofs are made for.
    pub(super) nonce: Vec<u8>,
    /// How it wants the password proved, if it is up to the server.
    pub(super) method: String,
    capabilities: u32,
}

impl Greeting {
    /// Reads it; `None` if it is none.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let mut parts = Parts(packet);
        if parts.number::<1>()? != 10 {
            return None;
        }
        let version = String::from_utf8_lossy(parts.zero_ended()?).into_owned();
        parts.number::<4>()?;
        let mut nonce = parts.take(8)?.to_vec();
        parts.number::<1>()?;
        let low = parts.number::<2>()?;
        parts.number::<3>()?;
        let high = parts.number::<2>()?;
        let length = usize::try_from(parts.number::<1>()?).ok()?;
        parts.take(10)?;
        nonce.extend(parts.take(length.saturating_sub(8).max(13))?);
        nonce.truncate(NONCE);
        let method = parts.zero_ended().unwrap_or(parts.0);
        let method = String::from_utf8_lossy(method).into_owned();
        let capabilities = u32::try_from(high << 16 | low).ok()?;
        Some(Self { version, nonce, method, capabilities })
    }

    /// Whether it is MariaDB, which has some settings under other names.
    pub(super) fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    /// Whether it can go on in TLS.
    pub(super) const fn offers_tls(&self) -> bool {
        self.capabilities & TLS != 0
    }
}

/// The request to go on in TLS.
pub(super) fn tls_request(database: &str) -> Vec<u8> {
    head(database, true)
}

/// The sign-in of `user` with a `proof` of at most 255 bytes.
pub(super) fn sign_in(user: &str, proof: &[u8], (database, method): (&str, &str), tls: bool) -> Vec<u8> {
    let mut packet = head(database, tls);
    packet.extend(user.as_bytes());
    packet.push(0);
    packet.push(u8::try_from(proof.len()).expect("a proof is a hash"));
    packet.extend(proof);
    if !database.is_empty() {
        packet.extend(database.as_bytes());
        packet.push(0);
    }
    packet.extend(method.as_bytes());
    packet.push(0);
    packet
}

fn head(database: &str, tls: bool) -> Vec<u8> {
    let with_database = if database.is_empty() { 0 } else { WITH_DATABASE };
    let capabilities = CAPABILITIES | with_database | if tls { TLS } else { 0 };
    let mut packet = capabilities.to_le_bytes().to_vec();
    packet.extend(PACKET_MAX.to_le_bytes());
    packet.push(CHARSET);
    packet.extend([0; 23]);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_and_what_is_none() {
        let mut packet = b"\x0a8.0.36\0\x01\x00\x00\x0012345678\0".to_vec();
        packet.extend(b"\xff\xff\x2d\x02\x00\xff\xdf\x15");
        packet.extend([0; 10]);
        packet.extend(b"abcdefghijkl\0caching_sha2_password\0");
        let greeting = Greeting::parse(&packet).unwrap();
        assert_eq!(
            (greeting.version.as_str(), greeting.method.as_str()),
            ("8.0.36", "caching_sha2_password")
        );
        assert_eq!(greeting.nonce, b"12345678abcdefghijkl");
        assert!(greeting.offers_tls() && !greeting.is_mariadb());
        for length in 0..packet.len() - 22 {
            assert_eq!(Greeting::parse(&packet[..length]), None, "{length}");
        }
        assert_eq!(Greeting::parse(b"SSH-2.0-x"), None);
    }

    #[test]
    fn a_sign_in_as_bytes() {
        let packet = sign_in("me", &[7; 20], ("shop", "m"), false);
        assert_eq!(packet.len(), 32 + 3 + 21 + 5 + 2);
        assert_eq!(&packet[32..36], b"me\0\x14");
        assert_eq!(u32::from_le_bytes(packet[..4].try_into().unwrap()), CAPABILITIES | WITH_DATABASE);
        assert_eq!(tls_request("").len(), 32);
    }
}
