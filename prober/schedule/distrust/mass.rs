//! A mass change: most of a prober's targets, on hosts that have nothing to do with each other, turn bad at once.
//!
//! That is likelier the prober's place in the world than all of them; only another place can tell. So what turned bad in
//! such a change is held as `correlated` where another region looks at the same scenario, and [`settle`] says what
//! becomes of it: bad as soon as another region sees it too, or if none disagrees in time; else it stays held. Where nobody
//! else looks nothing is held, and what targets have in common may really break, in this region alone: so a change holds
//! only as long as its [`Bound`] lets it, and then what is bad is bad. A real outage is never hidden for long.
//!
//! Nothing here reads a clock. Memory is bounded by the number of targets.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::outcome::{Outcome, Reason, Verdict};
use model::slot::Stream;
use model::time::Timestamp;

use super::bound::{Bound, HIDES_MAX};

/// Targets that turn bad within this time change together.
pub const WITHIN: Duration = Duration::from_mins(1);
/// The least number of different hosts that they are on: fewer may have something in common.
pub const HOSTS_MIN: usize = 10;

/// Slots in which another region must agree.
pub const AGREES: usize = 2;
/// The longest that other regions are waited for: a scenario that runs so seldom that they cannot answer in time is not held.
pub const REACH_MAX: Duration = Duration::from_mins(30);
/// What runs and their way here may take beyond their slots.
const SLACK: Duration = Duration::from_mins(1);

/// One of the prober's own targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose runs look at it.
    pub stream: Stream,
    /// Where it is; one that is nowhere is not counted.
    pub hosts: Vec<Arc<str>>,
    /// Whether another region looks at it, and may disagree.
    pub elsewhere: bool,
    /// Whether something is promised of it: it is probed when there is not enough for all.
    pub promised: bool,
}

/// What is known of the targets of every region.
#[derive(Debug, Default)]
pub struct Mass {
    targets: HashMap<Stream, Known>,
    /// Whether another region looks at any of them, and whether something is promised of any: asked for each slot.
    any_elsewhere: bool,
    any_promised: bool,
    regions: HashMap<Arc<str>, Region>,
}

#[derive(Debug)]
struct Known {
    hosts: Vec<Arc<str>>,
    elsewhere: bool,
    promised: bool,
    /// What its last run that counts said.
    is_bad: Option<bool>,
    /// When it turned bad; `None` while it is good, and if it has never been.
    turned: Option<Instant>,
}

#[derive(Debug, Default)]
struct Region {
    /// Targets of which something is known, and those that are bad.
    judged: usize,
    bad: usize,
    /// Who turned bad, and when; those within [`WITHIN`] of the newest.
    turns: VecDeque<(Instant, Stream)>,
    /// The change that goes on, and how long changes may hide what is bad.
    bound: Bound,
    /// When the last run ended.
    last: Option<Instant>,
    /// Whether it was told that the change hides nothing any more.
    is_told: bool,
    why: String,
    /// Turns and changes so far.
    counted: (u64, u64),
}

/// How a region stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The region.
    pub region: Arc<str>,
    /// Whether a mass change goes on and holds what is bad.
    pub holds: bool,
    /// What the last one was.
    pub why: String,
    /// How many targets have turned bad so far, and how many mass changes there were.
    pub counted: (u64, u64),
}

impl Mass {
    /// Knows these targets from now on, and no others; what is known of those that stay is kept.
    pub fn watch(&mut self, targets: Vec<Target>) {
        self.any_elsewhere = targets.iter().any(|target| target.elsewhere);
        self.any_promised = targets.iter().any(|target| target.promised);
        let mut before = std::mem::take(&mut self.targets);
        for Target { stream, hosts, elsewhere, promised } in targets {
            let (is_bad, turned) =
                before.remove(&stream).map_or((None, None), |known| (known.is_bad, known.turned));
            self.regions.entry(Arc::clone(&stream.region)).or_default();
            self.targets.insert(stream, Known { hosts, elsewhere, promised, is_bad, turned });
        }
        for region in self.regions.values_mut() {
            (region.judged, region.bad) = (0, 0);
        }
        let targets = &self.targets;
        for (stream, known) in targets {
            let Some(region) = self.regions.get_mut(&stream.region) else { continue };
            region.judged += usize::from(known.is_bad.is_some());
            region.bad += usize::from(known.is_bad == Some(true));
        }
        for (name, region) in &mut self.regions {
            region.turns.retain(|(_, stream)| targets.contains_key(stream));
            region.look_whether_over(name);
        }
    }

    /// Notes what a run of a stream said that ended at `at`; one that does not count says nothing.
    pub fn note(&mut self, stream: &Stream, outcome: &Outcome, at: Instant) {
        if !outcome.verdict().is_eligible() {
            return;
        }
        let is_bad = outcome.verdict() == Verdict::Bad;
        let Some(known) = self.targets.get_mut(stream).filter(|known| !known.hosts.is_empty()) else {
            return;
        };
        let Some(region) = self.regions.get_mut(&stream.region) else { return };
        region.last = region.last.max(Some(at));
        let before = known.is_bad.replace(is_bad);
        region.judged += usize::from(before.is_none());
        region.bad += usize::from(is_bad && before != Some(true));
        region.bad -= usize::from(!is_bad && before == Some(true));
        match (before, is_bad) {
            (Some(false), true) => {
                known.turned = Some(at);
                region.turned(stream, at);
                self.look_whether_many(&stream.region);
            }
            (_, false) => {
                known.turned = None;
                region.look_whether_over(&stream.region);
            }
            _ => region.tell_once(&stream.region, at),
        }
    }

    /// Why a bad run of the stream that ended at `at` is held; `None` if it is not.
    pub fn holds(&self, stream: &Stream, at: Instant) -> Option<&str> {
        let known = self.targets.get(stream).filter(|known| known.elsewhere)?;
        let region = self.regions.get(&stream.region)?;
        let is_part = known.turned? >= region.bound.since()?;
        (is_part && region.bound.hides(at)).then_some(region.why.as_str())
    }

    /// Whether anything may be held at all.
    pub fn may_hold(&self) -> bool {
        self.any_elsewhere
    }

    /// Whether the stream gives way to others when there is not enough for all: nothing is promised of it, and something is
    /// of others.
    pub fn gives_way(&self, stream: &Stream) -> bool {
        self.any_promised && self.targets.get(stream).is_some_and(|known| !known.promised)
    }

    /// How every region stands.
    pub fn changes(&self) -> Vec<Change> {
        let change = |(name, region): (&Arc<str>, &Region)| Change {
            region: Arc::clone(name),
            holds: region.last.is_some_and(|at| region.bound.hides(at)),
            why: region.why.clone(),
            counted: region.counted,
        };
        let mut all: Vec<_> = self.regions.iter().map(change).collect();
        all.sort_by(|a, b| a.region.cmp(&b.region));
        all
    }

    /// Looks whether a mass change has begun.
    fn look_whether_many(&mut self, name: &Arc<str>) {
        let Some(region) = self.regions.get_mut(name) else { return };
        // Cheap first: with ten thousand targets this is asked ten thousand times in a change.
        if region.bound.since().is_some()
            || region.turns.len() < HOSTS_MIN
            || region.turns.len() * 2 <= region.judged
        {
            return;
        }
        let still = |(at, stream): &&(Instant, Stream)| {
            self.targets.get(stream).is_some_and(|known| known.turned == Some(*at))
        };
        let turned: Vec<_> = region.turns.iter().filter(still).collect();
        let hosts: HashSet<_> = turned.iter().flat_map(|(_, stream)| &self.targets[stream].hosts).collect();
        let (count, judged) = (turned.len(), region.judged);
        if hosts.len() < HOSTS_MIN || count * 2 <= judged {
            return;
        }
        let Some((first, _)) = turned.first() else { return };
        region.bound.begin(*first);
        region.is_told = false;
        region.counted.1 += 1;
        region.why = format!(
            "{count} of {judged} targets on {} hosts turned bad within {} s; what other regions see decides",
            hosts.len(),
            WITHIN.as_secs()
        );
        let why = region.why.as_str();
        tracing::warn!(region = %name, why, "a mass change: what turned bad in it is held where other regions look, too");
    }
}

impl Region {
    fn turned(&mut self, stream: &Stream, at: Instant) {
        self.counted.0 += 1;
        self.turns.push_back((at, stream.clone()));
        while self.turns.front().is_some_and(|(first, _)| at.saturating_duration_since(*first) > WITHIN) {
            self.turns.pop_front();
        }
    }

    /// A change is over when most targets are good again.
    fn look_whether_over(&mut self, name: &str) {
        if let Some(since) = self.bound.since()
            && self.bad * 2 <= self.judged
        {
            self.bound.end(self.last.unwrap_or(since));
            self.turns.clear();
            tracing::info!(region = name, "the mass change is over");
        }
    }

    /// Says once that a change has lasted for too long to hide anything.
    fn tell_once(&mut self, name: &str, at: Instant) {
        if self.bound.since().is_some() && !self.is_told && !self.bound.hides(at) {
            self.is_told = true;
            let minutes = HIDES_MAX.as_secs() / 60;
            tracing::warn!(
                region = name,
                minutes,
                "a mass change has held runs for as long as it may in an hour: they count"
            );
        }
    }
}

/// What another region's slot of the same scenario said.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its start.
    pub scheduled: Timestamp,
    /// Why it came to its verdict.
    pub reason: Reason,
}

/// What becomes of a slot that is held.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Not known yet.
    Waits,
    /// It is bad.
    Bad,
    /// It stays held: other regions see the target well.
    Stays,
}

/// How far around a held slot other regions' slots speak for it: two slots of theirs; `None` if that is too far.
pub fn reach(interval: Duration) -> Option<Duration> {
    Some(interval.saturating_mul(2) + SLACK).filter(|reach| *reach <= REACH_MAX)
}

/// What becomes of a held slot that began at `at`, as known at `now`: `others` are the slots of each other region.
///
/// It depends on what the regions saw and not on when that became known: a region that agrees is enough, whenever it
/// comes, and until all had their time nothing else is decided. Without another region nobody will ever disagree.
pub fn settle(at: Timestamp, others: &[Vec<Seen>], reach: Duration, now: Timestamp) -> Settled {
    if others.is_empty() {
        return Settled::Bad;
    }
    let speaks = |seen: &&Seen| at.minus(reach) <= seen.scheduled && seen.scheduled <= at.plus(reach);
    let is_bad = |seen: &&Seen| seen.reason.verdict() == Verdict::Bad || seen.reason == Reason::Correlated;
    let agrees = |region: &Vec<Seen>| region.iter().filter(speaks).filter(is_bad).count() >= AGREES;
    if others.iter().any(agrees) {
        return Settled::Bad;
    }
    if now < at.plus(reach + SLACK) {
        return Settled::Waits;
    }
    let disagrees = |seen: &Seen| seen.reason.verdict() == Verdict::Good;
    let disagree = others.iter().flatten().filter(speaks).any(disagrees);
    if disagree { Settled::Stays } else { Settled::Bad }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: bool = false;

    fn stream(number: usize) -> Stream {
        Stream::new(format!("s{number}"), "eu")
    }

    /// So many targets, on so many hosts.
    fn mass(targets: usize, hosts: usize, elsewhere: bool) -> Mass {
        let mut mass = Mass::default();
        let target = |number: usize| Target {
            stream: stream(number),
            hosts: vec![format!("h{}", number % hosts).into()],
            elsewhere,
            promised: false,
        };
        mass.watch((0..targets).map(target).collect());
        mass
    }

    fn say(mass: &mut Mass, numbers: std::ops::Range<usize>, reason: Reason, at: Instant) {
        for number in numbers {
            mass.note(&stream(number), &Outcome::empty(reason), at);
        }
    }

    fn held(mass: &Mass, at: Instant) -> usize {
        mass.targets.keys().filter(|stream| mass.holds(stream, at).is_some()).count()
    }

    #[test]
    fn most_targets_on_ten_hosts_must_turn_bad_within_a_minute() {
        for (what, targets, hosts, turned, seconds, expected) in [
            ("half of them", 20, 20, 10, 0, 0),
            ("more than half", 20, 20, 11, 0, 11),
            ("on too few hosts", 20, 9, 20, 0, 0),
            ("on ten hosts", 20, 10, 20, 0, 20),
            ("too few targets", 9, 9, 9, 0, 0),
            ("slowly", 20, 20, 11, 61, 0),
            ("just in time", 20, 20, 11, 60, 11),
        ] {
            let mut mass = mass(targets, hosts, true);
            let begin = Instant::now();
            say(&mut mass, 0..targets, Reason::Ok, begin);
            let later = begin + Duration::from_secs(seconds);
            say(&mut mass, 0..1, Reason::Failed, begin);
            say(&mut mass, 1..turned, Reason::Failed, later);
            assert_eq!(held(&mass, later), expected, "{what}");
        }
    }

    #[test]
    fn only_what_turned_bad_is_held_and_only_while_it_lasts_and_somebody_else_looks() {
        let begin = Instant::now();
        let at = |second| begin + Duration::from_secs(second);
        let mut one = mass(30, 30, true);
        // Six were bad before, and one was never good.
        say(&mut one, 0..6, Reason::Failed, at(0));
        say(&mut one, 6..29, Reason::Ok, at(0));
        say(&mut one, 29..30, Reason::Failed, at(0));
        say(&mut one, 6..20, Reason::Failed, at(10));
        assert_eq!(held(&one, at(10)), 0, "14 of 30");
        say(&mut one, 20..23, Reason::Failed, at(30));
        assert_eq!(held(&one, at(30)), 17);
        // What turns bad later in it is held, too, and what is good again is not.
        say(&mut one, 23..24, Reason::Failed, at(300));
        say(&mut one, 6..8, Reason::Ok, at(310));
        say(&mut one, 6..8, Reason::ProberFault, at(311));
        assert_eq!(held(&one, at(311)), 16);
        assert!(
            one.changes()[0].holds && one.changes()[0].why.starts_with("16 of 30 targets on 16 hosts"),
            "{:?}",
            one.changes()
        );
        say(&mut one, 8..24, Reason::Ok, at(320));
        assert_eq!(held(&one, at(320)), 0);
        assert_eq!((one.changes()[0].holds, one.changes()[0].counted), (false, (18, 1)));
        // With nobody else to look nothing is held.
        let mut alone = mass(20, 20, NOBODY);
        say(&mut alone, 0..20, Reason::Ok, at(0));
        say(&mut alone, 0..20, Reason::Failed, at(1));
        assert_eq!(held(&alone, at(1)), 0);
        assert!(alone.changes()[0].holds && !alone.may_hold());
        // Targets that are taken away end it.
        alone.watch(Vec::new());
        assert!(!alone.changes()[0].holds);
    }

    /// Everything behind one thing really breaks, in a way that no other region sees: what it answers with in this region.
    #[test]
    fn a_real_outage_of_one_region_is_not_hidden_for_more_than_a_fifth_of_an_hour() {
        let begin = Instant::now();
        for (what, is_down) in [
            ("it stays down", (|_| true) as fn(u64) -> bool),
            ("it comes and goes", |minute| minute % 6 < 4),
            ("most of it comes and goes with each look", |minute| minute % 2 == 0),
        ] {
            let mut mass = mass(20, 20, true);
            say(&mut mass, 0..20, Reason::Ok, begin);
            let (mut bad, mut hidden) = (0, 0);
            for minute in 0..60 {
                let at = begin + WITHIN * u32::try_from(minute).unwrap();
                say(&mut mass, 0..20, if is_down(minute) { Reason::Failed } else { Reason::Ok }, at);
                bad += usize::from(is_down(minute)) * 20;
                hidden += held(&mass, at);
            }
            assert!((20..=20 * 13).contains(&hidden), "{what}: {hidden} of {bad} bad runs");
            assert!(bad - hidden >= 20 * 17, "{what}: {hidden} of {bad} bad runs");
        }
    }

    #[test]
    fn other_regions_settle_what_is_held() {
        let at = Timestamp::from_seconds(10_000);
        let reach = reach(Duration::from_secs(30)).unwrap();
        let seen = |offset: i64, reason| Seen { scheduled: Timestamp::from_seconds(10_000 + offset), reason };
        let (bad, good, held, none) = (Reason::Failed, Reason::Ok, Reason::Correlated, Reason::ProberFault);
        let late = 2 * i64::try_from(reach.as_secs()).unwrap();
        for (what, others, after, expected) in [
            ("there is nobody else", vec![], 10, Settled::Bad),
            ("nobody has said anything", vec![vec![]], 10, Settled::Waits),
            ("good so far", vec![vec![seen(5, good)]], 100, Settled::Waits),
            ("once is not enough", vec![vec![seen(5, bad)]], 100, Settled::Waits),
            ("two regions once each", vec![vec![seen(5, bad)], vec![seen(6, bad)]], 100, Settled::Waits),
            ("twice", vec![vec![], vec![seen(5, bad), seen(35, bad)]], 40, Settled::Bad),
            ("held there, too", vec![vec![seen(5, held), seen(35, held)]], 40, Settled::Bad),
            ("long ago", vec![vec![seen(-400, bad), seen(-370, bad), seen(5, good)]], late, Settled::Stays),
            ("they disagree", vec![vec![seen(5, good), seen(35, good)], vec![]], late, Settled::Stays),
            (
                "one agrees, one does not",
                vec![vec![seen(5, good)], vec![seen(6, bad), seen(36, bad)]],
                late,
                Settled::Bad,
            ),
            ("nobody can tell", vec![vec![seen(5, none)], vec![]], late, Settled::Bad),
        ] {
            let now = Timestamp::from_seconds(10_000 + after);
            assert_eq!(settle(at, &others, reach, now), expected, "{what}");
            let turned: Vec<_> =
                others.into_iter().rev().map(|region| region.into_iter().rev().collect()).collect();
            assert_eq!(settle(at, &turned, reach, now), expected, "{what}, in another order");
        }
        assert_eq!(super::reach(Duration::from_hours(1)), None);
    }
}
