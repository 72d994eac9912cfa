//! What looking at one value gave.

use model::high_mark::MarkValue;
use model::outcome::Reason;
use model::time::Timestamp;

use super::literal::family;
use crate::value::Value;

/// What looking at one value gave.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) pass: bool,
    pub(crate) reason: Reason,
    pub(crate) age: Option<f64>,
    /// What is wrong in a few words; for a value that holds, a remark.
    pub(crate) note: Option<String>,
    /// Whether the operator has no meaning for such a value, so that its opposite does not hold either.
    pub(crate) senseless: bool,
    /// The greatest value so far, and since when.
    pub(crate) mark: Option<(MarkValue, Timestamp)>,
}

impl Finding {
    pub(crate) const HOLDS: Self =
        Self { pass: true, reason: Reason::Ok, age: None, note: None, senseless: false, mark: None };
    pub(super) const BROKEN: Self = Self { pass: false, reason: Reason::Failed, ..Self::HOLDS };

    pub(crate) fn of(pass: bool) -> Self {
        if pass { Self::HOLDS } else { Self::BROKEN }
    }

    /// A value that the operator has no meaning for.
    pub(crate) fn mismatch(value: &Value<'_>, wanted: &str) -> Self {
        Self { senseless: true, ..Self::unlike(value, wanted) }
    }

    /// A value of another type, which therefore is not the wanted one.
    pub(super) fn unlike(value: &Value<'_>, wanted: &str) -> Self {
        Self { note: Some(format!("{} is not {wanted}", family(value))), ..Self::BROKEN }
    }

    /// Several values where one is needed.
    pub(crate) fn several(count: usize) -> Self {
        Self { note: Some(format!("there are {count} values, and one can be compared")), ..Self::BROKEN }
    }

    pub(crate) fn noted(self, note: impl FnOnce() -> String) -> Self {
        Self { note: self.note.or_else(|| Some(note())), ..self }
    }

    /// Which of several values it is about, before what is known already.
    pub(crate) fn placed(self, place: impl FnOnce() -> String) -> Self {
        let note = match self.note {
            Some(note) => format!("{}: {note}", place()),
            None => place(),
        };
        Self { note: Some(note), ..self }
    }

    /// Both must hold; the first that does not gives the reason, the greatest age is kept.
    pub(crate) fn and(self, other: impl FnOnce() -> Self) -> Self {
        if !self.pass {
            return self;
        }
        let other = other();
        let age = match (self.age, other.age) {
            (Some(left), Some(right)) if other.pass => Some(left.max(right)),
            (left, right) => right.or(left),
        };
        Self { age, note: other.note.or(self.note), mark: other.mark.or(self.mark), ..other }
    }

    /// Whether it holds and `other` does not, or else is of a time nearer to now.
    pub(super) fn is_nearer(&self, other: &Self) -> bool {
        let distance = |finding: &Self| finding.age.map_or(f64::INFINITY, f64::abs);
        match (self.pass, other.pass) {
            (true, false) => true,
            (false, true) => false,
            _ => distance(self) < distance(other),
        }
    }

    /// "a text is not a time" would be wrong: some texts are.
    pub(super) fn noted_text(self, value: &Value<'_>) -> Self {
        match value {
            Value::Text(_) | Value::Int(_) | Value::Large(_) | Value::Float(_) | Value::Decimal(_) => {
                Self { note: Some("this is not a time".to_owned()), ..self }
            }
            _ => self,
        }
    }
}
