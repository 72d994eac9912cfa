//! The kind `websocket`: does the handshake succeed, and does the server say what it should?
//!
//! ```yaml
//! websocket: { url: wss://live.example/prices, send: "subscribe", messages: 1 }
//! expect: { message: { contains: price } }
//! ```
//!
//! The handshake is ours, over hyper on a connection of our own dialling, so that its phases are those of an HTTP
//! request; the frames are tungstenite's. `send` says something and waits for as many messages as were sent;
//! `exchange` goes round by round, each until a message matches. Then the connection is closed in good order. The
//! handshake is a hop, and so is each round. Deliberately absent: extensions, redirects, reconnecting.
//!
//! | file | holds |
//! | --- | --- |
//! | [`file`] | keys, subjects, and how they become an action |
//! | [`url`] | a URL with ws:// or wss:// |
//! | [`handshake`] | from a connection to a WebSocket |
//! | [`run`] | the action |
//! | [`talk`] | messages, said and heard within limits |
//! | [`closes`] | the code of a close as it came |
//! | [`evidence`] | what assertions look at |

mod evidence;
mod file;
mod frames;
mod handshake;
mod run;
mod talk;
mod url;

#[cfg(test)]
mod tests;

use scenario::kind::Kind;

use crate::net::shared::Net;

/// The kind `websocket`.
pub(crate) const KIND: Kind<Net> = Kind {
    name: "websocket",
    summary: "opens a WebSocket, and says and hears messages on it",
    keys: file::KEYS,
    short: Some(file::short),
    subjects: file::SUBJECTS,
    implied: &[],
    classify: file::classify,
    compile: file::compile,
};
