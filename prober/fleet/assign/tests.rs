//! What holds for any members: tables, properties, and vectors that no machine may see otherwise.

use proptest::prelude::*;

use super::*;

fn layout(shards: u16, replicas: u16) -> Layout {
    Layout { region: "eu".into(), shards, effects: shards / 4, replicas }
}

fn member(name: &str, zone: &str) -> Candidate {
    Candidate { name: name.into(), zone: zone.into(), draining: false }
}

/// Members `p0`, `p1`, …, spread over `zones` zones.
fn members(count: usize, zones: usize) -> Vec<Candidate> {
    (0..count).map(|index| member(&format!("p{index}"), &format!("z{}", index % zones.max(1)))).collect()
}

/// [`members`], where that name is taken.
fn ordered(count: usize, zones: usize) -> Vec<Candidate> {
    members(count, zones)
}

fn names<'a>(owners: &[&'a Candidate]) -> Vec<&'a str> {
    owners.iter().map(|owner| &*owner.name).collect()
}

/// The fleet as its members make it: everybody acts on the same view.
#[derive(Clone)]
struct World {
    layout: Layout,
    members: Vec<Candidate>,
    held: BTreeMap<Shard, Held>,
    now_ms: i64,
    moved: Vec<i64>,
}

impl World {
    fn new(layout: Layout, members: Vec<Candidate>) -> Self {
        Self { layout, members, held: BTreeMap::new(), now_ms: 1_764_000_000_000, moved: Vec::new() }
    }

    /// One second: everybody looks, then everybody acts.
    fn tick(&mut self) -> usize {
        self.now_ms += 1_000;
        let held: Vec<_> = self.held.values().cloned().collect();
        let now = Timestamp::from_millis(self.now_ms);
        let view = View { layout: &self.layout, members: &self.members, held: &held, now };
        let acts: Vec<_> = self
            .members
            .iter()
            .flat_map(|me| view.moves(&me.name).into_iter().map(move |act| (me, act)))
            .collect();
        let alive: BTreeSet<_> = self.members.iter().map(|member| Arc::clone(&member.name)).collect();
        let mut touched = BTreeSet::new();
        for (me, act) in &acts {
            assert!(touched.insert(act.seat()), "two members act on one seat: {act:?}");
            let owner = self.held.get(&act.seat()).map(|held| Arc::clone(&held.owner));
            let to = match act {
                Move::Take(_) => {
                    assert!(owner.is_none_or(|owner| !alive.contains(&owner)), "robbed: {act:?}");
                    &me.name
                }
                Move::Give { to, .. } => {
                    assert_eq!(owner.as_ref(), Some(&me.name), "given by someone else: {act:?}");
                    assert!(alive.contains(to), "given to the dead: {act:?}");
                    if !me.draining {
                        self.moved.push(self.now_ms);
                    }
                    to
                }
                Move::Release(seat) => {
                    assert!(!self.layout.has(*seat), "a seat is let go that is needed");
                    self.held.remove(seat);
                    continue;
                }
            };
            let held = Held { seat: act.seat(), owner: Arc::clone(to), taken_at: now };
            self.held.insert(act.seat(), held);
        }
        acts.len()
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            let before = self.held.clone();
            self.now_ms += 10_000;
            if self.tick() == 0 {
                assert_eq!(before, self.held);
                return;
            }
        }
        panic!("the fleet does not come to rest");
    }

    fn owner_sets(&self) -> BTreeMap<u16, BTreeSet<Arc<str>>> {
        let mut sets: BTreeMap<u16, BTreeSet<Arc<str>>> = BTreeMap::new();
        for held in self.held.values() {
            assert!(
                sets.entry(held.seat.number).or_default().insert(Arc::clone(&held.owner)),
                "twice: {held:?}"
            );
        }
        sets
    }

    fn check_rest(&self) {
        let seats = usize::from(self.layout.shards + self.layout.effects)
            * usize::from(self.layout.replicas).min(self.members.iter().filter(|one| !one.draining).count());
        assert_eq!(self.held.len(), seats, "a seat is empty");
        for (shard, set) in self.owner_sets() {
            let wanted = self.layout.owners(shard, &self.members);
            let wanted: BTreeSet<_> = wanted.iter().map(|owner| Arc::clone(&owner.name)).collect();
            assert_eq!(set, wanted, "shard {shard}");
        }
    }
}

/// These must be the same on every machine and in every version: a change moves every shard of every fleet.
#[test]
fn vectors_are_the_same_everywhere() {
    let shards = ["shop-home", "checkout", "service-health[service=cart]", "", "zażółć"];
    let found: Vec<_> = shards.iter().map(|name| shard_of(name, SHARDS)).collect();
    assert_eq!(found, SHARD_VECTORS);
    for name in shards {
        assert_eq!(place_of(name, false, SHARDS), shard_of(name, SHARDS));
        assert!((SHARDS..SHARDS + EFFECT_SHARDS).contains(&place_of(name, true, SHARDS)), "{name}");
    }
    let members: Vec<_> =
        [("berlin-1", "a"), ("berlin-2", "a"), ("paris-1", "b"), ("paris-2", "b"), ("oslo-1", "c")]
            .map(|(name, zone)| member(name, zone))
            .into();
    let layout = layout(SHARDS, 3);
    let found: Vec<_> = [0, 1, 31, 63].map(|shard| names(&layout.owners(shard, &members)).join(" ")).into();
    assert_eq!(found, OWNER_VECTORS);
}

const SHARD_VECTORS: [u16; 5] = [6, 21, 36, 51, 16];

const OWNER_VECTORS: [&str; 4] = [
    "paris-1 berlin-2 oslo-1",
    "oslo-1 paris-2 berlin-2",
    "paris-2 berlin-1 oslo-1",
    "berlin-2 oslo-1 paris-1",
];

#[test]
fn shards_are_even() {
    let mut count = vec![0_u32; usize::from(SHARDS)];
    for index in 0..64_000 {
        count[usize::from(shard_of(&format!("service-health[service=s{index}]"), SHARDS))] += 1;
    }
    // 1,000 each, with a deviation of about 32.
    assert!(count.iter().all(|count| (850..1_150).contains(count)), "{count:?}");
}

#[test]
fn members_get_about_the_same() {
    let layout = layout(1_024, 2);
    let members = members(8, 4);
    let mut count: BTreeMap<&str, u32> = BTreeMap::new();
    for shard in 0..1_024 {
        for owner in layout.owners(shard, &members) {
            *count.entry(&owner.name).or_default() += 1;
        }
    }
    // 256 each, with a deviation of about 14.
    assert!(count.len() == 8 && count.values().all(|count| (200..312).contains(count)), "{count:?}");
}

#[test]
fn zones_come_before_ranks() {
    let check = |members: &[Candidate], replicas: u16, zones: usize| {
        for shard in 0..SHARDS {
            let layout = layout(SHARDS, replicas);
            let owners = layout.owners(shard, members);
            let found: BTreeSet<_> = owners.iter().map(|owner| &owner.zone).collect();
            assert_eq!(found.len(), zones, "{shard}: {owners:?}");
        }
    };
    check(&members(6, 3), 3, 3);
    check(&members(6, 2), 2, 2);
    check(&members(6, 2), 3, 2);
    check(&members(6, 1), 3, 1);
    check(&members(2, 2), 3, 2);
}

#[test]
fn a_member_named_twice_owns_once() {
    let twice = [member("a", "x"), member("a", "y"), member("b", "x")];
    assert_eq!(layout(1, 3).owners(0, &twice).len(), 2);
}

#[test]
fn nobody_owns_what_nobody_can() {
    let none = View { layout: &layout(4, 2), members: &[], held: &[], now: Timestamp::default() };
    assert!(none.moves("a").is_empty() && none.empty().len() == 10, "4 shards and one more for effects");
    let mut draining = members(1, 1);
    draining[0].draining = true;
    assert!(View { members: &draining, ..none }.moves("p0").is_empty());
}

#[test]
fn a_crash_is_answered_at_once_and_a_join_by_and_by() {
    let mut world = World::new(layout(SHARDS, 1), members(3, 3));
    world.settle();
    world.check_rest();
    world.members.remove(0);
    world.tick();
    world.check_rest();
    world.members.push(member("new", "z9"));
    let before = world.held.clone();
    world.now_ms += 10_000;
    world.tick();
    let moved = before.iter().filter(|(seat, held)| world.held[seat].owner != held.owner).count();
    assert!(moved > 0 && moved <= world.layout.moves_max(), "{moved} seats at once");
    world.settle();
    world.check_rest();
}

#[test]
fn whoever_ends_gives_everything_away_at_once() {
    let mut world = World::new(layout(SHARDS, 2), members(4, 2));
    world.settle();
    world.members[1].draining = true;
    world.tick();
    world.check_rest();
    assert!(world.held.values().all(|held| &*held.owner != "p1"));
}

#[test]
fn fewer_replicas_let_seats_go() {
    let mut world = World::new(layout(8, 2), members(3, 3));
    world.settle();
    world.layout.replicas = 1;
    world.settle();
    world.check_rest();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Of every shard at most one owner changes when one member comes or goes, and it is that member's seat.
    #[test]
    fn a_join_or_a_leave_moves_only_its_share(
        count in 1_usize..10, zones in 1_usize..5, replicas in 1_u16..4, zone in 0_usize..6
    ) {
        let layout = layout(SHARDS, replicas);
        let few = members(count, zones);
        let mut more = few.clone();
        more.push(member("new", &format!("z{zone}")));
        for shard in 0..SHARDS {
            let before: BTreeSet<_> = names(&layout.owners(shard, &few)).into_iter().collect();
            let after: BTreeSet<_> = names(&layout.owners(shard, &more)).into_iter().collect();
            let came: Vec<_> = after.difference(&before).copied().collect();
            prop_assert!(came.is_empty() || came == ["new"], "{before:?} {after:?}");
            prop_assert!(before.difference(&after).count() <= 1, "{before:?} {after:?}");
        }
    }

    /// The order in which members are listed means nothing.
    #[test]
    fn the_order_of_members_means_nothing(members in Just(members(7, 3)).prop_shuffle(), shard in 0_u16..SHARDS) {
        let layout = layout(SHARDS, 3);
        let sorted = ordered(7, 3);
        prop_assert_eq!(names(&layout.owners(shard, &members)), names(&layout.owners(shard, &sorted)));
    }

    /// Whatever happens, nobody is robbed, no shard is twice at one member, moves are gradual, and it ends well.
    #[test]
    fn any_story_comes_to_rest(
        replicas in 1_u16..4,
        story in prop::collection::vec((0_u8..4, 0_usize..8, 0_u8..6), 1..12)
    ) {
        let mut world = World::new(layout(20, replicas), members(2, 2));
        world.settle();
        for (what, which, seconds) in story {
            let name = format!("p{which}");
            match what {
                0 => world.members.retain(|member| *member.name != *name),
                1 if world.members.iter().all(|member| *member.name != *name) => {
                    world.members.push(member(&name, &format!("z{}", which % 3)));
                }
                2 => {
                    if let Some(member) = world.members.iter_mut().find(|member| *member.name == *name) {
                        member.draining = true;
                    }
                }
                _ => {}
            }
            for _ in 0..seconds {
                world.tick();
            }
        }
        for member in &mut world.members {
            member.draining = false;
        }
        world.settle();
        if !world.members.is_empty() {
            world.held.retain(|_, held| world.members.iter().any(|member| member.name == held.owner));
            world.settle();
            world.check_rest();
        }
        for (index, at) in world.moved.iter().enumerate() {
            let within = world.moved[..index].iter().filter(|earlier| at - **earlier < 10_000).count();
            prop_assert!(within < world.layout.moves_max().max(1), "{within} moves within ten seconds");
        }
    }
}
