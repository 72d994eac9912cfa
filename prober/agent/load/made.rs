//! What a plan is for the parts: entries for the runner, cards for the pages, streams for the metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dashboard::ScenarioCard;
use export::prometheus::StreamInfo;
use model::event::Origin;
use model::probe::Probe;
use model::slot::{Cadence, Stream};
use model::time::{Clock as _, SystemClock};
use probe::flow::Scenario;
use probe::{Net, Shared};
use scenario::plan::Plan;
use scenario::source::Source;
use scenario::template::Secrets;
use schedule::distrust::mass::{Target, reach};
use schedule::entry::Entry;
use schedule::maintenance::Calendar;
use schedule::slots::Timetable;

use super::Loaded;
use crate::agent::settle;

impl Loaded {
    /// What one prober makes of regions with replicas, if there are any; in a fleet every replica has its own.
    pub(crate) fn replicas_note(&self) -> Option<String> {
        let regions: BTreeSet<_> = self.entries.iter().map(|entry| &entry.origin.stream.region).collect();
        let several = regions.into_iter().filter(|region| self.project.replicas(region) > 1);
        let several: Vec<_> =
            several.map(|region| format!("{region} ({})", self.project.replicas(region))).collect();
        let regions = several.join(", ");
        (!several.is_empty()).then(|| {
            format!("regions with replicas: {regions}; this prober is one, the agents of a fleet probe as often as that says")
        })
    }

    /// The streams whose series are exposed.
    pub(crate) fn streams(&self) -> Vec<StreamInfo> {
        self.streams_of(&self.entries)
    }

    /// What may turn bad together. Whether another region looks at a target, too, is known where all regions run; a part of
    /// a fleet leaves that to whoever knows all.
    pub(crate) fn targets(&self, is_part: bool) -> Vec<Target> {
        let mut regions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for target in &self.targets {
            regions.entry(&target.stream.scenario).or_default().insert(&target.stream.region);
        }
        let known = |target: &Target| Target {
            elsewhere: target.elsewhere && (is_part || regions[&*target.stream.scenario].len() > 1),
            ..target.clone()
        };
        self.targets.iter().map(known).collect()
    }

    /// The same of entries that were taken out of it.
    pub(crate) fn streams_of(&self, entries: &[Entry]) -> Vec<StreamInfo> {
        let stream = |entry: &Entry| StreamInfo {
            origin: Arc::clone(&entry.origin),
            cadence: entry.cadence.clone(),
            slo: self.promises.own_name(&entry.origin.stream.scenario),
        };
        entries.iter().map(stream).collect()
    }

    /// Tells the cards the text of their files, and what their objectives are called.
    pub(super) fn tell_cards(&mut self, sources: &[Source]) {
        let texts: BTreeMap<&str, Arc<str>> =
            sources.iter().map(|source| (source.path.as_str(), Arc::from(source.text.as_str()))).collect();
        for card in &mut self.catalogue.cards {
            card.slo = self.promises.own_of(&card.stream.scenario);
            if let Some(text) = texts.get(&*card.path) {
                card.text = Arc::clone(text);
            }
        }
    }

    /// Adds what a plan is for the runner, the pages and the metrics; all replicas of it.
    pub(super) fn add(&mut self, plan: &Arc<Plan<Net>>, shared: &Arc<Shared>, secrets: Arc<Secrets>) {
        let calendar = Calendar::new(plan.maintenance()).expect("the compiler has checked the maintenances");
        let calendar = Arc::new(calendar);
        let probe: Arc<dyn Probe> = Arc::new(Scenario::new(Arc::clone(plan), Arc::clone(shared), secrets));
        for replica in 0..plan.replicas() {
            let origin = replica_of(plan.origin(), replica);
            let timetable = Timetable::new(plan.cadence(), &origin.stream);
            let timetable = Arc::new(timetable.expect("the compiler has checked the cadence"));
            self.catalogue.cards.push(card(plan, &origin.stream, &timetable));
            self.targets.push(self.target(plan, &origin.stream, &timetable));
            self.entries.push(Entry {
                origin,
                cadence: plan.cadence().clone(),
                maintenance: Arc::clone(&calendar),
                timetable,
                timeout: plan.timeout(),
                grace: plan.grace(),
                probe: Arc::clone(&probe),
                lease: None,
            });
        }
    }

    /// What is asked when many targets turn bad at once.
    fn target(&self, plan: &Plan<Net>, stream: &Stream, timetable: &Timetable) -> Target {
        let endpoints = plan.steps().iter().flat_map(|step| step.action.endpoints());
        let hosts: BTreeSet<Arc<str>> = endpoints.map(|one| one.host.to_ascii_lowercase().into()).collect();
        let distance = settle::distance(timetable, SystemClock.now());
        Target {
            stream: stream.clone(),
            hosts: hosts.into_iter().collect(),
            elsewhere: distance.and_then(reach).is_some(),
            promised: self.promises.own_of(&stream.scenario).is_some(),
        }
    }
}

/// What the events of a replica have in common: all but their stream is that of the first one.
fn replica_of(first: &Arc<Origin>, replica: u16) -> Arc<Origin> {
    if replica == 0 {
        return Arc::clone(first);
    }
    let mut origin = Origin::clone(first);
    origin.stream.replica = replica;
    Arc::new(origin)
}

fn card(plan: &Plan<Net>, stream: &Stream, timetable: &Arc<Timetable>) -> ScenarioCard {
    let (about, origin) = (plan.about(), plan.origin());
    let timetable = Arc::clone(timetable);
    ScenarioCard {
        stream: stream.clone(),
        was: about.was.clone(),
        title: Arc::clone(&about.title),
        aim: Arc::clone(&about.aim),
        owner: Arc::clone(&about.owner),
        runbook: Arc::clone(&about.runbook),
        labels: origin.labels.clone(),
        cadence: cadence_text(plan.cadence()),
        timeout: plan.timeout(),
        kind: Arc::clone(&origin.kind),
        targets: plan.targets(),
        version: Arc::clone(&origin.version),
        path: Arc::clone(&about.path),
        line: about.line,
        text: "".into(),
        slo: None,
        public: about.public,
        next_slot: Arc::new(move |from| timetable.first_from(from)),
    }
}

/// The cadence as people write it: `every 5m`, `cron */5 * * * * Europe/Berlin`.
pub(crate) fn cadence_text(cadence: &Cadence) -> String {
    match cadence {
        Cadence::Every { interval_ms } => {
            let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
            let (size, unit) =
                units.into_iter().find(|(size, _)| interval_ms % size == 0).unwrap_or((1, "ms"));
            format!("every {}{unit}", interval_ms / size)
        }
        Cadence::Cron { expression, timezone } => format!("cron {expression} {timezone}"),
    }
}
