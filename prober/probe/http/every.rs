//! A step at each address of its name: the name is looked up once, then every address is asked at once, each as
//! if it were the only one.

use std::net::SocketAddr;
use std::sync::Arc;

use model::outcome::Failure;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::kind::{Nothing, StepContext, StepOutcome};
use scenario::source::Span;

use super::client::Client;
use super::connect::Manner;
use super::run::Http;
use super::session::Session;
use crate::net::address::{Host, HostPort};
use crate::net::each::{self, Found};
use crate::net::fault::{timed_out, within};
use crate::net::phases::Phases;
use crate::net::shared::{Net, Shared};
use crate::net::together;

/// False if the report says why the step cannot ask each address.
pub(super) fn check(has_proxy: bool, span: Span, report: &mut Report) -> bool {
    if has_proxy {
        let message = "`proxy` and `addresses: all` exclude each other";
        let problem = Diagnostic::error("E135", span, message);
        report.push(
            problem.help("through a proxy it is not known which address was asked: leave one of them out"),
        );
    }
    !has_proxy
}

/// Does `http` at every address of its target.
pub(super) async fn address(http: &Http, net: &mut Net, context: &StepContext<'_>) -> StepOutcome {
    let mut phases = Phases::start(context.began);
    let shared = Arc::clone(net.shared());
    let looked_up = within(context.deadline, find(http, &shared, context, &mut phases)).await;
    let looked_up = looked_up.unwrap_or_else(|| Err(timed_out(&phases, context.deadline)));
    let (to, found) = match looked_up {
        Ok(found) => found,
        Err(failure) => {
            let hop = phases.into_hop(http.target_of(context));
            let attributes = model::attribute::Attributes::new();
            let hops = vec![hop];
            return StepOutcome { hops, attributes, failure: Some(failure), evidence: Box::new(Nothing) };
        }
    };
    let lookup =
        matches!(to.host, Host::Name(_)).then(|| phases.into_hop(format!("addresses of {}", to.host)));
    let shared = shared.granting(&found.peers);
    let mut nets: Vec<Net> = found.peers.iter().map(|_| branch(net, &shared)).collect();
    let asked = found.peers.iter().zip(&mut nets).map(|(peer, net)| ask(http, *peer, net, context));
    let outcomes = together::all(asked.collect()).await;
    for own in &nets {
        net.hide_as(own);
    }
    each::joined(lookup, found.peers.into_iter().zip(outcomes).collect(), found.left_out)
}

/// Where the step connects, and the addresses there.
async fn find(
    http: &Http,
    shared: &Shared,
    context: &StepContext<'_>,
    phases: &mut Phases,
) -> Result<(HostPort, Found), Failure> {
    let manner = &http.client.manner;
    let to = match &manner.connect_to {
        Some(to) => to.clone(),
        None => http.request.ready(context.scope).await?.target.address.clone(),
    };
    let found = each::addresses(shared, &to, manner.family, phases).await?;
    Ok((to, found))
}

/// Asks one address, with cookies as they were before and connections of its own.
async fn ask(http: &Http, peer: SocketAddr, net: &mut Net, context: &StepContext<'_>) -> StepOutcome {
    if let Some(failure) = each::no_way(peer) {
        let attributes = model::attribute::Attributes::new();
        return StepOutcome {
            hops: Vec::new(),
            attributes,
            failure: Some(failure),
            evidence: Box::new(Nothing),
        };
    }
    let connect_to = Some(HostPort { host: Host::Ip(peer.ip()), port: peer.port() });
    let manner = Manner { connect_to, ..http.client.manner.clone() };
    let client = Client { manner, body_bytes_max: http.client.body_bytes_max };
    http.once(&client, net, context).await
}

/// The network of one address: what the run knows so far, and nothing open.
fn branch(net: &mut Net, shared: &Arc<Shared>) -> Net {
    let cookies = net.carried::<Session>().and_then(|session| session.cookies());
    let mut own = Net::new(Arc::clone(shared));
    own.look(net.detail());
    if let Some(cookies) = cookies {
        *own.carry::<Session>() = cookies;
    }
    own
}
