//! Promises over several scenarios: the counters of their streams together, one series a region.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::slot::Stream;
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
}

/// The regions of each promise, with the streams that are exposed.
pub(super) fn joints(infos: &[JointInfo], streams: &Streams) -> Vec<Joint> {
    let mut all = Vec::new();
    for info in infos {
        let mut regions: BTreeMap<&Arc<str>, Vec<Arc<Cell>>> = BTreeMap::new();
        for (scenario, region) in &info.feeds {
            let cell = streams.get(&Stream::new(Arc::clone(scenario), Arc::clone(region)));
            regions.entry(region).or_default().extend(cell.map(Arc::clone));
        }
        all.extend(regions.into_iter().map(|(region, cells)| Joint {
            slo: Arc::clone(&info.name),
            service: Arc::clone(&info.service),
            region: Arc::clone(region),
            cells,
        }));
    }
    all
}

impl Joint {
    /// Writes the region's series of a family that is about promises; others have none.
    ///
    /// How long the streak is only the evaluator knows, since it knows the order of all runs.
    pub(super) fn write(&self, out: &mut Writer, family: &'static str, standings: &[Standing]) {
        let sum = |count: fn(&super::fold::State) -> u64| -> u64 {
            self.cells.iter().map(|cell| count(&cell.state())).sum()
        };
        let count = match family {
            "prober_sli_events_total" => sum(|state| state.good + state.bad),
            "prober_sli_good_events_total" => sum(|state| state.good),
            "prober_sli_bad_events_total" => sum(|state| state.bad),
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
