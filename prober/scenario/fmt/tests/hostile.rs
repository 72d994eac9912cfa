//! Files that want to be too much: refused or formatted, and soon.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::super::{Refusal, format, upgrade};
use crate::testing::KINDS;
use crate::tree::{DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX};

/// The code of the mistake that the file is refused for; empty if it is formatted.
fn outcome(text: &str) -> &'static str {
    let began = Instant::now();
    let formatted = format(0, text, KINDS);
    // Generous: machines that test are busy.
    assert!(began.elapsed() < Duration::from_secs(20), "took {:?}", began.elapsed());
    match formatted {
        Ok(once) => {
            assert_eq!(format(0, &once, KINDS).as_ref(), Ok(&once), "not done after the first time");
            ""
        }
        Err(Refusal::Mistakes(mistakes)) => mistakes[0].code,
        Err(Refusal::Unsafe) => "unsafe",
    }
}

#[test]
fn too_much_is_refused() {
    let bomb = (0..12).fold("a0: &a0 [x, x]\n".to_owned(), |mut text, at| {
        let _ = writeln!(text, "a{}: &a{} [*a{at}, *a{at}, *a{at}, *a{at}]", at + 1, at + 1);
        text
    });
    assert_eq!(outcome(&bomb), "E005");
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        assert_eq!(
            outcome(&format!("a: {}{}\n", open.repeat(10_000), close.repeat(10_000))),
            "E004",
            "{open}"
        );
    }
    let deep = (0..10_000).fold(String::new(), |text, at| text + &" ".repeat(at % 50) + "a:\n");
    assert_ne!(outcome(&deep), "");
    let deep = (0..200).fold(String::new(), |text, at| text + &" ".repeat(at) + "a:\n");
    assert_eq!(outcome(&deep), "E004");
    assert_eq!(outcome(&format!("a: {}", "- ".repeat(10_000))), "E003");
    assert_eq!(outcome(&"- ".repeat(10_000)), "E004");
    let keys = (0..100_000).fold(String::new(), |mut text, at| {
        let _ = writeln!(text, "k{at}:");
        text
    });
    assert_eq!(outcome(&keys), "E005");
    assert_eq!(outcome(&"x".repeat(FILE_BYTES_MAX + 1)), "E002");
    assert!(upgrade(0, &"x".repeat(FILE_BYTES_MAX + 1)).is_err());
}

#[test]
fn much_is_formatted_soon() {
    // A key counts as a value, too.
    let keys = (0..NODES_MAX / 2 - 1).fold(String::new(), |mut text, at| {
        let _ = writeln!(text, "k{at}: # {at}");
        text
    });
    assert_eq!(outcome(&keys), "");
    assert_eq!(outcome(&format!("a: {}\n", "x".repeat(FILE_BYTES_MAX - 10))), "");
    assert_eq!(outcome(&format!("a: \"{}\"\n", "\\n".repeat(100_000))), "");
    assert_eq!(outcome(&format!("a: |\n{}", "  x\n".repeat(100_000))), "");
    assert_eq!(outcome(&format!("a: x\n{}", " y\n".repeat(100_000))), "");
    assert_eq!(outcome(&format!("{}a: 1\n", "#\n".repeat(20_000))), "");
    assert_eq!(outcome(&format!("a: 1\n{}", "\n".repeat(200_000))), "");
    assert_eq!(outcome(&format!("a: [{}]\n", "x, ".repeat(9_000))), "");
    assert_eq!(outcome(&format!("a: [ # c\n{}]\n", "x, # c\n".repeat(9_000))), "");
    let depth = DEPTH_MAX - 2;
    assert_eq!(outcome(&format!("a: {}{}\n", "[".repeat(depth), "]".repeat(depth))), "");
    let wide = "x".repeat(80);
    assert_eq!(
        outcome(&format!("a: {}{wide}, {wide}{}\n", "[{b: ".repeat(depth / 2), "}]".repeat(depth / 2))),
        ""
    );
    assert_eq!(outcome(&format!("a: {}\n", "9".repeat(100_000))), "");
    assert_eq!(outcome(&format!("a: 1e{}\n", "9".repeat(1_000))), "");
    assert_eq!(outcome("a: 1e999\nb: -0\nc: 0x7fffffffffffffffff\n"), "");
}

#[test]
fn a_key_longer_than_yaml_allows_on_one_line_is_left_alone() {
    assert_eq!(outcome(&format!("? {}\n: 1\n", "x".repeat(2_000))), "unsafe");
    assert_eq!(outcome(&format!("? {}\n: 1\n", "x".repeat(900))), "");
}

#[test]
fn nothing_behind_a_long_key_stays_on_its_line() {
    for value in ["{}", "[]", "&n {}", "&n []", "~"] {
        assert_eq!(outcome(&format!("{}: {value}\n", "x".repeat(99))), "", "{value}");
        assert_eq!(outcome(&format!("- - {}: {value} # c\n", "x".repeat(99))), "", "{value}");
    }
}

#[test]
fn block_texts_as_keys() {
    // Each follows what ends in a way of its own: an alias, a list, a map, a text.
    for before in ["&n a: *n", "a: [x]", "a:\n  b: {}", "a:\n- b", "a: |\n  x", "a:"] {
        assert_eq!(outcome(&format!("{before}\n? >\n")), "", "{before}");
        assert_eq!(outcome(&format!("{before}\n? |\n  long\n: b\n")), "", "{before}");
    }
}
