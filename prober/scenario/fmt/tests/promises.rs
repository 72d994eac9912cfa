//! What holds for any text that is sound YAML: the formatter is done after the first time, and loses nothing.

use proptest::prelude::*;

use super::super::{Refusal, format, read};
use crate::testing::KINDS;

/// Formats what can be formatted, twice; that values and comments stay is looked at by `format` itself.
fn keeps_its_promises(text: &str) -> bool {
    match format(0, text, KINDS) {
        Ok(once) => {
            let twice = format(0, &once, KINDS);
            assert_eq!(twice.as_ref(), Ok(&once), "not done after the first time:\n{text}");
            let long = once.lines().find(|line| line.chars().count() > 200);
            assert!(long.is_none() || text.lines().any(|line| line.chars().count() > 50), "{once}");
            true
        }
        Err(Refusal::Mistakes(mistakes)) => {
            assert!(!mistakes.is_empty(), "refused without a reason:\n{text}");
            false
        }
        Err(Refusal::Unsafe) => panic!("sound, and not formatted:\n{text}\n{:?}", read::read(text)),
    }
}

fn line() -> impl Strategy<Value = String> {
    let indent = prop_oneof![Just(""), Just("  "), Just("    "), Just(" "), Just("   ")];
    let lead = prop_oneof![
        6 => Just(""), 2 => Just("- "), 1 => Just("- - "), 1 => Just("-"), 1 => Just("? "), 1 => Just("&n "),
    ];
    let key = prop_oneof![
        2 => Just(String::new()), 6 => "[a-e]: ", 2 => "(name|http|every|steps|expect|vars|json): ", 1 => "'f': ", 1 => Just("*n : ".to_owned()),
    ];
    let value = prop_oneof![
        3 => Just(String::new()),
        4 => "[a-z0-9.:/_-]{1,12}",
        2 => "[ -~é]{1,20}",
        1 => "\"[a-z \\\\n]{0,9}\"",
        1 => "'[a-z ']{0,9}'",
        2 => "[\\|>][-+]?[1-9]?",
        2 => "\\{( ?[a-c](: [a-z0-9]{1,3})?,?){0,4} ?\\}",
        2 => "\\[( ?[a-c0-9]{1,3},| ?a: b,| ?\\[\\],){0,4} ?\\]",
        1 => "[\\[\\]{},]{1,3}",
        1 => Just("*n".to_owned()),
        1 => Just("&n x".to_owned()),
    ];
    let comment =
        prop_oneof![4 => Just(String::new()), 1 => " {1,3}#[ a-z]{0,5}", 1 => Just("# c".to_owned())];
    (indent, lead, key, value, comment)
        .prop_map(|(indent, lead, key, value, comment)| format!("{indent}{lead}{key}{value}{comment}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_lines(lines in prop::collection::vec(line(), 1..9), end in "[\n]{0,3}") {
        keeps_its_promises(&(lines.join("\n") + &end));
    }

    #[test]
    fn any_characters(text in "([a-c]{1,2}|[ :\\-\\[\\]{},&*!|>'\"%@`#?$\n\t]|\\$\\{|: |\n  |\n- |a: |# c\n|--- ){0,40}") {
        keeps_its_promises(&text);
    }
}
