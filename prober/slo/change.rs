//! What happens to alerts.

use std::sync::Arc;

use model::alert::Alert;

/// A change of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The alert as it is after the change.
    pub alert: Alert,
    /// What happened.
    pub transition: Transition,
}

/// What happened to an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It began to fire.
    Fired,
    /// What it is about is over.
    Cleared,
    /// A planned maintenance began, by its name.
    Muted(Arc<str>),
    /// The promise, or what its labels were, is no longer there.
    Gone,
}

impl Change {
    /// Names this change: the same after every replay, and no other has it.
    pub fn key(&self) -> String {
        let word = if self.alert.is_firing() { "firing" } else { "resolved" };
        format!("{}/{word}", self.alert.episode())
    }
}
