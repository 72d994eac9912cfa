//! From a condition that holds to an alert that fires, and back: one per rule, severity and region.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::alert::{Alert, AlertId, Rule, Severity};
use model::time::Timestamp;

use crate::bytes::{Broken, In, Out};

/// What makes a watch the same one.
pub(crate) type Key = (Rule, Severity, Option<Arc<str>>);

/// A condition that holds: for a while, or long enough to be an alert.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Watch {
    /// It holds since then, and not yet for long enough.
    Pending(Timestamp),
    /// It fires.
    Firing(Box<Alert>),
}

pub(crate) fn write(watches: &BTreeMap<Key, Watch>, out: &mut Out) {
    out.number(watches.len() as u64);
    for ((rule, severity, region), watch) in watches {
        out.text(rule.as_str());
        out.text(severity.as_str());
        out.some(region.as_ref(), |out, region| out.text(region));
        match watch {
            Watch::Pending(since) => {
                out.flag(false);
                out.signed(since.as_nanos());
            }
            Watch::Firing(alert) => {
                out.flag(true);
                firing(alert, out);
            }
        }
    }
}

fn firing(alert: &Alert, out: &mut Out) {
    out.signed(alert.starts.as_nanos());
    for text in [&alert.id.slo, &alert.id.service, &alert.id.team] {
        out.text(text);
    }
    out.number(alert.annotations.len() as u64);
    for (name, text) in &alert.annotations {
        out.text(name);
        out.text(text);
    }
}

pub(crate) fn read(from: &mut In<'_>) -> Result<BTreeMap<Key, Watch>, Broken> {
    let count = from.count()?;
    let mut watches = BTreeMap::new();
    for _ in 0..count {
        let rule = Rule::of(&from.text()?).ok_or(Broken)?;
        let severity = Severity::of(&from.text()?).ok_or(Broken)?;
        let region = from.some(In::text)?;
        let key = (rule, severity, region);
        let watch = if from.flag()? {
            Watch::Firing(Box::new(fired(&key, from)?))
        } else {
            Watch::Pending(Timestamp::from_nanos(from.signed()?))
        };
        watches.insert(key, watch);
    }
    Ok(watches)
}

fn fired((rule, severity, region): &Key, from: &mut In<'_>) -> Result<Alert, Broken> {
    let starts = Timestamp::from_nanos(from.signed()?);
    let (slo, service, team) = (from.text()?, from.text()?, from.text()?);
    let id = AlertId { rule: *rule, severity: *severity, slo, service, team, region: region.clone() };
    let count = from.count()?;
    let pair = |_| Ok((from.text()?, from.text()?.to_string()));
    let annotations = (0..count).map(pair).collect::<Result<_, Broken>>()?;
    Ok(Alert { id, starts, ends: None, annotations })
}
