//! The conditions of the explorer and of `prober events`: what the store can filter by itself, and comparisons of any
//! field.

use std::time::Duration;

use model::event::SliEvent;
use model::outcome::{Reason, Verdict};
use model::schema::FieldType;
use model::time::Timestamp;
use serde_json::Value;
use store::EventFilter;

/// All conditions of one query.
#[derive(Debug, Default)]
pub struct Conditions {
    /// What the store filters by.
    pub filter: EventFilter,
    /// What is compared field by field afterwards.
    pub fields: Vec<FieldCondition>,
}

/// A comparison of one field of the event.
#[derive(Debug)]
pub struct FieldCondition {
    field: String,
    operator: Operator,
    /// Any of them; one text may have commas where the operator is about order or parts.
    values: Vec<String>,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Contains,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Two characters before one, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 7] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=", Operator::Equal),
    ("~", Operator::Contains),
    (">", Operator::Greater),
    ("<", Operator::Less),
];

impl Conditions {
    /// Reads the conditions; times like `1h` count back from `now`.
    ///
    /// # Errors
    /// A sentence that says which condition is wrong and what to type instead.
    pub fn read(words: &[String], now: Timestamp) -> Result<Self, String> {
        let mut all = Self::default();
        for word in words {
            all.add(word, now)?;
        }
        Ok(all)
    }

    fn add(&mut self, word: &str, now: Timestamp) -> Result<(), String> {
        let (field, operator, value) = split(word)?;
        let own = operator == Operator::Equal;
        match field {
            "scenario" if own && !is_list(value) => self.filter.scenario = Some(value.to_owned()),
            "region" if own && !is_list(value) => self.filter.region = Some(value.to_owned()),
            "id" if own => self.filter.slot_prefix = Some(value.to_owned()),
            "since" if own => self.filter.since = Some(moment(word, value, now)?),
            "until" if own => self.filter.until = Some(moment(word, value, now)?),
            "verdict" if own => self.filter.verdicts.extend(words_of::<Verdict>(word, value)?),
            "reason" if own => self.filter.reasons.extend(words_of::<Reason>(word, value)?),
            "id" | "since" | "until" => {
                return Err(format!("`{word}`: `{field}` takes `=` only, such as {field}={value}"));
            }
            _ => {
                let full = full_name(field);
                known(word, &full)?;
                self.compare(word, full, operator, value)?;
            }
        }
        Ok(())
    }

    /// Adds a comparison; of a number with what is one.
    fn compare(&mut self, word: &str, field: String, operator: Operator, value: &str) -> Result<(), String> {
        if operator == Operator::Equal
            && field == STATUS
            && let Some(class) = value.strip_suffix("xx").and_then(|class| class.parse::<u32>().ok())
        {
            let ends = [(Operator::GreaterOrEqual, class * 100), (Operator::Less, class * 100 + 100)];
            self.fields.extend(ends.map(|(operator, end)| FieldCondition {
                field: field.clone(),
                operator,
                values: vec![end.to_string()],
            }));
            return Ok(());
        }
        let mut values = values(operator, value);
        if let Some(is_seconds) = number_of(&field).filter(|_| operator != Operator::Contains) {
            for value in &mut values {
                *value = number(word, value, is_seconds)?;
            }
        }
        self.fields.push(FieldCondition { field, operator, values });
        Ok(())
    }

    /// Whether these fields of an event fulfil the field conditions.
    pub(crate) fn fields_hold(&self, fields: &Value) -> bool {
        self.fields.iter().all(|condition| condition.holds(fields.get(&condition.field)))
    }

    /// Whether the event fulfils the field conditions.
    pub fn let_through(&self, event: &SliEvent) -> bool {
        if self.fields.is_empty() {
            return true;
        }
        self.fields_hold(&event.to_value())
    }
}

/// The words of a line; quotes keep blanks together.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, letter) if letter.is_whitespace() => {
                if !word.is_empty() {
                    all.push(std::mem::take(&mut word));
                }
            }
            (_, letter) => word.push(letter),
        }
    }
    if !word.is_empty() {
        all.push(word);
    }
    all
}

fn split(word: &str) -> Result<(&str, Operator, &str), String> {
    let at = word.find(['=', '!', '~', '<', '>']).unwrap_or(word.len());
    let rest = &word[at..];
    let operator = OPERATORS.iter().find(|(text, _)| rest.starts_with(text));
    match operator {
        Some((text, operator)) if at > 0 => Ok((&word[..at], *operator, &rest[text.len()..])),
        _ => Err(format!(
            "`{word}` is not a condition; write FIELD=VALUE, such as verdict=bad or scenario=checkout"
        )),
    }
}

/// Whether `value` is a list; the commas in a matrix instance's name, `a[x=1,y=2]`, make none.
fn is_list(value: &str) -> bool {
    listed(value).nth(1).is_some()
}

/// The parts of a list with commas between them.
fn listed(value: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    value.split(move |letter| {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    })
}

fn words_of<T: std::str::FromStr<Err: std::fmt::Display>>(word: &str, value: &str) -> Result<Vec<T>, String> {
    value.split(',').map(|part| part.parse().map_err(|error| format!("`{word}`: {error}"))).collect()
}

fn moment(word: &str, value: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(at) = value.parse() {
        return Ok(at);
    }
    // Without a zone it is UTC, as all tables are; a day alone is its beginning.
    let civil: Option<jiff::civil::DateTime> = value.parse().ok();
    if let Some(at) = civil.and_then(|civil| jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()) {
        return Ok(at.into());
    }
    let span: Option<jiff::Span> = value.parse().ok();
    let seconds = span
        .and_then(|span| span.total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours())).ok());
    match seconds.map(Duration::try_from_secs_f64) {
        Some(Ok(back)) => Ok(now.minus(back)),
        _ => Err(format!(
            "`{word}`: write how long ago (30s, 5m, 2h, 7d) or a time like 2026-01-31 or 2026-01-31T12:00:00Z"
        )),
    }
}

/// Only fields with a dot in their name may be there without being always known of: what kinds of steps show.
fn known(word: &str, field: &str) -> Result<(), String> {
    if field.contains('.') || model::schema::FIELDS.iter().any(|known| known.key == field) {
        return Ok(());
    }
    if let Some(near) = nearest_field(field) {
        return Err(format!("`{word}`: there is no field `{field}`; did you mean `{near}`?"));
    }
    let short: Vec<_> = SHORT.iter().map(|(short, _)| *short).collect();
    Err(format!(
        "`{word}`: there is no field `{field}`; there are id, since, until, {}, label.NAME, and those of an event by their full \
         names, such as prober.run.lag",
        short.join(", ")
    ))
}

/// Whether the field is a number, and then whether it counts seconds.
fn number_of(field: &str) -> Option<bool> {
    if field == STATUS {
        return Some(false);
    }
    let known = model::schema::FIELDS.iter().find(|known| known.key == field)?;
    let is_number = matches!(known.field_type, FieldType::Int | FieldType::Number);
    is_number.then(|| known.doc.starts_with("Seconds"))
}

/// A number as events have it: `500ms` is `0.5` where seconds are counted.
fn number(word: &str, value: &str, is_seconds: bool) -> Result<String, String> {
    if value.parse::<f64>().is_ok() {
        return Ok(value.to_owned());
    }
    let span: Option<jiff::Span> = value.parse().ok().filter(|_| is_seconds);
    let seconds = span
        .and_then(|span| span.total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours())).ok());
    match (seconds, is_seconds) {
        (Some(seconds), _) => Ok(seconds.to_string()),
        (None, true) => Err(format!("`{word}`: write seconds or a duration, such as 0.5 or 500ms")),
        (None, false) => Err(format!("`{word}`: `{value}` is not a number")),
    }
}

/// The values between commas, where several make sense.
fn values(operator: Operator, value: &str) -> Vec<String> {
    match operator {
        Operator::Equal | Operator::NotEqual => listed(value).map(str::to_owned).collect(),
        _ => vec![value.to_owned()],
    }
}

/// The field that HTTP statuses are in.
const STATUS: &str = "http.response.status_code";

/// Short names for the fields that people ask for most.
const SHORT: [(&str, &str); 15] = [
    ("class", "prober.failure.class"),
    ("duration", "prober.run.duration"),
    ("error", "error.type"),
    ("kind", "prober.scenario.kind"),
    ("message", "prober.failure.message"),
    ("owner", "prober.scenario.owner"),
    ("reason", "prober.verdict.reason"),
    ("region", "prober.region"),
    ("scenario", "prober.scenario.name"),
    ("service", "service.name"),
    ("status", STATUS),
    ("step", "prober.failure.step"),
    // As the tables call it.
    ("took", "prober.run.duration"),
    ("trigger", "prober.run.trigger"),
    ("verdict", "prober.verdict"),
];

/// The field's full name: `status` is `http.response.status_code`, `label.tier` is `labels.tier`.
pub fn full_name(field: &str) -> String {
    if let Some(label) = field.strip_prefix("label.") {
        return format!("labels.{label}");
    }
    SHORT.iter().find(|(short, _)| *short == field).map_or(field, |(_, full)| full).to_owned()
}

/// A field that an event never has, with the nearest one there is, if it looks like a slip.
pub fn nearest_field(field: &str) -> Option<&'static str> {
    let known = SHORT.iter().flat_map(|(short, full)| [*short, *full]);
    let fields = model::schema::FIELDS.iter().map(|field| field.key);
    let all: Vec<&str> = known.chain(fields).collect();
    crate::near::nearest(field, &all).filter(|near| *near != field)
}

impl FieldCondition {
    /// The field's full name.
    pub fn field(&self) -> &str {
        &self.field
    }

    fn holds(&self, found: Option<&Value>) -> bool {
        let any = |operator| self.values.iter().any(|value| compare(operator, found, value));
        match self.operator {
            Operator::NotEqual => !any(Operator::Equal),
            other => any(other),
        }
    }
}

fn compare(operator: Operator, found: Option<&Value>, value: &str) -> bool {
    let Some(found) = found else { return false };
    if let (Some(number), Ok(value), false) =
        (found.as_f64(), value.parse::<f64>(), operator == Operator::Contains)
    {
        return number.partial_cmp(&value).is_some_and(|order| ordered(operator, order));
    }
    // A list holds what one of its items does.
    if let Value::Array(items) = found {
        return items.iter().any(|item| compare(operator, Some(item), value));
    }
    let text = match found {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if operator == Operator::Contains {
        return text.contains(value);
    }
    ordered(operator, text.as_str().cmp(value))
}

const fn ordered(operator: Operator, order: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Equal | Operator::Contains => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Conditions, String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        Conditions::read(&words, Timestamp::from_seconds(100_000))
    }

    #[test]
    fn words_become_a_filter() {
        let all = read(&["scenario=shop", "verdict=bad,missed", "since=1h", "status>=500"]).unwrap();
        assert_eq!(all.filter.scenario.as_deref(), Some("shop"));
        assert_eq!(all.filter.verdicts, [Verdict::Bad, Verdict::Missed]);
        assert_eq!(all.filter.since, Some(Timestamp::from_seconds(100_000 - 3_600)));
        assert_eq!(all.fields[0].field, "http.response.status_code");
        for (day, seconds) in
            [("1970-01-02", 86_400), ("1970-01-02T01:00", 90_000), ("1970-01-02 01:00", 90_000)]
        {
            let filter = read(&[&format!("until={day}")]).unwrap().filter;
            assert_eq!(filter.until, Some(Timestamp::from_seconds(seconds)), "{day}");
        }
        assert_eq!(read(&["took>1s"]).unwrap().fields[0].field, "prober.run.duration");
        assert_eq!(
            read(&["since=1d"]).unwrap().filter.since,
            Some(Timestamp::from_seconds(100_000 - 86_400))
        );
    }

    #[test]
    fn numbers_are_compared_with_numbers() {
        let conditions = |word: &str| {
            let all = read(&[word]).unwrap().fields;
            let all = all.into_iter().map(|one| (one.field, one.operator, one.values.join(",")));
            all.collect::<Vec<_>>()
        };
        let duration =
            |value: &str| vec![("prober.run.duration".to_owned(), Operator::Greater, value.to_owned())];
        assert_eq!(conditions("duration>1ms"), duration("0.001"));
        assert_eq!(conditions("duration>500us"), duration("0.0005"));
        assert_eq!(conditions("duration>2"), duration("2"));
        let status = |operator, value: &str| (STATUS.to_owned(), operator, value.to_owned());
        assert_eq!(
            conditions("status=5xx"),
            [status(Operator::GreaterOrEqual, "500"), status(Operator::Less, "600")]
        );
        assert_eq!(conditions("status=200,204"), [status(Operator::Equal, "200,204")]);
        for word in ["duration>fast", "status>=abc", "status=2xx,500", "status!=5xx", "prober.run.attempt=1s"]
        {
            assert!(read(&[word]).is_err(), "{word}");
        }
    }

    #[test]
    fn a_line_is_words_and_quotes_keep_blanks() {
        assert_eq!(words("a=1  'message~timed out' b=\"x y\""), ["a=1", "message~timed out", "b=x y"]);
        assert!(words("  ").is_empty());
    }

    #[test]
    fn mistakes_are_said() {
        let check = |word: &str, says: &str| {
            let error = read(&[word]).unwrap_err();
            assert!(error.contains(says), "{error}");
        };
        check("checkout", "not a condition");
        check("=x", "not a condition");
        check("verdict=fine", "`fine` is not a known verdict");
        check("since=yesterday", "how long ago");
        check("since!=1h", "takes `=` only");
        check("verdcit=bad", "no field `verdcit`; did you mean `verdict`?");
        check("colour=red", "no field `colour`; there are id, since, until, class, duration, error, kind");
    }

    #[test]
    fn fields_compare_as_numbers_where_both_are() {
        let check = |word: &str, found: Value, holds: bool| {
            let all = read(&[word]).unwrap();
            assert_eq!(all.fields[0].holds(Some(&found)), holds, "{word} {found}");
        };
        check("status>=500", 503.into(), true);
        check("status>=500", 99.into(), false);
        check("error=connect.refused", "connect.refused".into(), true);
        check("error!=timeout", "connect.refused".into(), true);
        check("duration<0.5", 0.25.into(), true);
        check("status=500,503", 503.into(), true);
        check("status!=500,503", 503.into(), false);
        check("scenario=a,b", "b".into(), true);
        check("region!=us", "eu".into(), true);
        check("message~timed out", "it timed out after 5s".into(), true);
        check("message~refused", "it timed out".into(), false);
        check("label.tier=1", "1".into(), true);
        check("prober.marks=flaky", serde_json::json!(["warned", "flaky"]), true);
        assert_eq!(read(&["label.tier=1"]).unwrap().fields[0].field, "labels.tier");
        assert_eq!(nearest_field("statsu"), Some("status"));
        assert_eq!(nearest_field("status"), None);
        assert!(!read(&["error=x"]).unwrap().fields[0].holds(None));
        assert!(read(&["error!=x"]).unwrap().fields[0].holds(None));
    }
}
