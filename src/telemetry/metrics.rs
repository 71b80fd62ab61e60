//! The metrics for Prometheus. `docs/watching.md` describes them.
//!
//! A counter is an atomic addition; a histogram takes a lock for a few instructions, once per run and once
//! per query. Ages are computed during a scrape, so that they grow also if nothing else changes.
//!
//! In: events, and figures of the fleet. Out: the text that Prometheus reads. Never: uses a label whose
//! values are not a closed set, except for the names of the shown tenants. Start reading at [`Metrics`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::labels::Gauged;
pub use super::labels::{
    Counted, HookResult, Label, LeaseEvent, NotificationResult, RequestClass, RunResult,
};
use super::process::resident_bytes;
use crate::clock;
use crate::model::{Guard, Status, TenantName};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Seconds = Gauge<f64, AtomicU64>;

/// The figures of all tenants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FleetSeen {
    /// The number of tenants by status.
    pub standing: Vec<(Status, usize)>,
    /// When each tenant was last seen in sync, oldest first; for a tenant that was never in sync, the start
    /// of its current status.
    pub in_sync_at: Vec<(TenantName, Timestamp)>,
    /// The number of tenants with drift.
    pub drifted: usize,
    /// The start of the oldest drift.
    pub drifted_since: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct State {
    fleet: FleetSeen,
    fetched_at: Option<Timestamp>,
    head_at: Option<Timestamp>,
    budget_left: Option<f64>,
}

/// All metrics. The code that observes an event updates the public fields.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    state: Mutex<State>,
    tenants_shown: usize,
    /// Runs that ended.
    pub runs: Counted<RunResult>,
    /// How long a run took, in seconds.
    pub run_duration: Histogram,
    /// Runs that a guard refused; a run refused by two counts for both.
    pub guard_refusals: Counted<Guard>,
    /// From the acknowledgement of a write until its audit entry is found, in seconds.
    pub time_to_confirm: Histogram,
    /// What happened to leases.
    pub lease_churn: Counted<LeaseEvent>,
    /// Leases that this replica holds.
    pub leases_held: Gauge,
    /// Fetches of the source that failed.
    pub source_fetch_failures: Counter,
    /// Requests to the git webhook.
    pub hooks: Counted<HookResult>,
    /// Attempts to deliver a notification.
    pub notifications: Counted<NotificationResult>,
    /// Store calls that failed.
    pub store_errors: Counter,
    /// How long a store call took, in seconds.
    pub store_latency: Histogram,
    requests: Counted<RequestClass>,
    conflicts: Counter,
    throttled: Counter,
    lines_dropped: Counter,
    sync_age: Known,
    tenant_sync_age: Family<[(&'static str, String); 1], Seconds>,
    drift_age: Seconds,
    drifted_tenants: Gauge,
    tenants: Gauged<Status>,
    budget_left: Known,
    fetch_age: Known,
    head_age: Known,
    resident: Known,
}

const RUN_SECONDS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
const CONFIRM_SECONDS: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];
const STORE_SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

impl Metrics {
    /// Registers all metrics. It shows the age for the `tenants_shown` worst tenants.
    pub fn new(tenants_shown: usize) -> Self {
        let mut registry = Registry::with_prefix("genesync");
        let of = &mut registry;
        register_process(of);
        // The scrape lists metrics in the order of registration, which is the order of these fields.
        Self {
            sync_age: seconds_of(of, "sync_age", "Time since the least recently synced tenant was in sync"),
            tenant_sync_age: seconds_of(
                of,
                "tenant_sync_age",
                "Time since a tenant was last seen in sync; only the worst tenants are shown",
            ),
            drift_age: seconds_of(of, "drift_age", "Age of the oldest drift; 0 while there is none"),
            drifted_tenants: metric(
                of,
                "drifted_tenants",
                "Tenants whose live configuration was changed by another user",
            ),
            tenants: Gauged::register(of, "tenants", "Tenants by status"),
            runs: Counted::register(of, "runs", "Runs that ended, by result"),
            run_duration: histogram(of, "run_duration", "How long a run took", RUN_SECONDS),
            guard_refusals: Counted::register(of, "guard_refusals", "Plans that a guard refused"),
            requests: Counted::register(of, "requests", "Requests to the API, by the class of their answer"),
            conflicts: metric(
                of,
                "conflicts",
                "Writes that the API refused because another user wrote in between (409, 412)",
            ),
            throttled: metric(of, "throttled", "Requests that the API refused as too many (429)"),
            budget_left: metric(
                of,
                "api_budget_left_ratio",
                "Smallest share of the rate limit that an organization has left",
            ),
            time_to_confirm: histogram(
                of,
                "time_to_confirm",
                "From the acknowledgement of a write to its audit entry",
                CONFIRM_SECONDS,
            ),
            lease_churn: Counted::register(of, "lease_churn", "What happened to leases"),
            leases_held: metric(of, "leases_held", "Leases that this replica holds"),
            head_age: seconds_of(of, "source_head_age", "Age of the commit that is applied"),
            fetch_age: seconds_of(of, "source_fetch_age", "Time since the source was last read"),
            source_fetch_failures: metric(
                of,
                "source_fetch_failures",
                "Times that the source could not be read",
            ),
            hooks: Counted::register(of, "hooks", "Requests to the git webhook, by result"),
            notifications: Counted::register(of, "notifications", "Attempts to deliver a notification"),
            lines_dropped: metric(of, "log_lines_dropped", "Log lines that were not written"),
            store_errors: metric(of, "store_errors", "Store calls that failed"),
            store_latency: histogram(of, "store_latency", "How long a store call took", STORE_SECONDS),
            resident: with_unit(of, "process_resident_memory", "Memory that this process holds", Unit::Bytes),
            state: Mutex::default(),
            tenants_shown,
            registry,
        }
    }

    /// Counts a request to the API by the status of its answer, or as lost without an answer.
    pub fn request(&self, status: Option<u16>) {
        self.requests.inc(match status {
            None => RequestClass::Lost,
            Some(500..) => RequestClass::Failed,
            Some(400..) => RequestClass::Refused,
            Some(300..) => RequestClass::Redirected,
            Some(_) => RequestClass::Done,
        });
        // The returned values are not needed.
        let _ = match status {
            Some(409 | 412) => self.conflicts.inc(),
            Some(429) => self.throttled.inc(),
            _ => 0,
        };
    }

    /// Sets the status figures of the tenants; a tenant that is not named has no age.
    ///
    /// Tenant names are the only label without a closed set. They are folder names, checked by the parser
    /// of the manifests, and at most `tenants_shown` of them are shown at a time.
    pub fn set_fleet(&self, fleet: FleetSeen) {
        self.state().fleet = fleet;
    }

    /// Records a read of the source, and the commit time of the applied commit.
    pub fn source_read(&self, at: Timestamp, committed_at: Timestamp) {
        let mut state = self.state();
        state.fetched_at = Some(at);
        state.head_at = Some(committed_at);
    }

    /// Sets the smallest remaining share of a rate limit over all organizations, from 0 to 1.
    pub fn set_api_budget_left(&self, share: f64) {
        self.state().budget_left = Some(share.clamp(0.0, 1.0));
    }

    /// Returns the text for Prometheus, of type [`CONTENT_TYPE`]. `lines_dropped` comes from
    /// [`Telemetry::dropped`](super::Telemetry::dropped).
    pub fn encode(&self, lines_dropped: u64) -> String {
        self.encode_at(clock::now(), lines_dropped)
    }

    fn encode_at(&self, now: Timestamp, lines_dropped: u64) -> String {
        // The lock is held to the end, because two concurrent scrapes would mix their figures.
        let state = self.state();
        let age = |since: Timestamp| now.duration_since(since).as_secs_f64().max(0.0);
        let fleet = &state.fleet;
        self.tenant_sync_age.clear();
        for (tenant, in_sync_at) in fleet.in_sync_at.iter().take(self.tenants_shown) {
            let of_tenant = self.tenant_sync_age.get_or_create(&[("tenant", tenant.as_str().to_owned())]);
            of_tenant.set(age(*in_sync_at));
        }
        self.sync_age.set(fleet.in_sync_at.first().map(|(_, in_sync_at)| age(*in_sync_at)));
        self.drift_age.set(fleet.drifted_since.map_or(0.0, age));
        self.drifted_tenants.set(i64::try_from(fleet.drifted).unwrap_or(i64::MAX));
        self.tenants.count(&fleet.standing);
        self.budget_left.set(state.budget_left);
        self.fetch_age.set(state.fetched_at.map(age));
        self.head_age.set(state.head_at.map(age));
        self.resident.set(resident_bytes().map(|bytes| bytes as f64));
        // The log has its own counter; this counter never decreases.
        self.lines_dropped.inner().fetch_max(lines_dropped, Ordering::Relaxed);

        let mut text = String::new();
        // Writing to a string cannot fail. A scraper refuses an incomplete text, because the end mark is
        // missing.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

/// A gauge that is absent while its value is unknown, because 0 would be wrong.
#[derive(Debug, Clone, Default)]
struct Known(Arc<Mutex<Option<f64>>>);

impl Known {
    fn set(&self, value: Option<f64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    fn get(&self) -> Option<f64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EncodeMetric for Known {
    fn encode(&self, encoder: MetricEncoder<'_>) -> std::fmt::Result {
        self.get().map_or(Ok(()), |value| ConstGauge::new(value).encode(encoder))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.get().is_none()
    }
}

trait Registered: prometheus_client::registry::Metric + Clone {}

impl<M: prometheus_client::registry::Metric + Clone> Registered for M {}

fn metric<M: Registered + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn with_unit<M: Registered + Default>(registry: &mut Registry, name: &str, help: &str, unit: Unit) -> M {
    let metric = M::default();
    registry.register_with_unit(name, help, unit, metric.clone());
    metric
}

fn seconds_of<M: Registered + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    with_unit(registry, name, help, Unit::Seconds)
}

fn histogram<const N: usize>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    bounds_s: [f64; N],
) -> Histogram {
    let histogram = Histogram::new(bounds_s);
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

/// Registers values that do not change while the process runs.
fn register_process(registry: &mut Registry) {
    let started = Seconds::default();
    started.set(seconds(clock::now()));
    let help = "When this process started, since 1970";
    registry.register_with_unit("process_start_time", help, Unit::Seconds, started);
    registry.register("build", "The running version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
}

#[cfg(test)]
mod tests;
