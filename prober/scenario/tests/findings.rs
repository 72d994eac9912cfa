//! What single mistakes are found to be, and what is suggested: tables of a file and its findings.

use crate::compile::{Options, Sources, compile};
use crate::testing::{KINDS, compiled, rendered, source};

/// The head of a scenario of one step.
const HEAD: &str = "name: a\naim: x\nevery: 1m\n";
/// The project of most cases.
const PROJECT: &str = "version: 1\n";

/// Checks codes of a scenario's findings, and that each of the texts is shown.
fn check(project: &str, rest: &str, codes: &[&str], texts: &[&str]) {
    let scenario = format!("{HEAD}{rest}");
    let found: Vec<_> = compiled(project, &[&scenario]).diagnostics.iter().map(|one| one.code).collect();
    let shown = rendered(project, &[&scenario]);
    assert_eq!(found, codes, "{rest}\n{shown}");
    for text in texts {
        assert!(shown.contains(text), "`{text}` is missing:\n{shown}");
    }
}

#[test]
fn variables_without_a_value() {
    let http = "http: https://x.example/${vars.path}\n";
    let help = ["found nothing", "write path: \"\" for an empty text"];
    check("version: 1\nvars:\n  path:\n", http, &["E210"], &help);
    for value in ["${vars.other}", "https://${region}.x.example", "[a]", "{ a: b }"] {
        let value = if value.starts_with(['[', '{']) { value.to_owned() } else { format!("\"{value}\"") };
        check(PROJECT, &format!("vars: {{ path: {value} }}\n{http}"), &["E210"], &[]);
        check(PROJECT, &format!("vars: {{ path: {value} }}\nhttp: https://x.example\n"), &["E210"], &[]);
        check(
            &format!("version: 1\nvars: {{ path: {value} }}\n"),
            "http: \"${vars.path}/\"\n",
            &["E210"],
            &[],
        );
    }
    check("version: 1\nvars: { path: ~ }\n", http, &["E210"], &help);
    check("version: 1\nregions: { eu: { vars: { path: null } } }\n", http, &["E210"], &help);
    check(PROJECT, &format!("vars: {{ path: }}\n{http}"), &["E210"], &help);
    check("version: 1\nvars: { path: \"\" }\n", http, &[], &[]);
    check(PROJECT, "matrix: { path: [a, ~] }\nhttp: https://x.example/${matrix.path}\n", &["E157"], &[]);
}

#[test]
fn what_to_type_for_a_value_from_elsewhere_belongs_there() {
    let project = "version: 1\nvars: { v: 1.10, n: 5, t: 3 }\n";
    for (rest, code, help) in [
        (
            "http: https://x.example\nexpect: { body: \"${vars.v}\" }\n",
            "E103",
            "help: where `vars.v` is set, put it in quotes: \"1.10\"",
        ),
        (
            "http: https://x.example\nexpect: { latency: { lt: \"${vars.n}\" } }\n",
            "E109",
            "help: where `vars.n` is set, write 5 with the unit that is meant: 5ms,",
        ),
        (
            "http: https://x.example\nexpect: { headers: { Last-Modified: { newer_than: \"${vars.n}\" } } }\n",
            "E109",
            "help: where `vars.n` is set, write 5 with the unit that is meant: 5ms,",
        ),
        (
            "timeout: \"${vars.t}\"\nhttp: https://x.example\n",
            "E109",
            "help: where `vars.t` is set, write 3s",
        ),
        ("timeout: 3\nhttp: https://x.example\n", "E109", "help: write timeout: 3s"),
    ] {
        let scenario = format!("name: a\naim: x\nevery: 1m\n{rest}");
        let shown = rendered(project, &[&scenario]);
        assert!(shown.contains(code) && shown.contains(help), "{shown}");
    }
}

#[test]
fn suggested_durations_are_of_one_unit() {
    let http = "http: https://x.example\n";
    let scenario = |keys: &str| format!("name: a\naim: x\n{keys}{http}");
    for (keys, help) in [
        ("every: 90s\ntimeout: 2m\n", "write timeout: 90s or less"),
        ("every: 90s\ntimeout: 89s\n", "write timeout: 45s"),
        ("every: 36h\ntimeout: 37h\n", "write timeout: 36h or less"),
    ] {
        let shown = rendered(PROJECT, &[&scenario(keys)]);
        assert!(shown.contains(help), "{keys}: {shown}");
    }
}

/// Checks what is found in an `expect`.
fn check_expect(expect: &str, codes: &[&str], texts: &[&str]) {
    check(PROJECT, &format!("http: https://x.example\nexpect: {{ {expect} }}\n"), codes, texts);
}

#[test]
fn what_a_key_finds_is_a_text() {
    check_expect("headers: { Content-Length: 202 }", &[], &[]);
    check_expect(
        "headers: { X: { gt: 5 } }",
        &["E308"],
        &["cannot be used with a text", "matches: '^[1-9][0-9]*$'"],
    );
    check_expect("headers: { X: [a] }", &["E103"], &["{ in: [\u{2026}] }"]);
    check_expect("headers: { X: true }", &["E103"], &["put it in quotes: X: \"true\""]);
    check_expect("headers: { X: 1.10 }", &["E103"], &["put it in quotes: X: \"1.10\""]);
    check_expect("headers: { X: { type: number } }", &["E308"], &[]);
    check_expect("headers: { X: { any: a } }", &[], &[]);
    check_expect("headers: { X: { a: b } }", &["E306"], &[]);
    check_expect("rows: { \"[0].a\": { gt: 5 } }", &[], &[]);
}

#[test]
fn numbers_that_cannot_be_kept() {
    let large = "123456789012345678901234567890";
    let texts = [
        "too large to be kept exactly",
        "put it in quotes: \"123456789012345678901234567890\" is a text, and equals a number with the same digits",
    ];
    check_expect(&format!("json: {{ $.a: {large} }}"), &["E104"], &texts);
    check(
        PROJECT,
        &format!("http: {{ url: https://x.example, json: {{ d: {large} }} }}\n"),
        &["E104"],
        &texts,
    );
    check_expect("json: { $.a: 12345678901234567891 }", &[], &[]);
    check_expect("json: { $.a: 1e300 }", &[], &[]);
    check_expect("json: { $.a: 100000000000000000000000 }", &[], &[]);
    check_expect("json: { $.a: 0.3 }", &[], &[]);
    let texts = [
        "more digits than can be kept exactly",
        "write 12345678901234568, or",
        "equals: \"12345678901234567.89\"",
    ];
    check_expect("json: { $.a: { gt: 12345678901234567.89 } }", &["E104"], &texts);
}

#[test]
fn rules_that_take_every_run() {
    let http = "http: https://x.example\n";
    let rule = |rule: &str, expect: &str| format!("{http}{expect}sli: {{ ineligible: [{rule}] }}\n");
    for (clause, expect, codes, text) in [
        ("{ status: { gte: 100 } }", "", &["E310"] as &[&str], "no run could ever be bad"),
        ("{ status: [1xx, 2xx, 3xx, 4xx, 5xx] }", "", &["E310"], "no run could ever be bad"),
        ("{ status: { exists: true } }", "", &["E310"], "no run could ever be bad"),
        ("{ status: { gte: 100 }, headers: { X: y } }", "", &["W343"], "leave it out: the others decide"),
        ("{ status: 2xx }", "", &["E310"], "none could be good"),
        ("{ status: { lt: 300 } }", "", &["E310"], "none could be good"),
        ("{ status: 200 }", "expect: { status: 200 }\n", &["E310"], "none could be good"),
        ("{ headers: { X: y } }", "expect: { headers: { X: y } }\n", &["E310"], "none could be good"),
        ("{ status: 200 }", "", &[], ""),
        ("{ status: 503 }", "expect: { status: [200, 503] }\n", &[], ""),
        ("{ status: 200, headers: { X: y } }", "expect: { status: 200 }\n", &[], ""),
        ("{ status: 503, headers: { X: { exists: true } } }", "", &[], ""),
    ] {
        check(PROJECT, &rule(clause, expect), codes, &[text]);
    }
    let poll = |stop: &str| format!("{http}poll: {{ until: {{ status: 200 }}, stop_if: {{ {stop} }} }}\n");
    check(PROJECT, &poll("status: { gte: 100 }"), &["E310"], &["the poll always ends with the first one"]);
    check(PROJECT, &poll("status: 410"), &[], &[]);
}

#[test]
fn runs_that_cannot_be_good() {
    let rules = |expect: &str, good: &str| {
        format!("http: https://x.example\nexpect: {{ {expect} }}\nsli: {{ good: {{ {good} }} }}\n")
    };
    for (expect, good, codes, text) in [
        ("status: 200", "status: 201", &["E310"] as &[&str], "`expect` wants status 200, and `good` 201"),
        ("status: 2xx", "status: { gte: 300 }", &["E310"], "no run can be good"),
        ("json: { $.a: { lt: 3 } }", "json: { $.a: { gt: 5 } }", &["E310"], "`expect` wants json $.a < 3"),
        ("headers: { X: a }", "headers: { X: b }", &["E310"], "no run can be good"),
        ("size: { lt: 1kB }", "size: { gt: 1MB }", &["E310"], "no run can be good"),
        ("status: 2xx", "status: 200", &[], ""),
        ("json: { $.a: 1 }", "json: { $.b: 2 }", &[], ""),
        ("size: { lt: 1MB }", "size: { gt: 1kB }", &[], ""),
        ("latency: { lt: 5s }", "latency: { lt: 1s }", &[], ""),
    ] {
        check(PROJECT, &rules(expect, good), codes, &[text]);
    }
    let implied = "http: https://x.example\nsli: { good: { status: 404 } }\n";
    check(PROJECT, implied, &["E310"], &["no run can be good"]);
}

#[test]
fn names_of_headers_are_the_same_in_capital_letters() {
    check_expect("headers: { X-A: a, x-a: b }", &["E007"], &["case does not matter"]);
    let sent = "http: { url: https://x.example, headers: { X-A: a, x-a: b } }\n";
    check(PROJECT, sent, &["E007"], &["case does not matter"]);
}

#[test]
fn helps_are_about_what_was_written() {
    let http = "http: https://x.example\n";
    let quoted = "put the value in quotes: \"https://${vars.shop}/a\"";
    check(PROJECT, "http: { url: https://${vars.shop}/a }\n", &["E010"], &[quoted]);
    check(
        PROJECT,
        &format!("{http}slo: {{ objective: 99,9% }}\n"),
        &["E021"],
        &["numbers have a point: write 99.9%"],
    );
    check(PROJECT, &format!("{http}slo:\n  objective: 95,5%\n"), &["E103"], &["write objective: 95.5%"]);
    check_expect("loss: { lt: 1,5% }", &["E021"], &["write 1.5%"]);
    check(PROJECT, "http: { url: https://x.example, json: { a: 1, b: } }\n", &[], &[]);
    let matrix = |status: &str| {
        format!(
            "matrix: {{ c: [\"{status}\"] }}\nhttp: https://x.example/${{matrix.c}}\nexpect: {{ status: \"${{matrix.c}}\" }}\n"
        )
    };
    check(PROJECT, &matrix("200x"), &["E307"], &["found the text `200x`"]);
    check(PROJECT, &matrix("20O"), &["E307"], &["found the text `20O`", "let it stand for 200"]);
    let names = "only `${vars.…}`, `${matrix.…}`, `${params.…}` and `${region}` can be used here";
    check_expect("body: { contains: \"${run.id}\" }", &["E207"], &[names]);
    check(
        PROJECT,
        "http: { url: https://x.example, tls: shop }\n",
        &["E103"],
        &["write tls: { sni: shop.example }"],
    );
}

#[test]
fn a_list_under_not_is_none_of_them() {
    let whole = "`not` compares with the list as a whole";
    let none = "for none of these write not_in: [a, \"1\"]";
    check_expect(
        "json: { $.a: { not: [a, \"1\"] } }",
        &["E305"],
        &[whole, none, "write not: { equals: [a, \"1\"] }"],
    );
    check_expect("body: { not: [a, \"1\"] }", &["E305"], &[none]);
    check_expect("headers: { X: { not: [a, \"1\"] } }", &["E305"], &[none]);
    check_expect("json: { $.a: { not: { equals: [a, b] } } }", &[], &[]);
    check_expect("json: { $.a: { not: [] } }", &[], &[]);
    check_expect("json: { $.a: { not: [[a]] } }", &[], &[]);
    check_expect("status: { not: [500, 501] }", &[], &[]);
}

#[test]
fn what_is_suggested_can_be_typed() {
    let aa = "write answers: { contains: 192.0.2.1 }";
    check_expect("answers: 192.0.2.1", &["E305"], &[aa]);
    check_expect("answers: { contains: 192.0.2.1 }", &[], &[]);
    check_expect("accepts: { not: old }", &["E305"], &["write not: { contains: old }"]);
    check_expect("accepts: { not: { contains: old } }", &[], &[]);
    check_expect("json: { a-b: 1 }", &["E302"], &["write \"$['a-b']\""]);
    check_expect("json: { \"$['a-b']\": 1 }", &[], &[]);
    check(PROJECT, "http: https://${region.name}.example/\n", &["E204"], &["write ${region}"]);
    check(PROJECT, "http: https://x.example/ #top\n", &["W320"], &["put the comment on a line of its own"]);
    for key in ["headers: { X: y }", "json: { a: b }"] {
        let texts = ["what is sent belongs under `http`", "what must come back under `expect`"];
        check(PROJECT, &format!("http: https://x.example\n{key}\n"), &["E102"], &texts);
    }
}

#[test]
fn cron_that_comes_true_otherwise_than_it_looks() {
    let scenario = |cron: &str| format!("name: a\naim: x\ncron: \"{cron}\"\nhttp: https://x.example\n");
    for (cron, code, text) in [
        ("*/61 * * * *", "E118", "write every: 61m"),
        ("0 9 1-7 * MON", "W359", "on every MON too"),
        ("*/45 * * * *", "W359", "write every: 45m for equal ones, or the values: 0,45"),
    ] {
        let shown = rendered(PROJECT, &[&scenario(cron)]);
        assert!(shown.contains(&format!("[{code}]")) && shown.contains(text), "{shown}");
    }
    assert_eq!(rendered(PROJECT, &[&scenario("0 9 * * MON#1")]), "");
    assert_eq!(rendered(PROJECT, &[&scenario("0,45 * * * *")]), "");
}

#[test]
fn a_file_that_cannot_be_read_is_the_only_mistake() {
    let broken = "version: 1\nregions: { eu: {}\nvars: { shop: https://shop.example }\n";
    let scenario = "name: a\naim: x\nregions: [eu]\nuse: rest\nalerts: { page: oncall }\nquorum: 2\n\
                    http: { url: \"${vars.shop}/\", headers: { X: \"${secrets.key}\" } }\n";
    let shown = rendered(broken, &[scenario]);
    let found: Vec<_> = compiled(broken, &[scenario]).diagnostics.iter().map(|one| one.code).collect();
    assert_eq!(found.len(), 1, "{shown}");
    assert!(
        shown.contains("--> prober.yaml") && shown.contains("the other files were not held against"),
        "{shown}"
    );
    // What is wrong whatever the project says is told.
    let shown = rendered(broken, &["name: a\nevery: 1m\nhttp: https://x.example\nexpct: {}\n"]);
    assert!(shown.contains("[E102]"), "{shown}");
}

#[test]
fn a_template_that_cannot_be_read_is_there() {
    let check = |template: &str, expected: &[&str]| {
        let sources = Sources {
            project: Some(source("prober.yaml", PROJECT)),
            templates: vec![source("templates/rest.yaml", template)],
            scenarios: vec![source("scenarios/a.yaml", "name: a\nuse: rest\n")],
            ..Sources::default()
        };
        let compiled = compile(sources, KINDS, &Options::default());
        let found: Vec<_> = compiled.diagnostics.iter().map(|one| one.code).collect();
        assert_eq!(found, expected, "{template}");
        assert!(compiled.plans.is_empty());
    };
    check("template: [rest]\nbody: { every: 1m, http: https://x.example }\n", &["E103"]);
    check("template: other\nbody: { every: 1m, http: https://x.example }\n", &["E151"]);
}

#[test]
fn instances_that_do_the_same() {
    let file = |url: &str| format!("matrix: {{ part: [cart, search, stock] }}\nhttp: {url}\n");
    let texts = ["3 instances of this matrix do the same: GET https://x.example/health", "${matrix.KEY}"];
    check(PROJECT, &file("https://x.example/health"), &["W349"], &texts);
    check(PROJECT, &file("https://x.example/${matrix.part}"), &[], &[]);
}
