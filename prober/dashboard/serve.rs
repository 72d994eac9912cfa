//! The server: accepts, bounds and ends connections.
//!
//! Every connection is a task in a set that [`serve`] owns. It has a bound on its head, on its idle time and on
//! its age, so that no peer holds a place for ever, and gives way to others before if it keeps us waiting.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::{Extension, Router};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::places::{Answer, Heard, Place, Places, Seat};
use crate::routes::{self, Peer};
use crate::sources::Sources;

/// Why the server could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener has no address.
    #[error("the listener's address could not be read")]
    Address(#[source] std::io::Error),
}

/// What the server did.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Connections accepted.
    pub connections: u64,
    /// Connections that were still busy when the grace had ended.
    pub aborted: u64,
}

/// The longest between two requests, and the longest for a request's head to arrive.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1_024;
/// Header lines of a request.
const HEADERS_MAX: usize = 64;
/// After this age a connection ends with the request it is at.
const AGE_MAX: Duration = Duration::from_mins(10);
/// How long that last request may take to be answered and read by the peer.
const LAST_REQUEST: Duration = Duration::from_mins(1);
/// How long to wait when the system gives no connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves pages, API and metrics until `stop`, then lets open requests end within the grace.
///
/// Dropping the future ends all connections at once.
///
/// # Errors
/// The listener's address could not be read; after that, faults of single connections are only logged.
pub async fn serve(
    listener: TcpListener,
    sources: Sources,
    stop: CancellationToken,
) -> Result<Served, ServeError> {
    let address = listener.local_addr().map_err(ServeError::Address)?;
    let grace = sources.settings.grace;
    let tls = sources.settings.tls.clone().map(|tls| TlsAcceptor::from(tls.0));
    let places = Places::new(sources.settings.connections_max.max(1));
    let is_loopback = address.ip().to_canonical().is_loopback();
    let router = routes::router(&Arc::new(App::new(sources, is_loopback, stop.clone())));
    let mut open = JoinSet::new();
    let mut served = Served::default();
    // Accepted, and without a place so far; the others wait in the system's queue.
    let mut next = None;
    let is_short = AtomicBool::new(false);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_ended) = open.join_next() => {}
            accepted = accept(&listener, &places, &is_short), if next.is_none() => next = Some(accepted),
            place = places.take(), if next.is_some() => {
                let Some((stream, peer)) = next.take() else { continue };
                served.connections += 1;
                let router = router.clone().layer(Extension(Peer(peer)));
                open.spawn(connection((stream, tls.clone()), router, stop.clone(), place));
            }
        }
    }
    drop(listener);
    let all_ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all_ended).await.is_err() {
        served.aborted = open.len() as u64;
        open.shutdown().await;
    }
    Ok(served)
}

/// The next connection; for want of file descriptors those give way who say nothing. Dropping the future loses none.
async fn accept(listener: &TcpListener, places: &Places, is_short: &AtomicBool) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                if is_short.swap(false, Ordering::Relaxed) {
                    tracing::info!("connections are accepted again");
                }
                return accepted;
            }
            Err(error) => {
                // Once, and not as often as it is tried.
                if !is_short.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "no connection can be accepted");
                }
                places.clear_one();
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection from its handshake to its end, or until it gives way; holds `place` as long.
async fn connection(
    (stream, tls): (TcpStream, Option<TlsAcceptor>),
    router: Router,
    stop: CancellationToken,
    place: Place,
) {
    let seat = &place.seat;
    let all = async {
        let Some(tls) = tls else { return converse(stream, router, stop, seat).await };
        match tokio::time::timeout(HEAD_MAX, tls.accept(stream)).await {
            Ok(Ok(stream)) => converse(stream, router, stop, seat).await,
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    };
    tokio::select! {
        () = all => {}
        () = seat.gives_way.cancelled() => tracing::debug!("a connection gave way to others"),
    }
}

async fn converse<S>(stream: S, router: Router, stop: CancellationToken, seat: &Arc<Seat>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let router = TowerToHyperService::new(router);
    let answer = service_fn(|request: Request<Incoming>| {
        let answering = seat.asked();
        let answered = router.call(request);
        async move {
            let keep = |body| Body::new(Answer { body, _answering: answering });
            answered.await.map(|answer| answer.map(keep))
        }
    });
    let stream = Heard { stream, seat: Arc::clone(seat) };
    let serving = http.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        () = stop.cancelled() => None,
        () = tokio::time::sleep(AGE_MAX) => None,
    };
    let ended = if ended.is_some() {
        ended
    } else {
        serving.as_mut().graceful_shutdown();
        tokio::time::timeout(LAST_REQUEST, serving).await.ok()
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
