//! The stored events of a week, folded: counts, incidents, and what the evaluator says of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::alert::Severity;
use model::event::SliEvent;
use model::outcome::{Reason, Verdict};
use model::slot::Stream;
use model::time::Timestamp;
use slo::evaluator::{Change, Evaluator, Transition};
use slo::promise::{Adjustment, Promise};
use slo::standing::Standing;
use store::Reader;

use super::super::slo::standings::each;
use super::incidents::{Grouping, Incident, error};
use crate::exit::Stop;

/// Everything that the report says of events.
#[derive(Debug)]
pub(super) struct Week {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) promises: Vec<Promise>,
    /// How they stood when the week began, and when it ended.
    pub(super) before: Vec<Standing>,
    pub(super) after: Vec<Standing>,
    /// Alerts that began in the week.
    pub(super) fired: Vec<Change>,
    /// Good and bad runs of each promise, by hour.
    pub(super) hours: HashMap<(usize, i64), (u64, u64)>,
    pub(super) incidents: Vec<Incident>,
    /// Bad runs of the week by what was wrong and where, and what they cost all budgets together.
    pub(super) spenders: BTreeMap<(String, Arc<str>), (u64, f64)>,
    pub(super) scenarios: BTreeMap<Arc<str>, Slots>,
    /// Slots that a maintenance took, by its name.
    pub(super) maintenance: BTreeMap<(Arc<str>, String), u64>,
    /// The versions of each scenario, in order, each with its first run.
    pub(super) versions: BTreeMap<Arc<str>, Vec<(Timestamp, Arc<str>)>>,
    /// When the certificate that was last seen ends.
    pub(super) certificates: BTreeMap<Stream, Timestamp>,
    /// Runs, and those that failed between two good ones, by promise.
    pub(super) noise: Vec<(u64, u64)>,
}

/// The slots of one scenario.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    pub(super) good: u64,
    pub(super) bad: u64,
    pub(super) ineligible: u64,
    pub(super) missed: u64,
    /// Those that were planned not to count.
    pub(super) planned: u64,
    /// Why slots did not count.
    pub(super) reasons: BTreeMap<Reason, u64>,
}

impl Week {
    /// Folds what is stored in `dir`.
    pub(super) fn read(
        dir: &Path,
        promises: Vec<Promise>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Self, Stop> {
        let mut reader = Reader::open(dir).map_err(|error| Stop::environment(error.to_string()))?;
        let longest = promises.iter().filter_map(|promise| promise.objective.as_ref());
        let longest = longest.map(|objective| objective.window.length()).max().unwrap_or_default();
        // A budget looks back over its window, and a ticket over three days.
        let begin = from.minus(longest.max(Duration::from_hours(72)) + Duration::from_hours(72));
        let mut fold = Fold::new(promises, from, until);
        each(&mut reader, begin, until, |event| fold.take(event))?;
        Ok(fold.finish())
    }
}

struct Fold {
    week: Week,
    evaluator: Option<Evaluator>,
    changes: Vec<Change>,
    groupings: Vec<Grouping>,
    feeds: HashMap<(Arc<str>, Arc<str>), Vec<usize>>,
    /// The last two verdicts of a stream: whether they were bad.
    lasts: HashMap<Stream, [bool; 2]>,
    has_begun: bool,
}

impl Fold {
    fn new(promises: Vec<Promise>, from: Timestamp, until: Timestamp) -> Self {
        let mut feeds: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, promise) in promises.iter().enumerate() {
            for feed in &promise.feeds {
                let key = (Arc::clone(&feed.scenario), Arc::clone(&feed.region));
                feeds.entry(key).or_default().push(index);
            }
        }
        let groupings = promises.iter().enumerate().map(|(index, one)| Grouping::new(index, one.interval));
        Self {
            groupings: groupings.collect(),
            week: Week {
                from,
                until,
                noise: vec![(0, 0); promises.len()],
                promises,
                before: Vec::new(),
                after: Vec::new(),
                fired: Vec::new(),
                hours: HashMap::new(),
                incidents: Vec::new(),
                spenders: BTreeMap::new(),
                scenarios: BTreeMap::new(),
                maintenance: BTreeMap::new(),
                versions: BTreeMap::new(),
                certificates: BTreeMap::new(),
            },
            evaluator: None,
            changes: Vec::new(),
            feeds,
            lasts: HashMap::new(),
            has_begun: false,
        }
    }

    fn take(&mut self, event: &Arc<SliEvent>) {
        if !event.trigger.is_scheduled() {
            return;
        }
        let promises = &self.week.promises;
        let evaluator = self.evaluator.get_or_insert_with(|| {
            let begin = event.slot.scheduled.min(event.recorded);
            let since = |promise: &Promise| Promise { begin, ..promise.clone() };
            Evaluator::new(promises.iter().map(since).collect(), begin)
        });
        if !self.has_begun && event.recorded >= self.week.from {
            evaluator.advance(self.week.from, &mut self.changes);
            self.week.before = evaluator.standings();
            self.has_begun = true;
        }
        evaluator.fold(event, &mut self.changes);
        if event.slot.scheduled >= self.week.from {
            self.of_week(event);
        }
    }

    /// Counts an event of the week itself.
    fn of_week(&mut self, event: &SliEvent) {
        let stream = &event.origin.stream;
        let slots = self.week.scenarios.entry(Arc::clone(&stream.scenario)).or_default();
        slots.add(event.outcome.reason);
        if event.outcome.reason.is_planned() {
            let name = event.outcome.maintenance.as_deref().unwrap_or("without a name");
            *self.week.maintenance.entry((Arc::clone(&stream.scenario), name.to_owned())).or_default() += 1;
        }
        let versions = self.week.versions.entry(Arc::clone(&stream.scenario)).or_default();
        if versions.iter().all(|(_, known)| *known != event.origin.version) {
            versions.push((event.slot.scheduled, Arc::clone(&event.origin.version)));
        }
        let ends = event
            .outcome
            .main_step()
            .and_then(|main| main.attributes.text("tls.server.not_after")?.parse().ok());
        if let Some(ends) = ends {
            self.week.certificates.insert(stream.clone(), ends);
        }
        self.eligible(event);
    }

    fn eligible(&mut self, event: &SliEvent) {
        let stream = &event.origin.stream;
        let own_is_bad = event.verdict() == Verdict::Bad;
        let mut was_alone = false;
        if event.verdict().is_eligible() {
            let [before, last] = self.lasts.entry(stream.clone()).or_default();
            was_alone = *last && !*before && !own_is_bad;
            (*before, *last) = (*last, own_is_bad);
        }
        let key = (Arc::clone(&stream.scenario), Arc::clone(&stream.region));
        let hour = event.slot.scheduled.as_millis().div_euclid(3_600_000);
        let mut cost = 0.0;
        let mut any_is_bad = own_is_bad;
        for index in self.feeds.get(&key).into_iter().flatten() {
            let promise = &self.week.promises[*index];
            // An objective may count what its scenario does not, and the other way round.
            let verdict = promise.reason_of(event).verdict();
            let feed = (&*stream.scenario, &*stream.region);
            let is_out = |one: &Arc<Adjustment>| {
                one.added <= self.week.until && one.is_about(feed, event.slot.scheduled)
            };
            if !verdict.is_eligible() || promise.adjustments.iter().any(is_out) {
                continue;
            }
            let is_bad = verdict == Verdict::Bad;
            any_is_bad |= is_bad;
            let (good, bad) = self.week.hours.entry((*index, hour)).or_default();
            *(if is_bad { bad } else { good }) += 1;
            let (runs, alone) = &mut self.week.noise[*index];
            *runs += 1;
            *alone += u64::from(was_alone);
            if is_bad {
                self.groupings[*index].bad(event);
                cost += cost_of_one(&self.week.promises[*index]);
            }
        }
        if any_is_bad {
            let (count, spent) =
                self.week.spenders.entry((error(event), Arc::clone(&stream.region))).or_default();
            *count += 1;
            *spent += cost;
        }
    }

    fn finish(mut self) -> Week {
        if let Some(mut evaluator) = self.evaluator {
            evaluator.finish(self.week.until, &mut self.changes);
            self.week.after = evaluator.standings();
        }
        let from = self.week.from;
        let fired = |change: &Change| change.transition == Transition::Fired && change.alert.starts >= from;
        self.week.fired = self.changes.into_iter().filter(fired).collect();
        self.week.incidents = self.groupings.into_iter().flat_map(Grouping::finish).collect();
        self.week
    }
}

/// The share of the budget that one bad run takes; 0 without an objective.
pub(super) fn cost_of_one(promise: &Promise) -> f64 {
    let window = promise.objective.as_ref().map(|objective| objective.window.length());
    let budget = window.map_or(0.0, |window| promise.policy().budget_in(window));
    if budget > 0.0 { 1.0 / budget } else { 0.0 }
}

impl Slots {
    fn add(&mut self, reason: Reason) {
        let count = match reason.verdict() {
            Verdict::Good => &mut self.good,
            Verdict::Bad => &mut self.bad,
            Verdict::Ineligible => &mut self.ineligible,
            Verdict::Missed => &mut self.missed,
        };
        *count += 1;
        self.planned += u64::from(reason.is_planned());
        if !reason.verdict().is_eligible() {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    /// Slots that should have counted.
    pub(super) const fn expected(&self) -> u64 {
        self.good + self.bad + self.ineligible + self.missed - self.planned
    }
}

impl Week {
    /// Pages or tickets of the week, and whether each was in its evening, night or weekend (UTC).
    pub(super) fn fired(&self, severity: Severity) -> impl Iterator<Item = &Change> {
        self.fired.iter().filter(move |change| change.alert.id.severity == severity)
    }

    /// The scenarios that a promise is about.
    pub(super) fn promised(&self) -> BTreeSet<&str> {
        let with = self.promises.iter().filter(|promise| promise.objective.is_some());
        with.flat_map(|promise| &promise.feeds).map(|feed| &*feed.scenario).collect()
    }
}
