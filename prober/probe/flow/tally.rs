//! What a poll has seen, in memory that does not grow with the number of polls.

use std::collections::VecDeque;
use std::fmt::Write as _;

use model::outcome::cut;
use model::step::{Hop, SHOWN_MAX};

/// Different values that are told apart; later ones are counted together.
const VALUES_MAX: usize = 8;
/// Polls at the start, and as many at the end, whose hops are kept.
const HOPS_OF: usize = 2;

/// The values of one assertion, each with how often it was there.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// In the order they were first seen.
    values: Vec<(String, u32)>,
    others: u32,
    last: String,
    count: u32,
}

impl Sightings {
    /// Notes what one poll saw.
    pub(super) fn add(&mut self, value: String) {
        self.count += 1;
        match self.values.iter().position(|(known, _)| *known == value) {
            Some(index) => self.values[index].1 += 1,
            None if self.values.len() < VALUES_MAX => self.values.push((value.clone(), 1)),
            None => self.others += 1,
        }
        self.last = value;
    }

    /// `"pending" (30×), "confirmed" (1×)`; a single look is shown as it is.
    pub(super) fn shown(&self) -> String {
        if let [(only, 1)] = &self.values[..] {
            return cut(only.clone(), SHOWN_MAX);
        }
        // The values share the room, so that a long one does not hide the others.
        let room = SHOWN_MAX / (self.values.len() + 2) - 8;
        let short = |text: &str| cut(text.to_owned(), room.max(16));
        let mut text = String::new();
        for (index, (value, times)) in self.values.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(text, "{comma}{} ({times}×)", short(value)).expect("a String takes every text");
        }
        if self.others > 0 {
            write!(text, ", others ({}×)", self.others).expect("a String takes every text");
        }
        if self.values.last().is_some_and(|(value, _)| *value != self.last) || self.others > 0 {
            write!(text, ", at last {}", short(&self.last)).expect("a String takes every text");
        }
        cut(text, SHOWN_MAX)
    }
}

/// The hops of the first and of the last few polls.
#[derive(Debug, Default)]
pub(super) struct Hops {
    first: Vec<Vec<Hop>>,
    last: VecDeque<Vec<Hop>>,
    left_out: u32,
}

impl Hops {
    /// Notes the hops of one poll.
    pub(super) fn add(&mut self, hops: Vec<Hop>) {
        if self.first.len() < HOPS_OF {
            self.first.push(hops);
            return;
        }
        self.last.push_back(hops);
        if self.last.len() > HOPS_OF {
            let gone = self.last.pop_front().map_or(0, |hops| hops.len());
            self.left_out = self.left_out.saturating_add(u32::try_from(gone).unwrap_or(u32::MAX));
        }
    }

    /// What is kept, in order, and how many hops are not.
    pub(super) fn kept(self) -> (Vec<Hop>, u32) {
        (self.first.into_iter().chain(self.last).flatten().collect(), self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(values: &[&str]) -> String {
        let mut sightings = Sightings::default();
        for value in values {
            sightings.add((*value).to_owned());
        }
        sightings.shown()
    }

    #[test]
    fn values_are_counted_in_the_order_they_came() {
        assert_eq!(shown(&["a"]), "a");
        assert_eq!(shown(&["a", "a"]), "a (2×)");
        assert_eq!(shown(&["a", "a", "b"]), "a (2×), b (1×)");
        assert_eq!(shown(&["a", "b", "a"]), "a (2×), b (1×), at last a");
    }

    #[test]
    fn values_without_end_stay_small() {
        let mut sightings = Sightings::default();
        (0..10_000).for_each(|number| sightings.add(format!("{number} {}", "x".repeat(200))));
        let text = sightings.shown();
        assert!(text.len() <= SHOWN_MAX, "{}", text.len());
        assert!(text.contains("others (9992×), at last 9999 "), "{text}");
        assert_eq!(sightings.values.len(), VALUES_MAX);
    }

    #[test]
    fn the_first_and_last_hops_are_kept() {
        let mut hops = Hops::default();
        for number in 0..100 {
            let hop = |label: String| Hop { label: label.into(), ..Hop::default() };
            hops.add(vec![hop(format!("{number}a")), hop(format!("{number}b"))]);
        }
        let (kept, left_out) = hops.kept();
        let labels: Vec<_> = kept.iter().map(|hop| hop.label.as_str()).collect();
        assert_eq!(labels, ["0a", "0b", "1a", "1b", "98a", "98b", "99a", "99b"]);
        assert_eq!(left_out, 192);
    }
}
