//! The exposition read back as samples, for exporters that push what a scrape would have seen.
//!
//! Whatever is exposed is pushed, under the same names and labels, because it is the same text. Reads only what
//! this crate writes: OpenMetrics without time stamps.

use super::text::Kind;

/// A family of metrics with its samples.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    /// Its name as OpenMetrics has it: a counter's without `_total`.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// With the suffix: `_total`, `_bucket`, `_sum`, `_count`.
    pub(crate) name: String,
    /// In the order of the exposition.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
    /// The trace to look at, and the value that it had.
    pub(crate) exemplar: Option<(String, f64)>,
}

/// The families in `text` that have a sample; a line that is not understood is left out.
pub(crate) fn families(text: &str) -> Vec<Family> {
    let mut families = Vec::<Family>::new();
    let mut help = ("", "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap_or((rest, ""));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let kind = match kind {
                "counter" => Kind::Counter,
                "histogram" => Kind::Histogram,
                _ => Kind::Gauge,
            };
            let help = if help.0 == name { help.1.to_owned() } else { String::new() };
            families.push(Family { name: name.to_owned(), kind, help, samples: Vec::new() });
        } else if let Some(family) = families.last_mut() {
            family.samples.extend(sample(line).filter(|sample| sample.name.starts_with(&family.name)));
        }
    }
    families.retain(|family| !family.samples.is_empty());
    families
}

fn sample(line: &str) -> Option<Sample> {
    let at = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(at);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        (labels, rest) = self::labels(inner)?;
    }
    let rest = rest.trim_start();
    let (value, exemplar) = rest.split_once(" # ").map_or((rest, None), |(value, rest)| (value, Some(rest)));
    let exemplar = exemplar.and_then(|text| {
        let (labels, value) = self::labels(text.strip_prefix('{')?)?;
        Some((labels.into_iter().next()?.1, value.trim().parse().ok()?))
    });
    Some(Sample { name: name.to_owned(), labels, value: value.trim().parse().ok()?, exemplar })
}

/// Names and values up to the closing brace, and what follows it.
fn labels(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.strip_prefix(',').unwrap_or(rest);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, after) = unquoted(quoted)?;
        labels.push((name.to_owned(), value));
        rest = after;
    }
}

/// The value up to its closing quotation mark, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let end = text.find(['"', '\\'])?;
    let mut value = String::from(&text[..end]);
    let mut letters = text[end..].char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[end + at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = "# HELP a Of a.\n# TYPE a counter\n\
                    a_total{x=\"q\\\"u\\\\o\\nte\",y=\"\"} 3 # {trace_id=\"ab\"} 0.5\na_total 2\n\
                    # HELP b Of b.\n# TYPE b gauge\n\
                    # HELP c Of c.\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 1\nc_sum 0.25\nnonsense\nc_count{\n# EOF\n";
        let read = families(text);
        assert_eq!(read.len(), 2, "one without samples is left out: {read:?}");
        let [total, bare] = &read[0].samples[..] else { panic!("{read:?}") };
        assert_eq!(
            total.labels,
            [("x", "q\"u\\o\nte"), ("y", "")].map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
        assert_eq!((total.value, &total.exemplar), (3.0, &Some(("ab".to_owned(), 0.5))));
        assert_eq!((bare.name.as_str(), bare.value, bare.labels.len()), ("a_total", 2.0, 0));
        assert_eq!(
            (read[1].kind, read[1].help.as_str(), read[1].samples.len()),
            (Kind::Histogram, "Of c.", 2)
        );
    }
}
