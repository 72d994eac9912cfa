//! What single mistakes are found to be, and what is suggested: tables of a file and its findings.

use crate::testing::{compiled, rendered};

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
    check("version: 1\nvars: { path: ~ }\n", http, &["E210"], &help);
    check("version: 1\nregions: { eu: { vars: { path: null } } }\n", http, &["E210"], &help);
    check(PROJECT, &format!("vars: {{ path: }}\n{http}"), &["E210"], &help);
    check("version: 1\nvars: { path: \"\" }\n", http, &[], &[]);
    check(PROJECT, "matrix: { path: [a, ~] }\nhttp: https://x.example/${matrix.path}\n", &["E157"], &[]);
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
