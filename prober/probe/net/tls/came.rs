//! What comes below TLS: its first bytes, and whether the server asks for another handshake.
//!
//! Until TLS 1.2 a server may ask for one at any time, as some do that want a certificate of the client for some paths
//! only (RFC 5246, section 7.4.1.1). The library refuses that, as TLS 1.3 does without exception, and tells nobody.

use crate::net::banner::Banner;
use crate::net::followed::{Break, Follow};

/// The type of a record that the server's own keys begin with (RFC 5246, section 7.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
/// The type of a record with a part of a handshake, which shows also where its content is encrypted.
const HANDSHAKE: u8 = 22;
/// A record's type, version and length (RFC 5246, section 6.2.1).
const HEAD_BYTES: usize = 5;

/// What came.
#[derive(Debug)]
pub(crate) struct Came {
    banner: Banner,
    head: [u8; HEAD_BYTES],
    /// How many bytes of the head came.
    headed: usize,
    /// How many bytes of the record are still to come.
    left: usize,
    has_keys: bool,
    /// How many parts of handshakes came under the server's keys, counted to two.
    handshakes: u8,
}

impl Follow for Came {
    fn came(&mut self, bytes: &[u8]) -> Result<(), Break> {
        self.banner.came(bytes)?;
        self.follow(bytes);
        Ok(())
    }
}

impl Came {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            banner: Banner::new(),
            head: [0; HEAD_BYTES],
            headed: 0,
            left: 0,
            has_keys: false,
            handshakes: 0,
        }
    }

    /// The first bytes.
    pub(crate) const fn banner(&self) -> &Banner {
        &self.banner
    }

    /// Whether the server asked for another handshake, if the connection is one of TLS 1.2: the end of the first one is
    /// all that may come of handshakes under its keys.
    pub(crate) const fn asks_anew(&self) -> bool {
        self.handshakes > 1
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = &bytes[skipped..];
            let taken = bytes.len().min(HEAD_BYTES - self.headed);
            self.head[self.headed..self.headed + taken].copy_from_slice(&bytes[..taken]);
            self.headed += taken;
            bytes = &bytes[taken..];
            if self.headed == HEAD_BYTES {
                self.begin();
            }
        }
    }

    /// Takes note of the record whose head is whole.
    fn begin(&mut self) {
        self.headed = 0;
        self.left = usize::from(u16::from_be_bytes([self.head[3], self.head[4]]));
        match self.head[0] {
            CHANGE_CIPHER_SPEC => self.has_keys = true,
            HANDSHAKE if self.has_keys => self.handshakes = (self.handshakes + 1).min(2),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_behind_the_first_is_another_one() {
        let record = |kind: u8| [&[kind, 3, 3, 0, 7][..], b"content"].concat();
        let first = [HANDSHAKE, HANDSHAKE, CHANGE_CIPHER_SPEC, HANDSHAKE];
        for (more, asks) in [
            (&[][..], false),
            (&[23, 23, 21], false),
            (&[HANDSHAKE], true),
            (&[23, HANDSHAKE, 21], true),
            (&[HANDSHAKE; 9], true),
        ] {
            let all: Vec<u8> = first.iter().chain(more).flat_map(|kind| record(*kind)).collect();
            // However it comes.
            for size in [1, 4, 12, all.len()] {
                let mut came = Came::new();
                all.chunks(size).for_each(|piece| came.came(piece).unwrap());
                assert_eq!(came.asks_anew(), asks, "{more:?} by {size}");
            }
        }
    }
}
