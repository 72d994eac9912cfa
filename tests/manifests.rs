//! What the compose files and the chart tell the program, it understands; and the fleet of the compose files is run, with the
//! program in place of its containers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;
use testkit::servers::ConfiguredNats;
use testkit::wait;

use crate::support::{Project, Serving, alone, move_ports, text};

/// How long anything of a fleet may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(4);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a tool out of the tests' Python packages writes, which is JSON.
fn json_of(words: &[&str]) -> Value {
    let tool = root().join("target/peers/bin").join(words[0]);
    let done = Command::new(tool).args(&words[1..]).current_dir(root()).output().expect("tests/run peers");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// A container with our program in it.
#[derive(Clone, Debug)]
struct Told {
    /// Where it stands.
    place: String,
    /// What the program is told, by the container and by its health checks.
    commands: Vec<Vec<String>>,
    env: BTreeMap<String, String>,
    /// The folders that are mounted, and what is mounted there.
    mounts: BTreeMap<String, String>,
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// What the image sets.
fn env_of_image() -> BTreeMap<String, String> {
    let file = fs::read_to_string(root().join("deploy/container/Dockerfile")).unwrap();
    let set = Regex::new(r"(?m)^(?:ENV|   ) *([A-Z_]+)=(\S+)").unwrap();
    let set = set.captures_iter(&file).map(|found| (found[1].to_owned(), found[2].to_owned()));
    let set: BTreeMap<_, _> = set.collect();
    assert_eq!(set["PROBER_DATA"], "/data", "{set:?}");
    set
}

fn compose() -> Value {
    json_of(&[
        "docker-compose",
        "--file",
        "deploy/container/compose.yaml",
        "--file",
        "deploy/container/fleet.yaml",
        "config",
        "--format",
        "json",
    ])
}

fn of_compose(whole: &Value) -> Vec<Told> {
    let services = whole["services"].as_object().unwrap();
    let ours = services.iter().filter(|(_, service)| service["image"] == "prober:local");
    ours.map(|(name, service)| {
        let command = words(&service["command"]);
        let mut env = env_of_image();
        for (name, value) in service["environment"].as_object().into_iter().flatten() {
            env.insert(name.clone(), value.as_str().unwrap().to_owned());
        }
        let mounts = service["volumes"].as_array().into_iter().flatten();
        let mounts = mounts.map(|one| (text(one, "target").to_owned(), text(one, "source").to_owned()));
        Told {
            place: format!("compose: {name}"),
            commands: vec![if command.is_empty() { vec!["serve".to_owned()] } else { command }],
            env,
            mounts: mounts.collect(),
        }
    })
    .collect()
}

/// The chart as one prober, with a repository, and as a fleet.
const CHART: &str = r#"
import json, yaml
from helm_python import chart
fleet = {"enabled": True, "existingSecret": "fleet", "ca": True, "hubs": 2, "push": {"enabled": True, "existingSecret": "push"},
         "regions": {"eu": {"agents": 2, "nodeSelector": {"zone": "eu"}}, "us_west": {}}}
git = {"repository": "git@git.example:team/scenarios", "folder": "shop", "image": "git-sync:v4", "existingSecret": "git"}
made = []
with chart.Chart.load("deploy/helm/prober") as one:
    for values in [{}, {"git": git, "existingSecret": "keys"}, {"fleet": fleet, "existingSecret": "keys", "serviceMonitor": {"enabled": True}}]:
        for text in one.render(values, name="shop", namespace="m").values():
            made += [part for part in yaml.safe_load_all(text) if part]
    for wrong, why in [({"fleet": fleet, "git": git}, "leave git.repository empty"), ({"fleet": {"enabled": True, "regions": {"eu": {}}}}, "fleet.existingSecret"),
                       ({"git": {"repository": "x"}}, "git.image"), ({"fleet": {"regions": {"e u": {}}}}, "does not match pattern")]:
        try:
            one.render(wrong, name="shop", namespace="m")
        except Exception as error:
            assert why in str(error), (wrong, error)
            continue
        raise SystemExit(f"{wrong} is taken")
print(json.dumps(made))
"#;

fn of_chart(documents: &Value) -> Vec<Told> {
    let mut all = Vec::new();
    for document in documents.as_array().unwrap() {
        let pod = &document["spec"]["template"]["spec"];
        for container in pod["containers"].as_array().into_iter().flatten() {
            if !text(container, "image").starts_with("prober:") {
                continue;
            }
            let probes =
                ["startupProbe", "livenessProbe"].map(|probe| words(&container[probe]["exec"]["command"]));
            let probes = probes.into_iter().filter(|words| !words.is_empty()).map(|words| {
                assert_eq!(words[0], "prober");
                words[1..].to_vec()
            });
            let mut env = env_of_image();
            for one in container["env"].as_array().into_iter().flatten() {
                env.insert(text(one, "name").to_owned(), text(one, "value").to_owned());
            }
            let mounts = container["volumeMounts"].as_array().unwrap().iter();
            let mounts = mounts.map(|one| (text(one, "mountPath").to_owned(), text(one, "name").to_owned()));
            all.push(Told {
                place: format!("chart: {}", document["metadata"]["name"]),
                commands: std::iter::once(words(&container["args"])).chain(probes).collect(),
                env,
                mounts: mounts.collect(),
            });
        }
    }
    all
}

#[test]
fn what_the_files_tell_the_program_it_understands() {
    let project = Project::new("");
    let documents = json_of(&["python3", "-c", CHART]);
    let all = [of_compose(&compose()), of_chart(&documents)].concat();
    let places: BTreeSet<&str> = all.iter().map(|one| one.place.as_str()).collect();
    assert!(places.len() >= 10, "{places:?}");
    for Told { place, commands, env, mounts } in &all {
        let mut known = String::from("PROBER_LOG]");
        for command in commands {
            // What is wrong before `--help` is told before it.
            let args: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
            let ran = project.prober(&args);
            assert_eq!(ran.code, Some(0), "{place}: {args:?}: {ran:?}");
            known += &ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        for (name, value) in env {
            let is_known = known.contains(&format!("[env: {name}"))
                || ["PROBER_LOG", "CREDENTIALS_DIRECTORY"].contains(&&**name);
            // What the image sets for `serve` means nothing to some commands.
            assert!(is_known || env_of_image().get(name) == Some(value), "{place}: nobody reads {name}");
        }
        let own = commands[0]
            .iter()
            .chain(env.iter().filter(|(name, _)| *name != "CREDENTIALS_DIRECTORY").map(|(_, value)| value));
        for path in own.filter(|word| word.starts_with('/')) {
            let is_there = mounts.keys().any(|mount| Path::new(path).starts_with(mount));
            let of_image = env_of_image().values().any(|value| value == path) && commands[0][0] != "serve";
            assert!(is_there || of_image, "{place}: nothing is mounted at {path}: {mounts:?}");
        }
    }
    one_selects_the_other(&documents);
}

/// Every budget finds pods, every volume that is mounted is one of the pod's.
fn one_selects_the_other(documents: &Value) {
    let of_kind =
        |kind: &'static str| documents.as_array().unwrap().iter().filter(move |one| one["kind"] == kind);
    let labels: Vec<_> =
        of_kind("StatefulSet").map(|one| one["spec"]["template"]["metadata"]["labels"].clone()).collect();
    for kind in ["PodDisruptionBudget", "StatefulSet"] {
        for one in of_kind(kind) {
            let wanted = one["spec"]["selector"]["matchLabels"].as_object().unwrap();
            let fits = |labels: &&Value| wanted.iter().all(|(name, value)| labels[name] == *value);
            assert!(
                labels.iter().any(|labels| fits(&labels)),
                "{kind} {} finds no pod",
                one["metadata"]["name"]
            );
        }
    }
    for one in of_kind("StatefulSet").chain(of_kind("Job")) {
        let pod = &one["spec"]["template"]["spec"];
        let claims = one["spec"]["volumeClaimTemplates"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|claim| &claim["metadata"]["name"]);
        let there: BTreeSet<_> = pod["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|volume| &volume["name"])
            .chain(claims)
            .map(Value::to_string)
            .collect();
        for container in ["containers", "initContainers"]
            .iter()
            .flat_map(|kind| pod[*kind].as_array().into_iter().flatten())
        {
            for mount in container["volumeMounts"].as_array().into_iter().flatten() {
                assert!(there.contains(&mount["name"].to_string()), "{}: {mount}", one["metadata"]["name"]);
            }
        }
    }
}

/// A service of the compose files, on this machine: mounted folders are folders of the project, and ports are free ones.
struct Here<'a> {
    project: &'a Project,
    all: &'a [Told],
}

impl Here<'_> {
    fn service(&self, name: &str) -> &Told {
        self.all.iter().find(|one| one.place == format!("compose: {name}")).unwrap()
    }

    /// The folder of this machine that stands at a path of the service.
    fn folder(&self, told: &Told, path: &str) -> PathBuf {
        let found = told.mounts.iter().find_map(|(target, source)| {
            let below = Path::new(path).strip_prefix(target).ok()?;
            Some(
                self.project
                    .path(&format!("volumes/{}", Path::new(source).file_name()?.to_str()?))
                    .join(below),
            )
        });
        found.unwrap_or_else(|| self.project.path("nowhere"))
    }

    fn word(&self, told: &Told, word: &str) -> String {
        match word {
            path if path.starts_with('/') => self.folder(told, path).to_str().unwrap().to_owned(),
            listen if listen.starts_with("127.0.0.1:") => "127.0.0.1:0".to_owned(),
            other => other.to_owned(),
        }
    }

    fn start(&self, name: &str) -> Serving {
        let told = self.service(name);
        let args: Vec<String> = told.commands[0].iter().map(|word| self.word(told, word)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let env: Vec<_> =
            told.env.iter().map(|(name, value)| (name.clone(), self.word(told, value))).collect();
        Serving::start(self.project.dir(), &args, &env)
    }

    fn ends_well(&self, name: &str) {
        let mut running = self.start(name);
        assert_eq!(running.end().code(), Some(0), "{name}: {}", running.err());
    }
}

#[test]
fn the_fleet_of_the_compose_files_runs() {
    let _turn = alone();
    let project = Project::new("");
    let whole = compose();
    let here = Here { project: &project, all: &of_compose(&whole) };
    for folder in ["fleet", "hub", "agent-eu", "agent-us"] {
        fs::create_dir_all(project.path(&format!("volumes/{folder}"))).unwrap();
    }
    here.ends_well("fleet-init");
    let [port, monitor] = [(); 2].map(|()| wait::free_port());
    move_ports(&project, "volumes/fleet/fleet/nats/n1.conf", &[(4222, port), (8222, monitor)]);
    for login in fs::read_dir(project.path("volumes/fleet/fleet/login")).unwrap() {
        let path = login.unwrap().path();
        let text = fs::read_to_string(&path).unwrap().replace(":4222", &format!(":{port}"));
        fs::write(&path, text).unwrap();
    }
    let nats = &whole["services"]["nats"];
    assert_eq!(
        (words(&nats["command"]), text(nats, "working_dir")),
        (vec!["--config".to_owned(), "n1.conf".to_owned()], "/run/fleet/fleet/nats")
    );
    let server = ConfiguredNats::start(
        &project.path("volumes/fleet/fleet/nats"),
        "n1.conf",
        ([127, 0, 0, 1], port).into(),
    );
    let _server = server.unwrap();
    // The files of the fleet lie beside what it writes: both folders are called alike.
    for file in ["prober.yaml", "scenarios/servers.yaml"] {
        let text = fs::read_to_string(root().join("deploy/container/fleet").join(file)).unwrap();
        project.write(&format!("volumes/fleet/{file}"), &text.replace(":8222", &format!(":{monitor}")));
    }
    here.ends_well("fleet-push");
    let hub = here.start("hub");
    let agents = ["agent-eu", "agent-us"].map(|name| here.start(name));
    let regions = || {
        let events = hub.api().events("verdict=good");
        events.iter().map(|event| text(event, "prober.region").to_owned()).collect::<BTreeSet<_>>()
    };
    wait::until_blocking("a good run in both regions", PATIENCE, || regions().len() == 2);
    for running in agents.into_iter().chain([hub]) {
        let (code, err) = running.stop();
        assert_eq!(code, Some(0), "{err}");
    }
}
