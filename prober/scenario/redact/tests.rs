use std::borrow::Cow;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use model::outcome::{Failure, FailureClass, Reason, cut};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;
use crate::template::Captured;

const PASSWORD: &str = "S3cr3t p/ss\"w&rd";

fn redactor_of(secrets: &[(&str, &str)]) -> Redactor {
    let mut all = Secrets::default();
    for (name, value) in secrets {
        all.set(*name, *value);
    }
    Redactor::new(&all, &[])
}

fn redactor() -> Redactor {
    redactor_of(&[("password", PASSWORD), ("long", "S3cr3t p/ss\"w&rd-and-more"), ("tiny", "ab")])
}

fn lower_hex(percent_encoded: &str) -> String {
    let mut out = String::new();
    let mut digits = 0;
    for letter in percent_encoded.chars() {
        digits = if letter == '%' { 3_u8 } else { digits.saturating_sub(1) };
        out.push(if digits > 0 { letter.to_ascii_lowercase() } else { letter });
    }
    out
}

fn ascii_json(text: &str) -> String {
    let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    units.concat()
}

fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Every way of writing that a server may have, with its name.
fn encodings(value: &str) -> Vec<(&'static str, String)> {
    const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'%').add(b'?');
    let percent = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let hex: Vec<String> = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    let debug = format!("{value:?}");
    vec![
        ("plain", value.to_owned()),
        ("json", json(value)),
        ("json with slashes", json(value).replace('/', "\\/")),
        ("json in ascii", ascii_json(value)),
        ("json in json", json(&json(value))),
        ("debug", debug[1..debug.len() - 1].to_owned()),
        ("html", html(value)),
        ("html of json", html(&json(value))),
        ("percent", percent.clone()),
        ("percent, lower", lower_hex(&percent)),
        ("percent in a path", utf8_percent_encode(value, PATH).to_string()),
        ("percent twice", utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string()),
        ("form", form.clone()),
        ("form, lower", lower_hex(&form)),
        ("hex", hex.clone()),
        ("hex, upper", hex.to_uppercase()),
        ("base64", STANDARD.encode(value)),
        ("base64, no padding", STANDARD_NO_PAD.encode(value)),
        ("base64 for URLs", URL_SAFE.encode(value)),
        ("base64 for URLs, no padding", URL_SAFE_NO_PAD.encode(value)),
        ("base64 in form", url::form_urlencoded::byte_serialize(STANDARD.encode(value).as_bytes()).collect()),
        ("base64 of form", STANDARD.encode(&form)),
        ("base64 of percent", STANDARD.encode(&percent)),
        ("base64 of json", STANDARD.encode(json(value))),
        ("base64 twice", STANDARD.encode(STANDARD.encode(value))),
    ]
}

#[test]
fn every_way_of_writing_is_found() {
    let redactor = redactor();
    for (name, text) in encodings(PASSWORD) {
        let shown = redactor.redact(&text);
        assert_eq!(shown, "•••(password)", "{name}: {text}");
        let shown = redactor.redact(&format!("<{text}>")).into_owned();
        assert_eq!(shown, "<•••(password)>", "{name}: {text}");
    }
    assert_eq!(redactor.redact("x S3cr3t p/ss\"w&rd-and-more y"), "x •••(long) y");
    assert!(matches!(redactor.redact("nothing here"), Cow::Borrowed(_)));
}

#[test]
fn base64_is_found_wherever_it_begins_in_a_longer_text() {
    let redactor = redactor_of(&[("key", "hunter2!")]);
    for user in ["u", "me", "you", "prob"] {
        for end in ["", ":", "::", ":::"] {
            let text = STANDARD.encode(format!("{user}:hunter2!{end}"));
            let shown = redactor.redact(&text).into_owned();
            assert!(shown.contains("•••(key)"), "{text} -> {shown}");
            // No digit is left that holds a bit of the secret.
            let (before, after) = shown.split_once("•••(key)").unwrap();
            assert!(before.len() * 6 <= (user.len() + 1) * 8, "{shown}");
            assert!(after.trim_end_matches('=').len() * 6 < end.len() * 8 + 6, "{shown}");
        }
    }
}

#[test]
fn secrets_beside_and_inside_each_other_are_found() {
    let redactor = redactor_of(&[("a", "abcdef"), ("b", "defghi-x"), ("inner", "cde")]);
    assert_eq!(redactor.redact("<abcdefghi-x>"), "<•••(b)>");
    assert_eq!(redactor.redact("<abcdef><cde>"), "<•••(a)><•••(inner)>");
    assert_eq!(redactor.redact("abcdefabcdef"), "•••(a)•••(a)");
}

#[test]
fn short_secrets_go_where_they_stand_alone() {
    let redactor = redactor_of(&[("pin", "ab"), ("one", "7")]);
    assert_eq!(redactor.redact("about ab, 17 7"), "about •••(pin), 17 •••(one)");
    assert_eq!(redactor.redact("x=ab&y=\"7\""), "x=•••(pin)&y=\"•••(one)\"");
}

#[test]
fn a_secret_of_several_lines_goes_line_by_line() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n";
    let redactor = redactor_of(&[("key", key)]);
    for text in [key.to_owned(), key.replace('\n', "\r\n"), key.replace('\n', "\n    "), json(key)] {
        let shown = redactor.redact(&text).into_owned();
        assert!(!shown.contains("MIIE") && !shown.contains("KEY"), "{shown}");
    }
    assert_eq!(redactor.redact("only MIIEvQIBADANBgkq here"), "only •••(key) here");
    let encoded = STANDARD.encode(key);
    let folded = encoded.as_bytes().chunks(20).map(String::from_utf8_lossy).collect::<Vec<_>>();
    assert_eq!(redactor.redact(&folded.join("\r\n")), "•••(key)");
}

#[test]
fn what_is_secret_of_a_url_goes_without_its_host() {
    let redactor = redactor_of(&[("hook", "https://hooks.example/services/T0/B0?key=abcdefgh")]);
    assert_eq!(
        redactor.redact("POST https://hooks.example/services/T0/B0?key=REDACTED"),
        "POST https://hooks.example/•••(hook)?key=REDACTED"
    );
    assert_eq!(redactor.redact("the key abcdefgh"), "the key •••(hook)");
}

#[test]
fn values_beyond_ascii_are_found_in_other_bytes_too() {
    let redactor = redactor_of(&[("word", "pässwörd")]);
    for (name, text) in encodings("pässwörd") {
        assert_eq!(redactor.redact(&text), "•••(word)", "{name}");
    }
    let latin = String::from_utf8_lossy(b"p\xe4ssw\xf6rd").into_owned();
    for text in [latin.as_str(), "p%E4ssw%F6rd", "P\u{e4}SSW\u{f6}RD"] {
        assert_eq!(redactor.redact(text), "•••(word)", "{text}");
    }
}

#[test]
fn a_secret_that_a_limit_cut_off_is_found_wherever_the_text_goes_on() {
    let redactor = redactor();
    for text in ["S3cr3t p/…", "S3cr3t%20p%2…", "S3cr3t p\\…", "S3cr3t+p%2Fs…", "UzNjcjN0I…"] {
        let shown = redactor.redact(text).into_owned();
        assert!(shown.starts_with("•••(") && shown.ends_with(")…"), "{text} -> {shown}");
    }
    let shown = redactor.redact("body is \"xx S3cr3t p…\", expected ok…").into_owned();
    assert!(shown.starts_with("body is \"xx •••(") && shown.ends_with(")…\", expected ok…"), "{shown}");
    assert_eq!(redactor.redact("plain end…"), "plain end…");
}

#[test]
fn a_value_with_escapes_of_its_own_is_found_in_other_escapes() {
    for value in [r"ab<cd&x\", r"a<b\nc/d&e", r"p%41s<s&w", "q&lt;u<o\\te"] {
        let redactor = redactor_of(&[("x", value)]);
        for (name, text) in encodings(value) {
            for after in ["'", "\"", "n", "41", ";", "/"] {
                let shown = redactor.redact(&format!("<{text}{after}")).into_owned();
                assert!(!shown.contains(&text), "{name}: {text:?} before {after:?} in {shown:?}");
            }
        }
    }
}

#[test]
fn a_value_that_the_text_before_it_makes_look_like_an_escape_is_found() {
    for (before, value) in [
        ("\\", "n ß\\0a"),
        ("\\", "\\0and/more"),
        ("\\", "\nline\\0more"),
        ("\\u", "0041b\\c/d"),
        ("\\\\\\", "news<\\x41"),
        ("%", "41bc/def"),
        ("%4", "1bcd/efg"),
        ("&", "lt;x<yz&"),
        ("&#", "65;x<yz&"),
        ("\n", "  a\\nb/c"),
    ] {
        let redactor = redactor_of(&[("x", value)]);
        for (name, text) in encodings(value) {
            for before in [before.to_owned(), format!("see {before}"), json(before)] {
                let shown = redactor.redact(&format!("{before}{text}, and so on")).into_owned();
                assert!(!shown.contains(&text), "{name}: {text:?} after {before:?} in {shown:?}");
            }
        }
    }
}

#[test]
fn a_name_does_not_tell_its_secret() {
    assert_eq!(redactor_of(&[("hunter2", "hunter2")]).redact("<hunter2>"), "<•••>");
    let redactor = redactor_of(&[("hunter2", "other-value"), ("b", "hunter2")]);
    assert_eq!(redactor.redact("<other-value><hunter2>"), "<•••><•••(b)>");
}

#[test]
fn secret_captures_are_added_for_the_run() {
    let mut captures = Captures::default();
    let chains = [(Hole::Capture("token".into()), vec![Filter::Base64, Filter::UrlEncode, Filter::Base64])];
    let base = Redactor::new(&Secrets::default(), &chains);
    captures.set("open".into(), Captured { value: "visible".into(), secret: false });
    assert!(matches!(base.with_captures(&captures), Cow::Borrowed(_)));
    captures.set("token".into(), Captured { value: serde_json::json!({ "a": ["tok-1234"] }), secret: true });
    let redactor = base.with_captures(&captures);
    assert_eq!(redactor.redact("Bearer tok-1234 visible"), "Bearer •••(token) visible");
    let made = chains[0].1.iter().fold("tok-1234".to_owned(), |text, filter| filter.apply(&text));
    assert_eq!(redactor.redact(&made), "•••(token)");
}

#[test]
fn whole_outcomes_are_redacted() {
    let mut outcome = Outcome::empty(Reason::Failed);
    outcome.failure =
        Some(Failure::new(FailureClass::Incorrect, "assert.body", format!("got {PASSWORD} back")));
    redactor().redact_outcome(&mut outcome);
    assert_eq!(outcome.failure.unwrap().message, "got •••(password) back");
    let debug = format!("{:?}", redactor());
    assert!(!debug.contains("S3cr3t"), "{debug}");
}

#[test]
fn a_long_text_and_many_secrets_take_a_bounded_time() {
    let secrets: Vec<_> =
        (0..50).map(|index| (format!("s{index}"), format!("p4ss/{index:02}\"{index}w&rd"))).collect();
    let secrets: Vec<_> = secrets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let redactor = redactor_of(&secrets);
    let long = "a".repeat(64 << 10);
    let repeating = redactor_of(&[("long", &long), ("short", "aaa")]);
    for (redactor, text) in [
        (&redactor, "\\\"%41&amp;p4ss/17…".repeat((1 << 20) / 22)),
        (&redactor, "…".repeat(20_000)),
        (&redactor, "p4ss/".repeat(20_000)),
        (&redactor, "%".repeat(100_000)),
        (&redactor, "%25".repeat(30_000)),
        (&repeating, "a".repeat(200_000)),
    ] {
        let began = Instant::now();
        let shown = redactor.redact(&text);
        // Tests are built without optimisation and share the machine; seconds, not minutes.
        assert!(began.elapsed() < Duration::from_mins(1), "{:?} for {:.20}", began.elapsed(), text);
        assert!(!shown.contains("p4ss/17") && !shown.contains("aaa"));
    }
}

proptest! {
    // Each case builds a search and goes through all ways of writing.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_way_of_writing_is_left(
        value in r#"[a-zA-Z0-9 /+=%&"'\\<>:;.,éß€\n-]{6,24}"#.prop_filter("has a core", |value| {
            value.trim().len() >= 6
        }),
        before in r"[ -~…\n]{0,40}",
        begun in prop::sample::select(vec!["", "\\", "\\\\", "\\u", "\\x4", "%", "%2", "&", "&#", "\n "]),
        after in r"[ -~…\n]{0,40}",
    ) {
        let redactor = redactor_of(&[("x", &value)]);
        let before = before + begun;
        for (name, text) in encodings(&value) {
            let shown = redactor.redact(&format!("{before}{text}{after}")).into_owned();
            prop_assert!(!shown.contains(&text), "{name}: {text:?} in {shown:?}");
        }
    }

    #[test]
    fn other_texts_stay_as_they_are(value in "[A-Z]{6,20}", text in "[a-z0-9 %\\\\&;…\"é]{0,200}") {
        // Lower case is a way of writing too.
        prop_assume!(!text.contains(&value.to_lowercase()));
        let redactor = redactor_of(&[("x", &value)]);
        let cut_off = text.contains('…');
        prop_assert!(cut_off || redactor.redact(&text) == text, "{value} {text}");
    }

    #[test]
    fn a_cut_leaves_no_beginning(value in "[a-zA-Z0-9]{12,30}", before in "[ -~]{0,60}", limit in 3_usize..80) {
        prop_assume!(!format!("{before} and so on and").contains(&value[..3]));
        let redactor = redactor_of(&[("x", &value)]);
        for (name, text) in encodings(&value) {
            let text = cut(format!("{before} {text} and so on and on and on and on and on"), limit);
            let shown = redactor.redact(&text).into_owned();
            prop_assert!(!shown.contains(&value[..3]), "{name}: {shown:?}");
        }
    }
}
