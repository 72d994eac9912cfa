//! Packets: three bytes of length, a number, and what is in them.

use model::outcome::Failure;
use model::step::Phase;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};

use super::session::MyError;
use crate::net::fault;
use crate::net::phases::Phases;
use crate::sql::session::Duplex;

/// The most bytes that a server may send in one run.
const RECEIVED_MAX: usize = 4 * 1024 * 1024;

/// A connection that carries packets.
pub(in crate::sql) struct Packets<S> {
    stream: BufReader<S>,
    /// The number of the next packet.
    number: u8,
    /// How many bytes may still be read.
    room: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Packets<S> {
    /// The packets on `stream`, the next one with this number.
    pub(in crate::sql) fn new(stream: S, number: u8) -> Self {
        Self { stream: BufReader::new(stream), number, room: RECEIVED_MAX }
    }

    /// The same behind a box; what was read and not taken goes along.
    pub(in crate::sql) fn boxed(self) -> Packets<Box<dyn Duplex>>
    where
        S: Send + 'static,
    {
        let stream: Box<dyn Duplex> = Box::new(self.stream);
        Packets { stream: BufReader::new(stream), number: self.number, room: self.room }
    }

    /// Begins a new exchange: its packets are numbered from zero.
    pub(in crate::sql) const fn restart(&mut self) {
        self.number = 0;
    }

    /// The next packet; a phase `wait` ends with its first byte.
    ///
    /// # Errors
    /// The connection ended, or the server sent more than it may.
    pub(in crate::sql) async fn read(&mut self, phases: &mut Phases) -> Result<Vec<u8>, MyError> {
        let broken = |error: std::io::Error| MyError::Broken(fault::of_io(&error, "reading the answer"));
        let mut head = [0; 4];
        self.stream.read_exact(&mut head[..1]).await.map_err(broken)?;
        if phases.current() == Some(Phase::Wait) {
            phases.enter(Phase::Receive);
        }
        self.stream.read_exact(&mut head[1..]).await.map_err(broken)?;
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        if head[3] != self.number {
            return Err(MyError::Wrong("its packets are not in order".to_owned()));
        }
        self.number = self.number.wrapping_add(1);
        self.room = self.room.checked_sub(length + head.len()).ok_or(MyError::TooMuch)?;
        let mut packet = vec![0; length];
        self.stream.read_exact(&mut packet).await.map_err(broken)?;
        Ok(packet)
    }

    /// Writes a packet of less than 16 MiB.
    ///
    /// # Errors
    /// The connection broke.
    pub(in crate::sql) async fn write(&mut self, packet: &[u8]) -> Result<(), Failure> {
        let length = u32::try_from(packet.len()).expect("what a file says is short").to_le_bytes();
        let mut framed = Vec::with_capacity(4 + packet.len());
        framed.extend([length[0], length[1], length[2], self.number]);
        framed.extend(packet);
        self.number = self.number.wrapping_add(1);
        let sent = async {
            self.stream.write_all(&framed).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| fault::of_io(&error, "sending"))
    }

    /// The connection and the number of the next packet, if nothing was read that has not been taken.
    pub(in crate::sql) fn into_inner(self) -> Option<(S, u8)> {
        self.stream.buffer().is_empty().then(|| (self.stream.into_inner(), self.number))
    }
}

/// The parts of a packet, one after the other; `None` where the packet is too short.
#[derive(Copy, Clone, Debug)]
pub(in crate::sql) struct Parts<'a>(pub(in crate::sql) &'a [u8]);

impl<'a> Parts<'a> {
    /// So many bytes.
    pub(in crate::sql) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of `N` bytes, at most eight.
    pub(in crate::sql) fn number<const N: usize>(&mut self) -> Option<u64> {
        let bytes = self.take(N)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The bytes before the next zero.
    pub(in crate::sql) fn zero_ended(&mut self) -> Option<&'a [u8]> {
        let at = self.0.iter().position(|byte| *byte == 0)?;
        let taken = self.take(at)?;
        self.take(1)?;
        Some(taken)
    }

    /// A number that says itself how long it is; `None` also for what stands for no number.
    pub(in crate::sql) fn length(&mut self) -> Option<u64> {
        match self.number::<1>()? {
            0xfc => self.number::<2>(),
            0xfd => self.number::<3>(),
            0xfe => self.number::<8>(),
            small @ 0..=0xfa => Some(small),
            _ => None,
        }
    }

    /// Bytes behind their length.
    pub(in crate::sql) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.length()?).ok()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_packets() {
        let mut parts = Parts(b"\x05\x00abc\0\x03xyz\xfc\x02\x01");
        assert_eq!(parts.number::<2>(), Some(5));
        assert_eq!(parts.zero_ended(), Some(&b"abc"[..]));
        assert_eq!(parts.bytes(), Some(&b"xyz"[..]));
        assert_eq!(parts.length(), Some(258));
        assert_eq!(parts.number::<1>(), None);
        assert_eq!(Parts(b"abc").zero_ended(), None);
        assert_eq!(Parts(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff").bytes(), None);
        assert_eq!(Parts(b"\xfb").length(), None);
        assert_eq!(Parts(b"\x04abc").bytes(), None);
    }
}
