//! Promises over several scenarios: the counters of their streams together, one series a region.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use model::event::SliEvent;
use model::outcome::Verdict;
use model::slot::Stream;
use slo::good::GoodRun;
use slo::standing::Standing;

use super::fold::Cell;
use super::text::{Writer, escape};
use super::{JointInfo, Streams};

/// One region of one promise over several scenarios.
#[derive(Clone, Debug)]
pub(super) struct Joint {
    slo: Arc<str>,
    service: Arc<str>,
    region: Arc<str>,
    cells: Vec<Arc<Cell>>,
    /// What it counts itself, if it has a `good` of its own.
    own: Option<Arc<Own>>,
}

/// Counts of one region by an objective's own `good`.
#[derive(Debug)]
pub(super) struct Own {
    good: Arc<dyn GoodRun>,
    /// Good and bad runs. Shared with what was there before a reload, so that no event falls between the two.
    counts: Arc<Mutex<(u64, u64)>>,
}

impl Own {
    /// Counts an event of one of its streams.
    pub(super) fn apply(&self, event: &SliEvent) {
        let mut counts = self.counts.lock().expect("no holder panics");
        match slo::good::reason(Some(&self.good), event).verdict() {
            Verdict::Good => counts.0 += 1,
            Verdict::Bad => counts.1 += 1,
            Verdict::Ineligible | Verdict::Missed => {}
        }
    }
}

/// The regions of each promise, with the streams that are exposed.
pub(super) fn joints(infos: &[JointInfo], streams: &Streams, known: &[Joint]) -> Vec<Joint> {
    let mut all = Vec::new();
    for info in infos {
        let mut regions: BTreeMap<&Arc<str>, Vec<Arc<Cell>>> = BTreeMap::new();
        for (scenario, region) in &info.feeds {
            let cell = streams.get(&Stream::new(Arc::clone(scenario), Arc::clone(region)));
            regions.entry(region).or_default().extend(cell.map(Arc::clone));
        }
        let own = |region: &Arc<str>| {
            let good = Arc::clone(info.good.as_ref()?);
            let before = known.iter().find(|known| (&known.slo, &known.region) == (&info.name, region));
            let counts = before.and_then(|before| before.own.as_ref()).map(|own| Arc::clone(&own.counts));
            Some(Arc::new(Own { good, counts: counts.unwrap_or_default() }))
        };
        all.extend(regions.into_iter().map(|(region, cells)| Joint {
            slo: Arc::clone(&info.name),
            service: Arc::clone(&info.service),
            region: Arc::clone(region),
            cells,
            own: own(region),
        }));
    }
    all
}

/// Which of them count the events of a stream themselves.
pub(super) fn counting(infos: &[JointInfo], joints: &[Joint]) -> HashMap<Stream, Vec<Arc<Own>>> {
    let mut counting: HashMap<_, Vec<_>> = HashMap::new();
    for info in infos.iter().filter(|info| info.good.is_some()) {
        for (scenario, region) in &info.feeds {
            let own = joints.iter().find(|joint| (&joint.slo, &joint.region) == (&info.name, region));
            let stream = Stream::new(Arc::clone(scenario), Arc::clone(region));
            counting.entry(stream).or_default().extend(own.and_then(|joint| joint.own.clone()));
        }
    }
    counting
}

impl Joint {
    /// Writes the region's series of a family that is about promises; others have none.
    ///
    /// How long the streak is only the evaluator knows, since it knows the order of all runs.
    pub(super) fn write(&self, out: &mut Writer, family: &'static str, standings: &[Standing]) {
        let sum = |count: fn(&super::fold::State) -> u64| -> u64 {
            self.cells.iter().map(|cell| count(&cell.state())).sum()
        };
        let good_and_bad = || match &self.own {
            Some(own) => *own.counts.lock().expect("no holder panics"),
            None => (sum(|state| state.good), sum(|state| state.bad)),
        };
        let count = match family {
            "prober_sli_events_total" => {
                let (good, bad) = good_and_bad();
                good + bad
            }
            "prober_sli_good_events_total" => good_and_bad().0,
            "prober_sli_bad_events_total" => good_and_bad().1,
            "prober_sli_expected_events_total" => sum(|state| state.expected),
            "prober_sli_consecutive_bad_events" => return self.streak(out, family, standings),
            "prober_sli_last_event_timestamp_seconds" => return self.last(out, family),
            _ => return,
        };
        let (slo, service, region) = (escape(&self.slo), escape(&self.service), escape(&self.region));
        out.name(family, &format!("slo=\"{slo}\",service=\"{service}\",region=\"{region}\""), &[]);
        out.count(count);
    }

    /// Bad runs of all its streams since the last good one of any.
    fn streak(&self, out: &mut Writer, family: &'static str, standings: &[Standing]) {
        let standing = standings.iter().find(|standing| standing.name == self.slo);
        let mut regions = standing.into_iter().flat_map(|standing| &standing.regions);
        if let Some(region) = regions.find(|region| region.name == self.region) {
            out.name(family, &self.slo_labels(), &[]);
            out.count(u64::from(region.streak));
        }
    }

    fn last(&self, out: &mut Writer, family: &'static str) {
        let last = self.cells.iter().filter_map(|cell| cell.state().last.value());
        if let Some(last) = last.reduce(f64::max) {
            out.name(family, &self.slo_labels(), &[]);
            out.number(last);
        }
    }

    fn slo_labels(&self) -> String {
        format!("slo=\"{}\",region=\"{}\"", escape(&self.slo), escape(&self.region))
    }
}
