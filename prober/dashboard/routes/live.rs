//! Tells open pages that something is new, as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! A page then loads itself: what it shows is made in one place. Bounded: so many listeners at once, one word a second
//! at most, and an end with the server's.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Bytes, Frame};
use model::probe::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use crate::answer::refused;
use crate::app::{App, Refusal};

/// The shortest time between two words.
const PACE: Duration = Duration::from_secs(1);
/// The longest silence: a proxy or a browser may take a longer one for a broken connection.
const SILENCE_MAX: Duration = Duration::from_secs(15);

pub(super) async fn live(State(app): State<Arc<App>>) -> Response {
    let Ok(place) = app.listeners() else { return refused(&app, "/live", &Refusal::Busy) };
    let turn =
        Turn { durable: app.sources.store.durable(), stop: app.stop.clone(), begun: false, _place: place };
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (headers, Body::new(Words(Some(Box::pin(next(turn)))))).into_response()
}

/// What the next word needs.
struct Turn {
    durable: watch::Receiver<u64>,
    stop: CancellationToken,
    begun: bool,
    _place: OwnedSemaphorePermit,
}

type Word = Option<(String, Turn)>;

/// The body: one word after the other.
struct Words(Option<BoxFuture<'static, Word>>);

/// The next word; `None` at the end.
async fn next(mut turn: Turn) -> Word {
    if !turn.begun {
        turn.begun = true;
        turn.durable.mark_unchanged();
        return Some(("retry: 3000\n: listening\n\n".to_owned(), turn));
    }
    tokio::select! {
        biased;
        () = turn.stop.cancelled() => return None,
        changed = turn.durable.changed() => changed.ok()?,
        () = tokio::time::sleep(SILENCE_MAX) => return Some((": still here\n\n".to_owned(), turn)),
    }
    tokio::select! {
        biased;
        () = turn.stop.cancelled() => return None,
        () = tokio::time::sleep(PACE) => {}
    }
    let newest = *turn.durable.borrow_and_update();
    Some((format!("event: change\ndata: {newest}\n\n"), turn))
}

impl hyper::body::Body for Words {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(waiting) = &mut self.0 else { return Poll::Ready(None) };
        let Poll::Ready(word) = waiting.as_mut().poll(context) else { return Poll::Pending };
        let Some((text, turn)) = word else {
            self.0 = None;
            return Poll::Ready(None);
        };
        self.0 = Some(Box::pin(next(turn)));
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}
