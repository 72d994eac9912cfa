//! The engine of a fleet of several machines: NATS with JetStream, server 2.12.8 or newer.
//!
//! | what | where | kept |
//! | --- | --- | --- |
//! | newest manifest | bucket [`CONFIG`], key `REGION.manifest` | always |
//! | earlier manifests | bucket [`CONFIG`], key `REGION.version.N` | always |
//! | objects of sets | bucket [`CONFIG`], key `REGION.object.HASH` | always |
//! | members | bucket [`MEMBERS`], key `REGION.PROBER` | [`crate::MEMBER_LIFE`] |
//! | owners | bucket [`OWNERS`], key `REGION.SHARD.REPLICA` | always |
//! | confirms | bucket [`CONFIRMS`], key `REGION.PROBER` | always |
//! | batches | stream [`STREAM`], subject `sli.REGION.SHARD.REPLICA` | 48 hours |
//! | beats | subject `beat.REGION`, not stored | – |
//!
//! The region comes first everywhere, so that a prober's permissions are a few patterns.
//!
//! A call that the server does not answer ends after [`CALL_MAX`]; the client reconnects by itself and for ever. Buffers
//! of the client are no queue: whoever sends holds what is not acknowledged.

mod ask;
mod config;
mod events;
mod keys;
mod ownership;

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::{Config as StreamConfig, StorageType};
use async_nats::jetstream::{self, Context, kv};
use async_nats::{Client, ConnectErrorKind, ConnectOptions};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use crate::{DUPLICATE_WINDOW, Fault, MEMBER_LIFE};

pub use config::NatsManifests;
pub use events::NatsReader;
pub use ownership::NatsWatch;

/// The bucket of scenario sets.
pub const CONFIG: &str = "cfg";
/// The bucket of members.
pub const MEMBERS: &str = "members";
/// The bucket of owners.
pub const OWNERS: &str = "own";
/// The bucket of confirms.
pub const CONFIRMS: &str = "conf";
/// The stream of batches.
pub const STREAM: &str = "SLI";

/// The longest wait for an answer.
pub const CALL_MAX: Duration = Duration::from_secs(5);

/// How often a watch looks at its connection, and at the lives of members.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long the server keeps batches; the ledger has them long before, or asks for them again.
const BATCHES_KEPT: Duration = Duration::from_hours(48);

/// The longest value and the longest batch, with room for headers.
const VALUE_BYTES_MAX: i32 = 600 << 10;

/// Where the servers are, and who we are to them.
pub struct Settings {
    /// URLs like `nats://host:4222` or `tls://host:4222`, any of which will do; a URL may carry `user:password@`.
    pub servers: Vec<String>,
    /// User and password, if no URL has them.
    pub login: Option<(String, String)>,
    /// Authorities that TLS trusts beside the system's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// What we are called in the server's lists.
    pub name: String,
}

/// The engine; clones share one connection.
#[derive(Clone)]
pub struct Nats {
    client: Client,
    context: Context,
    buckets: Arc<Buckets>,
}

/// The buckets that have been looked up.
#[derive(Default)]
struct Buckets {
    config: OnceCell<Store>,
    members: OnceCell<Store>,
    owners: OnceCell<Store>,
    confirms: OnceCell<Store>,
}

impl std::fmt::Debug for Nats {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Nats({})", self.client.connection_state())
    }
}

impl Nats {
    /// A client of the servers. It connects in the background, now or when one is there.
    ///
    /// # Errors
    /// A URL is none.
    pub async fn connect(settings: Settings) -> Result<Self, Fault> {
        Self::open(settings, true).await
    }

    /// A client that is connected, for whoever asks a few questions and goes.
    ///
    /// # Errors
    /// A URL is none, no server is there, or it does not let this login in.
    pub async fn connect_now(settings: Settings) -> Result<Self, Fault> {
        Self::open(settings, false).await
    }

    async fn open(settings: Settings, is_patient: bool) -> Result<Self, Fault> {
        let Settings { servers, login, authorities, name } = settings;
        let tls = tokio::task::spawn_blocking(move || tls(authorities)).await;
        let tls = tls.map_err(|error| away(&error))?.map_err(Fault::Refused)?;
        let mut options = ConnectOptions::new()
            .name(name)
            .tls_client_config(tls)
            .connection_timeout(CALL_MAX)
            .request_timeout(Some(CALL_MAX))
            .ping_interval(Duration::from_secs(5))
            .reconnect_delay_callback(|tries| Duration::from_millis(100 << tries.min(4)));
        // The client itself takes no login out of a URL.
        if let Some((user, password)) = login.or_else(|| servers.iter().find_map(|url| login_in(url))) {
            // Answers come where nobody but this user may listen.
            options = options.custom_inbox_prefix(crate::access::inbox(&user));
            options = options.user_and_password(user, password);
        }
        if is_patient {
            options = options.retry_on_initial_connect();
        }
        let client = options.connect(servers).await.map_err(|error| match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                Fault::Refused("this login is not let in".to_owned())
            }
            ConnectErrorKind::ServerParse => Fault::Refused(error.to_string()),
            _ => away(&error),
        })?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(CALL_MAX);
        Ok(Self { client, context, buckets: Arc::default() })
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Which connection it is, from 1 on; that is also the one that is still being made.
    fn connects(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed).max(1)
    }

    /// The server's version, once there is or was a connection.
    pub fn server_version(&self) -> Option<String> {
        Some(self.client.server_info().version).filter(|version| !version.is_empty())
    }

    /// Half the time of a round trip, by which a clock can be compared.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn round_trip(&self) -> Result<Duration, Fault> {
        let began = std::time::Instant::now();
        within(self.client.flush()).await?;
        Ok(began.elapsed())
    }

    /// Makes the buckets and the stream, or brings them up to what this version wants; `replicas` is 1, 3 or 5.
    ///
    /// # Errors
    /// The servers are away, too few for `replicas`, or refuse.
    pub async fn prepare(&self, replicas: usize) -> Result<(), Fault> {
        for (bucket, max_age) in
            [(CONFIG, None), (MEMBERS, Some(MEMBER_LIFE)), (OWNERS, None), (CONFIRMS, None)]
        {
            let config = kv::Config {
                bucket: bucket.to_owned(),
                history: 1,
                max_age: max_age.unwrap_or_default(),
                max_value_size: VALUE_BYTES_MAX,
                storage: StorageType::File,
                num_replicas: replicas,
                ..kv::Config::default()
            };
            within(self.context.create_or_update_key_value(config)).await?;
        }
        let config = StreamConfig {
            name: STREAM.to_owned(),
            subjects: vec!["sli.>".to_owned()],
            max_age: BATCHES_KEPT,
            duplicate_window: DUPLICATE_WINDOW,
            max_message_size: VALUE_BYTES_MAX,
            storage: StorageType::File,
            num_replicas: replicas,
            ..StreamConfig::default()
        };
        within(self.context.create_or_update_stream(config)).await.map(drop)
    }

    async fn bucket(&self, name: &str) -> Result<&Store, Fault> {
        let cell = match name {
            CONFIG => &self.buckets.config,
            MEMBERS => &self.buckets.members,
            OWNERS => &self.buckets.owners,
            _ => &self.buckets.confirms,
        };
        cell.get_or_try_init(|| within(self.context.get_key_value(name))).await
    }
}

/// The user and the password in a URL, as they stand there.
fn login_in(url: &str) -> Option<(String, String)> {
    let (login, _) = url.split_once("://")?.1.rsplit_once('@')?;
    let (user, password) = login.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// TLS that trusts the system's authorities, and `more`. Blocks while it reads the authorities.
fn tls(more: Vec<CertificateDer<'static>>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(more);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Waits for an answer, but not for ever.
async fn within<T, E: Display>(call: impl Future<Output = Result<T, E>>) -> Result<T, Fault> {
    match tokio::time::timeout(CALL_MAX, call).await {
        Ok(answer) => answer.map_err(|error| away(&error)),
        Err(_) => Err(Fault::Away("there was no answer in time".to_owned())),
    }
}

fn away(error: &dyn Display) -> Fault {
    Fault::Away(error.to_string())
}
