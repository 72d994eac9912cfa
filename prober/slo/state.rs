//! Everything that is known of one promise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::alert::Alert;
use model::objective::{Objective, Window};
use model::policy::{BurnRule, Policy};
use model::time::Timestamp;

use crate::adjusted::Adjusted;
use crate::budget::Budget;
use crate::burn::Burn;
use crate::expected::Rates;
use crate::history::History;
use crate::period::Going;
use crate::promise::Promise;
use crate::region::Region;
use crate::watch::{Key, Watch};

/// One promise with its state.
#[derive(Clone, Debug)]
pub(crate) struct Slo {
    pub(crate) promise: Promise,
    // Computed from the promise once.
    pub(crate) policy: Policy,
    pub(crate) burn_rules: [BurnRule; 4],
    pub(crate) quorum: u32,
    pub(crate) blind_after: Duration,
    // What was seen.
    pub(crate) kept: Kept,
    /// The same regions as the promise's, by name.
    pub(crate) regions: Vec<Region>,
    /// The maintenance that is active, and until when that is known.
    pub(crate) quiet: (Option<Arc<str>>, Timestamp),
    /// The last tick at which a maintenance was active.
    pub(crate) quiet_until: Option<Timestamp>,
    pub(crate) watches: BTreeMap<Key, Watch>,
    pub(crate) adjusted: Vec<Adjusted>,
    /// Whether anything changed that no later event or tick would make again.
    pub(crate) unsaved: bool,
}

/// The counts of a promise, whatever its objective is.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) history: History,
    pub(crate) rates: Rates,
    pub(crate) going: Option<Going>,
}

/// Hours over which a steady background of bad runs is looked for, and how many of them there must be.
const BACKGROUND_HOURS: usize = 72;
const BACKGROUND_HOURS_LEAST: usize = 24;
/// A background is as even as chance makes it: variance and mean of the hours are about equal.
const BACKGROUND_SPREAD_MAX: f64 = 2.0;

impl Slo {
    pub(crate) fn new(promise: Promise, now: Timestamp) -> Self {
        let (begin, rate) = (promise.begin.as_millis(), promise.slots_an_hour());
        let kept =
            Kept { history: History::new(&promise.windows()), rates: Rates::new(begin, rate), going: None };
        let mut slo = Self::of(promise, kept);
        slo.adjusted = slo.promise.adjustments.iter().cloned().map(Adjusted::new).collect();
        slo.begin_period(now);
        slo
    }

    /// A promise with counts from before.
    pub(crate) fn of(promise: Promise, mut kept: Kept) -> Self {
        kept.history.watch(&promise.windows());
        kept.rates.begin_at(promise.begin.as_millis());
        let longest = promise.longest_streak();
        let regions = promise.regions().into_iter().map(|name| Region::new(name, longest)).collect();
        Self {
            policy: promise.policy(),
            burn_rules: promise.burn_rules(),
            quorum: promise.quorum(),
            blind_after: promise.blind_after(),
            promise,
            kept,
            regions,
            quiet: (None, Timestamp::from_nanos(i64::MIN)),
            quiet_until: None,
            watches: BTreeMap::new(),
            adjusted: Vec::new(),
            unsaved: true,
        }
    }

    /// Takes over what was known of regions that it still has.
    pub(crate) fn adopt(&mut self, known: Vec<Region>) {
        for mut region in known {
            if let Some(own) = self.regions.iter_mut().find(|own| own.name == region.name) {
                region.streak.keep(self.promise.longest_streak());
                *own = region;
            }
        }
    }

    pub(crate) fn begin(&self) -> Timestamp {
        Timestamp::from_millis(self.kept.rates.begin())
    }

    /// Begins the calendar period of `now`, if that is not going on already.
    pub(crate) fn begin_period(&mut self, now: Timestamp) {
        let Some(Objective { window: Window::Calendar { period, timezone }, .. }) = &self.promise.objective
        else {
            self.kept.going = None;
            return;
        };
        let (from, to) = crate::period::around(*period, timezone, now);
        if self.kept.going.is_some_and(|going| going.from == from && going.to == to) {
            return;
        }
        self.unsaved = true;
        let already = self.kept.history.since(from);
        self.kept.going = Some(Going { from, to, good: already.good(), bad: already.bad() });
    }

    /// The maintenance that was active at the last tick.
    pub(crate) const fn quiet(&self) -> Option<&Arc<str>> {
        self.quiet.0.as_ref()
    }

    /// How fast the budget burned in a watched window before the tick `now`.
    pub(crate) fn burn(&self, window: Duration, now: Timestamp) -> Burn {
        let held = self.kept.history.window(window);
        let floor = self.kept.rates.planned(held.from, now.as_millis()) - held.tally.planned() as f64;
        Burn {
            window,
            bad: held.tally.bad(),
            firm_bad: held.tally.firm_bad(),
            expected: floor.max(held.tally.counted() as f64),
            budget: self.policy.target.rest(),
        }
    }

    /// The share of the expected slots of the last hour that are eligible, and the two numbers; `None` if nothing
    /// was expected.
    pub(crate) fn eligibility(&self, now: Timestamp) -> Option<(f64, (u64, f64))> {
        let eligible = self.kept.history.window(Policy::ELIGIBILITY_WINDOW).tally.eligible();
        let expected = self.burn(Policy::ELIGIBILITY_WINDOW, now).expected;
        // Less than one expected slot is no evidence.
        (expected >= 1.0).then(|| (eligible as f64 / expected, (eligible, expected)))
    }

    /// The error budget; `None` without an objective.
    pub(crate) fn budget(&self, now: Timestamp) -> Option<Budget> {
        let objective = self.promise.objective.as_ref()?;
        let (begin, now) = (self.begin(), now.as_millis());
        let (good, bad, unseen, window) = match (&objective.window, self.kept.going) {
            (Window::Rolling(length), _) => {
                let held = self.kept.history.window(*length);
                let from = now.saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
                let unseen = begin.as_millis().saturating_sub(from).max(0);
                (held.tally.good(), held.tally.bad(), unseen, *length)
            }
            (Window::Calendar { .. }, Some(going)) => {
                let before = begin.as_millis().saturating_sub(going.from.as_millis()).max(0);
                let ahead = going.to.as_millis().saturating_sub(now).max(0);
                (going.good, going.bad, before.saturating_add(ahead), going.to.since(going.from))
            }
            (Window::Calendar { .. }, None) => return None,
        };
        let whole = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let planned = unseen.min(whole) as f64 * self.kept.rates.newest() / 3_600_000.0;
        let allowed = ((good + bad) as f64 + planned) * objective.target.rest();
        Some(Budget { good, bad, allowed, window, policy: self.promise.budget_policy })
    }

    /// Whether the bad runs of the last three days are a steady background at the objective's own rate: no more than
    /// chance makes of that rate, and spread over the hours as chance spreads them.
    pub(crate) fn is_background(&self, now: Timestamp) -> bool {
        let days = self.burn(self.burn_rules[3].long, now);
        let allowed = days.budget * days.expected;
        // Three standard deviations of a Poisson count.
        if days.bad == 0
            || days.bad as f64 > allowed + 3.0 * allowed.sqrt()
            || (days.bad as f64) < allowed * 0.5
        {
            return false;
        }
        let age = usize::try_from(now.since(self.begin()).as_secs() / 3_600).unwrap_or(usize::MAX);
        let hours = age.min(BACKGROUND_HOURS);
        if hours < BACKGROUND_HOURS_LEAST {
            return false;
        }
        let bad = self.kept.history.bad_by_hour(hours);
        let (sum, squares) = bad.fold((0.0, 0.0), |(sum, squares), bad| {
            let bad = f64::from(bad);
            (sum + bad, squares + bad * bad)
        });
        let count = hours as f64;
        let mean = sum / count;
        mean > 0.0 && (squares - sum * mean) / (count - 1.0) <= BACKGROUND_SPREAD_MAX * mean
    }

    /// Bytes of memory, the promise itself left aside.
    pub(crate) fn heap_bytes(&self) -> usize {
        let regions: usize =
            self.regions.iter().map(|region| size_of::<Region>() + region.heap_bytes()).sum();
        let texts = |alert: &Alert| -> usize {
            alert.annotations.iter().map(|(name, text)| name.len() + text.capacity() + 64).sum()
        };
        let watch = |watch: &Watch| match watch {
            Watch::Firing(alert) => size_of::<Alert>() + texts(alert),
            Watch::Pending(_) => 0,
        };
        let watches: usize = self.watches.values().map(|one| size_of::<(Key, Watch)>() + watch(one)).sum();
        let adjusted: usize = self.adjusted.iter().map(Adjusted::heap_bytes).sum();
        size_of::<Self>() + self.kept.history.heap_bytes() + regions + watches + adjusted
    }

    pub(crate) fn rewind(&mut self, at: Timestamp) {
        self.unsaved = true;
        self.kept.history.rewind(at);
        self.regions.iter_mut().for_each(|region| region.rewind(at));
        self.quiet = (None, Timestamp::from_nanos(i64::MIN));
        self.quiet_until = self.quiet_until.map(|until| until.min(at));
        self.begin_period(at);
    }
}
