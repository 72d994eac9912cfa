//! Receivers that hang, refuse, ask for patience, never end, lead elsewhere or cannot be trusted: nobody else waits
//! for them, and nothing of their addresses is told.

use std::time::Duration;

use model::alert::Severity;
use serde_json::Value;
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};
use testkit::wait;

use super::{PATIENCE, alert, project, queue};

/// Stands in every address.
const HUSH: &str = "hush-hush-4711";

/// Receivers that fail, and their addresses.
struct Hostiles {
    speaking: Server,
    elsewhere: Server,
    _untrusted: Server,
    _silent: Vec<Hostile>,
    urls: Vec<String>,
}

impl Hostiles {
    fn start() -> Self {
        let (speaking, elsewhere) = (Server::start(), Server::start());
        elsewhere.on("*", Reply::status(204));
        let patience = Reply::status(429).header("retry-after", "1000000000");
        let answers = [
            ("/500/hush-hush-4711", Reply::status(500)),
            ("/429/hush-hush-4711", patience),
            ("/307/hush-hush-4711", Reply::redirect(307, &elsewhere.url("/"))),
            ("/404/hush-hush-4711", Reply::status(404).body("Cannot POST /404/hush-hush-4711")),
        ];
        let mut urls = Vec::new();
        for (path, reply) in answers {
            speaking.on(path, reply);
            urls.push(speaking.url(path));
        }
        let identity = Pki::new().identity(&["localhost", "127.0.0.1"], Flaw::None);
        let untrusted = Server::start_tls(identity.server_config(&Speech::h1()));
        urls.push(untrusted.url("/hush-hush-4711"));
        let faults = [
            Fault::HalfOpen,
            Fault::ResetAfterRequest,
            Fault::EndlessHeaders,
            Fault::EndlessContinue,
            Fault::Drip(Duration::from_millis(200)),
            Fault::Garbage,
        ];
        let silent: Vec<_> = faults.into_iter().map(Hostile::start).collect();
        urls.extend(silent.iter().map(|target| format!("http://{}/{HUSH}?key={HUSH}", target.addr())));
        Self { speaking, elsewhere, _untrusted: untrusted, _silent: silent, urls }
    }

    fn names(&self) -> Vec<String> {
        (0..self.urls.len()).map(|number| format!("bad-{number}")).collect()
    }

    fn routes(&self) -> String {
        let route = |(name, url): (&String, &String)| format!("  {name}: {{ webhook: \"{url}\" }}\n");
        self.names().iter().zip(&self.urls).map(route).collect::<Vec<_>>().concat()
    }
}

/// The good route was told of each page itself, and that the other one did not take it.
fn assert_told_of_both(good: &Server, names: &[String], log: &str) {
    let told: Vec<Value> =
        good.seen().iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    for (number, name) in names.iter().enumerate() {
        let of_page = |message: &&Value| message["data"]["labels"]["slo"] == format!("slo-{number}");
        let of_page = told.iter().filter(of_page);
        let undelivered: Vec<_> = of_page.map(|message| &message["data"]["undelivered"]["route"]).collect();
        assert_eq!(undelivered.len(), 2, "{name}: {undelivered:?}\n{log}");
        assert!(undelivered.contains(&&Value::from(name.as_str())) && undelivered.contains(&&Value::Null));
    }
}

#[test]
fn receivers_that_fail_in_every_way_hold_nobody_up() {
    let good = Server::start();
    good.on("*", Reply::status(204));
    let hostiles = Hostiles::start();
    let names = hostiles.names();
    let project =
        project(&format!("{}  good: {{ webhook: \"{}\" }}\n", hostiles.routes(), good.url("/hook")));
    // Each page goes to a route that fails and to the good one; it is late already.
    for (number, name) in names.iter().enumerate() {
        let page = alert(&format!("slo-{number}"), Severity::Page);
        queue(&project, &[page], &[name, "good"], Duration::from_mins(5));
    }
    let serving = project.serve();
    wait::until_blocking("every page, and that it was not delivered elsewhere", PATIENCE, || {
        good.requests() == 2 * names.len() as u64
    });
    assert_told_of_both(&good, &names, &serving.err());
    wait::until_blocking("that routes are known to fail", PATIENCE, || {
        serving.api().get("/").matches("Alerts do not get through route").count() >= 5
    });
    let (page, metrics) = (serving.api().get("/"), serving.api().get("/metrics"));
    for name in &names {
        let failed =
            format!("prober_alert_notifications_failed_total{{integration=\"webhook\",route=\"{name}\"}} 1");
        assert!(metrics.contains(&failed), "{failed}\n{metrics}");
    }
    assert_eq!(hostiles.elsewhere.requests(), 0, "redirects are not followed");
    assert!(hostiles.speaking.requests() >= 4);
    let began = std::time::Instant::now();
    let (code, log) = serving.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_secs(20), "a stop does not wait for the dead");
    for text in [&log, &page, &metrics] {
        assert!(!text.contains("hush"), "{text}");
    }
    assert!(log.contains("answered 404: Cannot POST […]"), "{log}");
    for name in &names {
        let of_route = log.lines().filter(|line| line.contains(&format!("route=\"{name}\"")));
        let said = of_route.filter(|line| line.contains("do not get through")).count();
        assert!(said <= 1, "{name} is said {said} times: {log}");
    }
}

#[test]
fn an_endless_answer_of_success_is_one() {
    let endless = Server::start();
    endless.on("/hook", Reply::ok("").endless("x".repeat(1_000)));
    let project = project(&format!("  hook: {{ webhook: \"{}\" }}\n", endless.url("/hook")));
    queue(&project, &[alert("a", Severity::Page)], &["hook"], Duration::ZERO);
    let serving = project.serve();
    let done = "prober_alert_notifications_total{integration=\"webhook\",route=\"hook\"} 1";
    wait::until_blocking("acceptance", PATIENCE, || serving.api().get("/metrics").contains(done));
    assert_eq!(serving.stop().0, Some(0));
    assert_eq!(endless.requests(), 1);
}
