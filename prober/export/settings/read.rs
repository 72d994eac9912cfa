//! Values from their texts.

use std::time::Duration;

use url::Url;

/// The plain pieces of a value, and the names of secrets between them; `None` if a hole is of another kind.
///
/// `$${` stands for a plain `${`, as in scenario files.
pub(super) fn pieces(value: &str) -> Option<Vec<Result<&str, &str>>> {
    let mut pieces = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        let (before, found) = rest.split_at(at);
        pieces.push(Ok(before));
        rest = if let Some(after) = found.strip_prefix("${") {
            let (name, after) = after.split_once('}')?;
            pieces.push(Err(name.trim().strip_prefix("secrets.").filter(|name| is_name(name))?));
            after
        } else if let Some(after) = found.strip_prefix("$${") {
            pieces.push(Ok("${"));
            after
        } else {
            pieces.push(Ok("$"));
            &found[1..]
        };
    }
    pieces.push(Ok(rest));
    Some(pieces)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

pub(super) fn url(value: &str, schemes: &[&str]) -> Option<Url> {
    let parsed = Url::parse(value).ok()?;
    let fits = schemes.contains(&parsed.scheme()) && parsed.host_str().is_some_and(|host| !host.is_empty());
    fits.then_some(parsed)
}

/// A name and its value; a name that could break a header or a label has no line break anyway.
pub(super) fn pair(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    (!name.is_empty()).then_some((name, value))
}

pub(super) fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim)
}

fn split(value: &str) -> Option<(u64, &str)> {
    let end = value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    Some((number.parse().ok().filter(|number| *number > 0)?, unit.trim_start()))
}

pub(super) fn bytes(value: &str) -> Option<u64> {
    let (number, unit) = split(value)?;
    let factor = match unit {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

pub(super) fn duration(value: &str) -> Option<Duration> {
    let (number, unit) = split(value)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

pub(super) fn count(value: &str) -> Option<usize> {
    match split(value)? {
        (number, "") => usize::try_from(number).ok(),
        _ => None,
    }
}
