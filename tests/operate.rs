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
    nginx.args(["--pdeathsig", "TERM", "nginx", "-e", "/dev/null", "-g", "daemon off;", "-c"]);
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

/// How a command of the documentation is run by the tests.
enum Run {
    /// By this test, in a project that is served: arguments of the program, and the exit code.
    Prober(&'static [&'static str], i32),
    /// By this test: a path that is asked of the served project.
    Asked(&'static str),
    /// In a file that the test command runs, by these words in it.
    In(&'static str, &'static str),
    /// By nobody here, as it wants what no test machine has; the words stand in this file, which is looked at.
    Not(&'static str, &'static str),
}

/// Every command of `deploy/README.md`.
const COMMANDS: &[(&str, Run)] = &[
    ("apt install ./prober.deb", Run::In("deploy/deb/check", "inside dpkg -i /1.deb")),
    ("apt install ./prober_NEW.deb", Run::In("deploy/deb/check", "inside dpkg --force-confold -i /2.deb")),
    ("cargo bench", Run::In("tests/run", "cargo bench --profile dev")),
    ("curl http://127.0.0.1:9899/api/v1/account", Run::Asked("/api/v1/account")),
    ("curl http://127.0.0.1:9899/healthz", Run::Asked("/healthz")),
    ("deploy/backup", Run::In("deploy/check", "quiet deploy/backup")),
    (
        "deploy/backup /var/lib/prober /backup/prober-2026-01-01",
        Run::In("deploy/check", "quiet deploy/backup"),
    ),
    ("deploy/deb/build", Run::In("deploy/deb/check", "deploy/deb/build --fast")),
    (
        "docker compose --file deploy/container/compose.yaml up --build --detach",
        Run::In("deploy/check", "--file deploy/container/compose.yaml config"),
    ),
    ("editor /etc/prober/prober.yaml", Run::In("deploy/deb/check", "$root/etc/prober/prober.yaml")),
    (
        "helm install prober deploy/helm/prober --namespace prober --values values.yaml",
        Run::In("deploy/kubernetes/render", "helm"),
    ),
    ("journalctl -u prober -n 100", Run::Not("deploy/systemd/prober.service", "journalctl -u prober")),
    (
        "journalctl -u prober | grep -E 'watchdog|oom'",
        Run::Not("deploy/systemd/prober.service", "journalctl -u prober"),
    ),
    ("kubectl port-forward", Run::Not("deploy/README.md", "kubectl port-forward")),
    ("prober -C /etc/prober doctor", Run::In("deploy/deb/check", "inside prober -C /etc/prober doctor")),
    ("prober -C /etc/prober validate", Run::In("deploy/deb/check", "inside prober -C /etc/prober validate")),
    ("prober alerts send --route NAME", Run::Prober(&["alerts", "send", "--route", "NAME"], 0)),
    ("prober doctor", Run::Prober(&["doctor"], 0)),
    ("prober events scenario=NAME", Run::Prober(&["events", "scenario=NAME"], 0)),
    ("prober events verdict=bad since=10m", Run::Prober(&["events", "verdict=bad", "since=10m"], 0)),
    (
        "prober events verdict=ineligible since=1h",
        Run::Prober(&["events", "verdict=ineligible", "since=1h"], 0),
    ),
    ("prober events verdict=missed since=1h", Run::Prober(&["events", "verdict=missed", "since=1h"], 0)),
    ("prober explain", Run::Prober(&["explain", "tick"], 0)),
    ("prober import blackbox", Run::Prober(&["import", "blackbox", "FILE"], 0)),
    (
        "prober import blackbox|gatus|curl|hurl|openapi|har|k8s-probe|heartbeat FILE --into DIR",
        Run::Prober(&["import", "blackbox", "FILE", "--into", "DIR"], 0),
    ),
    ("prober serve --help", Run::Prober(&["serve", "--help"], 0)),
    ("prober validate", Run::Prober(&["validate"], 0)),
    ("systemctl edit prober", Run::Not("deploy/systemd/prober.service", "systemctl edit prober")),
    ("systemctl enable --now prober", Run::Not("deploy/systemd/prober.service", "WantedBy=")),
    ("systemctl reload prober", Run::Not("deploy/systemd/prober.service", "ExecReload=")),
    ("systemctl restart prober", Run::Not("deploy/systemd/prober.service", "ExecStart=")),
    ("systemctl status prober", Run::Not("deploy/systemd/prober.service", "Description=")),
];

/// The commands in blocks of a shell, and those that stand in a sentence.
fn commands_of(text: &str) -> BTreeSet<String> {
    let (mut found, mut in_block) = (BTreeSet::new(), false);
    let programs = [
        "apt",
        "cargo",
        "curl",
        "deploy/backup",
        "deploy/deb/build",
        "docker",
        "editor",
        "helm",
        "journalctl",
        "kubectl",
        "prober",
        "systemctl",
    ];
    let is_command = |text: &str| {
        let mut words = text.split(' ');
        let first = words.next().unwrap_or_default();
        programs.contains(&first) && (first.contains('/') || words.next().is_some())
    };
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = line == "```sh";
        } else if in_block {
            found.insert(line.split(" # ").next().unwrap_or_default().trim().to_owned());
        } else {
            let spans = line.split('`').skip(1).step_by(2).map(str::to_owned);
            found.extend(spans.filter(|text| is_command(text)));
        }
    }
    found
}

#[test]
fn every_command_of_the_documentation_is_run() {
    let written = commands_of(&read("deploy/README.md"));
    let known: BTreeSet<String> = COMMANDS.iter().map(|(text, _)| (*text).to_owned()).collect();
    assert_eq!(written, known, "the commands of deploy/README.md, and those of the table above");
    let server = Server::start();
    server.on("/hook", Reply::ok(""));
    let project = ticking(&server);
    let route = format!("routes: {{ NAME: {{ webhook: {{ url: \"{}\" }} }} }}\n", server.url("/hook"));
    let whole = fs::read_to_string(project.path("prober.yaml")).unwrap();
    project.write("prober.yaml", &(whole + &route));
    project.write("FILE", "modules: { http_2xx: { prober: http } }\n");
    let serving = project.serve();
    serving.api().until_events("verdict=good", 1);
    for (text, run) in COMMANDS {
        match run {
            Run::Prober(args, code) => {
                let ran = project.prober(args);
                assert_eq!(ran.code, Some(*code), "{text}: {ran:?}");
            }
            Run::Asked(path) => {
                let answer = testkit::client::get(serving.api().0, path);
                assert_eq!(answer.map(|answer| answer.status), Some(200), "{text}");
            }
            Run::In(file, words) | Run::Not(file, words) => {
                assert!(read(file).contains(words), "{text}: {file} does not run {words:?} any more");
            }
        }
    }
    assert_eq!(serving.stop().0, Some(0));
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
