//! What the last events of a stream say about its promise. Pure: no store, no clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::outcome::{Reason, Verdict};
use model::time::Timestamp;
use store::EventSummary;

use crate::sources::ScenarioCard;

/// Whether a promise holds.
///
/// The order is the order of rows: what needs a person comes first.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// The latest eligible event is bad.
    Broken(Reason),
    /// The latest events are not eligible, or there should be one and is not: nobody knows.
    Unknown(Silence),
    /// There was no slot yet.
    Waiting,
    /// The latest eligible event is good.
    Holds,
}

/// Why nobody knows.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Silence {
    /// A slot is over and left no event.
    Overdue,
    /// The newest events are all of this kind or another that is not eligible.
    NotEligible(Reason),
}

impl State {
    /// The word on pages and in the API.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Broken(_) => "broken",
            Self::Unknown(_) => "unknown",
            Self::Waiting => "waiting",
            Self::Holds => "good",
        }
    }

    /// All words.
    pub(crate) const WORDS: [&str; 4] = ["broken", "unknown", "waiting", "good"];
}

/// Since when a promise is broken.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// The first bad slot after a good one.
    Slot(Timestamp),
    /// At least since this slot; what was before was not looked at.
    Before(Timestamp),
    /// Every eligible event there is, from this one on, is bad.
    Always(Timestamp),
}

/// So many newest events without an eligible one make a promise unknown.
const BLIND_AFTER: usize = 3;
/// How long after its timeout an event may still be on its way into the store.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

/// The state of a stream by its scheduled events, the newest first.
pub(crate) fn state(card: &ScenarioCard, newest: &[EventSummary], now: Timestamp) -> State {
    let Some(last) = newest.first() else { return State::Waiting };
    let eligible = newest.iter().position(|event| event.reason.verdict().is_eligible());
    if let Some(index) = eligible
        && newest[index].reason.verdict() == Verdict::Bad
    {
        return State::Broken(newest[index].reason);
    }
    if is_overdue(card, last.slot.scheduled, now) {
        return State::Unknown(Silence::Overdue);
    }
    match eligible {
        Some(index) if index < BLIND_AFTER => State::Holds,
        _ => State::Unknown(Silence::NotEligible(last.reason)),
    }
}

/// Whether the slot after `last` should have had its event by `now`.
pub(crate) fn is_overdue(card: &ScenarioCard, last: Timestamp, now: Timestamp) -> bool {
    let next = (card.next_slot)(last.plus(Duration::from_millis(1)));
    next.is_some_and(|slot| slot.plus(card.timeout).plus(ON_ITS_WAY) < now)
}

/// Since when the stream is bad, as far as `newest` goes; `all` says whether there are no older events.
pub(crate) fn since(newest: &[EventSummary], all: bool) -> Option<Since> {
    let mut first_bad = None;
    for event in newest {
        match event.reason.verdict() {
            Verdict::Bad => first_bad = Some(event.slot.scheduled),
            Verdict::Good => return first_bad.map(Since::Slot),
            Verdict::Ineligible | Verdict::Missed => {}
        }
    }
    first_bad.map(if all { Since::Always } else { Since::Before })
}

/// What became of recent slots through the prober's own doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Slots looked at.
    pub(crate) slots: u64,
    /// Missed ones by reason, the most frequent first.
    pub(crate) missed: Vec<(Reason, u64)>,
    /// Ineligible ones by reason, planned absences and declared ones left out.
    pub(crate) ineligible: Vec<(Reason, u64)>,
    /// Scenarios with a missed or ineligible slot.
    pub(crate) scenarios: BTreeSet<Arc<str>>,
}

impl Losses {
    /// Whether a slot with this reason says nothing, and nobody wanted that.
    pub(crate) fn is_one(reason: Reason) -> bool {
        match reason.verdict() {
            Verdict::Missed => true,
            Verdict::Ineligible => !is_wanted(reason),
            Verdict::Good | Verdict::Bad => false,
        }
    }

    /// Counts so many slots; see [`Losses::is_one`].
    pub(crate) fn add(&mut self, reason: Reason, count: u64) {
        let list = if reason.verdict() == Verdict::Missed { &mut self.missed } else { &mut self.ineligible };
        match list.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, known)) => *known += count,
            None => list.push((reason, count)),
        }
    }

    /// Brings the most frequent reasons to the front.
    pub(crate) fn sort(&mut self) {
        for list in [&mut self.missed, &mut self.ineligible] {
            list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        }
    }
}

/// What is shown of a span of time: the worst of what happened in it, in this order.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    /// Nothing: a gap.
    #[default]
    None,
    /// Good.
    Good,
    /// Nobody ran it.
    Missed,
    /// Ineligible.
    Ineligible,
    /// Ineligible through the prober's own fault.
    Ours,
    /// Right answer, wrong time.
    Warn,
    /// Bad.
    Bad,
}

impl Cell {
    /// The cell of a slot with this reason.
    pub(crate) const fn of(reason: Reason) -> Self {
        match reason.verdict() {
            Verdict::Good => Self::Good,
            Verdict::Missed => Self::Missed,
            Verdict::Bad if is_amber(reason) => Self::Warn,
            Verdict::Bad => Self::Bad,
            Verdict::Ineligible if is_ours(reason) => Self::Ours,
            Verdict::Ineligible => Self::Ineligible,
        }
    }

    /// Its shape's name; a blank for a gap.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::None => ' ',
            Self::Good => 'g',
            Self::Missed => 'm',
            Self::Ineligible => 'i',
            Self::Ours => 'o',
            Self::Warn => 'w',
            Self::Bad => 'b',
        }
    }

    /// The word for people.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::None => "no run",
            Self::Good => "good",
            Self::Missed => "missed",
            Self::Ineligible => "ineligible",
            Self::Ours => "ineligible: prober's fault",
            Self::Warn => "bad: slow or stale",
            Self::Bad => "bad",
        }
    }

    /// Every cell that something happened in, the best first.
    pub(crate) const SEEN: [Self; 6] =
        [Self::Good, Self::Bad, Self::Warn, Self::Ineligible, Self::Ours, Self::Missed];
}

/// Right answer, wrong time.
pub(crate) const fn is_amber(reason: Reason) -> bool {
    matches!(reason, Reason::Slow | Reason::Stale | Reason::Stalled)
}

/// Ineligible because the prober cannot be believed.
pub(crate) const fn is_ours(reason: Reason) -> bool {
    matches!(reason, Reason::ProberFault | Reason::ConfigFault | Reason::Correlated | Reason::Cancelled)
}

/// Ineligible because somebody said so.
const fn is_wanted(reason: Reason) -> bool {
    reason.is_planned() || matches!(reason, Reason::Declared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn newest(reasons: &[Reason]) -> Vec<EventSummary> {
        (0..).zip(reasons).map(|(index, reason)| sample::summary(sample::T0 - 30 * index, *reason)).collect()
    }

    fn check(reasons: &[Reason], late: i64, expected: State) {
        let card = sample::card("checkout", "eu");
        let now = Timestamp::from_seconds(sample::T0 + late);
        assert_eq!(state(&card, &newest(reasons), now), expected, "{reasons:?}");
    }

    #[test]
    fn the_latest_eligible_event_decides() {
        use Reason::{Failed, Late, Ok, ProberFault, Slow};
        check(&[], 5, State::Waiting);
        check(&[Ok, Failed], 5, State::Holds);
        check(&[Late, ProberFault, Ok], 5, State::Holds);
        check(&[Late, Late, ProberFault, Ok], 5, State::Unknown(Silence::NotEligible(Late)));
        check(&[Slow, Ok], 5, State::Broken(Slow));
        check(&[Late, Late, Late, Late, Failed], 5, State::Broken(Failed));
        // Slots are 30 s apart, the timeout is 10 s.
        check(&[Ok], 49, State::Holds);
        check(&[Ok], 51, State::Unknown(Silence::Overdue));
    }

    #[test]
    fn a_streak_begins_after_the_last_good_event() {
        use Reason::{Failed, Late, Ok};
        let at = |back: i64| Timestamp::from_seconds(sample::T0 - 30 * back);
        assert_eq!(since(&newest(&[Failed, Late, Failed, Ok]), true), Some(Since::Slot(at(2))));
        assert_eq!(since(&newest(&[Failed, Failed]), false), Some(Since::Before(at(1))));
        assert_eq!(since(&newest(&[Failed, Failed]), true), Some(Since::Always(at(1))));
        assert_eq!(since(&newest(&[Ok, Failed]), true), None);
    }

    #[test]
    fn losses_are_ours_only() {
        use Reason::{Declared, Failed, Late, Maintenance, Ok, Overlap, Paused, ProberFault};
        for reason in [Ok, Failed, Declared, Maintenance, Paused] {
            assert!(!Losses::is_one(reason), "{reason}");
        }
        let mut losses = Losses::default();
        for reason in [Overlap, Late, Late, ProberFault] {
            assert!(Losses::is_one(reason));
            losses.add(reason, 1);
        }
        losses.sort();
        assert_eq!(losses.missed, [(Late, 2), (Overlap, 1)]);
        assert_eq!(losses.ineligible, [(ProberFault, 1)]);
    }

    #[test]
    fn the_worst_cell_is_the_greatest() {
        let worst =
            [Reason::Ok, Reason::Late, Reason::Declared, Reason::ProberFault, Reason::Slow, Reason::Failed];
        assert!(worst.map(Cell::of).is_sorted());
        assert!(Cell::None < Cell::Good);
    }
}
