//! What all runs have in common, and what one run carries from step to step.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use model::outcome::Failure;
use model::probe::Detail;
use rustls::crypto::{CryptoProvider, SecureRandom};
use rustls_pki_types::CertificateDer;
use scenario::network::Policy;
use scenario::template::{Captured, Captures};

use crate::net::certificate::{CertificateCache, CertificateFacts};
use crate::net::datagram;
use crate::net::fault;
use crate::net::resolve::{Resolver, ResolverSource, Servers};
use crate::net::roots::{self, Roots, Trusted};
use crate::net::stub::{self, AskError};
use crate::net::tls::{Stamps, TlsChoice, TlsSetup};

/// How often a CA file is looked at for changes.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What the network is made of; the default is the system's.
#[derive(Clone, Debug, Default)]
pub struct NetConfig {
    /// Who is asked for addresses.
    pub servers: Servers,
    /// Authorities that are trusted beside the system's.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

/// What all runs have in common: made once, shared by every scenario.
#[derive(Clone, Debug)]
pub struct Shared {
    provider: Arc<CryptoProvider>,
    extra_roots: Arc<[CertificateDer<'static>]>,
    /// Read at the first use: reading and parsing the system's authorities takes milliseconds.
    system_roots: Arc<OnceLock<Arc<Trusted>>>,
    bundled_roots: Arc<OnceLock<Arc<Trusted>>>,
    resolver: Arc<Mutex<ResolverSource>>,
    setups: Arc<Mutex<HashMap<TlsChoice, KeptSetup>>>,
    certificates: Arc<CertificateCache>,
    /// What may be reached; everything if `None`, which no scenario ever has.
    pub(super) policy: Option<Arc<Policy>>,
}

#[derive(Clone, Debug)]
struct KeptSetup {
    setup: Arc<TlsSetup>,
    looked: Instant,
    /// When its files were last changed, and their sizes.
    stamps: Stamps,
}

/// Ring, with the suites in the order of browsers: AES-128 first, so that servers choose for us what they
/// choose for them; SHA-256 is also the cheaper hash on machines without instructions for SHA-512.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    // Stable: within one strength the library's order stays.
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite().as_str().is_some_and(|name| name.contains("AES_256")));
    provider
}

impl Shared {
    /// The network that `config` describes, all of it; a scenario reaches what its plan's policy allows.
    pub fn new(config: NetConfig) -> Self {
        Self {
            provider: Arc::new(provider()),
            extra_roots: config.extra_roots.into(),
            system_roots: Arc::default(),
            bundled_roots: Arc::default(),
            resolver: Arc::new(Mutex::new(ResolverSource::new(config.servers))),
            setups: Arc::default(),
            certificates: Arc::default(),
            policy: None,
        }
    }

    /// Reads the system's authorities now, so that no run waits for it.
    ///
    /// Blocks for some milliseconds; without it the first run over TLS does this before it measures.
    pub fn warm(&self) {
        // There is nobody to trust only if even the built-in authorities are gone; a run then says so.
        let _trusted = self.roots(&Roots::System);
    }

    /// How many authorities are trusted, and whether they are the system's or those built in.
    pub fn authorities(&self) -> (usize, bool) {
        let count = self.roots(&Roots::System).map_or(0, |roots| roots.store.len());
        (count, roots::has_system())
    }

    /// Asks each name server that runs would ask for the root's name servers, which every resolver knows.
    ///
    /// A server that cannot be used says why within `patience`. Ask inside a runtime.
    pub async fn ask_name_servers(&self, patience: Duration) -> Vec<(SocketAddr, Result<Duration, String>)> {
        let resolver = self.resolver();
        let mut asked = Vec::with_capacity(resolver.servers.len());
        for server in &resolver.servers {
            let began = Instant::now();
            let answer = stub::addresses(*server, &Name::root(), RecordType::NS, patience).await;
            let answer = match answer {
                // A resolver that knows only names of its own is one that answers.
                Ok(_) | Err(AskError::Code(ResponseCode::NXDomain)) => Ok(began.elapsed()),
                Err(error) => Err(error.to_string()),
            };
            asked.push((*server, answer));
        }
        asked
    }

    /// Opens a ping socket as the kind `icmp` does, and closes it.
    ///
    /// # Errors
    /// The system's: permission is denied where no group of this process is in `net.ipv4.ping_group_range`.
    pub fn may_ping(&self) -> std::io::Result<()> {
        datagram::may_ping()
    }

    /// Who is asked for addresses at the moment.
    pub(crate) fn resolver(&self) -> Arc<Resolver> {
        self.resolver.lock().unwrap_or_else(PoisonError::into_inner).current()
    }

    /// Where random numbers come from.
    pub(crate) fn random(&self) -> &'static dyn SecureRandom {
        self.provider.secure_random
    }

    /// The facts of the certificate `der`, parsed once; `None` if it cannot be parsed.
    pub(crate) fn certificate(&self, der: &[u8]) -> Option<Arc<CertificateFacts>> {
        self.certificates.facts(der)
    }

    /// What is made once for `choice`; a CA file is read again when it has changed.
    ///
    /// # Errors
    /// Class `local`, `local.config`: the CA file cannot be used.
    pub(crate) async fn tls(self: &Arc<Self>, choice: &TlsChoice) -> Result<Arc<TlsSetup>, Failure> {
        let kept = self.lock_setups().get(choice).cloned();
        if let Some(kept) = &kept
            && (choice.has_no_files() || kept.looked.elapsed() < LOOK_EVERY)
        {
            return Ok(Arc::clone(&kept.setup));
        }
        let (shared, choice) = (Arc::clone(self), choice.clone());
        // Files and the parsing of a hundred certificates: not on a thread that measures.
        let made = tokio::task::spawn_blocking(move || shared.make(&choice, kept)).await;
        made.map_err(|error| {
            Failure::new(model::outcome::FailureClass::Local, fault::BUG, error.to_string())
        })?
    }

    fn make(&self, choice: &TlsChoice, kept: Option<KeptSetup>) -> Result<Arc<TlsSetup>, Failure> {
        let stamps = choice.stamps();
        let setup = match kept {
            Some(kept) if kept.stamps == stamps && stamps.iter().any(Option::is_some) => kept.setup,
            _ => Arc::new(TlsSetup::new(&self.provider, self.roots(&choice.roots)?, choice)?),
        };
        let entry = KeptSetup { setup: Arc::clone(&setup), looked: Instant::now(), stamps };
        self.lock_setups().insert(choice.clone(), entry);
        Ok(setup)
    }

    fn roots(&self, roots: &Roots) -> Result<Arc<Trusted>, Failure> {
        match roots {
            Roots::System => {
                Ok(Arc::clone(self.system_roots.get_or_init(|| Arc::new(roots::system(&self.extra_roots)))))
            }
            Roots::Bundled => Ok(Arc::clone(self.bundled_roots.get_or_init(|| Arc::new(roots::bundled())))),
            Roots::File(path) => roots::of_file(path).map(Arc::new),
        }
    }

    fn lock_setups(&self) -> std::sync::MutexGuard<'_, HashMap<TlsChoice, KeptSetup>> {
        self.setups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the steps of one run reach the network through.
///
/// A kind keeps here what it carries from one step to the next: open connections, cookies. It is dropped,
/// and everything in it closed, with the run.
pub struct Net {
    shared: Arc<Shared>,
    more_to_come: bool,
    sends_once: bool,
    detail: Detail,
    /// At most one value a type; empty for the run of a single step.
    carried: Vec<Box<dyn Any + Send>>,
    /// Texts that nobody may see, found out in the run: a token that was fetched, a part of a secret.
    hidden: Captures,
}

impl Net {
    /// The network of one run that has nothing open yet.
    pub const fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            more_to_come: false,
            sends_once: false,
            detail: Detail::Facts,
            carried: Vec::new(),
            hidden: Captures::new(),
        }
    }

    /// What all runs have in common.
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Says how much of requests and answers is to be kept.
    pub(crate) const fn look(&mut self, detail: Detail) {
        self.detail = detail;
    }

    /// How much of requests and answers is to be kept.
    pub(crate) const fn detail(&self) -> Detail {
        self.detail
    }

    /// Takes care that `text` is replaced by `•••(name)` in everything that people see of this run.
    pub(crate) fn hide(&mut self, name: &str, text: &str) {
        self.hide_value(name, text.into());
    }

    /// The same for every text and number in `value`, beside what is hidden under that name already.
    pub(crate) fn hide_value(&mut self, name: &str, value: serde_json::Value) {
        let mut known = match self.hidden.get(name) {
            Some(Captured { value: serde_json::Value::Array(values), .. }) => values.clone(),
            _ => Vec::new(),
        };
        if !known.contains(&value) {
            known.push(value);
        }
        self.hidden.set(name.into(), Captured { value: known.into(), secret: true });
    }

    /// Hides what `other` hides too.
    pub(crate) fn hide_as(&mut self, other: &Self) {
        for (name, captured) in other.hidden.iter() {
            match &captured.value {
                serde_json::Value::Array(values) => {
                    for value in values {
                        self.hide_value(name, value.clone());
                    }
                }
                value => self.hide_value(name, value.clone()),
            }
        }
    }

    /// What is to be replaced in everything that people see of this run, beside the scenario's secrets.
    pub(crate) const fn hidden(&self) -> &Captures {
        &self.hidden
    }

    /// Says whether steps follow that may use what this one leaves open.
    pub(crate) const fn expect_more(&mut self, more_to_come: bool) {
        self.more_to_come = more_to_come;
    }

    /// Says whether nothing that may change something is sent a second time, not even where a protocol allows it.
    pub(crate) const fn send_once(&mut self, once: bool) {
        self.sends_once = once;
    }

    /// Whether nothing that may change something is sent a second time.
    pub(crate) const fn sends_once(&self) -> bool {
        self.sends_once
    }

    /// Whether steps follow that may use what this one leaves open.
    pub(crate) const fn more_to_come(&self) -> bool {
        self.more_to_come
    }

    /// What earlier steps left, if any did.
    pub(crate) fn carried<T: Any + Send>(&mut self) -> Option<&mut T> {
        self.carried.iter_mut().find_map(|value| value.downcast_mut())
    }

    /// What steps of this run carry, made new if nothing is carried yet.
    pub(crate) fn carry<T: Any + Send + Default>(&mut self) -> &mut T {
        let index = self.carried.iter().position(|value| value.is::<T>()).unwrap_or_else(|| {
            self.carried.push(Box::<T>::default());
            self.carried.len() - 1
        });
        self.carried[index].downcast_mut().expect("the position was found by this type")
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Net").field("carried", &self.carried.len()).finish_non_exhaustive()
    }
}
