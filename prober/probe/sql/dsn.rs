//! What a dsn says: which database it is, where the server is, who signs in, and whether the connection is encrypted.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use scenario::template::Template;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, SslNegotiation};
use url::Url;

use crate::net::address::{Host as NetHost, HostPort};
use crate::net::named::{CAPTURED, authority, marked};

/// What a prober calls itself in the server's list of sessions.
const APPLICATION: &str = "prober";

/// A dsn that was understood. Has the password inside: never printed.
#[derive(Clone)]
pub(super) struct Dsn {
    /// Everything for the sign-in.
    pub(super) login: Login,
    /// Where to connect.
    pub(super) address: HostPort,
    /// The host that a certificate must be for.
    pub(super) host: NetHost,
    /// Whether to speak TLS.
    pub(super) tls: bool,
    /// The database's name.
    pub(super) database: String,
}

/// Who signs in to which database.
#[derive(Clone)]
pub(super) enum Login {
    /// PostgreSQL, in its client's words.
    Postgres(Box<Config>),
    /// MySQL or MariaDB: user and password.
    MySql(String, String),
}

/// Why a dsn cannot be used. Says nothing of what stands in it: it may hold a password.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DsnError {
    /// Not understood.
    #[error(
        "the dsn is neither a URL like postgresql://user@host/db or mysql://user@host/db, nor a list like `host=… user=… dbname=…`"
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
    /// A port that is none.
    #[error("the dsn's port is not a number from 1 to 65535")]
    BadPort,
    /// A setting that MySQL's clients have and this one does not.
    #[error("the dsn has a setting that is not known; for TLS write ?ssl-mode=required")]
    Setting,
    /// Proof that both ends see the same TLS session.
    #[error("the dsn asks for channel_binding=require, which is not supported")]
    ChannelBinding,
}

/// Whether a captured value stands in a dsn, a URL or a list, where the server does.
pub(super) fn is_named_by_capture(dsn: &Template) -> bool {
    let Some(text) = marked(dsn) else { return false };
    let has_place = |setting: &str| {
        let is_place = ["host=", "hostaddr=", "port="].iter().any(|key| setting.starts_with(key));
        // What a dsn begins with may be all of it.
        setting.contains(CAPTURED) && (is_place || setting.starts_with(CAPTURED))
    };
    match text.split_once("://") {
        Some((_, rest)) => {
            let query = rest.split_once('?').map_or("", |(_, query)| query);
            authority(&text).contains(CAPTURED) || query.split('&').any(has_place)
        }
        None => text.split_whitespace().any(has_place),
    }
}

impl Dsn {
    /// What `text`, a URL or a list of `key=value`, says.
    ///
    /// # Errors
    /// It is not understood, or asks for something that is not supported.
    pub(super) fn parse(text: &str) -> Result<Self, DsnError> {
        if let Some(rest) =
            ["mysql://", "mariadb://"].iter().find_map(|scheme| text.trim().strip_prefix(scheme))
        {
            return Self::of_mysql(rest);
        }
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
        let login = Login::Postgres(Box::new(config));
        Ok(Self { login, address: HostPort { host: dialled, port }, host, tls, database })
    }

    /// `user:password@host:port/database?ssl-mode=required`, everything but host and user may be missing.
    fn of_mysql(rest: &str) -> Result<Self, DsnError> {
        let url = Url::parse(&format!("mysql://{rest}")).map_err(|error| match error {
            url::ParseError::InvalidPort => DsnError::BadPort,
            url::ParseError::EmptyHost => DsnError::NoHost,
            _ => DsnError::Syntax,
        })?;
        let decoded = |text: &str| {
            percent_decode_str(text).decode_utf8().map(Cow::into_owned).map_err(|_| DsnError::Syntax)
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(DsnError::NoHost)?;
        let host = NetHost::parse(&decoded(host)?).map_err(|_| DsnError::BadHost)?;
        let user = decoded(url.username())?;
        if user.is_empty() {
            return Err(DsnError::NoUser);
        }
        let mut tls = false;
        for (key, value) in url.query_pairs() {
            tls = match (&*key.to_ascii_lowercase().replace('_', "-"), &*value.to_ascii_lowercase()) {
                ("ssl-mode" | "sslmode", "required" | "require" | "verify_ca" | "verify_identity") => true,
                ("ssl-mode" | "sslmode", "disabled" | "disable" | "preferred" | "prefer") => false,
                _ => return Err(DsnError::Setting),
            };
        }
        let password = decoded(url.password().unwrap_or_default())?;
        let database = decoded(url.path().trim_start_matches('/'))?;
        let port = url.port().unwrap_or(3306);
        let address = HostPort { host: host.clone(), port };
        Ok(Self { login: Login::MySql(user, password), address, host, tls, database })
    }

    /// The name of the database's kind, as OpenTelemetry and URLs have it.
    pub(super) const fn system(&self) -> &'static str {
        match self.login {
            Login::Postgres(_) => "postgresql",
            Login::MySql(..) => "mysql",
        }
    }

    /// The password in it, if it is text.
    pub(super) fn password(&self) -> Option<&str> {
        match &self.login {
            Login::Postgres(config) => {
                config.get_password().and_then(|password| std::str::from_utf8(password).ok())
            }
            Login::MySql(_, password) => Some(password.as_str()).filter(|password| !password.is_empty()),
        }
    }

    /// Whether a password stands in it.
    pub(super) fn has_password(&self) -> bool {
        match &self.login {
            Login::Postgres(config) => config.get_password().is_some(),
            Login::MySql(_, password) => !password.is_empty(),
        }
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
