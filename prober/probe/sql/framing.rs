//! Where the messages of a server begin.
//!
//! The client's codec makes room for a message as soon as its length is announced, and a length may say 4 GiB.
//! So the lengths are looked at here, before the codec sees them.

/// The bytes of a message's head: its kind and its length.
const HEAD: usize = 5;

/// Follows the messages in a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Framing {
    head: [u8; HEAD],
    /// How much of the head has come.
    have: usize,
    /// How much of the message behind the head is still to come.
    left: u64,
    /// How many heads were whole.
    heads: u64,
}

impl Framing {
    /// Looks at the next bytes; false if they announce a message of more than `bytes_max` bytes.
    pub(super) fn allows(&mut self, mut bytes: &[u8], bytes_max: u64) -> bool {
        while !bytes.is_empty() {
            let passed = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= passed as u64;
            bytes = &bytes[passed..];
            let taken = (HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEAD {
                let [_, length @ ..] = self.head;
                let length = u64::from(u32::from_be_bytes(length));
                self.have = 0;
                self.heads += 1;
                // The length counts itself. One that is shorter has no meaning, and nothing behind it has; the codec
                // says so.
                self.left = length.checked_sub(4).unwrap_or(u64::MAX);
                if length > bytes_max {
                    return false;
                }
            }
        }
        true
    }

    /// Whether no message came before the one that was looked at last: its sender may speak something else.
    pub(super) const fn is_first(&self) -> bool {
        self.heads <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_seen_however_the_bytes_are_cut() {
        let messages = [&b"R\0\0\0\x08\0\0\0\0"[..], b"Z\0\0\0\x05I", b"D\0\x10\0\0rest"].concat();
        for size in 1..messages.len() {
            let mut framing = Framing::default();
            let allowed: Vec<_> = messages.chunks(size).map(|piece| framing.allows(piece, 1 << 20)).collect();
            assert!(allowed.iter().all(|allowed| *allowed), "{size}");
            let mut framing = Framing::default();
            let refused = messages.chunks(size).position(|piece| !framing.allows(piece, (1 << 20) - 1));
            assert_eq!(refused, Some(19 / size), "the length of the third is whole with byte 20: {size}");
        }
    }
}
