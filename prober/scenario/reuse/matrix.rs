//! `matrix`: one scenario file that stands for many scenarios.

use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Report};
use crate::name;
use crate::source::{Span, Spanned};
use crate::tree::{Node, Scalar, ScalarKind};

/// More instances of one file than this are worth a warning.
const INSTANCES_MANY: usize = 200;
/// The most instances of one file.
pub const INSTANCES_MAX: usize = 10_000;
/// The most keys of a matrix.
const KEYS_MAX: usize = 5;
/// The longest value, in bytes: it is part of a name.
const VALUE_BYTES_MAX: usize = 64;

/// The keys of a matrix with their values.
#[derive(Debug)]
pub(crate) struct Matrix {
    keys: Vec<(Spanned<String>, Vec<Spanned<Scalar>>)>,
}

/// One key of a matrix with an instance's value.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a Scalar,
    pub(crate) span: Span,
}

/// The name that an instance has from its file: `service-health` of `service-health[service=cart]`.
pub fn base_name(name: &str) -> &str {
    name.split_once('[').map_or(name, |(base, _)| base)
}

impl Matrix {
    /// The matrix of a scenario; `None` if it has none, or none that can be used.
    pub(crate) fn read(root: &Node, report: &mut Report) -> Option<Self> {
        let node = root.get("matrix")?;
        let Some(entries) = node.map() else {
            let message = format!("expected a map of names and lists, found {}", node.describe());
            report.push(
                Diagnostic::error("E103", node.span, message)
                    .help("write matrix: { service: [cart, search] }"),
            );
            return None;
        };
        if entries.is_empty() {
            let problem = Diagnostic::error("E104", node.span, "the matrix is empty");
            report.push(problem.help("leave it out, or add a key: matrix: { service: [cart, search] }"));
            return None;
        }
        if entries.len() > KEYS_MAX {
            let message = format!("a matrix of {} keys, and {KEYS_MAX} are the most", entries.len());
            report.push(Diagnostic::error("E117", entries[KEYS_MAX].0.span, message));
            return None;
        }
        let mut keys = Vec::with_capacity(entries.len());
        let mut sound = true;
        for (key, node) in entries {
            if let Err(problem) = name::label(&key.value, key.span) {
                report.push(problem);
                sound = false;
            }
            match values(key, node, report) {
                Some(values) => keys.push((key.clone(), values)),
                None => sound = false,
            }
        }
        let matrix = Self { keys };
        (sound && matrix.is_bounded(root, report)).then_some(matrix)
    }

    fn is_bounded(&self, root: &Node, report: &mut Report) -> bool {
        let lengths = self.keys.iter().map(|(_, values)| values.len());
        let count = lengths.fold(1_usize, usize::saturating_mul);
        let keys = root.map().unwrap_or_default();
        let at = keys.iter().find(|(key, _)| key.value == "matrix").map_or(root.span, |(key, _)| key.span);
        if count > INSTANCES_MAX {
            let message = format!("{count} instances, and {INSTANCES_MAX} are the most of one file");
            report
                .push(Diagnostic::error("E117", at, message).help("split the scenario, or leave out values"));
        } else if count > INSTANCES_MANY {
            let message = format!("this file stands for {count} scenarios");
            report.push(
                Diagnostic::warning("W354", at, message)
                    .help("each has a schedule, a history and alerts of its own"),
            );
        }
        count <= INSTANCES_MAX
    }

    /// The combinations, the last key changing fastest.
    pub(crate) fn instances(&self) -> impl Iterator<Item = Vec<Cell<'_>>> {
        let count: usize = self.keys.iter().map(|(_, values)| values.len()).product();
        (0..count).map(move |number| {
            let mut rest = number;
            let mut cells: Vec<_> = self
                .keys
                .iter()
                .rev()
                .map(|(key, values)| {
                    let value = &values[rest % values.len()];
                    rest /= values.len();
                    Cell { key: &key.value, value: &value.value, span: value.span }
                })
                .collect();
            cells.reverse();
            cells
        })
    }

    /// The keys with their places.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.keys.iter().map(|(key, _)| key)
    }
}

/// `[service=cart,tier=1]`; empty without a matrix.
pub(crate) fn suffix(cells: &[Cell<'_>]) -> String {
    let mut out = String::new();
    for (index, cell) in cells.iter().enumerate() {
        let before = if index == 0 { '[' } else { ',' };
        write!(out, "{before}{}={}", cell.key, cell.value.text).expect("a String takes every character");
    }
    if !out.is_empty() {
        out.push(']');
    }
    out
}

fn values(key: &Spanned<String>, node: &Node, report: &mut Report) -> Option<Vec<Spanned<Scalar>>> {
    let items = match node.list() {
        Some(items) => items,
        None => std::slice::from_ref(node),
    };
    if items.is_empty() {
        let problem = Diagnostic::error("E104", node.span, format!("the list `{}` is empty", key.value));
        report.push(problem.help("an empty list makes no instance at all"));
        return None;
    }
    let mut values: Vec<Spanned<Scalar>> = Vec::with_capacity(items.len());
    let mut places: std::collections::HashMap<&str, Span> =
        std::collections::HashMap::with_capacity(items.len());
    let mut sound = true;
    for item in items {
        match value(key, item) {
            Ok(scalar) => {
                if let Some(first) = places.insert(&scalar.text, item.span) {
                    let message = format!("`{}` is there twice", scalar.text);
                    report.push(Diagnostic::error("E157", item.span, message).other(first, "the first one"));
                    sound = false;
                }
                values.push(Spanned::new(Scalar { verbatim: None, ..scalar.clone() }, item.span));
            }
            Err(problem) => {
                report.push(problem);
                sound = false;
            }
        }
    }
    sound.then_some(values)
}

fn value<'n>(key: &Spanned<String>, node: &'n Node) -> Result<&'n Scalar, Diagnostic> {
    let wrong = |message: String| Diagnostic::error("E157", node.span, message);
    let Some(scalar) = node.scalar().filter(|scalar| scalar.kind != ScalarKind::Null) else {
        let message =
            format!("a value of the matrix is a text, a number or yes-no, found {}", node.describe());
        return Err(wrong(message).help(format!("write {}: [one, two]", key.value)));
    };
    if scalar.text.contains("${") {
        return Err(wrong("a value of the matrix cannot have `${…}` in it".to_owned())
            .help("the instances' names are made from it; put parts together where they are used"));
    }
    let fits =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':' | '@' | '+');
    if scalar.text.is_empty() || scalar.text.len() > VALUE_BYTES_MAX || !scalar.text.chars().all(fits) {
        let shown = model::outcome::cut(scalar.text.escape_debug().to_string(), 60);
        return Err(wrong(format!("`{shown}` cannot be part of a name")).help(format!(
            "a value has letters a–z, digits and - _ . : @ +, at most {VALUE_BYTES_MAX} of them; the instance is named after it"
        )));
    }
    Ok(scalar)
}
