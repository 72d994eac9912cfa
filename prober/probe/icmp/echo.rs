//! An echo request and its reply as bytes (RFC 792, RFC 4443).
//!
//! Identifier and checksum belong to the kernel, which gives a socket only the replies to its own identifier.

use std::net::IpAddr;

/// The shortest payload: what tells this run's pings from others'.
pub(super) const PAYLOAD_MIN: usize = 16;
/// Type, code, checksum, identifier and sequence number.
const HEADER: usize = 8;

/// The echo messages of one address family: the types of request and reply.
#[derive(Copy, Clone, Debug)]
pub(super) struct Echo {
    request: u8,
    reply: u8,
    /// The run's slot, which the payload begins with.
    mark: [u8; PAYLOAD_MIN],
}

impl Echo {
    /// The messages for `ip`, marked with `mark`.
    pub(super) const fn new(ip: IpAddr, mark: [u8; PAYLOAD_MIN]) -> Self {
        let (request, reply) = if ip.is_ipv4() { (8, 0) } else { (128, 129) };
        Self { request, reply, mark }
    }

    /// The request number `sequence` with a payload of `size` bytes, at least [`PAYLOAD_MIN`].
    pub(super) fn request(&self, sequence: u16, size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + size);
        bytes.extend([self.request, 0, 0, 0, 0, 0]);
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(self.mark);
        bytes.resize(HEADER + size, 0x20);
        bytes
    }

    /// The number of the request that `bytes` replies to; `None` if it is no reply to this run.
    pub(super) fn sequence(&self, bytes: &[u8]) -> Option<u16> {
        let (header, payload) = bytes.split_first_chunk::<HEADER>()?;
        let ours = header[0] == self.reply && header[1] == 0 && payload.starts_with(&self.mark);
        ours.then(|| u16::from_be_bytes([header[6], header[7]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reply_to_this_run_counts() {
        let echo = Echo::new("127.0.0.1".parse().unwrap(), [7; 16]);
        let mut bytes = echo.request(513, 20);
        assert_eq!(bytes.len(), 28);
        assert_eq!(&bytes[..8], [8, 0, 0, 0, 0, 0, 2, 1]);
        assert_eq!(echo.sequence(&bytes), None, "a request is no reply");
        bytes[0] = 0;
        assert_eq!(echo.sequence(&bytes), Some(513));
        bytes[8] = 0;
        assert_eq!(echo.sequence(&bytes), None, "another run's");
        assert_eq!(echo.sequence(&bytes[..7]), None);
        let echo = Echo::new("::1".parse().unwrap(), [7; 16]);
        let mut bytes = echo.request(1, 16);
        assert_eq!(bytes[0], 128);
        bytes[0] = 129;
        assert_eq!(echo.sequence(&bytes), Some(1));
    }
}
