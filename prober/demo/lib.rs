//! The loopback shop behind the demo command: slow and failing on a schedule.
//!
//! A shop over HTTP and HTTPS, two more certificates (one that ends soon, one that has ended), a DNS server
//! for `demo.test`, a mail server's greeting and a file that is kept fresh. All of it listens on loopback
//! and is bounded: connections, request sizes, kept orders, and the time anything may take.
//!
//! | module | holds |
//! | --- | --- |
//! | [`faults`] | what is broken when: a pure function of the time since the start, and the table of it |
//! | [`project`] | the demo project's files |
//! | `http` | the shop's pages and API |
//! | `tls` | certificates and the listeners that serve them |
//! | `dns` | the name server |
//! | `mail` | the greeting |
//! | `stock` | the file |
//! | `tasks` | the set that owns everything that runs |

pub mod faults;
pub mod project;

mod dns;
mod http;
mod mail;
mod stock;
mod tasks;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use model::time::Clock;
use tokio::net::{TcpListener, UdpSocket};

use faults::Schedule;
use tasks::Tasks;

/// The ports that a demo takes if they are free, so that its files stay valid over a restart.
pub const PORTS: Ports =
    Ports { http: 18_080, https: 18_443, soon: 18_444, expired: 18_445, dns: 18_053, mail: 18_025 };

/// One port for each listener; 0 takes any free one.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// The shop over HTTP.
    pub http: u16,
    /// The shop over HTTPS.
    pub https: u16,
    /// TLS with a certificate that ends soon.
    pub soon: u16,
    /// TLS with a certificate that has ended.
    pub expired: u16,
    /// The name server, UDP and TCP.
    pub dns: u16,
    /// The mail server's greeting.
    pub mail: u16,
}

/// What a shop needs to start.
#[derive(Clone)]
pub struct Config {
    /// Where the time comes from; the schedule of faults counts from its value at the start.
    pub clock: Arc<dyn Clock>,
    /// The ports to take; one that is taken already is replaced by any free one.
    pub ports: Ports,
    /// Where the root certificate and the data file are written; made if it is missing.
    pub folder: PathBuf,
}

/// Where a started shop listens.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The shop over HTTP/1.1 and HTTP/2 with prior knowledge.
    pub http: SocketAddr,
    /// The shop over HTTPS, certificate for `shop.demo.test`, `localhost` and `127.0.0.1`.
    pub https: SocketAddr,
    /// TLS with a certificate that ends in 10 days.
    pub soon: SocketAddr,
    /// TLS with a certificate that ended 2 days ago.
    pub expired: SocketAddr,
    /// The name server for `demo.test`, UDP and TCP.
    pub dns: SocketAddr,
    /// The mail server's greeting.
    pub mail: SocketAddr,
}

/// Why a shop could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No port for a listener.
    #[error("no loopback port for {what}")]
    Listen {
        /// Which listener.
        what: &'static str,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("{path} could not be written")]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The certificates could not be made.
    #[error("the demo's certificates could not be made: {0}")]
    Certificate(String),
}

/// A running shop.
///
/// Dropping it aborts everything at once; [`Shop::stop`] also waits until everything has ended.
pub struct Shop {
    addresses: Addresses,
    tasks: Tasks,
}

impl Shop {
    /// Writes its files, takes its ports and starts serving.
    ///
    /// # Errors
    /// The folder cannot be written, loopback has no free port, or no certificate can be made.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let schedule = Schedule::new(config.clock);
        let paths = Paths::new(config.folder);
        let certificates = tls::Certificates::new(schedule.started())?;
        stock::write(&paths.folder, &paths.root, certificates.root_pem().as_bytes()).await?;
        stock::refresh(&paths, schedule.now()).await?;

        let listeners = Listeners::bind(config.ports).await?;
        let addresses = listeners.addresses()?;
        let tasks = Tasks::default();
        let spawner = tasks.spawner();
        let shop = http::Shop::new(schedule.clone());
        spawner.spawn(http::serve(listeners.http, None, Arc::clone(&shop), spawner.clone()));
        for (listener, config) in [
            (listeners.https, certificates.good()?),
            (listeners.soon, certificates.soon()?),
            (listeners.expired, certificates.expired()?),
        ] {
            spawner.spawn(http::serve(listener, Some(config), Arc::clone(&shop), spawner.clone()));
        }
        spawner.spawn(dns::serve_udp(listeners.dns_udp, schedule.clone()));
        spawner.spawn(dns::serve_tcp(listeners.dns_tcp, schedule.clone(), spawner.clone()));
        spawner.spawn(mail::serve(listeners.mail, schedule.clone(), spawner.clone()));
        spawner.spawn(stock::keep_fresh(paths, schedule));
        Ok(Self { addresses, tasks })
    }

    /// Where it listens.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Closes every port and connection and waits until all of it has ended.
    pub async fn stop(self) {
        self.tasks.stop().await;
    }
}

/// The files that a running shop writes.
#[derive(Clone, Debug)]
struct Paths {
    folder: PathBuf,
    root: PathBuf,
    stock: PathBuf,
}

impl Paths {
    fn new(folder: PathBuf) -> Self {
        let (root, stock) = (folder.join(project::ROOT_FILE), folder.join(project::STOCK_FILE));
        Self { folder, root, stock }
    }
}

struct Listeners {
    http: TcpListener,
    https: TcpListener,
    soon: TcpListener,
    expired: TcpListener,
    dns_udp: UdpSocket,
    dns_tcp: TcpListener,
    mail: TcpListener,
}

impl Listeners {
    async fn bind(ports: Ports) -> Result<Self, StartError> {
        let (dns_udp, dns_tcp) = bind_pair(ports.dns).await?;
        Ok(Self {
            http: bind("the shop", ports.http).await?,
            https: bind("the shop over TLS", ports.https).await?,
            soon: bind("the certificate that ends soon", ports.soon).await?,
            expired: bind("the certificate that has ended", ports.expired).await?,
            dns_udp,
            dns_tcp,
            mail: bind("the mail server", ports.mail).await?,
        })
    }

    fn addresses(&self) -> Result<Addresses, StartError> {
        let of = |what, listener: &TcpListener| {
            listener.local_addr().map_err(|source| StartError::Listen { what, source })
        };
        Ok(Addresses {
            http: of("the shop", &self.http)?,
            https: of("the shop over TLS", &self.https)?,
            soon: of("the certificate that ends soon", &self.soon)?,
            expired: of("the certificate that has ended", &self.expired)?,
            dns: of("the name server", &self.dns_tcp)?,
            mail: of("the mail server", &self.mail)?,
        })
    }
}

/// A listener on `port`, or on any free one if that is taken.
async fn bind(what: &'static str, port: u16) -> Result<TcpListener, StartError> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|source| StartError::Listen { what, source }),
    }
}

/// Both sockets of the name server on one port.
async fn bind_pair(port: u16) -> Result<(UdpSocket, TcpListener), StartError> {
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    // A port that is free for TCP may be taken for UDP, so any free one needs several tries.
    for port in std::iter::once(port).chain(std::iter::repeat_n(0, 20)) {
        let pair = async {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let udp = UdpSocket::bind(tcp.local_addr()?).await?;
            Ok((udp, tcp))
        };
        match pair.await {
            Ok(pair) => return Ok(pair),
            Err(error) => last = error,
        }
    }
    Err(StartError::Listen { what: "the name server", source: last })
}

#[cfg(test)]
mod tests;
