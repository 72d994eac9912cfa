//! Values that a step hands to later steps.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value as Json;

use crate::assertion::Observed;
use crate::document::may_be_rounded;
use crate::template::Captured;
use crate::value::{Reading, Selector, Value};

/// The longest captured value, in bytes of its text.
pub const CAPTURED_MAX: usize = 64 * 1024;

/// Floats from here on are written with an exponent in JSON.
const EXPONENT_FROM: f64 = 1e16;

/// One entry of `capture`, compiled.
#[derive(Clone, Debug)]
pub struct CapturePlan {
    pub(crate) name: Arc<str>,
    pub(crate) subject: &'static str,
    pub(crate) selector: Selector,
    pub(crate) regex: Option<Regex>,
    pub(crate) secret: bool,
    pub(crate) shown: Arc<str>,
}

impl CapturePlan {
    /// The name that later steps use.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The subject that it takes the value out of.
    pub(crate) const fn subject(&self) -> &'static str {
        self.subject
    }

    /// Whether the value is replaced in everything that people see.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Takes the value out of what the step showed.
    ///
    /// # Errors
    /// It is not there, is several values, cannot be read, or is longer than [`CAPTURED_MAX`]; the text is
    /// a sentence for people that does not contain the value.
    pub fn take(&self, observed: &Observed<'_>) -> Result<Captured, String> {
        let value = match observed.read(self.subject, &self.selector) {
            Reading::One(value) => value,
            Reading::Many(mut values) if values.len() == 1 => values.remove(0),
            Reading::Many(values) if values.is_empty() => return Err(self.missing()),
            Reading::Many(values) if self.regex.is_some() => self.the_one_that_fits(values)?,
            Reading::Many(values) => {
                return Err(format!("{} matches {} values, a capture takes one", self.shown, values.len()));
            }
            Reading::Absent => return Err(self.missing()),
            Reading::AtLeast(_, why) | Reading::Unreadable(why) => {
                return Err(format!("{} cannot be looked at: {why}", self.shown));
            }
        };
        let value = match &self.regex {
            Some(regex) => self.find(regex, &value)?,
            None => self.whole(value)?,
        };
        let size = value.as_str().map_or_else(|| approximate_size(&value), str::len);
        if size > CAPTURED_MAX {
            return Err(format!("{} is longer than {CAPTURED_MAX} bytes", self.shown));
        }
        Ok(Captured { value, secret: self.secret })
    }

    /// Of several values the only one that the regular expression matches: a cookie among cookies.
    fn the_one_that_fits<'v>(&self, values: Vec<Value<'v>>) -> Result<Value<'v>, String> {
        let (count, mut fitting) = (values.len(), values);
        fitting.retain(|value| self.regex.as_ref().is_some_and(|regex| self.find(regex, value).is_ok()));
        match fitting.len() {
            1 => Ok(fitting.remove(0)),
            0 => Err(format!("none of the {count} values of {} matches the regex", self.shown)),
            several => Err(format!(
                "{several} of the {count} values of {} match the regex, a capture takes one",
                self.shown
            )),
        }
    }

    /// The value as it is; an object's numbers have no digits beside them, so that long ones may not be what was sent.
    fn whole(&self, value: Value<'_>) -> Result<Json, String> {
        let is_float = matches!(value, Value::Float(_));
        let value = to_json(value);
        if !is_float && may_be_rounded(&value) {
            return Err(format!("{} has a number in it of more digits than are kept", self.shown));
        }
        Ok(value)
    }

    fn find(&self, regex: &Regex, value: &Value<'_>) -> Result<Json, String> {
        let Value::Text(text) = value else { return Err(format!("{} is not a text", self.shown)) };
        let found = regex.captures(text).and_then(|groups| groups.get(1).or_else(|| groups.get(0)));
        found
            .map(|found| Json::from(found.as_str()))
            .ok_or_else(|| format!("{} does not match `{}`", self.shown, regex.as_str()))
    }

    fn missing(&self) -> String {
        format!("{} is not there", self.shown)
    }
}

fn to_json(value: Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Large(value) => value.into(),
        // With an exponent it would be another text than the one that was sent.
        Value::Float(value) if value.abs() >= EXPONENT_FROM => value.to_string().into(),
        Value::Float(value) => value.into(),
        // JSON's numbers would round it.
        Value::Decimal(digits) => digits.into(),
        Value::Text(text) => text.into_owned().into(),
        Value::Duration(duration) => duration.as_secs_f64().into(),
        Value::Share(share) => (f64::from(share.millionths()) / 10_000.0).into(),
        Value::Time(at) => at.jiff().to_string().into(),
        Value::List(items) => items.into_iter().map(to_json).collect(),
        Value::Object(object) => Json::Object(object.tree().clone()),
    }
}

fn approximate_size(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(approximate_size).sum(),
        Json::Object(map) => map.iter().map(|(key, value)| key.len() + approximate_size(value)).sum(),
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::document::Document;
    use crate::testing::{Facts, compiled};

    fn take(yaml: &str, facts: &Facts) -> Result<Captured, String> {
        let file = format!("name: a\nevery: 1m\nhttp: https://x.example\ncapture: {{ it: {yaml} }}\n");
        let compiled = compiled("", &[&file]);
        let observed = Observed::new(facts, Duration::ZERO, model::time::Timestamp::default());
        compiled.plans[0].steps()[0].captures[0].take(&observed)
    }

    #[test]
    fn values_keep_their_type() {
        let facts = Facts {
            json: Some(json!({ "id": 7, "name": "x", "all": [1, 2], "list": ["one"] })),
            values: vec![
                ("headers", Value::Text("/orders/8f3c".into())),
                ("body", Value::Text("id=42;".into())),
            ],
            ..Facts::default()
        };
        let value = |yaml: &str| take(yaml, &facts).map(|captured| captured.value);
        assert_eq!(value("{ json: $.id }"), Ok(json!(7)));
        assert_eq!(value("{ json: $.all }"), Ok(json!([1, 2])));
        assert_eq!(value("{ json: \"$.list[*]\" }"), Ok(json!("one")));
        assert_eq!(value("{ header: Location }"), Ok(json!("/orders/8f3c")));
        assert_eq!(value("{ header: Location, regex: '[^/]+$' }"), Ok(json!("8f3c")));
        assert_eq!(value("{ regex: 'id=(\\d+)' }"), Ok(json!("42")));
        assert_eq!(value("{ body: true }"), Ok(json!("id=42;")));
        assert!(take("{ json: $.name, secret: true }", &facts).unwrap().secret);
    }

    #[test]
    fn long_numbers_are_taken_with_all_their_digits_or_not_at_all() {
        let document = r#"{"id":20000000000000000001,"big":18000000000000000001,"round":100000000000000000000,
            "price":0.12345678901234567891,"half":1.5,"list":[20000000000000000001],"all":{"id":20000000000000000001},
            "some":[{"id":20000000000000000001}],"fine":{"id":18000000000000000001}}"#;
        let facts =
            Facts { document: Some(Document::parse(document.as_bytes()).unwrap()), ..Facts::default() };
        let value = |path: &str| take(&format!("{{ json: {path} }}"), &facts).map(|captured| captured.value);
        assert_eq!(value("$.id"), Ok(json!("20000000000000000001")));
        assert_eq!(value("$.big"), Ok(json!(18_000_000_000_000_000_001_u64)));
        assert_eq!(value("$.round"), Ok(json!("100000000000000000000")));
        assert_eq!(value("$.price"), Ok(json!("0.12345678901234567891")));
        assert_eq!(value("$.half"), Ok(json!(1.5)));
        assert_eq!(value("$.list"), Ok(json!(["20000000000000000001"])));
        assert_eq!(value("$.fine"), Ok(json!({ "id": 18_000_000_000_000_000_001_u64 })));
        for path in ["$.all", "$.some"] {
            let why = format!("json {path} has a number in it of more digits than are kept");
            assert_eq!(value(path), Err(why));
        }
    }

    #[test]
    fn a_regex_chooses_among_several_values() {
        let cookies = |values: [&'static str; 3]| Facts {
            many: vec![("headers", values.map(|value| Value::Text(value.into())).to_vec())],
            ..Facts::default()
        };
        let value = |facts: &Facts| {
            take("{ header: Set-Cookie, regex: '^sid=([^;]+)' }", facts).map(|captured| captured.value)
        };
        assert_eq!(value(&cookies(["theme=dark", "sid=7; Path=/", "lang=en"])), Ok(json!("7")));
        let none = "none of the 3 values of header Set-Cookie matches the regex";
        assert_eq!(value(&cookies(["theme=dark", "lang=en", "x=y"])), Err(none.to_owned()));
        let several = "2 of the 3 values of header Set-Cookie match the regex, a capture takes one";
        assert_eq!(value(&cookies(["sid=7", "sid=8", "x=y"])), Err(several.to_owned()));
    }

    #[test]
    fn what_cannot_be_taken_says_why_without_the_value() {
        let facts = Facts {
            json: Some(json!({ "all": [1, 2], "n": 5 })),
            values: vec![("body", Value::Text("top secret".into()))],
            ..Facts::default()
        };
        for (yaml, expected) in [
            ("{ json: $.nothing }", "json $.nothing is not there"),
            ("{ json: \"$.all[*]\" }", "json $.all[*] matches 2 values, a capture takes one"),
            ("{ regex: 'id=(\\d+)' }", "body does not match `id=(\\d+)`"),
            ("{ json: $.n, regex: '5' }", "json $.n is not a text"),
        ] {
            assert_eq!(take(yaml, &facts).unwrap_err(), expected);
        }
        let cut = Facts { unreadable: Some("the body is too long"), ..Facts::default() };
        assert_eq!(
            take("{ json: $.a }", &cut).unwrap_err(),
            "json $.a cannot be looked at: the body is too long"
        );
        let long = Facts {
            values: vec![("body", Value::Text("x".repeat(CAPTURED_MAX + 1).into()))],
            ..Facts::default()
        };
        assert_eq!(take("{ body: true }", &long).unwrap_err(), "body is longer than 65536 bytes");
    }
}
