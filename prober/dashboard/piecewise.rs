//! A long answer that is made while it is sent, so that it never lies in memory as a whole.
//!
//! A piece is made when the peer has taken the one before, on a thread that may block, and holds a place only while it
//! is made: a peer that reads slowly keeps one piece in memory and nobody waiting.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use model::probe::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

use crate::sources::Pieces;

/// The body of an answer that is made in pieces.
pub(crate) struct Piecewise {
    /// Made and not sent yet.
    ready: VecDeque<Vec<u8>>,
    state: State,
    /// Pieces that are made at once, over all answers.
    places: Arc<Semaphore>,
}

enum State {
    Idle(Pieces),
    Making(BoxFuture<'static, Result<Made, JoinError>>),
    Ended,
}

/// A piece, if there was one more, and those to come.
type Made = (Option<Vec<u8>>, Pieces);

impl Piecewise {
    /// Begins with up to two pieces, so that the length of a short answer is known; blocks while they are made.
    ///
    /// Each further piece takes one of `places` while it is made.
    pub(crate) fn begin(mut pieces: Pieces, places: Arc<Semaphore>) -> Self {
        let ready: VecDeque<_> = pieces.by_ref().take(2).collect();
        let state = if ready.len() < 2 { State::Ended } else { State::Idle(pieces) };
        Self { ready, state, places }
    }
}

async fn make(mut pieces: Pieces, places: Arc<Semaphore>) -> Result<Made, JoinError> {
    let place = places.acquire_owned().await.expect("the semaphore is never closed");
    let made = spawn_blocking(move || {
        let piece = pieces.next();
        drop(place);
        (piece, pieces)
    });
    made.await
}

impl Body for Piecewise {
    type Data = Bytes;
    type Error = JoinError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, JoinError>>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
            }
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Idle(pieces) => State::Making(Box::pin(make(pieces, Arc::clone(&self.places)))),
                State::Making(mut making) => match making.as_mut().poll(context) {
                    Poll::Pending => {
                        self.state = State::Making(making);
                        return Poll::Pending;
                    }
                    Poll::Ready(made) => {
                        let (piece, pieces) = made?;
                        self.ready.extend(piece);
                        if self.ready.is_empty() { State::Ended } else { State::Idle(pieces) }
                    }
                },
                State::Ended => return Poll::Ready(None),
            };
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.state {
            State::Ended => SizeHint::with_exact(self.ready.iter().map(|piece| piece.len() as u64).sum()),
            State::Idle(_) | State::Making(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A body of so many pieces of one byte, and how many were made so far.
    fn body(count: u8) -> (Piecewise, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let note = Arc::clone(&made);
        let pieces = (0..count).inspect(move |_| _ = note.fetch_add(1, Ordering::SeqCst));
        let pieces = Box::new(pieces.map(|number| vec![number]));
        (Piecewise::begin(pieces, Arc::new(Semaphore::new(1))), made)
    }

    #[tokio::test]
    async fn a_piece_is_made_when_the_one_before_was_taken() {
        let (mut body, made) = body(100);
        assert_eq!((body.size_hint().exact(), made.load(Ordering::SeqCst)), (None, 2));
        for number in 0..100 {
            let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
            assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), [number].as_slice());
            assert!(made.load(Ordering::SeqCst) <= usize::from(number).max(1) + 1, "none lie about");
        }
        assert!(poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await.is_none());
    }

    #[tokio::test]
    async fn the_length_of_a_short_answer_is_known() {
        for (count, length) in [(0, Some(0)), (1, Some(1)), (2, None)] {
            assert_eq!(body(count).0.size_hint().exact(), length, "{count} pieces");
        }
    }
}
