//! Peers: agents of one region look whether others answer, and say so; whom most of its peers do not reach is in a place of
//! its own, and what it finds is not counted in the quorum.
//!
//! Half of a region that nobody reaches is no place of its own: then it is the way between them, a port that is not open,
//! and votes say nothing. And what nobody vouches for is kept from alerts for no longer than its [`Bound`] lets it.
//!
//! Each agent looks at up to [`PEERS`] others, those of other zones first, chosen so that everybody knows by whom. It
//! takes an agent that tells where it answers, and an agent that tells may be looked at by any number of others. Nothing
//! is decided here: votes travel in what a member says of itself, and a hub counts them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::{Member, Ownership};
use probe::{Anchor, Shared};
use schedule::distrust::bound::Bound;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The most others that an agent looks at.
const PEERS: usize = 5;
/// How often, and how long one look may take.
const EVERY: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(5);
/// In so many rounds in a row an agent must not have been reached: one may be a lost packet.
const FAILS: u64 = 2;
/// So many of its voters must fail, in percent …
const SHARE_MIN: u64 = 80;
/// … and there must be so many: one that fails alone may be the one that is cut off.
const VOTERS_MIN: u64 = 2;

/// How long it is kept who was not vouched for.
const KEPT: Duration = Duration::from_hours(2);

/// Rounds in a row in which each peer was not reached, by its name.
pub(super) type Votes = BTreeMap<String, u64>;

/// What a member says that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Region and name.
    pub(super) who: (String, String),
    zone: String,
    /// Where it answers; `None` if it does not say.
    at: Option<SocketAddr>,
    votes: Votes,
}

impl Said {
    /// Reads what a member says; what is not as it should be says nothing.
    pub(super) fn of(member: &Member) -> Self {
        let about: Value = serde_json::from_slice(&member.about).unwrap_or_default();
        let text = |name: &str| about[name].as_str().unwrap_or_default().to_owned();
        let votes = about["votes"].as_object().into_iter().flatten().take(PEERS);
        Self {
            who: (text("region"), member.who.prober.clone()),
            zone: text("zone"),
            at: about["answers_at"].as_str().and_then(|at| at.parse().ok()),
            votes: votes.filter_map(|(name, fails)| Some((name.clone(), fails.as_u64()?))).collect(),
        }
    }
}

/// What the others say of one member.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::agent) struct Tally {
    /// Who looks at it.
    pub(in crate::agent) voters: u64,
    /// Who has not reached it in two rounds.
    pub(in crate::agent) failing: u64,
    /// Whether so many of its region are not reached that this says nothing.
    pub(in crate::agent) is_void: bool,
}

impl Tally {
    /// Whether its runs are not counted in the quorum.
    pub(in crate::agent) const fn is_unvouched(self) -> bool {
        !self.is_void && self.voters >= VOTERS_MIN && self.failing * 100 >= self.voters * SHARE_MIN
    }
}

/// What the members of its region say of `who`, region and name.
pub(super) fn votes(who: &(String, String), members: &[Said]) -> Tally {
    let others = members.iter().filter(|said| said.who.0 == who.0 && said.who.1 != who.1);
    let fails: Vec<u64> = others.filter_map(|said| said.votes.get(&who.1)).copied().collect();
    let failing = fails.iter().filter(|fails| **fails >= FAILS).count() as u64;
    Tally { voters: fails.len() as u64, failing, is_void: false }
}

/// What they say of each of them, in their order: where half of a region or more is not reached, nobody is doubted for it.
pub(super) fn tallies(members: &[Said]) -> Vec<Tally> {
    let mut all: Vec<_> = members.iter().map(|said| votes(&said.who, members)).collect();
    let mut regions: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (said, tally) in members.iter().zip(&all) {
        let (voted, unvouched) = regions.entry(&said.who.0).or_default();
        *voted += usize::from(tally.voters > 0);
        *unvouched += usize::from(tally.is_unvouched());
    }
    for (said, tally) in members.iter().zip(&mut all) {
        let (voted, unvouched) = regions[said.who.0.as_str()];
        tally.is_void = unvouched * 2 >= voted;
    }
    all
}

/// The agents, by region and name, whose runs are not counted in the quorum.
pub(super) type Unvouched = Arc<BTreeSet<(String, String)>>;

/// Who was not vouched for, and for how long.
#[derive(Debug, Default)]
pub(super) struct Vouching {
    bounds: BTreeMap<(String, String), (Bound, Instant)>,
    before: BTreeSet<(String, String)>,
}

impl Vouching {
    /// Takes in who is not vouched for at `at`; gives those whose runs start no alert.
    pub(super) fn turn(&mut self, now: &BTreeSet<(String, String)>, at: Instant) -> Unvouched {
        for who in now {
            let (bound, seen) = self.bounds.entry(who.clone()).or_insert_with(|| (Bound::default(), at));
            bound.begin(at);
            *seen = at;
        }
        for (who, (bound, _)) in &mut self.bounds {
            if !now.contains(who) {
                bound.end(at);
            }
        }
        self.bounds.retain(|_, (_, seen)| at.saturating_duration_since(*seen) < KEPT);
        let hides = |who: &&(String, String)| self.bounds[*who].0.hides(at);
        let now: BTreeSet<_> = now.iter().filter(hides).cloned().collect();
        for (region, prober) in now.difference(&self.before) {
            tracing::warn!(region, prober, "most of its peers do not reach it: its runs start no alert");
        }
        for (region, prober) in self.before.difference(&now) {
            tracing::info!(
                region,
                prober,
                "its runs start alerts again: its peers reach it, or it is gone, or that has lasted too long to hide anything"
            );
        }
        self.before.clone_from(&now);
        Arc::new(now)
    }
}

/// Whom `me` of `zone` looks at, of its region's members: other zones first, and in an order that is its own.
pub(super) fn chosen(me: &str, zone: &str, members: &[Said]) -> Vec<(String, SocketAddr)> {
    let others = members.iter().filter(|said| said.who.1 != me);
    let mut others: Vec<_> = others.filter_map(|said| Some((said, said.at?))).collect();
    let rank = |name: &str| {
        let hash = blake3::hash(format!("{me}\0{name}").as_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash has more than eight bytes"))
    };
    others.sort_by_key(|(said, _)| (said.zone == zone, Reverse(rank(&said.who.1))));
    others.into_iter().take(PEERS).map(|(said, at)| (said.who.1.clone(), at)).collect()
}

/// Looks at peers, and answers those who look.
pub(super) struct Peers<E> {
    pub(super) engine: E,
    pub(super) region: String,
    /// Name and zone.
    pub(super) me: (String, String),
    pub(super) shared: Arc<Shared>,
    /// Where this one answers; `None` if it tells nobody.
    pub(super) anchor: Option<Anchor>,
    /// What it says of itself for this.
    pub(super) out: watch::Sender<Value>,
}

impl<E: Ownership> Peers<E> {
    /// Runs until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let at = self.anchor.as_ref().map(Anchor::at);
        let anchor = self.anchor.take();
        let answering = async {
            match anchor {
                Some(anchor) => anchor.serve().await,
                None => std::future::pending().await,
            }
        };
        let looking = async {
            let mut votes = Votes::new();
            loop {
                votes = self.round(votes).await;
                self.out.send_replace(json!({ "answers_at": at, "votes": votes }));
                tokio::time::sleep(EVERY).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = answering => {}
            () = looking => {}
        }
    }

    /// One round; while the engine is away, whom to look at is not known anew and nobody hears of it.
    async fn round(&self, before: Votes) -> Votes {
        let Ok(members) = self.engine.members(&self.region).await else { return before };
        let said: Vec<_> = members.iter().map(Said::of).collect();
        let mut looks = JoinSet::new();
        for (name, at) in chosen(&self.me.0, &self.me.1, &said) {
            let shared = Arc::clone(&self.shared);
            looks.spawn(async move { (name, shared.reach_anchor(at, PATIENCE).await) });
        }
        let mut votes = Votes::new();
        while let Some(looked) = looks.join_next().await {
            // A panic ends the process; nobody else ends these tasks.
            let Ok((name, reached)) = looked else { continue };
            let fails = if reached.is_ok() { 0 } else { before.get(&name).map_or(1, |fails| fails + 1) };
            votes.insert(name, fails);
        }
        votes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, zone: &str, votes: &[(&str, u64)]) -> Said {
        Said {
            who: ("eu".to_owned(), name.to_owned()),
            zone: zone.to_owned(),
            at: Some(([127, 0, 0, 1], 9).into()),
            votes: votes.iter().map(|(name, fails)| ((*name).to_owned(), *fails)).collect(),
        }
    }

    #[test]
    fn four_of_five_must_not_reach_it_in_two_rounds() {
        for (fails, expected) in [
            (&[][..], (0, 0, false)),
            (&[2], (1, 1, false)),
            (&[2, 2], (2, 2, true)),
            (&[2, 0], (2, 1, false)),
            (&[1, 1, 1, 1, 1], (5, 0, false)),
            (&[2, 2, 2, 2, 0], (5, 4, true)),
            (&[2, 2, 2, 1, 0], (5, 3, false)),
            (&[9, 2, 2], (3, 3, true)),
        ] {
            let mut members = vec![said("me", "a", &[("me", 9)])];
            members.extend(
                fails
                    .iter()
                    .zip(1..)
                    .map(|(fails, number)| said(&format!("p{number}"), "b", &[("me", *fails)])),
            );
            // Who is of another region has no say.
            let mut stranger = said("us-1", "b", &[("me", 9)]);
            stranger.who.0 = "us".to_owned();
            members.push(stranger);
            let tally = votes(&("eu".to_owned(), "me".to_owned()), &members);
            assert_eq!((tally.voters, tally.failing, tally.is_unvouched()), expected, "{fails:?}");
        }
    }

    /// Agents by name, and whom each does not reach.
    fn region(fails: &[(&str, &[&str])]) -> Vec<Said> {
        let names: Vec<_> = fails.iter().map(|(name, _)| *name).collect();
        let one = |(name, failing): &(&str, &[&str])| {
            let others = names.iter().filter(|other| *other != name);
            let votes: Vec<_> =
                others.map(|other| (*other, u64::from(failing.contains(other)) * 2)).collect();
            said(name, name, &votes)
        };
        fails.iter().map(one).collect()
    }

    #[test]
    fn a_region_whose_agents_cannot_reach_each_other_vouches_for_all() {
        for (fails, expected) in [
            (&[("a", &["b", "c"][..]), ("b", &["a"]), ("c", &["a"])][..], &["a"][..]),
            // A port that is open nowhere.
            (&[("a", &["b", "c"]), ("b", &["a", "c"]), ("c", &["a", "b"])], &[]),
            // Open in one place only.
            (&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["b"])], &[]),
            // Two halves that see themselves only: each is vouched for by its own.
            (&[("a", &["c", "d"]), ("b", &["c", "d"]), ("c", &["a", "b"]), ("d", &["a", "b"])], &[]),
            (&[("a", &["b"]), ("b", &["a"])], &[]),
            (&[("a", &[])], &[]),
        ] {
            let members = region(fails);
            let tallies = tallies(&members);
            let found: Vec<_> =
                members.iter().zip(tallies).filter(|(_, tally)| tally.is_unvouched()).collect();
            let found: Vec<_> = found.into_iter().map(|(said, _)| said.who.1.as_str()).collect();
            assert_eq!(found, expected, "{fails:?}");
        }
    }

    #[test]
    fn nobody_is_kept_from_alerts_for_more_than_a_fifth_of_an_hour() {
        let begin = Instant::now();
        let one = ("eu".to_owned(), "eu-1".to_owned());
        for (what, period) in [("it stays so", u64::MAX), ("it comes and goes", 60)] {
            let (mut vouching, mut kept) = (Vouching::default(), 0);
            for second in 0..3_600 {
                let now: BTreeSet<_> =
                    (second % period < period / 2).then(|| one.clone()).into_iter().collect();
                kept += vouching.turn(&now, begin + Duration::from_secs(second)).len();
            }
            assert!((700..=721).contains(&kept), "{what}: {kept}");
            let day = begin + Duration::from_hours(24);
            assert_eq!(vouching.turn(&BTreeSet::new(), day).len(), 0);
            assert!(vouching.bounds.is_empty(), "nobody is remembered for ever");
        }
    }

    #[test]
    fn five_of_other_zones_are_looked_at_and_always_the_same() {
        let mut members: Vec<_> = (0..8).map(|number| said(&format!("b{number}"), "b", &[])).collect();
        members.extend((0..3).map(|number| said(&format!("a{number}"), "a", &[])));
        members[0].at = None;
        let names = |me: &str, zone: &str, members: &[Said]| -> Vec<_> {
            chosen(me, zone, members).into_iter().map(|(name, _)| name).collect()
        };
        let first = names("a0", "a", &members);
        assert_eq!(first.len(), 5);
        assert!(first.iter().all(|name| name.starts_with('b') && name != "b0"), "{first:?}");
        members.reverse();
        assert_eq!(names("a0", "a", &members), first);
        assert_ne!(names("a1", "a", &members), first, "each has an order of its own");
        // Too few in other zones: then its own.
        let of_b = names("b1", "b", &members);
        assert!(
            ["a0", "a1", "a2"].iter().all(|name| of_b.contains(&(*name).to_owned())) && of_b.len() == 5,
            "{of_b:?}"
        );
        assert!(!of_b.contains(&"b1".to_owned()));
        assert_eq!(chosen("a0", "a", &[]), []);
    }

    #[tokio::test]
    async fn votes_say_in_how_many_rounds_a_peer_was_not_reached() {
        let folder = tempfile::tempdir().unwrap();
        let engine = fleet::embedded::Embedded::open(&folder.path().join("engine")).unwrap();
        let anchor = Anchor::listen_at(([127, 0, 0, 1], 0).into()).await.unwrap();
        let gone = Anchor::listen_at(([127, 0, 0, 1], 0).into()).await.unwrap().at();
        for (name, at) in
            [("here", Some(anchor.at())), ("gone", Some(gone)), ("silent", None), ("me", Some(gone))]
        {
            let about = json!({ "region": "eu", "zone": "b", "answers_at": at, "votes": {} });
            let who = fleet::Beat { prober: name.to_owned(), boot: 1 };
            engine.renew("eu", &Member { who, about: about.to_string().into() }).await.unwrap();
        }
        let shared = Arc::new(Shared::new(probe::NetConfig::default()));
        let peers = Peers {
            engine,
            region: "eu".to_owned(),
            me: ("me".to_owned(), "a".to_owned()),
            shared,
            anchor: None,
            out: watch::Sender::new(json!({})),
        };
        let rounds = async {
            let first = peers.round(Votes::new()).await;
            let second = peers.round(first.clone()).await;
            (first, second)
        };
        let (first, second) = tokio::select! {
            () = anchor.serve() => unreachable!("it serves for ever"),
            rounds = rounds => rounds,
        };
        let votes = |here, gone| Votes::from([("here".to_owned(), here), ("gone".to_owned(), gone)]);
        assert_eq!((first, second), (votes(0, 1), votes(0, 2)));
    }

    #[test]
    fn rubbish_says_nothing() {
        for about in ["", "null", "[]", "{\"votes\":[1],\"answers_at\":7}", "{\"votes\":{\"a\":\"x\"}}"] {
            let who = fleet::Beat { prober: "p".to_owned(), boot: 1 };
            let said = Said::of(&Member { who, about: about.to_owned().into() });
            assert!(said.votes.is_empty() && said.at.is_none(), "{about}");
        }
    }
}
