//! A file's values, before they are written in some style.

use scenario::diagnostic::Report;
use scenario::tree::{Node, NodeValue, ScalarKind, parse};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// A number, a yes or no, or nothing: only ever plain.
    Plain(String),
    /// A text, in whatever quotes.
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// The value of a table's example.
pub(super) fn example(text: &str) -> Tree {
    let mut report = Report::default();
    let root = parse(0, &format!("x: {text}"), &mut report);
    let root = root.unwrap_or_else(|| panic!("the example {text} is not YAML"));
    of(root.get("x").expect("the example stands under x"))
}

fn of(node: &Node) -> Tree {
    match &node.value {
        NodeValue::Scalar(scalar) => match scalar.kind {
            ScalarKind::Text | ScalarKind::Quoted => Tree::Text(scalar.text.to_string()),
            _ => Tree::Plain(scalar.text.to_string()),
        },
        NodeValue::List(items) => Tree::List(items.iter().map(of).collect()),
        NodeValue::Map(entries) => {
            Tree::Map(entries.iter().map(|(key, node)| (key.value.clone(), of(node))).collect())
        }
    }
}

impl Tree {
    pub(super) fn plain(text: &str) -> Self {
        // `example` tells texts from numbers.
        example(text)
    }

    pub(super) fn map<const N: usize>(entries: [(&str, Self); N]) -> Self {
        Self::Map(entries.map(|(key, value)| (key.to_owned(), value)).into())
    }

    /// Puts a value at a path; takes it back if the whole is not sound then.
    pub(super) fn try_with(&mut self, path: &[&str], value: Self, sound: impl Fn(&Self) -> bool) -> bool {
        if self.has(path) {
            return false;
        }
        let mut with = self.clone();
        with.put(path, value);
        let keeps = sound(&with);
        if keeps {
            *self = with;
        }
        keeps
    }

    pub(super) fn has(&self, path: &[&str]) -> bool {
        let Some((first, rest)) = path.split_first() else { return true };
        let Self::Map(entries) = self else { return false };
        entries.iter().any(|(key, value)| key == first && value.has(rest))
    }

    fn put(&mut self, path: &[&str], value: Self) {
        let (Self::Map(entries), Some((first, rest))) = (&mut *self, path.split_first()) else {
            *self = value;
            return;
        };
        if let Some((_, inner)) = entries.iter_mut().find(|(key, _)| key == first) {
            return inner.put(rest, value);
        }
        let mut inner = if rest.is_empty() { value.clone() } else { Self::Map(Vec::new()) };
        if !rest.is_empty() {
            inner.put(rest, value);
        }
        entries.push(((*first).to_owned(), inner));
    }
}
