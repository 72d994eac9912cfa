//! The pages in a real Chromium: both themes, two sizes, keys, axe, and a page that changes by itself.
//!
//! The data has one incident (checkout in ap), one late slot, one maintenance and one prober that is dead (sa). Pictures
//! are kept under `target/screenshots`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use model::event::SliEvent;
use model::missed::MissedSlots;
use model::outcome::{Outcome, Reason};
use model::time::Timestamp;
use serde_json::{Value, json};

use super::desk::Desk;
use crate::sample::{self, T0, card};
use crate::{OwnDoubts, ScenarioCard};

/// 17 s after a slot.
pub(super) const NOW: i64 = T0 + 3_617;

fn cards() -> Vec<ScenarioCard> {
    let titled = |name: &str, region: &str, title: &str, aim: &str| {
        let mut card = card(name, region);
        (card.title, card.aim) = (title.into(), aim.into());
        card
    };
    let mut cards: Vec<_> = ["ap", "eu", "us"]
        .map(|region| {
            titled(
                "checkout",
                region,
                "Checkout",
                "A signed-in customer gets an order confirmed within 30 seconds of paying.",
            )
        })
        .into();
    cards.push(titled("search", "eu", "Search", "Search finds what is in stock in under 300 ms."));
    cards.push(titled("payments", "eu", "Payments", "Cards are charged once."));
    cards.push(titled("stock", "sa", "Stock", "The stock file is never older than an hour."));
    cards.push(titled("reports", "eu", "Reports", "Yesterday's report is there at six."));
    for card in &mut cards {
        card.owner =
            if matches!(&*card.stream.scenario, "search" | "stock") { "team-find" } else { "team-shop" }
                .into();
        card.public = &*card.stream.scenario == "search";
    }
    cards
}

/// An hour of slots; `of` says what each came to, counted back from the newest one.
fn hour(desk: &Desk, (name, region): (&str, &str), of: impl Fn(i64) -> Option<Outcome>) {
    let origin = sample::origin(name, region);
    for back in (0..=120).rev() {
        if let Some(outcome) = of(back) {
            desk.event(sample::event(&origin, T0 + 3_600 - 30 * back, outcome));
        }
    }
}

fn good(millis: u64) -> Outcome {
    let mut outcome = sample::good_flow().outcome;
    outcome.duration = sample::ms(millis);
    outcome
}

fn fill(desk: &Desk) {
    let incident = |back: i64| match back {
        0..20 => sample::failed_flow().outcome,
        _ => good(220 + back.unsigned_abs() % 7 * 12),
    };
    hour(desk, ("checkout", "ap"), |back| Some(incident(back)));
    hour(desk, ("checkout", "eu"), |back| Some(good(180 + back.unsigned_abs() % 5 * 9)));
    hour(desk, ("checkout", "us"), |back| Some(good(240 + back.unsigned_abs() % 11 * 14)));
    hour(desk, ("search", "eu"), |back| (back != 40).then(|| good(90 + back.unsigned_abs() % 3 * 20)));
    let late = Timestamp::from_seconds(T0 + 3_600 - 30 * 40);
    desk.missed(MissedSlots::one(sample::origin("search", "eu"), Reason::Late, late, late));
    let planned = || {
        let mut outcome = Outcome::empty(Reason::Maintenance);
        outcome.maintenance = Some("database upgrade".into());
        outcome
    };
    hour(desk, ("payments", "eu"), |back| Some(if (30..60).contains(&back) { planned() } else { good(310) }));
    hour(desk, ("stock", "sa"), |back| (back > 50).then(|| good(35)));
    desk.flush();
}

/// A desk with the data, and how its objectives stand by it.
pub(super) fn desk() -> Desk {
    let mut desk = Desk::open(NOW, cards());
    fill(&desk);
    desk.standings.send_replace(sample::standings(&desk.sources.store, &cards(), NOW).into());
    desk.sources.settings.public_status = true;
    desk.sources.doubts = Arc::new(|| OwnDoubts {
        doubts: vec![("resolver", "ap".into(), "the canary's name did not resolve twice".to_owned())],
        ..OwnDoubts::default()
    });
    desk
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")
}

/// The browser and the modules that drive it.
fn tools() -> (PathBuf, PathBuf) {
    let chromium = PathBuf::from("/usr/bin/chromium");
    let modules = target().join("tools/npm/node_modules");
    let there =
        chromium.exists() && modules.join("puppeteer-core").exists() && modules.join("axe-core").exists();
    assert!(there, "the browser is missing; install it with: tests/run peers");
    (chromium, modules)
}

#[test]
fn every_page_is_sound_in_a_real_browser() {
    let (chromium, modules) = tools();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let desk = desk();
    let server = runtime.block_on(desk.serve());
    let run = sample::origin("checkout", "ap").stream.slot(Timestamp::from_seconds(T0 + 3_600)).id;
    let places = json!({
        "overview": "/",
        "scenario": "/scenarios/checkout?hours=1",
        "run": format!("/runs/{run}"),
        "alerts": "/alerts",
        "events": "/events?q=since%3D1h&group=prober.scenario.name",
        "review": "/review",
        "teams": "/review?teams=each",
        "prober": "/prober",
        "config": "/config",
        "slo": "/slos/checkout",
        "status": "/status",
        "login": "/login",
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser.mjs");
    let mut walk = Command::new("node")
        .args([&script, &modules, &chromium])
        .arg(format!("http://{}", server.address))
        .arg(target().join("screenshots"))
        .env("PLACES", places.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is there: tests/run peers");
    let mut answers = walk.stdin.take().unwrap();
    let mut faults = Vec::new();
    let mut figures = Vec::new();
    for line in BufReader::new(walk.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(fault) = line["wrong"].as_str() {
            faults.push(fault.to_owned());
        } else if line["want"] == "event" {
            one_more(&desk);
            writeln!(answers).unwrap();
        } else {
            figures.push(line["figures"].clone());
        }
    }
    let end = walk.wait().unwrap();
    runtime.block_on(server.end());
    assert!(end.success(), "{end:?}");
    assert_eq!(faults, Vec::<String>::new(), "{figures:?}");
    assert!(figures.iter().any(|one| one["pages"].as_u64() == Some(12)), "{figures:?}");
    assert!(
        figures.iter().any(|one| one["clicks"].as_u64().is_some_and(|clicks| clicks <= 3)),
        "{figures:?}"
    );
}

/// The next slot of the broken stream, a good one, and a second later another.
fn one_more(desk: &Desk) {
    let origin = sample::origin("checkout", "ap");
    let event =
        SliEvent { recorded: Timestamp::from_seconds(NOW), ..sample::event(&origin, T0 + 3_610, good(200)) };
    desk.event(event);
    desk.flush();
}
