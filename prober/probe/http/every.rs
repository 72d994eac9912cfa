//! A step at each address of its name: the name is looked up once, then every address is asked at once, each as
//! if it were the only one.

use std::net::SocketAddr;
use std::sync::Arc;

use model::outcome::Failure;
use scenario::diagnostic::{Diagnostic, Report};
use scenario::kind::{StepContext, StepOutcome};
use scenario::source::Span;

use super::client::Client;
use super::connect::Manner;
use super::run::Http;
use super::session::Session;
use crate::net::address::HostPort;
use crate::net::each;
use crate::net::named;
use crate::net::shared::{Net, Shared};

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
    let shared = Arc::clone(net.shared());
    let shown = || http.target_of(context);
    let family = http.client.manner.family;
    let looked = match each::look_up(&shared, target(http, context), (family, shown), context).await {
        Ok(looked) => looked,
        Err(outcome) => return outcome,
    };
    let peers = looked.peers().to_vec();
    let mut nets: Vec<Net> = peers.iter().map(|_| branch(net, &looked.shared)).collect();
    let asked = peers.iter().zip(&mut nets).map(|(peer, net)| ask(http, *peer, net, context));
    let outcome = looked.join(asked.collect()).await;
    for own in &nets {
        net.hide_as(own);
    }
    outcome
}

/// Where the step connects.
async fn target(http: &Http, context: &StepContext<'_>) -> Result<HostPort, Failure> {
    if let Some(to) = &http.client.manner.connect_to {
        return Ok(to.clone());
    }
    let address = http.request.ready(context.scope).await?.target.address.clone();
    named::check_family(&http.request.url, &address.host, http.client.manner.family)?;
    Ok(address)
}

/// Asks one address, with cookies as they were before and connections of its own.
async fn ask(http: &Http, peer: SocketAddr, net: &mut Net, context: &StepContext<'_>) -> StepOutcome {
    if let Some(outcome) = each::no_way(peer) {
        return outcome;
    }
    let manner = Manner { connect_to: Some(each::only(peer)), ..http.client.manner.clone() };
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
