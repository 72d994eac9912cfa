//! Rounds of control targets: what the server looks at to tell its own faults from its targets'.
//!
//! Each region has a task of its own. A round reaches the own anchor on loopback, runs every control target as
//! any scenario is run, and asks for the canary's name, all at once. After a bad run, and after a round that
//! failed, the next one comes sooner: a run that waits to be settled should not wait long.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::{Outcome, Reason, Verdict};
use model::probe::{Probe as _, RunContext};
use model::time::{Clock as _, SystemClock};
use probe::flow::Scenario;
use probe::{Canary, Shared, Sung};
use schedule::distrust::Doubts;
use schedule::distrust::family::{Tried, tried};
use schedule::distrust::watch::{Round, fails};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Rounds that were asked for come no closer than this part of the interval …
const GAP_PART: u32 = 10;
/// … or this long, if that is less.
const GAP_MAX: Duration = Duration::from_secs(1);
/// What a round may take beyond its timeout before a run that waits for it gives up.
const SLACK: Duration = Duration::from_secs(2);

/// Names that a second resolver is asked for in one round.
const NAMES_MAX: usize = 32;

/// What is looked at for one region.
#[derive(Debug)]
pub(crate) struct RegionControls {
    pub(crate) region: Arc<str>,
    pub(crate) every: Duration,
    pub(crate) timeout: Duration,
    pub(crate) targets: Vec<Arc<Scenario>>,
    pub(crate) canary: Option<Canary>,
}

/// The control targets of the plans that run now.
pub(crate) type Current = Arc<[Arc<RegionControls>]>;

impl RegionControls {
    /// How long a run waits at most to be settled: for the round that has begun before it ended, and two more
    /// that fail.
    pub(crate) fn hold_max(&self) -> Duration {
        3 * (self.timeout + self.gap()) + SLACK
    }

    fn gap(&self) -> Duration {
        (self.every / GAP_PART).min(GAP_MAX)
    }
}

/// Begins to watch the regions of `controls`, and ends to watch all others.
pub(crate) fn watch(doubts: &Doubts, controls: &Current) {
    for one in controls.iter() {
        doubts.watch(&one.region, one.canary.is_some(), one.hold_max());
    }
    let regions: Vec<_> = controls.iter().map(|one| Arc::clone(&one.region)).collect();
    doubts.keep(&regions);
}

/// Looks at control targets.
pub(crate) struct Controls {
    pub(crate) doubts: Arc<Doubts>,
    pub(crate) shared: Arc<Shared>,
    /// The own anchor.
    pub(crate) anchor: SocketAddr,
    pub(crate) current: watch::Receiver<Current>,
}

impl Controls {
    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let current = Arc::clone(&self.current.borrow_and_update());
            // Dropped with this turn of the loop: rounds of what was replaced end at once.
            let mut regions = JoinSet::new();
            for region in current.iter() {
                let look = Look {
                    doubts: Arc::clone(&self.doubts),
                    shared: Arc::clone(&self.shared),
                    anchor: self.anchor,
                    controls: Arc::clone(region),
                };
                regions.spawn(look.run());
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.current.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// The rounds of one region.
struct Look {
    doubts: Arc<Doubts>,
    shared: Arc<Shared>,
    anchor: SocketAddr,
    controls: Arc<RegionControls>,
}

impl Look {
    async fn run(self) {
        let mut wishes = self.doubts.wishes();
        loop {
            wishes.mark_unchanged();
            let began = Instant::now();
            let passed = self.round(began).await;
            let soon = Instant::now() + self.controls.gap();
            let regular = began + self.controls.every;
            if passed {
                tokio::select! {
                    () = tokio::time::sleep_until(regular.into()) => continue,
                    // The other end is ours, so it cannot be gone.
                    _wished = wishes.changed() => {}
                }
            }
            tokio::time::sleep_until(soon.into()).await;
        }
    }

    /// One round; whether all was well.
    async fn round(&self, began: Instant) -> bool {
        let controls = &*self.controls;
        let canary = async {
            match &controls.canary {
                Some(canary) => Some(self.shared.sing(canary, controls.timeout).await),
                None => None,
            }
        };
        let anchor = self.shared.reach_anchor(self.anchor, controls.timeout);
        // Told before the round is: what a round settles has both.
        let (own, targets, sung, ()) = tokio::join!(anchor, self.targets(began), canary, self.names(began));
        let failed: Vec<_> = targets.iter().filter_map(|(_, target)| target.as_ref().err()).collect();
        let why = match own {
            Err(why) => Some(format!("its own control target on loopback: {why}")),
            Ok(()) if fails(failed.len(), targets.len()) => {
                let first = failed.first().map_or("", |why| why.as_str());
                Some(format!("{} of {} control targets failed; {first}", failed.len(), targets.len()))
            }
            Ok(()) => None,
        };
        let round = Round { began, ended: Instant::now(), passed: why.is_none() };
        let said = targets.iter().map(|(tried, target)| (*tried, target.as_ref().err().map(String::as_str)));
        self.doubts.note_families(&controls.region, round, &said.collect::<Vec<_>>());
        self.doubts.note_controls(&controls.region, round, why.as_deref().unwrap_or_default());
        let mut passed = round.passed;
        if let Some(sung) = sung {
            let (right, lies, why) = match &sung {
                Sung::Right | Sung::Partly(_) => (true, false, ""),
                Sung::Silent(why) => (false, false, why.as_str()),
                Sung::Wrong(why) => (false, true, why.as_str()),
            };
            let broken = match &sung {
                Sung::Partly(why) => Some(why.as_str()),
                _ => None,
            };
            // Told first: what the canary settles has both.
            let each = Round { passed: right && broken.is_none(), ..round };
            self.doubts.note_name_servers(&controls.region, each, broken.unwrap_or(why));
            self.doubts.note_canary(&controls.region, Round { passed: right, ..round }, lies, why);
            passed &= right;
        }
        passed
    }

    /// Asks the second resolver for the names that runs did not find.
    async fn names(&self, began: Instant) {
        let (doubts, region) = (&self.doubts, &self.controls.region);
        let wanted = doubts.names_wanted(region);
        let second = self.controls.canary.as_ref().and_then(|canary| canary.second);
        let mut asked = JoinSet::new();
        for name in wanted.into_iter().take(NAMES_MAX) {
            let Some(server) = second else {
                doubts.note_name(region, &name, None, began);
                continue;
            };
            let timeout = self.controls.timeout;
            asked.spawn(async move { (probe::word_of(server, &name, timeout).await, name) });
        }
        while let Some(answered) = asked.join_next().await {
            // A panic ends the process; nobody else ends these tasks.
            if let Ok((word, name)) = answered {
                doubts.note_name(region, &name, word, began);
            }
        }
    }

    /// Runs every target at once; a target that says nothing of the network, such as one without its secret, is
    /// left out.
    async fn targets(&self, began: Instant) -> Vec<Told> {
        let mut runs = JoinSet::new();
        for target in &self.controls.targets {
            let (target, timeout) = (Arc::clone(target), self.controls.timeout);
            runs.spawn(async move {
                let started = SystemClock.now();
                let slot = target.plan().stream().slot(started);
                let outcome = target.run(&RunContext::new(slot, started, (began, began + timeout))).await;
                told(&target, &outcome)
            });
        }
        let mut all = Vec::with_capacity(self.controls.targets.len());
        while let Some(ended) = runs.join_next().await {
            // A panic ends the process; nobody else ends these tasks.
            all.extend(ended.ok().flatten());
        }
        all
    }
}

/// What a control target tried, and why it failed if it did.
type Told = (Tried, Result<(), String>);

fn told(target: &Scenario, outcome: &Outcome) -> Option<Told> {
    let tried = tried(outcome);
    match outcome.verdict() {
        Verdict::Good => return Some((tried, Ok(()))),
        Verdict::Bad => {}
        _ if outcome.reason == Reason::ProberFault => {}
        _ => return None,
    }
    let why = outcome.failure.as_ref().map_or("it was not good", |failure| failure.message.as_str());
    Some((tried, Err(format!("{}: {why}", target.plan().targets().join(", ")))))
}
