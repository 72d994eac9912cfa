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
use crate::net::tls::words;

/// The `error.type` of a missing secret.
pub(crate) const SECRET: &str = "local.secret";
/// The `error.type` of something else that the prober's environment lacks, such as a CA file.
pub(crate) const CONFIG: &str = "local.config";
/// The `error.type` of a step whose captures are not there; the flow turns it into a skipped step.
pub(crate) const CAPTURE: &str = "local.capture";
/// A value that the target gave earlier cannot be used for what it was taken for.
pub(crate) const UNUSABLE: &str = "assert.capture";
/// The `error.type` of a broken promise between our own parts.
pub(crate) const BUG: &str = "local.bug";
/// The `error.type` of an address family that this machine does not have.
const FAMILY: &str = "local.family";
/// The `error.type` of a peer that this machine has no way to.
const ROUTE: &str = "local.route";

/// The `error.type` of what this machine's rules forbid.
const DENIED: &str = "local.denied";

/// The errors of this machine and the `error.type` of each.
const LOCAL: &[(Errno, &str)] = &[
    (Errno::MFILE, "local.fd"),
    (Errno::NFILE, "local.fd"),
    (Errno::ADDRNOTAVAIL, "local.ports"),
    (Errno::ADDRINUSE, "local.ports"),
    (Errno::NOBUFS, "local.memory"),
    (Errno::NOMEM, "local.memory"),
    (Errno::PERM, DENIED),
    (Errno::ACCESS, DENIED),
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

/// The failure of class `local`, if an `error` on the way to `peer` arose on this machine.
///
/// A router far away may say with the same errno that it has no way, or that its rules forbid it. Only the kernel's own
/// table tells which of the two it was: a datagram socket is connected, which looks the way up and sends nothing.
pub(crate) fn on_the_way(error: &io::Error, peer: SocketAddr) -> Option<Failure> {
    let code = error.raw_os_error()?;
    let is = |errno: Errno| errno.raw_os_error() == code;
    if is(Errno::HOSTUNREACH) || is(Errno::NETUNREACH) {
        return (!has_route(peer)).then(|| no_route(peer, "has no route to"));
    }
    // ICMPv6 brings "administratively prohibited" as EACCES (RFC 4443, section 3.1); ICMP for IPv4 never does.
    if is(Errno::ACCESS) && peer.is_ipv6() && has_route(peer) {
        return None;
    }
    // A blackhole route, or an address that holds for one interface only and does not say for which.
    if is(Errno::INVAL) {
        return Some(no_route(peer, "has no usable route to"));
    }
    without_socket(error).or_else(|| local(error))
}

/// The failure of class `local`, if this machine had no socket or no port to ask with.
pub(crate) fn without_socket(error: &io::Error) -> Option<Failure> {
    let code = error.raw_os_error()?;
    // Connecting binds to a free port, which is where datagram sockets learn that there is none.
    if code == Errno::AGAIN.raw_os_error() {
        let message = "the prober's machine has no free port left";
        return Some(Failure::new(FailureClass::Local, "local.ports", message));
    }
    let is_lack = [Errno::MFILE, Errno::NFILE, Errno::ADDRINUSE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| errno.raw_os_error() == code);
    is_lack.then(|| local(error)).flatten()
}

/// Whether this machine has no descriptor or no memory left, so that what `error` stopped says nothing of anything else.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    local(error).is_some_and(|failure| matches!(&*failure.error_type, "local.fd" | "local.memory"))
}

fn no_route(peer: SocketAddr, what: &str) -> Failure {
    Failure::new(FailureClass::Local, ROUTE, format!("the prober's machine {what} {}", peer.ip()))
}

/// Whether this machine has a way to `peer`; nothing is sent.
pub(crate) fn has_route(peer: SocketAddr) -> bool {
    look_for_way(peer).is_ok()
}

/// Looks for a way to `peer`, which sends nothing.
///
/// # Errors
/// There is none, or the system has no socket to ask with.
pub(crate) fn look_for_way(peer: SocketAddr) -> io::Result<()> {
    let any: IpAddr =
        if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(peer))
}

/// The failure of a connection attempt to `peer`.
pub(crate) fn of_connect(error: &io::Error, peer: SocketAddr) -> Failure {
    on_the_way(error, peer).unwrap_or_else(|| of_attempt(error, peer))
}

/// The same where the error is known not to be of this machine; `shown` is what people know the peer by.
pub(crate) fn of_attempt(error: &io::Error, shown: impl Display) -> Failure {
    let (error_type, what) = match error.kind() {
        io::ErrorKind::ConnectionRefused => ("connect.refused", "refused the connection"),
        io::ErrorKind::TimedOut => ("connect.timeout", "did not answer the connection attempt"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            ("connect.unreachable", "cannot be reached")
        }
        io::ErrorKind::PermissionDenied => ("connect.unreachable", "is behind a router that forbids it"),
        _ => ("connect.reset", "broke off the connection attempt"),
    };
    Failure::new(FailureClass::Connect, error_type, format!("{shown} {what}"))
}

/// The failure of a connection that the server ended with an alert of TLS, if `error` is that.
///
/// In TLS 1.3 a server looks at the client's certificate after the handshake.
pub(crate) fn alerted(error: &io::Error) -> Option<Failure> {
    if error.kind() != io::ErrorKind::InvalidData {
        return None;
    }
    // HTTP/2 passes on only the text of an error.
    let text = error.to_string();
    let alert = words::of_alert_named(text.strip_prefix("received fatal alert: ")?);
    let message = format!("the server ended the TLS connection with the alert {alert}");
    Some(Failure::new(FailureClass::Tls, "tls.handshake", message))
}

/// The failure of a connection that broke while `doing` something, such as "reading the answer".
pub(crate) fn of_io(error: &io::Error, doing: &str) -> Failure {
    local(error).or_else(|| alerted(error)).unwrap_or_else(|| {
        let message = match error.kind() {
            io::ErrorKind::ConnectionReset => format!("the connection was reset while {doing}"),
            io::ErrorKind::UnexpectedEof => format!("the server closed the connection while {doing}"),
            _ => format!("the connection broke while {doing}: {}", words::of_io(error)),
        };
        Failure::new(FailureClass::Connect, "connect.reset", message)
    })
}

/// The failure of datagrams to `peer`, which ICMP refused or this machine could not send; pings have port 0.
pub(crate) fn of_datagram(error: &io::Error, peer: SocketAddr) -> Failure {
    // A way is one to a host, whatever the port.
    let way = SocketAddr::new(peer.ip(), peer.port().max(1));
    on_the_way(error, way).unwrap_or_else(|| {
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
        (_, "connect.unreachable") => 1,
        // What this machine's rules forbid for one address says nothing of what another one showed.
        (FailureClass::Local, DENIED) => 2,
        (FailureClass::Local, _) => 4,
        _ => 3,
    }
}

/// The failure of a template that cannot be filled.
pub(crate) fn unresolved(error: &Unresolved) -> Failure {
    let (class, error_type) = match error {
        Unresolved::Secret(_) => (FailureClass::Local, SECRET),
        Unresolved::Capture(_) => (FailureClass::Local, CAPTURE),
        Unresolved::Null(_) => (FailureClass::Incorrect, UNUSABLE),
    };
    Failure::new(class, error_type, error.to_string())
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
        Failure::new(FailureClass::Incorrect, UNUSABLE, message)
    } else {
        config(what)
    }
}

/// The failure of a deadline that passed in `phases`' current phase, for the step that began at its origin; what was
/// settled before stays.
pub(crate) fn timed_out(phases: &Phases, deadline: Instant) -> Failure {
    let late = || timed_out_in(phases.current(), deadline.saturating_duration_since(phases.origin()));
    phases.settled().unwrap_or_else(late)
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
            (Errno::AGAIN, FailureClass::Local, "local.ports"),
            (Errno::INVAL, FailureClass::Local, "local.route"),
        ] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            // There is always a way to this machine itself.
            let failure = of_connect(&error, "127.0.0.1:80".parse().unwrap());
            assert_eq!((failure.class, &*failure.error_type), (class, error_type), "{error}");
        }
    }

    #[test]
    fn a_router_that_forbids_is_not_this_machine() {
        let forbidden = io::Error::from_raw_os_error(Errno::ACCESS.raw_os_error());
        let refused = io::Error::from_raw_os_error(Errno::CONNREFUSED.raw_os_error());
        let [v4, v6] = ["127.0.0.1:80", "[::1]:80"].map(|peer| peer.parse().unwrap());
        let far = of_connect(&forbidden, v6);
        assert_eq!((far.class, &*far.error_type), (FailureClass::Connect, "connect.unreachable"));
        assert_eq!(&*of_datagram(&forbidden, v6).error_type, "connect.unreachable");
        // A rule of this machine for one address does not outweigh what another one showed.
        assert!(weight(&of_connect(&refused, v6)) > weight(&of_connect(&forbidden, v4)));
        assert!(weight(&of_connect(&refused, v4)) > weight(&far));
    }

    #[test]
    fn an_alert_is_of_tls_and_not_of_the_connection() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let failure = of_io(&io::Error::new(io::ErrorKind::InvalidData, alert), "reading the answer");
        assert_eq!((failure.class, &*failure.error_type), (FailureClass::Tls, "tls.handshake"));
        let expected = "the server ended the TLS connection with the alert certificate_required: it wants a \
                        certificate of the client";
        assert_eq!(failure.message, expected);
    }

    #[test]
    fn a_timeout_names_what_was_going_on() {
        let failure = timed_out_in(Some(Phase::Tls), Duration::from_micros(1_999_980));
        assert_eq!(failure.message, "still in the TLS handshake after 2s");
        assert_eq!(&*failure.error_type, "timeout");
    }
}
