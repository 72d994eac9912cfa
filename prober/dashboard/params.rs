//! The parameters of an address: known ones are read, anything else is refused with a suggestion.

use std::time::Duration;

use model::outcome::{Reason, Verdict};
use model::time::Timestamp;
use serde::Serialize;
use store::{EventFilter, OutboxFilter};

use crate::view::explorer::{Explored, Selection};

/// A parameter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct BadParameter {
    /// What is wrong.
    pub(crate) message: String,
    /// Which one.
    pub(crate) parameter: String,
    /// What would be right.
    pub(crate) help: String,
}

impl BadParameter {
    fn new(parameter: &str, message: String, help: impl Into<String>) -> Self {
        let parameter = crate::text::clean(parameter, SHOWN);
        Self { message, parameter, help: help.into() }
    }
}

/// The most of a wrong name or value that is said back, in bytes.
const SHOWN: usize = 80;
/// Events that one answer may hold.
const LIMIT: std::ops::RangeInclusive<usize> = 1..=1_000;
const LIMIT_DEFAULT: usize = 100;
/// The longest window of an account.
const ACCOUNT_SPAN: Duration = Duration::from_hours(7 * 24);

/// The form of a list of events.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListForm {
    /// One JSON object.
    Json,
    /// An event a line.
    Lines,
}

/// The events that were asked for.
#[derive(Clone, Debug)]
pub(crate) struct EventsAsked {
    pub(crate) filter: EventFilter,
    /// `None` if the address does not say.
    pub(crate) form: Option<ListForm>,
}

/// The account that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountAsked {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) scenario: Option<String>,
}

/// The pairs of a query, each name known and given once unless `repeatable` says otherwise.
struct Given<'a> {
    pairs: &'a [(String, String)],
}

impl<'a> Given<'a> {
    fn of(pairs: &'a [(String, String)], known: &[&str], repeatable: &[&str]) -> Result<Self, BadParameter> {
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let message = format!("there is no parameter `{}`", crate::text::clean(name, SHOWN));
                return Err(BadParameter::new(name, message, suggestion(name, known)));
            }
            let is_again = pairs[..index].iter().any(|(before, _)| before == name);
            if is_again && !repeatable.contains(&name.as_str()) {
                let message = format!("`{name}` is given twice");
                return Err(BadParameter::new(name, message, "give it once"));
            }
        }
        Ok(Self { pairs })
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn parsed<T>(
        &self,
        name: &str,
        help: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, BadParameter> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| wrong(name, text, help))
    }

    fn time(&self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, BadParameter> {
        let help = "a time like 2026-01-31T12:00:00Z, or how long ago, such as 15m, 2h or 7d";
        self.parsed(name, help, |text| time(text, now))
    }

    fn limit(&self) -> Result<Option<usize>, BadParameter> {
        self.parsed("limit", "a number from 1 to 1000", |text| {
            number(text).and_then(|limit| usize::try_from(limit).ok()).filter(|limit| LIMIT.contains(limit))
        })
    }

    /// Words separated by commas, from all parameters of this name.
    fn words<T: Copy>(
        &self,
        name: &str,
        known: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Result<Vec<T>, BadParameter> {
        let mut found = Vec::new();
        let values = self.pairs.iter().filter(|(given, _)| given == name);
        for text in values.flat_map(|(_, value)| value.split(',')) {
            let Some(one) = known.iter().copied().find(|one| word(*one) == text) else {
                let words: Vec<_> = known.iter().map(|one| word(*one)).collect();
                return Err(wrong(name, text, &suggestion(text, &words)));
            };
            found.push(one);
        }
        Ok(found)
    }
}

fn wrong(name: &str, text: &str, help: &str) -> BadParameter {
    let message = format!("`{}` is not a value of `{name}`", crate::text::clean(text, SHOWN));
    BadParameter::new(name, message, help)
}

/// The events asked for, the newest first.
///
/// # Errors
/// A parameter is unknown, given twice, or has a value that means nothing.
pub(crate) fn events(pairs: &[(String, String)], now: Timestamp) -> Result<EventsAsked, BadParameter> {
    const KNOWN: &[&str] =
        &["scenario", "region", "verdict", "reason", "since", "until", "id", "before", "limit", "format"];
    let given = Given::of(pairs, KNOWN, &["verdict", "reason"])?;
    let limit = given.limit()?;
    let form = given.parsed("format", "`json` or `ndjson`", |text| match text {
        "json" => Some(ListForm::Json),
        "ndjson" => Some(ListForm::Lines),
        _ => None,
    })?;
    let filter = EventFilter {
        scenario: given.text("scenario").map(str::to_owned),
        former: Vec::new(), // the catalogue knows them
        region: given.text("region").map(str::to_owned),
        verdicts: given.words("verdict", &Verdict::ALL, Verdict::as_str)?,
        reasons: given.words("reason", Reason::ALL, Reason::as_str)?,
        since: given.time("since", now)?,
        until: given.time("until", now)?,
        slot_prefix: given.parsed("id", "1 to 32 hexadecimal digits", id)?,
        before_seq: given.parsed("before", "the `next` of the page before", number)?,
        after_seq: None,
        limit: limit.unwrap_or(LIMIT_DEFAULT),
        newest_first: true,
    };
    Ok(EventsAsked { filter, form })
}

/// The part of the outbox asked for.
///
/// # Errors
/// A parameter is unknown, given twice, or has a value that means nothing.
pub(crate) fn outbox(pairs: &[(String, String)], now: Timestamp) -> Result<OutboxFilter, BadParameter> {
    let given = Given::of(pairs, &["route", "since", "all", "limit"], &[])?;
    let all = given.parsed("all", "`true` or `false`", |text| match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    })?;
    Ok(OutboxFilter {
        route: given.text("route").map(str::to_owned),
        all: all.unwrap_or(false),
        since: given.time("since", now)?,
        limit: given.limit()?.unwrap_or(LIMIT_DEFAULT),
    })
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A run's id or its first digits.
pub(crate) fn id(text: &str) -> Option<String> {
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}

/// The account asked for.
///
/// # Errors
/// A parameter is unknown, given twice, or has a value that means nothing; or the window is too long.
pub(crate) fn account(pairs: &[(String, String)], now: Timestamp) -> Result<AccountAsked, BadParameter> {
    let given = Given::of(pairs, &["since", "until", "scenario"], &[])?;
    let (since, until) = (given.time("since", now)?, given.time("until", now)?);
    if let Some(from) = since
        && until.unwrap_or(now).since(from) > ACCOUNT_SPAN
    {
        let message = "the window is longer than 7 days".to_owned();
        return Err(BadParameter::new("since", message, "ask for a shorter window"));
    }
    let scenario = given.text("scenario").map(str::to_owned);
    Ok(AccountAsked { since, until, scenario })
}

/// The scenario and region asked for.
///
/// # Errors
/// A parameter is unknown or given twice.
pub(crate) fn scenarios(pairs: &[(String, String)]) -> Result<[Option<String>; 2], BadParameter> {
    let given = Given::of(pairs, &["scenario", "region"], &[])?;
    Ok(["scenario", "region"].map(|name| given.text(name).map(str::to_owned)))
}

/// The series that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeriesAsked {
    pub(crate) scenario: String,
    pub(crate) region: Option<String>,
    pub(crate) hours: u32,
}

/// The series asked for; six hours if it is not said.
///
/// # Errors
/// A parameter is unknown, given twice, missing, or has a value that means nothing.
pub(crate) fn series(pairs: &[(String, String)]) -> Result<SeriesAsked, BadParameter> {
    use crate::view::{Asked, series::SPANS};
    let given = Given::of(pairs, &["scenario", "region", "hours"], &[])?;
    let Some(scenario) = given.text("scenario") else {
        let message = "`scenario` is missing".to_owned();
        return Err(BadParameter::new("scenario", message, "/api/v1/scenarios lists them"));
    };
    let spans = SPANS.map(|hours| hours.to_string()).join(", ");
    let hours = given.parsed("hours", &format!("one of {spans}"), |text| {
        text.parse().ok().filter(|hours| SPANS.contains(hours))
    })?;
    let (scenario, region) = (scenario.to_owned(), given.text("region").map(str::to_owned));
    Ok(SeriesAsked { scenario, region, hours: hours.unwrap_or(Asked::HOURS) })
}

/// The number before which notes are asked for, and how many.
///
/// # Errors
/// A parameter is unknown, given twice, or has a value that means nothing.
pub(crate) fn audit(pairs: &[(String, String)]) -> Result<(Option<u64>, u32), BadParameter> {
    let given = Given::of(pairs, &["before", "limit"], &[])?;
    let before = given.parsed("before", "the `next` of the page before", |text| text.parse().ok())?;
    let limit = given.parsed("limit", "a number from 1 to 1000", |text| {
        text.parse::<u32>().ok().filter(|limit| (1..=1_000).contains(limit))
    })?;
    Ok((before, limit.unwrap_or(100)))
}

/// The longest query of the explorer, in bytes.
const QUERY_MAX: usize = 1_000;

/// What the explorer is asked; a box that is not whole is none.
///
/// # Errors
/// A parameter is unknown, given twice, or has a value that means nothing; what can be read comes with it.
pub(crate) fn explored(
    pairs: &[(String, String)],
    now: Timestamp,
) -> Result<Explored, Box<(Explored, BadParameter)>> {
    let mut asked = Explored::default();
    let text = |name: &str| {
        let found = pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim());
        found[..found.floor_char_boundary(QUERY_MAX)].to_owned()
    };
    (asked.query, asked.group) = (text("q"), text("group"));
    let filled: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
    let selection = (|| {
        let given = Given::of(&filled, &["q", "group", "from", "to", "low", "high"], &[])?;
        let (from, to) = (given.time("from", now)?, given.time("to", now)?);
        let seconds = |name| {
            given.parsed(name, "a number of seconds, such as 0.25", |text| {
                text.parse().ok().filter(|seconds: &f64| seconds.is_finite())
            })
        };
        let (low, high) = (seconds("low")?, seconds("high")?);
        let is_asked = from.is_some() || to.is_some() || low.is_some() || high.is_some();
        Ok(is_asked.then(|| Selection {
            from: from.unwrap_or(Timestamp::from_nanos(i64::MIN)),
            to: to.unwrap_or(now),
            low: low.unwrap_or(0.0),
            high: high.unwrap_or(f64::MAX),
        }))
    })();
    match selection {
        Ok(selection) => Ok(Explored { selection, ..asked }),
        Err(error) => Err(Box::new((asked, error))),
    }
}

/// Refuses every parameter.
///
/// # Errors
/// There is one.
pub(crate) fn none(pairs: &[(String, String)]) -> Result<(), BadParameter> {
    Given::of(pairs, &[], &[]).map(|_| ())
}

/// An instant, or so long ago.
fn time(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let seconds = match &text[digits..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let amount: u64 = text[..digits].parse().ok()?;
    Some(now.minus(Duration::from_secs(amount.checked_mul(seconds)?)))
}

/// `did you mean …`, or all there are.
fn suggestion(typed: &str, known: &[&str]) -> String {
    match crate::near::nearest(typed, known) {
        Some(word) => format!("did you mean `{word}`?"),
        None if known.is_empty() => "this address takes no parameters".to_owned(),
        None => {
            let words: Vec<_> = known.iter().map(|word| format!("`{word}`")).collect();
            format!("one of {}", words.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn pairs(text: &str) -> Vec<(String, String)> {
        let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        text.split('&').filter_map(pair).collect()
    }

    fn refused(text: &str, parameter: &str, message: &str, help: &str) {
        let error = events(&pairs(text), now()).unwrap_err();
        assert_eq!(error.parameter, parameter, "{text}");
        assert!(error.message.contains(message), "{text}: {}", error.message);
        assert!(error.help.contains(help), "{text}: {}", error.help);
    }

    #[test]
    fn everything_that_is_known_is_read() {
        let text = "scenario=a&region=eu&verdict=bad,missed&verdict=good&reason=slow&since=2h\
                    &until=2026-03-01T11:00:00Z&id=ABcd&before=17&limit=1000&format=ndjson";
        let EventsAsked { filter, form } = events(&pairs(text), now()).unwrap();
        assert_eq!(filter.verdicts, [Verdict::Bad, Verdict::Missed, Verdict::Good]);
        assert_eq!(filter.reasons, [Reason::Slow]);
        assert_eq!(filter.since.unwrap().to_string(), "2026-03-01T10:00:00.000000000Z");
        assert_eq!((filter.slot_prefix.as_deref(), filter.before_seq), (Some("abcd"), Some(17)));
        assert_eq!((filter.limit, form), (1_000, Some(ListForm::Lines)));
        assert_eq!(events(&[], now()).unwrap().filter.limit, LIMIT_DEFAULT);
    }

    #[test]
    fn anything_else_is_refused_with_help() {
        refused("scenarios=a", "scenarios", "no parameter `scenarios`", "did you mean `scenario`?");
        refused("foo=1", "foo", "no parameter `foo`", "one of `scenario`, `region`");
        refused("verdict=bda", "verdict", "`bda` is not", "did you mean `bad`?");
        refused("reason=", "reason", "`` is not", "one of `ok`");
        refused("limit=0", "limit", "`0`", "1 to 1000");
        refused("limit=1001", "limit", "`1001`", "1 to 1000");
        refused("limit=%2B5", "limit", "", "1 to 1000");
        refused("before=-1", "before", "`-1`", "`next`");
        refused("since=yesterday", "since", "`yesterday`", "15m");
        refused("since=99999999999999999999d", "since", "", "15m");
        refused("id=xyz", "id", "`xyz`", "hexadecimal");
        refused("id=012345678901234567890123456789012", "id", "", "32");
        refused("format=xml", "format", "`xml`", "ndjson");
        refused("id=a&id=b", "id", "twice", "once");
        let long = "x".repeat(1 << 20);
        let error = events(&[(long.clone(), long)], now()).unwrap_err();
        assert!(error.message.len() + error.parameter.len() < 300);
    }

    #[test]
    fn accounts_are_of_bounded_windows() {
        let asked = account(&pairs("since=7d&scenario=a"), now()).unwrap();
        assert_eq!(asked.scenario.as_deref(), Some("a"));
        assert_eq!(account(&pairs("since=8d"), now()).unwrap_err().parameter, "since");
        assert!(account(&pairs("since=20d&until=14d"), now()).is_ok());
        assert!(none(&pairs("a=b")).unwrap_err().help.contains("no parameters"));
        assert_eq!(scenarios(&pairs("region=eu")).unwrap(), [None, Some("eu".to_owned())]);
    }
}
