//! Scenario sets on their way from the engine to the compiler.

use std::sync::Arc;
use std::time::Duration;

use dashboard::ReloadState;
use fleet::nats::Nats;
use fleet::{ConfigSource as _, ManifestWatch as _, StoredManifest};
use model::time::{Clock as _, SystemClock};
use scenario::compile::Options;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::kept::{Checked, Kept};
use super::refusals::Refused;
use crate::agent::files::Place;
use crate::agent::load::{Loaded, Loader};
use crate::agent::parts::Parts;
use crate::agent::secrets::Vault;

/// How long after a fault the engine is asked for sets again.
const AGAIN: Duration = Duration::from_secs(1);

/// How a request to read the files again is answered.
pub(super) fn not_here() -> ReloadState {
    let diagnostics =
        "the scenario set comes from the fleet: publish another one with `prober push`".to_owned();
    ReloadState::Failed { at: SystemClock.now(), diagnostics }
}

/// Says that a set is refused, and why; gives what is to be noted.
pub(super) fn refused(parts: &Parts, why: &str) -> Refused {
    tracing::error!("a scenario set is refused, the one from before goes on: {why}");
    parts
        .reload_state
        .send_replace(ReloadState::Failed { at: SystemClock.now(), diagnostics: why.to_owned() });
    Refused { what: "scenario set", whose: "the servers".to_owned(), why: why.to_owned() }
}

/// The set from before the restart, else the first that the engine shows.
pub(super) async fn first_set(nats: &Nats, kept: &Kept) -> Checked {
    match kept.load() {
        Ok(Some(set)) => return set,
        Ok(None) => {}
        Err(why) => tracing::error!("the set from before cannot be used: {why}"),
    }
    let mut told = String::new();
    loop {
        let why = match nats.manifest(kept.region()).await {
            Ok(Some(shown)) => match kept.fetch(nats, &shown).await {
                Ok(Some(set)) => return set,
                Ok(None) => String::new(),
                Err(refusal) => refusal.to_string(),
            },
            Ok(None) => format!("no scenario set is published for `{}` yet", kept.region()),
            Err(fault) => fault.to_string(),
        };
        if why != told {
            tracing::warn!("waiting for a scenario set: {why}");
            told = why;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Hears of the region's sets until `stop`, also after the engine was away.
pub(super) async fn hear_sets(
    nats: Nats,
    region: String,
    out: mpsc::Sender<StoredManifest>,
    stop: CancellationToken,
) {
    let hear = async {
        loop {
            if let Ok(mut watch) = nats.watch(&region).await {
                while let Ok(shown) = watch.next().await {
                    if out.send(shown).await.is_err() {
                        return;
                    }
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    let _stopped = Box::pin(stop.run_until_cancelled(hear)).await;
}

/// What a set is compiled with.
pub(super) struct Compiler {
    /// The region whose plans are wanted; every region's if `None`, and then without their secrets.
    region: Option<String>,
    id: String,
    vault: Arc<Vault>,
    shared: Arc<probe::Shared>,
}

impl Compiler {
    /// For a region, or for all without their secrets.
    pub(super) fn new(region: Option<String>, id: &str, vault: Vault) -> Self {
        let shared = Arc::new(probe::Shared::new(probe::NetConfig::default()));
        Self { region, id: id.to_owned(), vault: Arc::new(vault), shared }
    }

    /// Unpacks and compiles a set; says why it cannot be used.
    pub(super) async fn compile(&self, kept: &Kept, set: &Checked) -> Result<(Arc<Loader>, Loaded), String> {
        let folder = kept.unpack(set).map_err(|refusal| refusal.to_string())?;
        let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
        let options = Options {
            regions: self.region.clone().map(|region| vec![region]),
            prober: self.id.clone(),
            alone: self.region.is_some(),
            replicas: true,
            ..Options::default()
        };
        let loader = Arc::new(Loader {
            place: Place { project: Some(folder.clone()), paths: Vec::new(), base: folder },
            options,
            vault: Arc::clone(&self.vault),
            shared: Arc::clone(&self.shared),
            probes: self.region.is_some(),
        });
        let load = Arc::clone(&loader);
        let loaded = tokio::task::spawn_blocking(move || load.load()).await;
        let loaded = loaded.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        // Who asks later, such as a review, wants the set that holds then.
        let current = std::path::absolute(kept.current()).map_err(|error| error.to_string())?;
        let place = Place { project: Some(current.clone()), paths: Vec::new(), base: current };
        let (vault, shared) = (Arc::clone(&loader.vault), Arc::clone(&loader.shared));
        let (options, probes) = (loader.options.clone(), loader.probes);
        Ok((Arc::new(Loader { place, options, vault, shared, probes }), loaded))
    }
}
