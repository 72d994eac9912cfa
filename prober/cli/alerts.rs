//! `prober alerts send`: whether a route takes an alert, tried with one that says that it is a test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alert::{Delivery, Notice, Receiver};
use model::alert::{Alert, AlertId, Rule, Severity};
use model::time::{Clock as _, SystemClock};
use scenario::project::Project;
use scenario::suggest::nearest;

use super::args::{AlertSeverity, AlertsSend, Global};
use super::out::Out;
use super::place::{host, options, place, runtime, vault};
use crate::agent::alerts::{Planned, client, plan};
use crate::agent::load::{check, count};
use crate::exit::{Exit, Stop};

/// Sends a test alert and its end to one route, once each.
pub(crate) fn send(global: &Global, args: &AlertsSend, out: &Out) -> Result<Exit, Stop> {
    let place = place(global, &[])?;
    let options = options(&args.vars, &args.regions, host())?;
    let checked = check(&place, &options).map_err(|error| Stop::file(error.to_string()))?;
    let project = &checked.compiled.project;
    if count(&checked.compiled.diagnostics, scenario::diagnostic::Severity::Error) > 0 {
        return Err(Stop::file("the files have errors; prober validate shows them"));
    }
    let route = planned(project, args, &vault(&checked.root))?;
    let client = client().map_err(|error| Stop::environment(error.to_string()))?;
    let receivers = route.build(&client).map_err(|error| Stop::environment(error.to_string()))?;
    let took = runtime(Some(1))?.block_on(both(receivers, args, out));
    Ok(if took { Exit::Good } else { Exit::Environment })
}

/// The wanted route with its secrets.
fn planned(
    project: &Project,
    args: &AlertsSend,
    vault: &crate::agent::secrets::Vault,
) -> Result<Planned, Stop> {
    let names = || project.routes.iter().map(|route| route.name.value.as_str());
    if !names().any(|name| name == args.route) {
        let hint = match nearest(&args.route, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if project.routes.is_empty() => "prober.yaml has no `routes`".to_owned(),
            None => format!("routes of this project: {}", names().collect::<Vec<_>>().join(", ")),
        };
        return Err(Stop::file(format!("there is no route `{}`; {hint}", args.route)));
    }
    let regions: Vec<Arc<str>> = match args.regions.as_slice() {
        [] => project.regions().to_vec(),
        named => named.iter().map(|region| Arc::from(region.as_str())).collect(),
    };
    let used = BTreeSet::from([Arc::from(args.route.as_str())]);
    let planned =
        plan(project, &used, &regions, vault).map_err(|error| Stop::environment(error.to_string()))?;
    let found = planned.into_iter().find(|route| route.name == args.route);
    found.ok_or_else(|| Stop::environment(format!("this version cannot deliver to route `{}`", args.route)))
}

/// Sends start and end to every receiver; gives whether all took both.
async fn both(mut receivers: Vec<Box<dyn Receiver>>, args: &AlertsSend, out: &Out) -> bool {
    let starts = SystemClock.now();
    let mut notice =
        Notice { alert: test_alert(args), routes: vec![args.route.as_str().into()], undelivered: None };
    let started = deliver(&mut receivers, &notice, ("test alert", args), out).await;
    // Also after a failure: a receiver may have it and only have been late to say so.
    tokio::time::sleep(args.hold).await;
    notice.alert.ends = Some(SystemClock.now().max(starts));
    let ended = deliver(&mut receivers, &notice, ("its end", args), out).await;
    started && ended
}

async fn deliver(
    receivers: &mut [Box<dyn Receiver>],
    notice: &Notice,
    (what, args): (&str, &AlertsSend),
    out: &Out,
) -> bool {
    let mut all = true;
    for receiver in receivers {
        let delivery = receiver.deliver(std::slice::from_ref(notice), SystemClock.now()).await;
        let place = receiver.place().to_owned();
        match delivery {
            Delivery::Done => out.line(&format!("{}: {what} accepted by {place}", args.route)),
            Delivery::Retry { why, .. } | Delivery::Reject { why } | Delivery::Gone { why } => {
                all = false;
                out.complain(&format!("{}: {what} not accepted: {why}", args.route));
            }
        }
    }
    all
}

fn test_alert(args: &AlertsSend) -> Alert {
    let severity = match args.severity {
        AlertSeverity::Page => Severity::Page,
        AlertSeverity::Ticket => Severity::Ticket,
    };
    let summary = format!("TEST: this is only a test of route {}; nothing is wrong", args.route);
    let description = format!("Sent by hand with `prober alerts send` on {}. Its end follows.", host());
    let annotations = [("summary", summary), ("description", description), ("test", "true".to_owned())];
    let annotations: BTreeMap<Arc<str>, String> =
        annotations.into_iter().map(|(name, text)| (Arc::from(name), text)).collect();
    let id = AlertId {
        rule: Rule::Outage,
        severity,
        slo: "prober-test".into(),
        service: "prober".into(),
        team: "".into(),
        region: None,
    };
    Alert { id, starts: SystemClock.now(), ends: None, annotations }
}
