//! Start, run and stop a prober on one machine.

mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dashboard::Readiness;
use model::time::{Clock as _, SystemClock, Timestamp};
use scenario::compile::Options;
use schedule::runner::Limits;
use store::{Cursor, NewNote, Opened, Store, WriterEnd};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::account::expected;
use super::again::Again;
use super::alerts::{self};
use super::files::Place;
use super::load::{Loaded, Loader};
use super::machine::open_files_max;
use super::notify::{Notify, Systemd};
use super::pages::Pages;
use super::parts::{Parts, ReloadRequest};
use super::secrets::Vault;
use super::self_test;
use super::shutdown::{Asked, Signals};
use crate::exit::{Exit, Stop};
pub(super) use start::{audit, settle, start, start_pumping};

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
