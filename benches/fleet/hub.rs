//! Events through a hub.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::assign::{SHARDS, shard_of};
use fleet::batch::{Head, Record, pack};
use fleet::{Batch, BatchId, Beat, EventLog as _, Shard, Token};
use model::event::{Origin, SliEvent, Trigger};
use model::outcome::{Outcome, Reason};
use model::slot::{Cadence, Stream};
use model::step::{StepRecord, StepState};
use model::time::{Clock as _, SystemClock, Timestamp};
use schedule::slots::Timetable;

use super::common::say;
use super::setup::{Fleet, PATIENCE, REGION, on_runtime};

const SCENARIOS: u64 = 100;
/// Events of one batch, as many as a busy agent puts together in a second.
const BATCH: usize = 100;
/// Batches on their way at once.
const WINDOW: usize = 64;

fn scenario(number: u64) -> String {
    format!("s{number}")
}

/// Sends `events` events as fast as they go, and says how many the hub took in a second; then what it does at rates below.
pub(crate) fn measure(events: u64, quick: bool) {
    let fleet = Fleet::start();
    for number in 0..SCENARIOS {
        fleet.scenario(&scenario(number), "every: 1s\ntimeout: 900ms\nhttp: URL");
    }
    fleet.push();
    let hub = fleet.hub("hub");
    hub.until_ready();
    let mut sender = Sender::new();
    let (took, bytes) = sender.send(&fleet, events, None);
    let most = events as f64 / took.as_secs_f64();
    say(&format!(
        "hub: {events} events in batches of {BATCH} confirmed in {:.1} s: {most:.0} events/s at most, {:.0} bytes an event on the wire",
        took.as_secs_f64(),
        bytes as f64 / events as f64
    ));
    if quick {
        return;
    }
    for share in [0.5, 0.8] {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate below the most")]
        let rate = (most * share) as u64;
        let some = rate * 20 / SCENARIOS * SCENARIOS;
        let (took, _) = sender.send(&fleet, some, Some(rate));
        let late = took.as_secs_f64() - some as f64 / rate as f64;
        say(&format!(
            "hub: at {rate} events/s the last of {some} is confirmed {late:.1} s after it was sent"
        ));
    }
    let told = hub.json("/api/v1/fleet").expect("the hub answers");
    let ledger = &told["members"][0]["ledger"];
    assert_eq!(
        (&ledger["refused_batches"], &ledger["unplanned_records"]),
        (&0.into(), &0.into()),
        "{ledger}"
    );
}

/// One prober's batches: slots of all scenarios, one after the other.
struct Sender {
    me: Beat,
    sequence: u64,
    slots: Vec<(Arc<Origin>, Timetable, Timestamp)>,
    token: Token,
}

impl Sender {
    fn new() -> Self {
        // Every slot at or after the set's time is planned, those of tomorrow too.
        let from = SystemClock.now().plus(Duration::from_mins(1));
        let slots = (0..SCENARIOS).map(|number| {
            let stream = Stream::new(scenario(number), REGION);
            let table = Timetable::new(&Cadence::Every { interval_ms: 1_000 }, &stream).expect("a cadence");
            let origin = Origin {
                stream,
                version: "0123456789ab".into(),
                kind: "http".into(),
                owner: "team-shop".into(),
                service: scenario(number).into(),
                labels: vec![("tier".into(), "1".into())],
                prober: "x-1".into(),
                side_effects: false,
            };
            let first = table.first_from(from).expect("it is due for ever");
            (Arc::new(origin), table, first)
        });
        let token = Token(u64::try_from(SystemClock.now().as_millis()).expect("after 1970"));
        Self { me: Beat { prober: "x-1".to_owned(), boot: 1 }, sequence: 1, slots: slots.collect(), token }
    }

    /// The next batches of one scenario.
    fn batches(&mut self, number: usize) -> Vec<Batch> {
        let (origin, table, next) = &mut self.slots[number];
        let records: Vec<_> = (0..BATCH)
            .map(|_| {
                let at = *next;
                *next = table.next_after(at).expect("it is due for ever");
                Record::Event(Arc::new(event(origin, at)))
            })
            .collect();
        let shard = Shard { number: shard_of(&origin.stream.scenario, SHARDS), replica: 0 };
        let id = BatchId { from: self.me.clone(), sequence: self.sequence };
        let head = Head { region: REGION.to_owned(), shard, id, token: self.token, checkpoint: None };
        let packed = pack(&head, &records).expect("a hundred events fit");
        packed
            .into_iter()
            .map(|bytes| {
                let id = BatchId { from: self.me.clone(), sequence: self.sequence };
                self.sequence += 1;
                Batch { region: REGION.to_owned(), shard, id, token: self.token, bytes: bytes.into() }
            })
            .collect()
    }

    /// Sends that many, and waits until they are confirmed: how long from the first one on, and how many bytes they were.
    fn send(&mut self, fleet: &Fleet, events: u64, rate: Option<u64>) -> (Duration, usize) {
        let count = usize::try_from(events).expect("a small number") / BATCH;
        let batches: Vec<_> = (0..count).flat_map(|index| self.batches(index % self.slots.len())).collect();
        let bytes = batches.iter().map(|batch| batch.bytes.len()).sum();
        let last = self.sequence - 1;
        let took = on_runtime(async {
            let nats = fleet.nats().await;
            let began = Instant::now();
            for (index, window) in batches.chunks(WINDOW).enumerate() {
                if let Some(rate) = rate {
                    let due = (index * WINDOW * BATCH) as f64 / rate as f64;
                    tokio::time::sleep_until((began + Duration::from_secs_f64(due)).into()).await;
                }
                let mut sending = tokio::task::JoinSet::new();
                for batch in window {
                    let (nats, batch) = (nats.clone(), batch.clone());
                    sending.spawn(async move { nats.append(&batch).await });
                }
                for sent in sending.join_all().await {
                    sent.expect("the servers take it");
                }
            }
            loop {
                let told = nats.confirmed(REGION, &self.me.prober).await.expect("the servers are there");
                if told.is_some_and(|told| told.through >= last) {
                    return began.elapsed();
                }
                assert!(began.elapsed() < PATIENCE, "not all of it is confirmed");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        (took, bytes)
    }
}

/// An event like that of a small web page.
fn event(origin: &Arc<Origin>, at: Timestamp) -> SliEvent {
    let mut outcome = Outcome::empty(Reason::Ok);
    outcome.duration = Duration::from_millis(23);
    let step = StepRecord::new("http".into(), "http", StepState::Passed);
    outcome.steps.push(StepRecord { duration: outcome.duration, ..step });
    outcome.main = Some(0);
    SliEvent {
        origin: Arc::clone(origin),
        slot: origin.stream.slot(at),
        attempt: 0,
        trigger: Trigger::Schedule,
        started: Some(at.plus(Duration::from_micros(731))),
        finished: Some(at.plus(outcome.duration)),
        recorded: at.plus(outcome.duration),
        outcome,
    }
}
