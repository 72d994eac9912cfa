//! Start, run and stop a prober on one machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use dashboard::{Catalogue, Format, OwnDoubts, Readiness, ReloadState, Settings as PageSettings, Sources};
use export::Surroundings;
use export::prometheus::{self, Metrics, StreamInfo};
use export::pump::{Pump, PumpConfig, PumpStats};
use model::time::{Clock as _, SystemClock, Timestamp};
use post::Client;
use scenario::compile::Options;
use schedule::distrust::suspend::Suspension;
use schedule::distrust::{Doubts, Standing};
use schedule::runner::{Command, Gauges, Limits, Runner, Stopped};
use store::{Cursor, NewNote, Opened, Record, Store, Writer, WriterEnd};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::account::{Audit, Horizon, expected};
use super::again::Again;
use super::alerts::{self, Alerts, Board, Routes};
use super::controls::{self, Controls};
use super::files::Place;
use super::load::{Loaded, Loader};
use super::machine;
use super::metrics::{MetricsPage, open_files_max};
use super::notify::{Notify, Systemd};
use super::on_demand::OnDemand;
use super::pages::Pages;
use super::parts::{Parts, ReloadRequest};
use super::pumps::Pumps;
use super::secrets::Vault;
use super::self_test;
use super::settle::Settling;
use super::shutdown::{Asked, Signals};
use super::sink::StoreSink;
use super::slo::Judging;
use crate::exit::{Exit, Stop};

/// What the command line decides.
pub(crate) struct Settings {
    pub(crate) place: Place,
    pub(crate) options: Options,
    pub(crate) vault: Vault,
    /// The data directory; `prober-data` beside the project file if `None`.
    pub(crate) data: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) in_flight: Option<usize>,
    pub(crate) pages: Pages,
    /// The service manager that started it, if one did.
    pub(crate) systemd: Systemd,
}

/// The default address of page, API and metrics.
pub(crate) const LISTEN: &str = "127.0.0.1:9899";
/// Runs in flight at once, if the limit on open files allows it.
const IN_FLIGHT_MAX: u64 = 8_192;
/// How often it is looked whether the store is still written.
const LOOKED_AFTER: Duration = Duration::from_secs(1);
/// Open files that are not for runs: store, pages, log.
const FILES_RESERVED: u64 = 256;
/// How long runs in flight may go on after a stop before they are asked to end and clean up: as long as the
/// default timeout, and with the default teardown still below the 30 s that service managers often wait.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// Serves until a signal; the second signal ends at once.
pub(crate) async fn serve(
    settings: Settings,
    started: impl FnOnce(SocketAddr, &Loaded),
) -> Result<Exit, Stop> {
    let mut signals = Signals::new().map_err(|error| Stop::environment(format!("signals: {error}")))?;
    let notify = Notify::new(&settings.systemd)
        .map_err(|error| Stop::environment(format!("the socket in NOTIFY_SOCKET: {error}")))?;
    let loader = Arc::new(Loader {
        place: settings.place.clone(),
        options: settings.options.clone(),
        vault: Arc::new(settings.vault),
        shared: Arc::new(probe::Shared::new(probe::NetConfig::default())),
        probes: true,
    });
    let client = tokio::task::spawn_blocking(alerts::client).await;
    let client = client.map_err(|error| Stop::environment(error.to_string()))?;
    let client = client.map_err(|error| Stop::environment(error.to_string()))?;
    let loaded = loader.load_to_serve(&client)?;
    warm(&loader).await;
    let listener = listen(settings.listen, &settings.pages, &loaded).await?;
    let address = listener.local_addr().map_err(|error| Stop::environment(error.to_string()))?;
    let opened =
        open_store(settings.data.unwrap_or_else(|| loaded.root.join("prober-data")), &loaded, None).await?;
    enter(&loaded)?;
    let limits = Limits { in_flight_max: in_flight_max(settings.in_flight), grace: GRACE };
    let anchor = probe::Anchor::listen().await;
    let anchor = anchor.map_err(|error| Stop::environment(format!("no port on loopback: {error}")))?;
    let OpenStore { opened, from, counted_from, dir } = opened;
    let pumping = start_pumping((&opened.store, from, counted_from), (&loader, &loaded)).await?;
    let pages = (listener, settings.pages, dir);
    let queue = opened.queue.downgrade();
    let store = (opened, from, pumping);
    let (mut parts, mut reloads) = start(store, (loader, &loaded, client), limits, (pages, anchor))?;
    audit(&mut parts, from);
    settle(&mut parts, queue, false);
    started(address, &loaded);
    if !loaded.warnings.is_empty() {
        tracing::warn!("warnings in the scenario files:\n{}", loaded.warnings);
    }
    self_test::begin(&mut parts).await;
    parts.apply(loaded).await.map_err(Stop::environment)?;
    parts.readiness.send_replace(Readiness::Ready);
    notify.ready(parts.scenarios());
    obey(&mut parts, &notify, &mut signals, &mut reloads).await;
    tracing::info!("stopping; a second signal ends at once");
    notify.stopping();
    let stopped = notify.beating(parts.stop());
    tokio::select! {
        stopped = stopped => stopped.map(|()| Exit::Good),
        () = second(&mut signals) => Ok(Exit::Interrupted),
    }
}

/// Does what is asked for until that is a stop, or nothing is written any more.
async fn obey(
    parts: &mut Parts,
    notify: &Notify,
    signals: &mut Signals,
    reloads: &mut mpsc::Receiver<ReloadRequest>,
) {
    let mut again = Again::default();
    loop {
        let asked = notify.beating(async {
            tokio::select! {
                asked = signals.next() => {
                    if asked == Asked::Reload {
                        note_signal(&parts.store).await;
                    }
                    (asked, None)
                }
                Some(request) = reloads.recv() => (Asked::Reload, Some(request)),
                () = again.due() => (Asked::Reload, None),
                () = ended(&parts.writer) => (Asked::Stop, None),
            }
        });
        let (Asked::Reload, request) = asked.await else { return };
        notify.reloading();
        let state = notify.beating(parts.reload()).await;
        notify.ready(parts.scenarios());
        again.note(&state, SystemClock.monotonic());
        if let Some(request) = request {
            // Whoever asked may have gone.
            drop(request.send(state));
        }
    }
}

/// Waits until the thread that writes has ended by itself.
async fn ended(writer: &JoinHandle<WriterEnd>) {
    while !writer.is_finished() {
        tokio::time::sleep(LOOKED_AFTER).await;
    }
}

/// Notes a reload that a signal asked for, beside those that people ask for on a page; one that cannot be noted is made
/// all the same.
async fn note_signal(store: &Store) {
    let note = NewNote {
        who: "SIGHUP".to_owned(),
        action: "reload",
        subject: "files".to_owned(),
        detail: String::new(),
        once: false,
    };
    let store = store.clone();
    let noted = tokio::task::spawn_blocking(move || store.note(&[note], SystemClock.now())).await;
    if let Ok(Err(error)) = noted {
        tracing::warn!(%error, "a reload could not be noted");
    }
}

/// Reads the system's certificate authorities now, so that no run waits for them.
pub(super) async fn warm(loader: &Arc<Loader>) {
    let shared = Arc::clone(&loader.shared);
    drop(tokio::task::spawn_blocking(move || shared.warm()).await);
}

pub(super) async fn second(signals: &mut Signals) {
    while signals.next().await != Asked::Stop {}
}

/// Binds the page's address: the flag's, the project's, or the default.
pub(super) async fn listen(
    flag: Option<SocketAddr>,
    pages: &Pages,
    loaded: &Loaded,
) -> Result<TcpListener, Stop> {
    let address = match (flag, &loaded.project.listen) {
        (Some(address), _) => address,
        (None, Some(text)) => text.value.parse().map_err(|_| {
            Stop::file(format!("`serve: {{ listen: {} }}` is not an address like {LISTEN}", text.value))
        })?,
        (None, None) => LISTEN.parse().expect("the default is an address"),
    };
    pages.may_listen(address)?;
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("port {} is in use; choose another with --listen 127.0.0.1:PORT", address.port())
        }
        _ => format!("cannot listen on {address}: {error}"),
    };
    TcpListener::bind(address).await.map_err(|error| Stop::environment(cannot(error)))
}

/// An open store, with the slots of the time before on record.
pub(super) struct OpenStore {
    pub(super) opened: Opened,
    /// Every slot before it is on record.
    pub(super) from: Timestamp,
    /// Where the metrics begin to count: before the slots that recovery found missed.
    pub(super) counted_from: Cursor,
    /// Where it lies.
    pub(super) dir: PathBuf,
}

/// Opens the store; `held_by` is the reader that has to get everything, if one has to.
pub(super) async fn open_store(
    dir: PathBuf,
    loaded: &Loaded,
    held_by: Option<&str>,
) -> Result<OpenStore, Stop> {
    let dir = std::path::absolute(&dir).map_err(|error| Stop::environment(error.to_string()))?;
    let mut config = store::Config::new(dir.clone());
    let wanted = &loaded.project.store;
    config.bytes_max = wanted.bytes_max.unwrap_or(config.bytes_max);
    config.age_max = wanted.keep.unwrap_or(config.age_max);
    config.held_by = held_by.map(str::to_owned);
    let opening = tokio::task::spawn_blocking(move || {
        let mut opened = Store::open(config, Arc::new(SystemClock)).map_err(|error| error.to_string())?;
        let counted_from = opened.store.cursor_at_end();
        let now = Timestamp::from_millis(SystemClock.now().as_millis() + 1);
        let recovered = opened.writer.recover(now, &expected).map_err(|error| error.to_string())?;
        if recovered.interrupted + recovered.drained > 0 {
            tracing::warn!(
                interrupted = recovered.interrupted,
                maybe_sent = recovered.maybe_sent,
                drained = recovered.drained,
                "slots were missed while no prober ran"
            );
        }
        Ok::<_, String>(OpenStore { opened, from: now, counted_from, dir })
    });
    opening.await.map_err(|error| Stop::environment(error.to_string()))?.map_err(Stop::environment)
}

/// Relative paths in scenario files count from the project's folder.
pub(super) fn enter(loaded: &Loaded) -> Result<(), Stop> {
    std::env::set_current_dir(&loaded.root)
        .map_err(|error| Stop::environment(format!("{}: {error}", loaded.root.display())))
}

/// Runs in flight at once: as many as wanted, or as the limit on open files allows.
pub(crate) fn in_flight_max(wanted: Option<usize>) -> usize {
    let files = open_files_max().saturating_sub(FILES_RESERVED).max(16);
    let most = usize::try_from(files.min(IN_FLIGHT_MAX)).unwrap_or(16);
    wanted.map_or(most, |wanted| wanted.max(1))
}

pub(super) type Started = (Parts, mpsc::Receiver<ReloadRequest>);

/// Starts every part; nothing is scheduled yet.
pub(super) fn start(
    (opened, from, pumping): (Opened, Timestamp, Pumping),
    (loader, loaded, client): (Arc<Loader>, &Loaded, Client),
    limits: Limits,
    ((listener, pages, dir), anchor): ((TcpListener, Pages, PathBuf), probe::Anchor),
) -> Result<Started, Stop> {
    let Opened { store, queue, writer } = opened;
    let metrics = pumping.metrics.clone();
    let running = start_running((&store, queue, writer), limits, from)?;

    let rest_stop = CancellationToken::new();
    let mut rest = JoinSet::new();
    let gauges = Arc::clone(&running.gauges);
    let controls = start_looking(&mut rest, &running.doubts, (&loader, anchor), &rest_stop);

    let at = listener.local_addr().map_err(|error| Stop::environment(error.to_string()))?;
    let judging = Judging::start(&store, pages.origin(at), loaded.promises.clone());
    let (routes, board) = (watch::Sender::new(Arc::clone(&loaded.routes)), Board::default());
    let (alerts, alerts_stop) = start_alerts(&store, &client, routes.subscribe(), &board);

    let (started, fleet) = (SystemClock.now(), watch::Sender::new(None));
    let page = MetricsPage {
        metrics: metrics.clone(),
        store: store.clone(),
        sinks: pumping.pumps.sinks(),
        started,
        doubts: Arc::clone(&running.doubts),
        gauges,
        standings: judging.standings.subscribe(),
        board,
        fleet: fleet.subscribe(),
    };
    // Set once: this is the only place that does.
    let _first = pumping.own_page.set(page.clone());
    let mut parts = Parts {
        store,
        loader,
        metrics,
        streams: pumping.streams,
        commands: running.commands,
        gauges: Arc::clone(&running.gauges),
        doubts: running.doubts,
        controls,
        catalogue: watch::Sender::new(Arc::new(Catalogue::default())),
        ground: watch::Sender::new(Arc::default()),
        readiness: watch::Sender::new(Readiness::Starting("plans are being loaded".to_owned())),
        reload_state: watch::Sender::new(ReloadState::Loaded { at: started }),
        fleet,
        runner: running.tasks,
        runner_stop: running.stop,
        writer: running.writer,
        fold: pumping.fold,
        fold_stop: pumping.fold_stop,
        pumps: pumping.pumps,
        judging,
        client,
        routes,
        alerts,
        alerts_stop,
        rest,
        rest_stop,
    };
    let reloads = serve_pages(&mut parts, (listener, pages, dir), page);
    Ok((parts, reloads))
}

/// Serves the pages until the rest stops; gives what they ask to be loaded again.
fn serve_pages(
    parts: &mut Parts,
    (listener, pages, dir): (TcpListener, Pages, PathBuf),
    page: MetricsPage,
) -> mpsc::Receiver<ReloadRequest> {
    let (ask, reloads) = mpsc::channel(4);
    let mut sources = sources_of(parts, page.clone(), ask);
    pages.fill(&mut sources, (&parts.loader, page, dir));
    let stop = parts.rest_stop.clone();
    parts.rest.spawn(async move {
        if let Err(error) = dashboard::serve(listener, sources, stop).await {
            tracing::error!("the pages are gone: {error}");
        }
    });
    reloads
}

/// Settles what is held, where all regions are known.
pub(super) fn settle(parts: &mut Parts, queue: mpsc::WeakSender<Record>, of_others: bool) {
    let (store, doubts) = (parts.store.clone(), Arc::clone(&parts.doubts));
    let settling = Settling { store, queue, doubts, of_others };
    parts.rest.spawn(settling.run(parts.rest_stop.clone()));
}

/// Looks at the account of what is run here, from `from` on.
pub(super) fn audit(parts: &mut Parts, from: Timestamp) {
    let horizon = Horizon::All(Arc::clone(&parts.gauges));
    let audit = Audit::new((parts.store.clone(), parts.metrics.clone()), horizon, from);
    parts.rest.spawn(audit.run(parts.rest_stop.clone()));
}

/// What runs scenarios, and what writes their events.
struct Running {
    tasks: JoinSet<Stopped>,
    stop: CancellationToken,
    commands: mpsc::Sender<Command>,
    gauges: Arc<Gauges>,
    doubts: Arc<Doubts>,
    writer: JoinHandle<WriterEnd>,
}

/// Starts the runner and the thread that writes; it has no plans yet.
fn start_running(
    (store, queue, writer): (&Store, mpsc::Sender<Record>, Writer),
    limits: Limits,
    from: Timestamp,
) -> Result<Running, Stop> {
    let doubts = Arc::new(Doubts::default());
    let runner = Runner::new(StoreSink::new(queue, store.clone()), Arc::new(SystemClock), limits, from)
        .doubting(Arc::clone(&doubts));
    let gauges = runner.gauges();
    let (commands, receiver) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(runner.run(receiver, stop.clone()));
    let writer = std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run());
    let writer = writer.map_err(|error| Stop::environment(error.to_string()))?;
    Ok(Running { tasks, stop, commands, gauges, doubts, writer })
}

/// Starts what looks at the prober's own health; gives where control targets are told.
fn start_looking(
    rest: &mut JoinSet<()>,
    doubts: &Arc<Doubts>,
    (loader, anchor): (&Loader, probe::Anchor),
    stop: &CancellationToken,
) -> watch::Sender<controls::Current> {
    let controls = watch::Sender::new(controls::Current::default());
    let look = Controls {
        doubts: Arc::clone(doubts),
        shared: Arc::clone(&loader.shared),
        anchor: anchor.at(),
        current: controls.subscribe(),
    };
    rest.spawn(look.run(stop.clone()));
    rest.spawn(machine::watch(Arc::clone(doubts), stop.clone()));
    let stop = stop.clone();
    rest.spawn(async move {
        let _stopped = stop.run_until_cancelled(anchor.serve()).await;
    });
    controls
}

/// Starts the task that owns the outlets of all routes.
fn start_alerts(
    store: &Store,
    client: &Client,
    routes: watch::Receiver<Routes>,
    board: &Board,
) -> (JoinSet<()>, CancellationToken) {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let alerts = Alerts { store: store.clone(), client: client.clone(), routes, board: board.clone() };
    tasks.spawn(alerts.run(stop.clone()));
    (tasks, stop)
}

/// What exporters know of this prober; the page with its own metrics comes when it is there.
fn surroundings(
    loader: &Loader,
    streams: watch::Receiver<Arc<[StreamInfo]>>,
    page: Arc<OnceLock<MetricsPage>>,
) -> Surroundings {
    Surroundings {
        clock: Arc::new(SystemClock),
        prober: loader.options.prober.as_str().into(),
        version: env!("CARGO_PKG_VERSION").into(),
        streams,
        own: Arc::new(move || page.get().map(MetricsPage::without_streams).unwrap_or_default()),
    }
}

/// The pumps, and what they know of this prober.
pub(super) struct Pumping {
    pumps: Pumps,
    /// What is counted for the metrics page, and the pump that does.
    metrics: Metrics,
    fold: JoinSet<PumpStats>,
    fold_stop: CancellationToken,
    streams: watch::Sender<Arc<[StreamInfo]>>,
    own_page: Arc<OnceLock<MetricsPage>>,
}

/// Starts the pumps of the exporters, and the one that counts for the metrics page.
pub(super) async fn start_pumping(
    (store, from, counted_from): (&Store, Timestamp, Cursor),
    (loader, loaded): (&Loader, &Loaded),
) -> Result<Pumping, Stop> {
    let metrics = Metrics::default();
    metrics.tell_as_blackbox(loaded.project.is_blackbox);
    metrics.set(&loaded.streams(), &loaded.promises.joint);
    metrics.account_from(from);
    let streams = watch::Sender::new(Arc::from(loaded.streams()));
    let own_page = Arc::new(OnceLock::new());
    let around = surroundings(loader, streams.subscribe(), Arc::clone(&own_page));
    let mut pumps = Pumps::new(store, around);
    pumps.set(&loaded.exporters).await.map_err(Stop::environment)?;
    let (mut fold, fold_stop) = (JoinSet::new(), CancellationToken::new());
    let clock = Arc::new(SystemClock);
    let pump = Pump::new("metrics", (store, counted_from), metrics.exporter(), clock, PumpConfig::default());
    fold.spawn(pump.run(fold_stop.clone()));
    Ok(Pumping { pumps, metrics, fold, fold_stop, streams, own_page })
}

fn sources_of(parts: &Parts, page: MetricsPage, ask: mpsc::Sender<ReloadRequest>) -> Sources {
    let (doubts, metrics) = (Arc::clone(&parts.doubts), parts.metrics.clone());
    let board = page.board.clone();
    let on_demand = Arc::new(OnDemand::new(Arc::clone(&parts.loader), parts.ground.subscribe()));
    Sources {
        store: parts.store.clone(),
        clock: Arc::new(SystemClock),
        catalogue: parts.catalogue.subscribe(),
        standings: parts.judging.standings.subscribe(),
        reload_state: parts.reload_state.subscribe(),
        readiness: parts.readiness.subscribe(),
        metrics: Arc::new(move |format| {
            Box::new(page.chunks(match format {
                Format::Text => prometheus::Format::Prometheus,
                Format::OpenMetrics => prometheus::Format::OpenMetrics,
            }))
        }),
        doubts: Arc::new(move || OwnDoubts {
            suspended: doubts.suspensions().all().into_iter().filter_map(Suspension::shown).collect(),
            doubts: doubts.standing().into_iter().filter_map(Standing::shown).collect(),
            hidden: metrics.over_limit(),
            undelivered: board.troubles(),
        }),
        expected: Arc::new(expected),
        probe: Arc::new(move |request| Box::pin(Arc::clone(&on_demand).probe(request))),
        reload: Arc::new(move || {
            let ask = ask.clone();
            Box::pin(async move {
                let (reply, answer) = oneshot::channel();
                let gone = || ReloadState::Failed {
                    at: SystemClock.now(),
                    diagnostics: "the prober is stopping".to_owned(),
                };
                if ask.send(reply).await.is_err() {
                    return gone();
                }
                answer.await.unwrap_or_else(|_| gone())
            })
        }),
        own: Arc::new(Vec::new),
        fleet: parts.fleet.subscribe(),
        review: Arc::new(|| Err("there is no review".to_owned())),
        schemas: Vec::new(),
        settings: PageSettings::default(),
    }
}
