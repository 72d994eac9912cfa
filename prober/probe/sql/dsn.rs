//! What a dsn says: where the server is, who signs in, and whether the connection is encrypted.

use std::fmt;

use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation};

use crate::net::address::{Host as NetHost, HostPort};

/// What a prober calls itself in the server's list of sessions.
const APPLICATION: &str = "prober";

/// A dsn that was understood. Has the password inside: never printed.
#[derive(Clone)]
pub(super) struct Dsn {
    /// Everything for the sign-in.
    pub(super) config: Config,
    /// Where to connect.
    pub(super) address: HostPort,
    /// The host that a certificate must be for.
    pub(super) host: NetHost,
    /// Whether to speak TLS.
    pub(super) tls: bool,
    /// The database's name.
    pub(super) database: String,
}

/// Why a dsn cannot be used. Says nothing of what stands in it: it may hold a password.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DsnError {
    /// Not understood.
    #[error(
        "the dsn is neither a URL like postgresql://user@host/db nor a list like `host=… user=… dbname=…`"
    )]
    Syntax,
    /// Names no server.
    #[error("the dsn names no host")]
    NoHost,
    /// Names several servers.
    #[error("the dsn names several hosts; a step talks to one")]
    ManyHosts,
    /// Names a Unix socket or a malformed host.
    #[error("the dsn's host is neither a name nor an address")]
    BadHost,
    /// Names nobody to sign in.
    #[error("the dsn names no user")]
    NoUser,
    /// TLS from the first byte.
    #[error("the dsn asks for sslnegotiation=direct, which is not supported")]
    DirectTls,
    /// Proof that both ends see the same TLS session.
    #[error("the dsn asks for channel_binding=require, which is not supported")]
    ChannelBinding,
}

impl Dsn {
    /// What `text`, a URL or a list of `key=value`, says.
    ///
    /// # Errors
    /// It is not understood, or asks for something that is not supported.
    pub(super) fn parse(text: &str) -> Result<Self, DsnError> {
        let mut config: Config = plain_modes(text.trim()).parse().map_err(|_| DsnError::Syntax)?;
        if config.get_user().is_none_or(str::is_empty) {
            return Err(DsnError::NoUser);
        }
        if config.get_ssl_negotiation() == SslNegotiation::Direct {
            return Err(DsnError::DirectTls);
        }
        if config.get_channel_binding() == ChannelBinding::Require {
            return Err(DsnError::ChannelBinding);
        }
        let host = host(&config)?;
        let dialled = match config.get_hostaddrs() {
            [] => host.clone(),
            [address] => NetHost::Ip(*address),
            _ => return Err(DsnError::ManyHosts),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let tls = config.get_ssl_mode() == SslMode::Require;
        let database = config.get_dbname().or(config.get_user()).unwrap_or_default().to_owned();
        // The stream we hand over is already encrypted if it is to be.
        config.ssl_mode(SslMode::Disable).channel_binding(ChannelBinding::Disable);
        if config.get_application_name().is_none() {
            config.application_name(APPLICATION);
        }
        Ok(Self { config, address: HostPort { host: dialled, port }, host, tls, database })
    }

    /// The password in it, if it is text.
    pub(super) fn password(&self) -> Option<&str> {
        self.config.get_password().and_then(|password| std::str::from_utf8(password).ok())
    }

    /// Whether a password stands in it.
    pub(super) fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }
}

/// Host, port and database only.
impl fmt::Display for Dsn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.database)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Dsn({self})")
    }
}

fn host(config: &Config) -> Result<NetHost, DsnError> {
    match (config.get_hosts(), config.get_hostaddrs()) {
        ([Host::Tcp(name)], _) => NetHost::parse(name).map_err(|_| DsnError::BadHost),
        ([Host::Unix(_)], _) => Err(DsnError::BadHost),
        ([], [address, ..]) => Ok(NetHost::Ip(*address)),
        ([], []) => Err(DsnError::NoHost),
        _ => Err(DsnError::ManyHosts),
    }
}

/// The same dsn with the modes that libpq has and the codec does not know.
///
/// TLS is always verified here, so the verifying modes are what `require` means; `allow` is plain first.
fn plain_modes(text: &str) -> String {
    text.replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require")
        .replace("sslmode=allow", "sslmode=prefer")
}
