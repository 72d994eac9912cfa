//! Alertmanager, API v2: every member of a cluster is told how things stand, as Prometheus tells it.
//!
//! An alert that fires is sent with an end that lies four sendings ahead, so that it ends by itself if nobody tells it
//! any more; one that has ended is sent with its end for a while.

mod deliver;
mod encode;
#[cfg(test)]
mod tests;

use crate::{ReceiverKind, Told};

/// The line of the table.
pub(crate) const KIND: ReceiverKind =
    ReceiverKind { name: "alertmanager", told: Told::Standing, build: deliver::build };
