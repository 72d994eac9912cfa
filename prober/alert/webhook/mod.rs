//! A webhook by Standard Webhooks 1.0 (<https://www.standardwebhooks.com>): signed, with an id that stays over tries.

mod deliver;
mod encode;
mod sign;
#[cfg(test)]
mod tests;

use crate::{ReceiverKind, Told};

/// The line of the table.
pub(crate) const KIND: ReceiverKind =
    ReceiverKind { name: "webhook", told: Told::Changes, build: deliver::build };
