//! What is said of JSON that cannot be read.

/// The texts with which the reader refuses what is JSON by its grammar (RFC 8259, section 9: limits are its own).
const OWN_LIMITS: [&str; 4] = [
    "number out of range",
    "recursion limit exceeded",
    "unexpected end of hex escape",
    "lone leading surrogate",
];

/// Why `what` cannot be looked at as JSON.
pub(crate) fn unreadable(what: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    if OWN_LIMITS.iter().any(|limit| text.starts_with(limit)) {
        format!("the JSON holds what cannot be kept here: {text}")
    } else {
        format!("the {what} is not JSON: {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_never_said_to_be_none() {
        let said =
            |text: &str| unreadable("body", &serde_json::from_str::<serde_json::Value>(text).unwrap_err());
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in ["1e400", &deep, r#""\ud800""#, r#""\ud800\u0041""#, r#""\ud800 a""#] {
            let said = said(text);
            assert!(said.starts_with("the JSON holds what cannot be kept here: "), "{said}");
        }
        for text in ["{", "nope", r#""\u12""#, r#""\x""#, "01", "<html>"] {
            assert!(said(text).starts_with("the body is not JSON: "), "{}", said(text));
        }
    }
}
