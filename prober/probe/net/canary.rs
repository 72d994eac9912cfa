//! Can the system's resolver be believed? A name of the operator's own is looked up as every run does it, and
//! the answer compared with what it must be, or with what a second resolver says.
//!
//! Deliberately absent: a judgement about targets, and any schedule.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use tokio::task::JoinSet;

use crate::net::fault;
use crate::net::phases::Phases;
use crate::net::resolve::Family;
use crate::net::shared::Shared;
use crate::net::stub::{self, AskError};

/// A name whose addresses are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The name.
    pub name: String,
    /// Who else is asked.
    pub second: Option<SocketAddr>,
    /// What the answer must be; empty for what the second resolver says.
    pub answers: BTreeSet<IpAddr>,
}

/// What looking up a canary's name has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sung {
    /// The answer is right.
    Right,
    /// The answer is right, and one of several name servers gives none.
    Partly(String),
    /// There was no answer.
    Silent(String),
    /// There was one, and it is wrong.
    Wrong(String),
}

impl Shared {
    /// Looks up the canary's name, within `patience`.
    pub async fn sing(&self, canary: &Canary, patience: Duration) -> Sung {
        let deadline = Instant::now() + patience;
        let mut phases = Phases::start(Instant::now());
        let resolver = self.resolver();
        let ours = resolver.addresses(&canary.name, Family::Any, &mut phases);
        let theirs = second(canary, patience);
        let each = each(&canary.name, &resolver.servers, patience);
        let all = async { tokio::join!(fault::within(deadline, ours), theirs, each) };
        let (ours, theirs, broken) = Box::pin(all).await;
        let ours = match ours {
            Some(Ok(found)) => Ok(found.into_iter().collect()),
            Some(Err(failure)) => Err(failure.message),
            None => Err(format!("looking up {} took longer than {patience:?}", canary.name)),
        };
        match (judge(canary, ours, theirs), broken) {
            (Sung::Right, Some(why)) => Sung::Partly(why),
            (sung, _) => sung,
        }
    }
}

/// What a name server says of a name: the `error.type` of a name that is not there, or whose zone does not answer; empty if
/// the name is there, and `None` if the server says nothing.
pub async fn word_of(server: SocketAddr, name: &str, patience: Duration) -> Option<&'static str> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    match stub::addresses(server, &name, RecordType::A, patience).await {
        Ok(_) => Some(""),
        Err(AskError::Code(ResponseCode::NXDomain)) => Some("dns.nxdomain"),
        Err(AskError::Code(ResponseCode::ServFail)) => Some("dns.servfail"),
        Err(_) => None,
    }
}

/// Why the first of several name servers that gives no answer does not: a lookup asks them one after the other and hides it,
/// and who asks each of them does not.
async fn each(name: &str, servers: &[SocketAddr], patience: Duration) -> Option<String> {
    let mut known = Name::from_ascii(name).ok().filter(|_| servers.len() > 1)?;
    known.set_fqdn(true);
    let mut asked = JoinSet::new();
    for server in servers.iter().copied() {
        let known = known.clone();
        asked.spawn(async move {
            let answer = stub::addresses(server, &known, RecordType::A, patience).await;
            answer.err().map(|error| format!("name server {server} {error}"))
        });
    }
    let mut broken = None;
    while let Some(answered) = asked.join_next().await {
        // A panic ends the process; nobody else ends these tasks.
        broken = broken.or(answered.ok().flatten());
    }
    broken.map(|why| format!("looking up {name}: {why}"))
}

/// What the second resolver says; `None` if there is none or it says nothing.
async fn second(canary: &Canary, patience: Duration) -> Option<BTreeSet<IpAddr>> {
    let server = canary.second.filter(|_| canary.answers.is_empty())?;
    let mut name = Name::from_ascii(&canary.name).ok()?;
    name.set_fqdn(true);
    let (v4, v6) = tokio::join!(
        stub::addresses(server, &name, RecordType::A, patience),
        stub::addresses(server, &name, RecordType::AAAA, patience)
    );
    let found: BTreeSet<IpAddr> = [v4, v6].into_iter().filter_map(Result::ok).flatten().collect();
    (!found.is_empty()).then_some(found)
}

fn judge(canary: &Canary, ours: Result<BTreeSet<IpAddr>, String>, theirs: Option<BTreeSet<IpAddr>>) -> Sung {
    let ours = match ours {
        Ok(found) => found,
        Err(why) => return Sung::Silent(why),
    };
    let (right, who) = match theirs {
        _ if !canary.answers.is_empty() => (canary.answers.clone(), "and the file says"),
        Some(theirs) => (theirs, "and the second resolver says"),
        // An answer that nothing contradicts.
        None => return Sung::Right,
    };
    // One family may be answered later than the other is waited for.
    if ours.is_subset(&right) {
        return Sung::Right;
    }
    Sung::Wrong(format!("the resolver says that {} is {}, {who} {}", canary.name, list(&ours), list(&right)))
}

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    addresses.iter().take(4).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use testkit::dns::{Reply, Server};

    use super::*;
    use crate::net::resolve::Servers;
    use crate::net::shared::NetConfig;

    fn names(addresses: &[&str]) -> Server {
        let server = Server::start();
        server.on("canary.test", "A", Reply::a(addresses));
        server.on("canary.test", "AAAA", Reply::empty());
        server
    }

    #[tokio::test]
    async fn a_resolver_is_believed_if_nothing_contradicts_it() {
        let patience = Duration::from_secs(20);
        let (right, liar, dead) = (names(&["192.0.2.1"]), names(&["198.51.100.1"]), Server::start());
        let answers = BTreeSet::from(["192.0.2.1".parse().unwrap()]);
        for (asked, second, answers, expected) in [
            (&right, Some(&right), BTreeSet::new(), "right"),
            (&right, None, answers.clone(), "right"),
            (&right, Some(&dead), BTreeSet::new(), "right"),
            (&liar, Some(&right), BTreeSet::new(), "wrong"),
            (&liar, None, answers.clone(), "wrong"),
            (&dead, Some(&right), BTreeSet::new(), "silent"),
            (&dead, Some(&dead), answers, "silent"),
        ] {
            let config = NetConfig { servers: Servers::These(vec![asked.addr()]), ..NetConfig::default() };
            let canary = Canary { name: "canary.test".to_owned(), second: second.map(Server::addr), answers };
            let said = match Shared::new(config).sing(&canary, patience).await {
                Sung::Right => "right",
                Sung::Partly(_) => "partly",
                Sung::Silent(_) => "silent",
                Sung::Wrong(_) => "wrong",
            };
            assert_eq!(said, expected, "{canary:?}");
        }
    }

    #[tokio::test]
    async fn one_of_several_name_servers_that_is_broken_is_told() {
        let (right, refusing) = (names(&["192.0.2.1"]), Server::start());
        refusing.otherwise(Reply::rcode(5));
        let answers = BTreeSet::from(["192.0.2.1".parse().unwrap()]);
        let canary = Canary { name: "canary.test".to_owned(), second: None, answers };
        for servers in [[&refusing, &right], [&right, &refusing]] {
            let servers = Servers::These(servers.map(Server::addr).into());
            let shared = Shared::new(NetConfig { servers, ..NetConfig::default() });
            let sung = shared.sing(&canary, Duration::from_secs(20)).await;
            let Sung::Partly(why) = sung else { panic!("{sung:?}") };
            assert!(
                why.starts_with(&format!("looking up canary.test: name server {} ", refusing.addr())),
                "{why}"
            );
        }
        let servers = Servers::These(vec![right.addr(), names(&["192.0.2.1"]).addr()]);
        let shared = Shared::new(NetConfig { servers, ..NetConfig::default() });
        assert_ne!(shared.sing(&canary, Duration::from_millis(300)).await, Sung::Right, "one is gone");
    }

    #[tokio::test]
    async fn a_resolver_that_says_nothing_is_not_waited_for() {
        let silent = Server::start();
        silent.otherwise(Reply::silence());
        let config = NetConfig { servers: Servers::These(vec![silent.addr()]), ..NetConfig::default() };
        let canary = Canary { name: "canary.test".to_owned(), second: None, answers: BTreeSet::new() };
        let began = Instant::now();
        let sung = Shared::new(config).sing(&canary, Duration::from_millis(200)).await;
        assert!(matches!(sung, Sung::Silent(_)), "{sung:?}");
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}
