//! Settings as they are used: every value typed, every default in one place.

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use super::ConfigError;
use super::file::{ControllerFile, LogFormat, NotifyFormat, Pacing, TimingFile, WavesFile};
use crate::model::{Intervals, Timing};

/// How long a tenant is leased unless the operator says otherwise: a process that takes over from one that died
/// waits for it.
const LEASE_MS: u32 = 30_000;
/// Shorter leases would run out between two renewals on a busy machine.
const LEASE_MS_MIN: u32 = 300;

/// How the controller works.
#[derive(Debug, Clone)]
pub struct ControllerSettings {
    /// Address of the health, metrics and hook server, if there is to be one.
    pub listen: Option<SocketAddr>,
    /// A remote repository is asked for news this often.
    pub git_poll: Duration,
    /// A repository that could not be read for this long is not written from.
    pub git_stale: Duration,
    /// How long a tenant waits between runs.
    pub intervals: Intervals,
    /// Runs with a request under way, or about to have one.
    pub runs_max: usize,
    /// The same for one name of credentials.
    pub runs_per_credential_max: usize,
    /// How long a process that is told to stop may take.
    pub shutdown: Duration,
    /// How long `run --once` waits for tenants that another process works on.
    pub once: Duration,
    /// How long later waves wait for a tenant that cannot be reached. `apply` and `run --once` do not wait.
    pub waves_patience: Duration,
    /// What is logged.
    pub log: Option<String>,
    /// How it is logged.
    pub log_format: LogFormat,
    /// The base URL of an OTLP collector, if traces go to one.
    pub otlp_endpoint: Option<Url>,
    /// How notifications are written.
    pub notify_format: NotifyFormat,
    /// A trouble that is gone before this long is not reported; none for the default of the notifications.
    pub notify_settle: Option<Duration>,
    /// The name under which this genesync reports, for receivers that serve several.
    pub instance: Option<String>,
    /// Lines of history, runs and ended intents are kept this many days.
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
    /// An address or a URL is not one.
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
            // Between two looks nothing is stale, however rarely an operator wants git to be asked.
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

/// More at once would leave more drafts behind a run that is stopped than [`BEGUN_MAX`](crate::replicate::BEGUN_MAX).
const IN_FLIGHT_MAX: u32 = 64;

/// The deadlines of a run.
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

/// How long a tenant is leased.
pub(super) fn lease(file: TimingFile) -> Duration {
    Duration::from_millis(file.lease_ms.unwrap_or(LEASE_MS).max(LEASE_MS_MIN).into())
}
