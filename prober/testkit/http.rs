//! A scriptable HTTP server: HTTP/1.1 and HTTP/2 (by ALPN or prior knowledge), plain or over TLS.
//!
//! It obeys the protocol; what is scripted is the content and the time. Targets that break the rules are in
//! [`crate::hostile`].

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::runtime::{Spawner, Tasks, listen, listen_at, lock};
use reply::ScriptBody;

mod reply;

pub use reply::Reply;

/// The largest request body that is read, in bytes; a larger one is cut off with 413.
pub const REQUEST_BYTES_MAX: usize = 16 << 20;

/// The most requests that the log keeps; later ones are only counted.
pub const LOG_MAX: usize = 100_000;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which connection it came on, counted from 0 in the order of acceptance.
    pub connection: u64,
    /// When its head was complete.
    pub at: Instant,
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The query, without the question mark.
    pub query: Option<String>,
    /// The protocol version.
    pub version: Version,
    /// The header lines.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The server name that the client asked for in TLS.
    pub sni: Option<String>,
}

impl Seen {
    /// The header `name` as text; `None` if it is missing or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

type Script = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// A running server; dropping it closes its port and its connections.
pub struct Server {
    addr: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    _tasks: Tasks,
}

#[derive(Default)]
struct Shared {
    scripts: Mutex<HashMap<String, Script>>,
    log: Mutex<Vec<Seen>>,
    requests: AtomicU64,
    connections: AtomicU64,
    open: AtomicUsize,
    delays: Mutex<Delays>,
}

/// How long a new connection is kept waiting.
#[derive(Copy, Clone, Debug, Default)]
struct Delays {
    accept: Duration,
    tls: Duration,
}

impl Server {
    /// Starts a plain server for HTTP/1.1 and HTTP/2 with prior knowledge; every path answers 404.
    pub fn start() -> Self {
        Self::serve(None, listen())
    }

    /// Starts a plain server at `addr`, in the calling thread's network.
    pub fn start_at(addr: SocketAddr) -> Self {
        Self::serve(None, listen_at(addr))
    }

    /// Starts a server behind TLS; the protocol is the one negotiated by ALPN.
    pub fn start_tls(config: Arc<ServerConfig>) -> Self {
        Self::serve(Some(TlsAcceptor::from(config)), listen())
    }

    fn serve(tls: Option<TlsAcceptor>, (listener, addr): (TcpListener, SocketAddr)) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (shared, tasks) = (Arc::new(Shared::default()), Tasks::new());
        let spawner = tasks.spawner();
        spawner.clone().spawn(accept(listener, tls, Arc::clone(&shared), spawner));
        Self { addr, scheme, shared, _tasks: tasks }
    }

    /// Answers requests for `path` (without query) with `reply`, from now on; `*` stands for all other paths.
    pub fn on(&self, path: &str, reply: Reply) {
        self.on_request(path, move |_| reply.clone());
    }

    /// Answers requests for `path` with what `script` makes of them; `*` stands for all other paths.
    pub fn on_request(&self, path: &str, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        lock(&self.shared.scripts).insert(path.to_owned(), Arc::new(script));
    }

    /// Leaves each later connection unread for `delay` after it was accepted.
    pub fn delay_accept(&self, delay: Duration) {
        lock(&self.shared.delays).accept = delay;
    }

    /// Answers the TLS hello of each later connection only after `delay`.
    pub fn delay_tls(&self, delay: Duration) {
        lock(&self.shared.delays).tls = delay;
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of `path` by IP address.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.addr)
    }

    /// The URL of `path` by the name `host`, which the test must make resolvable.
    pub fn url_as(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.addr.port())
    }

    /// Every request so far, at most [`LOG_MAX`].
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.log).clone()
    }

    /// How many requests arrived.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// How many connections were accepted, the open ones included.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

/// Counts one open connection for as long as it lives.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>, spawner: Spawner) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: others may close some.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let open = Open::new(&shared);
        let connection =
            Connection { number, sni: None, shared: Arc::clone(&shared), spawner: spawner.clone() };
        let tls = tls.clone();
        spawner.spawn(async move {
            connection.run(stream, tls).await;
            drop(open);
        });
    }
}

struct Connection {
    number: u64,
    sni: Option<String>,
    shared: Arc<Shared>,
    spawner: Spawner,
}

impl Connection {
    async fn run(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let delays = *lock(&self.shared.delays);
        tokio::time::sleep(delays.accept).await;
        // A peer that is gone already shows when the connection is served.
        let _set = stream.set_nodelay(true);
        let Some(tls) = tls else { return self.serve(stream).await };
        tokio::time::sleep(delays.tls).await;
        if let Ok(stream) = tls.accept(stream).await {
            self.sni = stream.get_ref().1.server_name().map(str::to_owned);
            self.serve(stream).await;
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let mut builder = auto::Builder::new(self.spawner.clone());
        builder.http1().timer(TokioTimer::new());
        builder.http2().timer(TokioTimer::new());
        let connection = Arc::new(self);
        let service = service_fn(|request| {
            let connection = Arc::clone(&connection);
            async move { Ok::<_, Infallible>(connection.answer(request).await) }
        });
        // The client's fault or wish to end a connection is nothing to the server.
        let _end = builder.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<ScriptBody> {
        let at = Instant::now();
        let (head, body) = request.into_parts();
        self.shared.requests.fetch_add(1, Ordering::SeqCst);
        let Ok(body) = Limited::new(body, REQUEST_BYTES_MAX).collect().await else {
            return Reply::status(StatusCode::PAYLOAD_TOO_LARGE.as_u16()).into_response();
        };
        let seen = Seen {
            connection: self.number,
            at,
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            version: head.version,
            headers: head.headers,
            body: body.to_bytes(),
            sni: self.sni.clone(),
        };
        let reply = self.script(&seen.path).map_or_else(|| Reply::status(404), |script| script(&seen));
        self.log(seen);
        tokio::time::sleep(reply.head_delay()).await;
        reply.into_response()
    }

    fn script(&self, path: &str) -> Option<Script> {
        let scripts = lock(&self.shared.scripts);
        scripts.get(path).or_else(|| scripts.get("*")).cloned()
    }

    fn log(&self, seen: Seen) {
        let mut log = lock(&self.shared.log);
        if log.len() < LOG_MAX {
            log.push(seen);
        }
    }
}

#[cfg(test)]
mod tests;
