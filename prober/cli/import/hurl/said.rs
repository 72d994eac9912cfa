//! Queries, filters and predicates of hurl: what is looked at, and what must hold of it.

use serde_json::{Value, json};

use super::super::words::duration;

/// An assert in our words.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    pub(super) subject: &'static str,
    /// The JSON path, the header, the regular expression.
    pub(super) part: Option<String>,
    pub(super) wanted: Value,
}

/// A word of a line; texts in quotes are told apart from names.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Pattern(String),
}

/// What a capture takes: `jsonpath "$.id"`.
///
/// # Errors
/// Why it cannot be said here, for people.
pub(super) fn capture(text: &str) -> Result<Value, String> {
    let mut tokens = tokens(text)?;
    if tokens.last() == Some(&Token::Word("redact".to_owned())) {
        tokens.pop();
    }
    let (query, rest) = query(&tokens)?;
    let (query, rest) = filtered(query, rest);
    if !rest.is_empty() {
        return Err("its filters are not known here".to_owned());
    }
    Ok(match (query.subject, query.part) {
        ("headers", Some(name)) => json!({ "header": name }),
        ("json", Some(path)) => json!({ "json": path }),
        ("regex", Some(pattern)) => json!({ "regex": pattern }),
        ("xml" | "css", _) => return Err("xpath is another language than the paths here".to_owned()),
        ("latency", _) => return Err("how long it took cannot be captured".to_owned()),
        // What is one value as it stands is taken by saying so.
        (subject, None) => json!({ subject: true }),
        _ => return Err("it cannot be captured".to_owned()),
    })
}

/// An assert: `jsonpath "$.items" count > 3`.
///
/// # Errors
/// Why it cannot be said here, for people.
pub(super) fn assert(text: &str) -> Result<Told, String> {
    let tokens = tokens(text)?;
    let (told, rest) = query(&tokens)?;
    let (mut told, mut rest) = filtered(told, rest);
    let mut is_count = false;
    if let [Token::Word(filter), more @ ..] = rest
        && filter == "count"
    {
        // Redirects and bytes are counts already.
        (is_count, rest) = (!matches!(told.subject, "redirects" | "size"), more);
    }
    let is_not = matches!(rest.first(), Some(Token::Word(word)) if word == "not");
    if is_not {
        rest = &rest[1..];
    }
    let wanted = predicate(rest, told.subject)?;
    let wanted = if is_count { json!({ "len": wanted }) } else { wanted };
    told.wanted = if is_not { negated(&wanted) } else { wanted };
    Ok(told)
}

/// A query with what its filters make of it, as far as our paths can say that, and the rest.
fn filtered(mut told: Told, mut rest: &[Token]) -> (Told, &[Token]) {
    // Of a path to several values it is the list of them, which our paths cannot name.
    let is_one =
        told.part.as_ref().is_some_and(|path| !path.contains(['*', '?', ',', ':']) && !path.contains(".."));
    if told.subject == "json" && !is_one {
        return (told, rest);
    }
    loop {
        let index = match (told.subject, rest) {
            ("json", [Token::Word(filter), ..]) if filter == "first" => ("0".to_owned(), 1),
            ("json", [Token::Word(filter), ..]) if filter == "last" => ("-1".to_owned(), 1),
            ("json", [Token::Word(filter), Token::Word(number), ..])
                if filter == "nth" && number.parse::<u32>().is_ok() =>
            {
                (number.clone(), 2)
            }
            ("body", [Token::Word(filter), Token::Text(pattern) | Token::Pattern(pattern), more @ ..])
                if filter == "regex" =>
            {
                (told.subject, told.part, rest) = ("regex", Some(pattern.clone()), more);
                continue;
            }
            _ => return (told, rest),
        };
        told.part = told.part.map(|path| format!("{path}[{}]", index.0));
        rest = &rest[index.1..];
    }
}

fn negated(wanted: &Value) -> Value {
    match wanted.get("exists").and_then(Value::as_bool) {
        Some(exists) => json!({ "exists": !exists }),
        None => json!({ "not": wanted }),
    }
}

fn query(tokens: &[Token]) -> Result<(Told, &[Token]), String> {
    let Some((Token::Word(name), rest)) = tokens.split_first() else {
        return Err("it is not understood".to_owned());
    };
    let plain = |subject| Ok((Told { subject, part: None, wanted: Value::Null }, rest));
    let with = |subject, part: Option<String>| match (part, rest.split_first()) {
        (Some(part), Some((_, rest))) => Ok((Told { subject, part: Some(part), wanted: Value::Null }, rest)),
        _ => Err(format!("{name} lacks what it looks at")),
    };
    let first = match rest.first() {
        Some(Token::Text(text)) => Some(text.clone()),
        _ => None,
    };
    match name.as_str() {
        "status" => plain("status"),
        "body" => plain("body"),
        "version" => plain("http_version"),
        "url" => plain("url"),
        "bytes" if rest.first() == Some(&Token::Word("count".to_owned())) => plain("size"),
        "bytes" => Err("bytes are not compared; `size` looks at how many there are".to_owned()),
        "redirects" if rest.first() == Some(&Token::Word("count".to_owned())) => plain("redirects"),
        "duration" => plain("latency"),
        "header" => with("headers", first),
        "jsonpath" => with("json", first),
        "regex" => {
            let pattern = match rest.first() {
                Some(Token::Pattern(pattern) | Token::Text(pattern)) => Some(pattern.clone()),
                _ => None,
            };
            with("regex", pattern)
        }
        "cookie" => Err("cookies are not looked at; the header Set-Cookie is".to_owned()),
        "xpath" => Err("xpath is another language than the paths under `xml` and `css`".to_owned()),
        "certificate" if first.as_deref() == Some("Expire-Date") => match rest.get(1) {
            Some(Token::Word(filter)) if filter == "daysAfterNow" => {
                Ok((Told { subject: "expires_in", part: None, wanted: Value::Null }, &rest[2..]))
            }
            _ => Err("only in how many days it ends is looked at, by `daysAfterNow`".to_owned()),
        },
        "certificate" => Err("the kind `tls` looks at certificates, and `expires_in` here".to_owned()),
        other => Err(format!("{other} is not looked at here")),
    }
}

fn predicate(tokens: &[Token], subject: &str) -> Result<Value, String> {
    let Some((Token::Word(word), rest)) = tokens.split_first() else {
        return Err("it has no predicate".to_owned());
    };
    let value = || match rest {
        [one] => value(one, subject),
        _ => Err("its value is not understood".to_owned()),
    };
    Ok(match word.as_str() {
        "==" | "equals" => value()?,
        "!=" | "notEquals" => json!({ "not": value()? }),
        ">" | "greaterThan" => json!({ "gt": value()? }),
        ">=" | "greaterThanOrEquals" => json!({ "gte": value()? }),
        "<" | "lessThan" => json!({ "lt": value()? }),
        "<=" | "lessThanOrEquals" => json!({ "lte": value()? }),
        "startsWith" => json!({ "starts_with": value()? }),
        "endsWith" => json!({ "ends_with": value()? }),
        "contains" | "includes" => json!({ "contains": value()? }),
        "matches" => match rest {
            [Token::Pattern(pattern) | Token::Text(pattern)] => json!({ "matches": pattern }),
            _ => return Err("its pattern is not understood".to_owned()),
        },
        "exists" => json!({ "exists": true }),
        "isEmpty" => json!({ "len": 0 }),
        "isString" => json!({ "type": "string" }),
        "isBoolean" => json!({ "type": "boolean" }),
        "isNumber" => json!({ "type": "number" }),
        "isInteger" => json!({ "type": "integer" }),
        "isCollection" | "isList" => json!({ "type": "array" }),
        "isObject" => json!({ "type": "object" }),
        "isIsoDate" => {
            json!({ "matches": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$" })
        }
        "isUuid" => {
            json!({ "matches": "^(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" })
        }
        "isIpv4" => {
            json!({ "matches": "^(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(\\.(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})){3}$" })
        }
        other => return Err(format!("{other} is not known here")),
    })
}

fn value(token: &Token, subject: &str) -> Result<Value, String> {
    match token {
        Token::Text(text) => Ok(json!(text)),
        Token::Pattern(pattern) => Ok(json!({ "matches": pattern })),
        Token::Word(word) if subject == "latency" => {
            let ms = super::super::words::millis(word, Some(1.0)).ok_or("it has no length of time")?;
            Ok(json!(duration(ms)))
        }
        Token::Word(word) if subject == "expires_in" => {
            let days: u64 = word.parse().map_err(|_| format!("{word} is no number of days"))?;
            Ok(json!(format!("{days}d")))
        }
        Token::Word(word) if word.starts_with("{{") => Ok(json!(word)),
        Token::Word(word) => match serde_json::from_str::<Value>(word) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => Ok(value),
            _ => Err(format!("{word} is no value")),
        },
    }
}

fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let (mut tokens, mut rest) = (Vec::new(), line.trim_start());
    while let Some(first) = rest.chars().next() {
        if let Some(block) = rest.strip_prefix("```") {
            // What stands behind the first marks on their line is a kind of text.
            let (inside, after) = block.split_once("```").ok_or("a text in it never ends")?;
            tokens.push(Token::Text(inside.split_once('\n').map_or(inside, |(_, text)| text).to_owned()));
            rest = after.trim_start();
        } else if let Some((inside, after)) = rest.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
            tokens.push(Token::Text(inside.to_owned()));
            rest = after.trim_start();
        } else if first == '"' || first == '/' {
            let (inside, after) = delimited(&rest[1..], first).ok_or("a text in it never ends")?;
            tokens.push(if first == '"' { Token::Text(text_of(&inside)) } else { Token::Pattern(inside) });
            rest = after.trim_start();
        } else {
            let end = if rest.starts_with("{{") {
                rest.find("}}").map_or(rest.len(), |at| at + 2)
            } else {
                rest.find(char::is_whitespace).unwrap_or(rest.len())
            };
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = rest[end..].trim_start();
        }
    }
    Ok(tokens)
}

/// Up to the closing letter; `\"` does not close.
fn delimited(text: &str, close: char) -> Option<(String, &str)> {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == close => {
                let inside = &text[..at];
                let inside = if close == '/' { inside.replace("\\/", "/") } else { inside.to_owned() };
                return Some((inside, &text[at + 1..]));
            }
            _ => {}
        }
    }
    None
}

/// A text in quotes, its escapes read.
fn text_of(inside: &str) -> String {
    serde_json::from_str(&format!("\"{inside}\"")).unwrap_or_else(|_| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asserts_are_said_in_our_words() {
        let told =
            |subject, part: Option<&str>, wanted| Told { subject, part: part.map(str::to_owned), wanted };
        for (line, wanted) in [
            ("status == 200", told("status", None, json!(200))),
            ("status < 300", told("status", None, json!({ "lt": 300 }))),
            (
                "header \"Content-Type\" contains \"json\"",
                told("headers", Some("Content-Type"), json!({ "contains": "json" })),
            ),
            ("jsonpath \"$.id\" exists", told("json", Some("$.id"), json!({ "exists": true }))),
            ("jsonpath \"$.id\" not exists", told("json", Some("$.id"), json!({ "exists": false }))),
            ("jsonpath \"$.items\" count > 3", told("json", Some("$.items"), json!({ "len": { "gt": 3 } }))),
            ("jsonpath \"$.name\" == \"a \\\"b\\\"\"", told("json", Some("$.name"), json!("a \"b\""))),
            ("jsonpath \"$.ok\" == true", told("json", Some("$.ok"), json!(true))),
            ("jsonpath \"$.x\" matches /^a\\/b$/", told("json", Some("$.x"), json!({ "matches": "^a/b$" }))),
            ("jsonpath \"$.id\" == {{id}}", told("json", Some("$.id"), json!("{{id}}"))),
            ("body not contains \"error\"", told("body", None, json!({ "not": { "contains": "error" } }))),
            ("duration < 1000", told("latency", None, json!({ "lt": "1s" }))),
            ("regex \"v([0-9]+)\" == \"7\"", told("regex", Some("v([0-9]+)"), json!("7"))),
            ("jsonpath \"$.n\" isInteger", told("json", Some("$.n"), json!({ "type": "integer" }))),
            ("jsonpath \"$.a\" nth 2 == 1", told("json", Some("$.a[2]"), json!(1))),
            ("jsonpath \"$.a\" first count == 1", told("json", Some("$.a[0]"), json!({ "len": 1 }))),
            ("jsonpath \"$.a\" last exists", told("json", Some("$.a[-1]"), json!({ "exists": true }))),
            ("body regex /v([0-9])/ == \"7\"", told("regex", Some("v([0-9])"), json!("7"))),
            ("body == ```\na\nb\n```", told("body", None, json!("a\nb\n"))),
            ("body contains `a \"b\"`", told("body", None, json!({ "contains": "a \"b\"" }))),
            ("bytes count <= 10", told("size", None, json!({ "lte": 10 }))),
            ("redirects count == 2", told("redirects", None, json!(2))),
            (
                "certificate \"Expire-Date\" daysAfterNow > 15",
                told("expires_in", None, json!({ "gt": "15d" })),
            ),
        ] {
            assert_eq!(assert(line), Ok(wanted), "{line}");
        }
        for line in [
            "",
            "status",
            "xpath \"//a\" exists",
            "cookie \"a\" exists",
            "jsonpath",
            "status == ",
            "jsonpath \"$.a",
            "sha256 == hex,00;",
            "jsonpath \"$\" nth x == 1",
            "jsonpath \"$.a[*].b\" nth 1 == 1",
            "jsonpath \"$\" split \",\" == 1",
            "certificate \"Expire-Date\" format \"%Y\" == \"2030\"",
            "certificate \"Subject\" == \"x\"",
            "body == ```open",
        ] {
            assert!(assert(line).is_err(), "{line}");
        }
    }

    #[test]
    fn captures_are_taken_from_where_they_stand() {
        for (text, wanted) in [
            ("jsonpath \"$.id\"", json!({ "json": "$.id" })),
            ("header \"Location\"", json!({ "header": "Location" })),
            ("regex \"token=(.*)\"", json!({ "regex": "token=(.*)" })),
            ("status", json!({ "status": true })),
            ("jsonpath \"$.token\" redact", json!({ "json": "$.token" })),
            ("jsonpath \"$.items\" first", json!({ "json": "$.items[0]" })),
            ("body regex \"id=(\\\\d+)\"", json!({ "regex": "id=(\\d+)" })),
        ] {
            assert_eq!(capture(text), Ok(wanted), "{text}");
        }
        assert!(capture("cookie \"a\"").is_err() && capture("jsonpath \"$.a\" count").is_err());
    }
}
