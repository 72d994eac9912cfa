//! Whether a request that failed may be sent once more, and how.

use super::connect::Manner;
use super::fault;
use super::request::{Ready, Version};
use super::session::Connection;
use crate::net::shared::Net;

/// What a request allows.
#[derive(Copy, Clone, Debug)]
pub(super) struct Repeat {
    /// Whether the connection was open before.
    reused: bool,
    /// Whether the request may reach the server twice.
    twice: bool,
    /// Whether it may go over HTTP/1.1 in place of HTTP/2.
    in_h1: bool,
}

/// How it is sent once more, on a fresh connection.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Anew {
    /// As it was: the server had closed the connection, or did nothing with it.
    Alike,
    /// Over HTTP/1.1, as the server wants it (RFC 9113, section 7).
    InH1,
}

impl Anew {
    /// What ended the first attempt.
    pub(super) const fn ended_by(self) -> &'static str {
        match self {
            Self::Alike => "connect.closed",
            Self::InH1 => "http.protocol",
        }
    }
}

impl Repeat {
    /// What this request allows on this connection; `None` if it is sent once, come what may.
    pub(super) fn of(
        (net, ready): (&Net, &Ready),
        manner: &Manner,
        (connection, reused): (&Connection, bool),
    ) -> Option<Self> {
        // Also what may be done twice is not, where the author says so.
        let twice = if net.sends_once() { ready.method.is_safe() } else { ready.method.is_idempotent() };
        let in_h1 = connection.speaker.is_h2() && manner.version == Version::Auto;
        let may = (reused || in_h1) && (twice || !net.sends_once());
        may.then_some(Self { reused, twice, in_h1 })
    }

    /// How it is sent once more after `error` on this connection, if it is.
    pub(super) fn after(self, error: &hyper::Error, connection: &Connection) -> Option<Anew> {
        let is_gone = || fault::is_gone(error) && connection.marks.first_read().is_none();
        if self.in_h1 && fault::wants_h1(error) {
            Some(Anew::InH1)
        } else if self.reused && (self.twice && is_gone() || fault::is_unprocessed(error)) {
            Some(Anew::Alike)
        } else {
            None
        }
    }
}
