//! The places for connections: a bounded number, and who gives way when there is none left.
//!
//! Whoever opens connections and says nothing, or asks and does not read, would keep everybody else out until its time is
//! over. So the one that has kept us waiting longest gives way to the next. A request that is being answered never does.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a peer may keep us waiting while others want its place.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look whom the patience is over with.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// All places.
pub(crate) struct Places {
    free: Arc<Semaphore>,
    taken: Mutex<Vec<Weak<Seat>>>,
}

/// One connection's place; free again when it is dropped.
pub(crate) struct Place {
    pub(crate) seat: Arc<Seat>,
    _permit: OwnedSemaphorePermit,
}

/// What a connection's peer keeps us waiting with.
pub(crate) struct Seat {
    since: Mutex<Since>,
    /// Cancelled when another takes the place.
    pub(crate) gives_way: CancellationToken,
}

#[derive(Copy, Clone)]
struct Since {
    /// It has not sent a whole request; `None` while one is answered.
    silent: Option<Instant>,
    /// It does not read; `None` while it does.
    deaf: Option<Instant>,
}

impl Places {
    pub(crate) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), taken: Mutex::new(Vec::new()) }
    }

    /// The next place. Dropping the future takes none.
    pub(crate) async fn take(&self) -> Place {
        loop {
            let free = Arc::clone(&self.free);
            if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
                return self.seat(permit);
            }
            self.clear_one();
            if let Ok(permit) = tokio::time::timeout(LOOK_EVERY, free.acquire_owned()).await {
                return self.seat(permit.expect("the semaphore is never closed"));
            }
        }
    }

    fn seat(&self, permit: OwnedSemaphorePermit) -> Place {
        let since = Mutex::new(Since { silent: Some(Instant::now()), deaf: None });
        let seat = Arc::new(Seat { since, gives_way: CancellationToken::new() });
        let mut taken = locked(&self.taken);
        taken.retain(|seat| seat.strong_count() > 0);
        taken.push(Arc::downgrade(&seat));
        Place { seat, _permit: permit }
    }

    /// Lets the one give way that has kept us waiting longest, and too long.
    pub(crate) fn clear_one(&self) {
        let now = Instant::now();
        let seats: Vec<_> = locked(&self.taken).iter().filter_map(Weak::upgrade).collect();
        let waiting = seats.iter().filter(|seat| !seat.gives_way.is_cancelled());
        let longest = waiting.filter_map(|seat| Some((seat.waits_since()?, seat))).min_by_key(|(at, _)| *at);
        if let Some((at, seat)) = longest
            && now.duration_since(at) >= PATIENCE
        {
            seat.gives_way.cancel();
        }
    }
}

impl Seat {
    fn waits_since(&self) -> Option<Instant> {
        let since = *locked(&self.since);
        since.silent.into_iter().chain(since.deaf).min()
    }

    /// A request is here; what this gives belongs to its answer.
    pub(crate) fn asked(self: &Arc<Self>) -> Answering {
        locked(&self.since).silent = None;
        Answering(Arc::clone(self))
    }

    fn note_write<T>(&self, polled: &Poll<T>) {
        let mut since = locked(&self.since);
        match polled {
            Poll::Ready(_) => since.deaf = None,
            Poll::Pending => _ = since.deaf.get_or_insert_with(Instant::now),
        }
    }
}

/// A request that is being answered.
pub(crate) struct Answering(Arc<Seat>);

impl Drop for Answering {
    fn drop(&mut self) {
        locked(&self.0.since).silent = Some(Instant::now());
    }
}

/// The body of an answer, which is being given as long as there is some of it left.
pub(crate) struct Answer<B> {
    pub(crate) body: B,
    pub(crate) _answering: Answering,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that notes whether its peer reads.
pub(crate) struct Heard<S> {
    pub(crate) stream: S,
    pub(crate) seat: Arc<Seat>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.seat.note_write(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.seat.note_write(&polled);
        polled
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

/// Nobody panics while holding one of these.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_refused(places: &Places) -> bool {
        tokio::time::timeout(PATIENCE / 2, places.take()).await.is_err()
    }

    /// Ends with its connection, as the server's tasks do.
    async fn given_way(place: Place) -> Place {
        place.seat.gives_way.cancelled().await;
        place
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_longest_gives_way_and_whoever_is_answered_does_not() {
        let places = Places::new(3);
        let answered = places.take().await;
        let _answering = answered.seat.asked();
        let first = places.take().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        let second = places.take().await;
        assert!(is_refused(&places).await, "nobody has kept us waiting for long");
        let (place, gone) = tokio::join!(places.take(), async { drop(given_way(first).await) });
        assert_eq!(gone, ());
        assert!(!second.seat.gives_way.is_cancelled() && !answered.seat.gives_way.is_cancelled());
        // Asked in time, neither of them waits any more.
        let _asked = [second.seat.asked(), place.seat.asked()];
        tokio::time::sleep(PATIENCE * 60).await;
        assert!(is_refused(&places).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_gives_way() {
        let places = Places::new(1);
        let deaf = places.take().await;
        let _answering = deaf.seat.asked();
        deaf.seat.note_write(&Poll::<()>::Pending);
        tokio::time::sleep(PATIENCE).await;
        deaf.seat.note_write(&Poll::Ready(()));
        assert!(is_refused(&places).await, "it reads again");
        deaf.seat.note_write(&Poll::<()>::Pending);
        tokio::join!(places.take(), async { drop(given_way(deaf).await) });
    }
}
