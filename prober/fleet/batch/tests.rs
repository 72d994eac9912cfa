//! Batches there and back, an old one, hostile ones, and what an event costs.

use std::sync::Arc;
use std::time::Duration;

use model::event::{Origin, SliEvent, Trigger};
use model::missed::MissedSlots;
use model::outcome::{Failure, FailureClass, Outcome, Reason};
use model::slot::Stream;
use model::step::{Hop, Phase, PhaseSpan, StepRecord, StepState};
use proptest::prelude::*;

use super::*;

fn head() -> Head {
    Head {
        region: "eu".into(),
        shard: Shard { number: 17, replica: 0 },
        id: BatchId { from: Beat { prober: "berlin-1".into(), boot: 3 }, sequence: 41 },
        token: Token(9_007_199_254_740_993),
        checkpoint: Some(Timestamp::from_millis(1_764_000_060_000)),
    }
}

fn origin(scenario: &str) -> Arc<Origin> {
    Arc::new(Origin {
        stream: Stream::new(scenario, "eu"),
        version: "5d41402abc4b".into(),
        kind: "http".into(),
        owner: "team-checkout".into(),
        service: scenario.into(),
        labels: vec![("tier".into(), "1".into()), ("journey".into(), "purchase".into())],
        prober: "berlin-1".into(),
        side_effects: false,
    })
}

/// What a small chance says, the same on every machine.
fn chance(seed: u64) -> u64 {
    let hash = blake3::hash(&seed.to_le_bytes());
    u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap())
}

/// An event as an HTTP scenario over TLS makes it: phases, peer, certificate, and one in fifty that fails.
#[expect(clippy::too_many_lines, reason = "a table of an event's fields")]
fn event(scenario: &str, index: u64) -> SliEvent {
    let origin = origin(scenario);
    let scheduled = Timestamp::from_millis(1_764_000_000_000 + i64::try_from(index).unwrap() * 30_000);
    let micros = |salt: u64, around: u64| Duration::from_micros(around + chance(index * 16 + salt) % around);
    let started = scheduled.plus(micros(0, 400));
    let phases = [
        (Phase::Dns, 900),
        (Phase::Connect, 11_000),
        (Phase::Tls, 24_000),
        (Phase::Send, 60),
        (Phase::Wait, 80_000),
        (Phase::Receive, 700),
    ];
    let mut at = Duration::ZERO;
    let phases: Vec<_> = phases
        .into_iter()
        .enumerate()
        .map(|(salt, (phase, around))| {
            let span = PhaseSpan { phase, start: at, duration: micros(1 + salt as u64, around) };
            at += span.duration;
            span
        })
        .collect();
    let fails = chance(index).is_multiple_of(50);
    let state = if fails { StepState::Failed } else { StepState::Passed };
    let mut step = StepRecord::new("http".into(), "http", state);
    step.duration = at;
    let status = if fails { 503 } else { 200 };
    step.attributes.set("http.request.method", "GET".to_owned());
    step.attributes.set("http.response.status_code", status);
    step.attributes.set("http.response.body.size", i64::try_from(chance(index + 7) % 40_000).unwrap());
    step.attributes.set("url.full", format!("https://{scenario}.shop.example/health"));
    step.attributes.set("server.address", format!("{scenario}.shop.example"));
    step.attributes.set("server.port", 443);
    step.attributes.set("network.peer.address", format!("192.0.2.{}", chance(index + 3) % 4 + 10));
    step.attributes.set("network.protocol.version", "2".to_owned());
    step.attributes.set("tls.protocol.version", "1.3".to_owned());
    step.attributes.set("tls.cipher", "TLS13_AES_256_GCM_SHA384".to_owned());
    step.attributes.set("tls.server.not_after", "2027-02-11T09:30:00Z".to_owned());
    step.hops = vec![Hop {
        label: format!("GET https://{scenario}.shop.example/health").into(),
        reused: false,
        phases,
        status: Some(status.to_string().into()),
        peer: Some(([192, 0, 2, 10], 443).into()),
        attempts: Vec::new(),
        exchange: None,
    }];
    let mut outcome = Outcome::empty(if fails { Reason::Failed } else { Reason::Ok });
    if fails {
        let failure = Failure {
            class: FailureClass::Protocol,
            error_type: "503".into(),
            message: "status is 503, expected 2xx".into(),
            step: "http".into(),
        };
        step.failure = Some(failure.clone());
        outcome.failure = Some(failure);
    }
    outcome.duration = at;
    outcome.steps = vec![step];
    outcome.main = Some(0);
    SliEvent {
        slot: origin.stream.slot(scheduled),
        origin,
        attempt: 0,
        trigger: Trigger::Schedule,
        started: Some(started),
        finished: Some(started.plus(at)),
        recorded: started.plus(at + Duration::from_micros(90)),
        outcome,
    }
}

fn events(count: u64) -> Vec<Record> {
    let scenario = |index: u64| format!("shop-{}", chance(index) % 12);
    (0..count).map(|index| Record::Event(Arc::new(event(&scenario(index), index)))).collect()
}

fn missed(count: u32) -> Record {
    Record::Missed(MissedSlots {
        origin: origin("checkout"),
        reason: Reason::Interrupted,
        first: Timestamp::from_millis(1_764_000_000_000),
        step_ms: if count > 1 { 60_000 } else { 0 },
        count,
        recorded: Timestamp::from_millis(1_764_003_600_000),
        maybe_sent: false,
    })
}

fn batch(records: Vec<Record>) -> EventBatch {
    EventBatch { head: head(), records }
}

/// Bytes whose checksum is right, whatever else they are.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c(&bytes[CHECKED_FROM..]);
    bytes[CHECKED_FROM - 4..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// A batch whose frame unpacks to `lines`, and that says `count` records and `bytes` bytes of it.
fn framed(lines: &[u8], count: u16, bytes: u32) -> Vec<u8> {
    let good = batch(vec![missed(1)]).encode().unwrap();
    let names = HEAD_BYTES + "eu".len() + "berlin-1".len();
    let mut made = good[..names].to_vec();
    made[12..14].copy_from_slice(&count.to_le_bytes());
    made[18..22].copy_from_slice(&bytes.to_le_bytes());
    made.extend(zstd::bulk::compress(lines, 19).unwrap());
    sealed(made)
}

#[test]
fn batches_come_back_as_they_were() {
    let checkpoint_only = EventBatch { head: head(), records: Vec::new() };
    let without = Head { checkpoint: None, ..head() };
    for batch in [
        batch(events(1)),
        batch(events(200)),
        batch(vec![missed(1), missed(1_000)]),
        EventBatch { head: without, records: events(3) },
        checkpoint_only,
    ] {
        let bytes = batch.encode().unwrap();
        assert!(bytes.len() <= BYTES_MAX);
        assert_eq!(EventBatch::decode(&bytes).unwrap(), batch);
    }
}

#[test]
fn records_of_one_plan_share_their_origin() {
    let bytes = batch(vec![missed(1), missed(2)]).encode().unwrap();
    let decoded = EventBatch::decode(&bytes).unwrap();
    let [Record::Missed(first), Record::Missed(second)] = &decoded.records[..] else { panic!() };
    assert!(Arc::ptr_eq(&first.origin, &second.origin));
}

/// The file was written by the first version of the format. It is never written anew.
#[test]
fn the_first_form_is_read() {
    let bytes = include_bytes!("batch-1.bin");
    let decoded = EventBatch::decode(bytes).unwrap();
    assert_eq!(decoded, batch(events(2).into_iter().chain([missed(60)]).collect()));
}

#[test]
fn what_is_no_batch_is_not_made() {
    let check = |records: Vec<Record>, change: &dyn Fn(&mut Head), expected: &str| {
        let mut head = head();
        change(&mut head);
        let error = EventBatch { head, records }.encode().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(Vec::new(), &|head| head.checkpoint = None, "says nothing");
    check(events(201), &|_| {}, "201 records");
    check(events(1), &|head| head.region = "us".into(), "but the batch is of berlin-1, region us");
    check(events(1), &|head| head.id.from.prober = "other".into(), "record 0 is of berlin-1, region eu");
    check(events(1), &|head| head.shard.replica = 1, "replica 1");
    check(Vec::new(), &|head| head.region = "e.u".into(), "`e.u` cannot be the name");
    check(Vec::new(), &|head| head.region = String::new(), "cannot be the name");
}

#[test]
fn many_records_become_batches_with_the_next_sequences() {
    let records = events(450);
    let batches: Vec<_> =
        pack(&head(), &records).unwrap().iter().map(|bytes| EventBatch::decode(bytes).unwrap()).collect();
    let shape: Vec<_> = batches
        .iter()
        .map(|batch| (batch.head.id.sequence, batch.records.len(), batch.head.checkpoint.is_some()))
        .collect();
    assert_eq!(shape, [(41, 200, false), (42, 200, false), (43, 50, true)]);
    let again: Vec<_> = batches.into_iter().flat_map(|batch| batch.records).collect();
    assert_eq!(again, records);
    assert_eq!(pack(&head(), &[]).unwrap().len(), 1, "a checkpoint goes alone");
}

#[test]
fn long_records_become_smaller_batches_and_one_that_fits_nowhere_is_refused() {
    let long = |index: u64, bytes: usize| {
        let mut event = event("checkout", index);
        // Text that does not pack: a hash after the other.
        let noise: String = (0..bytes / 64)
            .map(|part| blake3::hash(&(index * 1_000_000 + part as u64).to_le_bytes()).to_hex().to_string())
            .collect();
        event.outcome.steps[0].note = Some(noise);
        Record::Event(Arc::new(event))
    };
    let records: Vec<_> = (0..8).map(|index| long(index, 300 << 10)).collect();
    let batches = pack(&head(), &records).unwrap();
    assert!(batches.len() >= 3 && batches.iter().all(|bytes| bytes.len() <= BYTES_MAX), "{}", batches.len());
    let sequences: Vec<_> =
        batches.iter().map(|bytes| EventBatch::decode(bytes).unwrap().head.id.sequence).collect();
    assert!(sequences.iter().copied().eq(41..41 + batches.len() as u64), "{sequences:?}");
    let error = pack(&head(), &[long(9, 2 << 20)]).unwrap_err();
    assert!(matches!(error, EncodeError::TooLarge { records: 1, .. }), "{error}");
}

#[test]
fn a_batch_that_was_cut_or_changed_anywhere_is_refused() {
    let good = batch(vec![missed(3)]).encode().unwrap();
    for length in 0..good.len() {
        EventBatch::decode(&good[..length]).unwrap_err();
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            EventBatch::decode(&bad).unwrap_err();
        }
    }
    let mut longer = good;
    longer.push(0);
    EventBatch::decode(&longer).unwrap_err();
}

#[test]
fn hostile_batches_are_refused_for_what_they_are() {
    let check = |bytes: &[u8], expected: &str| {
        let error = EventBatch::decode(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let good = batch(vec![missed(1)]).encode().unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        sealed(bytes)
    };
    check(b"", "no batch");
    check(b"SLIB", "ends after 4 bytes");
    check(b"GET / HTTP/1.1\r\n\r\n", "no batch");
    check(&vec![0; BYTES_MAX + 1], "more than a batch may have");
    check(&changed(&|bytes| bytes[4] = 2), "format 2, and the newest that is known is 1");
    check(&changed(&|bytes| bytes[11] = 7), "says neither");
    check(&changed(&|bytes| bytes[9] = 255), "no name that may be");
    check(&changed(&|bytes| bytes.truncate(HEAD_BYTES + 3)), "names end too soon");
    check(&changed(&|bytes| bytes[HEAD_BYTES] = b'.'), "no name that may be");
    check(&changed(&|bytes| bytes[HEAD_BYTES] = 0xff), "no name that may be");
    check(&changed(&|bytes| bytes[30..38].fill(0)), "sequences begin with 1");
    check(&changed(&|bytes| bytes.truncate(HEAD_BYTES + 10)), "unpacked");
    check(&changed(&|bytes| bytes.truncate(HEAD_BYTES - 1)), "ends after");
    let mut wrong = good.clone();
    wrong[7] ^= 1;
    check(&wrong, "damaged");
    check(&framed(b"E {}\n", 201, 5), "more records than a batch may have");
    check(&framed(b"E {}\n", 1, u32::MAX), "longer than a batch may have");
    check(&framed(b"E {}\n", 1, 5), "`schema` is missing");
    check(&framed(b"E {}\n", 1, 6), "5 bytes and not 6");
    check(&framed(b"X {}\n", 1, 5), "neither an event nor missed slots");
    check(&framed(b"M 1\n", 1, 4), "neither an event nor missed slots");
    check(&framed(b"M x 1 {}\n", 1, 9), "`x` is no number");
    check(&framed(b"M 1 0 {}\n", 1, 9), "runs of 1 to");
    check(&framed(b"M 1 9999999999 {}\n", 1, 18), "runs of 1 to");
    check(&framed(b"\xff\n", 1, 2), "no text");
    check(&framed(b"", 1, 0), "fewer records than it says");
}

#[test]
fn records_that_lie_are_refused() {
    let check = |line: String, expected: &str| {
        let bytes = framed(line.as_bytes(), 1, u32::try_from(line.len()).unwrap());
        let error = EventBatch::decode(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let json = event("checkout", 1).to_json();
    check(format!("E {}\n", json.replace("\"eu\"", "\"us\"")), "an id that is not its own");
    check(format!("M 60000 5 {json}\n"), "a slot that ended as `ok` was not missed");
    let Record::Missed(run) = missed(1) else { panic!() };
    let first = run.events().next().unwrap().to_json();
    check(format!("M 0 5 {first}\n"), "one slot cannot be missed twice");
    let mut foreign = event("checkout", 1);
    let origin = Origin { stream: Stream::new("checkout", "us"), ..(*foreign.origin).clone() };
    foreign.slot = origin.stream.slot(foreign.slot.scheduled);
    foreign.origin = Arc::new(origin);
    check(format!("E {}\n", foreign.to_json()), "record 0 is of berlin-1, region us");
    let two = format!("E {json}\nE {json}\n");
    check(two, "more records than it says");
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    let zeros = vec![b'0'; 64 << 20];
    let limit = u32::try_from(UNPACKED_BYTES_MAX).unwrap();
    let bomb = framed(&zeros, 1, limit);
    assert!(bomb.len() < 16 << 10, "{} bytes", bomb.len());
    let error = EventBatch::decode(&bomb).unwrap_err();
    assert!(matches!(error, DecodeError::Unpack(_)), "{error}");
}

/// The figures that the sizing of a fleet rests on; they are upper bounds with a little room.
#[test]
fn an_event_is_small_on_the_wire() {
    let json = event("shop-0", 1).to_json().len();
    assert!((900..2_500).contains(&json), "an event has {json} bytes of JSON: is it still a real one?");
    let each = |count: u64| {
        let bytes = batch(events(count)).encode().unwrap().len();
        (count, bytes / usize::try_from(count).unwrap())
    };
    let found = [1, 20, 100, 200].map(each);
    let at_most = [900, 220, 185, 175];
    let fits = found.iter().zip(at_most).all(|((_, each), most)| *each <= most);
    assert!(fits, "bytes an event by events in a batch: {found:?}; JSON {json}");
    let slots = 1_000;
    let bytes = batch(vec![missed(slots)]).encode().unwrap().len();
    assert!(bytes < 1_000, "{slots} missed slots are {bytes} bytes");
}

proptest! {
    /// Whatever comes, reading it ends without a panic; with a right checksum, too.
    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), whole in any::<bool>()) {
        let _ = EventBatch::decode(&bytes);
        if whole && bytes.len() > CHECKED_FROM {
            bytes[..4].copy_from_slice(&MAGIC);
            bytes[4] = FORMAT;
            let _ = EventBatch::decode(&sealed(bytes));
        }
    }
}
