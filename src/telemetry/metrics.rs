//! What Prometheus scrapes. `docs/watching.md` is the list for its readers.
//!
//! Counting is an atomic addition, but for the histograms, which lock for a few instructions: they are
//! observed once a run and once a query. Ages are worked out when they are asked for, so that they go on
//! growing where nothing else moves.
//!
//! In: what happened, and the figures of the fleet. Out: the text that Prometheus reads. Never: a label whose
//! values are not a closed set, but for the tenants shown by name. Start reading at [`Metrics`].

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

/// What is known of all tenants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FleetSeen {
    /// How many stand how.
    pub standing: Vec<(Status, usize)>,
    /// When a tenant was last seen in sync, the longest ago first; for one that never was, since when it stands
    /// as it does.
    pub in_sync_at: Vec<(TenantName, Timestamp)>,
    /// Tenants that drift.
    pub drifted: usize,
    /// Since when the first of them does.
    pub drifted_since: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct State {
    fleet: FleetSeen,
    fetched_at: Option<Timestamp>,
    head_at: Option<Timestamp>,
    budget_left: Option<f64>,
}

/// Everything that is counted and measured. The fields are for whoever sees the thing happen.
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
    /// From the acknowledgement of a write to its audit entry being found, in seconds.
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
    /// Calls of the store that failed.
    pub store_errors: Counter,
    /// How long a call of the store took, in seconds.
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
    /// Registers everything. Of the ages by tenant the `tenants_shown` worst are shown.
    pub fn new(tenants_shown: usize) -> Self {
        let mut registry = Registry::with_prefix("genesync");
        let of = &mut registry;
        register_process(of);
        // Metrics are scraped in the order in which they are registered: that of these fields.
        Self {
            sync_age: seconds_of(of, "sync_age", "Age of the oldest sight of a tenant in sync"),
            tenant_sync_age: seconds_of(
                of,
                "tenant_sync_age",
                "Time since a tenant was last seen in sync; only the worst tenants are shown",
            ),
            drift_age: seconds_of(of, "drift_age", "Age of the oldest drift; 0 while there is none"),
            drifted_tenants: metric(
                of,
                "drifted_tenants",
                "Tenants whose live configuration was moved by somebody else",
            ),
            tenants: Gauged::register(of, "tenants", "Tenants by how they stand"),
            runs: Counted::register(of, "runs", "Runs that ended, by how"),
            run_duration: histogram(of, "run_duration", "How long a run took", RUN_SECONDS),
            guard_refusals: Counted::register(of, "guard_refusals", "Plans that a guard refused"),
            requests: Counted::register(of, "requests", "Requests to the API, by the class of their answer"),
            conflicts: metric(
                of,
                "conflicts",
                "Writes that the API refused because somebody else wrote (409, 412)",
            ),
            throttled: metric(of, "throttled", "Requests that the API refused as too many (429)"),
            budget_left: metric(
                of,
                "api_budget_left_ratio",
                "Smallest share of the rate limit that is left to an organization",
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
            hooks: Counted::register(of, "hooks", "Requests to the git webhook, by what became of them"),
            notifications: Counted::register(of, "notifications", "Attempts to deliver a notification"),
            lines_dropped: metric(of, "log_lines_dropped", "Log lines that never left"),
            store_errors: metric(of, "store_errors", "Calls of the store that failed"),
            store_latency: histogram(of, "store_latency", "How long a call of the store took", STORE_SECONDS),
            resident: with_unit(of, "process_resident_memory", "Memory that this process holds", Unit::Bytes),
            state: Mutex::default(),
            tenants_shown,
            registry,
        }
    }

    /// Counts a request to the API: by its answer's status, or as lost where it has none.
    pub fn request(&self, status: Option<u16>) {
        self.requests.inc(match status {
            None => RequestClass::Lost,
            Some(500..) => RequestClass::Failed,
            Some(400..) => RequestClass::Refused,
            Some(300..) => RequestClass::Redirected,
            Some(_) => RequestClass::Done,
        });
        // What counting returns is of no use.
        let _ = match status {
            Some(409 | 412) => self.conflicts.inc(),
            Some(429) => self.throttled.inc(),
            _ => 0,
        };
    }

    /// Says how the tenants stand now; those that are not named are not among the worst.
    ///
    /// Tenants' names are the one label that is no closed set. They are names of folders, checked by the
    /// manifests' reader, and no more of them are shown at a time than was asked for.
    pub fn set_fleet(&self, fleet: FleetSeen) {
        self.state().fleet = fleet;
    }

    /// Says that the source was read, and from when the commit is that is applied.
    pub fn source_read(&self, at: Timestamp, committed_at: Timestamp) {
        let mut state = self.state();
        state.fetched_at = Some(at);
        state.head_at = Some(committed_at);
    }

    /// Says which share of its rate limit the organization has that has the least, from 0 to 1.
    pub fn set_api_budget_left(&self, share: f64) {
        self.state().budget_left = Some(share.clamp(0.0, 1.0));
    }

    /// The text for Prometheus, of type [`CONTENT_TYPE`]. `lines_dropped` is what
    /// [`Telemetry::dropped`](super::Telemetry::dropped) says.
    pub fn encode(&self, lines_dropped: u64) -> String {
        self.encode_at(clock::now(), lines_dropped)
    }

    fn encode_at(&self, now: Timestamp, lines_dropped: u64) -> String {
        // Held to the end: two scrapes at once would mix their figures.
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
        // The log counts for itself; a counter never goes back.
        self.lines_dropped.inner().fetch_max(lines_dropped, Ordering::Relaxed);

        let mut text = String::new();
        // Writing to a string does not fail, and an incomplete text has no end mark: a scraper refuses it.
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

/// A gauge that is absent while nothing is known: a zero would be a lie.
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

/// What never changes while a process runs.
fn register_process(registry: &mut Registry) {
    let started = Seconds::default();
    started.set(seconds(clock::now()));
    let help = "When this process started, since 1970";
    registry.register_with_unit("process_start_time", help, Unit::Seconds, started);
    registry.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
}

#[cfg(test)]
mod tests;
