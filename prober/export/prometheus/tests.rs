use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use model::outcome::Reason;
use model::time::Timestamp;
use store::{Health, StreamAccount};

use super::*;
use crate::pump::SinkStats;
use crate::sample::{event, info, origin, start};

fn around() -> Around {
    let stats = store::Stats::default();
    Around {
        version: "0.1.0".into(),
        sinks: vec![("files".into(), Arc::new(SinkStats::default()))],
        store: Some(StoreNumbers::of(&stats, &Health::Ok)),
        process: Some(Process {
            open_fds: 9,
            max_fds: 1_024,
            resident_bytes: 1 << 24,
            cpu_seconds: 0.25,
            start_seconds: 1.5,
        }),
        is_current: Some(true),
        health: Some(OwnHealth {
            correlated: (2, vec![("bad", 5), ("ineligible", 6)]),
            tests: vec![("passed", 4), ("failed", 0), ("undecided", 1)],
            suspensions: vec![(Reason::SelfTest, false, 0), (Reason::Clock, true, 3)],
            doubts: vec![DoubtNumbers {
                signal: "network",
                region: "us".into(),
                doubted: true,
                looks: 7,
                failed: 2,
            }],
            held: 3,
            clock: Some(ClockNumbers { kept: true, estimated_seconds: 0.000_5, possible_seconds: 0.25 }),
        }),
        slos: Arc::default(),
        alerts: vec![AlertNumbers {
            integration: "slack",
            route: "chat".to_owned(),
            accepted: 5,
            failed: 2,
            waiting: Some(1),
        }],
        fleet: vec![
            FleetFamily {
                name: "prober_fleet_member_shards",
                help: "Shards that a member owns.",
                series: vec![(vec![("region", "asia".to_owned()), ("prober", "a \"1\"".to_owned())], 7.0)],
            },
            FleetFamily {
                name: "prober_fleet_batches_total",
                help: "Batches that the hub read.",
                series: vec![(vec![], 3.0)],
            },
        ],
    }
}

/// Runs promtool, the judge that the world uses.
fn promtool(text: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is missing: apt-get install prometheus");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

/// What OpenMetrics demands beyond the other format, as far as this exposition uses it.
fn open_metrics(text: &str) {
    assert!(text.ends_with("# EOF\n") && text.lines().filter(|line| *line == "# EOF").count() == 1);
    let mut counters = Vec::new();
    let mut families = std::collections::HashSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned()), "{name} twice");
            if kind == "counter" {
                assert!(!name.ends_with("_total"));
                counters.push(name.to_owned());
            }
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = families.iter().any(|family| name.starts_with(family.as_str()));
            assert!(family, "{line}");
            if let Some(counter) = counters.iter().find(|counter| name == counter.as_str()) {
                panic!("{counter} has a sample without _total");
            }
            if let Some((_, exemplar)) = line.split_once(" # ") {
                assert!(exemplar.starts_with("{trace_id=\"") && exemplar.len() < 128, "{line}");
            }
            if let Some((_, rest)) = line.split_once("le=\"") {
                let edge = rest.split('"').next().unwrap();
                assert!(edge == "+Inf" || edge.contains('.'), "{line}");
            }
        }
    }
}

fn samples(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            line.rsplit_once(' ').map(|(series, value)| (series.to_owned(), value.to_owned())).unwrap()
        })
        .collect()
}

fn value(text: &str, series: &str) -> Option<String> {
    samples(text).into_iter().find(|(known, _)| known == series).map(|(_, value)| value)
}

fn both(metrics: &Metrics) -> String {
    let text = metrics.render(Format::Prometheus, &around());
    promtool(&text);
    let series: Vec<_> = samples(&text).into_iter().map(|(series, _)| series).collect();
    let unique: std::collections::HashSet<_> = series.iter().collect();
    assert_eq!(unique.len(), series.len(), "no series twice");
    open_metrics(&metrics.render(Format::OpenMetrics, &around()));
    text
}

#[test]
fn every_state_passes_the_judges() {
    let metrics = Metrics::default();
    both(&metrics);
    metrics.set(&[info("shop"), info("other")], &[]);
    let idle = both(&metrics);
    for series in [
        r#"prober_sli_events_total{slo="shop",service="shop",region="eu"}"#,
        r#"prober_sli_good_events_total{slo="shop",service="shop",region="eu"}"#,
        r#"prober_sli_bad_events_total{slo="shop",service="shop",region="eu"}"#,
        r#"prober_sli_expected_events_total{slo="shop",service="shop",region="eu"}"#,
        r#"prober_runs_total{scenario="shop",region="eu",kind="http"}"#,
        r#"prober_run_failures_total{scenario="shop",region="eu",class="connect"}"#,
        r#"prober_run_ineligible_total{scenario="shop",region="eu",reason="prober_fault"}"#,
        r#"prober_run_missed_slots_total{scenario="shop",region="eu",reason="interrupted"}"#,
        r#"prober_run_duration_seconds_bucket{scenario="shop",region="eu",le="+Inf"}"#,
        "prober_account_violations_total",
        r#"prober_export_sent_events_total{sink="files"}"#,
    ] {
        assert_eq!(value(&idle, series).as_deref(), Some("0"), "{series}");
    }
    let shop = origin("shop");
    for (second, reason) in (0..).zip(Reason::ALL) {
        metrics.apply(&event(&shop, second, *reason));
        both(&metrics);
    }
    metrics.apply(&event(&origin("stranger"), 0, Reason::Ok));
    let full = both(&metrics);
    assert_eq!(
        value(&full, r#"prober_sli_events_total{slo="shop",service="shop",region="eu"}"#).unwrap(),
        "7"
    );
    assert_eq!(value(&full, r#"prober_sli_consecutive_bad_events{slo="shop",region="eu"}"#).unwrap(), "6");
    assert_eq!(
        value(&full, r#"prober_run_missed_slots_total{scenario="shop",region="eu",reason="no_owner"}"#)
            .unwrap(),
        "1"
    );
    assert_eq!(
        value(&full, r#"prober_run_missed_slots_total{scenario="other",region="eu",reason="no_owner"}"#),
        None
    );
    assert_eq!(
        value(&full, r#"prober_run_failures_total{scenario="shop",region="eu",class="stale"}"#).unwrap(),
        "4"
    );
    assert_eq!(
        value(&full, r#"prober_run_phase_seconds{scenario="shop",region="eu",phase="connect"}"#).unwrap(),
        "0.03"
    );
    assert_eq!(
        value(&full, r#"prober_run_duration_seconds_bucket{scenario="shop",region="eu",le="0.1"}"#).unwrap(),
        "0"
    );
    assert_eq!(
        value(&full, r#"prober_run_duration_seconds_bucket{scenario="shop",region="eu",le="0.25"}"#).unwrap(),
        "7"
    );
    assert!(!full.contains("stranger") && !full.contains("trace_id"));
    let open = metrics.render(Format::OpenMetrics, &around());
    assert!(open.contains(&format!(
        "class=\"stale\"}} 4 # {{trace_id=\"{}\"}} 1\n",
        event(&shop, 6, Reason::Ok).slot.id
    )));
}

#[test]
fn a_reload_keeps_counts_and_removes_what_is_gone() {
    let metrics = Metrics::default();
    metrics.set(&[info("shop"), info("gone")], &[]);
    metrics.apply(&event(&origin("shop"), 0, Reason::Failed));
    let old = metrics.chunks(Format::Prometheus, &around());
    let mut changed = info("shop");
    changed.origin = Arc::new(Origin { version: "ba9876543210".into(), ..(*changed.origin).clone() });
    metrics.set(&[changed, info("new")], &[]);
    let text = both(&metrics);
    assert!(!text.contains("gone") && !text.contains("0123456789ab\",kind=\"http\",interval=\"60s\",owner=\"team\",region=\"eu\"} 1\nprober_scenario_info{scenario=\"shop"));
    assert!(text.contains(r#"prober_scenario_info{scenario="shop",version="ba9876543210",kind="http",interval="60s",owner="team",region="eu"} 1"#));
    assert_eq!(
        value(&text, r#"prober_sli_bad_events_total{slo="shop",service="shop",region="eu"}"#).unwrap(),
        "1"
    );
    // A scrape that had begun ends with the streams it began with.
    let old = String::from_utf8(old.flatten().collect()).unwrap();
    promtool(&old);
    assert!(old.contains("gone"));
    metrics.set(&[], &[]);
    metrics.set(&[info("shop")], &[]);
    let text = both(&metrics);
    assert_eq!(
        value(&text, r#"prober_sli_bad_events_total{slo="shop",service="shop",region="eu"}"#).unwrap(),
        "0"
    );
}

#[test]
fn hostile_names_are_only_names() {
    let metrics = Metrics::default();
    let names = ["quo\"te", "new\nline\r", "back\\slash\\", "é✓\u{202e}", "} 1\n# EOF", "", "\u{0}"];
    metrics.set_streams(&names.map(info));
    for name in names {
        metrics.apply(&event(&origin(name), 1, Reason::Failed));
    }
    let text = both(&metrics);
    assert_eq!(text.matches("prober_sli_bad_events_total{").count(), names.len());
}

#[test]
fn the_cap_on_series_holds_and_is_counted() {
    let metrics = Metrics::new(100);
    metrics.set_streams(&["a", "b", "c", "d"].map(info));
    for name in ["a", "b", "c"] {
        metrics.apply(&event(&origin(name), 1, Reason::Ok));
    }
    let text = both(&metrics);
    let streams = samples(&text).iter().filter(|(series, _)| series.contains("region=\"eu\"")).count();
    assert!(streams <= 100 && streams > 80, "{streams}");
    let dropped: u64 = value(&text, "prober_series_dropped_total").unwrap().parse().unwrap();
    assert!(dropped >= 84, "{dropped}");
}

#[test]
fn accounts_and_values_from_steps() {
    let metrics = Metrics::default();
    metrics.set(&[info("shop")], &[]);
    let mut seen = event(&origin("shop"), 1, Reason::Ok);
    seen.outcome.freshness_age = Some(-2.5);
    seen.outcome.steps[0].attributes.set("tls.server.not_after", "2027-01-01T00:00:00Z");
    metrics.apply(&seen);
    let mut broken = event(&origin("shop"), 2, Reason::Ok);
    broken.outcome.freshness_age = Some(f64::NAN);
    broken.outcome.steps[0].attributes.set("tls.server.not_after", "tomorrow");
    metrics.apply(&broken);
    let mut manual = event(&origin("shop"), 3, Reason::Ok);
    manual.trigger = model::event::Trigger::Manual;
    metrics.apply(&manual);
    let stream = StreamAccount {
        stream: origin("shop").stream.clone(),
        expected: 6,
        good: 5,
        bad: 0,
        ineligible: 0,
        missed: 0,
        planned: 0,
        upgraded: 0,
        settled: 0,
    };
    let to = start().plus(Duration::from_mins(1));
    metrics.add_account(&Account { from: start(), to, streams: vec![stream], violations: 1 });
    let text = both(&metrics);
    let of = |series: &str| value(&text, series).unwrap();
    assert_eq!(of(r#"prober_freshness_age_seconds{scenario="shop",region="eu"}"#), "-2.5");
    let not_after = Timestamp::as_seconds_f64("2027-01-01T00:00:00Z".parse().unwrap()).to_string();
    assert_eq!(
        of(r#"prober_tls_certificate_not_after_timestamp_seconds{scenario="shop",region="eu"}"#),
        not_after
    );
    assert_eq!(of(r#"prober_sli_expected_events_total{slo="shop",service="shop",region="eu"}"#), "6");
    assert_eq!(of("prober_account_violations_total"), "1");
    assert_eq!(of(r#"prober_runs_total{scenario="shop",region="eu",kind="http"}"#), "2");
}

#[test]
fn ten_thousand_streams_are_exposed_in_bounded_pieces() {
    let metrics = Metrics::default();
    let names: Vec<_> = (0..10_000).map(|index| format!("scenario-{index}")).collect();
    metrics.set_streams(&names.iter().map(|name| info(name)).collect::<Vec<_>>());
    for format in [Format::Prometheus, Format::OpenMetrics] {
        let largest = metrics.chunks(format, &around()).map(|piece| piece.len()).max().unwrap_or_default();
        assert!(largest < 256 << 10, "{largest}");
    }
    let bytes = size_of::<fold::State>() + size_of::<Cell>();
    assert!(bytes <= 1 << 10, "a stream's state has {bytes} bytes");
}

#[test]
fn promises_have_their_numbers_and_those_over_several_scenarios_their_sums() {
    let metrics = Metrics::default();
    let mut shop = info("shop");
    shop.slo = "shop-promise".into();
    let feeds = ["shop", "cart", "gone"].map(|scenario| (scenario.into(), "eu".into())).into();
    let both = JointInfo { name: "both".into(), service: "shop".into(), feeds, good: None };
    metrics.set(&[shop, info("cart")], std::slice::from_ref(&both));
    let text = |around: &Around| {
        open_metrics(&metrics.render(Format::OpenMetrics, around));
        let text = metrics.render(Format::Prometheus, around);
        promtool(&text);
        text
    };
    // Every counter is there at 0 before the first event.
    let born = text(&around());
    for slo in ["shop-promise", "cart", "both"] {
        for family in ["events", "good_events", "bad_events", "expected_events"] {
            let series = format!("prober_sli_{family}_total{{slo=\"{slo}\",service=\"shop\",region=\"eu\"}}");
            assert_eq!(value(&born, &series).as_deref(), Some("0"), "{series}");
        }
    }
    for (scenario, reason) in [("shop", Reason::Ok), ("cart", Reason::Failed), ("cart", Reason::Ok)] {
        metrics.apply(&event(&origin(scenario), 0, reason));
    }
    let around = Around { slos: crate::sample::standings().into(), ..around() };
    // What is pushed beside the streams has them as well.
    let own = metrics.without_streams(&around);
    let pushed = "prober_sli_events_total{slo=\"both\",service=\"shop\",region=\"eu\"} 3\n";
    assert!(own.contains(pushed) && !own.contains("slo=\"cart\",service"), "{own}");
    let shown = text(&around);
    for (series, expected) in [
        ("prober_sli_events_total{slo=\"both\",service=\"shop\",region=\"eu\"}", "3"),
        ("prober_sli_bad_events_total{slo=\"both\",service=\"shop\",region=\"eu\"}", "1"),
        ("prober_sli_events_total{slo=\"shop-promise\",service=\"shop\",region=\"eu\"}", "1"),
        ("prober_sli_consecutive_bad_events{slo=\"both\",region=\"eu\"}", "20"),
        ("prober_slo_objective_ratio{slo=\"both\",service=\"shop\"}", "0.999"),
        ("prober_slo_window_seconds{slo=\"both\",service=\"shop\"}", "2592000"),
        ("prober_maintenance_active{slo=\"shop-promise\"}", "0"),
        ("prober_slo_gate_open{slo=\"shop-promise\",service=\"shop\"}", "1"),
        ("prober_slo_alerts_firing{slo=\"shop-promise\",severity=\"page\"}", "2"),
        ("prober_slo_last_evaluation_timestamp_seconds", "1772370000"),
    ] {
        assert_eq!(value(&shown, series).as_deref(), Some(expected), "{series}\n{shown}");
    }
    let left =
        value(&shown, "prober_slo_error_budget_remaining_ratio{slo=\"shop-promise\",service=\"shop\"}");
    let left: f64 = left.unwrap().parse().unwrap();
    assert!((left - (1.0 - 10.0 / 43.2)).abs() < 1e-3, "{left}");
    let burn = value(&shown, "prober_slo_burn_rate_ratio{slo=\"shop-promise\",window=\"1h\"}");
    assert!((burn.unwrap().parse::<f64>().unwrap() - 10.0 / 60.0 / 0.001).abs() < 1e-6);
}

/// Good if it takes less than 800 ms.
#[derive(Debug)]
struct Quick;

impl slo::good::GoodRun for Quick {
    fn broken(&self, took: Duration) -> Option<String> {
        (took >= Duration::from_millis(800)).then(|| "too slow".to_owned())
    }

    fn words(&self) -> String {
        "latency less than 800ms".to_owned()
    }
}

#[test]
fn a_promise_with_a_good_of_its_own_has_its_own_counts() {
    let metrics = Metrics::default();
    let feeds = [("shop", "eu"), ("cart", "eu")].map(|(scenario, region)| (scenario.into(), region.into()));
    let quick = JointInfo {
        name: "quick".into(),
        service: "shop".into(),
        feeds: feeds.into(),
        good: Some(Arc::new(Quick)),
    };
    let set = || metrics.set(&[info("shop"), info("cart")], std::slice::from_ref(&quick));
    set();
    let count = |slo: &str| {
        let text = metrics.render(Format::Prometheus, &around());
        promtool(&text);
        ["events", "good_events", "bad_events"].map(|family| {
            let series = format!("prober_sli_{family}_total{{slo=\"{slo}\",service=\"shop\",region=\"eu\"}}");
            value(&text, &series).unwrap()
        })
    };
    assert_eq!(count("quick"), ["0", "0", "0"], "born at 0");
    let apply = |scenario: &str, reason, millis| {
        let mut event = event(&origin(scenario), 0, reason);
        event.outcome.duration = Duration::from_millis(millis);
        metrics.apply(&event);
    };
    apply("shop", Reason::Ok, 900);
    apply("shop", Reason::Slow, 300);
    apply("cart", Reason::Failed, 100);
    apply("cart", Reason::Ok, 100);
    apply("cart", Reason::Declared, 100);
    assert_eq!(
        (count("quick"), count("shop")),
        (["4", "2", "2"].map(str::to_owned), ["2", "1", "1"].map(str::to_owned))
    );
    // A reload keeps them.
    set();
    apply("shop", Reason::Ok, 100);
    assert_eq!(count("quick"), ["5", "3", "2"]);
}

#[test]
fn another_exporter_s_names_are_told_on_demand_and_only_of_runs_that_count() {
    let shop = origin("shop");
    let metrics = Metrics::default();
    metrics.set(&[info("shop"), info("other")], &[]);
    metrics.apply(&event(&shop, 0, Reason::Ok));
    let page = |metrics: &Metrics| metrics.render(Format::Prometheus, &around());
    assert!(!page(&metrics).contains("probe_"), "nobody asked");
    metrics.tell_as_blackbox(true);
    metrics.set(&[info("shop"), info("other")], &[]);
    metrics.apply(&event(&shop, 60, Reason::Failed));
    let told = page(&metrics);
    promtool(&told);
    open_metrics(&metrics.render(Format::OpenMetrics, &around()));
    assert!(told.contains("probe_success{scenario=\"shop\",region=\"eu\"} 0\n"), "{told}");
    assert!(told.contains("probe_duration_seconds{scenario=\"shop\",region=\"eu\"} 0.12\n"), "{told}");
    assert_eq!(told.matches("probe_success{").count(), 1, "one that did not run has none");
    metrics.apply(&event(&shop, 120, Reason::Ok));
    assert!(page(&metrics).contains("probe_success{scenario=\"shop\",region=\"eu\"} 1\n"));
    // A prober that is at fault knows nothing: what was good before does not stay.
    for reason in [Reason::ProberFault, Reason::Overload, Reason::Maintenance] {
        metrics.apply(&event(&shop, 180, Reason::Ok));
        metrics.apply(&event(&shop, 240, reason));
        assert!(!page(&metrics).contains("probe_success{"), "{reason}");
    }
    metrics.tell_as_blackbox(false);
    metrics.set(&[info("shop"), info("other")], &[]);
    metrics.apply(&event(&shop, 300, Reason::Ok));
    assert!(!page(&metrics).contains("probe_"));
    // They count for the cap on series.
    let born = Metrics::default();
    born.set(&[info("shop")], &[]);
    let few = Metrics::new(born.shared.series.load(Ordering::Relaxed) + 6);
    few.tell_as_blackbox(true);
    few.set(&[info("shop")], &[]);
    few.apply(&event(&shop, 0, Reason::Ok));
    let told = page(&few);
    assert!(!told.contains("probe_success{") && !told.contains("prober_series_dropped_total 0\n"), "{told}");
}
