//! `prober slo check`: whether so few runs can show what is promised, and whether trouble stands out from noise.

use std::collections::BTreeMap;
use std::time::Duration;

use model::outcome::Verdict;
use model::policy::Policy;
use model::slot::Stream;
use model::time::{Clock as _, SystemClock};
use scenario::slo::Sums;
use scenario::units::show_duration;
use slo::promise::Promise;
use store::Reader;

use super::super::args::{Global, SloCheck};
use super::super::out::Out;
use super::super::place::data;
use super::standings::each;
use super::{as_slo, named, percent, promised};
use crate::exit::{Exit, Stop};

/// An objective can be paged for if so many failures an hour are needed to burn too fast.
const FAILURES_LEAST: f64 = 3.0;
/// How far back noise is looked for.
const NOISE_WITHIN: Duration = Duration::from_hours(14 * 24);
/// Fewer runs than this say nothing about noise.
const RUNS_LEAST: u64 = 1_000;

/// Prints the row of each objective's table, and what is to be said of it.
pub(super) fn check(global: &Global, args: &SloCheck, out: &Out) -> Result<Exit, Stop> {
    let (_, promises) = promised(global)?;
    let names: Vec<String> = args.name.iter().cloned().collect();
    let promises = named(promises, &names)?;
    let noise = noise(&data(global, args.data.as_ref())?, &promises)?;
    let mut said = 0;
    for promise in &promises {
        let Some(row) = row(promise) else { continue };
        out.line(&row);
        let warnings = measurable(promise).into_iter().chain(over_noise(promise, noise.get(&*promise.name)));
        for warning in warnings {
            said += 1;
            out.note(&format!("warning: {warning}"));
        }
    }
    if promises.iter().all(|promise| promise.objective.is_none()) {
        out.note("nothing is promised: add slo: { objective: 99.9% } to a scenario");
    }
    Ok(if args.strict && said > 0 { Exit::File } else { Exit::Good })
}

/// `cart: 3 × 30s at 99.9%: 259200 runs in 30d, 259.2 may be bad, one costs 0.39%; trips at 6 / 13 bad runs, pages at …`
fn row(promise: &Promise) -> Option<String> {
    let objective = promise.objective.as_ref()?;
    let sums = Sums::of(&as_slo(promise))?;
    let policy = sums.policy;
    let hours = |hours| Duration::from_hours(hours);
    Some(format!(
        "{}: {} × {} at {}: {:.0} runs in {}, {:.1} may be bad, one costs {}; burns of {} in 1h / {} in 6h are {} / {} \
         bad runs, and prober pages from {} / {}",
        promise.name,
        policy.regions,
        show_duration(policy.interval),
        objective.target,
        sums.runs,
        objective.window,
        sums.budget,
        percent(sums.cost_of_one),
        Policy::FAST,
        Policy::SLOW,
        policy.bad_to_exceed(Policy::FAST, hours(1)),
        policy.bad_to_exceed(Policy::SLOW, hours(6)),
        policy.bad_to_page(&sums.fast),
        policy.bad_to_page(&sums.slow),
    ))
}

/// Too few runs an hour to page by burn rate: what would be enough.
fn measurable(promise: &Promise) -> Option<String> {
    let objective = promise.objective.as_ref()?;
    let policy = promise.policy();
    let runs = policy.runs_in(Duration::from_hours(1));
    let share = Policy::FAST * objective.target.rest();
    // 208.3 an hour at 99.9 % are 209 whole ones.
    let least = (FAILURES_LEAST / share).ceil();
    (runs * share < FAILURES_LEAST - 1e-9).then(|| {
        format!(
            "{}: {runs:.0} runs an hour, and {least:.0} are needed before a burn rate can page at {}: fewer than \
             {FAILURES_LEAST:.0} failures already burn too fast, so prober's floors decide and not the objective",
            promise.name, objective.target
        )
    })
}

/// Runs of one promise, and how many failed alone.
#[derive(Copy, Clone, Debug, Default)]
struct Noise {
    runs: u64,
    alone: u64,
}

/// The objective is so close to what fails anyway that nothing else can be seen.
fn over_noise(promise: &Promise, noise: Option<&Noise>) -> Option<String> {
    let objective = promise.objective.as_ref()?;
    let noise = noise.filter(|noise| noise.runs >= RUNS_LEAST)?;
    let floor = noise.alone as f64 / noise.runs as f64;
    (floor > 0.0 && floor * 2.0 >= objective.target.rest()).then(|| {
        format!(
            "{}: {} of {} runs failed alone, between good ones: {}. Promised is at most {}, which is less than twice \
             that noise; promise less, or find what makes it",
            promise.name,
            noise.alone,
            noise.runs,
            percent(floor),
            percent(objective.target.rest())
        )
    })
}

/// What failed alone in the stored runs: a bad run before and after which the same stream was good.
fn noise(dir: &std::path::Path, promises: &[Promise]) -> Result<BTreeMap<String, Noise>, Stop> {
    let mut found = BTreeMap::new();
    if !dir.exists() || promises.is_empty() {
        return Ok(found);
    }
    let mut reader = Reader::open(dir).map_err(|error| Stop::environment(error.to_string()))?;
    let now = SystemClock.now();
    let mut streams: BTreeMap<Stream, ([bool; 2], Noise)> = BTreeMap::new();
    each(&mut reader, now.minus(NOISE_WITHIN), now, |event| {
        let verdict = event.verdict();
        if !verdict.is_eligible() || !event.trigger.is_scheduled() {
            return;
        }
        let ([before, last], noise) = streams.entry(event.origin.stream.clone()).or_default();
        let is_bad = verdict == Verdict::Bad;
        noise.runs += 1;
        noise.alone += u64::from(*last && !*before && !is_bad);
        (*before, *last) = (*last, is_bad);
    })?;
    for promise in promises {
        let noise = found.entry(promise.name.to_string()).or_insert_with(Noise::default);
        let own = streams.iter().filter(|(stream, _)| {
            promise.feeds.iter().any(|feed| feed.scenario == stream.scenario && feed.region == stream.region)
        });
        for (_, (_, of_stream)) in own {
            noise.runs += of_stream.runs;
            noise.alone += of_stream.alone;
        }
    }
    Ok(found)
}
