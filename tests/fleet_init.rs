//! `prober fleet init`: what it writes is taken by a real server, kept from others, and kept when it is given again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use testkit::pki::{Flaw, Pki};
use testkit::servers::{NatsLine, nats_server};

use crate::support::{Broker, Project, Ran};

/// Whether a real server takes the configuration `name` in `folder`.
fn is_taken(folder: &Path, name: &str) {
    let ran = Command::new(nats_server()).args(["-t", "-c", name]).current_dir(folder).output().unwrap();
    assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn project() -> Project {
    let project = Project::new("regions: { eu: , us: }\n");
    project.scenario("home", "http: https://shop.example/\n");
    project
}

fn init(project: &Project, arguments: &[&str]) -> Ran {
    let ran = project.prober(&[&["fleet", "init"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

const THREE: [&str; 6] = ["--host", "n1.example", "--host", "n2.example", "--host", "n3.example"];
const TLS: [&str; 6] = ["--tls-cert", "server.crt", "--tls-key", "server.key", "--tls-ca", "ca.crt"];

#[test]
fn a_real_server_takes_what_is_written() {
    let project = project();
    init(&project, &["one"]);
    is_taken(&project.path("one/nats"), "n1.conf");
    init(&project, &[&["three"][..], &THREE, &TLS].concat());
    let pki = Pki::new();
    let identity = pki.identity(&["n1.example"], Flaw::None);
    for (name, file) in [
        ("server.crt", &identity.cert_file),
        ("server.key", &identity.key_file),
        ("ca.crt", &pki.root_file()),
    ] {
        fs::copy(file, project.path("three/nats").join(name)).unwrap();
    }
    for name in ["n1.conf", "n2.conf", "n3.conf"] {
        is_taken(&project.path("three/nats"), name);
    }
    init(&project, &["leaf", "--leaf", "eu"]);
    is_taken(&project.path("leaf/nats"), "n1.conf");
    is_taken(&project.path("leaf/leaf-eu"), "leaf.conf");
    for name in ["leaf.conf", "login"] {
        assert_eq!(mode(&project.path("leaf/leaf-eu").join(name)), 0o600, "{name}");
    }
}

/// What is shipped is what is written: a change of one is a change of the other.
#[test]
fn the_shipped_files_are_those_that_are_written() {
    let project = project();
    init(&project, &["one"]);
    init(&project, &[&["three"][..], &THREE, &TLS].concat());
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nats");
    for name in ["one/n1.conf", "three/n1.conf", "three/n2.conf", "three/n3.conf"] {
        let (folder, file) = name.split_once('/').unwrap();
        let written = fs::read_to_string(project.path(folder).join("nats").join(file)).unwrap();
        assert_eq!(fs::read_to_string(shipped.join(name)).unwrap_or_default(), written, "deploy/nats/{name}");
    }
    init(&project, &["leaf", "--leaf", "eu"]);
    let login = fs::read_to_string(project.path("leaf/leaf-eu/login")).unwrap();
    let password = login.split(['@', ':']).nth(2).unwrap();
    for (written, name) in [("nats/n1.conf", "n1.conf"), ("leaf-eu/leaf.conf", "leaf.conf")] {
        let text = fs::read_to_string(project.path("leaf").join(written)).unwrap();
        let text = text.replace(password, "PASSWORD");
        assert_eq!(fs::read_to_string(shipped.join("leaf").join(name)).unwrap_or_default(), text, "{name}");
    }
}

#[test]
fn secrets_are_the_owners_alone_and_never_shown() {
    let project = project();
    let ran = init(&project, &["fleet"]);
    for name in
        ["set-key.pem", "nats/users.conf", "login/agent-eu", "login/agent-us", "login/hub", "login/push"]
    {
        assert_eq!(mode(&project.path("fleet").join(name)), 0o600, "{name}");
    }
    for name in ["trusted-keys", "nats/n1.conf"] {
        assert_eq!(mode(&project.path("fleet").join(name)), 0o644, "{name}");
    }
    let login = fs::read_to_string(project.path("fleet/login/hub")).unwrap();
    let password = login.split(['@', ':']).nth(2).unwrap();
    assert!(password.len() >= 40, "a password of {} letters", password.len());
    assert!(!ran.out.contains(password) && !ran.err.contains(password), "{ran:?}");
    // And a repository does not take them.
    init(&project, &["fleet", "--leaf", "eu"]);
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        let ran = git.args(words).current_dir(project.dir()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        String::from_utf8(ran.output().expect("git is missing: apt-get install git").stdout).unwrap()
    };
    git(&["init", "--quiet"]);
    let listed = git(&["ls-files", "--others", "--exclude-standard", "fleet"]);
    assert_eq!(
        listed.lines().collect::<Vec<_>>(),
        ["fleet/.gitignore", "fleet/nats/n1.conf", "fleet/trusted-keys"]
    );
    let trusted = fs::read_to_string(project.path("fleet/trusted-keys")).unwrap();
    assert!(trusted.contains("prober-set-key "), "{trusted}");
}

#[test]
fn what_is_there_stays_and_a_region_more_is_added() {
    let project = project();
    init(&project, &[]);
    let read = |name: &str| fs::read_to_string(project.path("fleet").join(name)).unwrap();
    let (key, hub, agent) = (read("set-key.pem"), read("login/hub"), read("login/agent-eu"));
    let ran = init(&project, &["--region", "ap"]);
    assert_eq!((read("set-key.pem"), read("login/hub"), read("login/agent-eu")), (key, hub, agent));
    let users = read("nats/users.conf");
    for user in ["agent-ap", "agent-eu", "agent-us", "hub", "push"] {
        assert!(users.contains(&format!("user: \"{user}\"")), "{user} is not in {users}");
    }
    assert!(
        ran.err.contains("made fleet/login/agent-ap") && ran.err.contains("kept fleet/login/hub"),
        "{ran:?}"
    );
    is_taken(&project.path("fleet/nats"), "n1.conf");
    // Servers elsewhere: what is there is not changed, but neither is that hidden.
    let ran = init(&project, &["--host", "127.0.0.1:4333"]);
    for name in ["login/hub", "nats/n1.conf"] {
        assert!(ran.err.contains(&format!("kept fleet/{name}, which would be another one now")), "{ran:?}");
    }
    // Another key than the one that is believed.
    project.remove("fleet/set-key.pem");
    let ran = project.prober(&["fleet", "init"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("add the line\n  prober-set-key "), "{ran:?}");
}

#[test]
fn what_would_be_unsafe_or_wrong_is_refused() {
    let project = project();
    let check = |arguments: &[&str], expected: &str| {
        let ran = project.prober(&[&["fleet", "init"], arguments].concat());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(expected), "{ran:?}");
    };
    check(&["--host", "n1.example"], "a server that others can reach speaks TLS");
    check(&["--host", "10.0.0.1:4222"], "a server that others can reach speaks TLS");
    check(&["--host", "127.0.0.1", "--host", "127.0.0.2"], "2 servers cannot outvote each other");
    check(&["--host", "n1\"; include x"], "write HOST or HOST:PORT");
    check(&["--region", "e.u"], "region `e.u` cannot be in a fleet");
    check(&["--region", "_all"], "region `_all` cannot be in a fleet");
    check(&["--leaf", "e.u"], "region `e.u` cannot be in a fleet");
    check(&["--leaf", "eu=10.0.0.1"], "--leaf 10.0.0.1: a server that others can reach speaks TLS");
    check(&["--tls-cert", "a.crt"], "--tls-key");
    check(
        &[&THREE[..], &["--tls-cert", "a\"b", "--tls-key", "k", "--tls-ca", "c"]].concat(),
        "cannot stand in a server's configuration",
    );
    project.write("fleet/login/hub", "nats://hub:\"} evil\"@127.0.0.1:4222\n");
    check(&[], "is no login of `hub`");
}

fn log_in(broker: &Broker, user: &str) -> NatsLine {
    let login = broker.login(user);
    let password = login.split(['@', ':']).nth(2).unwrap();
    broker.server.log_in(user, password).unwrap()
}

/// What no login may publish to.
const EVERYWHERE: [&str; 8] = [
    "$JS.API.STREAM.DELETE.SLI",
    "$JS.API.STREAM.PURGE.KV_cfg",
    "$JS.API.STREAM.MSG.DELETE.SLI",
    "$JS.API.STREAM.MSG.GET.KV_cfg",
    "$JS.API.DIRECT.GET.KV_cfg",
    "$JS.API.STREAM.CREATE.other",
    "$SYS.REQ.SERVER.PING",
    "_INBOX_hub.x.y",
];

/// What the login of region eu may not publish to.
const FOREIGN: [&str; 20] = [
    "sli.us.1.0",
    "beat.us",
    "$KV.members.us.oslo-1",
    "$KV.own.us.1.0",
    "$KV.cfg.eu.manifest",
    "$KV.cfg.us.manifest",
    "$KV.conf.eu.berlin-1",
    "$JS.API.DIRECT.GET.KV_cfg.$KV.cfg.us.manifest",
    "$JS.API.DIRECT.GET.KV_cfg.$KV.cfg._all.manifest",
    "$JS.API.CONSUMER.CREATE.KV_cfg.x.$KV.cfg.>",
    "$JS.API.CONSUMER.CREATE.KV_cfg.x.$KV.cfg.us.>",
    "$JS.API.CONSUMER.CREATE.KV_cfg.x",
    "$JS.API.CONSUMER.CREATE.SLI.x",
    "$JS.API.CONSUMER.CREATE.SLI.x.sli.eu.>",
    "$JS.API.STREAM.CREATE.SLI",
    "$JS.fleet.API.DIRECT.GET.KV_cfg.$KV.cfg.us.manifest",
    "$JS.fleet.API.CONSUMER.CREATE.SLI.x",
    "$JS.fleet.API.$KV.cfg.eu.manifest",
    "$JS.fleet.API.$KV.own.us.1.0",
    "$JS.fleet.API.STREAM.DELETE.SLI",
];

/// What it may not hear.
const UNHEARD: [&str; 9] =
    [">", "sli.>", "sli.eu.>", "beat.*", "beat.us", "_INBOX_hub.>", "_INBOX.>", "$KV.cfg.eu.>", "$JS.API.>"];

#[test]
fn a_server_lets_each_part_do_its_own_work_and_nothing_else() {
    let broker = Broker::start(project);
    let check = |user: &str, may: &[&str], may_not: &[&str], hears: &[&str], hears_not: &[&str]| {
        let mut line = log_in(&broker, user);
        for subject in may {
            assert_eq!(line.refuses_to_publish(subject), None, "{user} {subject}");
        }
        for subject in may_not {
            let refusal = line.refuses_to_publish(subject).unwrap_or_default();
            assert!(refusal.contains("Permissions Violation for Publish"), "{user} {subject}: {refusal}");
        }
        for subject in hears {
            assert_eq!(line.refuses_to_tell(subject), None, "{user} {subject}");
        }
        for subject in hears_not {
            let refusal = line.refuses_to_tell(subject).unwrap_or_default();
            assert!(
                refusal.contains("Permissions Violation for Subscription"),
                "{user} {subject}: {refusal}"
            );
        }
    };
    check(
        "agent-eu",
        &[
            "sli.eu.1.0",
            "beat.eu",
            "$KV.members.eu.berlin-1",
            "$KV.own.eu.1.0",
            "$JS.API.DIRECT.GET.KV_cfg.$KV.cfg.eu.manifest",
        ],
        &[&EVERYWHERE[..], &FOREIGN].concat(),
        &["_INBOX_agent-eu.>", "_INBOX_agent-eu.a.b", "beat.eu"],
        &UNHEARD,
    );
    check(
        "hub",
        &[
            "$KV.conf.eu.berlin-1",
            "$KV.cfg.eu.manifest",
            "$JS.API.CONSUMER.CREATE.SLI.x",
            "$JS.API.STREAM.CREATE.SLI",
            "$JS.API.DIRECT.GET.KV_cfg.$KV.cfg._all.manifest",
        ],
        &[&EVERYWHERE[..7], &["sli.eu.1.0", "_INBOX_push.x"]].concat(),
        &["_INBOX_hub.>", "beat.*"],
        &[">", "sli.>", "_INBOX_push.>"],
    );
    check(
        "push",
        &[
            "$KV.cfg.eu.manifest",
            "$KV.cfg._all.object.x",
            "$JS.API.STREAM.CREATE.KV_cfg",
            "$JS.API.CONSUMER.CREATE.KV_members.x.$KV.members.eu.>",
        ],
        &[
            &EVERYWHERE[..],
            &[
                "sli.eu.1.0",
                "$KV.own.eu.1.0",
                "$KV.conf.eu.x",
                "$KV.members.eu.x",
                "$JS.API.CONSUMER.CREATE.SLI.x",
            ],
        ]
        .concat(),
        &["_INBOX_push.>"],
        &[">", "sli.>", "_INBOX_hub.>", "beat.eu"],
    );
}

#[test]
fn a_guessed_password_opens_nothing() {
    let broker = Broker::start(project);
    let refusal = broker.server.log_in("hub", "guess").err().unwrap_or_default();
    assert!(refusal.contains("Authorization Violation"), "{refusal}");
}
