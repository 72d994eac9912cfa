//! Alerts: what fires, what will, what keeps quiet, and what became of those before; with what people said of them.

use std::collections::BTreeMap;

use model::alert::Alert;
use model::time::Timestamp;
use serde_json::Value;
use slo::standing::Standing;
use store::{Note, ReadError, Store};

use crate::sources::Catalogue;

/// Notes that are read.
const NOTES: u32 = 2_000;
/// Episodes of the past that are shown.
const EPISODES_MAX: usize = 100;
/// Notes of people that are shown.
const AUDIT_MAX: usize = 100;

/// What people do about an alert.
pub(crate) const ACTIONS: [&str; 3] = ["acknowledge", "useful", "noise"];

/// Everything about alerts.
#[derive(Clone, Debug)]
pub(crate) struct AlertsView {
    pub(crate) now: Timestamp,
    pub(crate) project: String,
    pub(crate) firing: Vec<Firing>,
    pub(crate) pending: Vec<PendingAlert>,
    /// Promises that keep quiet, and the maintenance.
    pub(crate) muted: Vec<(String, String)>,
    /// Those that ended, the newest first.
    pub(crate) past: Vec<Episode>,
    /// What people did, the newest first.
    pub(crate) audit: Vec<Note>,
}

/// An alert that fires.
#[derive(Clone, Debug)]
pub(crate) struct Firing {
    pub(crate) alert: Alert,
    /// Where it is looked at.
    pub(crate) page: String,
    pub(crate) said: Said,
}

/// A condition that holds, and not yet for long enough.
#[derive(Clone, Debug)]
pub(crate) struct PendingAlert {
    pub(crate) slo: String,
    pub(crate) rule: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) region: String,
    pub(crate) since: Timestamp,
}

/// An alert of before.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    pub(crate) name: String,
    /// The alert as it was when it began.
    pub(crate) alert: Value,
    pub(crate) began: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) said: Said,
}

/// What people said of an alert.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    /// Who acknowledged it, and when.
    pub(crate) acknowledged: Option<(String, Timestamp)>,
    /// Whether it was useful; `None` if nobody said.
    pub(crate) useful: Option<bool>,
}

/// Gathers all of it.
///
/// # Errors
/// The notes could not be read.
pub(crate) fn gather(
    store: &Store,
    (catalogue, standings): (&Catalogue, &[Standing]),
    now: Timestamp,
) -> Result<AlertsView, ReadError> {
    let notes = store.notes(None, NOTES)?;
    let said = said(&notes);
    let of = |episode: &str| said.get(episode).cloned().unwrap_or_default();
    let mut firing: Vec<_> = standings
        .iter()
        .flat_map(|standing| standing.alerts.iter().map(move |alert| (standing, alert)))
        .map(|(standing, alert)| Firing {
            page: page(catalogue, standing),
            said: of(&alert.episode()),
            alert: alert.clone(),
        })
        .collect();
    // What wakes somebody up stands first.
    firing.sort_by_key(|one| std::cmp::Reverse((one.alert.id.severity, one.alert.starts)));
    let pending = standings.iter().flat_map(|standing| {
        standing.pending.iter().map(|(rule, severity, region, since)| PendingAlert {
            slo: standing.name.to_string(),
            rule: rule.as_str(),
            severity: severity.as_str(),
            region: region.as_deref().unwrap_or_default().to_owned(),
            since: *since,
        })
    });
    let muted = standings
        .iter()
        .filter_map(|standing| Some((standing.name.to_string(), standing.maintenance.as_ref()?.to_string())));
    let mut past = episodes(&notes);
    past.retain(|episode| firing.iter().all(|one| one.alert.episode() != episode.name));
    past.truncate(EPISODES_MAX);
    for episode in &mut past {
        episode.said = of(&episode.name);
    }
    let audit = notes.iter().filter(|note| !matches!(note.action.as_str(), "fired" | "ended"));
    Ok(AlertsView {
        now,
        project: catalogue.project.clone(),
        pending: pending.collect(),
        muted: muted.collect(),
        audit: audit.take(AUDIT_MAX).cloned().collect(),
        firing,
        past,
    })
}

/// The page of the scenario that the promise is about, or its own.
fn page(catalogue: &Catalogue, standing: &Standing) -> String {
    let card = catalogue.cards.iter().find(|card| card.slo.as_ref() == Some(&standing.name));
    match card {
        Some(card) => format!("/scenarios/{}", crate::text::encoded(&card.stream.scenario)),
        None => format!("/slos/{}", crate::text::encoded(&standing.name)),
    }
}

/// The newest word about each alert; `notes` are the newest first.
pub(crate) fn said(notes: &[Note]) -> BTreeMap<String, Said> {
    let mut all: BTreeMap<String, Said> = BTreeMap::new();
    for note in notes.iter().filter(|note| ACTIONS.contains(&note.action.as_str())) {
        let said = all.entry(note.subject.clone()).or_default();
        match note.action.as_str() {
            "acknowledge" => drop(said.acknowledged.get_or_insert((note.who.clone(), note.at))),
            action => drop(said.useful.get_or_insert(action == "useful")),
        }
    }
    all
}

/// The episodes that began, the newest first.
fn episodes(notes: &[Note]) -> Vec<Episode> {
    let ends: BTreeMap<&str, Timestamp> = notes
        .iter()
        .filter(|note| note.action == "ended")
        .map(|note| (note.subject.as_str(), note.at))
        .collect();
    let began = notes.iter().filter(|note| note.action == "fired");
    began
        .map(|note| Episode {
            name: note.subject.clone(),
            alert: serde_json::from_str(&note.detail).unwrap_or_default(),
            began: note.at,
            ended: ends.get(note.subject.as_str()).copied(),
            said: Said::default(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(id: u64, action: &str, subject: &str) -> Note {
        let at = Timestamp::from_seconds(i64::try_from(id).unwrap());
        Note {
            id,
            at,
            who: format!("p{id}"),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: "{}".to_owned(),
        }
    }

    #[test]
    fn the_newest_word_counts() {
        let notes = [
            note(9, "noise", "a"),
            note(8, "acknowledge", "a"),
            note(7, "ended", "a"),
            note(6, "useful", "a"),
            note(5, "acknowledge", "a"),
            note(4, "fired", "a"),
            note(3, "fired", "b"),
            note(2, "reload", "a"),
        ];
        let said = said(&notes);
        assert_eq!(said["a"].useful, Some(false));
        assert_eq!(said["a"].acknowledged.as_ref().map(|(who, _)| who.as_str()), Some("p8"));
        assert_eq!(said.len(), 1);
        let episodes = episodes(&notes);
        let shown: Vec<_> = episodes.iter().map(|one| (one.name.as_str(), one.ended.is_some())).collect();
        assert_eq!(shown, [("a", true), ("b", false)]);
    }
}
