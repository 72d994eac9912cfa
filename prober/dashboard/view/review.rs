//! The weekly review by teams, and what people said of the week's alerts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use model::time::Timestamp;
use serde_json::Value;
use slo::standing::Standing;
use store::{Note, ReadError, Store};

use super::alerts::said;
use crate::sources::{Review, ReviewSection, ScenarioCard};

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

/// Whose the rows of a review are.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// Owners by the name of a scenario or of an objective.
    by_name: HashMap<String, String>,
}

/// A review as it is shown: all of it, or what is one team's.
#[derive(Debug)]
pub(crate) struct ReviewView {
    /// Everybody who owns something, in the order of names; the empty name stands for nobody.
    pub(crate) teams: Vec<String>,
    /// What was asked for.
    pub(crate) asked: Teams,
    /// One for all, or one for each team.
    pub(crate) parts: Vec<ReviewPart>,
}

/// Whose review is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Teams {
    /// Everybody's, in one.
    #[default]
    All,
    /// One team's.
    One(String),
    /// Every team's, each on a page of its own.
    Each,
}

/// The tables of everybody or of one team.
#[derive(Debug)]
pub(crate) struct ReviewPart {
    /// The team; none for everybody.
    pub(crate) team: Option<String>,
    pub(crate) sections: Vec<ReviewSection>,
    pub(crate) useful: Vec<Usefulness>,
}

impl Owners {
    /// As scenario files and promises say.
    pub(crate) fn of(cards: &[ScenarioCard], standings: &[Standing]) -> Self {
        let promises = standings.iter().map(|one| (one.name.to_string(), one.owner.to_string()));
        let scenarios = cards.iter().map(|card| (card.stream.scenario.to_string(), card.owner.to_string()));
        Self { by_name: promises.chain(scenarios).collect() }
    }

    /// The owner of what has this name; nobody's if it is not known any more.
    fn owner(&self, name: &str) -> &str {
        self.by_name.get(name).map_or("", String::as_str)
    }

    fn teams(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.by_name.values().collect();
        names.into_iter().cloned().collect()
    }

    /// The section's rows that are `team`'s; none if its rows are nobody's in particular.
    fn of_team(&self, section: &ReviewSection, team: &str) -> Option<ReviewSection> {
        let names = section.columns.iter().position(|(key, _)| key == "scenario" || key == "slo")?;
        let is_theirs = |row: &&Vec<String>| row.get(names).is_some_and(|name| self.owner(name) == team);
        let rows = section.rows.iter().filter(is_theirs).cloned().collect();
        Some(ReviewSection { rows, ..section.clone() })
    }
}

/// The review cut as it is asked for.
pub(crate) fn cut(review: &Review, useful: &[Usefulness], owners: &Owners, asked: Teams) -> ReviewView {
    let teams = owners.teams();
    let theirs = |team: &String| ReviewPart {
        team: Some(team.clone()),
        sections: review.sections.iter().filter_map(|section| owners.of_team(section, team)).collect(),
        useful: useful.iter().filter(|one| owners.owner(&one.slo) == team).cloned().collect(),
    };
    let parts = match &asked {
        Teams::All => {
            vec![ReviewPart { team: None, sections: review.sections.clone(), useful: useful.to_vec() }]
        }
        Teams::One(team) => vec![theirs(team)],
        Teams::Each => teams.iter().map(theirs).collect(),
    };
    ReviewView { teams, asked, parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(key: &str, column: &str, rows: &[&str]) -> ReviewSection {
        ReviewSection {
            key: key.to_owned(),
            columns: vec![("n".to_owned(), "N".to_owned()), (column.to_owned(), "What".to_owned())],
            rows: rows.iter().map(|name| vec!["1".to_owned(), (*name).to_owned()]).collect(),
            ..ReviewSection::default()
        }
    }

    #[test]
    fn each_team_gets_its_own_rows_and_nobody_gets_what_is_left() {
        let by_name = [("login", "web"), ("pay", "money"), ("both", "web"), ("old", "")];
        let by_name = by_name.map(|(name, owner)| (name.to_owned(), owner.to_owned())).into();
        let owners = Owners { by_name };
        let review = Review {
            sections: vec![
                section("runs", "scenario", &["login", "pay", "gone", "old"]),
                section("objectives", "slo", &["both"]),
                section("queue", "route", &["x"]),
            ],
            ..Review::default()
        };
        let useful = [Usefulness { slo: "pay".to_owned(), fired: 2, ..Usefulness::default() }];
        let rows = |part: &ReviewPart| -> Vec<Vec<String>> {
            part.sections.iter().map(|one| one.rows.iter().map(|row| row[1].clone()).collect()).collect()
        };
        let all = cut(&review, &useful, &owners, Teams::All);
        assert_eq!(all.teams, ["", "money", "web"]);
        assert_eq!(all.parts[0].sections, review.sections);
        let each = cut(&review, &useful, &owners, Teams::Each);
        let shown: Vec<_> = each.parts.iter().map(rows).collect();
        assert_eq!(
            shown,
            [vec![vec!["gone", "old"], vec![]], vec![vec!["pay"], vec![]], vec![vec!["login"], vec!["both"]],]
        );
        assert_eq!(each.parts.iter().map(|part| part.useful.len()).collect::<Vec<_>>(), [0, 1, 0]);
        let one = cut(&review, &useful, &owners, Teams::One("web".to_owned()));
        assert_eq!(
            (one.parts.len(), rows(&one.parts[0])),
            (1, vec![vec!["login".to_owned()], vec!["both".to_owned()]])
        );
    }
}
