//! What can be expected of answers: words and forms that no answer has are mistakes.

use scenario::compile::{Options, Sources, compile};
use scenario::source::Source;

use crate::KINDS;

fn check(kind: &str, expect: &str, expected: &[&str]) {
    let text = format!(
        "name: a\naim: x\nevery: 1m\ndns: {{ name: shop.example, type: {kind} }}\nexpect: {{ {expect} }}\n"
    );
    let sources = Sources {
        project: Some(Source { path: "prober.yaml".to_owned(), text: "version: 1\n".to_owned() }),
        scenarios: vec![Source { path: "scenario.yaml".to_owned(), text }],
        ..Sources::default()
    };
    let compiled = compile(sources, &KINDS, &Options { prober: "test".to_owned(), ..Options::default() });
    let found = compiled.diagnostics.iter().map(|one| format!("{} {}", one.code, one.help.join("; ")));
    assert_eq!(found.collect::<Vec<_>>(), expected, "{kind} {expect}");
}

#[test]
fn flags_are_known_words() {
    check("A", "flags: { not_contains: tc }", &[]);
    check("A", "flags: { contains: [aa, rd] }", &[]);
    check("A", "flags: { not_contains: tcc }", &["E105 "]);
}

#[test]
fn answers_have_one_form() {
    let dot = "E305 write mail.example., the form that answers have";
    check("CNAME", "answers: { contains: mail.example }", &[dot]);
    check("NS", "answers: { equals_set: [ns1.example., mail.example] }", &[dot]);
    check(
        "MX",
        "answers: { contains: 10 mail.example }",
        &["E305 write 10 mail.example., the form that answers have"],
    );
    check("CNAME", "answers: { not: { contains: mail.example } }", &[dot]);
    check("CNAME", "answers: { any: mail.example }", &[dot]);
    check("CNAME", "answers: { any: { in: [mail.example] } }", &[dot]);
    check("CNAME", "answers: { any: { contains: mail.example } }", &[]);
    check("CNAME", "answers: { any: { starts_with: mail } }", &[]);
    check("CNAME", "answers: { contains: mail.example. }", &[]);
    check("MX", "answers: { contains: 10 mail.example. }", &[]);
    check("TXT", "answers: { contains: mail.example }", &[]);
    let small = "E305 write 2001:db8::1, the form that answers have";
    check("AAAA", "answers: { contains: \"2001:DB8::1\" }", &[small]);
    check("AAAA", "answers: { equals_set: [\"2001:db8:0::1\"] }", &[small]);
    check("AAAA", "answers: { contains: \"2001:db8::1\" }", &[]);
    check("A", "answers: { contains: 192.0.2.1 }", &[]);
}
