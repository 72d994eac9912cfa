//! What was refused, for the audit: each sender's first at once, and what it goes on with once a minute, with a count.
//!
//! Bounded, whoever sends: so many senders are told apart, the others are one; texts are cut.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::outcome::cut;
use model::time::{Clock as _, SystemClock};
use store::{NewNote, Store};

/// How often one sender's refusals are noted.
const NOTE_EVERY: Duration = Duration::from_mins(1);
/// How long a sender who has stopped is remembered.
const REMEMBERED: Duration = Duration::from_hours(1);
/// Senders that are told apart.
const SENDERS_MAX: usize = 256;
/// Bytes of a sender's name, and of a reason.
const NAME_BYTES_MAX: usize = 80;
const WHY_BYTES_MAX: usize = 300;

/// Something that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// What it was: `batch`, `record`, `scenario set`.
    pub(super) what: &'static str,
    /// Whose it is, as far as it says.
    pub(super) whose: String,
    pub(super) why: String,
}

/// One sender's refusals.
#[derive(Debug)]
struct Sender {
    /// Since they were last noted.
    count: u64,
    /// The newest reason.
    why: String,
    noted: Option<Instant>,
    heard: Instant,
}

/// What was refused and is not noted yet.
#[derive(Debug)]
pub(super) struct Refusals {
    /// Who refuses.
    id: String,
    senders: BTreeMap<(&'static str, String), Sender>,
}

impl Refusals {
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), senders: BTreeMap::new() }
    }

    /// Adds one.
    pub(super) fn add(&mut self, refused: Refused, now: Instant) {
        let Refused { what, whose, why } = refused;
        let mut key = (what, cut(whose, NAME_BYTES_MAX));
        if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(&key) {
            "others".clone_into(&mut key.1);
        }
        let why = cut(why, WHY_BYTES_MAX);
        let sender = self.senders.entry(key).or_insert_with(|| Sender {
            count: 0,
            why: String::new(),
            noted: None,
            heard: now,
        });
        (sender.count, sender.why, sender.heard) = (sender.count + 1, why, now);
    }

    /// What is to be noted now.
    fn take(&mut self, now: Instant) -> Vec<NewNote> {
        self.senders.retain(|_, sender| sender.count > 0 || now.duration_since(sender.heard) < REMEMBERED);
        let is_due = |sender: &Sender| {
            let waited = sender.noted.is_none_or(|noted| now.duration_since(noted) >= NOTE_EVERY);
            sender.count > 0 && waited
        };
        let due = self.senders.iter_mut().filter(|(_, sender)| is_due(sender));
        due.map(|((what, whose), sender)| {
            let count = std::mem::take(&mut sender.count);
            sender.noted = Some(now);
            let times = if count > 1 { format!(", {count} times") } else { String::new() };
            NewNote {
                who: self.id.clone(),
                action: "refused",
                subject: format!("{what} of {whose}{times}: {}", sender.why),
                detail: String::new(),
                once: false,
            }
        })
        .collect()
    }

    /// Notes what is due. Blocks; what cannot be noted is in the log.
    pub(super) fn note(&mut self, store: &Store) {
        let notes = self.take(Instant::now());
        if notes.is_empty() {
            return;
        }
        if let Err(error) = tokio::task::block_in_place(|| store.note(&notes, SystemClock.now())) {
            tracing::warn!(%error, "refusals could not be noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(whose: &str, why: &str) -> Refused {
        Refused { what: "batch", whose: whose.to_owned(), why: why.to_owned() }
    }

    fn subjects(refusals: &mut Refusals, now: Instant) -> Vec<String> {
        refusals.take(now).into_iter().map(|note| note.subject).collect()
    }

    #[test]
    fn the_first_is_noted_at_once_and_more_of_them_once_a_minute() {
        let mut refusals = Refusals::new("hub-1");
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        refusals.add(refused("x-1", "forged"), at(0));
        assert_eq!(subjects(&mut refusals, at(0)), ["batch of x-1: forged"]);
        for second in 1..60 {
            refusals.add(refused("x-1", &format!("forged at {second}")), at(second));
            assert_eq!(subjects(&mut refusals, at(second)), [""; 0], "{second}");
        }
        refusals.add(refused("x-2", "foreign"), at(59));
        assert_eq!(subjects(&mut refusals, at(59)), ["batch of x-2: foreign"]);
        assert_eq!(subjects(&mut refusals, at(60)), ["batch of x-1, 59 times: forged at 59"]);
        assert_eq!(subjects(&mut refusals, at(120)), [""; 0]);
        assert_eq!(subjects(&mut refusals, at(2 * 3_600)), [""; 0]);
        assert!(refusals.senders.is_empty());
    }

    #[test]
    fn a_flood_of_names_is_bounded() {
        let mut refusals = Refusals::new("hub-1");
        let now = Instant::now();
        for number in 0..100_000 {
            refusals.add(refused(&format!("{number}{}", "x".repeat(1_000)), &"y".repeat(10_000)), now);
        }
        let subjects = subjects(&mut refusals, now);
        assert_eq!(subjects.len(), SENDERS_MAX + 1);
        assert!(subjects.iter().all(|subject| subject.len() < 500));
        assert!(subjects.iter().any(|subject| subject.starts_with("batch of others, 99744 times")));
    }
}
