//! What both roles do to begin: pages, store and parts, before anything of the fleet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::time::Timestamp;
use post::Client;
use schedule::runner::Limits;
use store::Record;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::environment;
use crate::agent::alerts;
use crate::agent::load::{Loaded, Loader};
use crate::agent::notify::{Notify, Systemd};
use crate::agent::pages::Pages;
use crate::agent::parts::{Parts, ReloadRequest};
use crate::agent::serve::{GRACE, OpenStore, enter, listen, second, start, start_pumping, warm};
use crate::agent::shutdown::Signals;
use crate::exit::Stop;

/// Parts that run, with nothing to run yet.
pub(super) struct Begun {
    pub(super) parts: Parts,
    pub(super) reloads: mpsc::Receiver<ReloadRequest>,
    /// A way into the store.
    pub(super) queue: mpsc::Sender<Record>,
    /// Where the pages are.
    pub(super) address: SocketAddr,
    /// Every slot of the store before it is on record.
    pub(super) from: Timestamp,
}

/// How long a service manager waits for the first scenario set with the role. What the machine starts after it must not
/// wait for a fleet, and this is far below the 90 s after which a start is given up.
const START_WAITS: Duration = Duration::from_secs(10);

/// The way to the service manager.
pub(super) fn manager(systemd: &Systemd) -> Result<Notify, Stop> {
    Notify::new(systemd).map_err(|error| Stop::environment(format!("the socket in NOTIFY_SOCKET: {error}")))
}

/// Waits for what is needed to begin; `None` if a signal asks for the end before it is there.
pub(super) async fn until_begun<T>(
    notify: &Notify,
    signals: &mut Signals,
    begun: impl Future<Output = T>,
) -> Option<T> {
    let waited = async {
        tokio::pin!(begun);
        if let Ok(begun) = timeout(START_WAITS, &mut begun).await {
            return begun;
        }
        notify.ready_to("waits for the first scenario set of its fleet");
        begun.await
    };
    tokio::select! {
        begun = notify.beating(waited) => Some(begun),
        () = second(signals) => {
            notify.stopping();
            None
        }
    }
}

/// Tells the manager of a reload that has nothing to read.
pub(super) fn nothing_to_reload(notify: &Notify, work: &str) {
    notify.reloading();
    tracing::info!("the scenario set comes from the fleet; nothing is read again");
    notify.ready_to(work);
}

/// The client of the receivers of alerts.
pub(super) async fn client() -> Result<Client, Stop> {
    let client = tokio::task::spawn_blocking(alerts::client).await.map_err(environment)?;
    client.map_err(environment)
}

/// Starts every part.
///
/// # Errors
/// The pages' address is taken or may not be served, or a part cannot be started.
pub(super) async fn begin(
    (address, pages): (Option<SocketAddr>, Pages),
    store: OpenStore,
    (loader, loaded, client): (Arc<Loader>, &Loaded, Client),
    in_flight_max: usize,
) -> Result<Begun, Stop> {
    warm(&loader).await;
    let listener = listen(address, &pages, loaded).await?;
    let address = listener.local_addr().map_err(environment)?;
    enter(loaded)?;
    let limits = Limits { in_flight_max, grace: GRACE };
    let anchor = probe::Anchor::listen().await.map_err(environment)?;
    let OpenStore { opened, from, counted_from, dir } = store;
    let queue = opened.queue.clone();
    let pumping = start_pumping((&opened.store, from, counted_from), (&loader, loaded)).await?;
    let (store, pages) = ((opened, from, pumping), (listener, pages, dir));
    let (parts, reloads) = start(store, (loader, loaded, client), limits, (pages, anchor))?;
    Ok(Begun { parts, reloads, queue, address, from })
}
