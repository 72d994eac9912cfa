//! How long repeated runs took: a small table, exact, since there are few of them.

use std::borrow::Borrow;
use std::time::Duration;

use model::event::SliEvent;
use model::outcome::Verdict;
use model::slot::Stream;
use model::step::{Phase, StepState};

use super::look::{Look, Tone};
use super::number::duration;
use super::table::{Cell, Cells, Column, table};

/// The durations of runs, of their steps and phases, stream by stream.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Series>);

#[derive(Debug)]
struct Series {
    stream: Stream,
    /// Empty for the whole run.
    part: String,
    good: usize,
    times: Vec<Duration>,
}

impl Latencies {
    /// The durations in `events`, in the order of their first appearance.
    pub(crate) fn of(events: impl IntoIterator<Item = impl Borrow<SliEvent>>) -> Self {
        let mut all = Self(Vec::new());
        for event in events {
            all.add(event.borrow());
        }
        // The rows of a stream stand together; a part that only later runs had comes last.
        let mut streams: Vec<Stream> = Vec::new();
        for series in &all.0 {
            if !streams.contains(&series.stream) {
                streams.push(series.stream.clone());
            }
        }
        all.0.sort_by_key(|series| streams.iter().position(|stream| *stream == series.stream));
        all.0.iter_mut().for_each(|series| series.times.sort_unstable());
        all
    }

    fn add(&mut self, event: &SliEvent) {
        if event.started.is_none() {
            return;
        }
        let (stream, outcome) = (&event.origin.stream, &event.outcome);
        self.note(stream, "", outcome.duration, outcome.verdict() == Verdict::Good);
        if let [only] = outcome.steps.as_slice() {
            for phase in Phase::ALL {
                if let Some(time) = only.timing(phase) {
                    self.note(stream, phase.as_str(), time, only.state == StepState::Passed);
                }
            }
            return;
        }
        for step in outcome.steps.iter().filter(|step| step.state != StepState::Skipped) {
            self.note(stream, &step.name, step.duration, step.state == StepState::Passed);
        }
    }

    fn note(&mut self, stream: &Stream, part: &str, time: Duration, good: bool) {
        let known = self.0.iter().position(|series| series.stream == *stream && series.part == part);
        let index = known.unwrap_or_else(|| {
            let (stream, part) = (stream.clone(), part.to_owned());
            self.0.push(Series { stream, part, good: 0, times: Vec::new() });
            self.0.len() - 1
        });
        self.0[index].good += usize::from(good);
        self.0[index].times.push(time);
    }
}

impl Series {
    /// The nearest rank: the least time that `percent` of the runs did not exceed.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.times.len() * percent).div_ceil(100).max(1);
        self.times.get(rank - 1).copied().unwrap_or_default()
    }
}

/// A line for each run's whole and each of its parts.
pub(crate) fn latency_table(latencies: &Latencies, look: Look) -> String {
    let column = |title, least, dispensable, kind| Column { title, least, dispensable, kind };
    let columns = [
        column("scenario", 14, 0, Cells::Cut),
        column("region", 6, 1, Cells::Cut),
        column("part", 10, 0, Cells::Cut),
        column("n", 3, 0, Cells::Right),
        column("good", 4, 0, Cells::Right),
        column("p50", 7, 0, Cells::Right),
        column("p95", 7, 0, Cells::Right),
        column("max", 7, 0, Cells::Right),
    ];
    let rows: Vec<_> = latencies.0.iter().map(|series| row(series, look)).collect();
    table(&columns, &rows, look)
}

fn row(series: &Series, look: Look) -> Vec<Cell> {
    let (n, whole) = (series.times.len(), series.part.is_empty());
    let tone = if whole { Tone::Plain } else { Tone::Dim };
    let part = if whole { "run".to_owned() } else { format!("{} {}", look.either("·", "-"), series.part) };
    let cell = |text: String| Cell(tone, text);
    let good = if series.good == n { tone } else { Tone::Bad };
    let name = if whole { series.stream.scenario.to_string() } else { String::new() };
    let region = if whole { series.stream.region.to_string() } else { String::new() };
    vec![
        Cell(Tone::Strong, name),
        cell(region),
        cell(part),
        cell(n.to_string()),
        Cell(good, series.good.to_string()),
        cell(duration(series.percentile(50))),
        cell(duration(series.percentile(95))),
        cell(duration(series.percentile(100))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let times = (1..=20).map(Duration::from_millis).collect();
        let series = Series { stream: Stream::new("a", "eu"), part: String::new(), good: 20, times };
        for (percent, ms) in [(50, 10), (95, 19), (100, 20), (1, 1)] {
            assert_eq!(series.percentile(percent), Duration::from_millis(ms), "{percent}");
        }
        let none = Series { times: Vec::new(), ..series };
        assert_eq!(none.percentile(95), Duration::ZERO);
    }
}
