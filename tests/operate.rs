//! Operating it: what the service manager hears, a backup while it runs, and what is shipped under `deploy/`, looked at
//! by the tools that will read it.

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

use crate::support::{Project, text};

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
    let serving = project.serve();
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
    assert_eq!(serving.stop().0, Some(0));
    project.env("NOTIFY_SOCKET", "/nowhere/at/all");
    let refused = project.refused(&[]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err.contains("NOTIFY_SOCKET"), "{refused:?}");
}

#[test]
fn a_store_is_copied_while_it_is_written_and_the_account_goes_on_elsewhere() {
    let server = Server::start();
    let project = ticking(&server);
    let serving = project.serve();
    serving.api().until_events("verdict=good", 3);
    let (data, copy) = (project.path("prober-data"), project.path("copy"));
    let (data, copy) = (data.to_str().unwrap(), copy.to_str().unwrap());
    let before = serving.api().events("").len();
    content(&["deploy/backup", data, copy], "apt-get install sqlite3");
    let again = tool(&["deploy/backup", data, copy], "");
    assert_eq!(again.status.code(), Some(2), "nothing is overwritten: {again:?}");
    let wrong = tool(&["deploy/backup", project.dir().to_str().unwrap(), "target/never"], "");
    assert_eq!(wrong.status.code(), Some(2), "what is no store is refused: {wrong:?}");
    // The first one goes on, and is lost.
    serving.api().until_events("verdict=good", before + 2);
    serving.kill();
    let restored = project.serve_with(&["--data", "copy"]);
    let api = restored.api();
    let kept = api.events("").len();
    assert!(kept >= before, "{kept} of {before} events");
    api.until_events("verdict=good", kept + 2);
    let missed = api.events("verdict=missed");
    assert!(missed.iter().all(|event| text(event, "prober.verdict.reason") == "interrupted"), "{missed:#?}");
    let account = wait::some_blocking("an account of closed slots", PATIENCE, || {
        let account = api.json("/api/v1/account?until=2s");
        account["streams"].as_array().is_some_and(|streams| !streams.is_empty()).then_some(account)
    });
    assert_eq!(account["violations"], 0, "{account:#}");
    assert_eq!(restored.stop().0, Some(0));
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

#[test]
fn every_alert_of_the_prober_has_a_runbook_and_fires() {
    let rules = read("deploy/prometheus/prober.rules.yml");
    let alerts: BTreeSet<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 15, "{alerts:?}");
    let readme = read("deploy/README.md");
    let runbooks: BTreeSet<&str> = readme.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(alerts, runbooks, "an alert has a runbook, and a runbook an alert");
    for alert in &alerts {
        let link = format!("runbook_url: deploy/README.md#{}", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not name its runbook");
    }
    content(
        &["promtool", "check", "rules", "deploy/prometheus/prober.rules.yml"],
        "apt-get install prometheus",
    );
    let test = "deploy/prometheus/prober.rules.test.yml";
    content(&["promtool", "test", "rules", test], "apt-get install prometheus");
}

/// Every metric that the rules ask for is one that the prober has.
#[test]
fn the_rules_ask_for_metrics_that_there_are() {
    let server = Server::start();
    let mut project = ticking(&server);
    project.env("HOOK", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    project.write(
        "prober.yaml",
        "version: 1\nscenarios: [\"scenarios/*.yaml\"]\nnetwork: { private: allow }\nsecrets: { hook: { env: HOOK } }\nroutes: { r: { webhook: { url: \"http://127.0.0.1:9/\", secret: \"${secrets.hook}\" } } }\nexporters: { files: { ndjson: { path: out } } }\n",
    );
    let body = format!(
        "every: 1s\ntimeout: 900ms\nhttp: {}\nslo: {{ objective: 99% }}\nalerts: {{ ticket: r }}",
        server.url("/")
    );
    project.scenario("tick", &body);
    let serving = project.serve();
    serving.api().until_events("verdict=good", 1);
    let page = serving.api().get("/metrics");
    let rules = read("deploy/prometheus/prober.rules.yml");
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = rules
        .lines()
        .filter(|line| !line.trim().starts_with('#'))
        .flat_map(|line| line.split(|letter| !is_part(letter)));
    let asked: BTreeSet<&str> =
        words.filter(|word| word.starts_with("prober_") || word.starts_with("process_")).collect();
    assert!(asked.len() > 12, "{asked:?}");
    for metric in asked {
        assert!(page.lines().any(|line| line.starts_with(metric)), "{metric} is not on the page");
    }
}

#[test]
fn the_unit_is_sound_and_shut_in() {
    let unit = "deploy/systemd/prober.service";
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
fn the_container_and_compose_files_are_sound() {
    python(&["hadolint", "deploy/container/Dockerfile"]);
    python(&["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/container/compose.yaml"]);
    let shown =
        python(&["docker-compose", "--file", "deploy/container/compose.yaml", "config", "--format", "json"]);
    let whole: Value = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
    for (name, service) in whole["services"].as_object().unwrap() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        for volume in
            service["volumes"].as_array().into_iter().flatten().filter(|volume| volume["type"] == "bind")
        {
            let source = volume["source"].as_str().unwrap();
            assert!(Path::new(source).exists(), "{name} mounts {source}");
        }
    }
    // The files that Prometheus reads there, and the rules that the project gives today.
    let exported = Project::new("")
        .prober_in(root(), &["-C", "deploy/container/project", "slo", "export", "prometheus"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let rules = root().join("deploy/container/project.rules.yml");
    if fs::read_to_string(&rules).unwrap_or_default() != exported.out {
        fs::write(&rules, &exported.out).unwrap();
        panic!("{} was out of date and has been written anew: look at it and commit it", rules.display());
    }
    let place = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("deploy/container/prometheus.yml", "prometheus.yml"),
        ("deploy/container/project.rules.yml", "project.rules.yml"),
        ("deploy/prometheus/prober.rules.yml", "prober.rules.yml"),
    ] {
        fs::copy(root().join(from), place.path().join(to)).unwrap();
    }
    let settings = place.path().join("prometheus.yml");
    content(&["promtool", "check", "config", settings.to_str().unwrap()], "apt-get install prometheus");
}

#[test]
fn the_shipped_projects_have_no_mistake() {
    let project = Project::new("");
    for folder in ["deploy/container/project", "deploy/deb/etc"] {
        for args in [&["-C", folder, "validate"][..], &["fmt", "--check", folder]] {
            let ran = project.prober_in(root(), args);
            assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        }
    }
}

#[test]
fn manifests_and_chart_fit_the_schemas_of_kubernetes() {
    let made = tempfile::tempdir().unwrap();
    let path = made.path().join("prober.yaml");
    content(
        &["target/peers/bin/python3", "deploy/kubernetes/render", path.to_str().unwrap()],
        "tests/run peers",
    );
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        read("deploy/kubernetes/prober.yaml"),
        "deploy/kubernetes/render makes it anew"
    );
    for version in ["1.27", "1.37"] {
        python(&["kubernetes-validate", "--strict", "-k", version, "deploy/kubernetes/prober.yaml"]);
    }
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
fn pipelines_files_fit_their_schemas_and_the_script_gives_probers_codes() {
    for (schema, path) in [
        ("vendor.github-actions", "deploy/ci/action.yml"),
        ("vendor.github-workflows", "deploy/ci/example-workflow.yaml"),
        ("vendor.github-workflows", "deploy/release/workflow.yaml"),
    ] {
        python(&["check-jsonschema", "--builtin-schema", schema, path]);
    }
    python(&[
        "check-jsonschema",
        "--builtin-schema",
        "vendor.gitlab-ci",
        "--data-transform",
        "gitlab-ci",
        "deploy/ci/gitlab.yml",
    ]);
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let check = |project: &Project, what: &str, more: &[(&str, &str)]| {
        let mut command = Command::new(root().join("deploy/ci/check"));
        command.arg(what).current_dir(project.dir()).env_remove("CI").env_remove("GITHUB_ACTIONS");
        command.env("PROBER", env!("CARGO_BIN_EXE_prober")).env("WAIT_FOR", "1s").envs(more.iter().copied());
        command.output().unwrap().status.code()
    };
    let site = format!("--var=site={}\n\n", server.url("").trim_end_matches('/'));
    let project = Project::with(
        "vars: { site: \"http://127.0.0.1:9\" }\n",
        &[("home", "http: ${vars.site}/".to_owned())],
    );
    project.prober(&["fmt"]);
    assert_eq!(check(&project, "files", &[]), Some(0));
    assert_eq!(check(&project, "run", &[("ARGS", &site), ("REPORT", "out.xml")]), Some(0));
    assert!(fs::read_to_string(project.path("out.xml")).unwrap().contains("<testsuite"));
    assert_eq!(check(&project, "run", &[]), Some(1), "a target that is away is bad");
    project.write("scenarios/wrong.yaml", "name: wrong\n");
    assert_eq!(check(&project, "files", &[]), Some(2));
    assert_eq!(check(&project, "deploy", &[]), Some(2));
    assert_eq!(check(&project, "files", &[("PROBER", "not-there-at-all")]), Some(3));
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
