//! Converts the settings file to typed settings with all defaults.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use super::ConfigError;
use super::file::{ControllerFile, LogFormat, NotifyFormat, Pacing, TimingFile, WavesFile};
use crate::model::{Intervals, Timing};

/// The default duration of a tenant's lease, in milliseconds. After a process dies, the next process waits
/// until the lease ends.
const LEASE_MS: u32 = 30_000;
/// The minimum duration of a lease, in milliseconds. A shorter lease could end between two renewals on a busy
/// machine.
const LEASE_MS_MIN: u32 = 300;

/// Settings of the controller.
#[derive(Debug, Clone)]
pub struct ControllerSettings {
    /// The address of the health, metrics and hook server; none if there is no server.
    pub listen: Option<SocketAddr>,
    /// The interval between fetches of a remote repository.
    pub git_poll: Duration,
    /// genesync does not write from a repository that it could not read for this long.
    pub git_stale: Duration,
    /// How long a tenant waits between runs.
    pub intervals: Intervals,
    /// The maximum number of runs with an open or imminent request.
    pub runs_max: usize,
    /// The same maximum per credentials name.
    pub runs_per_credential_max: usize,
    /// The time limit to stop the process after a signal.
    pub shutdown: Duration,
    /// How long `run --once` waits for tenants that another process works on.
    pub once: Duration,
    /// How long later waves wait for a tenant that cannot be reached. `apply` and `run --once` do not wait.
    pub waves_patience: Duration,
    /// The log filter.
    pub log: Option<String>,
    /// The log format.
    pub log_format: LogFormat,
    /// The base URL of an OTLP collector for traces; none if there is no collector.
    pub otlp_endpoint: Option<Url>,
    /// The format of notifications.
    pub notify_format: NotifyFormat,
    /// A problem that ends within this time causes no notification; none for the default.
    pub notify_settle: Option<Duration>,
    /// The name of this genesync, for receivers of notifications from several.
    pub instance: Option<String>,
    /// The number of days to keep history, runs and ended intents.
    pub keep_days: u32,
}

impl Default for ControllerSettings {
    fn default() -> Self {
        Self::with(&ControllerFile::default(), WavesFile::default(), None, None)
    }
}

impl ControllerSettings {
    /// Fills in the defaults.
    ///
    /// # Errors
    /// An address or a URL is not valid.
    pub(super) fn of(file: &ControllerFile, waves: WavesFile) -> Result<Self, ConfigError> {
        let listen = file.listen.as_deref().map(|text| {
            text.parse().map_err(|_| ConfigError::Value {
                name: "controller.listen",
                given: text.to_owned(),
                expected: "an address with its port, such as 0.0.0.0:8490",
            })
        });
        let otlp = file.otlp_endpoint.as_deref().map(|text| {
            Url::parse(text).map_err(|_| ConfigError::Value {
                name: "controller.otlp-endpoint",
                given: text.to_owned(),
                expected: "a URL, such as http://127.0.0.1:4318",
            })
        });
        Ok(Self::with(file, waves, listen.transpose()?, otlp.transpose()?))
    }

    fn with(
        file: &ControllerFile,
        waves: WavesFile,
        listen: Option<SocketAddr>,
        otlp_endpoint: Option<Url>,
    ) -> Self {
        let ms = |given: Option<u64>, default: u64| Duration::from_millis(given.unwrap_or(default).max(1));
        let git_poll = ms(file.git_poll_ms, 60_000);
        let runs_max = file.runs_max.unwrap_or(64);
        Self {
            listen,
            git_poll,
            // A repository cannot be stale between two fetches, even if the operator set a long interval.
            git_stale: ms(file.git_stale_ms, 3_600_000).max(git_poll * 2),
            intervals: Intervals {
                resync: ms(file.resync_ms, 600_000),
                retry: ms(file.retry_ms, 5_000),
                retry_max: ms(file.retry_max_ms, 300_000),
            },
            runs_max,
            runs_per_credential_max: file.runs_per_credential_max.unwrap_or(runs_max),
            shutdown: Duration::from_millis(file.shutdown_ms.unwrap_or(25_000)),
            once: Duration::from_millis(file.once_ms.unwrap_or(600_000)),
            waves_patience: Duration::from_millis(waves.patience_ms.unwrap_or(900_000)),
            log: file.log.clone(),
            log_format: file.log_format.unwrap_or(LogFormat::Text),
            otlp_endpoint,
            notify_format: file.notify_format.unwrap_or(NotifyFormat::Json),
            notify_settle: file.notify_settle_ms.map(Duration::from_millis),
            instance: file.instance.clone(),
            keep_days: file.keep_days.unwrap_or(30),
        }
    }
}

/// The maximum number of parallel writes. With more, a stopped run could leave more drafts than
/// [`BEGUN_MAX`](crate::replicate::BEGUN_MAX).
const IN_FLIGHT_MAX: u32 = 64;

/// Returns the deadlines of a run.
pub(super) fn timing(file: TimingFile, pacing: Pacing) -> Timing {
    let default = Timing::default();
    Timing {
        write_ms: file.write_ms.unwrap_or(default.write_ms),
        settle_ms: file.settle_ms.unwrap_or(default.settle_ms),
        job_ms: file.job_ms.unwrap_or(default.job_ms),
        confirm_ms: file.confirm_ms.unwrap_or(default.confirm_ms),
        backoff_ms: file.backoff_ms.unwrap_or(default.backoff_ms),
        backoff_max_ms: file.backoff_max_ms.unwrap_or(default.backoff_max_ms),
        poll_ms: file.poll_ms.unwrap_or(default.poll_ms),
        poll_max_ms: file.poll_max_ms.unwrap_or(default.poll_max_ms),
        appear_ms: file.appear_ms.unwrap_or(default.appear_ms),
        ready_ms: file.ready_ms.unwrap_or(default.ready_ms),
        in_flight: pacing.in_flight.clamp(1, IN_FLIGHT_MAX),
        ..default
    }
}

/// Returns the duration of a tenant's lease.
pub(super) fn lease(file: TimingFile) -> Duration {
    Duration::from_millis(file.lease_ms.unwrap_or(LEASE_MS).max(LEASE_MS_MIN).into())
}
