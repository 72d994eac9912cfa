//! Text from anywhere made fit for a terminal, and how wide it is there.
//!
//! Control characters become visible, characters that reorder or hide text are dropped, and what remains has
//! a width that terminals agree on. Deliberately absent: grapheme clusters; an emoji sequence is shown as its
//! parts.

use std::fmt::Write as _;

/// How many combining marks may follow a character before the rest is dropped.
const MARKS_MAX: usize = 3;

/// `text` without anything that a terminal would obey.
///
/// Looks at no more than `columns_max` columns and a few characters, so that a megabyte costs nothing.
pub(super) fn safe(text: &str, unicode: bool, columns_max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(columns_max.saturating_mul(4)));
    let (mut columns, mut marks) = (0, 0);
    for letter in text.chars() {
        if columns > columns_max {
            break;
        }
        if is_hidden(letter) {
            continue;
        }
        let before = out.len();
        if must_escape(letter) {
            escape(&mut out, letter);
        } else if unicode || letter.is_ascii() {
            marks = if letter_columns(letter) == 0 { marks + 1 } else { 0 };
            // A mark without a letter before it would join with the text that stands left of this one.
            if marks <= MARKS_MAX && !(marks > 0 && out.is_empty()) {
                out.push(letter);
            }
        } else {
            plain(&mut out, letter);
        }
        columns += columns_of(&out[before..]);
    }
    out
}

/// The columns that `text`, made safe before, takes on a terminal.
pub(super) fn columns_of(text: &str) -> usize {
    text.chars().map(letter_columns).sum()
}

/// `text`, made safe before, cut to `columns_max` columns with `more` in the last ones if cut.
pub(super) fn cut(text: &str, columns_max: usize, more: &str) -> String {
    if columns_of(text) <= columns_max {
        return text.to_owned();
    }
    let room = columns_max.saturating_sub(columns_of(more));
    let mut out = String::new();
    let mut columns = 0;
    for letter in text.chars() {
        columns += letter_columns(letter);
        if columns > room {
            break;
        }
        out.push(letter);
    }
    out.push_str(more);
    // Room for less than the sign that something is missing.
    if columns_of(&out) > columns_max { more.chars().take(columns_max).collect() } else { out }
}

/// `text`, made safe before, as lines of at most `columns_max` columns, broken at blanks where there are any.
pub(super) fn wrap(text: &str, columns_max: usize) -> Vec<String> {
    let room = columns_max.max(2);
    let mut lines = vec![String::new()];
    let mut columns = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = columns_of(word);
        let gap = usize::from(columns > 0);
        if columns + gap + wide <= room {
            let line = lines.last_mut().expect("there is always a line");
            line.push_str(if gap > 0 { " " } else { "" });
            line.push_str(word);
            columns += gap + wide;
            continue;
        }
        if columns > 0 {
            lines.push(String::new());
        }
        columns = push_letters(&mut lines, word, room);
    }
    lines
}

/// `text` made safe as at most `lines_max` lines of at most `columns_max` columns, with a sign if there was more.
pub(super) fn wrap_within(text: &str, unicode: bool, columns_max: usize, lines_max: usize) -> Vec<String> {
    let room = columns_max.max(2);
    // A line takes one blank more than its room, the one it is broken at.
    let enough = (room + 1).saturating_mul(lines_max + 1);
    let mut lines = wrap(&safe(text, unicode, enough), room);
    if lines.len() > lines_max {
        let more = if unicode { "…" } else { "..." };
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            *last = format!("{}{more}", cut(last, room.saturating_sub(columns_of(more)), ""));
        }
    }
    lines
}

/// Puts a word onto the last, empty line and as many more as it needs; the columns of the last one.
fn push_letters(lines: &mut Vec<String>, word: &str, room: usize) -> usize {
    let mut columns = 0;
    for letter in word.chars() {
        let wide = letter_columns(letter);
        if columns + wide > room {
            lines.push(String::new());
            columns = 0;
        }
        lines.last_mut().expect("there is always a line").push(letter);
        columns += wide;
    }
    columns
}

fn must_escape(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}

fn escape(out: &mut String, letter: char) {
    let written = match letter {
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        low if low.is_ascii() => write!(out, "\\x{:02x}", u32::from(low)),
        high => write!(out, "\\u{{{:x}}}", u32::from(high)),
    };
    written.expect("a String takes every text");
}

/// A character outside ASCII for a terminal that knows no others.
fn plain(out: &mut String, letter: char) {
    match letter {
        '…' => out.push_str("..."),
        '•' => out.push('*'),
        '×' => out.push('x'),
        '–' | '—' => out.push('-'),
        '“' | '”' => out.push('"'),
        '‘' | '’' => out.push('\''),
        '\u{a0}' => out.push(' '),
        other => escape(out, other),
    }
}

/// Characters that show nothing themselves and change what others show: direction, joining, variation, tags.
fn is_hidden(letter: char) -> bool {
    matches!(u32::from(letter),
        0xad | 0x34f | 0x61c | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f
        | 0xfe00..=0xfe0f | 0xfeff | 0xfff9..=0xfffb | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

fn letter_columns(letter: char) -> usize {
    let code = u32::from(letter);
    if code < 0x300 {
        1
    } else if is_in(MARKS, code) {
        0
    } else if is_in(WIDE, code) {
        2
    } else {
        1
    }
}

fn is_in(ranges: &[(u32, u32)], code: u32) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= code);
    after > 0 && code <= ranges[after - 1].1
}

/// Combining marks of the scripts in use (general categories Mn and Me); sorted.
#[rustfmt::skip]
const MARKS: &[(u32, u32)] = &[
    (0x300, 0x36f), (0x483, 0x489), (0x591, 0x5bd), (0x5bf, 0x5bf), (0x5c1, 0x5c2), (0x5c4, 0x5c5),
    (0x5c7, 0x5c7), (0x610, 0x61a), (0x64b, 0x65f), (0x670, 0x670), (0x6d6, 0x6dc), (0x6df, 0x6e4),
    (0x6e7, 0x6e8), (0x6ea, 0x6ed), (0x711, 0x711), (0x730, 0x74a), (0x7a6, 0x7b0), (0x900, 0x902),
    (0x93a, 0x93a), (0x93c, 0x93c), (0x941, 0x948), (0x94d, 0x94d), (0x951, 0x957), (0x962, 0x963),
    (0x981, 0x981), (0x9bc, 0x9bc), (0x9c1, 0x9c4), (0x9cd, 0x9cd), (0xe31, 0xe31), (0xe34, 0xe3a),
    (0xe47, 0xe4e), (0xeb1, 0xeb1), (0xeb4, 0xebc), (0xec8, 0xece), (0x1160, 0x11ff), (0x1ab0, 0x1aff),
    (0x1dc0, 0x1dff), (0x20d0, 0x20f0), (0x302a, 0x302d), (0x3099, 0x309a), (0xfb1e, 0xfb1e),
    (0xfe20, 0xfe2f),
];

/// Characters of two columns (East Asian Width W and F, emoji); sorted.
#[rustfmt::skip]
const WIDE: &[(u32, u32)] = &[
    (0x1100, 0x115f), (0x231a, 0x231b), (0x2329, 0x232a), (0x23e9, 0x23ec), (0x23f0, 0x23f0),
    (0x23f3, 0x23f3), (0x25fd, 0x25fe), (0x2614, 0x2615), (0x2648, 0x2653), (0x267f, 0x267f),
    (0x2693, 0x2693), (0x26a1, 0x26a1), (0x26aa, 0x26ab), (0x26bd, 0x26be), (0x26c4, 0x26c5),
    (0x26ce, 0x26ce), (0x26d4, 0x26d4), (0x26ea, 0x26ea), (0x26f2, 0x26f3), (0x26f5, 0x26f5),
    (0x26fa, 0x26fa), (0x26fd, 0x26fd), (0x2705, 0x2705), (0x270a, 0x270b), (0x2728, 0x2728),
    (0x274c, 0x274c), (0x274e, 0x274e), (0x2753, 0x2755), (0x2757, 0x2757), (0x2795, 0x2797),
    (0x27b0, 0x27b0), (0x27bf, 0x27bf), (0x2b1b, 0x2b1c), (0x2b50, 0x2b50), (0x2b55, 0x2b55),
    (0x2e80, 0x303e), (0x3041, 0x33ff), (0x3400, 0x4dbf), (0x4e00, 0x9fff), (0xa000, 0xa4cf),
    (0xa960, 0xa97f), (0xac00, 0xd7a3), (0xf900, 0xfaff), (0xfe10, 0xfe19), (0xfe30, 0xfe6f),
    (0xff00, 0xff60), (0xffe0, 0xffe6), (0x16fe0, 0x18cff), (0x1aff0, 0x1b2ff), (0x1f004, 0x1f004),
    (0x1f0cf, 0x1f0cf), (0x1f18e, 0x1f18e), (0x1f191, 0x1f19a), (0x1f1e6, 0x1f1ff), (0x1f200, 0x1f320),
    (0x1f32d, 0x1f335), (0x1f337, 0x1f37c), (0x1f37e, 0x1f393), (0x1f3a0, 0x1f3ca), (0x1f3cf, 0x1f3d3),
    (0x1f3e0, 0x1f3f0), (0x1f3f4, 0x1f3f4), (0x1f3f8, 0x1f43e), (0x1f440, 0x1f440), (0x1f442, 0x1f4fc),
    (0x1f4ff, 0x1f53d), (0x1f54b, 0x1f54e), (0x1f550, 0x1f567), (0x1f57a, 0x1f57a), (0x1f595, 0x1f596),
    (0x1f5a4, 0x1f5a4), (0x1f5fb, 0x1f64f), (0x1f680, 0x1f6c5), (0x1f6cc, 0x1f6cc), (0x1f6d0, 0x1f6d2),
    (0x1f6d5, 0x1f6d7), (0x1f6dc, 0x1f6df), (0x1f6eb, 0x1f6ec), (0x1f6f4, 0x1f6fc), (0x1f7e0, 0x1f7eb),
    (0x1f7f0, 0x1f7f0), (0x1f90c, 0x1f93a), (0x1f93c, 0x1f945), (0x1f947, 0x1f9ff), (0x1fa70, 0x1faff),
    (0x20000, 0x3fffd),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_the_terminal() {
        let check = |text: &str, rich: &str, ascii: &str| {
            assert_eq!(safe(text, true, 1_000), rich, "{text:?}");
            assert_eq!(safe(text, false, 1_000), ascii, "{text:?}");
        };
        check("plain", "plain", "plain");
        check("\u{1b}[2J\u{7}", "\\x1b[2J\\x07", "\\x1b[2J\\x07");
        check(
            "\u{1b}]8;;http://evil\u{1b}\\x",
            "\\x1b]8;;http://evil\\x1b\\x",
            "\\x1b]8;;http://evil\\x1b\\x",
        );
        check("\u{9b}31m", "\\u{9b}31m", "\\u{9b}31m");
        check("a\r\nb\tc", "a\\r\\nb\\tc", "a\\r\\nb\\tc");
        check("user\u{202e}gpj.exe\u{2066}", "usergpj.exe", "usergpj.exe");
        check("a\u{200b}\u{feff}b\u{e0041}", "ab", "ab");
        check("line\u{2028}two", "line\\u{2028}two", "line\\u{2028}two");
        check("größe… •••", "größe… •••", "gr\\u{f6}\\u{df}e... ***");
        check(
            &format!("a{}b", "\u{301}".repeat(50)),
            "a\u{301}\u{301}\u{301}b",
            &format!("a{}b", "\\u{301}".repeat(50)),
        );
        check("\u{301}x", "x", "\\u{301}x");
    }

    #[test]
    fn a_megabyte_is_not_read_to_its_end() {
        assert!(safe(&"\u{1b}".repeat(1 << 20), true, 100).len() < 120);
        assert!(safe(&"é".repeat(1 << 20), false, 100).len() < 120);
    }

    #[test]
    fn widths_are_those_of_terminals() {
        for (text, columns) in [("abc", 3), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("✅", 2), ("▇░…→─", 5)]
        {
            assert_eq!(columns_of(text), columns, "{text}");
        }
        for ranges in [MARKS, WIDE] {
            assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_column() {
        for (text, columns, expected) in [
            ("abcdef", 6, "abcdef"),
            ("abcdef", 5, "abcd…"),
            ("日本語", 4, "日…"),
            ("abc", 0, ""),
            ("abc", 1, "…"),
        ] {
            assert_eq!(cut(text, columns, "…"), expected, "{text} {columns}");
        }
        assert_eq!(cut("abcdef", 5, "..."), "ab...");
        assert_eq!(cut("abcdef", 2, "..."), "..");
    }

    #[test]
    fn texts_wrap_at_blanks_and_long_words_anywhere() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("a abcdefghij b", 4), ["a", "abcd", "efgh", "ij b"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap_within("one two three four", true, 7, 2), ["one two", "three…"]);
        assert_eq!(wrap_within(&"x".repeat(1 << 20), false, 7, 2), ["xxxxxxx", "xxxx..."]);
    }
}
