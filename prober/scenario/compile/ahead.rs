//! Files parsed ahead on a thread of their own while plans are made of those before: a third of compiling a large project
//! is parsing, and a second processor takes it over.
//!
//! What comes out is the same, in the same order. Memory is bounded by [`AHEAD`] parts of [`PART`] trees.

use std::sync::mpsc::sync_channel;
use std::thread::{Builder, scope};

use crate::diagnostic::Report;
use crate::source::Source;
use crate::tree::{Node, parse};

/// With fewer files a thread takes longer than it saves.
const FILES_MIN: usize = 64;
/// Files that are handed over at once: a thread is not woken for each.
const PART: usize = 16;
/// Parts that wait at most.
const AHEAD: usize = 4;

/// A file's tree, if it has one, and its mistakes.
pub(super) type Parsed = (Option<Node>, Report);

/// Gives the files from the one at `from` on to `each`: index, text and tree, in their order.
pub(super) fn each_parsed(files: &[Source], from: usize, mut each: impl FnMut(usize, &Source, Parsed)) {
    let rest = files.get(from..).unwrap_or_default();
    if rest.len() < FILES_MIN {
        return one_by_one(rest, from, &mut each);
    }
    scope(|threads| {
        let (sender, receiver) = sync_channel::<Vec<Parsed>>(AHEAD);
        let parsing = Builder::new().spawn_scoped(threads, move || {
            let mut first = from;
            for part in rest.chunks(PART) {
                let trees =
                    part.iter().enumerate().map(|(place, source)| tree(first + place, source)).collect();
                first += part.len();
                // Nobody receives any more only when making plans has panicked.
                if sender.send(trees).is_err() {
                    return;
                }
            }
        });
        if parsing.is_err() {
            return one_by_one(rest, from, &mut each);
        }
        for (place, (source, parsed)) in rest.iter().zip(receiver.into_iter().flatten()).enumerate() {
            each(from + place, source, parsed);
        }
    });
}

fn one_by_one(rest: &[Source], from: usize, each: &mut impl FnMut(usize, &Source, Parsed)) {
    for (place, source) in rest.iter().enumerate() {
        each(from + place, source, tree(from + place, source));
    }
}

fn tree(index: usize, source: &Source) -> Parsed {
    let mut report = Report::default();
    let root = parse(u32::try_from(index).unwrap_or(u32::MAX), &source.text, &mut report);
    (root, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the number, every file comes once, in its order, with its own tree and its own mistakes.
    #[test]
    fn trees_come_in_the_order_of_their_files() {
        for count in [0, 1, FILES_MIN - 1, FILES_MIN, PART * (AHEAD + 3) + 1, 1_000] {
            let text =
                |number: usize| if number % 7 == 3 { "a: [".to_owned() } else { format!("name: s{number}") };
            let files: Vec<_> = (0..count + 2)
                .map(|number| Source { path: format!("{number}.yaml"), text: text(number) })
                .collect();
            let mut seen = Vec::new();
            each_parsed(&files, 2, |index, source, (root, report)| {
                assert_eq!(source.path, format!("{index}.yaml"));
                let name = root.as_ref().and_then(|root| root.get("name")).map(Node::json);
                let expected = (index % 7 != 3).then(|| serde_json::Value::from(format!("s{index}")));
                assert_eq!((name, report.has_errors()), (expected, index % 7 == 3), "{index}");
                let places = report.finish();
                assert!(places.iter().all(|one| one.span.file as usize == index), "{places:?}");
                seen.push(index);
            });
            assert_eq!(seen, (2..count + 2).collect::<Vec<_>>());
        }
    }
}
