//! Signing in, and a question with its rows.

use std::time::Duration;

use model::outcome::{Failure, cut};
use model::step::Phase;
use tokio::io::{AsyncRead, AsyncWrite};

use super::auth::{self, CLEAR};
use super::cell::Column;
use super::greeting::{self, Greeting};
use super::packets::{Packets, Parts};
use crate::net::phases::Phases;
use crate::sql::cell::Cell;
use crate::sql::rows::Rows;
use crate::sql::session::Duplex;

/// The command that asks (`COM_QUERY`), and the one that says goodbye.
const QUERY: u8 = 3;
const QUIT: u8 = 1;
/// The most columns of an answer.
const COLUMNS_MAX: u64 = 1000;
/// The most packets of a sign-in.
const SIGN_IN_MAX: usize = 10;

/// The first bytes of packets.
const OK: u8 = 0x00;
const MORE: u8 = 0x01;
const LOCAL_FILE: u8 = 0xfb;
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// Why there is no answer.
#[derive(Debug)]
pub(in crate::sql) enum MyError {
    /// The connection broke.
    Broken(Failure),
    /// The server refused: its own number, the SQLSTATE and what it says.
    Refused(Refusal),
    /// The server sent more than it may.
    TooMuch,
    /// What came is not the protocol, and how.
    Wrong(String),
    /// The dsn lacks something that the server wants.
    Lacking(String),
}

/// What a server says when it refuses.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sql) struct Refusal {
    /// The server's own number.
    pub(in crate::sql) number: u64,
    /// Five letters and digits.
    pub(in crate::sql) state: String,
    /// A sentence.
    pub(in crate::sql) message: String,
}

impl From<Failure> for MyError {
    fn from(failure: Failure) -> Self {
        Self::Broken(failure)
    }
}

/// Who signs in to what.
#[derive(Copy, Clone, Debug)]
pub(in crate::sql) struct Login<'a> {
    pub(in crate::sql) user: &'a str,
    pub(in crate::sql) password: &'a str,
    pub(in crate::sql) database: &'a str,
}

/// A connection whose greeting was read.
pub(in crate::sql) struct Greeted<S> {
    packets: Packets<S>,
    greeting: Greeting,
}

/// A session that is signed in, in a read-only transaction.
pub(in crate::sql) struct Session<S> {
    packets: Packets<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Greeted<S> {
    /// Reads what the server says first on `stream`.
    ///
    /// # Errors
    /// It refused, or is no MySQL.
    pub(in crate::sql) async fn read(stream: S, phases: &mut Phases) -> Result<Self, MyError> {
        let mut packets = Packets::new(stream, 0);
        let packet = packets.read(phases).await?;
        if packet.first() == Some(&ERROR) {
            return Err(refusal(&packet));
        }
        let greeting = Greeting::parse(&packet);
        let greeting =
            greeting.ok_or_else(|| MyError::Wrong("its first words are no greeting".to_owned()))?;
        Ok(Self { packets, greeting })
    }

    /// The same behind a box.
    pub(in crate::sql) fn boxed(self) -> Greeted<Box<dyn Duplex>>
    where
        S: Send + 'static,
    {
        Greeted { packets: self.packets.boxed(), greeting: self.greeting }
    }

    /// Asks the server to go on in TLS; the connection is then ready for a handshake.
    ///
    /// # Errors
    /// The server does not offer it, or the connection broke.
    pub(in crate::sql) async fn request_tls(mut self, database: &str) -> Result<(S, InTls), MyError> {
        if !self.greeting.offers_tls() {
            return Err(MyError::Lacking("does not offer TLS, which the dsn requires".to_owned()));
        }
        self.packets.write(&greeting::tls_request(database)).await?;
        let (stream, number) = self
            .packets
            .into_inner()
            .ok_or_else(|| MyError::Wrong("it said more before TLS began".to_owned()))?;
        Ok((stream, InTls { greeting: self.greeting, number }))
    }

    /// Signs in, and begins a read-only transaction whose statements the server ends after `timeout`.
    ///
    /// # Errors
    /// The server refused, or the connection broke.
    pub(in crate::sql) async fn sign_in(
        self,
        login: Login<'_>,
        (tls, timeout): (bool, Duration),
        phases: &mut Phases,
    ) -> Result<Session<S>, MyError> {
        let Self { mut packets, greeting } = self;
        let first = auth::proof(&greeting.method, login.password, &greeting.nonce);
        // A method that is not known here may still give way to one that is.
        let method = if first.is_some() { greeting.method.as_str() } else { auth::NATIVE };
        let proof = first.unwrap_or_default();
        let packet = greeting::sign_in(login.user, &proof, (login.database, method), tls);
        packets.write(&packet).await?;
        phases.enter(Phase::Wait);
        prove(&mut packets, (login.password, tls), phases).await?;
        let mut session = Session { packets };
        let timeout_ms = timeout.as_millis();
        let limit = if greeting.is_mariadb() {
            format!("SET SESSION max_statement_time = {}.{:03}", timeout_ms / 1000, timeout_ms % 1000)
        } else {
            format!("SET SESSION max_execution_time = {timeout_ms}")
        };
        // Of the session, not only of the transaction: a statement that ends the transaction must not write either.
        for statement in [
            limit.as_str(),
            "SET time_zone = '+00:00'",
            "SET SESSION TRANSACTION READ ONLY",
            "START TRANSACTION READ ONLY",
        ] {
            session.ask(statement, 0, phases).await?;
        }
        Ok(session)
    }
}

/// What is known of a server while its connection is being encrypted.
pub(in crate::sql) struct InTls {
    greeting: Greeting,
    number: u8,
}

impl InTls {
    /// The same server on the encrypted connection.
    pub(in crate::sql) fn on<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) -> Greeted<S> {
        Greeted { packets: Packets::new(stream, self.number), greeting: self.greeting }
    }
}

/// Answers what the server asks until it lets us in.
async fn prove<S>(
    packets: &mut Packets<S>,
    (password, tls): (&str, bool),
    phases: &mut Phases,
) -> Result<(), MyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for _ in 0..SIGN_IN_MAX {
        let packet = packets.read(phases).await?;
        let wrong = || MyError::Wrong("what it asks in the sign-in is not known".to_owned());
        let (first, rest) = packet.split_first().ok_or_else(wrong)?;
        let answer = match *first {
            OK => return Ok(()),
            ERROR => return Err(refusal(&packet)),
            END => {
                let mut parts = Parts(rest);
                let method = String::from_utf8_lossy(parts.zero_ended().unwrap_or_default()).into_owned();
                let nonce = parts.0.strip_suffix(&[0]).unwrap_or(parts.0);
                match auth::proof(&method, password, nonce) {
                    Some(proof) => proof,
                    None if method == CLEAR && tls => auth::clear(password),
                    None => return Err(unsupported(&method)),
                }
            }
            // The server knows the password's hash already; its last word follows.
            MORE if rest == [3] => continue,
            // It wants the password itself, once.
            MORE if rest == [4] && tls => auth::clear(password),
            MORE if rest == [4] => return Err(unproved()),
            _ => return Err(wrong()),
        };
        packets.write(&answer).await?;
    }
    Err(MyError::Wrong("its sign-in does not end".to_owned()))
}

/// Without TLS one cannot tell a wrong password from one that the server has not seen since it started.
fn unproved() -> MyError {
    MyError::Lacking(
        "does not take the proof of the password, which is wrong or was not used there since the server started; \
         the password itself is only sent in TLS: write ?ssl-mode=required behind the dsn"
            .to_owned(),
    )
}

fn unsupported(method: &str) -> MyError {
    MyError::Lacking(if method == CLEAR {
        "wants the password as it is, which is only sent in TLS: write ?ssl-mode=required behind the dsn"
            .to_owned()
    } else {
        let method = cut(method.to_owned(), 60);
        format!("wants to be signed in to by {method:?}, which is not supported")
    })
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// The rows of `query`, at most `rows_limit`; takes the phases `send`, `wait` and `receive`.
    ///
    /// # Errors
    /// The server refused, or the connection broke.
    pub(in crate::sql) async fn ask(
        &mut self,
        query: &str,
        rows_limit: usize,
        phases: &mut Phases,
    ) -> Result<Rows, MyError> {
        self.packets.restart();
        phases.enter(Phase::Send);
        self.packets.write(&[&[QUERY], query.as_bytes()].concat()).await?;
        phases.enter(Phase::Wait);
        let packet = self.packets.read(phases).await?;
        let count = match packet.first() {
            Some(&OK) => return Ok(Rows::default()),
            Some(&ERROR) => return Err(refusal(&packet)),
            Some(&LOCAL_FILE) => {
                return Err(MyError::Wrong("it asks for a file of this machine".to_owned()));
            }
            _ => Parts(&packet).length().filter(|count| *count <= COLUMNS_MAX),
        };
        let count = count.ok_or_else(|| MyError::Wrong("its answer has no columns".to_owned()))?;
        let mut columns = Vec::new();
        for _ in 0..count {
            let packet = self.packets.read(phases).await?;
            let column = Column::parse(&packet);
            columns.push(column.ok_or_else(|| MyError::Wrong("a column's definition is none".to_owned()))?);
        }
        let packet = self.packets.read(phases).await?;
        if !is_end(&packet) {
            return Err(MyError::Wrong("its columns do not end".to_owned()));
        }
        self.rows(columns, rows_limit, phases).await
    }

    async fn rows(
        &mut self,
        columns: Vec<Column>,
        rows_limit: usize,
        phases: &mut Phases,
    ) -> Result<Rows, MyError> {
        let mut found = Rows::default();
        loop {
            let packet = self.packets.read(phases).await?;
            if packet.first() == Some(&ERROR) {
                return Err(refusal(&packet));
            }
            if is_end(&packet) {
                break;
            }
            if found.cells.len() == rows_limit {
                found.cut_at = Some(rows_limit);
                break;
            }
            let mut parts = Parts(&packet);
            let cells = columns.iter().map(|column| {
                if parts.0.first() == Some(&LOCAL_FILE) {
                    // In a row it stands for null.
                    parts.take(1)?;
                    return Some(Cell::Null);
                }
                parts.bytes().map(|text| column.cell(text))
            });
            let cells: Option<Vec<_>> = cells.collect();
            found
                .cells
                .push(cells.ok_or_else(|| MyError::Wrong("a row is shorter than its columns".to_owned()))?);
        }
        found.columns = columns.into_iter().map(|column| column.name).collect();
        Ok(found)
    }

    /// Says goodbye, so that the server does not log a lost connection.
    pub(in crate::sql) async fn close(mut self) {
        self.packets.restart();
        // A server that does not want to hear it is left.
        let _said = self.packets.write(&[QUIT]).await;
    }
}

fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&END) && packet.len() < 9
}

/// What an error packet says.
fn refusal(packet: &[u8]) -> MyError {
    let mut parts = Parts(packet.get(1..).unwrap_or_default());
    let Some(number) = parts.number::<2>() else { return MyError::Wrong("an error says nothing".to_owned()) };
    let (state, message) = match parts.0.strip_prefix(b"#").and_then(|rest| rest.split_at_checked(5)) {
        Some((state, message)) => (String::from_utf8_lossy(state).into_owned(), message),
        None => ("HY000".to_owned(), parts.0),
    };
    MyError::Refused(Refusal { number, state, message: String::from_utf8_lossy(message).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_as_bytes() {
        let check = |packet: &[u8]| match refusal(packet) {
            MyError::Refused(refusal) => (refusal.number, refusal.state, refusal.message),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            check(b"\xff\x15\x04#28000Access denied"),
            (1045, "28000".to_owned(), "Access denied".to_owned())
        );
        // Before the sign-in there is no SQLSTATE.
        assert_eq!(check(b"\xff\x10\x04Too many"), (1040, "HY000".to_owned(), "Too many".to_owned()));
        assert!(matches!(refusal(b"\xff"), MyError::Wrong(_)));
    }
}
