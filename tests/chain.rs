//! From a failing target to whoever is woken up, all of it real: by Prometheus with the generated rules and Alertmanager,
//! by Alertmanager alone, and directly; each delay is measured and compared with what the policy promises.

use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::servers::{Alertmanager, Prometheus};
use testkit::wait;

use crate::support::{Project, Serving, alone};

/// The distance of two runs.
const INTERVAL: Duration = Duration::from_secs(2);
/// Regions; both have to be bad.
const REGIONS: u32 = 2;
/// How long a bad run may be held until it is known whether the prober was at fault, at its longest.
const IN_DOUBT: Duration = Duration::from_secs(30);
/// What a busy machine may add to everything.
const SLACK: Duration = Duration::from_mins(2);

/// Three ways to three webhooks.
struct Chain {
    target: Server,
    /// Prober, Prometheus, Alertmanager, webhook.
    scraped: Server,
    /// Prober, Alertmanager, webhook.
    managed: Server,
    /// Prober, webhook.
    direct: Server,
    serving: Serving,
    prometheus: Prometheus,
    _managers: [Alertmanager; 2],
    _project: Project,
}

fn webhook() -> Server {
    let server = Server::start();
    server.on("/hook", Reply::status(204));
    server
}

impl Chain {
    fn start() -> Self {
        let target = Server::start();
        target.on("/", Reply::ok("x"));
        let [scraped, managed, direct] = [webhook(), webhook(), webhook()];
        let managers = [&scraped, &managed].map(|hook| Alertmanager::start(&hook.url("/hook")));
        let project = Project::new("");
        project.write(
            "prober.yaml",
            &format!(
                "version: 1\nnetwork: {{ private: allow }}\nregions: {{ eu: {{}}, us: {{}} }}\nroutes:\n  \
                 manager: {{ alertmanager: \"{}\" }}\n  hook: {{ webhook: \"{}\" }}\n",
                managers[1].url(),
                direct.url("/hook"),
            ),
        );
        project.write(
            "scenarios/shop.yaml",
            &format!(
                "name: shop\naim: The shop answers.\nowner: team-shop\nrunbook: https://wiki.example/shop\nevery: {}s\n\
                 timeout: 1500ms\nslo: {{ objective: 99.9% }}\nalerts: {{ page: [manager, hook] }}\nhttp: {}\n",
                INTERVAL.as_secs(),
                target.url("/")
            ),
        );
        let rules = project.prober(&["slo", "export", "prometheus"]);
        assert_eq!(rules.code, Some(0), "{rules:?}");
        let serving = project.serve();
        let prometheus = Prometheus::alerting(serving.api().0, &rules.out, managers[0].addr());
        Self { target, scraped, managed, direct, serving, prometheus, _managers: managers, _project: project }
    }

    /// What was told at the end of each way, by its name.
    fn ends(&self) -> [(&'static str, &Server, Told); 3] {
        [
            ("by Prometheus and Alertmanager", &self.scraped, manager_told),
            ("by Alertmanager", &self.managed, manager_told),
            ("directly", &self.direct, prober_told),
        ]
    }
}

/// Whether a request to a webhook says that the outage of `shop` is firing, or is over.
type Told = fn(&Value, firing: bool) -> bool;

fn manager_told(body: &Value, firing: bool) -> bool {
    let status = if firing { "firing" } else { "resolved" };
    let is_it = |alert: &Value| {
        alert["labels"]["alertname"] == "SLOOutage"
            && alert["labels"]["severity"] == "page"
            && alert["labels"]["slo"] == "shop"
            && alert["status"] == status
    };
    body["alerts"].as_array().is_some_and(|alerts| alerts.iter().any(is_it))
}

fn prober_told(body: &Value, firing: bool) -> bool {
    let kind = if firing { "slo.alert.firing" } else { "slo.alert.resolved" };
    body["type"] == kind && body["data"]["labels"]["alertname"] == "SLOOutage"
}

fn is_told(hook: &Server, told: Told, firing: bool) -> bool {
    let body = |seen: &testkit::http::Seen| serde_json::from_slice(&seen.body).unwrap_or_default();
    hook.seen().iter().any(|seen| told(&body(seen), firing))
}

/// Waits until all three were told; gives how long each took from `began` on.
fn delays(chain: &Chain, began: Instant, firing: bool, within: Duration) -> Vec<(&'static str, Duration)> {
    let mut found: Vec<(&'static str, Duration)> = Vec::new();
    wait::until_blocking(&format!("three webhooks, firing: {firing}"), within, || {
        for (name, hook, told) in chain.ends() {
            if found.iter().all(|(known, _)| *known != name) && is_told(hook, told, firing) {
                found.push((name, began.elapsed()));
            }
        }
        found.len() == 3
    });
    found
}

/// The number that a query gives; 0 if nothing.
fn number(prometheus: &Prometheus, query: &str) -> f64 {
    let answer: Value = serde_json::from_str(&prometheus.query(query)).unwrap_or_default();
    answer["data"]["result"][0]["value"][1].as_str().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

#[test]
fn an_outage_reaches_three_webhooks_in_the_time_that_the_policy_says() {
    let _turn = alone();
    let chain = Chain::start();
    wait::until_blocking("good runs of both regions in Prometheus", SLACK, || {
        number(&chain.prometheus, "count(prober_sli_good_events_total >= 3)") > 1.5
    });
    for (name, hook, _) in chain.ends() {
        assert_eq!(hook.requests(), 0, "{name}: nobody is told of anything while all is well");
    }
    // By the policy: the last two runs of both regions, so at most two intervals and what a run takes.
    let policy = model::policy::Policy {
        interval: INTERVAL,
        regions: REGIONS,
        target: model::objective::Share::of_millionths(999_000).unwrap(),
    };
    assert_eq!((policy.streak(), policy.quorum()), (2, 2));
    let seen = INTERVAL * policy.streak() + Duration::from_secs(1);
    // A scrape and an evaluation every second; the evaluator's tick and settling; groups wait 100 ms.
    let by_rules = seen + Duration::from_secs(2);
    let by_evaluator = seen + slo::evaluator::TICK + slo::evaluator::SETTLE + Duration::from_secs(1);

    chain.target.on("/", Reply::status(503));
    let began = Instant::now();
    let found = delays(&chain, began, true, by_evaluator + IN_DOUBT + SLACK);
    for (name, after) in &found {
        let promised = if name.contains("Prometheus") { by_rules } else { by_evaluator };
        measured(&format!(
            "an outage is told {name} after {after:.1?}; the policy says at most {promised:?}"
        ));
        assert!(*after > INTERVAL, "{name}: one bad round is no outage: {after:?}");
        assert!(*after <= promised + IN_DOUBT + SLACK, "{name}: {after:?}, at most {promised:?}");
    }
    // And that it is over is told on the same ways.
    chain.target.on("/", Reply::ok("x"));
    let began = Instant::now();
    for (name, after) in delays(&chain, began, false, by_evaluator + IN_DOUBT + SLACK) {
        measured(&format!("its end is told {name} after {after:.1?}"));
    }
    // Both say the same of it.
    let ours = chain.serving.api().json("/api/v1/alerts");
    let outage = |alert: &Value| alert["labels"]["alertname"] == "SLOOutage";
    assert!(!ours["alerts"].as_array().unwrap().iter().any(outage), "{ours:#}");
    let theirs = number(&chain.prometheus, "count(ALERTS{alertname=\"SLOOutage\",alertstate=\"firing\"})");
    assert!(theirs < 0.5, "{theirs}");
    let (code, err) = chain.serving.stop();
    assert_eq!(code, Some(0), "{err}");
}

/// Shown by `--nocapture`: the figures of `deploy/prometheus/README.md`.
fn measured(line: &str) {
    use std::io::Write as _;
    let _shown = writeln!(std::io::stderr(), "{line}");
}
