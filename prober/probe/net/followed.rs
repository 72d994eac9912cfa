//! A stream whose bytes are followed as they go by: for what they say below a library that does not tell, and for limits
//! that it does not have.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whoever follows the bytes of a stream.
pub(crate) trait Follow {
    /// Looks at `bytes`, which came next; there is at least one.
    ///
    /// # Errors
    /// The stream is to break within them.
    fn came(&mut self, bytes: &[u8]) -> Result<(), Break>;

    /// Bytes went out.
    fn went(&mut self) {}
}

/// Where a stream is to break, and how.
#[derive(Debug)]
pub(crate) struct Break {
    /// How many of the bytes that came last still get to the reader.
    pub(crate) passed: usize,
    /// What it is told after them.
    pub(crate) error: io::Error,
}

/// The stream, and who follows it.
#[derive(Debug)]
pub(crate) struct Followed<S, F> {
    stream: S,
    follow: F,
    /// What the next read is told.
    broken: Option<io::Error>,
}

impl<S, F: Follow> Followed<S, F> {
    /// `stream`, of which nothing was read yet.
    pub(crate) const fn new(stream: S, follow: F) -> Self {
        Self { stream, follow, broken: None }
    }

    /// `stream`, of which `read` was read already; with how many of those bytes count.
    pub(crate) fn after(stream: S, mut follow: F, read: &[u8]) -> (Self, usize) {
        let looked = if read.is_empty() { Ok(()) } else { follow.came(read) };
        let (passed, broken) = match looked {
            Ok(()) => (read.len(), None),
            Err(Break { passed, error }) => (passed, Some(error)),
        };
        (Self { stream, follow, broken }, passed)
    }

    /// The stream itself.
    pub(crate) const fn stream(&self) -> &S {
        &self.stream
    }

    /// Who follows it.
    pub(crate) const fn follower(&self) -> &F {
        &self.follow
    }
}

impl<S: AsyncRead + Unpin, F: Follow + Unpin> AsyncRead for Followed<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let came = &buffer.filled()[before..];
        if came.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let Err(Break { passed, error }) = self.follow.came(came) else { return Poll::Ready(Ok(())) };
        buffer.set_filled(before + passed);
        if passed == 0 {
            // A read of nothing would be the end.
            return Poll::Ready(Err(error));
        }
        self.broken = Some(error);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, F: Follow + Unpin> AsyncWrite for Followed<S, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.follow.went();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.follow.went();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Breaks the stream before the first `!`, and counts what goes out.
    #[derive(Default)]
    struct Calm(u32);

    impl Follow for Calm {
        fn came(&mut self, bytes: &[u8]) -> Result<(), Break> {
            let found = bytes.iter().position(|byte| *byte == b'!');
            found.map_or(Ok(()), |passed| Err(Break { passed, error: io::Error::other("loud") }))
        }

        fn went(&mut self) {
            self.0 += 1;
        }
    }

    #[tokio::test]
    async fn what_comes_before_the_break_is_read() {
        for (came, read, broken) in [
            (&b"hello"[..], &b"hello"[..], false),
            (b"hey! you", b"hey", true),
            (b"!", b"", true),
            (b"", b"", false),
        ] {
            let mut stream = Followed::new(came, Calm::default());
            let mut all = Vec::new();
            let ended = stream.read_to_end(&mut all).await;
            assert_eq!((&all[..], ended.is_err()), (read, broken), "{came:?}");
            // The same if it was read already.
            let (mut rest, passed) = Followed::after(&b""[..], Calm::default(), came);
            assert_eq!((passed, rest.read_to_end(&mut all).await.is_err()), (read.len(), broken), "{came:?}");
        }
    }

    #[tokio::test]
    async fn what_goes_out_is_noticed() {
        let mut stream = Followed::new(Vec::new(), Calm::default());
        stream.write_all(b"one").await.unwrap();
        assert_eq!(stream.write_vectored(&[IoSlice::new(b"two!")]).await.unwrap(), 4);
        stream.flush().await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!((stream.stream.as_slice(), stream.follow.0), (&b"onetwo!"[..], 2));
    }
}
