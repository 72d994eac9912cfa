//! A step that is done at every address of a name, each by itself, and what it came to as one outcome.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use model::attribute::Attributes;
use model::outcome::{Failure, FailureClass, cut};
use model::step::{Hop, SHOWN_MAX};
use scenario::fields::{Fields, Key, KeyType, Need};
use scenario::kind::{Evidence, Nothing, StepContext, StepOutcome};
use scenario::source::Spanned;
use scenario::value::{Reading, Selector};

use crate::net::address::{Host, HostPort};
use crate::net::fault::{self, timed_out, within};
use crate::net::phases::Phases;
use crate::net::reach::Reach;
use crate::net::resolve::Family;
use crate::net::shared::Shared;
use crate::net::together;

/// The most addresses of one name that are done; a run has a bounded number of connections.
pub(crate) const ADDRESSES_MAX: usize = 16;

/// The key that asks for it.
pub(crate) const KEY: Key = Key {
    name: "addresses",
    value: KeyType::Choice(&["one", "all"]),
    need: Need::Default("one"),
    doc: "Whether one address of the name is enough, or each of them is probed by itself (16 at most): all must be good, and the failure says which is not.",
    example: "all",
};

/// Whether the key [`KEY`] asks for each address.
pub(crate) fn asked(fields: &mut Fields) -> Option<Spanned<&'static str>> {
    fields.choice(KEY.name).filter(|given| given.value == "all")
}

/// A step's target whose addresses were found.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The network, in which these addresses may be reached as the target's name may.
    pub(crate) shared: Arc<Shared>,
    found: Found,
    /// The lookup; none for an address.
    hop: Option<Hop>,
}

impl Looked {
    /// What is done at each address.
    pub(crate) fn peers(&self) -> &[SocketAddr] {
        &self.found.peers
    }

    /// Does every one of `asked`, which belong to the peers in their order, all at once; what it came to.
    pub(crate) async fn join<F: Future<Output = StepOutcome>>(self, asked: Vec<F>) -> StepOutcome {
        let outcomes = together::all(asked).await;
        let denied = self.found.denied.into_iter();
        let denied = denied.map(|(peer, failure)| (peer, StepOutcome::failed(failure)));
        joined(
            self.hop,
            self.found.peers.into_iter().zip(outcomes).chain(denied).collect(),
            self.found.left_out,
        )
    }
}

/// Does `one` at every address of `reach`, each by itself and all at once; what it came to.
pub(crate) async fn every<F: Future<Output = StepOutcome>>(
    shared: &Arc<Shared>,
    (reach, family): (&Reach, Family),
    context: &StepContext<'_>,
    one: impl Fn(Arc<Shared>, SocketAddr) -> F,
) -> StepOutcome {
    let target = async { reach.resolve(context.scope, family).map(Cow::into_owned) };
    let looked = match look_up(shared, target, (family, || reach.to_string()), context).await {
        Ok(looked) => looked,
        Err(outcome) => return outcome,
    };
    let at = |peer: &SocketAddr| {
        let (peer, done) = (*peer, one(Arc::clone(&looked.shared), *peer));
        // Boxed: a handshake's state is large, and there are several.
        Box::pin(async move {
            match no_way(peer) {
                Some(outcome) => outcome,
                None => done.await,
            }
        })
    };
    let done = looked.peers().iter().map(at).collect();
    looked.join(done).await
}

/// Finds the addresses of the step's `target` by the deadline; `shown` names the step where it ends here.
///
/// # Errors
/// The outcome of a step that has no address to be done at.
pub(crate) async fn look_up(
    shared: &Arc<Shared>,
    target: impl Future<Output = Result<HostPort, Failure>>,
    (family, shown): (Family, impl FnOnce() -> String),
    context: &StepContext<'_>,
) -> Result<Looked, StepOutcome> {
    let mut phases = Phases::start(context.began);
    let looked_up = within(context.deadline, async {
        let target = target.await?;
        let found = all_addresses(shared, &target, family, &mut phases).await?;
        Ok((target, found))
    });
    let looked_up = looked_up.await.unwrap_or_else(|| Err(timed_out(&phases, context.deadline)));
    match looked_up {
        Ok((target, found)) => {
            let named = matches!(target.host, Host::Name(_));
            let hop = named.then(|| phases.into_hop(format!("addresses of {}", target.host)));
            Ok(Looked { shared: shared.granting(&found.peers), found, hop })
        }
        Err(failure) => {
            let hops = vec![phases.into_hop(shown())];
            Err(StepOutcome { hops, ..StepOutcome::failed(failure) })
        }
    }
}

/// Where a step connects in place of its target.
pub(crate) const fn only(peer: SocketAddr) -> HostPort {
    HostPort { host: Host::Ip(peer.ip()), port: peer.port() }
}

/// The addresses of a target, and how many there are beyond those.
#[derive(Debug)]
pub(crate) struct Found {
    /// At most [`ADDRESSES_MAX`].
    pub(crate) peers: Vec<SocketAddr>,
    /// Those that may not be reached, which are not left out in silence where all are asked.
    denied: Vec<(SocketAddr, Failure)>,
    /// How many more there are.
    left_out: usize,
}

/// All addresses of `target`, also those that may not be reached.
///
/// Takes the phase `dns`, if there is a name to look up. The caller holds the deadline.
///
/// # Errors
/// As [`addresses`], and class `dns` if one of two families is not answered.
async fn all_addresses(
    shared: &Shared,
    target: &HostPort,
    family: Family,
    phases: &mut Phases,
) -> Result<Found, Failure> {
    let Host::Name(name) = &target.host else { return addresses(shared, target, family, phases).await };
    shared.may_look_up(target)?;
    let resolver = shared.resolver();
    let all = Box::pin(resolver.all_addresses(name, family, phases)).await?;
    phases.finish();
    let denied = shared.denied(target, &all);
    let ips = shared.reachable(target, all, phases)?;
    Ok(Found { denied, ..found(ips, target.port) })
}

/// The addresses of `target`.
///
/// Takes the phase `dns`, if there is a name to look up. The caller holds the deadline.
///
/// # Errors
/// Class `dns`, the address is not of the family, or none of them may be reached.
pub(crate) async fn addresses(
    shared: &Shared,
    target: &HostPort,
    family: Family,
    phases: &mut Phases,
) -> Result<Found, Failure> {
    let ips = match &target.host {
        Host::Ip(ip) if family.has(*ip) => {
            shared.may_reach(&target.host, SocketAddr::new(*ip, target.port))?;
            vec![*ip]
        }
        Host::Ip(ip) => {
            return Err(fault::config(format!("{ip} is not of the address family that `ip` asks for")));
        }
        Host::Name(name) => {
            let resolver = shared.resolver();
            shared.may_look_up(target)?;
            let found = Box::pin(resolver.addresses(name, family, phases)).await?;
            shared.reachable(target, found, phases)?
        }
    };
    Ok(found(ips, target.port))
}

fn found(mut ips: Vec<IpAddr>, port: u16) -> Found {
    // A name server may give one address twice.
    let mut seen = std::collections::HashSet::new();
    ips.retain(|ip| seen.insert(*ip));
    let left_out = ips.len().saturating_sub(ADDRESSES_MAX);
    ips.truncate(ADDRESSES_MAX);
    let peers = ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    Found { peers, denied: Vec::new(), left_out }
}

/// The outcome at an address that this machine has no way to, which is no fault of the target's.
///
/// Nothing is sent: a UDP socket that is connected only looks for a route.
pub(crate) fn no_way(peer: SocketAddr) -> Option<StepOutcome> {
    let error = fault::look_for_way(peer).err()?;
    // Without a socket to ask with nothing is known of the way.
    if let Some(failure) = fault::without_socket(&error) {
        return Some(StepOutcome::failed(failure));
    }
    let family = if peer.is_ipv4() { ("IPv4", "6") } else { ("IPv6", "4") };
    let message = format!(
        "the prober's machine has no way to {} ({error}); without {} here, write ip: \"{}\"",
        peer.ip(),
        family.0,
        family.1
    );
    Some(StepOutcome::failed(Failure::new(FailureClass::Local, "local.family", message)))
}

/// What each address showed.
struct Each(Vec<(String, Box<dyn Evidence>)>);

impl Evidence for Each {
    /// What the first address showed; assertions look at each of them by itself.
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a> {
        self.0.first().map_or(Reading::Absent, |(_, evidence)| evidence.read(subject, selector))
    }

    fn each(&self) -> Option<&[(String, Box<dyn Evidence>)]> {
        Some(&self.0)
    }
}

/// The outcomes at all addresses as one; `lookup` is the hop in which they were found.
fn joined(lookup: Option<Hop>, outcomes: Vec<(SocketAddr, StepOutcome)>, left_out: usize) -> StepOutcome {
    let results = outcomes.iter().map(|(peer, outcome)| result(*peer, outcome)).collect::<Vec<_>>();
    let failure = summary(&outcomes);
    // Those that are bad come last, where a list that is cut in its middle still has them, and the one whose failure
    // is told behind all others: phases and facts are then its own.
    let (mut bad, good): (Vec<_>, Vec<_>) =
        outcomes.into_iter().partition(|(_, outcome)| outcome.failure.is_some());
    if let Some(told) = told(bad.iter().map(|(_, outcome)| outcome)) {
        let told = bad.remove(told);
        bad.push(told);
    }
    let mut hops: Vec<Hop> = lookup.into_iter().collect();
    let (mut attributes, mut evidence) = (Attributes::new(), Vec::new());
    for (peer, outcome) in good.into_iter().chain(bad) {
        hops.extend(outcome.hops.into_iter().map(|hop| at(hop, peer)));
        if outcome.failure.is_none() {
            evidence.push((peer.to_string(), outcome.evidence));
        }
        // The facts of one stand for all, and those of a bad one are worth more.
        attributes = outcome.attributes;
    }
    attributes.set("prober.addresses", results);
    if left_out > 0 {
        attributes.set("prober.addresses.left_out", i64::try_from(left_out).unwrap_or(i64::MAX));
    }
    let evidence: Box<dyn Evidence> =
        if failure.is_none() { Box::new(Each(evidence)) } else { Box::new(Nothing) };
    StepOutcome { hops, attributes, failure, evidence }
}

fn at(mut hop: Hop, peer: SocketAddr) -> Hop {
    hop.label = format!("{} at {peer}", hop.label).into();
    hop
}

/// `192.0.2.1:443 200`, `192.0.2.2:443 connect.refused`.
fn result(peer: SocketAddr, outcome: &StepOutcome) -> String {
    let status = outcome.hops.iter().rev().find_map(|hop| hop.status.as_deref());
    let came_to = match &outcome.failure {
        Some(failure) => &*failure.error_type,
        None => status.unwrap_or("ok"),
    };
    cut(format!("{peer} {came_to}"), SHOWN_MAX)
}

/// Which of the bad ones is told for all: the first, but what is the prober's own only if there is no other.
fn told<'a>(bad: impl Iterator<Item = &'a StepOutcome>) -> Option<usize> {
    let is_ours = |outcome: &StepOutcome| {
        outcome.failure.as_ref().is_some_and(|failure| failure.class == FailureClass::Local)
    };
    bad.enumerate().min_by_key(|(_, outcome)| is_ours(outcome)).map(|(index, _)| index)
}

/// One failure for all addresses.
fn summary(outcomes: &[(SocketAddr, StepOutcome)]) -> Option<Failure> {
    let bad: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.failure.is_some()).collect();
    let index = told(bad.iter().map(|(_, outcome)| outcome))?;
    let first = bad[index].1.failure.clone()?;
    if outcomes.len() == 1 {
        return Some(first);
    }
    let each = bad.iter().filter_map(|(peer, outcome)| {
        outcome.failure.as_ref().map(|failure| format!("{peer}: {}", failure.message))
    });
    let each: Vec<_> = each.collect();
    let message = format!("{} of {} addresses bad: {}", bad.len(), outcomes.len(), each.join("; "));
    Some(Failure { message: cut(message, model::outcome::MESSAGE_MAX), ..first })
}
