//! Tests that parse the metrics text as strictly as OpenMetrics allows.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::FaultKind;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).unwrap()
}

#[test]
fn statuses_of_several_causes_are_one_figure() {
    let metrics = Metrics::new(2);
    for kinds in [[FaultKind::Transient, FaultKind::Rejected], [FaultKind::Denied, FaultKind::Local]] {
        let degraded = kinds.map(|kind| (Status::Degraded(kind), 2));
        let standing = [degraded.as_slice(), &[(Status::Synced, 3)]].concat();
        metrics.set_fleet(FleetSeen { standing, ..FleetSeen::default() });
        let samples = parsed(&metrics.encode(0));
        let of = |status: &str| samples[&format!("genesync_tenants{{status=\"{status}\"}}")];
        assert_eq!((of("degraded"), of("synced"), of("held")), (4.0, 3.0, 0.0));
    }
}

fn full() -> Metrics {
    let metrics = Metrics::new(2);
    let seen = |(name, second): (&str, i64)| (TenantName::new(name), at(second));
    metrics.set_fleet(FleetSeen {
        standing: vec![(Status::Synced, 2), (Status::Held, 1), (Status::Degraded(FaultKind::Transient), 1)],
        in_sync_at: [("sundale", 10), ("\"x\\y\n", 50), ("northbank", 90), ("early", 500)].map(seen).into(),
        drifted: 2,
        drifted_since: Some(at(30)),
    });
    metrics.source_read(at(95), at(-3600));
    metrics.set_api_budget_left(0.25);
    for status in [Some(200), Some(409), Some(412), Some(429), Some(302), Some(503), None] {
        metrics.request(status);
    }
    metrics.run_duration.observe(0.3);
    metrics.runs.inc(RunResult::Synced);
    metrics.guard_refusals.inc(Guard::Window);
    metrics
}

/// Parses samples by name and labels. Panics at any text that OpenMetrics does not allow.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    let body = text.strip_suffix("# EOF\n").expect("the end mark");
    let mut families = BTreeMap::new();
    let mut current = (String::new(), String::new());
    let mut samples = BTreeMap::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (kind, name, text) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            match kind {
                "HELP" => assert!(text.len() > 8 && text.ends_with('.') && !text.contains('\\'), "{line}"),
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram", "info"].contains(&text), "{line}");
                    assert!(families.insert(name.to_owned(), text.to_owned()).is_none(), "twice: {line}");
                    current = (name.to_owned(), text.to_owned());
                }
                "UNIT" => assert!(name.ends_with(&format!("_{text}")), "{line}"),
                other => panic!("{other}"),
            }
            assert!(name.starts_with("genesync_"), "{line}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let suffix = name.strip_prefix(current.0.as_str()).unwrap_or_else(|| panic!("no family: {line}"));
        let allowed: &[&str] = match current.1.as_str() {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            _ => &[""],
        };
        assert!(allowed.contains(&suffix), "{line}");
        if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let inner = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).unwrap();
            let (_, quoted) = inner.split_once('=').unwrap();
            let value = quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap();
            let unescaped = value.replace("\\\\", "").replace("\\\"", "").replace("\\n", "");
            assert!(!unescaped.contains(['"', '\\', '\n']), "{line}");
        }
        let value: f64 = value.parse().unwrap();
        assert!(value.is_finite() && value >= 0.0, "{line}");
        assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
    }
    samples
}

#[test]
fn the_text_is_strict_and_has_the_recorded_values() {
    let text = full().encode_at(at(100), 7);
    let samples = parsed(&text);
    for (series, value) in [
        ("genesync_sync_age_seconds", 90.0),
        ("genesync_tenant_sync_age_seconds{tenant=\"sundale\"}", 90.0),
        ("genesync_tenant_sync_age_seconds{tenant=\"\\\"x\\\\y\\n\"}", 50.0),
        ("genesync_drift_age_seconds", 70.0),
        ("genesync_drifted_tenants", 2.0),
        ("genesync_tenants{status=\"synced\"}", 2.0),
        ("genesync_tenants{status=\"paused\"}", 0.0),
        ("genesync_source_fetch_age_seconds", 5.0),
        ("genesync_source_head_age_seconds", 3700.0),
        ("genesync_api_budget_left_ratio", 0.25),
        ("genesync_requests_total{class=\"4xx\"}", 3.0),
        ("genesync_requests_total{class=\"lost\"}", 1.0),
        ("genesync_conflicts_total", 2.0),
        ("genesync_throttled_total", 1.0),
        ("genesync_log_lines_dropped_total", 7.0),
        ("genesync_runs_total{result=\"synced\"}", 1.0),
        ("genesync_runs_total{result=\"panicked\"}", 0.0),
        ("genesync_guard_refusals_total{guard=\"window\"}", 1.0),
        ("genesync_run_duration_seconds_bucket{le=\"0.5\"}", 1.0),
        ("genesync_run_duration_seconds_bucket{le=\"+Inf\"}", 1.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}\n{text}");
    }
    let shown = samples.keys().filter(|series| series.contains("tenant=")).count();
    assert_eq!(shown, 2, "no more tenants than asked for");
    assert!(
        samples.contains_key(&format!("genesync_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn unknown_values_are_absent_and_removed_tenants_disappear() {
    let metrics = full();
    metrics.encode_at(at(100), 7);
    metrics.set_fleet(FleetSeen::default());
    let samples = parsed(&metrics.encode_at(at(100), 3));
    assert!(samples.keys().all(|series| !series.contains("sync_age")), "{samples:?}");
    assert_eq!(samples["genesync_drift_age_seconds"], 0.0);
    assert_eq!(samples["genesync_log_lines_dropped_total"], 7.0, "a counter never goes back");
    let fresh = parsed(&Metrics::new(2).encode(0));
    for name in ["source_head_age", "source_fetch_age", "api_budget_left"] {
        assert!(fresh.keys().all(|series| !series.contains(name)), "{name}");
    }
}

#[test]
fn ages_grow_while_nothing_changes_and_are_never_negative() {
    let metrics = full();
    let early = parsed(&metrics.encode_at(at(-1000), 0));
    assert_eq!(early["genesync_sync_age_seconds"], 0.0, "a clock that was set back");
    let late = parsed(&metrics.encode_at(at(1000), 0));
    assert_eq!(late["genesync_sync_age_seconds"], 990.0);
    assert_eq!(late["genesync_source_fetch_age_seconds"], 905.0);
}

#[test]
fn every_metric_is_in_the_documentation() {
    let docs = include_str!("../../../docs/watching.md");
    let documented: BTreeSet<&str> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `genesync_"))
        .filter_map(|line| line.split(['`', '{']).next())
        .collect();
    let text = full().encode_at(at(100), 7);
    let mut made = BTreeSet::new();
    for (name, kind) in text.lines().filter_map(|line| line.strip_prefix("# TYPE genesync_")?.split_once(' '))
    {
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        made.insert(format!("{name}{suffix}"));
    }
    assert_eq!(made.iter().map(String::as_str).collect::<BTreeSet<_>>(), documented);
    // The alerts use no other metric.
    let mut asked = 0;
    for word in docs.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let Some(name) = word.strip_prefix("genesync_") else { continue };
        assert!(made.contains(name.trim_end_matches("_bucket")), "{word}");
        asked += 1;
    }
    assert!(asked > made.len() + 10, "the alerts were read as well");
    // Every value of every label is documented, too.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, labels)) = line.split_once('{') else { continue };
        let value = labels.split('"').nth(1).unwrap();
        if labels.starts_with("le=") || labels.starts_with("tenant=") || labels.starts_with("version=") {
            continue;
        }
        let name = name.trim_start_matches("genesync_");
        let row = docs.lines().find(|line| line.starts_with(&format!("| `genesync_{name}{{")));
        assert!(row.is_some_and(|row| row.contains(&format!("`{value}`"))), "{name} {value}");
    }
}
