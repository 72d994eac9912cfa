//! From plans to what the evaluator judges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use export::prometheus::JointInfo;
use model::maintenance::Effect;
use model::slot::{Cadence, Stream};
use model::time::Timestamp;
use probe::Net;
use scenario::adjustment::AdjustmentFile;
use scenario::compile::Compiled;
use scenario::plan::Plan;
use scenario::project::{BudgetPolicyFile, Project};
use scenario::slo::{GoodRuns, JointFeed, JointSlo};
use schedule::maintenance::Calendar;
use schedule::slots::Timetable;
use slo::budget::BudgetPolicy;
use slo::good::GoodRun;
use slo::promise::{Adjustment, Feed, Maintained, Promise};

/// Everything that is promised, and the routes that there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises {
    /// Scenarios with an objective, or with routes for alerts.
    pub(crate) all: Vec<Promise>,
    /// The routes of the project, by name.
    pub(crate) routes: Vec<Arc<str>>,
    /// Those over several scenarios, as metrics need them.
    pub(crate) joint: Vec<JointInfo>,
    /// The name of each scenario's own objective.
    own: BTreeMap<Arc<str>, Arc<str>>,
}

impl Promises {
    /// What compiled files promise, beginning at `now` unless more is known of it.
    pub(crate) fn of(compiled: &Compiled<Net>, now: Timestamp) -> Self {
        let mut all = promises(&compiled.plans, now);
        let own = all.iter().filter_map(|promise| {
            Some((Arc::clone(&promise.feeds.first()?.scenario), Arc::clone(&promise.name)))
        });
        let own = own.collect();
        let joint: Vec<_> =
            compiled.joint_slos.iter().filter_map(|slo| joint(slo, &compiled.plans, now)).collect();
        let info = |promise: &Promise| JointInfo {
            name: Arc::clone(&promise.name),
            service: Arc::clone(&promise.service),
            feeds: promise
                .feeds
                .iter()
                .map(|feed| (Arc::clone(&feed.scenario), Arc::clone(&feed.region)))
                .collect(),
            good: promise.good.clone(),
        };
        let infos = joint.iter().map(info).collect();
        all.extend(joint);
        for promise in &mut all {
            of_project(promise, &compiled.project);
        }
        let routes = compiled.project.routes.iter().map(|route| route.name.value.as_str().into()).collect();
        Self { all, routes, own, joint: infos }
    }

    /// The routes that promises name, for pages and tickets.
    pub(crate) fn routes_used(&self) -> BTreeSet<Arc<str>> {
        self.all.iter().flat_map(|promise| promise.page.iter().chain(&promise.ticket)).cloned().collect()
    }

    /// Whether the promise is the scenario's own.
    pub(crate) fn is_own(&self, promise: &Promise, scenario: &str) -> bool {
        self.own.get(scenario).is_some_and(|name| *name == promise.name)
    }

    /// What the scenario's own promise is called, if it has one.
    pub(crate) fn own_of(&self, scenario: &str) -> Option<Arc<str>> {
        self.own.get(scenario).cloned()
    }

    /// What metrics call the promise of a scenario: its objective's name, or its own.
    pub(crate) fn own_name(&self, scenario: &Arc<str>) -> Arc<str> {
        Arc::clone(self.own.get(scenario).unwrap_or(scenario))
    }
}

/// Adds what the project says of all its promises.
fn of_project(promise: &mut Promise, project: &Project) {
    let critical = |region: &Arc<str>| project.is_critical(region);
    promise.critical = promise.regions().into_iter().filter(critical).collect();
    promise.budget_policy = budget_policy(&project.budget_policy);
    let is_about = |one: &&Arc<AdjustmentFile>| one.slos.iter().any(|name| *name.value == *promise.name);
    promise.adjustments = project.adjustments.iter().filter(is_about).map(|one| adjustment(one)).collect();
}

fn budget_policy(file: &BudgetPolicyFile) -> BudgetPolicy {
    let share = |share: model::objective::Share| f64::from(share.millionths()) / 1e6;
    BudgetPolicy {
        review: share(file.review),
        approval: share(file.approval),
        incident: share(file.incident),
    }
}

/// An adjustment as the evaluator takes it.
pub(crate) fn adjustment(file: &AdjustmentFile) -> Arc<Adjustment> {
    let names = |names: &[scenario::source::Spanned<String>]| {
        names.iter().map(|name| name.value.as_str().into()).collect()
    };
    Arc::new(Adjustment {
        from: file.from,
        to: file.to,
        scenarios: names(&file.scenarios),
        regions: names(&file.regions),
        author: Arc::clone(&file.author),
        reason: Arc::clone(&file.reason),
        added: file.added,
    })
}

/// What makes a run good, from an SLO file.
#[derive(Debug)]
struct Own(GoodRuns);

impl GoodRun for Own {
    fn broken(&self, took: Duration) -> Option<String> {
        self.0.broken(took)
    }

    fn words(&self) -> String {
        self.0.words()
    }
}

/// Starts of a cron expression that are looked at for its longest pause: more than a month of hours.
const STARTS: usize = 1_000;

/// What the scenarios promise, each in the regions that run here; they begin at `now` unless more is known of them.
pub(crate) fn promises(plans: &[Plan<Net>], now: Timestamp) -> Vec<Promise> {
    let mut scenarios: BTreeMap<&str, Vec<&Plan<Net>>> = BTreeMap::new();
    for plan in plans {
        if plan.slo().objective.is_some() || plan.slo().alerts() {
            scenarios.entry(&plan.stream().scenario).or_default().push(plan);
        }
    }
    scenarios.values().filter_map(|plans| promise(plans, now)).collect()
}

fn promise(plans: &[&Plan<Net>], now: Timestamp) -> Option<Promise> {
    let first = plans.first()?;
    let (slo, about, origin) = (first.slo(), first.about(), first.origin());
    let name = slo.objective.as_ref().map_or(&origin.stream.scenario, |objective| &objective.name);
    let feed = |plan: &&Plan<Net>| Feed {
        scenario: Arc::clone(&plan.stream().scenario),
        region: Arc::clone(&plan.stream().region),
        interval: slo.interval,
        replicas: plan.replicas(),
        timeout: plan.timeout() + plan.grace(),
    };
    let calendar = Calendar::new(first.maintenance()).expect("the compiler has checked the maintenances");
    Some(Promise {
        name: Arc::clone(name),
        service: Arc::clone(&origin.service),
        owner: Arc::clone(&about.owner),
        aim: Arc::clone(&about.aim),
        runbook: Arc::clone(&about.runbook),
        objective: slo.objective.clone(),
        interval: slo.interval,
        gap: longest_gap(first.cadence(), first.stream(), now).max(slo.interval),
        quorum: slo.quorum,
        blind_after: None,
        good: None,
        budget_policy: BudgetPolicy::default(),
        adjustments: Vec::new(),
        critical: BTreeSet::new(),
        feeds: plans.iter().map(feed).collect(),
        page: slo.page.clone(),
        ticket: slo.ticket.clone(),
        begin: now,
        maintenance: Arc::new(Calendars(vec![calendar])),
    })
}

/// What an SLO file promises of the streams that run here; `None` if none of them does.
fn joint(slo: &JointSlo, plans: &[Plan<Net>], now: Timestamp) -> Option<Promise> {
    let is_of = |plan: &&Plan<Net>, feed: &JointFeed| {
        (&plan.stream().scenario, &plan.stream().region) == (&feed.scenario, &feed.region)
    };
    let plan_of = |feed: &JointFeed| plans.iter().find(|plan| is_of(plan, feed));
    let feeds: Vec<_> = slo.feeds.iter().filter_map(|feed| Some((feed, plan_of(feed)?))).collect();
    let mut calendars: BTreeMap<&Arc<str>, Calendar> = BTreeMap::new();
    for plan in
        plans.iter().filter(|plan| feeds.iter().any(|(feed, _)| feed.scenario == plan.stream().scenario))
    {
        let calendar = Calendar::new(plan.maintenance()).expect("the compiler has checked the maintenances");
        calendars.insert(&plan.stream().scenario, calendar);
    }
    (!feeds.is_empty()).then(|| Promise {
        name: Arc::clone(&slo.name),
        service: Arc::clone(&slo.service),
        owner: Arc::clone(&slo.owner),
        aim: Arc::clone(&slo.aim),
        runbook: Arc::clone(&slo.runbook),
        objective: slo.slo.objective.clone(),
        interval: slo.slo.interval,
        gap: slo.gap,
        quorum: slo.slo.quorum,
        blind_after: slo.blind_after,
        good: slo.good.clone().map(|good| Arc::new(Own(good)) as Arc<dyn GoodRun>),
        budget_policy: BudgetPolicy::default(),
        adjustments: Vec::new(),
        critical: BTreeSet::new(),
        feeds: feeds
            .into_iter()
            .map(|(feed, plan)| Feed {
                scenario: Arc::clone(&feed.scenario),
                region: Arc::clone(&feed.region),
                interval: feed.interval,
                replicas: plan.replicas(),
                timeout: feed.timeout,
            })
            .collect(),
        page: slo.slo.page.clone(),
        ticket: slo.slo.ticket.clone(),
        begin: now,
        maintenance: Arc::new(Calendars(calendars.into_values().collect())),
    })
}

/// The longest distance of two starts.
fn longest_gap(cadence: &Cadence, stream: &Stream, now: Timestamp) -> Duration {
    let Ok(timetable) = Timetable::new(cadence, stream) else { return Duration::ZERO };
    if let Some(step) = timetable.step_ms() {
        return Duration::from_millis(step);
    }
    let mut starts = std::iter::successors(timetable.first_from(now), |at| timetable.next_after(*at));
    let Some(mut last) = starts.next() else { return Duration::ZERO };
    let mut longest = Duration::ZERO;
    for start in starts.take(STARTS) {
        longest = longest.max(start.since(last));
        last = start;
    }
    longest
}

/// The maintenances of each scenario of a promise.
#[derive(Debug)]
pub(crate) struct Calendars(pub(crate) Vec<Calendar>);

impl Maintained for Calendars {
    /// Alerts keep quiet while one of the scenarios asks for that, or while none of them counts.
    fn look(&self, at: Timestamp) -> (Option<Arc<str>>, Timestamp) {
        let looks: Vec<_> = self.0.iter().map(|calendar| calendar.look(at)).collect();
        let until = looks.iter().map(|look| look.until).min().unwrap_or(Timestamp::from_nanos(i64::MAX));
        let active: Vec<_> = looks.into_iter().map(|look| look.active).collect();
        let muted = active.iter().flatten().find(|one| one.effect == Effect::Mute);
        let all = active.iter().all(Option::is_some).then(|| active.iter().flatten().next()).flatten();
        (muted.or(all).map(|one| Arc::clone(&one.name)), until)
    }
}

#[cfg(test)]
mod tests {
    use model::maintenance::{Maintenance, When};

    use super::*;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_seconds(1_772_323_200).plus(Duration::from_mins(minutes))
    }

    fn once(name: &str, effect: Effect, from: u64, to: u64) -> Arc<Maintenance> {
        Arc::new(Maintenance { name: name.into(), effect, when: When::Once { from: at(from), to: at(to) } })
    }

    #[test]
    fn alerts_keep_quiet_while_one_scenario_asks_or_none_counts() {
        let calendars = Calendars(vec![
            Calendar::new(&[once("db", Effect::Ineligible, 10, 30)]).unwrap(),
            Calendar::new(&[once("cdn", Effect::Pause, 20, 40), once("talk", Effect::Mute, 50, 60)]).unwrap(),
        ]);
        for (minute, name, until) in
            [(0, None, 10), (10, None, 20), (20, Some("db"), 30), (30, None, 40), (50, Some("talk"), 60)]
        {
            let (found, holds) = calendars.look(at(minute));
            assert_eq!((found.as_deref(), holds), (name, at(until)), "{minute}");
        }
        assert_eq!(Calendars(Vec::new()).look(at(0)).0, None);
    }

    #[test]
    fn the_longest_pause_of_a_cron_is_that_over_a_weekend() {
        let stream = Stream::new("a", "eu");
        let cron = |expression: &str| Cadence::Cron {
            expression: expression.to_owned(),
            timezone: "UTC".to_owned(),
        };
        for (cadence, hours) in [
            (cron("0 6 * * MON-FRI"), 72),
            (cron("*/30 8-17 * * *"), 14),
            (Cadence::Every { interval_ms: 7_200_000 }, 2),
        ] {
            let found = longest_gap(&cadence, &stream, at(0)).as_secs_f64() / 3_600.0;
            assert!((found - f64::from(hours)).abs() < 0.6, "{cadence}: {found} h");
        }
    }
}
