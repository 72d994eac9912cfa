//! From the names of the metrics page to OpenTelemetry's, so that Prometheus' translation gives the first again.
//!
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>: dots become `_`, the unit
//! becomes a suffix, a monotonic sum gets `_total`, and a gauge without dimension (unit `1`) gets `_ratio`.

/// Suffixes and the units that they are made of.
const UNITS: [(&str, &str); 3] = [("_seconds", "s"), ("_bytes", "By"), ("_ratio", "1")];

/// The name and the unit for the family `name`, which is a counter's without `_total`.
pub(super) fn named(name: &str) -> (String, &'static str) {
    let found = UNITS.into_iter().find_map(|(suffix, unit)| Some((name.strip_suffix(suffix)?, unit)));
    let (stem, unit) = found.unwrap_or((name, ""));
    (stem.replace('_', "."), unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prometheus::Kind;
    use crate::prometheus::read::families;
    use crate::prometheus::{Around, Metrics, OwnHealth, Process, StoreNumbers};
    use crate::sample::{event, info, origin};

    /// The translation as the specification has it.
    fn translated(name: &str, unit: &str, kind: Kind) -> String {
        let mut words: Vec<_> = name.split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
        let suffix = match unit {
            "s" => "seconds",
            "By" => "bytes",
            "1" if kind == Kind::Gauge => "ratio",
            _ => "",
        };
        if !suffix.is_empty() && !words.contains(&suffix) {
            words.push(suffix);
        }
        words.retain(|word| *word != "total");
        if kind == Kind::Counter {
            words.push("total");
        }
        words.join("_")
    }

    #[test]
    fn every_name_is_translated_back() {
        let metrics = Metrics::default();
        metrics.set_streams(&[info("shop")]);
        for (second, reason) in (0..).zip(model::outcome::Reason::ALL) {
            let mut one = event(&origin("shop"), second, *reason);
            one.outcome.freshness_age = Some(1.0);
            metrics.apply(&one);
        }
        let around = Around {
            version: "1".into(),
            sinks: vec![("x".into(), std::sync::Arc::default())],
            store: Some(StoreNumbers::default()),
            process: Some(Process::default()),
            is_current: Some(false),
            health: Some(OwnHealth::default()),
            slos: std::sync::Arc::default(),
            alerts: Vec::new(),
            fleet: Vec::new(),
        };
        let own = families(&metrics.without_streams(&around));
        let all = [metrics.families_of(&info("shop").origin.stream).unwrap(), own].concat();
        assert!(all.len() > 35, "{}", all.len());
        for family in all {
            let (name, unit) = named(&family.name);
            let back = translated(&name, unit, family.kind);
            let suffix = if family.kind == Kind::Counter { "_total" } else { "" };
            assert_eq!(back, format!("{}{suffix}", family.name), "{name} {unit}");
        }
        assert_eq!(named("prober_run_duration_seconds"), ("prober.run.duration".to_owned(), "s"));
        assert_eq!(named("prober_sli_events"), ("prober.sli.events".to_owned(), ""));
    }
}
