//! A fresh connection, or one that an earlier request of the same run left open.

use std::sync::Arc;

use model::outcome::Failure;

use super::facts::TlsFacts;
use super::fault;
use super::request::Version;
use super::session::{Connection, Key, Session};
use super::speaker::Speaker;
use super::target::Target;
use super::trail::Trail;
use super::wire::{Marks, Stream, Wire};
use crate::net::address::Host;
use crate::net::dial::dial;
use crate::net::resolve::Family;
use crate::net::shared::{Net, Shared};
use crate::net::tls::{TlsChoice, server_name};

/// How a step connects.
#[derive(Debug)]
pub(crate) struct Manner {
    pub(crate) version: Version,
    pub(crate) family: Family,
    pub(crate) tls: Arc<TlsChoice>,
    /// The name that the server must prove and is told; the URL's host if `None`.
    pub(crate) name: Option<Host>,
}

impl Manner {
    /// The name that the server at `target` must prove; another than the URL's only where the step went first.
    fn name<'a>(&'a self, target: &'a Target, trail: &Trail) -> &'a Host {
        let given = self.name.as_ref();
        let at_first = trail.first.as_ref().is_none_or(|first| first.same_origin(target));
        given.filter(|_| at_first).unwrap_or(&target.address.host)
    }

    /// What another request needs to have in common to share the connection to `target`.
    fn key(&self, target: &Target, trail: &Trail) -> Key {
        Key {
            address: target.address.clone(),
            secured: target.secure.then(|| (Arc::clone(&self.tls), self.name(target, trail).clone())),
            version: self.version,
            family: self.family,
        }
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
        let key = self.key(target, trail);
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
        let tcp = dial(shared, &target.address, self.family, &mut trail.phases).await?;
        let peer = trail.phases.peer.expect("a connection that was dialled has a peer");
        let mut h2 = self.version == Version::H2;
        let stream = if let Some(setup) = setup {
            let name = server_name(self.name(target, trail))?;
            let (stream, shown) = setup.connect(tcp, &name, &mut trail.phases).await;
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
}
