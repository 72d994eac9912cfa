//! Texts and blocks as YAML: the little that rule files need.

use std::fmt::Write as _;

/// One rule, recording or alerting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PromRule {
    /// `record` or `alert`.
    pub(super) verb: &'static str,
    /// What it is called.
    pub(super) name: String,
    /// The `PromQL`, of one line or several.
    pub(super) expr: String,
    /// How long it must hold; empty for at once.
    pub(super) hold: String,
    /// Names and values of labels.
    pub(super) labels: Vec<(&'static str, String)>,
    /// Names and texts of annotations.
    pub(super) annotations: Vec<(&'static str, String)>,
}

/// Appends a rule of a group.
pub(super) fn rule(out: &mut String, rule: &PromRule) {
    line(out, 6, &format!("- {}: {}", rule.verb, rule.name));
    if rule.expr.contains('\n') {
        line(out, 8, "expr: |");
        rule.expr.lines().for_each(|text| line(out, 10, text));
    } else {
        line(out, 8, &format!("expr: {}", text(&rule.expr)));
    }
    if !rule.hold.is_empty() {
        line(out, 8, &format!("for: {}", rule.hold));
    }
    map(out, 8, "labels", &rule.labels);
    map(out, 8, "annotations", &rule.annotations);
}

/// Appends a map of texts; nothing for an empty one.
pub(super) fn map(out: &mut String, indent: usize, name: &str, entries: &[(&'static str, String)]) {
    if entries.is_empty() {
        return;
    }
    line(out, indent, &format!("{name}:"));
    for (key, value) in entries {
        line(out, indent + 2, &format!("{key}: {}", text(value)));
    }
}

/// Appends an indented line.
pub(super) fn line(out: &mut String, indent: usize, line: &str) {
    writeln!(out, "{:indent$}{line}", "").expect("a String takes every text");
}

/// A text in the double quotes of YAML, whatever is in it.
pub(super) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for letter in value.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Control characters, the separators that YAML takes for line breaks, and the byte order mark.
            control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                write!(out, "\\u{:04x}", u32::from(control)).expect("a String takes every text");
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}
