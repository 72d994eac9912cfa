//! From a change of an alert to a receiver that has accepted it.
//!
//! ```text
//! evaluator ──► deliveries() ──► store's outbox ──► one Outlet a receiver ──► Receiver::deliver
//! ```
//!
//! A change waits in the outbox until its receiver has it. Each receiver has a task, an [`Outlet`], with its own pace:
//! a dead one holds nobody up. Queue, order, waits, escalation and counters are the outlet's; a [`Receiver`] only says
//! *done*, *retry*, *reject* or *gone*. A new kind of receiver is a folder here and one line in [`RECEIVERS`].
//!
//! Every route of an alert's list gets each change. If one does not take a page in time, the next route of the list is
//! told that, so that a page is never lost in silence.
//!
//! Deliberately absent: deciding whether something is an alert, which is `slo`'s; and where routes are written down.

use std::fmt;
use std::sync::Arc;

use model::probe::BoxFuture;
use model::time::Timestamp;
use post::Client;
use url::Url;

mod alertmanager;
mod answer;
mod notice;
mod outlet;
mod pace;
mod pagerduty;
mod slack;
mod stats;
mod text;
mod webhook;

#[cfg(test)]
mod sample;

pub use answer::Delivery;
pub use notice::{Notice, Undelivered, Unreadable, deliveries};
pub use outlet::{Outlet, OutletConfig};
pub use pace::Pace;
pub use stats::RouteStats;
pub use text::{description, headline, summary};

/// Every kind of receiver, in the order of their names; the names are those of the project file's kinds of routes.
pub static RECEIVERS: &[ReceiverKind] = &[alertmanager::KIND, pagerduty::KIND, slack::KIND, webhook::KIND];

/// Delivers notices to one place; no queue, no waits, no memory of what it has delivered.
pub trait Receiver: Send + Sync {
    /// Where it delivers to, for people: scheme, host and port, since the rest of the URL may be a secret.
    fn place(&self) -> &str;

    /// Delivers the notices once, all or none. The same ones may come again after a crash or a time-out.
    ///
    /// Dropping the future must leave the receiver usable.
    fn deliver<'a>(&'a mut self, notices: &'a [Notice], now: Timestamp) -> BoxFuture<'a, Delivery>;

    /// Looks whether it can be reached, without alerting anybody; what was seen, or what is wrong.
    fn examine(&self) -> BoxFuture<'_, Result<String, String>>;
}

/// What a receiver is told.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Each change once, one at a time, in the order of an alert's changes.
    Changes,
    /// How things stand, again and again: what fires, and for a while what has ended.
    Standing,
}

/// One line of [`RECEIVERS`].
#[derive(Copy, Clone, Debug)]
pub struct ReceiverKind {
    /// The word in the project file, also the label `integration`.
    pub name: &'static str,
    /// What it is told.
    pub told: Told,
    /// Makes the receivers of a route: one, or one for each member of a cluster.
    pub build: Build,
}

/// Makes receivers from a route's values.
pub type Build = fn(&Values, &Client) -> Result<Vec<Box<dyn Receiver>>, BuildError>;

impl ReceiverKind {
    /// The kind called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        RECEIVERS.iter().find(|kind| kind.name == name)
    }
}

/// What a route is set to: keys of the project file and their values, secrets filled in; cannot be printed.
#[derive(Clone, Default)]
pub struct Values {
    pairs: Vec<(&'static str, String)>,
    mask: Option<Mask>,
}

/// Takes secrets out of a text.
type Mask = Arc<dyn Fn(&str) -> String + Send + Sync>;

impl Values {
    /// Adds a value under `key`; a key may have several.
    pub fn add(&mut self, key: &'static str, value: impl Into<String>) {
        self.pairs.push((key, value.into()));
    }

    /// Lets `mask` take secrets out of what receivers answer, beside what is known to be secret of a URL.
    pub fn mask_by(&mut self, mask: impl Fn(&str) -> String + Send + Sync + 'static) {
        self.mask = Some(Arc::new(mask));
    }

    /// The first value under `key`.
    pub fn first<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).next()
    }

    /// All values under `key`.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(known, _)| *known == key).map(|(_, value)| value.as_str())
    }

    /// The first value under `key`, which must be there.
    fn need(&self, key: &'static str) -> Result<&str, BuildError> {
        self.first(key).ok_or(BuildError::Missing { key })
    }

    /// The URL under `key`, which must be there.
    fn url(&self, key: &'static str) -> Result<Url, BuildError> {
        url(key, self.need(key)?)
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.pairs == other.pairs
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.pairs.iter().map(|(key, _)| key)).finish()
    }
}

/// Why a receiver could not be made; never shows a value, which may be a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BuildError {
    /// A value is missing.
    #[error("`{key}` is missing")]
    Missing {
        /// Its key.
        key: &'static str,
    },
    /// A value cannot be used.
    #[error("`{key}` {why}")]
    Malformed {
        /// Its key.
        key: &'static str,
        /// What is wrong with it, and what it should be.
        why: String,
    },
}

/// An `http` or `https` URL with a host.
fn url(key: &'static str, text: &str) -> Result<Url, BuildError> {
    let found = Url::parse(text.trim()).ok();
    found
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| BuildError::Malformed { key, why: "is not an http or https URL".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(RECEIVERS.is_sorted_by_key(|kind| kind.name));
        for kind in RECEIVERS {
            assert!(std::ptr::eq(ReceiverKind::named(kind.name).unwrap(), kind));
        }
        assert!(ReceiverKind::named("carrier-pigeon").is_none());
    }

    #[test]
    fn what_is_missing_or_no_url_is_said_without_the_value() {
        let client = Client::new("prober-tests", &[]).unwrap();
        for kind in RECEIVERS {
            let error = (kind.build)(&Values::default(), &client).map(|_| ()).unwrap_err();
            assert!(matches!(error, BuildError::Missing { .. }), "{}: {error}", kind.name);
            let mut values = Values::default();
            values.add("url", "ftp://hush/hush");
            values.add("routing_key", "hush");
            values.add("secret", "hush hush");
            let error = (kind.build)(&values, &client).map(|_| ()).unwrap_err();
            let shown = format!("{error} {error:?} {values:?}");
            assert!(shown.contains("not an http or https URL") && !shown.contains("hush"), "{shown}");
        }
    }
}
