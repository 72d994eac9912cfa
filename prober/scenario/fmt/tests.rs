//! What the formatter does, by example; its promises for any text are in `promises`.

mod hostile;
mod promises;

use super::{Refusal, format};
use crate::testing::KINDS;

/// The canonical form, which must be its own canonical form.
fn formatted(text: &str) -> String {
    let once = format(0, text, KINDS).unwrap_or_else(|refusal| panic!("{refusal:?} of\n{text}"));
    let twice = format(0, &once, KINDS).unwrap_or_else(|refusal| panic!("{refusal:?} of\n{once}"));
    assert_eq!(once, twice, "formatting is not done after the first time; the file was\n{text}");
    once
}

fn check(input: &str, expected: &str) {
    assert_eq!(formatted(input), expected, "from\n{input}");
}

/// What is canonical already.
fn stays(text: &str) {
    check(text, text);
}

#[test]
fn keys_stand_in_the_order_of_the_tables() {
    check(
        "http: https://shop.example/\nexpect: { status: 200 }\nevery: 1m\nname: a\n",
        "name: a\nevery: 1m\nhttp: https://shop.example/\nexpect: { status: 200 }\n",
    );
    check(
        "version: 1\nvars: { b: 1, a: 2 }\nscenarios: [a.yaml]\n",
        "version: 1\nscenarios: [a.yaml]\nvars: { b: 1, a: 2 }\n",
    );
    check(
        "name: a\nsteps:\n- expect: {status: 200}\n  http: {json: {z: 1, a: 2}, method: POST, url: x}\n  name: s\n",
        "name: a\nsteps:\n  - name: s\n    http: { url: x, method: POST, json: { z: 1, a: 2 } }\n    expect: { status: 200 }\n",
    );
}

#[test]
fn templates_and_envelopes_have_an_order_too() {
    check(
        "body: { http: x, every: 1m }\nparams:\n  b: { doc: c, type: url }\n  a: { type: url, default: d }\ntemplate: t\n",
        "template: t\nparams:\n  b: { type: url, doc: c }\n  a: { type: url, default: d }\nbody: { every: 1m, http: x }\n",
    );
    check(
        "spec: { http: x, every: 1m }\nmetadata: { name: a }\nkind: Scenario\napiVersion: v\n",
        "apiVersion: v\nkind: Scenario\nmetadata: { name: a }\nspec: { every: 1m, http: x }\n",
    );
}

#[test]
fn keys_that_the_language_does_not_know_stay_behind_what_they_follow() {
    check(
        "mine: 1\nevery: 1m\nyours: 2\nname: a\ntheirs: 3\n",
        "mine: 1\nname: a\ntheirs: 3\nevery: 1m\nyours: 2\n",
    );
}

#[test]
fn the_order_of_assertions_headers_and_json_stays() {
    stays(
        "name: a\nhttp:\n  url: x\n  headers: { Z: 1, A: 2 }\n  json: { z: 1, a: 2 }\nexpect:\n  json: { $.b: 1, $.a: 2 }\n  status: 200\n  body: { matches: b, contains: a }\n",
    );
}

#[test]
fn quotes_stand_where_they_are_needed() {
    for (input, expected) in [
        ("\"plain\"", "plain"),
        ("'it''s'", "it's"),
        ("\"Bearer ${token}\"", "Bearer ${token}"),
        ("on", "\"on\""),
        ("NO", "\"NO\""),
        ("'y'", "\"y\""),
        ("\"1.10\"", "\"1.10\""),
        ("1.10", "1.10"),
        ("1_000", "\"1_000\""),
        ("12:30", "\"12:30\""),
        ("127.0.0.1:80", "\"127.0.0.1:80\""),
        ("127.0.0.1", "127.0.0.1"),
        ("2026-11-26", "\"2026-11-26\""),
        ("2026-11-26T10:00:00Z", "\"2026-11-26T10:00:00Z\""),
        ("2026-11-26-backup", "2026-11-26-backup"),
        (".inf", "\".inf\""),
        ("0b1", "\"0b1\""),
        ("30d", "30d"),
        ("1e3", "1e3"),
        ("0 2 * * SUN", "\"0 2 * * SUN\""),
        ("'*/30 6-20 * * MON-FRI'", "\"*/30 6-20 * * MON-FRI\""),
        ("\"a: b\"", "\"a: b\""),
        ("\"a #b\"", "\"a #b\""),
        ("a#b", "a#b"),
        ("'say \"hi\"'", "say \"hi\""),
        ("'\"hi\" he said'", "'\"hi\" he said'"),
        ("\"\\\\d+\"", "\\d+"),
        ("\"[0-9]\\\\d+\"", "'[0-9]\\d+'"),
        ("\"'a' \\\\ b \"", "\"'a' \\\\ b \""),
        ("\"tab\\there\"", "\"tab\\there\""),
        ("\"\\x41\\u00e4\"", "Aä"),
        ("\"\\u2028\"", "\"\\u2028\""),
        ("\"220 \"", "\"220 \""),
        ("\"\"", "\"\""),
        ("~", "~"),
        ("null", "null"),
        ("\"null\"", "\"null\""),
        ("True", "True"),
        ("-x", "-x"),
        ("--x", "\"--x\""),
        ("../x", "../x"),
        ("...x", "\"...x\""),
        ("=", "\"=\""),
        ("\"@home\"", "\"@home\""),
        ("https://shop.example/?a=b&c=d", "https://shop.example/?a=b&c=d"),
    ] {
        check(&format!("aim: {input}\n"), &format!("aim: {expected}\n"));
    }
    check(
        "labels: { 'a': \"b\", \"on\": x, '$.x[0]': \"${y}\" }\n",
        "labels: { a: b, \"on\": x, \"$.x[0]\": \"${y}\" }\n",
    );
    check("expect:\n  json:\n    \"$.x[0]\": 'a'\n", "expect:\n  json:\n    $.x[0]: a\n");
}

#[test]
fn indentation_is_two_spaces_and_blank_lines_are_at_most_one() {
    check(
        "\n\nname: a\n\n\n\nsteps:\n\n-   name: b\n\n    http:\n          url: x\n\n\n-   name: c\n    http: z\n\n\n",
        "name: a\n\nsteps:\n  - name: b\n\n    http:\n      url: x\n\n  - name: c\n    http: z\n",
    );
    check("a:\r\n   b: 1\r\n   c:   2   \r\n", "a:\n  b: 1\n  c: 2\n");
    check("- - a\n  -   - b\n- c", "- - a\n  - - b\n- c\n");
}

#[test]
fn flow_and_block_stay_unless_flow_is_too_long() {
    check("a: {b: 1,c: [ 1,2 ]}\n", "a: { b: 1, c: [1, 2] }\n");
    check(
        "a: {}\nb: []\nc: { }\nd: {e, f: }\ng: [h: 1]\n",
        "a: {}\nb: []\nc: {}\nd: { e: ~, f: ~ }\ng: [{ h: 1 }]\n",
    );
    check("a: [b,\n  c]\n", "a: [b, c]\n");
    check("a: [\n  b, c,\n]\n", "a:\n  - b\n  - c\n");
    check("json: {\n  \"a\": 1,\n  \"b\": {\"c\": [1, 2]}\n}\n", "json:\n  a: 1\n  b: { c: [1, 2] }\n");
    let long = "x".repeat(40);
    check(
        &format!("a: {{ b: {long}, c: {{ d: {long}, e: \"${{f}}\" }} }}\n"),
        &format!("a:\n  b: {long}\n  c: {{ d: {long}, e: \"${{f}}\" }}\n"),
    );
    check(
        &format!("a: [[{long}, {long}], {{ b: {long}, c: {long} }}, d]\n"),
        &format!("a:\n  - [{long}, {long}]\n  - {{ b: {long}, c: {long} }}\n  - d\n"),
    );
    check("{ name: a, http: x }\n", "name: a\nhttp: x\n");
}

#[test]
fn comments_stay_and_move_with_their_key() {
    check(
        "# about the file\n\n# how often\nevery: 1m # often\n# the name\nname: a # short\n",
        "# about the file\n\n# the name\nname: a # short\n# how often\nevery: 1m # often\n",
    );
    stays("# yaml-language-server: $schema=../x.json\nname: a\n");
    check(
        "# about the file\nevery: 1m\nname: a\n# the end\n",
        "# about the file\nname: a\nevery: 1m\n# the end\n",
    );
    check("--- # start\n# head\nname: a\n... # end\n", "--- # start\n# head\nname: a\n# end\n");
    check("# before\n---\nname: a\n", "# before\n---\nname: a\n");
    check(
        "name: a\nvars: # all\n    # first\n    x: 1 # one\n\n    # last\n# next\nhttp: z\n",
        "name: a\nvars: # all\n  # first\n  x: 1 # one\n\n  # last\n# next\nhttp: z\n",
    );
    check("vars:\n  # x: 1\nhttp: z\n", "vars:\n  # x: 1\nhttp: z\n");
    check("aim: # why\n  because\n", "aim: because # why\n");
    check("aim:\n  # why\n  because\n", "# why\naim: because\n");
    check(
        "a: [ # one\n  b, # two\n  # three\n  c\n  # four\n] # five\n",
        "# one\na: # five\n  - b # two\n  # three\n  - c\n  # four\n",
    );
    check("a: [\n # nothing yet\n]\n", "# nothing yet\na: []\n");
    check(
        "steps:\n- # one\n  http: x\n  # two\n  name: b\n",
        "steps:\n  # one\n  # two\n  - name: b\n    http: x\n",
    );
    check("a: | # text\n  b\n# c\nd: 1\n", "a: | # text\n  b\n# c\nd: 1\n");
    check("a:\n- b\n# c\n- d\n  # e\nf: 1\n", "a:\n  - b\n  # c\n  - d\n  # e\nf: 1\n");
}

#[test]
fn waivers_stay_with_their_line() {
    let long = "x".repeat(90);
    // A line with a waiver is not broken.
    stays(&format!("name: a\nvars: {{ b: {long}, c: 1 }} # prober: allow W340 because\n"));
    stays(&format!("name: a\n# prober: allow W340 because\nvars: {{ b: {long}, c: 1 }}\n"));
    stays(&format!("name: a\nsteps:\n  # prober: allow W340 because\n  - {{ name: x, http: {long} }}\n"));
    // One above an item follows the key behind the dash, which may move.
    check(
        "steps:\n  # c\n  # prober: allow W340 because\n  - http: x\n    name: b\n",
        "steps:\n  # c\n  - name: b\n    # prober: allow W340 because\n    http: x\n",
    );
    // One at the head stays there, and none gets there.
    check(
        "# c\n\n# prober: allow W340 because\nhttp: x\nname: b\n",
        "# c\n\n# prober: allow W340 because\nname: b\nhttp: x\n",
    );
    stays("http: x\n# prober: allow W340 because\nname: b\n");
}

#[test]
fn comments_in_a_column_stay_in_a_column() {
    check(
        "a: \"b\"     # one\nccc: 'd'   # two\n\ne: f  # three\n",
        "a: b     # one\nccc: d   # two\n\ne: f  # three\n",
    );
    check("vars:\n    a: 1     # one\n    bb: 22   # two\n", "vars:\n  a: 1     # one\n  bb: 22   # two\n");
}

#[test]
fn texts_of_several_lines_stay() {
    check(
        "steps:\n- name: a\n  aim: >\n      b\n      c\n\n      d\n  x: 1\n",
        "steps:\n  - name: a\n    aim: >\n      b\n      c\n\n      d\n    x: 1\n",
    );
    check("a: |2-\n    b\n  c\nd: 1\n", "a: |2-\n    b\n  c\nd: 1\n");
    check(
        "a: |+\n    b\n\n\nc: >-\n   d\n     e\n   f\n\n\n\ng: 1\n",
        "a: |+\n  b\n\n\nc: >-\n  d\n    e\n  f\n\ng: 1\n",
    );
    check("http: |+\n  b\n\nname: a\n", "name: a\nhttp: |+\n  b\n\n");
    check(
        "a: one\n    two\n\n    three # c\nb: \"x\n   y\\\n     \\ z\"\n",
        "a: one\n  two\n\n  three # c\nb: \"x\n  y\\\n  \\ z\"\n",
    );
    check("a:\n  - |\n   b\n  -   c\n      d\n", "a:\n  - |\n    b\n  - c\n    d\n");
    check("a: >\n\n\n   b\nc: |\n\n", "a: >\n\n\n  b\nc: |\n");
    check("a: |\n  b", "a: |\n  b\n");
}

#[test]
fn names_of_values_stay_and_so_does_the_order() {
    check(
        "http: &a x\nname: *a\nvars: &b\n    c: *a\nd: [&e 1, *e , *b ]\n*a : 1\n",
        "http: &a x\nname: *a\nvars: &b\n  c: *a\nd: [&e 1, *e, *b]\n*a : 1\n",
    );
    check("a:\n- &b\n  c: 1\n- &d e\n- *b\n", "a:\n  - &b\n    c: 1\n  - &d e\n  - *b\n");
}

#[test]
fn what_cannot_be_read_is_refused() {
    for (text, code) in [
        ("a: [", "E003"),
        ("a: 1\na: 2\n", "E007"),
        ("a: 1\n---\nb: 2\n", "E008"),
        ("a: !!str 1\n", "E006"),
        ("", "E015"),
        ("# nothing\n", "E015"),
        ("just a text\n", "E103"),
    ] {
        let Err(Refusal::Mistakes(mistakes)) = format(0, text, KINDS) else { panic!("{text} was formatted") };
        assert_eq!(mistakes[0].code, code, "{text}");
    }
}

#[test]
fn there_is_one_version() {
    let from = |text: &str| super::upgrade(0, text).map(|upgraded| upgraded.from);
    assert_eq!(from("version: 1\n"), Ok(Some(1)));
    assert_eq!(from("name: a\n"), Ok(None));
    assert_eq!(super::upgrade(0, "version: 1 # c\n").unwrap().text, "version: 1 # c\n");
    for text in ["version: 2\n", "version: 0\n", "version: one\n", "version: [1]\n"] {
        let Err(Refusal::Mistakes(mistakes)) = from(text) else { panic!("{text} was upgraded") };
        assert_eq!(mistakes[0].code, "E120", "{text}");
    }
}
