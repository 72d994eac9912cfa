//! What both roles do to begin: pages, store and parts, before anything of the fleet.

use std::net::SocketAddr;
use std::sync::Arc;

use model::time::Timestamp;
use post::Client;
use schedule::runner::Limits;
use store::Record;
use tokio::sync::mpsc;

use super::environment;
use crate::agent::alerts;
use crate::agent::load::{Loaded, Loader};
use crate::agent::pages::Pages;
use crate::agent::parts::{Parts, ReloadRequest};
use crate::agent::serve::{GRACE, OpenStore, enter, listen, start, start_pumping, warm};
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
