//! Names as applications on this machine see them: through the C library's `getaddrinfo`.
//!
//! The library cannot be told to stop, so a lookup that outlives its deadline goes on until the library gives up. How
//! many may do so is bounded ([`aside`](crate::net::aside)), and a run that finds no place is the prober's fault.

use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _, UdpSocket};
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use model::outcome::{Failure, FailureClass};
use model::step::Phase;

use super::server::Asking;
use crate::net::aside::{self, Undone};
use crate::net::fault;
use crate::net::phases::Phases;
use crate::net::resolve::Family;

/// Words of the C library (glibc's, then musl's) and the response code that they stand for.
const WORDS: &[(&str, ResponseCode)] = &[
    ("Name or service not known", ResponseCode::NXDomain),
    ("Name does not resolve", ResponseCode::NXDomain),
    ("No address associated with hostname", ResponseCode::NoError),
    ("Address family for hostname not supported", ResponseCode::NoError),
    ("Name has no usable address", ResponseCode::NoError),
    ("Temporary failure in name resolution", ResponseCode::ServFail),
    ("Try again", ResponseCode::ServFail),
    ("Non-recoverable failure in name resolution", ResponseCode::Refused),
    ("Unrecoverable error", ResponseCode::Refused),
];

/// How many descriptors a lookup may need at once: those of a module such as `resolve`, or one for each name server.
const SOCKETS_WANTED: usize = 4;

/// What the library says of the addresses of `name`, in its order, as if it were a reply.
///
/// Takes the phase `dns`.
///
/// # Errors
/// The deadline passed, or this machine has no room for one more lookup.
pub(super) async fn look_up(
    name: &Name,
    kind: RecordType,
    asking: Asking<'_>,
    phases: &mut Phases,
) -> Result<Message, Failure> {
    phases.enter(Phase::Dns);
    let family = if kind == RecordType::AAAA { Family::V6 } else { Family::V4 };
    let text: Arc<str> = name.to_ascii().trim_end_matches('.').into();
    let look_up = move || -> io::Result<Vec<IpAddr>> {
        Ok((&*text, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    };
    let found = match aside::LOOKUPS.run(asking.deadline(), look_up).await {
        Ok(found) => found,
        Err(Undone::Late) => return Err(timed_out(phases, asking)),
        Err(Undone::Ours(failure)) => return Err(failure),
    };
    phases.finish();
    let (code, addresses) = match found {
        Ok(found) => (ResponseCode::NoError, found),
        // Asked of the library's own error first: what was short then need not be short any more.
        Err(error) => match fault::local(&error).or_else(without_socket) {
            Some(ours) => return Err(ours),
            None => (code(&error)?, Vec::new()),
        },
    };
    Ok(message(name, code, addresses.into_iter().filter(|address| family.has(*address))))
}

/// The failure of this machine, if the library had too few sockets to ask with: it then says that there is no such name.
fn without_socket() -> Option<Failure> {
    let socket = |_| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    let wanted: io::Result<Vec<_>> = (0..SOCKETS_WANTED).map(socket).collect();
    wanted.err().and_then(|error| fault::without_socket(&error))
}

fn timed_out(phases: &Phases, asking: Asking<'_>) -> Failure {
    let slow = fault::timed_out(phases, asking.deadline());
    Failure::new(FailureClass::Dns, "dns.timeout", format!("the system's resolver: {}", slow.message))
}

fn code(error: &io::Error) -> Result<ResponseCode, Failure> {
    let text = error.to_string();
    let known = WORDS.iter().find(|(words, _)| text.contains(words)).map(|(_, code)| *code);
    known.ok_or_else(|| {
        Failure::new(FailureClass::Dns, "dns.no_answer", format!("the system's resolver failed: {text}"))
    })
}

fn message(name: &Name, code: ResponseCode, addresses: impl Iterator<Item = IpAddr>) -> Message {
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.metadata.response_code = code;
    message.add_answers(addresses.map(|address| {
        let data = match address {
            IpAddr::V4(address) => RData::A(address.into()),
            IpAddr::V6(address) => RData::AAAA(address.into()),
        };
        Record::from_rdata(name.clone(), 0, data)
    }));
    message
}
