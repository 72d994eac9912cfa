//! `prober slo simulate`: how soon a total outage pages, and how often chance does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use probe::Net;
use scenario::compile::Compiled;
use scenario::units::show_duration;
use schedule::slots::Timetable;
use serde_json::{Value, json};
use slo::promise::{Feed, Promise};
use slo::simulate::{Beat, Detection, FalsePages, Setting};

use super::super::args::{FactsFormat, Global, SloSimulate};
use super::super::out::Out;
use super::{named, percent, promised};
use crate::exit::{Exit, Stop};

/// Simulates what is named, with the phases that its schedule really has.
pub(super) fn simulate(global: &Global, args: &SloSimulate, out: &Out) -> Result<Exit, Stop> {
    if !(0.0..=50.0).contains(&args.background) {
        return Err(Stop::file(format!(
            "--background {}: write a share from 0 to 50 percent",
            args.background
        )));
    }
    let (checked, promises) = promised(global)?;
    let names: Vec<String> = args.name.iter().cloned().collect();
    let promises = named(promises, &names)?;
    let background = args.background / 100.0;
    let answers = promises.iter().map(|promise| {
        let setting = setting(promise, &checked.compiled, background);
        let detection = setting.detection(args.trials, args.seed);
        (promise, detection, setting.false_pages(args.months, args.seed))
    });
    if args.format == FactsFormat::Json {
        out.json(&answers.map(|answer| as_json(&answer)).collect());
        return Ok(Exit::Good);
    }
    for answer in answers {
        out.raw(text(&answer, args).as_bytes());
    }
    if promises.is_empty() {
        out.note("nothing is promised: add slo: { objective: 99.9% } to a scenario");
    }
    Ok(Exit::Good)
}

type Answer<'a> = (&'a Promise, Option<Detection>, FalsePages);

/// The promise's streams with their places in the schedule.
fn setting(promise: &Promise, compiled: &Compiled<Net>, background: f64) -> Setting {
    let cadences: BTreeMap<&str, &Cadence> =
        compiled.plans.iter().map(|plan| (&*plan.stream().scenario, plan.cadence())).collect();
    let regions: Vec<Arc<str>> = promise.regions().into_iter().collect();
    let beat = |feed: &Feed| Beat {
        region: regions.iter().position(|region| *region == feed.region).unwrap_or(0),
        interval: feed.interval,
        phase: phase(feed, cadences.get(&*feed.scenario).copied()),
    };
    Setting {
        policy: promise.policy(),
        quorum: promise.quorum(),
        burns: promise.objective.is_some(),
        beats: promise.feeds.iter().map(beat).collect(),
        background,
    }
}

/// When the first run after the epoch is; cron has no phase and begins with the interval.
fn phase(feed: &Feed, cadence: Option<&Cadence>) -> Duration {
    let every = cadence.filter(|cadence| matches!(cadence, Cadence::Every { .. }));
    let stream = Stream::new(Arc::clone(&feed.scenario), Arc::clone(&feed.region));
    let epoch = Timestamp::from_millis(0);
    let first = every.and_then(|cadence| Timetable::new(cadence, &stream).ok()?.first_from(epoch));
    first.map_or(Duration::ZERO, |first| first.since(epoch))
}

fn text((promise, detection, pages): &Answer<'_>, args: &SloSimulate) -> String {
    let policy = promise.policy();
    let mut text = format!(
        "{}: {} region{}, a run every {}\n\n",
        promise.name,
        policy.regions,
        if policy.regions == 1 { "" } else { "s" },
        show_duration(policy.interval)
    );
    let outage = match detection {
        Some(found) => format!(
            "pages after {} in the mean, within {} in 95 of 100 cases; the quorum is first in {} of them",
            seconds(found.mean),
            seconds(found.most),
            percent(found.by_quorum)
        ),
        None => "never pages: no rule looks at it".to_owned(),
    };
    let chance = format!(
        "{} pages a month, where {}% of all runs fail anyway ({:.0} runs a month)",
        rare(pages.a_month),
        args.background,
        pages.failures_a_month
    );
    for (word, sentence) in [("outage", outage), ("chance", chance)] {
        writeln!(text, "  {word:<12} {sentence}").expect("a String takes every text");
    }
    writeln!(
        text,
        "\n  {} outages and {} months with seed {}; the run's own duration comes on top, and up to 10 s until it is judged\n",
        args.trials, pages.months, args.seed
    )
    .expect("a String takes every text");
    text
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 120.0 { format!("{seconds:.0} s") } else { format!("{:.1} min", seconds / 60.0) }
}

fn rare(number: f64) -> String {
    if number == 0.0 { "0".to_owned() } else { format!("{number:.3}") }
}

fn as_json((promise, detection, pages): &Answer<'_>) -> Value {
    json!({
        "name": &*promise.name,
        "detection_mean": detection.map(|found| found.mean.as_secs_f64()),
        "detection_p95": detection.map(|found| found.most.as_secs_f64()),
        "by_quorum": detection.map(|found| found.by_quorum),
        "false_pages_a_month": pages.a_month, "months": pages.months,
        "failures_a_month": pages.failures_a_month,
    })
}
