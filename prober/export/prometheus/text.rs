//! The two text formats: headers, escaping, numbers.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::counts::Exemplar;

/// A text format of metrics.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0, with exemplars.
    OpenMetrics,
}

impl Format {
    /// The format to answer an `Accept` header with; Prometheus text unless OpenMetrics 1.0 is accepted.
    pub fn accepted(accept: &str) -> Self {
        let wants = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            let is_open = parts.next() == Some("application/openmetrics-text");
            is_open
                && parts.all(|part| !part.starts_with("q=0") || part.starts_with("q=0.") && part != "q=0.0")
        };
        if accept.split(',').map(str::trim).any(wants) { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The answer's `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The type of a family.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    /// Whether it is a value of the moment, and may disappear.
    pub(crate) fn is_gauge(self) -> bool {
        self == Self::Gauge
    }
}

/// Text that grows in one of the formats.
pub(super) struct Writer {
    pub(super) text: String,
    pub(super) format: Format,
}

impl Writer {
    /// HELP and TYPE, once a family.
    pub(super) fn header(&mut self, name: &str, kind: Kind, help: &str) {
        let (name, kind) = match (kind, self.format) {
            (Kind::Counter, Format::OpenMetrics) => (name.strip_suffix("_total").unwrap_or(name), "counter"),
            (Kind::Counter, Format::Prometheus) => (name, "counter"),
            (Kind::Gauge, _) => (name, "gauge"),
            (Kind::Histogram, _) => (name, "histogram"),
        };
        // The constants of this crate need no escaping.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// The start of a sample: name and labels already in their final form.
    pub(super) fn name(&mut self, name: &str, labels: &str, more: &[(&str, &str)]) {
        self.text.push_str(name);
        if labels.is_empty() && more.is_empty() {
            self.text.push(' ');
            return;
        }
        self.text.push('{');
        self.text.push_str(labels);
        for (index, (label, value)) in more.iter().enumerate() {
            if index > 0 || !labels.is_empty() {
                self.text.push(',');
            }
            self.text.push_str(label);
            self.text.push_str("=\"");
            self.text.push_str(value);
            self.text.push('"');
        }
        self.text.push_str("} ");
    }

    /// A whole number and the end of the sample.
    pub(super) fn count(&mut self, value: u64) {
        self.digits(value);
        self.text.push('\n');
    }

    fn digits(&mut self, value: u64) {
        // Most counters are small, and there are half a million of them.
        match u8::try_from(value) {
            Ok(digit @ 0..10) => self.text.push(char::from(b'0' + digit)),
            _ => {
                let _ = write!(self.text, "{value}");
            }
        }
    }

    /// A number and the end of the sample.
    pub(super) fn number(&mut self, value: f64) {
        let _ = writeln!(self.text, "{value}");
    }

    /// A count, the run to look at if the format has a place for it, and the end of the sample.
    pub(super) fn count_with(&mut self, value: u64, exemplar: Option<&Exemplar>) {
        self.digits(value);
        if let (Format::OpenMetrics, Some(exemplar)) = (self.format, exemplar) {
            let _ = write!(self.text, " # {{trace_id=\"{}\"}} {}", exemplar.trace, exemplar.value);
        }
        self.text.push('\n');
    }

    /// A bucket's edge as the format writes it.
    pub(super) fn edge(&self, edge: f64) -> String {
        match self.format {
            Format::Prometheus => format!("{edge}"),
            // Canonical numbers: always with a fraction.
            Format::OpenMetrics => format!("{edge:?}"),
        }
    }
}

/// A label's value with `\`, `"` and line breaks escaped.
///
/// Other control characters are replaced: scrapers take them, people's terminals do not.
pub(super) fn escape(value: &str) -> Cow<'_, str> {
    // Almost always nothing is to be done, and this is asked for every series of every scrape.
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\' && byte != b'"') {
        return Cow::Borrowed(value);
    }
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            control if control.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_negotiated() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        for other in ["", "*/*", "text/html, text/plain", "application/openmetrics-text;q=0", "é;;;,,"] {
            assert_eq!(Format::accepted(other), Format::Prometheus, "{other}");
        }
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escape("a\"b\\c\nd\te é"), "a\\\"b\\\\c\\nd\u{fffd}e é");
    }
}
