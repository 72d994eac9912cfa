//! Which slots are due, who waits, who runs. Chooses and counts; the loop around it sleeps and wakes.
//!
//! | module | holds |
//! | --- | --- |
//! | [`plans`] | entries that come, change and go |
//! | [`due`] | slots whose time has come: run, to wait, or missed |
//! | [`held`] | runs that wait until it is known whose fault they are |
//! | [`handing`] | what goes to the store, and up to where all of it has gone |
//! | [`ending`] | no new runs, and the end of those in flight |

mod due;
mod ending;
mod handing;
mod held;
mod plans;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::high_mark::{HighMark, merged};
use model::outcome::Reason;
use model::slot::Stream;
use model::time::{Clock, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::places::{Scheduled, StreamState, Waiting};
use super::run::{Finished, NotBegun, Run};
use super::{Gauges, Limits, SLEEP_MAX, STEP_MIN, Sink, bump, instant_of};
use crate::distrust::Doubts;
use crate::distrust::hold::Hold;
use crate::entry::Entry;
use crate::lag::Lag;
use crate::misses::{Missed, Misses};
use crate::stop::StopToken;

/// The most misses that wait for the store, beside two for each stream.
const MISSES_MAX: usize = if cfg!(test) { 20 } else { 10_000 };
/// How long the store is given to take some of too many.
const STORE_WAIT: Duration = Duration::from_millis(10);

pub(super) struct State<S, C> {
    sink: S,
    clock: Arc<C>,
    limits: Limits,
    gauges: Arc<Gauges>,
    scheduled: Vec<Option<Scheduled>>,
    free: Vec<usize>,
    due: BinaryHeap<Reverse<(i64, usize)>>,
    streams: Vec<StreamState>,
    numbers: HashMap<Stream, usize>,
    waiting: VecDeque<Waiting>,
    waiting_slow: VecDeque<Waiting>,
    runs: JoinSet<Finished>,
    slow_in_flight: usize,
    misses: Misses,
    lag: Arc<Mutex<Lag>>,
    /// What is known of the prober's own health, and what is new of it.
    doubts: Option<(Arc<Doubts>, watch::Receiver<u64>)>,
    /// Runs that are not settled, or whose event the store has not taken.
    hold: Hold,
    /// When the held runs were last looked at.
    settled_at: Instant,
    /// Whether more is known since then.
    look_now: bool,
    /// Asks every run in flight to end.
    stop: StopToken,
    draining: bool,
    /// Every slot before it has been dealt with, or waits for a permit, or runs.
    dealt: Timestamp,
    /// Whether there was a timetable yet; before it nothing is expected, and `dealt` stays.
    begun: bool,
    /// When the loop meant to wake up.
    planned: Option<Instant>,
    /// Wall and monotonic clock when last compared.
    clocks: (Timestamp, Instant),
    /// The wall clock jumped to here: slots before it that are late were jumped over.
    stepped_to: Option<Timestamp>,
}

impl<S: Sink, C: Clock> State<S, C> {
    pub(super) fn new(sink: S, clock: Arc<C>, limits: Limits, gauges: Arc<Gauges>, from: Timestamp) -> Self {
        let clocks = (clock.now(), clock.monotonic());
        Self {
            sink,
            clock,
            limits,
            gauges,
            scheduled: Vec::new(),
            free: Vec::new(),
            due: BinaryHeap::new(),
            streams: Vec::new(),
            numbers: HashMap::new(),
            waiting: VecDeque::new(),
            waiting_slow: VecDeque::new(),
            runs: JoinSet::new(),
            slow_in_flight: 0,
            misses: Misses::default(),
            lag: Arc::default(),
            doubts: None,
            hold: Hold::default(),
            settled_at: clocks.1,
            look_now: false,
            stop: StopToken::default(),
            draining: false,
            dealt: from,
            begun: false,
            planned: None,
            clocks,
            stepped_to: None,
        }
    }

    /// The same, which asks `doubts` about what is bad.
    pub(super) fn doubting(self, doubts: Option<Arc<Doubts>>) -> Self {
        Self { doubts: doubts.map(|doubts| (Arc::clone(&doubts), doubts.changes())), ..self }
    }

    /// Deals with everything that is due now.
    pub(super) fn turn(&mut self) {
        while let Some(finished) = self.runs.try_join_next() {
            self.settle(finished);
        }
        self.compare_clocks();
        self.look_at_held();
        if let Some(planned) = self.planned.take() {
            self.lag.lock().unwrap_or_else(PoisonError::into_inner).note(planned, self.clocks.1);
        }
        let now = self.clocks.0;
        self.start_waiting(now);
        while let Some(Reverse((due, index))) = self.due.peek().copied() {
            if due > now.as_millis() || self.has_enough() {
                break;
            }
            self.due.pop();
            self.slot(index, now);
        }
        if self.begun {
            self.dealt = self.dealt.max(Timestamp::from_millis(now.as_millis() + 1));
        }
        self.flush();
    }

    /// Whether so many misses wait that the store takes some of them first: a few for each stream, and those of a jump.
    fn has_enough(&self) -> bool {
        self.misses.len() >= MISSES_MAX + 2 * self.streams.len()
    }

    /// The monotonic instant at which the next slot is due or the next wait ends.
    pub(super) fn wake(&mut self) -> Instant {
        let (wall, monotonic) = (self.clock.now(), self.clock.monotonic());
        let mut wake = monotonic + SLEEP_MAX;
        if self.has_enough() {
            wake = monotonic + STORE_WAIT;
        } else if let Some(Reverse((due, _))) = self.due.peek() {
            wake = wake.min(instant_of(Timestamp::from_millis(*due), wall, monotonic));
        }
        for waiting in [self.waiting.front(), self.waiting_slow.front()].into_iter().flatten() {
            wake = wake.min(instant_of(self.expires(waiting), wall, monotonic));
        }
        if !self.misses.is_empty() || self.hold.oldest_settled().is_some() {
            wake = wake.min(monotonic + SLEEP_MAX / 10);
        }
        self.planned = Some(wake);
        wake
    }

    /// Waits for a run to end, or until more is known of those that are held; for ever if nothing can come.
    pub(super) async fn news(&mut self) {
        let Self { runs, doubts, hold, .. } = self;
        let ended = async {
            match runs.join_next().await {
                Some(finished) => finished,
                None => std::future::pending().await,
            }
        };
        let more = async {
            match doubts {
                // The other end is ours, so it cannot be gone.
                Some((_, changes)) if hold.waiting() > 0 => drop(changes.changed().await),
                _ => std::future::pending().await,
            }
        };
        let finished = tokio::select! { finished = ended => Some(finished), () = more => None };
        match finished {
            Some(finished) => self.settle(finished),
            None => self.look_now = true,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.runs.len()
    }

    /// The border for a new timetable: no slot at or after it has been dealt with yet.
    ///
    /// A clock that was stepped back does not move it: slots that were dealt with stay so.
    pub(super) const fn border(&self) -> Timestamp {
        self.dealt
    }

    fn compare_clocks(&mut self) {
        let (wall, monotonic) = (self.clock.now(), self.clock.monotonic());
        let moved = wall.seconds_since(self.clocks.0);
        let passed = monotonic.saturating_duration_since(self.clocks.1).as_secs_f64();
        if moved - passed > STEP_MIN {
            tracing::warn!(seconds = moved - passed, "the wall clock was stepped forward");
            self.stepped_to = Some(wall);
        } else if passed - moved > STEP_MIN {
            tracing::warn!(
                seconds = passed - moved,
                until = %self.dealt,
                "the wall clock was stepped back; no slot runs twice, and until then each has had its turn"
            );
        }
        self.clocks = (wall, monotonic);
    }

    /// What slots are missed for though they could be run.
    fn suspended(&self) -> Option<Reason> {
        self.doubts.as_ref()?.0.suspensions().reason()
    }

    /// Whether the place's stream gives way to others because open files are short.
    fn sheds(&self, index: usize) -> bool {
        let stream = self.scheduled[index].as_ref().map(|place| &place.entry.origin.stream);
        self.doubts.as_ref().zip(stream).is_some_and(|((doubts, _), stream)| doubts.sheds(stream))
    }

    fn may_start(&self, slow: bool) -> bool {
        self.runs.len() < self.limits.in_flight_max && (!slow || self.slow_in_flight < self.limits.slow_max())
    }

    fn start(&mut self, index: usize, scheduled: Timestamp) {
        let Some(place) = &mut self.scheduled[index] else { return };
        let maintenance = place.maintenance(scheduled);
        let (entry, number) = (Arc::clone(&place.entry), place.stream);
        let stream = &mut self.streams[number];
        let kept = || self.sink.high_marks(&entry.origin.stream);
        let high_marks = Arc::clone(stream.high_marks.get_or_insert_with(kept));
        stream.running = Some((scheduled, Arc::clone(&entry)));
        stream.counted_slow = stream.slow;
        self.slow_in_flight += usize::from(stream.slow);
        let run = Run {
            stream: number,
            slot: entry.origin.stream.slot(scheduled),
            entry,
            maintenance,
            sink: self.sink.clone(),
            clock: Arc::clone(&self.clock),
            lag: Arc::clone(&self.lag),
            stop: self.stop.clone(),
            high_marks,
            doubts: self.doubts.as_ref().map(|(doubts, _)| Arc::clone(doubts)),
            behind: self.hold.has(number),
        };
        self.runs.spawn(run.run());
        bump(&self.gauges.started);
        self.gauges.in_flight.store(self.runs.len(), Ordering::Relaxed);
    }

    fn settle(&mut self, finished: Result<Finished, tokio::task::JoinError>) {
        let finished = match finished {
            Ok(finished) => finished,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => return,
        };
        self.move_on(finished.stream, &finished.high_marks);
        if let Some(held) = finished.held {
            self.hold.push(*held);
        }
        let Some(not_begun) = finished.not_begun else {
            self.free_stream(finished.stream, Some(finished.took));
            return;
        };
        let now = self.clock.now();
        if let Some((scheduled, entry)) = self.free_stream(finished.stream, None) {
            let NotBegun { reason, maybe_sent } = not_begun;
            let (origin, step_ms) = (&entry.origin, entry.timetable.step_ms());
            self.misses.add(&Missed { origin, reason, scheduled, step_ms, maybe_sent }, now);
        }
    }

    fn move_on(&mut self, stream: usize, marks: &[HighMark]) {
        if !marks.is_empty() {
            // The store may not have them yet when the next run begins.
            let known = &mut self.streams[stream].high_marks;
            *known = Some(merged(known.as_deref().unwrap_or_default(), marks).into());
        }
    }

    fn free_stream(&mut self, number: usize, took: Option<Duration>) -> Option<(Timestamp, Arc<Entry>)> {
        let stream = &mut self.streams[number];
        self.slow_in_flight -= usize::from(std::mem::take(&mut stream.counted_slow));
        let ran = stream.running.take();
        if let (Some(took), Some((_, entry))) = (took, &ran) {
            stream.slow = took > entry.timeout / 2;
        }
        self.gauges.in_flight.store(self.runs.len(), Ordering::Relaxed);
        ran
    }

    /// Gives permits to slots that wait, and gives up those whose tolerance has passed.
    fn start_waiting(&mut self, now: Timestamp) {
        for slow in [false, true] {
            while let Some(first) = if slow { self.waiting_slow.front() } else { self.waiting.front() } {
                let expired = now >= self.expires(first);
                let suspended = self.suspended();
                if !expired && !self.draining && suspended.is_none() && !self.may_start(slow) {
                    break;
                }
                let queue = if slow { &mut self.waiting_slow } else { &mut self.waiting };
                let Some(Waiting { index, scheduled }) = queue.pop_front() else { break };
                if self.draining {
                    self.miss(index, scheduled, Reason::Drain, now);
                } else if let Some(reason) = suspended {
                    self.miss(index, scheduled, reason, now);
                } else if expired {
                    self.miss(index, scheduled, Reason::Overload, now);
                } else if self.is_running(index) {
                    // Slots of an old and a new schedule of one stream may both have waited.
                    self.miss(index, scheduled, Reason::Overlap, now);
                } else if self.is_fenced(index, scheduled) {
                    self.miss(index, scheduled, Reason::NoLease, now);
                } else {
                    self.start(index, scheduled);
                }
            }
        }
    }

    /// Whether the stream of this place has a run in flight.
    fn is_running(&self, index: usize) -> bool {
        self.scheduled[index].as_ref().is_some_and(|place| self.streams[place.stream].running.is_some())
    }

    /// Whether another prober may have this place's work by now.
    fn is_fenced(&self, index: usize, scheduled: Timestamp) -> bool {
        let now = self.clock.monotonic();
        self.scheduled[index].as_ref().is_some_and(|place| place.entry.is_fenced(scheduled, now))
    }

    fn expires(&self, waiting: &Waiting) -> Timestamp {
        let tolerance = self.scheduled[waiting.index].as_ref().map(|place| place.entry.timetable.tolerance());
        waiting.scheduled.plus(tolerance.unwrap_or_default())
    }

    fn miss(&mut self, index: usize, scheduled: Timestamp, reason: Reason, now: Timestamp) {
        let Some(place) = &self.scheduled[index] else { return };
        let (origin, step_ms) = (&place.entry.origin, place.entry.timetable.step_ms());
        self.misses.add(&Missed { origin, reason, scheduled, step_ms, maybe_sent: false }, now);
    }
}
