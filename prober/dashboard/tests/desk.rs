//! A running dashboard with everything that its root would give it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use model::event::SliEvent;
use model::missed::MissedSlots;
use model::slot::Cadence;
use model::time::{Clock, Timestamp};
use store::{Config, Opened, Record, Store, WriterEnd};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::sample;
use crate::{
    Catalogue, FleetView, Format, OwnDoubts, OwnFact, ProbeAnswer, Readiness, ReloadState, ScenarioCard,
    Served, Settings, Sources,
};

/// How long anything may take before a test fails.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// Sources with handles on their other ends.
pub(super) struct Desk {
    pub(super) catalogue: watch::Sender<Arc<Catalogue>>,
    pub(super) standings: watch::Sender<Arc<[slo::standing::Standing]>>,
    pub(super) reload_state: watch::Sender<ReloadState>,
    pub(super) readiness: watch::Sender<Readiness>,
    /// While it is set, a reload does not end.
    pub(super) reload_hangs: Arc<AtomicBool>,
    /// How many reloads have begun.
    pub(super) reloads_begun: watch::Sender<u32>,
    pub(super) fleet: watch::Sender<Option<Arc<FleetView>>>,
    pub(super) sources: Sources,
    queue: mpsc::Sender<Record>,
    writer: Option<JoinHandle<WriterEnd>>,
    _dir: TempDir,
}

/// What a client got.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

/// A served desk.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) stop: CancellationToken,
    serving: JoinSet<Result<Served, crate::ServeError>>,
}

/// What the metrics page says.
fn metrics(format: Format) -> Vec<u8> {
    let end = match format {
        Format::Text => "",
        Format::OpenMetrics => "# EOF\n",
    };
    format!("up 1\n{end}").into_bytes()
}

/// What the prober says of itself.
fn own() -> Vec<OwnFact> {
    let fact = |name: &str, value: &str, is_bad| OwnFact {
        group: "Store",
        name: name.to_owned(),
        value: value.to_owned(),
        is_bad,
    };
    vec![fact("events written", "714", false), fact("commits that failed", "2", true)]
}

/// Ends the server and lets the store go where that may block.
pub(super) async fn end(desk: Desk, server: Server) {
    server.end().await;
    tokio::task::spawn_blocking(|| drop(desk)).await.unwrap();
}

impl Desk {
    /// A store at `now` seconds with the cards' plans set since two hours before.
    pub(super) fn open(now: i64, cards: Vec<ScenarioCard>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(Timestamp::from_seconds(now).as_nanos())));
        let shared: Arc<dyn Clock> = clock;
        let Opened { store, queue, writer } =
            Store::open(Config::new(dir.path()), Arc::clone(&shared)).unwrap();
        let plans: Vec<_> = cards
            .iter()
            .map(|card| {
                let origin = sample::origin(&card.stream.scenario, &card.stream.region);
                (origin, Cadence::Every { interval_ms: 30_000 })
            })
            .collect();
        store.set_plans(&plans, Timestamp::from_seconds(now - 7_200)).unwrap();
        let writer = Some(std::thread::spawn(|| writer.run()));
        let catalogue =
            Catalogue { project: "shop".to_owned(), prober: "p1".to_owned(), cards, ..Catalogue::default() };
        let (catalogue, catalogue_end) = watch::channel(Arc::new(catalogue));
        let loaded = ReloadState::Loaded { at: Timestamp::from_seconds(now - 60) };
        let (standings, standings_end) = watch::channel(Arc::default());
        let (reload_state, reload_end) = watch::channel(loaded.clone());
        let (readiness, readiness_end) = watch::channel(Readiness::Ready);
        let reload_hangs = Arc::new(AtomicBool::new(false));
        let hangs = Arc::clone(&reload_hangs);
        let reloads_begun = watch::Sender::new(0);
        let fleet = watch::Sender::new(Some(Arc::new(sample::fleet())));
        let begun = reloads_begun.clone();
        let sources = Sources {
            store,
            clock: shared,
            catalogue: catalogue_end,
            standings: standings_end,
            reload_state: reload_end,
            readiness: readiness_end,
            metrics: Arc::new(|format| Box::new([metrics(format)].into_iter())),
            doubts: Arc::new(OwnDoubts::default),
            expected: Arc::new(|_, _, from, to| slots(from, to)),
            probe: Arc::new(|request| {
                Box::pin(
                    async move { ProbeAnswer::Refused(format!("{} of {}", request.module, request.target)) },
                )
            }),
            reload: Arc::new(move || {
                let (hangs, answer) = (Arc::clone(&hangs), loaded.clone());
                begun.send_modify(|count| *count += 1);
                Box::pin(async move {
                    while hangs.load(Ordering::SeqCst) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    answer
                })
            }),
            own: Arc::new(own),
            review: Arc::new(|| Ok(sample::review())),
            fleet: fleet.subscribe(),
            schemas: vec![("scenario.schema.json".to_owned(), Arc::new(|| "{}".to_owned()))],
            settings: Settings::default(),
        };
        Self {
            catalogue,
            standings,
            reload_state,
            readiness,
            reload_hangs,
            reloads_begun,
            fleet,
            sources,
            queue,
            writer,
            _dir: dir,
        }
    }

    /// Makes an event durable.
    pub(super) fn event(&self, event: SliEvent) {
        self.queue.blocking_send(Record::Event(Arc::new(event))).unwrap();
    }

    pub(super) fn missed(&self, missed: MissedSlots) {
        self.queue.blocking_send(Record::Missed(missed)).unwrap();
    }

    pub(super) fn flush(&self) {
        let (done, wait) = oneshot::channel();
        self.queue.blocking_send(Record::Flush(done)).unwrap();
        wait.blocking_recv().unwrap();
    }

    pub(super) async fn serve(&self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let mut serving = JoinSet::new();
        serving.spawn(crate::serve(listener, self.sources.clone(), stop.clone()));
        Server { address, stop, serving }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let (closed, _) = mpsc::channel(1);
        self.queue = closed;
        if let Some(writer) = self.writer.take() {
            writer.join().expect("the writer does not panic");
        }
    }
}

/// Slots every 30 s at multiples of 30 s.
fn slots(from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let next = sample::card("a", "b").next_slot;
    let mut all = Vec::new();
    let mut at = next(from);
    while let Some(slot) = at.filter(|slot| *slot < to) {
        all.push(slot);
        at = next(slot.plus(Duration::from_millis(1)));
    }
    all
}

impl Server {
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)).await
    }

    /// Sends the text and reads to the end.
    pub(super) async fn ask(&self, text: &str) -> Answer {
        let asked = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            bytes
        };
        let bytes = tokio::time::timeout(PATIENCE, asked).await.expect("an answer in time");
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(super) async fn end(mut self) -> Served {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.serving.join_next()).await.expect("an end in time");
        ended.unwrap().unwrap().unwrap()
    }
}
