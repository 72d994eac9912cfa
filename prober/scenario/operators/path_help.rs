//! What somebody meant who wrote no JSON path: only what parses is suggested.

use serde_json_path::JsonPath;

/// The path that `text` probably stands for, as it is typed; `None` if that cannot be told.
pub(super) fn suggested(text: &str) -> Option<String> {
    let bare = text.strip_prefix(['$', '@']).unwrap_or(text);
    let candidates = [
        text.starts_with('/').then(|| of_names(text[1..].split('/'))),
        bare.starts_with('[').then(|| format!("${bare}")),
        Some(format!("$.{}", bare.trim_start_matches('.'))),
        Some(of_names(bare.trim_start_matches('.').split('.'))),
        (bare == text).then(|| format!("${}", quoted(text))),
    ];
    let found = candidates.into_iter().flatten().find(|path| JsonPath::parse(path).is_ok())?;
    // Brackets would end a plain text inside of `{ }`.
    Some(if found.contains('[') { format!("\"{found}\"") } else { found })
}

/// The path of `$.status == UP`, as other tools write what must hold of a value.
pub(super) fn compared(text: &str) -> Option<&str> {
    let (path, _) = ["==", "!=", "<=", ">=", "<", ">", "="].iter().find_map(|sign| text.split_once(sign))?;
    let path = path.trim_end();
    JsonPath::parse(path).is_ok().then_some(path)
}

/// `$.items[0]['odd key']`
fn of_names<'t>(names: impl Iterator<Item = &'t str>) -> String {
    let step = |name: &str| match name {
        _ if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) => format!("[{name}]"),
        _ if JsonPath::parse(&format!("$.{name}")).is_ok() => format!(".{name}"),
        _ => quoted(name),
    };
    format!("${}", names.map(step).collect::<String>())
}

/// `['odd key']`, or no path: what needs an escape would need another one in YAML, and brackets mean something.
fn quoted(name: &str) -> String {
    if name.is_empty() || name.contains(['\'', '"', '\\', '[', ']', '(', ')', '*', '?']) {
        "[".to_owned()
    } else {
        format!("['{name}']")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_told_from_its_path() {
        for (text, path) in [
            ("$.status == UP", Some("$.status")),
            ("$.a>=1", Some("$.a")),
            ("$['a'] != 2", Some("$['a']")),
            ("$.a[?@.b == 1", None),
            ("$.a-b", None),
        ] {
            assert_eq!(compared(text), path, "{text}");
        }
    }

    #[test]
    fn what_is_suggested_is_a_path() {
        for (text, path) in [
            ("status", Some("$.status")),
            (".a.b", Some("$.a.b")),
            ("@.a", Some("$.a")),
            ("a-b", Some("\"$['a-b']\"")),
            ("$.a-b", Some("\"$['a-b']\"")),
            ("$.a-b.c", Some("\"$['a-b'].c\"")),
            ("a b", Some("\"$['a b']\"")),
            ("/a/b", Some("$.a.b")),
            ("/items/0/id", Some("\"$.items[0].id\"")),
            ("[0].a", Some("\"$[0].a\"")),
            ("$.a[", None),
            ("it's", None),
            ("", None),
        ] {
            assert_eq!(suggested(text).as_deref(), path, "{text}");
        }
    }
}
