//! From a host's name to its addresses: `/etc/hosts`, then the name servers, looked up anew in every run.
//!
//! A and AAAA are asked together. The servers are asked one after the other as the C library does, each once;
//! a server that gave no usable answer is recorded with the hop's attempts.

mod hosts;
mod source;
mod system;

pub(crate) use source::ResolverSource;
pub use source::Servers;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use model::outcome::{Failure, FailureClass};
use model::step::Phase;

use crate::net::fault;
use crate::net::phases::Phases;
use crate::net::stub::{self, AskError};
use hosts::Hosts;

/// How long one server is waited for; the C library's default.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the second address family is waited for once the first has answered (RFC 8305, section 3).
const SECOND_FAMILY: Duration = Duration::from_millis(50);

/// Which address family a step uses.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    /// Both, IPv6 first.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    /// Whether `address` belongs to it.
    pub(crate) const fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// Which addresses are looked up.
#[derive(Copy, Clone, Debug)]
struct Wanted {
    family: Family,
    /// Whether none may be missing.
    all: bool,
}

/// What is known about who to ask.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    /// The name servers in order.
    pub(crate) servers: Vec<SocketAddr>,
    hosts: Hosts,
    search: Vec<Name>,
    /// A name with fewer dots is tried with the search list first.
    dots_min: usize,
    /// How long a server is waited for that another one follows, if the system says.
    patience: Option<Duration>,
}

impl Resolver {
    /// The addresses of `name`, the preferred ones first; never empty.
    ///
    /// Takes the `dns` phase of `phases`, which is left open.
    ///
    /// # Errors
    /// Class `dns`: the name does not exist, has no address of this family, or no server gave an answer.
    pub(crate) async fn addresses(
        &self,
        name: &str,
        family: Family,
        phases: &mut Phases,
    ) -> Result<Vec<IpAddr>, Failure> {
        self.look_up(name, Wanted { family, all: false }, phases).await
    }

    /// The same for someone who asks at each of them: both families are waited for, and both must be answered.
    ///
    /// # Errors
    /// Class `dns`, as above, and also if one of two families was not answered.
    pub(crate) async fn all_addresses(
        &self,
        name: &str,
        family: Family,
        phases: &mut Phases,
    ) -> Result<Vec<IpAddr>, Failure> {
        let found = self.look_up(name, Wanted { family, all: true }, phases).await;
        found.map_err(|mut failure| {
            if family == Family::Any
                && matches!(&*failure.error_type, "dns.servfail" | "dns.refused" | "dns.timeout")
            {
                failure.message.push_str("; all addresses are those of both families, ip: \"4\" is one");
            }
            failure
        })
    }

    async fn look_up(&self, name: &str, wanted: Wanted, phases: &mut Phases) -> Result<Vec<IpAddr>, Failure> {
        phases.enter(Phase::Dns);
        let no_name = |_| failure("dns.nxdomain", format!("`{name}` is not a name that DNS can hold"));
        let mut parsed = Name::from_ascii(name).map_err(no_name)?;
        parsed.set_fqdn(true);
        let local = self.in_hosts(&parsed, wanted.family);
        if !local.is_empty() {
            return Ok(local);
        }
        let is_full = self.is_full(name);
        let mut worst: Option<(u8, Failure)> = None;
        for candidate in self.candidates(name, parsed.clone()) {
            let failed = match self.ask_servers(&candidate, wanted, phases).await {
                Ok(found) => return Ok(ordered(found)),
                Err(failed) => failed,
            };
            let Some(telling) = telling(&failed) else { return Err(failed) };
            // Of a full name the one about the name itself says most.
            let telling = if is_full && worst.is_none() { u8::MAX } else { telling };
            if worst.as_ref().is_none_or(|(known, _)| telling > *known) {
                worst = Some((telling, failed));
            }
        }
        let worst = worst.map(|(_, failed)| failed);
        let failed = worst.unwrap_or_else(|| failure("dns.nxdomain", format!("there is no name {name}")));
        // The name servers need not know what is in the hosts file.
        let is_here = telling(&failed) == Some(0) && !self.in_hosts(&parsed, Family::Any).is_empty();
        Err(if is_here { no_address(&parsed, wanted.family) } else { failed })
    }

    fn in_hosts(&self, name: &Name, family: Family) -> Vec<IpAddr> {
        let mut found = self.hosts.addresses(&shown(name));
        // RFC 6761, section 6.3: localhost is loopback, whoever is asked.
        if found.is_empty() && name.is_localhost() {
            found = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        }
        found.retain(|address| family.has(*address));
        found
    }

    /// The names to ask for, in the C library's order.
    fn candidates(&self, text: &str, name: Name) -> Vec<Name> {
        if text.ends_with('.') || self.search.is_empty() {
            return vec![name];
        }
        let mut relative = name.clone();
        relative.set_fqdn(false);
        let searched = self.search.iter().filter_map(|domain| relative.clone().append_domain(domain).ok());
        if self.is_full(text) {
            std::iter::once(name).chain(searched).collect()
        } else {
            searched.chain(std::iter::once(name.clone())).collect()
        }
    }

    /// Whether a name is tried as it is before the search list.
    fn is_full(&self, text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() >= self.dots_min
    }

    async fn ask_servers(
        &self,
        name: &Name,
        wanted: Wanted,
        phases: &mut Phases,
    ) -> Result<Vec<IpAddr>, Failure> {
        let mut last = None;
        let mut servers = self.servers.iter().peekable();
        while let Some(server) = servers.next() {
            phases.try_peer(*server);
            // Nobody is asked twice, so the last one has the whole time that it may need.
            let patience = self.patience.filter(|_| servers.peek().is_some()).unwrap_or(PATIENCE);
            let failed = match ask_families(*server, name, wanted, patience).await {
                Ok(found) if found.is_empty() => {
                    phases.answered(*server);
                    return Err(no_address(name, wanted.family));
                }
                Ok(found) => {
                    phases.answered(*server);
                    return Ok(found);
                }
                Err(AskError::Code(ResponseCode::NXDomain)) => {
                    phases.answered(*server);
                    return Err(failure("dns.nxdomain", format!("there is no name {}", shown(name))));
                }
                Err(error) => of_ask(&error, *server, name),
            };
            phases.tried_in_vain(*server, failed.error_type.clone());
            last = Some(failed);
        }
        Err(last.unwrap_or_else(|| {
            fault::config(format!("this machine has no resolver to ask for {}", shown(name)))
        }))
    }
}

/// The failure of a name that is there and has no address that is wanted.
fn no_address(name: &Name, wanted: Family) -> Failure {
    let kind = match wanted {
        Family::Any => "",
        Family::V4 => "IPv4 ",
        Family::V6 => "IPv6 ",
    };
    failure("dns.no_answer", format!("{} has no {kind}address", shown(name)))
}

/// How much a failure says of a name, if the next one of the search list is tried after it, as the C library does.
fn telling(failure: &Failure) -> Option<u8> {
    match &*failure.error_type {
        "dns.nxdomain" => Some(0),
        "dns.no_answer" => Some(1),
        "dns.servfail" | "dns.refused" => Some(2),
        _ => None,
    }
}

async fn ask_families(
    server: SocketAddr,
    name: &Name,
    wanted: Wanted,
    patience: Duration,
) -> Result<Vec<IpAddr>, AskError> {
    let v4 = stub::addresses(server, name, RecordType::A, patience);
    let v6 = stub::addresses(server, name, RecordType::AAAA, patience);
    match wanted.family {
        Family::V4 => v4.await,
        Family::V6 => v6.await,
        Family::Any if wanted.all => {
            let (v4, v6) = tokio::join!(v4, v6);
            let mut found = v6?;
            found.extend(v4?);
            Ok(found)
        }
        Family::Any => {
            let (mut v4, mut v6) = (std::pin::pin!(v4), std::pin::pin!(v6));
            let (first, second) = tokio::select! {
                first = &mut v4 => { let second = follow(&first, v6).await; (first, second) }
                first = &mut v6 => { let second = follow(&first, v4).await; (first, second) }
            };
            join(first, second)
        }
    }
}

type Found = Result<Vec<IpAddr>, AskError>;

/// The answer for the second family: only shortly waited for if the first already brought addresses.
async fn follow(first: &Found, second: Pin<&mut impl Future<Output = Found>>) -> Option<Found> {
    if first.as_ref().is_ok_and(|found| !found.is_empty()) {
        tokio::time::timeout(SECOND_FAMILY, second).await.ok()
    } else {
        Some(second.await)
    }
}

fn join(first: Found, second: Option<Found>) -> Found {
    match (first, second) {
        (Ok(mut found), Some(Ok(more))) => {
            found.extend(more);
            Ok(found)
        }
        (Ok(found), _) | (_, Some(Ok(found))) if !found.is_empty() => Ok(found),
        (Err(error), _) | (Ok(_), Some(Err(error))) => Err(error),
        (Ok(found), None) => Ok(found),
    }
}

/// IPv6 first, then alternating (RFC 8305, section 4).
fn ordered(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = found.into_iter().partition(IpAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut ordered = Vec::with_capacity(v6.len() + v4.len());
    loop {
        match (v6.next(), v4.next()) {
            (None, None) => return ordered,
            (first, second) => ordered.extend(first.into_iter().chain(second)),
        }
    }
}

fn of_ask(error: &AskError, server: SocketAddr, name: &Name) -> Failure {
    if let AskError::Io(error) = error
        && let Some(local) = fault::on_the_way(error, server)
    {
        return local;
    }
    let error_type = match error {
        AskError::Code(ResponseCode::ServFail) => "dns.servfail",
        AskError::Code(ResponseCode::Refused) => "dns.refused",
        AskError::Silent(_) => "dns.timeout",
        // A name server that this machine cannot reach: the mark for telling our own fault apart later.
        AskError::Io(_) => "dns.unreachable",
        AskError::Code(_) | AskError::Question(_) => "dns.no_answer",
    };
    failure(error_type, format!("looking up {}: name server {server} {error}", shown(name)))
}

fn failure(error_type: &'static str, message: String) -> Failure {
    Failure::new(FailureClass::Dns, error_type, message)
}

fn shown(name: &Name) -> String {
    let mut text = name.to_ascii();
    if text.len() > 1 && text.ends_with('.') {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn families_alternate_from_ipv6() {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let found = ips(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
        assert_eq!(ordered(found), ips(&["2001:db8::1", "192.0.2.1", "192.0.2.2"]));
    }

    #[tokio::test]
    async fn the_search_list_goes_on_after_servers_that_fail() {
        let server = testkit::dns::Server::start();
        let here = || testkit::dns::Reply::a(&["127.0.0.1"]);
        server.on("shop.good.test", "A", here());
        for broken in ["shop.bad.test", "lost.bad.test"] {
            server.on(broken, "A", testkit::dns::Reply::rcode(2));
        }
        server.on("shop.empty.test", "A", testkit::dns::Reply::empty());
        server.on("shop.closed.test", "A", testkit::dns::Reply::rcode(5));
        let search = ["bad.test.", "empty.test.", "closed.test.", "good.test."];
        let resolver = Resolver {
            servers: vec![server.addr()],
            search: search.map(|domain| Name::from_ascii(domain).unwrap()).to_vec(),
            dots_min: 1,
            ..Resolver::default()
        };
        let look_up = async |name: &str| {
            let mut phases = Phases::start(Instant::now());
            resolver.addresses(name, Family::V4, &mut phases).await.map_err(|failure| failure.message)
        };
        assert_eq!(look_up("shop").await, Ok(vec![Ipv4Addr::LOCALHOST.into()]));
        let lost = look_up("lost").await.unwrap_err();
        assert!(lost.starts_with("looking up lost.bad.test: "), "{lost}");
        // Of a name with a dot it is the name itself that people know.
        assert_eq!(look_up("lost.bad").await, Err("there is no name lost.bad".to_owned()));
    }

    #[tokio::test]
    async fn a_name_that_lacks_the_wanted_addresses_is_there_all_the_same() {
        let server = testkit::dns::Server::start();
        server.on("shop.test", "A", testkit::dns::Reply::a(&["127.0.0.1"]));
        server.on("shop.test", "AAAA", testkit::dns::Reply::empty());
        let hosts = Hosts::parse("127.0.0.1 here.test localhost\n");
        let resolver = Resolver { servers: vec![server.addr()], hosts, dots_min: 1, ..Resolver::default() };
        for (name, said) in [
            ("shop.test", "shop.test has no IPv6 address"),
            ("here.test", "here.test has no IPv6 address"),
            ("localhost", "localhost has no IPv6 address"),
            ("nobody.test", "there is no name nobody.test"),
        ] {
            let mut phases = Phases::start(Instant::now());
            let failed = resolver.addresses(name, Family::V6, &mut phases).await.unwrap_err();
            assert_eq!(failed.message, said);
        }
    }

    #[tokio::test]
    async fn a_server_that_another_follows_is_waited_for_as_the_system_says() {
        let (silent, server) = (testkit::dns::Server::start(), testkit::dns::Server::start());
        silent.otherwise(testkit::dns::Reply::silence());
        server.on("shop.test", "A", testkit::dns::Reply::a(&["127.0.0.1"]));
        let ask = async |servers: &[&testkit::dns::Server], within| {
            let servers = servers.iter().map(|server| server.addr()).collect();
            let patience = Some(Duration::from_millis(50));
            let resolver = Resolver { servers, dots_min: 1, patience, ..Resolver::default() };
            let mut phases = Phases::start(Instant::now());
            let looked_up = resolver.addresses("shop.test", Family::V4, &mut phases);
            tokio::time::timeout(Duration::from_millis(within), looked_up).await
        };
        assert_eq!(ask(&[&silent, &server], 4_500).await.map(|found| found.unwrap().len()), Ok(1));
        assert!(ask(&[&silent], 500).await.is_err(), "the only one has the whole time");
    }

    #[test]
    fn short_names_use_the_search_list_first() {
        let resolver = Resolver {
            search: vec![Name::from_ascii("corp.example.").unwrap()],
            dots_min: 1,
            ..Resolver::default()
        };
        let asked = |text: &str| {
            let mut name = Name::from_ascii(text).unwrap();
            name.set_fqdn(true);
            resolver.candidates(text, name).iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(asked("shop"), ["shop.corp.example", "shop"]);
        assert_eq!(asked("shop.example"), ["shop.example", "shop.example.corp.example"]);
        assert_eq!(asked("shop."), ["shop"]);
    }
}
