//! Every command of the documentation is run: those in blocks and those in sentences, of every page of the repository.
//!
//! [`COMMANDS`] says of each who runs it. A command that stands on a page and not there, or there and on no page, fails; so does
//! one whose file no longer has the words by which it is run. What cannot be run on a test's machine is `Not`, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use testkit::http::{Reply, Server};

use crate::support::Project;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// How a command is run by the tests.
enum Run {
    /// By this test, word for word, in a project that is served; and it ends well.
    Typed,
    /// The same in an empty folder.
    Fresh,
    /// By this test in the served project, with other words for what people put in, and this exit code.
    Prober(&'static [&'static str], i32),
    /// By this test: a path that is asked of the served project.
    Asked(&'static str),
    /// By `first_steps_are_typed` below, word for word.
    FirstSteps,
    /// By `fleet_walk`, which types the blocks of `deploy/nats/README.md` and stops at a command that it does not know.
    Walked,
    /// In a file that the test command runs, by these words in it.
    In(&'static str, &'static str),
    /// By nobody here, for a reason; what it relies on are these words in this file, which are looked for.
    Not(&'static str, &'static str, &'static str),
}

use Run::{Asked, FirstSteps, Fresh, In, Not, Prober, Typed, Walked};

/// Why something is run by nobody here.
const NO_SYSTEMD: &str = "no systemd runs here; the unit is verified, and the notify socket is a fake one";
const NO_DOCKER: &str =
    "no containers here; schemas look at the files, and the program is run in their place";
const NO_CLUSTER: &str = "no cluster here; schemas look at the manifests";

/// Every command of every page.
const COMMANDS: &[(&str, Run)] = &[
    // README.md
    ("cargo run --release -- demo", In("tests/demo_project.rs", "&[\"demo\", \"--listen\"")),
    ("tests/run", In("tests/run", "cargo test --workspace --locked")),
    (
        "target/release/prober -C demo events verdict=bad -n 3",
        In("tests/demo_project.rs", "\"-C\", \"demo\", \"events\", \"verdict=bad\""),
    ),
    (
        "target/release/prober -C demo run checkout",
        In("tests/demo_project.rs", "\"-C\", \"demo\", \"run\", \"checkout\""),
    ),
    ("prober init shop && cd shop", FirstSteps),
    ("$EDITOR prober.yaml", FirstSteps),
    ("prober validate", FirstSteps),
    ("prober run", FirstSteps),
    ("prober serve", In("tests/support.rs", "&[\"serve\", \"--listen\", \"127.0.0.1:0\"]")),
    (
        "prober run --label journey=purchase --var shop=$PREVIEW_URL --wait-for 60s --report junit=out.xml",
        Typed,
    ),
    ("prober explain E102", Typed),
    ("prober explain KIND", Prober(&["explain", "http"], 0)),
    ("cargo bench --bench closed_loop", In("tests/run", "cargo bench --profile dev")),
    ("cargo bench --bench open_loop", In("tests/run", "cargo bench --profile dev")),
    ("cargo bench --bench cost", In("tests/run", "cargo bench --profile dev")),
    ("cargo bench --bench pages", In("tests/run", "cargo bench --profile dev")),
    // README.md and deploy/nats/README.md
    ("prober fleet init", Walked),
    ("(cd fleet/nats && exec nats-server -c n1.conf) &", Walked),
    ("prober push --fleet fleet/login/push", Walked),
    ("prober hub --fleet fleet/login/hub --id hub-1 --data data/hub-1 --listen 127.0.0.1:9900 &", Walked),
    (
        "prober agent --region eu --fleet fleet/login/agent-eu --id eu-1 --data data/eu-1 --listen 127.0.0.1:9901 &",
        Walked,
    ),
    (
        "prober agent --region eu --fleet fleet/login/agent-eu --id eu-2 --data data/eu-2 --listen 127.0.0.1:9902 &",
        Walked,
    ),
    (
        "prober agent --region us --fleet fleet/login/agent-us --id us-1 --data data/us-1 --listen 127.0.0.1:9903 &",
        Walked,
    ),
    ("prober fleet status --fleet fleet/login/hub", Walked),
    ("prober diff --fleet fleet/login/push", Walked),
    ("prober push --fleet fleet/login/push --dry-run", Walked),
    ("prober push --fleet fleet/login/push --rollback 1", Walked),
    ("prober fleet init --region eu --region us", Fresh),
    (
        "prober fleet init --region eu --region us --host n1.example --host n2.example --host n3.example --tls-cert server.crt --tls-key server.key --tls-ca ca.crt",
        Fresh,
    ),
    ("prober fleet init --region eu --region us --leaf eu", Fresh),
    ("prober agent --region eu --fleet fleet/leaf-eu/login", In("tests/fleet_init.rs", "leaf-eu/login")),
    ("nats-server --signal reload", In("prober/testkit/servers/nats_config.rs", "\"--signal\"")),
    ("prober doctor --fleet fleet/login/hub", In("tests/fleet_push.rs", "&[\"doctor\", \"--fleet\"")),
    // deploy/README.md
    ("apt install ./prober.deb", In("deploy/deb/check", "inside dpkg -i /1.deb")),
    ("apt install ./prober_NEW.deb", In("deploy/deb/check", "inside dpkg --force-confold -i /2.deb")),
    ("cargo bench --bench fleet", In("tests/run", "cargo bench --profile dev")),
    ("cargo bench", In("tests/run", "cargo bench --profile dev")),
    ("curl http://127.0.0.1:9899/api/v1/account", Asked("/api/v1/account")),
    ("curl http://127.0.0.1:9899/healthz", Asked("/healthz")),
    ("deploy/backup", In("deploy/check", "quiet deploy/backup")),
    ("deploy/backup /var/lib/prober /backup/prober-2026-01-01", In("deploy/check", "quiet deploy/backup")),
    ("deploy/deb/build", In("deploy/deb/check", "deploy/deb/build --fast")),
    (
        "docker compose --file deploy/container/compose.yaml up --build --detach",
        Not(NO_DOCKER, "deploy/check", "--file deploy/container/compose.yaml config"),
    ),
    (
        "docker compose --file deploy/container/compose.yaml --file deploy/container/fleet.yaml up --build --detach",
        Not(NO_DOCKER, "tests/manifests.rs", "fn the_fleet_of_the_compose_files_runs"),
    ),
    ("editor /etc/prober/prober.yaml", In("deploy/deb/check", "$root/etc/prober/prober.yaml")),
    (
        "helm install prober deploy/helm/prober --namespace prober --values values.yaml",
        Not(NO_CLUSTER, "deploy/kubernetes/render", "loaded.render(values"),
    ),
    ("journalctl -u prober -n 100", Not(NO_SYSTEMD, "deploy/systemd/prober.service", "journalctl -u prober")),
    (
        "journalctl -u prober | grep -E 'watchdog|oom'",
        Not(NO_SYSTEMD, "deploy/systemd/prober.service", "journalctl -u prober"),
    ),
    ("kubectl port-forward", Not(NO_CLUSTER, "deploy/README.md", "kubectl port-forward")),
    ("prober -C /etc/prober doctor", In("deploy/deb/check", "inside prober -C /etc/prober doctor")),
    ("prober -C /etc/prober validate", In("deploy/deb/check", "inside prober -C /etc/prober validate")),
    ("prober alerts send --route NAME", Typed),
    ("prober doctor", Typed),
    ("prober events scenario=NAME", Typed),
    ("prober events verdict=bad since=10m", Typed),
    ("prober events verdict=ineligible since=1h", Typed),
    ("prober events verdict=missed since=1h", Typed),
    ("prober explain", Prober(&["explain", "NAME"], 0)),
    ("prober import blackbox", Prober(&["import", "blackbox", "FILE"], 0)),
    (
        "prober import blackbox|gatus|curl|hurl|openapi|har|k8s-probe|heartbeat FILE --into DIR",
        Prober(&["import", "blackbox", "FILE", "--into", "DIR"], 0),
    ),
    ("prober serve --help", Typed),
    (
        "apt install --allow-downgrades ./prober_OLD.deb",
        In("deploy/deb/check", "inside dpkg --force-confold -i /1.deb"),
    ),
    ("apt remove prober", In("deploy/deb/check", "inside dpkg --remove prober")),
    ("apt purge prober", In("deploy/deb/check", "inside dpkg --purge prober")),
    ("prober fleet status --fleet fleet/login/hub --strict", In("tests/fleet/whole.rs", "\"--strict\"")),
    (
        "rm -r /var/lib/prober/events /var/lib/prober/meta.db*",
        In("deploy/deb/check", "rm -r \"$data\"/events \"$data\"/meta.db*"),
    ),
    (
        "cp -r /backup/prober-2026-01-01/. /var/lib/prober",
        In("deploy/deb/check", "cp -r \"$PWD/$place/backup/.\" \"$data\""),
    ),
    (
        "ssh -L 9899:127.0.0.1:9899 HOST",
        Not("nobody signs in at a test's machine", "deploy/README.md", "ssh -L"),
    ),
    (
        "deploy/release/build --twice",
        Not(
            "a release takes a quarter of an hour",
            "deploy/release/workflow.yaml",
            "deploy/release/build --twice",
        ),
    ),
    (
        "cargo deny check advisories",
        Not("the database is a download", "deploy/release/workflow.yaml", "check advisories"),
    ),
    ("cargo audit", Not("the database is a download", "deploy/release/workflow.yaml", "check advisories")),
    ("systemctl start prober", Not(NO_SYSTEMD, "deploy/systemd/prober.service", "ExecStart=")),
    ("systemctl stop prober", Not(NO_SYSTEMD, "deploy/systemd/prober.service", "TimeoutStopSec=")),
    ("systemctl status prober-agent", Not(NO_SYSTEMD, "deploy/systemd/prober-agent.service", "Description=")),
    ("systemctl edit prober", Not(NO_SYSTEMD, "deploy/systemd/prober.service", "systemctl edit prober")),
    ("systemctl enable --now prober", Not(NO_SYSTEMD, "deploy/systemd/prober.service", "WantedBy=")),
    ("systemctl reload prober", Not(NO_SYSTEMD, "deploy/systemd/prober.service", "ExecReload=")),
    ("systemctl restart prober", Not(NO_SYSTEMD, "deploy/systemd/prober.service", "ExecStart=")),
    ("systemctl status prober", Not(NO_SYSTEMD, "deploy/systemd/prober.service", "Description=")),
    // deploy/prometheus, deploy/grafana, the demo
    ("prober slo export prometheus > prober.rules.yml", Typed),
    ("prober slo export prometheus", Typed),
    ("prober slo simulate", Prober(&["slo", "simulate", "NAME", "--trials", "20", "--months", "2"], 0)),
    ("prober demo", In("tests/demo_project.rs", "&[\"demo\", \"--listen\"")),
    ("prober slo", Typed),
];

/// Programs whose words in a sentence are a command, if there are more words than one or a `/` is in it.
const PROGRAMS: [&str; 18] = [
    "ssh",
    "deploy/release/build",
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
    "nats-server",
    "prober",
    "promtool",
    "sudo",
    "systemctl",
    "tests/run",
];

fn is_command(text: &str) -> bool {
    let mut words = text.split(' ');
    let first = words.next().unwrap_or_default();
    PROGRAMS.contains(&first) && (first.contains('/') || words.next().is_some())
}

/// The commands in blocks of a shell, those behind a prompt, and those that stand in a sentence.
fn commands_of(text: &str) -> BTreeSet<String> {
    let (mut found, mut block) = (BTreeSet::new(), None);
    for line in text.lines() {
        if let Some(kind) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(kind.to_owned()) };
            continue;
        }
        match block.as_deref() {
            Some("sh") => drop(found.insert(line.split(" #").next().unwrap_or_default().trim().to_owned())),
            Some("") => match line.strip_prefix("$ ") {
                Some(typed) => drop(found.insert(typed.to_owned())),
                None => assert!(!is_command(line), "a command in a block that is not of a shell: {line}"),
            },
            Some(_) => {}
            None => {
                found.extend(
                    line.split('`').skip(1).step_by(2).filter(|text| is_command(text)).map(str::to_owned),
                );
            }
        }
    }
    found.remove("");
    found
}

/// Every page of the repository, but the log of changes.
fn pages() -> Vec<String> {
    let (mut folders, mut pages) = (vec![root().to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") && name != "CHANGELOG.md" {
                pages.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    pages.sort();
    pages
}

#[test]
fn every_command_of_every_page_is_known() {
    let pages = pages();
    assert!(pages.len() >= 6, "{pages:?}");
    let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for page in pages {
        for command in commands_of(&read(&page)) {
            written.entry(command).or_default().push(page.clone());
        }
    }
    let known: BTreeSet<&str> = COMMANDS.iter().map(|(text, _)| *text).collect();
    assert_eq!(known.len(), COMMANDS.len(), "a command is there twice");
    let unknown: Vec<_> = written.iter().filter(|(command, _)| !known.contains(command.as_str())).collect();
    assert!(unknown.is_empty(), "nobody runs these: {unknown:#?}");
    let gone: Vec<_> = known.iter().filter(|command| !written.contains_key(**command)).collect();
    assert!(gone.is_empty(), "on no page: {gone:#?}");
    for (command, run) in COMMANDS {
        let pages = &written[*command];
        match run {
            Walked => assert!(pages.iter().any(|page| page == "deploy/nats/README.md"), "{command}"),
            FirstSteps => assert!(pages.iter().any(|page| page == "README.md"), "{command}"),
            _ => {}
        }
    }
}

/// A folder with the program in it under its own name.
fn path_with_program(project: &Project) -> String {
    let bin = project.path("bin");
    fs::create_dir_all(&bin).unwrap();
    if !bin.join("prober").exists() {
        symlink(env!("CARGO_BIN_EXE_prober"), bin.join("prober")).unwrap();
    }
    format!("{}:/usr/bin:/bin", bin.display())
}

/// Types a command into a shell: whether it ended well, and what it said.
fn typed(project: &Project, folder: &str, command: &str, env: &[(&str, &str)]) -> (bool, String) {
    fs::create_dir_all(project.path(folder)).unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-c", command]).current_dir(project.path(folder)).env_clear().stdin(Stdio::null());
    shell.env("PATH", path_with_program(project)).env("LC_ALL", "C.UTF-8").envs(env.iter().copied());
    let done = shell.output().unwrap();
    let said = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (done.status.success(), said.concat())
}

#[test]
fn commands_that_stand_alone_are_run() {
    let server = Server::start();
    server.on("/hook", Reply::ok(""));
    server.on("/", Reply::ok("x"));
    let project = Project::with(
        &format!(
            "vars: {{ shop: \"{}\" }}\nroutes: {{ NAME: {{ webhook: {{ url: \"{}\" }} }} }}\n",
            server.url("/"),
            server.url("/hook")
        ),
        &[(
            "NAME",
            "every: 1s\ntimeout: 900ms\nlabels: { journey: purchase }\nslo: { objective: 99% }\nhttp: ${vars.shop}".to_owned(),
        )],
    );
    project.write("FILE", "modules: { http_2xx: { prober: http } }\n");
    let serving = project.serve();
    serving.api().until_events("verdict=good", 1);
    let preview = server.url("/");
    for (number, (text, run)) in COMMANDS.iter().enumerate() {
        match run {
            Typed | Fresh => {
                let folder = if matches!(run, Typed) { ".".to_owned() } else { format!("fresh-{number}") };
                let (is_good, said) = typed(&project, &folder, text, &[("PREVIEW_URL", &preview)]);
                assert!(is_good, "{text}: {said}");
            }
            Prober(args, code) => {
                let ran = project.prober(args);
                assert_eq!(ran.code, Some(*code), "{text}: {ran:?}");
            }
            Asked(path) => {
                let answer = testkit::client::get(serving.api().0, path);
                assert_eq!(answer.map(|answer| answer.status), Some(200), "{text}");
            }
            In(file, words) => {
                assert!(read(file).contains(words), "{text}: {file} does not run {words:?} any more");
            }
            Not(why, file, words) => {
                assert!(read(file).contains(words), "{text}, not run: {why}; {file} lacks {words:?}");
            }
            FirstSteps | Walked => {}
        }
    }
    assert_eq!(serving.stop().0, Some(0));
}

/// The first block of README.md about a system of one's own, in one shell, by somebody whose editor makes the one change.
#[test]
fn first_steps_are_typed() {
    let server = Server::start();
    server.on("/", Reply::ok("x"));
    let project = Project::new("");
    let editor = project.path("editor");
    let script = format!(
        "#!/bin/sh\nsed -i 's|https://example.com |{} |; s|^# network: .*|network: {{ private: allow }}|' \"$1\"\n",
        server.url("").trim_end_matches('/')
    );
    fs::write(&editor, script).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let page = read("README.md");
    let block = page.split("```sh\n").find(|block| block.starts_with("prober init shop")).unwrap();
    let block = block.split("```").next().unwrap();
    let lines = block.lines().map(|line| line.split(" #").next().unwrap().trim());
    // The last one stays: every other test serves.
    let steps: Vec<&str> = lines.filter(|line| *line != "prober serve").collect();
    assert_eq!(steps.len(), 4, "{steps:?}");
    for step in &steps {
        let is_known = COMMANDS.iter().any(|(text, run)| text == step && matches!(run, FirstSteps));
        assert!(is_known, "{step}");
    }
    let (is_good, said) =
        typed(&project, "empty", &steps.join(" && "), &[("EDITOR", editor.to_str().unwrap())]);
    assert!(is_good, "{said}");
    assert_eq!(server.requests(), 1, "{said}");
}
