//! The shop over HTTP/1.1 and HTTP/2, plain and over TLS.
//!
//! | file | holds |
//! | --- | --- |
//! | `routes` | which page answers what |
//! | `pages` | the pages for people |
//! | `counter` | sessions, carts and orders |

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::faults::Schedule;
use crate::tasks::Spawner;
use counter::Counter;

mod counter;
mod pages;
mod routes;

/// The most connections of one listener at once; later ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;

/// How long one connection may last, whatever happens on it.
const CONNECTION: Duration = Duration::from_mins(2);

/// How long a handshake, or a request's head, may take; an idle connection ends after that too.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest request body, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// The largest set of request headers, in bytes.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// The most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 32;

/// What all connections of the shop share.
pub(crate) struct Shop {
    schedule: Schedule,
    counter: Counter,
}

/// A request, read to its end.
struct Asked {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

type Answer = Response<Full<Bytes>>;

impl Shop {
    /// A shop without orders.
    pub(crate) fn new(schedule: Schedule) -> Arc<Self> {
        Arc::new(Self { schedule, counter: Counter::default() })
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
            return too_large();
        }
        let read = tokio::time::timeout(PATIENCE, Limited::new(body, BODY_BYTES_MAX).collect());
        let body = match read.await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return too_large(),
            Ok(Err(_)) => return routes::problem(StatusCode::BAD_REQUEST, "the request's body broke off"),
            Err(_) => return routes::problem(StatusCode::REQUEST_TIMEOUT, "the request took too long"),
        };
        let path = head.uri.path().to_owned();
        routes::answer(self, Asked { method: head.method, path, headers: head.headers, body }).await
    }
}

fn too_large() -> Answer {
    routes::problem(StatusCode::PAYLOAD_TOO_LARGE, "a request has at most 64 KiB")
}

/// Serves connections until it is aborted.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    shop: Arc<Shop>,
    spawner: Spawner,
) {
    let tls = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: connections that end make room.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // A peer that is gone already shows when the connection is served.
        let _set = stream.set_nodelay(true);
        let (tls, shop, streams) = (tls.clone(), Arc::clone(&shop), spawner.clone());
        spawner.spawn(async move {
            let served = async {
                let Some(tls) = tls else { return converse(stream, shop, streams).await };
                if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                    converse(stream, shop, streams).await;
                }
            };
            // A connection that is too old is closed; clients open another one.
            let _end = tokio::time::timeout(CONNECTION, served).await;
            drop(place);
        });
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shop: Arc<Shop>,
    spawner: Spawner,
) {
    let mut builder = auto::Builder::new(spawner);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE);
    let service = service_fn(|request| {
        let shop = Arc::clone(&shop);
        async move { Ok::<_, Infallible>(shop.answer(request).await) }
    });
    // The client's fault or wish to end a connection is nothing to the shop.
    let _end = builder.serve_connection(TokioIo::new(stream), service).await;
}
