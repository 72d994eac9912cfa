//! One question to one name server, over UDP, and over TCP if the answer was cut.
//!
//! The codec is hickory's; the socket is ours, because hickory's client sends a question up to four times
//! and has no switch for that in the resolver's options, and a hidden retry shows loss as latency. Nothing
//! here is sent twice: no retry, no cache, no search list. Only a server that knows no EDNS is asked again without it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::net::datagram;
use crate::net::owner;

/// The largest UDP answer that is asked for (RFC 9715 advises at most 1400, DNS flag day 2020 says 1232).
const PAYLOAD_BYTES_MAX: u16 = 1232;

/// The most addresses that are taken from one answer.
const ADDRESSES_MAX: usize = 32;

/// Why a name server gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The server said so with its response code.
    #[error("answered {0}")]
    Code(ResponseCode),
    /// Nothing came in time.
    #[error("did not answer within {0:?}")]
    Silent(Duration),
    /// The question or the answer did not get through.
    #[error("cannot be reached: {0}")]
    Io(#[from] io::Error),
    /// The question cannot be written down.
    #[error("cannot be asked: {0}")]
    Question(String),
}

/// Asks `server` for the addresses of `name`; an empty list means that the name has none of this type.
///
/// # Errors
/// No answer within `patience`, or one with a response code other than NOERROR.
pub(crate) async fn addresses(
    server: SocketAddr,
    name: &Name,
    record_type: RecordType,
    patience: Duration,
) -> Result<Vec<IpAddr>, AskError> {
    let asked = tokio::time::timeout(patience, ask(server, name, record_type)).await;
    let answer = asked.map_err(|_| AskError::Silent(patience))??;
    if answer.metadata.response_code != ResponseCode::NoError {
        return Err(AskError::Code(answer.metadata.response_code));
    }
    let query = Query::query(name.clone(), record_type);
    let records = owner::records(&query, &answer.answers);
    Ok(records.filter_map(|record| record.data.ip_addr()).take(ADDRESSES_MAX).collect())
}

async fn ask(server: SocketAddr, name: &Name, record_type: RecordType) -> Result<Message, AskError> {
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name.clone(), record_type));
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD_BYTES_MAX);
    question.set_edns(edns);
    let answer = ask_this(server, &question).await?;
    if !matches!(answer.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp) {
        return Ok(answer);
    }
    // A server that knows no EDNS says so in these words, and answers the plain question (RFC 6891, section 7).
    question.edns = None;
    ask_this(server, &question).await
}

async fn ask_this(server: SocketAddr, question: &Message) -> Result<Message, AskError> {
    let bytes = question.to_vec().map_err(|error| AskError::Question(error.to_string()))?;
    let answer = over_udp(server, &bytes, question).await?;
    if answer.metadata.truncation { Ok(over_tcp(server, &bytes, question).await?) } else { Ok(answer) }
}

async fn over_udp(server: SocketAddr, bytes: &[u8], question: &Message) -> io::Result<Message> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // Connected: answers from anyone else are dropped by the kernel, and "port unreachable" is an error.
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let length = datagram::receive(&socket, &mut buffer).await?;
        // Whatever does not answer this question is a stray or a forgery; the true answer may still come.
        match Message::from_vec(&buffer[..length]) {
            Ok(answer) if answers(&answer, question) => return Ok(answer),
            _ => {}
        }
    }
}

async fn over_tcp(server: SocketAddr, bytes: &[u8], question: &Message) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut framed = Vec::with_capacity(bytes.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(bytes);
    stream.write_all(&framed).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    let answer = Message::from_vec(&answer).map_err(io::Error::other)?;
    if answers(&answer, question) {
        Ok(answer)
    } else {
        Err(io::Error::other("the answer over TCP is to another question"))
    }
}

fn answers(answer: &Message, question: &Message) -> bool {
    answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        // A server that could not read the question need not repeat it.
        && (answer.queries == question.queries
            || answer.queries.is_empty() && answer.metadata.response_code != ResponseCode::NoError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_port_is_an_error_at_once() {
        let free = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let name: Name = "shop.test.".parse().unwrap();
        let asked = addresses(free, &name, RecordType::A, Duration::from_secs(30));
        let answer = tokio::time::timeout(Duration::from_secs(10), asked).await.unwrap();
        assert!(matches!(answer, Err(AskError::Io(_))), "{answer:?}");
    }
}
