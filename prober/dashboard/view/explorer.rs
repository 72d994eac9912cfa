//! The events explorer: filter, group, count, and what a selection has that the rest has not.
//!
//! Bounded: so many of the newest events that fit, and so long; what was left out is said.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use model::event::SliEvent;
use model::outcome::Verdict;
use model::slot::Slot;
use model::time::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use store::{ReadError, Reader};

use crate::query::{Conditions, full_name};
use crate::state::Cell;

/// Events that are read.
const READ_MAX: usize = 20_000;
/// Events whose fields are looked at one by one, which takes longer.
const FIELDS_MAX: usize = 6_000;
/// How long it looks.
const LOOK: Duration = Duration::from_millis(2_500);
/// Events read from the store at once.
const PAGE: usize = 1_000;
/// Events that are listed, groups, points of the picture, and differences that are shown.
pub(crate) const LISTED_MAX: usize = 100;
const GROUPS_MAX: usize = 40;
pub(crate) const POINTS_MAX: usize = 1_500;
const DIFFERENCES_MAX: usize = 20;
/// A field with more values than these says nothing about a selection.
const VALUES_MAX: usize = 100;
/// The longest value that is compared or grouped by, in bytes.
const VALUE_BYTES_MAX: usize = 120;
/// Fields that differ from run to run whatever happens.
const OWN_TO_RUNS: [&str; 12] = [
    "schema",
    "prober.slot.id",
    "trace_id",
    "span_id",
    "prober.slot.scheduled",
    "prober.run.started",
    "prober.run.finished",
    "prober.run.recorded",
    "prober.run.lag",
    "prober.run.duration",
    "prober.steps",
    "prober.assertions",
];

/// What the address asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Explored {
    /// The conditions, as they were typed.
    pub(crate) query: String,
    /// The field to group by; empty for none.
    pub(crate) group: String,
    /// The box that is compared with the rest.
    pub(crate) selection: Option<Selection>,
}

/// A box in the picture.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) struct Selection {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The shortest and the longest run, in seconds.
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// One event in the picture.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Point {
    pub(crate) at: Timestamp,
    pub(crate) seconds: f64,
    pub(crate) cell: Cell,
    pub(crate) slot: Slot,
}

/// Events with one value of the field that is grouped by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) value: String,
    pub(crate) count: u64,
    pub(crate) bad: u64,
    pub(crate) p50: Option<f64>,
    pub(crate) p95: Option<f64>,
    seconds: Vec<f64>,
}

/// A value that is more or less frequent in the selection than in the rest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) field: String,
    pub(crate) value: String,
    /// The share of the selection, and of the rest, that has it.
    pub(crate) selected: f64,
    pub(crate) rest: f64,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Events that fit.
    pub(crate) matched: usize,
    /// Whether all that fit were looked at.
    pub(crate) is_whole: bool,
    /// The oldest that was looked at.
    pub(crate) oldest: Option<Timestamp>,
    pub(crate) verdicts: BTreeMap<&'static str, u64>,
    pub(crate) p50: Option<f64>,
    pub(crate) p95: Option<f64>,
    pub(crate) points: Vec<Point>,
    pub(crate) groups: Vec<Group>,
    /// Events in the selection.
    pub(crate) selected: usize,
    pub(crate) differences: Vec<Difference>,
    /// The newest.
    pub(crate) listed: Vec<Arc<SliEvent>>,
}

/// How often each value of each field occurs, in the selection and in the rest.
type Counts = HashMap<String, HashMap<String, [u64; 2]>>;

#[derive(Default)]
struct Fold {
    found: Found,
    seconds: Vec<f64>,
    groups: HashMap<String, Group>,
    counts: Counts,
}

/// Looks for the events.
///
/// # Errors
/// The store could not be read.
pub(crate) fn gather(
    reader: &mut Reader,
    asked: &Explored,
    conditions: &Conditions,
) -> Result<Found, ReadError> {
    let needs_fields = !conditions.fields.is_empty() || !asked.group.is_empty() || asked.selection.is_some();
    let most = if needs_fields { FIELDS_MAX } else { READ_MAX };
    let mut filter = conditions.filter.clone();
    (filter.newest_first, filter.limit) = (true, PAGE);
    let (begun, mut read, mut fold) = (Instant::now(), 0, Fold::default());
    let group = full_name(&asked.group);
    loop {
        let page = reader.query(&filter)?;
        read += page.len();
        let (full, last) = (page.len() == PAGE, page.last().map(|stored| stored.seq));
        for stored in page {
            let fields = needs_fields.then(|| stored.event.to_value());
            if fields.as_ref().is_none_or(|fields| conditions.fields_hold(fields)) {
                fold.take(&stored.event, (asked, &group), fields.as_ref());
            }
        }
        fold.found.is_whole = !full;
        if !full || read >= most || begun.elapsed() > LOOK {
            return Ok(fold.finish());
        }
        filter.before_seq = last;
    }
}

impl Fold {
    fn take(&mut self, event: &Arc<SliEvent>, (asked, group): (&Explored, &str), fields: Option<&Value>) {
        let found = &mut self.found;
        found.matched += 1;
        found.oldest =
            Some(found.oldest.map_or(event.slot.scheduled, |oldest| oldest.min(event.slot.scheduled)));
        *found.verdicts.entry(event.verdict().as_str()).or_default() += 1;
        let seconds = event.outcome.duration.as_secs_f64();
        if event.verdict().is_eligible() {
            self.seconds.push(seconds);
        }
        let point = Point {
            at: event.slot.scheduled,
            seconds,
            cell: Cell::of(event.outcome.reason),
            slot: event.slot,
        };
        found.points.push(point);
        if found.listed.len() < LISTED_MAX {
            found.listed.push(Arc::clone(event));
        }
        let Some(fields) = fields else { return };
        if !asked.group.is_empty() {
            self.group(fields, group, event, seconds);
        }
        if let Some(selection) = &asked.selection {
            let inside = selection.holds(&point);
            self.found.selected += usize::from(inside);
            self.count(fields, inside);
        }
    }

    fn group(&mut self, fields: &Value, group: &str, event: &SliEvent, seconds: f64) {
        let value = fields.get(group).map_or_else(|| "(not there)".to_owned(), short);
        let group = self.groups.entry(value).or_default();
        group.count += 1;
        group.bad += u64::from(event.verdict() == Verdict::Bad);
        if event.verdict().is_eligible() {
            group.seconds.push(seconds);
        }
    }

    fn count(&mut self, fields: &Value, inside: bool) {
        let Value::Object(fields) = fields else { return };
        for (name, value) in fields.iter().filter(|(name, _)| !OWN_TO_RUNS.contains(&name.as_str())) {
            if matches!(value, Value::Array(_) | Value::Object(_))
                || value.as_f64().is_some_and(|number| number.fract() != 0.0)
            {
                continue;
            }
            let values = self.counts.entry(name.clone()).or_default();
            // A field that is full stays full: it is left out in the end.
            if values.len() <= VALUES_MAX {
                values.entry(short(value)).or_default()[usize::from(!inside)] += 1;
            }
        }
    }

    fn finish(mut self) -> Found {
        self.seconds.sort_by(f64::total_cmp);
        let mut found = self.found;
        found.listed.sort_by_key(|event| std::cmp::Reverse(event.slot.scheduled));
        (found.p50, found.p95) = (quantile(&self.seconds, 0.5), quantile(&self.seconds, 0.95));
        let mut groups: Vec<Group> = self
            .groups
            .into_iter()
            .map(|(value, mut group)| {
                group.seconds.sort_by(f64::total_cmp);
                let (p50, p95) = (quantile(&group.seconds, 0.5), quantile(&group.seconds, 0.95));
                Group { value, p50, p95, seconds: Vec::new(), ..group }
            })
            .collect();
        groups.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.value.cmp(&other.value)));
        groups.truncate(GROUPS_MAX);
        found.groups = groups;
        found.differences = differences(&self.counts, found.selected, found.matched - found.selected);
        // Bad ones are never left out for good ones.
        if found.points.len() > POINTS_MAX {
            let step = found.points.len().div_ceil(POINTS_MAX);
            let mut number = 0;
            found.points.retain(|point| {
                number += 1;
                point.cell >= Cell::Warn || number % step == 0
            });
            found.points.truncate(POINTS_MAX * 2);
        }
        found
    }
}

impl Selection {
    fn holds(&self, point: &Point) -> bool {
        (self.from..=self.to).contains(&point.at) && (self.low..=self.high).contains(&point.seconds)
    }
}

/// The value as a text that is not too long.
fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    model::outcome::cut(text, VALUE_BYTES_MAX)
}

fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a bounded list")]
    let index = ((part * sorted.len() as f64).ceil() as usize).saturating_sub(1);
    Some(sorted[index.min(last)])
}

/// The values whose shares differ most; of each field the one that differs most.
fn differences(counts: &Counts, selected: usize, rest: usize) -> Vec<Difference> {
    if selected == 0 || rest == 0 {
        return Vec::new();
    }
    let of_field = |(field, values): (&String, &HashMap<String, [u64; 2]>)| {
        if values.len() > VALUES_MAX {
            return None;
        }
        let shares = values.iter().map(|(value, [inside, outside])| Difference {
            field: field.clone(),
            value: value.clone(),
            selected: *inside as f64 / selected as f64,
            rest: *outside as f64 / rest as f64,
        });
        shares.max_by(|one, other| one.by().total_cmp(&other.by()).then_with(|| other.value.cmp(&one.value)))
    };
    let mut all: Vec<_> = counts.iter().filter_map(of_field).filter(|one| one.by() > 0.02).collect();
    all.sort_by(|one, other| other.by().total_cmp(&one.by()).then_with(|| one.field.cmp(&other.field)));
    all.truncate(DIFFERENCES_MAX);
    all
}

impl Difference {
    /// How much the shares differ.
    pub(crate) fn by(&self) -> f64 {
        (self.selected - self.rest).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn folded(asked: &Explored) -> Found {
        let mut fold = Fold::default();
        for number in 0..10 {
            let event = if number < 3 { sample::failed_flow() } else { sample::good_flow() };
            let event = Arc::new(event);
            let value = event.to_value();
            fold.take(&event, (asked, &full_name(&asked.group)), Some(&value));
        }
        fold.finish()
    }

    #[test]
    fn groups_count_and_measure() {
        let asked = Explored { group: "status".to_owned(), ..Explored::default() };
        let found = folded(&asked);
        let shown: Vec<_> =
            found.groups.iter().map(|group| (group.value.as_str(), group.count, group.bad)).collect();
        assert_eq!(shown, [("201", 7, 0), ("500", 3, 3)]);
        assert_eq!((found.matched, found.verdicts["bad"], found.listed.len()), (10, 3, 10));
        assert!(found.p95 > found.p50);
    }

    #[test]
    fn a_selection_says_what_it_has_that_the_rest_has_not() {
        let all = Timestamp::from_nanos(i64::MIN)..Timestamp::from_nanos(i64::MAX);
        let selection = Selection { from: all.start, to: all.end, low: 0.5, high: 10.0 };
        let found = folded(&Explored { selection: Some(selection), ..Explored::default() });
        assert_eq!(found.selected, 3);
        let fields: Vec<_> = found.differences.iter().map(|one| one.field.as_str()).collect();
        for field in ["http.response.status_code", "error.type", "prober.verdict"] {
            assert!(fields.contains(&field), "{field} is not in {fields:?}");
        }
        assert!(!fields.contains(&"prober.region") && !fields.contains(&"prober.slot.id"));
        let none = Selection { low: 100.0, high: 200.0, ..selection };
        assert_eq!(folded(&Explored { selection: Some(none), ..Explored::default() }).differences, []);
    }
}
