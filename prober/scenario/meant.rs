//! Texts that hold what their author hardly meant: the control character of an escape, the line break of a block, the
//! slashes of another language, the stars of a shell. All of W360, for operators as for the paths and keys of kinds.

use crate::bind::Binder;
use crate::diagnostic::Diagnostic;
use crate::matcher::Matcher;
use crate::source::Span;
use crate::tree::{Node, Scalar};

/// Escapes in YAML's double quotes that patterns and paths have for something else, and what they stand for.
const ESCAPES: [(char, char, &str); 5] = [
    ('\u{8}', 'b', "a backspace"),
    ('\u{7}', 'a', "a bell"),
    ('\u{1b}', 'e', "an escape character"),
    ('\u{b}', 'v', "a vertical tab"),
    ('\u{c}', 'f', "a form feed"),
];

/// The letters that stand for a pattern's manners behind its second slash, elsewhere.
const FLAGS: &str = "dgimsuvy";

impl Binder<'_, '_> {
    /// Looks at the texts that an operator looks for.
    pub(crate) fn as_meant(&mut self, matcher: &Matcher, operand: &Node) {
        let is_pattern = matches!(matcher, Matcher::Matches(_));
        let looks_for_part = matches!(
            matcher,
            Matcher::Contains(_) | Matcher::NotContains(_) | Matcher::StartsWith(_) | Matcher::EndsWith(_)
        );
        if !is_pattern && !looks_for_part {
            return;
        }
        for item in operand.list().unwrap_or(std::slice::from_ref(operand)) {
            let found = item
                .scalar()
                .and_then(|Scalar { text, is_block, .. }| doubt(text, *is_block, is_pattern, item.span));
            if let Some(problem) = found {
                self.report.push(problem);
            }
        }
    }

    /// Looks at a pattern that chooses what is looked at.
    pub(crate) fn pattern_as_meant(&mut self, pattern: &str, at: Span) {
        if let Some(problem) = doubt(pattern, false, true, at) {
            self.report.push(problem);
        }
        if self.names.patterns().find(pattern, at).is_ok_and(|known| known.matches_all) {
            let problem =
                Diagnostic::warning("W342", at, "this pattern matches every text, the empty one too");
            self.report.push(problem.help("write + in place of *, or what the text must have"));
        }
    }
}

/// Looks at the path of a file, or at what keys begin with, where `alone` says what is named by it.
///
/// Signs that a shell would put something else in the place of are doubted, since nothing here does.
pub fn path(text: &str, at: Span, alone: &str) -> Option<Diagnostic> {
    let message = match text.find(['*', '?']) {
        _ if text.starts_with('~') => "no shell reads the `~` here: it is part of the name",
        Some(_) => "no shell reads the `*` or `?` here: it is part of the name",
        None => return None,
    };
    Some(Diagnostic::warning("W360", at, message).help(alone))
}

fn doubt(text: &str, is_block: bool, is_pattern: bool, at: Span) -> Option<Diagnostic> {
    escaped(text, is_pattern, at)
        .or_else(|| broken_off(text, is_block, at))
        .or_else(|| is_pattern.then(|| slashes(text, at)).flatten())
}

/// `"\berror"`: a backspace, where the end of a word was meant.
fn escaped(text: &str, is_pattern: bool, at: Span) -> Option<Diagnostic> {
    let beside_letter = |place: usize, letter: char| {
        let after = text[place + letter.len_utf8()..].chars().next();
        after.is_some_and(char::is_alphanumeric)
    };
    let (_, letter, what) = text.char_indices().find_map(|(place, found)| {
        let known = ESCAPES.iter().find(|(control, ..)| *control == found)?;
        (is_pattern || beside_letter(place, found)).then_some(*known)
    })?;
    let mut typed = text.to_owned();
    for (control, letter, _) in ESCAPES {
        typed = typed.replace(control, &format!("\\{letter}"));
    }
    let message = format!("this holds {what}: in double quotes, `\\{letter}` is one");
    let typed = typed.replace('\'', "''");
    Some(Diagnostic::warning("W360", at, message).help(format!("write it in single quotes: '{typed}'")))
}

/// `not_contains: |` with a line below it.
fn broken_off(text: &str, is_block: bool, at: Span) -> Option<Diagnostic> {
    if !is_block || !text.ends_with('\n') {
        return None;
    }
    let problem = Diagnostic::warning("W360", at, "this ends with a line break, which is looked for too");
    Some(problem.help("write |- in place of |, or >- in place of >"))
}

/// `/error/i`, as other languages write patterns.
fn slashes(text: &str, at: Span) -> Option<Diagnostic> {
    let (pattern, flags) = text.strip_prefix('/')?.rsplit_once('/')?;
    let is_path = flags.is_empty() && !pattern.contains(['\\', '[', '(', '*', '+', '^', '$', '|']);
    if pattern.is_empty() || is_path || !flags.chars().all(|flag| FLAGS.contains(flag)) {
        return None;
    }
    let kept: String = flags.chars().filter(|flag| "ims".contains(*flag)).collect();
    let kept = if kept.is_empty() { kept } else { format!("(?{kept})") };
    let problem =
        Diagnostic::warning("W360", at, "the slashes are looked for, too: they are part of the pattern");
    Some(problem.help(format!("write '{kept}{}'", pattern.replace("\\/", "/").replace('\'', "''"))))
}

#[cfg(test)]
mod tests {
    use crate::testing::compiled;

    fn check(expect: &str, expected: &[&str]) {
        let file = format!("name: a\naim: A.\nevery: 1m\nhttp: https://x.example\nexpect:\n  {expect}\n");
        let found = compiled("", &[&file]).diagnostics;
        let told: Vec<_> = found
            .iter()
            .flat_map(|one| one.help.iter().map(move |help| format!("{} {help}", one.code)))
            .collect();
        assert_eq!(told, expected, "{expect}: {found:?}");
    }

    #[test]
    fn what_is_hardly_meant_is_told() {
        check(
            r#"body: { not: { matches: "\berror\b" } }"#,
            &[r"W360 write it in single quotes: '\berror\b'"],
        );
        check(r#"body: { not_contains: "\error" }"#, &[r"W360 write it in single quotes: '\error'"]);
        check(
            "body:\n    not_contains: |\n      error",
            &["W360 write |- in place of |, or >- in place of >"],
        );
        check("body: { not: { matches: /error/i } }", &["W360 write '(?i)error'"]);
        check(r"body: { matches: '/^a\/b$/' }", &["W360 write '^a/b$'"]);
    }

    #[test]
    fn what_may_be_meant_is_left_alone() {
        for expect in [
            "body:\n    not_contains: |-\n      error",
            r"body: { matches: '\berror\b' }",
            "body: { matches: /api/v1/ }",
            "body: { matches: ^/api/v1/$ }",
            r#"body: { contains: "a\nb\n" }"#,
            r#"body: { contains: "\x07" }"#,
            "body: { contains: /error/i }",
        ] {
            check(expect, &[]);
        }
    }
}
