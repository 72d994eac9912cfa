//! No text, however wrong, brings the compiler down or keeps it busy.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::compile::{Options, Sources, compile};
use crate::render::{Style, human, json};
use crate::testing::{KINDS, compiled, rendered, source};

const VALID: &str = "\
name: checkout
aim: >
  A customer gets an order.
every: 5m
labels: { tier: \"1\" }
steps:
  - name: login
    http: { method: POST, url: \"${vars.shop}/login\", json: { a: [1, 2, {b: c}] } }
    expect: { status: 200, json: { $.a: { gt: 5 } }, body: { matches: 'a+b' } }
    capture: { token: { json: $.t, secret: true } }
  - name: order
    http: https://x.example/${token | urlencode}
sli: { good: { latency: { lt: 30s } } }
";
const PROJECT: &str = "version: 1\nvars: { shop: https://shop.example }\nregions: { eu: {}, us: {} }\n";

/// Compiles and renders, and is done soon.
fn survive(project: &str, scenario: &str) {
    let began = Instant::now();
    let compiled = compiled(project, &[scenario]);
    let shown = human(&compiled.diagnostics, &compiled.sources, &Style::PLAIN);
    assert!(
        shown.chars().all(|letter| letter == '\n' || !letter.is_control()),
        "no control characters: {shown:?}"
    );
    json(&compiled.diagnostics, &compiled.sources);
    for diagnostic in &compiled.diagnostics {
        let source = &compiled.sources[diagnostic.span.file as usize];
        assert!(diagnostic.span.end as usize <= source.text.len() + 1, "{diagnostic:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "took {:?}", began.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survive("", &String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_yaml_like_text(text in "([a-z]{1,5}|[ :\\-\\[\\]{},&*!|>'\"%@`#?$\n\t]|\\$\\{|: |\n  |http: |every: |name: ){0,60}") {
        survive(&text, &text);
    }

    #[test]
    fn a_valid_file_with_a_piece_changed(at in 0..VALID.len(), length in 0_usize..20, piece in "[ :\\-\\[\\]{},&*!|>'\"%@$\n\ta-z0-9é]{0,6}") {
        let end = (at + length).min(VALID.len());
        survive(PROJECT, &format!("{}{piece}{}", &VALID[..at], &VALID[end..]));
    }

    #[test]
    fn any_value_anywhere(value in "[ -~é]{0,40}", slot in 0_usize..8) {
        let quoted = serde_json::Value::from(value).to_string();
        let files = [
            format!("name: {quoted}\nevery: 1m\nhttp: https://x.example\n"),
            format!("name: a\nevery: {quoted}\nhttp: https://x.example\n"),
            format!("name: a\ncron: {quoted}\nhttp: https://x.example\n"),
            format!("name: a\nevery: 1m\nhttp: {quoted}\n"),
            format!("name: a\nevery: 1m\nhttp: https://x.example\nexpect: {{ body: {{ matches: {quoted} }} }}\n"),
            format!("name: a\nevery: 1m\nhttp: https://x.example\nexpect: {{ json: {{ {quoted}: 1 }} }}\n"),
            format!("name: a\nevery: 1m\nhttp: https://x.example\nexpect: {{ rows: {{ {quoted}: 1 }} }}\n"),
            format!("name: a\ncron: \"0 6 * * *\"\ntimezone: {quoted}\nhttp: https://x.example\n"),
        ];
        survive("", &files[slot]);
    }
}

#[test]
fn bombs_and_depths() {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        writeln!(aliases, "a{level}: &a{level} [{}]", vec![format!("*a{before}"); 10].join(", ")).unwrap();
    }
    let big = "x".repeat(300 * 1024);
    let cases = [
        ("[".repeat(10_000), "E004"),
        ("{a: ".repeat(10_000), "E004"),
        ("- ".repeat(10_000), "E004"),
        (aliases, "E005"),
        (format!("a: &a \"{big}\"\nb: [*a, *a, *a, *a]\n"), "E005"),
        (format!("a: [{}]\n", "1,".repeat(30_000)), "E005"),
        ("a: &a { b: *a }\n".to_string(), "E016"),
        (format!("name: {}\n", "x".repeat(2 * 1024 * 1024)), "E002"),
        (format!("name: \"{}\"\nevery: 1m\nhttp: https://x.example\n", "x".repeat(1_000_000)), "E107"),
        (format!("name: a\nevery: 1m\nhttp: \"{}\"\n", "${run.id}".repeat(50_000)), "E205"),
        (
            format!("name: a\nevery: 1m\nhttp: x\nexpect: {{ json: {{ \"${}\": 1 }} }}\n", "[?(".repeat(150)),
            "E302",
        ),
        (
            format!(
                "name: a\nevery: 1m\nhttp: x\nexpect: {{ json: {{ \"$[?{}@.a]\": 1 }} }}\n",
                "!".repeat(400)
            ),
            "E302",
        ),
        (
            format!(
                "name: a\nevery: 1m\nhttp: x\nexpect: {{ body: {{ matches: '{}' }} }}\n",
                "(".repeat(5_000)
            ),
            "E301",
        ),
        (format!("name: a\ncron: \"{}0 * * * *\"\nhttp: x\n", "0-59/1,".repeat(10_000)), "E118"),
        (format!("{}\n", "? ".repeat(5_000)), "E"),
        (format!("name: a\n{}", "k: 1\n".repeat(5_000)), "E007"),
        ("&a ".repeat(5_000), "E"),
        ("!".repeat(100_000), "E"),
        ("\u{feff}name: a\nevery: 1m\nhttp: x\n\u{feff}".to_owned(), "E"),
    ];
    for (text, code) in cases {
        survive("", &text);
        let compiled = compiled("", &[&text]);
        let codes: Vec<_> = compiled.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert!(codes.iter().any(|found| found.starts_with(code)), "{code} for {text:.60}…: {codes:?}");
        assert!(compiled.plans.is_empty());
    }
}

#[test]
fn at_most_fifty_mistakes_of_a_file_are_shown() {
    let many: Vec<String> = (0..200).map(|index| format!("key{index}zzzz: 1\n")).collect();
    let many = many.concat();
    let shown = rendered(
        "",
        &[
            &format!("name: a\nevery: 1m\nhttp: https://x.example\n{many}"),
            "name: b\nhttp: https://x.example\n",
        ],
    );
    assert_eq!(shown.matches("error[").count(), 51, "fifty of the first file, one of the second");
    assert!(shown.contains("… and 150 more in scenarios/a.yaml"));
    assert!(shown.ends_with("201 errors in 2 of 2 files\n"));
}

/// Ten thousand scenarios compile within a second in release; a debug build gets more time.
#[test]
fn ten_thousand_scenarios() {
    let scenarios = (0..10_000).map(|index| {
        let text = format!(
            "name: scenario-{index}\naim: Service {index} answers.\nowner: team-{}\nevery: 10s\nhttp: ${{vars.shop}}/{index}\nexpect: {{ status: 200, json: {{ $.status: UP }} }}\nsli: {{ good: {{ latency: {{ lt: 300ms }} }} }}\n",
            index % 20
        );
        source(&format!("scenarios/{index}.yaml"), &text)
    });
    let sources = Sources {
        project: Some(source("prober.yaml", "version: 1\nvars: { shop: https://shop.example }\n")),
        scenarios: scenarios.collect(),
        ..Sources::default()
    };
    let began = Instant::now();
    let compiled = compile(sources, KINDS, &Options::default());
    let took = began.elapsed();
    assert_eq!((compiled.plans.len(), compiled.diagnostics.len()), (10_000, 0));
    let most = if cfg!(debug_assertions) { 60 } else { 5 };
    assert!(took < Duration::from_secs(most), "took {took:?}");
}
