//! Texts for people: user texts made harmless, times, ages and durations.
//!
//! Everything that an author or a target may have written goes through [`clean`] or [`user`]: cut, isolated
//! from the direction of the text around it, and with invisible characters made visible.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};
use model::slot::Slot;
use model::time::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The longest name or title on a page, in bytes.
pub(crate) const NAME_MAX: usize = 160;
/// The longest sentence on a page, in bytes.
pub(crate) const SENTENCE_MAX: usize = 1_024;
/// The longest block of text on a page, in bytes.
pub(crate) const BLOCK_MAX: usize = 64 * 1_024;

/// The text cut to `bytes_max` bytes, with characters that hide or reorder others spelled out as `⟨U+202E⟩`.
///
/// Line breaks and tabs stay.
pub(crate) fn clean(text: &str, bytes_max: usize) -> String {
    let keep = text.floor_char_boundary(bytes_max);
    let mut shown = String::with_capacity(keep + 4);
    for letter in text[..keep].chars() {
        if is_hidden(letter) {
            write!(shown, "⟨U+{:04X}⟩", u32::from(letter)).expect("a String takes every character");
        } else {
            shown.push(letter);
        }
    }
    if keep < text.len() {
        shown.push('…');
    }
    shown
}

/// Control characters, marks of direction, and characters without a width.
fn is_hidden(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' => true,
        other => other.is_control(),
    }
}

/// A cleaned text in an element of its own direction.
pub(crate) fn user(text: &str, bytes_max: usize) -> Markup {
    html! { bdi { (clean(text, bytes_max)) } }
}

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// The text as one segment of a path or one value of a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Where a run's page is; the time leads there by an index.
pub(crate) fn run_path(slot: &Slot) -> String {
    format!("/runs/{}?at={}", slot.id, slot.scheduled.as_millis())
}

/// The address as a link's target, if it is a plain web address.
pub(crate) fn web_address(text: &str) -> Option<&str> {
    let is_web = ["https://", "http://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    (is_web && text.len() <= 2_048 && !text.chars().any(|letter| is_hidden(letter) || letter.is_whitespace()))
        .then_some(text)
}

/// A measured time: `0.4 ms`, `182 ms`, `1.31 s`, `32.7 s`, `2 min 5 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        0.0 => "0 ms".to_owned(),
        _ if seconds < 0.01 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 0.999_5 => format!("{:.0} ms", seconds * 1e3),
        _ if seconds < 9.995 => format!("{seconds:.2} s"),
        _ if seconds < 99.95 => format!("{seconds:.1} s"),
        _ => age(time),
    }
}

/// A time in whole units, the two largest: `7 s`, `4 min 10 s`, `3 h 5 min`, `12 d 2 h`.
pub(crate) fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    let (unit, rest) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => ((seconds / 60, "min"), (seconds % 60, "s")),
        3_600..86_400 => ((seconds / 3_600, "h"), (seconds % 3_600 / 60, "min")),
        _ => ((seconds / 86_400, "d"), (seconds % 86_400 / 3_600, "h")),
    };
    match rest.0 {
        0 => format!("{} {}", unit.0, unit.1),
        _ => format!("{} {} {} {}", unit.0, unit.1, rest.0, rest.1),
    }
}

/// A time in one whole unit: `7 s`, `4 min`, `3 h`, `12 d`.
pub(crate) fn brief_age(time: Duration) -> String {
    let both = age(time);
    both.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ")
}

/// `10:42:07`, with the day before it if that is not the day of `now`; all in UTC.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    let text = at.to_string();
    let (day, clock) = (&text[..10], &text[11..19]);
    if day == &now.to_string()[..10] { clock.to_owned() } else { format!("{day} {clock}") }
}

/// The moment in an element that machines can read.
pub(crate) fn time(at: Timestamp, now: Timestamp) -> Markup {
    let full = at.to_string();
    html! { time datetime=(full) title=(format!("{} UTC", full[..23].replace('T', " "))) { (moment(at, now)) } }
}

/// `1 slot`, `2 slots`.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_texts_are_harmless() {
        let check = |text: &str, expected: &str| assert_eq!(user(text, 64).into_string(), expected);
        check("<b>&\"", "<bdi>&lt;b&gt;&amp;&quot;</bdi>");
        check("gnp\u{202e}exe", "<bdi>gnp⟨U+202E⟩exe</bdi>");
        check("a\u{0}\u{1b}[31m\nb", "<bdi>a⟨U+0000⟩⟨U+001B⟩[31m\nb</bdi>");
        check("שלום", "<bdi>שלום</bdi>");
        let long = "é".repeat(1 << 20);
        assert!(clean(&long, 65).len() <= 70);
        assert!(clean(&long, 65).ends_with("é…"));
    }

    #[test]
    fn only_web_addresses_become_links() {
        for text in ["https://wiki.example/a?b#c", "HTTP://x"] {
            assert_eq!(web_address(text), Some(text));
        }
        for text in ["javascript:alert(1)", " https://x", "data:text/html,x", "//x", "", "https://a\u{202e}b"]
        {
            assert_eq!(web_address(text), None, "{text}");
        }
        assert_eq!(encoded("a b/ü?%"), "a%20b%2F%C3%BC%3F%25");
    }

    #[test]
    fn numbers_are_short() {
        for (nanos, expected) in [
            (0, "0 ms"),
            (400_000, "0.4 ms"),
            (182_000_000, "182 ms"),
            (999_600_000, "1.00 s"),
            (1_312_000_000, "1.31 s"),
            (32_700_000_000, "32.7 s"),
            (125_000_000_000, "2 min 5 s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), expected);
        }
        assert_eq!(age(Duration::from_hours(2)), "2 h");
        assert_eq!(brief_age(Duration::from_secs(93_784)), "1 d");
        assert_eq!(count(1, "slot"), "1 slot");
        assert_eq!(count(0, "slot"), "0 slots");
    }

    #[test]
    fn moments_name_the_day_if_it_is_another() {
        let now: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        assert_eq!(moment(now, now), "10:00:00");
        assert_eq!(moment(now.minus(Duration::from_hours(24)), now), "2026-03-01 10:00:00");
    }
}
