//! What differs between two versions of a small project, as people and programs see it.

use std::collections::BTreeMap;

use scenario::compile::Options;

use super::compare::difference;
use super::show::{human, json};
use super::side::Side;
use crate::cli::show::Look;

const PROJECT: &str = "version: 1\nvars: { host: shop.example }\nregions: { eu: , us: }\n";
const HOME: &str =
    "name: home\naim: The front page opens for everybody.\nevery: 1m\nhttp: https://${vars.host}/\n";
const CHECKOUT: &str = "name: checkout\naim: An order can be placed.\nevery: 5m\nsteps:\n  - name: login\n    http: https://${vars.host}/login\n  - name: pay\n    http: https://${vars.host}/pay\nslo: { objective: 99% }\n";
const MATRIX: &str = "name: health\naim: A service is up.\nevery: 1m\nmatrix: { service: [a, b, c, d] }\nhttp: https://${matrix.service}.${vars.host}/\n";

fn side(label: &str, files: &[(&str, &str)]) -> Side {
    let files: BTreeMap<_, _> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Side::of_files(label, files, &Options::default()).unwrap_or_else(|stop| panic!("{stop}"))
}

fn check(before: &[(&str, &str)], after: &[(&str, &str)], expected: &str) {
    let difference = difference(&side("before", before), &side("after", after));
    let look = Look { colour: false, unicode: true, width: 100 };
    assert_eq!(human(&difference, look).trim_end(), expected.trim());
    assert_eq!(json(&difference)["same"], difference.is_none());
}

const ALL: [(&str, &str); 4] = [
    ("prober.yaml", PROJECT),
    ("scenarios/home.yaml", HOME),
    ("scenarios/checkout.yaml", CHECKOUT),
    ("scenarios/health.yaml", MATRIX),
];

/// [`ALL`] with one file changed: what is `old` there is `new`.
fn with(path: &str, old: &str, new: &str) -> Vec<(String, String)> {
    let change = |(at, text): &(&str, &str)| {
        let text = if *at == path { text.replace(old, new) } else { (*text).to_owned() };
        ((*at).to_owned(), text)
    };
    ALL.iter().map(change).collect()
}

fn changed(path: &str, old: &str, new: &str, expected: &str) {
    let files = with(path, old, new);
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    check(&ALL, &files, expected);
}

#[test]
fn the_same_and_what_means_the_same() {
    check(&ALL, &ALL, "nothing would change against before");
    changed(
        "scenarios/home.yaml",
        "every: 1m",
        "# a remark\nevery: 1m",
        "nothing would change against before",
    );
    // The same in other words is another version of the scenario, so it is shown; no fact differs.
    changed(
        "scenarios/home.yaml",
        "every: 1m",
        "every: 60s",
        "~ home\n    every: 1m → 60s\nagainst before: 0 added, 0 removed, 0 renamed, 1 changed",
    );
}

#[test]
fn a_key_and_what_it_means() {
    changed(
        "scenarios/checkout.yaml",
        "every: 5m",
        "every: 1m",
        "~ checkout\n    schedule: every 5m → every 1m\n    every: 5m → 1m\nagainst before: 0 added, 0 removed, 0 renamed, 1 changed",
    );
    changed(
        "scenarios/checkout.yaml",
        "  - name: pay\n    http: https://${vars.host}/pay\n",
        "  - name: basket\n    http: https://${vars.host}/basket\n  - name: pay\n    http: POST https://${vars.host}/pay\n",
        "~ checkout\n    targets: GET https://shop.example/login, GET https://shop.example/pay → GET https://shop.example/login, GET https://shop.example/basket, POST https://shop.example/pay\n    + steps[basket]: {\"name\":\"basket\",\"http\":\"https://${vars.host}/basket\"}\n    steps[pay].http: https://${vars.host}/pay → POST https://${vars.host}/pay\nagainst before: 0 added, 0 removed, 0 renamed, 1 changed",
    );
}

#[test]
fn a_variable_reaches_every_scenario_that_uses_it() {
    changed(
        "prober.yaml",
        "regions: { eu: , us: }",
        "regions: { eu: , us: { vars: { host: us.shop.example } } }",
        "~ prober.yaml\n    regions.us: nothing → {\"vars\":{\"host\":\"us.shop.example\"}}\n~ checkout\n    targets (us): GET https://shop.example/login, GET https://shop.example/pay → GET https://us.shop.example/login, GET https://us.shop.example/pay\n~ health[service=a]\n    targets (us): GET https://a.shop.example/ → GET https://a.us.shop.example/\n~ health[service=b]\n    targets (us): GET https://b.shop.example/ → GET https://b.us.shop.example/\n~ health[service=c]\n    targets (us): GET https://c.shop.example/ → GET https://c.us.shop.example/\n~ health[service=d]\n    targets (us): GET https://d.shop.example/ → GET https://d.us.shop.example/\n~ home\n    targets (us): GET https://shop.example/ → GET https://us.shop.example/\nagainst before: 0 added, 0 removed, 0 renamed, 6 changed",
    );
}

#[test]
fn instances_that_change_alike_are_told_together() {
    changed(
        "scenarios/health.yaml",
        "every: 1m",
        "every: 30s",
        "~ health[service=a], health[service=b], health[service=c] and 1 more\n    schedule: every 1m → every 30s\n    every: 1m → 30s\nagainst before: 0 added, 0 removed, 0 renamed, 4 changed",
    );
}

#[test]
fn a_scenario_that_goes_takes_its_history_with_it() {
    check(
        &ALL,
        &[ALL[0], ALL[1], ALL[3]],
        "- checkout in eu, us\n! the history of checkout ends: the scenario is gone (99% in 30d)\nagainst before: 0 added, 1 removed, 0 renamed, 0 changed; 1 loses its history",
    );
    check(
        &[ALL[0], ALL[1]],
        &ALL,
        "+ checkout in eu, us\n+ health[service=a] in eu, us\n+ health[service=b] in eu, us\n+ health[service=c] in eu, us\n+ health[service=d] in eu, us\nagainst before: 5 added, 0 removed, 0 renamed, 0 changed",
    );
}

#[test]
fn a_new_name_without_the_old_one_is_pointed_out() {
    changed(
        "scenarios/checkout.yaml",
        "name: checkout",
        "name: order",
        "+ order in eu, us\n- checkout in eu, us\n! the history of checkout ends: the scenario is gone (99% in 30d)\n    `order` looks like it: write was: [checkout] in its file to keep the history\nagainst before: 1 added, 1 removed, 0 renamed, 0 changed; 1 loses its history",
    );
    changed(
        "scenarios/checkout.yaml",
        "name: checkout",
        "name: order\nwas: [checkout]",
        "> checkout is order now, and keeps its history\nagainst before: 0 added, 0 removed, 1 renamed, 0 changed",
    );
}

#[test]
fn a_region_that_is_left_ends_a_history() {
    changed(
        "scenarios/checkout.yaml",
        "every: 5m",
        "every: 5m\nregions: [eu]",
        "~ checkout\n    no longer in us\n    + regions: [\"eu\"]\n! the history of checkout ends: it no longer runs in us (99% in 30d)\nagainst before: 0 added, 0 removed, 0 renamed, 1 changed; 1 loses its history",
    );
}
