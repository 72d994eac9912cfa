//! Standings of promises as JSON: plain functions of values.

use model::alert::Alert;
use serde_json::{Map, Value, json};
use slo::budget::Budget;
use slo::burn::Burn;
use slo::count::Tally;
use slo::incident::Incident;
use slo::standing::{AdjustmentStanding, RegionStanding, Standing};

/// The word for how a promise stands: what is worst of it.
fn state(standing: &Standing) -> &'static str {
    use model::alert::Severity::{Page, Ticket};
    let fires = |severity| standing.alerts.iter().any(|alert| alert.id.severity == severity);
    if standing.maintenance.is_some() {
        "maintenance"
    } else if fires(Page) {
        "page"
    } else if fires(Ticket) {
        "ticket"
    } else if standing.budget.is_some_and(|budget| budget.remaining() < 0.0) {
        "overspent"
    } else {
        "ok"
    }
}

/// One line of the list.
pub(crate) fn listed(standing: &Standing) -> Value {
    let objective = standing.objective.as_ref();
    json!({
        "name": &*standing.name,
        "service": &*standing.service,
        "owner": &*standing.owner,
        "state": state(standing),
        "objective": objective.map(|objective| f64::from(objective.target.millionths()) / 1e6),
        "window": objective.map(|objective| objective.window.to_string()),
        "budget": standing.budget.as_ref().map(budget),
        "maintenance": standing.maintenance.as_deref(),
        "alerts": standing.alerts.len(),
        "at": standing.at,
    })
}

/// Everything that is known of one promise.
pub(crate) fn full(standing: &Standing) -> Value {
    let mut answer = listed(standing);
    let rules: Vec<_> = standing
        .burns
        .iter()
        .map(|(rule, [short, long])| json!({ "limit": rule.limit, "short": burn(short), "long": burn(long) }))
        .collect();
    let hour = &standing.hour;
    let more = json!({
        "aim": &*standing.aim,
        "runbook": &*standing.runbook,
        "since": standing.begin,
        "burn": rules,
        "hour": {
            "good": hour.good(), "bad": hour.bad(), "ineligible": hour.ineligible(), "planned": hour.planned(),
            "missed": hour.missed(), "eligibility": standing.eligibility,
        },
        "regions": standing.regions.iter().map(region).collect::<Vec<_>>(),
        "noise": standing.noise.as_deref(),
        "good": standing.good.as_deref(),
        "adjustments": standing.adjustments.iter().map(adjustment_json).collect::<Vec<_>>(),
        "post_mortems": standing.post_mortems.iter().map(post_mortem).collect::<Vec<_>>(),
        "firing": standing.alerts.iter().map(alert).collect::<Vec<_>>(),
    });
    if let (Some(answer), Value::Object(more)) = (answer.as_object_mut(), more) {
        answer.extend(more);
    }
    answer
}

fn budget(budget: &Budget) -> Value {
    json!({
        "remaining": budget.remaining(),
        "allowed": budget.allowed,
        "good": budget.good,
        "bad": budget.bad,
        "attained": budget.attained(),
        "gate": budget.gate().as_str(),
    })
}

/// What an adjustment took out of the counts, as the API and `prober slo --format json` have it.
pub fn adjustment_json(standing: &AdjustmentStanding) -> Value {
    let one = &standing.adjustment;
    let taken: Map<_, _> = Tally::TAKEN
        .into_iter()
        .map(|(word, count)| (word.to_owned(), Value::from(standing.taken.of(count))))
        .filter(|(_, slots)| *slots != 0)
        .collect();
    json!({
        "from": one.from, "to": one.to, "scenarios": one.scenarios, "regions": one.regions,
        "author": &*one.author, "added": one.added, "reason": &*one.reason,
        "taken": taken, "gives_back": standing.gives_back,
    })
}

/// An incident that wants a post-mortem.
fn post_mortem(incident: &Incident) -> Value {
    json!({ "from": incident.from, "to": incident.to, "bad": incident.bad, "cost": incident.cost })
}

fn burn(burn: &Burn) -> Value {
    json!({
        "window": burn.window.as_secs(), "rate": burn.rate(), "bad": burn.bad, "expected": burn.expected,
    })
}

fn region(region: &RegionStanding) -> Value {
    json!({
        "name": &*region.name,
        "streak": region.streak,
        "last": region.last_event,
        "good": region.hour.good(),
        "bad": region.hour.bad(),
    })
}

/// An alert as Alertmanager's API has it.
pub(crate) fn alert(alert: &Alert) -> Value {
    let labels: Map<_, _> =
        alert.id.labels().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let annotations: Map<_, _> =
        alert.annotations.iter().map(|(name, text)| (name.to_string(), Value::from(text.as_str()))).collect();
    json!({ "labels": labels, "annotations": annotations, "startsAt": alert.starts, "episode": alert.episode() })
}

/// Whether a release may go on, and the answer; `None` without a budget.
pub(crate) fn gate(standing: &Standing) -> Option<(bool, Value)> {
    let budget = standing.budget?;
    let gate = budget.gate();
    let answer = json!({
        "slo": &*standing.name,
        "state": gate.as_str(),
        "open": gate.lets_pass(),
        "remaining": budget.remaining(),
        "says": budget.asks(),
        "post_mortems": standing.post_mortems.iter().map(post_mortem).collect::<Vec<_>>(),
    });
    Some((gate.lets_pass(), answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::standing;

    #[test]
    fn a_promise_says_how_it_stands() {
        let quiet = standing(0);
        assert_eq!(
            (listed(&quiet)["state"].as_str(), listed(&quiet)["objective"].as_f64()),
            (Some("ok"), Some(0.999))
        );
        let down = full(&standing(10));
        assert_eq!(down["state"], "page");
        assert_eq!(down["budget"]["bad"], 10);
        assert_eq!(down["regions"][0]["streak"], 10);
        assert_eq!(down["hour"]["bad"], 10);
        assert_eq!(down["burn"][0]["limit"], 14.4);
        assert_eq!(down["firing"][0]["labels"]["alertname"], "SLOOutage");
        assert!(down["firing"][0]["annotations"]["sum"].is_string());
        let mut muted = standing(10);
        muted.maintenance = Some("window".into());
        assert_eq!(listed(&muted)["state"], "maintenance");
    }

    #[test]
    fn a_gate_is_open_until_three_quarters_are_gone() {
        let shown = |bad: u64| gate(&standing(bad)).map(|(open, answer)| (open, answer["state"].clone()));
        assert_eq!(shown(0), Some((true, "open".into())));
        assert_eq!(shown(30), Some((true, "review".into())));
        assert_eq!(shown(40), Some((false, "approval".into())));
        assert_eq!(shown(50), Some((false, "frozen".into())));
        let mut none = standing(0);
        none.budget = None;
        assert_eq!(gate(&none), None);
    }
}
