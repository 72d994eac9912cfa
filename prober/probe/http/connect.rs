//! A fresh connection, or one that an earlier request of the same run left open.

use std::net::IpAddr;
use std::sync::Arc;

use model::outcome::{Failure, FailureClass};
use scenario::kind::Endpoint;
use scenario::template::Template;
use tokio::net::TcpStream;

use super::facts::TlsFacts;
use super::fault;
use super::request::Version;
use super::session::{Connection, Key, Session};
use super::speaker::Speaker;
use super::target::Target;
use super::trail::Trail;
use super::wire::{Marks, Stream, Wire};
use crate::net::address::{Host, HostPort};
use crate::net::dial::{Start, dial};
use crate::net::proxy::{Proxy, ProxyWay};
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};
use crate::net::tls::{Before, TlsChoice, server_name};

/// How a step connects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manner {
    pub(crate) version: Version,
    pub(crate) family: Family,
    pub(crate) tls: Arc<TlsChoice>,
    /// The name that the server must prove and is told; the URL's host if `None`.
    pub(crate) name: Option<Host>,
    /// Where to connect in place of the URL's host and port.
    pub(crate) connect_to: Option<HostPort>,
    /// The address of this machine that connections come from.
    pub(crate) source: Option<IpAddr>,
    /// Who passes connections on.
    pub(crate) proxy: Option<Arc<Proxy>>,
}

impl Manner {
    /// The same for another origin: it is found and named as its URL says, and is not shown who asks.
    pub(super) fn abroad(&self) -> Self {
        let tls = match &self.tls.identity {
            None => Arc::clone(&self.tls),
            Some(_) => Arc::new(TlsChoice { identity: None, ..(*self.tls).clone() }),
        };
        Self { tls, name: None, connect_to: None, proxy: self.proxy.clone(), ..*self }
    }

    /// The same over HTTP/1.1, for a server that wants it in place of HTTP/2.
    pub(super) fn in_h1(&self) -> Self {
        let tls = TlsChoice { alpn: vec![b"http/1.1".to_vec()], ..(*self.tls).clone() };
        Self { tls: Arc::new(tls), version: Version::H1, ..self.clone() }
    }

    /// Where requests to `url` connect to, as far as the file says it.
    pub(crate) fn endpoints(&self, url: &Template, proxy: Option<&Template>) -> Vec<Endpoint> {
        let target = url.constant().and_then(|text| Target::parse(text).ok());
        let to = self.connect_to.clone().or_else(|| target.map(|target| target.address));
        let proxy = proxy.and_then(Template::constant).and_then(|text| Proxy::parse(text).ok());
        to.iter().chain(proxy.as_ref().map(|proxy| &proxy.address)).map(HostPort::endpoint).collect()
    }

    /// What another request needs to have in common to share the connection to `target`.
    fn key(&self, target: &Target) -> Key {
        let name = self.name.as_ref().unwrap_or(&target.address.host);
        let proxy = self.proxy.clone();
        let to = self.connect_to.as_ref().unwrap_or(&target.address);
        let address = match self.plain_proxy(target) {
            Some(proxy) => &proxy.address,
            None => to,
        };
        Key {
            address: address.clone(),
            secured: target.secure.then(|| (Arc::clone(&self.tls), name.clone())),
            version: self.version,
            start: self.start(),
            proxy,
        }
    }

    const fn start(&self) -> Start {
        Start { family: self.family, source: self.source }
    }

    /// The proxy that gets a request as it is, and not through a tunnel.
    pub(super) fn plain_proxy(&self, target: &Target) -> Option<&Arc<Proxy>> {
        let plain = !target.secure && self.version != Version::H2;
        self.proxy.as_ref().filter(|proxy| plain && proxy.way == ProxyWay::Http)
    }

    /// The connection for `target`, and whether it was there before.
    ///
    /// A connection that was closed meanwhile is noted as an attempt in vain, and a fresh one is made.
    ///
    /// # Errors
    /// There is no connection to be had.
    pub(super) async fn connect(
        &self,
        net: &mut Net,
        target: &Target,
        trail: &mut Trail,
    ) -> Result<(Connection, bool), Failure> {
        if self.proxy.is_some() {
            // Here and not when dialling: a connection to a proxy that is open already leads anywhere.
            net.shared().may_pass_on(self.connect_to.as_ref().unwrap_or(&target.address))?;
        }
        let key = self.key(target);
        let idle = net.carried::<Session>().and_then(|session| session.take(&key));
        if let Some(mut connection) = idle {
            if connection.speaker.is_open().await {
                trail.phases.connected(connection.peer);
                trail.tls.clone_from(&connection.tls);
                return Ok((connection, true));
            }
            trail.phases.tried_in_vain(connection.peer, "connect.closed");
        }
        Ok((self.fresh(net.shared(), target, key, trail).await?, false))
    }

    /// A fresh connection for `target`.
    ///
    /// # Errors
    /// Name, address, handshake or protocol cannot be had.
    pub(super) async fn fresh(
        &self,
        shared: &Arc<Shared>,
        target: &Target,
        key: Key,
        trail: &mut Trail,
    ) -> Result<Connection, Failure> {
        // Files are read before anything is measured.
        let setup = if target.secure { Some(shared.tls(&self.tls).await?) } else { None };
        let (tcp, before) = self.dial(shared, target, trail).await?;
        let peer = trail.phases.peer.expect("a connection that was dialled has a peer");
        let mut h2 = self.version == Version::H2;
        let stream = if let Some(setup) = setup {
            let name = server_name(self.name.as_ref().unwrap_or(&target.address.host))?;
            // Boxed: it is larger than all the rest.
            let connecting = Box::pin(setup.connect(tcp, &name, before, &mut trail.phases));
            let (stream, shown) = connecting.await;
            trail.tls = Some(Arc::new(TlsFacts::new(&shown, shared)));
            let chosen = shown.alpn.as_deref() == Some(b"h2");
            let stream = stream?;
            if h2 && !chosen {
                return Err(fault::protocol("the server does not offer HTTP/2".to_owned()));
            }
            h2 = chosen;
            Stream::Tls(Box::new(stream))
        } else {
            Stream::Plain(tcp)
        };
        let marks = Arc::new(Marks::new());
        let wire = Wire::new(stream, Arc::clone(&marks));
        let speaker = if h2 { Speaker::h2(wire).await } else { Speaker::h1(wire).await };
        let speaker = speaker.map_err(|error| fault::of_exchange(&error, false))?;
        Ok(Connection { key, speaker, marks, peer, tls: trail.tls.clone() })
    }

    /// The TCP connection: to the target, to a proxy that gets the request as it is, or through a proxy.
    ///
    /// With what came before TLS on it. A tunnel through a proxy is a hop of its own; what is measured after it belongs to the request's hop.
    async fn dial(
        &self,
        shared: &Arc<Shared>,
        target: &Target,
        trail: &mut Trail,
    ) -> Result<(TcpStream, Before<'_>), Failure> {
        let to = self.connect_to.as_ref().unwrap_or(&target.address);
        let Some(proxy) = &self.proxy else {
            let tcp = dial(shared, to, self.start(), &mut trail.phases).await?;
            return Ok((tcp, Before::Nothing));
        };
        if self.plain_proxy(target).is_some() {
            trail.wait_for_proxy(proxy);
            let dialled = dial(shared, &proxy.address, self.start(), &mut trail.phases).await;
            let tcp = dialled.map_err(|error| at(proxy, error))?;
            trail.leave_proxy();
            return Ok((tcp, Before::Nothing));
        }
        let way = if proxy.way == ProxyWay::Http { "CONNECT" } else { "SOCKS5" };
        trail.begin_tunnel(format!("{way} {to} (proxy {proxy})"));
        let to = match (&to.host, proxy.way) {
            (Host::Name(name), ProxyWay::Socks5) => {
                let found =
                    Box::pin(shared.resolver().addresses(name, self.family, &mut trail.phases)).await?;
                let found = shared.reachable(to, found, &mut trail.phases)?;
                let ip = found
                    .first()
                    .copied()
                    .ok_or_else(|| fault::protocol("the name has no address".to_owned()))?;
                &HostPort { host: Host::Ip(ip), port: to.port }
            }
            _ => to,
        };
        // The target's own name was looked up before: what is late from here on is the proxy.
        trail.wait_for_proxy(proxy);
        let dialled = dial(shared, &proxy.address, self.start(), &mut trail.phases).await;
        let mut tcp = dialled.map_err(|error| at(proxy, error))?;
        Box::pin(proxy.open(&mut tcp, to, &mut trail.phases)).await?;
        trail.end_tunnel();
        Ok((tcp, Before::Tunnel(proxy, Box::new(to.clone()))))
    }
}

/// A failure on the way to a proxy says so.
fn at(proxy: &Proxy, failure: Failure) -> Failure {
    let message = format!("the proxy {proxy} cannot be reached: {}", failure.message);
    match failure.class {
        FailureClass::Local => Failure::new(failure.class, failure.error_type, message),
        _ => Failure::new(FailureClass::Connect, "connect.proxy", message),
    }
}
