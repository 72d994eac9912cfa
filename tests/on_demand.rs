//! `/probe` beside the blackbox exporter: the same names, labels and verdicts for the same targets, and no way to
//! where the project does not allow it.

use std::collections::BTreeSet;

use testkit::client;
use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki, Speech};
use testkit::servers::{Blackbox, check_metrics};

use crate::support::{Api, Project};

/// The series of a page, their values left out; where a label's value is a measurement, it is left out too.
fn series(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {page}")).parse().unwrap()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// The answer to a request with one more header line.
fn with_header(api: Api, path: &str, header: &str) -> Option<client::Answer> {
    let addr = api.0;
    client::request(addr, &format!("GET {path} HTTP/1.0\r\nHost: {addr}\r\n{header}\r\n\r\n"))
}

fn ours(api: Api, module: &str, target: &str) -> client::Answer {
    let path = format!("/probe?module={module}&target={}", encoded(target));
    api.try_get(&path).expect("the prober answers")
}

/// Series that are told by one of the two only, and why.
const ONLY_THEIRS: &[(&str, &str)] = &[];

#[test]
fn the_page_is_that_of_the_blackbox_exporter() {
    let server = Server::start();
    server.on("/", Reply::ok("x".repeat(100)));
    server.on("/gone", Reply::status(503));
    server.on("/moved", Reply::redirect(302, "/"));
    let pki = Pki::new();
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let secure = Server::start_tls(identity.server_config(&Speech::h1()));
    secure.on("/", Reply::ok("x"));
    let silent = Hostile::start(Fault::HalfOpen);
    let root = pki.root_file().display().to_string();
    let free = testkit::wait::free_port();
    let modules = format!(
        "modules:\n  http_2xx: {{ prober: http, timeout: 5s, http: {{ preferred_ip_protocol: ip4 }} }}\n  \
         tcp_connect: {{ prober: tcp, timeout: 5s, tcp: {{ preferred_ip_protocol: ip4 }} }}\n  \
         https: {{ prober: http, timeout: 5s, http: {{ preferred_ip_protocol: ip4, tls_config: {{ ca_file: '{root}' }} }} }}\n"
    );
    let theirs = Blackbox::start(&modules);
    let project = Project::with(
        "include: [\"templates/*.yaml\"]\n",
        &[("any", format!("cron: \"0 0 1 1 *\"\nhttp: {}", server.url("/")))],
    );
    project.write(
        "templates/https.yaml",
        &format!("template: https\nparams:\n  target: {{ type: url }}\nbody:\n  http: {{ url: \"${{params.target}}\", ca: \"{root}\" }}\n"),
    );
    let serving = project.serve();
    let api = serving.api();
    serving.until_ready();
    let mut wrong = Vec::new();
    for (module, target, good) in [
        ("http_2xx", server.url("/"), 1.0),
        ("http_2xx", server.addr().to_string(), 1.0),
        ("http_2xx", server.url("/moved"), 1.0),
        ("http_2xx", server.url("/gone"), 0.0),
        ("http_2xx", format!("http://127.0.0.1:{free}/"), 0.0),
        ("tcp_connect", silent.addr().to_string(), 1.0),
        ("tcp_connect", format!("127.0.0.1:{free}"), 0.0),
        ("https", secure.url("/"), 1.0),
    ] {
        let answer = ours(api, module, &target);
        assert_eq!(answer.status, 200, "{module} {target}: {}", answer.body);
        if let Err(complaint) = check_metrics(&answer.body) {
            wrong.push(format!("{module} {target}: {complaint}"));
        }
        let page = theirs.probe(module, &target).expect("the blackbox exporter answers");
        let (mine, other) = (series(&answer.body), series(&page));
        for only in
            mine.symmetric_difference(&other).filter(|one| ONLY_THEIRS.iter().all(|(known, _)| known != one))
        {
            let whose = if mine.contains(only) { "ours" } else { "theirs" };
            wrong.push(format!("{module} {target}: {only} is only {whose}"));
        }
        for same in ["probe_success", "probe_ip_protocol", "probe_ip_addr_hash"] {
            if (value(&answer.body, same) - value(&page, same)).abs() > f64::EPSILON {
                wrong.push(format!("{module} {target}: {same} differs:\n{}\n{page}", answer.body));
            }
        }
        assert!((value(&answer.body, "probe_success") - good).abs() < f64::EPSILON, "{}", answer.body);
        for same in mine.iter().filter(|one| {
            one.starts_with("probe_http_") && !one.contains("duration")
                || one.starts_with("probe_ssl_earliest")
        }) {
            if other.contains(same) && (value(&answer.body, same) - value(&page, same)).abs() > 0.01 {
                let (mine, other) = (value(&answer.body, same), value(&page, same));
                wrong.push(format!("{module} {target}: {same} is {mine} here and {other} there"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Nothing of it is stored or counted.
    assert!(api.events("").is_empty());
    assert!(
        api.get("/metrics")
            .contains("prober_runs_total{scenario=\"any\",region=\"local\",kind=\"http\"} 0\n")
    );
}

/// What the metrics page has of a scenario under the other exporter's names: series without the scenario's own labels.
fn compat(page: &str, scenario: &str) -> BTreeSet<String> {
    let own = format!("scenario=\"{scenario}\",region=\"local\"");
    let of = series(page).into_iter().filter(|one| one.starts_with("probe_") && one.contains(&own));
    let bare = |one: String| one.replace(&format!("{{{own}}}"), "").replace(&format!("{own},"), "");
    of.map(bare).collect()
}

#[test]
fn scheduled_runs_have_the_same_names_on_the_metrics_page_if_that_is_asked_for() {
    let server = Server::start();
    server.on("/", Reply::ok("x".repeat(100)));
    let pki = Pki::new();
    let secure = Server::start_tls(pki.identity(&["127.0.0.1"], Flaw::None).server_config(&Speech::h1()));
    secure.on("/", Reply::ok("x"));
    let silent = Hostile::start(Fault::HalfOpen);
    let root = pki.root_file().display().to_string();
    let free = testkit::wait::free_port();
    let theirs = Blackbox::start(&format!(
        "modules:\n  http: {{ prober: http, http: {{ preferred_ip_protocol: ip4 }} }}\n  \
         https: {{ prober: http, http: {{ preferred_ip_protocol: ip4, tls_config: {{ ca_file: '{root}' }} }} }}\n  \
         tcp: {{ prober: tcp, tcp: {{ preferred_ip_protocol: ip4 }} }}\n"
    ));
    let probes = [
        ("http", "page", server.url("/"), format!("http: {}", server.url("/"))),
        ("http", "gone", format!("http://127.0.0.1:{free}/"), format!("http: \"http://127.0.0.1:{free}/\"")),
        (
            "https",
            "secure",
            secure.url("/"),
            format!("http: {{ url: \"{}\", ca: \"{root}\" }}", secure.url("/")),
        ),
        ("tcp", "port", silent.addr().to_string(), format!("tcp: \"{}\"", silent.addr())),
    ];
    let scenarios: Vec<_> = probes
        .iter()
        .map(|(_, name, _, step)| (*name, format!("every: 1s\ntimeout: 900ms\n{step}")))
        .collect();
    let project = Project::with("serve: { compat: blackbox }\n", &scenarios);
    let serving = project.serve();
    let api = serving.api();
    for (module, name, target, _) in &probes {
        let good = if *name == "gone" { 0.0 } else { 1.0 };
        let own = format!("{{scenario=\"{name}\",region=\"local\"}} ");
        let ours = testkit::wait::some_blocking(name, std::time::Duration::from_mins(1), || {
            let page = api.get("/metrics");
            page.contains(&format!("probe_success{own}{good}\n")).then_some(page)
        });
        check_metrics(&ours).unwrap_or_else(|complaint| panic!("{complaint}"));
        let page = theirs.probe(module, target).expect("the blackbox exporter answers");
        assert_eq!(compat(&ours, name), series(&page), "{name}");
        let types = |page: &str| -> BTreeSet<String> {
            page.lines().filter(|line| line.starts_with("# TYPE probe_")).map(str::to_owned).collect()
        };
        assert!(types(&page).is_subset(&types(&ours)), "{name}");
        if *name == "secure" {
            let expires = "probe_ssl_earliest_cert_expiry";
            let same = value(&page, expires) - value(&ours, &format!("{expires}{}", own.trim_end()));
            assert!(same.abs() < 0.5, "{same}");
        }
    }
    // Nobody who did not ask has them, and a reload is enough to ask.
    let file = std::fs::read_to_string(project.path("prober.yaml")).unwrap();
    project.write("prober.yaml", &file.replace("compat: blackbox", "compat: none"));
    serving.signal(rustix::process::Signal::HUP);
    testkit::wait::until_blocking("no such names", std::time::Duration::from_mins(1), || {
        !api.get("/metrics").contains("probe_")
    });
    assert_eq!(serving.stop().0, Some(0));
    project.write("prober.yaml", &file.replace("compat: blackbox", "compat: blackbx"));
    let ran = project.prober(&["validate"]);
    assert!(ran.code == Some(2) && ran.err.contains("did you mean `blackbox`?"), "{ran:?}");
}

#[test]
fn it_leads_nowhere_that_the_project_does_not_allow() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let mut project = Project::with(
        "network: { allow: [192.0.2.1] }\nsecrets: { key: { env: KEY } }\ninclude: [\"templates/*.yaml\"]\n",
        &[("any", "cron: \"0 0 1 1 *\"\nhttp: http://192.0.2.1/".to_owned())],
    );
    project.env("KEY", "hush-hush-hush");
    project.write(
        "templates/own.yaml",
        "template: own\nparams:\n  url: { type: url }\nbody:\n  http: ${params.url}\n",
    );
    let serving = project.serve();
    let api = serving.api();
    serving.until_ready();
    for (module, target, says) in [
        ("http", server.url("/").as_str(), "network"),
        ("http_2xx", "http://169.254.169.254/latest/meta-data/", "network"),
        ("tcp", &server.addr().to_string(), "network"),
        ("http", "http://localhost:1/${secrets.key}", ""),
        ("file", "/etc/passwd", "connects to nothing"),
        ("http", "file:///etc/passwd", "over HTTP"),
        ("http", "x\"\nsteps: []", ""),
        ("pigeon", "x", "no module `pigeon`"),
        ("own", "http://192.0.2.1/", ""),
        ("", "", "`target` is missing"),
    ] {
        let answer = ours(api, module, target);
        let refused = answer.status == 400 && answer.body.contains(says);
        // A name is looked up only when the probe runs, and refused then.
        let failed = answer.status == 200 && answer.body.contains("probe_success 0\n");
        assert!(refused || failed && says.is_empty(), "{module} {target}: {} {}", answer.status, answer.body);
        assert!(!answer.body.contains("hush"), "{}", answer.body);
    }
    assert!(server.seen().is_empty(), "nobody was asked");
}

#[test]
fn only_scrapers_of_this_machine_may_ask_and_not_too_many_at_once() {
    let silent = Hostile::start(Fault::HalfOpen);
    let project = Project::with("", &[("any", "cron: \"0 0 1 1 *\"\nhttp: http://127.0.0.1:1/".to_owned())]);
    let serving = project.serve();
    let api = serving.api();
    serving.until_ready();
    // A page elsewhere that lets a browser of this machine ask.
    for header in ["sec-fetch-site: cross-site", "origin: https://evil.example"] {
        let path = "/probe?module=tcp&target=127.0.0.1:1";
        let answer = with_header(api, path, header).expect("the prober answers");
        assert_eq!(answer.status, 403, "{header}");
    }
    let path = format!("/probe?module=http&target=http%3A%2F%2F{}%2F", silent.addr());
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = || {
            let patience = "x-prometheus-scrape-timeout-seconds: 3";
            with_header(api, &path, patience).map_or(0, |answer| answer.status)
        };
        let asked: Vec<_> = (0..24).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let count = |status| statuses.iter().filter(|one| **one == status).count();
    assert!(count(503) >= 1 && count(200) >= 16, "{statuses:?}");
    // And there is room again.
    assert_eq!(ours(api, "tcp", &silent.addr().to_string()).status, 200);
}
