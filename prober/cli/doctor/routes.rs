//! Whether the receivers of alerts can be reached; none is sent an alert.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Finding, Patient, fail, ok, warn};
use crate::agent::alerts::{client, plan};

/// Whether every route has its secrets, and its receivers answer over sound TLS.
pub(super) fn routes(patient: &Patient) -> Finding {
    const NAME: &str = "routes";
    let Some(project) = patient.project() else { return warn(NAME, "not known without a project", "") };
    if project.routes.is_empty() {
        return ok(NAME, "none: alerts go nowhere");
    }
    let all: BTreeSet<Arc<str>> =
        project.routes.iter().map(|route| route.name.value.as_str().into()).collect();
    let planned = match plan(project, &all, project.regions(), &patient.vault) {
        Ok(planned) => planned,
        Err(missing) => {
            let seen = missing.to_string().replace('\n', "; ");
            return fail(NAME, seen, "set the variables, or put the files where prober.yaml says");
        }
    };
    let client = match client() {
        Ok(client) => client,
        Err(error) => return fail(NAME, error.to_string(), "install ca-certificates"),
    };
    let (mut seen, mut wrong) = (Vec::new(), Vec::new());
    for route in planned {
        let receivers = match route.build(&client) {
            Ok(receivers) => receivers,
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        for receiver in receivers {
            match patient.runtime.block_on(receiver.examine()) {
                Ok(found) => seen.push(format!("{}: {found}", route.name)),
                Err(why) => wrong.push(format!("{}: {why}", route.name)),
            }
        }
    }
    if wrong.is_empty() {
        return ok(NAME, seen.join("; "));
    }
    fail(NAME, wrong.join("; "), "alerts would wait; `prober alerts send --route NAME` tries one for real")
}
