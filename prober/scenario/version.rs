//! A scenario's version: a hash over everything that decides what a run does.

use crate::interpolate::canonical;
use crate::names::Names;
use crate::source::Spanned;
use crate::tree::{Node, NodeValue, ScalarKind};

/// Keys of a scenario that decide how it is put together, and so count by what came of them.
const REUSE_WORDS: [&str; 4] = ["use", "with", "matrix", "was"];

/// The first 12 hex digits of a hash over the resolved tree, secrets by their names, keys in order.
pub(crate) fn version(root: &Node, effective: &str, names: &mut Names<'_>) -> String {
    let mut hash = blake3::Hasher::new();
    map(root.map().unwrap_or_default(), |key| !REUSE_WORDS.contains(&key), names, &mut hash);
    hash.update(effective.as_bytes());
    hash.finalize().to_hex()[..12].to_owned()
}

fn feed(node: &Node, names: &mut Names<'_>, hash: &mut blake3::Hasher) {
    match &node.value {
        NodeValue::Scalar(scalar) => {
            let tag = match scalar.kind {
                ScalarKind::Quoted | ScalarKind::Text => b't',
                ScalarKind::Null => b'n',
                ScalarKind::Bool(_) => b'b',
                ScalarKind::Int(_) => b'i',
                ScalarKind::Float(_) => b'f',
            };
            if scalar.text.contains("${") {
                text(tag, &canonical(node, names), hash);
            } else {
                text(tag, &scalar.text, hash);
            }
        }
        NodeValue::List(items) => {
            text(b'l', &items.len().to_string(), hash);
            for item in items {
                feed(item, names, hash);
            }
        }
        NodeValue::Map(entries) => map(entries, |_| true, names, hash),
    }
}

fn map(
    entries: &[(Spanned<String>, Node)],
    counts: impl Fn(&str) -> bool,
    names: &mut Names<'_>,
    hash: &mut blake3::Hasher,
) {
    let mut sorted: Vec<_> = entries.iter().filter(|(key, _)| counts(&key.value)).collect();
    text(b'm', &sorted.len().to_string(), hash);
    sorted.sort_by(|left, right| left.0.value.cmp(&right.0.value));
    for (key, value) in sorted {
        text(b'k', &key.value, hash);
        feed(value, names, hash);
    }
}

fn text(tag: u8, text: &str, hash: &mut blake3::Hasher) {
    hash.update(&[tag]);
    hash.update(&(text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}
