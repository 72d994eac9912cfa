//! What names may look like.

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// The longest name of a scenario.
const SCENARIO_BYTES_MAX: usize = 100;
/// The longest name of anything else.
const NAME_BYTES_MAX: usize = 64;

/// What [`public`] names of steps and regions look like, for the schema: a regular expression and the rules in words.
pub(crate) const PUBLIC: (&str, &str) = (
    r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$",
    "letters a–z, digits, `-`, `_` and `.`, a letter or digit first, at most 64 of them",
);
/// What [`public`] names of scenarios look like.
pub(crate) const SCENARIO: (&str, &str) = (
    r"^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$",
    "letters a–z, digits, `-`, `_` and `.`, a letter or digit first, at most 100 of them",
);
/// What [`private`] names look like.
pub(crate) const PRIVATE: (&str, &str) = (
    r"^[A-Za-z_][0-9A-Za-z_-]{0,63}$",
    "letters a–z, digits, `_` and `-`, a letter or `_` first, at most 64 of them",
);
/// What [`label`] names look like, the [`RESERVED`] ones among them.
pub(crate) const LABEL: (&str, &str) = (
    r"^[A-Za-z_][0-9A-Za-z_]{0,63}$",
    "letters a–z, digits and `_`, a letter or `_` first, at most 64 of them, and is none that metrics use themselves",
);
/// Names that labels cannot have, because metrics have them.
pub(crate) const RESERVED: [&str; 8] =
    ["le", "quantile", "phase", "region", "instance", "job", "slo", "scenario"];

/// The name of a scenario, step or region: letters, digits, `-`, `_` and `.`, a letter or digit first.
pub(crate) fn public(what: &str, name: &str, span: Span) -> Result<(), Diagnostic> {
    let most = if what == "scenario" { SCENARIO_BYTES_MAX } else { NAME_BYTES_MAX };
    let inner = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let first = name.chars().next().is_some_and(|letter| letter.is_ascii_alphanumeric());
    if first && name.len() <= most && name.chars().all(inner) {
        return Ok(());
    }
    let rules =
        format!("letters a–z, digits, `-`, `_` and `.`, a letter or digit first, at most {most} of them");
    Err(wrong(what, name, span, &rules, &fixed(name, most)))
}

/// The name of a variable, secret or capture: letters, digits, `_` and `-`, a letter or `_` first.
pub(crate) fn private(what: &str, name: &str, span: Span) -> Result<(), Diagnostic> {
    let inner = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let first = name.chars().next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    if first && name.len() <= NAME_BYTES_MAX && name.chars().all(inner) {
        return Ok(());
    }
    let rules =
        format!("letters a–z, digits, `_` and `-`, a letter or `_` first, at most {NAME_BYTES_MAX} of them");
    Err(wrong(what, name, span, &rules, ""))
}

/// The name of a label: letters, digits and `_`, a letter or `_` first, and not one that metrics already have.
pub(crate) fn label(name: &str, span: Span) -> Result<(), Diagnostic> {
    if RESERVED.contains(&name) || name.starts_with("__") {
        let problem = Diagnostic::error("E121", span, format!("the label `{name}` is reserved"));
        return Err(
            problem.help(format!("metrics use {} themselves; choose another name", RESERVED.join(", ")))
        );
    }
    let inner = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let first = name.chars().next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    if first && name.len() <= NAME_BYTES_MAX && name.chars().all(inner) {
        return Ok(());
    }
    let rules =
        format!("letters a–z, digits and `_`, a letter or `_` first, at most {NAME_BYTES_MAX} of them");
    Err(wrong("label", name, span, &rules, ""))
}

fn wrong(what: &str, name: &str, span: Span, rules: &str, fixed: &str) -> Diagnostic {
    let shown = model::outcome::cut(name.escape_debug().to_string(), 60);
    let message = if name.is_empty() {
        format!("the name of a {what} cannot be empty")
    } else {
        format!("`{shown}` cannot be the name of a {what}")
    };
    let problem = Diagnostic::error("E107", span, message).help(format!("a name has {rules}"));
    match (fixed, what) {
        ("", _) => problem,
        // Nothing else has a title.
        (_, "scenario") => problem.help(format!("for people there is `title`; as a name, write {fixed}")),
        _ => problem.help(format!("write {fixed}")),
    }
}

/// The name with every other letter as `-`; empty if nothing useful is left.
fn fixed(name: &str, most: usize) -> String {
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .take(most)
        .collect();
    let words: Vec<_> = plain.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits((pattern, _): (&str, &str), name: &str) -> bool {
        regex::Regex::new(pattern).unwrap().is_match(name)
    }

    #[test]
    fn patterns_say_what_the_functions_say() {
        let long = ["a".repeat(64), "a".repeat(65), "a".repeat(100), "a".repeat(101)];
        let names = ["a", "A1", "a-b", "a_b", "a.b", "-a", "_a", ".a", "1a", "", "a b", "é", "a:", "a\n"];
        for name in names.into_iter().chain(long.iter().map(String::as_str)) {
            let span = Span::default();
            assert_eq!(fits(PUBLIC, name), public("step", name, span).is_ok(), "{name}");
            assert_eq!(fits(SCENARIO, name), public("scenario", name, span).is_ok(), "{name}");
            assert!(fits(LABEL, name) || label(name, span).is_err(), "{name}");
            assert_eq!(fits(PRIVATE, name), private("variable", name, span).is_ok(), "{name}");
        }
    }
}
