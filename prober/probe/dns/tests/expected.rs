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
    let dot = "E305 write mail.example., the form in which it is shown";
    check("CNAME", "answers: { contains: mail.example }", &[dot]);
    check("NS", "answers: { equals_set: [ns1.example., mail.example] }", &[dot]);
    check(
        "MX",
        "answers: { contains: 10 mail.example }",
        &["E305 write 10 mail.example., the form in which it is shown"],
    );
    check("CNAME", "answers: { not: { contains: mail.example } }", &[dot]);
    check("CNAME", "answers: { any: mail.example }", &[dot]);
    check("CNAME", "answers: { any: { in: [mail.example] } }", &[dot]);
    check("CNAME", "answers: { any: { contains: mail.example } }", &[]);
    check("CNAME", "answers: { any: { starts_with: mail } }", &[]);
    check("CNAME", "answers: { contains: mail.example. }", &[]);
    check("MX", "answers: { contains: 10 mail.example. }", &[]);
    check("TXT", "answers: { contains: mail.example }", &[]);
    let small = "E305 write 2001:db8::1, the form in which it is shown";
    check("AAAA", "answers: { contains: \"2001:DB8::1\" }", &[small]);
    check("AAAA", "answers: { equals_set: [\"2001:db8:0::1\"] }", &[small]);
    check("AAAA", "answers: { contains: \"2001:db8::1\" }", &[]);
    check("A", "answers: { contains: 192.0.2.1 }", &[]);
}

#[test]
fn answers_are_of_their_type() {
    let v4 = "E305 each answer of this type is an IPv4 address like 203.0.113.10";
    let begin =
        |begin: &str| format!("E305 an answer is one address: write any: {{ starts_with: \"{begin}.\" }}");
    check("A", "answers: { contains: 127.0.0.300 }", &[v4]);
    check("A", "answers: { equals_set: [192.0.2.1, shop.example.] }", &[v4]);
    check("A", "answers: { any: 10.0.0.0/12 }", &[v4]);
    check("A", "answers: { any: 10.0.0.0/8 }", &[&begin("10")]);
    check("A", "answers: { all: { in: [192.0.2.0/24] } }", &[&begin("192.0.2")]);
    check("A", "answers: { any: { starts_with: \"10.\" } }", &[]);
    check("A", "answers: { not_contains: 127.0.0.1 }", &[]);
    check(
        "AAAA",
        "answers: { contains: 192.0.2.1 }",
        &["E305 each answer of this type is an IPv6 address like 2001:db8::1"],
    );
    let name = "E305 an answer has 2 parts: for the name write any: { ends_with: \" mail.example.\" }";
    check("MX", "answers: { contains: mail.example }", &[name]);
    check("MX", "answers: { any: { ends_with: mail.example. } }", &[]);
}
