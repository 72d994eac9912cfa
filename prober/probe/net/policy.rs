//! Asks the outbound policy before and after each connection, and turns a denial into a failure.
//!
//! A denial is never held against the target: class `local`, `local.policy`. What a denied peer might say is
//! never read. The addresses of a name are judged one by one: those that are denied are left out, and noted
//! with the hop's attempts; only if none is left, or if each of them was to be asked, is the run not judged. That is safe whatever a name server
//! says, since a connection is made to an address that was judged, and to nothing else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use model::outcome::{Failure, FailureClass};
use scenario::network::{Denied, Policy, Rule};

use crate::net::address::{Host, HostPort};
use crate::net::phases::Phases;
use crate::net::shared::Shared;

/// The `error.type` of what the outbound policy does not allow.
pub(crate) const POLICY: &str = "local.policy";

impl Shared {
    /// The same network, of which only what `policy` allows may be reached.
    #[must_use]
    pub fn under(self: Arc<Self>, policy: &Arc<Policy>) -> Arc<Self> {
        let mut same = Arc::unwrap_or_clone(self);
        same.policy = Some(Arc::clone(policy));
        Arc::new(same)
    }

    /// The same network for steps that name these peers by their addresses, which were judged by their name.
    #[must_use]
    pub(crate) fn granting(self: &Arc<Self>, peers: &[SocketAddr]) -> Arc<Self> {
        let Some(policy) = &self.policy else { return Arc::clone(self) };
        let denied = |peer: &&SocketAddr| policy.judge_address(peer.ip(), peer.port()).is_err();
        let rules: Vec<_> =
            peers.iter().filter(denied).filter_map(|peer| Rule::parse(&peer.to_string()).ok()).collect();
        if rules.is_empty() {
            return Arc::clone(self);
        }
        let mut granted = Policy::clone(policy);
        granted.allow.extend(rules);
        Arc::clone(self).under(&Arc::new(granted))
    }

    /// Whether `target` may be looked up at all; what is known by its name alone.
    ///
    /// # Errors
    /// Class `local`, `local.policy`.
    pub(crate) fn may_look_up(&self, target: &HostPort) -> Result<(), Failure> {
        self.judged(|policy| policy.judge(&target.host.text(), None, target.port))
    }

    /// Whether `target` may be handed to a proxy, which looks its name up by itself.
    ///
    /// # Errors
    /// Class `local`, `local.policy`.
    pub(crate) fn may_pass_on(&self, target: &HostPort) -> Result<(), Failure> {
        match target.host {
            Host::Ip(ip) => self.may_reach(&target.host, (ip, target.port).into()),
            Host::Name(_) => {
                self.judged(|policy| policy.judge_elsewhere(&target.host.to_string(), target.port))
            }
        }
    }

    /// Whether `host` may be reached at `peer`; asked before a connection, and again of the peer it has.
    ///
    /// # Errors
    /// Class `local`, `local.policy`.
    pub(crate) fn may_reach(&self, host: &Host, peer: SocketAddr) -> Result<(), Failure> {
        self.judged(|policy| match host {
            Host::Ip(_) => policy.judge_address(peer.ip(), peer.port()),
            Host::Name(name) => policy.judge(name, Some(peer.ip()), peer.port()),
        })
    }

    /// Whether a name server may be asked: the system's own may be, for they are the operator's choice.
    ///
    /// # Errors
    /// Class `local`, `local.policy`.
    pub(crate) fn may_ask(&self, server: SocketAddr) -> Result<(), Failure> {
        let judged = self.may_reach(&Host::Ip(server.ip()), server);
        // Seldom asked, for it takes a lock.
        if judged.is_err() && self.resolver().servers.contains(&server) { Ok(()) } else { judged }
    }

    /// Those of the addresses of `target` that may be reached; never empty. The others are noted in `phases`.
    ///
    /// # Errors
    /// Class `local`, `local.policy`: none of them may.
    pub(crate) fn reachable(
        &self,
        target: &HostPort,
        mut found: Vec<IpAddr>,
        phases: &mut Phases,
    ) -> Result<Vec<IpAddr>, Failure> {
        let mut denied = None;
        found.retain(|ip| {
            let peer = SocketAddr::new(*ip, target.port);
            match self.may_reach(&target.host, peer) {
                Ok(()) => true,
                Err(failure) => {
                    phases.try_peer(peer);
                    phases.tried_in_vain(peer, POLICY);
                    denied.get_or_insert(failure);
                    false
                }
            }
        });
        match denied {
            Some(denied) if found.is_empty() => Err(denied),
            _ => Ok(found),
        }
    }

    /// Those of the addresses of `target` that may not be reached, each with why.
    pub(crate) fn denied(&self, target: &HostPort, found: &[IpAddr]) -> Vec<(SocketAddr, Failure)> {
        let peers = found.iter().map(|ip| SocketAddr::new(*ip, target.port));
        peers.filter_map(|peer| Some((peer, self.may_reach(&target.host, peer).err()?))).collect()
    }

    fn judged(&self, ask: impl FnOnce(&Policy) -> Result<(), Denied>) -> Result<(), Failure> {
        self.policy.as_deref().map_or(Ok(()), |policy| ask(policy).map_err(|denied| failure(&denied)))
    }
}

fn failure(denied: &Denied) -> Failure {
    let message = format!("the network policy does not allow it: {}; {}", denied.what, denied.remedy);
    Failure::new(FailureClass::Local, POLICY, message)
}
