//! One scenario over time: what was measured, bucket by bucket, and what became of the slots.

use std::sync::Arc;
use std::time::Duration;

use model::attribute::AttributeValue;
use model::event::SliEvent;
use model::outcome::Verdict;
use model::slot::{Slot, Stream};
use model::time::Timestamp;
use store::{EventSummary, ReadError, Reader};

use crate::sources::ScenarioCard;
use crate::state::Cell;

/// Buckets of one series.
pub(crate) const BUCKETS: usize = 120;
/// Spans that can be asked for, in hours.
pub(crate) const SPANS: [u32; 5] = [1, 6, 24, 72, 168];
/// Events whose bodies are read where the value is in the body, spread over the span.
const BODIES_MAX: usize = 600;
/// Bad runs of one region that are named, the newest.
const BAD_MAX: usize = 300;
/// A late delivery may stand so much before its place.
const OUT_OF_ORDER: Duration = Duration::from_mins(30);

/// What the values are.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// How long a run took, in seconds.
    Latency,
    /// How old the value that was looked at was, in seconds.
    Age,
    /// How long the certificate is still good for, in days.
    DaysLeft,
}

impl What {
    /// The word for machines.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Age => "age",
            Self::DaysLeft => "days_left",
        }
    }

    /// The title for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Latency => "Latency",
            Self::Age => "Age of the data",
            Self::DaysLeft => "Days until the certificate ends",
        }
    }
}

/// A scenario over a span of time.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) step: Duration,
    pub(crate) what: What,
    /// What the values are held against, in their unit.
    pub(crate) threshold: Option<f64>,
    pub(crate) regions: Vec<RegionSeries>,
}

/// One region of it, or one replica there.
#[derive(Clone, Debug)]
pub(crate) struct RegionSeries {
    /// What people call it.
    pub(crate) name: Arc<str>,
    pub(crate) region: Arc<str>,
    pub(crate) replica: u16,
    pub(crate) buckets: Vec<Bucket>,
    /// The numbers of the newest bad runs.
    pub(crate) bad: Vec<u64>,
    /// The numbers of runs that count, while their values are to be read.
    eligible: Vec<u64>,
}

/// What was measured in one bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    /// Slots, and those of them that were bad.
    pub(crate) slots: u32,
    pub(crate) bad: u32,
    /// The worst of them.
    pub(crate) cell: Cell,
    /// A run that was the worst.
    pub(crate) sample: Option<Slot>,
    /// The values of runs that count, in order once all are there.
    values: Vec<f64>,
}

impl Bucket {
    /// The value that `part` of the values do not exceed; `None` without any.
    pub(crate) fn quantile(&self, part: f64) -> Option<f64> {
        let last = self.values.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index of a bounded list"
        )]
        let index = ((part * self.values.len() as f64).ceil() as usize).saturating_sub(1);
        Some(self.values[index.min(last)])
    }

    /// How many values there are.
    pub(crate) const fn count(&self) -> usize {
        self.values.len()
    }

    fn add(&mut self, summary: &EventSummary) {
        self.slots += 1;
        let cell = Cell::of(summary.reason);
        self.bad += u32::from(summary.reason.verdict() == Verdict::Bad);
        if cell > self.cell || self.sample.is_none() {
            self.cell = cell;
            self.sample = Some(summary.slot);
        }
    }
}

/// Reads the span of `hours` that ends at `now`.
///
/// # Errors
/// The store could not be read.
pub(crate) fn gather(
    reader: &mut Reader,
    (cards, newest): (&[&ScenarioCard], &[&SliEvent]),
    hours: u32,
    now: Timestamp,
) -> Result<Series, ReadError> {
    let span = Duration::from_hours(u64::from(hours));
    let step = span / u32::try_from(BUCKETS).unwrap_or(1);
    // Borders of buckets stay where they are while time goes on.
    let until = next_border(now, step);
    let (what, threshold) = measured_of(newest);
    let mut series = Series { from: until.minus(span), until, step, what, threshold, regions: Vec::new() };
    for card in cards {
        let mut region = RegionSeries {
            name: card.place().into(),
            region: Arc::clone(&card.stream.region),
            replica: card.stream.replica,
            buckets: vec![Bucket::default(); BUCKETS],
            bad: Vec::new(),
            eligible: Vec::new(),
        };
        for stream in std::iter::once(card.stream.clone()).chain(card.former()) {
            slots(reader, &stream, &series, &mut region)?;
        }
        if what != What::Latency {
            bodies(reader, &series, &mut region)?;
        }
        for bucket in &mut region.buckets {
            bucket.values.sort_by(f64::total_cmp);
        }
        series.regions.push(region);
    }
    Ok(series)
}

fn next_border(now: Timestamp, step: Duration) -> Timestamp {
    let step = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_nanos((now.as_nanos().div_euclid(step) + 1).saturating_mul(step))
}

impl Series {
    /// The bucket of a moment; `None` outside of the span.
    fn place(&self, at: Timestamp) -> Option<usize> {
        if at < self.from || at >= self.until {
            return None;
        }
        let index = at.since(self.from).as_nanos() / self.step.as_nanos().max(1);
        usize::try_from(index).ok().filter(|index| *index < BUCKETS)
    }

    /// When a bucket begins.
    pub(crate) fn begin(&self, index: usize) -> Timestamp {
        self.from.plus(self.step * u32::try_from(index).unwrap_or(u32::MAX))
    }
}

fn slots(
    reader: &mut Reader,
    stream: &Stream,
    series: &Series,
    region: &mut RegionSeries,
) -> Result<(), ReadError> {
    let oldest = series.from.minus(OUT_OF_ORDER);
    reader.history(stream, |summary| {
        if let Some(place) = series.place(summary.slot.scheduled) {
            let bucket = &mut region.buckets[place];
            bucket.add(&summary);
            if summary.reason.verdict() == Verdict::Bad && region.bad.len() < BAD_MAX {
                region.bad.push(summary.seq);
            }
            if summary.reason.verdict().is_eligible() {
                match series.what {
                    What::Latency => bucket.values.push(summary.duration.as_secs_f64()),
                    What::Age | What::DaysLeft => region.eligible.push(summary.seq),
                }
            }
        }
        summary.slot.scheduled >= oldest
    })
}

/// Values that only the bodies of events have.
fn bodies(reader: &mut Reader, series: &Series, region: &mut RegionSeries) -> Result<(), ReadError> {
    let seqs = std::mem::take(&mut region.eligible);
    let step = seqs.len().div_ceil(BODIES_MAX).max(1);
    for seq in seqs.into_iter().step_by(step) {
        let Some(stored) = reader.event(seq)? else { continue };
        let at = stored.event.slot.scheduled;
        if let (Some(place), Some(value)) = (series.place(at), value(&stored.event, series.what)) {
            region.buckets[place].values.push(value);
        }
    }
    Ok(())
}

fn value(event: &SliEvent, what: What) -> Option<f64> {
    match what {
        What::Latency => Some(event.outcome.duration.as_secs_f64()),
        What::Age => event.outcome.freshness_age,
        What::DaysLeft => Some(certificate_end(event)?.seconds_since(event.slot.scheduled) / 86_400.0),
    }
}

fn certificate_end(event: &SliEvent) -> Option<Timestamp> {
    match event.outcome.main_step()?.attributes.get("tls.server.not_after")? {
        AttributeValue::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// What runs are about, and the limit that their file sets; `newest` are the newest runs, the newest first.
///
/// A run that failed early says nothing of what comes later: the newest one that does is asked.
fn measured_of(newest: &[&SliEvent]) -> (What, Option<f64>) {
    let all: Vec<_> = newest.iter().map(|event| measured(event)).collect();
    let limited = all.iter().find(|(_, limit)| limit.is_some());
    let special = all.iter().find(|(what, _)| *what != What::Latency);
    limited.or(special).copied().unwrap_or((What::Latency, None))
}

/// What an event's run is about, and the limit that its file sets.
fn measured(event: &SliEvent) -> (What, Option<f64>) {
    let assertions = &event.outcome.assertions;
    let expected = |wanted: &dyn Fn(&str, &str) -> bool| {
        let found = assertions.iter().find(|one| wanted(&one.name, &one.expected));
        found.and_then(|one| seconds(&one.expected))
    };
    let age = expected(&|_, expected| expected.starts_with("newer than"));
    if event.outcome.freshness_age.is_some() || age.is_some() {
        return (What::Age, age);
    }
    let left = expected(&|name, _| name.ends_with("expires_in"));
    if left.is_some() && certificate_end(event).is_some() {
        return (What::DaysLeft, left.map(|seconds| seconds / 86_400.0));
    }
    (What::Latency, expected(&|name, _| name == "latency"))
}

/// The time that a sentence such as `less than 300ms` ends with.
fn seconds(text: &str) -> Option<f64> {
    let words = text.split_whitespace().rev().map(one_unit);
    let parts: Vec<f64> = words.take_while(Option::is_some).flatten().collect();
    (!parts.is_empty()).then(|| parts.iter().sum())
}

fn one_unit(word: &str) -> Option<f64> {
    let digits = word.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let number: f64 = word[..digits].parse().ok()?;
    let unit = match &word[digits..] {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    };
    Some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_what_is_expected() {
        for (text, expected) in [
            ("less than 300ms", Some(0.3)),
            ("newer than 1h 30m", Some(5_400.0)),
            ("at least 21d", Some(1_814_400.0)),
            ("less than 1.5s", Some(1.5)),
            ("200", None),
            ("", None),
            ("ms", None),
            ("a 5 m", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn a_run_that_failed_early_hides_no_limit() {
        use model::step::{AssertionRecord, Part};

        let (bad, mut good) = (crate::sample::failed_flow(), crate::sample::good_flow());
        assert_eq!(measured_of(&[&bad, &good]), (What::Latency, None));
        good.outcome.assertions.push(AssertionRecord {
            step: "".into(),
            name: "latency".into(),
            part: Part::Good,
            pass: true,
            expected: "< 300ms".into(),
            actual: "182ms".into(),
        });
        assert_eq!(measured_of(&[&bad, &good]), (What::Latency, Some(0.3)));
        good.outcome.freshness_age = Some(7.0);
        assert_eq!(measured_of(&[&bad, &good]), (What::Age, None));
        assert_eq!(measured_of(&[]), (What::Latency, None));
    }

    #[test]
    fn quantiles_are_of_values_that_are_there() {
        let mut bucket = Bucket { values: (1..=20).map(f64::from).collect(), ..Bucket::default() };
        assert_eq!(
            (bucket.quantile(0.5), bucket.quantile(0.95), bucket.quantile(1.0)),
            (Some(10.0), Some(19.0), Some(20.0))
        );
        bucket.values.clear();
        assert_eq!(bucket.quantile(0.5), None);
    }
}
