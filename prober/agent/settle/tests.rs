//! Held slots in a real store: settled by what other regions say, in any order, once, and after a restart.

use model::event::Origin;
use model::outcome::{Failure, FailureClass, Mark, Outcome, Verdict};
use model::slot::Cadence;
use store::{Opened, StreamAccount};

use super::*;
use crate::agent::account::expected;
use crate::agent::sample;

const INTERVAL: Duration = Duration::from_secs(30);
const REGIONS: [&str; 3] = ["ap", "eu", "us"];

fn origin(region: &str) -> Arc<Origin> {
    sample::origin("shop", region, "")
}

/// A store, its writer, and what settles in it.
struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    queue: Option<mpsc::Sender<Record>>,
    writer: Option<std::thread::JoinHandle<store::WriterEnd>>,
    work: Work,
    /// The first slot of the account.
    begin: Timestamp,
}

impl Bench {
    fn new(begin: Timestamp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self::open(folder, begin);
        let cadence = Cadence::Every { interval_ms: 30_000 };
        let plans: Vec<_> = REGIONS.iter().map(|region| (origin(region), cadence.clone())).collect();
        bench.store.set_plans(&plans, begin).unwrap();
        bench
    }

    fn open(folder: tempfile::TempDir, begin: Timestamp) -> Self {
        let config = store::Config::new(folder.path());
        let Opened { store, queue, writer } = Store::open(config, Arc::new(SystemClock)).unwrap();
        let doubts = Arc::new(Doubts::default());
        let settling = Settling { store: store.clone(), queue: queue.downgrade(), doubts, of_others: true };
        let (cursor, reader) = (store.cursor_at_end(), store.reader());
        let work = Work { cursor, reader, settling, held: None, possible: None };
        let writer = Some(std::thread::spawn(move || writer.run()));
        Self { folder, store, queue: Some(queue), writer, work, begin }
    }

    /// Ends as a process does that is killed once its records are durable, and starts again.
    fn again(mut self) -> Self {
        self.end();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let begin = self.begin;
        drop(self);
        Self::open(folder, begin)
    }

    fn end(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            writer.join().unwrap();
        }
    }

    fn slots(&self, region: &str) -> Vec<Timestamp> {
        let table =
            Timetable::new(&Cadence::Every { interval_ms: 30_000 }, &Stream::new("shop", region)).unwrap();
        table.between(self.begin, self.begin.plus(INTERVAL * 4)).collect()
    }

    fn record(&self, region: &str, number: usize, reason: Reason) {
        let at = self.slots(region)[number];
        let mut outcome = Outcome::empty(reason);
        if reason != Reason::Ok {
            outcome.failure = Some(Failure::new(FailureClass::Connect, "connect.refused", "refused"));
        }
        let event = sample::event(&origin(region), at, outcome);
        let record = Record::Late(Arc::new(event));
        self.queue.as_ref().unwrap().blocking_send(record).unwrap();
    }

    fn flush(&self) {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.queue.as_ref().unwrap().blocking_send(Record::Flush(reply)).unwrap();
        answer.blocking_recv().unwrap();
    }

    fn turn(&mut self, now: Timestamp) {
        self.flush();
        assert!(self.work.turn(now).unwrap());
        self.flush();
    }

    fn of(&self, region: &str) -> StreamAccount {
        let account = self.store.account(self.begin, self.begin.plus(INTERVAL * 4), &expected).unwrap();
        account.streams.into_iter().find(|stream| *stream.stream.region == *region).unwrap()
    }

    fn good_bad_held(&self, region: &str) -> (u64, u64, u64) {
        let account = self.of(region);
        (account.good, account.bad, account.ineligible)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.end();
    }
}

fn recently() -> Timestamp {
    Timestamp::from_millis(SystemClock.now().minus(Duration::from_mins(5)).as_millis())
}

const HELD: Reason = Reason::Correlated;

/// A region, one of its slots, and what that came to.
type Said = (&'static str, usize, Reason);
/// A region, what was said, how much later it is looked at, and what then is good, bad and held there.
type Case = (&'static str, &'static [Said], Duration, (u64, u64, u64));

#[test]
fn what_other_regions_say_settles_in_any_order_and_once() {
    let later = Duration::from_hours(1);
    let cases: [Case; 5] = [
        (
            "eu",
            &[("eu", 1, HELD), ("us", 1, Reason::Failed), ("us", 2, Reason::Failed)],
            Duration::ZERO,
            (0, 1, 0),
        ),
        ("eu", &[("eu", 1, HELD), ("us", 1, Reason::Ok), ("us", 2, Reason::Ok)], later, (0, 0, 1)),
        (
            "eu",
            &[("eu", 1, HELD), ("us", 1, Reason::Ok), ("ap", 1, HELD), ("ap", 2, HELD)],
            Duration::ZERO,
            (0, 1, 0),
        ),
        ("eu", &[("eu", 1, HELD), ("us", 1, Reason::ProberFault)], later, (0, 1, 0)),
        (
            "eu",
            &[("eu", 0, Reason::Ok), ("eu", 1, HELD), ("us", 1, Reason::Failed)],
            Duration::ZERO,
            (1, 0, 1),
        ),
    ];
    for (region, said, after, expected) in cases {
        for turned in [false, true] {
            let mut bench = Bench::new(recently());
            let mut said: Vec<_> = said.iter().collect();
            if turned {
                said.reverse();
            }
            bench.turn(bench.begin);
            for (region, number, reason) in said.iter().copied() {
                bench.record(region, *number, *reason);
            }
            let now = bench.begin.plus(INTERVAL * 4 + after);
            bench.turn(now);
            bench.turn(now);
            // What comes again changes nothing.
            for (region, number, reason) in said.iter().copied() {
                bench.record(region, *number, *reason);
            }
            bench.turn(now);
            assert_eq!(bench.good_bad_held(region), expected, "{said:?}");
            let mut bench = bench.again();
            bench.turn(now);
            bench.turn(now);
            assert_eq!(bench.good_bad_held(region), expected, "{said:?}, after a restart");
        }
    }
}

#[test]
fn what_is_settled_is_a_fact_beside_what_was_held() {
    let mut bench = Bench::new(recently());
    bench.record("eu", 1, HELD);
    // A kill before anybody knew more.
    let mut bench = {
        bench.turn(bench.begin);
        bench.again()
    };
    bench.record("us", 1, HELD);
    bench.record("us", 2, HELD);
    bench.turn(bench.begin.plus(INTERVAL * 4));
    let mut reader = bench.store.reader();
    let filter =
        store::EventFilter { region: Some("eu".to_owned()), limit: 10, ..store::EventFilter::default() };
    let both = reader.query(&filter).unwrap();
    let said: Vec<_> =
        both.iter().map(|stored| (stored.event.verdict(), stored.event.outcome.reason)).collect();
    assert_eq!(said, [(Verdict::Ineligible, HELD), (Verdict::Bad, Reason::Failed)]);
    assert_eq!(both[1].event.outcome.marks, [Mark::Settled]);
    assert_eq!(both[0].event.slot, both[1].event.slot);
    assert_eq!(both[0].event.outcome.failure, both[1].event.outcome.failure);
    // Whoever follows the sequence sees the held one first.
    assert!(both[0].seq < both[1].seq);
    assert_eq!(bench.work.settling.doubts.held().1, [("bad", 1), ("ineligible", 0)]);
    assert_eq!(bench.work.settling.doubts.held().0, 2, "those of the other region wait for a third");
}
