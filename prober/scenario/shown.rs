//! Observed values as people see them, never longer than an assertion record allows.

use std::fmt::Write as _;

use model::attribute::Text;
use model::outcome::cut;
use model::step::SHOWN_MAX;

use crate::document::Object;
use crate::units::show_duration;
use crate::value::Value;

/// The value as text, cut to [`SHOWN_MAX`] bytes; texts stand in quotes if `quoted`.
pub(crate) fn show_value(value: &Value<'_>, quoted: bool) -> Text {
    let mut out = Text::const_new("");
    write_value(&mut out, value, quoted);
    cut(out, SHOWN_MAX)
}

/// Several values as one text, cut to [`SHOWN_MAX`] bytes.
pub(crate) fn show_many(values: &[Value<'_>], quoted: bool) -> Text {
    let mut out = Text::const_new("");
    write_list(&mut out, values, quoted);
    cut(out, SHOWN_MAX)
}

/// What each source says, as one text, cut to [`SHOWN_MAX`] bytes.
pub(crate) fn show_each(sources: &[String], values: &[Value<'_>], quoted: bool) -> Text {
    let mut out = Text::const_new("");
    for (index, (source, value)) in sources.iter().zip(values).enumerate() {
        if out.len() > SHOWN_MAX {
            break;
        }
        out.push_str(if index > 0 { ", " } else { "" });
        write_value(&mut out, value, quoted);
        out.push_str(" from ");
        out.push_str(source);
    }
    cut(out, SHOWN_MAX)
}

fn write_list(out: &mut Text, values: &[Value<'_>], quoted: bool) {
    for (index, value) in values.iter().enumerate() {
        if out.len() > SHOWN_MAX {
            return;
        }
        if index > 0 {
            out.push_str(", ");
        }
        write_value(out, value, quoted);
    }
}

fn write_value(out: &mut Text, value: &Value<'_>, quoted: bool) {
    let written = match value {
        Value::Null => write!(out, "null"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Large(value) => write!(out, "{value}"),
        Value::Float(value) => write!(out, "{value}"),
        Value::Decimal(digits) => {
            out.push_str(&digits[..digits.len().min(SHOWN_MAX + 1)]);
            Ok(())
        }
        Value::Text(text) if quoted => {
            write_quoted(out, text);
            Ok(())
        }
        Value::Text(text) => {
            out.push_str(&text[..text.floor_char_boundary(SHOWN_MAX + 1)]);
            Ok(())
        }
        Value::Duration(duration) => write!(out, "{}", show_duration(*duration)),
        Value::Share(share) => write!(out, "{share}"),
        Value::Time(at) => write!(out, "{}", at.jiff()),
        Value::List(values) => {
            out.push('[');
            write_list(out, values, quoted);
            out.push(']');
            Ok(())
        }
        Value::Object(map) => {
            write_object(out, *map);
            Ok(())
        }
    };
    written.expect("a String takes every text");
}

/// A JSON object, stopping soon after the limit: it may be a megabyte.
fn write_object(out: &mut Text, object: Object<'_>) {
    out.push('{');
    for (index, (key, value)) in object.entries().enumerate() {
        if out.len() > SHOWN_MAX {
            break;
        }
        if index > 0 {
            out.push(',');
        }
        write_quoted(out, key);
        out.push(':');
        write_value(out, &value, true);
    }
    out.push('}');
}

fn write_quoted(out: &mut Text, text: &str) {
    let part = &text[..text.floor_char_boundary(SHOWN_MAX + 1)];
    if part.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.push_str(&serde_json::Value::from(part).to_string());
    } else {
        out.push('"');
        out.push_str(part);
        out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_and_plain() {
        let object = serde_json::json!({ "id": 7, "list": ["a", null], "big": "x".repeat(5_000) });
        let shown = show_value(&Value::of_json(&object), true);
        assert!(shown.starts_with(r#"{"id":7,"list":["a", null],"big":"xxx"#), "{shown}");
        assert!(shown.len() <= SHOWN_MAX && shown.ends_with('…'));
        assert_eq!(show_value(&Value::Text("a\r\n\"b\"".into()), true), r#""a\r\n\"b\"""#);
        assert_eq!(show_value(&Value::Text("NXDOMAIN".into()), false), "NXDOMAIN");
        assert!(show_value(&Value::Text("é".repeat(9_999).into()), false).len() <= SHOWN_MAX);
        let many = vec![Value::Int(1); 10_000];
        assert!(show_many(&many, true).len() <= SHOWN_MAX);
        assert!(show_value(&Value::List(many), true).starts_with("[1, 1, "));
    }
}
