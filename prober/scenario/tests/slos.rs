//! SLO files: right ones become promises, wrong ones are told where, why and what to type.

use std::time::Duration;

use crate::compile::{Compiled, Options, Sources, compile};
use crate::render::{Style, human};
use crate::slo::JointSlo;
use crate::testing::{KINDS, Net, source};

const PROJECT: &str = "\
version: 1
regions: { eu: {}, us: {}, ap: {} }
defaults: { owner: team-shop }
routes: { oncall: { alertmanager: http://127.0.0.1:9093 } }
";

const SCENARIOS: [&str; 4] = [
    "name: home\nevery: 1m\nhttp: https://shop.example/\nlabels: { journey: look, service: shop }\n",
    "name: cart\nevery: 30s\nregions: [eu, us]\nhttp: https://shop.example/cart\nlabels: { journey: buy, service: shop }\nslo: { objective: 99% }\n",
    "name: pay\nevery: 5m\nregions: [eu]\nhttp: https://shop.example/pay\nlabels: { journey: buy, service: bank }\n",
    "name: stock\nevery: 1m\nregions: [ap]\nmatrix: { shelf: [tea, cups] }\nhttp: https://shop.example/${matrix.shelf}\n",
];

fn with(file: &str) -> Compiled<Net> {
    let named = SCENARIOS.iter().chain([&file]).enumerate();
    let sources = Sources {
        project: Some(source("prober.yaml", PROJECT)),
        scenarios: named.map(|(index, text)| source(&format!("scenarios/{index}.yaml"), text)).collect(),
        whole: true,
        ..Sources::default()
    };
    compile(sources, KINDS, &Options::default())
}

fn promise(file: &str) -> JointSlo {
    let mut compiled = with(file);
    let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
    assert!(!compiled.has_errors(), "{shown}");
    compiled.joint_slos.remove(0)
}

fn feeds(promise: &JointSlo) -> String {
    let feed = |feed: &crate::slo::JointFeed| format!("{}/{}", feed.scenario, feed.region);
    promise.feeds.iter().map(feed).collect::<Vec<_>>().join(" ")
}

#[test]
fn scenarios_are_named_or_chosen_by_labels() {
    let buy = promise(
        "slo: buy\naim: Anyone can pay.\nrunbook: https://wiki.example/\nlabels: { journey: buy }\nobjective: 99.5%\nwindow: month\ntimezone: Europe/Berlin\nalerts: { page: oncall }\n",
    );
    assert_eq!(feeds(&buy), "cart/eu cart/us pay/eu");
    assert_eq!((&*buy.name, &*buy.service, &*buy.owner), ("buy", "buy", "team-shop"));
    assert_eq!(
        buy.slo.objective.as_ref().map(|objective| objective.window.to_string()).as_deref(),
        Some("month Europe/Berlin")
    );
    // 2 + 2 + 0.2 runs a minute in two regions.
    assert_eq!((buy.slo.regions, buy.slo.interval), (2, Duration::from_millis(28_571)));
    assert_eq!((buy.gap, buy.blind_after), (Duration::from_mins(5), None));
    assert_eq!(buy.slo.page, ["oncall".into()]);

    let named = promise("slo: look\nscenarios: [home, stock]\nobjective: 99%\nquorum: 2\nblind_after: 1h\n");
    assert_eq!(feeds(&named), "home/ap home/eu home/us stock[shelf=cups]/ap stock[shelf=tea]/ap");
    assert_eq!((named.slo.quorum, named.blind_after), (Some(2), Some(Duration::from_hours(1))));

    let one = promise("slo: shop\nlabels: { service: shop }\nobjective: 99%\n");
    assert_eq!((&*one.service, one.slo.regions), ("shop", 3));
}

#[test]
fn mistakes_are_told_with_what_to_type() {
    for (file, parts) in [
        (
            "slo: a\nscenarios: [home, crat]\nobjective: 99%\n",
            &["E166", "no scenario `crat`", "did you mean `cart`?"][..],
        ),
        ("slo: a\nscenarios: [home, home]\nobjective: 99%\n", &["E166", "there twice"]),
        ("slo: a\nscenarios: [stock, 'stock[shelf=tea]']\nobjective: 99%\n", &["E166", "there twice"]),
        (
            "slo: a\nlabels: { journey: buyy }\nobjective: 99%\n",
            &["E166", "journey: buyy", "did you mean `buy`?"],
        ),
        ("slo: a\nlabels: { jurney: buy }\nobjective: 99%\n", &["E166", "did you mean `journey`?"]),
        ("slo: a\nlabels: { journey: look, service: bank }\nobjective: 99%\n", &["E166", "never together"]),
        ("slo: a\nlabels: {}\nobjective: 99%\n", &["E166"]),
        ("slo: a\nobjective: 99%\n", &["E166", "add scenarios:"]),
        (
            "slo: a\nscenarios: [home]\nlabels: { journey: buy }\nobjective: 99%\n",
            &["E166", "exclude each other"],
        ),
        ("slo: a\nscenarios: []\nobjective: 99%\n", &["E104"]),
        ("slo: a\nscenarios: [home]\n", &["E101", "`objective` is missing in an SLO file", "99.9%"]),
        ("slo: a\nscenarios: [home]\nobjective: 99%\nwindow: 100d\n", &["E104", "from 1h to 90d"]),
        ("slo: a\nscenarios: [home]\nobjective: 99%\nwindow: { rolling: 30d }\n", &["E103"]),
        ("slo: a\nscenarios: [home]\nobjective: 100%\n", &["E161"]),
        ("slo: a\nscenarios: [home]\nobjective: 99%\nquorum: 4\n", &["E164", "3 regions"]),
        ("slo: a\nscenarios: [home]\nobjective: 99%\nblind_after: 1m\n", &["E104", "4m"]),
        (
            "slo: a\nscenarios: [home]\nobjective: 99%\nalerts: { page: oncal }\n",
            &["E162", "did you mean `oncall`?"],
        ),
        ("slo: a\nscenarios: [home]\nobjectve: 99%\n", &["E102", "did you mean `objective`?"]),
        ("slo: a\nscenarios: [home]\nobjective: 99%\nevery: 1m\n", &["E102", "belongs in the scenarios"]),
        ("slo: a b\nscenarios: [home]\nobjective: 99%\n", &["E107"]),
        ("slo: cart\nscenarios: [home]\nobjective: 99%\n", &["E108", "two objectives are named `cart`"]),
        ("scenarios: [home]\nobjective: 99%\n", &["E102", "begins with slo: NAME"]),
        ("slo: a\nscenarios: [pay]\nobjective: 99.99%\n", &["W311", "too few for 99.99%"]),
        (
            "slo: a\nscenarios: [home]\nobjective: 99%\nalerts: { page: oncall }\n",
            &["W348", "`aim` and `runbook` are missing"],
        ),
        ("slo: ${vars.x}\nscenarios: [home]\nobjective: 99%\n", &["E202"]),
    ] {
        let compiled = with(file);
        let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
        for part in parts {
            assert!(shown.contains(part), "{part:?} is not in\n{file}\n{shown}");
        }
        assert!(
            compiled.joint_slos.is_empty() || !compiled.has_errors(),
            "a wrong file promises nothing: {file}"
        );
    }
}

#[test]
fn two_files_cannot_promise_under_one_name() {
    let text = "slo: shop\nscenarios: [home]\nobjective: 99%\n";
    let scenario = "name: home\nevery: 1m\nhttp: https://shop.example/\n";
    let sources = Sources {
        scenarios: [text, scenario, text].iter().map(|text| source("a.yaml", text)).collect(),
        whole: true,
        ..Sources::default()
    };
    let compiled = compile(sources, KINDS, &Options::default());
    let codes: Vec<_> = compiled.diagnostics.iter().map(|one| one.code).collect();
    assert_eq!((codes, compiled.joint_slos.len()), (vec!["E108"], 1));
}

#[test]
fn of_a_few_files_nothing_is_missing() {
    let sources = Sources {
        scenarios: vec![source("a.yaml", "slo: shop\nscenarios: [elsewhere]\nobjective: 99%\n")],
        ..Sources::default()
    };
    let compiled = compile(sources, KINDS, &Options::default());
    assert!(compiled.diagnostics.is_empty() && compiled.joint_slos.is_empty(), "{:?}", compiled.diagnostics);
}

#[test]
fn the_formatter_knows_the_order_of_the_keys() {
    let text = "objective: 99%\n# why\nscenarios: [home]\nalerts: { ticket: t, page: p }\nslo: shop\n";
    let formatted = crate::fmt::format(0, text, KINDS).unwrap();
    assert_eq!(
        formatted,
        "slo: shop\n# why\nscenarios: [home]\nobjective: 99%\nalerts: { page: p, ticket: t }\n"
    );
    assert_eq!(crate::fmt::format(0, &formatted, KINDS).unwrap(), formatted);
}
