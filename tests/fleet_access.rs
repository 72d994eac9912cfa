//! Logins of a fleet in the hands of whoever has them, at real servers: one, one behind a leaf, and three with TLS.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use fleet::nats::{Nats, Settings};
use fleet::{
    Batch, BatchId, Beat, ConfigSource as _, Confirm, EventLog as _, EventReader as _, Member,
    Ownership as _, Position, SetVersion, Shard, StoredManifest, Token,
};
use serde_json::Value;
use testkit::pki::{Flaw, Pki};
use testkit::servers::ConfiguredNats;
use testkit::wait;
use tokio::runtime::Runtime;

use crate::support::{Broker, Project, move_ports};

/// How long servers may take to agree who leads them.
const PATIENCE: Duration = Duration::from_mins(4);

fn project() -> Project {
    let project = Project::new(
        "regions:\n  eu: { vars: { shop: https://eu.shop.example } }\n  us: { vars: { shop: https://us.shop.example } }\n",
    );
    project.scenario("home", "http: ${vars.shop}/\n");
    project
}

fn push(project: &Project, more: &[&str]) {
    let ran = project.prober(&[&["push", "--fleet", "fleet/login/push"], more].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

async fn client(urls: &str) -> Nats {
    let servers = urls.split(',').map(str::to_owned).collect();
    let settings = Settings { servers, login: None, authorities: Vec::new(), name: "a test".into() };
    Nats::connect_now(settings).await.unwrap()
}

fn batch(region: &str, sequence: u64) -> Batch {
    Batch {
        region: region.to_owned(),
        shard: Shard { number: 1, replica: 0 },
        id: BatchId { from: Beat { prober: "berlin-1".into(), boot: 1 }, sequence },
        token: Token(1),
        bytes: Bytes::from_static(b"what was seen"),
    }
}

fn member(prober: &str) -> Member {
    Member { who: Beat { prober: prober.to_owned(), boot: 1 }, about: Bytes::new() }
}

/// What the login of region eu is there for.
async fn does_its_own_work(eu: &Nats, sequence: u64) {
    let manifest = eu.manifest("eu").await.unwrap().expect("a set was pushed");
    assert_eq!(eu.versions("eu").await.unwrap(), [manifest.version]);
    assert!(eu.watch("eu").await.is_ok());
    eu.renew("eu", &member("berlin-1")).await.unwrap();
    assert_eq!(eu.members("eu").await.unwrap(), [member("berlin-1")]);
    eu.append(&batch("eu", sequence)).await.unwrap();
    assert_eq!(eu.confirmed("eu", "berlin-1").await.unwrap(), None);
}

/// What the login of region eu must not be able to do, all at once: servers let whoever may not ask wait in vain.
async fn is_kept_from_others(eu: &Nats) {
    let shard = Shard { number: 1, replica: 0 };
    let confirm = Confirm { from: Beat { prober: "berlin-1".into(), boot: 1 }, through: 9, again: 0 };
    let forged = StoredManifest { version: SetVersion(9), bytes: Bytes::from_static(b"forged") };
    let (us, stranger, event, all) = (member("oslo-1"), confirm.from.clone(), batch("us", 1), "_all");
    let refused = tokio::join!(
        async { ("read the manifest of us", eu.manifest("us").await.is_err()) },
        async { ("read the manifest of all", eu.manifest(all).await.is_err()) },
        async { ("list the versions of us", eu.versions("us").await.is_err()) },
        async { ("watch us", eu.watch("us").await.is_err()) },
        async { ("list the members of us", eu.members("us").await.is_err()) },
        async { ("join us", eu.renew("us", &us).await.is_err()) },
        async { ("own a shard of us", eu.claim("us", shard, None, Some(&stranger)).await.is_err()) },
        async { ("publish an event of us", eu.append(&event).await.is_err()) },
        async { ("publish a set", eu.publish("eu", Some(SetVersion(1)), forged).await.is_err()) },
        async { ("confirm its own events", eu.confirm("eu", &confirm).await.is_err()) },
        async { ("read everybody's events", eu.read(Position(0), 0).await.is_err()) },
        async { ("remake the streams", eu.prepare(1).await.is_err()) },
    );
    for (what, is_refused) in <[_; 12]>::from(refused) {
        assert!(is_refused, "the login of eu could {what}");
    }
}

/// What the hub sees in the end: the events of eu, nothing else, and what was published is what it was.
async fn nothing_happened(hub: &Nats, published: u64) {
    let mut reader = hub.read(Position(0), 0).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let entries = reader.next(100).await.unwrap();
        if entries.is_empty() && seen.len() as u64 >= published {
            break;
        }
        seen.extend(entries.into_iter().map(|entry| entry.batch.unwrap().region));
    }
    assert_eq!(seen, vec!["eu"; usize::try_from(published).unwrap()]);
    assert_eq!(hub.manifest("eu").await.unwrap().unwrap().version, SetVersion(1));
    assert_eq!(hub.members("us").await.unwrap(), []);
    assert_eq!(hub.owners("us").await.unwrap(), []);
}

#[test]
fn an_agent_reaches_its_own_region_and_no_other() {
    let broker = Broker::start(project);
    push(&broker.project, &[]);
    Runtime::new().unwrap().block_on(async {
        let eu = client(&broker.login("agent-eu")).await;
        does_its_own_work(&eu, 1).await;
        Box::pin(is_kept_from_others(&eu)).await;
        // The connection outlives the refusals.
        does_its_own_work(&eu, 2).await;
        nothing_happened(&client(&broker.login("hub")).await, 2).await;
    });
}

/// As the page says: its file goes, `fleet init` makes the rest anew, and the server is told.
#[test]
fn a_login_is_taken_back() {
    let broker = Broker::start(project);
    let password = |user: &str| {
        let login = broker.login(user);
        login.split(['@', ':']).nth(2).unwrap().to_owned()
    };
    let (stolen, other) = (password("agent-us"), password("agent-eu"));
    assert!(broker.server.log_in("agent-us", &stolen).is_ok());
    fs::remove_file(broker.project.path("fleet/login/agent-us")).unwrap();
    let ran = broker.project.prober(&["fleet", "init"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    broker.server.reload();
    wait::until_blocking("a login that opens nothing", PATIENCE, || {
        broker.server.log_in("agent-us", &stolen).is_err()
    });
    // The region has a new one, and the others have theirs.
    for (user, password) in [("agent-us", password("agent-us")), ("agent-eu", other)] {
        assert!(broker.server.log_in(user, &password).is_ok(), "{user}");
    }
}

#[test]
fn a_leaf_lets_through_what_its_region_may_do() {
    let listen = format!("127.0.0.1:{}", wait::free_port());
    let broker = Broker::start_with(project, &["--leaf", &format!("eu={listen}")]);
    push(&broker.project, &[]);
    let folder = broker.project.path("fleet/leaf-eu");
    let _leaf = ConfiguredNats::start(&folder, "leaf.conf", listen.parse().unwrap()).unwrap();
    let login = fs::read_to_string(folder.join("login")).unwrap().trim().to_owned();
    assert!(login.ends_with(&listen), "{login}");
    Runtime::new().unwrap().block_on(async {
        let eu = client(&login).await;
        // Until the leaf has found its server nobody answers.
        let until = std::time::Instant::now() + PATIENCE;
        while eu.manifest("eu").await.is_err() {
            assert!(std::time::Instant::now() < until, "the leaf did not find its server");
        }
        does_its_own_work(&eu, 1).await;
        Box::pin(is_kept_from_others(&eu)).await;
        nothing_happened(&client(&broker.login("hub")).await, 1).await;
    });
}

/// Three servers with TLS on this machine, as they were written but for the ports.
fn three(project: &Project, pki: &Pki) -> Option<Vec<ConfiguredNats>> {
    let ports = [(); 3].map(|()| wait::free_port());
    let hosts = ports.map(|port| format!("127.0.0.1:{port}"));
    let mut words = vec!["fleet", "init"];
    words.extend(hosts.iter().flat_map(|host| ["--host", host]));
    words.extend(["--tls-cert", "server.crt", "--tls-key", "server.key", "--tls-ca", "ca.crt"]);
    let ran = project.prober(&words);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let copy = |file: &Path, name: &str| {
        fs::copy(file, project.path("fleet/nats").join(name)).unwrap();
    };
    copy(&identity.cert_file, "server.crt");
    copy(&identity.key_file, "server.key");
    copy(&pki.root_file(), "ca.crt");
    let usual = [6222, 6223, 6224, 8222, 8223, 8224];
    let moved = usual.map(|usual| (usual, wait::free_port()));
    let names = ["n1.conf", "n2.conf", "n3.conf"];
    for name in names {
        move_ports(project, &format!("fleet/nats/{name}"), &moved);
    }
    // Page and port of the first, for whoever looks at it.
    project.write("monitor", &format!("http://127.0.0.1:{}", moved[3].1));
    let start = |(name, port): (&str, u16)| {
        ConfiguredNats::start(&project.path("fleet/nats"), name, ([127, 0, 0, 1], port).into()).ok()
    };
    names.into_iter().zip(ports).map(start).collect()
}

#[test]
fn three_servers_with_tls_keep_three_copies() {
    let pki = Pki::new();
    let (project, servers) = (0..5)
        .find_map(|_| {
            let project = project();
            let servers = three(&project, &pki)?;
            Some((project, servers))
        })
        .expect("free ports were taken five times");
    let ca = project.path("fleet/nats/ca.crt");
    let with_ca = ["--fleet", "fleet/login/push", "--fleet-ca", ca.to_str().unwrap()];
    wait::until_blocking("servers that have agreed who leads them", PATIENCE, || {
        project.prober(&[&["push", "--dry-run"], &with_ca[..]].concat()).code == Some(0)
    });
    wait::until_blocking("sets in three copies", PATIENCE, || {
        project.prober(&[&["push"], &with_ca[..]].concat()).code == Some(0)
    });
    // Whoever does not trust the authority sends no password.
    let ran = project.prober(&["push", "--fleet", "fleet/login/push"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let monitor = fs::read_to_string(project.path("monitor")).unwrap();
    let look = || -> Vec<(String, String)> {
        let words = ["doctor", "--fleet-monitor", &monitor, "--format", "json"];
        let ran = project.prober(&[&words[..], &with_ca[..]].concat());
        let found: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let fleet = found.as_array().unwrap().iter().filter(|one| text(&one["check"]).starts_with("fleet"));
        fleet.map(|one| (text(&one["check"]), text(&one["state"]))).collect()
    };
    wait::until_blocking("three current copies", PATIENCE, || look().iter().all(|(_, state)| state == "ok"));
    // One server less: two still have everything, and the missing one is seen.
    let mut servers = servers;
    drop(servers.pop());
    wait::until_blocking("a copy that is away", PATIENCE, || {
        look().contains(&("fleet replicas".to_owned(), "fail".to_owned()))
    });
    project.scenario("home", "every: 30s\nhttp: ${vars.shop}/\n");
    wait::until_blocking("a version from two of three", PATIENCE, || {
        project.prober(&[&["push"], &with_ca[..]].concat()).code == Some(0)
    });
}
