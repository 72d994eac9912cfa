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

/// An SLO file that is right.
const LOOK: &str = "slo: look\nscenarios: [home]\nobjective: 99%\n";

fn with(file: &str) -> Compiled<Net> {
    with_project(PROJECT, file)
}

fn with_project(project: &str, file: &str) -> Compiled<Net> {
    let named = SCENARIOS.iter().chain([&file]).enumerate();
    let sources = Sources {
        project: Some(source("prober.yaml", project)),
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

fn is_told(file: &str, parts: &[&str]) {
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

#[test]
fn a_wrong_good_is_told_with_what_to_type() {
    for (file, parts) in [
        (
            "slo: a\nscenarios: [home]\nobjective: 99%\ngood: { status: 200 }\n",
            &[
                "E102",
                "unknown key `status`",
                "keys allowed here for an objective over several scenarios: latency",
            ][..],
        ),
        ("slo: a\nscenarios: [home]\nobjective: 99%\ngood: { latency: 800 }\n", &["latency"]),
        ("slo: a\nscenarios: [home]\nobjective: 99%\ngood: { latency: { newer_than: 1h } }\n", &["E308"]),
        ("slo: a\nscenarios: [home]\nobjective: 99%\ngood: {}\n", &["E104", "`good` is empty"]),
        ("slo: a\nscenarios: [home]\nobjective: 99%\ngood: fast\n", &["E103"]),
        (
            "slo: a\nscenarios: [home]\nobjective: 99%\nsli: { good: { latency: { lt: 1s } } }\n",
            &["E102", "`good` stands alone here"],
        ),
        ("slo: a\nscenarios: [home]\nobjective: 99%\nlatency: { lt: 1s }\n", &["E102", "`good`"]),
        (
            "slo: a\nscenarios: [home]\nobjective: 99%\ngood: { latency: { lt: 800s } }\n",
            &["W307", "no run takes longer than its timeout, 10s at most", "lt: 800ms"],
        ),
        (
            "slo: a\nscenarios: [home]\nobjective: 99%\ngood: { latency: { gt: 800ms } }\n",
            &["W362", "write lte: 800ms"],
        ),
    ] {
        is_told(file, parts);
    }
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
            "slo: a\nscenarios: [home]\nobjective: 99%\nwindow: 1d\nblind_after: 25h\n",
            &[
                "E104",
                "silence would be told only after more than the window of 24h",
                "write 4m or a little longer",
            ],
        ),
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
        is_told(file, parts);
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

#[test]
fn what_is_good_for_an_objective_is_judged_as_in_a_scenario() {
    let file = "slo: fast\nscenarios: [home]\nobjective: 99%\ngood: { latency: { lt: 800ms } }\n";
    let good = promise(file).good.unwrap();
    let millis = Duration::from_millis;
    assert_eq!((good.broken(millis(799)), good.words().as_str()), (None, "latency < 800ms"));
    let broken = good.broken(millis(800)).unwrap();
    assert_eq!(broken, "latency is 800ms, expected < 800ms");
    let both = promise(&file.replace("lt: 800ms", "gte: 1ms, lte: 800ms")).good.unwrap();
    assert!(both.broken(millis(0)).is_some() && both.broken(millis(800)).is_none());
    assert_eq!(promise("slo: fast\nscenarios: [home]\nobjective: 99%\n").good, None);
    let text = "good: { latency: { lt: 800ms } }\nobjective: 99%\nscenarios: [home]\nslo: fast\n";
    let formatted = crate::fmt::format(0, text, KINDS).unwrap();
    assert_eq!(formatted, "slo: fast\nscenarios: [home]\nobjective: 99%\ngood: { latency: { lt: 800ms } }\n");
}

#[test]
fn a_region_is_critical_where_there_are_others() {
    let compiled = with_project("version: 1\nregions: { eu: { critical: true }, us: {}, ap: }\n", LOOK);
    let of = |region: &str| compiled.project.is_critical(region);
    assert_eq!((of("eu"), of("us"), of("ap"), of("mars")), (true, false, false, false));
    for (project, part) in [
        ("version: 1\nregions: { eu: { critical: yes }, us: {}, ap: {} }\n", "E103"),
        ("version: 1\nregions: { eu: { critcal: true }, us: {}, ap: {} }\n", "did you mean `critical`?"),
        ("version: 1\nregions: { eu: { critical: true } }\n", "W307"),
    ] {
        let compiled = with_project(project, LOOK);
        let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
        assert!(shown.contains(part), "{part} is not in\n{project}\n{shown}");
    }
}

#[test]
fn a_region_has_so_many_replicas_and_side_effects_have_one() {
    let project = "version: 1\nregions: { eu: { replicas: 3 }, us: { replicas: 1 }, ap: }\n";
    let home = "name: home\naim: It opens.\nevery: 1m\nhttp: http://a.example/\n";
    let order = "name: order\naim: Orders arrive.\nevery: 1m\nside_effects: true\nhttp: { method: POST, url: http://a.example/, json: \"${run.id}\" }\n";
    let of = |replicas: bool| {
        let sources = Sources {
            project: Some(source("prober.yaml", project)),
            scenarios: vec![source("a.yaml", home), source("b.yaml", order)],
            ..Sources::default()
        };
        let compiled = compile(sources, KINDS, &Options { replicas, ..Options::default() });
        let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
        assert!(!compiled.has_errors(), "{shown}");
        let known = ["eu", "us", "ap", "mars"].map(|region| compiled.project.replicas(region));
        assert_eq!(known, [3, 1, 1, 1]);
        let replicas = compiled.plans.iter().map(|plan| (plan.stream().to_string(), plan.replicas()));
        replicas.filter(|(_, replicas)| *replicas > 1).collect::<Vec<_>>()
    };
    assert_eq!(of(true), [("home/eu".to_owned(), 3)]);
    assert_eq!(of(false), []);
    for (value, part) in [
        ("0", "expected a whole number from 1 to 8, found 0"),
        ("9", "E104"),
        ("-1", "E104"),
        ("two", "E103"),
        ("\"2\"", "write it without quotes"),
        ("1.5", "E103"),
        ("[2]", "E103"),
    ] {
        let project = format!("version: 1\nregions: {{ eu: {{ replicas: {value} }} }}\n");
        let compiled = with_project(&project, LOOK);
        let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
        assert!(compiled.has_errors() && shown.contains(part), "{part} is not in\n{project}\n{shown}");
    }
    let compiled = with_project("version: 1\nregions: { eu: { replica: 2 } }\n", LOOK);
    let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
    assert!(shown.contains("did you mean `replicas`?"), "{shown}");
}

#[test]
fn a_budget_policy_has_its_steps_in_order() {
    let policy = |section: &str| with_project(&format!("{PROJECT}budget_policy: {section}\n"), LOOK);
    let found = policy("{ review: 80%, approval: 40%, incident: 10% }");
    assert!(!found.has_errors());
    let found = found.project.budget_policy;
    assert_eq!(
        [found.review, found.approval, found.incident].map(|share| share.to_string()),
        ["80%", "40%", "10%"]
    );
    assert_eq!(with(LOOK).project.budget_policy.review.to_string(), "50%");
    for (section, part) in [
        ("{ review: 20% }", "a review comes first"),
        ("{ approval: 50% }", "a review comes first"),
        ("{ incident: 0% }", "costs more than nothing"),
        ("{ review: 0.8 }", "E160"),
        ("{ frozen: 0% }", "E102"),
    ] {
        let compiled = policy(section);
        let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
        assert!(compiled.has_errors() && shown.contains(part), "{part} is not in\n{section}\n{shown}");
    }
}

const ADJUSTMENT: &str = "slo: cart, from: 2026-03-01T22:00:00+01:00, to: 2026-03-01T22:40:00+01:00, regions: [eu], \
                          author: team-shop, added: 2026-03-03T10:00:00Z, reason: The load test was ours.";

#[test]
fn adjustments_are_read_and_wrong_ones_are_told_what_to_type() {
    let adjusted = |list: &str| with_project(&format!("{PROJECT}adjustments: {list}\n"), LOOK);
    let found = adjusted(&format!("[{{ {ADJUSTMENT} }}]"));
    let shown = human(&found.diagnostics, &found.sources, &Style::PLAIN);
    assert!(!found.has_errors(), "{shown}");
    let one = &found.project.adjustments[0];
    assert_eq!(
        (&*one.author, &*one.reason, one.regions[0].value.as_str()),
        ("team-shop", "The load test was ours.", "eu")
    );
    assert_eq!(one.to.since(one.from), Duration::from_mins(40));
    // One alone needs no list; other regions and other times are other slots.
    let next = ADJUSTMENT.replace("regions: [eu]", "regions: [us]");
    for list in [format!("{{ {ADJUSTMENT} }}"), format!("[{{ {ADJUSTMENT} }}, {{ {next} }}]")] {
        assert!(!adjusted(&list).has_errors(), "{list}");
    }
    for (from, to, parts) in [
        ("slo: cart", "slo: crat", &["E167", "no objective `crat`", "did you mean `cart`?"][..]),
        ("regions: [eu]", "regions: [mars]", &["E167", "no region `mars`"]),
        ("regions: [eu]", "scenarios: [hoem]", &["E167", "did you mean `home`?"]),
        (
            "to: 2026-03-01T22:40:00+01:00",
            "to: 2026-03-01T21:40:00+01:00",
            &["E167", "ends before it begins"],
        ),
        (
            "to: 2026-03-01T22:40:00+01:00",
            "to: 2026-03-04T00:00:00Z",
            &["E167", "about the past", "`maintenance`"],
        ),
        ("to: 2026-03-01T22:40:00+01:00", "to: 2026-03-01T22:40:00", &["E167", "has no offset"]),
        ("from: 2026-03-01", "from: 2025-10-01", &["E167", "92d at most"]),
        ("author: team-shop, ", "", &["E101", "`author`"]),
        ("reason: The load test was ours.", "reason: ' '", &["E104", "`reason` is one line"]),
        ("added: 2026-03-03T10:00:00Z", "added: soon", &["E167", "`soon` is not a time"]),
        ("author:", "autor:", &["E102", "did you mean `author`?"]),
    ] {
        assert!(ADJUSTMENT.contains(from), "{from}");
        let compiled = adjusted(&format!("[{{ {} }}]", ADJUSTMENT.replace(from, to)));
        let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
        for part in parts {
            assert!(shown.contains(part), "{part:?} is not in\n{to}\n{shown}");
        }
        assert!(compiled.has_errors());
    }
    let twice =
        adjusted(&format!("[{{ {ADJUSTMENT} }}, {{ {} }}]", ADJUSTMENT.replace("regions: [eu], ", "")));
    let shown = human(&twice.diagnostics, &twice.sources, &Style::PLAIN);
    assert!(shown.contains("two adjustments are about the same slots"), "{shown}");
}
