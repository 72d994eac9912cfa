//! From an operating system's error to a failure: by where it arose, ours or the target's.
//!
//! An errno that means "this machine lacks something" is class `local` whatever it interrupted, and never
//! counts against a target. `local.config` and `local.secret` say that the prober's environment lacks
//! something the scenario needs.

use std::fmt::Display;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use model::outcome::{Failure, FailureClass};
use model::step::Phase;
use rustix::io::Errno;
use scenario::template::{Hole, Part, Template, Unresolved};

use crate::net::phases::Phases;

/// The `error.type` of a missing secret.
pub(crate) const SECRET: &str = "local.secret";
/// The `error.type` of something else that the prober's environment lacks, such as a CA file.
pub(crate) const CONFIG: &str = "local.config";
/// The `error.type` of a step whose captures are not there; the flow turns it into a skipped step.
pub(crate) const CAPTURE: &str = "local.capture";
/// The `error.type` of a broken promise between our own parts.
pub(crate) const BUG: &str = "local.bug";
/// The `error.type` of an address family that this machine does not have.
const FAMILY: &str = "local.family";
/// The `error.type` of a peer that this machine has no way to.
const ROUTE: &str = "local.route";

/// The errors of this machine and the `error.type` of each.
const LOCAL: &[(Errno, &str)] = &[
    (Errno::MFILE, "local.fd"),
    (Errno::NFILE, "local.fd"),
    (Errno::ADDRNOTAVAIL, "local.ports"),
    (Errno::ADDRINUSE, "local.ports"),
    (Errno::NOBUFS, "local.memory"),
    (Errno::NOMEM, "local.memory"),
    (Errno::PERM, "local.denied"),
    (Errno::ACCESS, "local.denied"),
    (Errno::NETDOWN, ROUTE),
    (Errno::NODEV, ROUTE),
    (Errno::NOSR, "local.memory"),
    (Errno::AFNOSUPPORT, FAMILY),
];

/// The failure of class `local`, if `error` arose on this machine.
pub(crate) fn local(error: &io::Error) -> Option<Failure> {
    let code = error.raw_os_error()?;
    let (_, error_type) = LOCAL.iter().find(|(errno, _)| errno.raw_os_error() == code)?;
    Some(Failure::new(FailureClass::Local, *error_type, format!("the prober's machine refused: {error}")))
}

/// The failure of class `local`, if `peer` could not be reached because this machine has no way to it.
///
/// A router far away may say that it has none either, and with the same errno. Only the kernel's own table
/// tells which of the two it was: a datagram socket is connected, which looks the way up and sends nothing.
pub(crate) fn no_route(error: &io::Error, peer: SocketAddr) -> Option<Failure> {
    let unreachable =
        matches!(error.kind(), io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable);
    (unreachable && !has_route(peer)).then(|| {
        Failure::new(
            FailureClass::Local,
            ROUTE,
            format!("the prober's machine has no route to {}", peer.ip()),
        )
    })
}

/// Whether this machine has a way to `peer`; nothing is sent.
pub(crate) fn has_route(peer: SocketAddr) -> bool {
    let any: IpAddr =
        if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(peer)).is_ok()
}

/// The failure of a connection attempt to `peer`.
pub(crate) fn of_connect(error: &io::Error, peer: SocketAddr) -> Failure {
    no_route(error, peer).unwrap_or_else(|| of_attempt(error, peer))
}

/// The same where there is a way, or the peer is known by its name only.
pub(crate) fn of_attempt(error: &io::Error, peer: impl Display) -> Failure {
    local(error).unwrap_or_else(|| {
        let (error_type, what) = match error.kind() {
            io::ErrorKind::ConnectionRefused => ("connect.refused", "refused the connection"),
            io::ErrorKind::TimedOut => ("connect.timeout", "did not answer the connection attempt"),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                ("connect.unreachable", "cannot be reached")
            }
            _ => ("connect.reset", "broke off the connection attempt"),
        };
        Failure::new(FailureClass::Connect, error_type, format!("{peer} {what}"))
    })
}

/// The failure of a connection that broke while `doing` something, such as "reading the answer".
pub(crate) fn of_io(error: &io::Error, doing: &str) -> Failure {
    local(error).unwrap_or_else(|| {
        let message = match error.kind() {
            io::ErrorKind::ConnectionReset => format!("the connection was reset while {doing}"),
            io::ErrorKind::UnexpectedEof => format!("the server closed the connection while {doing}"),
            _ => format!("the connection broke while {doing}: {error}"),
        };
        Failure::new(FailureClass::Connect, "connect.reset", message)
    })
}

/// The failure of datagrams to `peer`, which ICMP refused or this machine could not send; pings have port 0.
pub(crate) fn of_datagram(error: &io::Error, peer: SocketAddr) -> Failure {
    // A way is one to a host, whatever the port.
    let way = SocketAddr::new(peer.ip(), peer.port().max(1));
    local(error).or_else(|| no_route(error, way)).unwrap_or_else(|| {
        let peer = if peer.port() == 0 { peer.ip().to_string() } else { peer.to_string() };
        if error.kind() == io::ErrorKind::ConnectionRefused {
            let why = "nobody listens there (ICMP port unreachable)";
            let message = format!("{peer} refused the datagram: {why}");
            return Failure::new(FailureClass::Connect, "connect.refused", message);
        }
        let message = format!("{peer} cannot be reached: {error}");
        Failure::new(FailureClass::Connect, "connect.unreachable", message)
    })
}

/// How much of a run's addresses' evidence a failure carries; the greatest is shown for several addresses.
pub(crate) fn weight(failure: &Failure) -> u8 {
    match (failure.class, &*failure.error_type) {
        (FailureClass::Local, FAMILY | ROUTE) => 0,
        (FailureClass::Local, _) => 3,
        (_, "connect.unreachable") => 1,
        _ => 2,
    }
}

/// The failure of a template that cannot be filled.
pub(crate) fn unresolved(error: &Unresolved) -> Failure {
    match error.0.strip_prefix("secrets.") {
        Some(name) => Failure::new(FailureClass::Local, SECRET, format!("the secret `{name}` is not there")),
        None => Failure::new(FailureClass::Local, CAPTURE, error.to_string()),
    }
}

/// The failure of an environment that lacks what a scenario needs.
pub(crate) fn config(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Local, CONFIG, message)
}

/// A filled template that cannot stand where it is: the target's fault if a capture filled it, else ours.
pub(crate) fn unusable(template: &Template, what: &str) -> Failure {
    let captured = template.parts().iter().any(|part| matches!(part, Part::Hole(Hole::Capture(_), _)));
    if captured {
        let message = format!("a captured value cannot be used: {what}");
        Failure::new(FailureClass::Incorrect, "assert.capture", message)
    } else {
        config(what)
    }
}

/// The failure of a deadline that passed in `phases`' current phase, for the step that began at its origin.
pub(crate) fn timed_out(phases: &Phases, deadline: Instant) -> Failure {
    timed_out_in(phases.current(), deadline.saturating_duration_since(phases.origin()))
}

/// The failure of a step that was given `limit` and was still in `phase`.
pub(crate) fn timed_out_in(phase: Option<Phase>, limit: Duration) -> Failure {
    let doing = match phase {
        Some(Phase::Dns) => "looking up the name",
        Some(Phase::Connect) => "connecting",
        Some(Phase::Tls | Phase::Handshake) => "in the TLS handshake",
        Some(Phase::Send) => "sending the request",
        Some(Phase::Wait) => "waiting for the answer",
        Some(Phase::Receive) => "reading the answer",
        None => "running",
    };
    // Fractions below a millisecond come from the clock, not from the file.
    let limit = Duration::from_millis(
        u64::try_from((limit + Duration::from_micros(500)).as_millis()).unwrap_or(u64::MAX),
    );
    Failure::new(FailureClass::Timeout, "timeout", format!("still {doing} after {limit:?}"))
}

/// The value of `future`, or `None` once `deadline` has passed.
pub(crate) async fn within<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    tokio::time::timeout_at(deadline.into(), future).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_belongs_to_where_it_arose() {
        for (errno, class, error_type) in [
            (Errno::MFILE, FailureClass::Local, "local.fd"),
            (Errno::NFILE, FailureClass::Local, "local.fd"),
            (Errno::ADDRNOTAVAIL, FailureClass::Local, "local.ports"),
            (Errno::NOBUFS, FailureClass::Local, "local.memory"),
            (Errno::NOMEM, FailureClass::Local, "local.memory"),
            (Errno::PERM, FailureClass::Local, "local.denied"),
            (Errno::CONNREFUSED, FailureClass::Connect, "connect.refused"),
            (Errno::CONNRESET, FailureClass::Connect, "connect.reset"),
            (Errno::TIMEDOUT, FailureClass::Connect, "connect.timeout"),
            (Errno::HOSTUNREACH, FailureClass::Connect, "connect.unreachable"),
            (Errno::NETUNREACH, FailureClass::Connect, "connect.unreachable"),
            (Errno::NETDOWN, FailureClass::Local, "local.route"),
            (Errno::ACCESS, FailureClass::Local, "local.denied"),
        ] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            // There is always a way to this machine itself.
            let failure = of_connect(&error, "127.0.0.1:80".parse().unwrap());
            assert_eq!((failure.class, &*failure.error_type), (class, error_type), "{error}");
        }
    }

    #[test]
    fn a_timeout_names_what_was_going_on() {
        let failure = timed_out_in(Some(Phase::Tls), Duration::from_micros(1_999_980));
        assert_eq!(failure.message, "still in the TLS handshake after 2s");
        assert_eq!(&*failure.error_type, "timeout");
    }
}
