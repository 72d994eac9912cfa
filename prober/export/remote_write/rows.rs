//! Samples one by one, with their labels in the order and form that receivers demand.

use std::sync::Arc;

use model::time::Timestamp;

use crate::prometheus::Kind;
use crate::prometheus::read::Sample;
use crate::sampler::Snapshot;

/// What tells Prometheus that a series is no more.
pub(super) const STALE: u64 = 0x7ff0_0000_0000_0002;

/// One sample of one series.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Sorted by name, `__name__` among them; no name twice, no empty value.
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
    pub(super) at: Timestamp,
    pub(super) about: Arc<About>,
    /// A trace to look at, and the value that it had.
    pub(super) exemplar: Option<(String, f64)>,
}

/// What the samples of a family in one snapshot have in common.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) kind: Kind,
    pub(super) help: String,
    /// Since when its counters count; `None` for gauges.
    pub(super) born: Option<Timestamp>,
}

/// The rows of a snapshot with the labels `outer` added, and how many samples no receiver could take.
pub(super) fn rows(snapshot: Snapshot, outer: &[(String, String)]) -> (Vec<Row>, u64) {
    let (mut rows, mut refused) = (Vec::new(), 0);
    let Snapshot { at, born, families, gone } = snapshot;
    let mut push = |labels: Option<Vec<_>>, value, about: &Arc<About>, exemplar| match labels {
        Some(labels) => rows.push(Row { labels, value, at, about: Arc::clone(about), exemplar }),
        None => refused += 1,
    };
    for family in families {
        let born = (!family.kind.is_gauge()).then_some(born);
        let about = Arc::new(About { kind: family.kind, help: family.help, born });
        for Sample { name, labels, value, exemplar } in family.samples {
            push(whole(name, labels, outer), value, &about, exemplar);
        }
    }
    for family in gone {
        let about = Arc::new(About { kind: family.kind, help: family.help, born: None });
        for Sample { name, labels, .. } in family.samples {
            push(whole(name, labels, outer), f64::from_bits(STALE), &about, None);
        }
    }
    (rows, refused)
}

/// All labels of a series; `None` if a receiver would refuse them.
///
/// A label of the series' own wins over an outer one of the same name.
fn whole(
    name: String,
    own: Vec<(String, String)>,
    outer: &[(String, String)],
) -> Option<Vec<(String, String)>> {
    let mut labels = own;
    for (name, value) in outer {
        if labels.iter().all(|(known, _)| known != name) {
            labels.push((name.clone(), value.clone()));
        }
    }
    // An empty value means no label.
    labels.retain(|(_, value)| !value.is_empty());
    let sound = is_metric(&name) && labels.iter().all(|(name, _)| is_label(name));
    labels.push(("__name__".to_owned(), name));
    labels.sort();
    let twice = labels.windows(2).any(|pair| pair[0].0 == pair[1].0);
    (sound && !twice).then_some(labels)
}

/// Whether the labels that every series gets can be sent.
pub(super) fn check_outer(outer: &[(String, String)]) -> Result<(), String> {
    if let Some((name, _)) = outer.iter().find(|(name, _)| !is_label(name) || name.starts_with("__")) {
        return Err(format!("`labels`: `{name}` is no label's name; letters, digits and `_` are"));
    }
    let mut names: Vec<_> = outer.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("`labels`: `{}` is given twice", pair[0])),
        None => Ok(()),
    }
}

fn is_label(name: &str) -> bool {
    is_name(name, "_")
}

fn is_metric(name: &str) -> bool {
    is_name(name, "_:")
}

fn is_name(name: &str, more: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || more.contains(letter);
    name.chars().all(fits) && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_are_sorted_and_sound() {
        let outer = pairs(&[("job", "prober"), ("region", "outer"), ("empty", "")]);
        let own = pairs(&[("slo", "a"), ("region", "eu"), ("service", "")]);
        let made = whole("prober_up".to_owned(), own, &outer).unwrap();
        assert_eq!(
            made,
            pairs(&[("__name__", "prober_up"), ("job", "prober"), ("region", "eu"), ("slo", "a")])
        );
        for own in [
            &[("a", "1"), ("a", "2")][..],
            &[("a-b", "1")],
            &[("", "1")],
            &[("1a", "1")],
            &[("__name__", "x")],
        ] {
            assert!(whole("prober_up".to_owned(), pairs(own), &[]).is_none(), "{own:?}");
        }
        assert!(whole("1".to_owned(), Vec::new(), &[]).is_none());
        for outer in [&[("a-b", "1")][..], &[("__name__", "x")], &[("a", "1"), ("a", "1")]] {
            assert!(check_outer(&pairs(outer)).is_err(), "{outer:?}");
        }
    }
}
