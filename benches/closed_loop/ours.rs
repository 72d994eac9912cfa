//! Ours, the full path: slot from the timetable → run → assertions → event → durable in the store.
//!
//! Compiled from scenario files as `prober serve` compiles them, on a runtime like its own (one thread that
//! runs scenarios, one that writes), with a store on a real directory and its group commits.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use model::event::{SliEvent, Trigger};
use model::outcome::Reason;
use model::probe::{Probe as _, RunContext};
use model::time::{Clock as _, SystemClock, Timestamp};
use probe::flow::Scenario;
use scenario::compile::{Options, Sources, compile};
use scenario::source::Source;
use scenario::template::Secrets;
use schedule::slots::Timetable;
use store::{Config, Opened, Record, Store, WriterEnd};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::common::process;
use crate::common::target::{DNS_ANSWER, DNS_NAME, addresses};
use crate::{FLOW_STEPS, IN_FLIGHT};

/// Scenarios an address.
const EACH: usize = 4;

/// One scenario with its place in time.
struct Stream {
    scenario: Scenario,
    timetable: Timetable,
    next: Timestamp,
}

/// A small prober without a clock: a lane takes its next slot as soon as it is free.
struct Prober {
    runtime: Runtime,
    /// The streams of each lane.
    lanes: Vec<Vec<Stream>>,
    store: Store,
    queue: mpsc::Sender<Record>,
    writer: JoinHandle<WriterEnd>,
}

/// Plays the role: kind, addresses, the root to trust, the data directory.
pub(crate) fn play(arguments: &[String]) {
    let [kind, targets, root, data] = arguments else { panic!("ours needs four arguments") };
    let mut prober = Prober::new(files(kind, &addresses(targets), root), Path::new(data));
    let mut sent = 0;
    process::play("ready", |line| {
        let probes: usize = line.trim_start_matches("probe ").parse().expect("a number of probes");
        let right = prober.probe(probes);
        sent += probes as u64;
        assert_eq!(prober.store.stats().events(), sent, "every event is durable, and none twice");
        format!("{right} right")
    });
    drop(prober.queue);
    let end = prober.writer.join().expect("the writer does not panic");
    assert_eq!((end.events, end.lost_records), (sent, 0), "{:?}", end.error);
}

/// The scenario files.
fn files(kind: &str, addresses: &[SocketAddr], root: &str) -> Vec<Source> {
    let each = (0..EACH).flat_map(|_| addresses).enumerate();
    let file = |(number, address): (usize, &SocketAddr)| {
        let step = match kind {
            "http" => format!("http: http://{address}/\nexpect: {{ status: 200 }}\n"),
            "flow" => (0..FLOW_STEPS).fold("steps:\n".to_owned(), |steps, step| {
                format!("{steps}- {{ name: page-{step}, http: \"http://{address}/\", expect: {{ status: 200 }} }}\n")
            }),
            "https" => {
                format!(
                    "http: {{ url: \"https://{address}/\", ca: \"{root}\" }}\nexpect: {{ status: 200 }}\n"
                )
            }
            _ => format!(
                "dns: {{ name: {DNS_NAME}, resolvers: [\"{address}\"] }}\nexpect: {{ answers: {{ equals_set: [{DNS_ANSWER}] }} }}\n"
            ),
        };
        let text = format!("name: bench-{kind}-{number}\naim: The target answers.\nevery: 10s\n{step}");
        Source { path: format!("bench-{number}.yaml"), text }
    };
    each.map(file).collect()
}

impl Prober {
    fn new(files: Vec<Source>, data: &Path) -> Self {
        let options = Options { prober: "bench".to_owned(), ..Options::default() };
        let compiled = {
            // The targets are on this machine.
            let text = "version: 1\nnetwork: { private: allow }\n".to_owned();
            let project = Some(Source { path: "prober.yaml".to_owned(), text });
            compile(Sources { project, scenarios: files, ..Sources::default() }, &probe::KINDS, &options)
        };
        assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
        let shared = Arc::new(probe::Shared::new(probe::NetConfig::default()));
        let opened = Store::open(Config::new(data), Arc::new(SystemClock)).expect("the directory is ours");
        let Opened { store, queue, writer } = opened;
        let now = SystemClock.now();
        let plans: Vec<_> =
            compiled.plans.iter().map(|plan| (Arc::clone(plan.origin()), plan.cadence().clone())).collect();
        store.set_plans(&plans, now).expect("the store takes plans");
        let mut lanes: Vec<Vec<Stream>> = (0..IN_FLIGHT).map(|_| Vec::new()).collect();
        for (index, plan) in compiled.plans.into_iter().enumerate() {
            let timetable = Timetable::new(plan.cadence(), plan.stream()).expect("a compiled cadence");
            let next = timetable.first_from(now).expect("an interval has no end");
            let scenario = Scenario::new(Arc::new(plan), Arc::clone(&shared), Arc::new(Secrets::default()));
            lanes[index % IN_FLIGHT].push(Stream { scenario, timetable, next });
        }
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime can be built");
        let writer = std::thread::spawn(move || writer.run());
        Self { runtime, lanes, store, queue, writer }
    }

    /// Makes `probes` probes and waits until their events are durable; gives how many were good.
    fn probe(&mut self, probes: usize) -> usize {
        let mut running = JoinSet::new();
        for (index, mut streams) in std::mem::take(&mut self.lanes).into_iter().enumerate() {
            let queue = self.queue.clone();
            let count = (index..probes).step_by(IN_FLIGHT).len();
            let lane = async move {
                let good = lane(&mut streams, count, &queue).await;
                (index, streams, good)
            };
            running.spawn_on(lane, self.runtime.handle());
        }
        let queue = self.queue.clone();
        let mut ended = self.runtime.block_on(async move {
            let ended = running.join_all().await;
            let (answer, durable) = oneshot::channel();
            queue.send(Record::Flush(answer)).await.expect("the writer lives");
            durable.await.expect("the writer answers");
            ended
        });
        ended.sort_by_key(|(index, ..)| *index);
        let good = ended.iter().map(|(.., good)| good).sum();
        self.lanes = ended.into_iter().map(|(_, streams, _)| streams).collect();
        good
    }
}

/// Runs the next slot of each stream in turn, `count` in all; gives how many were good.
async fn lane(streams: &mut [Stream], count: usize, queue: &mpsc::Sender<Record>) -> usize {
    let mut good = 0;
    for number in 0..count {
        let index = number % streams.len();
        let stream = &mut streams[index];
        let plan = stream.scenario.plan();
        let slot = plan.stream().slot(stream.next);
        stream.next = stream.timetable.next_after(stream.next).expect("an interval has no end");
        let (started, began) = (SystemClock.now(), SystemClock.monotonic());
        let context = RunContext::new(slot, started, (began, began + plan.timeout()));
        let outcome = stream.scenario.run(&context).await;
        good += usize::from(outcome.reason == Reason::Ok);
        let event = SliEvent {
            origin: Arc::clone(plan.origin()),
            slot,
            attempt: 0,
            trigger: Trigger::Schedule,
            started: Some(started),
            finished: Some(started.plus(began.elapsed())),
            recorded: SystemClock.now(),
            outcome,
        };
        queue.send(Record::Event(Arc::new(event))).await.expect("the writer lives");
    }
    good
}
