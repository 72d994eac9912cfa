//! The conversation with the server, its bytes counted and its moments noted.
//!
//! The client's connection is a future; it is polled here, inside the run, together with what waits for it.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_core::Stream as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Connection, Error, NoTls};

use super::cell::Cell;
use super::framing::Framing;
use super::rows::Rows;
use crate::net::followed::{Break, Follow, Followed};

/// The most bytes that a server may send in one run.
const RECEIVED_MAX: u64 = 4 * 1024 * 1024;

/// A connection, encrypted or not.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// What was seen on the connection.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// When bytes were last written before the first answer.
    pub(super) sent: Option<Instant>,
    /// When the first bytes came after that.
    pub(super) answered: Option<Instant>,
    /// Whether the server sent more than it may.
    pub(super) too_much: bool,
    received: u64,
    framing: Framing,
}

impl Marks {
    /// Starts anew with the next question; what was received still counts.
    fn forget_moments(&mut self) {
        (self.sent, self.answered) = (None, None);
    }
}

/// Notes the moments of a connection and bounds what comes in.
struct Tap(Arc<Mutex<Marks>>);

/// What the client speaks on.
type Wire = Followed<Box<dyn Duplex>, Tap>;

impl Follow for Tap {
    fn came(&mut self, bytes: &[u8]) -> Result<(), Break> {
        let mut marks = lock(&self.0);
        marks.received += bytes.len() as u64;
        let allowed = marks.framing.allows(bytes, RECEIVED_MAX);
        if marks.sent.is_some() && marks.answered.is_none() {
            marks.answered = Some(Instant::now());
        }
        let error = if !allowed && marks.framing.is_first() {
            let error = "its first message would be longer than 4 MiB";
            io::Error::new(io::ErrorKind::InvalidData, error)
        } else if marks.received > RECEIVED_MAX || !allowed {
            marks.too_much = true;
            io::Error::other("the answer is too long")
        } else {
            return Ok(());
        };
        Err(Break { passed: 0, error })
    }

    fn went(&mut self) {
        let mut marks = lock(&self.0);
        if marks.answered.is_none() {
            marks.sent = Some(Instant::now());
        }
    }
}

/// A session that is signed in, in a read-only transaction.
pub(super) struct Session {
    client: Client,
    connection: Connection<Wire, NoTlsStream>,
    marks: Arc<Mutex<Marks>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct SessionError {
    /// What the client says.
    pub(super) error: Error,
    /// Whether the server sent more than it may.
    pub(super) too_much: bool,
}

impl Session {
    /// Signs in over `stream` and begins a read-only transaction whose statements end after `timeout`.
    ///
    /// # Errors
    /// The server refused, or does not speak its protocol.
    pub(super) async fn open(
        stream: Box<dyn Duplex>,
        config: &Config,
        timeout: Duration,
    ) -> Result<Self, SessionError> {
        let marks = Arc::new(Mutex::new(Marks::default()));
        let wire = Followed::new(stream, Tap(Arc::clone(&marks)));
        let opened = config.connect_raw(wire, NoTls).await;
        let (client, connection) = opened.map_err(|error| SessionError::new(error, &marks))?;
        let mut session = Self { client, connection, marks };
        // Zero would mean "no limit" to the server.
        let timeout_ms = timeout.as_millis().max(1);
        let begin = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {timeout_ms}");
        let Self { client, connection, marks } = &mut session;
        drive(connection, client.batch_execute(&begin))
            .await
            .map_err(|error| SessionError::new(error, marks))?;
        lock(&session.marks).forget_moments();
        Ok(session)
    }

    /// The rows of `query`, at most `rows_limit`.
    ///
    /// # Errors
    /// The server refused, or the connection broke.
    pub(super) async fn ask(&mut self, query: &str, rows_limit: usize) -> Result<Rows, SessionError> {
        let Self { client, connection, marks } = self;
        let asked = drive(connection, read_rows(client, query, rows_limit)).await;
        asked.map_err(|error| SessionError::new(error, marks))
    }

    /// When the query was written and when its answer began.
    pub(super) fn moments(&self) -> (Option<Instant>, Option<Instant>) {
        let marks = lock(&self.marks);
        (marks.sent, marks.answered)
    }

    /// Says goodbye, so that the server does not log a broken connection.
    pub(super) async fn close(self) {
        let Self { client, connection, .. } = self;
        // The connection ends by itself, politely, once its client is gone.
        drop(client);
        // A server that does not want to hear it is left.
        let _end = connection.await;
    }
}

impl SessionError {
    fn new(error: Error, marks: &Mutex<Marks>) -> Self {
        Self { error, too_much: lock(marks).too_much }
    }
}

async fn read_rows(client: &Client, query: &str, rows_limit: usize) -> Result<Rows, Error> {
    let parameters = std::iter::empty::<(&(dyn ToSql + Sync), Type)>();
    let mut stream = pin!(client.query_typed_raw(query, parameters).await?);
    let mut found = Rows::default();
    while let Some(row) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        let row = row?;
        if found.cells.is_empty() {
            found.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
        }
        if found.cells.len() == rows_limit {
            found.cut_at = Some(rows_limit);
            break;
        }
        let cells = (0..row.len()).map(|index| row.try_get::<_, Cell>(index));
        found.cells.push(cells.collect::<Result<_, _>>()?);
    }
    Ok(found)
}

/// The value of `work`, which waits for what `connection` reads.
async fn drive<T>(
    connection: &mut Connection<Wire, NoTlsStream>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|context| {
        // First the work, so that what it asks for goes out in this turn; then once more for what came in.
        if let Poll::Ready(value) = work.as_mut().poll(context) {
            return Poll::Ready(value);
        }
        let broken = match Pin::new(&mut *connection).poll(context) {
            Poll::Ready(Err(error)) => Some(error),
            _ => None,
        };
        match (work.as_mut().poll(context), broken) {
            // The connection's own error says more than "closed".
            (Poll::Ready(Err(error)), Some(broken)) if error.is_closed() => Poll::Ready(Err(broken)),
            (Poll::Pending, Some(broken)) => Poll::Ready(Err(broken)),
            (polled, _) => polled,
        }
    })
    .await
}

fn lock(marks: &Mutex<Marks>) -> MutexGuard<'_, Marks> {
    marks.lock().unwrap_or_else(PoisonError::into_inner)
}
