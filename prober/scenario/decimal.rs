//! Decimal numbers compared by their digits, so that none is rounded.

use std::cmp::Ordering;

/// A decimal number in its parts; the digits before the point have no leading zeros, those behind it no trailing ones.
#[derive(PartialEq, Eq)]
struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Parts<'a> {
    /// `None` if the text is not digits with perhaps a sign and a point.
    fn read(text: &'a str) -> Option<Self> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = !(whole.is_empty() && fraction.is_empty())
            && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_zero = whole.is_empty() && fraction.is_empty();
        is_number.then_some(Self { is_negative: text.starts_with('-') && !is_zero, whole, fraction })
    }

    /// How it lies to `other`, signs aside.
    fn size(&self, other: &Self) -> Ordering {
        let whole = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(other.whole));
        whole.then_with(|| self.fraction.cmp(other.fraction))
    }
}

/// How one number lies to another; `None` if one of the texts is none, such as `1e3`.
pub fn order(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (Parts::read(left)?, Parts::read(right)?);
    Some(match (left.is_negative, right.is_negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => left.size(&right),
        (true, true) => right.size(&left),
    })
}

/// The float that has exactly these digits when it is written as short as it can be; `None` if it would be another number.
pub(crate) fn as_float(text: &str) -> Option<f64> {
    let near: f64 = text.parse().ok()?;
    (order(&near.to_string(), text)? == Ordering::Equal).then_some(near)
}

/// Whether a float has all digits of the text; texts in other forms, such as `1e3`, count as kept.
pub(crate) fn is_kept(text: &str) -> bool {
    order(text, text).is_none() || as_float(text).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_ordered_by_their_digits() {
        for (left, right, wanted) in [
            ("1", "1.0", Ordering::Equal),
            ("-0", "0.000", Ordering::Equal),
            ("007", "7", Ordering::Equal),
            ("10", "9", Ordering::Greater),
            ("0.10000000000000000001", "0.1", Ordering::Greater),
            ("-0.10000000000000000001", "-0.1", Ordering::Less),
            ("12345678901234567.89", "12345678901234567.9", Ordering::Less),
            ("-1", "0", Ordering::Less),
            ("+2.5", "2.50", Ordering::Equal),
            (".5", "0.5", Ordering::Equal),
        ] {
            assert_eq!(order(left, right), Some(wanted), "{left} {right}");
            assert_eq!(order(right, left), Some(wanted.reverse()), "{right} {left}");
        }
        for text in ["", "-", ".", "1e3", "NaN", "inf", "1.2.3", "1 "] {
            assert_eq!(order(text, "1"), None, "{text}");
        }
    }

    #[test]
    fn floats_stand_for_what_they_hold() {
        assert_eq!(as_float("12.50"), Some(12.5));
        assert_eq!(as_float("0.1"), Some(0.1));
        assert_eq!(as_float("100000000000000000000"), Some(1e20));
        assert_eq!(as_float("12345678901234567.89"), None);
        assert_eq!(as_float(&"9".repeat(400)), None);
    }

    proptest! {
        #[test]
        fn whole_numbers_are_ordered_as_numbers(left in any::<i64>(), right in any::<i64>()) {
            prop_assert_eq!(order(&left.to_string(), &right.to_string()), Some(left.cmp(&right)));
        }
    }
}
