//! What the beginning of a page says of its letters, found as browsers find it before they read the page
//! (<https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding>).

/// The label in the first `<meta charset=…>` or `<meta http-equiv=content-type content="…charset=…">`.
pub(super) fn label(start: &[u8]) -> Option<&[u8]> {
    let mut rest = start;
    while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
        let tag = &rest[at + 1..];
        rest = match tag {
            // The two dashes may be those of the end, too.
            [b'!', b'-', b'-', ..] => after(&tag[1..], b"-->")?,
            [b'/', letter, ..] | [letter, ..] if letter.is_ascii_alphabetic() => {
                let end = tag.iter().position(|byte| byte.is_ascii_whitespace() || b"/>".contains(byte));
                let end = end.filter(|end| *end > 0).unwrap_or(1);
                let is_meta = tag[..end].eq_ignore_ascii_case(b"meta");
                let (found, more) = attributes(&tag[end..])?;
                if let Some(label) = found.filter(|_| is_meta) {
                    return Some(label);
                }
                more
            }
            [b'!' | b'/' | b'?', ..] => after(tag, b">")?,
            _ => tag,
        };
    }
    None
}

fn after<'a>(text: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(end.len()).position(|window| window == end)?;
    Some(&text[at + end.len()..])
}

/// The label in the attributes of a tag, and what follows the tag; `None` if its end is not there.
fn attributes(tag: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (mut rest, mut charset, mut content, mut is_pragma) = (tag, None, None, false);
    loop {
        let at = rest.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b'/')?;
        rest = &rest[at..];
        if let [b'>', more @ ..] = rest {
            return Some((charset.or(content.filter(|_| is_pragma)), more));
        }
        let (name, value, more) = attribute(rest)?;
        rest = more;
        // The first of several counts.
        if name.eq_ignore_ascii_case(b"charset") {
            charset = charset.or(Some(value));
        } else if name.eq_ignore_ascii_case(b"content") {
            content = content.or_else(|| in_content(value));
        } else if name.eq_ignore_ascii_case(b"http-equiv") {
            is_pragma |= value.eq_ignore_ascii_case(b"content-type");
        }
    }
}

/// The name and value of the attribute that `text` begins with, and what follows.
fn attribute(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // A `=` at the beginning is part of the name.
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"=/>".contains(byte);
    let end = 1 + text[1..].iter().position(ends)?;
    let (name, rest) = text.split_at(end);
    let Some(value) = rest.trim_ascii_start().strip_prefix(b"=") else { return Some((name, b"", rest)) };
    let value = value.trim_ascii_start();
    if let [quote @ (b'"' | b'\''), quoted @ ..] = value {
        let end = quoted.iter().position(|byte| byte == quote)?;
        return Some((name, &quoted[..end], &quoted[end + 1..]));
    }
    let end = value.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>')?;
    Some((name, &value[..end], &value[end..]))
}

/// The label in `text/html; charset=…`.
fn in_content(content: &[u8]) -> Option<&[u8]> {
    let word: &[u8] = b"charset";
    let mut rest = content;
    loop {
        let at = rest.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))?;
        rest = &rest[at + word.len()..];
        let Some(value) = rest.trim_ascii_start().strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        if let [quote @ (b'"' | b'\''), quoted @ ..] = value {
            let end = quoted.iter().position(|byte| byte == quote)?;
            return Some(&quoted[..end]);
        }
        return value.split(|byte| byte.is_ascii_whitespace() || *byte == b';').next();
    }
}
