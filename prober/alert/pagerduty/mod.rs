//! PagerDuty, Events API v2: an incident for each alert, ended when the alert ends.

mod deliver;
mod encode;
#[cfg(test)]
mod tests;

use crate::{ReceiverKind, Told};

/// The line of the table.
pub(crate) const KIND: ReceiverKind =
    ReceiverKind { name: "pagerduty", told: Told::Changes, build: deliver::build };
