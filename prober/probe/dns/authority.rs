//! The name servers of the zone that a name belongs to, found through resolvers, each with its addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, NS};
use hickory_proto::rr::{Name, RData, RecordType};
use model::outcome::{Failure, FailureClass};

use super::answer::rcode;
use super::question::{Manner, Question};
use super::server::{Asking, Server, has_way_to};
use crate::net::fault;
use crate::net::resolve::Family;
use crate::net::together::all;

/// The most name servers of a zone that are asked.
const SERVERS_MAX: usize = 16;

/// The most addresses of all of a zone's name servers that are asked.
const ADDRESSES_MAX: usize = 32;

/// A zone and who answers for it.
#[derive(Debug)]
pub(super) struct Authority {
    /// The zone's name.
    pub(super) zone: Name,
    /// The names of its name servers, sorted.
    pub(super) names: Vec<String>,
    /// Every address of every one of them, at most [`ADDRESSES_MAX`].
    pub(super) servers: Vec<Server>,
    /// The failures of those that have no address.
    pub(super) nowhere: Vec<Failure>,
}

/// How the zone's name servers are reached.
#[derive(Copy, Clone, Debug)]
pub(super) struct Reach {
    pub(super) port: u16,
    pub(super) family: Family,
    pub(super) over_tcp: bool,
}

/// Finds the zone of `name` and its name servers; `resolvers` are tried in their order.
///
/// # Errors
/// No resolver could say; the failure is the last one's.
pub(super) async fn find(
    name: &Name,
    resolvers: &[Server],
    reach: Reach,
    asking: Asking<'_>,
) -> Result<Authority, Failure> {
    let mut last =
        fault::config("no resolver is there to find the zone's name servers; name one in `resolvers`");
    for resolver in resolvers {
        match (Finder { resolver, asking }).find(name, reach).await {
            Ok(found) => return Ok(found),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

#[derive(Copy, Clone)]
struct Finder<'a> {
    resolver: &'a Server,
    asking: Asking<'a>,
}

impl Finder<'_> {
    async fn find(self, name: &Name, reach: Reach) -> Result<Authority, Failure> {
        let zone = self.zone(name).await?;
        let message = self.ask(&zone, RecordType::NS).await?;
        let servers = message.answers.iter().filter(|record| record.name == zone).filter_map(|record| {
            match &record.data {
                RData::NS(NS(server)) => Some(server.to_lowercase()),
                _ => None,
            }
        });
        let mut servers: Vec<Name> = servers.take(SERVERS_MAX).collect();
        servers.sort();
        servers.dedup();
        if servers.is_empty() {
            return Err(self.nothing(&format!("{zone} has no name servers"), "dns.no_name_servers"));
        }
        let found = all(servers.iter().map(|server| self.addresses(server, reach.family)).collect()).await;
        let (mut nowhere, mut reached) = (Vec::new(), Vec::new());
        for (server, found) in servers.iter().zip(found) {
            match found {
                Ok(addresses) => reached.extend(addresses.into_iter().map(|address| (server, address))),
                Err(failure) => nowhere.push(failure),
            }
        }
        // An address that this machine has no way to is no fault of the zone, as long as there are others.
        let ways: Vec<_> = reached.iter().copied().filter(|(_, address)| has_way_to(*address)).collect();
        let reached = if ways.is_empty() { reached } else { ways };
        let servers_at = reached.into_iter().take(ADDRESSES_MAX).map(|(server, address)| {
            let address = SocketAddr::new(address, reach.port);
            let shown = Arc::from(format!("{} ({address})", shown(server)));
            Server::Named { shown, address, over_tcp: reach.over_tcp }
        });
        let servers_at = servers_at.collect();
        Ok(Authority {
            zone,
            names: servers.iter().map(Name::to_ascii).collect(),
            servers: servers_at,
            nowhere,
        })
    }

    /// The zone that `name` belongs to: the owner of the SOA record nearest above it.
    async fn zone(self, name: &Name) -> Result<Name, Failure> {
        let mut at = name.clone();
        loop {
            let message = self.ask(&at, RecordType::SOA).await?;
            let owner = |record: &hickory_proto::rr::Record| {
                (record.record_type() == RecordType::SOA).then(|| record.name.clone())
            };
            if message.answers.iter().filter_map(owner).any(|owner| owner == at) {
                return Ok(at);
            }
            // Behind an alias the authority section speaks of the alias's target.
            let alias = message.answers.iter().any(|record| matches!(record.data, RData::CNAME(CNAME(_))));
            let above = message.authorities.iter().filter_map(owner).find(|owner| owner.zone_of(&at));
            if let Some(zone) = above.filter(|_| !alias) {
                return Ok(zone);
            }
            if at.is_root() {
                return Err(self.nothing(&format!("there is no zone for {name}"), "dns.no_zone"));
            }
            at = at.base_name();
        }
    }

    async fn addresses(self, server: &Name, family: Family) -> Result<Vec<IpAddr>, Failure> {
        let kinds: &[RecordType] = match family {
            Family::Any => &[RecordType::A, RecordType::AAAA],
            Family::V4 => &[RecordType::A],
            Family::V6 => &[RecordType::AAAA],
        };
        let asked = all(kinds.iter().map(|kind| self.ask(server, *kind)).collect()).await;
        let (mut addresses, mut failure) = (Vec::new(), None);
        for message in asked {
            match message {
                Ok(message) => {
                    addresses.extend(message.answers.iter().filter_map(|record| record.data.ip_addr()));
                }
                Err(why) => failure = Some(why),
            }
        }
        if addresses.is_empty() {
            let nothing = || {
                self.nothing(&format!("the name server {} has no address", shown(server)), "dns.no_address")
            };
            return Err(failure.unwrap_or_else(nothing));
        }
        addresses.dedup();
        Ok(addresses)
    }

    async fn ask(self, name: &Name, kind: RecordType) -> Result<Message, Failure> {
        let question = Question::of(name.clone(), kind, &Manner::default())
            .map_err(|error| Failure::new(FailureClass::Local, fault::BUG, error.to_string()))?;
        let message = self.resolver.look_up(&question, self.asking).await?.message;
        match message.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(message),
            code => {
                let code = rcode(code, false);
                let message =
                    format!("{} answered {code} when asked for {kind} of {}", self.resolver, shown(name));
                Err(Failure::new(FailureClass::Dns, "dns.no_name_servers", message))
            }
        }
    }

    fn nothing(self, what: &str, error_type: &'static str) -> Failure {
        let message = format!("{what} (asked {})", self.resolver);
        Failure::new(FailureClass::Dns, error_type, message)
    }
}

/// A name without its final dot, as people write it.
fn shown(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.len() > 1 {
        text.pop();
    }
    text
}
