//! Values of a file, compared with observed ones.

use std::cmp::Ordering;
use std::time::Duration;

use model::objective::Share;

use super::finding::Finding;
use crate::decimal;
use crate::moment::moment;
use crate::value::Value;

/// A value of a file that observed values are compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Json(serde_json::Value),
    Duration(Duration),
    Share(Share),
}

impl Literal {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Json(serde_json::Value::String(text.into()))
    }

    pub(super) fn equals(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Duration(wanted) => matches!(value, Value::Duration(found) if found == wanted),
            Self::Share(wanted) => matches!(value, Value::Share(found) if found == wanted),
            Self::Json(wanted) => json_equals(wanted, value),
        }
    }

    pub(super) fn family(&self) -> &'static str {
        match self {
            Self::Duration(_) => "a duration",
            Self::Share(_) => "a share",
            Self::Json(value) => family(&Value::of_json(value)),
        }
    }

    /// The literal for people.
    pub(crate) fn show(&self) -> String {
        match self {
            Self::Json(value) => crate::shown::show_value(&Value::of_json(value), true).into(),
            Self::Duration(duration) => crate::units::show_duration(*duration),
            Self::Share(share) => share.to_string(),
        }
    }
}

fn json_equals(wanted: &serde_json::Value, found: &Value<'_>) -> bool {
    use serde_json::Value as Json;
    match (wanted, found) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(wanted), Value::Bool(found)) => wanted == found,
        (Json::Number(wanted), Value::Int(_) | Value::Large(_) | Value::Float(_) | Value::Decimal(_)) => {
            order(wanted, found) == Some(Ordering::Equal)
        }
        (Json::String(wanted), Value::Text(found)) => *wanted == **found,
        // The only way to write down a number that is as long.
        (Json::String(wanted), Value::Decimal(found)) => {
            decimal::order(wanted, found) == Some(Ordering::Equal)
        }
        (Json::String(wanted), Value::Time(found)) => {
            moment(&Value::Text(wanted.as_str().into())) == Some(*found)
        }
        (Json::Array(wanted), Value::List(found)) => {
            wanted.len() == found.len()
                && wanted.iter().zip(found).all(|(wanted, found)| json_equals(wanted, found))
        }
        (Json::Object(wanted), Value::Object(found)) => {
            wanted.len() == found.tree().len()
                && wanted
                    .iter()
                    .all(|(key, wanted)| found.get(key).is_some_and(|found| json_equals(wanted, &found)))
        }
        _ => false,
    }
}

pub(super) fn equals(literal: &Literal, value: &Value<'_>) -> Finding {
    if literal.equals(value) {
        return Finding::HOLDS;
    }
    let same = literal.family() == family(value) || matches!(value, Value::Time(_) | Value::Decimal(_));
    if same { Finding::BROKEN } else { Finding::unlike(value, literal.family()) }
}

/// The word for a value's type, as messages use it.
pub(super) fn family(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::Large(_) | Value::Float(_) | Value::Decimal(_) => "a number",
        Value::Text(_) => "a text",
        Value::Duration(_) => "a duration",
        Value::Share(_) => "a share",
        Value::Time(_) => "a time",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// How a number that was found lies to the wanted one: exactly, where both are whole numbers.
pub(super) fn order(wanted: &serde_json::Number, found: &Value<'_>) -> Option<Ordering> {
    let whole = wanted.as_i64().map(i128::from).or_else(|| wanted.as_u64().map(i128::from));
    let (exact, near) = match found {
        Value::Int(found) => (i128::from(*found), *found as f64),
        Value::Large(found) => (i128::from(*found), *found as f64),
        Value::Float(found) => {
            let near = found.partial_cmp(&wanted.as_f64()?);
            // Equal floats may stand for different whole numbers.
            return match (near, whole) {
                (Some(Ordering::Equal), Some(whole)) => {
                    decimal::order(&found.to_string(), &whole.to_string())
                }
                _ => near,
            };
        }
        Value::Decimal(found) => {
            let wanted = whole.map_or_else(
                || wanted.as_f64().map(|near| near.to_string()),
                |whole| Some(whole.to_string()),
            );
            return decimal::order(found, &wanted?);
        }
        _ => return None,
    };
    match whole {
        Some(whole) => Some(exact.cmp(&whole)),
        None => near.partial_cmp(&wanted.as_f64()?),
    }
}

pub(super) fn equals_set(literals: &[Literal], items: &[Value<'_>]) -> Finding {
    let missing = literals.iter().find(|literal| !items.iter().any(|item| literal.equals(item)));
    if let Some(missing) = missing {
        return Finding::BROKEN.noted(|| format!("{} is missing", missing.show()));
    }
    let extra = items.iter().find(|item| !literals.iter().any(|literal| literal.equals(item)));
    match extra {
        Some(extra) => {
            Finding::BROKEN.noted(|| format!("{} is too many", crate::shown::show_value(extra, true)))
        }
        None => Finding::HOLDS,
    }
}
