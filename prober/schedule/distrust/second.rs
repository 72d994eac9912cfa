//! What a second resolver says of names that the first one did not find.
//!
//! That two resolvers say that there is no such name, or that its zone does not answer, is a fault of the target, whatever is
//! doubted of the first; that the second finds it is one of the first. They must say the same: that a server of the whole
//! world does not know a name of one's own house confirms no resolver that fails. Nothing here asks anybody. Memory is bounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use model::attribute::AttributeValue;
use model::outcome::Outcome;

/// The most names that wait for an answer, or have one.
const NAMES_MAX: usize = 256;

/// A region, and a name that its runs did not find.
type Key = (Arc<str>, Arc<str>);

/// What was said of a name, as an `error.type` that is empty if it is there, and when.
type Said = (&'static str, Instant);

/// Names of regions, and what a second resolver said of them; `None` while it has not been asked.
#[derive(Debug, Default)]
pub struct Second(HashMap<Key, Option<Said>>);

impl Second {
    /// Notes that a run that began at `began` did not find a name.
    pub fn hear(&mut self, region: &str, name: &str, began: Instant) {
        let key = (region.into(), name.into());
        let is_known = self.0.get(&key).is_some_and(|said| said.is_none_or(|(_, at)| at >= began));
        if is_known {
            return;
        }
        if self.0.len() >= NAMES_MAX {
            self.0.retain(|_, said| said.is_none());
        }
        if self.0.len() < NAMES_MAX {
            self.0.insert(key, None);
        }
    }

    /// The names of a region that are to be asked for.
    pub fn wanted(&self, region: &str) -> Vec<Arc<str>> {
        let wanted = self.0.iter().filter(|((of, _), said)| **of == *region && said.is_none());
        wanted.map(|((_, name), _)| Arc::clone(name)).collect()
    }

    /// Notes what the second resolver said: an `error.type`, empty if the name is there; `None` if it said nothing.
    pub fn answered(&mut self, region: &str, name: &str, word: Option<&'static str>, at: Instant) {
        let key = (region.into(), name.into());
        match word {
            Some(word) => drop(self.0.insert(key, Some((word, at)))),
            None => drop(self.0.remove(&key)),
        }
    }

    /// What it said of the name since a run began that came to `error_type`.
    pub fn says(&self, region: &str, (name, error_type): (&str, &str), began: Instant) -> Opinion {
        match self.0.get(&(region.into(), name.into())) {
            Some(None) => Opinion::Waits,
            Some(Some(("", at))) if *at >= began => Opinion::Otherwise,
            Some(Some((word, at))) if *at >= began && *word == error_type => Opinion::Same,
            _ => Opinion::Nothing,
        }
    }
}

/// What a second resolver says of a name.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// It has not been asked yet.
    Waits,
    /// It does not find it either.
    Same,
    /// It finds it.
    Otherwise,
    /// There is none, it is silent, or it says something else.
    Nothing,
}

/// The name that a bad run did not find, if a second resolver could tell: `dns.nxdomain` and `dns.servfail`.
pub fn name_of(outcome: &Outcome) -> Option<&str> {
    let failure = outcome.failure.as_ref()?;
    if !matches!(&*failure.error_type, "dns.nxdomain" | "dns.servfail") {
        return None;
    }
    let step =
        outcome.steps.iter().find(|step| *step.name == *failure.step).or_else(|| outcome.main_step())?;
    let named = |key| match step.attributes.get(key) {
        Some(AttributeValue::Text(text)) => Some(&**text),
        _ => None,
    };
    named("dns.question.name").or_else(|| named("server.address"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_answer_holds_for_runs_that_began_before_it() {
        let begin = Instant::now();
        let at = |second| begin + Duration::from_secs(second);
        let mut second = Second::default();
        let name = ("a.example", "dns.nxdomain");
        second.hear("eu", "a.example", at(10));
        assert_eq!(second.wanted("eu"), [Arc::<str>::from("a.example")]);
        assert_eq!(second.says("eu", name, at(10)), Opinion::Waits);
        assert!(second.wanted("us").is_empty());
        second.answered("eu", "a.example", Some(""), at(12));
        assert_eq!(second.says("eu", name, at(10)), Opinion::Otherwise);
        second.answered("eu", "a.example", Some("dns.servfail"), at(12));
        assert_eq!(second.says("eu", name, at(10)), Opinion::Nothing, "it fails for itself");
        second.answered("eu", "a.example", Some("dns.nxdomain"), at(12));
        assert_eq!(second.says("eu", name, at(10)), Opinion::Same);
        assert_eq!(second.says("eu", name, at(13)), Opinion::Nothing);
        assert!(second.wanted("eu").is_empty());
        second.hear("eu", "a.example", at(11));
        assert!(second.wanted("eu").is_empty());
        second.hear("eu", "a.example", at(20));
        assert_eq!(second.wanted("eu").len(), 1);
        second.answered("eu", "a.example", None, at(21));
        assert_eq!(second.says("eu", name, at(20)), Opinion::Nothing);
        for number in 0..3 * NAMES_MAX {
            second.hear("eu", &format!("n{number}"), at(30));
        }
        assert_eq!(second.0.len(), NAMES_MAX);
    }
}
