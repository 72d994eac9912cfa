//! The scenarios that come with the program: without a mistake, and good against the peers that they name.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use demo::{Config, Ports, Shop, project as demo_project};
use model::time::SystemClock;
use testkit::http::{Reply, Server};
use testkit::pki::{Flaw, Pki};
use testkit::servers::{Knot, Moto, Plaintext, Postgres, Signed, Signing, Stored, Unbound};

use crate::support::{Project, said, text};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_shipped_scenario_is_valid() {
    let ran = Project::new("").prober_in(root(), &["validate", "--strict", "scenarios"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // One of them has a matrix of three.
    let scenarios = fs::read_dir(root().join("scenarios/examples")).unwrap().count() + 2;
    let counted = format!("{scenarios} scenarios");
    assert!(ran.err.contains(&counted) || ran.out.contains(&counted), "{ran:?}");
    let ran = Project::new("").prober_in(root(), &["validate", "--strict", "scenarios/regional"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let folders = ["scenarios/examples", "scenarios/regional/scenarios"];
    for entry in folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap()) {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(text.starts_with("# "), "an example begins with what it shows: {text}");
        assert!(text.contains("\naim: "), "an example says what it is for: {text}");
    }
}

#[test]
fn every_shipped_scenario_is_good_against_its_peer() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("shop");
    let config = Config { clock: Arc::new(SystemClock), ports: Ports::default(), folder: folder.clone() };
    let shop = runtime.block_on(Shop::start(config)).unwrap();
    let postgres = Postgres::start();
    postgres.execute("create schema mart; create table mart.orders(updated_at timestamptz); insert into mart.orders values (now())");
    let mut project = Project::new("");
    project.env("WAREHOUSE_DSN", &postgres.url("reader"));
    postgres.execute("grant usage on schema mart to reader; grant select on mart.orders to reader");
    let moto = Moto::start(&[Stored { key: "orders/today.csv".into(), bytes: 64, age: 3600 }]);
    project.env("EXPORT_READER", moto.credentials("reader"));
    project.env("PROBE_PASSWORD", "tea-for-two");
    let zone = "$ORIGIN demo.test.\n$TTL 60\n@ SOA ns hostmaster 7 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n\
                shop A 127.0.0.1\n";
    let signed = Signed::new("demo.test", zone, Signing::default());
    let (pki, knot) = (Pki::new(), Knot::start("demo.test", &signed.zone));
    let identity = pki.identity(&["127.0.0.1"], Flaw::None);
    let unbound = Unbound::start("demo.test.", knot.addr(), &signed.ds, &identity);
    let anchors = place.path().join("anchors");
    fs::write(&anchors, &signed.key).unwrap();
    let mail = Plaintext::smtp(&pki.identity(&["localhost"], Flaw::None));
    let addresses = shop.addresses();
    let vars = [
        format!("shop=http://{}", addresses.http),
        format!("shop_tls={}", addresses.https),
        format!("name_server={}", addresses.dns),
        format!("name_server_port={}", addresses.dns.port()),
        format!("second_name_server={}", addresses.dns),
        format!("secure_resolver=tls://{}", unbound.tls()),
        format!("secure_resolver_ca={}", pki.root_file().display()),
        format!("zone_anchors={}", anchors.display()),
        format!("mail={}", addresses.mail),
        format!("exports=http://{}", moto.addr()),
        format!("folder={}", folder.display()),
        format!("mail_tls={}", mail.addr()),
        format!("mail_ca={}", pki.root_file().display()),
    ];
    all_good(&project, "scenarios", "scenarios/examples", &vars);
    // In three regions, whose own variables are weaker than `--var`.
    let events = all_good(&project, "scenarios/regional", "scenarios/regional/scenarios", &vars[..1]);
    assert_eq!(events.len(), 6, "two scenarios in three regions");
    runtime.block_on(shop.stop());
}

/// Runs the project in `at` and finds every file of `folder` good, in each region and instance.
fn all_good(project: &Project, at: &str, folder: &str, vars: &[String]) -> Vec<serde_json::Value> {
    let mut args = vec!["-C", at, "run", "--format", "json"];
    for var in vars {
        args.extend(["--var", var]);
    }
    let ran = project.prober_in(root(), &args);
    let events: Vec<serde_json::Value> =
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_of_file = |event: &&serde_json::Value| {
            text(event, "prober.scenario.name").split('[').next() == Some(name.as_str())
        };
        let of_file: Vec<_> = events.iter().filter(is_of_file).collect();
        assert!(!of_file.is_empty(), "nothing ran of {name}");
        for event in of_file {
            assert_eq!(said(event), "good ok", "{event:#}");
        }
    }
    assert_eq!(ran.code, Some(0), "{ran:?}");
    events
}

#[test]
fn the_demo_s_files_have_no_mistake() {
    let addresses = demo::Addresses {
        http: ([127, 0, 0, 1], 1).into(),
        https: ([127, 0, 0, 1], 2).into(),
        soon: ([127, 0, 0, 1], 3).into(),
        expired: ([127, 0, 0, 1], 4).into(),
        dns: ([127, 0, 0, 1], 5).into(),
        mail: ([127, 0, 0, 1], 6).into(),
    };
    let project = Project::new("");
    for (path, text) in demo_project::files(&addresses, "shop") {
        project.write(path, &text);
    }
    let ran = project.prober(&["validate", "--strict"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.err.contains("warning") && !ran.err.contains("error["), "{ran:?}");
}

#[test]
fn what_init_writes_has_no_mistake() {
    let place = tempfile::tempdir().unwrap();
    let project = Project::new("");
    assert_eq!(project.prober_in(place.path(), &["init"]).code, Some(0));
    let ran = project.prober_in(place.path(), &["validate", "--strict"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    // The example for a pipeline: every line that it runs, against a site that answers.
    let site = Server::start();
    site.on("/", Reply::ok("hello"));
    let pipeline = fs::read_to_string(place.path().join("ci/github-workflow.yaml")).unwrap();
    let lines: Vec<_> =
        pipeline.lines().filter_map(|line| line.trim().strip_prefix("- run: prober ")).collect();
    assert_eq!(lines.len(), 3, "{pipeline}");
    for line in lines {
        let line = line.replace("$SITE", site.url("").trim_end_matches('/'));
        let ran = project.prober_in(place.path(), &line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    }
    let report = fs::read_to_string(place.path().join("prober.xml")).unwrap();
    assert!(report.contains("<testsuites"), "{report}");
    // A second time it keeps what is there.
    let file = place.path().join("prober.yaml");
    fs::write(&file, "version: 1\n").unwrap();
    project.prober_in(place.path(), &["init"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "version: 1\n");
}
