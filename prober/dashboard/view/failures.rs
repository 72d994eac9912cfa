//! The failures of a scenario, put together by step and reason.

use std::sync::Arc;

use model::event::SliEvent;
use model::slot::Slot;
use model::time::Timestamp;
use store::{ReadError, Reader};

use super::series::Series;

/// Bad runs that are looked at.
pub(crate) const LOOKED_AT_MAX: usize = 300;
/// Groups that are shown.
const GROUPS_MAX: usize = 20;

/// Bad runs with the same reason in the same step.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) step: String,
    pub(crate) error_type: String,
    /// What the newest of them says.
    pub(crate) message: String,
    pub(crate) count: u64,
    pub(crate) regions: Vec<Arc<str>>,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// The newest of them.
    pub(crate) sample: Slot,
}

/// All groups, the most frequent first, and how many runs were looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures {
    pub(crate) groups: Vec<Group>,
    pub(crate) looked_at: usize,
    /// The newest bad run.
    pub(crate) newest: Option<Arc<SliEvent>>,
}

/// Reads the newest bad runs of a series.
///
/// # Errors
/// The store could not be read.
pub(crate) fn gather(reader: &mut Reader, series: &Series) -> Result<Failures, ReadError> {
    let mut seqs: Vec<u64> = series.regions.iter().flat_map(|region| &region.bad).copied().collect();
    seqs.sort_unstable_by(|one, other| other.cmp(one));
    seqs.truncate(LOOKED_AT_MAX);
    let mut events = Vec::with_capacity(seqs.len());
    for seq in seqs {
        events.extend(reader.event(seq)?.map(|stored| stored.event));
    }
    let newest = events.iter().max_by_key(|event| event.slot.scheduled).cloned();
    let mut failures = Failures { looked_at: events.len(), newest, groups: Vec::new() };
    for event in &events {
        failures.add(event);
    }
    failures.groups.sort_by_key(|group| std::cmp::Reverse((group.count, group.last)));
    failures.groups.truncate(GROUPS_MAX);
    Ok(failures)
}

impl Failures {
    fn add(&mut self, event: &SliEvent) {
        let failure = event.outcome.failure.as_ref();
        let step = failure.map_or("", |failure| &failure.step);
        let error_type = failure.map_or(event.outcome.reason.as_str(), |failure| &failure.error_type);
        let (at, region) = (event.slot.scheduled, &event.origin.stream.region);
        let known = self.groups.iter_mut().find(|group| group.step == step && group.error_type == error_type);
        if let Some(group) = known {
            group.count += 1;
            (group.first, group.last) = (group.first.min(at), group.last.max(at));
            if !group.regions.contains(region) {
                group.regions.push(Arc::clone(region));
            }
            return;
        }
        self.groups.push(Group {
            step: step.to_owned(),
            error_type: error_type.to_owned(),
            message: failure.map_or_else(String::new, |failure| failure.message.clone()),
            count: 1,
            regions: vec![Arc::clone(region)],
            first: at,
            last: at,
            sample: event.slot,
        });
    }
}
