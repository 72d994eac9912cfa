//! Connections to brokers: a request and its answer, one after the other.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::wire::{Reader, Writer};
use crate::socket::{self, Wire};

/// How brokers are reached, and who we are to them.
pub(super) struct Access {
    /// `None` in the clear.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// User and password for SASL's mechanism PLAIN.
    pub(super) login: Option<(String, String)>,
    pub(super) client: String,
}

/// A kind of request, in the version that is spoken: all of them are known from Kafka 1.0 to 4.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Api(i16, i16);

pub(super) const PRODUCE: Api = Api(0, 3);
pub(super) const METADATA: Api = Api(3, 4);
pub(super) const SASL_HANDSHAKE: Api = Api(17, 1);
pub(super) const INIT_PRODUCER_ID: Api = Api(22, 0);
pub(super) const SASL_AUTHENTICATE: Api = Api(36, 0);

/// The largest answer that is read, in bytes: metadata of a topic with thousands of partitions.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A connection to one broker, signed in.
pub(super) struct Connection {
    wire: Box<dyn Wire>,
    client: String,
    correlation: i32,
}

pub(super) fn broken(why: impl Into<String>) -> io::Error {
    io::Error::other(why.into())
}

/// An answer that ends too early or says what cannot be.
pub(super) fn not_kafka() -> io::Error {
    broken("the broker does not keep to the protocol")
}

impl Connection {
    /// Connects and signs in. Dropping the future leaves nothing behind.
    ///
    /// # Errors
    /// No connection, no TLS, or the broker does not let us in.
    pub(super) async fn open((host, port): (&str, u16), access: &Access) -> io::Result<Self> {
        let tcp = socket::open(host, port).await?;
        let wire: Box<dyn Wire> = match &access.tls {
            Some(tls) => socket::secure(tcp, host, tls).await?,
            None => Box::new(tcp),
        };
        let mut made = Self { wire, client: access.client.clone(), correlation: 0 };
        if let Some((user, password)) = &access.login {
            made.sign_in(user, password).await?;
        }
        Ok(made)
    }

    async fn sign_in(&mut self, user: &str, password: &str) -> io::Result<()> {
        let mut request = Writer::default();
        request.text("PLAIN");
        let answer = self.call(SASL_HANDSHAKE, &request.0).await?;
        if Reader(&answer).i16().ok_or_else(not_kafka)? != 0 {
            return Err(broken("the broker knows no signing in by PLAIN"));
        }
        let mut request = Writer::default();
        request.bytes(format!("\0{user}\0{password}").as_bytes());
        let answer = self.call(SASL_AUTHENTICATE, &request.0).await?;
        let mut answer = Reader(&answer);
        match answer.i16().ok_or_else(not_kafka)? {
            0 => Ok(()),
            code => {
                let why = answer.text().unwrap_or_default();
                let why: String = why.chars().filter(|letter| !letter.is_control()).take(200).collect();
                Err(broken(format!("the broker does not let us in (error {code}): {why}")))
            }
        }
    }

    /// Sends a request and gives the body of its answer.
    ///
    /// # Errors
    /// The connection broke, or the answer is none to this request; the connection is of no use any more.
    pub(super) async fn call(&mut self, Api(key, version): Api, body: &[u8]) -> io::Result<Vec<u8>> {
        self.correlation = self.correlation.wrapping_add(1);
        let mut request = Writer::default();
        request.i16(key);
        request.i16(version);
        request.i32(self.correlation);
        request.text(&self.client);
        request.0.extend_from_slice(body);
        let mut framed = Writer::default();
        framed.bytes(&request.0);
        self.wire.write_all(&framed.0).await?;
        self.wire.flush().await?;
        let length = usize::try_from(self.wire.read_i32().await?).map_err(|_| not_kafka())?;
        if !(4..=ANSWER_BYTES_MAX).contains(&length) {
            return Err(not_kafka());
        }
        let mut answer = vec![0; length];
        self.wire.read_exact(&mut answer).await?;
        if Reader(&answer).i32() != Some(self.correlation) {
            return Err(not_kafka());
        }
        Ok(answer.split_off(4))
    }
}
