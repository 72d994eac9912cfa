//! Texts that targets and authors wrote, made safe for each format.

use std::fmt::Write as _;

/// For XML 1.0, in texts and attributes; what XML cannot say at all is made visible.
///
/// A line break in an attribute would be read as a blank, so it is written as a reference; `>` is always
/// written as one, which keeps `]]>` out of texts.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            other if is_xml(other) => out.push(other),
            other => write!(out, "\\u{{{:x}}}", u32::from(other)).expect("a String takes every text"),
        }
    }
    out
}

/// The same for a text that keeps its lines.
pub(super) fn xml_lines(text: &str) -> String {
    xml(text).replace("&#10;", "\n").replace("&#9;", "\t")
}

/// The characters of XML 1.0 (<https://www.w3.org/TR/xml/#charsets>), without those it discourages.
fn is_xml(letter: char) -> bool {
    !letter.is_control() && !matches!(u32::from(letter) & 0xffff, 0xfffe | 0xffff)
}

/// The value of a property in one of GitHub's workflow commands.
pub(super) fn github_property(text: &str) -> String {
    github_message(text).replace(':', "%3A").replace(',', "%2C")
}

/// The message of one of GitHub's workflow commands.
pub(super) fn github_message(text: &str) -> String {
    visible(text, true).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The description of a test point: one line, with TAP's signs escaped.
pub(super) fn tap(text: &str) -> String {
    visible(text, false).replace('\\', "\\\\").replace('#', "\\#")
}

/// Control characters as visible ones, line breaks kept or made blanks.
fn visible(text: &str, keep_lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' if keep_lines => out.push('\n'),
            '\n' | '\r' | '\t' => out.push(' '),
            other if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}') => {
                write!(out, "\\u{{{:x}}}", u32::from(other)).expect("a String takes every text");
            }
            other => out.push(other),
        }
    }
    out
}

/// A relative or absolute path as the path of a URI (RFC 3986).
pub(super) fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=@/".contains(&byte);
        if plain {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes every text");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_texts() {
        assert_eq!(xml("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&apos;");
        assert_eq!(xml_lines("]]> \u{1b}[31m\0\n\ttwo\u{fffe}"), "]]&gt; \\u{1b}[31m\\u{0}\n\ttwo\\u{fffe}");
        assert_eq!(xml("two\nlines"), "two&#10;lines");
        assert_eq!(github_message("100%\r\n::error::x\u{1b}"), "100%25 %0A::error::x\\u{1b}");
        assert_eq!(github_property("a:b,c\n"), "a%3Ab%2Cc%0A");
        assert_eq!(tap("not ok # skip \\ \n1..0"), "not ok \\# skip \\\\  1..0");
        assert_eq!(uri("scenarios/a b#ä.yaml"), "scenarios/a%20b%23%C3%A4.yaml");
    }
}
