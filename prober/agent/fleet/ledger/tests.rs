//! The ledger's rules, with a real store behind it.

use model::event::Origin;
use model::missed::MissedSlots;
use model::outcome::{Outcome, Reason};
use model::slot::{Cadence, Stream};
use store::{Account, Opened, Store};

use super::silence::DARK_AFTER;
use super::*;
use fleet::BatchId;
use fleet::assign::shard_of;
use fleet::batch::{Head, pack};

use crate::agent::account::expected;
use crate::agent::sample;

const REGION: &str = "eu";
const SHARDS: u16 = 4;
/// Slots of each stream.
const SLOTS: u64 = 40;

fn begin() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn origin(scenario: &str, prober: &str) -> Arc<Origin> {
    sample::origin(scenario, REGION, prober)
}

fn cadence() -> Cadence {
    Cadence::Every { interval_ms: 1_000 }
}

fn event(origin: &Arc<Origin>, at: Timestamp, reason: Reason) -> Record {
    if reason.verdict() == model::outcome::Verdict::Missed {
        return Record::Missed(MissedSlots::one(Arc::clone(origin), reason, at, at));
    }
    Record::Event(Arc::new(sample::event(origin, at, Outcome::empty(reason))))
}

/// The batches of one prober: records of one shard each, under a token.
struct Sender {
    prober: &'static str,
    sequence: u64,
    sent: Vec<Batch>,
}

impl Sender {
    const fn new(prober: &'static str) -> Self {
        Self { prober, sequence: 1, sent: Vec::new() }
    }

    fn send(&mut self, shard: u16, token: Token, records: &[Record], checkpoint: Option<Timestamp>) {
        self.send_of(Shard { number: shard, replica: 0 }, token, records, checkpoint);
    }

    fn send_of(&mut self, shard: Shard, token: Token, records: &[Record], checkpoint: Option<Timestamp>) {
        let from = Beat { prober: self.prober.to_owned(), boot: 1 };
        let id = BatchId { from: from.clone(), sequence: self.sequence };
        let head = Head { region: REGION.to_owned(), shard, id, token, checkpoint };
        for bytes in pack(&head, records).unwrap() {
            let id = BatchId { from: from.clone(), sequence: self.sequence };
            let bytes = bytes.into();
            self.sent.push(Batch { region: REGION.to_owned(), shard, id, token, bytes });
            self.sequence += 1;
        }
    }
}

/// A ledger with its store.
struct Bench {
    ledger: Ledger,
    numbers: Arc<Numbers>,
    store: Store,
    queue: Option<tokio::sync::mpsc::Sender<store::Record>>,
    writer: Option<std::thread::JoinHandle<store::WriterEnd>>,
    position: u64,
    _folder: tempfile::TempDir,
}

fn scenarios() -> Vec<String> {
    (0..6).map(|number| format!("s{number}")).collect()
}

impl Bench {
    fn new() -> Self {
        Self::of(&scenarios().iter().map(|name| (origin(name, "hub"), cadence())).collect::<Vec<_>>())
    }

    fn of(plans: &[(Arc<Origin>, Cadence)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = store::Config::new(folder.path());
        let Opened { store, queue, writer } =
            Store::open(config, Arc::new(model::time::SystemClock)).unwrap();
        store.set_plans(plans, begin()).unwrap();
        let planned = Arc::new(RwLock::new(Arc::new(Planned::of(&store.spans(), SHARDS))));
        let numbers = Arc::new(Numbers::default());
        Self {
            ledger: Ledger::new(planned, SHARDS, Arc::clone(&numbers)),
            numbers,
            store,
            queue: Some(queue),
            writer: Some(std::thread::spawn(move || writer.run())),
            position: 0,
            _folder: folder,
        }
    }

    fn hear(&mut self, batch: &Batch, now: Timestamp) {
        self.position += 1;
        let entry = Entry { position: Position(self.position), batch: Ok(batch.clone()) };
        for record in self.ledger.judge(&entry, now).records {
            self.queue.as_ref().unwrap().blocking_send(record).unwrap();
        }
    }

    fn flush(&self) {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.queue.as_ref().unwrap().blocking_send(store::Record::Flush(reply)).unwrap();
        answer.blocking_recv().unwrap();
    }

    fn declare(&mut self, now: Timestamp) {
        self.flush();
        let due = self.ledger.due(now);
        let (from, to) = (Timestamp::from_millis(0), now);
        let found = self.store.unrecorded(from, to, &expected).unwrap();
        for missed in self.ledger.misses(&due, &found, now) {
            self.queue.as_ref().unwrap().blocking_send(store::Record::Missed(missed)).unwrap();
        }
        self.flush();
        self.ledger.declared(&due);
    }

    fn account(&self) -> Account {
        let mut account = self.store.account(begin(), end(), &expected).unwrap();
        account.streams.sort_by(|a, b| a.stream.cmp(&b.stream));
        for stream in &mut account.streams {
            // How often a miss was corrected depends on the order; what counts in the end does not.
            stream.upgraded = 0;
        }
        account
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(self.queue.take());
        self.writer.take().unwrap().join().unwrap();
    }
}

fn end() -> Timestamp {
    begin().plus(Duration::from_secs(SLOTS))
}

fn starts(scenario: &str) -> Vec<Timestamp> {
    expected(&Stream::new(scenario, REGION), &cadence(), begin(), end())
}

fn of_shard(shard: u16) -> Vec<String> {
    scenarios().into_iter().filter(|name| shard_of(name, SHARDS) == shard).collect()
}

/// Two probers: the first one dies in the middle and says later what it missed, the second takes over.
fn story() -> Vec<Batch> {
    let (mut first, mut second) = (Sender::new("a-1"), Sender::new("a-2"));
    let dies = begin().plus(Duration::from_secs(SLOTS / 2));
    let taken = Timestamp::from_millis(dies.as_millis() + 3_000);
    let (old, new) = (Token(1), Token(u64::try_from(taken.as_millis()).unwrap()));
    for shard in 0..SHARDS {
        for name in of_shard(shard) {
            let (before, after): (Vec<_>, Vec<_>) = starts(&name).into_iter().partition(|at| *at < dies);
            for (index, at) in before.iter().enumerate() {
                let reason = if index % 5 == 4 { Reason::Failed } else { Reason::Ok };
                first.send(shard, old, &[event(&origin(&name, "a-1"), *at, reason)], None);
            }
            let owned: Vec<_> = after.iter().filter(|at| **at >= taken).collect();
            for at in owned {
                second.send(shard, new, &[event(&origin(&name, "a-2"), *at, Reason::Ok)], None);
            }
            // Back again, it says of its own slots that they were interrupted: also of those that were taken from it.
            for at in after {
                first.send(shard, old, &[event(&origin(&name, "a-1"), at, Reason::Interrupted)], None);
            }
        }
        second.send(shard, new, &[], Some(end().plus(Duration::from_mins(1))));
    }
    first.sent.into_iter().chain(second.sent).collect()
}

#[test]
fn ten_deliveries_in_any_order_make_the_same_account() {
    let story = story();
    let now = end().plus(Duration::from_mins(2));
    let mut bench = Bench::new();
    for batch in &story {
        bench.hear(batch, now);
    }
    bench.declare(now);
    let account = bench.account();
    assert_eq!(account.violations, 0, "{account:#?}");
    assert!(account.streams.iter().all(|stream| stream.good > 0 && stream.bad > 0 && stream.missed > 0));
    for seed in 1..4_u64 {
        let mut deliveries: Vec<_> = (0..10).flat_map(|_| story.iter()).collect();
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for index in (1..deliveries.len()).rev() {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            deliveries.swap(index, usize::try_from(dice % (index as u64 + 1)).unwrap());
        }
        let mut again = Bench::new();
        // The newest owner is known before anybody's batch, as from the engine; orders differ in all else.
        for batch in &story {
            let of = (batch.token, batch.id.from.prober.as_str());
            again.ledger.note_token(REGION, batch.shard, of);
        }
        for (index, batch) in deliveries.into_iter().enumerate() {
            again.hear(batch, now);
            if index % 400 == 0 {
                again.declare(now);
            }
        }
        again.declare(now);
        assert_eq!(again.account(), account, "seed {seed}");
        assert!(again.numbers.again.load(Ordering::Relaxed) > 0);
    }
}

#[test]
fn what_is_not_as_it_says_is_refused_and_counted() {
    let mut bench = Bench::new();
    let now = end();
    let shard = shard_of("s0", SHARDS);
    let at = starts("s0")[0];
    let mut sender = Sender::new("a-1");
    sender.send(shard, Token(1), &[event(&origin("s0", "a-1"), at, Reason::Ok)], None);
    let batch = sender.sent.remove(0);
    let refused = |bench: &Bench| bench.numbers.refused.load(Ordering::Relaxed);
    // An event of another region, sent under this one's name, and the other way round.
    let foreign = Batch { region: "us".to_owned(), ..batch.clone() };
    let damaged = Batch { bytes: batch.bytes.slice(..batch.bytes.len() - 1), ..batch.clone() };
    let stolen = Batch { token: Token(9), ..batch.clone() };
    for (count, wrong) in (1..).zip([foreign, damaged, stolen]) {
        bench.hear(&wrong, now);
        assert_eq!(refused(&bench), count, "{wrong:?}");
    }
    assert!(bench.ledger.confirms().is_empty(), "what is refused is not confirmed");
    // A slot that nobody planned, and a scenario that nobody knows.
    let unplanned = Timestamp::from_millis(at.as_millis() + 1);
    let stranger = scenarios().len() + 1;
    let stranger = (stranger..stranger + 1_000)
        .map(|number| format!("s{number}"))
        .find(|name| shard_of(name, SHARDS) == shard);
    let records = [
        event(&origin("s0", "a-1"), unplanned, Reason::Ok),
        event(&origin(&stranger.unwrap(), "a-1"), at, Reason::Ok),
    ];
    sender.send(shard, Token(1), &records, None);
    bench.hear(&sender.sent[0], now);
    assert_eq!(bench.numbers.unplanned.load(Ordering::Relaxed), 2);
    // An old token, for a slot that began when another one held.
    bench.ledger.note_token(REGION, batch.shard, (Token(5), "a-2"));
    bench.hear(&batch, now);
    assert_eq!(bench.numbers.superseded.load(Ordering::Relaxed), 1);
    bench.flush();
    assert!(bench.account().streams.iter().all(|stream| stream.good == 0));
}

#[test]
fn holes_are_asked_for_and_state_survives() {
    let mut bench = Bench::new();
    let shard = shard_of("s0", SHARDS);
    let mut sender = Sender::new("a-1");
    for at in &starts("s0")[..4] {
        sender.send(shard, Token(1), &[event(&origin("s0", "a-1"), *at, Reason::Ok)], Some(*at));
    }
    let told = |ledger: &mut Ledger| {
        let told = ledger.confirms();
        told.first().map(|(_, confirm)| (confirm.through, confirm.again))
    };
    bench.hear(&sender.sent[0], end());
    assert_eq!(told(&mut bench.ledger), Some((1, 0)));
    bench.hear(&sender.sent[3], end());
    assert_eq!(told(&mut bench.ledger), Some((1, 3)));
    let value = bench.ledger.to_json();
    let mut next = Ledger::new(Arc::clone(&bench.ledger.planned), SHARDS, Arc::default());
    next.take_up(&value).unwrap();
    assert_eq!(next.to_json(), value);
    assert_eq!(told(&mut next), Some((1, 3)));
    for batch in [2, 1] {
        bench.hear(&sender.sent[batch], end());
    }
    assert_eq!(told(&mut bench.ledger), Some((4, 0)));
    for rubbish in ["null", "{}", "{\"position\":1}", "{\"position\":1,\"probers\":[{}],\"shards\":[]}"] {
        assert!(next.take_up(&serde_json::from_str(rubbish).unwrap()).is_none(), "{rubbish}");
    }
}

#[test]
fn a_dark_shard_holds_back_no_other_and_what_it_says_late_counts() {
    let mut bench = Bench::new();
    let dark = shard_of("s0", SHARDS);
    let now = end().plus(Duration::from_mins(2));
    let mut sender = Sender::new("a-1");
    for shard in (0..SHARDS).filter(|shard| *shard != dark) {
        for name in of_shard(shard) {
            let records: Vec<_> =
                starts(&name).into_iter().map(|at| event(&origin(&name, "a-1"), at, Reason::Ok)).collect();
            sender.send(shard, Token(1), &records, None);
        }
        sender.send(shard, Token(1), &[], Some(end().plus(Duration::from_mins(1))));
    }
    for batch in std::mem::take(&mut sender.sent) {
        bench.hear(&batch, now);
    }
    let of = |account: &Account| {
        let streams = account.streams.iter();
        let there: Vec<_> =
            streams.filter(|one| shard_of(&one.stream.scenario, SHARDS) == dark).cloned().collect();
        let sum = |count: fn(&store::StreamAccount) -> u64| there.iter().map(count).sum::<u64>();
        (sum(|one| one.good), sum(|one| one.missed), account.violations)
    };
    let slots = of_shard(dark).len() as u64 * SLOTS;
    // As long as batches may lie there unread, nothing is said of whoever was not heard.
    bench.declare(now);
    assert_eq!(of(&bench.account()), (0, 0, slots));
    assert_eq!(bench.ledger.dark(now), Closed::new());
    bench.ledger.listen(true, now.minus(Duration::from_secs(59)));
    bench.declare(now);
    assert_eq!(of(&bench.account()), (0, 0, slots));
    let later = now.plus(Duration::from_secs(1));
    bench.declare(later);
    assert_eq!(of(&bench.account()), (0, slots, 0));
    assert!(bench.ledger.closed()[REGION] >= end() && bench.ledger.dark(later).contains_key(REGION));
    // Slots after the story are dark as well.
    assert!(bench.numbers.dark.load(Ordering::Relaxed) >= slots);
    // One of them is missed after all, by its owner's own word.
    let mut owned = 0;
    for name in of_shard(dark) {
        for (index, at) in starts(&name).into_iter().enumerate() {
            let reason = if index == 0 { Reason::Late } else { Reason::Ok };
            sender.send(dark, Token(1), &[event(&origin(&name, "a-1"), at, reason)], None);
            owned += u64::from(index == 0);
        }
    }
    sender.send(dark, Token(1), &[], Some(later));
    for batch in std::mem::take(&mut sender.sent) {
        bench.hear(&batch, later);
    }
    bench.declare(later);
    assert_eq!(of(&bench.account()), (slots - owned, owned, 0));
    assert_eq!(bench.ledger.dark(later), Closed::new());
}

/// An event's origin, of a replica.
fn replica(number: u16, prober: &str) -> Arc<Origin> {
    let mut origin = Origin::clone(&origin("s0", prober));
    origin.stream.replica = number;
    Arc::new(origin)
}

/// A checkpoint and all events of a replica of `s0`.
fn whole(sender: &mut Sender, number: u16, until: Timestamp) {
    let origin = replica(number, sender.prober);
    let starts = expected(&origin.stream, &cadence(), begin(), until);
    let records: Vec<_> = starts.into_iter().map(|at| event(&origin, at, Reason::Ok)).collect();
    let seat = Shard { number: shard_of("s0", SHARDS), replica: number };
    sender.send_of(seat, Token(1), &records, Some(until));
}

/// `sent` is what came of a region in which `s0` has two replicas; gives good and missed of each, and who is said to be missing.
fn of_replicas(sent: &[Batch]) -> (Vec<(u64, u64)>, &'static str, bool) {
    let plans = [0, 1].map(|number| (replica(number, "hub"), cadence()));
    let mut bench = Bench::of(&plans);
    let now = end().plus(Duration::from_mins(2));
    bench.ledger.listen(true, now.minus(DARK_AFTER));
    for batch in sent {
        bench.hear(batch, now);
    }
    bench.declare(now);
    let account = bench.account();
    assert_eq!(account.violations, 0, "{account:#?}");
    assert!(account.streams.iter().all(|stream| stream.expected == SLOTS), "{account:#?}");
    let why =
        match [&bench.numbers.no_owner, &bench.numbers.dark].map(|count| count.load(Ordering::Relaxed) > 0) {
            [true, true] => "both",
            [true, false] => "no_owner",
            [false, true] => "dark",
            [false, false] => "nobody",
        };
    let counts = account.streams.iter().map(|stream| (stream.good, stream.missed)).collect();
    (counts, why, bench.ledger.dark(now).contains_key(REGION))
}

#[test]
fn a_replica_without_a_prober_has_no_owner_and_one_that_is_not_heard_is_dark() {
    let until = end().plus(Duration::from_mins(2));
    let (mut first, mut second) = (Sender::new("a-1"), Sender::new("a-2"));
    assert_eq!(of_replicas(&[]), (vec![(0, SLOTS); 2], "dark", true));
    whole(&mut first, 0, until);
    // Of two replicas one prober is there: nobody can own the other one. Whichever it has, the region is heard.
    let alone = of_replicas(&first.sent);
    assert_eq!(alone, (vec![(SLOTS, 0), (0, SLOTS)], "no_owner", false));
    let mut other = Sender::new("a-1");
    whole(&mut other, 1, until);
    assert_eq!(of_replicas(&other.sent), (vec![(0, SLOTS), (SLOTS, 0)], "no_owner", false));
    // A second one is there, and says nothing of it: it may have it.
    let elsewhere = (shard_of("s0", SHARDS) + 1) % SHARDS;
    second.send(elsewhere, Token(1), &[], Some(until));
    let heard: Vec<_> = first.sent.iter().chain(&second.sent).cloned().collect();
    assert_eq!(of_replicas(&heard), (vec![(SLOTS, 0), (0, SLOTS)], "dark", false));
    whole(&mut second, 1, until);
    let all: Vec<_> = first.sent.iter().chain(&second.sent).cloned().collect();
    assert_eq!(of_replicas(&all), (vec![(SLOTS, 0); 2], "nobody", false));
}

#[test]
fn replicas_are_streams_of_their_own_with_seats_of_their_own() {
    let mut bench = Bench::of(&[0, 1].map(|number| (replica(number, "hub"), cadence())));
    let (seat, now) = (shard_of("s0", SHARDS), end().plus(Duration::from_secs(1)));
    let mut sender = Sender::new("a-1");
    // A record of the second replica in a batch of the first one: its head says whose records it has.
    let at = expected(&replica(1, "a-1").stream, &cadence(), begin(), end())[0];
    let records = [event(&replica(1, "a-1"), at, Reason::Ok)];
    let id = BatchId { from: Beat { prober: "a-1".to_owned(), boot: 1 }, sequence: 1 };
    let head = |replica| Head {
        region: REGION.to_owned(),
        shard: Shard { number: seat, replica },
        id: id.clone(),
        token: Token(1),
        checkpoint: None,
    };
    assert!(pack(&head(0), &records).is_err() && pack(&head(1), &records).is_ok());
    // A slot of the second replica is none of the first.
    sender.send(seat, Token(1), &[event(&replica(0, "a-1"), at, Reason::Ok)], None);
    bench.hear(&sender.sent[0], now);
    assert_eq!(bench.numbers.unplanned.load(Ordering::Relaxed), 1);
    // Who was overtaken in one of them is not in the other.
    bench.ledger.note_token(REGION, Shard { number: seat, replica: 0 }, (Token(5), "a-2"));
    sender.send_of(Shard { number: seat, replica: 1 }, Token(1), &records, None);
    bench.hear(&sender.sent[1], now);
    assert_eq!(bench.numbers.superseded.load(Ordering::Relaxed), 0);
    bench.flush();
    let good: Vec<_> = bench.account().streams.iter().map(|stream| stream.good).collect();
    assert_eq!(good, [0, 1]);
}
