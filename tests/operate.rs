//! Operating it: what the service manager hears, and what is shipped under `deploy/`, where `deploy/check` does not look.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use testkit::http::{Reply, Server};
use testkit::wait;

use crate::support::Project;

/// How long what is waited for may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a tool in the repository's folder; it must be there.
fn tool(words: &[&str], install: &str) -> Output {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(root());
    command.output().unwrap_or_else(|error| panic!("{}: {error}; install it: {install}", words[0]))
}

/// Runs a tool that must be content, and gives what it said.
fn content(words: &[&str], install: &str) -> String {
    let done = tool(words, install);
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{words:?}: {said}");
    said
}

/// A tool out of the tests' Python packages.
fn python(words: &[&str]) -> String {
    let path = format!("target/peers/bin/{}", words[0]);
    content(&[&[path.as_str()], &words[1..]].concat(), "tests/run peers")
}

/// A project with one scenario that is due every second.
fn ticking(server: &Server) -> Project {
    server.on("/", Reply::ok("x"));
    let body = format!("every: 1s\ntimeout: 900ms\nhttp: {}", server.url("/"));
    Project::with("", &[("tick", body)])
}

#[test]
fn the_service_manager_hears_of_start_life_reload_and_stop() {
    let server = Server::start();
    let mut project = ticking(&server);
    let socket = UnixDatagram::bind(project.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let place = project.path("notify").to_str().unwrap().to_owned();
    project.env("NOTIFY_SOCKET", &place);
    project.env("WATCHDOG_USEC", "400000");
    let mut serving = project.serve();
    let hear = || {
        let mut bytes = [0; 1024];
        let read = socket.recv(&mut bytes).expect("the service manager hears nothing");
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    };
    // What is not a sign of life, in order.
    let next = || loop {
        let said = hear();
        if said != "WATCHDOG=1" {
            return said;
        }
    };
    assert_eq!(next(), "READY=1\nSTATUS=runs 1 scenarios");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    // A wrong file is a reload, too: it ends, and the plans from before run.
    project.write("scenarios/wrong.yaml", "name: wrong\n");
    serving.signal(Signal::HUP);
    assert!(next().starts_with("RELOADING=1\n"));
    assert_eq!(next(), "READY=1\nSTATUS=runs 1 scenarios");
    serving.signal(Signal::TERM);
    assert!(next().starts_with("STOPPING=1\n"));
    assert_eq!(serving.end().code(), Some(0));
    project.env("NOTIFY_SOCKET", "/nowhere/at/all");
    let refused = project.refused(&[]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err.contains("NOTIFY_SOCKET"), "{refused:?}");
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let server = Server::start();
    let project = ticking(&server);
    let serving = project.serve();
    serving.api().until_events("verdict=good", 1);
    assert_eq!(serving.stop().0, Some(0));
    let meta = project.path("prober-data/meta.db");
    rusqlite::Connection::open(&meta).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let bytes = fs::read(&meta).unwrap();
    let refused = project.refused(&[]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err.contains("meta.db") && refused.err.contains("99"), "{refused:?}");
    assert_eq!(fs::read(&meta).unwrap(), bytes, "it was changed");
}

/// A clock that is set forward by ten minutes, and back by five seconds, as whoever keeps the machine does it.
#[test]
fn a_clock_that_is_set_loses_no_slot_and_runs_none_twice() {
    let server = Server::start();
    let mut project = ticking(&server);
    let listed = content(&["dpkg", "-L", "libfaketime"], "apt-get install faketime");
    let library = listed.lines().find(|line| line.ends_with("libfaketimeMT.so.1")).unwrap();
    project.write("clock", "+0");
    let clock = project.path("clock").to_str().unwrap().to_owned();
    for (name, value) in [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", &clock),
        ("FAKETIME_NO_CACHE", "1"),
        // Nobody sets the clock that only counts.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("NO_FAKE_STAT", "1"),
    ] {
        project.env(name, value);
    }
    let serving = project.serve();
    let api = serving.api();
    api.until_events("verdict=good", 3);
    // What reads the file never finds half of it.
    let set = |offset: &str| {
        project.write("clock.new", offset);
        fs::rename(project.path("clock.new"), &clock).unwrap();
    };
    set("+600");
    let stepped = |events: &[Value]| {
        events.iter().filter(|event| event["prober.verdict.reason"] == "clock_step").count()
    };
    wait::until_blocking("the slots of ten minutes", PATIENCE, || {
        stepped(&api.events("verdict=missed")) >= 595
    });
    let good = api.events("verdict=good").len();
    api.until_events("verdict=good", good + 3);
    set("+595");
    let good = api.events("verdict=good").len();
    api.until_events("verdict=good", good + 3);
    let account = api.json("/api/v1/account?until=3s");
    assert_eq!(account["violations"], 0, "{account:#}");
    let events = api.events("");
    let slots: BTreeSet<&str> =
        events.iter().map(|event| event["prober.slot.id"].as_str().unwrap()).collect();
    assert_eq!(slots.len(), events.len(), "a slot is there twice");
    assert!(stepped(&events) <= 615, "{}", stepped(&events));
    let (code, err) = serving.stop();
    assert_eq!(code, Some(0), "{err}");
}

/// Every metric that the rules ask for is one that the prober has.
#[test]
fn the_rules_ask_for_metrics_that_there_are() {
    let server = Server::start();
    let mut project = ticking(&server);
    project.env("HOOK", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    project.write(
        "prober.yaml",
        "version: 1\nscenarios: [\"scenarios/*.yaml\"]\nnetwork: { private: allow }\nsecrets: { hook: { env: HOOK } }\nroutes: { r: { webhook: { url: \"http://127.0.0.1:9/\", secret: \"${secrets.hook}\" } } }\nexporters: [ndjson: { directory: out }]\n",
    );
    let body = format!(
        "every: 1s\ntimeout: 900ms\nhttp: {}\nslo: {{ objective: 99% }}\nalerts: {{ ticket: r }}",
        server.url("/")
    );
    project.scenario("tick", &body);
    let serving = project.serve();
    serving.api().until_events("verdict=good", 1);
    let rules = read("deploy/prometheus/prober.rules.yml");
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = rules
        .lines()
        .filter(|line| !line.trim().starts_with('#'))
        .flat_map(|line| line.split(|letter| !is_part(letter)));
    let asked: BTreeSet<&str> =
        words.filter(|word| word.starts_with("prober_") || word.starts_with("process_")).collect();
    assert!(asked.len() > 12, "{asked:?}");
    // Some are there once an exporter has delivered; this one once a run was ineligible, which `distrust` shows.
    let missing = || {
        let page = serving.api().get("/metrics");
        let is_there = |metric: &str| page.lines().any(|line| line.starts_with(metric));
        asked.iter().copied().filter(|metric| !is_there(metric)).collect::<Vec<_>>()
    };
    wait::until_blocking("every metric but one", PATIENCE, || missing() == ["prober_run_ineligible_ratio"]);
}

#[test]
fn the_units_are_sound_and_shut_in() {
    for unit in ["prober", "prober-agent", "prober-hub"] {
        is_sound(&format!("deploy/systemd/{unit}.service"));
    }
}

fn is_sound(unit: &str) {
    let said = tool(&["systemd-analyze", "verify", unit], "apt-get install systemd");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    // The program and its pages are not installed here.
    let wrong: Vec<_> = said
        .lines()
        .filter(|line| !line.contains("/usr/bin/prober") && !line.contains("man prober"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    content(
        &["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", unit],
        "apt-get install systemd",
    );
}

#[test]
fn the_chart_fits_the_schemas_of_kubernetes_whatever_its_values() {
    let made = tempfile::tempdir().unwrap();
    // The chart with everything else than its own values.
    let script = r#"
import sys
from helm_python import chart
report = chart.lint("deploy/helm/prober")
assert not report["errors"], report
with chart.Chart.load("deploy/helm/prober") as one:
    values = {"existingConfigMap": "mine", "existingSecret": "keys", "id": "eu-1", "serviceMonitor": {"enabled": True, "labels": {"a": "b"}},
              "persistence": {"storageClass": "fast"}, "networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False},
              "nodeSelector": {"a": "b"}, "tolerations": [{"key": "x", "operator": "Exists"}], "podAnnotations": {"c": "d"},
              "imagePullSecrets": [{"name": "pull"}], "metrics": {"port": 9999}}
    made = "\n---\n".join(one.render(values, name="eu", namespace="m").values())
    for wanted in ["name: eu-prober", "listen 9999;", "name: mine", "secretName: keys", "kind: ServiceMonitor", "value: \"eu-1\""]:
        assert wanted in made, wanted
    assert "NetworkPolicy" not in made and "PodDisruptionBudget" not in made
    open(sys.argv[1], "w").write(made)
    for wrong in [{"replicas": 2}, {"metrics": {"port": 80}}, {"image": {"repository": ""}}]:
        try:
            one.validate_schema(wrong)
        except Exception:
            continue
        raise SystemExit(f"{wrong} is taken")
"#;
    let path = made.path().join("other.yaml");
    content(&["target/peers/bin/python3", "-c", script, path.to_str().unwrap()], "tests/run peers");
    python(&["kubernetes-validate", "--strict", path.to_str().unwrap()]);
}

#[test]
fn the_bill_of_materials_names_what_is_built_in() {
    let bill: Value =
        serde_json::from_str(&content(&["deploy/release/sbom"], "apt-get install python3")).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(bill["metadata"]["component"]["name"], "prober");
    let parts = bill["components"].as_array().unwrap();
    let has = |name: &str| parts.iter().any(|part| part["name"] == name);
    for name in ["tokio", "rustls", "prober-store", "libsqlite3-sys"] {
        assert!(has(name), "{name} is built in");
    }
    for name in ["assert_cmd", "prober-testkit", "insta", "cc"] {
        assert!(!has(name), "{name} is not built in");
    }
    let foreign: Vec<_> =
        parts.iter().filter(|part| !part["name"].as_str().unwrap().starts_with("prober-")).collect();
    assert!(
        foreign.iter().all(|part| part["hashes"][0]["content"].as_str().is_some_and(|sum| sum.len() == 64))
    );
    assert!(foreign.iter().all(|part| part["licenses"][0]["expression"].is_string()));
    let listed = content(&["deploy/release/licences"], "apt-get install python3");
    assert_eq!(listed.lines().count(), parts.len() + 1);
}

/// The proxy beside the prober in a pod lets out what Prometheus needs, and nothing else.
#[test]
fn a_pod_lets_out_metrics_and_health_and_nothing_else() {
    let server = Server::start();
    let project = ticking(&server);
    let serving = project.serve();
    serving.api().until_events("verdict=good", 1);
    let pages = serving.api().0;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = read("deploy/helm/prober/files/nginx.conf");
    let own = project.dir().to_str().unwrap();
    let settings = settings
        .replace("METRICS_PORT", &free.to_string())
        .replace("127.0.0.1:9899", &pages.to_string())
        .replace("/tmp/", &format!("{own}/nginx-"));
    project.write("nginx.conf", &settings);
    let mut nginx = Command::new("setpriv");
    // One process: a worker would outlive the one that is killed.
    let alone = "daemon off; master_process off;";
    nginx.args(["--pdeathsig", "TERM", "nginx", "-e", "/dev/null", "-g", alone, "-c"]);
    let mut nginx = nginx.arg(project.path("nginx.conf")).spawn().expect("apt-get install nginx-light");
    let answer = |path: &str| testkit::client::get(free, path).map(|answer| (answer.status, answer.body));
    wait::until_blocking("the proxy", PATIENCE, || {
        answer("/healthz").is_some_and(|(status, _)| status == 200)
    });
    assert!(answer("/metrics").unwrap().1.contains("prober_build_info"));
    assert_eq!(answer("/readyz").unwrap().0, 200);
    for path in ["/", "/api/v1/events", "/probe", "/metricsx", "/api/v1/account", "/metrics/../api/v1/events"]
    {
        assert_eq!(answer(path).unwrap().0, 404, "{path}");
    }
    let post = format!("POST /healthz HTTP/1.0\r\nHost: {free}\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(testkit::client::request(free, &post).unwrap().status, 403);
    nginx.kill().unwrap();
    nginx.wait().unwrap();
}

#[test]
fn secrets_come_from_the_folder_of_credentials() {
    let server = Server::start();
    server.on_request("/", |seen| {
        let is_right = seen.header("authorization") == Some("Bearer open-sesame");
        if is_right { Reply::ok("in") } else { Reply::status(401) }
    });
    let body = format!("http: {{ url: {}, auth: {{ bearer: \"${{secrets.token}}\" }} }}", server.url("/"));
    let mut project = Project::with("secrets: { token: { file: secrets_token } }\n", &[("signed-in", body)]);
    let away = project.prober(&["run", "-q"]);
    assert_eq!(away.code, Some(3), "{away:?}");
    // systemd hands each file of a folder over as FOLDER_FILE, readable by the service alone.
    project.write("credentials/secrets_token", "open-sesame\n");
    let folder = project.path("credentials").to_str().unwrap().to_owned();
    project.env("CREDENTIALS_DIRECTORY", &folder);
    let ran = project.prober(&["run", "-q"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let seen = project.prober(&["doctor"]);
    assert!(
        seen.out.contains(&folder) && !(seen.out.clone() + &seen.err).contains("open-sesame"),
        "{seen:?}"
    );
}
