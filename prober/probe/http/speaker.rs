//! HTTP/1.1 or HTTP/2 on one connection, driven by hand.
//!
//! hyper splits a connection into a handle that takes requests and a future that moves the bytes. Here the
//! future is polled beside whatever waits for it, inside the run's own future: nothing is spawned, and
//! dropping the run closes the connection.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use model::probe::BoxFuture;

use super::wire::Wire;

/// The most that an answer's head may have, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The most lines that it may have in HTTP/1.1.
pub(super) const HEADERS_MAX: usize = 1_000;

type Io = TokioIo<Wire>;
type Body = Full<Bytes>;

/// A connection that requests can be sent on.
pub(super) struct Speaker {
    sender: Sender,
    driver: Driver,
}

enum Sender {
    H1(http1::SendRequest<Body>),
    H2(http2::SendRequest<Body>),
}

/// What moves the bytes; `None` once the connection has ended.
enum Driver {
    H1(Option<Box<http1::Connection<Io, Body>>>),
    H2(Option<Box<http2::Connection<Io, Body, Background>>>, Background, Vec<BoxFuture<'static, ()>>),
}

/// Takes the tasks that hyper's HTTP/2 wants to run beside the connection, for [`Driver`] to poll.
#[derive(Clone, Default)]
struct Background(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Background {
    fn execute(&self, future: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(future));
    }
}

impl Driver {
    /// Moves bytes as far as they go now.
    fn poll(&mut self, context: &mut Context<'_>) {
        match self {
            Self::H1(connection) => {
                // An error also reaches whoever waits for the answer, with more to say.
                if let Some(future) = connection
                    && std::pin::Pin::new(&mut **future).poll(context).is_ready()
                {
                    *connection = None;
                }
            }
            Self::H2(connection, background, tasks) => {
                if let Some(future) = connection
                    && std::pin::Pin::new(&mut **future).poll(context).is_ready()
                {
                    *connection = None;
                }
                loop {
                    tasks.append(&mut background.0.lock().unwrap_or_else(PoisonError::into_inner));
                    tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
                    if background.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                        return;
                    }
                }
            }
        }
    }
}

impl Speaker {
    /// Speaks HTTP/1.1 on `wire`.
    ///
    /// # Errors
    /// Never in the hyper of today; its interface says that it may.
    pub(super) async fn h1(wire: Wire) -> hyper::Result<Self> {
        let mut builder = http1::Builder::new();
        builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(2 * HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
        // RFC 9112, section 5.2: a user agent takes a folded line as one with spaces.
        builder.allow_obsolete_multiline_headers_in_responses(true);
        // Section 5.1 has them taken away, and browsers and curl do it.
        builder.allow_spaces_after_header_name_in_responses(true);
        let (sender, connection) = builder.handshake(TokioIo::new(wire)).await?;
        Ok(Self { sender: Sender::H1(sender), driver: Driver::H1(Some(Box::new(connection))) })
    }

    /// Speaks HTTP/2 on `wire`.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) async fn h2(wire: Wire) -> hyper::Result<Self> {
        let background = Background::default();
        let mut builder = http2::Builder::new(background.clone());
        builder.max_header_list_size(u32::try_from(HEAD_BYTES_MAX).expect("64 KiB fits"));
        let (sender, connection) = builder.handshake(TokioIo::new(wire)).await?;
        let driver = Driver::H2(Some(Box::new(connection)), background, Vec::new());
        Ok(Self { sender: Sender::H2(sender), driver })
    }

    /// Whether it speaks HTTP/2.
    pub(super) const fn is_h2(&self) -> bool {
        matches!(self.sender, Sender::H2(_))
    }

    /// Whether another request can be sent; looks at the socket once, without waiting.
    pub(super) async fn is_open(&mut self) -> bool {
        poll_fn(|context| {
            self.driver.poll(context);
            Poll::Ready(())
        })
        .await;
        match &self.sender {
            Sender::H1(sender) => sender.is_ready(),
            Sender::H2(sender) => sender.is_ready(),
        }
    }

    /// Sends `request` and waits for the answer's head; `look` is called whenever bytes may have moved.
    ///
    /// # Errors
    /// The connection broke, or the answer is not HTTP.
    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
        mut look: impl FnMut(),
    ) -> hyper::Result<Response<Incoming>> {
        let driver = &mut self.driver;
        match &mut self.sender {
            Sender::H1(sender) => drive(driver, sender.send_request(request), &mut look).await,
            Sender::H2(sender) => drive(driver, sender.send_request(request), &mut look).await,
        }
    }

    /// Waits for `future`, which waits for this connection.
    pub(super) async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        drive(&mut self.driver, future, &mut || {}).await
    }
}

/// Polls the connection first: what it moves is then there for `future` in the same turn.
async fn drive<F: Future>(driver: &mut Driver, future: F, look: &mut impl FnMut()) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        driver.poll(context);
        look();
        future.as_mut().poll(context)
    })
    .await
}
