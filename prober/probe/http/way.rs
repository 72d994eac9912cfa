//! A step's way to its target where the URL does not name it: other addresses and names, and what is known only
//! in the run, a proxy and a client's certificate.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use model::outcome::Failure;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::fields::Fields;
use scenario::source::Spanned;
use scenario::template::{Scope, Template};

use super::auth::file::in_the_file;
use super::client::Client;
use super::connect::Manner;
use crate::net::address::{Host, HostPort};
use crate::net::fault;
use crate::net::identity::{Identity, Pem};
use crate::net::keys;
use crate::net::proxy::Proxy;
use crate::net::resolve::Family;
use crate::net::shared::Net;
use crate::net::tls::TlsChoice;

/// The parts of the way with holes.
#[derive(Debug, Default)]
pub(crate) struct WayPlan {
    pub(super) proxy: Option<Template>,
    /// Certificate and key: each a path, or PEM itself.
    pub(super) identity: Option<(Template, Template)>,
}

impl WayPlan {
    /// The client of this run; `client` itself if nothing has to be filled in.
    ///
    /// # Errors
    /// A hole cannot be filled, or what filled it names no proxy.
    pub(crate) fn client<'c>(
        &self,
        client: &'c Client,
        net: &mut Net,
        scope: &Scope<'_>,
    ) -> Result<Cow<'c, Client>, Failure> {
        if self.proxy.is_none() && self.identity.is_none() {
            return Ok(Cow::Borrowed(client));
        }
        let fill = |template: &Template| {
            template.render(scope).map(Cow::into_owned).map_err(|error| fault::unresolved(&error))
        };
        let mut manner: Manner = client.manner.clone();
        if let Some(template) = &self.proxy {
            let proxy = Proxy::parse(&fill(template)?).map_err(|error| fault::config(error.to_string()))?;
            net.hide("proxy", proxy.password().unwrap_or_default());
            manner.proxy = Some(Arc::new(proxy));
        }
        if let Some((cert, key)) = &self.identity {
            let identity = Identity { cert: Pem::of(&fill(cert)?), key: Pem::of(&fill(key)?) };
            manner.tls = Arc::new(TlsChoice { identity: Some(Arc::new(identity)), ..(*manner.tls).clone() });
        }
        Ok(Cow::Owned(Client { manner, body_bytes_max: client.body_bytes_max }))
    }
}

/// The manner with what leads elsewhere than the URL says; `None` if the report says why not.
pub(super) fn named(
    manner: Manner,
    name: Option<Host>,
    fields: &mut Fields,
    report: &mut Report,
) -> Option<Manner> {
    let sni = keys::host("sni", fields, report).ok()?;
    let connect_to = match fields.text("connect_to") {
        None => None,
        Some(given) => match HostPort::parse(&given.value, None) {
            Ok(address) => Some(address),
            Err(error) => {
                let help = "a host and a port, like 192.0.2.10:443";
                report.push(Diagnostic::error("E134", given.span, error.to_string()).help(help));
                return None;
            }
        },
    };
    let source = match fields.text("source_address") {
        None => None,
        Some(given) => Some(source(&given, manner.family, report)?),
    };
    let family = match source {
        None => manner.family,
        Some(IpAddr::V4(_)) => Family::V4,
        Some(IpAddr::V6(_)) => Family::V6,
    };
    Some(Manner { name: sni.or(name), connect_to, source, family, ..manner })
}

fn source(given: &Spanned<String>, family: Family, report: &mut Report) -> Option<IpAddr> {
    match given.value.parse::<IpAddr>() {
        Ok(ip) if family.has(ip) => Some(ip),
        Ok(ip) => {
            let message = format!("{ip} is not an address of the family that `ip` asks for");
            report.push(Diagnostic::error("E179", given.span, message));
            None
        }
        Err(_) => {
            let message = format!("`{}` is not an IP address", model::outcome::cut(given.value.clone(), 60));
            report.push(Diagnostic::error("E178", given.span, message).help("like 192.0.2.7"));
            None
        }
    }
}

/// What of the way is known only in the run; `None` if the report says why not.
pub(crate) fn plan(fields: &mut Fields, report: &mut Report) -> Option<WayPlan> {
    let proxy = match fields.template("proxy") {
        None => None,
        Some(given) => {
            let wrong = match given.value.constant().map(Proxy::parse) {
                Some(Ok(proxy)) if proxy.password().is_some_and(|password| !password.is_empty()) => {
                    Some(("E180", "the proxy's password stands in the file".to_owned()))
                }
                Some(Err(error)) => Some(("E184", error.to_string())),
                _ => None,
            };
            if let Some((code, message)) = wrong {
                let help = "like http://proxy.example:3128, with a login as a whole secret: ${secrets.proxy}";
                report.push(Diagnostic::error(code, given.span, message).help(help));
                return None;
            }
            Some(given.value)
        }
    };
    let identity = fields.record("client_certificate").and_then(|given| {
        let mut given = given.value;
        Some((given.template("cert")?.value, given.template("key")?))
    });
    if let Some((_, key)) = &identity
        && key.value.constant().is_some_and(|text| text.contains("-----BEGIN"))
    {
        report.push(in_the_file("client's key", key.span));
        return None;
    }
    Some(WayPlan { proxy, identity: identity.map(|(cert, key)| (cert, key.value)) })
}
