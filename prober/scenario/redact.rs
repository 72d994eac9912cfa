//! Takes secret values out of everything that people see.
//!
//! | module | holds |
//! | --- | --- |
//! | [`spellings`] | the ways a secret may be written |
//! | [`view`] | a text with its escapes undone |
//!
//! A text is looked at as it is, and with its escapes undone, layer by layer, so that a value is found however a
//! server has escaped it, also partly and more than once. In each layer it is found as it is, in the other case,
//! as hexadecimal digits and as Base64, also in the middle of a longer Base64 text as in `Basic` credentials. A
//! beginning of a value before `…` is what a limit has left of it, and goes too.
//!
//! A value of less than [`SECRET_BYTES_MIN`] bytes goes only where it stands as a word of its own: otherwise it
//! would shred every text, and anyone can guess it.
//!
//! Deliberately absent: what a server does with a value beyond that (encryption, compression, the value backwards).

mod spellings;
#[cfg(test)]
mod tests;
mod view;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use model::outcome::Outcome;

use crate::template::{Captures, Filter, Hole, Secrets};
use spellings::{Form, Spelling};
use view::{Bytes, View, Way};

/// The shortest secret that is looked for inside of words, in bytes.
pub const SECRET_BYTES_MIN: usize = 3;

/// How much of a spelling the search looks for; where that is found, the rest is compared.
const SOUGHT_BYTES_MAX: usize = 512;

/// How many layers of escapes are undone: a value in JSON in JSON in a URL in a page.
const LAYERS_MAX: usize = 5;

/// How many layers are undone one way at a time.
const SINGLE_LAYERS_MAX: usize = 2;

/// The least that is read again from inside of escapes, in bytes of one text; four times its length comes to it.
const REREAD_BYTES: usize = 256 << 10;

/// The most that is read again from inside of one escape, in bytes.
const REREAD_BYTES_EACH: usize = 8 << 10;

/// How much longer than its value a spelling is read: `%25252F` is a slash, escaped three times.
const REREAD_FACTOR: usize = 8;

/// What limits put in the place of what they cut off.
const CUT: &[u8] = "…".as_bytes();

/// Replaces known secret values by `•••(name)`.
#[derive(Clone, Default)]
pub struct Redactor {
    search: Option<AhoCorasick>,
    /// Sorted by their texts, without doubles; the search numbers them so.
    patterns: Vec<Pattern>,
    /// The longest of their texts, as far as it is sought, in bytes.
    longest: usize,
    /// What one of their texts begins with.
    first: Bytes,
    /// Filters that templates put values through, more than one after another.
    chains: Arc<[(Hole, Vec<Filter>)]>,
}

/// One spelling of one secret; never printed.
#[derive(Clone)]
struct Pattern {
    spelling: Spelling,
    mask: Arc<str>,
}

/// A part of a text that goes.
#[derive(Copy, Clone, Debug)]
struct Found {
    start: usize,
    end: usize,
    pattern: usize,
}

/// Names of what is looked for, and nothing else.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut masks: Vec<_> = self.patterns.iter().map(|pattern| &*pattern.mask).collect();
        masks.sort_unstable();
        masks.dedup();
        out.debug_tuple("Redactor").field(&masks).finish()
    }
}

impl Redactor {
    /// A redactor of these secrets, and of what `chains` of filters make of them and of secret captures.
    pub fn new(secrets: &Secrets, chains: &[(Hole, Vec<Filter>)]) -> Self {
        let bare = Self { chains: chains.into(), ..Self::default() };
        bare.extended(secrets.iter().map(|(name, value)| (name, Cow::Borrowed(value))))
    }

    /// The same, with the captures that are secret; borrowed if there are none.
    pub fn with_captures(&self, captures: &Captures) -> Cow<'_, Self> {
        let secret = captures.iter().filter(|(_, captured)| captured.secret);
        let texts: Vec<_> = secret
            .flat_map(|(name, captured)| leaves(&captured.value).map(move |text| (name, text)))
            .collect();
        if texts.is_empty() { Cow::Borrowed(self) } else { Cow::Owned(self.extended(texts)) }
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    fn extended<'a>(&self, values: impl IntoIterator<Item = (&'a str, Cow<'a, str>)>) -> Self {
        let mut patterns = self.patterns.clone();
        for (name, value) in values {
            let mask: Arc<str> = format!("•••({name})").into();
            let filtered = self.filtered(name, &value);
            for value in std::iter::once(&*value).chain(filtered.iter().map(String::as_str)) {
                let spellings = spellings::of(value).into_iter();
                patterns.extend(spellings.map(|spelling| Pattern { spelling, mask: Arc::clone(&mask) }));
            }
        }
        patterns.sort_by(|left, right| left.spelling.text.cmp(&right.spelling.text));
        patterns.dedup_by(|later, first| later.spelling.text == first.spelling.text);
        let search = (!patterns.is_empty()).then(|| search(&patterns));
        let longest = patterns.iter().map(|pattern| pattern.spelling.text.len().min(SOUGHT_BYTES_MAX)).max();
        let longest = longest.unwrap_or_default();
        let first = patterns.iter().filter_map(|pattern| pattern.spelling.text.first().copied()).collect();
        let mut all = Self { search, patterns, longest, first, chains: Arc::clone(&self.chains) };
        all.hide_telling_names();
        all
    }

    /// What the chains of filters make of the value called `name`, after each of their filters.
    fn filtered(&self, name: &str, value: &str) -> Vec<String> {
        let mut made = Vec::new();
        for (hole, filters) in &*self.chains {
            if !matches!(hole, Hole::Secret(of) | Hole::Capture(of) if **of == *name) {
                continue;
            }
            let mut text = Cow::Borrowed(value);
            for filter in filters {
                text = Cow::Owned(filter.apply(&text));
                made.push(text.clone().into_owned());
            }
        }
        made
    }

    /// A name that has a secret in it is no name to be shown.
    fn hide_telling_names(&mut self) {
        let masks: BTreeSet<_> = self.patterns.iter().map(|pattern| Arc::clone(&pattern.mask)).collect();
        let telling: Vec<_> = masks.into_iter().filter(|mask| !self.found(mask).is_empty()).collect();
        for mask in telling {
            let named = self.patterns.iter_mut().filter(|pattern| pattern.mask == mask);
            named.for_each(|pattern| pattern.mask = "•••".into());
        }
    }

    /// The text with every secret replaced; borrowed if there is none.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.found(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut kept = 0;
        for Found { start, end, pattern } in found {
            out.push_str(&text[kept..start]);
            out.push_str(&self.patterns[pattern].mask);
            kept = end;
        }
        Cow::Owned(out + &text[kept..])
    }

    /// Replaces every secret in every text that a run has put into `outcome`.
    pub fn redact_outcome(&self, outcome: &mut Outcome) {
        if self.is_empty() {
            return;
        }
        outcome.change_texts(&mut |text| match self.redact(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(redacted) => Some(redacted),
        });
    }

    /// The parts of `text` that go, in order, apart from each other, at the borders of characters.
    fn found(&self, text: &str) -> Vec<Found> {
        let mut found = Vec::new();
        let Some(search) = &self.search else { return found };
        let mut patience = text.len().saturating_mul(4).saturating_add(REREAD_BYTES);
        self.find_layers(search, &View::whole(text), &mut found, &mut |view, found| {
            self.find_inside_escapes(search, view, &mut patience, found);
        });
        joined(found, text)
    }

    /// Adds what is found in `view` and in the layers below it, and what `more` adds for each of them.
    fn find_layers(
        &self,
        search: &AhoCorasick,
        view: &View<'_>,
        found: &mut Vec<Found>,
        more: &mut dyn FnMut(&View<'_>, &mut Vec<Found>),
    ) {
        self.find(search, view, found);
        more(view, found);
        let mut layer = view.unescaped(&Way::ALL);
        for _ in 0..LAYERS_MAX {
            let Some(view) = layer else { break };
            self.find(search, &view, found);
            more(&view, found);
            layer = view.unescaped(&Way::ALL);
        }
        self.find_each_way(search, view, SINGLE_LAYERS_MAX, found);
    }

    /// Adds what begins inside of what looks like an escape: the end of the text before it made it look so.
    ///
    /// `C:\` before `news` is such a text. Reading stops after `patience` bytes.
    fn find_inside_escapes(
        &self,
        search: &AhoCorasick,
        view: &View<'_>,
        patience: &mut usize,
        found: &mut Vec<Found>,
    ) {
        let length = (self.longest.saturating_mul(REREAD_FACTOR)).min(REREAD_BYTES_EACH);
        for at in view.insides(&self.first) {
            let Some(left) = patience.checked_sub(length) else { return };
            *patience = left;
            self.find_layers(search, &view.part(at, length), found, &mut |_, _| {});
        }
    }

    /// Adds what is found when the ways of escaping are undone one at a time, `layers` of them.
    ///
    /// A value that holds something like an escape itself, such as a backslash before what follows it, is undone with
    /// the rest where all ways are undone together.
    fn find_each_way(&self, search: &AhoCorasick, view: &View<'_>, layers: usize, found: &mut Vec<Found>) {
        if layers == 0 {
            return;
        }
        for way in view.several_ways() {
            let Some(below) = view.unescaped(&[way]) else { continue };
            self.find(search, &below, found);
            self.find_each_way(search, &below, layers - 1, found);
        }
    }

    /// Adds what is found in one layer, in places of the text.
    fn find(&self, search: &AhoCorasick, view: &View<'_>, found: &mut Vec<Found>) {
        let bytes = view.bytes();
        // A value may repeat itself so that much of it is compared at every place; then the rest goes unseen.
        let mut patience = bytes.len().saturating_mul(4);
        for one in search.find_overlapping_iter(bytes) {
            let pattern = one.pattern().as_usize();
            let spelling = &self.patterns[pattern].spelling;
            let rest = &spelling.text[one.end() - one.start()..];
            let mut end = one.end();
            if !rest.is_empty() {
                let same = same(&rest[..rest.len().min(patience)], &bytes[end..]);
                patience -= same;
                end = if patience == 0 { bytes.len() } else { end + same };
            }
            if let Some((start, end)) = spelling.place(bytes, one.start(), end) {
                let (start, end) = view.place(start, end);
                found.push(Found { start, end, pattern });
            }
        }
        self.find_cut(view, found);
    }

    /// Adds the beginnings of spellings that stand before `…`.
    fn find_cut(&self, view: &View<'_>, found: &mut Vec<Found>) {
        let bytes = view.bytes();
        let mut from = 0;
        while let Some(at) = position(&bytes[from..], CUT).map(|at| from + at) {
            let end = from + view::without_broken_escape(&bytes[from..at]);
            // The longest beginning first; nothing before the last `…` can belong to it.
            let longest = self.longest.min(end - from);
            let begun = (SECRET_BYTES_MIN..=longest).rev().find_map(|length| {
                let begun = &bytes[end - length..end];
                let at = self.patterns.partition_point(|pattern| *pattern.spelling.text < *begun);
                let pattern = self.patterns.get(at)?;
                let fits = pattern.spelling.form != Form::Word && pattern.spelling.text.starts_with(begun);
                fits.then_some((end - length, at))
            });
            if let Some((start, pattern)) = begun {
                let (start, _) = view.place(start, end);
                let (_, end) = view.place(end, at);
                found.push(Found { start, end, pattern });
            }
            from = at + CUT.len();
        }
    }
}

fn search(patterns: &[Pattern]) -> AhoCorasick {
    let sought = patterns.iter().map(|pattern| {
        let text = &pattern.spelling.text;
        &text[..text.len().min(SOUGHT_BYTES_MAX)]
    });
    AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        // Built in many runs for a few short texts: quick to build before quick to search.
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(sought)
        .expect("secrets are far below the automaton's limit of 2^31 states")
}

/// How many bytes both begin with.
fn same(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

fn position(bytes: &[u8], sought: &[u8]) -> Option<usize> {
    bytes.windows(sought.len()).position(|window| window == sought)
}

/// Parts that overlap or touch become one, with the longest one's name.
fn joined(mut found: Vec<Found>, text: &str) -> Vec<Found> {
    for one in &mut found {
        (one.start, one.end) = (text.floor_char_boundary(one.start), text.ceil_char_boundary(one.end));
    }
    found.sort_by_key(|one| (one.start, std::cmp::Reverse(one.end)));
    let mut joined: Vec<(Found, usize)> = Vec::new();
    for one in found {
        let length = one.end - one.start;
        match joined.last_mut() {
            Some((last, longest)) if one.start < last.end => {
                if length > *longest {
                    (last.pattern, *longest) = (one.pattern, length);
                }
                last.end = last.end.max(one.end);
            }
            _ => joined.push((one, length)),
        }
    }
    joined.into_iter().map(|(one, _)| one).collect()
}

/// Every text and number inside a captured value.
fn leaves(value: &serde_json::Value) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
    use serde_json::Value as Json;
    match value {
        Json::String(text) => Box::new(std::iter::once(Cow::Borrowed(text.as_str()))),
        Json::Number(number) => Box::new(std::iter::once(Cow::Owned(number.to_string()))),
        Json::Array(items) => Box::new(items.iter().flat_map(leaves)),
        Json::Object(map) => Box::new(map.values().flat_map(leaves)),
        Json::Null | Json::Bool(_) => Box::new(std::iter::empty()),
    }
}
