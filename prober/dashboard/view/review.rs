//! What people said of the week's alerts.

use std::collections::BTreeMap;
use std::time::Duration;

use model::time::Timestamp;
use serde_json::Value;
use store::{Note, ReadError, Store};

use super::alerts::said;

/// Notes that are read.
const NOTES: u32 = 10_000;
/// How far back it looks.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// How useful the alerts of a promise were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usefulness {
    pub(crate) slo: String,
    pub(crate) severity: String,
    pub(crate) fired: u64,
    pub(crate) useful: u64,
    pub(crate) noise: u64,
}

/// Counts the week's alerts, the most frequent first.
///
/// # Errors
/// The notes could not be read.
pub(crate) fn gather(store: &Store, now: Timestamp) -> Result<Vec<Usefulness>, ReadError> {
    Ok(counted(&store.notes(None, NOTES)?, now.minus(WEEK)))
}

fn counted(notes: &[Note], since: Timestamp) -> Vec<Usefulness> {
    let said = said(notes);
    let mut all: BTreeMap<(String, String), Usefulness> = BTreeMap::new();
    for note in notes.iter().filter(|note| note.action == "fired" && note.at >= since) {
        let alert: Value = serde_json::from_str(&note.detail).unwrap_or_default();
        let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
        let (slo, severity) = (label("slo"), label("severity"));
        let one = all.entry((slo.clone(), severity.clone())).or_default();
        (one.slo, one.severity) = (slo, severity);
        one.fired += 1;
        match said.get(&note.subject).and_then(|said| said.useful) {
            Some(true) => one.useful += 1,
            Some(false) => one.noise += 1,
            None => {}
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by(|one, other| other.fired.cmp(&one.fired).then_with(|| one.slo.cmp(&other.slo)));
    all
}
