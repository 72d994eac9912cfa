//! Files parsed ahead on a thread of their own while plans are made of those before: a third of compiling a large project
//! is parsing, and a second processor takes it over.
//!
//! What comes out is the same, in the same order. Memory is bounded by [`AHEAD`] parts of [`PART`] trees.

use std::sync::mpsc::sync_channel;
use std::thread::{Builder, scope};

use scenario::parsed::{Parsed, Take, one_by_one};
use scenario::source::Source;

/// With fewer files a thread takes longer than it saves.
const FILES_MIN: usize = 64;
/// Files that are handed over at once: a thread is not woken for each.
const PART: usize = 16;
/// Parts that wait at most.
const AHEAD: usize = 4;

/// Gives the files from the one at `from` on to `take`, each parsed, in their order.
pub(crate) fn each_parsed(files: &[Source], from: usize, take: &mut Take<'_>) {
    let rest = files.get(from..).unwrap_or_default();
    if rest.len() < FILES_MIN {
        return one_by_one(files, from, take);
    }
    scope(|threads| {
        let (sender, receiver) = sync_channel::<Vec<Parsed>>(AHEAD);
        let parsing = Builder::new().spawn_scoped(threads, move || {
            let indices: Vec<_> = (from..files.len()).collect();
            for part in indices.chunks(PART) {
                let trees = part.iter().map(|index| Parsed::of(*index, &files[*index])).collect();
                // Nobody receives any more only when making plans has panicked.
                if sender.send(trees).is_err() {
                    return;
                }
            }
        });
        if parsing.is_err() {
            return one_by_one(files, from, take);
        }
        for (place, (source, parsed)) in rest.iter().zip(receiver.into_iter().flatten()).enumerate() {
            take(from + place, source, parsed);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the number, every file comes once, in its order, with its own tree and its own mistakes.
    #[test]
    fn files_come_in_their_order() {
        for count in [0, 1, FILES_MIN - 1, FILES_MIN, PART * (AHEAD + 3) + 1, 1_000] {
            let text =
                |number: usize| if number % 7 == 3 { "a: [".to_owned() } else { format!("name: s{number}") };
            let files: Vec<_> = (0..count + 2)
                .map(|number| Source { path: format!("{number}.yaml"), text: text(number) })
                .collect();
            let seen = |each: scenario::parsed::EachParsed| {
                let mut seen = Vec::new();
                each(&files, 2, &mut |index, source, parsed| {
                    seen.push((index, source.path.clone(), format!("{parsed:?}")));
                });
                seen
            };
            let ahead = seen(each_parsed);
            assert_eq!(ahead, seen(one_by_one));
            assert_eq!(ahead.len(), count);
            assert!(ahead.iter().all(|(index, path, _)| *path == format!("{index}.yaml")));
        }
    }
}
