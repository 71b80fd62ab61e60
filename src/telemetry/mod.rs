//! A port: logs on stderr, traces to a collector, and metrics, if the operator asks for them.
//!
//! In: spans and events of `tracing`, and secrets to mask. Out: lines, OTLP requests, Prometheus text.
//! Never: makes the logging thread wait, or prints a known secret or a control character. Start reading at
//! [`start`], then `writer.rs`.

mod labels;
mod mask;
pub mod metrics;
mod process;
mod traces;
mod writer;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

pub use mask::{mask, mask_token, masked};
pub use metrics::Metrics;
pub use traces::TraceOptions;
use traces::Traces;
use writer::{Lines, ToLines};

/// How long the end of the program waits for log lines and for spans, each.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line, for a collector.
    Json,
}

/// The settings of the operator.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The log filter, such as `info` or `genesync::api=debug`; none logs nothing.
    pub filter: Option<String>,
    /// The format of log lines.
    pub format: LogFormat,
    /// The destination of traces; none sends no traces.
    pub traces: Option<TraceOptions>,
}

/// Why telemetry cannot be started or changed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be parsed.
    #[error("`{given}` is not a log filter: {reason}")]
    Filter {
        /// The given filter.
        given: String,
        /// The parser's message.
        reason: String,
    },
    /// Logging was not started, so there is no filter to change.
    #[error("logging was not started")]
    NotLogging,
    /// The thread that writes lines cannot be started.
    #[error("cannot write the log")]
    Lines(#[source] io::Error),
    /// The exporter cannot be set up.
    #[error("cannot export traces: {reason}")]
    Traces {
        /// The cause.
        reason: String,
    },
}

type FilterHandle = reload::Handle<EnvFilter, Registry>;

/// The running telemetry. The default value does nothing.
#[derive(Default)]
pub struct Telemetry {
    filter: Option<FilterHandle>,
    lines: Option<Arc<Lines>>,
    traces: Option<Traces>,
}

/// Starts telemetry for the whole process. A second start keeps the first subscriber, which happens only in
/// tests.
///
/// # Errors
/// The filter cannot be parsed, or a thread cannot be started.
pub fn start(options: &Options) -> Result<Telemetry, TelemetryError> {
    if options.filter.is_none() && options.traces.is_none() {
        return Ok(Telemetry::default());
    }
    let (dispatch, telemetry) = build(options, stderr())?;
    let _ = dispatch.try_init();
    Ok(telemetry)
}

/// Writes panic messages to the log instead of stderr, where a full pipe would block the panicking thread.
/// For a process that survives a panic of one of its tasks.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        tracing::error!(target: "genesync::panic", place, message);
    }));
}

fn build(
    options: &Options,
    sink: impl Write + Send + 'static,
) -> Result<(Dispatch, Telemetry), TelemetryError> {
    let traces = options.traces.as_ref().map(Traces::start).transpose()?;
    let mut telemetry = Telemetry { traces, ..Telemetry::default() };
    let mut log = None;
    if let Some(text) = &options.filter {
        let lines = Lines::start(sink, options.format).map_err(TelemetryError::Lines)?;
        let (filter, handle) = reload::Layer::new(filter(text)?);
        let layer = fmt::layer().with_writer(ToLines(Arc::clone(&lines))).with_ansi(false);
        let layer = match options.format {
            LogFormat::Text => layer.boxed(),
            LogFormat::Json => layer.json().with_current_span(true).with_span_list(false).boxed(),
        };
        log = Some(layer.with_filter(filter));
        telemetry.lines = Some(lines);
        telemetry.filter = Some(handle);
    }
    let spans = telemetry.traces.as_ref().map(|traces| {
        // Only genesync's spans: the exporter's own HTTP client emits spans with every batch.
        let ours = filter_fn(|metadata| {
            *metadata.level() <= Level::INFO && metadata.target().split("::").next() == Some("genesync")
        });
        tracing_opentelemetry::layer()
            .with_tracer(traces.tracer())
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
    });
    Ok((Dispatch::new(tracing_subscriber::registry().with(log).with(spans)), telemetry))
}

fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let refuse = |reason: String| TelemetryError::Filter { given: text.into(), reason };
    EnvFilter::try_new(text).map_err(|error| refuse(error.to_string()))
}

/// Returns a separate handle: the standard one is locked during a write, so a full pipe would block all its
/// users.
fn stderr() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        if let Ok(own) = io::stderr().as_fd().try_clone_to_owned() {
            return Box::new(std::fs::File::from(own));
        }
    }
    Box::new(io::stderr())
}

impl Telemetry {
    /// Replaces the log filter.
    ///
    /// # Errors
    /// The filter cannot be parsed, and the old one stays; or logging was not started.
    pub fn set_filter(&self, text: &str) -> Result<(), TelemetryError> {
        let handle = self.filter.as_ref().ok_or(TelemetryError::NotLogging)?;
        handle.reload(filter(text)?).map_err(|_| TelemetryError::NotLogging)
    }

    /// Returns the number of log lines that were not written.
    pub fn dropped(&self) -> u64 {
        self.lines.as_ref().map_or(0, |lines| lines.dropped())
    }

    /// Sends waiting spans and writes waiting lines, for at most a few seconds; the last step of a program.
    /// Later spans are lost; later lines are still written.
    pub fn flush(&self) {
        if let Some(traces) = &self.traces {
            traces.finish(FLUSH_LIMIT);
        }
        if let Some(lines) = &self.lines {
            lines.flush(FLUSH_LIMIT);
        }
    }
}

#[cfg(test)]
mod tests;
