use std::time::Duration;

use serde_json::json;

use super::*;
use crate::testing::{Facts, compiled, rendered};

fn now() -> Timestamp {
    "2026-02-01T12:00:00Z".parse().unwrap()
}

/// The first assertion of `expect: { SUBJECT: YAML }`.
fn assertion(subject: &str, yaml: &str) -> Assertion {
    let file = format!("name: a\nevery: 1m\nhttp: https://x.example\nexpect: {{ {subject}: {yaml} }}\n");
    assert_eq!(rendered("", &[&file]), "", "{yaml}");
    let compiled = compiled("", &[&file]);
    let expect = &compiled.plans[0].steps()[0].expect;
    expect.iter().find(|assertion| assertion.subject() == subject).expect("the author's assertion").clone()
}

fn look(assertion: &Assertion, facts: &Facts) -> Checked {
    assertion.check(&Observed::new(facts, Duration::from_millis(420), now()))
}

/// `yaml` under `json: { $.v: … }` against a document; the message must be as expected, empty if it holds.
#[expect(clippy::needless_pass_by_value, reason = "a table of cases reads better without references")]
fn check_json(yaml: &str, value: serde_json::Value, expected: &str) {
    let assertion = assertion("json", &format!("{{ $.v: {yaml} }}"));
    let checked = look(&assertion, &Facts { json: Some(json!({ "v": value })), ..Facts::default() });
    assert_eq!(checked.message, expected, "{yaml}");
    assert_eq!(checked.pass, expected.is_empty(), "{yaml}");
}

fn check_one(subject: &'static str, yaml: &str, value: Value<'static>, expected: &str) {
    let checked =
        look(&assertion(subject, yaml), &Facts { values: vec![(subject, value)], ..Facts::default() });
    assert_eq!(checked.message, expected, "{yaml}");
    assert_eq!(checked.pass, expected.is_empty(), "{yaml}");
}

#[test]
fn shares_are_compared_with_their_sign() {
    let share = |millionths| Value::Share(model::objective::Share::of_millionths(millionths).unwrap());
    check_one("loss", "{ lte: 5% }", share(50_000), "");
    check_one("loss", "0%", share(0), "");
    check_one("loss", "{ lt: 34% }", share(333_333), "");
    check_one("loss", "{ lte: 5% }", share(333_333), "loss is 33.3333%, expected ≤ 5%");
    check_one("loss", "{ in: [0%, 50%] }", share(500_000), "");
}

#[test]
fn json_values() {
    check_json("confirmed", json!("confirmed"), "");
    check_json("confirmed", json!("pending"), r#"json $.v is "pending", expected "confirmed""#);
    check_json("5", json!("5"), r#"json $.v is "5", expected 5 (a text is not a number)"#);
    check_json("'5'", json!(5), r#"json $.v is 5, expected "5" (a number is not a text)"#);
    check_json("5", json!(5.0), "");
    check_json("true", json!(null), "json $.v is null, expected true (null is not true or false)");
    check_json("null", json!(null), "");
    check_json("[1, a]", json!([1, "a"]), "");
    check_json("{ equals: { a: [1] } }", json!({ "a": [1] }), "");
    check_json(
        "{ equals: { a: [1] } }",
        json!({ "a": [1], "b": 2 }),
        r#"json $.v is {"a":[1],"b":2}, expected {"a":[1]}"#,
    );
    check_json("{ not: UP }", json!("UP"), r#"json $.v is "UP", expected not "UP""#);
    check_json("{ not: { matches: '^a' } }", json!("bcd"), "");
    check_json(
        "{ in: [pending, confirmed] }",
        json!("lost"),
        r#"json $.v is "lost", expected one of "pending", "confirmed""#,
    );
    check_json("{ not_in: [1, 2] }", json!(3), "");
}

#[test]
fn json_orders() {
    check_json("{ gt: 5 }", json!(6), "");
    check_json("{ gt: 5 }", json!(5), "json $.v is 5, expected > 5");
    check_json("{ gte: 1, lt: 2.5 }", json!(2.5), "json $.v is 2.5, expected ≥ 1 and < 2.5");
    check_json("{ lte: 5 }", json!("4"), r#"json $.v is "4", expected ≤ 5 (a text is not a number)"#);
    check_json("{ lt: 10 }", json!(9_007_199_254_740_993_i64), "json $.v is 9007199254740993, expected < 10");
}

#[test]
fn json_texts_lists_and_types() {
    check_json("{ contains: b }", json!("abc"), "");
    check_json("{ contains: [a, b] }", json!(["a"]), r#"json $.v is ["a"], expected containing "a", "b""#);
    check_json("{ not_contains: x }", json!(["x"]), r#"json $.v is ["x"], expected not containing "x""#);
    check_json(
        "{ contains: 1 }",
        json!("1"),
        r#"json $.v is "1", expected containing 1 (a text is not a text or list that can contain it)"#,
    );
    check_json("{ matches: '^\\d+$' }", json!("12a"), r#"json $.v is "12a", expected matching /^\d+$/"#);
    check_json("{ starts_with: a, ends_with: c }", json!("abc"), "");
    check_json("{ matches: a }", json!(5), "json $.v is 5, expected matching /a/ (a number is not a text)");
    check_json("{ type: integer }", json!(5), "");
    check_json("{ type: string }", json!(5), "json $.v is 5, expected of type string");
    check_json("{ type: null }", json!(null), "");
    check_json("{ len: 2 }", json!([1, 2]), "");
    check_json(
        "{ len: { gte: 3 } }",
        json!("ab"),
        r#"json $.v is "ab", expected length ≥ 3 (its length is 2)"#,
    );
    check_json("{ any: { gt: 5 } }", json!([1, 9]), "");
    check_json("{ all: { gt: 5 } }", json!([1, 9]), "json $.v is [1, 9], expected every item > 5");
    check_json("{ equals_set: [b, a] }", json!(["a", "b"]), "");
    check_json(
        "{ equals_set: [a] }",
        json!(["a", "c"]),
        r#"json $.v is ["a", "c"], expected exactly "a" ("c" is too many)"#,
    );
    check_json(
        "{ equals_set: [a, d] }",
        json!(["a"]),
        r#"json $.v is ["a"], expected exactly "a", "d" ("d" is missing)"#,
    );
}

#[test]
fn several_nodes_of_a_path() {
    let facts =
        Facts { json: Some(json!({ "items": [{ "s": "up" }, { "s": "down" }] })), ..Facts::default() };
    for (yaml, expected) in [
        ("{ in: [up, down] }", ""),
        ("{ any: { equals: down } }", ""),
        ("{ not: { any: gone } }", ""),
        ("{ not: { any: down } }", r#"json $.items[*].s is "up", "down", expected not any item "down""#),
        ("{ not: { not: { any: down } } }", ""),
        ("{ len: 2 }", ""),
        ("up", r#"json $.items[*].s is "up", "down", expected "up" (value 2 of 2 is "down")"#),
        ("{ all: up }", r#"json $.items[*].s is "up", "down", expected every item "up""#),
    ] {
        let checked = look(&assertion("json", &format!("{{ \"$.items[*].s\": {yaml} }}")), &facts);
        assert_eq!(checked.message, expected, "{yaml}");
    }
}

#[test]
fn one_node_of_a_path_that_may_have_several_is_a_list_of_one() {
    let one = json!({ "items": [{ "name": "teapot", "price": 5, "tags": ["a", "b"] }], "q'": "text" });
    let facts = Facts { json: Some(one), ..Facts::default() };
    for (path, yaml, expected) in [
        ("$.items[*].name", "{ len: 1 }", ""),
        (
            "$.items[*].name",
            "{ len: { gte: 3 } }",
            r#"json $.items[*].name is "teapot", expected length ≥ 3 (there is one match)"#,
        ),
        ("$.items[*]", "{ not: { len: { gte: 2 } } }", ""),
        ("$..price", "{ len: 1, lt: 6 }", ""),
        ("$..price", "{ len: 1, lt: 5 }", "json $..price is 5, expected length 1 and < 5"),
        ("$.items[?@.price > 4].price", "{ all: { gt: 4 } }", ""),
        ("$.items[*].price", "{ equals_set: [5] }", ""),
        ("$.items[?@.price == 5].tags", "{ len: 2 }", ""),
        ("$.items[?@.price == 5].tags", "{ any: b }", ""),
        ("$.items[0].name", "{ len: 6 }", ""),
        ("$[\"q'\"]", "{ len: 4 }", ""),
        (
            "$.items[0].price",
            "{ all: 5 }",
            "json $.items[0].price is 5, expected every item 5 (a number is not a list)",
        ),
    ] {
        let checked =
            look(&assertion("json", &format!("{{ '{}': {yaml} }}", path.replace('\'', "''"))), &facts);
        assert_eq!(checked.message, expected, "{path} {yaml}");
    }
}

#[test]
fn absent_and_unreadable() {
    let nothing = Facts { json: Some(json!({})), ..Facts::default() };
    let missing = look(&assertion("json", "{ $.v: UP }"), &nothing);
    assert_eq!(missing.message, r#"json $.v has no match, expected "UP""#);
    assert!(look(&assertion("json", "{ $.v: { exists: false } }"), &nothing).pass);
    assert!(!look(&assertion("json", "{ $.v: { exists: true } }"), &nothing).pass);
    assert!(
        !look(&assertion("json", "{ $.v: { not: UP } }"), &nothing).pass,
        "what is not there is not fine"
    );
    let there = Facts { json: Some(json!({ "v": 1 })), ..Facts::default() };
    assert_eq!(
        look(&assertion("json", "{ $.v: { exists: false } }"), &there).message,
        "json $.v is 1, expected no value"
    );
    let header = look(&assertion("headers", "{ X-A: { exists: true } }"), &Facts::default());
    assert_eq!(header.message, "header X-A was not sent, expected any value");
    let cut = Facts { unreadable: Some("the body is not JSON"), ..Facts::default() };
    assert_eq!(
        look(&assertion("json", "{ $.v: 1 }"), &cut).message,
        "json $.v cannot be looked at: the body is not JSON"
    );
}

#[test]
fn a_number_that_was_not_counted_to_its_end_is_enough_for_a_lower_bound() {
    let facts = Facts { at_least: Some(101), ..Facts::default() };
    for (yaml, pass) in [
        ("{ gte: 1 }", true),
        ("{ gte: 101 }", true),
        ("{ gt: 100 }", true),
        ("{ exists: true }", true),
        ("{ gt: 101 }", false),
        ("{ gte: 102 }", false),
        ("101", false),
        ("{ not: 5 }", false),
        ("{ lt: 500 }", false),
        ("{ gte: 1, lte: 200 }", false),
    ] {
        let checked = look(&assertion("count", yaml), &facts);
        assert_eq!(checked.pass, pass, "{yaml}: {}", checked.message);
        if pass {
            assert_eq!(checked.actual, "101 or more");
        } else {
            assert_eq!(checked.message, "count cannot be looked at: the rest was not read");
        }
    }
}

#[test]
fn typed_subjects() {
    check_one("status", "200", Value::Int(200), "");
    check_one("status", "200", Value::Int(500), "status is 500, expected 200");
    check_one("status", "2xx", Value::Int(299), "");
    check_one("status", "[200, 3xx]", Value::Int(404), "status is 404, expected one of 200, 3xx");
    check_one("status", "{ not: 5xx }", Value::Int(503), "status is 503, expected not 5xx");
    check_one("status", "{ lt: 500 }", Value::Int(404), "");
    check_one("size", "{ lt: 10kB }", Value::Int(10_000), "size is 10000, expected < 10kB");
    check_one("redirected", "false", Value::Bool(true), "redirected is true, expected false");
    check_one(
        "expires_in",
        "{ gte: 21d }",
        Value::Duration(Duration::from_hours(72)),
        "expires_in is 3d, expected ≥ 21d",
    );
    check_one("chain", "trusted", Value::Text("expired".into()), "chain is expired, expected trusted");
    check_one(
        "protocol",
        "{ gte: TLS1.3 }",
        Value::Text("TLS1.2".into()),
        "protocol is TLS1.2, expected ≥ TLS1.3",
    );
    check_one("protocol", "{ gte: TLS1.2 }", Value::Text("TLS1.3".into()), "");
    check_one(
        "protocol",
        "{ gte: TLS1.2 }",
        Value::Text("SSL3".into()),
        "protocol is SSL3, expected ≥ TLS1.2 (only TLS1.2, TLS1.3 can be compared)",
    );
    check_one(
        "body",
        "{ contains: ok, not_contains: error }",
        Value::Text("ok, no error".into()),
        r#"body is "ok, no error", expected containing "ok" and not containing "error""#,
    );
    check_one("count", "{ gte: 1 }", Value::Int(0), "count is 0, expected ≥ 1");
}

#[test]
fn latency_is_known_everywhere() {
    let slow = look(&assertion("latency", "{ lt: 300ms }"), &Facts::default());
    assert_eq!(slow.message, "latency is 420ms, expected < 300ms");
    assert!(look(&assertion("latency", "{ lt: 500ms }"), &Facts::default()).pass);
}

#[test]
fn lists_of_words_know_their_words() {
    let both = || Value::List(["old", "new"].map(|word| Value::Text(word.into())).to_vec());
    check_one("accepts", "{ contains: new }", both(), "");
    check_one(
        "accepts",
        "{ not_contains: old }",
        both(),
        "accepts is [old, new], expected not containing old",
    );
    check_one("accepts", "{ equals_set: [new, old] }", both(), "");
    check_one("accepts", "{ len: 2, any: new, all: { in: [old, new] } }", both(), "");
    // A word that can never be in the list would be a check that never fails.
    for (yaml, code) in [
        ("{ not_contains: odl }", "E105"),
        ("{ equals_set: [older] }", "E105"),
        ("{ any: ne }", "E105"),
        ("[old]", "E305"),
        ("{ gt: old }", "E308"),
        ("{ matches: old }", "E308"),
    ] {
        let file = format!("name: a\nevery: 1m\nhttp: https://x.example\nexpect: {{ accepts: {yaml} }}\n");
        let found: Vec<_> = compiled("", &[&file]).diagnostics.iter().map(|one| one.code).collect();
        assert_eq!(found, [code], "{yaml}");
    }
}

#[test]
fn several_answers_must_all_hold() {
    let text = |text: &'static str| Value::Text(text.into());
    let facts = Facts {
        many: vec![
            ("answers", vec![Value::List(vec![text("a"), text("b")]), Value::List(vec![text("b")])]),
            ("chain", vec![text("trusted"), text("trusted")]),
        ],
        ..Facts::default()
    };
    assert!(look(&assertion("chain", "trusted"), &facts).pass);
    let checked = look(&assertion("answers", "{ equals_set: [a, b] }"), &facts);
    assert_eq!(
        checked.message,
        r#"answers is ["a", "b"], ["b"], expected exactly "a", "b" (value 2 of 2 is ["b"]: "a" is missing)"#
    );
    assert!(look(&assertion("answers", "{ contains: b }"), &facts).pass);
}

/// A header that is sent twice says the same as one with a list in it, and one of its values can be asked for.
#[test]
fn one_of_several_headers_can_be_asked_for() {
    let text = |text: &'static str| Value::Text(text.into());
    let sent = |values: &[&'static str]| match values {
        [only] => Facts { values: vec![("headers", text(only))], ..Facts::default() },
        _ => Facts {
            many: vec![("headers", values.iter().map(|value| text(value)).collect())],
            ..Facts::default()
        },
    };
    for (operators, values, expected) in [
        ("{ any: { starts_with: sid= } }", &["theme=dark", "sid=7"][..], ""),
        ("{ any: { starts_with: sid= } }", &["sid=7"], ""),
        ("{ any: theme=light }", &["theme=dark", "sid=7"], "is \"theme=dark\", \"sid=7\""),
        ("{ all: { contains: = } }", &["theme=dark", "sid=7"], ""),
        ("{ equals_set: [sid=7, theme=dark] }", &["theme=dark", "sid=7"], ""),
        ("{ not: { any: { starts_with: sid= } } }", &["theme=dark", "lang=en"], ""),
        ("{ not: { any: { starts_with: sid= } } }", &["theme=dark", "sid=7"], "expected not any"),
        // Without it each of them is looked at, and a length is that of each text.
        ("{ len: 5 }", &["sid=7", "sid=8"], ""),
        ("{ starts_with: sid= }", &["theme=dark", "sid=7"], "value 1 of 2"),
    ] {
        let assertion = assertion("headers", &format!("{{ Set-Cookie: {operators} }}"));
        let checked = look(&assertion, &sent(values));
        assert_eq!(checked.pass, expected.is_empty(), "{operators} {values:?}: {}", checked.message);
        assert!(checked.message.contains(expected), "{operators} {values:?}: {}", checked.message);
    }
}

#[test]
fn freshness() {
    let check = |yaml: &str, value: &'static str, reason: Reason, message: &str| {
        let facts = Facts { values: vec![("modified", Value::Text(value.into()))], ..Facts::default() };
        let checked = look(&assertion("modified", yaml), &facts);
        assert_eq!((checked.reason, &*checked.message), (reason, message), "{value}");
        checked.age
    };
    let age = check("{ newer_than: 24h }", "2026-02-01T11:00:00Z", Reason::Ok, "");
    assert_eq!(age, Some(3_600.0));
    let stale = r#"modified is 26h 3m old ("Sat, 31 Jan 2026 09:57:00 GMT"), expected newer than 24h"#;
    let age = check("{ newer_than: 24h }", "Sat, 31 Jan 2026 09:57:00 GMT", Reason::Stale, stale);
    assert_eq!(age, Some(93_780.0));
    assert_eq!(check("{ newer_than: 24h }", "2026-02-01 12:00:30", Reason::Ok, ""), Some(-30.0));
    let future = r#"modified lies 2m in the future ("2026-02-01 12:02:00+00"), expected newer than 24h"#;
    check("{ newer_than: 24h }", "2026-02-01 12:02:00+00", Reason::FutureDated, future);
    let no_time = r#"modified is "soon", expected newer than 24h (this is not a time)"#;
    assert_eq!(check("{ newer_than: 24h }", "soon", Reason::Failed, no_time), None);
    let young = r#"modified is "2026-02-01T11:59:00Z", expected older than 1h"#;
    check("{ older_than: 1h }", "2026-02-01T11:59:00Z", Reason::Failed, young);
}

/// The newest of several times says how fresh they are together, and that they are stale.
#[test]
fn the_newest_of_several_times_speaks_for_them() {
    for (times, reason, age) in [
        (
            json!(["2026-02-01T08:00:00Z", "2026-02-01T11:30:00Z", "2026-02-01T11:00:00Z"]),
            Reason::Ok,
            Some(1800.0),
        ),
        (
            json!(["2026-02-01T08:00:00Z", "2026-02-01T10:00:00Z", "2026-02-01T09:00:00Z"]),
            Reason::Stale,
            Some(7200.0),
        ),
        (json!(["2026-02-01T12:30:00Z"]), Reason::FutureDated, Some(-1800.0)),
        (json!(["2026-02-01T08:00:00Z", "soon"]), Reason::Failed, None),
        (json!(["soon", "2026-02-01T11:30:00Z"]), Reason::Ok, Some(1800.0)),
        (json!([]), Reason::Failed, None),
    ] {
        let assertion = assertion("json", "{ $.v: { any: { newer_than: 1h } } }");
        let facts = Facts { json: Some(json!({ "v": times })), ..Facts::default() };
        let checked = look(&assertion, &facts);
        assert_eq!(
            (checked.pass, checked.reason, checked.age),
            (reason == Reason::Ok, reason, age),
            "{times}: {}",
            checked.message
        );
    }
}

#[test]
fn what_is_shown_is_short() {
    let facts = Facts { values: vec![("body", Value::Text("é".repeat(5_000).into()))], ..Facts::default() };
    let assertion = assertion("body", "{ matches: x }");
    let checked = look(&assertion, &facts);
    assert!(checked.actual.len() <= SHOWN_MAX && checked.message.len() <= model::outcome::MESSAGE_MAX);
    let record = assertion.record(&"step".into(), Part::Expect, checked);
    assert_eq!((&*record.name, &*record.expected, record.pass), ("body", "matching /x/", false));
}

#[test]
fn common_expectations_are_not_copied_into_events() {
    for (yaml, expected) in [("200", "200"), ("2xx", "2xx")] {
        let record = assertion("status", yaml).record(
            &"s".into(),
            Part::Expect,
            Checked::held("200".into(), Finding::HOLDS),
        );
        assert!(matches!(record.expected, Cow::Borrowed(text) if text == expected));
    }
}

/// Evidence of several sources that each answered for itself.
struct Several(Vec<(String, Box<dyn Evidence>)>);

impl Evidence for Several {
    fn read<'a>(&'a self, subject: &str, selector: &Selector) -> Reading<'a> {
        self.0[0].1.read(subject, selector)
    }

    fn each(&self) -> Option<&[(String, Box<dyn Evidence>)]> {
        Some(&self.0)
    }
}

#[test]
fn each_source_answers_for_itself() {
    let several = |statuses: &[i64]| {
        let source = |(index, status): (usize, &i64)| {
            let facts = Facts { values: vec![("status", Value::Int(*status))], ..Facts::default() };
            (format!("192.0.2.{index}:80"), Box::new(facts) as Box<dyn Evidence>)
        };
        Several(statuses.iter().enumerate().map(source).collect())
    };
    let check = |statuses: &[i64], actual: &str, message: &str| {
        let evidence = several(statuses);
        let observed = Observed::new(&evidence, Duration::from_millis(420), now());
        let checked = assertion("status", "[200, 204]").check(&observed);
        assert_eq!((checked.actual.as_str(), checked.message.as_str()), (actual, message));
        assert_eq!(checked.pass, message.is_empty());
        // How long the step took is one value whoever answered.
        assert!(assertion("latency", "{ lt: 1s }").check(&observed).pass);
    };
    check(&[200, 200], "200", "");
    check(&[200, 204], "200 from 192.0.2.0:80, 204 from 192.0.2.1:80", "");
    check(&[200, 503, 200], "503", "at 192.0.2.1:80 (1 of 3): status is 503, expected one of 200, 204");
    check(
        &[500, 200, 503],
        "500",
        "at 192.0.2.0:80, 192.0.2.2:80 (2 of 3): status is 500, expected one of 200, 204",
    );
    let nobody = Several(Vec::new());
    assert!(!assertion("status", "200").check(&Observed::new(&nobody, Duration::ZERO, now())).pass);
}

#[test]
fn what_has_no_meaning_has_none_with_not_before_it() {
    check_json(
        "{ not: { gt: 5 } }",
        json!("7"),
        r#"json $.v is "7", expected not > 5 (a text is not a number)"#,
    );
    check_json("{ not: { gt: 5 } }", json!(4), "");
    check_json(
        "{ not: { not: { gt: 5 } } }",
        json!("7"),
        r#"json $.v is "7", expected not not > 5 (a text is not a number)"#,
    );
    check_json(
        "{ not: { contains: x } }",
        json!(7),
        "json $.v is 7, expected not containing \"x\" (a number is not a text or list that can contain it)",
    );
    check_json(
        "{ not: { matches: x } }",
        json!(7),
        "json $.v is 7, expected not matching /x/ (a number is not a text)",
    );
    check_json(
        "{ not: { any: { gt: 5 } } }",
        json!([1, "7"]),
        r#"json $.v is [1, "7"], expected not any item > 5 (a text is not a number)"#,
    );
    check_json("{ not: { any: { gt: 5 } } }", json!([1, 2]), "");
    check_json(
        "{ not: { newer_than: 1h } }",
        json!("soon"),
        r#"json $.v is "soon", expected not newer than 1h (this is not a time)"#,
    );
    // Of another type is not equal.
    check_json("{ not: 7 }", json!("7"), "");
    check_json("{ not_in: [7] }", json!("7"), "");
    check_one(
        "protocol",
        "{ not: { gte: TLS1.3 } }",
        Value::Text("SSL3".into()),
        "protocol is SSL3, expected not ≥ TLS1.3 (only TLS1.2, TLS1.3 can be compared)",
    );
}

#[test]
fn headers_are_texts() {
    let check = |yaml: &str, value: &'static str, expected: &str| {
        check_one("headers", &format!("{{ X: {yaml} }}"), Value::Text(value.into()), expected);
    };
    check("202", "202", "");
    check("202", "203", r#"header X is "203", expected "202""#);
    check("{ not: 202 }", "202", r#"header X is "202", expected not "202""#);
    check("{ in: [1, 202] }", "202", "");
    check("{ not_in: [1, 202] }", "202", r#"header X is "202", expected none of "1", "202""#);
    check("{ contains: 20 }", "202", "");
    check("{ len: 3 }", "202", "");
    check("{ newer_than: 1h }", "2026-02-01T11:30:00Z", "");
}

#[test]
fn large_whole_numbers_are_compared_exactly() {
    let large = json!(12_345_678_901_234_567_890_u64);
    check_json("12345678901234567890", large.clone(), "");
    check_json(
        "12345678901234567891",
        large.clone(),
        "json $.v is 12345678901234567890, expected 12345678901234567891",
    );
    check_json("{ lt: 12345678901234567891 }", large.clone(), "");
    check_json(
        "{ gt: 12345678901234567891 }",
        large.clone(),
        "json $.v is 12345678901234567890, expected > 12345678901234567891",
    );
    check_json("{ gt: 5 }", large.clone(), "");
    check_json("{ gt: 1e19 }", large.clone(), "");
    check_json("{ type: integer }", large, "");
    check_json(
        "9007199254740993",
        json!(9_007_199_254_740_992_i64),
        "json $.v is 9007199254740992, expected 9007199254740993",
    );
    check_json(
        "[12345678901234567891]",
        json!([12_345_678_901_234_567_890_u64]),
        "json $.v is [12345678901234567890], expected [12345678901234567891]",
    );
}

fn check_decimal(yaml: &str, value: Value<'static>, expected: &str) {
    let rows = assertion("rows", &format!("{{ \"[0].a\": {yaml} }}"));
    let checked = look(&rows, &Facts { values: vec![("rows", value)], ..Facts::default() });
    assert_eq!(checked.message, expected, "{yaml}");
    assert_eq!(checked.pass, expected.is_empty(), "{yaml}");
}

#[test]
fn decimal_numbers_are_compared_by_all_their_digits() {
    let amount = || Value::of_decimal("12345678901234567.89");
    check_decimal("{ type: number }", amount(), "");
    check_decimal("{ gt: 12345678901234567 }", amount(), "");
    check_decimal("{ lt: 12345678901234568 }", amount(), "");
    check_decimal("{ gt: 1.5 }", amount(), "");
    check_decimal("\"12345678901234567.890\"", amount(), "");
    check_decimal(
        "\"12345678901234567.88\"",
        amount(),
        "rows [0].a is 12345678901234567.89, expected \"12345678901234567.88\"",
    );
    check_decimal("0.1", Value::of_decimal("0.10"), "");
    let longer = Value::of_decimal("0.10000000000000000001");
    check_decimal("0.1", longer, "rows [0].a is 0.10000000000000000001, expected 0.1");
    check_decimal("{ gte: 1e19 }", Value::of_decimal("99999999999999999999"), "");
    check_decimal(
        "9007199254740993",
        Value::Float(9_007_199_254_740_992.0),
        "rows [0].a is 9007199254740992, expected 9007199254740993",
    );
    check_decimal("{ gt: 12345678901234567 }", Value::Float(f64::INFINITY), "");
}
