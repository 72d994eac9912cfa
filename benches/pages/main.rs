//! Do pages come at once, after ninety days and with thousands of scenarios?
//!
//! The real binary, `prober serve`, over a store with 90 days of 2,000 scenarios in 3 regions, while 200 events a second
//! arrive: how long each page takes from the first byte asked to the last one there, and how long it is.
//!
//! `cargo bench --bench pages` takes some minutes and gigabytes below the system's temporary folder; `-- --scenarios N --days N` changes it,
//! `-- --keep FOLDER` seeds that folder once and uses it again, and `-- --quick` looks only whether every page is there.

#[path = "../common/mod.rs"]
mod common;
mod history;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::figures::{Spread, held};
use common::prober::Prober;
use common::project::data;
use common::say;
use common::target::{self, Target};
use history::History;

/// What `dashboard.md` asks: milliseconds of a page, of the explorer's question, and bytes of the overview.
const PAGE_MAX_MS: f64 = 300.0;
const EXPLORER_MAX_MS: f64 = 1_000.0;
const OVERVIEW_MAX_BYTES: usize = 300_000;

/// A page and how long it may take, in milliseconds.
struct Page {
    what: &'static str,
    path: String,
    may_take: f64,
}

fn main() {
    let arguments = common::arguments();
    if arguments.first().is_some_and(|first| first == "role") {
        assert_eq!(arguments[1], "target", "the only role here");
        return target::serve(&arguments[2..]);
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let number = |name: &str, usual: u32| {
        common::number(&arguments, name).map_or(usual, |value| u32::try_from(value).expect("a small number"))
    };
    let history = if quick {
        History { scenarios: 10, regions: 2, days: 3, a_day: 4, last_day: 24 }
    } else {
        let (scenarios, days) = (number("--scenarios", 2_000), number("--days", 90));
        History { scenarios, regions: 3, days, a_day: 4, last_day: 144 }
    };
    let keep = arguments.iter().position(|argument| argument == "--keep");
    let kept = keep.map(|at| PathBuf::from(arguments.get(at + 1).expect("--keep takes a folder")));
    let temporary = tempfile::tempdir().expect("the temporary folder takes a folder");
    measure(&history, kept.as_deref().unwrap_or(temporary.path()), quick);
}

fn measure(history: &History, folder: &Path, quick: bool) {
    let target = Target::start("http", None);
    write_project(history, folder, &target.addresses);
    seed(history, folder);
    let prober = Prober::start(folder);
    say(&format!("ready {:.1?} after the start", prober.ready_after));
    // The first seconds after the start are not like the others: promises are read from ninety days of events.
    let settled = prober.until_judged();
    say(&format!("every promise judged {settled:.1?} later"));
    for page in pages(&prober, history) {
        look(&prober, &page, quick);
    }
    prober.stop();
}

/// Writes the history, unless a folder that was kept has it already.
fn seed(history: &History, folder: &Path) {
    if data(folder).exists() {
        return say("the history is from before");
    }
    let began = Instant::now();
    let (events, bytes) = history.write(&data(folder));
    say(&format!(
        "{events} events of {} days, {} MiB, written in {:.0?}",
        history.days,
        bytes >> 20,
        began.elapsed()
    ));
}

/// A scenario in every region, each with an objective, due every 30 seconds.
fn write_project(history: &History, folder: &Path, addresses: &[SocketAddr]) {
    let scenarios = folder.join("scenarios");
    std::fs::create_dir_all(&scenarios).expect("the bench's folder takes a folder");
    let mut project = "version: 1\nscenarios: [\"scenarios/*.yaml\"]\nnetwork: { private: allow }\nstore: { max_bytes: 60GiB, keep: 365d }\nregions:\n".to_owned();
    for place in 0..history.regions {
        writeln!(project, "  {}: {{}}", history::region(place)).expect("a String takes every text");
    }
    std::fs::write(folder.join("prober.yaml"), project).expect("the bench's folder takes a file");
    for number in 0..history.scenarios {
        let (name, address) = (history::scenario(number), addresses[number as usize % addresses.len()]);
        let text = format!(
            "name: {name}\naim: Page {number} of the shop can be read.\nowner: team-{}\nevery: 30s\ntimeout: 2s\nhttp: http://{address}/{number}\nslo: {{ objective: 99.9% }}\n",
            number % 20
        );
        std::fs::write(scenarios.join(format!("{name}.yaml")), text).expect("the folder takes a file");
    }
}

/// The pages that people open, as their links lead there.
fn pages(prober: &Prober, history: &History) -> Vec<Page> {
    let name = history::scenario(history.scenarios / 2);
    let run = prober.a_bad_run();
    let page = |what, path: &str, may_take| Page { what, path: path.to_owned(), may_take };
    vec![
        page("overview", "/", PAGE_MAX_MS),
        page("overview, one team", "/?owner=team-7", PAGE_MAX_MS),
        page("scenario, six hours", &format!("/scenarios/{name}"), PAGE_MAX_MS),
        page("scenario, a week", &format!("/scenarios/{name}?hours=168"), PAGE_MAX_MS),
        page("a run", &run, PAGE_MAX_MS),
        page("alerts", "/alerts", PAGE_MAX_MS),
        page("the prober", "/prober", PAGE_MAX_MS),
        page("explorer, a day by region", "/events?q=since%3D1d&group=prober.region", EXPLORER_MAX_MS),
        page(
            "explorer, a day's bad runs",
            "/events?q=since%3D1d+verdict%3Dbad&group=prober.scenario.name",
            EXPLORER_MAX_MS,
        ),
        page("scenarios as JSON", "/api/v1/scenarios", EXPLORER_MAX_MS),
    ]
}

/// Asks for the page again and again, and says how long it took.
fn look(prober: &Prober, page: &Page, quick: bool) {
    let (mut bytes, looks) = (0, if quick { 2 } else { 15 });
    let times = (0..looks).map(|_| {
        let began = Instant::now();
        bytes = prober.page(&page.path).len();
        let took = began.elapsed();
        // A person does not press at once again, and what is kept for a moment shall not be all that is measured.
        std::thread::sleep(Duration::from_millis(if quick { 0 } else { 700 }));
        took.as_secs_f64() * 1e3
    });
    let took = Spread::of(times.collect::<Vec<_>>());
    let size_holds = page.what != "overview" || bytes <= OVERVIEW_MAX_BYTES;
    let holds = held(took.median <= page.may_take && size_holds);
    say(&format!("{:28} {took} ms, {} kB (goal ≤ {} ms: {holds})", page.what, bytes / 1_000, page.may_take));
}
