//! Where probes may connect to: the outbound policy of a project or region.
//!
//! Pure: a host, an address and a port in, a judgement out. Whoever connects asks for each address of a name
//! after it was looked up and before it connects, so that a name that answers differently the second time
//! (DNS rebinding) gains nothing. The order: what is denied by name or address, then cloud metadata (only if it
//! is named itself), then what is allowed, then what kind of address it is. A denial wins over everything.
//!
//! | module | holds |
//! | --- | --- |
//! | [`ranges`] | addresses that are not public, metadata, and addresses inside of addresses |
//! | [`rule`] | one line of `allow` or `deny` |

mod ranges;
mod rule;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::IpAddr;

pub use rule::{Rule, RuleError};

use ranges::Opens;

/// Where probes may connect to.
///
/// The default: everything that is public, nothing that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether addresses that are not public may be probed.
    pub private: bool,
    /// Whether public addresses may be probed.
    pub public: bool,
    /// What may be probed whatever those two say.
    pub allow: Vec<Rule>,
    /// What may never be probed.
    pub deny: Vec<Rule>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { private: false, public: true, allow: Vec::new(), deny: Vec::new() }
    }
}

/// Why something may not be connected to, and what would open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What it is, for people: `127.0.0.1 is a loopback address`.
    pub what: String,
    /// What to write into the project file.
    pub remedy: String,
}

impl Policy {
    /// Whether `host` may be connected to at `ip` and `port`; without an address, what the name alone says.
    ///
    /// Port 0 stands for what has none, such as a ping: only rules without ports speak of it.
    ///
    /// # Errors
    /// It may not.
    pub fn judge(&self, host: &str, ip: Option<IpAddr>, port: u16) -> Result<(), Denied> {
        let host = bare(host);
        // `2130706433` and `0x7f.1` are addresses to some of those who look names up.
        let ip = ip.or_else(|| number(&host));
        let forms = ip.map(ranges::forms).unwrap_or_default();
        let hits = |rule: &&Rule| rule.takes(&host, &forms, port);
        if let Some(rule) = self.deny.iter().find(hits) {
            let remedy = format!("take {:?} out of `deny` under `network` in prober.yaml", rule.text());
            return Err(Denied {
                what: format!("{} is denied by {:?}", told(&host, ip), rule.text()),
                remedy,
            });
        }
        if ranges::is_metadata_name(&host) || forms.iter().any(|form| ranges::is_metadata(*form)) {
            let named = self.allow.iter().any(|rule| rule.names(&host, &forms, port));
            return if named { Ok(()) } else { Err(metadata(&host, ip, port)) };
        }
        if self.allow.iter().any(|rule| rule.takes_name(&host, port)) {
            return Ok(());
        }
        if forms.is_empty() && is_localhost(&host) && !self.private {
            return Err(closed(&host, ip, "this machine itself", port));
        }
        for form in &forms {
            if !self.allow.iter().any(|rule| rule.takes_address(*form, port)) {
                self.by_kind(*form, (&host, ip), port)?;
            }
        }
        Ok(())
    }

    /// The same for a host that is named by its address: no rule speaks of that as a name, so it is written out only
    /// for a denial.
    ///
    /// # Errors
    /// It may not.
    pub fn judge_address(&self, ip: IpAddr, port: u16) -> Result<(), Denied> {
        self.judge("", Some(ip), port).or_else(|_| self.judge(&ip.to_string(), Some(ip), port))
    }

    /// Whether a name may be handed to somebody else who looks it up, such as a proxy.
    ///
    /// Its addresses are never seen here: beyond the name, the proxy's own rules decide.
    ///
    /// # Errors
    /// It may not.
    pub fn judge_elsewhere(&self, host: &str, port: u16) -> Result<(), Denied> {
        self.judge(host, None, port)?;
        let host = bare(host);
        if self.public || self.allow.iter().any(|rule| rule.takes_name(&host, port)) {
            return Ok(());
        }
        let what = format!("{host} is looked up by a proxy, and only what `allow` names may be probed");
        Err(Denied { what, remedy: write_rule(&host, None, port) })
    }

    fn by_kind(&self, form: IpAddr, (host, ip): (&str, Option<IpAddr>), port: u16) -> Result<(), Denied> {
        let Some(special) = ranges::special(form) else {
            if self.public {
                return Ok(());
            }
            let what = format!("{} is public, and `public` is deny", told(host, ip));
            return Err(Denied { what, remedy: write_rule(host, ip, port) });
        };
        match special.opens {
            Opens::Private if self.private => Ok(()),
            Opens::Private => Err(closed(host, ip, special.what, port)),
            Opens::Rule => {
                let what = format!("{} is {}", told(host, ip), special.what);
                Err(Denied { what, remedy: write_rule(host, ip, port) })
            }
        }
    }
}

fn closed(host: &str, ip: Option<IpAddr>, what: &str, port: u16) -> Denied {
    let rule = write_rule(host, ip, port);
    Denied {
        what: format!("{} is {what}", told(host, ip)),
        remedy: format!("{rule}, or network: {{ private: allow }} for all that is not public"),
    }
}

fn metadata(host: &str, ip: Option<IpAddr>, port: u16) -> Denied {
    // Only naming it opens it: whoever reads it holds the machine's credentials.
    let named = ip.map_or_else(|| host.to_owned(), |ip| ranges::innermost(ip).to_string());
    let rule = write_rule(&named, named.parse().ok(), port);
    Denied { what: format!("{} gives out a cloud machine's credentials", told(host, ip)), remedy: rule }
}

/// `write network: { allow: ["10.0.0.5:443"] } in prober.yaml`.
fn write_rule(host: &str, ip: Option<IpAddr>, port: u16) -> String {
    let who = match ip.map(ranges::innermost) {
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        Some(ip) => ip.to_string(),
        None => host.to_owned(),
    };
    // What has no port, such as a ping, is opened by a rule without one.
    let who = if port == 0 { who.trim_matches(['[', ']']).to_owned() } else { format!("{who}:{port}") };
    format!("write network: {{ allow: [\"{who}\"] }} in prober.yaml")
}

/// The host, and the address if that is not what the host says itself.
fn told(host: &str, ip: Option<IpAddr>) -> String {
    match ip {
        Some(ip) if host.parse() == Ok(ip) => with_inner(ip),
        Some(ip) => format!("{} ({host})", with_inner(ip)),
        None => host.to_owned(),
    }
}

/// The address, and the one inside of it.
fn with_inner(ip: IpAddr) -> String {
    let inner = ranges::innermost(ip);
    if inner == ip { ip.to_string() } else { format!("{ip}, which leads to {inner},") }
}

/// The host in small letters, without brackets, final dot and zone.
fn bare(host: &str) -> Cow<'_, str> {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    let host = host.split('%').next().unwrap_or_default();
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        host.to_ascii_lowercase().into()
    } else {
        host.into()
    }
}

/// The address that a host in numbers stands for, however it is spelled (WHATWG URL, section 3.5).
fn number(host: &str) -> Option<IpAddr> {
    if let Ok(ip) = host.parse() {
        return Some(ip);
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    if !last.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    match url::Host::parse(host).ok()? {
        url::Host::Ipv4(ip) => Some(ip.into()),
        url::Host::Ipv6(ip) => Some(ip.into()),
        url::Host::Domain(_) => None,
    }
}

/// RFC 6761, section 6.3.
fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}
