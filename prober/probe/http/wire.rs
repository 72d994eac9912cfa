//! The bytes below an HTTP connection, and when they went by.

use std::io::ErrorKind::InvalidData;
use std::io::{self, IoSlice, Read as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use model::outcome::Failure;
use rustls::ProtocolVersion;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::net::banner::{Banner, Expected};
use crate::net::fault;
use crate::net::tls::{Overheard, beyond};

/// The bytes of one connection, plain or secured.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP.
    Plain(TcpStream),
    /// TLS on TCP.
    Tls(Box<TlsStream<Overheard<TcpStream>>>),
}

/// When the first byte was read and the last one written since [`Marks::reset`].
///
/// The other holder of these is the [`Wire`] that a connection owns; both live in the same task, so relaxed
/// order is enough.
#[derive(Debug)]
pub(crate) struct Marks {
    base: Instant,
    /// Nanoseconds from `base`, plus one; zero if nothing was written.
    wrote: AtomicU64,
    /// Nanoseconds from `base`, plus one; zero if nothing was read.
    read: AtomicU64,
    /// Whether the last write could not be finished.
    blocked: AtomicBool,
    /// How many more bytes may be read; without a bound while a body is read.
    room: AtomicU64,
    /// Whether the first bytes are still to be kept.
    keeps: AtomicBool,
    banner: Mutex<Banner>,
    /// The alert of TLS that ended the connection, of which HTTP/2 may say no more than that there is an end, or what the
    /// server wanted in place of an answer.
    alerted: OnceLock<Failure>,
}

/// More was read than the head of any answer needs; the server sends interim answers for ever.
#[derive(Debug, thiserror::Error)]
#[error("the answer does not begin")]
pub(crate) struct NoHead;

impl Marks {
    /// No marks yet.
    pub(crate) fn new() -> Self {
        Self {
            base: Instant::now(),
            wrote: AtomicU64::new(0),
            read: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            room: AtomicU64::new(u64::MAX),
            keeps: AtomicBool::new(true),
            banner: Mutex::new(Banner::new()),
            alerted: OnceLock::new(),
        }
    }

    /// Lets no more than `bytes` be read from now on; reading more is the error [`NoHead`].
    pub(crate) fn limit(&self, bytes: u64) {
        self.room.store(bytes, Ordering::Relaxed);
    }

    /// Forgets the marks of the exchange before.
    pub(crate) fn reset(&self) {
        self.wrote.store(0, Ordering::Relaxed);
        self.read.store(0, Ordering::Relaxed);
        self.keeps.store(true, Ordering::Relaxed);
        self.banner().clear();
    }

    /// The first bytes that were read, as the end of a sentence; empty if there were none, or they are what was
    /// `expected`.
    pub(crate) fn told(&self, expected: Expected) -> String {
        self.banner().told(expected)
    }

    /// The failure of a connection that TLS has ended.
    pub(super) fn alerted(&self) -> Option<Failure> {
        self.alerted.get().cloned()
    }

    fn banner(&self) -> MutexGuard<'_, Banner> {
        self.banner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the last byte was written, if nothing is left to be written.
    pub(crate) fn sent(&self) -> Option<Instant> {
        if self.blocked.load(Ordering::Relaxed) { None } else { self.at(&self.wrote) }
    }

    /// When the first byte was read.
    pub(crate) fn first_read(&self) -> Option<Instant> {
        self.at(&self.read)
    }

    fn at(&self, mark: &AtomicU64) -> Option<Instant> {
        let nanos = mark.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.base + Duration::from_nanos(nanos))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1
    }

    fn note_write(&self, written: &Poll<io::Result<usize>>) {
        self.blocked.store(written.is_pending(), Ordering::Relaxed);
        if let Poll::Ready(Ok(1..)) = written {
            self.wrote.store(self.now(), Ordering::Relaxed);
        }
    }

    fn note_flush(&self, flushed: &Poll<io::Result<()>>) {
        self.blocked.store(flushed.is_pending(), Ordering::Relaxed);
    }

    fn note_read(&self, read: &[u8]) -> Result<(), NoHead> {
        let bytes = read.len();
        if bytes > 0 && self.keeps.load(Ordering::Relaxed) {
            let mut banner = self.banner();
            banner.keep(read);
            self.keeps.store(!banner.is_full(), Ordering::Relaxed);
        }
        if bytes > 0 && self.read.load(Ordering::Relaxed) == 0 {
            self.read.store(self.now(), Ordering::Relaxed);
        }
        let room = self.room.load(Ordering::Relaxed);
        if room == u64::MAX {
            return Ok(());
        }
        let left = room.checked_sub(bytes as u64);
        self.room.store(left.unwrap_or(0), Ordering::Relaxed);
        left.map(|_| ()).ok_or(NoHead)
    }
}

/// How many times in a row a connection may read without a pause: a peer that never stops must not keep the thread
/// from others, nor from its own deadline.
const READS_MAX: u8 = 4;

/// How much is looked at once nothing can be written any more, in bytes: tickets and an alert.
const READ_BYTES: usize = 4096;

/// A stream that marks when bytes go by.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    marks: Arc<Marks>,
    /// How many times in a row something was there to be read.
    reads: u8,
}

impl Wire {
    /// The stream, marking in `marks`.
    pub(crate) const fn new(stream: Stream, marks: Arc<Marks>) -> Self {
        Self { stream, marks, reads: 0 }
    }
}

impl Wire {
    /// Whether the server asked for another handshake and has sent nothing of an answer: then that is why it ends. One that
    /// goes on when it is refused sends its answer.
    fn wants_anew(&self) -> bool {
        let Stream::Tls(stream) = &self.stream else { return false };
        let (socket, session) = stream.get_ref();
        session.protocol_version() == Some(ProtocolVersion::TLSv1_2)
            && socket.follower().asks_anew()
            && self.marks.first_read().is_none()
    }

    /// Looks for why nothing can be written any more: a server that says so in an alert closes the connection behind it,
    /// and HTTP/2 does not read on once it cannot write.
    fn look_for_alert<T>(&mut self, written: &Poll<io::Result<T>>) {
        let (Poll::Ready(Err(_)), Stream::Tls(stream)) = (written, &mut self.stream) else { return };
        let (socket, session) = stream.get_mut();
        let mut room = [0; READ_BYTES];
        // The runtime learns only later that there is something, and nobody would come back for it.
        let Ok(count) = (&*SockRef::from(socket.stream())).read(&mut room) else { return };
        let decrypted = session
            .read_tls(&mut &room[..count])
            .and_then(|_| session.process_new_packets().map_err(|error| io::Error::new(InvalidData, error)));
        if let Some(failure) = decrypted.err().as_ref().and_then(fault::alerted) {
            let failure = if self.wants_anew() { beyond::anew() } else { failure };
            self.marks.alerted.get_or_init(|| failure);
        }
    }
}

/// Calls the same method on whichever stream it is.
macro_rules! each {
    ($wire:expr, $stream:ident => $call:expr) => {
        match &mut $wire.stream {
            Stream::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Stream::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reads >= READS_MAX {
            self.reads = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = each!(self, stream => stream.poll_read(context, buffer));
        let is_end = read.is_ready() && buffer.filled().len() == before;
        if is_end && self.wants_anew() {
            self.marks.alerted.get_or_init(beyond::anew);
        }
        self.reads = if read.is_ready() { self.reads + 1 } else { 0 };
        match self.marks.note_read(&buffer.filled()[before..]) {
            Ok(()) => read,
            Err(error) => Poll::Ready(Err(io::Error::other(error))),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = each!(self, stream => stream.poll_write(context, bytes));
        self.marks.note_write(&written);
        self.look_for_alert(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = each!(self, stream => stream.poll_write_vectored(context, slices));
        self.marks.note_write(&written);
        self.look_for_alert(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = each!(self, stream => stream.poll_flush(context));
        self.marks.note_flush(&flushed);
        self.look_for_alert(&flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => stream.poll_shutdown(context))
    }
}
