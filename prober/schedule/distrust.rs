//! Is it the target or is it us? What is known of the prober's own health, and what that does to a run.
//!
//! Evidence is local: control targets of the operator's own choice, the resolver, the machine's own
//! counters and clocks; never an answer of the target. Where only others can tell, as in a mass change, distrust is bounded. What is doubted makes a `bad` run ineligible, and never
//! touches a good one. Distrust reaches back to the last time that all was well, so a `bad` run waits
//! ([`hold`]) until a later look settles it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`watch`] | PURE: rounds of control targets → spans of distrust; samples → spans of doubt |
//! | [`judge`] | PURE: what a run's verdict rests on, and what it becomes |
//! | [`pressure`] | PURE: the kernel's words on who waits for a processor |
//! | [`room`] | PURE: do open files or memory run out? |
//! | [`clock`] | PURE: was the wall clock stepped, and does anything keep it? |
//! | [`hold`] | runs that wait to be settled |
//! | [`bound`] | PURE: how long may be hidden what only others can tell |
//! | [`family`] | the same for one address family alone |
//! | [`mass`] | PURE: most targets turned bad at once; what other regions say of it |
//! | `targets` | the targets as a whole: who turned bad together, and who gives way |
//! | `standing` | every signal as pages and metrics show it |
//! | [`second`] | PURE: what a second resolver says of names that were not found |
//! | [`suspend`] | why no slot is run at all |
//!
//! | doubt | rests on | touches |
//! | --- | --- | --- |
//! | the network | two of three control targets fail in two rounds, or the own one | every `bad` |
//! | the resolver | the canary's name in two rounds | `bad` in the lookup; if it lies, `bad` of looked-up names |
//! | one name server of several | the canary's name, asked of each in two rounds | `bad` of lookups that ask each |
//! | the processor | late timers, throttling, steal, waiting | `bad` for a reason of time |
//! | the memory | waiting for memory | `bad` for a reason of time |
//! | the clock | a step against the monotonic clock, the kernel's own estimate of its error | `bad` for a reason of dates |
//! | the place | most targets turn bad at once, on ten hosts or more, and other regions see them well | `bad` of those |
//! | open files | four fifths of the limit in use, or a run that got none | `bad` without an answer; slots of what is not promised |

pub mod bound;
pub mod clock;
pub mod family;
pub mod hold;
pub mod judge;
pub mod mass;
pub mod pressure;
pub mod room;
pub mod second;
mod standing;
pub mod suspend;
mod targets;
pub mod watch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::outcome::Outcome;
use model::slot::Stream;
use tokio::sync::watch as latest;

use clock::Measured;
use judge::{Doubt, Rests};
use mass::Mass;
use second::{Opinion, Second};
use standing::SettledCounts;
pub use standing::Standing;
use suspend::Suspensions;
use watch::{Round, Samples, Says, Watch};

/// What is known of the prober's own health; shared by those who look and by the runner.
///
/// Nobody waits for it: every question is answered at once, and a run that cannot be settled yet is held.
#[derive(Debug)]
pub struct Doubts {
    inner: Mutex<Inner>,
    /// Counts what became known, so that held runs are looked at again.
    changed: latest::Sender<u64>,
    /// Counts the wishes for a round of control targets.
    wanted: latest::Sender<u64>,
    suspensions: Suspensions,
    mass: Mutex<Mass>,
    second: Mutex<Second>,
    /// Whether open files were short at the last look.
    files_short: AtomicBool,
    settled: SettledCounts,
    /// What was last measured of the wall clock against those of others; nobody measures on one machine alone.
    measured: Mutex<Option<Measured>>,
}

#[derive(Debug, Default)]
struct Inner {
    regions: HashMap<Arc<str>, Region>,
    /// What is watched of the machine, by [`Own`].
    machine: [Machine; Own::ALL.len()],
}

/// What the machine itself has, beside its network.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Somebody to run on.
    Processor,
    /// The wall clock.
    Clock,
    /// Open files, which sockets are.
    Files,
    /// Memory.
    Memory,
}

impl Own {
    const ALL: [Self; 4] = [Self::Processor, Self::Clock, Self::Files, Self::Memory];

    /// Its name as a signal.
    const fn signal(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Clock => "clock",
            Self::Files => "files",
            Self::Memory => "memory",
        }
    }

    /// Whether it decides about a verdict that rests on this, and what it then is.
    fn doubt(self, rests: Rests) -> Option<fn(&str) -> Doubt> {
        let (applies, doubt): (_, fn(&str) -> Doubt) = match self {
            Self::Processor => (rests.time, Doubt::processor),
            Self::Clock => (rests.dates, Doubt::clock),
            Self::Files => (rests.opening, Doubt::files),
            Self::Memory => (rests.time, Doubt::memory),
        };
        applies.then_some(doubt)
    }

    /// Whether a verdict waits for the next look; files and memory run out slowly, and a run that got none says so.
    const fn is_waited_for(self) -> bool {
        matches!(self, Self::Processor | Self::Clock)
    }
}

#[derive(Debug, Default)]
struct Machine {
    samples: Samples,
    /// Why the last doubt was.
    why: String,
}

/// What is watched for one region.
#[derive(Debug, Default)]
struct Region {
    controls: Watch,
    why_controls: String,
    /// The same of IPv4 alone, and of IPv6.
    families: [family::Known; 2],
    /// `None` if the region has no canary.
    resolver: Option<Resolver>,
    hold_max: Duration,
}

#[derive(Debug, Default)]
struct Resolver {
    watch: Watch,
    why: String,
    /// Whether it answered, and wrongly.
    lies: bool,
    /// Whether each of its name servers answers, for runs that ask each of them.
    each: Watch,
    why_each: String,
}

/// From a run's first step to its last one's end, on the monotonic clock.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// When it began.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
}

/// What becomes of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is as it is.
    Stands,
    /// It says nothing about the target.
    Doubted(Doubt),
    /// Not known yet; at most this long is waited.
    Wait(Duration),
}

impl Default for Doubts {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            changed: latest::Sender::new(0),
            wanted: latest::Sender::new(0),
            suspensions: Suspensions::default(),
            mass: Mutex::default(),
            second: Mutex::default(),
            files_short: AtomicBool::default(),
            settled: SettledCounts::default(),
            measured: Mutex::default(),
        }
    }
}

impl Doubts {
    /// Begins to watch a region, or goes on with other settings; runs are held for `hold_max` at most.
    pub fn watch(&self, region: &Arc<str>, has_canary: bool, hold_max: Duration) {
        let mut inner = self.lock();
        let region = inner.regions.entry(Arc::clone(region)).or_default();
        region.hold_max = hold_max;
        // Whether there are still control targets of each is known after the next round.
        region.families = Default::default();
        if region.resolver.is_some() != has_canary {
            region.resolver = has_canary.then(Resolver::default);
        }
    }

    /// Ends watching all regions but these.
    pub fn keep(&self, regions: &[Arc<str>]) {
        self.lock().regions.retain(|region, _| regions.contains(region));
        self.tell();
    }

    /// Notes a round of a region's control targets; `why` says what failed.
    pub fn note_controls(&self, region: &str, round: Round, why: &str) {
        let mut inner = self.lock();
        let Some(known) = inner.regions.get_mut(region) else { return };
        note((&mut known.controls, &mut known.why_controls), round, why, ("network", region));
        drop(inner);
        self.tell();
    }

    /// Notes a round of a region's canary; `lies` if it was answered, and wrongly.
    pub fn note_canary(&self, region: &str, round: Round, lies: bool, why: &str) {
        let mut inner = self.lock();
        let Some(known) = inner.regions.get_mut(region).and_then(|known| known.resolver.as_mut()) else {
            return;
        };
        if !round.passed {
            known.lies = lies;
        }
        note((&mut known.watch, &mut known.why), round, why, ("resolver", region));
        drop(inner);
        self.tell();
    }

    /// Notes whether each of the system's name servers answered in a round; `why` says which did not.
    pub fn note_name_servers(&self, region: &str, round: Round, why: &str) {
        let mut inner = self.lock();
        let Some(known) = inner.regions.get_mut(region).and_then(|known| known.resolver.as_mut()) else {
            return;
        };
        note((&mut known.each, &mut known.why_each), round, why, ("name_servers", region));
    }

    /// Notes whether something of the machine was short, or wrong, between two looks; `why` if it was.
    pub fn note(&self, own: Own, from: Instant, to: Instant, why: Option<&str>) {
        let mut inner = self.lock();
        let known = &mut inner.machine[own as usize];
        let before = known.samples.is_doubted();
        if own == Own::Files {
            self.files_short.store(why.is_some(), Ordering::Relaxed);
        }
        known.samples.note(from, to, why.is_some());
        if let Some(why) = why {
            why.clone_into(&mut known.why);
        }
        log(before, known.samples.is_doubted(), own.signal(), "", &known.why);
        drop(inner);
        self.tell();
    }

    /// Notes that it was seen to be short for a while, whatever looks say: a timer of the runtime fired late, so
    /// whatever was measured meanwhile waited too; or a run got no open file.
    pub fn note_seen(&self, own: Own, from: Instant, to: Instant, why: &str) {
        let mut inner = self.lock();
        let known = &mut inner.machine[own as usize];
        known.samples.also(from, to);
        why.clone_into(&mut known.why);
        drop(inner);
        self.tell();
    }

    /// What keeps slots from being run.
    pub const fn suspensions(&self) -> &Suspensions {
        &self.suspensions
    }

    /// Notes what was measured of the wall clock; it holds until it is measured again, or until the clock is stepped.
    pub fn note_measured(&self, measured: Option<Measured>) {
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = measured;
    }

    /// What was last measured of the wall clock.
    pub fn measured(&self) -> Option<Measured> {
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a run of a stream says of the machine, and of the targets as a whole.
    ///
    /// That the machine lacked something is told by the system, not by a target.
    pub fn hear(&self, stream: &Stream, outcome: &Outcome, ran: Ran) {
        self.lock_mass().note(stream, outcome, ran.ended);
        if let Some(name) = second::name_of(outcome) {
            self.lock_second().hear(&stream.region, name, ran.began);
        }
        let Some(failure) = &outcome.failure else { return };
        let own = match &*failure.error_type {
            "local.fd" => Own::Files,
            "local.memory" => Own::Memory,
            _ => return,
        };
        self.note_seen(own, ran.began, ran.ended, &failure.message);
    }

    /// What becomes of a run in a region.
    ///
    /// A run whose region is not watched stands, but for what is doubted of the whole machine.
    pub fn judge(&self, region: &str, outcome: &Outcome, ran: Ran) -> Judgement {
        let Some(rests) = Rests::of(outcome) else { return Judgement::Stands };
        let inner = self.lock();
        let known = inner.regions.get(region);
        let resolver = known.and_then(|known| known.resolver.as_ref());
        let on_resolver = resolver.filter(|_| rests.lookup || rests.looked_up);
        let named = if on_resolver.is_some() { second::name_of(outcome) } else { None };
        let error_type = outcome.failure.as_ref().map_or("", |failure| &*failure.error_type);
        let second = named.map(|name| self.lock_second().says(region, (name, error_type), ran.began));
        if let (Some(Opinion::Otherwise), Some(name)) = (second, named) {
            return Judgement::Doubted(Doubt::resolver(&format!("a second resolver knows {name}")));
        }
        // Two say the same: what is doubted of the first does not matter. Nor does it before the second was asked.
        let on_resolver = on_resolver.filter(|_| second.is_none_or(|said| said == Opinion::Nothing));
        let mut asked: Vec<Asked<'_>> = Vec::with_capacity(7);
        for own in Own::ALL {
            let Machine { samples, why } = &inner.machine[own as usize];
            if let Some(doubt) = own.doubt(rests)
                && (own.is_waited_for() || samples.says(ran.began, ran.ended) == Some(true))
            {
                asked.push((samples, true, doubt, why));
            }
        }
        if let Some(known) = on_resolver {
            // A resolver that is silent breaks lookups; one that lies, whatever was found by them.
            asked.push((&known.watch, rests.lookup || known.lies, Doubt::resolver, &known.why));
            if rests.own_resolver && rests.lookup && known.each.looks().0 > 0 {
                asked.push((&known.each, true, Doubt::resolver, &known.why_each));
            }
        }
        if let Some(known) = known {
            asked.push((&known.controls, true, Doubt::network, &known.why_controls));
        }
        let mut waits = second == Some(Opinion::Waits);
        for (watched, applies, doubt, why) in asked {
            match watched.says(ran.began, ran.ended) {
                Some(true) if applies => return Judgement::Doubted(doubt(why)),
                Some(_) => {}
                None => waits = true,
            }
        }
        match known.and_then(|known| known.of_families(outcome, ran)) {
            Some(Judgement::Wait(_)) => waits = true,
            Some(judged) => return judged,
            None => {}
        }
        match (waits, known) {
            (false, _) => Judgement::Stands,
            (true, known) => Judgement::Wait(known.map_or(SAMPLE_WAIT, |known| known.hold_max)),
        }
    }

    /// Whether the machine was short of something from `from` to `to`; `None` if that is not known yet.
    pub fn was_short(&self, from: Instant, to: Instant) -> Option<bool> {
        let inner = self.lock();
        let said = Own::ALL.iter().filter(|own| !matches!(own, Own::Clock));
        let said: Vec<_> = said.map(|own| inner.machine[*own as usize].samples.says(from, to)).collect();
        if said.contains(&Some(true)) {
            return Some(true);
        }
        said.iter().all(Option::is_some).then_some(false)
    }

    /// Asks for a round of control targets as soon as may be.
    pub fn want_round(&self) {
        self.wanted.send_modify(|count| *count += 1);
    }

    /// Sees the wishes for a round from now on; one that comes during a round is for the next.
    pub fn wishes(&self) -> latest::Receiver<u64> {
        self.wanted.subscribe()
    }

    /// Sees what becomes known from now on.
    pub fn changes(&self) -> latest::Receiver<u64> {
        self.changed.subscribe()
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked, whether its doubt applies to the run, that doubt, and why it was.
type Asked<'a> = (&'a dyn Says, bool, fn(&str) -> Doubt, &'a str);

/// How long a run of a region without control targets waits for the next look at the machine.
const SAMPLE_WAIT: Duration = Duration::from_secs(5);

/// Takes a round into a watch, keeps why it failed, and tells of a doubt that begins or ends; the last are signal and region.
fn note((watch, kept): (&mut Watch, &mut String), round: Round, why: &str, (signal, region): (&str, &str)) {
    let before = watch.is_doubted();
    watch.note(round);
    if !round.passed {
        why.clone_into(kept);
    }
    log(before, watch.is_doubted(), signal, region, kept);
}

/// Says once that a doubt begins, and once that it ends.
fn log(before: bool, now: bool, signal: &str, region: &str, why: &str) {
    match (before, now) {
        (false, true) => tracing::warn!(
            signal,
            region,
            why,
            "the prober doubts itself: what is bad meanwhile is not counted"
        ),
        (true, false) => tracing::info!(signal, region, "the prober trusts itself again"),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
