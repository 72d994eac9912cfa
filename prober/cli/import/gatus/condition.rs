//! One condition of Gatus: `[STATUS] == 200`, `len([BODY].items) > 0`, `[BODY].name == pat(john*)`.

use serde_json::{Value, json};

use super::super::words::{literal, millis};

/// What a condition says in our words.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// It always holds for a run that came so far.
    Nothing,
    /// Something of a subject.
    Expect(&'static str, Value),
    /// Something of a part of a subject.
    Under(&'static str, String, Value),
    /// How long it may take: an operator and milliseconds.
    Latency(&'static str, u64),
}

/// Reads a condition of a step of this kind.
///
/// # Errors
/// Why it cannot be said here, for people.
pub(super) fn read(text: &str, kind: &str) -> Result<Said, String> {
    let (left, operator, right) = parts(text).ok_or("it is not understood")?;
    if is_placeholder(right) && !is_placeholder(left) {
        return side(right, mirrored(operator), left, kind);
    }
    side(left, operator, right, kind)
}

/// Whether it holds where nobody answers: all else that a step says would be the opposite.
pub(super) fn wants_nobody(text: &str) -> bool {
    matches!(parts(text), Some(("[CONNECTED]", "==", "false") | ("[CONNECTED]", "!=", "true")))
}

fn parts(text: &str) -> Option<(&str, &'static str, &str)> {
    ["==", "!=", "<=", ">=", "<", ">"].into_iter().find_map(|operator| {
        let (left, right) = text.split_once(operator)?;
        Some((left.trim(), operator, right.trim()))
    })
}

fn is_placeholder(text: &str) -> bool {
    text.starts_with('[') || text.starts_with("len([") || text.starts_with("has([")
}

fn mirrored(operator: &'static str) -> &'static str {
    match operator {
        "<" => ">",
        ">" => "<",
        "<=" => ">=",
        ">=" => "<=",
        other => other,
    }
}

fn side(left: &str, operator: &'static str, right: &str, kind: &str) -> Result<Said, String> {
    if is_placeholder(right) {
        return Err("two values of one answer are not compared here".to_owned());
    }
    let not_here = || Err(format!("{left} is not there for {kind}"));
    match (left, kind) {
        ("[STATUS]", "http") => Ok(Said::Expect("status", number(operator, right, "status")?)),
        ("[RESPONSE_TIME]", _) => latency(operator, right),
        ("[CONNECTED]", _) => match (operator, right) {
            ("==", "true") | ("!=", "false") => Ok(Said::Nothing),
            _ => Err("it is not understood".to_owned()),
        },
        ("[CERTIFICATE_EXPIRATION]", "http" | "tls") => {
            let ms = millis(right, None).ok_or("it has no length of time")?;
            let written = super::super::words::duration(ms);
            let operator = ordering(operator).ok_or("only < and > make sense")?;
            Ok(Said::Expect("expires_in", json!({ operator: written })))
        }
        ("[DNS_RCODE]", "dns") => Ok(Said::Expect("rcode", codes(operator, right)?)),
        ("[DOMAIN_EXPIRATION]", _) => Err("when a domain ends is not looked at here".to_owned()),
        ("[IP]", _) => Err("the address is not compared; it is in every event".to_owned()),
        _ if left.contains("[BODY]") => body(left, operator, right, kind),
        _ => not_here(),
    }
}

fn latency(operator: &str, right: &str) -> Result<Said, String> {
    let ms = millis(right, Some(1.0)).ok_or("it has no length of time")?;
    match ordering(operator) {
        Some(operator @ ("lt" | "lte")) => Ok(Said::Latency(operator, ms)),
        _ => Err("only < and <= make sense".to_owned()),
    }
}

fn ordering(operator: &str) -> Option<&'static str> {
    Some(match operator {
        "<" => "lt",
        "<=" => "lte",
        ">" => "gt",
        ">=" => "gte",
        _ => return None,
    })
}

/// `any(200, 429)`.
fn any(right: &str) -> Option<Vec<&str>> {
    let inner = right.strip_prefix("any(")?.strip_suffix(')')?;
    Some(inner.split(',').map(str::trim).collect())
}

fn number(operator: &str, right: &str, what: &str) -> Result<Value, String> {
    let whole = |text: &str| text.parse::<i64>().map_err(|_| format!("{text:?} is no {what}"));
    if let Some(all) = any(right) {
        let all = all.into_iter().map(whole).collect::<Result<Vec<_>, _>>()?;
        return equality(operator, json!({ "in": all }), json!({ "not_in": all }));
    }
    let value = whole(right)?;
    match ordering(operator) {
        Some(operator) => Ok(json!({ operator: value })),
        None => equality(operator, json!(value), json!({ "not": value })),
    }
}

fn equality(operator: &str, equal: Value, other: Value) -> Result<Value, String> {
    match operator {
        "==" => Ok(equal),
        "!=" => Ok(other),
        _ => Err("only numbers have an order".to_owned()),
    }
}

/// Codes of answers; one without a record has a name of its own here.
fn codes(operator: &str, right: &str) -> Result<Value, String> {
    let mut all = any(right).unwrap_or_else(|| vec![right]);
    if let Some(at) = all.iter().position(|code| *code == "NOERROR") {
        all.insert(at + 1, "NODATA");
    }
    match all.as_slice() {
        [one] => equality(operator, json!(one), json!({ "not": one })),
        _ => equality(operator, json!({ "in": all }), json!({ "not_in": all })),
    }
}

fn body(left: &str, operator: &'static str, right: &str, kind: &str) -> Result<Said, String> {
    let (function, inner) = match left.strip_suffix(')').and_then(|left| left.split_once('(')) {
        Some((function @ ("len" | "has"), inner)) => (function, inner),
        Some(_) => return Err("its function is not known".to_owned()),
        None => ("", left),
    };
    let path = inner.strip_prefix("[BODY]").ok_or("it is not understood")?;
    let wanted = match function {
        "has" => json!({ "exists": (right == "true") == (operator == "==") }),
        "len" => json!({ "len": number(operator, right, "length")? }),
        _ => text(operator, right)?,
    };
    if path.is_empty() && function != "has" {
        return match (kind, function) {
            ("http", "") => Ok(Said::Expect("body", whole_body(operator, right)?)),
            ("http", _) => Ok(Said::Under("json", "$".to_owned(), wanted)),
            ("websocket", "") => Ok(Said::Expect("message", whole_body(operator, right)?)),
            ("dns", "") => dns(operator, right),
            _ => Err(format!("an answer of {kind} is not looked at")),
        };
    }
    match kind {
        "http" | "websocket" => Ok(Said::Under("json", json_path(path), wanted)),
        _ => Err(format!("an answer of {kind} has no JSON")),
    }
}

/// `.data[0].id` as a JSON path.
fn json_path(path: &str) -> String {
    let (first, rest) = path.split_at(path.find('.').unwrap_or(path.len()));
    let part = |part: &str| {
        let (name, index) = part.split_at(part.find('[').unwrap_or(part.len()));
        let is_simple = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        match name {
            "" => index.to_owned(),
            name if is_simple => format!(".{name}{index}"),
            name => format!("['{}']{index}", name.replace('\'', "\\'")),
        }
    };
    format!("${first}{}", rest.split('.').skip(1).map(part).collect::<String>())
}

/// What Gatus compares are texts: `5` is the number and the text.
fn text(operator: &str, right: &str) -> Result<Value, String> {
    if let Some(pattern) = pattern(right) {
        return equality(operator, pattern.clone(), json!({ "not": pattern }));
    }
    if let Some(operator) = ordering(operator) {
        let number: f64 = right.parse().map_err(|_| format!("{right:?} is no number"))?;
        return Ok(json!({ operator: as_number(number) }));
    }
    let all: Vec<Value> = match any(right) {
        Some(all) => all.into_iter().flat_map(both).collect(),
        None => both(right),
    };
    match all.as_slice() {
        [one] => equality(operator, one.clone(), json!({ "not": one })),
        _ => equality(operator, json!({ "in": all }), json!({ "not_in": all })),
    }
}

fn both(text: &str) -> Vec<Value> {
    let text = unquoted(text);
    let own = Value::from(literal(text));
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => vec![value, own],
        _ => vec![own],
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is small")]
fn as_number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }
}

fn whole_body(operator: &str, right: &str) -> Result<Value, String> {
    match pattern(right) {
        Some(pattern) => equality(operator, pattern.clone(), json!({ "not": pattern })),
        None => {
            equality(operator, json!(literal(unquoted(right))), json!({ "not": literal(unquoted(right)) }))
        }
    }
}

fn dns(operator: &str, right: &str) -> Result<Said, String> {
    // Gatus looks at the last record of the answer.
    match (operator, pattern(right)) {
        ("==", Some(pattern)) => Ok(Said::Expect("answers", json!({ "any": pattern }))),
        ("==", None) => Ok(Said::Expect("answers", json!({ "contains": literal(right) }))),
        _ => Err("only == is understood for records".to_owned()),
    }
}

/// `pat(*text*)`: only `*` stands for something.
fn pattern(right: &str) -> Option<Value> {
    let inner = right.strip_prefix("pat(")?.strip_suffix(')')?;
    let parts: Vec<&str> = inner.split('*').collect();
    Some(match parts.as_slice() {
        [all] => json!(literal(all)),
        ["", part, ""] if !part.is_empty() => json!({ "contains": literal(part) }),
        [start, ""] if !start.is_empty() => json!({ "starts_with": literal(start) }),
        ["", end] if !end.is_empty() => json!({ "ends_with": literal(end) }),
        _ => {
            let parts: Vec<String> = parts.iter().map(|part| literal(&quoted(part))).collect();
            json!({ "matches": format!("(?s)^{}$", parts.join(".*")) })
        }
    })
}

/// A text as a regular expression for itself.
fn quoted(text: &str) -> String {
    let special = |letter: char| "\\.+*?()|[]{}^$#&-~".contains(letter);
    text.chars().fold(String::new(), |mut all, letter| {
        if special(letter) {
            all.push('\\');
        }
        all.push(letter);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_said_in_our_words() {
        let under = |path: &str, wanted: Value| Said::Under("json", path.to_owned(), wanted);
        for (condition, kind, wanted) in [
            ("[STATUS] == 200", "http", Said::Expect("status", json!(200))),
            ("[STATUS] < 300", "http", Said::Expect("status", json!({ "lt": 300 }))),
            ("300 > [STATUS]", "http", Said::Expect("status", json!({ "lt": 300 }))),
            ("[STATUS] == any(200, 429)", "http", Said::Expect("status", json!({ "in": [200, 429] }))),
            ("[RESPONSE_TIME] < 500", "tcp", Said::Latency("lt", 500)),
            ("[CONNECTED] == true", "icmp", Said::Nothing),
            ("[CERTIFICATE_EXPIRATION] > 48h", "http", Said::Expect("expires_in", json!({ "gt": "2d" }))),
            ("[DNS_RCODE] == NOERROR", "dns", Said::Expect("rcode", json!({ "in": ["NOERROR", "NODATA"] }))),
            ("[BODY].status == UP", "http", under("$.status", json!("UP"))),
            ("[BODY].n == 5", "http", under("$.n", json!({ "in": [5, "5"] }))),
            ("[BODY].n >= 5", "http", under("$.n", json!({ "gte": 5 }))),
            ("len([BODY].data) > 0", "http", under("$.data", json!({ "len": { "gt": 0 } }))),
            ("has([BODY].errors) == false", "http", under("$.errors", json!({ "exists": false }))),
            ("[BODY].name == pat(john*)", "http", under("$.name", json!({ "starts_with": "john" }))),
            (
                "[BODY] == pat(*<h1>Home</h1>*)",
                "http",
                Said::Expect("body", json!({ "contains": "<h1>Home</h1>" })),
            ),
            ("[BODY] == pat(a*b*)", "http", Said::Expect("body", json!({ "matches": "(?s)^a.*b.*$" }))),
            (
                "[BODY] == 93.184.216.34",
                "dns",
                Said::Expect("answers", json!({ "contains": "93.184.216.34" })),
            ),
            ("[BODY].a-b[0].c == x", "http", under("$['a-b'][0].c", json!("x"))),
            ("[BODY][0].id == 1", "http", under("$[0].id", json!({ "in": [1, "1"] }))),
            ("[BODY].x != null", "http", under("$.x", json!({ "not_in": [null, "null"] }))),
        ] {
            assert_eq!(read(condition, kind), Ok(wanted), "{condition}");
        }
        assert!(wants_nobody("[CONNECTED] == false") && !wants_nobody("[CONNECTED] == true"));
        for (condition, kind) in [
            ("[STATUS]", "http"),
            ("[STATUS] == x", "http"),
            ("[STATUS] == 200", "tcp"),
            ("[DOMAIN_EXPIRATION] > 720h", "http"),
            ("[CONNECTED] == false", "tcp"),
            ("[RESPONSE_TIME] > 5", "http"),
            ("[A].b == [C].d", "http"),
            ("[CONNECTED] > 5", "tcp"),
            ("x(y) == 1", "http"),
            ("", "http"),
        ] {
            assert!(read(condition, kind).is_err(), "{condition}");
        }
    }
}
