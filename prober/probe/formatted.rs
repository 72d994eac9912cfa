//! The formatter's promises, on scenarios of every kind and key written in every style.

mod styled;
mod written;

use std::collections::BTreeSet;

use proptest::prelude::*;
use scenario::compile::{Compiled, Options, Sources, compile};
use scenario::fields::Key;
use scenario::fmt::format;
use scenario::source::Source;

use crate::{KINDS, Net};
use styled::Style;
use written::{Tree, example};

const PROJECT: &str = "\
version: 1
network: { private: allow }
vars: { shop: https://shop.example, folder: /var/shop }
regions: { eu: { vars: { limit: 300ms } }, us: { vars: { limit: 1s } } }
routes: { shop-oncall: { alertmanager: http://127.0.0.1:9093 }, shop-tickets: { webhook: https://hooks.example/ticket } }
secrets: { warehouse_dsn: { env: WAREHOUSE_DSN }, nats_password: { env: NATS_PASSWORD }, nats_token: { env: NATS_TOKEN } }
";

fn compiled(text: &str) -> Compiled<Net> {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let sources = Sources {
        project: Some(source("prober.yaml", PROJECT)),
        scenarios: vec![source("scenario.yaml", text)],
        ..Sources::default()
    };
    compile(sources, &KINDS, &Options { prober: "test".to_owned(), ..Options::default() })
}

/// Everything about the plans of a scenario but their places in the file.
fn plans(compiled: &Compiled<Net>) -> Vec<String> {
    let plan = |plan: &scenario::plan::Plan<Net>| {
        let steps = plan.steps().iter().map(|step| {
            format!("{step:?} {:?} {:?} {:?} {:?}", step.timeout, step.expect, step.warn, step.captures)
        });
        let steps: Vec<_> = steps.collect();
        let about = (&plan.about().title, &plan.about().aim, &plan.about().owner, &plan.about().runbook);
        let sli = (plan.good(), plan.ineligible(), plan.continue_on_failure(), plan.secrets_used());
        format!("{plan:?} {steps:?} {about:?} {sli:?} {:?} {:?}", plan.interval(), plan.origin().version)
    };
    compiled.plans.iter().map(plan).collect()
}

/// Formats and holds the promises; gives what was formatted.
fn keeps_its_promises(text: &str) -> String {
    let once = format(0, text, &KINDS).unwrap_or_else(|refusal| panic!("{refusal:?} of\n{text}"));
    assert_eq!(
        format(0, &once, &KINDS).as_ref(),
        Ok(&once),
        "formatting is not done after the first time\n{text}"
    );
    let (before, after) = (compiled(text), compiled(&once));
    assert_eq!(plans(&before), plans(&after), "from\n{text}\nto\n{once}");
    let codes = |compiled: &Compiled<Net>| -> Vec<_> {
        let mut codes: Vec<_> =
            compiled.diagnostics.iter().map(|one| (one.code, one.message.clone())).collect();
        codes.sort();
        codes
    };
    assert_eq!(codes(&before), codes(&after), "from\n{text}\nto\n{once}");
    assert_eq!(comments(text), comments(&once), "from\n{text}\nto\n{once}");
    once
}

/// The comments that [`styled`] has put in, which no value looks like.
fn comments(text: &str) -> Vec<String> {
    let mut found: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once("# c"))
        .map(|(_, rest)| rest.trim().to_owned())
        .collect();
    found.sort();
    found
}

fn is_sound(tree: &Tree) -> bool {
    let compiled = compiled(&Style::plain().write(tree));
    !compiled.has_errors() && !compiled.plans.is_empty()
}

/// A scenario with one step of a kind, and as many of the chosen keys as go together.
fn scenario(kind: usize, chosen: &[u8]) -> Tree {
    let kind = &KINDS[kind % KINDS.len()];
    let mut bits = chosen.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1)).cycle();
    let mut body = Vec::new();
    for key in kind.keys.iter().filter(|key| key.need == scenario::fields::Need::Required) {
        body.push((key.name.to_owned(), example(key.example)));
    }
    let mut tree = Tree::map([
        ("name", Tree::plain("made")),
        ("every", Tree::plain("1m")),
        (kind.name, Tree::Map(body)),
    ]);
    for key in kind.keys.iter().filter(|key| key.need != scenario::fields::Need::Required) {
        if bits.next() == Some(true) {
            tree.try_with(&[kind.name, key.name], example(key.example), is_sound);
        }
    }
    for key in scenario::file::SCENARIO_KEYS.iter().filter(|key| key.name != "name") {
        if bits.next() == Some(true) {
            let value = if key.name == "regions" { example("[eu, us]") } else { example(key.example) };
            tree.try_with(&[key.name], value, is_sound);
        }
    }
    for subject in kind.subjects {
        for part in ["expect", "warn"] {
            if bits.next() == Some(true) {
                tree.try_with(&[part, subject.name], example(subject.example), is_sound);
            }
        }
    }
    tree.try_with(&["sli", "good"], example("{ latency: { lt: \"${vars.limit}\" } }"), is_sound);
    tree
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_scenarios_in_any_style(
        kind in 0..KINDS.len(),
        chosen in prop::collection::vec(any::<u8>(), 8),
        style in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let tree = scenario(kind, &chosen);
        prop_assert!(is_sound(&tree), "{tree:?}");
        let text = Style::new(&style).write(&tree);
        let before = compiled(&text);
        prop_assert!(!before.has_errors(), "the style changes what is said: {:?}\n{text}", before.diagnostics);
        keeps_its_promises(&text);
    }

    #[test]
    fn any_values_in_any_style(tree in any_tree(), style in prop::collection::vec(any::<u8>(), 1..60)) {
        keeps_its_promises(&Style::new(&style).write(&Tree::map([("json", tree)])));
    }
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        "[ -~é\n\t]{0,12}".prop_map(Tree::Text),
        "[a-z]{1,9}".prop_map(Tree::Text),
        prop_oneof![Just("1"), Just("~"), Just("true"), Just("0x1f"), Just("1.10"), Just("-3")]
            .prop_map(Tree::plain),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::List);
        let map = prop::collection::btree_map("[ -~]{1,8}", inner, 0..5);
        prop_oneof![list, map.prop_map(|map| Tree::Map(map.into_iter().collect()))]
    })
}

/// The tree with the example of one key or subject, and of one more key beside it if it makes no sense alone.
fn with(
    bare: &Tree,
    (path, text): (&[&'static str], &str),
    kind: &'static str,
    keys: &[Key],
) -> Option<Tree> {
    let mut tree = bare.clone();
    if tree.try_with(path, example(text), is_sound) || tree.has(path) {
        return Some(tree);
    }
    keys.iter().find_map(|beside| {
        let mut tree = bare.clone();
        let taken = tree.try_with(&[kind, beside.name], example(beside.example), is_sound);
        (taken && tree.try_with(path, example(text), is_sound)).then_some(tree)
    })
}

#[test]
fn every_key_and_subject_of_every_kind() {
    let mut left_out = BTreeSet::new();
    for (number, kind) in KINDS.iter().enumerate() {
        let bare = scenario(number, &[0]);
        let keys = kind.keys.iter().map(|key| (vec![kind.name, key.name], key.example));
        let subjects = kind.subjects.iter().map(|subject| (vec!["expect", subject.name], subject.example));
        for (path, text) in keys.chain(subjects) {
            let Some(tree) = with(&bare, (&path[..], text), kind.name, kind.keys) else {
                left_out.insert(path.join("."));
                continue;
            };
            for style in [&[0][..], &[1, 2, 3], &[7, 5, 3, 2, 1, 0, 4], &[255, 254, 13, 77]] {
                keeps_its_promises(&Style::new(style).write(&tree));
            }
        }
    }
    // Keys that want another one beside them, or a secret.
    assert!(left_out.len() <= 9, "no scenario could be made with {left_out:?}");
}
