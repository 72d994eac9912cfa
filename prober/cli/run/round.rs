//! Every wanted scenario once: bounded, ended by the command's own limit or by a signal.
//!
//! Runs are asked to end before they are cut off, so that they clean up after themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use model::event::{SliEvent, Trigger};
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::probe::{Detail, RunContext};
use model::slot::Slot;
use model::time::{Clock as _, SystemClock, Timestamp};
use schedule::entry::Entry;
use schedule::stop::StopToken;
use tokio::task::JoinSet;

use super::progress::{self, Progress};
use crate::agent::shutdown::{Asked, Signals};
use crate::exit::{Exit, Stop};

/// How a round is run.
#[derive(Copy, Clone, Debug)]
pub(super) struct Manner {
    pub(super) in_flight: usize,
    pub(super) detail: Detail,
    pub(super) trigger: Trigger,
    /// The end of the whole command, and how long that is from its start.
    pub(super) limit: Option<(Instant, Duration)>,
}

/// What a round came to.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The runs that ended, in the entries' order.
    pub(super) events: Vec<SliEvent>,
    /// Runs that were not started.
    pub(super) not_run: usize,
    pub(super) interrupted: bool,
    pub(super) timed_out: bool,
}

/// A run in flight, as far as it is known before it ends.
#[derive(Copy, Clone, Debug)]
struct Flight {
    slot: Slot,
    started: Timestamp,
    began: Instant,
}

/// Runs `entries` once; `ended` sees each run as it ends and says whether no more shall start.
pub(super) async fn round(
    entries: &[Entry],
    manner: Manner,
    (signals, progress): (&mut Signals, &mut Progress),
    mut ended: impl FnMut(&mut Progress, &SliEvent) -> bool,
) -> Result<Round, Stop> {
    let mut runs: JoinSet<(usize, SliEvent)> = JoinSet::new();
    let mut flights: BTreeMap<usize, Arc<OnceLock<Flight>>> = BTreeMap::new();
    let mut events: BTreeMap<usize, SliEvent> = BTreeMap::new();
    let (mut next, mut halted) = (0, false);
    let mut round = Round::default();
    let mut ending = Ending::default();
    let mut tick = tokio::time::interval(progress::EVERY);
    loop {
        while !halted && next < entries.len() && runs.len() < manner.in_flight {
            let (index, entry) = (next, entries[next].clone());
            let flight = Arc::clone(flights.entry(index).or_default());
            let stop = ending.stop.clone();
            // A run begins when a thread takes it up, not when it is queued for one.
            runs.spawn(async move {
                let flight = *flight.get_or_init(|| start(&entry));
                (index, run_one(entry, (flight, stop), manner).await)
            });
            next += 1;
        }
        tokio::select! {
            joined = runs.join_next() => match joined {
                Some(Ok((index, mut event))) => {
                    flights.remove(&index);
                    if round.timed_out && event.outcome.reason == Reason::Cancelled {
                        event.outcome.failure = Some(limit_is_over(manner));
                    }
                    halted |= ended(progress, &event);
                    events.insert(index, event);
                }
                Some(Err(error)) => {
                    return Err(Stop { exit: Exit::Ineligible, message: format!("a run broke: {error}") });
                }
                None => break,
            },
            asked = signals.next() => if asked == Asked::Stop {
                // The second one ends at once.
                if round.interrupted {
                    break;
                }
                (round.interrupted, halted) = (true, true);
                ending.begin(&flights, entries);
            },
            () = until(manner.limit), if !round.timed_out => {
                (round.timed_out, halted) = (true, true);
                ending.begin(&flights, entries);
            },
            () = until(ending.at.map(|at| (at, Duration::ZERO))) => {
                let begun = flights.iter().filter_map(|(index, flight)| Some((*index, *flight.get()?)));
                events.extend(begun.map(|(index, flight)| (index, cut_off(&entries[index], flight, manner))));
                break;
            },
            _ = tick.tick(), if progress.is_wanted() => {
                let now = flights.keys().next().map(|index| entries[*index].origin.stream.to_string());
                progress.draw(events.len(), entries.len(), &now.unwrap_or_default());
            },
        }
    }
    runs.abort_all();
    round.not_run = entries.len() - events.len();
    round.events = events.into_values().collect();
    Ok(round)
}

/// How runs in flight are ended.
#[derive(Debug, Default)]
struct Ending {
    stop: StopToken,
    /// When those that have not ended by themselves are cut off.
    at: Option<Instant>,
}

impl Ending {
    /// Asks the runs to end, and gives them the time to clean up.
    fn begin(&mut self, flights: &BTreeMap<usize, Arc<OnceLock<Flight>>>, entries: &[Entry]) {
        self.stop.0.cancel();
        let grace = flights.keys().map(|index| entries[*index].grace).max().unwrap_or_default();
        self.at.get_or_insert(Instant::now() + grace + CUT_OFF);
    }
}

/// How much longer than its grace a run may take to end.
const CUT_OFF: Duration = Duration::from_secs(2);

async fn until(limit: Option<(Instant, Duration)>) {
    match limit {
        Some((at, _)) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn start(entry: &Entry) -> Flight {
    let clock = SystemClock;
    let (started, began) = (clock.now(), clock.monotonic());
    Flight { slot: entry.origin.stream.slot(started), started, began }
}

async fn run_one(entry: Entry, (flight, stop): (Flight, StopToken), manner: Manner) -> SliEvent {
    let Flight { slot, started, began } = flight;
    let deadline = began + entry.timeout;
    let context = RunContext {
        detail: manner.detail,
        stop: Arc::new(stop),
        ..RunContext::new(slot, started, (began, deadline))
    };
    let outcome = entry.probe.run(&context).await;
    event(&entry, flight, outcome, manner.trigger)
}

/// The failure of a run that the command's own limit has ended: our doing, so it says nothing about the target.
fn limit_is_over(manner: Manner) -> Failure {
    let why = match manner.limit.filter(|(at, _)| *at <= Instant::now()) {
        Some((_, limit)) => format!("cut off while it ran: --timeout {limit:?} was over"),
        None => "cut off while it ran: it did not end when it was asked to".to_owned(),
    };
    Failure::new(FailureClass::Local, "local.cancelled", why)
}

/// The event of a run that did not end although it was asked to.
fn cut_off(entry: &Entry, flight: Flight, manner: Manner) -> SliEvent {
    let mut outcome = Outcome::empty(Reason::Cancelled);
    outcome.duration = flight.began.elapsed();
    outcome.failure = Some(limit_is_over(manner));
    event(entry, flight, outcome, manner.trigger)
}

fn event(entry: &Entry, flight: Flight, outcome: Outcome, trigger: Trigger) -> SliEvent {
    SliEvent {
        origin: Arc::clone(&entry.origin),
        slot: flight.slot,
        attempt: 0,
        trigger,
        started: Some(flight.started),
        finished: Some(flight.started.plus(flight.began.elapsed())),
        recorded: SystemClock.now(),
        outcome,
    }
}
