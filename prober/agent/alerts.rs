//! The routes of the project file as receivers, and the task that owns their outlets.
//!
//! What decides on alerts only queues rows in the store ([`alert::deliveries`]); everything from there to a receiver
//! that has accepted is here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use alert::{Outlet, OutletConfig, Pace, Receiver, ReceiverKind, RouteStats, Values};
use export::prometheus::AlertNumbers;
use model::time::{Clock as _, SystemClock};
use post::Client;
use scenario::project::Project;
use scenario::project::routes::{Destination, Route};
use scenario::redact::Redactor;
use scenario::template::{Hole, Part, Secrets, Template};
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::secrets::{MissingSecrets, Vault};

/// A route with its secrets filled in, not built yet.
#[derive(Clone)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) kind: &'static ReceiverKind,
    values: Values,
}

/// All routes that can be used now.
pub(crate) type Routes = Arc<[Planned]>;

/// A route that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("route `{route}`: {error}")]
pub(crate) struct RouteError {
    route: String,
    error: alert::BuildError,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.kind.name, &self.values) == (&other.name, other.kind.name, &other.values)
    }
}

impl fmt::Debug for Planned {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.name, self.kind.name)
    }
}

impl Planned {
    /// Its receivers: one, or one for each member of a cluster.
    pub(crate) fn build(&self, client: &Client) -> Result<Vec<Box<dyn Receiver>>, RouteError> {
        let error = |error| RouteError { route: self.name.clone(), error };
        (self.kind.build)(&self.values, client).map_err(error)
    }
}

/// The client for all receivers; blocks while it reads the system's certificate authorities.
pub(crate) fn client() -> Result<Client, post::ClientError> {
    Client::new(concat!("prober/", env!("CARGO_PKG_VERSION")), &[])
}

/// The project's routes with their secrets.
///
/// A route that no alert names may lack its secrets: it is left out, and what waits for it goes on waiting.
///
/// # Errors
/// A secret of a route that an alert names has no value.
pub(crate) fn plan(
    project: &Project,
    used: &BTreeSet<Arc<str>>,
    regions: &[Arc<str>],
    vault: &Vault,
) -> Result<Vec<Planned>, MissingSecrets> {
    let (mut planned, mut missing) = (Vec::new(), Vec::new());
    for route in &project.routes {
        let name = route.name.value.as_str();
        match secrets(project, route, regions, vault) {
            Ok(secrets) => planned.extend(ReceiverKind::named(route.kind).map(|kind| Planned {
                name: name.to_owned(),
                kind,
                values: values(&route.destination, &secrets),
            })),
            Err(MissingSecrets(more)) if used.contains(name) => {
                missing.extend(more.into_iter().map(|line| format!("route `{name}`: {line}")));
            }
            Err(_) => {}
        }
    }
    if missing.is_empty() { Ok(planned) } else { Err(MissingSecrets(missing)) }
}

/// A route is of no region: its secrets are those of the first region here that has them.
fn secrets(
    project: &Project,
    route: &Route,
    regions: &[Arc<str>],
    vault: &Vault,
) -> Result<Secrets, MissingSecrets> {
    let declared =
        |region: &&Arc<str>| route.secrets.iter().all(|name| project.secret_source(region, name).is_some());
    let region = regions.iter().find(declared).or(regions.first());
    vault.open(project, region.map_or("local", |region| region), &route.secrets)
}

/// The keys and values of a destination, under the names that its receiver knows.
fn values(destination: &Destination, secrets: &Secrets) -> Values {
    let mut values = Values::default();
    let redactor = Redactor::new(secrets, &[]);
    values.mask_by(move |text| redactor.redact(text).into_owned());
    let mut add = |key, template: &Template| values.add(key, filled(template, secrets));
    match destination {
        Destination::Alertmanager { urls } => urls.iter().for_each(|url| add("url", url)),
        Destination::Webhook { url, secret } => {
            add("url", url);
            if let Some(secret) = secret {
                add("secret", secret);
            }
        }
        Destination::PagerDuty { routing_key, url } => {
            add("routing_key", routing_key);
            if let Some(url) = url {
                add("url", url);
            }
        }
        Destination::Slack { url } => add("url", url),
    }
    values
}

/// The template's text; the compiler allows nothing but texts and secrets in a route.
fn filled(template: &Template, secrets: &Secrets) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.to_string(),
        Part::Hole(Hole::Secret(name), filters) => {
            let value = secrets.get(name).unwrap_or_default().to_owned();
            filters.iter().fold(value, |text, filter| filter.apply(&text))
        }
        Part::Hole(..) => String::new(),
    };
    template.parts().iter().map(part).collect()
}

/// Counters of every route that there was since the start, by name and kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<BoardKey, Arc<RouteStats>>>>);

/// Name and kind of a route.
type BoardKey = (String, &'static str);

impl Board {
    fn stats(&self, route: &Planned) -> Arc<RouteStats> {
        let mut known = self.0.lock().expect("no holder panics");
        Arc::clone(known.entry((route.name.clone(), route.kind.name)).or_default())
    }

    /// The numbers of every route.
    pub(crate) fn numbers(&self) -> Vec<AlertNumbers> {
        let known = self.0.lock().expect("no holder panics");
        let numbers = |((route, integration), stats): (&BoardKey, &Arc<RouteStats>)| AlertNumbers {
            integration,
            route: route.clone(),
            accepted: stats.accepted(),
            failed: stats.failed(),
            waiting: stats.waiting(),
        };
        known.iter().map(numbers).collect()
    }

    /// The routes that do not get through now, and why.
    pub(crate) fn troubles(&self) -> Vec<(String, String)> {
        let known = self.0.lock().expect("no holder panics");
        let of_route = |((route, _), stats): (&BoardKey, &Arc<RouteStats>)| {
            let route = route.clone();
            stats.troubles().into_iter().map(move |(_, why)| (route.clone(), why)).collect::<Vec<_>>()
        };
        known.iter().flat_map(of_route).collect()
    }
}

/// Owns the outlets of all routes, and makes them anew when the routes change.
pub(crate) struct Alerts {
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) routes: watch::Receiver<Routes>,
    pub(crate) board: Board,
}

impl Alerts {
    /// Delivers until `stop`, and then what is due within each outlet's grace.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let routes = Arc::clone(&self.routes.borrow_and_update());
            let round = stop.child_token();
            let mut outlets = JoinSet::new();
            for route in routes.iter() {
                self.open(route, &round, &mut outlets);
            }
            self.abandon(routes).await;
            let changed = tokio::select! {
                biased;
                () = stop.cancelled() => false,
                changed = self.routes.changed() => changed.is_ok(),
            };
            if changed {
                round.cancel();
            } else {
                stop.cancelled().await;
            }
            while outlets.join_next().await.is_some() {}
            if !changed {
                return;
            }
        }
    }

    fn open(&self, route: &Planned, round: &CancellationToken, outlets: &mut JoinSet<()>) {
        let receivers = match route.build(&self.client) {
            Ok(receivers) => receivers,
            // They were built once when the files were loaded.
            Err(error) => return tracing::error!("{error}"),
        };
        let stats = self.board.stats(route);
        stats.begin();
        for receiver in receivers {
            let config =
                OutletConfig { route: route.name.clone(), told: route.kind.told, pace: Pace::default() };
            let clock = Arc::new(SystemClock);
            let outlet = Outlet::new(self.store.clone(), clock, config, receiver, Arc::clone(&stats));
            outlets.spawn(outlet.run(round.clone()));
        }
    }

    /// Says of whom nobody takes care: rows of routes that the project no longer has.
    ///
    /// They stay: a route that comes back, as after a slip in a file, takes them.
    async fn abandon(&self, routes: Routes) {
        let store = self.store.clone();
        let waiting = tokio::task::spawn_blocking(move || store.waiting_routes()).await;
        let Ok(Ok(waiting)) = waiting else { return };
        for (route, rows) in
            waiting.into_iter().filter(|(name, _)| routes.iter().all(|known| known.name != *name))
        {
            tracing::warn!(route, rows, "changes of alerts wait for a route that is not there");
        }
        let (store, before) = (self.store.clone(), SystemClock.now().minus(Pace::default().given_up));
        let names: Vec<String> = self.routes.borrow().iter().map(|route| route.name.clone()).collect();
        let given_up =
            tokio::task::spawn_blocking(move || store.give_up_routes_but(&names, before, SystemClock.now()));
        if let Ok(Ok(rows @ 1..)) = given_up.await {
            tracing::error!(rows, "changes of alerts are given up: their routes are not there");
        }
    }
}
