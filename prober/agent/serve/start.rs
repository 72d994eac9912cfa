//! Starts the parts of a prober and joins them to each other.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use dashboard::{Catalogue, Format, OwnDoubts, Readiness, ReloadState, Settings as PageSettings, Sources};
use export::Surroundings;
use export::prometheus::{self, Metrics, StreamInfo};
use export::pump::{Pump, PumpConfig, PumpStats};
use model::time::{Clock as _, SystemClock, Timestamp};
use post::Client;
use schedule::distrust::suspend::Suspension;
use schedule::distrust::{Doubts, Standing};
use schedule::runner::{Command, Gauges, Limits, Runner, Stopped};
use store::{Cursor, Opened, Record, Store, Writer, WriterEnd};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::account::{Audit, Horizon, expected};
use crate::agent::alerts::{Alerts, Board, Routes};
use crate::agent::at_start::AtStart;
use crate::agent::controls::{self, Controls};
use crate::agent::load::{Loaded, Loader};
use crate::agent::machine;
use crate::agent::metrics::MetricsPage;
use crate::agent::on_demand::OnDemand;
use crate::agent::pages::Pages;
use crate::agent::parts::{Parts, ReloadRequest};
use crate::agent::pumps::Pumps;
use crate::agent::settle::Settling;
use crate::agent::sink::StoreSink;
use crate::agent::slo::Judging;
use crate::exit::Stop;

pub(in crate::agent) type Started = (Parts, mpsc::Receiver<ReloadRequest>);

/// Starts every part; nothing is scheduled yet.
pub(in crate::agent) fn start(
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
    let reload_state = watch::Sender::new(ReloadState::Loaded { at: started });
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
        reload_state: reload_state.subscribe(),
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
        reload_state,
        at_start: AtStart::of(&loaded.project),
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
pub(in crate::agent) fn settle(parts: &mut Parts, queue: mpsc::WeakSender<Record>, of_others: bool) {
    let (store, doubts) = (parts.store.clone(), Arc::clone(&parts.doubts));
    let settling = Settling { store, queue, doubts, of_others };
    parts.rest.spawn(settling.run(parts.rest_stop.clone()));
}

/// Looks at the account of what is run here, from `from` on.
pub(in crate::agent) fn audit(parts: &mut Parts, from: Timestamp) {
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
pub(in crate::agent) struct Pumping {
    pumps: Pumps,
    /// What is counted for the metrics page, and the pump that does.
    metrics: Metrics,
    fold: JoinSet<PumpStats>,
    fold_stop: CancellationToken,
    streams: watch::Sender<Arc<[StreamInfo]>>,
    own_page: Arc<OnceLock<MetricsPage>>,
}

/// Starts the pumps of the exporters, and the one that counts for the metrics page.
pub(in crate::agent) async fn start_pumping(
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
