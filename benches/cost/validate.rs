//! A project of many scenarios, and how long `prober validate` takes over it.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use scenario::compile::{Compiled, Options, Sources, compile};
use scenario::source::Source;

/// The scenarios of a counted project, and of a quick one.
pub(crate) const MANY: u64 = 10_000;
pub(crate) const FEW: u64 = 200;
/// The best of so many runs: the machine's mood is not ours.
const RUNS: usize = 5;

const PROJECT: &str = "version: 1
scenarios: [\"scenarios/*.yaml\"]
vars: { shop: https://shop.example, folder: /var/exports }
secrets: { token: { env: SHOP_TOKEN } }
defaults: { timeout: 5s, owner: platform }
";

/// The scenario number `index`: of a hundred, seventy look at a page, ten walk through a flow, the rest at other things.
fn text(index: u64) -> String {
    let mut text = format!("name: service-{index}\naim: Service {index} works for everyone.\nevery: 1m\n");
    let rest = match index % 10 {
        0 => {
            "steps:\n  - name: login\n    http:\n      method: POST\n      url: ${vars.shop}/login\n      json: { user: probe, password: \"${secrets.token}\" }\n    expect: { status: 200 }\n    capture: { session: { json: $.session, secret: true } }\n  - name: order\n    http:\n      url: ${vars.shop}/orders\n      headers: { Authorization: \"Bearer ${session}\" }\n    expect:\n      status: [200, 201]\n      json: { \"$.items[0].id\": { matches: \"^[0-9]+$\" }, $.at: { newer_than: 24h } }\n"
        }
        1 => {
            "dns: shop.example\nexpect: { rcode: NOERROR, ttl: { lte: 300 }, answers: { contains: 203.0.113.10 } }\n"
        }
        2 => "tls: shop.example:443\nexpect: { chain: trusted, expires_in: { gte: 14d } }\n",
        3 => {
            "cron: \"*/5 * * * MON-FRI\"\ntimezone: Europe/Berlin\nfile: ${vars.folder}/orders.csv\nexpect: { modified: { newer_than: 24h } }\n"
        }
        _ => {
            "labels: { tier: \"1\" }\nhttp: ${vars.shop}/health\nexpect:\n  status: 200\n  body: { contains: OK }\nsli: { good: { latency: { lt: 300ms } } }\n"
        }
    };
    if index % 10 == 3 {
        text = text.replace("every: 1m\n", "");
    }
    // No two look at the same thing: that would be a warning.
    let own = rest.replace("shop.example", &format!("s{index}.shop.example"));
    let own =
        own.replace("/orders", &format!("/{index}/orders")).replace("/health", &format!("/{index}/health"));
    write!(text, "{own}").expect("a String takes every text");
    text
}

/// Compiles a project of so many scenarios.
pub(crate) fn compiled(count: u64) {
    let scenarios = (0..count).map(|index| Source { path: format!("{index}.yaml"), text: text(index) });
    let project = Source { path: "prober.yaml".to_owned(), text: PROJECT.to_owned() };
    let sources = Sources { project: Some(project), scenarios: scenarios.collect(), ..Sources::default() };
    let compiled: Compiled<probe::Net> = compile(black_box(sources), &probe::KINDS, &Options::default());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics.first());
    assert_eq!(compiled.plans.len() as u64, count, "a plan for each scenario");
    drop(black_box(compiled));
}

/// The shortest time that `prober validate` took over a folder of so many scenarios.
pub(crate) fn took(count: u64, runs: usize) -> Duration {
    let folder = tempfile::tempdir().expect("a folder for the project");
    write(folder.path(), count);
    let once = || {
        let began = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_prober")).arg("validate").current_dir(&folder).output();
        let took = began.elapsed();
        let output = output.expect("prober can be run");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success() && said.contains(&format!("{count} scenarios")), "{said}");
        took
    };
    (0..runs).map(|_| once()).min().unwrap_or_default()
}

/// One sentence with the figure.
pub(crate) fn report() -> String {
    let took = took(MANY, RUNS);
    let each = took.as_micros() / u128::from(MANY);
    format!(
        "`prober validate`, {MANY} scenarios: {:.2} s, {each} µs a scenario (best of {RUNS})",
        took.as_secs_f64()
    )
}

fn write(folder: &Path, count: u64) {
    fs::create_dir(folder.join("scenarios")).expect("the folder can be written to");
    fs::write(folder.join("prober.yaml"), PROJECT).expect("the folder can be written to");
    for index in 0..count {
        let path = folder.join(format!("scenarios/{index}.yaml"));
        fs::write(path, text(index)).expect("the folder can be written to");
    }
}
