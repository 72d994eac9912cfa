//! How results are shown, and where they go.

use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum};

use crate::cli::formats::{FORMATS, Format};
use crate::cli::reports::Report;

/// How runs or mistakes are shown.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// How results are shown on the terminal
    #[arg(long, value_parser = format(), default_value = "human")]
    pub(crate) format: &'static Format,
    /// Write a report to a file as well, such as junit=report.xml; may be repeated
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    pub(crate) reports: Vec<Report>,
}

/// How a list is shown.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Human,
    /// One JSON list
    Json,
    /// One JSON object a line
    Jsonl,
}

/// How one thing is shown.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FactsFormat {
    /// For people
    Human,
    /// JSON
    Json,
}

fn format() -> impl clap::builder::TypedValueParser<Value = &'static Format> {
    let values = FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.summary));
    PossibleValuesParser::new(values)
        .map(|name| Format::named(&name).expect("the parser lets only names of the table through"))
}

/// A duration as scenario files have it: `300ms`, `30s`, `5m`, `2h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0_u64,
    };
    let whole = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms));
    // A week is longer than any pipeline waits, and far from every overflow.
    match whole.map(Duration::from_millis) {
        Some(duration) if !duration.is_zero() && duration <= Duration::from_hours(7 * 24) => Ok(duration),
        _ => Err("write a number and one of ms, s, m, h, d, such as 60s; at most 7d".to_owned()),
    }
}

/// `127.0.0.1:9899`, with the words that help whoever writes it as other tools do.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok());
        format!("write an address and a port, such as 127.0.0.1:{}", port.unwrap_or("9899"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, ms) in [("300ms", 300), ("60s", 60_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "60", "s", "0s", "-1s", "1.5s", "1w", "99999999999999999999s", "8d", "1e3s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
