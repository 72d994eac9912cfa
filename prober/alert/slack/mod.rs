//! Slack, by an incoming webhook: one message when an alert fires, one when it has ended.
//!
//! An incoming webhook can neither change a message nor answer in its thread: both need a bot's token.

mod deliver;
mod encode;
#[cfg(test)]
mod tests;

use crate::{ReceiverKind, Told};

/// The line of the table.
pub(crate) const KIND: ReceiverKind =
    ReceiverKind { name: "slack", told: Told::Changes, build: deliver::build };
